/*
 * References between the entries of a transaction, once it is known where
 * they will be (R4 section 3.1.0.11.2).
 */

#include "fhir/definitions_table.h"
#include "fhir/doc.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

typedef struct {
    const hie_doc_t        *doc;
    const hie_fhir_link_t  *links;
    size_t                  n;
    apr_pool_t             *pool;
    hie_edit_t             *edit;     /* NULL: nothing to change so far */
} relinker_t;


static int
compare_str(const void *va, const void *vb)
{
    const hie_str_t  *a = va, *b = vb;
    size_t            len = a->len < b->len ? a->len : b->len;
    int               rc = len > 0 ? memcmp(a->ptr, b->ptr, len) : 0;

    return rc != 0 ? rc : (a->len > b->len) - (a->len < b->len);
}


static int
compare_links(const void *va, const void *vb)
{
    const hie_fhir_link_t  *a = va, *b = vb;

    return compare_str(&a->full_url, &b->full_url);
}


void
hie_fhir_links_sort(hie_fhir_link_t *links, size_t n)
{
    if (n > 1) {
        qsort(links, n, sizeof(*links), compare_links);
    }
}


static bool
is_sorted(const hie_fhir_link_t *links, size_t n)
{
    size_t  i;

    for (i = 1; i < n; i++) {
        if (compare_links(&links[i - 1], &links[i]) > 0) {
            return false;
        }
    }

    return true;
}


static const hie_fhir_link_t *
find_link(const relinker_t *r, hie_str_t full_url)
{
    hie_fhir_link_t  key = { full_url, HIE_STR_NONE };

    if (full_url.len == 0) {
        return NULL;
    }

    return bsearch(&key, r->links, r->n, sizeof(key), compare_links);
}


static void
replace(relinker_t *r, hie_node_t n, hie_str_t with)
{
    if (r->edit == NULL) {
        r->edit = hie_edit_create(r->pool, r->doc);
    }

    hie_edit_replace(r->edit, n, with);
}


static void
relink_value(relinker_t *r, hie_node_t n)
{
    const hie_fhir_link_t  *link;
    hie_buf_t               b;

    link = find_link(r, hie_doc_string(r->doc, n, r->pool));

    if (link != NULL) {
        hie_buf_init(&b, r->pool, link->reference.len + 3);
        hie_buf_add_json(&b, link->reference);
        replace(r, n, hie_buf_str(&b));
    }
}


/*
 * Narrative. It is worked on as it stands in the JSON text, so that nothing
 * but the value of an attribute changes.
 */

/* The quote of an attribute's value: ' or, escaped for JSON, \". The bytes
 * after it, or NULL. */
static const char *
skip_quote(const char *p, const char *end, char quote)
{
    if (quote == '"') {
        return end - p >= 2 && p[0] == '\\' && p[1] == '"' ? p + 2 : NULL;
    }

    return p < end && *p == quote ? p + 1 : NULL;
}


static const char *
skip_xml_space(const char *p, const char *end)
{
    while (p < end) {
        if (*p == ' ') {
            p++;
        } else if (end - p >= 2 && *p == '\\' && strchr("nrt", p[1]) != NULL) {
            p += 2;
        } else {
            break;
        }
    }

    return p;
}


/* The value of an attribute whose name ends at `p`: where it starts and where
 * its closing quote stands. */
static bool
attribute_value(const char *p, const char *end, hie_str_t *value)
{
    const char  *start;
    char         quote = '"';

    p = skip_xml_space(p, end);

    if (p == end || *p != '=') {
        return false;
    }

    p = skip_xml_space(p + 1, end);
    start = skip_quote(p, end, quote);

    if (start == NULL) {
        quote = '\'';
        start = skip_quote(p, end, quote);
    }

    if (start == NULL) {
        return false;
    }

    for (p = start; p < end; p++) {
        if (skip_quote(p, end, quote) != NULL) {
            *value = (hie_str_t) { start, (size_t) (p - start) };
            return true;
        }

        p += *p == '\\';
    }

    return false;
}


/* Steps over an attribute name src or href that has space before it. */
static const char *
attribute_name(const char *p, const char *end, const char *start)
{
    size_t  len;

    if (end - p > 3 && memcmp(p, "src", 3) == 0) {
        len = 3;
    } else if (end - p > 4 && memcmp(p, "href", 4) == 0) {
        len = 4;
    } else {
        return NULL;
    }

    if (p - start < 2
        || (p[-1] != ' '
            && !(p[-2] == '\\' && strchr("nrt", p[-1]) != NULL)))
    {
        return NULL;
    }

    return p + len;
}


static void
relink_narrative(relinker_t *r, hie_node_t n)
{
    const hie_fhir_link_t  *link;
    const char             *p, *end, *copied, *after;
    hie_str_t               raw = hie_doc_raw(r->doc, n), value;
    hie_buf_t               b;

    hie_buf_init(&b, r->pool, raw.len + 64);
    copied = raw.ptr;
    end = raw.ptr + raw.len - 1;

    for (p = raw.ptr + 1; p < end; p++) {
        after = *p == 's' || *p == 'h'
                ? attribute_name(p, end, raw.ptr + 1) : NULL;

        if (after == NULL || !attribute_value(after, end, &value)) {
            continue;
        }

        link = find_link(r, hie_doc_unescape(r->pool, value));

        if (link != NULL) {
            hie_buf_add(&b, copied, (size_t) (value.ptr - copied));
            hie_buf_adds(&b, link->reference);
            copied = value.ptr + value.len;
        }

        p = value.ptr + value.len;
    }

    if (copied != raw.ptr) {
        hie_buf_add(&b, copied, (size_t) (raw.ptr + raw.len - copied));
        replace(r, n, hie_buf_str(&b));
    }
}


/* Strings in an array go by the name of the array. The tape is flat, so that
 * a walk needs no recursion: an array of strings is looked into when it is
 * met as a member. */
static void
relink_member(relinker_t *r, hie_node_t n)
{
    const hie_tape_t  *t = &r->doc->nodes[n];
    hie_str_t          name = hie_doc_name(r->doc, n, r->pool);
    hie_node_t         c;

    if (t->kind == HIE_NODE_STRING && hie_str_eqz(name, "div")) {
        relink_narrative(r, n);
        return;
    }

    if (bsearch(&name, hie_uri_names, hie_n_uri_names, sizeof(name),
                compare_str) == NULL)
    {
        return;
    }

    if (t->kind == HIE_NODE_STRING) {
        relink_value(r, n);
        return;
    }

    for (c = hie_doc_first(r->doc, n);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->doc, c))
    {
        if (hie_doc_kind(r->doc, c) == HIE_NODE_STRING) {
            relink_value(r, c);
        }
    }
}


hie_str_t
hie_fhir_relink(const hie_doc_t *d, const hie_fhir_link_t *links, size_t n,
                apr_pool_t *pool)
{
    relinker_t        r = { d, links, n, pool, NULL };
    hie_fhir_link_t  *sorted;
    hie_node_t        c, end = d->nodes[0].size;

    if (n == 0) {
        return hie_doc_bytes(d);
    }

    if (!is_sorted(links, n)) {
        sorted = apr_pmemdup(pool, links, n * sizeof(*links));
        hie_fhir_links_sort(sorted, n);
        r.links = sorted;
    }

    for (c = 1; c < end; c++) {
        if (d->nodes[c].flags & HIE_TAPE_MEMBER
            && (d->nodes[c].kind == HIE_NODE_STRING
                || d->nodes[c].kind == HIE_NODE_ARRAY))
        {
            relink_member(&r, c);
        }
    }

    return r.edit != NULL ? hie_edit_apply(r.edit, pool) : hie_doc_bytes(d);
}
