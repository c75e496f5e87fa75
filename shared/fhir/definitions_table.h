/*
 * What definitions.c needs of the generated table beside the public part.
 */

#ifndef HIE_FHIR_DEFINITIONS_TABLE_H
#define HIE_FHIR_DEFINITIONS_TABLE_H

#include "fhir/definitions.h"

/* A part of it for each type, open addressing: 0, or the place of the element
 * among those of the type plus one. */
extern const uint16_t    hie_element_hash[];
/* hie_n_types - 1 indices of hie_types, in byte order of the names. */
extern const hie_type_t  hie_types_by_name[];

#endif
