/*
 * Terms from bytes, and every operation over them. The input is an array: of
 * resources, which are compiled and asked, and of Parameters, with which the
 * operations are called. Answers are JSON, whatever was asked.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "terminology/terminology.h"

#define DEPTH      60
#define DEPTH_OUT  200
#define STEPS      20000

typedef struct {
    apr_pool_t         *pool;
    hie_term_set_t     *set;
    const hie_term_t   *instance;
} state_t;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static void
operate(const state_t *s, const hie_doc_t *d, hie_node_t n)
{
    static hie_term_operation_fn *const  ops[] = {
        hie_term_expand, hie_term_validate_value_set,
        hie_term_validate_system, hie_term_lookup, hie_term_subsumes,
        hie_term_translate
    };

    hie_term_request_t  r = { .pool = s->pool, .limits = { 500, STEPS } };
    hie_error_t         err = { .rc = 0 };
    hie_doc_t          *answer;
    hie_str_t           out;
    hie_rc_t            rc;
    size_t              i;

    if (hie_term_parameters(s->pool, d, n, &r.parameters, &r.n_parameters,
                            &err) != HIE_OK)
    {
        return;
    }

    r.source = hie_term_set_source(s->set);

    for (i = 0; i < 2 * sizeof(ops) / sizeof(ops[0]); i++) {
        /* with and without an instance of the kind that it takes */
        r.instance = i % 2 == 0 || s->instance == NULL
                     || hie_term_kind(s->instance)
                        != (i / 2 < 2 ? HIE_TERM_VALUE_SET
                            : i / 2 < 5 ? HIE_TERM_CODE_SYSTEM
                                        : HIE_TERM_CONCEPT_MAP)
                     ? NULL : s->instance;
        err.rc = 0;
        out = HIE_STR_NONE;
        rc = ops[i / 2](&r, &out, &err);
        require(rc == HIE_OK || (err.rc == rc && err.detail[0] != '\0'));
        require(hie_doc_parse(s->pool, out, DEPTH_OUT, &answer, NULL)
                == HIE_OK);
    }
}


static void
query(const state_t *s, hie_str_t url)
{
    const hie_term_source_t  *source = hie_term_set_source(s->set);
    const hie_term_code_t    *codes, *more;
    hie_error_t               err;
    size_t                    n, i, m;

    if (hie_term_codes(source, s->pool, url, 200, &codes, &n, &err)
        != HIE_OK)
    {
        return;
    }

    /* what a value set has, it has when it is asked; a part that cannot be
     * judged does not matter where the codes could be listed */
    for (i = 0; i < n && i < 20; i++) {
        require(hie_term_member(source, s->pool, url, codes[i].system,
                                codes[i].code, &err) == HIE_TERM_IN);

        if (hie_term_below(source, s->pool, codes[i].system, codes[i].code,
                           200, &more, &m, &err) == HIE_OK)
        {
            require(m >= 1);
        }

        if (hie_term_above(source, s->pool, codes[i].system, codes[i].code,
                           200, &more, &m, &err) == HIE_OK)
        {
            require(m >= 1);
        }
    }
}


static void
run(state_t *s, const hie_doc_t *d)
{
    const hie_term_t  *t;
    hie_error_t        err;
    hie_node_t         c;
    hie_rc_t           rc;
    int                n = 0;

    for (c = hie_doc_first(d, 0);
         c != HIE_NODE_NONE && n < 30;
         c = hie_doc_next(d, c), n++)
    {
        err.rc = 0;
        rc = hie_term_compile(s->pool, d, c, &t, &err);
        require(rc == HIE_OK || (rc == HIE_INVALID && err.rc == rc
                                 && err.detail[0] != '\0' && t == NULL));

        if (rc == HIE_OK) {
            hie_term_set_add(s->set, t);
            s->instance = t;
        }
    }

    for (c = hie_doc_first(d, 0);
         c != HIE_NODE_NONE && n > 0;
         c = hie_doc_next(d, c), n--)
    {
        operate(s, d, c);
        query(s, hie_doc_get(d, c, "url", s->pool));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool   started;
    state_t       s = { .instance = NULL };
    hie_doc_t    *d;
    hie_str_t     bytes = { (const char *) data, size };

    if (!started) {
        apr_initialize();
        started = true;
    }

    s.pool = hie_pool_create(NULL, "fuzz");
    s.set = hie_term_set_create(s.pool, NULL);

    if (hie_doc_parse(s.pool, bytes, DEPTH, &d, NULL) == HIE_OK) {
        run(&s, d);
    }

    apr_pool_destroy(s.pool);

    return 0;
}
