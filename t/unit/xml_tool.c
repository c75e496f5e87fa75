#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <libxml/c14n.h>
#include <libxml/parser.h>

#include "xml_tool.h"


static hie_node_t
some(const hie_doc_t *d, hie_node_t n)
{
    return hie_doc_kind(d, n) == HIE_NODE_NULL ? HIE_NODE_NONE : n;
}


static bool
same_arrays(apr_pool_t *pool, const hie_doc_t *a, hie_node_t na,
            const hie_doc_t *b, hie_node_t nb)
{
    hie_node_t  ca = hie_doc_first(a, na), cb = hie_doc_first(b, nb);

    while (ca != HIE_NODE_NONE || cb != HIE_NODE_NONE) {
        if (!same_json(pool, a, some(a, ca), b, some(b, cb))) {
            return false;
        }
        ca = hie_doc_next(a, ca);
        cb = hie_doc_next(b, cb);
    }

    return true;
}


static hie_node_t
like(apr_pool_t *pool, const hie_doc_t *a, hie_node_t c, const hie_doc_t *b,
     hie_node_t nb)
{
    return hie_doc_member(b, nb, hie_str_z(pool, hie_doc_name(a, c, pool)));
}


static bool
same_objects(apr_pool_t *pool, const hie_doc_t *a, hie_node_t na,
             const hie_doc_t *b, hie_node_t nb)
{
    hie_node_t  c;

    for (c = hie_doc_first(a, na); c != HIE_NODE_NONE;
         c = hie_doc_next(a, c))
    {
        if (!same_json(pool, a, c, b, like(pool, a, c, b, nb))) {
            return false;
        }
    }

    /* what only the other has: an array of nulls at most */
    for (c = hie_doc_first(b, nb); c != HIE_NODE_NONE;
         c = hie_doc_next(b, c))
    {
        if (like(pool, b, c, a, na) == HIE_NODE_NONE
            && !same_json(pool, a, HIE_NODE_NONE, b, c))
        {
            return false;
        }
    }

    return true;
}


bool
same_json(apr_pool_t *pool, const hie_doc_t *a, hie_node_t na,
          const hie_doc_t *b, hie_node_t nb)
{
    hie_node_kind_t  ka = hie_doc_kind(a, na), kb = hie_doc_kind(b, nb);

    if (ka == HIE_NODE_ARRAY || kb == HIE_NODE_ARRAY) {
        return (ka == kb || ka == 0 || kb == 0)
               && same_arrays(pool, a, na, b, nb);
    }

    if (ka != kb) {
        return false;
    }

    switch (ka) {
    case HIE_NODE_OBJECT:
        return same_objects(pool, a, na, b, nb);
    case HIE_NODE_STRING:
        return hie_str_eq(hie_doc_string(a, na, pool),
                          hie_doc_string(b, nb, pool));
    default:
        return hie_str_eq(hie_doc_raw(a, na), hie_doc_raw(b, nb));
    }
}


static void
remove_blanks(xmlNodePtr node)
{
    xmlNodePtr  child, next;

    if (node->ns == NULL
        || strcmp((const char *) node->ns->href, HIE_XML_NS) != 0)
    {
        return;
    }

    for (child = node->children; child != NULL; child = next) {
        next = child->next;
        if (xmlIsBlankNode(child)) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        } else if (child->type == XML_ELEMENT_NODE) {
            remove_blanks(child);
        }
    }
}


hie_str_t
canonical_xml(apr_pool_t *pool, hie_str_t xml)
{
    int        len;
    hie_str_t  out;
    xmlChar   *bytes;
    xmlDocPtr  doc;

    doc = xmlReadMemory(xml.ptr, (int) xml.len, NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_HUGE);
    assert_non_null(doc);
    remove_blanks(xmlDocGetRootElement(doc));
    len = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_1, NULL, 0, &bytes);
    assert_true(len > 0);
    out = hie_str_dup(pool, (hie_str_t) { (const char *) bytes,
                                          (size_t) len });
    xmlFree(bytes);
    xmlFreeDoc(doc);

    return out;
}


hie_doc_t *
parse_json(apr_pool_t *pool, hie_str_t bytes)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(pool, bytes, 1000, &d, &err) != HIE_OK) {
        fail_msg("%s: %s in %.*s", err.where, err.detail,
                 (int) (bytes.len < 2000 ? bytes.len : 2000), bytes.ptr);
    }

    return d;
}


hie_str_t
to_json(apr_pool_t *pool, hie_str_t xml)
{
    hie_str_t    json;
    hie_error_t  err;

    if (hie_xml_to_json(pool, xml, 500, 0, &json, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return json;
}


hie_str_t
to_xml(apr_pool_t *pool, const hie_doc_t *d, unsigned flags)
{
    hie_buf_t    b;
    hie_error_t  err;

    hie_buf_init(&b, pool, 0);
    if (hie_xml_from_json(d, 0, flags, &b, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return hie_buf_str(&b);
}


void
there_and_back(apr_pool_t *pool, const hie_doc_t *d)
{
    hie_str_t   xml, pretty, json;
    hie_doc_t  *again;

    xml = to_xml(pool, d, 0);
    json = to_json(pool, xml);
    again = parse_json(pool, json);
    if (!same_json(pool, d, 0, again, 0)) {
        fail_msg("not the same: %.*s",
                 (int) (json.len < 2000 ? json.len : 2000), json.ptr);
    }

    assert_true(hie_str_eq(to_xml(pool, again, 0), xml));

    pretty = to_xml(pool, d, HIE_XML_PRETTY);
    assert_true(hie_str_eq(to_json(pool, pretty), json));
    assert_true(hie_str_eq(canonical_xml(pool, pretty),
                           canonical_xml(pool, xml)));
}
