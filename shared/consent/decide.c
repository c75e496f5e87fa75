/*
 * The decision for one requester.
 */

#include "consent/private.h"


hie_decision_t *
hie_consent_decide(const hie_config_t *conf, bool custodian,
                   const hie_str_t *organizations, int n, apr_pool_t *pool)
{
    hie_decision_t  *decision = apr_pcalloc(pool, sizeof(*decision));
    uint64_t        *actors = apr_palloc(pool, ((size_t) n + 1)
                                               * sizeof(*actors));
    int              i;

    for (i = 0; i < n; i++) {
        actors[i] = hie_store_actor_key(organizations[i]);
    }

    decision->custodian = custodian;
    decision->visible.all = custodian;
    decision->visible.default_permit = conf->consent.default_permit;
    decision->visible.n_actors = n;
    decision->visible.actors = actors;

    return decision;
}


hie_rc_t
hie_consent_load(hie_store_t *s, hie_decision_t *decision, apr_pool_t *pool,
                 hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;

    decision->loaded = false;
    if (!decision->visible.all) {
        rc = hie_store_withheld(s, &decision->visible, pool,
                                &decision->withheld, &decision->n_withheld,
                                err);
    }
    decision->loaded = rc == HIE_OK;

    return rc;
}


static bool
listed(const hie_decision_t *decision, uint64_t patient)
{
    int  low = 0, high = decision->n_withheld, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (decision->withheld[mid] == patient) {
            return true;
        }
        if (decision->withheld[mid] < patient) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
}


bool
hie_consent_withheld(const hie_decision_t *decision, uint64_t patient)
{
    if (decision->visible.all) {
        return false;
    }
    if (!decision->loaded) {
        return true;
    }
    /* The list is of those that are withheld, or of those that are not. */
    return listed(decision, patient) == decision->visible.default_permit;
}
