/*
 * The paths of all parameters of a type as one tree: a resource is walked over
 * once, and only where a path leads.
 */

#include "search/private.h"

#include <string.h>

#include <apr_strings.h>

/* A way on from an object: by a member of it, and for each condition on the
 * values to a place of its own. */
typedef struct {
    const hie_search_filter_t  *filter;      /* or NULL */
    hie_search_tree_t          *to;
} way_t;

typedef struct {
    hie_str_t            name;
    hie_type_t           type;               /* of the values */
    apr_array_header_t  *ways;               /* way_t */
} member_t;

struct hie_search_tree_t {
    apr_array_header_t  *members;            /* member_t */
    apr_array_header_t  *plans;              /* int: those that end here */
    uint32_t             mask;               /* of the table of members: */
    uint16_t            *table;              /* index + 1, 0: none */
};


/*
 * Making.
 */

static hie_search_tree_t *
make_place(apr_pool_t *pool)
{
    hie_search_tree_t  *t;

    t = apr_pcalloc(pool, sizeof(*t));
    t->members = apr_array_make(pool, 1, sizeof(member_t));
    t->plans = apr_array_make(pool, 1, sizeof(int));
    return t;
}


static bool
same_filter(const hie_search_filter_t *a, const hie_search_filter_t *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }

    return a->refers_to == b->refers_to && hie_str_eq(a->member, b->member)
           && hie_str_eq(a->value, b->value);
}


static hie_search_tree_t *
way_on(apr_pool_t *pool, member_t *m, const hie_search_filter_t *filter)
{
    int     i;
    way_t  *w;

    for (i = 0; i < m->ways->nelts; i++) {
        w = &APR_ARRAY_IDX(m->ways, i, way_t);
        if (same_filter(w->filter, filter)) {
            return w->to;
        }
    }

    w = apr_array_push(m->ways);
    w->filter = filter;
    w->to = make_place(pool);
    return w->to;
}


static member_t *
member_of(apr_pool_t *pool, hie_search_tree_t *t, const hie_element_t *e)
{
    int        i;
    member_t  *m;
    hie_str_t  name = { e->name, e->name_len };

    for (i = 0; i < t->members->nelts; i++) {
        m = &APR_ARRAY_IDX(t->members, i, member_t);
        if (hie_str_eq(m->name, name)) {
            return m;
        }
    }

    m = apr_array_push(t->members);
    m->name = name;
    m->type = e->type;
    m->ways = apr_array_make(pool, 1, sizeof(way_t));
    return m;
}


static void
add_path(apr_pool_t *pool, hie_search_tree_t *t, const hie_search_path_t *path,
         int plan)
{
    int        i;
    member_t  *m;

    for (i = 0; i < path->n; i++) {
        m = member_of(pool, t, path->steps[i].element);
        t = way_on(pool, m, path->steps[i].filter);
    }

    APR_ARRAY_PUSH(t->plans, int) = plan;
}


static uint32_t
spread(hie_str_t name)
{
    return (uint32_t) name.len * 5 + (unsigned char) name.ptr[0] * 31
           + (unsigned char) name.ptr[name.len - 1] * 7
           + (unsigned char) name.ptr[name.len / 2];
}


static void
close_place(apr_pool_t *pool, hie_search_tree_t *t)
{
    int        i, k;
    uint32_t   size, at;
    member_t  *m;

    for (size = 4; size < (uint32_t) t->members->nelts * 3; size *= 2) {
        /* void */
    }

    t->mask = size - 1;
    t->table = apr_pcalloc(pool, size * sizeof(*t->table));
    for (i = 0; i < t->members->nelts; i++) {
        m = &APR_ARRAY_IDX(t->members, i, member_t);
        for (at = spread(m->name) & t->mask; t->table[at] != 0;
             at = (at + 1) & t->mask)
        {
            /* void */
        }

        t->table[at] = (uint16_t) (i + 1);
        for (k = 0; k < m->ways->nelts; k++) {
            close_place(pool, APR_ARRAY_IDX(m->ways, k, way_t).to);
        }
    }
}


hie_search_tree_t *
hie_search_tree_make(apr_pool_t *pool, const hie_search_type_t *type)
{
    int                 i, k;
    hie_search_tree_t  *t;

    t = make_place(pool);
    for (i = 0; i < type->n; i++) {
        for (k = 0; k < type->plans[i].n_paths; k++) {
            add_path(pool, t, &type->plans[i].paths[k], i);
        }
    }

    close_place(pool, t);
    return t;
}


/*
 * Walking.
 */

static void
walk(hie_indexer_t *ix, const hie_search_tree_t *t, hie_node_t object);

static const member_t *
find_member(const hie_search_tree_t *t, hie_str_t name)
{
    uint32_t         at;
    const member_t  *m;

    if (name.len == 0) {
        return NULL;
    }

    for (at = spread(name) & t->mask; t->table[at] != 0;
         at = (at + 1) & t->mask)
    {
        m = &APR_ARRAY_IDX(t->members, t->table[at] - 1, member_t);
        if (hie_str_eq(m->name, name)) {
            return m;
        }
    }

    return NULL;
}


bool
hie_search_has_value(const hie_doc_t *d, hie_node_t n, hie_type_t type)
{
    switch (hie_doc_kind(d, n)) {
    case HIE_NODE_OBJECT:
        return hie_types[type].kind != HIE_KIND_PRIMITIVE;

    case HIE_NODE_STRING:
    case HIE_NODE_NUMBER:
    case HIE_NODE_TRUE:
    case HIE_NODE_FALSE:
        return hie_types[type].kind == HIE_KIND_PRIMITIVE;

    default:
        return false;
    }
}


/* What `resolve() is Type` says of a reference that nobody follows: by what
 * is in the resource, the text, or else the type that stands beside it. */
static bool
refers_to(hie_indexer_t *ix, hie_node_t n, hie_type_t type)
{
    hie_str_t        text, name = hie_str(hie_types[type].name);
    hie_reference_t  ref;

    text = hie_doc_get(ix->d, n, "reference", ix->pool);
    if (text.len == 0) {
        return false;
    }

    if (text.ptr[0] == '#') {
        return hie_inside_type(ix->inside, text) == type;
    }

    if (hie_fhir_reference(text, HIE_STR(""), &ref) && ref.type.len > 0) {
        return hie_str_eq(ref.type, name);
    }

    return hie_str_eq(hie_doc_get(ix->d, n, "type", ix->pool), name);
}


static bool
passes(hie_indexer_t *ix, const hie_search_filter_t *filter, hie_node_t n)
{
    if (filter == NULL) {
        return true;
    }

    if (filter->refers_to != HIE_TYPE_NONE) {
        return refers_to(ix, n, filter->refers_to);
    }

    return hie_str_eq(hie_doc_string(ix->d,
                                     hie_doc_member_str(ix->d, n,
                                                        filter->member),
                                     ix->pool), filter->value);
}


static void
take_value(hie_indexer_t *ix, const member_t *m, hie_node_t n)
{
    int           i, k;
    const way_t  *w;

    if (!hie_search_has_value(ix->d, n, m->type)) {
        return;
    }

    for (i = 0; i < m->ways->nelts; i++) {
        w = &APR_ARRAY_IDX(m->ways, i, way_t);
        if (!passes(ix, w->filter, n)) {
            continue;
        }

        for (k = 0; k < w->to->plans->nelts; k++) {
            hie_search_take_value(ix, APR_ARRAY_IDX(w->to->plans, k, int), n,
                                  m->type);
        }

        if (w->to->members->nelts > 0) {
            walk(ix, w->to, n);
        }
    }
}


static void
walk(hie_indexer_t *ix, const hie_search_tree_t *t, hie_node_t object)
{
    hie_node_t        c, e;
    const member_t   *m;
    const hie_doc_t  *d = ix->d;

    for (c = hie_doc_first(d, object);
         c != HIE_NODE_NONE && ix->rc == HIE_OK;
         c = hie_doc_next(d, c))
    {
        m = find_member(t, hie_doc_name(d, c, ix->pool));
        if (m == NULL) {
            continue;
        }

        if (hie_doc_kind(d, c) != HIE_NODE_ARRAY) {
            take_value(ix, m, c);
            continue;
        }

        for (e = hie_doc_first(d, c); e != HIE_NODE_NONE;
             e = hie_doc_next(d, e))
        {
            take_value(ix, m, e);
        }
    }
}


void
hie_search_tree_walk(hie_indexer_t *ix, const hie_search_tree_t *t,
                     hie_type_t type)
{
    int  i;

    for (i = 0; i < t->plans->nelts; i++) {
        hie_search_take_value(ix, APR_ARRAY_IDX(t->plans, i, int), 0, type);
    }

    walk(ix, t, 0);
}


/*
 * One path by itself.
 */

static void
follow(hie_indexer_t *ix, const hie_search_path_t *path, int step,
       hie_node_t n, apr_array_header_t *out)
{
    hie_node_t                c, m;
    hie_type_t                type;
    const hie_search_step_t  *s = &path->steps[step];

    if (step == path->n) {
        APR_ARRAY_PUSH(out, hie_fhirpath_item_t) =
            hie_fhirpath_node(ix->d, n, HIE_NODE_NONE, path->type);
        return;
    }

    type = s->element->type;
    m = hie_doc_member_str(ix->d, n, (hie_str_t) { s->element->name,
                                                   s->element->name_len });
    if (hie_doc_kind(ix->d, m) != HIE_NODE_ARRAY) {
        if (hie_search_has_value(ix->d, m, type)
            && passes(ix, s->filter, m))
        {
            follow(ix, path, step + 1, m, out);
        }

        return;
    }

    for (c = hie_doc_first(ix->d, m); c != HIE_NODE_NONE;
         c = hie_doc_next(ix->d, c))
    {
        if (hie_search_has_value(ix->d, c, type)
            && passes(ix, s->filter, c))
        {
            follow(ix, path, step + 1, c, out);
        }
    }
}


void
hie_search_follow(hie_indexer_t *ix, const hie_search_path_t *path,
                  hie_node_t n, apr_array_header_t *out)
{
    follow(ix, path, 0, n, out);
}
