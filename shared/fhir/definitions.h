/*
 * The type system of FHIR R4 (4.0.1): types, their elements, invariants and
 * bindings, as the published StructureDefinitions state them. Constant tables,
 * written by tools/gen-definitions; every pointer is static.
 */

#ifndef HIE_FHIR_DEFINITIONS_H
#define HIE_FHIR_DEFINITIONS_H

#include "base/base.h"
#include "fhir/typeid.h"     /* HIE_TYPE_code, HIE_TYPE_HumanName, … */

/* 0 (HIE_TYPE_NONE): no type. Otherwise an index of hie_types. */
typedef uint16_t  hie_type_t;

typedef enum {
    HIE_KIND_PRIMITIVE = 1,  /* value, id, extension; xhtml too */
    HIE_KIND_COMPLEX,        /* HumanName, Element, BackboneElement */
    HIE_KIND_BACKBONE,       /* defined in place: "Patient.contact" */
    HIE_KIND_RESOURCE
} hie_kind_t;

typedef struct {
    const char     *name;        /* "code", "HumanName", "Patient.contact" */
    uint8_t         kind;        /* hie_kind_t */
    bool            abstract;
    hie_type_t      base;        /* the type that it specialises, or 0 */
    uint16_t        first;       /* its elements, inherited ones included, in */
    uint16_t        n;           /* the order of XML, in hie_elements */
    uint16_t        first_rule;  /* invariants of every value of this type, */
    uint16_t        n_rules;     /* inherited ones included, in
                                    hie_rule_lists */
    uint16_t        hash;        /* place and size (a power of two) of its */
    uint16_t        hash_size;   /* part in the table of names */
} hie_type_info_t;

typedef enum {
    HIE_ELEMENT_CHOICE = 1,      /* one of the types of name[x] */
    HIE_ELEMENT_ATTRIBUTE = 2,   /* an attribute in XML */
    HIE_ELEMENT_MODIFIER = 4,
    HIE_ELEMENT_SUMMARY = 8      /* part of _summary=true */
} hie_element_flag_t;

/* An element of a type; of a choice, one row for each type that it may have:
 * valueQuantity, valueString, … */
typedef struct {
    const char     *name;        /* of the member in JSON, the tag in XML */
    uint8_t         name_len;
    uint8_t         stem_len;    /* of the name in FHIRPath: shorter for a
                                    choice ("value") */
    uint8_t         flags;       /* hie_element_flag_t */
    uint8_t         min;         /* of a choice: of all its rows together */
    uint8_t         max;         /* 0: no limit. A limit other than 1 is an
                                    array in JSON too */
    uint8_t         order;       /* in the type; rows of a choice share it */
    hie_type_t      type;        /* of its values; HIE_TYPE_Resource for any
                                    resource */
    uint16_t        binding;     /* index of hie_bindings, 0: none */
    uint16_t        first_target;/* of a Reference or canonical: the types it */
    uint16_t        n_targets;   /* may refer to, in hie_targets; none: any */
    uint16_t        first_rule;  /* invariants here, beside those of the */
    uint16_t        n_rules;     /* type of its values, in hie_rule_lists */
} hie_element_t;

/* An invariant (R4 section 5.1.0.14). The context of the expression is the
 * element. */
typedef struct {
    const char  *key;            /* "pat-1" */
    bool         warning;        /* severity; false: error */
    bool         best_practice;
    const char  *human;
    const char  *expression;     /* FHIRPath */
} hie_rule_t;

typedef struct {
    const char  *value_set;      /* canonical, without version */
    uint8_t      strength;       /* 'r'equired, 'e'xtensible, 'p'referred,
                                    e'x'ample */
    const char  *max;            /* elementdefinition-maxValueSet, or NULL */
    const char  *system;         /* that all its codes are of; NULL: of several,
                                    or it is not told */
} hie_binding_t;

extern const hie_type_info_t  hie_types[];
extern const size_t           hie_n_types;      /* indices 1 … n - 1 */
extern const hie_element_t    hie_elements[];
extern const size_t           hie_n_elements;
extern const hie_rule_t       hie_rules[];
extern const size_t           hie_n_rules;
extern const uint16_t         hie_rule_lists[]; /* indices of hie_rules */
extern const hie_binding_t    hie_bindings[];
extern const size_t           hie_n_bindings;
extern const hie_type_t       hie_targets[];

/* "Patient", "Patient.contact", "code"; HIE_TYPE_NONE if there is none. */
hie_type_t
hie_type_find(hie_str_t name);
/* A type of resources that is not abstract; these have the indices
 * HIE_TYPE_Account to HIE_TYPE_VisionPrescription, in byte order. */
hie_type_t
hie_type_find_resource(hie_str_t name);
/* Is `type` `ancestor`, or does it specialise it? */
bool
hie_type_is(hie_type_t type, hie_type_t ancestor);
/* The element of a type by its name in JSON ("valueQuantity", "given"), NULL
 * if there is none. For a primitive: id and extension. */
const hie_element_t *
hie_element_find(hie_type_t type, hie_str_t name);
/* The first row by its name in FHIRPath ("value", "given"); the other rows of
 * a choice follow it with the same order. */
const hie_element_t *
hie_element_stem(hie_type_t type, hie_str_t name);

#endif
