/*
 * The references of a document (R4 section 2.3), and where they are.
 */

#include "fhir/doc.h"

#include <apr_strings.h>


void
hie_fhir_references(const hie_doc_t *d, apr_pool_t *pool,
                    hie_fhir_reference_fn *fn, void *baton)
{
    const hie_tape_t  *t;
    hie_node_t         n, end = d->nodes[0].size;

    for (n = 1; n < end; n++) {
        t = &d->nodes[n];

        if (t->kind == HIE_NODE_STRING && t->flags & HIE_TAPE_MEMBER
            && hie_str_eqz(hie_doc_name(d, n, pool), "reference"))
        {
            fn(baton, n, hie_doc_string(d, n, pool));
        }
    }
}


const char *
hie_fhir_place(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    const char  *path;
    hie_node_t   at = 0, c;
    hie_str_t    name;
    int          i;

    path = hie_str_z(pool, hie_doc_get(d, 0, "resourceType", pool));

    while (at != n) {
        for (c = hie_doc_first(d, at), i = 0;
             c != HIE_NODE_NONE && n >= c + d->nodes[c].size;
             c = hie_doc_next(d, c), i++)
        {
            /* void */
        }

        if (c == HIE_NODE_NONE) {
            break;
        }

        if (d->nodes[c].flags & HIE_TAPE_MEMBER) {
            name = hie_doc_name(d, c, pool);
            path = apr_psprintf(pool, "%s.%.*s", path, HIE_PRISTR(name));
        } else {
            path = apr_psprintf(pool, "%s[%d]", path, i);
        }

        at = c;
    }

    return path;
}
