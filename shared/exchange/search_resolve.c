/*
 * What criteria mean to one requester: which types a chain may go through,
 * and which codes :in, :not-in, :above and :below stand for (FHIR R4 section
 * 3.1.1.4.10); of references search_hierarchy.c knows it.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/searching.h"
#include "exchange/terms.h"

/* Codes that one criterion may stand for, and names of value sets and codes
 * that a search may have. */
#define CODES_MAX  10000
#define NAMES_MAX  100

/* Value sets are looked for by the exchange itself: a search finds what its
 * definition says, whoever asks. */
static const hie_visible_t  everybody = { .all = true };

typedef struct {
    const hie_asking_t  *a;
    hie_terms_t          terms;
    bool                 begun;    /* `terms` is there */
    int                  n_names;
    const char          *system;   /* of which all codes are; or NULL */
    apr_array_header_t  *codes;    /* hie_str_t: "system|code" */
    hie_error_t         *err;
} resolver_t;


static hie_rc_t
resolve(resolver_t *r, hie_criterion_t *criteria, int n);


/*
 * Codes.
 */

static hie_rc_t
fail_name(resolver_t *r, const hie_criterion_t *c, hie_rc_t rc,
          const char *why)
{
    return hie_fail(r->err, rc == HIE_NOT_FOUND ? HIE_INVALID : rc, "",
                    "search parameter \"%.*s\": %s",
                    (int) (c->source.len < 160 ? c->source.len : 160),
                    c->source.ptr, why);
}


static void
add_code(resolver_t *r, const char *format, hie_str_t system, hie_str_t code)
{
    APR_ARRAY_PUSH(r->codes, hie_str_t) =
        hie_str(apr_psprintf(r->a->pool, format, HIE_PRISTR(system),
                             HIE_PRISTR(code)));
}


/* A code without a system counts by itself, unless its element implies another
 * one. */
static void
add_both(void *baton, hie_str_t system, hie_str_t code)
{
    resolver_t  *r = baton;

    if (system.len > 0) {
        add_code(r, "%.*s|%.*s", system, code);
    }

    if (system.len == 0 || r->system == NULL
        || hie_str_eqz(system, r->system))
    {
        add_code(r, "%.*s|%.*s", HIE_STR(""), code);
    }
}


static void
add_codes(resolver_t *r, const hie_term_code_t *codes, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        add_both(r, codes[i].system, codes[i].code);
    }
}


/* By canonical URL, or by the place of the resource here. */
static hie_rc_t
add_value_set(resolver_t *r, hie_str_t name, hie_error_t *err)
{
    size_t                  n;
    hie_rc_t                rc = HIE_OK;
    hie_reference_t         ref;
    const hie_term_code_t  *codes;

    if (hie_fhir_reference(name, r->a->base_url, &ref) && ref.local
        && hie_str_eqz(ref.type, "ValueSet"))
    {
        rc = hie_terms_value_set(&r->terms, ref.id, &name, err);
    }

    if (rc == HIE_OK) {
        rc = hie_term_codes(&r->terms.source, r->a->pool, name, CODES_MAX,
                            &codes, &n, err);
    }

    if (rc == HIE_OK) {
        add_codes(r, codes, n);

    } else if (rc == HIE_NOT_FOUND
               && hie_validation_codes(name, add_both, r))
    {
        rc = HIE_OK;
    }

    return rc;
}


/* Without a system there is no hierarchy. */
static hie_rc_t
add_relatives(resolver_t *r, const hie_criterion_t *c, hie_str_t name,
              hie_error_t *err)
{
    size_t                  n;
    hie_rc_t                rc;
    hie_str_t               system, code;
    const hie_term_code_t  *codes;

    system = hie_str_split(name, '|', &code);
    if (code.ptr == NULL || system.len == 0) {
        APR_ARRAY_PUSH(r->codes, hie_str_t) = name;
        return HIE_OK;
    }

    if (c->codes_of == HIE_CODES_BELOW) {
        rc = hie_term_below(&r->terms.source, r->a->pool, system, code,
                            CODES_MAX, &codes, &n, err);
    } else {
        rc = hie_term_above(&r->terms.source, r->a->pool, system, code,
                            CODES_MAX, &codes, &n, err);
    }

    if (rc == HIE_OK) {
        add_codes(r, codes, n);
    }

    return rc;
}


static hie_rc_t
look_up(resolver_t *r, hie_criterion_t *c)
{
    int          i;
    hie_rc_t     rc;
    hie_error_t  err;

    if (c->def != NULL && c->def->kind == HIE_SEARCH_REFERENCE) {
        rc = hie_search_relatives(r->a, c, &err);
        return rc == HIE_OK ? rc : fail_name(r, c, rc,
                                             apr_pstrdup(r->a->pool,
                                                         err.detail));
    }

    if (!r->begun) {
        hie_terms_init(&r->terms, r->a, &everybody, NULL);
        r->begun = true;
    }

    r->system = c->def != NULL && c->n_params == 1 ? c->def->system : NULL;
    r->codes = apr_array_make(r->a->pool, 64, sizeof(hie_str_t));
    for (i = 0; i < c->n; i++) {
        if (++r->n_names > NAMES_MAX) {
            return fail_name(r, c, HIE_TOO_COSTLY, apr_psprintf(r->a->pool,
                "more than %d value sets or codes would have to be looked up",
                NAMES_MAX));
        }

        rc = c->codes_of == HIE_CODES_IN
             ? add_value_set(r, c->codes[i], &err)
             : add_relatives(r, c, c->codes[i], &err);
        if (rc != HIE_OK) {
            return fail_name(r, c, rc, apr_pstrdup(r->a->pool, err.detail));
        }

        if (r->codes->nelts > 2 * CODES_MAX) {
            return fail_name(r, c, HIE_TOO_COSTLY, apr_psprintf(r->a->pool,
                "it stands for more than %d codes", CODES_MAX));
        }
    }

    hie_search_codes(c, (const hie_str_t *) r->codes->elts, r->codes->nelts,
                     r->a->pool);
    return HIE_OK;
}


/*
 * Chains.
 */

bool
hie_search_permits(const hie_asking_t *a, hie_type_t type)
{
    return a->principal == NULL
           || hie_access_permits(a->principal, HIE_MAY_SEARCH,
                                 hie_str(hie_types[type].name));
}


/* A requester who may not search among patients learns nothing about them by
 * the name of an observation's subject. */
static hie_rc_t
follow(resolver_t *r, hie_criterion_t *c)
{
    int       i, n;
    hie_rc_t  rc = HIE_OK;

    for (i = 0, n = 0; i < c->n; i++) {
        if (c->kind == HIE_CRITERION_GROUP
            || hie_search_permits(r->a, c->chains[i].type))
        {
            c->chains[n++] = c->chains[i];
        }
    }

    if (n == 0 && c->n > 0) {
        return fail_name(r, c, HIE_FORBIDDEN, "the token's scopes do not "
                         "include a search of that type");
    }

    c->n = n;
    for (i = 0; rc == HIE_OK && i < n; i++) {
        rc = resolve(r, c->chains[i].criteria->criteria,
                     c->chains[i].criteria->n);
    }

    return rc;
}


static hie_rc_t
resolve(resolver_t *r, hie_criterion_t *criteria, int n)
{
    int       i;
    hie_rc_t  rc = HIE_OK;

    for (i = 0; rc == HIE_OK && i < n; i++) {
        switch (criteria[i].kind) {
        case HIE_CRITERION_CODES:
            rc = look_up(r, &criteria[i]);
            break;

        case HIE_CRITERION_CHAIN:
        case HIE_CRITERION_HAS:
        case HIE_CRITERION_GROUP:
            rc = follow(r, &criteria[i]);
            break;

        default:
            break;
        }
    }

    return rc;
}


hie_rc_t
hie_search_resolve(const hie_asking_t *a, hie_criterion_t *criteria, int n,
                   hie_error_t *err)
{
    resolver_t  r = { .a = a, .err = err };

    return resolve(&r, criteria, n);
}


/*
 * Sorting by what a reference leads to: "subject:Patient.name",
 * "-subject.name".
 */

hie_rc_t
hie_search_resolve_sort(const hie_asking_t *a, hie_sort_t *sort,
                        hie_error_t *err)
{
    int          i, n;
    uint32_t    *params;
    hie_type_t  *of;

    if (sort->n_through == 0) {
        return HIE_OK;
    }

    params = apr_palloc(a->pool, sizeof(*params) * (size_t) (sort->n + 1));
    of = apr_palloc(a->pool, sizeof(*of) * (size_t) (sort->n + 1));
    for (i = 0, n = 0; i < sort->n; i++) {
        if (hie_search_permits(a, sort->of[i])) {
            params[n] = sort->params[i];
            of[n++] = sort->of[i];
        }
    }

    if (n == 0) {
        return hie_fail(err, HIE_FORBIDDEN, "",
                        "_sort \"%.*s\": the token's scopes do not include a "
                        "search of that type", HIE_PRISTR(sort->source));
    }

    sort->n = n;
    sort->params = params;
    sort->of = of;
    return HIE_OK;
}
