/*
 * A set of criteria: which of them leads to the rows.
 */

#include "store/query.h"

#include <math.h>
#include <string.h>

#include <apr_strings.h>


/*
 * Estimates. They need not be good: what differs by less than a factor of ten
 * is as good one way as the other.
 */

/* Periods that data of one kind may be spread over. */
#define YEARS_OF_CARE     10
#define YEARS_OF_WRITING  1
#define YEAR_US           (365.25 * 86400e6)

/* Patients that share the beginning of a name, by its length. */
static const double  by_prefix[] = { 1, 0.1, 0.03, 0.01, 0.003, 0.001 };


static double
estimate_chains(const hie_find_t *w, const hie_criterion_t *c, double rows)
{
    hie_find_types_t  type = { .n = 1 };
    hie_str_t         name;
    double            best, all, sum = 0, there;
    int               i;

    type.names = &name;
    for (i = 0; i < c->n; i++) {
        name = hie_str(hie_types[c->chains[i].type].name);
        hie_find_estimate(w, &type, c->chains[i].criteria, &best, &all);
        there = hie_frequency_type(w->frequencies, name);
        /* a share of what is referred to is a share of what refers to it */
        sum += c->kind == HIE_CRITERION_CHAIN
               ? best * fmax(1, rows / fmax(there, 1)) : best;
    }
    return sum;
}


static double
estimate_group(const hie_find_t *w, const hie_criterion_t *c,
               const hie_find_types_t *types)
{
    double  best, all, sum = 0;
    int     i;

    for (i = 0; i < c->n; i++) {
        hie_find_estimate(w, types, c->chains[i].criteria, &best, &all);
        sum += best;
    }
    return sum;
}


static double
of_range(hie_range_op_t op, bool negate, double width, double spread,
         double rows)
{
    if (negate) {
        return rows;
    }
    if (op == HIE_RANGE_EQ || op == HIE_RANGE_AP) {
        return rows * fmin(1, width / spread);
    }
    return rows * 0.3;
}


static double
estimate_values(const hie_criterion_t *c, double rows)
{
    const hie_number_value_t  *v;
    const hie_date_value_t    *d;
    double                     sum = 0;
    size_t                     len;
    int                        i;

    for (i = 0; i < c->n; i++) {
        switch (c->kind) {
        case HIE_CRITERION_STRINGS:
            len = c->texts[i].value.len;
            len = len < 5 ? len : 5;
            sum += c->texts[i].match == HIE_TEXT_CONTAINS
                   ? rows / 2 : rows * by_prefix[len];
            break;
        case HIE_CRITERION_DATES:
        case HIE_CRITERION_UPDATED:
            d = &c->dates[i];
            sum += of_range(d->op, d->negate,
                            (double) d->b - (double) d->a,
                            YEAR_US * (c->kind == HIE_CRITERION_DATES
                                       ? YEARS_OF_CARE : YEARS_OF_WRITING),
                            rows);
            break;
        default:
            v = &c->numbers[i];
            sum += of_range(v->op, v->negate, 1, 100,
                            /* of a composite those of one code */
                            v->of.slot > UINT32_MAX ? rows / 50 : rows);
            break;
        }
    }
    return sum;
}


static double
estimate(const hie_find_t *w, const hie_find_types_t *types,
         const hie_criterion_t *c, double rows)
{
    double  sum = 0;
    int     i;

    if (c->negate) {
        return rows;
    }
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        for (i = 0; i < c->n; i++) {
            sum += hie_frequency_token(w->frequencies, c->keys[i]);
        }
        break;
    case HIE_CRITERION_TERMS:
    case HIE_CRITERION_TEXT:
        sum = rows * 0.01 + 10;
        break;
    case HIE_CRITERION_IDS:
        sum = c->n;
        break;
    case HIE_CRITERION_NEAR:
        sum = 50;
        break;
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
        sum = estimate_chains(w, c, rows);
        break;
    case HIE_CRITERION_GROUP:
        sum = estimate_group(w, c, types);
        break;
    case HIE_CRITERION_PRESENT:
    case HIE_CRITERION_CODES:
        sum = rows;
        break;
    default:
        sum = estimate_values(c, rows);
        break;
    }
    return fmin(sum, rows);
}


static double
rows_of(const hie_find_t *w, const hie_find_types_t *types)
{
    double  sum = 0;
    int     i;

    for (i = 0; i < types->n; i++) {
        sum += hie_frequency_type(w->frequencies, types->names[i]);
    }
    return fmax(sum, 1);
}


void
hie_find_estimate(const hie_find_t *w, const hie_find_types_t *types,
                  const hie_criteria_t *c, double *best, double *all)
{
    double  rows = rows_of(w, types);
    double  e;
    int     i;

    *best = rows;
    *all = rows;
    for (i = 0; c != NULL && i < c->n; i++) {
        e = estimate(w, types, &c->criteria[i], rows);
        if (e < *best && hie_criterion_index(&c->criteria[i]) != NULL) {
            *best = e;
        }
        *all *= e / rows;
    }
}


/*
 * The statement.
 */

/* The criterion that leads, or -1. Between equals the one that asks least. */
static int
leader(const hie_find_t *w, const hie_find_types_t *types,
       const hie_criteria_t *c)
{
    double  rows = rows_of(w, types);
    double  e, best = rows;
    int     i, which = -1;

    for (i = 0; i < c->n; i++) {
        if (hie_criterion_index(&c->criteria[i]) == NULL) {
            continue;
        }
        e = estimate(w, types, &c->criteria[i], rows);
        if (c->criteria[i].kind == HIE_CRITERION_TOKENS
            || c->criteria[i].kind == HIE_CRITERION_IDS)
        {
            e *= 0.5;
        }
        if (e < best || which < 0) {
            best = e;
            which = i;
        }
    }
    return which;
}


static void
explain(hie_find_t *w, const hie_criterion_t *c, const char *how)
{
    hie_explained_t  *e;

    if (w->explained != NULL && c->source.len > 0) {
        e = apr_array_push(w->explained);
        e->source = c->source;
        e->how = hie_str(how);
    }
}


static bool
is_plain_token(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_TOKENS && c->n == 1 && !c->negate;
}


/* Tokens that each row must have: the index intersects them, whichever leads
 * among them. */
static void
add_all_tokens(hie_find_t *w, const hie_criteria_t *c, const char *alias)
{
    uint64_t  *keys = apr_palloc(w->pool, sizeof(*keys) * (size_t) c->n);
    int        i, n = 0;

    for (i = 0; i < c->n; i++) {
        if (is_plain_token(&c->criteria[i])) {
            keys[n++] = c->criteria[i].keys[0];
            explain(w, &c->criteria[i], "leads by index resource_tokens");
        }
    }
    hie_buf_addf(&w->sql, " AND %s.tokens @> $%d::bigint[]", alias,
                 hie_find_keys(w, keys, n));
}


static void
add_others(hie_find_t *w, const hie_criteria_t *c, int lead, bool tokens,
           const char *alias)
{
    int  i;

    for (i = 0; i < c->n; i++) {
        if (i != lead && !(tokens && is_plain_token(&c->criteria[i]))) {
            hie_buf_addz(&w->sql, " AND ");
            hie_criterion_condition(w, &c->criteria[i], alias);
            explain(w, &c->criteria[i], "is checked on each row");
        }
    }
}


void
hie_find_conditions(hie_find_t *w, const hie_criteria_t *c,
                    const char *alias)
{
    if (c != NULL) {
        add_others(w, c, -1, false, alias);
    }
}


/* Is the type a part of the index that it leads by? Where it is not, the index
 * of types would be read too, from one end to the other, and the two be
 * intersected. */
static bool
leads_by_type(const hie_criterion_t *lead)
{
    switch (lead->kind) {
    case HIE_CRITERION_TOKENS:
    case HIE_CRITERION_TERMS:
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
        return false;
    default:
        return true;
    }
}


void
hie_find_matches(hie_find_t *w, hie_find_types_t *types,
                 const hie_criteria_t *c, const char *alias)
{
    static const hie_criteria_t  none;
    const hie_criterion_t       *lead;
    bool                         tokens = false;
    int                          i;

    c = c != NULL ? c : &none;
    i = leader(w, types, c);
    lead = i >= 0 ? &c->criteria[i] : NULL;
    hie_buf_addf(&w->sql, " FROM hie.resource %s WHERE (", alias);
    hie_find_type_sql(w, types, alias);
    hie_buf_addz(&w->sql, lead == NULL || leads_by_type(lead)
                          ? ")" : ") IS TRUE");
    hie_find_base_sql(w, alias);

    if (lead != NULL) {
        tokens = is_plain_token(lead);
        if (tokens) {
            add_all_tokens(w, c, alias);
        } else {
            hie_buf_addz(&w->sql, " AND ");
            hie_criterion_indexed(w, lead, types, alias);
            explain(w, lead, apr_pstrcat(w->pool, "leads by index ",
                                         hie_criterion_index(lead), NULL));
        }
    }
    add_others(w, c, i, tokens, alias);
}
