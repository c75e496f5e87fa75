/*
 * Conditions: logic, comparison, membership (N1 section 6), with as little
 * work as the answer needs.
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


hie_rc_t
hie_fp_take_truth(fp_run_t *run, const fp_node_t *node, uint32_t base,
                  fp_truth_t *out)
{
    fp_item_t  item, value;

    if (run->top == base) {
        *out = FP_EMPTY;
        return HIE_OK;
    }

    if (run->top - base > 1) {
        return hie_fp_fail(run, node, HIE_INVALID, "expected one Boolean, "
                           "found %u items", run->top - base);
    }

    item = run->items[base];
    run->top = base;

    /* what is there and no Boolean is true (N1 section 4.5) */
    *out = FP_TRUE;
    if (item.kind == HIE_FHIRPATH_BOOLEAN) {
        *out = item.boolean ? FP_TRUE : FP_FALSE;

    } else if (item.kind == HIE_FHIRPATH_NODE
               && item.type == HIE_TYPE_boolean)
    {
        *out = FP_EMPTY;
        if (hie_fp_value(run, &item, &value)) {
            *out = value.boolean ? FP_TRUE : FP_FALSE;
        }
    }

    return HIE_OK;
}


static hie_rc_t
logic(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
      fp_truth_t *out)
{
    hie_rc_t    rc;
    fp_truth_t  a, b;

    rc = hie_fp_truth(run, n->left, scope, &a);
    if (rc != HIE_OK) {
        return rc;
    }

    /* the answer may be there already */
    *out = a == FP_TRUE ? FP_TRUE : FP_FALSE;
    if ((n->op == OP_AND && a == FP_FALSE) || (n->op == OP_OR && a == FP_TRUE))
    {
        return HIE_OK;
    }

    if (n->op == OP_IMPLIES && a == FP_FALSE) {
        *out = FP_TRUE;
        return HIE_OK;
    }

    rc = hie_fp_truth(run, n->args, scope, &b);
    if (rc != HIE_OK) {
        return rc;
    }

    switch (n->op) {
    case OP_AND:
        *out = b == FP_FALSE ? FP_FALSE : a == FP_TRUE ? b : FP_EMPTY;
        break;

    case OP_OR:
        *out = b == FP_TRUE ? FP_TRUE : a == FP_FALSE ? b : FP_EMPTY;
        break;

    case OP_XOR:
        *out = a == FP_EMPTY || b == FP_EMPTY ? FP_EMPTY
               : a != b ? FP_TRUE : FP_FALSE;
        break;

    default:
        *out = b == FP_TRUE ? FP_TRUE : a == FP_TRUE ? b : FP_EMPTY;
        break;
    }

    return HIE_OK;
}


static fp_truth_t
opposite(fp_truth_t v)
{
    return v == FP_EMPTY ? FP_EMPTY : v == FP_TRUE ? FP_FALSE : FP_TRUE;
}


static hie_rc_t
equality(fp_run_t *run, const fp_node_t *n, uint32_t base, uint32_t middle,
         fp_truth_t *out)
{
    bool      same;
    hie_rc_t  rc;

    if (n->op == OP_EQUAL || n->op == OP_NOT_EQUAL) {
        rc = hie_fp_equal_lists(run, base, middle - base, middle,
                                run->top - middle, out);
        if (n->op == OP_NOT_EQUAL) {
            *out = opposite(*out);
        }

        return rc;
    }

    rc = hie_fp_equivalent_lists(run, base, middle - base, middle,
                                 run->top - middle, &same);
    *out = same == (n->op == OP_EQUIVALENT) ? FP_TRUE : FP_FALSE;
    return rc;
}


static hie_rc_t
order(fp_run_t *run, const fp_node_t *n, uint32_t base, uint32_t middle,
      fp_truth_t *out)
{
    int        c;
    bool       a_there = false, b_there, known;
    hie_rc_t   rc;
    fp_item_t  a, b;

    *out = FP_EMPTY;
    rc = hie_fp_single(run, n, middle, &b, &b_there);
    run->top = middle;
    if (rc == HIE_OK) {
        rc = hie_fp_single(run, n, base, &a, &a_there);
    }

    if (rc != HIE_OK || !a_there || !b_there) {
        return rc;
    }

    rc = hie_fp_order(run, n, &a, &b, &c, &known);
    if (rc != HIE_OK || !known) {
        return rc;
    }

    *out = (n->op == OP_LESS && c < 0) || (n->op == OP_LESS_EQUAL && c <= 0)
           || (n->op == OP_GREATER && c > 0)
           || (n->op == OP_GREATER_EQUAL && c >= 0) ? FP_TRUE : FP_FALSE;
    return HIE_OK;
}


/* Is the item of [one, …) in [in, …)? */
static hie_rc_t
membership(fp_run_t *run, const fp_node_t *n, uint32_t one, uint32_t n_one,
           uint32_t in, uint32_t n_in, fp_truth_t *out)
{
    uint32_t   i;
    hie_rc_t   rc;
    fp_item_t  a, b;

    *out = FP_EMPTY;
    if (n_one == 0) {
        return HIE_OK;
    }

    if (n_one > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item to look "
                           "for, found %u", n_one);
    }

    a = run->items[one];
    for (i = 0; i < n_in; i++) {
        b = run->items[in + i];
        rc = hie_fp_equal(run, &a, &b, out);
        if (rc != HIE_OK || *out == FP_TRUE) {
            return rc;
        }
    }

    *out = FP_FALSE;
    return HIE_OK;
}


/* Operators whose both sides are lists. */
static hie_rc_t
comparison(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
           fp_truth_t *out)
{
    uint32_t  base = run->top, middle;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->left, scope);
    middle = run->top;
    if (rc == HIE_OK) {
        rc = hie_fp_eval(run, n->args, scope);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    switch (n->op) {
    case OP_EQUAL: case OP_NOT_EQUAL: case OP_EQUIVALENT:
    case OP_NOT_EQUIVALENT:
        rc = equality(run, n, base, middle, out);
        break;

    case OP_IN:
        rc = membership(run, n, base, middle - base, middle,
                        run->top - middle, out);
        break;

    case OP_CONTAINS:
        rc = membership(run, n, middle, run->top - middle, base,
                        middle - base, out);
        break;

    default:
        rc = order(run, n, base, middle, out);
        break;
    }

    run->top = base;
    return rc;
}


static hie_rc_t
is_type(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
        fp_truth_t *out)
{
    uint32_t   base = run->top;
    hie_rc_t   rc;

    rc = hie_fp_eval(run, n->left, scope);
    if (rc != HIE_OK) {
        return rc;
    }

    *out = FP_EMPTY;
    if (run->top - base > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item before "
                           "'is', found %u", run->top - base);
    }

    if (run->top > base) {
        *out = hie_fp_is(&run->items[base], n->type) ? FP_TRUE : FP_FALSE;
    }

    run->top = base;
    return HIE_OK;
}


/* not(), and exists() and empty() without argument, whose input need not be
 * kept. False: it is another function. */
static bool
short_call(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
           fp_truth_t *out, hie_rc_t *rc)
{
    bool        any;
    uint32_t    base = run->top;
    fp_call_t  *call = n->function->call;

    if (n->left == NULL || n->n_args != 0) {
        return false;
    }

    if (call == hie_fp_call_not) {
        *rc = hie_fp_truth(run, n->left, scope, out);
        *out = opposite(*out);
        return true;
    }

    if (call != hie_fp_call_exists && call != hie_fp_call_empty) {
        return false;
    }

    *rc = hie_fp_eval(run, n->left, scope);
    any = run->top > base;
    run->top = base;
    *out = any == (call == hie_fp_call_exists) ? FP_TRUE : FP_FALSE;
    return true;
}


hie_rc_t
hie_fp_truth(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
             fp_truth_t *out)
{
    uint32_t  base = run->top;
    hie_rc_t  rc;

    *out = FP_FALSE;
    rc = hie_fp_spend(run, 1);
    if (rc != HIE_OK) {
        return rc;
    }

    switch (n->op) {
    case OP_AND: case OP_OR: case OP_XOR: case OP_IMPLIES:
        return logic(run, n, scope, out);

    case OP_EQUAL: case OP_NOT_EQUAL: case OP_EQUIVALENT:
    case OP_NOT_EQUIVALENT: case OP_LESS: case OP_LESS_EQUAL:
    case OP_GREATER: case OP_GREATER_EQUAL: case OP_IN: case OP_CONTAINS:
        return comparison(run, n, scope, out);

    case OP_IS:
        return is_type(run, n, scope, out);

    case OP_CALL:
        if (short_call(run, n, scope, out, &rc)) {
            return rc;
        }

        break;

    default:
        break;
    }

    rc = hie_fp_eval(run, n, scope);
    return rc == HIE_OK ? hie_fp_take_truth(run, n, base, out) : rc;
}
