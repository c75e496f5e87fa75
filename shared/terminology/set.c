/*
 * Terms in memory, by canonical URL.
 */

#include "terminology/private.h"

#include <string.h>

#include <apr_hash.h>

typedef struct row_t  row_t;

struct row_t {
    const hie_term_t  *term;
    row_t             *next;        /* of the same URL */
};

struct hie_term_set_t {
    apr_pool_t               *pool;
    const hie_term_source_t  *beneath;
    apr_hash_t               *rows;         /* by URL */
    apr_hash_t               *value_sets;   /* code systems by valueSet */
    apr_array_header_t       *maps;
    hie_term_source_t         source;
};


static size_t
digits(hie_str_t s)
{
    size_t  n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9') {
        n++;
    }

    return n;
}


static hie_str_t
after(hie_str_t s, size_t n)
{
    return (hie_str_t) { s.ptr + n, s.len - n };
}


/* "10.1" is after "9.2", and "2024-01" after "2023-11". */
static int
compare_versions(hie_str_t a, hie_str_t b)
{
    size_t  na, nb;
    int     diff;

    while (a.len > 0 && b.len > 0) {
        na = digits(a);
        nb = digits(b);

        if (na > 0 && nb > 0) {
            for (; na > 1 && *a.ptr == '0'; na--) {
                a = after(a, 1);
            }

            for (; nb > 1 && *b.ptr == '0'; nb--) {
                b = after(b, 1);
            }

            diff = na != nb ? (na > nb) * 2 - 1 : memcmp(a.ptr, b.ptr, na);

        } else {
            na = nb = 1;
            diff = (unsigned char) *a.ptr - (unsigned char) *b.ptr;
        }

        if (diff != 0) {
            return diff;
        }

        a = after(a, na);
        b = after(b, nb);
    }

    return (a.len > b.len) - (a.len < b.len);
}


static const hie_term_t *
choose(const row_t *row, hie_term_kind_t kind, hie_str_t version)
{
    const hie_term_t  *best = NULL;

    for (; row != NULL; row = row->next) {
        if (row->term->kind != kind
            || (version.len > 0 && !hie_str_eq(row->term->version, version)))
        {
            continue;
        }

        if (best == NULL
            || compare_versions(row->term->version, best->version) > 0)
        {
            best = row->term;
        }
    }

    return best;
}


static hie_rc_t
find(void *baton, hie_term_kind_t kind, hie_str_t url, hie_str_t version,
     const hie_term_t **out, hie_error_t *err)
{
    hie_term_set_t  *set = baton;
    const row_t     *row;

    if (kind == HIE_TERM_SYSTEM_OF) {
        row = apr_hash_get(set->value_sets, url.ptr, (apr_ssize_t) url.len);
        *out = choose(row, HIE_TERM_CODE_SYSTEM, version);

    } else {
        row = apr_hash_get(set->rows, url.ptr, (apr_ssize_t) url.len);
        *out = choose(row, kind, version);
    }

    if (*out != NULL) {
        return HIE_OK;
    }

    return set->beneath != NULL
           ? set->beneath->find(set->beneath->baton, kind, url, version, out,
                                err)
           : HIE_NOT_FOUND;
}


static hie_rc_t
maps(void *baton, const hie_term_t *const **out, size_t *n, hie_error_t *err)
{
    hie_term_set_t           *set = baton;
    const hie_term_t *const  *more = NULL;
    apr_array_header_t       *all;
    size_t                    i, n_more = 0;
    hie_rc_t                  rc;

    if (set->beneath != NULL && set->beneath->maps != NULL) {
        rc = set->beneath->maps(set->beneath->baton, &more, &n_more, err);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    all = apr_array_copy(set->pool, set->maps);

    for (i = 0; more != NULL && i < n_more; i++) {
        APR_ARRAY_PUSH(all, const hie_term_t *) = more[i];
    }

    *out = (const hie_term_t *const *) (void *) all->elts;
    *n = (size_t) all->nelts;

    return HIE_OK;
}


static hie_term_answer_t
grammar(void *baton, hie_str_t system, hie_str_t code)
{
    hie_term_set_t  *set = baton;

    return set->beneath != NULL && set->beneath->grammar != NULL
           ? set->beneath->grammar(set->beneath->baton, system, code)
           : HIE_TERM_UNKNOWN;
}


hie_term_set_t *
hie_term_set_create(apr_pool_t *pool, const hie_term_source_t *beneath)
{
    hie_term_set_t  *set = apr_pcalloc(pool, sizeof(*set));

    set->pool = pool;
    set->beneath = beneath;
    set->rows = apr_hash_make(pool);
    set->value_sets = apr_hash_make(pool);
    set->maps = apr_array_make(pool, 4, sizeof(const hie_term_t *));
    set->source = (hie_term_source_t) { find, maps, grammar, set };

    return set;
}


static void
put(hie_term_set_t *set, apr_hash_t *hash, hie_str_t url,
    const hie_term_t *t)
{
    row_t  *row = apr_palloc(set->pool, sizeof(*row));

    row->term = t;
    row->next = apr_hash_get(hash, url.ptr, (apr_ssize_t) url.len);
    apr_hash_set(hash, url.ptr, (apr_ssize_t) url.len, row);
}


void
hie_term_set_add(hie_term_set_t *set, const hie_term_t *t)
{
    hie_str_t  rest;

    if (t->url.len > 0) {
        put(set, set->rows, t->url, t);
    }

    if (t->kind == HIE_TERM_CONCEPT_MAP) {
        APR_ARRAY_PUSH(set->maps, const hie_term_t *) = t;

    } else if (t->kind == HIE_TERM_CODE_SYSTEM && t->system.value_set.len > 0)
    {
        put(set, set->value_sets,
            hie_str_split(t->system.value_set, '|', &rest), t);
    }
}


const hie_term_source_t *
hie_term_set_source(const hie_term_set_t *set)
{
    return &set->source;
}
