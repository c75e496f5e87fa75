/*
 * Invariants: those of R4 compile and say what they should; what is decided
 * without the engine is decided as by it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "fhirpath/fhirpath.h"
#include "validation/guard.h"
#include "validation/private.h"
#include "validation_tool.h"

#define FLAGS  HIE_VALIDATE_INVARIANTS

typedef struct {
    const char  *text;
    const char  *issues;
} row_t;


static void
compile_list(hie_type_t type, uint16_t first, uint16_t n)
{
    hie_fhirpath_options_t   options = { .context = type };
    const hie_rule_t        *rule;
    hie_fhirpath_t          *program;
    hie_error_t              err;
    uint16_t                 i;

    for (i = 0; i < n; i++) {
        rule = &hie_rules[hie_rule_lists[first + i]];
        if (hie_fhirpath_compile(tool_pool, hie_str(rule->expression),
                                 &options, &program, &err) != HIE_OK)
        {
            fail_msg("%s: %s: %s", rule->key, err.where, err.detail);
        }
    }
}


static void
test_all_compile(void **state)
{
    const hie_element_t  *e;
    size_t                t;

    for (t = 1; t < hie_n_types; t++) {
        compile_list((hie_type_t) t, hie_types[t].first_rule,
                     hie_types[t].n_rules);
    }

    for (t = 0; t < hie_n_elements; t++) {
        e = &hie_elements[t];
        compile_list(e->type, e->first_rule, e->n_rules);
    }
}


static void
test_rules(void **state)
{
    static const row_t  rows[] = {
        { "{'resourceType':'Patient','contact':[{'gender':'male'},"
          "{'name':{'text':'a'}}]}", "invariant Patient.contact[0] (pat-1)" },
        { "{'resourceType':'Patient','extension':[{'url':'http://a'}]}",
          "invariant Patient.extension[0] (ext-1)" },
        { "{'resourceType':'Patient','extension':[{'url':'http://a',"
          "'valueCode':'a','extension':[{'url':'b','valueCode':'c'}]}]}",
          "invariant Patient.extension[0] (ext-1)" },
        { "{'resourceType':'Patient','identifier':[{'period':{"
          "'start':'2020','end':'2019'}}]}",
          "invariant Patient.identifier[0].period (per-1)" },
        /* of two precisions: not known, so no violation */
        { "{'resourceType':'Patient','identifier':[{'period':{"
          "'start':'2020-02','end':'2020'}},{'period':{"
          "'start':'2020-02','end':'2019'}}]}",
          "invariant Patient.identifier[1].period (per-1)" },
        { "{'resourceType':'Patient','identifier':[{'period':{"
          "'start':'2020-01-01T10:00:00+02:00',"
          "'end':'2020-01-01T09:00:00Z'}},{'period':{"
          "'start':'2020-01-01T10:00:00+02:00',"
          "'end':'2020-01-01T07:59:59Z'}}]}",
          "invariant Patient.identifier[1].period (per-1)" },
        { "{'resourceType':'Patient','telecom':[{'value':'1'}]}",
          "invariant Patient.telecom[0] (cpt-2)" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueQuantity':{'value':1,'code':'g'}}",
          "invariant Observation.value (qty-3)" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'valueQuantity':{'value':1},'dataAbsentReason':{'text':'b'}}",
          "invariant Observation (obs-6)" },
        { "{'resourceType':'Observation','status':'final','code':{'coding':"
          "[{'system':'http://a','code':'b'}]},'valueString':'c',"
          "'component':[{'code':{'coding':[{'system':'http://a','code':'b'}]}"
          "}]}", "invariant Observation (obs-7)" },
        { "{'resourceType':'Observation','status':'final','code':{'text':'a'}"
          ",'referenceRange':[{'low':{'value':1,'comparator':'<'}},"
          "{'age':{'low':{'value':1}}}]}",
          "invariant Observation.referenceRange[0].low (sqty-1)\n"
          "invariant Observation.referenceRange[1] (obs-3)" },
        { "{'resourceType':'Questionnaire','status':'draft','item':["
          "{'linkId':'1','type':'group'},"
          "{'linkId':'2','type':'boolean','enableWhen':[{'question':'1',"
          "'operator':'exists','answerBoolean':true},{'question':'1',"
          "'operator':'exists','answerInteger':1}],'enableBehavior':'any'}]}",
          "invariant Questionnaire.item[0] (que-1)\n"
          "invariant Questionnaire.item[1].enableWhen[1] (que-7)" },
        { "{'resourceType':'Questionnaire','name':'a b','status':'draft'}",
          "warning invariant Questionnaire (que-0)" },
        { "{'resourceType':'Bundle','type':'transaction','entry':["
          "{'resource':{'resourceType':'Basic','code':{'text':'a'}}}]}",
          "invariant Bundle (bdl-3)" },
        { "{'resourceType':'Bundle','type':'collection','total':1,'entry':["
          "{'fullUrl':'http://a/Basic/1'},"
          "{'fullUrl':'http://a/Basic/1/_history/1','resource':"
          "{'resourceType':'Basic','code':{'text':'a'}}}]}",
          "invariant Bundle (bdl-1)\n"
          "invariant Bundle.entry[0] (bdl-5)\n"
          "invariant Bundle.entry[1] (bdl-8)" },
        { "{'resourceType':'Bundle','type':'collection','entry':["
          "{'fullUrl':'urn:x:1','resource':{'resourceType':'Basic',"
          "'code':{'text':'a'}}},{'fullUrl':'urn:x:1','resource':"
          "{'resourceType':'Basic','code':{'text':'a'}}}]}",
          "invariant Bundle (bdl-7)" },
        { "{'resourceType':'Bundle','type':'document','timestamp':"
          "'2020-01-01T00:00:00Z','identifier':{'system':'http://a',"
          "'value':'b'},'entry':[{'fullUrl':'urn:x:1','resource':"
          "{'resourceType':'Basic','code':{'text':'a'}}}]}",
          "invariant Bundle (bdl-11)" },
        { "{'resourceType':'Patient','text':{'status':'generated','div':"
          "'<div xmlns=\\'http://www.w3.org/1999/xhtml\\'>a</div>'}}", "" },
        { "{'resourceType':'Patient','text':{'status':'generated','div':"
          "'<div xmlns=\\'http://www.w3.org/1999/xhtml\\'><script>a</script>"
          "</div>'}}", "invariant Patient.text.div (txt-1)" },
        { "{'resourceType':'Patient','text':{'status':'generated','div':"
          "'<div xmlns=\\'http://www.w3.org/1999/xhtml\\'> </div>'}}",
          "invariant Patient.text.div (txt-2)" },
        { "{'resourceType':'Patient','text':{'status':'generated','div':"
          "'a'}}", "invariant Patient.text.div (txt-1)" },
        { "{'resourceType':'Patient','text':{'status':'generated','div':"
          "''}}", "value Patient.text.div" },
        /* %resource is the resource in the entry, not the Bundle */
        { "{'resourceType':'Bundle','type':'collection','entry':["
          "{'resource':{'resourceType':'Observation','status':'final',"
          "'code':{'text':'a'},'dataAbsentReason':{'text':'b'},"
          "'valueString':'c'}}]}",
          "invariant Bundle.entry[0].resource (obs-6)" },
    };
    hie_validator_t    *v = hie_validator_create(tool_pool, NULL);
    char               *found;
    size_t              i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        found = tool_issues(v, tool_json(rows[i].text), FLAGS);
        if (strcmp(found, rows[i].issues) != 0) {
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", rows[i].text,
                     rows[i].issues, found);
        }
    }
}


static void
test_best_practice(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    char             *text = tool_json("{'resourceType':'Patient'}");

    expect_issues(v, FLAGS, text, "");
    expect_issues(v, FLAGS | HIE_VALIDATE_BEST_PRACTICE, text,
                  "warning invariant Patient (dom-6)");
    expect_issues(v, 0, tool_json("{'resourceType':'Patient','contact':"
                                  "[{'gender':'male'}]}"), "");
}


/*
 * What is native: as many issues as there are values of which the engine says
 * that the rule is broken.
 */
static const struct {
    const char  *key;
    const char  *focus;          /* FHIRPath of the values it is about */
    const char  *text;
} natives[] = {
    { "ele-1", "Patient.name",
      "{'resourceType':'Patient','name':[{'id':'a'},{'family':'b'},"
      "{'id':'c','use':'usual'},{'_family':{'extension':[{'url':'http://a',"
      "'valueCode':'b'}]}}]}" },
    { "ele-1", "Patient.birthDate",
      "{'resourceType':'Patient','_birthDate':{'id':'a'}}" },
    { "ele-1", "Patient.birthDate",
      "{'resourceType':'Patient','birthDate':'2000',"
      "'_birthDate':{'id':'a'}}" },
    { "ele-1", "Patient.name.given",
      "{'resourceType':'Patient','name':[{'given':['a',null],"
      "'_given':[null,{'id':'b'}]}]}" },
    { "dom-2", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#a'},"
      "'contained':[{'resourceType':'Organization','id':'a','contained':"
      "[{'resourceType':'Basic','id':'b','code':{'text':'c'}}]}]}" },
    { "dom-3", "Patient",
      "{'resourceType':'Patient','contained':"
      "[{'resourceType':'Organization','id':'a'}]}" },
    { "dom-3", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#a'},"
      "'contained':[{'resourceType':'Organization','id':'a'}]}" },
    { "dom-3", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#b'},"
      "'contained':[{'resourceType':'Organization','id':'a'}]}" },
    { "dom-3", "Patient",
      "{'resourceType':'Patient','contained':[{'resourceType':'Observation',"
      "'id':'a','status':'final','code':{'text':'b'},"
      "'subject':{'reference':'#'}}]}" },
    { "dom-3", "PlanDefinition",
      "{'resourceType':'PlanDefinition','status':'draft','library':['#a'],"
      "'contained':[{'resourceType':'Library','id':'a'}]}" },
    { "dom-3", "PlanDefinition",
      "{'resourceType':'PlanDefinition','status':'draft','library':['#b'],"
      "'contained':[{'resourceType':'Library','id':'a'}]}" },
    { "dom-4", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#a'},"
      "'contained':[{'resourceType':'Organization','id':'a',"
      "'meta':{'lastUpdated':'2020-01-01T00:00:00Z'}}]}" },
    { "dom-4", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#a'},"
      "'contained':[{'resourceType':'Organization','id':'a',"
      "'meta':{'source':'http://a'}}]}" },
    { "dom-5", "Patient",
      "{'resourceType':'Patient','managingOrganization':{'reference':'#a'},"
      "'contained':[{'resourceType':'Organization','id':'a',"
      "'meta':{'security':[{'code':'R'}]}}]}" },
    { "ref-1", "Patient.generalPractitioner",
      "{'resourceType':'Patient','generalPractitioner':["
      "{'reference':'#a'},{'reference':'#b'},{'reference':'Practitioner/1'},"
      "{'display':'c'}],'contained':"
      "[{'resourceType':'Practitioner','id':'a'}]}" },
};


static int
count_by_engine(const hie_doc_t *d, const char *key, const char *focus)
{
    hie_fhirpath_env_t    env = { .pool = tool_pool };
    hie_fhirpath_item_t   top = hie_fhirpath_resource(d, 0);
    hie_fhirpath_t       *path, *rule = NULL;
    hie_fhirpath_truth_t  truth;
    hie_fhirpath_list_t   list;
    size_t                i;
    int                   n = 0;

    for (i = 0; i < hie_n_rules && rule == NULL; i++) {
        if (strcmp(hie_rules[i].key, key) == 0) {
            hie_fhirpath_compile(tool_pool, hie_str(hie_rules[i].expression),
                                 NULL, &rule, NULL);
        }
    }

    assert_non_null(rule);
    assert_int_equal(hie_fhirpath_compile(tool_pool, hie_str(focus), NULL,
                                          &path, NULL), HIE_OK);
    env.resource = top;
    assert_int_equal(hie_fhirpath_eval(path, &env, &top, &list, NULL),
                     HIE_OK);
    assert_true(list.n > 0);

    for (i = 0; i < list.n; i++) {
        assert_int_equal(hie_fhirpath_test(rule, &env, &list.items[i],
                                           &truth, NULL), HIE_OK);
        n += truth == HIE_FHIRPATH_FALSE;
    }

    return n;
}


static void
test_natives(void **state)
{
    hie_validator_t        *v = hie_validator_create(tool_pool, NULL);
    hie_validate_options_t  options = { .flags = FLAGS };
    hie_issues_t            issues;
    hie_doc_t              *d;
    size_t                  i;
    int                     k, found, expected;

    for (i = 0; i < sizeof(natives) / sizeof(natives[0]); i++) {
        d = tool_parse(tool_json(natives[i].text));
        hie_validate(v, d, 0, &options, tool_pool, &issues, NULL);

        for (k = 0, found = 0; k < issues.n; k++) {
            found += hie_str_eqz(issues.issues[k].rule, natives[i].key);
        }

        expected = count_by_engine(d, natives[i].key, natives[i].focus);
        if (found != expected) {
            fail_msg("%s: %s\nby the engine %d, natively %d", natives[i].key,
                     natives[i].text, expected, found);
        }
    }
}


/*
 * Guards. The expression, and the presences (of the elements of HumanName by
 * their first letters, as below) under which it needs no evaluation.
 */
static uint64_t
presence(const char *elements)
{
    static const struct {
        char         letter;
        const char  *name;
    } names[] = {
        { 'f', "family" }, { 'g', "given" }, { 'p', "prefix" },
        { 't', "text" }
    };
    uint64_t  seen = 0;
    size_t    i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strchr(elements, names[i].letter) != NULL) {
            seen |= UINT64_C(1) << hie_element_find(
                HIE_TYPE_HumanName, hie_str(names[i].name))->order;
        }
    }

    return seen;
}


static bool
holds(const char *expression, const char *elements)
{
    uint64_t  seen = presence(elements);
    guard_t   g;
    int       i;

    hie_guard_make(HIE_TYPE_HumanName, expression, &g);
    for (i = 0; i < g.n; i++) {
        if ((g.terms[i].there & ~seen) == 0
            && (g.terms[i].absent & seen) == 0)
        {
            return true;
        }
    }

    return false;
}


static void
test_guards(void **state)
{
    assert_true(holds("family.exists()", "f"));
    assert_false(holds("family.exists()", "g"));
    assert_true(holds("family.empty()", ""));
    assert_false(holds("family.empty()", "f"));
    assert_true(holds("family.exists().not()", ""));
    assert_true(holds("family.exists() or given.exists()", "g"));
    assert_false(holds("family.exists() or given.exists()", "t"));
    assert_false(holds("family.exists() and given.exists()", "g"));
    assert_true(holds("family.exists() and given.exists()", "fg"));
    assert_true(holds("family.exists() implies given.exists()", ""));
    assert_false(holds("family.exists() implies given.exists()", "f"));
    assert_true(holds("family.exists() implies given.exists()", "fg"));
    assert_true(holds("family.exists() xor given.exists()", "f"));
    assert_false(holds("family.exists() xor given.exists()", "fg"));
    assert_false(holds("family.exists() xor given.exists()", ""));
    assert_true(holds("family.exists() = given.exists()", ""));
    assert_true(holds("family.exists() != given.exists()", "g"));

    /* deeper, with conditions, or by value: only absence says anything */
    assert_false(holds("family.extension.exists()", "f"));
    assert_true(holds("family.extension.empty()", "g"));
    assert_false(holds("given.where($this = 'a').exists()", "g"));
    assert_true(holds("given.where($this = 'a').empty()", "f"));
    assert_false(holds("given.exists($this = 'a)')", "g"));
    assert_true(holds("given.all($this = 'a')", "f"));
    assert_true(holds("family.hasValue().not() or (family = 'a')", "g"));
    assert_false(holds("family.hasValue()", "f"));
    assert_true(holds("family.matches('a')", ""));
    assert_false(holds("family.matches('a')", "f"));
    assert_true(holds("given.isDistinct()", ""));
    assert_true(holds("HumanName.family.empty()", "g"));
    assert_true(holds("(family | given).empty()", ""));
    assert_false(holds("(family | given).empty()", "g"));
    assert_true(holds("`family`.empty()", ""));

    /* and binds before or, implies last */
    assert_true(holds("family.empty() or given.exists() and text.exists()",
                      ""));
    assert_false(holds("family.exists() or given.exists() and text.exists()",
                       "g"));
    assert_true(holds("family.exists() and given.exists() implies "
                      "text.exists()", "g"));

    /* not understood: nothing is said */
    assert_false(holds("count() = 0", ""));
    assert_false(holds("given.count() < 2", "g"));
    assert_false(holds("family.exists() or", "f"));
    assert_false(holds("family.exists() )", "f"));
    assert_false(holds("(family.exists()", "f"));
    assert_false(holds("family.exists('", "f"));
    assert_false(holds("", "f"));
    assert_false(holds("%resource.family.empty()", ""));
    assert_false(holds("$this.family.empty()", "f"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_all_compile),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_best_practice),
        cmocka_unit_test(test_natives),
        cmocka_unit_test(test_guards),
    };

    return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
