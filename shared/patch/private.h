/*
 * What the patches of JSON have in common, for the files of this room only.
 */

#ifndef HIE_PATCH_PRIVATE_H
#define HIE_PATCH_PRIVATE_H

#include "patch/patch.h"

/* The document on its way from operation to operation. */
typedef struct {
    const hie_patch_limits_t  *limits;
    const hie_doc_t           *doc;       /* as it is now */
    apr_pool_t                *scratch;   /* of this operation */
    apr_pool_t                *held;      /* of `doc` */
    size_t                     work;
    char                       where[64]; /* the operation, for errors */
    hie_error_t               *err;
} hie_patch_run_t;

void
hie_patch_start(hie_patch_run_t *run, const hie_doc_t *d,
                const hie_patch_limits_t *limits, apr_pool_t *pool,
                hie_error_t *err);
/* HIE_OK while there is work left. */
hie_rc_t
hie_patch_charge(hie_patch_run_t *run, size_t bytes);
/* What the edit makes of it is the document from now on; what came out of the
 * old one and out of `scratch` is gone. */
hie_rc_t
hie_patch_apply(hie_patch_run_t *run, hie_edit_t *e);
/* The bytes in `pool`, and the end. */
void
hie_patch_finish(hie_patch_run_t *run, apr_pool_t *pool, hie_str_t *out);
/* Without a result. */
void
hie_patch_end(hie_patch_run_t *run);

/* JSON Pointer (RFC 6901). */
typedef struct {
    hie_node_t  parent;      /* NONE: the pointer is the root's */
    hie_node_t  node;        /* NONE: not there */
    hie_str_t   token;       /* the last one, without escapes */
    size_t      index;       /* in an array; of "-", the number of elements */
    bool        valid;       /* the parent is an object, or an array and the
                                token an index or "-" */
} hie_patch_target_t;

bool
hie_patch_pointer_is(hie_str_t pointer);
/* False: a parent is not there, `parent` is the last one that is. */
bool
hie_patch_pointer(const hie_doc_t *d, hie_str_t pointer, apr_pool_t *pool,
                  hie_patch_target_t *out);

/* Equality of JSON values (RFC 6902 section 4.6). */
hie_rc_t
hie_patch_equal(hie_patch_run_t *run, hie_node_t a, const hie_doc_t *d,
                hie_node_t b, bool *equal);

#endif
