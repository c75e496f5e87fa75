/*
 * consent: what a Consent means.
 */

#include "consent_tool.h"

#include <string.h>

#include <apr_strings.h>


#define SYSTEM    "http://terminology.hl7.org/CodeSystem/"
#define HEAD                                                                  \
    "\"resourceType\":\"Consent\",\"status\":\"active\","                     \
    "\"patient\":{\"reference\":\"Patient/p\"}"
#define OPTIN                                                                 \
    "\"policyRule\":{\"coding\":[{\"system\":\"" SYSTEM "v3-ActCode\","       \
    "\"code\":\"OPTIN\"}]}"
#define OPTOUT                                                                \
    "\"policyRule\":{\"coding\":[{\"system\":\"" SYSTEM "v3-ActCode\","       \
    "\"code\":\"OPTOUT\"}]}"
#define ROLE(code)                                                            \
    "\"role\":{\"coding\":[{\"system\":\"" SYSTEM "v3-ParticipationType\","   \
    "\"code\":\"" code "\"}]}"
#define ORG(x)  "{\"reference\":{\"reference\":\"Organization/" x "\"}}"
#define ACTORS(list)  "\"actor\":[" list "]"
#define SCOPE(code)                                                           \
    "\"scope\":{\"coding\":[{\"system\":\"" SYSTEM "consentscope\","          \
    "\"code\":\"" code "\"}]}"


static hie_rc_t
rows_of(const char *json, hie_consent_row_t **rows, int *n, hie_error_t *err)
{
    hie_doc_t  *d;

    memset(err, 0, sizeof(*err));
    if (hie_doc_parse(pool, hie_str(json), 64, &d, err) != HIE_OK) {
        print_error("%s: %s\n", err->detail, json);
        fail();
    }
    return hie_consent_rows(d, HIE_STR(BASE), pool, rows, n, err);
}


static hie_consent_row_t *
one_row(const char *json)
{
    hie_consent_row_t  *rows;
    hie_error_t         err;
    int                 n;

    assert_int_equal(rows_of(json, &rows, &n, &err), HIE_OK);
    assert_int_equal(n, 1);
    assert_true(rows[0].patient == patient("p"));
    return rows;
}


static bool
contains(const uint64_t *keys, int n, const char *who)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (keys[i] == actor(who)) {
            return true;
        }
    }
    return false;
}


/* The database's rule, in the words of the store's contract. */
static bool
denies(const hie_consent_row_t *row, const char *who)
{
    return (!row->base_permit && !contains(row->permit, row->n_permit, who))
           || contains(row->deny, row->n_deny, who);
}


/* A letter each for Organization/a, Organization/b and somebody else: 'p' or
 * 'd'. */
static const char *
meaning(const char *json)
{
    hie_consent_row_t  *row = one_row(json);

    return apr_psprintf(pool, "%c%c%c",
                        denies(row, "Organization/a") ? 'd' : 'p',
                        denies(row, "Organization/b") ? 'd' : 'p',
                        denies(row, "Organization/z") ? 'd' : 'p');
}


/* What is said besides the patient, and what it means. */
static const char *const  meanings[][2] = {
    /* the base */
    { "", "ddd" },
    { "," OPTIN, "ppp" },
    { "," OPTOUT, "ddd" },
    { ",\"policyRule\":{\"text\":\"OPTIN\"}", "ddd" },
    { ",\"policyRule\":{\"coding\":[{\"code\":\"OPTIN\"}]}", "ddd" },
    { ",\"policy\":[{\"uri\":\"urn:x\"}]", "ddd" },
    { "," OPTIN ",\"provision\":{}", "ppp" },
    { ",\"provision\":{\"type\":\"permit\"}", "ppp" },
    { ",\"provision\":{\"type\":\"deny\"}", "ddd" },
    { ",\"provision\":{\"type\":\"maybe\"}", "ddd" },
    { ",\"provision\":{\"type\":1}", "ddd" },
    { "," OPTIN ",\"provision\":{\"type\":\"deny\"}", "ddd" },
    { "," OPTOUT ",\"provision\":{\"type\":\"permit\"}", "ddd" },
    { "," OPTIN ",\"provision\":[]", "ddd" },

    /* constraints of the root */
    { ",\"provision\":{\"type\":\"permit\"," ACTORS(ORG("a")) "}",
      "pdd" },
    { ",\"provision\":{\"type\":\"permit\"," ACTORS(ORG("a"))
      ",\"purpose\":[{\"code\":\"TREAT\"}]}", "ddd" },
    { ",\"provision\":{\"type\":\"permit\","
      "\"purpose\":[{\"code\":\"TREAT\"}]}", "ddd" },
    { ",\"provision\":{\"type\":\"deny\"," ACTORS(ORG("a")) "}", "ddd" },
    { "," OPTIN ",\"provision\":{" ACTORS(ORG("a")) "}", "ddd" },
    { "," OPTIN ",\"provision\":{\"class\":[{\"code\":\"x\"}]}", "ddd" },
    { ",\"provision\":{\"type\":\"permit\",\"id\":\"x\","
      "\"extension\":[{\"url\":\"urn:x\"}]}", "ppp" },
    { ",\"provision\":{\"type\":\"permit\","
      "\"modifierExtension\":[{\"url\":\"urn:x\"}]}", "ddd" },

    /* nested */
    { ",\"provision\":{\"type\":\"permit\",\"provision\":["
      "{\"type\":\"deny\"," ACTORS(ORG("a")) "}]}", "dpp" },
    { ",\"provision\":{\"type\":\"deny\",\"provision\":["
      "{\"type\":\"permit\"," ACTORS(ORG("a")) "}]}", "pdd" },
    { "," OPTIN ",\"provision\":{\"provision\":["
      "{\"type\":\"deny\"," ACTORS(ORG("a") "," ORG("b")) "}]}", "ddp" },
    { "," OPTOUT ",\"provision\":{\"provision\":["
      "{\"type\":\"permit\"," ACTORS(ORG("a")) "},"
      "{\"type\":\"permit\"," ACTORS(ORG("b")) "}]}", "ppd" },
    { "," OPTOUT ",\"provision\":{\"provision\":["
      "{\"type\":\"permit\"," ACTORS(ORG("a") "," ORG("b")) "},"
      "{\"type\":\"deny\"," ACTORS(ORG("b")) "}]}", "pdd" },
    { "," OPTIN ",\"provision\":{\"provision\":["
      "{\"type\":\"permit\"," ACTORS(ORG("a")) "}]}", "ppp" },
    /* nested without a type, an actor, or a known type */
    { "," OPTIN ",\"provision\":{\"provision\":["
      "{" ACTORS(ORG("a")) "}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\"}]}",
      "ddd" },
    { "," OPTOUT ",\"provision\":{\"provision\":[{\"type\":\"permit\"}]}",
      "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"Deny\","
      ACTORS(ORG("a")) "}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[7]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":{\"type\":\"deny\"}}",
      "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      "\"actor\":[]}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      "\"actor\":" ORG("a") "}]}", "ddd" },
    /* other constraints: a deny for everybody, a permit for nobody */
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      ACTORS(ORG("a")) ",\"class\":[{\"code\":\"x\"}]}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      "\"securityLabel\":[{\"code\":\"R\"}]}]}", "ddd" },
    { "," OPTOUT ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      ACTORS(ORG("a")) ",\"period\":{\"end\":\"2999\"}}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      ACTORS(ORG("a")) ",\"purpose\":[{\"code\":\"x\"}]}]}", "ppp" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      ACTORS(ORG("a")) ",\"unheardOf\":true}]}", "ddd" },
    /* deeper: a deny inside a dropped permit is not lost */
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      ACTORS(ORG("a")) ",\"provision\":[{\"type\":\"deny\","
      ACTORS(ORG("b")) "}]}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      "\"class\":[],\"provision\":[{\"type\":\"permit\",\"provision\":["
      "{\"type\":\"deny\"}]}]}]}", "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      ACTORS(ORG("a")) ",\"provision\":[{\"type\":\"permit\"}]}]}",
      "ppp" },
    { "," OPTOUT ",\"provision\":{\"provision\":[{\"type\":\"permit\","
      ACTORS(ORG("a")) ",\"provision\":[{\"type\":\"permit\"}]}]}",
      "ddd" },
    { "," OPTIN ",\"provision\":{\"provision\":[{\"type\":\"deny\","
      ACTORS(ORG("a")) ",\"provision\":[{\"type\":\"permit\"}]}]}",
      "ddd" },
    /* a nested permit under a root with conditions is conditional */
    { "," OPTOUT ",\"provision\":{\"class\":[{\"code\":\"x\"}],"
      "\"provision\":[{\"type\":\"permit\"," ACTORS(ORG("a")) "}]}",
      "ddd" },
    { ",\"provision\":{\"type\":\"permit\"," ACTORS(ORG("a") ","
      ORG("b")) ",\"provision\":[{\"type\":\"deny\"," ACTORS(ORG("b"))
      "},{\"type\":\"permit\"," ACTORS(ORG("z")) "}]}", "pdd" },

    /* what changes the whole */
    { "," OPTIN ",\"modifierExtension\":[{\"url\":\"urn:x\"}]", "ddd" },
    { "," OPTIN ",\"implicitRules\":\"urn:x\"", "ddd" },
    { "," OPTIN ",\"extension\":[{\"url\":\"urn:x\"}]", "ppp" },
    { "," OPTIN ",\"verification\":[{\"verified\":false}]", "ppp" },
    { "," OPTIN "," SCOPE("patient-privacy"), "ppp" },
    { "," OPTIN ",\"scope\":{\"coding\":[{\"code\":\"patient-privacy\"}"
      "]}", "ppp" },
    { "," OPTIN "," SCOPE("unheard-of"), "ddd" },
    { "," OPTIN ",\"scope\":{\"text\":\"privacy\"}", "ddd" },
    { "," OPTIN ",\"scope\":{\"coding\":[{\"system\":\"urn:x\","
      "\"code\":\"research\"}]}", "ddd" }
};


static void
test_meaning(void **state)
{
    const char  *got;
    size_t       i;

    for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        got = meaning(apr_pstrcat(pool, "{" HEAD, meanings[i][0], "}", NULL));
        if (strcmp(got, meanings[i][1]) != 0) {
            print_error("%s: %s, expected %s\n", meanings[i][0], got,
                        meanings[i][1]);
        }
        assert_string_equal(got, meanings[i][1]);
    }
}


/* The meaning of one actor under OPTIN (as a deny) and OPTOUT (as a permit):
 * resolved is "dpp" and "pdd", unresolved "ddd" both times. */
static void
assert_actor(const char *json, bool resolved)
{
    assert_string_equal(
        meaning(apr_pstrcat(pool, "{" HEAD "," OPTIN ",\"provision\":{"
                            "\"provision\":[{\"type\":\"deny\",\"actor\":[",
                            json, "]}]}}", NULL)),
        resolved ? "dpp" : "ddd");
    assert_string_equal(
        meaning(apr_pstrcat(pool, "{" HEAD "," OPTOUT ",\"provision\":{"
                            "\"provision\":[{\"type\":\"permit\",\"actor\":[",
                            json, "]}]}}", NULL)),
        resolved ? "pdd" : "ddd");
}


static void
test_actors(void **state)
{
    assert_actor(ORG("a"), true);
    assert_actor(ORG("a/_history/3"), true);
    assert_actor("{\"reference\":{\"reference\":\"" BASE
                 "/Organization/a\"}}", true);
    assert_actor("{\"reference\":{\"reference\":\"Organization\\/a\"}}",
                 true);
    assert_actor("{" ROLE("IRCP") ",\"reference\":{\"reference\":"
                 "\"Organization/a\"}}", true);
    assert_actor("{" ROLE("PRCP") ",\"reference\":{\"reference\":"
                 "\"Organization/a\",\"type\":\"Organization\"}}", true);

    assert_actor("{" ROLE("CST") ",\"reference\":{\"reference\":"
                 "\"Organization/a\"}}", false);
    assert_actor("{" ROLE("AUT") ",\"reference\":{\"reference\":"
                 "\"Organization/a\"}}", false);
    assert_actor("{\"role\":{\"text\":\"anyone\"},\"reference\":"
                 "{\"reference\":\"Organization/a\"}}", false);
    assert_actor("{\"role\":{\"coding\":[{\"code\":\"IRCP\"}]},"
                 "\"reference\":{\"reference\":\"Organization/a\"}}", false);
    assert_actor("{\"modifierExtension\":[{\"url\":\"x\"}],\"reference\":"
                 "{\"reference\":\"Organization/a\"}}", false);
    assert_actor("{\"reference\":{\"reference\":"
                 "\"https://other.example/fhir/Organization/a\"}}", false);
    assert_actor("{\"reference\":{\"reference\":\"#a\"}}", false);
    assert_actor("{\"reference\":{\"reference\":\"urn:uuid:"
                 "c757873d-ec9a-4326-a141-556f43239520\"}}", false);
    assert_actor("{\"reference\":{\"display\":\"Organization/a\"}}", false);
    assert_actor("{\"reference\":{\"reference\":\"Practitioner/a\"}}",
                 false);
    assert_actor("{\"reference\":{\"reference\":\"Group/a\"}}", false);
    assert_actor("{\"reference\":{\"type\":\"Practitioner\",\"identifier\":"
                 "{\"value\":\"Organization/a\"}}}", false);
    assert_actor("{\"reference\":{\"identifier\":{\"system\":\"u\"}}}",
                 false);
    assert_actor("{\"reference\":\"Organization/a\"}", false);
    assert_actor("{}", false);
    assert_actor("null", false);
}


static void
test_mixed_actors(void **state)
{
    static const char  nurse[] = "{\"reference\":{\"reference\":"
                                 "\"Practitioner/n\"}}";

    /* repetitions are OR: the resolved ones are permitted, but a deny of an
     * unknown one is one of everybody */
    assert_string_equal(
        meaning(apr_pstrcat(pool, "{" HEAD "," OPTOUT ",\"provision\":{"
                            "\"provision\":[{\"type\":\"permit\",\"actor\":[",
                            nurse, "," ORG("a") "]}]}}", NULL)), "pdd");
    assert_string_equal(
        meaning(apr_pstrcat(pool, "{" HEAD "," OPTIN ",\"provision\":{"
                            "\"provision\":[{\"type\":\"deny\",\"actor\":[",
                            ORG("a") ",", nurse, "]}]}}", NULL)), "ddd");
    assert_string_equal(
        meaning(apr_pstrcat(pool, "{" HEAD ",\"provision\":{"
                            "\"type\":\"permit\",\"actor\":[",
                            ORG("a") ",", nurse, "]}}", NULL)), "pdd");
}


static void
test_identifiers(void **state)
{
    hie_consent_row_t  *row;

    row = one_row("{" HEAD "," OPTOUT ",\"provision\":{\"provision\":[{"
                  "\"type\":\"permit\",\"actor\":[{\"reference\":{"
                  "\"type\":\"Organization\",\"identifier\":{\"system\":"
                  "\"urn:oid:1.2\",\"value\":\"77\"}}},{\"reference\":{"
                  "\"reference\":\"Organization/x\",\"identifier\":{"
                  "\"value\":\"88\"}}}]}]}}");
    assert_int_equal(row->n_permit, 4);
    assert_false(denies(row, "urn:oid:1.2|77"));
    assert_false(denies(row, "77"));
    assert_false(denies(row, "Organization/x"));
    assert_false(denies(row, "88"));
    assert_true(denies(row, "urn:oid:1.3|77"));
    assert_true(denies(row, "urn:oid:1.2"));
    assert_true(denies(row, "|77"));
    assert_true(denies(row, ""));
}


static void
test_no_rows(void **state)
{
    static const char *const  none[] = {
        "{\"resourceType\":\"Consent\",\"status\":\"active\"," OPTIN "}",
        "{\"resourceType\":\"Consent\",\"status\":\"draft\","
            "\"patient\":{\"reference\":\"Patient/p\"}}",
        "{\"resourceType\":\"Consent\",\"status\":\"proposed\"}",
        "{\"resourceType\":\"Consent\",\"status\":\"rejected\"}",
        "{\"resourceType\":\"Consent\",\"status\":\"inactive\","
            "\"patient\":{\"display\":\"x\"}}",
        "{\"resourceType\":\"Consent\",\"status\":\"entered-in-error\"}",
        "{" HEAD "," SCOPE("research") "}",
        "{" HEAD "," SCOPE("treatment") "}",
        "{" HEAD "," SCOPE("adr") "}"
    };
    hie_consent_row_t  *rows;
    hie_error_t         err;
    size_t              i;
    int                 n;

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        n = 7;
        assert_int_equal(rows_of(none[i], &rows, &n, &err), HIE_OK);
        assert_int_equal(n, 0);
    }
}


static void
refuse_rows(const char *json, hie_rc_t rc, const char *where)
{
    hie_consent_row_t  *rows;
    hie_error_t         err;
    int                 n = 7;

    assert_int_equal(rows_of(json, &rows, &n, &err), rc);
    assert_int_equal(n, 0);
    assert_null(rows);
    assert_string_equal(err.where, where);
}


static void
test_refused_rows(void **state)
{
    static const char *const  patients[] = {
        "{\"identifier\":{\"value\":\"1\"}}", "{\"display\":\"x\"}", "{}",
        "null", "\"Patient/p\"", "{\"reference\":\"#p\"}",
        "{\"reference\":\"https://other.example/fhir/Patient/p\"}",
        "{\"reference\":\"Patient?identifier=1\"}",
        "{\"reference\":\"Practitioner/p\"}", "{\"reference\":\"Patient/\"}",
        "{\"reference\":\"urn:uuid:c757873d-ec9a-4326-a141-556f43239520\"}"
    };
    size_t  i;

    for (i = 0; i < sizeof(patients) / sizeof(patients[0]); i++) {
        refuse_rows(apr_pstrcat(pool, "{\"resourceType\":\"Consent\","
                                "\"status\":\"active\",\"patient\":",
                                patients[i], "}", NULL),
                    HIE_UNPROCESSABLE, "Consent.patient");
    }
    refuse_rows("{\"resourceType\":\"Consent\"}", HIE_UNPROCESSABLE,
                "Consent.status");
    refuse_rows("{\"resourceType\":\"Consent\",\"status\":\"Active\"}",
                HIE_UNPROCESSABLE, "Consent.status");
    refuse_rows("{\"resourceType\":\"Patient\",\"status\":\"active\"}",
                HIE_INVALID, "resourceType");
    refuse_rows("[]", HIE_INVALID, "resourceType");

    assert_string_equal(meaning("{\"resourceType\":\"Consent\","
                                "\"status\":\"active\",\"patient\":{"
                                "\"reference\":\"" BASE "/Patient/p\"},"
                                OPTIN "}"), "ppp");
    assert_string_equal(meaning("{\"resourceType\":\"Consent\","
                                "\"status\":\"active\",\"patient\":{"
                                "\"reference\":\"Patient/p/_history/1\"},"
                                OPTIN "}"), "ppp");
}


#define S(n)  apr_time_from_sec(INT64_C(n))

static void
test_periods(void **state)
{
    static const struct {
        const char  *period;
        apr_time_t   from, until;
        bool         bad;
    } table[] = {
        { "{}", 0, 0, false },
        { "{\"start\":\"2020\"}", S(1577836800), 0, false },
        { "{\"end\":\"2020\"}", 0, S(1609459200), false },
        { "{\"start\":\"2020-02\",\"end\":\"2020-02\"}", S(1580515200),
          S(1583020800), false },
        { "{\"start\":\"2020-02-29\",\"end\":\"2020-12-31\"}",
          S(1582934400), S(1609459200), false },
        { "{\"start\":\"2020-02-29T12:00:00Z\"}", S(1582977600), 0, false },
        { "{\"start\":\"2020-02-29T12:00:00+02:00\"}", S(1582970400), 0,
          false },
        { "{\"start\":\"2020-02-29T12:00:00-02:30\"}", S(1582986600), 0,
          false },
        { "{\"start\":\"2020-02-29T12:00:00.5Z\"}",
          S(1582977600) + 500000, 0, false },
        { "{\"end\":\"2020-02-29T12:00:00Z\"}", 0, S(1582977601), false },
        { "{\"end\":\"2020-02-29T12:00:00.123456789Z\"}", 0,
          S(1582977600) + 123457, false },
        { "{\"start\":\"1950\"}", 0, 0, false },
        { "{\"end\":\"1950\"}", 0, 1, false },
        { "{\"end\":\"9999\"}", 0, S(253402300800), false },
        { "{\"start\":\"2000-03-01\"}", S(951868800), 0, false },

        { "{\"start\":\"\"}", 0, 0, true },
        { "{\"start\":2020}", 0, 0, true },
        { "{\"start\":\"20\"}", 0, 0, true },
        { "{\"start\":\"0000\"}", 0, 0, true },
        { "{\"start\":\"2020-13\"}", 0, 0, true },
        { "{\"start\":\"2020-00\"}", 0, 0, true },
        { "{\"start\":\"2021-02-29\"}", 0, 0, true },
        { "{\"start\":\"1900-02-29\"}", 0, 0, true },
        { "{\"start\":\"2020-04-31\"}", 0, 0, true },
        { "{\"start\":\"2020-04-00\"}", 0, 0, true },
        { "{\"start\":\"2020-04-1\"}", 0, 0, true },
        { "{\"start\":\"2020T12:00:00Z\"}", 0, 0, true },
        { "{\"start\":\"2020-02T12:00:00Z\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T12:00Z\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T12:00:00\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T24:00:00Z\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T12:00:00.Z\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T12:00:00+15:00\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29T12:00:00Zx\"}", 0, 0, true },
        { "{\"start\":\"2020-02-29 \"}", 0, 0, true },
        { "{\"end\":\"soon\"}", 0, 0, true },
        { "{\"start\":\"2021\",\"end\":\"2020\"}", 0, 0, true },
        { "[]", 0, 0, true },
        { "\"2020\"", 0, 0, true }
    };
    hie_consent_row_t  *row;
    size_t              i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        row = one_row(apr_pstrcat(pool, "{" HEAD ",\"provision\":{"
                                  "\"type\":\"permit\",\"period\":",
                                  table[i].period, "}}", NULL));
        if (row->from != table[i].from || row->until != table[i].until
            || row->base_permit == table[i].bad)
        {
            print_error("%s\n", table[i].period);
        }
        assert_true(row->from == table[i].from);
        assert_true(row->until == table[i].until);
        /* what is not understood denies, and does so always */
        assert_true(row->base_permit == !table[i].bad);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_actors),
        cmocka_unit_test(test_mixed_actors),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_refused_rows),
        cmocka_unit_test(test_periods)
    };

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
