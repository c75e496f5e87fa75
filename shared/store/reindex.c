/*
 * What resources are found by, made again of their bodies.
 */

#include "store/puts.h"


/* Locked against changes until the end: nobody makes a version between the
 * reading of the body and the writing of what it is found by. */
static const char  walk_sql[] =
    "SELECT r.rid, r.id, r.version, r.body FROM hie.resource r"
    " WHERE r.type = $1::text AND r.rid > $2::bigint AND NOT r.deleted"
    " ORDER BY r.rid LIMIT $3::bigint FOR NO KEY UPDATE";

static const char  left_sql[] =
    "SELECT count(*) FROM hie.resource r"
    " WHERE r.type = $1::text AND r.rid > $2::bigint AND NOT r.deleted";


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


hie_rc_t
hie_store_walk(hie_store_tx_t *tx, hie_str_t type, int64_t after, int max,
               hie_row_t **rows, int *n, hie_error_t *err)
{
    hie_params_t  params;
    hie_rc_t      rc;
    PGresult     *res;
    hie_row_t    *row;
    int           i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, type);
    hie_params_i64(&params, after);
    hie_params_i64(&params, max);
    rc = run(tx, walk_sql, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(res, tx->pool);
    *n = PQntuples(res);
    *rows = apr_pcalloc(tx->pool, sizeof(**rows) * (size_t) (*n + 1));
    for (i = 0; i < *n; i++) {
        row = &(*rows)[i];
        row->type = type;
        row->rid = hie_result_i64(res, i, 0);
        row->id = hie_result_str(res, i, 1);
        row->version = hie_result_i64(res, i, 2);
        row->body = hie_result_str(res, i, 3);
    }
    return HIE_OK;
}


hie_rc_t
hie_store_left(hie_store_t *s, hie_str_t type, int64_t after, int64_t *n,
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
    hie_params_str(&params, type);
    hie_params_i64(&params, after);
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
    hie_op_t          ops[3];
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
