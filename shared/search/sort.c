/*
 * _sort (R4 section 3.1.1.5.1).
 */

#include "search/criterion.h"

#include <string.h>

typedef struct {
    hie_search_t        *s;
    const hie_type_t    *types;
    int                  n_types;
    hie_str_t            whole;        /* without the sign */
    apr_array_header_t  *params;       /* uint32_t */
    apr_array_header_t  *of;           /* hie_type_t, one of each of these, */
    apr_array_header_t  *to;           /* and where it leads */
    apr_array_header_t  *through;
    hie_sort_t          *out;
    hie_error_t         *err;
} sorting_t;


static hie_rc_t
wrong(sorting_t *g, const char *why)
{
    return hie_fail(g->err, HIE_INVALID, "", "_sort by \"%.*s\": %s",
                    HIE_PRISTR(g->whole), why);
}


static hie_rc_t
unknown(sorting_t *g, hie_str_t code)
{
    return hie_fail(g->err, HIE_NOT_FOUND, "",
                    "_sort by \"%.*s\": no type that it is about has a search "
                    "parameter \"%.*s\"", HIE_PRISTR(g->whole),
                    HIE_PRISTR(code));
}


/* By what it is ordered; 0: by nothing. */
static hie_sort_kind_t
kind_of(const hie_parameter_t *def)
{
    if (strcmp(def->code, "_text") == 0 || strcmp(def->code, "_content") == 0)
    {
        return 0;
    }

    switch (def->kind) {
    case HIE_SEARCH_STRING:
        return HIE_SORT_STRING;

    case HIE_SEARCH_DATE:
        return strcmp(def->code, "_lastUpdated") == 0 ? HIE_SORT_UPDATED
                                                      : HIE_SORT_DATE;

    case HIE_SEARCH_NUMBER:
    case HIE_SEARCH_QUANTITY:
        return HIE_SORT_NUMBER;

    case HIE_SEARCH_TOKEN:
        return strcmp(def->code, "_id") == 0 ? HIE_SORT_ID : HIE_SORT_TERM;

    case HIE_SEARCH_URI:
        return HIE_SORT_TERM;

    case HIE_SEARCH_REFERENCE:
        return def->by_url ? HIE_SORT_TERM : HIE_SORT_TARGET;

    case HIE_SEARCH_COMPOSITE:
    case HIE_SEARCH_SPECIAL:
        break;
    }

    return 0;
}


/* False: it is there. */
static bool
add_key(apr_array_header_t *keys, uint32_t key)
{
    int  i;

    for (i = 0; i < keys->nelts; i++) {
        if (APR_ARRAY_IDX(keys, i, uint32_t) == key) {
            return false;
        }
    }

    APR_ARRAY_PUSH(keys, uint32_t) = key;
    return true;
}


/* Of references those of the parameter that has them, as far as they are its
 * own. */
static void
add_slot(sorting_t *g, hie_type_t type, const hie_parameter_t *def)
{
    uint32_t  key = g->out->kind == HIE_SORT_TARGET ? def->ref_key : def->key;

    if (add_key(g->params, key)) {
        APR_ARRAY_PUSH(g->of, hie_type_t) = type;
        APR_ARRAY_PUSH(g->to, hie_type_t) =
            key != def->key ? hie_search_only_target(def) : HIE_TYPE_NONE;
    }
}


static hie_rc_t
add_either(sorting_t *g, hie_type_t type, const hie_search_plan_t *plan);


/* The parameter of one more type. */
static hie_rc_t
add_param(sorting_t *g, hie_type_t type, hie_str_t code)
{
    hie_sort_kind_t           kind;
    const hie_search_plan_t  *plan;

    plan = hie_search_find(g->s, type, code);
    if (plan == NULL) {
        return HIE_OK;
    }

    if (plan->either[0] != NULL) {
        return add_either(g, type, plan);
    }

    kind = kind_of(&plan->param);
    if (kind == 0) {
        return wrong(g, "what the parameter finds has no order");
    }

    if (g->out->kind != 0 && g->out->kind != kind) {
        return wrong(g, "it is another kind of parameter in another type");
    }

    g->out->kind = kind;
    add_slot(g, type, &plan->param);
    return HIE_OK;
}


static hie_rc_t
add_either(sorting_t *g, hie_type_t type, const hie_search_plan_t *plan)
{
    hie_rc_t  rc;

    rc = add_param(g, type, hie_str(plan->either[0]));
    return rc == HIE_OK ? add_param(g, type, hie_str(plan->either[1])) : rc;
}


/* What is behind a reference, in each type that it leads to. */
static hie_rc_t
add_behind(sorting_t *g, const hie_parameter_t *def, hie_type_t only,
           hie_str_t code)
{
    hie_rc_t    rc;
    hie_type_t  type;

    for (type = 1, rc = HIE_OK; rc == HIE_OK && type < hie_n_types; type++) {
        if (hie_types[type].kind == HIE_KIND_RESOURCE
            && !hie_types[type].abstract && hie_search_leads_to(def, type)
            && (only == HIE_TYPE_NONE || only == type)
            && hie_search_param(g->s, type, code) != NULL)
        {
            rc = add_param(g, type, code);
            (void) add_key(g->through, def->ref_key);
        }
    }

    return rc;
}


static hie_rc_t
chain(sorting_t *g, hie_str_t reference, hie_str_t code)
{
    int                     i;
    hie_rc_t                rc;
    hie_str_t               name;
    hie_type_t              only;
    const hie_parameter_t  *def;

    reference = hie_str_split(reference, ':', &name);
    only = name.ptr != NULL ? hie_type_find(name) : HIE_TYPE_NONE;
    if (name.ptr != NULL && hie_types[only].kind != HIE_KIND_RESOURCE) {
        return wrong(g, "what stands behind ':' is no resource type of R4");
    }

    if (code.len == 0 || memchr(code.ptr, '.', code.len) != NULL) {
        return wrong(g, "expected one reference and one parameter behind it");
    }

    for (i = 0, rc = HIE_OK; rc == HIE_OK && i < g->n_types; i++) {
        def = hie_search_param(g->s, g->types[i], reference);
        if (def == NULL) {
            continue;
        }

        if (def->kind != HIE_SEARCH_REFERENCE || def->by_url) {
            return wrong(g, "what stands before '.' is no reference");
        }

        rc = add_behind(g, def, only, code);
    }

    return rc;
}


static hie_rc_t
sort_key(sorting_t *g)
{
    int        i;
    hie_rc_t   rc;
    hie_str_t  name, rest;

    name = hie_str_split(g->whole, '.', &rest);
    if (rest.ptr == NULL && memchr(name.ptr, ':', name.len) != NULL) {
        return wrong(g, "modifiers have no meaning here");
    }

    if (rest.ptr != NULL) {
        rc = chain(g, name, rest);
    } else {
        for (i = 0, rc = HIE_OK; rc == HIE_OK && i < g->n_types; i++) {
            rc = add_param(g, g->types[i], name);
        }
    }

    if (rc == HIE_OK && g->out->kind == 0) {
        return unknown(g, rest.ptr != NULL ? rest : name);
    }

    g->out->n = g->params->nelts;
    g->out->params = (const uint32_t *) g->params->elts;
    g->out->of = (const hie_type_t *) g->of->elts;
    g->out->to = (const hie_type_t *) g->to->elts;
    g->out->n_through = g->through->nelts;
    g->out->through = (const uint32_t *) g->through->elts;
    return rc;
}


static bool
is_repeated(const hie_sort_t *sorts, int n, hie_str_t name)
{
    int        i;
    hie_str_t  other;

    for (i = 0; i < n; i++) {
        other = sorts[i].source;
        other.ptr += sorts[i].descending;
        other.len -= sorts[i].descending;
        if (hie_str_eq(other, name)) {
            return true;
        }
    }

    return false;
}


hie_rc_t
hie_search_sort(hie_search_t *s, const hie_type_t *types, int n_types,
                hie_str_t value, apr_pool_t *pool, hie_sort_t *out, int *n,
                hie_error_t *err)
{
    hie_rc_t   rc;
    hie_str_t  rest;
    sorting_t  g = { .s = s, .types = types, .n_types = n_types, .err = err };

    *n = 0;
    for (rest = value, rc = HIE_OK; rc == HIE_OK && rest.ptr != NULL;
         (*n)++)
    {
        g.whole = hie_str_split(rest, ',', &rest);
        if (*n == HIE_SORTS_MAX) {
            return hie_fail(err, HIE_INVALID, "",
                            "_sort: expected at most %d parameters",
                            HIE_SORTS_MAX);
        }

        g.out = &out[*n];
        memset(g.out, 0, sizeof(*g.out));
        g.out->source = g.whole;
        g.out->descending = g.whole.len > 0 && g.whole.ptr[0] == '-';
        g.whole.ptr += g.out->descending;
        g.whole.len -= g.out->descending;
        g.params = apr_array_make(pool, 4, sizeof(uint32_t));
        g.of = apr_array_make(pool, 4, sizeof(hie_type_t));
        g.to = apr_array_make(pool, 4, sizeof(hie_type_t));
        g.through = apr_array_make(pool, 4, sizeof(uint32_t));
        if (g.whole.len == 0) {
            return wrong(&g, "expected the name of a search parameter");
        }

        if (is_repeated(out, *n, g.whole)) {
            return wrong(&g, "it stands there twice");
        }

        rc = sort_key(&g);
    }

    return *n > 0 ? rc : hie_fail(err, HIE_INVALID, "",
                                  "_sort: expected a search parameter");
}
