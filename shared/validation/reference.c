/*
 * References: what they may refer to (R4 section 2.3.0), and what is
 * contained (section 2.3.0.4), which must be referred to.
 */

#include <stdlib.h>
#include <string.h>

#include "validation/private.h"


static int
compare_str(hie_str_t a, hie_str_t b)
{
    int  c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


static int
compare_contained(const void *a, const void *b)
{
    return compare_str(((const contained_t *) a)->id,
                       ((const contained_t *) b)->id);
}


static int
compare_links(const void *a, const void *b)
{
    return compare_str(*(const hie_str_t *) a, *(const hie_str_t *) b);
}


/* The resource whose `contained` a "#id" is looked for in. */
static resource_t *
outermost(check_t *c)
{
    resource_t  *r = c->resource;

    while (r->container != NULL) {
        r = r->container;
    }

    return r;
}


static void
collect_contained(check_t *c, resource_t *r)
{
    hie_node_t    n;
    contained_t  *found;

    r->contained = apr_palloc(c->pool, (hie_doc_count(c->d, r->list) + 1)
                                       * sizeof(*r->contained));

    for (n = hie_doc_first(c->d, r->list); n != HIE_NODE_NONE;
         n = hie_doc_next(c->d, n))
    {
        found = &r->contained[r->n_contained];
        found->node = n;
        found->id = hie_doc_get(c->d, n, "id", c->pool);
        r->n_contained += found->id.len > 0;
    }

    qsort(r->contained, (size_t) r->n_contained, sizeof(*r->contained),
          compare_contained);
}


static const contained_t *
find_contained(check_t *c, hie_str_t id)
{
    resource_t   *r = outermost(c);
    contained_t   key = { id, 0 };

    if (r->list == HIE_NODE_NONE) {
        return NULL;
    }

    if (r->contained == NULL) {
        collect_contained(c, r);
    }

    return bsearch(&key, r->contained, (size_t) r->n_contained, sizeof(key),
                   compare_contained);
}


static void
add_link(check_t *c, hie_str_t id)
{
    resource_t  *r = outermost(c);
    hie_str_t   *grown;

    if (r->list == HIE_NODE_NONE) {
        return;
    }

    if (r->n_links == r->size) {
        r->size = r->size == 0 ? 8 : r->size * 2;
        grown = apr_palloc(c->pool, (size_t) r->size * sizeof(*grown));
        if (r->n_links > 0) {
            memcpy(grown, r->links, (size_t) r->n_links * sizeof(*grown));
        }

        r->links = grown;
    }

    r->links[r->n_links++] = id;
}


/* `text` may be in scratch memory: what is kept is a copy then. */
void
hie_check_fragment(check_t *c, hie_str_t text)
{
    hie_str_t  id = { text.ptr + 1, text.len - 1 };

    if (id.len == 0) {
        c->resource->up = true;

    } else if (outermost(c)->list != HIE_NODE_NONE) {
        add_link(c, hie_str_dup(c->pool, id));
    }
}


/* A contained resource that refers to its container needs no reference. */
void
hie_check_linked(check_t *c, const resource_t *r)
{
    hie_str_t  id = hie_doc_get(c->d, r->node, "id", c->pool);

    if (id.len > 0) {
        add_link(c, id);
    }
}


void
hie_check_contained(check_t *c, const place_t *up)
{
    resource_t  *r = c->resource;
    place_t      place = { up, HIE_STR("contained"), 0 };
    hie_node_t   n;
    hie_str_t    id;

    if (r->n_links > 1) {
        qsort(r->links, (size_t) r->n_links, sizeof(*r->links),
              compare_links);
    }

    for (n = hie_doc_first(c->d, r->list); n != HIE_NODE_NONE;
         n = hie_doc_next(c->d, n), place.index++)
    {
        id = hie_doc_get(c->d, n, "id", c->pool);
        if (id.len == 0) {
            hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &place, n, "dom-3",
                          "a contained resource needs an id");

        } else if (r->n_links == 0
                   || bsearch(&id, r->links, (size_t) r->n_links, sizeof(id),
                              compare_links) == NULL)
        {
            hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &place, n, "dom-3",
                          "nothing refers to this contained resource");
        }
    }
}


/*
 * Targets.
 */

bool
hie_reference_allows(const hie_element_t *e, hie_type_t type)
{
    uint16_t  i;

    for (i = 0; i < e->n_targets; i++) {
        if (hie_type_is(type, hie_targets[e->first_target + i])) {
            return true;
        }
    }

    return e->n_targets == 0;
}


static void
check_target(check_t *c, const hie_element_t *e, hie_type_t type,
             hie_node_t n, const place_t *up, const char *name)
{
    place_t  place = { up, hie_str(name), NO_INDEX };

    if (type != HIE_TYPE_NONE && !hie_reference_allows(e, type)) {
        STRUCTURE(c, &place, n, "%s may not refer to %s, as %s does",
                  e->name, hie_types[type].name, hie_issue_value(c, n));
    }
}


/* Reference.type: the name of a type, or the URL of its definition. */
static hie_type_t
stated_type(check_t *c, hie_node_t n)
{
    static const char  base[] = "http://hl7.org/fhir/StructureDefinition/";
    hie_str_t          s = hie_doc_string(c->d, n, c->pool);

    if (s.ptr == NULL) {
        return HIE_TYPE_NONE;
    }

    if (hie_str_starts(s, base)) {
        s.ptr += sizeof(base) - 1;
        s.len -= sizeof(base) - 1;
    }

    return hie_type_find(s);
}


/* The type that the text of a reference says, if it does. `dangling`: it is
 * that of a contained resource, which is not there. */
static hie_type_t
literal_type(check_t *c, hie_str_t s, bool *dangling)
{
    hie_str_t           rest;
    hie_reference_t     ref;
    const contained_t  *found;

    *dangling = false;

    if (s.ptr[0] == '#') {
        if (s.len == 1) {
            return HIE_TYPE_NONE;
        }

        found = find_contained(c, (hie_str_t) { s.ptr + 1, s.len - 1 });
        *dangling = found == NULL;
        s = found == NULL ? HIE_STR_NONE
            : hie_doc_get(c->d, found->node, "resourceType", c->pool);

        return s.ptr != NULL ? hie_type_find(s) : HIE_TYPE_NONE;
    }

    if (hie_fhir_reference(s, HIE_STR_NONE, &ref)) {
        return ref.type.len > 0 ? hie_type_find(ref.type) : HIE_TYPE_NONE;
    }

    /* conditional, in a transaction: Type?query */
    s = hie_str_split(s, '?', &rest);

    return rest.ptr != NULL ? hie_type_find(s) : HIE_TYPE_NONE;
}


hie_type_t
hie_reference_type(check_t *c, hie_node_t n)
{
    hie_str_t   s = hie_doc_get(c->d, n, "reference", c->pool);
    hie_type_t  type = HIE_TYPE_NONE;
    bool        dangling;

    if (s.len > 0) {
        type = literal_type(c, s, &dangling);
    }

    return type != HIE_TYPE_NONE ? type
           : stated_type(c, hie_doc_member(c->d, n, "type"));
}


void
hie_check_reference(check_t *c, const hie_element_t *e, hie_node_t n,
                    const place_t *place)
{
    place_t     at = { place, HIE_STR("reference"), NO_INDEX };
    hie_node_t  text = hie_doc_member(c->d, n, "reference");
    hie_node_t  type = hie_doc_member(c->d, n, "type");
    hie_str_t   s = hie_doc_string(c->d, text, c->pool);
    hie_type_t  said = HIE_TYPE_NONE, stated = HIE_TYPE_NONE;
    bool        dangling;

    if (type != HIE_NODE_NONE) {
        stated = stated_type(c, type);
        check_target(c, e, stated, type, place, "type");
    }

    if (s.len > 0) {
        if (s.ptr[0] == '#') {
            hie_check_fragment(c, s);
        }

        said = literal_type(c, s, &dangling);
        check_target(c, e, said, text, place, "reference");

        if (dangling) {
            hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", &at, text, "ref-1",
                          "expected the id of a contained resource, found "
                          "%s", hie_issue_value(c, text));
        }
    }

    if (said != HIE_TYPE_NONE && stated != HIE_TYPE_NONE
        && !hie_type_is(said, stated))
    {
        STRUCTURE(c, place, n, "the type %s does not fit the reference to %s",
                  hie_types[stated].name, hie_types[said].name);
    }
}
