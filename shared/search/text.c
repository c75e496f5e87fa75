/*
 * The words of a resource: its narrative (_text) and all of it (_content), R4
 * section 3.1.1.4.8.
 */

#include "search/private.h"

#include <string.h>


hie_str_t
hie_search_limit(hie_str_t text)
{
    if (text.len > HIE_SEARCH_TEXT_MAX) {
        text.len = HIE_SEARCH_TEXT_MAX;
        while (text.len > 0
               && ((unsigned char) text.ptr[text.len] & 0xc0) == 0x80)
        {
            text.len--;
        }
    }

    return text;
}


/* The character data of a div: what stands between tags. Entities are left
 * alone: they separate words like any other sign. */
static void
add_xhtml(hie_buf_t *out, hie_str_t div)
{
    bool    tag;
    size_t  i;

    for (i = 0, tag = false; i < div.len; i++) {
        if (div.ptr[i] == '<') {
            tag = true;
            hie_buf_addc(out, ' ');
        } else if (div.ptr[i] == '>') {
            tag = false;
        } else if (!tag) {
            hie_buf_addc(out, div.ptr[i]);
        }
    }
}


static hie_str_t
narrative(hie_indexer_t *ix, const hie_doc_t *d)
{
    hie_buf_t  out;
    hie_str_t  div;

    div = hie_doc_get(d, hie_doc_member(d, 0, "text"), "div", ix->pool);
    if (div.len == 0) {
        return HIE_STR_NONE;
    }

    hie_buf_init(&out, ix->pool, div.len);
    add_xhtml(&out, div);
    return hie_fhir_normalize(ix->pool, hie_buf_str(&out));
}


/*
 * What can be read in an element: texts and codes. URLs, ids, references and
 * times say nothing in words, and each of them would be a word of its own.
 */

static void
add_element(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n,
            hie_type_t type, hie_buf_t *out);


static bool
is_read(hie_type_t type)
{
    return type == HIE_TYPE_string || type == HIE_TYPE_markdown
           || type == HIE_TYPE_code;
}


static void
add_members(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n,
            hie_type_t type, hie_buf_t *out)
{
    hie_str_t             name;
    hie_node_t            c;
    const hie_element_t  *e;

    if (type == HIE_TYPE_Resource) {
        type = hie_type_find_resource(hie_doc_get(d, n, "resourceType",
                                                  ix->pool));
    }

    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        name = hie_doc_name(d, c, ix->pool);
        e = hie_element_find(type, name);
        if (e != NULL
            && (type != HIE_TYPE_Reference || !hie_str_eqz(name, "reference")))
        {
            add_element(ix, d, c, e->type, out);
        }
    }
}


static void
add_element(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n,
            hie_type_t type, hie_buf_t *out)
{
    hie_node_t  c;

    switch (hie_doc_kind(d, n)) {
    case HIE_NODE_ARRAY:
        for (c = hie_doc_first(d, n);
             c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            add_element(ix, d, c, type, out);
        }

        return;

    case HIE_NODE_OBJECT:
        if (type != HIE_TYPE_Narrative && type != HIE_TYPE_Meta) {
            add_members(ix, d, n, type, out);
        }

        return;

    case HIE_NODE_STRING:
        if (is_read(type)) {
            hie_buf_adds(out, hie_doc_string(d, n, ix->pool));
            hie_buf_addc(out, ' ');
        }

        return;

    default:
        return;
    }
}


static hie_str_t
content(hie_indexer_t *ix, const hie_doc_t *d)
{
    hie_buf_t  out;

    hie_buf_init(&out, ix->pool, 512);
    add_element(ix, d, 0, HIE_TYPE_Resource, &out);
    return hie_fhir_normalize(ix->pool, hie_buf_str(&out));
}


void
hie_search_text(hie_indexer_t *ix, const hie_doc_t *d, hie_search_values_t *out)
{
    out->narrative = narrative(ix, d);
    out->content = content(ix, d);
}
