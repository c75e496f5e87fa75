/*
 * minValue[x] and maxValue[x] (R4 ElementDefinition): is a value out of them?
 * Only what is certain counts: a date of less precision than the limit may be
 * on either side of it, and units that are not comparable say nothing.
 */

#include <string.h>

#include "ucum/ucum.h"
#include "validation/profile.h"


/* The place of one value beside another, when it is certain. */
typedef enum {
    SIDE_UNKNOWN, SIDE_BELOW, SIDE_EQUAL, SIDE_ABOVE
} side_t;


static side_t
side(int order)
{
    return order < 0 ? SIDE_BELOW : order > 0 ? SIDE_ABOVE : SIDE_EQUAL;
}


static side_t
compare_numbers(hie_str_t a, hie_str_t b)
{
    hie_decimal_t  x, y;

    return hie_decimal_parse(a, &x) && hie_decimal_parse(b, &y)
           ? side(hie_decimal_compare(&x, &y)) : SIDE_UNKNOWN;
}


/* "08:30:00.5"; the digits are as many up to the fraction. */
static bool
is_time(hie_str_t s)
{
    return s.len >= 8 && s.ptr[2] == ':' && s.ptr[5] == ':';
}


static side_t
compare_times_of_day(hie_str_t a, hie_str_t b)
{
    int     order;
    size_t  n = a.len < b.len ? a.len : b.len;

    order = memcmp(a.ptr, b.ptr, n);
    return side(order != 0 ? order : (a.len > b.len) - (a.len < b.len));
}


static side_t
compare_texts(hie_str_t a, hie_str_t b)
{
    apr_time_t  from, after, limit, limit_after;

    if (is_time(a) && is_time(b)) {
        return compare_times_of_day(a, b);
    }

    if (!hie_time_parse(a, false, &from, &after)
        || !hie_time_parse(b, false, &limit, &limit_after))
    {
        return SIDE_UNKNOWN;
    }

    return after <= limit ? SIDE_BELOW : from >= limit_after ? SIDE_ABOVE
           : SIDE_UNKNOWN;
}


static bool
take_quantity(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool,
              hie_decimal_t *value, hie_ucum_unit_t *unit)
{
    return hie_decimal_parse(hie_doc_raw(d, hie_doc_member(d, n, "value")),
                             value)
           && hie_str_eqz(hie_doc_get(d, n, "system", pool),
                          "http://unitsofmeasure.org")
           && hie_ucum_parse(hie_doc_get(d, n, "code", pool), unit, NULL)
              == HIE_OK;
}


/* A comparator makes it a range. */
static side_t
compare_quantities(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                   hie_node_t limit, apr_pool_t *pool)
{
    hie_decimal_t    a, b;
    hie_ucum_unit_t  from, to;

    if (hie_doc_member(d, n, "comparator") != HIE_NODE_NONE
        || !take_quantity(d, n, pool, &a, &from)
        || !take_quantity(pd, limit, pool, &b, &to)
        || !hie_ucum_comparable(&from, &to)
        || hie_ucum_convert(&a, &from, &to, &a, NULL) != HIE_OK)
    {
        return SIDE_UNKNOWN;
    }

    return side(hie_decimal_compare(&a, &b));
}


static side_t
compare(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
        hie_node_t limit, apr_pool_t *pool)
{
    hie_node_kind_t  kind = hie_doc_kind(pd, limit);

    if (limit == HIE_NODE_NONE || kind != hie_doc_kind(d, n)) {
        return SIDE_UNKNOWN;
    }

    switch (kind) {
    case HIE_NODE_NUMBER:
        return compare_numbers(hie_doc_raw(d, n), hie_doc_raw(pd, limit));

    case HIE_NODE_STRING:
        return compare_texts(hie_doc_string(d, n, pool),
                             hie_doc_string(pd, limit, pool));

    case HIE_NODE_OBJECT:
        return compare_quantities(d, n, pd, limit, pool);

    default:
        return SIDE_UNKNOWN;
    }
}


bool
hie_range_below(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                hie_node_t min, apr_pool_t *pool)
{
    return compare(d, n, pd, min, pool) == SIDE_BELOW;
}


bool
hie_range_above(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                hie_node_t max, apr_pool_t *pool)
{
    return compare(d, n, pd, max, pool) == SIDE_ABOVE;
}
