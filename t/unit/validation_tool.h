/*
 * For the tests of validation: issues as lines of text.
 */

#ifndef VALIDATION_TOOL_H
#define VALIDATION_TOOL_H

#include "validation/validation.h"

extern apr_pool_t *tool_pool;        /* of one test */

int
tool_setup(void **state);
int
tool_teardown(void **state);

/* For JSON in tests: ' becomes ". */
char *
tool_json(const char *text);
hie_doc_t *
tool_parse(const char *text);
/* A file's bytes, terminated. Fails the test if it cannot be read. */
char *
tool_file(const char *path);

/* The issues of a resource, a line each: "code expression" with " (rule)"
 * after it where there is one; "warning " and "information " in front of
 * those. "" if there are none. */
char *
tool_issues(hie_validator_t *v, const char *text, unsigned flags);

/* Expects exactly these issues. The text is that of tool_json. */
#define expect_issues(v, flags, text, expected)                               \
    assert_string_equal(tool_issues(v, text, flags), expected)

#endif
