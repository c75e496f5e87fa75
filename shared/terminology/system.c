/*
 * Code systems (R4 section 4.8).
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    maker_t   *m;
    system_t  *s;
    uint32_t   n;                   /* so far */
    uint32_t   n_properties;
    uint32_t   n_designations;
    uint32_t   names_size;
} builder_t;

static const char *const  contents[] = {
    [CONTENT_COMPLETE] = "complete",
    [CONTENT_FRAGMENT] = "fragment",
    [CONTENT_EXAMPLE] = "example",
    [CONTENT_NOT_PRESENT] = "not-present",
    [CONTENT_SUPPLEMENT] = "supplement"
};

/* CodeSystem.concept.property.value[x] */
static const char *const  types[] = {
    "Code", "Coding", "String", "Integer", "Boolean", "DateTime", "Decimal"
};


uint32_t
hie_system_find(const hie_term_t *t, hie_str_t code)
{
    const system_t  *s = &t->system;
    uint32_t         i, c;

    i = hie_order_find(s->order, s->n, s->concepts, sizeof(concept_t), code);

    /* codes that differ in case only stand beside each other */
    for (; i < s->n; i++) {
        c = s->order[i];

        if (hie_code_compare(s->concepts[c].code, code) != 0) {
            break;
        }

        if (hie_code_same(s->concepts[c].code, code, s->case_sensitive)) {
            return c;
        }
    }

    return NO_CONCEPT;
}


/* How many of each there are; their shape is checked on the way. */
static hie_rc_t
count(builder_t *b, hie_node_t list, int depth)
{
    maker_t    *m = b->m;
    hie_node_t  c, inner;

    if (list != HIE_NODE_NONE && depth > NESTING_MAX) {
        return hie_fail(m->err, HIE_INVALID, "CodeSystem.concept",
                        "more than %d concepts in one another", NESTING_MAX);
    }

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        b->n++;

        if (hie_doc_get(m->d, c, "code", m->scratch).len == 0) {
            return hie_fail(m->err, HIE_INVALID, "CodeSystem.concept.code",
                            "a concept without a code");
        }

        if (hie_make_list(m, c, "property", "CodeSystem.concept.property",
                          &inner) != HIE_OK)
        {
            return HIE_INVALID;
        }

        b->n_properties += hie_doc_count(m->d, inner);

        if (hie_make_list(m, c, "designation",
                          "CodeSystem.concept.designation", &inner) != HIE_OK)
        {
            return HIE_INVALID;
        }

        b->n_designations += hie_doc_count(m->d, inner);

        if (hie_make_list(m, c, "concept", "CodeSystem.concept.concept",
                          &inner) != HIE_OK
            || count(b, inner, depth + 1) != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


/* The place of a property's name; a new one gets one. */
static uint32_t
name_of(builder_t *b, hie_str_t code)
{
    system_t         *s = b->s;
    property_name_t  *larger;
    uint32_t          i;

    for (i = 0; i < s->n_names; i++) {
        if (hie_str_eq(s->names[i].code, code)) {
            return i;
        }
    }

    if (s->n_names == b->names_size) {
        b->names_size = b->names_size * 2 + 8;
        larger = hie_make_room(b->m, b->names_size, sizeof(*larger));

        if (s->n_names > 0) {
            memcpy(larger, s->names, s->n_names * sizeof(*larger));
        }

        s->names = larger;
    }

    s->names[s->n_names].code = hie_make_copy(b->m, code);

    return s->n_names++;
}


static hie_rc_t
take_names(builder_t *b, hie_node_t n)
{
    maker_t          *m = b->m;
    property_name_t  *p;
    hie_node_t        list, c;
    hie_str_t         code;
    uint32_t          i;

    if (hie_make_list(m, n, "property", "CodeSystem.property", &list)
        != HIE_OK)
    {
        return HIE_INVALID;
    }

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        code = hie_doc_get(m->d, c, "code", m->scratch);

        if (code.len == 0) {
            return hie_fail(m->err, HIE_INVALID, "CodeSystem.property.code",
                            "a property without a code");
        }

        i = name_of(b, code);
        p = &b->s->names[i];
        p->uri = hie_make_text(m, c, "uri");
        p->description = hie_make_text(m, c, "description");
    }

    return HIE_OK;
}


static bool
is_standard(const property_name_t *p, const char *code)
{
    static const char  base[] = "http://hl7.org/fhir/concept-properties#";

    if (hie_str_starts(p->uri, base)) {
        return hie_str_eqz((hie_str_t) { p->uri.ptr + sizeof(base) - 1,
                                         p->uri.len - (sizeof(base) - 1) },
                           code);
    }

    return hie_str_eqz(p->code, code);
}


/* R4 section 4.8.10: the properties that every code system may have; `status`
 * is what HL7's own code systems use. */
static uint8_t
flag_of(const property_name_t *name, hie_str_t text)
{
    if (hie_str_eqz(text, "true")) {
        return is_standard(name, "inactive") ? CONCEPT_INACTIVE
               : is_standard(name, "notSelectable") ? CONCEPT_ABSTRACT : 0;
    }

    if (is_standard(name, "status")
        && (hie_str_eqz(text, "retired") || hie_str_eqz(text, "inactive")
            || hie_str_eqz(text, "entered-in-error")))
    {
        return CONCEPT_INACTIVE;
    }

    return 0;
}


static void
take_property(builder_t *b, concept_t *concept, hie_node_t n)
{
    maker_t     *m = b->m;
    property_t  *p = &b->s->properties[b->n_properties++];
    hie_node_t   value;
    hie_str_t    type;
    size_t       i;

    value = hie_make_value(m->d, n, m->scratch, &type);

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (hie_str_eqz(type, types[i])) {
            p->type = types[i];
        }
    }

    p->name = name_of(b, hie_doc_get(m->d, n, "code", m->scratch));
    p->json = hie_make_copy(m, hie_doc_raw(m->d, value));

    switch (hie_doc_kind(m->d, value)) {

    case HIE_NODE_STRING:
        p->text = hie_make_copy(m, hie_doc_string(m->d, value, m->scratch));
        break;

    case HIE_NODE_OBJECT:
        p->text = hie_make_text(m, value, "code");
        break;

    default:
        p->text = p->json;
        break;
    }

    concept->flags |= flag_of(&b->s->names[p->name], p->text);
    concept->properties.n++;
}


static void
take_concepts(builder_t *b, hie_node_t list)
{
    maker_t    *m = b->m;
    concept_t  *concept;
    hie_node_t  c, p;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        concept = &b->s->concepts[b->n++];
        concept->code = hie_make_text(m, c, "code");
        concept->display = hie_make_text(m, c, "display");
        concept->definition = hie_make_text(m, c, "definition");

        concept->designations.first = b->n_designations;
        concept->designations.n = hie_make_designations(m,
                                   hie_doc_member(m->d, c, "designation"),
                                   b->s->designations + b->n_designations);
        b->n_designations += concept->designations.n;

        concept->properties.first = b->n_properties;
        p = hie_doc_first(m->d, hie_doc_member(m->d, c, "property"));

        for (; p != HIE_NODE_NONE; p = hie_doc_next(m->d, p)) {
            take_property(b, concept, p);
        }

        take_concepts(b, hie_doc_member(m->d, c, "concept"));
        concept->leave = b->n;      /* the end of those inside it */
    }
}


static hie_rc_t
take_head(maker_t *m, hie_node_t n)
{
    system_t   *s = &m->term->system;
    hie_str_t   text;
    size_t      i;

    text = hie_doc_get(m->d, n, "content", m->scratch);

    for (i = 1; i < sizeof(contents) / sizeof(contents[0]); i++) {
        if (hie_str_eqz(text, contents[i])) {
            s->content = (content_t) i;
        }
    }

    if (s->content == 0) {
        return hie_fail(m->err, HIE_INVALID, "CodeSystem.content",
                        "expected complete, fragment, example, not-present "
                        "or supplement");
    }

    /* where nothing is said, codes that differ in case only are distinct */
    s->case_sensitive = hie_doc_kind(m->d, hie_doc_member(m->d, n,
                                     "caseSensitive")) != HIE_NODE_FALSE;
    text = hie_doc_get(m->d, n, "hierarchyMeaning", m->scratch);
    s->subsumption = text.len == 0 || hie_str_eqz(text, "is-a")
                     || hie_str_eqz(text, "classified-with");
    s->name = hie_make_text(m, n, "name");
    s->title = hie_make_text(m, n, "title");
    s->language = hie_make_text(m, n, "language");
    s->value_set = hie_make_text(m, n, "valueSet");
    s->supplements = hie_make_text(m, n, "supplements");

    return HIE_OK;
}


hie_rc_t
hie_make_system(maker_t *m, hie_node_t n)
{
    system_t   *s = &m->term->system;
    builder_t   b;
    hie_node_t  list;

    memset(&b, 0, sizeof(b));
    b.m = m;
    b.s = s;

    if (take_head(m, n) != HIE_OK || take_names(&b, n) != HIE_OK
        || hie_make_list(m, n, "concept", "CodeSystem.concept", &list)
           != HIE_OK
        || count(&b, list, 1) != HIE_OK)
    {
        return HIE_INVALID;
    }

    s->n = b.n;
    s->concepts = hie_make_room(m, b.n, sizeof(*s->concepts));
    s->properties = hie_make_room(m, b.n_properties, sizeof(*s->properties));
    s->designations = hie_make_room(m, b.n_designations,
                                    sizeof(*s->designations));
    s->order = hie_make_room(m, b.n, sizeof(*s->order));

    b.n = b.n_properties = b.n_designations = 0;
    take_concepts(&b, list);

    hie_make_order(s->order, s->n, s->concepts, sizeof(*s->concepts));
    hie_hierarchy_make(m);

    return HIE_OK;
}
