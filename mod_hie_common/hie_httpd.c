/*
 * Between a request_rec and a job.
 */

#include "hie_httpd.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_portable.h>
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


/* A body on its way in. */
typedef struct {
    request_rec   *r;
    apr_size_t     limit;        /* one byte more than is allowed */
    const char    *directory;    /* of a file; NULL: into memory only */
    hie_buf_t      memory;
    apr_file_t    *file;
    apr_size_t     len;
    bool           full;         /* there is no room for the file */
} body_t;


/* What the client announces; -1 where it does not, or not in digits. */
static apr_off_t
announced_size(request_rec *r)
{
    const char  *value = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t    len;
    char        *end;

    if (value == NULL || apr_strtoff(&len, value, &end, 10) != APR_SUCCESS
        || *end != '\0' || len < 0)
    {
        return -1;
    }

    return len;
}


/* Into memory, or, beyond a piece of it, into a file. */
static apr_status_t
add_data(body_t *b, const char *data, apr_size_t len)
{
    b->len += len;

    if (b->directory == NULL || (b->file == NULL && b->len <= READ_SIZE)) {
        hie_buf_add(&b->memory, data, len);
        return APR_SUCCESS;
    }
    if (b->file == NULL) {
        b->full = hie_temp_file(b->r->pool, b->directory, &b->file, NULL)
                  != HIE_OK
                  || hie_temp_write(b->file, b->memory.ptr, b->memory.len,
                                    NULL) != HIE_OK;
    }
    if (!b->full) {
        b->full = hie_temp_write(b->file, data, len, NULL) != HIE_OK;
    }

    return b->full ? APR_EGENERAL : APR_SUCCESS;
}


/* Takes over what is in the brigade. True at its end: the last byte, or one
 * more than allowed. */
static apr_status_t
take_brigade(apr_bucket_brigade *bb, body_t *b, bool *done)
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
        if (len > b->limit - b->len) {
            len = b->limit - b->len;
        }
        rv = add_data(b, data, len);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (b->len == b->limit) {
            *done = true;
            break;
        }
    }

    return APR_SUCCESS;
}


static int
read_all(body_t *b)
{
    request_rec         *r = b->r;
    apr_bucket_brigade  *bb;
    apr_status_t         rv;
    bool                 done = false;

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    do {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, READ_SIZE);
        if (rv == APR_SUCCESS) {
            rv = take_brigade(bb, b, &done);
        }
        apr_brigade_cleanup(bb);
        if (b->full) {
            return HTTP_SERVICE_UNAVAILABLE;
        }
        if (rv != APR_SUCCESS) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
    } while (!done);

    apr_brigade_destroy(bb);

    return OK;
}


int
hie_httpd_read_body(request_rec *r, hie_httpd_job_t *hj)
{
    hie_request_t  *req = hie_job_request(hj->job);
    body_t          b = { .r = r };
    apr_size_t      max;
    apr_off_t       size;
    bool            file;
    int             rv;

    if (!ap_request_has_body(r)) {
        return OK;
    }

    hie_job_body(hj->job, &max, &file);
    size = announced_size(r);

    /* Its length is enough to refuse it. */
    if (size > 0 && (apr_uint64_t) size > max) {
        r->connection->keepalive = AP_CONN_CLOSE;
        req->body = (hie_str_t) { NULL, (size_t) size };
        return OK;
    }

    b.limit = max + 1;
    b.directory = file ? hj->conf->fhir.temp_directory : NULL;
    hie_buf_init(&b.memory, r->pool,
                 size < 0 || (file && size > READ_SIZE) ? READ_SIZE
                 : (apr_size_t) size + 1);

    rv = read_all(&b);
    if (rv != OK) {
        return rv;
    }

    /* The rest of it is not worth reading for the sake of the connection. */
    if (b.len > max) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }

    if (b.file != NULL) {
        apr_os_file_get(&req->body_file, b.file);
    } else {
        req->body = hie_buf_str(&b.memory);
    }

    /* An input filter that has taken a coding away has changed them. */
    copy_headers(r, req);

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


static void
set_response(request_rec *r, const hie_response_t *resp)
{
    int  i;

    forget_response(r);
    r->status = resp->status;
    for (i = 0; i < resp->n_headers; i++) {
        add_header(r, &resp->headers[i]);
    }

    if (!AP_STATUS_IS_HEADER_ONLY(resp->status)) {
        ap_set_content_length(r, (apr_off_t) resp->length);
    }

    /* What is no range of bytes must not be cut by httpd (RFC 9110 section
     * 14.2 lets a server ignore Range). */
    if (resp->ranges) {
        apr_table_setn(r->headers_out, "Accept-Ranges", "bytes");
    } else {
        apr_table_unset(r->headers_in, "Range");
    }
}


/*
 * A file as pieces in memory. mod_http2 takes a whole file at once and would
 * never tell that the stream was reset in the middle of it; of pieces it takes
 * so many as it sends.
 */
static apr_status_t
send_pieces(request_rec *r, ap_filter_t *next, apr_file_t *file,
            apr_bucket_brigade *bb)
{
    apr_bucket_alloc_t  *alloc = r->connection->bucket_alloc;
    apr_status_t         rv = APR_SUCCESS;
    apr_off_t            start = 0;
    apr_size_t           len;
    char                *piece;

    rv = apr_file_seek(file, APR_SET, &start);
    while (rv == APR_SUCCESS) {
        len = READ_SIZE;
        piece = apr_bucket_alloc(len, alloc);
        rv = apr_file_read_full(file, piece, len, &len);
        if (len == 0) {
            apr_bucket_free(piece);
            break;
        }
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_heap_create(piece, len,
                                        apr_bucket_free, alloc));
        rv = ap_pass_brigade(next, bb);
        apr_brigade_cleanup(bb);
    }

    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}


static apr_status_t
add_body(request_rec *r, ap_filter_t *next, const hie_response_t *resp,
         apr_bucket_brigade *bb)
{
    apr_file_t    *file;
    apr_status_t   rv;

    if (resp->body_file == NULL) {
        if (resp->body.len > 0) {
            /* A pool bucket copies itself should r->pool go before it. */
            APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(resp->body.ptr,
                                        resp->body.len, r->pool,
                                        r->connection->bucket_alloc));
        }
        return APR_SUCCESS;
    }

    /* Ranges are cut out of what is there at once. */
    if (r->connection->master != NULL
        && apr_table_get(r->headers_in, "Range") == NULL)
    {
        return send_pieces(r, next, resp->body_file, bb);
    }

    /* Buckets may outlive the job, and take the descriptor with them. */
    rv = apr_file_setaside(&file, resp->body_file, r->pool);
    if (rv == APR_SUCCESS) {
        apr_brigade_insert_file(bb, file, 0, resp->length, r->pool);
    }

    return rv;
}


apr_status_t
hie_httpd_send(request_rec *r, ap_filter_t *next, const hie_response_t *resp)
{
    apr_bucket_alloc_t  *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade  *bb = apr_brigade_create(r->pool, alloc);
    hie_httpd_job_t     *hj = hie_httpd_job(r);
    apr_status_t         rv;

    set_response(r, resp);

    rv = add_body(r, next, resp, bb);
    if (rv == APR_SUCCESS) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
        rv = ap_pass_brigade(next, bb);
    }
    apr_brigade_cleanup(bb);

    if (hj != NULL && rv != APR_SUCCESS) {
        hj->failed = true;
        r->connection->keepalive = AP_CONN_CLOSE;
    }

    return rv;
}


/* What the page would have told to a client beyond its text. */
static const char *const  kept_headers[] = {
    "WWW-Authenticate", "Allow", "Retry-After", "Upgrade", NULL
};


static void
set_refusal(request_rec *r, const hie_response_t *resp)
{
    const char  *values[sizeof(kept_headers) / sizeof(kept_headers[0])];
    int          i, status = r->status;

    for (i = 0; kept_headers[i] != NULL; i++) {
        values[i] = apr_table_get(r->err_headers_out, kept_headers[i]);
        if (values[i] == NULL) {
            values[i] = apr_table_get(r->headers_out, kept_headers[i]);
        }
    }

    set_response(r, resp);
    r->status = status;
    for (i = 0; kept_headers[i] != NULL; i++) {
        if (values[i] != NULL) {
            apr_table_setn(r->err_headers_out, kept_headers[i], values[i]);
        }
    }
}


static apr_status_t
replace_page(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec           *r = f->r;
    const hie_response_t  *resp;
    apr_bucket            *e;
    bool                   end = false;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e))
    {
        end = end || APR_BUCKET_IS_EOS(e);
    }
    apr_brigade_cleanup(bb);
    if (!end) {
        return APR_SUCCESS;
    }

    resp = hie_response_refused(r->status);
    set_refusal(r, resp);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(resp->body.ptr,
                                resp->body.len, f->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    ap_remove_output_filter(f);

    return ap_pass_brigade(f->next, bb);
}


ap_filter_rec_t *
hie_httpd_register_errors(const char *name)
{
    return ap_register_output_filter(name, replace_page, NULL,
                                     AP_FTYPE_CONTENT_SET - 1);
}


void
hie_httpd_replace_error(request_rec *r, ap_filter_rec_t *filter)
{
    if (ap_is_HTTP_ERROR(r->status)) {
        ap_add_output_filter_handle(filter, NULL, r, r->connection);
    }
}
