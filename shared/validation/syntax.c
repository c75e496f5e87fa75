/*
 * Code systems that are a grammar, or a register that grows without the
 * specification: their codes are judged by form. A code that is well formed
 * and not registered is accepted.
 *
 *   MIME       BCP 13 (RFC 6838 section 4.2, parameters of RFC 9110 section
 *              5.6.6); and what CapabilityStatement.format names in short
 *   LANGUAGE   BCP 47 (RFC 5646 section 2.1), by length and alphabet of the
 *              subtags
 *   CURRENCY   ISO 4217: three capital letters
 *   UCUM       by the room of that name
 */

#include <string.h>

#include "ucum/ucum.h"
#include "validation/validator.h"


static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}


static bool
is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}


/* A restricted-name of RFC 6838. */
static bool
is_mime_name(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!is_alnum(s.ptr[i])
            && (i == 0 || strchr("!#$&-^_.+*", s.ptr[i]) == NULL))
        {
            return s.len == 1 && s.ptr[0] == '*';
        }
    }

    return s.len > 0 && s.len <= 127;
}


static bool
is_mime(hie_str_t s)
{
    hie_str_t  parameters, subtype;

    if (hie_str_eqz(s, "xml") || hie_str_eqz(s, "json")
        || hie_str_eqz(s, "ttl"))
    {
        return true;
    }

    s = hie_str_trim(hie_str_split(s, ';', &parameters));
    s = hie_str_split(s, '/', &subtype);

    return is_mime_name(s) && subtype.ptr != NULL && is_mime_name(subtype)
           && (parameters.ptr == NULL
               || memchr(parameters.ptr, '=', parameters.len) != NULL);
}


static bool
is_language(hie_str_t s)
{
    hie_str_t  rest = s, tag;
    size_t     i, n = 0;

    while (rest.ptr != NULL) {
        tag = hie_str_split(rest, '-', &rest);
        if (tag.len == 0 || tag.len > 8) {
            return false;
        }

        for (i = 0; i < tag.len; i++) {
            if (n == 0 ? !is_alpha(tag.ptr[i]) : !is_alnum(tag.ptr[i])) {
                return false;
            }
        }

        /* privately used, and what was registered before the grammar */
        if (n++ == 0 && tag.len == 1
            && ((tag.ptr[0] | 0x20) != 'x' || rest.ptr == NULL)
            && ((tag.ptr[0] | 0x20) != 'i' || rest.ptr == NULL))
        {
            return false;
        }
    }

    return true;
}


static bool
is_currency(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < 'A' || s.ptr[i] > 'Z') {
            return false;
        }
    }

    return s.len == 3;
}


static bool
is_ucum(hie_str_t s)
{
    hie_ucum_unit_t  unit;

    return hie_ucum_parse(s, &unit, NULL) == HIE_OK;
}


const char *
hie_syntax_system(uint8_t syntax)
{
    static const char *const  systems[] = {
        NULL, "urn:ietf:bcp:13", "urn:ietf:bcp:47",
        "http://unitsofmeasure.org", "urn:iso:std:iso:4217"
    };

    return systems[syntax];
}


bool
hie_syntax_has(uint8_t syntax, hie_str_t code)
{
    switch (syntax) {
    case HIE_SYNTAX_MIME:
        return is_mime(code);
    case HIE_SYNTAX_LANGUAGE:
        return is_language(code);
    case HIE_SYNTAX_UCUM:
        return is_ucum(code);
    case HIE_SYNTAX_CURRENCY:
        return is_currency(code);
    default:
        return false;
    }
}
