/*
 * Escape sequences (HL7 v2.5 section 2.7): delimiters, hexadecimal data and
 * line breaks are resolved; highlighting, other formatting, sequences of a
 * site and text with a stray escape character stay as they are.
 */

#include <string.h>

#include "hl7v2/message.h"


static int
hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* \Xhh..\: the bytes must be UTF-8 and without NUL, else it stays. */
static bool
add_hex(hie_buf_t *b, hie_str_t digits)
{
    size_t  mark = b->len;
    size_t  i;
    int     c;

    if (digits.len == 0 || digits.len % 2 != 0) {
        return false;
    }
    for (i = 0; i < digits.len; i += 2) {
        int  high = hex(digits.ptr[i]);
        int  low = hex(digits.ptr[i + 1]);

        c = high < 0 || low < 0 ? 0 : high * 16 + low;
        if (c == 0) {
            b->len = mark;
            return false;
        }
        hie_buf_addc(b, (char) c);
    }
    if (!hie_utf8_valid((hie_str_t) { b->ptr + mark, b->len - mark })) {
        b->len = mark;
        return false;
    }
    return true;
}


/* What stands between two escape characters; false: unknown. */
static bool
add_sequence(hie_buf_t *b, hie_str_t body, const hie_hl7_delims_t *d)
{
    char  c = 0;

    if (body.len == 1) {
        switch (body.ptr[0]) {
        case 'F': c = d->field; break;
        case 'S': c = d->component; break;
        case 'T': c = d->sub != 0 ? d->sub : '&'; break;
        case 'R': c = d->repeat; break;
        case 'E': c = d->escape; break;
        case 'P': c = d->truncate; break;
        default:  break;
        }
        if (c != 0) {
            hie_buf_addc(b, c);
        }
        return c != 0;
    }
    if (hie_str_eqz(body, ".br") || hie_str_eqz(body, ".sp")) {
        hie_buf_addc(b, '\n');
        return true;
    }
    if (body.len > 1 && body.ptr[0] == 'X') {
        return add_hex(b, (hie_str_t) { body.ptr + 1, body.len - 1 });
    }
    return false;
}


hie_str_t
hie_hl7_unescape(apr_pool_t *pool, hie_str_t raw, const hie_hl7_delims_t *d)
{
    hie_buf_t    b;
    hie_str_t    body;
    const char  *from;
    const char  *end;
    const char  *open;
    const char  *close;

    if (d->escape == 0 || raw.len == 0
        || memchr(raw.ptr, d->escape, raw.len) == NULL)
    {
        return raw;
    }
    hie_buf_init(&b, pool, raw.len + 1);
    from = raw.ptr;
    end = raw.ptr + raw.len;
    while (from < end) {
        open = memchr(from, d->escape, (size_t) (end - from));
        close = open == NULL || open + 1 == end ? NULL
                : memchr(open + 1, d->escape, (size_t) (end - open - 1));
        if (close == NULL) {
            hie_buf_add(&b, from, (size_t) (end - from));
            break;
        }
        hie_buf_add(&b, from, (size_t) (open - from));
        body = (hie_str_t) { open + 1, (size_t) (close - open - 1) };
        if (!add_sequence(&b, body, d)) {
            hie_buf_add(&b, open, (size_t) (close + 1 - open));
        }
        from = close + 1;
    }
    return hie_buf_str(&b);
}


/* Without an escape character a delimiter becomes a space; control
 * characters do in any case, so that no text can end a segment or frame. */
void
hie_hl7_escape(hie_buf_t *b, hie_str_t text, const hie_hl7_delims_t *d)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        char  c = text.ptr[i];
        char  code = 0;

        if (c == d->field) {
            code = 'F';
        } else if (c == d->component) {
            code = 'S';
        } else if (c == d->sub) {
            code = 'T';
        } else if (c == d->repeat) {
            code = 'R';
        } else if (c == d->escape) {
            code = 'E';
        } else if (c == d->truncate) {
            code = 'P';
        }
        if ((unsigned char) c < 0x20 || c == 0x7f
            || (code != 0 && d->escape == 0))
        {
            hie_buf_addc(b, ' ');
        } else if (code != 0) {
            hie_buf_addc(b, d->escape);
            hie_buf_addc(b, code);
            hie_buf_addc(b, d->escape);
        } else {
            hie_buf_addc(b, c);
        }
    }
}
