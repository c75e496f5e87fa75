/*
 * FHIR dateTime (R4 section 2.24.0.1) and Period.
 */

#include "consent/private.h"


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


/* The offset from UTC in seconds; it is required. */
static bool
zone(hie_str_t *s, int64_t *out)
{
    int64_t  hours, minutes, sign = 1;

    *out = 0;
    if (literal(s, 'Z')) {
        return true;
    }
    if (literal(s, '-')) {
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
time_of_day(hie_str_t *s, apr_time_t *offset, apr_time_t *length)
{
    int64_t  hour, minute, second, micro = 0, utc;

    if (!digits(s, 2, &hour) || !literal(s, ':') || !digits(s, 2, &minute)
        || !literal(s, ':') || !digits(s, 2, &second)
        || hour > 23 || minute > 59 || second > 60)
    {
        return false;
    }
    *length = APR_USEC_PER_SEC;
    if (literal(s, '.')) {
        if (!fraction(s, &micro)) {
            return false;
        }
        *length = 1;
    }
    if (!zone(s, &utc)) {
        return false;
    }
    *offset = apr_time_from_sec(hour * 3600 + minute * 60 + second - utc)
              + micro;
    return true;
}


/* The first moment of a dateTime and the first one after it. */
static bool
parse(hie_str_t s, apr_time_t *first, apr_time_t *after)
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
                      || !time_of_day(&s, &offset, &length)
                      || s.len > 0))
    {
        return false;
    }

    *first = apr_time_from_sec(days_of(year, month, day) * 86400) + offset;
    *after = *first + length;
    return true;
}


bool
hie_consent_period(const hie_doc_t *d, hie_node_t period, apr_pool_t *pool,
                   apr_time_t *from, apr_time_t *until)
{
    hie_node_t  start, end;
    apr_time_t  t;

    *from = 0;
    *until = 0;
    if (hie_doc_kind(d, period) != HIE_NODE_OBJECT) {
        return false;
    }

    start = hie_doc_member(d, period, "start");
    if (start != HIE_NODE_NONE) {
        if (!parse(hie_doc_string(d, start, pool), from, &t)) {
            return false;
        }
        /* Before 1970 is as good as always, which 0 says. */
        if (*from < 0) {
            *from = 0;
        }
    }

    end = hie_doc_member(d, period, "end");
    if (end != HIE_NODE_NONE) {
        if (!parse(hie_doc_string(d, end, pool), &t, until)) {
            return false;
        }
        /* 0 would say for ever. */
        if (*until < 1) {
            *until = 1;
        }
    }

    /* One that ends before it begins says nothing that can be kept to. */
    return *until == 0 || *from < *until;
}
