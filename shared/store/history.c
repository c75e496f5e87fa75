/*
 * History: versions in the order in which they were made.
 *
 * The current version stands in one table and the superseded ones in the
 * other. Their places (updated, rid, version) do not change when a version
 * moves from the one to the other, so that pages are stable while others
 * write. The walk is along an index for each type; its ends are cut out and
 * put in order, and only what is left has its body read.
 */

#include "store/private.h"

#include <string.h>


typedef struct {
    hie_buf_t             sql;
    hie_params_t          params;
    const hie_history_t  *query;
    const hie_visible_t  *visible;
    hie_see_t             see;
    int                   p_types, p_key, p_id, p_since, p_until, p_current;
    int                   p_updated, p_rid, p_version, p_limit, p_actors;
} walk_t;


static void
add_time(walk_t *w, apr_time_t t, int64_t none, int *number)
{
    hie_params_i64(&w->params, t != 0 ? t - HIE_PG_EPOCH : none);
    *number = w->params.n;
}


/* The values that every statement takes; a bound that was not given is one
 * that holds for all. */
static void
add_params(walk_t *w)
{
    const hie_history_t  *q = w->query;
    hie_array_t          *types;
    int                   i;

    types = apr_palloc(w->params.pool, sizeof(*types));
    hie_array_init(types, w->params.pool, HIE_PG_TEXT, 256);
    for (i = 0; i < q->n_types; i++) {
        hie_array_str(types, q->types[i]);
    }
    hie_params_array(&w->params, types);
    w->p_types = w->params.n;

    add_time(w, q->since, INT64_MIN, &w->p_since);
    add_time(w, q->until, INT64_MAX, &w->p_until);
    add_time(w, q->current, INT64_MIN, &w->p_current);

    hie_visible_param(&w->params, w->visible);
    w->p_actors = w->params.n;

    if (q->id.len > 0) {
        hie_params_str(&w->params, q->id);
        w->p_id = w->params.n;
        hie_params_i64(&w->params, (int64_t) hie_fhir_resource_key(q->types[0],
                                                                   q->id));
        w->p_key = w->params.n;
    }
}


/* Those of a page. */
static void
add_page_params(walk_t *w)
{
    const hie_history_t  *q = w->query;
    hie_history_place_t   first = { 0, q->ascending ? 0 : INT64_MAX, 0 };

    if (q->has_after) {
        first = q->after;
    }
    add_time(w, first.updated, q->ascending ? INT64_MIN : INT64_MAX,
             &w->p_updated);
    hie_params_i64(&w->params, first.rid);
    w->p_rid = w->params.n;
    hie_params_i64(&w->params, first.version);
    w->p_version = w->params.n;
    hie_params_i64(&w->params, (int64_t) q->count + 1);
    w->p_limit = w->params.n;
}


/* Current at an instant is what was not superseded by then, and a deletion
 * only from then on. */
static void
add_bounds(walk_t *w, const char *alias, bool superseded)
{
    hie_buf_addf(&w->sql, " AND %s.updated >= $%d::timestamptz"
                 " AND %s.updated < $%d::timestamptz", alias, w->p_since,
                 alias, w->p_until);

    hie_buf_addf(&w->sql, " AND (NOT %s.deleted"
                 " OR %s.updated >= $%d::timestamptz)", alias, alias,
                 w->p_current);
    if (superseded) {
        hie_buf_addf(&w->sql, " AND %s.superseded > $%d::timestamptz", alias,
                     w->p_current);
    }
}


static void
add_order(walk_t *w, const char *alias)
{
    const char  *way = w->query->ascending ? "" : " DESC";

    hie_buf_addf(&w->sql, " ORDER BY %s.updated%s, %s.rid%s, %s.version%s",
                 alias, way, alias, way, alias, way);
}


/* What both tables are asked: the part of the index to walk. */
static void
add_walk(walk_t *w, const char *alias, bool superseded)
{
    hie_buf_addf(&w->sql, " AND (%s.updated, %s.rid, %s.version) %c"
                 " ($%d::timestamptz, $%d::bigint, $%d::bigint)", alias,
                 alias, alias, w->query->ascending ? '>' : '<', w->p_updated,
                 w->p_rid, w->p_version);
    add_bounds(w, alias, superseded);
}


/* Every superseded version asks for its current row by a subquery, which the
 * planner cannot turn into a join over all of them. */
static void
add_governed(walk_t *w)
{
    hie_buf_addz(&w->sql, " AND (SELECT ");
    hie_visible_sql(&w->sql, w->see, "g", w->p_actors);
    hie_buf_addz(&w->sql, " FROM hie.resource g WHERE g.type = h.type"
                 " AND g.rid = h.rid) AND ");
    hie_visible_sql(&w->sql, w->see, "h", w->p_actors);
}


static void
add_limit(walk_t *w)
{
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint", w->p_limit);
}


/* The places of a page over types: as many of each type and table as the page
 * has, at most. */
static void
add_places_of_types(walk_t *w)
{
    hie_buf_addf(&w->sql, "SELECT t.type, v.* FROM unnest($%d::text[])"
                 " AS t(type), LATERAL ((SELECT r.updated, r.rid, r.version,"
                 " r.id, true AS current FROM hie.resource r"
                 " WHERE r.type = t.type", w->p_types);
    add_walk(w, "r", false);
    hie_buf_addz(&w->sql, " AND ");
    hie_visible_sql(&w->sql, w->see, "r", w->p_actors);
    add_order(w, "r");
    add_limit(w);
    hie_buf_addz(&w->sql, ") UNION ALL (SELECT h.updated, h.rid, h.version,"
                 " h.id, false FROM hie.resource_history h"
                 " WHERE h.type = t.type");
    add_walk(w, "h", true);
    add_governed(w);
    add_order(w, "h");
    add_limit(w);
    hie_buf_addz(&w->sql, ")) v");
}


/* The places of one resource. Its versions are few, or at least its own. */
static void
add_places_of_one(walk_t *w, bool page)
{
    hie_buf_addf(&w->sql, "SELECT v.* FROM ((SELECT r.type, r.updated, r.rid,"
                 " r.version, r.id, true AS current FROM hie.resource r"
                 " WHERE " HIE_IS_ROW("r", "$%d::bigint", "($%d::text[])[1]",
                                      "$%d::text"),
                 w->p_key, w->p_types, w->p_id);
    if (page) {
        add_walk(w, "r", false);
    } else {
        add_bounds(w, "r", false);
    }
    hie_buf_addz(&w->sql, " AND ");
    hie_visible_sql(&w->sql, w->see, "r", w->p_actors);
    hie_buf_addf(&w->sql, ") UNION ALL (SELECT h.type, h.updated, h.rid,"
                 " h.version, h.id, false FROM hie.resource_history h"
                 " WHERE h.type = ($%d::text[])[1] AND h.id = $%d::text",
                 w->p_types, w->p_id);
    if (page) {
        add_walk(w, "h", true);
    } else {
        add_bounds(w, "h", true);
    }
    add_governed(w);
    hie_buf_addz(&w->sql, ")) v");
}


/* How many versions of types: by the index, but every one is looked at. */
static void
add_count_of_types(walk_t *w)
{
    hie_buf_addf(&w->sql, "SELECT coalesce(sum(n.n), 0)::bigint"
                 " FROM unnest($%d::text[]) AS t(type), LATERAL ("
                 "SELECT count(*) AS n FROM hie.resource r"
                 " WHERE r.type = t.type", w->p_types);
    add_bounds(w, "r", false);
    hie_buf_addz(&w->sql, " AND ");
    hie_visible_sql(&w->sql, w->see, "r", w->p_actors);
    hie_buf_addz(&w->sql, " UNION ALL SELECT count(*)"
                 " FROM hie.resource_history h WHERE h.type = t.type");
    add_bounds(w, "h", true);
    if (w->see != HIE_SEE_ALL) {
        add_governed(w);
    }
    hie_buf_addz(&w->sql, ") n");
}


static void
build(walk_t *w)
{
    bool  one = w->query->id.len > 0;

    add_page_params(w);
    hie_buf_addz(&w->sql, "WITH k AS MATERIALIZED (");
    if (one) {
        add_places_of_one(w, true);
    } else {
        add_places_of_types(w);
    }
    add_order(w, "v");
    add_limit(w);

    /* Every place is one row of one of the two tables, by its key. */
    hie_buf_addz(&w->sql, ") SELECT k.updated, k.rid, k.version, k.type, k.id,"
                 " b.deleted, b.method, b.patients, b.body FROM k, LATERAL ("
                 "SELECT x.deleted, x.method, x.patients, x.body"
                 " FROM hie.resource x WHERE k.current AND x.type = k.type"
                 " AND x.rid = k.rid UNION ALL "
                 "SELECT y.deleted, y.method, y.patients, y.body"
                 " FROM hie.resource_history y WHERE NOT k.current"
                 " AND y.type = k.type AND y.id = k.id"
                 " AND y.version = k.version) b");
    add_order(w, "k");
    hie_buf_addc(&w->sql, '\0');
}


static void
build_total(walk_t *w)
{
    if (w->query->id.len > 0) {
        hie_buf_addz(&w->sql, "SELECT count(*) FROM (");
        add_places_of_one(w, false);
        hie_buf_addz(&w->sql, ") n");
    } else {
        add_count_of_types(w);
    }
    hie_buf_addc(&w->sql, '\0');
}


static void
take_versions(PGresult *res, const hie_history_t *q, apr_pool_t *pool,
              hie_versions_t *out)
{
    hie_row_t  *row;
    int         n = PQntuples(res);
    int         i;

    hie_result_own(res, pool);
    if (n > q->count) {
        n = q->count;
        out->more = true;
        out->next = (hie_history_place_t) {
            hie_result_time(res, n - 1, 0), hie_result_i64(res, n - 1, 1),
            hie_result_i64(res, n - 1, 2)
        };
    }

    out->n = n;
    out->rows = apr_pcalloc(pool, (size_t) (n + 1) * sizeof(*out->rows));
    for (i = 0; i < n; i++) {
        row = &out->rows[i];
        row->updated = hie_result_time(res, i, 0);
        row->version = hie_result_i64(res, i, 2);
        row->type = hie_result_str(res, i, 3);
        row->id = hie_result_str(res, i, 4);
        row->deleted = hie_result_bool(res, i, 5);
        row->method = (hie_method_t) hie_result_i16(res, i, 6);
        row->patients = hie_result_keys(res, i, 7, pool, &row->n_patients);
        row->body = hie_result_str(res, i, 8);
    }
}


static void
begin(walk_t *w, const hie_visible_t *v, const hie_history_t *q,
      apr_pool_t *pool)
{
    memset(w, 0, sizeof(*w));
    w->query = q;
    w->visible = v;
    w->see = hie_visible_see(v);
    hie_buf_init(&w->sql, pool, 4096);
    hie_params_init(&w->params, pool);
    add_params(w);
}


hie_rc_t
hie_store_history(hie_store_t *s, const hie_visible_t *v,
                  const hie_history_t *q, apr_pool_t *pool,
                  hie_versions_t *out, hie_error_t *err)
{
    hie_stmt_t   st;
    hie_rc_t     rc;
    walk_t       w;
    PGresult    *res;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_versions_t) { .total = -1 };
    if (q->id.len > 0 || q->count == 0) {
        begin(&w, v, q, pool);
        build_total(&w);
        hie_store_stmt(&st, w.sql.ptr);
        rc = hie_store_query(s, &st, &w.params, &res, err);
        if (rc != HIE_OK) {
            return rc;
        }
        out->total = hie_result_i64(res, 0, 0);
        PQclear(res);
    }
    if (q->count == 0) {
        return HIE_OK;
    }

    begin(&w, v, q, pool);
    build(&w);
    hie_store_stmt(&st, w.sql.ptr);
    rc = hie_store_query(s, &st, &w.params, &res, err);
    if (rc == HIE_OK) {
        take_versions(res, q, pool, out);
    }
    return rc;
}
