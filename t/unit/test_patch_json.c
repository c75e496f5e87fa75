/*
 * patch: JSON Patch and JSON Pointer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "patch/private.h"

#define DEPTH  50

static apr_pool_t  *pool;


static hie_doc_t *
parse(const char *text)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(pool, hie_str(text), DEPTH, &d, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return d;
}


static void
gives(const char *text, const char *patch, const char *expected)
{
    hie_error_t  err;
    hie_str_t    out;

    if (hie_patch_json(parse(text), parse(patch), NULL, pool, &out, &err)
        != HIE_OK)
    {
        fail_msg("%s: %s: %s", patch, err.where, err.detail);
    }

    assert_string_equal(hie_str_z(pool, out), expected);
}


static void
refuses(const char *text, const char *patch, hie_rc_t rc, const char *where,
        const char *detail)
{
    hie_error_t  err;
    hie_str_t    out = HIE_STR("x");

    memset(&err, 0, sizeof(err));

    if (hie_patch_json(parse(text), parse(patch), NULL, pool, &out, &err)
        != rc)
    {
        fail_msg("%s: result is another one: %s: %s", patch, err.where,
                 err.detail);
    }

    assert_null(out.ptr);
    assert_int_equal(err.rc, rc);
    assert_string_equal(err.where, where);

    if (strstr(err.detail, detail) == NULL) {
        fail_msg("%s: expected \"%s\" in \"%s\"", patch, detail, err.detail);
    }

    assert_int_equal(hie_patch_json(parse(text), parse(patch), NULL, pool,
                                    &out, NULL), rc);
}


static void
test_add(void **state)
{
    gives("{\"a\":1}", "[]", "{\"a\":1}");
    gives("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":1.50}]",
          "{\"a\":1,\"b\":1.50}");
    gives("{}", "[{\"op\":\"add\",\"path\":\"/\",\"value\":null}]",
          "{\"\":null}");
    gives("{\"a\":1,\"b\":2}",
          "[{\"op\":\"add\",\"path\":\"/a\",\"value\":[ 3 ]}]",
          "{\"a\":[ 3 ],\"b\":2}");
    gives("[1,2]", "[{\"op\":\"add\",\"path\":\"/0\",\"value\":0}]",
          "[0,1,2]");
    gives("[1,2]", "[{\"op\":\"add\",\"path\":\"/1\",\"value\":0}]",
          "[1,0,2]");
    gives("[1,2]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":0}]",
          "[1,2,0]");
    gives("[1,2]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":0}]",
          "[1,2,0]");
    gives("[]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":0}]", "[0]");
    gives("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[]}]", "[]");
    gives("{}", "[{\"op\":\"add\",\"path\":\"/~01~1\",\"value\":1}]",
          "{\"~1/\":1}");
    gives("{\"\\u0061\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]",
          "{\"\\u0061\":2}");

    refuses("[1,2]", "[{\"op\":\"add\",\"path\":\"/3\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/3\"");
    refuses("[1,2]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/01\"");
    refuses("[1,2]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/-1\"");
    refuses("[1,2]", "[{\"op\":\"add\",\"path\":\"/\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/\"");
    refuses("[1,2]", "[{\"op\":\"add\",\"path\":\"/1e0\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/1e0\"");
    refuses("[1,2]", "[{\"op\":\"add\",\"path\":"
            "\"/18446744073709551616\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "there is");
    refuses("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/a/b\"");
    refuses("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/x/b\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/x/b\"");
    refuses("{\"a\":[]}", "[{\"op\":\"add\",\"path\":\"/a/-/b\",\"value\":0}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/a/-/b\"");
}


static void
test_remove_replace(void **state)
{
    gives("{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]",
          "{\"b\":2}");
    gives("{\"a\":{\"b\":[1,2,3]}}",
          "[{\"op\":\"remove\",\"path\":\"/a/b/1\"}]",
          "{\"a\":{\"b\":[1,3]}}");
    gives("{\"a\":null}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{}");
    gives("{\"a\":1}",
          "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1.0}]",
          "{\"a\":1.0}");
    gives("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]",
          "{}");

    refuses("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/b\"");
    refuses("[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/-\"");
    refuses("[1]", "[{\"op\":\"remove\",\"path\":\"/1\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/1\"");
    refuses("[1]", "[{\"op\":\"remove\",\"path\":\"\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "whole");
    refuses("{\"a\":1}",
            "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/b\"");
    refuses("{\"a\":\"text\"}",
            "[{\"op\":\"replace\",\"path\":\"/a/0\",\"value\":1}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/a/0\"");
}


static void
test_move_copy(void **state)
{
    gives("{\"a\":1.50,\"b\":{}}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/c\"}]",
          "{\"b\":{\"c\":1.50}}");
    gives("[1,2,3,4]", "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/3\"}]",
          "[2,3,4,1]");
    gives("[1,2,3]", "[{\"op\":\"move\",\"from\":\"/2\",\"path\":\"/0\"}]",
          "[3,1,2]");
    gives("[1,2,3]", "[{\"op\":\"move\",\"from\":\"/1\",\"path\":\"/1\"}]",
          "[1,2,3]");
    gives("{\"a\":{\"b\":1}}",
          "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"\"}]", "1");
    gives("{\"a\":{\"b\":1},\"ab\":2}",
          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]",
          "{\"ab\":{\"b\":1}}");
    gives("{\"a\":[1]}",
          "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/0\"}]",
          "{\"a\":[{\"a\":[1]},1]}");
    gives("{\"a\":[1]}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"\"}]",
          "[1]");

    refuses("{\"a\":{}}",
            "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "into itself");
    refuses("{\"a\":{}}",
            "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/a/b\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "into itself");
    refuses("[1]", "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/1\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/1\"");
    refuses("{}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/a\"");
    refuses("{}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]",
            HIE_UNPROCESSABLE, "operation[0]", "\"/a\"");
}


static void
equals(const char *a, const char *b, bool expected)
{
    char  *patch = apr_psprintf(pool, "[{\"op\":\"test\",\"path\":\"/a\","
                                "\"value\":%s}]", b);
    char  *text = apr_psprintf(pool, "{\"a\":%s}", a);

    if (expected) {
        gives(text, patch, text);

    } else {
        refuses(text, patch, HIE_UNPROCESSABLE, "operation[0]",
                "test failed");
    }
}


static void
test_test(void **state)
{
    equals("1", "1.0", true);
    equals("100", "1e2", true);
    equals("-0", "0.00", true);
    equals("1", "2", false);
    equals("0.1", "0.10000000000000000000000000000001", false);
    equals("12345678901234567890123456789012345678",
           "12345678901234567890123456789012345678", true);
    equals("12345678901234567890123456789012345678",
           "12345678901234567890123456789012345679", false);
    equals("1e9999", "1e9999", true);
    equals("1e9999", "1e9998", false);
    equals("10", "\"10\"", false);
    equals("\"a\\u00e9\"", "\"a\xc3\xa9\"", true);
    equals("\"a\"", "\"b\"", false);
    equals("true", "false", false);
    equals("null", "null", true);
    equals("null", "false", false);
    equals("[]", "{}", false);
    equals("[1,[2]]", "[1.0,[2]]", true);
    equals("[1,2]", "[2,1]", false);
    equals("[1,2]", "[1]", false);
    equals("[1]", "[1,2]", false);
    equals("{\"x\":1,\"y\":[2]}", "{\"y\":[2.0],\"x\":1}", true);
    equals("{\"x\":1}", "{\"x\":1,\"y\":2}", false);
    equals("{\"x\":1,\"y\":2}", "{\"x\":1}", false);
    equals("{\"x\":1}", "{\"y\":1}", false);
    equals("{\"x\":1,\"z\":3,\"y\":2}", "{\"x\":1,\"y\":2,\"z\":4}", false);
    equals("{\"\\u0078\":1}", "{\"x\":1}", true);

    gives("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"\",\"value\":"
          "{\"a\":1e0}}]", "{\"a\":1}");
    refuses("{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":"
            "null}]", HIE_UNPROCESSABLE, "operation[0]", "nothing");
}


/* Nothing of a patch takes effect unless all of it does. */
static void
test_sequence(void **state)
{
    gives("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":{}},"
          "{\"op\":\"add\",\"path\":\"/b/c\",\"value\":[]},"
          "{\"op\":\"add\",\"path\":\"/b/c/0\",\"value\":7},"
          "{\"op\":\"test\",\"path\":\"/b/c/0\",\"value\":7},"
          "{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"b\":{\"c\":[7]}}");
    refuses("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":{}},"
            "{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]",
            HIE_UNPROCESSABLE, "operation[1]", "\"/a\"");

    /* one that is not in shape counts before one that cannot be applied */
    refuses("{}", "[{\"op\":\"remove\",\"path\":\"/b\"},{\"op\":\"x\"}]",
            HIE_INVALID, "operation[1]", "\"op\"");
}


static void
test_bytes(void **state)
{
    gives("{\n  \"a\" : 1.500 ,\n  \"b\" : [ 1e3, \"\\u00e9\" ],\n  \"c\": 2\n"
          "}", "[{\"op\":\"replace\",\"path\":\"/c\",\"value\":3.0}]",
          "{\n  \"a\" : 1.500 ,\n  \"b\" : [ 1e3, \"\\u00e9\" ],\n"
          "  \"c\": 3.0\n}");
    gives("{\n  \"a\": [\n    1,\n    2\n  ]\n}",
          "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3},"
          "{\"op\":\"add\",\"path\":\"/b\",\"value\":4}]",
          "{\n  \"a\": [\n    1,\n    2,\n    3\n  ],\n  \"b\": 4\n}");
}


static void
test_shape(void **state)
{
    refuses("{}", "{}", HIE_INVALID, "", "array");
    refuses("{}", "\"\"", HIE_INVALID, "", "array");
    refuses("{}", "[1]", HIE_INVALID, "operation[0]", "\"op\"");
    refuses("{}", "[{}]", HIE_INVALID, "operation[0]", "\"op\"");
    refuses("{}", "[{\"op\":1}]", HIE_INVALID, "operation[0]", "\"op\"");
    refuses("{}", "[{\"op\":\"Add\"}]", HIE_INVALID, "operation[0]", "\"op\"");
    refuses("{}", "[{\"op\":\"add\",\"value\":1}]", HIE_INVALID,
            "operation[0]", "\"path\"");
    refuses("{}", "[{\"op\":\"add\",\"path\":1,\"value\":1}]", HIE_INVALID,
            "operation[0]", "\"path\"");
    refuses("{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", HIE_INVALID,
            "operation[0]", "\"value\"");
    refuses("{}", "[{\"op\":\"move\",\"path\":\"/a\"}]", HIE_INVALID,
            "operation[0]", "\"from\"");
    refuses("{}", "[{\"op\":\"remove\",\"path\":\"a\"}]", HIE_INVALID,
            "operation[0]", "JSON Pointer");
    refuses("{}", "[{\"op\":\"remove\",\"path\":\"/a~\"}]", HIE_INVALID,
            "operation[0]", "JSON Pointer");
    refuses("{}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]", HIE_INVALID,
            "operation[0]", "JSON Pointer");
    refuses("{}", "[{\"op\":\"copy\",\"path\":\"/a\",\"from\":\"#/a\"}]",
            HIE_INVALID, "operation[0]", "JSON Pointer");
}


static void
limited(hie_patch_limits_t limits, const char *text, const char *patch,
        hie_rc_t rc)
{
    hie_error_t  err;
    hie_str_t    out;

    assert_int_equal(hie_patch_json(parse(text), parse(patch), &limits, pool,
                                    &out, &err), rc);
}


static void
test_limits(void **state)
{
    const char          *add = "[{\"op\":\"add\",\"path\":\"/b\","
                               "\"value\":[[1]]}]";
    hie_patch_limits_t   limits = hie_patch_limits;
    hie_buf_t            b;
    char                *text;
    int                  i;

    limited(limits, "{}", add, HIE_OK);
    limits.max_bytes = 11;
    limited(limits, "{}", add, HIE_OK);
    limits.max_bytes = 10;
    limited(limits, "{}", add, HIE_TOO_LARGE);

    limits = hie_patch_limits;
    limits.max_depth = 3;
    limited(limits, "{}", add, HIE_OK);
    limits.max_depth = 2;
    limited(limits, "{}", add, HIE_TOO_LARGE);

    limits = hie_patch_limits;
    limits.max_operations = 1;
    limited(limits, "{}", add, HIE_OK);
    limits.max_operations = 0;
    limited(limits, "{}", add, HIE_TOO_LARGE);

    /* each copy doubles it */
    hie_buf_init(&b, pool, 4096);
    hie_buf_addz(&b, "[");

    for (i = 0; i < 40; i++) {
        hie_buf_addf(&b, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":"
                     "\"/a/-\"}", i > 0 ? "," : "");
    }

    hie_buf_addz(&b, "]");
    limits = hie_patch_limits;
    limits.max_depth = 60;
    limited(limits, "{\"a\":[1]}", hie_str_z(pool, hie_buf_str(&b)),
            HIE_TOO_LARGE);

    /* many operations on what is large */
    hie_buf_init(&b, pool, 4096);
    hie_buf_addz(&b, "[");

    for (i = 0; i < 300; i++) {
        hie_buf_addf(&b, "%s{\"op\":\"test\",\"path\":\"/a\",\"value\":"
                     "1}", i > 0 ? "," : "");
    }

    hie_buf_addz(&b, "]");
    text = apr_palloc(pool, (1 << 20) + 1);
    memset(text, ' ', 1 << 20);
    memcpy(text, "{\"a\":1", 6);
    strcpy(text + (1 << 20) - 1, "}");
    limited(hie_patch_limits, text, hie_str_z(pool, hie_buf_str(&b)),
            HIE_TOO_COSTLY);
}


static void
test_pointer(void **state)
{
    hie_doc_t           *d = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,"
                                   "\"a/b\":1,\"m~n\":8,\" \":7}");
    hie_patch_target_t   t;

    assert_true(hie_patch_pointer(d, HIE_STR(""), pool, &t));
    assert_int_equal(t.node, 0);
    assert_int_equal(t.parent, HIE_NODE_NONE);
    assert_true(hie_patch_pointer(d, HIE_STR("/foo/1"), pool, &t));
    assert_true(hie_str_eqz(hie_doc_raw(d, t.node), "\"baz\""));
    assert_true(hie_patch_pointer(d, HIE_STR("/"), pool, &t));
    assert_true(hie_str_eqz(hie_doc_raw(d, t.node), "0"));
    assert_true(hie_patch_pointer(d, HIE_STR("/a~1b"), pool, &t));
    assert_true(hie_str_eqz(hie_doc_raw(d, t.node), "1"));
    assert_true(hie_patch_pointer(d, HIE_STR("/m~0n"), pool, &t));
    assert_true(hie_str_eqz(hie_doc_raw(d, t.node), "8"));
    assert_true(hie_patch_pointer(d, HIE_STR("/ "), pool, &t));
    assert_true(hie_str_eqz(hie_doc_raw(d, t.node), "7"));
    assert_true(hie_patch_pointer(d, HIE_STR("/x"), pool, &t));
    assert_int_equal(t.node, HIE_NODE_NONE);
    assert_false(hie_patch_pointer(d, HIE_STR("/x/y"), pool, &t));
    assert_false(hie_patch_pointer(d, HIE_STR("/foo/3"), pool, &t));
}


/* The published cases; those with "error" must fail, whatever it says. */
static void
test_published(void **state)
{
    const char  *shared = getenv("HIE_SHARED");
    char        *path, *text;
    FILE        *f;
    hie_doc_t   *d, *expected;
    hie_node_t   c, n;
    hie_str_t    out;
    hie_rc_t     rc;
    size_t       len;
    bool         equal;
    int          count = 0;

    path = apr_psprintf(pool, "%s/data/fhirpath/patch/json-patch-tests.json",
                        shared != NULL ? shared : "../shared");
    f = fopen(path, "r");

    if (f == NULL) {
        print_message("# skipped: no %s\n", path);
        return;
    }

    text = apr_palloc(pool, 65536);
    len = fread(text, 1, 65536, f);
    fclose(f);
    assert_int_equal(hie_doc_parse(pool, (hie_str_t) { text, len }, DEPTH, &d,
                                   NULL), HIE_OK);

    for (c = hie_doc_first(d, 0); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        rc = hie_patch_json(hie_doc_sub(pool, d, hie_doc_member(d, c, "doc")),
                            hie_doc_sub(pool, d,
                                        hie_doc_member(d, c, "patch")),
                            NULL, pool, &out, NULL);
        n = hie_doc_member(d, c, "expected");
        count++;

        if (n == HIE_NODE_NONE) {
            assert_int_equal(rc, HIE_UNPROCESSABLE);
            continue;
        }

        assert_int_equal(rc, HIE_OK);
        expected = hie_doc_sub(pool, d, n);

        /* a patch that tests for the expected whole */
        text = apr_psprintf(pool, "[{\"op\":\"test\",\"path\":\"\",\"value\":"
                            "%s}]", hie_str_z(pool, hie_doc_bytes(expected)));
        equal = hie_patch_json(parse(hie_str_z(pool, out)), parse(text), NULL,
                               pool, &out, NULL) == HIE_OK;

        if (!equal) {
            fail_msg("%s", hie_str_z(pool, hie_doc_get(d, c, "comment",
                                                       pool)));
        }
    }

    assert_true(count >= 16);
}


static int
start(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    return 0;
}


static int
stop(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pointer), cmocka_unit_test(test_add),
        cmocka_unit_test(test_remove_replace),
        cmocka_unit_test(test_move_copy), cmocka_unit_test(test_test),
        cmocka_unit_test(test_sequence), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_shape), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_published)
    };

    return cmocka_run_group_tests_name("patch_json", tests, start, stop);
}
