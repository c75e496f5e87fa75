/*
 * What resources are found by, made again of their bodies.
 */

#include "store/puts.h"

#include <stdlib.h>

#include <apr_strings.h>


/* Places of a type; those of what others contain of it have the key of their
 * container. */
static const char  places_sql[] =
    "SELECT u.rid, u.key FROM ((SELECT r.rid, r.key FROM hie.resource r"
    " WHERE r.type = $1::text AND r.rid > $2::bigint AND r.rid <= $3::bigint"
    " AND NOT r.deleted ORDER BY r.type, r.rid LIMIT $4::bigint)"
    " UNION ALL (SELECT c.rid, c.owner FROM hie.resource c"
    " WHERE c.type = $5::text AND c.rid > $2::bigint AND c.rid <= $3::bigint"
    " AND NOT c.deleted ORDER BY c.type, c.rid LIMIT $4::bigint)) u"
    " ORDER BY u.rid LIMIT $4::bigint";

/* Locked against changes until the end: nobody makes a version between the
 * reading of the body and the writing of what it is found by. */
static const char  rows_sql[] =
    "SELECT r.rid, r.type, r.id, r.version, r.body"
    " FROM unnest($1::bigint[]) AS k(key) CROSS JOIN LATERAL (SELECT *"
    " FROM hie.resource r WHERE r.key = k.key AND NOT r.deleted"
    " FOR NO KEY UPDATE) r";

static const char  left_sql[] =
    "SELECT (SELECT count(*) FROM hie.resource r WHERE r.type = $1::text"
    " AND r.rid > $2::bigint AND NOT r.deleted)"
    " + (SELECT count(DISTINCT c.owner) FROM hie.resource c"
    " WHERE c.type = $3::text AND c.rid > $2::bigint AND NOT c.deleted)";


static hie_rc_t
run(hie_store_tx_t *tx, const char *sql, hie_params_t *params, PGresult **res,
    hie_error_t *err)
{
    hie_stmt_t  st;
    hie_op_t    op = { &st, params, NULL };
    hie_rc_t    rc;

    hie_store_stmt(&st, sql);
    rc = hie_store_tx_run(tx, &op, 1, err);
    *res = op.res;
    return rc;
}


/* The name that contained resources of a type have; of which there are none, if
 * they are not meant. */
static hie_str_t
contained_type(const hie_walk_t *w, apr_pool_t *pool)
{
    return w->contained ? hie_str(apr_psprintf(pool, "#%.*s",
                                               HIE_PRISTR(w->type)))
                        : HIE_STR("");
}


static int
compare_keys(const void *va, const void *vb)
{
    uint64_t  a = *(const uint64_t *) va, b = *(const uint64_t *) vb;

    return (a > b) - (a < b);
}


/* The containers of several places are one, each is locked once. */
static hie_rc_t
walk_rows(hie_store_tx_t *tx, uint64_t *keys, int n, hie_walked_t *out,
          hie_error_t *err)
{
    hie_params_t   params;
    hie_rc_t       rc;
    PGresult      *res;
    hie_row_t     *row;
    int            i, kept;

    qsort(keys, (size_t) n, sizeof(*keys), compare_keys);
    for (i = 0, kept = 0; i < n; i++) {
        if (kept == 0 || keys[kept - 1] != keys[i]) {
            keys[kept++] = keys[i];
        }
    }
    hie_params_init(&params, tx->pool);
    hie_params_keys(&params, keys, kept);
    rc = run(tx, rows_sql, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(res, tx->pool);
    out->n = PQntuples(res);
    out->rows = apr_pcalloc(tx->pool,
                            sizeof(*out->rows) * (size_t) (out->n + 1));
    for (i = 0; i < out->n; i++) {
        row = &out->rows[i];
        row->rid = hie_result_i64(res, i, 0);
        row->type = hie_result_str(res, i, 1);
        row->id = hie_result_str(res, i, 2);
        row->version = hie_result_i64(res, i, 3);
        row->body = hie_result_str(res, i, 4);
    }
    return HIE_OK;
}


hie_rc_t
hie_store_walk(hie_store_tx_t *tx, const hie_walk_t *w, hie_walked_t *out,
               hie_error_t *err)
{
    hie_params_t   params;
    hie_rc_t       rc;
    PGresult      *res;
    uint64_t      *keys;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_walked_t) { .place = w->after };
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, w->type);
    hie_params_i64(&params, w->after);
    hie_params_i64(&params, w->last);
    hie_params_i64(&params, w->max);
    hie_params_str(&params, contained_type(w, tx->pool));
    rc = run(tx, places_sql, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(res, tx->pool);
    out->places = PQntuples(res);
    if (out->places == 0) {
        return HIE_OK;
    }
    out->place = hie_result_i64(res, out->places - 1, 0);
    keys = apr_palloc(tx->pool, sizeof(*keys) * (size_t) out->places);
    for (i = 0; i < out->places; i++) {
        keys[i] = (uint64_t) hie_result_i64(res, i, 1);
    }
    return walk_rows(tx, keys, out->places, out, err);
}


hie_rc_t
hie_store_left(hie_store_t *s, const hie_walk_t *w, int64_t *n,
               hie_error_t *err)
{
    apr_pool_t    *scratch = hie_pool_create(NULL, "store left");
    hie_params_t   params;
    hie_stmt_t     st;
    hie_rc_t       rc;
    PGresult      *res;

    HIE_ASSERT_MAY_BLOCK();

    hie_store_stmt(&st, left_sql);
    hie_params_init(&params, scratch);
    hie_params_str(&params, w->type);
    hie_params_i64(&params, w->after);
    hie_params_str(&params, contained_type(w, scratch));
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc == HIE_OK) {
        *n = hie_result_i64(res, 0, 0);
        PQclear(res);
    }
    apr_pool_destroy(scratch);
    return rc;
}


hie_rc_t
hie_store_reindex(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                  hie_error_t *err)
{
    hie_new_terms_t   terms;
    hie_rows_t        rows;
    hie_op_t          ops[4];
    hie_rc_t          rc;
    int               i, n_ops = 0;

    HIE_ASSERT_MAY_BLOCK();

    if (n == 0) {
        return HIE_OK;
    }
    if (tx->conn == NULL) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "the transaction was lost");
    }

    hie_rows_init(&rows, tx->store, tx->pool, 0);
    for (i = 0; i < n; i++) {
        hie_rows_add(&rows, &puts[i], HIE_ROWS_REINDEX);
    }
    ops[n_ops++] = (hie_op_t) {
        &tx->store->reindex, hie_rows_params(&rows, HIE_ROWS_REINDEX), NULL
    };
    if (hie_rows_contained(tx, puts, n, &ops[n_ops])) {
        n_ops++;
    }

    hie_terms_collect(&terms, tx, puts, n);
    if (terms.n_labels > 0) {
        ops[n_ops++] = (hie_op_t) { &tx->store->labels, &terms.labels, NULL };
    }
    if (terms.n_terms > 0) {
        ops[n_ops++] = (hie_op_t) { &tx->store->terms, &terms.terms, NULL };
    }

    rc = hie_store_tx_run(tx, ops, n_ops, err);
    while (rc == HIE_OK && n_ops > 0) {
        PQclear(ops[--n_ops].res);
    }
    return rc;
}
