/*
 * consent: what a Consent means, what may be asked of a protected server, and
 * what may leave of its answers.
 */

#include "consent/consent.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <cmocka.h>


#define BASE  "https://hie.example.org/fhir"

static apr_pool_t  *pool;


static uint64_t
actor(const char *z)
{
    return hie_store_actor_key(hie_str(z));
}


static uint64_t
patient(const char *id)
{
    return hie_fhir_patient_key(hie_str(id));
}


/*
 * Rows.
 */
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


static void
test_meaning(void **state)
{
    static const char *const  table[][2] = {
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
    const char  *got;
    size_t       i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        got = meaning(apr_pstrcat(pool, "{" HEAD, table[i][0], "}", NULL));
        if (strcmp(got, table[i][1]) != 0) {
            print_error("%s: %s, expected %s\n", table[i][0], got,
                        table[i][1]);
        }
        assert_string_equal(got, table[i][1]);
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


/*
 * Decisions.
 */
static void
test_decide(void **state)
{
    hie_config_t     conf = { 0 };
    hie_str_t        orgs[] = { HIE_STR("Organization/a"), HIE_STR("u|v") };
    hie_decision_t  *decision;

    decision = hie_consent_decide(&conf, false, orgs, 2, pool);
    assert_false(decision->custodian);
    assert_false(decision->visible.all);
    assert_false(decision->visible.default_permit);
    assert_false(decision->loaded);
    assert_int_equal(decision->visible.n_actors, 2);
    assert_true(decision->visible.actors[0] == actor("Organization/a"));
    assert_true(decision->visible.actors[1] == actor("u|v"));

    conf.consent.default_permit = true;
    decision = hie_consent_decide(&conf, true, NULL, 0, pool);
    assert_true(decision->custodian);
    assert_true(decision->visible.all);
    assert_true(decision->visible.default_permit);

    /* nothing is asked of the database for a custodian */
    assert_int_equal(hie_consent_load(NULL, decision, pool, NULL), HIE_OK);
    assert_true(decision->loaded);
}


/*
 * Gate.
 */
static void
gate(const char *method, const char *path, const char *query, hie_rc_t rc,
     hie_gate_t expected)
{
    hie_error_t  err = { 0 };
    hie_gate_t   got = 7;
    hie_str_t    type;
    hie_rc_t     result;

    result = hie_consent_gate(hie_str(method), hie_str(path), hie_str(query),
                              pool, &got, &type, &err);
    if (result != rc || got != expected) {
        print_error("%s %s?%s: %d %d\n", method, path, query, result, got);
    }
    assert_int_equal(result, rc);
    assert_int_equal(got, expected);
    if (rc == HIE_OK && expected != HIE_GATE_METADATA) {
        assert_true(hie_fhir_is_type(type));
    } else {
        assert_int_equal(type.len, 0);
    }
    assert_true(rc == HIE_OK || err.detail[0] != '\0');
}


static void
test_gate_paths(void **state)
{
    static const struct {
        const char  *path;
        hie_gate_t   gate;
    } table[] = {
        { "metadata", HIE_GATE_METADATA }, { "/metadata", HIE_GATE_METADATA },
        { "/Patient", HIE_GATE_SEARCH }, { "Patient", HIE_GATE_SEARCH },
        { "/Patient/1", HIE_GATE_READ }, { "Patient/a.b-C", HIE_GATE_READ },
        { "/Patient/1/_history/2", HIE_GATE_READ },
        { "", 0 }, { "/", 0 }, { "//Patient", 0 }, { "/Patient/", 0 },
        { "/Patient//1", 0 }, { "/patient/1", 0 }, { "/Patien/1", 0 },
        { "/Patient/1/", 0 }, { "/Patient/1/_history", 0 },
        { "/Patient/1/_history/", 0 }, { "/Patient/1/_history/2/", 0 },
        { "/Patient/1/history/2", 0 }, { "/Patient/_history", 0 },
        { "/_history", 0 }, { "/Patient/1/Observation", 0 },
        { "/Patient/1/$everything", 0 }, { "/Patient/$match", 0 },
        { "/Patient/_search", 0 }, { "/_search", 0 }, { "/$export", 0 },
        { "/Patient/..", 0 }, { "/Patient/.", 0 },
        { "/Patient/../Observation/1", 0 },
        { "/Patient/1/_history/..", 0 }, { "/Patient/%31", 0 },
        { "/Patient%2F1", 0 }, { "/Patient/1;x=1", 0 }, { "/Patient/1?x", 0 },
        { "/Patient/1\n", 0 }, { "/Patient/\xc3\xa9", 0 },
        { "/Binary/1", 0 }, { "/Binary", 0 }, { "/metadata/", 0 },
        { "/metadata/1", 0 }, { "/Metadata", 0 },
        { "/.well-known/smart-configuration", 0 },
        { "http://x/Patient/1", 0 },
        { "/Patient/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaa", 0 }
    };
    size_t  i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        gate("GET", table[i].path, "",
             table[i].gate != 0 ? HIE_OK : HIE_FORBIDDEN, table[i].gate);
    }
    gate("HEAD", "/Patient/1", "", HIE_OK, HIE_GATE_READ);
    gate("POST", "/Patient", "", HIE_METHOD, 0);
    gate("POST", "/Patient/_search", "", HIE_METHOD, 0);
    gate("PUT", "/Patient/1", "", HIE_METHOD, 0);
    gate("get", "/Patient/1", "", HIE_METHOD, 0);
    gate("OPTIONS", "/Patient/1", "", HIE_METHOD, 0);
    gate("", "/Patient/1", "", HIE_METHOD, 0);
}


static void
test_gate_queries(void **state)
{
    static const char *const  good[] = {
        "", "patient=Patient/1", "code=http://loinc.org|1234-5&status=final",
        "name=smith", "name:exact=Smith", "name:contains=mit",
        "birthdate:missing=true", "birthdate:missing=false", "_id=1,2",
        "_lastUpdated=gt2020-01-01", "_count=10", "_format=json",
        "_format=application/fhir%2Bjson", "_format=application/fhir+json",
        "name%3Aexact=x", "value-quantity=gt5.4|http://x|mg", "name=",
        "name=a%20b+c", "name=M%C3%BCller", "date=ge2020&date=lt2021"
    };
    static const char *const  forbidden[] = {
        "subject.name=x", "subject:Patient.name=x", "patient.identifier=x",
        "patient:identifier=x", "_has:Observation:patient:code=x",
        "_include=Observation:patient", "_revinclude=Provenance:target",
        "_sort=date", "_total=accurate", "_summary=count", "_summary=true",
        "_elements=id", "_filter=a", "_text=a", "_content=a", "_list=1",
        "_query=x", "_contained=true", "_containedType=both", "_method=POST",
        "_type=Patient", "_tag=x", "_security=R", "_profile=x", "_source=x",
        "_pretty=true", "_format=xml", "_format=", "_format=html",
        "_format=json%00", "_count=-1", "_count=1234567", "_count=",
        "_count=x", "code:not=x", "code:in=x", "code:below=x", "code:text=x",
        "code:of-type=x", "name:missing=x", "name:=x", "name:Exact=x",
        "name:exact:exact=x", "subject:Patient=1", "_id:missing=true",
        "_id:not=1", "=x", "1name=x", "-name=x", "na_me=x", "%5Fhas=x",
        "name%2Efamily=x", "name=a&_sort=b", "name%26_sort=x", "na%20me=x",
        "___=x", "_=1"
    };
    static const char *const  invalid[] = {
        "name", "&", "name=a&", "&name=a", "name=a&&b=c", "name=%",
        "name=%4", "name=%zz", "name=%00", "name=%ff", "name=a;_sort=b",
        "name=a b", "name=\"x\"", "name=<x>", "name[]=x", "name=x#y",
        "name=\\", "name=\xc3\xa9", "name=x\n", "name=^", "name=`"
    };
    size_t  i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        gate("GET", "/Observation", good[i], HIE_OK, HIE_GATE_SEARCH);
    }
    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        /* %00 is not decoded at all */
        gate("GET", "/Observation", forbidden[i],
             strstr(forbidden[i], "%00") != NULL ? HIE_INVALID
             : HIE_FORBIDDEN, 0);
    }
    for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        gate("GET", "/Observation", invalid[i], HIE_INVALID, 0);
    }

    gate("GET", "/Patient/1", "_format=json", HIE_OK, HIE_GATE_READ);
    gate("GET", "/Patient/1", "_summary=text", HIE_FORBIDDEN, 0);
    gate("GET", "/Patient/1", "name=x", HIE_FORBIDDEN, 0);
    gate("GET", "/Patient/1", "_id=1", HIE_FORBIDDEN, 0);
    gate("GET", "/metadata", "_format=json", HIE_OK, HIE_GATE_METADATA);
    gate("GET", "/metadata", "mode=full", HIE_FORBIDDEN, 0);
}


/*
 * Redaction. "no" is withheld, "ok" is not.
 */
static hie_decision_t *
decision_for(bool default_permit)
{
    hie_decision_t  *d = apr_pcalloc(pool, sizeof(*d));

    d->visible.default_permit = default_permit;
    d->loaded = true;
    d->n_withheld = 2;
    d->withheld = apr_palloc(pool, 2 * sizeof(uint64_t));
    d->withheld[0] = patient(default_permit ? "no" : "ok");
    d->withheld[1] = patient("else");
    if (d->withheld[0] > d->withheld[1]) {
        d->withheld[1] = d->withheld[0];
        d->withheld[0] = patient("else");
    }
    return d;
}


static hie_rc_t
redact(const hie_decision_t *d, hie_gate_t g, const char *type,
       const char *body, hie_redaction_t *r)
{
    hie_error_t  err = { 0 };
    hie_rc_t     rc;

    rc = hie_consent_redact(d, g, hie_str(type), hie_str(body),
                            HIE_STR("https://g/fhir/Patient?a=\"b\""), 32,
                            pool, r, &err);
    if (rc != HIE_OK) {
        assert_null(r->body.ptr);
        assert_null(r->patients);
        assert_int_equal(r->n_patients, 0);
        assert_int_equal(r->n_resources, 0);
        assert_int_equal(r->n_withheld, rc == HIE_NOT_FOUND);
        assert_true(err.detail[0] != '\0');
        assert_null(strstr(err.detail, "no\""));
    }
    return rc;
}


/* A resource by itself, under both defaults. */
static void
assert_read(const char *type, const char *body, hie_rc_t rc)
{
    hie_redaction_t  r;
    hie_rc_t         got;
    int              i;

    for (i = 0; i < 2; i++) {
        got = redact(decision_for(i == 0), HIE_GATE_READ, type, body, &r);
        if (got != rc) {
            print_error("%s: %d\n", body, got);
        }
        assert_int_equal(got, rc);
        if (rc == HIE_OK) {
            assert_true(hie_str_eqz(r.body, body));
            assert_int_equal(r.n_resources, 1);
            assert_int_equal(r.n_withheld, 0);
        }
    }
}


static void
test_redact_read(void **state)
{
    static const char *const  withheld[][2] = {
        { "Patient", "{\"resourceType\":\"Patient\",\"id\":\"no\"}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/no\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/no/_history/1\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient\\/no\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"P\\u0061tient/no\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"http:\\/\\/b:8080/x/Patient/no\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/ok\"},"
          "\"focus\":[{\"reference\":\"Patient/no\"}]}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/ok\"},\"text\":{\"div\":"
          "\"<div><a href='Patient/no'>x</a></div>\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/ok\"},\"text\":{\"div\":"
          "\"<a href=\\\"https://b/Patient/no\\\">\"}}" },
        /* contained, nested */
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"contained\":[{\"resourceType\":\"Encounter\",\"id\":\"e\","
          "\"subject\":{\"reference\":\"Patient/no\"}}],"
          "\"subject\":{\"reference\":\"Patient/ok\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"contained\":[{\"resourceType\":\"Patient\",\"id\":\"ok\"}],"
          "\"subject\":{\"reference\":\"#ok\"}}" },
        { "Bundle", "{\"resourceType\":\"Bundle\",\"type\":\"document\","
          "\"entry\":[{\"resource\":{\"resourceType\":\"Patient\","
          "\"id\":\"no\"}}]}" },
        { "Bundle", "{\"resourceType\":\"Bundle\",\"type\":\"document\","
          "\"entry\":[{\"resource\":{\"resourceType\":\"Patient\"}}]}" },
        { "Bundle", "{\"resourceType\":\"Bundle\",\"type\":\"collection\","
          "\"entry\":[{\"resource\":{\"resourceType\":\"Bundle\","
          "\"type\":\"collection\",\"entry\":[{\"resource\":{"
          "\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
          "\"Patient/no\"}}}]}}]}" },
        /* nobody knows whose */
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"identifier\":{\"value\":\"1\"}}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"display\":\"somebody\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"type\":\"Patient\",\"display\":\"somebody\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient?identifier=1\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"urn:uuid:"
          "c757873d-ec9a-4326-a141-556f43239520\"}}" },
        { "Claim", "{\"resourceType\":\"Claim\",\"id\":\"1\","
          "\"patient\":{\"identifier\":{\"value\":\"1\"}}}" },
        { "Task", "{\"resourceType\":\"Task\",\"id\":\"1\","
          "\"for\":{\"identifier\":{\"value\":\"1\"}}}" },
        { "Appointment", "{\"resourceType\":\"Appointment\",\"id\":\"1\","
          "\"participant\":[{\"actor\":{\"reference\":\"Patient/ok\"}},"
          "{\"actor\":{\"reference\":\"Patient/no\"}}]}" }
    };
    static const char *const  visible[][2] = {
        { "Patient", "{\"resourceType\":\"Patient\",\"id\":\"ok\"}" },
        { "Patient", " {\n\"resourceType\" : \"Patient\",\"id\":\"ok\","
          "\"x\":1.50} " },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Patient/ok\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"reference\":\"Location/no\"}}" },
        { "Observation", "{\"resourceType\":\"Observation\",\"id\":\"1\","
          "\"subject\":{\"type\":\"Device\",\"display\":\"x\"}}" },
        { "Organization", "{\"resourceType\":\"Organization\","
          "\"id\":\"no\",\"name\":\"InPatient/no\"}" }
    };
    size_t  i;

    for (i = 0; i < sizeof(withheld) / sizeof(withheld[0]); i++) {
        assert_read(withheld[i][0], withheld[i][1], HIE_NOT_FOUND);
    }
    for (i = 0; i < sizeof(visible) / sizeof(visible[0]); i++) {
        assert_read(visible[i][0], visible[i][1], HIE_OK);
    }
}


static void
test_redact_unusable(void **state)
{
    static const char *const  bad[] = {
        "", "null", "[]", "{}", "{\"resourceType\":\"Patient\"}",
        "{\"resourceType\":\"Patient\",\"id\":\"ok\"",
        "{\"resourceType\":\"Patient\",\"id\":\"ok\"}x",
        "{\"resourceType\":\"Patient\",\"id\":\"no\",\"id\":\"ok\"}",
        "{\"resourceType\":\"Patient\",\"id\":\"o k\"}",
        "{\"resourceType\":\"patient\",\"id\":\"ok\"}",
        "{\"resourceType\":\"Observation\",\"id\":\"ok\"}",
        "{\"resourceType\":\"OperationOutcome\"}",
        "<Patient/>", "\xef\xbb\xbf{}"
    };
    hie_redaction_t  r;
    size_t           i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_read("Patient", bad[i], HIE_BAD_GATEWAY);
        assert_int_equal(redact(decision_for(true), HIE_GATE_SEARCH,
                                "Patient", bad[i], &r), HIE_BAD_GATEWAY);
        assert_int_equal(redact(decision_for(true), HIE_GATE_METADATA, "",
                                bad[i], &r), HIE_BAD_GATEWAY);
    }
    assert_int_equal(redact(decision_for(true), 0, "Patient",
                            "{\"resourceType\":\"Patient\",\"id\":\"ok\"}",
                            &r), HIE_BAD_GATEWAY);
    assert_int_equal(redact(decision_for(true), HIE_GATE_METADATA, "",
                            "{\"resourceType\":\"CapabilityStatement\"}",
                            &r), HIE_OK);
    assert_int_equal(r.n_patients, 0);
}


#define LINK                                                                  \
    "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"link\":[{"         \
    "\"relation\":\"self\",\"url\":\"https://g/fhir/Patient?a=\\\"b\\\"\"}]"

/* `n`: resources in it, withheld ones, patients. */
static void
assert_search(const hie_decision_t *d, const char *body, const char *expected,
              const int n[3])
{
    hie_redaction_t   r;
    hie_doc_t        *doc;

    assert_int_equal(redact(d, HIE_GATE_SEARCH, "Patient", body, &r), HIE_OK);
    if (!hie_str_eqz(r.body, expected)) {
        print_error("%.*s\n", HIE_PRISTR(r.body));
    }
    assert_true(hie_str_eqz(r.body, expected));
    assert_int_equal(r.n_resources, n[0]);
    assert_int_equal(r.n_withheld, n[1]);
    assert_int_equal(r.n_patients, n[2]);
    assert_int_equal(hie_doc_parse(pool, r.body, 32, &doc, NULL), HIE_OK);
}


#define SEARCHSET(entries)                                                    \
    "{\"resourceType\":\"Bundle\",\"id\":\"7\",\"type\":\"searchset\","       \
    "\"total\":9,\"meta\":{},\"link\":[{\"relation\":\"next\","               \
    "\"url\":\"http://b/?page=2\"}],\"entry\":[" entries "]}"
#define N(...)  (const int[]) { __VA_ARGS__ }
#define P(id)  "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"" id "\"}}"

static void
test_redact_search(void **state)
{
    static const char  odd[] = "{ \"fullUrl\":\"http://b/Patient/ok\", "
        "\"resource\" : {\"resourceType\":\"Patient\",\"id\":\"ok\", "
        "\"multipleBirthInteger\":1.50e0},\"search\":{\"mode\":\"match\"}}";
    hie_decision_t    *d = decision_for(true);
    hie_decision_t    *all = apr_pcalloc(pool, sizeof(*all));
    const char        *in;

    assert_search(d, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}",
                  LINK "}", N(0, 0, 0));
    assert_search(d, SEARCHSET(""), LINK "}", N(0, 0, 0));
    assert_search(d, SEARCHSET(P("no")), LINK "}", N(0, 1, 0));
    assert_search(d, SEARCHSET(P("ok")), LINK ",\"entry\":[" P("ok") "]}",
                  N(1, 0, 1));
    assert_search(d, SEARCHSET(P("no") "," P("ok") "," P("no") "," P("ok")),
                  LINK ",\"entry\":[" P("ok") "," P("ok") "]}", N(2, 2, 1));

    in = apr_pstrcat(pool, "{\"resourceType\":\"Bundle\",\"type\":"
                     "\"searchset\",\"entry\":[", odd, "," P("no") "]}",
                     NULL);
    assert_search(d, in, apr_pstrcat(pool, LINK ",\"entry\":[", odd, "]}",
                                     NULL), N(1, 1, 1));

    /* links and extensions of an entry, outcomes, entries without resource */
    assert_search(d, SEARCHSET(
        "{\"link\":[{\"relation\":\"x\",\"url\":\"http://b/\"}],"
        "\"resource\":{\"resourceType\":\"Patient\",\"id\":\"ok\"},"
        "\"fullUrl\":\"u\"},"
        "{\"extension\":[{\"url\":\"no\"}],\"search\":{\"mode\":\"include\"},"
        "\"resource\":{\"resourceType\":\"Location\",\"id\":\"l\"}},"
        "{\"resource\":{\"resourceType\":\"OperationOutcome\"}},"
        "{\"search\":{\"mode\":\"outcome\"},\"resource\":{\"resourceType\":"
        "\"Patient\",\"id\":\"else2\"}},"
        "{\"fullUrl\":\"http://b/Patient/no\"},"
        "{\"search\":{\"mode\":\"include\"},\"resource\":{\"resourceType\":"
        "\"Patient\",\"id\":\"no\"}}"),
        LINK ",\"entry\":[{\"fullUrl\":\"u\",\"resource\":{\"resourceType\":"
        "\"Patient\",\"id\":\"ok\"}},{\"resource\":{\"resourceType\":"
        "\"Location\",\"id\":\"l\"},\"search\":{\"mode\":\"include\"}}]}",
        N(2, 1, 1));

    /* the custodian sees all, without totals and pages too */
    all->visible.all = true;
    assert_search(all, SEARCHSET(P("no") "," P("ok")),
                  LINK ",\"entry\":[" P("no") "," P("ok") "]}", N(2, 0, 2));

    /* nothing was loaded: only what is nobody's */
    d->loaded = false;
    assert_search(d, SEARCHSET(P("ok") ",{\"resource\":{\"resourceType\":"
                               "\"Location\",\"id\":\"l\"}}"),
                  LINK ",\"entry\":[{\"resource\":{\"resourceType\":"
                  "\"Location\",\"id\":\"l\"}}]}",
                  N(1, 1, 0));
}


static void
test_redact_bad_search(void **state)
{
    static const char *const  bad[] = {
        "{\"resourceType\":\"Bundle\"}",
        "{\"resourceType\":\"Bundle\",\"type\":\"batch-response\"}",
        "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":{}}",
        SEARCHSET("7"), SEARCHSET("{\"resource\":7}"),
        SEARCHSET("{\"resource\":{}}"),
        SEARCHSET(P("ok") ",{\"resource\":{\"resourceType\":\"Nonsense\"}}"),
        SEARCHSET("{\"resource\":{\"resourceType\":\"Patient\"}}"),
        SEARCHSET("{\"resource\":{\"resourceType\":\"Patient\","
                  "\"id\":\"no\",\"id\":\"ok\"}}")
    };
    hie_redaction_t  r;
    size_t           i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(redact(decision_for(true), HIE_GATE_SEARCH,
                                "Patient", bad[i], &r), HIE_BAD_GATEWAY);
    }
}


/* What a response with withheld entries gives is what one without them
 * gives, byte for byte. */
static void
test_non_interference(void **state)
{
    hie_redaction_t  with, without;

    assert_int_equal(redact(decision_for(true), HIE_GATE_SEARCH, "Patient",
                            SEARCHSET(P("ok") "," P("no")), &with),
                     HIE_OK);
    assert_int_equal(redact(decision_for(true), HIE_GATE_SEARCH, "Patient",
                            "{\"resourceType\":\"Bundle\",\"type\":"
                            "\"searchset\",\"total\":1,\"entry\":[" P("ok")
                            "]}", &without), HIE_OK);
    assert_true(hie_str_eq(with.body, without.body));
    assert_int_equal(with.n_patients, without.n_patients);
    assert_int_equal(with.n_withheld, 1);
    assert_int_equal(without.n_withheld, 0);
}


static int
set_up(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    return 0;
}


static int
tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
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
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_gate_paths),
        cmocka_unit_test(test_gate_queries),
        cmocka_unit_test(test_redact_read),
        cmocka_unit_test(test_redact_unusable),
        cmocka_unit_test(test_redact_search),
        cmocka_unit_test(test_redact_bad_search),
        cmocka_unit_test(test_non_interference)
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
