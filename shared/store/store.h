/*
 * store: PostgreSQL. A pool of connections with a deadline, migrations,
 * resources and their history, search, and the tables of the rooms above.
 *
 * Every function that talks to the database is blocking, asserts the colour
 * of its thread and ends within the configured time-outs. Results live in the
 * pool that was given. Values travel as parameters only.
 *
 * Errors: HIE_BUSY no connection became free in time; HIE_UNAVAILABLE the
 * database does not answer, or its schema is not the one of this library;
 * HIE_CONFLICT lost against another transaction (try again); HIE_TIMEOUT the
 * statement took too long and was cancelled, or the deadline has passed;
 * HIE_INTERNAL otherwise, with the SQLSTATE in the log and never a value.
 */

#ifndef HIE_STORE_H
#define HIE_STORE_H

#include "base/base.h"
#include "base/config.h"
#include "fhir/fhir.h"
#include "search/search.h"

typedef struct hie_store_t     hie_store_t;
typedef struct hie_store_tx_t  hie_store_tx_t;

/* Connects to nothing yet. `conf` must outlive the store. */
hie_rc_t
hie_store_open(apr_pool_t *pool, const hie_config_t *conf, hie_store_t **out,
               hie_error_t *err);
/* Opens up to `n` connections and prepares their statements, within
 * `timeout_ms` altogether; a database that is down is no error here. */
HIE_BLOCKING void
hie_store_warm(hie_store_t *s, int n, int timeout_ms);
/* For what this thread asks from now on: after so long (0: never) no further
 * statement is begun. One that runs then is cancelled, by the server or by
 * giving the connection up, a sixteenth of the statement's time-out and a
 * quarter of a second later at most. To connect may take longer: 2 s for each
 * address that does not answer. */
void
hie_store_deadline(int timeout_ms);
/* Does the database answer, and is its schema the right one? */
HIE_BLOCKING hie_rc_t
hie_store_ping(hie_store_t *s, hie_error_t *err);
HIE_BLOCKING void
hie_store_close(hie_store_t *s);

/* 32 secret bytes of this exchange, made by the first migration. */
HIE_BLOCKING hie_rc_t
hie_store_secret(hie_store_t *s, unsigned char out[32], hie_error_t *err);


/*
 * Who may see a row. Every alias of the resource table in every statement
 * carries this predicate (one function writes it), so counts, pages and sorts
 * never see more. A row without patients is visible to all.
 *
 * A row is withheld when a Consent in force of one of its patients denies,
 * or, without `default_permit`, when for one of its patients none permits. A
 * Consent in force denies when its base is deny and none of `actors` is among
 * its permitted ones, or when one of `actors` is among its denied ones.
 */
typedef struct {
    bool             all;             /* the custodian: nothing is withheld */
    bool             default_permit;
    int              n_actors;
    const uint64_t  *actors;          /* hie_store_actor_key */
} hie_visible_t;

uint64_t
hie_store_actor_key(hie_str_t actor);


/*
 * Resources.
 */

/* The request that made a version. A row keeps the number. */
typedef enum {
    HIE_BY_PUT = 1, HIE_BY_POST, HIE_BY_DELETE, HIE_BY_PATCH
} hie_method_t;

typedef struct {
    hie_str_t    type;
    hie_str_t    id;
    int64_t      version;
    apr_time_t   updated;
    bool         deleted;
    hie_str_t    body;         /* as served; empty when deleted */
    int          n_patients;
    uint64_t    *patients;
    hie_method_t method;       /* of a row of a history, else 0 */
    int64_t      rid;          /* its place: of a row that was found */
    int          n_references; /* if they were asked for: what it refers to, */
    int32_t     *ref_params;   /* by which parameter (0: by none) */
    uint64_t    *ref_keys;     /* and the key of that */
} hie_row_t;

/* `version` 0: the current one. HIE_NOT_FOUND also when it is withheld; the
 * current row's patients govern all versions, besides the version's own.
 * HIE_GONE when deleted and visible. */
HIE_BLOCKING hie_rc_t
hie_store_read(hie_store_t *s, const hie_visible_t *v, hie_str_t type,
               hie_str_t id, int64_t version, apr_pool_t *pool,
               hie_row_t *row, hie_error_t *err);

/* Several current versions in one round trip. Each has its own result. */
typedef struct {
    const hie_visible_t  *visible;
    hie_str_t             type;
    hie_str_t             id;
    apr_pool_t           *pool;
    hie_row_t             row;
    hie_rc_t              rc;
    hie_error_t          *err;
} hie_store_read_t;

HIE_BLOCKING void
hie_store_read_many(hie_store_t *s, hie_store_read_t *reads, int n);

/*
 * A search: rows of the types that meet all criteria and are visible, in the
 * order of the sort keys and then of rid. A value that is missing comes last.
 * A page begins behind a place and goes in either direction.
 *
 * It is given hie_query_t.budget milliseconds, then the statement is cancelled:
 * HIE_TIMEOUT.
 */
typedef struct {
    bool       missing;
    int64_t    number;         /* of dates and UPDATED: microseconds */
    hie_str_t  text;           /* of the others; a number in digits */
} hie_place_value_t;

typedef struct {
    int64_t            rid;
    int                n;      /* as many as sort keys */
    hie_place_value_t  values[HIE_SORTS_MAX];
} hie_place_t;

typedef enum {
    HIE_TOTAL_NONE = 0, HIE_TOTAL_ESTIMATE, HIE_TOTAL_ACCURATE
} hie_total_t;

typedef struct {
    int                     n_types;       /* at least one */
    const hie_str_t        *types;
    const hie_criteria_t   *criteria;      /* or NULL */
    int                     n_sorts;
    const hie_sort_t       *sorts;
    int                     count;         /* rows of the page; 0: only the
                                              total */
    const hie_place_t      *after;         /* NULL: from the start */
    bool                    backwards;     /* the rows before it, then */
    hie_total_t             total;
    bool                    references;    /* of each row, for _include */
    bool                    explain;
    int                     budget;        /* 0: as any statement */
} hie_query_t;

typedef struct {
    hie_str_t  source;         /* of the criterion */
    hie_str_t  how;            /* index and role */
} hie_explained_t;

typedef struct {
    int               n;
    hie_row_t        *rows;
    hie_place_t      *places;  /* of each row */
    bool              more;    /* there are rows behind the last; backwards:
                                  before the first */
    int64_t           total;   /* -1 when not asked for */
    int               n_explained;         /* if asked for: */
    hie_explained_t  *explained;
    hie_str_t         plan;    /* PostgreSQL's, JSON, with times */
} hie_found_t;

HIE_BLOCKING hie_rc_t
hie_store_search(hie_store_t *s, const hie_visible_t *v, const hie_query_t *q,
                 apr_pool_t *pool, hie_found_t *out, hie_error_t *err);

/*
 * What the rows of a page (found with hie_query_t.references) refer to, or what
 * refers to them, as told by `includes`, visible rows of the types only, each
 * once and none that is on the page. Those with `iterate` are applied again to
 * what was found, until there is nothing new, `max_rows` are reached (`more`)
 * or `max_rounds` done.
 */
typedef struct {
    const hie_row_t      *rows;
    int                   n;
    const hie_include_t  *includes;
    int                   n_includes;
    bool                  may_all;     /* may read all types, or */
    int                   n_may;       /* these */
    const hie_str_t      *may;
    int                   max_rows;
    int                   max_rounds;
    int                   budget;
} hie_including_t;

HIE_BLOCKING hie_rc_t
hie_store_include(hie_store_t *s, const hie_visible_t *v,
                  const hie_including_t *q, apr_pool_t *pool,
                  hie_found_t *out, hie_error_t *err);


/*
 * History: the versions of one resource, of a type, or of several types, each
 * version once, whether it is the current one or not. Visible versions only:
 * as by hie_store_read the patients of the current row govern all, besides
 * the version's own.
 */
typedef struct {
    apr_time_t  updated;
    int64_t     rid;
    int64_t     version;
} hie_history_place_t;

typedef struct {
    int                   n_types;
    hie_str_t            *types;     /* one, if there is an id */
    hie_str_t             id;        /* or empty */
    apr_time_t            since;     /* made at or after it; 0: any */
    apr_time_t            until;     /* made before it; 0: any */
    apr_time_t            current;   /* still current at it; 0: any. What had
                                        been deleted then is left out */
    bool                  ascending; /* oldest first */
    int                   count;     /* rows of the page; 0: only the total,
                                        for which every version is looked
                                        at */
    bool                  has_after;
    hie_history_place_t   after;     /* keyset: rows after this place */
} hie_history_t;

typedef struct {
    int                   n;
    hie_row_t            *rows;
    bool                  more;
    hie_history_place_t   next;      /* place to go on after, if more */
    int64_t               total;     /* of one resource, or if only it was
                                        asked for; else -1 */
} hie_versions_t;

HIE_BLOCKING hie_rc_t
hie_store_history(hie_store_t *s, const hie_visible_t *v,
                  const hie_history_t *q, apr_pool_t *pool,
                  hie_versions_t *out, hie_error_t *err);


/*
 * Everything about a patient or an encounter: the resource itself (class 0),
 * what mentions it (class 1), and the resources that these refer to and that
 * are of types outside of the compartment (class 2). Visible rows only; that
 * the resource itself is visible is for the caller to find out.
 */
typedef struct {
    hie_str_t         type;          /* Patient or Encounter */
    hie_str_t         id;
    hie_str_t         base;          /* our URL */
    uint64_t         *patients;      /* whose compartments it is in */
    int               n_patients;
    bool              may_all;       /* may read all types, or */
    int               n_may;         /* these */
    const hie_str_t  *may;
    int               n_support;     /* those among them of class 2 */
    const hie_str_t  *support;
    bool              want_all;      /* wants all of them, or */
    int               n_want;        /* these types */
    const hie_str_t  *want;
    apr_time_t        since;         /* made at or after it; 0: any */
    apr_time_t        from;          /* time of care; 0: any */
    apr_time_t        until;
    int               count;
    int               after_class;   /* keyset: rows after this place */
    int64_t           after_rid;     /* of the class; -1: none yet */
} hie_everything_t;

typedef struct {
    bool        self;                /* the resource itself is known to be
                                        there and visible; false: ask */
    int         n;
    hie_row_t  *rows;                /* without version and time */
    int        *classes;
    bool        more;
    int         next_class;
    int64_t     next_rid;
} hie_all_t;

HIE_BLOCKING hie_rc_t
hie_store_everything(hie_store_t *s, const hie_visible_t *v,
                     const hie_everything_t *q, apr_pool_t *pool,
                     hie_all_t *out, hie_error_t *err);


/*
 * The labels that visible resources of these types have: each value once for
 * a kind, sorted.
 */
typedef struct {
    hie_label_kind_t  kind;
    hie_str_t         json;
} hie_used_label_t;

HIE_BLOCKING hie_rc_t
hie_store_labels(hie_store_t *s, const hie_visible_t *v,
                 const hie_str_t *types, int n_types, apr_pool_t *pool,
                 hie_used_label_t **out, int *n, hie_error_t *err);


/*
 * Writing. One transaction holds one connection; end it with commit or
 * rollback, whatever happened before. `pool` is the transaction's scratch.
 */
HIE_BLOCKING hie_rc_t
hie_store_begin(hie_store_t *s, apr_pool_t *pool, hie_store_tx_t **out,
                hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_store_commit(hie_store_tx_t *tx, hie_error_t *err);
HIE_BLOCKING void
hie_store_rollback(hie_store_tx_t *tx);

/* A lock by which transactions keep out of each other's way: one of them has
 * it, or several share it, until they end. */
typedef struct {
    uint64_t  key;
    bool      shared;
} hie_store_lock_t;

/* Takes the locks (advisory ones, in ascending order, each once: exclusive
 * if asked for both ways), all in one call per transaction, then looks for the
 * visible current rows that match each of `n` queries, without bodies; at most
 * queries[i].count of them in out[i], and only with 0 a total. What a
 * transaction has committed that had one of the locks before is seen. Many
 * share a round trip. */
HIE_BLOCKING hie_rc_t
hie_store_find(hie_store_tx_t *tx, const hie_visible_t *v,
               const hie_store_lock_t *locks, int n_locks,
               const hie_query_t *queries, int n, hie_found_t *out,
               hie_error_t *err);

/*
 * The current state of several resources, each locked until the end: against
 * being changed, against being referred to by others too (what is deleted), or
 * against being deleted only (what is referred to). The caller sorts them by
 * type and id (bytes), each once, so that two transactions do not wait for
 * each other.
 */
typedef enum {
    HIE_ROW_REFER = 1, HIE_ROW_CHANGE, HIE_ROW_DELETE, HIE_ROW_LOCKS
} hie_row_lock_t;

typedef struct {
    hie_str_t  type;
    hie_str_t  id;
    bool       want_body;
    bool       exists;           /* set: there is a row, maybe deleted */
    bool       visible;          /* what `v` says of it */
    hie_row_t  row;              /* body: only if wanted */
} hie_store_current_t;

HIE_BLOCKING hie_rc_t
hie_store_current(hie_store_tx_t *tx, const hie_visible_t *v,
                  hie_row_lock_t lock, hie_store_current_t *rows, int n,
                  hie_error_t *err);

/* The first of the `n` tokens that a visible current resource has, or -1. */
HIE_BLOCKING hie_rc_t
hie_store_any_token(hie_store_tx_t *tx, const hie_visible_t *v,
                    const uint64_t *tokens, int n, int *first,
                    hie_error_t *err);

/* Whether they do now. */
bool
hie_store_is_read_in(const hie_store_t *s);
/* Until the next call with NULL, or the end of the transaction, the reads of
 * this thread (hie_store_read, hie_store_search, …) go through it, and see
 * what it has written. */
void
hie_store_read_in(hie_store_tx_t *tx);

/* An enforceable Consent, one row per patient. */
typedef struct {
    uint64_t         patient;        /* hie_fhir_patient_key */
    bool             base_permit;
    apr_time_t       from;           /* in force; 0: always */
    apr_time_t       until;          /* 0: for ever */
    int              n_permit;
    const uint64_t  *permit;         /* hie_store_actor_key */
    int              n_deny;
    const uint64_t  *deny;
} hie_consent_row_t;

/* Raw content: bytes in memory, or those of a file from its start. */
typedef struct {
    const char  *bytes;
    int          file;               /* descriptor, or -1 */
    int64_t      size;
} hie_content_t;

/* Up to `size` bytes from `at` on: how many, 0 at the end, -1 on an error. */
HIE_BLOCKING int64_t
hie_content_read(const hie_content_t *c, int64_t at, char *buf, size_t size);

typedef struct {
    hie_str_t                 type;
    hie_str_t                 id;
    int64_t                   version;   /* 1: new; else the successor of the
                                            row got by hie_store_current */
    apr_time_t                updated;
    hie_method_t              method;    /* 0: PUT, or DELETE without a body */
    hie_str_t                 body;      /* empty: deleted; the row keeps its
                                            patients and loses all else */
    hie_relations_t          *relations; /* to those of a Binary hie_store_put
                                            adds the patients of its context */
    const hie_search_values_t  *values;  /* what it, and what it contains, is
                                            found by, */
    int64_t                   generation;    /* by parameters of this one */
    hie_str_t                 context_type;  /* what governs a Binary, */
    hie_str_t                 context_id;    /* unless relations say it */
    const hie_visible_t      *context_visible;   /* to whom it is; NULL:
                                                    whatever it is */
    const hie_content_t      *content;   /* of a Binary whose data is not in
                                            its body, or NULL */
    int                       n_consents;  /* of type Consent: its rows now */
    const hie_consent_row_t  *consents;
} hie_put_t;

/* Writes all in one round trip (the content of Binaries takes more).
 * HIE_CONFLICT when a new one exists already, one is not of the version
 * before, or there are search parameters of a later generation.
 * HIE_UNPROCESSABLE when the context of a Binary is neither among them nor
 * there, or is not visible. */
HIE_BLOCKING hie_rc_t
hie_store_put(hie_store_tx_t *tx, const hie_put_t *puts, int n,
              hie_error_t *err);
/* The same and the commit, together in one round trip. The transaction has
 * ended when it returns, whatever it returns. */
HIE_BLOCKING hie_rc_t
hie_store_put_commit(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                     hie_error_t *err);

/*
 * Indexing again, for maintenance: what rows are found by is made again of
 * their bodies, and no version of them.
 */

/* Places of a type in the order of rid: of its current resources, and, if they
 * are meant, of what other resources contain of it. */
typedef struct {
    hie_str_t  type;
    bool       contained;      /* these are meant */
    int64_t    after;          /* places behind this one, */
    int64_t    last;           /* up to and with this one, */
    int        max;            /* and at most so many */
} hie_walk_t;

typedef struct {
    int         places;        /* how many were there, */
    int64_t     place;         /* and the last of them */
    int         n;             /* the resources, or what contains them, each */
    hie_row_t  *rows;          /* once: type, id, version, rid and body only */
} hie_walked_t;

/* The rows are locked against changes until the end. */
HIE_BLOCKING hie_rc_t
hie_store_walk(hie_store_tx_t *tx, const hie_walk_t *w, hie_walked_t *out,
               hie_error_t *err);
/* How many resources there are behind a place. */
HIE_BLOCKING hie_rc_t
hie_store_left(hie_store_t *s, const hie_walk_t *w, int64_t *n,
               hie_error_t *err);
/* Puts relations and values in the place of those that are there; a row keeps
 * its patients, and those of `relations` are added. HIE_CONFLICT: one is not
 * of the version that it is said to be. */
HIE_BLOCKING hie_rc_t
hie_store_reindex(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                  hie_error_t *err);


/*
 * Raw content of a version of a Binary. What is stored is never changed, so it
 * can be read piece by piece, without a transaction and without a connection
 * that is held in between. Whether the version may be seen is to be asked
 * first (hie_store_read).
 */

/* Stored in chunks of this size. A multiple of 3: the base64 of a whole is
 * that of its chunks. */
#define HIE_CHUNK  (240 * 1024)

/* HIE_NOT_FOUND: the data is in the document. */
HIE_BLOCKING hie_rc_t
hie_store_content(hie_store_t *s, hie_str_t id, int64_t version,
                  apr_pool_t *pool, int64_t *content, int64_t *size,
                  hie_error_t *err);

/* Each call gets one chunk; anything but HIE_OK ends the reading. */
typedef hie_rc_t hie_content_cb(void *baton, const char *ptr, size_t len,
                                hie_error_t *err);

HIE_BLOCKING hie_rc_t
hie_store_content_read(hie_store_t *s, int64_t content, int64_t size,
                       hie_content_cb *cb, void *baton, hie_error_t *err);


/*
 * All current resources of a type that are nobody's, hence visible to all; and
 * a mark by which one state of them is told from another. Of `n` types in one
 * statement, at one moment; `out` has as many.
 */
typedef struct {
    int64_t  n;
    int64_t  mark;
} hie_store_state_t;

HIE_BLOCKING hie_rc_t
hie_store_states(hie_store_t *s, const hie_str_t *types, int n,
                 apr_pool_t *pool, hie_store_state_t *out, hie_error_t *err);
/* At most `count` of them, in the order of their places, after one. */
HIE_BLOCKING hie_rc_t
hie_store_everyones(hie_store_t *s, hie_str_t type, int64_t after, int count,
                    apr_pool_t *pool, hie_row_t **rows, int *n,
                    hie_error_t *err);


/*
 * Search parameters that stored SearchParameter resources define: those that
 * are served, and what has still to be indexed by them. Each change of what is
 * served makes another generation; no row is written by an older one from then
 * on (hie_store_put).
 */
typedef struct {
    hie_str_t  id;             /* of the SearchParameter */
    hie_str_t  url;
    int64_t    mark;           /* of what it defines, for the caller */
    int64_t    generation;     /* since which it does */
    hie_str_t  body;
} hie_store_parameter_t;

/* A pass over all resources of a type, those that others contain, too. The rows
 * that are there when it begins end with `last`; those that come later are
 * indexed by its generation. */
typedef struct {
    hie_str_t  type;
    int64_t    wanted;         /* the generation to be found by, */
    int64_t    done;           /* and the one by which all are; wanted: there
                                  is nothing to do */
    int64_t    pass;           /* generation of the pass; done: it has not
                                  begun */
    int64_t    first;          /* rids of it */
    int64_t    last;
    int64_t    place;          /* behind which it goes on */
    int64_t    rows;           /* done by it */
} hie_store_pass_t;

/* How much is done of that by which rows are found by a generation; 0 also if
 * that is for the next pass. */
int
hie_store_pass_percent(const hie_store_pass_t *p, int64_t generation);
/* The generation, and the passes that have not ended; or `all`. */
HIE_BLOCKING hie_rc_t
hie_store_registry(hie_store_t *s, bool all, apr_pool_t *pool,
                   int64_t *generation, hie_store_pass_t **passes, int *n,
                   hie_error_t *err);
/* The parameters of a generation, sorted by it; `base`: our own URL as they
 * were written under it, or empty. */
HIE_BLOCKING hie_rc_t
hie_store_parameters(hie_store_t *s, apr_pool_t *pool, int64_t *generation,
                     hie_str_t *base, hie_store_parameter_t **params, int *n,
                     hie_error_t *err);

/* The generation, locked until the end. */
HIE_BLOCKING hie_rc_t
hie_store_registry_lock(hie_store_tx_t *tx, int64_t *generation,
                        hie_error_t *err);
/* The next generation of a locked registry: these are served from now on, those
 * are not, and these types are to be indexed again. `base` as above; empty: as
 * it was. */
typedef struct {
    const hie_store_parameter_t  *served;    /* without generation and body */
    int                           n_served;
    const hie_str_t              *gone;      /* ids */
    int                           n_gone;
    const hie_str_t              *types;
    int                           n_types;
    hie_str_t                     base;
} hie_store_change_t;

HIE_BLOCKING hie_rc_t
hie_store_registry_change(hie_store_tx_t *tx, const hie_store_change_t *c,
                          hie_error_t *err);

/* The transactions that are writing resources at this moment, by their names;
 * with `among`, those of them that still are. */
HIE_BLOCKING hie_rc_t
hie_store_writers(hie_store_t *s, const hie_str_t *among, int n_among,
                  apr_pool_t *pool, hie_str_t **out, int *n,
                  hie_error_t *err);
/* A pass that has not ended and that nobody else has, locked until the end of
 * the transaction. HIE_NOT_FOUND: there is none. */
HIE_BLOCKING hie_rc_t
hie_store_pass_take(hie_store_tx_t *tx, hie_store_pass_t *out,
                    hie_error_t *err);
/* Begins it with a generation: first, last and place are set. */
HIE_BLOCKING hie_rc_t
hie_store_pass_begin(hie_store_tx_t *tx, hie_store_pass_t *pass,
                     int64_t generation, hie_error_t *err);
/* Its place, rows and done. */
HIE_BLOCKING hie_rc_t
hie_store_pass_set(hie_store_tx_t *tx, const hie_store_pass_t *pass,
                   hie_error_t *err);


/*
 * For consent: the patients that are withheld from these actors, ascending.
 * Without `default_permit` the others: those who permit; all who are not in
 * the list are withheld then. Nobody with `all`.
 */
HIE_BLOCKING hie_rc_t
hie_store_withheld(hie_store_t *s, const hie_visible_t *v, apr_pool_t *pool,
                   uint64_t **patients, int *n, hie_error_t *err);


/*
 * For the workers: places in journals, audit rows, dead letters. `node` names
 * the schema hie_node_<node>.
 */
typedef struct {
    char      segment[HIE_ULID_LEN + 1];
    uint64_t  offset;
} hie_store_place_t;

HIE_BLOCKING hie_rc_t
hie_store_places(hie_store_t *s, const char *node, const char *journal,
                 apr_pool_t *pool, hie_store_place_t **out, int *n,
                 hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_store_set_places(hie_store_tx_t *tx, const char *node,
                     const char *journal, const hie_store_place_t *places,
                     int n, hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_store_forget_place(hie_store_t *s, const char *node, const char *journal,
                       const char *segment, hie_error_t *err);

typedef struct {
    char         id[HIE_ULID_LEN + 1];
    apr_time_t   recorded;
    hie_str_t    subject;        /* who: the token's sub */
    hie_str_t    issuer;
    hie_str_t    organization;
    hie_str_t    peer;           /* network address */
    hie_str_t    interaction;    /* FHIR interaction code, or hl7v2 */
    hie_str_t    type;
    hie_str_t    resource_id;
    hie_str_t    query;
    hie_str_t    decision;       /* permit, deny, custodian, none */
    int          n_patients;
    uint64_t    *patients;       /* whose data was about to leave */
    int          n_resources;    /* of a search: how many */
    bool         complete;       /* the following are known */
    apr_time_t   completed;
    int          status;         /* HTTP status, or 0 */
    int64_t      bytes;          /* of the body that was sent; -1 unknown */
    bool         aborted;        /* the client did not get all of it */
    bool         judged;         /* and these, of an answer judged after the
                                    PENDING record: see hie_job_redact */
    int          n_withheld;     /* resources taken out of it */
    int          n_disclosed;    /* resources left in it */
    int          n_disclosed_patients;
    uint64_t    *disclosed_patients;     /* whose data was left in it */
} hie_audit_row_t;

/* Inserts rows; a row whose id is there already only gets its completion.
 * A completion without a row (decision empty) updates the row. `fresh`: no
 * row is expected to be there, which is cheaper; HIE_CONFLICT if one is. */
HIE_BLOCKING hie_rc_t
hie_store_audit(hie_store_tx_t *tx, const char *node, bool fresh,
                const hie_audit_row_t *rows, int n, hie_error_t *err);

/* A message that could not be worked off. */
HIE_BLOCKING hie_rc_t
hie_store_dead_letter(hie_store_tx_t *tx, const char *node, const char *id,
                      hie_str_t message, hie_str_t source,
                      const hie_error_t *why, hie_error_t *err);

/* How far a file (by the digest of its content) has been loaded. */
HIE_BLOCKING hie_rc_t
hie_store_load_state(hie_store_t *s, const char *digest, int64_t *done,
                     hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_store_set_load_state(hie_store_tx_t *tx, const char *digest,
                         int64_t done, hie_error_t *err);


/*
 * Migrations, compiled in from sql/. Run as the owner of the schema.
 */
typedef struct {
    int  from;                   /* schema version before */
    int  to;
} hie_migration_t;

/* Brings the schema to this library's version, makes the node's schema, and
 * grants `role` (the user of database.conninfo) what a server needs and no
 * more. Safe to run at the same time from several machines. */
HIE_BLOCKING hie_rc_t
hie_store_migrate(const char *admin_conninfo, const char *role,
                  const char *node, apr_pool_t *pool, hie_migration_t *out,
                  hie_error_t *err);

typedef struct {
    int64_t  resources;
    int64_t  versions;           /* in the history */
    int64_t  audit;              /* of this node */
    int64_t  audit_open;         /* not complete yet */
    int64_t  dead_letters;
    int      schema;
} hie_store_status_t;

HIE_BLOCKING hie_rc_t
hie_store_status(hie_store_t *s, const char *node, hie_store_status_t *out,
                 hie_error_t *err);

#endif
