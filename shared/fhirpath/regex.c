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

/* What a match may cost: its limit counts attempts, each of which may read
 * the string to its end. Most patterns need next to nothing; one that needs
 * more is tried again, at its price. */
#define CHEAP_BYTES   (16 * 1024)
#define CHEAP_MIN     32
#define CHEAP_MAX     250
#define DEAR_BYTES    (20 * 1024 * 1024)
#define DEAR_MIN      2000
#define DEAR_MAX      200000

struct fp_regex_t {
    pcre2_code  *code;
};

/* For one call. */
typedef struct {
    fp_regex_t           *re;
    uint32_t              options;
    pcre2_match_data     *data;
    pcre2_match_context  *context;
} matcher_t;


static apr_status_t
destroy(void *data)
{
    fp_regex_t  *re = data;

    pcre2_code_free(re->code);
    return APR_SUCCESS;
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

    apr_pool_cleanup_register(pool, re, destroy, apr_pool_cleanup_null);
    *out = re;
    return HIE_OK;
}


static uint32_t
limit_for(size_t len, size_t bytes, uint32_t min, uint32_t max)
{
    size_t  n = bytes / (len + 16);

    return n < min ? min : n > max ? max : (uint32_t) n;
}


/* Tries within a limit, and takes the steps that it may be worth. */
static hie_rc_t
try(fp_run_t *run, const matcher_t *m, hie_str_t s, size_t from,
    uint32_t limit, int *got)
{
    hie_rc_t  rc;

    rc = hie_fp_spend(run, 100 + (uint64_t) limit * (s.len + 16)
                                 / FP_STEP_BYTES);
    if (rc == HIE_OK) {
        pcre2_set_match_limit(m->context, limit);
        pcre2_set_depth_limit(m->context, limit);
        *got = pcre2_match(m->re->code, (PCRE2_SPTR) s.ptr, s.len, from,
                           m->options | PCRE2_NO_UTF_CHECK, m->data,
                           m->context);
    }

    return rc;
}


static hie_rc_t
match(fp_run_t *run, const fp_node_t *n, const matcher_t *m, hie_str_t s,
      size_t from, bool *out)
{
    int       got = 0;
    hie_rc_t  rc;

    *out = false;
    rc = try(run, m, s, from, limit_for(s.len, CHEAP_BYTES, CHEAP_MIN,
                                        CHEAP_MAX), &got);
    if (rc == HIE_OK
        && (got == PCRE2_ERROR_MATCHLIMIT || got == PCRE2_ERROR_DEPTHLIMIT))
    {
        rc = try(run, m, s, from, limit_for(s.len, DEAR_BYTES, DEAR_MIN,
                                            DEAR_MAX), &got);
    }

    if (rc != HIE_OK) {
        return rc;
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
start(matcher_t *m, fp_regex_t *re, uint32_t options)
{
    m->re = re;
    m->options = options;
    m->data = pcre2_match_data_create_from_pattern(re->code, NULL);
    m->context = pcre2_match_context_create(NULL);
    pcre2_set_heap_limit(m->context, HEAP_KIB);
}


static void
finish(fp_run_t *run, const fp_node_t *n, matcher_t *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    if (m->re != n->regex) {
        apr_pool_cleanup_run(run->pool, m->re, destroy);
    }
}


static hie_rc_t
matches(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
        uint32_t base, uint32_t options)
{
    bool         there, found = false;
    hie_rc_t     rc;
    matcher_t    m;
    hie_str_t    s, pattern;
    fp_regex_t  *re;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &pattern, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    rc = pattern_of(run, n, pattern, &re);
    if (rc != HIE_OK) {
        return rc;
    }

    start(&m, re, options);
    rc = match(run, n, &m, s, 0, &found);
    finish(run, n, &m);
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
substitute(fp_run_t *run, const fp_node_t *n, const matcher_t *m,
           hie_str_t s, hie_str_t by, hie_buf_t *b)
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
        got = pcre2_substitute(m->re->code, (PCRE2_SPTR) s.ptr, s.len, 0,
                               options, m->data, m->context,
                               (PCRE2_SPTR) by.ptr, by.len, w, &len);
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
replace_all(fp_run_t *run, const fp_node_t *n, const matcher_t *m,
            hie_str_t s, hie_str_t by, hie_buf_t *b)
{
    bool         found;
    size_t       at = 0, kept = 0;
    hie_rc_t     rc;
    PCRE2_SIZE  *place;

    for ( ;; ) {
        rc = match(run, n, m, s, at, &found);
        if (rc != HIE_OK || !found) {
            break;
        }

        place = pcre2_get_ovector_pointer(m->data);
        if (place[1] < place[0] || place[0] < kept) {
            break;
        }

        hie_buf_add(b, s.ptr + kept, place[0] - kept);
        kept = place[1];
        at = kept;
        rc = substitute(run, n, m, s, by, b);
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
    bool         there, by_there = false;
    hie_rc_t     rc;
    hie_buf_t    b;
    hie_str_t    s, pattern;
    fp_item_t    by;
    matcher_t    m;
    fp_regex_t  *re;

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
    start(&m, re, 0);
    rc = replace_all(run, n, &m, s, by.string, &b);
    finish(run, n, &m);
    hie_fp_set_string(run, base, hie_buf_str(&b));
    return rc;
}
