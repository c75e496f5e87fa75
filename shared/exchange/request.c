/*
 * Who is asking, and for what: FHIR R4 section 3.1.0 (RESTful API).
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


const char *
hie_request_interaction_code(hie_do_t what)
{
    switch (what) {
    case HIE_DO_METADATA:
        return "capabilities";

    case HIE_DO_READ:
        return "read";

    case HIE_DO_VREAD:
        return "vread";

    case HIE_DO_SEARCH:
        return "search-type";

    case HIE_DO_CREATE:
        return "create";

    case HIE_DO_UPDATE:
        return "update";

    case HIE_DO_TRANSACTION:
        return "transaction";
    }

    return "unknown";
}


/*
 * Routing.
 */

#define HIE_PATH_PARTS  4

static hie_rc_t
wrong_path(hie_job_t *job)
{
    return hie_fail(&job->error, HIE_NOT_FOUND, "",
                    "there is no such place in the FHIR API: expected "
                    "/metadata, /[type], /[type]/[id], "
                    "/[type]/[id]/_history/[vid] or /[type]/_search");
}


static hie_rc_t
wrong_method(hie_job_t *job)
{
    return hie_fail(&job->error, HIE_METHOD, "",
                    "%.*s is not an interaction of this place",
                    HIE_PRISTR(job->request.method));
}


static bool
is_get(const hie_request_t *r)
{
    return hie_str_eqz(r->method, "GET") || hie_str_eqz(r->method, "HEAD");
}


/* The decoded parts of the path; -1 when it is broken or too long. */
static int
split_path(hie_job_t *job, hie_str_t part[HIE_PATH_PARTS])
{
    int        n;
    hie_str_t  rest;

    rest = job->request.path;
    if (rest.len > 0 && rest.ptr[0] == '/') {
        rest.ptr++;
        rest.len--;
    }

    for (n = 0; rest.ptr != NULL && rest.len > 0; n++) {
        if (n == HIE_PATH_PARTS) {
            return -1;
        }

        if (!hie_url_decode(job->pool, hie_str_split(rest, '/', &rest),
                            false, &part[n]))
        {
            return -1;
        }
    }

    return n;
}


static hie_rc_t
route_base(hie_job_t *job)
{
    if (!hie_str_eqz(job->request.method, "POST")) {
        return wrong_method(job);
    }

    job->todo.what = HIE_DO_TRANSACTION;
    return HIE_OK;
}


static hie_rc_t
route_type(hie_job_t *job)
{
    if (is_get(&job->request)) {
        job->todo.what = HIE_DO_SEARCH;
        job->todo.query = job->request.query;
        return HIE_OK;
    }

    if (hie_str_eqz(job->request.method, "POST")) {
        job->todo.what = HIE_DO_CREATE;
        return HIE_OK;
    }

    return wrong_method(job);
}


/* POST [type]/_search: the parameters of URL and body together. */
static hie_rc_t
route_search(hie_job_t *job)
{
    hie_rc_t   rc;
    hie_str_t  type, body;

    if (!hie_str_eqz(job->request.method, "POST")) {
        return wrong_method(job);
    }

    job->todo.what = HIE_DO_SEARCH;

    type = hie_request_header(&job->request, "Content-Type");
    if (!hie_str_starts(type, "application/x-www-form-urlencoded")) {
        return hie_fail(&job->error, HIE_UNSUPPORTED, "",
                        "a search by POST is sent as "
                        "application/x-www-form-urlencoded");
    }

    rc = hie_request_body(job, &body);
    if (rc != HIE_OK) {
        return rc;
    }

    body = hie_str_trim(body);
    if (job->request.query.len == 0) {
        job->todo.query = body;
    } else {
        job->todo.query = hie_str(apr_psprintf(job->pool, "%.*s&%.*s",
            HIE_PRISTR(job->request.query), HIE_PRISTR(body)));
    }

    return HIE_OK;
}


static hie_rc_t
route_instance(hie_job_t *job)
{
    if (is_get(&job->request)) {
        job->todo.what = HIE_DO_READ;
        return HIE_OK;
    }

    if (hie_str_eqz(job->request.method, "PUT")) {
        job->todo.what = HIE_DO_UPDATE;
        return HIE_OK;
    }

    return wrong_method(job);
}


static hie_rc_t
route_version(hie_job_t *job, hie_str_t version)
{
    uint64_t  v;

    if (!is_get(&job->request)) {
        return wrong_method(job);
    }

    if (!hie_str_u64(version, &v) || v == 0 || v > INT64_MAX) {
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "there is no such version");
    }

    job->todo.what = HIE_DO_VREAD;
    job->todo.version = (int64_t) v;
    return HIE_OK;
}


hie_rc_t
hie_request_route(hie_job_t *job)
{
    int        n;
    hie_str_t  part[HIE_PATH_PARTS];

    n = split_path(job, part);
    if (n == 0) {
        return route_base(job);
    }

    if (n == 1 && hie_str_eqz(part[0], "metadata")) {
        job->todo.what = HIE_DO_METADATA;
        return is_get(&job->request) ? HIE_OK : wrong_method(job);
    }

    if (n < 0 || !hie_fhir_is_type(part[0])) {
        return wrong_path(job);
    }

    job->todo.type = part[0];
    if (n == 1) {
        return route_type(job);
    }

    if (n == 2 && hie_str_eqz(part[1], "_search")) {
        return route_search(job);
    }

    if (!hie_fhir_is_id(part[1])) {
        return wrong_path(job);
    }

    job->todo.id = part[1];
    if (n == 2) {
        return route_instance(job);
    }

    if (n == 4 && hie_str_eqz(part[2], "_history")) {
        return route_version(job, part[3]);
    }

    return wrong_path(job);
}


/*
 * Media types: JSON only, by Accept, _format and Content-Type (R4 section
 * 3.1.0.1.11).
 */

static bool
is_json(hie_str_t media)
{
    hie_str_t  params;

    media = hie_str_trim(hie_str_split(media, ';', &params));
    return hie_str_ieqz(media, "application/fhir+json")
           || hie_str_ieqz(media, "application/json")
           || hie_str_ieqz(media, "text/json")
           || hie_str_ieqz(media, "application/json+fhir")
           || hie_str_ieqz(media, "json");
}


static bool
accepts_json(hie_str_t accept)
{
    hie_str_t  one, range, params;

    while (accept.ptr != NULL) {
        one = hie_str_trim(hie_str_split(accept, ',', &accept));
        range = hie_str_trim(hie_str_split(one, ';', &params));
        if (is_json(range) || hie_str_eqz(range, "*/*")
            || hie_str_eqz(range, "application/*"))
        {
            return true;
        }
    }

    return false;
}


/* The value of _format in a query, ptr NULL if there is none. */
static hie_str_t
format_of(hie_job_t *job)
{
    hie_str_t  rest, pair, name, value;

    rest = job->todo.query.ptr != NULL ? job->todo.query
                                       : job->request.query;
    while (rest.ptr != NULL) {
        pair = hie_str_split(rest, '&', &rest);
        name = hie_str_split(pair, '=', &value);
        if (hie_str_eqz(name, "_format")
            && hie_url_decode(job->pool, value, true, &value))
        {
            return value;
        }
    }

    return HIE_STR_NONE;
}


static bool
utf8_or_none(hie_str_t media)
{
    hie_str_t  one, name, value;

    hie_str_split(media, ';', &media);
    while (media.ptr != NULL) {
        one = hie_str_trim(hie_str_split(media, ';', &media));
        name = hie_str_split(one, '=', &value);
        if (hie_str_ieqz(hie_str_trim(name), "charset")) {
            value = hie_str_trim(value);
            return hie_str_ieqz(value, "utf-8")
                   || hie_str_ieqz(value, "\"utf-8\"")
                   || hie_str_ieqz(value, "utf8");
        }
    }

    return true;
}


hie_rc_t
hie_request_media(hie_job_t *job)
{
    hie_do_t   what;
    hie_str_t  format, accept, content;

    format = format_of(job);
    accept = hie_request_header(&job->request, "Accept");

    if (format.ptr != NULL ? !is_json(format)
                           : accept.len > 0 && !accepts_json(accept))
    {
        return hie_fail(&job->error, HIE_NOT_ACCEPTABLE, "",
                        "this server answers in application/fhir+json");
    }

    what = job->todo.what;
    if (what != HIE_DO_CREATE && what != HIE_DO_UPDATE
        && what != HIE_DO_TRANSACTION)
    {
        return HIE_OK;
    }

    content = hie_request_header(&job->request, "Content-Type");
    if (!is_json(content) || !utf8_or_none(content)) {
        return hie_fail(&job->error, HIE_UNSUPPORTED, "",
                        "the body must be sent as application/fhir+json in "
                        "UTF-8");
    }

    return HIE_OK;
}


hie_rc_t
hie_request_body(hie_job_t *job, hie_str_t *body)
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
        return HIE_OK;
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
    return HIE_OK;
}
