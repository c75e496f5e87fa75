/*
 * Tokens and references as texts. Resource and query make the same ones.
 */

#include "search/private.h"

#include <string.h>


uint64_t
hie_search_form_key(uint32_t param, uint64_t first, hie_str_t form)
{
    hie_str_t  parts[3] = {
        { (const char *) &param, sizeof(param) },
        { (const char *) &first, sizeof(first) },
        form
    };

    return first == 0 ? hie_search_key(param, form)
                          : hie_hash64_parts(parts, 3);
}


hie_str_t
hie_forms_join(apr_pool_t *pool, hie_str_t a, const char *between,
               hie_str_t b)
{
    hie_buf_t  out;

    hie_buf_init(&out, pool, a.len + b.len + 16);
    hie_buf_adds(&out, a);
    hie_buf_addz(&out, between);
    hie_buf_adds(&out, b);
    return hie_buf_str(&out);
}


/* R4 section 3.1.1.4.10: "system|code", "|code" without a system, "code" in
 * whatever system, "system|" of whatever code. */
void
hie_forms_code(hie_indexer_t *ix, hie_str_t system, hie_str_t code,
               hie_form_fn *fn)
{
    if (code.len > 0) {
        fn(ix, code);
        fn(ix, hie_forms_join(ix->pool, system, "|", code));
    }

    if (system.len > 0) {
        fn(ix, hie_forms_join(ix->pool, system, "|", HIE_STR_NONE));
    }
}


static hie_str_t
get(hie_indexer_t *ix, const hie_fhirpath_item_t *item, const char *name)
{
    return hie_doc_get(item->doc, item->node, name, ix->pool);
}


static void
coding(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n, hie_code_fn *fn)
{
    fn(ix, hie_doc_get(d, n, "system", ix->pool),
       hie_doc_get(d, n, "code", ix->pool));
}


void
hie_forms_codes(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                hie_code_fn *fn)
{
    hie_node_t  c;

    if (item->kind != HIE_FHIRPATH_NODE
        || hie_types[item->type].kind == HIE_KIND_PRIMITIVE)
    {
        fn(ix, HIE_STR_NONE, hie_fhirpath_text(item, ix->pool));
        return;
    }

    switch (item->type) {
    case HIE_TYPE_CodeableConcept:
        for (c = hie_doc_first(item->doc, hie_doc_member(item->doc, item->node,
                                                         "coding"));
             c != HIE_NODE_NONE;
             c = hie_doc_next(item->doc, c))
        {
            coding(ix, item->doc, c, fn);
        }

        return;

    case HIE_TYPE_Identifier:
        fn(ix, get(ix, item, "system"), get(ix, item, "value"));
        return;

    case HIE_TYPE_ContactPoint:
        fn(ix, HIE_STR_NONE, get(ix, item, "value"));
        return;

    default:
        coding(ix, item->doc, item->node, fn);
        return;
    }
}


/* R4 section 3.1.1.4.4: the type's coding with the value. */
void
hie_forms_typed(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                hie_form_fn *fn)
{
    hie_str_t         value, type;
    hie_node_t        list, c;
    const hie_doc_t  *d = item->doc;

    if (item->kind != HIE_FHIRPATH_NODE || item->type != HIE_TYPE_Identifier) {
        return;
    }

    value = get(ix, item, "value");
    list = hie_doc_member(d, hie_doc_member(d, item->node, "type"), "coding");
    for (c = hie_doc_first(d, list);
         c != HIE_NODE_NONE && value.len > 0;
         c = hie_doc_next(d, c))
    {
        type = hie_forms_join(ix->pool, hie_doc_get(d, c, "system", ix->pool),
                              "|", hie_doc_get(d, c, "code", ix->pool));
        type = hie_forms_join(ix->pool, HIE_STR("of-type:"), "", type);
        fn(ix, hie_forms_join(ix->pool, type, "|", value));
    }
}


/*
 * References.
 */

/* "Type/id" of our own and of other servers alike, without the version. The
 * first part of a composite is found by "/id" too: it does not tell which types
 * it may be. */
static void
local_forms(hie_indexer_t *ix, hie_str_t type, hie_str_t id, hie_form_fn *fn,
            hie_target_fn *target)
{
    if (target != NULL) {
        target(ix, type, id);
    } else {
        fn(ix, hie_forms_join(ix->pool, HIE_STR("/"), "", id));
        fn(ix, hie_forms_join(ix->pool, type, "/", id));
    }
}


static void
literal_forms(hie_indexer_t *ix, hie_str_t text, hie_form_fn *fn,
              hie_target_fn *target)
{
    hie_reference_t  ref;

    if (!hie_fhir_reference(text, ix->base, &ref) || text.ptr[0] == '#') {
        return;
    }

    if (ref.type.len == 0) {
        fn(ix, text);

    } else if (ref.local) {
        local_forms(ix, ref.type, ref.id, fn, target);

    } else {
        text.len = (size_t) (ref.id.ptr + ref.id.len - text.ptr);
        fn(ix, text);
    }
}


/* A canonical is known with its version and without. */
static void
canonical_forms(hie_indexer_t *ix, hie_str_t text, hie_form_fn *fn)
{
    hie_str_t  version, url;

    url = hie_str_split(text, '|', &version);
    fn(ix, text);
    if (version.ptr != NULL) {
        fn(ix, url);
    }
}


static void
put_prefixed(hie_indexer_t *ix, hie_str_t system, hie_str_t value,
             hie_form_fn *fn)
{
    hie_str_t  prefixed;

    prefixed = hie_forms_join(ix->pool, HIE_STR("identifier:"), "", system);
    if (value.len > 0) {
        fn(ix, hie_forms_join(ix->pool, HIE_STR("identifier:"), "", value));
        fn(ix, hie_forms_join(ix->pool, prefixed, "|", value));
    }

    if (system.len > 0) {
        fn(ix, hie_forms_join(ix->pool, prefixed, "|", HIE_STR_NONE));
    }
}


/* A resource in the place of a reference (Bundle-composition). */
static void
inline_forms(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
             hie_form_fn *fn, hie_target_fn *target)
{
    hie_str_t  id;

    id = get(ix, item, "id");
    if (hie_fhir_is_id(id)) {
        local_forms(ix, hie_str(hie_types[item->type].name), id, fn, target);
    }
}


bool
hie_forms_canonical(const hie_fhirpath_item_t *item)
{
    return item->kind == HIE_FHIRPATH_NODE
           && hie_types[item->type].kind == HIE_KIND_PRIMITIVE;
}


void
hie_forms_reference(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                    hie_form_fn *fn, hie_target_fn *target)
{
    hie_node_t  identifier;

    if (item->kind != HIE_FHIRPATH_NODE) {
        return;
    }

    if (hie_types[item->type].kind == HIE_KIND_RESOURCE) {
        inline_forms(ix, item, fn, target);

    } else if (item->type == HIE_TYPE_Reference) {
        literal_forms(ix, get(ix, item, "reference"), fn, target);
        identifier = hie_doc_member(item->doc, item->node, "identifier");
        put_prefixed(ix, hie_doc_get(item->doc, identifier, "system",
                                     ix->pool),
                     hie_doc_get(item->doc, identifier, "value", ix->pool),
                     fn);

    } else if (hie_forms_canonical(item)) {
        canonical_forms(ix, hie_fhirpath_text(item, ix->pool), fn);
    }
}


/*
 * Words.
 */

static void
say(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n, const char *name,
    hie_words_fn *fn)
{
    hie_str_t  words;

    words = hie_fhir_normalize(ix->pool, hie_doc_get(d, n, name, ix->pool));
    if (words.len > 0) {
        fn(ix, words);
    }
}


void
hie_forms_words(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                hie_words_fn *fn)
{
    hie_node_t        c;
    const hie_doc_t  *d = item->doc;

    if (item->kind != HIE_FHIRPATH_NODE) {
        return;
    }

    switch (item->type) {
    case HIE_TYPE_CodeableConcept:
        say(ix, d, item->node, "text", fn);
        for (c = hie_doc_first(d, hie_doc_member(d, item->node, "coding"));
             c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            say(ix, d, c, "display", fn);
        }

        return;

    case HIE_TYPE_Coding:
    case HIE_TYPE_Reference:
        say(ix, d, item->node, "display", fn);
        return;

    case HIE_TYPE_Identifier:
        say(ix, d, hie_doc_member(d, item->node, "type"), "text", fn);
        return;

    default:
        return;
    }
}
