/*
 * Functions on collections (N1 sections 5.1 to 5.4, 7).
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


/* `scope` for the item at `at`, which is the `index`th of the input. */
static fp_scope_t
for_item(const fp_scope_t *scope, uint32_t at, uint32_t index)
{
    fp_scope_t  s = *scope;

    s.at = at;
    s.n = 1;
    s.index = index;
    return s;
}


/*
 * Existence.
 */
hie_rc_t
hie_fp_call_empty(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    hie_fp_set_boolean(run, base, run->top == base);
    return HIE_OK;
}


hie_rc_t
hie_fp_call_not(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    hie_rc_t    rc;
    fp_truth_t  v;

    rc = hie_fp_take_truth(run, n, base, &v);
    if (rc == HIE_OK && v != FP_EMPTY) {
        hie_fp_set_boolean(run, base, v == FP_FALSE);
    }

    return rc;
}


/* Is there an item of the input for which the argument is, or is not, true?
 */
static hie_rc_t
any(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope, uint32_t base,
    bool wanted, bool *out)
{
    uint32_t    i, end = run->top;
    hie_rc_t    rc;
    fp_scope_t  s;
    fp_truth_t  v;

    *out = false;
    for (i = base; i < end; i++) {
        s = for_item(scope, i, i - base);
        rc = hie_fp_truth(run, n->args, &s, &v);
        if (rc != HIE_OK) {
            return rc;
        }

        if ((v == FP_TRUE) == wanted) {
            *out = true;
            return HIE_OK;
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_exists(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool      found = run->top > base;
    hie_rc_t  rc = HIE_OK;

    if (n->args != NULL) {
        rc = any(run, n, scope, base, true, &found);
    }

    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, found);
    }

    return rc;
}


hie_rc_t
hie_fp_call_all(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    bool      found;
    hie_rc_t  rc;

    rc = any(run, n, scope, base, false, &found);
    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, !found);
    }

    return rc;
}


/* allTrue and its like: is there a Boolean of this value? */
static hie_rc_t
any_boolean(fp_run_t *run, const fp_node_t *n, uint32_t base, bool wanted,
            bool result)
{
    bool       found = false;
    uint32_t   i;
    fp_item_t  v;

    for (i = base; i < run->top; i++) {
        if (!hie_fp_value(run, &run->items[i], &v)
            || v.kind != HIE_FHIRPATH_BOOLEAN)
        {
            return hie_fp_fail(run, n, HIE_INVALID, "%s() expects Booleans",
                               n->function->name);
        }

        found = found || v.boolean == wanted;
    }

    hie_fp_set_boolean(run, base, found == result);
    return HIE_OK;
}


hie_rc_t
hie_fp_call_allTrue(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return any_boolean(run, n, base, false, false);
}


hie_rc_t
hie_fp_call_anyTrue(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return any_boolean(run, n, base, true, true);
}


hie_rc_t
hie_fp_call_allFalse(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    return any_boolean(run, n, base, true, false);
}


hie_rc_t
hie_fp_call_anyFalse(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    return any_boolean(run, n, base, false, true);
}


hie_rc_t
hie_fp_call_count(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    hie_fp_set_integer(run, base, run->top - base);
    return HIE_OK;
}


/*
 * Sets.
 */
hie_rc_t
hie_fp_call_distinct(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    bool       found;
    uint32_t   i, kept;
    hie_rc_t   rc;
    fp_set_t   set;
    fp_item_t  item;

    if (run->top - base < 2) {
        return HIE_OK;
    }

    hie_fp_set_init(&set);
    for (i = base, kept = base; i < run->top; i++) {
        item = run->items[i];
        run->items[kept] = item;
        rc = hie_fp_set_find(run, &set, kept, true, &found);
        if (rc != HIE_OK) {
            return rc;
        }

        kept += !found;
    }

    run->top = kept;
    return HIE_OK;
}


hie_rc_t
hie_fp_call_isDistinct(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    uint32_t  count = run->top - base;
    hie_rc_t  rc;

    rc = hie_fp_call_distinct(run, n, scope, base);
    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, run->top - base == count);
    }

    return rc;
}


/* Keeps of [from, from + n) what is, or is not, in [in, in + n_in), at
 * `from`; how many it were. */
static hie_rc_t
keep(fp_run_t *run, uint32_t from, uint32_t n, uint32_t in, uint32_t n_in,
     bool wanted, uint32_t *kept)
{
    bool       found;
    uint32_t   i;
    hie_rc_t   rc = HIE_OK;
    fp_set_t   set;
    fp_item_t  item;

    *kept = 0;
    hie_fp_set_init(&set);
    for (i = 0; i < n_in && rc == HIE_OK; i++) {
        rc = hie_fp_set_find(run, &set, in + i, true, &found);
    }

    for (i = 0; i < n && rc == HIE_OK; i++) {
        rc = hie_fp_set_find(run, &set, from + i, false, &found);
        if (found == wanted) {
            item = run->items[from + i];
            run->items[from + (*kept)++] = item;
        }
    }

    return rc;
}


hie_rc_t
hie_fp_call_subsetOf(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    uint32_t  middle = run->top, kept = 0;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->args, scope);
    if (rc == HIE_OK) {
        rc = keep(run, base, middle - base, middle, run->top - middle, false,
                  &kept);
    }

    hie_fp_set_boolean(run, base, kept == 0);
    return rc;
}


hie_rc_t
hie_fp_call_supersetOf(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    uint32_t  middle = run->top, kept = 0;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->args, scope);
    if (rc == HIE_OK) {
        rc = keep(run, middle, run->top - middle, base, middle - base, false,
                  &kept);
    }

    hie_fp_set_boolean(run, base, kept == 0);
    return rc;
}


static hie_rc_t
intersect_or_exclude(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base, bool wanted)
{
    uint32_t  middle = run->top, kept = 0;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->args, scope);
    if (rc == HIE_OK) {
        rc = keep(run, base, middle - base, middle, run->top - middle, wanted,
                  &kept);
    }

    run->top = base + kept;
    return rc;
}


hie_rc_t
hie_fp_call_intersect(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    hie_rc_t  rc;

    rc = intersect_or_exclude(run, n, scope, base, true);
    return rc == HIE_OK ? hie_fp_call_distinct(run, n, scope, base) : rc;
}


hie_rc_t
hie_fp_call_exclude(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return intersect_or_exclude(run, n, scope, base, false);
}


hie_rc_t
hie_fp_call_combine(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return hie_fp_eval(run, n->args, scope);
}


hie_rc_t
hie_fp_call_union(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->args, scope);
    return rc == HIE_OK ? hie_fp_call_distinct(run, n, scope, base) : rc;
}


/*
 * Filters and projections.
 */
hie_rc_t
hie_fp_call_where(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    uint32_t    i, kept, end = run->top;
    hie_rc_t    rc;
    fp_item_t   item;
    fp_scope_t  s;
    fp_truth_t  v;

    for (i = base, kept = base; i < end; i++) {
        s = for_item(scope, i, i - base);
        rc = hie_fp_truth(run, n->args, &s, &v);
        if (rc != HIE_OK) {
            return rc;
        }

        if (v == FP_TRUE) {
            item = run->items[i];
            run->items[kept++] = item;
        }
    }

    run->top = kept;
    return HIE_OK;
}


hie_rc_t
hie_fp_call_select(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    uint32_t    i, end = run->top;
    hie_rc_t    rc = HIE_OK;
    fp_scope_t  s;

    for (i = base; i < end && rc == HIE_OK; i++) {
        s = for_item(scope, i, i - base);
        rc = hie_fp_eval(run, n->args, &s);
    }

    fp_drop(run, base, end);
    return rc;
}


/* What has been found is looked at again, once each (N1 section 5.2.3). */
hie_rc_t
hie_fp_call_repeat(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool        found;
    uint32_t    at, end = run->top, i, k;
    hie_rc_t    rc = HIE_OK;
    fp_set_t    set;
    fp_item_t   item;
    fp_scope_t  s;

    hie_fp_set_init(&set);
    for (at = base; at < run->top && rc == HIE_OK; at++) {
        s = for_item(scope, at, at - base);
        i = run->top;
        rc = hie_fp_eval(run, n->args, &s);

        for (k = i; i < run->top && rc == HIE_OK; i++) {
            item = run->items[i];
            run->items[k] = item;
            rc = hie_fp_set_find(run, &set, k, true, &found);
            k += !found;
        }

        run->top = k;
    }

    fp_drop(run, base, end);
    return rc;
}


hie_rc_t
hie_fp_call_ofType(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    uint32_t   i, kept;
    fp_item_t  item;

    for (i = base, kept = base; i < run->top; i++) {
        item = run->items[i];
        if (hie_fp_is(&item, n->type)) {
            run->items[kept++] = item;
        }
    }

    run->top = kept;
    return HIE_OK;
}


/* The invariants and search parameters of R4 use it on lists: it is a filter,
 * as ofType(). */
hie_rc_t
hie_fp_call_as(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
               uint32_t base)
{
    return hie_fp_call_ofType(run, n, scope, base);
}


hie_rc_t
hie_fp_call_is(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
               uint32_t base)
{
    if (run->top - base > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item before "
                           "is(), found %u", run->top - base);
    }

    if (run->top > base) {
        hie_fp_set_boolean(run, base,
                           hie_fp_is(&run->items[base], n->type));
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_aggregate(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    uint32_t    i, end = run->top, next;
    hie_rc_t    rc = HIE_OK;
    fp_scope_t  s;

    if (n->args->next != NULL) {
        rc = hie_fp_eval(run, n->args->next, scope);
    }

    /* $total lies behind the input, what it becomes behind that */
    for (i = base; i < end && rc == HIE_OK; i++) {
        next = run->top;
        s = for_item(scope, i, i - base);
        s.total = end;
        s.n_total = next - end;
        rc = hie_fp_eval(run, n->args, &s);
        fp_drop(run, end, next);
    }

    fp_drop(run, base, end);
    return rc;
}


/*
 * Parts.
 */
static void
cut(fp_run_t *run, uint32_t base, uint32_t from, uint32_t to)
{
    run->top = to;
    fp_drop(run, base, from);
}


hie_rc_t
hie_fp_call_single(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    if (run->top - base > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item before "
                           "single(), found %u", run->top - base);
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_first(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    if (run->top > base) {
        run->top = base + 1;
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_last(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    if (run->top > base) {
        cut(run, base, run->top - 1, run->top);
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_tail(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    if (run->top > base) {
        cut(run, base, base + 1, run->top);
    }

    return HIE_OK;
}


static hie_rc_t
number_argument(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t max, uint32_t *out, bool *there)
{
    hie_rc_t   rc;
    fp_item_t  v;

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_INTEGER, &v,
                         there);
    if (rc == HIE_OK && *there) {
        *out = v.integer < 0 ? 0 : v.integer > max ? max
                                                   : (uint32_t) v.integer;
    }

    return rc;
}


hie_rc_t
hie_fp_call_skip(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    bool      there;
    uint32_t  count = 0;
    hie_rc_t  rc;

    rc = number_argument(run, n, scope, run->top - base, &count, &there);
    cut(run, base, base + count, run->top);
    return rc;
}


hie_rc_t
hie_fp_call_take(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    bool      there;
    uint32_t  count = 0;
    hie_rc_t  rc;

    rc = number_argument(run, n, scope, run->top - base, &count, &there);
    run->top = base + count;
    return rc;
}


/*
 * Conditions and traces.
 */
hie_rc_t
hie_fp_call_iif(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    uint32_t          end = run->top;
    hie_rc_t          rc;
    fp_scope_t        s = *scope;
    fp_truth_t        v;
    const fp_node_t  *chosen;

    /* its input as a whole is $this */
    s.at = base;
    s.n = end - base;
    rc = hie_fp_truth(run, n->args, &s, &v);
    if (rc != HIE_OK) {
        return rc;
    }

    chosen = v == FP_TRUE ? n->args->next : n->args->next->next;
    if (chosen != NULL) {
        rc = hie_fp_eval(run, chosen, &s);
    }

    fp_drop(run, base, end);
    return rc;
}


hie_rc_t
hie_fp_call_trace(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    bool                 there;
    uint32_t             i, end = run->top, from = base;
    hie_rc_t             rc;
    fp_item_t            name;
    fp_scope_t           s;
    hie_fhirpath_list_t  list;

    if (run->env->trace == NULL) {
        return HIE_OK;
    }

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &name,
                         &there);
    if (n->args->next != NULL) {
        from = end;
        for (i = base; i < end && rc == HIE_OK; i++) {
            s = for_item(scope, i, i - base);
            rc = hie_fp_eval(run, n->args->next, &s);
        }
    }

    if (rc == HIE_OK) {
        list.n = run->top - from;
        list.items = run->items + from;
        run->env->trace(run->env, there ? name.string : HIE_STR(""), &list);
    }

    run->top = end;
    return rc;
}
