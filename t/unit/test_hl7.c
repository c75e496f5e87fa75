/* hl7v2: the parser, character sets, escape sequences. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <apr_general.h>

#include "hl7v2/hl7v2.h"

#define MSH   "MSH|^~\\&|APP|FAC|||20240102||ADT^A01^ADT_A01|ID1|P|2.5"
#define MSH18(set)  MSH "||||||" set

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


static hie_hl7_t *
parse(hie_str_t bytes)
{
    hie_hl7_t    *m;
    hie_error_t   err;

    if (hie_hl7_parse(pool, bytes, &m, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }
    return m;
}


#define PARSE(lit)  parse(HIE_STR(lit))


static void
refused(hie_str_t bytes, hie_rc_t rc, const char *where)
{
    hie_hl7_t    *m;
    hie_error_t   err = { .rc = 0 };

    assert_int_equal(hie_hl7_parse(pool, bytes, &m, &err), rc);
    assert_null(m);
    assert_int_equal(err.rc, rc);
    assert_string_equal(err.where, where);
    assert_true(err.detail[0] != '\0');
    assert_int_equal(hie_hl7_parse(pool, bytes, &m, NULL), rc);
}


static void
value(const hie_hl7_t *m, const char *segment, int field, int repeat,
      int component, int sub, const char *want)
{
    hie_str_t  v = hie_hl7_value(m, hie_hl7_find(m, segment, 0), field,
                                 repeat, component, sub, pool);

    if (want == NULL) {
        assert_null(v.ptr);
    } else if (!hie_str_eqz(v, want) || v.ptr == NULL) {
        fail_msg("%s-%d(%d).%d.%d is \"%.*s\", not \"%s\"", segment, field,
                 repeat, component, sub, HIE_PRISTR(v), want);
    }
}


static void
test_values(void **state)
{
    hie_hl7_t  *m = PARSE(MSH "\rPID|1||A^^^H&1.2&ISO^MR~B||D&E^\"\"|\"\"|\r"
                          "ZZ1\rPID|2\r");

    assert_int_equal(hie_hl7_segments(m), 4);
    assert_true(hie_str_eqz(hie_hl7_segment(m, 2), "ZZ1"));
    assert_null(hie_hl7_segment(m, 4).ptr);
    assert_null(hie_hl7_segment(m, -1).ptr);
    assert_int_equal(hie_hl7_find(m, "PID", 0), 1);
    assert_int_equal(hie_hl7_find(m, "PID", 2), 3);
    assert_int_equal(hie_hl7_find(m, "PV1", 0), -1);
    assert_true(hie_str_eqz(hie_hl7_type(m), "ADT^A01"));
    assert_true(hie_str_eqz(hie_hl7_control_id(m), "ID1"));
    value(m, "MSH", 1, 0, 1, 1, "|");
    value(m, "MSH", 2, 0, 1, 1, "^~\\&");
    value(m, "MSH", 2, 1, 1, 1, NULL);
    value(m, "MSH", 2, 0, 2, 1, NULL);
    value(m, "MSH", 3, 0, 1, 1, "APP");
    value(m, "MSH", 9, 0, 3, 1, "ADT_A01");
    value(m, "PID", 1, 0, 1, 1, "1");
    value(m, "PID", 2, 0, 1, 1, NULL);
    value(m, "PID", 3, 0, 1, 1, "A");
    value(m, "PID", 3, 0, 4, 1, "H");
    value(m, "PID", 3, 0, 4, 2, "1.2");
    value(m, "PID", 3, 0, 4, 3, "ISO");
    value(m, "PID", 3, 0, 4, 4, NULL);
    value(m, "PID", 3, 1, 1, 1, "B");
    value(m, "PID", 3, 2, 1, 1, NULL);
    value(m, "PID", 5, 0, 1, 2, "E");
    value(m, "PID", 5, 0, 2, 1, "");
    value(m, "PID", 6, 0, 1, 1, "");
    value(m, "PID", 7, 0, 1, 1, NULL);
    value(m, "PID", 99, 0, 1, 1, NULL);
    value(m, "PID", 0, 0, 1, 1, NULL);
    value(m, "PID", 3, -1, 1, 1, NULL);
    value(m, "PID", 3, 0, 0, 1, NULL);
    value(m, "ZZ1", 1, 0, 1, 1, NULL);
    value(m, "PV1", 1, 0, 1, 1, NULL);
    assert_int_equal(hie_hl7_repeats(m, 1, 3), 2);
    assert_int_equal(hie_hl7_repeats(m, 1, 2), 0);
    assert_int_equal(hie_hl7_repeats(m, 1, 40), 0);
    assert_int_equal(hie_hl7_repeats(m, 0, 2), 1);
}


static void
test_line_ends(void **state)
{
    static const char *const  ends[] = { "\r", "\n", "\r\n", "\n\n",
                                         "\r\r\n" };
    size_t                    i;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        hie_buf_t   b;
        hie_hl7_t  *m;

        hie_buf_init(&b, pool, 64);
        hie_buf_addf(&b, "%s" MSH "|||%sEVN|A01||%sPID|1||X|||%s", ends[i],
                     ends[i], ends[i], ends[i]);
        m = parse(hie_buf_str(&b));
        assert_int_equal(hie_hl7_segments(m), 3);
        value(m, "EVN", 1, 0, 1, 1, "A01");
        value(m, "PID", 3, 0, 1, 1, "X");
        value(m, "PID", 6, 0, 1, 1, NULL);
    }
    /* a line feed in a field, which is no segment */
    value(PARSE(MSH "\rOBX|1|TX|||line 1\nline 2|x\r"), "OBX", 5, 0, 1, 1,
          "line 1\nline 2");
    assert_int_equal(hie_hl7_segments(PARSE(MSH)), 1);
    assert_int_equal(hie_hl7_segments(PARSE(MSH "\rPV1\r")), 2);
}


static void
test_delimiters(void **state)
{
    hie_hl7_t  *m;

    m = PARSE("MSH#*!\\%#a#b#########\rPID#1##A*B%C!D\\S\\E\\T\\\\R\\\\F\\\r");
    value(m, "PID", 3, 0, 2, 2, "C");
    value(m, "PID", 3, 1, 1, 1, "D*E%!#");
    m = PARSE("MSH|^~\\&#|a\rPID|1|x\\P\\y");
    value(m, "PID", 2, 0, 1, 1, "x#y");
    value(m, "MSH", 2, 0, 1, 1, "^~\\&#");
    m = PARSE("MSH|^~}|a\rPID|1|x&y}F}~z");
    value(m, "PID", 2, 0, 1, 1, "x&y|");
    value(m, "PID", 2, 1, 1, 1, "z");
    m = PARSE("MSH|^|a\rPID|1|x~y\\F\\^z");
    value(m, "PID", 2, 0, 1, 1, "x~y\\F\\");
    value(m, "PID", 2, 0, 2, 1, "z");
    assert_int_equal(hie_hl7_repeats(m, 1, 2), 1);
    refused(HIE_STR("MSH||a|b"), HIE_INVALID, "MSH^1^2");
    refused(HIE_STR("MSH|^~\\\\&|a"), HIE_INVALID, "MSH^1^2");
    refused(HIE_STR("MSH|^~\\&#!|a"), HIE_INVALID, "MSH^1^2");
    refused(HIE_STR("MSH|^-\\&|a"), HIE_INVALID, "MSH^1^2");
    refused(HIE_STR("MSH.^~\\&.a"), HIE_INVALID, "MSH^1^1");
    refused(HIE_STR("MSH|AB|a"), HIE_INVALID, "MSH^1^2");
    refused(HIE_STR("MSH ^~\\& "), HIE_INVALID, "MSH^1^1");
    refused(HIE_STR("MSHA^~\\&A"), HIE_INVALID, "MSH^1^1");
}


static void
test_refused(void **state)
{
    refused(HIE_STR(""), HIE_INVALID, "MSH^1");
    refused(HIE_STR_NONE, HIE_INVALID, "MSH^1");
    refused(HIE_STR("\r\n \r"), HIE_INVALID, "MSH^1");
    refused(HIE_STR("PID|1"), HIE_INVALID, "MSH^1");
    refused(HIE_STR("MSH|"), HIE_INVALID, "MSH^1");
    refused(HIE_STR("FHS|^~\\&|a\rBHS|^~\\&\r" MSH), HIE_UNSUPPORTED,
            "MSH^1");
    refused(HIE_STR("BHS|^~\\&|a\r" MSH), HIE_UNSUPPORTED, "MSH^1");
    refused(HIE_STR(MSH "\r" MSH "\r"), HIE_INVALID, "MSH^2");
    refused(HIE_STR(MSH "\rpid|1\r"), HIE_INVALID, "");
    refused(HIE_STR(MSH "\rPIDX|1\r"), HIE_INVALID, "");
    refused(HIE_STR(MSH "\rP|1\r"), HIE_INVALID, "");
    refused(HIE_STR(MSH "\rPID|\0\r"), HIE_INVALID, "");
}


/* Repetitions beyond reason, but as many lines of text as there are. */
static void
test_repetitions(void **state)
{
    hie_buf_t   b;
    int         i;
    hie_hl7_t  *m;

    hie_buf_init(&b, pool, 4096);
    hie_buf_addz(&b, MSH "\rOBX|1|TX|||");
    for (i = 0; i < 2000; i++) {
        hie_buf_addz(&b, "x~");
    }
    m = parse(hie_buf_str(&b));
    assert_int_equal(hie_hl7_repeats(m, 1, 5), 2001);
    memcpy(b.ptr + sizeof(MSH), "ZZX", 3);
    refused(hie_buf_str(&b), HIE_INVALID, "");
}


static void
escapes(const char *raw, const char *want)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, 64);
    hie_buf_addf(&b, MSH "\rNTE|1||%s\r", raw);
    value(parse(hie_buf_str(&b)), "NTE", 3, 0, 1, 1, want);
}


static void
test_escapes(void **state)
{
    escapes("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f");
    escapes("\\.br\\x\\.br\\", "\nx\n");
    escapes("\\X41\\\\X0D0A\\", "A\r\n");
    escapes("\\XC3A4\\", "\xc3\xa4");
    escapes("\\XE4\\", "\\XE4\\");
    escapes("\\X00\\", "\\X00\\");
    escapes("\\X4\\\\X4G\\\\X\\", "\\X4\\\\X4G\\\\X\\");
    escapes("\\H\\bold\\N\\", "\\H\\bold\\N\\");
    escapes("\\Zlocal\\x\\C2842\\", "\\Zlocal\\x\\C2842\\");
    escapes("a\\b", "a\\b");
    escapes("a\\", "a\\");
    escapes("\\\\", "\\\\");
    escapes("\\P\\", "\\P\\");
}


static void
test_charsets(void **state)
{
    value(PARSE(MSH18("8859/1") "\rPID|||M\xfcller"), "PID", 3, 0, 1, 1,
          "M\xc3\xbcller");
    value(PARSE(MSH18("8859/15") "\rPID|||\xa4"), "PID", 3, 0, 1, 1,
          "\xe2\x82\xac");
    value(PARSE(MSH18("8859/5") "\rPID|||\xbf"), "PID", 3, 0, 1, 1,
          "\xd0\x9f");
    value(PARSE(MSH18("UNICODE UTF-8") "\rPID|||\xc3\xbc"), "PID", 3, 0, 1,
          1, "\xc3\xbc");
    value(PARSE(MSH18("UNICODE") "\rPID|||\xc3\xbc"), "PID", 3, 0, 1, 1,
          "\xc3\xbc");
    value(PARSE(MSH "\rPID|||\xc3\xbc"), "PID", 3, 0, 1, 1, "\xc3\xbc");
    value(PARSE("\xef\xbb\xbf" MSH "\rPID|||x"), "PID", 3, 0, 1, 1, "x");
    /* delimiter values inside of characters */
    value(PARSE(MSH18("GB 18030-2000") "\rPID|||\x81\x7c|y"), "PID", 4, 0, 1,
          1, "y");
    value(PARSE(MSH18("BIG-5") "\rPID|||\xa4\x5c\xa4\x7e"), "PID", 3, 0, 1,
          1, "\xe4\xb9\x88\xe6\x89\x8d");
    value(PARSE(MSH18("~ISO IR87") "\rPID|||\x1b$B;3\x1b(B^x"), "PID", 3, 0,
          1, 1, "\xe5\xb1\xb1");
    value(PARSE(MSH18("ISO IR14") "\rPID|||\xb1^\\S\\"), "PID", 3, 0, 2, 1,
          "^");
    value(PARSE(MSH18("KS X 1001") "\rPID|||\xb0\xa1"), "PID", 3, 0, 1, 1,
          "\xea\xb0\x80");
    value(PARSE(MSH18("8859/1~UNICODE UTF-8") "\rPID|||\xfc"), "PID", 3, 0,
          1, 1, "\xc3\xbc");
}


static void
test_charsets_refused(void **state)
{
    refused(HIE_STR(MSH "\rPID|||M\xfcller"), HIE_INVALID, "MSH^1^18");
    refused(HIE_STR(MSH18("ASCII") "\rPID|||\xfc"), HIE_INVALID, "MSH^1^18");
    refused(HIE_STR(MSH18("UNICODE UTF-8") "\rPID|||\xfc"), HIE_INVALID,
            "MSH^1^18");
    refused(HIE_STR(MSH18("WINDOWS") "\rPID|||x"), HIE_INVALID, "MSH^1^18");
    refused(HIE_STR(MSH18("8859/6") "\rPID|||\xff"), HIE_INVALID,
            "MSH^1^18");
    refused(HIE_STR(MSH18("UNICODE UTF-16")), HIE_UNSUPPORTED, "MSH^1^18");
    refused(HIE_STR(MSH18("UNICODE UTF-32")), HIE_UNSUPPORTED, "MSH^1^18");
    refused(HIE_STR("\xff\xfeM\0S\0H\0|\0"), HIE_UNSUPPORTED, "MSH^1^18");
    refused(HIE_STR("\xfe\xff\0M\0S"), HIE_UNSUPPORTED, "MSH^1^18");
    refused(HIE_STR("M\0S\0H\0"), HIE_UNSUPPORTED, "MSH^1^18");
    refused(HIE_STR("\0\0\0M"), HIE_UNSUPPORTED, "MSH^1^18");
    /* a separator in a character before MSH-18: the header does not agree */
    refused(HIE_STR("MSH|^~\\&|\x81\x7c|||||||||||||||GB 18030-2000"),
            HIE_INVALID, "MSH^1^18");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delimiters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repetitions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_charsets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_charsets_refused, setup,
                                        teardown),
    };
    int                      rc;

    apr_initialize();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rc;
}
