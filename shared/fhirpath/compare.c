/*
 * Equality, equivalence and order of items (N1 sections 6.1 and 6.2).
 */

#include <utf8proc.h>

#include "fhirpath/private.h"

typedef struct {
    const hie_doc_t  *d;
    hie_node_t        n;
} place_t;

static hie_rc_t
equal_json(fp_run_t *run, place_t a, place_t b, bool *out);


static bool
is_number(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_INTEGER || v->kind == HIE_FHIRPATH_DECIMAL;
}


static bool
is_date(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_DATE || v->kind == HIE_FHIRPATH_DATETIME;
}


static hie_decimal_t
decimal_of(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_INTEGER ? hie_decimal_int(v->integer)
                                           : v->decimal;
}


/* Units are parsed, strings are read. */
static void
charge_comparison(fp_run_t *run, const fp_item_t *a, const fp_item_t *b)
{
    size_t  len;

    if (a->kind == HIE_FHIRPATH_QUANTITY || b->kind == HIE_FHIRPATH_QUANTITY) {
        fp_charge(run, 20);

    } else if (a->kind == HIE_FHIRPATH_STRING
               && b->kind == HIE_FHIRPATH_STRING)
    {
        len = a->string.len < b->string.len ? a->string.len : b->string.len;
        fp_charge(run, len / FP_STEP_BYTES);
    }
}


/* A number where a quantity is expected has the unit 1. */
static hie_fhirpath_quantity_t
quantity_of(const fp_item_t *v)
{
    if (v->kind == HIE_FHIRPATH_QUANTITY) {
        return *v->quantity;
    }

    return (hie_fhirpath_quantity_t) { decimal_of(v), HIE_STR("1"), false };
}


static int
compare_numbers(const fp_item_t *a, const fp_item_t *b)
{
    hie_decimal_t  x, y;

    if (a->kind == HIE_FHIRPATH_INTEGER && b->kind == HIE_FHIRPATH_INTEGER) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }

    x = decimal_of(a);
    y = decimal_of(b);
    return hie_decimal_compare(&x, &y);
}


/* Values that have an order, -1, 0, 1. False: they have none. */
static bool
compare_values(const fp_item_t *a, const fp_item_t *b, int *order,
               bool *known)
{
    size_t                   len;
    hie_fhirpath_quantity_t  x, y;

    *known = true;
    if (is_number(a) && is_number(b)) {
        *order = compare_numbers(a, b);
        return true;
    }

    if ((is_number(a) || a->kind == HIE_FHIRPATH_QUANTITY)
        && (is_number(b) || b->kind == HIE_FHIRPATH_QUANTITY))
    {
        x = quantity_of(a);
        y = quantity_of(b);
        *order = hie_fp_quantity_compare(&x, &y, known);
        return true;
    }

    if ((is_date(a) && is_date(b))
        || (a->kind == HIE_FHIRPATH_TIME && b->kind == HIE_FHIRPATH_TIME))
    {
        *order = hie_fp_time_compare(&a->time, &b->time, known);
        return true;
    }

    if (a->kind == HIE_FHIRPATH_STRING && b->kind == HIE_FHIRPATH_STRING) {
        len = a->string.len < b->string.len ? a->string.len : b->string.len;
        *order = memcmp(a->string.ptr, b->string.ptr, len);
        if (*order == 0) {
            *order = (a->string.len > b->string.len)
                     - (a->string.len < b->string.len);
        }

        return true;
    }

    return false;
}


static fp_truth_t
equal_values(const fp_item_t *a, const fp_item_t *b)
{
    int   order;
    bool  known;

    if (a->kind == HIE_FHIRPATH_BOOLEAN && b->kind == HIE_FHIRPATH_BOOLEAN) {
        return a->boolean == b->boolean ? FP_TRUE : FP_FALSE;
    }

    if (a->kind == HIE_FHIRPATH_TYPE && b->kind == HIE_FHIRPATH_TYPE) {
        return a->type == b->type
               && (a->type != 0 || a->kind_of == b->kind_of)
               ? FP_TRUE : FP_FALSE;
    }

    if (!compare_values(a, b, &order, &known)) {
        return FP_FALSE;
    }

    return !known ? FP_EMPTY : order == 0 ? FP_TRUE : FP_FALSE;
}


static hie_rc_t
equal_objects(fp_run_t *run, place_t a, place_t b, bool *out)
{
    place_t     x = a, y = b;
    hie_rc_t    rc = HIE_OK;

    *out = hie_doc_count(a.d, a.n) == hie_doc_count(b.d, b.n);
    for (x.n = hie_doc_first(a.d, a.n);
         x.n != HIE_NODE_NONE && *out && rc == HIE_OK;
         x.n = hie_doc_next(a.d, x.n))
    {
        y.n = hie_fp_lookup(run, b.d, b.n,
                            hie_doc_name(a.d, x.n, run->pool));
        rc = equal_json(run, x, y, out);
    }

    return rc;
}


static hie_rc_t
equal_arrays(fp_run_t *run, place_t a, place_t b, bool *out)
{
    place_t   x = a, y = b;
    hie_rc_t  rc = HIE_OK;

    *out = true;
    x.n = hie_doc_first(a.d, a.n);
    y.n = hie_doc_first(b.d, b.n);
    while (x.n != HIE_NODE_NONE && y.n != HIE_NODE_NONE && *out
           && rc == HIE_OK)
    {
        rc = equal_json(run, x, y, out);
        x.n = hie_doc_next(a.d, x.n);
        y.n = hie_doc_next(b.d, y.n);
    }

    *out = *out && x.n == y.n;
    return rc;
}


/* Numbers by value, strings by their characters, objects without regard to
 * the order of their members. */
static hie_rc_t
equal_json(fp_run_t *run, place_t a, place_t b, bool *out)
{
    hie_rc_t         rc;
    hie_decimal_t    x, y;
    hie_node_kind_t  kind = hie_doc_kind(a.d, a.n);

    *out = false;
    rc = hie_fp_spend(run, 1 + (kind == HIE_NODE_STRING
                                || kind == HIE_NODE_NUMBER
                                ? hie_doc_raw(a.d, a.n).len / FP_STEP_BYTES
                                : 0));
    if (rc != HIE_OK || kind != hie_doc_kind(b.d, b.n)) {
        return rc;
    }

    switch (kind) {
    case HIE_NODE_OBJECT:
        return equal_objects(run, a, b, out);

    case HIE_NODE_ARRAY:
        return equal_arrays(run, a, b, out);

    case HIE_NODE_STRING:
        *out = hie_str_eq(hie_doc_string(a.d, a.n, run->pool),
                          hie_doc_string(b.d, b.n, run->pool));
        return HIE_OK;

    case HIE_NODE_NUMBER:
        *out = hie_decimal_parse(hie_doc_raw(a.d, a.n), &x)
               && hie_decimal_parse(hie_doc_raw(b.d, b.n), &y)
               ? hie_decimal_compare(&x, &y) == 0
               : hie_str_eq(hie_doc_raw(a.d, a.n), hie_doc_raw(b.d, b.n));
        return HIE_OK;

    default:
        *out = true;
        return HIE_OK;
    }
}


static hie_rc_t
equal_nodes(fp_run_t *run, const fp_item_t *a, const fp_item_t *b, bool *out)
{
    hie_rc_t  rc;

    rc = equal_json(run, (place_t) { a->doc, a->node },
                    (place_t) { b->doc, b->node }, out);
    if (rc == HIE_OK && *out) {
        rc = equal_json(run, (place_t) { a->doc, a->sibling },
                        (place_t) { b->doc, b->sibling }, out);
    }

    return rc;
}


hie_rc_t
hie_fp_equal(fp_run_t *run, const fp_item_t *a, const fp_item_t *b,
             fp_truth_t *out)
{
    bool       same, a_there, b_there;
    hie_rc_t   rc;
    fp_item_t  x, y;

    *out = FP_FALSE;
    rc = hie_fp_spend(run, 1);
    if (rc != HIE_OK) {
        return rc;
    }

    a_there = hie_fp_value(run, a, &x);
    b_there = hie_fp_value(run, b, &y);
    if (a_there && b_there) {
        charge_comparison(run, &x, &y);
        *out = equal_values(&x, &y);
        return HIE_OK;
    }

    if (a_there || b_there) {
        return HIE_OK;
    }

    rc = equal_nodes(run, a, b, &same);
    *out = same ? FP_TRUE : FP_FALSE;
    return rc;
}


hie_rc_t
hie_fp_equal_lists(fp_run_t *run, uint32_t a, uint32_t na, uint32_t b,
                   uint32_t nb, fp_truth_t *out)
{
    uint32_t    i;
    hie_rc_t    rc;
    fp_truth_t  one;

    *out = na == 0 || nb == 0 ? FP_EMPTY : FP_FALSE;
    if (na == 0 || na != nb) {
        return HIE_OK;
    }

    *out = FP_TRUE;
    for (i = 0; i < na; i++) {
        rc = hie_fp_equal(run, &run->items[a + i], &run->items[b + i], &one);
        if (rc != HIE_OK) {
            return rc;
        }

        if (one == FP_FALSE) {
            *out = FP_FALSE;
            return HIE_OK;
        }

        if (one == FP_EMPTY) {
            *out = FP_EMPTY;
        }
    }

    return HIE_OK;
}


/* Without case, and white space is a space (N1 section 6.1.2). */
static hie_str_t
fold(fp_run_t *run, hie_str_t s)
{
    size_t           i, n;
    hie_str_t        out;
    utf8proc_int32_t c;
    utf8proc_ssize_t len;
    utf8proc_uint8_t *w;

    fp_charge(run, s.len / 8);
    w = apr_palloc(run->pool, s.len * 2 + 4);
    out.ptr = (const char *) w;
    for (i = 0, n = 0; i < s.len; i += (size_t) len) {
        len = utf8proc_iterate((const utf8proc_uint8_t *) s.ptr + i,
                               (utf8proc_ssize_t) (s.len - i), &c);
        if (len <= 0) {
            break;
        }

        c = c == '\t' || c == '\r' || c == '\n' || c == 0xa0 ? ' '
            : utf8proc_tolower(c);
        n += (size_t) utf8proc_encode_char(c, w + n);
    }

    out.len = n;
    return out;
}


/* To the precision of the less precise of the two. */
static bool
equivalent_numbers(const fp_item_t *a, const fp_item_t *b)
{
    int            scale;
    hie_decimal_t  x = decimal_of(a), y = decimal_of(b);

    scale = hie_decimal_scale(&x);
    if (hie_decimal_scale(&y) < scale) {
        scale = hie_decimal_scale(&y);
    }

    x = hie_decimal_round(&x, scale, HIE_ROUND_HALF_UP);
    y = hie_decimal_round(&y, scale, HIE_ROUND_HALF_UP);
    return hie_decimal_compare(&x, &y) == 0;
}


static bool
equivalent_values(fp_run_t *run, const fp_item_t *a, const fp_item_t *b)
{
    hie_fhirpath_quantity_t  x, y;

    if (a->kind == HIE_FHIRPATH_STRING && b->kind == HIE_FHIRPATH_STRING) {
        return hie_str_eq(fold(run, a->string), fold(run, b->string));
    }

    if (is_number(a) && is_number(b)) {
        return equivalent_numbers(a, b);
    }

    if ((is_date(a) && is_date(b))
        || (a->kind == HIE_FHIRPATH_TIME && b->kind == HIE_FHIRPATH_TIME))
    {
        return hie_fp_time_equivalent(&a->time, &b->time);
    }

    if ((is_number(a) || a->kind == HIE_FHIRPATH_QUANTITY)
        && (is_number(b) || b->kind == HIE_FHIRPATH_QUANTITY))
    {
        x = quantity_of(a);
        y = quantity_of(b);
        return hie_fp_quantity_equivalent(&x, &y);
    }

    return equal_values(a, b) == FP_TRUE;
}


/* Their children, in any order. */
static hie_rc_t
equivalent_nodes(fp_run_t *run, const fp_item_t *a, const fp_item_t *b,
                 bool *out)
{
    uint32_t   base = run->top, middle;
    hie_rc_t   rc;
    fp_item_t  x = *a, y = *b;

    *out = false;
    rc = hie_fp_children(run, &x);
    middle = run->top;
    if (rc == HIE_OK) {
        rc = hie_fp_children(run, &y);
    }

    if (rc == HIE_OK && middle > base) {
        rc = hie_fp_equivalent_lists(run, base, middle - base, middle,
                                     run->top - middle, out);
    } else if (rc == HIE_OK && run->top == middle) {
        rc = equal_nodes(run, &x, &y, out);
    }

    run->top = base;
    return rc;
}


hie_rc_t
hie_fp_equivalent(fp_run_t *run, const fp_item_t *a, const fp_item_t *b,
                  bool *out)
{
    bool       a_there, b_there;
    hie_rc_t   rc;
    fp_item_t  x, y;

    *out = false;
    rc = hie_fp_spend(run, 1);
    if (rc != HIE_OK) {
        return rc;
    }

    a_there = hie_fp_value(run, a, &x);
    b_there = hie_fp_value(run, b, &y);
    if (a_there && b_there) {
        charge_comparison(run, &x, &y);
        *out = equivalent_values(run, &x, &y);
        return HIE_OK;
    }

    return a_there || b_there ? HIE_OK : equivalent_nodes(run, a, b, out);
}


/* Has `one` an equivalent among those that are not taken, with the same name
 * where both have one? */
static hie_rc_t
take_equivalent(fp_run_t *run, uint32_t one, uint32_t b, uint32_t nb,
                uint8_t *taken, bool *out)
{
    uint32_t          i;
    hie_rc_t          rc = HIE_OK;
    const fp_item_t  *x, *y;

    *out = false;
    for (i = 0; i < nb && !*out && rc == HIE_OK; i++) {
        x = &run->items[one];
        y = &run->items[b + i];
        if (taken[i]
            || (x->kind == HIE_FHIRPATH_NODE && y->kind == HIE_FHIRPATH_NODE
                && x->element != NULL && y->element != NULL
                && strcmp(x->element->name, y->element->name) != 0))
        {
            continue;
        }

        rc = hie_fp_equivalent(run, x, y, out);
        taken[i] = *out;
    }

    return rc;
}


hie_rc_t
hie_fp_equivalent_lists(fp_run_t *run, uint32_t a, uint32_t na, uint32_t b,
                        uint32_t nb, bool *out)
{
    uint8_t    few[32], *taken = few;
    uint32_t   i;
    hie_rc_t   rc = HIE_OK;

    *out = na == nb;
    if (na != nb) {
        return HIE_OK;
    }

    if (nb > sizeof(few)) {
        taken = apr_palloc(run->pool, nb);
    }

    memset(taken, 0, nb);
    for (i = 0; i < na && *out && rc == HIE_OK; i++) {
        rc = take_equivalent(run, a + i, b, nb, taken, out);
    }

    return rc;
}


hie_rc_t
hie_fp_order(fp_run_t *run, const fp_node_t *node, const fp_item_t *a,
             const fp_item_t *b, int *order, bool *known)
{
    *order = 0;
    *known = false;
    charge_comparison(run, a, b);
    if (compare_values(a, b, order, known)) {
        return HIE_OK;
    }

    return hie_fp_fail(run, node, HIE_INVALID, "a %s and a %s have no order",
                       hie_fhirpath_type_name(a), hie_fhirpath_type_name(b));
}
