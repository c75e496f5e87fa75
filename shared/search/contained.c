/*
 * What a resource contains (R4 section 2.3.0.4). The references of its
 * parameters lead there by "#id", and those of what is contained on to others
 * of the same container, or by "#" back to it.
 */

#include "search/private.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

typedef struct {
    hie_str_t                id;
    hie_node_t               node;
    hie_type_t               type;
    hie_search_contained_t  *made;       /* NULL: nothing has led to it */
} carried_t;

struct hie_inside_t {
    const hie_doc_t     *d;
    hie_type_t           type;
    hie_str_t            id;
    apr_pool_t          *pool;
    apr_hash_t          *by_id;          /* carried_t; NULL: not looked at */
    apr_array_header_t  *led;            /* carried_t *, as they were led to */
    int                  n_done;         /* of these */
    bool                 too_many;
};


hie_inside_t *
hie_inside_make(const hie_doc_t *d, hie_type_t type, hie_str_t id,
                apr_pool_t *pool)
{
    hie_inside_t  *in;

    in = apr_pcalloc(pool, sizeof(*in));
    in->d = d;
    in->type = type;
    in->id = id;
    in->pool = pool;
    return in;
}


const hie_doc_t *
hie_inside_root(const hie_inside_t *in)
{
    return in->d;
}


/* Of several with one id the first is meant. */
static void
look(hie_inside_t *in)
{
    hie_str_t         id;
    hie_node_t        c;
    carried_t        *one;
    const hie_doc_t  *d = in->d;

    in->by_id = apr_hash_make(in->pool);
    in->led = apr_array_make(in->pool, 4, sizeof(carried_t *));
    for (c = hie_doc_first(d, hie_doc_member(d, 0, "contained"));
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        id = hie_doc_get(d, c, "id", in->pool);
        if (!hie_fhir_is_id(id)
            || apr_hash_get(in->by_id, id.ptr, (apr_ssize_t) id.len) != NULL)
        {
            continue;
        }

        one = apr_pcalloc(in->pool, sizeof(*one));
        one->id = id;
        one->node = c;
        one->type = hie_type_find_resource(hie_doc_get(d, c, "resourceType",
                                                       in->pool));
        apr_hash_set(in->by_id, one->id.ptr, (apr_ssize_t) one->id.len, one);
    }
}


static carried_t *
find(hie_inside_t *in, hie_str_t reference)
{
    if (reference.len < 2 || reference.ptr[0] != '#') {
        return NULL;
    }

    if (in->by_id == NULL) {
        look(in);
    }

    return apr_hash_get(in->by_id, reference.ptr + 1,
                        (apr_ssize_t) reference.len - 1);
}


hie_type_t
hie_inside_type(hie_inside_t *in, hie_str_t reference)
{
    const carried_t  *c;

    if (hie_str_eqz(reference, "#")) {
        return in->type;
    }

    c = find(in, reference);
    return c != NULL ? c->type : HIE_TYPE_NONE;
}


static hie_search_contained_t *
make(hie_inside_t *in, const carried_t *c)
{
    const char              *of;
    hie_search_contained_t  *out;

    out = apr_pcalloc(in->pool, sizeof(*out));
    of = hie_types[in->type].name;
    out->type_name = hie_str(apr_pstrcat(in->pool, "#",
                                         hie_types[c->type].name, NULL));
    out->id = hie_str(apr_psprintf(in->pool, "%s/%.*s#%.*s", of,
                                   HIE_PRISTR(in->id), HIE_PRISTR(c->id)));
    out->key = hie_search_resource_key(out->type_name, out->id);
    return out;
}


bool
hie_inside_lead(hie_inside_t *in, hie_str_t reference, uint64_t *key)
{
    carried_t  *c;

    if (in->id.len == 0) {
        return false;
    }

    if (hie_str_eqz(reference, "#")) {
        *key = hie_search_resource_key(hie_str(hie_types[in->type].name),
                                       in->id);
        return true;
    }

    c = find(in, reference);
    if (c == NULL || c->type == HIE_TYPE_NONE) {
        return false;
    }

    if (c->made == NULL) {
        if (in->led->nelts == HIE_SEARCH_CONTAINED_MAX) {
            in->too_many = true;
            return false;
        }

        c->made = make(in, c);
        APR_ARRAY_PUSH(in->led, carried_t *) = c;
    }

    *key = c->made->key;
    return true;
}


hie_search_contained_t *
hie_inside_next(hie_inside_t *in, const hie_doc_t **d, hie_type_t *type)
{
    const carried_t  *c;

    if (in->led == NULL || in->n_done == in->led->nelts) {
        return NULL;
    }

    c = APR_ARRAY_IDX(in->led, in->n_done++, carried_t *);
    *d = hie_doc_sub(in->pool, in->d, c->node);
    *type = c->type;
    return c->made;
}


void
hie_inside_end(const hie_inside_t *in, hie_search_values_t *out)
{
    int  i;

    out->too_many = in->too_many;
    out->n_contained = in->n_done;
    out->contained = apr_palloc(in->pool, sizeof(*out->contained)
                                          * (size_t) (in->n_done + 1));
    for (i = 0; i < in->n_done; i++) {
        out->contained[i] = *APR_ARRAY_IDX(in->led, i, carried_t *)->made;
    }
}
