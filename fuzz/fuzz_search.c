/*
 * A resource from bytes, to be found by its values, and if it is a
 * SearchParameter to be served. Or a search parameter: "Type,Type?name=value",
 * taken as it stands; _sort, _include, _revinclude and _filter too. What is
 * accepted has values in order; what is not says why.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "search/search.h"

#define TYPES  4

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static void
look(const hie_criterion_t *c, int depth)
{
    int  i, k;

    require((c->n > 0 || c->kind == HIE_CRITERION_TOKENS) && depth < 100);
    for (i = 0; i < c->n; i++) {
        switch (c->kind) {
        case HIE_CRITERION_STRINGS:
        case HIE_CRITERION_TERMS:
        case HIE_CRITERION_TEXT:
            require(c->texts[i].value.len > 0
                    && c->texts[i].value.len <= HIE_SEARCH_TEXT_MAX);
            break;

        case HIE_CRITERION_DATES:
        case HIE_CRITERION_UPDATED:
            require(c->dates[i].a < c->dates[i].b);
            break;

        case HIE_CRITERION_NUMBERS:
            require(hie_decimal_compare(&c->numbers[i].a, &c->numbers[i].b)
                    <= 0);
            break;

        case HIE_CRITERION_IDS:
            require(hie_fhir_is_id(c->ids[i]));
            break;

        case HIE_CRITERION_CHAIN:
        case HIE_CRITERION_HAS:
            require(c->chains[i].type != HIE_TYPE_NONE
                    && c->chains[i].param != 0);
            for (k = 0; k < c->chains[i].criteria->n; k++) {
                look(&c->chains[i].criteria->criteria[k], depth + 1);
            }

            break;

        case HIE_CRITERION_GROUP:
            require(c->chains[i].criteria->n > 0);
            for (k = 0; k < c->chains[i].criteria->n; k++) {
                look(&c->chains[i].criteria->criteria[k], depth + 1);
            }

            break;

        default:
            break;
        }
    }
}


static int
read_types(hie_str_t names, hie_type_t *out)
{
    int        n;
    hie_str_t  name;

    for (n = 0; n < TYPES && names.ptr != NULL; n++) {
        name = hie_str_split(names, ',', &names);
        out[n] = hie_type_find(name);
    }

    return n;
}


static hie_rc_t
sort(hie_search_t *s, const hie_type_t *types, int n, hie_str_t value,
     apr_pool_t *pool, hie_error_t *err)
{
    int         i, n_sorts;
    hie_rc_t    rc;
    hie_sort_t  sorts[HIE_SORTS_MAX];

    rc = hie_search_sort(s, types, n, value, pool, sorts, &n_sorts, err);
    for (i = 0; rc == HIE_OK && i < n_sorts; i++) {
        require(sorts[i].kind != 0 && sorts[i].n > 0);
    }

    return rc;
}


static hie_rc_t
include(hie_search_t *s, const hie_type_t *types, int n, bool reverse,
        hie_str_t value, apr_pool_t *pool, hie_error_t *err)
{
    hie_rc_t       rc;
    hie_include_t  i;

    rc = hie_search_include(s, types, n, reverse, false, value, pool, &i, err);
    if (rc == HIE_OK) {
        require(i.all != (i.param != 0));
    }

    return rc;
}


static hie_rc_t
one(hie_search_t *s, const hie_type_t *types, int n, hie_str_t name,
    hie_str_t value, apr_pool_t *pool, hie_error_t *err)
{
    hie_rc_t            rc;
    hie_criterion_t     c;
    hie_search_rules_t  rules = { HIE_STR("http://h.example/fhir"),
                                  INT64_C(1600000000000000), 3, 50 };

    if (hie_str_eqz(name, "_sort")) {
        return sort(s, types, n, value, pool, err);
    }

    if (hie_str_eqz(name, "_include") || hie_str_eqz(name, "_revinclude")) {
        return include(s, types, n, name.len > 8, value, pool, err);
    }

    rc = hie_str_eqz(name, "_filter")
         ? hie_search_filter(s, types, n, value, &rules, pool, &c, err)
         : hie_search_criterion_of(s, types, n, name, value, &rules, pool, &c,
                                   err);
    if (rc == HIE_OK) {
        look(&c, 0);
    }

    return rc;
}


/* Keys are sorted, and none is there twice. */
static void
look_at_values(const hie_search_values_t *x)
{
    int  i;

    for (i = 1; i < x->n_tokens; i++) {
        require(x->tokens[i - 1] < x->tokens[i]);
    }

    for (i = 0; i < x->n_terms; i++) {
        require(x->terms[i].value.len > 0
                && x->terms[i].value.len <= HIE_SEARCH_TEXT_MAX);
        require(i == 0 || x->terms[i - 1].key < x->terms[i].key);
    }

    for (i = 0; i < x->n_dates; i++) {
        require(x->dates[i].low < x->dates[i].high);
    }
}


static void
resource(hie_search_t *s, hie_str_t json, apr_pool_t *pool)
{
    int                   i;
    hie_rc_t              rc;
    hie_str_t             name;
    hie_doc_t            *d;
    hie_type_t            type;
    hie_error_t           err = { .rc = 0 };
    hie_search_values_t   x;

    if (hie_doc_parse(pool, json, 50, &d, &err) != HIE_OK) {
        return;
    }

    name = hie_doc_get(d, 0, "resourceType", pool);
    type = hie_type_find(name);
    rc = hie_search_index(s, d, type, HIE_STR("1"),
                          HIE_STR("http://h.example/fhir"), pool, &x, &err);
    require(rc == HIE_OK || err.detail[0] != '\0');
    if (rc == HIE_OK) {
        look_at_values(&x);
        require(x.n_contained <= HIE_SEARCH_CONTAINED_MAX);
    }

    for (i = 0; rc == HIE_OK && i < x.n_contained; i++) {
        look_at_values(&x.contained[i].values);
        require(x.contained[i].type_name.ptr[0] == '#'
                && x.contained[i].values.n_contained == 0);
    }

    if (type == HIE_TYPE_SearchParameter) {
        s = hie_search_create(pool, NULL);
        rc = hie_search_add(s, d, pool, &err);
        require(rc == HIE_OK || err.detail[0] != '\0');
        (void) hie_search_index(s, d, type, HIE_STR_NONE, HIE_STR(""), pool,
                                &x, &err);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    n;
    hie_rc_t               rc;
    hie_str_t              names, name, value;
    hie_type_t             types[TYPES];
    apr_pool_t            *pool;
    hie_error_t            err = { .rc = 0 };
    static apr_pool_t     *root;
    static hie_search_t   *s;

    if (s == NULL) {
        apr_initialize();
        root = hie_pool_create(NULL, "search");
        s = hie_search_create(root, NULL);
    }

    pool = hie_pool_create(NULL, "fuzz");
    if (size > 0 && data[0] == '{') {
        resource(s, (hie_str_t) { (const char *) data, size }, pool);
        apr_pool_destroy(pool);
        return 0;
    }

    names = hie_str_split((hie_str_t) { (const char *) data, size }, '?',
                          &name);
    name = hie_str_split(name, '=', &value);
    n = read_types(names, types);

    rc = one(s, types, n, name, value, pool, &err);
    require(rc == HIE_OK
            || ((rc == HIE_INVALID || rc == HIE_NOT_FOUND
                 || rc == HIE_TOO_COSTLY)
                && err.detail[0] != '\0'));
    apr_pool_destroy(pool);
    return 0;
}
