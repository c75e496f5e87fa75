/*
 * Frames: the first byte of the input is the size of the pieces. However the
 * bytes are cut, the same frames come out.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "hl7v2/hl7v2.h"

#define MAX_MESSAGE  200

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* All frames, each behind its length; the result that ended it. */
static hie_rc_t
run(apr_pool_t *pool, hie_str_t all, size_t piece, hie_buf_t *out)
{
    hie_mllp_t   m;
    hie_str_t    in;
    hie_str_t    frame;
    hie_error_t  err;
    hie_rc_t     rc = HIE_NOT_FOUND;
    size_t       pos;

    hie_mllp_init(&m, pool, MAX_MESSAGE);
    for (pos = 0; pos < all.len && rc == HIE_NOT_FOUND; pos += piece) {
        in.ptr = all.ptr + pos;
        in.len = all.len - pos < piece ? all.len - pos : piece;
        while ((rc = hie_mllp_feed(&m, &in, &frame, &err)) == HIE_OK) {
            if (frame.len > MAX_MESSAGE) {
                abort();
            }
            hie_buf_addf(out, "%lu:", (unsigned long) frame.len);
            hie_buf_adds(out, frame);
            hie_mllp_rest(&m);
        }
        if (rc == HIE_NOT_FOUND && in.len > 0) {
            abort();
        }
    }
    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool         ready;
    apr_pool_t         *pool;
    hie_str_t           all;
    hie_buf_t           whole;
    hie_buf_t           pieces;
    hie_rc_t            rc;

    if (!ready) {
        apr_initialize();
        ready = true;
    }
    if (size < 1) {
        return 0;
    }
    pool = hie_pool_create(NULL, "one");
    all = (hie_str_t) { (const char *) data + 1, size - 1 };
    hie_buf_init(&whole, pool, 64);
    hie_buf_init(&pieces, pool, 64);
    rc = run(pool, all, size, &whole);
    if (run(pool, all, (size_t) data[0] % 32 + 1, &pieces) != rc
        || !hie_str_eq(hie_buf_str(&whole), hie_buf_str(&pieces)))
    {
        abort();
    }
    apr_pool_destroy(pool);
    return 0;
}
