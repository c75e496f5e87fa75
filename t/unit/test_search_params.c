/*
 * The generated search parameters and compartments.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fhir/search_params.h"

#define S(z)  hie_str(z)


static void
test_every_one_is_found(void **state)
{
    size_t                     i, k;
    const hie_search_param_t  *p, *q;

    assert_true(hie_n_search_params > 1600);
    for (i = 0; i < hie_n_search_params; i++) {
        p = &hie_search_params[i];
        assert_ptr_equal(hie_search_param_find(p->type, S(p->code)), p);
        assert_true(p->kind >= HIE_SEARCH_NUMBER
                    && p->kind <= HIE_SEARCH_SPECIAL);
        assert_true(p->expression != NULL || p->code[0] == '_');
        assert_int_equal(p->n_components > 0, p->kind == HIE_SEARCH_COMPOSITE);

        for (k = 0; k < p->n_components; k++) {
            q = &hie_search_params[
                    hie_search_components[p->first_component + k].param];
            assert_int_equal(q->type, p->type);
            assert_true(q->kind != HIE_SEARCH_COMPOSITE);
        }
    }
}


static const hie_search_param_t *
find(const char *type, const char *code)
{
    return hie_search_param_find(hie_type_find(S(type)), S(code));
}


static void
test_single_ones(void **state)
{
    size_t                     n;
    const hie_search_param_t  *p;

    p = find("Patient", "name");
    assert_int_equal(p->kind, HIE_SEARCH_STRING);
    assert_string_equal(p->expression, "Patient.name");

    p = find("Patient", "_id");
    assert_int_equal(p->type, HIE_TYPE_Resource);
    assert_int_equal(find("Patient", "_text")->type, HIE_TYPE_DomainResource);
    assert_null(find("Bundle", "_text"));
    assert_null(find("Patient", "nam"));
    assert_null(find("Patient", "namex"));
    assert_null(find("Patient", ""));

    p = find("Observation", "value-quantity");
    assert_int_equal(p->kind, HIE_SEARCH_QUANTITY);
    assert_string_equal(p->expression, "Observation.value.ofType(Quantity) | "
                        "Observation.value.ofType(SampledData)");

    p = find("Observation", "code-value-quantity");
    assert_int_equal(p->n_components, 2);
    assert_string_equal(hie_search_params[hie_search_components[
        p->first_component].param].code, "code");

    p = find("Observation", "patient");
    assert_int_equal(p->n_targets, 1);
    assert_int_equal(hie_search_targets[p->first_target], HIE_TYPE_Patient);

    /* published without the type in front */
    assert_string_equal(find("InsurancePlan", "name")->expression,
                        "InsurancePlan.name | InsurancePlan.alias");

    hie_search_params_of(HIE_TYPE_Resource, &n);
    assert_int_equal(n, 8);
}


static void
test_compartments(void **state)
{
    size_t                        i, n;
    const hie_compartment_row_t  *rows;

    rows = hie_compartment_of(HIE_TYPE_Patient, HIE_TYPE_Observation, &n);
    assert_int_equal(n, 2);
    assert_string_equal(hie_search_params[rows[0].param].code, "performer");
    assert_string_equal(hie_search_params[rows[1].param].code, "subject");

    assert_null(hie_compartment_of(HIE_TYPE_Patient, HIE_TYPE_Organization,
                                   &n));
    assert_int_equal(n, 0);

    rows = hie_compartment_of(HIE_TYPE_Encounter, HIE_TYPE_NONE, &n);
    assert_true(n > 10);
    for (i = 0; i < n; i++) {
        assert_int_equal(rows[i].compartment, HIE_TYPE_Encounter);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_every_one_is_found),
        cmocka_unit_test(test_single_ones),
        cmocka_unit_test(test_compartments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
