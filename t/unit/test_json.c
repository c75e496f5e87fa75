/*
 * fhir: documents and edits.
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

#include "fhir/fhir.h"

#define DEPTH  20

static apr_pool_t  *pool;


static apr_status_t
free_copy(void *copy)
{
    free(copy);

    return APR_SUCCESS;
}


/* From a heap block of its own length, so that a sanitizer sees a read past
 * the end. */
static hie_doc_t *
parse_len(const char *text, size_t len, hie_error_t *err)
{
    hie_doc_t  *d = NULL;
    char       *copy = malloc(len > 0 ? len : 1);
    hie_rc_t    rc;

    memcpy(copy, text, len);
    apr_pool_cleanup_register(pool, copy, free_copy, apr_pool_cleanup_null);
    rc = hie_doc_parse(pool, (hie_str_t) { copy, len }, DEPTH, &d, err);
    assert_true((rc == HIE_OK) == (d != NULL));

    if (d == NULL) {
        assert_int_equal(rc, HIE_INVALID);
    }

    return d;
}


static hie_doc_t *
parse(const char *text)
{
    hie_error_t   err;
    hie_doc_t    *d = parse_len(text, strlen(text), &err);

    if (d == NULL) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return d;
}


static void
refuse(const char *text, const char *where, const char *detail)
{
    hie_error_t  err;

    memset(&err, 0, sizeof(err));

    if (parse_len(text, strlen(text), &err) != NULL) {
        fail_msg("accepted: %s", text);
    }

    if (where != NULL) {
        assert_string_equal(err.where, where);
    }

    if (strstr(err.detail, detail) == NULL) {
        fail_msg("%s: expected \"%s\" in \"%s\"", text, detail, err.detail);
    }

    /* an error is never asked for in vain */
    assert_null(parse_len(text, strlen(text), NULL));
}


static void
is(hie_str_t s, const char *z)
{
    assert_string_equal(hie_str_z(pool, s), z);
}


static void
test_values(void **state)
{
    hie_doc_t   *d = parse(" {\"a\" : [1, true,false , null,\"x\"],\"b\":{},"
                           "\"c\":[ ] }\n");
    hie_node_t   a, n;

    is(hie_doc_bytes(d), "{\"a\" : [1, true,false , null,\"x\"],\"b\":{},"
       "\"c\":[ ] }");
    assert_int_equal(hie_doc_kind(d, 0), HIE_NODE_OBJECT);
    assert_int_equal(hie_doc_count(d, 0), 3);

    a = hie_doc_first(d, 0);
    is(hie_doc_name(d, a, pool), "a");
    is(hie_doc_raw(d, a), "[1, true,false , null,\"x\"]");
    assert_int_equal(hie_doc_count(d, a), 5);

    n = hie_doc_first(d, a);
    assert_int_equal(hie_doc_kind(d, n), HIE_NODE_NUMBER);
    assert_null(hie_doc_name(d, n, pool).ptr);
    assert_null(hie_doc_string(d, n, pool).ptr);
    n = hie_doc_next(d, n);
    assert_int_equal(hie_doc_kind(d, n), HIE_NODE_TRUE);
    n = hie_doc_next(d, n);
    assert_int_equal(hie_doc_kind(d, n), HIE_NODE_FALSE);
    n = hie_doc_next(d, n);
    assert_int_equal(hie_doc_kind(d, n), HIE_NODE_NULL);
    n = hie_doc_next(d, n);
    is(hie_doc_string(d, n, pool), "x");
    assert_int_equal(hie_doc_next(d, n), HIE_NODE_NONE);

    n = hie_doc_member(d, 0, "c");
    assert_int_equal(hie_doc_kind(d, n), HIE_NODE_ARRAY);
    assert_int_equal(hie_doc_first(d, n), HIE_NODE_NONE);
    assert_int_equal(hie_doc_next(d, n), HIE_NODE_NONE);
    assert_int_equal(hie_doc_next(d, 0), HIE_NODE_NONE);
    assert_int_equal(hie_doc_member(d, 0, ""), HIE_NODE_NONE);
    assert_int_equal(hie_doc_member(d, 0, "ab"), HIE_NODE_NONE);
    assert_int_equal(hie_doc_member(d, a, "a"), HIE_NODE_NONE);

    assert_int_equal(hie_doc_kind(d, HIE_NODE_NONE), 0);
    assert_int_equal(hie_doc_first(d, HIE_NODE_NONE), HIE_NODE_NONE);
    assert_null(hie_doc_raw(d, HIE_NODE_NONE).ptr);
    assert_null(hie_doc_get(d, 0, "zz", pool).ptr);
}


static void
test_roots(void **state)
{
    is(hie_doc_raw(parse("7"), 0), "7");
    is(hie_doc_string(parse("\"\""), 0, pool), "");
    assert_non_null(hie_doc_string(parse("\"\""), 0, pool).ptr);
    assert_int_equal(hie_doc_kind(parse("\t[]\r\n"), 0), HIE_NODE_ARRAY);
    refuse("", "line 1, column 1", "expected a value, found the end");
    refuse(" \n ", "line 2, column 2", "expected a value");
    refuse("\xef\xbb\xbf{}", "line 1, column 1", "expected a value");
    refuse("{} {}", "line 1, column 4", "nothing after");
}


static void
test_numbers(void **state)
{
    static const char *const  good[] = {
        "0", "-0", "1.50", "1e3", "-0.0", "1E+400", "10e-1", "0.10",
        "123456789012345678901234567890.1234567890123456789012345678901"
    };
    static const char *const  bad[] = {
        "-", "01", "-01", "+1", "1.", ".5", "1e", "1e+", "1.e1", "0x1",
        "NaN", "Infinity", "1_0", "--1"
    };

    size_t  i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is(hie_doc_raw(parse(good[i]), 0), good[i]);
        is(hie_doc_raw(parse(apr_pstrcat(pool, "[", good[i], "]", NULL)), 1),
           good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(bad[i], NULL, "expected");
        refuse(apr_pstrcat(pool, "[", bad[i], "]", NULL), NULL, "expected");
    }
}


static void
test_strings(void **state)
{
    is(hie_doc_string(parse("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\""), 0, pool),
       "a\"\\/\b\f\n\r\tz");
    is(hie_doc_string(parse("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\""), 0,
                      pool), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    is(hie_doc_string(parse("\"\xc3\xa9 long enough to be scanned in blocks "
                            "\xf0\x9f\x98\x80\x7f\""), 0, pool),
       "\xc3\xa9 long enough to be scanned in blocks "
       "\xf0\x9f\x98\x80\x7f");

    refuse("\"\\ud83d\"", "line 1, column 3", "surrogates");
    refuse("\"\\ude00\"", NULL, "surrogates");
    refuse("\"\\ude00\\ud83d\"", NULL, "surrogates");
    refuse("\"\\ud83d\\u0041\"", NULL, "surrogates");
    refuse("\"\\ud83d\\ud83d\"", NULL, "surrogates");
    refuse("\"\\ud83d\\n00000\"", NULL, "surrogates");
    refuse("\"\\u12g4\"", NULL, "hexadecimal");
    refuse("\"\\u0000\"", NULL, "U+0000");
    refuse("\"\\x\"", NULL, "backslash");
    refuse("\"\\", NULL, "escape, found the end");
    refuse("\"a", "line 1, column 3", "closing quote, found the end");
    refuse("\"a\nb\"", "line 1, column 3", "control character");
    refuse("'a'", NULL, "expected a value");
}


static void
test_utf8(void **state)
{
    static const char *const  bad[] = {
        "\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x80\xaf", "\xe2\x82",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xf0\x9f\x98"
    };

    size_t  i;
    char   *s;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = apr_pstrcat(pool, "[\"plain, long text and then ", bad[i], "\"]",
                        NULL);
        refuse(s, "line 1, column 29", "expected UTF-8");
        s = apr_pstrcat(pool, "[\"", bad[i], NULL);
        refuse(s, "line 1, column 3", "expected UTF-8");
    }

    /* columns count characters */
    refuse("{\"\xc3\xa9\xe2\x82\xac\":x}", "line 1, column 7", "a value");
}


static void
test_zero_byte(void **state)
{
    hie_error_t  err;

    assert_null(parse_len("\"a\0b\"", 5, &err));
    assert_non_null(strstr(err.detail, "control character"));
    assert_null(parse_len("1\0", 2, &err));
    assert_null(parse_len("\"\\\0\"", 4, &err));
    assert_null(parse_len("\0", 1, &err));
}


static void
test_structure(void **state)
{
    refuse("{\"a\":1,}", "line 1, column 8", "a name in quotes");
    refuse("[1,]", "line 1, column 4", "a value");
    refuse("[1 2]", "line 1, column 4", "a comma or ]");
    refuse("{\"a\" 1}", "line 1, column 6", "a colon");
    refuse("{\"a\":1 \"b\":2}", NULL, "a comma or }");
    refuse("{a:1}", NULL, "a name in quotes");
    refuse("{\"a\":1]", NULL, "a comma or }");
    refuse("[1}", NULL, "a comma or ]");
    refuse("{\n  \"a\": tru\n}", "line 2, column 8", "a value");
    refuse("[nul", NULL, "a value");
    refuse("[,1]", NULL, "a value");
    refuse("{,}", NULL, "a name in quotes");
    refuse("]", NULL, "a value");
    refuse("[/* no */]", NULL, "a value");
    refuse("[1\v]", NULL, "a comma");
}


static void
test_depth(void **state)
{
    char  text[2 * DEPTH + 4];
    int   i;

    for (i = 0; i < DEPTH; i++) {
        text[i] = '[';
        text[2 * DEPTH - 1 - i] = ']';
    }

    text[2 * DEPTH] = '\0';
    parse(text);

    memmove(text + 1, text, sizeof(text) - 2);
    text[2 * DEPTH + 1] = ']';
    text[2 * DEPTH + 2] = '\0';
    refuse(text, "line 1, column 21", "levels");
    refuse("[[[[[[[[[[[[[[[[[[[[{\"a\":1", NULL, "levels");
}


/* `n` members, the last named as the `same`-th. */
static char *
many(int n, int same)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 64);

    for (i = 0; i < n; i++) {
        hie_buf_addf(&b, "%s\"m%d\":{\"x\":[%d]}", i == 0 ? "{" : ",",
                     i == n - 1 && same >= 0 ? same : i, i);
    }

    hie_buf_addc(&b, '}');

    return hie_str_z(pool, hie_buf_str(&b));
}


static void
test_duplicates(void **state)
{
    hie_doc_t  *d;

    refuse("{\"a\":1,\"a\":2}", "line 1, column 9", "once");
    refuse("{\"\":1,\"\":2}", NULL, "once");
    refuse("{\"ab\":1,\"\\u0061b\":2}", "line 1, column 10", "once");
    refuse("{\"\\u0061b\":1,\"ab\":2}", NULL, "once");
    refuse("[{\"b\":{\"a\":1,\"c\":{},\"a\":2}}]", NULL, "once");
    refuse("{\"a\":{\"a\":1},\"b\":[{\"a\":2}],\"a\":3}", NULL, "once");
    parse("{\"a\":{\"a\":1},\"b\":[{\"a\":2},{\"a\":3}],\"aa\":1,\"A\":2}");
    parse("{\"\\u0061\":1,\"\\u0062\":2}");

    parse(many(20, -1));
    parse(many(200, -1));
    refuse(many(20, 0), NULL, "once");
    refuse(many(33, 0), NULL, "once");
    refuse(many(34, 32), NULL, "once");
    refuse(many(200, 0), NULL, "once");
    refuse(many(200, 198), NULL, "once");

    d = parse(many(200, -1));
    is(hie_doc_raw(d, hie_doc_member(d, 0, "m199")), "{\"x\":[199]}");
}


static void
test_escaped_names(void **state)
{
    hie_doc_t  *d = parse("{\"\\u0069d\":1,\"a\\\"b\":2,\"\\ud83d\\ude00\":3,"
                          "\"t\\tn\\/\":4}");

    is(hie_doc_raw(d, hie_doc_member(d, 0, "id")), "1");
    is(hie_doc_raw(d, hie_doc_member(d, 0, "a\"b")), "2");
    is(hie_doc_raw(d, hie_doc_member(d, 0, "\xf0\x9f\x98\x80")), "3");
    is(hie_doc_raw(d, hie_doc_member(d, 0, "t\tn/")), "4");
    assert_int_equal(hie_doc_member(d, 0, "i"), HIE_NODE_NONE);
    assert_int_equal(hie_doc_member(d, 0, "idx"), HIE_NODE_NONE);
    assert_int_equal(hie_doc_member(d, 0, "\\u0069d"), HIE_NODE_NONE);
    is(hie_doc_name(d, hie_doc_first(d, 0), pool), "id");
    is(hie_doc_name(d, hie_doc_member(d, 0, "a\"b"), pool), "a\"b");
}


static void
test_truncation(void **state)
{
    static const char  text[] =
        "{\"resourceType\" : \"Patient\", \"\\u0069d\":\"a\",\n"
        "\"active\":true,\"x\":[null,false,-1.5e+10,{},[]],"
        "\"n\":\"\xc3\xa9\\ud83d\\ude00\\n\"}";

    hie_error_t  err;
    size_t       i;

    parse(text);

    for (i = 0; i < sizeof(text) - 1; i++) {
        if (parse_len(text, i, &err) != NULL) {
            fail_msg("accepted %zu bytes", i);
        }

        assert_true(err.where[0] != '\0' && err.detail[0] != '\0');
    }
}


static void
test_sub(void **state)
{
    hie_doc_t   *d = parse("{\"entry\":[{\"resource\":{\"a\":[1,2]}},3]}");
    hie_node_t   n;
    hie_doc_t   *s;

    n = hie_doc_member(d, hie_doc_first(d, hie_doc_member(d, 0, "entry")),
                       "resource");
    s = hie_doc_sub(pool, d, n);
    is(hie_doc_bytes(s), "{\"a\":[1,2]}");
    assert_null(hie_doc_name(s, 0, pool).ptr);
    assert_int_equal(hie_doc_next(s, 0), HIE_NODE_NONE);
    n = hie_doc_member(s, 0, "a");
    is(hie_doc_raw(s, n), "[1,2]");
    assert_int_equal(hie_doc_next(s, n), HIE_NODE_NONE);
    assert_int_equal(hie_doc_count(s, n), 2);
}


/* Takes the children of the root away whose numbers are in `which`. */
static void
check_removals(const char *text, const char *which, const char *expected)
{
    hie_doc_t   *d = parse(text);
    hie_edit_t  *e = hie_edit_create(pool, d);
    hie_node_t   c;
    unsigned     i = 0;

    for (c = hie_doc_first(d, 0); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        if (strchr(which, (int) ('0' + i)) != NULL) {
            hie_edit_remove(e, c);
        }

        i++;
    }

    is(hie_edit_apply(e, pool), expected);
    parse(expected);
}


static void
test_remove(void **state)
{
    check_removals("[1,2,3]", "0", "[2,3]");
    check_removals("[1,2,3]", "1", "[1,3]");
    check_removals("[1,2,3]", "2", "[1,2]");
    check_removals("[1,2,3]", "01", "[3]");
    check_removals("[1,2,3]", "12", "[1]");
    check_removals("[1,2,3]", "02", "[2]");
    check_removals("[1,2,3]", "012", "[]");
    check_removals("[1,2,3]", "", "[1,2,3]");
    check_removals("{\"a\":1 , \"b\":2 }", "0", "{ \"b\":2 }");
    check_removals("{\"a\":1 , \"b\":2 }", "1", "{\"a\":1 }");
    check_removals("{\n  \"a\": 1,\n  \"b\": 2\n}", "0",
                   "{\n  \"b\": 2\n}");
    check_removals("{\n  \"a\": 1,\n  \"b\": 2\n}", "1",
                   "{\n  \"a\": 1\n}");
}


static void
test_set(void **state)
{
    hie_doc_t   *d = parse("{\"a\":1,\"b\":2}");
    hie_edit_t  *e = hie_edit_create(pool, d);

    hie_edit_set(e, 0, "b", HIE_STR("20"), "zz");
    hie_edit_set(e, 0, "x", HIE_STR("5"), "a");
    hie_edit_set(e, 0, "y", HIE_STR("6"), "x");
    hie_edit_set(e, 0, "f", HIE_STR("7"), NULL);
    hie_edit_set(e, 0, "g", HIE_STR("8"), "nowhere");
    hie_edit_set(e, 0, "x", HIE_STR("50"), NULL);
    hie_edit_set(e, 0, "l\"", HIE_STR("9"), "b");
    is(hie_edit_apply(e, pool), "{\"f\":7,\"g\":8,\"a\":1,\"x\":50,\"y\":6,"
       "\"b\":20,\"l\\\"\":9}");

    e = hie_edit_create(pool, d = parse("{}"));
    hie_edit_set(e, 0, "a", HIE_STR("1"), NULL);
    hie_edit_set(e, 0, "b", HIE_STR("2"), "a");
    is(hie_edit_apply(e, pool), "{\"a\":1,\"b\":2}");

    e = hie_edit_create(pool, d = parse("{\n  \"a\": 1\n}"));
    hie_edit_set(e, 0, "z", HIE_STR("1"), NULL);
    hie_edit_set(e, 0, "b", HIE_STR("2"), "a");
    is(hie_edit_apply(e, pool), "{\n  \"z\": 1,\n  \"a\": 1,\n  \"b\": 2\n}");

    /* behind a member that goes, alone or not */
    e = hie_edit_create(pool, d = parse("{\"a\":1,\"b\":2}"));
    hie_edit_remove(e, hie_doc_member(d, 0, "a"));
    hie_edit_set(e, 0, "n", HIE_STR("0"), "a");
    is(hie_edit_apply(e, pool), "{\"n\":0,\"b\":2}");

    e = hie_edit_create(pool, d = parse("{\"a\":1,\"b\":2}"));
    hie_edit_remove(e, hie_doc_member(d, 0, "b"));
    hie_edit_remove(e, hie_doc_member(d, 0, "a"));
    hie_edit_set(e, 0, "n", HIE_STR("0"), "b");
    is(hie_edit_apply(e, pool), "{\"n\":0}");
}


static void
test_insert(void **state)
{
    hie_doc_t   *d = parse("[10, [ ], [\n  1\n]]");
    hie_edit_t  *e = hie_edit_create(pool, d);
    hie_node_t   ten = hie_doc_first(d, 0), empty = hie_doc_next(d, ten);
    hie_node_t   one = hie_doc_next(d, empty);

    hie_edit_insert(e, 0, ten, HIE_STR("1"));
    hie_edit_insert(e, 0, ten, HIE_STR("2"));
    hie_edit_insert(e, 0, one, HIE_STR("3"));
    hie_edit_insert(e, 0, HIE_NODE_NONE, HIE_STR("{}"));
    hie_edit_insert(e, empty, HIE_NODE_NONE, HIE_STR("4"));
    hie_edit_insert(e, one, HIE_NODE_NONE, HIE_STR("5"));
    hie_edit_insert(e, ten, HIE_NODE_NONE, HIE_STR("6"));    /* no array */
    is(hie_edit_apply(e, pool),
       "[1,2,10, [4 ], 3, [\n  1,\n  5\n], {}]");

    /* the element moves: it goes, and comes elsewhere */
    e = hie_edit_create(pool, d);
    hie_edit_remove(e, ten);
    hie_edit_insert(e, 0, HIE_NODE_NONE, hie_doc_raw(d, ten));
    is(hie_edit_apply(e, pool), "[ [ ], [\n  1\n], 10]");
}


static void
test_edit_nested(void **state)
{
    hie_doc_t   *d = parse("{ \"a\" : { \"b\" : [ 1.50 , { \"c\":-0.0 } ] } ,"
                           " \"d\" : \"\\u00e9\" }");
    hie_edit_t  *e = hie_edit_create(pool, d);
    hie_node_t   a = hie_doc_member(d, 0, "a"), b, o;

    b = hie_doc_member(d, a, "b");
    o = hie_doc_next(d, hie_doc_first(d, b));

    assert_ptr_equal(hie_edit_apply(e, pool).ptr, hie_doc_bytes(d).ptr);

    hie_edit_replace(e, hie_doc_member(d, o, "c"), HIE_STR("1e3"));
    hie_edit_set(e, o, "e", HIE_STR("null"), "c");
    hie_edit_set(e, a, "b2", HIE_STR("{}"), "b");
    is(hie_edit_apply(e, pool),
       "{ \"a\" : { \"b\" : [ 1.50 , { \"c\":1e3, \"e\":null } ],"
       " \"b2\": {} } , \"d\" : \"\\u00e9\" }");

    /* what is in a part that goes, goes with it */
    e = hie_edit_create(pool, d);
    hie_edit_replace(e, hie_doc_member(d, o, "c"), HIE_STR("1e3"));
    hie_edit_remove(e, b);
    is(hie_edit_apply(e, pool),
       "{ \"a\" : { } , \"d\" : \"\\u00e9\" }");

    e = hie_edit_create(pool, d);
    hie_edit_remove(e, 0);
    hie_edit_remove(e, HIE_NODE_NONE);
    hie_edit_replace(e, 0, HIE_STR("[]"));
    is(hie_edit_apply(e, pool), "[]");

    /* of a part, nothing else comes along */
    e = hie_edit_create(pool, d = hie_doc_sub(pool, d, b));
    hie_edit_remove(e, hie_doc_first(d, 0));
    is(hie_edit_apply(e, pool), "[ { \"c\":-0.0 } ]");
}


static int
set_up(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    return 0;
}


static int
tear_down(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_escaped_names),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_edit_nested)
    };

    return cmocka_run_group_tests_name("json", tests, set_up, tear_down);
}
