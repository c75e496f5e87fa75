/*
 * The time of care, for the files of this room only.
 */

#ifndef HIE_FHIR_CARE_H
#define HIE_FHIR_CARE_H

#include "fhir/fhir.h"

/* Both 0 when the resource names no such time; INT64_MIN and INT64_MAX where
 * a period has no end. */
void
hie_fhir_care(const hie_doc_t *d, hie_str_t type, apr_pool_t *pool,
              apr_time_t *from, apr_time_t *until);

#endif
