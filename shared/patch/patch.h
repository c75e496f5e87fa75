/*
 * patch: changes of a resource as a document (R4 section 3.1.0.10). Pure.
 *
 * All or nothing: the result is new bytes, or an error and no result. Whether
 * the result is a valid resource, and still of the same type and id, is not
 * judged here; the caller does, as for an update.
 *
 * HIE_INVALID: the patch is not in shape. HIE_UNPROCESSABLE: it is, and cannot
 * be applied to this resource; a test that fails is one of these.
 * HIE_TOO_LARGE: over a limit below. HIE_TOO_COSTLY: more work than is
 * allowed. An error's `where` is the operation, counted from 0; the detail
 * names its path. No detail has anything of the resource in it.
 */

#ifndef HIE_PATCH_H
#define HIE_PATCH_H

#include "base/base.h"
#include "fhir/fhir.h"

/* The work for one patch: bytes that are read or written again and again, one
 * reading of the resource for each operation. */
#define HIE_PATCH_WORK_MAX        ((size_t) 256 << 20)

typedef struct {
    size_t  max_bytes;            /* of the result, also on the way there */
    int     max_depth;            /* of it, levels of JSON or XML */
    int     max_operations;
} hie_patch_limits_t;

/* 16 MB, 100 levels, 1000 operations: what NULL stands for. */
extern const hie_patch_limits_t  hie_patch_limits;


/*
 * JSON Patch (RFC 6902, with the pointers of RFC 6901). Bytes outside of a
 * change stay as they are, numbers keep their lexemes. Numbers are equal by
 * value up to 34 digits; longer ones if they are written alike. The error's
 * `where` is "operation[2]".
 */
hie_rc_t
hie_patch_json(const hie_doc_t *d, const hie_doc_t *patch,
               const hie_patch_limits_t *limits, apr_pool_t *pool,
               hie_str_t *out, hie_error_t *err);

/*
 * FHIRPath Patch (R4 section 3.1.0.10.1.1): `patch` is a Parameters resource.
 * A path may be any expression that selects elements of the resource; `now` is
 * for those that ask. The error's `where` is "Parameters.parameter[2]".
 *
 *   add      to one element; appends where the element repeats, else it must
 *            not be there yet
 *   insert   into the list that the path gives; an empty one is not found
 *   delete   one element, or nothing if the path gives nothing; an element
 *            that is left empty goes with it
 *   replace  one element, with its extensions; a choice may change its type
 *   move     within the list that the path gives
 */
hie_rc_t
hie_patch_fhirpath(const hie_doc_t *d, const hie_doc_t *patch,
                   const hie_patch_limits_t *limits, apr_time_t now,
                   apr_pool_t *pool, hie_str_t *out, hie_error_t *err);

/*
 * XML Patch (RFC 5261): both are XML, the result is too, in UTF-8. A selector
 * is an XPath 1.0 expression that gives one node; the prefixes f (FHIR) and h
 * (XHTML) need no declaration, a name without a prefix is in the default
 * namespace of the patch. Not done: replacing and removing the declaration of
 * a prefix, which no resource has. The error's `where` is "operation[2]".
 *
 * hie_xml_init of xml/xml.h must have been called.
 */
hie_rc_t
hie_patch_xml(hie_str_t xml, hie_str_t patch,
              const hie_patch_limits_t *limits, apr_pool_t *pool,
              hie_str_t *out, hie_error_t *err);

#endif
