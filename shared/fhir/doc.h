/*
 * The tape, for the files of this room only.
 *
 * One node for every JSON value, in the order of the text; the children of a
 * container follow it. A member's name has no node of its own: the value
 * knows where its name starts, and the name ends at its closing quote.
 */

#ifndef HIE_FHIR_DOC_H
#define HIE_FHIR_DOC_H

#include "fhir/fhir.h"

#define HIE_DOC_OFFSET_BITS  28

/* Longest text: offsets must fit. */
#define HIE_DOC_BYTES_MAX    (((size_t) 1 << HIE_DOC_OFFSET_BITS) - 1)

/* Deepest nesting, whatever a caller asks for: edits recurse over it. */
#define HIE_DOC_DEPTH_MAX    1000

#define HIE_TAPE_ESCAPED       1  /* the string has a backslash */
#define HIE_TAPE_NAME_ESCAPED  2  /* the member's name has one */
#define HIE_TAPE_MEMBER        4  /* a member of an object: `name` is valid */
#define HIE_TAPE_LAST          8  /* no further sibling */

typedef struct {
    uint32_t  start : HIE_DOC_OFFSET_BITS;  /* first byte of the value */
    uint32_t  kind  : 4;
    uint32_t  len   : HIE_DOC_OFFSET_BITS;  /* bytes, quotes included */
    uint32_t  flags : 4;
    uint32_t  name;                         /* first byte after the quote */
    uint32_t  size;                         /* nodes of the whole subtree */
} hie_tape_t;

struct hie_doc_t {
    const char        *text;     /* what the offsets count from */
    const hie_tape_t  *nodes;    /* nodes[0] is the root */
};

/* Resolves the escapes of a span that the parser has accepted. */
hie_str_t
hie_doc_unescape(apr_pool_t *pool, hie_str_t raw);

/* Calls `fn` for every value that a path leads to from `n`. A path is element
 * names with dots between; arrays are walked through; '|' separates paths. */
typedef void hie_path_fn(void *baton, const hie_doc_t *d, hie_node_t n);

void
hie_doc_path(const hie_doc_t *d, hie_node_t n, hie_str_t path,
             hie_path_fn *fn, void *baton);

#endif
