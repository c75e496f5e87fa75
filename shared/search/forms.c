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


/* Joined for as long as a call; most are short. */
typedef struct {
    char  room[256];
} joined_t;

static hie_str_t
join(joined_t *j, apr_pool_t *pool, hie_str_t a, const char *between,
     hie_str_t b)
{
    size_t  n = strlen(between);

    if (a.len + n + b.len > sizeof(j->room)) {
        return hie_forms_join(pool, a, between, b);
    }

    if (a.len > 0) {
        memcpy(j->room, a.ptr, a.len);
    }

    memcpy(j->room + a.len, between, n);
    if (b.len > 0) {
        memcpy(j->room + a.len + n, b.ptr, b.len);
    }

    return (hie_str_t) { j->room, a.len + n + b.len };
}


uint64_t
hie_forms_key(apr_pool_t *pool, uint32_t param, uint64_t first, hie_str_t a,
              const char *between, hie_str_t b)
{
    joined_t  j;

    return hie_search_form_key(param, first, join(&j, pool, a, between, b));
}


static hie_str_t
get(hie_indexer_t *ix, const hie_fhirpath_item_t *item, const char *name)
{
    return hie_doc_get(item->doc, item->node, name, ix->pool);
}


/*
 * What is said: codes and words.
 */

static bool
is_element(const hie_fhirpath_item_t *item)
{
    return item->kind == HIE_FHIRPATH_NODE
           && hie_types[item->type].kind != HIE_KIND_PRIMITIVE;
}


static void
add_code(hie_indexer_t *ix, hie_said_t *said, const hie_doc_t *d, hie_node_t n,
         const char *system, const char *code)
{
    hie_code_t  *c = &said->codes[said->n_codes++];

    c->system = system != NULL ? hie_doc_get(d, n, system, ix->pool)
                               : HIE_STR_NONE;
    c->code = hie_doc_get(d, n, code, ix->pool);
}


static void
read_codes(hie_indexer_t *ix, const hie_fhirpath_item_t *item, hie_said_t *said)
{
    hie_node_t        list, c;
    const hie_doc_t  *d = item->doc;

    said->n_codes = 0;
    if (item->type != HIE_TYPE_CodeableConcept) {
        said->codes = apr_palloc(ix->pool, sizeof(*said->codes));
    }

    switch (item->type) {
    case HIE_TYPE_CodeableConcept:
        list = hie_doc_member(d, item->node, "coding");
        said->codes = apr_palloc(ix->pool, sizeof(*said->codes)
                                           * (hie_doc_count(d, list) + 1));
        for (c = hie_doc_first(d, list); c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            add_code(ix, said, d, c, "system", "code");
        }

        return;

    case HIE_TYPE_Reference:
        return;                  /* it has words only */

    case HIE_TYPE_Identifier:
        add_code(ix, said, d, item->node, "system", "value");
        return;

    case HIE_TYPE_ContactPoint:
        add_code(ix, said, d, item->node, NULL, "value");
        return;

    default:
        add_code(ix, said, d, item->node, "system", "code");
        return;
    }
}


/* Read once for all parameters: what comes by the same element comes soon
 * after. */
const hie_said_t *
hie_forms_codes(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_said_t  *said;

    if (!is_element(item)) {
        said = &ix->said[0];
        said->d = NULL;
        said->n_codes = 1;
        said->n_words = 0;
        said->codes = apr_palloc(ix->pool, sizeof(*said->codes));
        said->codes[0].system = HIE_STR_NONE;
        said->codes[0].code = hie_fhirpath_text(item, ix->pool);
        if (ix->param->folded) {
            said->codes[0].code = hie_fhir_fold(ix->pool, said->codes[0].code);
        }

        return said;
    }

    said = &ix->said[item->node % HIE_SEARCH_SAID];
    if (said->d != item->doc || said->node != item->node) {
        said->d = item->doc;
        said->node = item->node;
        said->n_words = -1;
        read_codes(ix, item, said);
    }

    return said;
}


static void
say(hie_indexer_t *ix, hie_said_t *said, const hie_doc_t *d, hie_node_t n,
    const char *name)
{
    hie_str_t  words;

    words = hie_doc_get(d, n, name, ix->pool);
    if (words.len > 0) {
        words = hie_search_limit(hie_fhir_normalize(ix->pool, words));
    }

    if (words.len > 0) {
        said->words[said->n_words++] = words;
    }
}


static void
read_words(hie_indexer_t *ix, const hie_fhirpath_item_t *item, hie_said_t *said)
{
    hie_node_t        list, c;
    const hie_doc_t  *d = item->doc;

    list = item->type == HIE_TYPE_CodeableConcept
           ? hie_doc_member(d, item->node, "coding") : HIE_NODE_NONE;
    said->n_words = 0;
    said->words = apr_palloc(ix->pool, sizeof(*said->words)
                                       * (hie_doc_count(d, list) + 1));

    switch (item->type) {
    case HIE_TYPE_CodeableConcept:
        say(ix, said, d, item->node, "text");
        for (c = hie_doc_first(d, list); c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            say(ix, said, d, c, "display");
        }

        return;

    case HIE_TYPE_Coding:
    case HIE_TYPE_Reference:
        say(ix, said, d, item->node, "display");
        return;

    case HIE_TYPE_Identifier:
        say(ix, said, d, hie_doc_member(d, item->node, "type"), "text");
        return;

    default:
        return;
    }
}


const hie_said_t *
hie_forms_words(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_said_t  *said;

    said = (hie_said_t *) hie_forms_codes(ix, item);
    if (said->n_words < 0) {
        read_words(ix, item, said);
    }

    return said;
}


/* R4 section 3.1.1.4.10: "system|code", "|code" without a system, "code" in
 * whatever system, "system|" of whatever code. */
void
hie_forms_code(hie_indexer_t *ix, const hie_code_t *c, hie_form_fn *fn)
{
    joined_t  j;

    if (c->code.len > 0) {
        fn(ix, c->code);
        fn(ix, join(&j, ix->pool, c->system, "|", c->code));
    }

    if (c->system.len > 0) {
        fn(ix, join(&j, ix->pool, c->system, "|", HIE_STR_NONE));
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
    joined_t  j;

    if (target != NULL) {
        target(ix, type, id);
    } else {
        fn(ix, join(&j, ix->pool, HIE_STR("/"), "", id));
        fn(ix, join(&j, ix->pool, type, "/", id));
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

    if (system.len == 0 && value.len == 0) {
        return;
    }

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
