/*
 * For search and for bindings: codes of a value set, below and above a code.
 */

#include "terminology/private.h"

#include <string.h>


hie_term_answer_t
hie_term_member(const hie_term_source_t *source, apr_pool_t *pool,
                hie_str_t value_set, hie_str_t system, hie_str_t code,
                hie_error_t *err)
{
    tx_t      tx;
    plan_t   *plan;
    member_t  m;
    bool      is = false;

    hie_tx_init(&tx, pool, source, 0, err);

    memset(&m, 0, sizeof(m));
    m.system = system;
    m.code = code;
    m.concept = NO_CONCEPT;

    if (hie_plan_find(&tx, value_set, HIE_STR_NONE, NULL, &plan) != HIE_OK
        || hie_plan_has(&tx, plan, &m, &is) != HIE_OK)
    {
        return HIE_TERM_UNKNOWN;
    }

    return is ? HIE_TERM_IN : HIE_TERM_OUT;
}


static hie_rc_t
take(void *baton, const member_t *m)
{
    return hie_crowd_add(baton, m);
}


hie_rc_t
hie_term_codes(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t value_set, size_t max, const hie_term_code_t **out,
               size_t *n, hie_error_t *err)
{
    tx_t              tx;
    plan_t           *plan;
    crowd_t           crowd;
    hie_term_code_t  *codes;
    hie_rc_t          rc;
    size_t            i;

    *out = NULL;
    *n = 0;

    hie_tx_init(&tx, pool, source, 0, err);
    hie_crowd_init(&crowd, &tx, max);
    rc = hie_plan_find(&tx, value_set, HIE_STR_NONE, NULL, &plan);

    if (rc == HIE_OK) {
        rc = hie_plan_walk(&tx, plan, take, &crowd);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    codes = apr_palloc(pool, (crowd.n + 1) * sizeof(*codes));

    for (i = 0; i < crowd.n; i++) {
        codes[i].system = crowd.members[i].system;
        codes[i].code = crowd.members[i].code;
    }

    *out = codes;
    *n = crowd.n;

    return HIE_OK;
}


static hie_rc_t
reach(const hie_term_source_t *source, apr_pool_t *pool, hie_str_t url,
      hie_str_t code, bool up, size_t max, const hie_term_code_t **out,
      size_t *n, hie_error_t *err)
{
    tx_t               tx;
    const hie_term_t  *t;
    const uint8_t     *bits;
    hie_term_code_t   *codes;
    hie_rc_t           rc;
    uint32_t           c = NO_CONCEPT, i;
    size_t             count = 0;

    *out = NULL;
    *n = 0;

    hie_tx_init(&tx, pool, source, 0, err);
    rc = hie_tx_find(&tx, HIE_TERM_CODE_SYSTEM, url, HIE_STR_NONE, &t);

    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        return rc;
    }

    if (rc == HIE_OK) {
        c = hie_system_find(t, code);
    }

    if (c == NO_CONCEPT) {
        *out = codes = apr_palloc(pool, sizeof(*codes));
        *codes = (hie_term_code_t) { url, code };
        *n = 1;
        return HIE_OK;
    }

    bits = hie_hierarchy_reach(&t->system, c, up, pool);

    for (i = 0; i < t->system.n; i++) {
        count += HIE_BIT(bits, i);
    }

    if (count > max) {
        return hie_tx_fail(&tx, HIE_TOO_COSTLY, "too-costly",
                           "\"%.*s\" has %zu codes %s it, more than %zu",
                           HIE_PRISTR(code), count - 1,
                           up ? "above" : "below", max);
    }

    *out = codes = apr_palloc(pool, (count + 1) * sizeof(*codes));

    for (i = 0; i < t->system.n; i++) {
        if (HIE_BIT(bits, i)) {
            codes[(*n)++] = (hie_term_code_t) { url,
                                                t->system.concepts[i].code };
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_term_below(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t system, hie_str_t code, size_t max,
               const hie_term_code_t **out, size_t *n, hie_error_t *err)
{
    return reach(source, pool, system, code, false, max, out, n, err);
}


hie_rc_t
hie_term_above(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t system, hie_str_t code, size_t max,
               const hie_term_code_t **out, size_t *n, hie_error_t *err)
{
    return reach(source, pool, system, code, true, max, out, n, err);
}
