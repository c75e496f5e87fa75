
#include "ngx_http_hie_module.h"


typedef struct {
    ngx_hie_conf_t              hie;
    ngx_array_t                 local;    /* ngx_http_core_srv_conf_t * */
} ngx_http_hie_main_conf_t;


static ngx_int_t ngx_http_hie_handler(ngx_http_request_t *r);
static void ngx_http_hie_body_handler(ngx_http_request_t *r);
static void ngx_http_hie_resume(ngx_http_request_t *r);

static ngx_int_t ngx_http_hie_gateway_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_hie_gateway_start(ngx_http_request_t *r,
    ngx_http_hie_loc_conf_t *hlcf);
static void ngx_http_hie_gateway_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_hie_gateway_post(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx);
static ngx_int_t ngx_http_hie_gateway_verdict(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx);
static void ngx_http_hie_gateway_hide_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_hie_finish(ngx_http_request_t *r, ngx_int_t rc);

static ngx_int_t ngx_http_hie_post(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx, hie_work_t work);
static ngx_int_t ngx_http_hie_send(ngx_http_request_t *r,
    const hie_response_t *hr);
static ngx_int_t ngx_http_hie_send_busy(ngx_http_request_t *r);
static void ngx_http_hie_cleanup(void *data);
static ngx_int_t ngx_http_hie_log_handler(ngx_http_request_t *r);

static void *ngx_http_hie_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_hie_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_hie_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_hie_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_hie_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_hie_check_listen(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_hie_init_process(ngx_cycle_t *cycle);
static void ngx_http_hie_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_hie_fhir(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_hie_consent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_hie_set_base(ngx_conf_t *cf,
    ngx_http_hie_loc_conf_t *hlcf);


static ngx_hie_t  ngx_http_hie;


static ngx_conf_enum_t  ngx_http_hie_auth[] = {
    { ngx_string("bearer"), NGX_HTTP_HIE_BEARER },
    { ngx_string("none"), NGX_HTTP_HIE_NONE },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_hie_commands[] = {

    { ngx_string("hie_config"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_hie_set_config,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hie_fhir"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_hie_fhir,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hie_loc_conf_t, fhir),
      NULL },

    { ngx_string("hie_consent"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_hie_consent,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hie_loc_conf_t, consent),
      NULL },

    { ngx_string("hie_errors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hie_loc_conf_t, errors),
      NULL },

    { ngx_string("hie_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hie_loc_conf_t, auth),
      &ngx_http_hie_auth },

      ngx_null_command
};


/*
 * What the protected server must not get: the requester's token, and what
 * makes an answer one that cannot be judged.
 */

static ngx_str_t  ngx_http_hie_hidden_headers[] = {
    ngx_string("authorization"),
    ngx_string("accept-encoding"),
    ngx_string("if-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-none-match"),
    ngx_string("if-range"),
    ngx_string("if-unmodified-since"),
    ngx_string("range"),
    ngx_null_string
};


static ngx_http_module_t  ngx_http_hie_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_hie_init,                     /* postconfiguration */

    ngx_http_hie_create_main_conf,         /* create main configuration */
    ngx_http_hie_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_hie_create_loc_conf,          /* create location configuration */
    ngx_http_hie_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_hie_module = {
    NGX_MODULE_V1,
    &ngx_http_hie_module_ctx,              /* module context */
    ngx_http_hie_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_hie_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_hie_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * Repository: a content handler.
 */

static ngx_int_t
ngx_http_hie_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_hie_ctx_t  *ctx;

    /*
     * A subrequest cannot wait for a thread safely, and an internal redirect
     * after an answer of ours would need a second job.
     */

    if (r != r->main || ngx_http_hie_get_ctx(r)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_hie.runtime == NULL) {
        return ngx_http_hie_send_busy(r);
    }

    ctx = ngx_http_hie_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_hie_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_hie_body_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_hie_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hie_module);

    rc = ngx_http_hie_post(r, ctx, HIE_WORK_SERVE);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->write_event_handler = ngx_http_hie_resume;
}


static void
ngx_http_hie_resume(ngx_http_request_t *r)
{
    ngx_http_hie_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hie_module);

    if (ctx->hj.running) {
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;
    ctx->state = ngx_http_hie_answered;

    ngx_http_finalize_request(r,
                        ngx_http_hie_send(r, hie_job_response(ctx->hj.job)));
}


/*
 * Gateway: the request is judged in the PRECONTENT phase, which no "satisfy"
 * can skip, and the answer in the filters.
 */

static ngx_int_t
ngx_http_hie_gateway_handler(ngx_http_request_t *r)
{
    ngx_http_hie_ctx_t       *ctx;
    ngx_http_hie_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hie_module);

    if (!hlcf->consent) {
        return NGX_DECLINED;
    }

    if (r != r->main) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_hie_get_ctx(r);

    if (ctx == NULL) {
        return ngx_http_hie_gateway_start(r, hlcf);
    }

    switch (ctx->state) {

    case ngx_http_hie_reading:
        return NGX_DONE;

    case ngx_http_hie_ready:
        return ngx_http_hie_gateway_post(r, ctx);

    case ngx_http_hie_working:
        return ctx->hj.running ? NGX_AGAIN
                               : ngx_http_hie_gateway_verdict(r, ctx);

    case ngx_http_hie_passed:
    case ngx_http_hie_holding:

        /* an internal redirect: the answer is judged all the same */

        return NGX_DECLINED;

    default: /* ngx_http_hie_answered */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_hie_gateway_start(ngx_http_request_t *r,
    ngx_http_hie_loc_conf_t *hlcf)
{
    ngx_int_t            rc;
    ngx_http_hie_ctx_t  *ctx;

    if (ngx_http_hie.runtime == NULL) {
        return ngx_http_hie_finish(r, ngx_http_hie_send_busy(r));
    }

    ctx = ngx_http_hie_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return ngx_http_hie_gateway_post(r, ctx);
    }

    /* a search may be in the body */

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_hie_gateway_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_hie_gateway_body_handler(ngx_http_request_t *r)
{
    ngx_http_hie_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hie_module);
    ctx->state = ngx_http_hie_ready;

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_hie_gateway_post(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_hie_post(r, ctx, HIE_WORK_AUTHORIZE);

    if (rc == NGX_AGAIN || rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return ngx_http_hie_finish(r, rc);
}


static ngx_int_t
ngx_http_hie_gateway_verdict(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx)
{
    if (hie_job_verdict(ctx->hj.job) != HIE_OK) {
        ctx->state = ngx_http_hie_answered;

        return ngx_http_hie_finish(r,
                        ngx_http_hie_send(r, hie_job_response(ctx->hj.job)));
    }

    ctx->state = ngx_http_hie_passed;

    ngx_http_hie_gateway_hide_headers(r);

    /*
     * The answer to a HEAD has no body that could be judged, but its status,
     * length and validators tell about one.  So the protected server gets a
     * GET; the method comes back when the judged answer is sent, and
     * ngx_http_header_filter() then leaves the body out.
     */

    if (r->method == NGX_HTTP_HEAD) {
        ctx->head = 1;
        r->method = NGX_HTTP_GET;
        ngx_str_set(&r->method_name, "GET");
    }

    return NGX_DECLINED;
}


/*
 * The list of headers cannot lose an element, but an element may change its
 * name to one that a proxy never passes on.
 */

static void
ngx_http_hie_gateway_hide_headers(ngx_http_request_t *r)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        for (name = ngx_http_hie_hidden_headers; name->len; name++) {

            if (h[i].key.len != name->len
                || ngx_strncmp(h[i].lowcase_key, name->data, name->len) != 0)
            {
                continue;
            }

            ngx_str_set(&h[i].key, "Keep-Alive");
            h[i].lowcase_key = (u_char *) "keep-alive";
            h[i].hash = ngx_hash_key(h[i].lowcase_key, h[i].key.len);
            break;
        }
    }

    r->headers_in.if_match = NULL;
    r->headers_in.if_modified_since = NULL;
    r->headers_in.if_none_match = NULL;
    r->headers_in.if_unmodified_since = NULL;
    r->headers_in.if_range = NULL;
    r->headers_in.range = NULL;
}


/* Ends the request in a phase other than that of the content. */

static ngx_int_t
ngx_http_hie_finish(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/*
 * Both.
 */

ngx_http_hie_ctx_t *
ngx_http_hie_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_hie_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_hie_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_hie_ctx_t));

    ctx->state = ngx_http_hie_reading;

    cln->handler = ngx_http_hie_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_hie_module);

    return ctx;
}


/* Redirects and error pages wipe the contexts of all modules. */

ngx_http_hie_ctx_t *
ngx_http_hie_get_ctx(ngx_http_request_t *r)
{
    ngx_http_hie_ctx_t  *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hie_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_hie_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_hie_module);
                break;
            }
        }
    }

    return ctx;
}


/*
 * NGX_AGAIN: a thread has the job; otherwise what to finalize the request
 * with.
 */

static ngx_int_t
ngx_http_hie_post(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx,
    hie_work_t work)
{
    ngx_int_t                 rc;
    ngx_http_hie_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hie_module);

    rc = ngx_hie_job_create(&ngx_http_hie, &ctx->hj);

    if (rc == NGX_OK) {
        rc = ngx_http_hie_set_request(r, hlcf, ctx->hj.job);

        if (rc == NGX_DECLINED) {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_hie_task_post(r, &ctx->hj, work) != NGX_OK) {
        ctx->state = ngx_http_hie_answered;

        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }

        hie_job_busy(ctx->hj.job);

        return ngx_http_hie_send(r, hie_job_response(ctx->hj.job));
    }

    ctx->state = ngx_http_hie_working;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_hie_send(ngx_http_request_t *r, const hie_response_t *hr)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    if (ngx_http_hie_set_response(r, hr) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    cl = ngx_http_hie_response_body(r, hr);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, cl);
}


/* There is no runtime, or no thread that is free. */

static ngx_int_t
ngx_http_hie_send_busy(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_hie_send(r, hie_response_busy());
}


static void
ngx_http_hie_cleanup(void *data)
{
    ngx_http_hie_ctx_t  *ctx = data;

    ngx_hie_job_destroy(&ctx->hj);
}


static ngx_int_t
ngx_http_hie_log_handler(ngx_http_request_t *r)
{
    off_t                bytes;
    ngx_uint_t           aborted, status;
    ngx_connection_t    *c;
    ngx_http_hie_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_hie_get_ctx(r);

    if (ctx == NULL) {
        return NGX_OK;
    }

    c = r->connection;

    status = r->err_status ? r->err_status : r->headers_out.status;

    bytes = c->sent - r->header_size;
    bytes = ngx_max(bytes, 0);

    aborted = !r->header_sent || c->error || c->timedout || r->buffered
              || c->buffered
              || (!r->header_only && bytes < r->headers_out.content_length_n);

    ngx_hie_job_complete(&ctx->hj, status, bytes, aborted);

    return NGX_OK;
}


static void *
ngx_http_hie_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_hie_main_conf_t  *hmcf;

    hmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hie_main_conf_t));
    if (hmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&hmcf->local, cf->temp_pool, 4,
                       sizeof(ngx_http_core_srv_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return hmcf;
}


static char *
ngx_http_hie_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_hie_main_conf_t  *hmcf = conf;

    return ngx_hie_init_conf(cf, &hmcf->hie);
}


static void *
ngx_http_hie_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_hie_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hie_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->base = { 0, NULL };
     */

    conf->fhir = NGX_CONF_UNSET;
    conf->consent = NGX_CONF_UNSET;
    conf->errors = NGX_CONF_UNSET;
    conf->auth = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_hie_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_hie_loc_conf_t  *prev = parent;
    ngx_http_hie_loc_conf_t  *conf = child;

    ngx_http_core_srv_conf_t  **cscf;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_hie_main_conf_t   *hmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->fhir == 1 && conf->consent == 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hie_fhir\" and \"hie_consent\" are both on "
                      "in location \"%V\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    /* "if" and "limit_except" are the same place as what they are in */

    if (clcf->noname && prev->fhir == 1 && clcf->handler == NULL) {
        conf->fhir = 1;
        conf->base = prev->base;
        clcf->handler = ngx_http_hie_handler;
    }

    if (conf->fhir == NGX_CONF_UNSET) {
        conf->fhir = 0;
    }

    if (conf->consent == NGX_CONF_UNSET && prev->consent == 1) {
        conf->base = conf->fhir ? conf->base : prev->base;
        conf->consent = !conf->fhir;
    }

    ngx_conf_merge_value(conf->consent, prev->consent, 0);

    if (conf->errors == NGX_CONF_UNSET && (conf->fhir || conf->consent)) {
        conf->errors = 1;
    }

    ngx_conf_merge_value(conf->errors, prev->errors, 0);
    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_HTTP_HIE_BEARER);

    if (conf->auth == NGX_HTTP_HIE_NONE && (conf->fhir || conf->consent)) {

        hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hie_module);

        cscf = ngx_array_push(&hmcf->local);
        if (cscf == NULL) {
            return NGX_CONF_ERROR;
        }

        *cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_hie_init(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_handler_pt         *h;
    ngx_http_core_srv_conf_t   **cscf;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_hie_main_conf_t    *hmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hie_module);

    if (!hmcf->hie.used) {
        return NGX_OK;
    }

    cscf = hmcf->local.elts;

    for (i = 0; i < hmcf->local.nelts; i++) {
        if (ngx_http_hie_check_listen(cf, cscf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hie_gateway_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hie_log_handler;

    return NGX_OK;
}


/*
 * A server without authentication may be reached from this host only.
 */

static ngx_int_t
ngx_http_hie_check_listen(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (ngx_http_hie_loopback(addr[a].opt.sockaddr)) {
                continue;
            }

            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                if (server[s] != cscf) {
                    continue;
                }

                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"hie_auth none\" is for loopback addresses "
                              "and unix sockets, not for \"listen %V\", "
                              "in the server at %s:%ui",
                              &addr[a].opt.addr_text,
                              cscf->file_name, cscf->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_init_process(ngx_cycle_t *cycle)
{
    ngx_http_hie_main_conf_t  *hmcf;

    hmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_hie_module);

    return ngx_hie_init_process(cycle, &ngx_http_hie,
                                hmcf ? &hmcf->hie : NULL);
}


static void
ngx_http_hie_exit_process(ngx_cycle_t *cycle)
{
    ngx_hie_exit_process(&ngx_http_hie);
}


static char *
ngx_http_hie_fhir(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hie_loc_conf_t  *hlcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || !hlcf->fhir) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_hie_handler;

    return ngx_http_hie_set_base(cf, hlcf);
}


static char *
ngx_http_hie_consent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hie_loc_conf_t  *hlcf = conf;

    char  *rv;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || !hlcf->consent) {
        return rv;
    }

    return ngx_http_hie_set_base(cf, hlcf);
}


static char *
ngx_http_hie_set_base(ngx_conf_t *cf, ngx_http_hie_loc_conf_t *hlcf)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_hie_main_conf_t  *hmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->name.len == 0 || clcf->named || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "is allowed in a location that is given by a prefix only";
    }

    hlcf->base = clcf->name;

    if (hlcf->base.data[hlcf->base.len - 1] == '/') {
        hlcf->base.len--;
    }

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_hie_module);
    hmcf->hie.used = 1;

    return NGX_CONF_OK;
}
