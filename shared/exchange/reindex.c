/*
 * Indexing again: after an upgrade that finds resources by more than before,
 * or with another setting. A transaction for each lot of rows, together with
 * the place that was reached; who ends in between goes on from there.
 */

#include <limits.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"

/* Rows of a transaction. */
#define LOT    64

/* A lot that lost against others is tried so often, after a pause that grows
 * by so many microseconds. */
#define TRIES  8
#define PAUSE  20000

/* The place of a type of which nothing is left. */
#define DONE   INT64_MAX

typedef struct {
    hie_runtime_t           *rt;
    const hie_reindex_t     *what;
    apr_pool_t              *pool;
    hie_reindexed_t         *out;
    int64_t                  total;
    hie_str_t                type;       /* that is being walked through */
    const char              *state;      /* name of its place */
    int64_t                  place;
    hie_error_t             *err;
} reindex_t;


static const char *
state_of(const reindex_t *x, hie_type_t type)
{
    return apr_psprintf(x->pool, "reindex/%.*s/%s",
                        HIE_PRISTR(x->what->param), hie_types[type].name);
}


static bool
is_meant(const reindex_t *x, hie_type_t type)
{
    const hie_reindex_t  *w = x->what;

    return (w->type.len == 0 || hie_str_eqz(w->type, hie_types[type].name))
           && (w->param.len == 0
               || hie_search_param(x->rt->search, type, w->param) != NULL);
}


static bool
is_stopped(const reindex_t *x)
{
    return x->what->stop != NULL && *x->what->stop;
}


/* Of all resources what they contain is indexed with them anyway. */
static hie_walk_t
walk_from(const reindex_t *x, hie_str_t type, int64_t place)
{
    return (hie_walk_t) {
        .type = type, .after = place, .last = INT64_MAX, .max = LOT,
        .contained = x->what->type.len > 0 || x->what->param.len > 0
    };
}


static void
show(const reindex_t *x)
{
    if (x->what->progress != NULL) {
        x->what->progress(x->what->baton, x->out->done, x->total);
    }
}


static hie_rc_t
index_row(hie_runtime_t *rt, hie_str_t base, const hie_row_t *row,
          apr_pool_t *pool, hie_put_t *put)
{
    hie_rc_t            rc;
    hie_doc_t          *d;
    hie_write_rules_t   rules = {
        .conf = rt->config, .search = rt->search, .runtime = rt,
        .pool = pool, .base_url = base
    };
    hie_error_t         err;

    memset(put, 0, sizeof(*put));
    put->type = row->type;
    put->id = hie_str_dup(pool, row->id);
    put->version = row->version;
    put->body = row->body;

    rc = hie_doc_parse(pool, row->body, INT_MAX, &d, &err);
    if (rc == HIE_OK) {
        rc = hie_write_index(&rules, d, put, &err);
    }

    if (rc != HIE_OK) {
        hie_log(HIE_LOG_WARN, "HIE5014", "%.*s/%.*s cannot be indexed: %s",
                HIE_PRISTR(row->type), HIE_PRISTR(row->id), err.detail);
    }

    return rc;
}


hie_rc_t
hie_index_rows(hie_runtime_t *rt, hie_str_t base, hie_store_tx_t *tx,
               const hie_row_t *rows, int n, apr_pool_t *pool, int *failed,
               hie_error_t *err)
{
    int         i, good;
    hie_put_t  *puts;

    puts = apr_palloc(pool, sizeof(*puts) * (size_t) n);
    for (i = 0, good = 0; i < n; i++) {
        good += index_row(rt, base, &rows[i], pool, &puts[good]) == HIE_OK;
    }

    *failed = n - good;
    return hie_store_reindex(tx, puts, good, err);
}


/* One transaction. */
static hie_rc_t
lot(reindex_t *x, apr_pool_t *pool)
{
    int              failed = 0;
    int64_t          place;
    hie_rc_t         rc;
    hie_walk_t       walk = walk_from(x, x->type, x->place);
    hie_walked_t     walked;
    hie_store_tx_t  *tx;

    rc = hie_store_begin(x->rt->store, pool, &tx, x->err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_walk(tx, &walk, &walked, x->err);
    place = rc == HIE_OK && walked.places > 0 ? walked.place : DONE;
    if (rc == HIE_OK && walked.n > 0) {
        rc = hie_index_rows(x->rt, x->what->base.len > 0 ? x->what->base
                                   : hie_parameters_base(x->rt, pool),
                            tx, walked.rows, walked.n, pool, &failed, x->err);
    }

    if (rc == HIE_OK) {
        rc = hie_store_set_load_state(tx, x->state, place, x->err);
    }

    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }

    rc = hie_store_commit(tx, x->err);
    if (rc == HIE_OK) {
        x->place = place;
        x->out->done += walked.n;
        x->out->failed += failed;
        show(x);
    }

    return rc;
}


static hie_rc_t
try_lot(reindex_t *x)
{
    int          try;
    hie_rc_t     rc;
    apr_pool_t  *pool;

    for (try = 1, rc = HIE_CONFLICT; rc == HIE_CONFLICT && try <= TRIES; try++)
    {
        if (try > 1) {
            apr_sleep(PAUSE * try);
            (void) hie_parameters_refresh(x->rt, NULL);
        }

        pool = hie_pool_create(x->pool, "hie-reindex");
        rc = lot(x, pool);
        apr_pool_destroy(pool);
    }

    return rc;
}


static hie_rc_t
walk_type(reindex_t *x, hie_type_t type)
{
    hie_rc_t  rc;

    x->type = hie_str(hie_types[type].name);
    x->state = state_of(x, type);
    rc = hie_store_load_state(x->rt->store, x->state, &x->place, x->err);

    while (rc == HIE_OK && x->place != DONE && !is_stopped(x)) {
        rc = try_lot(x);
    }

    return rc;
}


/* How much there is to do; from the start if it is to be done again. */
static hie_rc_t
survey(reindex_t *x, hie_store_tx_t *tx)
{
    int64_t      place, left;
    hie_rc_t     rc = HIE_OK;
    hie_type_t   type;
    hie_walk_t   walk;
    const char  *state;

    for (type = HIE_TYPE_Account;
         rc == HIE_OK && type <= HIE_TYPE_VisionPrescription;
         type++)
    {
        if (!is_meant(x, type)) {
            continue;
        }

        place = 0;
        state = state_of(x, type);
        rc = x->what->again
             ? hie_store_set_load_state(tx, state, 0, x->err)
             : hie_store_load_state(x->rt->store, state, &place, x->err);
        if (rc == HIE_OK && place != DONE) {
            walk = walk_from(x, hie_str(hie_types[type].name), place);
            rc = hie_store_left(x->rt->store, &walk, &left, x->err);
            x->total += left;
        }
    }

    return rc;
}


/* The next time all is done again. */
static hie_rc_t
forget(reindex_t *x, hie_store_tx_t *tx)
{
    hie_rc_t    rc = HIE_OK;
    hie_type_t  type;

    for (type = HIE_TYPE_Account;
         rc == HIE_OK && type <= HIE_TYPE_VisionPrescription;
         type++)
    {
        if (is_meant(x, type)) {
            rc = hie_store_set_load_state(tx, state_of(x, type), 0, x->err);
        }
    }

    return rc;
}


static hie_rc_t
in_transaction(reindex_t *x, hie_rc_t (*fn)(reindex_t *, hie_store_tx_t *))
{
    hie_rc_t         rc;
    hie_store_tx_t  *tx;

    rc = hie_store_begin(x->rt->store, x->pool, &tx, x->err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = fn(x, tx);
    if (rc == HIE_OK) {
        return hie_store_commit(tx, x->err);
    }

    hie_store_rollback(tx);
    return rc;
}


static hie_rc_t
check(const reindex_t *x)
{
    hie_type_t  type;

    for (type = HIE_TYPE_Account; type <= HIE_TYPE_VisionPrescription; type++)
    {
        if (is_meant(x, type)) {
            return HIE_OK;
        }
    }

    if (x->what->type.len > 0 && !hie_fhir_is_type(x->what->type)) {
        return hie_fail(x->err, HIE_INVALID, "",
                        "\"%.*s\" is no resource type of R4",
                        HIE_PRISTR(x->what->type));
    }

    return hie_fail(x->err, HIE_INVALID, "",
                    "%s%.*s%s search parameter \"%.*s\"",
                    x->what->type.len > 0 ? "" : "no type",
                    HIE_PRISTR(x->what->type),
                    x->what->type.len > 0 ? " has no" : " has a",
                    HIE_PRISTR(x->what->param));
}


hie_rc_t
hie_reindex(hie_runtime_t *rt, const hie_reindex_t *what,
            hie_reindexed_t *out, hie_error_t *err)
{
    hie_rc_t    rc;
    reindex_t   x = { .rt = rt, .what = what, .out = out, .err = err };
    hie_type_t  type;

    memset(out, 0, sizeof(*out));
    x.pool = hie_pool_create(NULL, "hie-reindex");
    rc = hie_parameters_refresh(rt, err);
    if (rc == HIE_OK) {
        rc = check(&x);
    }

    if (rc == HIE_OK) {
        rc = in_transaction(&x, survey);
    }

    for (type = HIE_TYPE_Account;
         rc == HIE_OK && type <= HIE_TYPE_VisionPrescription;
         type++)
    {
        if (is_meant(&x, type)) {
            rc = walk_type(&x, type);
        }
    }

    if (rc == HIE_OK && is_stopped(&x)) {
        rc = hie_fail(err, HIE_UNAVAILABLE, "",
                      "stopped; the next call goes on from here");
    } else if (rc == HIE_OK) {
        rc = in_transaction(&x, forget);
    }

    apr_pool_destroy(x.pool);
    return rc;
}
