/*
 * Guards: what can be said of an invariant without evaluating it.
 *
 * Most invariants are about elements that are there together or not at all,
 * and hold for nearly every resource because the elements are absent. From the
 * text of an expression its guard is made: terms, each a set of elements that
 * are there and a set of elements that are not, under which the expression
 * cannot be false. Where no term fits, nothing is said.
 */

#ifndef HIE_VALIDATION_GUARD_H
#define HIE_VALIDATION_GUARD_H

#include "base/base.h"
#include "fhir/definitions.h"

#define HIE_GUARD_TERMS  8

typedef struct {
    uint64_t  there;         /* orders of elements (hie_element_t.order) */
    uint64_t  absent;
} guard_term_t;

typedef struct {
    int           n;
    guard_term_t  terms[HIE_GUARD_TERMS];
} guard_t;

/* The guard of an expression whose context is a value of `type`. What is not
 * understood gives one without terms. */
void
hie_guard_make(hie_type_t type, const char *expression, guard_t *out);

#endif
