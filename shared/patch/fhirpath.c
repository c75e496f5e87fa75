/*
 * FHIRPath Patch (R4 section 3.1.0.10.1.1).
 */

#include "patch/element.h"

#include <string.h>

#include <apr_strings.h>

#include "fhirpath/fhirpath.h"

/* Of a path in an error. */
#define SHOWN_MAX  120

/* Least that one operation may take. */
#define STEPS_MIN  4000

typedef enum {
    OP_ADD = 1, OP_INSERT, OP_DELETE, OP_REPLACE, OP_MOVE
} kind_t;

typedef struct {
    kind_t           kind;
    hie_str_t        path;
    hie_fhirpath_t  *compiled;
    hie_str_t        name;
    hie_node_t       value;          /* the part, in the patch */
    int64_t          index;          /* or the source */
    int64_t          destination;
} operation_t;

typedef struct {
    hie_patch_run_t       run;
    const hie_doc_t      *patch;
    apr_time_t            now;
    uint64_t              steps;
} state_t;

enum { NEEDS_NAME = 1, NEEDS_VALUE = 2, NEEDS_INDEX = 4, NEEDS_MOVE = 8 };

static const struct {
    const char  *name;
    kind_t       kind;
    unsigned     needs;
} kinds[] = {
    { "add", OP_ADD, NEEDS_NAME | NEEDS_VALUE },
    { "insert", OP_INSERT, NEEDS_INDEX | NEEDS_VALUE },
    { "delete", OP_DELETE, 0 },
    { "replace", OP_REPLACE, NEEDS_VALUE },
    { "move", OP_MOVE, NEEDS_MOVE }
};


static void
place(state_t *s, size_t i)
{
    apr_snprintf(s->run.where, sizeof(s->run.where),
                 "Parameters.parameter[%lu]", (unsigned long) i);
}


static hie_rc_t
invalid(state_t *s, const char *why, const char *what)
{
    return hie_fail(s->run.err, HIE_INVALID, s->run.where, why, what);
}


static hie_rc_t
refuse(state_t *s, const operation_t *op, const char *why)
{
    return hie_fail(s->run.err, HIE_UNPROCESSABLE, s->run.where,
                    "%s: \"%.*s\".", why,
                    op->path.len < SHOWN_MAX ? (int) op->path.len : SHOWN_MAX,
                    op->path.ptr);
}


/* The part of this name; NONE if there is none, HIE_INVALID if several. */
static hie_rc_t
find_part(state_t *s, hie_node_t parts, const char *name, hie_node_t *out)
{
    hie_node_t  c;

    *out = HIE_NODE_NONE;

    for (c = hie_doc_first(s->patch, parts);
         c != HIE_NODE_NONE;
         c = hie_doc_next(s->patch, c))
    {
        if (hie_str_eqz(hie_doc_get(s->patch, c, "name", s->run.scratch),
                        name))
        {
            if (*out != HIE_NODE_NONE) {
                return invalid(s, "The operation has two parts \"%s\".", name);
            }

            *out = c;
        }
    }

    return HIE_OK;
}


/* The one value[x] of a part. */
static hie_rc_t
read_part(state_t *s, hie_node_t parts, const char *name, hie_node_t *out)
{
    hie_node_t  part;
    hie_str_t   suffix;
    hie_rc_t    rc = find_part(s, parts, name, &part);

    *out = HIE_NODE_NONE;

    if (rc == HIE_OK && part != HIE_NODE_NONE) {
        suffix = hie_patch_suffix(s->patch, part, s->run.scratch);
        *out = hie_doc_member(s->patch, part,
                              apr_psprintf(s->run.scratch, "value%.*s",
                                           HIE_PRISTR(suffix)));
    }

    return rc;
}


static hie_rc_t
read_string(state_t *s, hie_node_t parts, const char *name, apr_pool_t *pool,
            hie_str_t *out)
{
    hie_node_t  n;
    hie_rc_t    rc = read_part(s, parts, name, &n);

    *out = hie_doc_string(s->patch, n, pool);

    if (rc == HIE_OK && out->len == 0) {
        return invalid(s, "The operation has no part \"%s\" with a string.",
                       name);
    }

    return rc;
}


static hie_rc_t
read_index(state_t *s, hie_node_t parts, const char *name, int64_t *out)
{
    hie_node_t  n;
    uint64_t    v;
    hie_rc_t    rc = read_part(s, parts, name, &n);

    if (rc == HIE_OK
        && (hie_doc_kind(s->patch, n) != HIE_NODE_NUMBER
            || !hie_str_u64(hie_doc_raw(s->patch, n), &v) || v > INT32_MAX))
    {
        return invalid(s, "The operation has no part \"%s\" with an integer "
                       "from 0.", name);
    }

    if (rc == HIE_OK) {
        *out = (int64_t) v;
    }

    return rc;
}


static hie_rc_t
read_needs(state_t *s, hie_node_t parts, unsigned needs, apr_pool_t *pool,
           operation_t *op)
{
    hie_rc_t  rc = HIE_OK;

    if (needs & NEEDS_NAME) {
        rc = read_string(s, parts, "name", pool, &op->name);
    }

    if (rc == HIE_OK && (needs & NEEDS_INDEX)) {
        rc = read_index(s, parts, "index", &op->index);
    }

    if (rc == HIE_OK && (needs & NEEDS_MOVE)) {
        rc = read_index(s, parts, "source", &op->index);
    }

    if (rc == HIE_OK && (needs & NEEDS_MOVE)) {
        rc = read_index(s, parts, "destination", &op->destination);
    }

    if (rc == HIE_OK && (needs & NEEDS_VALUE)) {
        rc = find_part(s, parts, "value", &op->value);

        if (rc == HIE_OK && op->value == HIE_NODE_NONE) {
            return invalid(s, "The operation has no part \"%s\".", "value");
        }
    }

    return rc;
}


static hie_rc_t
compile(state_t *s, hie_type_t context, apr_pool_t *pool, operation_t *op)
{
    hie_fhirpath_options_t  options = { .context = context };
    hie_error_t             err;

    if (hie_fhirpath_compile(pool, op->path, &options, &op->compiled, &err)
        != HIE_OK)
    {
        return hie_fail(s->run.err, HIE_INVALID, s->run.where,
                        "The path is no FHIRPath, at %s: %.300s", err.where,
                        err.detail);
    }

    return HIE_OK;
}


static hie_rc_t
read_operation(state_t *s, hie_node_t n, hie_type_t context, apr_pool_t *pool,
               operation_t *op)
{
    hie_node_t  parts = hie_doc_member(s->patch, n, "part");
    hie_str_t   type;
    size_t      i;
    hie_rc_t    rc;

    if (!hie_str_eqz(hie_doc_get(s->patch, n, "name", s->run.scratch),
                     "operation"))
    {
        return invalid(s, "Every parameter of a patch is named \"%s\".",
                       "operation");
    }

    rc = read_string(s, parts, "type", s->run.scratch, &type);

    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (hie_str_eqz(type, kinds[i].name)) {
            break;
        }
    }

    if (i == sizeof(kinds) / sizeof(kinds[0])) {
        return invalid(s, "The type of an operation is %s.",
                       "add, insert, delete, replace or move");
    }

    op->kind = kinds[i].kind;
    op->value = HIE_NODE_NONE;
    rc = read_string(s, parts, "path", pool, &op->path);

    if (rc == HIE_OK) {
        rc = read_needs(s, parts, kinds[i].needs, pool, op);
    }

    return rc == HIE_OK ? compile(s, context, pool, op) : rc;
}


static hie_rc_t
read_patch(state_t *s, apr_pool_t *pool, operation_t **out, size_t *n)
{
    hie_node_t    list = hie_doc_member(s->patch, 0, "parameter"), c;
    hie_str_t     name = hie_doc_get(s->run.doc, 0, "resourceType", pool);
    operation_t  *op;
    hie_rc_t      rc;

    if (!hie_str_eqz(hie_doc_get(s->patch, 0, "resourceType", pool),
                     "Parameters")
        || (list != HIE_NODE_NONE
            && hie_doc_kind(s->patch, list) != HIE_NODE_ARRAY))
    {
        return invalid(s, "A FHIRPath Patch is a %s resource.", "Parameters");
    }

    *n = hie_doc_count(s->patch, list);

    if (*n > (size_t) s->run.limits->max_operations) {
        return hie_fail(s->run.err, HIE_TOO_LARGE, "",
                        "The patch has more than %d operations.",
                        s->run.limits->max_operations);
    }

    *out = op = apr_pcalloc(pool, (*n + 1) * sizeof(*op));

    for (c = hie_doc_first(s->patch, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(s->patch, c))
    {
        place(s, (size_t) (op - *out));
        rc = read_operation(s, c, hie_type_find(name), pool, op++);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


static hie_rc_t
evaluate(state_t *s, const operation_t *op, hie_fhirpath_list_t *out)
{
    hie_fhirpath_env_t   env = {
        .pool = s->run.scratch, .now = s->now, .steps = s->steps
    };
    hie_fhirpath_item_t  focus = hie_fhirpath_resource(s->run.doc, 0);
    hie_error_t          err;
    hie_rc_t             rc;
    size_t               i;

    rc = hie_fhirpath_eval(op->compiled, &env, &focus, out, &err);

    if (rc != HIE_OK) {
        return hie_fail(s->run.err, rc == HIE_INVALID ? HIE_UNPROCESSABLE : rc,
                        s->run.where, "The path, at %s: %.300s", err.where,
                        err.detail);
    }

    for (i = 0; i < out->n; i++) {
        if (out->items[i].kind != HIE_FHIRPATH_NODE
            || out->items[i].doc != s->run.doc
            || (out->items[i].node == HIE_NODE_NONE
                && out->items[i].sibling == HIE_NODE_NONE))
        {
            return refuse(s, op, "The path gives something else than elements "
                          "of the resource");
        }
    }

    return HIE_OK;
}


static hie_rc_t
evaluate_one(state_t *s, const operation_t *op, hie_fhirpath_item_t *out)
{
    hie_fhirpath_list_t  list;
    hie_rc_t             rc = evaluate(s, op, &list);

    if (rc != HIE_OK) {
        return rc;
    }

    if (list.n == 0) {
        return refuse(s, op, "The resource has nothing at the path");
    }

    if (list.n > 1) {
        return refuse(s, op, "The path gives more than one element");
    }

    *out = list.items[0];

    return HIE_OK;
}


static hie_rc_t
locate(state_t *s, const operation_t *op, const hie_fhirpath_item_t *item,
       hie_patch_place_t *out)
{
    hie_node_t  n = item->node != HIE_NODE_NONE ? item->node : item->sibling;

    if (n == 0) {
        return refuse(s, op, "The path gives the resource itself");
    }

    if (!hie_patch_locate(s->run.doc, n, s->run.scratch, out)) {
        return refuse(s, op, "The path gives what is no element of FHIR");
    }

    return HIE_OK;
}


/* Are the items all elements of the list in their order? Where an array has
 * null, or nothing, the item is its sibling. */
static bool
is_whole_list(const state_t *s, const hie_patch_place_t *p,
              const hie_fhirpath_list_t *list)
{
    hie_node_t  v = hie_doc_first(s->run.doc, p->values);
    hie_node_t  x = hie_doc_first(s->run.doc, p->siblings);
    size_t      i;

    if (!p->list || p->count != list->n) {
        return false;
    }

    for (i = 0; i < list->n; i++) {
        if (list->items[i].node != v
            && (list->items[i].node != HIE_NODE_NONE
                || list->items[i].sibling != x))
        {
            return false;
        }

        v = hie_doc_next(s->run.doc, v);
        x = hie_doc_next(s->run.doc, x);
    }

    return true;
}


static hie_rc_t
locate_list(state_t *s, const operation_t *op, hie_patch_place_t *out,
            hie_type_t *type)
{
    hie_fhirpath_list_t  list;
    hie_rc_t             rc = evaluate(s, op, &list);

    if (rc != HIE_OK) {
        return rc;
    }

    if (list.n == 0) {
        return refuse(s, op, "The resource has no list at the path");
    }

    rc = locate(s, op, &list.items[0], out);

    if (rc == HIE_OK && !is_whole_list(s, out, &list)) {
        return refuse(s, op, "The path gives something else than a list");
    }

    *type = list.items[0].type;

    return rc;
}


/* Of a choice, any of its types. */
static bool
is_there(const state_t *s, hie_node_t object, hie_type_t type,
         const hie_element_t *row)
{
    const hie_element_t  *r, *end;
    hie_patch_place_t     p;

    r = hie_element_stem(type, (hie_str_t) { row->name, row->stem_len });
    end = hie_elements + hie_types[type].first + hie_types[type].n;

    for ( ; r != NULL && r < end && r->order == row->order; r++) {
        hie_patch_member(s->run.doc, object, hie_str(r->name), s->run.scratch,
                         &p);

        if (p.values != HIE_NODE_NONE || p.siblings != HIE_NODE_NONE) {
            return true;
        }
    }

    return false;
}


static hie_rc_t
add_to_object(state_t *s, const operation_t *op, hie_edit_t *e,
              hie_node_t object, hie_type_t type, const hie_element_t *row,
              const hie_patch_value_t *value)
{
    hie_patch_place_t  p;

    if (!hie_patch_member(s->run.doc, object, hie_str(row->name),
                          s->run.scratch, &p)
        || (row->max != 1 && p.values != HIE_NODE_NONE && !p.list))
    {
        return refuse(s, op, "What is there is no list");
    }

    if (row->max != 1) {
        hie_patch_insert(&s->run, e, &p, p.list ? p.count : 0, value);
        return HIE_OK;
    }

    if (is_there(s, object, type, row)) {
        return refuse(s, op, "The element to add is there already, below the "
                      "path");
    }

    hie_patch_set(&s->run, e, &p, value);

    return HIE_OK;
}


/* The object with id and extensions of a primitive that has none yet. */
static hie_rc_t
add_sibling(state_t *s, const operation_t *op, hie_edit_t *e,
            const hie_fhirpath_item_t *item, const hie_element_t *row,
            const hie_patch_value_t *value)
{
    hie_patch_value_t  both = { .json = hie_doc_raw(s->run.doc, item->node) };
    hie_patch_place_t  p;
    hie_rc_t           rc = locate(s, op, item, &p);

    if (rc == HIE_OK && value->json.ptr == NULL) {
        return refuse(s, op, "What is added below a primitive has a value");
    }

    if (rc == HIE_OK) {
        both.sibling = hie_str(apr_psprintf(s->run.scratch,
                                            row->max != 1 ? "{\"%s\":[%.*s]}"
                                                          : "{\"%s\":%.*s}",
                                            row->name,
                                            HIE_PRISTR(value->json)));
        hie_patch_set(&s->run, e, &p, &both);
    }

    return rc;
}


static hie_rc_t
no_element(state_t *s, hie_type_t type, hie_str_t name)
{
    return hie_fail(s->run.err, HIE_UNPROCESSABLE, s->run.where,
                    "%s has no element \"%.*s\".",
                    type == HIE_TYPE_NONE ? "This place"
                                          : hie_types[type].name,
                    name.len < 64 ? (int) name.len : 64, name.ptr);
}


static hie_rc_t
add(state_t *s, const operation_t *op, hie_edit_t *e)
{
    const hie_element_t  *row;
    hie_fhirpath_item_t   item;
    hie_patch_value_t     value;
    hie_node_t            object;
    hie_rc_t              rc = evaluate_one(s, op, &item);

    if (rc != HIE_OK) {
        return rc;
    }

    row = hie_patch_row(item.type, op->name,
                        hie_patch_suffix(s->patch, op->value, s->run.scratch),
                        s->run.scratch);

    if (row == NULL) {
        return no_element(s, item.type, op->name);
    }

    rc = hie_patch_read_value(&s->run, s->patch, op->value, row->type, &value);

    if (rc != HIE_OK) {
        return rc;
    }

    object = hie_types[item.type].kind == HIE_KIND_PRIMITIVE ? item.sibling
                                                             : item.node;

    if (object == HIE_NODE_NONE) {
        return add_sibling(s, op, e, &item, row, &value);
    }

    return add_to_object(s, op, e, object, item.type, row, &value);
}


static hie_rc_t
insert(state_t *s, const operation_t *op, hie_edit_t *e)
{
    hie_patch_place_t  p;
    hie_patch_value_t  value;
    hie_type_t         type;
    hie_rc_t           rc = locate_list(s, op, &p, &type);

    if (rc == HIE_OK && (uint64_t) op->index > p.count) {
        return refuse(s, op, "The list is not that long");
    }

    if (rc == HIE_OK) {
        rc = hie_patch_read_value(&s->run, s->patch, op->value, type, &value);
    }

    if (rc == HIE_OK) {
        hie_patch_insert(&s->run, e, &p, (size_t) op->index, &value);
    }

    return rc;
}


static hie_rc_t
delete(state_t *s, const operation_t *op, hie_edit_t *e)
{
    hie_fhirpath_list_t  list;
    hie_patch_place_t    p;
    hie_rc_t             rc = evaluate(s, op, &list);

    if (rc != HIE_OK || list.n == 0) {
        return rc;
    }

    if (list.n > 1) {
        return refuse(s, op, "The path gives more than one element");
    }

    rc = locate(s, op, &list.items[0], &p);

    if (rc == HIE_OK && !hie_patch_delete(&s->run, e, &p, false)) {
        return refuse(s, op, "The path gives what is no element of FHIR");
    }

    return rc;
}


/* The member of a choice is named after the type of its value. */
static hie_rc_t
replace_choice(state_t *s, const operation_t *op, hie_edit_t *e,
               const hie_fhirpath_item_t *item, const hie_patch_place_t *p,
               const hie_patch_value_t *value)
{
    hie_patch_value_t  none = { .json = HIE_STR_NONE };
    hie_patch_place_t  other;
    char              *name;

    name = apr_psprintf(s->run.scratch, "%.*s%.*s",
                        (int) item->element->stem_len, item->element->name,
                        HIE_PRISTR(value->suffix));

    if (hie_str_eqz(p->name, name)) {
        hie_patch_set(&s->run, e, p, value);
        return HIE_OK;
    }

    if (!hie_patch_member(s->run.doc, p->object, hie_str(name), s->run.scratch,
                          &other)
        || other.values != HIE_NODE_NONE || other.siblings != HIE_NODE_NONE)
    {
        return refuse(s, op, "The element has two types");
    }

    hie_patch_set(&s->run, e, p, &none);
    hie_patch_set(&s->run, e, &other, value);

    return HIE_OK;
}


static hie_rc_t
replace(state_t *s, const operation_t *op, hie_edit_t *e)
{
    hie_fhirpath_item_t  item;
    hie_patch_place_t    p;
    hie_patch_value_t    value;
    hie_rc_t             rc = evaluate_one(s, op, &item);

    if (rc == HIE_OK) {
        rc = locate(s, op, &item, &p);
    }

    if (rc == HIE_OK) {
        rc = hie_patch_read_value(&s->run, s->patch, op->value, item.type,
                                  &value);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (item.element != NULL && (item.element->flags & HIE_ELEMENT_CHOICE)
        && value.suffix.len > 0)
    {
        return replace_choice(s, op, e, &item, &p, &value);
    }

    hie_patch_set(&s->run, e, &p, &value);

    return HIE_OK;
}


static hie_rc_t
move(state_t *s, const operation_t *op, hie_edit_t *e)
{
    hie_patch_place_t  p;
    hie_type_t         type;
    hie_rc_t           rc = locate_list(s, op, &p, &type);

    if (rc == HIE_OK && ((uint64_t) op->index >= p.count
                         || (uint64_t) op->destination >= p.count))
    {
        return refuse(s, op, "The list is not that long");
    }

    if (rc == HIE_OK) {
        hie_patch_move(&s->run, e, &p, (size_t) op->index,
                       (size_t) op->destination);
    }

    return rc;
}


static hie_rc_t
apply(state_t *s, const operation_t *op)
{
    static hie_rc_t (*const  todo[])(state_t *, const operation_t *,
                                     hie_edit_t *) = {
        [OP_ADD] = add, [OP_INSERT] = insert, [OP_DELETE] = delete,
        [OP_REPLACE] = replace, [OP_MOVE] = move
    };
    hie_edit_t  *e;
    hie_rc_t     rc = hie_patch_charge(&s->run,
                                       hie_doc_bytes(s->run.doc).len);

    if (rc != HIE_OK) {
        return rc;
    }

    apr_pool_clear(s->run.scratch);
    e = hie_edit_create(s->run.scratch, s->run.doc);
    rc = todo[op->kind](s, op, e);

    return rc == HIE_OK ? hie_patch_apply(&s->run, e) : rc;
}


hie_rc_t
hie_patch_fhirpath(const hie_doc_t *d, const hie_doc_t *patch,
                   const hie_patch_limits_t *limits, apr_time_t now,
                   apr_pool_t *pool, hie_str_t *out, hie_error_t *err)
{
    state_t       s;
    operation_t  *operations = NULL;
    hie_rc_t      rc;
    size_t        n = 0, i;

    memset(&s, 0, sizeof(s));
    *out = HIE_STR_NONE;
    hie_patch_start(&s.run, d, limits, pool, err);
    s.patch = patch;
    s.now = now;
    rc = read_patch(&s, pool, &operations, &n);

    /* what one expression may take, all of them together may */
    if (rc == HIE_OK && n > 0) {
        s.steps = HIE_FHIRPATH_STEPS / n;
        s.steps = s.steps < STEPS_MIN ? STEPS_MIN : s.steps;
    }

    for (i = 0; rc == HIE_OK && i < n; i++) {
        place(&s, i);
        rc = apply(&s, &operations[i]);
    }

    if (rc == HIE_OK) {
        hie_patch_finish(&s.run, pool, out);

    } else {
        hie_patch_end(&s.run);
    }

    return rc;
}
