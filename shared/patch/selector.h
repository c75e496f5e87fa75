/*
 * Selectors of XML Patch (RFC 5261 section 4.1), for the files of this room
 * only.
 */

#ifndef HIE_PATCH_SELECTOR_H
#define HIE_PATCH_SELECTOR_H

#include "patch/patch.h"

/* Bytes of a selector; and by that its steps. */
#define HIE_PATCH_SELECTOR_MAX    1024

/* The prefix that stands for the default namespace of the patch. */
#define HIE_PATCH_DEFAULT_PREFIX  "default-namespace-of-the-patch"

/* A selector is a path along child elements, each with any number of
 * predicates, and at the end perhaps an attribute, a text, a comment or a
 * processing instruction:
 *
 *   path       ["/"] step {"/" step}
 *   step       ("*" | [prefix ":"] name | [prefix ":"] "*") {predicate}
 *   last step  also "@" name, text(), comment(), processing-instruction()
 *   predicate  "[" number "]", "[" what "]", "[" what "=" literal "]"
 *   what       ".", "@" name, or names with "/" between, "@" name at the end
 *
 * That much of XPath takes time that is bounded by the size of the document
 * and the number of predicates; functions and further axes are refused. None
 * of it gives the document itself or a namespace.
 * `out` is the same as XPath 1.0, where a name of an element without a prefix
 * has HIE_PATCH_DEFAULT_PREFIX if `prefixed`. `costs` is how often the
 * document may be gone through. */
hie_rc_t
hie_patch_selector(hie_str_t text, bool prefixed, const char *where,
                   hie_buf_t *out, size_t *costs, hie_error_t *err);

#endif
