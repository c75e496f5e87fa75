/*
 * xml: FHIR R4 as XML (R4 section 2.6.1) from and to FHIR as JSON (section
 * 2.6.2), by the type system of fhir/definitions.h; and the narrative's XHTML
 * (section 2.4.0). Pure: no I/O, no clock; from any thread.
 *
 * Both ways keep everything. Decimals keep their lexemes, strings every
 * character, a div its bytes. What differs and means the same:
 *
 *   XML -> JSON   comments and processing instructions outside of narrative,
 *                 and xsi:schemaLocation, have no place in JSON and are left
 *                 out; elements need not stand in the order of the definition
 *                 (HIE_XML_LOSSLESS: each of these is an error); an integer's
 *                 plus sign goes; a div that declares its namespace elsewhere
 *                 is written anew, with a default namespace
 *   JSON -> XML   what FHIR forbids because it says nothing is left out: an
 *                 empty object or array, null for a whole member, an array of
 *                 nulls; and what fills the shorter one of `name` and `_name`.
 *                 Elements come out in the order of the definition
 *
 * Whether values are right beyond that (formats, cardinalities other than one
 * or many, invariants) is not judged here.
 */

#ifndef HIE_XML_H
#define HIE_XML_H

#include "fhir/fhir.h"

#define HIE_XML_NS    "http://hl7.org/fhir"
#define HIE_XHTML_NS  "http://www.w3.org/1999/xhtml"

/* Deepest nesting of elements, whatever a caller asks for. */
#define HIE_XML_DEPTH_MAX  400

typedef enum {
    HIE_XML_PRETTY = 1,      /* writing: an element a line, narrative as is */
    HIE_XML_LOSSLESS = 2     /* reading: see above */
} hie_xml_flag_t;

/* Once in a process, before it has threads that use this room. Any number of
 * times is right. */
void
hie_xml_init(void);

/*
 * A resource from XML: UTF-8, no DOCTYPE, no entity but XML's five and
 * character references, at most `max_depth` elements deep; how long it may be
 * is the caller's to bound. `json` is new, in `pool`, and parses: it has two
 * levels for an element at most, and one for the resource.
 *
 * HIE_INVALID: not well-formed, or a wrong namespace, element, attribute,
 * repetition or text. `where` is the element ("Patient.name[1].given"),
 * the detail starts with its line. HIE_TOO_LARGE: over a bound.
 */
hie_rc_t
hie_xml_to_json(apr_pool_t *pool, hie_str_t xml, int max_depth,
                unsigned flags, hie_str_t *json, hie_error_t *err);

/*
 * The resource at `n` of a document as XML, with an XML declaration, added to
 * `out`; on an error `out` is as it was. Scratch memory is of out->pool.
 *
 * HIE_UNPROCESSABLE: a member that R4 does not define, a value of another
 * kind than its type's, a character that XML 1.0 does not have, a div that is
 * not well-formed; `where` is its place.
 */
hie_rc_t
hie_xml_from_json(const hie_doc_t *d, hie_node_t n, unsigned flags,
                  hie_buf_t *out, hie_error_t *err);

/*
 * XML of any kind: within the same bounds as a resource, for what reads it with
 * libxml2 then. HIE_INVALID or HIE_TOO_LARGE; `where` is empty.
 */
hie_rc_t
hie_xml_check(hie_str_t xml, int max_depth, hie_error_t *err);

/*
 * Narrative (Narrative.div, the string without JSON escapes): one div in the
 * XHTML namespace with the elements and attributes that section 2.4.0 permits,
 * nothing active, nothing that reaches outside but links and images; and not
 * empty. HIE_UNPROCESSABLE: the detail starts with the key of the rule that is
 * broken, "txt-1: " or "txt-2: ", and names line, element and attribute;
 * `where` is left empty, the caller knows it.
 */
hie_rc_t
hie_xhtml_check(hie_str_t div, hie_error_t *err);

#endif
