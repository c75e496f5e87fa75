/*
 * Who is asking, and the request's body: FHIR R4 section 3.1.0 (RESTful API).
 */

#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "exchange/private.h"


hie_str_t
hie_request_header(const hie_request_t *r, const char *name)
{
    int  i;

    for (i = 0; i < r->n_headers; i++) {
        if (hie_str_ieqz(r->headers[i].name, name)) {
            return r->headers[i].value;
        }
    }

    return HIE_STR_NONE;
}


hie_rc_t
hie_request_authenticate(hie_job_t *job)
{
    int         i, n;
    hie_rc_t    rc;
    hie_str_t   authorization;

    if (job->request.local) {
        job->principal = hie_access_local(job->rt->access, job->pool);
        return HIE_OK;
    }

    authorization = HIE_STR_NONE;
    for (i = 0, n = 0; i < job->request.n_headers; i++) {
        if (hie_str_ieqz(job->request.headers[i].name, "Authorization")) {
            authorization = job->request.headers[i].value;
            n++;
        }
    }

    if (n > 1 || (authorization.ptr != NULL
                  && memchr(authorization.ptr, ',', authorization.len)))
    {
        /* Which of them would another hop have believed? httpd joins them
         * with a comma, which a bearer token cannot contain. */
        return hie_fail(&job->error, HIE_INVALID, "",
                        "there is more than one Authorization header");
    }

    rc = hie_access_authenticate(job->rt->access, authorization,
                                 apr_time_now(), job->pool, &job->principal,
                                 &job->error);
    if (rc != HIE_OK) {
        job->principal = NULL;
    }

    return rc;
}


hie_rc_t
hie_request_permit(hie_job_t *job, hie_may_t may, hie_str_t type)
{
    if (hie_access_permits(job->principal, may, type)) {
        return HIE_OK;
    }

    return hie_fail(&job->error, HIE_FORBIDDEN, "",
                    "the token's scopes do not include this interaction");
}


void
hie_request_base_url(hie_job_t *job)
{
    const char     *public_url;
    hie_request_t  *r;

    r = &job->request;
    public_url = job->rt->config->fhir.public_url;

    if (public_url != NULL) {
        job->base_url = hie_str(apr_psprintf(job->pool, "%s%.*s", public_url,
                                             HIE_PRISTR(r->base)));
        return;
    }

    job->base_url = hie_str(apr_psprintf(job->pool, "%.*s://%.*s%.*s",
                                         HIE_PRISTR(r->scheme),
                                         HIE_PRISTR(r->host),
                                         HIE_PRISTR(r->base)));
}


static hie_rc_t
add_decoded(void *baton, const char *ptr, size_t len, hie_error_t *err)
{
    hie_buf_add(baton, ptr, len);
    return HIE_OK;
}


static hie_rc_t
decode_body(hie_job_t *job, hie_str_t *body)
{
    size_t          max;
    hie_rc_t        rc;
    hie_buf_t       b;
    hie_coding_t    coding;
    hie_content_t   in;

    rc = hie_encoding(job, &coding);
    if (rc != HIE_OK || coding == HIE_CODING_NONE) {
        return rc;
    }

    in = (hie_content_t) { body->ptr, -1, (int64_t) body->len };
    max = job->rt->config->fhir.max_body;
    hie_buf_init(&b, job->pool, body->len < max / 4 ? body->len * 4 : max);
    rc = hie_decode(coding, &in, max, add_decoded, &b, job->pool,
                    &job->error);
    *body = hie_buf_str(&b);
    return rc;
}


static hie_rc_t
load_body(hie_job_t *job, hie_str_t *body)
{
    char     *buf;
    off_t     size;
    size_t    max;
    ssize_t   n, got;

    max = job->rt->config->fhir.max_body;
    *body = job->request.body;

    if (job->request.body_file != -1) {
        size = lseek(job->request.body_file, 0, SEEK_END);
        if (size < 0) {
            return hie_fail(&job->error, HIE_INTERNAL, "",
                            "the request body cannot be read");
        }

        body->len = (size_t) size;
    }

    if (body->len > max) {
        return hie_fail(&job->error, HIE_TOO_LARGE, "",
                        "the body has more than %lu bytes",
                        (unsigned long) max);
    }

    if (job->request.body_file == -1) {
        return decode_body(job, body);
    }

    buf = apr_palloc(job->pool, body->len + 1);
    for (got = 0; (size_t) got < body->len; got += n) {
        n = pread(job->request.body_file, buf + got,
                  body->len - (size_t) got, got);
        if (n <= 0) {
            return hie_fail(&job->error, HIE_INTERNAL, "",
                            "the request body cannot be read");
        }
    }

    body->ptr = buf;
    return decode_body(job, body);
}


hie_rc_t
hie_request_body(hie_job_t *job, hie_str_t *body)
{
    hie_rc_t  rc;

    rc = load_body(job, body);
    return rc == HIE_OK ? hie_media_body(job, body) : rc;
}
