/*
 * A request from bytes: the first line is its method and target, header lines
 * follow up to an empty one, and the rest is the body. It is routed, its media
 * types are negotiated and its parameters read; where something is refused the
 * error is one that can be answered.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "exchange/searching.h"

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
    c->fhir.search.max_depth = 3;
    c->fhir.search.max_values = 100;
    c->fhir.search.max_includes = 100;
    /* value sets are looked for where nobody answers */
    c->database.conninfo = "host=/nonexistent";
    c->database.connections = 1;
    c->database.acquire_timeout = 10;
    c->database.statement_timeout = 10;
    return c;
}


/* What is there once for all requests. */
static void
open_runtime(hie_runtime_t *rt)
{
    apr_pool_t  *pool;

    apr_initialize();
    pool = hie_pool_create(NULL, "fuzz runtime");
    rt->config = config(pool);
    rt->search = hie_search_create(pool, NULL);
    require(hie_store_open(pool, rt->config, &rt->store, NULL) == HIE_OK);
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
    hie_rc_t         rc;
    hie_scope_t      scope = { HIE_STR("*"), HIE_MAY_READ | HIE_MAY_SEARCH };
    hie_principal_t  principal = { .n_scopes = 1, .scopes = &scope };
    hie_searching_t  s = { .job = job };

    job->principal = &principal;
    rc = hie_search_read(&s);
    if (rc == HIE_UNAVAILABLE) {
        return;
    }

    if (rc != HIE_OK) {
        refused(job, rc);
        return;
    }

    require(s.query.count >= 0 && s.query.count <= 1000);
    require(s.query.n_types > 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hie_runtime_t   rt;
    hie_rc_t               rc;
    hie_job_t             *job;
    apr_pool_t            *pool;

    if (rt.config == NULL) {
        open_runtime(&rt);
    }

    pool = hie_pool_create(NULL, "fuzz");
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

    } else if (job->todo.what == HIE_DO_SEARCH
               || job->todo.what == HIE_DO_SEARCH_SYSTEM
               || job->todo.what == HIE_DO_SEARCH_COMPARTMENT)
    {
        search(job);
    }

    apr_pool_destroy(pool);
    return 0;
}
