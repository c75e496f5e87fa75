/*
 * fhir: resources, references, search values, bundles, links, outcomes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "fhir/fhir.h"

#define BASE  HIE_STR("https://hie.example/fhir")

static apr_pool_t  *pool;


static hie_doc_t *
parse(const char *text)
{
    hie_error_t   err;
    hie_doc_t    *d;

    if (hie_doc_parse(pool, hie_str(text), 50, &d, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return d;
}


static void
is(hie_str_t s, const char *z)
{
    assert_string_equal(hie_str_z(pool, s), z);
}


static void
test_types(void **state)
{
    size_t  n;

    for (n = 0; hie_fhir_type(n) != NULL; n++) {
        assert_true(hie_fhir_is_type(hie_str(hie_fhir_type(n))));
        assert_true(n == 0 || strcmp(hie_fhir_type(n - 1), hie_fhir_type(n))
                              < 0);
    }

    assert_int_equal(n, 146);
    assert_true(hie_fhir_is_type(HIE_STR("VisionPrescription")));
    assert_false(hie_fhir_is_type(HIE_STR("Resource")));
    assert_false(hie_fhir_is_type(HIE_STR("DomainResource")));
    assert_false(hie_fhir_is_type(HIE_STR("patient")));
    assert_false(hie_fhir_is_type(HIE_STR("Patien")));
    assert_false(hie_fhir_is_type(HIE_STR("Patients")));
    assert_false(hie_fhir_is_type(HIE_STR("")));
    assert_false(hie_fhir_is_type(HIE_STR_NONE));
}


static void
test_ids(void **state)
{
    char  id[66];

    memset(id, 'a', sizeof(id));
    assert_true(hie_fhir_is_id((hie_str_t) { id, 64 }));
    assert_false(hie_fhir_is_id((hie_str_t) { id, 65 }));
    assert_true(hie_fhir_is_id(HIE_STR("A-z.09")));
    assert_false(hie_fhir_is_id(HIE_STR("")));
    assert_false(hie_fhir_is_id(HIE_STR("a_b")));
    assert_false(hie_fhir_is_id(HIE_STR("a/b")));
    assert_false(hie_fhir_is_id(HIE_STR("a b")));
    assert_false(hie_fhir_is_id(HIE_STR("\xc3\xa9")));
}


static void
check(const char *text, const char *where)
{
    hie_error_t  err;
    hie_str_t    type;
    hie_rc_t     rc = hie_fhir_check(parse(text), pool, &type, &err);

    if (where == NULL) {
        assert_int_equal(rc, HIE_OK);
        is(type, "Patient");
        return;
    }

    assert_int_equal(rc, HIE_INVALID);
    assert_null(type.ptr);
    assert_string_equal(err.where, where);
    assert_true(err.detail[0] != '\0');
}


static void
test_check(void **state)
{
    check("{\"resourceType\":\"Patient\"}", NULL);
    check("{\"id\":\"a\",\"resourceType\":\"\\u0050atient\",\"meta\":{"
          "\"versionId\":\"1\",\"profile\":[\"x\",null],\"security\":[{}],"
          "\"tag\":[]}}", NULL);
    check("[]", "");
    check("{}", "");
    check("{\"resourceType\":1}", "");
    check("{\"resourceType\":\"Resource\"}", "");
    check("{\"resourceType\":\"Patient\",\"id\":1}", "Patient.id");
    check("{\"resourceType\":\"Patient\",\"id\":\"\"}", "Patient.id");
    check("{\"resourceType\":\"Patient\",\"id\":\"a b\"}", "Patient.id");
    check("{\"resourceType\":\"Patient\",\"id\":null}", "Patient.id");
    check("{\"resourceType\":\"Patient\",\"meta\":[]}", "Patient.meta");
    check("{\"resourceType\":\"Patient\",\"meta\":null}", "Patient.meta");
    check("{\"resourceType\":\"Patient\",\"meta\":{\"versionId\":1}}",
          "Patient.meta.versionId");
    check("{\"resourceType\":\"Patient\",\"meta\":{\"profile\":\"x\"}}",
          "Patient.meta.profile");
    check("{\"resourceType\":\"Patient\",\"meta\":{\"security\":{}}}",
          "Patient.meta.security");
    check("{\"resourceType\":\"Patient\",\"meta\":{\"security\":[{},null]}}",
          "Patient.meta.security");
    check("{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[\"x\"]}}",
          "Patient.meta.tag");
}


#define STAMP                                                                 \
    "\"versionId\":\"7\",\"lastUpdated\":\"2023-11-14T22:13:20.123Z\""

static void
stamp(const char *text, const char *expected)
{
    hie_error_t  err;
    hie_str_t    out;

    assert_int_equal(hie_fhir_stamp(parse(text), "n1", 7,
                                    INT64_C(1700000000123456), pool, &out,
                                    &err), HIE_OK);
    is(out, expected);
}


static void
test_stamp(void **state)
{
    hie_error_t  err;
    hie_str_t    out;

    stamp("{\"resourceType\":\"Patient\"}",
          "{\"resourceType\":\"Patient\",\"id\":\"n1\",\"meta\":{" STAMP "}}");
    stamp("{\"resourceType\":\"Patient\",\"active\":true}",
          "{\"resourceType\":\"Patient\",\"id\":\"n1\",\"meta\":{" STAMP
          "},\"active\":true}");
    stamp("{\"x\":1.50,\"id\":\"old\",\"resourceType\":\"Patient\",\"y\":-0.0}",
          "{\"x\":1.50,\"id\":\"n1\",\"meta\":{" STAMP "},"
          "\"resourceType\":\"Patient\",\"y\":-0.0}");
    stamp("{\"meta\":{},\"resourceType\":\"Patient\"}",
          "{\"meta\":{" STAMP "},\"resourceType\":\"Patient\",\"id\":\"n1\"}");
    stamp("{\"resourceType\":\"Patient\",\"id\":\"o\",\"meta\":{\"source\":"
          "\"#x\",\"lastUpdated\":\"2000\",\"tag\":[{\"code\":\"\\u0061\"}]}}",
          "{\"resourceType\":\"Patient\",\"id\":\"n1\",\"meta\":{"
          "\"versionId\":\"7\",\"source\":\"#x\","
          "\"lastUpdated\":\"2023-11-14T22:13:20.123Z\","
          "\"tag\":[{\"code\":\"\\u0061\"}]}}");
    stamp("{\"resourceType\":\"Patient\",\"\\u0069d\":\"o\",\"meta\":{"
          "\"lastUpdated\":1,\"versionId\":2}}",
          "{\"resourceType\":\"Patient\",\"\\u0069d\":\"n1\",\"meta\":{"
          "\"lastUpdated\":\"2023-11-14T22:13:20.123Z\","
          "\"versionId\":\"7\"}}");
    stamp("{\n  \"resourceType\": \"Patient\",\n  \"active\": true\n}\n",
          "{\n  \"resourceType\": \"Patient\",\n  \"id\": \"n1\",\n"
          "  \"meta\": {" STAMP "},\n  \"active\": true\n}");

    assert_int_equal(hie_fhir_stamp(parse("[]"), "n1", 7, 0, pool, &out,
                                    &err), HIE_INVALID);
    assert_int_equal(hie_fhir_stamp(parse("{\"meta\":1}"), "n1", 7, 0, pool,
                                    &out, NULL), HIE_INVALID);
    assert_int_equal(hie_fhir_stamp(parse("{}"), "a\"b", 7, 0, pool, &out,
                                    NULL), HIE_INVALID);
    assert_null(out.ptr);
}


/* `expected`: "type id version local", or NULL for no reference. */
static void
reference(const char *text, const char *expected)
{
    hie_reference_t  r;
    char             found[300];

    if (!hie_fhir_reference(hie_str(text), BASE, &r)) {
        if (expected != NULL) {
            fail_msg("%s: no reference", text);
        }
        return;
    }

    snprintf(found, sizeof(found), "%.*s %.*s %.*s %d", HIE_PRISTR(r.type),
             HIE_PRISTR(r.id), HIE_PRISTR(r.version), r.local);

    if (expected == NULL || strcmp(found, expected) != 0) {
        fail_msg("%s: found \"%s\"", text, found);
    }
}


static void
test_reference(void **state)
{
    hie_reference_t  r;

    reference("Patient/1", "Patient 1  1");
    reference("Patient/1/_history/2", "Patient 1 2 1");
    reference("https://hie.example/fhir/Patient/1", "Patient 1  1");
    reference("https://hie.example/fhir/Patient/1/_history/9",
              "Patient 1 9 1");
    reference("https://hie.example/fhir/x/Patient/1", "   1");
    reference("https://hie.example/fhir/metadata", "   1");
    reference("https://hie.example/fhirx/Patient/1", "Patient 1  0");
    reference("http://other.example/a/b/Patient/1", "Patient 1  0");
    reference("http://other.example/Patient/1/_history/2", "Patient 1 2 0");
    reference("http://other.example/x", "   0");
    reference("urn:uuid:0b3a8f8e-3cc4-4dd6-95ba-1fd1f2d9d0a4", "   0");
    reference("urn:x:Patient/1", "   0");
    reference("#p1", "   0");
    reference("#", NULL);
    reference("", NULL);
    reference("Patient", NULL);
    reference("Patient/", NULL);
    reference("/Patient/1", NULL);
    reference("x/Patient/1", NULL);
    reference("Patient/1/", NULL);
    reference("Patient/a b", NULL);
    reference("Patient/1/_history", NULL);
    reference("Patient/1/_history/", NULL);
    reference("Patient/_history/1", NULL);
    reference("Patient/1/x/2", NULL);
    reference("Patient?identifier=x|1", NULL);
    reference("Nonsense/1", NULL);

    assert_true(hie_fhir_reference(HIE_STR("http://a.example/Patient/1"),
                                   HIE_STR_NONE, &r));
    assert_false(r.local);
    assert_true(hie_fhir_reference(HIE_STR("http://a.example/Patient/1"),
                                   HIE_STR("http://a.example/"), &r));
    assert_true(r.local);
}


static void
test_normalize(void **state)
{
    is(hie_fhir_normalize(pool, HIE_STR("  Anna \t MARIA\n")), "anna maria");
    is(hie_fhir_normalize(pool, HIE_STR("J\xc3\xbcrgen Stra\xc3\x9f"
                                        "e")), "jurgen strasse");
    is(hie_fhir_normalize(pool, HIE_STR("Ju\xcc\x88rgen")), "jurgen");
    is(hie_fhir_normalize(pool, HIE_STR("\xef\xac\x81n \xe2\x85\xa3")),
       "fin iv");
    is(hie_fhir_normalize(pool, HIE_STR("a\xc2\xa0\xe3\x80\x80 b")), "a b");
    is(hie_fhir_normalize(pool, HIE_STR("\xce\xa3\xce\xaf\xcf\x83")),
       "\xcf\x83\xce\xb9\xcf\x83");
    is(hie_fhir_normalize(pool, HIE_STR(" \t")), "");
    is(hie_fhir_normalize(pool, HIE_STR("")), "");
    is(hie_fhir_normalize(pool, HIE_STR_NONE), "");

    is(hie_fhir_fold(pool, HIE_STR(" Ab  1")), " ab  1");
    is(hie_fhir_fold(pool, HIE_STR("\xc3\x89\xc3\x9f" "9")),
       "\xc3\xa9ss9");
    is(hie_fhir_fold(pool, HIE_STR("e\xcc\x81")), "e\xcc\x81");
    is(hie_fhir_fold(pool, HIE_STR("\xff")), "");
    is(hie_fhir_fold(pool, HIE_STR_NONE), "");
    is(hie_fhir_normalize(pool, HIE_STR("\xff")), "");
}


static hie_relations_t
relations_of(const char *text, const char *id)
{
    hie_doc_t        *d = parse(text);
    hie_error_t       err;
    hie_relations_t   x;
    hie_str_t         type;

    assert_int_equal(hie_fhir_check(d, pool, &type, &err), HIE_OK);
    assert_int_equal(hie_fhir_relations(d, type, hie_str(id), BASE, pool, &x,
                                        &err), HIE_OK);

    return x;
}


static bool
has_patient(const hie_relations_t *x, const char *id)
{
    int  i;

    for (i = 0; i < x->n_patients; i++) {
        assert_true(x->patients[i] == hie_fhir_patient_key(x->patient_ids[i]));

        if (hie_str_eqz(x->patient_ids[i], id)) {
            return true;
        }
    }

    return false;
}


/* Its place among the references, or -1. */
static int
place_of_ref(const hie_relations_t *x, const char *type, const char *id)
{
    uint64_t  key = hie_fhir_resource_key(hie_str(type), hie_str(id));
    int       i;

    for (i = 0; i < x->n_refs; i++) {
        if (x->refs[i] == key) {
            return i;
        }
    }

    return -1;
}


typedef struct {
    int          n;
    const char  *places[8];
    hie_str_t    texts[8];
    hie_doc_t   *d;
} referred_t;


static void
take_reference(void *baton, hie_node_t n, hie_str_t text)
{
    referred_t  *r = baton;

    r->places[r->n] = hie_fhir_place(r->d, n, pool);
    r->texts[r->n++] = text;
}


static void
test_references(void **state)
{
    referred_t  r = { 0 };

    r.d = parse("{\"resourceType\":\"Observation\",\"contained\":[{"
                "\"resourceType\":\"Patient\",\"managingOrganization\":{"
                "\"reference\":\"Organization/1\"}}],\"performer\":[{"
                "\"display\":\"x\"},{\"reference\":\"Pa\\u0074ient?a=b\"}],"
                "\"extension\":[{\"valueReference\":{\"reference\":"
                "\"#p\"}},{\"valueUri\":\"Patient/2\"}],\"note\":"
                "[{\"reference\":[\"Patient/3\"]}]}");
    hie_fhir_references(r.d, pool, take_reference, &r);
    assert_int_equal(r.n, 3);
    assert_string_equal(r.places[0], "Observation.contained[0]"
                                     ".managingOrganization.reference");
    assert_true(hie_str_eqz(r.texts[0], "Organization/1"));
    assert_string_equal(r.places[1], "Observation.performer[1].reference");
    assert_true(hie_str_eqz(r.texts[1], "Patient?a=b"));
    assert_string_equal(r.places[2], "Observation.extension[0]"
                                     ".valueReference.reference");

    r.d = parse("{\"resourceType\":\"Patient\"}");
    assert_string_equal(hie_fhir_place(r.d, 0, pool), "Patient");
}


static void
assert_name(const char *text, const char *type, const char *id)
{
    hie_str_t    t, i;
    hie_error_t  err;

    assert_int_equal(hie_fhir_text_name(hie_str(text), pool, &t, &i, &err),
                     HIE_OK);
    assert_true(hie_str_eqz(t, type));
    assert_true(hie_str_eqz(i, id));
}


static void
test_text_name(void **state)
{
    hie_str_t    t, i;
    hie_error_t  err;

    assert_name("{\"resourceType\":\"Basic\",\"id\":\"a-1.B\"}", "Basic",
                "a-1.B");
    assert_name("\n{ \"resourceType\"\t:\r\n\"Basic\" , \"id\" : \"1\"}",
                "Basic", "1");
    assert_name("{\"id\":\"1\",\"resourceType\":\"Basic\"}", "Basic", "1");
    assert_name("{\"resourceType\":\"Basic\",\"meta\":{\"id\":\"2\"},"
                "\"id\":\"1\"}", "Basic", "1");
    assert_name("{\"resourceType\":\"B\\u0061sic\",\"id\":\"\\u0031\"}",
                "Basic", "1");
    assert_int_equal(hie_fhir_text_name(HIE_STR("{\"resourceType\":\"Basic"),
                                        pool, &t, &i, &err), HIE_INVALID);
}


static void
assert_text_references(const char *text, const char *wanted)
{
    const char  *all = "";
    hie_str_t    rest = hie_str(text), value;

    while (hie_fhir_text_reference(&rest, pool, &value)) {
        all = apr_psprintf(pool, "%s%.*s ", all, HIE_PRISTR(value));
    }
    assert_string_equal(all, wanted);
}


static void
test_text_reference(void **state)
{
    assert_text_references("{}", "");
    assert_text_references("", "");
    assert_text_references("{\"a\":{\"reference\":\"A/1\"},\"b\":["
                           "{\"reference\" : \n\"B/2\"}]}", "A/1 B/2 ");
    assert_text_references("{\"a\":{\"reference\":\"A\\/1\"},\"b\":"
                           "{\"reference\":\"\\\\\\\"\"}}", "A/1 \\\" ");
    /* a text, a value, other members, other types, what is cut off */
    assert_text_references("{\"a\":\"\\\"reference\\\":\\\"A/1\\\"\"}", "");
    assert_text_references("{\"a\":\"reference\",\"b\":\"B/2\"}", "");
    assert_text_references("{\"references\":\"A/1\",\"_reference\":\"B/1\"}",
                           "");
    assert_text_references("{\"reference\":{\"reference\":\"A/1\"}}", "A/1 ");
    assert_text_references("{\"reference\":[\"A/1\"]}", "");
    assert_text_references("{\"reference\":\"A/1", "");
    assert_text_references("{\"reference\":\"A/1\\", "");
    assert_text_references("{\"reference\":\"A/1\\\"", "");
    assert_text_references("{\"reference\"", "");
}


static void
test_batch(void **state)
{
    hie_bundle_t  b;
    hie_error_t   err;

    /* what is wrong with an entry of a batch is its own outcome */
    assert_int_equal(hie_fhir_bundle(parse(
        "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":["
        "{\"request\":{\"method\":\"BREW\",\"url\":\"Coffee?a=b\"},"
        "\"resource\":{\"resourceType\":\"Coffee\"}},{\"request\":{"
        "\"method\":\"GET\",\"url\":\"/Patient/1\",\"ifNoneMatch\":"
        "\"W/\\\"1\\\"\",\"ifModifiedSince\":\"2026-01-01T00:00:00Z\"}}]}"),
        3, pool, &b, &err), HIE_OK);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.entries[0].type.len, 0);
    assert_true(hie_str_eqz(b.entries[1].id, "1"));
    assert_true(hie_str_eqz(b.entries[1].if_none_match, "W/\"1\""));
    assert_true(hie_str_eqz(b.entries[1].if_modified_since,
                            "2026-01-01T00:00:00Z"));

    assert_int_equal(hie_fhir_bundle(parse(
        "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":["
        "{\"request\":{\"method\":\"GET\"}}]}"), 3, pool, &b, &err),
        HIE_INVALID);
    assert_string_equal(err.where, "Bundle.entry[0].request.url");
}


static void
test_patients(void **state)
{
    hie_relations_t  x;

    x = relations_of(
        "{\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
        "\"Patient\\/a\"},\"performer\":[{\"reference\":"
        "\"https://hie.example/fhir/Patient/b\"}],"
        "\"focus\":[{\"reference\":\"Patient/c/_history/1\"},{\"reference\":"
        "\"Patient/a\"}],\"contained\":[{\"resourceType\":\"Basic\","
        "\"id\":\"x\",\"author\":{\"reference\":\"Patient/d\"}}],"
        "\"extension\":[{\"url\":\"u\",\"valueUri\":\"Patient/e#f\"},"
        "{\"url\":\"u\",\"valueReference\":{\"reference\":"
        "\"http://x.example/Patient/no\"}}],"
        "\"note\":[{\"text\":\"see Patient/no2\"},{\"text\":\"Patient/\"}]}",
        "o");

    assert_int_equal(x.n_patients, 5);
    assert_int_equal(x.n_compartment, 2);
    assert_true(has_patient(&x, "a"));
    assert_true(has_patient(&x, "b"));
    assert_true(has_patient(&x, "c"));
    assert_true(has_patient(&x, "d"));
    assert_true(has_patient(&x, "e"));
    assert_false(hie_str_eqz(x.patient_ids[0], "c"));
    assert_false(hie_str_eqz(x.patient_ids[1], "c"));

    x = relations_of("{\"resourceType\":\"Patient\",\"link\":[{\"other\":{"
                  "\"reference\":\"Patient/b\"}},{\"other\":{\"reference\":"
                  "\"Patient/a\"}}]}", "a");
    assert_int_equal(x.n_patients, 2);
    assert_int_equal(x.n_compartment, 2);

    x = relations_of("{\"resourceType\":\"Group\",\"member\":[{\"entity\":{"
                  "\"reference\":\"Patient/a\"}},{\"entity\":{\"reference\":"
                  "\"Patient/b\"}},{\"entity\":{\"reference\":"
                  "\"Patient/a\"}}]}", "g");
    assert_int_equal(x.n_patients, 2);

    x = relations_of("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{"
                  "\"resourceType\":\"Patient\",\"id\":\"q\"}}]}", "x");
    assert_int_equal(x.n_patients, 1);
    assert_int_equal(x.n_compartment, 0);
    assert_true(has_patient(&x, "q"));

    x = relations_of("{\"resourceType\":\"Organization\"}", "x");
    assert_int_equal(x.n_patients, 0);
}


/* Literal references to resources of ours, anywhere; those to patients
 * last. */
static void
test_refs(void **state)
{
    hie_relations_t  x = relations_of(
        "{\"resourceType\":\"Encounter\",\"subject\":{\"reference\":"
        "\"Patient/p\"},\"participant\":[{\"individual\":{\"reference\":"
        "\"Practitioner/b\"}},{\"individual\":{\"reference\":"
        "\"https://hie.example/fhir/Practitioner/a/_history/2\"}},"
        "{\"individual\":{\"reference\":\"Practitioner/b\"}},"
        "{\"individual\":{\"reference\":\"https://else/Practitioner/c\"}},"
        "{\"individual\":{\"reference\":\"#x\"}},{\"individual\":"
        "{\"reference\":\"urn:uuid:1\"}},{\"individual\":{\"display\":"
        "\"Practitioner/d\"}}],\"contained\":[{\"resourceType\":"
        "\"Location\",\"id\":\"x\",\"managingOrganization\":"
        "{\"reference\":\"Organization/o\"}}]}", "e");

    assert_int_equal(x.n_refs, 4);
    assert_int_equal(x.n_followed, 3);
    assert_in_range(place_of_ref(&x, "Organization", "o"), 0, 2);
    assert_in_range(place_of_ref(&x, "Practitioner", "a"), 0, 2);
    assert_in_range(place_of_ref(&x, "Practitioner", "b"), 0, 2);
    assert_int_equal(place_of_ref(&x, "Patient", "p"), 3);
    assert_true(hie_fhir_patient_key(HIE_STR("p")) == x.refs[3]);

    x = relations_of("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":"
                     "{\"resourceType\":\"Encounter\",\"serviceProvider\":"
                     "{\"reference\":\"Organization/o\"}}}]}", "b");
    assert_int_equal(x.n_refs, 1);
    assert_int_equal(x.n_followed, 0);

    /* a name that begins like it, and one at the end of the text */
    x = relations_of("{\"resourceType\":\"Basic\",\"references\":"
                     "\"Group/1\",\"r\":\"\"}", "b");
    assert_int_equal(x.n_refs, 0);
}


static void
assert_care(const char *text, const char *from, const char *until)
{
    hie_relations_t  x = relations_of(text, "x");
    char         out[HIE_INSTANT_LEN + 1];

    hie_time_instant(out, x.care_from);
    assert_string_equal(out, from);
    hie_time_instant(out, x.care_until);
    assert_string_equal(out, until);
}


static void
test_care(void **state)
{
    hie_relations_t  x;

    assert_care("{\"resourceType\":\"Observation\",\"effectiveDateTime\":"
                "\"2024-03\",\"issued\":\"2025-01-01T00:00:00Z\"}",
                "2024-03-01T00:00:00.000Z", "2024-04-01T00:00:00.000Z");
    assert_care("{\"resourceType\":\"Observation\",\"issued\":"
                "\"2025-01-01T00:00:00Z\"}",
                "2025-01-01T00:00:00.000Z", "2025-01-01T00:00:01.000Z");
    assert_care("{\"resourceType\":\"Encounter\",\"period\":{\"start\":"
                "\"2024-03-01\",\"end\":\"2024-03-02\"}}",
                "2024-03-01T00:00:00.000Z", "2024-03-03T00:00:00.000Z");
    assert_care("{\"resourceType\":\"VisionPrescription\",\"dateWritten\":"
                "\"2024\"}",
                "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z");

    x = relations_of("{\"resourceType\":\"Encounter\",\"period\":{\"start\":"
                  "\"2024-03-01\"}}", "x");
    assert_true(x.care_until == INT64_MAX && x.care_from > 0);
    x = relations_of("{\"resourceType\":\"Encounter\",\"period\":{\"end\":"
                  "\"2024-03-01\"}}", "x");
    assert_true(x.care_from == INT64_MIN && x.care_until > 0);

    /* none, one that is none, one that ends before it begins */
    x = relations_of("{\"resourceType\":\"Patient\",\"birthDate\":\"1970\"}",
                  "x");
    assert_true(x.care_from == 0 && x.care_until == 0);
    x = relations_of("{\"resourceType\":\"Observation\","
                  "\"effectiveDateTime\":\"soon\"}", "x");
    assert_true(x.care_from == 0 && x.care_until == 0);
    x = relations_of("{\"resourceType\":\"Encounter\",\"period\":{\"start\":"
                  "\"2024\",\"end\":\"2020\"}}", "x");
    assert_true(x.care_from == 0 && x.care_until == 0);
}


static bool
has_label(const hie_relations_t *x, hie_label_kind_t kind, const char *json)
{
    int  i;

    for (i = 0; i < x->n_labels; i++) {
        assert_true(i == 0 || x->labels[i - 1].key < x->labels[i].key);

        if (x->labels[i].kind == kind && hie_str_eqz(x->labels[i].json, json))
        {
            return true;
        }
    }

    return false;
}


static void
test_labels(void **state)
{
    hie_relations_t  x = relations_of(
        "{\"resourceType\":\"Patient\",\"meta\":{\"profile\":"
        "[\"http://x/p\"],\"security\":[{\"system\":\"s\",\"code\":\"R\","
        "\"display\":\"no\"}],\"tag\":[{\"code\":\"a\"},{\"display\":"
        "\"nothing\"},{\"system\":\"t\"},{\"code\":\"a\"}]}}", "p");
    hie_relations_t  other = relations_of(
        "{\"resourceType\":\"Group\",\"meta\":{\"profile\":"
        "[\"http://x/p\"]}}", "g");
    int              i;

    assert_int_equal(x.n_labels, 4);
    assert_true(has_label(&x, HIE_LABEL_PROFILE, "\"http://x/p\""));
    assert_true(has_label(&x, HIE_LABEL_SECURITY,
                          "{\"system\":\"s\",\"code\":\"R\"}"));
    assert_true(has_label(&x, HIE_LABEL_TAG, "{\"code\":\"a\"}"));
    assert_true(has_label(&x, HIE_LABEL_TAG, "{\"system\":\"t\"}"));
    assert_int_equal(other.n_labels, 1);

    for (i = 0; i < x.n_labels; i++) {
        assert_int_not_equal(x.labels[i].key, other.labels[0].key);
    }
}


static hie_rc_t
bundle(const char *type, const char *entries, hie_bundle_t *out,
       hie_error_t *err)
{
    memset(err, 0, sizeof(*err));

    return hie_fhir_bundle(parse(apr_pstrcat(pool, "{\"resourceType\":"
                               "\"Bundle\",\"type\":\"", type, "\",\"entry\":",
                               entries, "}", NULL)), 3, pool, out, err);
}


static void
refuse_entry(const char *entry, const char *where)
{
    hie_bundle_t  b;
    hie_error_t   err;

    assert_int_equal(bundle("transaction", apr_pstrcat(pool, "[", entry, "]",
                                                       NULL), &b, &err),
                     HIE_INVALID);
    assert_string_equal(err.where, where);
}


#define POST_PATIENT                                                          \
    "{\"fullUrl\":\"urn:uuid:1\",\"resource\":{\"resourceType\":\"Patient\"}," \
    "\"request\":{\"method\":\"POST\",\"url\":\"Patient\","                   \
    "\"ifNoneExist\":\"identifier=x|1\"}}"

#define REQUEST(method, url)                                                  \
    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"},"              \
    "\"request\":{\"method\":\"" method "\",\"url\":\"" url "\"}}"

static void
test_bundle(void **state)
{
    hie_bundle_t  b;
    hie_error_t   err;

    assert_int_equal(bundle("transaction", "[" POST_PATIENT ","
                            REQUEST("PUT", "Patient/1") ","
                            REQUEST("DELETE", "Patient?name=x%20y") "]", &b,
                            &err), HIE_OK);
    is(b.type, "transaction");
    assert_int_equal(b.n, 3);
    is(b.entries[0].method, "POST");
    is(b.entries[0].type, "Patient");
    is(b.entries[0].full_url, "urn:uuid:1");
    is(b.entries[0].if_none_exist, "identifier=x|1");
    assert_int_equal(b.entries[0].id.len, 0);
    assert_null(b.entries[0].query.ptr);
    assert_int_not_equal(b.entries[0].resource, HIE_NODE_NONE);
    is(b.entries[1].id, "1");
    is(b.entries[2].query, "name=x%20y");
    is(b.entries[2].url, "Patient?name=x%20y");

    assert_int_equal(bundle("batch", "[" REQUEST("GET", "metadata") ","
                            REQUEST("GET", "Patient/1") "]", &b, &err),
                     HIE_OK);
    assert_int_equal(b.entries[0].type.len, 0);
    is(b.entries[0].url, "metadata");
    is(b.entries[1].id, "1");

    assert_int_equal(bundle("collection", "[{},{\"resource\":{\"resourceType\""
                            ":\"Patient\"}}]", &b, &err), HIE_OK);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.entries[0].resource, HIE_NODE_NONE);
    assert_int_equal(b.entries[0].method.len, 0);

    assert_int_equal(hie_fhir_bundle(parse("{\"resourceType\":\"Bundle\","
                                           "\"type\":\"batch\"}"), 3, pool,
                                     &b, &err), HIE_OK);
    assert_int_equal(b.n, 0);
}


static void
test_bundle_refused(void **state)
{
    hie_bundle_t  b;
    hie_error_t   err;

    assert_int_equal(bundle("collection", "[{},{},{},{}]", &b, &err),
                     HIE_TOO_LARGE);
    assert_int_equal(bundle("nonsense", "[]", &b, &err), HIE_INVALID);
    assert_string_equal(err.where, "Bundle.type");
    assert_int_equal(bundle("batch", "{}", &b, &err), HIE_INVALID);
    assert_string_equal(err.where, "Bundle.entry");
    assert_int_equal(hie_fhir_bundle(parse("{\"resourceType\":\"Patient\"}"),
                                     3, pool, &b, &err), HIE_INVALID);
    assert_int_equal(hie_fhir_bundle(parse("[]"), 3, pool, &b, NULL),
                     HIE_INVALID);

    refuse_entry("1", "Bundle.entry[0]");
    refuse_entry("{}", "Bundle.entry[0].request");
    refuse_entry(POST_PATIENT "," POST_PATIENT, "Bundle.entry[1].fullUrl");
    refuse_entry("{\"fullUrl\":1}", "Bundle.entry[0].fullUrl");
    refuse_entry("{\"resource\":{\"resourceType\":\"X\"}}",
                 "Bundle.entry[0].resource");
    refuse_entry("{\"request\":{\"url\":\"Patient\"}}",
                 "Bundle.entry[0].request.method");
    refuse_entry(REQUEST("post", "Patient"), "Bundle.entry[0].request.method");
    refuse_entry("{\"request\":{\"method\":\"GET\"}}",
                 "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("POST", "Patient/1"), "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("POST", "Patient?x=1"),
                 "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("POST", "Observation"), "Bundle.entry[0].resource");
    refuse_entry(REQUEST("PUT", "Patient"), "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("PUT", "Patient/1?x=1"),
                 "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("PUT", "Patient/2"), "Bundle.entry[0].resource.id");
    refuse_entry(REQUEST("PUT", "Nonsense/2"), "Bundle.entry[0].request.url");
    refuse_entry(REQUEST("DELETE", "Patient"), "Bundle.entry[0].request.url");
    refuse_entry("{\"request\":{\"method\":\"PUT\",\"url\":\"Patient/1\"}}",
                 "Bundle.entry[0]");
}


static void
relink(const char *text, const char *expected)
{
    hie_fhir_link_t  links[] = {
        { HIE_STR("urn:uuid:p"), HIE_STR("Patient/1") },
        { HIE_STR("http://x.example/Binary/7"), HIE_STR("Binary/b") },
        { HIE_STR("urn:uuid:a"), HIE_STR("Practitioner/2") }
    };

    is(hie_fhir_relink(parse(text), links, 3, pool), expected);
    hie_fhir_links_sort(links, 3);
    is(hie_fhir_relink(parse(text), links, 3, pool), expected);
    is(hie_fhir_relink(parse(text), NULL, 0, pool), text);
}


static void
test_relink(void **state)
{
    static const char  same[] =
        "{\"a\":{\"reference\":\"urn:uuid:p#x\"},\"b\":{\"reference\":"
        "\"Patient?identifier=1\"},\"identifier\":[{\"system\":"
        "\"urn:ietf:rfc:3986\",\"value\":\"urn:uuid:p\"}],"
        "\"valueString\":\"urn:uuid:p\",\"div\":\"urn:uuid:p\"}";
    hie_doc_t         *d = parse(same);
    hie_fhir_link_t    link = { HIE_STR("urn:uuid:p"), HIE_STR("Patient/1") };

    relink(same, same);
    assert_ptr_equal(hie_fhir_relink(d, &link, 1, pool).ptr, same);

    relink("{ \"subject\" : {\"reference\": \"urn:uuid:p\" , \"x\":1.50},"
           "\"list\":[{\"reference\":\"urn:uuid:\\u0061\"}] }",
           "{ \"subject\" : {\"reference\": \"Patient/1\" , \"x\":1.50},"
           "\"list\":[{\"reference\":\"Practitioner/2\"}] }");
    relink("{\"url\":\"http://x.example/Binary/7\",\"valueUri\":\"urn:uuid:a\","
           "\"instantiatesCanonical\":[\"urn:uuid:a\",null,\"urn:uuid:b\"]}",
           "{\"url\":\"Binary/b\",\"valueUri\":\"Practitioner/2\","
           "\"instantiatesCanonical\":[\"Practitioner/2\",null,"
           "\"urn:uuid:b\"]}");
}


static void
test_relink_narrative(void **state)
{
    relink("{\"text\":{\"div\":\"<div>\\u00e9<a\\n href=\\\"urn:uuid:p\\\">"
           "<img alt='src=urn:uuid:p' src = 'http:\\/\\/x.example/Binary/7'/>"
           "</a><a href=\\\"urn:uuid:px\\\" xhref='urn:uuid:p'></a>\"}}",
           "{\"text\":{\"div\":\"<div>\\u00e9<a\\n href=\\\"Patient/1\\\">"
           "<img alt='src=urn:uuid:p' src = 'Binary/b'/>"
           "</a><a href=\\\"urn:uuid:px\\\" xhref='urn:uuid:p'></a>\"}}");
    relink("{\"div\":\"<a href=\\\"urn:uuid:p\"}",
           "{\"div\":\"<a href=\\\"urn:uuid:p\"}");
    relink("{\"div\":\" href= src=\"}", "{\"div\":\" href= src=\"}");
    relink("{\"div\":\" href\"}", "{\"div\":\" href\"}");
}


static void
test_outcome(void **state)
{
    hie_error_t  err;

    memset(&err, 0, sizeof(err));
    hie_fail(&err, HIE_INVALID, "Patient.id", "expected \"x\"");
    is(hie_fhir_outcome(pool, &err), apr_pstrcat(pool,
       "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
       "\"error\",\"code\":\"", hie_rc_issue(HIE_INVALID),
       "\",\"diagnostics\":\"expected \\\"x\\\"\",\"expression\":["
       "\"Patient.id\"]}]}", NULL));

    hie_fail(&err, HIE_INVALID, "line 2, column 3", "expected a value");
    is(hie_fhir_outcome(pool, &err), apr_pstrcat(pool,
       "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
       "\"error\",\"code\":\"", hie_rc_issue(HIE_INVALID),
       "\",\"diagnostics\":\"line 2, column 3: expected a value\"}]}", NULL));

    memset(&err, 0, sizeof(err));
    err.rc = HIE_NOT_FOUND;
    is(hie_fhir_outcome(pool, &err), apr_pstrcat(pool,
       "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
       "\"error\",\"code\":\"", hie_rc_issue(HIE_NOT_FOUND), "\"}]}", NULL));

    hie_fail(&err, HIE_INVALID, "Bundle.entry[1]", "x");
    parse(hie_str_z(pool, hie_fhir_outcome(pool, &err)));
    assert_non_null(strstr(hie_str_z(pool, hie_fhir_outcome(pool, &err)),
                           "\"expression\":[\"Bundle.entry[1]\"]"));
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
    apr_terminate();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_stamp),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_text_name),
        cmocka_unit_test(test_text_reference),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_patients),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_care),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_bundle_refused),
        cmocka_unit_test(test_relink),
        cmocka_unit_test(test_relink_narrative),
        cmocka_unit_test(test_outcome)
    };

    return cmocka_run_group_tests_name("fhir", tests, set_up, tear_down);
}
