/*
 * Rows of resources and of all their index tables.
 *
 * One statement writes all of a list: each further one would cost as much as
 * several rows. Arrays of arrays do not exist in PostgreSQL (only matrices):
 * the keys of all rows stand in one array, with both ends of each row's part
 * beside it. Rows of the index tables say by their `ord` whose they are.
 *
 * What a resource contains is written by a statement of its own, behind that of
 * the resource: most contain nothing, and nothing is asked for them. A version
 * forgets what the one before it contained; the server may not delete rows, so
 * they stay, as deleted ones, until something is contained under their id
 * again.
 */

#include "store/puts.h"

#include <math.h>
#include <stdlib.h>


/* How far a number looks for the same one. */
#define PAIR_STEPS  64

#define PART(array, from, to)                                                 \
    "(" array ")[" from " + 1 : " to "]"

#define PATIENTS  PART("$12::bigint[]", "d.p0", "d.p1")
#define TOKENS    PART("$13::bigint[]", "d.t0", "d.t1")
#define PARAMS    PART("$14::int[]", "d.r0", "d.r1")
#define KEYS      PART("$15::bigint[]", "d.r0", "d.r1")
#define PRESENT   PART("$36::int[]", "d.v0", "d.v1")

/* What all statements have. */
#define COMMON                                                                \
    "$1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[],"     \
    " $7::int[], $8::int[], $9::timestamptz[], $10::timestamptz[],"           \
    " $11::tsvector[], $35::bigint[], $37::int[], $38::int[]"
#define COMMON_NAMES                                                          \
    "type, id, p0, p1, t0, t1, r0, r1, care_from, care_until, words,"         \
    " key, v0, v1"

#define WRITTEN        "$43::timestamptz[], $44::bytea[], $45::int[]"
#define WRITTEN_NAMES  "updated, body, method"

#define IS_ROW  HIE_IS_ROW("r", "d.key", "d.type", "d.id")

/* The index tables. `a` has the rid of each row, by its place. */
#define RID  "(SELECT a.rids FROM a)[u.ord]"

#define INDEX                                                                 \
    "ns AS (INSERT INTO hie.resource_string (rid, slot, scope, value)"       \
    " SELECT " RID ", u.slot, u.scope, u.value"                               \
    " FROM unnest($16::int[], $17::bigint[], $18::bigint[], $19::text[])"     \
    " AS u(ord, slot, scope, value)), "                                       \
    "nd AS (INSERT INTO hie.resource_date (rid, slot, low, high, scope)"     \
    " SELECT " RID ", u.slot, u.low, u.high, u.scope"                         \
    " FROM unnest($20::int[], $21::bigint[], $22::bigint[], $23::bigint[],"   \
    " $24::bigint[]) AS u(ord, slot, low, high, scope)), "                    \
    "nn AS (INSERT INTO hie.resource_number (rid, slot, part, unit, system," \
    " code, scope, low, high, unit_low, unit_high, low_float, unit_float)"    \
    " SELECT " RID ", u.slot, u.part, u.unit, u.system, u.code, u.scope,"     \
    " u.low,"                                                                 \
    " coalesce(u.high, u.low), u.unit_low,"                                   \
    " coalesce(u.unit_high, u.unit_low), u.low_float, u.unit_float"           \
    " FROM unnest($25::int[], $26::bigint[], $27::bigint[], $28::bigint[],"   \
    " $29::bigint[], $30::bigint[], $31::numeric[], $32::numeric[],"          \
    " $33::numeric[], $34::numeric[], $40::float8[], $41::float8[],"          \
    " $42::bigint[])"                                                         \
    " AS u(ord, slot, unit, system, code, scope, low, high, unit_low,"        \
    " unit_high, low_float, unit_float, part)), "                             \
    "nt AS (INSERT INTO hie.resource_text (rid, words)"                      \
    " SELECT i.rid, i.words FROM i WHERE i.words IS NOT NULL) "

/* What was there before, of the rows and of what they contained. */
#define FORGET                                                                \
    "c AS (UPDATE hie.resource x SET deleted = true, tokens = '{}',"          \
    " present = '{}', ref_params = '{}', ref_keys = '{}'"                     \
    " WHERE x.owner = ANY (ARRAY(SELECT i.key FROM i))"                       \
    " AND x.owner IS NOT NULL AND NOT x.deleted RETURNING x.rid), "           \
    "g AS (SELECT i.rid FROM i UNION ALL SELECT c.rid FROM c), "              \
    "fs AS (DELETE FROM hie.resource_string x USING g WHERE x.rid = g.rid), " \
    "fd AS (DELETE FROM hie.resource_date x USING g WHERE x.rid = g.rid), "   \
    "fn AS (DELETE FROM hie.resource_number x USING g WHERE x.rid = g.rid), " \
    "ft AS (DELETE FROM hie.resource_text x USING g WHERE x.rid = g.rid), "

/* Whether the values were made by the present search parameters: hie.reindex
 * goes over what was there before a generation, and must not be passed by what
 * is made by an older one. */
#define IS_PRESENT                                                            \
    "(SELECT g.generation <= $39::bigint FROM hie.registry g)"

#define ALL_OR_CONFLICT                                                       \
    "SELECT CASE WHEN " IS_PRESENT " AND count(*) = cardinality($1::text[])"  \
    " THEN count(*) ELSE hie.conflict() END FROM i"

static const char  create_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT nextval('hie.resource_rid') AS rid, u.*"
    " FROM unnest(" COMMON ", " WRITTEN ")"
    " AS u(" COMMON_NAMES ", " WRITTEN_NAMES ")), "
    "i AS (SELECT d.rid, d.words FROM d), "
    "a AS (SELECT array_agg(d.rid) AS rids FROM d), "
    "w AS (INSERT INTO hie.resource"
    " (rid, key, version, updated, care_from, care_until, method, deleted,"
    " type, id, patients, tokens, present, ref_params, ref_keys, body)"
    " SELECT d.rid, d.key, 1, d.updated, d.care_from, d.care_until,"
    " d.method, false, d.type, d.id, " PATIENTS ", " TOKENS ", " PRESENT
    ", " PARAMS ", " KEYS ", d.body FROM d), "
    INDEX
    "SELECT CASE WHEN " IS_PRESENT " THEN count(*) ELSE hie.conflict() END"
    " FROM d";

static const char  update_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT u.*"
    " FROM unnest(" COMMON ", " WRITTEN ", $46::bigint[]) WITH ORDINALITY"
    " AS u(" COMMON_NAMES ", " WRITTEN_NAMES ", version, ord)), "
    "h AS (INSERT INTO hie.resource_history"
    " (rid, version, updated, superseded, method, deleted, type, id,"
    " patients, body)"
    " SELECT r.rid, r.version, r.updated, d.updated, r.method, r.deleted,"
    " r.type, r.id, r.patients, r.body"
    " FROM d JOIN hie.resource r ON " IS_ROW
    " AND r.version = d.version - 1), "
    "i AS (UPDATE hie.resource r SET version = d.version,"
    " updated = d.updated, care_from = d.care_from,"
    " care_until = d.care_until, method = d.method, deleted = (d.body = ''),"
    " patients = CASE WHEN d.body = '' THEN r.patients"
    " ELSE " PATIENTS " END,"
    " tokens = " TOKENS ", present = " PRESENT ", ref_params = " PARAMS ","
    " ref_keys = " KEYS ", body = d.body"
    " FROM d WHERE " IS_ROW
    " AND r.version = d.version - 1 RETURNING r.rid, r.key, d.ord,"
    " d.words), "
    "a AS (SELECT array_agg(i.rid ORDER BY i.ord) AS rids FROM i), "
    FORGET INDEX
    ALL_OR_CONFLICT;

/* No patient is taken away: who governs a row may be known from elsewhere, as
 * the context of a Binary is. */
static const char  reindex_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT u.* FROM unnest(" COMMON ", $43::bigint[]) WITH ORDINALITY"
    " AS u(" COMMON_NAMES ", version, ord)), "
    "i AS (UPDATE hie.resource r SET care_from = d.care_from,"
    " care_until = d.care_until,"
    " patients = CASE WHEN " PATIENTS " <@ r.patients THEN r.patients"
    " ELSE ARRAY(SELECT unnest(r.patients) UNION SELECT unnest(" PATIENTS "))"
    " END, tokens = " TOKENS ", present = " PRESENT ","
    " ref_params = " PARAMS ", ref_keys = " KEYS
    " FROM d WHERE " IS_ROW
    " AND r.version = d.version RETURNING r.rid, r.key, d.ord,"
    " d.words), "
    "a AS (SELECT array_agg(i.rid ORDER BY i.ord) AS rids FROM i), "
    FORGET INDEX
    ALL_OR_CONFLICT;

/* Whose they are ($12) says who may see them. What was contained under the id
 * before has been forgotten by the statement in front. */
static const char  contained_sql[] =
    "WITH d AS MATERIALIZED ("
    "SELECT r.version, r.updated, r.care_from AS since, r.care_until AS until,"
    " r.method, r.patients, u.*"
    " FROM unnest(" COMMON ", $12::bigint[]) WITH ORDINALITY"
    " AS u(" COMMON_NAMES ", owner, ord) CROSS JOIN LATERAL (SELECT *"
    " FROM hie.resource o WHERE o.key = u.owner OFFSET 0) r), "
    "w AS (INSERT INTO hie.resource AS x"
    " (key, version, updated, care_from, care_until, method, owner, type, id,"
    " patients, tokens, present, ref_params, ref_keys, body)"
    " SELECT d.key, d.version, d.updated, d.since, d.until, d.method, d.owner,"
    " d.type, d.id, d.patients, " TOKENS ", " PRESENT ", " PARAMS ", " KEYS
    ", '' FROM d"
    " ON CONFLICT (key) DO UPDATE SET version = excluded.version,"
    " updated = excluded.updated, care_from = excluded.care_from,"
    " care_until = excluded.care_until, method = excluded.method,"
    " deleted = false, patients = excluded.patients,"
    " tokens = excluded.tokens, present = excluded.present,"
    " ref_params = excluded.ref_params, ref_keys = excluded.ref_keys"
    " WHERE x.owner = excluded.owner AND x.id = excluded.id"
    " RETURNING x.rid, x.key), "
    "i AS (SELECT w.rid, d.ord, d.words FROM d JOIN w ON w.key = d.key), "
    "a AS (SELECT array_agg(i.rid ORDER BY i.ord) AS rids FROM i), "
    INDEX
    ALL_OR_CONFLICT;


const char *
hie_rows_sql(hie_rows_kind_t kind)
{
    switch (kind) {
    case HIE_ROWS_CREATE:
        return create_sql;

    case HIE_ROWS_UPDATE:
        return update_sql;

    case HIE_ROWS_CONTAINED:
        return contained_sql;

    default:
        return reindex_sql;
    }
}


static void
init_parts(hie_rows_t *w, apr_pool_t *pool)
{
    hie_array_init(&w->p0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->p1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->t0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->t1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->r0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->r1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->patients, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->tokens, pool, HIE_PG_INT8, 1024);
    hie_array_init(&w->v0, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->v1, pool, HIE_PG_INT4, 16);
    hie_array_init(&w->present, pool, HIE_PG_INT4, 256);
    hie_array_init(&w->ref_params, pool, HIE_PG_INT4, 128);
    hie_array_init(&w->ref_keys, pool, HIE_PG_INT8, 128);
}


static void
init_values(hie_rows_t *w, apr_pool_t *pool)
{
    hie_array_init(&w->s_ord, pool, HIE_PG_INT4, 64);
    hie_array_init(&w->s_slot, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->s_scope, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->s_value, pool, HIE_PG_TEXT, 128);
    hie_array_init(&w->d_ord, pool, HIE_PG_INT4, 32);
    hie_array_init(&w->d_slot, pool, HIE_PG_INT8, 32);
    hie_array_init(&w->d_low, pool, HIE_PG_INT8, 32);
    hie_array_init(&w->d_high, pool, HIE_PG_INT8, 32);
    hie_array_init(&w->d_scope, pool, HIE_PG_INT8, 32);
    hie_array_init(&w->n_ord, pool, HIE_PG_INT4, 64);
    hie_array_init(&w->n_slot, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->n_unit, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->n_system, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->n_code, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->n_scope, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->n_low, pool, HIE_PG_NUMERIC, 64);
    hie_array_init(&w->n_high, pool, HIE_PG_NUMERIC, 64);
    hie_array_init(&w->n_unit_low, pool, HIE_PG_NUMERIC, 64);
    hie_array_init(&w->n_unit_high, pool, HIE_PG_NUMERIC, 64);
    hie_array_init(&w->n_low_float, pool, HIE_PG_FLOAT8, 64);
    hie_array_init(&w->n_unit_float, pool, HIE_PG_FLOAT8, 64);
    hie_array_init(&w->n_part, pool, HIE_PG_INT8, 64);
}


void
hie_rows_init(hie_rows_t *w, const hie_store_t *s, apr_pool_t *pool,
              size_t body_size)
{
    w->n = 0;
    w->generation = INT64_MAX;
    w->pool = pool;
    w->full_text = s->conf->fhir.full_text;
    hie_array_init(&w->type, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->id, pool, HIE_PG_TEXT, 64);
    init_parts(w, pool);
    hie_array_init(&w->care_from, pool, HIE_PG_TIMESTAMPTZ, 16);
    hie_array_init(&w->care_until, pool, HIE_PG_TIMESTAMPTZ, 16);
    hie_array_init(&w->words, pool, HIE_PG_TSVECTOR, 512);
    init_values(w, pool);
    hie_array_init(&w->key, pool, HIE_PG_INT8, 16);
    hie_array_init(&w->version, pool, HIE_PG_INT8, 16);
    hie_array_init(&w->updated, pool, HIE_PG_TIMESTAMPTZ, 32);
    hie_array_init(&w->body, pool, HIE_PG_BYTEA, body_size);
    hie_array_init(&w->method, pool, HIE_PG_INT4, 16);
}


/* The ends of the numbers are PostgreSQL's infinities. A year of four digits
 * is never too much for the difference. */
static int64_t
care_time(apr_time_t t)
{
    return t == INT64_MIN || t == INT64_MAX ? t : t - HIE_PG_EPOCH;
}


static void
add_care(hie_rows_t *w, const hie_relations_t *x)
{
    bool  known = x->care_from < x->care_until;

    hie_array_i64(&w->care_from, care_time(known ? x->care_from : INT64_MIN));
    hie_array_i64(&w->care_until,
                  care_time(known ? x->care_until : INT64_MAX));
}


static void
add_key(hie_array_t *a, uint64_t key)
{
    hie_array_i64(a, (int64_t) key);
}


/* 0: there is none. */
static void
add_optional(hie_array_t *a, uint64_t key)
{
    if (key == 0) {
        hie_array_null(a);
    } else {
        add_key(a, key);
    }
}


static void
add_patients(hie_rows_t *w, const hie_relations_t *x)
{
    int  i;

    hie_array_i32(&w->p0, (int32_t) w->patients.n);
    for (i = 0; i < x->n_patients; i++) {
        add_key(&w->patients, x->patients[i]);
    }
    hie_array_i32(&w->p1, (int32_t) w->patients.n);
}


static int
compare_keys(const void *va, const void *vb)
{
    uint64_t  a = *(const uint64_t *) va, b = *(const uint64_t *) vb;

    return (a > b) - (a < b);
}


/* What parameters find that it refers to: all, or those that
 * hie_search_referring knows. */
typedef struct {
    uint64_t  *keys;             /* in their order */
    int        n;
} known_t;

static known_t
known_targets(hie_rows_t *w, const hie_search_values_t *v, bool referring)
{
    known_t  known;
    int      i;

    known.keys = apr_palloc(w->pool, sizeof(*known.keys)
                                     * (size_t) (v->n_references + 1));
    known.n = 0;
    for (i = 0; i < v->n_references; i++) {
        if (v->references[i].referring || !referring) {
            known.keys[known.n++] = v->references[i].target;
        }
    }

    qsort(known.keys, (size_t) known.n, sizeof(*known.keys), compare_keys);
    return known;
}


static bool
is_known(const known_t *known, uint64_t key)
{
    return bsearch(&key, known->keys, (size_t) known->n, sizeof(key),
                   compare_keys) != NULL;
}


/* What it refers to anywhere besides. */
static void
add_referring(hie_rows_t *w, const hie_relations_t *x,
              const hie_search_values_t *v)
{
    int      i;
    known_t  known = known_targets(w, v, true);

    for (i = 0; i < x->n_refs; i++) {
        if (!is_known(&known, x->refs[i])) {
            add_key(&w->tokens, hie_search_reference_key(0, x->refs[i]));
        }
    }
}


/* What it is found by, and what it refers to anywhere. */
static void
add_tokens(hie_rows_t *w, const hie_relations_t *x,
           const hie_search_values_t *v)
{
    int  i;

    hie_array_i32(&w->t0, (int32_t) w->tokens.n);
    for (i = 0; i < v->n_tokens; i++) {
        add_key(&w->tokens, v->tokens[i]);
    }
    add_referring(w, x, v);
    hie_array_i32(&w->t1, (int32_t) w->tokens.n);
}


static void
add_present(hie_rows_t *w, const hie_search_values_t *v)
{
    int  i;

    hie_array_i32(&w->v0, (int32_t) w->present.n);
    for (i = 0; i < v->n_present; i++) {
        hie_array_i32(&w->present, (int32_t) v->present[i]);
    }
    hie_array_i32(&w->v1, (int32_t) w->present.n);
}


static void
add_references(hie_rows_t *w, const hie_relations_t *x,
               const hie_search_values_t *v)
{
    int      i;
    known_t  known = known_targets(w, v, false);

    hie_array_i32(&w->r0, (int32_t) w->ref_keys.n);
    for (i = 0; i < v->n_references; i++) {
        hie_array_i32(&w->ref_params, (int32_t) v->references[i].param);
        add_key(&w->ref_keys, v->references[i].target);
    }
    for (i = 0; i < x->n_followed; i++) {
        if (!is_known(&known, x->refs[i])) {
            hie_array_i32(&w->ref_params, 0);
            add_key(&w->ref_keys, x->refs[i]);
        }
    }
    hie_array_i32(&w->r1, (int32_t) w->ref_keys.n);
}


static void
add_strings(hie_rows_t *w, const hie_search_values_t *v)
{
    int                         i;
    const hie_search_string_t  *s;

    for (i = 0; i < v->n_strings; i++) {
        s = &v->strings[i];
        hie_array_i32(&w->s_ord, w->n);
        add_key(&w->s_slot, s->slot);
        add_optional(&w->s_scope, s->scope);
        hie_array_str(&w->s_value, hie_string_indexed(s->value));
    }
}


static void
add_dates(hie_rows_t *w, const hie_search_values_t *v)
{
    int                       i;
    const hie_search_date_t  *d;

    for (i = 0; i < v->n_dates; i++) {
        d = &v->dates[i];
        hie_array_i32(&w->d_ord, w->n);
        add_key(&w->d_slot, d->slot);
        hie_array_i64(&w->d_low, d->low);
        hie_array_i64(&w->d_high, d->high);
        add_optional(&w->d_scope, d->scope);
    }
}


/* The two ends of one range; the second null if it is the first. */
static void
add_range(hie_array_t *low, hie_array_t *low_float, hie_array_t *high,
          const hie_decimal_t *from, const hie_decimal_t *to, uint8_t open)
{
    if (open & HIE_SEARCH_OPEN_LOW) {
        hie_array_infinity(low, true);
        hie_array_double(low_float, -INFINITY);
    } else {
        hie_array_numeric(low, from);
        hie_array_double(low_float, hie_decimal_to_double(from));
    }

    if (open & HIE_SEARCH_OPEN_HIGH) {
        hie_array_infinity(high, false);
    } else if (open == 0 && hie_decimal_compare(from, to) == 0) {
        hie_array_null(high);
    } else {
        hie_array_numeric(high, to);
    }
}


/* The same quantity: what is in its canonical unit follows from the rest. */
static bool
is_same(const hie_search_number_t *a, const hie_search_number_t *b)
{
    return a->system == b->system && a->code == b->code && a->unit == b->unit
           && a->open == b->open && hie_decimal_compare(&a->low, &b->low) == 0
           && hie_decimal_compare(&a->high, &b->high) == 0;
}


/* Gives each number of a composite a place beside that of a parameter, if there
 * is the same one close to where the one before found its own: both take them
 * from the resource in its order. */
static void
pair_numbers(const hie_search_values_t *v, const hie_search_number_t **parts)
{
    int  i, k, at = 0;

    for (i = 0; i < v->n_numbers; i++) {
        parts[i] = NULL;
    }

    for (i = 0; i < v->n_numbers; i++) {
        if (!hie_slot_is_part(v->numbers[i].slot)) {
            continue;
        }

        for (k = 0; k < PAIR_STEPS && k < v->n_numbers; k++) {
            at = at + 1 < v->n_numbers ? at + 1 : 0;
            if (parts[at] == NULL && !hie_slot_is_part(v->numbers[at].slot)
                && is_same(&v->numbers[at], &v->numbers[i]))
            {
                parts[at] = &v->numbers[i];
                parts[i] = parts[at];
                break;
            }
        }
    }
}


/* `n` of a parameter, `part` of a composite; one of them may be NULL. */
static void
add_number(hie_rows_t *w, const hie_search_number_t *n,
           const hie_search_number_t *part)
{
    const hie_search_number_t  *x = n != NULL ? n : part;

    hie_array_i32(&w->n_ord, w->n);
    add_optional(&w->n_slot, n != NULL ? n->slot : 0);
    add_optional(&w->n_part, part != NULL ? part->slot : 0);
    add_optional(&w->n_scope, part != NULL ? part->scope : 0);
    add_optional(&w->n_unit, x->unit);
    add_optional(&w->n_system, x->system);
    add_optional(&w->n_code, x->code);
    add_range(&w->n_low, &w->n_low_float, &w->n_high, &x->low, &x->high,
              x->open);
    if (x->unit == 0) {
        hie_array_null(&w->n_unit_low);
        hie_array_null(&w->n_unit_high);
        hie_array_null(&w->n_unit_float);
    } else {
        add_range(&w->n_unit_low, &w->n_unit_float, &w->n_unit_high,
                  &x->unit_low, &x->unit_high, x->open);
    }
}


static void
add_numbers(hie_rows_t *w, const hie_search_values_t *v)
{
    int                         i;
    const hie_search_number_t  *n, **parts;

    parts = apr_palloc(w->pool, sizeof(*parts) * (size_t) (v->n_numbers + 1));
    pair_numbers(v, parts);
    for (i = 0; i < v->n_numbers; i++) {
        n = &v->numbers[i];
        if (!hie_slot_is_part(n->slot)) {
            add_number(w, n, parts[i]);
        } else if (parts[i] == NULL) {
            add_number(w, NULL, n);
        }
    }
}


static void
add_words(hie_rows_t *w, const hie_search_values_t *v)
{
    hie_str_t  words = HIE_STR_NONE;

    if (w->full_text) {
        words = hie_words_vector(w->pool, v->narrative, v->content);
    }
    if (words.ptr != NULL) {
        hie_array_str(&w->words, words);
    } else {
        hie_array_null(&w->words);
    }
}


static hie_method_t
put_method(const hie_put_t *put)
{
    if (put->body.len == 0) {
        return HIE_BY_DELETE;
    }
    return put->method != 0 ? put->method : HIE_BY_PUT;
}


static void
add_row(hie_rows_t *w, hie_str_t type, hie_str_t id, uint64_t key,
        const hie_relations_t *x, const hie_search_values_t *v)
{
    w->n++;
    hie_array_str(&w->type, type);
    hie_array_str(&w->id, id);
    add_key(&w->key, key);
    add_care(w, x);
    add_patients(w, x);
    add_tokens(w, x, v);
    add_present(w, v);
    add_references(w, x, v);
    add_strings(w, v);
    add_dates(w, v);
    add_numbers(w, v);
    add_words(w, v);
}


static const hie_relations_t  no_relations;

void
hie_rows_add(hie_rows_t *w, const hie_put_t *put, hie_rows_kind_t kind)
{
    static const hie_search_values_t  no_values;
    const hie_relations_t            *x = &no_relations;
    const hie_search_values_t        *v = &no_values;

    if (put->body.len > 0) {
        x = put->relations;
        v = put->values;
        if (put->generation < w->generation) {
            w->generation = put->generation;
        }
    }

    add_row(w, put->type, put->id, hie_fhir_resource_key(put->type, put->id),
            x, v);
    hie_array_i64(&w->version, put->version);
    if (kind != HIE_ROWS_REINDEX) {
        hie_array_time(&w->updated, put->updated);
        hie_array_str(&w->body, put->body);
        hie_array_i32(&w->method, put_method(put));
    }
}


const hie_params_t *
hie_rows_params(hie_rows_t *w, hie_rows_kind_t kind)
{
    hie_array_t *const  in_order[] = {
        &w->type, &w->id, &w->p0, &w->p1, &w->t0, &w->t1, &w->r0, &w->r1,
        &w->care_from, &w->care_until, &w->words,
        &w->patients, &w->tokens, &w->ref_params, &w->ref_keys,
        &w->s_ord, &w->s_slot, &w->s_scope, &w->s_value,
        &w->d_ord, &w->d_slot, &w->d_low, &w->d_high, &w->d_scope,
        &w->n_ord, &w->n_slot, &w->n_unit, &w->n_system, &w->n_code,
        &w->n_scope, &w->n_low, &w->n_high, &w->n_unit_low, &w->n_unit_high,
        &w->key, &w->present, &w->v0, &w->v1
    };
    size_t  i;

    hie_params_init(&w->params, w->pool);
    for (i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++) {
        hie_params_array(&w->params, in_order[i]);
    }
    hie_params_i64(&w->params, w->generation);
    hie_params_array(&w->params, &w->n_low_float);
    hie_params_array(&w->params, &w->n_unit_float);
    hie_params_array(&w->params, &w->n_part);
    if (kind == HIE_ROWS_CREATE || kind == HIE_ROWS_UPDATE) {
        hie_params_array(&w->params, &w->updated);
        hie_params_array(&w->params, &w->body);
        hie_params_array(&w->params, &w->method);
    }
    if (kind == HIE_ROWS_UPDATE || kind == HIE_ROWS_REINDEX) {
        hie_params_array(&w->params, &w->version);
    }
    return &w->params;
}


/*
 * What resources contain.
 */

/* What the container refers to anywhere is not theirs: who asks for that means
 * resources. */
static void
add_contained(hie_rows_t *w, const hie_put_t *put)
{
    const hie_search_contained_t  *c;
    int                            i;

    for (i = 0; i < put->values->n_contained; i++) {
        c = &put->values->contained[i];
        add_row(w, c->type_name, c->id, c->key, &no_relations, &c->values);
        add_key(&w->patients, hie_fhir_resource_key(put->type, put->id));
    }
    if (put->generation < w->generation) {
        w->generation = put->generation;
    }
}


bool
hie_rows_contained(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                   hie_op_t *op)
{
    hie_rows_t  *w = NULL;
    int          i;

    for (i = 0; i < n; i++) {
        if (puts[i].body.len == 0 || puts[i].values->n_contained == 0) {
            continue;
        }
        if (w == NULL) {
            w = apr_palloc(tx->pool, sizeof(*w));
            hie_rows_init(w, tx->store, tx->pool, 0);
        }
        add_contained(w, &puts[i]);
    }
    if (w == NULL) {
        return false;
    }
    *op = (hie_op_t) {
        &tx->store->contained, hie_rows_params(w, HIE_ROWS_CONTAINED), NULL
    };
    return true;
}
