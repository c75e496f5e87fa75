/*
 * A resource from XML: one pass over the events, JSON written as they come.
 *
 * Elements of one name stand together, so that an array is open as long as
 * the name stays. What a primitive has besides its value (`_name`) is put
 * aside meanwhile and follows the values.
 */

#include "xml/private.h"

#include <string.h>

#include <apr_strings.h>

#include "fhir/definitions.h"

#define XSI_NS  "http://www.w3.org/2001/XMLSchema-instance"

/* What was put aside is given back from this size on. Otherwise primitives
 * with extensions in each other would keep the document once for each. */
#define ASIDE_MAX  (64 * 1024)

typedef enum {
    FRAME_RESOURCE = 1,
    FRAME_OBJECT,
    FRAME_PRIMITIVE,
    FRAME_HOLDER             /* holds any resource */
} frame_kind_t;

/* An element that is open. */
typedef struct {
    frame_kind_t          kind;
    hie_type_t            type;
    const hie_element_t  *e;        /* in its parent; NULL: a resource */
    hie_buf_t            *out;      /* where its members go */
    bool                  open;     /* its brace, and with it a member */
    bool                  value;    /* of a primitive: has one */

    /* the child elements of one name that are being read */
    const hie_element_t  *run;
    int                   n;        /* how many so far */
    int                   n_value;  /* how many of them have been written */
    int                   n_extra;  /* the same in `extra` */
    hie_buf_t             extra;
    uint64_t              seen[4];  /* the orders of all so far */
} frame_t;

typedef struct {
    hie_xml_sax_t   x;
    apr_pool_t     *pool;
    unsigned        flags;
    hie_buf_t       out;
    frame_t        *frames;
    frame_t        *top;             /* NULL: before the root, and after it */
    const xmlChar  *ns;              /* the parser's copies */
    const xmlChar  *xhtml_ns;
    int             div;             /* levels open in narrative, 0: none */
    size_t          div_start;
    const xmlChar  *div_prefix;
    bool            rewrite;         /* the div is written anew, */
    hie_buf_t       markup;          /* here */
} reader_t;


/* FHIRPath of the frames up to `f`. */
static const char *
place(const reader_t *r, const frame_t *f)
{
    hie_buf_t             b;
    const frame_t        *k;
    const hie_element_t  *e;

    if (f == NULL) {
        return "";
    }

    hie_buf_init(&b, r->pool, 128);
    hie_buf_addz(&b, hie_types[r->frames[0].type].name);

    for (k = r->frames + 1; k <= f; k++) {
        e = k->e;
        if (e == NULL) {
            continue;
        }
        hie_buf_addc(&b, '.');
        hie_buf_add(&b, e->name, e->stem_len);
        if (e->max != 1) {
            hie_buf_addf(&b, "[%d]", k[-1].n - 1);
        }
    }

    hie_buf_addc(&b, '\0');

    return b.ptr;
}


static void
refuse(reader_t *r, const frame_t *f, const char *what, hie_str_t name)
{
    if (r->x.err.rc == 0) {
        hie_xml_refuse(&r->x, HIE_INVALID, NULL, place(r, f), "%s%s%.*s", what,
                       name.len > 0 ? ": " : "",
                       (int) (name.len < 100 ? name.len : 100),
                       name.len > 0 ? name.ptr : "");
    }
}


/*
 * Members.
 */

static void
put_name(hie_buf_t *b, const char *prefix, const hie_element_t *e)
{
    hie_buf_addc(b, '"');
    hie_buf_addz(b, prefix);
    hie_buf_add(b, e->name, e->name_len);
    hie_buf_add(b, "\":", 2);
}


/* The nulls of an array up to its n-th value, and the comma before that. */
static void
pad(hie_buf_t *b, int from, int n)
{
    for ( ; from < n; from++) {
        hie_buf_addz(b, from > 0 ? ",null" : "null");
    }

    if (n > 0) {
        hie_buf_addc(b, ',');
    }
}


static void
end_array(hie_buf_t *b, int from, int n)
{
    for ( ; from < n; from++) {
        hie_buf_addz(b, ",null");
    }

    hie_buf_addc(b, ']');
}


/* What comes before a member of `f`: the brace or a comma. The object of a
 * primitive stands in its parent's `extra`. */
static void
begin_member(reader_t *r, frame_t *f)
{
    frame_t     *up;
    apr_pool_t  *pool;

    if (f->open) {
        hie_buf_addc(f->out, ',');
        return;
    }

    if (f->kind == FRAME_PRIMITIVE) {
        up = f - 1;
        if (up->extra.pool == NULL) {
            apr_pool_create(&pool, r->pool);
            hie_buf_init(&up->extra, pool, 0);
        }
        if (f->e->max != 1) {
            pad(f->out, up->n_extra, up->n - 1);
        }
        up->n_extra = up->n;
    }

    hie_buf_addc(f->out, '{');
    f->open = true;
}


static bool
is_primitive(const hie_element_t *e)
{
    return hie_types[e->type].kind == HIE_KIND_PRIMITIVE;
}


/* No further child of the name that was being read. */
static void
end_run(reader_t *r, frame_t *f)
{
    const hie_element_t  *e = f->run;

    if (e == NULL) {
        return;
    }

    f->run = NULL;

    if (!is_primitive(e)) {
        if (e->max != 1) {
            hie_buf_addc(f->out, ']');
        }
        return;
    }

    if (f->n_value > 0 && e->max != 1) {
        end_array(f->out, f->n_value, f->n);
    }

    if (f->n_extra == 0) {
        return;
    }

    begin_member(r, f);
    put_name(f->out, "_", e);
    if (e->max != 1) {
        hie_buf_addc(f->out, '[');
    }

    hie_buf_adds(f->out, hie_buf_str(&f->extra));

    if (e->max != 1) {
        end_array(f->out, f->n_extra, f->n);
    }

    f->extra.len = 0;
    if (f->extra.size > ASIDE_MAX) {
        apr_pool_destroy(f->extra.pool);
        memset(&f->extra, 0, sizeof(f->extra));
    }
}


/* One more child: of the same name, or the first of another. */
static bool
next_in_run(reader_t *r, frame_t *f, const hie_element_t *e)
{
    uint64_t  bit = UINT64_C(1) << e->order % 64;

    if (f->run == e) {
        if (e->max == 1) {
            refuse(r, f, "an element does not repeat", hie_str(e->name));
            return false;
        }

        f->n++;
        return true;
    }

    if (f->seen[e->order / 64] & bit) {
        refuse(r, f, e->flags & HIE_ELEMENT_CHOICE
               ? "one type of a choice, once"
               : "an element is not beside those of its name",
               hie_str(e->name));
        return false;
    }

    if ((r->flags & HIE_XML_LOSSLESS) && f->run != NULL
        && e->order < f->run->order)
    {
        refuse(r, f, "an element is out of order", hie_str(e->name));
        return false;
    }

    end_run(r, f);
    f->seen[e->order / 64] |= bit;
    f->run = e;
    f->n = 1;
    f->n_value = 0;
    f->n_extra = 0;

    return true;
}


/*
 * Values.
 */

/* RFC 8259 section 6, which is R4's decimal too. */
static bool
is_number(hie_str_t s)
{
    const char  *p = s.ptr, *end = p + s.len, *from;

    p += p < end && *p == '-';
    from = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    if (p == from || (*from == '0' && p > from + 1)) {
        return false;
    }

    if (p < end && *p == '.') {
        from = ++p;
        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }
        if (p == from) {
            return false;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        from = p;
        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }
        if (p == from) {
            return false;
        }
    }

    return p == end;
}


static bool
put_value(hie_buf_t *b, hie_type_t type, hie_str_t value)
{
    switch (type) {
    case HIE_TYPE_boolean:
        if (!hie_str_eqz(value, "true") && !hie_str_eqz(value, "false")) {
            return false;
        }
        break;

    case HIE_TYPE_integer:
    case HIE_TYPE_positiveInt:
    case HIE_TYPE_unsignedInt:
        /* R4 section 2.24.0.1 has the sign, JSON has not */
        if (value.len > 1 && value.ptr[0] == '+' && value.ptr[1] != '-') {
            value.ptr++;
            value.len--;
        }
        /* fall through */

    case HIE_TYPE_decimal:
        if (!is_number(value)) {
            return false;
        }
        break;

    default:
        hie_buf_add_json(b, value);
        return true;
    }

    hie_buf_adds(b, value);

    return true;
}


/* The value of a primitive, in its parent. */
static void
put_primitive(reader_t *r, frame_t *f, hie_str_t value)
{
    frame_t              *up = f - 1;
    const hie_element_t  *e = f->e;

    if (up->n_value == 0) {
        begin_member(r, up);
        put_name(up->out, "", e);
        if (e->max != 1) {
            hie_buf_addc(up->out, '[');
        }
    }

    if (e->max != 1) {
        pad(up->out, up->n_value, up->n - 1);
    }

    up->n_value = up->n;
    f->value = true;

    if (!put_value(up->out, f->type, value)) {
        refuse(r, f, "not a value of the type",
               hie_str(hie_types[f->type].name));
    }
}


static bool
is_location(const hie_xml_attr_t *a)
{
    return a->uri != NULL && hie_str_eqz(hie_xml_str(a->uri), XSI_NS)
           && (hie_str_eqz(hie_xml_str(a->name), "schemaLocation")
               || hie_str_eqz(hie_xml_str(a->name),
                              "noNamespaceSchemaLocation"));
}


static void
attribute(reader_t *r, frame_t *f, const hie_xml_attr_t *a)
{
    hie_str_t             name = hie_xml_str(a->name), value;
    const hie_element_t  *e;

    value.ptr = (const char *) a->value;
    value.len = (size_t) (a->end - a->value);

    if (a->uri != NULL) {
        if (!is_location(a) || (r->flags & HIE_XML_LOSSLESS)) {
            refuse(r, f, "an attribute of another namespace", name);
        }
        return;
    }

    if (f->kind == FRAME_PRIMITIVE && hie_str_eqz(name, "value")) {
        put_primitive(r, f, value);
        return;
    }

    e = f->kind == FRAME_OBJECT || f->kind == FRAME_PRIMITIVE
        ? hie_element_find(f->type, name) : NULL;
    if (e == NULL || !(e->flags & HIE_ELEMENT_ATTRIBUTE)) {
        refuse(r, f, "R4 does not define the attribute", name);
        return;
    }

    begin_member(r, f);
    put_name(f->out, "", e);
    put_value(f->out, e->type, value);
}


/* The value of a primitive first: what goes with it goes elsewhere. */
static void
attributes(reader_t *r, frame_t *f, const hie_xml_attr_t *a, int n)
{
    int  i;

    for (i = 0; i < n && r->x.err.rc == 0; i++) {
        attribute(r, f, &a[i]);
    }
}


/*
 * Narrative.
 */

static bool
is_xml_attribute(const hie_xml_attr_t *a)
{
    return a->prefix == NULL || strcmp((const char *) a->prefix, "xml") == 0;
}


static void
rewrite_tag(reader_t *r, const xmlChar *name, const hie_xml_attr_t *a, int n)
{
    int         i;
    hie_buf_t  *b = &r->markup;

    hie_buf_addc(b, '<');
    hie_buf_adds(b, hie_xml_str(name));
    if (r->div == 1) {
        hie_buf_addz(b, " xmlns=\"" HIE_XHTML_NS "\"");
    }

    for (i = 0; i < n; i++) {
        hie_buf_addz(b, a[i].prefix != NULL ? " xml:" : " ");
        hie_buf_adds(b, hie_xml_str(a[i].name));
        hie_buf_addz(b, "=\"");
        hie_xml_put_text(b, (hie_str_t) { (const char *) a[i].value,
                         (size_t) (a[i].end - a[i].value) }, true);
        hie_buf_addc(b, '"');
    }

    hie_buf_addc(b, '>');
}


/* A tag in narrative. Its bytes are kept if they say by themselves what they
 * are, that is if the div declares the namespace. */
static void
div_tag(reader_t *r, const xmlChar *name, const xmlChar *prefix,
        const hie_xml_attr_t *a, int n)
{
    int  i;

    if (!r->rewrite && prefix != r->div_prefix) {
        refuse(r, r->top, "a prefix that the div does not have",
               hie_xml_str(prefix != NULL ? prefix : name));
        return;
    }

    for (i = 0; i < n; i++) {
        if (!is_xml_attribute(&a[i])) {
            refuse(r, r->top, "an attribute of another namespace",
                   hie_xml_str(a[i].name));
            return;
        }
    }

    r->div++;
    if (r->rewrite) {
        rewrite_tag(r, name, a, n);
    }
}


static void
div_start(reader_t *r, const xmlChar *prefix, int n, const xmlChar **ns)
{
    int  i;

    r->div_start = hie_xml_tag_start(&r->x);
    r->div_prefix = prefix;
    r->rewrite = true;
    hie_buf_init(&r->markup, r->pool, 0);

    for (i = 0; i < n; i++) {
        if (ns[2 * i] == prefix) {
            r->rewrite = false;
        }
    }
}


static void
div_end(reader_t *r, const xmlChar *name)
{
    size_t     end;
    frame_t   *f = r->top;
    hie_str_t  div;

    r->div--;

    if (r->rewrite) {
        hie_buf_addz(&r->markup, "</");
        hie_buf_adds(&r->markup, hie_xml_str(name));
        hie_buf_addc(&r->markup, '>');
    }

    if (r->div > 0) {
        return;
    }

    end = hie_xml_tag_end(&r->x);
    div = r->rewrite ? hie_buf_str(&r->markup)
                     : (hie_str_t) { r->x.bytes.ptr + r->div_start,
                                     end - r->div_start };

    if (!r->rewrite && (end <= r->div_start || div.ptr[0] != '<'
                        || div.ptr[div.len - 1] != '>'))
    {
        hie_xml_refuse(&r->x, HIE_INTERNAL, NULL, place(r, f),
                       "the div was not found again");
        return;
    }

    begin_member(r, f);
    put_name(f->out, "", f->run);
    hie_buf_add_json(f->out, div);
}


/*
 * Elements.
 */

static frame_t *
push(reader_t *r, frame_kind_t kind, hie_type_t type, const hie_element_t *e)
{
    frame_t  *up = r->top, *f = up != NULL ? up + 1 : r->frames;

    f->kind = kind;
    f->type = type;
    f->e = e;
    f->out = up == NULL ? &r->out : kind == FRAME_PRIMITIVE ? &up->extra
                                                            : up->out;
    f->open = false;
    f->value = false;
    f->run = NULL;
    f->n = 0;
    memset(f->seen, 0, sizeof(f->seen));
    r->top = f;

    return f;
}


static void
start_resource(reader_t *r, hie_str_t name)
{
    frame_t     *up = r->top, *f;
    hie_type_t   type = hie_type_find(name);

    if (type == HIE_TYPE_NONE || hie_types[type].kind != HIE_KIND_RESOURCE
        || hie_types[type].abstract)
    {
        refuse(r, up, "no resource of R4", name);
        return;
    }

    if (up != NULL) {
        if (up->open) {
            refuse(r, up, "more than one resource", name);
            return;
        }
        up->open = true;
    }

    f = push(r, FRAME_RESOURCE, type, NULL);
    hie_buf_addz(f->out, "{\"resourceType\":\"");
    hie_buf_adds(f->out, name);
    hie_buf_addc(f->out, '"');
    f->open = true;
}


static void
start_element(reader_t *r, hie_str_t name)
{
    frame_t              *f = r->top;
    frame_kind_t          kind;
    const hie_element_t  *e;

    e = f->run;
    if (e == NULL || e->name_len != name.len
        || memcmp(e->name, name.ptr, name.len) != 0)
    {
        e = hie_element_find(f->type, name);
    }

    if (e == NULL || (e->flags & HIE_ELEMENT_ATTRIBUTE)
        || e->type == HIE_TYPE_xhtml)
    {
        refuse(r, f, "R4 does not define the element", name);
        return;
    }

    if (!next_in_run(r, f, e)) {
        return;
    }

    if (is_primitive(e)) {
        push(r, FRAME_PRIMITIVE, e->type, e);
        return;
    }

    if (f->n > 1) {
        hie_buf_addc(f->out, ',');

    } else {
        begin_member(r, f);
        put_name(f->out, "", e);
        if (e->max != 1) {
            hie_buf_addc(f->out, '[');
        }
    }

    kind = hie_types[e->type].kind == HIE_KIND_RESOURCE ? FRAME_HOLDER
                                                        : FRAME_OBJECT;
    push(r, kind, e->type, e);
}


/* Is the element the div of a narrative? */
static const hie_element_t *
div_element(const reader_t *r, hie_str_t name)
{
    const hie_element_t  *e;

    if (r->top == NULL) {
        return NULL;
    }

    e = hie_element_find(r->top->type, name);

    return e != NULL && e->type == HIE_TYPE_xhtml ? e : NULL;
}


static void
on_start(void *baton, const xmlChar *local, const xmlChar *prefix,
         const xmlChar *uri, int n_ns, const xmlChar **ns, int n, int defaulted,
         const xmlChar **attrs)
{
    reader_t              *r = baton;
    frame_t               *before = r->top;
    hie_str_t              name = hie_xml_str(local);
    const hie_element_t   *e;
    const hie_xml_attr_t  *a = (const hie_xml_attr_t *) attrs;

    if (!hie_xml_enter(&r->x, n_ns)) {
        return;
    }

    if (r->ns == NULL) {
        r->ns = xmlDictLookup(r->x.ctxt->dict, BAD_CAST HIE_XML_NS, -1);
        r->xhtml_ns = xmlDictLookup(r->x.ctxt->dict, BAD_CAST HIE_XHTML_NS,
                                    -1);
    }

    e = uri == r->xhtml_ns && r->div == 0 ? div_element(r, name) : NULL;

    if (uri != (r->div > 0 || e != NULL ? r->xhtml_ns : r->ns)) {
        refuse(r, r->top, "an element of another namespace", name);

    } else if (r->div > 0) {
        div_tag(r, local, prefix, a, n);

    } else if (e != NULL) {
        if (next_in_run(r, r->top, e)) {
            div_start(r, prefix, n_ns, ns);
            div_tag(r, local, prefix, a, n);
        }

    } else {
        if (r->top == NULL || r->top->kind == FRAME_HOLDER) {
            start_resource(r, name);
        } else {
            start_element(r, name);
        }

        if (r->top != before) {
            attributes(r, r->top, a, n);
        }
    }
}


static void
on_end(void *baton, const xmlChar *local, const xmlChar *prefix,
       const xmlChar *uri)
{
    reader_t  *r = baton;
    frame_t   *f = r->top;

    if (!hie_xml_leave(&r->x)) {
        return;
    }

    if (r->div > 0) {
        div_end(r, local);
        return;
    }

    end_run(r, f);

    if (!f->open && !f->value) {
        refuse(r, f, f->kind == FRAME_HOLDER
               ? "a resource is missing"
               : "an element has a value, an attribute or a child (ele-1)",
               HIE_STR_NONE);
        return;
    }

    if (f->open && f->kind != FRAME_HOLDER) {
        hie_buf_addc(f->out, '}');
    }

    r->top = f > r->frames ? f - 1 : NULL;
}


static void
on_text(void *baton, const xmlChar *text, int len)
{
    reader_t   *r = baton;
    hie_str_t   s = { (const char *) text, (size_t) len };

    if (r->x.err.rc != 0) {
        return;
    }

    if (r->div > 0) {
        if (r->rewrite) {
            hie_xml_put_text(&r->markup, s, false);
        }
        return;
    }

    s = hie_str_trim(s);
    if (s.len > 0) {
        refuse(r, r->top, "text where none is allowed", s);
    }
}


/* Of no meaning in FHIR, and without a place in JSON. In narrative the bytes
 * are kept, or they are written again. */
static void
on_comment(void *baton, const xmlChar *text)
{
    reader_t  *r = baton;

    if (r->x.err.rc != 0) {
        return;
    }

    if (r->div > 0 && r->rewrite) {
        hie_buf_addz(&r->markup, "<!--");
        hie_buf_adds(&r->markup, hie_xml_str(text));
        hie_buf_addz(&r->markup, "-->");

    } else if (r->div == 0 && (r->flags & HIE_XML_LOSSLESS)) {
        refuse(r, r->top, "a comment outside of narrative", HIE_STR_NONE);
    }
}


static void
on_instruction(void *baton, const xmlChar *target, const xmlChar *data)
{
    reader_t  *r = baton;

    if (r->x.err.rc != 0) {
        return;
    }

    if (r->div > 0 && r->rewrite) {
        hie_buf_addz(&r->markup, "<?");
        hie_buf_adds(&r->markup, hie_xml_str(target));
        if (data != NULL) {
            hie_buf_addc(&r->markup, ' ');
            hie_buf_adds(&r->markup, hie_xml_str(data));
        }
        hie_buf_addz(&r->markup, "?>");

    } else if (r->div == 0 && (r->flags & HIE_XML_LOSSLESS)) {
        refuse(r, r->top, "a processing instruction outside of narrative",
               HIE_STR_NONE);
    }
}


hie_rc_t
hie_xml_to_json(apr_pool_t *pool, hie_str_t xml, int max_depth,
                unsigned flags, hie_str_t *json, hie_error_t *err)
{
    static const xmlSAXHandler  handler = {
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .cdataBlock = on_text,
        .ignorableWhitespace = on_text,
        .comment = on_comment,
        .processingInstruction = on_instruction
    };

    reader_t  r = { .x = { .bytes = xml, .max_depth = max_depth },
                    .pool = pool, .flags = flags };
    hie_rc_t  rc;

    if (max_depth > HIE_XML_DEPTH_MAX) {
        max_depth = HIE_XML_DEPTH_MAX;
    }

    r.frames = apr_pcalloc(pool, ((size_t) max_depth + 1) * sizeof(frame_t));
    hie_buf_init(&r.out, pool, xml.len);

    rc = hie_xml_parse(&r.x, &handler);
    if (rc != HIE_OK) {
        if (err != NULL) {
            *err = r.x.err;
        }
        return rc;
    }

    *json = hie_buf_str(&r.out);

    return HIE_OK;
}
