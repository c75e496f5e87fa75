/*
 * The generated tables (model.c), for the files of this room only.
 */

#ifndef HIE_FHIR_MODEL_H
#define HIE_FHIR_MODEL_H

#include "fhir/fhir.h"

/* Concrete resource types, in byte order. */
extern const hie_str_t  hie_model_types[];
extern const size_t     hie_model_n_types;

/* The Patient compartment: the elements whose references put a resource of
 * the type into it. Sorted by type. */
typedef struct {
    const char  *type;
    const char  *path;      /* as in hie_param_t */
} hie_compartment_t;

extern const hie_compartment_t  hie_model_compartment[];
extern const size_t             hie_model_n_compartment;

/* Search parameters, sorted by type and code. */
extern const hie_param_t  hie_model_params[];
extern const size_t       hie_model_n_params;

/* Where the rows of the i-th type start; those of the next one end them. */
extern const uint16_t  hie_model_compartment_of[];
extern const uint16_t  hie_model_params_of[];

/* Names of the elements whose type is uri, url, oid, uuid or canonical, the
 * choices of value[x] and the like among them. Sorted. */
extern const hie_str_t  hie_model_uris[];
extern const size_t     hie_model_n_uris;

/* The place of a type in hie_model_types, or -1. */
int
hie_model_type(hie_str_t name);
/* Binary search in a sorted table of names; -1 if it is not there. */
int
hie_model_find(const hie_str_t *names, size_t n, hie_str_t name);

#endif
