/*
 * Quantities: units of UCUM, and durations of the calendar, which are not
 * those of UCUM above the week (N1 section 4.1.8).
 */

#include "fhirpath/private.h"
#include "ucum/ucum.h"

static const struct {
    const char  *name;
    const char  *ucum;         /* of the same length, or nearly */
    bool         definite;     /* of the same length */
    uint32_t     times;        /* months, or milliseconds */
} durations[] = {
    { "year", "a", false, 12 },
    { "month", "mo", false, 1 },
    { "week", "wk", true, 604800000 },
    { "day", "d", true, 86400000 },
    { "hour", "h", true, 3600000 },
    { "minute", "min", true, 60000 },
    { "second", "s", true, 1000 },
    { "millisecond", "ms", true, 1 }
};

#define N_DURATIONS  (sizeof(durations) / sizeof(durations[0]))


/* "days" and "day"; `unit` is the singular, static. */
bool
hie_fp_calendar_unit(hie_str_t text, hie_str_t *unit)
{
    size_t     i;
    hie_str_t  one = text;

    if (one.len > 0 && one.ptr[one.len - 1] == 's') {
        one.len--;
    }

    for (i = 0; i < N_DURATIONS; i++) {
        if (hie_str_eqz(one, durations[i].name)) {
            *unit = hie_str(durations[i].name);
            return true;
        }
    }

    return false;
}


static size_t
duration(const hie_fhirpath_quantity_t *q)
{
    size_t  i;

    for (i = 0; i < N_DURATIONS; i++) {
        if (q->calendar && hie_str_eqz(q->unit, durations[i].name)) {
            return i;
        }
    }

    return N_DURATIONS;
}


/* [+-]digits[.digits] then nothing, 'unit' or a duration (N1 section 5.5). */
bool
hie_fp_quantity_parse(hie_str_t text, hie_fhirpath_quantity_t *out)
{
    size_t     i = 0, start;
    hie_str_t  number, rest;

    memset(out, 0, sizeof(*out));
    i += text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-');
    start = i;
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') {
        i++;
    }

    if (i > start && i + 1 < text.len && text.ptr[i] == '.'
        && text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9')
    {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
             i++)
        {
            continue;
        }
    }

    number.ptr = text.ptr;
    number.len = i;
    rest.ptr = text.ptr + i;
    rest.len = text.len - i;
    if (i == start || !hie_decimal_parse(number, &out->value)) {
        return false;
    }

    out->unit = HIE_STR("1");
    if (rest.len == 0) {
        return true;
    }

    rest = hie_str_trim(rest);
    if (rest.len > 2 && rest.ptr[0] == '\''
        && rest.ptr[rest.len - 1] == '\'')
    {
        out->unit.ptr = rest.ptr + 1;
        out->unit.len = rest.len - 2;
        return true;
    }

    out->calendar = true;
    return hie_fp_calendar_unit(rest, &out->unit);
}


static bool
times(const hie_decimal_t *v, uint32_t n, hie_decimal_t *out)
{
    hie_decimal_t  factor = hie_decimal_int(n);

    return hie_decimal_mul(v, &factor, out);
}


static bool
convert_ucum(const hie_fhirpath_quantity_t *q, hie_str_t to,
             hie_decimal_t *out)
{
    hie_ucum_unit_t  a, b;

    if (hie_str_eq(q->unit, to)) {
        *out = q->value;
        return true;
    }

    return hie_ucum_parse(q->unit, &a, NULL) == HIE_OK
           && hie_ucum_parse(to, &b, NULL) == HIE_OK
           && hie_ucum_comparable(&a, &b)
           && hie_ucum_convert(&q->value, &a, &b, out, NULL) == HIE_OK;
}


/* `q` in the unit of `like`. False: that cannot be said. */
static bool
convert(const hie_fhirpath_quantity_t *q, const hie_fhirpath_quantity_t *like,
        hie_decimal_t *out)
{
    size_t                   i, k;
    hie_decimal_t            n, by;
    hie_fhirpath_quantity_t  plain;

    if (q->calendar == like->calendar) {
        if (!q->calendar) {
            return convert_ucum(q, like->unit, out);
        }

        i = duration(q);
        k = duration(like);
        if (i == N_DURATIONS || k == N_DURATIONS
            || durations[i].definite != durations[k].definite)
        {
            return false;
        }

        by = hie_decimal_int(durations[k].times);
        return times(&q->value, durations[i].times, &n)
               && hie_decimal_div(&n, &by, out);
    }

    i = duration(q->calendar ? q : like);
    if (i == N_DURATIONS || !durations[i].definite) {
        return false;
    }

    plain = *q;
    plain.calendar = false;
    if (q->calendar) {
        plain.unit = hie_str(durations[i].ucum);
        return convert_ucum(&plain, like->unit, out);
    }

    return convert_ucum(&plain, hie_str(durations[i].ucum), out);
}


int
hie_fp_quantity_compare(const hie_fhirpath_quantity_t *a,
                        const hie_fhirpath_quantity_t *b, bool *known)
{
    hie_decimal_t  v;

    *known = convert(b, a, &v);
    return *known ? hie_decimal_compare(&a->value, &v) : 0;
}


/* A year is equivalent to 'a', a month to 'mo' (N1 section 6.1.2). */
bool
hie_fp_quantity_equivalent(const hie_fhirpath_quantity_t *a,
                           const hie_fhirpath_quantity_t *b)
{
    int                      order;
    bool                     known;
    size_t                   i;
    hie_fhirpath_quantity_t  x = *a, y = *b;

    if (x.calendar != y.calendar) {
        i = duration(x.calendar ? &x : &y);
        if (i == N_DURATIONS) {
            return false;
        }

        if (x.calendar) {
            x.unit = hie_str(durations[i].ucum);
        } else {
            y.unit = hie_str(durations[i].ucum);
        }

        x.calendar = false;
        y.calendar = false;
    }

    order = hie_fp_quantity_compare(&x, &y, &known);
    return known && order == 0;
}


bool
hie_fp_quantity_convert(const hie_fhirpath_quantity_t *q, hie_str_t unit,
                        hie_fhirpath_quantity_t *out)
{
    hie_fhirpath_quantity_t  like = { .unit = unit };

    like.calendar = hie_fp_calendar_unit(unit, &like.unit);
    *out = like;
    return convert(q, &like, &out->value);
}


/* In the unit of the left one. */
bool
hie_fp_quantity_add(const hie_fhirpath_quantity_t *a,
                    const hie_fhirpath_quantity_t *b, bool negative,
                    hie_decimal_t *out)
{
    hie_decimal_t  v;

    if (!convert(b, a, &v)) {
        return false;
    }

    return negative ? hie_decimal_sub(&a->value, &v, out)
                    : hie_decimal_add(&a->value, &v, out);
}


/* The unit of a product or quotient, as UCUM writes it. Durations of the
 * calendar have none. */
bool
hie_fp_quantity_unit(apr_pool_t *pool, const hie_fhirpath_quantity_t *a,
                     const hie_fhirpath_quantity_t *b, bool divide,
                     hie_str_t *out)
{
    hie_buf_t        buf;
    hie_ucum_unit_t  unit;

    if (a->calendar || b->calendar) {
        return false;
    }

    if (hie_str_eqz(b->unit, "1")) {
        *out = a->unit;
        return true;
    }

    if (divide && hie_str_eq(a->unit, b->unit)) {
        *out = HIE_STR("1");
        return true;
    }

    if (!divide && hie_str_eqz(a->unit, "1")) {
        *out = b->unit;
        return true;
    }

    hie_buf_init(&buf, pool, a->unit.len + b->unit.len + 5);
    hie_buf_addf(&buf, "%.*s%c(%.*s)", HIE_PRISTR(a->unit),
                 divide ? '/' : '.', HIE_PRISTR(b->unit));
    *out = hie_buf_str(&buf);
    return hie_ucum_parse(*out, &unit, NULL) == HIE_OK;
}
