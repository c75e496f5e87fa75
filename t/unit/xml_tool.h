/*
 * What the tests of xml compare by.
 */

#ifndef XML_TOOL_H
#define XML_TOOL_H

#include "xml/xml.h"

/* The same values: members in any order, numbers by their lexemes, strings by
 * their characters; null in an array is the same as nothing there. */
bool
same_json(apr_pool_t *pool, const hie_doc_t *a, hie_node_t na,
          const hie_doc_t *b, hie_node_t nb);

/* Canonical XML 1.1 without comments, and without white space between the
 * elements of FHIR. */
hie_str_t
canonical_xml(apr_pool_t *pool, hie_str_t xml);

/* Fails the test if it does not parse. */
hie_doc_t *
parse_json(apr_pool_t *pool, hie_str_t bytes);
/* Fail the test if they fail. */
hie_str_t
to_json(apr_pool_t *pool, hie_str_t xml);
hie_str_t
to_xml(apr_pool_t *pool, const hie_doc_t *d, unsigned flags);

/* JSON -> XML -> JSON, compact and pretty, with the same values; and the
 * second XML is the same as the first. */
void
there_and_back(apr_pool_t *pool, const hie_doc_t *d);

#endif
