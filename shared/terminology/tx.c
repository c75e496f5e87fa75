/*
 * The state of an operation: what it may cost, and what it has found.
 */

#include "terminology/private.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>


void
hie_tx_init(tx_t *tx, apr_pool_t *pool, const hie_term_source_t *source,
            uint64_t steps, hie_error_t *err)
{
    memset(tx, 0, sizeof(*tx));

    tx->pool = pool;
    tx->source = source;
    tx->steps = steps != 0 ? steps : HIE_TERM_STEPS;
    tx->err = err != NULL ? err : apr_pcalloc(pool, sizeof(*err));
    tx->known = apr_array_make(pool, 8, sizeof(known_t));
    tx->plans = apr_array_make(pool, 8, sizeof(plan_t *));
    tx->used = apr_array_make(pool, 4, sizeof(const hie_term_t *));
    tx->supplements = apr_array_make(pool, 1, sizeof(const hie_term_t *));
    tx->fallback = tx->check = tx->force = tx->without =
        apr_array_make(pool, 1, sizeof(hie_str_t));
}


hie_rc_t
hie_tx_fail(tx_t *tx, hie_rc_t rc, const char *issue, const char *fmt, ...)
{
    va_list  ap;
    char     text[sizeof(tx->err->detail)];

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    tx->issue = issue;

    return hie_fail(tx->err, rc, "", "%s", text);
}


bool
hie_tx_spend(tx_t *tx, uint64_t steps)
{
    if (tx->steps < steps) {
        tx->steps = 0;
        hie_tx_fail(tx, HIE_TOO_COSTLY, "too-costly",
                    "more codes would have to be looked at than is allowed");
        return false;
    }

    tx->steps -= steps;

    return true;
}


hie_str_t
hie_tx_canonical(apr_pool_t *pool, hie_str_t url, hie_str_t version)
{
    hie_buf_t  b;

    if (version.len == 0) {
        return url;
    }

    hie_buf_init(&b, pool, url.len + version.len + 2);
    hie_buf_adds(&b, url);
    hie_buf_addc(&b, '|');
    hie_buf_adds(&b, version);

    return hie_buf_str(&b);
}


hie_rc_t
hie_tx_find(tx_t *tx, hie_term_kind_t kind, hie_str_t canonical,
            hie_str_t version, const hie_term_t **out)
{
    hie_str_t   own, url = hie_str_split(canonical, '|', &own);
    hie_rc_t    rc;
    known_t    *k;
    int         i;

    version = version.len > 0 ? version : own;

    for (i = 0; i < tx->known->nelts; i++) {
        k = &APR_ARRAY_IDX(tx->known, i, known_t);

        if (k->kind == kind && hie_str_eq(k->url, url)
            && hie_str_eq(k->version, version))
        {
            *out = k->term;
            return k->rc;
        }
    }

    *out = NULL;
    rc = tx->source->find(tx->source->baton, kind, url, version, out,
                          tx->err);

    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        tx->issue = hie_rc_issue(rc);
        return rc;
    }

    k = apr_array_push(tx->known);
    *k = (known_t) { kind, url, version, rc, *out };

    return rc;
}
