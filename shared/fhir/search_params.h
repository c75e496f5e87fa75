/*
 * The search parameters and compartments of FHIR R4 (4.0.1) as published.
 * Constant tables, written by tools/gen-search-params; every pointer is
 * static.
 */

#ifndef HIE_FHIR_SEARCH_PARAMS_H
#define HIE_FHIR_SEARCH_PARAMS_H

#include "base/base.h"
#include "fhir/definitions.h"

/* R4 section 3.1.1.4. */
typedef enum {
    HIE_SEARCH_NUMBER = 1, HIE_SEARCH_DATE, HIE_SEARCH_STRING,
    HIE_SEARCH_TOKEN, HIE_SEARCH_REFERENCE, HIE_SEARCH_COMPOSITE,
    HIE_SEARCH_QUANTITY, HIE_SEARCH_URI, HIE_SEARCH_SPECIAL
} hie_search_kind_t;

typedef struct {
    const char  *code;           /* "birthdate" */
    hie_type_t   type;           /* which it is of; HIE_TYPE_Resource and
                                    HIE_TYPE_DomainResource: of all these */
    uint8_t      kind;           /* hie_search_kind_t */
    uint8_t      n_components;   /* of a composite, in */
    uint16_t     first_component;   /* hie_search_components */
    uint16_t     first_target;   /* of a reference: what it may refer to, in */
    uint16_t     n_targets;      /* hie_search_targets */
    const char  *expression;     /* FHIRPath with this type as context, `as`
                                    written as ofType(); NULL: the values are
                                    not of an element (_text, _content) */
    const char  *canonical;
} hie_search_param_t;

typedef struct {
    uint16_t     param;          /* of which it is a value, in
                                    hie_search_params */
    const char  *expression;     /* from a value of the composite */
} hie_search_component_t;

/* Sorted by type and code. The place of a row is not stable between releases
 * of this library. */
extern const hie_search_param_t      hie_search_params[];
extern const size_t                  hie_n_search_params;
extern const hie_search_component_t  hie_search_components[];
extern const hie_type_t              hie_search_targets[];

/* The parameter of a resource type, those of Resource and DomainResource
 * included. NULL if R4 defines none. */
const hie_search_param_t *
hie_search_param_find(hie_type_t type, hie_str_t code);
/* Those that a type itself has (for Resource and DomainResource: the common
 * ones). */
const hie_search_param_t *
hie_search_params_of(hie_type_t type, size_t *n);


/* A resource is in a compartment (R4 section 2.6.3, CompartmentDefinition)
 * when one of these parameters refers to its instance. */
typedef struct {
    hie_type_t   compartment;    /* HIE_TYPE_Patient, Encounter, … */
    hie_type_t   type;           /* of the resource */
    uint16_t     param;          /* in hie_search_params */
    const char  *path;           /* of a Patient's: the elements that the
                                    parameter is about, '|' between
                                    alternatives; else NULL */
} hie_compartment_row_t;

/* Sorted by compartment and type. The instance itself has no row. */
extern const hie_compartment_row_t  hie_compartment_rows[];
extern const size_t                 hie_n_compartment_rows;

/* The rows of a type in a compartment; HIE_TYPE_NONE: of all types. */
const hie_compartment_row_t *
hie_compartment_of(hie_type_t compartment, hie_type_t type, size_t *n);

#endif
