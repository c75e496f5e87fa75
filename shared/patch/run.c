/*
 * The document from operation to operation. Each change makes new bytes and
 * reads them again: what holds for a document that came in (its depth, no
 * name twice) then holds for the result, and no second kind of tree is
 * needed. The work is bounded.
 */

#include "patch/private.h"

#include <string.h>

const hie_patch_limits_t  hie_patch_limits = {
    .max_bytes = 16 << 20,
    .max_depth = 100,
    .max_operations = 1000
};


void
hie_patch_start(hie_patch_run_t *run, const hie_doc_t *d,
                const hie_patch_limits_t *limits, apr_pool_t *pool,
                hie_error_t *err)
{
    memset(run, 0, sizeof(*run));
    run->limits = limits != NULL ? limits : &hie_patch_limits;
    run->doc = d;
    run->scratch = hie_pool_create(pool, "patch");
    run->held = hie_pool_create(pool, "patch");
    run->err = err;
}


hie_rc_t
hie_patch_charge(hie_patch_run_t *run, size_t bytes)
{
    if (bytes > HIE_PATCH_WORK_MAX - run->work) {
        return hie_fail(run->err, HIE_TOO_COSTLY, run->where,
                        "The patch takes too much work for a resource of this "
                        "size.");
    }

    run->work += bytes;

    return HIE_OK;
}


hie_rc_t
hie_patch_apply(hie_patch_run_t *run, hie_edit_t *e)
{
    hie_str_t    bytes = hie_edit_apply(e, run->scratch);
    apr_pool_t  *old = run->held;
    hie_doc_t   *d;
    hie_rc_t     rc;

    if (bytes.len > run->limits->max_bytes) {
        return hie_fail(run->err, HIE_TOO_LARGE, run->where,
                        "The resource would have more than %lu bytes.",
                        (unsigned long) run->limits->max_bytes);
    }

    rc = hie_patch_charge(run, bytes.len);

    if (rc != HIE_OK) {
        return rc;
    }

    /* of a root that is replaced by itself or by a part of it, the bytes are
     * the old ones, or the patch's */
    bytes = hie_str_dup(run->scratch, bytes);

    /* both are documents that parse, so it can only be nested too deep */
    if (hie_doc_parse(run->scratch, bytes, run->limits->max_depth, &d, NULL)
        != HIE_OK)
    {
        return hie_fail(run->err, HIE_TOO_LARGE, run->where,
                        "The resource would be nested deeper than %d levels.",
                        run->limits->max_depth);
    }

    run->doc = d;
    run->held = run->scratch;
    run->scratch = old;
    apr_pool_clear(old);

    return HIE_OK;
}


void
hie_patch_finish(hie_patch_run_t *run, apr_pool_t *pool, hie_str_t *out)
{
    *out = hie_str_dup(pool, hie_doc_bytes(run->doc));
    hie_patch_end(run);
}


void
hie_patch_end(hie_patch_run_t *run)
{
    apr_pool_destroy(run->scratch);
    apr_pool_destroy(run->held);
}
