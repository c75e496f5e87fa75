/*
 * The generated type system, by what the specification says of it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fhir/definitions.h"

#define S(z)  hie_str(z)


static void
test_types(void **state)
{
    size_t      i;
    hie_type_t  t;

    for (i = 1; i < hie_n_types; i++) {
        assert_int_equal(hie_type_find(S(hie_types[i].name)), i);
    }

    assert_int_equal(hie_type_find(S("Patient")), HIE_TYPE_Patient);
    assert_int_equal(hie_type_find(S("code")), HIE_TYPE_code);
    assert_int_equal(hie_type_find(S("patient")), HIE_TYPE_NONE);
    assert_int_equal(hie_type_find(S("Patien")), HIE_TYPE_NONE);
    assert_int_equal(hie_type_find(S("Patients")), HIE_TYPE_NONE);
    assert_int_equal(hie_type_find(S("")), HIE_TYPE_NONE);
    assert_int_equal(hie_type_find(HIE_STR_NONE), HIE_TYPE_NONE);

    t = hie_type_find(S("Patient.contact"));
    assert_int_equal(hie_types[t].kind, HIE_KIND_BACKBONE);
    assert_int_equal(hie_types[t].base, HIE_TYPE_BackboneElement);

    assert_true(hie_type_is(HIE_TYPE_code, HIE_TYPE_string));
    assert_true(hie_type_is(HIE_TYPE_Patient, HIE_TYPE_Resource));
    assert_true(hie_type_is(HIE_TYPE_Age, HIE_TYPE_Quantity));
    assert_false(hie_type_is(HIE_TYPE_Bundle, HIE_TYPE_DomainResource));
    assert_false(hie_type_is(HIE_TYPE_string, HIE_TYPE_code));
    assert_true(hie_types[HIE_TYPE_DomainResource].abstract);
}


static void
test_every_name_is_found(void **state)
{
    size_t                  i, k;
    const hie_element_t    *e, *stem;
    const hie_type_info_t  *t;

    for (i = 1; i < hie_n_types; i++) {
        t = &hie_types[i];
        for (k = 0; k < t->n; k++) {
            e = &hie_elements[t->first + k];
            assert_int_equal(strlen(e->name), e->name_len);
            assert_ptr_equal(hie_element_find((hie_type_t) i, S(e->name)), e);
            assert_true(e->type != HIE_TYPE_NONE && e->type < hie_n_types);
            assert_true(k == 0 || e->order >= e[-1].order);

            stem = hie_element_stem((hie_type_t) i, (hie_str_t) {
                e->name, e->stem_len });
            assert_non_null(stem);
            assert_int_equal(stem->order, e->order);
        }

        assert_null(hie_element_find((hie_type_t) i, S("nothing")));
    }
}


static const hie_element_t *
element(const char *type, const char *name)
{
    const hie_element_t  *e;

    e = hie_element_find(hie_type_find(S(type)), S(name));
    assert_non_null(e);
    return e;
}


static void
test_elements(void **state)
{
    const hie_element_t  *e;

    e = element("Observation", "valueQuantity");
    assert_true(e->flags & HIE_ELEMENT_CHOICE);
    assert_int_equal(e->type, HIE_TYPE_Quantity);
    assert_int_equal(e->stem_len, strlen("value"));
    assert_int_equal(e->max, 1);

    e = element("Observation", "status");
    assert_int_equal(e->min, 1);
    assert_true(e->flags & HIE_ELEMENT_MODIFIER);
    assert_string_equal(hie_bindings[e->binding].value_set,
                        "http://hl7.org/fhir/ValueSet/observation-status");
    assert_int_equal(hie_bindings[e->binding].strength, 'r');
    assert_string_equal(hie_bindings[e->binding].system,
                        "http://hl7.org/fhir/observation-status");
    /* of two; of a list that somebody else keeps */
    e = element("Task", "intent");
    assert_null(hie_bindings[e->binding].system);
    e = element("Resource", "language");
    assert_string_equal(hie_bindings[e->binding].max,
                        "http://hl7.org/fhir/ValueSet/all-languages");

    e = element("Patient", "name");
    assert_int_equal(e->max, 0);
    assert_int_equal(e->type, HIE_TYPE_HumanName);

    assert_int_equal(element("Patient", "id")->type, HIE_TYPE_id);
    assert_int_equal(element("HumanName", "id")->type, HIE_TYPE_string);
    assert_int_equal(element("Extension", "url")->type, HIE_TYPE_uri);
    assert_true(element("Extension", "url")->flags & HIE_ELEMENT_ATTRIBUTE);
    assert_int_equal(element("Narrative", "div")->type, HIE_TYPE_xhtml);
    assert_int_equal(element("Patient", "contained")->type,
                     HIE_TYPE_Resource);
    assert_int_equal(element("string", "extension")->type,
                     HIE_TYPE_Extension);

    /* a contentReference */
    e = element("Bundle.entry", "link");
    assert_int_equal(e->type, hie_type_find(S("Bundle.link")));

    e = element("Patient", "link");
    e = element("Patient.link", "other");
    assert_int_equal(e->n_targets, 2);
    assert_int_equal(hie_targets[e->first_target], HIE_TYPE_Patient);
    assert_int_equal(hie_targets[e->first_target + 1],
                     HIE_TYPE_RelatedPerson);
    assert_int_equal(element("DocumentReference.context",
                             "related")->n_targets, 0);
}


static bool
has_rule(uint16_t first, uint16_t n, const char *key)
{
    while (n-- > 0) {
        if (strcmp(hie_rules[hie_rule_lists[first + n]].key, key) == 0) {
            return true;
        }
    }

    return false;
}


static void
test_rules(void **state)
{
    const hie_element_t    *e;
    const hie_type_info_t  *t;

    t = &hie_types[hie_type_find(S("Patient.contact"))];
    e = element("Patient", "contact");
    assert_true(has_rule(e->first_rule, e->n_rules, "pat-1"));
    assert_false(has_rule(e->first_rule, e->n_rules, "ele-1"));
    assert_true(has_rule(t->first_rule, t->n_rules, "ele-1"));

    t = &hie_types[HIE_TYPE_Observation];
    assert_true(has_rule(t->first_rule, t->n_rules, "obs-7"));
    assert_true(has_rule(t->first_rule, t->n_rules, "dom-2"));

    t = &hie_types[HIE_TYPE_Reference];
    assert_true(has_rule(t->first_rule, t->n_rules, "ref-1"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_every_name_is_found),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
