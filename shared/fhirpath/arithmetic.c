/*
 * The operators + - * / div mod & and the signs (N1 section 6.6).
 */

#include "fhirpath/private.h"

static const char *const  signs[] = {
    [OP_PLUS] = "+", [OP_MINUS] = "-", [OP_MULTIPLY] = "*",
    [OP_DIVIDE] = "/", [OP_DIV] = "div", [OP_MOD] = "mod", [OP_ADD] = "+",
    [OP_SUBTRACT] = "-", [OP_CONCAT] = "&"
};


static hie_rc_t
unfit(fp_run_t *run, const fp_node_t *n, const fp_item_t *a,
      const fp_item_t *b)
{
    if (b == NULL) {
        return hie_fp_fail(run, n, HIE_INVALID, "a %s has no sign",
                           hie_fhirpath_type_name(a));
    }

    return hie_fp_fail(run, n, HIE_INVALID, "%s %s %s is not possible",
                       hie_fhirpath_type_name(a), signs[n->op],
                       hie_fhirpath_type_name(b));
}


static bool
is_number(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_INTEGER || v->kind == HIE_FHIRPATH_DECIMAL;
}


static hie_decimal_t
decimal_of(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_INTEGER ? hie_decimal_int(v->integer)
                                           : v->decimal;
}


static hie_rc_t
sign(fp_run_t *run, const fp_node_t *n, uint32_t base, const fp_item_t *a)
{
    bool           minus = n->op == OP_MINUS;
    hie_decimal_t  v;

    switch (a->kind) {
    case HIE_FHIRPATH_INTEGER:
        hie_fp_set_integer(run, base, minus ? -a->integer : a->integer);
        return HIE_OK;

    case HIE_FHIRPATH_DECIMAL:
        v = a->decimal;
        v.negative ^= minus && !hie_decimal_is_zero(&v);
        hie_fp_set_decimal(run, base, &v);
        return HIE_OK;

    case HIE_FHIRPATH_QUANTITY:
        v = a->quantity->value;
        v.negative ^= minus && !hie_decimal_is_zero(&v);
        hie_fp_set_quantity(run, base, &v, a->quantity->unit,
                            a->quantity->calendar);
        return HIE_OK;

    default:
        return unfit(run, n, a, NULL);
    }
}


static hie_rc_t
concat(fp_run_t *run, const fp_node_t *n, uint32_t base, const fp_item_t *a,
       const fp_item_t *b)
{
    hie_rc_t   rc;
    hie_buf_t  buf;
    hie_str_t  x = a != NULL ? a->string : HIE_STR("");
    hie_str_t  y = b != NULL ? b->string : HIE_STR("");

    if ((a != NULL && a->kind != HIE_FHIRPATH_STRING)
        || (b != NULL && b->kind != HIE_FHIRPATH_STRING))
    {
        return hie_fp_fail(run, n, HIE_INVALID, "'%s' joins Strings, found "
                           "a %s", signs[n->op],
                           a != NULL && a->kind != HIE_FHIRPATH_STRING
                           ? hie_fhirpath_type_name(a)
                           : hie_fhirpath_type_name(b));
    }

    rc = hie_fp_room(run, n, x.len + y.len);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&buf, run->pool, x.len + y.len + 1);
    hie_buf_adds(&buf, x);
    hie_buf_adds(&buf, y);
    hie_fp_set_string(run, base, hie_buf_str(&buf));
    return HIE_OK;
}


/* Beyond 32 bits the result is empty; so is division by 0. */
static void
integers(fp_run_t *run, const fp_node_t *n, uint32_t base, int64_t a,
         int64_t b)
{
    switch (n->op) {
    case OP_ADD:
        hie_fp_set_integer(run, base, a + b);
        break;
    case OP_SUBTRACT:
        hie_fp_set_integer(run, base, a - b);
        break;
    case OP_MULTIPLY:
        hie_fp_set_integer(run, base, a * b);
        break;
    case OP_DIV:
        if (b != 0) {
            hie_fp_set_integer(run, base, a / b);
        }

        break;
    default:
        if (b != 0) {
            hie_fp_set_integer(run, base, a % b);
        }

        break;
    }
}


static void
decimals(fp_run_t *run, const fp_node_t *n, uint32_t base,
         const hie_decimal_t *a, const hie_decimal_t *b)
{
    bool           there;
    int64_t        whole;
    hie_decimal_t  v;

    switch (n->op) {
    case OP_ADD:
        there = hie_decimal_add(a, b, &v);
        break;
    case OP_SUBTRACT:
        there = hie_decimal_sub(a, b, &v);
        break;
    case OP_MULTIPLY:
        there = hie_decimal_mul(a, b, &v);
        break;
    case OP_DIVIDE:
        there = hie_decimal_div(a, b, &v);
        break;
    case OP_DIV:
        if (hie_decimal_divmod(a, b, &v, NULL)
            && hie_decimal_to_int(&v, &whole))
        {
            hie_fp_set_integer(run, base, whole);
        }

        return;
    default:
        there = hie_decimal_divmod(a, b, NULL, &v);
        break;
    }

    if (there) {
        hie_fp_set_decimal(run, base, &v);
    }
}


static hie_rc_t
quantities(fp_run_t *run, const fp_node_t *n, uint32_t base,
           const hie_fhirpath_quantity_t *a, const hie_fhirpath_quantity_t *b)
{
    bool           there;
    hie_str_t      unit = a->unit;
    hie_decimal_t  v;

    switch (n->op) {
    case OP_ADD: case OP_SUBTRACT:
        if (hie_fp_quantity_add(a, b, n->op == OP_SUBTRACT, &v)) {
            hie_fp_set_quantity(run, base, &v, unit, a->calendar);
        }

        return HIE_OK;

    case OP_MULTIPLY:
        there = hie_decimal_mul(&a->value, &b->value, &v);
        break;

    default:
        there = hie_decimal_div(&a->value, &b->value, &v);
        break;
    }

    if (there
        && hie_fp_quantity_unit(run->pool, a, b, n->op == OP_DIVIDE, &unit))
    {
        hie_fp_set_quantity(run, base, &v, unit, false);
    }

    return HIE_OK;
}


/* A quantity and a number, which has the unit 1: also of the calendar. */
static hie_rc_t
scaled(fp_run_t *run, const fp_node_t *n, uint32_t base, const fp_item_t *a,
       const fp_item_t *b)
{
    hie_decimal_t            v, factor;
    hie_fhirpath_quantity_t  x, y;

    if (b->kind != HIE_FHIRPATH_QUANTITY && a->quantity->calendar) {
        factor = decimal_of(b);
        if (n->op == OP_MULTIPLY
            ? hie_decimal_mul(&a->quantity->value, &factor, &v)
            : hie_decimal_div(&a->quantity->value, &factor, &v))
        {
            hie_fp_set_quantity(run, base, &v, a->quantity->unit, true);
        }

        return HIE_OK;
    }

    memset(&x, 0, sizeof(x));
    x.unit = HIE_STR("1");
    y = x;
    if (a->kind == HIE_FHIRPATH_QUANTITY) {
        x = *a->quantity;
    } else {
        x.value = decimal_of(a);
    }

    if (b->kind == HIE_FHIRPATH_QUANTITY) {
        y = *b->quantity;
    } else {
        y.value = decimal_of(b);
    }

    return quantities(run, n, base, &x, &y);
}


static hie_rc_t
move_time(fp_run_t *run, const fp_node_t *n, uint32_t base,
          const fp_item_t *a, const fp_item_t *b)
{
    bool       of_time;
    fp_time_t  t = a->time, probe;

    if (hie_fp_time_add(&t, a->kind, b->quantity, n->op == OP_SUBTRACT)) {
        hie_fp_set_time(run, base, a->kind, &t);
        return HIE_OK;
    }

    /* a unit that does not go with it is an error, a date beyond the
     * calendar is empty */
    probe = a->time;
    probe.year = a->kind == HIE_FHIRPATH_TIME ? 1 : 5000;
    of_time = hie_fp_time_add(&probe, a->kind, &(hie_fhirpath_quantity_t) {
                              hie_decimal_int(0), b->quantity->unit,
                              b->quantity->calendar }, false);
    if (of_time) {
        return HIE_OK;
    }

    return hie_fp_fail(run, n, HIE_INVALID, "the unit '%.*s' does not go "
                       "with a %s", (int) (b->quantity->unit.len < 40
                                           ? b->quantity->unit.len : 40),
                       b->quantity->unit.ptr, hie_fhirpath_type_name(a));
}


static bool
is_quantity_operation(const fp_node_t *n, const fp_item_t *a,
                      const fp_item_t *b)
{
    bool  x = a->kind == HIE_FHIRPATH_QUANTITY;
    bool  y = b->kind == HIE_FHIRPATH_QUANTITY;

    return (x || y) && (x || is_number(a)) && (y || is_number(b))
           && n->op != OP_DIV && n->op != OP_MOD;
}


hie_rc_t
hie_fp_arithmetic(fp_run_t *run, const fp_node_t *n, uint32_t base,
                  const fp_item_t *a, const fp_item_t *b)
{
    hie_decimal_t  x, y;

    if (n->op == OP_PLUS || n->op == OP_MINUS) {
        return sign(run, n, base, a);
    }

    if (n->op == OP_CONCAT
        || (n->op == OP_ADD && a->kind == HIE_FHIRPATH_STRING
            && b->kind == HIE_FHIRPATH_STRING))
    {
        return concat(run, n, base, a, b);
    }

    if (a->kind == HIE_FHIRPATH_INTEGER && b->kind == HIE_FHIRPATH_INTEGER
        && n->op != OP_DIVIDE)
    {
        integers(run, n, base, a->integer, b->integer);
        return HIE_OK;
    }

    if (is_number(a) && is_number(b)) {
        x = decimal_of(a);
        y = decimal_of(b);
        decimals(run, n, base, &x, &y);
        return HIE_OK;
    }

    if (is_quantity_operation(n, a, b)) {
        fp_charge(run, 20);
        return scaled(run, n, base, a, b);
    }

    if (a->kind >= HIE_FHIRPATH_DATE && a->kind <= HIE_FHIRPATH_TIME
        && b->kind == HIE_FHIRPATH_QUANTITY
        && (n->op == OP_ADD || n->op == OP_SUBTRACT))
    {
        return move_time(run, n, base, a, b);
    }

    return unfit(run, n, a, b);
}
