/*
 * xml: published examples go to XML and back without a loss, XML documents to
 * JSON and back. Needs the data beside the repository (or in $HIE_SHARED);
 * without it there is nothing to test. $HIE_XML_EXAMPLES names one more
 * directory of JSON files.
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

#include "xml_tool.h"

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


/* Calls `fn` for every file of a directory, with a pool of its own. */
static int
for_files(const char *path, const char *suffix,
          void (*fn)(apr_pool_t *pool, const char *path))
{
    apr_pool_t   *pool = hie_pool_create(NULL, "test"), *one;
    apr_dir_t    *dir;
    apr_finfo_t   info;
    size_t        len;
    int           n = 0;

    assert_int_equal(apr_dir_open(&dir, path, pool), APR_SUCCESS);

    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
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
    hie_str_t   bytes = read_file(pool, path), type;
    hie_doc_t  *d = parse_json(pool, bytes);

    type = hie_doc_get(d, 0, "resourceType", pool);
    if (type.len > 0) {
        there_and_back(pool, d);
    } else {
        print_message("%s: no resource\n", path);
    }
}


/* The same as Canonical XML, but for one that is published with its elements
 * out of order. */
static void
check_document(apr_pool_t *pool, const char *path)
{
    hie_str_t   xml = read_file(pool, path);
    hie_doc_t  *d = parse_json(pool, to_json(pool, xml));

    assert_true(strstr(path, "/observation-example.xml") != NULL
                || hie_str_eq(canonical_xml(pool, to_xml(pool, d, 0)),
                              canonical_xml(pool, xml)));
    there_and_back(pool, d);
}


static const char *
below(const char *sub)
{
    static char  path[1024];

    snprintf(path, sizeof(path), "%s/%s", data, sub);

    return path;
}


static void
test_examples(void **state)
{
    assert_true(for_files(below("fhir-r4-examples"), ".json", check_example)
                > 300);
}


static void
test_bundles(void **state)
{
    assert_true(for_files(below("synthea-r4/bundles"), ".json", check_example)
                > 1);
}


static void
test_documents(void **state)
{
    assert_true(for_files(below("fhirpath/input"), ".xml", check_document)
                > 1);
}


static void
test_more_examples(void **state)
{
    const char  *path = getenv("HIE_XML_EXAMPLES");

    if (path == NULL) {
        print_message("# skipped: HIE_XML_EXAMPLES names no directory\n");
        return;
    }

    assert_true(for_files(path, ".json", check_example) > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_more_examples)
    };

    apr_pool_t   *pool;
    apr_finfo_t   info;
    const char   *shared = getenv("HIE_SHARED");
    int           rc;

    apr_initialize();
    hie_xml_init();
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

    rc = cmocka_run_group_tests_name("xml data", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return rc;
}
