/*
 * JSON for the eye: an element a line. Strings and numbers keep their bytes.
 */

#include <string.h>

#include "fhir/fhir.h"

#define INDENT_MAX  64


static void
new_line(hie_buf_t *b, int depth)
{
    int  i;

    hie_buf_addc(b, '\n');
    for (i = 0; i < depth && i < INDENT_MAX; i++) {
        hie_buf_add(b, "  ", 2);
    }
}


static const char *
skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    return p;
}


/* Behind a string, or behind anything else that is no punctuation. */
static const char *
skip_value(const char *p, const char *end)
{
    if (*p != '"') {
        while (p < end && strchr(",:]} \n\r\t", *p) == NULL) {
            p++;
        }
        return p;
    }

    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\' && p + 1 < end;
    }

    return p < end ? p + 1 : end;
}


/* A bracket that opens; one that closes at once stays beside it. */
static const char *
open_bracket(hie_buf_t *b, const char *p, const char *end, int *depth)
{
    char  close = *p == '{' ? '}' : ']';

    hie_buf_addc(b, *p);
    p = skip_space(p + 1, end);

    if (p < end && *p == close) {
        hie_buf_addc(b, close);
        return p + 1;
    }

    new_line(b, ++*depth);

    return p;
}


hie_str_t
hie_fhir_pretty(apr_pool_t *pool, hie_str_t json)
{
    int          depth;
    hie_buf_t    b;
    const char  *p, *end, *from;

    hie_buf_init(&b, pool, json.len + json.len / 2 + 64);
    end = json.ptr + json.len;

    for (depth = 0, p = skip_space(json.ptr, end); p < end;
         p = skip_space(p, end))
    {
        switch (*p) {
        case '{':
        case '[':
            p = open_bracket(&b, p, end, &depth);
            break;

        case '}':
        case ']':
            new_line(&b, --depth);
            hie_buf_addc(&b, *p++);
            break;

        case ',':
            hie_buf_addc(&b, *p++);
            new_line(&b, depth);
            break;

        case ':':
            hie_buf_add(&b, ": ", 2);
            p++;
            break;

        default:
            from = p;
            p = skip_value(p, end);
            hie_buf_add(&b, from, (size_t) (p - from));
        }
    }

    hie_buf_addc(&b, '\n');

    return hie_buf_str(&b);
}
