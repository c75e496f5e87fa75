/*
 * lowBoundary, highBoundary, precision (FHIRPath 2.1 section 6.9): the least
 * and the greatest that a value of limited precision may stand for.
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

#define DECIMAL_DEFAULT   8
#define DECIMAL_MOST      31

/* Digits, as precision() counts them. */
#define DIGITS_MILLISECOND  17
#define TIME_DIGITS_LESS    8

/* Zones of the earliest and the latest of a local time. */
#define ZONE_FIRST  (14 * 60)
#define ZONE_LAST   (-12 * 60)


static uint8_t
precision_of(int64_t digits)
{
    switch (digits) {
    case 4:
        return HIE_PRECISION_YEAR;
    case 6:
        return HIE_PRECISION_MONTH;
    case 8:
        return HIE_PRECISION_DAY;
    case 10:
        return HIE_PRECISION_HOUR;
    case 12:
        return HIE_PRECISION_MINUTE;
    case 14: case DIGITS_MILLISECOND:
        return HIE_PRECISION_SECOND;
    default:
        return 0;
    }
}


static int64_t
digits_of(uint8_t kind, const fp_time_t *t)
{
    int64_t  digits;

    digits = t->precision == HIE_PRECISION_YEAR ? 4 : 2 + 2 * t->precision;
    if (t->precision == HIE_PRECISION_SECOND && t->digits > 0) {
        digits += t->digits < 3 ? t->digits : 3;
    }

    return kind == HIE_FHIRPATH_TIME ? digits - TIME_DIGITS_LESS : digits;
}


hie_rc_t
hie_fp_call_precision(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    fp_item_t  v;

    rc = hie_fp_single(run, n, base, &v, &there);
    run->top = base;
    if (rc != HIE_OK || !there) {
        return rc;
    }

    switch (v.kind) {
    case HIE_FHIRPATH_INTEGER:
        hie_fp_set_integer(run, base, 0);
        return HIE_OK;

    case HIE_FHIRPATH_DECIMAL:
        hie_fp_set_integer(run, base, hie_decimal_scale(&v.decimal));
        return HIE_OK;

    case HIE_FHIRPATH_DATE: case HIE_FHIRPATH_DATETIME:
    case HIE_FHIRPATH_TIME:
        hie_fp_set_integer(run, base, digits_of(v.kind, &v.time));
        return HIE_OK;

    default:
        return hie_fp_fail(run, n, HIE_INVALID, "a %s has no precision",
                           hie_fhirpath_type_name(&v));
    }
}


/* Half a unit of the last digit away from the value. At fewer digits than
 * that has, the one that is nearer to 0 is cut off and the other rounded: so
 * the published tests have it (1.587 to 2 digits: 1.58, 1.59; 0.0034 to 1
 * digit: 0.0, 0.0). False: not at this precision. */
static bool
decimal_boundary(const hie_decimal_t *in, bool high, int64_t digits,
                 hie_decimal_t *out)
{
    bool           outwards = in->negative ? !high : high;
    hie_decimal_t  half = hie_decimal_int(5), zeros = hie_decimal_int(0);

    if (digits < 0 || digits > DECIMAL_MOST) {
        return false;
    }

    half.exponent = (in->exponent < 0 ? in->exponent : 0) - 1;
    if (!(high ? hie_decimal_add(in, &half, out)
               : hie_decimal_sub(in, &half, out)))
    {
        return false;
    }

    *out = hie_decimal_round(out, (int) digits, outwards ? HIE_ROUND_HALF_UP
                                                         : HIE_ROUND_DOWN);
    zeros.exponent = (int32_t) -digits;
    return hie_decimal_add(out, &zeros, out);
}


static bool
time_boundary(fp_time_t *t, uint8_t kind, bool high, int64_t digits)
{
    uint8_t  have = t->precision, want;

    want = precision_of(kind == HIE_FHIRPATH_TIME
                        ? digits + TIME_DIGITS_LESS : digits);
    if (want == 0 || (kind == HIE_FHIRPATH_DATE && want > HIE_PRECISION_DAY)
        || (kind == HIE_FHIRPATH_TIME && want < HIE_PRECISION_HOUR))
    {
        return false;
    }

    if (high && have < HIE_PRECISION_MONTH) {
        t->month = 12;
    }

    if (high && have < HIE_PRECISION_DAY) {
        t->day = (uint8_t) hie_fp_month_days(t->year, t->month);
    }

    if (high && have < HIE_PRECISION_HOUR) {
        t->hour = 23;
    }

    if (high && have < HIE_PRECISION_MINUTE) {
        t->minute = 59;
    }

    if (high && have < HIE_PRECISION_SECOND) {
        t->second = 59;
    }

    if (high && t->digits < 3) {
        t->nano += t->digits == 0 ? 999000000
                   : t->digits == 1 ? 99000000 : 9000000;
    }

    t->precision = want;
    t->digits = digits == DIGITS_MILLISECOND
                || (kind == HIE_FHIRPATH_TIME && digits == 9) ? 3 : 0;
    if (kind == HIE_FHIRPATH_DATETIME && want >= HIE_PRECISION_HOUR
        && t->zone == HIE_FHIRPATH_NO_ZONE)
    {
        t->zone = high ? ZONE_LAST : ZONE_FIRST;
    }

    return true;
}


/* The precision that was asked for, or that of the type. */
static hie_rc_t
digits_wanted(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
              uint8_t kind, int64_t *out, bool *there)
{
    hie_rc_t   rc;
    fp_item_t  v;

    *out = kind == HIE_FHIRPATH_DATE ? 8
           : kind == HIE_FHIRPATH_DATETIME ? DIGITS_MILLISECOND
           : kind == HIE_FHIRPATH_TIME ? 9 : DECIMAL_DEFAULT;
    if (n->args == NULL) {
        return HIE_OK;
    }

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_INTEGER, &v,
                         there);
    if (rc == HIE_OK && *there) {
        *out = v.integer;
    }

    return rc;
}


static hie_rc_t
boundary(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
         uint32_t base, bool high)
{
    bool           there;
    int64_t        digits = 0;
    hie_rc_t       rc;
    fp_item_t      v;
    hie_decimal_t  d;

    rc = hie_fp_single(run, n, base, &v, &there);
    run->top = base;
    if (rc == HIE_OK && there) {
        rc = digits_wanted(run, n, scope, v.kind, &digits, &there);
    }

    if (rc != HIE_OK || !there) {
        return rc;
    }

    switch (v.kind) {
    case HIE_FHIRPATH_INTEGER: case HIE_FHIRPATH_DECIMAL:
        d = v.kind == HIE_FHIRPATH_INTEGER ? hie_decimal_int(v.integer)
                                           : v.decimal;
        if (decimal_boundary(&d, high, digits, &d)) {
            hie_fp_set_decimal(run, base, &d);
        }

        return HIE_OK;

    case HIE_FHIRPATH_QUANTITY:
        if (decimal_boundary(&v.quantity->value, high, digits, &d)) {
            hie_fp_set_quantity(run, base, &d, v.quantity->unit,
                                v.quantity->calendar);
        }

        return HIE_OK;

    case HIE_FHIRPATH_DATE: case HIE_FHIRPATH_DATETIME:
    case HIE_FHIRPATH_TIME:
        if (time_boundary(&v.time, v.kind, high, digits)) {
            hie_fp_set_time(run, base, v.kind, &v.time);
        }

        return HIE_OK;

    default:
        return hie_fp_fail(run, n, HIE_INVALID, "a %s has no boundaries",
                           hie_fhirpath_type_name(&v));
    }
}


hie_rc_t
hie_fp_call_lowBoundary(fp_run_t *run, const fp_node_t *n,
                        const fp_scope_t *scope, uint32_t base)
{
    return boundary(run, n, scope, base, false);
}


hie_rc_t
hie_fp_call_highBoundary(fp_run_t *run, const fp_node_t *n,
                         const fp_scope_t *scope, uint32_t base)
{
    return boundary(run, n, scope, base, true);
}
