/*
 * Character sets: HL7 table 0211, MSH-18. The bytes are decoded before they
 * are split, since sets of several bytes (GB 18030, Big-5) may hold a
 * delimiter inside a character. What cannot be decoded is refused: a name
 * with a wrong letter is worse than a message that is sent again.
 */

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "hl7v2/message.h"

typedef struct {
    const char *name;       /* table 0211 */
    const char *iconv;      /* NULL: UTF-8 already; "": refused */
} charset_t;

/* JIS X 0208 and 0212 are code sets of ISO 2022, reached by escape sequences
 * from ASCII. JIS X 0201 is read by its superset that keeps 0x5C and 0x7E as
 * in ASCII: they are delimiters. UNICODE without a form is read as UTF-8, and
 * "UTF-8" (not in the table, yet sent) can mean one thing only. */
static const charset_t charsets[] = {
    { "ASCII",           "US-ASCII" },
    { "ISO IR6",         "US-ASCII" },
    { "8859/1",          "ISO-8859-1" },
    { "8859/2",          "ISO-8859-2" },
    { "8859/3",          "ISO-8859-3" },
    { "8859/4",          "ISO-8859-4" },
    { "8859/5",          "ISO-8859-5" },
    { "8859/6",          "ISO-8859-6" },
    { "8859/7",          "ISO-8859-7" },
    { "8859/8",          "ISO-8859-8" },
    { "8859/9",          "ISO-8859-9" },
    { "8859/15",         "ISO-8859-15" },
    { "ISO IR14",        "CP932" },
    { "ISO IR87",        "ISO-2022-JP" },
    { "ISO IR159",       "ISO-2022-JP-2" },
    { "GB 18030-2000",   "GB18030" },
    { "KS X 1001",       "EUC-KR" },
    { "CNS 11643-1992",  "EUC-TW" },
    { "BIG-5",           "BIG5" },
    { "UNICODE UTF-8",   NULL },
    { "UNICODE",         NULL },
    { "UTF-8",           NULL },
    { "UNICODE UTF-16",  "" },
    { "UNICODE UTF-32",  "" },
    { NULL, NULL }
};


/* UTF-16 and UTF-32 hold the bytes of the framing (0x0B, 0x1C, 0x0D) inside
 * of characters: MLLP release 1 cannot carry them. */
hie_rc_t
hie_hl7_check_bytes(hie_str_t *bytes, hie_error_t *err)
{
    const char  *p = bytes->ptr;

    if (bytes->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        bytes->ptr += 3;
        bytes->len -= 3;
        return hie_hl7_check_bytes(bytes, err);
    }
    if (bytes->len >= 2
        && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0
            || memcmp(p, "M\0", 2) == 0 || memcmp(p, "\0M", 2) == 0
            || memcmp(p, "\0\0", 2) == 0))
    {
        return hie_fail(err, HIE_UNSUPPORTED, "MSH^1^18",
                        "UTF-16 and UTF-32 cannot be sent over MLLP; use "
                        "UNICODE UTF-8");
    }
    if (bytes->len > 0 && memchr(p, 0, bytes->len) != NULL) {
        return hie_fail(err, HIE_INVALID, "", "the message has a NUL byte");
    }
    return HIE_OK;
}


static const charset_t *
find(hie_str_t name)
{
    const charset_t  *c;

    for (c = charsets; c->name != NULL; c++) {
        if (hie_str_eqz(name, c->name)) {
            return c;
        }
    }
    return NULL;
}


/* No character of the sets above needs more than three times its bytes. */
static bool
convert(apr_pool_t *pool, hie_str_t in, const char *from, hie_str_t *out)
{
    iconv_t  cd = iconv_open("UTF-8", from);
    size_t   size = in.len * 3 + 16;
    size_t   left = size;
    size_t   todo = in.len;
    char    *buf;
    char    *to;
    char    *src = (char *) in.ptr;
    bool     ok;

    if (cd == (iconv_t) -1) {
        return false;
    }
    buf = to = apr_palloc(pool, size);
    ok = iconv(cd, &src, &todo, &to, &left) != (size_t) -1
         && iconv(cd, NULL, NULL, &to, &left) != (size_t) -1;
    iconv_close(cd);
    *out = (hie_str_t) { buf, size - left };
    return ok;
}


/* Later repetitions name sets for switching (HL7 v2.5 section 2.15.9.18). An
 * empty first one with ISO IR87 or ISO IR159 second is how Japanese senders
 * say ISO-2022-JP; others concern escape sequences, which are kept. */
static hie_str_t
effective(hie_str_t msh18, char repeat)
{
    hie_str_t  first = hie_hl7_part(msh18, repeat, 1);
    hie_str_t  second = hie_hl7_part(msh18, repeat, 2);

    if (hie_str_eqz(second, "ISO IR87") || hie_str_eqz(second, "ISO IR159")) {
        if (first.len == 0 || hie_str_eqz(first, "ASCII")
            || hie_str_eqz(first, "ISO IR6")
            || hie_str_eqz(first, "ISO IR14"))
        {
            return second;
        }
    }
    return first;
}


hie_rc_t
hie_hl7_to_utf8(apr_pool_t *pool, hie_str_t bytes, hie_str_t msh18,
                char repeat, hie_str_t *out, hie_error_t *err)
{
    hie_str_t         name = effective(msh18, repeat);
    const charset_t  *c = NULL;

    *out = bytes;
    if (name.len > 0) {
        c = find(name);
        if (c == NULL) {
            return hie_fail(err, HIE_INVALID, "MSH^1^18",
                            "MSH-18 (character set) is not of table 0211");
        }
    }
    if (c == NULL || c->iconv == NULL) {
        if (!hie_utf8_valid(bytes)) {
            return hie_fail(err, HIE_INVALID, "MSH^1^18",
                            c == NULL ? "MSH-18 (character set) is empty and "
                            "the message is not UTF-8"
                            : "MSH-18 says UTF-8 and the message is not");
        }
        return HIE_OK;
    }
    if (c->iconv[0] == '\0') {
        return hie_fail(err, HIE_UNSUPPORTED, "MSH^1^18",
                        "%s cannot be sent over MLLP; use UNICODE UTF-8",
                        c->name);
    }
    if (!convert(pool, bytes, c->iconv, out) || !hie_utf8_valid(*out)
        || memchr(out->ptr, 0, out->len) != NULL)
    {
        return hie_fail(err, HIE_INVALID, "MSH^1^18",
                        "the message is not in the character set of MSH-18 "
                        "(%s)", c->name);
    }
    return HIE_OK;
}
