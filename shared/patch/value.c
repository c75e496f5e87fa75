/*
 * What a Parameters resource gives as a value, as JSON of an element.
 */

#include "patch/element.h"

#include <string.h>

#include <apr_strings.h>

static hie_rc_t
wrong(hie_patch_run_t *run, const char *why)
{
    return hie_fail(run->err, HIE_INVALID, run->where, "%s", why);
}


static hie_str_t
join(hie_str_t a, hie_str_t b, apr_pool_t *pool)
{
    char  *z = apr_palloc(pool, a.len + b.len + 1);

    memcpy(z, a.ptr, a.len);

    if (b.len > 0) {
        memcpy(z + a.len, b.ptr, b.len);
    }

    z[a.len + b.len] = '\0';

    return (hie_str_t) { z, a.len + b.len };
}


const hie_element_t *
hie_patch_row(hie_type_t type, hie_str_t name, hie_str_t suffix,
              apr_pool_t *pool)
{
    const hie_element_t  *row;

    if (type == HIE_TYPE_NONE || name.len == 0) {
        return NULL;
    }

    row = hie_element_find(type, name);

    if (row == NULL && suffix.len > 0) {
        row = hie_element_find(type, join(name, suffix, pool));
    }

    return row;
}


/* The member value[x] of a part, or _value[x] of a primitive: its type, and
 * the two nodes. */
static hie_rc_t
find_choice(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t part,
            hie_node_t *json, hie_node_t *sibling, hie_str_t *suffix)
{
    hie_node_t  c;
    hie_str_t   name;
    bool        second;

    *json = *sibling = HIE_NODE_NONE;
    *suffix = HIE_STR_NONE;

    for (c = hie_doc_first(patch, part);
         c != HIE_NODE_NONE;
         c = hie_doc_next(patch, c))
    {
        name = hie_doc_name(patch, c, run->scratch);
        second = hie_str_starts(name, "_value");

        if (!second && !hie_str_starts(name, "value")) {
            continue;
        }

        name.ptr += second ? 6 : 5;
        name.len -= second ? 6 : 5;

        if (name.len == 0
            || (suffix->ptr != NULL && !hie_str_eq(*suffix, name)))
        {
            return wrong(run, "A parameter has one value[x].");
        }

        *suffix = name;

        if (hie_doc_kind(patch, c) != HIE_NODE_NULL) {
            *(second ? sibling : json) = c;
        }
    }

    if (suffix->ptr != NULL && *json == HIE_NODE_NONE
        && *sibling == HIE_NODE_NONE)
    {
        return wrong(run, "The value has no content.");
    }

    return HIE_OK;
}


hie_str_t
hie_patch_suffix(const hie_doc_t *patch, hie_node_t part, apr_pool_t *pool)
{
    hie_node_t  c;
    hie_str_t   name;

    for (c = hie_doc_first(patch, part);
         c != HIE_NODE_NONE;
         c = hie_doc_next(patch, c))
    {
        name = hie_doc_name(patch, c, pool);

        if (hie_str_starts(name, "value") && name.len > 5) {
            return (hie_str_t) { name.ptr + 5, name.len - 5 };
        }

        if (hie_str_starts(name, "_value") && name.len > 6) {
            return (hie_str_t) { name.ptr + 6, name.len - 6 };
        }
    }

    return HIE_STR_NONE;
}


static void
add_member(hie_buf_t *b, const char *prefix, hie_str_t name, hie_str_t json)
{
    if (json.ptr == NULL) {
        return;
    }

    hie_buf_addc(b, b->len > 1 ? ',' : '{');
    hie_buf_addf(b, "\"%s%.*s\":", prefix, HIE_PRISTR(name));
    hie_buf_adds(b, json);
}


/* All parts of this name from `c` on, as the one or two arrays of a list. */
static hie_rc_t
add_list(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t c,
         const hie_element_t *row, hie_buf_t *out)
{
    hie_str_t          name = hie_doc_get(patch, c, "name", run->scratch);
    hie_patch_value_t  value;
    hie_buf_t          b, s;
    hie_rc_t           rc = HIE_OK;
    bool               values = false, siblings = false;

    hie_buf_init(&b, run->scratch, 256);
    hie_buf_init(&s, run->scratch, 64);

    for (; c != HIE_NODE_NONE && rc == HIE_OK; c = hie_doc_next(patch, c)) {
        if (!hie_str_eq(hie_doc_get(patch, c, "name", run->scratch), name)) {
            continue;
        }

        rc = hie_patch_read_value(run, patch, c, row->type, &value);

        if (rc == HIE_OK) {
            hie_buf_addc(&b, b.len > 0 ? ',' : '[');
            hie_buf_adds(&b, value.json.ptr != NULL ? value.json
                                                    : HIE_STR("null"));
            hie_buf_addc(&s, s.len > 0 ? ',' : '[');
            hie_buf_adds(&s, value.sibling.ptr != NULL ? value.sibling
                                                       : HIE_STR("null"));
            values = values || value.json.ptr != NULL;
            siblings = siblings || value.sibling.ptr != NULL;
        }
    }

    hie_buf_addc(&b, ']');
    hie_buf_addc(&s, ']');
    add_member(out, "", hie_str(row->name),
               values ? hie_buf_str(&b) : HIE_STR_NONE);
    add_member(out, "_", hie_str(row->name),
               siblings ? hie_buf_str(&s) : HIE_STR_NONE);

    return rc;
}


/* Is there a part of the same name before or after this one? */
static bool
repeats(const hie_doc_t *patch, hie_node_t from, hie_node_t to,
        hie_str_t name, apr_pool_t *pool)
{
    hie_node_t  c;

    for (c = from; c != to && c != HIE_NODE_NONE; c = hie_doc_next(patch, c)) {
        if (hie_str_eq(hie_doc_get(patch, c, "name", pool), name)) {
            return true;
        }
    }

    return false;
}


static hie_rc_t
add_part(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t first,
         hie_node_t c, hie_type_t type, hie_buf_t *out)
{
    hie_str_t             name = hie_doc_get(patch, c, "name", run->scratch);
    const hie_element_t  *row;
    hie_patch_value_t     value;
    hie_rc_t              rc;

    row = hie_patch_row(type, name, hie_patch_suffix(patch, c, run->scratch),
                        run->scratch);

    if (row == NULL) {
        return hie_fail(run->err, HIE_UNPROCESSABLE, run->where,
                        "%s has no element \"%.*s\".",
                        type == HIE_TYPE_NONE ? "This place"
                                              : hie_types[type].name,
                        name.len < 64 ? (int) name.len : 64, name.ptr);
    }

    if (repeats(patch, first, c, name, run->scratch)) {
        return row->max == 1
               ? wrong(run, "A part of the value stands there twice, and its "
                            "element does not repeat.") : HIE_OK;
    }

    if (row->max != 1) {
        return add_list(run, patch, c, row, out);
    }

    rc = hie_patch_read_value(run, patch, c, row->type, &value);

    if (rc == HIE_OK) {
        add_member(out, "", hie_str(row->name), value.json);
        add_member(out, "_", hie_str(row->name), value.sibling);
    }

    return rc;
}


/* An element without a type of its own, such as Patient.contact: each part is
 * an element of it. */
static hie_rc_t
read_parts(hie_patch_run_t *run, const hie_doc_t *patch, hie_node_t parts,
           hie_type_t type, hie_str_t *out)
{
    hie_node_t  c, first = hie_doc_first(patch, parts);
    hie_buf_t   b;
    hie_rc_t    rc = HIE_OK;

    hie_buf_init(&b, run->scratch, 256);

    for (c = first;
         c != HIE_NODE_NONE && rc == HIE_OK;
         c = hie_doc_next(patch, c))
    {
        rc = hie_patch_charge(run, hie_doc_raw(patch, parts).len);

        if (rc == HIE_OK) {
            rc = add_part(run, patch, first, c, type, &b);
        }
    }

    if (rc == HIE_OK && b.len == 0) {
        return wrong(run, "The value has no content.");
    }

    hie_buf_addc(&b, '}');
    *out = hie_buf_str(&b);

    return rc;
}


hie_rc_t
hie_patch_read_value(hie_patch_run_t *run, const hie_doc_t *patch,
                     hie_node_t part, hie_type_t type,
                     hie_patch_value_t *out)
{
    hie_node_t  parts = hie_doc_member(patch, part, "part");
    hie_node_t  resource = hie_doc_member(patch, part, "resource");
    hie_node_t  json, sibling;
    hie_rc_t    rc = find_choice(run, patch, part, &json, &sibling,
                                 &out->suffix);

    if (rc != HIE_OK) {
        return rc;
    }

    if ((out->suffix.ptr != NULL) + (parts != HIE_NODE_NONE)
        + (resource != HIE_NODE_NONE) != 1)
    {
        return wrong(run, "A value is one value[x], one resource, or parts.");
    }

    out->json = json != HIE_NODE_NONE ? hie_doc_raw(patch, json)
                                      : HIE_STR_NONE;
    out->sibling = sibling != HIE_NODE_NONE ? hie_doc_raw(patch, sibling)
                                            : HIE_STR_NONE;

    if (resource != HIE_NODE_NONE) {
        out->json = hie_doc_raw(patch, resource);

    } else if (parts != HIE_NODE_NONE) {
        return read_parts(run, patch, parts, type, &out->json);
    }

    return HIE_OK;
}
