/*
 * Profiles, and the value sets that are added for them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "validation_tool.h"

#define FLAGS  (HIE_VALIDATE_WRITE | HIE_VALIDATE_UNKNOWN)


/* A profile of `type` named http://p/<name>, of elements in ' for ". */
static const char *
profile(const char *name, const char *type, const char *elements)
{
    return apr_psprintf(tool_pool, "{'resourceType':'StructureDefinition',"
                        "'url':'http://p/%s','type':'%s',"
                        "'derivation':'constraint','snapshot':{'element':["
                        "{'id':'%s','path':'%s'}%s%s]}}", name, type, type,
                        type, *elements != '\0' ? "," : "", elements);
}


/* A profile with a differential only. */
static const char *
derived(const char *name, const char *type, const char *base,
        const char *elements)
{
    return apr_psprintf(tool_pool, "{'resourceType':'StructureDefinition',"
                        "'url':'http://p/%s','type':'%s',"
                        "'derivation':'constraint','baseDefinition':'%s',"
                        "'differential':{'element':[%s]}}", name, type, base,
                        elements);
}


#define R4  "http://hl7.org/fhir/StructureDefinition/"


static void
add(hie_validator_t *v, const char *text)
{
    hie_error_t  err;

    if (hie_validator_add(v, tool_parse(tool_json(text)), &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }
}


static hie_validator_t *
with(const char *text)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    hie_error_t       err;

    add(v, text);
    if (hie_validator_ready(v, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }

    return v;
}


/* A resource of `type` that claims http://p/<name>, with more members. */
static char *
claim(const char *type, const char *name, const char *members)
{
    return tool_json(apr_psprintf(tool_pool, "{'resourceType':'%s',"
                                  "'meta':{'profile':['http://p/%s']}%s%s}",
                                  type, name, *members != '\0' ? "," : "",
                                  members));
}


#define expect(v, type, name, members, expected) \
    expect_issues(v, FLAGS, claim(type, name, members), expected)


static void
test_cardinality(void **state)
{
    hie_validator_t  *v;

    v = with(profile("a", "Patient",
        "{'id':'Patient.name','path':'Patient.name','min':1,'max':'2',"
        "'base':{'min':0,'max':'*'}},"
        "{'id':'Patient.name.family','path':'Patient.name.family','min':1,"
        "'max':'1','base':{'min':0,'max':'1'}},"
        "{'id':'Patient.photo','path':'Patient.photo','min':0,'max':'0',"
        "'base':{'min':0,'max':'*'}},"
        "{'id':'Patient.deceased[x]','path':'Patient.deceased[x]','min':1,"
        "'max':'1','base':{'min':0,'max':'1'}}"));

    expect(v, "Patient", "a", "'name':[{'family':'x'}],"
           "'deceasedBoolean':false", "");
    expect(v, "Patient", "a", "'name':[{'_family':{'extension':[{'url':"
           "'http://a','valueCode':'b'}]}}],'_deceasedDateTime':"
           "{'extension':[{'url':'http://a','valueCode':'b'}]}", "");
    expect(v, "Patient", "a", "'deceasedBoolean':true",
           "required Patient.name (http://p/a#min)");
    expect(v, "Patient", "a", "'name':[{'family':'x'},{'given':['y']},"
           "{'family':'z'}],'photo':[{'title':'a'}]",
           "required Patient.deceased (http://p/a#min)\n"
           "required Patient.name[1].family (http://p/a#min)\n"
           "structure Patient.name (http://p/a#max)\n"
           "structure Patient.photo (http://p/a#max)");
}


static void
test_fixed_and_types(void **state)
{
    static const char  code[] = "'code':{'coding':[{'system':'http://l',"
                                "'code':'2'},{'system':'http://l','code':'1'"
                                ",'display':'x'}],'text':'y'}";
    hie_validator_t   *v;

    v = with(profile("a", "Observation",
        "{'id':'Observation.status','path':'Observation.status',"
        "'fixedCode':'final'},"
        "{'id':'Observation.code','path':'Observation.code',"
        "'patternCodeableConcept':{'coding':[{'system':'http://l',"
        "'code':'1'}]}},"
        "{'id':'Observation.value[x]','path':'Observation.value[x]',"
        "'type':[{'code':'Quantity'},{'code':'string'}]},"
        "{'id':'Observation.bodySite','path':'Observation.bodySite',"
        "'fixedCodeableConcept':{'text':'arm'}},"
        "{'id':'Observation.subject','path':'Observation.subject','type':"
        "[{'code':'Reference','targetProfile':"
        "['http://hl7.org/fhir/StructureDefinition/Patient']}]},"
        "{'id':'Observation.device','path':'Observation.device'},"
        "{'id':'Observation.device.display','path':"
        "'Observation.device.display','maxLength':3}"));

    expect(v, "Observation", "a", apr_psprintf(tool_pool, "'status':'final',"
           "%s,'valueString':'x','bodySite':{'text':'arm'},"
           "'subject':{'reference':'Patient/1'},'device':{'display':'abc'}",
           code), "");
    expect(v, "Observation", "a", "'status':'amended','code':{'coding':"
           "[{'system':'http://l','code':'2'}]},'valueBoolean':true,"
           "'bodySite':{'id':'a','text':'arm'},"
           "'subject':{'reference':'Group/1'},'device':{'display':'abcd'}",
           "value Observation.status (http://p/a#fixed)\n"
           "value Observation.code (http://p/a#pattern)\n"
           "structure Observation.value (http://p/a#type)\n"
           "value Observation.bodySite (http://p/a#fixed)\n"
           "structure Observation.subject (http://p/a#targetProfile)\n"
           "too-long Observation.device.display (http://p/a#maxLength)");
    /* what the base definition refuses is not said twice */
    expect(v, "Observation", "a", apr_psprintf(tool_pool, "'status':'final',"
           "%s,'subject':{'reference':'Medication/1'}", code),
           "structure Observation.subject.reference");
}


static void
test_type_profiles(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);

    add(v, profile("usual", "HumanName",
        "{'id':'HumanName.use','path':'HumanName.use','min':1,"
        "'fixedCode':'usual'}"));
    add(v, profile("old", "HumanName",
        "{'id':'HumanName.use','path':'HumanName.use','min':1,"
        "'fixedCode':'old'}"));
    add(v, profile("one", "Patient",
        "{'id':'Patient.name','path':'Patient.name','type':[{'code':"
        "'HumanName','profile':['http://p/usual']}]}"));
    add(v, profile("two", "Patient",
        "{'id':'Patient.name','path':'Patient.name','type':[{'code':"
        "'HumanName','profile':['http://p/usual','http://p/old']}]}"));
    add(v, profile("away", "Patient",
        "{'id':'Patient.name','path':'Patient.name','type':[{'code':"
        "'HumanName','profile':['http://p/usual','http://p/none']}]}"));

    expect(v, "Patient", "one", "'name':[{'use':'usual'},{'use':'old'},"
           "{'text':'a'}]",
           "value Patient.name[1].use (http://p/usual#fixed)\n"
           "required Patient.name[2].use (http://p/usual#min)");
    expect(v, "Patient", "two", "'name':[{'use':'usual'},{'use':'old'},"
           "{'text':'a'}]", "structure Patient.name[2] (http://p/two#type)");
    expect(v, "Patient", "away", "'name':[{'use':'official'}]", "");
}


/* Slices by value, of children and of patterns. */
static void
test_slices_by_value(void **state)
{
    static const char  slices[] =
        "{'id':'Patient.identifier','path':'Patient.identifier','slicing':"
        "{'discriminator':[{'type':'value','path':'system'}],"
        "'rules':'%s'%s},'min':0,'max':'*'},"
        "{'id':'Patient.identifier:a','path':'Patient.identifier',"
        "'sliceName':'a','min':1,'max':'1'},"
        "{'id':'Patient.identifier:a.system','path':"
        "'Patient.identifier.system','min':1,'max':'1',"
        "'fixedUri':'http://a'},"
        "{'id':'Patient.identifier:a.value','path':"
        "'Patient.identifier.value','min':1,'max':'1',"
        "'base':{'min':0,'max':'1'}},"
        "{'id':'Patient.identifier:b','path':'Patient.identifier',"
        "'sliceName':'b','min':0,'max':'1','patternIdentifier':"
        "{'system':'http://b'}}";
    hie_validator_t   *v;

    v = with(profile("s", "Patient", apr_psprintf(tool_pool, slices, "open",
                                                  "")));
    expect(v, "Patient", "s", "'identifier':[{'system':'http://c'},"
           "{'system':'http://b'},{'system':'http://a','value':'1'}]", "");
    expect(v, "Patient", "s", "'identifier':[{'system':'http://a'},"
           "{'system':'http://b'},{'system':'http://b'}]",
           "structure Patient.identifier (http://p/s#identifier:b)\n"
           "required Patient.identifier[0].value (http://p/s#min)");
    expect(v, "Patient", "s", "",
           "required Patient.identifier (http://p/s#identifier:a)");

    v = with(profile("s", "Patient", apr_psprintf(tool_pool, slices,
                                                  "closed", "")));
    expect(v, "Patient", "s", "'identifier':[{'system':'http://c'},"
           "{'system':'http://a','value':'1'}]",
           "structure Patient.identifier[0] (http://p/s#identifier)");

    v = with(profile("s", "Patient", apr_psprintf(tool_pool, slices, "open",
                                                  ",'ordered':true")));
    expect(v, "Patient", "s", "'identifier':[{'system':'http://b'},"
           "{'system':'http://a','value':'1'}]",
           "structure Patient.identifier[1] (http://p/s#identifier)");

    v = with(profile("s", "Patient", apr_psprintf(tool_pool, slices,
                                                  "openAtEnd", "")));
    expect(v, "Patient", "s", "'identifier':[{'system':'http://c'},"
           "{'system':'http://a','value':'1'}]",
           "structure Patient.identifier[1] (http://p/s#identifier)");
    expect(v, "Patient", "s", "'identifier':["
           "{'system':'http://a','value':'1'},{'system':'http://c'}]", "");
}


/* A slice that is sliced itself: by what its own slicing says. */
static void
test_slices_of_slices(void **state)
{
    static const char  slices[] =
        "{'id':'Patient.identifier','path':'Patient.identifier','slicing':"
        "{'discriminator':[{'type':'value','path':'system'}],"
        "'rules':'open'}},"
        "{'id':'Patient.identifier:a','path':'Patient.identifier',"
        "'sliceName':'a','min':0,'max':'3','slicing':{'discriminator':"
        "[{'type':'value','path':'use'}],'rules':'closed'}},"
        "{'id':'Patient.identifier:a.system','path':"
        "'Patient.identifier.system','min':1,'max':'1',"
        "'fixedUri':'http://a'},"
        "{'id':'Patient.identifier:a/old','path':'Patient.identifier',"
        "'sliceName':'a/old','max':'1'},"
        "{'id':'Patient.identifier:a/old.use','path':"
        "'Patient.identifier.use','min':1,'fixedCode':'old'},"
        "{'id':'Patient.identifier:a/old.value','path':"
        "'Patient.identifier.value','min':1},"
        "{'id':'Patient.identifier:a/usual','path':'Patient.identifier',"
        "'sliceName':'a/usual','max':'1'},"
        "{'id':'Patient.identifier:a/usual.use','path':"
        "'Patient.identifier.use','min':1,'fixedCode':'usual'}";

#define A(use)  "{'use':'" use "','system':'http://a'}"

    int               i;
    hie_validator_t  *v;

    for (i = 0; i < 2; i++) {
        v = with(i == 0 ? profile("s", "Patient", slices)
                 : derived("s", "Patient", R4 "Patient", slices));
        expect(v, "Patient", "s", "", "");
        expect(v, "Patient", "s", "'identifier':[" A("usual") ",{'use':"
               "'temp','system':'http://b'},{'use':'old','value':'1',"
               "'system':'http://a'}]", "");
        expect(v, "Patient", "s", "'identifier':[" A("old") "]",
               "required Patient.identifier[0].value (http://p/s#min)");
        expect(v, "Patient", "s", "'identifier':[" A("usual") ","
               A("usual") "]", "structure Patient.identifier "
               "(http://p/s#identifier:a/usual)");
        expect(v, "Patient", "s", "'identifier':[" A("temp") "]",
               "structure Patient.identifier[0] (http://p/s#identifier:a)");
    }
}


static void
test_ranges(void **state)
{
    static const struct {
        const char  *element;
        const char  *members;
        const char  *rule;       /* or NULL */
    } cases[] = {
        { "'minValueDate':'2000-01-01'", "'birthDate':'1999-12-31'", "min" },
        { "'minValueDate':'2000-01-01'", "'birthDate':'2000-01-01'", NULL },
        { "'minValueDate':'2000-06-01'", "'birthDate':'2000'", NULL },
        { "'minValueDate':'2000-06-01'", "'birthDate':'1999'", "min" },
        { "'maxValueDate':'2000'", "'birthDate':'2000-12-31'", NULL },
        { "'maxValueDate':'2000'", "'birthDate':'2001-01-01'", "max" },
        { "'maxValueInteger':3", "'multipleBirthInteger':3", NULL },
        { "'maxValueInteger':3", "'multipleBirthInteger':4", "max" },
        { "'minValueInteger':3", "'multipleBirthInteger':2", "min" },
        { "'minValueInteger':-3", "'multipleBirthInteger':-4", "min" },
        { "'minValueInteger':3", "'multipleBirthBoolean':true", NULL },
        { "'minValueDateTime':'2020-01-01T00:00:00Z'",
          "'deceasedDateTime':'2020-01-01T00:30:00+01:00'", "min" },
        { "'minValueDateTime':'2020-01-01T00:00:00Z'",
          "'deceasedDateTime':'2020-01-01T01:00:00+01:00'", NULL }
    };

    size_t            i;
    const char       *name, *found, *wanted;
    hie_validator_t  *v;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        name = strstr(cases[i].members, "birthDate") != NULL ? "birthDate"
               : strstr(cases[i].members, "Birth") != NULL
               ? "multipleBirth[x]" : "deceased[x]";
        v = with(profile("r", "Patient", apr_psprintf(tool_pool,
            "{'id':'Patient.%s','path':'Patient.%s',%s}", name, name,
            cases[i].element)));
        wanted = cases[i].rule == NULL ? "" : apr_psprintf(tool_pool,
            "value Patient.%.*s (http://p/r#%sValue)",
            (int) strcspn(name, "["), name, cases[i].rule);
        found = tool_issues(v, claim("Patient", "r", cases[i].members),
                            FLAGS);
        if (strcmp(found, wanted) != 0) {
            fail_msg("%s, %s: %s", cases[i].element, cases[i].members,
                     found);
        }
    }
}


#define UNIT(v, u)  "'valueQuantity':{'value':" v ",'system':"                \
                    "'http://unitsofmeasure.org','code':'" u "'}"
#define STATUS      "'status':'final','code':{'text':'c'}"


static void
test_ranges_with_units(void **state)
{
    hie_validator_t  *v;

    v = with(profile("q", "Observation",
        "{'id':'Observation.value[x]','path':'Observation.value[x]',"
        "'minValueQuantity':{'value':1.5,'system':'http://unitsofmeasure.org'"
        ",'code':'kg'},'maxValueQuantity':{'value':200,'system':"
        "'http://unitsofmeasure.org','code':'kg'}}"));
    expect(v, "Observation", "q", STATUS "," UNIT("1500", "g"), "");
    expect(v, "Observation", "q", STATUS "," UNIT("1499.9", "g"),
           "value Observation.value (http://p/q#minValue)");
    expect(v, "Observation", "q", STATUS "," UNIT("201", "kg"),
           "value Observation.value (http://p/q#maxValue)");
    expect(v, "Observation", "q", STATUS "," UNIT("1", "cm"), "");
    expect(v, "Observation", "q", STATUS ",'valueQuantity':{'value':1}", "");
    expect(v, "Observation", "q", STATUS ",'valueString':'a'", "");

    v = with(profile("t", "Observation",
        "{'id':'Observation.value[x]','path':'Observation.value[x]',"
        "'minValueTime':'08:00:00','maxValueTime':'17:30:00'}"));
    expect(v, "Observation", "t", STATUS ",'valueTime':'17:30:00'", "");
    expect(v, "Observation", "t", STATUS ",'valueTime':'07:59:59.9'",
           "value Observation.value (http://p/t#minValue)");
    expect(v, "Observation", "t", STATUS ",'valueTime':'17:30:00.1'",
           "value Observation.value (http://p/t#maxValue)");
}


/* What is said above the path of the discriminator. */
static void
test_slices_below_a_pattern(void **state)
{
    hie_validator_t  *v;

    v = with(profile("s", "Observation",
        "{'id':'Observation.component','path':'Observation.component',"
        "'slicing':{'discriminator':[{'type':'value','path':"
        "'code.coding.code'}],'rules':'open'}},"
        "{'id':'Observation.component:x','path':'Observation.component',"
        "'sliceName':'x','min':1,'max':'1'},"
        "{'id':'Observation.component:x.code','path':"
        "'Observation.component.code','patternCodeableConcept':"
        "{'coding':[{'code':'x'}]}},"
        "{'id':'Observation.component:x.value[x]','path':"
        "'Observation.component.value[x]','min':1,'max':'1','type':"
        "[{'code':'Quantity'}],'base':{'min':0,'max':'1'}}"));

    expect(v, "Observation", "s", "'status':'final','code':{'text':'a'},"
           "'component':[{'code':{'coding':[{'code':'y'}]}},"
           "{'code':{'coding':[{'code':'x'}]},'valueQuantity':"
           "{'value':1}}]", "");
    expect(v, "Observation", "s", "'status':'final','code':{'text':'a'},"
           "'component':[{'code':{'coding':[{'code':'x'}]},"
           "'valueString':'z'},{'code':{'coding':[{'code':'x'}]}}]",
           "structure Observation.component (http://p/s#component:x)\n"
           "structure Observation.component[0].value (http://p/s#type)\n"
           "required Observation.component[1].value (http://p/s#min)");
}


static void
test_slices_by_type(void **state)
{
    hie_validator_t  *v;

    v = with(profile("s", "Observation",
        "{'id':'Observation.value[x]','path':'Observation.value[x]',"
        "'slicing':{'discriminator':[{'type':'type','path':'$this'}],"
        "'rules':'closed'}},"
        "{'id':'Observation.value[x]:valueQuantity','path':"
        "'Observation.value[x]','sliceName':'valueQuantity','min':0,"
        "'max':'1','type':[{'code':'Quantity'}]},"
        "{'id':'Observation.value[x]:valueQuantity.code','path':"
        "'Observation.value[x].code','min':1,'max':'1','fixedCode':'g',"
        "'base':{'min':0,'max':'1'}}"));

    expect(v, "Observation", "s", "'status':'final','code':{'text':'a'},"
           "'valueQuantity':{'value':1,'system':'http://a','code':'g'}", "");
    expect(v, "Observation", "s", "'status':'final','code':{'text':'a'},"
           "'valueQuantity':{'value':1}",
           "required Observation.value.code (http://p/s#min)");
    expect(v, "Observation", "s", "'status':'final','code':{'text':'a'},"
           "'valueString':'b'",
           "structure Observation.value (http://p/s#value)");
}


/* By the type of what a reference leads to; by existence; by a profile. */
static void
test_slices_by_others(void **state)
{
    hie_validator_t  *v;

    v = with(profile("r", "Observation",
        "{'id':'Observation.performer','path':'Observation.performer',"
        "'slicing':{'discriminator':[{'type':'type','path':'resolve()'}],"
        "'rules':'open'}},"
        "{'id':'Observation.performer:org','path':'Observation.performer',"
        "'sliceName':'org','min':1,'max':'1','type':[{'code':'Reference',"
        "'targetProfile':['http://hl7.org/fhir/StructureDefinition/"
        "Organization']}]}"));
    expect(v, "Observation", "r", "'status':'final','code':{'text':'a'},"
           "'performer':[{'reference':'Patient/1'},"
           "{'reference':'Organization/1'}]", "");
    expect(v, "Observation", "r", "'status':'final','code':{'text':'a'},"
           "'performer':[{'reference':'Patient/1'}]",
           "required Observation.performer (http://p/r#performer:org)");

    v = with(profile("e", "Patient",
        "{'id':'Patient.telecom','path':'Patient.telecom','slicing':"
        "{'discriminator':[{'type':'exists','path':'period'}],"
        "'rules':'open'}},"
        "{'id':'Patient.telecom:now','path':'Patient.telecom',"
        "'sliceName':'now','min':1,'max':'1'},"
        "{'id':'Patient.telecom:now.period','path':'Patient.telecom.period',"
        "'min':0,'max':'0'},"
        "{'id':'Patient.telecom:past','path':'Patient.telecom',"
        "'sliceName':'past','min':0,'max':'1'},"
        "{'id':'Patient.telecom:past.period','path':"
        "'Patient.telecom.period','min':1,'max':'1'}"));
    expect(v, "Patient", "e", "'telecom':[{'period':{'end':'2020'}},"
           "{'system':'phone','value':'1'}]", "");
    expect(v, "Patient", "e", "'telecom':[{'period':{'end':'2020'}},"
           "{'period':{'end':'2021'}}]",
           "required Patient.telecom (http://p/e#telecom:now)\n"
           "structure Patient.telecom (http://p/e#telecom:past)");

    v = hie_validator_create(tool_pool, NULL);
    add(v, profile("usual", "HumanName",
        "{'id':'HumanName.use','path':'HumanName.use','min':1,"
        "'fixedCode':'usual'}"));
    add(v, profile("n", "Patient",
        "{'id':'Patient.name','path':'Patient.name','slicing':"
        "{'discriminator':[{'type':'profile','path':'$this'}],"
        "'rules':'open'}},"
        "{'id':'Patient.name:u','path':'Patient.name','sliceName':'u',"
        "'min':1,'max':'1','type':[{'code':'HumanName','profile':"
        "['http://p/usual']}]}"));
    expect(v, "Patient", "n", "'name':[{'text':'a'},{'use':'usual'}]", "");
    expect(v, "Patient", "n", "'name':[{'text':'a'}]",
           "required Patient.name (http://p/n#name:u)");
}


static void
test_extensions(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);

    add(v, profile("x", "Extension",
        "{'id':'Extension.url','path':'Extension.url',"
        "'fixedUri':'http://p/x'},"
        "{'id':'Extension.value[x]','path':'Extension.value[x]','min':1,"
        "'max':'1','type':[{'code':'code'}],'base':{'min':0,'max':'1'}}"));
    add(v, profile("p", "Patient",
        "{'id':'Patient.extension','path':'Patient.extension','slicing':"
        "{'discriminator':[{'type':'value','path':'url'}],'rules':'open'}},"
        "{'id':'Patient.extension:x','path':'Patient.extension',"
        "'sliceName':'x','min':1,'max':'1','type':[{'code':'Extension',"
        "'profile':['http://p/x']}]}"));

    expect(v, "Patient", "p", "'extension':[{'url':'http://y',"
           "'valueString':'a'},{'url':'http://p/x','valueCode':'a'}]", "");
    expect(v, "Patient", "p", "'extension':[{'url':'http://y',"
           "'valueString':'a'}]",
           "required Patient.extension (http://p/p#extension:x)");

    /* wherever it stands, and whatever the resource claims */
    expect_issues(v, FLAGS, tool_json("{'resourceType':'Patient','name':"
        "[{'extension':[{'url':'http://p/x','valueString':'a'}]}],"
        "'modifierExtension':[{'url':'http://p/x','valueCode':'a'}]}"),
        "structure Patient.name[0].extension[0].value (http://p/x#type)\n"
        "structure Patient.modifierExtension[0] (http://p/x#isModifier)");
}


static void
test_rules(void **state)
{
    hie_validator_t  *v;

    v = with(profile("c", "Patient",
        "{'id':'Patient.name','path':'Patient.name','constraint':["
        "{'key':'k-1','severity':'error','human':'a','expression':"
        "'family.exists() or given.exists()'},"
        "{'key':'k-2','severity':'warning','human':'b','expression':"
        "'family.length() < 3'},"
        "{'key':'ele-1','severity':'error','human':'c','expression':"
        "'hasValue() or (children().count() > id.count())','source':"
        "'http://hl7.org/fhir/StructureDefinition/Element'}]},"
        "{'id':'Patient.birthDate','path':'Patient.birthDate','constraint':["
        "{'key':'k-3','severity':'error','human':'d','expression':"
        "'$this <= today()'}]}"));

    expect(v, "Patient", "c", "'name':[{'text':'a'},{'family':'abc'}]",
           "invariant Patient.name[0] (http://p/c#k-1)\n"
           "warning invariant Patient.name[1] (http://p/c#k-2)");
}


static void
test_named_profiles(void **state)
{
    hie_validator_t         *v = with(profile("a", "Patient",
        "{'id':'Patient.name','path':'Patient.name','min':1}"));
    hie_str_t                asked[] = { HIE_STR("http://p/a|1.0"),
                                         HIE_STR("http://p/none") };
    hie_validate_options_t   options = { .flags = FLAGS, .profiles = asked,
                                         .n_profiles = 2 };
    hie_issues_t             issues;
    hie_doc_t               *d;

    expect(v, "Patient", "b",
           "", "information not-found Patient.meta.profile[0]");
    expect_issues(v, HIE_VALIDATE_PROFILES, claim("Patient", "b", ""), "");
    expect(v, "Basic", "a", "'code':{'text':'a'}",
           "structure Basic (http://p/a#type)");
    expect_issues(v, FLAGS, tool_json("{'resourceType':'Patient','meta':"
        "{'profile':['http://hl7.org/fhir/StructureDefinition/Patient']}}"),
        "");
    /* the profile of an entry and of what is contained */
    expect_issues(v, FLAGS, tool_json("{'resourceType':'Bundle','type':"
        "'collection','entry':[{'resource':{'resourceType':'Patient','meta':"
        "{'profile':['http://p/a|2']}}}]}"),
        "required Bundle.entry[0].resource.name (http://p/a#min)");

    assert_true(hie_validator_knows(v, HIE_STR("http://p/a")));
    assert_true(hie_validator_knows(v, HIE_STR("http://p/a|2")));
    assert_false(hie_validator_knows(v, HIE_STR("http://p/b")));

    d = tool_parse("{\"resourceType\":\"Patient\"}");
    assert_int_equal(hie_validate(v, d, 0, &options, tool_pool, &issues,
                                  NULL), HIE_UNPROCESSABLE);
    assert_int_equal(issues.n, 2);
    assert_string_equal(issues.issues[0].code, "required");
    assert_string_equal(issues.issues[1].code, "not-found");
}


static void
expect_refused(const char *text, const char *where)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);
    hie_error_t       err = { .rc = 0 };
    hie_rc_t          rc;

    rc = hie_validator_add(v, tool_parse(tool_json(text)), &err);
    if (rc == HIE_OK) {
        rc = hie_validator_ready(v, &err);
    }

    assert_int_equal(rc, HIE_INVALID);
    assert_true(err.detail[0] != '\0');
    assert_string_equal(err.where, where);

    /* and the validator goes on without it */
    expect_issues(v, FLAGS, "{\"resourceType\":\"Patient\"}", "");
}


static void
test_refused(void **state)
{
    expect_refused("{'resourceType':'Patient'}", "");
    expect_refused("{'resourceType':'StructureDefinition','type':'Patient',"
                   "'derivation':'constraint'}", "StructureDefinition.url");
    expect_refused("{'resourceType':'StructureDefinition','url':'http://a',"
                   "'type':'None','derivation':'constraint'}",
                   "StructureDefinition.type");
    expect_refused("{'resourceType':'StructureDefinition','url':'http://a',"
                   "'type':'Patient','derivation':'constraint',"
                   "'differential':{'element':[]}}",
                   "StructureDefinition");
    expect_refused("{'resourceType':'StructureDefinition','url':'http://a',"
                   "'type':'Patient','snapshot':{'element':[{'id':"
                   "'Patient'}]}}", "StructureDefinition");
    expect_refused(profile("a", "Patient",
        "{'id':'Patient.name.family','path':'Patient.name.family'}"),
        "StructureDefinition.snapshot.element[1].id");
    expect_refused(profile("a", "Patient",
        "{'id':'Patient.name','path':'Patient.name','constraint':[{'key':"
        "'k','severity':'error','expression':'a ='}]}"),
        "StructureDefinition.snapshot.element[1].constraint");
    expect_refused(profile("a", "Patient",
        "{'id':'Patient.name','path':'Patient.name','slicing':{"
        "'discriminator':[{'type':'x','path':'a'}]}}"),
        "StructureDefinition.snapshot.element[1].slicing");
    expect_refused(profile("a", "Patient",
        "{'id':'Patient.identifier','path':'Patient.identifier','slicing':"
        "{'discriminator':[{'type':'value','path':'system'}]}},"
        "{'id':'Patient.identifier:a/b','path':'Patient.identifier'}"),
        "StructureDefinition.snapshot.element[2].id");
    expect_refused("{'resourceType':'ValueSet','url':'http://a'}",
                   "ValueSet");
    expect_refused("{'resourceType':'CodeSystem'}", "CodeSystem.url");
}


/* What is not named is as in R4; what is above is made. */
static void
test_differential(void **state)
{
    hie_validator_t  *v;

    v = with(derived("a", "Patient", R4 "Patient",
        "{'id':'Patient.name','path':'Patient.name','max':'1','constraint':"
        "[{'key':'k','severity':'error','human':'h','expression':"
        "'family.exists()'}]},"
        "{'path':'Patient.contact.gender','min':1,'fixedCode':'male'},"
        "{'id':'Patient.deceasedBoolean','path':'Patient.deceasedBoolean',"
        "'fixedBoolean':true},"
        "{'id':'Patient.communication.language.coding','path':"
        "'Patient.communication.language.coding','min':1}"));
    expect(v, "Patient", "a", "'gender':'other','deceasedDateTime':'2020'",
           "");
    expect(v, "Patient", "a", "'deceasedBoolean':false",
           "value Patient.deceased (http://p/a#fixed)");
    expect(v, "Patient", "a", "'contact':[{'name':{'text':'a'}},"
           "{'name':{'text':'a'},'gender':'male'},"
           "{'name':{'text':'a'},'gender':'female'}]",
           "required Patient.contact[0].gender (http://p/a#min)\n"
           "value Patient.contact[2].gender (http://p/a#fixed)");
    expect(v, "Patient", "a", "'name':[{'text':'a'},{'family':'b'}]",
           "invariant Patient.name[0] (http://p/a#k)\n"
           "structure Patient.name (http://p/a#max)");
    expect(v, "Patient", "a", "'communication':[{'language':{'text':'x'}}]",
           "warning code-invalid Patient.communication[0].language\n"
           "required Patient.communication[0].language.coding "
           "(http://p/a#min)");
}


/* One that is derived from another: slices are still what they were. */
static void
test_derived(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);

    add(v, derived("c", "Observation", "http://p/b|2.0",
        "{'id':'Observation.component:low','path':'Observation.component',"
        "'sliceName':'low','min':1},"
        "{'id':'Observation.component:low.valueQuantity.unit','path':"
        "'Observation.component.valueQuantity.unit','min':1},"
        "{'id':'Observation.extension:x','path':'Observation.extension',"
        "'sliceName':'x','min':1,'type':[{'code':'Extension',"
        "'profile':['http://p/x']}]}"));
    add(v, derived("b", "Observation", R4 "Observation",
        "{'id':'Observation.component','path':'Observation.component',"
        "'slicing':{'discriminator':[{'type':'pattern','path':'code'}],"
        "'rules':'open'}},"
        "{'id':'Observation.component:low','path':'Observation.component',"
        "'sliceName':'low','min':0,'max':'1'},"
        "{'id':'Observation.component:low.code','path':"
        "'Observation.component.code','patternCodeableConcept':"
        "{'text':'low'}}"));

#define CODE    "'status':'final','code':{'text':'c'}"
#define LOW(v)  "{'code':{'text':'low'}" v "}"
#define X       "'extension':[{'url':'http://p/x','valueCode':'a'}]"

    expect(v, "Observation", "b", CODE, "");
    expect(v, "Observation", "b", CODE ",'component':[" LOW("") ","
           LOW("") "]", "structure Observation.component "
           "(http://p/b#component:low)");
    expect(v, "Observation", "c", CODE "," X,
           "required Observation.component (http://p/c#component:low)");
    expect(v, "Observation", "c", CODE ",'component':[{'code':"
           "{'text':'high'},'valueQuantity':{'value':1}},"
           LOW(",'valueQuantity':{'value':1}") "]," X,
           "required Observation.component[1].value.unit (http://p/c#min)");
    expect(v, "Observation", "c", CODE ",'component':["
           LOW(",'valueString':'a'") "]",
           "required Observation.extension (http://p/c#extension:x)");
    expect(v, "Observation", "c", CODE ",'component':[" LOW("") ","
           LOW("") "]," X, "structure Observation.component "
           "(http://p/c#component:low)");
}


static void
test_differentials_refused(void **state)
{
    static const char  at[] = "StructureDefinition.differential.element[";

    static const struct {
        const char  *element;
        const char  *what;
    } wrong[] = {
        { "{'id':'Patient.nothing'}", "Patient.nothing: there is no" },
        { "{'id':'Patient.name.nothing'}", "there is no such element" },
        { "{'id':'Observation.code'}", "does not begin with" },
        { "{'id':'Patient..name'}", "no id" },
        { "{'id':'Patient.name:a'}", "not sliced" },
        { "{'id':'Patient.extension:a.url'}", "slice that is not known" },
        { "{'id':'Patient.contact','min':2,'max':'1'}", "more than its max" },
        { "{'id':'Patient.gender','max':'2'}", "more than that of the base" },
        { "{'id':'Patient.link.other','min':0}", "less than that of the" },
        { "{'id':'Patient.gender'},{'id':'Patient.gender'}", "there twice" }
    };

    hie_validator_t  *v;
    hie_error_t       err;
    hie_buf_t         many;
    size_t            i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        v = hie_validator_create(tool_pool, NULL);
        add(v, derived("a", "Patient", R4 "Patient", wrong[i].element));
        assert_int_equal(hie_validator_ready(v, &err), HIE_INVALID);
        if (strncmp(err.where, at, strlen(at)) != 0
            || strstr(err.detail, wrong[i].what) == NULL
            || strstr(err.detail, "http://p/a") == NULL)
        {
            fail_msg("%s: %s: %s", wrong[i].element, err.where, err.detail);
        }
    }

    /* more than is published anywhere */
    hie_buf_init(&many, tool_pool, 1 << 20);
    hie_buf_addz(&many, "{'id':'Patient.extension'}");
    for (i = 0; i < 10000; i++) {
        hie_buf_addf(&many, ",{'id':'Patient.extension:%d'}", (int) i);
    }

    v = hie_validator_create(tool_pool, NULL);
    add(v, derived("a", "Patient", R4 "Patient",
                   hie_str_z(tool_pool, hie_buf_str(&many))));
    assert_int_equal(hie_validator_ready(v, &err), HIE_INVALID);
    assert_non_null(strstr(err.detail, "too many"));

    /* what they are derived from */
    v = hie_validator_create(tool_pool, NULL);
    add(v, derived("a", "Patient", "http://p/b", "{'id':'Patient'}"));
    add(v, derived("b", "Patient", "http://p/a", "{'id':'Patient'}"));
    add(v, derived("c", "Patient", "http://p/none", "{'id':'Patient'}"));
    add(v, derived("d", "Patient", R4 "Observation", "{'id':'Patient'}"));
    add(v, derived("e", "Patient", R4 "DomainResource",
                   "{'id':'Patient.gender','min':1}"));
    assert_int_equal(hie_validator_ready(v, &err), HIE_INVALID);
    assert_string_equal(err.where, "StructureDefinition.baseDefinition");
    expect(v, "Patient", "a", "", "information not-found "
           "Patient.meta.profile[0]");
    expect(v, "Patient", "d", "", "information not-found "
           "Patient.meta.profile[0]");
    expect(v, "Patient", "e", "",
           "required Patient.gender (http://p/e#min)");
}


/* A value set of each kind; the codes that are in it, out of it, unknown. */
static void
test_value_sets(void **state)
{
    static const struct {
        const char  *set;        /* the rest of it */
        const char  *codes[3];   /* in, out, not judged */
    } rows[] = {
        { "'compose':{'include':[{'system':'http://s','concept':"
          "[{'code':'a'},{'code':'b'}]}]}", { "ab", "cx", "" } },
        { "'compose':{'include':[{'system':'http://s'}]}",
          { "abc", "x", "" } },
        { "'compose':{'include':[{'system':'http://s'}],'exclude':"
          "[{'system':'http://s','concept':[{'code':'b'}]}]}",
          { "ac", "bx", "" } },
        { "'compose':{'include':[{'valueSet':['http://v/2|1']}]}",
          { "c", "ax", "" } },
        { "'compose':{'include':[{'valueSet':['http://v/1']}]}",
          { "", "", "ax" } },
        { "'compose':{'include':[{'system':'http://t'},{'system':'http://s',"
          "'concept':[{'code':'a'}]}]}", { "a", "", "bx" } },
        { "'compose':{'include':[{'system':'http://s','filter':[{'property':"
          "'p','op':'=','value':'v'}]}]}", { "", "", "ax" } },
        { "'compose':{'include':[{'system':'http://s'}],'exclude':"
          "[{'system':'http://s','filter':[{'property':'p','op':'=',"
          "'value':'v'}]}]}", { "", "", "ax" } },
        { "'expansion':{'contains':[{'system':'http://s','code':'b',"
          "'abstract':true,'contains':[{'system':'http://s',"
          "'code':'c'}]}]}", { "c", "abx", "" } },
        { "'expansion':{'total':9,'contains':[{'system':'http://s',"
          "'code':'b'}]}", { "b", "", "ax" } },
    };
#define PLACE  "Patient.maritalStatus (http://p/m#binding)"
    static const char *const  verdicts[] = {
        "", "code-invalid " PLACE, "information not-supported " PLACE
    };
#undef PLACE
    hie_validator_t          *v;
    const char               *code;
    size_t                    i;
    int                       k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = hie_validator_create(tool_pool, NULL);
        add(v, "{'resourceType':'CodeSystem','url':'http://s',"
            "'content':'complete','concept':[{'code':'a','concept':"
            "[{'code':'b'}]},{'code':'c'}]}");
        add(v, "{'resourceType':'ValueSet','url':'http://v/2','compose':"
            "{'include':[{'system':'http://s','concept':[{'code':'c'}]}]}}");
        add(v, apr_psprintf(tool_pool, "{'resourceType':'ValueSet',"
                            "'url':'http://v/1',%s}", rows[i].set));
        add(v, profile("m", "Patient", "{'id':'Patient.maritalStatus','path'"
            ":'Patient.maritalStatus','binding':{'strength':'required',"
            "'valueSet':'http://v/1|1.0'}}"));

        for (k = 0; k < 3; k++) {
            for (code = rows[i].codes[k]; *code != '\0'; code++) {
                expect(v, "Patient", "m", apr_psprintf(tool_pool,
                    "'maritalStatus':{'coding':[{'system':'http://s','code':"
                    "'%c'}]}", *code), verdicts[k]);
            }
        }
    }
}


/* A code without a system, in a value set that was added. */
static void
test_code_binding(void **state)
{
    hie_validator_t  *v = hie_validator_create(tool_pool, NULL);

    add(v, "{'resourceType':'ValueSet','url':'http://v','compose':"
        "{'include':[{'system':'http://hl7.org/fhir/administrative-gender',"
        "'concept':[{'code':'male'}]}]}}");
    add(v, profile("m", "Patient", "{'id':'Patient.gender','path':"
        "'Patient.gender','binding':{'strength':'required',"
        "'valueSet':'http://v'}}"));

    expect(v, "Patient", "m", "'gender':'male'", "");
    expect(v, "Patient", "m", "'gender':'female'",
           "code-invalid Patient.gender (http://p/m#binding)");
    expect(v, "Patient", "m", "'gender':'none'",
           "code-invalid Patient.gender\n"
           "code-invalid Patient.gender (http://p/m#binding)");
}


/* What bindings name and nobody brought, and where it is brought later. */
static void
test_wanted_value_sets(void **state)
{
    static const char  set[] =
        "{'resourceType':'ValueSet','url':'%s','expansion':{'contains':"
        "[{'system':'http://s','code':'%s'}]}}";
    static const char *const  bound[] = {
        "http://v/base", "http://v/own", "http://v/own|2",
        "http://hl7.org/fhir/ValueSet/administrative-gender", "http://v/there"
    };

    int                       i, n;
    char                     *name;
    hie_str_t                *wants;
    hie_validator_t          *v, *base = hie_validator_create(tool_pool, NULL);
    hie_validator_options_t   options = { .base = base };

    v = hie_validator_create(tool_pool, &options);
    for (i = 0; i < 5; i++) {
        name = apr_psprintf(tool_pool, "w%d", i);
        add(i == 0 ? base : v, profile(name, "Patient", apr_psprintf(tool_pool,
            "{'id':'Patient.maritalStatus','path':'Patient.maritalStatus',"
            "'binding':{'strength':'required','valueSet':'%s'}}", bound[i])));
    }

    add(v, profile("w5", "Patient", "{'id':'Patient.maritalStatus','path':"
        "'Patient.maritalStatus','binding':{'strength':'extensible',"
        "'valueSet':'http://v/no'}}"));
    add(base, apr_psprintf(tool_pool, set, "http://v/there", "c"));
    assert_int_equal(hie_validator_ready(base, NULL), HIE_OK);
    assert_int_equal(hie_validator_ready(v, NULL), HIE_OK);
    assert_int_equal(hie_validator_wants(base, tool_pool, &wants), 1);
    n = hie_validator_wants(v, tool_pool, &wants);
    assert_int_equal(n, 3);
    for (i = 0; i < n; i++) {
        assert_true(hie_str_eqz(wants[i], bound[0])
                    || hie_str_eqz(wants[i], bound[1])
                    || hie_str_eqz(wants[i], bound[2]));
    }

    expect(v, "Patient", "w1", "'maritalStatus':{'coding':[{'system':"
           "'http://s','code':'x'}]}", "information not-supported "
           "Patient.maritalStatus (http://p/w1#binding)");
    add(v, apr_psprintf(tool_pool, set, "http://v/base", "a"));
    add(v, apr_psprintf(tool_pool, set, "http://v/own", "b"));
    add(v, apr_psprintf(tool_pool, set, "http://v/own|2", "c"));
    assert_int_equal(hie_validator_wants(v, tool_pool, &wants), 0);
    assert_int_equal(hie_validator_wants(base, tool_pool, &wants), 1);
    for (i = 0; i < 3; i++) {
        name = apr_psprintf(tool_pool, "w%d", i);
        expect(v, "Patient", name, apr_psprintf(tool_pool,
            "'maritalStatus':{'coding':[{'system':'http://s','code':'%c'}]}",
            'a' + i), "");
        expect(v, "Patient", name, "'maritalStatus':{'coding':[{'system':"
               "'http://s','code':'x'}]}", apr_psprintf(tool_pool,
               "code-invalid Patient.maritalStatus (http://p/%s#binding)",
               name));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cardinality),
        cmocka_unit_test(test_fixed_and_types),
        cmocka_unit_test(test_type_profiles),
        cmocka_unit_test(test_slices_by_value),
        cmocka_unit_test(test_slices_of_slices),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_ranges_with_units),
        cmocka_unit_test(test_slices_below_a_pattern),
        cmocka_unit_test(test_slices_by_type),
        cmocka_unit_test(test_slices_by_others),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_named_profiles),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_differential),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_differentials_refused),
        cmocka_unit_test(test_value_sets),
        cmocka_unit_test(test_code_binding),
        cmocka_unit_test(test_wanted_value_sets),
    };

    return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
