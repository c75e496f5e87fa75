/*
 * ucum: units and conversions.
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

#include "ucum/private.h"

static apr_pool_t  *pool;


static hie_decimal_t
dec(const char *text)
{
    hie_decimal_t  d;

    assert_true(hie_decimal_parse(hie_str(text), &d));

    return d;
}


static hie_ucum_unit_t
unit(const char *code)
{
    hie_ucum_unit_t  u;
    hie_error_t      err;

    if (hie_ucum_parse(hie_str(code), &u, &err) != HIE_OK) {
        fail_msg("%s: %s", code, err.detail);
    }

    return u;
}


static void
converts(const char *value, const char *from, const char *to,
         const char *expected)
{
    hie_decimal_t    v = dec(value), out = dec("77"), e;
    hie_ucum_unit_t  a = unit(from), b = unit(to);
    hie_error_t      err;
    hie_rc_t         rc = hie_ucum_convert(&v, &a, &b, &out, &err);

    if (expected == NULL) {
        assert_int_equal(rc, HIE_INVALID);
        assert_int_equal(err.rc, HIE_INVALID);
        e = dec("77");

    } else {
        if (rc != HIE_OK) {
            fail_msg("%s %s in %s: %s", value, from, to, err.detail);
        }

        e = dec(expected);
    }

    if (hie_decimal_compare(&out, &e) != 0) {
        char  text[HIE_DECIMAL_TEXT_MAX];

        hie_decimal_print(&out, text);
        fail_msg("%s %s in %s is %s, not %s", value, from, to, text, expected);
    }
}


static void
canonical(const char *value, const char *code, const char *expected,
          const char *expected_unit)
{
    hie_decimal_t   v = dec(value), out, e;
    hie_str_t       text;
    hie_error_t     err;

    if (hie_ucum_canonicalize(&v, hie_str(code), pool, &out, &text, &err)
        != HIE_OK)
    {
        fail_msg("%s: %s", code, err.detail);
    }

    assert_string_equal(hie_str_z(pool, text), expected_unit);

    /* the very bytes: it is without zeros at the end */
    e = dec(expected);
    e = hie_decimal_normalize(&e);
    assert_string_equal(hie_str_z(pool, hie_decimal_format(pool, &out)),
                        hie_str_z(pool, hie_decimal_format(pool, &e)));
    assert_memory_equal(&out, &e, sizeof(e));
}


static void
test_valid(void **state)
{
    static const char *const  codes[] = {
        "m", "/m", "m/s", "mg/dL", "mm[Hg]", "/min", "kg", "cm", "%", "1",
        "10*3/uL", "10*-3/uL", "10*+3/uL", "10^9/L", "m[H2O]", "10*23",
        "rad2", "m3.kg-1.s-2", "4.[pi].10*-7.N/A2", "rad2{a}", "{a}.rad2{b}",
        "1{c}", "{e}", "{}", "dB[10.nV]", "kg{wet'tis.}", "/100{WBCs}",
        "umol/2.h", "dyn.s/(cm5.m2)", "(m/s)/(kg.s)", "((((m))))", "m/s/s",
        "[in_i'H2O]", "[m/s2/Hz^(1/2)]", "10.Cel", "mCel", "Cel{oral}",
        "Cel.10", "2.3.Cel/2", "Cel1", "daL", "dag", "KiBy", "[car_Au]",
        "B[10.nV]", "%[slope]", "m[IU]/L", "[APL'U]", "(m){x}", "'", "''",
        "{$%&()[].+-/=\"}", "m0", "007", "m+2", "cal_[15]"
    };
    hie_ucum_unit_t  u;
    hie_error_t      err;
    size_t           i;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        unit(codes[i]);
    }

    /* every code of the table, alone and in a term */
    for (i = 0; i < hie_ucum_n_atoms; i++) {
        char  text[64];

        unit(hie_ucum_atoms[i].code);
        assert_int_equal(strlen(hie_ucum_atoms[i].code),
                         hie_ucum_atoms[i].len);
        snprintf(text, sizeof(text), "2.(%s)", hie_ucum_atoms[i].code);
        unit(text);
        snprintf(text, sizeof(text), "k%s", hie_ucum_atoms[i].code);
        assert_int_equal(hie_ucum_parse(hie_str(text), &u, &err) == HIE_OK,
                         hie_ucum_atoms[i].metric);

        if (i > 0) {
            assert_true(strcmp(hie_ucum_atoms[i - 1].code,
                               hie_ucum_atoms[i].code) < 0);
        }
    }
}


/* A text that can be read as a unit and as a prefix with a metric unit would
 * depend on the order of looking. */
static void
test_unambiguous(void **state)
{
    char    text[64];
    size_t  p, i;

    for (p = 0; p < hie_ucum_n_prefixes; p++) {
        for (i = 0; i < hie_ucum_n_atoms; i++) {
            snprintf(text, sizeof(text), "%s%s", hie_ucum_prefixes[p].code,
                     hie_ucum_atoms[i].code);

            if (hie_ucum_atoms[i].metric) {
                assert_null(hie_ucum_atom(hie_str(text)));
            }
        }
    }
}


static void
test_invalid(void **state)
{
    static const struct {
        const char  *code;
        int          at;
        const char  *why;
    } t[] = {
        { "m/", 3, "expected after" }, { "m//s", 3, "instead" },
        { "m.", 3, "expected after" }, { ".m", 1, "instead" },
        { "/", 2, "expected after" }, { "//m", 2, "instead" },
        { "10+3/ul", 3, "'.' or '/'" }, { "molv", 1, "no such unit" },
        { "iU", 1, "no such unit" }, { "[BETH'U]", 1, "no such unit" },
        { "g/12h", 3, "period" }, { "12a", 1, "period" },
        { "mmol/kg[H20]", 6, "no such unit" }, { "[iIU]", 1, "no such" },
        { "rad2{\xc3\xa9}", 6, "visible" }, { "{a b}", 3, "visible" },
        { "{a}rad2{b}", 4, "'.' or '/'" }, { "{|}1", 4, "'.' or '/'" },
        { "{a}{b}", 4, "'.' or '/'" }, { "{a{b}}", 3, "braces" },
        { "m{a", 2, "not closed" }, { "m}", 2, "'.' or '/'" },
        { "(m", 1, "not closed" }, { "m)", 2, "no parenthesis" },
        { "(m/s)2", 6, "'.' or '/'" }, { "()", 2, "instead" },
        { "(/m)", 2, "instead" },
        { "[in_i", 1, "not closed" }, { "[a[b]]", 3, "brackets" },
        { "m]", 2, "'.' or '/'" }, { "m[", 2, "not closed" },
        { "[a b]", 3, "brackets" },
        { "m ", 2, "'.' or '/'" }, { " m", 1, "instead" },
        { "mg/dL\n", 6, "'.' or '/'" }, { "m-", 3, "exponent" },
        { "m+", 3, "exponent" }, { "m--2", 3, "exponent" },
        { "m*2", 1, "no such unit" }, { "m^2", 1, "no such unit" },
        { "mmHg", 1, "no such unit" }, { "\xc2\xb0" "C", 1, "instead" },
        { "M", 1, "no such unit" }, { "KG", 1, "no such unit" },
        { "k[in_i]", 1, "no prefix" }, { "khm", 1, "no such unit" },
        { "kk", 1, "no such unit" }, { "mmin", 1, "no prefix" },
        { "0", 1, "multiple of 0" }, { "m/0", 3, "multiple of 0" },
        { "m100", 2, "range" }, { "m-100", 2, "range" },
        { "m99999999999999999999", 2, "range" }, { "m99.m", 4, "range" },
        { "m5/m-95", 3, "range" },
        { "99999999999999999999999999999999999", 1, "too large" },
        { "/Cel", 1, "special" }, { "m.Cel", 2, "special" },
        { "Cel.m", 4, "special" }, { "Cel2", 4, "special" },
        { "Cel/Cel", 4, "special" }, { "J/Cel", 2, "special" },
        { "Cel0", 4, "special" },
        { "Ym99.Ym99.Ym99", 5, "range" },
        { "2.5kg", 3, "period" }, { "1,5.m", 1, "period" },
        { "m=s", 2, "'.' or '/'" }, { "\"", 1, "instead" },
        { "[iU].[arb'U].[USP'U].[GPL'U].[MPL'U]", 29, "arbitrary" },
        { "((((((((((((((((((m))))))))))))))))))", 17, "parentheses" }
    };
    hie_ucum_unit_t  u;
    hie_error_t      err;
    char             at[32], *copy;
    size_t           i, len;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        /* of its own length, so that a sanitizer sees a read past the end */
        len = strlen(t[i].code);
        copy = malloc(len);
        memcpy(copy, t[i].code, len);
        memset(&err, 0, sizeof(err));

        if (hie_ucum_parse((hie_str_t) { copy, len }, &u, &err) != HIE_INVALID)
        {
            fail_msg("accepted: %s", t[i].code);
        }

        snprintf(at, sizeof(at), "character %d:", t[i].at);

        if (strstr(err.detail, at) == NULL
            || strstr(err.detail, t[i].why) == NULL)
        {
            fail_msg("%s: expected \"%s\" and \"%s\" in \"%s\"", t[i].code,
                     at, t[i].why, err.detail);
        }

        assert_int_equal(hie_ucum_parse((hie_str_t) { copy, len }, &u, NULL),
                         HIE_INVALID);
        free(copy);
    }

    assert_int_equal(hie_ucum_parse(HIE_STR(""), &u, &err), HIE_INVALID);
    assert_int_equal(hie_ucum_parse(HIE_STR_NONE, &u, &err), HIE_INVALID);
    assert_int_equal(hie_ucum_parse(HIE_STR("m\0s"), &u, &err), HIE_INVALID);
}


static void
test_limits(void **state)
{
    char             text[HIE_UCUM_TEXT_MAX + 2];
    hie_ucum_unit_t  u;
    hie_error_t      err;

    memset(text, 'a', sizeof(text));
    text[0] = '{';
    text[HIE_UCUM_TEXT_MAX - 1] = '}';
    assert_int_equal(hie_ucum_parse((hie_str_t) { text, HIE_UCUM_TEXT_MAX },
                                    &u, &err), HIE_OK);
    text[HIE_UCUM_TEXT_MAX - 1] = 'a';
    text[HIE_UCUM_TEXT_MAX] = '}';
    assert_int_equal(hie_ucum_parse((hie_str_t) { text,
                                                  HIE_UCUM_TEXT_MAX + 1 },
                                    &u, &err), HIE_INVALID);

    unit("((((((((((((((((m))))))))))))))))");
    unit("m99/s99");
    unit("9999999999999999999999999999999999");
}


static void
test_linear(void **state)
{
    converts("1", "[in_i]", "cm", "2.54");
    converts("1", "[mi_i]", "m", "1609.344");
    converts("1", "[lb_av]", "kg", "0.45359237");
    converts("5.4", "mmol/L", "umol/mL", "5.4");
    converts("120", "mm[Hg]", "Pa", "15998.64");
    converts("1", "atm", "mm[Hg]", "760.0021001785151737897721306311036");
    converts("1", "kat", "umol/min", "60000000");
    converts("2", "h", "min", "120");
    converts("1", "a", "d", "365.25");
    converts("1", "mo_j", "d", "30.4375");
    converts("1", "wk", "h", "168");
    converts("37", "K", "mK", "37000");
    converts("1", "[gal_us]", "L", "3.785411784");
    converts("1", "L", "dm3", "1");
    converts("1", "m3", "L", "1000");
    converts("7.2", "10*9/L", "10*3/uL", "7.2");
    converts("7.2", "10*3/uL", "/nL", "7.2");
    converts("7.2", "10*9/L", "{cells}/L", "7200000000");
    converts("15", "g/dL", "g/L", "150");
    converts("1", "mol", "1", "602214076000000000000000");
    converts("50", "%", "1", "0.5");
    converts("1", "cal_IT", "J", "4.1868");
    converts("1", "KiBy", "bit", "8192");
    converts("1", "[degR]", "K", "0.5555555555555555555555555555555556");
    converts("9", "[degR]", "K", "5");
    converts("1", "J", "N.m", "1");
    converts("1", "W", "m2.kg.s-3", "1");
    converts("1", "dyn.s/cm5", "Pa.s/m3", "100000");
    converts("1", "m/(s.s)", "m/s/s", "1");
    converts("1", "m/s.s", "m", "1");
    converts("180", "deg", "[pi].rad", "1");
    converts("1.50", "m", "m", "1.50");
    converts("3", "kg/[in_i]", "g/cm",
             "1181.102362204724409448818897637795");
    converts("-3", "km", "m", "-3000");
    converts("1e-30", "m", "km", "1e-33");

    converts("1", "kg", "m", NULL);
    converts("1", "mol/L", "g/L", NULL);
    converts("9e6144", "km", "m", NULL);

    assert_true(unit("[lb_av]").exact);
    assert_true(unit("mg/dL").exact);
    assert_false(unit("deg").exact);
    assert_false(unit("2.deg").exact);
    assert_false(unit("[mi_us]50").exact);
}


/* Factors that no decimal can hold, and fractions of them. */
static void
test_exact(void **state)
{
    canonical("9", "K/9", "1", "K");
    canonical("1", "m/3.m/7.21", "1", "m2");
    canonical("1", "[mi_us]", "1609.347218694437388874777749555499", "m");
    canonical("3937", "[mi_us]", "6336000", "m");
    canonical("3937", "[in_us]", "100", "m");
}


static void
test_special(void **state)
{
    converts("37", "Cel", "K", "310.15");
    converts("37.0", "Cel", "[degF]", "98.6");
    converts("98.6", "[degF]", "Cel", "37");
    converts("-40", "[degF]", "Cel", "-40");
    converts("0", "K", "[degF]", "-459.67");
    converts("80", "[degRe]", "Cel", "100");
    converts("1", "mCel", "K", "273.151");
    converts("273.151", "K", "mCel", "1");
    converts("3.7", "10.Cel", "Cel", "37");
    converts("74", "Cel/2", "Cel", "37");
    converts("37", "Cel", "Cel.10", "3.7");

    converts("7", "[pH]", "mol/L", "1e-7");
    converts("0.0001", "mol/L", "[pH]", "4");
    converts("3", "B", "1", "1000");
    converts("30", "dB", "1", "1000");
    converts("1000", "1", "dB", "30");
    converts("3", "B[W]", "W", "1000");
    converts("2", "B[V]", "V", "10");
    converts("60", "dB[SPL]", "Pa", "0.02");
    converts("1", "B[10.nV]", "nV", "31.6227766016838");
    converts("1", "Np", "1", "2.71828182845905");
    converts("8", "bit_s", "1", "256");
    converts("100", "%[slope]", "deg", "45");
    converts("45", "deg", "%[slope]", "100");
    converts("0", "%[slope]", "rad", "0");
    converts("100", "[p'diop]", "rad", "0.785398163397448");
    converts("2", "[hp'_X]", "1", "0.01");
    converts("2", "[hp'_C]", "1", "0.0001");
    converts("0.000001", "1", "[hp'_M]", "2");
    converts("1", "[hp'_Q]", "1", "0.00002");
    converts("3", "[m/s2/Hz^(1/2)]", "m2/s4/Hz", "9");
    converts("4", "m2/s4/Hz", "[m/s2/Hz^(1/2)]", "2");

    converts("0", "mol/L", "[pH]", NULL);
    converts("-1", "1", "B", NULL);
    converts("-4", "m2/s4/Hz", "[m/s2/Hz^(1/2)]", NULL);
    converts("1000", "B", "1", NULL);
    converts("-1000", "B", "1", NULL);
    converts("1", "Cel", "m", NULL);
}


static void
compares(const char *a, const char *b, bool expected)
{
    hie_ucum_unit_t  x = unit(a), y = unit(b);

    assert_int_equal(hie_ucum_comparable(&x, &y), expected);
    assert_int_equal(hie_ucum_comparable(&y, &x), expected);
    assert_int_equal(hie_str_eq(hie_ucum_canonical_unit(&x, pool),
                                hie_ucum_canonical_unit(&y, pool)), expected);
}


static void
test_comparable(void **state)
{
    compares("m", "[in_i]", true);
    compares("m", "s", false);
    compares("m", "m2", false);
    compares("Cel", "K", true);
    compares("{a}", "%", true);
    compares("rad", "1", false);
    compares("[iU]", "1", false);
    compares("[iU]", "[arb'U]", false);
    compares("[iU]", "[IU]", true);
    compares("k[iU]/L", "[IU]/mL", true);
    compares("[iU]/L", "/L", false);
    compares("[iU]/[iU]", "1", true);
    compares("[iU].[arb'U]", "[arb'U].[IU]", true);
    compares("[iU].[arb'U]/[iU]", "[arb'U]", true);
    compares("[iU]2", "[iU]", false);
    compares("mol/L", "/m3", true);
}


static void
test_canonical(void **state)
{
    canonical("1.50", "mg/dL", "15", "m-3.g");
    canonical("120", "mm[Hg]", "15998640", "m-1.s-2.g");
    canonical("72", "/min", "1.2", "s-1");
    canonical("70.0", "kg", "70000", "g");
    canonical("180", "cm", "1.8", "m");
    canonical("6.5", "%", "0.065", "1");
    canonical("37.00", "Cel", "310.15", "K");
    canonical("5", "k[IU]/L", "5000000", "m-3.[iU]");
    canonical("1", "lm.sr", "1", "rad4.cd");
    canonical("0.00", "kg", "0", "g");
    canonical("1", "{score}", "1", "1");
    canonical("1", "V", "1000", "m2.s-2.g.C-1");
    canonical("1", "[arb'U]/[iU]2", "1", "[arb'U].[iU]-2");

    /* the canonical unit is a unit, of factor 1 */
    canonical("3", "m-1.s-2.g", "3", "m-1.s-2.g");
    canonical("3", "[arb'U].[iU]-2", "3", "[arb'U].[iU]-2");
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
        cmocka_unit_test(test_valid), cmocka_unit_test(test_unambiguous),
        cmocka_unit_test(test_invalid), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_linear), cmocka_unit_test(test_exact),
        cmocka_unit_test(test_special), cmocka_unit_test(test_comparable),
        cmocka_unit_test(test_canonical)
    };

    return cmocka_run_group_tests_name("ucum", tests, start, stop);
}
