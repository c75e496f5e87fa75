/*
 * What the rows of a page refer to (_include) and what refers to them
 * (_revinclude), R4 section 3.1.1.5.3.
 */

#include "store/query.h"

#include <stdlib.h>

#include <apr_hash.h>
#include <apr_strings.h>

/* That one statement looks for, and those of one row more. */
#define TOKENS_MAX  10000


typedef struct {
    hie_store_t            *store;
    const hie_visible_t    *visible;
    const hie_including_t  *query;
    apr_pool_t             *pool;
    apr_hash_t             *seen;        /* rid of the page and of what was
                                            found */
    apr_array_header_t     *rids;        /* the same */
    apr_array_header_t     *found;       /* hie_row_t */
    bool                    more;
    hie_error_t            *err;
} including_t;


static void
see(including_t *g, int64_t rid)
{
    int64_t  *copy = apr_pmemdup(g->pool, &rid, sizeof(rid));

    apr_hash_set(g->seen, copy, sizeof(*copy), g);
    *(int64_t *) apr_array_push(g->rids) = rid;
}


static bool
applies(const hie_include_t *i, bool reverse, bool canonical, bool again)
{
    return i->reverse == reverse && i->canonical == canonical
           && (!again || i->iterate);
}


/*
 * The statement. It has each row once: what is beyond the limit would be lost
 * otherwise.
 */
static void
begin(including_t *g, hie_find_t *w)
{
    int  i;

    hie_find_init(w, NULL, g->visible, NULL, g->pool);
    for (i = 0; i < g->query->n_includes; i++) {
        w->references = w->references
                        || applies(&g->query->includes[i], false, false, true);
    }
}


/* Rows under `alias`: allowed, visible, new, and not contained in others. */
static void
add_wanted(including_t *g, hie_find_t *w, const char *alias)
{
    if (!g->query->may_all) {
        hie_buf_addf(&w->sql, " AND %s.type = ANY ($%d::text[])", alias,
                     hie_find_strs(w, g->query->may, g->query->n_may));
    }
    hie_buf_addf(&w->sql, " AND %s.owner IS NULL"
                 " AND %s.rid <> ALL ($%d::bigint[])", alias, alias,
                 hie_find_keys(w, (const uint64_t *) g->rids->elts,
                               g->rids->nelts));
    hie_find_base_sql(w, alias);
}


/* One more than there is room for tells that there are more. */
static void
add_limit(including_t *g, hie_find_t *w)
{
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint",
                 hie_find_i64(w, (int64_t) g->query->max_rows
                                 - g->found->nelts + 1));
    hie_buf_addc(&w->sql, '\0');
}


static hie_rc_t
run(including_t *g, hie_find_t *w)
{
    hie_op_t    op = { 0 };
    hie_stmt_t  st;
    hie_row_t  *row;
    hie_rc_t    rc;
    int64_t     rid;
    int         i;

    hie_store_stmt(&st, w->sql.ptr);
    op.stmt = &st;
    op.params = &w->params;
    rc = hie_store_queries(g->store, &op, 1, g->query->budget, g->err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(op.res, g->pool);
    for (i = 0; i < PQntuples(op.res); i++) {
        rid = hie_result_i64(op.res, i, 0);
        if (apr_hash_get(g->seen, &rid, sizeof(rid)) != NULL) {
            continue;
        }
        if (g->found->nelts >= g->query->max_rows) {
            g->more = true;
            break;
        }
        see(g, rid);
        row = apr_array_push(g->found);
        hie_find_row(w, op.res, i, row);
    }
    return HIE_OK;
}


/* The rows by type and place: two parameters. */
static int
add_places(hie_find_t *w, const hie_row_t *rows, int n)
{
    int64_t    *rids = apr_palloc(w->pool, sizeof(*rids) * (size_t) n);
    hie_str_t  *types = apr_palloc(w->pool, sizeof(*types) * (size_t) n);
    int         k, p;

    for (k = 0; k < n; k++) {
        rids[k] = rows[k].rid;
        types[k] = rows[k].type;
    }
    p = hie_find_strs(w, types, n);
    hie_find_keys(w, (const uint64_t *) rids, n);
    return p;
}


/*
 * What is referred to, as the rows say. The parameter's key tells the type that
 * it is of; all references of a type are asked for with its name. Those of
 * parameter 0 are of elements that no parameter leads to.
 */
typedef struct {
    uint64_t    key;
    hie_type_t  target;          /* HIE_TYPE_NONE: any */
} wanted_t;


static int
compare_wanted(const void *va, const void *vb)
{
    const wanted_t  *a = va, *b = vb;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->target > b->target) - (a->target < b->target);
}


static bool
is_of(const hie_row_t *row, hie_type_t type)
{
    return type == HIE_TYPE_NONE || hie_str_eqz(row->type,
                                                hie_types[type].name);
}


/* By one include from one row. */
static void
want(apr_array_header_t *all, const hie_include_t *i, const hie_row_t *row)
{
    int  k;

    for (k = 0; k < row->n_references; k++) {
        if (row->ref_params[k] != 0
            && (i->param == 0 || i->param == (uint32_t) row->ref_params[k]))
        {
            APR_ARRAY_PUSH(all, wanted_t) = (wanted_t) { row->ref_keys[k],
                                                         i->target };
        }
    }
}


/* Each once, and those of any type by themselves: a row comes once. */
static int
find_wanted(hie_find_t *w, apr_array_header_t *all)
{
    wanted_t    *of = (wanted_t *) all->elts;
    uint64_t    *keys = apr_palloc(w->pool, sizeof(*keys)
                                            * (size_t) all->nelts);
    hie_str_t   *types = apr_palloc(w->pool, sizeof(*types)
                                             * (size_t) all->nelts);
    int          k, n = 0, last = 0;

    qsort(of, (size_t) all->nelts, sizeof(*of), compare_wanted);
    for (k = 0; k < all->nelts; k++) {
        if (n == 0 || of[k].key != of[last].key
            || (of[last].target != HIE_TYPE_NONE
                && of[k].target != of[last].target))
        {
            keys[n] = of[k].key;
            types[n++] = hie_str(hie_types[of[k].target].name);
            last = k;
        }
    }
    k = hie_find_keys(w, keys, n);
    (void) hie_find_strs(w, types, n);
    return k;
}


static hie_rc_t
forward(including_t *g, const hie_row_t *rows, int n, bool again)
{
    hie_find_t            w;
    apr_array_header_t   *all = apr_array_make(g->pool, n, sizeof(wanted_t));
    const hie_include_t  *i;
    int                   k, r, p;

    for (k = 0; k < g->query->n_includes; k++) {
        i = &g->query->includes[k];
        for (r = 0; r < n && applies(i, false, false, again); r++) {
            if (is_of(&rows[r], i->source)) {
                want(all, i, &rows[r]);
            }
        }
    }
    if (all->nelts == 0) {
        return HIE_OK;
    }

    begin(g, &w);
    p = find_wanted(&w, all);
    hie_buf_addz(&w.sql, "SELECT ");
    hie_find_columns(&w, "x", true);
    hie_buf_addf(&w.sql, " FROM unnest($%d::bigint[], $%d::text[])"
        " AS k(key, target) CROSS JOIN LATERAL (SELECT * FROM hie.resource x"
        " WHERE x.key = k.key AND (k.target = '' OR x.type = k.target)",
        p, p + 1);
    add_wanted(g, &w, "x");
    hie_buf_addz(&w.sql, " OFFSET 0) x");
    add_limit(g, &w);
    return run(g, &w);
}


/* The keys of the rows that are of the include's target; as tokens of its
 * references too. */
static void
add_targets(const hie_include_t *i, const hie_row_t *rows, int n,
            apr_array_header_t *keys, apr_array_header_t *tokens)
{
    uint64_t  key;
    int       k;

    for (k = 0; k < n; k++) {
        if (is_of(&rows[k], i->target)) {
            key = hie_search_resource_key(rows[k].type, rows[k].id);
            APR_ARRAY_PUSH(keys, uint64_t) = key;
            APR_ARRAY_PUSH(tokens, uint64_t) =
                hie_search_reference_key(i->param, key);
        }
    }
}


static int
find_array(hie_find_t *w, const apr_array_header_t *keys)
{
    return hie_find_keys(w, (const uint64_t *) keys->elts, keys->nelts);
}


/* What refers to them, by the tokens that this makes. */
static hie_rc_t
backward(including_t *g, const hie_row_t *rows, int n, bool again)
{
    hie_find_t            w;
    apr_array_header_t   *keys, *tokens, *types;
    const hie_include_t  *i;
    int                   k;

    begin(g, &w);
    keys = apr_array_make(g->pool, n, sizeof(uint64_t));
    tokens = apr_array_make(g->pool, n, sizeof(uint64_t));
    types = apr_array_make(g->pool, 4, sizeof(hie_str_t));
    for (k = 0; k < g->query->n_includes; k++) {
        i = &g->query->includes[k];
        if (applies(i, true, false, again) && !i->all) {
            APR_ARRAY_PUSH(types, hie_str_t) =
                hie_str(hie_types[i->source].name);
            add_targets(i, rows, n, keys, tokens);
        }
    }
    if (tokens->nelts == 0) {
        return HIE_OK;
    }

    hie_buf_addz(&w.sql, "SELECT ");
    hie_find_columns(&w, "x", true);
    hie_buf_addf(&w.sql, " FROM hie.resource x"
                 " WHERE x.tokens && $%d::bigint[]", find_array(&w, tokens));
    hie_buf_addf(&w.sql, " AND x.type = ANY ($%d::text[])",
                 hie_find_strs(&w, (const hie_str_t *) types->elts,
                               types->nelts));
    add_wanted(g, &w, "x");
    add_limit(g, &w);
    return run(g, &w);
}


/* The same by whatever parameter: all tokens that what refers may have, as far
 * as a parameter leads there. Of as many rows from `*at` as go into one
 * statement. */
static hie_rc_t
from_anywhere(including_t *g, const hie_include_t *i, const hie_row_t *rows,
              int n, int *at)
{
    hie_find_t           w;
    apr_array_header_t  *keys, *tokens;
    const hie_row_t     *row;
    int                  p;

    begin(g, &w);
    keys = apr_array_make(g->pool, 16, sizeof(uint64_t));
    tokens = apr_array_make(g->pool, 1024, sizeof(uint64_t));
    for (; *at < n && tokens->nelts < TOKENS_MAX; ++*at) {
        row = &rows[*at];
        if (is_of(row, i->target)) {
            APR_ARRAY_PUSH(keys, uint64_t) = hie_search_resource_key(row->type,
                                                                     row->id);
            hie_search_referring(i->source, hie_type_find_resource(row->type),
                                 row->id, tokens);
        }
    }

    hie_buf_addz(&w.sql, "SELECT ");
    hie_find_columns(&w, "x", true);
    p = find_array(&w, tokens);
    hie_buf_addf(&w.sql, " FROM hie.resource x"
        " WHERE x.tokens && $%d::bigint[] AND EXISTS (SELECT"
        " FROM unnest(x.ref_params, x.ref_keys) AS u(param, key)"
        " WHERE u.param <> 0 AND u.key = ANY ($%d::bigint[]))", p,
        find_array(&w, keys));
    if (i->source != HIE_TYPE_NONE) {
        hie_buf_addf(&w.sql, " AND x.type = $%d::text", hie_find_str(
                         &w, hie_str(hie_types[i->source].name)));
    }
    add_wanted(g, &w, "x");
    add_limit(g, &w);
    return run(g, &w);
}


static hie_rc_t
all_backward(including_t *g, const hie_row_t *rows, int n, bool again)
{
    const hie_include_t  *i;
    hie_rc_t              rc = HIE_OK;
    int                   k, at;

    for (k = 0; k < g->query->n_includes; k++) {
        i = &g->query->includes[k];
        if (!applies(i, true, false, again) || !i->all) {
            continue;
        }
        for (at = 0; rc == HIE_OK && !g->more && at < n; ) {
            rc = from_anywhere(g, i, rows, n, &at);
        }
    }
    return rc;
}


/* What refers, or is referred to, by canonical URL: one include after the
 * other, they are rare. */
static hie_rc_t
by_url(including_t *g, const hie_row_t *rows, int n, bool again)
{
    hie_find_t            w;
    const hie_include_t  *i;
    hie_rc_t              rc = HIE_OK;
    int                   k, p;

    for (k = 0; rc == HIE_OK && !g->more && k < g->query->n_includes; k++) {
        i = &g->query->includes[k];
        if (!applies(i, i->reverse, true, again) || i->param == 0) {
            continue;
        }
        begin(g, &w);
        p = add_places(&w, rows, n);
        hie_buf_addz(&w.sql, "SELECT ");
        hie_find_columns(&w, "x", true);
        hie_buf_addf(&w.sql, " FROM hie.resource x WHERE x.tokens && ARRAY("
            "SELECT DISTINCT b.key"
            " FROM unnest($%d::text[], $%d::bigint[]) AS j(type, rid)"
            " CROSS JOIN LATERAL (SELECT r.tokens FROM hie.resource r"
            " WHERE r.type = j.type AND r.rid = j.rid", p, p + 1);
        hie_find_base_sql(&w, "r");
        hie_buf_addz(&w.sql, " OFFSET 0) m");
        hie_canonical_include(&w, i);
        hie_buf_addc(&w.sql, ')');
        add_wanted(g, &w, "x");
        add_limit(g, &w);
        rc = run(g, &w);
    }
    return rc;
}


hie_rc_t
hie_store_include(hie_store_t *s, const hie_visible_t *v,
                  const hie_including_t *q, apr_pool_t *pool,
                  hie_found_t *out, hie_error_t *err)
{
    including_t       g = { s, v, q, pool, NULL, NULL, NULL, false, err };
    const hie_row_t  *rows = q->rows;
    hie_rc_t          rc = HIE_OK;
    int               n = q->n, round, first;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_found_t) { .total = -1 };
    g.seen = apr_hash_make(pool);
    g.rids = apr_array_make(pool, n + 16, sizeof(int64_t));
    g.found = apr_array_make(pool, 16, sizeof(hie_row_t));
    for (first = 0; first < n; first++) {
        see(&g, rows[first].rid);
    }

    for (round = 0; rc == HIE_OK && n > 0 && !g.more
                    && round <= q->max_rounds; round++)
    {
        first = g.found->nelts;
        rc = forward(&g, rows, n, round > 0);
        if (rc == HIE_OK && !g.more) {
            rc = backward(&g, rows, n, round > 0);
        }
        if (rc == HIE_OK && !g.more) {
            rc = all_backward(&g, rows, n, round > 0);
        }
        if (rc == HIE_OK && !g.more) {
            rc = by_url(&g, rows, n, round > 0);
        }
        /* the array may move while it grows */
        n = g.found->nelts - first;
        rows = n > 0 ? apr_pmemdup(pool, (hie_row_t *) g.found->elts + first,
                                   sizeof(*rows) * (size_t) n)
                     : NULL;
    }

    out->n = g.found->nelts;
    out->rows = (hie_row_t *) g.found->elts;
    out->more = g.more || n > 0;     /* what was found last leads on */
    return rc;
}
