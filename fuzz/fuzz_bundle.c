/*
 * A Bundle from bytes: refused with a place, or entries that hold together,
 * each of which can be relinked, stamped, indexed and shortened.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fhir/fhir.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


/* Parts of it parse, and white space may be moved. */
static void
parts(const hie_doc_t *d, apr_pool_t *pool)
{
    static const hie_subset_t  subsets[] = {
        { HIE_SUMMARY_TRUE, { NULL, 0 } }, { HIE_SUMMARY_TEXT, { NULL, 0 } },
        { HIE_SUMMARY_DATA, { NULL, 0 } }, { 0, { "name,value,text", 15 } }
    };

    size_t        i;
    hie_doc_t    *again;
    hie_str_t     out;
    hie_edit_t   *e;
    hie_error_t   err;

    for (i = 0; i < sizeof(subsets) / sizeof(subsets[0]); i++) {
        e = hie_edit_create(pool, d);
        hie_fhir_subset(e, d, 0, &subsets[i], pool);
        out = hie_edit_apply(e, pool);
        require(hie_doc_parse(pool, out, 64, &again, &err) == HIE_OK);
        out = hie_fhir_pretty(pool, out);
        require(hie_doc_parse(pool, out, 64, &again, &err) == HIE_OK);
        require(hie_str_eq(hie_fhir_pretty(pool, out), out));
    }
}


static void
entry(const hie_doc_t *d, const hie_bundle_t *b, int i,
      const hie_fhir_link_t *links, apr_pool_t *pool)
{
    const hie_bundle_entry_t  *e = &b->entries[i];
    hie_doc_t                 *sub, *linked;
    hie_error_t                err = { .rc = 0 };
    hie_str_t                  type, out;
    hie_relations_t            x;

    require(e->type.len == 0 || hie_fhir_is_type(e->type));
    require(e->id.len == 0 || hie_fhir_is_id(e->id));

    if (e->resource == HIE_NODE_NONE) {
        return;
    }

    sub = hie_doc_sub(pool, d, e->resource);
    out = hie_fhir_relink(sub, links, (size_t) b->n, pool);
    require(hie_doc_parse(pool, out, 64, &linked, &err) == HIE_OK);

    parts(linked, pool);
    if (hie_fhir_check(linked, pool, &type, &err) == HIE_OK) {
        require(hie_fhir_stamp(linked, "n1", 1, 0, pool, &out, &err)
                == HIE_OK);
        require(hie_fhir_relations(linked, type, HIE_STR("n1"), HIE_STR_NONE,
                                   pool, &x, &err) == HIE_OK);
    }
}


static void
bundle(const hie_doc_t *d, apr_pool_t *pool)
{
    hie_fhir_link_t  *links;
    hie_bundle_t      b;
    hie_error_t       err = { .rc = 0 };
    hie_doc_t        *outcome;
    int               i;

    if (hie_fhir_bundle(d, 50, pool, &b, &err) != HIE_OK) {
        require((err.rc == HIE_INVALID || err.rc == HIE_TOO_LARGE)
                && hie_str_starts(hie_str(err.where), "Bundle"));
        require(hie_doc_parse(pool, hie_fhir_outcome(pool, &err), 10,
                              &outcome, &err) == HIE_OK);
        return;
    }

    links = apr_palloc(pool, ((size_t) b.n + 1) * sizeof(*links));

    for (i = 0; i < b.n; i++) {
        links[i].full_url = b.entries[i].full_url;
        links[i].reference = HIE_STR("Patient/x");
    }

    if (b.n % 2 == 0) {
        hie_fhir_links_sort(links, (size_t) b.n);
    }

    for (i = 0; i < b.n; i++) {
        entry(d, &b, i, links, pool);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool   started;
    apr_pool_t   *pool;
    hie_doc_t    *d;
    hie_str_t     bytes = { (const char *) data, size };

    if (!started) {
        apr_initialize();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");

    if (hie_doc_parse(pool, bytes, 40, &d, NULL) == HIE_OK) {
        bundle(d, pool);
    }

    apr_pool_destroy(pool);

    return 0;
}
