/*
 * Values and criteria in memory, as they meet in SQL.
 */

#include "search/private.h"

#include <math.h>
#include <string.h>

/* Mean radius of the earth (IUGG), metres. */
#define EARTH_RADIUS  6371008.8

/* What is said of a criterion: the worst of a conjunction, the best of a
 * disjunction. */
typedef enum {
    NO = 0, UNKNOWN, YES
} truth_t;

static truth_t
all_meet(const hie_search_values_t *x, const hie_row_facts_t *row,
         const hie_criteria_t *criteria);


static truth_t
truth(bool b)
{
    return b ? YES : NO;
}


static bool
has_key(const hie_search_values_t *x, uint64_t key)
{
    int  i, low, high;

    for (low = 0, high = x->n_tokens; low < high; ) {
        i = low + (high - low) / 2;
        if (x->tokens[i] < key) {
            low = i + 1;
        } else {
            high = i;
        }
    }

    return low < x->n_tokens && x->tokens[low] == key;
}


static bool
is_of(const hie_slot_t *of, uint64_t slot, uint64_t scope)
{
    return of->slot == slot && (!of->scoped || of->scope == scope);
}


static bool
begins(hie_str_t s, hie_str_t with)
{
    return s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}


/* R4 section 3.1.1.4.13: below ends where a segment of the path does. */
static bool
is_below(hie_str_t url, hie_str_t base)
{
    return begins(url, base)
           && (url.len == base.len || url.ptr[base.len] == '/');
}


static bool
text_meets(const hie_text_value_t *v, hie_str_t s)
{
    switch (v->match) {
    case HIE_TEXT_PREFIX:
        return begins(s, v->value);

    case HIE_TEXT_CONTAINS:
        return memmem(s.ptr, s.len, v->value.ptr, v->value.len) != NULL;

    case HIE_TEXT_ENDS:
        return s.len >= v->value.len
               && memcmp(s.ptr + s.len - v->value.len, v->value.ptr,
                         v->value.len) == 0;

    case HIE_TEXT_BELOW:
        return is_below(s, v->value);

    case HIE_TEXT_ABOVE:
        return is_below(v->value, s);

    default:
        return hie_str_eq(s, v->value);
    }
}


static bool
date_meets(const hie_date_value_t *v, int64_t low, int64_t high)
{
    bool  eq = v->a <= low && high <= v->b;

    switch (v->op) {
    case HIE_RANGE_EQ:
        return eq != v->negate;

    case HIE_RANGE_GT:
        return high > v->b;

    case HIE_RANGE_LT:
        return low < v->a;

    case HIE_RANGE_GE:
        return high > v->b || eq;

    case HIE_RANGE_LE:
        return low < v->a || eq;

    case HIE_RANGE_SA:
        return low >= v->b;

    case HIE_RANGE_EB:
        return high <= v->a;

    case HIE_RANGE_AP:
        return low < v->b && high > v->a;
    }

    return false;
}


static bool
number_meets(const hie_number_value_t *v, uint8_t open,
             const hie_decimal_t *low, const hie_decimal_t *high)
{
    int   la, lb, ha, hb;
    bool  eq;

    la = open & HIE_SEARCH_OPEN_LOW ? -1 : hie_decimal_compare(low, &v->a);
    lb = open & HIE_SEARCH_OPEN_LOW ? -1 : hie_decimal_compare(low, &v->b);
    ha = open & HIE_SEARCH_OPEN_HIGH ? 1 : hie_decimal_compare(high, &v->a);
    hb = open & HIE_SEARCH_OPEN_HIGH ? 1 : hie_decimal_compare(high, &v->b);
    eq = la >= 0 && hb < 0;

    switch (v->op) {
    case HIE_RANGE_EQ:
        return eq != v->negate;

    case HIE_RANGE_GT:
        return hb > 0;

    case HIE_RANGE_LT:
        return la < 0;

    case HIE_RANGE_GE:
        return hb >= 0;

    case HIE_RANGE_LE:
        return la <= 0;

    case HIE_RANGE_SA:
        return lb > 0;

    case HIE_RANGE_EB:
        return ha < 0;

    case HIE_RANGE_AP:
        return lb <= 0 && ha >= 0;
    }

    return false;
}


static bool
any_string(const hie_search_values_t *x, const hie_text_value_t *v)
{
    int  i;

    for (i = 0; i < x->n_strings; i++) {
        if (is_of(&v->of, x->strings[i].slot, x->strings[i].scope)
            && text_meets(v, x->strings[i].value))
        {
            return true;
        }
    }

    return false;
}


static bool
any_term(const hie_search_values_t *x, const hie_text_value_t *v)
{
    int  i;

    for (i = 0; i < x->n_terms; i++) {
        if (x->terms[i].param == v->of.slot
            && text_meets(v, x->terms[i].value))
        {
            return true;
        }
    }

    return false;
}


static bool
any_date(const hie_search_values_t *x, const hie_date_value_t *v)
{
    int  i;

    for (i = 0; i < x->n_dates; i++) {
        if (is_of(&v->of, x->dates[i].slot, x->dates[i].scope)
            && date_meets(v, x->dates[i].low, x->dates[i].high)
            && (v->also == NULL
                || date_meets(v->also, x->dates[i].low, x->dates[i].high)))
        {
            return true;
        }
    }

    return false;
}


static bool
quantity_meets(const hie_number_value_t *v, const hie_search_number_t *n)
{
    if (v->end != NULL) {
        return number_meets(v, n->open, &n->low, &n->low)
               && number_meets(v->end, n->open, &n->high, &n->high);
    }

    if (v->unit != 0) {
        return v->unit == n->unit
               && number_meets(v, n->open, &n->unit_low, &n->unit_high);
    }

    return (v->code == 0 || v->code == n->code)
           && (v->system == 0 || v->system == n->system)
           && number_meets(v, n->open, &n->low, &n->high);
}


static bool
any_number(const hie_search_values_t *x, const hie_number_value_t *v)
{
    int  i;

    for (i = 0; i < x->n_numbers; i++) {
        if (is_of(&v->of, x->numbers[i].slot, x->numbers[i].scope)
            && quantity_meets(v, &x->numbers[i]))
        {
            return true;
        }
    }

    return false;
}


static double
radians(double degrees)
{
    return degrees * M_PI / 180;
}


/* By the haversine formula. */
static double
distance(double latitude, double longitude, const hie_near_t *from)
{
    double  a, b, h;

    a = sin((radians(latitude) - radians(from->latitude)) / 2);
    b = sin((radians(longitude) - radians(from->longitude)) / 2);
    h = a * a
        + cos(radians(latitude)) * cos(radians(from->latitude)) * b * b;
    return 2 * EARTH_RADIUS * asin(sqrt(h < 1 ? h : 1));
}


static bool
is_near(const hie_search_values_t *x, const hie_near_t *v)
{
    int                         i;
    const hie_search_number_t  *n, *latitude, *longitude;

    latitude = longitude = NULL;
    for (i = 0; i < x->n_numbers; i++) {
        n = &x->numbers[i];
        if (n->slot == v->slot) {
            latitude = n->code == HIE_SEARCH_LATITUDE ? n : latitude;
            longitude = n->code == HIE_SEARCH_LONGITUDE ? n : longitude;
        }
    }

    return latitude != NULL && longitude != NULL
           && distance(hie_decimal_to_double(&latitude->low),
                       hie_decimal_to_double(&longitude->low), v)
              <= v->metres;
}


static bool
is_present(const hie_search_values_t *x, const hie_criterion_t *c)
{
    int  i, k;

    for (i = 0; i < x->n_present; i++) {
        for (k = 0; k < c->n_params; k++) {
            if (x->present[i] == c->params[k]) {
                return true;
            }
        }
    }

    return false;
}


static truth_t
alternative_meets(const hie_search_values_t *x, const hie_row_facts_t *row,
                  const hie_criterion_t *c, int i)
{
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        return truth(has_key(x, c->keys[i]));

    case HIE_CRITERION_PRESENT:
        return truth(is_present(x, c));

    case HIE_CRITERION_STRINGS:
        return truth(any_string(x, &c->texts[i]));

    case HIE_CRITERION_TERMS:
        return truth(any_term(x, &c->texts[i]));

    case HIE_CRITERION_DATES:
        return truth(any_date(x, &c->dates[i]));

    case HIE_CRITERION_NUMBERS:
        return truth(any_number(x, &c->numbers[i]));

    case HIE_CRITERION_NEAR:
        return truth(is_near(x, &c->places[i]));

    case HIE_CRITERION_IDS:
        return truth(hie_str_eq(row->id, c->ids[i]));

    case HIE_CRITERION_UPDATED:
        return truth(date_meets(&c->dates[i], row->updated,
                                row->updated + 1));

    case HIE_CRITERION_GROUP:
        return all_meet(x, row, c->chains[i].criteria);

    case HIE_CRITERION_TEXT:
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
    case HIE_CRITERION_CODES:
        break;
    }

    return UNKNOWN;
}


static truth_t
criterion_meets(const hie_search_values_t *x, const hie_row_facts_t *row,
                const hie_criterion_t *c)
{
    int      i;
    truth_t  best, one;

    for (i = 0, best = NO; i < c->n && best != YES; i++) {
        one = alternative_meets(x, row, c, i);
        best = one > best ? one : best;
    }

    return c->negate ? (truth_t) (YES - best) : best;
}


static truth_t
all_meet(const hie_search_values_t *x, const hie_row_facts_t *row,
         const hie_criteria_t *criteria)
{
    int      i;
    truth_t  worst, one;

    for (i = 0, worst = YES; i < criteria->n && worst != NO; i++) {
        one = criterion_meets(x, row, &criteria->criteria[i]);
        worst = one < worst ? one : worst;
    }

    return worst;
}


bool
hie_search_meets(const hie_search_values_t *values, const hie_row_facts_t *row,
                 const hie_criteria_t *criteria, bool *known)
{
    truth_t  t;

    t = all_meet(values, row, criteria);
    *known = t != UNKNOWN;
    return t == YES;
}
