/*
 * Requests of pages from elsewhere (Fetch standard, section 3.2, CORS): off
 * unless hie.yaml names origins. Who may see what is decided by the token; no
 * credentials of the browser's own are allowed.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

#define METHODS  "GET, HEAD, POST, PUT, PATCH, DELETE"
#define HEADERS  "Authorization, Content-Type, Accept, If-Match, "            \
                 "If-None-Match, If-None-Exist, If-Modified-Since, Prefer"
#define EXPOSED  "ETag, Location, Content-Location, Last-Modified"


/* What Access-Control-Allow-Origin says; ptr NULL: nothing. */
static hie_str_t
allowed_origin(const hie_job_t *job)
{
    int                  i;
    hie_str_t            origin;
    const hie_config_t  *conf;

    conf = job->rt->config;
    origin = hie_request_header(&job->request, "Origin");
    for (i = 0; i < conf->fhir.n_cors_origins; i++) {
        if (strcmp(conf->fhir.cors_origins[i], "*") == 0) {
            return HIE_STR("*");
        }

        if (hie_str_eqz(origin, conf->fhir.cors_origins[i])) {
            return origin;
        }
    }

    return HIE_STR_NONE;
}


void
hie_cors_headers(hie_job_t *job)
{
    hie_str_t  origin;

    if (job->rt->config->fhir.n_cors_origins == 0) {
        return;
    }

    origin = allowed_origin(job);
    if (!hie_str_eqz(origin, "*")) {
        hie_respond_header(job, "Vary", HIE_STR("Origin"));
    }

    if (origin.ptr != NULL
        && hie_request_header(&job->request, "Origin").ptr != NULL)
    {
        hie_respond_header(job, "Access-Control-Allow-Origin", origin);
        hie_respond_header(job, "Access-Control-Expose-Headers",
                           HIE_STR(EXPOSED));
    }
}


/* Answered wherever it is sent, without a token and without a look at the
 * path: a browser shows a page what follows only when this went well, and
 * tells it nothing of why it did not. */
bool
hie_cors_preflight(hie_job_t *job)
{
    const hie_request_t  *r;

    r = &job->request;
    if (job->rt->config->fhir.n_cors_origins == 0
        || !hie_str_eqz(r->method, "OPTIONS")
        || hie_request_header(r, "Origin").ptr == NULL
        || hie_request_header(r, "Access-Control-Request-Method").ptr == NULL)
    {
        return false;
    }

    job->todo.what = HIE_DO_OPTIONS;
    hie_respond(job, 204, HIE_STR_NONE);
    if (allowed_origin(job).ptr != NULL) {
        hie_respond_header(job, "Access-Control-Allow-Methods",
                           HIE_STR(METHODS));
        hie_respond_header(job, "Access-Control-Allow-Headers",
                           HIE_STR(HEADERS));
        hie_respond_header(job, "Access-Control-Max-Age",
                           hie_str(apr_itoa(job->pool, job->rt->config
                                                       ->fhir.cors_max_age)));
    }

    return true;
}
