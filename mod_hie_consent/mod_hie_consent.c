/*
 * mod_hie_consent: the gateway, in front of a FHIR server that the location
 * proxies to.
 *
 *     <Location "/fhir">
 *         HieConsent On
 *         ProxyPass "http://127.0.0.1:8080/fhir"
 *     </Location>
 *
 * In fixups the request is judged: behind every other access control, whether
 * or not there is any, and before any handler. Our handler is the first of
 * all and calls the one that produces the response from inside, so that it
 * has the last word on whatever comes of it: a response, an error, nothing.
 * The output filter holds the response until all of it can be judged. Where
 * one of the three is missing the answer is a refusal.
 */

#include "mod_hie_common/hie_httpd.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>


module AP_MODULE_DECLARE_DATA hie_consent_module;

/* Of a request, from fixups on. */
typedef struct {
    hie_httpd_job_t       *hj;
    const hie_response_t  *refusal;    /* not NULL: what is sent instead */
    ap_filter_t           *filter;
    bool                   inside;     /* the handler is called from ours */
    bool                   answered;   /* everything has been passed on */
    bool                   head;       /* HEAD, as GET to the backend */
    const char            *encodings;  /* Accept-Encoding of the client */
    hie_buf_t              held;       /* the response so far */
} gate_t;

static ap_filter_rec_t  *hold_filter;
static ap_filter_rec_t  *replay_filter;


static const char *
set_consent(cmd_parms *cmd, void *dirv, int on)
{
    return hie_httpd_set_location(cmd, &hie_consent_module, dirv, on);
}


static const hie_httpd_location_t *
location_of(request_rec *r)
{
    const hie_httpd_location_t  *loc;

    loc = ap_get_module_config(r->per_dir_config, &hie_consent_module);

    return loc->on == 1 ? loc : NULL;
}


/*
 * The request.
 */

/* Input filter: the body, once more. The job has read it (a search by POST
 * has its parameters there) and the backend wants it. */
static apr_status_t
replay(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
       apr_read_type_e block, apr_off_t bytes)
{
    hie_str_t   *rest = f->ctx;
    apr_size_t   len = rest->len;

    if (mode == AP_MODE_INIT) {
        return APR_SUCCESS;
    }
    if (mode != AP_MODE_READBYTES && mode != AP_MODE_SPECULATIVE
        && mode != AP_MODE_EXHAUSTIVE)
    {
        return APR_ENOTIMPL;
    }

    if (mode != AP_MODE_EXHAUSTIVE && (apr_uint64_t) bytes < len) {
        len = (apr_size_t) bytes;
    }
    if (len > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(rest->ptr, len,
                                        f->r->pool, f->c->bucket_alloc));
    }
    if (mode != AP_MODE_SPECULATIVE) {
        rest->ptr += len;
        rest->len -= len;
    }
    if (rest->len == 0) {
        APR_BRIGADE_INSERT_TAIL(bb,
                                apr_bucket_eos_create(f->c->bucket_alloc));
    }

    return APR_SUCCESS;
}


static void
replay_body(request_rec *r, const hie_str_t *body)
{
    if (!ap_request_has_body(r)) {
        return;
    }

    apr_table_unset(r->headers_in, "Transfer-Encoding");
    apr_table_unset(r->headers_in, "Expect");
    apr_table_setn(r->headers_in, "Content-Length",
                   apr_psprintf(r->pool, "%" APR_SIZE_T_FMT, body->len));

    ap_add_input_filter_handle(replay_filter,
                               apr_pmemdup(r->pool, body, sizeof(*body)),
                               r, r->connection);
}


/*
 * Fixups. Before those of mod_headers, so that RequestHeader can give the
 * backend credentials of its own; the client's end here.
 */
static int
judge_request(request_rec *r)
{
    const hie_httpd_location_t  *loc = location_of(r);
    hie_request_t               *req;
    gate_t                      *gate;
    int                          rv;

    if (loc == NULL) {
        return DECLINED;
    }

    /* The job of a page says nothing about what the page includes, and one
     * job judges one response. A second request inside of one, be it a
     * subrequest or an internal redirect, is not let through. */
    if (r->main != NULL || hie_httpd_job(r) != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "HIE6120: a subrequest or an internal redirect into a "
                      "HieConsent location: refused");
        return HTTP_FORBIDDEN;
    }

    gate = apr_pcalloc(r->pool, sizeof(*gate));
    ap_set_module_config(r->request_config, &hie_consent_module, gate);

    /* No mod_cache: it would answer the next one without a judgement. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");

    if (!hie_httpd_begin(r, loc, &gate->hj)) {
        gate->refusal = hie_response_busy();
        return OK;
    }

    req = hie_job_request(gate->hj->job);
    rv = hie_httpd_read_body(r, gate->hj);
    if (rv != OK && !ap_is_HTTP_ERROR(rv)) {
        return rv;               /* a filter has answered */
    }
    if (rv != OK) {
        r->connection->keepalive = AP_CONN_CLOSE;
        gate->refusal = hie_response_refused(rv);
        return OK;
    }

    if (hie_job_authorize(gate->hj->job) != HIE_OK) {
        gate->refusal = hie_job_response(gate->hj->job);
        return OK;
    }

    if (req->body_file != -1 || req->body.len > gate->hj->conf->fhir.max_body)
    {
        gate->refusal = hie_response_refused(HTTP_REQUEST_ENTITY_TOO_LARGE);
        return OK;
    }

    apr_table_unset(r->headers_in, "Authorization");
    replay_body(r, &req->body);

    return OK;
}


/*
 * The response.
 */

/* Passes the job's response on, whatever httpd has at this point. */
static apr_status_t
answer(request_rec *r, gate_t *gate)
{
    gate->answered = true;

    if (gate->head) {
        r->method = "HEAD";
        r->header_only = 1;
    }
    if (gate->encodings != NULL) {
        /* For mod_deflate, which comes after this. */
        apr_table_setn(r->headers_in, "Accept-Encoding", gate->encodings);
    }

    return hie_httpd_send(r, gate->filter->next,
                          hie_job_response(gate->hj->job));
}


static apr_status_t
refuse(request_rec *r, gate_t *gate, const char *detail)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "HIE6121: %s", detail);
    hie_job_refuse(gate->hj->job, detail);

    return answer(r, gate);
}


static apr_status_t
judge_response(request_rec *r, gate_t *gate)
{
    hie_str_t  type = HIE_STR_NONE;
    bool       encoded;

    if (r->content_type != NULL) {
        type = hie_str(r->content_type);
    }

    /* Of a proxied response, r->content_encoding is but what mod_mime
     * guessed from the URL. */
    encoded = apr_table_get(r->headers_out, "Content-Encoding") != NULL
              || apr_table_get(r->err_headers_out, "Content-Encoding") != NULL
              || (r->proxyreq == PROXYREQ_NONE && r->content_encoding != NULL);

    hie_job_redact(gate->hj->job, r->status, type, encoded,
                   hie_buf_str(&gate->held));

    return answer(r, gate);
}


static bool
hold_bytes(request_rec *r, gate_t *gate, const char *data, apr_size_t len)
{
    apr_size_t   max = gate->hj->conf->gateway.max_body;
    const char  *value;
    apr_int64_t  size;

    if (len > max - gate->held.len) {
        return false;
    }

    if (gate->held.ptr == NULL) {
        value = apr_table_get(r->headers_out, "Content-Length");
        size = value != NULL ? apr_atoi64(value) : 0;
        if (size < 0 || (apr_uint64_t) size > max) {
            return false;
        }
        hie_buf_init(&gate->held, r->pool, (apr_size_t) size);
    }
    hie_buf_add(&gate->held, data, len);

    return true;
}


/*
 * Output filter. Nothing leaves before the whole response has been judged:
 * headers go with the first brigade that is passed on. It stays in the chain
 * after that, or what the handler still writes would pass beside it.
 */
static apr_status_t
hold(ap_filter_t *f, apr_bucket_brigade *bb)
{
    gate_t       *gate = f->ctx;
    request_rec  *r = f->r;
    apr_bucket   *e;
    const char   *data;
    apr_size_t    len;
    apr_status_t  rv;

    while (!gate->answered && !APR_BRIGADE_EMPTY(bb)) {
        e = APR_BRIGADE_FIRST(bb);

        if (APR_BUCKET_IS_EOS(e)) {
            rv = judge_response(r, gate);
            apr_brigade_cleanup(bb);
            return rv;
        }

        if (AP_BUCKET_IS_ERROR(e)) {
            refuse(r, gate, "the response of the protected server broke off");
            break;
        }

        /* Also FLUSH, which mod_proxy sends whenever it waits. */
        if (APR_BUCKET_IS_METADATA(e)) {
            apr_bucket_delete(e);
            continue;
        }

        if (apr_bucket_read(e, &data, &len, APR_BLOCK_READ) != APR_SUCCESS) {
            refuse(r, gate, "the response of the protected server could not "
                   "be read");
            break;
        }
        if (!hold_bytes(r, gate, data, len)) {
            refuse(r, gate, "the response of the protected server is larger "
                   "than gateway.max_body");
            break;
        }
        apr_bucket_delete(e);
    }

    apr_brigade_cleanup(bb);

    /* A handler that has more to say may stop here. */
    return gate->answered ? APR_ENOSPC : APR_SUCCESS;
}


/* What the backend must not see, since its answer would then describe, or be
 * a part of, the response that nobody has judged. The job has seen it. */
static void
prepare_request(request_rec *r, gate_t *gate)
{
    static const char *const  always[] = {
        "Accept-Encoding", "Range", "If-Range", "TE", "Upgrade", NULL
    };
    /* A write needs its preconditions. */
    static const char *const  reading[] = {
        "If-Match", "If-None-Match", "If-Modified-Since",
        "If-Unmodified-Since", NULL
    };
    int  i;

    gate->encodings = apr_table_get(r->headers_in, "Accept-Encoding");

    for (i = 0; always[i] != NULL; i++) {
        apr_table_unset(r->headers_in, always[i]);
    }
    if (r->method_number == M_GET) {
        for (i = 0; reading[i] != NULL; i++) {
            apr_table_unset(r->headers_in, reading[i]);
        }
    }

    /* Responses 1xx do not come through output filters. */
    apr_table_setn(r->subprocess_env, "proxy-interim-response", "Suppress");

    /*
     * The response to a HEAD cannot be judged without the body: the backend
     * gets a GET. Only where there is a backend, as a handler of httpd's own
     * may redirect internally, and the new request would take header_only
     * from here.
     */
    if (r->header_only && r->proxyreq != PROXYREQ_NONE) {
        gate->head = true;
        r->method = "GET";
        r->header_only = 0;
    }
}


static int
handle(request_rec *r)
{
    gate_t  *gate;
    int      rv;

    if (location_of(r) == NULL) {
        return DECLINED;
    }

    gate = ap_get_module_config(r->request_config, &hie_consent_module);
    if (gate == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "HIE6122: a request that was not judged: refused");
        return HTTP_FORBIDDEN;
    }
    if (gate->inside) {
        return DECLINED;
    }

    if (gate->refusal != NULL) {
        hie_httpd_send(r, r->output_filters, gate->refusal);
        return OK;
    }

    prepare_request(r, gate);
    gate->filter = ap_add_output_filter_handle(hold_filter, gate, r,
                                               r->connection);
    gate->inside = true;
    rv = ap_run_handler(r);

    if (gate->answered) {
        return OK;
    }

    /* It goes on later, through the filter; or the request has become
     * another one, that was answered under the rules of its own location. */
    if (rv == SUSPENDED || r->next != NULL) {
        return rv;
    }

    /* mod_proxy's own 502, 503 or 504, also what ProxyErrorOverride made of
     * a response; or no handler at all. No ErrorDocument: a client must not
     * see more of it than that there is no answer. */
    refuse(r, gate, "the protected server did not answer");

    return OK;
}


static ap_filter_rec_t  *error_filter;

static void
insert_error_filter(request_rec *r)
{
    if (r->per_dir_config != NULL && location_of(r) != NULL) {
        hie_httpd_replace_error(r, error_filter);
    }
}


static int
check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    return hie_httpd_check_audit(s, &hie_consent_module);
}


static void
register_hooks(apr_pool_t *p)
{
    static const char *const  rewriting[] = {
        "mod_proxy.c", "mod_rewrite.c", NULL
    };
    static const char *const  headers[] = { "mod_headers.c", NULL };

    hold_filter = ap_register_output_filter("HIE_CONSENT", hold, NULL,
                                            AP_FTYPE_RESOURCE);
    replay_filter = ap_register_input_filter("HIE_REPLAY", replay, NULL,
                                             AP_FTYPE_RESOURCE);

    error_filter = hie_httpd_register_errors("HIE_CONSENT_ERROR");
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(judge_request, rewriting, headers, APR_HOOK_MIDDLE);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
}


static const command_rec  commands[] = {
    AP_INIT_FLAG("HieConsent", set_consent, NULL, ACCESS_CONF,
                 "On: judge every request to and response of this location"),
    { .name = NULL }
};


AP_DECLARE_MODULE(hie_consent) = {
    STANDARD20_MODULE_STUFF,
    hie_httpd_create_location,
    hie_httpd_merge_locations,
    hie_httpd_create_server,
    NULL,
    commands,
    register_hooks,
    0
};
