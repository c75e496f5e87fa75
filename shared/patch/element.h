/*
 * Elements in the JSON of a resource, where a primitive is in two places (R4
 * section 2.6.2.2), for FHIRPath Patch.
 */

#ifndef HIE_PATCH_ELEMENT_H
#define HIE_PATCH_ELEMENT_H

#include "patch/private.h"
#include "fhir/definitions.h"

/* What an operation puts in. */
typedef struct {
    hie_str_t  json;        /* ptr NULL: a primitive without a value */
    hie_str_t  sibling;     /* its id and extensions, or ptr NULL */
    hie_str_t  suffix;      /* "Quantity" of valueQuantity; else empty */
} hie_patch_value_t;

/* Where an element is: a member of an object, or one of the elements of such
 * a member. */
typedef struct {
    hie_node_t  object;
    hie_str_t   name;       /* of the member with the value */
    hie_node_t  values;     /* the members `name` and `_name`, or NONE */
    hie_node_t  siblings;
    bool        list;
    bool        sibling;    /* the node looked for is in `_name` */
    size_t      index;      /* in the list */
    size_t      count;      /* of the list, else 1 */
} hie_patch_place_t;

/* The place of a node other than the root. False: it is in no member, or the
 * one of the two members is a list and the other none; this is no FHIR. */
bool
hie_patch_locate(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool,
                 hie_patch_place_t *out);
/* The place of a member that may not be there yet. */
bool
hie_patch_member(const hie_doc_t *d, hie_node_t object, hie_str_t name,
                 apr_pool_t *pool, hie_patch_place_t *out);

/* Changes at a place, collected in `e`. A list has only what can be counted:
 * `index` and `to` are in range. */
void
hie_patch_set(hie_patch_run_t *run, hie_edit_t *e,
              const hie_patch_place_t *place, const hie_patch_value_t *value);
void
hie_patch_insert(hie_patch_run_t *run, hie_edit_t *e,
                 const hie_patch_place_t *place, size_t index,
                 const hie_patch_value_t *value);
void
hie_patch_move(hie_patch_run_t *run, hie_edit_t *e,
               const hie_patch_place_t *place, size_t from, size_t to);
/* With what it leaves empty. `sibling_only`: the value stays. False: as
 * hie_patch_locate. */
bool
hie_patch_delete(hie_patch_run_t *run, hie_edit_t *e,
                 const hie_patch_place_t *place, bool sibling_only);

/* The content of a part named "value": of a value[x], of a resource, or of
 * parts, which are the elements of `type`. */
hie_rc_t
hie_patch_read_value(hie_patch_run_t *run, const hie_doc_t *patch,
                     hie_node_t part, hie_type_t type,
                     hie_patch_value_t *out);
hie_str_t
hie_patch_suffix(const hie_doc_t *patch, hie_node_t part, apr_pool_t *pool);
/* The row of an element by its name as a patch gives it, "value" with the
 * suffix "Quantity" or "valueQuantity"; NULL: there is none. */
const hie_element_t *
hie_patch_row(hie_type_t type, hie_str_t name, hie_str_t suffix,
              apr_pool_t *pool);

#endif
