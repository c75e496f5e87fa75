/*
 * consent: decisions, and what may be asked of a protected server.
 */

#include "consent_tool.h"

#include <string.h>


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_gate_paths),
        cmocka_unit_test(test_gate_queries)
    };

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
