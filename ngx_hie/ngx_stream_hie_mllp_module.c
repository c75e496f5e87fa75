
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_hie_common.h"
#include "hl7v2/hl7v2.h"


#define NGX_STREAM_HIE_BUFFER  16384


typedef struct {
    ngx_flag_t               mllp;
    ngx_msec_t               timeout;
} ngx_stream_hie_srv_conf_t;


typedef struct {
    ngx_stream_session_t    *session;

    apr_pool_t              *pool;
    hie_mllp_t               mllp;
    hie_str_t                in;          /* received, not yet taken */
    hie_str_t                frame;       /* the message in work */
    u_char                  *buffer;
    hie_str_t                peer;
    hie_str_t                tls_subject;
    char                     id[HIE_ULID_LEN + 1];

    ngx_hie_job_t            hj;
    ngx_buf_t                out;

    unsigned                 sending:1;
    unsigned                 dead:1;      /* finalized when the job is back */
} ngx_stream_hie_ctx_t;


static void ngx_stream_hie_handler(ngx_stream_session_t *s);
static ngx_stream_hie_ctx_t *ngx_stream_hie_create_ctx(
    ngx_stream_session_t *s);
static void ngx_stream_hie_cleanup(void *data);
static void ngx_stream_hie_read_handler(ngx_event_t *rev);
static void ngx_stream_hie_write_handler(ngx_event_t *wev);
static void ngx_stream_hie_process(ngx_stream_hie_ctx_t *ctx);
static ngx_int_t ngx_stream_hie_recv(ngx_stream_hie_ctx_t *ctx);
static ngx_int_t ngx_stream_hie_wait(ngx_stream_hie_ctx_t *ctx);
static ngx_int_t ngx_stream_hie_post(ngx_stream_hie_ctx_t *ctx);
static void ngx_stream_hie_done(ngx_hie_job_t *hj);
static ngx_int_t ngx_stream_hie_acknowledge(ngx_stream_hie_ctx_t *ctx);
static ngx_int_t ngx_stream_hie_send(ngx_stream_hie_ctx_t *ctx,
    ngx_chain_t *cl);
static void ngx_stream_hie_finalize(ngx_stream_hie_ctx_t *ctx, ngx_uint_t rc);

static void *ngx_stream_hie_create_main_conf(ngx_conf_t *cf);
static char *ngx_stream_hie_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_stream_hie_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_hie_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_hie_mllp(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_stream_hie_init_process(ngx_cycle_t *cycle);
static void ngx_stream_hie_exit_process(ngx_cycle_t *cycle);


static ngx_hie_t  ngx_stream_hie;


static ngx_command_t  ngx_stream_hie_mllp_commands[] = {

    { ngx_string("hie_config"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_hie_set_config,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hie_mllp"),
      NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_stream_hie_mllp,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_hie_srv_conf_t, mllp),
      NULL },

    { ngx_string("hie_mllp_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_hie_srv_conf_t, timeout),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_hie_mllp_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_stream_hie_create_main_conf,       /* create main configuration */
    ngx_stream_hie_init_main_conf,         /* init main configuration */

    ngx_stream_hie_create_srv_conf,        /* create server configuration */
    ngx_stream_hie_merge_srv_conf          /* merge server configuration */
};


ngx_module_t  ngx_stream_hie_mllp_module = {
    NGX_MODULE_V1,
    &ngx_stream_hie_mllp_module_ctx,       /* module context */
    ngx_stream_hie_mllp_commands,          /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_stream_hie_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_stream_hie_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void
ngx_stream_hie_handler(ngx_stream_session_t *s)
{
    ngx_connection_t      *c;
    ngx_stream_hie_ctx_t  *ctx;

    c = s->connection;

    if (ngx_stream_hie.runtime == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_SERVICE_UNAVAILABLE);
        return;
    }

    ctx = ngx_stream_hie_create_ctx(s);
    if (ctx == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    c->read->handler = ngx_stream_hie_read_handler;
    c->write->handler = ngx_stream_hie_write_handler;

    /* bytes that the preread phase has taken */

    if (c->buffer && c->buffer->pos < c->buffer->last) {
        ctx->in.ptr = (char *) c->buffer->pos;
        ctx->in.len = c->buffer->last - c->buffer->pos;
        c->buffer->pos = c->buffer->last;
    }

    ngx_stream_hie_process(ctx);
}


static ngx_stream_hie_ctx_t *
ngx_stream_hie_create_ctx(ngx_stream_session_t *s)
{
    ngx_connection_t      *c;
    ngx_pool_cleanup_t    *cln;
    const hie_config_t    *conf;
    ngx_stream_hie_ctx_t  *ctx;

    c = s->connection;

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_stream_hie_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_stream_hie_ctx_t));

    ctx->session = s;
    ctx->peer = ngx_hie_str(c->addr_text);

    ctx->buffer = ngx_palloc(c->pool, NGX_STREAM_HIE_BUFFER);
    if (ctx->buffer == NULL) {
        return NULL;
    }

    if (ngx_hie_tls_subject(c, c->pool, &ctx->tls_subject) != NGX_OK) {
        return NULL;
    }

    conf = hie_runtime_config(ngx_stream_hie.runtime);

    hie_ulid(ctx->id);

    ctx->pool = hie_pool_create(NULL, "mllp");
    cln->handler = ngx_stream_hie_cleanup;

    hie_mllp_init(&ctx->mllp, ctx->pool, conf->mllp.max_message);

    ngx_stream_set_ctx(s, ctx, ngx_stream_hie_mllp_module);

    return ctx;
}


static void
ngx_stream_hie_cleanup(void *data)
{
    ngx_stream_hie_ctx_t  *ctx = data;

    ngx_hie_job_destroy(&ctx->hj);

    apr_pool_destroy(ctx->pool);
}


static void
ngx_stream_hie_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;
    ngx_stream_hie_ctx_t  *ctx;

    c = rev->data;
    s = c->data;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_hie_mllp_module);

    if (c->close) {

        /* the worker is closing: between messages, or it waits no more */

        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        ngx_connection_error(c, NGX_ETIMEDOUT, "MLLP client timed out");
        ngx_stream_hie_finalize(ctx, hie_mllp_partial(&ctx->mllp)
                                     ? NGX_STREAM_BAD_REQUEST
                                     : NGX_STREAM_OK);
        return;
    }

    if (ctx->hj.job) {

        /*
         * One message at a time: what came meanwhile is read after it, so the
         * order is kept and the sender is held up.
         */

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_stream_hie_finalize(ctx, NGX_STREAM_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    ngx_stream_hie_process(ctx);
}


static void
ngx_stream_hie_write_handler(ngx_event_t *wev)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;
    ngx_stream_hie_ctx_t  *ctx;

    c = wev->data;
    s = c->data;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_hie_mllp_module);

    if (!ctx->sending) {
        return;
    }

    if (wev->timedout) {
        wev->timedout = 0;

        ngx_connection_error(c, NGX_ETIMEDOUT, "MLLP client timed out");
        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
        return;
    }

    rc = ngx_stream_hie_send(ctx, NULL);

    if (rc == NGX_ERROR) {
        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
        return;
    }

    if (rc == NGX_OK) {
        ngx_stream_hie_process(ctx);
    }
}


/* Takes bytes until a message is complete, or there are no more. */

static void
ngx_stream_hie_process(ngx_stream_hie_ctx_t *ctx)
{
    hie_rc_t           rc;
    ngx_int_t          n;
    hie_error_t        err;
    ngx_connection_t  *c;

    c = ctx->session->connection;
    c->idle = 0;

    for ( ;; ) {

        if (ctx->in.len == 0) {

            n = ngx_stream_hie_recv(ctx);

            if (n == NGX_AGAIN) {
                return;
            }

            if (n != NGX_OK) {
                ngx_stream_hie_finalize(ctx, hie_mllp_partial(&ctx->mllp)
                                             ? NGX_STREAM_BAD_REQUEST
                                             : NGX_STREAM_OK);
                return;
            }
        }

        ngx_memzero(&err, sizeof(hie_error_t));

        rc = hie_mllp_feed(&ctx->mllp, &ctx->in, &ctx->frame, &err);

        if (rc == HIE_NOT_FOUND) {
            continue;
        }

        if (rc != HIE_OK) {
            ngx_log_error(NGX_LOG_ERR, c->log, 0, "HIE6005 MLLP: %s",
                          err.detail);
            ngx_stream_hie_finalize(ctx, NGX_STREAM_BAD_REQUEST);
            return;
        }

        if (ngx_stream_hie_post(ctx) != NGX_OK) {

            /* no acknowledgement: the sender tries again */

            ngx_stream_hie_finalize(ctx, NGX_STREAM_SERVICE_UNAVAILABLE);
        }

        return;
    }
}


/* NGX_AGAIN: waits, or has finalized the session. */

static ngx_int_t
ngx_stream_hie_recv(ngx_stream_hie_ctx_t *ctx)
{
    ssize_t                n;
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;

    s = ctx->session;
    c = s->connection;

    c->log->action = "reading HL7 messages";

    if (c->read->ready) {

        n = c->recv(c, ctx->buffer, NGX_STREAM_HIE_BUFFER);

        if (n > 0) {
            s->received += n;
            ctx->in.ptr = (char *) ctx->buffer;
            ctx->in.len = n;
            return NGX_OK;
        }

        if (n != NGX_AGAIN) {
            return NGX_ERROR;
        }
    }

    if (ngx_stream_hie_wait(ctx) != NGX_OK) {
        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_stream_hie_wait(ngx_stream_hie_ctx_t *ctx)
{
    ngx_connection_t           *c;
    ngx_stream_session_t       *s;
    ngx_stream_hie_srv_conf_t  *hscf;

    s = ctx->session;
    c = s->connection;

    if (!hie_mllp_partial(&ctx->mllp)) {

        if (ngx_exiting) {
            return NGX_DONE;
        }

        /* a closing worker does not wait for the next message */

        c->idle = 1;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    hscf = ngx_stream_get_module_srv_conf(s, ngx_stream_hie_mllp_module);

    ngx_add_timer(c->read, hscf->timeout);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_hie_post(ngx_stream_hie_ctx_t *ctx)
{
    hie_request_t     *hr;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (ngx_hie_job_create(&ngx_stream_hie, &ctx->hj) != NGX_OK) {
        return NGX_ERROR;
    }

    hr = hie_job_request(ctx->hj.job);

    hr->body_file = -1;
    hr->peer = ctx->peer;
    hr->tls_subject = ctx->tls_subject;

    ctx->hj.done = ngx_stream_hie_done;
    ctx->hj.data = ctx;

    if (ngx_hie_job_post_message(&ctx->hj, ctx->id, ctx->frame) != NGX_OK) {
        return NGX_ERROR;
    }

    c->log->action = "processing an HL7 message";

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    return NGX_OK;
}


static void
ngx_stream_hie_done(ngx_hie_job_t *hj)
{
    ngx_int_t              rc;
    ngx_stream_hie_ctx_t  *ctx;

    ctx = hj->data;

    if (ctx->dead) {
        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
        return;
    }

    if (hie_job_response(hj->job)->body.len == 0) {

        /* it is not safe, and must not be acknowledged */

        ngx_stream_hie_finalize(ctx, NGX_STREAM_SERVICE_UNAVAILABLE);
        return;
    }

    rc = ngx_stream_hie_acknowledge(ctx);

    if (rc == NGX_ERROR) {
        ngx_stream_hie_finalize(ctx, NGX_STREAM_OK);
        return;
    }

    if (rc == NGX_OK) {
        ngx_stream_hie_process(ctx);
    }
}


static ngx_int_t
ngx_stream_hie_acknowledge(ngx_stream_hie_ctx_t *ctx)
{
    ngx_buf_t             *b;
    ngx_chain_t            cl;
    const hie_response_t  *hr;

    ctx->session->connection->log->action = "sending an HL7 acknowledgement";

    hr = hie_job_response(ctx->hj.job);

    b = &ctx->out;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = (u_char *) hr->body.ptr;
    b->pos = b->start;
    b->end = b->start + hr->body.len;
    b->last = b->end;
    b->memory = 1;
    b->flush = 1;
    b->tag = (ngx_buf_tag_t) &ngx_stream_hie_mllp_module;

    cl.buf = b;
    cl.next = NULL;

    return ngx_stream_hie_send(ctx, &cl);
}


/* NGX_OK: the acknowledgement has left; NGX_AGAIN: a part of it. */

static ngx_int_t
ngx_stream_hie_send(ngx_stream_hie_ctx_t *ctx, ngx_chain_t *cl)
{
    ngx_event_t                *wev;
    ngx_connection_t           *c;
    const hie_response_t       *hr;
    ngx_stream_session_t       *s;
    ngx_stream_hie_srv_conf_t  *hscf;

    s = ctx->session;
    c = s->connection;
    wev = c->write;

    if (ngx_stream_top_filter(s, cl, 1) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (c->buffered) {
        ctx->sending = 1;

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        hscf = ngx_stream_get_module_srv_conf(s, ngx_stream_hie_mllp_module);

        ngx_add_timer(wev, hscf->timeout);

        return NGX_AGAIN;
    }

    ctx->sending = 0;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    hr = hie_job_response(ctx->hj.job);

    ngx_hie_job_complete(&ctx->hj, hr->status, hr->body.len, 0);
    ngx_hie_job_destroy(&ctx->hj);

    hie_mllp_rest(&ctx->mllp);

    return NGX_OK;
}


/*
 * A stream session has nothing like "blocked" of a request: while a thread has
 * the job, the end is put off.
 */

static void
ngx_stream_hie_finalize(ngx_stream_hie_ctx_t *ctx, ngx_uint_t rc)
{
    ngx_connection_t  *c;

    if (ctx->hj.running) {

        ctx->dead = 1;

        c = ctx->session->connection;

        if (c->read->timer_set) {
            ngx_del_timer(c->read);
        }

        return;
    }

    /* the cleanup completes a job that was not acknowledged as aborted */

    ngx_stream_finalize_session(ctx->session, rc);
}


static void *
ngx_stream_hie_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_hie_conf_t));
}


static char *
ngx_stream_hie_init_main_conf(ngx_conf_t *cf, void *conf)
{
    return ngx_hie_init_conf(cf, conf);
}


static void *
ngx_stream_hie_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_hie_srv_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_stream_hie_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mllp = NGX_CONF_UNSET;
    conf->timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_stream_hie_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_hie_srv_conf_t  *prev = parent;
    ngx_stream_hie_srv_conf_t  *conf = child;

    ngx_conf_merge_value(conf->mllp, prev->mllp, 0);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 300000);

    return NGX_CONF_OK;
}


static char *
ngx_stream_hie_mllp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_hie_srv_conf_t  *hscf = conf;

    char                        *rv;
    ngx_hie_conf_t              *hcf;
    ngx_stream_core_srv_conf_t  *cscf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || !hscf->mllp) {
        return rv;
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);
    cscf->handler = ngx_stream_hie_handler;

    hcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_hie_mllp_module);
    hcf->used = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_hie_init_process(ngx_cycle_t *cycle)
{
    return ngx_hie_init_process(cycle, &ngx_stream_hie,
        ngx_stream_cycle_get_module_main_conf(cycle,
                                              ngx_stream_hie_mllp_module));
}


static void
ngx_stream_hie_exit_process(ngx_cycle_t *cycle)
{
    ngx_hie_exit_process(&ngx_stream_hie);
}
