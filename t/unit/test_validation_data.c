/*
 * Validation of published examples and synthetic records: each gets the
 * verdict that it deserves. Needs the data beside the repository (or in
 * $HIE_SHARED); without it there is nothing to test.
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
#include <apr_general.h>
#include <apr_strings.h>

#include "validation/private.h"
#include "validation_tool.h"

#define FLAGS  HIE_VALIDATE_WRITE

/* Enough of the large bundles for a test that runs often. */
#define MAX_BUNDLES  12

/* What is not valid, and why: the first line of its issues, and how many. */
typedef struct {
    const char  *name;
    const char  *first;
    int          n;
} defect_t;

static const defect_t  examples[] = {
    /* the type is none of those that reasonReference lists */
    { "DeviceUseStatement-example.json",
      "structure DeviceUseStatement.reasonReference[0].reference", 1 },
    /* performer refers to an Organization only */
    { "MedicationRequest-medrx0301.json",
      "structure MedicationRequest.dispenseRequest.performer.reference", 1 },
    /* an Encounter is no performer */
    { "Observation-clinical-gender.json",
      "structure Observation.performer[0].reference", 1 },
    /* display items without the linkId that every item needs */
    { "Questionnaire-qs1.json",
      "required Questionnaire.item[0].item[0].linkId", 32 },
    /* names with spaces: a warning of R4 */
    { "PlanDefinition-opioidcds-04.json",
      "warning invariant PlanDefinition (pdf-0)", 1 },
    { "PlanDefinition-opioidcds-05.json",
      "warning invariant PlanDefinition (pdf-0)", 1 },
    { "PlanDefinition-opioidcds-08.json",
      "warning invariant PlanDefinition (pdf-0)", 1 },
    { "PlanDefinition-opioidcds-10.json",
      "warning invariant PlanDefinition (pdf-0)", 1 },
    { "PlanDefinition-opioidcds-11.json",
      "warning invariant PlanDefinition (pdf-0)", 1 },
    { "TestScript-testscript-example-multisystem.json",
      "warning invariant TestScript (tst-0)", 1 },
    { NULL, NULL, 0 }
};

/* The language has a code of ISO 639-1 with the library's own system: outside
 * of the maximum value set, which is that of BCP 47. */
#define LANGUAGE  "code-invalid "                                             \
                  "Bundle.entry[0].resource.communication[0].language"

static const defect_t  bundles[] = {
    { "Jessi_Parisian_f27b1cf4-66bf-4b78-9f3d-2eb45ade0689.json",
      LANGUAGE, 1 },
    { NULL, NULL, 0 }
};

static const defect_t  none[] = {
    { NULL, NULL, 0 }
};

static const char       *data;
static hie_validator_t  *validator;
static apr_pool_t       *pool;


static int
count_lines(const char *text)
{
    int  n = *text != '\0';

    while ((text = strchr(text, '\n')) != NULL) {
        text++;
        n++;
    }

    return n;
}


static void
expect_verdict(const char *name, const char *text, const defect_t *defects)
{
    char    *found = tool_issues(validator, text, FLAGS);
    size_t   n;

    for ( ; defects->name != NULL; defects++) {
        if (strcmp(defects->name, name) == 0) {
            n = strlen(defects->first);
            if (strncmp(found, defects->first, n) != 0
                || (found[n] != '\n' && found[n] != '\0')
                || count_lines(found) != defects->n)
            {
                fail_msg("%s: expected %d from '%s', found\n%s", name,
                         defects->n, defects->first, found);
            }

            return;
        }
    }

    if (*found != '\0') {
        fail_msg("%s:\n%s", name, found);
    }
}


typedef void file_fn(const char *name, const char *text,
                     const defect_t *defects);

/* Every file of a directory; each line of it when it is NDJSON. Results are
 * gone after each. */
static int
for_files(const char *dir, int max, file_fn *fn, const defect_t *defects)
{
    apr_dir_t    *d;
    apr_finfo_t   info;
    char         *path, *text, *line, *last;
    int           n = 0;

    path = apr_pstrcat(pool, data, "/", dir, NULL);
    assert_int_equal(apr_dir_open(&d, path, pool), APR_SUCCESS);

    while (n < max && apr_dir_read(&info, APR_FINFO_NAME, d) == APR_SUCCESS) {
        if (strstr(info.name, "json") == NULL) {
            continue;
        }

        tool_pool = hie_pool_create(pool, "file");
        text = tool_file(apr_pstrcat(tool_pool, path, "/", info.name, NULL));

        if (strstr(info.name, ".ndjson") == NULL) {
            fn(info.name, text, defects);

        } else {
            for (line = apr_strtok(text, "\n", &last); line != NULL;
                 line = apr_strtok(NULL, "\n", &last))
            {
                fn(info.name, line, defects);
            }
        }

        apr_pool_destroy(tool_pool);
        n++;
    }

    apr_dir_close(d);

    return n;
}


static void
test_examples(void **state)
{
    assert_true(for_files("fhir-r4-examples", 100000, expect_verdict,
                          examples) > 300);
}


/*
 * Each example without each of its members in turn, two levels deep: what the
 * guards decide is what the engine decides.
 */
static void
expect_same(const hie_doc_t *d, hie_node_t gone, const char *name)
{
    hie_edit_t  *e = hie_edit_create(tool_pool, d);
    char        *text, *quick, *engine;

    hie_edit_remove(e, gone);
    text = hie_str_z(tool_pool, hie_edit_apply(e, tool_pool));
    quick = tool_issues(validator, text, FLAGS);
    engine = tool_issues(validator, text, FLAGS | HIE_VALIDATE_ALL_BY_ENGINE);

    /* an empty array is there for a guard, and is not for the engine */
    if (strncmp(quick, "structure ", 10) != 0
        && strstr(quick, "\nstructure ") == NULL
        && strcmp(quick, engine) != 0)
    {
        fail_msg("%s without %.*s:\n%s\nby the engine alone:\n%s", name,
                 HIE_PRISTR(hie_doc_raw(d, gone)), quick, engine);
    }
}


static void
mutate(const char *name, const char *text, const defect_t *defects)
{
    apr_pool_t  *whole = tool_pool;
    hie_doc_t   *d = tool_parse(text);
    hie_node_t   n, m;

    /* larger ones have no more kinds of elements */
    if (strlen(text) > 10000) {
        return;
    }

    for (n = hie_doc_first(d, 0); n != HIE_NODE_NONE; n = hie_doc_next(d, n))
    {
        tool_pool = hie_pool_create(whole, "mutation");
        expect_same(d, n, name);

        for (m = hie_doc_first(d, n); m != HIE_NODE_NONE;
             m = hie_doc_next(d, m))
        {
            expect_same(d, m, name);
        }

        apr_pool_destroy(tool_pool);
        tool_pool = whole;
    }
}


static void
test_guards(void **state)
{
    assert_true(for_files("fhir-r4-examples", 100000, mutate, NULL) > 300);
}


static void
test_lines(void **state)
{
    assert_true(for_files("synthea-r4/ndjson", 100, expect_verdict, none)
                > 10);
}


static void
test_bundles(void **state)
{
    assert_true(for_files("synthea-r4/bundles", MAX_BUNDLES, expect_verdict,
                          bundles) > 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bundles),
    };
    apr_finfo_t              info;
    const char              *shared = getenv("HIE_SHARED");
    int                      rc;

    apr_initialize();
    pool = hie_pool_create(NULL, "main");
    data = apr_pstrcat(pool, shared != NULL ? shared : "../shared", "/data",
                       NULL);

    if (apr_stat(&info, apr_pstrcat(pool, data, "/fhir-r4-examples", NULL),
                 APR_FINFO_TYPE, pool) != APR_SUCCESS)
    {
        printf("1..0 # SKIP no test data in %s\n", data);
        return 0;
    }

    validator = hie_validator_create(pool, NULL);
    rc = cmocka_run_group_tests_name("validation data", tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return rc;
}
