/*
 * Everything about a patient or an encounter, in one statement.
 *
 * An index finds what mentions the patients. Most of it has the same patients,
 * so that who may see it is asked once for each combination of patients and
 * not once for each row; it is the same predicate. What the visible rows
 * refer to is found by its key and asked one by one.
 */

#include "store/private.h"

#include <string.h>

#include <apr_strings.h>


typedef struct {
    hie_buf_t                sql;
    hie_params_t             params;
    const hie_everything_t  *query;
    hie_see_t                see;
    int                      p_patients, p_may, p_support, p_want, p_type;
    int                      p_id, p_self, p_since, p_from, p_until, p_class;
    int                      p_rid, p_limit, p_actors;
} all_t;


static void
add_strings(all_t *w, const hie_str_t *s, int n, int *number)
{
    hie_array_t  *a = apr_palloc(w->params.pool, sizeof(*a));
    int           i;

    hie_array_init(a, w->params.pool, HIE_PG_TEXT, 4096);
    for (i = 0; i < n; i++) {
        hie_array_str(a, s[i]);
    }
    hie_params_array(&w->params, a);
    *number = w->params.n;
}


static void
add_i64(all_t *w, int64_t v, int *number)
{
    hie_params_i64(&w->params, v);
    *number = w->params.n;
}


static void
add_time(all_t *w, apr_time_t t, int64_t none, int *number)
{
    add_i64(w, t != 0 ? t - HIE_PG_EPOCH : none, number);
}


static bool
is_encounter(const all_t *w)
{
    return hie_str_eqz(w->query->type, "Encounter");
}


static void
add_params(all_t *w, const hie_visible_t *v)
{
    const hie_everything_t  *q = w->query;
    hie_str_t                self;

    hie_params_keys(&w->params, q->patients, q->n_patients);
    w->p_patients = w->params.n;
    add_strings(w, q->may, q->n_may, &w->p_may);
    add_strings(w, q->support, q->n_support, &w->p_support);
    add_strings(w, q->want, q->n_want, &w->p_want);
    hie_params_str(&w->params, q->type);
    w->p_type = w->params.n;
    hie_params_str(&w->params, q->id);
    w->p_id = w->params.n;
    add_time(w, q->since, INT64_MIN, &w->p_since);
    add_time(w, q->from, INT64_MIN, &w->p_from);
    add_time(w, q->until, INT64_MAX, &w->p_until);
    add_i64(w, q->after_class, &w->p_class);
    add_i64(w, q->after_rid, &w->p_rid);
    add_i64(w, (int64_t) q->count + 1, &w->p_limit);

    if (is_encounter(w)) {
        self = hie_str(apr_psprintf(w->params.pool, "%.*s/%.*s",
                                    HIE_PRISTR(q->type), HIE_PRISTR(q->id)));
        add_strings(w, &self, 1, &w->p_self);
    }

    hie_visible_param(&w->params, v);
    w->p_actors = w->params.n;
}


static void
add_is_self(all_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.type = $%d::text AND %s.id = $%d::text", alias,
                 w->p_type, alias, w->p_id);
}


/* What belongs to it: of a patient all that mentions it, of an encounter what
 * refers to it. */
static void
add_belongs(all_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.patients && $%d::bigint[]", alias,
                 w->p_patients);
    if (is_encounter(w)) {
        hie_buf_addf(&w->sql, " AND (%s.refs @> $%d::text[] OR ", alias,
                     w->p_self);
        add_is_self(w, alias);
        hie_buf_addz(&w->sql, ")");
    }
}


/* c: candidates; d: the combinations of patients that are visible; m: the
 * visible ones among the candidates. */
static void
add_matches(all_t *w)
{
    hie_buf_addz(&w->sql, "WITH c AS MATERIALIZED (SELECT r.rid, r.type,"
                 " r.updated, r.patients, r.refs, CASE WHEN ");
    add_is_self(w, "r");
    hie_buf_addz(&w->sql, " THEN 0 ELSE 1 END AS class FROM hie.resource r"
                 " WHERE ");
    add_belongs(w, "r");
    hie_buf_addf(&w->sql, " AND NOT r.deleted AND r.type = ANY ($%d::text[])"
                 " AND r.care_until > $%d::timestamptz"
                 " AND r.care_from < $%d::timestamptz), ", w->p_may,
                 w->p_from, w->p_until);

    hie_buf_addz(&w->sql, "d AS MATERIALIZED (SELECT p.patients"
                 " FROM (SELECT DISTINCT c.patients FROM c) p WHERE ");
    hie_visible_sql(&w->sql, w->see, "p", w->p_actors);
    hie_buf_addz(&w->sql, "), m AS MATERIALIZED (SELECT c.rid, c.type,"
                 " c.updated, c.refs, c.class FROM c JOIN d"
                 " ON d.patients = c.patients), ");
}


/* s: what they refer to, unless it belongs to it itself. An encounter's own
 * references are followed to any type: its conditions, its patient. */
static void
add_support(all_t *w)
{
    hie_buf_addz(&w->sql, "q AS MATERIALIZED (SELECT u.ref,"
                 " min(m.class) AS class FROM m, unnest(m.refs) u(ref)"
                 " GROUP BY u.ref), "
                 "s AS MATERIALIZED (SELECT t.rid, t.type, t.updated"
                 " FROM q JOIN hie.resource t"
                 " ON t.type = split_part(q.ref, '/', 1)"
                 " AND t.id = split_part(q.ref, '/', 2) WHERE (");
    hie_buf_addf(&w->sql, "split_part(q.ref, '/', 1) = ANY ($%d::text[])",
                 w->p_support);
    if (is_encounter(w)) {
        hie_buf_addf(&w->sql, " OR q.class = 0 AND split_part(q.ref, '/', 1)"
                     " = ANY ($%d::text[])", w->p_may);
    }
    hie_buf_addz(&w->sql, ") AND NOT t.deleted AND NOT (");
    add_belongs(w, "t");
    hie_buf_addz(&w->sql, ") AND ");
    hie_visible_sql(&w->sql, w->see, "t", w->p_actors);
    hie_buf_addz(&w->sql, "), ");
}


/* The page out of both. The rows of x are those of m and s, of which it is
 * known that they are visible. */
static void
add_page(all_t *w)
{
    hie_buf_addz(&w->sql, "a AS MATERIALIZED (SELECT n.* FROM ("
                 "SELECT m.class, m.rid, m.type, m.updated FROM m UNION ALL "
                 "SELECT 2, s.rid, s.type, s.updated FROM s) n");
    hie_buf_addf(&w->sql, " WHERE (n.class, n.rid) > ($%d::bigint,"
                 " $%d::bigint) AND n.type = ANY ($%d::text[])"
                 " AND n.updated >= $%d::timestamptz"
                 " ORDER BY n.class, n.rid LIMIT $%d::bigint) ", w->p_class,
                 w->p_rid, w->p_want, w->p_since, w->p_limit);
    hie_buf_addz(&w->sql, "SELECT a.class::bigint, x.rid, x.type, x.id,"
                 " x.version, x.updated, x.patients, x.body"
                 " FROM a JOIN hie.resource x ON x.type = a.type"
                 " AND x.rid = a.rid ORDER BY a.class, a.rid");
    hie_buf_addc(&w->sql, '\0');
}


static void
take_rows(PGresult *res, const hie_everything_t *q, apr_pool_t *pool,
          hie_all_t *out)
{
    hie_row_t  *row;
    int         n = PQntuples(res);
    int         i;

    hie_result_own(res, pool);
    if (n > q->count) {
        n = q->count;
        out->more = true;
        out->next_class = (int) hie_result_i64(res, n - 1, 0);
        out->next_rid = hie_result_i64(res, n - 1, 1);
    }

    out->n = n;
    out->rows = apr_pcalloc(pool, (size_t) (n + 1) * sizeof(*out->rows));
    out->classes = apr_pcalloc(pool, (size_t) (n + 1) * sizeof(int));
    for (i = 0; i < n; i++) {
        row = &out->rows[i];
        out->classes[i] = (int) hie_result_i64(res, i, 0);
        row->type = hie_result_str(res, i, 2);
        row->id = hie_result_str(res, i, 3);
        row->version = hie_result_i64(res, i, 4);
        row->updated = hie_result_time(res, i, 5);
        row->patients = hie_result_keys(res, i, 6, pool, &row->n_patients);
        row->body = hie_result_str(res, i, 7);
    }
}


hie_rc_t
hie_store_everything(hie_store_t *s, const hie_visible_t *v,
                     const hie_everything_t *q, apr_pool_t *pool,
                     hie_all_t *out, hie_error_t *err)
{
    hie_stmt_t   st;
    hie_rc_t     rc;
    PGresult    *res;
    all_t        w;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_all_t) { 0 };
    memset(&w, 0, sizeof(w));
    w.query = q;
    w.see = hie_visible_see(v);
    hie_buf_init(&w.sql, pool, 4096);
    hie_params_init(&w.params, pool);
    add_params(&w, v);
    add_matches(&w);
    add_support(&w);
    add_page(&w);

    hie_store_stmt(&st, w.sql.ptr);
    rc = hie_store_query(s, &st, &w.params, &res, err);
    if (rc == HIE_OK) {
        take_rows(res, q, pool, out);
    }
    return rc;
}
