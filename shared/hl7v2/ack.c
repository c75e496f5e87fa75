/*
 * Acknowledgements, original mode (HL7 v2.5 section 2.9.2 and 2.15). The
 * header of the message is all that is needed, and it need not be sound.
 */

#include <string.h>

#include "hl7v2/message.h"

#define DEFAULT_ENCODING  "^~\\&"

/* What is taken from the message, as it stands there. */
typedef struct {
    bool              readable;     /* its fields can be told apart */
    hie_hl7_delims_t  d;
    hie_str_t         encoding;     /* MSH-2 of the acknowledgement */
    hie_str_t         line;
    int               version;      /* 2.5.1 is 20501, unreadable 0 */
} header_t;

static const char *const codes[] = { "", "AA", "AE", "AR" };


/* Fit for a segment: no control characters, and UTF-8. */
static hie_str_t
clean(apr_pool_t *pool, hie_str_t s)
{
    bool    utf8 = hie_utf8_valid(s);
    char   *out = apr_palloc(pool, s.len + 1);
    size_t  n = 0;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.ptr[i];

        if (c >= 0x80 && !utf8) {
            c = '?';
        }
        if (c >= 0x20 && c != 0x7f) {
            out[n++] = (char) c;
        }
    }
    return (hie_str_t) { out, n };
}


static int
version_number(hie_str_t v)
{
    int     part[3] = { 0, 0, 0 };
    int     n = 0;
    size_t  i;

    for (i = 0; i < v.len && n < 3; i++) {
        if (v.ptr[i] == '.') {
            n++;
        } else if (v.ptr[i] >= '0' && v.ptr[i] <= '9' && part[n] < 10) {
            part[n] = part[n] * 10 + (v.ptr[i] - '0');
        } else {
            return 0;
        }
    }
    return part[0] * 10000 + part[1] * 100 + part[2];
}


static hie_str_t
field(const header_t *h, int n)
{
    return h->readable ? hie_hl7_part(h->line, h->d.field, n)
                       : HIE_STR_NONE;
}


/* Where MSH-2 is of no use, that of the acknowledgement is the recommended
 * one. MSH-1 is enough to find the fields, as long as it is none of those. */
static void
read_delims(hie_str_t line, header_t *h)
{
    char  fs;

    if (hie_hl7_delims(line, &h->d, NULL) == HIE_OK) {
        h->readable = true;
        h->encoding = hie_hl7_part(line, h->d.field, 2);
        return;
    }
    fs = h->d.field;
    h->readable = fs != 0 && strchr(DEFAULT_ENCODING, fs) == NULL;
    h->d = (hie_hl7_delims_t) { h->readable ? fs : '|', '^', '~', '\\', '&',
                                0 };
    h->encoding = HIE_STR(DEFAULT_ENCODING);
}


static void
read_header(apr_pool_t *pool, hie_str_t message, header_t *h)
{
    hie_str_t  line = HIE_STR_NONE;
    hie_str_t  utf8;
    hie_str_t  version;

    memset(h, 0, sizeof(*h));
    if (hie_hl7_check_bytes(&message, NULL) == HIE_OK) {
        line = hie_hl7_first_line(hie_str_trim(message));
    }
    read_delims(line, h);
    if (!h->readable) {
        return;
    }
    if (hie_hl7_to_utf8(pool, line, hie_hl7_part(line, h->d.field, 18),
                        h->d.repeat, &utf8, NULL) == HIE_OK)
    {
        line = utf8;
    }
    h->line = clean(pool, line);
    version = hie_hl7_part(field(h, 12), h->d.component, 1);
    h->version = version_number(hie_str_trim(version));
}


/* HL7 table 0357. The location tells the codes of one result apart. */
static const char *
condition(const hie_error_t *err)
{
    hie_str_t  where = hie_str(err->where);
    bool       in_field = hie_hl7_part(where, '^', 3).len > 0;

    switch (err->rc) {
    case HIE_INVALID:
        return in_field || where.len == 0 ? "102^Data type error"
                                          : "100^Segment sequence error";
    case HIE_UNPROCESSABLE:
        return in_field ? "101^Required field missing"
               : where.len == 0 ? "102^Data type error"
               : "100^Segment sequence error";
    case HIE_UNSUPPORTED:
        if (hie_str_starts(where, "MSH^1^9^1^2")) {
            return "201^Unsupported event code";
        }
        if (hie_str_starts(where, "MSH^1^11")) {
            return "202^Unsupported processing id";
        }
        if (hie_str_starts(where, "MSH^1^12")) {
            return "203^Unsupported version id";
        }
        if (hie_str_starts(where, "MSH^1^18")) {
            return "103^Table value not found";
        }
        return "200^Unsupported message type";
    case HIE_NOT_FOUND:
        return "204^Unknown key identifier";
    default:
        return "207^Application internal error";
    }
}


/* Text of ours with '^' between components. */
static void
add_components(hie_buf_t *b, const header_t *h, hie_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        hie_buf_addc(b, text.ptr[i] == '^' ? h->d.component : text.ptr[i]);
    }
}


/* An ERL location, as in "PID^1^3"; other forms (FHIRPath) are no ERL. */
static bool
is_location(hie_str_t where)
{
    size_t  i;

    for (i = 0; i < where.len; i++) {
        char  c = where.ptr[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')
            && (c != '^' || i < 3))
        {
            return false;
        }
    }
    return where.len >= 3 && (where.len == 3 || where.ptr[3] == '^');
}


/* MSH-9: a third component came with 2.3.1, the event with 2.2; without an
 * event there is only the type. */
static void
add_type(hie_buf_t *b, const header_t *h)
{
    hie_str_t  event = hie_hl7_part(field(h, 9), h->d.component, 2);
    size_t     i;

    hie_buf_addz(b, "ACK");
    for (i = 0; i < event.len; i++) {
        char  c = event.ptr[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) {
            return;
        }
    }
    if (event.len == 0 || (h->version > 0 && h->version < 20200)) {
        return;
    }
    hie_buf_addc(b, h->d.component);
    hie_buf_adds(b, event);
    if (h->version == 0 || h->version >= 20301) {
        hie_buf_addc(b, h->d.component);
        hie_buf_addz(b, "ACK");
    }
}


static void
add_time(hie_buf_t *b, apr_time_t now)
{
    apr_time_exp_t  t;

    apr_time_exp_gmt(&t, now);
    hie_buf_addf(b, "%04d%02d%02d%02d%02d%02d+0000", t.tm_year + 1900,
                 t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}


static void
add_msh(hie_buf_t *b, const header_t *h, apr_time_t now,
        const char *control_id, bool ascii)
{
    static const int  swapped[] = { 5, 6, 3, 4 };
    hie_str_t         processing = field(h, 11);
    hie_str_t         version = field(h, 12);
    char              fs = h->d.field;
    size_t            i;

    hie_buf_addz(b, "MSH");
    hie_buf_addc(b, fs);
    hie_buf_adds(b, h->encoding);
    for (i = 0; i < 4; i++) {
        hie_buf_addc(b, fs);
        hie_buf_adds(b, field(h, swapped[i]));
    }
    hie_buf_addc(b, fs);
    add_time(b, now);
    hie_buf_addc(b, fs);
    hie_buf_addc(b, fs);
    add_type(b, h);
    hie_buf_addc(b, fs);
    hie_hl7_escape(b, hie_str(control_id), &h->d);
    hie_buf_addc(b, fs);
    hie_buf_adds(b, processing.len > 0 ? processing : HIE_STR("P"));
    hie_buf_addc(b, fs);
    hie_buf_adds(b, version.len > 0 ? version : HIE_STR("2.5"));
    if (!ascii) {
        for (i = 12; i < 18; i++) {
            hie_buf_addc(b, fs);
        }
        hie_buf_addz(b, "UNICODE UTF-8");
    }
    hie_buf_addc(b, '\r');
}


static void
add_err(hie_buf_t *b, const header_t *h, const hie_error_t *err,
        hie_str_t detail)
{
    char  fs = h->d.field;

    hie_buf_addz(b, "ERR");
    hie_buf_addc(b, fs);
    hie_buf_addc(b, fs);
    if (is_location(hie_str(err->where))) {
        add_components(b, h, hie_str(err->where));
    }
    hie_buf_addc(b, fs);
    add_components(b, h, hie_str(condition(err)));
    add_components(b, h, HIE_STR("^HL70357"));
    hie_buf_addc(b, fs);
    hie_buf_addc(b, 'E');
    for (int i = 4; i < 8; i++) {
        hie_buf_addc(b, fs);
    }
    hie_hl7_escape(b, detail, &h->d);
    hie_buf_addc(b, '\r');
}


/* MSA and, when there is something to say, ERR: from 2.5 on; before, the
 * text is MSA-3 (HL7 v2.4 section 2.13.1). */
static void
add_rest(hie_buf_t *b, const header_t *h, hie_ack_t code,
         const hie_error_t *err, hie_str_t detail)
{
    bool  old = h->version > 0 && h->version < 20500;

    hie_buf_addz(b, "MSA");
    hie_buf_addc(b, h->d.field);
    hie_buf_addz(b, codes[code]);
    hie_buf_addc(b, h->d.field);
    hie_buf_adds(b, field(h, 10));
    if (err != NULL && old) {
        hie_buf_addc(b, h->d.field);
        hie_hl7_escape(b, detail, &h->d);
    }
    hie_buf_addc(b, '\r');
    if (err != NULL && !old) {
        add_err(b, h, err, detail);
    }
}


static bool
is_ascii(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((unsigned char) s.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}


hie_str_t
hie_hl7_ack(apr_pool_t *pool, hie_str_t message, hie_ack_t code,
            const hie_error_t *err, apr_time_t now, const char *control_id)
{
    header_t   h;
    hie_buf_t  b;
    hie_buf_t  msh;
    hie_str_t  detail = HIE_STR_NONE;

    read_header(pool, message, &h);
    if (err != NULL) {
        detail = clean(pool, hie_str(err->detail));
    }
    hie_buf_init(&b, pool, 256);
    add_rest(&b, &h, code, err, detail);
    hie_buf_init(&msh, pool, 512);
    add_msh(&msh, &h, now, control_id, true);
    if (!is_ascii(hie_buf_str(&msh)) || !is_ascii(hie_buf_str(&b))) {
        msh.len = 0;
        add_msh(&msh, &h, now, control_id, false);
    }
    hie_buf_adds(&msh, hie_buf_str(&b));
    return hie_buf_str(&msh);
}
