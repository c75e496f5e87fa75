/*
 * fhir: published examples and synthetic records go through whole. Needs the
 * data beside the repository (or in $HIE_SHARED); without it there is nothing
 * to test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "fhir/fhir.h"

#define BASE  HIE_STR("https://hie.example/fhir")

/* Enough of the large bundles for a test that runs often. */
#define MAX_BUNDLES  12

static const char  *data;


static hie_str_t
read_file(apr_pool_t *pool, const char *path)
{
    apr_file_t   *file;
    apr_finfo_t   info;
    apr_size_t    len;
    char         *bytes;

    assert_int_equal(apr_file_open(&file, path, APR_READ, 0, pool),
                     APR_SUCCESS);
    assert_int_equal(apr_file_info_get(&info, APR_FINFO_SIZE, file),
                     APR_SUCCESS);
    len = (apr_size_t) info.size;
    bytes = apr_palloc(pool, len + 1);
    assert_int_equal(apr_file_read_full(file, bytes, len, NULL), APR_SUCCESS);
    apr_file_close(file);

    return (hie_str_t) { bytes, len };
}


static hie_doc_t *
parse(apr_pool_t *pool, hie_str_t bytes)
{
    hie_error_t   err;
    hie_doc_t    *d;

    if (hie_doc_parse(pool, bytes, 64, &d, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return d;
}


/* Members of an object but for those that a stamp sets, in their order and
 * with their bytes. */
static void
compare_members(const hie_doc_t *a, hie_node_t na, const hie_doc_t *b,
                hie_node_t nb, const char *const *but, apr_pool_t *pool)
{
    hie_node_t  c[2] = { hie_doc_first(a, na), hie_doc_first(b, nb) };
    int         i, k;

    for (;;) {
        for (k = 0; k < 2; k++) {
            for (i = 0; but[i] != NULL; i++) {
                if (c[k] != HIE_NODE_NONE
                    && hie_str_eqz(hie_doc_name(k == 0 ? a : b, c[k], pool),
                                   but[i]))
                {
                    c[k] = hie_doc_next(k == 0 ? a : b, c[k]);
                    i = -1;
                }
            }
        }

        if (c[0] == HIE_NODE_NONE || c[1] == HIE_NODE_NONE) {
            assert_int_equal(c[0], c[1]);
            return;
        }

        assert_true(hie_str_eq(hie_doc_name(a, c[0], pool),
                               hie_doc_name(b, c[1], pool)));
        assert_true(hie_str_eq(hie_doc_raw(a, c[0]), hie_doc_raw(b, c[1])));
        c[0] = hie_doc_next(a, c[0]);
        c[1] = hie_doc_next(b, c[1]);
    }
}


/* With the id that it has, all that may differ lies in meta: what the two
 * have in common at both ends is the rest. */
static void
compare_ends(hie_str_t a, hie_str_t b, size_t meta)
{
    size_t  head = 0, tail = 0, len = a.len < b.len ? a.len : b.len;

    while (head < len && a.ptr[head] == b.ptr[head]) {
        head++;
    }

    while (tail < len && a.ptr[a.len - 1 - tail] == b.ptr[b.len - 1 - tail]) {
        tail++;
    }

    assert_true(head + tail + meta >= a.len);
}


static void
check_resource(apr_pool_t *pool, hie_doc_t *d)
{
    static const char *const  but_root[] = { "id", "meta", NULL };
    static const char *const  but_meta[] = { "versionId", "lastUpdated",
                                             NULL };

    hie_error_t       err;
    hie_str_t         type, id, out, again;
    hie_relations_t   x;
    hie_doc_t        *stamped;
    hie_node_t        meta;
    bool              has_id;

    if (hie_fhir_check(d, pool, &type, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    id = hie_doc_get(d, 0, "id", pool);
    has_id = id.len > 0;
    id = has_id ? id : HIE_STR("new");

    assert_int_equal(hie_fhir_stamp(d, hie_str_z(pool, id), 3,
                                    INT64_C(1700000000123000), pool, &out,
                                    &err), HIE_OK);
    stamped = parse(pool, out);
    meta = hie_doc_member(d, 0, "meta");

    assert_true(hie_str_eq(hie_doc_get(stamped, 0, "id", pool), id));
    compare_members(d, 0, stamped, 0, but_root, pool);
    compare_members(d, meta, stamped, hie_doc_member(stamped, 0, "meta"),
                    but_meta, pool);

    if (has_id) {
        compare_ends(hie_doc_bytes(d), out, hie_doc_raw(d, meta).len);
    }

    assert_int_equal(hie_fhir_stamp(stamped, hie_str_z(pool, id), 3,
                                    INT64_C(1700000000123000), pool, &again,
                                    &err), HIE_OK);
    assert_true(hie_str_eq(out, again));

    assert_int_equal(hie_fhir_relations(d, type, id, BASE, pool, &x, &err),
                     HIE_OK);
    assert_true(x.n_compartment <= x.n_patients);
    assert_true(x.n_followed <= x.n_refs);

    if (hie_str_eqz(type, "Patient")) {
        assert_true(x.n_compartment > 0);
    }
}


static void
check_bundle(apr_pool_t *pool, hie_doc_t *d)
{
    hie_error_t   err;
    hie_bundle_t  bundle;
    hie_str_t     type;
    int           i;

    if (hie_fhir_bundle(d, 100000, pool, &bundle, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    for (i = 0; i < bundle.n; i++) {
        if (bundle.entries[i].resource != HIE_NODE_NONE) {
            type = hie_doc_get(d, bundle.entries[i].resource, "resourceType",
                               pool);
            assert_true(hie_fhir_is_type(type));
            check_resource(pool, hie_doc_sub(pool, d,
                                             bundle.entries[i].resource));
        }
    }
}


/* Calls `fn` for every file of a directory, with a pool of its own. */
static int
for_files(const char *sub, const char *suffix, int max,
          void (*fn)(apr_pool_t *pool, const char *path))
{
    apr_pool_t   *pool = hie_pool_create(NULL, "test"), *one;
    apr_dir_t    *dir;
    apr_finfo_t   info;
    const char   *path = apr_pstrcat(pool, data, "/", sub, NULL);
    size_t        len;
    int           n = 0;

    assert_int_equal(apr_dir_open(&dir, path, pool), APR_SUCCESS);

    while (n < max
           && apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS)
    {
        len = strlen(info.name);

        if (len > strlen(suffix)
            && strcmp(info.name + len - strlen(suffix), suffix) == 0)
        {
            one = hie_pool_create(pool, "file");
            fn(one, apr_pstrcat(one, path, "/", info.name, NULL));
            apr_pool_destroy(one);
            n++;
        }
    }

    apr_dir_close(dir);
    apr_pool_destroy(pool);

    return n;
}


static void
check_example(apr_pool_t *pool, const char *path)
{
    hie_doc_t  *d = parse(pool, read_file(pool, path));

    check_resource(pool, d);
}


static void
check_transaction(apr_pool_t *pool, const char *path)
{
    hie_doc_t  *d = parse(pool, read_file(pool, path));

    check_resource(pool, d);
    check_bundle(pool, d);
}


static void
check_lines(apr_pool_t *pool, const char *path)
{
    hie_str_t  rest = read_file(pool, path), line;

    while (rest.ptr != NULL) {
        line = hie_str_split(rest, '\n', &rest);

        if (line.len > 0) {
            check_resource(pool, parse(pool, line));
        }
    }
}


static void
test_examples(void **state)
{
    assert_true(for_files("fhir-r4-examples", ".json", 100000, check_example)
                > 300);
}


static void
test_lines(void **state)
{
    assert_true(for_files("synthea-r4/ndjson", ".ndjson", 100, check_lines)
                > 10);
}


static void
test_bundles(void **state)
{
    assert_true(for_files("synthea-r4/bundles", ".json", MAX_BUNDLES,
                          check_transaction) > 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bundles)
    };

    apr_pool_t   *pool;
    apr_finfo_t   info;
    const char   *shared = getenv("HIE_SHARED");
    int           rc;

    apr_initialize();
    pool = hie_pool_create(NULL, "main");
    data = apr_pstrcat(pool, shared != NULL ? shared : "../shared", "/data",
                       NULL);

    if (apr_stat(&info, apr_pstrcat(pool, data, "/fhir-r4-examples", NULL),
                 APR_FINFO_TYPE, pool) != APR_SUCCESS)
    {
        printf("1..0 # SKIP no test data in %s\n", data);
        apr_pool_destroy(pool);
        apr_terminate();
        return 0;
    }

    rc = cmocka_run_group_tests_name("fhir data", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return rc;
}
