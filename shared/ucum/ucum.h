/*
 * ucum: units of the Unified Code for Units of Measure (version 2.2, the
 * case sensitive codes). Pure.
 *
 * A unit is a factor times a product of powers of the base units m, s, g,
 * rad, K, C and cd, and of arbitrary units. As UCUM has it, mol is a number,
 * an annotation is 1, and an arbitrary unit such as [iU] (section 24) is
 * comparable with itself only: here a dimension of its own, so that [iU]/mL
 * and k[iU]/L are comparable.
 */

#ifndef HIE_UCUM_H
#define HIE_UCUM_H

#include "base/base.h"
#include "base/decimal.h"

/* Limits of this room; UCUM has none. */
#define HIE_UCUM_TEXT_MAX       256
#define HIE_UCUM_DEPTH_MAX      16        /* parentheses in parentheses */
#define HIE_UCUM_EXPONENT_MAX   99        /* of a unit and of a dimension */
#define HIE_UCUM_ARBITRARY_MAX  4         /* different ones in a unit */

#define HIE_UCUM_DIMENSIONS     7

/* A unit, on the caller's stack. */
typedef struct {
    int8_t         dimensions[HIE_UCUM_DIMENSIONS];
    uint8_t        n_arbitrary;
    uint8_t        function;       /* of a special unit (section 21), or 0 */
    bool           exact;          /* the factor is not rounded */
    int8_t         exponents[HIE_UCUM_ARBITRARY_MAX];
    uint16_t       arbitrary[HIE_UCUM_ARBITRARY_MAX];    /* ascending */
    hie_decimal_t  numerator;      /* the factor is a fraction, so that what */
    hie_decimal_t  denominator;    /* a decimal cannot hold stays exact */
    hie_decimal_t  prefix;         /* of a special unit: scales its values */
} hie_ucum_unit_t;

/* HIE_OK or HIE_INVALID; the error says at which character (from 1) and why,
 * its `where` is empty. */
hie_rc_t
hie_ucum_parse(hie_str_t text, hie_ucum_unit_t *out, hie_error_t *err);

/* Is a value in the one convertible into the other? */
bool
hie_ucum_comparable(const hie_ucum_unit_t *a, const hie_ucum_unit_t *b);

/* HIE_INVALID: not comparable, out of range, or a value that a special unit
 * does not have (the logarithm of nothing). Exact within 34 digits where the
 * factors are; 15 digits through functions other than those of temperatures.
 * `out` may be `value`. */
hie_rc_t
hie_ucum_convert(const hie_decimal_t *value, const hie_ucum_unit_t *from,
                 const hie_ucum_unit_t *to, hie_decimal_t *out,
                 hie_error_t *err);

/* The value in the canonical unit (base units only, factor 1), without zeros
 * at the end. */
hie_rc_t
hie_ucum_to_canonical(const hie_decimal_t *value, const hie_ucum_unit_t *unit,
                      hie_decimal_t *out, hie_error_t *err);
/* The canonical unit as UCUM writes it: "m-3.g", "1" without dimension.
 * Comparable units give the same text, others another. */
hie_str_t
hie_ucum_canonical_unit(const hie_ucum_unit_t *unit, apr_pool_t *pool);

/* All of it in one: a value and a code into what is stored and compared. */
hie_rc_t
hie_ucum_canonicalize(const hie_decimal_t *value, hie_str_t code,
                      apr_pool_t *pool, hie_decimal_t *out, hie_str_t *unit,
                      hie_error_t *err);

#endif
