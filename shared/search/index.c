/*
 * What a resource is found by: every parameter of its type, evaluated.
 */

#include "search/private.h"

#include <stdlib.h>
#include <string.h>


static int
compare_u64(const void *va, const void *vb)
{
    uint64_t  a = *(const uint64_t *) va, b = *(const uint64_t *) vb;

    return (a > b) - (a < b);
}


static int
compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}


static int
compare_slots(uint64_t a, uint64_t scope_a, uint64_t b, uint64_t scope_b)
{
    return a != b ? (a > b) - (a < b)
                  : (scope_a > scope_b) - (scope_a < scope_b);
}


static int
compare_text(hie_str_t a, hie_str_t b)
{
    int  c;

    c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


static int
compare_params(const void *va, const void *vb)
{
    uint32_t  a = *(const uint32_t *) va, b = *(const uint32_t *) vb;

    return (a > b) - (a < b);
}


static int
compare_strings(const void *va, const void *vb)
{
    int                        c;
    const hie_search_string_t  *a = va, *b = vb;

    c = compare_slots(a->slot, a->scope, b->slot, b->scope);
    return c != 0 ? c : compare_text(a->value, b->value);
}


static int
compare_dates(const void *va, const void *vb)
{
    int                      c;
    const hie_search_date_t  *a = va, *b = vb;

    c = compare_slots(a->slot, a->scope, b->slot, b->scope);
    c = c != 0 ? c : (a->low > b->low) - (a->low < b->low);
    return c != 0 ? c : (a->high > b->high) - (a->high < b->high);
}


static int
compare_numbers(const void *va, const void *vb)
{
    int                        c;
    const hie_search_number_t  *a = va, *b = vb;

    c = compare_slots(a->slot, a->scope, b->slot, b->scope);
    c = c != 0 ? c : compare_u64(&a->code, &b->code);
    c = c != 0 ? c : compare_u64(&a->system, &b->system);
    c = c != 0 ? c : a->open - b->open;
    c = c != 0 ? c : hie_decimal_compare(&a->low, &b->low);
    return c != 0 ? c : hie_decimal_compare(&a->high, &b->high);
}


static int
compare_references(const void *va, const void *vb)
{
    int                           c;
    const hie_search_reference_t  *a = va, *b = vb;

    c = compare_u32(a->param, b->param);
    return c != 0 ? c : compare_u64(&a->target, &b->target);
}


static int
compare_terms(const void *va, const void *vb)
{
    const hie_search_term_t  *a = va, *b = vb;

    return compare_u64(&a->key, &b->key);
}


/* Sorts, and keeps one of equal ones; the new count. */
static int
settle(apr_array_header_t *a, int (*compare)(const void *, const void *))
{
    int      i, kept;
    char    *elts;
    size_t   size;

    if (a->nelts < 2) {
        return a->nelts;
    }

    elts = a->elts;
    size = (size_t) a->elt_size;
    qsort(elts, (size_t) a->nelts, size, compare);

    for (i = 1, kept = 1; i < a->nelts; i++) {
        if (compare(elts + (size_t) (kept - 1) * size,
                    elts + (size_t) i * size) != 0)
        {
            memmove(elts + (size_t) kept++ * size, elts + (size_t) i * size,
                    size);
        }
    }

    return kept;
}


/* A few numbers are put in order faster than qsort() is called. */
static int
settle_keys(apr_array_header_t *a)
{
    int        i, k, kept;
    uint64_t   key;
    uint64_t  *keys;

    if (a->nelts > 64) {
        return settle(a, compare_u64);
    }

    keys = (uint64_t *) a->elts;
    for (i = 0, kept = 0; i < a->nelts; i++) {
        key = keys[i];
        for (k = kept; k > 0 && keys[k - 1] > key; k--) {
            /* void */
        }

        if (k == 0 || keys[k - 1] != key) {
            memmove(&keys[k + 1], &keys[k],
                    sizeof(*keys) * (size_t) (kept - k));
            keys[k] = key;
            kept++;
        }
    }

    return kept;
}


/*
 * Composites (R4 section 3.1.1.4.12): the forms of the first component qualify
 * the values of the others, which are of the same element.
 */

static void
add_first(hie_indexer_t *ix, hie_str_t form)
{
    hie_first_t  *f;

    f = apr_array_push(ix->firsts);
    f->form = hie_search_key(ix->param->key, form);
    f->slot = ix->slot;
    f->scope = ix->scope;
    f->rows = false;
}


/* Rows stand in the slot of the code, and its system beside them. */
static void
add_code(hie_indexer_t *ix, const hie_code_t *c)
{
    int  n;

    n = ix->firsts->nelts;
    ix->slot = hie_search_key(ix->param->key, c->code);
    ix->scope = c->system.len > 0 ? hie_search_text_key(c->system) : 0;
    hie_forms_code(ix, c, add_first);
    if (c->code.len > 0) {
        APR_ARRAY_IDX(ix->firsts, n, hie_first_t).rows = true;
    }
}


/* A reference has no system: rows stand in the slot of each form. */
static void
add_form(hie_indexer_t *ix, hie_str_t form)
{
    ix->slot = hie_search_key(ix->param->key, form);
    ix->scope = 0;
    add_first(ix, form);
    APR_ARRAY_IDX(ix->firsts, ix->firsts->nelts - 1, hie_first_t).rows = true;
}


static void
take_firsts(hie_indexer_t *ix, hie_search_kind_t kind)
{
    int                         i, k;
    const hie_said_t           *said;
    const hie_fhirpath_item_t  *item;

    apr_array_clear(ix->firsts);
    for (i = 0; i < ix->parts[0]->nelts; i++) {
        item = &APR_ARRAY_IDX(ix->parts[0], i, hie_fhirpath_item_t);
        if (kind == HIE_SEARCH_REFERENCE) {
            hie_forms_reference(ix, item, add_form, NULL);
            continue;
        }

        said = hie_forms_codes(ix, item);
        for (k = 0; k < said->n_codes; k++) {
            add_code(ix, &said->codes[k]);
        }
    }
}


static bool
makes_rows(hie_search_kind_t kind)
{
    return kind != HIE_SEARCH_TOKEN && kind != HIE_SEARCH_REFERENCE
           && kind != HIE_SEARCH_URI;
}


/* Of three parts, the second and third are the ends of one range. */
static void
take_parts(hie_indexer_t *ix, const hie_search_plan_t *plan)
{
    int                         f, i;
    hie_first_t                *first;
    const hie_fhirpath_item_t  *second, *third;

    second = (const hie_fhirpath_item_t *) ix->parts[1]->elts;
    third = (const hie_fhirpath_item_t *) ix->parts[2]->elts;
    for (f = 0; f < ix->firsts->nelts; f++) {
        first = &APR_ARRAY_IDX(ix->firsts, f, hie_first_t);
        if (!first->rows && makes_rows(plan->parts[1].kind)) {
            continue;
        }

        ix->slot = first->slot;
        ix->scope = first->scope;
        ix->form = first->form;
        if (plan->n_parts == 3) {
            hie_search_window(ix, second, third);
            continue;
        }

        for (i = 0; i < ix->parts[1]->nelts; i++) {
            hie_search_take(ix, plan->parts[1].kind, &second[i]);
        }
    }

    ix->scope = 0;
    ix->form = 0;
}


/* Where the data does not fit the expression, it has no value. */
static hie_rc_t
evaluate(hie_indexer_t *ix, const hie_fhirpath_t *program,
         const hie_fhirpath_item_t *of, hie_fhirpath_list_t *out)
{
    hie_rc_t     rc;
    hie_error_t  inner;

    rc = hie_fhirpath_eval(program, &ix->env, of, out, &inner);
    if (rc == HIE_INVALID) {
        out->n = 0;
        return HIE_OK;
    }

    return rc == HIE_OK
           ? rc : hie_fail(ix->err, rc, "", "search parameter \"%s\": %s",
                           ix->param->code, inner.detail);
}


static hie_rc_t
part_values(hie_indexer_t *ix, const hie_search_part_t *part,
            const hie_fhirpath_item_t *of, apr_array_header_t *out)
{
    int                       i, k;
    size_t                    j;
    hie_rc_t                  rc;
    hie_fhirpath_list_t       list;
    const hie_search_ways_t  *w;

    apr_array_clear(out);
    for (i = 0; i < part->n; i++) {
        w = &part->ways[i];
        if (w->of == of->type) {
            for (k = 0; k < w->n; k++) {
                hie_search_follow(ix, &w->paths[k], of->node, out);
            }

            return HIE_OK;
        }
    }

    rc = evaluate(ix, part->program, of, &list);
    for (j = 0; rc == HIE_OK && j < list.n; j++) {
        APR_ARRAY_PUSH(out, hie_fhirpath_item_t) = list.items[j];
    }

    return rc;
}


/* The last component is what is most often not there. */
static hie_rc_t
take_composite(hie_indexer_t *ix, const hie_search_plan_t *plan,
               const hie_fhirpath_item_t *item)
{
    int       i;
    hie_rc_t  rc;

    for (i = plan->n_parts - 1; i >= 0; i--) {
        rc = part_values(ix, &plan->parts[i], item, ix->parts[i]);
        if (rc != HIE_OK || ix->parts[i]->nelts == 0) {
            return rc;
        }
    }

    take_firsts(ix, plan->parts[0].kind);
    take_parts(ix, plan);
    return HIE_OK;
}


/* What an extension says. False: it has no value. */
static bool
value_of(hie_indexer_t *ix, const hie_fhirpath_item_t *extension,
         hie_fhirpath_item_t *out)
{
    hie_str_t             name;
    hie_node_t            c;
    const hie_doc_t      *d = extension->doc;
    const hie_element_t  *e;

    for (c = hie_doc_first(d, extension->node); c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        name = hie_doc_name(d, c, ix->pool);
        e = hie_str_starts(name, "value")
            ? hie_element_find(HIE_TYPE_Extension, name) : NULL;
        if (e != NULL && hie_search_has_value(d, c, e->type)) {
            *out = hie_fhirpath_node(d, c, HIE_NODE_NONE, e->type);
            return true;
        }
    }

    return false;
}


/* A path may end at an extension: its value is meant. */
static void
take_item(hie_indexer_t *ix, int index, const hie_fhirpath_item_t *item)
{
    hie_fhirpath_item_t       value;
    const hie_search_plan_t  *plan = &ix->type->plans[index];

    if (item->type == HIE_TYPE_Extension && item->kind == HIE_FHIRPATH_NODE
        && plan->n_parts == 0)
    {
        if (!value_of(ix, item, &value)) {
            return;
        }

        item = &value;
    }

    ix->param = &plan->param;
    ix->slot = plan->param.key;
    if (!ix->seen[index]) {
        ix->seen[index] = true;
        hie_search_present(ix);
    }

    if (plan->n_parts > 0) {
        ix->rc = take_composite(ix, plan, item);
    } else {
        hie_search_take(ix, plan->param.kind, item);
    }
}


void
hie_search_take_value(hie_indexer_t *ix, int plan, hie_node_t n,
                      hie_type_t type)
{
    hie_fhirpath_item_t  item;

    if (ix->rc == HIE_OK) {
        item = hie_fhirpath_node(ix->d, n, HIE_NODE_NONE, type);
        take_item(ix, plan, &item);
    }
}


/* What is more than a path. */
static void
take_expression(hie_indexer_t *ix, int index)
{
    size_t                      i;
    hie_fhirpath_list_t         list;
    const hie_fhirpath_item_t  *item;

    ix->param = &ix->type->plans[index].param;
    ix->rc = evaluate(ix, ix->type->plans[index].program, &ix->env.resource,
                      &list);
    for (i = 0; ix->rc == HIE_OK && i < list.n; i++) {
        item = &list.items[i];
        if (item->kind != HIE_FHIRPATH_NODE
            || hie_search_has_value(item->doc, item->node, item->type))
        {
            take_item(ix, index, item);
        }
    }
}


static void
open_indexer(hie_indexer_t *ix, const hie_doc_t *d,
             const hie_search_type_t *type, hie_inside_t *inside,
             hie_str_t base, apr_pool_t *pool, hie_error_t *err)
{
    int  i;

    memset(ix, 0, sizeof(*ix));
    ix->pool = pool;
    ix->base = base;
    ix->d = d;
    ix->inside = inside;
    ix->type = type;
    ix->rc = HIE_OK;
    ix->err = err;
    ix->env.pool = pool;
    ix->env.resource = hie_fhirpath_resource(d, 0);
    ix->env.root = hie_fhirpath_resource(hie_inside_root(inside), 0);
    ix->seen = apr_pcalloc(pool, sizeof(*ix->seen) * (size_t) type->n);
    for (i = 0; i < HIE_SEARCH_PARTS; i++) {
        ix->parts[i] = apr_array_make(pool, 1, sizeof(hie_fhirpath_item_t));
    }

    ix->firsts = apr_array_make(pool, 4, sizeof(hie_first_t));
    ix->tokens = apr_array_make(pool, 64, sizeof(uint64_t));
    ix->strings = apr_array_make(pool, 4, sizeof(hie_search_string_t));
    ix->dates = apr_array_make(pool, 4, sizeof(hie_search_date_t));
    ix->numbers = apr_array_make(pool, 4, sizeof(hie_search_number_t));
    ix->references = apr_array_make(pool, 8, sizeof(hie_search_reference_t));
    ix->present = apr_array_make(pool, 24, sizeof(uint32_t));
    ix->terms = apr_array_make(pool, 16, sizeof(hie_search_term_t));
}


static void
close_indexer(hie_indexer_t *ix, hie_search_values_t *out)
{
    out->n_tokens = settle_keys(ix->tokens);
    out->tokens = (uint64_t *) ix->tokens->elts;
    out->n_strings = settle(ix->strings, compare_strings);
    out->strings = (hie_search_string_t *) ix->strings->elts;
    out->n_dates = settle(ix->dates, compare_dates);
    out->dates = (hie_search_date_t *) ix->dates->elts;
    out->n_numbers = settle(ix->numbers, compare_numbers);
    out->numbers = (hie_search_number_t *) ix->numbers->elts;
    out->n_references = settle(ix->references, compare_references);
    out->references = (hie_search_reference_t *) ix->references->elts;
    out->n_present = settle(ix->present, compare_params);
    out->present = (uint32_t *) ix->present->elts;
    out->n_terms = settle(ix->terms, compare_terms);
    out->terms = (hie_search_term_t *) ix->terms->elts;
}


static hie_rc_t
index_one(hie_search_t *s, const hie_doc_t *d, hie_type_t type,
          hie_inside_t *inside, hie_str_t base, apr_pool_t *pool,
          hie_search_values_t *out, hie_error_t *err)
{
    int                       i;
    hie_indexer_t             ix;
    const hie_search_type_t  *t;

    memset(out, 0, sizeof(*out));
    t = hie_search_type(s, type);
    if (t == NULL || hie_doc_kind(d, 0) != HIE_NODE_OBJECT) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource of a type of FHIR R4");
    }

    open_indexer(&ix, d, t, inside, base, pool, err);
    hie_search_tree_walk(&ix, t->tree, type);
    for (i = 0; ix.rc == HIE_OK && i < t->n; i++) {
        if (t->plans[i].program != NULL) {
            take_expression(&ix, i);
        }
    }

    if (ix.rc == HIE_OK) {
        close_indexer(&ix, out);
        hie_search_text(&ix, d, out);
    }

    return ix.rc;
}


hie_rc_t
hie_search_index(hie_search_t *s, const hie_doc_t *d, hie_type_t type,
                 hie_str_t id, hie_str_t base, apr_pool_t *pool,
                 hie_search_values_t *out, hie_error_t *err)
{
    hie_rc_t                 rc;
    hie_type_t               there;
    hie_inside_t            *inside;
    const hie_doc_t         *sub;
    hie_search_contained_t  *c;

    inside = hie_inside_make(d, type, id, pool);
    rc = index_one(s, d, type, inside, base, pool, out, err);
    while (rc == HIE_OK
           && (c = hie_inside_next(inside, &sub, &there)) != NULL)
    {
        rc = index_one(s, sub, there, inside, base, pool, &c->values, err);
    }

    if (rc == HIE_OK) {
        hie_inside_end(inside, out);
    }

    return rc;
}
