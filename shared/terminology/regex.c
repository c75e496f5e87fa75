/*
 * The regular expressions of filters: PCRE2 with limits, whole values (R4
 * section 2.24.0.1 writes its own expressions that way).
 */

#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>

#include "terminology/private.h"

#define PATTERN_MAX  1000
#define MATCH_LIMIT  20000
#define HEAP_KIB     4096
#define COST         50             /* of a match, in codes looked at */

struct regex_t {
    pcre2_code           *code;
    pcre2_match_data     *data;
    pcre2_match_context  *limits;
};


static apr_status_t
destroy(void *baton)
{
    regex_t  *re = baton;

    pcre2_match_data_free(re->data);
    pcre2_match_context_free(re->limits);
    pcre2_code_free(re->code);

    return APR_SUCCESS;
}


hie_rc_t
hie_regex_make(tx_t *tx, hie_str_t pattern, regex_t **out)
{
    regex_t    *re;
    int         error;
    PCRE2_SIZE  at;

    if (pattern.len > PATTERN_MAX) {
        return hie_tx_fail(tx, HIE_TOO_COSTLY, "too-costly",
                           "a regular expression of more than %d bytes",
                           PATTERN_MAX);
    }

    re = apr_palloc(tx->pool, sizeof(*re));
    re->code = pcre2_compile((PCRE2_SPTR) pattern.ptr, pattern.len,
                             PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF
                             | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);

    if (re->code == NULL) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "invalid",
                           "the regular expression \"%.*s\" is wrong at byte "
                           "%zu", HIE_PRISTR(pattern), (size_t) at);
    }

    re->data = pcre2_match_data_create(1, NULL);
    re->limits = pcre2_match_context_create(NULL);
    apr_pool_cleanup_register(tx->pool, re, destroy, apr_pool_cleanup_null);
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_KIB);
    *out = re;

    return HIE_OK;
}


hie_rc_t
hie_regex_test(tx_t *tx, const regex_t *re, hie_str_t text, bool *out)
{
    int  rc;

    if (!hie_tx_spend(tx, COST)) {
        return HIE_TOO_COSTLY;
    }

    rc = pcre2_match(re->code, (PCRE2_SPTR) text.ptr, text.len, 0, 0,
                     re->data, re->limits);
    *out = rc >= 0;

    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        return hie_tx_fail(tx, HIE_TOO_COSTLY, "too-costly",
                           "a regular expression takes too much work");
    }

    return HIE_OK;
}
