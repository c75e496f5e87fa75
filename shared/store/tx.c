/*
 * Transactions.
 */

#include "store/private.h"

#include <string.h>


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
    tx->new_terms = apr_array_make(pool, 4, sizeof(uint64_t));
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


bool
hie_store_is_read_in(const hie_store_t *s)
{
    return hie_store_bound(s) != NULL;
}


void
hie_store_tx_end(hie_store_tx_t *tx)
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
        if (rc == HIE_OK) {
            hie_terms_committed(tx);
        }
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
    hie_store_tx_end(tx);
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
    hie_store_tx_end(tx);
}
