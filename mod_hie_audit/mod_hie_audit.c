/*
 * mod_hie_audit: the runtime of a child process, the life of its jobs, and
 * their outcome. mod_hie_fhir and mod_hie_consent cannot do without it: no
 * request is served that this module does not see the end of.
 *
 *     HieConfig /etc/hie/hie.yaml
 *
 *     <Location "/fhir">
 *         HieAuth none       # loopback only; the default is bearer
 *     </Location>
 *
 *     HieErrors On           # also for errors of httpd outside of them
 */

#include "mod_hie_common/hie_httpd.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>


/* What a child waits for its first database connections at its start. */
#define WARM_MS  500

module AP_MODULE_DECLARE_DATA hie_audit_module;

typedef enum {
    AUTH_UNSET, AUTH_BEARER, AUTH_NONE
} auth_t;

typedef struct {
    auth_t  auth;
    int     errors;           /* -1: not set */
} audit_dir_t;

typedef struct {
    const char  *config;      /* of the main server: the file */
    const char  *open_at;     /* file:line of a HieAuth none, or NULL */
} audit_server_t;

APR_RING_HEAD(job_ring_t, hie_httpd_job_t);

/* The main server's configuration that is being read or was read last. */
static audit_server_t  *main_conf;

/* What a child has. Never set in the parent, which loads and unloads this
 * module and libhie.so at every restart and must not have threads in it. */
static struct {
    hie_runtime_t       *runtime;
    apr_thread_mutex_t  *mutex;      /* of jobs */
    struct job_ring_t    jobs;       /* those that are alive */
} child;


/*
 * Log.
 */
static void
log_line(void *baton, hie_log_level_t level, const char *line)
{
    static const int  levels[] = {
        APLOG_CRIT, APLOG_ERR, APLOG_WARNING, APLOG_NOTICE, APLOG_INFO,
        APLOG_DEBUG
    };

    ap_log_error(APLOG_MARK, levels[level], 0, (server_rec *) baton, "%s",
                 line);
}


/* LogLevel hie_audit:debug is the level of the core. */
static void
set_log(server_rec *s)
{
    int              level = ap_get_server_module_loglevel(s,
                                                    APLOG_MODULE_INDEX);
    hie_log_level_t  max;

    if (level >= APLOG_DEBUG) {
        max = HIE_LOG_DEBUG;
    } else if (level >= APLOG_INFO) {
        max = HIE_LOG_INFO;
    } else if (level >= APLOG_NOTICE) {
        max = HIE_LOG_NOTICE;
    } else if (level >= APLOG_WARNING) {
        max = HIE_LOG_WARN;
    } else {
        max = HIE_LOG_ERROR;
    }

    hie_log_set(log_line, s, max);
}


static apr_status_t
reset_log(void *unused)
{
    hie_log_set(NULL, NULL, HIE_LOG_NOTICE);

    return APR_SUCCESS;
}


/*
 * Loopback.
 */
static bool
is_loopback(const apr_sockaddr_t *a)
{
#if APR_HAVE_IPV6
    if (a->family == APR_INET6) {
        const struct in6_addr  *in6 = &a->sa.sin6.sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(in6)
               || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
    }
#endif

    return a->family == APR_INET
           && (ntohl(a->sa.sin.sin_addr.s_addr) >> 24) == 127;
}


/* Address of a virtual host; the main server's is never a loopback one, as
 * what stands outside of any virtual host is valid in all of them. */
static bool
only_loopback(server_rec *s, const server_addr_rec *addr)
{
    const ap_listen_rec  *l;

    if (s->is_virtual && is_loopback(addr->host_addr)) {
        return true;
    }

    /* Others are reached through whichever listener has their port. */
    for (l = ap_listeners; l != NULL; l = l->next) {
        if (s->is_virtual && addr->host_port != 0
            && addr->host_port != l->bind_addr->port)
        {
            continue;
        }
        if (!is_loopback(l->bind_addr)) {
            return false;
        }
    }

    return true;
}


static bool
check_open(server_rec *s)
{
    const audit_server_t   *as = ap_get_module_config(s->module_config,
                                                      &hie_audit_module);
    const server_addr_rec  *addr;

    if (as->open_at == NULL) {
        return true;
    }

    for (addr = s->addrs; addr != NULL; addr = addr->next) {
        if (!only_loopback(s, addr)) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP|APLOG_EMERG, 0, s,
                         "HIE6105: %s: HieAuth none is for loopback only, "
                         "but this server can be reached by other "
                         "addresses: put it into a <VirtualHost "
                         "127.0.0.1:port> or restrict Listen",
                         as->open_at);
            return false;
        }
    }

    return true;
}


/*
 * Configuration. check_config and not post_config: -t runs it as well, and
 * can fail on it.
 */
static int
check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    server_rec   *each;
    hie_error_t   err = { 0 };
    int           rv;

    rv = hie_httpd_check_abi(s);
    if (rv != OK) {
        return rv;
    }

    for (each = s; each != NULL; each = each->next) {
        if (!check_open(each)) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    set_log(s);
    apr_pool_cleanup_register(pconf, NULL, reset_log, apr_pool_cleanup_null);

    if (main_conf->config != NULL
        && hie_runtime_check(main_conf->config, ptemp, &err) != HIE_OK)
    {
        ap_log_error(APLOG_MARK, APLOG_STARTUP|APLOG_EMERG, 0, s,
                     "HIE6106: %s: %s",
                     err.where[0] != '\0' ? err.where : main_conf->config,
                     err.detail);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


static bool
hie_audit_configured(void)
{
    return main_conf != NULL && main_conf->config != NULL;
}


/* The main server's comes first. The static has to be set again for every
 * configuration, also where the module stayed in memory between two. */
static void *
create_server(apr_pool_t *p, server_rec *s)
{
    audit_server_t  *as = apr_pcalloc(p, sizeof(*as));

    if (!s->is_virtual) {
        main_conf = as;
    }

    return as;
}


static void *
create_dir(apr_pool_t *p, char *dir)
{
    audit_dir_t  *d = apr_pcalloc(p, sizeof(*d));

    d->errors = -1;

    return d;
}


static void *
merge_dirs(apr_pool_t *p, void *basev, void *addv)
{
    audit_dir_t  *base = basev, *add = addv;
    audit_dir_t  *d = apr_palloc(p, sizeof(*d));

    d->auth = add->auth != AUTH_UNSET ? add->auth : base->auth;
    d->errors = add->errors != -1 ? add->errors : base->errors;

    return d;
}


static const char *
set_config(cmd_parms *cmd, void *dirv, const char *file)
{
    const char  *msg = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    if (msg != NULL) {
        return msg;
    }
    if (main_conf->config != NULL) {
        return "may be given once";
    }

    main_conf->config = ap_server_root_relative(cmd->pool, file);

    return main_conf->config != NULL ? NULL : "is not a valid path";
}


static const char *
set_auth(cmd_parms *cmd, void *dirv, const char *value)
{
    audit_dir_t     *dir = dirv;
    audit_server_t  *as;

    if (strcasecmp(value, "bearer") == 0) {
        dir->auth = AUTH_BEARER;
        return NULL;
    }
    if (strcasecmp(value, "none") != 0) {
        return "HieAuth must be bearer or none";
    }

    dir->auth = AUTH_NONE;
    as = ap_get_module_config(cmd->server->module_config, &hie_audit_module);
    as->open_at = apr_psprintf(cmd->pool, "%s:%d",
                               cmd->directive->filename,
                               cmd->directive->line_num);

    return NULL;
}


static const char *
set_errors(cmd_parms *cmd, void *dirv, int on)
{
    ((audit_dir_t *) dirv)->errors = on;

    return NULL;
}


static ap_filter_rec_t  *error_filter;

/* A request that is not understood has the directories' configuration of the
 * server. */
static void
insert_error_filter(request_rec *r)
{
    const audit_dir_t  *dir;

    if (r->per_dir_config == NULL) {
        return;
    }

    dir = ap_get_module_config(r->per_dir_config, &hie_audit_module);
    if (dir != NULL && dir->errors == 1) {
        hie_httpd_replace_error(r, error_filter);
    }
}


/*
 * The life of a job. It belongs to the thread that has its request; the list
 * is there for those whose connections outlive the threads.
 */
static void
complete(hie_httpd_job_t *hj, int status, apr_off_t bytes, bool aborted)
{
    if (!hj->completed) {
        hj->completed = true;
        hie_job_complete(hj->job, status, bytes, aborted);
    }
}


static apr_status_t
end_job(void *data)
{
    hie_httpd_job_t  *hj = data;

    if (hj->job == NULL) {
        return APR_SUCCESS;
    }

    apr_thread_mutex_lock(child.mutex);
    APR_RING_REMOVE(hj, link);
    apr_thread_mutex_unlock(child.mutex);

    /* A request that was not logged was not answered. */
    complete(hj, 0, 0, true);
    hie_job_destroy(hj->job);
    hj->job = NULL;

    return APR_SUCCESS;
}


static bool
is_local(request_rec *r)
{
    const audit_dir_t  *dir = ap_get_module_config(r->per_dir_config,
                                                   &hie_audit_module);
    const conn_rec     *c = r->connection;

    /* useragent_addr: mod_remoteip may know of a client further away. */
    return dir->auth == AUTH_NONE
           && is_loopback(c->local_addr)
           && is_loopback(c->client_addr)
           && is_loopback(r->useragent_addr);
}


static hie_httpd_job_t *
hie_audit_begin(request_rec *r)
{
    hie_httpd_job_t  *hj;
    hie_job_t        *job;

    if (child.runtime == NULL) {
        return NULL;
    }

    job = hie_job_create(child.runtime);
    if (job == NULL) {
        return NULL;
    }

    hj = apr_pcalloc(r->pool, sizeof(*hj));
    APR_RING_ELEM_INIT(hj, link);
    hj->job = job;
    hj->conf = hie_runtime_config(child.runtime);
    hie_job_request(job)->local = is_local(r);

    apr_thread_mutex_lock(child.mutex);
    APR_RING_INSERT_TAIL(&child.jobs, hj, hie_httpd_job_t, link);
    apr_thread_mutex_unlock(child.mutex);

    apr_pool_userdata_setn(hj, HIE_HTTPD_JOB_KEY, end_job, r->pool);

    return hj;
}


/*
 * The bytes of the body. bytes_sent counts what was handed to the filters,
 * which is all of it also where the client went away before it was written.
 * mod_logio counts at the network, with the header: then the smaller of both
 * is as near as httpd can tell. It knows nothing of the streams of HTTP/2.
 */
static apr_off_t
body_bytes(const request_rec *r, bool aborted)
{
    APR_OPTIONAL_FN_TYPE(ap_logio_get_last_bytes)  *last_bytes;
    apr_off_t                                       written;

    if (r->header_only) {
        return 0;
    }
    if (!aborted) {
        return r->bytes_sent;
    }
    last_bytes = APR_RETRIEVE_OPTIONAL_FN(ap_logio_get_last_bytes);
    if (last_bytes == NULL || r->connection->master != NULL) {
        return -1;
    }
    written = last_bytes(r->connection);

    return written < r->bytes_sent ? written : r->bytes_sent;
}


/* mod_http2 aborts the connection of a stream when it puts it away, also of
 * one that was sent to its end: what tells is whether it took all. */
static bool
was_aborted(const hie_httpd_job_t *hj, const request_rec *r)
{
    return r->connection->master != NULL ? hj->failed
                                         : r->connection->aborted;
}


/*
 * Runs when the last byte has been handed to the network or the connection
 * has failed, for the first request of a chain of internal redirects. What
 * was sent is that of the last one.
 */
static int
log_outcome(request_rec *r)
{
    hie_httpd_job_t    *hj = hie_httpd_job(r);
    const request_rec  *last = r;
    bool                aborted;

    if (hj == NULL || hj->job == NULL) {
        return DECLINED;
    }

    while (last->next != NULL) {
        last = last->next;
    }

    aborted = was_aborted(hj, r);
    complete(hj, last->status, body_bytes(last, aborted), aborted);

    return OK;
}


/*
 * The life of the runtime.
 */

/*
 * prefork exits from its signal handler, wherever the process is. With a job
 * alive that is inside of the core, possibly with a lock held that the
 * release would wait for, and the pool of the request would be destroyed
 * under the job. Nothing that is to last depends on an orderly exit: go at
 * once, before any pool does.
 */
static apr_status_t
leave_job(void *unused)
{
    if (!APR_RING_EMPTY(&child.jobs, hie_httpd_job_t, link)) {
        _exit(0);
    }

    return APR_SUCCESS;
}


/*
 * Pool cleanup of the child, after the pools below it. worker and event have
 * joined their threads by now, after a graceful stop as well as after
 * SIGTERM. Should a request be left whose pool is elsewhere, its job has to
 * end before the runtime does.
 */
static apr_status_t
stop_child(void *unused)
{
    while (!APR_RING_EMPTY(&child.jobs, hie_httpd_job_t, link)) {
        end_job(APR_RING_FIRST(&child.jobs));
    }

    if (child.runtime != NULL) {
        hie_runtime_release(child.runtime);
        child.runtime = NULL;
    }
    reset_log(NULL);

    return APR_SUCCESS;
}


static void
start_child(apr_pool_t *pchild, server_rec *s)
{
    hie_error_t  err = { 0 };
    int          threaded = AP_MPMQ_NOT_SUPPORTED;

    if (main_conf->config == NULL) {
        return;
    }

    set_log(s);
    APR_RING_INIT(&child.jobs, hie_httpd_job_t, link);
    apr_thread_mutex_create(&child.mutex, APR_THREAD_MUTEX_DEFAULT, pchild);

    if (hie_runtime_acquire(main_conf->config, HIE_RUNTIME_SERVER, WARM_MS,
                            &child.runtime, &err)
        != HIE_OK)
    {
        /* The child lives on for what else the server does. */
        child.runtime = NULL;
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "HIE6107: every request of an HIE location will get a "
                     "503: %s: %s",
                     err.where[0] != '\0' ? err.where : main_conf->config,
                     err.detail);
    }

    apr_pool_cleanup_register(pchild, NULL, stop_child,
                              apr_pool_cleanup_null);

    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    if (threaded == AP_MPMQ_NOT_SUPPORTED) {
        apr_pool_pre_cleanup_register(pchild, NULL, leave_job);
    }
}


static void
register_hooks(apr_pool_t *p)
{
    /* It closes the count of a request in the same hook. */
    static const char *const  logio[] = { "mod_logio.c", NULL };

    APR_REGISTER_OPTIONAL_FN(hie_audit_configured);
    APR_REGISTER_OPTIONAL_FN(hie_audit_begin);

    error_filter = hie_httpd_register_errors("HIE_ERROR");
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
    /* First to start, last to stop. */
    ap_hook_child_init(start_child, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_log_transaction(log_outcome, logio, NULL, APR_HOOK_MIDDLE);
}


static const command_rec  commands[] = {
    AP_INIT_TAKE1("HieConfig", set_config, NULL, RSRC_CONF,
                  "The configuration file of the exchange, hie.yaml"),
    AP_INIT_TAKE1("HieAuth", set_auth, NULL, RSRC_CONF|ACCESS_CONF,
                  "bearer: a token (default); none: a configured user, on "
                  "loopback addresses only"),
    AP_INIT_FLAG("HieErrors", set_errors, NULL, RSRC_CONF|ACCESS_CONF,
                 "On: errors of httpd itself are OperationOutcomes, as they "
                 "are in the locations of the exchange"),
    { .name = NULL }
};


AP_DECLARE_MODULE(hie_audit) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dirs,
    create_server,
    NULL,
    commands,
    register_hooks,
    0
};
