/*
 * All resources of a type that everybody sees, and whether they are still the
 * same: for who keeps something that was made of them.
 */

#include "store/private.h"

#include <string.h>


hie_rc_t
hie_store_states(hie_store_t *s, const hie_str_t *types, int n,
                 apr_pool_t *pool, hie_store_state_t *out, hie_error_t *err)
{
    int            i;
    hie_array_t    names;
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    hie_store_stmt(&st, "SELECT s.n, s.mark FROM unnest($1::text[])"
                   " WITH ORDINALITY AS t(type, at) CROSS JOIN LATERAL"
                   " (SELECT count(*) AS n, coalesce(bit_xor("
                   "hashtextextended(r.id, r.version)), 0) AS mark"
                   " FROM hie.resource r WHERE r.type = t.type"
                   " AND NOT r.deleted AND r.patients = '{}') s"
                   " ORDER BY t.at");
    hie_array_init(&names, pool, HIE_PG_TEXT, 64);
    for (i = 0; i < n; i++) {
        hie_array_str(&names, types[i]);
    }

    hie_params_init(&params, pool);
    hie_params_array(&params, &names);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        out[i].n = hie_result_i64(res, i, 0);
        out[i].mark = hie_result_i64(res, i, 1);
    }

    PQclear(res);
    return HIE_OK;
}


hie_rc_t
hie_store_everyones(hie_store_t *s, hie_str_t type, int64_t after, int count,
                    apr_pool_t *pool, hie_row_t **rows, int *n,
                    hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    PGresult      *res;
    hie_rc_t       rc;
    int            i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    hie_store_stmt(&st, "SELECT r.rid, r.id, r.version, r.updated, r.body"
                   " FROM hie.resource r WHERE r.type = $1::text"
                   " AND r.rid > $2::bigint AND NOT r.deleted"
                   " AND r.patients = '{}' ORDER BY r.rid LIMIT $3::bigint");
    hie_params_init(&params, pool);
    hie_params_str(&params, type);
    hie_params_i64(&params, after);
    hie_params_i64(&params, count);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(res, pool);
    *n = PQntuples(res);
    *rows = apr_pcalloc(pool, ((size_t) *n + 1) * sizeof(**rows));
    for (i = 0; i < *n; i++) {
        (*rows)[i].type = type;
        (*rows)[i].rid = hie_result_i64(res, i, 0);
        (*rows)[i].id = hie_result_str(res, i, 1);
        (*rows)[i].version = hie_result_i64(res, i, 2);
        (*rows)[i].updated = hie_result_time(res, i, 3);
        (*rows)[i].body = hie_result_str(res, i, 4);
    }
    return HIE_OK;
}
