/*
 * Reading a tape.
 */

#include "fhir/doc.h"

#include <string.h>


hie_str_t
hie_doc_raw(const hie_doc_t *d, hie_node_t n)
{
    const hie_tape_t  *t;

    if (n == HIE_NODE_NONE) {
        return HIE_STR_NONE;
    }

    t = &d->nodes[n];

    return (hie_str_t) { d->text + t->start, t->len };
}


hie_str_t
hie_doc_bytes(const hie_doc_t *d)
{
    return hie_doc_raw(d, 0);
}


hie_node_kind_t
hie_doc_kind(const hie_doc_t *d, hie_node_t n)
{
    return n == HIE_NODE_NONE ? 0 : (hie_node_kind_t) d->nodes[n].kind;
}


static unsigned
hex_digits(const char *p)
{
    unsigned  i, v = 0;

    for (i = 0; i < 4; i++) {
        unsigned  c = (unsigned char) p[i];

        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }

    return v;
}


/* Writes a code point as UTF-8 and returns what follows it. */
static char *
put_utf8(char *w, unsigned c)
{
    if (c < 0x80) {
        *w++ = (char) c;

    } else if (c < 0x800) {
        *w++ = (char) (0xc0 | c >> 6);
        *w++ = (char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *w++ = (char) (0xe0 | c >> 12);
        *w++ = (char) (0x80 | (c >> 6 & 0x3f));
        *w++ = (char) (0x80 | (c & 0x3f));

    } else {
        *w++ = (char) (0xf0 | c >> 18);
        *w++ = (char) (0x80 | (c >> 12 & 0x3f));
        *w++ = (char) (0x80 | (c >> 6 & 0x3f));
        *w++ = (char) (0x80 | (c & 0x3f));
    }

    return w;
}


/* Escapes are never shorter than what they stand for. */
hie_str_t
hie_doc_unescape(apr_pool_t *pool, hie_str_t raw)
{
    static const char  from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char              *out, *w;
    const char        *p = raw.ptr, *end = raw.ptr + raw.len, *f;
    unsigned           c;

    out = w = apr_palloc(pool, raw.len + 1);

    while (p < end) {
        if (*p != '\\') {
            *w++ = *p++;

        } else if (p[1] == 'u') {
            c = hex_digits(p + 2);
            p += 6;

            if (c >= 0xd800 && c <= 0xdbff) {
                c = 0x10000 + ((c - 0xd800) << 10)
                    + (hex_digits(p + 2) - 0xdc00);
                p += 6;
            }

            w = put_utf8(w, c);

        } else {
            f = strchr(from, p[1]);
            *w++ = f != NULL ? to[f - from] : p[1];
            p += 2;
        }
    }

    *w = '\0';

    return (hie_str_t) { out, (size_t) (w - out) };
}


hie_str_t
hie_doc_string(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    const hie_tape_t  *t;
    hie_str_t          s;

    if (n == HIE_NODE_NONE || d->nodes[n].kind != HIE_NODE_STRING) {
        return HIE_STR_NONE;
    }

    t = &d->nodes[n];
    s.ptr = d->text + t->start + 1;
    s.len = t->len - 2;

    return t->flags & HIE_TAPE_ESCAPED ? hie_doc_unescape(pool, s) : s;
}


hie_str_t
hie_doc_name(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    const hie_tape_t  *t;
    hie_str_t          s;
    const char        *p;

    if (n == 0 || n == HIE_NODE_NONE
        || !(d->nodes[n].flags & HIE_TAPE_MEMBER))
    {
        return HIE_STR_NONE;
    }

    t = &d->nodes[n];
    s.ptr = d->text + t->name;

    if (!(t->flags & HIE_TAPE_NAME_ESCAPED)) {
        s.len = (size_t) ((const char *) memchr(s.ptr, '"',
                                                t->start - t->name) - s.ptr);
        return s;
    }

    for (p = s.ptr; *p != '"'; p++) {
        p += *p == '\\';
    }

    s.len = (size_t) (p - s.ptr);

    return hie_doc_unescape(pool, s);
}


hie_node_t
hie_doc_first(const hie_doc_t *d, hie_node_t n)
{
    return n != HIE_NODE_NONE && d->nodes[n].size > 1 ? n + 1 : HIE_NODE_NONE;
}


hie_node_t
hie_doc_next(const hie_doc_t *d, hie_node_t n)
{
    const hie_tape_t  *t;

    if (n == 0 || n == HIE_NODE_NONE) {
        return HIE_NODE_NONE;
    }

    t = &d->nodes[n];

    return t->flags & HIE_TAPE_LAST ? HIE_NODE_NONE : n + t->size;
}


uint32_t
hie_doc_count(const hie_doc_t *d, hie_node_t n)
{
    uint32_t    count = 0;
    hie_node_t  c;

    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        count++;
    }

    return count;
}


/* A name written with escapes is the same name (RFC 8259 section 8.3). It is
 * compared piece by piece, so that no pool is needed. */
static bool
escaped_name_is(const char *p, hie_str_t name)
{
    static const char  from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char               piece[4];
    const char        *f;
    size_t             at = 0, len;
    unsigned           c;

    while (*p != '"') {
        len = 1;
        piece[0] = *p++;

        if (piece[0] == '\\' && *p == 'u') {
            c = hex_digits(p + 1);
            p += 5;

            if (c >= 0xd800 && c <= 0xdbff) {
                c = 0x10000 + ((c - 0xd800) << 10)
                    + (hex_digits(p + 2) - 0xdc00);
                p += 6;
            }

            len = (size_t) (put_utf8(piece, c) - piece);

        } else if (piece[0] == '\\') {
            f = strchr(from, *p);
            piece[0] = f != NULL ? to[f - from] : *p;
            p++;
        }

        if (name.len - at < len || memcmp(name.ptr + at, piece, len) != 0) {
            return false;
        }

        at += len;
    }

    return at == name.len;
}


hie_node_t
hie_doc_member_seen(const hie_doc_t *d, hie_node_t object, hie_str_t name,
                    uint32_t *seen)
{
    const hie_tape_t  *t;
    const char        *p;
    hie_node_t         c;

    if (object == HIE_NODE_NONE || d->nodes[object].kind != HIE_NODE_OBJECT) {
        return HIE_NODE_NONE;
    }

    for (c = hie_doc_first(d, object);
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        t = &d->nodes[c];
        p = d->text + t->name;
        (*seen)++;

        /* quote, colon and value follow a name: len + 1 bytes are there */
        if (t->flags & HIE_TAPE_NAME_ESCAPED) {
            if (escaped_name_is(p, name)) {
                return c;
            }

        } else if (t->start - t->name > name.len && p[name.len] == '"'
                   && memcmp(p, name.ptr, name.len) == 0)
        {
            return c;
        }
    }

    return HIE_NODE_NONE;
}


hie_node_t
hie_doc_member_str(const hie_doc_t *d, hie_node_t object, hie_str_t name)
{
    uint32_t  seen = 0;

    return hie_doc_member_seen(d, object, name, &seen);
}


hie_node_t
hie_doc_member(const hie_doc_t *d, hie_node_t object, const char *name)
{
    return hie_doc_member_str(d, object, hie_str(name));
}


hie_str_t
hie_doc_get(const hie_doc_t *d, hie_node_t object, const char *name,
            apr_pool_t *pool)
{
    return hie_doc_string(d, hie_doc_member(d, object, name), pool);
}


hie_doc_t *
hie_doc_sub(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n)
{
    hie_doc_t  *sub = apr_palloc(pool, sizeof(*sub));

    sub->text = d->text;
    sub->nodes = d->nodes + n;

    return sub;
}


static void
walk_path(const hie_doc_t *d, hie_node_t n, hie_str_t path, hie_path_fn *fn,
          void *baton)
{
    hie_str_t   name, rest;
    hie_node_t  c;

    if (n == HIE_NODE_NONE) {
        return;
    }

    /* no element of FHIR is a list of lists: deeper ones are not followed */
    if (d->nodes[n].kind == HIE_NODE_ARRAY) {
        for (c = hie_doc_first(d, n);
             c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            if (d->nodes[c].kind != HIE_NODE_ARRAY) {
                walk_path(d, c, path, fn, baton);
            }
        }

        return;
    }

    if (path.len == 0) {
        fn(baton, d, n);
        return;
    }

    name = hie_str_split(path, '.', &rest);
    walk_path(d, hie_doc_member_str(d, n, name), rest, fn, baton);
}


void
hie_doc_path(const hie_doc_t *d, hie_node_t n, hie_str_t path,
             hie_path_fn *fn, void *baton)
{
    hie_str_t  one, rest = path;

    while (rest.ptr != NULL) {
        one = hie_str_split(rest, '|', &rest);
        walk_path(d, n, one, fn, baton);
    }
}
