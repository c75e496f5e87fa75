/*
 * The formats of the primitive types, by what the specification says of each
 * (R4 section 2.24.0.1).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "validation/private.h"

typedef struct {
    hie_type_t          type;
    const char *const  *good;
    const char *const  *bad;
} row_t;

#define LIST(...)  (const char *const []) { __VA_ARGS__, NULL }

static const row_t  rows[] = {
    { HIE_TYPE_date,
      LIST("2024", "0001", "9999", "2024-01", "2024-12", "2024-02-29",
           "2000-02-29", "2023-02-28", "2023-12-31"),
      LIST("0000", "24", "20240", "2024-", "2024-00", "2024-13", "2024-1",
           "2024-01-", "2024-01-00", "2024-01-32", "2023-02-29",
           "1900-02-29", "2024-04-31", "2024-01-1", "2024/01/01",
           "2024-01-01T", "2024-01-01T00:00:00Z", " 2024", "2024 ", "abcd",
           "2024-01-01-01") },
    { HIE_TYPE_dateTime,
      LIST("2024", "2024-05", "2024-05-06", "2024-05-06T07:08:09Z",
           "2024-05-06T07:08:09.1Z", "2024-05-06T07:08:09.123456789+14:00",
           "2024-05-06T23:59:60-13:59", "2024-05-06T00:00:00-00:00"),
      LIST("2024-05-06T07:08:09", "2024-05-06T07:08Z", "2024-05-06T07Z",
           "2024-05-06T24:00:00Z", "2024-05-06T07:60:00Z",
           "2024-05-06T07:08:61Z", "2024-05-06T07:08:09.Z",
           "2024-05-06T07:08:09+14:01", "2024-05-06T07:08:09+15:00",
           "2024-05-06T07:08:09+0100", "2024-05-06T07:08:09z",
           "2024-05-06t07:08:09Z", "2024-05-06 07:08:09Z",
           "2024-02-30T07:08:09Z", "2024-05T07:08:09Z",
           "2024-05-06T07:08:09ZZ", "2024-05-06T", "2024-05-06T07:08:09+01:",
           "2024-05-06T07-08-09Z") },
    { HIE_TYPE_instant,
      LIST("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000-05:00"),
      LIST("2024", "2024-05-06", "2024-05-06T07:08:09",
           "2024-05-06T07:08Z") },
    { HIE_TYPE_time,
      LIST("00:00:00", "23:59:59", "12:30:00.5", "12:30:60"),
      LIST("24:00:00", "12:30", "12:30:00Z", "12:30:00.", "1:30:00",
           "12:30:00+01:00", "12.30.00") },
    { HIE_TYPE_integer,
      LIST("0", "-1", "2147483647", "-2147483648", "10"),
      LIST("2147483648", "-2147483649", "-0", "1.0", "1e3", "99999999999") },
    { HIE_TYPE_unsignedInt,
      LIST("0", "1", "2147483647"), LIST("-1", "2147483648", "0.5") },
    { HIE_TYPE_positiveInt,
      LIST("1", "2147483647"), LIST("0", "-1", "2147483648", "1E0") },
    { HIE_TYPE_decimal, LIST("0", "-1.50", "1e-9"), LIST("") },
    { HIE_TYPE_code,
      LIST("a", "a b c", "final", "\u00e4"),
      LIST(" a", "a ", "a  b", " ", "a\nb", "a\tb", "") },
    { HIE_TYPE_id,
      LIST("a", "A-1.b",
           "0123456789012345678901234567890123456789012345678901234567890123"),
      LIST("a_b", "a b", "",
           "01234567890123456789012345678901234567890123456789012345678901234"
           ) },
    { HIE_TYPE_oid,
      LIST("urn:oid:1.2.3", "urn:oid:2.16.840.1.113883", "urn:oid:0.0"),
      LIST("1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.", "urn:oid:1.02",
           "urn:oid:1..2", "urn:oid:1.2.", "urn:oid:", "urn:oid:1.a",
           "URN:OID:1.2") },
    { HIE_TYPE_uuid,
      LIST("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
      LIST("c757873d-ec9a-4326-a141-556f43239520",
           "urn:uuid:c757873d-ec9a-4326-a141-556f4323952",
           "urn:uuid:c757873dxec9a-4326-a141-556f43239520",
           "urn:uuid:g757873d-ec9a-4326-a141-556f43239520") },
    { HIE_TYPE_uri,
      LIST("http://a/b?c#d", "urn:oid:1.2", "a", "#b", "\u00e4"),
      LIST("", "a b", " a", "a\n", "urn:oid:1.02", "urn:oid:x") },
    { HIE_TYPE_url, LIST("mailto:a@b", "https://a"), LIST("a b", "") },
    { HIE_TYPE_canonical,
      LIST("http://a|1.0", "#b", "urn:oid:1.2|4.0.1"),
      LIST("|1.0", "http://a|1 0", "urn:oid:1.02|1") },
    { HIE_TYPE_base64Binary,
      LIST("AAAA", "AA==", "AAA=", "AA AA", "AAAA\nBBBB\n"),
      LIST("A", "AA", "AAA", "AA=", "A===", "AA=A", "AA-_", "    ", "====",
           "AAAAA") },
    { HIE_TYPE_string,
      LIST("a", " ", "a\nb\tc\r", "\u00e4"), LIST("", "a\vb", "\x01") },
    { HIE_TYPE_markdown, LIST("# a"), LIST("", "\x1b") },
};


static void
test_formats(void **state)
{
    size_t              i;
    const char *const  *s;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (s = rows[i].good; *s != NULL; s++) {
            if (hie_primitive_problem(rows[i].type, hie_str(*s)) != NULL) {
                fail_msg("%s: '%s' is refused", hie_types[rows[i].type].name,
                         *s);
            }
        }

        for (s = rows[i].bad; *s != NULL; s++) {
            if (hie_primitive_problem(rows[i].type, hie_str(*s)) == NULL) {
                fail_msg("%s: '%s' is accepted",
                         hie_types[rows[i].type].name, *s);
            }
        }
    }
}


/* Every primitive type but boolean and xhtml has its rows. */
static void
test_all_types(void **state)
{
    size_t  i, t, n = 0;

    for (t = 1; t < hie_n_types; t++) {
        if (hie_types[t].kind == HIE_KIND_PRIMITIVE) {
            for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                n += rows[i].type == t;
            }
        }
    }

    assert_int_equal(n, 18);
}


static void
test_kinds(void **state)
{
    assert_int_equal(hie_primitive_kind(HIE_TYPE_decimal), HIE_NODE_NUMBER);
    assert_int_equal(hie_primitive_kind(HIE_TYPE_integer), HIE_NODE_NUMBER);
    assert_int_equal(hie_primitive_kind(HIE_TYPE_boolean), HIE_NODE_TRUE);
    assert_int_equal(hie_primitive_kind(HIE_TYPE_instant), HIE_NODE_STRING);
}


/* A byte more than the longest string. */
static void
test_long_string(void **state)
{
    static char  text[1024 * 1024 + 1];

    memset(text, 'x', sizeof(text));
    assert_null(hie_primitive_problem(HIE_TYPE_string, (hie_str_t) {
        text, sizeof(text) - 1 }));
    assert_non_null(hie_primitive_problem(HIE_TYPE_string, (hie_str_t) {
        text, sizeof(text) }));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_all_types),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_long_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
