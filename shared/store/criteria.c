/*
 * One criterion: as a condition on a row, and as one that an index serves.
 */

#include "store/query.h"

#include <math.h>

#include <apr_strings.h>


/* Kilometres, and how long a degree of latitude is at least. */
#define EARTH_RADIUS    6371008.8
#define DEGREE_METRES   110574.0


static void
add_not_contained(hie_find_t *w, const char *alias)
{
    hie_buf_addf(&w->sql, " AND %s.owner IS NULL", alias);
}


/* Where it cannot, the condition is left out. */
static bool
may_be_contained(const hie_find_types_t *types)
{
    return types->contained || types->names[0].ptr[0] == '#';
}


static bool
never(hie_find_t *w, const hie_criterion_t *c)
{
    if (c->n > 0) {
        return false;
    }
    hie_buf_addz(&w->sql, "false");
    return true;
}


static void
add_tokens(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    const char  *op = c->n == 1 ? "@>" : "&&";

    hie_buf_addf(&w->sql, "%s.tokens %s $%d::bigint[]", alias, op,
                 hie_find_keys(w, c->keys, c->n));
}


static void
add_present(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    hie_array_t  *a = apr_palloc(w->pool, sizeof(*a));
    int           i;

    hie_array_init(a, w->pool, HIE_PG_INT4, 16);
    for (i = 0; i < c->n_params; i++) {
        hie_array_i32(a, (int32_t) c->params[i]);
    }
    hie_params_array(&w->params, a);
    hie_buf_addf(&w->sql, "%s.present && $%d::int[]", alias, w->params.n);
}


static void
add_ids(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    hie_buf_addf(&w->sql, "%s.id = ANY ($%d::text[])", alias,
                 hie_find_strs(w, c->ids, c->n));
}


/* Their rows, by the key. */
static void
add_id_keys(hie_find_t *w, const hie_criterion_t *c,
            const hie_find_types_t *types, const char *alias)
{
    uint64_t  *keys;
    int        i, k, n = 0;

    keys = apr_palloc(w->pool, sizeof(*keys) * (size_t) types->n
                               * (size_t) c->n + 1);
    for (i = 0; i < types->n; i++) {
        for (k = 0; k < c->n; k++) {
            keys[n++] = hie_fhir_resource_key(types->names[i], c->ids[k]);
        }
    }
    hie_buf_addf(&w->sql, "%s.key = ANY ($%d::bigint[]) AND (", alias,
                 hie_find_keys(w, keys, n));
    add_ids(w, c, alias);
    hie_buf_addz(&w->sql, ")" HIE_BY_NO_INDEX);
}


/*
 * _lastUpdated: an instant.
 */
static int
add_time(hie_find_t *w, int64_t t)
{
    return hie_find_i64(w, t == INT64_MIN || t == INT64_MAX
                           ? t : t - HIE_PG_EPOCH);
}


static void
add_updated_value(hie_find_t *w, const hie_date_value_t *v,
                  const char *alias)
{
    static const char *const  ops[] = {
        [HIE_RANGE_GT] = ">=", [HIE_RANGE_SA] = ">=",
        [HIE_RANGE_LT] = "<", [HIE_RANGE_EB] = "<",
        [HIE_RANGE_GE] = ">=", [HIE_RANGE_LE] = "<"
    };

    int                       a;

    switch (v->op) {
    case HIE_RANGE_EQ:
    case HIE_RANGE_AP:
        a = add_time(w, v->a);
        add_time(w, v->b);
        hie_buf_addf(&w->sql, v->negate ? "(%s.updated < $%d::timestamptz"
                                          " OR %s.updated >= $%d::timestamptz)"
                                        : "%s.updated >= $%d::timestamptz"
                                          " AND %s.updated < $%d::timestamptz",
                     alias, a, alias, a + 1);
        break;
    case HIE_RANGE_GT:
    case HIE_RANGE_SA:
    case HIE_RANGE_LE:
        hie_buf_addf(&w->sql, "%s.updated %s $%d::timestamptz", alias,
                     ops[v->op], add_time(w, v->b));
        break;
    default:
        hie_buf_addf(&w->sql, "%s.updated %s $%d::timestamptz", alias,
                     ops[v->op], add_time(w, v->a));
        break;
    }
}


/* The same, of resources: what is contained has no time of its own (R4,
 * dom-4). */
static void
add_updated(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    int  i;

    hie_buf_addc(&w->sql, '(');
    for (i = 0; i < c->n; i++) {
        hie_buf_addz(&w->sql, i > 0 ? " OR " : "");
        add_updated_value(w, &c->dates[i], alias);
    }
    hie_buf_addc(&w->sql, ')');
}


/*
 * Full text.
 */
/* All of the words, each quoted. False: there is none. */
static bool
add_all_words(hie_buf_t *b, const hie_text_value_t *v, bool first)
{
    const char  *end = v->match == HIE_TEXT_NARRATIVE ? "':A" : "'";
    hie_str_t    rest = v->value, word;
    int          n;

    for (n = 0; hie_words_next(&rest, &word); n++) {
        hie_buf_addz(b, n > 0 ? " & " : first ? "(" : " | (");
        /* a word is letters and digits: nothing in it needs an escape */
        hie_buf_addf(b, "'%.*s%s", HIE_PRISTR(word), end);
    }
    if (n > 0) {
        hie_buf_addc(b, ')');
    }
    return n > 0;
}


static void
add_words(hie_find_t *w, const hie_criterion_t *c)
{
    hie_buf_t  b;
    bool       first = true;
    int        i;

    hie_buf_init(&b, w->pool, 128);
    for (i = 0; i < c->n; i++) {
        if (add_all_words(&b, &c->texts[i], first)) {
            first = false;
        }
    }
    hie_buf_addf(&w->sql, "SELECT d.rid FROM hie.resource_text d"
                 " WHERE d.words @@ $%d::text::tsquery",
                 hie_find_str(w, hie_buf_str(&b)));
}


/*
 * near (R4 section 8.6.4): places in a box around, and of those the ones that
 * are near enough on the sphere.
 */
static void
add_near(hie_find_t *w, const hie_near_t *p)
{
    double  up = p->metres / DEGREE_METRES;
    double  aside = 360;
    double  c = cos((fabs(p->latitude) + up) * M_PI / 180);
    int     a;

    if (fabs(p->latitude) + up < 89 && up / c < 180) {
        aside = up / c;
    }
    a = hie_find_i64(w, (int64_t) p->slot);
    hie_find_str(w, hie_double_text(w->pool, p->latitude));
    hie_find_str(w, hie_double_text(w->pool, p->longitude));
    hie_find_str(w, hie_double_text(w->pool, up));
    hie_find_str(w, hie_double_text(w->pool, aside));
    hie_find_str(w, hie_double_text(w->pool, p->metres));

    hie_buf_addf(&w->sql, "SELECT d.rid FROM hie.resource_number d"
        " CROSS JOIN LATERAL (SELECT e.low_float AS low"
        " FROM hie.resource_number e"
        " WHERE e.rid = d.rid AND (e.slot = d.slot AND e.code = %d)"
        HIE_BY_NO_INDEX
        " OFFSET 0) e WHERE d.slot = $%d::bigint AND d.code = %d"
        " AND d.low_float >= $%d::text::float8 - $%d::text::float8"
        " AND d.low_float <= $%d::text::float8 + $%d::text::float8",
        HIE_SEARCH_LONGITUDE, a, HIE_SEARCH_LATITUDE, a + 1, a + 3, a + 1,
        a + 3);
    /* across the meridian of 180 degrees too */
    hie_buf_addf(&w->sql,
        " AND (abs(e.low - $%d::text::float8) <= $%d::text::float8"
        " OR 360 - abs(e.low - $%d::text::float8) <= $%d::text::float8)"
        " AND 2 * %.1f * asin(least(1, sqrt("
        "power(sin(radians(d.low_float - $%d::text::float8) / 2), 2)"
        " + cos(radians(d.low_float)) * cos(radians($%d::text::float8))"
        " * power(sin(radians(e.low - $%d::text::float8) / 2), 2))))"
        " <= $%d::text::float8",
        a + 2, a + 4, a + 2, a + 4, EARTH_RADIUS, a + 1, a + 1, a + 2, a + 5);
}


void
hie_criterion_places(hie_find_t *w, const hie_criterion_t *c)
{
    int  i;

    switch (c->kind) {
    case HIE_CRITERION_TEXT:
        add_words(w, c);
        break;
    case HIE_CRITERION_NEAR:
        for (i = 0; i < c->n; i++) {
            hie_buf_addz(&w->sql, i > 0 ? " UNION ALL " : "");
            add_near(w, &c->places[i]);
        }
        break;
    default:
        hie_criterion_rows(w, c, NULL);
        break;
    }
}


/*
 * Chains.
 */
static hie_find_types_t *
chain_type(hie_find_t *w, const hie_chain_t *chain)
{
    hie_find_types_t  *types = apr_pcalloc(w->pool, sizeof(*types));
    hie_str_t         *name = apr_palloc(w->pool, sizeof(*name));

    *name = hie_str(hie_types[chain->type].name);
    types->n = 1;
    types->names = name;
    return types;
}


/* R4 section 3.1.1.5.5: "A chained condition will be evaluated inside contained
 * resources." By its URL nobody else refers to one, only by its id. */
static hie_find_types_t *
target_type(hie_find_t *w, const hie_chain_t *chain)
{
    hie_find_types_t  *types = chain_type(w, chain);
    hie_str_t         *name;

    if (!chain->canonical) {
        types->contained = true;
        return types;
    }
    name = apr_palloc(w->pool, sizeof(*name));
    *name = hie_str(apr_pstrcat(w->pool, "#", hie_types[chain->type].name,
                                NULL));
    types->names = name;
    return types;
}


static int
add_mix(hie_find_t *w, const hie_chain_t *chain)
{
    return hie_find_i64(w, (int64_t) hie_search_param_mix(chain->param));
}


/* The tokens of references to what meets the criteria. */
static void
add_chain_tokens(hie_find_t *w, const hie_criterion_t *c)
{
    const char  *t;
    int          i;

    for (i = 0; i < c->n; i++) {
        hie_buf_addz(&w->sql, i > 0 ? " UNION ALL " : "");
        if (c->chains[i].canonical) {
            hie_canonical_tokens(w, &c->chains[i],
                                 chain_type(w, &c->chains[i]), true);
            hie_buf_addz(&w->sql, " UNION ALL ");
        }
        t = hie_find_alias(w);
        hie_buf_addf(&w->sql, "SELECT %s.key # $%d::bigint AS key", t,
                     add_mix(w, &c->chains[i]));
        hie_find_matches(w, target_type(w, &c->chains[i]),
                         c->chains[i].criteria, t);
    }
}


/* What is referred to by what meets the criteria. */
static void
add_has_keys(hie_find_t *w, const hie_criterion_t *c)
{
    hie_find_types_t  *types;
    const char        *o;
    int                i;

    for (i = 0; i < c->n; i++) {
        o = hie_find_alias(w);
        types = chain_type(w, &c->chains[i]);
        hie_buf_addf(&w->sql, "%sSELECT u.key FROM (SELECT %s.ref_params,"
                     " %s.ref_keys", i > 0 ? " UNION ALL " : "", o, o);
        hie_find_matches(w, types, c->chains[i].criteria, o);
        hie_buf_addf(&w->sql, " OFFSET 0) o, unnest(o.ref_params, o.ref_keys)"
                     " AS u(param, key) WHERE u.param = $%d::bigint",
                     hie_find_i64(w, (int32_t) c->chains[i].param));
    }
}


/* Whether what refers does so by canonical URL: all ways of a criterion do, or
 * none does. */
static bool
by_url(const hie_criterion_t *c)
{
    return (c->kind == HIE_CRITERION_CHAIN || c->kind == HIE_CRITERION_HAS)
           && c->n > 0 && c->chains[0].canonical;
}


/* The tokens that what is referred to so has. */
static void
add_has_tokens(hie_find_t *w, const hie_criterion_t *c)
{
    int  i;

    for (i = 0; i < c->n; i++) {
        hie_buf_addz(&w->sql, i > 0 ? " UNION ALL " : "");
        hie_canonical_tokens(w, &c->chains[i], chain_type(w, &c->chains[i]),
                             false);
    }
}


/* The resource that is referred to, looked up. */
static void
chain_condition(hie_find_t *w, const hie_chain_t *chain, const char *alias)
{
    const char  *t = hie_find_alias(w);

    hie_buf_addf(&w->sql, "EXISTS (SELECT FROM unnest(%s.ref_params,"
                 " %s.ref_keys) AS u(param, key) CROSS JOIN LATERAL (SELECT"
                 " FROM hie.resource %s WHERE %s.key = u.key AND ", alias,
                 alias, t, t);
    hie_find_type_sql(w, target_type(w, chain), t);
    hie_find_base_sql(w, t);
    hie_find_conditions(w, chain->criteria, t);
    hie_buf_addf(&w->sql, " OFFSET 0) t WHERE u.param = $%d::bigint"
                 " OFFSET 0)", hie_find_i64(w, (int32_t) chain->param));
}


/* The tokens that all of them must have. */
static int
required_tokens(hie_find_t *w, const hie_criteria_t *c)
{
    uint64_t  *keys = apr_palloc(w->pool,
                                 sizeof(*keys) * (size_t) (c->n + 1));
    int        i, n = 0;

    for (i = 0; i < c->n; i++) {
        if (c->criteria[i].kind == HIE_CRITERION_TOKENS
            && c->criteria[i].n == 1 && !c->criteria[i].negate)
        {
            keys[n++] = c->criteria[i].keys[0];
        }
    }
    return hie_find_keys(w, keys, n);
}


/* A resource that refers to it, looked up by the token that this makes. */
static void
has_condition(hie_find_t *w, const hie_chain_t *chain, const char *alias)
{
    const char  *o = hie_find_alias(w);
    int          mix = add_mix(w, chain);

    hie_buf_addf(&w->sql, "EXISTS (SELECT FROM hie.resource %s"
                 " WHERE %s.tokens @> ((%s.key # $%d::bigint)"
                 " || $%d::bigint[]) AND %s.owner IS NULL", o, o, alias, mix,
                 required_tokens(w, chain->criteria), o);
    hie_find_base_sql(w, o);
    hie_find_conditions(w, chain->criteria, o);
    hie_buf_addz(&w->sql, " OFFSET 0)");
}


static void
group_condition(hie_find_t *w, const hie_chain_t *chain, const char *alias)
{
    hie_buf_addz(&w->sql, "(");
    if (chain->type != HIE_TYPE_NONE) {
        hie_find_type_sql(w, chain_type(w, chain), alias);
    } else {
        hie_buf_addz(&w->sql, "true");
    }
    hie_find_conditions(w, chain->criteria, alias);
    hie_buf_addc(&w->sql, ')');
}


/* By its URL, or, contained, by its id. */
static void
canonical_has_condition(hie_find_t *w, const hie_chain_t *chain,
                        const char *alias)
{
    hie_buf_addf(&w->sql, "CASE WHEN %s.owner IS NULL THEN ", alias);
    hie_canonical_condition(w, chain, chain_type(w, chain), alias, true);
    hie_buf_addz(&w->sql, " ELSE ");
    has_condition(w, chain, alias);
    hie_buf_addz(&w->sql, " END");
}


static void
canonical_chain_condition(hie_find_t *w, const hie_chain_t *chain,
                          const char *alias)
{
    hie_canonical_condition(w, chain, chain_type(w, chain), alias, false);
    hie_buf_addz(&w->sql, " OR ");
    chain_condition(w, chain, alias);
}


/* What it leads through is found once: an array that a parameter of the plan
 * keeps, of which a hash table is made. An array that is not known yet is taken
 * for a short one: PostgreSQL never thinks the table too large for memory, and
 * evaluates the sub-select for each row instead. */
static void
once_by_key(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    hie_buf_addf(&w->sql, "(%s.key IN (SELECT unnest(ARRAY(", alias);
    add_has_keys(w, c);
    hie_buf_addz(&w->sql, "))))" HIE_BY_NO_INDEX);
}


static void
once_by_tokens(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    hie_buf_addf(&w->sql, "EXISTS (SELECT FROM unnest(%s.tokens) AS k(key)"
                 " WHERE (k.key IN (SELECT unnest(ARRAY(", alias);
    if (c->kind == HIE_CRITERION_HAS) {
        add_has_tokens(w, c);
    } else {
        add_chain_tokens(w, c);
    }
    hie_buf_addz(&w->sql, "))))" HIE_BY_NO_INDEX " OFFSET 0)");
}


static void
once_condition(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    if (c->kind == HIE_CRITERION_CHAIN) {
        once_by_tokens(w, c, alias);
        return;
    }
    if (!by_url(c)) {
        once_by_key(w, c, alias);
        return;
    }
    hie_buf_addf(&w->sql, "CASE WHEN %s.owner IS NULL THEN ", alias);
    once_by_tokens(w, c, alias);
    hie_buf_addz(&w->sql, " ELSE ");
    once_by_key(w, c, alias);
    hie_buf_addz(&w->sql, " END");
}


static void
any_chain(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    const hie_checked_t  checked = w->checked;
    int                  i;

    hie_buf_addc(&w->sql, '(');
    for (i = 0; i < c->n; i++) {
        hie_buf_addz(&w->sql, i > 0 ? " OR " : "");
        w->checked = hie_once_behind(w, c, i, checked);
        if (by_url(c)) {
            (c->kind == HIE_CRITERION_HAS ? canonical_has_condition
             : canonical_chain_condition)(w, &c->chains[i], alias);
            continue;
        }
        switch (c->kind) {
        case HIE_CRITERION_CHAIN:
            chain_condition(w, &c->chains[i], alias);
            break;
        case HIE_CRITERION_HAS:
            has_condition(w, &c->chains[i], alias);
            break;
        default:
            group_condition(w, &c->chains[i], alias);
            break;
        }
    }
    w->checked = checked;
    hie_buf_addc(&w->sql, ')');
}


/*
 * By an index.
 */

/* What meets one conjunction of a group or another, each led by itself. */
static void
add_group_keys(hie_find_t *w, const hie_criterion_t *c,
               hie_find_types_t *types)
{
    const char  *g;
    int          i;

    for (i = 0; i < c->n; i++) {
        g = hie_find_alias(w);
        hie_buf_addf(&w->sql, "%sSELECT %s.key", i > 0 ? " UNION " : "", g);
        hie_find_matches(w, c->chains[i].type == HIE_TYPE_NONE
                            ? types : chain_type(w, &c->chains[i]),
                         c->chains[i].criteria, g);
    }
}


/* By canonical URL, contained ones by their ids. */
static void
add_indexed_has(hie_find_t *w, const hie_criterion_t *c,
                const hie_find_types_t *types, const char *alias)
{
    bool  both = by_url(c) && may_be_contained(types);

    if (by_url(c)) {
        hie_buf_addf(&w->sql, "%s%s.tokens && ARRAY(", both ? "(" : "", alias);
        add_has_tokens(w, c);
        hie_buf_addc(&w->sql, ')');
    }
    if (both) {
        add_not_contained(w, alias);
        hie_buf_addz(&w->sql, " OR ");
    }
    if (both || !by_url(c)) {
        hie_buf_addf(&w->sql, "%s.key = ANY (ARRAY(SELECT DISTINCT h.key"
                     " FROM (", alias);
        add_has_keys(w, c);
        hie_buf_addf(&w->sql, ") h))%s", both ? ")" : "");
    }
}


/* Is there in each conjunction of a group one that leads? */
static bool
all_led(const hie_criterion_t *c)
{
    const hie_criteria_t  *all;
    int                    i, k;

    for (i = 0; i < c->n; i++) {
        all = c->chains[i].criteria;
        for (k = 0; k < all->n; k++) {
            if (hie_criterion_index(&all->criteria[k]) != NULL) {
                break;
            }
        }
        if (k == all->n) {
            return false;
        }
    }
    return true;
}


const char *
hie_criterion_index(const hie_criterion_t *c)
{
    static const char *const  names[] = {
        [HIE_CRITERION_TOKENS] = "resource_tokens",
        [HIE_CRITERION_TERMS] = "term_value, resource_tokens",
        [HIE_CRITERION_STRINGS] = "resource_string_value",
        [HIE_CRITERION_DATES] = "resource_date_low, resource_date_long",
        [HIE_CRITERION_NUMBERS] = "resource_number_low,"
                                  " resource_number_unit_low (of a composite:"
                                  " resource_number_part_low,"
                                  " resource_number_part_unit_low)",
        [HIE_CRITERION_IDS] = "resource_pkey",
        [HIE_CRITERION_UPDATED] = "resource_updated",
        [HIE_CRITERION_TEXT] = "resource_text_words",
        [HIE_CRITERION_CHAIN] = "resource_tokens",
        [HIE_CRITERION_HAS] = "resource_pkey (by URL: resource_tokens)",
        [HIE_CRITERION_NEAR] = "resource_number_low",
        [HIE_CRITERION_GROUP] = "resource_pkey"
    };

    if (c->kind == HIE_CRITERION_GROUP && !all_led(c)) {
        return NULL;
    }
    if (c->negate || c->n == 0
        || (size_t) c->kind >= sizeof(names) / sizeof(names[0])
        || (c->kind == HIE_CRITERION_UPDATED
            && (c->n > 1 || c->dates[0].negate)))
    {
        return NULL;
    }
    return names[c->kind];
}


void
hie_criterion_indexed(hie_find_t *w, const hie_criterion_t *c,
                      hie_find_types_t *types, const char *alias)
{
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        add_tokens(w, c, alias);
        break;
    case HIE_CRITERION_IDS:
        add_id_keys(w, c, types, alias);
        break;
    case HIE_CRITERION_UPDATED:
        add_updated_value(w, &c->dates[0], alias);
        if (may_be_contained(types)) {
            add_not_contained(w, alias);
        }
        break;
    case HIE_CRITERION_TERMS:
        hie_buf_addf(&w->sql, "%s.tokens && ARRAY(", alias);
        hie_criterion_terms(w, c);
        hie_buf_addc(&w->sql, ')');
        break;
    case HIE_CRITERION_CHAIN:
        hie_buf_addf(&w->sql, "%s.tokens && ARRAY(", alias);
        add_chain_tokens(w, c);
        hie_buf_addc(&w->sql, ')');
        break;
    case HIE_CRITERION_HAS:
        add_indexed_has(w, c, types, alias);
        break;
    case HIE_CRITERION_GROUP:
        hie_buf_addf(&w->sql, "%s.key = ANY (ARRAY(", alias);
        add_group_keys(w, c, types);
        hie_buf_addz(&w->sql, "))");
        break;
    default:
        hie_buf_addf(&w->sql, "%s.rid = ANY (ARRAY(SELECT DISTINCT h.rid"
                     " FROM (", alias);
        hie_criterion_places(w, c);
        hie_buf_addz(&w->sql, ") h))");
        break;
    }
}


/*
 * By no index.
 */
static void
positive(hie_find_t *w, const hie_criterion_t *c, const char *alias)
{
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        hie_buf_addc(&w->sql, '(');
        add_tokens(w, c, alias);
        hie_buf_addz(&w->sql, ")" HIE_BY_NO_INDEX);
        break;
    case HIE_CRITERION_IDS:
        hie_buf_addc(&w->sql, '(');
        add_ids(w, c, alias);
        hie_buf_addz(&w->sql, ")" HIE_BY_NO_INDEX);
        break;
    case HIE_CRITERION_UPDATED:
        hie_buf_addc(&w->sql, '(');
        add_updated(w, c, alias);
        add_not_contained(w, alias);
        hie_buf_addz(&w->sql, ")" HIE_BY_NO_INDEX);
        break;
    case HIE_CRITERION_PRESENT:
        add_present(w, c, alias);
        break;
    case HIE_CRITERION_TERMS:
        hie_buf_addf(&w->sql, "(%s.tokens && ARRAY(", alias);
        hie_criterion_terms(w, c);
        hie_buf_addz(&w->sql, "))" HIE_BY_NO_INDEX);
        break;
    case HIE_CRITERION_TEXT:
    case HIE_CRITERION_NEAR:
        hie_buf_addz(&w->sql, "EXISTS (SELECT FROM (");
        hie_criterion_places(w, c);
        hie_buf_addf(&w->sql, ") h WHERE h.rid = %s.rid OFFSET 0)", alias);
        break;
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
    case HIE_CRITERION_GROUP:
        if (hie_once_pays(w, c)) {
            once_condition(w, c, alias);
        } else {
            any_chain(w, c, alias);
        }
        break;
    default:
        hie_criterion_rows(w, c, alias);
        break;
    }
}


/* Codes that nobody has looked up are met by nothing, negated or not. */
void
hie_criterion_condition(hie_find_t *w, const hie_criterion_t *c,
                        const char *alias)
{
    if (c->kind == HIE_CRITERION_CODES) {
        hie_buf_addz(&w->sql, "false");
        return;
    }
    if (c->negate) {
        hie_buf_addz(&w->sql, "NOT (");
    }
    if (!never(w, c)) {
        positive(w, c, alias);
    }
    if (c->negate) {
        hie_buf_addc(&w->sql, ')');
    }
}
