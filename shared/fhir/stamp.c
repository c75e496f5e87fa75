/*
 * Id, version and time of a resource, set in its bytes.
 */

#include "fhir/doc.h"

#include <stdio.h>
#include <string.h>


static hie_str_t
quoted(apr_pool_t *pool, const char *text)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, strlen(text) + 3);
    hie_buf_add_json(&b, hie_str(text));

    return hie_buf_str(&b);
}


hie_rc_t
hie_fhir_stamp(const hie_doc_t *d, const char *id, int64_t version,
               apr_time_t updated, apr_pool_t *pool, hie_str_t *out,
               hie_error_t *err)
{
    char          instant[HIE_INSTANT_LEN + 1], number[24];
    hie_str_t     version_id, last_updated;
    hie_edit_t   *e;
    hie_buf_t     b;
    hie_node_t    meta;

    *out = HIE_STR_NONE;
    meta = hie_doc_member(d, 0, "meta");

    if (hie_doc_kind(d, 0) != HIE_NODE_OBJECT
        || (meta != HIE_NODE_NONE && hie_doc_kind(d, meta) != HIE_NODE_OBJECT)
        || !hie_fhir_is_id(hie_str(id)))
    {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource with meta as an object, and "
                        "a valid id for it");
    }

    snprintf(number, sizeof(number), "%lld", (long long) version);
    version_id = quoted(pool, number);
    hie_time_instant(instant, updated);
    last_updated = quoted(pool, instant);

    e = hie_edit_create(pool, d);
    hie_edit_set(e, 0, "id", quoted(pool, id), "resourceType");

    if (meta != HIE_NODE_NONE) {
        hie_edit_set(e, meta, "versionId", version_id, NULL);
        hie_edit_set(e, meta, "lastUpdated", last_updated, "versionId");

    } else {
        hie_buf_init(&b, pool, 96);
        hie_buf_addz(&b, "{\"versionId\":");
        hie_buf_adds(&b, version_id);
        hie_buf_addz(&b, ",\"lastUpdated\":");
        hie_buf_adds(&b, last_updated);
        hie_buf_addc(&b, '}');
        hie_edit_set(e, 0, "meta", hie_buf_str(&b), "id");
    }

    *out = hie_edit_apply(e, pool);

    return HIE_OK;
}
