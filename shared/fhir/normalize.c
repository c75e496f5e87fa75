/*
 * Text as string search compares it (R4 section 3.1.1.4.9: insensitive to
 * case and to accents or other diacritical marks).
 */

#include "fhir/fhir.h"

#include <utf8proc.h>

#define OPTIONS                                                               \
    (UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_STRIPMARK                \
     | UTF8PROC_CASEFOLD)


/* Every run of white space becomes one space, none at the ends. */
typedef struct {
    char  *start;
    char  *w;
    bool   space;
} squeeze_t;


static void
put_gap(squeeze_t *q)
{
    if (q->space && q->w > q->start) {
        *q->w++ = ' ';
    }

    q->space = false;
}


static bool
is_space(utf8proc_int32_t c)
{
    utf8proc_category_t  category;

    if (c < 0x80) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }

    category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL
           || category == UTF8PROC_CATEGORY_ZP;
}


/* Most text is ASCII. False, with nothing of use, if this is not. */
static bool
squeeze_ascii(squeeze_t *q, hie_str_t text)
{
    size_t  i;
    char    c;

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];

        if ((unsigned char) c >= 0x80) {
            return false;
        }

        if (is_space(c)) {
            q->space = true;
            continue;
        }

        put_gap(q);
        *q->w++ = c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
    }

    return true;
}


hie_str_t
hie_fhir_normalize(apr_pool_t *pool, hie_str_t text)
{
    const utf8proc_uint8_t  *in = (const utf8proc_uint8_t *) text.ptr;
    utf8proc_ssize_t         n, i, in_len = (utf8proc_ssize_t) text.len;
    utf8proc_int32_t        *points;
    squeeze_t                q;

    if (text.len == 0) {
        return HIE_STR("");
    }

    q.start = q.w = apr_palloc(pool, text.len + 1);
    q.space = false;

    if (squeeze_ascii(&q, text)) {
        return (hie_str_t) { q.start, (size_t) (q.w - q.start) };
    }

    n = utf8proc_decompose(in, in_len, NULL, 0, OPTIONS);

    if (n < 0) {
        return HIE_STR("");         /* not UTF-8: equals nothing */
    }

    points = apr_palloc(pool, (size_t) (n + 1) * sizeof(*points));
    n = utf8proc_decompose(in, in_len, points, n, OPTIONS);
    q.start = q.w = apr_palloc(pool, (size_t) n * 4 + 1);
    q.space = false;

    for (i = 0; i < n; i++) {
        if (is_space(points[i])) {
            q.space = true;
            continue;
        }

        put_gap(&q);
        q.w += utf8proc_encode_char(points[i], (utf8proc_uint8_t *) q.w);
    }

    return (hie_str_t) { q.start, (size_t) (q.w - q.start) };
}


hie_str_t
hie_fhir_fold(apr_pool_t *pool, hie_str_t text)
{
    const utf8proc_uint8_t  *in = (const utf8proc_uint8_t *) text.ptr;
    utf8proc_ssize_t         n, i, in_len = (utf8proc_ssize_t) text.len;
    utf8proc_int32_t        *points;
    char                    *w;
    hie_str_t                out;

    if (text.len == 0) {
        return HIE_STR("");
    }

    n = utf8proc_decompose(in, in_len, NULL, 0, UTF8PROC_CASEFOLD);
    if (n < 0) {
        return HIE_STR("");         /* not UTF-8: equals nothing */
    }

    points = apr_palloc(pool, (size_t) (n + 1) * sizeof(*points));
    n = utf8proc_decompose(in, in_len, points, n, UTF8PROC_CASEFOLD);
    out.ptr = w = apr_palloc(pool, (size_t) n * 4 + 1);
    for (i = 0; i < n; i++) {
        w += utf8proc_encode_char(points[i], (utf8proc_uint8_t *) w);
    }

    out.len = (size_t) (w - out.ptr);
    return out;
}
