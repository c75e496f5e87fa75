/*
 * Expansion: what a value set has, by all that compose may say.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "terminology_tool.h"

/* animal: a forest, with properties, designations and flags */
#define ANIMALS                                                              \
    "{'resourceType':'CodeSystem','url':'urn:a','version':'1',"              \
    "'name':'Animals','status':'active','content':'complete',"               \
    "'caseSensitive':true,'language':'en','valueSet':'urn:a:all',"           \
    "'property':[{'code':'legs','type':'integer'},"                          \
    "{'code':'eats','type':'code'},"                                         \
    "{'code':'gone','uri':"                                                  \
    "'http://hl7.org/fhir/concept-properties#inactive',"                     \
    "'type':'boolean'}],"                                                    \
    "'concept':[{'code':'animal','display':'Animal','property':["            \
    "{'code':'notSelectable','valueBoolean':true}],'concept':["              \
    "{'code':'bird','display':'Bird','property':["                           \
    "{'code':'legs','valueInteger':2}],'concept':["                          \
    "{'code':'dodo','display':'Dodo','property':["                           \
    "{'code':'gone','valueBoolean':true},"                                   \
    "{'code':'legs','valueInteger':2}]},"                                    \
    "{'code':'eagle','display':'Golden eagle','designation':["               \
    "{'language':'de-AT','value':'Steinadler'},"                             \
    "{'use':{'system':'urn:u','code':'latin'},"                              \
    "'value':'Aquila chrysa\\u00ebtos'}],'property':["                       \
    "{'code':'legs','valueInteger':2},"                                      \
    "{'code':'eats','valueCode':'hare'}]}]},"                                \
    "{'code':'mammal','display':'Mammal','concept':["                        \
    "{'code':'hare','display':'Hare','property':["                           \
    "{'code':'legs','valueInteger':4}]},"                                    \
    "{'code':'cat','display':'Cat','property':["                             \
    "{'code':'legs','valueInteger':4},"                                      \
    "{'code':'eats','valueCode':'dodo'},"                                    \
    "{'code':'eats','valueCode':'hare'}]}]}]}]}"

#define SET(url, compose)                                                    \
    "{'resourceType':'ValueSet','url':'" url "','status':'active',"          \
    "'compose':{" compose "}}"


static const char *
expand(const char *url)
{
    call(hie_term_expand, apr_pstrcat(pool, "url=", url, NULL), NULL);

    return codes();
}


static const char *
filtered(const char *property, const char *op, const char *value)
{
    call(hie_term_expand, apr_psprintf(pool, "valueSet:="
         SET("urn:f", "'include':[{'system':'urn:a','filter':[{"
             "'property':'%s','op':'%s','value':'%s'}]}]"),
         property, op, value), NULL);

    return codes();
}


static void
test_filters(void **state)
{
    add(ANIMALS);

    assert_string_equal(filtered("concept", "is-a", "bird"),
                        "bird dodo eagle");
    assert_string_equal(filtered("concept", "descendent-of", "bird"),
                        "dodo eagle");
    assert_string_equal(filtered("concept", "is-not-a", "bird"),
                        "animal mammal hare cat");
    assert_string_equal(filtered("concept", "generalizes", "eagle"),
                        "animal bird eagle");
    assert_string_equal(filtered("code", "=", "cat"), "cat");
    assert_string_equal(filtered("code", "in", "cat, dodo ,x"), "dodo cat");
    assert_string_equal(filtered("concept", "not-in", "animal,bird,mammal"),
                        "dodo eagle hare cat");
    assert_string_equal(filtered("legs", "=", "4"), "hare cat");
    assert_string_equal(filtered("legs", "in", "2,3"), "bird dodo eagle");
    assert_string_equal(filtered("legs", "not-in", "2,3"),
                        "animal mammal hare cat");
    assert_string_equal(filtered("legs", "exists", "false"),
                        "animal mammal");
    assert_string_equal(filtered("eats", "exists", "true"), "eagle cat");
    assert_string_equal(filtered("eats", "=", "hare"), "eagle cat");
    /* the value of a property, by subsumption */
    assert_string_equal(filtered("eats", "is-a", "bird"), "cat");
    assert_string_equal(filtered("parent", "=", "bird"), "dodo eagle");
    assert_string_equal(filtered("child", "exists", "true"),
                        "animal bird mammal");
    assert_string_equal(filtered("inactive", "=", "true"), "dodo");
    assert_string_equal(filtered("notSelectable", "=", "true"), "animal");
    assert_string_equal(filtered("display", "regex", "[A-D].*"),
                        "animal bird dodo cat");
    /* a regular expression is of the whole value */
    assert_string_equal(filtered("code", "regex", "a"), "");
    assert_string_equal(filtered("code", "regex", ".*a.*|dodo"),
                        "animal dodo eagle mammal hare cat");
}


static void
test_filters_that_are_wrong(void **state)
{
    add(ANIMALS);

    filtered("colour", "=", "red");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-supported'"));

    filtered("concept", "is-a", "fish");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'code-invalid'"));

    filtered("code", "regex", "(a");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'invalid'"));

    filtered("legs", "exists", "yes");
    assert_int_equal(called, HIE_UNPROCESSABLE);

    filtered("code", "like", "a");
    assert_int_equal(called, HIE_INVALID);
}


/* A pattern that backtracks without end costs its limit and no more. */
static void
test_regex_that_costs(void **state)
{
    add("{'resourceType':'CodeSystem','url':'urn:a','content':'complete',"
        "'concept':[{'code':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'"
        "}]}");

    filtered("code", "regex", "((a+)+)+[c-z]");
    assert_int_equal(called, HIE_TOO_COSTLY);
    assert_true(says("'code':'too-costly'"));
}


static void
test_include_and_exclude(void **state)
{
    add(ANIMALS);
    add(SET("urn:birds", "'include':[{'system':'urn:a','filter':[{"
            "'property':'concept','op':'is-a','value':'bird'}]}]"));
    add(SET("urn:eaters", "'include':[{'system':'urn:a','filter':[{"
            "'property':'eats','op':'exists','value':'true'}]}]"));
    add(SET("urn:both", "'include':[{'valueSet':['urn:birds',"
            "'urn:eaters']}]"));
    add(SET("urn:either", "'include':[{'valueSet':['urn:birds']},"
            "{'valueSet':['urn:eaters']}]"));
    add(SET("urn:listed", "'include':[{'system':'urn:a','concept':["
            "{'code':'cat','display':'Pussy cat'},{'code':'unicorn'},"
            "{'code':'eagle'}]},{'system':'urn:unknown','concept':["
            "{'code':'x','display':'X'}]}]"));
    add(SET("urn:less", "'include':[{'system':'urn:a'}],'exclude':["
            "{'valueSet':['urn:either']},{'system':'urn:a','concept':["
            "{'code':'hare'}]}]"));
    add(SET("urn:narrow", "'include':[{'system':'urn:a',"
            "'valueSet':['urn:eaters'],'filter':[{'property':'concept',"
            "'op':'is-a','value':'bird'}]}]"));
    /* what is taken out refers to the same value set as what is put in */
    add(SET("urn:none", "'include':[{'valueSet':['urn:birds']}],"
            "'exclude':[{'valueSet':['urn:both']},"
            "{'valueSet':['urn:birds','urn:either']}]"));

    assert_string_equal(expand("urn:both"), "eagle");
    assert_string_equal(expand("urn:either"), "bird dodo eagle cat");
    assert_string_equal(expand("urn:narrow"), "eagle");
    assert_string_equal(expand("urn:less"), "animal mammal");
    assert_string_equal(expand("urn:none"), "");
    assert_int_equal(called, HIE_OK);
    assert_true(says("'total':0"));

    /* a code that its complete system does not have is not in */
    assert_string_equal(expand("urn:listed"), "cat eagle x");
    assert_true(says("'code':'cat','display':'Pussy cat'"));
    assert_true(says("'code':'eagle','display':'Golden eagle'"));
    assert_true(says("'system':'urn:unknown','code':'x','display':'X'"));
    assert_true(says("{'name':'used-codesystem','valueUri':'urn:a|1'}"));
}


static void
test_not_known(void **state)
{
    add(ANIMALS);
    add(SET("urn:x", "'include':[{'system':'urn:missing'}]"));
    add(SET("urn:y", "'include':[{'valueSet':['urn:gone|3']}]"));
    add(SET("urn:z", "'include':[{'system':'urn:a','version':'2',"
            "'filter':[{'property':'code','op':'=','value':'cat'}]}]"));
    add("{'resourceType':'ValueSet','url':'urn:empty','status':'draft'}");

    expand("urn:nowhere");
    assert_int_equal(called, HIE_NOT_FOUND);
    assert_true(says("'code':'not-found'"));
    assert_true(says("urn:nowhere"));

    expand("urn:x");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-found'"));
    assert_true(says("urn:missing"));

    expand("urn:y");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("urn:gone|3"));

    expand("urn:z");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("urn:a|2"));

    expand("urn:empty");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'processing'"));

    call(hie_term_expand, "filter=x", NULL);
    assert_int_equal(called, HIE_INVALID);
    assert_true(says("'code':'required'"));

    call(hie_term_expand, "url=urn:x", "context=urn:c", NULL);
    assert_true(says("'code':'not-supported'"));
}


static void
test_cycles(void **state)
{
    const char  *list = "'include':[{'valueSet':['urn:c1']}]";
    int          i;

    add(ANIMALS);
    add(SET("urn:c1", "'include':[{'valueSet':['urn:c2']}]"));
    add(SET("urn:c2", "'include':[{'system':'urn:a'},"
            "{'valueSet':['urn:c1']}]"));
    add(SET("urn:self", "'include':[{'system':'urn:a'}],"
            "'exclude':[{'valueSet':['urn:self']}]"));

    expand("urn:c1");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'processing'"));
    assert_true(says("refers to itself"));

    expand("urn:self");
    assert_true(says("refers to itself"));

    /* a chain that is long, but ends; and one that is too long */
    add(SET("urn:n0", "'include':[{'system':'urn:a','concept':["
            "{'code':'cat'}]}]"));

    for (i = 1; i <= 45; i++) {
        list = apr_psprintf(pool, SET("urn:n%d",
                            "'include':[{'valueSet':['urn:n%d']}]"), i, i - 1);
        add(list);
    }

    assert_string_equal(expand("urn:n30"), "cat");
    expand("urn:n45");
    assert_int_equal(called, HIE_TOO_COSTLY);
}


/* Each value set names the one before twice: work doubles at every step. */
static void
test_work_is_bounded(void **state)
{
    int  i;

    add(ANIMALS);
    add(SET("urn:n0", "'include':[{'system':'urn:a'}]"));

    for (i = 1; i <= 30; i++) {
        add(apr_psprintf(pool, SET("urn:n%d",
                         "'include':[{'valueSet':['urn:n%d']},"
                         "{'valueSet':['urn:n%d']}]"), i, i - 1, i - 1));
    }

    assert_string_equal(expand("urn:n5"),
                        "animal bird dodo eagle mammal hare cat");
    request.limits.steps = 200000;
    expand("urn:n30");
    assert_int_equal(called, HIE_TOO_COSTLY);
    assert_true(says("'code':'too-costly'"));
}


static void
test_limits_and_pages(void **state)
{
    add(ANIMALS);
    request.limits.codes = 3;

    call(hie_term_expand, "url=urn:a:all", NULL);
    assert_int_equal(called, HIE_TOO_COSTLY);

    call(hie_term_expand, "url=urn:a:all", "count=2", NULL);
    assert_string_equal(codes(), "animal bird");
    assert_true(says("'total':7,'offset':0"));

    call(hie_term_expand, "url=urn:a:all", "count=2", "offset=5", NULL);
    assert_string_equal(codes(), "hare cat");
    assert_true(says("'total':7,'offset':5"));

    call(hie_term_expand, "url=urn:a:all", "count=100", "offset=0", NULL);
    assert_string_equal(codes(), "animal bird dodo");

    call(hie_term_expand, "url=urn:a:all", "count=0", NULL);
    assert_string_equal(codes(), "");
    assert_true(says("'total':7"));
    assert_false(says("'contains'"));

    call(hie_term_expand, "url=urn:a:all", "count=5", "offset=90", NULL);
    assert_string_equal(codes(), "");

    call(hie_term_expand, "url=urn:a:all", "count=-1", NULL);
    assert_int_equal(called, HIE_INVALID);

    call(hie_term_expand, "url=urn:a:all", "count=99999999999", NULL);
    assert_int_equal(called, HIE_INVALID);
}


static void
test_parameters(void **state)
{
    add(ANIMALS);

    call(hie_term_expand, "url=urn:a:all", "activeOnly=true",
         "excludeNotForUI=true", NULL);
    assert_string_equal(codes(), "bird eagle mammal hare cat");
    assert_true(says("{'name':'activeOnly','valueBoolean':true}"));

    call(hie_term_expand, "url=urn:a:all", "activeOnly=yes", NULL);
    assert_int_equal(called, HIE_INVALID);

    /* beginnings of words, in display, code and designations */
    call(hie_term_expand, "url=urn:a:all", "filter=eag GOLD", NULL);
    assert_string_equal(codes(), "eagle");
    call(hie_term_expand, "url=urn:a:all", "filter=agle", NULL);
    assert_string_equal(codes(), "");
    call(hie_term_expand, "url=urn:a:all", "filter=chrysaetos", NULL);
    assert_string_equal(codes(), "eagle");

    call(hie_term_expand, "url=urn:a:all", "displayLanguage=de", NULL);
    assert_true(says("'code':'eagle','display':'Steinadler'"));
    assert_true(says("'code':'cat','display':'Cat'"));
    assert_false(says("'designation'"));

    call(hie_term_expand, "url=urn:a:all", "includeDesignations=true", NULL);
    assert_true(says("'designation':[{'language':'de-AT',"
                     "'value':'Steinadler'},{'use':{'system':'urn:u',"
                     "'code':'latin'},'value':'Aquila"));

    call(hie_term_expand, "url=urn:a:all",
         "designation=urn:ietf:bcp:47|de", NULL);
    assert_true(says("'designation':[{'language':'de-AT',"
                     "'value':'Steinadler'}]"));
    call(hie_term_expand, "url=urn:a:all", "designation=urn:u|latin", NULL);
    assert_false(says("Steinadler"));
    assert_true(says("Aquila"));

    call(hie_term_expand, "url=urn:a:all", "exclude-system=urn:a", NULL);
    assert_string_equal(codes(), "");
    call(hie_term_expand, "url=urn:a:all", "exclude-system=urn:a|2", NULL);
    assert_string_equal(codes(), "animal bird dodo eagle mammal hare cat");
}


static void
test_nested(void **state)
{
    add(ANIMALS);
    add(SET("urn:some", "'include':[{'system':'urn:a','concept':["
            "{'code':'cat'},{'code':'dodo'},{'code':'animal'},"
            "{'code':'bird'}]}]"));

    call(hie_term_expand, "url=urn:a:all", "excludeNested=false", NULL);
    assert_string_equal(codes(), "animal(bird(dodo eagle) mammal(hare cat))");
    assert_true(says("'abstract':true,'code':'animal'"));
    assert_true(says("'inactive':true,'code':'dodo'"));

    /* mammal is not in: cat goes below what is */
    call(hie_term_expand, "url=urn:some", "excludeNested=false", NULL);
    assert_string_equal(codes(), "animal(cat bird(dodo))");

    call(hie_term_expand, "url=urn:some", "excludeNested=true", NULL);
    assert_string_equal(codes(), "cat dodo animal bird");
    call(hie_term_expand, "url=urn:some", "excludeNested=false", "count=9",
         NULL);
    assert_string_equal(codes(), "cat dodo animal bird");
}


static void
test_answer(void **state)
{
    const char  *first;

    add(ANIMALS);
    add("{'resourceType':'ValueSet','id':'v','url':'urn:v','version':'7',"
        "'name':'V','status':'active','text':{'status':'generated'},"
        "'description':'Some','compose':{'inactive':false,'include':["
        "{'system':'urn:a'}]}}");

    first = call(hie_term_expand, "url=urn:v", NULL);
    assert_string_equal(codes(), "animal bird eagle mammal hare cat");
    assert_true(says("{'resourceType':'ValueSet','url':'urn:v',"
                     "'version':'7','name':'V','status':'active',"
                     "'expansion':{'identifier':'urn:uuid:"));
    assert_true(says("'timestamp':'2026-01-01T00:00:00.000Z','total':6"));

    /* the same once more has the same identifier; another one another */
    assert_string_equal(call(hie_term_expand, "url=urn:v", NULL), first);
    assert_string_not_equal(strstr(first, "urn:uuid:"),
        strstr(call(hie_term_expand, "url=urn:v", "count=100", NULL),
               "urn:uuid:"));

    call(hie_term_expand, "url=urn:v|7", "includeDefinition=true", NULL);
    assert_true(says("'description':'Some'"));
    assert_true(says("'compose':{'inactive':false"));
    assert_false(says("generated"));

    call(hie_term_expand, "url=urn:v|8", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    call(hie_term_expand, "url=urn:v", "valueSetVersion=8", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
}


static void
test_versions(void **state)
{
    static const char  form[] =
        "{'resourceType':'CodeSystem','url':'urn:v','version':'%s',"
        "'content':'complete','concept':[{'code':'%s'}]}";

    add(apr_psprintf(pool, form, "9.2", "nine"));
    add(apr_psprintf(pool, form, "10.1", "ten"));
    add(apr_psprintf(pool, form, "10.1-draft", "draft"));
    add(SET("urn:any", "'include':[{'system':'urn:v'}]"));
    add(SET("urn:star", "'include':[{'system':'urn:v','version':'*'}]"));
    add(SET("urn:nine", "'include':[{'system':'urn:v','version':'9.2'}]"));

    assert_string_equal(expand("urn:any"), "draft");
    assert_string_equal(expand("urn:star"), "draft");
    assert_string_equal(expand("urn:nine"), "nine");

    call(hie_term_expand, "url=urn:any", "system-version=urn:v|10.1", NULL);
    assert_string_equal(codes(), "ten");
    assert_true(says("{'name':'used-codesystem','valueUri':'urn:v|10.1'}"));
    call(hie_term_expand, "url=urn:nine", "system-version=urn:v|10.1", NULL);
    assert_string_equal(codes(), "nine");
    call(hie_term_expand, "url=urn:nine", "force-system-version=urn:v|10.1",
         NULL);
    assert_string_equal(codes(), "ten");
    assert_true(says("'name':'force-system-version'"));
    call(hie_term_expand, "url=urn:nine", "check-system-version=urn:v|10.1",
         NULL);
    assert_int_equal(called, HIE_UNPROCESSABLE);
    call(hie_term_expand, "url=urn:nine", "check-system-version=urn:v|9.2",
         NULL);
    assert_string_equal(codes(), "nine");
}


static void
test_implicit(void **state)
{
    add(ANIMALS);

    assert_string_equal(expand("urn:a:all"),
                        "animal bird dodo eagle mammal hare cat");
    assert_string_equal(expand("urn:a?fhir_vs"),
                        "animal bird dodo eagle mammal hare cat");
    assert_true(says("'url':'urn:a?fhir_vs'"));
    assert_string_equal(expand("urn:a?fhir_vs=isa/mammal"),
                        "mammal hare cat");

    expand("urn:a?fhir_vs=ecl/x");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-supported'"));
    expand("urn:b?fhir_vs");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-found'"));
}


static void
test_stored_expansion(void **state)
{
    static const char  contains[] =
        "'expansion':{'timestamp':'2020-01-01','contains':["
        "{'display':'heading','contains':[{'system':'urn:s','code':'p',"
        "'display':'P','version':'3'}]},{'system':'urn:t','code':'p'},"
        "{'system':'urn:t','code':'q','inactive':true}]}";

    add(ANIMALS);
    add(apr_psprintf(pool, "{'resourceType':'ValueSet','url':'urn:e',"
                     "'status':'active',%s}", contains));
    add(apr_psprintf(pool, "{'resourceType':'ValueSet','url':'urn:f',"
                     "'status':'active','compose':{'include':["
                     "{'system':'urn:missing'}]},%s}", contains));
    add(apr_psprintf(pool, "{'resourceType':'ValueSet','url':'urn:g',"
                     "'status':'active','compose':{'include':["
                     "{'system':'urn:a','filter':[{'property':'legs',"
                     "'op':'=','value':'4'}]}]},%s}", contains));
    add("{'resourceType':'ValueSet','url':'urn:page','expansion':{"
        "'offset':10,'contains':[{'system':'urn:s','code':'p'}]}}");
    add("{'resourceType':'ValueSet','url':'urn:open','expansion':{"
        "'extension':[{'url':'http://hl7.org/fhir/StructureDefinition/"
        "valueset-unclosed','valueBoolean':true}],"
        "'contains':[{'system':'urn:s','code':'p'}]}}");

    assert_string_equal(expand("urn:e"), "p p q");
    assert_true(says("'system':'urn:s','version':'3','code':'p',"
                     "'display':'P'"));
    assert_true(says("'system':'urn:t','inactive':true,'code':'q'"));

    /* in place of a compose whose code system is not known; otherwise not */
    assert_string_equal(expand("urn:f"), "p p q");
    assert_string_equal(expand("urn:g"), "hare cat");

    expand("urn:page");
    assert_int_equal(called, HIE_UNPROCESSABLE);

    assert_string_equal(expand("urn:open"), "p");
    assert_true(says("valueset-unclosed"));
}


static void
test_contents(void **state)
{
    static const char  form[] =
        "{'resourceType':'CodeSystem','url':'urn:%s','content':'%s',"
        "'concept':[{'code':'a'}]}";
    static const char *const  contents[] = { "fragment", "example",
                                             "not-present" };
    size_t                    i;

    for (i = 0; i < 3; i++) {
        add(apr_psprintf(pool, form, contents[i], contents[i]));
        add(apr_psprintf(pool, SET("urn:all-%s", "'include':[{"
                         "'system':'urn:%s'}]"), contents[i], contents[i]));
        add(apr_psprintf(pool, SET("urn:list-%s", "'include':[{"
                         "'system':'urn:%s','concept':[{'code':'b'}]}]"),
                         contents[i], contents[i]));
    }

    assert_string_equal(expand("urn:all-fragment"), "a");
    assert_true(says("valueset-unclosed"));
    assert_string_equal(expand("urn:all-example"), "a");
    expand("urn:all-not-present");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-found'"));
    assert_string_equal(expand("urn:list-fragment"), "b");
    assert_string_equal(expand("urn:list-not-present"), "b");
}


static void
test_supplement(void **state)
{
    add(ANIMALS);
    add("{'resourceType':'CodeSystem','url':'urn:nl','content':'supplement',"
        "'supplements':'urn:a','language':'nl','concept':[{'code':'cat',"
        "'display':'Kat','designation':[{'language':'fr',"
        "'value':'Chat'}]}]}");
    add("{'resourceType':'ValueSet','url':'urn:v','extension':[{'url':"
        "'http://hl7.org/fhir/StructureDefinition/valueset-supplement',"
        "'valueCanonical':'urn:nl'}],'compose':{'include':[{"
        "'system':'urn:a','concept':[{'code':'cat'}]}]}}");
    add("{'resourceType':'ValueSet','url':'urn:w','extension':[{'url':"
        "'http://hl7.org/fhir/StructureDefinition/valueset-supplement',"
        "'valueCanonical':'urn:gone'}],'compose':{'include':[{"
        "'system':'urn:a','concept':[{'code':'cat'}]}]}}");
    add(SET("urn:s", "'include':[{'system':'urn:nl'}]"));

    call(hie_term_expand, "url=urn:v", "displayLanguage=nl", NULL);
    assert_true(says("'display':'Kat'"));
    call(hie_term_expand, "url=urn:v", "displayLanguage=fr", NULL);
    assert_true(says("'display':'Chat'"));
    call(hie_term_expand, "url=urn:a:all", "displayLanguage=nl", NULL);
    assert_false(says("'Kat'"));
    call(hie_term_expand, "url=urn:a:all", "displayLanguage=nl",
         "useSupplement=urn:nl", NULL);
    assert_true(says("'display':'Kat'"));

    expand("urn:w");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("urn:gone"));
    expand("urn:s");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    call(hie_term_expand, "url=urn:a:all", "useSupplement=urn:a", NULL);
    assert_int_equal(called, HIE_UNPROCESSABLE);
}


static void
test_brought_along(void **state)
{
    add(ANIMALS);

    /* contained, by id and by URL */
    call(hie_term_expand, "valueSet:={'resourceType':'ValueSet',"
         "'contained':[{'resourceType':'ValueSet','id':'in','compose':{"
         "'include':[{'system':'urn:inner'}]}},"
         "{'resourceType':'CodeSystem','id':'cs','url':'urn:inner',"
         "'content':'complete','concept':[{'code':'i'}]}],"
         "'compose':{'include':[{'system':'urn:inner'}]}}", NULL);
    assert_string_equal(codes(), "i");

    call(hie_term_expand, "valueSet:={'resourceType':'ValueSet',"
         "'contained':[{'resourceType':'ValueSet','id':'in','compose':{"
         "'include':[{'system':'urn:a','concept':[{'code':'cat'}]}]}}],"
         "'compose':{'include':[{'valueSet':['#in']}]}}", NULL);
    assert_string_equal(codes(), "cat");

    /* with the request */
    call(hie_term_expand, "url=urn:mine", "tx-resource:="
         SET("urn:mine", "'include':[{'system':'urn:mine-too'},"
             "{'system':'urn:a','concept':[{'code':'cat'}]}]"),
         "tx-resource:={'resourceType':'CodeSystem','url':'urn:mine-too',"
         "'content':'complete','concept':[{'code':'m'}]}", NULL);
    assert_string_equal(codes(), "m cat");

    call(hie_term_expand, "valueSet:=" ANIMALS, NULL);
    assert_int_equal(called, HIE_INVALID);
    call(hie_term_expand, "valueSet:={'resourceType':'Patient'}", NULL);
    assert_int_equal(called, HIE_INVALID);

    request.instance = add(SET("urn:inst", "'include':[{'system':'urn:a',"
                               "'concept':[{'code':'dodo'}]}]"));
    call(hie_term_expand, "filter=do", NULL);
    assert_string_equal(codes(), "dodo");
}


static void
test_large(void **state)
{
    hie_buf_t           b;
    hie_doc_t          *d;
    const hie_term_t   *t;
    int                 i;

    hie_buf_init(&b, pool, 1 << 20);
    hie_buf_addz(&b, "{\"resourceType\":\"CodeSystem\",\"url\":\"urn:big\","
                 "\"content\":\"complete\",\"valueSet\":\"urn:big:all\","
                 "\"concept\":[{\"code\":\"0\"}");

    /* a chain of parents, which must not become a chain of calls */
    for (i = 1; i < 50000; i++) {
        hie_buf_addf(&b, ",{\"code\":\"%d\",\"property\":[{\"code\":"
                     "\"parent\",\"valueCode\":\"%d\"}]}", i, i - 1);
    }

    hie_buf_addz(&b, "]}");
    assert_int_equal(hie_doc_parse(pool, hie_buf_str(&b), 40, &d, &err),
                     HIE_OK);
    assert_int_equal(hie_term_compile(pool, d, 0, &t, &err), HIE_OK);
    assert_true(hie_term_bytes(t) > 50000);
    hie_term_set_add(terms, t);

    expand("urn:big:all");
    assert_int_equal(called, HIE_TOO_COSTLY);
    call(hie_term_expand, "url=urn:big:all", "count=3", "offset=49998",
         NULL);
    assert_string_equal(codes(), "49998 49999");
    assert_string_equal(expand("urn:big?fhir_vs=isa/49997"),
                        "49997 49998 49999");

    request.limits.codes = 100000;
    call(hie_term_expand, "url=urn:big:all", "excludeNested=false", NULL);
    assert_int_equal(called, HIE_OK);
    assert_true(says("'total':50000"));
    assert_false(says("'code':'31','contains'"));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, tool_set_up, tool_tear_down)
    const struct CMUnitTest  tests[] = {
        TEST(test_filters),
        TEST(test_filters_that_are_wrong),
        TEST(test_regex_that_costs),
        TEST(test_include_and_exclude),
        TEST(test_not_known),
        TEST(test_cycles),
        TEST(test_work_is_bounded),
        TEST(test_limits_and_pages),
        TEST(test_parameters),
        TEST(test_nested),
        TEST(test_answer),
        TEST(test_versions),
        TEST(test_implicit),
        TEST(test_stored_expansion),
        TEST(test_contents),
        TEST(test_supplement),
        TEST(test_brought_along),
        TEST(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
