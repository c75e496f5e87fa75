/* JSON, member by member. */

#include <string.h>

#include "hl7v2/jw.h"


/* A string ends with a quote, so a bracket before is a bracket of ours. */
static void
member(hie_buf_t *b, const char *name)
{
    char  last = b->len > 0 ? b->ptr[b->len - 1] : '[';

    if (last != '{' && last != '[') {
        hie_buf_addc(b, ',');
    }
    if (name != NULL) {
        hie_buf_addc(b, '"');
        hie_buf_addz(b, name);
        hie_buf_addz(b, "\":");
    }
}


size_t
hie_jw_open(hie_buf_t *b, const char *name, char bracket)
{
    size_t  mark = b->len;

    member(b, name);
    hie_buf_addc(b, bracket);
    return mark;
}


bool
hie_jw_close(hie_buf_t *b, size_t mark, char bracket)
{
    char  last = b->ptr[b->len - 1];

    if (last == '{' || last == '[') {
        b->len = mark;
        return false;
    }
    hie_buf_addc(b, bracket);
    return true;
}


static bool
is_control(char c)
{
    unsigned char  u = (unsigned char) c;

    return (u < 0x20 && c != '\t' && c != '\n' && c != '\r') || u == 0x7f;
}


void
hie_jw_text(hie_buf_t *b, const char *name, hie_str_t v)
{
    char    *copy = NULL;
    size_t   i;

    if (hie_str_trim(v).len == 0) {
        return;
    }
    for (i = 0; i < v.len; i++) {
        if (is_control(v.ptr[i])) {
            if (copy == NULL) {
                copy = apr_pmemdup(b->pool, v.ptr, v.len);
                v.ptr = copy;
            }
            copy[i] = ' ';
        }
    }
    if (copy != NULL && hie_str_trim(v).len == 0) {
        return;
    }
    member(b, name);
    hie_buf_add_json(b, v);
}


void
hie_jw_z(hie_buf_t *b, const char *name, const char *v)
{
    hie_jw_text(b, name, hie_str(v));
}


void
hie_jw_code(hie_buf_t *b, const char *name, hie_str_t v)
{
    char    *out = apr_palloc(b->pool, v.len + 1);
    size_t   n = 0;
    size_t   i;

    for (i = 0; i < v.len; i++) {
        char  c = v.ptr[i];

        if ((unsigned char) c <= 0x20 || c == 0x7f) {
            if (n > 0 && out[n - 1] != ' ') {
                out[n++] = ' ';
            }
        } else {
            out[n++] = c;
        }
    }
    hie_jw_text(b, name, hie_str_trim((hie_str_t) { out, n }));
}


void
hie_jw_raw(hie_buf_t *b, const char *name, hie_str_t json)
{
    member(b, name);
    hie_buf_adds(b, json);
}
