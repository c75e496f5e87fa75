/*
 * What the test programs of search share: what one resource is found by, and
 * what a search asks for, both in memory.
 */

#ifndef SEARCH_TOOL_H
#define SEARCH_TOOL_H

#include "search/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 2020-01-01T00:00:00Z */
#define NOW  INT64_C(1577836800000000)
#define BASE  "http://our.example/fhir"

extern apr_pool_t    *pool;
extern hie_search_t  *search;

/* Of a program. */
int
search_setup(void **state);
int
search_teardown(void **state);
/* The rules of all that is asked here. */
hie_search_rules_t
rules_of_search(void);
/* A criterion, "name=value". */
hie_rc_t
ask(const char *type, const char *query, hie_criterion_t *c,
    hie_error_t *err);
void
ask_well(const char *type, const char *query, hie_criterion_t *c);
/* Of a resource whose id is 1; its type. */
const char *
values_of(const char *json, hie_search_values_t *x);
bool
has_token(const hie_search_values_t *x, uint64_t key);
/* Does a resource meet one criterion? */
bool
found(const char *json, const char *query);
/* It meets each of `yes`, and none of `no`. */
void
each(const char *json, const char *const *yes, const char *const *no);

#define LIST(...)  ((const char *const []) { __VA_ARGS__, NULL })

#endif
