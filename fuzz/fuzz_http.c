/*
 * A request from bytes: the first line is its method and target, header lines
 * follow up to an empty one, and the rest is the body. It is routed, its media
 * types are negotiated and its parameters read; where something is refused the
 * error is one that can be answered.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "exchange/private.h"

#define HEADERS  16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static hie_config_t *
config(apr_pool_t *pool)
{
    hie_config_t  *c;

    c = apr_pcalloc(pool, sizeof(*c));
    c->fhir.max_body = 1 << 20;
    c->fhir.max_binary = 1 << 20;
    c->fhir.temp_directory = "/tmp";
    c->fhir.max_depth = 50;
    c->fhir.max_entries = 10;
    c->fhir.default_count = 20;
    c->fhir.max_count = 1000;
    c->fhir.everything_max = 100;
    c->fhir.cache_control = "no-store";
    return c;
}


static void
read_request(hie_request_t *r, hie_str_t text, apr_pool_t *pool)
{
    hie_str_t      line, value;
    hie_header_t  *headers;

    headers = apr_pcalloc(pool, sizeof(*headers) * HEADERS);
    line = hie_str_split(text, '\n', &text);
    r->method = hie_str_split(line, ' ', &line);
    r->path = hie_str_split(line, '?', &r->query);
    r->scheme = HIE_STR("http");
    r->host = HIE_STR("h.example");
    r->base = HIE_STR("/fhir");
    r->body_file = -1;

    while (text.len > 0 && r->n_headers < HEADERS) {
        line = hie_str_split(text, '\n', &text);
        if (line.len == 0) {
            break;
        }

        headers[r->n_headers].name = hie_str_split(line, ':', &value);
        headers[r->n_headers++].value = hie_str_trim(value);
    }

    r->headers = headers;
    r->body = text;
}


static void
refused(const hie_job_t *job, hie_rc_t rc)
{
    require(job->error.rc == rc && job->error.detail[0] != '\0');
    require(rc != HIE_INTERNAL);
}


static void
search(hie_job_t *job)
{
    hie_rc_t      rc;
    hie_search_t  out;

    rc = hie_search_parse(job->rt->config, job->todo.type, job->todo.query,
                          HIE_STR("http://h.example/fhir"), false, job->pool,
                          &out, &job->error);
    if (rc != HIE_OK) {
        refused(job, rc);
        return;
    }

    require(out.query.count >= 0 && out.query.count <= 1000);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hie_rc_t        rc;
    hie_job_t      *job;
    apr_pool_t     *pool;
    hie_runtime_t   rt;

    apr_initialize();
    pool = hie_pool_create(NULL, "fuzz");
    memset(&rt, 0, sizeof(rt));
    rt.config = config(pool);
    job = apr_pcalloc(pool, sizeof(*job));
    job->pool = pool;
    job->rt = &rt;
    read_request(&job->request, (hie_str_t) { (const char *) data, size },
                 pool);

    hie_request_base_url(job);
    rc = hie_request_route(job);
    if (rc != HIE_OK) {
        refused(job, rc);
        hie_respond_error(job, &job->error);
        require(job->response.status >= 400 && job->response.body.len > 0);

    } else if ((rc = hie_request_media(job)) != HIE_OK) {
        refused(job, rc);

    } else if (job->todo.what == HIE_DO_SEARCH) {
        search(job);
    }

    apr_pool_destroy(pool);
    return 0;
}
