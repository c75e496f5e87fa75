
#include "ngx_http_hie_module.h"

#include <apr_portable.h>


static ngx_int_t ngx_http_hie_set_path(ngx_http_request_t *r, ngx_str_t *base,
    hie_request_t *hr);
static ngx_int_t ngx_http_hie_set_request_headers(ngx_http_request_t *r,
    hie_request_t *hr);
static ngx_int_t ngx_http_hie_set_body(ngx_http_request_t *r, apr_pool_t *pool,
    hie_request_t *hr);
static ngx_uint_t ngx_http_hie_weak_if_range(ngx_http_request_t *r);
static ngx_int_t ngx_http_hie_file_buf(ngx_http_request_t *r,
    const hie_response_t *hr, ngx_buf_t *b);
static ngx_int_t ngx_http_hie_set_response_headers(ngx_http_request_t *r,
    const hie_response_t *hr);
static ngx_int_t ngx_http_hie_set_response_header(ngx_http_request_t *r,
    const hie_header_t *hh);
static ngx_int_t ngx_http_hie_local(ngx_http_request_t *r, ngx_uint_t *local);


/* Names of RFC 9110 for codes that nginx itself does not send. */

static ngx_str_t  ngx_http_hie_unprocessable =
    ngx_string("422 Unprocessable Content");
static ngx_str_t  ngx_http_hie_precondition_required =
    ngx_string("428 Precondition Required");


/*
 * All spans point to memory of the request, which is blocked while a thread
 * uses them.  NGX_DECLINED: the URI is not below the location as it was sent.
 */

ngx_int_t
ngx_http_hie_set_request(ngx_http_request_t *r, ngx_http_hie_loc_conf_t *hlcf,
    hie_job_t *job)
{
    ngx_int_t           rc;
    ngx_uint_t          local;
    hie_request_t      *hr;
    ngx_connection_t   *c;

    c = r->connection;
    hr = hie_job_request(job);

    hr->method = ngx_hie_str(r->method_name);

    hr->scheme = HIE_STR("http");
#if (NGX_HTTP_SSL)
    if (c->ssl) {
        hr->scheme = HIE_STR("https");
    }
#endif

    if (r->headers_in.host) {
        hr->host = ngx_hie_str(r->headers_in.host->value);
    }

    hr->base = ngx_hie_str(hlcf->base);

    if (r->args.len) {
        hr->query = ngx_hie_str(r->args);
    }

    hr->peer = ngx_hie_str(c->addr_text);

    if (hlcf->auth == NGX_HTTP_HIE_NONE) {

        if (ngx_http_hie_local(r, &local) != NGX_OK) {
            return NGX_ERROR;
        }

        hr->local = local;
    }

    rc = ngx_http_hie_set_path(r, &hlcf->base, hr);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_hie_set_request_headers(r, hr) != NGX_OK
        || ngx_http_hie_set_body(r, hie_job_pool(job), hr) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_hie_tls_subject(c, r->pool, &hr->tls_subject);
}


/*
 * The path as it was sent, so that an escaped "/" stays one and dot segments
 * are seen by who judges them.  A URI that a rewrite has changed exists only
 * in its decoded form.
 */

static ngx_int_t
ngx_http_hie_set_path(ngx_http_request_t *r, ngx_str_t *base,
    hie_request_t *hr)
{
    u_char     *p;
    uintptr_t   escape;
    ngx_str_t   path;

    if (r->valid_unparsed_uri) {
        path = r->unparsed_uri;

        p = ngx_strlchr(path.data, path.data + path.len, '?');

        if (p) {
            path.len = p - path.data;
        }

    } else {
        path = r->uri;
    }

    if (path.len < base->len
        || ngx_strncmp(path.data, base->data, base->len) != 0
        || (path.len > base->len && path.data[base->len] != '/'))
    {
        return NGX_DECLINED;
    }

    path.data += base->len;
    path.len -= base->len;

    if (!r->valid_unparsed_uri) {
        escape = ngx_escape_uri(NULL, path.data, path.len, NGX_ESCAPE_URI);

        if (escape) {
            p = ngx_pnalloc(r->pool, path.len + 2 * escape);
            if (p == NULL) {
                return NGX_ERROR;
            }

            path.len = (u_char *) ngx_escape_uri(p, path.data, path.len,
                                                 NGX_ESCAPE_URI)
                       - p;
            path.data = p;
        }
    }

    hr->path = ngx_hie_str(path);

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_set_request_headers(ngx_http_request_t *r, hie_request_t *hr)
{
    ngx_uint_t        i, n;
    hie_header_t     *hh;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    hh = ngx_palloc(r->pool, n * sizeof(hie_header_t) + 1);
    if (hh == NULL) {
        return NGX_ERROR;
    }

    hr->headers = hh;
    hr->n_headers = (int) n;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            hh->name = ngx_hie_str(h[i].key);
            hh->value = ngx_hie_str(h[i].value);
            hh++;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_set_body(ngx_http_request_t *r, apr_pool_t *pool,
    hie_request_t *hr)
{
    size_t                    len;
    u_char                   *p;
    ngx_chain_t              *cl, *first;
    ngx_http_request_body_t  *rb;

    hr->body_file = -1;

    rb = r->request_body;

    if (rb == NULL || rb->bufs == NULL) {
        return NGX_OK;
    }

    if (rb->temp_file) {
        hr->body_file = rb->temp_file->file.fd;
        return NGX_OK;
    }

    len = 0;
    first = rb->bufs;

    for (cl = rb->bufs; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    if (len == (size_t) (first->buf->last - first->buf->pos)) {
        hr->body.ptr = (char *) first->buf->pos;
        hr->body.len = len;
        return NGX_OK;
    }

    p = apr_palloc(pool, len);

    hr->body.ptr = (char *) p;
    hr->body.len = len;

    for (cl = rb->bufs; cl; cl = cl->next) {
        if (cl->buf->last != cl->buf->pos) {
            p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
        }
    }

    return NGX_OK;
}


/*
 * Both ends on loopback.  What a proxy says about the client is not enough to
 * be local.
 */

static ngx_int_t
ngx_http_hie_local(ngx_http_request_t *r, ngx_uint_t *local)
{
    ngx_connection_t  *c;

    c = r->connection;

    *local = 0;

    if (c->proxy_protocol || !ngx_http_hie_loopback(c->sockaddr)) {
        return NGX_OK;
    }

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    *local = ngx_http_hie_loopback(c->local_sockaddr);

    return NGX_OK;
}


ngx_uint_t
ngx_http_hie_loopback(struct sockaddr *sa)
{
    in_addr_t             addr;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    u_char               *p;
    struct in6_addr      *addr6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

#if (NGX_HAVE_INET6)
    case AF_INET6:
        addr6 = &((struct sockaddr_in6 *) sa)->sin6_addr;

        if (IN6_IS_ADDR_LOOPBACK(addr6)) {
            return 1;
        }

        p = addr6->s6_addr;

        return IN6_IS_ADDR_V4MAPPED(addr6) && p[12] == 127;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        addr = ntohl(sin->sin_addr.s_addr);

        return (addr >> 24) == 127;

    default:
        return 0;
    }
}


ngx_int_t
ngx_http_hie_set_response(ngx_http_request_t *r, const hie_response_t *hr)
{
    r->headers_out.status = hr->status;

    switch (hr->status) {

    case 422:
        r->headers_out.status_line = ngx_http_hie_unprocessable;
        break;

    case 428:
        r->headers_out.status_line = ngx_http_hie_precondition_required;
        break;
    }

    if (hr->status != NGX_HTTP_NOT_MODIFIED) {
        r->headers_out.content_length_n = hr->length;
    }

    /*
     * Preconditions have been evaluated: nginx would make a 412 of a
     * successful update, whose ETag is a new one.
     */

    r->disable_not_modified = 1;
    r->allow_ranges = hr->ranges && !ngx_http_hie_weak_if_range(r);

    return ngx_http_hie_set_response_headers(r, hr);
}


/* RFC 9110 section 13.1.5: a weak ETag is none for If-Range. */

static ngx_uint_t
ngx_http_hie_weak_if_range(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    if (r->headers_in.if_range == NULL) {
        return 0;
    }

    value = &r->headers_in.if_range->value;

    return value->len > 2 && value->data[0] == 'W' && value->data[1] == '/';
}


/*
 * The bytes, or the descriptor, stay where the job has them, until the request
 * is freed.
 */

ngx_chain_t *
ngx_http_hie_response_body(ngx_http_request_t *r, const hie_response_t *hr)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NULL;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    if (hr->body_file) {
        if (ngx_http_hie_file_buf(r, hr, b) != NGX_OK) {
            return NULL;
        }

    } else if (hr->body.len) {
        b->start = (u_char *) hr->body.ptr;
        b->pos = b->start;
        b->end = b->start + hr->body.len;
        b->last = b->end;
        b->memory = 1;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


static ngx_int_t
ngx_http_hie_file_buf(ngx_http_request_t *r, const hie_response_t *hr,
    ngx_buf_t *b)
{
    apr_os_file_t  fd;

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL
        || apr_os_file_get(&fd, hr->body_file) != APR_SUCCESS)
    {
        return NGX_ERROR;
    }

    b->file->fd = fd;
    b->file->log = r->connection->log;
    ngx_str_set(&b->file->name, "hie content");

    b->file_pos = 0;
    b->file_last = hr->length;
    b->in_file = hr->length ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_set_response_headers(ngx_http_request_t *r,
    const hie_response_t *hr)
{
    int  i;

    for (i = 0; i < hr->n_headers; i++) {
        if (ngx_http_hie_set_response_header(r, &hr->headers[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_hie_set_response_header(ngx_http_request_t *r, const hie_header_t *hh)
{
    u_char           *p;
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    value.data = (u_char *) hh->value.ptr;
    value.len = hh->value.len;

    if (hie_str_ieqz(hh->name, "Content-Type")) {
        r->headers_out.content_type = value;
        r->headers_out.content_type_lowcase = NULL;

        p = ngx_strlchr(value.data, value.data + value.len, ';');

        r->headers_out.content_type_len = p ? (size_t) (p - value.data)
                                            : value.len;
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) hh->name.ptr;
    h->key.len = hh->name.len;
    h->value = value;
    h->lowcase_key = NULL;

    /* Location stays out of headers_out: nginx would make it absolute */

    if (hie_str_ieqz(hh->name, "ETag")) {
        r->headers_out.etag = h;

    } else if (hie_str_ieqz(hh->name, "Last-Modified")) {
        r->headers_out.last_modified = h;

    } else if (hie_str_ieqz(hh->name, "WWW-Authenticate")) {
        r->headers_out.www_authenticate = h;
    }

    return NGX_OK;
}
