/*
 * From an item to its children, as the definitions of R4 name them.
 */

#include "fhirpath/private.h"


static fp_item_t
node_item(const hie_doc_t *d, hie_node_t n, hie_node_t sibling,
          hie_type_t type)
{
    fp_item_t  item;

    item.kind = HIE_FHIRPATH_NODE;
    item.boolean = false;
    item.type = type;
    item.parent = HIE_NODE_NONE;
    item.doc = d;
    item.node = n;
    item.sibling = sibling;
    item.element = NULL;
    return item;
}


hie_fhirpath_item_t
hie_fhirpath_node(const hie_doc_t *d, hie_node_t n, hie_node_t sibling,
                  hie_type_t type)
{
    return node_item(d, n, sibling, type);
}


/* The span of a string without escapes; names of types have none. */
static hie_type_t
resource_type(const hie_doc_t *d, hie_node_t n)
{
    hie_str_t   raw;
    hie_type_t  type;

    raw = hie_doc_raw(d, hie_doc_member_str(d, n, HIE_STR("resourceType")));
    if (raw.len < 2 || raw.ptr[0] != '"') {
        return HIE_TYPE_NONE;
    }

    raw.ptr++;
    raw.len -= 2;
    type = hie_type_find(raw);
    return hie_types[type].kind == HIE_KIND_RESOURCE ? type : HIE_TYPE_NONE;
}


hie_fhirpath_item_t
hie_fhirpath_resource(const hie_doc_t *d, hie_node_t n)
{
    return node_item(d, n, HIE_NODE_NONE, resource_type(d, n));
}


static bool
is_primitive(hie_type_t type)
{
    return hie_types[type].kind == HIE_KIND_PRIMITIVE;
}


static void
push_node(fp_run_t *run, const fp_item_t *of, hie_node_t object,
          const hie_element_t *e, hie_node_t n, hie_node_t sibling)
{
    hie_type_t       type = e->type;
    fp_item_t       *item;
    const hie_doc_t *d = of->doc;
    hie_node_kind_t  kind = hie_doc_kind(d, n);

    if (hie_doc_kind(d, sibling) != HIE_NODE_OBJECT) {
        sibling = HIE_NODE_NONE;
    }

    if (sibling == HIE_NODE_NONE
        && (kind == 0 || kind == HIE_NODE_NULL || kind == HIE_NODE_ARRAY))
    {
        return;
    }

    if (type == HIE_TYPE_Resource) {
        type = resource_type(d, n);
    }

    item = fp_push(run);
    *item = node_item(d, n, sibling, type);
    item->parent = object;
    item->element = e;
}


/* The values of one member and of its sibling, which are paired by place
 * where they are arrays (R4 section 2.6.2.3). `of` is not on the stack. */
static hie_rc_t
push_values(fp_run_t *run, const fp_item_t *of, hie_node_t object,
            const hie_element_t *e, hie_node_t n, hie_node_t sibling)
{
    bool        list, sibling_list;
    uint32_t    before = run->top;
    hie_node_t  c, s;

    list = hie_doc_kind(of->doc, n) == HIE_NODE_ARRAY;
    sibling_list = hie_doc_kind(of->doc, sibling) == HIE_NODE_ARRAY;
    if (!list && !sibling_list) {
        push_node(run, of, object, e, n, sibling);
        return hie_fp_spend(run, 1);
    }

    c = list ? hie_doc_first(of->doc, n) : HIE_NODE_NONE;
    s = sibling_list ? hie_doc_first(of->doc, sibling) : HIE_NODE_NONE;
    while (c != HIE_NODE_NONE || s != HIE_NODE_NONE) {
        push_node(run, of, object, e, c, s);
        c = hie_doc_next(of->doc, c);
        s = hie_doc_next(of->doc, s);
    }

    return hie_fp_spend(run, run->top - before + 1);
}


static hie_node_t
find_sibling(fp_run_t *run, const hie_doc_t *d, hie_node_t object,
             const hie_element_t *e)
{
    char  name[256];

    if (!is_primitive(e->type) || e->name_len >= sizeof(name) - 1) {
        return HIE_NODE_NONE;
    }

    name[0] = '_';
    memcpy(name + 1, e->name, e->name_len);
    return hie_fp_lookup(run, d, object,
                         (hie_str_t) { name, e->name_len + 1u });
}


static hie_rc_t
push_element(fp_run_t *run, const fp_item_t *of, hie_node_t object,
             const hie_element_t *e)
{
    hie_node_t  n, sibling;

    n = hie_fp_lookup(run, of->doc, object,
                      (hie_str_t) { e->name, e->name_len });
    sibling = find_sibling(run, of->doc, object, e);
    if (n == HIE_NODE_NONE && sibling == HIE_NODE_NONE) {
        return HIE_OK;
    }

    return push_values(run, of, object, e, n, sibling);
}


/* A member that stands for an element of the type; `c` is the value or, for
 * a primitive that has only extensions, the sibling. */
static hie_rc_t
push_member(fp_run_t *run, const fp_item_t *of, hie_node_t object,
            hie_node_t c, const hie_element_t *choice)
{
    bool                  sibling;
    hie_str_t             name;
    const hie_element_t  *e;

    name = hie_doc_name(of->doc, c, run->pool);
    fp_charge(run, 1 + name.len / FP_STEP_BYTES);
    sibling = name.len > 1 && name.ptr[0] == '_';
    if (sibling) {
        name.ptr++;
        name.len--;
    }

    if (choice != NULL
        && (name.len <= choice->stem_len
            || memcmp(name.ptr, choice->name, choice->stem_len) != 0))
    {
        return HIE_OK;
    }

    e = hie_element_find(of->type, name);
    if (e == NULL || (choice != NULL && e->order != choice->order)) {
        return HIE_OK;
    }

    if (!sibling) {
        return push_values(run, of, object, e, c,
                           find_sibling(run, of->doc, object, e));
    }

    if (!is_primitive(e->type)
        || hie_fp_lookup(run, of->doc, object, name) != HIE_NODE_NONE)
    {
        return HIE_OK;
    }

    return push_values(run, of, object, e, HIE_NODE_NONE, c);
}


/* All members, or those of one choice. */
static hie_rc_t
push_members(fp_run_t *run, const fp_item_t *of, hie_node_t object,
             const hie_element_t *choice)
{
    hie_rc_t    rc = HIE_OK;
    hie_node_t  c;

    if (hie_doc_kind(of->doc, object) != HIE_NODE_OBJECT) {
        return HIE_OK;
    }

    for (c = hie_doc_first(of->doc, object);
         c != HIE_NODE_NONE && rc == HIE_OK;
         c = hie_doc_next(of->doc, c))
    {
        rc = push_member(run, of, object, c, choice);
    }

    return rc;
}


/* The object that has the children. */
static hie_node_t
object_of(const fp_item_t *item)
{
    return is_primitive(item->type) ? item->sibling : item->node;
}


static const hie_element_t *
find_element(hie_type_t type, hie_str_t name)
{
    const hie_element_t  *e;

    e = hie_element_find(type, name);
    if (e != NULL && e->name_len == e->stem_len) {
        return e;
    }

    return hie_element_stem(type, name);
}


static hie_rc_t
member_of_node(fp_run_t *run, const fp_node_t *node, const fp_item_t *item)
{
    hie_node_t            object;
    const hie_element_t  *e;

    if (item->type == HIE_TYPE_NONE) {
        return HIE_OK;
    }

    e = node->element;
    if (item->type != node->of) {
        e = find_element(item->type, node->name);
    }

    object = object_of(item);
    if (e == NULL || object == HIE_NODE_NONE) {
        return HIE_OK;
    }

    if (e->flags & HIE_ELEMENT_CHOICE) {
        return push_members(run, item, object, e);
    }

    return push_element(run, item, object, e);
}


/* What values of System have for members: those of type() and Quantity. */
static void
member_of_value(fp_run_t *run, hie_str_t name, const fp_item_t *item)
{
    const char                     *full, *dot;
    const hie_fhirpath_quantity_t  *q;

    if (item->kind == HIE_FHIRPATH_QUANTITY) {
        q = item->quantity;
        if (hie_str_eqz(name, "value")) {
            hie_fp_set_decimal(run, run->top, &q->value);
        } else if (hie_str_eqz(name, "unit")) {
            hie_fp_set_string(run, run->top, q->unit);
        }

        return;
    }

    if (item->kind != HIE_FHIRPATH_TYPE) {
        return;
    }

    full = item->type != 0 ? hie_types[item->type].name
                           : hie_fp_kind_names[item->kind_of];
    if (hie_str_eqz(name, "namespace")) {
        hie_fp_set_string(run, run->top, item->type != 0 ? HIE_STR("FHIR")
                                                         : HIE_STR("System"));
    } else if (hie_str_eqz(name, "name")) {
        dot = item->type != 0 ? NULL : strchr(full, '.');
        hie_fp_set_string(run, run->top,
                          hie_str(dot != NULL ? dot + 1 : full));
    }
}


hie_rc_t
hie_fp_member(fp_run_t *run, const fp_node_t *node, uint32_t base,
              uint32_t end)
{
    uint32_t   i;
    hie_rc_t   rc = HIE_OK;
    fp_item_t  item;

    for (i = base; i < end && rc == HIE_OK; i++) {
        item = run->items[i];
        if (item.kind == HIE_FHIRPATH_NODE) {
            rc = member_of_node(run, node, &item);
        } else {
            member_of_value(run, node->name, &item);
        }
    }

    return rc;
}


hie_rc_t
hie_fp_children(fp_run_t *run, const fp_item_t *item)
{
    hie_node_t  object;

    if (item->kind != HIE_FHIRPATH_NODE || item->type == HIE_TYPE_NONE) {
        return HIE_OK;
    }

    object = object_of(item);
    return object != HIE_NODE_NONE ? push_members(run, item, object, NULL)
                                   : HIE_OK;
}


hie_rc_t
hie_fp_extensions(fp_run_t *run, const fp_item_t *item, hie_str_t url)
{
    uint32_t              base = run->top, i, n;
    hie_rc_t              rc;
    fp_item_t             one;
    hie_node_t            object, n_url;
    const hie_element_t  *e;

    if (item->kind != HIE_FHIRPATH_NODE || item->type == HIE_TYPE_NONE) {
        return HIE_OK;
    }

    object = object_of(item);
    e = hie_element_find(item->type, HIE_STR("extension"));
    if (object == HIE_NODE_NONE || e == NULL) {
        return HIE_OK;
    }

    rc = push_element(run, item, object, e);
    for (i = base, n = base; i < run->top; i++) {
        one = run->items[i];
        n_url = hie_fp_lookup(run, one.doc, one.node, HIE_STR("url"));
        fp_charge(run, hie_doc_raw(one.doc, n_url).len / FP_STEP_BYTES);
        if (hie_str_eq(hie_doc_string(one.doc, n_url, run->pool), url))
        {
            run->items[n++] = one;
        }
    }

    run->top = n;
    return rc;
}


bool
hie_fp_is(const fp_item_t *item, fp_type_t type)
{
    if (type.any) {
        return true;
    }

    if (item->kind == HIE_FHIRPATH_NODE) {
        return type.fhir != 0 && hie_type_is(item->type, type.fhir);
    }

    return item->kind == type.system;
}
