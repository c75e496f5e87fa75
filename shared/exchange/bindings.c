/*
 * Value sets that are stored (ValueSet, R4 section 4.9), for the bindings of
 * profiles: those that a required binding names and nobody else has brought are
 * expanded, once for each state of what is stored. The validator that has them
 * is replaced when that state changes: profiles.c.
 */

#include <string.h>

#include "exchange/terms.h"

#define DEPTH  200

/* Of one value set, and how much a process holds in memory. */
#define CODES_MAX  HIE_TERM_CODES
#define BYTES_MAX  ((size_t) 64 * 1024 * 1024)

/* Of one state; with the load lock. */
struct hie_value_sets_t {
    apr_pool_t         *pool;
    hie_store_state_t   of[2];       /* value sets, code systems */
    apr_hash_t         *found;       /* canonical: hie_str_t, an expansion as
                                        a ValueSet; empty: there is none */
    size_t              bytes;
};


/* As a ValueSet that has nothing but its expansion. */
static hie_str_t
write_set(hie_str_t url, const hie_term_code_t *codes, size_t n,
          apr_pool_t *pool)
{
    size_t     i;
    hie_buf_t  b;

    hie_buf_init(&b, pool, 128 + n * 80);
    hie_buf_addz(&b, "{\"resourceType\":\"ValueSet\",\"url\":");
    hie_buf_add_json(&b, url);
    hie_buf_addz(&b, ",\"expansion\":{\"contains\":[");
    for (i = 0; i < n; i++) {
        hie_buf_addz(&b, i == 0 ? "{\"code\":" : ",{\"code\":");
        hie_buf_add_json(&b, codes[i].code);
        if (codes[i].system.ptr != NULL) {
            hie_buf_addz(&b, ",\"system\":");
            hie_buf_add_json(&b, codes[i].system);
        }

        hie_buf_addc(&b, '}');
    }

    hie_buf_addz(&b, "]}}");
    return hie_buf_str(&b);
}


static hie_rc_t
expand(hie_runtime_t *rt, hie_str_t url, apr_pool_t *pool, hie_str_t *out,
       hie_error_t *err)
{
    size_t                  n;
    hie_rc_t                rc;
    hie_terms_t             terms;
    hie_asking_t            ask = {
        .store = rt->store, .search = rt->search, .conf = rt->config,
        .base_url = hie_parameters_base(rt, pool), .pool = pool
    };
    hie_visible_t           everyones = { .all = false };
    const hie_term_code_t  *codes;

    hie_terms_init(&terms, &ask, &everyones, NULL);
    rc = hie_term_codes(&terms.source, pool, url, CODES_MAX, &codes, &n, err);
    *out = rc == HIE_OK ? write_set(url, codes, n, pool) : HIE_STR("");
    return rc;
}


/* One that cannot be expanded is as if it were not known, and so is one for
 * which there is no room: then nothing is judged by it. */
static hie_rc_t
find(hie_runtime_t *rt, hie_str_t url, const hie_str_t **out, hie_error_t *err)
{
    hie_rc_t           rc;
    hie_str_t          expansion, *one;
    apr_pool_t        *scratch;
    hie_value_sets_t  *sets = rt->value_sets;

    *out = apr_hash_get(sets->found, url.ptr, (apr_ssize_t) url.len);
    if (*out != NULL) {
        return HIE_OK;
    }

    scratch = hie_pool_create(sets->pool, "hie-bindings");
    rc = expand(rt, url, scratch, &expansion, err);
    if (rc == HIE_OK && sets->bytes + expansion.len > BYTES_MAX) {
        expansion = HIE_STR("");
        rc = hie_fail(err, HIE_TOO_COSTLY, "",
                      "there are more value sets than are held");
    }

    if (rc < HIE_INTERNAL) {
        one = apr_palloc(sets->pool, sizeof(*one));
        *one = hie_str_dup(sets->pool, expansion);
        sets->bytes += one->len;
        url = hie_str_dup(sets->pool, url);
        apr_hash_set(sets->found, url.ptr, (apr_ssize_t) url.len, one);
        *out = one;
    }

    apr_pool_destroy(scratch);
    if (rc >= HIE_INTERNAL) {
        return rc;
    }

    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        hie_log(HIE_LOG_WARN, "HIE5018", "the value set %.*s is not used for "
                "validation: %s", HIE_PRISTR(url), err->detail);
    }

    return HIE_OK;
}


/* What was found in another state is forgotten. */
static void
renew(hie_runtime_t *rt, const hie_store_state_t state[2])
{
    apr_pool_t  *pool;

    if (rt->value_sets != NULL
        && memcmp(rt->value_sets->of, state, sizeof(rt->value_sets->of)) == 0)
    {
        return;
    }

    hie_bindings_free(rt);
    pool = hie_pool_create(NULL, "hie-bindings");
    rt->value_sets = apr_pcalloc(pool, sizeof(*rt->value_sets));
    rt->value_sets->pool = pool;
    rt->value_sets->found = apr_hash_make(pool);
    memcpy(rt->value_sets->of, state, sizeof(rt->value_sets->of));
}


void
hie_bindings_free(hie_runtime_t *rt)
{
    if (rt->value_sets != NULL) {
        apr_pool_destroy(rt->value_sets->pool);
        rt->value_sets = NULL;
    }
}


hie_rc_t
hie_bindings_load(hie_runtime_t *rt, const hie_store_state_t state[2],
                  hie_validator_t *v, apr_pool_t *pool, bool *wants,
                  hie_error_t *err)
{
    int               i, n;
    hie_rc_t          rc = HIE_OK;
    hie_doc_t        *d;
    hie_str_t        *urls;
    const hie_str_t  *found;

    renew(rt, state);
    n = hie_validator_wants(v, pool, &urls);
    *wants = n > 0;
    for (i = 0; rc == HIE_OK && i < n && state[0].n > 0; i++) {
        rc = find(rt, urls[i], &found, err);
        if (rc == HIE_OK && found->len > 0) {
            rc = hie_doc_parse(pool, hie_str_dup(pool, *found), DEPTH, &d,
                               err);
            if (rc == HIE_OK) {
                rc = hie_validator_add(v, d, err);
            }
        }
    }

    return rc == HIE_OK ? hie_validator_ready(v, err) : rc;
}
