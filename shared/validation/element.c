/*
 * Structure: one way over the tape along the tables of the type system (R4
 * sections 2.6.2 and 2.24).
 */

#include <string.h>

#include "validation/private.h"


static void
check_object(check_t *c, hie_type_t type, const rules_t *rules,
             hie_node_t n, const place_t *place);


static const char *
kind_name(hie_node_kind_t kind)
{
    static const char *const  names[] = {
        "nothing", "an object", "an array", "a string", "a number", "true",
        "false", "null"
    };

    return names[kind];
}


static const char *
primitive_kind_name(hie_type_t type)
{
    hie_node_kind_t  kind = hie_primitive_kind(type);

    return kind == HIE_NODE_TRUE ? "true or false" : kind_name(kind);
}


/*
 * Primitives.
 */

static void
check_text(check_t *c, const hie_element_t *e, hie_node_t n,
           const place_t *place)
{
    hie_str_t    s = hie_doc_raw(c->d, n);
    const char  *problem;

    if (hie_doc_kind(c->d, n) == HIE_NODE_STRING) {
        s.ptr++;
        s.len -= 2;
        if (memchr(s.ptr, '\\', s.len) != NULL) {
            s = hie_doc_string(c->d, n, hie_check_scratch(c));
        }
    }

    if (e->type == HIE_TYPE_xhtml && s.len > 0) {
        hie_check_narrative(c, s, n, place);
        return;
    }

    problem = hie_primitive_problem(e->type, s);
    if (problem != NULL) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, n, NULL,
                      "expected %s, found %s", problem,
                      hie_issue_value(c, n));
        return;
    }

    if (s.ptr[0] == '#' && (e->type == HIE_TYPE_uri
                            || e->type == HIE_TYPE_canonical
                            || e->type == HIE_TYPE_url))
    {
        hie_check_fragment(c, s);
    }

    if (e->binding != 0 && c->flags & HIE_VALIDATE_BINDINGS) {
        hie_check_binding(c, e, n, place);
    }
}


static void
check_primitive(check_t *c, const hie_element_t *e, const rules_t *rules,
                hie_node_t n, const place_t *place)
{
    hie_node_kind_t  kind = hie_doc_kind(c->d, n);
    hie_node_kind_t  expected = hie_primitive_kind(e->type);

    if (kind == HIE_NODE_FALSE) {
        kind = HIE_NODE_TRUE;
    }

    if (kind != expected) {
        STRUCTURE(c, place, n, "expected %s for the type %s, found %s",
                  primitive_kind_name(e->type), hie_types[e->type].name,
                  kind_name(hie_doc_kind(c->d, n)));
        return;
    }

    if (kind != HIE_NODE_TRUE) {
        check_text(c, e, n, place);
    }

    if (rules != NULL && c->flags & HIE_VALIDATE_INVARIANTS) {
        hie_check_rules(c, rules, e->type, n, 0, place);
    }
}


/* The member of a primitive's id and extensions, or of its value. */
static hie_node_t
counterpart(check_t *c, hie_node_t owner, hie_str_t name, bool underscore)
{
    char  other[80];

    if (name.len + 2 > sizeof(other)) {
        return HIE_NODE_NONE;
    }

    other[0] = '_';
    memcpy(other + underscore, name.ptr, name.len);
    other[name.len + underscore] = '\0';

    return hie_doc_member(c->d, owner, other);
}


static hie_node_t
nth(check_t *c, hie_node_t array, int i)
{
    hie_node_t  n = HIE_NODE_NONE;

    if (hie_doc_kind(c->d, array) == HIE_NODE_ARRAY) {
        n = hie_doc_first(c->d, array);
        while (n != HIE_NODE_NONE && i-- > 0) {
            n = hie_doc_next(c->d, n);
        }
    }

    return n;
}


/* A null stands where the other of the two arrays has something. */
static void
check_null(check_t *c, hie_node_t other, hie_node_t n, const place_t *place)
{
    hie_node_kind_t  kind = hie_doc_kind(c->d, other);

    if (kind == 0 || kind == HIE_NODE_NULL) {
        STRUCTURE(c, place, n, "null is for what has its counterpart in the "
                  "array beside it only");
    }
}


/* id and extensions of one primitive. Without a value they must be more than
 * an id (ele-1). */
static void
check_beside(check_t *c, const hie_element_t *e, hie_node_t n, bool value,
             const place_t *place)
{
    if (hie_doc_kind(c->d, n) != HIE_NODE_OBJECT) {
        STRUCTURE(c, place, n, "expected an object with id or extension, "
                  "found %s", kind_name(hie_doc_kind(c->d, n)));
        return;
    }

    check_object(c, e->type, NULL, n, place);

    if (!value && hie_doc_member(c->d, n, "extension") == HIE_NODE_NONE) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", place, n, "ele-1",
                      "expected a value or an extension beside the id");
    }
}


/* The member _name, beside name. */
static void
check_sibling(check_t *c, const hie_element_t *e, hie_node_t owner,
              hie_node_t n, const place_t *up)
{
    place_t     place = { up, { e->name, e->stem_len }, NO_INDEX };
    hie_str_t   name = { e->name, e->name_len };
    hie_node_t  values = counterpart(c, owner, name, false), item, value;

    if (e->max == 1) {
        check_beside(c, e, n, values != HIE_NODE_NONE, &place);
        return;
    }

    if (hie_doc_kind(c->d, n) != HIE_NODE_ARRAY
        || hie_doc_first(c->d, n) == HIE_NODE_NONE)
    {
        STRUCTURE(c, &place, n, "expected an array with an element or more, "
                  "found %s", kind_name(hie_doc_kind(c->d, n)));
        return;
    }

    value = nth(c, values, 0);
    place.index = 0;

    for (item = hie_doc_first(c->d, n); item != HIE_NODE_NONE;
         item = hie_doc_next(c->d, item))
    {
        if (hie_doc_kind(c->d, item) != HIE_NODE_NULL) {
            check_beside(c, e, item, value != HIE_NODE_NONE
                         && hie_doc_kind(c->d, value) != HIE_NODE_NULL,
                         &place);

        } else {
            check_null(c, value, item, &place);
        }

        value = hie_doc_next(c->d, value);
        place.index++;
    }
}


/*
 * Complex values.
 */

/* An extension's url is absolute but in a complex extension (R4 section
 * 2.4.1.1). */
static void
check_extension(check_t *c, hie_type_t owner, hie_node_t n,
                const place_t *place)
{
    hie_node_t  url = hie_doc_member(c->d, n, "url");
    hie_str_t   s = hie_doc_string(c->d, url, c->pool);

    if (owner != HIE_TYPE_Extension && s.len > 0
        && memchr(s.ptr, ':', s.len) == NULL)
    {
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, url, NULL,
                      "expected an absolute URL, found %s",
                      hie_issue_value(c, url));
    }

    if (c->flags & HIE_VALIDATE_PROFILES) {
        hie_check_known_extension(c, n,
                                  hie_str_eqz(place->name,
                                              "modifierExtension"), place);
    }
}


static void
check_complex(check_t *c, const hie_element_t *e, const rules_t *rules,
              hie_type_t owner, hie_node_t n, const place_t *place)
{
    if (hie_doc_kind(c->d, n) != HIE_NODE_OBJECT) {
        STRUCTURE(c, place, n, "expected an object of type %s, found %s",
                  hie_types[e->type].name,
                  kind_name(hie_doc_kind(c->d, n)));
        return;
    }

    if (e->type == HIE_TYPE_Resource) {
        hie_check_resource(c, n, hie_type_is(owner, HIE_TYPE_DomainResource),
                           place);
        return;
    }

    if (c->depth >= HIE_CHECK_DEPTH_MAX) {
        hie_issue_add(c, HIE_ISSUE_FATAL, "too-long", place, n, NULL,
                      "nested deeper than %d levels", HIE_CHECK_DEPTH_MAX);
        return;
    }

    c->depth++;
    check_object(c, e->type, rules, n, place);
    c->depth--;

    if (e->type == HIE_TYPE_Reference) {
        hie_check_reference(c, e, n, place);

    } else if (e->type == HIE_TYPE_Extension) {
        check_extension(c, owner, n, place);
    }

    if (e->binding != 0 && c->flags & HIE_VALIDATE_BINDINGS) {
        hie_check_binding(c, e, n, place);
    }
}


static void
check_value(check_t *c, const hie_element_t *e, const rules_t *rules,
            hie_type_t owner, hie_node_t n, const place_t *place)
{
    if (hie_types[e->type].kind == HIE_KIND_PRIMITIVE) {
        check_primitive(c, e, rules, n, place);
    } else {
        check_complex(c, e, rules, owner, n, place);
    }
}


static void
check_items(check_t *c, const hie_element_t *e, const rules_t *rules,
            hie_type_t owner, hie_node_t object, hie_node_t n, place_t *place)
{
    hie_node_t  item, other = HIE_NODE_NONE;
    hie_str_t   name = { e->name, e->name_len };
    bool        primitive = hie_types[e->type].kind == HIE_KIND_PRIMITIVE;
    bool        looked = false;

    for (item = hie_doc_first(c->d, n), place->index = 0;
         item != HIE_NODE_NONE;
         item = hie_doc_next(c->d, item), place->index++)
    {
        if (looked) {
            other = hie_doc_next(c->d, other);
        }

        if (hie_doc_kind(c->d, item) != HIE_NODE_NULL || !primitive) {
            check_value(c, e, rules, owner, item, place);
            continue;
        }

        if (!looked) {
            other = nth(c, counterpart(c, object, name, true), place->index);
            looked = true;
        }

        check_null(c, other, item, place);
    }
}


static void
check_array(check_t *c, const hie_element_t *e, const rules_t *rules,
            hie_type_t owner, hie_node_t object, hie_node_t n, place_t *place)
{
    check_items(c, e, rules, owner, object, n, place);

    if ((e->max != 0 && place->index > e->max) || place->index < e->min) {
        hie_issue_add(c, HIE_ISSUE_ERROR,
                      place->index < e->min ? "required" : "structure",
                      place->up, n, NULL, "expected %d to %d of %s, found %d",
                      e->min, e->max, e->name, (int) place->index);
    }
}


static void
check_member(check_t *c, const hie_element_t *e, const rules_t *rules,
             hie_type_t owner, hie_node_t object, hie_node_t n,
             const place_t *up)
{
    place_t          place = { up, { e->name, e->stem_len }, NO_INDEX };
    hie_node_kind_t  kind = hie_doc_kind(c->d, n);

    if (kind == HIE_NODE_NULL) {
        STRUCTURE(c, &place, n, "null is no value: the member is left out");

    } else if (e->max == 1) {
        if (kind == HIE_NODE_ARRAY) {
            STRUCTURE(c, &place, n, "expected one value, found an array");
        } else {
            check_value(c, e, rules, owner, n, &place);
        }

    } else if (kind != HIE_NODE_ARRAY) {
        STRUCTURE(c, &place, n, "expected an array, found %s",
                  kind_name(kind));

    } else if (hie_doc_first(c->d, n) == HIE_NODE_NONE) {
        STRUCTURE(c, &place, n, "an array is not empty: the member is left "
                  "out");

    } else {
        check_array(c, e, rules, owner, object, n, &place);
    }
}


/*
 * Members together.
 */

static void
unknown_member(check_t *c, hie_type_t type, hie_str_t name, hie_node_t n,
               const place_t *up)
{
    place_t  place = { up, name, NO_INDEX };

    if (place.name.len > 64) {
        place.name.len = 0;
        place.up = up;
    }

    STRUCTURE(c, &place, n, "%s has no such element",
              hie_types[type].name);
}


/* One type of value[x] only: called when the second member of it comes. Its
 * value and its `_value` are no two. */
static void
check_choice(check_t *c, hie_type_t type, const hie_element_t *e,
             hie_node_t object, hie_node_t n, const place_t *up)
{
    place_t               place = { up, { e->name, e->stem_len }, NO_INDEX };
    hie_node_t            m;
    hie_str_t             name;
    const hie_element_t  *other;

    for (m = hie_doc_first(c->d, object); m != n;
         m = hie_doc_next(c->d, m))
    {
        name = hie_doc_name(c->d, m, c->pool);
        if (name.len > 0 && name.ptr[0] == '_') {
            name.ptr++;
            name.len--;
        }

        other = hie_element_find(type, name);
        if (other != NULL && other != e && other->order == e->order) {
            STRUCTURE(c, &place, n, "only one type of %.*s[x] may be there, "
                      "found %s beside %s", HIE_PRISTR(place.name), e->name,
                      other->name);
            return;
        }
    }
}


static void
missing(check_t *c, hie_type_t type, uint64_t orders, hie_node_t n,
        const place_t *up)
{
    const hie_type_info_t  *t = &hie_types[type];
    const hie_element_t    *e;
    place_t                 place = { up, { NULL, 0 }, NO_INDEX };
    uint16_t                i;

    for (i = 0; i < t->n; i++) {
        e = &hie_elements[t->first + i];
        if (orders >> e->order & 1) {
            orders &= ~(UINT64_C(1) << e->order);
            place.name = (hie_str_t) { e->name, e->stem_len };
            hie_issue_add(c, HIE_ISSUE_ERROR, "required", &place, n, NULL,
                          "%s needs %.*s", hie_types[type].name,
                          HIE_PRISTR(place.name));
        }
    }
}


/* ele-1 and its like for a whole resource: "an object is not empty". */
static void
check_content(check_t *c, hie_type_t type, uint64_t seen, hie_node_t n,
              const place_t *place)
{
    hie_node_t  first = hie_doc_first(c->d, n);

    if (first == HIE_NODE_NONE) {
        STRUCTURE(c, place, n, "an object is not empty");

    } else if (seen == 1 && hie_types[type].kind != HIE_KIND_RESOURCE
               && hie_types[type].kind != HIE_KIND_PRIMITIVE)
    {
        hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", place, n, "ele-1",
                      "expected more than an id");
    }
}


static void
check_object(check_t *c, hie_type_t type, const rules_t *rules,
             hie_node_t n, const place_t *place)
{
    const type_rules_t   *tr = hie_validator_rules(c->v, type);
    const hie_element_t  *e, *first = &hie_elements[hie_types[type].first];
    hie_node_t            m;
    hie_str_t             name;
    uint64_t              seen = 0, bit;
    bool                  sibling;

    for (m = hie_doc_first(c->d, n); m != HIE_NODE_NONE;
         m = hie_doc_next(c->d, m))
    {
        name = hie_doc_name(c->d, m, c->pool);
        sibling = name.len > 0 && name.ptr[0] == '_';
        e = hie_element_find(type, (hie_str_t) { name.ptr + sibling,
                                                 name.len - sibling });
        if (e == NULL || (sibling && hie_types[e->type].kind
                                     != HIE_KIND_PRIMITIVE))
        {
            if (!hie_str_eqz(name, "resourceType")
                || hie_types[type].kind != HIE_KIND_RESOURCE)
            {
                unknown_member(c, type, name, m, place);
            }

            continue;
        }

        bit = UINT64_C(1) << e->order;
        if (seen & bit && e->flags & HIE_ELEMENT_CHOICE) {
            check_choice(c, type, e, n, m, place);
        }

        seen |= bit;

        if (sibling) {
            check_sibling(c, e, n, m, place);
        } else {
            check_member(c, e, tr->elements[e - first], type, n, m, place);
        }
    }

    check_content(c, type, seen, n, place);

    if (tr->required & ~seen) {
        missing(c, type, tr->required & ~seen, n, place);
    }

    if (c->flags & HIE_VALIDATE_INVARIANTS) {
        if (tr->own != NULL) {
            hie_check_rules(c, tr->own, type, n, seen, place);
        }

        if (rules != NULL) {
            hie_check_rules(c, rules, type, n, seen, place);
        }
    }
}


/*
 * Resources.
 */

static hie_type_t
resource_type(check_t *c, hie_node_t n, const place_t *place)
{
    hie_node_t  m = hie_doc_member(c->d, n, "resourceType");
    hie_str_t   s = hie_doc_string(c->d, m, c->pool);
    hie_type_t  type;

    if (s.ptr == NULL) {
        hie_issue_add(c, HIE_ISSUE_FATAL, "structure", place,
                      m == HIE_NODE_NONE ? n : m, NULL,
                      "expected a resourceType");
        return HIE_TYPE_NONE;
    }

    type = hie_type_find(s);
    if (type == HIE_TYPE_NONE || hie_types[type].kind != HIE_KIND_RESOURCE
        || hie_types[type].abstract)
    {
        hie_issue_add(c, HIE_ISSUE_FATAL, "structure", place, m, NULL,
                      "expected the name of a resource type of R4, found %s",
                      hie_issue_value(c, m));
        return HIE_TYPE_NONE;
    }

    return type;
}


/* dom-2, dom-4, dom-5: what a contained resource may not have. */
static void
check_inside(check_t *c, const resource_t *r, const place_t *place)
{
    place_t     list = { place, HIE_STR("contained"), NO_INDEX };
    place_t     meta = { place, HIE_STR("meta"), NO_INDEX };
    hie_node_t  m = hie_doc_member(c->d, r->node, "meta");

    if (r->list != HIE_NODE_NONE) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &list, r->list,
                      "dom-2", "a contained resource contains none");
    }

    if (hie_doc_member(c->d, m, "versionId") != HIE_NODE_NONE
        || hie_doc_member(c->d, m, "lastUpdated") != HIE_NODE_NONE)
    {
        hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &meta, m, "dom-4",
                      "a contained resource has no versionId and no "
                      "lastUpdated");
    }

    if (hie_doc_member(c->d, m, "security") != HIE_NODE_NONE) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &meta, m, "dom-5",
                      "a contained resource has no security label");
    }
}


static void
check_in(check_t *c, resource_t *r, const place_t *place)
{
    resource_t  *before = c->resource;

    c->resource = r;
    c->depth++;

    check_object(c, r->type, NULL, r->node, place);

    if (r->list != HIE_NODE_NONE && r->container == NULL) {
        hie_check_contained(c, place);
    }

    if (r->container != NULL) {
        check_inside(c, r, place);
        if (r->up) {
            hie_check_linked(c, r);
        }
    }

    if (c->flags & HIE_VALIDATE_PROFILES) {
        hie_check_profiles(c, r, place);
    }

    if (before == NULL) {
        hie_check_asked(c, r, c->asked, c->n_asked, place);
    }

    c->depth--;
    c->resource = before;
}


void
hie_check_resource(check_t *c, hie_node_t n, bool contained,
                   const place_t *place)
{
    resource_t  r = { 0 };
    place_t     top = { NULL, { NULL, 0 }, NO_INDEX };

    if (c->depth >= HIE_CHECK_DEPTH_MAX) {
        hie_issue_add(c, HIE_ISSUE_FATAL, "too-long", place, n, NULL,
                      "nested deeper than %d levels", HIE_CHECK_DEPTH_MAX);
        return;
    }

    r.type = resource_type(c, n, place);
    if (r.type == HIE_TYPE_NONE) {
        return;
    }

    r.container = contained ? c->resource : NULL;
    r.node = n;
    r.list = hie_doc_member(c->d, n, "contained");

    if (place->up == NULL && place->name.len == 0) {
        top.name = hie_str(hie_types[r.type].name);
        place = &top;
    }

    check_in(c, &r, place);
}
