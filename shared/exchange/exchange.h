/*
 * exchange: the runtime of a process, and the job: one request or one message
 * from arrival to outcome. What the adapters call, and all that they call.
 */

#ifndef HIE_EXCHANGE_H
#define HIE_EXCHANGE_H

#include <apr_file_io.h>

#include "base/base.h"
#include "base/config.h"

/*
 * The runtime: database pool, journals, keys, background worker. One per
 * process and configuration file, counted: two modules that name the same
 * file share it. Begin it after the fork, in the process that serves; one
 * inherited over a fork is forgotten, not used.
 */
typedef struct hie_runtime_t  hie_runtime_t;

/* Checks what can be checked without a database: for -t. `pool` is the
 * caller's. Reads local files. */
hie_rc_t
hie_runtime_check(const char *config_path, apr_pool_t *pool,
                  hie_error_t *err);

/* Starts or joins the runtime. A database that is down is no error. It may
 * wait up to `warm_ms` for the first connections to be ready (0: does not). */
typedef enum {
    HIE_RUNTIME_SERVER = 1,     /* jobs, threads to post them to and, if it is
                                   elected, background work */
    HIE_RUNTIME_TOOL            /* jobs only: hiectl */
} hie_runtime_kind_t;

HIE_BLOCKING hie_rc_t
hie_runtime_acquire(const char *config_path, hie_runtime_kind_t kind,
                    int warm_ms, hie_runtime_t **out, hie_error_t *err);

/* The last user's release stops the threads, syncs the journals and closes
 * the connections. No job may be alive. */
HIE_BLOCKING void
hie_runtime_release(hie_runtime_t *rt);

const hie_config_t *
hie_runtime_config(const hie_runtime_t *rt);


/*
 * The job.
 */
typedef struct {
    hie_str_t  name;
    hie_str_t  value;
} hie_header_t;

/* What the adapter fills in: spans into the server's memory, which must stay
 * until the job function that uses them has returned. */
typedef struct {
    hie_str_t            method;
    hie_str_t            scheme;      /* http or https */
    hie_str_t            host;        /* Host, with port */
    hie_str_t            base;        /* of the location: "/fhir", no final / */
    hie_str_t            path;        /* below base, undecoded: "/Patient/1" */
    hie_str_t            query;       /* without '?', ptr NULL if none */
    int                  n_headers;
    const hie_header_t  *headers;
    hie_str_t            body;        /* one that is too large may be its
                                         length alone: hie_job_body */
    int                  body_file;   /* descriptor of a file, or -1 */
    hie_str_t            peer;        /* network address of the client */
    hie_str_t            tls_subject; /* of a verified client certificate */
    bool                 local;       /* a location without authentication,
                                         both ends on loopback: see access.h */
} hie_request_t;

/* What the adapter sends. Lives as long as the job. Date, Server and
 * Content-Length are the server's business. */
typedef struct {
    int            status;
    int            n_headers;
    hie_header_t   headers[12];
    hie_str_t      body;
    apr_file_t    *body_file;    /* or NULL; else the body is this whole file
                                    and `body` is empty. An adapter that needs
                                    it for longer takes it over by
                                    apr_file_setaside. */
    int64_t        length;       /* of the body; of a HEAD, of what a GET would
                                    get, and the body may be missing */
    bool           ranges;       /* the server may cut ranges out of it */
} hie_response_t;

typedef struct hie_job_t  hie_job_t;

/* Its own pool, its own allocator: it may be made on one thread and served on
 * another, and belongs to one at a time. */
hie_job_t *
hie_job_create(hie_runtime_t *rt);
void
hie_job_destroy(hie_job_t *job);
hie_request_t *
hie_job_request(hie_job_t *job);
hie_response_t *
hie_job_response(hie_job_t *job);
apr_pool_t *
hie_job_pool(hie_job_t *job);

/*
 * With everything but the body filled in: how many bytes of it the job can
 * take at most, and whether they should be in a file (request->body_file) as
 * soon as they are more than a few. An adapter that reads no more than it must
 * stops one byte later. Pure.
 */
void
hie_job_body(hie_job_t *job, apr_size_t *max, bool *file);

/*
 * Repository: authenticates, decides, serves, and has the PENDING record on
 * disk when it returns. The response is always filled in, errors too.
 */
HIE_BLOCKING void
hie_job_serve(hie_job_t *job);

typedef void hie_job_cb(void *baton);

/*
 * Gateway, in front of a protected server. Authenticates, judges the query,
 * loads what is withheld, has the PENDING record on disk. HIE_OK: pass the
 * request on and judge the response; anything else: send the job's response
 * instead.
 */
HIE_BLOCKING hie_rc_t
hie_job_authorize(hie_job_t *job);

/* Judges the whole response of the protected server. Pure, so it may run on
 * an event loop; `body` bounded by gateway.max_body. The job's response is
 * what must be sent: nothing of the original but what it contains, no header
 * of the original at all. `encoded`: it had a Content-Encoding. */
void
hie_job_redact(hie_job_t *job, int status, hie_str_t content_type,
               bool encoded, hie_str_t body);

/* The response could not be obtained or held: the job's response is a 502. */
void
hie_job_refuse(hie_job_t *job, const char *detail);

/*
 * MLLP: one message. The answer is response->body, framed; when it is empty
 * there is nothing to acknowledge (the journal could not take it): close the
 * connection. request->peer and tls_subject name the source, `connection` an
 * id of the connection (ULID) whose order is kept.
 */
HIE_BLOCKING void
hie_job_message(hie_job_t *job, const char *connection, hie_str_t message);

/*
 * For an event loop: the same in the runtime's own threads (HIE_RUNTIME_SERVER;
 * jobs.threads and jobs.queue of the configuration). Does not block. HIE_OK:
 * the job belongs to the threads until `cb` is called, once, on another
 * thread. HIE_BUSY: the queue is full, nothing was done.
 */
typedef enum {
    HIE_WORK_SERVE = 1, HIE_WORK_AUTHORIZE, HIE_WORK_MESSAGE
} hie_work_t;

hie_rc_t
hie_job_post(hie_job_t *job, hie_work_t what, hie_job_cb *cb, void *baton);
/* hie_job_message; both must stay until the callback. */
hie_rc_t
hie_job_post_message(hie_job_t *job, const char *connection,
                     hie_str_t message, hie_job_cb *cb, void *baton);
/* What hie_job_authorize returned. */
hie_rc_t
hie_job_verdict(const hie_job_t *job);

/* The outcome, once, after the last byte or the failure. Does not block. */
void
hie_job_complete(hie_job_t *job, int status, int64_t bytes, bool aborted);

/* A response for when the server itself refuses a request: an
 * OperationOutcome that says no more than the status. Static. */
const hie_response_t *
hie_response_refused(int status);

/* A response for when there is no capacity: 503, Retry-After, an
 * OperationOutcome. Static; for an adapter that could not even make a job. */
const hie_response_t *
hie_response_busy(void);
/* The same as the response of a job that could not be posted, with what the
 * origin of its request is to be told. */
void
hie_job_busy(hie_job_t *job);


/*
 * Background work (shipping of audit, transformation of messages), in the one
 * process of the node that holds the lock. Servers do it by themselves;
 * `hiectl worker` calls this until `*stop`.
 */
HIE_BLOCKING hie_rc_t
hie_worker_run(hie_runtime_t *rt, _Atomic bool *stop, hie_error_t *err);


/*
 * Loading: for hiectl. One Bundle or one line of NDJSON after the other; ids
 * are kept, `urn:uuid` references are resolved. What loses against others who
 * write (HIE_TIMEOUT, HIE_BUSY, HIE_CONFLICT) is tried again, with pauses.
 * `again`: also what was loaded before; `unchecked`: resources are not
 * validated.
 */
typedef void hie_load_progress_cb(void *baton, int64_t done, int64_t total);

typedef struct {
    int64_t  resources;          /* written now */
    bool     skipped;            /* was loaded before */
} hie_load_result_t;

HIE_BLOCKING hie_rc_t
hie_load_file(hie_runtime_t *rt, const char *path, bool again,
              bool unchecked, hie_load_progress_cb *progress, void *baton,
              hie_load_result_t *out, hie_error_t *err);


/*
 * Indexing again: for hiectl. What resources are found by is made again of
 * their bodies, beside everything else that goes on; no version is made. A
 * call that was interrupted is continued by the next one that asks for the
 * same, unless that is to begin `again`.
 */
typedef struct {
    hie_str_t              type;     /* or empty: all */
    hie_str_t              param;    /* only types that have this search
                                        parameter; or empty */
    hie_str_t              base;     /* our own URL, https://host/fhir: what
                                        refers to it refers to us; or empty:
                                        that of the configuration, or of
                                        who wrote search parameters */
    bool                   again;
    _Atomic bool          *stop;     /* or NULL */
    hie_load_progress_cb  *progress; /* or NULL */
    void                  *baton;
} hie_reindex_t;

typedef struct {
    int64_t  done;                   /* resources, */
    int64_t  failed;                 /* those among them that could not be
                                        indexed: they are in the log */
} hie_reindexed_t;

/* What the worker does in the background: resources that were written before a
 * search parameter was. Here and now, beside it; of `what` only how to stop and
 * to show, by `done` of `total` in permille. */
HIE_BLOCKING hie_rc_t
hie_reindex_pending(hie_runtime_t *rt, const hie_reindex_t *what,
                    hie_error_t *err);

/* HIE_UNAVAILABLE: it was stopped, or the database does not answer. */
HIE_BLOCKING hie_rc_t
hie_reindex(hie_runtime_t *rt, const hie_reindex_t *what,
            hie_reindexed_t *out, hie_error_t *err);

#endif
