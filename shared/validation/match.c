/*
 * fixed[x] and pattern[x] (R4 section 8.28, ElementDefinition).
 */

#include "validation/profile.h"


static bool
same_primitive(const hie_doc_t *a, hie_node_t n, const hie_doc_t *b,
               hie_node_t m, apr_pool_t *pool)
{
    if (hie_doc_kind(a, n) == HIE_NODE_STRING) {
        return hie_str_eq(hie_doc_string(a, n, pool),
                          hie_doc_string(b, m, pool));
    }

    /* numbers by their lexemes: 1.0 is not 1.00 */
    return hie_str_eq(hie_doc_raw(a, n), hie_doc_raw(b, m));
}


static bool
same_members(const hie_doc_t *a, hie_node_t n, const hie_doc_t *b,
             hie_node_t m, apr_pool_t *pool)
{
    hie_node_t   child, other;
    const char  *name;

    if (hie_doc_count(a, n) != hie_doc_count(b, m)) {
        return false;
    }

    for (child = hie_doc_first(a, n); child != HIE_NODE_NONE;
         child = hie_doc_next(a, child))
    {
        name = hie_str_z(pool, hie_doc_name(a, child, pool));
        other = hie_doc_member(b, m, name);
        if (other == HIE_NODE_NONE
            || !hie_match_fixed(a, child, b, other, pool))
        {
            return false;
        }
    }

    return true;
}


static bool
same_items(const hie_doc_t *a, hie_node_t n, const hie_doc_t *b,
           hie_node_t m, apr_pool_t *pool)
{
    n = hie_doc_first(a, n);
    m = hie_doc_first(b, m);

    while (n != HIE_NODE_NONE && m != HIE_NODE_NONE) {
        if (!hie_match_fixed(a, n, b, m, pool)) {
            return false;
        }

        n = hie_doc_next(a, n);
        m = hie_doc_next(b, m);
    }

    return n == m;
}


bool
hie_match_fixed(const hie_doc_t *a, hie_node_t n, const hie_doc_t *b,
                hie_node_t m, apr_pool_t *pool)
{
    if (hie_doc_kind(a, n) != hie_doc_kind(b, m)) {
        return false;
    }

    switch (hie_doc_kind(a, n)) {
    case HIE_NODE_OBJECT:
        return same_members(a, n, b, m, pool);
    case HIE_NODE_ARRAY:
        return same_items(a, n, b, m, pool);
    default:
        return same_primitive(a, n, b, m, pool);
    }
}


/* Each item of the pattern matches one of the value's. */
static bool
items_match(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
            hie_node_t pattern, apr_pool_t *pool)
{
    hie_node_t  item, p;

    for (p = hie_doc_first(pd, pattern); p != HIE_NODE_NONE;
         p = hie_doc_next(pd, p))
    {
        for (item = hie_doc_first(d, n); item != HIE_NODE_NONE;
             item = hie_doc_next(d, item))
        {
            if (hie_match_pattern(d, item, pd, p, pool)) {
                break;
            }
        }

        if (item == HIE_NODE_NONE) {
            return false;
        }
    }

    return true;
}


bool
hie_match_pattern(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                  hie_node_t pattern, apr_pool_t *pool)
{
    hie_node_t   p, m;
    const char  *name;

    if (hie_doc_kind(d, n) != hie_doc_kind(pd, pattern)) {
        return false;
    }

    if (hie_doc_kind(d, n) == HIE_NODE_ARRAY) {
        return items_match(d, n, pd, pattern, pool);
    }

    if (hie_doc_kind(d, n) != HIE_NODE_OBJECT) {
        return same_primitive(d, n, pd, pattern, pool);
    }

    for (p = hie_doc_first(pd, pattern); p != HIE_NODE_NONE;
         p = hie_doc_next(pd, p))
    {
        name = hie_str_z(pool, hie_doc_name(pd, p, pool));
        m = hie_doc_member(d, n, name);
        if (m == HIE_NODE_NONE || !hie_match_pattern(d, m, pd, p, pool)) {
            return false;
        }
    }

    return true;
}
