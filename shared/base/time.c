/*
 * The two ways in which times are written.
 */

#include "base/base.h"

#include <string.h>
#include <time.h>


/* Exactly `width` digits of `value`; returns what follows them. */
static char *
put_digits(char *p, int value, int width)
{
    int  i;

    for (i = width - 1; i >= 0; i--, value /= 10) {
        p[i] = (char) ('0' + value % 10);
    }
    return p + width;
}


static char *
put_char(char *p, char c)
{
    *p = c;
    return p + 1;
}


static char *
put_clock(char *p, const struct tm *tm)
{
    p = put_digits(p, tm->tm_hour, 2);
    p = put_char(p, ':');
    p = put_digits(p, tm->tm_min, 2);
    p = put_char(p, ':');
    return put_digits(p, tm->tm_sec, 2);
}


/* Rounds down, before 1970 too, and keeps the year to four digits. Returns
 * the milliseconds. */
static int
explode(apr_time_t t, struct tm *tm)
{
    const time_t  first = -62167219200, last = 253402300799;
    time_t        sec = t / APR_USEC_PER_SEC;
    int           usec = (int) (t % APR_USEC_PER_SEC);

    if (usec < 0) {
        usec += (int) APR_USEC_PER_SEC;
        sec--;
    }
    if (sec < first) {
        sec = first;
    } else if (sec > last) {
        sec = last;
    }

    gmtime_r(&sec, tm);
    return usec / 1000;
}


void
hie_time_instant(char out[HIE_INSTANT_LEN + 1], apr_time_t t)
{
    struct tm  tm;
    int        ms = explode(t, &tm);
    char      *p = out;

    p = put_digits(p, tm.tm_year + 1900, 4);
    p = put_char(p, '-');
    p = put_digits(p, tm.tm_mon + 1, 2);
    p = put_char(p, '-');
    p = put_digits(p, tm.tm_mday, 2);
    p = put_char(p, 'T');
    p = put_clock(p, &tm);
    p = put_char(p, '.');
    p = put_digits(p, ms, 3);
    p = put_char(p, 'Z');
    *p = '\0';
}


/* The names of days and months are those of the RFC, not of the locale. */
void
hie_time_http(char out[HIE_HTTP_DATE_LEN + 1], apr_time_t t)
{
    static const char  days[] = "SunMonTueWedThuFriSat";
    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm          tm;
    char              *p = out;

    explode(t, &tm);

    memcpy(p, days + 3 * tm.tm_wday, 3);
    p = put_char(p + 3, ',');
    p = put_char(p, ' ');
    p = put_digits(p, tm.tm_mday, 2);
    p = put_char(p, ' ');
    memcpy(p, months + 3 * tm.tm_mon, 3);
    p = put_char(p + 3, ' ');
    p = put_digits(p, tm.tm_year + 1900, 4);
    p = put_char(p, ' ');
    p = put_clock(p, &tm);
    memcpy(p, " GMT", 5);
}
