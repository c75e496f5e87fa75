/*
 * Who may see a row: the one place that writes the predicate.
 */

#include "store/private.h"


/* A Consent's period includes its start and excludes its end. now() is the
 * start of the transaction, one instant for a whole statement. */
#define IN_FORCE  "c.valid_from <= now() AND c.valid_until > now()"


uint64_t
hie_store_actor_key(hie_str_t actor)
{
    const hie_str_t  parts[] = { HIE_STR("actor"), actor };

    return hie_hash64_parts(parts, 2);
}


hie_see_t
hie_visible_see(const hie_visible_t *v)
{
    if (v->all) {
        return HIE_SEE_ALL;
    }
    return v->default_permit ? HIE_SEE_PERMIT : HIE_SEE_DENY;
}


/* Whether the consent `c` denies. */
static void
add_denies(hie_buf_t *b, int param)
{
    hie_buf_addf(b, "(c.deny && $%d::bigint[] OR NOT (c.base_permit"
                 " OR c.permit && $%d::bigint[]))", param, param);
}


void
hie_visible_sql(hie_buf_t *b, hie_see_t see, const char *alias, int param)
{
    if (see == HIE_SEE_ALL) {
        hie_buf_addz(b, "true");
        return;
    }

    hie_buf_addf(b, "NOT EXISTS (SELECT FROM hie.consent c"
                 " WHERE c.patient = ANY (%s.patients) AND " IN_FORCE
                 " AND ", alias);
    add_denies(b, param);
    hie_buf_addc(b, ')');

    /* A consent that does not deny permits. */
    if (see == HIE_SEE_DENY) {
        hie_buf_addf(b, " AND NOT EXISTS (SELECT FROM unnest(%s.patients)"
                     " AS p(patient) WHERE NOT EXISTS (SELECT"
                     " FROM hie.consent c WHERE c.patient = p.patient"
                     " AND " IN_FORCE "))", alias);
    }
}


void
hie_visible_param(hie_params_t *p, const hie_visible_t *v)
{
    if (!v->all) {
        hie_params_keys(p, v->actors, v->n_actors);
    }
}


hie_rc_t
hie_store_withheld(hie_store_t *s, const hie_visible_t *v, apr_pool_t *pool,
                   uint64_t **patients, int *n, hie_error_t *err)
{
    hie_params_t   params;
    hie_stmt_t     st;
    hie_buf_t      b;
    PGresult      *res;
    hie_rc_t       rc;

    HIE_ASSERT_MAY_BLOCK();

    *patients = NULL;
    *n = 0;
    if (v->all) {
        return HIE_OK;
    }

    hie_buf_init(&b, pool, 512);
    hie_buf_addz(&b, "SELECT array_agg(q.patient) FROM (SELECT c.patient"
                 " FROM hie.consent c WHERE " IN_FORCE
                 " GROUP BY c.patient HAVING bool_or");
    add_denies(&b, 1);
    /* Ascending as unsigned numbers: the negative ones come last. */
    hie_buf_addf(&b, " %s ORDER BY c.patient < 0, c.patient) q",
                 v->default_permit ? "" : "IS FALSE");
    hie_buf_addc(&b, '\0');
    hie_store_stmt(&st, b.ptr);

    hie_params_init(&params, pool);
    hie_visible_param(&params, v);
    rc = hie_store_query(s, &st, &params, &res, err);
    if (rc == HIE_OK) {
        *patients = hie_result_keys(res, 0, 0, pool, n);
        PQclear(res);
    }
    return rc;
}
