/*
 * Parts of a resource: _summary and _elements (R4 sections 3.1.1.5.8 and
 * 3.1.1.5.9), by the flags of the definitions. What is left keeps its bytes.
 *
 * Modifier extensions are never taken away: who does not see one may get what
 * remains wrong.
 */

#include <string.h>

#include "fhir/definitions.h"
#include "fhir/fhir.h"

#define SUBSETTED                                                             \
    "{\"system\":\"http://terminology.hl7.org/CodeSystem/"                    \
    "v3-ObservationValue\",\"code\":\"SUBSETTED\"}"

typedef struct {
    const hie_doc_t     *doc;
    const hie_subset_t  *subset;
    hie_edit_t          *edit;
    apr_pool_t          *pool;
    hie_type_t           type;        /* of the resource */
} subset_t;


/* A member's name without the underscore of what goes with a primitive. */
static hie_str_t
base_name(hie_str_t name)
{
    if (name.len > 0 && name.ptr[0] == '_') {
        name.ptr++;
        name.len--;
    }

    return name;
}


static bool
is_always(hie_str_t name)
{
    return hie_str_eqz(name, "resourceType") || hie_str_eqz(name, "id")
           || hie_str_eqz(name, "meta")
           || hie_str_eqz(name, "modifierExtension");
}


/*
 * _summary=true: at every level what is marked, and what is mandatory.
 */

static bool
in_summary(const hie_element_t *e)
{
    return e->flags & HIE_ELEMENT_SUMMARY || e->min > 0
           || strcmp(e->name, "modifierExtension") == 0;
}


/* Values that are looked into; the others are kept whole. */
static bool
has_parts(const hie_element_t *e)
{
    uint8_t  kind = hie_types[e->type].kind;

    return (kind == HIE_KIND_COMPLEX || kind == HIE_KIND_BACKBONE)
           && e->type != HIE_TYPE_Extension && e->type != HIE_TYPE_Meta;
}


/* What goes with a value is needed where there is no value. */
static bool
lacks_value(const subset_t *s, hie_node_t object, hie_str_t name)
{
    hie_node_t  c, n;

    n = hie_doc_member(s->doc, object, hie_str_z(s->pool, name));
    if (hie_doc_kind(s->doc, n) != HIE_NODE_ARRAY) {
        return n == HIE_NODE_NONE;
    }

    for (c = hie_doc_first(s->doc, n); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        if (hie_doc_kind(s->doc, c) == HIE_NODE_NULL) {
            return true;
        }
    }

    return false;
}


/* The element of a member that stays, or NULL. */
static const hie_element_t *
summary_element(const subset_t *s, hie_type_t type, hie_node_t object,
                hie_node_t member)
{
    hie_str_t             name = hie_doc_name(s->doc, member, s->pool);
    hie_str_t             base = base_name(name);
    const hie_element_t  *e = hie_element_find(type, base);

    if (e == NULL || !in_summary(e)
        || (base.len < name.len && !lacks_value(s, object, base)))
    {
        return NULL;
    }

    return e;
}


/* Would anything of the value be left? An array: of one of its values. */
static bool
leaves_something(const subset_t *s, hie_type_t type, hie_node_t n)
{
    hie_node_t            c;
    const hie_element_t  *e;

    for (c = hie_doc_first(s->doc, n); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        if (hie_doc_kind(s->doc, n) == HIE_NODE_ARRAY) {
            if (leaves_something(s, type, c)) {
                return true;
            }
            continue;
        }

        e = summary_element(s, type, n, c);
        if (e != NULL
            && (e->min > 0 || !has_parts(e)
                || leaves_something(s, e->type, c)))
        {
            return true;
        }
    }

    return false;
}


static void
summarize(subset_t *s, hie_type_t type, hie_node_t n, bool root);


/* A member that stays, with what is in it. No element is empty, and what is
 * mandatory is there: rather than leave nothing of it, it stays whole. */
static void
summarize_value(subset_t *s, const hie_element_t *e, hie_node_t value)
{
    hie_node_t  c;

    if (!has_parts(e)) {
        return;
    }

    if (!leaves_something(s, e->type, value)) {
        if (e->min == 0) {
            hie_edit_remove(s->edit, value);
        }
        return;
    }

    if (hie_doc_kind(s->doc, value) != HIE_NODE_ARRAY) {
        summarize(s, e->type, value, false);
        return;
    }

    for (c = hie_doc_first(s->doc, value); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        if (leaves_something(s, e->type, c)) {
            summarize(s, e->type, c, false);
        } else {
            hie_edit_remove(s->edit, c);
        }
    }
}


static void
summarize(subset_t *s, hie_type_t type, hie_node_t n, bool root)
{
    hie_node_t            c;
    const hie_element_t  *e;

    for (c = hie_doc_first(s->doc, n); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        if (root && is_always(hie_doc_name(s->doc, c, s->pool))) {
            continue;
        }

        e = summary_element(s, type, n, c);
        if (e == NULL) {
            hie_edit_remove(s->edit, c);
        } else {
            summarize_value(s, e, c);
        }
    }
}


/*
 * _summary=text and data, and _elements: members of the resource itself.
 */

/* Is the element in the list? By its name or, of a choice, with any of its
 * types: value, value[x], valueQuantity. A path is taken for its first part;
 * one may start with the type. */
static bool
is_listed(const subset_t *s, const hie_element_t *e)
{
    hie_str_t  rest = s->subset->elements, one, first, more;
    hie_str_t  name = { e->name, e->name_len }, stem = { e->name,
                                                         e->stem_len };

    while (rest.ptr != NULL) {
        one = hie_str_trim(hie_str_split(rest, ',', &rest));
        first = hie_str_split(one, '.', &more);

        if (hie_type_find(first) == s->type) {
            first = hie_str_split(more, '.', &more);
        }

        first = hie_str_split(first, '[', &more);
        if (hie_str_eq(first, name) || hie_str_eq(first, stem)) {
            return true;
        }
    }

    return false;
}


static bool
stays(const subset_t *s, hie_str_t name)
{
    const hie_element_t  *e = hie_element_find(s->type, base_name(name));

    if (s->subset->elements.ptr != NULL) {
        return e != NULL && (e->min > 0 || is_listed(s, e));
    }

    if (s->subset->summary == HIE_SUMMARY_DATA) {
        return !hie_str_eqz(name, "text");
    }

    return (e != NULL && e->min > 0) || hie_str_eqz(name, "text");
}


static void
take_members(subset_t *s, hie_node_t resource)
{
    hie_str_t   name;
    hie_node_t  c;

    for (c = hie_doc_first(s->doc, resource); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        name = hie_doc_name(s->doc, c, s->pool);
        if (!is_always(name) && !stays(s, name)) {
            hie_edit_remove(s->edit, c);
        }
    }
}


static bool
has_tag(const subset_t *s, hie_node_t tags)
{
    hie_node_t  c;

    for (c = hie_doc_first(s->doc, tags); c != HIE_NODE_NONE;
         c = hie_doc_next(s->doc, c))
    {
        if (hie_str_eqz(hie_doc_get(s->doc, c, "code", s->pool),
                        "SUBSETTED"))
        {
            return true;
        }
    }

    return false;
}


/* So that nobody takes the part for the whole and sends it back. */
static void
add_tag(subset_t *s, hie_node_t resource)
{
    hie_buf_t   b;
    hie_str_t   raw;
    hie_node_t  meta, tags;

    meta = hie_doc_member(s->doc, resource, "meta");
    if (hie_doc_kind(s->doc, meta) != HIE_NODE_OBJECT) {
        hie_edit_set(s->edit, resource, "meta",
                     HIE_STR("{\"tag\":[" SUBSETTED "]}"),
                     hie_doc_member(s->doc, resource, "id") != HIE_NODE_NONE
                     ? "id" : "resourceType");
        return;
    }

    tags = hie_doc_member(s->doc, meta, "tag");
    if (hie_doc_count(s->doc, tags) == 0) {
        hie_edit_set(s->edit, meta, "tag", HIE_STR("[" SUBSETTED "]"),
                     "lastUpdated");

    } else if (!has_tag(s, tags)) {
        raw = hie_doc_raw(s->doc, tags);
        hie_buf_init(&b, s->pool, raw.len + sizeof(SUBSETTED) + 2);
        hie_buf_add(&b, raw.ptr, raw.len - 1);
        hie_buf_addz(&b, "," SUBSETTED "]");
        hie_edit_replace(s->edit, tags, hie_buf_str(&b));
    }
}


void
hie_fhir_subset(hie_edit_t *edit, const hie_doc_t *d, hie_node_t resource,
                const hie_subset_t *subset, apr_pool_t *pool)
{
    subset_t  s = { d, subset, edit, pool, HIE_TYPE_NONE };

    s.type = hie_type_find(hie_doc_get(d, resource, "resourceType", pool));
    if (s.type == HIE_TYPE_NONE
        || hie_types[s.type].kind != HIE_KIND_RESOURCE)
    {
        return;
    }

    if (subset->elements.ptr == NULL && subset->summary == HIE_SUMMARY_TRUE) {
        summarize(&s, s.type, resource, true);
    } else {
        take_members(&s, resource);
    }

    add_tag(&s, resource);
}
