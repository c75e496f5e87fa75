/*
 * JSON Pointer (RFC 6901).
 */

#include "patch/private.h"

#include <string.h>

#include <apr_strings.h>

/* Longer is no index of anything that fits into memory. */
#define INDEX_DIGITS_MAX  18


bool
hie_patch_pointer_is(hie_str_t pointer)
{
    size_t  i;

    if (pointer.len > 0 && pointer.ptr[0] != '/') {
        return false;
    }

    for (i = 0; i < pointer.len; i++) {
        if (pointer.ptr[i] == '~'
            && (i + 1 == pointer.len
                || (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1')))
        {
            return false;
        }
    }

    return true;
}


static hie_str_t
unescape(hie_str_t token, apr_pool_t *pool)
{
    char    *out, *w;
    size_t   i;

    if (token.len == 0 || memchr(token.ptr, '~', token.len) == NULL) {
        return token;
    }

    out = w = apr_palloc(pool, token.len);

    for (i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~') {
            *w++ = token.ptr[++i] == '0' ? '~' : '/';

        } else {
            *w++ = token.ptr[i];
        }
    }

    return (hie_str_t) { out, (size_t) (w - out) };
}


/* Section 4: digits without a zero in front, or "-" for the place behind the
 * last element. */
static bool
find_element(const hie_doc_t *d, hie_patch_target_t *t)
{
    hie_node_t  c = hie_doc_first(d, t->parent);
    uint64_t    index = UINT64_MAX, i;

    if (!hie_str_eqz(t->token, "-")
        && (t->token.len == 0 || t->token.len > INDEX_DIGITS_MAX
            || (t->token.len > 1 && t->token.ptr[0] == '0')
            || !hie_str_u64(t->token, &index)))
    {
        return false;
    }

    for (i = 0; i < index && c != HIE_NODE_NONE; i++) {
        c = hie_doc_next(d, c);
    }

    t->index = index == UINT64_MAX ? i : index;
    t->node = c;

    /* behind the last one there is a place, and then none */
    return t->index == i;
}


static void
step(const hie_doc_t *d, hie_patch_target_t *t)
{
    t->node = HIE_NODE_NONE;

    switch (hie_doc_kind(d, t->parent)) {
    case HIE_NODE_OBJECT:
        t->node = hie_doc_member_str(d, t->parent, t->token);
        t->valid = true;
        break;

    case HIE_NODE_ARRAY:
        t->valid = find_element(d, t);
        break;

    default:
        t->valid = false;
    }
}


bool
hie_patch_pointer(const hie_doc_t *d, hie_str_t pointer, apr_pool_t *pool,
                  hie_patch_target_t *out)
{
    hie_str_t  rest;

    memset(out, 0, sizeof(*out));
    out->parent = HIE_NODE_NONE;
    out->node = 0;

    if (pointer.len == 0) {
        out->valid = true;
        return true;
    }

    hie_str_split(pointer, '/', &rest);

    for ( ;; ) {
        out->parent = out->node;
        out->token = unescape(hie_str_split(rest, '/', &rest), pool);
        step(d, out);

        if (rest.ptr == NULL) {
            return out->valid;
        }

        if (out->node == HIE_NODE_NONE) {
            return false;
        }
    }
}
