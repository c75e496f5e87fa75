/*
 * A number, a space and a unit from bytes: refused with a place, or turned
 * into the canonical unit, which is a unit again, and back.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "ucum/ucum.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


/* What is printed is the number that it was printed from. */
static void
number(const hie_decimal_t *d, apr_pool_t *pool)
{
    hie_decimal_t  again, sum, zero = hie_decimal_int(0), n;

    require(hie_decimal_parse(hie_decimal_format(pool, d), &again));
    require(hie_decimal_compare(d, &again) == 0);
    n = hie_decimal_normalize(d);
    again = hie_decimal_normalize(&again);
    require(memcmp(&n, &again, sizeof(n)) == 0);

    require(hie_decimal_sub(d, d, &sum) && hie_decimal_is_zero(&sum));
    require(hie_decimal_add(d, &zero, &sum)
            && hie_decimal_compare(d, &sum) == 0);
    again = hie_decimal_round(d, 2, HIE_ROUND_FLOOR);
    require(hie_decimal_compare(&again, d) <= 0);
    again = hie_decimal_round(d, 2, HIE_ROUND_CEILING);
    require(hie_decimal_compare(&again, d) >= 0);
}


static void
unit(const hie_decimal_t *value, const hie_ucum_unit_t *u, apr_pool_t *pool)
{
    hie_ucum_unit_t  base;
    hie_decimal_t    one = hie_decimal_int(1), stored, converted;
    hie_str_t        text = hie_ucum_canonical_unit(u, pool);
    hie_rc_t         rc;

    require(!hie_decimal_is_zero(&u->numerator)
            && !hie_decimal_is_zero(&u->denominator));
    require(hie_ucum_comparable(u, u));
    require(hie_ucum_convert(value, u, u, &converted, NULL) == HIE_OK);
    require(hie_decimal_compare(value, &converted) == 0);

    /* 11 base and arbitrary units are never longer than this */
    require(text.len <= HIE_UCUM_TEXT_MAX);
    require(hie_ucum_parse(text, &base, NULL) == HIE_OK);
    require(hie_ucum_comparable(u, &base));
    require(hie_decimal_compare(&base.numerator, &one) == 0
            && hie_decimal_compare(&base.denominator, &one) == 0);

    rc = hie_ucum_to_canonical(value, u, &stored, NULL);
    require(rc == HIE_OK || rc == HIE_INVALID);

    if (rc != HIE_OK) {
        return;
    }

    number(&stored, pool);

    if (hie_ucum_convert(value, u, &base, &converted, NULL) == HIE_OK) {
        require(hie_decimal_compare(&stored, &converted) == 0);
    }

    rc = hie_ucum_convert(&stored, &base, u, &converted, NULL);
    require(rc == HIE_OK || rc == HIE_INVALID);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool       started;
    apr_pool_t       *pool;
    hie_ucum_unit_t   u;
    hie_decimal_t     value;
    hie_error_t       err = { .rc = 0 };
    hie_str_t         rest, bytes = { (const char *) data, size };
    hie_rc_t          rc;

    if (!started) {
        apr_initialize();
        started = true;
    }

    pool = hie_pool_create(NULL, "fuzz");

    if (hie_decimal_parse(hie_str_split(bytes, ' ', &rest), &value)) {
        number(&value, pool);

    } else {
        value = hie_decimal_int(150);
    }

    rc = hie_ucum_parse(rest, &u, &err);

    if (rc != HIE_OK) {
        require(rc == HIE_INVALID && err.rc == rc && err.detail[0] != '\0');

    } else {
        unit(&value, &u, pool);
    }

    apr_pool_destroy(pool);

    return 0;
}
