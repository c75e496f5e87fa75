/*
 * Parameters that are not R4's: added, put in the place of others, taken away,
 * refused.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <glob.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "search_tool.h"

static apr_thread_mutex_t  *mutex;
static hie_error_t          err;

#define SP(code, type, base, rest)                                            \
    "{\"resourceType\":\"SearchParameter\",\"url\":\"http://x/" code "\","    \
    "\"status\":\"active\",\"code\":\"" code "\",\"type\":\"" type "\","      \
    "\"base\":[" base "]" rest "}"


static void
lock(void *baton, bool on)
{
    if (on) {
        apr_thread_mutex_lock(mutex);
    } else {
        apr_thread_mutex_unlock(mutex);
    }
}


static hie_rc_t
add(hie_str_t json)
{
    hie_doc_t  *d;

    memset(&err, 0, sizeof(err));
    assert_int_equal(hie_doc_parse(pool, json, 100, &d, &err), HIE_OK);
    return hie_search_add(search, d, pool, &err);
}


static void
add_well(const char *json)
{
    if (add(hie_str(json)) != HIE_OK) {
        fail_msg("%s: %s %s", json, err.where, err.detail);
    }
}


static bool
take_away(const char *code)
{
    return hie_search_remove(search,
                             hie_str(apr_pstrcat(pool, "http://x/", code,
                                                 NULL)));
}


static bool
is_served(const char *type, const char *code)
{
    return hie_search_param(search, hie_type_find(hie_str(type)),
                            hie_str(code)) != NULL;
}


static bool
is_by_url(const char *code)
{
    return hie_search_param(search, hie_type_find(HIE_STR("Patient")),
                            hie_str(code))->by_url;
}

#define PATIENT                                                               \
    "{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"http://e\","     \
    "\"valueCode\":\"blue\"}],\"multipleBirthInteger\":2,\"maritalStatus\":"  \
    "{\"coding\":[{\"code\":\"M\"}]},\"contact\":[{\"gender\":\"male\","      \
    "\"organization\":{\"reference\":\"Organization/1\"}},{\"gender\":"       \
    "\"female\",\"organization\":{\"reference\":\"Organization/2\"}}],"       \
    "\"photo\":[{\"title\":\"Passport\",\"url\":\"http://p/1\",\"creation\":" \
    "\"2020-02\"}]}"


static void
test_kinds(void **state)
{
    assert_false(is_served("Patient", "eye"));
    add_well(SP("eye", "token", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension('http://e').value\""));
    assert_true(is_served("Patient", "eye"));
    assert_false(is_served("Person", "eye"));
    assert_true(found(PATIENT, "eye=blue"));
    assert_false(found(PATIENT, "eye=green"));
    assert_true(found(PATIENT, "eye:missing=false"));

    add_well(SP("birth-order", "number", "\"Patient\"", ",\"expression\":"
                "\"Patient.multipleBirth.ofType(integer)\""));
    assert_true(found(PATIENT, "birth-order=2"));
    assert_true(found(PATIENT, "birth-order=gt1"));
    add_well(SP("photo", "string", "\"Patient\"", ",\"expression\":"
                "\"Patient.photo.title\""));
    assert_true(found(PATIENT, "photo=pass"));
    add_well(SP("photo-url", "uri", "\"Patient\"", ",\"expression\":"
                "\"Patient.photo.url\""));
    assert_true(found(PATIENT, "photo-url:below=http://p"));
    add_well(SP("photo-date", "date", "\"Patient\"", ",\"expression\":"
                "\"Patient.photo.creation\""));
    assert_true(found(PATIENT, "photo-date=2020"));
    add_well(SP("employer", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.contact.organization\",\"target\":"
                "[\"Organization\"]"));
    assert_true(found(PATIENT, "employer=Organization/1"));
    assert_true(found(PATIENT, "employer=2"));
    assert_false(found(PATIENT, "employer=3"));

    /* any value of an extension may be a Reference, or a canonical */
    add_well(SP("any", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension('http://e').value\""));
    assert_false(is_by_url("any"));
    add_well(SP("any", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension('http://e').value.ofType(canonical)\""));
    assert_true(is_by_url("any") && take_away("any"));

    /* more than paths */
    add_well(SP("any", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.contact.organization.where(display.exists())\""));
    assert_false(is_by_url("any"));
    add_well(SP("any", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension.where(url = 'http://e'"
                " or url = 'http://f').value\""));
    assert_false(is_by_url("any"));
    add_well(SP("any", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension.where(url = 'http://e'"
                " or url = 'http://f').value.ofType(canonical)"
                " | Patient.meta.profile.first()\""));
    assert_true(is_by_url("any") && take_away("any"));

    assert_true(take_away("eye") && take_away("photo"));
    assert_false(take_away("eye"));
    assert_false(is_served("Patient", "eye"));
    assert_true(is_served("Patient", "employer"));
    assert_true(take_away("birth-order") && take_away("photo-url")
                && take_away("photo-date") && take_away("employer"));
}


static void
test_composites(void **state)
{
    add_well(SP("contact-org", "reference", "\"Patient\"", ",\"expression\":"
                "\"Patient.contact.organization\""));
    add_well(SP("contact-gender", "token", "\"Patient\"", ",\"expression\":"
                "\"Patient.contact.gender\""));
    add_well(SP("contact", "composite", "\"Patient\"", ",\"expression\":"
                "\"Patient.contact\",\"component\":[{\"definition\":"
                "\"http://x/contact-org\",\"expression\":\"organization\"},"
                "{\"definition\":\"http://hl7.org/fhir/SearchParameter/"
                "individual-gender\",\"expression\":\"gender\"}]"));
    assert_true(found(PATIENT, "contact=Organization/1$male"));
    assert_true(found(PATIENT, "contact=2$female"));
    assert_false(found(PATIENT, "contact=Organization/2$male"));

    /* rows below a reference */
    add_well(SP("x", "composite", "\"Patient\"", ",\"expression\":"
                "\"Patient.photo\",\"component\":[{\"definition\":"
                "\"http://x/contact-org\",\"expression\":"
                "\"%resource.contact.organization\"},{\"definition\":\"http://"
                "hl7.org/fhir/SearchParameter/individual-birthdate\","
                "\"expression\":\"creation\"}]"));
    assert_true(found(PATIENT, "x=Organization/1$2020-02"));
    assert_true(found(PATIENT, "x=2$gt2019"));
    assert_false(found(PATIENT, "x=3$2020-02"));
    assert_false(found(PATIENT, "x=2$2021"));

    /* what it was made of may go */
    assert_true(take_away("contact-org") && take_away("contact-gender"));
    assert_true(found(PATIENT, "contact=Organization/1$male"));
    assert_true(take_away("contact") && take_away("x"));
}


/* One expression for several types, and one for all of them. */
static void
test_bases(void **state)
{
    add_well(SP("lang", "token", "\"Patient\",\"Person\",\"Group\"",
                ",\"expression\":\"Patient.communication.language | "
                "(Person.name.where(use = 'a|b').use) | Group.code\""));
    assert_true(is_served("Person", "lang"));
    assert_true(found("{\"resourceType\":\"Patient\",\"communication\":["
                      "{\"language\":{\"coding\":[{\"code\":\"de\"}]}}]}",
                      "lang=de"));
    assert_true(found("{\"resourceType\":\"Group\",\"code\":{\"coding\":["
                      "{\"code\":\"de\"}]}}", "lang=de"));
    assert_true(take_away("lang"));

    add_well(SP("version", "token", "\"Resource\"",
                ",\"expression\":\"Resource.meta.versionId\""));
    assert_true(is_served("Patient", "version"));
    assert_true(is_served("Bundle", "version"));
    assert_true(found("{\"resourceType\":\"Basic\",\"meta\":{\"versionId\":"
                      "\"7\"}}", "version=7"));
    /* R4 has one of this name */
    assert_true(hie_search_param(search, HIE_TYPE_ValueSet,
                                 HIE_STR("version"))->canonical[7] == 'h');
    assert_true(take_away("version"));
    assert_false(is_served("Basic", "version"));
    assert_true(is_served("ValueSet", "version"));

    add_well(SP("twice", "token", "\"Patient\",\"Patient\",\"Resource\"",
                ",\"expression\":\"Resource.language\""));
    assert_true(found("{\"resourceType\":\"Patient\",\"language\":\"de\"}",
                      "twice=de"));
    assert_true(take_away("twice"));
}


/* A path that ends there leads to the value. */
static void
test_extension(void **state)
{
    static const char  *nested =
        "{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"http://e\","
        "\"extension\":[{\"url\":\"x\",\"valueString\":\"blue\"}]}]}";

    add_well(SP("eye", "token", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension('http://e')\""));
    assert_true(found(PATIENT, "eye=blue"));
    assert_false(found(PATIENT, "eye=http://e"));
    assert_true(found(PATIENT, "eye:missing=false"));
    assert_true(found(nested, "eye:missing=true"));

    add_well(SP("look", "string", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension.where(url.exists())\""));
    assert_true(found(PATIENT, "look=BL"));
    assert_false(found(PATIENT, "look=http"));
    assert_true(found(nested, "look:missing=true"));
    assert_true(take_away("look"));
    assert_true(take_away("eye"));
}


static void
test_again(void **state)
{
    const hie_parameter_t  *before;

    add_well(SP("eye", "token", "\"Patient\"", ",\"expression\":"
                "\"Patient.extension('http://e').value\""));
    before = hie_search_param(search, HIE_TYPE_Patient, HIE_STR("eye"));
    add_well(SP("eye", "string", "\"Patient\",\"Person\"", ",\"expression\":"
                "\"language\""));
    assert_true(is_served("Person", "eye"));
    assert_true(found("{\"resourceType\":\"Patient\",\"language\":\"de\"}",
                      "eye=D"));
    assert_int_equal(before->kind, HIE_SEARCH_TOKEN);   /* it is still there */

    /* under another code */
    add_well("{\"resourceType\":\"SearchParameter\",\"url\":\"http://x/eye\","
             "\"status\":\"active\",\"code\":\"look\",\"type\":\"string\","
             "\"base\":[\"Patient\"],\"expression\":\"language\"}");
    assert_false(is_served("Patient", "eye"));
    assert_false(is_served("Person", "eye"));
    assert_true(is_served("Patient", "look"));

    add_well("{\"resourceType\":\"SearchParameter\",\"url\":\"http://x/eye\","
             "\"status\":\"retired\"}");
    assert_false(is_served("Patient", "look"));
    add_well("{\"resourceType\":\"SearchParameter\",\"url\":\"http://x/other\""
             ",\"status\":\"draft\"}");
}


/* What is the same as in R4, or nearly. */
static void
test_known(void **state)
{
    const hie_parameter_t  *p;

    add_well("{\"resourceType\":\"SearchParameter\",\"url\":\"http://us/name\""
             ",\"status\":\"active\",\"code\":\"name\",\"type\":\"string\","
             "\"base\":[\"Patient\"],\"expression\":\"Patient.name\"}");
    p = hie_search_param(search, HIE_TYPE_Patient, HIE_STR("name"));
    assert_string_equal(p->canonical,
                        "http://hl7.org/fhir/SearchParameter/Patient-name");
    assert_false(hie_search_remove(search, HIE_STR("http://us/name")));
    add_well("{\"resourceType\":\"SearchParameter\",\"url\":\"http://us/id\""
             ",\"status\":\"active\",\"code\":\"_id\",\"type\":\"token\","
             "\"base\":[\"Patient\"],\"expression\":\"Patient.id\"}");
}


static void
count(void *baton, const hie_parameter_t *p)
{
    int  *n = baton;

    assert_int_equal(p->type, HIE_TYPE_Patient);
    *n += 1;
}


static void
test_each(void **state)
{
    int  n, more;

    n = more = 0;
    hie_search_each(search, HIE_TYPE_Patient, count, &n);
    assert_true(n > 30);
    add_well(SP("eye", "token", "\"Patient\"", ",\"expression\":"
                "\"language\""));
    hie_search_each(search, HIE_TYPE_Patient, count, &more);
    assert_int_equal(more, n + 1);
    assert_true(take_away("eye"));
    hie_search_each(search, HIE_TYPE_HumanName, count, &n);
    assert_int_equal(more, n + 1);
}


static void
test_errors(void **state)
{
    size_t  i;
    static const struct {
        const char  *json;
        hie_rc_t     rc;
        const char  *where;
        const char  *says;
    } cases[] = {
        { "{\"resourceType\":\"Patient\"}", HIE_INVALID, "",
          "SearchParameter" },
        { "{\"resourceType\":\"SearchParameter\",\"status\":\"active\"}",
          HIE_INVALID, "SearchParameter.url", "URL" },
        { SP("a.b", "token", "\"Patient\"", ""), HIE_INVALID,
          "SearchParameter.code", "letters" },
        { SP("", "token", "\"Patient\"", ""), HIE_INVALID,
          "SearchParameter.code", "letters" },
        { SP("_x", "token", "\"Patient\"", ",\"expression\":\"language\""),
          HIE_INVALID, "SearchParameter.code", "'_'" },
        { SP("a", "special", "\"Patient\"", ""), HIE_INVALID,
          "SearchParameter.type", "composite" },
        { SP("a", "token", "\"Nothing\"", ""), HIE_INVALID,
          "SearchParameter.base[0]", "resource type" },
        { SP("a", "token", "\"Patient\",\"HumanName\"",
             ",\"expression\":\"language\""), HIE_INVALID,
          "SearchParameter.base[1]", "resource type" },
        { "{\"resourceType\":\"SearchParameter\",\"url\":\"u\",\"status\":"
          "\"active\",\"code\":\"a\",\"type\":\"token\",\"base\":\"Patient\"}",
          HIE_INVALID, "SearchParameter.base", "list" },
        { SP("a", "token", "\"Patient\"", ""), HIE_INVALID,
          "SearchParameter.expression", "path" },
        { SP("a", "token", "\"Patient\"", ",\"expression\":\"Group.code\""),
          HIE_INVALID, "SearchParameter.expression", "path" },
        { SP("a", "token", "\"Patient\"", ",\"expression\":\"Patient.nam\""),
          HIE_INVALID, "SearchParameter.expression", "nam" },
        { SP("a", "token", "\"Patient\"", ",\"expression\":\"Patient.(\""),
          HIE_INVALID, "SearchParameter.expression", "1:9" },
        { SP("a", "date", "\"Patient\"", ",\"expression\":\"Patient.name\""),
          HIE_INVALID, "SearchParameter.expression", "HumanName" },
        { SP("a", "reference", "\"Patient\"", ",\"target\":[\"Nothing\"],"
             "\"expression\":\"Patient.link.other\""), HIE_INVALID,
          "SearchParameter.target[0]", "resource type" },
        { SP("name", "token", "\"Patient\"", ",\"expression\":\"language\""),
          HIE_CONFLICT, "SearchParameter.code", "Patient-name" },
        { SP("a", "composite", "\"Patient\"", ",\"expression\":\"Patient\""),
          HIE_INVALID, "SearchParameter.component", "two or three" },
        { SP("a", "composite", "\"Patient\"", ",\"expression\":\"Patient\","
             "\"component\":[{\"definition\":\"http://none\"},{}]"),
          HIE_INVALID, "SearchParameter.component[0]", "definition" },
        { SP("a", "composite", "\"Patient\"", ",\"expression\":\"Patient\","
             "\"component\":[{\"definition\":\"http://hl7.org/fhir/"
             "SearchParameter/Patient-name\",\"expression\":\"name\"},{}]"),
          HIE_INVALID, "SearchParameter.component[0]", "first" },
        { SP("a", "composite", "\"Patient\"", ",\"expression\":\"Patient\","
             "\"component\":[{\"definition\":\"http://hl7.org/fhir/"
             "SearchParameter/individual-gender\"},{}]"), HIE_INVALID,
          "SearchParameter.component[0]", "an expression" },
        { SP("a", "composite", "\"Patient\"", ",\"expression\":\"Patient\","
             "\"component\":[{\"definition\":\"http://hl7.org/fhir/"
             "SearchParameter/individual-gender\",\"expression\":\"gen.\"},"
             "{}]"), HIE_INVALID, "SearchParameter.component[0].expression",
          "" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (add(hie_str(cases[i].json)) != cases[i].rc
            || strcmp(err.where, cases[i].where) != 0
            || strstr(err.detail, cases[i].says) == NULL)
        {
            fail_msg("%s: %s: %s", cases[i].json, err.where, err.detail);
        }
    }

    add_well(SP("a", "token", "\"Patient\"", ",\"expression\":\"language\""));
    assert_int_equal(add(HIE_STR("{\"resourceType\":\"SearchParameter\","
                                 "\"url\":\"http://y\",\"status\":\"active\","
                                 "\"code\":\"a\",\"type\":\"token\",\"base\":"
                                 "[\"DomainResource\"],\"expression\":"
                                 "\"language\"}")), HIE_CONFLICT);
    assert_non_null(strstr(err.detail, "http://x/a"));

    /* what was wrong has changed nothing */
    assert_int_equal(add(HIE_STR(SP("a", "token", "\"Patient\"",
                                    ",\"expression\":\"nothing\""))),
                     HIE_INVALID);
    assert_true(is_served("Patient", "a"));
    assert_true(take_away("a"));
}


static hie_str_t
read_file(const char *path)
{
    char         *text;
    apr_file_t   *f;
    apr_finfo_t   info;
    apr_size_t    n;

    assert_int_equal(apr_file_open(&f, path, APR_READ, APR_OS_DEFAULT, pool),
                     APR_SUCCESS);
    apr_file_info_get(&info, APR_FINFO_SIZE, f);
    text = apr_palloc(pool, (apr_size_t) info.size);
    assert_int_equal(apr_file_read_full(f, text, (apr_size_t) info.size, &n),
                     APR_SUCCESS);
    apr_file_close(f);
    return (hie_str_t) { text, n };
}


/* All that US Core publishes is served, but for one whose expression asks an
 * element that there is not. */
static void
test_us_core(void **state)
{
    glob_t       files;
    size_t       i, refused;
    const char  *shared = getenv("HIE_SHARED");

    if (glob(apr_pstrcat(pool, shared != NULL ? shared : "../shared",
                         "/data/us-core/*/SearchParameter/*.json", NULL), 0,
             NULL, &files) != 0)
    {
        print_message("# skipped: no US Core in %s\n",
                      shared != NULL ? shared : "../shared");
        return;
    }

    assert_true(files.gl_pathc > 50);
    for (i = 0, refused = 0; i < files.gl_pathc; i++) {
        if (add(read_file(files.gl_pathv[i])) != HIE_OK) {
            refused++;
            if (strstr(files.gl_pathv[i], "asserted-date") == NULL) {
                fail_msg("%s: %s: %s", files.gl_pathv[i], err.where,
                         err.detail);
            }
        }
    }

    globfree(&files);
    assert_int_equal(refused, 1);
    assert_true(is_served("Condition", "recorded-date"));
    assert_true(found("{\"resourceType\":\"Condition\",\"recordedDate\":"
                      "\"2020\"}", "recorded-date=2020"));
}


/* One thread reads, this one changes. */
static _Atomic bool  enough;

static void
reader(void *baton)
{
    apr_pool_t           *p;
    hie_doc_t            *d;
    hie_search_values_t   x;

    while (!atomic_load(&enough)) {
        p = hie_pool_create(NULL, "reader");
        if (hie_doc_parse(p, HIE_STR(PATIENT), 100, &d, NULL) != HIE_OK
            || hie_search_index(search, d, HIE_TYPE_Patient, HIE_STR("1"),
                                HIE_STR(""), p, &x, NULL) != HIE_OK
            || x.n_tokens == 0)
        {
            abort();
        }

        apr_pool_destroy(p);
    }
}


static void
test_threads(void **state)
{
    int            i;
    hie_thread_t  *t;

    atomic_store(&enough, false);
    assert_int_equal(hie_thread_start(pool, "reader", reader, NULL, &t, &err),
                     HIE_OK);
    for (i = 0; i < 100; i++) {
        add_well(SP("eye", "token", "\"Patient\"", ",\"expression\":"
                    "\"Patient.extension('http://e').value\""));
        assert_true(found(PATIENT, "eye=blue"));
        assert_true(take_away("eye"));
    }

    atomic_store(&enough, true);
    hie_thread_join(t);
}


static int
setup(void **state)
{
    hie_search_options_t  options = { lock, NULL };

    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    search = hie_search_create(pool, &options);
    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_composites),
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_extension),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_us_core),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, setup, search_teardown);
}
