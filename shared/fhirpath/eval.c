/*
 * The evaluation of a tree, on a stack of items.
 */

#include <stdarg.h>
#include <stdio.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


hie_rc_t
hie_fp_fail(fp_run_t *run, const fp_node_t *node, hie_rc_t rc,
            const char *fmt, ...)
{
    char     detail[sizeof(run->err->detail)];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);

    return hie_fp_fail_at(run->err, rc, run->fp->text, node->pos, "%s",
                          detail);
}


hie_rc_t
hie_fp_spend(fp_run_t *run, uint64_t n)
{
    if (run->steps < n) {
        run->steps = 0;
        return hie_fp_fail(run, run->node, HIE_TOO_COSTLY,
                           "the expression takes more steps than allowed");
    }

    if (run->top > FP_ITEMS_MAX) {
        return hie_fp_fail(run, run->node, HIE_TOO_COSTLY,
                           "more than %d items", FP_ITEMS_MAX);
    }

    run->steps -= n;
    return HIE_OK;
}


void
hie_fp_grow(fp_run_t *run)
{
    fp_item_t  *items;

    items = apr_palloc(run->pool, 2 * (size_t) run->size * sizeof(*items));
    memcpy(items, run->items, run->top * sizeof(*items));
    run->items = items;
    run->size *= 2;
}


static hie_rc_t
push_list(fp_run_t *run, const fp_item_t *items, size_t n)
{
    size_t    i;
    hie_rc_t  rc;

    rc = hie_fp_spend(run, n);
    for (i = 0; i < n && rc == HIE_OK; i++) {
        *fp_push(run) = items[i];
    }

    return rc;
}


/* A part of the stack once more on top of it. */
static hie_rc_t
push_part(fp_run_t *run, uint32_t at, uint32_t n)
{
    uint32_t   i;
    fp_item_t  item;

    for (i = 0; i < n; i++) {
        item = run->items[at + i];
        *fp_push(run) = item;
    }

    return hie_fp_spend(run, n);
}


static hie_rc_t
variable(fp_run_t *run, const fp_node_t *n)
{
    static const struct {
        const char  *name;
        const char  *value;
    } constants[] = {
        { "ucum", "http://unitsofmeasure.org" },
        { "sct", "http://snomed.info/sct" },
        { "loinc", "http://loinc.org" }
    };
    char                 url[160];
    size_t               i;
    hie_rc_t             rc;
    hie_str_t            name = n->name;
    hie_fhirpath_list_t  list = { 0, NULL };

    if (hie_str_eqz(name, "resource")) {
        return push_list(run, &run->resource, 1);
    }

    if (hie_str_eqz(name, "rootResource")) {
        return push_list(run, &run->root, 1);
    }

    if (hie_str_eqz(name, "context")) {
        return push_list(run, &run->focus, 1);
    }

    for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (hie_str_eqz(name, constants[i].name)) {
            hie_fp_set_string(run, run->top, hie_str(constants[i].value));
            return HIE_OK;
        }
    }

    if (run->env->variable != NULL) {
        rc = run->env->variable(run->env, name, &list, run->err);
        return rc == HIE_OK ? push_list(run, list.items, list.n) : rc;
    }

    /* R4 section 2.9.5 */
    if (name.len < 100
        && (hie_str_starts(name, "vs-") || hie_str_starts(name, "ext-")))
    {
        i = name.ptr[0] == 'v' ? 3 : 4;
        snprintf(url, sizeof(url), "http://hl7.org/fhir/%s/%.*s",
                 i == 3 ? "ValueSet" : "StructureDefinition",
                 (int) (name.len - i), name.ptr + i);
        hie_fp_set_string(run, run->top,
                          hie_str_dup(run->pool, hie_str(url)));
        return HIE_OK;
    }

    return hie_fp_fail(run, n, HIE_INVALID, "there is no variable %%%.*s",
                       (int) (name.len < 80 ? name.len : 80), name.ptr);
}


static hie_rc_t
member(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    uint32_t   base = run->top, end;
    hie_rc_t   rc;
    fp_item_t  item;

    if (n->left == NULL) {
        item = run->items[scope->at];
        if (n->root != 0 && scope->n == 1 && item.kind == HIE_FHIRPATH_NODE
            && hie_type_is(item.type, n->root))
        {
            *fp_push(run) = item;
            return HIE_OK;
        }

        return hie_fp_member(run, n, scope->at, scope->at + scope->n);
    }

    rc = hie_fp_eval(run, n->left, scope);
    if (rc == HIE_OK && run->top > base) {
        end = run->top;
        rc = hie_fp_member(run, n, base, end);
        fp_drop(run, base, end);
    }

    return rc;
}


static hie_rc_t
call(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    uint32_t  base = run->top;
    hie_rc_t  rc;

    rc = n->left != NULL ? hie_fp_eval(run, n->left, scope)
                         : push_part(run, scope->at, scope->n);

    return rc == HIE_OK ? n->function->call(run, n, scope, base) : rc;
}


static hie_rc_t
item_at(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    bool       there;
    uint32_t   base = run->top;
    hie_rc_t   rc;
    fp_item_t  index, item;

    rc = hie_fp_eval(run, n->left, scope);
    if (rc == HIE_OK) {
        rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_INTEGER,
                             &index, &there);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (!there || index.integer < 0
        || index.integer >= (int64_t) (run->top - base))
    {
        run->top = base;
        return HIE_OK;
    }

    item = run->items[base + (uint32_t) index.integer];
    run->items[base] = item;
    run->top = base + 1;
    return HIE_OK;
}


static hie_rc_t
set_union(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    uint32_t  base = run->top;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->left, scope);
    if (rc == HIE_OK) {
        rc = hie_fp_eval(run, n->args, scope);
    }

    return rc == HIE_OK ? hie_fp_call_distinct(run, n, scope, base) : rc;
}


static hie_rc_t
as_type(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    uint32_t  base = run->top;
    hie_rc_t  rc;

    rc = hie_fp_eval(run, n->left, scope);
    return rc == HIE_OK ? hie_fp_call_ofType(run, n, scope, base) : rc;
}


static hie_rc_t
arithmetic(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    bool       there, right_there;
    uint32_t   base = run->top;
    hie_rc_t   rc;
    fp_item_t  a, b;

    rc = hie_fp_eval(run, n->left, scope);
    if (rc == HIE_OK) {
        rc = hie_fp_single(run, n, base, &a, &there);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    run->top = base;
    memset(&b, 0, sizeof(b));
    right_there = n->args == NULL;
    if (n->args != NULL) {
        rc = hie_fp_eval(run, n->args, scope);
        if (rc == HIE_OK) {
            rc = hie_fp_single(run, n, base, &b, &right_there);
        }

        run->top = base;
    }

    if (rc != HIE_OK) {
        return rc;
    }

    /* an empty operand of & is an empty string (N1 section 6.6.8) */
    if (n->op != OP_CONCAT && (!there || !right_there)) {
        return HIE_OK;
    }

    return hie_fp_arithmetic(run, n, base, there ? &a : NULL,
                             right_there ? &b : NULL);
}


hie_rc_t
hie_fp_eval(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope)
{
    hie_rc_t    rc;
    fp_truth_t  truth;

    run->node = n;
    rc = hie_fp_spend(run, 1);
    if (rc != HIE_OK) {
        return rc;
    }

    switch (n->op) {
    case OP_EMPTY:
        return HIE_OK;

    case OP_LITERAL:
        *fp_push(run) = n->literal;
        return HIE_OK;

    case OP_THIS:
        return push_part(run, scope->at, scope->n);

    case OP_INDEX:
        if (scope->index >= 0) {
            hie_fp_set_integer(run, run->top, scope->index);
        }

        return HIE_OK;

    case OP_TOTAL:
        return push_part(run, scope->total, scope->n_total);

    case OP_VARIABLE:
        return variable(run, n);

    case OP_MEMBER:
        return member(run, n, scope);

    case OP_AT:
        return item_at(run, n, scope);

    case OP_CALL:
        return call(run, n, scope);

    case OP_UNION:
        return set_union(run, n, scope);

    case OP_AS:
        return as_type(run, n, scope);

    case OP_PLUS: case OP_MINUS: case OP_MULTIPLY: case OP_DIVIDE:
    case OP_DIV: case OP_MOD: case OP_ADD: case OP_SUBTRACT: case OP_CONCAT:
        return arithmetic(run, n, scope);

    default:
        rc = hie_fp_truth(run, n, scope, &truth);
        if (rc == HIE_OK) {
            hie_fp_set_truth(run, run->top, truth);
        }

        return rc;
    }
}


static void
start(fp_run_t *run, const hie_fhirpath_t *fp, const hie_fhirpath_env_t *env,
      const hie_fhirpath_item_t *focus, fp_item_t *stack, hie_error_t *err,
      fp_scope_t *scope)
{
    run->fp = fp;
    run->env = env;
    run->pool = env->pool;
    run->err = err;
    run->items = stack;
    run->size = FP_STACK;
    run->top = 1;
    run->steps = env->steps != 0 ? env->steps : HIE_FHIRPATH_STEPS;
    run->node = fp->tree;
    run->focus = *focus;
    run->resource = env->resource.kind != 0 ? env->resource : *focus;
    run->root = env->root.kind != 0 ? env->root : run->resource;

    stack[0] = *focus;
    memset(scope, 0, sizeof(*scope));
    scope->n = focus->kind != 0;
    scope->index = -1;
}


hie_rc_t
hie_fhirpath_eval(const hie_fhirpath_t *fp, const hie_fhirpath_env_t *env,
                  const hie_fhirpath_item_t *focus, hie_fhirpath_list_t *out,
                  hie_error_t *err)
{
    hie_rc_t    rc;
    fp_run_t    run;
    fp_item_t   stack[FP_STACK];
    fp_scope_t  scope;

    out->n = 0;
    out->items = NULL;

    start(&run, fp, env, focus, stack, err, &scope);
    rc = hie_fp_eval(&run, fp->tree, &scope);
    if (rc == HIE_OK) {
        rc = hie_fp_spend(&run, 1);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    out->n = run.top - 1;
    out->items = run.items != stack ? run.items + 1
                 : apr_pmemdup(env->pool, run.items + 1,
                               out->n * sizeof(fp_item_t));
    return HIE_OK;
}


static hie_rc_t
test(fp_run_t *run, const fp_node_t *tree, const fp_scope_t *scope,
     fp_truth_t *out)
{
    hie_rc_t  rc;

    switch (tree->op) {
    case OP_MEMBER: case OP_UNION: case OP_AS: case OP_AT: case OP_THIS:
        rc = hie_fp_eval(run, tree, scope);
        if (rc == HIE_OK && run->top > 2) {
            *out = FP_TRUE;
            return HIE_OK;
        }

        return rc == HIE_OK ? hie_fp_take_truth(run, tree, 1, out) : rc;

    default:
        return hie_fp_truth(run, tree, scope, out);
    }
}


hie_rc_t
hie_fhirpath_test(const hie_fhirpath_t *fp, const hie_fhirpath_env_t *env,
                  const hie_fhirpath_item_t *focus,
                  hie_fhirpath_truth_t *out, hie_error_t *err)
{
    hie_rc_t    rc;
    fp_run_t    run;
    fp_item_t   stack[FP_STACK];
    fp_scope_t  scope;

    start(&run, fp, env, focus, stack, err, &scope);
    *out = FP_FALSE;
    rc = test(&run, fp->tree, &scope, out);
    return rc == HIE_OK ? hie_fp_spend(&run, 1) : rc;
}
