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

    elts = a->elts;
    size = (size_t) a->elt_size;
    qsort(elts, (size_t) a->nelts, size, compare);

    for (i = 0, kept = 0; i < a->nelts; i++) {
        if (kept > 0 && compare(elts + (size_t) (kept - 1) * size,
                                elts + (size_t) i * size) == 0)
        {
            continue;
        }

        memmove(elts + (size_t) kept++ * size, elts + (size_t) i * size,
                size);
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
add_code(hie_indexer_t *ix, hie_str_t system, hie_str_t code)
{
    int  n;

    n = ix->firsts->nelts;
    ix->slot = hie_search_key(ix->param->key, code);
    ix->scope = system.len > 0 ? hie_search_text_key(system) : 0;
    hie_forms_code(ix, system, code, add_first);
    if (code.len > 0) {
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
take_firsts(hie_indexer_t *ix, hie_search_kind_t kind,
            const hie_fhirpath_list_t *list)
{
    size_t  i;

    apr_array_clear(ix->firsts);
    for (i = 0; i < list->n; i++) {
        if (kind == HIE_SEARCH_REFERENCE) {
            hie_forms_reference(ix, &list->items[i], add_form, NULL);
        } else {
            hie_forms_codes(ix, &list->items[i], add_code);
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
take_parts(hie_indexer_t *ix, const hie_search_plan_t *plan,
           const hie_fhirpath_list_t *values)
{
    int           f;
    size_t        i;
    hie_first_t  *first;

    for (f = 0; f < ix->firsts->nelts; f++) {
        first = &APR_ARRAY_IDX(ix->firsts, f, hie_first_t);
        if (!first->rows && makes_rows(plan->parts[1].kind)) {
            continue;
        }

        ix->slot = first->slot;
        ix->scope = first->scope;
        ix->form = first->form;
        if (plan->n_parts == 3) {
            hie_search_window(ix, &values[1].items[0], &values[2].items[0]);
            continue;
        }

        for (i = 0; i < values[1].n; i++) {
            hie_search_take(ix, plan->parts[1].kind, &values[1].items[i]);
        }
    }

    ix->scope = 0;
    ix->form = 0;
}


/* Where the data does not fit the expression, it has no value. */
static hie_rc_t
values_of(hie_indexer_t *ix, const hie_fhirpath_t *program,
          const hie_fhirpath_item_t *of, hie_fhirpath_list_t *out,
          hie_error_t *err)
{
    hie_rc_t  rc;

    rc = hie_fhirpath_eval(program, &ix->env, of, out, err);
    if (rc == HIE_INVALID) {
        out->n = 0;
        return HIE_OK;
    }

    return rc;
}


static hie_rc_t
take_composite(hie_indexer_t *ix, const hie_search_plan_t *plan,
               const hie_fhirpath_item_t *item, hie_error_t *err)
{
    int                  i;
    hie_rc_t             rc;
    hie_fhirpath_list_t  values[HIE_SEARCH_PARTS];

    memset(values, 0, sizeof(values));
    for (i = 0; i < plan->n_parts; i++) {
        rc = values_of(ix, plan->parts[i].program, item, &values[i], err);
        if (rc != HIE_OK || values[i].n == 0) {
            return rc;
        }
    }

    take_firsts(ix, plan->parts[0].kind, &values[0]);
    take_parts(ix, plan, values);
    return HIE_OK;
}


static hie_rc_t
take_param(hie_indexer_t *ix, const hie_search_plan_t *plan,
           const hie_fhirpath_item_t *root, hie_error_t *err)
{
    size_t               i;
    hie_rc_t             rc;
    hie_fhirpath_list_t  list;

    rc = values_of(ix, plan->program, root, &list, err);
    if (rc != HIE_OK || list.n == 0) {
        return rc;
    }

    ix->param = &plan->param;
    ix->slot = plan->param.key;
    hie_search_present(ix);

    for (i = 0; rc == HIE_OK && i < list.n; i++) {
        if (plan->n_parts > 0) {
            rc = take_composite(ix, plan, &list.items[i], err);
        } else {
            hie_search_take(ix, plan->param.kind, &list.items[i]);
        }
    }

    return rc;
}


static void
open_indexer(hie_indexer_t *ix, const hie_doc_t *d, hie_str_t base,
             apr_pool_t *pool)
{
    memset(ix, 0, sizeof(*ix));
    ix->pool = pool;
    ix->base = base;
    ix->env.pool = pool;
    ix->firsts = apr_array_make(pool, 4, sizeof(hie_first_t));
    ix->tokens = apr_array_make(pool, 64, sizeof(uint64_t));
    ix->strings = apr_array_make(pool, 8, sizeof(hie_search_string_t));
    ix->dates = apr_array_make(pool, 4, sizeof(hie_search_date_t));
    ix->numbers = apr_array_make(pool, 4, sizeof(hie_search_number_t));
    ix->references = apr_array_make(pool, 8, sizeof(hie_search_reference_t));
    ix->present = apr_array_make(pool, 24, sizeof(uint32_t));
    ix->terms = apr_array_make(pool, 16, sizeof(hie_search_term_t));
}


static void
close_indexer(hie_indexer_t *ix, hie_search_values_t *out)
{
    out->n_tokens = settle(ix->tokens, compare_u64);
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


hie_rc_t
hie_search_index(hie_search_t *s, const hie_doc_t *d, hie_type_t type,
                 hie_str_t base, apr_pool_t *pool, hie_search_values_t *out,
                 hie_error_t *err)
{
    int                       i;
    hie_rc_t                  rc;
    hie_error_t               inner;
    hie_indexer_t             ix;
    hie_fhirpath_item_t       root;
    const hie_search_type_t  *t;

    memset(out, 0, sizeof(*out));
    t = hie_search_type(s, type);
    if (t == NULL || hie_doc_kind(d, 0) != HIE_NODE_OBJECT) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource of a type of FHIR R4");
    }

    open_indexer(&ix, d, base, pool);
    root = hie_fhirpath_resource(d, 0);
    ix.env.resource = root;
    for (i = 0; i < t->n; i++) {
        if (t->plans[i].program == NULL) {
            continue;
        }

        rc = take_param(&ix, &t->plans[i], &root, &inner);
        if (rc != HIE_OK) {
            return hie_fail(err, rc, "", "search parameter \"%s\": %s",
                            t->plans[i].param.code, inner.detail);
        }
    }

    close_indexer(&ix, out);
    hie_search_text(&ix, d, out);
    return HIE_OK;
}
