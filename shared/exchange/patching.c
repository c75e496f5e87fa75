/*
 * Patches by their media type (FHIR R4 section 3.1.0.6).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"


bool
hie_write_base64(hie_str_t base64, apr_pool_t *pool, hie_str_t *out)
{
    char       *p;
    size_t      i, n;

    p = apr_palloc(pool, base64.len + 1);
    for (i = 0, n = 0; i < base64.len; i++) {
        switch (base64.ptr[i]) {
        case '+':
            p[n++] = '-';
            break;

        case '/':
            p[n++] = '_';
            break;

        case '=': case ' ': case '\t': case '\r': case '\n':
            break;

        default:
            p[n++] = base64.ptr[i];
        }
    }

    return base64.ptr != NULL
           && hie_base64url_decode(pool, (hie_str_t) { p, n }, out);
}


hie_rc_t
hie_write_patch(hie_str_t media, hie_str_t patch, const hie_config_t *conf,
              apr_pool_t *pool, hie_write_t *w, hie_error_t *err)
{
    return hie_fail(err, HIE_UNSUPPORTED, "",
                    "a patch is sent as " HIE_PATCH_TYPES);
}
