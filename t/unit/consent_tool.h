/*
 * What the test programs of consent share.
 */

#ifndef CONSENT_TOOL_H
#define CONSENT_TOOL_H

#include "consent/consent.h"

#include <setjmp.h>

#include <cmocka.h>

#define BASE  "https://hie.example.org/fhir"

extern apr_pool_t  *pool;

/* The keys of an actor and of a patient. */
uint64_t
actor(const char *z);
uint64_t
patient(const char *id);

int
tool_set_up(void **state);
int
tool_tear_down(void **state);

#endif
