/*
 * Dates, times and numbers as the ranges that they cover (R4 sections
 * 3.1.1.4.5, 3.1.1.4.6 and 3.1.1.4.7).
 */

#include "search/private.h"

#include <string.h>

#define SECOND  INT64_C(1000000)
#define MINUTE  (60 * SECOND)
#define DAY     (24 * 60 * MINUTE)

/* What is left of a text that is being read from the left. */
typedef struct {
    const char  *p;
    const char  *end;
} reader_t;


/* Exactly `n` digits; -1 if they are not there. */
static int
digits(reader_t *r, int n)
{
    int  v;

    if (r->end - r->p < n) {
        return -1;
    }

    for (v = 0; n > 0; n--, r->p++) {
        if (*r->p < '0' || *r->p > '9') {
            return -1;
        }

        v = v * 10 + (*r->p - '0');
    }

    return v;
}


static bool
sign(reader_t *r, char c)
{
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }

    return false;
}


static bool
leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}


static int
days_in(int year, int month)
{
    static const int  days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
                                 31 };

    return days[month - 1] + (month == 2 && leap(year));
}


/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t
day_number(int year, int month, int day)
{
    int64_t  y, m, era, of_era;

    y = month <= 2 ? year - 1 : year;
    m = month <= 2 ? month + 9 : month - 3;
    era = y / 400;
    of_era = y - era * 400;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100
           + (153 * m + 2) / 5 + day - 1 - 719468;
}


static void
month_after(int *year, int *month)
{
    if (++*month == 13) {
        *month = 1;
        ++*year;
    }
}


/* The fraction of a second: where it starts, and how long its last digit
 * is. */
static bool
fraction(reader_t *r, int64_t *start, int64_t *width)
{
    int      n;
    int64_t  unit;

    *start = 0;
    unit = SECOND;
    for (n = 0; r->p < r->end && *r->p >= '0' && *r->p <= '9'; n++, r->p++) {
        unit /= 10;              /* 0 beyond microseconds */
        *start += (*r->p - '0') * unit;
    }

    *width = unit > 0 ? unit : 1;
    return n > 0;
}


/* hh:mm[:ss[.fff]]: from midnight, and how much the last part covers. */
static bool
clock_time(reader_t *r, int64_t *start, int64_t *width)
{
    int      hour, minute, second;
    int64_t  part;

    hour = digits(r, 2);
    if (hour < 0 || hour > 23 || !sign(r, ':')) {
        return false;
    }

    minute = digits(r, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }

    *start = (hour * 60 + minute) * MINUTE;
    *width = MINUTE;
    if (!sign(r, ':')) {
        return true;
    }

    second = digits(r, 2);
    if (second < 0 || second > 60) {
        return false;
    }

    *start += second * SECOND;
    *width = SECOND;
    if (!sign(r, '.')) {
        return true;
    }

    if (!fraction(r, &part, width)) {
        return false;
    }

    *start += part;
    return true;
}


/* Z, +hh:mm or -hh:mm; nothing is UTC: a server has no place. */
static bool
zone(reader_t *r, int64_t *east)
{
    int   hour, minute;
    bool  minus;

    *east = 0;
    if (r->p == r->end || sign(r, 'Z')) {
        return true;
    }

    minus = sign(r, '-');
    if (!minus && !sign(r, '+')) {
        return false;
    }

    hour = digits(r, 2);
    if (hour < 0 || hour > 14 || !sign(r, ':')) {
        return false;
    }

    minute = digits(r, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }

    *east = (hour * 60 + minute) * (minus ? -MINUTE : MINUTE);
    return true;
}


/* A day, with what follows it. */
static bool
date_time(reader_t *r, int year, int month, int day, int64_t *low,
          int64_t *high)
{
    int64_t  start, width, east;

    *low = day_number(year, month, day) * DAY;
    *high = *low + DAY;
    if (r->p == r->end) {
        return true;
    }

    if (!sign(r, 'T') || !clock_time(r, &start, &width) || !zone(r, &east)) {
        return false;
    }

    *low += start - east;
    *high = *low + width;
    return true;
}


bool
hie_search_date(hie_str_t text, int64_t *low, int64_t *high)
{
    int       year, month, day;
    reader_t  r;

    if (text.len < 4) {
        return false;            /* ptr may be NULL */
    }

    r.p = text.ptr;
    r.end = text.ptr + text.len;
    year = digits(&r, 4);
    if (year < 1) {
        return false;
    }

    if (r.p == r.end) {
        *low = day_number(year, 1, 1) * DAY;
        *high = day_number(year + 1, 1, 1) * DAY;
        return true;
    }

    month = sign(&r, '-') ? digits(&r, 2) : -1;
    if (month < 1 || month > 12) {
        return false;
    }

    if (r.p == r.end) {
        *low = day_number(year, month, 1) * DAY;
        month_after(&year, &month);
        *high = day_number(year, month, 1) * DAY;
        return true;
    }

    day = sign(&r, '-') ? digits(&r, 2) : -1;
    if (day < 1 || day > days_in(year, month)) {
        return false;
    }

    return date_time(&r, year, month, day, low, high) && r.p == r.end;
}


/* Half a unit of the last digit that was written: 100 covers 99.5 to 100.5,
 * 1e2 covers 50 to 150. */
static hie_decimal_t
half_digit(const hie_decimal_t *value)
{
    return (hie_decimal_t) { .low = 5, .exponent = value->exponent - 1 };
}


bool
hie_search_precision(const hie_decimal_t *value, hie_decimal_t *low,
                     hie_decimal_t *high)
{
    hie_decimal_t  half;

    half = half_digit(value);
    return hie_decimal_sub(value, &half, low)
           && hie_decimal_add(value, &half, high);
}


/* R4 section 3.1.1.4.5: the recommended ten per cent of the value, and never
 * narrower than its precision. */
bool
hie_search_about(const hie_decimal_t *value, hie_decimal_t *low,
                 hie_decimal_t *high)
{
    hie_decimal_t  tenth, half, by;

    half = half_digit(value);
    tenth = *value;
    tenth.negative = false;
    tenth.exponent--;
    by = hie_decimal_compare(&tenth, &half) > 0 ? tenth : half;

    return hie_decimal_sub(value, &by, low)
           && hie_decimal_add(value, &by, high);
}
