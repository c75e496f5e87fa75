/*
 * Equality of JSON values (RFC 6902 section 4.6).
 */

#include "patch/private.h"

#include "base/decimal.h"


/* By value, where a decimal holds it exactly. */
static bool
same_number(hie_str_t a, hie_str_t b)
{
    hie_decimal_t  x, y;

    if (hie_str_eq(a, b)) {
        return true;
    }

    return a.len <= HIE_DECIMAL_DIGITS && b.len <= HIE_DECIMAL_DIGITS
           && hie_decimal_parse(a, &x) && hie_decimal_parse(b, &y)
           && hie_decimal_compare(&x, &y) == 0;
}


static hie_rc_t
same_elements(hie_patch_run_t *run, hie_node_t a, const hie_doc_t *d,
              hie_node_t b, bool *equal)
{
    hie_rc_t  rc = HIE_OK;

    a = hie_doc_first(run->doc, a);
    b = hie_doc_first(d, b);

    while (rc == HIE_OK && *equal && a != HIE_NODE_NONE && b != HIE_NODE_NONE)
    {
        rc = hie_patch_equal(run, a, d, b, equal);
        a = hie_doc_next(run->doc, a);
        b = hie_doc_next(d, b);
    }

    *equal = *equal && a == b;

    return rc;
}


/* Members in the same order, as they mostly are, are found without search. */
static hie_rc_t
find_member(hie_patch_run_t *run, hie_node_t object, hie_node_t at,
            hie_str_t name, hie_node_t *out)
{
    hie_rc_t  rc;

    *out = at;

    if (at != HIE_NODE_NONE
        && hie_str_eq(hie_doc_name(run->doc, at, run->scratch), name))
    {
        return HIE_OK;
    }

    rc = hie_patch_charge(run, hie_doc_raw(run->doc, object).len);
    *out = hie_doc_member_str(run->doc, object, name);

    return rc;
}


static hie_rc_t
same_members(hie_patch_run_t *run, hie_node_t a, const hie_doc_t *d,
             hie_node_t b, bool *equal)
{
    hie_node_t  m, at = hie_doc_first(run->doc, a), member;
    hie_rc_t    rc = HIE_OK;

    /* names occur once, so as many members are the same members */
    *equal = hie_doc_count(run->doc, a) == hie_doc_count(d, b);

    for (m = hie_doc_first(d, b);
         rc == HIE_OK && *equal && m != HIE_NODE_NONE;
         m = hie_doc_next(d, m))
    {
        rc = find_member(run, a, at, hie_doc_name(d, m, run->scratch),
                         &member);

        if (rc == HIE_OK && member == HIE_NODE_NONE) {
            *equal = false;

        } else if (rc == HIE_OK) {
            rc = hie_patch_equal(run, member, d, m, equal);
        }

        at = hie_doc_next(run->doc, at);
    }

    return rc;
}


/* Recursion is bounded by the depth of the documents. */
hie_rc_t
hie_patch_equal(hie_patch_run_t *run, hie_node_t a, const hie_doc_t *d,
                hie_node_t b, bool *equal)
{
    hie_node_kind_t  kind = hie_doc_kind(run->doc, a);

    *equal = kind == hie_doc_kind(d, b);

    if (!*equal) {
        return HIE_OK;
    }

    switch (kind) {
    case HIE_NODE_OBJECT:
        return same_members(run, a, d, b, equal);

    case HIE_NODE_ARRAY:
        return same_elements(run, a, d, b, equal);

    case HIE_NODE_STRING:
        *equal = hie_str_eq(hie_doc_string(run->doc, a, run->scratch),
                            hie_doc_string(d, b, run->scratch));
        return HIE_OK;

    case HIE_NODE_NUMBER:
        *equal = same_number(hie_doc_raw(run->doc, a), hie_doc_raw(d, b));
        return HIE_OK;

    default:
        return HIE_OK;
    }
}
