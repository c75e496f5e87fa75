/*
 * Decimal arithmetic. Debian 12 has no decimal library in C, compilers differ
 * on _Decimal128, and a bignum would allocate: a coefficient of 34 digits fits
 * into 128 bits, which both compilers have.
 */

#include "base/decimal_private.h"

#include <string.h>

#define DIGITS  HIE_DECIMAL_DIGITS

/* high * 10^34 + low, low < 10^34 */
typedef struct {
    hie_u128_t  high;
    hie_u128_t  low;
    bool        sticky;         /* and something below its last digit */
} wide_t;


hie_u128_t
hie_decimal_pow10(int n)
{
    static const uint64_t  small[] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL,
        10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL,
        100000000000ULL, 1000000000000ULL, 10000000000000ULL,
        100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL,
        100000000000000000ULL, 1000000000000000000ULL,
        10000000000000000000ULL
    };

    return n < 20 ? small[n] : (hie_u128_t) small[19] * small[n - 19];
}


hie_u128_t
hie_decimal_coefficient(const hie_decimal_t *a)
{
    return (hie_u128_t) a->high << 64 | a->low;
}


/* 0 has one digit. */
static int
count_digits(hie_u128_t c)
{
    int  n = 1;

    if (c >= hie_decimal_pow10(19)) {
        n = 20;
    }

    while (n < 39 && c >= hie_decimal_pow10(n)) {
        n++;
    }

    return n;
}


/* A number is in range if its first digit is; then its last one is too. */
bool
hie_decimal_make(hie_u128_t c, int64_t exponent, bool negative,
                 hie_decimal_t *out)
{
    int64_t  first;

    if (c == hie_decimal_pow10(DIGITS)) {
        c = hie_decimal_pow10(DIGITS - 1);
        exponent++;
    }

    if (c == 0) {
        negative = false;
        exponent = exponent > HIE_DECIMAL_EMAX ? HIE_DECIMAL_EMAX : exponent;
        exponent = exponent < HIE_DECIMAL_ETINY ? HIE_DECIMAL_ETINY : exponent;

    } else {
        first = exponent + count_digits(c) - 1;

        if (first > HIE_DECIMAL_EMAX || first < HIE_DECIMAL_EMIN) {
            return false;
        }
    }

    memset(out, 0, sizeof(*out));
    out->high = (uint64_t) (c >> 64);
    out->low = (uint64_t) c;
    out->exponent = (int32_t) exponent;
    out->negative = negative;

    return true;
}


/* The quotient q of a division by `divisor` with a remainder, half to even. */
static hie_u128_t
round_half_even(hie_u128_t q, hie_u128_t rest, hie_u128_t divisor, bool sticky)
{
    hie_u128_t  other = divisor - rest;

    if (rest > other || (rest == other && (sticky || (q & 1) != 0))) {
        return q + 1;
    }

    return q;
}


static bool
make_wide(const wide_t *w, int64_t exponent, bool negative, hie_decimal_t *out)
{
    hie_u128_t  c, below;
    int         drop;

    /* without a high part nothing was cut off: see add_magnitudes */
    if (w->high == 0) {
        return hie_decimal_make(w->low, exponent, negative, out);
    }

    drop = count_digits(w->high);
    below = hie_decimal_pow10(drop);
    c = w->high * hie_decimal_pow10(DIGITS - drop) + w->low / below;
    c = round_half_even(c, w->low % below, below, w->sticky);

    return hie_decimal_make(c, exponent + drop, negative, out);
}


/* Both factors at most 10^34, as halves of 17 digits. */
static wide_t
multiply(hie_u128_t a, hie_u128_t b)
{
    hie_u128_t  half = hie_decimal_pow10(17), full = hie_decimal_pow10(34);
    hie_u128_t  a1 = a / half, a0 = a % half, b1 = b / half, b0 = b % half;
    hie_u128_t  middle = a1 * b0 + a0 * b1;
    hie_u128_t  low = a0 * b0 + middle % half * half;
    wide_t      w = { 0, 0, false };

    w.high = a1 * b1 + middle / half + low / full;
    w.low = low % full;

    return w;
}


int
hie_decimal_digits(const hie_decimal_t *a)
{
    return count_digits(hie_decimal_coefficient(a));
}


int
hie_decimal_scale(const hie_decimal_t *a)
{
    return a->exponent < 0 ? -a->exponent : 0;
}


bool
hie_decimal_is_zero(const hie_decimal_t *a)
{
    return a->high == 0 && a->low == 0;
}


hie_decimal_t
hie_decimal_int(int64_t v)
{
    hie_decimal_t  d;
    uint64_t       magnitude = v < 0 ? 0 - (uint64_t) v : (uint64_t) v;

    (void) hie_decimal_make(magnitude, 0, v < 0, &d);

    return d;
}


bool
hie_decimal_to_int(const hie_decimal_t *a, int64_t *out)
{
    hie_decimal_t  whole = hie_decimal_normalize(a);
    hie_u128_t     c = hie_decimal_coefficient(&whole);
    uint64_t       limit = (uint64_t) INT64_MAX + (whole.negative ? 1 : 0);

    if (whole.exponent < 0 || whole.exponent > 18) {
        return false;
    }

    if (c > limit || c * hie_decimal_pow10(whole.exponent) > limit) {
        return false;
    }

    c *= hie_decimal_pow10(whole.exponent);
    *out = whole.negative ? (int64_t) (0 - (uint64_t) c) : (int64_t) c;

    return true;
}


/* Two numbers other than 0, without their signs. */
static int
compare_magnitudes(const hie_decimal_t *a, const hie_decimal_t *b)
{
    hie_u128_t  ca = hie_decimal_coefficient(a);
    hie_u128_t  cb = hie_decimal_coefficient(b);
    int         first_a = a->exponent + count_digits(ca);
    int         first_b = b->exponent + count_digits(cb);

    if (first_a != first_b) {
        return first_a < first_b ? -1 : 1;
    }

    /* the shorter coefficient gets the digits of the longer one */
    if (a->exponent > b->exponent) {
        ca *= hie_decimal_pow10(a->exponent - b->exponent);

    } else {
        cb *= hie_decimal_pow10(b->exponent - a->exponent);
    }

    return (ca > cb) - (ca < cb);
}


int
hie_decimal_compare(const hie_decimal_t *a, const hie_decimal_t *b)
{
    bool  za = hie_decimal_is_zero(a), zb = hie_decimal_is_zero(b);

    if (za || zb) {
        if (za && zb) {
            return 0;
        }

        return za ? (b->negative ? 1 : -1) : (a->negative ? -1 : 1);
    }

    if (a->negative != b->negative) {
        return a->negative ? -1 : 1;
    }

    return a->negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}


/* a + b or a - b of magnitudes, a not less than b. What is below the last
 * digit is `sticky`; of a difference it has to be taken away. */
static wide_t
add_wide(wide_t a, wide_t b, bool subtract)
{
    hie_u128_t  full = hie_decimal_pow10(DIGITS);

    if (!subtract) {
        a.low += b.low;
        a.high += b.high + a.low / full;
        a.low %= full;

    } else {
        b.low += b.sticky ? 1 : 0;

        if (a.low < b.low) {
            a.low += full;
            a.high--;
        }

        a.low -= b.low;
        a.high -= b.high;
    }

    a.sticky = b.sticky;

    return a;
}


/* `big` has the greater exponent. It is filled up with zeros, at first to 34
 * digits and then to 68: if even that does not reach the last digit of
 * `small`, digits of it are cut off that lie 33 digits and more below what
 * stays, also after a difference. */
static bool
add_aligned(const hie_decimal_t *big, const hie_decimal_t *small,
            bool subtract, hie_decimal_t *out)
{
    hie_u128_t  cb = hie_decimal_coefficient(big);
    hie_u128_t  cs = hie_decimal_coefficient(small);
    int64_t     shift = (int64_t) big->exponent - small->exponent;
    int64_t     exponent = big->exponent;
    int         fill = DIGITS - count_digits(cb);
    wide_t      a, b = { 0, cs, false }, sum;

    fill = fill > shift ? (int) shift : fill;
    cb *= hie_decimal_pow10(fill);
    exponent -= fill;
    shift -= fill;
    fill = shift > DIGITS ? DIGITS : (int) shift;
    a = multiply(cb, hie_decimal_pow10(fill));
    exponent -= fill;
    shift -= fill;

    if (shift > 0) {
        b.low = shift < DIGITS ? cs / hie_decimal_pow10((int) shift) : 0;
        b.sticky = shift >= DIGITS
                   || cs % hie_decimal_pow10((int) shift) != 0;
    }

    if (a.high > 0 || a.low >= b.low) {
        sum = add_wide(a, b, subtract);
        return make_wide(&sum, exponent, big->negative, out);
    }

    sum = add_wide(b, a, subtract);

    return make_wide(&sum, exponent, subtract != big->negative, out);
}


/* A zero has no digits, but a scale: 1 + 0.00 is 1.00. */
static bool
add_zero(const hie_decimal_t *a, int32_t scale_of_zero, hie_decimal_t *out)
{
    hie_u128_t  c = hie_decimal_coefficient(a);
    int         fill = a->exponent - scale_of_zero;

    if (fill <= 0) {
        *out = *a;
        return true;
    }

    fill = fill > DIGITS - count_digits(c) ? DIGITS - count_digits(c) : fill;

    return hie_decimal_make(c * hie_decimal_pow10(fill), a->exponent - fill,
                            a->negative, out);
}


static bool
add_signed(const hie_decimal_t *a, const hie_decimal_t *b, bool negate,
           hie_decimal_t *out)
{
    hie_decimal_t  other = *b;
    bool           subtract;

    other.negative = b->negative != negate && !hie_decimal_is_zero(b);
    subtract = a->negative != other.negative;

    if (hie_decimal_is_zero(a) && hie_decimal_is_zero(b)) {
        return hie_decimal_make(0, a->exponent < b->exponent ? a->exponent
                                                             : b->exponent,
                                false, out);
    }

    if (hie_decimal_is_zero(a)) {
        return add_zero(&other, a->exponent, out);
    }

    if (hie_decimal_is_zero(b)) {
        return add_zero(a, b->exponent, out);
    }

    if (a->exponent >= other.exponent) {
        return add_aligned(a, &other, subtract, out);
    }

    return add_aligned(&other, a, subtract, out);
}


bool
hie_decimal_add(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out)
{
    return add_signed(a, b, false, out);
}


bool
hie_decimal_sub(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out)
{
    return add_signed(a, b, true, out);
}


bool
hie_decimal_mul(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out)
{
    wide_t  w = multiply(hie_decimal_coefficient(a),
                         hie_decimal_coefficient(b));

    return make_wide(&w, (int64_t) a->exponent + b->exponent,
                     a->negative != b->negative, out);
}


bool
hie_decimal_div(const hie_decimal_t *a, const hie_decimal_t *b,
                hie_decimal_t *out)
{
    hie_u128_t  divisor = hie_decimal_coefficient(b), q, rest;
    int64_t     exponent = (int64_t) a->exponent - b->exponent;

    if (divisor == 0) {
        return false;
    }

    q = hie_decimal_coefficient(a) / divisor;
    rest = hie_decimal_coefficient(a) % divisor;

    while (rest != 0 && q < hie_decimal_pow10(DIGITS - 1)) {
        rest *= 10;
        q = q * 10 + rest / divisor;
        rest %= divisor;
        exponent--;
    }

    return hie_decimal_make(round_half_even(q, rest, divisor, false), exponent,
                            a->negative != b->negative, out);
}


static bool
divide_whole(const hie_decimal_t *a, const hie_decimal_t *b, hie_u128_t *q,
             hie_u128_t *rest)
{
    hie_u128_t  dividend = hie_decimal_coefficient(a);
    hie_u128_t  divisor = hie_decimal_coefficient(b);
    int         shift = a->exponent - b->exponent;

    /* it is not greater than the dividend: at most 34 digits */
    if (shift < 0) {
        divisor *= hie_decimal_pow10(-shift);
    }

    *q = dividend / divisor;
    *rest = dividend % divisor;

    for (; shift > 0; shift--) {
        *rest *= 10;
        *q = *q * 10 + *rest / divisor;
        *rest %= divisor;

        if (*q >= hie_decimal_pow10(DIGITS)) {
            return false;
        }
    }

    return true;
}


bool
hie_decimal_divmod(const hie_decimal_t *a, const hie_decimal_t *b,
                   hie_decimal_t *quotient, hie_decimal_t *rest)
{
    hie_decimal_t  whole = hie_decimal_int(0), left = *a;
    hie_u128_t     q, r;

    if (hie_decimal_is_zero(b)) {
        return false;
    }

    if (!hie_decimal_is_zero(a) && compare_magnitudes(a, b) >= 0) {
        if (!divide_whole(a, b, &q, &r)
            || !hie_decimal_make(q, 0, a->negative != b->negative, &whole)
            || !hie_decimal_make(r, a->exponent < b->exponent ? a->exponent
                                                              : b->exponent,
                                 a->negative, &left))
        {
            return false;
        }
    }

    if (quotient != NULL) {
        *quotient = whole;
    }

    if (rest != NULL) {
        *rest = left;
    }

    return true;
}


/* Whether what is cut off makes the last digit that stays one more. */
static bool
round_up(hie_round_t mode, bool negative, bool odd, bool some, int half)
{
    switch (mode) {
    case HIE_ROUND_HALF_EVEN:
        return half > 0 || (half == 0 && odd);
    case HIE_ROUND_HALF_UP:
        return half >= 0;
    case HIE_ROUND_FLOOR:
        return some && negative;
    case HIE_ROUND_CEILING:
        return some && !negative;
    default:
        return false;
    }
}


hie_decimal_t
hie_decimal_round(const hie_decimal_t *a, int scale, hie_round_t mode)
{
    hie_u128_t     c = hie_decimal_coefficient(a), q = 0, rest = c, unit;
    hie_decimal_t  out = *a;
    int            drop = -scale - a->exponent, half = -1;

    if (drop <= 0) {
        return out;
    }

    if (drop <= DIGITS) {
        unit = hie_decimal_pow10(drop);
        q = c / unit;
        rest = c % unit;
        half = (rest > unit - rest) - (rest < unit - rest);
    }

    if (round_up(mode, a->negative, (q & 1) != 0, rest != 0, half)) {
        q++;
    }

    (void) hie_decimal_make(q, -scale, a->negative, &out);

    return out;
}


hie_decimal_t
hie_decimal_normalize(const hie_decimal_t *a)
{
    hie_u128_t     c = hie_decimal_coefficient(a);
    int64_t        exponent = a->exponent;
    hie_decimal_t  out = *a;

    if (c == 0) {
        exponent = 0;
    }

    while (c != 0 && c % 10 == 0) {
        c /= 10;
        exponent++;
    }

    (void) hie_decimal_make(c, exponent, a->negative, &out);

    return out;
}
