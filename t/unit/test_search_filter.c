/*
 * _filter: what an expression finds, and what it may not say.
 */

#include <string.h>

#include "search_tool.h"

static hie_error_t  err;

#define PATIENT                                                               \
    "{\"resourceType\":\"Patient\",\"active\":true,\"gender\":\"female\","    \
    "\"name\":[{\"family\":\"Doe\",\"given\":[\"Anna, Maria\"]},"             \
    "{\"family\":\"Roe\"}],\"birthDate\":\"2000-02-10\",\"identifier\":["     \
    "{\"system\":\"urn:a\",\"value\":\"1\"}],\"generalPractitioner\":["       \
    "{\"reference\":\"Practitioner/7\"}],\"meta\":{\"profile\":["             \
    "\"http://example.org/p/One\"]}}"

#define OBSERVATION                                                           \
    "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":"        \
    "{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"8480-6\"}]},"   \
    "\"subject\":{\"reference\":\"Patient/1\"},\"effectivePeriod\":"          \
    "{\"start\":\"2020-03-01\",\"end\":\"2020-03-31\"},\"valueQuantity\":"    \
    "{\"value\":107,\"system\":\"http://unitsofmeasure.org\",\"code\":"       \
    "\"mm[Hg]\"}}"


static hie_rc_t
filter_of(const hie_type_t *types, int n, const char *text,
          hie_criterion_t *out)
{
    hie_search_rules_t  rules = { HIE_STR(BASE), NOW, 3, 20 };

    memset(&err, 0, sizeof(err));
    return hie_search_filter(search, types, n, hie_str(text), &rules, pool,
                             out, &err);
}


static hie_rc_t
filter(const char *type, const char *text, hie_criterion_t *out)
{
    hie_type_t  t = hie_type_find(hie_str(type));

    return filter_of(&t, 1, text, out);
}


static void
each_filter(const char *json, bool wanted, const char *const *filters)
{
    bool                 meets, known;
    const char          *type;
    hie_criterion_t      c;
    hie_criteria_t       all = { 1, &c };
    hie_row_facts_t      row = { HIE_STR("r1"), NOW };
    hie_search_values_t  x;

    type = values_of(json, &x);
    for ( ; *filters != NULL; filters++) {
        if (filter(type, *filters, &c) != HIE_OK) {
            fail_msg("%s: %s", *filters, err.detail);
        }

        assert_int_equal(c.kind, HIE_CRITERION_GROUP);
        meets = hie_search_meets(&x, &row, &all, &known);
        if (!known || meets != wanted) {
            fail_msg("%s: %s", *filters, !known ? "is not known" : wanted
                     ? "is not found" : "is found");
        }
    }
}

#define YES(json, ...)  each_filter(json, true, LIST(__VA_ARGS__))
#define NO(json, ...)  each_filter(json, false, LIST(__VA_ARGS__))


static void
test_texts(void **state)
{
    YES(PATIENT, "family eq doe", "family eq \"DOE\"", "family co \"o\"",
        "family sw d", "family ew oe", "given eq \"anna, maria\"",
        "given sw \"Anna,\"", "family ne smith", "family pr true",
        "phonetic pr true", "address pr false", "given co \"\\u0061nna\"",
        "  family   eq\tdoe  ");
    NO(PATIENT, "family eq do", "family ew do", "family sw oe",
       "family ne doe", "family pr false", "address pr true",
       "address ne x", "given eq maria");
}


static void
test_codes(void **state)
{
    YES(PATIENT, "gender eq female", "identifier eq urn:a|1",
        "identifier eq \"1\"", "gender ne male", "active eq true",
        "gender pr true", "_id eq r1", "_id ne r2", "_id pr true",
        "_profile eq http://example.org/p/One",
        "_profile sw http://example.org/p", "_profile ew One",
        "_profile co \"/p/O\"");
    NO(PATIENT, "gender eq male", "gender ne female", "identifier eq 2",
       "_id eq r2", "_id pr false", "_profile ew one");
    YES(OBSERVATION, "code eq loinc|8480-6", "code eq http://loinc.org|8480-6",
        "status eq final or status eq amended");
    NO(OBSERVATION, "code eq snomed|8480-6", "status eq final,amended");
    YES("{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":"
        "\"urn:a\",\"value\":\"b,c$\\\\d\"}],\"managingOrganization\":"
        "{\"reference\":\"http://x/y,z\"}}",
        "identifier eq b,c$\\d", "identifier eq \"urn:a|b,c$\\\\d\"",
        "organization re http://x/y,z");
}


static void
test_ranges(void **state)
{
    YES(PATIENT, "birthdate ge 2000", "birthdate eq 2000-02",
        "birthdate lt 2000-02-11", "birthdate ne 2001", "birthdate sa 1999",
        "birthdate eb 2001", "birthdate po 2000-02",
        "birthdate ap 2000-03-01", "_lastUpdated ge 2020");
    NO(PATIENT, "birthdate gt 2000-02-10", "birthdate eq 2000-03",
       "birthdate ne 2000", "birthdate po 2000-03", "_lastUpdated lt 2020");
    YES(OBSERVATION, "date po 2020-03-31", "date po 2020", "date sa 2020-02",
        "value-quantity gt 100", "value-quantity eq \"107|ucum|mm[Hg]\"",
        "value-quantity lt 15|ucum|kPa", "value-quantity ne 5",
        "code-value-quantity eq 8480-6$gt100");
    NO(OBSERVATION, "date po 2020-04", "date eq 2020-03-05",
       "value-quantity lt 100", "value-quantity eq 107|ucum|kPa");
}


static void
test_references(void **state)
{
    YES(PATIENT, "general-practitioner re Practitioner/7",
        "general-practitioner eq Practitioner/7",
        "general-practitioner re http://our.example/fhir/Practitioner/7",
        "general-practitioner re 7", "general-practitioner ne 8",
        "link pr false");
    NO(PATIENT, "general-practitioner re Practitioner/8",
       "general-practitioner ne Practitioner/7");
}


/* R4 section 3.1.3.1: from left to right, neither binds tighter. */
static void
test_logic(void **state)
{
    YES(PATIENT, "family eq doe and gender eq female",
        "family eq x or gender eq female",
        "not (family eq x)", "not(family eq x)", "not (not (family eq doe))",
        "(family eq doe)", "((family eq doe) and (gender eq female))",
        "family eq doe or gender eq x and active eq true",
        "gender eq x and active eq false or family eq doe",
        "family eq x or (gender eq female and active eq true)",
        "not (gender eq x) and not (gender eq y)",
        "not (gender eq female and active eq false)",
        "not (gender eq x or active eq false)");
    NO(PATIENT, "family eq doe and gender eq x",
       "family eq x or gender eq x", "not (family eq doe)",
       "family eq doe or gender eq female and active eq false",
       "not (gender eq female or active eq false)",
       "gender eq female and (active eq false or family eq x)");
}


/* Where parentheses are not, there is no more than needed. */
static void
test_shape(void **state)
{
    hie_criterion_t  c;

    assert_int_equal(filter("Patient", "((name eq a))", &c), HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_GROUP);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].criteria->n, 1);
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_STRINGS);
    assert_true(hie_str_eqz(c.source, "_filter=((name eq a))"));

    assert_int_equal(filter("Patient", "name eq a and name eq b and name eq c",
                            &c), HIE_OK);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].criteria->n, 3);
    assert_int_equal(filter("Patient", "name eq a or name eq b or name eq c",
                            &c), HIE_OK);
    assert_int_equal(c.n, 3);
}


static const hie_criterion_t *
first(const hie_criterion_t *c)
{
    return &c->chains[0].criteria->criteria[0];
}


static void
test_terminology(void **state)
{
    hie_criterion_t  c;

    assert_int_equal(filter("Condition", "code ss snomed|73211009", &c),
                     HIE_OK);
    assert_int_equal(first(&c)->kind, HIE_CRITERION_CODES);
    assert_int_equal(first(&c)->codes_of, HIE_CODES_BELOW);
    assert_true(hie_str_eqz(first(&c)->codes[0],
                            "http://snomed.info/sct|73211009"));
    assert_int_equal(filter("Condition", "code sb http://x|1", &c), HIE_OK);
    assert_int_equal(first(&c)->codes_of, HIE_CODES_ABOVE);
    assert_int_equal(filter("Condition", "code in http://v", &c), HIE_OK);
    assert_int_equal(first(&c)->codes_of, HIE_CODES_IN);
    assert_false(first(&c)->negate);
    assert_int_equal(filter("Condition", "code ni http://v", &c), HIE_OK);
    assert_true(first(&c)->negate);
}


static void
test_chains(void **state)
{
    hie_criterion_t         c;
    const hie_criterion_t  *in;

    assert_int_equal(filter("Observation", "subject.name co \"pet\"", &c),
                     HIE_OK);
    in = first(&c);
    assert_int_equal(in->kind, HIE_CRITERION_CHAIN);
    assert_int_equal(first(in)->texts[0].match, HIE_TEXT_CONTAINS);

    assert_int_equal(filter("Observation", "patient.gender ne male", &c),
                     HIE_OK);
    assert_int_equal(first(first(&c))->kind, HIE_CRITERION_GROUP);
    assert_int_equal(filter("Observation", "subject:Patient.name eq x", &c),
                     HIE_OK);
    assert_int_equal(first(&c)->n, 1);
    assert_int_equal(filter("Patient", "_has:Observation:patient:code eq x",
                            &c), HIE_OK);
    assert_int_equal(first(&c)->kind, HIE_CRITERION_HAS);

    assert_int_equal(filter("Observation", "subject[gender eq male and name "
                            "eq \"]\"].birthdate lt 2000", &c), HIE_OK);
    in = first(&c);
    assert_int_equal(in->kind, HIE_CRITERION_CHAIN);
    assert_int_equal(in->n, 1);
    assert_int_equal(in->chains[0].type, HIE_TYPE_Patient);
    assert_int_equal(in->chains[0].criteria->n, 2);
    assert_int_equal(in->chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_DATES);
    assert_int_equal(in->chains[0].criteria->criteria[1].kind,
                     HIE_CRITERION_GROUP);
    assert_int_equal(filter("Observation", "patient.organization[active eq "
                            "true].name sw x", &c), HIE_OK);
    assert_int_equal(first(first(&c))->kind, HIE_CRITERION_CHAIN);
    assert_int_equal(first(first(&c))->chains[0].criteria->n, 2);
}


static void
test_types(void **state)
{
    hie_criterion_t   c;
    const hie_type_t  types[] = { HIE_TYPE_Observation, HIE_TYPE_Condition };

    assert_int_equal(filter_of(types, 2, "code eq x", &c), HIE_OK);
    assert_int_equal(first(&c)->n, 2);
    assert_int_equal(filter_of(types, 2, "code ne x", &c), HIE_OK);
    assert_int_equal(first(&c)->kind, HIE_CRITERION_GROUP);
    assert_int_equal(first(&c)->n, 2);
    assert_int_equal(filter_of(types, 2, "subject[active eq true].gender eq "
                               "male", &c), HIE_OK);
    assert_int_equal(first(&c)->n, 2);
    assert_int_equal(filter_of(types, 2, "value-quantity eq 1", &c),
                     HIE_NOT_FOUND);
}


static void
test_errors(void **state)
{
    size_t           i;
    hie_criterion_t  c;
    static const struct {
        const char  *text;
        hie_rc_t     rc;
        const char  *says;
    } cases[] = {
        { "", HIE_INVALID, "character 1: expected the name" },
        { "name", HIE_INVALID, "character 5: expected one of eq" },
        { "name eq", HIE_INVALID, "expected one of eq" },
        { "name eq ", HIE_INVALID, "character 9: expected a value" },
        { "name is x", HIE_INVALID, "character 6: expected one of eq" },
        { "name eq x y", HIE_INVALID, "character 11: expected and, or" },
        { "name eq x and", HIE_INVALID, "expected the name" },
        { "name eq x or or", HIE_INVALID, "expected" },
        { "(name eq x", HIE_INVALID, "expected and, or, ')'" },
        { "name eq x)", HIE_INVALID, "character 10: expected and, or" },
        { "not name eq x", HIE_INVALID, "character 5: expected '('" },
        { "name eq \"x", HIE_INVALID, "a string of JSON" },
        { "name eq \"\\x\"", HIE_INVALID, "a string of JSON" },
        { "name eq \"\\", HIE_INVALID, "a string of JSON" },
        { "nothing eq x", HIE_NOT_FOUND, "nothing" },
        { "name:exact eq x", HIE_INVALID, "modifier" },
        { "name eq \"\"", HIE_INVALID, "name" },
        { "name gt x", HIE_INVALID, "\"gt\" does not apply" },
        { "name ss x", HIE_INVALID, "\"ss\" does not apply" },
        { "gender co x", HIE_INVALID, "\"co\" does not apply" },
        { "birthdate co 2000", HIE_INVALID, "\"co\" does not apply" },
        { "birthdate gt x", HIE_INVALID, "birthdate" },
        { "birthdate gt lt2000", HIE_INVALID, "birthdate" },
        { "birthdate gt 2000,2001", HIE_INVALID, "birthdate" },
        { "birthdate re 2000", HIE_INVALID, "\"re\" does not apply" },
        { "organization co x", HIE_INVALID, "\"co\" does not apply" },
        { "name pr maybe", HIE_INVALID, "true or false" },
        { "name.family eq x", HIE_INVALID, "no reference" },
        { "organization[name eq x] eq y", HIE_INVALID, "'.'" },
        { "organization[name eq x.name eq y", HIE_INVALID, "']'" },
        { "organization[name eq \"x.name eq y", HIE_INVALID, "quotes" },
        { "organization[name eq x y].name eq z", HIE_INVALID, "brackets" },
        { "organization[].name eq z", HIE_INVALID, "expected" },
        { "organization[gender eq x].name eq z", HIE_NOT_FOUND, "gender" },
        { "name[family eq x].given eq y", HIE_INVALID, "no reference" },
        { "nothing[family eq x].given eq y", HIE_NOT_FOUND, "nothing" },
        { "[name eq x].name eq y", HIE_INVALID, "expected" },
        { "] eq x", HIE_INVALID, "expected" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (filter("Patient", cases[i].text, &c) != cases[i].rc
            || strstr(err.detail, cases[i].says) == NULL)
        {
            fail_msg("%s: %s", cases[i].text, err.detail);
        }
    }
}


static char *
repeat(const char *before, const char *text, const char *after, int n)
{
    int        i;
    hie_buf_t  b;

    hie_buf_init(&b, pool, 100);
    for (i = 0; i < n; i++) {
        hie_buf_addz(&b, before);
    }

    hie_buf_addz(&b, text);
    for (i = 0; i < n; i++) {
        hie_buf_addz(&b, after);
    }

    hie_buf_addc(&b, '\0');
    return b.ptr;
}


static void
test_limits(void **state)
{
    hie_criterion_t  c;

    assert_int_equal(filter("Patient", NULL, &c), HIE_INVALID);
    assert_int_equal(filter("Patient", repeat("(", "name eq x", ")", 30), &c),
                     HIE_OK);
    assert_int_equal(filter("Patient", repeat("(", "name eq x", ")", 100),
                            &c), HIE_INVALID);
    assert_int_equal(filter("Patient", repeat("not(", "name eq x", ")", 5000),
                            &c), HIE_INVALID);
    assert_int_equal(filter("Patient", repeat("", "name eq x", " or name eq x",
                                              19), &c), HIE_OK);
    assert_int_equal(filter("Patient", repeat("", "name eq x", " or name eq x",
                                              20), &c), HIE_TOO_COSTLY);
    assert_int_equal(filter("Patient", repeat("link:Patient[active eq true].",
                                              "name eq x", "", 3), &c),
                     HIE_OK);
    assert_int_equal(filter("Patient", repeat("link:Patient[active eq true].",
                                              "name eq x", "", 4), &c),
                     HIE_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_logic),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_terminology),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, search_setup, search_teardown);
}
