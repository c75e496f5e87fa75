/*
 * JSON Patch (RFC 6902).
 */

#include "patch/private.h"

#include <string.h>

#include <apr_strings.h>

/* Of a path in an error. */
#define SHOWN_MAX  120

typedef enum {
    OP_ADD = 1, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST
} kind_t;

typedef struct {
    kind_t       kind;
    hie_str_t    path;
    hie_str_t    from;
    hie_node_t   value;      /* in the patch */
} operation_t;

static const struct {
    const char  *name;
    kind_t       kind;
    bool         value;
    bool         from;
} kinds[] = {
    { "add", OP_ADD, true, false },
    { "remove", OP_REMOVE, false, false },
    { "replace", OP_REPLACE, true, false },
    { "move", OP_MOVE, false, true },
    { "copy", OP_COPY, false, true },
    { "test", OP_TEST, true, false }
};


static void
place(hie_patch_run_t *run, size_t i)
{
    apr_snprintf(run->where, sizeof(run->where), "operation[%lu]",
                 (unsigned long) i);
}


static int
shown(hie_str_t path)
{
    return path.len < SHOWN_MAX ? (int) path.len : SHOWN_MAX;
}


static hie_rc_t
not_there(hie_patch_run_t *run, hie_str_t path)
{
    return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                    "The resource has nothing at the path \"%.*s\".",
                    shown(path), path.ptr);
}


static hie_rc_t
read_pointer(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t n,
             const char *name, apr_pool_t *pool, hie_str_t *out)
{
    *out = hie_doc_get(patch, n, name, pool);

    if (out->ptr == NULL) {
        return hie_fail(run->err, HIE_INVALID, run->where,
                        "The operation has no string \"%s\" (RFC 6902 section "
                        "4).", name);
    }

    if (!hie_patch_pointer_is(*out)) {
        return hie_fail(run->err, HIE_INVALID, run->where,
                        "\"%.*s\" is no JSON Pointer (RFC 6901): it is empty "
                        "or starts with '/', and after '~' comes 0 or 1.",
                        shown(*out), out->ptr);
    }

    return HIE_OK;
}


static hie_rc_t
read_operation(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t n,
               apr_pool_t *pool, operation_t *op)
{
    hie_str_t  name = hie_doc_get(patch, n, "op", pool);
    hie_rc_t   rc;
    size_t     i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (hie_str_eqz(name, kinds[i].name)) {
            break;
        }
    }

    if (name.ptr == NULL || i == sizeof(kinds) / sizeof(kinds[0])) {
        return hie_fail(run->err, HIE_INVALID, run->where,
                        "\"op\" must be one of add, remove, replace, move, "
                        "copy and test.");
    }

    op->kind = kinds[i].kind;
    rc = read_pointer(run, patch, n, "path", pool, &op->path);

    if (rc == HIE_OK && kinds[i].from) {
        rc = read_pointer(run, patch, n, "from", pool, &op->from);
    }

    op->value = hie_doc_member(patch, n, "value");

    if (rc == HIE_OK && kinds[i].value && op->value == HIE_NODE_NONE) {
        return hie_fail(run->err, HIE_INVALID, run->where,
                        "The operation has no \"value\".");
    }

    return rc;
}


/* All of them before the first is done: a patch that is not in shape is
 * wrong whatever the resource has. */
static hie_rc_t
read_patch(hie_patch_run_t *run, const hie_doc_t *patch, apr_pool_t *pool,
           operation_t **out, size_t *n)
{
    operation_t  *op;
    hie_node_t    c;
    hie_rc_t      rc;

    if (hie_doc_kind(patch, 0) != HIE_NODE_ARRAY) {
        return hie_fail(run->err, HIE_INVALID, "",
                        "A JSON Patch is an array of operations.");
    }

    *n = hie_doc_count(patch, 0);

    if (*n > (size_t) run->limits->max_operations) {
        return hie_fail(run->err, HIE_TOO_LARGE, "",
                        "The patch has more than %d operations.",
                        run->limits->max_operations);
    }

    *out = op = apr_pcalloc(pool, (*n + 1) * sizeof(*op));

    for (c = hie_doc_first(patch, 0);
         c != HIE_NODE_NONE;
         c = hie_doc_next(patch, c))
    {
        place(run, (size_t) (op - *out));
        rc = read_operation(run, patch, c, pool, op++);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


/* A new member goes behind the last one. No name has U+0000: a document with
 * one does not parse. */
static void
add_member(hie_patch_run_t *run, hie_edit_t *e, hie_patch_target_t *t,
           hie_str_t value)
{
    const char  *after = NULL;
    hie_node_t   c, last = HIE_NODE_NONE;

    for (c = hie_doc_first(run->doc, t->parent);
         c != HIE_NODE_NONE;
         c = hie_doc_next(run->doc, c))
    {
        last = c;
    }

    if (last != HIE_NODE_NONE) {
        after = hie_str_z(run->scratch,
                          hie_doc_name(run->doc, last, run->scratch));
    }

    hie_edit_set(e, t->parent, hie_str_z(run->scratch, t->token), value,
                 after);
}


/* `value` must not be in what a change makes disappear: it is copied. */
static hie_rc_t
add(hie_patch_run_t *run, hie_str_t path, hie_str_t value)
{
    hie_edit_t          *e = hie_edit_create(run->scratch, run->doc);
    hie_patch_target_t   t;

    if (!hie_patch_pointer(run->doc, path, run->scratch, &t)) {
        return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                        "Nothing can be added at the path \"%.*s\": there is "
                        "no object for it, or no array that long.",
                        shown(path), path.ptr);
    }

    if (t.parent == HIE_NODE_NONE) {
        hie_edit_replace(e, 0, value);

    } else if (hie_doc_kind(run->doc, t.parent) == HIE_NODE_ARRAY) {
        hie_edit_insert(e, t.parent, t.node, value);

    } else {
        add_member(run, e, &t, value);
    }

    return hie_patch_apply(run, e);
}


static hie_rc_t
find(hie_patch_run_t *run, hie_str_t path, hie_node_t *node)
{
    hie_patch_target_t  t;

    if (!hie_patch_pointer(run->doc, path, run->scratch, &t)
        || t.node == HIE_NODE_NONE)
    {
        return not_there(run, path);
    }

    *node = t.node;

    return HIE_OK;
}


static hie_rc_t
remove_node(hie_patch_run_t *run, hie_str_t path)
{
    hie_edit_t  *e = hie_edit_create(run->scratch, run->doc);
    hie_node_t   n;
    hie_rc_t     rc = find(run, path, &n);

    if (rc != HIE_OK) {
        return rc;
    }

    if (n == 0) {
        return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                        "The whole resource cannot be removed by a patch.");
    }

    hie_edit_remove(e, n);

    return hie_patch_apply(run, e);
}


static hie_rc_t
replace(hie_patch_run_t *run, hie_str_t path, hie_str_t value)
{
    hie_edit_t  *e = hie_edit_create(run->scratch, run->doc);
    hie_node_t   n;
    hie_rc_t     rc = find(run, path, &n);

    if (rc != HIE_OK) {
        return rc;
    }

    hie_edit_replace(e, n, value);

    return hie_patch_apply(run, e);
}


/* The pool of the call holds what is taken: the removal ends the document
 * that it is in. */
static hie_rc_t
move(hie_patch_run_t *run, const operation_t *op, apr_pool_t *pool)
{
    hie_str_t   value;
    hie_node_t  n;
    hie_rc_t    rc = find(run, op->from, &n);

    if (rc != HIE_OK || hie_str_eq(op->from, op->path)) {
        return rc;
    }

    if (op->path.len > op->from.len && op->path.ptr[op->from.len] == '/'
        && memcmp(op->path.ptr, op->from.ptr, op->from.len) == 0)
    {
        return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                        "\"%.*s\" cannot be moved into itself.",
                        shown(op->from), op->from.ptr);
    }

    value = hie_str_dup(pool, hie_doc_raw(run->doc, n));
    rc = remove_node(run, op->from);

    return rc == HIE_OK ? add(run, op->path, value) : rc;
}


static hie_rc_t
copy(hie_patch_run_t *run, const operation_t *op)
{
    hie_node_t  n;
    hie_rc_t    rc = find(run, op->from, &n);

    return rc == HIE_OK ? add(run, op->path, hie_doc_raw(run->doc, n)) : rc;
}


static hie_rc_t
test(hie_patch_run_t *run, const operation_t *op, const hie_doc_t *patch)
{
    hie_node_t  n;
    bool        equal = false;
    hie_rc_t    rc = find(run, op->path, &n);

    if (rc == HIE_OK) {
        rc = hie_patch_equal(run, n, patch, op->value, &equal);
    }

    if (rc == HIE_OK && !equal) {
        return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                        "The test failed: the value at the path \"%.*s\" is "
                        "another one.", shown(op->path), op->path.ptr);
    }

    return rc;
}


static hie_rc_t
apply(hie_patch_run_t *run, const operation_t *op, const hie_doc_t *patch)
{
    hie_str_t    value = hie_doc_raw(patch, op->value);
    apr_pool_t  *pool;
    hie_rc_t     rc = hie_patch_charge(run, hie_doc_bytes(run->doc).len);

    if (rc != HIE_OK) {
        return rc;
    }

    apr_pool_clear(run->scratch);

    switch (op->kind) {
    case OP_ADD:
        return add(run, op->path, value);
    case OP_REMOVE:
        return remove_node(run, op->path);
    case OP_REPLACE:
        return replace(run, op->path, value);
    case OP_COPY:
        return copy(run, op);
    case OP_TEST:
        return test(run, op, patch);
    default:
        break;
    }

    pool = hie_pool_create(apr_pool_parent_get(run->held), "patch");
    rc = move(run, op, pool);
    apr_pool_destroy(pool);

    return rc;
}


hie_rc_t
hie_patch_json(const hie_doc_t *d, const hie_doc_t *patch,
               const hie_patch_limits_t *limits, apr_pool_t *pool,
               hie_str_t *out, hie_error_t *err)
{
    hie_patch_run_t   run;
    operation_t      *operations = NULL;
    hie_rc_t          rc;
    size_t            n = 0, i;

    *out = HIE_STR_NONE;
    hie_patch_start(&run, d, limits, pool, err);
    rc = read_patch(&run, patch, pool, &operations, &n);

    for (i = 0; rc == HIE_OK && i < n; i++) {
        place(&run, i);
        rc = apply(&run, &operations[i], patch);
    }

    if (rc == HIE_OK) {
        hie_patch_finish(&run, pool, out);

    } else {
        hie_patch_end(&run);
    }

    return rc;
}
