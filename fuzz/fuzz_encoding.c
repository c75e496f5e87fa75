/*
 * A coded body from bytes: the first byte chooses the coding; what comes out
 * is bounded, whatever comes in.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "exchange/private.h"

#define MOST  100000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static hie_rc_t
count(void *baton, const char *ptr, size_t len, hie_error_t *err)
{
    size_t  *done = baton;

    *done += len;
    if (*done > MOST || len == 0) {
        abort();
    }

    return HIE_OK;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           done = 0;
    hie_rc_t         rc;
    apr_pool_t      *pool;
    hie_error_t      err = { .rc = 0 };
    hie_content_t    in;
    static const hie_coding_t  codings[] = {
        HIE_CODING_GZIP, HIE_CODING_DEFLATE, HIE_CODING_ZSTD
    };

    if (size == 0) {
        return 0;
    }

    apr_initialize();
    pool = hie_pool_create(NULL, "fuzz");
    in = (hie_content_t) { (const char *) data + 1, -1, (int64_t) size - 1 };
    rc = hie_decode(codings[data[0] % 3], &in, MOST, count, &done, pool,
                    &err);
    if (rc != HIE_OK && rc != HIE_INVALID && rc != HIE_TOO_LARGE) {
        abort();
    }

    apr_pool_destroy(pool);
    return 0;
}
