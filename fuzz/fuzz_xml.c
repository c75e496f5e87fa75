/*
 * A resource as XML from bytes: refused with a reason, or JSON that parses;
 * which goes to XML and back without a change. The same bytes as narrative.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "xml/xml.h"

#define DEPTH  60

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


/* JSON -> XML -> JSON -> XML: the XML is the same. */
static void
back_and_forth(hie_str_t json, unsigned flags, apr_pool_t *pool)
{
    hie_doc_t    *d;
    hie_buf_t     xml, again;
    hie_str_t     back;
    hie_error_t   err;

    require(hie_doc_parse(pool, json, 2 * DEPTH + 1, &d, &err) == HIE_OK);
    hie_buf_init(&xml, pool, 0);
    require(hie_xml_from_json(d, 0, flags, &xml, &err) == HIE_OK);
    require(hie_xml_to_json(pool, hie_buf_str(&xml), DEPTH, HIE_XML_LOSSLESS,
                            &back, &err) == HIE_OK);

    require(hie_doc_parse(pool, back, 2 * DEPTH + 1, &d, &err) == HIE_OK);
    hie_buf_init(&again, pool, 0);
    require(hie_xml_from_json(d, 0, flags, &again, &err) == HIE_OK);
    require(hie_str_eq(hie_buf_str(&again), hie_buf_str(&xml)));
}


/* What is written of any JSON can be read. */
static void
from_json(hie_str_t bytes, unsigned flags, apr_pool_t *pool)
{
    hie_doc_t    *d;
    hie_buf_t     xml;
    hie_str_t     json;
    hie_error_t   err;

    if (hie_doc_parse(pool, bytes, DEPTH, &d, &err) != HIE_OK) {
        return;
    }

    hie_buf_init(&xml, pool, 0);
    if (hie_xml_from_json(d, 0, flags, &xml, &err) == HIE_OK) {
        require(hie_xml_to_json(pool, hie_buf_str(&xml), DEPTH,
                                HIE_XML_LOSSLESS, &json, &err) == HIE_OK);
    } else {
        require(xml.len == 0 && err.rc == HIE_UNPROCESSABLE);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool   started;
    unsigned      flags;
    apr_pool_t   *pool;
    hie_str_t     bytes = { (const char *) data, size }, json;
    hie_error_t   err = { .rc = 0 };

    if (!started) {
        apr_initialize();
        hie_xml_init();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");
    flags = size % 2 ? HIE_XML_PRETTY : 0;

    if (hie_xml_to_json(pool, bytes, DEPTH, 0, &json, &err) == HIE_OK) {
        back_and_forth(json, flags, pool);
    } else {
        require(err.rc != HIE_INTERNAL && err.detail[0] != '\0');
    }

    from_json(bytes, flags, pool);
    (void) hie_xhtml_check(bytes, &err);
    apr_pool_destroy(pool);

    return 0;
}
