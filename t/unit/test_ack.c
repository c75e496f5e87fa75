/* hl7v2: acknowledgements, of sound messages and of garbage. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_general.h>

#include "hl7v2/hl7v2.h"

#define NOW  apr_time_from_sec(1704164645)      /* 2024-01-02 03:04:05 UTC */

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


static hie_error_t
error(hie_rc_t rc, const char *where, const char *detail)
{
    hie_error_t  e = { .rc = 0 };

    hie_fail(&e, rc, where, "%s", detail);
    return e;
}


static void
acked(hie_str_t message, hie_ack_t code, const hie_error_t *err,
      const char *want)
{
    hie_str_t  ack = hie_hl7_ack(pool, message, code, err, NOW, "C1");

    if (!hie_str_eqz(ack, want)) {
        fail_msg("%.*s\nis not\n%s", HIE_PRISTR(ack), want);
    }
}


static void
test_accept(void **state)
{
    acked(HIE_STR("MSH|^~\\&|A^1.2^ISO|B&x|C|D~E|20240101||ADT^A01^ADT_A01|"
                  "M 1|T^A|2.5.1^USA|\rPID|1\r"), HIE_ACK_AA, NULL,
          "MSH|^~\\&|C|D~E|A^1.2^ISO|B&x|20240102030405+0000||ACK^A01^ACK|C1|"
          "T^A|2.5.1^USA\rMSA|AA|M 1\r");
    /* other delimiters, the truncation character, LF */
    acked(HIE_STR("MSH#*!\\%$#A#B#C#D###ORU*R01#7#P#2.7\nPID#1\n"),
          HIE_ACK_AA, NULL,
          "MSH#*!\\%$#C#D#A#B#20240102030405+0000##ACK*R01*ACK#C1#P#2.7\r"
          "MSA#AA#7\r");
    acked(HIE_STR("MSH|^|A|B|C|D|||ADT^A01|7|P|2.4"), HIE_ACK_AA, NULL,
          "MSH|^|C|D|A|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.4\r"
          "MSA|AA|7\r");
}


static void
test_versions(void **state)
{
    hie_error_t  e = error(HIE_UNPROCESSABLE, "PID^1^3", "no id");

    acked(HIE_STR("MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.1"), HIE_ACK_AE, &e,
          "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK|C1|P|2.1\r"
          "MSA|AE|7|no id\r");
    acked(HIE_STR("MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.3"), HIE_ACK_AE, &e,
          "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK^A01|C1|P|2.3\r"
          "MSA|AE|7|no id\r");
    acked(HIE_STR("MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.3.1"), HIE_ACK_AE, &e,
          "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.3.1\r"
          "MSA|AE|7|no id\r");
    acked(HIE_STR("MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5"), HIE_ACK_AE, &e,
          "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5\r"
          "MSA|AE|7\r"
          "ERR||PID^1^3|101^Required field missing^HL70357|E||||no id\r");
    acked(HIE_STR("MSH|^~\\&|A|B|C|D|||ADT|7||weird"), HIE_ACK_AE, &e,
          "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK|C1|P|weird\r"
          "MSA|AE|7\r"
          "ERR||PID^1^3|101^Required field missing^HL70357|E||||no id\r");
}


static void
test_conditions(void **state)
{
    static const struct {
        hie_rc_t     rc;
        const char  *where;
        const char  *err;
    } rows[] = {
        { HIE_INVALID, "MSH^1", "MSH^1|100^Segment sequence error" },
        { HIE_INVALID, "MSH^1^18", "MSH^1^18|102^Data type error" },
        { HIE_INVALID, "", "|102^Data type error" },
        { HIE_UNPROCESSABLE, "PID^1", "PID^1|100^Segment sequence error" },
        { HIE_UNPROCESSABLE, "PID^1^3", "PID^1^3|101^Required field missing" },
        { HIE_UNSUPPORTED, "MSH^1^9^1^1",
          "MSH^1^9^1^1|200^Unsupported message type" },
        { HIE_UNSUPPORTED, "MSH^1^9^1^2",
          "MSH^1^9^1^2|201^Unsupported event code" },
        { HIE_UNSUPPORTED, "MSH^1^11", "MSH^1^11|202^Unsupported processing "
          "id" },
        { HIE_UNSUPPORTED, "MSH^1^12", "MSH^1^12|203^Unsupported version id" },
        { HIE_UNSUPPORTED, "MSH^1^18", "MSH^1^18|103^Table value not found" },
        { HIE_BUSY, "", "|207^Application internal error" },
        { HIE_UNAVAILABLE, "", "|207^Application internal error" },
        { HIE_INTERNAL, "", "|207^Application internal error" },
        { HIE_INTERNAL, "Bundle.entry[0]", "|207^Application internal error" },
        { HIE_INTERNAL, "MS^1", "|207^Application internal error" },
    };
    size_t  i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hie_error_t  e = error(rows[i].rc, rows[i].where, "x");
        char         want[256];

        snprintf(want, sizeof(want), "MSH|^~\\&|||||20240102030405+0000||"
                 "ACK^A01^ACK|C1|P|2.5\rMSA|AR|7\rERR||%s^HL70357|E||||x\r",
                 rows[i].err);
        acked(HIE_STR("MSH|^~\\&|||||||ADT^A01|7|P|2.5"), HIE_ACK_AR, &e,
              want);
    }
}


static void
test_text(void **state)
{
    hie_error_t  e = error(HIE_INVALID, "", "a|b^c&d~e\\f\rMSA|AA|9\x1c\r");

    acked(HIE_STR("MSH|^~\\&|||||||ADT^A01|7|P|2.5"), HIE_ACK_AE, &e,
          "MSH|^~\\&|||||20240102030405+0000||ACK^A01^ACK|C1|P|2.5\rMSA|AE|7\r"
          "ERR|||102^Data type error^HL70357|E||||a\\F\\b\\S\\c\\T\\d\\R\\e"
          "\\E\\fMSA\\F\\AA\\F\\9\r");
    /* no escape character */
    e = error(HIE_INVALID, "", "a|b^c");
    acked(HIE_STR("MSH|^|||||||ADT^A01|7|P|2.5"), HIE_ACK_AE, &e,
          "MSH|^|||||20240102030405+0000||ACK^A01^ACK|C1|P|2.5\rMSA|AE|7\r"
          "ERR|||102^Data type error^HL70357|E||||a b c\r");
    /* control characters of the message do not come back */
    acked(HIE_STR("MSH|^~\\&|A\x1c|B\x0b|C\x01||||ADT^A01^x|7\x1c|P|2.5"),
          HIE_ACK_AA, NULL,
          "MSH|^~\\&|C||A|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5\r"
          "MSA|AA|7\r");
}


static void
test_charset(void **state)
{
    hie_error_t  e = error(HIE_INVALID, "", "M\xc3\xbcller");

    /* Latin 1 comes back as UTF-8, and says so */
    acked(HIE_STR("MSH|^~\\&|\xfc|B|||||ADT^A01|7|P|2.5||||||8859/1"),
          HIE_ACK_AA, NULL,
          "MSH|^~\\&|||\xc3\xbc|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5"
          "||||||UNICODE UTF-8\rMSA|AA|7\r");
    acked(HIE_STR("MSH|^~\\&||B|||||ADT^A01|7|P|2.5||||||8859/1"),
          HIE_ACK_AE, &e,
          "MSH|^~\\&||||B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5"
          "||||||UNICODE UTF-8\rMSA|AE|7\r"
          "ERR|||102^Data type error^HL70357|E||||M\xc3\xbcller\r");
    /* plain ASCII does not */
    acked(HIE_STR("MSH|^~\\&||B|||\xfc||ADT^A01|7|P|2.5||||||8859/1"),
          HIE_ACK_AA, NULL,
          "MSH|^~\\&||||B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5\r"
          "MSA|AA|7\r");
    /* undecodable */
    acked(HIE_STR("MSH|^~\\&|A\xfc|B|||||ADT^A01|7|P|2.5"), HIE_ACK_AE, NULL,
          "MSH|^~\\&|||A?|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5\r"
          "MSA|AE|7\r");
}


/* MSH-1 is enough to find the fields. */
static void
test_encoding_unusable(void **state)
{
    static const char *const  wrong[] = {
        "", "^~\\\\&", "^^", "^~\\&#!", "^a", "^~\\& "
    };
    char    message[128];
    size_t  i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(message, sizeof(message), "MSH|%s|A|B|C|D|||ADT^A01^ADT_A01|"
                 "M 1|P|2.5.1\rPID|1\r", wrong[i]);
        acked(hie_str(message), HIE_ACK_AE, NULL,
              "MSH|^~\\&|C|D|A|B|20240102030405+0000||ACK^A01^ACK|C1|P|2.5.1"
              "\rMSA|AE|M 1\r");
    }
    acked(HIE_STR("MSH#**#A#B#C#D###ADT*A01#7\r"), HIE_ACK_AE, NULL,
          "MSH#^~\\&#C#D#A#B#20240102030405+0000##ACK#C1#P#2.5\rMSA#AE#7\r");
    /* the recommended ones would repeat it */
    acked(HIE_STR("MSH^~~^A^B^C^D^^^ADT^7\r"), HIE_ACK_AE, NULL,
          "MSH|^~\\&|||||20240102030405+0000||ACK|C1|P|2.5\rMSA|AE|\r");
}


static void
test_garbage(void **state)
{
    static const char  header[] = "MSH|^~\\&|||||20240102030405+0000||ACK|C1|"
                                  "P|2.5\rMSA|AE|\r";
    hie_error_t        e = error(HIE_INVALID, "MSH^1", "no MSH");

    acked(HIE_STR(""), HIE_ACK_AE, NULL, header);
    acked(HIE_STR_NONE, HIE_ACK_AE, NULL, header);
    acked(HIE_STR("GET / HTTP/1.1\r\n"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("MSH"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("MSHx^~\\&xAxBxCxDxxxADTx7"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("\0\0\0\0"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("\xff\xfeM\0"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("FHS|^~\\&|A"), HIE_ACK_AE, NULL, header);
    acked(HIE_STR("x"), HIE_ACK_AE, &e,
          "MSH|^~\\&|||||20240102030405+0000||ACK|C1|P|2.5\rMSA|AE|\r"
          "ERR||MSH^1|100^Segment sequence error^HL70357|E||||no MSH\r");
    /* an event that is none of ours to repeat */
    acked(HIE_STR("MSH|^~\\&|||||||ADT^A~1|7"), HIE_ACK_AA, NULL,
          "MSH|^~\\&|||||20240102030405+0000||ACK|C1|P|2.5\rMSA|AA|7\r");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_accept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_charset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encoding_unusable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
    };
    int                      rc;

    apr_initialize();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rc;
}
