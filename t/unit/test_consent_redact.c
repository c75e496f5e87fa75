/*
 * consent: what may leave of the answers of a protected server. The patient
 * "no" is withheld, "ok" is not.
 */

#include "consent_tool.h"

#include <string.h>

#include <apr_strings.h>


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_redact_read),
        cmocka_unit_test(test_redact_unusable),
        cmocka_unit_test(test_redact_search),
        cmocka_unit_test(test_redact_bad_search),
        cmocka_unit_test(test_non_interference)
    };

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
