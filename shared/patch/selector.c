/*
 * Selectors of XML Patch, checked and put into the form that libxml2 takes.
 */

#include "patch/selector.h"

#include <string.h>

typedef struct {
    const char   *p;
    const char   *end;
    hie_buf_t    *out;
    bool          prefixed;
    size_t        costs;
} selector_t;


/* Names of FHIR and of RFC 5261's examples are ASCII; what is above may be
 * part of one. */
static bool
starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'
           || (c & 0x80);
}


static bool
in_name(char c)
{
    return starts_name(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}


static void
skip_space(selector_t *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p) != NULL) {
        s->p++;
    }
}


static bool
peek(selector_t *s, char c)
{
    skip_space(s);

    return s->p < s->end && *s->p == c;
}


/* Takes the character over into the result. */
static bool
take(selector_t *s, char c)
{
    if (!peek(s, c)) {
        return false;
    }

    hie_buf_addc(s->out, *s->p++);

    return true;
}


static bool
read_name(selector_t *s, hie_str_t *name)
{
    skip_space(s);
    name->ptr = s->p;

    if (s->p == s->end || !starts_name(*s->p)) {
        return false;
    }

    while (s->p < s->end && in_name(*s->p)) {
        s->p++;
    }

    name->len = (size_t) (s->p - name->ptr);

    return true;
}


/* A name with or without prefix, or "*" with or without one. */
static bool
name_test(selector_t *s, bool element)
{
    hie_str_t  name;

    if (take(s, '*')) {
        return true;
    }

    if (!read_name(s, &name)) {
        return false;
    }

    if (s->p < s->end && *s->p == ':') {
        hie_buf_adds(s->out, name);
        hie_buf_addc(s->out, *s->p++);

        if (s->p < s->end && *s->p == '*') {
            return take(s, '*');
        }

        if (!read_name(s, &name)) {
            return false;
        }

    } else if (element && s->prefixed) {
        hie_buf_addz(s->out, HIE_PATCH_DEFAULT_PREFIX ":");
    }

    hie_buf_adds(s->out, name);

    return true;
}


static bool
literal(selector_t *s)
{
    const char  *close;

    if (!peek(s, '\'') && !peek(s, '"')) {
        return false;
    }

    close = memchr(s->p + 1, *s->p, (size_t) (s->end - s->p - 1));

    if (close == NULL) {
        return false;
    }

    hie_buf_add(s->out, s->p, (size_t) (close + 1 - s->p));
    s->p = close + 1;

    return true;
}


static bool
number(selector_t *s)
{
    bool  any = false;

    skip_space(s);

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        hie_buf_addc(s->out, *s->p++);
        any = true;
    }

    return any;
}


/* What a predicate looks at. */
static bool
operand(selector_t *s)
{
    if (take(s, '.')) {
        return true;
    }

    for ( ;; ) {
        if (take(s, '@')) {
            return name_test(s, false);
        }

        if (!name_test(s, true)) {
            return false;
        }

        if (!take(s, '/')) {
            return true;
        }
    }
}


static bool
predicates(selector_t *s)
{
    while (take(s, '[')) {
        s->costs++;

        if (!number(s)) {
            if (!operand(s) || (take(s, '=') && !literal(s))) {
                return false;
            }
        }

        if (!take(s, ']')) {
            return false;
        }
    }

    return true;
}


/* text(), comment(), processing-instruction() with or without a target. */
static bool
node_type(selector_t *s)
{
    static const char *const  types[] = {
        "text", "comment", "processing-instruction"
    };
    const char  *start = s->p;
    hie_str_t    name;
    size_t       i;

    if (!read_name(s, &name)) {
        return false;
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (hie_str_eqz(name, types[i]) && peek(s, '(')) {
            hie_buf_adds(s->out, name);
            take(s, '(');

            if (i == 2) {
                literal(s);
            }

            return take(s, ')') && predicates(s);
        }
    }

    s->p = start;

    return false;
}


static bool
path(selector_t *s)
{
    take(s, '/');

    for ( ;; ) {
        s->costs++;
        skip_space(s);

        if (take(s, '@')) {
            return name_test(s, false);
        }

        if (node_type(s)) {
            return true;
        }

        if (!name_test(s, true) || !predicates(s)) {
            return false;
        }

        if (!take(s, '/')) {
            return true;
        }
    }
}


hie_rc_t
hie_patch_selector(hie_str_t text, bool prefixed, const char *where,
                   hie_buf_t *out, size_t *costs, hie_error_t *err)
{
    selector_t  s = { text.ptr, text.ptr + text.len, out, prefixed, 0 };
    bool        good;

    if (text.len == 0 || text.len > HIE_PATCH_SELECTOR_MAX) {
        return hie_fail(err, HIE_INVALID, where,
                        "The attribute sel must have 1 to %d bytes.",
                        HIE_PATCH_SELECTOR_MAX);
    }

    good = path(&s);
    skip_space(&s);
    *costs = s.costs;

    if (!good || s.p < s.end) {
        return hie_fail(err, HIE_INVALID, where,
                        "The selector is none of RFC 5261, at character %d: a "
                        "path of child elements with predicates, and at the "
                        "end perhaps an attribute, text() or comment().",
                        (int) (s.p - text.ptr) + 1);
    }

    return HIE_OK;
}
