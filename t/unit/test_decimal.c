/*
 * base: decimal numbers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "base/decimal.h"

#define NINES  "9999999999999999999999999999999999"      /* 34 */

static apr_pool_t  *pool;

typedef bool binary_fn(const hie_decimal_t *a, const hie_decimal_t *b,
                       hie_decimal_t *out);


static hie_decimal_t
dec(const char *text)
{
    hie_decimal_t  d;

    if (!hie_decimal_parse(hie_str(text), &d)) {
        fail_msg("not parsed: %s", text);
    }

    return d;
}


static void
is(const hie_decimal_t *d, const char *text)
{
    char    out[HIE_DECIMAL_TEXT_MAX];
    size_t  len = hie_decimal_print(d, out);

    assert_int_equal(len, strlen(out));
    assert_string_equal(out, text);
}


static void
does(binary_fn *fn, const char *a, const char *b, const char *expected)
{
    hie_decimal_t  x = dec(a), y = dec(b), out = hie_decimal_int(77);

    if (expected == NULL) {
        assert_false(fn(&x, &y, &out));
        is(&out, "77");
        return;
    }

    assert_true(fn(&x, &y, &out));
    is(&out, expected);

    /* the result may go where an operand was */
    assert_true(fn(&x, &y, &x));
    is(&x, expected);
}


static void
test_parse(void **state)
{
    static const struct {
        const char *text, *printed;
    } good[] = {
        { "0", "0" }, { "-0", "0" }, { "0.00", "0.00" }, { "1.50", "1.50" },
        { "-1.50", "-1.50" }, { "+7", "7" }, { "007", "7" },
        { "1.5e-1", "0.15" }, { "15e3", "15000" }, { "15E+3", "15000" },
        { "0e5", "0" }, { "0.001", "0.001" }, { "-0.0", "0.0" },
        { NINES, NINES }, { NINES "4", NINES "0" },
        { NINES "5", "10000000000000000000000000000000000" "0" },
        { "1234567890123456789012345678901234.5",
          "1234567890123456789012345678901234" },
        { "1234567890123456789012345678901233.5",
          "1234567890123456789012345678901234" },
        { "1234567890123456789012345678901234.50000001",
          "1234567890123456789012345678901235" },
        { "0.00000000000000000000000000000000000000000000001", "1e-47" },
        { "-12e-60", "-1.2e-59" }, { "1e6144", "1e6144" },
        { "1e-6143", "1e-6143" }, { "0e-99999999999999999999", "0e-6176" },
        { "0e99999", "0" }
    };
    static const char *const bad[] = {
        "", "-", "+", ".", "1.", ".5", "1.e5", "1e", "1e+", "1e5x", "1 ",
        " 1", "1,5", "0x1", "nan", "inf", "--1", "1.2.3", "1e6145",
        "1e-6144", "1e99999999999999999999999", "12e6144"
    };
    hie_decimal_t  d;
    size_t         i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        d = dec(good[i].text);
        is(&d, good[i].printed);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (hie_decimal_parse(hie_str(bad[i]), &d)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }

    assert_false(hie_decimal_parse(HIE_STR_NONE, &d));
    /* a span ends where it says, not at a NUL */
    assert_true(hie_decimal_parse((hie_str_t) { "12345", 2 }, &d));
    is(&d, "12");

    d = dec("1.50");
    assert_true(hie_str_eqz(hie_decimal_format(pool, &d), "1.50"));
    memset(&d, 0, sizeof(d));
    is(&d, "0");
}


static void
test_shape(void **state)
{
    hie_decimal_t  d = dec("1.50"), e;

    assert_int_equal(hie_decimal_scale(&d), 2);
    assert_int_equal(hie_decimal_digits(&d), 3);
    d = dec("15e3");
    assert_int_equal(hie_decimal_scale(&d), 0);
    assert_int_equal(hie_decimal_digits(&d), 2);
    d = dec("0.000");
    assert_int_equal(hie_decimal_digits(&d), 1);
    assert_true(hie_decimal_is_zero(&d));
    d = dec(NINES);
    assert_int_equal(hie_decimal_digits(&d), 34);
    d = dec("18446744073709551616");
    assert_false(hie_decimal_is_zero(&d));

    d = dec("1.50");
    d = hie_decimal_normalize(&d);
    is(&d, "1.5");
    d = dec("-100");
    d = hie_decimal_normalize(&d);
    e = dec("-1e2");
    assert_memory_equal(&d, &e, sizeof(d));
    d = dec("0.00");
    d = hie_decimal_normalize(&d);
    is(&d, "0");
}


static void
test_int(void **state)
{
    static const int64_t  values[] = {
        0, 1, -1, 42, INT64_MAX, INT64_MIN, INT64_MAX - 1
    };
    static const char *const none[] = {
        "1.5", "0.1", "9223372036854775808", "-9223372036854775809", "1e19",
        "1e100", NINES
    };
    hie_decimal_t  d;
    int64_t        v;
    size_t         i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        d = hie_decimal_int(values[i]);
        v = 12345;
        assert_true(hie_decimal_to_int(&d, &v));
        assert_true(v == values[i]);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        d = dec(none[i]);
        assert_false(hie_decimal_to_int(&d, &v));
    }

    d = dec("-2.00");
    assert_true(hie_decimal_to_int(&d, &v));
    assert_true(v == -2);
    d = dec("1e18");
    assert_true(hie_decimal_to_int(&d, &v));
    assert_true(v == INT64_C(1000000000000000000));
    d = hie_decimal_int(INT64_MIN);
    is(&d, "-9223372036854775808");
}


static void
test_compare(void **state)
{
    static const struct {
        const char  *a, *b;
        int          result;
    } t[] = {
        { "1.50", "1.5", 0 }, { "1", "2", -1 }, { "-1", "-2", 1 },
        { "-1", "1", -1 }, { "0", "0.00", 0 }, { "0", "1e-6000", -1 },
        { "0", "-1e-6000", 1 }, { "1e6000", "1e-6000", 1 },
        { "100", "1e2", 0 }, { "99", "1e2", -1 }, { "101", "1e2", 1 },
        { NINES, "1e34", -1 }, { NINES, NINES "e0", 0 },
        { "1e33", "1000000000000000000000000000000001", -1 },
        { "-1.00000000000000000000000000000001", "-1", -1 }
    };
    hie_decimal_t  a, b;
    size_t         i;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        a = dec(t[i].a);
        b = dec(t[i].b);
        assert_int_equal(hie_decimal_compare(&a, &b), t[i].result);
        assert_int_equal(hie_decimal_compare(&b, &a), -t[i].result);
    }
}


static void
test_add(void **state)
{
    does(hie_decimal_add, "0.1", "0.2", "0.3");
    does(hie_decimal_add, "1", "0.00", "1.00");
    does(hie_decimal_add, "0.00", "1", "1.00");
    does(hie_decimal_add, "0.0", "-0.00", "0.00");
    does(hie_decimal_add, "1.50", "-1.5", "0.00");
    does(hie_decimal_add, "1e3", "1", "1001");
    does(hie_decimal_add, NINES, "1", "10000000000000000000000000000000000");
    does(hie_decimal_add, NINES, "0.5", "10000000000000000000000000000000000");
    does(hie_decimal_add, NINES, "0.4", NINES);
    does(hie_decimal_add, "1e40", "1e-40", "10000000000000000000000000000000"
         "000000000");
    does(hie_decimal_add, "1e33", "-1e-300",
         "1000000000000000000000000000000000");
    does(hie_decimal_add, "1e34", "-1e-1", "10000000000000000000000000000000"
         "000");
    /* a half and a bit more, far below */
    does(hie_decimal_add, "1000000000000000000000000000000000.5", "0",
         "1000000000000000000000000000000000");
    does(hie_decimal_add, "1e34", "5.000000000000000000001",
         "10000000000000000000000000000000010");
    does(hie_decimal_add, "9e6144", "1e6144", NULL);
    does(hie_decimal_add, "1e6144", "1e-6143", "1.000000000000000000000000000"
         "000000e6144");

    does(hie_decimal_sub, "1", "0.9", "0.1");
    does(hie_decimal_sub, "0", "5", "-5");
    does(hie_decimal_sub, "5", "0.0", "5.0");
    does(hie_decimal_sub, "-5", "-7", "2");
    does(hie_decimal_sub, "3", "7.25", "-4.25");
    does(hie_decimal_sub, "0.0", "0", "0.0");
}


static void
test_multiply(void **state)
{
    does(hie_decimal_mul, "1.50", "2", "3.00");
    does(hie_decimal_mul, "-0.1", "0.1", "-0.01");
    does(hie_decimal_mul, "-5", "0.0", "0.0");
    does(hie_decimal_mul, NINES, NINES, "9.999999999999999999999999999999998"
         "e67");
    does(hie_decimal_mul, "12345678901234567", "12345678901234567",
         "152415787532388345526596755677489");
    does(hie_decimal_mul, "1e4000", "1e4000", NULL);
    does(hie_decimal_mul, "1e-4000", "1e-4000", NULL);
    does(hie_decimal_mul, "1e-4000", "1e4000", "1");
    does(hie_decimal_mul, "3333333333333333333333333333333333", "3",
         NINES);
    does(hie_decimal_mul, "5000000000000000000000000000000001", "5",
         "25000000000000000000000000000000000");
    does(hie_decimal_mul, "5000000000000000000000000000000003", "5",
         "25000000000000000000000000000000020");
}


static void
test_divide(void **state)
{
    does(hie_decimal_div, "1", "4", "0.25");
    does(hie_decimal_div, "1", "3", "0.3333333333333333333333333333333333");
    does(hie_decimal_div, "-2", "3", "-0.6666666666666666666666666666666667");
    does(hie_decimal_div, "6.0", "2", "3.0");
    does(hie_decimal_div, "0.00", "2", "0.00");
    does(hie_decimal_div, "1", "0", NULL);
    does(hie_decimal_div, "0", "0.0", NULL);
    does(hie_decimal_div, "1e6000", "1e-6000", NULL);
    does(hie_decimal_div, "1", NINES, "1.000000000000000000000000000000000"
         "e-34");
    does(hie_decimal_div, NINES, "0.1", NINES "0");
}


static void
divides(const char *a, const char *b, const char *q, const char *r)
{
    hie_decimal_t  x = dec(a), y = dec(b), whole, rest;

    if (q == NULL) {
        assert_false(hie_decimal_divmod(&x, &y, &whole, &rest));
        return;
    }

    assert_true(hie_decimal_divmod(&x, &y, &whole, &rest));
    is(&whole, q);
    is(&rest, r);
    assert_true(hie_decimal_divmod(&x, &y, NULL, NULL));
}


static void
test_divmod(void **state)
{
    divides("5", "2", "2", "1");
    divides("-5", "2", "-2", "-1");
    divides("5", "-2", "-2", "1");
    divides("5.5", "0.7", "7", "0.6");
    divides("0.5", "2", "0", "0.5");
    divides("0", "2", "0", "0");
    divides("1e20", "3", "33333333333333333333", "1");
    divides("7.25", "1e0", "7", "0.25");
    divides("12", "4e0", "3", "0");
    divides("1", "0", NULL, NULL);
    divides("1e40", "3", NULL, NULL);
    divides("1e6000", "1e-6000", NULL, NULL);
    divides("1e40", "5e39", "2", "0");
}


static void
rounds(const char *a, int scale, const char *half_even, const char *half_up,
       const char *down, const char *floor_, const char *ceiling)
{
    const char     *expected[] = { half_even, half_up, down, floor_, ceiling };
    hie_decimal_t   x = dec(a), out;
    int             mode;

    for (mode = HIE_ROUND_HALF_EVEN; mode <= HIE_ROUND_CEILING; mode++) {
        out = hie_decimal_round(&x, scale, (hie_round_t) mode);
        is(&out, expected[mode - HIE_ROUND_HALF_EVEN]);
    }
}


static void
test_round(void **state)
{
    rounds("2.5", 0, "2", "3", "2", "2", "3");
    rounds("-2.5", 0, "-2", "-3", "-2", "-3", "-2");
    rounds("3.5", 0, "4", "4", "3", "3", "4");
    rounds("2.51", 0, "3", "3", "2", "2", "3");
    rounds("2.49", 1, "2.5", "2.5", "2.4", "2.4", "2.5");
    rounds("1.50", 2, "1.50", "1.50", "1.50", "1.50", "1.50");
    rounds("1.5", 5, "1.5", "1.5", "1.5", "1.5", "1.5");
    rounds("15e3", 0, "15000", "15000", "15000", "15000", "15000");
    rounds("1e-200", 1, "0.0", "0.0", "0.0", "0.0", "0.1");
    rounds("-1e-200", 0, "0", "0", "0", "-1", "0");
    rounds("0.000", 1, "0.0", "0.0", "0.0", "0.0", "0.0");
    rounds("9.99", 1, "10.0", "10.0", "9.9", "9.9", "10.0");
    rounds("0." NINES, 0, "1", "1", "0", "0", "1");
}


static void
test_double(void **state)
{
    static const char *const  doubles[] = {
        "0.1", "5.4", "-0.3", "9007199254740991", "9007199254740993",
        "9007199254740991e22", "9007199254740991e-22", "1e22", "1e23", "1e-22",
        "1e-23", "8.41e21", "123456789012345.678", "0.30000000000000004",
        "-4503599627370497.5", "5e-324", "1.7976931348623157e308"
    };

    hie_decimal_t             d = dec("-1.5e-3");
    int                       i;

    assert_true(hie_decimal_to_double(&d) == -0.0015);
    d = dec("0");
    assert_true(hie_decimal_to_double(&d) == 0.0);
    d = dec("1e400");
    assert_true(isinf(hie_decimal_to_double(&d)));
    d = dec("-" NINES "e-6143");
    assert_true(hie_decimal_to_double(&d) <= 0);
    for (i = 0; i < (int) (sizeof(doubles) / sizeof(doubles[0])); i++) {
        d = dec(doubles[i]);
        assert_true(hie_decimal_to_double(&d) == strtod(doubles[i], NULL));
    }

    assert_true(hie_decimal_from_double(0.1, 15, &d));
    is(&d, "0.1");
    assert_true(hie_decimal_from_double(0.1, 17, &d));
    is(&d, "0.10000000000000001");
    assert_true(hie_decimal_from_double(-1234.5, 3, &d));
    is(&d, "-1230");
    assert_true(hie_decimal_from_double(7.0, 1, &d));
    is(&d, "7");
    assert_true(hie_decimal_from_double(-0.0, 15, &d));
    is(&d, "0");
    assert_true(hie_decimal_from_double(1e-300, 15, &d));
    is(&d, "1e-300");
    assert_false(hie_decimal_from_double(NAN, 15, &d));
    assert_false(hie_decimal_from_double(INFINITY, 15, &d));
    assert_false(hie_decimal_from_double(1, 0, &d));
    assert_false(hie_decimal_from_double(1, 18, &d));
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
        cmocka_unit_test(test_parse), cmocka_unit_test(test_shape),
        cmocka_unit_test(test_int), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_add), cmocka_unit_test(test_multiply),
        cmocka_unit_test(test_divide), cmocka_unit_test(test_divmod),
        cmocka_unit_test(test_round), cmocka_unit_test(test_double)
    };

    return cmocka_run_group_tests_name("decimal", tests, start, stop);
}
