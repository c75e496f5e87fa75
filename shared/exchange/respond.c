/*
 * Filling in the response.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"

static const char busy_body[] =
    "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
    "\"error\",\"code\":\"transient\",\"diagnostics\":\"The server has no "
    "capacity for this request now; try again.\"}]}";

static const hie_response_t busy = {
    503, 3,
    { { { "Content-Type", 12 },
        { HIE_FHIR_JSON, sizeof(HIE_FHIR_JSON) - 1 } },
      { { "Retry-After", 11 }, { "1", 1 } },
      { { "Cache-Control", 13 }, { "no-store", 8 } } },
    { busy_body, sizeof(busy_body) - 1 }, NULL, sizeof(busy_body) - 1, false
};


const hie_response_t *
hie_response_busy(void)
{
    return &busy;
}


#define OUTCOME(code, text)                                                   \
    "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"        \
    "\"error\",\"code\":\"" code "\",\"diagnostics\":\"" text "\"}]}"

#define REFUSED(status, code, text)                                           \
    { status, 2,                                                              \
      { { { "Content-Type", 12 },                                             \
          { HIE_FHIR_JSON, sizeof(HIE_FHIR_JSON) - 1 } },                     \
        { { "Cache-Control", 13 }, { "no-store", 8 } } },                     \
      { OUTCOME(code, text), sizeof(OUTCOME(code, text)) - 1 },               \
      NULL, sizeof(OUTCOME(code, text)) - 1, false }

static const hie_response_t refused[] = {
    REFUSED(400, "invalid", "The request is not well-formed."),
    REFUSED(401, "login", "The server asks for credentials."),
    REFUSED(403, "forbidden", "The server does not allow this."),
    REFUSED(404, "not-found", "There is nothing here."),
    REFUSED(405, "not-supported", "This method is not allowed here."),
    REFUSED(408, "timeout", "The request did not arrive in time."),
    REFUSED(411, "required", "A Content-Length is needed."),
    REFUSED(413, "too-long", "The body is too large."),
    REFUSED(414, "too-long", "The URL is too long."),
    REFUSED(417, "not-supported", "This expectation cannot be met."),
    REFUSED(429, "throttled", "There are too many requests; try later."),
    REFUSED(431, "too-long", "The header of the request is too large."),
    REFUSED(502, "transient", "The server behind this one did not answer."),
    REFUSED(503, "transient", "The server has no capacity now; try again."),
    REFUSED(504, "timeout", "The server behind this one did not answer."),
    REFUSED(500, "exception", "The server could not serve the request.")
};


const hie_response_t *
hie_response_refused(int status)
{
    size_t                 i;
    const hie_response_t  *r;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        r = &refused[i];
        if (r->status == status) {
            return r;
        }
    }

    /* of its class */
    return status < 500 ? &refused[0] : r;
}


void
hie_respond(hie_job_t *job, int status, hie_str_t body)
{
    hie_response_t  *r;

    r = &job->response;
    r->status = status;
    r->n_headers = 0;
    r->body = body;
    r->body_file = NULL;
    r->length = (int64_t) body.len;
    r->ranges = false;
    if (body.len > 0) {
        hie_respond_header(job, "Content-Type", HIE_STR(HIE_FHIR_JSON));
    }

    /* What one requester may see is not for a cache between, unless somebody
     * has thought about it. */
    hie_respond_header(job, "Cache-Control",
                       status < 400 ? hie_str(job->rt->config
                                              ->fhir.cache_control)
                                    : HIE_STR("no-store"));
    hie_cors_headers(job);
}


void
hie_job_busy(hie_job_t *job)
{
    job->response = busy;
    hie_cors_headers(job);
}


void
hie_respond_header(hie_job_t *job, const char *name, hie_str_t value)
{
    hie_response_t  *r;

    r = &job->response;
    if (r->n_headers
        == (int) (sizeof(r->headers) / sizeof(r->headers[0])))
    {
        hie_log(HIE_LOG_ERROR, "HIE5002", "no room for header %s", name);
        return;
    }

    r->headers[r->n_headers].name = hie_str(name);
    r->headers[r->n_headers].value = value;
    r->n_headers++;
}


void
hie_respond_error(hie_job_t *job, const hie_error_t *err)
{
    hie_respond(job, hie_rc_status(err->rc),
                job->outcome.len > 0 ? job->outcome
                                     : hie_fhir_outcome(job->pool, err));

    switch (err->rc) {
    case HIE_UNAUTHENTICATED:
        /* RFC 6750 section 3: no error code where no token was sent. */
        if (hie_request_header(&job->request, "Authorization").ptr == NULL) {
            hie_respond_header(job, "WWW-Authenticate",
                               HIE_STR("Bearer realm=\"hie\""));
        } else {
            hie_respond_header(job, "WWW-Authenticate",
                               HIE_STR("Bearer realm=\"hie\", "
                                       "error=\"invalid_token\""));
        }

        break;

    case HIE_FORBIDDEN:
        hie_respond_header(job, "WWW-Authenticate",
                           HIE_STR("Bearer realm=\"hie\", "
                                   "error=\"insufficient_scope\""));
        break;

    case HIE_METHOD:
        hie_respond_header(job, "Allow", job->todo.allow.len > 0
                                         ? job->todo.allow
                                         : HIE_STR("OPTIONS"));
        break;

    case HIE_UNSUPPORTED:
        /* RFC 5789 section 2.2, and RFC 9110 section 12.5.3: what there is. */
        if (job->accept_patch) {
            hie_respond_header(job, "Accept-Patch", HIE_STR(HIE_PATCH_TYPES));
        }

        if (job->coding_refused) {
            hie_respond_header(job, "Accept-Encoding", HIE_STR(HIE_CODINGS));
        }

        break;

    case HIE_BUSY:
    case HIE_UNAVAILABLE:
    case HIE_TIMEOUT:
        hie_respond_header(job, "Retry-After", HIE_STR("1"));
        break;

    default:
        break;
    }
}


void
hie_respond_version(hie_job_t *job, int64_t version, apr_time_t updated)
{
    char  *etag, *date;

    etag = apr_psprintf(job->pool, "W/\"%" APR_INT64_T_FMT "\"",
                        (apr_int64_t) version);
    hie_respond_header(job, "ETag", hie_str(etag));

    if (job->todo.what == HIE_DO_READ || job->todo.what == HIE_DO_VREAD) {
        hie_respond_header(job, "Content-Location",
                           hie_str(apr_psprintf(job->pool,
                               "%.*s/%.*s/%.*s/_history/%" APR_INT64_T_FMT,
                               HIE_PRISTR(job->base_url),
                               HIE_PRISTR(job->todo.type),
                               HIE_PRISTR(job->todo.id),
                               (apr_int64_t) version)));
    }

    date = apr_palloc(job->pool, HIE_HTTP_DATE_LEN + 1);
    hie_time_http(date, updated);
    hie_respond_header(job, "Last-Modified", hie_str(date));
    job->updated = updated;
}
