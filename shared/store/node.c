/*
 * What belongs to a node: places in journals, dead letters; and the small
 * tables of all: secret, state of loading, numbers.
 */

#include "store/private.h"

#include <string.h>

#include <apr_strings.h>


/* A statement that names a table of the node: `fmt` has one %s per use of
 * the schema's name. */
static hie_rc_t
node_stmt(hie_stmt_t *st, const char *node, apr_pool_t *pool, const char *fmt,
          hie_error_t *err)
{
    const char  *schema;
    hie_rc_t     rc = hie_node_schema(node, pool, &schema, err);

    if (rc == HIE_OK) {
        hie_store_stmt(st, apr_psprintf(pool, fmt, schema));
    }
    return rc;
}


hie_rc_t
hie_store_secret(hie_store_t *s, unsigned char out[32], hie_error_t *err)
{
    hie_stmt_t   st;
    PGresult    *res;
    hie_str_t    value = HIE_STR_NONE;
    hie_rc_t     rc;

    HIE_ASSERT_MAY_BLOCK();

    hie_store_stmt(&st, "SELECT value FROM hie.secret");
    rc = hie_store_query(s, &st, NULL, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (PQntuples(res) == 1) {
        value = hie_result_str(res, 0, 0);
    }
    if (value.len == 32) {
        memcpy(out, value.ptr, 32);
    } else {
        rc = hie_fail(err, HIE_INTERNAL, "", "the exchange has no secret");
    }
    PQclear(res);
    return rc;
}


hie_rc_t
hie_store_places(hie_store_t *s, const char *node, const char *journal,
                 apr_pool_t *pool, hie_store_place_t **out, int *n,
                 hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_str_t      segment;
    hie_rc_t       rc;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    *out = NULL;
    *n = 0;
    rc = node_stmt(&st, node, pool, "SELECT segment, place"
                   " FROM %s.journal_place WHERE journal = $1::text"
                   " ORDER BY segment", err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_params_init(&params, pool);
    hie_params_str(&params, hie_str(journal));
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    *n = PQntuples(res);
    *out = apr_pcalloc(pool, (size_t) (*n + 1) * sizeof(**out));
    for (i = 0; i < *n; i++) {
        segment = hie_result_str(res, i, 0);
        apr_snprintf((*out)[i].segment, sizeof((*out)[i].segment), "%.*s",
                     HIE_PRISTR(segment));
        (*out)[i].offset = (uint64_t) hie_result_i64(res, i, 1);
    }
    PQclear(res);
    return HIE_OK;
}


/* Runs one statement of a transaction that has nothing to say. */
static hie_rc_t
run_quiet(hie_store_tx_t *tx, const hie_stmt_t *st, const hie_params_t *p,
          hie_error_t *err)
{
    hie_op_t  op = { st, p, NULL };
    hie_rc_t  rc = hie_store_tx_run(tx, &op, 1, err);

    PQclear(op.res);
    return rc;
}


hie_rc_t
hie_store_set_places(hie_store_tx_t *tx, const char *node,
                     const char *journal, const hie_store_place_t *places,
                     int n, hie_error_t *err)
{
    hie_params_t  params;
    hie_array_t   segment, place;
    hie_stmt_t    st;
    hie_rc_t      rc;
    int           i;

    HIE_ASSERT_MAY_BLOCK();

    if (n == 0) {
        return HIE_OK;
    }
    rc = node_stmt(&st, node, tx->pool, "INSERT INTO %s.journal_place AS j"
                   " (journal, segment, place)"
                   " SELECT $1::text, u.segment, u.place"
                   " FROM unnest($2::text[], $3::bigint[])"
                   " AS u(segment, place)"
                   " ON CONFLICT (journal, segment)"
                   " DO UPDATE SET place = excluded.place", err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_array_init(&segment, tx->pool, HIE_PG_TEXT, (size_t) n * 32);
    hie_array_init(&place, tx->pool, HIE_PG_INT8, (size_t) n * 12);
    for (i = 0; i < n; i++) {
        hie_array_str(&segment, hie_str(places[i].segment));
        hie_array_i64(&place, (int64_t) places[i].offset);
    }
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, hie_str(journal));
    hie_params_array(&params, &segment);
    hie_params_array(&params, &place);

    return run_quiet(tx, &st, &params, err);
}


/* Removing what is not there any more is no error, so that this can be tried
 * again like a read. */
hie_rc_t
hie_store_forget_place(hie_store_t *s, const char *node, const char *journal,
                       const char *segment, hie_error_t *err)
{
    apr_pool_t    *scratch;
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    scratch = hie_pool_create(NULL, "store place");
    rc = node_stmt(&st, node, scratch, "DELETE FROM %s.journal_place"
                   " WHERE journal = $1::text AND segment = $2::text", err);
    if (rc == HIE_OK) {
        hie_params_init(&params, scratch);
        hie_params_str(&params, hie_str(journal));
        hie_params_str(&params, hie_str(segment));
        rc = hie_store_query(s, &st, &params, &res, err);
        if (rc == HIE_OK) {
            PQclear(res);
        }
    }
    apr_pool_destroy(scratch);
    return rc;
}


hie_rc_t
hie_store_dead_letter(hie_store_tx_t *tx, const char *node, const char *id,
                      hie_str_t message, hie_str_t source,
                      const hie_error_t *why, hie_error_t *err)
{
    hie_params_t  params;
    hie_stmt_t    st;
    hie_rc_t      rc;

    HIE_ASSERT_MAY_BLOCK();

    rc = node_stmt(&st, node, tx->pool, "INSERT INTO %s.dead_letter"
                   " (id, source, location, reason, message)"
                   " VALUES ($1::text, $2::text, $3::text, $4::text,"
                   " $5::bytea) ON CONFLICT (id) DO NOTHING", err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, hie_str(id));
    hie_params_str(&params, source);
    hie_params_str(&params, hie_str(why != NULL ? why->where : NULL));
    hie_params_str(&params, hie_str(why != NULL ? why->detail : NULL));
    hie_params_str(&params, message);

    return run_quiet(tx, &st, &params, err);
}


hie_rc_t
hie_store_load_state(hie_store_t *s, const char *digest, int64_t *done,
                     hie_error_t *err)
{
    apr_pool_t    *scratch;
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    *done = 0;
    scratch = hie_pool_create(NULL, "store load");
    hie_store_stmt(&st, "SELECT done FROM hie.load_state"
                   " WHERE digest = $1::text");
    hie_params_init(&params, scratch);
    hie_params_str(&params, hie_str(digest));
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc == HIE_OK) {
        if (PQntuples(res) > 0) {
            *done = hie_result_i64(res, 0, 0);
        }
        PQclear(res);
    }
    apr_pool_destroy(scratch);
    return rc;
}


hie_rc_t
hie_store_set_load_state(hie_store_tx_t *tx, const char *digest,
                         int64_t done, hie_error_t *err)
{
    hie_params_t  params;
    hie_stmt_t    st;

    HIE_ASSERT_MAY_BLOCK();

    hie_store_stmt(&st, "INSERT INTO hie.load_state (digest, done)"
                   " VALUES ($1::text, $2::bigint) ON CONFLICT (digest)"
                   " DO UPDATE SET done = excluded.done, updated = now()");
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, hie_str(digest));
    hie_params_i64(&params, done);

    return run_quiet(tx, &st, &params, err);
}


hie_rc_t
hie_store_status(hie_store_t *s, const char *node, hie_store_status_t *out,
                 hie_error_t *err)
{
    apr_pool_t  *scratch;
    const char  *schema;
    hie_stmt_t   st;
    PGresult    *res;
    hie_rc_t     rc;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_store_status_t) { 0 };
    scratch = hie_pool_create(NULL, "store status");
    rc = hie_node_schema(node, scratch, &schema, err);
    if (rc == HIE_OK) {
        hie_store_stmt(&st, apr_psprintf(scratch, "SELECT"
            " (SELECT count(*) FROM hie.resource"
            " WHERE NOT deleted AND owner IS NULL),"
            " (SELECT count(*) FROM hie.resource_history),"
            " (SELECT count(*) FROM %s.audit_log),"
            " (SELECT count(*) FROM %s.audit_log WHERE completed IS NULL),"
            " (SELECT count(*) FROM %s.dead_letter),"
            " (SELECT max(version) FROM hie.schema_version)",
            schema, schema, schema));
        rc = hie_store_query(s, &st, NULL, &res, err);
    }
    if (rc == HIE_OK) {
        out->resources = hie_result_i64(res, 0, 0);
        out->versions = hie_result_i64(res, 0, 1);
        out->audit = hie_result_i64(res, 0, 2);
        out->audit_open = hie_result_i64(res, 0, 3);
        out->dead_letters = hie_result_i64(res, 0, 4);
        out->schema = (int) hie_result_i64(res, 0, 5);
        PQclear(res);
    }
    apr_pool_destroy(scratch);
    return rc;
}
