/* hl7v2: MLLP frames in any pieces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_general.h>

#include "hl7v2/hl7v2.h"

#define TWO  "\x0bMSH|one\rPID\r\x1c\r\x0bMSH|two\r\x1c\r"

static apr_pool_t  *pool;


static int
setup(void **state)
{
    pool = hie_pool_create(NULL, "test");
    return 0;
}


static int
teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


/* Feeds a piece and gathers the frames, each with a '#' after it. */
static hie_rc_t
feed(hie_mllp_t *m, hie_str_t piece, hie_buf_t *frames, hie_error_t *err)
{
    hie_str_t  frame;
    hie_rc_t   rc;

    while ((rc = hie_mllp_feed(m, &piece, &frame, err)) == HIE_OK) {
        hie_buf_adds(frames, frame);
        hie_buf_addc(frames, '#');
    }
    return rc;
}


static void
test_split_at_every_byte(void **state)
{
    hie_str_t  all = HIE_STR(TWO);
    size_t     i;
    size_t     k;

    for (i = 0; i <= all.len; i++) {
        for (k = i; k <= all.len; k++) {
            hie_mllp_t  m;
            hie_buf_t   b;

            hie_mllp_init(&m, pool, 100);
            hie_buf_init(&b, pool, 64);
            assert_int_equal(feed(&m, (hie_str_t) { all.ptr, i }, &b, NULL),
                             HIE_NOT_FOUND);
            assert_int_equal(feed(&m, (hie_str_t) { all.ptr + i, k - i }, &b,
                                  NULL), HIE_NOT_FOUND);
            assert_int_equal(feed(&m, (hie_str_t) { all.ptr + k,
                                                    all.len - k }, &b, NULL),
                             HIE_NOT_FOUND);
            assert_true(hie_str_eqz(hie_buf_str(&b),
                                    "MSH|one\rPID\r#MSH|two\r#"));
            assert_false(hie_mllp_partial(&m));
        }
    }
}


static void
test_one_byte_at_a_time(void **state)
{
    hie_str_t   all = HIE_STR(TWO);
    hie_mllp_t  m;
    hie_buf_t   b;
    size_t      i;

    hie_mllp_init(&m, pool, 100);
    hie_buf_init(&b, pool, 64);
    for (i = 0; i < all.len; i++) {
        feed(&m, (hie_str_t) { all.ptr + i, 1 }, &b, NULL);
        hie_mllp_rest(&m);
        assert_int_equal(hie_mllp_partial(&m),
                         all.ptr[i] != '\r' || (i != 14 && i != 25));
    }
    assert_true(hie_str_eqz(hie_buf_str(&b), "MSH|one\rPID\r#MSH|two\r#"));
}


static void
test_pipelined_and_between(void **state)
{
    hie_mllp_t  m;
    hie_buf_t   b;
    int         i;
    hie_buf_t   in;

    hie_buf_init(&in, pool, 64);
    hie_buf_init(&b, pool, 64);
    for (i = 0; i < 300; i++) {
        hie_buf_addf(&in, "%s\x0bM%03d\x1c\r", i % 3 == 0 ? "\r\n" : "", i);
    }
    hie_mllp_init(&m, pool, 4);
    assert_int_equal(feed(&m, hie_buf_str(&in), &b, NULL), HIE_NOT_FOUND);
    assert_int_equal(b.len, 300 * 5);
    for (i = 0; i < 300; i++) {
        char  want[16];

        snprintf(want, sizeof(want), "M%03d#", i);
        assert_memory_equal(b.ptr + i * 5, want, 5);
    }
}


static void
expect_error(const char *bytes, size_t len, hie_rc_t rc)
{
    hie_mllp_t   m;
    hie_buf_t    b;
    hie_error_t  err = { .rc = 0 };

    hie_mllp_init(&m, pool, 8);
    hie_buf_init(&b, pool, 64);
    assert_int_equal(feed(&m, (hie_str_t) { bytes, len }, &b, &err), rc);
    assert_int_equal(err.rc, rc);
    assert_true(err.detail[0] != '\0');
    assert_int_equal(b.len, 0);
    /* and no frame ever after */
    assert_int_equal(feed(&m, HIE_STR("\x0bok\x1c\r"), &b, NULL),
                     HIE_INVALID);
    assert_int_equal(b.len, 0);
}


static void
test_errors(void **state)
{
    expect_error("GET / HTTP/1.1\r\n", 16, HIE_INVALID);
    expect_error("\x16\x03\x01", 3, HIE_INVALID);
    expect_error("\x0b" "ab\x0b", 4, HIE_INVALID);
    expect_error("\x0b" "ab\x1cX", 5, HIE_INVALID);
    expect_error("\x0b" "ab\x1c\x1c", 5, HIE_INVALID);
    expect_error("\x0b" "123456789\x1c\r", 12, HIE_TOO_LARGE);
}


static void
test_sizes(void **state)
{
    hie_mllp_t  m;
    hie_buf_t   b;
    hie_str_t   big;
    char       *p = apr_palloc(pool, 300000);
    char       *grown;

    memset(p, 'x', 300000);
    big = hie_mllp_frame(pool, (hie_str_t) { p, 300000 });
    assert_int_equal(big.len, 300003);
    hie_mllp_init(&m, pool, 300000);
    hie_buf_init(&b, pool, 64);
    assert_int_equal(feed(&m, (hie_str_t) { big.ptr, 1000 }, &b, NULL),
                     HIE_NOT_FOUND);
    assert_true(hie_mllp_partial(&m));
    grown = m.buf;
    hie_mllp_rest(&m);
    assert_ptr_equal(m.buf, grown);
    assert_int_equal(feed(&m, (hie_str_t) { big.ptr + 1000, 299003 }, &b,
                          NULL), HIE_NOT_FOUND);
    assert_int_equal(b.len, 300001);
    assert_memory_equal(b.ptr, p, 300000);
    hie_mllp_rest(&m);
    assert_null(m.buf);
    /* an empty frame is a frame, and what is exactly of the limit fits */
    b.len = 0;
    assert_int_equal(feed(&m, HIE_STR("\x0b\x1c\r"), &b, NULL),
                     HIE_NOT_FOUND);
    assert_true(hie_str_eqz(hie_buf_str(&b), "#"));
    hie_mllp_init(&m, pool, 2);
    assert_int_equal(feed(&m, HIE_STR("\x0b" "ab\x1c\r"), &b, NULL),
                     HIE_NOT_FOUND);
    assert_true(hie_str_eqz(hie_buf_str(&b), "#ab#"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_split_at_every_byte, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_byte_at_a_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_and_between, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
    };
    int                      rc;

    apr_initialize();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rc;
}
