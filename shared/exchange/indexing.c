/*
 * Indexing of what was written before a search parameter was: all resources of
 * the types that it concerns, a lot after the other, in the background. The
 * place is in the database, with each lot; whoever has the time goes on from
 * there, a worker of any node or hiectl.
 *
 * Nothing is missed. From the commit of a generation on no statement writes
 * values of an older one (hie_store_put), except one that began before and has
 * not seen it. So a pass does not begin before all transactions have ended that
 * were writing when the generation was seen (hie_store_writers). What has been
 * written until then it goes over; what comes later has the values already. A
 * parameter that comes while a pass goes on is for the next one.
 */

#include <string.h>

#include <apr_time.h>

#include "exchange/private.h"

/* Rows of a transaction; writers of these wait for it. */
#define LOT  64

/* Between looks, in microseconds, while others have to end first. */
#define PAUSE  20000

struct hie_indexing_t {
    hie_runtime_t  *rt;
    apr_pool_t     *pool;        /* of what follows */
    int64_t         settled;     /* nobody writes by an older one */
    int64_t         waits;       /* to be settled when these have ended: */
    int             n_writers;
    hie_str_t      *writers;
};


hie_indexing_t *
hie_indexing_create(hie_runtime_t *rt, apr_pool_t *pool)
{
    hie_indexing_t  *x;

    x = apr_pcalloc(pool, sizeof(*x));
    x->rt = rt;
    x->pool = hie_pool_create(pool, "hie-indexing");
    x->settled = -1;
    x->waits = -1;
    return x;
}


/* HIE_BUSY: not yet. */
static hie_rc_t
settle(hie_indexing_t *x, hie_error_t *err)
{
    int          n;
    bool         again;
    int64_t      generation = x->rt->generation;
    hie_rc_t     rc;
    hie_str_t   *writers;
    apr_pool_t  *pool;

    if (x->settled >= generation) {
        return HIE_OK;
    }

    pool = hie_pool_create(apr_pool_parent_get(x->pool), "hie-indexing");
    again = x->waits == generation;
    rc = hie_store_writers(x->rt->store, again ? x->writers : NULL,
                           again ? x->n_writers : 0, pool, &writers, &n, err);
    if (rc != HIE_OK) {
        apr_pool_destroy(pool);
        return rc;
    }

    apr_pool_destroy(x->pool);
    x->pool = pool;
    x->waits = generation;
    x->writers = writers;
    x->n_writers = n;
    if (n > 0) {
        return HIE_BUSY;
    }

    x->settled = generation;
    return HIE_OK;
}


/* The lot behind the place, up to the last row of the pass. */
static hie_rc_t
do_rows(hie_indexing_t *x, hie_store_tx_t *tx, hie_store_pass_t *pass,
        apr_pool_t *pool, hie_error_t *err)
{
    int           failed;
    hie_rc_t      rc;
    hie_walk_t    walk = {
        .type = pass->type, .contained = true, .after = pass->place,
        .last = pass->last, .max = LOT
    };
    hie_walked_t  walked;

    rc = hie_store_walk(tx, &walk, &walked, err);
    if (rc != HIE_OK) {
        return rc;
    }

    pass->rows += walked.n;
    if (walked.places == LOT) {
        pass->place = walked.place;
    } else {
        pass->place = pass->last;
        pass->done = pass->pass;
    }

    return walked.n == 0 ? HIE_OK
           : hie_index_rows(x->rt, hie_parameters_base(x->rt, pool), tx,
                            walked.rows, walked.n, pool, &failed, err);
}


/* HIE_NOT_FOUND: there is nothing that can be done now. */
static hie_rc_t
do_lot(hie_indexing_t *x, hie_store_tx_t *tx, apr_pool_t *pool,
       hie_error_t *err)
{
    hie_rc_t          rc;
    hie_store_pass_t  pass;

    rc = hie_store_pass_take(tx, &pass, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (pass.pass <= pass.done) {
        if (pass.wanted > x->settled) {
            return HIE_NOT_FOUND;
        }

        rc = hie_store_pass_begin(tx, &pass, x->settled, err);

    } else if (pass.pass > x->rt->generation) {
        return HIE_CONFLICT;
    }

    if (rc == HIE_OK) {
        rc = do_rows(x, tx, &pass, pool, err);
    }

    return rc == HIE_OK ? hie_store_pass_set(tx, &pass, err) : rc;
}


static hie_rc_t
lot(hie_indexing_t *x, apr_pool_t *pool, hie_error_t *err)
{
    hie_rc_t         rc;
    hie_store_tx_t  *tx;

    rc = hie_store_begin(x->rt->store, pool, &tx, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = do_lot(x, tx, pool, err);
    if (rc == HIE_OK) {
        return hie_store_commit(tx, err);
    }

    hie_store_rollback(tx);
    return rc;
}


hie_rc_t
hie_indexing_turn(hie_indexing_t *x, bool *did, hie_error_t *err)
{
    hie_rc_t     rc;
    apr_pool_t  *pool;

    *did = false;
    hie_parameters_notice(x->rt);
    if (x->rt->pending == 0) {
        return HIE_OK;
    }

    rc = settle(x, err);
    if (rc != HIE_OK) {
        return rc == HIE_BUSY ? HIE_OK : rc;
    }

    pool = hie_pool_create(NULL, "hie-indexing");
    rc = lot(x, pool, err);
    apr_pool_destroy(pool);
    if (rc == HIE_CONFLICT) {
        *did = true;             /* once more, with what is there now */
        return hie_parameters_refresh(x->rt, err);
    }

    *did = rc == HIE_OK;
    return rc == HIE_NOT_FOUND ? HIE_OK : rc;
}


/*
 * In the foreground.
 */

/* False: nothing is left. */
static bool
show(hie_runtime_t *rt, const hie_reindex_t *what, apr_pool_t *pool,
     hie_rc_t *rc, hie_error_t *err)
{
    int                i, n, percent;
    int64_t            generation;
    hie_store_pass_t  *passes;

    *rc = hie_store_registry(rt->store, true, pool, &generation, &passes, &n,
                             err);
    for (i = 0, percent = 0, generation = 0; *rc == HIE_OK && i < n; i++) {
        percent += hie_store_pass_percent(&passes[i], passes[i].wanted);
        generation += passes[i].done < passes[i].wanted;
    }

    if (*rc == HIE_OK && n > 0 && what->progress != NULL) {
        what->progress(what->baton, percent * 10 / n, 1000);
    }

    return generation > 0;
}


hie_rc_t
hie_reindex_pending(hie_runtime_t *rt, const hie_reindex_t *what,
                    hie_error_t *err)
{
    bool             did;
    hie_rc_t         rc;
    apr_pool_t      *pool, *scratch;
    hie_indexing_t  *x;

    pool = hie_pool_create(NULL, "hie-indexing");
    scratch = hie_pool_create(pool, "hie-indexing");
    x = hie_indexing_create(rt, pool);
    rc = hie_parameters_refresh(rt, err);
    while (rc == HIE_OK && show(rt, what, scratch, &rc, err) && rc == HIE_OK) {
        apr_pool_clear(scratch);
        if (what->stop != NULL && *what->stop) {
            rc = hie_fail(err, HIE_UNAVAILABLE, "",
                          "stopped; others go on from here");
            break;
        }

        rc = hie_indexing_turn(x, &did, err);
        if (rc == HIE_OK && !did) {
            apr_sleep(PAUSE);
        }
    }

    apr_pool_destroy(pool);
    return rc;
}
