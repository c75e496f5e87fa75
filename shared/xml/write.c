/*
 * A resource as XML: members are put into the order of the definition, an
 * object at a time, and written with their JSON escapes turned into XML's.
 */

#include "xml/private.h"

#include <string.h>

#include <apr_tables.h>

#include "fhir/definitions.h"

/* Indentation beyond this depth is of no help to anybody. */
#define INDENT_MAX  64

/* Where we are, for errors; innermost first. */
typedef struct place_t {
    const struct place_t  *up;
    const char            *name;
    int                    len;
    int                    index;        /* of an array, or -1 */
} place_t;

/* A member of an object with its `_name`. */
typedef struct {
    const hie_element_t  *e;
    hie_node_t            value;
    hie_node_t            extra;
} member_t;

typedef struct {
    const hie_doc_t     *doc;
    hie_buf_t           *out;
    apr_array_header_t  *members;        /* of all objects that are open */
    bool                 pretty;
    int                  depth;
    hie_error_t         *err;
} writer_t;


static hie_rc_t
write_members(writer_t *w, const place_t *at, int first);

static hie_rc_t
write_resource(writer_t *w, const place_t *at, hie_node_t n, bool root);


static void
put_place(hie_buf_t *b, const place_t *at)
{
    if (at->up != NULL) {
        put_place(b, at->up);
        hie_buf_addc(b, '.');
    }

    hie_buf_add(b, at->name, (size_t) at->len);

    if (at->index >= 0) {
        hie_buf_addf(b, "[%d]", at->index);
    }
}


static hie_rc_t
fail(writer_t *w, const place_t *at, const char *what, hie_str_t name)
{
    hie_buf_t  b;

    hie_buf_init(&b, w->out->pool, 128);
    put_place(&b, at);
    hie_buf_addc(&b, '\0');

    if (name.len > 100) {
        name.len = 100;
    }

    return hie_fail(w->err, HIE_UNPROCESSABLE, b.ptr, "%s%s%.*s", what,
                    name.len > 0 ? ": " : "", HIE_PRISTR(name));
}


static void
indent(writer_t *w)
{
    static const char  blanks[] = "\n                                        "
                                  "                                        "
                                  "                                        "
                                  "        ";

    if (w->pretty) {
        hie_buf_add(w->out, blanks,
                    1 + 2 * (size_t) (w->depth < INDENT_MAX ? w->depth
                                                            : INDENT_MAX));
    }
}


static unsigned
hex4(const char *p)
{
    int       i;
    unsigned  c;

    for (i = 0, c = 0; i < 4; i++) {
        c = c << 4 | ((unsigned) p[i] <= '9' ? (unsigned) p[i] - '0'
                      : ((unsigned) p[i] | 0x20) - 'a' + 10);
    }

    return c;
}


static void
put_utf8(hie_buf_t *b, unsigned c)
{
    char    bytes[4];
    size_t  n;

    if (c < 0x800) {
        bytes[0] = (char) (0xc0 | c >> 6);
        n = 1;
    } else if (c < 0x10000) {
        bytes[0] = (char) (0xe0 | c >> 12);
        bytes[1] = (char) (0x80 | (c >> 6 & 0x3f));
        n = 2;
    } else {
        bytes[0] = (char) (0xf0 | c >> 18);
        bytes[1] = (char) (0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char) (0x80 | (c >> 6 & 0x3f));
        n = 3;
    }

    bytes[n++] = (char) (0x80 | (c & 0x3f));
    hie_buf_add(b, bytes, n);
}


/* A character in an attribute's value; false: XML 1.0 section 2.2 does not
 * have it. White space other than a blank would be read as one (3.3.3). */
static bool
put_char(hie_buf_t *b, unsigned c)
{
    switch (c) {
    case '&':
        hie_buf_addz(b, "&amp;");
        return true;
    case '<':
        hie_buf_addz(b, "&lt;");
        return true;
    case '"':
        hie_buf_addz(b, "&quot;");
        return true;
    case '\t':
    case '\n':
    case '\r':
        hie_buf_addf(b, "&#%u;", c);
        return true;
    case 0xfffe:
    case 0xffff:
        return false;
    default:
        if (c < 0x20) {
            return false;
        }
        if (c < 0x80) {
            hie_buf_addc(b, (char) c);
        } else {
            put_utf8(b, c);
        }
        return true;
    }
}


/* A JSON escape; `p` is behind the backslash. Surrogates come in pairs: the
 * parser has seen to it. */
static bool
put_escape(hie_buf_t *b, const char **p)
{
    static const char  from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char        *f;
    unsigned           c;

    if (**p == 'u') {
        c = hex4(*p + 1);
        *p += 5;

        if (c >= 0xd800 && c <= 0xdbff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (hex4(*p + 2) - 0xdc00);
            *p += 6;
        }

        return put_char(b, c);
    }

    f = strchr(from, **p);
    c = f != NULL ? (unsigned char) to[f - from] : (unsigned char) **p;
    (*p)++;

    return put_char(b, c);
}


/* The bytes between a JSON string's quotes as an attribute's value. */
static bool
put_string(hie_buf_t *b, const char *p, const char *end)
{
    /* what is not copied as it is: & < \ and U+FFFE, U+FFFF (EF BF BE/BF) */
    static const bool  special[256] = {
        ['&'] = true, ['<'] = true, ['\\'] = true, [0xef] = true
    };
    const char        *from;
    bool               ok;

    for (from = p, ok = true; p < end && ok; ) {
        if (!special[(unsigned char) *p]) {
            p++;
            continue;
        }

        if ((unsigned char) *p == 0xef) {
            ok = memcmp(p, "\xef\xbf\xbe", 3) != 0
                 && memcmp(p, "\xef\xbf\xbf", 3) != 0;
            p += 3;
            continue;
        }

        hie_buf_add(b, from, (size_t) (p - from));

        if (*p == '\\') {
            p++;
            ok = put_escape(b, &p);
        } else {
            ok = put_char(b, (unsigned char) *p++);
        }

        from = p;
    }

    hie_buf_add(b, from, (size_t) (p - from));

    return ok;
}


/* The kind of JSON value that a primitive type has (R4 section 2.6.2.3). */
static bool
kind_fits(hie_type_t type, hie_node_kind_t kind)
{
    switch (type) {
    case HIE_TYPE_boolean:
        return kind == HIE_NODE_TRUE || kind == HIE_NODE_FALSE;
    case HIE_TYPE_decimal:
    case HIE_TYPE_integer:
    case HIE_TYPE_positiveInt:
    case HIE_TYPE_unsignedInt:
        return kind == HIE_NODE_NUMBER;
    default:
        return kind == HIE_NODE_STRING;
    }
}


static hie_rc_t
put_value(writer_t *w, const place_t *at, const char *name, hie_type_t type,
          hie_node_t n)
{
    hie_str_t        raw = hie_doc_raw(w->doc, n);
    hie_node_kind_t  kind = hie_doc_kind(w->doc, n);

    if (!kind_fits(type, kind)) {
        return fail(w, at, "not the JSON value of its type",
                    hie_str(hie_types[type].name));
    }

    hie_buf_addc(w->out, ' ');
    hie_buf_addz(w->out, name);
    hie_buf_addz(w->out, "=\"");

    if (kind != HIE_NODE_STRING) {
        hie_buf_adds(w->out, raw);

    } else if (!put_string(w->out, raw.ptr + 1, raw.ptr + raw.len - 1)) {
        return fail(w, at, "XML has no such character", HIE_STR_NONE);
    }

    hie_buf_addc(w->out, '"');

    return HIE_OK;
}


/*
 * The members of an object, in the order of the definition, on top of
 * w->members.
 */

static member_t *
find_member(writer_t *w, int first, const hie_element_t *e)
{
    int        i;
    member_t  *m;

    for (i = w->members->nelts; i > first; i--) {
        m = &APR_ARRAY_IDX(w->members, i - 1, member_t);
        if (m->e == e) {
            return m;
        }
        if (m->e < e) {
            break;
        }
    }

    /* i: where it belongs */
    apr_array_push(w->members);
    m = &APR_ARRAY_IDX(w->members, i, member_t);
    memmove(m + 1, m,
            (size_t) (w->members->nelts - 1 - i) * sizeof(member_t));
    m->e = e;
    m->value = HIE_NODE_NONE;
    m->extra = HIE_NODE_NONE;

    return m;
}


static bool
has_extra(const hie_element_t *e)
{
    return hie_types[e->type].kind == HIE_KIND_PRIMITIVE
           && e->type != HIE_TYPE_xhtml
           && !(e->flags & HIE_ELEMENT_ATTRIBUTE);
}


static hie_rc_t
collect(writer_t *w, const place_t *at, hie_type_t type, hie_node_t n)
{
    int                   first = w->members->nelts;
    bool                  extra;
    hie_str_t             name;
    hie_node_t            c;
    member_t             *m;
    const hie_element_t  *e;

    for (c = hie_doc_first(w->doc, n); c != HIE_NODE_NONE;
         c = hie_doc_next(w->doc, c))
    {
        name = hie_doc_name(w->doc, c, w->out->pool);
        extra = name.len > 0 && name.ptr[0] == '_';
        e = hie_element_find(type, (hie_str_t) { name.ptr + extra,
                                                 name.len - extra });

        if (e == NULL || (extra && !has_extra(e))) {
            if (hie_types[type].kind == HIE_KIND_RESOURCE
                && hie_str_eqz(name, "resourceType"))
            {
                continue;
            }

            return fail(w, at, "R4 does not define the member", name);
        }

        if (hie_doc_kind(w->doc, c) == HIE_NODE_NULL) {
            continue;
        }

        m = find_member(w, first, e);
        *(extra ? &m->extra : &m->value) = c;
    }

    return HIE_OK;
}


static hie_rc_t
write_attributes(writer_t *w, const place_t *at, int first)
{
    int              i;
    place_t          here;
    hie_rc_t         rc;
    const member_t  *m;

    for (i = first; i < w->members->nelts; i++) {
        m = &APR_ARRAY_IDX(w->members, i, member_t);
        if (!(m->e->flags & HIE_ELEMENT_ATTRIBUTE)) {
            continue;
        }

        here = (place_t) { at, m->e->name, m->e->name_len, -1 };
        rc = put_value(w, &here, m->e->name, m->e->type, m->value);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


/*
 * Elements.
 */

static void
open_tag(writer_t *w, const hie_element_t *e)
{
    indent(w);
    hie_buf_addc(w->out, '<');
    hie_buf_add(w->out, e->name, e->name_len);
}


static void
close_tag(writer_t *w, const char *name, size_t len)
{
    indent(w);
    hie_buf_add(w->out, "</", 2);
    hie_buf_add(w->out, name, len);
    hie_buf_addc(w->out, '>');
}


/* Members of an element whose tag is open after its name; the end of it. One
 * with neither attribute nor child says nothing: it is taken back. */
static hie_rc_t
write_content(writer_t *w, const place_t *at, const hie_element_t *e,
              int first, size_t start, size_t named)
{
    size_t    inner;
    hie_rc_t  rc;

    rc = write_attributes(w, at, first);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_addc(w->out, '>');
    inner = w->out->len;
    rc = write_members(w, at, first);
    if (rc != HIE_OK) {
        return rc;
    }

    if (w->out->len > inner) {
        close_tag(w, e->name, e->name_len);

    } else if (inner == named + 1) {
        w->out->len = start;

    } else {
        w->out->len--;
        hie_buf_add(w->out, "/>", 2);
    }

    return HIE_OK;
}


static hie_rc_t
write_primitive(writer_t *w, const place_t *at, const hie_element_t *e,
                hie_node_t value, hie_node_t extra)
{
    int       first = w->members->nelts;
    size_t    start = w->out->len, named;
    hie_rc_t  rc;

    open_tag(w, e);
    named = w->out->len;

    if (value != HIE_NODE_NONE
        && hie_doc_kind(w->doc, value) != HIE_NODE_NULL)
    {
        rc = put_value(w, at, "value", e->type, value);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    if (extra == HIE_NODE_NONE
        || hie_doc_kind(w->doc, extra) == HIE_NODE_NULL)
    {
        if (w->out->len == named) {
            w->out->len = start;
        } else {
            hie_buf_add(w->out, "/>", 2);
        }

        return HIE_OK;
    }

    if (hie_doc_kind(w->doc, extra) != HIE_NODE_OBJECT) {
        return fail(w, at, "what goes with the value is no object",
                    HIE_STR_NONE);
    }

    rc = collect(w, at, e->type, extra);
    if (rc == HIE_OK) {
        rc = write_content(w, at, e, first, start, named);
    }

    w->members->nelts = first;

    return rc;
}


static hie_rc_t
write_complex(writer_t *w, const place_t *at, const hie_element_t *e,
              hie_node_t value)
{
    int       first = w->members->nelts;
    size_t    start = w->out->len, named;
    hie_rc_t  rc;

    if (hie_doc_kind(w->doc, value) != HIE_NODE_OBJECT) {
        return fail(w, at, "an object is needed", HIE_STR_NONE);
    }

    rc = collect(w, at, e->type, value);
    if (rc == HIE_OK) {
        open_tag(w, e);
        named = w->out->len;
        rc = write_content(w, at, e, first, start, named);
    }

    w->members->nelts = first;

    return rc;
}


/* An element that holds any resource: contained, entry.resource, … */
static hie_rc_t
write_holder(writer_t *w, const place_t *at, const hie_element_t *e,
             hie_node_t value)
{
    hie_rc_t  rc;

    open_tag(w, e);
    hie_buf_addc(w->out, '>');
    w->depth++;
    rc = write_resource(w, at, value, false);
    w->depth--;
    close_tag(w, e->name, e->name_len);

    return rc;
}


/* The div goes in as it is; so it has to be looked at, or it could close the
 * element that it is in. */
static hie_rc_t
write_div(writer_t *w, const place_t *at, hie_node_t value)
{
    hie_str_t    div;
    hie_error_t  err;

    if (hie_doc_kind(w->doc, value) != HIE_NODE_STRING) {
        return fail(w, at, "not the JSON value of its type",
                    HIE_STR("xhtml"));
    }

    div = hie_doc_string(w->doc, value, w->out->pool);
    if (hie_xml_div(div, &div, &err) != HIE_OK) {
        return fail(w, at, err.detail, HIE_STR_NONE);
    }

    indent(w);
    hie_buf_adds(w->out, div);

    return HIE_OK;
}


static hie_rc_t
write_one(writer_t *w, const place_t *at, const hie_element_t *e,
          hie_node_t value, hie_node_t extra)
{
    if (e->type == HIE_TYPE_xhtml) {
        return write_div(w, at, value);
    }

    if (hie_types[e->type].kind == HIE_KIND_PRIMITIVE) {
        return write_primitive(w, at, e, value, extra);
    }

    if (hie_types[e->type].kind == HIE_KIND_RESOURCE) {
        return write_holder(w, at, e, value);
    }

    return write_complex(w, at, e, value);
}


static bool
is_array(const writer_t *w, hie_node_t n)
{
    return n == HIE_NODE_NONE || hie_doc_kind(w->doc, n) == HIE_NODE_ARRAY;
}


/* The values of an element that repeats, and beside them those of `_name`. */
static hie_rc_t
write_array(writer_t *w, place_t *here, const member_t *m)
{
    hie_rc_t    rc;
    hie_node_t  value, extra;

    if (!is_array(w, m->value) || !is_array(w, m->extra)) {
        here->index = -1;
        return fail(w, here, "an array is needed", HIE_STR_NONE);
    }

    value = hie_doc_first(w->doc, m->value);
    extra = hie_doc_first(w->doc, m->extra);

    while (value != HIE_NODE_NONE || extra != HIE_NODE_NONE) {
        rc = write_one(w, here, m->e, value, extra);
        if (rc != HIE_OK) {
            return rc;
        }

        value = hie_doc_next(w->doc, value);
        extra = hie_doc_next(w->doc, extra);
        here->index++;
    }

    return HIE_OK;
}


static hie_rc_t
write_member(writer_t *w, const place_t *at, const member_t *m)
{
    bool     array = m->e->max != 1;
    place_t  here = { at, m->e->name, m->e->stem_len, array ? 0 : -1 };

    return array ? write_array(w, &here, m)
                 : write_one(w, &here, m->e, m->value, m->extra);
}


static hie_rc_t
write_members(writer_t *w, const place_t *at, int first)
{
    int       i, end = w->members->nelts;
    member_t  m, last;
    hie_rc_t  rc = HIE_OK;

    w->depth++;
    last.e = NULL;

    for (i = first; i < end && rc == HIE_OK; i++) {
        m = APR_ARRAY_IDX(w->members, i, member_t);

        if (m.e->flags & HIE_ELEMENT_ATTRIBUTE) {
            continue;
        }

        if (last.e != NULL && last.e->order == m.e->order) {
            rc = fail(w, at, "more than one type of a choice",
                      hie_str(m.e->name));
            break;
        }

        rc = write_member(w, at, &m);
        last = m;
    }

    w->depth--;

    return rc;
}


static hie_rc_t
write_resource(writer_t *w, const place_t *at, hie_node_t n, bool root)
{
    int         first = w->members->nelts;
    size_t      inner;
    place_t     here;
    hie_rc_t    rc;
    hie_str_t   name;
    hie_type_t  type;

    name = hie_doc_get(w->doc, n, "resourceType", w->out->pool);
    type = hie_type_find(name);
    if (type == HIE_TYPE_NONE || hie_types[type].kind != HIE_KIND_RESOURCE
        || hie_types[type].abstract)
    {
        here = (place_t) { NULL, "", 0, -1 };
        return fail(w, at != NULL ? at : &here,
                    "resourceType is none of R4", name);
    }

    if (root) {
        here = (place_t) { NULL, name.ptr, (int) name.len, -1 };
        at = &here;
    }

    rc = collect(w, at, type, n);
    if (rc != HIE_OK) {
        return rc;
    }

    indent(w);
    hie_buf_addc(w->out, '<');
    hie_buf_adds(w->out, name);
    if (root) {
        hie_buf_addz(w->out, " xmlns=\"" HIE_XML_NS "\"");
    }

    hie_buf_addc(w->out, '>');
    inner = w->out->len;
    rc = write_members(w, at, first);
    w->members->nelts = first;

    if (w->out->len > inner) {
        close_tag(w, name.ptr, name.len);
    } else {
        w->out->len--;
        hie_buf_add(w->out, "/>", 2);
    }

    return rc;
}


hie_rc_t
hie_xml_from_json(const hie_doc_t *d, hie_node_t n, unsigned flags,
                  hie_buf_t *out, hie_error_t *err)
{
    size_t    len = out->len;
    hie_rc_t  rc;
    writer_t  w = { .doc = d, .out = out, .err = err };

    w.members = apr_array_make(out->pool, 64, sizeof(member_t));
    w.pretty = flags & HIE_XML_PRETTY;

    hie_buf_addz(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if (!w.pretty) {
        hie_buf_addc(out, '\n');
    }

    rc = write_resource(&w, NULL, n, true);
    if (w.pretty) {
        hie_buf_addc(out, '\n');
    }

    if (rc != HIE_OK) {
        out->len = len;
    }

    return rc;
}
