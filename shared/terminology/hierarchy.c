/*
 * The hierarchy of a code system: concepts in one another and the properties
 * parent and child (R4 section 4.8.10). Mostly a forest, in which "is a" is
 * an interval; otherwise the parents are walked.
 */

#include "terminology/private.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t  child;
    uint32_t  parent;
} edge_t;

typedef struct {
    edge_t  *edges;
    size_t   n;
} edges_t;


static void
add(edges_t *e, uint32_t child, uint32_t parent)
{
    if (child != parent && child != NO_CONCEPT && parent != NO_CONCEPT) {
        e->edges[e->n++] = (edge_t) { child, parent };
    }
}


static bool
is_link(const property_name_t *name, const char *code)
{
    static const char  base[] = "http://hl7.org/fhir/concept-properties#";

    if (hie_str_starts(name->uri, base)) {
        return hie_str_eqz((hie_str_t) { name->uri.ptr + sizeof(base) - 1,
                                         name->uri.len - (sizeof(base) - 1) },
                           code);
    }

    return hie_str_eqz(name->code, code);
}


static void
add_properties(edges_t *e, const hie_term_t *t, uint32_t i)
{
    const system_t    *s = &t->system;
    const range_t     *r = &s->concepts[i].properties;
    const property_t  *p;
    uint32_t           k;

    for (k = 0; k < r->n; k++) {
        p = &s->properties[r->first + k];

        if (is_link(&s->names[p->name], "parent")) {
            add(e, i, hie_system_find(t, p->text));

        } else if (is_link(&s->names[p->name], "child")) {
            add(e, hie_system_find(t, p->text), i);
        }
    }
}


/* `leave` has the end of what stands inside a concept: those whose place is
 * not yet inside another one are its children. */
static void
collect(edges_t *e, const hie_term_t *t)
{
    const system_t  *s = &t->system;
    uint32_t         i, c;

    for (i = 0; i < s->n; i++) {
        for (c = i + 1; c < s->concepts[i].leave; c = s->concepts[c].leave) {
            add(e, c, i);
        }

        add_properties(e, t, i);
    }
}


static int
by_child(const void *va, const void *vb)
{
    const edge_t  *a = va, *b = vb;

    return a->child != b->child ? (a->child > b->child) * 2 - 1
           : (a->parent > b->parent) - (a->parent < b->parent);
}


static int
by_parent(const void *va, const void *vb)
{
    const edge_t  *a = va, *b = vb;

    return a->parent != b->parent ? (a->parent > b->parent) * 2 - 1
           : (a->child > b->child) - (a->child < b->child);
}


static void
unite(edges_t *e)
{
    size_t  i, kept = 0;

    qsort(e->edges, e->n, sizeof(*e->edges), by_child);

    for (i = 0; i < e->n; i++) {
        if (i == 0 || by_child(&e->edges[i - 1], &e->edges[i]) != 0) {
            e->edges[kept++] = e->edges[i];
        }
    }

    e->n = kept;
}


static void
link_up(system_t *s, edges_t *e)
{
    range_t   *r;
    uint32_t  *w = s->links;
    size_t     i;

    for (i = 0; i < e->n; i++) {
        r = &s->concepts[e->edges[i].child].parents;
        r->first = r->n++ == 0 ? (uint32_t) (w - s->links) : r->first;
        *w++ = e->edges[i].parent;
        s->forest = s->forest && r->n == 1;
    }

    qsort(e->edges, e->n, sizeof(*e->edges), by_parent);

    for (i = 0; i < e->n; i++) {
        r = &s->concepts[e->edges[i].parent].children;
        r->first = r->n++ == 0 ? (uint32_t) (w - s->links) : r->first;
        *w++ = e->edges[i].child;
    }
}


/* Numbers the concepts below a root; the new count. `leave` serves as the
 * next child to go to until the concept is left. */
static uint32_t
number(system_t *s, uint32_t root, uint32_t count)
{
    concept_t  *c;
    uint32_t    at = root;

    s->concepts[root].enter = count++;

    for ( ;; ) {
        c = &s->concepts[at];

        if (c->leave < c->children.n) {
            at = s->links[c->children.first + c->leave++];
            s->concepts[at].enter = count++;
            continue;
        }

        c->leave = count;

        if (at == root) {
            return count;
        }

        at = s->links[c->parents.first];
    }
}


/* A forest has each concept below a root; what is not is in a cycle. */
static void
number_all(system_t *s)
{
    uint32_t  i, count = 0;

    for (i = 0; i < s->n; i++) {
        s->concepts[i].leave = 0;
    }

    for (i = 0; i < s->n && s->forest; i++) {
        if (s->concepts[i].parents.n == 0) {
            count = number(s, i, count);
        }
    }

    s->forest = s->forest && count == s->n;
}


void
hie_hierarchy_make(maker_t *m)
{
    system_t  *s = &m->term->system;
    edges_t    e;
    size_t     n = s->n;
    uint32_t   i;

    for (i = 0; i < s->n; i++) {
        n += s->concepts[i].properties.n;
    }

    e.n = 0;
    e.edges = malloc((n + 1) * sizeof(*e.edges));

    if (e.edges == NULL) {
        abort();
    }

    collect(&e, m->term);
    unite(&e);

    s->forest = true;
    s->links = hie_make_room(m, 2 * e.n, sizeof(*s->links));
    link_up(s, &e);
    number_all(s);

    free(e.edges);
}


uint8_t *
hie_hierarchy_reach(const system_t *s, uint32_t c, bool up, apr_pool_t *pool)
{
    uint8_t        *bits = apr_pcalloc(pool, s->n / 8 + 1);
    uint32_t       *todo = apr_palloc(pool, s->n * sizeof(*todo));
    uint32_t        n = 0, i, next;
    const range_t  *r;

    bits[c / 8] |= (uint8_t) (1 << c % 8);
    todo[n++] = c;

    while (n > 0) {
        c = todo[--n];
        r = up ? &s->concepts[c].parents : &s->concepts[c].children;

        for (i = 0; i < r->n; i++) {
            next = s->links[r->first + i];

            if (!HIE_BIT(bits, next)) {
                bits[next / 8] |= (uint8_t) (1 << next % 8);
                todo[n++] = next;
            }
        }
    }

    return bits;
}


bool
hie_hierarchy_is(const system_t *s, uint32_t a, uint32_t b, apr_pool_t *pool)
{
    const concept_t  *below = &s->concepts[a], *above = &s->concepts[b];
    const uint8_t    *bits;

    if (s->forest) {
        return below->enter >= above->enter && below->enter < above->leave;
    }

    bits = hie_hierarchy_reach(s, a, true, pool);

    return HIE_BIT(bits, b);
}
