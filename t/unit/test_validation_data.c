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
    /* a div with white space in it only */
    { "EventDefinition-example.json",
      "invariant EventDefinition.text.div (txt-2)", 1 },
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
 * of the maximum value set, which is that of BCP 47; a warning. */
#define LANGUAGE  "warning code-invalid "                                     \
                  "Bundle.entry[0].resource.communication[0].language"

static const defect_t  bundles[] = {
    { "Jessi_Parisian_f27b1cf4-66bf-4b78-9f3d-2eb45ade0689.json",
      LANGUAGE, 1 },
    { NULL, NULL, 0 }
};

/* Styles with a background image from a file beside the page: they are not
 * contained in the narrative (R4 section 2.4.0). */
static const defect_t  us_core[] = {
    { "Questionnaire-phq-9-example.json",
      "invariant Questionnaire.text.div (txt-1)", 1 },
    { "Questionnaire-prapare-example.json",
      "invariant Questionnaire.text.div (txt-1)", 1 },
    { "QuestionnaireResponse-hunger-vital-sign-example.json",
      "invariant QuestionnaireResponse.text.div (txt-1)", 1 },
    { "QuestionnaireResponse-phq-9-example.json",
      "invariant QuestionnaireResponse.text.div (txt-1)", 1 },
    { "QuestionnaireResponse-prapare-example.json",
      "invariant QuestionnaireResponse.text.div (txt-1)", 1 },
    /* an expression that a second telecom does not fit: "telecom or
     * endpoint"; a warning, since it proves nothing */
    { "Bundle-66c8856b-ba11-4876-8aa8-467aad8c11a2.json",
      "warning invariant Bundle.entry[0].resource (http://hl7.org/fhir/us/"
      "core/StructureDefinition/us-core-practitionerrole#pd-1)", 1 },
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


/*
 * Mutations of valid examples: a member at a path of names and numbers is
 * replaced, or taken away (NULL), or put there.
 */
typedef struct {
    const char  *file;           /* below the data, without .json */
    const char  *path;
    const char  *value;
    const char  *issues;
} mutation_t;

#define R4(name)  "fhir-r4-examples/" name
#define US(name)  "us-core/6.1.0/examples/" name
#define TYPE      "http://hl7.org/fhir/StructureDefinition/"
#define CORE      "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"

static const mutation_t  mutations[] = {
    { R4("Observation-f003"), "status", NULL,
      "required Observation.status" },
    { R4("Observation-f003"), "status", "\"done\"",
      "code-invalid Observation.status" },
    { R4("Observation-f003"), "subject/reference", "\"Medication/1\"",
      "structure Observation.subject.reference" },
    { R4("Observation-f003"), "valueString", "\"a\"",
      "structure Observation.value" },
    { R4("Observation-f003"), "valueQuantity/value", "\"6.3\"",
      "structure Observation.value.value" },
    { R4("Observation-f003"), "valueQuantity/system", NULL,
      "invariant Observation.value (qty-3)" },
    { R4("Observation-f003"), "issued", "\"2013-04-03\"",
      "value Observation.issued" },
    { R4("Observation-f003"), "effectivePeriod/end", "\"2013-01-01\"",
      "invariant Observation.effective (per-1)" },
    { R4("Observation-f003"), "dataAbsentReason", "{\"text\":\"a\"}",
      "invariant Observation (obs-6)" },
    { R4("Observation-f003"), "code/coding/0/system", "\"a b\"",
      "value Observation.code.coding[0].system" },
    { R4("Condition-f202"), "bodySite/0/codding", "[]",
      "structure Condition.bodySite[0].codding" },
    { R4("Encounter-f001"), "class", NULL, "required Encounter.class" },
    { R4("Claim-100151"), "item/0/sequence", "0",
      "value Claim.item[0].sequence" },
    { R4("Appointment-example"), "end", NULL,
      "invariant Appointment (app-2)\ninvariant Appointment (app-3)" },
    { US("Patient-example"), "gender", NULL,
      "required Patient.gender (" CORE "patient#min)" },
    { US("Patient-example"), "identifier/0/system", NULL,
      "required Patient.identifier[0].system (" CORE "patient#min)" },
    { US("Patient-example"), "extension/0/extension/0/valueCoding", NULL,
      "invariant Patient.extension[0].extension[0] (ext-1)\n"
      "required Patient.extension[0].extension[0].value "
      "(" CORE "race#min)" },
    { US("Observation-blood-pressure"), "component/0/code/coding/0/code",
      "\"8480-7\"",
      "required Observation.component "
      "(" CORE "blood-pressure#component:systolic)" },
    { US("Observation-blood-pressure"), "category", NULL,
      "required Observation.category (" CORE "blood-pressure#min)\n"
      "required Observation.category "
      "(" CORE "blood-pressure#category:VSCat)" },
    { US("Patient-example"), "name", "[{\"text\":\"a\"}]",
      "invariant Patient.name[0] (" CORE "patient#us-core-6)" },
    { US("Observation-serum-creatinine"), "valueQuantity", NULL,
      "invariant Observation (" CORE "observation-lab#us-core-2)" },
};


/* The node at a path; or of the last name, the object that it is put in. */
static hie_node_t
node_at(const hie_doc_t *d, const char *path, hie_node_t *object,
        const char **name)
{
    char        *copy = apr_pstrdup(tool_pool, path), *step, *last;
    hie_node_t   n = 0;
    int          i;

    for (step = apr_strtok(copy, "/", &last); step != NULL;
         step = apr_strtok(NULL, "/", &last))
    {
        assert_true(n != HIE_NODE_NONE);
        *object = n;
        *name = step;

        if (hie_doc_kind(d, n) != HIE_NODE_ARRAY) {
            n = hie_doc_member(d, n, step);
            continue;
        }

        n = hie_doc_first(d, n);
        for (i = atoi(step); i > 0; i--) {
            n = hie_doc_next(d, n);
        }
    }

    return n;
}


static void
test_mutations(void **state)
{
    const mutation_t  *m;
    hie_doc_t         *d;
    hie_edit_t        *e;
    hie_node_t         n, object = 0;
    const char        *name = "";
    char              *text, *found;
    size_t             i;

    for (i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
        m = &mutations[i];
        tool_pool = hie_pool_create(pool, "mutation");
        text = tool_file(apr_pstrcat(tool_pool, data, "/", m->file, ".json",
                                     NULL));
        assert_string_equal(tool_issues(validator, text, FLAGS), "");

        d = tool_parse(text);
        n = node_at(d, m->path, &object, &name);
        e = hie_edit_create(tool_pool, d);
        if (m->value == NULL) {
            hie_edit_remove(e, n);
        } else {
            hie_edit_set(e, object, name, hie_str(m->value), NULL);
        }

        text = hie_str_z(tool_pool, hie_edit_apply(e, tool_pool));
        found = tool_issues(validator, text, FLAGS);
        if (strcmp(found, m->issues) != 0) {
            fail_msg("%s, %s:\nexpected:\n%s\nfound:\n%s", m->file, m->path,
                     m->issues, found);
        }

        apr_pool_destroy(tool_pool);
    }
}


static void
test_us_core(void **state)
{
    assert_true(for_files("us-core/6.1.0/examples", 1000, expect_verdict,
                          us_core) > 80);
}


/* Without the snapshot of one that is derived from a type of R4 or from
 * another of US Core. */
static const char *
strip(const char *text)
{
    hie_doc_t   *d = tool_parse(text);
    hie_edit_t  *e;
    hie_str_t    base = hie_doc_get(d, 0, "baseDefinition", pool);

    if (strstr(hie_str_z(pool, base), "/us/core/") == NULL
        && !hie_fhir_is_type((hie_str_t) { base.ptr + sizeof(TYPE) - 1,
                                           base.len - sizeof(TYPE) + 1 }))
    {
        return text;
    }

    e = hie_edit_create(pool, d);
    hie_edit_remove(e, hie_doc_member(d, 0, "snapshot"));
    return hie_str_z(pool, hie_edit_apply(e, pool));
}


/* The profiles stay. */
static void
add_profiles(bool stripped)
{
    const char   *dir, *text;
    apr_dir_t    *d;
    apr_finfo_t   info;
    hie_error_t   err;

    tool_pool = pool;
    dir = apr_pstrcat(pool, data, "/us-core/6.1.0/StructureDefinition", NULL);
    if (apr_dir_open(&d, dir, pool) != APR_SUCCESS) {
        fail_msg("%s cannot be read", dir);
    }

    while (apr_dir_read(&info, APR_FINFO_NAME, d) == APR_SUCCESS) {
        if (strstr(info.name, ".json") == NULL) {
            continue;
        }

        text = tool_file(apr_pstrcat(pool, dir, "/", info.name, NULL));
        if (hie_validator_add(validator, tool_parse(stripped ? strip(text)
                                                    : text), &err) != HIE_OK)
        {
            fail_msg("%s: %s: %s", info.name, err.where, err.detail);
        }
    }

    apr_dir_close(d);
    if (hie_validator_ready(validator, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }
}


static int
setup(void **state)
{
    validator = hie_validator_create(pool, NULL);
    add_profiles(false);

    return 0;
}


/* The snapshots that are made say the same. */
static void
test_differentials(void **state)
{
    hie_validator_t  *published = validator;

    validator = hie_validator_create(pool, NULL);
    add_profiles(true);
    test_us_core(NULL);
    test_mutations(NULL);
    validator = published;
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
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_us_core),
        cmocka_unit_test(test_differentials),
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

    rc = cmocka_run_group_tests_name("validation data", tests, setup, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return rc;
}
