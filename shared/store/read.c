/*
 * One resource: its current version, an older one, the one to be changed.
 */

#include "store/private.h"

#include <apr_strings.h>


/* As many as a pipeline takes. */
#define HIE_READS_MAX  16


/* Makes one statement for each way of seeing: `head`, the predicate on
 * `alias` as condition or column, `tail`. */
static void
make_kinds(hie_store_t *s, hie_stmt_t *stmts, const char *head,
           const char *alias, int param, const char *tail)
{
    hie_buf_t  b;
    int        see;

    for (see = 0; see < HIE_SEE_KINDS; see++) {
        hie_buf_init(&b, s->pool, 1024);
        hie_buf_addz(&b, head);
        hie_visible_sql(&b, (hie_see_t) see, alias, param);
        hie_buf_addz(&b, tail);
        hie_buf_addc(&b, '\0');
        hie_store_stmt(&stmts[see], b.ptr);
    }
}


static void
make_vread(hie_store_t *s)
{
    hie_buf_t  b;
    int        see;

    for (see = 0; see < HIE_SEE_KINDS; see++) {
        hie_buf_init(&b, s->pool, 2048);
        hie_buf_addz(&b,
            "SELECT x.version, x.updated, x.deleted, x.patients, x.body"
            " FROM hie.resource r, LATERAL ("
            "SELECT r.version, r.updated, r.deleted, r.patients, r.body"
            " WHERE r.version = $4::bigint"
            " UNION ALL "
            "SELECT h.version, h.updated, h.deleted, h.patients, h.body"
            " FROM hie.resource_history h"
            " WHERE h.type = $2::text AND h.id = $3::text"
            " AND h.version = $4::bigint) x WHERE "
            HIE_IS_ROW("r", "$1::bigint", "$2::text", "$3::text") " AND ");
        hie_visible_sql(&b, (hie_see_t) see, "r", 5);
        hie_buf_addz(&b, " AND ");
        hie_visible_sql(&b, (hie_see_t) see, "x", 5);
        hie_buf_addc(&b, '\0');
        hie_store_stmt(&s->vread[see], b.ptr);
    }
}


/* Rows are locked one after the other, in the order of the arrays. A change
 * does not keep others from referring to the row, a deletion does. */
#define CURRENT_TAIL(lock)                                                    \
    ") AS visible FROM hie.resource r WHERE "                                 \
    HIE_IS_ROW("r", "u.key", "u.type", "u.id") " FOR " lock " OF r) r"

static const char *const  current_tails[HIE_ROW_LOCKS] = {
    [HIE_ROW_REFER] = CURRENT_TAIL("KEY SHARE"),
    [HIE_ROW_CHANGE] = CURRENT_TAIL("NO KEY UPDATE"),
    [HIE_ROW_DELETE] = CURRENT_TAIL("UPDATE")
};


void
hie_read_statements(hie_store_t *s)
{
    int  i;

    make_kinds(s, s->read,
               "SELECT r.version, r.updated, r.deleted, r.patients, r.body"
               " FROM hie.resource r WHERE "
               HIE_IS_ROW("r", "$1::bigint", "$2::text", "$3::text") " AND ",
               "r", 4, "");
    for (i = HIE_ROW_REFER; i < HIE_ROW_LOCKS; i++) {
        make_kinds(s, s->current[i],
                   "SELECT u.ord, r.version, r.updated, r.deleted, r.patients,"
                   " r.body, r.visible FROM unnest($1::bigint[], $2::text[],"
                   " $3::text[], $4::bool[]) WITH ORDINALITY"
                   " AS u(key, type, id, body, ord),"
                   " LATERAL (SELECT r.version, r.updated, r.deleted,"
                   " r.patients, CASE WHEN u.body THEN r.body END AS body, (",
                   "r", 5, current_tails[i]);
    }
    make_kinds(s, s->any_token,
               "SELECT k.ord FROM unnest($1::bigint[]) WITH ORDINALITY"
               " AS k(key, ord) WHERE EXISTS (SELECT FROM hie.resource r"
               " WHERE r.tokens @> ARRAY[k.key] AND r.owner IS NULL"
               " AND NOT r.deleted AND ",
               "r", 2, ") ORDER BY k.ord LIMIT 1");
    make_vread(s);
}


/* The body stays where libpq put it. */
static void
fill_row(PGresult *res, hie_str_t type, hie_str_t id, apr_pool_t *pool,
         hie_row_t *row)
{
    hie_result_own(res, pool);

    row->type = type;
    row->id = id;
    row->version = hie_result_i64(res, 0, 0);
    row->updated = hie_result_time(res, 0, 1);
    row->deleted = hie_result_bool(res, 0, 2);
    row->patients = hie_result_keys(res, 0, 3, pool, &row->n_patients);
    row->body = hie_result_str(res, 0, 4);
}


static hie_rc_t
not_found(hie_error_t *err)
{
    return hie_fail(err, HIE_NOT_FOUND, "", "there is no such resource");
}


/* What a read found. */
static hie_rc_t
take_row(PGresult *res, hie_str_t type, hie_str_t id, apr_pool_t *pool,
         hie_row_t *row, hie_error_t *err)
{
    if (PQntuples(res) == 0) {
        PQclear(res);
        return not_found(err);
    }

    fill_row(res, hie_str_dup(pool, type), hie_str_dup(pool, id), pool, row);
    if (row->deleted) {
        return hie_fail(err, HIE_GONE, "", "the resource was deleted");
    }
    return HIE_OK;
}


static void
read_params(hie_params_t *params, const hie_store_read_t *r)
{
    hie_params_init(params, r->pool);
    hie_params_row(params, r->type, r->id);
    hie_visible_param(params, r->visible);
}


void
hie_store_read_many(hie_store_t *s, hie_store_read_t *reads, int n)
{
    hie_op_t       ops[HIE_READS_MAX];
    hie_params_t   params[HIE_READS_MAX];
    hie_error_t    err;
    hie_wire_t     wire = HIE_WIRE_ERROR;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    for (i = 0; i < n && n <= HIE_READS_MAX; i++) {
        read_params(&params[i], &reads[i]);
        ops[i] = (hie_op_t) {
            &s->read[hie_visible_see(reads[i].visible)], &params[i], NULL
        };
    }
    if (n > 1 && n <= HIE_READS_MAX) {
        wire = hie_store_run_together(s, ops, n, &err);
    }

    for (i = 0; i < n; i++) {
        hie_store_read_t  *r = &reads[i];

        if (wire == HIE_WIRE_OK) {
            r->row = (hie_row_t) { .type = HIE_STR_NONE };
            r->rc = take_row(ops[i].res, r->type, r->id, r->pool, &r->row,
                             r->err);
        } else if (wire == HIE_WIRE_TIMEOUT) {
            r->rc = hie_fail(r->err, err.rc, err.where, "%s", err.detail);
        } else {
            r->rc = hie_store_read(s, r->visible, r->type, r->id, 0, r->pool,
                                   &r->row, r->err);
        }
    }
}


hie_rc_t
hie_store_read(hie_store_t *s, const hie_visible_t *v, hie_str_t type,
               hie_str_t id, int64_t version, apr_pool_t *pool,
               hie_row_t *row, hie_error_t *err)
{
    hie_see_t      see = hie_visible_see(v);
    hie_params_t   params;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    *row = (hie_row_t) { .type = HIE_STR_NONE };
    hie_params_init(&params, pool);
    hie_params_row(&params, type, id);
    if (version != 0) {
        hie_params_i64(&params, version);
    }
    hie_visible_param(&params, v);

    rc = hie_store_query(s, version != 0 ? &s->vread[see] : &s->read[see],
                         &params, &res, err);
    return rc == HIE_OK ? take_row(res, type, id, pool, row, err) : rc;
}


/* One row of the answer of a current statement. */
static void
fill_current(PGresult *res, int i, apr_pool_t *pool,
             hie_store_current_t *rows)
{
    hie_store_current_t  *c = &rows[hie_result_i64(res, i, 0) - 1];
    hie_row_t            *row = &c->row;

    c->exists = true;
    c->visible = hie_result_bool(res, i, 6);
    row->type = c->type;
    row->id = c->id;
    row->version = hie_result_i64(res, i, 1);
    row->updated = hie_result_time(res, i, 2);
    row->deleted = hie_result_bool(res, i, 3);
    row->patients = hie_result_keys(res, i, 4, pool, &row->n_patients);
    if (c->want_body) {
        row->body = hie_result_str(res, i, 5);
    }
}


hie_rc_t
hie_store_current(hie_store_tx_t *tx, const hie_visible_t *v,
                  hie_row_lock_t lock, hie_store_current_t *rows, int n,
                  hie_error_t *err)
{
    hie_params_t  params;
    hie_array_t   key, type, id, body;
    hie_op_t      op = { &tx->store->current[lock][hie_visible_see(v)],
                         &params, NULL };
    hie_rc_t      rc;
    int           i;

    HIE_ASSERT_MAY_BLOCK();

    hie_array_init(&key, tx->pool, HIE_PG_INT8, 16 * (size_t) n);
    hie_array_init(&type, tx->pool, HIE_PG_TEXT, 16 * (size_t) n);
    hie_array_init(&id, tx->pool, HIE_PG_TEXT, 48 * (size_t) n);
    hie_array_init(&body, tx->pool, HIE_PG_BOOL, 8 * (size_t) n);
    for (i = 0; i < n; i++) {
        rows[i].exists = false;
        rows[i].visible = false;
        rows[i].row = (hie_row_t) { .type = HIE_STR_NONE };
        hie_array_i64(&key, (int64_t) hie_fhir_resource_key(rows[i].type,
                                                            rows[i].id));
        hie_array_str(&type, rows[i].type);
        hie_array_str(&id, rows[i].id);
        hie_array_bool(&body, rows[i].want_body);
    }
    hie_params_init(&params, tx->pool);
    hie_params_array(&params, &key);
    hie_params_array(&params, &type);
    hie_params_array(&params, &id);
    hie_params_array(&params, &body);
    hie_visible_param(&params, v);

    rc = n > 0 ? hie_store_tx_run(tx, &op, 1, err) : HIE_OK;
    if (rc != HIE_OK || n == 0) {
        return rc;
    }

    hie_result_own(op.res, tx->pool);
    for (i = 0; i < PQntuples(op.res); i++) {
        fill_current(op.res, i, tx->pool, rows);
    }
    return HIE_OK;
}


hie_rc_t
hie_store_any_token(hie_store_tx_t *tx, const hie_visible_t *v,
                    const uint64_t *tokens, int n, int *first,
                    hie_error_t *err)
{
    hie_params_t  params;
    hie_op_t      op = { &tx->store->any_token[hie_visible_see(v)], &params,
                         NULL };
    hie_rc_t      rc;

    HIE_ASSERT_MAY_BLOCK();

    *first = -1;
    hie_params_init(&params, tx->pool);
    hie_params_keys(&params, tokens, n);
    hie_visible_param(&params, v);
    rc = hie_store_tx_run(tx, &op, 1, err);
    if (rc == HIE_OK) {
        if (PQntuples(op.res) > 0) {
            *first = (int) hie_result_i64(op.res, 0, 0) - 1;
        }
        PQclear(op.res);
    }
    return rc;
}
