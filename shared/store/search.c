/*
 * Search.
 *
 * Criteria lead to a set of places (rid) in a materialised CTE, and the page
 * is cut out of that: left to itself the planner would walk the rows of the
 * type in the order of rid and hope to meet enough matches soon. Without
 * criteria this walk is the right thing.
 */

#include "store/private.h"

#include <stdlib.h>

#include <apr_strings.h>


/* Stands behind every character in the order of the C collation, so that
 * values with the prefix p lie between p and p followed by it. */
#define LAST_CHARACTER  "\xf4\x8f\xbf\xbf"

typedef struct {
    hie_buf_t             sql;
    hie_params_t          params;
    const hie_query_t    *query;
    const hie_visible_t  *visible;
    hie_see_t             see;
    int                   p_type;       /* numbers of parameters */
    int                   p_actors;
    bool                  bodies;
} search_t;


static bool
has_criteria(const hie_query_t *q)
{
    return q->n_ids > 0 || q->n_tokens > 0 || q->n_strings > 0;
}


/* The predicate for an alias of the resource table, with what every row of
 * this search has in common. */
static void
add_base(search_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.type = $%d::text AND NOT %s.deleted AND ",
                 alias, w->p_type, alias);
    hie_visible_sql(&w->sql, w->see, alias, w->p_actors);
}


static int
add_strings(search_t *w, const hie_str_t *any, int n, const char *suffix)
{
    hie_array_t  *a = apr_palloc(w->params.pool, sizeof(*a));
    hie_str_t     s;
    hie_buf_t     b;
    int           i;

    hie_array_init(a, w->params.pool, HIE_PG_TEXT, 64);
    for (i = 0; i < n; i++) {
        s = hie_string_indexed(any[i]);
        if (suffix[0] != '\0') {
            hie_buf_init(&b, w->params.pool, s.len + 8);
            hie_buf_adds(&b, s);
            hie_buf_addz(&b, suffix);
            s = hie_buf_str(&b);
        }
        hie_array_str(a, s);
    }
    hie_params_array(&w->params, a);
    return w->params.n;
}


/* A derived table `sN` of the places where one string criterion holds. */
static void
add_string_table(search_t *w, const hie_query_string_t *c, int number)
{
    int  param, low;

    hie_params_str(&w->params, hie_str(c->param));
    param = w->params.n;

    hie_buf_addz(&w->sql, "(SELECT DISTINCT s.rid FROM ");
    low = add_strings(w, c->any, c->n, "");
    if (c->match == HIE_MATCH_PREFIX) {
        hie_buf_addf(&w->sql, "unnest($%d::text[], $%d::text[]) AS q(v, w)",
                     low, add_strings(w, c->any, c->n, LAST_CHARACTER));
    } else {
        hie_buf_addf(&w->sql, "unnest($%d::text[]) AS q(v)", low);
    }
    hie_buf_addf(&w->sql, " JOIN hie.resource_string s ON s.type = $%d::text"
                 " AND s.param = $%d::text AND ", w->p_type, param);

    switch (c->match) {
    case HIE_MATCH_PREFIX:
        hie_buf_addz(&w->sql, "s.value >= q.v AND s.value < q.w");
        break;
    case HIE_MATCH_EXACT:
        hie_buf_addz(&w->sql, "s.value = q.v");
        break;
    default:
        hie_buf_addz(&w->sql, "strpos(s.value, q.v) > 0");
        break;
    }
    hie_buf_addf(&w->sql, ") s%d", number);
}


/* Criteria with one token are one condition: the index intersects them. */
static void
add_tokens(search_t *w)
{
    const hie_query_t  *q = w->query;
    uint64_t           *single;
    int                 n = 0;
    int                 i;

    single = apr_palloc(w->params.pool,
                        (size_t) (q->n_tokens + 1) * sizeof(*single));
    for (i = 0; i < q->n_tokens; i++) {
        if (q->tokens[i].n == 1) {
            single[n++] = q->tokens[i].any[0];
        }
    }
    if (n > 0) {
        hie_params_keys(&w->params, single, n);
        hie_buf_addf(&w->sql, " AND r.tokens @> $%d::bigint[]", w->params.n);
    }

    for (i = 0; i < q->n_tokens; i++) {
        if (q->tokens[i].n != 1) {
            hie_params_keys(&w->params, q->tokens[i].any, q->tokens[i].n);
            hie_buf_addf(&w->sql, " AND r.tokens && $%d::bigint[]",
                         w->params.n);
        }
    }
}


/* FROM and WHERE of all matches, under the alias r. */
static void
add_matches(search_t *w)
{
    const hie_query_t  *q = w->query;
    int                 i;

    hie_buf_addz(&w->sql, " FROM ");
    for (i = 0; i < q->n_strings; i++) {
        add_string_table(w, &q->strings[i], i);
        hie_buf_addz(&w->sql, i == 0 ? " JOIN " : " USING (rid) JOIN ");
    }
    hie_buf_addz(&w->sql, "hie.resource r");
    if (q->n_strings > 0) {
        hie_buf_addz(&w->sql, " USING (rid)");
    }
    hie_buf_addz(&w->sql, " WHERE ");
    add_base(w, "r");

    if (q->n_ids > 0) {
        hie_buf_addf(&w->sql, " AND r.id = ANY ($%d::text[])",
                     add_strings(w, q->ids, q->n_ids, ""));
    }
    add_tokens(w);
}


static void
add_columns(search_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.rid, %s.id, %s.version, %s.updated,"
                 " %s.patients, ", alias, alias, alias, alias, alias);
    if (w->bodies) {
        hie_buf_addf(&w->sql, "%s.body", alias);
    } else {
        hie_buf_addz(&w->sql, "''::bytea AS body");
    }
}


/* One row more than the page: whether there is a next one. */
static void
add_page(search_t *w, int p_after, int p_limit)
{
    if (has_criteria(w->query)) {
        hie_buf_addz(&w->sql, "SELECT ");
        add_columns(w, "x");
        hie_buf_addf(&w->sql, " FROM (SELECT rid FROM m"
                     " WHERE rid > $%d::bigint ORDER BY rid"
                     " LIMIT $%d::bigint) l"
                     " JOIN hie.resource x ON x.rid = l.rid AND ",
                     p_after, p_limit);
        add_base(w, "x");
        hie_buf_addz(&w->sql, " ORDER BY l.rid");
        return;
    }

    hie_buf_addz(&w->sql, "SELECT ");
    add_columns(w, "r");
    hie_buf_addf(&w->sql, " FROM hie.resource r WHERE r.rid > $%d::bigint"
                 " AND ", p_after);
    add_base(w, "r");
    hie_buf_addf(&w->sql, " ORDER BY r.rid LIMIT $%d::bigint", p_limit);
}


static void
add_total(search_t *w)
{
    if (has_criteria(w->query)) {
        hie_buf_addz(&w->sql, "SELECT count(*) AS total FROM m");
        return;
    }
    hie_buf_addz(&w->sql, "SELECT count(*) AS total FROM hie.resource r"
                 " WHERE ");
    add_base(w, "r");
}


/* The statement has one shape for each kind of query; the values, their
 * number and the size of the page do not change its text. */
static void
build(search_t *w)
{
    const hie_query_t  *q = w->query;
    int                 p_after, p_limit;

    hie_params_str(&w->params, q->type);
    w->p_type = w->params.n;
    hie_visible_param(&w->params, w->visible);
    w->p_actors = w->params.n;

    if (has_criteria(q)) {
        hie_buf_addz(&w->sql, "WITH m AS MATERIALIZED (SELECT r.rid");
        add_matches(w);
        hie_buf_addz(&w->sql, ") ");
    }

    if (q->count == 0) {
        hie_buf_addz(&w->sql, "SELECT t.total FROM (");
        add_total(w);
        hie_buf_addz(&w->sql, ") t");
    } else {
        hie_params_i64(&w->params, q->after);
        p_after = w->params.n;
        hie_params_i64(&w->params, (int64_t) q->count + 1);
        p_limit = w->params.n;

        if (q->total) {
            hie_buf_addz(&w->sql, "SELECT t.total, p.* FROM (");
            add_total(w);
            hie_buf_addz(&w->sql, ") t LEFT JOIN (");
            add_page(w, p_after, p_limit);
            hie_buf_addz(&w->sql, ") p ON true ORDER BY p.rid");
        } else {
            hie_buf_addz(&w->sql, "SELECT NULL::bigint AS total, p.* FROM (");
            add_page(w, p_after, p_limit);
            hie_buf_addz(&w->sql, ") p ORDER BY p.rid");
        }
    }
    hie_buf_addc(&w->sql, '\0');
}


static void
take_rows(PGresult *res, const hie_query_t *q, apr_pool_t *pool,
          hie_found_t *out)
{
    hie_str_t   type = hie_str_dup(pool, q->type);
    hie_row_t  *row;
    int         n = PQntuples(res);
    int         i;

    hie_result_own(res, pool);
    if (n > 0 && !PQgetisnull(res, 0, 0)) {
        out->total = hie_result_i64(res, 0, 0);
    }
    if (q->count == 0 || n == 0 || PQgetisnull(res, 0, 1)) {
        return;
    }

    if (n > q->count) {
        n = q->count;
        out->next = hie_result_i64(res, n - 1, 1);
    }
    out->n = n;
    out->rows = apr_pcalloc(pool, (size_t) n * sizeof(*out->rows));
    for (i = 0; i < n; i++) {
        row = &out->rows[i];
        row->type = type;
        row->rid = hie_result_i64(res, i, 1);
        row->id = hie_result_str(res, i, 2);
        row->version = hie_result_i64(res, i, 3);
        row->updated = hie_result_time(res, i, 4);
        row->patients = hie_result_keys(res, i, 5, pool, &row->n_patients);
        row->body = hie_result_str(res, i, 6);
    }
}


/* Every criterion takes at most three parameters. */
static hie_rc_t
check_query(const hie_query_t *q, hie_error_t *err)
{
    if (q->n_tokens + 3 * q->n_strings + 8 > HIE_PARAMS_MAX) {
        return hie_fail(err, HIE_INVALID, "", "too many search criteria");
    }
    if (q->count < 0) {
        return hie_fail(err, HIE_INTERNAL, "", "a negative page size");
    }
    return HIE_OK;
}


static hie_rc_t
prepare_search(search_t *w, const hie_visible_t *v, const hie_query_t *q,
               bool bodies, apr_pool_t *pool, hie_stmt_t *st,
               hie_found_t *out, hie_error_t *err)
{
    hie_rc_t  rc = check_query(q, err);

    *out = (hie_found_t) { .total = -1 };
    if (rc != HIE_OK) {
        return rc;
    }

    w->query = q;
    w->visible = v;
    w->see = hie_visible_see(v);
    w->bodies = bodies;
    hie_buf_init(&w->sql, pool, 2048);
    hie_params_init(&w->params, pool);
    build(w);
    hie_store_stmt(st, w->sql.ptr);
    return HIE_OK;
}


hie_rc_t
hie_store_search(hie_store_t *s, const hie_visible_t *v, const hie_query_t *q,
                 apr_pool_t *pool, hie_found_t *out, hie_error_t *err)
{
    search_t     w;
    hie_stmt_t   st;
    PGresult    *res;
    hie_rc_t     rc;

    HIE_ASSERT_MAY_BLOCK();

    rc = prepare_search(&w, v, q, true, pool, &st, out, err);
    if (rc != HIE_OK) {
        return rc;
    }
    rc = hie_store_query(s, &st, &w.params, &res, err);
    if (rc == HIE_OK) {
        take_rows(res, q, pool, out);
    }
    return rc;
}


/* As many searches as a pipeline takes beside a BEGIN and the locks. */
#define TOGETHER  14

static int
compare_locks(const void *a, const void *b)
{
    const hie_store_lock_t  *x = a, *y = b;

    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->shared - y->shared;        /* exclusive ones first */
}


/* The statement that takes the locks, each once. Every statement sees what was
 * committed when it began: those behind it see what was before the locks. */
static void
add_locks(hie_store_tx_t *tx, const hie_store_lock_t *locks, int n,
          hie_params_t *params, hie_op_t *op)
{
    hie_store_lock_t  *sorted;
    hie_array_t        key, shared;
    int                i;

    sorted = apr_pmemdup(tx->pool, locks, (size_t) n * sizeof(*locks));
    qsort(sorted, (size_t) n, sizeof(*sorted), compare_locks);
    hie_array_init(&key, tx->pool, HIE_PG_INT8, 16 * (size_t) n);
    hie_array_init(&shared, tx->pool, HIE_PG_BOOL, 8 * (size_t) n);
    for (i = 0; i < n; i++) {
        if (i == 0 || sorted[i].key != sorted[i - 1].key) {
            hie_array_i64(&key, (int64_t) sorted[i].key);
            hie_array_bool(&shared, sorted[i].shared);
        }
    }

    hie_params_init(params, tx->pool);
    hie_params_array(params, &key);
    hie_params_array(params, &shared);
    *op = (hie_op_t) { &tx->store->locks, params, NULL };
}


static hie_rc_t
find_together(hie_store_tx_t *tx, const hie_visible_t *v,
              const hie_store_lock_t *locks, int n_locks,
              const hie_query_t *queries, int n, hie_found_t *out,
              hie_error_t *err)
{
    search_t      *w;
    hie_params_t   lock_params;
    hie_stmt_t     st[TOGETHER];
    hie_op_t       ops[TOGETHER + 1];
    hie_rc_t       rc;
    int            i, first = n_locks > 0;

    if (n_locks > 0) {
        add_locks(tx, locks, n_locks, &lock_params, &ops[0]);
    }
    w = apr_palloc(tx->pool, sizeof(*w) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        rc = prepare_search(&w[i], v, &queries[i], false, tx->pool, &st[i],
                            &out[i], err);
        if (rc != HIE_OK) {
            return rc;
        }
        ops[first + i] = (hie_op_t) { &st[i], &w[i].params, NULL };
    }

    rc = hie_store_tx_run(tx, ops, first + n, err);
    if (rc == HIE_OK && first) {
        PQclear(ops[0].res);
    }
    for (i = 0; rc == HIE_OK && i < n; i++) {
        take_rows(ops[first + i].res, &queries[i], tx->pool, &out[i]);
    }
    return rc;
}


hie_rc_t
hie_store_find(hie_store_tx_t *tx, const hie_visible_t *v,
               const hie_store_lock_t *locks, int n_locks,
               const hie_query_t *queries, int n, hie_found_t *out,
               hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;
    int       i, m;

    HIE_ASSERT_MAY_BLOCK();

    for (i = 0; rc == HIE_OK && (i < n || n_locks > 0); i += m) {
        m = n - i < TOGETHER ? n - i : TOGETHER;
        rc = find_together(tx, v, locks, n_locks, queries + i, m, out + i,
                           err);
        n_locks = 0;
    }
    return rc;
}
