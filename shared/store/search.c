/*
 * Search: statements for a page and for the total.
 */

#include "store/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


/* Of a row, before its sort keys; and with its references. */
#define COLUMNS             7
#define COLUMNS_REFERENCES  9

/* What a row costs when it is walked to, against one that an index of its
 * criteria leads to and that has to be sorted. */
#define WALK_COST  4

/* An estimate counts so far itself. */
#define COUNT_MAX  10000


void
hie_find_init(hie_find_t *w, const hie_query_t *q, const hie_visible_t *v,
              const hie_frequencies_t *f, apr_pool_t *pool)
{
    memset(w, 0, sizeof(*w));
    w->pool = pool;
    w->query = q;
    w->frequencies = f;
    w->references = q != NULL && q->references;
    w->see = hie_visible_see(v);
    hie_buf_init(&w->sql, pool, 2048);
    hie_params_init(&w->params, pool);
    hie_visible_param(&w->params, v);
    w->p_actors = w->params.n;
}


int
hie_find_i64(hie_find_t *w, int64_t v)
{
    hie_params_i64(&w->params, v);
    return w->params.n;
}


int
hie_find_str(hie_find_t *w, hie_str_t s)
{
    hie_params_str(&w->params, s);
    return w->params.n;
}


int
hie_find_keys(hie_find_t *w, const uint64_t *keys, int n)
{
    hie_params_keys(&w->params, keys, n);
    return w->params.n;
}


int
hie_find_params(hie_find_t *w, const uint32_t *params, int n)
{
    hie_array_t  *a = apr_palloc(w->pool, sizeof(*a));
    int           i;

    hie_array_init(a, w->pool, HIE_PG_INT8, 16 * (size_t) n);
    for (i = 0; i < n; i++) {
        hie_array_i64(a, (int64_t) params[i]);
    }
    hie_params_array(&w->params, a);
    return w->params.n;
}


int
hie_find_strs(hie_find_t *w, const hie_str_t *s, int n)
{
    hie_array_t  *a = apr_palloc(w->pool, sizeof(*a));
    int           i;

    hie_array_init(a, w->pool, HIE_PG_TEXT, 32 * (size_t) n);
    for (i = 0; i < n; i++) {
        hie_array_str(a, s[i]);
    }
    hie_params_array(&w->params, a);
    return w->params.n;
}


void
hie_find_type_sql(hie_find_t *w, hie_find_types_t *types, const char *alias)
{
    if (types->param == 0) {
        types->param = types->n == 1
                       ? hie_find_str(w, types->names[0])
                       : hie_find_strs(w, types->names, types->n);
    }
    if (types->contained) {
        hie_buf_addf(&w->sql, "%s.type IN ($%d::text, '#' || $%d::text)",
                     alias, types->param, types->param);
        return;
    }
    hie_buf_addf(&w->sql, types->n == 1 ? "%s.type = $%d::text"
                                        : "%s.type = ANY ($%d::text[])",
                 alias, types->param);
}


void
hie_find_base_sql(hie_find_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, " AND NOT %s.deleted AND ", alias);
    hie_visible_sql(&w->sql, w->see, alias, w->p_actors);
}


const char *
hie_find_alias(hie_find_t *w)
{
    return apr_psprintf(w->pool, "a%d", ++w->n_aliases);
}


/*
 * The page.
 */

void
hie_find_columns(hie_find_t *w, const char *alias, bool bodies)
{
    hie_buf_addf(&w->sql, "%s.rid, %s.type, %s.id, %s.version, %s.updated,"
                 " %s.patients, ", alias, alias, alias, alias, alias, alias);
    if (bodies) {
        hie_buf_addf(&w->sql, "%s.body", alias);
    } else {
        hie_buf_addz(&w->sql, "''::bytea AS body");
    }
    if (w->references) {
        hie_buf_addf(&w->sql, ", %s.ref_params, %s.ref_keys", alias, alias);
    }
}


/* Few rows: they themselves are sorted. Of the sum no index gives the order. */
static void
add_few(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;

    hie_buf_addz(&w->sql, "SELECT ");
    hie_find_columns(w, "r", bodies);
    hie_find_matches(w, types, q->criteria, "r");
    if (q->after != NULL) {
        hie_buf_addf(&w->sql, " AND r.rid + 0 %s $%d::bigint",
                     q->backwards ? "<" : ">",
                     hie_find_i64(w, q->after->rid));
    }
    hie_buf_addf(&w->sql, " ORDER BY r.rid + 0%s LIMIT $%d::bigint",
                 q->backwards ? " DESC" : "", p_limit);
}


/* As many as the page has, of places in the order of rid. */
static void
add_in_order(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;

    hie_buf_addz(&w->sql, "SELECT r.*");
    hie_find_in_order(w, types, q->criteria, bodies, "r");
    hie_buf_addf(&w->sql, " ORDER BY h.rid%s LIMIT $%d::bigint",
                 q->backwards ? " DESC" : "", p_limit);
}


/* The sort keys of a place, as they come back. */
static void
add_keys(hie_find_t *w, const char *alias)
{
    const hie_query_t  *q = w->query;
    int                 i;

    for (i = 0; i < q->n_sorts; i++) {
        hie_buf_addf(&w->sql, ", %s.s%d%s", alias, i + 1,
                     q->sorts[i].kind == HIE_SORT_NUMBER ? "::text" : "");
    }
}


/* The end of " FROM (SELECT …": all matches with their keys, and the page out
 * of these. */
static void
add_keyed_matches(hie_find_t *w, hie_find_types_t *types, int p_limit)
{
    const hie_query_t  *q = w->query;
    int                 i;

    for (i = 0; i < q->n_sorts; i++) {
        hie_buf_addz(&w->sql, ", ");
        hie_sort_value(w, &q->sorts[i], "r");
        hie_buf_addf(&w->sql, " AS s%d", i + 1);
    }
    hie_find_matches(w, types, q->criteria, "r");
    hie_buf_addz(&w->sql, " OFFSET 0) m");
    if (q->after != NULL) {
        hie_buf_addz(&w->sql, " WHERE ");
        hie_sort_behind(w, "m");
    }
    hie_sort_order(w, "m");
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint", p_limit);
}


static void
add_few_sorted(hie_find_t *w, hie_find_types_t *types, int p_limit,
               bool bodies)
{
    hie_buf_addz(&w->sql, "SELECT ");
    hie_find_columns(w, "m", true);
    add_keys(w, "m");
    hie_buf_addz(&w->sql, " FROM (SELECT ");
    hie_find_columns(w, "r", bodies);
    add_keyed_matches(w, types, p_limit);
}


/* Of many, places are sorted, and the rows of the page looked up. */
static void
add_sorted(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    hie_buf_addz(&w->sql, "SELECT x.*");
    add_keys(w, "l");
    hie_buf_addz(&w->sql, " FROM (SELECT * FROM (SELECT r.rid, r.type");
    add_keyed_matches(w, types, p_limit);
    hie_buf_addz(&w->sql, ") l CROSS JOIN LATERAL (SELECT ");
    hie_find_columns(w, "x", bodies);
    hie_buf_addz(&w->sql, " FROM hie.resource x WHERE x.type = l.type"
                 " AND x.rid = l.rid");
    hie_find_base_sql(w, "x");
    hie_buf_addz(&w->sql, " OFFSET 0) x");
    hie_sort_order(w, "l");
}


/* Walked are rows until the page is full: their conditions are evaluated on so
 * many. */
static void
check_walked(hie_find_t *w, const hie_find_types_t *types, double all)
{
    double  rows, none;

    hie_find_estimate(w, types, NULL, &rows, &none);
    w->checked = (hie_checked_t) {
        fmin(rows, rows * (w->query->count + 1) / (all + 1)), rows
    };
}


/* Is the page full sooner when the rows are walked in the order of the answer
 * than when matches are looked up at this cost? Of the time of the last change
 * the criterion and the order have one index. */
static bool
is_walked(const hie_find_t *w, const hie_find_types_t *types, double cost,
          double all)
{
    const hie_query_t  *q = w->query;
    double              rows, none;

    if (hie_find_leads_by_window(w, types, q->criteria)) {
        return hie_sort_is_updated(q);
    }
    if (!hie_sort_walks(q) || cost < HIE_FEW_ROWS) {
        return false;
    }
    hie_find_estimate(w, types, NULL, &rows, &none);
    return rows * (q->count + 1) / (all + 1) * WALK_COST * q->n_types < cost;
}


static void
build_page(hie_find_t *w, hie_find_types_t *types, bool bodies)
{
    const hie_query_t  *q = w->query;
    double              best, all, cost;
    bool                none = q->criteria == NULL || q->criteria->n == 0;
    bool                in_order;
    int                 p_limit;

    p_limit = hie_find_i64(w, (int64_t) q->count + 1);
    hie_find_estimate(w, types, q->criteria, &best, &all);
    cost = best;
    in_order = q->n_sorts == 0
               && hie_find_leads_to_places(w, types, q->criteria, &cost);

    if ((none && hie_sort_walks(q)) || is_walked(w, types, cost, all)) {
        check_walked(w, types, all);
        hie_sort_walk(w, types, p_limit, bodies);
    } else if (in_order) {
        add_in_order(w, types, p_limit, bodies);
    } else if (best >= HIE_FEW_ROWS) {
        add_sorted(w, types, p_limit, bodies);
    } else if (q->n_sorts > 0) {
        add_few_sorted(w, types, p_limit, bodies);
    } else {
        add_few(w, types, p_limit, bodies);
    }
    hie_buf_addc(&w->sql, '\0');
}


static void
build_total(hie_find_t *w, hie_find_types_t *types)
{
    bool  estimate = w->query->total == HIE_TOTAL_ESTIMATE;

    hie_buf_addz(&w->sql, estimate ? "SELECT count(*) FROM (SELECT"
                                   : "SELECT count(*)");
    hie_find_matches(w, types, w->query->criteria, "r");
    if (estimate) {
        hie_buf_addf(&w->sql, " LIMIT $%d::bigint) m",
                     hie_find_i64(w, COUNT_MAX + 1));
    }
    hie_buf_addc(&w->sql, '\0');
}


/*
 * Results.
 */
void
hie_find_row(const hie_find_t *w, const PGresult *res, int i, hie_row_t *row)
{
    *row = (hie_row_t) { .version = 0 };
    row->rid = hie_result_i64(res, i, 0);
    row->type = hie_result_str(res, i, 1);
    row->id = hie_result_str(res, i, 2);
    row->version = hie_result_i64(res, i, 3);
    row->updated = hie_result_time(res, i, 4);
    row->patients = hie_result_keys(res, i, 5, w->pool, &row->n_patients);
    row->body = hie_result_str(res, i, 6);
    if (w->references) {
        row->ref_params = hie_result_ints(res, i, 7, w->pool,
                                          &row->n_references);
        row->ref_keys = hie_result_keys(res, i, 8, w->pool,
                                        &row->n_references);
    }
}


/* Backwards the rows come in the opposite order. */
static void
take_rows(PGresult *res, const hie_find_t *w, apr_pool_t *pool,
          hie_found_t *out)
{
    const hie_query_t  *q = w->query;
    int                 n = PQntuples(res);
    int                 i, to;

    hie_result_own(res, pool);
    out->more = n > q->count;
    n = out->more ? q->count : n;
    out->n = n;
    out->rows = apr_pcalloc(pool, (size_t) (n + 1) * sizeof(*out->rows));
    out->places = apr_pcalloc(pool, (size_t) (n + 1) * sizeof(*out->places));
    for (i = 0; i < n; i++) {
        to = q->backwards ? n - 1 - i : i;
        hie_find_row(w, res, i, &out->rows[to]);
        out->places[to].rid = out->rows[to].rid;
        hie_sort_place(q, res, i, w->references ? COLUMNS_REFERENCES : COLUMNS,
                       &out->places[to]);
    }
}


/* Statistics count what is withheld too: of them only who sees everything may
 * learn. */
static void
take_total(PGresult *res, const hie_find_t *w, hie_find_types_t *types,
           hie_found_t *out)
{
    double  best, all;

    out->total = hie_result_i64(res, 0, 0);
    PQclear(res);
    if (w->query->total == HIE_TOTAL_ESTIMATE && out->total > COUNT_MAX) {
        hie_find_estimate(w, types, w->query->criteria, &best, &all);
        out->total = w->see == HIE_SEE_ALL && all > COUNT_MAX
                     ? (int64_t) all : COUNT_MAX + 1;
    }
}


/*
 * Explanations: an administrator's request, which may take a second time.
 */
static hie_rc_t
explain(hie_store_t *s, const hie_find_t *w, hie_found_t *out,
        hie_error_t *err)
{
    hie_stmt_t   st;
    PGresult    *res;
    hie_rc_t     rc;

    hie_store_stmt(&st, apr_pstrcat(w->pool, "EXPLAIN (ANALYZE, BUFFERS,"
                                    " FORMAT JSON) ", w->sql.ptr, NULL));
    rc = hie_store_query(s, &st, &w->params, &res, err);
    if (rc == HIE_OK) {
        out->plan = hie_str_dup(w->pool, hie_result_str(res, 0, 0));
        PQclear(res);
        out->n_explained = w->explained->nelts;
        out->explained = (hie_explained_t *) w->explained->elts;
    }
    return rc;
}


/*
 * The whole.
 */
typedef struct {
    hie_find_t        page, total;
    hie_find_types_t  types[2];      /* each with a parameter of its own */
    hie_stmt_t        statements[2];
    hie_op_t          ops[2];
    int               n_ops;
} search_t;


static hie_rc_t
add_op(search_t *w, hie_find_t *f, hie_error_t *err)
{
    hie_stmt_t  *st = &w->statements[w->n_ops];

    if (f->params.n > HIE_PARAMS_MAX) {
        return hie_fail(err, HIE_INVALID, "", "too many search criteria");
    }
    hie_store_stmt(st, f->sql.ptr);
    w->ops[w->n_ops++] = (hie_op_t) { st, &f->params, NULL };
    return HIE_OK;
}


static hie_rc_t
prepare_search(search_t *w, const hie_frequencies_t *f,
               const hie_visible_t *v, const hie_query_t *q, bool bodies,
               apr_pool_t *pool, hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;

    w->n_ops = 0;
    if (q->count < 0 || q->n_types < 1 || q->n_sorts > HIE_SORTS_MAX) {
        return hie_fail(err, HIE_INTERNAL, "", "a search of no shape");
    }
    w->types[0] = (hie_find_types_t) { .n = q->n_types, .names = q->types };
    w->types[1] = w->types[0];

    if (q->count > 0) {
        hie_find_init(&w->page, q, v, f, pool);
        if (q->explain) {
            w->page.explained = apr_array_make(pool, 4,
                                               sizeof(hie_explained_t));
        }
        build_page(&w->page, &w->types[0], bodies);
        rc = add_op(w, &w->page, err);
    }
    /* one statement for each of several searches, which need no bodies */
    if (rc == HIE_OK
        && (q->count == 0 || (bodies && q->total != HIE_TOTAL_NONE)))
    {
        hie_find_init(&w->total, q, v, f, pool);
        if (q->explain) {
            w->total.explained = apr_array_make(pool, 4,
                                                sizeof(hie_explained_t));
        }
        build_total(&w->total, &w->types[1]);
        rc = add_op(w, &w->total, err);
    }
    return rc;
}


static void
take(search_t *w, const hie_query_t *q, apr_pool_t *pool, hie_found_t *out)
{
    int  n = 0;

    *out = (hie_found_t) { .total = -1 };
    if (q->count > 0) {
        take_rows(w->ops[n++].res, &w->page, pool, out);
    }
    if (n < w->n_ops) {
        take_total(w->ops[n].res, &w->total, &w->types[1], out);
    }
}


hie_rc_t
hie_store_search(hie_store_t *s, const hie_visible_t *v, const hie_query_t *q,
                 apr_pool_t *pool, hie_found_t *out, hie_error_t *err)
{
    search_t  w;
    hie_rc_t  rc;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_found_t) { .total = -1 };
    rc = prepare_search(&w, hie_store_frequencies(s), v, q, true, pool, err);
    if (rc == HIE_OK) {
        rc = hie_store_queries(s, w.ops, w.n_ops, q->budget, err);
    }
    if (rc == HIE_OK) {
        take(&w, q, pool, out);
        if (q->explain) {
            rc = explain(s, q->count > 0 ? &w.page : &w.total, out, err);
        }
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
    hie_op_t       ops[TOGETHER + 1];
    hie_rc_t       rc;
    int            i, first = n_locks > 0;

    if (n_locks > 0) {
        add_locks(tx, locks, n_locks, &lock_params, &ops[0]);
    }
    w = apr_palloc(tx->pool, sizeof(*w) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        rc = prepare_search(&w[i], hie_frequencies_known(tx->store), v,
                            &queries[i], false, tx->pool, err);
        if (rc != HIE_OK) {
            return rc;
        }
        ops[first + i] = w[i].ops[0];
    }

    rc = hie_store_tx_run(tx, ops, first + n, err);
    if (rc == HIE_OK && first) {
        PQclear(ops[0].res);
    }
    for (i = 0; rc == HIE_OK && i < n; i++) {
        w[i].ops[0].res = ops[first + i].res;
        take(&w[i], &queries[i], tx->pool, &out[i]);
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
