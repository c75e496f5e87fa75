/*
 * What may be asked of a protected server.
 *
 * Only what can be judged completely by looking at the response. A parameter
 * that selects on another resource (a chain, _has), that orders or counts
 * (_sort, _total, _summary), that leaves elements out by which a resource is
 * judged (_elements, _summary), or that the server may understand in its own
 * way tells of data that the response does not show. So this is a list of
 * what is allowed, and nothing here depends on what is withheld.
 */

#include "consent/private.h"

#include <string.h>


#define PARTS_MAX  4


static hie_rc_t
refuse(hie_error_t *err)
{
    return hie_fail(err, HIE_FORBIDDEN, "",
                    "this interaction cannot be judged by the gateway");
}


static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


/*
 * The path.
 */

/* An id that a server behind us cannot take for a step in a path. */
static bool
is_id(hie_str_t s)
{
    return hie_fhir_is_id(s) && !hie_str_eqz(s, ".") && !hie_str_eqz(s, "..");
}


/* Without escapes at all: R4 ids and types need none, and whatever needs one
 * may be read differently behind us. */
static int
split_path(hie_str_t path, hie_str_t parts[PARTS_MAX])
{
    int  n = 0;

    if (path.len > 0 && path.ptr[0] == '/') {
        path.ptr++;
        path.len--;
    }
    while (path.ptr != NULL) {
        if (n == PARTS_MAX) {
            return 0;
        }
        parts[n++] = hie_str_split(path, '/', &path);
    }
    return n;
}


/* Binary is raw bytes that say nothing of whose they are. */
static bool
is_type(hie_str_t s)
{
    return hie_fhir_is_type(s) && !hie_str_eqz(s, "Binary");
}


static hie_gate_t
judge_path(hie_str_t path, hie_str_t *type)
{
    hie_str_t  parts[PARTS_MAX];
    int        n = split_path(path, parts);

    if (n == 1 && hie_str_eqz(parts[0], "metadata")) {
        return HIE_GATE_METADATA;
    }
    if (n == 0 || !is_type(parts[0])) {
        return 0;
    }
    *type = parts[0];
    if (n == 1) {
        return HIE_GATE_SEARCH;
    }
    if ((n == 2 && is_id(parts[1]))
        || (n == 4 && is_id(parts[1]) && hie_str_eqz(parts[2], "_history")
            && is_id(parts[3])))
    {
        return HIE_GATE_READ;
    }
    return 0;
}


/*
 * The query.
 */

/* RFC 3986 section 3.4 without ';', which some servers take for '&'; with
 * '|', which clients send as it is. */
static bool
query_chars_ok(hie_str_t query)
{
    size_t  i;
    char    c;

    for (i = 0; i < query.len; i++) {
        c = query.ptr[i];
        if (!is_letter(c) && !is_digit(c)
            && (c == '\0' || strchr("-._~%!$&'()*+,=:@/?|", c) == NULL))
        {
            return false;
        }
    }
    return true;
}


/* A search parameter of the resource itself: no leading '_', no chain. */
static bool
is_plain_name(hie_str_t s)
{
    size_t  i;

    if (s.len == 0 || !is_letter(s.ptr[0])) {
        return false;
    }
    for (i = 1; i < s.len; i++) {
        if (!is_letter(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}


static bool
is_json_format(hie_str_t v)
{
    /* '+' in a query is a space where it is read as a form. */
    return hie_str_eqz(v, "json") || hie_str_eqz(v, "application/json")
           || hie_str_eqz(v, "application/fhir+json")
           || hie_str_eqz(v, "application/fhir json");
}


static bool
modifier_ok(hie_str_t modifier, hie_str_t value)
{
    if (modifier.ptr == NULL || hie_str_eqz(modifier, "exact")
        || hie_str_eqz(modifier, "contains"))
    {
        return true;
    }
    return hie_str_eqz(modifier, "missing")
           && (hie_str_eqz(value, "true") || hie_str_eqz(value, "false"));
}


static bool
parameter_ok(hie_gate_t gate, hie_str_t name, hie_str_t value)
{
    uint64_t   count;
    hie_str_t  modifier;

    if (hie_str_eqz(name, "_format")) {
        return is_json_format(value);
    }
    if (gate != HIE_GATE_SEARCH) {
        return false;
    }
    if (hie_str_eqz(name, "_id") || hie_str_eqz(name, "_lastUpdated")) {
        return true;
    }
    if (hie_str_eqz(name, "_count")) {
        return value.len <= 6 && hie_str_u64(value, &count);
    }

    name = hie_str_split(name, ':', &modifier);
    return is_plain_name(name) && modifier_ok(modifier, value);
}


static hie_rc_t
judge_query(hie_gate_t gate, hie_str_t query, apr_pool_t *pool,
            hie_error_t *err)
{
    hie_str_t  one, name, value;

    if (query.len == 0) {
        return HIE_OK;
    }
    if (!query_chars_ok(query)) {
        return hie_fail(err, HIE_INVALID, "",
                        "the query has characters that must be escaped");
    }

    while (query.ptr != NULL) {
        one = hie_str_split(query, '&', &query);
        name = hie_str_split(one, '=', &value);
        if (value.ptr == NULL
            || !hie_url_decode(pool, name, true, &name)
            || !hie_url_decode(pool, value, true, &value))
        {
            return hie_fail(err, HIE_INVALID, "",
                            "the query is not a list of name=value in UTF-8");
        }
        if (!parameter_ok(gate, name, value)) {
            return hie_fail(err, HIE_FORBIDDEN, "",
                            "this parameter or its modifier cannot be judged "
                            "by the gateway: %.*s",
                            HIE_PRISTR(name));
        }
    }
    return HIE_OK;
}


hie_rc_t
hie_consent_gate(hie_str_t method, hie_str_t path, hie_str_t query,
                 apr_pool_t *pool, hie_gate_t *gate, hie_str_t *type,
                 hie_error_t *err)
{
    hie_gate_t  found;
    hie_str_t   t = HIE_STR_NONE;
    hie_rc_t    rc;

    *gate = 0;
    *type = HIE_STR_NONE;

    if (!hie_str_eqz(method, "GET") && !hie_str_eqz(method, "HEAD")) {
        return hie_fail(err, HIE_METHOD, "",
                        "the gateway takes GET and HEAD only");
    }
    found = judge_path(path, &t);
    if (found == 0) {
        return refuse(err);
    }
    rc = judge_query(found, query, pool, err);
    if (rc != HIE_OK) {
        return rc;
    }

    *gate = found;
    *type = t;
    return HIE_OK;
}
