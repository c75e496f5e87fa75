/*
 * Changes of elements in the JSON of a resource.
 */

#include "patch/element.h"

#include <string.h>

#include <apr_strings.h>

/* A value of a list with its sibling; ptr NULL: none. */
typedef struct {
    hie_str_t  json;
    hie_str_t  sibling;
} pair_t;

typedef struct {
    size_t   n;
    pair_t  *pairs;          /* room for one more */
} pairs_t;


/* `a` is a child, `n` in it or in a later one. */
static bool
contains(const hie_doc_t *d, hie_node_t a, hie_node_t n)
{
    hie_node_t  next = hie_doc_next(d, a);

    return next == HIE_NODE_NONE || n < next;
}


static hie_node_t
child_with(const hie_doc_t *d, hie_node_t container, hie_node_t n,
           size_t *index)
{
    hie_node_t  c = hie_doc_first(d, container);

    for (*index = 0; !contains(d, c, n); (*index)++) {
        c = hie_doc_next(d, c);
    }

    return c;
}


/* Or not there. */
static bool
is_list(const hie_doc_t *d, hie_node_t n)
{
    return n == HIE_NODE_NONE || hie_doc_kind(d, n) == HIE_NODE_ARRAY;
}


static size_t
count_list(const hie_doc_t *d, hie_node_t n)
{
    return hie_doc_kind(d, n) == HIE_NODE_ARRAY ? hie_doc_count(d, n) : 0;
}


static hie_str_t
sibling_name(hie_str_t name, apr_pool_t *pool)
{
    char  *z = apr_palloc(pool, name.len + 2);

    z[0] = '_';
    memcpy(z + 1, name.ptr, name.len);
    z[name.len + 1] = '\0';

    return (hie_str_t) { z, name.len + 1 };
}


bool
hie_patch_member(const hie_doc_t *d, hie_node_t object, hie_str_t name,
                 apr_pool_t *pool, hie_patch_place_t *out)
{
    size_t  values, siblings;

    memset(out, 0, sizeof(*out));
    out->object = object;
    out->name = hie_str_dup(pool, name);
    out->values = hie_doc_member_str(d, object, name);
    out->siblings = hie_doc_member_str(d, object, sibling_name(name, pool));
    out->list = hie_doc_kind(d, out->values) == HIE_NODE_ARRAY
                || hie_doc_kind(d, out->siblings) == HIE_NODE_ARRAY;
    out->count = 1;

    if (!out->list) {
        return true;
    }

    values = count_list(d, out->values);
    siblings = count_list(d, out->siblings);
    out->count = values > siblings ? values : siblings;

    return is_list(d, out->values) && is_list(d, out->siblings);
}


bool
hie_patch_locate(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool,
                 hie_patch_place_t *out)
{
    hie_node_t  object = 0, member, at;
    size_t      index, unused;
    hie_str_t   name;
    bool        sibling;

    for ( ;; ) {
        index = 0;
        at = member = child_with(d, object, n, &unused);

        if (hie_doc_kind(d, member) == HIE_NODE_ARRAY && member != n) {
            at = child_with(d, member, n, &index);
        }

        if (at == n) {
            break;
        }

        object = at;
    }

    name = hie_doc_name(d, member, pool);

    if (name.ptr == NULL) {
        return false;
    }

    sibling = name.len > 0 && name.ptr[0] == '_';

    if (sibling) {
        name.ptr++;
        name.len--;
    }

    if (!hie_patch_member(d, object, name, pool, out)) {
        return false;
    }

    out->sibling = sibling;
    out->index = index;

    return true;
}


static const char *
last_member(const hie_patch_run_t *run, hie_node_t object)
{
    hie_node_t  c, last = HIE_NODE_NONE;

    for (c = hie_doc_first(run->doc, object);
         c != HIE_NODE_NONE;
         c = hie_doc_next(run->doc, c))
    {
        last = c;
    }

    if (last == HIE_NODE_NONE) {
        return NULL;
    }

    return hie_str_z(run->scratch,
                     hie_doc_name(run->doc, last, run->scratch));
}


/* Sets, or takes away if there is nothing to set, the two members. */
static void
put_members(hie_patch_run_t *run, hie_edit_t *e,
            const hie_patch_place_t *place, hie_str_t json, hie_str_t sibling)
{
    const char  *name = hie_str_z(run->scratch, place->name);
    const char  *after = last_member(run, place->object);

    if (json.ptr != NULL) {
        hie_edit_set(e, place->object, name, json, after);
        after = name;

    } else {
        hie_edit_remove(e, place->values);
    }

    if (sibling.ptr != NULL) {
        hie_edit_set(e, place->object,
                     sibling_name(place->name, run->scratch).ptr, sibling,
                     after);

    } else {
        hie_edit_remove(e, place->siblings);
    }
}


static void
load_side(const hie_patch_run_t *run, hie_node_t list, pairs_t *p, bool sibling)
{
    hie_node_t  c;
    size_t      i = 0;
    hie_str_t   raw;

    if (hie_doc_kind(run->doc, list) != HIE_NODE_ARRAY) {
        return;
    }

    for (c = hie_doc_first(run->doc, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(run->doc, c), i++)
    {
        raw = hie_doc_kind(run->doc, c) == HIE_NODE_NULL
              ? HIE_STR_NONE : hie_doc_raw(run->doc, c);

        if (sibling) {
            p->pairs[i].sibling = raw;

        } else {
            p->pairs[i].json = raw;
        }
    }
}


static pairs_t
load_pairs(const hie_patch_run_t *run, const hie_patch_place_t *place)
{
    pairs_t  p;

    p.n = place->list ? place->count : 0;
    p.pairs = apr_pcalloc(run->scratch, (p.n + 1) * sizeof(pair_t));
    load_side(run, place->values, &p, false);
    load_side(run, place->siblings, &p, true);

    return p;
}


static hie_str_t
write_side(const pairs_t *p, apr_pool_t *pool, bool sibling)
{
    hie_buf_t  b;
    hie_str_t  raw;
    size_t     i;
    bool       some = false;

    hie_buf_init(&b, pool, 256);

    for (i = 0; i < p->n; i++) {
        raw = sibling ? p->pairs[i].sibling : p->pairs[i].json;
        some = some || raw.ptr != NULL;
        hie_buf_addc(&b, i == 0 ? '[' : ',');
        hie_buf_adds(&b, raw.ptr != NULL ? raw : HIE_STR("null"));
    }

    hie_buf_addc(&b, ']');

    return some ? hie_buf_str(&b) : HIE_STR_NONE;
}


/* Both arrays anew: null is where the one has nothing and the other has. */
static void
store_pairs(hie_patch_run_t *run, hie_edit_t *e,
            const hie_patch_place_t *place, const pairs_t *p)
{
    put_members(run, e, place, write_side(p, run->scratch, false),
                write_side(p, run->scratch, true));
}


static void
insert_pair(pairs_t *p, size_t index, pair_t pair)
{
    memmove(&p->pairs[index + 1], &p->pairs[index],
            (p->n - index) * sizeof(pair_t));
    p->pairs[index] = pair;
    p->n++;
}


static pair_t
take_pair(pairs_t *p, size_t index)
{
    pair_t  pair = p->pairs[index];

    p->n--;
    memmove(&p->pairs[index], &p->pairs[index + 1],
            (p->n - index) * sizeof(pair_t));

    return pair;
}


static hie_node_t
nth(const hie_doc_t *d, hie_node_t list, size_t index)
{
    hie_node_t  c = hie_doc_first(d, list);

    while (index > 0 && c != HIE_NODE_NONE) {
        c = hie_doc_next(d, c);
        index--;
    }

    return c;
}


/* Without siblings a list is one array, whose other bytes can stay. */
static bool
is_plain(const hie_patch_place_t *place, const hie_patch_value_t *value)
{
    return place->values != HIE_NODE_NONE && place->siblings == HIE_NODE_NONE
           && (value == NULL
               || (value->json.ptr != NULL && value->sibling.ptr == NULL));
}


void
hie_patch_set(hie_patch_run_t *run, hie_edit_t *e,
              const hie_patch_place_t *place, const hie_patch_value_t *value)
{
    pairs_t  p;

    if (!place->list) {
        put_members(run, e, place, value->json, value->sibling);
        return;
    }

    if (is_plain(place, value)) {
        hie_edit_replace(e, nth(run->doc, place->values, place->index),
                         value->json);
        return;
    }

    p = load_pairs(run, place);
    p.pairs[place->index].json = value->json;
    p.pairs[place->index].sibling = value->sibling;
    store_pairs(run, e, place, &p);
}


void
hie_patch_insert(hie_patch_run_t *run, hie_edit_t *e,
                 const hie_patch_place_t *place, size_t index,
                 const hie_patch_value_t *value)
{
    pair_t   pair = { value->json, value->sibling };
    pairs_t  p;

    if (is_plain(place, value)) {
        hie_edit_insert(e, place->values,
                        nth(run->doc, place->values, index), value->json);
        return;
    }

    p = load_pairs(run, place);
    insert_pair(&p, index, pair);
    store_pairs(run, e, place, &p);
}


void
hie_patch_move(hie_patch_run_t *run, hie_edit_t *e,
               const hie_patch_place_t *place, size_t from, size_t to)
{
    hie_node_t  n;
    pairs_t     p;

    if (from == to) {
        return;
    }

    if (is_plain(place, NULL)) {
        n = nth(run->doc, place->values, from);
        hie_edit_remove(e, n);
        hie_edit_insert(e, place->values,
                        nth(run->doc, place->values, to > from ? to + 1 : to),
                        hie_doc_raw(run->doc, n));
        return;
    }

    p = load_pairs(run, place);
    insert_pair(&p, to, take_pair(&p, from));
    store_pairs(run, e, place, &p);
}


/* Has the object members other than the two of this place? */
static bool
has_others(const hie_patch_run_t *run, const hie_patch_place_t *place)
{
    hie_node_t  c;

    for (c = hie_doc_first(run->doc, place->object);
         c != HIE_NODE_NONE;
         c = hie_doc_next(run->doc, c))
    {
        if (c != place->values && c != place->siblings) {
            return true;
        }
    }

    return false;
}


static bool
delete_members(hie_patch_run_t *run, hie_edit_t *e,
               const hie_patch_place_t *place)
{
    hie_patch_place_t  outer;

    if (place->object == 0 || has_others(run, place)) {
        hie_edit_remove(e, place->values);
        hie_edit_remove(e, place->siblings);
        return true;
    }

    /* no element may be empty (R4 section 2.6.2) */
    return hie_patch_locate(run->doc, place->object, run->scratch, &outer)
           && hie_patch_delete(run, e, &outer, outer.sibling);
}


static bool
delete_pair(hie_patch_run_t *run, hie_edit_t *e,
            const hie_patch_place_t *place, bool sibling_only)
{
    pairs_t  p = load_pairs(run, place);

    p.pairs[place->index].sibling = HIE_STR_NONE;

    if (!sibling_only || p.pairs[place->index].json.ptr == NULL) {
        take_pair(&p, place->index);
    }

    if (p.n == 0) {
        return delete_members(run, e, place);
    }

    store_pairs(run, e, place, &p);

    return true;
}


bool
hie_patch_delete(hie_patch_run_t *run, hie_edit_t *e,
                 const hie_patch_place_t *place, bool sibling_only)
{
    if (place->list) {
        if (place->count == 1 || !is_plain(place, NULL)) {
            return delete_pair(run, e, place, sibling_only);
        }

        hie_edit_remove(e, nth(run->doc, place->values, place->index));
        return true;
    }

    if (sibling_only && place->values != HIE_NODE_NONE) {
        hie_edit_remove(e, place->siblings);
        return true;
    }

    return delete_members(run, e, place);
}
