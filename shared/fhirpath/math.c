/*
 * Functions on numbers (N1 section 5.7). What is no rational function goes
 * through double, to 15 digits.
 */

#include <math.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

#define DOUBLE_DIGITS  15


static hie_decimal_t
decimal_of(const fp_item_t *v)
{
    return v->kind == HIE_FHIRPATH_INTEGER ? hie_decimal_int(v->integer)
                                           : v->decimal;
}


/* The input as a number, and off the stack. */
static hie_rc_t
number(fp_run_t *run, const fp_node_t *n, uint32_t base, fp_item_t *out,
       bool *there)
{
    hie_rc_t  rc;

    rc = hie_fp_single(run, n, base, out, there);
    run->top = base;
    if (rc == HIE_OK && *there && out->kind != HIE_FHIRPATH_INTEGER
        && out->kind != HIE_FHIRPATH_DECIMAL)
    {
        *there = false;
        return hie_fp_fail(run, n, HIE_INVALID, "%s() expects a number, found "
                           "a %s", n->function->name,
                           hie_fhirpath_type_name(out));
    }

    return rc;
}


hie_rc_t
hie_fp_call_abs(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    bool           there;
    hie_rc_t       rc;
    fp_item_t      v;
    hie_decimal_t  d;

    rc = hie_fp_single(run, n, base, &v, &there);
    if (rc != HIE_OK) {
        return rc;
    }

    if (there && v.kind == HIE_FHIRPATH_QUANTITY) {
        d = v.quantity->value;
        d.negative = false;
        hie_fp_set_quantity(run, base, &d, v.quantity->unit,
                            v.quantity->calendar);
        return HIE_OK;
    }

    rc = number(run, n, base, &v, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (v.kind == HIE_FHIRPATH_INTEGER) {
        hie_fp_set_integer(run, base, v.integer < 0 ? -v.integer : v.integer);
    } else {
        v.decimal.negative = false;
        hie_fp_set_decimal(run, base, &v.decimal);
    }

    return HIE_OK;
}


static hie_rc_t
to_whole(fp_run_t *run, const fp_node_t *n, uint32_t base, hie_round_t how)
{
    bool           there;
    int64_t        whole;
    hie_rc_t       rc;
    fp_item_t      v;
    hie_decimal_t  d;

    rc = number(run, n, base, &v, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    d = decimal_of(&v);
    d = hie_decimal_round(&d, 0, how);
    if (hie_decimal_to_int(&d, &whole)) {
        hie_fp_set_integer(run, base, whole);
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_ceiling(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return to_whole(run, n, base, HIE_ROUND_CEILING);
}


hie_rc_t
hie_fp_call_floor(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    return to_whole(run, n, base, HIE_ROUND_FLOOR);
}


hie_rc_t
hie_fp_call_truncate(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    return to_whole(run, n, base, HIE_ROUND_DOWN);
}


hie_rc_t
hie_fp_call_round(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    bool           there, arg_there;
    hie_rc_t       rc;
    fp_item_t      v, digits = { .integer = 0 };
    hie_decimal_t  d;

    rc = number(run, n, base, &v, &there);
    if (rc == HIE_OK && n->args != NULL) {
        rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_INTEGER,
                             &digits, &arg_there);
        there = there && arg_there;
    }

    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (digits.integer < 0) {
        return hie_fp_fail(run, n, HIE_INVALID, "round() to a negative number "
                           "of digits");
    }

    d = decimal_of(&v);
    d = hie_decimal_round(&d, digits.integer > 40 ? 40 : (int) digits.integer,
                          HIE_ROUND_HALF_UP);
    hie_fp_set_decimal(run, base, &d);
    return HIE_OK;
}


static void
set_double(fp_run_t *run, uint32_t base, double v)
{
    hie_decimal_t  d;

    if (hie_decimal_from_double(v, DOUBLE_DIGITS, &d)) {
        hie_fp_set_decimal(run, base, &d);
    }
}


static hie_rc_t
through_double(fp_run_t *run, const fp_node_t *n, uint32_t base,
               double (*fn)(double))
{
    bool           there;
    hie_rc_t       rc;
    fp_item_t      v;
    hie_decimal_t  d;

    rc = number(run, n, base, &v, &there);
    if (rc == HIE_OK && there) {
        d = decimal_of(&v);
        set_double(run, base, fn(hie_decimal_to_double(&d)));
    }

    return rc;
}


hie_rc_t
hie_fp_call_exp(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    return through_double(run, n, base, exp);
}


hie_rc_t
hie_fp_call_ln(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
               uint32_t base)
{
    return through_double(run, n, base, log);
}


hie_rc_t
hie_fp_call_sqrt(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    return through_double(run, n, base, sqrt);
}


static hie_rc_t
two_numbers(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
            uint32_t base, fp_item_t *a, fp_item_t *b, bool *there)
{
    bool      b_there;
    uint32_t  end;
    hie_rc_t  rc;

    rc = number(run, n, base, a, there);
    if (rc != HIE_OK) {
        return rc;
    }

    end = run->top;
    rc = hie_fp_eval(run, n->args, scope);
    if (rc == HIE_OK) {
        rc = number(run, n, end, b, &b_there);
        *there = *there && b_there;
    }

    return rc;
}


hie_rc_t
hie_fp_call_log(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    bool           there;
    hie_rc_t       rc;
    fp_item_t      a, b;
    hie_decimal_t  x, y;

    rc = two_numbers(run, n, scope, base, &a, &b, &there);
    if (rc == HIE_OK && there) {
        x = decimal_of(&a);
        y = decimal_of(&b);
        set_double(run, base, log(hie_decimal_to_double(&x))
                              / log(hie_decimal_to_double(&y)));
    }

    return rc;
}


/* By squaring: exact while 34 digits hold it. */
static bool
power(hie_decimal_t x, uint64_t n, hie_decimal_t *out)
{
    hie_decimal_t  v = hie_decimal_int(1);

    for ( ; n > 0; n >>= 1) {
        if ((n & 1) && !hie_decimal_mul(&v, &x, &v)) {
            return false;
        }

        if (n > 1 && !hie_decimal_mul(&x, &x, &x)) {
            return false;
        }
    }

    *out = v;
    return true;
}


hie_rc_t
hie_fp_call_power(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    bool           there;
    int64_t        times, whole;
    hie_rc_t       rc;
    fp_item_t      a, b;
    hie_decimal_t  x, y, v, one = hie_decimal_int(1);

    rc = two_numbers(run, n, scope, base, &a, &b, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    x = decimal_of(&a);
    y = decimal_of(&b);
    if (!hie_decimal_to_int(&y, &times)) {
        set_double(run, base, pow(hie_decimal_to_double(&x),
                                  hie_decimal_to_double(&y)));
        return HIE_OK;
    }

    if (!power(x, (uint64_t) (times < 0 ? -times : times), &v)
        || (times < 0 && !hie_decimal_div(&one, &v, &v)))
    {
        return HIE_OK;
    }

    if (a.kind == HIE_FHIRPATH_INTEGER && b.kind == HIE_FHIRPATH_INTEGER
        && times >= 0)
    {
        if (hie_decimal_to_int(&v, &whole)) {
            hie_fp_set_integer(run, base, whole);
        }
    } else {
        hie_fp_set_decimal(run, base, &v);
    }

    return HIE_OK;
}
