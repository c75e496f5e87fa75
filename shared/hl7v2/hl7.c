/*
 * The parser: segments, fields, repetitions, components, subcomponents
 * (HL7 v2.5 section 2.5 and 2.6). One pass finds the fields; the parts of a
 * field are found when they are asked for.
 *
 * Tolerated: LF and CR LF as segment end, empty lines, delimiters at the end
 * of a segment, MSH-2 with one to five characters, a line feed inside a field.
 */

#include <string.h>

#include "hl7v2/message.h"

#define MAX_REPEATS  500


static bool
is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


/* A printable character of ASCII that is no letter, digit or space, and that
 * no header needs for itself: zone, version, ADT_A01, 8859/1, null. */
static bool
is_delimiter(char c)
{
    return c > ' ' && c < 0x7f && !is_digit(c) && !is_upper(c)
           && !(c >= 'a' && c <= 'z') && strchr("+-._/\"", c) == NULL;
}


hie_str_t
hie_hl7_part(hie_str_t s, char separator, int n)
{
    const char  *end;

    if (s.ptr == NULL || n < 1) {
        return HIE_STR_NONE;
    }
    if (separator == 0) {
        return n == 1 ? s : HIE_STR_NONE;
    }
    for (;;) {
        end = s.len > 0 ? memchr(s.ptr, separator, s.len) : NULL;
        if (n == 1) {
            return end == NULL ? s
                   : (hie_str_t) { s.ptr, (size_t) (end - s.ptr) };
        }
        if (end == NULL) {
            return HIE_STR_NONE;
        }
        s.len -= (size_t) (end + 1 - s.ptr);
        s.ptr = end + 1;
        n--;
    }
}


hie_str_t
hie_hl7_first_line(hie_str_t bytes)
{
    size_t  n = 0;

    while (n < bytes.len && bytes.ptr[n] != '\r' && bytes.ptr[n] != '\n') {
        n++;
    }
    return (hie_str_t) { bytes.ptr, n };
}


hie_rc_t
hie_hl7_delims(hie_str_t bytes, hie_hl7_delims_t *d, hie_error_t *err)
{
    hie_str_t  enc;
    char      *slots[5] = { &d->component, &d->repeat, &d->escape, &d->sub,
                            &d->truncate };
    size_t     i;

    memset(d, 0, sizeof(*d));
    if (!hie_str_starts(bytes, "MSH") || bytes.len < 5) {
        return hie_fail(err, HIE_INVALID, "MSH^1",
                        "the message does not begin with an MSH segment");
    }
    if (!is_delimiter(bytes.ptr[3])) {
        return hie_fail(err, HIE_INVALID, "MSH^1^1",
                        "MSH-1 (field separator) is no delimiter");
    }
    d->field = bytes.ptr[3];
    enc = hie_hl7_part(hie_hl7_first_line(bytes), d->field, 2);
    if (enc.len < 1 || enc.len > 5) {
        return hie_fail(err, HIE_INVALID, "MSH^1^2",
                        "MSH-2 (encoding characters) has %d characters, "
                        "expected are one to five", (int) enc.len);
    }
    for (i = 0; i < enc.len; i++) {
        if (!is_delimiter(enc.ptr[i])
            || memchr(enc.ptr, enc.ptr[i], i) != NULL)
        {
            return hie_fail(err, HIE_INVALID, "MSH^1^2",
                            "MSH-2 (encoding characters) repeats a character "
                            "or has one that is no delimiter");
        }
        *slots[i] = enc.ptr[i];
    }
    return HIE_OK;
}


/* Whether a segment can begin at `pos`: a name and a separator or an end. */
static bool
begins_segment(hie_str_t text, size_t pos, char separator)
{
    const char  *p = text.ptr + pos;
    size_t       left = text.len - pos;

    if (left < 3 || !is_upper(p[0]) || !(is_upper(p[1]) || is_digit(p[1]))
        || !(is_upper(p[2]) || is_digit(p[2])))
    {
        return false;
    }
    return left == 3 || p[3] == separator || p[3] == '\r' || p[3] == '\n';
}


/* Whether the line feed at `pos` ends a segment: it does unless text follows
 * that is no segment. Some senders put bare line feeds into OBX-5. */
static bool
feed_ends(hie_str_t text, size_t pos, char separator)
{
    pos++;
    return pos == text.len || text.ptr[pos] == '\n' || text.ptr[pos] == '\r'
           || begins_segment(text, pos, separator);
}


/* The next line that is not empty; false at the end. */
static bool
next_line(hie_str_t text, size_t *pos, char separator, hie_str_t *line)
{
    size_t  start;

    while (*pos < text.len
           && (text.ptr[*pos] == '\r' || text.ptr[*pos] == '\n'))
    {
        (*pos)++;
    }
    start = *pos;
    while (*pos < text.len && text.ptr[*pos] != '\r'
           && !(text.ptr[*pos] == '\n' && feed_ends(text, *pos, separator)))
    {
        (*pos)++;
    }
    *line = (hie_str_t) { text.ptr + start, *pos - start };
    return line->len > 0;
}


/* The fields of a segment, and whether one of them repeats beyond reason:
 * repetitions are found from the start of their field. Those of OBX-5 and
 * NTE-3 are lines of text and are read in one go. */
static bool
count_fields(const hie_hl7_t *m, hie_str_t line, size_t *fields)
{
    bool    text = hie_str_starts(line, "OBX") || hie_str_starts(line, "NTE");
    int     field = 0;
    int     repeats = 0;
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (line.ptr[i] == m->d.field) {
            field++;
            repeats = 0;
            (*fields)++;
        } else if (line.ptr[i] == m->d.repeat
                   && !(text && (field == 3 || field == 5)))
        {
            if (++repeats >= MAX_REPEATS) {
                return false;
            }
        }
    }
    return true;
}


/* Counts, so that one allocation each is enough. */
static hie_rc_t
measure(const hie_hl7_t *m, int *segments, size_t *starts, hie_error_t *err)
{
    hie_str_t  line;
    size_t     pos = 0;
    int        n = 0;

    *starts = 0;
    while (next_line(m->text, &pos, m->d.field, &line)) {
        n++;
        if (!begins_segment(line, 0, m->d.field)) {
            return hie_fail(err, HIE_INVALID, "",
                            "line %d does not begin with a segment name and "
                            "a field separator", n);
        }
        if (n > 1 && hie_str_starts(line, "MSH")) {
            return hie_fail(err, HIE_INVALID, "MSH^2",
                            "a second MSH segment; every message needs a "
                            "frame of its own");
        }
        *starts += 2;
        if (!count_fields(m, line, starts)) {
            return hie_fail(err, HIE_INVALID, "",
                            "a field of segment %.3s (line %d) has more than "
                            "%d repetitions", line.ptr, n, MAX_REPEATS);
        }
    }
    *segments = n;
    return HIE_OK;
}


static hie_rc_t
split(hie_hl7_t *m, apr_pool_t *pool, hie_error_t *err)
{
    hie_hl7_segment_t  *s;
    hie_str_t           line;
    hie_rc_t            rc;
    size_t              pos = 0;
    size_t              total;
    size_t              i;
    uint32_t            used = 0;

    rc = measure(m, &m->n, &total, err);
    if (rc != HIE_OK) {
        return rc;
    }
    m->segments = apr_palloc(pool, sizeof(*m->segments) * (size_t) m->n);
    m->starts = apr_palloc(pool, sizeof(*m->starts) * total);
    for (s = m->segments; next_line(m->text, &pos, m->d.field, &line); s++) {
        uint32_t  base = (uint32_t) (line.ptr - m->text.ptr);

        s->first = used;
        m->starts[used++] = base;
        for (i = 0; i < line.len; i++) {
            if (line.ptr[i] == m->d.field) {
                m->starts[used++] = base + (uint32_t) i + 1;
            }
        }
        s->n = used - s->first;
        m->starts[used++] = base + (uint32_t) line.len + 1;
    }
    return HIE_OK;
}


/* The header as read afterwards must name the set by which it was decoded:
 * in sets of several bytes a separator may be half of a character. */
static hie_rc_t
check_header(hie_hl7_t *m, hie_str_t msh18, apr_pool_t *pool,
             hie_error_t *err)
{
    hie_str_t  code = hie_hl7_value(m, 0, 9, 0, 1, 1, pool);
    hie_str_t  event = hie_hl7_value(m, 0, 9, 0, 2, 1, pool);
    hie_buf_t  b;

    if (!hie_str_eq(hie_hl7_raw(m, 0, 18, -1), msh18)) {
        return hie_fail(err, HIE_INVALID, "MSH^1^18",
                        "MSH-18 (character set) cannot be read reliably");
    }
    hie_buf_init(&b, pool, 16);
    hie_buf_adds(&b, code);
    if (event.len > 0) {
        hie_buf_addc(&b, '^');
        hie_buf_adds(&b, event);
    }
    m->type = hie_buf_str(&b);
    m->control_id = hie_hl7_value(m, 0, 10, 0, 1, 1, pool);
    return HIE_OK;
}


hie_rc_t
hie_hl7_parse(apr_pool_t *pool, hie_str_t bytes, hie_hl7_t **out,
              hie_error_t *err)
{
    hie_hl7_t  *m = apr_pcalloc(pool, sizeof(*m));
    hie_str_t   msh18;
    hie_rc_t    rc;

    *out = NULL;
    if (bytes.len > UINT32_MAX / 4) {
        return hie_fail(err, HIE_TOO_LARGE, "", "the message is too large");
    }
    rc = hie_hl7_check_bytes(&bytes, err);
    if (rc != HIE_OK) {
        return rc;
    }
    bytes = hie_str_trim(bytes);
    if (bytes.len == 0) {
        return hie_fail(err, HIE_INVALID, "MSH^1", "the frame is empty");
    }
    if (hie_str_starts(bytes, "FHS") || hie_str_starts(bytes, "BHS")) {
        return hie_fail(err, HIE_UNSUPPORTED, "MSH^1",
                        "a batch (%.3s) is not accepted; send every message "
                        "in a frame of its own", bytes.ptr);
    }
    rc = hie_hl7_delims(bytes, &m->d, err);
    if (rc != HIE_OK) {
        return rc;
    }
    msh18 = hie_hl7_part(hie_hl7_first_line(bytes), m->d.field, 18);
    rc = hie_hl7_to_utf8(pool, bytes, msh18, m->d.repeat, &m->text, err);
    if (rc != HIE_OK) {
        return rc;
    }
    rc = split(m, pool, err);
    if (rc == HIE_OK) {
        rc = check_header(m, msh18, pool, err);
    }
    if (rc == HIE_OK) {
        *out = m;
    }
    return rc;
}


int
hie_hl7_segments(const hie_hl7_t *m)
{
    return m->n;
}


hie_str_t
hie_hl7_segment(const hie_hl7_t *m, int i)
{
    if (i < 0 || i >= m->n) {
        return HIE_STR_NONE;
    }
    return (hie_str_t) { m->text.ptr + m->starts[m->segments[i].first], 3 };
}


int
hie_hl7_find(const hie_hl7_t *m, const char *name, int from)
{
    int  i;

    for (i = from < 0 ? 0 : from; i < m->n; i++) {
        if (hie_str_eqz(hie_hl7_segment(m, i), name)) {
            return i;
        }
    }
    return -1;
}


/* In MSH the separator itself is field 1 (HL7 v2.5 section 2.15.9). */
static hie_str_t
whole_field(const hie_hl7_t *m, int segment, int field)
{
    const uint32_t  *start;
    uint32_t         i = (uint32_t) field;

    if (segment < 0 || segment >= m->n || field < 1) {
        return HIE_STR_NONE;
    }
    if (hie_str_eqz(hie_hl7_segment(m, segment), "MSH")) {
        if (field == 1) {
            return (hie_str_t) { m->text.ptr + 3, 1 };
        }
        i--;
    }
    if (i >= m->segments[segment].n) {
        return HIE_STR_NONE;
    }
    start = m->starts + m->segments[segment].first + i;
    return (hie_str_t) { m->text.ptr + start[0], start[1] - start[0] - 1 };
}


hie_str_t
hie_hl7_raw(const hie_hl7_t *m, int segment, int field, int repeat)
{
    hie_str_t  s = whole_field(m, segment, field);

    if (repeat < 0
        || (segment == 0 && (field == 1 || field == 2)))
    {
        return repeat > 0 ? HIE_STR_NONE : s;
    }
    return hie_hl7_part(s, m->d.repeat, repeat + 1);
}


int
hie_hl7_repeats(const hie_hl7_t *m, int segment, int field)
{
    hie_str_t  s = whole_field(m, segment, field);
    size_t     i;
    int        n = 1;

    if (s.len == 0) {
        return 0;
    }
    if (m->d.repeat == 0 || (segment == 0 && field <= 2)) {
        return 1;
    }
    for (i = 0; i < s.len; i++) {
        n += s.ptr[i] == m->d.repeat;
    }
    return n;
}


hie_str_t
hie_hl7_value(const hie_hl7_t *m, int segment, int field, int repeat,
              int component, int subcomponent, apr_pool_t *pool)
{
    hie_str_t  s;

    if (repeat < 0 || component < 1 || subcomponent < 1) {
        return HIE_STR_NONE;
    }
    s = hie_hl7_raw(m, segment, field, repeat);
    if (segment == 0 && (field == 1 || field == 2)) {
        return component == 1 && subcomponent == 1 ? s : HIE_STR_NONE;
    }
    return hie_hl7_value_of(m, s, component, subcomponent, pool);
}


hie_str_t
hie_hl7_value_of(const hie_hl7_t *m, hie_str_t s, int component,
                 int subcomponent, apr_pool_t *pool)
{
    s = hie_hl7_part(s, m->d.component, component);
    s = hie_hl7_part(s, m->d.sub, subcomponent);
    if (s.len == 0) {
        return HIE_STR_NONE;
    }
    if (hie_str_eqz(s, "\"\"")) {
        return HIE_STR("");
    }
    return hie_hl7_unescape(pool, s, &m->d);
}


hie_str_t
hie_hl7_type(const hie_hl7_t *m)
{
    return m->type;
}


hie_str_t
hie_hl7_control_id(const hie_hl7_t *m)
{
    return m->control_id;
}
