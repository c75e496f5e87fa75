/*
 * base: spans, encodings, errors, ids, hashes, time, log, threads.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include <apr_general.h>

#include "base/private.h"

#define ULID_THREADS  4
#define ULID_EACH     2000

static apr_pool_t  *pool;


static void
assert_span(hie_str_t s, const char *z)
{
    assert_int_equal(s.len, strlen(z));
    if (s.len > 0) {
        assert_memory_equal(s.ptr, z, s.len);
    }
}


static void
test_spans(void **state)
{
    hie_str_t  head, rest;

    assert_int_equal(hie_abi_version(), HIE_ABI_VERSION);
    assert_null(hie_str(NULL).ptr);
    assert_int_equal(hie_str(NULL).len, 0);

    assert_true(hie_str_eq(HIE_STR_NONE, HIE_STR("")));
    assert_true(hie_str_eqz(HIE_STR("abc"), "abc"));
    assert_false(hie_str_eqz(HIE_STR("abc"), "abcd"));
    assert_false(hie_str_eqz(HIE_STR("abc"), "abC"));
    assert_true(hie_str_ieqz(HIE_STR("aZ@["), "Az@["));
    assert_false(hie_str_ieqz(HIE_STR("@"), "`"));
    assert_false(hie_str_ieqz(HIE_STR("a"), "ab"));

    assert_true(hie_str_starts(HIE_STR("Patient/1"), "Patient/"));
    assert_true(hie_str_starts(HIE_STR_NONE, ""));
    assert_false(hie_str_starts(HIE_STR("Pat"), "Patient/"));

    assert_span(hie_str_trim(HIE_STR(" \t\r\na b\n ")), "a b");
    assert_span(hie_str_trim(HIE_STR(" \t ")), "");
    assert_span(hie_str_trim(HIE_STR("\va")), "\va");

    head = hie_str_split(HIE_STR("a|b|c"), '|', &rest);
    assert_span(head, "a");
    assert_span(rest, "b|c");
    head = hie_str_split(HIE_STR("a|"), '|', &rest);
    assert_span(head, "a");
    assert_non_null(rest.ptr);
    assert_int_equal(rest.len, 0);
    head = hie_str_split(rest, '|', &rest);
    assert_int_equal(head.len, 0);
    assert_null(rest.ptr);
    assert_span(hie_str_split(HIE_STR("abc"), '|', NULL), "abc");

    assert_null(hie_str_dup(pool, HIE_STR_NONE).ptr);
    assert_span(hie_str_dup(pool, HIE_STR("x")), "x");
    assert_string_equal(hie_str_z(pool, HIE_STR_NONE), "");
    assert_string_equal(hie_str_z(pool, HIE_STR("xyz")), "xyz");
}


static void
test_numbers(void **state)
{
    uint64_t  n;

    assert_true(hie_str_u64(HIE_STR("0"), &n));
    assert_int_equal(n, 0);
    assert_true(hie_str_u64(HIE_STR("007"), &n));
    assert_int_equal(n, 7);
    assert_true(hie_str_u64(HIE_STR("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(hie_str_u64(HIE_STR("18446744073709551616"), &n));
    assert_false(hie_str_u64(HIE_STR("99999999999999999999"), &n));
    assert_false(hie_str_u64(HIE_STR(""), &n));
    assert_false(hie_str_u64(HIE_STR("-1"), &n));
    assert_false(hie_str_u64(HIE_STR("+1"), &n));
    assert_false(hie_str_u64(HIE_STR(" 1"), &n));
    assert_false(hie_str_u64(HIE_STR("1x"), &n));
}


static void
test_buffer(void **state)
{
    hie_buf_t  b;
    char       want[2001];
    int        i;

    hie_buf_init(&b, pool, 0);
    assert_int_equal(hie_buf_str(&b).len, 0);
    hie_buf_adds(&b, HIE_STR_NONE);
    hie_buf_addz(&b, NULL);
    hie_buf_addf(&b, "%s", "");
    assert_int_equal(hie_buf_str(&b).len, 0);

    for (i = 0; i < 1000; i++) {
        hie_buf_addc(&b, (char) ('a' + i % 26));
        hie_buf_add(&b, "-", 1);
        want[2 * i] = (char) ('a' + i % 26);
        want[2 * i + 1] = '-';
    }
    want[2000] = '\0';
    assert_span(hie_buf_str(&b), want);

    hie_buf_init(&b, pool, 1);
    hie_buf_addf(&b, "%d %s", 42, want);
    assert_int_equal(b.len, 2003);
    assert_memory_equal(b.ptr, "42 a-b-", 7);
}


static void
test_utf8(void **state)
{
    static const char *const  good[] = {
        "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf"
    };
    static const char *const  bad[] = {
        "\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "ab\xe2\x82z"
    };
    size_t  i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(hie_utf8_valid(hie_str(good[i])));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hie_utf8_valid(hie_str(bad[i])));
    }
    assert_true(hie_utf8_valid(HIE_STR("a\0b")));
    assert_true(hie_utf8_valid(HIE_STR_NONE));
}


static void
test_utf8_cut(void **state)
{
    static const char *const  cases[][2] = {
        { "", "" }, { "abc", "abc" }, { "\xc3\xa4", "\xc3\xa4" },
        { "a\xc3", "a" }, { "a\xe2\x82", "a" }, { "a\xf0\x9f\x98", "a" },
        { "a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80" }, { "\xe2", "" }
    };
    char    z[16];
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strcpy(z, cases[i][0]);
        hie_utf8_cut(z);
        assert_string_equal(z, cases[i][1]);
    }
}


static void
assert_json(hie_str_t in, const char *want)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, 4);
    hie_buf_add_json(&b, in);
    assert_span(hie_buf_str(&b), want);
}


static void
test_json(void **state)
{
    assert_json(HIE_STR_NONE, "\"\"");
    assert_json(HIE_STR("plain"), "\"plain\"");
    assert_json(HIE_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_json(HIE_STR("\b\f\n\r\t\x01\x1f\x7f"),
                "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_json(HIE_STR("x\0y"), "\"x\\u0000y\"");
    assert_json(HIE_STR("\xc3\xa4\xe2\x82\xac"), "\"\xc3\xa4\xe2\x82\xac\"");
    assert_json(HIE_STR("a\xff" "b"), "\"a\xef\xbf\xbd" "b\"");
    assert_json(HIE_STR("\xe2\x82"), "\"\xef\xbf\xbd\"");
    assert_json(HIE_STR("\xe2\x82" "z"), "\"\xef\xbf\xbdz\"");
    assert_json(HIE_STR("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}


static void
test_url(void **state)
{
    hie_buf_t  b;
    hie_str_t  out;

    assert_true(hie_url_decode(pool, HIE_STR("a%20b+c%2B"), false, &out));
    assert_span(out, "a b+c+");
    assert_true(hie_url_decode(pool, HIE_STR("a%20b+c%2B"), true, &out));
    assert_span(out, "a b c+");
    assert_true(hie_url_decode(pool, HIE_STR("%c3%A4"), false, &out));
    assert_span(out, "\xc3\xa4");
    assert_true(hie_url_decode(pool, HIE_STR_NONE, false, &out));
    assert_int_equal(out.len, 0);

    assert_false(hie_url_decode(pool, HIE_STR("%"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("%4"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("%4g"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("%-1"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("a%00"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("%c3"), false, &out));
    assert_false(hie_url_decode(pool, HIE_STR("%ff"), false, &out));

    hie_buf_init(&b, pool, 8);
    hie_url_encode(&b, HIE_STR("aZ09-._~ /|\xc3\xa4"));
    assert_span(hie_buf_str(&b), "aZ09-._~%20%2F%7C%C3%A4");
}


static void
test_base64url(void **state)
{
    static const char *const  cases[][2] = {
        { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "-__-" }
    };
    static const char *const  bad[] = {
        "Z", "Zg==", "Zm9vY", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9v", "Zg\n"
    };
    hie_buf_t  b;
    hie_str_t  out;
    size_t     i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hie_buf_init(&b, pool, 0);
        hie_base64url_encode(&b, hie_str(cases[i][0]));
        assert_span(hie_buf_str(&b), cases[i][1]);
        assert_true(hie_base64url_decode(pool, hie_str(cases[i][1]), &out));
        assert_span(out, cases[i][0]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hie_base64url_decode(pool, hie_str(bad[i]), &out));
    }
}


static void
test_error(void **state)
{
    hie_error_t  e;
    char         longer[500];

    assert_int_equal(hie_fail(NULL, HIE_GONE, "x", "%s", "y"), HIE_GONE);
    assert_int_equal(hie_fail(&e, HIE_INVALID, NULL, "found %d", 3),
                     HIE_INVALID);
    assert_int_equal(e.rc, HIE_INVALID);
    assert_string_equal(e.where, "");
    assert_string_equal(e.detail, "found 3");

    /* Arguments out of the error itself. */
    hie_fail(&e, HIE_CONFLICT, e.detail, "again: %s", e.detail);
    assert_string_equal(e.where, "found 3");
    assert_string_equal(e.detail, "again: found 3");

    memset(longer, 'x', sizeof(longer));
    memcpy(longer + sizeof(e.detail) - 2, "\xc3\xa4", 2);
    longer[sizeof(longer) - 1] = '\0';
    hie_fail(&e, HIE_INVALID, longer, "%s", longer);
    assert_int_equal(strlen(e.where), sizeof(e.where) - 1);
    assert_int_equal(strlen(e.detail), sizeof(e.detail) - 2);
    assert_true(hie_utf8_valid(hie_str(e.detail)));
}


static void
test_results(void **state)
{
    int  rc;

    for (rc = HIE_INVALID; rc <= HIE_TIMEOUT; rc++) {
        assert_in_range(hie_rc_status((hie_rc_t) rc), 400, 503);
        assert_true(strlen(hie_rc_issue((hie_rc_t) rc)) > 0);
    }
    assert_int_equal(hie_rc_status(HIE_OK), 200);
    assert_int_equal(hie_rc_status(HIE_NOT_FOUND), 404);
    assert_int_equal(hie_rc_status(HIE_UNPROCESSABLE), 422);
    assert_int_equal(hie_rc_status(HIE_TOO_COSTLY), 422);
    assert_string_equal(hie_rc_issue(HIE_TOO_COSTLY), "too-costly");
    assert_string_equal(hie_rc_issue(HIE_UNAUTHENTICATED), "login");
    assert_int_equal(hie_rc_status((hie_rc_t) 0), 500);
    assert_int_equal(hie_rc_status((hie_rc_t) 99), 500);
    assert_string_equal(hie_rc_issue((hie_rc_t) 0), "exception");
}


static void
make_ulids(void *baton)
{
    char  *out = baton;
    int    i;

    for (i = 0; i < ULID_EACH; i++) {
        hie_ulid(out + i * (HIE_ULID_LEN + 1));
    }
}


static int
compare_ulids(const void *a, const void *b)
{
    return strcmp(a, b);
}


static void
test_ulid(void **state)
{
    static char    ids[ULID_THREADS * ULID_EACH][HIE_ULID_LEN + 1];
    hie_thread_t  *threads[ULID_THREADS];
    size_t         i;

    for (i = 0; i < ULID_THREADS; i++) {
        assert_int_equal(hie_thread_start(pool, "ulid", make_ulids,
                                          ids[i * ULID_EACH], &threads[i],
                                          NULL), HIE_OK);
    }
    for (i = 0; i < ULID_THREADS; i++) {
        hie_thread_join(threads[i]);
    }

    for (i = 0; i < ULID_THREADS * ULID_EACH; i++) {
        assert_int_equal(strspn(ids[i], "0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
                         HIE_ULID_LEN);
        if (i % ULID_EACH != 0) {
            assert_true(strcmp(ids[i - 1], ids[i]) < 0);
        }
    }

    qsort(ids, ULID_THREADS * ULID_EACH, sizeof(ids[0]), compare_ulids);
    for (i = 1; i < ULID_THREADS * ULID_EACH; i++) {
        assert_true(strcmp(ids[i - 1], ids[i]) < 0);
    }
}


/* The first ten characters are the milliseconds, in base 32. */
static void
test_ulid_time(void **state)
{
    static const char  alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t            ms = 0, now = apr_time_as_msec(apr_time_now());
    char               id[HIE_ULID_LEN + 1];
    int                i;

    hie_ulid(id);
    for (i = 0; i < 10; i++) {
        ms = ms * 32 + (strchr(alphabet, id[i]) - alphabet);
    }
    assert_in_range(ms - now + 10, 0, 10000);
}


/* A child does not go on from its parent's last id. */
static void
test_ulid_fork(void **state)
{
    char   mine[HIE_ULID_LEN + 1], other[HIE_ULID_LEN + 1];
    int    fds[2], i, status;
    pid_t  pid;

    for (i = 0; i < 20; i++) {
        assert_int_equal(pipe(fds), 0);
        hie_ulid(mine);
        pid = fork();
        if (pid == 0) {
            hie_ulid(other);
            _exit(write(fds[1], other, sizeof(other)) != sizeof(other));
        }
        hie_ulid(mine);
        assert_int_equal(read(fds[0], other, sizeof(other)), sizeof(other));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(fds[0]);
        close(fds[1]);

        /* The random parts differ also when the milliseconds do. */
        assert_string_not_equal(mine + 10, other + 10);
    }
}


static void
test_random(void **state)
{
    unsigned char  a[600], b[600];

    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    hie_random(a, sizeof(a));
    hie_random(b, sizeof(b));
    assert_memory_not_equal(a, b, 300);
    assert_memory_not_equal(a + 300, b + 300, 300);
    hie_random(a, 0);
}


static void
test_hash(void **state)
{
    unsigned char  in[15];
    hie_str_t      ab[] = { HIE_STR("a"), HIE_STR("b") };
    hie_str_t      joined[] = { HIE_STR("ab"), HIE_STR_NONE };
    size_t         i;

    /* The vector in appendix A of the paper. */
    for (i = 0; i < sizeof(in); i++) {
        in[i] = (unsigned char) i;
    }
    assert_true(hie_siphash(0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL,
                            in, sizeof(in)) == 0xa129ca6149be45e5ULL);

    /* Stored in databases: these values must never change. */
    assert_true(hie_hash64("", 0) == 0xf69eb6426542e7e6ULL);
    assert_true(hie_hash64("Patient/1", 9) == 0x0707457c7275bc91ULL);
    assert_true(hie_hash64_parts(ab, 2) == 0x9e8097dfdd95a893ULL);

    assert_true(hie_hash64_parts(ab, 2) == hie_hash64("a\xff" "b\xff", 4));
    assert_true(hie_hash64_parts(ab, 2) != hie_hash64_parts(joined, 2));
    assert_true(hie_hash64_parts(joined, 1) != hie_hash64_parts(joined, 2));
    assert_true(hie_hash64_parts(NULL, 0) == hie_hash64(NULL, 0));
}


/* Wherever the words of eight bytes begin, the value is the same. */
static void
test_hash_places(void **state)
{
    char       text[40], whole[42];
    size_t     i;
    hie_str_t  parts[2];

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) (i * 7 + 1);
    }

    for (i = 0; i <= sizeof(text); i++) {
        parts[0] = (hie_str_t) { text, i };
        parts[1] = (hie_str_t) { text + i, sizeof(text) - i };
        memcpy(whole, text, i);
        whole[i] = '\xff';
        memcpy(whole + i + 1, text + i, sizeof(text) - i);
        whole[41] = '\xff';
        assert_true(hie_hash64_parts(parts, 2) == hie_hash64(whole, 42));
    }
}


static void
test_crc32c(void **state)
{
    unsigned char  in[64];
    size_t         from, len;
    uint32_t       crc;

    /* RFC 3720 appendix B.4. */
    memset(in, 0, sizeof(in));
    assert_int_equal(hie_crc32c(0, in, 32), 0x8a9136aa);
    memset(in, 0xff, sizeof(in));
    assert_int_equal(hie_crc32c(0, in, 32), 0x62a8ab43);
    for (len = 0; len < sizeof(in); len++) {
        in[len] = (unsigned char) len;
    }
    assert_int_equal(hie_crc32c(0, in, 32), 0x46dd794e);
    assert_int_equal(hie_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(hie_crc32c(0, in, 0), 0);

    for (from = 0; from < 9; from++) {
        for (len = 0; len < 40; len++) {
            crc = hie_crc32c(0, in, from);
            crc = hie_crc32c(crc, in + from, len);
            assert_int_equal(crc, hie_crc32c_table(0, in, from + len));
        }
    }
}


static void
assert_instant(apr_time_t t, const char *want)
{
    char  out[HIE_INSTANT_LEN + 1];

    hie_time_instant(out, t);
    assert_string_equal(out, want);
}


static void
test_time(void **state)
{
    char  out[HIE_HTTP_DATE_LEN + 1];

    assert_instant(0, "1970-01-01T00:00:00.000Z");
    assert_instant(-1, "1969-12-31T23:59:59.999Z");
    assert_instant(951827696123999, "2000-02-29T12:34:56.123Z");
    assert_instant(INT64_MAX, "9999-12-31T23:59:59.775Z");
    assert_instant(INT64_MIN, "0000-01-01T00:00:00.224Z");

    hie_time_http(out, 784111777 * APR_USEC_PER_SEC + 999999);
    assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
    hie_time_http(out, 0);
    assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
}


static void
assert_moment(const char *text, bool query, const char *first,
              const char *after)
{
    apr_time_t  a, b;
    char        out[HIE_INSTANT_LEN + 1];

    if (!hie_time_parse(hie_str(text), query, &a, &b)) {
        fail_msg("%s", text);
    }
    hie_time_instant(out, a);
    assert_string_equal(out, first);
    hie_time_instant(out, b);
    assert_string_equal(out, after);
}


/* R4 section 2.24.0.1, and for queries 3.1.1.4.7. */
static void
test_moments(void **state)
{
    static const char *const  never[] = {
        "", "202", "0000", "2020-", "2020-00", "2020-13", "2020-02-30",
        "2021-02-29", "2020-1-1", "2020-01-01T", "2020-01-01T24:00:00Z",
        "2020-01-01T10Z", "2020-01-01T10:60:00Z", "2020T10:00:00Z",
        "2020-01-01T10:00:00.Z", "2020-01-01T10:00:00+15:00",
        "2020-01-01T10:00:00Zx", "2020-01-01 10:00:00Z", "yesterday"
    };
    static const char *const  only_in_query[] = {
        "2020-01-01T10:00", "2020-01-01T10:00Z", "2020-01-01T10:00:00",
        "2020-01-01T10:00:00 01:00"
    };
    apr_time_t                a, b;
    size_t                    i;

    assert_moment("2020", false, "2020-01-01T00:00:00.000Z",
                  "2021-01-01T00:00:00.000Z");
    assert_moment("2020-02", false, "2020-02-01T00:00:00.000Z",
                  "2020-03-01T00:00:00.000Z");
    assert_moment("1960-12-31", true, "1960-12-31T00:00:00.000Z",
                  "1961-01-01T00:00:00.000Z");
    assert_moment("2020-01-01T01:00:00+02:00", false,
                  "2019-12-31T23:00:00.000Z", "2019-12-31T23:00:01.000Z");
    assert_moment("2020-01-01T01:00:00 02:00", true,
                  "2019-12-31T23:00:00.000Z", "2019-12-31T23:00:01.000Z");
    assert_moment("2020-01-01T10:30", true, "2020-01-01T10:30:00.000Z",
                  "2020-01-01T10:31:00.000Z");

    assert_true(hie_time_parse(HIE_STR("2020-01-01T00:00:00.1234567Z"), false,
                               &a, &b));
    assert_int_equal(a % APR_USEC_PER_SEC, 123456);
    assert_int_equal(b - a, 1);

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        if (hie_time_parse(hie_str(never[i]), true, &a, &b)
            || hie_time_parse(hie_str(never[i]), false, &a, &b))
        {
            fail_msg("%s", never[i]);
        }
    }
    for (i = 0; i < sizeof(only_in_query) / sizeof(only_in_query[0]); i++) {
        assert_true(hie_time_parse(hie_str(only_in_query[i]), true, &a, &b));
        assert_false(hie_time_parse(hie_str(only_in_query[i]), false, &a,
                                    &b));
    }
}


static void
test_http_dates(void **state)
{
    static const char *const  wrong[] = {
        "", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nix 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT"
    };
    apr_time_t                t;
    size_t                    i;

    assert_true(hie_time_http_parse(HIE_STR("Sun, 06 Nov 1994 08:49:37 GMT"),
                                    &t));
    assert_int_equal(t, 784111777 * APR_USEC_PER_SEC);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (hie_time_http_parse(hie_str(wrong[i]), &t)) {
            fail_msg("%s", wrong[i]);
        }
    }
}


static void
test_const_time(void **state)
{
    assert_true(hie_equal_const_time(HIE_STR("secret"), HIE_STR("secret")));
    assert_true(hie_equal_const_time(HIE_STR_NONE, HIE_STR("")));
    assert_false(hie_equal_const_time(HIE_STR("secret"), HIE_STR("secres")));
    assert_false(hie_equal_const_time(HIE_STR("\x80"), HIE_STR("\x00")));
    assert_false(hie_equal_const_time(HIE_STR("a"), HIE_STR("ab")));
}


typedef struct {
    int              n;
    hie_log_level_t  level;
    char             line[2048];
} log_seen_t;


static void
log_keep(void *baton, hie_log_level_t level, const char *line)
{
    log_seen_t  *seen = baton;

    seen->n++;
    seen->level = level;
    snprintf(seen->line, sizeof(seen->line), "%s", line);
}


static void
test_log(void **state)
{
    log_seen_t  seen = { 0 };
    char        longer[2000];

    hie_log_set(log_keep, &seen, HIE_LOG_INFO);
    hie_log(HIE_LOG_DEBUG, "HIE1999", "not this");
    assert_int_equal(seen.n, 0);
    hie_log(HIE_LOG_INFO, "HIE1999", "a %d\nHIE1998: b\x7f", 1);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.level, HIE_LOG_INFO);
    assert_string_equal(seen.line, "HIE1999: a 1 HIE1998: b ");

    memset(longer, 'y', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    hie_log(HIE_LOG_ERROR, "HIE1999", "%s", longer);
    assert_int_equal(strlen(seen.line), 1023);

    hie_log_set(NULL, NULL, HIE_LOG_NOTICE);
    hie_log(HIE_LOG_INFO, "HIE1999", "not this");
    assert_int_equal(seen.n, 2);
}


static void
test_log_default(void **state)
{
    int      fds[2], saved = dup(STDERR_FILENO);
    char     buf[100];
    ssize_t  n;

    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    hie_log_set(NULL, NULL, HIE_LOG_NOTICE);
    hie_log(HIE_LOG_WARN, "HIE1999", "%s", "text");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[1]);

    n = read(fds[0], buf, sizeof(buf) - 1);
    close(fds[0]);
    assert_true(n > 0);
    buf[n] = '\0';
    assert_string_equal(buf, "warn HIE1999: text\n");
}


typedef struct {
    bool      may_block;
    sigset_t  mask;
    char      name[16];
} thread_seen_t;


static void
thread_look(void *baton)
{
    thread_seen_t  *seen = baton;

    seen->may_block = hie_thread_may_block();
    pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
    pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
}


static void
test_thread(void **state)
{
    thread_seen_t   seen;
    hie_thread_t   *t;
    sigset_t        mask;

    assert_true(hie_thread_may_block());
    hie_thread_forbid_blocking(true);
    assert_false(hie_thread_may_block());

    assert_int_equal(hie_thread_start(pool, "a name that is too long",
                                      thread_look, &seen, &t, NULL), HIE_OK);
    hie_thread_forbid_blocking(false);
    hie_thread_join(t);

    /* The colour is the thread's own; the mask of this one is as before. */
    assert_true(seen.may_block);
    assert_int_equal(sigismember(&seen.mask, SIGTERM), 1);
    assert_int_equal(sigismember(&seen.mask, SIGHUP), 1);
    assert_int_equal(sigismember(&seen.mask, SIGCHLD), 1);
    assert_string_equal(seen.name, "a name that is ");
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}


static void
test_thread_blocked(void **state)
{
    int    status;
    pid_t  pid = fork();

    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        hie_thread_blocked("hie_some_function");
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}


static apr_status_t
count_cleanup(void *baton)
{
    ++*(int *) baton;
    return APR_SUCCESS;
}


static void
test_pool(void **state)
{
    apr_pool_t  *root = hie_pool_create(NULL, "root");
    apr_pool_t  *child = hie_pool_create(root, "child");
    int          n = 0;

    assert_ptr_not_equal(apr_pool_allocator_get(root),
                         apr_pool_allocator_get(child));
    assert_ptr_equal(apr_pool_parent_get(child), root);
    assert_non_null(apr_pool_abort_get(child));

    apr_pool_cleanup_register(child, &n, count_cleanup,
                              apr_pool_cleanup_null);
    memset(apr_palloc(child, 3 * 1024 * 1024), 1, 3 * 1024 * 1024);
    apr_pool_destroy(root);
    assert_int_equal(n, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_cut),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_ulid),
        cmocka_unit_test(test_ulid_time),
        cmocka_unit_test(test_ulid_fork),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_places),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_http_dates),
        cmocka_unit_test(test_const_time),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_default),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_thread_blocked),
        cmocka_unit_test(test_pool)
    };
    int  failed;

    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    failed = cmocka_run_group_tests_name("base", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
