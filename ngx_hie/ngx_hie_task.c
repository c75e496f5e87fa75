
#include "ngx_hie_task.h"


static void ngx_hie_task_done(ngx_hie_job_t *hj);


ngx_int_t
ngx_hie_task_post(ngx_http_request_t *r, ngx_hie_job_t *hj,
    hie_work_t work)
{
    hj->done = ngx_hie_task_done;
    hj->data = r;

    if (ngx_hie_job_post(hj, work) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * "blocked" and not only "count": a terminated request looks at nothing
     * else before it frees what the thread is using.
     */

    r->main->blocked++;
    r->aio = 1;

    /* notices a client that goes away */
    r->read_event_handler = ngx_http_test_reading;

    return NGX_OK;
}


static void
ngx_hie_task_done(ngx_hie_job_t *hj)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = hj->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;
    r->aio = 0;
    r->read_event_handler = ngx_http_block_reading;

    /* in a request that was terminated this is the finalizer */

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}
