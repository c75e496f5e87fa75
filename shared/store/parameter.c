/*
 * Search parameters that stored resources define, and the passes over what was
 * written before.
 */

#include "store/private.h"

#include <apr_strings.h>

#define PASS  "x.type, x.wanted, x.done, x.pass, x.first, x.last, x.place,"    \
              " x.rows"


static void
get_pass(const PGresult *res, int row, int col, hie_store_pass_t *out)
{
    out->type = hie_result_str(res, row, col);
    out->wanted = hie_result_i64(res, row, col + 1);
    out->done = hie_result_i64(res, row, col + 2);
    out->pass = hie_result_i64(res, row, col + 3);
    out->first = hie_result_i64(res, row, col + 4);
    out->last = hie_result_i64(res, row, col + 5);
    out->place = hie_result_i64(res, row, col + 6);
    out->rows = hie_result_i64(res, row, col + 7);
}


/* A result with a row at least, of which the others may be null. */
static hie_rc_t
ask(hie_store_t *s, const char *sql, const hie_params_t *params,
    apr_pool_t *pool, PGresult **res, hie_error_t *err)
{
    hie_stmt_t  st;
    hie_rc_t    rc;

    hie_store_stmt(&st, sql);
    rc = hie_store_query(s, &st, params, res, err);
    if (rc == HIE_OK) {
        hie_result_own(*res, pool);
    }
    return rc;
}


static hie_rc_t
no_registry(hie_error_t *err)
{
    return hie_fail(err, HIE_INTERNAL, "", "the exchange has no registry");
}


hie_rc_t
hie_store_registry(hie_store_t *s, bool all, apr_pool_t *pool,
                   int64_t *generation, hie_store_pass_t **passes, int *n,
                   hie_error_t *err)
{
    hie_params_t   params;
    PGresult      *res;
    hie_rc_t       rc;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    hie_params_init(&params, pool);
    hie_params_i64(&params, all);
    rc = ask(s, "SELECT g.generation, " PASS " FROM hie.registry g"
             " LEFT JOIN hie.reindex x ON x.done < x.wanted"
             " OR $1::bigint = 1 ORDER BY x.type", &params, pool, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (PQntuples(res) == 0) {
        return no_registry(err);
    }

    *generation = hie_result_i64(res, 0, 0);
    *passes = apr_pcalloc(pool, sizeof(**passes) * (size_t) PQntuples(res));
    for (i = 0; i < PQntuples(res) && !PQgetisnull(res, i, 1); i++) {
        get_pass(res, i, 1, &(*passes)[i]);
        ++*n;
    }
    return HIE_OK;
}


hie_rc_t
hie_store_parameters(hie_store_t *s, apr_pool_t *pool, int64_t *generation,
                     hie_str_t *base, hie_store_parameter_t **params, int *n,
                     hie_error_t *err)
{
    hie_store_parameter_t  *p;
    PGresult               *res;
    hie_rc_t                rc;
    int                     i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    rc = ask(s, "SELECT g.generation, g.base, p.id, p.url, p.mark,"
             " p.generation, r.body FROM hie.registry g LEFT JOIN"
             " (hie.search_parameter p JOIN hie.resource r"
             " ON r.type = 'SearchParameter' AND r.id = p.id) ON true"
             " ORDER BY p.generation, p.id", NULL, pool, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (PQntuples(res) == 0) {
        return no_registry(err);
    }

    *generation = hie_result_i64(res, 0, 0);
    *base = hie_result_str(res, 0, 1);
    *params = apr_pcalloc(pool, sizeof(**params) * (size_t) PQntuples(res));
    for (i = 0; i < PQntuples(res) && !PQgetisnull(res, i, 2); i++) {
        p = &(*params)[i];
        p->id = hie_result_str(res, i, 2);
        p->url = hie_result_str(res, i, 3);
        p->mark = hie_result_i64(res, i, 4);
        p->generation = hie_result_i64(res, i, 5);
        p->body = hie_result_str(res, i, 6);
        ++*n;
    }
    return HIE_OK;
}


/*
 * In a transaction.
 */

static hie_rc_t
run(hie_store_tx_t *tx, const char *sql, const hie_params_t *params,
    PGresult **res, hie_error_t *err)
{
    hie_stmt_t  st;
    hie_op_t    op = { &st, params, NULL };
    hie_rc_t    rc;

    hie_store_stmt(&st, sql);
    rc = hie_store_tx_run(tx, &op, 1, err);
    if (rc == HIE_OK) {
        hie_result_own(op.res, tx->pool);
        *res = op.res;
    }
    return rc;
}


hie_rc_t
hie_store_registry_lock(hie_store_tx_t *tx, int64_t *generation,
                        hie_error_t *err)
{
    PGresult  *res;
    hie_rc_t   rc;

    HIE_ASSERT_MAY_BLOCK();

    rc = run(tx, "SELECT generation FROM hie.registry FOR UPDATE", NULL, &res,
             err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (PQntuples(res) == 0) {
        return no_registry(err);
    }
    *generation = hie_result_i64(res, 0, 0);
    return HIE_OK;
}


/* A pass that runs goes on to its end: the parameters that it is about are
 * complete then. Another one follows. */
static const char  change_sql[] =
    "WITH g AS (UPDATE hie.registry SET generation = generation + 1,"
    " base = coalesce(nullif($1::text, ''), base) RETURNING generation), "
    "x AS (DELETE FROM hie.search_parameter WHERE id = ANY ($2::text[])), "
    "p AS (INSERT INTO hie.search_parameter AS o (id, url, mark, generation)"
    " SELECT u.id, u.url, u.mark, g.generation"
    " FROM g, unnest($3::text[], $4::text[], $5::bigint[]) AS u(id, url, mark)"
    " ON CONFLICT (id) DO UPDATE SET url = excluded.url,"
    " mark = excluded.mark, generation = excluded.generation) "
    "INSERT INTO hie.reindex AS o (type, wanted)"
    " SELECT u.type, g.generation FROM g, unnest($6::text[]) AS u(type)"
    " ON CONFLICT (type) DO UPDATE SET wanted = excluded.wanted";


hie_rc_t
hie_store_registry_change(hie_store_tx_t *tx, const hie_store_change_t *c,
                          hie_error_t *err)
{
    hie_params_t   params;
    hie_array_t    gone, id, url, mark, types;
    PGresult      *res;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    hie_array_init(&gone, tx->pool, HIE_PG_TEXT, 64);
    hie_array_init(&id, tx->pool, HIE_PG_TEXT, 64);
    hie_array_init(&url, tx->pool, HIE_PG_TEXT, 128);
    hie_array_init(&mark, tx->pool, HIE_PG_INT8, 16);
    hie_array_init(&types, tx->pool, HIE_PG_TEXT, 64);
    for (i = 0; i < c->n_gone; i++) {
        hie_array_str(&gone, c->gone[i]);
    }
    for (i = 0; i < c->n_served; i++) {
        hie_array_str(&id, c->served[i].id);
        hie_array_str(&url, c->served[i].url);
        hie_array_i64(&mark, c->served[i].mark);
    }
    for (i = 0; i < c->n_types; i++) {
        hie_array_str(&types, c->types[i]);
    }

    hie_params_init(&params, tx->pool);
    hie_params_str(&params, c->base);
    hie_params_array(&params, &gone);
    hie_params_array(&params, &id);
    hie_params_array(&params, &url);
    hie_params_array(&params, &mark);
    hie_params_array(&params, &types);
    return run(tx, change_sql, &params, &res, err);
}


/*
 * Passes.
 */

/*
 * A statement that writes resources has the lock of its table before it takes
 * its snapshot, and keeps it until its transaction ends. So one that has not
 * seen a generation is among these, or has ended, for who asks after having
 * seen it.
 */
hie_rc_t
hie_store_writers(hie_store_t *s, const hie_str_t *among, int n_among,
                  apr_pool_t *pool, hie_str_t **out, int *n,
                  hie_error_t *err)
{
    hie_params_t   params;
    hie_array_t    names;
    PGresult      *res;
    hie_rc_t       rc;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    hie_array_init(&names, pool, HIE_PG_TEXT, 64);
    for (i = 0; i < n_among; i++) {
        hie_array_str(&names, among[i]);
    }
    hie_params_init(&params, pool);
    hie_params_array(&params, &names);
    hie_params_i64(&params, among != NULL);
    rc = ask(s, "SELECT l.virtualtransaction FROM pg_catalog.pg_locks l"
             " WHERE l.locktype = 'relation'"
             " AND l.relation = 'hie.resource'::regclass"
             " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
             " WHERE d.datname = current_database())"
             " AND l.mode = 'RowExclusiveLock' AND l.granted"
             " AND ($2::bigint = 0"
             " OR l.virtualtransaction = ANY ($1::text[]))",
             &params, pool, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    *n = PQntuples(res);
    *out = apr_palloc(pool, sizeof(**out) * (size_t) (*n + 1));
    for (i = 0; i < *n; i++) {
        (*out)[i] = hie_result_str(res, i, 0);
    }
    return HIE_OK;
}


hie_rc_t
hie_store_pass_take(hie_store_tx_t *tx, hie_store_pass_t *out,
                    hie_error_t *err)
{
    PGresult  *res;
    hie_rc_t   rc;

    HIE_ASSERT_MAY_BLOCK();

    rc = run(tx, "SELECT " PASS " FROM hie.reindex x"
             " WHERE x.done < x.wanted ORDER BY x.type LIMIT 1"
             " FOR UPDATE SKIP LOCKED", NULL, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (PQntuples(res) == 0) {
        return HIE_NOT_FOUND;
    }
    get_pass(res, 0, 0, out);
    return HIE_OK;
}


hie_rc_t
hie_store_pass_begin(hie_store_tx_t *tx, hie_store_pass_t *pass,
                     int64_t generation, hie_error_t *err)
{
    hie_params_t   params;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    hie_params_init(&params, tx->pool);
    hie_params_str(&params, pass->type);
    hie_params_i64(&params, generation);
    rc = run(tx, "UPDATE hie.reindex x SET pass = $2::bigint,"
             " first = m.first, last = m.last, place = m.first - 1, rows = 0"
             " FROM (SELECT coalesce(min(e.first), 0) AS first,"
             " coalesce(max(e.last), 0) AS last"
             " FROM unnest(ARRAY[$1::text, '#' || $1::text]) t(type)"
             " CROSS JOIN LATERAL (SELECT min(r.rid) AS first,"
             " max(r.rid) AS last FROM hie.resource r"
             " WHERE r.type = t.type) e) m WHERE x.type = $1::text"
             " RETURNING " PASS, &params, &res, err);
    if (rc == HIE_OK) {
        get_pass(res, 0, 0, pass);
    }
    return rc;
}


hie_rc_t
hie_store_pass_set(hie_store_tx_t *tx, const hie_store_pass_t *pass,
                   hie_error_t *err)
{
    hie_params_t   params;
    PGresult      *res;

    HIE_ASSERT_MAY_BLOCK();

    hie_params_init(&params, tx->pool);
    hie_params_str(&params, pass->type);
    hie_params_i64(&params, pass->place);
    hie_params_i64(&params, pass->rows);
    hie_params_i64(&params, pass->done);
    return run(tx, "UPDATE hie.reindex SET place = $2::bigint,"
               " rows = $3::bigint, done = $4::bigint"
               " WHERE type = $1::text", &params, &res, err);
}


int
hie_store_pass_percent(const hie_store_pass_t *p, int64_t generation)
{
    if (p->done >= generation) {
        return 100;
    }

    if (p->pass <= p->done || p->pass < generation || p->last < p->first) {
        return 0;
    }

    return (int) ((double) (p->place - p->first + 1) * 100
                  / (double) (p->last - p->first + 1));
}
