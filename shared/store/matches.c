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

/* A guess is wrong by so much, and what is known is not. */
#define GUESS  10

/* What a place out of an index costs, compared with a row. */
#define PLACE_COST  0.03

/* The share of a type's rows beyond which a token is common. */
#define COMMON  0.2

/* As many alternatives go into the index beside the criterion that leads. */
#define SOME_TOKENS  10

/* Patients that share the beginning of a name, by its length. */
static const double  by_prefix[] = { 1, 0.1, 0.03, 0.01, 0.003, 0.001 };


static double
rows_of(const hie_find_t *w, const hie_find_types_t *types)
{
    double  sum = 0;
    int     i;

    for (i = 0; i < types->n; i++) {
        sum += hie_frequency_type(w->frequencies, types->names[i]);
        if (types->contained) {
            sum += hie_frequency_contained(w->frequencies, types->names[i]);
        }
    }
    return fmax(sum, 1);
}


static double
estimate_chains(const hie_find_t *w, const hie_criterion_t *c, double rows)
{
    hie_find_types_t  type = {
        .n = 1, .contained = c->kind == HIE_CRITERION_CHAIN
    };
    hie_str_t         name;
    double            best, all, sum = 0, there;
    int               i;

    type.names = &name;
    for (i = 0; i < c->n; i++) {
        name = hie_str(hie_types[c->chains[i].type].name);
        hie_find_estimate(w, &type, c->chains[i].criteria, &best, &all);
        there = rows_of(w, &type);
        /* a share of what is referred to is a share of what refers to it */
        sum += c->kind == HIE_CRITERION_CHAIN
               ? best * fmax(1, rows / there) : best;
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


/* From and until are a window; one of them alone says little. */
static double
of_date(const hie_date_value_t *v, double spread, double rows)
{
    const hie_date_value_t  *from = v, *until = v->also;
    double                   width = (double) v->b - (double) v->a;

    if (until == NULL) {
        return of_range(v->op, v->negate, width, spread, rows);
    }
    if (from->a > until->a) {
        from = until;
        until = v;
    }
    return of_range(HIE_RANGE_EQ, false,
                    (double) until->b - (double) from->a, spread, rows);
}


static double
estimate_values(const hie_criterion_t *c, double rows)
{
    const hie_number_value_t  *v;
    double                     sum = 0;
    size_t                     len;
    int                        i;

    for (i = 0; i < c->n; i++) {
        switch (c->kind) {
        case HIE_CRITERION_STRINGS:
            len = c->texts[i].value.len;
            len = len < 5 ? len : 5;
            sum += rows * (c->texts[i].match == HIE_TEXT_CONTAINS
                           ? 10 : 1) * by_prefix[len];
            break;
        case HIE_CRITERION_DATES:
        case HIE_CRITERION_UPDATED:
            sum += of_date(&c->dates[i],
                           YEAR_US * (c->kind == HIE_CRITERION_DATES
                                      ? YEARS_OF_CARE : YEARS_OF_WRITING),
                           rows);
            break;
        default:
            v = &c->numbers[i];
            sum += of_range(v->op, v->negate, 1, 100,
                            /* of a composite those of one code */
                            hie_slot_is_part(v->of.slot) ? rows / 50
                                                         : rows);
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


/* Is there more behind an estimate than a guess? */
static bool
is_known(const hie_find_t *w, const hie_criterion_t *c)
{
    int  i;

    for (i = 0; i < c->n && c->kind == HIE_CRITERION_TOKENS; i++) {
        if (!hie_frequency_knows(w->frequencies, c->keys[i])) {
            return false;
        }
    }
    return c->kind == HIE_CRITERION_TOKENS;
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
        *all *= e / rows / (is_known(w, &c->criteria[i]) ? 1 : GUESS);
    }
}


/*
 * The statement.
 */

/* Does an index lead to the places of rows, and not to the rows? */
static bool
leads_to_places(const hie_criterion_t *c)
{
    switch (c->kind) {
    case HIE_CRITERION_STRINGS:
    case HIE_CRITERION_DATES:
    case HIE_CRITERION_NUMBERS:
    case HIE_CRITERION_TEXT:
    case HIE_CRITERION_NEAR:
        return true;
    default:
        return false;
    }
}


/* Of the places that one of them leads to, in their order, so many are looked
 * at until a page of rows meets all others. */
static double
places_of_page(const hie_find_t *w, const hie_find_types_t *types,
               const hie_criteria_t *c, int lead, double rows)
{
    double  places = estimate(w, types, &c->criteria[lead], rows);
    double  share = 1;
    int     i;

    for (i = 0; i < c->n; i++) {
        if (i != lead) {
            share *= estimate(w, types, &c->criteria[i], rows) / rows;
            share /= is_known(w, &c->criteria[i]) ? 1 : GUESS;
        }
    }
    return fmin(places, (w->query->count + 1) / fmax(share, 1e-9));
}


/* What it costs to fill a page so: all places are read and sorted. */
static double
cost_in_order(const hie_find_t *w, const hie_find_types_t *types,
              const hie_criteria_t *c, int lead, double rows)
{
    return estimate(w, types, &c->criteria[lead], rows) * PLACE_COST
           + places_of_page(w, types, c, lead, rows);
}


/* The criterion that leads, or -1. Between equals the one that asks least. */
static int
leader(const hie_find_t *w, const hie_find_types_t *types,
       const hie_criteria_t *c, bool in_order)
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
        } else if (in_order && leads_to_places(&c->criteria[i])) {
            e = cost_in_order(w, types, c, i, rows);
        }
        if (e < best || which < 0) {
            best = e;
            which = i;
        }
    }
    return which;
}


int
hie_find_leader(const hie_find_t *w, const hie_find_types_t *types,
                const hie_criteria_t *c, double *rows)
{
    int  lead = c != NULL ? leader(w, types, c, false) : -1;

    *rows = rows_of(w, types);
    if (lead >= 0) {
        *rows = estimate(w, types, &c->criteria[lead], *rows);
    }
    return lead;
}


/* The rows that this leads to, all of which are checked: as many as it may be,
 * since checking too many in a way that is meant for few is what takes long.
 * Before there are statistics nothing is known, but for ids. */
static hie_checked_t
checked_behind(const hie_find_t *w, const hie_find_types_t *types,
               const hie_criterion_t *lead, double led_to)
{
    double  rows = rows_of(w, types);

    if (lead != NULL && lead->kind == HIE_CRITERION_IDS) {
        rows = led_to;
    } else if (lead != NULL && hie_frequency_any(w->frequencies)) {
        rows = fmin(rows, lead->kind == HIE_CRITERION_TOKENS
                          ? led_to : led_to * GUESS);
    }
    return (hie_checked_t) { rows, rows_of(w, types) };
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


static void
explain_lead(hie_find_t *w, const hie_criterion_t *c)
{
    explain(w, c, apr_pstrcat(w->pool, "leads by index ",
                              hie_criterion_index(c), NULL));
}


static bool
is_plain_token(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_TOKENS && c->n == 1 && !c->negate;
}


/* Tokens of which a row has one, so few that looking each up in the index costs
 * less than looking at rows. */
static bool
is_some_tokens(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_TOKENS && c->n > 1 && !c->negate
           && c->n <= SOME_TOKENS;
}


/* A token that so many of its type have leaves hardly fewer rows to look at,
 * and to find the few among its many in the index costs more than to look. */
static bool
is_common(const hie_find_t *w, const hie_criterion_t *c)
{
    hie_str_t  name;

    if (c->def == NULL || !is_known(w, c)) {
        return false;
    }
    name = hie_str(hie_types[c->def->type].name);
    return hie_frequency_token(w->frequencies, c->keys[0])
           > COMMON * hie_frequency_type(w->frequencies, name);
}


/* Does the index that one leads by serve the other too? */
static bool
goes_with(const hie_find_t *w, const hie_criterion_t *lead,
          const hie_criterion_t *c)
{
    if (lead->kind == HIE_CRITERION_UPDATED) {
        return c->kind == lead->kind && hie_criterion_index(c) != NULL;
    }
    return lead->kind == HIE_CRITERION_TOKENS
           && (is_some_tokens(c) || (is_plain_token(c) && !is_common(w, c)));
}


/* Tokens that each row must have: the index intersects them, and those of which
 * it must have one, whichever leads among them. */
static void
add_all_tokens(hie_find_t *w, const hie_criteria_t *c, int lead,
               const char *alias)
{
    uint64_t  *keys = apr_palloc(w->pool, sizeof(*keys) * (size_t) c->n);
    int        i, n = 0;

    for (i = 0; i < c->n; i++) {
        if (is_plain_token(&c->criteria[i])
            && (i == lead || goes_with(w, &c->criteria[lead],
                                       &c->criteria[i])))
        {
            keys[n++] = c->criteria[i].keys[0];
            explain_lead(w, &c->criteria[i]);
        }
    }
    if (n > 0) {
        hie_buf_addf(&w->sql, " AND %s.tokens @> $%d::bigint[]", alias,
                     hie_find_keys(w, keys, n));
    }
}


static void
add_others(hie_find_t *w, const hie_criteria_t *c, int lead,
           const char *alias)
{
    int  i;

    for (i = 0; i < c->n; i++) {
        if (lead < 0 || !(i == lead || goes_with(w, &c->criteria[lead],
                                                 &c->criteria[i])))
        {
            hie_buf_addz(&w->sql, " AND ");
            hie_criterion_condition(w, &c->criteria[i], alias);
            explain(w, &c->criteria[i], hie_once_pays(w, &c->criteria[i])
                                        ? "is found once"
                                        : "is checked on each row");
        }
    }
}


void
hie_find_conditions(hie_find_t *w, const hie_criteria_t *c,
                    const char *alias)
{
    if (c != NULL) {
        add_others(w, c, -1, alias);
    }
}


static bool
is_window(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_UPDATED && hie_criterion_index(c) != NULL;
}


void
hie_find_window(hie_find_t *w, hie_find_types_t *types,
                const hie_criteria_t *c, const char *alias)
{
    int  i;

    for (i = 0; c != NULL && i < c->n; i++) {
        if (is_window(&c->criteria[i])) {
            hie_buf_addz(&w->sql, " AND ");
            hie_criterion_indexed(w, &c->criteria[i], types, alias);
            explain_lead(w, &c->criteria[i]);
        }
    }
}


void
hie_find_beside_window(hie_find_t *w, const hie_criteria_t *c,
                       const char *alias)
{
    int  i = 0;

    if (c != NULL) {
        while (i < c->n && !is_window(&c->criteria[i])) {
            i++;
        }
        add_others(w, c, i < c->n ? i : -1, alias);
    }
}


bool
hie_find_leads_by_window(const hie_find_t *w, const hie_find_types_t *types,
                         const hie_criteria_t *c)
{
    int  i = c != NULL ? leader(w, types, c, false) : -1;

    return i >= 0 && is_window(&c->criteria[i]);
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
    case HIE_CRITERION_IDS:
    case HIE_CRITERION_GROUP:
        return false;
    default:
        return true;
    }
}


bool
hie_find_leads_to_places(const hie_find_t *w, const hie_find_types_t *types,
                         const hie_criteria_t *c, double *cost)
{
    int  i = c != NULL ? leader(w, types, c, true) : -1;

    if (i < 0 || !leads_to_places(&c->criteria[i])) {
        return false;
    }
    *cost = cost_in_order(w, types, c, i, rows_of(w, types));
    return true;
}


void
hie_find_in_order(hie_find_t *w, hie_find_types_t *types,
                  const hie_criteria_t *c, bool bodies, const char *alias)
{
    const hie_query_t  *q = w->query;
    double              rows = rows_of(w, types);
    int                 i = leader(w, types, c, true);

    /* of the sum no index gives the order: it is that of the criterion, then,
     * which is read */
    hie_buf_addz(&w->sql, " FROM (SELECT DISTINCT h.rid FROM (SELECT h.rid + 0"
                 " AS rid FROM (");
    hie_criterion_places(w, &c->criteria[i]);
    explain_lead(w, &c->criteria[i]);
    hie_buf_addz(&w->sql, ") h) h");
    if (q->after != NULL) {
        hie_buf_addf(&w->sql, " WHERE h.rid %s $%d::bigint",
                     q->backwards ? "<" : ">",
                     hie_find_i64(w, q->after->rid));
    }
    hie_buf_addf(&w->sql, " ORDER BY h.rid%s OFFSET 0) h"
                 " CROSS JOIN LATERAL (SELECT ",
                 q->backwards ? " DESC" : "");
    hie_find_columns(w, alias, bodies);
    hie_buf_addf(&w->sql, " FROM hie.resource %s WHERE %s.rid = h.rid AND ",
                 alias, alias);
    hie_find_type_sql(w, types, alias);
    hie_find_base_sql(w, alias);
    w->checked = (hie_checked_t) { places_of_page(w, types, c, i, rows), rows };
    add_others(w, c, i, alias);
    hie_buf_addf(&w->sql, " OFFSET 0) %s", alias);
}


void
hie_find_matches(hie_find_t *w, hie_find_types_t *types,
                 const hie_criteria_t *c, const char *alias)
{
    static const hie_criteria_t  none;
    const hie_checked_t          checked = w->checked;
    const hie_criterion_t       *lead;
    double                       led_to;
    int                          i, k;

    c = c != NULL ? c : &none;
    i = hie_find_leader(w, types, c, &led_to);
    lead = i >= 0 ? &c->criteria[i] : NULL;
    w->checked = checked_behind(w, types, lead, led_to);
    hie_buf_addf(&w->sql, " FROM hie.resource %s WHERE (", alias);
    hie_find_type_sql(w, types, alias);
    hie_buf_addz(&w->sql, lead == NULL || leads_by_type(lead)
                          ? ")" : ") IS TRUE");
    hie_find_base_sql(w, alias);

    if (lead != NULL && lead->kind == HIE_CRITERION_TOKENS) {
        add_all_tokens(w, c, i, alias);
    }
    for (k = 0; lead != NULL && k < c->n; k++) {
        if ((k == i || goes_with(w, lead, &c->criteria[k]))
            && !is_plain_token(&c->criteria[k]))
        {
            hie_buf_addz(&w->sql, " AND ");
            hie_criterion_indexed(w, &c->criteria[k], types, alias);
            explain_lead(w, &c->criteria[k]);
        }
    }
    add_others(w, c, i, alias);
    w->checked = checked;
}
