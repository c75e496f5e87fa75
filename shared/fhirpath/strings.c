/*
 * Functions on strings (N1 section 5.6). Places and lengths count characters.
 */

#include <utf8proc.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


hie_rc_t
hie_fp_room(fp_run_t *run, const fp_node_t *n, size_t len)
{
    if (len > FP_STRING_MAX) {
        return hie_fp_fail(run, n, HIE_TOO_COSTLY, "a string of more than "
                           "%d bytes", FP_STRING_MAX);
    }

    return hie_fp_spend(run, len / FP_STEP_BYTES + 1);
}


/* The input and the first argument; without either the result is empty. */
hie_rc_t
hie_fp_two_strings(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base, hie_str_t *a, hie_str_t *b, bool *there)
{
    bool       arg_there = true;
    hie_rc_t   rc;
    fp_item_t  in, arg;

    rc = hie_fp_single_kind(run, n, base, HIE_FHIRPATH_STRING, &in, there);
    if (rc == HIE_OK && b != NULL) {
        rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &arg,
                             &arg_there);
    }

    run->top = base;
    if (rc != HIE_OK) {
        return rc;
    }

    *there = *there && arg_there;
    if (*there) {
        *a = in.string;
        if (b != NULL) {
            *b = arg.string;
        }

        return hie_fp_spend(run, a->len / FP_STEP_BYTES + 1);
    }

    return HIE_OK;
}


static size_t
char_len(hie_str_t s, size_t at)
{
    size_t  n = 1;

    while (at + n < s.len && ((unsigned char) s.ptr[at + n] & 0xc0) == 0x80) {
        n++;
    }

    return n;
}


static size_t
count_chars(hie_str_t s)
{
    size_t  i, n;

    for (i = 0, n = 0; i < s.len; i++) {
        n += ((unsigned char) s.ptr[i] & 0xc0) != 0x80;
    }

    return n;
}


static const char *
find(hie_str_t s, hie_str_t what)
{
    if (what.len == 0) {
        return s.ptr;
    }

    return memmem(s.ptr, s.len, what.ptr, what.len);
}


hie_rc_t
hie_fp_call_length(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s;

    rc = hie_fp_two_strings(run, n, scope, base, &s, NULL, &there);
    if (rc == HIE_OK && there) {
        hie_fp_set_integer(run, base, (int64_t) count_chars(s));
    }

    return rc;
}


hie_rc_t
hie_fp_call_indexOf(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    bool         there;
    hie_rc_t     rc;
    hie_str_t    s, what;
    const char  *p;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc == HIE_OK && there) {
        p = find(s, what);
        s.len = p != NULL ? (size_t) (p - s.ptr) : 0;
        hie_fp_set_integer(run, base, p != NULL ? (int64_t) count_chars(s)
                                                : -1);
    }

    return rc;
}


hie_rc_t
hie_fp_call_lastIndexOf(fp_run_t *run, const fp_node_t *n,
                        const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    size_t     at;
    hie_rc_t   rc;
    hie_str_t  s, what;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    hie_fp_set_integer(run, base, -1);
    if (what.len > s.len) {
        return HIE_OK;
    }

    rc = hie_fp_spend(run, (s.len / 16 + 1) * (what.len / FP_STEP_BYTES + 1));
    if (rc != HIE_OK) {
        return rc;
    }

    for (at = s.len - what.len + 1; at-- > 0; ) {
        if (memcmp(s.ptr + at, what.ptr, what.len) == 0) {
            s.len = at;
            hie_fp_set_integer(run, base, (int64_t) count_chars(s));
            break;
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_substring(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    bool       there, from_there = false, count_there = false;
    size_t     at = 0, end;
    int64_t    i;
    hie_rc_t   rc;
    hie_str_t  s;
    fp_item_t  from, count;

    rc = hie_fp_two_strings(run, n, scope, base, &s, NULL, &there);
    if (rc == HIE_OK) {
        rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_INTEGER, &from,
                             &from_there);
    }

    if (rc == HIE_OK && n->args->next != NULL) {
        rc = hie_fp_argument(run, n->args->next, scope, HIE_FHIRPATH_INTEGER,
                             &count, &count_there);
    }

    if (rc != HIE_OK || !there || !from_there || from.integer < 0) {
        return rc;
    }

    for (i = 0; i < from.integer && at < s.len; i++) {
        at += char_len(s, at);
    }

    if (at >= s.len) {
        return HIE_OK;
    }

    end = s.len;
    if (count_there) {
        for (i = 0, end = at; i < count.integer && end < s.len; i++) {
            end += char_len(s, end);
        }
    }

    s.ptr += at;
    s.len = end - at;
    hie_fp_set_string(run, base, s);
    return HIE_OK;
}


hie_rc_t
hie_fp_call_startsWith(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, what;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc == HIE_OK && there) {
        hie_fp_set_boolean(run, base, s.len >= what.len
                           && memcmp(s.ptr, what.ptr, what.len) == 0);
    }

    return rc;
}


hie_rc_t
hie_fp_call_endsWith(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, what;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc == HIE_OK && there) {
        hie_fp_set_boolean(run, base, s.len >= what.len
                           && memcmp(s.ptr + s.len - what.len, what.ptr,
                                     what.len) == 0);
    }

    return rc;
}


hie_rc_t
hie_fp_call_contains(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, what;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc == HIE_OK && there) {
        hie_fp_set_boolean(run, base, find(s, what) != NULL);
    }

    return rc;
}


static hie_rc_t
change_case(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
            uint32_t base, utf8proc_int32_t (*fn)(utf8proc_int32_t))
{
    bool              there;
    size_t            i;
    hie_rc_t          rc;
    hie_str_t         s;
    hie_buf_t         b;
    utf8proc_int32_t  c;
    utf8proc_ssize_t  len;
    utf8proc_uint8_t  utf8[4];

    rc = hie_fp_two_strings(run, n, scope, base, &s, NULL, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    fp_charge(run, s.len / 8);
    hie_buf_init(&b, run->pool, s.len + 1);
    for (i = 0; i < s.len; i += (size_t) len) {
        len = utf8proc_iterate((const utf8proc_uint8_t *) s.ptr + i,
                               (utf8proc_ssize_t) (s.len - i), &c);
        if (len <= 0) {
            break;
        }

        hie_buf_add(&b, utf8, (size_t) utf8proc_encode_char(fn(c), utf8));
    }

    hie_fp_set_string(run, base, hie_buf_str(&b));
    return HIE_OK;
}


hie_rc_t
hie_fp_call_upper(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    return change_case(run, n, scope, base, utf8proc_toupper);
}


hie_rc_t
hie_fp_call_lower(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    return change_case(run, n, scope, base, utf8proc_tolower);
}


hie_rc_t
hie_fp_call_trim(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s;

    rc = hie_fp_two_strings(run, n, scope, base, &s, NULL, &there);
    if (rc == HIE_OK && there) {
        hie_fp_set_string(run, base, hie_str_trim(s));
    }

    return rc;
}


hie_rc_t
hie_fp_call_toChars(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    size_t     at, len;
    hie_rc_t   rc;
    hie_str_t  s;

    rc = hie_fp_two_strings(run, n, scope, base, &s, NULL, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    rc = hie_fp_spend(run, s.len);
    for (at = 0; at < s.len && rc == HIE_OK; at += len) {
        len = char_len(s, at);
        hie_fp_set_string(run, run->top, (hie_str_t) { s.ptr + at, len });
    }

    return rc;
}


hie_rc_t
hie_fp_call_split(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    bool         there;
    hie_rc_t     rc;
    hie_str_t    s, by, part;
    const char  *p;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &by, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (by.len == 0) {
        hie_fp_set_string(run, base, s);
        return HIE_OK;
    }

    do {
        p = find(s, by);
        part = s;
        if (p != NULL) {
            part.len = (size_t) (p - s.ptr);
            s.len -= part.len + by.len;
            s.ptr = p + by.len;
        }

        hie_fp_set_string(run, run->top, part);
        rc = hie_fp_spend(run, 1);
    } while (p != NULL && rc == HIE_OK);

    return rc;
}


hie_rc_t
hie_fp_call_join(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    bool       there;
    uint32_t   i, end = run->top;
    hie_rc_t   rc = HIE_OK;
    hie_buf_t  b;
    fp_item_t  v, by = { .string = HIE_STR("") };

    if (n->args != NULL) {
        rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &by,
                             &there);
        if (rc == HIE_OK && !there) {
            by.string = HIE_STR("");
        }
    }

    hie_buf_init(&b, run->pool, 64);
    for (i = base; i < end && rc == HIE_OK; i++) {
        if (!hie_fp_value(run, &run->items[i], &v)
            || v.kind != HIE_FHIRPATH_STRING)
        {
            return hie_fp_fail(run, n, HIE_INVALID, "join() expects Strings");
        }

        if (i > base) {
            hie_buf_adds(&b, by.string);
        }

        hie_buf_adds(&b, v.string);
        rc = hie_fp_room(run, n, b.len);
    }

    if (rc == HIE_OK && end > base) {
        hie_fp_set_string(run, base, hie_buf_str(&b));
    }

    return rc;
}


static hie_rc_t
replace(fp_run_t *run, const fp_node_t *n, hie_str_t s, hie_str_t what,
        hie_str_t by, hie_buf_t *b)
{
    size_t       step;
    hie_rc_t     rc = HIE_OK;
    const char  *p;

    if (what.len == 0) {
        hie_buf_adds(b, by);
    }

    while (s.len > 0 && rc == HIE_OK) {
        p = what.len == 0 ? s.ptr + char_len(s, 0) : find(s, what);
        if (p == NULL) {
            break;
        }

        step = (size_t) (p - s.ptr);
        hie_buf_add(b, s.ptr, step);
        hie_buf_adds(b, by);
        s.ptr += step + what.len;
        s.len -= step + what.len;
        rc = hie_fp_spend(run, by.len / FP_STEP_BYTES + 1);
        if (rc == HIE_OK && b->len > FP_STRING_MAX) {
            rc = hie_fp_room(run, n, b->len);
        }
    }

    hie_buf_adds(b, s);
    return rc;
}


hie_rc_t
hie_fp_call_replace(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    bool       there, by_there = false;
    hie_rc_t   rc;
    hie_str_t  s, what;
    hie_buf_t  b;
    fp_item_t  by;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &what, &there);
    if (rc == HIE_OK) {
        rc = hie_fp_argument(run, n->args->next, scope, HIE_FHIRPATH_STRING,
                             &by, &by_there);
    }

    if (rc != HIE_OK || !there || !by_there) {
        return rc;
    }

    hie_buf_init(&b, run->pool, s.len + by.string.len + 1);
    rc = replace(run, n, s, what, by.string, &b);
    hie_fp_set_string(run, base, hie_buf_str(&b));
    return rc;
}
