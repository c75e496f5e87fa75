/*
 * Rows in bulk: COPY in its binary format (PostgreSQL 15 documentation, COPY,
 * "Binary Format"). A third of what an insertion from arrays costs.
 */

#include "store/private.h"

#include <string.h>


#define INT8_OID  20

static void
put(hie_copy_t *c, uint64_t v, size_t size)
{
    char    bytes[8];
    size_t  i;

    for (i = 0; i < size; i++) {
        bytes[i] = (char) (v >> (8 * (size - 1 - i)));
    }
    hie_buf_add(&c->buf, bytes, size);
}


void
hie_copy_init(hie_copy_t *c, apr_pool_t *pool, int columns, size_t size)
{
    static const char  signature[] = "PGCOPY\n\377\r\n";

    c->columns = columns;
    hie_buf_init(&c->buf, pool, size + 64);
    hie_buf_add(&c->buf, signature, sizeof(signature));   /* with its NUL */
    put(c, 0, 4);                                         /* flags */
    put(c, 0, 4);                                         /* extension */
}


void
hie_copy_row(hie_copy_t *c)
{
    put(c, (uint64_t) c->columns, 2);
}


void
hie_copy_null(hie_copy_t *c)
{
    put(c, UINT32_MAX, 4);
}


void
hie_copy_str(hie_copy_t *c, hie_str_t s)
{
    put(c, s.len, 4);
    hie_buf_adds(&c->buf, s);
}


void
hie_copy_i32(hie_copy_t *c, int32_t v)
{
    put(c, 4, 4);
    put(c, (uint32_t) v, 4);
}


void
hie_copy_i64(hie_copy_t *c, int64_t v)
{
    put(c, 8, 4);
    put(c, (uint64_t) v, 8);
}


void
hie_copy_time(hie_copy_t *c, apr_time_t t)
{
    hie_copy_i64(c, t - HIE_PG_EPOCH);
}


void
hie_copy_bool(hie_copy_t *c, bool v)
{
    put(c, 1, 4);
    put(c, v, 1);
}


void
hie_copy_keys(hie_copy_t *c, const uint64_t *keys, int n)
{
    int  i;

    put(c, n == 0 ? 12 : 20 + (uint64_t) n * 12, 4);
    put(c, n == 0 ? 0 : 1, 4);                            /* dimensions */
    put(c, 0, 4);                                         /* no nulls */
    put(c, INT8_OID, 4);
    if (n > 0) {
        put(c, (uint64_t) n, 4);
        put(c, 1, 4);                                     /* lower bound */
    }
    for (i = 0; i < n; i++) {
        put(c, 8, 4);
        put(c, keys[i], 8);
    }
}


hie_str_t
hie_copy_end(hie_copy_t *c)
{
    put(c, UINT16_MAX, 2);
    return hie_buf_str(&c->buf);
}
