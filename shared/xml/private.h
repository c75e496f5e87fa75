/*
 * What the files of this room share: XML read as events, by libxml2's SAX2.
 */

#ifndef HIE_XML_PRIVATE_H
#define HIE_XML_PRIVATE_H

#include <libxml/parser.h>

#include "xml/xml.h"

/* Attributes of one tag, and namespaces that one tag declares. What the
 * parser does with them takes the square of their number. */
#define HIE_XML_ATTRIBUTES_MAX  64
#define HIE_XML_NAMESPACES_MAX  8

/* An attribute as SAX2 gives it: five pointers. */
typedef struct {
    const xmlChar  *name;
    const xmlChar  *prefix;
    const xmlChar  *uri;
    const xmlChar  *value;
    const xmlChar  *end;
} hie_xml_attr_t;

/* The first member of what a handler's callbacks get. Set before parsing:
 * bytes, max_depth; the rest is 0. */
typedef struct {
    hie_str_t         bytes;
    int               max_depth;
    int               depth;       /* elements that are open */
    xmlParserCtxtPtr  ctxt;
    hie_error_t       err;         /* .rc is 0 as long as all is well */
} hie_xml_sax_t;

/* Bytes to events. The handler has any of startElementNs, endElementNs,
 * characters, cdataBlock, comment and processingInstruction; the callbacks of
 * elements begin with the two functions below, the others with a look at
 * err.rc: events may still come after an error. */
hie_rc_t
hie_xml_parse(hie_xml_sax_t *x, const xmlSAXHandler *handler);

/* False: over a bound, or already failed. */
bool
hie_xml_enter(hie_xml_sax_t *x, int namespaces);
bool
hie_xml_leave(hie_xml_sax_t *x);

/* The first error counts; its line is put in front of the detail, which
 * starts with `rule` where it is not NULL. The parser stops: the values of
 * attributes are gone when this returns. */
void
hie_xml_refuse(hie_xml_sax_t *x, hie_rc_t rc, const char *rule,
               const char *where, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* In the callbacks of an element: where its tag starts, where it ends. */
size_t
hie_xml_tag_start(const hie_xml_sax_t *x);
size_t
hie_xml_tag_end(const hie_xml_sax_t *x);

hie_str_t
hie_xml_str(const xmlChar *z);

/* Text between tags, or with `quoted` in an attribute's value. */
void
hie_xml_put_text(hie_buf_t *b, hie_str_t s, bool quoted);

/* The string is a div of the XHTML namespace with nothing but white space
 * around it, and well-formed: it can stand in XML as it is. `out` is the div
 * alone. */
hie_rc_t
hie_xml_div(hie_str_t div, hie_str_t *out, hie_error_t *err);

#endif
