/*
 * Reading times: those of FHIR (R4 section 2.24.0.1) with their precision,
 * and those of HTTP.
 */

#include "base/base.h"

#include <string.h>


/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    static const int  before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
                                   273, 304, 334 };
    int64_t           y = year - 1, days;

    days = y * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + day - 1;
    if (month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        days++;
    }
    return days - 719162;
}


static int64_t
month_length(int64_t year, int64_t month)
{
    return month == 12 ? 31
           : days_of(year, month + 1, 1) - days_of(year, month, 1);
}


/* Takes exactly `n` digits off the front. */
static bool
digits(hie_str_t *s, size_t n, int64_t *out)
{
    uint64_t  v;

    if (s->len < n || !hie_str_u64((hie_str_t) { s->ptr, n }, &v)) {
        return false;
    }
    s->ptr += n;
    s->len -= n;
    *out = (int64_t) v;
    return true;
}


static bool
literal(hie_str_t *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    s->ptr++;
    s->len--;
    return true;
}


/* A fraction of a second to microseconds; further digits are cut. */
static bool
fraction(hie_str_t *s, int64_t *out)
{
    int64_t  unit = APR_USEC_PER_SEC;
    bool     any = false;

    *out = 0;
    while (s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9') {
        unit /= 10;
        *out += (s->ptr[0] - '0') * unit;
        s->ptr++;
        s->len--;
        any = true;
    }
    return any;
}


/* The offset from UTC in seconds. In a query it may be left out, and a plus
 * that was not escaped has become a space. */
static bool
zone(hie_str_t *s, bool query, int64_t *out)
{
    int64_t  hours, minutes, sign = 1;

    *out = 0;
    if (literal(s, 'Z') || (query && s->len == 0)) {
        return true;
    }
    if (query && literal(s, ' ')) {
        sign = 1;
    } else if (literal(s, '-')) {
        sign = -1;
    } else if (!literal(s, '+')) {
        return false;
    }
    if (!digits(s, 2, &hours) || !literal(s, ':') || !digits(s, 2, &minutes)
        || hours > 14 || minutes > 59)
    {
        return false;
    }
    *out = sign * (hours * 3600 + minutes * 60);
    return true;
}


/* What follows the 'T'; `length` is 1 s, or 1 us where there is a fraction. */
static bool
time_of_day(hie_str_t *s, bool query, apr_time_t *offset, apr_time_t *length)
{
    int64_t  hour, minute, second = 0, micro = 0, utc;

    if (!digits(s, 2, &hour) || !literal(s, ':') || !digits(s, 2, &minute)
        || hour > 23 || minute > 59)
    {
        return false;
    }
    *length = APR_USEC_PER_SEC;
    if (literal(s, ':')) {
        if (!digits(s, 2, &second) || second > 60) {
            return false;
        }
        if (literal(s, '.')) {
            if (!fraction(s, &micro)) {
                return false;
            }
            *length = 1;
        }
    } else if (query) {
        *length = 60 * APR_USEC_PER_SEC;
    } else {
        return false;
    }
    if (!zone(s, query, &utc)) {
        return false;
    }
    *offset = apr_time_from_sec(hour * 3600 + minute * 60 + second - utc)
              + micro;
    return true;
}


bool
hie_time_parse(hie_str_t s, bool query, apr_time_t *first, apr_time_t *after)
{
    int64_t     year, month = 1, day = 1, days;
    apr_time_t  offset = 0, length;

    if (!digits(&s, 4, &year) || year < 1) {
        return false;
    }
    days = days_of(year + 1, 1, 1) - days_of(year, 1, 1);
    if (literal(&s, '-')) {
        if (!digits(&s, 2, &month) || month < 1 || month > 12) {
            return false;
        }
        days = month_length(year, month);
        if (literal(&s, '-')) {
            if (!digits(&s, 2, &day) || day < 1 || day > days) {
                return false;
            }
            days = 1;
        }
    }
    length = apr_time_from_sec(days * 86400);

    /* A time of day only after a whole date, which is 10 characters. */
    if (s.len > 0 && (days != 1 || !literal(&s, 'T')
                      || !time_of_day(&s, query, &offset, &length)
                      || s.len > 0))
    {
        return false;
    }

    *first = apr_time_from_sec(days_of(year, month, day) * 86400) + offset;
    *after = *first + length;
    return true;
}


/* The number of a month by its name in the RFC; 0 if there is none. */
static int64_t
month_of(hie_str_t *s)
{
    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t            i;

    for (i = 0; s->len >= 3 && i < 12; i++) {
        if (memcmp(s->ptr, months + 3 * i, 3) == 0) {
            s->ptr += 3;
            s->len -= 3;
            return i + 1;
        }
    }
    return 0;
}


bool
hie_time_http_parse(hie_str_t s, apr_time_t *out)
{
    int64_t  day, month, year, hour, minute, second;

    /* the name of the day says nothing that the date does not */
    if (s.len != HIE_HTTP_DATE_LEN || s.ptr[3] != ',' || s.ptr[4] != ' ') {
        return false;
    }
    s.ptr += 5;
    s.len -= 5;

    if (!digits(&s, 2, &day) || !literal(&s, ' ')
        || (month = month_of(&s)) == 0 || !literal(&s, ' ')
        || !digits(&s, 4, &year) || year < 1 || !literal(&s, ' ')
        || !digits(&s, 2, &hour) || !literal(&s, ':')
        || !digits(&s, 2, &minute) || !literal(&s, ':')
        || !digits(&s, 2, &second) || !hie_str_eqz(s, " GMT")
        || day < 1 || day > month_length(year, month) || hour > 23
        || minute > 59 || second > 60)
    {
        return false;
    }

    *out = apr_time_from_sec(days_of(year, month, day) * 86400 + hour * 3600
                             + minute * 60 + second);
    return true;
}
