/*
 * Transactions, and what is written in them.
 */

#include "store/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


/*
 * Arrays of arrays do not exist in PostgreSQL (only matrices): the keys of
 * all rows stand in one array, with the end of each row's part beside it.
 */
#define PART(array, from, to)                                                 \
    "(" array "::bigint[])[" from " + 1 : " to "]"

static const char  create_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT nextval('hie.resource_rid') AS rid, u.*"
    " FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[],"
    " $5::int[], $6::int[], $7::int[], $8::int[])"
    " AS u(type, id, updated, body, p0, p1, t0, t1)), "
    "w AS (INSERT INTO hie.resource"
    " (rid, version, updated, deleted, type, id, patients, tokens, body)"
    " SELECT d.rid, 1, d.updated, false, d.type, d.id,"
    " " PART("$9", "d.p0", "d.p1") ", " PART("$10", "d.t0", "d.t1") ", d.body"
    " FROM d), "
    "a AS (SELECT array_agg(d.rid) AS rids FROM d), "
    "t AS (INSERT INTO hie.resource_string (rid, type, param, value)"
    " SELECT (SELECT a.rids FROM a)[s.ord], s.type, s.param, s.value"
    " FROM unnest($11::int[], $12::text[], $13::text[], $14::text[])"
    " AS s(ord, type, param, value)) "
    "SELECT count(*) FROM d";

static const char  update_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT u.*"
    " FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[],"
    " $5::int[], $6::int[], $7::int[], $8::int[], $15::bigint[])"
    " WITH ORDINALITY"
    " AS u(type, id, updated, body, p0, p1, t0, t1, version, ord)), "
    "h AS (INSERT INTO hie.resource_history"
    " (version, updated, deleted, type, id, patients, body)"
    " SELECT r.version, r.updated, r.deleted, r.type, r.id, r.patients, r.body"
    " FROM d JOIN hie.resource r ON r.type = d.type AND r.id = d.id"
    " AND r.version = d.version - 1), "
    "w AS (UPDATE hie.resource r SET version = d.version,"
    " updated = d.updated, deleted = (d.body = ''),"
    " patients = CASE WHEN d.body = '' THEN r.patients"
    " ELSE " PART("$9", "d.p0", "d.p1") " END,"
    " tokens = " PART("$10", "d.t0", "d.t1") ", body = d.body"
    " FROM d WHERE r.type = d.type AND r.id = d.id"
    " AND r.version = d.version - 1 RETURNING r.rid, d.ord), "
    "x AS (DELETE FROM hie.resource_string s USING w WHERE s.rid = w.rid), "
    "t AS (INSERT INTO hie.resource_string (rid, type, param, value)"
    " SELECT w.rid, s.type, s.param, s.value"
    " FROM unnest($11::int[], $12::text[], $13::text[], $14::text[])"
    " AS s(ord, type, param, value) JOIN w ON w.ord = s.ord) "
    "SELECT count(*) FROM w";

static const char  consents_sql[] =
    "WITH x AS (DELETE FROM hie.consent"
    " WHERE consent_id = ANY ($1::text[])) "
    "INSERT INTO hie.consent (consent_id, patient, valid_from, valid_until,"
    " base_permit, permit, deny)"
    " SELECT u.id, u.patient, coalesce(u.valid_from, '-infinity'),"
    " coalesce(u.valid_until, 'infinity'), u.base_permit,"
    " " PART("$10", "u.p0", "u.p1") ", " PART("$11", "u.d0", "u.d1")
    " FROM unnest($2::text[], $3::bigint[], $4::timestamptz[],"
    " $5::timestamptz[], $6::bool[], $7::int[], $8::int[], $9::int[],"
    " $12::int[])"
    " AS u(id, patient, valid_from, valid_until, base_permit, p0, p1, d0, d1)";


void
hie_write_statements(hie_store_t *s)
{
    hie_store_stmt(&s->create, create_sql);
    hie_store_stmt(&s->update, update_sql);
    hie_store_stmt(&s->consents, consents_sql);
}


hie_rc_t
hie_store_begin(hie_store_t *s, apr_pool_t *pool, hie_store_tx_t **out,
                hie_error_t *err)
{
    hie_store_tx_t  *tx;
    hie_conn_t      *c;
    hie_rc_t         rc;

    HIE_ASSERT_MAY_BLOCK();

    *out = NULL;
    rc = hie_store_acquire(s, false, &c, err);
    if (rc != HIE_OK) {
        return rc;
    }

    tx = apr_pcalloc(pool, sizeof(*tx));
    tx->store = s;
    tx->pool = pool;
    tx->conn = c;
    *out = tx;
    return HIE_OK;
}


static void
end_transaction(hie_store_tx_t *tx)
{
    if (tx->conn != NULL) {
        hie_store_release(tx->store, tx->conn);
        tx->conn = NULL;
    }
}


hie_rc_t
hie_store_commit(hie_store_tx_t *tx, hie_error_t *err)
{
    hie_store_t  *s = tx->store;
    hie_op_t      op = { &s->commit, NULL, NULL };
    hie_rc_t      rc = HIE_OK;

    HIE_ASSERT_MAY_BLOCK();

    if (!tx->begun) {
        end_transaction(tx);
        return HIE_OK;
    }
    if (tx->conn == NULL) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "the transaction was lost");
    }

    switch (hie_wire_run(tx->conn, &op, 1,
                         s->conf->database.statement_timeout, &rc, err))
    {
    case HIE_WIRE_OK:
        /* After a failed statement COMMIT rolls back, and says so only in
         * its tag. */
        rc = strcmp(PQcmdStatus(op.res), "COMMIT") == 0
             ? HIE_OK
             : hie_fail(err, HIE_CONFLICT, "",
                        "the transaction was rolled back");
        PQclear(op.res);
        break;

    case HIE_WIRE_LOST:
    case HIE_WIRE_TIMEOUT:
        rc = hie_fail(err, HIE_UNAVAILABLE, "",
                      "the database was lost during the commit: whether the "
                      "changes were made is not known");
        break;

    default:
        break;
    }

    end_transaction(tx);
    return rc;
}


void
hie_store_rollback(hie_store_tx_t *tx)
{
    hie_store_t  *s = tx->store;
    hie_op_t      op = { &s->rollback, NULL, NULL };
    hie_rc_t      rc;

    HIE_ASSERT_MAY_BLOCK();

    if (tx->conn != NULL && tx->begun && !tx->conn->broken
        && PQtransactionStatus(tx->conn->pg) != PQTRANS_IDLE)
    {
        hie_wire_run(tx->conn, &op, 1, s->conf->database.statement_timeout,
                     &rc, NULL);
        PQclear(op.res);
    }
    end_transaction(tx);
}


static int
compare_keys(const void *a, const void *b)
{
    uint64_t  x = *(const uint64_t *) a;
    uint64_t  y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


hie_rc_t
hie_store_lock(hie_store_tx_t *tx, const uint64_t *keys, int n,
               hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    hie_op_t       op = { &st, &params, NULL };
    uint64_t      *sorted;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    if (n == 0) {
        return HIE_OK;
    }

    sorted = apr_pmemdup(tx->pool, keys, (size_t) n * sizeof(*keys));
    qsort(sorted, (size_t) n, sizeof(*sorted), compare_keys);
    hie_params_init(&params, tx->pool);
    hie_params_keys(&params, sorted, n);
    hie_store_stmt(&st, "SELECT count(*) FROM (SELECT pg_advisory_xact_lock(k)"
                   " FROM unnest($1::bigint[]) k OFFSET 0) q");

    rc = hie_store_tx_run(tx, &op, 1, err);
    PQclear(op.res);
    return rc;
}


/* The arrays of create_sql and update_sql. */
typedef struct {
    int            n;
    hie_array_t    type, id, updated, body, p0, p1, t0, t1, version;
    hie_array_t    patients, tokens;
    hie_array_t    s_ord, s_type, s_param, s_value;
    hie_params_t   params;
} put_rows_t;


static void
init_rows(put_rows_t *w, apr_pool_t *pool, size_t body_size)
{
    w->n = 0;
    hie_array_init(&w->type, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->id, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->updated, pool, HIE_PG_TIMESTAMPTZ, 32);
    hie_array_init(&w->body, pool, HIE_PG_BYTEA, body_size);
    hie_array_init(&w->p0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->p1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->t0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->t1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->version, pool, HIE_PG_INT8, 16);
    hie_array_init(&w->patients, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->tokens, pool, HIE_PG_INT8, 512);
    hie_array_init(&w->s_ord, pool, HIE_PG_INT4, 64);
    hie_array_init(&w->s_type, pool, HIE_PG_TEXT, 128);
    hie_array_init(&w->s_param, pool, HIE_PG_TEXT, 128);
    hie_array_init(&w->s_value, pool, HIE_PG_TEXT, 128);
}


static void
add_row(put_rows_t *w, const hie_put_t *put)
{
    static const hie_index_t  nothing;
    const hie_index_t        *x = put->body.len > 0 ? put->index : &nothing;
    int                       i;

    w->n++;
    hie_array_str(&w->type, put->type);
    hie_array_str(&w->id, put->id);
    hie_array_time(&w->updated, put->updated);
    hie_array_str(&w->body, put->body);
    hie_array_i64(&w->version, put->version);

    hie_array_i32(&w->p0, (int32_t) w->patients.n);
    for (i = 0; i < x->n_patients; i++) {
        hie_array_i64(&w->patients, (int64_t) x->patients[i]);
    }
    hie_array_i32(&w->p1, (int32_t) w->patients.n);

    hie_array_i32(&w->t0, (int32_t) w->tokens.n);
    for (i = 0; i < x->n_tokens; i++) {
        hie_array_i64(&w->tokens, (int64_t) x->tokens[i]);
    }
    hie_array_i32(&w->t1, (int32_t) w->tokens.n);

    for (i = 0; i < x->n_strings; i++) {
        hie_array_i32(&w->s_ord, w->n);
        hie_array_str(&w->s_type, put->type);
        hie_array_str(&w->s_param, hie_str(x->strings[i].param));
        hie_array_str(&w->s_value, hie_string_indexed(x->strings[i].value));
    }
}


static const hie_params_t *
row_params(put_rows_t *w, apr_pool_t *pool, bool update)
{
    hie_params_t  *p = &w->params;

    hie_params_init(p, pool);
    hie_params_array(p, &w->type);
    hie_params_array(p, &w->id);
    hie_params_array(p, &w->updated);
    hie_params_array(p, &w->body);
    hie_params_array(p, &w->p0);
    hie_params_array(p, &w->p1);
    hie_params_array(p, &w->t0);
    hie_params_array(p, &w->t1);
    hie_params_array(p, &w->patients);
    hie_params_array(p, &w->tokens);
    hie_params_array(p, &w->s_ord);
    hie_params_array(p, &w->s_type);
    hie_params_array(p, &w->s_param);
    hie_params_array(p, &w->s_value);
    if (update) {
        hie_params_array(p, &w->version);
    }
    return p;
}


/* The arrays of consents_sql. */
typedef struct {
    int            n;
    hie_array_t    gone, id, patient, from, until, base, p0, p1, d0, d1;
    hie_array_t    permit, deny;
    hie_params_t   params;
} put_consents_t;


static void
init_consents(put_consents_t *w, apr_pool_t *pool)
{
    w->n = 0;
    hie_array_init(&w->gone, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->id, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->patient, pool, HIE_PG_INT8, 32);
    hie_array_init(&w->from, pool, HIE_PG_TIMESTAMPTZ, 32);
    hie_array_init(&w->until, pool, HIE_PG_TIMESTAMPTZ, 32);
    hie_array_init(&w->base, pool, HIE_PG_BOOL, 16);
    hie_array_init(&w->p0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->p1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->d0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->d1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->permit, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->deny, pool, HIE_PG_INT8, 64);
}


static void
add_period(hie_array_t *a, apr_time_t t)
{
    if (t == 0) {
        hie_array_null(a);
    } else {
        hie_array_time(a, t);
    }
}


static void
add_consents(put_consents_t *w, const hie_put_t *put)
{
    const hie_consent_row_t  *c;
    int                       i, j;

    w->n++;
    hie_array_str(&w->gone, put->id);

    for (i = 0; i < put->n_consents; i++) {
        c = &put->consents[i];
        hie_array_str(&w->id, put->id);
        hie_array_i64(&w->patient, (int64_t) c->patient);
        add_period(&w->from, c->from);
        add_period(&w->until, c->until);
        hie_array_bool(&w->base, c->base_permit);

        hie_array_i32(&w->p0, (int32_t) w->permit.n);
        for (j = 0; j < c->n_permit; j++) {
            hie_array_i64(&w->permit, (int64_t) c->permit[j]);
        }
        hie_array_i32(&w->p1, (int32_t) w->permit.n);

        hie_array_i32(&w->d0, (int32_t) w->deny.n);
        for (j = 0; j < c->n_deny; j++) {
            hie_array_i64(&w->deny, (int64_t) c->deny[j]);
        }
        hie_array_i32(&w->d1, (int32_t) w->deny.n);
    }
}


static const hie_params_t *
consent_params(put_consents_t *w, apr_pool_t *pool)
{
    hie_params_t  *p = &w->params;

    hie_params_init(p, pool);
    hie_params_array(p, &w->gone);
    hie_params_array(p, &w->id);
    hie_params_array(p, &w->patient);
    hie_params_array(p, &w->from);
    hie_params_array(p, &w->until);
    hie_params_array(p, &w->base);
    hie_params_array(p, &w->p0);
    hie_params_array(p, &w->p1);
    hie_params_array(p, &w->d0);
    hie_params_array(p, &w->permit);
    hie_params_array(p, &w->deny);
    hie_params_array(p, &w->d1);
    return p;
}


static hie_rc_t
check_put(const hie_put_t *put, hie_error_t *err)
{
    if (put->version < 1 || (put->version == 1 && put->body.len == 0)
        || (put->body.len > 0 && put->index == NULL))
    {
        return hie_fail(err, HIE_INTERNAL, "", "an incomplete row to write");
    }
    return HIE_OK;
}


/* What one call writes, by statement. */
typedef struct {
    put_rows_t       create;
    put_rows_t       update;
    put_consents_t   consents;
    hie_op_t         ops[3];
    int              expected[3];    /* rows; -1: any number */
    int              n_ops;
} put_t;


static void
add_op(put_t *w, const hie_stmt_t *st, const hie_params_t *p, int expected)
{
    w->ops[w->n_ops] = (hie_op_t) { st, p, NULL };
    w->expected[w->n_ops++] = expected;
}


static void
collect(put_t *w, hie_store_tx_t *tx, const hie_put_t *puts, int n)
{
    apr_pool_t  *pool = tx->pool;
    size_t       size[2] = { 0, 0 };
    int          i;

    for (i = 0; i < n; i++) {
        size[puts[i].version > 1] += puts[i].body.len + 4;
    }
    init_rows(&w->create, pool, size[0]);
    init_rows(&w->update, pool, size[1]);
    init_consents(&w->consents, pool);

    for (i = 0; i < n; i++) {
        add_row(puts[i].version > 1 ? &w->update : &w->create, &puts[i]);
        if (hie_str_eqz(puts[i].type, "Consent")) {
            add_consents(&w->consents, &puts[i]);
        }
    }

    w->n_ops = 0;
    if (w->create.n > 0) {
        add_op(w, &tx->store->create, row_params(&w->create, pool, false),
               w->create.n);
    }
    if (w->update.n > 0) {
        add_op(w, &tx->store->update, row_params(&w->update, pool, true),
               w->update.n);
    }
    if (w->consents.n > 0) {
        add_op(w, &tx->store->consents, consent_params(&w->consents, pool),
               -1);
    }
}


hie_rc_t
hie_store_put(hie_store_tx_t *tx, const hie_put_t *puts, int n,
              hie_error_t *err)
{
    put_t     *w;
    hie_rc_t   rc;
    int        i;

    HIE_ASSERT_MAY_BLOCK();

    for (i = 0; i < n; i++) {
        rc = check_put(&puts[i], err);
        if (rc != HIE_OK) {
            return rc;
        }
    }
    if (n == 0) {
        return HIE_OK;
    }

    rc = hie_store_contexts(tx, puts, n, err);
    if (rc != HIE_OK) {
        return rc;
    }

    w = apr_palloc(tx->pool, sizeof(*w));
    collect(w, tx, puts, n);
    rc = hie_store_tx_run(tx, w->ops, w->n_ops, err);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < w->n_ops; i++) {
        if (w->expected[i] >= 0
            && hie_result_i64(w->ops[i].res, 0, 0) != w->expected[i])
        {
            rc = hie_fail(err, HIE_CONFLICT, "",
                          "another transaction changed the same resource");
        }
        PQclear(w->ops[i].res);
    }

    for (i = 0; rc == HIE_OK && i < n; i++) {
        if (puts[i].content != NULL) {
            rc = hie_store_put_content(tx, &puts[i], err);
        }
    }
    return rc;
}
