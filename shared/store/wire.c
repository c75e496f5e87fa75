/*
 * Statements on the wire. The connection is non-blocking underneath, so that
 * a database that hangs costs the time-out and not the thread: a time-out of
 * the server's own does not help when the server is frozen or unreachable.
 */

#include "store/private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <apr_strings.h>


/* What the server needs to cancel a statement by itself and to say so. */
#define GRACE       1000
#define GRACE_LATE  250

/* A statement may end after the request's time by this part of what the
 * session allows: then nothing has to be said to the server. */
#define SLACK(c)  ((c)->timeout / 16)


/* When a wait for the server ends. */
static int64_t
wire_deadline(const hie_conn_t *c, int timeout_ms)
{
    int  left = hie_store_time_left();

    return hie_store_clock()
           + (left < timeout_ms ? left + SLACK(c) + GRACE_LATE
                                : timeout_ms + GRACE);
}


/* Waits until a result can be had, or the connection is lost; the output is
 * sent on the way. False: the time is over. */
static bool
wire_wait(hie_conn_t *c, int64_t deadline)
{
    struct pollfd  pfd;
    int            unsent, rv;
    int64_t        left;

    for (;;) {
        unsent = PQflush(c->pg);
        if (unsent <= 0 && !PQisBusy(c->pg)) {
            return true;
        }

        left = deadline - hie_store_clock();
        if (left <= 0) {
            return false;
        }

        pfd.fd = PQsocket(c->pg);
        if (pfd.fd < 0) {
            return true;
        }
        pfd.events = (short) (unsent > 0 ? POLLIN | POLLOUT : POLLIN);
        pfd.revents = 0;

        rv = poll(&pfd, 1, (int) left);
        if (rv < 0 && errno != EINTR) {
            return true;
        }
        if (rv > 0 && (pfd.revents & ~POLLOUT) && !PQconsumeInput(c->pg)) {
            return true;
        }
    }
}


static size_t
prepared_slot(const hie_conn_t *c, uint64_t key)
{
    size_t  i = key & (HIE_PREPARED_SLOTS - 1);

    while (c->prepared[i] != 0 && c->prepared[i] != key) {
        i = (i + 1) & (HIE_PREPARED_SLOTS - 1);
    }
    return i;
}


static bool
is_prepared(const hie_conn_t *c, const hie_stmt_t *st)
{
    return c->prepared[prepared_slot(c, st->key)] != 0;
}


static void
set_prepared(hie_conn_t *c, const hie_stmt_t *st)
{
    size_t  i = prepared_slot(c, st->key);

    if (c->prepared[i] == 0) {
        c->prepared[i] = st->key;
        c->n_prepared++;
    }
}


static bool
is_state(const char *state, const char *code)
{
    return strncmp(state, code, strlen(code)) == 0;
}


/* SQLSTATEs: PostgreSQL 15 documentation, appendix A. */
static hie_rc_t
state_result(const char *state, hie_error_t *err)
{
    if (is_state(state, "40001") || is_state(state, "40P01")
        || is_state(state, "23505"))
    {
        return hie_fail(err, HIE_CONFLICT, "",
                        "another transaction changed the same data");
    }
    if (is_state(state, "57014") || is_state(state, "55P03")) {
        return hie_fail(err, HIE_TIMEOUT, "",
                        "the database could not do this in time");
    }
    if (is_state(state, "53") || is_state(state, "25P03")) {
        return hie_fail(err, HIE_BUSY, "",
                        "the database has no capacity for this now");
    }
    if (is_state(state, "22021") || is_state(state, "22P05")) {
        return hie_fail(err, HIE_INVALID, "",
                        "a character that cannot be stored");
    }
    if (is_state(state, "08") || is_state(state, "57P")
        || is_state(state, "25006"))
    {
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the database does not answer");
    }
    return hie_fail(err, HIE_INTERNAL, "", "a database statement failed");
}


static const char *
result_field(const PGresult *res, int field)
{
    const char  *value = res != NULL ? PQresultErrorField(res, field) : NULL;

    return value != NULL ? value : "";
}


/* Names of the schema may be logged, the message may not: it can quote
 * values. */
static hie_wire_t
wire_error(hie_conn_t *c, const PGresult *res, const char *name, hie_rc_t *rc,
           hie_error_t *err)
{
    const char  *state = result_field(res, PG_DIAG_SQLSTATE);

    if (PQstatus(c->pg) == CONNECTION_BAD) {
        c->broken = true;
        *rc = hie_fail(err, HIE_UNAVAILABLE, "",
                       "the connection to the database was lost");
        return HIE_WIRE_LOST;
    }

    c->lock_timeout = is_state(state, "55P03");
    c->duplicate = is_state(state, "23505");
    *rc = state_result(state, err);
    hie_log(*rc == HIE_INTERNAL ? HIE_LOG_ERROR : HIE_LOG_INFO, "HIE3001",
            "statement %s failed: SQLSTATE %s, table \"%s\", constraint "
            "\"%s\", %s", name, state,
            result_field(res, PG_DIAG_TABLE_NAME),
            result_field(res, PG_DIAG_CONSTRAINT_NAME),
            result_field(res, PG_DIAG_SOURCE_FUNCTION));

    /* The statement vanished (a pooler in between) or its result type
     * changed (a migration). */
    if (is_state(state, "26000") || is_state(state, "0A000")) {
        c->broken = true;
        return HIE_WIRE_STALE;
    }
    return HIE_WIRE_ERROR;
}


static hie_wire_t
wire_timeout(hie_conn_t *c, hie_rc_t *rc, hie_error_t *err)
{
    c->broken = true;
    *rc = hie_store_in_time(err);
    if (*rc == HIE_OK) {
        *rc = hie_fail(err, HIE_UNAVAILABLE, "",
                       "the database did not answer in time");
    }
    hie_log(HIE_LOG_WARN, "HIE3002", "the database did not answer in time, "
            "the connection is given up");
    return HIE_WIRE_TIMEOUT;
}


static bool
is_good(const PGresult *res)
{
    ExecStatusType  status = PQresultStatus(res);

    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}


/* The next result of a command and the end of the command behind it. */
static hie_wire_t
take_result(hie_conn_t *c, const char *name, int64_t deadline,
            PGresult **out, hie_rc_t *rc, hie_error_t *err)
{
    PGresult    *res, *more;
    hie_wire_t   wire = HIE_WIRE_OK;

    *out = NULL;
    if (!wire_wait(c, deadline)) {
        return wire_timeout(c, rc, err);
    }
    res = PQgetResult(c->pg);

    for (;;) {
        if (!wire_wait(c, deadline)) {
            PQclear(res);
            return wire_timeout(c, rc, err);
        }
        more = PQgetResult(c->pg);
        if (more == NULL) {
            break;
        }
        PQclear(more);
    }

    if (!is_good(res)) {
        wire = wire_error(c, res, name, rc, err);
        PQclear(res);
        return wire;
    }

    *out = res;
    return HIE_WIRE_OK;
}


#define EIGHT       1, 1, 1, 1, 1, 1, 1, 1
#define SIXTY_FOUR  EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT

static const int  all_binary[HIE_PARAMS_MAX] = {
    SIXTY_FOUR, SIXTY_FOUR, SIXTY_FOUR, SIXTY_FOUR,
    SIXTY_FOUR, SIXTY_FOUR, SIXTY_FOUR, SIXTY_FOUR
};


static bool
send_op(hie_conn_t *c, const hie_op_t *op, bool prepared)
{
    static const hie_params_t  none;
    const hie_params_t        *p = op->params != NULL ? op->params : &none;

    if (!prepared) {
        return PQsendQueryParams(c->pg, op->stmt->sql, p->n, NULL, p->value,
                                 p->length, all_binary, 1) == 1;
    }
    return PQsendQueryPrepared(c->pg, op->stmt->name, p->n, p->value,
                               p->length, all_binary, 1) == 1;
}


/* Statements beyond what a connection remembers go unprepared. */
static bool
wants_prepare(const hie_conn_t *c, const hie_stmt_t *st)
{
    return !is_prepared(c, st) && c->n_prepared < HIE_PREPARED_MAX;
}


/* Is it prepared, or will be by one of the statements before it? */
static bool
will_be_prepared(const hie_conn_t *c, const hie_op_t *ops, int i,
                 const bool *prepares)
{
    int  j;

    for (j = 0; j < i; j++) {
        if (prepares[j] && ops[j].stmt->key == ops[i].stmt->key) {
            return true;
        }
    }
    return is_prepared(c, ops[i].stmt);
}


static bool
wire_send(hie_conn_t *c, hie_op_t *ops, int n, bool *prepares)
{
    bool  prepared;
    int   i;

    for (i = 0; i < n; i++) {
        prepared = will_be_prepared(c, ops, i, prepares);
        prepares[i] = !prepared && wants_prepare(c, ops[i].stmt);
        if (prepares[i]
            && PQsendPrepare(c->pg, ops[i].stmt->name, ops[i].stmt->sql, 0,
                             NULL) != 1)
        {
            return false;
        }
        c->n_strangers += !prepared && !prepares[i];
        if (!send_op(c, &ops[i], prepared || prepares[i])) {
            return false;
        }
    }
    return PQpipelineSync(c->pg) == 1;
}


/* After an error the server skips to the synchronisation point, and so does
 * this; the first error is the one that counts. */
static hie_wire_t
wire_collect(hie_conn_t *c, hie_op_t *ops, int n, const bool *prepares,
             int64_t deadline, hie_rc_t *rc, hie_error_t *err)
{
    hie_wire_t   wire = HIE_WIRE_OK;
    PGresult    *res;
    bool         end;
    int          i;

    for (i = 0; i < n && wire == HIE_WIRE_OK; i++) {
        if (prepares[i]) {
            wire = take_result(c, ops[i].stmt->name, deadline, &res, rc, err);
            if (wire != HIE_WIRE_OK) {
                break;
            }
            PQclear(res);
            set_prepared(c, ops[i].stmt);
        }
        wire = take_result(c, ops[i].stmt->name, deadline, &ops[i].res, rc,
                           err);
    }

    while (wire == HIE_WIRE_OK || wire == HIE_WIRE_ERROR
           || wire == HIE_WIRE_STALE)
    {
        if (!wire_wait(c, deadline)) {
            return wire_timeout(c, rc, err);
        }
        res = PQgetResult(c->pg);
        end = PQresultStatus(res) == PGRES_PIPELINE_SYNC;
        PQclear(res);
        if (end) {
            break;
        }
        if (PQstatus(c->pg) == CONNECTION_BAD) {
            return wire_error(c, NULL, "", rc, err);
        }
    }
    return wire;
}


#define OPS_MAX  16

static hie_wire_t
run_pipeline(hie_conn_t *c, hie_op_t *ops, int n, int64_t deadline,
             hie_rc_t *rc, hie_error_t *err)
{
    bool        prepares[OPS_MAX + 1];
    hie_wire_t  wire;

    if (PQenterPipelineMode(c->pg) != 1 || !wire_send(c, ops, n, prepares)) {
        c->broken = true;
        return wire_error(c, NULL, ops[0].stmt->name, rc, err);
    }

    wire = wire_collect(c, ops, n, prepares, deadline, rc, err);

    if (!c->broken && PQexitPipelineMode(c->pg) != 1) {
        c->broken = true;
    }
    return wire;
}


static void
clear_results(hie_op_t *ops, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        PQclear(ops[i].res);
        ops[i].res = NULL;
    }
}


/* Is less left of the request's time than the session allows a statement? In a
 * transaction that has failed nothing can be said any more. */
static bool
is_late(const hie_conn_t *c)
{
    return hie_store_time_left() < c->timeout - SLACK(c)
           && PQtransactionStatus(c->pg) != PQTRANS_INERROR;
}


/* What is left becomes the time-out of the transaction's statements, said in
 * the same round trip. */
static hie_wire_t
run_late(hie_conn_t *c, hie_op_t *ops, int n, int64_t deadline, hie_rc_t *rc,
         hie_error_t *err)
{
    int           left = hie_store_time_left();
    char          text[16];
    hie_op_t      all[OPS_MAX + 1];
    hie_stmt_t    limit;
    hie_wire_t    wire;
    hie_params_t  params;

    apr_snprintf(text, sizeof(text), "%d", left > 10 ? left : 10);
    hie_params_init(&params, NULL);
    hie_params_str(&params, hie_str(text));
    hie_store_stmt(&limit, "SELECT set_config('statement_timeout', $1::text,"
                   " true)");
    all[0] = (hie_op_t) { &limit, &params, NULL };
    memcpy(all + 1, ops, (size_t) n * sizeof(*ops));

    wire = run_pipeline(c, all, n + 1, deadline, rc, err);
    if (wire != HIE_WIRE_OK) {
        clear_results(all, n + 1);
        return wire;
    }

    PQclear(all[0].res);
    memcpy(ops, all + 1, (size_t) n * sizeof(*ops));
    return HIE_WIRE_OK;
}


hie_wire_t
hie_wire_run(hie_conn_t *c, hie_op_t *ops, int n, int timeout_ms,
             hie_rc_t *rc, hie_error_t *err)
{
    int64_t     deadline = wire_deadline(c, timeout_ms);
    hie_wire_t  wire;
    int         i;

    if (n > OPS_MAX) {
        *rc = hie_fail(err, HIE_INTERNAL, "", "too many statements at once");
        return HIE_WIRE_ERROR;
    }
    for (i = 0; i < n; i++) {
        ops[i].res = NULL;
    }

    if (is_late(c)) {
        return run_late(c, ops, n, deadline, rc, err);
    }

    if (n == 1 && !wants_prepare(c, ops[0].stmt)) {
        if (!send_op(c, &ops[0], is_prepared(c, ops[0].stmt))) {
            c->broken = true;
            return wire_error(c, NULL, ops[0].stmt->name, rc, err);
        }
        return take_result(c, ops[0].stmt->name, deadline, &ops[0].res, rc,
                           err);
    }

    wire = run_pipeline(c, ops, n, deadline, rc, err);
    if (wire != HIE_WIRE_OK) {
        clear_results(ops, n);
    }
    return wire;
}


hie_wire_t
hie_wire_text(hie_conn_t *c, const char *sql, int timeout_ms, PGresult **res,
              hie_rc_t *rc, hie_error_t *err)
{
    int64_t      deadline = wire_deadline(c, timeout_ms);
    PGresult    *last = NULL;
    PGresult    *more;
    hie_wire_t   wire;

    *res = NULL;
    if (PQsendQuery(c->pg, sql) != 1) {
        c->broken = true;
        return wire_error(c, NULL, "text", rc, err);
    }

    for (;;) {
        if (!wire_wait(c, deadline)) {
            PQclear(last);
            return wire_timeout(c, rc, err);
        }
        more = PQgetResult(c->pg);
        if (more == NULL) {
            break;
        }
        PQclear(last);
        last = more;
    }

    if (!is_good(last)) {
        wire = wire_error(c, last, "text", rc, err);
        PQclear(last);
        return wire;
    }
    *res = last;
    return HIE_WIRE_OK;
}


/* The answer to COPY … FROM STDIN: the server is ready, or says why not. */
static hie_wire_t
copy_begins(hie_conn_t *c, int64_t deadline, hie_rc_t *rc, hie_error_t *err)
{
    PGresult    *res;
    hie_wire_t   wire = HIE_WIRE_OK;

    if (!wire_wait(c, deadline)) {
        return wire_timeout(c, rc, err);
    }
    res = PQgetResult(c->pg);
    if (PQresultStatus(res) != PGRES_COPY_IN) {
        wire = wire_error(c, res, "copy", rc, err);
        while (wire != HIE_WIRE_LOST && res != NULL) {
            PQclear(res);
            if (!wire_wait(c, deadline)) {
                return wire_timeout(c, rc, err);
            }
            res = PQgetResult(c->pg);
        }
    }
    PQclear(res);

    return wire;
}


#define CHUNK  65536

hie_wire_t
hie_wire_copy(hie_conn_t *c, const char *sql, hie_str_t data, int timeout_ms,
              hie_rc_t *rc, hie_error_t *err)
{
    int64_t      deadline = wire_deadline(c, timeout_ms);
    PGresult    *res;
    hie_wire_t   wire;
    size_t       n;
    int          taken;

    if (PQsendQuery(c->pg, sql) != 1) {
        c->broken = true;
        return wire_error(c, NULL, "copy", rc, err);
    }
    wire = copy_begins(c, deadline, rc, err);
    if (wire != HIE_WIRE_OK) {
        return wire;
    }

    while (data.len > 0) {
        n = data.len < CHUNK ? data.len : CHUNK;
        taken = PQputCopyData(c->pg, data.ptr, (int) n);
        if (taken < 0) {
            c->broken = true;
            return wire_error(c, NULL, "copy", rc, err);
        }
        if (taken == 0) {
            if (!wire_wait(c, deadline)) {
                return wire_timeout(c, rc, err);
            }
            continue;
        }
        data.ptr += n;
        data.len -= n;
    }

    if (PQputCopyEnd(c->pg, NULL) < 0) {
        c->broken = true;
        return wire_error(c, NULL, "copy", rc, err);
    }
    wire = take_result(c, "copy", deadline, &res, rc, err);
    if (wire == HIE_WIRE_OK) {
        PQclear(res);
    }
    return wire;
}


hie_wire_t
hie_wire_prepare(hie_conn_t *c, const hie_stmt_t *const *stmts, int n,
                 int timeout_ms, hie_rc_t *rc, hie_error_t *err)
{
    int64_t      deadline = wire_deadline(c, timeout_ms);
    PGresult    *res;
    hie_wire_t   wire = HIE_WIRE_OK;
    int          i;

    for (i = 0; i < n && wire == HIE_WIRE_OK; i++) {
        if (!wants_prepare(c, stmts[i])) {
            continue;
        }
        if (PQsendPrepare(c->pg, stmts[i]->name, stmts[i]->sql, 0, NULL) != 1)
        {
            c->broken = true;
            return wire_error(c, NULL, stmts[i]->name, rc, err);
        }
        wire = take_result(c, stmts[i]->name, deadline, &res, rc, err);
        if (wire == HIE_WIRE_OK) {
            set_prepared(c, stmts[i]);
            PQclear(res);
        }
    }
    return wire;
}


/* What is set for a transaction ends with it, and up to the synchronisation
 * point the statements are one. */
static const char  budget_sql[] =
    "SELECT set_config('statement_timeout', $1::text, true)";

#define TOGETHER  4


static hie_wire_t
run_within(hie_store_t *s, hie_conn_t *c, hie_op_t *ops, int n, int budget,
           hie_rc_t *rc, hie_error_t *err)
{
    hie_op_t      all[TOGETHER + 1];
    hie_params_t  params;
    hie_stmt_t    st;
    hie_wire_t    wire;
    char          text[16];
    int           timeout = s->conf->database.statement_timeout;

    if (budget <= 0 || budget >= timeout) {
        return hie_wire_run(c, ops, n, timeout, rc, err);
    }

    apr_snprintf(text, sizeof(text), "%d", budget);
    hie_params_init(&params, NULL);
    hie_params_str(&params, hie_str(text));
    hie_store_stmt(&st, budget_sql);
    all[0] = (hie_op_t) { &st, &params, NULL };
    memcpy(all + 1, ops, sizeof(*ops) * (size_t) n);
    wire = hie_wire_run(c, all, n + 1, timeout, rc, err);
    if (wire == HIE_WIRE_OK) {
        PQclear(all[0].res);
        memcpy(ops, all + 1, sizeof(*ops) * (size_t) n);
    }
    return wire;
}


hie_rc_t
hie_store_queries(hie_store_t *s, hie_op_t *ops, int n, int budget,
                  hie_error_t *err)
{
    hie_conn_t  *c;
    hie_wire_t   wire;
    hie_rc_t     rc;
    bool         again = false;

    if (hie_store_bound(s) != NULL) {
        return hie_store_tx_run(hie_store_bound(s), ops, n, err);
    }
    for (;;) {
        rc = hie_store_in_time(err);
        if (rc != HIE_OK) {
            return rc;
        }
        rc = hie_store_acquire(s, again, &c, err);
        if (rc != HIE_OK) {
            return rc;
        }
        wire = run_within(s, c, ops, n, budget, &rc, err);
        hie_store_release(s, c);

        if (wire == HIE_WIRE_OK) {
            return HIE_OK;
        }
        if (again || (wire != HIE_WIRE_LOST && wire != HIE_WIRE_STALE)) {
            return rc;
        }
        again = true;
    }
}


hie_rc_t
hie_store_query(hie_store_t *s, const hie_stmt_t *st, const hie_params_t *p,
                PGresult **res, hie_error_t *err)
{
    hie_op_t  op = { st, p, NULL };
    hie_rc_t  rc = hie_store_queries(s, &op, 1, 0, err);

    *res = op.res;
    return rc;
}


hie_wire_t
hie_store_run_together(hie_store_t *s, hie_op_t *ops, int n, hie_error_t *err)
{
    hie_conn_t  *c;
    hie_wire_t   wire;
    hie_rc_t     rc;

    if (hie_store_bound(s) != NULL) {
        return HIE_WIRE_ERROR;           /* one by one */
    }
    if (hie_store_acquire(s, false, &c, err) != HIE_OK) {
        return HIE_WIRE_TIMEOUT;
    }
    wire = hie_wire_run(c, ops, n, s->conf->database.statement_timeout, &rc,
                        err);
    hie_store_release(s, c);

    /* What took too long for all takes too long for each. */
    return wire == HIE_WIRE_ERROR && (rc == HIE_BUSY || rc == HIE_TIMEOUT)
           ? HIE_WIRE_TIMEOUT : wire;
}


hie_rc_t
hie_store_tx_copy(hie_store_tx_t *tx, const char *sql, hie_str_t data,
                  hie_error_t *err)
{
    hie_rc_t  rc;

    if (!tx->begun) {
        rc = hie_store_tx_run(tx, NULL, 0, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }
    if (tx->conn == NULL) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "the transaction was lost");
    }
    if (hie_wire_copy(tx->conn, sql, data,
                      tx->store->conf->database.statement_timeout, &rc, err)
        != HIE_WIRE_OK)
    {
        return rc;
    }
    return HIE_OK;
}


/* Who waited for another transaction too long has lost against it. */
static hie_rc_t
lost_to(const hie_conn_t *c, hie_rc_t rc, hie_error_t *err)
{
    return rc == HIE_TIMEOUT && c->lock_timeout
           ? hie_fail(err, HIE_CONFLICT, "",
                      "another transaction keeps the same data")
           : rc;
}


/* Nothing is committed before COMMIT is sent: the first statements can go to
 * another connection when the one that was idle is dead. */
hie_rc_t
hie_store_tx_run(hie_store_tx_t *tx, hie_op_t *ops, int n, hie_error_t *err)
{
    hie_store_t  *s = tx->store;
    hie_op_t      all[OPS_MAX];
    hie_wire_t    wire;
    hie_rc_t      rc;
    bool          again = false;

    rc = hie_store_in_time(err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (tx->begun) {
        if (tx->conn == NULL) {
            return hie_fail(err, HIE_UNAVAILABLE, "",
                            "the transaction was lost");
        }
        wire = hie_wire_run(tx->conn, ops, n,
                            s->conf->database.statement_timeout, &rc, err);
        return wire == HIE_WIRE_OK ? HIE_OK : lost_to(tx->conn, rc, err);
    }

    if (n >= OPS_MAX) {
        return hie_fail(err, HIE_INTERNAL, "", "too many statements at once");
    }
    all[0] = (hie_op_t) { &s->begin, NULL, NULL };
    if (n > 0) {
        memcpy(all + 1, ops, (size_t) n * sizeof(*ops));
    }
    tx->begun = true;

    for (;;) {
        wire = hie_wire_run(tx->conn, all, n + 1,
                            s->conf->database.statement_timeout, &rc, err);
        if (wire == HIE_WIRE_OK) {
            PQclear(all[0].res);
            if (n > 0) {
                memcpy(ops, all + 1, (size_t) n * sizeof(*ops));
            }
            return HIE_OK;
        }
        if (again || (wire != HIE_WIRE_LOST && wire != HIE_WIRE_STALE)) {
            return lost_to(tx->conn, rc, err);
        }

        again = true;
        hie_store_release(s, tx->conn);
        tx->conn = NULL;
        rc = hie_store_acquire(s, true, &tx->conn, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }
}
