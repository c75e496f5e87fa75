/*
 * Spans and growing byte strings.
 */

#include "base/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>


#define BUF_MIN  64


hie_str_t
hie_str(const char *z)
{
    if (z == NULL) {
        return HIE_STR_NONE;
    }
    return (hie_str_t) { z, strlen(z) };
}


bool
hie_str_eq(hie_str_t a, hie_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}


bool
hie_str_eqz(hie_str_t a, const char *z)
{
    return hie_str_eq(a, hie_str(z));
}


static char
ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char) (c + ('a' - 'A')) : c;
}


bool
hie_str_ieqz(hie_str_t a, const char *z)
{
    hie_str_t  b = hie_str(z);
    size_t     i;

    if (a.len != b.len) {
        return false;
    }

    /* strncasecmp would follow the locale of the host. */
    for (i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}


bool
hie_str_starts(hie_str_t a, const char *prefix)
{
    size_t  n = strlen(prefix);

    return n == 0 || (a.len >= n && memcmp(a.ptr, prefix, n) == 0);
}


static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


hie_str_t
hie_str_trim(hie_str_t a)
{
    while (a.len > 0 && is_space(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && is_space(a.ptr[a.len - 1])) {
        a.len--;
    }
    return a;
}


char *
hie_str_z(apr_pool_t *pool, hie_str_t a)
{
    char  *z = apr_palloc(pool, a.len + 1);

    if (a.len > 0) {
        memcpy(z, a.ptr, a.len);
    }
    z[a.len] = '\0';

    return z;
}


hie_str_t
hie_str_dup(apr_pool_t *pool, hie_str_t a)
{
    if (a.ptr == NULL) {
        return HIE_STR_NONE;
    }
    return (hie_str_t) { hie_str_z(pool, a), a.len };
}


hie_str_t
hie_str_split(hie_str_t a, char sep, hie_str_t *rest)
{
    const char  *p = a.len > 0 ? memchr(a.ptr, sep, a.len) : NULL;
    hie_str_t    head = a, tail = HIE_STR_NONE;

    if (p != NULL) {
        head.len = (size_t) (p - a.ptr);
        tail.ptr = p + 1;
        tail.len = a.len - head.len - 1;
    }
    if (rest != NULL) {
        *rest = tail;
    }
    return head;
}


bool
hie_str_u64(hie_str_t a, uint64_t *out)
{
    uint64_t  value = 0;
    size_t    i;

    if (a.len == 0) {
        return false;
    }
    for (i = 0; i < a.len; i++) {
        if (a.ptr[i] < '0' || a.ptr[i] > '9'
            || __builtin_mul_overflow(value, (uint64_t) 10, &value)
            || __builtin_add_overflow(value, (uint64_t) (a.ptr[i] - '0'),
                                      &value))
        {
            return false;
        }
    }

    *out = value;
    return true;
}


bool
hie_equal_const_time(hie_str_t a, hie_str_t b)
{
    volatile unsigned char  diff = 0;
    size_t                  i;

    if (a.len != b.len) {
        return false;
    }
    for (i = 0; i < a.len; i++) {
        diff = (unsigned char) (diff | (a.ptr[i] ^ b.ptr[i]));
    }
    return diff == 0;
}


void
hie_buf_init(hie_buf_t *b, apr_pool_t *pool, size_t size)
{
    b->pool = pool;
    b->ptr = size > 0 ? apr_palloc(pool, size) : NULL;
    b->len = 0;
    b->size = size;
}


/* Room for `len` more bytes. Doubling keeps what stays behind in the pool
 * smaller than the string itself. */
static void
buf_reserve(hie_buf_t *b, size_t len)
{
    size_t   size;
    char    *ptr;

    if (len <= b->size - b->len) {
        return;
    }
    if (len > SIZE_MAX / 4 - b->len) {
        abort();
    }

    size = b->size > BUF_MIN ? b->size : BUF_MIN;
    while (size < b->len + len) {
        size *= 2;
    }

    ptr = apr_palloc(b->pool, size);
    if (ptr == NULL) {
        abort();
    }
    if (b->len > 0) {
        memcpy(ptr, b->ptr, b->len);
    }
    b->ptr = ptr;
    b->size = size;
}


void
hie_buf_add(hie_buf_t *b, const void *ptr, size_t len)
{
    if (len == 0) {
        return;
    }
    buf_reserve(b, len);
    memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
}


void
hie_buf_addc(hie_buf_t *b, char c)
{
    buf_reserve(b, 1);
    b->ptr[b->len++] = c;
}


void
hie_buf_addz(hie_buf_t *b, const char *z)
{
    hie_buf_adds(b, hie_str(z));
}


void
hie_buf_adds(hie_buf_t *b, hie_str_t s)
{
    hie_buf_add(b, s.ptr, s.len);
}


void
hie_buf_addf(hie_buf_t *b, const char *fmt, ...)
{
    va_list  ap;
    int      n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        abort();
    }

    buf_reserve(b, (size_t) n + 1);

    va_start(ap, fmt);
    vsnprintf(b->ptr + b->len, (size_t) n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t) n;
}


hie_str_t
hie_buf_str(const hie_buf_t *b)
{
    return (hie_str_t) { b->ptr, b->len };
}
