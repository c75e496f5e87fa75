/*
 * Files without a name: for what is too large to be held in memory.
 */

#include "base/base.h"

#include <apr_strings.h>


hie_rc_t
hie_temp_file(apr_pool_t *pool, const char *directory, apr_file_t **out,
              hie_error_t *err)
{
    char          id[HIE_ULID_LEN + 1], why[128];
    const char   *path;
    apr_status_t  rv;

    *out = NULL;
    hie_ulid(id);
    path = apr_pstrcat(pool, directory, "/hie-", id, NULL);

    rv = apr_file_open(out, path, APR_FOPEN_CREATE | APR_FOPEN_EXCL
                       | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_BINARY,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_remove(path, pool);
    }

    if (rv != APR_SUCCESS) {
        hie_log(HIE_LOG_ERROR, "HIE1003", "no temporary file in %s: %s",
                directory, apr_strerror(rv, why, sizeof(why)));
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the server has no room for temporary files");
    }

    return HIE_OK;
}


hie_rc_t
hie_temp_write(apr_file_t *file, const void *ptr, size_t len,
               hie_error_t *err)
{
    char          why[128];
    apr_status_t  rv;

    rv = apr_file_write_full(file, ptr, len, NULL);
    if (rv == APR_SUCCESS) {
        return HIE_OK;
    }

    hie_log(HIE_LOG_ERROR, "HIE1004", "writing to a temporary file: %s",
            apr_strerror(rv, why, sizeof(why)));
    return hie_fail(err, HIE_UNAVAILABLE, "",
                    "the server has no room for temporary files");
}
