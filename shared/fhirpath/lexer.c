/*
 * Tokens (FHIRPath N1, grammar).
 */

#include <stdarg.h>
#include <stdio.h>

#include "fhirpath/private.h"


hie_rc_t
hie_fp_fail_at(hie_error_t *err, hie_rc_t rc, hie_str_t source, uint32_t pos,
               const char *fmt, ...)
{
    char      where[48], detail[sizeof(err->detail)];
    size_t    i, line = 1, column = 1;
    va_list   args;

    if (err == NULL) {
        return rc;
    }

    for (i = 0; i < pos && i < source.len; i++) {
        if (source.ptr[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((unsigned char) source.ptr[i] & 0xc0) != 0x80;
        }
    }

    snprintf(where, sizeof(where), "%zu:%zu", line, column);
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);

    return hie_fail(err, rc, where, "%s", detail);
}


static hie_rc_t
wrong(fp_parser_t *ps, size_t pos, const char *what)
{
    return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, (uint32_t) pos,
                          "%s", what);
}


static int
peek(const fp_parser_t *ps, size_t ahead)
{
    return ps->at + ahead < ps->source.len
           ? (unsigned char) ps->source.ptr[ps->at + ahead] : -1;
}


static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}


static bool
is_name_start(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}


/* White space and comments. */
static hie_rc_t
skip_blank(fp_parser_t *ps)
{
    int     c;
    size_t  start;

    for ( ;; ) {
        c = peek(ps, 0);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            ps->at++;

        } else if (c == '/' && peek(ps, 1) == '/') {
            while (peek(ps, 0) != -1 && peek(ps, 0) != '\n') {
                ps->at++;
            }

        } else if (c == '/' && peek(ps, 1) == '*') {
            start = ps->at;
            ps->at += 2;
            while (peek(ps, 0) != '*' || peek(ps, 1) != '/') {
                if (peek(ps, 0) == -1) {
                    return wrong(ps, start, "this comment has no end");
                }

                ps->at++;
            }

            ps->at += 2;

        } else {
            return HIE_OK;
        }
    }
}


static bool
hex4(const fp_parser_t *ps, unsigned *out)
{
    int       c;
    size_t    i;
    unsigned  v = 0;

    for (i = 0; i < 4; i++) {
        c = peek(ps, i);
        if (is_digit(c)) {
            v = v << 4 | (unsigned) (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            v = v << 4 | (unsigned) ((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }

    *out = v;
    return true;
}


static void
add_utf8(hie_buf_t *b, unsigned c)
{
    if (c < 0x80) {
        hie_buf_addc(b, (char) c);
        return;
    }

    if (c < 0x800) {
        hie_buf_addc(b, (char) (0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            hie_buf_addc(b, (char) (0xe0 | c >> 12));
        } else {
            hie_buf_addc(b, (char) (0xf0 | c >> 18));
            hie_buf_addc(b, (char) (0x80 | (c >> 12 & 0x3f)));
        }

        hie_buf_addc(b, (char) (0x80 | (c >> 6 & 0x3f)));
    }

    hie_buf_addc(b, (char) (0x80 | (c & 0x3f)));
}


/* After "\u": a code point, which may take two of them. */
static hie_rc_t
unicode_escape(fp_parser_t *ps, hie_buf_t *b)
{
    size_t    start = ps->at - 2;
    unsigned  c, low;

    if (!hex4(ps, &c)) {
        return wrong(ps, start, "expected four hexadecimal digits after \\u");
    }

    ps->at += 4;
    if (c >= 0xd800 && c <= 0xdbff && peek(ps, 0) == '\\'
        && peek(ps, 1) == 'u')
    {
        ps->at += 2;
        if (!hex4(ps, &low) || low < 0xdc00 || low > 0xdfff) {
            return wrong(ps, start, "expected the second half of a pair");
        }

        ps->at += 4;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }

    if ((c >= 0xd800 && c <= 0xdfff) || c == 0) {
        return wrong(ps, start, "this is no character");
    }

    add_utf8(b, c);
    return HIE_OK;
}


/* A string, or a name in back quotes. */
static hie_rc_t
quoted(fp_parser_t *ps, int quote)
{
    static const char  from[] = "'\"`rntf\\/", to[] = "'\"`\r\n\t\f\\/";
    int                c;
    size_t             start = ps->at++;
    hie_rc_t           rc;
    hie_buf_t          b;
    const char        *f;

    hie_buf_init(&b, ps->pool, 32);
    for (c = peek(ps, 0); c != quote; c = peek(ps, 0)) {
        if (c == -1) {
            return wrong(ps, start, "this string has no end");
        }

        ps->at++;
        if (c != '\\') {
            hie_buf_addc(&b, (char) c);
            continue;
        }

        c = peek(ps, 0);
        ps->at++;
        if (c == 'u') {
            rc = unicode_escape(ps, &b);
            if (rc != HIE_OK) {
                return rc;
            }

            continue;
        }

        f = c <= 0 ? NULL : strchr(from, c);
        if (f == NULL) {
            return wrong(ps, ps->at - 2, "no escape of FHIRPath");
        }

        hie_buf_addc(&b, to[f - from]);
    }

    ps->at++;
    ps->token.kind = quote == '\'' ? TOKEN_STRING : TOKEN_QUOTED_NAME;
    ps->token.text = hie_buf_str(&b);
    return HIE_OK;
}


static size_t
digits(fp_parser_t *ps, size_t max)
{
    size_t  n;

    for (n = 0; n < max && is_digit(peek(ps, 0)); n++) {
        ps->at++;
    }

    return n;
}


/* hh[:mm[:ss[.fff]]] with a zone for a DateTime. What it holds is checked by
 * hie_fp_time_parse. */
static void
clock_part(fp_parser_t *ps, bool zone)
{
    digits(ps, 2);
    if (peek(ps, 0) == ':' && is_digit(peek(ps, 1))) {
        ps->at++;
        digits(ps, 2);
        if (peek(ps, 0) == ':' && is_digit(peek(ps, 1))) {
            ps->at++;
            digits(ps, 2);
            if (peek(ps, 0) == '.' && is_digit(peek(ps, 1))) {
                ps->at++;
                digits(ps, SIZE_MAX);
            }
        }
    }

    if (!zone) {
        return;
    }

    if (peek(ps, 0) == 'Z') {
        ps->at++;

    } else if ((peek(ps, 0) == '+' || peek(ps, 0) == '-')
               && is_digit(peek(ps, 1)) && is_digit(peek(ps, 2))
               && peek(ps, 3) == ':')
    {
        ps->at += 4;
        digits(ps, 2);
    }
}


/* '@' and a date, a date with time, or T and a time. */
static void
time_literal(fp_parser_t *ps)
{
    size_t  start = ++ps->at;

    if (peek(ps, 0) != 'T') {
        digits(ps, 4);
        if (peek(ps, 0) == '-' && is_digit(peek(ps, 1))) {
            ps->at++;
            digits(ps, 2);
            if (peek(ps, 0) == '-' && is_digit(peek(ps, 1))) {
                ps->at++;
                digits(ps, 2);
            }
        }
    }

    if (peek(ps, 0) == 'T') {
        ps->at++;
        clock_part(ps, ps->at - start > 1);
    }

    ps->token.kind = TOKEN_TIME;
    ps->token.text.ptr = ps->source.ptr + start;
    ps->token.text.len = ps->at - start;
}


static void
word(fp_parser_t *ps)
{
    size_t  start = ps->at;

    if (is_digit(peek(ps, 0))) {
        digits(ps, SIZE_MAX);
        if (peek(ps, 0) == '.' && is_digit(peek(ps, 1))) {
            ps->at++;
            digits(ps, SIZE_MAX);
        }

        ps->token.kind = TOKEN_NUMBER;

    } else {
        while (is_name_start(peek(ps, 0)) || is_digit(peek(ps, 0))) {
            ps->at++;
        }

        ps->token.kind = TOKEN_NAME;
    }

    ps->token.text.ptr = ps->source.ptr + start;
    ps->token.text.len = ps->at - start;
}


static hie_rc_t
sign(fp_parser_t *ps)
{
    static const char *const  two[] = { "<=", ">=", "!=", "!~" };
    size_t                    i, len = 1;

    for (i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
        if (peek(ps, 0) == two[i][0] && peek(ps, 1) == two[i][1]) {
            len = 2;
        }
    }

    if (len == 1 && memchr("+-*/&|<>=~.,()[]{}%$", peek(ps, 0), 20) == NULL) {
        return wrong(ps, ps->at, "no character of FHIRPath here");
    }

    ps->token.kind = TOKEN_SIGN;
    ps->token.text.ptr = ps->source.ptr + ps->at;
    ps->token.text.len = len;
    ps->at += len;
    return HIE_OK;
}


hie_rc_t
hie_fp_next(fp_parser_t *ps)
{
    int       c;
    hie_rc_t  rc;

    rc = skip_blank(ps);
    if (rc != HIE_OK) {
        return rc;
    }

    ps->token.pos = (uint32_t) ps->at;
    c = peek(ps, 0);

    if (c == -1) {
        ps->token.kind = TOKEN_END;
        ps->token.text = HIE_STR("");
        return HIE_OK;
    }

    if (c == '\'' || c == '`' || c == '"') {
        return quoted(ps, c);
    }

    if (c == '@') {
        time_literal(ps);
        return HIE_OK;
    }

    if (is_digit(c) || is_name_start(c)) {
        word(ps);
        return HIE_OK;
    }

    return sign(ps);
}
