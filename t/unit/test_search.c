/*
 * What a resource is found by against what a search asks for: both sides meet
 * in memory here, as they do in SQL.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <cmocka.h>

#include "search/search.h"

/* 2020-01-01T00:00:00Z */
#define NOW  INT64_C(1577836800000000)

static apr_pool_t    *pool;
static hie_search_t  *search;


static bool
has_key(const hie_search_values_t *x, uint64_t key)
{
    int  i;

    for (i = 0; i < x->n_tokens; i++) {
        if (x->tokens[i] == key) {
            return true;
        }
    }

    return false;
}


static bool
is_of(const hie_qualified_t *of, uint64_t qualifier, uint64_t scope)
{
    return of->qualifier == qualifier && (!of->scoped || of->scope == scope);
}


static bool
text_meets(const hie_text_value_t *v, hie_str_t s)
{
    switch (v->match) {
    case HIE_TEXT_PREFIX:
        return s.len >= v->value.len
               && memcmp(s.ptr, v->value.ptr, v->value.len) == 0;

    case HIE_TEXT_CONTAINS:
        return memmem(s.ptr, s.len, v->value.ptr, v->value.len) != NULL;

    case HIE_TEXT_BELOW:
        return s.len >= v->value.len
               && memcmp(s.ptr, v->value.ptr, v->value.len) == 0
               && (s.len == v->value.len || s.ptr[v->value.len] == '/');

    case HIE_TEXT_ABOVE:
        return s.len <= v->value.len
               && memcmp(s.ptr, v->value.ptr, s.len) == 0
               && (s.len == v->value.len || v->value.ptr[s.len] == '/');

    default:
        return hie_str_eq(s, v->value);
    }
}


static bool
date_meets(const hie_date_value_t *v, int64_t low, int64_t high)
{
    bool  eq = v->a <= low && high <= v->b;

    switch (v->op) {
    case HIE_RANGE_EQ:
        return eq != v->negate;

    case HIE_RANGE_GT:
        return high > v->b;

    case HIE_RANGE_LT:
        return low < v->a;

    case HIE_RANGE_GE:
        return high > v->b || eq;

    case HIE_RANGE_LE:
        return low < v->a || eq;

    case HIE_RANGE_SA:
        return low >= v->b;

    case HIE_RANGE_EB:
        return high <= v->a;

    case HIE_RANGE_AP:
        return low < v->b && high > v->a;
    }

    return false;
}


static bool
number_meets(const hie_number_value_t *v, const hie_decimal_t *low,
             const hie_decimal_t *high)
{
    int   la = hie_decimal_compare(low, &v->a);
    int   lb = hie_decimal_compare(low, &v->b);
    int   ha = hie_decimal_compare(high, &v->a);
    int   hb = hie_decimal_compare(high, &v->b);
    bool  eq = la >= 0 && hb < 0;

    switch (v->op) {
    case HIE_RANGE_EQ:
        return eq != v->negate;

    case HIE_RANGE_GT:
        return hb > 0;

    case HIE_RANGE_LT:
        return la < 0;

    case HIE_RANGE_GE:
        return hb >= 0;

    case HIE_RANGE_LE:
        return la <= 0;

    case HIE_RANGE_SA:
        return lb > 0;

    case HIE_RANGE_EB:
        return ha < 0;

    case HIE_RANGE_AP:
        return lb <= 0 && ha >= 0;
    }

    return false;
}


static bool
any_text(const hie_criterion_t *c, const hie_search_values_t *x, int k)
{
    int  i;

    for (i = 0; i < x->n_strings; i++) {
        if (x->strings[i].param == c->param
            && is_of(&c->texts[k].of, x->strings[i].qualifier,
                     x->strings[i].scope)
            && text_meets(&c->texts[k], x->strings[i].value))
        {
            return true;
        }
    }

    return false;
}


static bool
any_date(const hie_criterion_t *c, const hie_search_values_t *x, int k)
{
    int  i;

    for (i = 0; i < x->n_dates; i++) {
        if (x->dates[i].param == c->param
            && is_of(&c->dates[k].of, x->dates[i].qualifier,
                     x->dates[i].scope)
            && date_meets(&c->dates[k], x->dates[i].low, x->dates[i].high))
        {
            return true;
        }
    }

    return false;
}


static bool
any_number(const hie_criterion_t *c, const hie_search_values_t *x, int k)
{
    int                        i;
    const hie_search_number_t  *n;
    const hie_number_value_t  *v = &c->numbers[k];

    for (i = 0; i < x->n_numbers; i++) {
        n = &x->numbers[i];
        if (n->param != c->param || !is_of(&v->of, n->qualifier, n->scope)) {
            continue;
        }

        if (v->end != NULL) {
            if (number_meets(v, &n->low, &n->low)
                && number_meets(v->end, &n->high, &n->high))
            {
                return true;
            }

        } else if (v->unit != 0 ? v->unit == n->unit
                                  && number_meets(v, &n->unit_low,
                                                  &n->unit_high)
                                : (v->code == 0 || v->code == n->code)
                                  && (v->system == 0
                                      || v->system == n->system)
                                  && number_meets(v, &n->low, &n->high))
        {
            return true;
        }
    }

    return false;
}


static bool
meets(const hie_criterion_t *c, const hie_search_values_t *x)
{
    int   k;
    bool  any;

    for (k = 0, any = false; k < c->n && !any; k++) {
        switch (c->kind) {
        case HIE_CRITERION_TOKENS:
            any = has_key(x, c->keys[k]);
            break;

        case HIE_CRITERION_STRINGS:
            any = any_text(c, x, k);
            break;

        case HIE_CRITERION_DATES:
            any = any_date(c, x, k);
            break;

        case HIE_CRITERION_NUMBERS:
            any = any_number(c, x, k);
            break;

        default:
            fail_msg("a criterion of kind %d", c->kind);
        }
    }

    return any != c->negate;
}


static hie_rc_t
ask(const char *type, const char *query, hie_criterion_t *c,
    hie_error_t *err)
{
    hie_str_t           name, value;
    hie_search_rules_t  rules = { HIE_STR("http://our.example/fhir"), NOW, 3,
                                  300 };

    name = hie_str_split(hie_str(query), '=', &value);
    return hie_search_criterion(search, hie_type_find(hie_str(type)), name,
                                value, &rules, pool, c, err);
}


static void
expect(const char *json, const char *query, bool wanted)
{
    hie_str_t        type;
    hie_doc_t       *d;
    hie_error_t      err;
    hie_search_values_t      x;
    hie_criterion_t  c;

    assert_int_equal(hie_doc_parse(pool, hie_str(json), 100, &d, &err),
                     HIE_OK);
    type = hie_doc_get(d, 0, "resourceType", pool);
    assert_int_equal(hie_search_index(search, d, hie_type_find(type),
                                      HIE_STR("http://our.example/fhir"),
                                      pool, &x, &err), HIE_OK);
    if (ask(hie_str_z(pool, type), query, &c, &err) != HIE_OK) {
        fail_msg("%s: %s", query, err.detail);
    }

    if (meets(&c, &x) != wanted) {
        fail_msg("%s: %s", query, wanted ? "is not found" : "is found");
    }
}


static void
each(const char *json, const char *const *yes, const char *const *no)
{
    for ( ; *yes != NULL; yes++) {
        expect(json, *yes, true);
    }

    for ( ; *no != NULL; no++) {
        expect(json, *no, false);
    }
}

#define LIST(...)  ((const char *const []) { __VA_ARGS__, NULL })


static void
test_tokens(void **state)
{
    each("{\"resourceType\":\"Patient\",\"active\":true,\"gender\":\"male\","
         "\"identifier\":[{\"system\":\"urn:mrn\",\"value\":\"A1\",\"type\":"
         "{\"coding\":[{\"system\":\"http://v2\",\"code\":\"MR\"}],\"text\":"
         "\"Record n\xc3\xbcmber\"}},{\"value\":\"a,b|c\"}],"
         "\"telecom\":[{\"system\":\"phone\",\"value\":\"555\"},"
         "{\"system\":\"email\",\"value\":\"x@y.example\"}]}",
         LIST("identifier=A1", "identifier=urn:mrn|A1", "identifier=urn:mrn|",
              "identifier=x,A1", "identifier=a\\,b\\|c",
              "identifier=|a\\,b\\|c", "identifier:of-type=http://v2|MR|A1",
              "identifier:not=B", "identifier:text=record nu",
              "gender=male", "gender:not=female", "active=true",
              "phone=555", "email=x@y.example", "telecom=555",
              "identifier:missing=false", "deceased=false",
              "birthdate:missing=true"),
         LIST("identifier=a1", "identifier=A", "identifier=|A1",
              "identifier=urn:other|A1", "identifier:of-type=http://v2|MR|B",
              "identifier:not=A1", "gender=female", "phone=x@y.example",
              "identifier:missing=true", "gender:missing=true"));
}


static void
test_strings(void **state)
{
    each("{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"O'N\xc3\xa9"
         "il\",\"given\":[\"Anna  Maria\",\"J\xc3\xbcrgen\"],\"use\":"
         "\"official\"}],\"address\":[{\"city\":\"K\xc3\xb6ln\",\"line\":"
         "[\"Hauptstr. 1\"],\"use\":\"home\"}]}",
         LIST("family=o'ne", "family=O'N\xc3\x89IL", "given=anna m",
              "given=jurg", "name=jurgen", "name=o'neil",
              "family:exact=O'N\xc3\xa9il", "family:contains=NEI",
              "address=koln", "address=hauptstr", "address-city=K"),
         LIST("family=neil", "family:exact=O'Neil", "given=maria",
              "family:contains=xx", "name=official", "address=home"));
}


static void
test_dates(void **state)
{
    each("{\"resourceType\":\"Patient\",\"birthDate\":\"2000-02\"}",
         LIST("birthdate=2000", "birthdate=2000-02", "birthdate=ne2000-01",
              "birthdate=gt2000-02-10", "birthdate=lt2000-02-10",
              "birthdate=ge2000-02", "birthdate=le2000-02",
              "birthdate=sa2000-01", "birthdate=eb2000-03",
              "birthdate=ap2000", "birthdate=lt2001", "birthdate=1999,2000"),
         LIST("birthdate=2000-02-01", "birthdate=ne2000",
              "birthdate=gt2000-02", "birthdate=gt2000",
              "birthdate=lt2000-02", "birthdate=sa2000-02",
              "birthdate=eb2000-02", "birthdate=1999"));
    each("{\"resourceType\":\"Observation\",\"effectivePeriod\":{\"start\":"
         "\"2020-02-29T12:00:00+02:00\"},\"issued\":"
         "\"2020-02-29T10:00:00.5Z\"}",
         LIST("date=gt2030", "date=ge2020-02-29T10:00:00Z", "date=ap2020-03",
              "date:missing=false"),
         LIST("date=2020-02-29", "date=eb2021",
              "date=lt2020-02-29T10:00:00Z"));
    each("{\"resourceType\":\"Observation\",\"effectiveDateTime\":"
         "\"2020-02-29T12:00:00+02:00\"}",
         LIST("date=2020-02-29T10:00:00Z", "date=2020-02-29T10:00Z",
              "date=2020-02-29", "date=2020-02-29T10:00:00",
              "date=2020-02-29T05:00:00-05:00"),
         LIST("date=2020-02-29T12:00:00Z", "date=2020-03"));
}


static void
test_numbers(void **state)
{
    each("{\"resourceType\":\"RiskAssessment\",\"prediction\":["
         "{\"probabilityDecimal\":0.80}]}",
         LIST("probability=0.8", "probability=0.80", "probability=8e-1",
              "probability=gt0.79", "probability=lt0.81",
              "probability=ge0.8", "probability=le0.8", "probability=ap0.85",
              "probability=ne0.7"),
         LIST("probability=0.79", "probability=0.81", "probability=gt0.8",
              "probability=lt0.8", "probability=ne0.8",
              "probability=sa0.8"));
    each("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":5.40,"
         "\"unit\":\"milligrams\",\"system\":\"http://unitsofmeasure.org\","
         "\"code\":\"mg\"}}",
         LIST("value-quantity=5.4", "value-quantity=5.4||mg",
              "value-quantity=5.4||milligrams",
              "value-quantity=5.4|http://unitsofmeasure.org|mg",
              "value-quantity=0.0054|http://unitsofmeasure.org|g",
              "value-quantity=gt5|http://unitsofmeasure.org|mg",
              "value-quantity=lt6000|http://unitsofmeasure.org|ug",
              "value-quantity=5", "combo-value-quantity=5.40"),
         LIST("value-quantity=5.5", "value-quantity=5.4||g",
              "value-quantity=5.4|http://other|mg",
              "value-quantity=0.0055|http://unitsofmeasure.org|g",
              "value-quantity=gt5.4|http://unitsofmeasure.org|mg"));
    each("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":2,"
         "\"comparator\":\"<\",\"code\":\"mg\"}}",
         LIST("value-quantity=lt3"), LIST("value-quantity=gt3"));
}


static void
test_references(void **state)
{
    each("{\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
         "\"http://our.example/fhir/Patient/1/_history/2\"},\"encounter\":"
         "{\"reference\":\"http://else.example/Encounter/7\"},\"performer\":"
         "[{\"identifier\":{\"system\":\"urn:npi\",\"value\":\"9\"}}],"
         "\"specimen\":{\"reference\":\"#s\"}}",
         LIST("subject=1", "subject=Patient/1", "subject:Patient=1",
              "patient=1", "patient=Patient/1",
              "subject=http://our.example/fhir/Patient/1",
              "subject=Patient/1/_history/9",
              "encounter=http://else.example/Encounter/7",
              "performer:identifier=urn:npi|9", "performer:identifier=9",
              "subject=2,Patient/1"),
         LIST("subject=Group/1", "subject:Group=1", "patient=2",
              "encounter=7", "encounter=Encounter/7",
              "performer:identifier=8", "specimen=s"));
    each("{\"resourceType\":\"Measure\",\"url\":\"http://a.example/m/x\","
         "\"library\":[\"http://a.example/l|2\"]}",
         LIST("url=http://a.example/m/x", "url:below=http://a.example/m",
              "url:above=http://a.example/m/x/y",
              "depends-on=http://a.example/l",
              "depends-on=http://a.example/l|2"),
         LIST("url=http://a.example/m", "url:below=http://a.example/mm",
              "url:above=http://a.example/m",
              "depends-on=http://a.example/l|1"));
}


static void
test_composites(void **state)
{
    each("{\"resourceType\":\"Observation\",\"code\":{\"coding\":["
         "{\"system\":\"http://loinc.org\",\"code\":\"85354-9\"}]},"
         "\"component\":[{\"code\":{\"coding\":[{\"system\":"
         "\"http://loinc.org\",\"code\":\"8480-6\"}]},\"valueQuantity\":"
         "{\"value\":107,\"code\":\"mm[Hg]\",\"system\":"
         "\"http://unitsofmeasure.org\"}},{\"code\":{\"coding\":[{\"system\":"
         "\"http://loinc.org\",\"code\":\"8462-4\"}]},\"valueQuantity\":"
         "{\"value\":60,\"code\":\"mm[Hg]\",\"system\":"
         "\"http://unitsofmeasure.org\"}}]}",
         LIST("component-code-value-quantity=8480-6$107",
              "component-code-value-quantity=http://loinc.org|8480-6$gt100",
              "component-code-value-quantity="
              "8480-6$lt15|http://unitsofmeasure.org|kPa",
              "combo-code-value-quantity=8462-4$60"),
         LIST("component-code-value-quantity=8480-6$60",
              "component-code-value-quantity=8462-4$107",
              "component-code-value-quantity=http://x|8480-6$107",
              "component-code-value-quantity=|8480-6$107",
              "code-value-quantity=8480-6$107"));
    each("{\"resourceType\":\"Group\",\"characteristic\":[{\"code\":"
         "{\"coding\":[{\"system\":\"s\",\"code\":\"sex\"}]},"
         "\"valueCodeableConcept\":{\"coding\":[{\"code\":\"m\"}]}},"
         "{\"code\":{\"coding\":[{\"code\":\"age\"}]},\"valueCodeableConcept\""
         ":{\"coding\":[{\"code\":\"old\"}]}}]}",
         LIST("characteristic-value=sex$m", "characteristic-value=s|sex$|m",
              "characteristic-value=x$y,age$old"),
         LIST("characteristic-value=sex$old", "characteristic-value=age$m"));
}


static void
test_chains(void **state)
{
    hie_error_t      err;
    hie_criterion_t  c;

    assert_int_equal(ask("Observation", "subject:Patient.name=x", &c, &err),
                     HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_CHAIN);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Patient);
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_STRINGS);

    /* Patient, Group, Device and Location: two of them have a name */
    assert_int_equal(ask("Observation", "subject.name:exact=x", &c, &err),
                     HIE_OK);
    assert_true(c.n >= 1 && c.n < 4);

    assert_int_equal(ask("Patient", "_has:Observation:patient:"
                         "_has:Provenance:target:agent=x", &c, &err),
                     HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_HAS);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Observation);
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_HAS);

    assert_int_equal(ask("Observation", "patient.organization.name=x", &c,
                         &err), HIE_OK);
}


static void
test_errors(void **state)
{
    int              i;
    hie_error_t      err;
    hie_criterion_t  c;
    static const struct {
        const char  *type;
        const char  *query;
        hie_rc_t     rc;
    } cases[] = {
        { "Patient", "nam=x", HIE_NOT_FOUND },
        { "Patient", "code=x", HIE_NOT_FOUND },
        { "Patient", "name:exac=x", HIE_INVALID },
        { "Patient", "birthdate=2000-13", HIE_INVALID },
        { "Patient", "birthdate=2001-02-29", HIE_INVALID },
        { "Patient", "birthdate=xx2001", HIE_INVALID },
        { "Patient", "birthdate=", HIE_INVALID },
        { "Patient", "birthdate=2000,", HIE_INVALID },
        { "Patient", "name:missing=maybe", HIE_INVALID },
        { "Patient", "identifier=|", HIE_INVALID },
        { "Patient", "identifier:of-type=a|b", HIE_INVALID },
        { "Patient", "_id=a b", HIE_INVALID },
        { "Patient", "name.family=x", HIE_INVALID },
        { "Patient", "_has:Observation:code:code=x", HIE_INVALID },
        { "Patient", "_has:Observation:patient=x", HIE_INVALID },
        { "Patient", "_has:Nothing:patient:code=x", HIE_INVALID },
        { "Observation", "value-quantity=abc", HIE_INVALID },
        { "Observation", "value-quantity=1|s|", HIE_INVALID },
        { "Observation", "code-value-quantity=8480-6", HIE_INVALID },
        { "Observation", "code-value-quantity=a$1$2", HIE_INVALID },
        { "Observation", "subject:Encounter=1", HIE_INVALID },
        { "Observation", "patient:Patient=Group/1", HIE_INVALID },
        { "Observation", "patient.general-practitioner.organization."
          "partof.partof.name=x", HIE_INVALID },
        { "RiskAssessment", "probability=1|s|c", HIE_INVALID },
    };

    for (i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++) {
        if (ask(cases[i].type, cases[i].query, &c, &err) != cases[i].rc) {
            fail_msg("%s?%s", cases[i].type, cases[i].query);
        }

        assert_true(err.detail[0] != '\0');
    }
}


/* Every key is its own: two parameters of R4 never share one. */
static int
compare_u32(const void *va, const void *vb)
{
    uint32_t  a = *(const uint32_t *) va, b = *(const uint32_t *) vb;

    return (a > b) - (a < b);
}


static void
test_keys(void **state)
{
    size_t                     i, k, n, m;
    uint32_t                  *keys;
    hie_type_t                 t, b;
    const hie_search_param_t  *rows;

    keys = apr_palloc(pool, sizeof(*keys) * 20000);
    for (t = 1, m = 0; t < hie_n_types; t++) {
        if (hie_types[t].kind != HIE_KIND_RESOURCE || hie_types[t].abstract) {
            continue;
        }

        for (b = t; b != HIE_TYPE_NONE; b = hie_types[b].base) {
            rows = hie_search_params_of(b, &n);
            for (k = 0; k < n; k++) {
                assert_non_null(hie_search_param(search, t,
                                                 hie_str(rows[k].code)));
                keys[m++] = hie_search_param(search, t,
                                             hie_str(rows[k].code))->key;
                keys[m++] = hie_search_param(search, t,
                                             hie_str(rows[k].code))->text_key;
            }
        }
    }

    assert_true(m > 4000);
    qsort(keys, m, sizeof(*keys), compare_u32);
    for (i = 1; i < m; i++) {
        assert_int_not_equal(keys[i - 1], keys[i]);
    }
}


static int
setup(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    search = hie_search_create(pool, NULL);
    return 0;
}


static int
teardown(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_composites),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
