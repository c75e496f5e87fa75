/*
 * The labels in use.
 */

#include "store/private.h"


/* The token of a label covers its type: the index of tokens is all that is
 * needed to find one resource that has it, and the only index that there is
 * to be walked. */
static void
build(hie_buf_t *b, hie_see_t see)
{
    hie_buf_addz(b, "SELECT DISTINCT l.kind, l.value FROM hie.label l"
                 " WHERE l.type = ANY ($1::text[]) AND (SELECT true"
                 " FROM hie.resource r WHERE r.tokens @> ARRAY[l.token]"
                 " AND r.owner IS NULL AND NOT r.deleted AND ");
    hie_visible_sql(b, see, "r", 2);
    hie_buf_addz(b, " LIMIT 1) ORDER BY 1, 2");
    hie_buf_addc(b, '\0');
}


hie_rc_t
hie_store_labels(hie_store_t *s, const hie_visible_t *v,
                 const hie_str_t *types, int n_types, apr_pool_t *pool,
                 hie_used_label_t **out, int *n, hie_error_t *err)
{
    hie_params_t  params;
    hie_array_t   names;
    hie_stmt_t    st;
    hie_buf_t     b;
    hie_rc_t      rc;
    PGresult     *res;
    int           i;

    HIE_ASSERT_MAY_BLOCK();

    *n = 0;
    hie_array_init(&names, pool, HIE_PG_TEXT, 4096);
    for (i = 0; i < n_types; i++) {
        hie_array_str(&names, types[i]);
    }
    hie_params_init(&params, pool);
    hie_params_array(&params, &names);
    hie_visible_param(&params, v);

    hie_buf_init(&b, pool, 1024);
    build(&b, hie_visible_see(v));
    hie_store_stmt(&st, b.ptr);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_result_own(res, pool);
    *n = PQntuples(res);
    *out = apr_palloc(pool, sizeof(**out) * (size_t) (*n + 1));
    for (i = 0; i < *n; i++) {
        (*out)[i].kind = (hie_label_kind_t) hie_result_i16(res, i, 0);
        (*out)[i].json = hie_result_str(res, i, 1);
    }
    return HIE_OK;
}
