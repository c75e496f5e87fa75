/*
 * What a request asks for, by its method and path: FHIR R4 section 3.1.0
 * (RESTful API) and 3.2.0 (operations).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/operation.h"
#include "fhir/search_params.h"

#define PATH_PARTS  4

/* An interaction that a method stands for in some place. */
typedef struct {
    const char  *method;
    hie_do_t     what;
} method_t;

static const method_t at_base[] = {
    { "GET", HIE_DO_SEARCH_SYSTEM }, { "HEAD", HIE_DO_SEARCH_SYSTEM },
    { "POST", HIE_DO_BUNDLE }, { NULL, 0 }
};

static const method_t at_metadata[] = {
    { "GET", HIE_DO_METADATA }, { "HEAD", HIE_DO_METADATA }, { NULL, 0 }
};

static const method_t at_base_history[] = {
    { "GET", HIE_DO_HISTORY_SYSTEM }, { "HEAD", HIE_DO_HISTORY_SYSTEM },
    { NULL, 0 }
};

static const method_t at_base_search[] = {
    { "POST", HIE_DO_SEARCH_SYSTEM }, { NULL, 0 }
};

static const method_t at_type[] = {
    { "GET", HIE_DO_SEARCH }, { "HEAD", HIE_DO_SEARCH },
    { "POST", HIE_DO_CREATE }, { "PUT", HIE_DO_UPDATE_IF },
    { "PATCH", HIE_DO_PATCH_IF }, { "DELETE", HIE_DO_DELETE_IF },
    { NULL, 0 }
};

static const method_t at_type_history[] = {
    { "GET", HIE_DO_HISTORY_TYPE }, { "HEAD", HIE_DO_HISTORY_TYPE },
    { NULL, 0 }
};

static const method_t at_type_search[] = {
    { "POST", HIE_DO_SEARCH }, { NULL, 0 }
};

static const method_t at_instance[] = {
    { "GET", HIE_DO_READ }, { "HEAD", HIE_DO_READ },
    { "PUT", HIE_DO_UPDATE }, { "PATCH", HIE_DO_PATCH },
    { "DELETE", HIE_DO_DELETE }, { NULL, 0 }
};

static const method_t at_instance_history[] = {
    { "GET", HIE_DO_HISTORY }, { "HEAD", HIE_DO_HISTORY }, { NULL, 0 }
};

static const method_t at_version[] = {
    { "GET", HIE_DO_VREAD }, { "HEAD", HIE_DO_VREAD }, { NULL, 0 }
};

static const method_t at_compartment[] = {
    { "GET", HIE_DO_SEARCH_COMPARTMENT },
    { "HEAD", HIE_DO_SEARCH_COMPARTMENT }, { NULL, 0 }
};

static const method_t at_compartment_search[] = {
    { "POST", HIE_DO_SEARCH_COMPARTMENT }, { NULL, 0 }
};

static const method_t at_operation[] = {
    { "GET", HIE_DO_OPERATION }, { "HEAD", HIE_DO_OPERATION },
    { "POST", HIE_DO_OPERATION }, { NULL, 0 }
};

/* One that changes something (R4 section 3.2.0.2). */
static const method_t at_change[] = {
    { "POST", HIE_DO_OPERATION }, { NULL, 0 }
};


static hie_rc_t
wrong_path(hie_job_t *job)
{
    return hie_fail(&job->error, HIE_NOT_FOUND, "",
                    "there is no such place in the FHIR API");
}


/* RFC 9110 section 15.5.6: a 405 says what is allowed. Where no method is,
 * there is no place. */
static hie_rc_t
wrong_method(hie_job_t *job, const method_t *place)
{
    bool       any;
    hie_buf_t  b;

    hie_buf_init(&b, job->pool, 64);
    for (any = false; place->method != NULL; place++) {
        if (hie_interaction(place->what)->serve != NULL) {
            hie_buf_addz(&b, place->method);
            hie_buf_addz(&b, ", ");
            any = true;
        }
    }

    if (!any) {
        return wrong_path(job);
    }

    hie_buf_addz(&b, "OPTIONS");
    job->todo.allow = hie_buf_str(&b);
    return hie_fail(&job->error, HIE_METHOD, "",
                    "%.*s is not an interaction of this place",
                    HIE_PRISTR(job->request.method));
}


/* The interaction of the request's method in a place. */
static hie_rc_t
choose(hie_job_t *job, const method_t *place)
{
    const method_t  *m;

    if (hie_str_eqz(job->request.method, "OPTIONS")) {
        if (wrong_method(job, place) == HIE_NOT_FOUND) {
            return HIE_NOT_FOUND;
        }

        job->todo.what = HIE_DO_OPTIONS;
        return HIE_OK;
    }

    for (m = place; m->method != NULL; m++) {
        if (hie_str_eqz(job->request.method, m->method)
            && hie_interaction(m->what)->serve != NULL)
        {
            job->todo.what = m->what;
            job->todo.query = job->request.query;
            return HIE_OK;
        }
    }

    return wrong_method(job, place);
}


/* The decoded parts of the path; -1 when it is broken or too long. */
static int
split_path(hie_job_t *job, hie_str_t part[PATH_PARTS])
{
    int        n;
    hie_str_t  rest;

    rest = job->request.path;
    if (rest.len > 0 && rest.ptr[0] == '/') {
        rest.ptr++;
        rest.len--;
    }

    for (n = 0; rest.ptr != NULL && rest.len > 0; n++) {
        if (n == PATH_PARTS) {
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


/* POST …/_search: the parameters of URL and body together. */
static hie_rc_t
route_search(hie_job_t *job, const method_t *place)
{
    hie_rc_t   rc;
    hie_str_t  type, body;

    rc = choose(job, place);
    if (rc != HIE_OK || job->todo.what == HIE_DO_OPTIONS) {
        return rc;
    }

    if (job->request.body.len == 0 && job->request.body_file == -1) {
        return HIE_OK;           /* all of it is in the URL */
    }

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
route_version(hie_job_t *job, hie_str_t version)
{
    uint64_t  v;

    if (!hie_str_u64(version, &v) || v == 0 || v > INT64_MAX) {
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "there is no such version");
    }

    job->todo.version = (int64_t) v;
    return choose(job, at_version);
}


static hie_rc_t
route_operation(hie_job_t *job, hie_str_t name)
{
    const hie_operation_t  *o;

    job->todo.operation = name;
    o = hie_operation_find(&job->todo);
    if (o == NULL) {
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "there is no such operation here");
    }

    return choose(job, o->affects ? at_change : at_operation);
}


/* Below the base: what is of no single type. */
static hie_rc_t
route_base(hie_job_t *job, const hie_str_t *part, int n)
{
    if (n == 0) {
        return choose(job, at_base);
    }

    if (n != 1) {
        return wrong_path(job);
    }

    if (hie_str_eqz(part[0], "metadata")) {
        return choose(job, at_metadata);
    }

    if (hie_str_eqz(part[0], "_history")) {
        return choose(job, at_base_history);
    }

    if (hie_str_eqz(part[0], "_search")) {
        return route_search(job, at_base_search);
    }

    if (hie_str_starts(part[0], "$")) {
        return route_operation(job, part[0]);
    }

    return wrong_path(job);
}


/* Below /[compartment]/[id]: one type, or all of them. */
static hie_rc_t
route_compartment(hie_job_t *job, const hie_str_t *part, int n)
{
    size_t  rows;

    hie_compartment_of(hie_type_find(job->todo.type), HIE_TYPE_NONE, &rows);
    if (rows == 0
        || !(hie_fhir_is_type(part[0]) || hie_str_eqz(part[0], "*")))
    {
        return wrong_path(job);
    }

    job->todo.compartment_type = part[0];
    if (n == 1) {
        return choose(job, at_compartment);
    }

    return hie_str_eqz(part[1], "_search")
           ? route_search(job, at_compartment_search) : wrong_path(job);
}


/* Below /[type]/[id]. */
static hie_rc_t
route_instance(hie_job_t *job, const hie_str_t *part, int n)
{
    if (n == 0) {
        return choose(job, at_instance);
    }

    if (hie_str_eqz(part[0], "_history")) {
        return n == 1 ? choose(job, at_instance_history)
                      : route_version(job, part[1]);
    }

    if (n == 1 && hie_str_starts(part[0], "$")) {
        return route_operation(job, part[0]);
    }

    return route_compartment(job, part, n);
}


/* Below /[type]. */
static hie_rc_t
route_type(hie_job_t *job, const hie_str_t *part, int n)
{
    if (n == 0) {
        return choose(job, at_type);
    }

    if (n == 1 && hie_str_eqz(part[0], "_search")) {
        return route_search(job, at_type_search);
    }

    if (n == 1 && hie_str_eqz(part[0], "_history")) {
        return choose(job, at_type_history);
    }

    if (n == 1 && hie_str_starts(part[0], "$")) {
        return route_operation(job, part[0]);
    }

    if (!hie_fhir_is_id(part[0])) {
        return wrong_path(job);
    }

    job->todo.id = part[0];
    return route_instance(job, part + 1, n - 1);
}


hie_rc_t
hie_request_route(hie_job_t *job)
{
    int        n;
    hie_str_t  part[PATH_PARTS];

    memset(&job->todo, 0, sizeof(job->todo));

    n = split_path(job, part);
    if (n < 0) {
        return wrong_path(job);
    }

    if (n == 0 || !hie_fhir_is_type(part[0])) {
        return route_base(job, part, n);
    }

    job->todo.type = part[0];
    return route_type(job, part + 1, n - 1);
}
