/*
 * Decimal numbers, for the files of this room only. What is wider than a
 * coefficient is kept in two parts to the base 10^34, so that all of it is
 * ordinary arithmetic of 128 bits.
 */

#ifndef HIE_DECIMAL_PRIVATE_H
#define HIE_DECIMAL_PRIVATE_H

#include "base/decimal.h"

typedef unsigned __int128  hie_u128_t;

/* Least exponent of a number of one digit, and of one with all 34. */
#define HIE_DECIMAL_EMIN   (1 - HIE_DECIMAL_EMAX)
#define HIE_DECIMAL_ETINY  (HIE_DECIMAL_EMIN - (HIE_DECIMAL_DIGITS - 1))

hie_u128_t
hie_decimal_pow10(int n);                              /* n: 0 … 38 */
hie_u128_t
hie_decimal_coefficient(const hie_decimal_t *a);
/* Checks the range. `c` has at most 34 digits, or is 10^34 after rounding. */
bool
hie_decimal_make(hie_u128_t c, int64_t exponent, bool negative,
                 hie_decimal_t *out);

#endif
