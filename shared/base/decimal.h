/*
 * Decimal numbers, exact to 34 digits, as FHIR, FHIRPath and UCUM need them:
 * 1.50 is not 1.5 and 0.1 is not a fraction of two. Values on the caller's
 * stack or wherever he puts them; nothing is allocated, nothing is global.
 * Pure.
 */

#ifndef HIE_DECIMAL_H
#define HIE_DECIMAL_H

#include "base/base.h"

/* Significant digits and the range of exponents are those of decimal128
 * (IEEE 754-2019 section 3.6). */
#define HIE_DECIMAL_DIGITS  34
#define HIE_DECIMAL_EMAX    6144      /* of the first digit, and of the last
                                         one downwards, with the digits */

/* (-1)^negative * (high * 2^64 + low) * 10^exponent. The coefficient has at
 * most 34 digits, so the exponent says how precise the number is: 1.50 is
 * 150 * 10^-2. All bytes 0 is the number 0. */
typedef struct {
    uint64_t  high;
    uint64_t  low;
    int32_t   exponent;
    bool      negative;
} hie_decimal_t;

/* [+-]digits[.digits][(e|E)[+-]digits]. Digits beyond the 34th are rounded
 * (half to even). False: not of this shape, or out of range. */
bool
hie_decimal_parse(hie_str_t lexeme, hie_decimal_t *out);
hie_decimal_t
hie_decimal_int(int64_t v);
/* False if it is no whole number or does not fit. 2.0 is whole. */
bool
hie_decimal_to_int(const hie_decimal_t *a, int64_t *out);
double
hie_decimal_to_double(const hie_decimal_t *a);
/* With so many significant digits (1 … 17), trailing zeros cut off. False for
 * an infinity and for what is no number. */
bool
hie_decimal_from_double(double v, int digits, hie_decimal_t *out);

/* Digits after the point as written: 2 for 1.50 and for 1.5e-1, 0 for 15e3. */
int
hie_decimal_scale(const hie_decimal_t *a);
/* Digits of the coefficient: 3 for 1.50, 1 for 0. */
int
hie_decimal_digits(const hie_decimal_t *a);
bool
hie_decimal_is_zero(const hie_decimal_t *a);
/* By value: 1.50 equals 1.5. Exact. -1, 0, 1. */
int
hie_decimal_compare(const hie_decimal_t *a, const hie_decimal_t *b);

/* `out` may be `a` or `b`. A sum has the finer scale of the two, a product
 * the sum of the scales, a quotient as many digits as it needs, all within 34
 * digits, rounded half to even. False, and `out` as it was: the result is out
 * of range, or the divisor 0. */
bool
hie_decimal_add(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out);
bool
hie_decimal_sub(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out);
bool
hie_decimal_mul(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out);
bool
hie_decimal_div(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out);
/* a = quotient * b + rest, the quotient whole and truncated towards 0, the
 * rest with the sign of `a`. Exact. False too if the quotient has more than
 * 34 digits. Either may be NULL. */
bool
hie_decimal_divmod(const hie_decimal_t *a, const hie_decimal_t *b,
                   hie_decimal_t *quotient, hie_decimal_t *rest);

typedef enum {
    HIE_ROUND_HALF_EVEN = 1,
    HIE_ROUND_HALF_UP,               /* a half away from 0 */
    HIE_ROUND_DOWN,                  /* towards 0: truncate */
    HIE_ROUND_FLOOR,
    HIE_ROUND_CEILING
} hie_round_t;

/* To `scale` (0 or more) digits after the point; a number that has not as
 * many stays as it is. */
hie_decimal_t
hie_decimal_round(const hie_decimal_t *a, int scale, hie_round_t mode);
/* The same value without zeros at the end: 1.50 to 1.5, 100 to 1e2, any zero
 * to 0. Equal values become equal bytes. */
hie_decimal_t
hie_decimal_normalize(const hie_decimal_t *a);

/* Digits with a point where there is one, zeros at the end kept, no exponent
 * unless the text would be longer than 44 characters; then as in 1.5e-60.
 * Terminated; returns the length. */
#define HIE_DECIMAL_TEXT_MAX  48
size_t
hie_decimal_print(const hie_decimal_t *a, char out[HIE_DECIMAL_TEXT_MAX]);
hie_str_t
hie_decimal_format(apr_pool_t *pool, const hie_decimal_t *a);

#endif
