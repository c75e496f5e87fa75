/*
 * What a criterion leads through, the other end of a chain or of a _has: is it
 * looked up for each row that is checked, or found once for all of them?
 *
 * Among a few thousand rows that lead to the same sixty patients the patients
 * would be looked at thousands of times, and with them all that a criterion on
 * them leads through in turn. Found once, each costs once what finding it by
 * its best index costs; a row costs a look into a hash table then. That is
 * wasted where few rows are checked and much is found. Estimates are rough:
 * what differs by little is as good one way as the other.
 */

#include "store/query.h"

#include <math.h>


/* In rows that are read one after another: a row by its key; rows by their
 * tokens, before the first; a condition that asks another table; what a row
 * refers to, collected; from tokens to terms and back. */
#define ROW_BY_KEY     2
#define ROWS_BY_TOKEN  10
#define PLACE          1
#define REFERENCES     2
#define CROSSING       20

/* Of one row, when what it leads to has been found. */
#define PROBE  0.3

/* A set that is found once is in memory, as large as PostgreSQL lets a hash
 * table be by itself (work_mem, hash_mem_multiplier). */
#define KEYS_MAX  250000

/* What refers to something, and what something refers to, at most. */
#define FAN_MAX  10000

typedef struct {
    double  row;                 /* as a condition on a row */
    double  once;                /* all that meets it, found; and */
    double  keys;                /* so many */
} cost_t;

static cost_t
cost_of(const hie_find_t *w, const hie_criterion_t *c, double all);


static bool
leads_through(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_CHAIN || c->kind == HIE_CRITERION_HAS;
}


static double
count(const hie_find_t *w, const hie_chain_t *chain)
{
    return fmax(1, hie_frequency_type(w->frequencies,
                                      hie_str(hie_types[chain->type].name)));
}


/* Of `there` rows so many belong to one of `all`. */
static double
fan(double there, double all)
{
    return fmin(FAN_MAX, fmax(1, there / fmax(1, all)));
}


/* The share of the rows of a chain that its tokens leave: the index of tokens
 * intersects them with the reference. */
static double
share_of_tokens(const hie_find_t *w, const hie_criteria_t *c, double there)
{
    double  share = 1;
    int     i;

    for (i = 0; i < c->n; i++) {
        if (c->criteria[i].kind == HIE_CRITERION_TOKENS
            && c->criteria[i].n == 1 && !c->criteria[i].negate)
        {
            share = fmin(share, hie_frequency_token(w->frequencies,
                                                    c->criteria[i].keys[0])
                                / there);
        }
    }
    return share;
}


/* Rows at the other end of one, that are looked at until one meets all. */
static double
rows_behind(const hie_find_t *w, hie_criterion_kind_t kind,
            const hie_chain_t *chain, double all)
{
    hie_str_t         name = hie_str(hie_types[chain->type].name);
    hie_find_types_t  type = { .n = 1, .names = &name };
    double            there = count(w, chain);
    double            n = fan(there, all);
    double            best, left;

    hie_find_estimate(w, &type, chain->criteria, &best, &left);
    n = fmin(n, fmax(1, there / fmax(left, 1e-9)));
    return kind == HIE_CRITERION_HAS && !chain->canonical
           ? n * share_of_tokens(w, chain->criteria, there) : n;
}


hie_checked_t
hie_once_behind(const hie_find_t *w, const hie_criterion_t *c, int i,
                hie_checked_t checked)
{
    const hie_chain_t  *chain = &c->chains[i];

    if (!leads_through(c)) {
        return checked;
    }
    return (hie_checked_t) {
        checked.n * rows_behind(w, c->kind, chain, checked.all),
        count(w, chain)
    };
}


/* All conditions on one row. */
static double
cost_of_row(const hie_find_t *w, const hie_criteria_t *c, double all)
{
    double  sum = 0;
    int     i;

    for (i = 0; c != NULL && i < c->n; i++) {
        sum += cost_of(w, &c->criteria[i], all).row;
    }
    return sum;
}


/* Finding all that meets a set of criteria: by the best of them, for which what
 * it leads through is found once in any case. */
static double
cost_of_matches(const hie_find_t *w, const hie_chain_t *chain, double *rows)
{
    hie_str_t              name = hie_str(hie_types[chain->type].name);
    hie_find_types_t       type = { .n = 1, .names = &name };
    const hie_criteria_t  *c = chain->criteria;
    cost_t                 one;
    double                 sum;
    int                    i, lead;

    lead = hie_find_leader(w, &type, c, rows);
    sum = *rows;
    for (i = 0; c != NULL && i < c->n; i++) {
        one = cost_of(w, &c->criteria[i], count(w, chain));
        if (i != lead) {
            sum += fmin(*rows * one.row, one.once);
        } else if (leads_through(&c->criteria[i])) {
            sum += one.once;
        }
    }
    return sum;
}


static cost_t
cost_of_chains(const hie_find_t *w, const hie_criterion_t *c, double all)
{
    const hie_chain_t  *chain;
    cost_t              sum = { 0 };
    double              behind, rows;
    int                 i;

    for (i = 0; i < c->n; i++) {
        chain = &c->chains[i];
        behind = rows_behind(w, c->kind, chain, all);
        sum.once += cost_of_matches(w, chain, &rows);
        sum.once += c->kind == HIE_CRITERION_HAS ? rows * REFERENCES : 0;
        sum.keys += rows;
        sum.row += behind * (1 + cost_of_row(w, chain->criteria,
                                             count(w, chain)));
        if (chain->canonical) {
            sum.row += CROSSING;
            sum.once += rows * CROSSING;
        } else {
            sum.row += c->kind == HIE_CRITERION_HAS ? ROWS_BY_TOKEN
                                                    : behind * ROW_BY_KEY;
        }
    }
    return sum;
}


/* What is in a row costs nothing to speak of. All but chains is only ever
 * looked up for a row. */
static cost_t
cost_of(const hie_find_t *w, const hie_criterion_t *c, double all)
{
    cost_t  sum = { 0, HUGE_VAL, 0 };
    int     i;

    switch (c->kind) {
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
        return cost_of_chains(w, c, all);
    case HIE_CRITERION_GROUP:
        for (i = 0; i < c->n; i++) {
            sum.row += cost_of_row(w, c->chains[i].criteria, all);
        }
        return sum;
    case HIE_CRITERION_STRINGS:
    case HIE_CRITERION_DATES:
    case HIE_CRITERION_NUMBERS:
    case HIE_CRITERION_TEXT:
    case HIE_CRITERION_NEAR:
        sum.row = PLACE;
        return sum;
    default:
        return sum;
    }
}


bool
hie_once_pays(const hie_find_t *w, const hie_criterion_t *c)
{
    cost_t  cost;

    if (c->n == 0 || !leads_through(c)) {
        return false;
    }
    cost = cost_of(w, c, w->checked.all);
    return cost.keys <= KEYS_MAX
           && cost.once + w->checked.n * PROBE < w->checked.n * cost.row;
}
