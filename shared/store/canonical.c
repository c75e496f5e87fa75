/*
 * References by canonical URL (R4 section 2.3.0.6): from one side to the other
 * by what their tokens say. The referring resource has a token of its
 * parameter that says the URL, what is referred to has one of `url`.
 */

#include "store/query.h"


/* The slots of `url` of all types that have it, or of one. */
static int
add_url_slots(hie_find_t *w, hie_type_t type)
{
    apr_array_header_t  *slots = apr_array_make(w->pool, 40,
                                                sizeof(uint64_t));
    hie_type_t           t;

    for (t = 1; t < hie_n_types; t++) {
        if ((type == HIE_TYPE_NONE || type == t)
            && hie_search_param_find(t, HIE_STR("url")) != NULL)
        {
            APR_ARRAY_PUSH(slots, uint64_t) =
                hie_search_param_key(hie_types[t].name, "url");
        }
    }
    return hie_find_keys(w, (const uint64_t *) slots->elts, slots->nelts);
}


/* From the tokens of `m` to the terms `b` that say the same: from slots `from`
 * to slots `to`, both parameters. */
static void
add_crossing(hie_find_t *w, int from, int to)
{
    hie_buf_addf(&w->sql, " CROSS JOIN LATERAL unnest(m.tokens) AS k(key)"
                 " CROSS JOIN LATERAL (SELECT a.value FROM hie.term a"
                 " WHERE a.key = k.key AND a.slot = ANY ($%d::bigint[])"
                 " OFFSET 0) a CROSS JOIN LATERAL (SELECT b.key"
                 " FROM hie.term b WHERE b.slot = ANY ($%d::bigint[])"
                 " AND b.value = a.value OFFSET 0) b", from, to);
}


static int
add_param(hie_find_t *w, uint32_t param)
{
    return hie_find_params(w, &param, 1);
}


/* To the other side of a chain: forward from what is referred to. */
static void
cross(hie_find_t *w, const hie_chain_t *chain, bool from_target)
{
    int  param = add_param(w, chain->param);
    int  url = add_url_slots(w, HIE_TYPE_NONE);

    add_crossing(w, from_target ? url : param, from_target ? param : url);
}


void
hie_canonical_tokens(hie_find_t *w, const hie_chain_t *chain,
                     hie_find_types_t *types, bool from_target)
{
    const char  *t = hie_find_alias(w);

    hie_buf_addf(&w->sql, "SELECT b.key FROM (SELECT %s.tokens", t);
    hie_find_matches(w, types, chain->criteria, t);
    hie_buf_addz(&w->sql, " OFFSET 0) m");
    cross(w, chain, from_target);
}


void
hie_canonical_condition(hie_find_t *w, const hie_chain_t *chain,
                        hie_find_types_t *types, const char *alias,
                        bool from_target)
{
    const char  *t = hie_find_alias(w);

    hie_buf_addf(&w->sql, "EXISTS (SELECT FROM (SELECT %s.tokens) m", alias);
    cross(w, chain, from_target);
    hie_buf_addf(&w->sql, " CROSS JOIN LATERAL (SELECT FROM hie.resource %s"
                 " WHERE %s.tokens @> ARRAY[b.key] AND ", t, t);
    hie_find_type_sql(w, types, t);
    hie_find_base_sql(w, t);
    hie_find_conditions(w, chain->criteria, t);
    hie_buf_addz(&w->sql, " OFFSET 0) t OFFSET 0)");
}


/* The tokens that the rows `m` lead to by an _include or a _revinclude. */
void
hie_canonical_include(hie_find_t *w, const hie_include_t *i)
{
    int  param = add_param(w, i->param);
    int  url = add_url_slots(w, i->target);

    if (i->reverse) {
        add_crossing(w, url, param);
    } else {
        add_crossing(w, param, url);
    }
}
