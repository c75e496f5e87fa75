/*
 * mod_hie_fhir: the FHIR repository as a handler.
 *
 *     <Location "/fhir">
 *         HieFhir On
 *     </Location>
 *
 * The job runs on the worker thread that has the request: it may wait there.
 */

#include "mod_hie_common/hie_httpd.h"

#include <string.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>


module AP_MODULE_DECLARE_DATA hie_fhir_module;

static const char *
set_fhir(cmd_parms *cmd, void *dirv, int on)
{
    return hie_httpd_set_location(cmd, &hie_fhir_module, dirv, on);
}


static const hie_httpd_location_t *
location_of(request_rec *r)
{
    const hie_httpd_location_t  *loc;

    loc = ap_get_module_config(r->per_dir_config, &hie_fhir_module);

    return loc->on == 1 ? loc : NULL;
}


/*
 * There is no file. translate_name: nobody else's rule may turn this path
 * into another one, and nothing is to be looked up in a file system. The
 * configuration of the location is not there in map_to_storage, hence the
 * mark in the file name, as mod_proxy has one.
 */
#define NO_FILE  "hie-fhir:"

static int
claim(request_rec *r)
{
    if (location_of(r) == NULL) {
        return DECLINED;
    }

    r->filename = apr_pstrcat(r->pool, NO_FILE, r->uri, NULL);
    return OK;
}


static int
skip_storage(request_rec *r)
{
    return r->filename != NULL
           && strncmp(r->filename, NO_FILE, sizeof(NO_FILE) - 1) == 0
           ? OK : DECLINED;
}


/* The id "a.gz" is no encoding, and FallbackResource is for requests that
 * have no handler. */
static int
set_type(request_rec *r)
{
    if (location_of(r) == NULL) {
        return DECLINED;
    }

    r->handler = "hie-fhir";
    return OK;
}


static int
handle(request_rec *r)
{
    const hie_httpd_location_t  *loc = location_of(r);
    hie_httpd_job_t             *hj;
    int                          rv;

    if (loc == NULL) {
        return DECLINED;
    }

    /* A job serves one request. An internal redirect of a request that had
     * one, or a subrequest, whose output would become part of a page, is not
     * an interaction of this interface. */
    if (r->main != NULL || hie_httpd_job(r) != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "HIE6110: a subrequest, a second job for one request, "
                      "or a HieConsent location: refused");
        return HTTP_FORBIDDEN;
    }

    /* No mod_cache, whoever configures it: it would answer the next one
     * without asking who that is. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");

    if (!hie_httpd_begin(r, loc, &hj)) {
        hie_httpd_send(r, r->output_filters, hie_response_busy());
        return OK;
    }

    rv = hie_httpd_read_body(r, hj);
    if (rv != OK && !ap_is_HTTP_ERROR(rv)) {
        return rv;               /* a filter has answered */
    }
    if (rv != OK) {
        r->connection->keepalive = AP_CONN_CLOSE;
        hie_httpd_send(r, r->output_filters, hie_response_refused(rv));
        return OK;
    }

    hie_job_serve(hj->job);

    /* OK whatever the status is: the response is complete, and an
     * ErrorDocument must not take its place. */
    hie_httpd_send(r, r->output_filters, hie_job_response(hj->job));

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
    return hie_httpd_check_audit(s, &hie_fhir_module);
}


static void
register_hooks(apr_pool_t *p)
{
    static const char *const  before_proxy[] = { "mod_proxy.c", NULL };

    error_filter = hie_httpd_register_errors("HIE_FHIR_ERROR");
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(claim, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(skip_storage, NULL, before_proxy, APR_HOOK_FIRST);
    ap_hook_type_checker(set_type, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle, NULL, before_proxy, APR_HOOK_FIRST);
}


static const command_rec  commands[] = {
    AP_INIT_FLAG("HieFhir", set_fhir, NULL, ACCESS_CONF,
                 "On: this location is the FHIR repository"),
    { .name = NULL }
};


AP_DECLARE_MODULE(hie_fhir) = {
    STANDARD20_MODULE_STUFF,
    hie_httpd_create_location,
    hie_httpd_merge_locations,
    hie_httpd_create_server,
    NULL,
    commands,
    register_hooks,
    0
};
