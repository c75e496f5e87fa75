/*
 * From documents to terms: what the three kinds have in common.
 */

#include "terminology/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


void *
hie_make_room(maker_t *m, size_t n, size_t size)
{
    m->term->bytes += n * size;

    return apr_pcalloc(m->pool, (n + (n == 0)) * size);
}


hie_str_t
hie_make_copy(maker_t *m, hie_str_t s)
{
    if (s.len == 0) {
        return HIE_STR_NONE;
    }

    m->term->bytes += s.len + 1;

    return hie_str_dup(m->pool, s);
}


hie_str_t
hie_make_text(maker_t *m, hie_node_t object, const char *name)
{
    return hie_make_copy(m, hie_doc_get(m->d, object, name, m->scratch));
}


hie_rc_t
hie_make_list(maker_t *m, hie_node_t object, const char *name,
              const char *where, hie_node_t *out)
{
    hie_node_t  c;

    *out = hie_doc_member(m->d, object, name);

    if (*out == HIE_NODE_NONE) {
        return HIE_OK;
    }

    if (hie_doc_kind(m->d, *out) != HIE_NODE_ARRAY) {
        return hie_fail(m->err, HIE_INVALID, where, "expected an array");
    }

    for (c = hie_doc_first(m->d, *out);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c))
    {
        if (hie_doc_kind(m->d, c) != HIE_NODE_OBJECT) {
            return hie_fail(m->err, HIE_INVALID, where,
                            "expected an array of objects");
        }
    }

    return HIE_OK;
}


bool
hie_make_true(const hie_doc_t *d, hie_node_t object, const char *name)
{
    return hie_doc_kind(d, hie_doc_member(d, object, name)) == HIE_NODE_TRUE;
}


uint32_t
hie_make_designations(maker_t *m, hie_node_t list, designation_t *to)
{
    hie_node_t  c;
    uint32_t    n = 0;

    for (c = hie_doc_first(m->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(m->d, c), n++)
    {
        to[n].language = hie_make_text(m, c, "language");
        to[n].value = hie_make_text(m, c, "value");
        to[n].use = hie_make_copy(m, hie_doc_raw(m->d,
                                       hie_doc_member(m->d, c, "use")));
    }

    return n;
}


hie_node_t
hie_make_value(const hie_doc_t *d, hie_node_t object, apr_pool_t *pool,
               hie_str_t *type)
{
    hie_node_t  c;
    hie_str_t   name;

    for (c = hie_doc_first(d, object);
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        name = hie_doc_name(d, c, pool);

        if (hie_str_starts(name, "value") && name.len > 5) {
            *type = (hie_str_t) { name.ptr + 5, name.len - 5 };
            return c;
        }
    }

    *type = HIE_STR_NONE;

    return HIE_NODE_NONE;
}


/*
 * Orders by code.
 */

static int
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char) c;
}


int
hie_code_compare(hie_str_t a, hie_str_t b)
{
    size_t  i, len = a.len < b.len ? a.len : b.len;
    int     diff;

    for (i = 0; i < len; i++) {
        diff = lower(a.ptr[i]) - lower(b.ptr[i]);

        if (diff != 0) {
            return diff;
        }
    }

    return (a.len > b.len) - (a.len < b.len);
}


bool
hie_code_same(hie_str_t a, hie_str_t b, bool case_sensitive)
{
    return case_sensitive ? hie_str_eq(a, b) : hie_code_compare(a, b) == 0;
}


static hie_str_t
code_at(const void *codes, size_t stride, uint32_t i)
{
    return *(const hie_str_t *) ((const char *) codes + stride * i);
}


/* Merge sort: keeps the order of equal ones, and does not degrade. */
static void
sort(uint32_t *order, uint32_t *spare, uint32_t n, const void *codes,
     size_t stride)
{
    uint32_t  half = n / 2, i = 0, k = half, w = 0;

    if (n < 2) {
        return;
    }

    sort(order, spare, half, codes, stride);
    sort(order + half, spare, n - half, codes, stride);
    memcpy(spare, order, half * sizeof(*spare));

    while (i < half && k < n) {
        order[w++] = hie_code_compare(code_at(codes, stride, order[k]),
                                      code_at(codes, stride, spare[i])) < 0
                     ? order[k++] : spare[i++];
    }

    memcpy(order + w, spare + i, (half - i) * sizeof(*spare));
}


void
hie_make_order(uint32_t *order, uint32_t n, const void *codes, size_t stride)
{
    uint32_t  *spare, i;

    for (i = 0; i < n; i++) {
        order[i] = i;
    }

    if (n > 1) {
        spare = malloc(n / 2 * sizeof(*spare));

        if (spare == NULL) {
            abort();
        }

        sort(order, spare, n, codes, stride);
        free(spare);
    }
}


uint32_t
hie_order_find(const uint32_t *order, uint32_t n, const void *codes,
               size_t stride, hie_str_t code)
{
    uint32_t  low = 0, high = n, middle;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (hie_code_compare(code_at(codes, stride, order[middle]), code) < 0)
        {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


/*
 * Terms.
 */

static const struct {
    const char       *type;
    hie_term_kind_t   kind;
    hie_rc_t        (*make)(maker_t *m, hie_node_t n);
} kinds[] = {
    { "CodeSystem", HIE_TERM_CODE_SYSTEM, hie_make_system },
    { "ValueSet", HIE_TERM_VALUE_SET, hie_make_value_set },
    { "ConceptMap", HIE_TERM_CONCEPT_MAP, hie_make_map }
};


static hie_rc_t
make(maker_t *m, hie_node_t n)
{
    hie_str_t  type = hie_doc_get(m->d, n, "resourceType", m->scratch);
    size_t     i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (hie_str_eqz(type, kinds[i].type)) {
            m->term->kind = kinds[i].kind;
            m->term->url = hie_make_text(m, n, "url");
            m->term->version = hie_make_text(m, n, "version");
            m->term->canonical = hie_tx_canonical(m->pool, m->term->url,
                                                  m->term->version);
            return kinds[i].make(m, n);
        }
    }

    return hie_fail(m->err, HIE_INVALID, "",
                    "expected a CodeSystem, a ValueSet or a ConceptMap");
}


hie_rc_t
hie_term_compile(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n,
                 const hie_term_t **out, hie_error_t *err)
{
    maker_t   m;
    hie_rc_t  rc;

    *out = NULL;

    m.pool = pool;
    m.scratch = hie_pool_create(pool, "term");
    m.d = d;
    m.err = err;
    m.term = apr_pcalloc(pool, sizeof(*m.term));
    m.term->bytes = sizeof(*m.term);

    rc = make(&m, n);
    apr_pool_destroy(m.scratch);

    if (rc == HIE_OK) {
        *out = m.term;
    }

    return rc;
}


hie_term_kind_t
hie_term_kind(const hie_term_t *t)
{
    return t->kind;
}


hie_str_t
hie_term_url(const hie_term_t *t)
{
    return t->url;
}


hie_str_t
hie_term_version(const hie_term_t *t)
{
    return t->version;
}


size_t
hie_term_bytes(const hie_term_t *t)
{
    return t->bytes;
}
