/*
 * A document from bytes: refused with a place, or walked, edited, stamped,
 * indexed and relinked into documents that are whole again.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fhir/fhir.h"

#define DEPTH  40
#define BASE   "http://a/fhir"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static hie_doc_t *
parse(apr_pool_t *pool, hie_str_t bytes)
{
    hie_doc_t    *d;
    hie_error_t   err = { .rc = 0 };

    /* an edit may put one level more into it */
    if (hie_doc_parse(pool, bytes, DEPTH + 1, &d, &err) != HIE_OK) {
        abort();
    }

    return d;
}


/* Every child lies in its parent, after the one before it. */
static uint32_t
walk(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    hie_str_t    raw = hie_doc_raw(d, n), part;
    const char  *end = raw.ptr;
    hie_node_t   c;
    uint32_t     count = 1;

    require(hie_doc_kind(d, n) != 0 && raw.len > 0);
    require((hie_doc_string(d, n, pool).ptr != NULL)
            == (hie_doc_kind(d, n) == HIE_NODE_STRING));

    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        part = hie_doc_raw(d, c);
        require(part.ptr > end && part.ptr + part.len < raw.ptr + raw.len);
        end = part.ptr + part.len - 1;

        if (hie_doc_kind(d, n) == HIE_NODE_OBJECT) {
            part = hie_doc_name(d, c, pool);
            require(part.ptr != NULL && hie_utf8_valid(part));
            require(memchr(part.ptr, '\0', part.len) != NULL
                    || hie_doc_member(d, n, hie_str_z(pool, part)) == c);
        }

        count += walk(d, c, pool);
    }

    return count;
}


/* Takes away and replaces what the hash of the bytes says. */
static void
edit(const hie_doc_t *d, uint32_t nodes, uint64_t dice, apr_pool_t *pool)
{
    hie_edit_t  *e = hie_edit_create(pool, d);
    hie_doc_t   *out;
    hie_node_t   n;

    for (n = 0; n < nodes; n++) {
        dice = dice * UINT64_C(6364136223846793005)
               + UINT64_C(1442695040888963407);

        switch (dice >> 60) {
        case 0:
        case 1:
            hie_edit_remove(e, n);
            break;
        case 2:
            hie_edit_replace(e, n, HIE_STR("[1.50]"));
            break;
        case 3:
            hie_edit_set(e, n, "new", HIE_STR("\"x\""), NULL);
            hie_edit_set(e, n, "newer", HIE_STR("{}"), "new");
            break;
        case 4:
            hie_edit_set(e, n, "newest", HIE_STR("2"), "a");
            break;
        default:
            break;
        }
    }

    out = parse(pool, hie_edit_apply(e, pool));
    walk(out, 0, pool);
}


/* What the text tells at a glance is what it tells when it is parsed. */
static void
glance(hie_str_t text, hie_str_t type, const hie_relations_t *x,
       apr_pool_t *pool)
{
    bool             *found = apr_pcalloc(pool, (size_t) x->n_refs + 1);
    hie_str_t         t, id, value, rest = text;
    hie_error_t       err;
    hie_reference_t   ref;
    uint64_t          key;
    int               i, n = 0;

    require(hie_fhir_text_name(text, pool, &t, &id, &err) == HIE_OK);
    require(hie_str_eq(t, type) && hie_str_eqz(id, "n1"));

    while (hie_fhir_text_reference(&rest, pool, &value)) {
        if (!hie_fhir_reference(value, HIE_STR(BASE), &ref) || !ref.local
            || ref.type.len == 0)
        {
            continue;
        }

        key = hie_fhir_resource_key(ref.type, ref.id);
        for (i = 0; i < x->n_refs && x->refs[i] != key; i++) {
            /* void */
        }

        require(i < x->n_refs);
        n += !found[i];
        found[i] = true;
    }

    require(n == x->n_refs);
}


static void
resource(const hie_doc_t *d, apr_pool_t *pool)
{
    hie_fhir_link_t  link = { HIE_STR("urn:uuid:1"), HIE_STR("Patient/1") };
    hie_str_t        type, out, again, raw;
    hie_error_t      err = { .rc = 0 };
    hie_relations_t  x;
    int              i;

    parse(pool, hie_fhir_relink(d, &link, 1, pool));

    if (hie_fhir_check(d, pool, &type, &err) != HIE_OK) {
        require(err.rc == HIE_INVALID && err.detail[0] != '\0');
        raw = hie_fhir_outcome(pool, &err);
        parse(pool, raw);
        return;
    }

    require(hie_fhir_stamp(d, "n1", 2, 0, pool, &out, &err) == HIE_OK);
    require(hie_fhir_stamp(parse(pool, out), "n1", 2, 0, pool, &again, &err)
            == HIE_OK);
    require(hie_str_eq(out, again));

    require(hie_fhir_relations(d, type, HIE_STR("n1"),
                               HIE_STR(BASE), pool, &x, &err)
            == HIE_OK);
    require(x.n_compartment <= x.n_patients && x.n_followed <= x.n_refs);

    for (i = 0; i < x.n_patients; i++) {
        require(hie_fhir_is_id(x.patient_ids[i]));
    }

    for (i = 0; i < x.n_labels; i++) {
        require(hie_utf8_valid(x.labels[i].json));
    }

    glance(out, type, &x, pool);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool   started;
    apr_pool_t   *pool;
    hie_doc_t    *d;
    hie_error_t   err = { .rc = 0 };
    hie_str_t     bytes = { (const char *) data, size };
    hie_rc_t      rc;

    if (!started) {
        apr_initialize();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");
    rc = hie_doc_parse(pool, bytes, DEPTH, &d, &err);

    if (rc != HIE_OK) {
        require(rc == HIE_INVALID && err.rc == rc && err.detail[0] != '\0'
                && err.where[0] != '\0');

    } else {
        require(hie_utf8_valid(bytes));
        edit(d, walk(d, 0, pool), hie_hash64(data, size), pool);
        resource(d, pool);
    }

    apr_pool_destroy(pool);

    return 0;
}
