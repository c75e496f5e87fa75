/*
 * The tables, for the files of this room only.
 */

#ifndef HIE_UCUM_PRIVATE_H
#define HIE_UCUM_PRIVATE_H

#include "ucum/ucum.h"

/* Functions of special units (UCUM sections 21 and 22). */
enum {
    HIE_UCUM_LINEAR,
    HIE_UCUM_CEL, HIE_UCUM_DEGF, HIE_UCUM_DEGRE,
    HIE_UCUM_SQRT, HIE_UCUM_TAN100, HIE_UCUM_SLOPE,
    HIE_UCUM_LN, HIE_UCUM_LG, HIE_UCUM_LG2, HIE_UCUM_LD, HIE_UCUM_PH,
    HIE_UCUM_HPX, HIE_UCUM_HPC, HIE_UCUM_HPM, HIE_UCUM_HPQ
};

typedef struct {
    const char     *code;
    uint8_t         len;
    hie_decimal_t   factor;
} hie_ucum_prefix_t;

typedef struct {
    const char     *code;
    uint8_t         len;
    bool            metric;         /* takes prefixes */
    bool            exact;
    uint8_t         function;
    uint16_t        arbitrary;      /* index + 1 of the arbitrary unit that it
                                       is or equals; 0: it is none */
    int8_t          dimensions[HIE_UCUM_DIMENSIONS];
    hie_decimal_t   numerator;
    hie_decimal_t   denominator;
} hie_ucum_atom_t;

extern const hie_ucum_prefix_t  hie_ucum_prefixes[];
extern const size_t             hie_ucum_n_prefixes;
extern const hie_ucum_atom_t    hie_ucum_atoms[];
extern const size_t             hie_ucum_n_atoms;
extern const char *const        hie_ucum_base[HIE_UCUM_DIMENSIONS];

/* NULL: there is none. */
const hie_ucum_atom_t *
hie_ucum_atom(hie_str_t code);

/* Arithmetic of units, in place. NULL, or why it cannot be: a special unit,
 * an exponent or a factor out of range. */
void
hie_ucum_one(hie_ucum_unit_t *u);
void
hie_ucum_of_atom(const hie_ucum_atom_t *atom, const hie_decimal_t *prefix,
                 hie_ucum_unit_t *u);
const char *
hie_ucum_power(hie_ucum_unit_t *u, int n);
const char *
hie_ucum_multiply(hie_ucum_unit_t *u, const hie_ucum_unit_t *by, bool divide);

#endif
