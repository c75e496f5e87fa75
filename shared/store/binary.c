/*
 * The raw content of Binary resources: in chunks, so that neither this process
 * nor the database holds all of it in memory.
 */

#include "store/private.h"

#include <string.h>
#include <unistd.h>

#include <apr_strings.h>


/* Chunks that are read at a time. */
#define WINDOW  4


int64_t
hie_content_read(const hie_content_t *c, int64_t at, char *buf, size_t size)
{
    size_t   done;
    ssize_t  n;

    if (at >= c->size) {
        return 0;
    }
    if ((int64_t) size > c->size - at) {
        size = (size_t) (c->size - at);
    }
    if (c->file == -1) {
        memcpy(buf, c->bytes + at, size);
        return (int64_t) size;
    }

    for (done = 0; done < size; done += (size_t) n) {
        n = pread(c->file, buf + done, size - done, (off_t) at + (off_t) done);
        if (n <= 0) {
            return -1;
        }
    }
    return (int64_t) size;
}


static hie_rc_t
new_content(hie_store_tx_t *tx, int64_t *content, hie_error_t *err)
{
    hie_stmt_t  st;
    hie_op_t    op = { &st, NULL, NULL };
    hie_rc_t    rc;

    hie_store_stmt(&st, "SELECT nextval('hie.binary_content')");
    rc = hie_store_tx_run(tx, &op, 1, err);
    if (rc == HIE_OK) {
        *content = hie_result_i64(op.res, 0, 0);
        PQclear(op.res);
    }
    return rc;
}


static hie_rc_t
put_chunk(hie_store_tx_t *tx, int64_t content, int64_t seq, hie_str_t data,
          apr_pool_t *scratch, hie_error_t *err)
{
    hie_params_t  params;
    hie_stmt_t    st;
    hie_op_t      op = { &st, &params, NULL };
    hie_rc_t      rc;

    hie_store_stmt(&st, "INSERT INTO hie.binary_chunk (content, seq, data)"
                   " VALUES ($1::bigint, $2::bigint, $3::bytea)");
    hie_params_init(&params, scratch);
    hie_params_i64(&params, content);
    hie_params_i64(&params, seq);
    hie_params_str(&params, data);
    rc = hie_store_tx_run(tx, &op, 1, err);
    PQclear(op.res);
    return rc;
}


static hie_rc_t
put_chunks(hie_store_tx_t *tx, int64_t content, const hie_content_t *c,
           hie_error_t *err)
{
    apr_pool_t  *scratch = hie_pool_create(NULL, "store binary");
    char        *buf = apr_palloc(scratch, HIE_CHUNK);
    apr_pool_t  *one;
    int64_t      n, at;
    hie_rc_t     rc = HIE_OK;

    apr_pool_create(&one, scratch);
    for (at = 0; rc == HIE_OK && at < c->size; at += n) {
        n = hie_content_read(c, at, buf, HIE_CHUNK);
        if (n <= 0) {
            rc = hie_fail(err, HIE_INTERNAL, "",
                          "the content cannot be read");
            break;
        }
        rc = put_chunk(tx, content, at / HIE_CHUNK,
                       (hie_str_t) { buf, (size_t) n }, one, err);
        apr_pool_clear(one);
    }

    apr_pool_destroy(scratch);
    return rc;
}


hie_rc_t
hie_store_put_content(hie_store_tx_t *tx, const hie_put_t *put,
                      hie_error_t *err)
{
    hie_params_t  params;
    hie_stmt_t    st;
    hie_op_t      op = { &st, &params, NULL };
    int64_t       content;
    hie_rc_t      rc;

    rc = new_content(tx, &content, err);
    if (rc == HIE_OK) {
        rc = put_chunks(tx, content, put->content, err);
    }
    if (rc != HIE_OK) {
        return rc;
    }

    hie_store_stmt(&st, "INSERT INTO hie.binary (id, version, content, size)"
                   " VALUES ($1::text, $2::bigint, $3::bigint, $4::bigint)");
    hie_params_init(&params, tx->pool);
    hie_params_str(&params, put->id);
    hie_params_i64(&params, put->version);
    hie_params_i64(&params, content);
    hie_params_i64(&params, put->content->size);
    rc = hie_store_tx_run(tx, &op, 1, err);
    PQclear(op.res);
    return rc;
}


/*
 * securityContext (R4 section 2.44): whoever may not see what it names may not
 * see the Binary.
 */

static void
add_patients(hie_relations_t *x, const uint64_t *keys, int n, apr_pool_t *pool)
{
    uint64_t  *all;

    if (n == 0) {
        return;
    }
    all = apr_palloc(pool, (size_t) (x->n_patients + n) * sizeof(*all));
    if (x->n_patients > 0) {
        memcpy(all, x->patients, (size_t) x->n_patients * sizeof(*all));
    }
    memcpy(all + x->n_patients, keys, (size_t) n * sizeof(*all));
    x->patients = all;
    x->n_patients += n;
}


/* What is withheld is answered for as what is not there: a reference must not
 * tell whether there is something. */
static hie_rc_t
stored_patients(hie_store_tx_t *tx, const hie_put_t *put, uint64_t **keys,
                int *n, hie_error_t *err)
{
    static const hie_visible_t   all = { .all = true };
    const hie_visible_t         *v = put->context_visible;
    hie_params_t                 params;
    hie_stmt_t                   st;
    hie_buf_t                    sql;
    hie_op_t                     op = { &st, &params, NULL };
    hie_rc_t                     rc;

    if (v == NULL) {
        v = &all;
    }

    /* Locked, so that whose it is does not change meanwhile. */
    hie_buf_init(&sql, tx->pool, 512);
    hie_buf_addz(&sql, "SELECT r.patients FROM hie.resource r WHERE "
                 HIE_IS_ROW("r", "$1::bigint", "$2::text", "$3::text")
                 " AND NOT r.deleted AND ");
    hie_visible_sql(&sql, hie_visible_see(v), "r", 4);
    hie_buf_addz(&sql, " FOR SHARE");
    hie_store_stmt(&st, hie_str_z(tx->pool, hie_buf_str(&sql)));

    hie_params_init(&params, tx->pool);
    hie_params_row(&params, put->context_type, put->context_id);
    hie_visible_param(&params, v);
    rc = hie_store_tx_run(tx, &op, 1, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (PQntuples(op.res) == 1) {
        *keys = hie_result_keys(op.res, 0, 0, tx->pool, n);
    } else {
        rc = hie_fail(err, HIE_UNPROCESSABLE, "Binary.securityContext",
                      "the resource that it names is not on this server");
    }
    PQclear(op.res);
    return rc;
}


/* What is written by the same call comes first. */
static const hie_put_t *
put_beside(const hie_put_t *put, const hie_put_t *puts, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (puts[i].body.len > 0 && hie_str_eq(puts[i].id, put->context_id)
            && hie_str_eq(puts[i].type, put->context_type))
        {
            return &puts[i];
        }
    }
    return NULL;
}


hie_rc_t
hie_store_contexts(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                   hie_error_t *err)
{
    const hie_put_t  *other;
    uint64_t         *keys;
    hie_rc_t          rc;
    int               i, n_keys;

    for (i = 0; i < n; i++) {
        if (puts[i].context_id.len == 0 || puts[i].body.len == 0) {
            continue;
        }

        other = put_beside(&puts[i], puts, n);
        if (other != NULL) {
            keys = other->relations->patients;
            n_keys = other->relations->n_patients;
        } else {
            rc = stored_patients(tx, &puts[i], &keys, &n_keys, err);
            if (rc != HIE_OK) {
                return rc;
            }
        }
        add_patients(puts[i].relations, keys, n_keys, tx->pool);
    }
    return HIE_OK;
}


/*
 * Reading.
 */

hie_rc_t
hie_store_content(hie_store_t *s, hie_str_t id, int64_t version,
                  apr_pool_t *pool, int64_t *content, int64_t *size,
                  hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    hie_store_stmt(&st, "SELECT b.content, b.size FROM hie.binary b"
                   " WHERE b.id = $1::text AND b.version = $2::bigint");
    hie_params_init(&params, pool);
    hie_params_str(&params, id);
    hie_params_i64(&params, version);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (PQntuples(res) == 0) {
        rc = hie_fail(err, HIE_NOT_FOUND, "", "the version has no content");
    } else {
        *content = hie_result_i64(res, 0, 0);
        *size = hie_result_i64(res, 0, 1);
    }
    PQclear(res);
    return rc;
}


/* The chunks of one window to `cb`. */
static hie_rc_t
read_window(hie_store_t *s, int64_t content, int64_t seq, apr_pool_t *scratch,
            hie_content_cb *cb, void *baton, int64_t *got, hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    hie_str_t      data;
    PGresult      *res;
    hie_rc_t       rc;
    int            i;

    hie_store_stmt(&st, "SELECT c.data FROM hie.binary_chunk c"
                   " WHERE c.content = $1::bigint AND c.seq >= $2::bigint"
                   " AND c.seq < $3::bigint ORDER BY c.seq");
    hie_params_init(&params, scratch);
    hie_params_i64(&params, content);
    hie_params_i64(&params, seq);
    hie_params_i64(&params, seq + WINDOW);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; rc == HIE_OK && i < PQntuples(res); i++) {
        data = hie_result_str(res, i, 0);
        *got += (int64_t) data.len;
        rc = cb(baton, data.ptr, data.len, err);
    }
    PQclear(res);
    return rc;
}


hie_rc_t
hie_store_content_read(hie_store_t *s, int64_t content, int64_t size,
                       hie_content_cb *cb, void *baton, hie_error_t *err)
{
    apr_pool_t  *scratch = hie_pool_create(NULL, "store binary");
    int64_t      seq, before, got = 0;
    hie_rc_t     rc = HIE_OK;

    HIE_ASSERT_MAY_BLOCK();

    for (seq = 0; rc == HIE_OK && got < size; seq += WINDOW) {
        before = got;
        rc = read_window(s, content, seq, scratch, cb, baton, &got, err);
        apr_pool_clear(scratch);
        if (rc == HIE_OK && (got == before || got > size)) {
            rc = hie_fail(err, HIE_INTERNAL, "",
                          "a content is not what was written");
        }
    }

    apr_pool_destroy(scratch);
    return rc;
}
