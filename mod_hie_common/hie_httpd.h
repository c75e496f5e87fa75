/*
 * hie_httpd: what the three httpd modules have in common. Between a
 * request_rec and a job, in both directions; no health care in here.
 *
 * Linked statically into each module. mod_hie_audit owns the runtime of the
 * process and the life of every job; the other two reach it through the
 * optional functions at the end.
 */

#ifndef HIE_HTTPD_H
#define HIE_HTTPD_H

#include <apr_optional.h>
#include <apr_ring.h>
#include <httpd.h>
#include <http_config.h>
#include <util_filter.h>

#include "exchange/exchange.h"

/*
 * The job of a request. Kept with r->pool and not in r->request_config: an
 * internal redirect (ErrorDocument) has the pool of the request that it came
 * from, and a request_config of its own. A subrequest has another pool, thus
 * never finds the job of its parent.
 */
typedef struct hie_httpd_job_t  hie_httpd_job_t;

struct hie_httpd_job_t {
    APR_RING_ENTRY(hie_httpd_job_t)  link;    /* mod_hie_audit's list */
    hie_job_t                       *job;     /* NULL: the child is exiting */
    const hie_config_t              *conf;
    bool                             failed;  /* some could not be sent */
    bool                             completed;
};

/* NULL where the request has none. */
hie_httpd_job_t *
hie_httpd_job(request_rec *r);

/*
 * A location of ours. The directive stands in a plain <Location "/path">,
 * whose path is the base of the FHIR interface.
 */
typedef struct {
    int          on;        /* -1: not set */
    const char  *base;      /* without a final slash */
} hie_httpd_location_t;

/* Functions for the module structure of a module that has locations. */
void *
hie_httpd_create_location(apr_pool_t *p, char *dir);
void *
hie_httpd_merge_locations(apr_pool_t *p, void *basev, void *addv);

/* Whether any location of a server is ours. */
void *
hie_httpd_create_server(apr_pool_t *p, server_rec *s);

/* Sets `loc` of the module `m`, or returns the message. */
const char *
hie_httpd_set_location(cmd_parms *cmd, module *m, hie_httpd_location_t *loc,
                       int on);

/* Whether the loaded library fits; logs if it does not. OK or an HTTP error,
 * for check_config, which -t runs as well. */
int
hie_httpd_check_abi(server_rec *s);

/* For the modules that need mod_hie_audit: ABI, is it there, and, if there
 * is a location of `m`, is it configured. */
int
hie_httpd_check_audit(server_rec *s, module *m);

/*
 * Starts the job of a request and fills in everything but the body. False:
 * there is no capacity or no runtime; send hie_response_busy().
 */
bool
hie_httpd_begin(request_rec *r, const hie_httpd_location_t *loc,
                hie_httpd_job_t **out);

/*
 * Reads the body into the job's request, in memory or in a file as the job
 * wants it, and one byte more than it can take at most, so that it can tell
 * that the body is too large. OK, or the HTTP status that it failed with.
 * Blocks on the client.
 */
int
hie_httpd_read_body(request_rec *r, hie_httpd_job_t *hj);

/* Makes `resp` the response of `r`, in place of whatever it had, and passes
 * it to `next`. A body in memory is not copied: it must live as long as
 * r->pool; a file is taken over. */
apr_status_t
hie_httpd_send(request_rec *r, ap_filter_t *next, const hie_response_t *resp);

/*
 * A page of httpd's own about an error, in a location of ours: an
 * OperationOutcome takes its place. The filter is to be registered once by
 * each module, the other function is its insert_error_filter hook if `loc` of
 * the request is on.
 */
ap_filter_rec_t *
hie_httpd_register_errors(const char *name);
void
hie_httpd_replace_error(request_rec *r, ap_filter_rec_t *filter);


/*
 * mod_hie_audit.
 */
APR_DECLARE_OPTIONAL_FN(bool, hie_audit_configured, (void));
/* Creates the job of the request, with request->local set, and sees to its
 * completion and its end. NULL if the process has no runtime. */
APR_DECLARE_OPTIONAL_FN(hie_httpd_job_t *, hie_audit_begin,
                        (request_rec *r));

#define HIE_HTTPD_JOB_KEY  "hie_httpd_job"

#endif
