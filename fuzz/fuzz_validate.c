/*
 * A resource is judged without harm, every issue has a place in it, and the
 * OperationOutcome of them is itself valid. Of an array, what stands before
 * the last element are profiles and value sets for it.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "validation/private.h"

#define DEPTH       60
#define MAX_ADDED   8

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hie_validator_t  *shared;


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static int
validate(hie_validator_t *v, const hie_doc_t *d, hie_node_t n,
         const hie_validate_options_t *options, apr_pool_t *pool,
         hie_issues_t *out)
{
    hie_error_t  err = { .rc = 0 };
    hie_rc_t     rc;
    hie_str_t    whole = hie_doc_bytes(d), place;
    int          i;

    rc = hie_validate(v, d, n, options, pool, out, &err);
    require((rc == HIE_OK) == (out->n_errors == 0));
    require(rc == HIE_OK || (err.rc == rc && err.detail[0] != '\0'));
    require(out->more || out->n >= out->n_errors);

    for (i = 0; i < out->n; i++) {
        place = hie_doc_raw(d, out->issues[i].node);
        require(place.ptr >= whole.ptr
                && place.ptr + place.len <= whole.ptr + whole.len);
        require(out->issues[i].text.len > 0
                && hie_utf8_valid(out->issues[i].text)
                && hie_utf8_valid(out->issues[i].expression)
                && out->issues[i].line > 0);
        require(i == 0 || out->issues[i].node >= out->issues[i - 1].node);
    }

    return out->n_errors;
}


static void
outcome(const hie_issues_t *issues, apr_pool_t *pool)
{
    hie_issues_t   none;
    hie_error_t    err;
    hie_doc_t     *d;
    hie_str_t      text = hie_validation_outcome(pool, issues);

    require(hie_doc_parse(pool, text, DEPTH, &d, &err) == HIE_OK);
    require(validate(shared, d, 0, NULL, pool, &none) == 0);
}


/* Guards decide as the engine does, where structure is whole. */
static void
by_engine(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    hie_validate_options_t  options = { .flags = HIE_VALIDATE_WRITE };
    hie_issues_t            quick, engine;
    int                     i;

    validate(shared, d, n, &options, pool, &quick);
    for (i = 0; i < quick.n; i++) {
        if (quick.issues[i].rule.len == 0) {
            return;
        }
    }

    options.flags |= HIE_VALIDATE_ALL_BY_ENGINE;
    validate(shared, d, n, &options, pool, &engine);
    require(quick.n_errors == engine.n_errors
            && quick.n_warnings == engine.n_warnings);
}


static void
with_profiles(const hie_doc_t *d, apr_pool_t *pool)
{
    hie_validator_t         *v = hie_validator_create(pool, NULL);
    hie_str_t                asked[MAX_ADDED];
    hie_validate_options_t   options = { .flags = HIE_VALIDATE_ALL,
                                         .profiles = asked };
    hie_issues_t             issues;
    hie_error_t              err;
    hie_node_t               n, next;

    for (n = hie_doc_first(d, 0); n != HIE_NODE_NONE; n = next) {
        next = hie_doc_next(d, n);

        if (next == HIE_NODE_NONE) {
            hie_validator_ready(v, &err);
            validate(v, d, n, &options, pool, &issues);
            outcome(&issues, pool);

        } else if (options.n_profiles < MAX_ADDED) {
            asked[options.n_profiles] = hie_doc_get(d, n, "url", pool);
            options.n_profiles +=
                hie_validator_add(v, hie_doc_sub(pool, d, n), &err) == HIE_OK;
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t              *pool;
    hie_validate_options_t   options = { .flags = HIE_VALIDATE_ALL,
                                         .max_issues = 20 };
    hie_issues_t             issues;
    hie_doc_t               *d;
    hie_error_t              err;
    hie_str_t                bytes = { (const char *) data, size };

    if (shared == NULL) {
        apr_initialize();
        shared = hie_validator_create(hie_pool_create(NULL, "shared"), NULL);
    }

    pool = hie_pool_create(NULL, "fuzz");

    if (hie_doc_parse(pool, bytes, DEPTH, &d, &err) == HIE_OK) {
        if (hie_doc_kind(d, 0) == HIE_NODE_ARRAY) {
            with_profiles(d, pool);
        } else {
            validate(shared, d, 0, &options, pool, &issues);
            outcome(&issues, pool);
            by_engine(d, 0, pool);
        }
    }

    apr_pool_destroy(pool);

    return 0;
}
