/*
 * An expression against documents that stand fixed: refused with a place, or
 * evaluated within its steps, the same way twice, and as a condition to what
 * its result says.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fhirpath/fhirpath.h"

#define STEPS  20000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char  patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p\",\"active\":true,"
    "\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\","
    "\"name\":\"\\u00d6 \\\"1\\\"\"}],"
    "\"name\":[{\"family\":\"Test\",\"given\":[null,\"B\\u0041\"],"
    "\"_given\":[{\"extension\":[{\"url\":\"http://x\","
    "\"valueQuantity\":{\"value\":1.50,\"system\":"
    "\"http://unitsofmeasure.org\",\"code\":\"mg\"}}]},null]}],"
    "\"birthDate\":\"1970-02\",\"_birthDate\":{\"id\":\"b\"},"
    "\"deceasedDateTime\":\"2020-02-29T23:59:60.5+14:00\","
    "\"multipleBirthInteger\":3,"
    "\"managingOrganization\":{\"reference\":\"#o\"}}";

static const char  bundle[] =
    "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"total\":-0,"
    "\"entry\":[{\"fullUrl\":\"urn:uuid:1\",\"resource\":"
    "{\"resourceType\":\"Observation\",\"id\":\"1\",\"status\":\"final\","
    "\"subject\":{\"reference\":\"urn:uuid:2\"},"
    "\"valueSampledData\":{\"period\":1e-3}}},"
    "{\"fullUrl\":\"urn:uuid:2\",\"resource\":"
    "{\"resourceType\":\"Patient\",\"id\":\"2\",\"name\":\"wrong\","
    "\"birthDate\":\"never\"}}]}";


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_items(const hie_fhirpath_list_t *list, apr_pool_t *pool)
{
    size_t               i;
    hie_str_t            text;
    hie_fhirpath_item_t  v;

    for (i = 0; i < list->n && i < 100; i++) {
        require(list->items[i].kind != 0);
        require(hie_fhirpath_type_name(&list->items[i]) != NULL);
        text = hie_fhirpath_text(&list->items[i], pool);
        require(hie_utf8_valid(text));
        if (hie_fhirpath_value(&list->items[i], pool, &v)) {
            require(v.kind != 0 && v.kind != HIE_FHIRPATH_NODE);
        }
    }
}


/* A condition is what the result says, whether or not it was found on a
 * shorter way. */
static void
check_truth(const hie_fhirpath_list_t *list, hie_fhirpath_truth_t truth,
            apr_pool_t *pool)
{
    hie_fhirpath_item_t  v;

    if (list->n == 1 && hie_fhirpath_value(&list->items[0], pool, &v)
        && v.kind == HIE_FHIRPATH_BOOLEAN)
    {
        require(truth == (v.boolean ? HIE_FHIRPATH_TRUE
                                    : HIE_FHIRPATH_FALSE));
    }

    require(list->n > 0 || truth == HIE_FHIRPATH_EMPTY);
}


static void
evaluate(const hie_fhirpath_t *fp, const char *json, hie_str_t *shown,
         apr_pool_t *pool)
{
    size_t                i;
    hie_rc_t              rc;
    hie_doc_t            *d;
    hie_buf_t             b;
    hie_error_t           err = { .rc = 0 };
    hie_fhirpath_env_t    env = { .pool = pool, .steps = STEPS };
    hie_fhirpath_item_t   focus;
    hie_fhirpath_list_t   list;
    hie_fhirpath_truth_t  truth;

    require(hie_doc_parse(pool, hie_str(json), 20, &d, NULL) == HIE_OK);
    focus = hie_fhirpath_resource(d, 0);
    env.now = INT64_C(1700000000000000);

    hie_buf_init(&b, pool, 256);
    rc = hie_fhirpath_eval(fp, &env, &focus, &list, &err);
    if (rc == HIE_OK) {
        check_items(&list, pool);
        for (i = 0; i < list.n && i < 100; i++) {
            hie_buf_adds(&b, hie_fhirpath_text(&list.items[i], pool));
        }

        if (hie_fhirpath_test(fp, &env, &focus, &truth, &err) == HIE_OK) {
            check_truth(&list, truth, pool);
        }

    } else {
        require((rc == HIE_INVALID || rc == HIE_TOO_COSTLY) && err.rc == rc
                && err.detail[0] != '\0' && err.where[0] != '\0');
    }

    *shown = hie_buf_str(&b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool             started;
    hie_rc_t                rc;
    hie_str_t               text = { (const char *) data, size }, a, b;
    apr_pool_t             *pool;
    hie_error_t             err = { .rc = 0 };
    hie_fhirpath_t         *fp, *typed;
    hie_fhirpath_options_t  options = { HIE_TYPE_Patient, false };

    if (!started) {
        apr_initialize();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");
    rc = hie_fhirpath_compile(pool, text, NULL, &fp, &err);
    if (rc != HIE_OK) {
        require(rc == HIE_INVALID && err.rc == rc && err.detail[0] != '\0');

    } else {
        require(hie_str_eq(hie_fhirpath_source(fp), text));
        require(hie_fhirpath_compile(pool, text, &options, &typed, &err)
                == HIE_OK);
        evaluate(fp, patient, &a, pool);
        evaluate(typed, patient, &b, pool);
        require(hie_str_eq(a, b));
        evaluate(typed, bundle, &b, pool);
    }

    apr_pool_destroy(pool);

    return 0;
}
