/*
 * Encodings of text: UTF-8, JSON strings, URLs, base64url.
 */

#include "base/private.h"

#include <string.h>


/* The well-formed sequences of RFC 3629 section 4, by their first byte: how
 * long they are and what the second byte may be. The further ones are always
 * 80..BF. */
static size_t
utf8_lead(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;

    if (c < 0x80) {
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef) {
        if (c == 0xe0) {
            *low = 0xa0;
        } else if (c == 0xed) {
            *high = 0x9f;
        }
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (c == 0xf0) {
            *low = 0x90;
        } else if (c == 0xf4) {
            *high = 0x8f;
        }
        return 4;
    }
    return 0;
}


size_t
hie_utf8_next(const unsigned char *p, size_t len, bool *ok)
{
    unsigned char  low, high;
    size_t         i, n = utf8_lead(p[0], &low, &high);

    *ok = false;
    if (n == 0) {
        return 1;
    }
    for (i = 1; i < n; i++) {
        if (i == len || p[i] < low || p[i] > high) {
            return i;
        }
        low = 0x80;
        high = 0xbf;
    }

    *ok = true;
    return n;
}


void
hie_utf8_cut(char *z)
{
    size_t  len = strlen(z), start = len;
    bool    ok = true;

    /* Back to the last byte that may begin a character. */
    while (start > 0 && len - start < 4) {
        start--;
        if (((unsigned char) z[start] & 0xc0) != 0x80) {
            hie_utf8_next((unsigned char *) z + start, len - start, &ok);
            break;
        }
    }
    if (!ok) {
        z[start] = '\0';
    }
}


bool
hie_utf8_valid(hie_str_t s)
{
    const unsigned char  *p = (const unsigned char *) s.ptr;
    size_t                i = 0;
    bool                  ok;

    while (i < s.len) {
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        i += hie_utf8_next(p + i, s.len - i, &ok);
        if (!ok) {
            return false;
        }
    }
    return true;
}


static void
json_escape(hie_buf_t *b, unsigned char c)
{
    static const char  from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char        *p = c != '\0' ? strchr(from, c) : NULL;

    if (p != NULL) {
        hie_buf_addc(b, '\\');
        hie_buf_addc(b, to[p - from]);
    } else {
        hie_buf_addf(b, "\\u%04x", c);
    }
}


void
hie_buf_add_json(hie_buf_t *b, hie_str_t s)
{
    const unsigned char  *p = (const unsigned char *) s.ptr;
    size_t                i = 0, start = 0, n;
    bool                  ok;

    hie_buf_addc(b, '"');

    while (i < s.len) {
        if (p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') {
            i++;
            continue;
        }

        n = hie_utf8_next(p + i, s.len - i, &ok);
        if (!ok || n == 1) {
            hie_buf_add(b, p + start, i - start);
            if (ok) {
                json_escape(b, p[i]);
            } else {
                hie_buf_addz(b, "\xef\xbf\xbd");
            }
            start = i + n;
        }
        i += n;
    }

    if (i > start) {
        hie_buf_add(b, p + start, i - start);
    }
    hie_buf_addc(b, '"');
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}


bool
hie_url_decode(apr_pool_t *pool, hie_str_t in, bool form, hie_str_t *out)
{
    char    *ptr = apr_palloc(pool, in.len + 1);
    size_t   i, n = 0;
    int      high, low;
    char     c;

    for (i = 0; i < in.len; i++) {
        c = in.ptr[i];
        if (c == '%') {
            if (in.len - i < 3) {
                return false;
            }
            high = hex_value(in.ptr[i + 1]);
            low = hex_value(in.ptr[i + 2]);
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char) (high * 16 + low);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c == '\0') {
            return false;
        }
        ptr[n++] = c;
    }
    ptr[n] = '\0';

    *out = (hie_str_t) { ptr, n };
    return hie_utf8_valid(*out);
}


/* RFC 3986 section 2.3; the locale must not have a say in it. */
static bool
is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || c == '-' || c == '.' || c == '_' || c == '~';
}


void
hie_url_encode(hie_buf_t *b, hie_str_t in)
{
    static const char  hex[] = "0123456789ABCDEF";
    unsigned char      c;
    size_t             i;

    for (i = 0; i < in.len; i++) {
        c = (unsigned char) in.ptr[i];
        if (is_unreserved(in.ptr[i])) {
            hie_buf_addc(b, in.ptr[i]);
        } else {
            hie_buf_addc(b, '%');
            hie_buf_addc(b, hex[c >> 4]);
            hie_buf_addc(b, hex[c & 15]);
        }
    }
}


static int
base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-') {
        return 62;
    }
    return c == '_' ? 63 : -1;
}


bool
hie_base64url_decode(apr_pool_t *pool, hie_str_t in, hie_str_t *out)
{
    unsigned  bits = 0, n_bits = 0;
    char     *ptr;
    size_t    i, n = 0;
    int       value;

    if (in.len % 4 == 1) {
        return false;
    }
    ptr = apr_palloc(pool, in.len / 4 * 3 + 3);

    for (i = 0; i < in.len; i++) {
        value = base64url_value(in.ptr[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (unsigned) value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            ptr[n++] = (char) (bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    ptr[n] = '\0';

    *out = (hie_str_t) { ptr, n };

    /* RFC 4648 section 3.5: one encoding only for every value. */
    return bits == 0;
}


void
hie_base64url_encode(hie_buf_t *b, hie_str_t in)
{
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned           bits = 0, n_bits = 0;
    size_t             i;

    for (i = 0; i < in.len; i++) {
        bits = (bits & 0x3f) << 8 | (unsigned char) in.ptr[i];
        n_bits += 8;
        while (n_bits >= 6) {
            n_bits -= 6;
            hie_buf_addc(b, alphabet[bits >> n_bits & 0x3f]);
        }
    }
    if (n_bits > 0) {
        hie_buf_addc(b, alphabet[bits << (6 - n_bits) & 0x3f]);
    }
}
