/*
 * matches, matchesFull, replaceMatches: regular expressions of PCRE2, of
 * which a pattern may cost only so much.
 */

#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

#define PATTERN_MAX   4096
#define NEST_MAX      50
#define HEAP_KIB      8192

/* Most patterns need next to nothing. One that needs more is tried again, at
 * its price. */
#define CHEAP_LIMIT   1000
#define CHEAP_STEPS   100
#define DEAR_LIMIT    200000
#define DEAR_STEPS    40000

struct fp_regex_t {
    pcre2_code           *code;
    pcre2_match_context  *cheap;
    pcre2_match_context  *dear;
};


static apr_status_t
destroy(void *data)
{
    fp_regex_t  *re = data;

    pcre2_code_free(re->code);
    pcre2_match_context_free(re->cheap);
    pcre2_match_context_free(re->dear);
    return APR_SUCCESS;
}


static pcre2_match_context *
limits(uint32_t n)
{
    pcre2_match_context  *mc = pcre2_match_context_create(NULL);

    pcre2_set_match_limit(mc, n);
    pcre2_set_depth_limit(mc, n);
    pcre2_set_heap_limit(mc, HEAP_KIB);
    return mc;
}


/* The whole string is one line for `.` (N1 section 5.6.9). */
hie_rc_t
hie_fp_regex_compile(apr_pool_t *pool, hie_str_t pattern, fp_regex_t **out,
                     hie_error_t *err)
{
    int                     code;
    fp_regex_t             *re;
    PCRE2_SIZE              at;
    PCRE2_UCHAR             message[160];
    pcre2_compile_context  *cc;

    *out = NULL;
    if (pattern.len > PATTERN_MAX) {
        return hie_fail(err, HIE_INVALID, "", "a pattern has at most %d bytes",
                        PATTERN_MAX);
    }

    re = apr_pcalloc(pool, sizeof(*re));
    cc = pcre2_compile_context_create(NULL);
    pcre2_set_parens_nest_limit(cc, NEST_MAX);
    re->code = pcre2_compile((PCRE2_SPTR) pattern.ptr, pattern.len,
                             PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOTALL
                             | PCRE2_NEVER_BACKSLASH_C, &code, &at, cc);
    pcre2_compile_context_free(cc);
    if (re->code == NULL) {
        pcre2_get_error_message(code, message, sizeof(message));
        return hie_fail(err, HIE_INVALID, "", "in the pattern at byte %zu: %s",
                        (size_t) at, (const char *) message);
    }

    re->cheap = limits(CHEAP_LIMIT);
    re->dear = limits(DEAR_LIMIT);
    apr_pool_cleanup_register(pool, re, destroy, apr_pool_cleanup_null);
    *out = re;
    return HIE_OK;
}


static hie_rc_t
match(fp_run_t *run, const fp_node_t *n, const fp_regex_t *re, hie_str_t s,
      size_t from, uint32_t options, pcre2_match_data *md, bool *out)
{
    int       got;
    hie_rc_t  rc;

    *out = false;
    options |= PCRE2_NO_UTF_CHECK;
    rc = hie_fp_spend(run, CHEAP_STEPS);
    if (rc != HIE_OK) {
        return rc;
    }

    got = pcre2_match(re->code, (PCRE2_SPTR) s.ptr, s.len, from, options, md,
                      re->cheap);
    if (got == PCRE2_ERROR_MATCHLIMIT || got == PCRE2_ERROR_DEPTHLIMIT) {
        rc = hie_fp_spend(run, DEAR_STEPS);
        if (rc != HIE_OK) {
            return rc;
        }

        got = pcre2_match(re->code, (PCRE2_SPTR) s.ptr, s.len, from, options,
                          md, re->dear);
    }

    if (got < 0 && got != PCRE2_ERROR_NOMATCH) {
        return hie_fp_fail(run, n, HIE_TOO_COSTLY, "the regular expression "
                           "takes too much work on this string");
    }

    *out = got >= 0;
    return HIE_OK;
}


/* The pattern of a call, compiled now if it was no constant. */
static hie_rc_t
pattern_of(fp_run_t *run, const fp_node_t *n, hie_str_t pattern,
           fp_regex_t **re)
{
    hie_rc_t     rc;
    hie_error_t  err;

    *re = n->regex;
    if (*re != NULL) {
        return HIE_OK;
    }

    rc = hie_fp_spend(run, 100 + pattern.len);
    if (rc == HIE_OK
        && hie_fp_regex_compile(run->pool, pattern, re, &err) != HIE_OK)
    {
        rc = hie_fp_fail(run, n, HIE_INVALID, "%s", err.detail);
    }

    return rc;
}


static void
release(fp_run_t *run, const fp_node_t *n, fp_regex_t *re)
{
    if (re != n->regex) {
        apr_pool_cleanup_run(run->pool, re, destroy);
    }
}


static hie_rc_t
matches(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
        uint32_t base, uint32_t options)
{
    bool               there, found = false;
    hie_rc_t           rc;
    hie_str_t          s, pattern;
    fp_regex_t        *re;
    pcre2_match_data  *md;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &pattern, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    rc = pattern_of(run, n, pattern, &re);
    if (rc != HIE_OK) {
        return rc;
    }

    md = pcre2_match_data_create(1, NULL);
    rc = match(run, n, re, s, 0, options, md, &found);
    pcre2_match_data_free(md);
    release(run, n, re);
    hie_fp_set_boolean(run, base, found);
    return rc;
}


hie_rc_t
hie_fp_call_matches(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    return matches(run, n, scope, base, 0);
}


hie_rc_t
hie_fp_call_matchesFull(fp_run_t *run, const fp_node_t *n,
                        const fp_scope_t *scope, uint32_t base)
{
    return matches(run, n, scope, base, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
}


/* What one match is replaced by: $1 and ${name} stand for groups. */
static hie_rc_t
substitute(fp_run_t *run, const fp_node_t *n, const fp_regex_t *re,
           hie_str_t s, hie_str_t by, pcre2_match_data *md, hie_buf_t *b)
{
    int          got;
    char         few[256];
    size_t       len = sizeof(few), i;
    hie_rc_t     rc;
    PCRE2_UCHAR *w = (PCRE2_UCHAR *) few;
    uint32_t     options = PCRE2_NO_UTF_CHECK | PCRE2_SUBSTITUTE_MATCHED
                           | PCRE2_SUBSTITUTE_REPLACEMENT_ONLY
                           | PCRE2_SUBSTITUTE_UNSET_EMPTY
                           | PCRE2_SUBSTITUTE_UNKNOWN_UNSET
                           | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH;

    for (i = 0; i < 2; i++) {
        got = pcre2_substitute(re->code, (PCRE2_SPTR) s.ptr, s.len, 0,
                               options, md, re->dear, (PCRE2_SPTR) by.ptr,
                               by.len, w, &len);
        if (got >= 0) {
            hie_buf_add(b, w, len);
            return HIE_OK;
        }

        if (got != PCRE2_ERROR_NOMEMORY) {
            break;
        }

        rc = hie_fp_room(run, n, len);
        if (rc != HIE_OK) {
            return rc;
        }

        w = apr_palloc(run->pool, len);
    }

    return hie_fp_fail(run, n, HIE_INVALID, "no replacement: '%.*s'",
                       (int) (by.len < 80 ? by.len : 80), by.ptr);
}


static hie_rc_t
replace_all(fp_run_t *run, const fp_node_t *n, const fp_regex_t *re,
            hie_str_t s, hie_str_t by, pcre2_match_data *md, hie_buf_t *b)
{
    bool         found;
    size_t       at = 0, kept = 0;
    hie_rc_t     rc;
    PCRE2_SIZE  *place;

    for ( ;; ) {
        rc = match(run, n, re, s, at, 0, md, &found);
        if (rc != HIE_OK || !found) {
            break;
        }

        place = pcre2_get_ovector_pointer(md);
        if (place[1] < place[0] || place[0] < kept) {
            break;
        }

        hie_buf_add(b, s.ptr + kept, place[0] - kept);
        kept = place[1];
        at = kept;
        rc = substitute(run, n, re, s, by, md, b);
        if (rc == HIE_OK) {
            rc = hie_fp_room(run, n, b->len);
        }

        /* after an empty match the next begins one character on */
        if (place[0] == place[1]) {
            do {
                at++;
            } while (at < s.len && ((unsigned char) s.ptr[at] & 0xc0) == 0x80);
        }

        if (rc != HIE_OK || at > s.len) {
            break;
        }
    }

    hie_buf_add(b, s.ptr + kept, s.len - kept);
    return rc;
}


hie_rc_t
hie_fp_call_replaceMatches(fp_run_t *run, const fp_node_t *n,
                           const fp_scope_t *scope, uint32_t base)
{
    bool               there, by_there = false;
    hie_rc_t           rc;
    hie_buf_t          b;
    hie_str_t          s, pattern;
    fp_item_t          by;
    fp_regex_t        *re;
    pcre2_match_data  *md;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &pattern, &there);
    if (rc == HIE_OK) {
        rc = hie_fp_argument(run, n->args->next, scope, HIE_FHIRPATH_STRING,
                             &by, &by_there);
    }

    if (rc != HIE_OK || !there || !by_there) {
        return rc;
    }

    rc = pattern_of(run, n, pattern, &re);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, run->pool, s.len + 64);
    md = pcre2_match_data_create_from_pattern(re->code, NULL);
    rc = replace_all(run, n, re, s, by.string, md, &b);
    pcre2_match_data_free(md);
    release(run, n, re);
    hie_fp_set_string(run, base, hie_buf_str(&b));
    return rc;
}
