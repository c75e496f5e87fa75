/*
 * Published examples and synthetic records: by its paths, a resource has values
 * of exactly the parameters whose expression gives some, as FHIRPath has it.
 * Needs the data beside the repository (or in $HIE_SHARED); without it there is
 * nothing to test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "fhirpath/fhirpath.h"
#include "search/search.h"

static apr_pool_t    *pool;
static hie_search_t  *search;
static const char    *data;
static apr_hash_t    *programs;      /* of each row of the table */


static hie_str_t
read_file(apr_pool_t *p, const char *path)
{
    apr_file_t   *file;
    apr_finfo_t   info;
    apr_size_t    len;
    char         *bytes;

    assert_int_equal(apr_file_open(&file, path, APR_READ, 0, p), APR_SUCCESS);
    assert_int_equal(apr_file_info_get(&info, APR_FINFO_SIZE, file),
                     APR_SUCCESS);
    len = (apr_size_t) info.size;
    bytes = apr_palloc(p, len + 1);
    assert_int_equal(apr_file_read_full(file, bytes, len, NULL), APR_SUCCESS);
    apr_file_close(file);
    return (hie_str_t) { bytes, len };
}


static const hie_fhirpath_t *
program_of(const hie_search_param_t *row)
{
    hie_fhirpath_t  *program;

    program = apr_hash_get(programs, &row, sizeof(row));
    if (program == NULL) {
        assert_int_equal(hie_fhirpath_compile(pool, hie_str(row->expression),
                                              NULL, &program, NULL), HIE_OK);
        apr_hash_set(programs, apr_pmemdup(pool, &row, sizeof(row)),
                     sizeof(row), program);
    }

    return program;
}


static bool
is_present(const hie_search_values_t *x, uint32_t key)
{
    int  i;

    for (i = 0; i < x->n_present; i++) {
        if (x->present[i] == key) {
            return true;
        }
    }

    return false;
}


static bool
refers(const hie_search_values_t *x, uint32_t key, uint64_t target)
{
    int  i;

    for (i = 0; i < x->n_references; i++) {
        if (x->references[i].param == key
            && x->references[i].target == target)
        {
            return true;
        }
    }

    return false;
}


/* Values that are there: not those that have extensions only. */
static int
count(const hie_fhirpath_list_t *list)
{
    size_t           i;
    int              n;
    hie_node_kind_t  kind;

    for (i = 0, n = 0; i < list->n; i++) {
        kind = list->items[i].kind == HIE_FHIRPATH_NODE
               ? hie_doc_kind(list->items[i].doc, list->items[i].node)
               : HIE_NODE_TRUE;
        n += kind != 0 && kind != HIE_NODE_NULL;
    }

    return n;
}


/* What refers to a resource is found by one of its tokens, unless it is said
 * that none of them does. */
static void
check_referring(const hie_search_values_t *x, hie_str_t type, hie_str_t id,
                apr_pool_t *p)
{
    int                  i, k, n;
    bool                 said;
    uint64_t             target;
    apr_array_header_t  *tokens;

    target = hie_search_resource_key(type, id);
    for (i = 0, said = false; i < x->n_references; i++) {
        said = said || (x->references[i].target == target
                        && x->references[i].referring);
    }

    tokens = apr_array_make(p, 64, sizeof(uint64_t));
    hie_search_referring(HIE_TYPE_NONE, hie_type_find_resource(type), id,
                         tokens);
    for (i = 0, n = 0; i < tokens->nelts; i++) {
        for (k = 0; k < x->n_tokens; k++) {
            n += x->tokens[k] == APR_ARRAY_IDX(tokens, i, uint64_t);
        }
    }

    assert_true(said == (n > 0));
}


static void
check_references(const hie_fhirpath_list_t *list, uint32_t key,
                 const hie_search_values_t *x, apr_pool_t *p)
{
    size_t           i;
    hie_str_t        text;
    hie_reference_t  ref;

    for (i = 0; i < list->n; i++) {
        if (list->items[i].kind != HIE_FHIRPATH_NODE
            || list->items[i].type != HIE_TYPE_Reference)
        {
            continue;
        }

        text = hie_doc_get(list->items[i].doc, list->items[i].node,
                           "reference", p);
        if (hie_fhir_reference(text, HIE_STR(""), &ref) && ref.local
            && ref.type.len > 0)
        {
            assert_true(refers(x, key, hie_search_resource_key(ref.type,
                                                               ref.id)));
            check_referring(x, ref.type, ref.id, p);
        }
    }
}


static void
check_param(const hie_search_param_t *row, hie_type_t type,
            const hie_doc_t *d, const hie_search_values_t *x, apr_pool_t *p,
            const char *name)
{
    uint32_t                key;
    hie_fhirpath_env_t      env = { .pool = p };
    hie_fhirpath_item_t     root;
    hie_fhirpath_list_t     list;
    const hie_parameter_t  *def;

    if (row->expression == NULL || strcmp(row->code, "_id") == 0
        || strcmp(row->code, "_lastUpdated") == 0
        || strncmp(row->code, "combo-", 6) == 0)
    {
        return;                  /* these have no values of their own */
    }

    root = hie_fhirpath_resource(d, 0);
    key = hie_search_param_key(hie_types[type].name, row->code);
    assert_int_equal(hie_fhirpath_eval(program_of(row), &env, &root, &list,
                                       NULL), HIE_OK);
    if ((count(&list) > 0) != is_present(x, key)) {
        fail_msg("%s: %s: %d values", name, row->code, count(&list));
    }

    if (row->kind == HIE_SEARCH_REFERENCE) {
        def = hie_search_param(search, type, hie_str(row->code));
        check_references(&list, def->ref_key, x, p);
    }
}


static void
check_resource(hie_str_t json, const char *name)
{
    size_t                     i, n;
    hie_doc_t                 *d;
    apr_pool_t                *p;
    hie_type_t                 type, t;
    hie_error_t                err;
    hie_search_values_t        x;
    const hie_search_param_t  *rows;

    p = hie_pool_create(NULL, "resource");
    assert_int_equal(hie_doc_parse(p, json, 64, &d, &err), HIE_OK);
    type = hie_type_find(hie_doc_get(d, 0, "resourceType", p));
    if (hie_search_index(search, d, type, HIE_STR("1"), HIE_STR(""), p, &x,
                         &err) != HIE_OK)
    {
        fail_msg("%s: %s", name, err.detail);
    }

    for (t = type; t != HIE_TYPE_NONE; t = hie_types[t].base) {
        rows = hie_search_params_of(t, &n);
        for (i = 0; i < n; i++) {
            check_param(&rows[i], type, d, &x, p, name);
        }
    }

    apr_pool_destroy(p);
}


static void
test_examples(void **state)
{
    glob_t       files;
    size_t       i;
    apr_pool_t  *p;

    assert_int_equal(glob(apr_pstrcat(pool, data, "/fhir-r4-examples/*.json",
                                      NULL), 0, NULL, &files), 0);
    for (i = 0; i < files.gl_pathc; i++) {
        p = hie_pool_create(NULL, "file");
        check_resource(read_file(p, files.gl_pathv[i]), files.gl_pathv[i]);
        apr_pool_destroy(p);
    }

    assert_true(files.gl_pathc > 300);
    globfree(&files);
}


static void
test_records(void **state)
{
    int          n;
    size_t       i;
    glob_t       files;
    hie_str_t    rest, line;
    apr_pool_t  *p;

    assert_int_equal(glob(apr_pstrcat(pool, data, "/synthea-r4/ndjson/"
                                      "*.ndjson", NULL), 0, NULL, &files), 0);
    for (i = 0; i < files.gl_pathc; i++) {
        p = hie_pool_create(NULL, "file");
        rest = read_file(p, files.gl_pathv[i]);
        for (n = 0; n < 100 && rest.ptr != NULL; n++) {
            line = hie_str_split(rest, '\n', &rest);
            if (line.len > 0) {
                check_resource(line, files.gl_pathv[i]);
            }
        }

        apr_pool_destroy(p);
    }

    assert_true(files.gl_pathc > 10);
    globfree(&files);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_records),
    };

    int           rc;
    glob_t        files;
    const char   *shared = getenv("HIE_SHARED");

    apr_initialize();
    pool = hie_pool_create(NULL, "main");
    data = apr_pstrcat(pool, shared != NULL ? shared : "../shared", "/data",
                       NULL);
    if (glob(apr_pstrcat(pool, data, "/fhir-r4-examples", NULL), 0, NULL,
             &files) != 0)
    {
        printf("1..0 # SKIP no test data in %s\n", data);
        apr_pool_destroy(pool);
        apr_terminate();
        return 0;
    }

    globfree(&files);
    search = hie_search_create(pool, NULL);
    programs = apr_hash_make(pool);
    rc = cmocka_run_group_tests_name("search data", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return rc;
}
