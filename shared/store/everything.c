/*
 * Everything about a patient or an encounter.
 *
 * An index finds what mentions the patients. What refers to nothing but these
 * patients, which is nearly all, is visible as they are: that is asked once,
 * by the same predicate, and asked row by row of the others.
 *
 * Where the page is large enough for all, the rows are read with their bodies
 * as they lie, and then by its key what they refer to: two statements, and no
 * row is copied or sorted in the database. Of each column that it sends, an
 * array above all, the database makes a copy, which is a good part of its work:
 * where all is wanted, type, id and references are taken from the body. Else
 * the page is cut out of all places by one statement.
 */

#include "store/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_tables.h>

/* What a row refers to. A Bundle only carries it. */
#define CARRIES  "Bundle"
#define REFERS  "CASE WHEN r.type <> '" CARRIES "' THEN r.ref_keys END"

/* Pages from so many rows on are tried as a whole. */
#define WHOLE  200

/* References that are remembered as they were written. */
#define LATELY        64
#define LATELY_SHIFT  58


typedef struct {
    hie_buf_t                sql;
    hie_params_t             params;
    apr_pool_t              *pool;
    const hie_everything_t  *query;
    const hie_visible_t     *visible;
    hie_see_t                see;
    int                      p_patients, p_self, p_may, p_want;
    int                      p_support, p_since, p_from, p_until, p_limit;
    int                      p_actors;
} all_t;


static int
add_strings(all_t *w, const hie_str_t *s, int n)
{
    hie_array_t  *a = apr_palloc(w->pool, sizeof(*a));
    int           i;

    hie_array_init(a, w->pool, HIE_PG_TEXT, 1024);
    for (i = 0; i < n; i++) {
        hie_array_str(a, s[i]);
    }
    hie_params_array(&w->params, a);
    return w->params.n;
}


static int
add_keys(all_t *w, const uint64_t *keys, int n)
{
    hie_params_keys(&w->params, keys, n);
    return w->params.n;
}


static int
add_i64(all_t *w, int64_t v)
{
    hie_params_i64(&w->params, v);
    return w->params.n;
}


static int
add_time(all_t *w, apr_time_t t, int64_t none)
{
    return add_i64(w, t != 0 ? t - HIE_PG_EPOCH : none);
}


static bool
is_encounter(const hie_everything_t *q)
{
    return hie_str_eqz(q->type, "Encounter");
}


static void
add_self(all_t *w)
{
    uint64_t  self = hie_fhir_resource_key(w->query->type, w->query->id);

    w->p_self = add_keys(w, &self, 1);
}


/* What every statement takes. */
static void
begin(all_t *w, const hie_visible_t *v, const hie_everything_t *q,
      apr_pool_t *pool)
{
    memset(w, 0, sizeof(*w));
    w->pool = pool;
    w->query = q;
    w->visible = v;
    w->see = hie_visible_see(v);
    hie_buf_init(&w->sql, pool, 4096);
    hie_params_init(&w->params, pool);

    w->p_patients = add_keys(w, q->patients, q->n_patients);
    w->p_limit = add_i64(w, (int64_t) q->count + 1);
    hie_visible_param(&w->params, v);
    w->p_actors = w->params.n;

    if (is_encounter(q)) {
        add_self(w);
    }
}


/* A set of all types needs no look at it, and one that is a parameter would
 * be gone through for every row, were it not made a table. */
static void
add_is_one_of(all_t *w, const char *alias, int param)
{
    if (param == 0) {
        hie_buf_addz(&w->sql, "true");
        return;
    }

    hie_buf_addf(&w->sql, "%s.type IN (SELECT o.type"
                 " FROM unnest($%d::text[]) o(type))", alias, param);
}


static void
add_is_self(all_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "(%s.key = ANY ($%d::bigint[])) IS TRUE", alias,
                 w->p_self);
}


/* What belongs to it: of a patient all that mentions it, of an encounter what
 * refers to it. */
static void
add_belongs(all_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.patients && $%d::bigint[]", alias,
                 w->p_patients);
    if (is_encounter(w->query)) {
        hie_buf_addf(&w->sql, " AND (%s.ref_keys @> $%d::bigint[] OR ", alias,
                     w->p_self);
        add_is_self(w, alias);
        hie_buf_addz(&w->sql, ")");
    }
}


/* Whether a row that mentions them mentions nobody else. Of one patient it is
 * enough to count, which is cheaper. */
static void
add_is_same(all_t *w, const char *alias)
{
    if (w->query->n_patients == 1) {
        hie_buf_addf(&w->sql, "cardinality(%s.patients) = 1", alias);
    } else {
        hie_buf_addf(&w->sql, "%s.patients = $%d::bigint[]", alias,
                     w->p_patients);
    }
}


/* v: whether what has exactly these patients is visible. */
static void
add_same(all_t *w)
{
    hie_buf_addz(&w->sql, "WITH v AS MATERIALIZED (SELECT ");
    hie_visible_sql(&w->sql, w->see, "p", w->p_actors);
    hie_buf_addf(&w->sql, " AS ok FROM (SELECT $%d::bigint[] AS patients) p)",
                 w->p_patients);
}


/* FROM and WHERE of all that belongs to it, under the alias r. What is
 * contained comes with its container: were that a condition by itself, a
 * planner without statistics would take it for a rare one. */
static void
add_matches(all_t *w)
{
    w->p_from = add_time(w, w->query->from, INT64_MIN);
    w->p_until = add_time(w, w->query->until, INT64_MAX);
    if (!w->query->may_all) {
        w->p_may = add_strings(w, w->query->may, w->query->n_may);
    }

    hie_buf_addz(&w->sql, " FROM hie.resource r WHERE ");
    add_belongs(w, "r");
    hie_buf_addf(&w->sql, " AND NOT r.deleted"
                 " AND r.care_until > $%d::timestamptz"
                 " AND r.care_from < $%d::timestamptz AND ", w->p_from,
                 w->p_until);
    add_is_one_of(w, "r", w->p_may);
    hie_buf_addz(&w->sql, " AND CASE WHEN r.owner IS NOT NULL THEN false"
                 " WHEN ");
    add_is_same(w, "r");
    hie_buf_addz(&w->sql, " THEN (SELECT v.ok FROM v) ELSE ");
    hie_visible_sql(&w->sql, w->see, "r", w->p_actors);
    hie_buf_addz(&w->sql, " END");
}


/* Whether a row is asked for. */
static void
add_is_wanted(all_t *w, const char *alias)
{
    if (w->p_since == 0) {
        w->p_since = add_time(w, w->query->since, INT64_MIN);
    }
    if (w->p_want == 0 && !w->query->want_all) {
        w->p_want = add_strings(w, w->query->want, w->query->n_want);
    }

    hie_buf_addf(&w->sql, "%s.updated >= $%d::timestamptz AND ", alias,
                 w->p_since);
    add_is_one_of(w, alias, w->p_want);
}


static hie_rc_t
run(all_t *w, hie_store_t *s, PGresult **res, hie_error_t *err)
{
    hie_stmt_t  st;

    hie_buf_addc(&w->sql, '\0');
    hie_store_stmt(&st, w->sql.ptr);
    return hie_store_query(s, &st, &w->params, res, err);
}


/*
 * Rows on their way into the order of the answer.
 */
typedef struct {
    int         class;
    hie_row_t   row;
} found_t;

typedef struct {
    uint64_t    key;
    bool        own;                     /* of the encounter itself */
    bool        here;                    /* is among the rows */
} reference_t;

typedef struct {
    const hie_everything_t  *query;
    apr_pool_t              *pool;
    apr_array_header_t      *found;      /* found_t */
    apr_hash_t              *seen;       /* what they refer to: */
    apr_array_header_t      *refs;       /* reference_t */
    apr_array_header_t      *unsure;     /* uint64_t: rows of which only the
                                            database knows whether they refer
                                            to us */
    bool                     overfull;
    bool                     self;
    hie_str_t                lately[LATELY];
} gather_t;


static int
compare_found(const void *va, const void *vb)
{
    const found_t  *a = va, *b = vb;

    if (a->class != b->class) {
        return a->class < b->class ? -1 : 1;
    }
    return (a->row.rid > b->row.rid) - (a->row.rid < b->row.rid);
}


/* The patients are null where they are those that were asked for. */
static found_t *
add_found(gather_t *g, PGresult *res, int i, int patients)
{
    found_t  *f = apr_array_push(g->found);

    memset(f, 0, sizeof(*f));
    f->row.rid = hie_result_i64(res, i, 0);
    if (PQgetisnull(res, i, patients)) {
        f->row.patients = g->query->patients;
        f->row.n_patients = g->query->n_patients;
    } else {
        f->row.patients = hie_result_keys(res, i, patients, g->pool,
                                          &f->row.n_patients);
    }
    return f;
}


static void
take_found(gather_t *g, PGresult *res, int i, int class)
{
    found_t  *f = add_found(g, res, i, 3);

    f->class = class;
    f->row.type = hie_result_str(res, i, 1);
    f->row.id = hie_result_str(res, i, 2);
    f->row.body = hie_result_str(res, i, 4);
}


static bool
is_asked_for(const hie_everything_t *q, uint64_t key)
{
    int  i;

    for (i = 0; i < q->n_patients; i++) {
        if (q->patients[i] == key) {
            return true;
        }
    }
    return false;
}


/* Most rows refer to the same few, and all of them to the patients. */
static void
take_reference(gather_t *g, uint64_t key, bool own)
{
    reference_t  *ref;

    if (is_asked_for(g->query, key)) {
        return;
    }

    ref = apr_hash_get(g->seen, &key, sizeof(key));
    if (ref == NULL) {
        ref = apr_pcalloc(g->pool, sizeof(*ref));
        ref->key = key;
        apr_hash_set(g->seen, &ref->key, sizeof(ref->key), ref);
        APR_ARRAY_PUSH(g->refs, reference_t *) = ref;
    }
    ref->own |= own;
}


static void
take_references(gather_t *g, PGresult *res, int i, bool own)
{
    int        k, n;
    uint64_t  *keys = hie_result_keys(res, i, 5, g->pool, &n);

    for (k = 0; k < n; k++) {
        take_reference(g, keys[k], own);
    }
}


/* Where a text that was taken lately is, if this one was. */
static hie_str_t *
lately(gather_t *g, hie_str_t text)
{
    uint64_t  tail = 0;
    size_t    n = text.len < sizeof(tail) ? text.len : sizeof(tail);

    memcpy(&tail, text.ptr + text.len - n, n);
    return &g->lately[(tail * UINT64_C(0x9e3779b97f4a7c15)) >> LATELY_SHIFT];
}


/* The same from the body. Whether another server's URL was one of ours when
 * it was written stands in the row only. */
static void
take_written(gather_t *g, const hie_row_t *row, bool own)
{
    hie_reference_t  ref;
    hie_str_t        rest = row->body, text, *same;
    bool             sure = true;

    if (hie_str_eqz(row->type, CARRIES)) {
        return;
    }

    while (hie_fhir_text_reference(&rest, g->pool, &text)) {
        same = lately(g, text);
        if ((hie_str_eq(*same, text) && !own)
            || !hie_fhir_reference(text, g->query->base, &ref)
            || ref.type.len == 0)
        {
            continue;
        }
        if (ref.local) {
            take_reference(g, hie_fhir_resource_key(ref.type, ref.id), own);
            *same = text;
        } else {
            sure = false;
        }
    }

    if (!sure) {
        APR_ARRAY_PUSH(g->unsure, uint64_t) =
            hie_fhir_resource_key(row->type, row->id);
    }
}


/* What is among the rows need not be read, but then has to be known: to read
 * a few, and find that they belong to it, costs less than that. */
#define MANY(rows)  ((rows) / 32)

static void
leave_out(gather_t *g, int rows, hie_str_t type, hie_str_t id)
{
    reference_t  *ref;
    uint64_t      key;

    if (g->refs->nelts > MANY(rows)) {
        key = hie_fhir_resource_key(type, id);
        ref = apr_hash_get(g->seen, &key, sizeof(key));
        if (ref != NULL) {
            ref->here = true;
        }
    }
}


static bool
is_self(gather_t *g, hie_str_t type, hie_str_t id)
{
    bool  self = hie_str_eq(id, g->query->id)
                 && hie_str_eq(type, g->query->type);

    g->self |= self;
    return self;
}


/* All rows, of which some are wanted. */
static void
take_some(gather_t *g, PGresult *res)
{
    bool  self;
    int   i, rows = PQntuples(res);

    for (i = 0; i < rows; i++) {
        self = is_self(g, hie_result_str(res, i, 1),
                       hie_result_str(res, i, 2));
        if (!PQgetisnull(res, i, 4)) {
            take_found(g, res, i, self ? 0 : 1);
        }
        take_references(g, res, i, self);
    }
    for (i = 0; i < rows; i++) {
        leave_out(g, rows, hie_result_str(res, i, 1),
                  hie_result_str(res, i, 2));
    }
}


/* All rows, and all are wanted. */
static hie_rc_t
take_all(gather_t *g, PGresult *res, hie_error_t *err)
{
    found_t   *f;
    hie_rc_t   rc;
    bool       self;
    int        i, rows = PQntuples(res);

    for (i = 0; i < rows; i++) {
        f = add_found(g, res, i, 1);
        f->row.body = hie_result_str(res, i, 2);
        rc = hie_fhir_text_name(f->row.body, g->pool, &f->row.type,
                                &f->row.id, err);
        if (rc != HIE_OK) {
            return rc;
        }
        self = is_self(g, f->row.type, f->row.id);
        f->class = self ? 0 : 1;
        take_written(g, &f->row, self);
    }
    for (i = 0; i < rows; i++) {
        f = &APR_ARRAY_IDX(g->found, i, found_t);
        leave_out(g, rows, f->row.type, f->row.id);
    }
    return HIE_OK;
}


static bool
wants_all(const hie_everything_t *q)
{
    return q->want_all && q->since == 0;
}


/* Of what is not wanted it is asked what it refers to: that may be wanted. */
static void
add_columns(all_t *w)
{
    hie_buf_addz(&w->sql, " SELECT r.rid, ");
    if (!wants_all(w->query)) {
        hie_buf_addz(&w->sql, "r.type, r.id, ");
    }
    hie_buf_addz(&w->sql, "CASE WHEN ");
    add_is_same(w, "r");
    hie_buf_addz(&w->sql, " THEN NULL ELSE r.patients END, ");
    if (wants_all(w->query)) {
        hie_buf_addz(&w->sql, "r.body");
    } else {
        hie_buf_addz(&w->sql, "CASE WHEN ");
        add_is_wanted(w, "r");
        hie_buf_addz(&w->sql, " THEN r.body END, " REFERS);
    }
}


static hie_rc_t
read_whole(gather_t *g, hie_store_t *s, const hie_visible_t *v,
           hie_error_t *err)
{
    const hie_everything_t  *q = g->query;
    PGresult                *res;
    hie_rc_t                 rc;
    all_t                    w;

    begin(&w, v, q, g->pool);
    add_same(&w);
    add_columns(&w);
    add_matches(&w);
    hie_buf_addf(&w.sql, " LIMIT $%d::bigint", w.p_limit);

    rc = run(&w, s, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_result_own(res, g->pool);
    g->overfull = PQntuples(res) > q->count;
    if (!g->overfull && wants_all(q)) {
        return take_all(g, res, err);
    }
    if (!g->overfull) {
        take_some(g, res);
    }
    return HIE_OK;
}


/* What is referred to is read if it is of a type outside of the compartment;
 * an encounter's own references are followed to any type: its conditions. */
static void
add_is_support(all_t *w, const char *own)
{
    w->p_support = add_strings(w, w->query->support, w->query->n_support);
    hie_buf_addz(&w->sql, "(");
    add_is_one_of(w, "t", w->p_support);
    if (is_encounter(w->query)) {
        if (w->p_may == 0 && !w->query->may_all) {
            w->p_may = add_strings(w, w->query->may, w->query->n_may);
        }
        hie_buf_addf(&w->sql, " OR %s AND t.type <> 'Patient' AND ", own);
        add_is_one_of(w, "t", w->p_may);
    }
    hie_buf_addz(&w->sql, ") AND t.owner IS NULL AND NOT t.deleted AND NOT (");
    add_belongs(w, "t");
    hie_buf_addz(&w->sql, ") AND ");
    hie_visible_sql(&w->sql, w->see, "t", w->p_actors);
}


/* The keys of what is to be read, and whether it is an encounter itself that
 * refers to it. */
static void
add_references(all_t *w, const gather_t *g)
{
    const reference_t  *ref;
    hie_array_t         keys, own;
    int                 i, p = w->params.n;

    hie_array_init(&keys, g->pool, HIE_PG_INT8, 512);
    hie_array_init(&own, g->pool, HIE_PG_BOOL, 256);
    for (i = 0; i < g->refs->nelts; i++) {
        ref = APR_ARRAY_IDX(g->refs, i, const reference_t *);
        if (!ref->here) {
            hie_array_i64(&keys, (int64_t) ref->key);
            hie_array_bool(&own, ref->own);
        }
    }
    hie_params_array(&w->params, &keys);
    hie_params_array(&w->params, &own);
    hie_buf_addf(&w->sql, "unnest($%d::bigint[], $%d::bool[])", p + 1, p + 2);
}


static void
add_unsure(all_t *w, const gather_t *g)
{
    hie_buf_addz(&w->sql, "(SELECT u.key, bool_or(u.own) FROM (SELECT *"
                 " FROM ");
    add_references(w, g);
    hie_buf_addz(&w->sql, " AS k(key, own) UNION ALL SELECT k.key, ");
    if (is_encounter(w->query)) {
        add_is_self(w, "r");
    } else {
        hie_buf_addz(&w->sql, "false");
    }
    hie_buf_addf(&w->sql, " FROM hie.resource r, unnest(r.ref_keys) AS k(key)"
                 " WHERE r.key = ANY ($%d::bigint[])) u GROUP BY u.key)",
                 add_keys(w, (const uint64_t *) g->unsure->elts,
                          g->unsure->nelts));
}


/* What the rows refer to, unless it belongs to it itself. */
static hie_rc_t
read_support(gather_t *g, hie_store_t *s, const hie_visible_t *v,
             hie_error_t *err)
{
    PGresult  *res;
    hie_rc_t   rc;
    all_t      w;
    int        i;

    begin(&w, v, g->query, g->pool);
    hie_buf_addz(&w.sql, "SELECT t.rid, t.type, t.id, t.patients, t.body"
                 " FROM ");
    if (g->unsure->nelts > 0) {
        add_unsure(&w, g);
    } else {
        add_references(&w, g);
    }
    hie_buf_addz(&w.sql, " AS q(key, own) JOIN hie.resource t"
                 " ON t.key = q.key WHERE ");
    add_is_support(&w, "q.own");
    hie_buf_addz(&w.sql, " AND ");
    add_is_wanted(&w, "t");
    hie_buf_addf(&w.sql, " ORDER BY t.rid LIMIT $%d::bigint", w.p_limit);

    rc = run(&w, s, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_result_own(res, g->pool);
    for (i = 0; i < PQntuples(res); i++) {
        take_found(g, res, i, 2);
    }
    return HIE_OK;
}


/* c: places of all that belongs to it; q: what that refers to; s: places of
 * these; a: the page. The rows of x are those of c and s, of which it is known
 * that they are visible. */
static hie_rc_t
read_page(gather_t *g, hie_store_t *s, const hie_visible_t *v,
          hie_error_t *err)
{
    const hie_everything_t  *q = g->query;
    PGresult                *res;
    hie_rc_t                 rc;
    all_t                    w;
    int                      i, class, rid;

    begin(&w, v, q, g->pool);
    if (!is_encounter(q)) {
        add_self(&w);
    }
    class = add_i64(&w, q->after_class);
    rid = add_i64(&w, q->after_rid);

    add_same(&w);
    hie_buf_addz(&w.sql, ", c AS MATERIALIZED (SELECT r.rid, r.key, r.type,"
                 " r.updated, " REFERS " AS ref_keys, CASE WHEN ");
    add_is_self(&w, "r");
    hie_buf_addz(&w.sql, " THEN 0 ELSE 1 END AS class");
    add_matches(&w);
    hie_buf_addz(&w.sql, "), q AS MATERIALIZED (SELECT u.key,"
                 " min(c.class) AS class FROM c, unnest(c.ref_keys) u(key)"
                 " WHERE NOT EXISTS (SELECT FROM c o WHERE o.key = u.key)"
                 " GROUP BY u.key), "
                 "s AS MATERIALIZED (SELECT t.rid, t.type, t.updated"
                 " FROM q JOIN hie.resource t ON t.key = q.key WHERE ");
    add_is_support(&w, "q.class = 0");

    hie_buf_addf(&w.sql, "), a AS MATERIALIZED (SELECT n.class, n.rid, n.type"
                 " FROM (SELECT c.class, c.rid, c.type, c.updated FROM c"
                 " UNION ALL SELECT 2, s.rid, s.type, s.updated FROM s) n"
                 " WHERE (n.class, n.rid) > ($%d::bigint, $%d::bigint) AND ",
                 class, rid);
    add_is_wanted(&w, "n");
    hie_buf_addf(&w.sql, " ORDER BY n.class, n.rid LIMIT $%d::bigint)"
                 " SELECT x.rid, x.type, x.id, x.patients, x.body,"
                 " a.class::bigint FROM a JOIN hie.resource x"
                 " ON x.type = a.type AND x.rid = a.rid", w.p_limit);

    rc = run(&w, s, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_result_own(res, g->pool);
    for (i = 0; i < PQntuples(res); i++) {
        take_found(g, res, i, (int) hie_result_i64(res, i, 5));
    }
    return HIE_OK;
}


/* As rows lie, they mostly are. */
static bool
is_sorted(const found_t *f, int n)
{
    int  i;

    for (i = 1; i < n; i++) {
        if (compare_found(&f[i - 1], &f[i]) > 0) {
            return false;
        }
    }
    return true;
}


/* What stopped to belong to it between two statements would be there twice.
 * The rows are in order. */
static int
drop_doubles(found_t *f, int n)
{
    found_t  same;
    int      i, kept, first;

    for (first = 0; first < n && f[first].class < 2; first++) {
        /* void */
    }
    for (i = first, kept = first; i < n; i++) {
        same = f[i];
        same.class = 1;
        if (bsearch(&same, f, (size_t) first, sizeof(*f), compare_found)
            == NULL && (first == 0 || f[0].row.rid != same.row.rid))
        {
            f[kept++] = f[i];
        }
    }
    return kept;
}


static void
settle(gather_t *g, hie_all_t *out)
{
    found_t  *f = (found_t *) g->found->elts;
    int       n = g->found->nelts;
    int       i;

    if (!is_sorted(f, n)) {
        qsort(f, (size_t) n, sizeof(*f), compare_found);
    }
    n = drop_doubles(f, n);
    if (n > g->query->count) {
        n = g->query->count;
        out->more = true;
        out->next_class = f[n - 1].class;
        out->next_rid = f[n - 1].row.rid;
    }

    out->n = n;
    out->rows = apr_palloc(g->pool, (size_t) (n + 1) * sizeof(*out->rows));
    out->classes = apr_palloc(g->pool, (size_t) (n + 1) * sizeof(int));
    for (i = 0; i < n; i++) {
        out->rows[i] = f[i].row;
        out->classes[i] = f[i].class;
    }
}


hie_rc_t
hie_store_everything(hie_store_t *s, const hie_visible_t *v,
                     const hie_everything_t *q, apr_pool_t *pool,
                     hie_all_t *out, hie_error_t *err)
{
    gather_t  g = { .query = q, .pool = pool };
    hie_rc_t  rc = HIE_OK;
    bool      whole = q->count >= WHOLE && q->after_class == 0
                      && q->after_rid == -1;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_all_t) { 0 };
    g.found = apr_array_make(pool, 256, sizeof(found_t));
    g.refs = apr_array_make(pool, 16, sizeof(reference_t *));
    g.unsure = apr_array_make(pool, 4, sizeof(uint64_t));
    g.seen = apr_hash_make(pool);

    if (whole) {
        rc = read_whole(&g, s, v, err);
        if (rc == HIE_OK && !g.overfull
            && g.refs->nelts + g.unsure->nelts > 0)
        {
            rc = read_support(&g, s, v, err);
        }
    }
    if (rc == HIE_OK && (!whole || g.overfull)) {
        rc = read_page(&g, s, v, err);
    }
    if (rc == HIE_OK) {
        settle(&g, out);
        out->self = g.self;
    }
    return rc;
}
