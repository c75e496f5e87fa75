/*
 * Transactions, and what is written in them.
 */

#include "store/private.h"

#include <string.h>

#include <apr_strings.h>


/*
 * Arrays of arrays do not exist in PostgreSQL (only matrices): the keys of
 * all rows stand in one array, with the end of each row's part beside it.
 */
#define PART(array, from, to)                                                 \
    "(" array "::bigint[])[" from " + 1 : " to "]"

/* Labels that nobody had before. In one order, so that two transactions which
 * have the same new ones do not wait for each other. */
#define LABELS(key, kind, type, value)                                        \
    "INSERT INTO hie.label (key, kind, type, value)"                          \
    " SELECT DISTINCT ON (u.key) u.key, u.kind, u.type, u.value"              \
    " FROM unnest(" key "::bigint[], " kind "::int[], " type "::text[], "     \
    value "::text[]) AS u(key, kind, type, value)"                            \
    " WHERE NOT EXISTS (SELECT FROM hie.label k WHERE k.key = u.key)"         \
    " ORDER BY u.key ON CONFLICT DO NOTHING"

static const char  create_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT nextval('hie.resource_rid') AS rid, u.*"
    " FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[],"
    " $5::int[], $6::int[], $7::int[], $8::int[], $15::int[],"
    " $16::timestamptz[], $17::timestamptz[], $18::int[], $19::int[])"
    " AS u(type, id, updated, body, p0, p1, t0, t1, method, care_from,"
    " care_until, r0, r1)), "
    "w AS (INSERT INTO hie.resource"
    " (rid, version, updated, care_from, care_until, method, deleted, type,"
    " id, patients, tokens, refs, body)"
    " SELECT d.rid, 1, d.updated, d.care_from, d.care_until, d.method, false,"
    " d.type, d.id,"
    " " PART("$9", "d.p0", "d.p1") ", " PART("$10", "d.t0", "d.t1") ","
    " ($20::text[])[d.r0 + 1 : d.r1], d.body"
    " FROM d), "
    "a AS (SELECT array_agg(d.rid) AS rids FROM d), "
    "t AS (INSERT INTO hie.resource_string (rid, type, param, value)"
    " SELECT (SELECT a.rids FROM a)[s.ord], s.type, s.param, s.value"
    " FROM unnest($11::int[], $12::text[], $13::text[], $14::text[])"
    " AS s(ord, type, param, value)), "
    "l AS (" LABELS("$21", "$22", "$23", "$24") ") "
    "SELECT count(*) FROM d";

/* One resource by itself, which is the rule over HTTP: a statement without
 * arrays to take apart takes half of the time. */
static const char  create_one_sql[] =
    "INSERT INTO hie.resource"
    " (rid, version, updated, care_from, care_until, method, deleted, type,"
    " id, patients, tokens, refs, body)"
    " VALUES (nextval('hie.resource_rid'), 1, $3::timestamptz,"
    " $7::timestamptz, $8::timestamptz, $9::bigint, false,"
    " $1::text, $2::text, $4::bigint[], $5::bigint[], $10::text[],"
    " $6::bytea)";

static const char  labels_sql[] = LABELS("$1", "$2", "$3", "$4");

static const char  strings_one_sql[] =
    "INSERT INTO hie.resource_string (rid, type, param, value)"
    " SELECT currval('hie.resource_rid'), $1::text, s.param, s.value"
    " FROM unnest($2::text[], $3::text[]) AS s(param, value)";

static const char  update_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT u.*"
    " FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[],"
    " $5::int[], $6::int[], $7::int[], $8::int[], $15::int[],"
    " $16::timestamptz[], $17::timestamptz[], $18::int[], $19::int[],"
    " $25::bigint[]) WITH ORDINALITY"
    " AS u(type, id, updated, body, p0, p1, t0, t1, method, care_from,"
    " care_until, r0, r1, version, ord)), "
    "h AS (INSERT INTO hie.resource_history"
    " (rid, version, updated, superseded, method, deleted, type, id,"
    " patients, body)"
    " SELECT r.rid, r.version, r.updated, d.updated, r.method, r.deleted,"
    " r.type, r.id, r.patients, r.body"
    " FROM d JOIN hie.resource r ON r.type = d.type AND r.id = d.id"
    " AND r.version = d.version - 1), "
    "w AS (UPDATE hie.resource r SET version = d.version,"
    " updated = d.updated, care_from = d.care_from,"
    " care_until = d.care_until, method = d.method, deleted = (d.body = ''),"
    " patients = CASE WHEN d.body = '' THEN r.patients"
    " ELSE " PART("$9", "d.p0", "d.p1") " END,"
    " tokens = " PART("$10", "d.t0", "d.t1") ","
    " refs = ($20::text[])[d.r0 + 1 : d.r1], body = d.body"
    " FROM d WHERE r.type = d.type AND r.id = d.id"
    " AND r.version = d.version - 1 RETURNING r.rid, d.ord), "
    "x AS (DELETE FROM hie.resource_string s USING w WHERE s.rid = w.rid), "
    "t AS (INSERT INTO hie.resource_string (rid, type, param, value)"
    " SELECT w.rid, s.type, s.param, s.value"
    " FROM unnest($11::int[], $12::text[], $13::text[], $14::text[])"
    " AS s(ord, type, param, value) JOIN w ON w.ord = s.ord), "
    "l AS (" LABELS("$21", "$22", "$23", "$24") ") "
    "SELECT CASE WHEN count(*) = cardinality($1::text[]) THEN count(*)"
    " ELSE hie.conflict() END FROM w";

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
    hie_store_stmt(&s->create_one, create_one_sql);
    hie_store_stmt(&s->strings_one, strings_one_sql);
    hie_store_stmt(&s->labels, labels_sql);
    hie_store_stmt(&s->update, update_sql);
    hie_store_stmt(&s->consents, consents_sql);
    hie_store_stmt(&s->locks, "SELECT count(*) FROM (SELECT CASE WHEN u.shared"
                   " THEN pg_advisory_xact_lock_shared(u.key)::text"
                   " ELSE pg_advisory_xact_lock(u.key)::text END"
                   " FROM unnest($1::bigint[], $2::bool[]) AS u(key, shared)"
                   " OFFSET 0) q");
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


/* The one that reads of this thread go through. */
static _Thread_local hie_store_tx_t  *bound;


void
hie_store_read_in(hie_store_tx_t *tx)
{
    bound = tx;
}


hie_store_tx_t *
hie_store_bound(const hie_store_t *s)
{
    return bound != NULL && bound->store == s ? bound : NULL;
}


static void
end_transaction(hie_store_tx_t *tx)
{
    if (bound == tx) {
        bound = NULL;
    }
    if (tx->conn != NULL) {
        hie_store_release(tx->store, tx->conn);
        tx->conn = NULL;
    }
}


hie_rc_t
hie_store_tx_finish(hie_store_tx_t *tx, hie_op_t *ops, int n,
                    hie_error_t *err)
{
    hie_store_t  *s = tx->store;
    hie_rc_t      rc = HIE_OK;

    if (tx->conn == NULL) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "the transaction was lost");
    }
    if (tx->begun) {
        ops[n++] = (hie_op_t) { &s->commit, NULL, NULL };
    }

    switch (hie_wire_run(tx->conn, ops, n,
                         s->conf->database.statement_timeout, &rc, err))
    {
    case HIE_WIRE_OK:
        /* After a failed statement COMMIT rolls back, and says so only in
         * its tag. */
        rc = !tx->begun
             || strcmp(PQcmdStatus(ops[n - 1].res), "COMMIT") == 0
             ? HIE_OK
             : hie_fail(err, HIE_CONFLICT, "",
                        "the transaction was rolled back");
        while (n > 0) {
            PQclear(ops[--n].res);
        }
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
    return rc;
}


hie_rc_t
hie_store_commit(hie_store_tx_t *tx, hie_error_t *err)
{
    hie_op_t  op;
    hie_rc_t  rc = HIE_OK;

    HIE_ASSERT_MAY_BLOCK();

    if (tx->begun) {
        rc = hie_store_tx_finish(tx, &op, 0, err);
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


/* The arrays of create_sql and update_sql. */
typedef struct {
    int            n;
    hie_array_t    type, id, updated, body, p0, p1, t0, t1, version;
    hie_array_t    patients, tokens;
    hie_array_t    s_ord, s_type, s_param, s_value;
    hie_array_t    method, care_from, care_until, r0, r1, refs;
    hie_array_t    l_key, l_kind, l_type, l_value;
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
    hie_array_init(&w->method, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->care_from, pool, HIE_PG_TIMESTAMPTZ, 16);
    hie_array_init(&w->care_until, pool, HIE_PG_TIMESTAMPTZ, 16);
    hie_array_init(&w->r0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->r1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->refs, pool, HIE_PG_TEXT, 128);
    hie_array_init(&w->l_key, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->l_kind, pool, HIE_PG_INT4, 64);
    hie_array_init(&w->l_type, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->l_value, pool, HIE_PG_TEXT, 256);
}


static hie_method_t
put_method(const hie_put_t *put)
{
    if (put->body.len == 0) {
        return HIE_BY_DELETE;
    }
    return put->method != 0 ? put->method : HIE_BY_PUT;
}


/* The ends of the numbers are PostgreSQL's infinities. A year of four digits
 * is never too much for the difference. */
static int64_t
care_time(apr_time_t t)
{
    return t == INT64_MIN || t == INT64_MAX ? t : t - HIE_PG_EPOCH;
}


static int64_t
care_from(const hie_index_t *x)
{
    return care_time(x->care_from < x->care_until ? x->care_from : INT64_MIN);
}


static int64_t
care_until(const hie_index_t *x)
{
    return care_time(x->care_from < x->care_until ? x->care_until
                                                  : INT64_MAX);
}


/* What the resource tells about other things than itself: the time of care,
 * and what it refers to. */
static void
add_relations(put_rows_t *w, const hie_index_t *x)
{
    int  i;

    hie_array_i64(&w->care_from, care_from(x));
    hie_array_i64(&w->care_until, care_until(x));

    hie_array_i32(&w->r0, (int32_t) w->refs.n);
    for (i = 0; i < x->n_refs; i++) {
        hie_array_str(&w->refs, x->refs[i]);
    }
    hie_array_i32(&w->r1, (int32_t) w->refs.n);
}


static void
add_labels(put_rows_t *w, hie_str_t type, const hie_index_t *x)
{
    int  i;

    for (i = 0; i < x->n_labels; i++) {
        hie_array_i64(&w->l_key, (int64_t) x->labels[i].key);
        hie_array_i32(&w->l_kind, x->labels[i].kind);
        hie_array_str(&w->l_type, type);
        hie_array_str(&w->l_value, x->labels[i].json);
    }
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
    hie_array_i32(&w->method, put_method(put));
    add_relations(w, x);
    add_labels(w, put->type, x);

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
    hie_params_array(p, &w->method);
    hie_params_array(p, &w->care_from);
    hie_params_array(p, &w->care_until);
    hie_params_array(p, &w->r0);
    hie_params_array(p, &w->r1);
    hie_params_array(p, &w->refs);
    hie_params_array(p, &w->l_key);
    hie_params_array(p, &w->l_kind);
    hie_params_array(p, &w->l_type);
    hie_params_array(p, &w->l_value);
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
    hie_params_t     one, strings, labels;
    put_rows_t       create;
    put_rows_t       update;
    put_consents_t   consents;
    hie_op_t         ops[4];         /* and a COMMIT */
    int              n_ops;
} put_t;


static void
add_op(put_t *w, const hie_stmt_t *st, const hie_params_t *p)
{
    w->ops[w->n_ops++] = (hie_op_t) { st, p, NULL };
}


static void
collect_strings(put_t *w, hie_store_tx_t *tx, const hie_put_t *put)
{
    const hie_index_t  *x = put->index;
    hie_array_t        *param, *value;
    int                 i;

    param = apr_palloc(tx->pool, sizeof(*param));
    value = apr_palloc(tx->pool, sizeof(*value));
    hie_array_init(param, tx->pool, HIE_PG_TEXT, 128);
    hie_array_init(value, tx->pool, HIE_PG_TEXT, 128);
    for (i = 0; i < x->n_strings; i++) {
        hie_array_str(param, hie_str(x->strings[i].param));
        hie_array_str(value, hie_string_indexed(x->strings[i].value));
    }
    hie_params_init(&w->strings, tx->pool);
    hie_params_str(&w->strings, put->type);
    hie_params_array(&w->strings, param);
    hie_params_array(&w->strings, value);
    add_op(w, &tx->store->strings_one, &w->strings);
}


static void
collect_labels(put_t *w, hie_store_tx_t *tx, const hie_put_t *put)
{
    put_rows_t  *rows = &w->create;

    init_rows(rows, tx->pool, 0);
    add_labels(rows, put->type, put->index);
    hie_params_init(&w->labels, tx->pool);
    hie_params_array(&w->labels, &rows->l_key);
    hie_params_array(&w->labels, &rows->l_kind);
    hie_params_array(&w->labels, &rows->l_type);
    hie_params_array(&w->labels, &rows->l_value);
    add_op(w, &tx->store->labels, &w->labels);
}


static void
collect_one(put_t *w, hie_store_tx_t *tx, const hie_put_t *put)
{
    const hie_index_t  *x = put->index;
    hie_array_t        *refs = apr_palloc(tx->pool, sizeof(*refs));
    int                 i;

    hie_array_init(refs, tx->pool, HIE_PG_TEXT, 128);
    for (i = 0; i < x->n_refs; i++) {
        hie_array_str(refs, x->refs[i]);
    }

    hie_params_init(&w->one, tx->pool);
    hie_params_str(&w->one, put->type);
    hie_params_str(&w->one, put->id);
    hie_params_i64(&w->one, put->updated - HIE_PG_EPOCH);
    hie_params_keys(&w->one, x->patients, x->n_patients);
    hie_params_keys(&w->one, x->tokens, x->n_tokens);
    hie_params_str(&w->one, put->body);
    hie_params_i64(&w->one, care_from(x));
    hie_params_i64(&w->one, care_until(x));
    hie_params_i64(&w->one, put_method(put));
    hie_params_array(&w->one, refs);
    add_op(w, &tx->store->create_one, &w->one);
    if (x->n_strings > 0) {
        collect_strings(w, tx, put);
    }
    if (x->n_labels > 0) {
        collect_labels(w, tx, put);
    }
}


static void
collect(put_t *w, hie_store_tx_t *tx, const hie_put_t *puts, int n)
{
    apr_pool_t  *pool = tx->pool;
    size_t       size[2] = { 0, 0 };
    int          i;

    w->n_ops = 0;
    if (n == 1 && puts[0].version == 1
        && !hie_str_eqz(puts[0].type, "Consent"))
    {
        collect_one(w, tx, &puts[0]);
        return;
    }

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

    if (w->create.n > 0) {
        add_op(w, &tx->store->create, row_params(&w->create, pool, false));
    }
    if (w->update.n > 0) {
        add_op(w, &tx->store->update, row_params(&w->update, pool, true));
    }
    if (w->consents.n > 0) {
        add_op(w, &tx->store->consents, consent_params(&w->consents, pool));
    }
}


static hie_rc_t
prepare_put(hie_store_tx_t *tx, const hie_put_t *puts, int n, put_t **out,
            hie_error_t *err)
{
    put_t     *w = apr_palloc(tx->pool, sizeof(*w));
    hie_rc_t   rc;
    int        i;

    for (i = 0; i < n; i++) {
        rc = check_put(&puts[i], err);
        if (rc != HIE_OK) {
            return rc;
        }
    }
    rc = hie_store_contexts(tx, puts, n, err);
    if (rc == HIE_OK) {
        collect(w, tx, puts, n);
        *out = w;
    }
    return rc;
}


static hie_rc_t
put_contents(hie_store_tx_t *tx, const hie_put_t *puts, int n,
             hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;
    int       i;

    for (i = 0; rc == HIE_OK && i < n; i++) {
        if (puts[i].content != NULL) {
            rc = hie_store_put_content(tx, &puts[i], err);
        }
    }
    return rc;
}


hie_rc_t
hie_store_put(hie_store_tx_t *tx, const hie_put_t *puts, int n,
              hie_error_t *err)
{
    put_t     *w;
    hie_rc_t   rc;

    HIE_ASSERT_MAY_BLOCK();

    if (n == 0) {
        return HIE_OK;
    }
    rc = prepare_put(tx, puts, n, &w, err);
    if (rc == HIE_OK) {
        rc = hie_store_tx_run(tx, w->ops, w->n_ops, err);
    }
    while (rc == HIE_OK && w->n_ops > 0) {
        PQclear(w->ops[--w->n_ops].res);
    }
    return rc == HIE_OK ? put_contents(tx, puts, n, err) : rc;
}


static bool
has_content(const hie_put_t *puts, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (puts[i].content != NULL) {
            return true;
        }
    }
    return false;
}


/* Whether all of them are new, under ids that nobody else has. */
static bool
all_new(const hie_put_t *puts, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (puts[i].version != 1) {
            return false;
        }
    }
    return true;
}


/*
 * Where nothing went before, the statements up to the synchronisation point
 * are a transaction by themselves. When its connection turns out to be dead,
 * nobody knows whether it was done; new resources tell: the second time they
 * are there.
 */
static hie_rc_t
put_alone(hie_store_tx_t *tx, put_t *w, bool fresh, hie_error_t *err)
{
    hie_op_t  ops[4];
    hie_rc_t  rc;

    memcpy(ops, w->ops, sizeof(ops));
    rc = hie_store_tx_finish(tx, ops, w->n_ops, err);
    if (rc != HIE_UNAVAILABLE || !fresh
        || PQstatus(tx->conn->pg) != CONNECTION_BAD)
    {
        return rc;
    }

    hie_store_release(tx->store, tx->conn);
    tx->conn = NULL;
    if (hie_store_acquire(tx->store, true, &tx->conn, NULL) != HIE_OK) {
        return rc;
    }
    memcpy(ops, w->ops, sizeof(ops));
    rc = hie_store_tx_finish(tx, ops, w->n_ops, err);
    return rc == HIE_CONFLICT ? HIE_OK : rc;
}


hie_rc_t
hie_store_put_commit(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                     hie_error_t *err)
{
    put_t     *w;
    hie_rc_t   rc;

    HIE_ASSERT_MAY_BLOCK();

    if (n == 0) {
        return hie_store_commit(tx, err);
    }
    if (has_content(puts, n)) {
        rc = hie_store_put(tx, puts, n, err);
        if (rc != HIE_OK) {
            hie_store_rollback(tx);
            return rc;
        }
        return hie_store_commit(tx, err);
    }
    rc = prepare_put(tx, puts, n, &w, err);
    if (rc == HIE_OK) {
        rc = tx->begun ? hie_store_tx_finish(tx, w->ops, w->n_ops, err)
                       : put_alone(tx, w, all_new(puts, n), err);
    }
    if (rc == HIE_OK) {
        end_transaction(tx);
    } else {
        hie_store_rollback(tx);
    }
    return rc;
}
