/*
 * What is told by the text of a resource, as it is stored, without parsing it.
 */

#include "fhir/doc.h"

#include <string.h>

#include <apr_lib.h>

#define REFERENCE  "\"reference\""


/* The next token, if it begins so. What is stored is well-formed. */
static inline bool
skip(hie_str_t *s, hie_str_t token)
{
    while (s->len > 0 && (unsigned char) s->ptr[0] <= ' ') {
        s->ptr++;
        s->len--;
    }

    if (s->len < token.len || memcmp(s->ptr, token.ptr, token.len) != 0) {
        return false;
    }

    s->ptr += token.len;
    s->len -= token.len;
    return true;
}


/* A string up to its end, escapes not resolved. */
static bool
skip_string(hie_str_t *s, hie_str_t *raw)
{
    char    *end;
    size_t   n;

    if (!skip(s, HIE_STR("\""))) {
        return false;
    }

    end = memchr(s->ptr, '"', s->len);
    if (end != NULL && memchr(s->ptr, '\\', (size_t) (end - s->ptr)) != NULL) {
        for (n = 0; n < s->len && s->ptr[n] != '"'; n++) {
            n += s->ptr[n] == '\\';
        }

        end = n < s->len ? (char *) s->ptr + n : NULL;
    }

    if (end == NULL) {
        return false;
    }

    *raw = (hie_str_t) { s->ptr, (size_t) (end - s->ptr) };
    s->ptr = end + 1;
    s->len -= raw->len + 1;
    return true;
}


static bool
is_name(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && apr_isalpha(s.ptr[i]); i++) {
        /* void */
    }

    return s.len > 0 && i == s.len;
}


static hie_rc_t
parsed_name(hie_str_t text, apr_pool_t *pool, hie_str_t *type, hie_str_t *id,
            hie_error_t *err)
{
    hie_rc_t    rc;
    hie_doc_t  *d;

    rc = hie_doc_parse(pool, text, HIE_DOC_DEPTH_MAX, &d, err);
    if (rc == HIE_OK) {
        *type = hie_doc_get(d, 0, "resourceType", pool);
        *id = hie_doc_get(d, 0, "id", pool);
    }

    return rc;
}


hie_rc_t
hie_fhir_text_name(hie_str_t text, apr_pool_t *pool, hie_str_t *type,
                   hie_str_t *id, hie_error_t *err)
{
    hie_str_t  s = text;

    if (skip(&s, HIE_STR("{")) && skip(&s, HIE_STR("\"resourceType\""))
        && skip(&s, HIE_STR(":")) && skip_string(&s, type) && is_name(*type)
        && skip(&s, HIE_STR(",")) && skip(&s, HIE_STR("\"id\""))
        && skip(&s, HIE_STR(":")) && skip_string(&s, id)
        && hie_fhir_is_id(*id))
    {
        return HIE_OK;
    }

    return parsed_name(text, pool, type, id, err);
}


/* Escapes are rare: the parser knows them. */
static hie_str_t
resolved(hie_str_t raw, apr_pool_t *pool)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (memchr(raw.ptr, '\\', raw.len) == NULL) {
        return raw;
    }

    raw.ptr--;
    raw.len += 2;
    return hie_doc_parse(pool, raw, 1, &d, &err) == HIE_OK
           ? hie_doc_string(d, 0, pool) : HIE_STR("");
}


bool
hie_fhir_text_reference(hie_str_t *rest, apr_pool_t *pool, hie_str_t *value)
{
    char       *at;
    bool        name;
    hie_str_t   s, raw;

    for ( ;; ) {
        at = memmem(rest->ptr, rest->len, REFERENCE, sizeof(REFERENCE) - 1);
        if (at == NULL) {
            return false;
        }

        /* inside of a string its first quote would be an escaped one */
        name = at > rest->ptr && at[-1] != '\\';
        s.ptr = at + sizeof(REFERENCE) - 1;
        s.len = rest->len - (size_t) (s.ptr - rest->ptr);
        *rest = s;
        if (name && skip(&s, HIE_STR(":")) && skip_string(&s, &raw)) {
            *rest = s;
            *value = resolved(raw, pool);
            return true;
        }
    }
}
