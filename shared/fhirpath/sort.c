/*
 * sort(): by keys, without which the items themselves are theirs.
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

typedef struct {
    fp_run_t         *run;
    const fp_node_t  *n;
    fp_item_t        *keys;        /* n_keys for each item; kind 0: empty */
    uint32_t          n_keys;
    hie_rc_t          rc;
} sorter_t;


/* What is empty goes first, in either direction. */
static int
compare(sorter_t *s, uint32_t a, uint32_t b)
{
    int               order;
    bool              known;
    uint32_t          i;
    const fp_item_t  *x, *y;
    const fp_node_t  *arg = s->n->args;

    for (i = 0; i < s->n_keys && s->rc == HIE_OK; i++) {
        x = &s->keys[a * s->n_keys + i];
        y = &s->keys[b * s->n_keys + i];
        order = (x->kind != 0) - (y->kind != 0);
        if (order != 0) {
            return order;
        }

        if (x->kind != 0) {
            s->rc = hie_fp_order(s->run, s->n, x, y, &order, &known);
            order = known ? order : 0;
        }

        if (order != 0) {
            return arg != NULL && arg->descending ? -order : order;
        }

        arg = arg != NULL ? arg->next : NULL;
    }

    return 0;
}


/* Stable. The two arrays change places with every pass; the one that is
 * sorted is returned. */
static uint32_t *
merge_sort(sorter_t *s, uint32_t *from, uint32_t *to, uint32_t n)
{
    uint32_t  width, low, middle, high, i, k, w, *swap;

    for (width = 1; width < n; width *= 2) {
        for (low = 0; low < n; low = high) {
            middle = low + width < n ? low + width : n;
            high = middle + width < n ? middle + width : n;
            i = low;
            k = middle;
            for (w = low; w < high; w++) {
                if (i < middle
                    && (k >= high || compare(s, from[i], from[k]) <= 0))
                {
                    to[w] = from[i++];
                } else {
                    to[w] = from[k++];
                }
            }
        }

        swap = from;
        from = to;
        to = swap;
    }

    return from;
}


static hie_rc_t
find_key(fp_run_t *run, const fp_node_t *arg, const fp_scope_t *scope,
         fp_item_t *out)
{
    bool      there;
    uint32_t  base = run->top;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, arg, scope);
    if (rc == HIE_OK) {
        rc = hie_fp_single(run, arg, base, out, &there);
        if (!there) {
            out->kind = 0;
        }
    }

    run->top = base;
    return rc;
}


static hie_rc_t
find_keys(sorter_t *s, const fp_scope_t *scope, uint32_t base, uint32_t n)
{
    uint32_t          i;
    hie_rc_t          rc = HIE_OK;
    fp_item_t        *key = s->keys;
    fp_scope_t        one = *scope;
    const fp_node_t  *arg;

    one.n = 1;
    for (i = 0; i < n && rc == HIE_OK; i++) {
        one.at = base + i;
        one.index = i;
        if (s->n->args == NULL
            && !hie_fp_value(s->run, &s->run->items[base + i], key++))
        {
            return hie_fp_fail(s->run, s->n, HIE_INVALID, "sort() without a "
                               "key expects values, found a %s",
                               hie_fhirpath_type_name(
                                   &s->run->items[base + i]));
        }

        for (arg = s->n->args; arg != NULL && rc == HIE_OK; arg = arg->next) {
            rc = find_key(s->run, arg, &one, key++);
        }
    }

    return rc;
}


hie_rc_t
hie_fp_call_sort(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    uint32_t    i, count = run->top - base, *order;
    hie_rc_t    rc;
    sorter_t    s;
    fp_item_t  *items;

    s.run = run;
    s.n = n;
    s.rc = HIE_OK;
    s.n_keys = n->n_args > 0 ? n->n_args : 1;

    /* as many comparisons as a sort of so many takes */
    rc = hie_fp_spend(run, (uint64_t) count * (s.n_keys + 16));
    if (rc != HIE_OK || count == 0) {
        return rc;
    }

    s.keys = apr_pcalloc(run->pool, (size_t) count * s.n_keys
                                    * sizeof(*s.keys));
    order = apr_palloc(run->pool, 2 * (size_t) count * sizeof(*order));
    rc = find_keys(&s, scope, base, count);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < count; i++) {
        order[i] = i;
    }

    order = merge_sort(&s, order, order + count, count);
    items = apr_pmemdup(run->pool, run->items + base, count * sizeof(*items));
    for (i = 0; i < count; i++) {
        run->items[base + i] = items[order[i]];
    }

    return s.rc;
}
