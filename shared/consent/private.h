/*
 * What the files of consent share among themselves.
 */

#ifndef HIE_CONSENT_PRIVATE_H
#define HIE_CONSENT_PRIVATE_H

#include "consent/consent.h"

/* A FHIR Period (R4 section 2.24.0.14) as `from` (included) and `until`
 * (excluded), 0 where it is open. False if it cannot be understood. A time
 * without a zone (a date, a month, a year) is meant in UTC. */
bool
hie_consent_period(const hie_doc_t *d, hie_node_t period, apr_pool_t *pool,
                   apr_time_t *from, apr_time_t *until);

/* Whether a patient's data is withheld by a decision that was loaded; all of
 * it by one that was not. */
bool
hie_consent_withheld(const hie_decision_t *decision, uint64_t patient);

/*
 * The patients of one whole resource, nested and contained ones included.
 * `unknown`: it has one of whom it cannot be said who it is. HIE_BAD_GATEWAY
 * if it is no FHIR resource.
 */
hie_rc_t
hie_consent_patients(const hie_doc_t *d, apr_pool_t *pool, hie_str_t *type,
                     uint64_t **patients, int *n, bool *unknown);

#endif
