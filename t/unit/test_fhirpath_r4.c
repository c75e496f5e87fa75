/*
 * What R4 itself has in FHIRPath: every invariant and every search parameter
 * is compiled and evaluated.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>

#include "fhir/search_params.h"
#include "fhirpath/fhirpath.h"

#define S(z)  hie_str(z)

static apr_pool_t  *pool;

static const char patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\","
    "\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o1\","
    "\"name\":\"Test\"}],"
    "\"extension\":[{\"url\":\"http://example.org/x\",\"valueCode\":\"a\"}],"
    "\"name\":[{\"family\":\"Test\",\"given\":[\"A\",\"B\"]}],"
    "\"birthDate\":\"1970-01-01\","
    "\"managingOrganization\":{\"reference\":\"#o1\"}}";


/* Compiled with and without what is known of the types, and evaluated on a
 * Patient, or on an element of the type that has nothing in it. */
static void
evaluate(const char *text, hie_type_t context, bool strict)
{
    apr_pool_t             *p = hie_pool_create(pool, "rule");
    hie_doc_t              *d;
    hie_error_t             err = { .rc = 0 };
    hie_fhirpath_t         *fp;
    hie_fhirpath_env_t      env = { .pool = p };
    hie_fhirpath_item_t     focus;
    hie_fhirpath_list_t     list;
    hie_fhirpath_truth_t    truth;
    hie_fhirpath_options_t  options = { context, strict };

    assert_int_equal(hie_doc_parse(p, context == HIE_TYPE_Patient
                                      ? S(patient) : S("{}"), 20, &d, NULL),
                     HIE_OK);
    focus = hie_fhirpath_node(d, 0, HIE_NODE_NONE, context);

    if (hie_fhirpath_compile(p, S(text), NULL, &fp, &err) != HIE_OK
        || hie_fhirpath_eval(fp, &env, &focus, &list, &err) != HIE_OK
        || hie_fhirpath_compile(p, S(text), &options, &fp, &err) != HIE_OK
        || hie_fhirpath_eval(fp, &env, &focus, &list, &err) != HIE_OK
        || hie_fhirpath_test(fp, &env, &focus, &truth, &err) != HIE_OK)
    {
        fail_msg("%s on %s: %s: %s", text, hie_types[context].name, err.where,
                 err.detail);
    }

    apr_pool_destroy(p);
}


/* Published with names that their context does not have: ChargeItemDefinition
 * is without a name, a probability may be a decimal. */
static bool
is_flawed(const char *key)
{
    static const char *const  keys[] = { "cid-0", "ras-1" };
    size_t                    i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }

    return false;
}


static size_t
evaluate_rules(size_t first, size_t n, hie_type_t context)
{
    size_t             i;
    const hie_rule_t  *r;

    for (i = first; i < first + n; i++) {
        r = &hie_rules[hie_rule_lists[i]];
        evaluate(r->expression, context, !is_flawed(r->key));
    }

    return n;
}


/* With the types that they are stated for. */
static void
test_invariants(void **state)
{
    size_t                  i, k, n = 0;
    const hie_element_t    *e;
    const hie_type_info_t  *t;

    assert_true(hie_n_rules > 200);
    for (i = 1; i < hie_n_types; i++) {
        t = &hie_types[i];
        n += evaluate_rules(t->first_rule, t->n_rules, (hie_type_t) i);
        for (k = 0; k < t->n; k++) {
            e = &hie_elements[t->first + k];
            n += evaluate_rules(e->first_rule, e->n_rules, e->type);
        }
    }

    assert_true(n > hie_n_rules);
}


static void
test_search_parameters(void **state)
{
    size_t  i;

    assert_true(hie_n_search_params > 1000);
    for (i = 0; i < hie_n_search_params; i++) {
        if (hie_search_params[i].expression != NULL) {
            evaluate(hie_search_params[i].expression,
                     hie_search_params[i].type, true);
        }
    }
}


static void
test_types(void **state)
{
    static const struct {
        const char  *text;
        hie_type_t   type;
    } t[] = {
        { "Patient.name", HIE_TYPE_HumanName },
        { "Patient.name.where(use = 'old').family", HIE_TYPE_string },
        { "Patient.meta.profile.first() | Patient.meta.profile",
          HIE_TYPE_canonical },
        { "Patient.meta.profile | Patient.name", HIE_TYPE_NONE },
        { "Patient.deceased", HIE_TYPE_NONE },
        { "Patient.deceased.ofType(dateTime)", HIE_TYPE_dateTime },
        { "Patient.name.exists()", HIE_TYPE_NONE },
        { "Patient.name.family.upper()", HIE_TYPE_NONE },
        { "Patient.descendants()", HIE_TYPE_NONE },
        { "1", HIE_TYPE_NONE }
    };
    hie_fhirpath_options_t    options = { HIE_TYPE_Patient, false };
    hie_fhirpath_t           *fp;
    size_t                    i;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_int_equal(hie_fhirpath_compile(pool, S(t[i].text), &options,
                                              &fp, NULL), HIE_OK);
        if (hie_fhirpath_type(fp) != t[i].type) {
            fail_msg("%s: %s", t[i].text,
                     hie_types[hie_fhirpath_type(fp)].name);
        }
    }
}


int
main(void)
{
    int                      failed;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_search_parameters),
        cmocka_unit_test(test_types)
    };

    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
