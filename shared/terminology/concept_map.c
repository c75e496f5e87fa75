/*
 * Concept maps (R4 section 4.10).
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    maker_t   *m;
    uint32_t   n_elements;
    uint32_t   n_targets;
    uint32_t   n_depends;
} builder_t;

static const char *const  equivalences[] = {
    "relatedto", "equivalent", "equal", "wider", "subsumes", "narrower",
    "specializes", "inexact", "unmatched", "disjoint"
};


static bool
is_equivalence(hie_str_t code)
{
    size_t  i;

    for (i = 0; i < sizeof(equivalences) / sizeof(equivalences[0]); i++) {
        if (hie_str_eqz(code, equivalences[i])) {
            return true;
        }
    }

    return false;
}


static hie_rc_t
count_target(builder_t *b, hie_node_t n)
{
    maker_t    *m = b->m;
    hie_node_t  list;

    b->n_targets++;

    if (hie_make_list(m, n, "dependsOn",
                      "ConceptMap.group.element.target.dependsOn", &list)
        != HIE_OK)
    {
        return HIE_INVALID;
    }

    b->n_depends += hie_doc_count(m->d, list);

    if (hie_make_list(m, n, "product",
                      "ConceptMap.group.element.target.product", &list)
        != HIE_OK)
    {
        return HIE_INVALID;
    }

    b->n_depends += hie_doc_count(m->d, list);

    return HIE_OK;
}


static hie_rc_t
count_element(builder_t *b, hie_node_t n)
{
    maker_t    *m = b->m;
    hie_node_t  list, c;

    b->n_elements++;

    if (hie_make_list(m, n, "target", "ConceptMap.group.element.target",
                      &list) != HIE_OK)
    {
        return HIE_INVALID;
    }

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        if (count_target(b, c) != HIE_OK) {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


static hie_rc_t
count(builder_t *b, hie_node_t groups)
{
    maker_t    *m = b->m;
    hie_node_t  g, list, c;

    for (g = hie_doc_first(m->d, groups);
         g != HIE_NODE_NONE;
         g = hie_doc_next(m->d, g))
    {
        if (hie_make_list(m, g, "element", "ConceptMap.group.element", &list)
            != HIE_OK)
        {
            return HIE_INVALID;
        }

        for (c = hie_doc_first(m->d, list);
             c != HIE_NODE_NONE;
             c = hie_doc_next(m->d, c))
        {
            if (count_element(b, c) != HIE_OK) {
                return HIE_INVALID;
            }
        }
    }

    return HIE_OK;
}


static range_t
take_depends(builder_t *b, hie_node_t list)
{
    maker_t    *m = b->m;
    hie_node_t  c;
    depends_t  *d;
    range_t     r = { b->n_depends, 0 };

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        d = &m->term->map.depends[b->n_depends++];
        d->property = hie_make_text(m, c, "property");
        d->system = hie_make_text(m, c, "system");
        d->value = hie_make_text(m, c, "value");
        d->display = hie_make_text(m, c, "display");
        r.n++;
    }

    return r;
}


static hie_rc_t
take_targets(builder_t *b, hie_node_t list, range_t *out)
{
    maker_t    *m = b->m;
    hie_node_t  c;
    target_t   *t;

    out->first = b->n_targets;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        t = &m->term->map.targets[b->n_targets++];
        t->code = hie_make_text(m, c, "code");
        t->display = hie_make_text(m, c, "display");
        t->equivalence = hie_make_text(m, c, "equivalence");
        t->depends = take_depends(b, hie_doc_member(m->d, c, "dependsOn"));
        t->products = take_depends(b, hie_doc_member(m->d, c, "product"));
        out->n++;

        if (!is_equivalence(t->equivalence)) {
            return hie_fail(m->err, HIE_INVALID,
                            "ConceptMap.group.element.target.equivalence",
                            "expected a concept-map-equivalence code");
        }
    }

    return HIE_OK;
}


/* Elements stand in the order of their codes, those without one first. */
static hie_rc_t
take_elements(builder_t *b, hie_node_t list, range_t *out)
{
    maker_t    *m = b->m;
    uint32_t    n = hie_doc_count(m->d, list), i, *order;
    element_t  *to = m->term->map.elements + b->n_elements, *rows, *e;
    hie_node_t  c;

    out->first = b->n_elements;
    out->n = n;
    b->n_elements += n;
    rows = apr_pcalloc(m->scratch, (n + 1) * sizeof(*rows));
    order = apr_palloc(m->scratch, (n + 1) * sizeof(*order));
    e = rows;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c), e++)
    {
        e->code = hie_make_text(m, c, "code");
        e->display = hie_make_text(m, c, "display");

        if (take_targets(b, hie_doc_member(m->d, c, "target"), &e->targets)
            != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    hie_make_order(order, n, rows, sizeof(*rows));

    for (i = 0; i < n; i++) {
        to[i] = rows[order[i]];
    }

    return HIE_OK;
}


static hie_rc_t
take_unmapped(maker_t *m, hie_node_t n, group_t *g)
{
    hie_str_t  mode;

    if (n == HIE_NODE_NONE) {
        return HIE_OK;
    }

    mode = hie_doc_get(m->d, n, "mode", m->scratch);
    g->code = hie_make_text(m, n, "code");
    g->display = hie_make_text(m, n, "display");
    g->other = hie_make_text(m, n, "url");

    if (hie_str_eqz(mode, "provided")) {
        g->unmapped = UNMAPPED_PROVIDED;

    } else if (hie_str_eqz(mode, "fixed") && g->code.len > 0) {
        g->unmapped = UNMAPPED_FIXED;

    } else if (hie_str_eqz(mode, "other-map") && g->other.len > 0) {
        g->unmapped = UNMAPPED_OTHER;

    } else {
        /* R4 ConceptMap: cmd-2, cmd-3 */
        return hie_fail(m->err, HIE_INVALID, "ConceptMap.group.unmapped",
                        "expected provided, fixed with a code or other-map "
                        "with a url");
    }

    return HIE_OK;
}


/* source[x] and target[x]: a uri or a canonical. */
static hie_str_t
take_scope(maker_t *m, hie_node_t n, const char *uri, const char *canonical)
{
    hie_str_t  s = hie_make_text(m, n, uri);

    return s.len > 0 ? s : hie_make_text(m, n, canonical);
}


hie_rc_t
hie_make_map(maker_t *m, hie_node_t n)
{
    map_t      *map = &m->term->map;
    builder_t   b = { .m = m };
    hie_node_t  list, c;
    group_t    *g;

    map->source = take_scope(m, n, "sourceUri", "sourceCanonical");
    map->target = take_scope(m, n, "targetUri", "targetCanonical");

    if (hie_make_list(m, n, "group", "ConceptMap.group", &list) != HIE_OK
        || count(&b, list) != HIE_OK)
    {
        return HIE_INVALID;
    }

    map->n_groups = hie_doc_count(m->d, list);
    map->groups = g = hie_make_room(m, map->n_groups, sizeof(*map->groups));
    map->elements = hie_make_room(m, b.n_elements, sizeof(*map->elements));
    map->targets = hie_make_room(m, b.n_targets, sizeof(*map->targets));
    map->depends = hie_make_room(m, b.n_depends, sizeof(*map->depends));
    b.n_elements = b.n_targets = b.n_depends = 0;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c), g++)
    {
        g->source = hie_make_text(m, c, "source");
        g->source_version = hie_make_text(m, c, "sourceVersion");
        g->target = hie_make_text(m, c, "target");
        g->target_version = hie_make_text(m, c, "targetVersion");

        if (take_elements(&b, hie_doc_member(m->d, c, "element"),
                          &g->elements) != HIE_OK
            || take_unmapped(m, hie_doc_member(m->d, c, "unmapped"), g)
               != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}
