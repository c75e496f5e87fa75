/*
 * What the files of store share among themselves.
 */

#ifndef HIE_STORE_PRIVATE_H
#define HIE_STORE_PRIVATE_H

#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#include <apr_tables.h>
#include <libpq-fe.h>


/*
 * Statements. One is prepared on a connection when it is first used there,
 * under a name made from its text.
 */
typedef struct {
    const char  *sql;
    uint64_t     key;
    char         name[20];
} hie_stmt_t;

void
hie_store_stmt(hie_stmt_t *st, const char *sql);

/* Parameters in binary form. Bytes that are added must stay. */
#define HIE_PARAMS_FEW  32
#define HIE_PARAMS_MAX  512

typedef struct {
    apr_pool_t   *pool;
    int           n;
    int           room;
    const char  **value;
    int          *length;
    const char   *few_values[HIE_PARAMS_FEW];
    int           few_lengths[HIE_PARAMS_FEW];
} hie_params_t;

void
hie_params_init(hie_params_t *p, apr_pool_t *pool);
void
hie_params_str(hie_params_t *p, hie_str_t s);
void
hie_params_i64(hie_params_t *p, int64_t v);
/* Three parameters: key, type and id. */
void
hie_params_row(hie_params_t *p, hie_str_t type, hie_str_t id);

/* The row under `alias` is that of a type and an id: found by the key, in a
 * form for which no other index can be taken. On an empty table, of which plans
 * are made, all look equally good. */
#define HIE_IS_ROW(alias, key, type, id)                                      \
    alias ".key = " key " AND (" alias ".type = " type ") IS TRUE AND "       \
    alias ".id = " id

/* What is indexed of a string, cut between characters: an entry of a B-tree
 * has to fit three times into a page. Names and addresses are shorter; what is
 * longer is found by its beginning. */
hie_str_t
hie_string_indexed(hie_str_t s);

/* An array of one dimension that grows by one element at a time. */
typedef struct {
    hie_buf_t  buf;
    uint32_t   n;
} hie_array_t;

typedef enum {
    HIE_PG_BOOL = 16, HIE_PG_BYTEA = 17, HIE_PG_INT8 = 20, HIE_PG_INT4 = 23,
    HIE_PG_TEXT = 25, HIE_PG_FLOAT8 = 701, HIE_PG_TIMESTAMPTZ = 1184,
    HIE_PG_NUMERIC = 1700, HIE_PG_TSVECTOR = 3614
} hie_pg_type_t;

void
hie_array_init(hie_array_t *a, apr_pool_t *pool, hie_pg_type_t type,
               size_t size);
void
hie_array_str(hie_array_t *a, hie_str_t s);
void
hie_array_i64(hie_array_t *a, int64_t v);
void
hie_array_i32(hie_array_t *a, int32_t v);
void
hie_array_double(hie_array_t *a, double v);
void
hie_array_bool(hie_array_t *a, bool v);
void
hie_array_time(hie_array_t *a, apr_time_t t);
void
hie_array_null(hie_array_t *a);
/* The array must stay where it is and get no more elements. */
void
hie_params_array(hie_params_t *p, hie_array_t *a);
/* A whole bigint[] at once. */
void
hie_params_keys(hie_params_t *p, const uint64_t *keys, int n);

/* A numeric in binary form; how long it is. */
#define HIE_NUMERIC_MAX  32

size_t
hie_numeric(const hie_decimal_t *v, char out[HIE_NUMERIC_MAX]);
size_t
hie_numeric_infinity(bool negative, char out[HIE_NUMERIC_MAX]);
void
hie_array_numeric(hie_array_t *a, const hie_decimal_t *v);
/* A double as text that is the same double when it is read. */
hie_str_t
hie_double_text(apr_pool_t *pool, double v);
void
hie_array_infinity(hie_array_t *a, bool negative);

/* Takes the next word off a normalised text. False: there is none. */
bool
hie_words_next(hie_str_t *rest, hie_str_t *word);
/* A tsvector in binary form, the words of the narrative with weight A, those
 * of the content with D; ptr NULL: there is no word. */
hie_str_t
hie_words_vector(apr_pool_t *pool, hie_str_t narrative, hie_str_t content);

/* 2000-01-01 in microseconds since 1970. */
#define HIE_PG_EPOCH  INT64_C(946684800000000)

/* Rows for a COPY: a row, then a value for each of its columns, and the end. */
typedef struct {
    hie_buf_t  buf;
    int        columns;
} hie_copy_t;

void
hie_copy_init(hie_copy_t *c, apr_pool_t *pool, int columns, size_t size);
void
hie_copy_row(hie_copy_t *c);
void
hie_copy_null(hie_copy_t *c);
void
hie_copy_str(hie_copy_t *c, hie_str_t s);
void
hie_copy_i32(hie_copy_t *c, int32_t v);
void
hie_copy_i64(hie_copy_t *c, int64_t v);
void
hie_copy_time(hie_copy_t *c, apr_time_t t);
void
hie_copy_bool(hie_copy_t *c, bool v);
void
hie_copy_keys(hie_copy_t *c, const uint64_t *keys, int n);
hie_str_t
hie_copy_end(hie_copy_t *c);

/* Values of a binary result. */
int64_t
hie_result_i64(const PGresult *res, int row, int col);
int
hie_result_i16(const PGresult *res, int row, int col);
bool
hie_result_bool(const PGresult *res, int row, int col);
apr_time_t
hie_result_time(const PGresult *res, int row, int col);
hie_str_t
hie_result_str(const PGresult *res, int row, int col);
uint64_t *
hie_result_keys(const PGresult *res, int row, int col, apr_pool_t *pool,
                int *n);
/* The same of an integer[]. */
int32_t *
hie_result_ints(const PGresult *res, int row, int col, apr_pool_t *pool,
                int *n);
/* A text[] without nulls. */
hie_str_t *
hie_result_texts(const PGresult *res, int row, int col, apr_pool_t *pool,
                 int *n);
/* The result lives as long as the pool; spans into it are good so long. */
void
hie_result_own(PGresult *res, apr_pool_t *pool);


/*
 * Connections.
 */
#define HIE_PREPARED_SLOTS  256     /* a power of two */
#define HIE_PREPARED_MAX    192

typedef struct {
    PGconn    *pg;
    unsigned   generation;
    bool       broken;
    bool       lock_timeout;    /* the last error was one */
    bool       duplicate;       /* it was: a row with this key is there */
    int        timeout;         /* of a statement, by the session */
    int        n_prepared;
    int        n_strangers;     /* statements that it had no room for */
    uint64_t   prepared[HIE_PREPARED_SLOTS];   /* keys; 0 is empty */
} hie_conn_t;

/* What a requester sees: everything, what is not denied, what is permitted. */
typedef enum { HIE_SEE_ALL, HIE_SEE_PERMIT, HIE_SEE_DENY, HIE_SEE_KINDS }
    hie_see_t;

/* Keys of labels and terms that a process remembers. */
#define HIE_KNOWN_TERMS  (1 << 15)

struct hie_store_t {
    const hie_config_t  *conf;
    apr_pool_t          *pool;

    pthread_mutex_t      lock;
    pthread_cond_t       freed;
    int                  n_idle;         /* both are stacks: the connection */
    hie_conn_t         **idle;           /* used last is used next */
    int                  n_empty;
    hie_conn_t         **empty;
    unsigned             generation;     /* older connections are not trusted */
    int64_t              refuse_until;   /* no new connection before */
    bool                 checked;        /* the schema is ours */
    _Atomic uint64_t    *known;          /* terms.c */

    hie_stmt_t           read[HIE_SEE_KINDS];
    hie_stmt_t           vread[HIE_SEE_KINDS];
    hie_stmt_t           current[HIE_ROW_LOCKS][HIE_SEE_KINDS];
    hie_stmt_t           any_token[HIE_SEE_KINDS];
    hie_stmt_t           locks;
    hie_stmt_t           begin;
    hie_stmt_t           commit;
    hie_stmt_t           rollback;
    hie_stmt_t           create;
    hie_stmt_t           update;
    hie_stmt_t           reindex;
    hie_stmt_t           contained;
    hie_stmt_t           labels;
    hie_stmt_t           terms;
    hie_stmt_t           consents;

    /* how often tokens occur: frequency.c */
    _Atomic int64_t      frequencies_due;
    struct hie_frequencies_t *_Atomic frequencies;
    struct hie_frequencies_t *_Atomic frequencies_old;
};

struct hie_store_tx_t {
    hie_store_t         *store;
    apr_pool_t          *pool;
    hie_conn_t          *conn;
    bool                 begun;
    apr_array_header_t  *new_terms;      /* uint64_t: known when it ends well */
};

int64_t
hie_store_clock(void);                   /* milliseconds, monotonic */

/* HIE_TIMEOUT when the time of this thread (hie_store_deadline) is over. */
hie_rc_t
hie_store_in_time(hie_error_t *err);
/* What is left of it, in ms; INT_MAX if it has no end. */
int
hie_store_time_left(void);

/* `fresh`: a new connection, because an idle one turned out to be dead. */
HIE_BLOCKING hie_rc_t
hie_store_acquire(hie_store_t *s, bool fresh, hie_conn_t **out,
                  hie_error_t *err);
HIE_BLOCKING void
hie_store_release(hie_store_t *s, hie_conn_t *c);


/*
 * Running statements.
 */
typedef struct {
    const hie_stmt_t    *stmt;
    const hie_params_t  *params;
    PGresult            *res;            /* when all went well */
} hie_op_t;

typedef enum {
    HIE_WIRE_OK = 1,
    HIE_WIRE_ERROR,         /* the server said no; the connection is good */
    HIE_WIRE_LOST,          /* connection closed: nothing is known */
    HIE_WIRE_STALE,         /* prepared statements are out of date */
    HIE_WIRE_TIMEOUT        /* no answer; the connection was given up */
} hie_wire_t;

/* Runs the operations in one round trip; preparing comes on top where it is
 * needed. All results are set, or none and `err` is. A request's time that ends
 * before `timeout_ms` (hie_store_deadline) governs, here and at the server. */
HIE_BLOCKING hie_wire_t
hie_wire_run(hie_conn_t *c, hie_op_t *ops, int n, int timeout_ms,
             hie_rc_t *rc, hie_error_t *err);
/* Text of several statements with the simple protocol; the last result. */
HIE_BLOCKING hie_wire_t
hie_wire_text(hie_conn_t *c, const char *sql, int timeout_ms, PGresult **res,
              hie_rc_t *rc, hie_error_t *err);
/* COPY … FROM STDIN of `data`. */
HIE_BLOCKING hie_wire_t
hie_wire_copy(hie_conn_t *c, const char *sql, hie_str_t data, int timeout_ms,
              hie_rc_t *rc, hie_error_t *err);
/* Prepares without executing. */
HIE_BLOCKING hie_wire_t
hie_wire_prepare(hie_conn_t *c, const hie_stmt_t *const *stmts, int n,
                 int timeout_ms, hie_rc_t *rc, hie_error_t *err);

/* One read-only statement outside any transaction; tried once more when the
 * connection turns out to be dead. */
HIE_BLOCKING hie_rc_t
hie_store_query(hie_store_t *s, const hie_stmt_t *st, const hie_params_t *p,
                PGresult **res, hie_error_t *err);
/* Read-only statements in one round trip, in one snapshot or not. `budget`:
 * each is cancelled after so many milliseconds (HIE_TIMEOUT), if that is less
 * than what any statement may take; 0: that. */
HIE_BLOCKING hie_rc_t
hie_store_queries(hie_store_t *s, hie_op_t *ops, int n, int budget,
                  hie_error_t *err);
/* At most 16 read-only statements in one round trip. HIE_WIRE_TIMEOUT: none
 * was answered and `err` says why; with any other failure each can be run by
 * itself. */
HIE_BLOCKING hie_wire_t
hie_store_run_together(hie_store_t *s, hie_op_t *ops, int n, hie_error_t *err);
/* Statements of a transaction, BEGIN in front of the first. */
HIE_BLOCKING hie_rc_t
hie_store_tx_run(hie_store_tx_t *tx, hie_op_t *ops, int n, hie_error_t *err);
/* The last statements and COMMIT, and its end. */
HIE_BLOCKING hie_rc_t
hie_store_tx_finish(hie_store_tx_t *tx, hie_op_t *ops, int n,
                    hie_error_t *err);
/* Gives its connection back. */
HIE_BLOCKING void
hie_store_tx_end(hie_store_tx_t *tx);
/* The transaction that reads of this thread go through, or NULL. */
hie_store_tx_t *
hie_store_bound(const hie_store_t *s);
HIE_BLOCKING hie_rc_t
hie_store_tx_copy(hie_store_tx_t *tx, const char *sql, hie_str_t data,
                  hie_error_t *err);


/*
 * Visibility.
 */
hie_see_t
hie_visible_see(const hie_visible_t *v);
/* Whether the row under `alias` is visible: an SQL condition that reads
 * alias.patients and, unless all is seen, the bigint[] parameter `param`. */
void
hie_visible_sql(hie_buf_t *b, hie_see_t see, const char *alias, int param);
/* Adds the parameter. */
void
hie_visible_param(hie_params_t *p, const hie_visible_t *v);

/* Makes the statements that do not depend on the call. */
void
hie_read_statements(hie_store_t *s);
void
hie_write_statements(hie_store_t *s);

/* terms.c: what of the labels and terms of `puts` is not known to be there. */
typedef struct {
    int            n_labels;
    hie_array_t    l_key, l_token, l_kind, l_type, l_value;
    hie_params_t   labels;
    int            n_terms;
    hie_array_t    t_key, t_slot, t_value;
    hie_params_t   terms;
} hie_new_terms_t;

void
hie_terms_statements(hie_store_t *s);
void
hie_terms_collect(hie_new_terms_t *w, hie_store_tx_t *tx,
                  const hie_put_t *puts, int n);
void
hie_terms_committed(hie_store_tx_t *tx);

/* binary.c: what hie_store_put does for a Binary. */
hie_rc_t
hie_store_contexts(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                   hie_error_t *err);
hie_rc_t
hie_store_put_content(hie_store_tx_t *tx, const hie_put_t *put,
                      hie_error_t *err);

/* The node's schema as an SQL name; HIE_INVALID if `node` is none. */
hie_rc_t
hie_node_schema(const char *node, apr_pool_t *pool, const char **schema,
                hie_error_t *err);


/*
 * Migrations, generated from sql/.
 */
typedef struct {
    const char  *name;
    const char  *sql;
} hie_store_step_t;

extern const hie_store_step_t  hie_store_steps[];
extern const int               hie_store_n_steps;

/* HIE_UNAVAILABLE with what to do, unless `version` is this library's. */
hie_rc_t
hie_schema_check(int version, hie_error_t *err);

#endif
