/*
 * Decimal numbers from text and as text. What depends on the locale of the
 * host (the point of strtod and printf) is not used.
 */

#include "base/decimal_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest text without an exponent. */
#define PLAIN_MAX  44

/* A greater exponent is out of range, whatever the coefficient has. */
#define EXPONENT_CAP  1000000000

typedef struct {
    hie_u128_t  coefficient;   /* the first 34 digits */
    int         digits;        /* of it, without zeros in front */
    int64_t     exponent;
    int         guard;         /* the 35th digit, or -1 */
    bool        sticky;        /* a digit other than 0 behind it */
    bool        any;           /* there was a digit */
} scan_t;


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static const char *
scan_digits(scan_t *s, const char *p, const char *end, bool fraction)
{
    for (; p < end && is_digit(*p); p++) {
        s->any = true;

        if (s->digits < HIE_DECIMAL_DIGITS) {
            s->coefficient = s->coefficient * 10 + (unsigned) (*p - '0');
            s->digits += s->coefficient != 0;
            s->exponent -= fraction;
            continue;
        }

        if (s->guard < 0) {
            s->guard = *p - '0';

        } else {
            s->sticky = s->sticky || *p != '0';
        }

        s->exponent += !fraction;
    }

    return p;
}


static bool
scan_exponent(scan_t *s, const char *p, const char *end)
{
    int64_t  e = 0;
    bool     negative = false;

    if (p < end && (*p == '+' || *p == '-')) {
        negative = *p++ == '-';
    }

    if (p == end) {
        return false;
    }

    for (; p < end; p++) {
        if (!is_digit(*p)) {
            return false;
        }

        e = e < EXPONENT_CAP ? e * 10 + (*p - '0') : e;
    }

    s->exponent += negative ? -e : e;

    return true;
}


bool
hie_decimal_parse(hie_str_t lexeme, hie_decimal_t *out)
{
    const char  *p = lexeme.ptr, *end;
    scan_t       s = { .guard = -1 };
    bool         negative = false;

    if (lexeme.len == 0) {
        return false;
    }

    end = p + lexeme.len;

    if (*p == '+' || *p == '-') {
        negative = *p++ == '-';
    }

    p = scan_digits(&s, p, end, false);

    if (!s.any) {
        return false;
    }

    if (p < end && *p == '.') {
        s.any = false;
        p = scan_digits(&s, p + 1, end, true);

        if (!s.any) {
            return false;
        }
    }

    if (p < end && ((*p != 'e' && *p != 'E')
                    || !scan_exponent(&s, p + 1, end)))
    {
        return false;
    }

    if (s.guard > 5 || (s.guard == 5 && (s.sticky
                                         || (s.coefficient & 1) != 0)))
    {
        s.coefficient++;
    }

    return hie_decimal_make(s.coefficient, s.exponent, negative, out);
}


/* The digits of the coefficient, not terminated; returns how many. */
static int
put_digits(const hie_decimal_t *a, char digits[HIE_DECIMAL_DIGITS + 1])
{
    hie_u128_t  c = hie_decimal_coefficient(a);
    int         n = hie_decimal_digits(a), i;

    for (i = n - 1; i >= 0; i--) {
        digits[i] = (char) ('0' + (int) (c % 10));
        c /= 10;
    }

    return n;
}


static char *
put(char *w, const char *p, int n)
{
    memcpy(w, p, (size_t) n);

    return w + n;
}


static char *
put_zeros(char *w, int n)
{
    memset(w, '0', (size_t) n);

    return w + n;
}


static char *
print_plain(char *w, const char *digits, int n, int exponent)
{
    int  whole = n + exponent;        /* digits before the point */

    if (exponent >= 0) {
        w = put(w, digits, n);
        return put_zeros(w, exponent);
    }

    if (whole <= 0) {
        w = put(w, "0.", 2);
        w = put_zeros(w, -whole);
        return put(w, digits, n);
    }

    w = put(w, digits, whole);
    *w++ = '.';

    return put(w, digits + whole, n - whole);
}


static char *
print_scientific(char *w, const char *digits, int n, int exponent)
{
    *w++ = digits[0];

    if (n > 1) {
        *w++ = '.';
        w = put(w, digits + 1, n - 1);
    }

    return w + snprintf(w, 8, "e%d", exponent + n - 1);
}


size_t
hie_decimal_print(const hie_decimal_t *a, char out[HIE_DECIMAL_TEXT_MAX])
{
    char  digits[HIE_DECIMAL_DIGITS + 1], *w = out;
    int   n = put_digits(a, digits), exponent = a->exponent, len;

    if (hie_decimal_is_zero(a) && exponent > 0) {
        exponent = 0;
    }

    if (exponent >= 0) {
        len = n + exponent;

    } else {
        len = n > -exponent ? n + 1 : 2 - exponent;
    }

    if (a->negative) {
        *w++ = '-';
    }

    if (len + a->negative <= PLAIN_MAX) {
        w = print_plain(w, digits, n, exponent);

    } else {
        w = print_scientific(w, digits, n, exponent);
    }

    *w = '\0';

    return (size_t) (w - out);
}


hie_str_t
hie_decimal_format(apr_pool_t *pool, const hie_decimal_t *a)
{
    char    text[HIE_DECIMAL_TEXT_MAX];
    size_t  len = hie_decimal_print(a, text);

    return hie_str_dup(pool, (hie_str_t) { text, len });
}


/* All numbers below 2^53 and these are doubles, and the result of one operation
 * on two doubles is the one nearest to the true one. */
static const double  exact_powers[] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
    1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};


double
hie_decimal_to_double(const hie_decimal_t *a)
{
    char    text[HIE_DECIMAL_TEXT_MAX];
    int     n;
    double  v;

    if (a->high == 0 && a->low < UINT64_C(1) << 53 && a->exponent >= -22
        && a->exponent <= 22)
    {
        v = (double) a->low;
        v = a->exponent < 0 ? v / exact_powers[-a->exponent]
                            : v * exact_powers[a->exponent];
        return a->negative ? -v : v;
    }

    n = put_digits(a, text);
    snprintf(text + n, sizeof(text) - (size_t) n, "e%d", (int) a->exponent);

    return a->negative ? -strtod(text, NULL) : strtod(text, NULL);
}


bool
hie_decimal_from_double(double v, int digits, hie_decimal_t *out)
{
    char    text[64], *e, *r, *w;
    scan_t  s = { .guard = -1 };

    if (!isfinite(v) || digits < 1 || digits > 17) {
        return false;
    }

    snprintf(text, sizeof(text), "%.*e", digits - 1, fabs(v));
    e = strchr(text, 'e');

    for (r = w = text; r < e; r++) {
        if (is_digit(*r)) {
            *w++ = *r;
        }
    }

    scan_digits(&s, text, w, false);

    if (!scan_exponent(&s, e + 1, e + strlen(e))
        || !hie_decimal_make(s.coefficient, s.exponent - (digits - 1), v < 0,
                             out))
    {
        return false;
    }

    *out = hie_decimal_normalize(out);

    return true;
}
