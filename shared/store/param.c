/*
 * Parameters and results in PostgreSQL's binary format: big-endian integers,
 * timestamps in microseconds since 2000, arrays as array_recv() reads them.
 */

#include "store/private.h"

#include <endian.h>
#include <string.h>

#include <apr_strings.h>


#define STRING_MAX  1000

#define ARRAY_HEADER  20     /* dimensions, flags, type, length, lower bound */


void
hie_store_stmt(hie_stmt_t *st, const char *sql)
{
    st->sql = sql;
    st->key = hie_hash64(sql, strlen(sql)) | 1;
    apr_snprintf(st->name, sizeof(st->name), "h%016" APR_UINT64_T_HEX_FMT,
                 st->key);
}


void
hie_params_init(hie_params_t *p, apr_pool_t *pool)
{
    p->pool = pool;
    p->n = 0;
    p->room = HIE_PARAMS_FEW;
    p->value = p->few_values;
    p->length = p->few_lengths;
}


static void
make_room(hie_params_t *p)
{
    const char  **value;
    int          *length;
    size_t        n = (size_t) p->n;

    value = apr_palloc(p->pool, sizeof(*value) * n * 4);
    length = apr_palloc(p->pool, sizeof(*length) * n * 4);
    memcpy(value, p->value, sizeof(*value) * n);
    memcpy(length, p->length, sizeof(*length) * n);
    p->value = value;
    p->length = length;
    p->room = p->n * 4;
}


static void
params_add(hie_params_t *p, const void *ptr, size_t len)
{
    if (p->n == p->room) {
        make_room(p);
    }
    p->value[p->n] = ptr;
    p->length[p->n] = (int) len;
    p->n++;
}


void
hie_params_str(hie_params_t *p, hie_str_t s)
{
    params_add(p, s.ptr != NULL ? s.ptr : "", s.len);
}


void
hie_params_i64(hie_params_t *p, int64_t v)
{
    uint64_t  be = htobe64((uint64_t) v);

    params_add(p, apr_pmemdup(p->pool, &be, sizeof(be)), sizeof(be));
}


void
hie_params_row(hie_params_t *p, hie_str_t type, hie_str_t id)
{
    hie_params_i64(p, (int64_t) hie_fhir_resource_key(type, id));
    hie_params_str(p, type);
    hie_params_str(p, id);
}


hie_str_t
hie_string_indexed(hie_str_t s)
{
    if (s.len > STRING_MAX) {
        s.len = STRING_MAX;
        while (s.len > 0 && ((unsigned char) s.ptr[s.len] & 0xc0) == 0x80) {
            s.len--;
        }
    }
    return s;
}


static char *
put_u32(char *at, uint32_t v)
{
    uint32_t  be = htobe32(v);

    memcpy(at, &be, sizeof(be));
    return at + sizeof(be);
}


static char *
put_header(char *at, hie_pg_type_t type, uint32_t n)
{
    at = put_u32(at, 1);
    at = put_u32(at, 0);
    at = put_u32(at, type);
    at = put_u32(at, n);
    return put_u32(at, 1);
}


void
hie_params_keys(hie_params_t *p, const uint64_t *keys, int n)
{
    size_t    size = ARRAY_HEADER + (size_t) n * 12;
    char     *data = apr_palloc(p->pool, size);
    char     *at = put_header(data, HIE_PG_INT8, (uint32_t) n);
    uint64_t  be;
    int       i;

    for (i = 0; i < n; i++) {
        at = put_u32(at, sizeof(be));
        be = htobe64(keys[i]);
        memcpy(at, &be, sizeof(be));
        at += sizeof(be);
    }

    params_add(p, data, size);
}


void
hie_array_init(hie_array_t *a, apr_pool_t *pool, hie_pg_type_t type,
               size_t size)
{
    char  header[ARRAY_HEADER];

    put_header(header, type, 0);
    hie_buf_init(&a->buf, pool, size + ARRAY_HEADER);
    hie_buf_add(&a->buf, header, sizeof(header));
    a->n = 0;
}


static void
array_add(hie_array_t *a, const void *ptr, size_t len)
{
    uint32_t  be = htobe32((uint32_t) len);

    hie_buf_add(&a->buf, &be, sizeof(be));
    hie_buf_add(&a->buf, ptr, len);
    a->n++;
}


void
hie_array_str(hie_array_t *a, hie_str_t s)
{
    array_add(a, s.ptr != NULL ? s.ptr : "", s.len);
}


void
hie_array_i64(hie_array_t *a, int64_t v)
{
    uint64_t  be = htobe64((uint64_t) v);

    array_add(a, &be, sizeof(be));
}


void
hie_array_i32(hie_array_t *a, int32_t v)
{
    uint32_t  be = htobe32((uint32_t) v);

    array_add(a, &be, sizeof(be));
}


void
hie_array_double(hie_array_t *a, double v)
{
    int64_t  bits;

    memcpy(&bits, &v, sizeof(bits));
    hie_array_i64(a, bits);
}


void
hie_array_bool(hie_array_t *a, bool v)
{
    char  byte = v;

    array_add(a, &byte, sizeof(byte));
}


void
hie_array_time(hie_array_t *a, apr_time_t t)
{
    hie_array_i64(a, t - HIE_PG_EPOCH);
}


void
hie_array_null(hie_array_t *a)
{
    uint32_t  none = htobe32(UINT32_MAX);
    uint32_t  has_nulls = htobe32(1);

    hie_buf_add(&a->buf, &none, sizeof(none));
    memcpy(a->buf.ptr + 4, &has_nulls, sizeof(has_nulls));
    a->n++;
}


void
hie_params_array(hie_params_t *p, hie_array_t *a)
{
    put_u32(a->buf.ptr + 12, a->n);
    params_add(p, a->buf.ptr, a->buf.len);
}


static uint64_t
get_u64(const char *at)
{
    uint64_t  be;

    memcpy(&be, at, sizeof(be));
    return be64toh(be);
}


static uint32_t
get_u32(const char *at)
{
    uint32_t  be;

    memcpy(&be, at, sizeof(be));
    return be32toh(be);
}


int64_t
hie_result_i64(const PGresult *res, int row, int col)
{
    const char  *at = PQgetvalue(res, row, col);

    if (PQgetlength(res, row, col) == 4) {
        return (int32_t) get_u32(at);
    }
    return (int64_t) get_u64(at);
}


int
hie_result_i16(const PGresult *res, int row, int col)
{
    uint16_t  be;

    memcpy(&be, PQgetvalue(res, row, col), sizeof(be));
    return (int16_t) be16toh(be);
}


bool
hie_result_bool(const PGresult *res, int row, int col)
{
    return *PQgetvalue(res, row, col) != 0;
}


apr_time_t
hie_result_time(const PGresult *res, int row, int col)
{
    return (apr_time_t) get_u64(PQgetvalue(res, row, col)) + HIE_PG_EPOCH;
}


hie_str_t
hie_result_str(const PGresult *res, int row, int col)
{
    return (hie_str_t) {
        PQgetvalue(res, row, col), (size_t) PQgetlength(res, row, col)
    };
}


/* Only for columns that cannot hold a null element. */
uint64_t *
hie_result_keys(const PGresult *res, int row, int col, apr_pool_t *pool,
                int *n)
{
    const char  *at = PQgetvalue(res, row, col);
    size_t       len = (size_t) PQgetlength(res, row, col);
    uint64_t    *keys;
    int          i;

    *n = 0;
    if (len < ARRAY_HEADER) {
        return NULL;                      /* no dimension: an empty array */
    }

    *n = (int) ((len - ARRAY_HEADER) / 12);
    keys = apr_palloc(pool, (size_t) *n * sizeof(*keys));
    at += ARRAY_HEADER;
    for (i = 0; i < *n; i++) {
        keys[i] = get_u64(at + 4);
        at += 12;
    }

    return keys;
}


int32_t *
hie_result_ints(const PGresult *res, int row, int col, apr_pool_t *pool,
                int *n)
{
    const char  *at = PQgetvalue(res, row, col);
    size_t       len = (size_t) PQgetlength(res, row, col);
    uint32_t     be;
    int32_t     *ints;
    int          i;

    *n = 0;
    if (len < ARRAY_HEADER) {
        return NULL;
    }

    *n = (int) ((len - ARRAY_HEADER) / 8);
    ints = apr_palloc(pool, (size_t) *n * sizeof(*ints));
    at += ARRAY_HEADER;
    for (i = 0; i < *n; i++) {
        memcpy(&be, at + 4, sizeof(be));
        ints[i] = (int32_t) be32toh(be);
        at += 8;
    }

    return ints;
}


hie_str_t *
hie_result_texts(const PGresult *res, int row, int col, apr_pool_t *pool,
                 int *n)
{
    const char  *at = PQgetvalue(res, row, col);
    size_t       len = (size_t) PQgetlength(res, row, col);
    hie_str_t   *texts;
    uint32_t     be;
    int          i;

    *n = 0;
    if (len < ARRAY_HEADER) {
        return NULL;
    }

    memcpy(&be, at + 12, sizeof(be));
    *n = (int) be32toh(be);
    texts = apr_palloc(pool, (size_t) *n * sizeof(*texts));
    at += ARRAY_HEADER;
    for (i = 0; i < *n; i++) {
        memcpy(&be, at, sizeof(be));
        texts[i] = (hie_str_t) { at + 4, be32toh(be) };
        at += 4 + texts[i].len;
    }

    return texts;
}


static apr_status_t
clear_result(void *res)
{
    PQclear(res);
    return APR_SUCCESS;
}


void
hie_result_own(PGresult *res, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, res, clear_result, apr_pool_cleanup_null);
}
