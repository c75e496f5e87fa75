/*
 * fhir: parts of resources (_summary, _elements), and JSON for the eye.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "fhir/fhir.h"

#define TAG                                                                   \
    "{\"system\":\"http://terminology.hl7.org/CodeSystem/"                    \
    "v3-ObservationValue\",\"code\":\"SUBSETTED\"}"

static apr_pool_t  *pool;


static int
set_up(void **state)
{
    pool = hie_pool_create(NULL, "test");
    return 0;
}


static int
tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


static hie_doc_t *
parse(const char *json)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(pool, hie_str(json), 64, &d, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", json, err.where, err.detail);
    }

    return d;
}


static const char *
subset(const char *json, hie_summary_t summary, const char *elements)
{
    hie_doc_t     *d = parse(json);
    hie_edit_t    *e = hie_edit_create(pool, d);
    hie_subset_t   s = { summary, hie_str(elements) };
    const char    *out;

    hie_fhir_subset(e, d, 0, &s, pool);
    out = hie_str_z(pool, hie_edit_apply(e, pool));
    parse(out);

    return out;
}


static void
test_tag(void **state)
{
    assert_string_equal(
        subset("{\"resourceType\":\"Basic\"}", HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[" TAG "]}}");
    assert_string_equal(
        subset("{\"resourceType\":\"Basic\",\"id\":\"a\",\"code\":{}}",
               HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Basic\",\"id\":\"a\",\"meta\":{\"tag\":[" TAG
        "]},\"code\":{}}");
    assert_string_equal(
        subset("{ \"resourceType\": \"Basic\", \"meta\": { \"versionId\": "
               "\"1\", \"lastUpdated\": \"x\", \"source\": \"s\" } }",
               HIE_SUMMARY_DATA, NULL),
        "{ \"resourceType\": \"Basic\", \"meta\": { \"versionId\": "
        "\"1\", \"lastUpdated\": \"x\", \"tag\": [" TAG "], \"source\": "
        "\"s\" } }");
    assert_string_equal(
        subset("{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[ {\"code\":"
               "\"a\"} ]}}", HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[ {\"code\":\"a\"} ,"
        TAG "]}}");
    assert_string_equal(
        subset("{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[{\"code\":"
               "\"SUBSETTED\"}]}}", HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[{\"code\":"
        "\"SUBSETTED\"}]}}");
    assert_string_equal(
        subset("{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[]}}",
               HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Basic\",\"meta\":{\"tag\":[" TAG "]}}");
}


#define OBSERVATION                                                           \
    "{\"resourceType\":\"Observation\",\"id\":\"o\","                         \
    "\"meta\":{\"versionId\":\"3\",\"tag\":[{\"code\":\"SUBSETTED\"}]},"      \
    "\"text\":{\"status\":\"generated\",\"div\":\"<div/>\"},"                 \
    "\"contained\":[{\"resourceType\":\"Basic\"}],"                           \
    "\"extension\":[{\"url\":\"u\",\"valueCode\":\"x\"}],"                    \
    "\"modifierExtension\":[{\"url\":\"u\",\"valueCode\":\"x\"}],"            \
    "\"status\":\"final\",\"_status\":{\"id\":\"s\"},"                        \
    "\"code\":{\"id\":\"c\",\"text\":\"t\\u00e4\"},"                          \
    "\"issued\":\"2020\",\"valueQuantity\":{\"value\":1.50,"                  \
    "\"extension\":[{\"url\":\"u\"}]},"                                       \
    "\"note\":[{\"text\":\"n\"}],\"unknown\":1,"                              \
    "\"component\":[{\"code\":{\"text\":\"k\"},\"valueInteger\":7,"           \
    "\"referenceRange\":[{\"text\":\"r\"}]}]}"

#define OBSERVATION_HEAD                                                      \
    "{\"resourceType\":\"Observation\",\"id\":\"o\","                         \
    "\"meta\":{\"versionId\":\"3\",\"tag\":[{\"code\":\"SUBSETTED\"}]},"

#define MODIFIER                                                              \
    "\"modifierExtension\":[{\"url\":\"u\",\"valueCode\":\"x\"}],"


static void
test_summary_true(void **state)
{
    assert_string_equal(
        subset(OBSERVATION, HIE_SUMMARY_TRUE, NULL),
        OBSERVATION_HEAD MODIFIER "\"status\":\"final\","
        "\"code\":{\"text\":\"t\\u00e4\"},\"issued\":\"2020\","
        "\"valueQuantity\":{\"value\":1.50},"
        "\"component\":[{\"code\":{\"text\":\"k\"},\"valueInteger\":7}]}");

    /* what goes with a primitive stays where it stands for the value */
    assert_string_equal(
        subset("{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[{\"code\":"
               "\"SUBSETTED\"}]},\"_birthDate\":{\"id\":\"b\"},"
               "\"name\":[{\"given\":[\"a\",null],\"_given\":[null,{\"id\":"
               "\"g\"}],\"family\":\"f\",\"_family\":{\"id\":\"f\"}}]}",
               HIE_SUMMARY_TRUE, NULL),
        "{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[{\"code\":"
        "\"SUBSETTED\"}]},\"_birthDate\":{\"id\":\"b\"},"
        "\"name\":[{\"given\":[\"a\",null],\"_given\":[null,{\"id\":"
        "\"g\"}],\"family\":\"f\"}]}");

    /* no element is left empty; what is mandatory is left whole */
    assert_string_equal(
        subset("{\"resourceType\":\"DocumentReference\",\"meta\":{\"tag\":"
               "[{\"code\":\"SUBSETTED\"}]},\"identifier\":[{\"id\":\"a\"},"
               "{\"value\":\"v\"},{\"id\":\"b\"}],\"masterIdentifier\":"
               "{\"id\":\"m\"},\"content\":[{\"attachment\":{\"data\":"
               "\"AAAA\"}},{\"attachment\":{\"data\":\"AAAA\",\"url\":"
               "\"u\"}}]}", HIE_SUMMARY_TRUE, NULL),
        "{\"resourceType\":\"DocumentReference\",\"meta\":{\"tag\":"
        "[{\"code\":\"SUBSETTED\"}]},\"identifier\":["
        "{\"value\":\"v\"}],\"content\":[{\"attachment\":{\"data\":"
        "\"AAAA\"}},{\"attachment\":{\"url\":\"u\"}}]}");
}


static void
test_summary_text_and_data(void **state)
{
    assert_string_equal(
        subset(OBSERVATION, HIE_SUMMARY_TEXT, NULL),
        OBSERVATION_HEAD
        "\"text\":{\"status\":\"generated\",\"div\":\"<div/>\"}," MODIFIER
        "\"status\":\"final\",\"_status\":{\"id\":\"s\"},"
        "\"code\":{\"id\":\"c\",\"text\":\"t\\u00e4\"}}");

    assert_string_equal(
        subset("{\"text\":{\"div\":\"d\"},\"resourceType\":\"Patient\","
               "\"_text\":1,\"unknown\":[ 1.0 ], \"meta\": {\"tag\":"
               "[{\"code\":\"SUBSETTED\"}]}}", HIE_SUMMARY_DATA, NULL),
        "{\"resourceType\":\"Patient\",\"_text\":1,\"unknown\":[ 1.0 ], "
        "\"meta\": {\"tag\":[{\"code\":\"SUBSETTED\"}]}}");
}


static void
test_elements(void **state)
{
    static const char  value[] =
        OBSERVATION_HEAD MODIFIER
        "\"status\":\"final\",\"_status\":{\"id\":\"s\"},"
        "\"code\":{\"id\":\"c\",\"text\":\"t\\u00e4\"},"
        "\"valueQuantity\":{\"value\":1.50,"
        "\"extension\":[{\"url\":\"u\"}]}}";

    static const char *const  names[] = {
        "value", "value[x]", "valueQuantity", " status , valueQuantity ",
        "Observation.value", "value.code", "Observation.value[x].code",
        "nothing,,value", "unknown,value,Patient.note"
    };

    size_t  i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_string_equal(subset(OBSERVATION, 0, names[i]), value);
    }

    /* has precedence; what goes with a primitive goes with it */
    assert_string_equal(
        subset("{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[{\"code\":"
               "\"SUBSETTED\"}]},\"birthDate\":\"2000\",\"_birthDate\":"
               "{\"id\":\"b\"},\"name\":[{\"family\":\"a\"}]}",
               HIE_SUMMARY_DATA, "birthDate"),
        "{\"resourceType\":\"Patient\",\"meta\":{\"tag\":[{\"code\":"
        "\"SUBSETTED\"}]},\"birthDate\":\"2000\",\"_birthDate\":"
        "{\"id\":\"b\"}}");
    assert_null(strstr(subset(OBSERVATION, 0, "identifier"), "value\""));
    assert_null(strstr(subset(OBSERVATION, 0, ""), "issued"));
}


/* Several resources in one edit; and nothing where there is none. */
static void
test_bundle(void **state)
{
    static const char  json[] =
        "{\"resourceType\":\"Bundle\",\"entry\":[ {\"resource\": "
        "{\"resourceType\":\"Patient\",\"id\":\"a\",\"active\":true}},"
        "{\"resource\":{\"resourceType\":\"X\",\"id\":\"b\"}},{},"
        "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"c\","
        "\"gender\":\"male\"}} ]}";

    hie_doc_t     *d = parse(json);
    hie_edit_t    *e = hie_edit_create(pool, d);
    hie_node_t     entry;
    hie_subset_t   s = { 0, HIE_STR("gender") };

    for (entry = hie_doc_first(d, hie_doc_member(d, 0, "entry"));
         entry != HIE_NODE_NONE; entry = hie_doc_next(d, entry))
    {
        hie_fhir_subset(e, d, hie_doc_member(d, entry, "resource"), &s,
                        pool);
    }

    assert_string_equal(
        hie_str_z(pool, hie_edit_apply(e, pool)),
        "{\"resourceType\":\"Bundle\",\"entry\":[ {\"resource\": "
        "{\"resourceType\":\"Patient\",\"id\":\"a\",\"meta\":{\"tag\":[" TAG
        "]}}},{\"resource\":{\"resourceType\":\"X\",\"id\":\"b\"}},{},"
        "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"c\","
        "\"meta\":{\"tag\":[" TAG "]},\"gender\":\"male\"}} ]}");
}


static void
test_pretty(void **state)
{
    static const char *const  cases[][2] = {
        { "{}", "{}\n" },
        { " [ ]\r\n", "[]\n" },
        { "{ \"a\" :1.50e-7,\"b\":[true,null , \"x\"],\"c\":{}}",
          "{\n  \"a\": 1.50e-7,\n  \"b\": [\n    true,\n    null,\n"
          "    \"x\"\n  ],\n  \"c\": {}\n}\n" },
        { "{\"a\\\"{:,\":\" [ \\\\\",\"b\\\\\":[{\"c\":[[]]}]}",
          "{\n  \"a\\\"{:,\": \" [ \\\\\",\n  \"b\\\\\": [\n    {\n"
          "      \"c\": [\n        []\n      ]\n    }\n  ]\n}\n" },
        { "\"a\"", "\"a\"\n" },
        { "1", "1\n" }
    };

    size_t      i;
    hie_str_t   out;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out = hie_fhir_pretty(pool, hie_str(cases[i][0]));
        assert_string_equal(hie_str_z(pool, out), cases[i][1]);
        assert_true(hie_str_eq(hie_fhir_pretty(pool, out), out));
        parse(cases[i][0]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_tag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_summary_true, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_summary_text_and_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_elements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bundle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pretty, set_up, tear_down)
    };

    int  rc;

    apr_initialize();
    rc = cmocka_run_group_tests_name("subset", tests, NULL, NULL);
    apr_terminate();

    return rc;
}
