/*
 * $translate by concept maps.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "terminology_tool.h"

#define MAP                                                                  \
    "{'resourceType':'ConceptMap','url':'urn:m','version':'2',"              \
    "'sourceUri':'urn:vs-from','targetCanonical':'urn:vs-to','group':[{"     \
    "'source':'urn:f','target':'urn:t','targetVersion':'5','element':["      \
    "{'code':'b','target':[{'code':'B1','display':'Bee',"                    \
    "'equivalence':'wider'},{'code':'B2','equivalence':'equivalent',"        \
    "'dependsOn':[{'property':'urn:sex','system':'urn:g','value':'f'}],"     \
    "'product':[{'property':'urn:q','system':'urn:qs','value':'v',"          \
    "'display':'V'}]}]},"                                                    \
    "{'code':'a','target':[{'code':'A','equivalence':'equal'}]},"            \
    "{'code':'n','target':[{'equivalence':'unmatched'}]},"                   \
    "{'code':'none'}],"                                                      \
    "'unmapped':{'mode':'fixed','code':'OTHER','display':'Other'}},"         \
    "{'source':'urn:g','target':'urn:t','element':["                         \
    "{'code':'g','target':[{'code':'A','equivalence':'specializes'}]}],"     \
    "'unmapped':{'mode':'provided'}},"                                       \
    "{'source':'urn:h','target':'urn:t','element':["                         \
    "{'code':'h','target':[{'code':'H','equivalence':'relatedto'}]}],"       \
    "'unmapped':{'mode':'other-map','url':'urn:m2'}}]}"

#define TRANSLATE(...)                                                       \
    call(hie_term_translate, "url=urn:m", __VA_ARGS__, NULL)


static void
test_forward(void **state)
{
    add(MAP);

    TRANSLATE("code=a", "system=urn:f");
    assert_string_equal(call(hie_term_translate, "url=urn:m", "code=a",
                             "system=urn:f", NULL),
        json("{'resourceType':'Parameters','parameter':[{'name':'result',"
             "'valueBoolean':true},{'name':'match','part':["
             "{'name':'equivalence','valueCode':'equal'},"
             "{'name':'concept','valueCoding':{'system':'urn:t',"
             "'version':'5','code':'A'}},{'name':'source',"
             "'valueUri':'urn:m|2'}]}]}").ptr);

    /* known to have no match */
    TRANSLATE("code=n", "system=urn:f");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("'valueCode':'unmatched'"));
    assert_false(says("OTHER"));

    TRANSLATE("code=none", "system=urn:f");
    assert_true(says("'valueBoolean':false"));
    assert_false(says("'match'"));

    TRANSLATE("code=a", "system=urn:elsewhere");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("there is no mapping"));

    TRANSLATE("coding:={'system':'urn:f','code':'a'}", "targetsystem=urn:t");
    assert_true(says("'valueBoolean':true"));
    TRANSLATE("coding:={'system':'urn:f','code':'a'}", "targetsystem=urn:u");
    assert_true(says("'valueBoolean':false"));
    TRANSLATE("codeableConcept:={'coding':[{'system':'urn:f','code':'a'},"
              "{'system':'urn:g','code':'g'}]}");
    assert_true(says("'valueCode':'equal'"));
    assert_true(says("'valueCode':'specializes'"));

    TRANSLATE("system=urn:f");
    assert_int_equal(called, HIE_INVALID);
    call(hie_term_translate, "url=urn:x", "code=a", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    TRANSLATE("code=a", "conceptMapVersion=3");
    assert_int_equal(called, HIE_NOT_FOUND);
}


static void
test_dependencies(void **state)
{
    add(MAP);

    TRANSLATE("code=b", "system=urn:f");
    assert_true(says("'B1'"));
    assert_false(says("'B2'"));
    assert_true(says("parameter dependency"));

#define DEPENDENCY(code)                                                     \
    "dependency:={'name':'dependency','part':[{'name':'element',"            \
    "'valueUri':'urn:sex'},{'name':'concept','valueCodeableConcept':{"       \
    "'coding':[{'system':'urn:g','code':'" code "'}]}}]}"

    TRANSLATE("code=b", "system=urn:f", DEPENDENCY("m"));
    assert_false(says("'B2'"));

    TRANSLATE("code=b", "system=urn:f", DEPENDENCY("f"));
    assert_true(says("'B2'"));
    assert_false(says("'message'"));
    assert_true(says("{'name':'product','part':[{'name':'element',"
                     "'valueUri':'urn:q'},{'name':'concept','valueCoding':"
                     "{'system':'urn:qs','code':'v','display':'V'}}]}"));
}


static void
test_unmapped(void **state)
{
    add(MAP);
    add("{'resourceType':'ConceptMap','url':'urn:m2','group':[{"
        "'source':'urn:h','target':'urn:t2','element':[{'code':'i',"
        "'target':[{'code':'I','equivalence':'equal'}]}]}]}");

    TRANSLATE("code=zz", "system=urn:f");
    assert_true(says("'valueCode':'inexact'"));
    assert_true(says("'code':'OTHER','display':'Other'"));

    TRANSLATE("code=zz", "system=urn:g");
    assert_true(says("'valueCode':'equal'"));
    assert_true(says("'system':'urn:t','code':'zz'"));

    TRANSLATE("code=i", "system=urn:h");
    assert_true(says("'system':'urn:t2','code':'I'"));
    assert_true(says("'valueUri':'urn:m2'"));
    TRANSLATE("code=h", "system=urn:h");
    assert_false(says("urn:m2"));
}


static void
test_unmapped_in_a_circle(void **state)
{
    add(MAP);

    TRANSLATE("code=i", "system=urn:h");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-found'"));
    assert_true(says("urn:m2"));

    add("{'resourceType':'ConceptMap','url':'urn:m2','group':[{"
        "'source':'urn:h','element':[],'unmapped':{'mode':'other-map',"
        "'url':'urn:m'}}]}");
    TRANSLATE("code=i", "system=urn:h");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("in a circle"));

    /* two ways at every step */
    add("{'resourceType':'ConceptMap','url':'urn:m3','group':[{"
        "'source':'urn:h','unmapped':{'mode':'other-map','url':'urn:m3'}},"
        "{'source':'urn:h','unmapped':{'mode':'other-map',"
        "'url':'urn:m3'}}]}");
    call(hie_term_translate, "url=urn:m3", "code=i", "system=urn:h", NULL);
    assert_int_equal(called, HIE_UNPROCESSABLE);
}


static void
test_reverse(void **state)
{
    add(MAP);

    TRANSLATE("code=A", "system=urn:t", "reverse=true");
    assert_true(says("'valueCode':'equal'"));
    assert_true(says("'system':'urn:f','code':'a'"));
    assert_true(says("'valueCode':'subsumes'"));
    assert_true(says("'system':'urn:g','code':'g'"));

    TRANSLATE("code=B1", "system=urn:t", "reverse=true");
    assert_true(says("'valueCode':'narrower'"));
    TRANSLATE("code=a", "system=urn:f", "reverse=true");
    assert_true(says("'valueBoolean':false"));
    TRANSLATE("code=a", "system=urn:f", "reverse=1");
    assert_int_equal(called, HIE_INVALID);
}


static void
test_maps_that_are_not_named(void **state)
{
    add(MAP);
    add("{'resourceType':'ConceptMap','url':'urn:k','sourceUri':'urn:vs-2',"
        "'group':[{'source':'urn:f','target':'urn:k','element':[{"
        "'code':'a','target':[{'code':'K','equivalence':'equal'}]}]}]}");

    call(hie_term_translate, "code=a", "system=urn:f", NULL);
    assert_true(says("'A'"));
    assert_true(says("'K'"));
    call(hie_term_translate, "code=a", "system=urn:f", "source=urn:vs-2",
         NULL);
    assert_false(says("'A'"));
    assert_true(says("'K'"));
    call(hie_term_translate, "code=a", "system=urn:f", "target=urn:vs-to",
         NULL);
    assert_true(says("'A'"));
    assert_false(says("'K'"));

    call(hie_term_translate, "code=x", "system=urn:f", "conceptMap:="
         "{'resourceType':'ConceptMap','group':[{'element':[{'code':'x',"
         "'target':[{'code':'X','equivalence':'equal'}]}]}]}", NULL);
    assert_true(says("'X'"));

    request.instance = add(MAP);
    call(hie_term_translate, "code=a", "system=urn:f", NULL);
    assert_false(says("'K'"));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, tool_set_up, tool_tear_down)
    const struct CMUnitTest  tests[] = {
        TEST(test_forward),
        TEST(test_dependencies),
        TEST(test_unmapped),
        TEST(test_unmapped_in_a_circle),
        TEST(test_reverse),
        TEST(test_maps_that_are_not_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
