/*
 * resolve(): references within the document (R4 section 2.3.0.3 and, for
 * Bundles, 2.36.4.1), then what the caller knows.
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


static hie_str_t
reference_text(fp_run_t *run, const fp_item_t *item)
{
    fp_item_t  v;

    if (item->kind == HIE_FHIRPATH_STRING) {
        return item->string;
    }

    if (item->kind != HIE_FHIRPATH_NODE) {
        return HIE_STR_NONE;
    }

    if (item->type == HIE_TYPE_Reference) {
        return hie_doc_get(item->doc, item->node, "reference", run->pool);
    }

    if (hie_types[item->type].kind == HIE_KIND_PRIMITIVE
        && hie_fp_value(run, item, &v)
        && v.kind == HIE_FHIRPATH_STRING)
    {
        return v.string;
    }

    return HIE_STR_NONE;
}


/* The resource of a Bundle's document that has `node` in it, or the root. */
static hie_node_t
container_of(fp_run_t *run, const hie_doc_t *d, hie_node_t root,
             hie_node_t node)
{
    uint32_t    passed = 0;
    hie_node_t  c, next, at = root, found = root;

    while (node != HIE_NODE_NONE && at < node) {
        for (c = hie_doc_first(d, at); c != HIE_NODE_NONE; c = next) {
            next = hie_doc_next(d, c);
            passed++;
            if (node >= c && (next == HIE_NODE_NONE || node < next)) {
                break;
            }
        }

        if (c == HIE_NODE_NONE
            || hie_str_eqz(hie_doc_name(d, c, run->pool), "contained"))
        {
            break;
        }

        at = c;
        if (hie_doc_member_str(d, c, HIE_STR("resourceType"))
            != HIE_NODE_NONE)
        {
            found = c;
        }
    }

    fp_charge(run, passed / 16);
    return found;
}


static hie_rc_t
in_contained(fp_run_t *run, const hie_doc_t *d, hie_node_t container,
             hie_str_t id, fp_item_t *out)
{
    hie_rc_t    rc = HIE_OK;
    hie_node_t  c;

    if (id.len == 0) {
        *out = hie_fhirpath_resource(d, container);
        return HIE_OK;
    }

    c = hie_doc_first(d, hie_fp_lookup(run, d, container,
                                       HIE_STR("contained")));
    for ( ; c != HIE_NODE_NONE && rc == HIE_OK; c = hie_doc_next(d, c)) {
        rc = hie_fp_spend(run, 1);
        if (hie_str_eq(hie_doc_get(d, c, "id", run->pool), id)) {
            *out = hie_fhirpath_resource(d, c);
            break;
        }
    }

    return rc;
}


/* Is this entry what the reference means? By its fullUrl, or by type and id.
 */
static bool
is_meant(fp_run_t *run, const hie_doc_t *d, hie_node_t entry,
         hie_str_t text, const hie_reference_t *ref)
{
    hie_str_t   url;
    hie_node_t  r = hie_doc_member(d, entry, "resource");

    url = hie_doc_get(d, entry, "fullUrl", run->pool);
    if (url.ptr != NULL && hie_str_eq(url, text)) {
        return true;
    }

    return ref->local && ref->type.len > 0
           && hie_str_eq(hie_doc_get(d, r, "id", run->pool), ref->id)
           && hie_str_eq(hie_doc_get(d, r, "resourceType", run->pool),
                         ref->type);
}


static hie_rc_t
in_bundle(fp_run_t *run, const fp_item_t *bundle, hie_str_t text,
          const hie_reference_t *ref, fp_item_t *out)
{
    hie_rc_t          rc = HIE_OK;
    hie_node_t        c, r;
    const hie_doc_t  *d = bundle->doc;

    c = hie_doc_first(d, hie_fp_lookup(run, d, bundle->node,
                                       HIE_STR("entry")));
    for ( ; c != HIE_NODE_NONE && rc == HIE_OK; c = hie_doc_next(d, c)) {
        rc = hie_fp_spend(run, 4);
        r = hie_doc_member(d, c, "resource");
        if (rc == HIE_OK && r != HIE_NODE_NONE
            && is_meant(run, d, c, text, ref))
        {
            *out = hie_fhirpath_resource(d, r);
            break;
        }
    }

    return rc;
}


/* Nobody can be asked: the type that the text names, without content. */
static void
stub(fp_run_t *run, const fp_item_t *item, const hie_reference_t *ref,
     fp_item_t *out)
{
    hie_str_t   name = ref->type;
    hie_type_t  type;

    if (name.len == 0 && item->kind == HIE_FHIRPATH_NODE
        && item->type == HIE_TYPE_Reference)
    {
        name = hie_doc_get(item->doc, item->node, "type", run->pool);
    }

    type = hie_type_find(name);
    if (hie_types[type].kind == HIE_KIND_RESOURCE) {
        *out = hie_fhirpath_node(run->focus.doc, HIE_NODE_NONE, HIE_NODE_NONE,
                                 type);
    }
}


hie_rc_t
hie_fp_resolve(fp_run_t *run, const fp_node_t *node, const fp_item_t *item,
               fp_item_t *out)
{
    hie_rc_t         rc = HIE_OK;
    hie_str_t        text, rest;
    hie_node_t       container;
    hie_reference_t  ref;
    const fp_item_t *root = &run->root;

    out->kind = 0;
    text = reference_text(run, item);
    if (text.len == 0) {
        return HIE_OK;
    }

    if (text.ptr[0] == '#') {
        rest = (hie_str_t) { text.ptr + 1, text.len - 1 };
        if (root->kind != HIE_FHIRPATH_NODE) {
            return HIE_OK;
        }

        container = root->node;
        if (item->kind == HIE_FHIRPATH_NODE && item->doc == root->doc
            && root->type == HIE_TYPE_Bundle)
        {
            container = container_of(run, root->doc, root->node, item->node);
        }

        return in_contained(run, root->doc, container, rest, out);
    }

    if (!hie_fhir_reference(text, HIE_STR(""), &ref)) {
        memset(&ref, 0, sizeof(ref));
    }

    if (root->kind == HIE_FHIRPATH_NODE && root->type == HIE_TYPE_Bundle) {
        rc = in_bundle(run, root, text, &ref, out);
    }

    if (rc != HIE_OK || out->kind != 0) {
        return rc;
    }

    if (run->env->resolve != NULL) {
        return run->env->resolve(run->env, text, out, run->err);
    }

    stub(run, item, &ref, out);
    return HIE_OK;
}
