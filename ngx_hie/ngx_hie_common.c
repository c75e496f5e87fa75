
#include "ngx_hie_common.h"

#include <stdatomic.h>
#include <sys/eventfd.h>
#include <apr_general.h>


/* Longest wait for the first connections to the database, in ms. */
#define NGX_HIE_WARM   250

/*
 * Longest wait at the end of a process for jobs in work, in ms.  The master
 * kills a worker some 3150 ms after a "stop".
 */
#define NGX_HIE_LINGER  2500


static ngx_uint_t ngx_hie_jobs_in_work(ngx_hie_t *hie);
static void ngx_hie_bridge_log(ngx_log_t *log);
static void ngx_hie_log(void *data, hie_log_level_t level, const char *line);
static void ngx_hie_log_failure(ngx_uint_t level, ngx_log_t *log,
    const char *what, ngx_str_t *name, hie_error_t *err);
static ngx_int_t ngx_hie_check(ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_hie_open_wakeup(ngx_cycle_t *cycle, ngx_hie_t *hie);
static void ngx_hie_wakeup_handler(ngx_event_t *ev);
static void ngx_hie_guard_handler(ngx_event_t *ev);
static ngx_int_t ngx_hie_job_posted(ngx_hie_job_t *hj, hie_rc_t rc);
static void ngx_hie_job_wakeup(void *data);
static void ngx_hie_job_finish(ngx_hie_job_t *hj);


char *
ngx_hie_set_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_hie_conf_t  *hcf = conf;

    ngx_str_t  *value;

    if (hcf->config.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    hcf->config = value[1];

    if (ngx_conf_full_name(cf->cycle, &hcf->config, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_hie_check(cf, &hcf->config) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_hie_check(ngx_conf_t *cf, ngx_str_t *name)
{
    hie_rc_t      rc;
    apr_pool_t   *pool;
    hie_error_t   err;

    if (hie_abi_version() != HIE_ABI_VERSION) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "libhie has the ABI version %d, "
                           "the module was built for %d",
                           hie_abi_version(), HIE_ABI_VERSION);
        return NGX_ERROR;
    }

    if (apr_initialize() != APR_SUCCESS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "apr_initialize() failed");
        return NGX_ERROR;
    }

    ngx_hie_bridge_log(cf->log);

    ngx_memzero(&err, sizeof(hie_error_t));

    pool = hie_pool_create(NULL, "nginx-check");
    rc = hie_runtime_check((char *) name->data, pool, &err);
    apr_pool_destroy(pool);

    if (rc != HIE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s%s%s",
                           name, err.where, err.where[0] ? ": " : "",
                           err.detail);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_hie_init_conf(ngx_conf_t *cf, ngx_hie_conf_t *conf)
{
    if (!conf->used) {
        return NGX_CONF_OK;
    }

    if (conf->config.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"hie_config\" directive is defined");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_hie_init_process(ngx_cycle_t *cycle, ngx_hie_t *hie, ngx_hie_conf_t *conf)
{
    hie_rc_t     rc;
    hie_error_t  err;

    if (conf == NULL || !conf->used) {
        return NGX_OK;
    }

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_memzero(hie, sizeof(ngx_hie_t));
    ngx_queue_init(&hie->jobs);

    hie->guard.handler = ngx_hie_guard_handler;
    hie->guard.data = hie;
    hie->guard.log = cycle->log;

    if (ngx_hie_open_wakeup(cycle, hie) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_hie_bridge_log(cycle->log);

    ngx_memzero(&err, sizeof(hie_error_t));

    /* the other shared object may have been here before */
    hie_thread_forbid_blocking(0);

    rc = apr_initialize() == APR_SUCCESS
         ? hie_runtime_acquire((char *) conf->config.data, HIE_RUNTIME_SERVER,
                               NGX_HIE_WARM, &hie->runtime, &err)
         : HIE_INTERNAL;

    hie_thread_forbid_blocking(1);

    if (rc != HIE_OK) {

        /* a worker that exits is started again at once: answer 503 instead */

        hie->runtime = NULL;
        ngx_hie_log_failure(NGX_LOG_ERR, cycle->log, "HIE6001 cannot start",
                            &conf->config, &err);
    }

    return NGX_OK;
}


/*
 * A descriptor of our own: ngx_notify() has room for one handler, that of the
 * thread pools.
 */

static ngx_int_t
ngx_hie_open_wakeup(ngx_cycle_t *cycle, ngx_hie_t *hie)
{
    ngx_connection_t  *c;

    hie->fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (hie->fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "HIE6003 eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(hie->fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = hie;
    c->read->handler = ngx_hie_wakeup_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    /* not a connection that a closing worker would wait for */
    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT,
                      (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                     : NGX_LEVEL_EVENT)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    hie->wakeup = c;

    return NGX_OK;
}


void
ngx_hie_exit_process(ngx_hie_t *hie)
{
    ngx_uint_t      i;
    ngx_queue_t    *q;
    ngx_hie_job_t  *hj;

    if (hie->wakeup == NULL) {
        return;
    }

    hie_thread_forbid_blocking(0);

    for (i = 0; ngx_hie_jobs_in_work(hie); i++) {

        if (i == NGX_HIE_LINGER) {

            /* what they are using stays: the process is about to end */

            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "HIE6004 jobs are not finished at exit");
            return;
        }

        ngx_msleep(1);
    }

    /*
     * After a "stop" there are requests left whose pools nobody will destroy,
     * and the runtime wants no job to be alive.
     */

    while (hie->runtime && !ngx_queue_empty(&hie->jobs)) {
        q = ngx_queue_head(&hie->jobs);
        hj = ngx_queue_data(q, ngx_hie_job_t, queue);
        ngx_hie_job_destroy(hj);
    }

    if (hie->runtime) {
        hie_runtime_release(hie->runtime);
        hie->runtime = NULL;
    }

    ngx_close_connection(hie->wakeup);
    hie->wakeup = NULL;
}


static ngx_uint_t
ngx_hie_jobs_in_work(ngx_hie_t *hie)
{
    ngx_queue_t    *q;
    ngx_hie_job_t  *hj;

    if (hie->runtime == NULL) {
        return 0;
    }

    for (hj = atomic_exchange(&hie->ready, NULL); hj; hj = hj->next) {
        hj->running = 0;
    }

    for (q = ngx_queue_head(&hie->jobs);
         q != ngx_queue_sentinel(&hie->jobs);
         q = ngx_queue_next(q))
    {
        hj = ngx_queue_data(q, ngx_hie_job_t, queue);

        if (hj->running) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_hie_bridge_log(ngx_log_t *log)
{
    ngx_uint_t  level;

    level = ngx_min(log->log_level, NGX_LOG_DEBUG);

    hie_log_set(ngx_hie_log, NULL,
                level > NGX_LOG_ERR ? HIE_LOG_ERROR + (level - NGX_LOG_ERR)
                                    : HIE_LOG_ERROR);
}


/*
 * Called from any thread: the log of the cycle has no handler that would look
 * at a request, and a line is one write().
 */

static void
ngx_hie_log(void *data, hie_log_level_t level, const char *line)
{
    ngx_log_error(NGX_LOG_ERR + (level - HIE_LOG_ERROR), ngx_cycle->log, 0,
                  "%s", line);
}


static void
ngx_hie_log_failure(ngx_uint_t level, ngx_log_t *log, const char *what,
    ngx_str_t *name, hie_error_t *err)
{
    ngx_log_error(level, log, 0, "%s with \"%V\": %s%s%s", what, name,
                  err->where, err->where[0] ? ": " : "", err->detail);
}


ngx_int_t
ngx_hie_job_create(ngx_hie_t *hie, ngx_hie_job_t *hj)
{
    if (hie->runtime == NULL) {
        return NGX_DECLINED;
    }

    hj->job = hie_job_create(hie->runtime);
    if (hj->job == NULL) {
        return NGX_ERROR;
    }

    hj->hie = hie;
    ngx_queue_insert_tail(&hie->jobs, &hj->queue);

    return NGX_OK;
}


ngx_int_t
ngx_hie_job_post(ngx_hie_job_t *hj, hie_work_t work)
{
    hj->running = 1;

    return ngx_hie_job_posted(hj,
                         hie_job_post(hj->job, work, ngx_hie_job_wakeup, hj));
}


ngx_int_t
ngx_hie_job_post_message(ngx_hie_job_t *hj, const char *connection,
    hie_str_t message)
{
    hj->running = 1;

    return ngx_hie_job_posted(hj,
                         hie_job_post_message(hj->job, connection, message,
                                              ngx_hie_job_wakeup, hj));
}


static ngx_int_t
ngx_hie_job_posted(ngx_hie_job_t *hj, hie_rc_t rc)
{
    ngx_hie_t  *hie;

    hie = hj->hie;

    if (rc != HIE_OK) {
        hj->running = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "HIE6002 the queue of jobs is full");
        return NGX_ERROR;
    }

    /*
     * A closing worker exits as soon as no timer is left: it would not wait
     * for the job.
     */

    if (hie->running++ == 0) {
        ngx_add_timer(&hie->guard, 1000);
    }

    return NGX_OK;
}


static void
ngx_hie_guard_handler(ngx_event_t *ev)
{
    ngx_hie_t  *hie;

    hie = ev->data;

    if (hie->running) {
        ngx_add_timer(ev, 1000);
    }
}


/* In any thread. */

static void
ngx_hie_job_wakeup(void *data)
{
    ngx_hie_job_t  *hj = data;

    uint64_t        one;
    ngx_hie_t      *hie;
    ngx_hie_job_t  *next;

    hie = hj->hie;
    next = atomic_load(&hie->ready);

    do {
        hj->next = next;
    } while (!atomic_compare_exchange_weak(&hie->ready, &next, hj));

    /* from here on the job may be gone; the runtime joins this thread */

    if (next == NULL) {
        one = 1;
        (void) !write(hie->fd, &one, sizeof(uint64_t));
    }
}


static void
ngx_hie_wakeup_handler(ngx_event_t *ev)
{
    uint64_t           n;
    ngx_hie_t         *hie;
    ngx_hie_job_t     *hj, *next;
    ngx_connection_t  *c;

    c = ev->data;
    hie = c->data;

    (void) !read(c->fd, &n, sizeof(uint64_t));

    for (hj = atomic_exchange(&hie->ready, NULL); hj; hj = next) {
        next = hj->next;

        ngx_hie_job_finish(hj);
    }
}


static void
ngx_hie_job_finish(ngx_hie_job_t *hj)
{
    ngx_hie_t  *hie;

    hie = hj->hie;

    hj->running = 0;

    if (--hie->running == 0 && hie->guard.timer_set) {
        ngx_del_timer(&hie->guard);
    }

    hj->done(hj);
}


void
ngx_hie_job_complete(ngx_hie_job_t *hj, ngx_int_t status, off_t bytes,
    ngx_uint_t aborted)
{
    if (hj->job == NULL || hj->completed) {
        return;
    }

    hj->completed = 1;

    hie_job_complete(hj->job, (int) status, bytes, aborted);
}


void
ngx_hie_job_destroy(ngx_hie_job_t *hj)
{
    if (hj->job == NULL) {
        return;
    }

    ngx_hie_job_complete(hj, hie_job_response(hj->job)->status, 0, 1);

    ngx_queue_remove(&hj->queue);

    hie_job_destroy(hj->job);

    /* it may serve again, for the next message of a connection */
    ngx_memzero(hj, sizeof(ngx_hie_job_t));
}


ngx_int_t
ngx_hie_tls_subject(ngx_connection_t *c, ngx_pool_t *pool, hie_str_t *subject)
{
#if (NGX_SSL)

    ngx_str_t  s;

    if (c->ssl == NULL) {
        return NGX_OK;
    }

    if (ngx_ssl_get_client_verify(c, pool, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s.len != 7 || ngx_strncmp(s.data, "SUCCESS", 7) != 0) {
        return NGX_OK;
    }

    if (ngx_ssl_get_subject_dn(c, pool, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    *subject = ngx_hie_str(s);

#endif

    return NGX_OK;
}
