/*
 * Audit records: a record that is understood is the one that its row makes.
 */

#include "audit/audit.h"

#include <stdlib.h>


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hie_str_t         in = { (const char *) data, size }, again;
    hie_audit_row_t   row;
    apr_pool_t       *pool;
    hie_error_t       err;
    hie_rc_t          rc;

    apr_initialize();
    pool = hie_pool_create(NULL, "one");

    rc = hie_audit_decode(in, pool, &row, &err);
    if (rc == HIE_OK) {
        again = hie_audit_encode(&row, row.complete, pool);
        if (!hie_str_eq(in, again)) {
            abort();
        }
    } else if (rc != HIE_INVALID || err.rc != rc || row.id[0] != '\0') {
        abort();
    }

    apr_pool_destroy(pool);
    return 0;
}
