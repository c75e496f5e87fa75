/*
 * The generated table beside its public part, for the files of this room
 * only.
 */

#ifndef HIE_FHIR_DEFINITIONS_TABLE_H
#define HIE_FHIR_DEFINITIONS_TABLE_H

#include "fhir/definitions.h"

/* A part of it for each type, open addressing: 0, or the place of the element
 * among those of the type plus one. */
extern const uint16_t    hie_element_hash[];
/* hie_n_types - 1 indices of hie_types, in byte order of the names. */
extern const hie_type_t  hie_types_by_name[];

/* Names of the elements whose type is uri, url, oid, uuid or canonical, the
 * choices of value[x] and the like among them. Sorted. */
extern const hie_str_t  hie_uri_names[];
extern const size_t     hie_n_uri_names;

#endif
