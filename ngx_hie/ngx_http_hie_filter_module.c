
#include "ngx_http_hie_module.h"


/* First size of the buffer for a body of unknown length. */
#define NGX_HTTP_HIE_BODY  16384


static ngx_int_t ngx_http_hie_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_hie_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_hie_collect(ngx_http_hie_ctx_t *ctx, ngx_buf_t *b);
static ngx_uint_t ngx_http_hie_truncated(ngx_http_request_t *r, ngx_buf_t *b);
static ngx_uint_t ngx_http_hie_is_page(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx);
static ngx_int_t ngx_http_hie_page_header(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx);
static ngx_int_t ngx_http_hie_page_body(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_hie_judge(ngx_http_request_t *r,
    ngx_http_hie_ctx_t *ctx);
static ngx_int_t ngx_http_hie_filter_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_hie_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_hie_filter_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_hie_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_hie_filter_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/*
 * The headers are held back until the whole body has been judged.  Nothing is
 * refused here: a status returned from a header filter enters it again for the
 * error page.
 */

static ngx_int_t
ngx_http_hie_header_filter(ngx_http_request_t *r)
{
    off_t                length;
    apr_size_t           max;
    ngx_http_hie_ctx_t  *ctx;

    ctx = ngx_http_hie_get_ctx(r->main);

    if (ngx_http_hie_is_page(r, ctx)) {
        return ngx_http_hie_page_header(r, ctx);
    }

    if (ctx == NULL
        || (ctx->state != ngx_http_hie_passed
            && ctx->state != ngx_http_hie_holding))
    {
        return ngx_http_next_header_filter(r);
    }

    if (r != r->main) {

        /* its body would be added to one that has been judged alone */

        if (!r->background) {
            ctx->refused = "a subrequest in the response";
        }

        return NGX_OK;
    }

    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS) {

        /* the exception: after a 101 bytes would pass by the filters */

        ctx->refused = "an upgrade of the connection";
        return NGX_HTTP_BAD_GATEWAY;
    }

    ctx->state = ngx_http_hie_holding;
    ctx->status = r->headers_out.status;
    ctx->content_type = r->headers_out.content_type;
    ctx->encoded = r->headers_out.content_encoding
                   && r->headers_out.content_encoding->value.len;

    r->main_filter_need_in_memory = 1;
    r->allow_ranges = 0;

    length = r->headers_out.content_length_n;
    max = hie_runtime_config(ctx->hj.hie->runtime)->gateway.max_body;

    if (length < 0) {
        length = ngx_min(NGX_HTTP_HIE_BODY, max);

    } else if ((apr_size_t) length > max) {
        ctx->refused = "a body over gateway.max_body";
    }

    if (ctx->refused == NULL) {
        hie_buf_init(&ctx->body, hie_job_pool(ctx->hj.job), length + 1);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_uint_t           last;
    ngx_chain_t         *cl;
    ngx_http_hie_ctx_t  *ctx;

    ctx = ngx_http_hie_get_ctx(r->main);

    if (ctx && ctx->state == ngx_http_hie_failed && r == r->main) {
        return ngx_http_hie_page_body(r, ctx, in);
    }

    if (ctx == NULL
        || (ctx->state != ngx_http_hie_passed
            && ctx->state != ngx_http_hie_holding))
    {
        return ngx_http_next_body_filter(r, in);
    }

    last = 0;

    for (cl = in; cl; cl = cl->next) {

        if (r == r->main) {
            ngx_http_hie_collect(ctx, cl->buf);

            if (cl->buf->last_buf) {
                last = 1;

            } else if (ngx_http_hie_truncated(r, cl->buf)) {
                ctx->refused = "a response that is not complete";
                last = 1;
            }
        }

        /* it may be used again */

        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (!last) {
        return NGX_OK;
    }

    return ngx_http_hie_judge(r, ctx);
}


static void
ngx_http_hie_collect(ngx_http_hie_ctx_t *ctx, ngx_buf_t *b)
{
    size_t  size, max;

    if (ctx->refused || ngx_buf_size(b) == 0) {
        return;
    }

    if (ctx->state != ngx_http_hie_holding || !ngx_buf_in_memory(b)) {
        ctx->refused = "a response that is not in memory";
        return;
    }

    size = b->last - b->pos;
    max = hie_runtime_config(ctx->hj.hie->runtime)->gateway.max_body;

    if (size > max - ctx->body.len) {

        /*
         * Only a mark: to end the request here would pull the connection
         * from under the upstream that is still reading it.
         */

        ctx->refused = "a body over gateway.max_body";
        return;
    }

    hie_buf_add(&ctx->body, b->pos, size);
}


/*
 * An upstream that fails in the middle of a body ends with an empty flush,
 * when it has given up its cleanup handler; then the connection is closed.
 */

static ngx_uint_t
ngx_http_hie_truncated(ngx_http_request_t *r, ngx_buf_t *b)
{
    return b->flush && ngx_buf_special(b)
           && r->upstream && r->upstream->cleanup == NULL;
}


/*
 * An error that nginx has found by itself before the job was done: the body
 * is an OperationOutcome instead of its page.  A request that is not
 * understood has no location yet but that of the server.
 */

static ngx_uint_t
ngx_http_hie_is_page(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx)
{
    ngx_str_t                *type;
    ngx_http_hie_loc_conf_t  *hlcf;

    if (r != r->main || r->headers_out.status < NGX_HTTP_BAD_REQUEST) {
        return 0;
    }

    if (ctx && ctx->state != ngx_http_hie_reading
        && ctx->state != ngx_http_hie_ready
        && ctx->state != ngx_http_hie_working)
    {
        return 0;
    }

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hie_module);

    if (!hlcf->errors) {
        return 0;
    }

    type = &r->headers_out.content_type;

    return type->len == sizeof("text/html") - 1
           && ngx_strncmp(type->data, "text/html", type->len) == 0;
}


static ngx_int_t
ngx_http_hie_page_header(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx)
{
    ngx_uint_t             status;
    const hie_response_t  *hr;

    if (ctx == NULL) {
        ctx = ngx_http_hie_create_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->state = ngx_http_hie_failed;

    status = r->headers_out.status;
    hr = hie_response_refused((int) status);

    if (ngx_http_hie_set_response(r, hr) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_out.status = status;

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_hie_page_body(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_uint_t             last;
    ngx_chain_t           *cl;
    const hie_response_t  *hr;

    last = 0;

    for (cl = in; cl; cl = cl->next) {
        last |= cl->buf->last_buf;
        cl->buf->pos = cl->buf->last;
    }

    if (!last) {
        return NGX_OK;
    }

    ctx->state = ngx_http_hie_answered;

    hr = hie_response_refused((int) r->headers_out.status);

    cl = ngx_http_hie_response_body(r, hr);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, cl);
}


static ngx_int_t
ngx_http_hie_judge(ngx_http_request_t *r, ngx_http_hie_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_chain_t           *cl;
    const hie_response_t  *hr;

    if (ctx->refused) {
        hie_job_refuse(ctx->hj.job, ctx->refused);

    } else {
        hie_job_redact(ctx->hj.job, (int) ctx->status,
                       ngx_hie_str(ctx->content_type), ctx->encoded,
                       hie_buf_str(&ctx->body));
    }

    hr = hie_job_response(ctx->hj.job);

    ctx->state = ngx_http_hie_answered;

    /* nothing of what the protected server or an error page has set */

    ngx_http_clean_header(r);

    r->err_status = 0;
    r->expect_trailers = 0;

    if (ctx->head) {
        r->method = NGX_HTTP_HEAD;
        ngx_str_set(&r->method_name, "HEAD");
    }

    if (ngx_http_hie_set_response(r, hr) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * From here on and not from the top of the chains: the copy filter is in
     * the middle of calling this one.
     */

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    cl = ngx_http_hie_response_body(r, hr);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, cl);
}


static ngx_int_t
ngx_http_hie_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_hie_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_hie_body_filter;

    return NGX_OK;
}
