/*
 * What the test programs of terminology share.
 */

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "terminology_tool.h"

#define PARAMETERS_MAX  20

apr_pool_t          *pool;
hie_term_set_t      *terms;
hie_term_request_t   request;
hie_error_t          err;
hie_rc_t             called;

static hie_str_t     answer;


hie_str_t
json(const char *text)
{
    char  *copy = apr_pstrdup(pool, text), *p;

    for (p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }

    return hie_str(copy);
}


const hie_doc_t *
document(const char *text)
{
    hie_doc_t  *d;

    if (hie_doc_parse(pool, json(text), 200, &d, &err) != HIE_OK) {
        fail_msg("%s: %s in %s", err.where, err.detail, text);
    }

    return d;
}


hie_rc_t
compile(const char *text)
{
    const hie_term_t  *t;

    memset(&err, 0, sizeof(err));

    return hie_term_compile(pool, document(text), 0, &t, &err);
}


const hie_term_t *
add(const char *text)
{
    const hie_term_t  *t;

    if (hie_term_compile(pool, document(text), 0, &t, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    hie_term_set_add(terms, t);

    return t;
}


const char *
call(hie_term_operation_fn *op, ...)
{
    hie_term_parameter_t  *p = apr_pcalloc(pool, PARAMETERS_MAX * sizeof(*p));
    const char            *text, *at;
    va_list                ap;
    size_t                 n = 0;

    va_start(ap, op);

    while ((text = va_arg(ap, const char *)) != NULL) {
        at = strchr(text, '=');
        assert_non_null(at);
        assert_true(n < PARAMETERS_MAX);

        if (at[-1] == ':') {
            p[n].name = (hie_str_t) { text, (size_t) (at - 1 - text) };
            p[n].doc = document(at + 1);

        } else {
            p[n].name = (hie_str_t) { text, (size_t) (at - text) };
            p[n].value = hie_str(at + 1);
        }

        n++;
    }

    va_end(ap);

    request.pool = pool;
    request.source = hie_term_set_source(terms);
    request.parameters = p;
    request.n_parameters = n;
    request.now = NOW;

    memset(&err, 0, sizeof(err));
    called = op(&request, &answer, &err);

    if (called != HIE_OK) {
        assert_int_equal(err.rc, called);
        assert_true(err.detail[0] != '\0');
        assert_true(says("'resourceType':'OperationOutcome'"));
    }

    /* whatever it is, it is JSON */
    document(hie_str_z(pool, answer));

    return hie_str_z(pool, answer);
}


bool
says(const char *text)
{
    return strstr(hie_str_z(pool, answer), json(text).ptr) != NULL;
}


static void
add_codes(const hie_doc_t *d, hie_node_t list, hie_buf_t *b)
{
    hie_node_t  c;

    for (c = hie_doc_first(d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        if (b->len > 0 && b->ptr[b->len - 1] != '(') {
            hie_buf_addc(b, ' ');
        }

        hie_buf_adds(b, hie_doc_get(d, c, "code", pool));

        if (hie_doc_member(d, c, "contains") != HIE_NODE_NONE) {
            hie_buf_addc(b, '(');
            add_codes(d, hie_doc_member(d, c, "contains"), b);
            hie_buf_addc(b, ')');
        }
    }
}


const char *
codes(void)
{
    hie_doc_t   *d;
    hie_buf_t    b;
    hie_node_t   expansion;

    if (called != HIE_OK) {
        return apr_psprintf(pool, "%s: %s", err.where, err.detail);
    }

    assert_int_equal(hie_doc_parse(pool, answer, 400, &d, &err), HIE_OK);
    expansion = hie_doc_member(d, 0, "expansion");
    hie_buf_init(&b, pool, 64);
    add_codes(d, hie_doc_member(d, expansion, "contains"), &b);

    return hie_str_z(pool, hie_buf_str(&b));
}


static int
compare(const void *va, const void *vb)
{
    const char *const  *a = va, *const *b = vb;

    return strcmp(*a, *b);
}


const char *
listed(const hie_term_code_t *list, size_t n)
{
    const char  **texts = apr_pcalloc(pool, (n + 1) * sizeof(*texts));
    hie_buf_t     b;
    size_t        i;

    for (i = 0; i < n; i++) {
        texts[i] = hie_str_z(pool, list[i].code);
    }

    qsort(texts, n, sizeof(*texts), compare);
    hie_buf_init(&b, pool, 64);

    for (i = 0; i < n; i++) {
        hie_buf_addf(&b, "%s%s", i > 0 ? " " : "", texts[i]);
    }

    return hie_str_z(pool, hie_buf_str(&b));
}


int
tool_set_up(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    terms = hie_term_set_create(pool, NULL);
    memset(&request, 0, sizeof(request));

    return 0;
}


int
tool_tear_down(void **state)
{
    apr_pool_destroy(pool);

    return 0;
}
