/*
 * The primitive types (R4 section 2.24.0.1): one function for each form,
 * without a regular expression.
 */

#include <string.h>

#include "validation/private.h"

#define STRING_MAX  (1024 * 1024)

/* Character classes. */
enum { SPACE = 1, CONTROL = 2, DIGIT = 4, HEX = 8, ID = 16, BASE64 = 32 };

#define D   (DIGIT | HEX | ID | BASE64)
#define X   (HEX | ID | BASE64)
#define L   (ID | BASE64)

static const uint8_t  classes[256] = {
    2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 3, 3, 1, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    [' '] = SPACE, ['+'] = BASE64, ['-'] = ID, ['.'] = ID, ['/'] = BASE64,
    ['0'] = D, D, D, D, D, D, D, D, D, D,
    ['A'] = L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L,
    ['a'] = X, X, X, X, X, X, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L
};

#undef D
#undef X
#undef L


static bool
is(char c, unsigned class)
{
    return (classes[(unsigned char) c] & class) != 0;
}


/* All bytes are of none of the classes. */
static bool
none(hie_str_t s, unsigned class)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (classes[(unsigned char) s.ptr[i]] & class) {
            return false;
        }
    }

    return true;
}


/* `n` digits at `at`, or -1. */
static int
digits(hie_str_t s, size_t at, size_t n)
{
    int     value = 0;
    size_t  i;

    if (at + n > s.len) {
        return -1;
    }

    for (i = at; i < at + n; i++) {
        if (!is(s.ptr[i], DIGIT)) {
            return -1;
        }

        value = value * 10 + s.ptr[i] - '0';
    }

    return value;
}


/* YYYY, YYYY-MM or YYYY-MM-DD at the start, a day of the calendar. Bytes that
 * were read, or 0. */
static size_t
date_part(hie_str_t s)
{
    static const uint8_t  days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
                                     30, 31 };
    int                   year, month, day, last;

    year = digits(s, 0, 4);
    if (year < 1) {
        return 0;
    }

    if (s.len == 4 || s.ptr[4] != '-') {
        return 4;
    }

    month = digits(s, 5, 2);
    if (month < 1 || month > 12) {
        return 0;
    }

    if (s.len == 7 || s.ptr[7] != '-') {
        return 7;
    }

    last = days[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last = 29;
    }

    day = digits(s, 8, 2);

    return day >= 1 && day <= last ? 10 : 0;
}


/* hh:mm:ss with a fraction or without, at `at`. Where it ends, or 0. The
 * second 60 is a leap second. */
static size_t
time_part(hie_str_t s, size_t at)
{
    int  hour, minute, second;

    hour = digits(s, at, 2);
    minute = digits(s, at + 3, 2);
    second = digits(s, at + 6, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
        || second > 60 || s.ptr[at + 2] != ':' || s.ptr[at + 5] != ':')
    {
        return 0;
    }

    at += 8;
    if (at == s.len || s.ptr[at] != '.') {
        return at;
    }

    if (digits(s, ++at, 1) < 0) {
        return 0;
    }

    while (at < s.len && is(s.ptr[at], DIGIT)) {
        at++;
    }

    return at;
}


/* Z or +hh:mm up to 14:00, to the end. */
static bool
zone_part(hie_str_t s, size_t at)
{
    int  hour, minute;

    if (at + 1 == s.len && s.ptr[at] == 'Z') {
        return true;
    }

    if (at + 6 != s.len || (s.ptr[at] != '+' && s.ptr[at] != '-')
        || s.ptr[at + 3] != ':')
    {
        return false;
    }

    hour = digits(s, at + 1, 2);
    minute = digits(s, at + 4, 2);

    return hour >= 0 && minute >= 0 && minute <= 59
           && (hour < 14 || (hour == 14 && minute == 0));
}


static const char *
date_problem(hie_str_t s)
{
    size_t  n = date_part(s);

    return n > 0 && n == s.len ? NULL
           : "a date YYYY, YYYY-MM or YYYY-MM-DD of the calendar";
}


static bool
is_instant(hie_str_t s)
{
    size_t  at;

    if (date_part(s) != 10 || s.len == 10 || s.ptr[10] != 'T') {
        return false;
    }

    at = time_part(s, 11);

    return at > 0 && zone_part(s, at);
}


static const char *
date_time_problem(hie_str_t s)
{
    size_t  n = date_part(s);

    return (n > 0 && n == s.len) || is_instant(s) ? NULL
           : "a dateTime: a date, or YYYY-MM-DDThh:mm:ss with a time zone";
}


static const char *
time_problem(hie_str_t s)
{
    size_t  at = time_part(s, 0);

    return at > 0 && at == s.len ? NULL : "a time hh:mm:ss without a zone";
}


/* A lexeme of JSON already; no fraction, no exponent, no minus zero, and 32
 * bits. */
static const char *
integer_problem(hie_str_t s, int64_t least)
{
    static const char *const  expected[] = {
        "an integer of 32 bits", "an unsignedInt (0 to 2147483647)",
        "a positiveInt (1 to 2147483647)"
    };
    size_t                    i, sign;
    int64_t                   value = 0;
    const char               *problem;

    problem = expected[least < 0 ? 0 : least + 1];
    sign = s.len > 0 && s.ptr[0] == '-';
    if (s.len == sign || s.len > sign + 10
        || (sign && s.ptr[1] == '0'))
    {
        return problem;
    }

    for (i = sign; i < s.len; i++) {
        if (!is(s.ptr[i], DIGIT)) {
            return problem;
        }

        value = value * 10 + s.ptr[i] - '0';
    }

    value = sign ? -value : value;

    return value >= least && value <= INT32_MAX ? NULL : problem;
}


/* White space between the characters is allowed. */
static const char *
base64_problem(hie_str_t s)
{
    size_t  i, n = 0, pad = 0;

    for (i = 0; i < s.len; i++) {
        if (is(s.ptr[i], BASE64) && pad == 0) {
            n++;
        } else if (s.ptr[i] == '=') {
            pad++;
        } else if (!is(s.ptr[i], SPACE)) {
            return "base64";
        }
    }

    return n > 0 && pad <= 2 && (n + pad) % 4 == 0 ? NULL
           : "base64, four characters for each three bytes";
}


static const char *
code_problem(hie_str_t s)
{
    size_t  i;
    bool    space = true;        /* the byte before is one, or the start */

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ' ? space : is(s.ptr[i], SPACE | CONTROL)) {
            break;
        }

        space = s.ptr[i] == ' ';
    }

    return i == s.len && !space ? NULL
           : "a code: no white space but single spaces between characters";
}


static const char *
oid_problem(hie_str_t s)
{
    static const char  problem[] = "an OID: urn:oid: and numbers with dots "
                                   "between";
    size_t             at = 9, arcs = 0;

    if (!hie_str_starts(s, "urn:oid:") || s.len < 11 || s.ptr[8] < '0'
        || s.ptr[8] > '2')
    {
        return problem;
    }

    while (at < s.len) {
        if (s.ptr[at++] != '.' || digits(s, at, 1) < 0
            || (s.ptr[at] == '0' && digits(s, at + 1, 1) >= 0))
        {
            return problem;
        }

        while (at < s.len && is(s.ptr[at], DIGIT)) {
            at++;
        }

        arcs++;
    }

    return arcs > 0 ? NULL : problem;
}


static const char *
uuid_problem(hie_str_t s)
{
    static const char  problem[] = "a UUID: urn:uuid: and lower case "
                                   "hexadecimal digits, 8-4-4-4-12";
    size_t             i;

    if (s.len != 9 + 36 || !hie_str_starts(s, "urn:uuid:")) {
        return problem;
    }

    for (i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23
            ? s.ptr[9 + i] != '-' : !is(s.ptr[9 + i], HEX))
        {
            return problem;
        }
    }

    return NULL;
}


/* RFC 3986 in full would refuse what systems exchange; the rule of the
 * specification is that there is no white space. */
static const char *
uri_problem(hie_str_t s)
{
    if (s.len == 0 || !none(s, SPACE | CONTROL)) {
        return "a URI without white space";
    }

    return s.ptr[0] == 'u' && hie_str_starts(s, "urn:oid:") ? oid_problem(s)
           : NULL;
}


static const char *
id_problem(hie_str_t s)
{
    return hie_fhir_is_id(s) ? NULL
           : "an id: 1 to 64 of A-Z a-z 0-9 - .";
}


static const char *
string_problem(hie_str_t s)
{
    size_t  i;

    if (s.len > STRING_MAX) {
        return "a string of at most 1048576 characters";
    }

    for (i = 0; i < s.len; i++) {
        if (is(s.ptr[i], CONTROL)) {
            return "a string without control characters";
        }
    }

    return NULL;
}


hie_node_kind_t
hie_primitive_kind(hie_type_t type)
{
    switch (type) {
    case HIE_TYPE_decimal:
    case HIE_TYPE_integer:
    case HIE_TYPE_unsignedInt:
    case HIE_TYPE_positiveInt:
        return HIE_NODE_NUMBER;
    case HIE_TYPE_boolean:
        return HIE_NODE_TRUE;
    default:
        return HIE_NODE_STRING;
    }
}


const char *
hie_primitive_problem(hie_type_t type, hie_str_t s)
{
    hie_str_t  version;

    if (s.len == 0) {
        return "a value that is not empty";
    }

    switch (type) {
    case HIE_TYPE_base64Binary:
        return base64_problem(s);
    case HIE_TYPE_code:
        return code_problem(s);
    case HIE_TYPE_date:
        return date_problem(s);
    case HIE_TYPE_dateTime:
        return date_time_problem(s);
    case HIE_TYPE_id:
        return id_problem(s);
    case HIE_TYPE_instant:
        return is_instant(s) ? NULL
               : "an instant YYYY-MM-DDThh:mm:ss with a time zone";
    case HIE_TYPE_integer:
        return integer_problem(s, INT32_MIN);
    case HIE_TYPE_unsignedInt:
        return integer_problem(s, 0);
    case HIE_TYPE_positiveInt:
        return integer_problem(s, 1);
    case HIE_TYPE_oid:
        return oid_problem(s);
    case HIE_TYPE_time:
        return time_problem(s);
    case HIE_TYPE_uuid:
        return uuid_problem(s);
    case HIE_TYPE_uri:
    case HIE_TYPE_url:
        return uri_problem(s);
    case HIE_TYPE_canonical:
        version = HIE_STR_NONE;
        s = hie_str_split(s, '|', &version);
        return none(version, SPACE | CONTROL) ? uri_problem(s)
               : "a canonical URL without white space";
    case HIE_TYPE_string:
    case HIE_TYPE_markdown:
        return string_problem(s);
    default:
        return NULL;        /* boolean, decimal: JSON has said it all */
    }
}
