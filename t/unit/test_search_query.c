/*
 * What belongs to a search beside its criteria: order, inclusion, compartments;
 * and criteria that values do not decide.
 */

#include <string.h>

#include "search_tool.h"

static hie_error_t  err;

#define KEY(type, code)  hie_search_param_key(type, code)

/* The types of a search: names with spaces between. */
static int
types_of(const char *names, hie_type_t *out)
{
    int        n;
    hie_str_t  rest, name;

    for (n = 0, rest = hie_str(names); rest.ptr != NULL; n++) {
        name = hie_str_split(rest, ' ', &rest);
        out[n] = hie_type_find(name);
        assert_int_not_equal(out[n], HIE_TYPE_NONE);
    }

    return n;
}


/*
 * _sort.
 */

static hie_rc_t
sort(const char *names, const char *value, hie_sort_t *out, int *n)
{
    hie_type_t  types[8];

    memset(&err, 0, sizeof(err));
    return hie_search_sort(search, types, types_of(names, types),
                           hie_str(value), pool, out, n, &err);
}


static void
sorts_by(const char *names, const char *value, hie_sort_kind_t kind,
         uint32_t param)
{
    int         n;
    hie_sort_t  s[HIE_SORTS_MAX];

    if (sort(names, value, s, &n) != HIE_OK) {
        fail_msg("_sort=%s: %s", value, err.detail);
    }

    assert_int_equal(n, 1);
    assert_int_equal(s[0].kind, kind);
    assert_int_equal(s[0].descending, value[0] == '-');
    assert_int_equal(s[0].params[0], param);
    assert_int_equal(s[0].n_through, 0);
    assert_true(hie_str_eqz(s[0].source, value));
}


static void
test_sort_kinds(void **state)
{
    sorts_by("Patient", "_id", HIE_SORT_ID, KEY("Patient", "_id"));
    sorts_by("Patient", "-_lastUpdated", HIE_SORT_UPDATED,
             KEY("Patient", "_lastUpdated"));
    sorts_by("Patient", "family", HIE_SORT_STRING, KEY("Patient", "family"));
    sorts_by("Patient", "-birthdate", HIE_SORT_DATE,
             KEY("Patient", "birthdate"));
    sorts_by("Patient", "identifier", HIE_SORT_TERM,
             KEY("Patient", "identifier"));
    sorts_by("Measure", "url", HIE_SORT_TERM, KEY("Measure", "url"));
    sorts_by("Observation", "value-quantity", HIE_SORT_NUMBER,
             KEY("Observation", "value-quantity"));
    sorts_by("RiskAssessment", "probability", HIE_SORT_NUMBER,
             KEY("RiskAssessment", "probability"));
    sorts_by("Observation", "-subject", HIE_SORT_TARGET,
             KEY("Observation", "subject"));
    sorts_by("QuestionnaireResponse", "questionnaire", HIE_SORT_TERM,
             KEY("QuestionnaireResponse", "questionnaire"));
}


static void
test_sort_lists(void **state)
{
    int         n;
    hie_sort_t  s[HIE_SORTS_MAX];

    assert_int_equal(sort("Observation", "status,-date,_id,code", s, &n),
                     HIE_OK);
    assert_int_equal(n, 4);
    assert_int_equal(s[1].kind, HIE_SORT_DATE);
    assert_true(s[1].descending && !s[2].descending);

    /* of two types; one has it not */
    assert_int_equal(sort("Observation Condition", "code", s, &n), HIE_OK);
    assert_int_equal(s[0].n, 2);
    assert_int_equal(s[0].params[1], KEY("Condition", "code"));
    assert_int_equal(sort("Patient Observation", "code", s, &n), HIE_OK);
    assert_int_equal(s[0].n, 1);

    assert_int_equal(sort("Observation", "subject:Patient.family", s, &n),
                     HIE_OK);
    assert_int_equal(s[0].kind, HIE_SORT_STRING);
    assert_int_equal(s[0].n, 1);
    assert_int_equal(s[0].params[0], KEY("Patient", "family"));
    assert_int_equal(s[0].n_through, 1);
    assert_int_equal(s[0].through[0], KEY("Observation", "subject"));

    assert_int_equal(sort("Observation Condition", "-patient.birthdate", s,
                          &n), HIE_OK);
    assert_int_equal(s[0].n, 1);
    assert_int_equal(s[0].n_through, 2);
    assert_int_equal(s[0].of[0], HIE_TYPE_Patient);
    assert_true(s[0].descending);

    /* a parameter that is two */
    assert_int_equal(sort("Observation", "has-member:Observation.combo-code",
                          s, &n), HIE_OK);
    assert_int_equal(s[0].n, 2);
    assert_int_equal(s[0].params[1], KEY("Observation", "component-code"));
    assert_int_equal(s[0].of[0], HIE_TYPE_Observation);
    assert_int_equal(s[0].of[1], HIE_TYPE_Observation);
}


static void
test_sort_errors(void **state)
{
    size_t      i;
    int         n;
    hie_sort_t  s[HIE_SORTS_MAX];
    static const struct {
        const char  *types;
        const char  *value;
        hie_rc_t     rc;
        const char  *says;
    } cases[] = {
        { "Patient", "nothing", HIE_NOT_FOUND, "\"nothing\"" },
        { "Patient Group", "subject", HIE_NOT_FOUND, "subject" },
        { "Observation", "subject.nothing", HIE_NOT_FOUND, "nothing" },
        { "Patient", "", HIE_INVALID, "expected" },
        { "Patient", "-", HIE_INVALID, "expected" },
        { "Patient", "name,", HIE_INVALID, "expected" },
        { "Patient", "name,-name", HIE_INVALID, "twice" },
        { "Patient", "name:asc", HIE_INVALID, "modifiers" },
        { "Patient", "_text", HIE_INVALID, "no order" },
        { "Location", "near", HIE_INVALID, "no order" },
        { "Observation", "code-value-date", HIE_INVALID, "no order" },
        { "Account StructureDefinition", "type", HIE_OK, "" },
        { "GraphDefinition Slot", "start", HIE_INVALID, "another kind" },
        { "Patient", "family.name", HIE_INVALID, "no reference" },
        { "Observation", "patient.organization.name", HIE_INVALID, "one" },
        { "Observation", "subject:Nothing.name", HIE_INVALID, "no resource" },
        { "Observation", "subject.", HIE_INVALID, "one" },
        { "Patient", "name,given,family,gender,phone", HIE_INVALID,
          "at most 4" },
        { "QuestionnaireResponse", "questionnaire.title", HIE_INVALID,
          "no reference" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (sort(cases[i].types, cases[i].value, s, &n) != cases[i].rc
            || strstr(err.detail, cases[i].says) == NULL)
        {
            fail_msg("%s?_sort=%s: %s", cases[i].types, cases[i].value,
                     err.detail);
        }
    }
}


/*
 * _include.
 */

static hie_rc_t
include(const char *names, const char *value, hie_include_t *out)
{
    bool        reverse, iterate;
    hie_type_t  types[8];

    memset(&err, 0, sizeof(err));
    reverse = value[0] == '<';
    iterate = value[reverse] == '+';
    return hie_search_include(search, types, types_of(names, types), reverse,
                              iterate, hie_str(value + reverse + iterate),
                              pool, out, &err);
}


static void
test_include(void **state)
{
    hie_include_t  i;

    assert_int_equal(include("Observation", "Observation:subject", &i),
                     HIE_OK);
    assert_true(!i.reverse && !i.iterate && !i.all && !i.canonical);
    assert_int_equal(i.source, HIE_TYPE_Observation);
    assert_int_equal(i.param, KEY("Observation", "subject"));
    assert_int_equal(i.target, HIE_TYPE_NONE);

    assert_int_equal(include("Observation", "Observation:subject:Patient", &i),
                     HIE_OK);
    assert_int_equal(i.target, HIE_TYPE_Patient);

    assert_int_equal(include("Patient", "<Observation:patient", &i), HIE_OK);
    assert_true(i.reverse);
    assert_int_equal(include("Patient", "<Provenance:target:Patient", &i),
                     HIE_OK);
    assert_int_equal(i.target, HIE_TYPE_Patient);

    assert_int_equal(include("Patient", "*", &i), HIE_OK);
    assert_true(i.all && i.param == 0 && i.source == HIE_TYPE_NONE);
    assert_int_equal(include("Patient", "<Observation:*", &i), HIE_OK);
    assert_true(i.all && i.source == HIE_TYPE_Observation);

    assert_int_equal(include("Observation", "+Patient:organization", &i),
                     HIE_OK);
    assert_true(i.iterate);
    assert_int_equal(include("Observation", "<+Flag:encounter", &i), HIE_OK);
    assert_int_equal(include("MeasureReport", "MeasureReport:measure", &i),
                     HIE_OK);
    assert_true(i.canonical);
}


static void
test_include_urls(void **state)
{
    int                   n;
    hie_type_t            types[] = { HIE_TYPE_MeasureReport,
                                      HIE_TYPE_Patient };
    hie_include_t         i;
    const hie_include_t  *urls;

    assert_int_equal(include("MeasureReport Patient", "*", &i), HIE_OK);
    urls = hie_search_include_urls(search, types, 2, &i, pool, &n);
    assert_int_equal(n, 1);
    assert_true(urls->canonical && !urls->all && !urls->reverse);
    assert_int_equal(urls->source, HIE_TYPE_MeasureReport);
    assert_int_equal(urls->param, KEY("MeasureReport", "measure"));
    (void) hie_search_include_urls(search, types + 1, 1, &i, pool, &n);
    assert_int_equal(n, 0);

    assert_int_equal(include("Measure", "<MeasureReport:*", &i), HIE_OK);
    urls = hie_search_include_urls(search, types, 1, &i, pool, &n);
    assert_true(n == 1 && urls->reverse);
    assert_int_equal(include("Measure", "<MeasureReport:*:Measure", &i),
                     HIE_OK);
    (void) hie_search_include_urls(search, types, 1, &i, pool, &n);
    assert_int_equal(n, 1);
    i.target = HIE_TYPE_Patient;
    (void) hie_search_include_urls(search, types, 1, &i, pool, &n);
    assert_int_equal(n, 0);

    assert_int_equal(include("Measure", "<*", &i), HIE_OK);
    (void) hie_search_include_urls(search, types, 1, &i, pool, &n);
    assert_int_equal(n, 0);
}


static void
test_include_errors(void **state)
{
    size_t         k;
    hie_include_t  i;
    static const struct {
        const char  *types;
        const char  *value;
        hie_rc_t     rc;
        const char  *says;
    } cases[] = {
        { "Patient", "", HIE_INVALID, "expected [type]:[parameter]" },
        { "Patient", "Patient", HIE_INVALID, "expected [type]:[parameter]" },
        { "Patient", "Patient:", HIE_INVALID, "expected [type]" },
        { "Patient", ":link", HIE_INVALID, "expected [type]" },
        { "Patient", "Patient:link:", HIE_INVALID, "expected [type]" },
        { "Patient", "Nothing:link", HIE_INVALID, "\"Nothing\"" },
        { "Patient", "HumanName:link", HIE_INVALID, "\"HumanName\"" },
        { "Patient", "Patient:link:X", HIE_INVALID, "\"X\"" },
        { "Patient", "Patient:nothing", HIE_NOT_FOUND, "\"nothing\"" },
        { "Patient", "Patient:name", HIE_INVALID, "no reference" },
        { "Patient", "Patient:link:Device", HIE_INVALID, "not refer" },
        { "Patient", "Observation:subject", HIE_INVALID, "_include:iterate" },
        { "Patient", "Observation:*", HIE_INVALID, "_include:iterate" },
        { "Patient", "<Flag:encounter", HIE_INVALID, "refers to none" },
        { "Patient", "<Observation:subject:Group", HIE_INVALID, "Group" },
    };

    for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        if (include(cases[k].types, cases[k].value, &i) != cases[k].rc
            || strstr(err.detail, cases[k].says) == NULL)
        {
            fail_msg("%s: %s: %s", cases[k].types, cases[k].value, err.detail);
        }
    }
}


/*
 * Compartments.
 */

static bool
compartment(const char *of, const char *names, hie_criterion_t *c)
{
    hie_type_t  types[8];

    return hie_search_compartment(search, hie_type_find(hie_str(of)),
                                  HIE_STR("1"), types,
                                  types_of(names, types), pool, c);
}


static bool
is_in(const char *json, const char *id, const hie_criterion_t *c)
{
    bool                 known, meets;
    hie_search_values_t  x;
    hie_criteria_t       all = { 1, (hie_criterion_t *) c };
    hie_row_facts_t      row = { hie_str(id), 0 };

    values_of(json, &x);
    meets = hie_search_meets(&x, &row, &all, &known);
    assert_true(known);
    return meets;
}


static void
test_compartments(void **state)
{
    hie_criterion_t  c;

    assert_true(compartment("Patient", "Observation Condition", &c));
    assert_int_equal(c.kind, HIE_CRITERION_TOKENS);
    assert_true(is_in("{\"resourceType\":\"Observation\",\"subject\":"
                      "{\"reference\":\"Patient/1\"}}", "o", &c));
    assert_true(is_in("{\"resourceType\":\"Condition\",\"asserter\":"
                      "{\"reference\":\"Patient/1\"}}", "c", &c));
    assert_false(is_in("{\"resourceType\":\"Observation\",\"subject\":"
                       "{\"reference\":\"Patient/2\"}}", "o", &c));
    assert_false(is_in("{\"resourceType\":\"Observation\",\"subject\":"
                       "{\"reference\":\"Group/1\"}}", "o", &c));

    assert_true(compartment("Patient", "Patient", &c));
    assert_int_equal(c.kind, HIE_CRITERION_GROUP);
    assert_true(is_in("{\"resourceType\":\"Patient\"}", "1", &c));
    assert_true(is_in("{\"resourceType\":\"Patient\",\"link\":[{\"other\":"
                      "{\"reference\":\"Patient/1\"}}]}", "2", &c));
    assert_false(is_in("{\"resourceType\":\"Patient\"}", "2", &c));
    assert_true(compartment("Device", "Device", &c));
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Device);

    assert_false(compartment("Patient", "Organization Medication", &c));
    assert_true(compartment("Patient", "Organization Observation", &c));
    assert_false(compartment("Organization", "Organization", &c));
}


/*
 * From and until.
 */

/* How many criteria are left of a query; of one type. */
static int
joined(const char *type, const char *query, hie_criterion_t *c)
{
    hie_str_t       rest, one;
    hie_criteria_t  all = { 0, c };

    for (rest = hie_str(query); rest.ptr != NULL; all.n++) {
        one = hie_str_split(rest, '&', &rest);
        ask_well(type, hie_str_z(pool, one), &c[all.n]);
    }

    hie_search_join(&all, pool);
    return all.n;
}


static void
test_joined(void **state)
{
    hie_criterion_t  c[8];

    assert_int_equal(joined("Observation", "date=ge2020&code=a&date=lt2021",
                            c), 2);
    assert_true(hie_str_eqz(c[0].source, "date=ge2020&date=lt2021"));
    assert_true(c[0].dates[0].also != NULL);
    assert_int_equal(c[0].dates[0].op, HIE_RANGE_GE);
    assert_int_equal(c[0].dates[0].also->op, HIE_RANGE_LT);
    assert_int_equal(c[1].kind, HIE_CRITERION_TOKENS);
    assert_true(is_in("{\"resourceType\":\"Observation\","
                      "\"effectiveDateTime\":\"2020-05\"}", "o", c));
    assert_false(is_in("{\"resourceType\":\"Observation\","
                       "\"effectiveDateTime\":\"2019-12\"}", "o", c));
    assert_false(is_in("{\"resourceType\":\"Observation\","
                       "\"effectiveDateTime\":\"2021-01\"}", "o", c));

    assert_int_equal(joined("Patient", "birthdate=gt2000&birthdate=le2001",
                            c), 1);
    assert_int_equal(joined("Encounter", "date=sa2000&date=eb2001", c), 1);
    /* two types of one element */
    assert_int_equal(joined("Condition",
                            "onset-date=ge2000&onset-date=lt2001", c), 1);
    /* a window and a third one */
    assert_int_equal(joined("Observation",
                            "date=ge2000&date=lt2001&date=lt2002", c), 2);

    /* of one Goal there are many */
    assert_int_equal(joined("Goal", "target-date=ge2000&target-date=lt2001",
                            c), 2);
    assert_int_equal(joined("Observation", "date=ge2000,ge2010&date=lt2020",
                            c), 2);
    assert_int_equal(joined("Observation", "date=ne2000&date=lt2020", c), 2);
    assert_int_equal(joined("Condition",
                            "onset-date=ge2000&abatement-date=lt2001", c),
                     2);
    assert_int_equal(joined("Patient", "_lastUpdated=ge2000"
                            "&_lastUpdated=lt2001", c), 2);
}


/*
 * What values do not decide.
 */

/* Of two criteria: 1 met, 0 not, -1 not known. */
static int
met(const char *a, const char *b, bool negate)
{
    bool                 known, meets;
    hie_criterion_t      c[2];
    hie_criteria_t       all = { 2, c };
    hie_row_facts_t      row = { HIE_STR("l"), INT64_C(1577836800500000) };
    hie_search_values_t  x;

    values_of("{\"resourceType\":\"Location\",\"name\":\"A\",\"position\":"
              "{\"latitude\":52.52,\"longitude\":13.405}}", &x);
    ask_well("Location", a, &c[0]);
    ask_well("Location", b, &c[1]);
    c[1].negate = c[1].negate != negate;
    meets = hie_search_meets(&x, &row, &all, &known);
    assert_false(meets && !known);
    return known ? meets : -1;
}


static void
test_known(void **state)
{
    assert_int_equal(met("name=a", "_id=l", false), 1);
    assert_int_equal(met("name=a", "_id=x", false), 0);
    assert_int_equal(met("name=a", "organization.name=x", false), -1);
    assert_int_equal(met("name=b", "organization.name=x", false), 0);
    assert_int_equal(met("name=a", "organization.name=x", true), -1);
    assert_int_equal(met("name=a", "_text=x", false), -1);
    assert_int_equal(met("name=a", "type:in=http://v", false), -1);
    assert_int_equal(met("name=a", "_has:Encounter:location:_id=1", false),
                     -1);
    assert_int_equal(met("name=a", "_lastUpdated=2020-01-01", false), 1);
    assert_int_equal(met("name=a", "_lastUpdated=gt2020-01-01T00:00:00Z",
                         false), 0);
    assert_int_equal(met("name=a", "_lastUpdated=gt2019", false), 1);
    assert_int_equal(met("name=a", "_id:missing=true", false), 0);
    assert_int_equal(met("name=a", "_id:missing=false", false), 1);

    /* Potsdam is 26 kilometres away */
    assert_int_equal(met("name=a", "near=52.40|13.06|27|km", false), 1);
    assert_int_equal(met("name=a", "near=52.40|13.06|25|km", false), 0);
    assert_int_equal(met("name=a", "near=52.40|13.06|27000|m", false), 1);
    assert_int_equal(met("name=a", "near=52.40|13.06", false), 0);
}


/* One of two conjunctions: what is not known counts only where it decides. */
static void
test_groups(void **state)
{
    bool                 known;
    hie_criterion_t      c[3];
    hie_criteria_t       first = { 1, &c[1] }, second = { 1, &c[2] };
    hie_criteria_t       all = { 1, c };
    hie_chain_t          ways[2] = { { .criteria = &first },
                                     { .criteria = &second } };
    hie_row_facts_t      row = { HIE_STR("l"), 0 };
    hie_search_values_t  x;

    memset(c, 0, sizeof(c));
    c[0].kind = HIE_CRITERION_GROUP;
    c[0].n = 2;
    c[0].chains = ways;
    values_of("{\"resourceType\":\"Location\",\"name\":\"A\"}", &x);

    ask_well("Location", "name=b", &c[1]);
    ask_well("Location", "name=a", &c[2]);
    assert_true(hie_search_meets(&x, &row, &all, &known) && known);
    c[0].negate = true;
    assert_true(!hie_search_meets(&x, &row, &all, &known) && known);
    ask_well("Location", "_text=b", &c[1]);
    assert_true(!hie_search_meets(&x, &row, &all, &known) && known);
    c[0].negate = false;
    assert_true(hie_search_meets(&x, &row, &all, &known) && known);
    ask_well("Location", "name=b", &c[2]);
    assert_true(!hie_search_meets(&x, &row, &all, &known) && !known);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sort_kinds),
        cmocka_unit_test(test_sort_lists),
        cmocka_unit_test(test_sort_errors),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_include_urls),
        cmocka_unit_test(test_include_errors),
        cmocka_unit_test(test_compartments),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, search_setup, search_teardown);
}
