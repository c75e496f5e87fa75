/*
 * Values from one unit into another. Through a linear unit it is a fraction;
 * a special unit has a function f with value = f(m / u) / prefix, where m is
 * the quantity and u the unit in its definition (UCUM sections 21 and 22).
 */

#include "ucum/private.h"

#include <math.h>
#include <string.h>

#include <apr_strings.h>

/* What a double is good for. */
#define DOUBLE_DIGITS  15

#define PI  3.14159265358979323846


static hie_rc_t
out_of_range(hie_error_t *err)
{
    return hie_fail(err, HIE_INVALID, "",
                    "The quantity cannot be converted: the value is out of "
                    "range.");
}


bool
hie_ucum_comparable(const hie_ucum_unit_t *a, const hie_ucum_unit_t *b)
{
    int  i;

    if (memcmp(a->dimensions, b->dimensions, sizeof(a->dimensions)) != 0
        || a->n_arbitrary != b->n_arbitrary)
    {
        return false;
    }

    for (i = 0; i < a->n_arbitrary; i++) {
        if (a->arbitrary[i] != b->arbitrary[i]
            || a->exponents[i] != b->exponents[i])
        {
            return false;
        }
    }

    return true;
}


/* Zeros of temperature scales in their own degrees. */
static bool
offset(uint8_t function, hie_decimal_t *out)
{
    switch (function) {
    case HIE_UCUM_CEL:
        return hie_decimal_parse(HIE_STR("273.15"), out);
    case HIE_UCUM_DEGF:
        return hie_decimal_parse(HIE_STR("459.67"), out);
    case HIE_UCUM_DEGRE:
        return hie_decimal_parse(HIE_STR("218.52"), out);
    default:
        return false;
    }
}


static double
inverse(uint8_t function, double r)
{
    switch (function) {
    case HIE_UCUM_TAN100:
        return atan(r / 100);
    case HIE_UCUM_SLOPE:
        return atan(r / 100) * (180 / PI);
    case HIE_UCUM_LN:
        return exp(r);
    case HIE_UCUM_LG:
        return pow(10, r);
    case HIE_UCUM_LG2:
        return pow(10, r / 2);
    case HIE_UCUM_LD:
        return exp2(r);
    case HIE_UCUM_PH:
    case HIE_UCUM_HPX:
        return pow(10, -r);
    case HIE_UCUM_HPC:
        return pow(100, -r);
    case HIE_UCUM_HPM:
        return pow(1000, -r);
    case HIE_UCUM_HPQ:
        return pow(50000, -r);
    default:
        return NAN;
    }
}


/* NAN and infinities: there is no value for this. */
static double
forward(uint8_t function, double x)
{
    switch (function) {
    case HIE_UCUM_SQRT:
        return sqrt(x);
    case HIE_UCUM_TAN100:
        return tan(x) * 100;
    case HIE_UCUM_SLOPE:
        return tan(x * (PI / 180)) * 100;
    case HIE_UCUM_LN:
        return log(x);
    case HIE_UCUM_LG:
        return log10(x);
    case HIE_UCUM_LG2:
        return log10(x) * 2;
    case HIE_UCUM_LD:
        return log2(x);
    case HIE_UCUM_PH:
    case HIE_UCUM_HPX:
        return -log10(x);
    case HIE_UCUM_HPC:
        return -log10(x) / 2;
    case HIE_UCUM_HPM:
        return -log10(x) / 3;
    case HIE_UCUM_HPQ:
        return -log(x) / log(50000);
    default:
        return NAN;
    }
}


/* The number of units u that a value of a special unit is: f^-1. */
static bool
from_special(const hie_ucum_unit_t *unit, hie_decimal_t *v)
{
    hie_decimal_t  zero;
    double         x;

    if (!hie_decimal_mul(v, &unit->prefix, v)) {
        return false;
    }

    if (offset(unit->function, &zero)) {
        return hie_decimal_add(v, &zero, v);
    }

    if (unit->function == HIE_UCUM_SQRT) {
        return hie_decimal_mul(v, v, v);
    }

    x = inverse(unit->function, hie_decimal_to_double(v));

    /* no power is 0: it is too small for a double */
    if (x == 0 && unit->function != HIE_UCUM_TAN100
        && unit->function != HIE_UCUM_SLOPE)
    {
        return false;
    }

    return hie_decimal_from_double(x, DOUBLE_DIGITS, v);
}


static bool
to_special(const hie_ucum_unit_t *unit, hie_decimal_t *v)
{
    hie_decimal_t  zero;
    double         x;

    if (offset(unit->function, &zero)) {
        if (!hie_decimal_sub(v, &zero, v)) {
            return false;
        }

    } else {
        x = forward(unit->function, hie_decimal_to_double(v));

        if (!hie_decimal_from_double(x, DOUBLE_DIGITS, v)) {
            return false;
        }
    }

    return hie_decimal_div(v, &unit->prefix, v);
}


/* v * a / b / c * d, in an order that rounds once where it can. */
static bool
scale(hie_decimal_t *v, const hie_ucum_unit_t *from, const hie_ucum_unit_t *to)
{
    hie_decimal_t  above = from->numerator, below = from->denominator;

    if (to != NULL && (!hie_decimal_mul(&above, &to->denominator, &above)
                       || !hie_decimal_mul(&below, &to->numerator, &below)))
    {
        return false;
    }

    return hie_decimal_mul(v, &above, v) && hie_decimal_div(v, &below, v);
}


static bool
same(const hie_ucum_unit_t *a, const hie_ucum_unit_t *b)
{
    return a->function == b->function
           && hie_decimal_compare(&a->numerator, &b->numerator) == 0
           && hie_decimal_compare(&a->denominator, &b->denominator) == 0
           && hie_decimal_compare(&a->prefix, &b->prefix) == 0;
}


hie_rc_t
hie_ucum_convert(const hie_decimal_t *value, const hie_ucum_unit_t *from,
                 const hie_ucum_unit_t *to, hie_decimal_t *out,
                 hie_error_t *err)
{
    hie_decimal_t  v = *value;

    if (!hie_ucum_comparable(from, to)) {
        return hie_fail(err, HIE_INVALID, "",
                        "The quantity cannot be converted: the units are of "
                        "different kinds.");
    }

    if (same(from, to)) {
        *out = v;
        return HIE_OK;
    }

    if ((from->function != HIE_UCUM_LINEAR && !from_special(from, &v))
        || !scale(&v, from, to)
        || (to->function != HIE_UCUM_LINEAR && !to_special(to, &v)))
    {
        return out_of_range(err);
    }

    *out = v;

    return HIE_OK;
}


hie_rc_t
hie_ucum_to_canonical(const hie_decimal_t *value, const hie_ucum_unit_t *unit,
                      hie_decimal_t *out, hie_error_t *err)
{
    hie_decimal_t  v = *value;

    if ((unit->function != HIE_UCUM_LINEAR && !from_special(unit, &v))
        || !scale(&v, unit, NULL))
    {
        return out_of_range(err);
    }

    *out = hie_decimal_normalize(&v);

    return HIE_OK;
}


static void
add_power(hie_buf_t *b, const char *code, int exponent)
{
    if (exponent == 0) {
        return;
    }

    if (b->len > 0) {
        hie_buf_addc(b, '.');
    }

    hie_buf_addz(b, code);

    if (exponent != 1) {
        hie_buf_addf(b, "%d", exponent);
    }
}


hie_str_t
hie_ucum_canonical_unit(const hie_ucum_unit_t *unit, apr_pool_t *pool)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 32);

    for (i = 0; i < HIE_UCUM_DIMENSIONS; i++) {
        add_power(&b, hie_ucum_base[i], unit->dimensions[i]);
    }

    for (i = 0; i < unit->n_arbitrary; i++) {
        add_power(&b, hie_ucum_atoms[unit->arbitrary[i]].code,
                  unit->exponents[i]);
    }

    return b.len > 0 ? hie_buf_str(&b) : HIE_STR("1");
}


hie_rc_t
hie_ucum_canonicalize(const hie_decimal_t *value, hie_str_t code,
                      apr_pool_t *pool, hie_decimal_t *out, hie_str_t *unit,
                      hie_error_t *err)
{
    hie_ucum_unit_t  u;
    hie_rc_t         rc = hie_ucum_parse(code, &u, err);

    *unit = HIE_STR_NONE;

    if (rc == HIE_OK) {
        rc = hie_ucum_to_canonical(value, &u, out, err);
    }

    if (rc == HIE_OK) {
        *unit = hie_ucum_canonical_unit(&u, pool);
    }

    return rc;
}
