/*
 * The table of functions.
 */

#include <stdlib.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

#define LAMBDA  1
#define TYPE    2
#define ORDER   4
#define TEXT    8

#define F(name, min, max, flags, out)                                         \
    { #name, hie_fp_call_##name, min, max, ((flags) & LAMBDA) != 0,           \
      ((flags) & TYPE) != 0, ((flags) & ORDER) != 0,                          \
      ((flags) & TEXT) ? FP_STR : FP_ANY, out }

/* In byte order of the names. */
static const fp_function_t  functions[] = {
    F(abs, 0, 0, 0, FP_ANY),
    F(aggregate, 1, 2, LAMBDA, FP_ANY),
    F(all, 1, 1, LAMBDA, FP_BOOL),
    F(allFalse, 0, 0, 0, FP_BOOL),
    F(allTrue, 0, 0, 0, FP_BOOL),
    F(anyFalse, 0, 0, 0, FP_BOOL),
    F(anyTrue, 0, 0, 0, FP_BOOL),
    F(as, 1, 1, TYPE, FP_TYPED),
    F(ceiling, 0, 0, 0, FP_ANY),
    F(children, 0, 0, 0, FP_ANY),
    F(combine, 1, 1, 0, FP_ANY),
    F(conformsTo, 1, 1, 0, FP_BOOL),
    F(contains, 1, 1, TEXT, FP_BOOL),
    F(convertsToBoolean, 0, 0, 0, FP_BOOL),
    F(convertsToDate, 0, 0, 0, FP_BOOL),
    F(convertsToDateTime, 0, 0, 0, FP_BOOL),
    F(convertsToDecimal, 0, 0, 0, FP_BOOL),
    F(convertsToInteger, 0, 0, 0, FP_BOOL),
    F(convertsToQuantity, 0, 1, 0, FP_BOOL),
    F(convertsToString, 0, 0, 0, FP_BOOL),
    F(convertsToTime, 0, 0, 0, FP_BOOL),
    F(count, 0, 0, 0, FP_INT),
    F(decode, 1, 1, TEXT, FP_STR),
    F(descendants, 0, 0, 0, FP_ANY),
    F(distinct, 0, 0, 0, FP_SAME),
    F(empty, 0, 0, 0, FP_BOOL),
    F(encode, 1, 1, TEXT, FP_STR),
    F(endsWith, 1, 1, TEXT, FP_BOOL),
    F(escape, 1, 1, TEXT, FP_STR),
    F(exclude, 1, 1, 0, FP_SAME),
    F(exists, 0, 1, LAMBDA, FP_BOOL),
    F(exp, 0, 0, 0, FP_ANY),
    F(extension, 1, 1, 0, FP_ANY),
    F(first, 0, 0, ORDER, FP_SAME),
    F(floor, 0, 0, 0, FP_ANY),
    F(getValue, 0, 0, 0, FP_ANY),
    F(hasExtension, 1, 1, 0, FP_BOOL),
    F(hasValue, 0, 0, 0, FP_BOOL),
    F(highBoundary, 0, 1, 0, FP_ANY),
    F(htmlChecks, 0, 0, 0, FP_BOOL),
    F(iif, 2, 3, LAMBDA, FP_ANY),
    F(indexOf, 1, 1, TEXT, FP_INT),
    F(intersect, 1, 1, 0, FP_SAME),
    F(is, 1, 1, TYPE, FP_BOOL),
    F(isDistinct, 0, 0, 0, FP_BOOL),
    F(join, 0, 1, 0, FP_STR),
    F(last, 0, 0, ORDER, FP_SAME),
    F(lastIndexOf, 1, 1, TEXT, FP_INT),
    F(length, 0, 0, TEXT, FP_INT),
    F(ln, 0, 0, 0, FP_ANY),
    F(log, 1, 1, 0, FP_ANY),
    F(lowBoundary, 0, 1, 0, FP_ANY),
    F(lower, 0, 0, TEXT, FP_STR),
    F(matches, 1, 1, TEXT, FP_BOOL),
    F(matchesFull, 1, 1, TEXT, FP_BOOL),
    F(memberOf, 1, 1, 0, FP_BOOL),
    F(not, 0, 0, 0, FP_BOOL),
    F(now, 0, 0, 0, FP_ANY),
    F(ofType, 1, 1, TYPE, FP_TYPED),
    F(power, 1, 1, 0, FP_ANY),
    F(precision, 0, 0, 0, FP_INT),
    F(repeat, 1, 1, LAMBDA, FP_ANY),
    F(replace, 2, 2, TEXT, FP_STR),
    F(replaceMatches, 2, 2, TEXT, FP_STR),
    F(resolve, 0, 0, 0, FP_ANY),
    F(round, 0, 1, 0, FP_ANY),
    F(select, 1, 1, LAMBDA, FP_ANY),
    F(single, 0, 0, 0, FP_SAME),
    F(skip, 1, 1, ORDER, FP_SAME),
    F(sort, 0, 20, LAMBDA, FP_SAME),
    F(split, 1, 1, TEXT, FP_STR),
    F(sqrt, 0, 0, 0, FP_ANY),
    F(startsWith, 1, 1, TEXT, FP_BOOL),
    F(subsetOf, 1, 1, 0, FP_BOOL),
    F(substring, 1, 2, TEXT, FP_STR),
    F(subsumedBy, 1, 1, 0, FP_BOOL),
    F(subsumes, 1, 1, 0, FP_BOOL),
    F(supersetOf, 1, 1, 0, FP_BOOL),
    F(tail, 0, 0, ORDER, FP_SAME),
    F(take, 1, 1, ORDER, FP_SAME),
    F(timeOfDay, 0, 0, 0, FP_ANY),
    F(toBoolean, 0, 0, 0, FP_BOOL),
    F(toChars, 0, 0, TEXT, FP_STR),
    F(toDate, 0, 0, 0, FP_ANY),
    F(toDateTime, 0, 0, 0, FP_ANY),
    F(toDecimal, 0, 0, 0, FP_ANY),
    F(toInteger, 0, 0, 0, FP_INT),
    F(toQuantity, 0, 1, 0, FP_ANY),
    F(toString, 0, 0, 0, FP_STR),
    F(toTime, 0, 0, 0, FP_ANY),
    F(today, 0, 0, 0, FP_ANY),
    F(trace, 1, 2, LAMBDA, FP_SAME),
    F(trim, 0, 0, TEXT, FP_STR),
    F(truncate, 0, 0, 0, FP_ANY),
    F(type, 0, 0, 0, FP_ANY),
    F(unescape, 1, 1, TEXT, FP_STR),
    F(union, 1, 1, 0, FP_ANY),
    F(upper, 0, 0, TEXT, FP_STR),
    F(where, 1, 1, LAMBDA, FP_SAME)
};


static int
compare_name(const void *key, const void *row)
{
    const hie_str_t      *name = key;
    const fp_function_t  *f = row;
    size_t                len = strlen(f->name);
    int                   c;

    c = memcmp(name->ptr, f->name, name->len < len ? name->len : len);
    if (c != 0) {
        return c;
    }

    return (name->len > len) - (name->len < len);
}


const fp_function_t *
hie_fp_function(hie_str_t name)
{
    return bsearch(&name, functions, sizeof(functions) / sizeof(functions[0]),
                   sizeof(functions[0]), compare_name);
}
