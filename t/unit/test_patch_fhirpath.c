/*
 * patch: FHIRPath Patch.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "patch/patch.h"
#include "xml/xml.h"

#define DEPTH  50

static apr_pool_t  *pool;


static hie_doc_t *
parse(const char *text)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(pool, hie_str(text), DEPTH, &d, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return d;
}


/* Quotes are written as ' in the JSON of these tests. */
static char *
quoted(const char *text)
{
    char  *z = apr_pstrdup(pool, text), *p;

    for (p = z; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return z;
}


static char *
operation(const char *type, const char *path, const char *parts)
{
    return apr_psprintf(pool,
                        "{'name':'operation','part':["
                        "{'name':'type','valueCode':'%s'},"
                        "{'name':'path','valueString':'%s'}%s%s]}",
                        type, path, *parts != '\0' ? "," : "", parts);
}


static char *
parameters(const char *operations)
{
    return quoted(apr_psprintf(pool, "{'resourceType':'Parameters',"
                               "'parameter':[%s]}", operations));
}


static hie_rc_t
apply(const char *text, const char *operations, hie_str_t *out,
      hie_error_t *err)
{
    return hie_patch_fhirpath(parse(quoted(text)),
                              parse(parameters(operations)), NULL, 0, pool,
                              out, err);
}


static void
gives(const char *text, const char *operations, const char *expected)
{
    hie_error_t  err;
    hie_str_t    out;

    if (apply(text, operations, &out, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", operations, err.where, err.detail);
    }

    assert_string_equal(hie_str_z(pool, out), quoted(expected));
}


static void
refuses(const char *text, const char *operations, hie_rc_t rc,
        const char *detail)
{
    hie_error_t  err;
    hie_str_t    out = HIE_STR("x");
    hie_rc_t     got;

    memset(&err, 0, sizeof(err));
    got = apply(text, operations, &out, &err);

    if (got != rc) {
        fail_msg("%s: %d: %s: %s", operations, got, err.where, err.detail);
    }

    assert_null(out.ptr);
    assert_string_equal(err.where, "Parameters.parameter[0]");

    if (strstr(err.detail, detail) == NULL) {
        fail_msg("%s: expected \"%s\" in \"%s\"", operations, detail,
                 err.detail);
    }
}

#define ADD(path, name, value)                                                \
    operation("add", path, "{'name':'name','valueString':'" name "'},"        \
              "{'name':'value'," value "}")
#define INSERT(path, index, value)                                            \
    operation("insert", path, "{'name':'index','valueInteger':" #index "},"   \
              "{'name':'value'," value "}")
#define DELETE(path)  operation("delete", path, "")
#define REPLACE(path, value)                                                  \
    operation("replace", path, "{'name':'value'," value "}")
#define MOVE(path, from, to)                                                  \
    operation("move", path, "{'name':'source','valueInteger':" #from "},"     \
              "{'name':'destination','valueInteger':" #to "}")

#define PATIENT  "{'resourceType':'Patient'"


static void
test_add(void **state)
{
    gives(PATIENT "}", ADD("Patient", "birthDate", "'valueDate':'1930'"),
          PATIENT ",'birthDate':'1930'}");
    gives(PATIENT ",'id':'1'}", ADD("Patient", "active",
                                    "'valueBoolean':true"),
          PATIENT ",'id':'1','active':true}");
    gives(PATIENT "}", ADD("Patient", "name", "'valueHumanName':"
                           "{'family':'A'}"),
          PATIENT ",'name':[{'family':'A'}]}");
    gives(PATIENT ",'name':[ {'family':'A'} ]}",
          ADD("Patient", "name", "'valueHumanName':{ 'family':'B' }"),
          PATIENT ",'name':[ {'family':'A'}, { 'family':'B' } ]}");
    gives(PATIENT ",'name':[{'family':'A'}]}",
          ADD("Patient.name.where(family = \\u0027A\\u0027)", "given",
              "'valueString':'x'"),
          PATIENT ",'name':[{'family':'A','given':['x']}]}");

    /* a choice by its stem, and by the whole name */
    gives(PATIENT "}", ADD("Patient", "deceased", "'valueBoolean':false"),
          PATIENT ",'deceasedBoolean':false}");
    gives(PATIENT "}", ADD("Patient", "deceasedDateTime",
                           "'valueDateTime':'2020'"),
          PATIENT ",'deceasedDateTime':'2020'}");
    refuses(PATIENT ",'deceasedDateTime':'2020'}",
            ADD("Patient", "deceased", "'valueBoolean':false"),
            HIE_UNPROCESSABLE, "already");

    refuses(PATIENT ",'active':true}",
            ADD("Patient", "active", "'valueBoolean':false"),
            HIE_UNPROCESSABLE, "already");
    refuses(PATIENT ",'_active':{'id':'x'}}",
            ADD("Patient", "active", "'valueBoolean':false"),
            HIE_UNPROCESSABLE, "already");
    refuses(PATIENT "}", ADD("Patient", "colour", "'valueString':'red'"),
            HIE_UNPROCESSABLE, "Patient has no element \"colour\"");
    refuses(PATIENT "}", ADD("Patient", "deceased", "'valueAge':{}"),
            HIE_UNPROCESSABLE, "no element");
    refuses(PATIENT "}", ADD("Patient.name", "family", "'valueString':'x'"),
            HIE_UNPROCESSABLE, "nothing at the path");
    refuses(PATIENT ",'name':[{'family':'A'},{'family':'B'}]}",
            ADD("Patient.name", "text", "'valueString':'x'"),
            HIE_UNPROCESSABLE, "more than one");
    refuses(PATIENT ",'name':{'family':'A'}}",
            ADD("Patient", "name", "'valueHumanName':{'family':'B'}"),
            HIE_UNPROCESSABLE, "list");
}


/* A primitive is in two places of JSON. */
static void
test_siblings(void **state)
{
    gives(PATIENT "}", ADD("Patient", "active", "'valueBoolean':true,"
                           "'_valueBoolean':{'id':'x'}"),
          PATIENT ",'active':true,'_active':{'id':'x'}}");
    gives(PATIENT "}", ADD("Patient", "active", "'_valueBoolean':{'id':'x'}"),
          PATIENT ",'_active':{'id':'x'}}");
    gives(PATIENT ",'name':[{'given':['a','b']}]}",
          ADD("Patient.name", "given", "'valueString':'c',"
              "'_valueString':{'id':'x'}"),
          PATIENT ",'name':[{'given':['a','b','c'],"
          "'_given':[null,null,{'id':'x'}]}]}");
    gives(PATIENT ",'name':[{'given':['a','b'],'_given':[{'id':'x'},null]}]}",
          ADD("Patient.name", "given", "'valueString':'c'"),
          PATIENT ",'name':[{'given':['a','b','c'],"
          "'_given':[{'id':'x'},null,null]}]}");
    gives(PATIENT ",'name':[{'given':['a','b'],'_given':[{'id':'x'},null]}]}",
          MOVE("Patient.name.given", 0, 1),
          PATIENT ",'name':[{'given':['b','a'],'_given':[null,{'id':'x'}]}]}");
    gives(PATIENT ",'name':[{'given':['a','b'],'_given':[{'id':'x'},null]}]}",
          DELETE("Patient.name.given[0]"),
          PATIENT ",'name':[{'given':['b']}]}");
    gives(PATIENT ",'name':[{'given':['a','b'],'_given':[{'id':'x'},null]}]}",
          REPLACE("Patient.name.given[0]", "'valueString':'c'"),
          PATIENT ",'name':[{'given':['c','b']}]}");
    gives(PATIENT ",'birthDate':'1974','_birthDate':{'id':'x'}}",
          REPLACE("Patient.birthDate", "'valueDate':'1975'"),
          PATIENT ",'birthDate':'1975'}");
    gives(PATIENT ",'birthDate':'1974','_birthDate':{'id':'x'}}",
          DELETE("Patient.birthDate"), PATIENT "}");

    /* below a primitive */
    gives(PATIENT ",'birthDate':'1974'}",
          ADD("Patient.birthDate", "extension",
              "'part':[{'name':'url','valueUri':'u'},"
              "{'name':'value','valueCode':'c'}]"),
          PATIENT ",'birthDate':'1974',"
          "'_birthDate':{'extension':[{'url':'u','valueCode':'c'}]}}");
    gives(PATIENT ",'birthDate':'1974','_birthDate':{'id':'x'}}",
          ADD("Patient.birthDate", "extension", "'valueExtension':{'url':'u'}"),
          PATIENT ",'birthDate':'1974',"
          "'_birthDate':{'id':'x','extension':[{'url':'u'}]}}");
    gives(PATIENT ",'birthDate':'1974','_birthDate':{'extension':[{'url':'u',"
          "'valueCode':'c'}]}}", DELETE("Patient.birthDate.extension"),
          PATIENT ",'birthDate':'1974'}");
    gives(PATIENT ",'name':[{'given':['a','b'],'_given':[null,{'extension':"
          "[{'url':'u','valueCode':'c'}]}]}]}",
          DELETE("Patient.name.given[1].extension"),
          PATIENT ",'name':[{'given':['a','b']}]}");
    gives(PATIENT ",'name':[{'given':['a',null],'_given':[null,{'extension':"
          "[{'url':'u','valueCode':'c'}]}]}]}",
          DELETE("Patient.name.given.extension"),
          PATIENT ",'name':[{'given':['a']}]}");
}


static void
test_parts(void **state)
{
    gives(PATIENT "}", ADD("Patient", "contact", "'part':["
                           "{'name':'name','valueHumanName':{'text':'a'}},"
                           "{'name':'telecom','valueContactPoint':"
                           "{'value':'1'}},"
                           "{'name':'gender','valueCode':'male'},"
                           "{'name':'telecom','valueContactPoint':"
                           "{'value':'2'}}]"),
          PATIENT ",'contact':[{'name':{'text':'a'},"
          "'telecom':[{'value':'1'},{'value':'2'}],'gender':'male'}]}");
    gives("{'resourceType':'Questionnaire'}",
          ADD("Questionnaire", "item", "'part':[{'name':'linkId',"
              "'valueString':'1'},{'name':'item','part':[{'name':'linkId',"
              "'valueString':'1.1'}]}]"),
          "{'resourceType':'Questionnaire','item':[{'linkId':'1',"
          "'item':[{'linkId':'1.1'}]}]}");
    gives(PATIENT "}", ADD("Patient", "contact", "'part':[{'name':'gender',"
                           "'valueCode':'male','_valueCode':{'id':'x'}}]"),
          PATIENT ",'contact':[{'gender':'male','_gender':{'id':'x'}}]}");
    gives(PATIENT "}", ADD("Patient", "contained", "'resource':"
                           "{'resourceType':'Basic','id':'b'}"),
          PATIENT ",'contained':[{'resourceType':'Basic','id':'b'}]}");

    refuses(PATIENT "}", ADD("Patient", "contact", "'part':[{'name':'colour',"
                             "'valueCode':'red'}]"),
            HIE_UNPROCESSABLE, "Patient.contact has no element \"colour\"");
    refuses(PATIENT "}", ADD("Patient", "contact", "'part':["
                             "{'name':'gender','valueCode':'male'},"
                             "{'name':'gender','valueCode':'male'}]"),
            HIE_INVALID, "twice");
    refuses(PATIENT "}", ADD("Patient", "contact", "'part':[]"),
            HIE_INVALID, "no content");
}


static void
test_delete(void **state)
{
    gives(PATIENT ",'name':[{'family':'A'},{'family':'B'}]}",
          DELETE("Patient.name[0]"), PATIENT ",'name':[{'family':'B'}]}");
    gives(PATIENT ",'name':[{'family':'A'}]}", DELETE("Patient.name"),
          PATIENT "}");
    gives(PATIENT ",'name':[{'family':'A'}]}", DELETE("Patient.gender"),
          PATIENT ",'name':[{'family':'A'}]}");

    /* what would be empty goes too, and only that */
    gives(PATIENT ",'contact':[{'name':{'text':'a'}}],'active':true}",
          DELETE("Patient.contact.name.text"), PATIENT ",'active':true}");
    gives(PATIENT ",'contact':[{'name':{'text':'a'},'gender':'male'}]}",
          DELETE("Patient.contact.name.text"),
          PATIENT ",'contact':[{'gender':'male'}]}");
    gives(PATIENT ",'contact':[{'name':{'text':'a'}},{'gender':'male'}]}",
          DELETE("Patient.contact.name.text"),
          PATIENT ",'contact':[{'gender':'male'}]}");

    refuses(PATIENT ",'name':[{'family':'A'},{'family':'B'}]}",
            DELETE("Patient.name"), HIE_UNPROCESSABLE, "more than one");
    refuses(PATIENT "}", DELETE("Patient"), HIE_UNPROCESSABLE, "itself");
    refuses(PATIENT "}", DELETE("1"), HIE_UNPROCESSABLE, "something else");
    refuses(PATIENT ",'active':true}", DELETE("Patient.active.not()"),
            HIE_UNPROCESSABLE, "something else");
    refuses(PATIENT ",'birthDate':'1974','_birthDate':[{'id':'x'}]}",
            DELETE("Patient.birthDate"), HIE_UNPROCESSABLE, "FHIR");
}


static void
test_replace(void **state)
{
    gives("{'resourceType':'Observation','valueDecimal':0,'valueQuantity':"
          "{'value':1.50}}", REPLACE("Observation.value.value",
                                     "'valueDecimal':2.00"),
          "{'resourceType':'Observation','valueDecimal':0,'valueQuantity':"
          "{'value':2.00}}");
    gives("{'resourceType':'Observation','valueString':'a','status':'final'}",
          REPLACE("Observation.value", "'valueQuantity':{'value':1.0}"),
          "{'resourceType':'Observation','status':'final','valueQuantity':"
          "{'value':1.0}}");
    gives("{'resourceType':'Observation','valueString':'a','status':'final'}",
          REPLACE("Observation.value", "'valueString':'b'"),
          "{'resourceType':'Observation','valueString':'b','status':'final'}");
    gives(PATIENT ",'name':[{'family':'A'}, {'family':'B'}]}",
          REPLACE("Patient.name[1]", "'valueHumanName':{'text':'C'}"),
          PATIENT ",'name':[{'family':'A'}, {'text':'C'}]}");
    gives(PATIENT ",'contact':[{'gender':'male'}]}",
          REPLACE("Patient.contact[0]", "'part':[{'name':'gender',"
                  "'valueCode':'female'}]"),
          PATIENT ",'contact':[{'gender':'female'}]}");

    refuses(PATIENT "}", REPLACE("Patient.gender", "'valueCode':'male'"),
            HIE_UNPROCESSABLE, "nothing at the path");
    refuses(PATIENT "}", REPLACE("Patient", "'resource':" PATIENT "}"),
            HIE_UNPROCESSABLE, "itself");
}


static void
test_lists(void **state)
{
    const char  *three = PATIENT ",'name':[ {'text':'A'}, {'text':'B'}, "
                         "{'text':'C'} ]}";

    gives(three, INSERT("Patient.name", 3, "'valueHumanName':{'text':'D'}"),
          PATIENT ",'name':[ {'text':'A'}, {'text':'B'}, {'text':'C'}, "
          "{'text':'D'} ]}");
    gives(three, INSERT("Patient.name", 1, "'valueHumanName':{'text':'D'}"),
          PATIENT ",'name':[ {'text':'A'}, {'text':'D'}, {'text':'B'}, "
          "{'text':'C'} ]}");
    gives(three, MOVE("Patient.name", 0, 2),
          PATIENT ",'name':[ {'text':'B'}, {'text':'C'}, {'text':'A'} ]}");
    gives(three, MOVE("Patient.name", 1, 1), three);

    refuses(three, INSERT("Patient.name", 4, "'valueHumanName':{}"),
            HIE_UNPROCESSABLE, "not that long");
    refuses(three, MOVE("Patient.name", 3, 0), HIE_UNPROCESSABLE,
            "not that long");
    refuses(three, MOVE("Patient.name", 0, 3), HIE_UNPROCESSABLE,
            "not that long");
    refuses(three, MOVE("Patient.name.skip(1)", 0, 1), HIE_UNPROCESSABLE,
            "something else than a list");
    refuses(three, MOVE("Patient.name.text", 0, 1), HIE_UNPROCESSABLE,
            "something else than a list");
    refuses(three, INSERT("Patient.address", 0, "'valueAddress':{}"),
            HIE_UNPROCESSABLE, "no list");
    refuses(PATIENT ",'active':true}",
            INSERT("Patient.active", 0, "'valueBoolean':true"),
            HIE_UNPROCESSABLE, "something else than a list");
    refuses(PATIENT ",'name':[{'given':['a']},{'given':['b']}]}",
            MOVE("Patient.name.given", 0, 1),
            HIE_UNPROCESSABLE, "something else than a list");
}


static void
test_shape(void **state)
{
    const char   *p = PATIENT "}";
    hie_error_t   err;
    hie_str_t     out;

    refuses(p, "{'name':'operations'}", HIE_INVALID, "\"operation\"");
    refuses(p, "1", HIE_INVALID, "\"operation\"");
    refuses(p, "{'name':'operation'}", HIE_INVALID, "\"type\"");
    refuses(p, operation("upsert", "Patient", ""), HIE_INVALID, "add, insert");
    refuses(p, operation("delete", "", ""), HIE_INVALID, "\"path\"");
    refuses(p, operation("delete", "Patient.", ""), HIE_INVALID,
            "no FHIRPath");
    refuses(p, operation("delete", "Patient.active | 1.x(", ""), HIE_INVALID,
            "no FHIRPath");
    refuses(p, operation("add", "Patient", ""), HIE_INVALID, "\"name\"");
    refuses(p, operation("add", "Patient",
                         "{'name':'name','valueString':'active'}"),
            HIE_INVALID, "\"value\"");
    refuses(p, operation("replace", "Patient", "{'name':'path',"
                         "'valueString':'x'}"), HIE_INVALID, "two parts");
    refuses(p, operation("insert", "Patient", "{'name':'index',"
                         "'valueInteger':-1}"), HIE_INVALID, "\"index\"");
    refuses(p, operation("move", "Patient", "{'name':'source',"
                         "'valueInteger':0}"), HIE_INVALID, "\"destination\"");
    refuses(p, ADD("Patient", "active", "'valueBoolean':true,'valueCode':'x'"),
            HIE_INVALID, "one value[x]");
    refuses(p, ADD("Patient", "active", "'x':1"), HIE_INVALID, "one value[x]");
    refuses(p, ADD("Patient", "active", "'valueBoolean':null"), HIE_INVALID,
            "no content");

    assert_int_equal(hie_patch_fhirpath(parse(quoted(p)), parse("[]"), NULL,
                                        0, pool, &out, &err), HIE_INVALID);
    assert_int_equal(hie_patch_fhirpath(parse(quoted(p)), parse(quoted(p)),
                                        NULL, 0, pool, &out, &err),
                     HIE_INVALID);
    gives(p, "", p);
}


/* Later operations see what earlier ones did, and one error undoes all. */
static void
test_sequence(void **state)
{
    hie_error_t  err;
    hie_str_t    out;
    char        *two;

    gives(PATIENT "}", apr_pstrcat(pool, ADD("Patient", "name",
                                             "'valueHumanName':{'text':'A'}"),
                                   ",", ADD("Patient.name[0]", "family",
                                            "'valueString':'B'"), NULL),
          PATIENT ",'name':[{'text':'A','family':'B'}]}");

    two = apr_pstrcat(pool, DELETE("Patient.active"), ",",
                      REPLACE("Patient.gender", "'valueCode':'male'"), NULL);
    assert_int_equal(apply(PATIENT ",'active':true}", two, &out, &err),
                     HIE_UNPROCESSABLE);
    assert_string_equal(err.where, "Parameters.parameter[1]");
    assert_null(out.ptr);
}


static void
test_limits(void **state)
{
    hie_patch_limits_t  limits = hie_patch_limits;
    hie_doc_t          *p = parse(quoted(PATIENT "}")), *patch;
    hie_error_t         err;
    hie_str_t           out;

    patch = parse(parameters(ADD("Patient", "id", "'valueId':'123456'")));
    limits.max_operations = 0;
    assert_int_equal(hie_patch_fhirpath(p, patch, &limits, 0, pool, &out,
                                        &err), HIE_TOO_LARGE);
    limits.max_operations = 1;
    limits.max_bytes = 30;
    assert_int_equal(hie_patch_fhirpath(p, patch, &limits, 0, pool, &out,
                                        &err), HIE_TOO_LARGE);
    limits.max_bytes = 100;
    assert_int_equal(hie_patch_fhirpath(p, patch, &limits, 0, pool, &out,
                                        &err), HIE_OK);

    assert_int_equal(apply(PATIENT "}",
                           DELETE("(1).repeat($this + 1).where(false)"), &out,
                           &err), HIE_TOO_COSTLY);
}


/* The text between two tags. */
static char *
between(char *text, const char *open, const char *close)
{
    char  *from = strstr(text, open), *to;

    if (from == NULL) {
        return NULL;
    }

    from += strlen(open);
    to = strstr(from, close);
    assert_non_null(to);

    return apr_pstrmemdup(pool, from, (apr_size_t) (to - from));
}


static hie_doc_t *
from_xml(const char *xml)
{
    hie_doc_t    *d;
    hie_str_t     json;
    hie_error_t   err;

    if (hie_xml_to_json(pool, hie_str_trim(hie_str(xml)), DEPTH, 0, &json,
                        &err) != HIE_OK
        || hie_doc_parse(pool, json, DEPTH, &d, &err) != HIE_OK)
    {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return d;
}


static char *
squeeze(hie_str_t xml)
{
    char  *z = hie_str_z(pool, xml), *r, *w;

    /* not compared: white space, and how a quote in a text is written */
    for (r = w = z; *r != '\0'; r++) {
        if (strncmp(r, "&quot;", 6) == 0) {
            *w++ = '"';
            r += 5;

        } else if (strchr(" \t\r\n", *r) == NULL) {
            *w++ = *r;
        }
    }

    *w = '\0';

    return z;
}


static void
published(char *text)
{
    char        *output = between(text, "<output>", "</output>");
    hie_doc_t   *d = from_xml(between(text, "<input>", "</input>"));
    hie_doc_t   *patch = from_xml(between(text, "<diff>", "</diff>"));
    hie_error_t  err;
    hie_str_t    out;
    hie_buf_t    a, b;
    hie_rc_t     rc;

    rc = hie_patch_fhirpath(d, patch, NULL, 0, pool, &out, &err);

    if (output == NULL) {
        assert_non_null(strstr(text, "<error"));
        assert_int_equal(rc, HIE_UNPROCESSABLE);
        return;
    }

    if (rc != HIE_OK) {
        fail_msg("%.60s: %s: %s", text, err.where, err.detail);
    }

    /* in the order of the definition, both */
    hie_buf_init(&a, pool, 4096);
    hie_buf_init(&b, pool, 4096);
    assert_int_equal(hie_doc_parse(pool, out, DEPTH, &d, &err), HIE_OK);
    assert_int_equal(hie_xml_from_json(d, 0, 0, &a, &err), HIE_OK);
    assert_int_equal(hie_xml_from_json(from_xml(output), 0, 0, &b, &err),
                     HIE_OK);
    assert_string_equal(squeeze(hie_buf_str(&a)), squeeze(hie_buf_str(&b)));
}


static void
test_published(void **state)
{
    const char  *shared = getenv("HIE_SHARED");
    char        *path, *text, *p, *end;
    FILE        *f;
    size_t       len;
    int          count = 0;

    path = apr_psprintf(pool, "%s/data/fhirpath/patch/fhir-patch-tests.xml",
                        shared != NULL ? shared : "../shared");
    f = fopen(path, "r");

    if (f == NULL) {
        print_message("# skipped: no %s\n", path);
        return;
    }

    text = apr_palloc(pool, 1 << 20);
    len = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    text[len] = '\0';

    for (p = strstr(text, "<case "); p != NULL; p = strstr(end, "<case ")) {
        end = strstr(p, "</case>");
        assert_non_null(end);
        published(apr_pstrmemdup(pool, p, (apr_size_t) (end - p)));
        count++;
    }

    assert_true(count >= 33);
}


static int
start(void **state)
{
    apr_initialize();
    hie_xml_init();
    pool = hie_pool_create(NULL, "test");

    return 0;
}


static int
stop(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_add), cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_delete),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_shape), cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_published)
    };

    return cmocka_run_group_tests_name("patch_fhirpath", tests, start, stop);
}
