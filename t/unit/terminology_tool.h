/*
 * What the test programs of terminology share.
 */

#ifndef TERMINOLOGY_TOOL_H
#define TERMINOLOGY_TOOL_H

#include "terminology/terminology.h"

#include <setjmp.h>

#include <cmocka.h>

#define NOW  apr_time_from_sec(INT64_C(1767225600))     /* 2026-01-01 */
#define S(z)  hie_str(z)

extern apr_pool_t         *pool;
extern hie_term_set_t     *terms;
extern hie_term_request_t  request;     /* as call() makes it; limits and
                                           instance stay */
extern hie_error_t         err;

/* JSON with ' for ". */
hie_str_t
json(const char *text);
const hie_doc_t *
document(const char *text);
/* Compiles and adds; fails the test if it is not good. */
const hie_term_t *
add(const char *text);
/* What compiling it says. */
hie_rc_t
compile(const char *text);

/* Calls an operation with "name=value" pairs, a "name:={json}" for values that
 * are complex, NULL at the end; gives what it returned and keeps the result. */
const char *
call(hie_term_operation_fn *op, ...) __attribute__((sentinel));
extern hie_rc_t  called;

/* Is the text in what the last call returned? ' stands for ". */
bool
says(const char *text);
/* The codes of an expansion, in order, with spaces between; nested ones in
 * parentheses. */
const char *
codes(void);
/* The same for an array of codes, sorted. */
const char *
listed(const hie_term_code_t *list, size_t n);

int
tool_set_up(void **state);
int
tool_tear_down(void **state);

#endif
