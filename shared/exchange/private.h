/*
 * What the files of this room share.
 */

#ifndef HIE_EXCHANGE_PRIVATE_H
#define HIE_EXCHANGE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "access/access.h"
#include "audit/audit.h"
#include "base/base.h"
#include "base/config.h"
#include "consent/consent.h"
#include "exchange/exchange.h"
#include "fhir/fhir.h"
#include "journal/journal.h"
#include "search/search.h"
#include "store/store.h"
#include "validation/validation.h"

#define HIE_MESSAGE_JOURNAL  "hl7v2"

typedef struct hie_executor_t  hie_executor_t;
typedef struct hie_held_t      hie_held_t;

typedef struct hie_parameters_t  hie_parameters_t;
typedef struct hie_value_sets_t  hie_value_sets_t;

#define HIE_SPARE_POOLS  256

struct hie_runtime_t {
    apr_pool_t          *pool;
    pid_t                pid;          /* whose runtime this is */
    int                  users;
    hie_runtime_kind_t   kind;
    hie_config_t        *config;
    hie_store_t         *store;
    hie_access_t        *access;
    hie_journal_t       *audit;
    hie_validator_t     *validator;
    hie_search_t        *search;

    pthread_mutex_t      compile_lock;   /* of the two above */
    pthread_mutex_t      load_lock;    /* of making profiles anew, and of */
    hie_value_sets_t    *value_sets;   /* those that they bind to; or NULL */
    pthread_mutex_t      parameters_lock;    /* of changing `search` */
    _Atomic apr_time_t   look_due;     /* at other search parameters */
    _Atomic int64_t      generation;   /* that `search` has, at least */
    _Atomic int          pending;      /* types of which not all is indexed */
    pthread_mutex_t      lock;         /* of what follows */
    hie_held_t          *profiles;     /* those that are stored; or NULL */
    hie_parameters_t    *parameters;   /* the same of search; or NULL */
    hie_journal_t       *messages;     /* opened by the first message */
    bool                 secret_known;
    unsigned char        secret[32];

    hie_executor_t      *executor;     /* HIE_RUNTIME_SERVER */
    hie_thread_t        *worker;
    _Atomic bool         stop;
    pthread_cond_t       stopped;      /* with the lock: stop was set */

    pthread_mutex_t      spare_lock;   /* pools of jobs that are done, for */
    int                  n_spare;      /* the next ones */
    apr_pool_t          *spare[HIE_SPARE_POOLS];

    hie_runtime_t       *next;
};

/* What a request asks for, as it stands in the path. */
typedef enum {
    HIE_DO_METADATA = 1, HIE_DO_OPTIONS, HIE_DO_READ, HIE_DO_VREAD,
    HIE_DO_HISTORY, HIE_DO_HISTORY_TYPE, HIE_DO_HISTORY_SYSTEM,
    HIE_DO_SEARCH, HIE_DO_SEARCH_SYSTEM, HIE_DO_SEARCH_COMPARTMENT,
    HIE_DO_CREATE, HIE_DO_UPDATE, HIE_DO_UPDATE_IF, HIE_DO_PATCH,
    HIE_DO_PATCH_IF, HIE_DO_DELETE, HIE_DO_DELETE_IF, HIE_DO_BUNDLE,
    HIE_DO_BATCH, HIE_DO_OPERATION
} hie_do_t;

typedef struct {
    hie_do_t   what;
    hie_str_t  type;
    hie_str_t  id;
    int64_t    version;
    hie_str_t  query;            /* search parameters, '&' separated */
    hie_str_t  operation;        /* "$everything" */
    hie_str_t  compartment_type; /* of a search below /[type]/[id], or "*" */
    hie_str_t  allow;            /* methods of the place: OPTIONS and 405 */
} hie_interaction_t;

/* The form of the answer. */
#define HIE_FHIR_JSON  "application/fhir+json; charset=utf-8"

typedef struct {
    bool          known;
    bool          xml;
    const char   *type;          /* Content-Type */
    bool          pretty;
    hie_subset_t  subset;        /* of which resources: represent.c */
} hie_media_t;

/* What a job can share a round trip to the database with: others of its
 * kind. */
typedef enum {
    HIE_ALONE = 0, HIE_READS, HIE_CREATES, HIE_TOGETHER_KINDS
} hie_together_t;

struct hie_job_t {
    apr_pool_t         *pool;
    hie_runtime_t      *rt;
    hie_request_t       request;
    hie_response_t      response;
    hie_error_t         error;
    hie_str_t           outcome;     /* an OperationOutcome that says more
                                        than `error`, or empty */
    bool                entry;       /* one of a Bundle: its answer is JSON,
                                        in memory */
    hie_str_t           sent;        /* the request's body as JSON, as the
                                        requester has it; or empty */
    bool                accept_patch;    /* a 415 says which patches are
                                            served */
    apr_time_t          updated;     /* of the version in the response, or 0 */
    hie_interaction_t   todo;
    hie_media_t         media;
    hie_str_t           base_url;    /* scheme://host/base */

    hie_principal_t    *principal;
    hie_decision_t     *decision;

    hie_audit_row_t     audit;
    bool                audited;     /* a PENDING record was appended */
    bool                completed;
    uint64_t            seq;

    hie_content_t       content;     /* of a Binary that is being written */
    bool                has_content;
    bool                coding_refused;      /* 415: tell those there are */

    hie_gate_t          gate;        /* gateway mode */
    hie_str_t           gate_type;

    hie_job_cb         *cb;
    void               *baton;

    hie_job_t          *next;        /* in a queue of the executor */
    hie_work_t          work;
    hie_together_t      together;
    apr_time_t          posted;
    hie_rc_t            verdict;
    const char         *connection;
    hie_str_t           message;
};


/* runtime.c */
hie_rc_t
hie_runtime_messages(hie_runtime_t *rt, hie_journal_t **out,
                     hie_error_t *err);
hie_rc_t
hie_runtime_secret(hie_runtime_t *rt, unsigned char out[32],
                   hie_error_t *err);

/* request.c: who, and with what. Each fills job->error on failure. */
hie_str_t
hie_request_header(const hie_request_t *r, const char *name);
hie_rc_t
hie_request_authenticate(hie_job_t *job);
hie_rc_t
hie_request_permit(hie_job_t *job, hie_may_t may, hie_str_t type);
/* Reads request->body_file, if that is where the body is, and takes a
 * Content-Encoding away. XML becomes JSON. */
hie_rc_t
hie_request_body(hie_job_t *job, hie_str_t *body);
void
hie_request_base_url(hie_job_t *job);

/* media.c: fills job->media; refuses an answer (406), parameters (400) and a
 * body (415, if the interaction has one) in a form that is not served. */
hie_rc_t
hie_request_media(hie_job_t *job);
/* What of the answer is wanted, from _summary, _elements and _pretty of a
 * query, into job->media; for parameters that come in a body. */
hie_rc_t
hie_request_part(hie_job_t *job, hie_str_t query);
/* job->media, also if the request failed before it was looked at. */
const hie_media_t *
hie_request_answer(hie_job_t *job);
/* Is it a name that FHIR's formats have, be it a general one? */
bool
hie_request_is_fhir(hie_str_t media);
/* The value of _format, ptr NULL if there is none. */
hie_str_t
hie_request_format(hie_job_t *job);
/* The body as JSON, by Content-Type. */
hie_rc_t
hie_media_body(hie_job_t *job, hie_str_t *body);

/* validate.c: line and column of issues, which are those of the document's own
 * bytes, as those of `sent`; none where the requester has not sent it. */
void
hie_issues_place(hie_issues_t *issues, const hie_doc_t *d, hie_str_t sent);

/* represent.c: the response that is there, which is JSON, in the form that was
 * asked for; once for every response. One that is no FHIR stays. */
void
hie_represent(hie_job_t *job);
/* The first part of it: what _summary and _elements leave, as JSON. */
hie_rc_t
hie_represent_part(hie_job_t *job);

/* definitions.c: what validation knows beside R4. Reads local files. */
hie_rc_t
hie_definitions_load(const hie_config_t *conf, hie_validator_t *v,
                     apr_pool_t *pool, hie_error_t *err);

/* profiles.c: the validator for a resource, which knows the profiles that are
 * stored if it names such a one, or `asked` (or empty) is one, and the value
 * sets that are stored if the profiles bind to them. `out` is to be released
 * after use; NULL: it is the runtime's own. */
HIE_BLOCKING hie_rc_t
hie_profiles_hold(hie_runtime_t *rt, const hie_doc_t *d, hie_node_t n,
                  hie_str_t asked, apr_pool_t *pool, hie_validator_t **v,
                  hie_held_t **out, hie_error_t *err);
void
hie_profiles_release(hie_runtime_t *rt, hie_held_t *held);

/* bindings.c, with the load lock: adds the stored value sets that the validator
 * wants, in memory of `pool`. `state`: that of ValueSets and of CodeSystems.
 * `wants`: there are some, be they stored or not. */
HIE_BLOCKING hie_rc_t
hie_bindings_load(hie_runtime_t *rt, const hie_store_state_t state[2],
                  hie_validator_t *v, apr_pool_t *pool, bool *wants,
                  hie_error_t *err);
void
hie_bindings_free(hie_runtime_t *rt);

/* parameters.c: search parameters that are stored. The first brings rt->search
 * to what is stored; the second does it at most once a second, and leaves it
 * where that cannot be done. What either finds within a transaction
 * (hie_store_read_in) it leaves. */
HIE_BLOCKING hie_rc_t
hie_parameters_refresh(hie_runtime_t *rt, hie_error_t *err);
HIE_BLOCKING void
hie_parameters_notice(hie_runtime_t *rt);
void
hie_parameters_free(hie_runtime_t *rt);
/* Our own URL for what comes without a request: that of the configuration, or
 * as those knew it who wrote them; or empty. */
hie_str_t
hie_parameters_base(hie_runtime_t *rt, apr_pool_t *pool);
/* What is to be said of a parameter (by its key) for which not all has been
 * indexed; or NULL. */
const char *
hie_parameters_incomplete(hie_runtime_t *rt, uint32_t key, apr_pool_t *pool);

/* indexing.c: what was written before a parameter was, a lot at a time. `did`:
 * there was something to do. */
typedef struct hie_indexing_t  hie_indexing_t;

hie_indexing_t *
hie_indexing_create(hie_runtime_t *rt, apr_pool_t *pool);
HIE_BLOCKING hie_rc_t
hie_indexing_turn(hie_indexing_t *x, bool *did, hie_error_t *err);

/* reindex.c: values of these rows, which the transaction has locked, by what
 * is found now; `base` as in hie_reindex_t. What cannot be indexed stays as it
 * is, and is counted. */
HIE_BLOCKING hie_rc_t
hie_index_rows(hie_runtime_t *rt, hie_str_t base, hie_store_tx_t *tx,
               const hie_row_t *rows, int n, apr_pool_t *pool, int *failed,
               hie_error_t *err);

/* route.c: fills job->todo. */
hie_rc_t
hie_request_route(hie_job_t *job);

/* interactions.c */
typedef struct {
    const char  *code;           /* as CapabilityStatement and audit name it */
    hie_may_t    may;            /* what the scopes must permit for the type;
                                    0: the interaction itself finds out */
    bool         body;           /* a resource is sent */
    hie_rc_t   (*serve)(hie_job_t *job);     /* NULL: is not served */
} hie_interaction_def_t;

const hie_interaction_def_t *
hie_interaction(hie_do_t what);

/* respond.c */
void
hie_respond(hie_job_t *job, int status, hie_str_t body);
void
hie_respond_header(hie_job_t *job, const char *name, hie_str_t value);
void
hie_respond_error(hie_job_t *job, const hie_error_t *err);
/* ETag and Last-Modified of one version of a resource. */
void
hie_respond_version(hie_job_t *job, int64_t version, apr_time_t updated);

/* cors.c */
/* Adds to a response what the origin of the request is to be told. */
void
hie_cors_headers(hie_job_t *job);
/* A browser's question whether it may ask: then it has been answered. */
bool
hie_cors_preflight(hie_job_t *job);

/* read.c; the response is filled in on HIE_OK, as by all that follow. */
hie_rc_t
hie_do_read(hie_job_t *job);
/* The second half of a read: what the store said, as a response. */
hie_rc_t
hie_do_read_answer(hie_job_t *job, hie_rc_t rc, const hie_row_t *row);
/* Whether there is, or was, what todo names, and it is visible; else as a
 * read of it would end. */
hie_rc_t
hie_read_exists(hie_job_t *job);
/* Several, each with its own outcome. */
void
hie_do_read_many(hie_job_t **jobs, hie_rc_t *rcs, int n);

/* encoding.c: the coding of the request's body, and its decoding: at most
 * `max` bytes of `in`, in pieces to `cb`. */
#define HIE_CODINGS  "gzip, deflate, zstd"

typedef enum {
    HIE_CODING_NONE = 1, HIE_CODING_GZIP, HIE_CODING_DEFLATE, HIE_CODING_ZSTD
} hie_coding_t;

hie_rc_t
hie_encoding(hie_job_t *job, hie_coding_t *out);
hie_rc_t
hie_decode(hie_coding_t coding, const hie_content_t *in, size_t max,
           hie_content_cb *cb, void *baton, apr_pool_t *pool,
           hie_error_t *err);

/* binary.c */
/* Is it a create or an update of a Binary whose body is the content
 * itself? Is it a read of one? */
bool
hie_binary_is_raw(const hie_job_t *job);
bool
hie_binary_is_read(const hie_job_t *job);
/* Does a read of a Binary ask for the resource, not for the content? */
bool
hie_binary_wants_document(hie_job_t *job);
/* The document that a raw body is described by; the content goes to
 * job->content. */
hie_rc_t
hie_binary_document(hie_job_t *job, hie_str_t *out);
/* What governs a Binary, into `put`. */
hie_rc_t
hie_binary_context(const hie_doc_t *d, hie_str_t base_url, apr_pool_t *pool,
                   hie_put_t *put, hie_error_t *err);
/* The 200 of a read. */
hie_rc_t
hie_binary_answer(hie_job_t *job, const hie_row_t *row);

/* search.c: of a type, of the system, in a compartment. What its files share
 * is in searching.h. */
hie_rc_t
hie_do_search(hie_job_t *job);

/* search_query.c */
/* The criteria of a condition ([type]?query) or of a look-up of our own, for a
 * query of the store; parameters that say how to search are refused. */
typedef struct {
    hie_store_t            *store;       /* where value sets are looked for */
    hie_search_t           *search;
    const hie_config_t     *conf;
    hie_str_t               base_url;
    const hie_principal_t  *principal;   /* whose scopes chains need; or
                                            NULL */
    const hie_visible_t    *visible;     /* as whom hierarchies are walked;
                                            NULL: they are not */
    apr_pool_t             *pool;
} hie_asking_t;

hie_asking_t
hie_asking(const hie_job_t *job);
HIE_BLOCKING hie_rc_t
hie_search_criteria(const hie_asking_t *a, hie_type_t type, hie_str_t query,
                    hie_criteria_t *out, hie_error_t *err);

/* page.c: the token of a page, sealed (AES-256-GCM) and bound to the query
 * and to the requester, so that it tells and proves nothing. What it stands
 * for is a place of `len` bytes; `path` is that of the page below the base. */
hie_rc_t
hie_place_seal(hie_job_t *job, hie_str_t path, hie_str_t query,
               const unsigned char *place, size_t len, hie_str_t *out,
               hie_error_t *err);
hie_rc_t
hie_place_open(hie_job_t *job, hie_str_t path, hie_str_t query,
               hie_str_t token, unsigned char *place, size_t len,
               hie_error_t *err);
/* The same for a place of whatever length. */
hie_rc_t
hie_place_open_any(hie_job_t *job, hie_str_t path, hie_str_t query,
                   hie_str_t token, hie_str_t *place, hie_error_t *err);
/* A number in eight bytes of a place. */
void
hie_place_put(unsigned char *out, int64_t value);
int64_t
hie_place_get(const unsigned char *in);

/* A Bundle.link; `cursor` may be empty. */
void
hie_page_link(hie_buf_t *b, hie_job_t *job, const char *relation,
              hie_str_t path, hie_str_t query, hie_str_t cursor);
/* The value of Bundle.entry.fullUrl. */
void
hie_page_full_url(hie_buf_t *b, hie_job_t *job, const hie_row_t *row);
/* The patients of all rows, for the record. */
void
hie_audit_rows(hie_job_t *job, const hie_row_t *rows, int n);

/* query.c: parameters of a URL that are not search criteria. */
/* Prefer: handling=lenient (R4 section 3.1.1.1), handling=strict. */
bool
hie_request_lenient(const hie_job_t *job);
bool
hie_request_strict(const hie_job_t *job);
/* _format and its like, which every interaction takes. */
bool
hie_query_is_general(hie_str_t name);

/* name=value of a query string, decoded. */
hie_rc_t
hie_query_pair(hie_str_t pair, apr_pool_t *pool, hie_str_t *name,
               hie_str_t *value, hie_error_t *err);

/* A name and its decoded value. HIE_NOT_FOUND: there is no such parameter. */
typedef hie_rc_t hie_query_param_cb(void *baton, hie_str_t name,
                                    hie_str_t value);

/* Calls `cb` for every parameter with a value. An unknown one that is not
 * general is refused, or left out if the requester says so. `used`: the
 * query string as it was understood, without _cursor. */
hie_rc_t
hie_query_walk(hie_job_t *job, hie_str_t query, hie_query_param_cb *cb,
               void *baton, hie_str_t *used);
hie_rc_t
hie_query_bad(hie_job_t *job, hie_str_t name, const char *expected);
hie_rc_t
hie_query_time(hie_job_t *job, hie_str_t name, hie_str_t value,
               apr_time_t *first, apr_time_t *after);
/* What is more than `max` is as good as `max`. */
hie_rc_t
hie_query_count(hie_job_t *job, hie_str_t name, hie_str_t value, int max,
                int *out);

/* A set of resource types. */
#define HIE_TYPES_MAX  160

typedef struct {
    int        n;
    hie_str_t  names[HIE_TYPES_MAX];
} hie_types_t;

/* Adds those of a list with commas. */
hie_rc_t
hie_query_types(hie_job_t *job, hie_str_t name, hie_str_t value,
                hie_types_t *out);
/* Those for which the scopes permit all of `may`. */
void
hie_types_permitted(hie_job_t *job, unsigned may, hie_types_t *out);
bool
hie_types_has(const hie_types_t *types, hie_str_t name);


/* operation.c */
hie_rc_t
hie_do_operation(hie_job_t *job);

/* history.c */
hie_rc_t
hie_do_history(hie_job_t *job);
hie_rc_t
hie_do_history_type(hie_job_t *job);
hie_rc_t
hie_do_history_system(hie_job_t *job);

/* metadata.c */
hie_rc_t
hie_do_metadata(hie_job_t *job);
hie_rc_t
hie_do_options(hie_job_t *job);

/* write.c; the engine behind it is in write.h. */
hie_rc_t
hie_do_create(hie_job_t *job);
/* Several, each with its own outcome; those that have failed before are left
 * as they are. */
void
hie_do_create_many(hie_job_t **jobs, hie_rc_t *rcs, int n);
hie_rc_t
hie_do_update(hie_job_t *job);       /* and by a condition, as the next two */
hie_rc_t
hie_do_patch(hie_job_t *job);
hie_rc_t
hie_do_delete(hie_job_t *job);

/* bundle.c: transaction or batch. */
hie_rc_t
hie_do_bundle(hie_job_t *job);

/* labels.c: operations of todo.type and todo.id. */
hie_rc_t
hie_do_meta_add(hie_job_t *job);
hie_rc_t
hie_do_meta_delete(hie_job_t *job);

/* executor.c */
/* A read of a current version, or a create without a condition. */
hie_together_t
hie_job_together(hie_job_t *job);
hie_rc_t
hie_executor_start(hie_runtime_t *rt, hie_executor_t **out,
                   hie_error_t *err);
/* Works off what is queued and joins the threads. */
void
hie_executor_stop(hie_executor_t *e);

/* job.c */
/* Makes the memory of the first jobs, and goes the way of a read once. */
void
hie_job_warm(hie_runtime_t *rt);
/* What the request may still take, in ms; it may have waited for a thread. */
int
hie_job_time_left(const hie_job_t *job);
/* hie_job_serve, but returns before the record is durable where there is one
 * to wait for: then true, and `cb` is called once on another thread when the
 * response may be sent (it may have changed into a 503). False: send it
 * now. */
bool
hie_job_serve_async(hie_job_t *job, hie_job_cb *cb, void *baton);
/* The same for several jobs of one kind in one round trip to the database;
 * every one's callback is called, from here or from elsewhere. */
void
hie_jobs_serve(hie_job_t **jobs, int n);
/* Appends the PENDING record. Without a journal nothing leaves. */
hie_rc_t
hie_job_audit(hie_job_t *job, hie_error_t *err);

/* worker.c */
void
hie_worker_main(void *runtime);

/* message.c: the record of a message in the journal. */
typedef struct {
    char        id[HIE_ULID_LEN + 1];
    apr_time_t  received;
    hie_str_t   source;          /* peer, certificate, connection */
    hie_str_t   message;
} hie_message_record_t;

hie_rc_t
hie_message_decode(hie_str_t record, hie_message_record_t *out,
                   hie_error_t *err);

#endif
