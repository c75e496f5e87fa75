/*
 * Dates and times: DT, TM, TS, DTM (HL7 v2.5 section 2.A.21, 2.A.22).
 *
 * Rules. The precision is kept: YYYY, YYYY-MM, YYYY-MM-DD. FHIR has no time
 * without minutes (hour only becomes the day) and wants seconds (":00" is
 * added to minutes) and a zone: the value's own, else that of MSH-7, else the
 * configured one. A value that is no date is left out; the extensions
 * data-absent-reason "error" and originalText say so and keep what was sent.
 */

#include <stdio.h>
#include <string.h>

#include "hl7v2/tofhir.h"

#define EXT  "http://hl7.org/fhir/StructureDefinition/"


static bool
number(const char *p, int n, int *out)
{
    int  v = 0;

    while (n-- > 0) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        v = v * 10 + (*p++ - '0');
    }
    *out = v;
    return true;
}


/* "+0100"; FHIR allows up to 14:00. */
static bool
parse_zone(hie_str_t s, hie_dtm_t *out)
{
    int  h;
    int  m;

    if (s.len != 5 || !number(s.ptr + 1, 2, &h) || !number(s.ptr + 3, 2, &m)
        || m > 59 || h * 60 + m > 14 * 60)
    {
        return false;
    }
    snprintf(out->zone, sizeof(out->zone), "%c%.2s:%.2s",
             h + m == 0 ? '+' : s.ptr[0], s.ptr + 1, s.ptr + 3);
    out->zoned = true;
    return true;
}


static bool
in_range(const hie_dtm_t *d)
{
    static const int  days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
                                 31 };
    int               y = d->part[0];
    int               last;

    if (y == 0) {
        return false;
    }
    if (d->n >= 2 && (d->part[1] < 1 || d->part[1] > 12)) {
        return false;
    }
    if (d->n >= 3) {
        last = days[d->part[1] - 1];
        if (d->part[1] == 2
            && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0))
        {
            last = 29;
        }
        if (d->part[2] < 1 || d->part[2] > last) {
            return false;
        }
    }
    return d->part[3] <= 23 && d->part[4] <= 59 && d->part[5] <= 60;
}


/* ".S[S[S[S]]]" after the seconds. */
static bool
parse_fraction(hie_str_t s, hie_dtm_t *out)
{
    size_t  i;

    if (s.len == 0) {
        return true;
    }
    if (out->n != 6 || s.ptr[0] != '.' || s.len < 2 || s.len > 5) {
        return false;
    }
    for (i = 1; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
        out->fraction[i - 1] = s.ptr[i];
    }
    return true;
}


bool
hie_dtm_parse(hie_str_t raw, hie_dtm_t *out)
{
    static const int  width[] = { 4, 2, 2, 2, 2, 2 };
    hie_str_t         s = hie_str_trim(raw);
    size_t            end = 0;
    size_t            pos = 0;

    memset(out, 0, sizeof(*out));
    while (end < s.len && s.ptr[end] != '+' && s.ptr[end] != '-') {
        end++;
    }
    if (end < s.len
        && !parse_zone((hie_str_t) { s.ptr + end, s.len - end }, out))
    {
        return false;
    }
    while (out->n < 6 && end - pos >= (size_t) width[out->n]
           && number(s.ptr + pos, width[out->n], &out->part[out->n]))
    {
        pos += (size_t) width[out->n];
        out->n++;
    }
    return out->n > 0
           && parse_fraction((hie_str_t) { s.ptr + pos, end - pos }, out)
           && in_range(out);
}


hie_str_t
hie_dtm_text(hie_tofhir_t *t, const hie_dtm_t *d, bool date)
{
    hie_buf_t  b;

    hie_buf_init(&b, t->pool, 40);
    hie_buf_addf(&b, "%04d", d->part[0]);
    if (d->n >= 2) {
        hie_buf_addf(&b, "-%02d", d->part[1]);
    }
    if (d->n >= 3) {
        hie_buf_addf(&b, "-%02d", d->part[2]);
    }
    if (d->n >= 5 && !date) {
        hie_buf_addf(&b, "T%02d:%02d:%02d", d->part[3], d->part[4],
                     d->part[5]);
        if (d->fraction[0] != '\0') {
            hie_buf_addf(&b, ".%s", d->fraction);
        }
        hie_buf_addz(&b, d->zoned ? d->zone : t->zone);
    }
    return hie_buf_str(&b);
}


static void
extension(hie_buf_t *b, const char *url, const char *type, hie_str_t value)
{
    size_t  mark = hie_jw_open(b, NULL, '{');

    hie_jw_z(b, "url", url);
    hie_jw_text(b, type, value);
    hie_jw_close(b, mark, '}');
}


static void
unreadable(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_str_t raw)
{
    size_t  element;
    size_t  list;

    element = hie_jw_open(b, apr_pstrcat(t->pool, "_", name, NULL), '{');
    list = hie_jw_open(b, "extension", '[');
    extension(b, EXT "data-absent-reason", "valueCode", HIE_STR("error"));
    extension(b, EXT "originalText", "valueString", raw);
    hie_jw_close(b, list, ']');
    hie_jw_close(b, element, '}');
}


static void
write_date(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_str_t raw,
           bool date)
{
    hie_dtm_t  d;

    if (hie_str_trim(raw).len == 0) {
        return;
    }
    if (hie_dtm_parse(raw, &d)) {
        hie_jw_text(b, name, hie_dtm_text(t, &d, date));
    } else {
        unreadable(t, b, name, raw);
    }
}


void
hie_dt_datetime(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                hie_str_t raw)
{
    write_date(t, b, name, raw, false);
}


void
hie_dt_date(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_str_t raw)
{
    write_date(t, b, name, raw, true);
}


/* An instant is at least a second (R4 section 2.24.0.1). */
void
hie_dt_instant(hie_tofhir_t *t, hie_buf_t *b, const char *name,
               hie_str_t raw)
{
    hie_dtm_t  d;

    if (hie_dtm_parse(raw, &d) && d.n >= 5) {
        hie_jw_text(b, name, hie_dtm_text(t, &d, false));
    }
}


/* HHMM[SS[.S]]; a FHIR time has no zone, and none is guessed away. */
bool
hie_dt_time(hie_buf_t *b, const char *name, hie_str_t raw)
{
    hie_dtm_t  d;
    hie_str_t  s = hie_str_trim(raw);
    char       text[32];

    if (s.len < 4 || s.len > 11) {
        return false;
    }
    snprintf(text, sizeof(text), "20000101%.*s", HIE_PRISTR(s));
    if (!hie_dtm_parse(hie_str(text), &d) || d.n < 5 || d.zoned) {
        return false;
    }
    snprintf(text, sizeof(text), "%02d:%02d:%02d%s%s", d.part[3], d.part[4],
             d.part[5], d.fraction[0] != '\0' ? "." : "", d.fraction);
    hie_jw_z(b, name, text);
    return true;
}


void
hie_dt_period(hie_tofhir_t *t, hie_buf_t *b, const char *name,
              hie_str_t start, hie_str_t end)
{
    size_t  mark = hie_jw_open(b, name, '{');

    hie_dt_datetime(t, b, "start", start);
    hie_dt_datetime(t, b, "end", end);
    hie_jw_close(b, mark, '}');
}
