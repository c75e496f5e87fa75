/*
 * For the tests of validation: issues as lines of text.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "validation_tool.h"

apr_pool_t  *tool_pool;


int
tool_setup(void **state)
{
    apr_initialize();
    tool_pool = hie_pool_create(NULL, "test");

    return 0;
}


int
tool_teardown(void **state)
{
    apr_pool_destroy(tool_pool);
    apr_terminate();

    return 0;
}


char *
tool_json(const char *text)
{
    char  *copy = apr_pstrdup(tool_pool, text), *p;

    for (p = copy; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return copy;
}


char *
tool_file(const char *path)
{
    apr_file_t   *file;
    apr_finfo_t   info;
    apr_size_t    len;
    char         *bytes;

    if (apr_file_open(&file, path, APR_READ, 0, tool_pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS)
    {
        fail_msg("%s cannot be read", path);
    }

    len = (apr_size_t) info.size;
    bytes = apr_palloc(tool_pool, len + 1);
    bytes[len] = '\0';
    assert_int_equal(apr_file_read_full(file, bytes, len, NULL), APR_SUCCESS);
    apr_file_close(file);

    return bytes;
}


hie_doc_t *
tool_parse(const char *text)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(tool_pool, hie_str(text), 1000, &d, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return d;
}


static const char *
severity(const hie_issue_t *issue)
{
    return issue->severity == HIE_ISSUE_WARNING ? "warning "
           : issue->severity == HIE_ISSUE_INFORMATION ? "information " : "";
}


char *
tool_issues(hie_validator_t *v, const char *text, unsigned flags)
{
    hie_validate_options_t  options = { .flags = flags, .max_issues = 1000 };
    hie_issues_t            issues;
    hie_issue_t            *i;
    hie_error_t             err = { .rc = 0 };
    hie_buf_t               b;
    hie_rc_t                rc;
    int                     k;

    rc = hie_validate(v, tool_parse(text), 0, &options, tool_pool, &issues,
                      &err);
    assert_true((rc == HIE_OK) == (issues.n_errors == 0));
    assert_true(rc == HIE_OK || (err.rc == rc && err.detail[0] != '\0'));

    hie_buf_init(&b, tool_pool, 64);
    for (k = 0; k < issues.n; k++) {
        i = &issues.issues[k];
        assert_true(i->text.len > 0 && i->line > 0 && i->column > 0);
        hie_buf_addf(&b, "%s%s%s %.*s", k > 0 ? "\n" : "", severity(i),
                     i->code, HIE_PRISTR(i->expression));
        if (i->rule.len > 0) {
            hie_buf_addf(&b, " (%.*s)", HIE_PRISTR(i->rule));
        }
    }

    return hie_str_z(tool_pool, hie_buf_str(&b));
}
