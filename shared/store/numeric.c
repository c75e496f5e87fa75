/*
 * Decimal numbers as PostgreSQL's numeric in its binary format (numeric_recv):
 * digits to the base 10,000, the weight of the first of them, the sign, and
 * how many decimal digits are shown after the point.
 */

#include "store/private.h"

#include <stdio.h>

#include <endian.h>
#include <string.h>


#define BASE          10000
#define BASE_DIGITS   4
#define DIGITS_MAX    10     /* of 34 decimal digits, with three zeros more */

#define POSITIVE      0x0000
#define NEGATIVE      0x4000
#define INFINITE      0xd000
#define NEG_INFINITE  0xf000

typedef unsigned __int128  u128_t;


static char *
put_u16(char *at, int v)
{
    uint16_t  be = htobe16((uint16_t) v);

    memcpy(at, &be, sizeof(be));
    return at + sizeof(be);
}


static size_t
put_numeric(char *out, int weight, int sign, int scale, const int *digits,
            int n)
{
    char  *at = out;

    at = put_u16(at, n);
    at = put_u16(at, weight);
    at = put_u16(at, sign);
    at = put_u16(at, scale);
    while (n > 0) {
        at = put_u16(at, digits[--n]);
    }
    return (size_t) (at - out);
}


size_t
hie_numeric(const hie_decimal_t *v, char out[HIE_NUMERIC_MAX])
{
    u128_t  c = (u128_t) v->high << 64 | v->low;
    int     exponent = v->exponent;
    int     digits[DIGITS_MAX];
    int     n = 0;

    if (c == 0) {
        return put_numeric(out, 0, POSITIVE, exponent < 0 ? -exponent : 0,
                           NULL, 0);
    }

    for ( ; exponent % BASE_DIGITS != 0; exponent--) {
        c *= 10;
    }
    for ( ; c > 0; c /= BASE) {
        digits[n++] = (int) (c % BASE);
    }
    return put_numeric(out, n - 1 + exponent / BASE_DIGITS,
                       v->negative ? NEGATIVE : POSITIVE,
                       v->exponent < 0 ? -v->exponent : 0, digits, n);
}


size_t
hie_numeric_infinity(bool negative, char out[HIE_NUMERIC_MAX])
{
    return put_numeric(out, 0, negative ? NEG_INFINITE : INFINITE, 0, NULL,
                       0);
}


void
hie_array_numeric(hie_array_t *a, const hie_decimal_t *v)
{
    char    bytes[HIE_NUMERIC_MAX];
    size_t  n = hie_numeric(v, bytes);

    hie_array_str(a, (hie_str_t) { bytes, n });
}


void
hie_array_infinity(hie_array_t *a, bool negative)
{
    char    bytes[HIE_NUMERIC_MAX];
    size_t  n = hie_numeric_infinity(negative, bytes);

    hie_array_str(a, (hie_str_t) { bytes, n });
}


/* Not by APR's formats: these are not exact to the last digit. */
hie_str_t
hie_double_text(apr_pool_t *pool, double v)
{
    char  text[32];

    snprintf(text, sizeof(text), "%.17g", v);
    return hie_str_dup(pool, hie_str(text));
}
