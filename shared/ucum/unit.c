/*
 * Units as numbers: a fraction, and exponents of base and arbitrary units
 * (UCUM sections 18 to 24).
 */

#include "ucum/private.h"

#include <string.h>

static const char  too_large[] = "a factor or an exponent is out of range";
static const char  special[] =
    "a special unit can be scaled by a number, and nothing else";


const hie_ucum_atom_t *
hie_ucum_atom(hie_str_t code)
{
    size_t  low = 0, high = hie_ucum_n_atoms, middle, len;
    int     order;

    while (low < high) {
        const hie_ucum_atom_t  *atom;

        middle = low + (high - low) / 2;
        atom = &hie_ucum_atoms[middle];
        len = atom->len < code.len ? atom->len : code.len;
        order = memcmp(code.ptr, atom->code, len);

        if (order == 0) {
            if (code.len == atom->len) {
                return atom;
            }

            order = code.len < atom->len ? -1 : 1;
        }

        if (order < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NULL;
}


void
hie_ucum_one(hie_ucum_unit_t *u)
{
    memset(u, 0, sizeof(*u));
    u->exact = true;
    u->numerator = hie_decimal_int(1);
    u->denominator = hie_decimal_int(1);
    u->prefix = hie_decimal_int(1);
}


/* The product without zeros at the end, and whether it is all of it. */
static bool
multiply(hie_decimal_t *a, const hie_decimal_t *b, bool *exact)
{
    hie_decimal_t  product;

    if (!hie_decimal_mul(a, b, &product)) {
        return false;
    }

    if (product.exponent != a->exponent + b->exponent) {
        *exact = false;
    }

    *a = hie_decimal_normalize(&product);

    return true;
}


/* A prefix of a special unit scales the value of its function, not the unit
 * inside it (section 22). */
void
hie_ucum_of_atom(const hie_ucum_atom_t *atom, const hie_decimal_t *prefix,
                 hie_ucum_unit_t *u)
{
    hie_ucum_one(u);
    memcpy(u->dimensions, atom->dimensions, sizeof(u->dimensions));
    u->function = atom->function;
    u->exact = atom->exact;
    u->numerator = atom->numerator;
    u->denominator = atom->denominator;

    if (atom->arbitrary != 0) {
        u->n_arbitrary = 1;
        u->arbitrary[0] = (uint16_t) (atom->arbitrary - 1);
        u->exponents[0] = 1;
    }

    if (prefix != NULL && atom->function != HIE_UCUM_LINEAR) {
        u->prefix = *prefix;

    } else if (prefix != NULL) {
        (void) multiply(&u->numerator, prefix, &u->exact);
    }
}


static bool
in_range(int exponent)
{
    return exponent >= -HIE_UCUM_EXPONENT_MAX
           && exponent <= HIE_UCUM_EXPONENT_MAX;
}


static void
invert(hie_ucum_unit_t *u)
{
    hie_decimal_t  numerator = u->numerator;
    int            i;

    u->numerator = u->denominator;
    u->denominator = numerator;

    for (i = 0; i < HIE_UCUM_DIMENSIONS; i++) {
        u->dimensions[i] = (int8_t) -u->dimensions[i];
    }

    for (i = 0; i < u->n_arbitrary; i++) {
        u->exponents[i] = (int8_t) -u->exponents[i];
    }
}


static bool
power_factor(hie_ucum_unit_t *u, int n)
{
    hie_decimal_t  numerator = u->numerator, denominator = u->denominator;

    for (; n > 1; n--) {
        if (!multiply(&u->numerator, &numerator, &u->exact)
            || !multiply(&u->denominator, &denominator, &u->exact))
        {
            return false;
        }
    }

    return true;
}


const char *
hie_ucum_power(hie_ucum_unit_t *u, int n)
{
    int  i;

    if (n == 1) {
        return NULL;
    }

    if (u->function != HIE_UCUM_LINEAR) {
        return special;
    }

    if (n == 0) {
        hie_ucum_one(u);
        return NULL;
    }

    if (n < 0) {
        invert(u);
        n = -n;
    }

    if (!in_range(n) || !power_factor(u, n)) {
        return too_large;
    }

    for (i = 0; i < HIE_UCUM_DIMENSIONS; i++) {
        if (!in_range(u->dimensions[i] * n)) {
            return too_large;
        }

        u->dimensions[i] = (int8_t) (u->dimensions[i] * n);
    }

    for (i = 0; i < u->n_arbitrary; i++) {
        u->exponents[i] = (int8_t) (u->exponents[i] * n);
    }

    return NULL;
}


static void
remove_arbitrary(hie_ucum_unit_t *u, int at)
{
    int  i;

    u->n_arbitrary--;

    for (i = at; i < u->n_arbitrary; i++) {
        u->arbitrary[i] = u->arbitrary[i + 1];
        u->exponents[i] = u->exponents[i + 1];
    }
}


static const char *
add_arbitrary(hie_ucum_unit_t *u, uint16_t unit, int exponent)
{
    int  at = 0, i;

    while (at < u->n_arbitrary && u->arbitrary[at] < unit) {
        at++;
    }

    if (at < u->n_arbitrary && u->arbitrary[at] == unit) {
        exponent += u->exponents[at];

        if (exponent == 0) {
            remove_arbitrary(u, at);
            return NULL;
        }

    } else {
        if (u->n_arbitrary == HIE_UCUM_ARBITRARY_MAX) {
            return "there are too many different arbitrary units";
        }

        for (i = u->n_arbitrary++; i > at; i--) {
            u->arbitrary[i] = u->arbitrary[i - 1];
            u->exponents[i] = u->exponents[i - 1];
        }
    }

    if (!in_range(exponent)) {
        return too_large;
    }

    u->arbitrary[at] = unit;
    u->exponents[at] = (int8_t) exponent;

    return NULL;
}


static bool
is_number(const hie_ucum_unit_t *u)
{
    static const int8_t  none[HIE_UCUM_DIMENSIONS];

    return u->function == HIE_UCUM_LINEAR && u->n_arbitrary == 0
           && memcmp(u->dimensions, none, sizeof(none)) == 0;
}


/* A special unit times a number (section 22): the number joins the
 * prefix. */
static const char *
scale_special(hie_ucum_unit_t *u, const hie_ucum_unit_t *by)
{
    const hie_ucum_unit_t  *scale = by;
    hie_ucum_unit_t         copy;

    if (u->function == HIE_UCUM_LINEAR) {
        copy = *u;
        *u = *by;
        scale = &copy;
    }

    if (!is_number(scale)) {
        return special;
    }

    if (!multiply(&u->prefix, &scale->numerator, &u->exact)
        || !hie_decimal_div(&u->prefix, &scale->denominator, &u->prefix))
    {
        return too_large;
    }

    return NULL;
}


const char *
hie_ucum_multiply(hie_ucum_unit_t *u, const hie_ucum_unit_t *by, bool divide)
{
    hie_ucum_unit_t   other = *by;
    const char       *why = NULL;
    int               i, sum;

    if (divide) {
        if (by->function != HIE_UCUM_LINEAR) {
            return special;
        }

        invert(&other);
    }

    if (u->function != HIE_UCUM_LINEAR || other.function != HIE_UCUM_LINEAR) {
        return scale_special(u, &other);
    }

    if (!multiply(&u->numerator, &other.numerator, &u->exact)
        || !multiply(&u->denominator, &other.denominator, &u->exact))
    {
        return too_large;
    }

    u->exact = u->exact && other.exact;

    for (i = 0; i < HIE_UCUM_DIMENSIONS; i++) {
        sum = u->dimensions[i] + other.dimensions[i];

        if (!in_range(sum)) {
            return too_large;
        }

        u->dimensions[i] = (int8_t) sum;
    }

    for (i = 0; i < other.n_arbitrary && why == NULL; i++) {
        why = add_arbitrary(u, other.arbitrary[i], other.exponents[i]);
    }

    return why;
}
