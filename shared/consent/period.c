/*
 * FHIR Period (R4 section 2.24.0.9).
 */

#include "consent/private.h"


bool
hie_consent_period(const hie_doc_t *d, hie_node_t period, apr_pool_t *pool,
                   apr_time_t *from, apr_time_t *until)
{
    hie_node_t  start, end;
    apr_time_t  t;

    *from = 0;
    *until = 0;
    if (hie_doc_kind(d, period) != HIE_NODE_OBJECT) {
        return false;
    }

    start = hie_doc_member(d, period, "start");
    if (start != HIE_NODE_NONE) {
        if (!hie_time_parse(hie_doc_string(d, start, pool), false, from,
                            &t)) {
            return false;
        }
        /* Before 1970 is as good as always, which 0 says. */
        if (*from < 0) {
            *from = 0;
        }
    }

    end = hie_doc_member(d, period, "end");
    if (end != HIE_NODE_NONE) {
        if (!hie_time_parse(hie_doc_string(d, end, pool), false, &t, until)) {
            return false;
        }
        /* 0 would say for ever. */
        if (*until < 1) {
            *until = 1;
        }
    }

    /* One that ends before it begins says nothing that can be kept to. */
    return *until == 0 || *from < *until;
}
