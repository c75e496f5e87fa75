/*
 * What is written in a transaction.
 */

#include "store/puts.h"

#include <string.h>

#include <apr_strings.h>


#define PART(array, from, to)                                                 \
    "(" array "::bigint[])[" from " + 1 : " to "]"

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
    hie_store_stmt(&s->create, hie_rows_sql(HIE_ROWS_CREATE));
    hie_store_stmt(&s->update, hie_rows_sql(HIE_ROWS_UPDATE));
    hie_store_stmt(&s->reindex, hie_rows_sql(HIE_ROWS_REINDEX));
    hie_store_stmt(&s->contained, hie_rows_sql(HIE_ROWS_CONTAINED));
    hie_store_stmt(&s->consents, consents_sql);
    hie_terms_statements(s);
    hie_store_stmt(&s->locks, "SELECT count(*) FROM (SELECT CASE WHEN u.shared"
                   " THEN pg_advisory_xact_lock_shared(u.key)::text"
                   " ELSE pg_advisory_xact_lock(u.key)::text END"
                   " FROM unnest($1::bigint[], $2::bool[]) AS u(key, shared)"
                   " OFFSET 0) q");
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
        || (put->body.len > 0
            && (put->relations == NULL || put->values == NULL)))
    {
        return hie_fail(err, HIE_INTERNAL, "", "an incomplete row to write");
    }
    return HIE_OK;
}


/* What one call writes, by statement. */
#define PUT_OPS  7                   /* and a COMMIT */

typedef struct {
    hie_rows_t        create;
    hie_rows_t        update;
    hie_new_terms_t   terms;
    put_consents_t    consents;
    hie_op_t          ops[PUT_OPS];
    int               n_ops;
} put_t;


static void
add_op(put_t *w, const hie_stmt_t *st, const hie_params_t *p)
{
    w->ops[w->n_ops++] = (hie_op_t) { st, p, NULL };
}


static void
collect_rows(put_t *w, hie_store_tx_t *tx, const hie_put_t *puts, int n)
{
    hie_rows_t  *rows[2] = { &w->create, &w->update };
    size_t       size[2] = { 0, 0 };
    int          i, update;

    for (i = 0; i < n; i++) {
        size[puts[i].version > 1] += puts[i].body.len + 4;
    }
    for (update = 0; update < 2; update++) {
        rows[update]->n = 0;
        if (size[update] > 0) {
            hie_rows_init(rows[update], tx->store, tx->pool, size[update]);
        }
    }

    for (i = 0; i < n; i++) {
        update = puts[i].version > 1;
        hie_rows_add(rows[update], &puts[i],
                     update ? HIE_ROWS_UPDATE : HIE_ROWS_CREATE);
    }
    if (w->create.n > 0) {
        add_op(w, &tx->store->create,
               hie_rows_params(&w->create, HIE_ROWS_CREATE));
    }
    if (w->update.n > 0) {
        add_op(w, &tx->store->update,
               hie_rows_params(&w->update, HIE_ROWS_UPDATE));
    }
    if (hie_rows_contained(tx, puts, n, &w->ops[w->n_ops])) {
        w->n_ops++;
    }
}


static void
collect(put_t *w, hie_store_tx_t *tx, const hie_put_t *puts, int n)
{
    int  i;

    w->n_ops = 0;
    collect_rows(w, tx, puts, n);

    w->consents.n = 0;
    for (i = 0; i < n; i++) {
        if (hie_str_eqz(puts[i].type, "Consent")) {
            if (w->consents.n == 0) {
                init_consents(&w->consents, tx->pool);
            }
            add_consents(&w->consents, &puts[i]);
        }
    }
    if (w->consents.n > 0) {
        add_op(w, &tx->store->consents,
               consent_params(&w->consents, tx->pool));
    }

    hie_terms_collect(&w->terms, tx, puts, n);
    if (w->terms.n_labels > 0) {
        add_op(w, &tx->store->labels, &w->terms.labels);
    }
    if (w->terms.n_terms > 0) {
        add_op(w, &tx->store->terms, &w->terms.terms);
    }
}


static hie_rc_t
prepare_put(hie_store_tx_t *tx, const hie_put_t *puts, int n, put_t **out,
            hie_error_t *err)
{
    put_t     *w = apr_palloc(tx->pool, sizeof(*w));
    hie_rc_t   rc;
    int        i;

    if (tx->conn == NULL) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "the transaction was lost");
    }
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
    hie_op_t  ops[PUT_OPS];
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
    return rc == HIE_CONFLICT && tx->conn->duplicate ? HIE_OK : rc;
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
        hie_store_tx_end(tx);
    } else {
        hie_store_rollback(tx);
    }
    return rc;
}
