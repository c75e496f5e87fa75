/*
 * A resource and, after the first line feed, a patch of it: JSON Patch,
 * FHIRPath Patch or XML Patch. Refused with a reason, or turned into what is
 * within the limits and can be patched again.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "patch/patch.h"
#include "xml/xml.h"

#define DEPTH  20

static const hie_patch_limits_t  limits = {
    .max_bytes = 100000, .max_depth = DEPTH, .max_operations = 20
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static hie_rc_t
patch_json(const hie_doc_t *d, const hie_doc_t *patch, apr_pool_t *pool,
           hie_str_t *out, hie_error_t *err)
{
    return hie_doc_kind(patch, 0) == HIE_NODE_ARRAY
           ? hie_patch_json(d, patch, &limits, pool, out, err)
           : hie_patch_fhirpath(d, patch, &limits, 0, pool, out, err);
}


static hie_rc_t
json(hie_str_t bytes, hie_str_t patch, apr_pool_t *pool, hie_error_t *err)
{
    hie_doc_t  *d, *p;
    hie_str_t   out, again;
    hie_rc_t    rc;

    if (hie_doc_parse(pool, bytes, DEPTH, &d, err) != HIE_OK
        || hie_doc_parse(pool, patch, DEPTH, &p, err) != HIE_OK)
    {
        return HIE_OK;
    }

    rc = patch_json(d, p, pool, &out, err);
    require((rc == HIE_OK) == (out.ptr != NULL));

    if (rc == HIE_OK) {
        require(hie_doc_parse(pool, out, DEPTH, &d, NULL) == HIE_OK);
        require(out.len <= limits.max_bytes || out.len <= bytes.len);
        (void) patch_json(d, p, pool, &again, NULL);
    }

    return rc;
}


static hie_rc_t
xml(hie_str_t bytes, hie_str_t patch, apr_pool_t *pool, hie_error_t *err)
{
    hie_str_t  out, again;
    hie_rc_t   rc = hie_patch_xml(bytes, patch, &limits, pool, &out, err);

    require((rc == HIE_OK) == (out.ptr != NULL));

    if (rc == HIE_OK) {
        require(out.len <= limits.max_bytes && hie_utf8_valid(out));
        (void) hie_patch_xml(out, patch, &limits, pool, &again, NULL);
    }

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool   started;
    apr_pool_t   *pool;
    hie_error_t   err;
    hie_str_t     bytes = { (const char *) data, size }, patch;
    hie_rc_t      rc;

    if (!started) {
        apr_initialize();
        hie_xml_init();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");
    memset(&err, 0, sizeof(err));
    bytes = hie_str_split(bytes, '\n', &patch);

    if (bytes.len > 0 && bytes.ptr[0] == '<') {
        rc = xml(bytes, patch, pool, &err);

    } else {
        rc = json(bytes, patch, pool, &err);
    }

    if (rc != HIE_OK) {
        require(err.rc == rc && err.detail[0] != '\0');
        require(rc != HIE_INTERNAL);
    }

    apr_pool_destroy(pool);

    return 0;
}
