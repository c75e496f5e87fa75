/*
 * Bundles to do (R4 sections 3.1.0.11 and 2.36).
 */

#include "fhir/doc.h"
#include "fhir/definitions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const hie_doc_t  *doc;
    apr_pool_t       *pool;
    hie_error_t      *err;
    int               i;        /* number of the entry */
} reader_t;


/* About one entry; `element` is what follows Bundle.entry[i], or "". */
static hie_rc_t
fail_entry(const reader_t *r, hie_rc_t rc, const char *element,
           const char *what)
{
    char  where[96];

    snprintf(where, sizeof(where), "Bundle.entry[%d]%s", r->i, element);

    return hie_fail(r->err, rc, where, "%s", what);
}


/* A member that must be a string that is not empty if it is there. */
static bool
read_string(const reader_t *r, hie_node_t object, const char *name,
            hie_str_t *out)
{
    hie_node_t  n = hie_doc_member(r->doc, object, name);

    *out = HIE_STR_NONE;

    if (n == HIE_NODE_NONE) {
        return true;
    }

    *out = hie_doc_string(r->doc, n, r->pool);

    return out->len > 0;
}


/* Type[/id][?query]; false, and all empty, for anything else. */
static bool
split_url(hie_bundle_entry_t *e)
{
    hie_str_t   path, type, id;
    hie_type_t  found;

    path = hie_str_split(e->url, '?', &e->query);

    if (path.len > 0 && path.ptr[0] == '/') {
        path.ptr++;             /* relative to the base all the same */
        path.len--;
    }

    type = hie_str_split(path, '/', &id);
    found = hie_type_find_resource(type);

    if (found == HIE_TYPE_NONE || (id.ptr != NULL && !hie_fhir_is_id(id))) {
        e->query = HIE_STR_NONE;
        return false;
    }

    e->type = hie_str(hie_types[found].name);
    e->id = id;

    return true;
}


static hie_rc_t
check_post(const reader_t *r, const hie_bundle_entry_t *e)
{
    if (e->id.len > 0 || e->query.ptr != NULL) {
        return fail_entry(r, HIE_INVALID, ".request.url",
                          "expected a resource type alone for POST");
    }

    return HIE_OK;
}


/* PUT, PATCH and DELETE: one resource, by its id or by a search. */
static hie_rc_t
check_target(const reader_t *r, const hie_bundle_entry_t *e)
{
    if ((e->id.len > 0) == (e->query.ptr != NULL)) {
        return fail_entry(r, HIE_INVALID, ".request.url",
                          "expected Type/id or Type?query");
    }

    return HIE_OK;
}


/* R4 section 3.1.0.4: the id in an update is that of the URL. */
static hie_rc_t
check_resource(const reader_t *r, const hie_bundle_entry_t *e, bool patch)
{
    hie_str_t  type, id;

    if (e->resource == HIE_NODE_NONE) {
        return fail_entry(r, HIE_INVALID, "",
                          "expected a resource for this method");
    }

    type = hie_doc_get(r->doc, e->resource, "resourceType", r->pool);

    if (patch) {
        return HIE_OK;      /* a patch comes as Binary or Parameters */
    }

    if (!hie_str_eq(type, e->type)) {
        return fail_entry(r, HIE_INVALID, ".resource",
                          "expected a resource of the type in request.url");
    }

    id = hie_doc_get(r->doc, e->resource, "id", r->pool);

    if (e->id.len > 0 && !hie_str_eq(id, e->id)) {
        return fail_entry(r, HIE_INVALID, ".resource.id",
                          "expected the id in request.url");
    }

    return HIE_OK;
}


static hie_rc_t
check_request(const reader_t *r, hie_bundle_entry_t *e)
{
    bool      known = split_url(e), post, put, patch;
    hie_rc_t  rc;

    if (hie_str_eqz(e->method, "GET") || hie_str_eqz(e->method, "HEAD")) {
        return HIE_OK;
    }

    if (!known) {
        return fail_entry(r, HIE_INVALID, ".request.url",
                          "expected Type, Type/id or Type?query with a "
                          "resource type of FHIR R4");
    }

    post = hie_str_eqz(e->method, "POST");
    put = hie_str_eqz(e->method, "PUT");
    patch = hie_str_eqz(e->method, "PATCH");

    if (!post && !put && !patch && !hie_str_eqz(e->method, "DELETE")) {
        return fail_entry(r, HIE_INVALID, ".request.method",
                          "expected GET, HEAD, POST, PUT, PATCH or DELETE");
    }

    rc = post ? check_post(r, e) : check_target(r, e);

    if (rc == HIE_OK && (post || put || patch)) {
        rc = check_resource(r, e, patch);
    }

    return rc;
}


static hie_rc_t
read_request(const reader_t *r, hie_node_t entry, bool check,
             hie_bundle_entry_t *e)
{
    hie_node_t  request = hie_doc_member(r->doc, entry, "request");

    if (hie_doc_kind(r->doc, request) != HIE_NODE_OBJECT) {
        return fail_entry(r, HIE_INVALID, ".request", "expected an object");
    }

    if (!read_string(r, request, "method", &e->method) || e->method.len == 0) {
        return fail_entry(r, HIE_INVALID, ".request.method",
                          "expected GET, HEAD, POST, PUT, PATCH or DELETE");
    }

    if (!read_string(r, request, "url", &e->url) || e->url.len == 0) {
        return fail_entry(r, HIE_INVALID, ".request.url",
                          "expected a URL relative to the server's base");
    }

    if (!read_string(r, request, "ifNoneExist", &e->if_none_exist)) {
        return fail_entry(r, HIE_INVALID, ".request.ifNoneExist",
                          "expected the query of a search");
    }

    if (!read_string(r, request, "ifMatch", &e->if_match)) {
        return fail_entry(r, HIE_INVALID, ".request.ifMatch",
                          "expected an entity tag");
    }

    if (!read_string(r, request, "ifNoneMatch", &e->if_none_match)) {
        return fail_entry(r, HIE_INVALID, ".request.ifNoneMatch",
                          "expected an entity tag");
    }

    if (!read_string(r, request, "ifModifiedSince", &e->if_modified_since)) {
        return fail_entry(r, HIE_INVALID, ".request.ifModifiedSince",
                          "expected an instant");
    }

    if (!check) {
        split_url(e);
        return HIE_OK;
    }

    return check_request(r, e);
}


/* Every entry of a batch stands for itself: what is wrong with one is its own
 * outcome. */
static hie_rc_t
read_entry(const reader_t *r, hie_node_t n, bool to_do, bool batch,
           hie_bundle_entry_t *e)
{
    memset(e, 0, sizeof(*e));
    e->resource = HIE_NODE_NONE;

    if (hie_doc_kind(r->doc, n) != HIE_NODE_OBJECT) {
        return fail_entry(r, HIE_INVALID, "", "expected an object");
    }

    if (!read_string(r, n, "fullUrl", &e->full_url)) {
        return fail_entry(r, HIE_INVALID, ".fullUrl", "expected a URI");
    }

    e->resource = hie_doc_member(r->doc, n, "resource");

    if (!batch && e->resource != HIE_NODE_NONE
        && !hie_fhir_is_type(hie_doc_get(r->doc, e->resource, "resourceType",
                                         r->pool)))
    {
        return fail_entry(r, HIE_INVALID, ".resource",
                          "expected a resource of a type of FHIR R4");
    }

    return to_do ? read_request(r, n, !batch, e) : HIE_OK;
}


static int
compare_full_urls(const void *va, const void *vb)
{
    const hie_bundle_entry_t  *a = *(hie_bundle_entry_t *const *) va;
    const hie_bundle_entry_t  *b = *(hie_bundle_entry_t *const *) vb;
    size_t                     len;
    int                        rc;

    len = a->full_url.len < b->full_url.len ? a->full_url.len
                                            : b->full_url.len;
    rc = len > 0 ? memcmp(a->full_url.ptr, b->full_url.ptr, len) : 0;

    if (rc == 0) {
        rc = (a->full_url.len > b->full_url.len)
             - (a->full_url.len < b->full_url.len);
    }

    return rc != 0 ? rc : (a > b) - (a < b);
}


/* Constraint bdl-7. Two of the same could be told apart by meta.versionId
 * only, which means nothing for what is yet to be done. */
static hie_rc_t
check_full_urls(reader_t *r, const hie_bundle_t *bundle)
{
    hie_bundle_entry_t  **sorted;
    int                   i;

    sorted = apr_palloc(r->pool, (size_t) (bundle->n + 1) * sizeof(*sorted));

    for (i = 0; i < bundle->n; i++) {
        sorted[i] = &bundle->entries[i];
    }

    qsort(sorted, (size_t) bundle->n, sizeof(*sorted), compare_full_urls);

    for (i = 1; i < bundle->n; i++) {
        if (sorted[i]->full_url.len > 0
            && hie_str_eq(sorted[i]->full_url, sorted[i - 1]->full_url))
        {
            r->i = (int) (sorted[i] - bundle->entries);

            return fail_entry(r, HIE_INVALID, ".fullUrl",
                              "expected every fullUrl once in the Bundle");
        }
    }

    return HIE_OK;
}


static bool
is_bundle_type(hie_str_t type)
{
    static const char *const  types[] = {
        "batch", "batch-response", "collection", "document", "history",
        "message", "searchset", "transaction", "transaction-response"
    };

    size_t  i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (hie_str_eqz(type, types[i])) {
            return true;
        }
    }

    return false;
}


static hie_rc_t
read_entries(reader_t *r, hie_node_t list, bool to_do, hie_bundle_t *out)
{
    bool        batch = hie_str_eqz(out->type, "batch");
    hie_node_t  n;
    hie_rc_t    rc;

    for (n = hie_doc_first(r->doc, list);
         n != HIE_NODE_NONE;
         n = hie_doc_next(r->doc, n))
    {
        r->i = out->n;
        rc = read_entry(r, n, to_do, batch, &out->entries[out->n++]);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return to_do ? check_full_urls(r, out) : HIE_OK;
}


hie_rc_t
hie_fhir_bundle(const hie_doc_t *d, int max_entries, apr_pool_t *pool,
                hie_bundle_t *out, hie_error_t *err)
{
    reader_t    r = { d, pool, err, 0 };
    hie_node_t  list;
    uint32_t    n;
    bool        to_do;

    memset(out, 0, sizeof(*out));

    if (!hie_str_eqz(hie_doc_get(d, 0, "resourceType", pool), "Bundle")) {
        return hie_fail(err, HIE_INVALID, "Bundle", "expected a Bundle");
    }

    out->type = hie_doc_get(d, 0, "type", pool);

    if (!is_bundle_type(out->type)) {
        return hie_fail(err, HIE_INVALID, "Bundle.type",
                        "expected a code of the value set bundle-type");
    }

    list = hie_doc_member(d, 0, "entry");

    if (list != HIE_NODE_NONE && hie_doc_kind(d, list) != HIE_NODE_ARRAY) {
        return hie_fail(err, HIE_INVALID, "Bundle.entry",
                        "expected an array");
    }

    n = hie_doc_count(d, list);

    if (max_entries >= 0 && n > (uint32_t) max_entries) {
        return hie_fail(err, HIE_TOO_LARGE, "Bundle.entry",
                        "expected at most %d entries, found %u", max_entries,
                        (unsigned) n);
    }

    to_do = hie_str_eqz(out->type, "transaction")
            || hie_str_eqz(out->type, "batch");
    out->entries = apr_palloc(pool, (n + 1) * sizeof(*out->entries));

    return read_entries(&r, list, to_do, out);
}
