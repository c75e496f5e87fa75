/*
 * The order of an answer: sort keys, then rid in the direction of the first.
 * What has no value for a key comes last in both directions.
 */

#include "store/query.h"

#include <apr_strings.h>


/* "x = $n" or, of several types, "x = ANY ($n)". */
static void
add_slots(hie_find_t *w, const char *column, const uint32_t *params, int n)
{
    if (n == 1) {
        hie_buf_addf(&w->sql, "%s = $%d::bigint", column,
                     hie_find_i64(w, (int64_t) params[0]));
    } else {
        hie_buf_addf(&w->sql, "%s = ANY ($%d::bigint[])", column,
                     hie_find_params(w, params, n));
    }
}


/* The same of ref_params, which are integers with a sign. */
static void
add_references(hie_find_t *w, const uint32_t *params, int n)
{
    int  i;

    hie_buf_addz(&w->sql, "u.param IN (");
    for (i = 0; i < n; i++) {
        hie_buf_addf(&w->sql, "%s$%d::bigint", i > 0 ? ", " : "",
                     hie_find_i64(w, (int32_t) params[i]));
    }
    hie_buf_addc(&w->sql, ')');
}


/* By each of them to t, of the type that it leads to. */
static void
add_ways(hie_find_t *w, const char *t, const hie_sort_t *s)
{
    int  i;

    hie_buf_addc(&w->sql, '(');
    for (i = 0; i < s->n; i++) {
        hie_buf_addz(&w->sql, i > 0 ? " OR " : "");
        add_references(w, &s->params[i], 1);
        if (s->to[i] != HIE_TYPE_NONE) {
            hie_buf_addf(&w->sql, " AND %s.type = $%d::text", t,
                         hie_find_str(w, hie_str(hie_types[s->to[i]].name)));
        }
    }
    hie_buf_addc(&w->sql, ')');
}


/* By rid alone: no order of an index leads to the least value sooner. */
static void
add_rows_value(hie_find_t *w, const hie_sort_t *s, const char *table,
               const char *low, const char *high, const char *alias)
{
    hie_buf_addf(&w->sql, "(SELECT %s FROM %s d WHERE d.rid = %s.rid AND (",
                 s->descending ? high : low, table, alias);
    add_slots(w, "d.slot", s->params, s->n);
    hie_buf_addz(&w->sql, ")" HIE_BY_NO_INDEX ")");
}


/* What is referred to, contained or not, one by one: " FROM … t WHERE", without
 * an end. A join would be free to read the whole table for each row that is
 * sorted, and is planned so as long as there are no statistics. */
static void
add_targets(hie_find_t *w, const char *t, const char *alias)
{
    hie_buf_addf(&w->sql, " FROM unnest(%s.ref_params, %s.ref_keys)"
                 " AS u(param, key) CROSS JOIN LATERAL (SELECT *"
                 " FROM hie.resource %s WHERE %s.key = u.key",
                 alias, alias, t, t);
    hie_find_base_sql(w, t);
    hie_buf_addf(&w->sql, " OFFSET 0) %s WHERE ", t);
}


static void
add_value(hie_find_t *w, const hie_sort_t *s, const char *alias)
{
    const char  *least = s->descending ? "max" : "min";
    const char  *t;

    switch (s->kind) {
    case HIE_SORT_ID:
        hie_buf_addf(&w->sql, "%s.id", alias);
        break;
    case HIE_SORT_UPDATED:
        hie_buf_addf(&w->sql, "%s.updated", alias);
        break;
    case HIE_SORT_STRING:
        add_rows_value(w, s, "hie.resource_string", "min(d.value)",
                       "max(d.value)", alias);
        break;
    case HIE_SORT_DATE:
        add_rows_value(w, s, "hie.resource_date", "min(d.low)",
                       "max(d.high)", alias);
        break;
    case HIE_SORT_NUMBER:
        /* a quantity has a row of its unit's word beside that of the code */
        add_rows_value(w, s, "hie.resource_number",
                       "coalesce(min(d.unit_low), min(d.low))",
                       "coalesce(max(d.unit_high), max(d.high))", alias);
        break;
    case HIE_SORT_TERM:
        hie_buf_addf(&w->sql, "(SELECT %s(d.value) FROM unnest(%s.tokens)"
                     " AS k(key) CROSS JOIN LATERAL (SELECT t.slot, t.value"
                     " FROM hie.term t WHERE t.key = k.key OFFSET 0) d WHERE ",
                     least, alias);
        add_slots(w, "d.slot", s->params, s->n);
        hie_buf_addc(&w->sql, ')');
        break;
    case HIE_SORT_TARGET:
        t = hie_find_alias(w);
        hie_buf_addf(&w->sql, "(SELECT %s(%s.type || '/' || %s.id)", least, t,
                     t);
        add_targets(w, t, alias);
        add_ways(w, t, s);
        hie_buf_addf(&w->sql, " AND %s.owner IS NULL)", t);
        break;
    }
}


/* What stands in the row itself, every type has: a row of another one than is
 * asked for has no value. What stands elsewhere is known by the type's own
 * parameter. */
static void
add_types(hie_find_t *w, const hie_sort_t *s, const char *t)
{
    hie_str_t  *names = apr_palloc(w->pool,
                                   sizeof(*names) * (size_t) (s->n + 1));
    int         i;

    if (s->kind != HIE_SORT_ID && s->kind != HIE_SORT_UPDATED) {
        return;
    }
    for (i = 0; i < s->n; i++) {
        names[i] = hie_str(hie_types[s->of[i]].name);
    }
    hie_buf_addf(&w->sql, " AND %s.type = ANY ($%d::text[])", t,
                 hie_find_strs(w, names, s->n));
}


void
hie_sort_value(hie_find_t *w, const hie_sort_t *s, const char *alias)
{
    const char  *t;

    if (s->n_through == 0) {
        add_value(w, s, alias);
        return;
    }

    t = hie_find_alias(w);
    hie_buf_addf(&w->sql, "(SELECT %s(v.x) FROM (SELECT ",
                 s->descending ? "max" : "min");
    add_value(w, s, t);
    hie_buf_addz(&w->sql, " AS x");
    add_targets(w, t, alias);
    add_references(w, s->through, s->n_through);
    add_types(w, s, t);
    hie_buf_addz(&w->sql, ") v)");
}


static bool
goes_down(const hie_query_t *q, const hie_sort_t *s)
{
    return s->descending != q->backwards;
}


static bool
rid_goes_down(const hie_query_t *q)
{
    return q->n_sorts > 0 ? goes_down(q, &q->sorts[0]) : q->backwards;
}


void
hie_sort_order(hie_find_t *w, const char *alias)
{
    const hie_query_t  *q = w->query;
    int                 i;

    hie_buf_addz(&w->sql, " ORDER BY ");
    for (i = 0; i < q->n_sorts; i++) {
        hie_buf_addf(&w->sql, "%s.s%d IS NULL%s, %s.s%d%s, ", alias, i + 1,
                     q->backwards ? " DESC" : "", alias, i + 1,
                     goes_down(q, &q->sorts[i]) ? " DESC" : "");
    }
    hie_buf_addf(&w->sql, "%s.rid%s", alias,
                 rid_goes_down(q) ? " DESC" : "");
}


/* The value of a place as a parameter. */
static const char *
place_param(hie_find_t *w, const hie_sort_t *s, const hie_place_value_t *v)
{
    switch (s->kind) {
    case HIE_SORT_DATE:
        return apr_psprintf(w->pool, "$%d::bigint",
                            hie_find_i64(w, v->number));
    case HIE_SORT_UPDATED:
        return apr_psprintf(w->pool, "$%d::timestamptz",
                            hie_find_i64(w, v->number - HIE_PG_EPOCH));
    case HIE_SORT_NUMBER:
        return apr_psprintf(w->pool, "$%d::text::numeric",
                            hie_find_str(w, v->text));
    default:
        return apr_psprintf(w->pool, "$%d::text", hie_find_str(w, v->text));
    }
}


/* Key by key: behind, or equal and behind by the next. */
static void
add_behind(hie_find_t *w, const char *alias, int i)
{
    const hie_query_t        *q = w->query;
    const hie_place_value_t  *v;
    const char               *p;

    if (i == q->n_sorts) {
        hie_buf_addf(&w->sql, "%s.rid %s $%d::bigint", alias,
                     rid_goes_down(q) ? "<" : ">",
                     hie_find_i64(w, q->after->rid));
        return;
    }

    v = &q->after->values[i];
    if (v->missing) {
        hie_buf_addf(&w->sql, q->backwards
                     ? "(%s.s%d IS NOT NULL OR %s.s%d IS NULL AND "
                     : "(false AND %s.s%d IS NULL OR %s.s%d IS NULL AND ",
                     alias, i + 1, alias, i + 1);
    } else {
        p = place_param(w, &q->sorts[i], v);
        hie_buf_addf(&w->sql, "(%s.s%d %s %s", alias, i + 1,
                     goes_down(q, &q->sorts[i]) ? "<" : ">", p);
        if (!q->backwards) {
            hie_buf_addf(&w->sql, " OR %s.s%d IS NULL", alias, i + 1);
        }
        hie_buf_addf(&w->sql, " OR %s.s%d = %s AND ", alias, i + 1, p);
    }
    add_behind(w, alias, i + 1);
    hie_buf_addc(&w->sql, ')');
}


void
hie_sort_behind(hie_find_t *w, const char *alias)
{
    add_behind(w, alias, 0);
}


void
hie_sort_place(const hie_query_t *q, const PGresult *res, int row,
               int col, hie_place_t *out)
{
    hie_place_value_t  *v;
    int                 i;

    out->n = q->n_sorts;
    for (i = 0; i < q->n_sorts; i++) {
        v = &out->values[i];
        *v = (hie_place_value_t) { 0 };
        v->missing = PQgetisnull(res, row, col + i);
        if (v->missing) {
            continue;
        }
        switch (q->sorts[i].kind) {
        case HIE_SORT_DATE:
            v->number = hie_result_i64(res, row, col + i);
            break;
        case HIE_SORT_UPDATED:
            v->number = hie_result_time(res, row, col + i);
            break;
        default:
            v->text = hie_result_str(res, row, col + i);
            break;
        }
    }
}


/*
 * Walks. The index of the first key gives the order; each row that it leads
 * to is looked at until the page is full.
 */
typedef struct {
    const char  *table;
    const char  *column;
    const char  *first;          /* (e) another row of the resource is first */
    bool         by_end;         /* of a date: no index has all of them */
} walk_t;

/* A time to the second. The end of any other less this is in an index. */
#define SECOND_US   INT64_C(1000000)
#define IS_SECOND   "o.high = o.low + 1000000"
#define NOT_SECOND  "o.high <> o.low + 1000000"
#define END         "(o.high - 1000000)"

static const walk_t *
walk_of(const hie_sort_t *s)
{
    static const walk_t  up[] = {
        { "hie.resource_date", "low", "(e.low, e.high) < (d.low, d.high)",
          false },
        { "hie.resource_string", "value", "e.value < d.value", false }
    };
    static const walk_t  down[] = {
        { "hie.resource_date", "high", "(e.high, e.low) > (d.high, d.low)",
          true },
        { "hie.resource_string", "value", "e.value > d.value", false }
    };

    return &(s->descending ? down : up)[s->kind == HIE_SORT_STRING];
}


bool
hie_sort_is_updated(const hie_query_t *q)
{
    return q->n_sorts == 1 && q->sorts->n_through == 0
           && q->sorts->kind == HIE_SORT_UPDATED;
}


bool
hie_sort_walks(const hie_query_t *q)
{
    const hie_sort_t  *s = q->sorts;

    if (q->n_sorts == 0 || hie_sort_is_updated(q)) {
        return true;
    }
    return q->n_types == 1 && q->n_sorts == 1 && s->n_through == 0 && s->n == 1
           && (s->kind == HIE_SORT_DATE || s->kind == HIE_SORT_STRING);
}


/* Behind the place of the page, in the order of a column (NULL: none before
 * rid). */
static void
add_begin(hie_find_t *w, const char *alias, const char *column)
{
    const hie_query_t  *q = w->query;
    const char         *than = rid_goes_down(q) ? "<" : ">";
    const char         *p;

    if (column == NULL) {
        hie_buf_addf(&w->sql, " AND %s.rid %s $%d::bigint", alias, than,
                     hie_find_i64(w, q->after->rid));
        return;
    }
    p = place_param(w, q->sorts, &q->after->values[0]);
    hie_buf_addf(&w->sql, " AND (%s.%s, %s.rid) %s (%s, $%d::bigint)", alias,
                 column, alias, than, p, hie_find_i64(w, q->after->rid));
}


/* " ORDER BY …" of the table's own columns. */
static void
add_row_order(hie_find_t *w, const char *before, const char *alias)
{
    const char  *down = rid_goes_down(w->query) ? " DESC" : "";

    hie_buf_addf(&w->sql, " ORDER BY %s", before);
    if (w->query->n_sorts > 0) {
        hie_buf_addf(&w->sql, "%s.updated%s, ", alias, down);
    }
    hie_buf_addf(&w->sql, "%s.rid%s", alias, down);
}


/* The rows of one type, by rid or by the time of the last change: the table's
 * own indexes. What is asked of a row is a column, and no condition: were it
 * told that few rows meet one, PostgreSQL would rather sort all rows of the
 * type. For the same reason there is a limit, which nothing reaches: it reckons
 * with a tenth of the rows then. */
static void
walk_type(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;
    bool                timed = q->n_sorts > 0;

    hie_buf_addz(&w->sql, "SELECT ");
    hie_find_columns(w, "w", true);
    hie_buf_addf(&w->sql, "%s FROM (SELECT ",
                 timed ? ", w.updated AS s1" : "");
    hie_find_columns(w, "r", bodies);
    hie_buf_addz(&w->sql, ", (true");
    if (timed) {
        hie_find_beside_window(w, q->criteria, "r");
    } else {
        hie_find_conditions(w, q->criteria, "r");
    }
    hie_find_base_sql(w, "r");
    hie_buf_addz(&w->sql, ") AS met FROM hie.resource r WHERE ");
    if (types->n > 1) {
        hie_buf_addz(&w->sql, "r.type = t.type");
    } else {
        hie_find_type_sql(w, types, "r");
    }
    if (timed) {
        hie_find_window(w, types, q->criteria, "r");
    }
    if (q->after != NULL) {
        add_begin(w, "r", timed ? "updated" : NULL);
    }
    add_row_order(w, rid_goes_down(q) ? "r.type DESC, " : "r.type, ", "r");
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint) w WHERE w.met",
                 hie_find_i64(w, INT64_MAX));
    add_row_order(w, "", "w");
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint", p_limit);
}


/* Of several types each its page, and of these the first. */
static void
walk_table(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    if (types->n == 1) {
        walk_type(w, types, p_limit, bodies);
        return;
    }

    hie_buf_addf(&w->sql, "SELECT m.* FROM unnest($%d::text[]) AS t(type)"
                 " CROSS JOIN LATERAL (",
                 hie_find_strs(w, types->names, types->n));
    walk_type(w, types, p_limit, bodies);
    hie_buf_addz(&w->sql, ") m");
    add_row_order(w, "", "m");
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint", p_limit);
}


/* Dates by one of the indexes, in the order of `key`. The limit, which nothing
 * reaches, keeps conditions out; for the order PostgreSQL reads the index then,
 * and sorts nothing. */
static void
add_ends(hie_find_t *w, const char *key, const char *here, const char *where,
         int slot, int p_end)
{
    const hie_query_t  *q = w->query;
    const char         *down = rid_goes_down(q) ? " DESC" : "";

    hie_buf_addf(&w->sql, "(SELECT o.slot, o.rid, o.low, o.high, %s AS k,"
                 " %s AS here FROM hie.resource_date o"
                 " WHERE o.slot = $%d::bigint%s", key, here, slot, where);
    if (p_end != 0) {
        hie_buf_addf(&w->sql, " AND (%s, o.rid) %s ($%d::bigint, $%d::bigint)",
                     key, rid_goes_down(q) ? "<" : ">", p_end,
                     hie_find_i64(w, q->after->rid));
    }
    hie_buf_addf(&w->sql, " ORDER BY %s%s, o.rid%s LIMIT $%d::bigint)", key,
                 down, down, hie_find_i64(w, INT64_MAX));
}


/*
 * Dates in the order of their ends. Those of times to the second are in the
 * order of their beginnings, and all others have an index: the two are merged.
 * A date that is no time comes twice, and where it begins it is passed over;
 * were it left out of the index there, all of them would be read in search of a
 * first time.
 */
static void
walk_ends(hie_find_t *w, int slot)
{
    const hie_query_t  *q = w->query;
    int64_t             end;
    int                 p_end = 0;

    if (q->after != NULL && !q->after->values[0].missing) {
        end = q->after->values[0].number;
        p_end = hie_find_i64(w, end < INT64_MIN + SECOND_US
                                ? INT64_MIN : end - SECOND_US);
    }
    hie_buf_addc(&w->sql, '(');
    add_ends(w, "o.low", IS_SECOND, "", slot, p_end);
    hie_buf_addz(&w->sql, " UNION ALL ");
    add_ends(w, END, "true", " AND " NOT_SECOND, slot, p_end);
    hie_buf_addc(&w->sql, ')');
}


static void
walk_values(hie_find_t *w, hie_find_types_t *types, const walk_t *k,
            int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;
    const char         *down = rid_goes_down(q) ? " DESC" : "";
    int                 slot = hie_find_i64(w, (int64_t) q->sorts->params[0]);

    hie_buf_addf(&w->sql, "(SELECT r.*, d.%s AS s1 FROM ", k->column);
    if (k->by_end) {
        walk_ends(w, slot);
    } else {
        hie_buf_addz(&w->sql, k->table);
    }
    hie_buf_addz(&w->sql, " d CROSS JOIN LATERAL (SELECT ");
    hie_find_columns(w, "r", bodies);
    hie_buf_addf(&w->sql, " FROM hie.resource r WHERE %sr.rid = d.rid AND ",
                 k->by_end ? "d.here AND " : "");
    hie_find_type_sql(w, types, "r");
    hie_find_base_sql(w, "r");
    hie_find_conditions(w, q->criteria, "r");
    hie_buf_addf(&w->sql, " AND NOT EXISTS (SELECT FROM %s e"
                 " WHERE e.rid = r.rid AND (e.slot = d.slot) IS TRUE AND %s"
                 " OFFSET 0)"
                 " OFFSET 0) r", k->table, k->first);
    if (!k->by_end) {
        hie_buf_addf(&w->sql, " WHERE d.slot = $%d::bigint", slot);
        if (q->after != NULL && !q->after->values[0].missing) {
            add_begin(w, "d", k->column);
        }
    }
    hie_buf_addf(&w->sql, " ORDER BY d.%s%s, d.rid%s LIMIT $%d::bigint)",
                 k->by_end ? "k" : k->column, down, down, p_limit);
}


/* Those that have no value, in the order of rid. */
static void
walk_missing(hie_find_t *w, hie_find_types_t *types, const walk_t *k,
             int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;

    hie_buf_addz(&w->sql, "(SELECT ");
    hie_find_columns(w, "r", bodies);
    hie_buf_addz(&w->sql, ", NULL AS s1 FROM hie.resource r WHERE ");
    hie_find_type_sql(w, types, "r");
    if (q->after != NULL && q->after->values[0].missing) {
        add_begin(w, "r", NULL);
    }
    hie_find_base_sql(w, "r");
    hie_buf_addf(&w->sql, " AND NOT EXISTS (SELECT FROM %s e"
                 " WHERE e.rid = r.rid AND (e.slot = $%d::bigint) IS TRUE"
                 " OFFSET 0)",
                 k->table, hie_find_i64(w, (int64_t) q->sorts->params[0]));
    hie_find_conditions(w, q->criteria, "r");
    hie_buf_addf(&w->sql, " ORDER BY r.type%s, r.rid%s LIMIT $%d::bigint)",
                 rid_goes_down(q) ? " DESC" : "",
                 rid_goes_down(q) ? " DESC" : "", p_limit);
}


static void
walk_both(hie_find_t *w, hie_find_types_t *types, int p_limit, bool bodies)
{
    const hie_query_t  *q = w->query;
    const walk_t       *k = walk_of(q->sorts);
    bool                at_missing;

    at_missing = q->after != NULL && q->after->values[0].missing;
    if (q->after != NULL && at_missing != q->backwards) {
        /* the other part is on the other side of the place */
        if (at_missing) {
            walk_missing(w, types, k, p_limit, bodies);
        } else {
            walk_values(w, types, k, p_limit, bodies);
        }
        return;
    }

    if (q->backwards) {
        walk_missing(w, types, k, p_limit, bodies);
        hie_buf_addz(&w->sql, " UNION ALL ");
        walk_values(w, types, k, p_limit, bodies);
    } else {
        walk_values(w, types, k, p_limit, bodies);
        hie_buf_addz(&w->sql, " UNION ALL ");
        walk_missing(w, types, k, p_limit, bodies);
    }
    hie_buf_addf(&w->sql, " LIMIT $%d::bigint", p_limit);
}


void
hie_sort_walk(hie_find_t *w, hie_find_types_t *types, int p_limit,
              bool bodies)
{
    const hie_query_t  *q = w->query;

    if (q->n_sorts == 0 || hie_sort_is_updated(q)) {
        walk_table(w, types, p_limit, bodies);
        return;
    }

    hie_buf_addz(&w->sql, "SELECT l.* FROM (");
    walk_both(w, types, p_limit, bodies);
    hie_buf_addz(&w->sql, ") l");
    hie_sort_order(w, "l");
}
