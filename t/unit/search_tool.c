/*
 * What the test programs of search share.
 */

#include "search_tool.h"

#include <apr_general.h>


apr_pool_t    *pool;
hie_search_t  *search;


int
search_setup(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    search = hie_search_create(pool, NULL);
    return 0;
}


int
search_teardown(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}


hie_search_rules_t
rules_of_search(void)
{
    return (hie_search_rules_t) { HIE_STR(BASE), NOW, 3, 300 };
}


hie_rc_t
ask(const char *type, const char *query, hie_criterion_t *c,
    hie_error_t *err)
{
    hie_str_t           name, value;
    hie_search_rules_t  rules = rules_of_search();

    name = hie_str_split(hie_str(query), '=', &value);
    return hie_search_criterion(search, hie_type_find(hie_str(type)), name,
                                value, &rules, pool, c, err);
}


void
ask_well(const char *type, const char *query, hie_criterion_t *c)
{
    hie_error_t  err;

    if (ask(type, query, c, &err) != HIE_OK) {
        fail_msg("%s?%s: %s", type, query, err.detail);
    }
}


const char *
values_of(const char *json, hie_search_values_t *x)
{
    hie_str_t     type;
    hie_doc_t    *d;
    hie_error_t   err;

    assert_int_equal(hie_doc_parse(pool, hie_str(json), 100, &d, &err),
                     HIE_OK);
    type = hie_doc_get(d, 0, "resourceType", pool);
    assert_int_equal(hie_search_index(search, d, hie_type_find(type),
                                      HIE_STR("1"), HIE_STR(BASE), pool, x,
                                      &err), HIE_OK);
    return hie_str_z(pool, type);
}


bool
has_token(const hie_search_values_t *x, uint64_t key)
{
    int  i;

    for (i = 0; i < x->n_tokens; i++) {
        if (x->tokens[i] == key) {
            return true;
        }
    }
    return false;
}


bool
found(const char *json, const char *query)
{
    bool                 meets, known;
    hie_criterion_t      c;
    hie_criteria_t       all = { 1, &c };
    hie_row_facts_t      row = { HIE_STR("r1"), NOW };
    hie_search_values_t  x;

    ask_well(values_of(json, &x), query, &c);
    meets = hie_search_meets(&x, &row, &all, &known);
    if (!known) {
        fail_msg("%s: is not known", query);
    }

    return meets;
}


void
each(const char *json, const char *const *yes, const char *const *no)
{
    for ( ; *yes != NULL; yes++) {
        if (!found(json, *yes)) {
            fail_msg("%s: is not found", *yes);
        }
    }

    for ( ; *no != NULL; no++) {
        if (found(json, *no)) {
            fail_msg("%s: is found", *no);
        }
    }
}
