/*
 * Between a request_rec and a job.
 */

#include "hie_httpd.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>


#define READ_SIZE  65536


hie_httpd_job_t *
hie_httpd_job(request_rec *r)
{
    void  *hj = NULL;

    apr_pool_userdata_get(&hj, HIE_HTTPD_JOB_KEY, r->pool);

    return hj;
}


void *
hie_httpd_create_location(apr_pool_t *p, char *dir)
{
    hie_httpd_location_t  *loc = apr_pcalloc(p, sizeof(*loc));

    loc->on = -1;

    return loc;
}


/* The base belongs to the location that switched it on: one inside of it
 * inherits both. */
void *
hie_httpd_merge_locations(apr_pool_t *p, void *basev, void *addv)
{
    hie_httpd_location_t  *add = addv;

    return add->on != -1 ? addv : basev;
}


typedef struct {
    bool  used;
} location_server_t;


void *
hie_httpd_create_server(apr_pool_t *p, server_rec *s)
{
    return apr_pcalloc(p, sizeof(location_server_t));
}


static bool
is_used(server_rec *s, module *m)
{
    for (; s != NULL; s = s->next) {
        location_server_t  *ls = ap_get_module_config(s->module_config, m);

        if (ls->used) {
            return true;
        }
    }

    return false;
}


const char *
hie_httpd_set_location(cmd_parms *cmd, module *m, hie_httpd_location_t *loc,
                       int on)
{
    location_server_t     *ls = ap_get_module_config(
                                    cmd->server->module_config, m);
    const ap_directive_t  *parent = cmd->directive->parent;
    char                  *base;
    apr_size_t             len;

    /* "<Location ~ regex>" is <LocationMatch>. */
    if (parent == NULL || strcasecmp(parent->directive, "<Location") != 0
        || parent->args[strspn(parent->args, " \t\"")] == '~'
        || cmd->path == NULL || cmd->path[0] != '/'
        || apr_fnmatch_test(cmd->path))
    {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " must stand in a "
                           "<Location \"/path\"> without a pattern", NULL);
    }

    base = apr_pstrdup(cmd->pool, cmd->path);
    for (len = strlen(base); len > 0 && base[len - 1] == '/'; len--) {
        base[len - 1] = '\0';
    }

    loc->on = on;
    loc->base = base;
    ls->used = ls->used || on;

    return NULL;
}


int
hie_httpd_check_abi(server_rec *s)
{
    if (hie_abi_version() != HIE_ABI_VERSION) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP|APLOG_EMERG, 0, s,
                     "HIE6101: libhie.so has interface version %d, the "
                     "modules were built for %d: install both from one "
                     "release", hie_abi_version(), HIE_ABI_VERSION);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


int
hie_httpd_check_audit(server_rec *s, module *m)
{
    APR_OPTIONAL_FN_TYPE(hie_audit_configured)  *configured;

    if (hie_httpd_check_abi(s) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    configured = APR_RETRIEVE_OPTIONAL_FN(hie_audit_configured);

    if (ap_find_linked_module("mod_hie_audit.c") == NULL
        || configured == NULL)
    {
        ap_log_error(APLOG_MARK, APLOG_STARTUP|APLOG_EMERG, 0, s,
                     "HIE6102: %s needs mod_hie_audit: add a LoadModule "
                     "line for hie_audit_module", m->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!configured() && is_used(s, m)) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP|APLOG_EMERG, 0, s,
                     "HIE6103: %s is used, but HieConfig does not name a "
                     "file", m->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


static hie_str_t
span(const char *z)
{
    return z != NULL ? (hie_str_t) { z, strlen(z) } : HIE_STR_NONE;
}


/*
 * The path as a client would write it, but made from the decoded and
 * normalised one: what the job judges is then what <Location> matched and
 * what a proxy sends on. "/fhir/./Patient" or "/%66hir/Patient" have no
 * second meaning.
 */
static bool
path_below(request_rec *r, const char *base, hie_str_t *path)
{
    size_t       len = strlen(base);
    const char  *p;

    if (strncmp(r->uri, base, len) != 0
        || (r->uri[len] != '/' && r->uri[len] != '\0'))
    {
        return false;
    }

    for (p = r->uri + len; *p != '\0'; p++) {
        if (!apr_isalnum(*p) && strchr("/$-._~", *p) == NULL) {
            *path = span(ap_os_escape_path(r->pool, r->uri + len, 1));
            return true;
        }
    }

    *path = (hie_str_t) { r->uri + len, (size_t) (p - (r->uri + len)) };
    return true;
}


/* RFC 9112 section 3.2.2: the host of an absolute target replaces Host. */
static const char *
host_of(request_rec *r)
{
    const char  *host = r->parsed_uri.hostname != NULL
                        ? r->parsed_uri.hostinfo
                        : apr_table_get(r->headers_in, "Host");

    return host != NULL ? host
           : apr_psprintf(r->pool, "%s:%u", ap_get_server_name_for_url(r),
                          ap_get_server_port(r));
}


static hie_str_t
verified_subject(request_rec *r)
{
    conn_rec    *c = r->connection;
    const char  *verify;

    if (!ap_ssl_conn_is_ssl(c)) {
        return HIE_STR_NONE;
    }

    verify = ap_ssl_var_lookup(r->pool, r->server, c, r, "SSL_CLIENT_VERIFY");
    if (verify == NULL || strcmp(verify, "SUCCESS") != 0) {
        return HIE_STR_NONE;
    }

    return span(ap_ssl_var_lookup(r->pool, r->server, c, r,
                                  "SSL_CLIENT_S_DN"));
}


/* In order, and each line of its own as far as httpd keeps them apart: it
 * joins lines of one name by a comma, so that a second Authorization makes
 * the first one invalid instead of being overlooked. */
static void
copy_headers(request_rec *r, hie_request_t *req)
{
    const apr_array_header_t  *array = apr_table_elts(r->headers_in);
    const apr_table_entry_t   *entries = (const void *) array->elts;
    hie_header_t              *headers;
    int                        i, n = 0;

    headers = apr_palloc(r->pool, (apr_size_t) (array->nelts + 1)
                                  * sizeof(*headers));

    for (i = 0; i < array->nelts; i++) {
        if (entries[i].key != NULL) {
            headers[n].name = span(entries[i].key);
            headers[n].value = span(entries[i].val);
            n++;
        }
    }

    req->headers = headers;
    req->n_headers = n;
}


bool
hie_httpd_begin(request_rec *r, const hie_httpd_location_t *loc,
                hie_httpd_job_t **out)
{
    APR_OPTIONAL_FN_TYPE(hie_audit_begin)  *begin;
    hie_httpd_job_t                        *hj;
    hie_request_t                          *req;
    hie_str_t                               path;

    *out = NULL;

    if (!path_below(r, loc->base, &path)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "HIE6104: the path was rewritten to one outside of "
                      "<Location \"%s\">", loc->base);
        return false;
    }

    begin = APR_RETRIEVE_OPTIONAL_FN(hie_audit_begin);
    hj = begin != NULL ? begin(r) : NULL;
    if (hj == NULL) {
        return false;
    }

    req = hie_job_request(hj->job);
    req->method = span(r->method);
    req->scheme = span(ap_http_scheme(r));
    req->host = span(host_of(r));
    req->base = span(loc->base);
    req->path = path;
    req->query = span(r->args);
    req->body = HIE_STR_NONE;
    req->body_file = -1;
    req->peer = span(r->useragent_ip);
    req->tls_subject = verified_subject(r);
    copy_headers(r, req);

    *out = hj;
    return true;
}


/* What the client announces, as a size for the first allocation. */
static apr_size_t
expected_size(request_rec *r, apr_size_t limit)
{
    const char  *value = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t    len;
    char        *end;

    if (value == NULL || apr_strtoff(&len, value, &end, 10) != APR_SUCCESS
        || *end != '\0' || len < 0)
    {
        return READ_SIZE;
    }

    return (apr_uint64_t) len < limit ? (apr_size_t) len + 1 : limit;
}


/* Takes over what is in the brigade. True at its end: the last byte, or one
 * more than allowed. */
static apr_status_t
take_brigade(apr_bucket_brigade *bb, hie_buf_t *body, apr_size_t limit,
             bool *done)
{
    apr_bucket    *e;
    apr_status_t   rv;
    const char    *data;
    apr_size_t     len;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e))
    {
        if (APR_BUCKET_IS_EOS(e)) {
            *done = true;
            break;
        }
        if (APR_BUCKET_IS_METADATA(e)) {
            continue;
        }
        rv = apr_bucket_read(e, &data, &len, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (len > limit - body->len) {
            len = limit - body->len;
        }
        hie_buf_add(body, data, len);
        if (body->len == limit) {
            *done = true;
            break;
        }
    }

    return APR_SUCCESS;
}


int
hie_httpd_read_body(request_rec *r, apr_size_t max, hie_str_t *out)
{
    apr_bucket_brigade  *bb;
    apr_status_t         rv;
    hie_buf_t            body;
    bool                 done = false;

    *out = HIE_STR_NONE;

    if (!ap_request_has_body(r)) {
        return OK;
    }

    hie_buf_init(&body, r->pool, expected_size(r, max + 1));
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    do {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, READ_SIZE);
        if (rv == APR_SUCCESS) {
            rv = take_brigade(bb, &body, max + 1, &done);
        }
        apr_brigade_cleanup(bb);
        if (rv != APR_SUCCESS) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
    } while (!done);

    apr_brigade_destroy(bb);

    /* The rest of it is not worth reading for the sake of the connection. */
    if (body.len > max) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }

    *out = hie_buf_str(&body);
    return OK;
}


static void
add_header(request_rec *r, const hie_header_t *h)
{
    const char  *value = apr_pstrmemdup(r->pool, h->value.ptr, h->value.len);

    if (hie_str_ieqz(h->name, "Content-Type")) {
        ap_set_content_type(r, value);

    } else if (hie_str_ieqz(h->name, "ETag")) {
        /* It is the version of a resource, that If-Match sends back. The
         * compressing filters append to an ETag in headers_out; the tables
         * are put together after them. */
        apr_table_setn(r->err_headers_out, "ETag", value);

    } else {
        apr_table_addn(r->headers_out,
                       apr_pstrmemdup(r->pool, h->name.ptr, h->name.len),
                       value);
    }
}


static void
forget_response(request_rec *r)
{
    apr_table_clear(r->headers_out);
    apr_table_clear(r->err_headers_out);
    apr_table_clear(r->trailers_out);
    ap_set_content_type(r, NULL);
    r->content_encoding = NULL;
    r->content_languages = NULL;
    r->status_line = NULL;
    r->mtime = 0;
}


apr_status_t
hie_httpd_send(request_rec *r, ap_filter_t *next, const hie_response_t *resp)
{
    apr_bucket_alloc_t  *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade  *bb = apr_brigade_create(r->pool, alloc);
    apr_status_t         rv;
    int                  i;

    forget_response(r);
    r->status = resp->status;
    for (i = 0; i < resp->n_headers; i++) {
        add_header(r, &resp->headers[i]);
    }

    if (!AP_STATUS_IS_HEADER_ONLY(resp->status)) {
        ap_set_content_length(r, (apr_off_t) resp->body.len);
    }
    if (resp->body.len > 0) {
        /* A pool bucket copies itself should r->pool go before it. */
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(resp->body.ptr,
                                    resp->body.len, r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));

    rv = ap_pass_brigade(next, bb);
    apr_brigade_cleanup(bb);

    return rv;
}
