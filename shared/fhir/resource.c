/*
 * Resource types, ids, references, and the shape that every resource has.
 */

#include "fhir/doc.h"
#include "fhir/definitions.h"

#include <stdio.h>
#include <string.h>


bool
hie_fhir_is_type(hie_str_t name)
{
    return hie_type_find_resource(name) != HIE_TYPE_NONE;
}


const char *
hie_fhir_type(size_t i)
{
    return i <= HIE_TYPE_VisionPrescription - HIE_TYPE_Account
           ? hie_types[HIE_TYPE_Account + i].name : NULL;
}


static bool
is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.';
}


bool
hie_fhir_is_id(hie_str_t id)
{
    size_t  i;

    if (id.len == 0 || id.len > HIE_FHIR_ID_MAX) {
        return false;
    }

    for (i = 0; i < id.len; i++) {
        if (!is_id_char(id.ptr[i])) {
            return false;
        }
    }

    return true;
}


/*
 * References (R4 section 2.3.0.1).
 */

/* What is left of `text` after the last slash goes to `last`. */
static bool
split_last(hie_str_t *text, hie_str_t *last)
{
    size_t  i = text->len;

    while (i > 0 && text->ptr[i - 1] != '/') {
        i--;
    }

    last->ptr = text->ptr + i;
    last->len = text->len - i;
    text->len = i > 0 ? i - 1 : 0;

    return i > 0;
}


/* Takes Type/id[/_history/v] off the end of `text`; what was before it, with
 * its slash, stays. False, and nothing taken, if it does not end so. */
static bool
take_type_id(hie_str_t *text, hie_reference_t *out)
{
    hie_str_t   left = *text, part, version = HIE_STR_NONE, id, type;
    hie_type_t  found;

    if (!split_last(&left, &id)) {
        return false;
    }

    type = left;

    if (split_last(&type, &part) && hie_str_eqz(part, "_history")) {
        version = id;
        left = type;

        if (!hie_fhir_is_id(version) || !split_last(&left, &id)) {
            return false;
        }
    }

    split_last(&left, &type);
    found = hie_type_find_resource(type);

    if (found == HIE_TYPE_NONE || !hie_fhir_is_id(id)) {
        return false;
    }

    out->type = hie_str(hie_types[found].name);
    out->id = id;
    out->version = version;
    text->len = (size_t) (type.ptr - text->ptr);

    return true;
}


/* RFC 3986 section 3.1: a scheme and its colon. */
static bool
has_scheme(hie_str_t text)
{
    size_t  i;
    char    c;

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];

        if (c == ':') {
            return i > 0;
        }

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-'
                            || c == '.')))
        {
            return false;
        }
    }

    return false;
}


bool
hie_fhir_reference(hie_str_t text, hie_str_t base, hie_reference_t *out)
{
    memset(out, 0, sizeof(*out));

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }

    if (text.len == 0) {
        return false;
    }

    if (text.ptr[0] == '#') {
        return text.len > 1;
    }

    if (base.len > 0 && text.len > base.len + 1
        && text.ptr[base.len] == '/'
        && memcmp(text.ptr, base.ptr, base.len) == 0)
    {
        out->local = true;
        text.ptr += base.len + 1;
        text.len -= base.len + 1;

        /* below our base, but no resource of ours: some URL */
        if (take_type_id(&text, out) && text.len > 0) {
            memset(out, 0, sizeof(*out));
            out->local = true;
        }

        return true;
    }

    if (has_scheme(text)) {
        if (!hie_str_starts(text, "urn:")) {
            take_type_id(&text, out);
        }

        return true;
    }

    out->local = take_type_id(&text, out) && text.len == 0;

    if (!out->local) {
        memset(out, 0, sizeof(*out));
    }

    return out->local;
}


/*
 * The shape of id and meta (R4 sections 2.25.3 and 2.25.4). Meta.security is
 * what access rests on: a label in the wrong place must not go unseen.
 */

static hie_rc_t
wrong_shape(hie_error_t *err, hie_str_t type, const char *element,
            const char *expected)
{
    char  where[128];

    snprintf(where, sizeof(where), "%.*s.%s", HIE_PRISTR(type), element);

    return hie_fail(err, HIE_INVALID, where, "expected %s", expected);
}


/* A member that may be absent: a string, or an array of one kind. */
static bool
has_shape(const hie_doc_t *d, hie_node_t meta, const char *name, bool list,
          hie_node_kind_t kind)
{
    hie_node_t  n = hie_doc_member(d, meta, name), c;

    if (n == HIE_NODE_NONE) {
        return true;
    }

    if (!list) {
        return hie_doc_kind(d, n) == kind;
    }

    if (hie_doc_kind(d, n) != HIE_NODE_ARRAY) {
        return false;
    }

    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        /* null holds the place of an extension of a primitive */
        if (hie_doc_kind(d, c) != kind
            && (kind != HIE_NODE_STRING || hie_doc_kind(d, c)
                != HIE_NODE_NULL))
        {
            return false;
        }
    }

    return true;
}


static hie_rc_t
check_meta(const hie_doc_t *d, hie_str_t type, hie_error_t *err)
{
    static const struct {
        const char       *name;
        const char       *element;
        bool              list;
        hie_node_kind_t   kind;
        const char       *expected;
    } members[] = {
        { "versionId", "meta.versionId", false, HIE_NODE_STRING, "a string" },
        { "lastUpdated", "meta.lastUpdated", false, HIE_NODE_STRING,
          "a string" },
        { "source", "meta.source", false, HIE_NODE_STRING, "a string" },
        { "profile", "meta.profile", true, HIE_NODE_STRING,
          "an array of strings" },
        { "security", "meta.security", true, HIE_NODE_OBJECT,
          "an array of objects" },
        { "tag", "meta.tag", true, HIE_NODE_OBJECT, "an array of objects" }
    };

    hie_node_t  meta = hie_doc_member(d, 0, "meta");
    size_t      i;

    if (meta == HIE_NODE_NONE) {
        return HIE_OK;
    }

    if (hie_doc_kind(d, meta) != HIE_NODE_OBJECT) {
        return wrong_shape(err, type, "meta", "an object");
    }

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!has_shape(d, meta, members[i].name, members[i].list,
                       members[i].kind))
        {
            return wrong_shape(err, type, members[i].element,
                               members[i].expected);
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_fhir_check(const hie_doc_t *d, apr_pool_t *pool, hie_str_t *type,
               hie_error_t *err)
{
    hie_node_t  n;
    hie_str_t   name;
    hie_type_t  known;

    *type = HIE_STR_NONE;

    if (hie_doc_kind(d, 0) != HIE_NODE_OBJECT) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource: a JSON object");
    }

    n = hie_doc_member(d, 0, "resourceType");

    if (hie_doc_kind(d, n) != HIE_NODE_STRING) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected resourceType with the name of a resource "
                        "type");
    }

    name = hie_doc_string(d, n, pool);
    known = hie_type_find_resource(name);

    if (known == HIE_TYPE_NONE) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource type of FHIR R4, found \"%.*s\"",
                        name.len < HIE_FHIR_ID_MAX ? (int) name.len
                                                   : HIE_FHIR_ID_MAX,
                        name.ptr);
    }

    name = hie_str(hie_types[known].name);
    n = hie_doc_member(d, 0, "id");

    if (n != HIE_NODE_NONE && !hie_fhir_is_id(hie_doc_string(d, n, pool))) {
        return wrong_shape(err, name, "id",
                           "1 to 64 letters, digits, - and .");
    }

    if (check_meta(d, name, err) != HIE_OK) {
        return HIE_INVALID;
    }

    *type = name;

    return HIE_OK;
}
