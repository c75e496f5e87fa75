/*
 * Dates and times with what is known of them (N1 sections 4.1.5 to 4.1.7,
 * 6.1, 6.2, 6.7).
 */

#include <stdio.h>

#include "fhirpath/private.h"

#define NANOS         UINT32_C(1000000000)
#define DAY_SECONDS   INT64_C(86400)

/* No place on earth is further from UTC. */
#define ZONE_MAX      (14 * 60)


int
hie_fp_month_days(int year, int month)
{
    static const uint8_t  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
           ? 29 : days[month - 1];
}


/* Days since 0000-03-01 in the proleptic Gregorian calendar. */
static int64_t
day_number(int year, int month, int day)
{
    int64_t  y = month < 3 ? year - 1 : year;
    int64_t  m = (month + 9) % 12;

    return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1;
}


static bool
set_day_number(fp_time_t *t, int64_t n)
{
    int64_t  y, rest, m;

    y = (10000 * n + 14780) / 3652425;
    rest = n - (365 * y + y / 4 - y / 100 + y / 400);
    if (rest < 0) {
        y--;
        rest = n - (365 * y + y / 4 - y / 100 + y / 400);
    }

    m = (100 * rest + 52) / 3060;
    t->month = (uint8_t) ((m + 2) % 12 + 1);
    y += (m + 2) / 12;
    t->day = (uint8_t) (rest - (m * 306 + 5) / 10 + 1);
    t->year = (int16_t) y;
    return y >= 1 && y <= 9999;
}


static int64_t
seconds_of(const fp_time_t *t)
{
    return day_number(t->year, t->month, t->day) * DAY_SECONDS
           + t->hour * 3600 + t->minute * 60 + t->second;
}


static bool
set_seconds(fp_time_t *t, int64_t s)
{
    int64_t  rest = s % DAY_SECONDS;

    if (s < 0) {
        return false;
    }

    t->hour = (uint8_t) (rest / 3600);
    t->minute = (uint8_t) (rest / 60 % 60);
    t->second = (uint8_t) (rest % 60);
    return set_day_number(t, s / DAY_SECONDS);
}


/* Takes so many digits off the front. */
static bool
take_digits(hie_str_t *s, int n, int *out)
{
    int  i;

    if (s->len < (size_t) n) {
        return false;
    }

    *out = 0;
    for (i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') {
            return false;
        }

        *out = *out * 10 + (s->ptr[i] - '0');
    }

    s->ptr += n;
    s->len -= (size_t) n;
    return true;
}


static bool
take_char(hie_str_t *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }

    s->ptr++;
    s->len--;
    return true;
}


static bool
parse_date(hie_str_t *s, fp_time_t *t)
{
    int  year, month = 1, day = 1;

    if (!take_digits(s, 4, &year) || year < 1) {
        return false;
    }

    t->precision = HIE_PRECISION_YEAR;
    if (take_char(s, '-')) {
        if (!take_digits(s, 2, &month) || month < 1 || month > 12) {
            return false;
        }

        t->precision = HIE_PRECISION_MONTH;
        if (take_char(s, '-')) {
            if (!take_digits(s, 2, &day) || day < 1
                || day > hie_fp_month_days(year, month))
            {
                return false;
            }

            t->precision = HIE_PRECISION_DAY;
        }
    }

    t->year = (int16_t) year;
    t->month = (uint8_t) month;
    t->day = (uint8_t) day;
    return true;
}


/* Digits beyond the ninth are not kept. */
static bool
parse_fraction(hie_str_t *s, fp_time_t *t)
{
    int       n, digit;
    uint32_t  scale = NANOS / 10;

    if (!take_char(s, '.')) {
        return true;
    }

    for (n = 0; take_digits(s, 1, &digit); n++) {
        t->nano += (uint32_t) digit * scale;
        scale /= 10;
    }

    t->digits = (uint8_t) (n < 9 ? n : 9);
    return n > 0;
}


static bool
parse_clock(hie_str_t *s, fp_time_t *t)
{
    int  hour, minute = 0, second = 0;

    if (!take_digits(s, 2, &hour) || hour > 23) {
        return false;
    }

    t->precision = HIE_PRECISION_HOUR;
    if (take_char(s, ':')) {
        if (!take_digits(s, 2, &minute) || minute > 59) {
            return false;
        }

        t->precision = HIE_PRECISION_MINUTE;
        if (take_char(s, ':')) {
            if (!take_digits(s, 2, &second) || second > 60
                || !parse_fraction(s, t))
            {
                return false;
            }

            t->precision = HIE_PRECISION_SECOND;
        }
    }

    t->hour = (uint8_t) hour;
    t->minute = (uint8_t) minute;
    t->second = (uint8_t) second;
    return true;
}


static bool
parse_zone(hie_str_t *s, fp_time_t *t)
{
    int   hour, minute;
    bool  west;

    if (s->len == 0) {
        return true;
    }

    if (take_char(s, 'Z')) {
        t->zone = 0;
        return true;
    }

    west = take_char(s, '-');
    if ((!west && !take_char(s, '+')) || !take_digits(s, 2, &hour)
        || !take_char(s, ':') || !take_digits(s, 2, &minute)
        || minute > 59 || hour * 60 + minute > ZONE_MAX)
    {
        return false;
    }

    t->zone = (int16_t) (west ? -(hour * 60 + minute) : hour * 60 + minute);
    return true;
}


bool
hie_fp_time_parse(hie_str_t text, uint8_t kind, fp_time_t *out)
{
    fp_time_t  t;

    memset(&t, 0, sizeof(t));
    t.year = 1;
    t.month = 1;
    t.day = 1;
    t.zone = HIE_FHIRPATH_NO_ZONE;

    if (kind == HIE_FHIRPATH_TIME) {
        take_char(&text, 'T');
        if (!parse_clock(&text, &t)) {
            return false;
        }

    } else {
        if (!parse_date(&text, &t)) {
            return false;
        }

        /* "2015T" is a DateTime that is known to the year only */
        if (kind == HIE_FHIRPATH_DATETIME && take_char(&text, 'T')
            && text.len > 0
            && (t.precision != HIE_PRECISION_DAY || !parse_clock(&text, &t)
                || !parse_zone(&text, &t)))
        {
            return false;
        }
    }

    *out = t;
    return text.len == 0;
}


static void
print_clock(hie_buf_t *b, const fp_time_t *t)
{
    char  fraction[16];

    hie_buf_addf(b, "%02d", t->hour);
    if (t->precision >= HIE_PRECISION_MINUTE) {
        hie_buf_addf(b, ":%02d", t->minute);
    }

    if (t->precision >= HIE_PRECISION_SECOND) {
        hie_buf_addf(b, ":%02d", t->second);
        if (t->digits > 0) {
            snprintf(fraction, sizeof(fraction), "%09u", (unsigned) t->nano);
            hie_buf_addf(b, ".%.*s", t->digits, fraction);
        }
    }
}


void
hie_fp_time_print(hie_buf_t *b, uint8_t kind, const fp_time_t *t)
{
    int  zone = t->zone < 0 ? -t->zone : t->zone;

    if (kind == HIE_FHIRPATH_TIME) {
        print_clock(b, t);
        return;
    }

    hie_buf_addf(b, "%04d", t->year);
    if (t->precision >= HIE_PRECISION_MONTH) {
        hie_buf_addf(b, "-%02d", t->month);
    }

    if (t->precision >= HIE_PRECISION_DAY) {
        hie_buf_addf(b, "-%02d", t->day);
    }

    if (t->precision < HIE_PRECISION_HOUR) {
        return;
    }

    hie_buf_addc(b, 'T');
    print_clock(b, t);
    if (t->zone == 0) {
        hie_buf_addc(b, 'Z');
    } else if (t->zone != HIE_FHIRPATH_NO_ZONE) {
        hie_buf_addf(b, "%c%02d:%02d", t->zone < 0 ? '-' : '+', zone / 60,
                     zone % 60);
    }
}


static int
compare_fields(const fp_time_t *a, const fp_time_t *b, bool *known)
{
    int  i, min, d;
    int  x[] = { a->year, a->month, a->day, a->hour, a->minute, a->second };
    int  y[] = { b->year, b->month, b->day, b->hour, b->minute, b->second };

    min = a->precision < b->precision ? a->precision : b->precision;
    *known = true;
    for (i = 0; i < min; i++) {
        d = x[i] - y[i];
        if (d != 0) {
            return d < 0 ? -1 : 1;
        }
    }

    *known = a->precision == b->precision;
    return min == HIE_PRECISION_SECOND
           ? (a->nano > b->nano) - (a->nano < b->nano) : 0;
}


/* With a zone on one side only it is known if no zone could change it. */
static int
compare_zoned(const fp_time_t *a, const fp_time_t *b, bool *known)
{
    int64_t  d;

    d = seconds_of(a) - (a->zone == HIE_FHIRPATH_NO_ZONE ? 0 : a->zone * 60)
        - seconds_of(b) + (b->zone == HIE_FHIRPATH_NO_ZONE ? 0 : b->zone * 60);
    *known = d > (ZONE_MAX + 60) * 60 || d < -(ZONE_MAX + 60) * 60;
    return d < 0 ? -1 : 1;
}


int
hie_fp_time_compare(const fp_time_t *a, const fp_time_t *b, bool *known)
{
    fp_time_t  x = *a, y = *b;

    if (x.precision >= HIE_PRECISION_HOUR && y.precision >= HIE_PRECISION_HOUR
        && x.zone != y.zone)
    {
        if (x.zone == HIE_FHIRPATH_NO_ZONE || y.zone == HIE_FHIRPATH_NO_ZONE) {
            return compare_zoned(a, b, known);
        }

        /* 60 seconds, and years 0 and 10000, do no harm here */
        set_seconds(&x, seconds_of(a) - a->zone * 60);
        set_seconds(&y, seconds_of(b) - b->zone * 60);
    }

    return compare_fields(&x, &y, known);
}


bool
hie_fp_time_equivalent(const fp_time_t *a, const fp_time_t *b)
{
    bool  known;

    return a->precision == b->precision
           && hie_fp_time_compare(a, b, &known) == 0 && known;
}


/*
 * Arithmetic. A quantity is brought to the precision of the time first, cut
 * off towards 0 (N1 section 6.7.1).
 */
static const struct {
    const char  *calendar;
    const char  *ucum;          /* that of the same length */
    uint8_t      precision;
    uint32_t     times;         /* of the unit that the precision names */
} units[] = {
    { "year", NULL, HIE_PRECISION_YEAR, 1 },
    { "month", NULL, HIE_PRECISION_MONTH, 1 },
    { "week", "wk", HIE_PRECISION_DAY, 7 },
    { "day", "d", HIE_PRECISION_DAY, 1 },
    { "hour", "h", HIE_PRECISION_HOUR, 1 },
    { "minute", "min", HIE_PRECISION_MINUTE, 1 },
    { "second", "s", HIE_PRECISION_SECOND, 1 },
    { "millisecond", "ms", HIE_PRECISION_SECOND, 0 }
};

#define N_UNITS  (sizeof(units) / sizeof(units[0]))


static bool
add_months(fp_time_t *t, int64_t n)
{
    int      days;
    int64_t  m;

    m = (int64_t) t->year * 12 + t->month - 1 + n;
    if (m < 12 || m >= 12 * 10000) {
        return false;
    }

    t->year = (int16_t) (m / 12);
    t->month = (uint8_t) (m % 12 + 1);
    days = hie_fp_month_days(t->year, t->month);
    if (t->day > days) {
        t->day = (uint8_t) days;
    }

    return true;
}


static bool
add_days(fp_time_t *t, int64_t n)
{
    if (t->precision == HIE_PRECISION_YEAR) {
        return add_months(t, n / 365 * 12);
    }

    if (t->precision == HIE_PRECISION_MONTH) {
        return add_months(t, n / 30);
    }

    n += day_number(t->year, t->month, t->day);
    return n >= 0 && set_day_number(t, n);
}


/* Seconds and nanoseconds of one sign. */
static bool
add_seconds(fp_time_t *t, uint8_t kind, int64_t seconds, int64_t nanos)
{
    int64_t   s, n;
    uint32_t  unit;

    if (t->precision < HIE_PRECISION_HOUR) {
        return add_days(t, seconds / DAY_SECONDS);
    }

    if (t->precision < HIE_PRECISION_SECOND) {
        unit = t->precision == HIE_PRECISION_HOUR ? 3600 : 60;
        seconds -= seconds % unit;
        nanos = 0;
    }

    n = t->nano + nanos;
    s = seconds_of(t) + seconds;
    if (n < 0) {
        n += NANOS;
        s--;
    } else if (n >= NANOS) {
        n -= NANOS;
        s++;
    }

    if (kind == HIE_FHIRPATH_TIME) {
        s = ((s - day_number(1, 1, 1) * DAY_SECONDS) % DAY_SECONDS
             + DAY_SECONDS) % DAY_SECONDS + day_number(1, 1, 1) * DAY_SECONDS;
    }

    if (!set_seconds(t, s)) {
        return false;
    }

    t->nano = (uint32_t) n;
    if (nanos != 0 && t->digits < 3) {
        t->digits = nanos % 1000000 == 0 ? 3 : 9;
    }

    return true;
}


static bool
add_clock(fp_time_t *t, uint8_t kind, const hie_decimal_t *value,
          uint32_t seconds_each)
{
    int64_t        whole, nanos;
    hie_decimal_t  s, q, r, scale;

    scale = hie_decimal_int(seconds_each != 0 ? seconds_each : 1);
    if (seconds_each == 0) {
        scale.exponent = -3;
    }

    if (!hie_decimal_mul(value, &scale, &s)
        || !hie_decimal_divmod(&s, &(hie_decimal_t) { .low = 1 }, &q, &r)
        || !hie_decimal_to_int(&q, &whole)
        || whole > INT64_C(400000000000) || whole < -INT64_C(400000000000))
    {
        return false;
    }

    r.exponent += 9;
    r = hie_decimal_round(&r, 0, HIE_ROUND_DOWN);
    return hie_decimal_to_int(&r, &nanos)
           && add_seconds(t, kind, whole, nanos);
}


bool
hie_fp_time_add(fp_time_t *t, uint8_t kind,
                const hie_fhirpath_quantity_t *q, bool negative)
{
    size_t         i;
    int64_t        n;
    hie_decimal_t  value = q->value, whole;

    for (i = 0; i < N_UNITS; i++) {
        if (q->calendar ? hie_str_eqz(q->unit, units[i].calendar)
            : units[i].ucum != NULL && hie_str_eqz(q->unit, units[i].ucum))
        {
            break;
        }
    }

    if (i == N_UNITS || (kind == HIE_FHIRPATH_TIME
                         && units[i].precision < HIE_PRECISION_HOUR))
    {
        return false;
    }

    value.negative ^= negative;
    if (units[i].precision == HIE_PRECISION_SECOND) {
        return add_clock(t, kind, &value, units[i].times);
    }

    /* "the decimal portion is ignored" above seconds */
    whole = hie_decimal_round(&value, 0, HIE_ROUND_DOWN);
    if (!hie_decimal_to_int(&whole, &n) || n > 10000000000
        || n < -10000000000)
    {
        return false;
    }

    n *= units[i].times;
    switch (units[i].precision) {
    case HIE_PRECISION_YEAR:
        return add_months(t, n * 12);

    case HIE_PRECISION_MONTH:
        return add_months(t, t->precision == HIE_PRECISION_YEAR ? n / 12 * 12
                                                                : n);

    case HIE_PRECISION_DAY:
        return add_days(t, n);

    default:
        return add_seconds(t, kind, n * (units[i].precision
                           == HIE_PRECISION_HOUR ? 3600 : 60), 0);
    }
}


fp_time_t
hie_fp_time_now(const hie_fhirpath_env_t *env)
{
    int64_t    micros, s;
    fp_time_t  t;

    memset(&t, 0, sizeof(t));
    t.precision = HIE_PRECISION_SECOND;
    t.zone = env->zone;
    t.digits = 3;

    micros = env->now + env->zone * INT64_C(60000000);
    if (micros < 0) {
        micros = 0;
    }

    s = micros / 1000000;
    t.nano = (uint32_t) (micros % 1000000 / 1000 * 1000000);
    set_seconds(&t, s + day_number(1970, 1, 1) * DAY_SECONDS);
    return t;
}
