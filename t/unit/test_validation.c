/*
 * Validation: structure, references, required bindings. Each row is a resource
 * and all the issues that it has.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "validation_tool.h"

typedef struct {
    const char  *text;
    const char  *issues;
} row_t;

static void
expect_rows(const row_t *rows, size_t n, unsigned flags)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    char             *found;
    size_t            i;

    for (i = 0; i < n; i++) {
        found = tool_issues(v, tool_json(rows[i].text), flags);
        if (strcmp(found, rows[i].issues) != 0) {
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", rows[i].text,
                     rows[i].issues, found);
        }
    }
}


#define EXPECT(rows, flags) \
    expect_rows(rows, sizeof(rows) / sizeof((rows)[0]), flags)


static void
test_resource_type(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient'}", "" },
        { "{}", "structure " },
        { "[]", "structure " },
        { "{'resourceType':1}", "structure " },
        { "{'resourceType':'patient'}", "structure " },
        { "{'resourceType':'HumanName'}", "structure " },
        { "{'resourceType':'DomainResource'}", "structure " },
        { "{'resourceType':'Patient.contact'}", "structure " },
        { "{'resourceType':'Bundle','type':'collection',"
          "'entry':[{'resource':{'resourceType':'Nothing'}},"
          "{'resource':{'id':'a'}},{'resource':'a'}]}",
          "structure Bundle.entry[0].resource\n"
          "structure Bundle.entry[1].resource\n"
          "structure Bundle.entry[2].resource" },
    };

    EXPECT(rows, 0);
}


static void
test_members(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','foo':1,'name':[{'familly':'A'}]}",
          "structure Patient.foo\nstructure Patient.name[0].familly" },
        { "{'resourceType':'Patient','name':[{'resourceType':'Patient'}]}",
          "structure Patient.name[0].resourceType" },
        { "{'resourceType':'Patient','name':{'family':'A'}}",
          "structure Patient.name" },
        { "{'resourceType':'Patient','name':[[{'family':'A'}]]}",
          "structure Patient.name[0]" },
        { "{'resourceType':'Patient','name':['A']}",
          "structure Patient.name[0]" },
        { "{'resourceType':'Patient','gender':['male']}",
          "structure Patient.gender" },
        { "{'resourceType':'Patient','active':'true'}",
          "structure Patient.active" },
        { "{'resourceType':'Patient','active':null}",
          "structure Patient.active" },
        { "{'resourceType':'Patient','multipleBirthInteger':'2'}",
          "structure Patient.multipleBirth" },
        { "{'resourceType':'Patient','birthDate':20000101}",
          "structure Patient.birthDate" },
        { "{'resourceType':'Patient','name':[]}", "structure Patient.name" },
        { "{'resourceType':'Patient','name':[{}]}",
          "structure Patient.name[0]" },
        { "{'resourceType':'Patient','name':[null]}",
          "structure Patient.name[0]" },
        { "{'resourceType':'Patient','name':[{'id':'a'}]}",
          "invariant Patient.name[0] (ele-1)" },
        { "{'resourceType':'Patient','name':[{'family':''}]}",
          "value Patient.name[0].family" },
        { "{'resourceType':'Patient','birthDate':'2000-02-30',"
          "'photo':[{'url':'a b'}],'id':'a_b'}",
          "value Patient.birthDate\nvalue Patient.photo[0].url\n"
          "value Patient.id" },
        { "{'resourceType':'Patient','_contact':[{'id':'a'}]}",
          "structure Patient._contact" },
    };

    EXPECT(rows, 0);
}


static void
test_cardinality(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Observation'}",
          "required Observation.status\nrequired Observation.code" },
        { "{'resourceType':'Patient','link':[{'type':'refer'}],"
          "'communication':[{'preferred':true}]}",
          "required Patient.link[0].other\n"
          "required Patient.communication[0].language" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueString':'a','valueInteger':1}",
          "structure Observation.value" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueString':'a','_valueString':{'id':'b'}}", "" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueString':'a','_valueInteger':{'extension':"
          "[{'url':'http://a','valueCode':'b'}]}}",
          "structure Observation.value" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'value':'a'}", "structure Observation.value" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueAddress':{'city':'a'}}",
          "structure Observation.valueAddress" },
        /* a data absent reason is there */
        { "{'resourceType':'Observation','_status':{'extension':"
          "[{'url':'http://a','valueCode':'unknown'}]},"
          "'code':{'text':'a'}}", "" },
    };

    EXPECT(rows, 0);
}


static void
test_siblings(void **state)
{
    static const char  ext[] = "{'extension':[{'url':'http://a',"
                               "'valueString':'b'}]}";
    static const struct {
        const char  *name;       /* what follows resourceType; %s is ext */
        const char  *issues;
    }  rows[] = {
        { "'birthDate':'2000','_birthDate':%s", "" },
        { "'_birthDate':%s", "" },
        { "'birthDate':'2000','_birthDate':{'id':'a'}", "" },
        { "'_birthDate':{'id':'a'}",
          "invariant Patient.birthDate (ele-1)" },
        { "'birthDate':'2000','_birthDate':{}",
          "structure Patient.birthDate" },
        { "'birthDate':'2000','_birthDate':null",
          "structure Patient.birthDate" },
        { "'birthDate':'2000','_birthDate':[%s]",
          "structure Patient.birthDate" },
        { "'birthDate':'2000','_birthDate':{'id':'a','value':'b'}",
          "structure Patient.birthDate.value" },
        { "'name':[{'given':['a',null],'_given':[null,%s]}]", "" },
        { "'name':[{'given':['a'],'_given':[null,%s]}]", "" },
        { "'name':[{'_given':[%s]}]", "" },
        { "'name':[{'_given':%s}]", "structure Patient.name[0].given" },
        { "'name':[{'given':['a'],'_given':[]}]",
          "structure Patient.name[0].given" },
        { "'name':[{'given':['a',null]}]",
          "structure Patient.name[0].given[1]" },
        { "'name':[{'given':['a',null],'_given':[%s]}]",
          "structure Patient.name[0].given[1]" },
        { "'name':[{'given':['a',null],'_given':[%s,null]}]",
          "structure Patient.name[0].given[1]\n"
          "structure Patient.name[0].given[1]" },
        { "'name':[{'_given':[null,%s]}]",
          "structure Patient.name[0].given[0]" },
        { "'name':[{'given':[null,'a','b',null],"
          "'_given':[%s,null,null,'a']}]",
          "structure Patient.name[0].given[3]" },
    };
    hie_validator_t   *v = hie_validator_create(tool_pool, NULL);
    size_t             i;
    char              *text;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = apr_psprintf(tool_pool, rows[i].name, ext);
        text = apr_psprintf(tool_pool, "{'resourceType':'Patient',%s}", text);
        print_message("# %s\n", rows[i].name);
        expect_issues(v, 0, tool_json(text), rows[i].issues);
    }
}


static void
test_extensions(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','extension':[{'valueString':'a'}]}",
          "required Patient.extension[0].url" },
        { "{'resourceType':'Patient','extension':"
          "[{'url':'a','valueString':'a'}]}",
          "value Patient.extension[0]" },
        { "{'resourceType':'Patient','extension':"
          "[{'url':'http://a','extension':[{'url':'b',"
          "'valueString':'a'}]}]}", "" },
        { "{'resourceType':'Patient','modifierExtension':"
          "[{'url':'http://a','valueString':'a'}]}", "" },
        /* no backbone: nothing that may be modified */
        { "{'resourceType':'Patient','name':[{'modifierExtension':"
          "[{'url':'http://a','valueString':'a'}]}]}",
          "structure Patient.name[0].modifierExtension" },
    };

    EXPECT(rows, 0);
}


static void
test_references(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'Organization/1'}}", "" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'http://a/fhir/Organization/1/_history/2'}}", "" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'urn:uuid:c757873d-ec9a-4326-a141-556f43239520'}}",
          "" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'Practitioner/1'}}",
          "structure Patient.managingOrganization.reference" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'https://a/Practitioner/1'}}",
          "structure Patient.managingOrganization.reference" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'reference':'Practitioner?identifier=a|b'}}",
          "structure Patient.managingOrganization.reference" },
        { "{'resourceType':'Patient','managingOrganization':"
          "{'type':'Practitioner','identifier':{'value':'1'}}}",
          "structure Patient.managingOrganization.type" },
        { "{'resourceType':'Patient','generalPractitioner':"
          "[{'type':'Practitioner','reference':'Organization/1'}]}",
          "structure Patient.generalPractitioner[0]" },
        { "{'resourceType':'Patient','generalPractitioner':"
          "[{'reference':'#a'}]}",
          "invariant Patient.generalPractitioner[0].reference (ref-1)" },
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Medication','id':'a'}],'generalPractitioner':"
          "[{'reference':'#a'}]}",
          "structure Patient.generalPractitioner[0].reference" },
    };

    EXPECT(rows, 0);
}


static void
test_contained(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization','id':'a'}],"
          "'managingOrganization':{'reference':'#a'}}", "" },
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization','id':'a'}]}",
          "invariant Patient.contained[0] (dom-3)" },
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization'}]}",
          "invariant Patient.contained[0] (dom-3)" },
        /* one refers to another, which refers to the container */
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization','id':'a'},"
          "{'resourceType':'Observation','id':'b','status':'final',"
          "'code':{'text':'a'},'subject':{'reference':'#'},"
          "'performer':[{'reference':'#a'}]}]}", "" },
        { "{'resourceType':'PlanDefinition','status':'draft','library':"
          "['#l'],'contained':[{'resourceType':'Library','id':'l',"
          "'status':'draft','type':{'text':'a'}}]}", "" },
        { "{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization','id':'a','meta':{'versionId':'1',"
          "'security':[{'code':'R'}]},'contained':"
          "[{'resourceType':'Organization','id':'b'}]}],"
          "'managingOrganization':{'reference':'#a'}}",
          "invariant Patient.contained[0].meta (dom-4)\n"
          "invariant Patient.contained[0].meta (dom-5)\n"
          "invariant Patient.contained[0].contained (dom-2)" },
        /* of an entry, its own contained resources only */
        { "{'resourceType':'Bundle','type':'collection','entry':["
          "{'resource':{'resourceType':'Patient','contained':"
          "[{'resourceType':'Organization','id':'a'}],"
          "'managingOrganization':{'reference':'#a'}}},"
          "{'resource':{'resourceType':'Patient',"
          "'managingOrganization':{'reference':'#a'}}}]}",
          "invariant Bundle.entry[1].resource.managingOrganization.reference"
          " (ref-1)" },
    };

    EXPECT(rows, 0);
}


static void
test_bindings(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','gender':'male'}", "" },
        { "{'resourceType':'Patient','gender':'Male'}",
          "code-invalid Patient.gender" },
        { "{'resourceType':'Patient','gender':'males'}",
          "code-invalid Patient.gender" },
        { "{'resourceType':'Patient','gender':'mal'}",
          "code-invalid Patient.gender" },
        { "{'resourceType':'Patient','language':'de-CH'}", "" },
        { "{'resourceType':'Patient','language':'de CH'}",
          "code-invalid Patient.language" },
        { "{'resourceType':'Patient','photo':[{'contentType':'image/png'},"
          "{'contentType':'text/plain; charset=utf-8'},"
          "{'contentType':'png'}]}",
          "code-invalid Patient.photo[2].contentType" },
        { "{'resourceType':'Condition','subject':{'reference':'Patient/1'},"
          "'clinicalStatus':{'coding':[{'system':'http://terminology.hl7.org/"
          "CodeSystem/condition-clinical','code':'active'}]}}", "" },
        /* one coding is enough */
        { "{'resourceType':'Condition','subject':{'reference':'Patient/1'},"
          "'clinicalStatus':{'coding':[{'system':'http://a','code':'b'},"
          "{'system':'http://terminology.hl7.org/"
          "CodeSystem/condition-clinical','code':'active'}]}}", "" },
        { "{'resourceType':'Condition','subject':{'reference':'Patient/1'},"
          "'clinicalStatus':{'coding':[{'system':'http://a',"
          "'code':'active'}]}}", "code-invalid Condition.clinicalStatus" },
        { "{'resourceType':'Condition','subject':{'reference':'Patient/1'},"
          "'clinicalStatus':{'coding':[{'code':'active'}]}}",
          "code-invalid Condition.clinicalStatus" },
        { "{'resourceType':'Condition','subject':{'reference':'Patient/1'},"
          "'clinicalStatus':{'text':'active'}}",
          "code-invalid Condition.clinicalStatus" },
        /* the maximum of a preferred binding: for records, a warning */
        { "{'resourceType':'Patient','communication':[{'language':{'coding':"
          "[{'system':'urn:ietf:bcp:47','code':'hi'}]}},"
          "{'language':{'coding':[{'system':'http://a','code':'hi'}]}}]}",
          "warning code-invalid Patient.communication[1].language" },
        { "{'resourceType':'Invoice','status':'issued','totalNet':"
          "{'value':1,'currency':'CHF'},'totalGross':"
          "{'value':1,'currency':'chf'}}",
          "code-invalid Invoice.totalGross.currency" },
    };

    EXPECT(rows, HIE_VALIDATE_BINDINGS);
}


static hie_code_answer_t
answer(void *baton, hie_str_t value_set, hie_str_t system, hie_str_t code)
{
    ++*(int *) baton;
    assert_true(hie_str_eqz(value_set, "http://loinc.org/vs/LL379-9"));

    return hie_str_eqz(system, "http://loinc.org")
           && hie_str_eqz(code, "LA9658-1") ? HIE_CODE_IN : HIE_CODE_OUT;
}


/* A value set that cannot be listed: it is asked for, or left alone. */
static void
test_unknown_value_set(void **state)
{
    static const char        text[] =
        "{'resourceType':'MolecularSequence','coordinateSystem':1,"
        "'structureVariant':[{'variantType':{'coding':[{'system':"
        "'http://loinc.org','code':'%s'}]}}]}";
    int                      asked = 0;
    hie_validator_options_t  options = { .value_set = answer,
                                         .value_set_baton = &asked };
    hie_validator_t         *v = hie_validator_create(tool_pool, NULL);
    char                    *good, *bad;

    good = tool_json(apr_psprintf(tool_pool, text, "LA9658-1"));
    bad = tool_json(apr_psprintf(tool_pool, text, "x"));

    expect_issues(v, HIE_VALIDATE_BINDINGS, bad, "");
    expect_issues(v, HIE_VALIDATE_BINDINGS | HIE_VALIDATE_UNKNOWN, bad,
                  "information not-supported "
                  "MolecularSequence.structureVariant[0].variantType");

    v = hie_validator_create(tool_pool, &options);
    expect_issues(v, HIE_VALIDATE_BINDINGS, good, "");
    expect_issues(v, HIE_VALIDATE_BINDINGS, bad, "code-invalid "
                  "MolecularSequence.structureVariant[0].variantType");
    assert_int_equal(asked, 2);
}


/* Errors are never crowded out, and the limit holds. */
static void
take_code(void *baton, hie_str_t system, hie_str_t code)
{
    hie_buf_t  *b = baton;

    hie_buf_addf(b, "%.*s|%.*s ", HIE_PRISTR(system), HIE_PRISTR(code));
}


static void
test_codes(void **state)
{
    hie_buf_t  b;

    hie_buf_init(&b, tool_pool, 64);
    assert_true(hie_validation_codes(
        HIE_STR("http://hl7.org/fhir/ValueSet/address-type|4.0.1"),
        take_code, &b));
    hie_buf_addc(&b, '\0');
    assert_string_equal(b.ptr, "http://hl7.org/fhir/address-type|both "
                               "http://hl7.org/fhir/address-type|physical "
                               "http://hl7.org/fhir/address-type|postal ");

    /* nobody lists them; nobody knows it */
    b.len = 0;
    assert_false(hie_validation_codes(
        HIE_STR("http://hl7.org/fhir/ValueSet/all-languages"), take_code,
        &b));
    assert_false(hie_validation_codes(HIE_STR("urn:x"), take_code, &b));
    assert_false(hie_validation_codes(HIE_STR_NONE, take_code, &b));
    assert_int_equal(b.len, 0);
}


static void
test_limit(void **state)
{
    hie_validator_t         *v = hie_validator_create(tool_pool, NULL);
    hie_validate_options_t   options = { .max_issues = 2 };
    hie_issues_t             issues;
    hie_error_t              err;
    hie_doc_t               *d;
    hie_str_t                out;

    d = tool_parse(tool_json("{'resourceType':'Patient','a':1,'b':2,'c':3}"));
    assert_int_equal(hie_validate(v, d, 0, &options, tool_pool, &issues,
                                  &err), HIE_INVALID);
    assert_int_equal(issues.n, 2);
    assert_int_equal(issues.n_errors, 3);
    assert_true(issues.more);
    assert_string_equal(err.where, "Patient.a");

    out = hie_validation_outcome(tool_pool, &issues);
    assert_non_null(strstr(hie_str_z(tool_pool, out), "\"incomplete\""));
    assert_int_equal(hie_validate(v, tool_parse(hie_str_z(tool_pool, out)), 0,
                                  NULL, tool_pool, &issues, NULL), HIE_OK);
}


static void
test_outcome(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    hie_issues_t      issues;
    hie_error_t       err;
    hie_doc_t        *d;
    hie_str_t         out;

    d = tool_parse(tool_json("{'resourceType':'Patient',\n"
                             "  'gender':'m\\u00fc\\n'}"));
    assert_int_equal(hie_validate(v, d, 0, NULL, tool_pool, &issues, &err),
                     HIE_INVALID);
    out = hie_validation_outcome(tool_pool, &issues);
    d = tool_parse(hie_str_z(tool_pool, out));
    assert_int_equal(hie_validate(v, d, 0, NULL, tool_pool, &issues, NULL),
                     HIE_OK);
    assert_non_null(strstr(hie_str_z(tool_pool, out),
                           "\"location\":[\"line 2, column 12\"],"
                           "\"expression\":[\"Patient.gender\"]"));

    d = tool_parse(tool_json("{'resourceType':'Patient','gender':'m'}"));
    assert_int_equal(hie_validate(v, d, 0, NULL, tool_pool, &issues, &err),
                     HIE_UNPROCESSABLE);
    d = tool_parse(tool_json("{'resourceType':'Patient'}"));
    assert_int_equal(hie_validate(v, d, 0, NULL, tool_pool, &issues, &err),
                     HIE_OK);
    out = hie_validation_outcome(tool_pool, &issues);
    assert_non_null(strstr(hie_str_z(tool_pool, out), "no issues"));
}


/* A resource inside a document, under a name of the caller's. */
static void
test_place(void **state)
{
    hie_validator_t         *v = hie_validator_create(tool_pool, NULL);
    hie_validate_options_t   options = { .expression = HIE_STR(
                                         "Bundle.entry[3].resource") };
    hie_issues_t             issues;
    hie_doc_t               *d;

    d = tool_parse(tool_json("{'a':{'resourceType':'Patient','gender':1}}"));
    assert_int_equal(hie_validate(v, d, hie_doc_member(d, 0, "a"), &options,
                                  tool_pool, &issues, NULL), HIE_INVALID);
    assert_int_equal(issues.n, 1);
    assert_true(hie_str_eqz(issues.issues[0].expression,
                            "Bundle.entry[3].resource.gender"));
    assert_int_equal(issues.issues[0].column, 41);
}


/* Nesting is bounded, whatever the document allows. */
static void
test_depth(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    hie_issues_t      issues;
    hie_buf_t         b;
    hie_doc_t        *d;
    int               i;

    hie_buf_init(&b, tool_pool, 4096);
    hie_buf_addz(&b, "{\"resourceType\":\"Patient\",");
    for (i = 0; i < 400; i++) {
        hie_buf_addz(&b, "\"extension\":[{\"url\":\"http://a\",");
    }

    hie_buf_addz(&b, "\"valueCode\":\"a\"");
    for (i = 0; i < 400; i++) {
        hie_buf_addz(&b, "}]");
    }

    hie_buf_addz(&b, "}");
    d = tool_parse(hie_str_z(tool_pool, hie_buf_str(&b)));
    assert_int_equal(hie_validate(v, d, 0, NULL, tool_pool, &issues, NULL),
                     HIE_INVALID);
    assert_int_equal(issues.n_errors, 1);
    assert_int_equal(issues.issues[0].severity, HIE_ISSUE_FATAL);
    assert_string_equal(issues.issues[0].code, "too-long");
}


/*
 * One validator, several threads, all of whose types are met for the first
 * time.
 */
#define THREADS  4

static pthread_mutex_t  mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int      locked, problems;
static hie_validator_t *common;


static void
lock(void *baton, bool on)
{
    if (on) {
        pthread_mutex_lock(&mutex);
        locked++;
    } else {
        pthread_mutex_unlock(&mutex);
    }
}


static void
work(void *baton)
{
    static const char *const  texts[] = {
        "{\"resourceType\":\"Patient\",\"gender\":\"x\"}",
        "{\"resourceType\":\"Observation\",\"status\":\"final\"}",
        "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"total\":1}",
        "{\"resourceType\":\"Encounter\",\"status\":\"planned\"}",
    };
    apr_pool_t               *pool = hie_pool_create(NULL, "thread");
    hie_issues_t              issues;
    hie_doc_t                *d;
    size_t                    i;

    for (i = 0; i < 400; i++) {
        if (hie_doc_parse(pool, hie_str(texts[i % 4]), 10, &d, NULL)
            != HIE_OK
            || hie_validate(common, d, 0, NULL, pool, &issues, NULL)
               == HIE_OK || issues.n != 1)
        {
            problems++;
        }
    }

    apr_pool_destroy(pool);
}


static void
test_threads(void **state)
{
    hie_validator_options_t   options = { .lock = lock };
    hie_thread_t             *threads[THREADS];
    int                       i;

    common = hie_validator_create(hie_pool_create(tool_pool, "validator"),
                                  &options);

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(hie_thread_start(tool_pool, "validate", work, NULL,
                                          &threads[i], NULL), HIE_OK);
    }

    for (i = 0; i < THREADS; i++) {
        hie_thread_join(threads[i]);
    }

    assert_int_equal(problems, 0);
    assert_true(locked > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_resource_type),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_cardinality),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_contained),
        cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_unknown_value_set),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_outcome),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
