/*
 * The pool of connections.
 *
 * As many slots as connections are allowed, each on one of two stacks or with
 * the thread that uses it. Connecting happens outside the lock.
 */

#include "store/private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>


/* After a failed connect nobody tries again for so long: a dead database must
 * not hold the threads that could serve something else. */
#define BACK_OFF  200



int64_t
hie_store_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* By the clock; 0: none. */
static _Thread_local int64_t  thread_deadline;


void
hie_store_deadline(int timeout_ms)
{
    thread_deadline = timeout_ms == 0 ? 0 : hie_store_clock() + timeout_ms;
}


hie_rc_t
hie_store_in_time(hie_error_t *err)
{
    if (thread_deadline == 0 || hie_store_clock() < thread_deadline) {
        return HIE_OK;
    }
    return hie_fail(err, HIE_TIMEOUT, "",
                    "the request took longer than it may");
}


int
hie_store_time_left(void)
{
    int64_t  left;

    if (thread_deadline == 0) {
        return INT_MAX;
    }

    left = thread_deadline - hie_store_clock();
    return left <= 0 ? 0 : left < INT_MAX ? (int) left : INT_MAX;
}


/* When a wait for a connection ends. */
static int64_t
acquire_deadline(const hie_store_t *s)
{
    int64_t  until = hie_store_clock() + s->conf->database.acquire_timeout;

    return thread_deadline != 0 && thread_deadline < until ? thread_deadline
                                                           : until;
}


/* The longest that a statement may take. */
static int
statement_timeout(const hie_config_t *conf)
{
    int  timeout = conf->database.statement_timeout;

    return conf->fhir.timeout > 0 && conf->fhir.timeout < timeout
           ? conf->fhir.timeout : timeout;
}


hie_rc_t
hie_store_open(apr_pool_t *pool, const hie_config_t *conf, hie_store_t **out,
               hie_error_t *err)
{
    hie_store_t         *s = apr_pcalloc(pool, sizeof(*s));
    pthread_condattr_t   attr;
    int                  n = conf->database.connections;
    int                  i;

    *out = NULL;
    if (conf->database.conninfo == NULL || n < 1) {
        return hie_fail(err, HIE_INVALID, "database",
                        "a conninfo and at least one connection are needed");
    }
    if (!PQisthreadsafe()) {
        return hie_fail(err, HIE_INTERNAL, "database",
                        "libpq was built without thread safety");
    }

    s->conf = conf;
    s->pool = pool;
    s->idle = apr_pcalloc(pool, (size_t) n * sizeof(*s->idle));
    s->empty = apr_pcalloc(pool, (size_t) n * sizeof(*s->empty));
    for (i = 0; i < n; i++) {
        s->empty[i] = apr_pcalloc(pool, sizeof(hie_conn_t));
    }
    s->n_empty = n;
    s->known = apr_pcalloc(pool, HIE_KNOWN_TERMS * sizeof(*s->known));

    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->freed, &attr);
    pthread_condattr_destroy(&attr);

    hie_store_stmt(&s->begin, "BEGIN");
    hie_store_stmt(&s->commit, "COMMIT");
    hie_store_stmt(&s->rollback, "ROLLBACK");
    hie_read_statements(s);
    hie_write_statements(s);

    *out = s;
    return HIE_OK;
}


static void
ignore_notice(void *arg, const PGresult *res)
{
}


static PGconn *
connect_server(const hie_config_t *conf)
{
    char        timeout[16];
    /* What stands before dbname can be changed by the conninfo, what stands
     * behind it cannot. */
    const char *const  keys[] = {
        "application_name", "gssencmode", "connect_timeout", "keepalives",
        "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "dbname", "client_encoding", NULL
    };
    const char *const  values[] = {
        "hie", "disable", "2", "1",
        "10", "5", "3",
        timeout, conf->database.conninfo, "UTF8", NULL
    };

    apr_snprintf(timeout, sizeof(timeout), "%d",
                 conf->database.statement_timeout + 1000);

    return PQconnectdbParams(keys, values, 1);
}


/*
 * Settings of the session. All statements are look-ups by an index with a
 * plan that does not depend on the values, so planning again for each value
 * is a loss, and a sequential scan, a merge over a whole index or a compiled
 * expression is a plan that was made for an empty or a small table. Parallel
 * workers cost more to start than a look-up, and other requests need the
 * cores; what is looked up is mostly in memory, hence the cost of a page.
 * Whoever has given a connection up does not want what still runs on it.
 */
static hie_rc_t
set_up_session(hie_store_t *s, hie_conn_t *c, bool check, hie_error_t *err)
{
    int         timeout = statement_timeout(s->conf);
    char        sql[640];
    PGresult   *res;
    hie_rc_t    rc = HIE_OK;
    int         version = 0;

    apr_snprintf(sql, sizeof(sql),
        "SET search_path = pg_catalog, pg_temp;"
        "SET client_min_messages = error;"
        "SET statement_timeout = %d;"
        "SET lock_timeout = %d;"
        "SET idle_in_transaction_session_timeout = %d;"
        "SET client_connection_check_interval = 1000;"
        "SET plan_cache_mode = force_generic_plan;"
        "SET enable_seqscan = off;"
        "SET enable_mergejoin = off;"
        "SET jit = off;"
        "SET max_parallel_workers_per_gather = 0;"
        "SET random_page_cost = 1.1;"
        "SELECT to_regclass('hie.schema_version') IS NULL",
        timeout, timeout / 2 + 1, timeout * 2 + 30000);
    c->timeout = timeout;

    if (hie_wire_text(c, sql, timeout, &res, &rc, err) != HIE_WIRE_OK) {
        return rc;
    }
    if (check && strcmp(PQgetvalue(res, 0, 0), "f") == 0) {
        PQclear(res);
        if (hie_wire_text(c, "SELECT max(version) FROM hie.schema_version",
                          timeout, &res, &rc, err) != HIE_WIRE_OK)
        {
            return rc;
        }
        version = atoi(PQgetvalue(res, 0, 0));
    }
    PQclear(res);

    return check ? hie_schema_check(version, err) : HIE_OK;
}


static void
disconnect(hie_conn_t *c)
{
    PQfinish(c->pg);
    memset(c, 0, sizeof(*c));
}


static hie_rc_t
open_connection(hie_store_t *s, hie_conn_t *c, bool check, hie_error_t *err)
{
    hie_rc_t  rc;

    memset(c, 0, sizeof(*c));
    c->pg = connect_server(s->conf);

    if (PQstatus(c->pg) != CONNECTION_OK) {
        hie_log(HIE_LOG_WARN, "HIE3003", "no connection to the database: %s",
                PQerrorMessage(c->pg));
        rc = hie_fail(err, HIE_UNAVAILABLE, "",
                      "the database cannot be reached");
    } else {
        PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
        PQsetnonblocking(c->pg, 1);
        rc = set_up_session(s, c, check, err);
        if (rc == HIE_INTERNAL) {
            rc = hie_fail(err, HIE_UNAVAILABLE, "",
                          "the database refused to set up the session");
        }
    }

    if (rc != HIE_OK) {
        disconnect(c);
    }
    return rc;
}


/* Turns an empty slot, which the caller took, into a connection. */
static hie_rc_t
fill_slot(hie_store_t *s, hie_conn_t *c, bool check, hie_error_t *err)
{
    hie_rc_t  rc;

    rc = open_connection(s, c, check, err);

    pthread_mutex_lock(&s->lock);
    if (rc == HIE_OK) {
        c->generation = s->generation;
        s->checked = true;
    } else {
        s->refuse_until = hie_store_clock() + BACK_OFF;
        s->empty[s->n_empty++] = c;
        pthread_cond_signal(&s->freed);
    }
    pthread_mutex_unlock(&s->lock);

    return rc;
}


/* With the lock held: waits for a slot until the deadline. */
static bool
wait_freed(hie_store_t *s, int64_t deadline)
{
    struct timespec  ts = {
        .tv_sec = (time_t) (deadline / 1000),
        .tv_nsec = (long) (deadline % 1000) * 1000000
    };

    while (s->n_idle == 0 && s->n_empty == 0) {
        if (pthread_cond_timedwait(&s->freed, &s->lock, &ts) == ETIMEDOUT) {
            return s->n_idle > 0 || s->n_empty > 0;
        }
    }
    return true;
}


/* What searches ask for changes with those who ask. A connection that has had
 * no room for many a statement starts anew. */
static void
forget_statements(hie_store_t *s, hie_conn_t *c)
{
    PGresult  *res;
    hie_rc_t   rc;

    c->n_strangers = 0;
    if (hie_wire_text(c, "DEALLOCATE ALL",
                      s->conf->database.statement_timeout, &res, &rc, NULL)
        == HIE_WIRE_OK)
    {
        PQclear(res);
        memset(c->prepared, 0, sizeof(c->prepared));
        c->n_prepared = 0;
    }
}


hie_rc_t
hie_store_acquire(hie_store_t *s, bool fresh, hie_conn_t **out,
                  hie_error_t *err)
{
    hie_conn_t  *c = NULL;
    bool         check, ready;

    *out = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->n_idle == 0 && s->n_empty == 0
        && !wait_freed(s, acquire_deadline(s)))
    {
        pthread_mutex_unlock(&s->lock);
        return hie_fail(err, HIE_BUSY, "",
                        "no database connection became free in time");
    }

    if (s->n_idle > 0 && !(fresh && s->n_empty > 0)) {
        c = s->idle[--s->n_idle];
        ready = !fresh && c->generation == s->generation;
    } else {
        ready = false;
    }

    if (!ready && hie_store_clock() < s->refuse_until) {
        if (c != NULL) {
            s->idle[s->n_idle++] = c;
        }
        pthread_cond_signal(&s->freed);
        pthread_mutex_unlock(&s->lock);
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the database could not be reached a moment ago");
    }
    if (c == NULL) {
        c = s->empty[--s->n_empty];
    }
    check = !s->checked;
    pthread_mutex_unlock(&s->lock);

    if (!ready) {
        hie_rc_t  rc;

        if (c->pg != NULL) {
            disconnect(c);
        }
        rc = fill_slot(s, c, check, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    if (c->n_strangers >= HIE_PREPARED_MAX) {
        forget_statements(s, c);
    }
    *out = c;
    return HIE_OK;
}


void
hie_store_release(hie_store_t *s, hie_conn_t *c)
{
    bool  lost = PQstatus(c->pg) == CONNECTION_BAD;
    bool  drop = lost || c->broken
                 || PQtransactionStatus(c->pg) != PQTRANS_IDLE;

    if (drop) {
        unsigned  generation = c->generation;

        disconnect(c);
        c->generation = generation;
    }

    pthread_mutex_lock(&s->lock);
    if (drop) {
        /* What closed this one has probably closed the others of its time. */
        if (lost && c->generation == s->generation) {
            s->generation++;
        }
        s->empty[s->n_empty++] = c;
    } else {
        s->idle[s->n_idle++] = c;
    }
    pthread_cond_signal(&s->freed);
    pthread_mutex_unlock(&s->lock);
}


static void
prepare_common(hie_store_t *s, hie_conn_t *c)
{
    hie_see_t           see = s->conf->consent.default_permit
                              ? HIE_SEE_PERMIT : HIE_SEE_DENY;
    const hie_stmt_t   *stmts[] = {
        &s->read[HIE_SEE_ALL], &s->read[see], &s->current[HIE_ROW_CHANGE][see],
        &s->begin,
        &s->commit, &s->create, &s->update
    };
    hie_rc_t            rc;

    hie_wire_prepare(c, stmts, (int) (sizeof(stmts) / sizeof(stmts[0])),
                     s->conf->database.statement_timeout, &rc, NULL);
}


/* Some resource to read, if there is one. What is compared here makes the
 * backend look up the types and operators of the predicate. */
static void
pick_row(hie_store_t *s, hie_conn_t *c, apr_pool_t *scratch, hie_str_t *type,
         hie_str_t *id)
{
    PGresult  *res;
    hie_rc_t   rc;

    *type = HIE_STR("Patient");
    *id = HIE_STR("-");
    if (hie_wire_text(c, "SELECT r.type, r.id, length(r.body),"
                      " r.patients && '{1}'::bigint[],"
                      " '{1}'::bigint[] && r.patients"
                      " FROM hie.resource r WHERE r.owner IS NULL LIMIT 1",
                      s->conf->database.statement_timeout, &res, &rc, NULL)
        != HIE_WIRE_OK)
    {
        return;
    }
    if (PQntuples(res) == 1) {
        *type = hie_str(apr_pstrdup(scratch, PQgetvalue(res, 0, 0)));
        *id = hie_str(apr_pstrdup(scratch, PQgetvalue(res, 0, 1)));
    }
    PQclear(res);
}


/* A backend makes its plans and opens tables and indexes at the first
 * execution of a statement: before somebody waits for it. */
static void
read_once(hie_store_t *s, hie_conn_t *c, apr_pool_t *scratch)
{
    static const uint64_t  nobody = 0;
    hie_str_t              type, id;
    hie_visible_t          all = { .all = true };
    hie_visible_t          some = {
        .default_permit = s->conf->consent.default_permit, .n_actors = 1,
        .actors = &nobody
    };
    const hie_visible_t   *seen[] = { &all, &some };
    hie_params_t           params[2];
    hie_op_t               ops[2];
    hie_rc_t               rc;
    int                    i;

    pick_row(s, c, scratch, &type, &id);
    for (i = 0; i < 2; i++) {
        hie_params_init(&params[i], scratch);
        hie_params_row(&params[i], type, id);
        hie_visible_param(&params[i], seen[i]);
        ops[i] = (hie_op_t) {
            &s->read[hie_visible_see(seen[i])], &params[i], NULL
        };
    }
    if (hie_wire_run(c, ops, 2, s->conf->database.statement_timeout, &rc,
                     NULL) == HIE_WIRE_OK)
    {
        PQclear(ops[0].res);
        PQclear(ops[1].res);
    }
}


void
hie_store_warm(hie_store_t *s, int n, int timeout_ms)
{
    int64_t       deadline = hie_store_clock() + timeout_ms;
    apr_pool_t   *scratch;
    hie_conn_t  **held;
    int           i;

    HIE_ASSERT_MAY_BLOCK();

    if (n > s->conf->database.connections) {
        n = s->conf->database.connections;
    }
    scratch = hie_pool_create(NULL, "store warm");
    held = apr_pcalloc(scratch, (size_t) (n > 0 ? n : 1) * sizeof(*held));

    for (i = 0; i < n && hie_store_clock() < deadline; i++) {
        if (hie_store_acquire(s, false, &held[i], NULL) != HIE_OK) {
            break;
        }
        prepare_common(s, held[i]);
        read_once(s, held[i], scratch);
    }
    while (i-- > 0) {
        hie_store_release(s, held[i]);
    }

    apr_pool_destroy(scratch);
}


hie_rc_t
hie_store_ping(hie_store_t *s, hie_error_t *err)
{
    apr_pool_t  *scratch;
    hie_stmt_t   st;
    PGresult    *res;
    hie_rc_t     rc;

    HIE_ASSERT_MAY_BLOCK();

    scratch = hie_pool_create(NULL, "store ping");
    hie_store_stmt(&st, "SELECT max(version) FROM hie.schema_version");
    rc = hie_store_query(s, &st, NULL, &res, err);
    if (rc == HIE_OK) {
        rc = hie_schema_check((int) hie_result_i64(res, 0, 0), err);
        PQclear(res);
    }
    apr_pool_destroy(scratch);

    return rc;
}


void
hie_store_close(hie_store_t *s)
{
    HIE_ASSERT_MAY_BLOCK();

    while (s->n_idle > 0) {
        disconnect(s->idle[--s->n_idle]);
    }
    pthread_cond_destroy(&s->freed);
    pthread_mutex_destroy(&s->lock);
}
