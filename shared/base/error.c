/*
 * Results and errors.
 */

#include "base/private.h"

#include <stdio.h>
#include <string.h>


static const struct {
    int          status;    /* RFC 9110 section 15, 422 included */
    const char  *issue;     /* http://hl7.org/fhir/issue-type, R4 */
} results[] = {
    [HIE_OK]              = { 200, "informational" },
    [HIE_INVALID]         = { 400, "invalid" },
    [HIE_UNAUTHENTICATED] = { 401, "login" },
    [HIE_FORBIDDEN]       = { 403, "forbidden" },
    [HIE_NOT_FOUND]       = { 404, "not-found" },
    [HIE_METHOD]          = { 405, "not-supported" },
    [HIE_NOT_ACCEPTABLE]  = { 406, "not-supported" },
    [HIE_CONFLICT]        = { 409, "conflict" },
    [HIE_GONE]            = { 410, "deleted" },
    [HIE_PRECONDITION]    = { 412, "conflict" },
    [HIE_TOO_LARGE]       = { 413, "too-long" },
    [HIE_UNSUPPORTED]     = { 415, "not-supported" },
    [HIE_UNPROCESSABLE]   = { 422, "business-rule" },
    [HIE_TOO_COSTLY]      = { 422, "too-costly" },
    [HIE_INTERNAL]        = { 500, "exception" },
    [HIE_BAD_GATEWAY]     = { 502, "exception" },
    [HIE_BUSY]            = { 503, "throttled" },
    [HIE_UNAVAILABLE]     = { 503, "transient" },
    [HIE_TIMEOUT]         = { 503, "timeout" }
};

#define N_RESULTS  (sizeof(results) / sizeof(results[0]))


/* Whatever is not a result, 0 above all, is our own fault. */
static size_t
result_index(hie_rc_t rc)
{
    if (rc < HIE_OK || (size_t) rc >= N_RESULTS) {
        return HIE_INTERNAL;
    }
    return rc;
}


int
hie_rc_status(hie_rc_t rc)
{
    return results[result_index(rc)].status;
}


const char *
hie_rc_issue(hie_rc_t rc)
{
    return results[result_index(rc)].issue;
}


hie_rc_t
hie_fail(hie_error_t *err, hie_rc_t rc, const char *where,
         const char *fmt, ...)
{
    hie_error_t  e;
    va_list      ap;

    if (err == NULL) {
        return rc;
    }

    /* Built aside: the arguments may well point into `err` itself. */
    e.rc = rc;
    snprintf(e.where, sizeof(e.where), "%s", where != NULL ? where : "");

    va_start(ap, fmt);
    vsnprintf(e.detail, sizeof(e.detail), fmt, ap);
    va_end(ap);

    hie_utf8_cut(e.where);
    hie_utf8_cut(e.detail);

    err->rc = rc;
    strcpy(err->where, e.where);
    strcpy(err->detail, e.detail);

    return rc;
}
