/*
 * Value sets (R4 section 4.9).
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    maker_t   *m;
    uint32_t   n_designations;
} builder_t;

static const char *const  ops[] = {
    [OP_EQUAL] = "=",
    [OP_IS_A] = "is-a",
    [OP_DESCENDENT_OF] = "descendent-of",
    [OP_IS_NOT_A] = "is-not-a",
    [OP_REGEX] = "regex",
    [OP_IN] = "in",
    [OP_NOT_IN] = "not-in",
    [OP_GENERALIZES] = "generalizes",
    [OP_EXISTS] = "exists"
};

/* Members that go with every answer (R4 ValueSet-expand: includeDefinition);
 * and what is of the stored resource only. */
static const char *const  head[] = {
    "language", "url", "identifier", "version", "name", "title", "status",
    "experimental", "date", "publisher", "copyright", NULL
};
static const char *const  dropped[] = {
    "resourceType", "id", "meta", "implicitRules", "text", "contained",
    "expansion", NULL
};

#define SUPPLEMENT  "http://hl7.org/fhir/StructureDefinition/"               \
                    "valueset-supplement"
#define UNCLOSED    "http://hl7.org/fhir/StructureDefinition/"               \
                    "valueset-unclosed"


static hie_rc_t
take_designations(builder_t *b, hie_node_t n, range_t *out)
{
    maker_t      *m = b->m;
    value_set_t  *s = &m->term->set;
    hie_node_t    list;

    if (hie_make_list(m, n, "designation", "ValueSet", &list) != HIE_OK) {
        return HIE_INVALID;
    }

    out->first = b->n_designations;
    out->n = hie_make_designations(m, list,
                                   s->designations + b->n_designations);
    b->n_designations += out->n;

    return HIE_OK;
}


static hie_rc_t
take_entries(builder_t *b, hie_node_t list, include_t *inc)
{
    maker_t    *m = b->m;
    hie_node_t  c;
    entry_t    *e;

    inc->listed = true;
    inc->n = hie_doc_count(m->d, list);
    inc->entries = hie_make_room(m, inc->n, sizeof(*inc->entries));
    inc->order = hie_make_room(m, inc->n, sizeof(*inc->order));
    e = inc->entries;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c), e++)
    {
        e->code = hie_make_text(m, c, "code");
        e->display = hie_make_text(m, c, "display");

        if (e->code.len == 0) {
            return hie_fail(m->err, HIE_INVALID,
                            "ValueSet.compose.include.concept.code",
                            "a concept without a code");
        }

        if (take_designations(b, c, &e->designations) != HIE_OK) {
            return HIE_INVALID;
        }
    }

    hie_make_order(inc->order, inc->n, &inc->entries->code,
                   sizeof(*inc->entries));

    return HIE_OK;
}


static hie_rc_t
take_filters(builder_t *b, hie_node_t list, include_t *inc)
{
    maker_t    *m = b->m;
    hie_node_t  c;
    hie_str_t   op;
    filter_t   *f;
    size_t      i;

    inc->filters = hie_make_room(m, hie_doc_count(m->d, list),
                                 sizeof(*inc->filters));

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        f = &inc->filters[inc->n_filters++];
        f->property = hie_make_text(m, c, "property");
        f->value = hie_make_text(m, c, "value");
        op = hie_doc_get(m->d, c, "op", m->scratch);

        for (i = 1; i < sizeof(ops) / sizeof(ops[0]); i++) {
            if (hie_str_eqz(op, ops[i])) {
                f->op = (filter_op_t) i;
            }
        }

        if (f->op == 0 || f->property.len == 0 || f->value.len == 0) {
            return hie_fail(m->err, HIE_INVALID,
                            "ValueSet.compose.include.filter",
                            "expected property, op of the filter-operator "
                            "codes, and value");
        }
    }

    return HIE_OK;
}


/* Strings of an array, copied. */
static hie_rc_t
take_strings(maker_t *m, hie_node_t list, hie_str_t **out, uint32_t *n)
{
    hie_node_t  c;

    *out = hie_make_room(m, hie_doc_count(m->d, list), sizeof(**out));

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        (*out)[*n] = hie_make_copy(m, hie_doc_string(m->d, c, m->scratch));

        if ((*out)[(*n)++].len == 0) {
            return hie_fail(m->err, HIE_INVALID,
                            "ValueSet.compose.include.valueSet",
                            "expected canonical URLs");
        }
    }

    return HIE_OK;
}


static hie_rc_t
take_include(builder_t *b, hie_node_t n, include_t *inc)
{
    static const char  where[] = "ValueSet.compose.include";
    maker_t           *m = b->m;
    hie_node_t         concepts, filters;

    inc->system = hie_make_text(m, n, "system");
    inc->version = hie_make_text(m, n, "version");

    if (hie_make_list(m, n, "concept", where, &concepts) != HIE_OK
        || hie_make_list(m, n, "filter", where, &filters) != HIE_OK
        || take_filters(b, filters, inc) != HIE_OK
        || take_strings(m, hie_doc_member(m->d, n, "valueSet"),
                        &inc->value_sets, &inc->n_value_sets) != HIE_OK)
    {
        return HIE_INVALID;
    }

    if (concepts != HIE_NODE_NONE && take_entries(b, concepts, inc) != HIE_OK)
    {
        return HIE_INVALID;
    }

    /* R4 ValueSet: vsd-1, vsd-2, vsd-3 */
    if (inc->system.len == 0
        && (inc->n_value_sets == 0 || inc->listed || inc->n_filters > 0))
    {
        return hie_fail(m->err, HIE_INVALID, where,
                        "expected a system or a value set, and a system "
                        "where there are concepts or filters");
    }

    if (inc->listed && inc->n_filters > 0) {
        return hie_fail(m->err, HIE_INVALID, where,
                        "concepts and filters exclude each other");
    }

    return HIE_OK;
}


static hie_rc_t
take_compose(builder_t *b, hie_node_t compose)
{
    maker_t      *m = b->m;
    value_set_t  *s = &m->term->set;
    hie_node_t    includes, excludes, c;
    include_t    *inc;

    if (compose == HIE_NODE_NONE) {
        return HIE_OK;
    }

    s->composed = true;
    s->active = hie_doc_kind(m->d, hie_doc_member(m->d, compose, "inactive"))
                == HIE_NODE_FALSE;

    if (hie_make_list(m, compose, "include", "ValueSet.compose.include",
                      &includes) != HIE_OK
        || hie_make_list(m, compose, "exclude", "ValueSet.compose.exclude",
                         &excludes) != HIE_OK)
    {
        return HIE_INVALID;
    }

    s->n_includes = hie_doc_count(m->d, includes);
    s->n_excludes = hie_doc_count(m->d, excludes);
    s->includes = inc = hie_make_room(m, s->n_includes + s->n_excludes,
                                      sizeof(*s->includes));

    for (c = hie_doc_first(m->d, includes);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        if (take_include(b, c, inc++) != HIE_OK) {
            return HIE_INVALID;
        }
    }

    for (c = hie_doc_first(m->d, excludes);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        if (take_include(b, c, inc++) != HIE_OK) {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


/*
 * A stored expansion.
 */

static hie_rc_t
count_contains(maker_t *m, hie_node_t list, uint32_t *n, int depth)
{
    hie_node_t  c, inner;

    if (list != HIE_NODE_NONE && depth > NESTING_MAX) {
        return hie_fail(m->err, HIE_INVALID, "ValueSet.expansion.contains",
                        "more than %d entries in one another", NESTING_MAX);
    }

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        ++*n;

        if (hie_make_list(m, c, "contains", "ValueSet.expansion.contains",
                          &inner) != HIE_OK
            || count_contains(m, inner, n, depth + 1) != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


/* Entries without a code are headings. */
static hie_rc_t
take_contains(builder_t *b, hie_node_t list, include_t *inc)
{
    maker_t    *m = b->m;
    hie_node_t  c;
    entry_t    *e;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        e = &inc->entries[inc->n];
        e->code = hie_make_text(m, c, "code");

        if (e->code.len > 0) {
            e->system = hie_make_text(m, c, "system");
            e->version = hie_make_text(m, c, "version");
            e->display = hie_make_text(m, c, "display");
            e->flags = (uint8_t)
                ((hie_make_true(m->d, c, "abstract") ? CONCEPT_ABSTRACT : 0)
                 | (hie_make_true(m->d, c, "inactive") ? CONCEPT_INACTIVE
                                                       : 0));
            inc->n++;

            if (take_designations(b, c, &e->designations) != HIE_OK) {
                return HIE_INVALID;
            }
        }

        if (take_contains(b, hie_doc_member(m->d, c, "contains"), inc)
            != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


static bool
has_extension(const hie_doc_t *d, hie_node_t n, const char *url,
              apr_pool_t *pool)
{
    hie_node_t  c = hie_doc_first(d, hie_doc_member(d, n, "extension"));

    for (; c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        if (hie_str_eqz(hie_doc_get(d, c, "url", pool), url)
            && !(hie_doc_kind(d, hie_doc_member(d, c, "valueBoolean"))
                 == HIE_NODE_FALSE))
        {
            return true;
        }
    }

    return false;
}


/* A page of an expansion is no expansion. */
static hie_rc_t
take_expansion(builder_t *b, hie_node_t n)
{
    maker_t      *m = b->m;
    value_set_t  *s = &m->term->set;
    include_t    *inc = &s->expansion;
    hie_node_t    list;
    uint32_t      all = 0;

    if (n == HIE_NODE_NONE) {
        return HIE_OK;
    }

    if (hie_make_list(m, n, "contains", "ValueSet.expansion.contains", &list)
        != HIE_OK
        || count_contains(m, list, &all, 1) != HIE_OK)
    {
        return HIE_INVALID;
    }

    inc->listed = true;
    inc->entries = hie_make_room(m, all, sizeof(*inc->entries));

    if (take_contains(b, list, inc) != HIE_OK) {
        return HIE_INVALID;
    }

    inc->order = hie_make_room(m, inc->n, sizeof(*inc->order));
    hie_make_order(inc->order, inc->n, &inc->entries->code,
                   sizeof(*inc->entries));

    s->unclosed = has_extension(m->d, n, UNCLOSED, m->scratch);
    s->expanded = hie_doc_member(m->d, n, "offset") == HIE_NODE_NONE;

    return HIE_OK;
}


/*
 * The resource around them.
 */

static uint32_t
count_designations(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool,
                   int depth)
{
    hie_node_t  c;
    uint32_t    count = 0;

    for (c = hie_doc_first(d, n);
         c != HIE_NODE_NONE && depth <= 4 * NESTING_MAX;
         c = hie_doc_next(d, c))
    {
        count += hie_str_eqz(hie_doc_name(d, c, pool), "designation")
                 ? hie_doc_count(d, c)
                 : count_designations(d, c, pool, depth + 1);
    }

    return count;
}


static bool
is_one_of(hie_str_t name, const char *const *names)
{
    if (hie_str_starts(name, "_")) {
        name.ptr++;
        name.len--;
    }

    for (; *names != NULL; names++) {
        if (hie_str_eqz(name, *names)) {
            return true;
        }
    }

    return false;
}


static void
take_members(maker_t *m, hie_node_t n)
{
    value_set_t  *s = &m->term->set;
    hie_buf_t     short_, long_, *b;
    hie_node_t    c;
    hie_str_t     name;

    hie_buf_init(&short_, m->scratch, 256);
    hie_buf_init(&long_, m->scratch, 256);

    for (c = hie_doc_first(m->d, n);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        name = hie_doc_name(m->d, c, m->scratch);

        if (is_one_of(name, dropped)) {
            continue;
        }

        b = is_one_of(name, head) ? &short_ : &long_;

        if (b->len > 0) {
            hie_buf_addc(b, ',');
        }

        hie_buf_add_json(b, name);
        hie_buf_addc(b, ':');
        hie_buf_adds(b, hie_doc_raw(m->d, c));
    }

    s->head = hie_make_copy(m, hie_buf_str(&short_));
    s->definition = hie_make_copy(m, hie_buf_str(&long_));
    s->language = hie_make_text(m, n, "language");
}


static void
take_supplements(maker_t *m, hie_node_t n)
{
    value_set_t  *s = &m->term->set;
    hie_node_t    list = hie_doc_member(m->d, n, "extension"), c;

    s->supplements = hie_make_room(m, hie_doc_count(m->d, list),
                                   sizeof(*s->supplements));

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        if (hie_str_eqz(hie_doc_get(m->d, c, "url", m->scratch), SUPPLEMENT)) {
            s->supplements[s->n_supplements++] =
                hie_make_text(m, c, "valueCanonical");
        }
    }
}


/* Contained value sets and code systems; they contain nothing themselves (R4
 * section 2.3.0.1: dom-2). */
static hie_rc_t
take_contained(maker_t *m, hie_node_t n)
{
    value_set_t       *s = &m->term->set;
    hie_node_t         list = hie_doc_member(m->d, n, "contained"), c;
    const hie_term_t  *t;
    hie_str_t          type;

    s->contained = hie_make_room(m, hie_doc_count(m->d, list),
                                 sizeof(*s->contained));
    s->contained_ids = hie_make_room(m, hie_doc_count(m->d, list),
                                     sizeof(*s->contained_ids));

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        type = hie_doc_get(m->d, c, "resourceType", m->scratch);

        if (!hie_str_eqz(type, "ValueSet") && !hie_str_eqz(type, "CodeSystem"))
        {
            continue;
        }

        if (hie_doc_member(m->d, c, "contained") != HIE_NODE_NONE) {
            return hie_fail(m->err, HIE_INVALID, "ValueSet.contained",
                            "a contained resource contains nothing");
        }

        if (hie_term_compile(m->pool, m->d, c, &t, m->err) != HIE_OK) {
            return HIE_INVALID;
        }

        m->term->bytes += t->bytes;
        s->contained_ids[s->n_contained] = hie_make_text(m, c, "id");
        s->contained[s->n_contained++] = t;
    }

    return HIE_OK;
}


hie_rc_t
hie_make_value_set(maker_t *m, hie_node_t n)
{
    value_set_t  *s = &m->term->set;
    builder_t     b = { .m = m };
    hie_node_t    compose = hie_doc_member(m->d, n, "compose");
    hie_node_t    expansion = hie_doc_member(m->d, n, "expansion");

    s->designations = hie_make_room(m,
        count_designations(m->d, compose, m->scratch, 1)
        + count_designations(m->d, expansion, m->scratch, 1),
        sizeof(*s->designations));

    take_members(m, n);
    take_supplements(m, n);

    return take_compose(&b, compose) == HIE_OK
           && take_expansion(&b, expansion) == HIE_OK
           && take_contained(m, n) == HIE_OK ? HIE_OK : HIE_INVALID;
}
