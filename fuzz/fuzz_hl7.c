/*
 * Messages: parsed and walked, acknowledged, transformed. The acknowledgement
 * of anything is a message of two or three segments; what is transformed is
 * JSON and a transaction.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fhir/fhir.h"
#include "hl7v2/hl7v2.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static void
walk(const hie_hl7_t *m, apr_pool_t *pool)
{
    int  i;
    int  f;
    int  r;
    int  c;

    for (i = 0; i < hie_hl7_segments(m); i++) {
        require(hie_hl7_segment(m, i).len == 3);
        for (f = 0; f < 12; f++) {
            for (r = 0; r <= hie_hl7_repeats(m, i, f) && r < 4; r++) {
                for (c = 1; c < 4; c++) {
                    hie_str_t  v = hie_hl7_value(m, i, f, r, c, 3 - c, pool);

                    require(hie_utf8_valid(v));
                }
            }
        }
    }
}


static void
check_ack(apr_pool_t *pool, hie_str_t message, hie_rc_t rc,
          const hie_error_t *err)
{
    hie_hl7_t    *m;
    hie_error_t   e;
    hie_str_t     ack;

    ack = hie_hl7_ack(pool, message, rc == HIE_OK ? HIE_ACK_AA : HIE_ACK_AE,
                      rc == HIE_OK ? NULL : err, 0, "id");
    require(hie_hl7_parse(pool, ack, &m, &e) == HIE_OK);
    require(hie_hl7_segments(m) == 2 || hie_hl7_segments(m) == 3);
    require(hie_hl7_find(m, "MSA", 0) == 1);
    require(hie_hl7_segments(m) == 2 || hie_hl7_find(m, "ERR", 0) == 2);
    require(memchr(ack.ptr, 0x0b, ack.len) == NULL);
    require(memchr(ack.ptr, 0x1c, ack.len) == NULL);
}


static void
check_bundle(apr_pool_t *pool, hie_str_t bytes)
{
    hie_doc_t     *d;
    hie_bundle_t   b;
    hie_error_t    err;

    require(hie_doc_parse(pool, bytes, 64, &d, &err) == HIE_OK);
    require(hie_fhir_bundle(d, 1000000, pool, &b, &err) == HIE_OK);
    require(b.n > 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hie_hl7_options_t   options = { "urn:id:", "+00:00" };
    static bool                      ready;
    apr_pool_t                      *pool;
    hie_str_t                        in = { (const char *) data, size };
    hie_str_t                        bundle;
    hie_hl7_t                       *m;
    hie_error_t                      err = { .rc = 0 };
    hie_rc_t                         rc;

    if (!ready) {
        apr_initialize();
        ready = true;
    }
    pool = hie_pool_create(NULL, "one");
    rc = hie_hl7_parse(pool, in, &m, &err);
    if (rc == HIE_OK) {
        walk(m, pool);
        rc = hie_hl7_to_fhir(m, &options, pool, &bundle, &err);
        if (rc == HIE_OK) {
            check_bundle(pool, bundle);
        }
    }
    check_ack(pool, in, rc, &err);
    apr_pool_destroy(pool);
    return 0;
}
