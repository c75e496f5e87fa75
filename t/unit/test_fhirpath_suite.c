/*
 * The published tests of FHIRPath for R4 (t/data/fhirpath/README). Each one
 * is compiled with the type of its input as context, and in strict mode.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "fhirpath/fhirpath.h"

/* Those whose expectation is not followed, and why. A test here that passes
 * is a mistake too. */
static const struct {
    const char  *name;
    const char  *why;
} exceptions[] = {
    { "HighBoundaryDateTimeMillisecond1",
      "08 known to the hour ends at 08:59:59.999; the test takes it as 08:00"
    },
    { "HighBoundaryDateTimeMillisecond3", "the same expression again" }
};

typedef struct {
    apr_pool_t       *pool;
    const hie_doc_t  *suite;
    hie_node_t        test;
} case_t;

static apr_pool_t  *pool;


static hie_doc_t *
load(const char *name)
{
    char         path[512];
    FILE        *f;
    hie_buf_t    b;
    char         part[4096];
    size_t       n;
    hie_doc_t   *d;
    hie_error_t  err;

    snprintf(path, sizeof(path), "%s/t/data/fhirpath/%s",
             getenv("HIE_SOURCE") != NULL ? getenv("HIE_SOURCE") : ".", name);
    f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("%s cannot be read", path);
    }

    hie_buf_init(&b, pool, 65536);
    while ((n = fread(part, 1, sizeof(part), f)) > 0) {
        hie_buf_add(&b, part, n);
    }

    fclose(f);
    if (hie_doc_parse(pool, hie_buf_str(&b), 100, &d, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", path, err.where, err.detail);
    }

    return d;
}


static hie_str_t
get(const case_t *c, const char *name)
{
    return hie_doc_get(c->suite, c->test, name, c->pool);
}


/* The first input stands for all that have none. */
static hie_fhirpath_item_t
focus_of(const case_t *c)
{
    static struct {
        hie_str_t   name;
        hie_doc_t  *d;
    }                inputs[16];
    size_t           i;
    hie_str_t        name = get(c, "input");

    if (name.len == 0) {
        name = HIE_STR("patient-example.json");
    }

    for (i = 0; inputs[i].d != NULL && !hie_str_eq(inputs[i].name, name);
         i++)
    {
        continue;
    }

    if (inputs[i].d == NULL) {
        inputs[i].name = hie_str_dup(pool, name);
        inputs[i].d = load(hie_str_z(c->pool, name));
    }

    return hie_fhirpath_resource(inputs[i].d, 0);
}


/* Names of FHIR primitives stand for the values of System too. */
static bool
type_fits(const hie_fhirpath_item_t *item, hie_str_t type)
{
    const char  *name = hie_fhirpath_type_name(item);

    if (type.len == 0 || hie_str_eqz(type, name)) {
        return true;
    }

    return strncmp(name, "System.", 7) == 0
           && hie_str_ieqz(type, name + 7);
}


static bool
value_fits(const hie_fhirpath_item_t *item, hie_str_t value, apr_pool_t *p)
{
    if (value.len > 0 && value.ptr[0] == '@') {
        value.ptr++;
        value.len--;
        if (item->kind == HIE_FHIRPATH_TIME) {
            value.ptr++;
            value.len--;
        }
    }

    return hie_str_eq(hie_fhirpath_text(item, p), value);
}


/* NULL: it passes. */
static const char *
check_output(const case_t *c, const hie_fhirpath_list_t *list)
{
    size_t      i = 0;
    hie_str_t   type, value;
    hie_node_t  o, outputs = hie_doc_member(c->suite, c->test, "output");

    if (list->n != hie_doc_count(c->suite, outputs)) {
        return apr_psprintf(c->pool, "%d items expected, found %d",
                            (int) hie_doc_count(c->suite, outputs),
                            (int) list->n);
    }

    for (o = hie_doc_first(c->suite, outputs);
         o != HIE_NODE_NONE;
         o = hie_doc_next(c->suite, o), i++)
    {
        type = hie_doc_get(c->suite, o, "type", c->pool);
        value = hie_doc_get(c->suite, o, "value", c->pool);
        if (!type_fits(&list->items[i], type)
            || !value_fits(&list->items[i], value, c->pool))
        {
            return apr_psprintf(c->pool, "item %d: expected %.*s '%.*s', "
                                "found %s '%.*s'", (int) i, HIE_PRISTR(type),
                                HIE_PRISTR(value),
                                hie_fhirpath_type_name(&list->items[i]),
                                HIE_PRISTR(hie_fhirpath_text(&list->items[i],
                                                             c->pool)));
        }
    }

    return NULL;
}


static const char *
run_case(const case_t *c)
{
    hie_rc_t                rc;
    hie_str_t               invalid = get(c, "invalid");
    hie_error_t             err;
    hie_fhirpath_t         *fp;
    hie_fhirpath_env_t      env;
    hie_fhirpath_list_t     list;
    hie_fhirpath_item_t     focus = focus_of(c);
    hie_fhirpath_options_t  options = { focus.type, true };

    memset(&env, 0, sizeof(env));
    env.pool = c->pool;
    env.now = INT64_C(1700000000000000);

    rc = hie_fhirpath_compile(c->pool, get(c, "expression"), &options, &fp,
                              &err);
    if (rc != HIE_OK && invalid.len == 0) {
        return apr_psprintf(c->pool, "not compiled: %s %s", err.where,
                            err.detail);
    }

    if (rc == HIE_OK && hie_str_eqz(invalid, "syntax")) {
        return "a mistake of syntax was compiled";
    }

    if (rc == HIE_OK) {
        rc = hie_fhirpath_eval(fp, &env, &focus, &list, &err);
        if (rc != HIE_OK && invalid.len == 0) {
            return apr_psprintf(c->pool, "not evaluated: %s %s", err.where,
                                err.detail);
        }
    }

    if (invalid.len > 0) {
        return rc == HIE_OK ? "no error" : NULL;
    }

    return check_output(c, &list);
}


static const char *
exception(hie_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        if (hie_str_eqz(name, exceptions[i].name)) {
            return exceptions[i].why;
        }
    }

    return NULL;
}


static void
test_suite(void **state)
{
    case_t       c;
    size_t       n = 0, failed = 0;
    hie_str_t    name;
    const char  *what, *why;

    c.suite = load("tests.json");
    for (c.test = hie_doc_first(c.suite, 0);
         c.test != HIE_NODE_NONE;
         c.test = hie_doc_next(c.suite, c.test))
    {
        c.pool = hie_pool_create(pool, "case");
        name = get(&c, "name");
        what = run_case(&c);
        why = exception(name);
        n++;

        if (what != NULL && why == NULL) {
            print_error("%.*s: %s\n    %.*s\n", HIE_PRISTR(name), what,
                        HIE_PRISTR(get(&c, "expression")));
            failed++;
        }

        if (what == NULL && why != NULL) {
            print_error("%.*s passes, and is an exception\n",
                        HIE_PRISTR(name));
            failed++;
        }

        apr_pool_destroy(c.pool);
    }

    assert_int_equal(n, 441);
    assert_int_equal(failed, 0);
}


int
main(void)
{
    int                      failed;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_suite)
    };

    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
