/*
 * What a resource is found by against what a search asks for: both sides meet
 * in memory here, as they do in SQL.
 */

#include <stdlib.h>
#include <string.h>

#include "search_tool.h"


static void
test_tokens(void **state)
{
    each("{\"resourceType\":\"Patient\",\"active\":true,\"gender\":\"male\","
         "\"identifier\":[{\"system\":\"urn:mrn\",\"value\":\"A1\",\"type\":"
         "{\"coding\":[{\"system\":\"http://v2\",\"code\":\"MR\"}],\"text\":"
         "\"Record n\xc3\xbcmber\"}},{\"value\":\"a,b|c\"}],"
         "\"telecom\":[{\"system\":\"phone\",\"value\":\"555\"},"
         "{\"system\":\"email\",\"value\":\"x@y.example\"}]}",
         LIST("identifier=A1", "identifier=urn:mrn|A1", "identifier=urn:mrn|",
              "identifier=x,A1", "identifier=a\\,b\\|c",
              "identifier=|a\\,b\\|c", "identifier:of-type=http://v2|MR|A1",
              "identifier:not=B", "identifier:text=record nu",
              "gender=male", "gender:not=female", "active=true",
              "phone=555", "email=x@y.example", "telecom=555",
              "identifier:missing=false", "deceased=false",
              "birthdate:missing=true"),
         LIST("identifier=a1", "identifier=A", "identifier=|A1",
              "identifier=urn:other|A1", "identifier:of-type=http://v2|MR|B",
              "identifier:not=A1", "gender=female", "phone=x@y.example",
              "identifier:missing=true", "gender:missing=true"));
}


/* Of an element of type code, where all codes that it may have are of one
 * system. */
static void
test_implied_systems(void **state)
{
    each("{\"resourceType\":\"Patient\",\"gender\":\"male\"}",
         LIST("gender=http://hl7.org/fhir/administrative-gender|male",
              "gender=urn:x,http://hl7.org/fhir/administrative-gender|male",
              "gender:not=http://hl7.org/fhir/administrative-gender|female",
              "gender:not=urn:x|male", "gender=|male"),
         LIST("gender=http://hl7.org/fhir/administrative-gender|female",
              "gender=http://hl7.org/fhir/observation-status|male",
              "gender=urn:x|male",
              "gender:not=http://hl7.org/fhir/administrative-gender|male"));
    each("{\"resourceType\":\"Task\",\"status\":\"ready\",\"intent\":"
         "\"order\",\"code\":{\"coding\":[{\"code\":\"ready\"}]}}",
         LIST("status=http://hl7.org/fhir/task-status|ready", "code=|ready"),
         LIST("code=http://hl7.org/fhir/task-status|ready",
              /* one of two */
              "intent=http://hl7.org/fhir/request-intent|order"));
}


/* Of type string; a code that is one counts as it is. */
static void
test_folded(void **state)
{
    hie_search_values_t  x;
    static const char    *medication =
        "{\"resourceType\":\"Medication\",\"status\":\"Active\","
        "\"batch\":{\"lotNumber\":\"\xc3\x89 Ab1\"}}";

    each(medication,
         LIST("lot-number=\xc3\xa9 ab1", "lot-number=\xc3\x89 AB1",
              "lot-number=|\xc3\x89 Ab1", "lot-number:not=ab1",
              "status=Active"),
         LIST("lot-number=ab1", "lot-number=E Ab1", "status=active"));
    (void) values_of(medication, &x);
    assert_int_equal(x.n_terms, 2);
    assert_true(hie_str_eqz(x.terms[0].value, "\xc3\xa9 ab1")
                || hie_str_eqz(x.terms[1].value, "\xc3\xa9 ab1"));

    assert_true(hie_search_param(search, HIE_TYPE_StructureDefinition,
                                 HIE_STR("path"))->folded);
    assert_true(hie_search_param(search, HIE_TYPE_ValueSet,
                                 HIE_STR("version"))->folded);
    assert_false(hie_search_param(search, HIE_TYPE_Patient,
                                  HIE_STR("identifier"))->folded);
    assert_false(hie_search_param(search, HIE_TYPE_Patient,
                                  HIE_STR("family"))->folded);
}


static void
test_strings(void **state)
{
    each("{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"O'N\xc3\xa9"
         "il\",\"given\":[\"Anna  Maria\",\"J\xc3\xbcrgen\"],\"use\":"
         "\"official\"}],\"address\":[{\"city\":\"K\xc3\xb6ln\",\"line\":"
         "[\"Hauptstr. 1\"],\"use\":\"home\"}]}",
         LIST("family=o'ne", "family=O'N\xc3\x89IL", "given=anna m",
              "given=jurg", "name=jurgen", "name=o'neil",
              "family:exact=O'N\xc3\xa9il", "family:contains=NEI",
              "address=koln", "address=hauptstr", "address-city=K"),
         LIST("family=neil", "family:exact=O'Neil", "given=maria",
              "family:contains=xx", "name=official", "address=home"));
}


static void
test_dates(void **state)
{
    each("{\"resourceType\":\"Patient\",\"birthDate\":\"2000-02\"}",
         LIST("birthdate=2000", "birthdate=2000-02", "birthdate=ne2000-01",
              "birthdate=gt2000-02-10", "birthdate=lt2000-02-10",
              "birthdate=ge2000-02", "birthdate=le2000-02",
              "birthdate=sa2000-01", "birthdate=eb2000-03",
              "birthdate=ap2000", "birthdate=lt2001", "birthdate=1999,2000"),
         LIST("birthdate=2000-02-01", "birthdate=ne2000",
              "birthdate=gt2000-02", "birthdate=gt2000",
              "birthdate=lt2000-02", "birthdate=sa2000-02",
              "birthdate=eb2000-02", "birthdate=1999"));
    each("{\"resourceType\":\"Observation\",\"effectivePeriod\":{\"start\":"
         "\"2020-02-29T12:00:00+02:00\"},\"issued\":"
         "\"2020-02-29T10:00:00.5Z\"}",
         LIST("date=gt2030", "date=ge2020-02-29T10:00:00Z", "date=ap2020-03",
              "date:missing=false"),
         LIST("date=2020-02-29", "date=eb2021",
              "date=lt2020-02-29T10:00:00Z"));
    each("{\"resourceType\":\"Observation\",\"effectiveDateTime\":"
         "\"2020-02-29T12:00:00+02:00\"}",
         LIST("date=2020-02-29T10:00:00Z", "date=2020-02-29T10:00Z",
              "date=2020-02-29", "date=2020-02-29T10:00:00",
              "date=2020-02-29T05:00:00-05:00"),
         LIST("date=2020-02-29T12:00:00Z", "date=2020-03"));
}


static void
test_numbers(void **state)
{
    each("{\"resourceType\":\"RiskAssessment\",\"prediction\":["
         "{\"probabilityDecimal\":0.80}]}",
         LIST("probability=0.8", "probability=0.80", "probability=8e-1",
              "probability=gt0.79", "probability=lt0.81",
              "probability=ge0.8", "probability=le0.8", "probability=ap0.85",
              "probability=ne0.7"),
         LIST("probability=0.79", "probability=0.81", "probability=gt0.8",
              "probability=lt0.8", "probability=ne0.8",
              "probability=sa0.8"));
    each("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":5.40,"
         "\"unit\":\"milligrams\",\"system\":\"http://unitsofmeasure.org\","
         "\"code\":\"mg\"}}",
         LIST("value-quantity=5.4", "value-quantity=5.4||mg",
              "value-quantity=5.4||milligrams",
              "value-quantity=5.4|http://unitsofmeasure.org|mg",
              "value-quantity=0.0054|http://unitsofmeasure.org|g",
              "value-quantity=gt5|http://unitsofmeasure.org|mg",
              "value-quantity=lt6000|http://unitsofmeasure.org|ug",
              "value-quantity=5.4|http://unitsofmeasure.org|",
              "value-quantity=5", "combo-value-quantity=5.40"),
         LIST("value-quantity=5.5", "value-quantity=5.4||g",
              "value-quantity=5.4|http://other|mg",
              "value-quantity=5.4|http://other|",
              "value-quantity=5.5|http://unitsofmeasure.org|",
              "value-quantity=0.0055|http://unitsofmeasure.org|g",
              "value-quantity=gt5.4|http://unitsofmeasure.org|mg"));
    each("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":2,"
         "\"comparator\":\"<\",\"code\":\"mg\"}}",
         LIST("value-quantity=lt3"), LIST("value-quantity=gt3"));
}


static void
test_references(void **state)
{
    each("{\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
         "\"http://our.example/fhir/Patient/1/_history/2\"},\"encounter\":"
         "{\"reference\":\"http://else.example/Encounter/7\"},\"performer\":"
         "[{\"identifier\":{\"system\":\"urn:npi\",\"value\":\"9\"}}],"
         "\"specimen\":{\"reference\":\"#s\"}}",
         LIST("subject=1", "subject=Patient/1", "subject:Patient=1",
              "patient=1", "patient=Patient/1",
              "subject=http://our.example/fhir/Patient/1",
              "subject=Patient/1/_history/9",
              "encounter=http://else.example/Encounter/7",
              "performer:identifier=urn:npi|9", "performer:identifier=9",
              "subject=2,Patient/1"),
         LIST("subject=Group/1", "subject:Group=1", "patient=2",
              "encounter=7", "encounter=Encounter/7",
              "performer:identifier=8", "specimen=s"));
    each("{\"resourceType\":\"Measure\",\"url\":\"http://a.example/m/x\","
         "\"library\":[\"http://a.example/l|2\"]}",
         LIST("url=http://a.example/m/x", "url:below=http://a.example/m",
              "url:above=http://a.example/m/x/y",
              "depends-on=http://a.example/l",
              "depends-on=http://a.example/l|2"),
         LIST("url=http://a.example/m", "url:below=http://a.example/mm",
              "url:above=http://a.example/m",
              "depends-on=http://a.example/l|1"));
}


static void
test_composites(void **state)
{
    each("{\"resourceType\":\"Observation\",\"code\":{\"coding\":["
         "{\"system\":\"http://loinc.org\",\"code\":\"85354-9\"}]},"
         "\"component\":[{\"code\":{\"coding\":[{\"system\":"
         "\"http://loinc.org\",\"code\":\"8480-6\"}]},\"valueQuantity\":"
         "{\"value\":107,\"code\":\"mm[Hg]\",\"system\":"
         "\"http://unitsofmeasure.org\"}},{\"code\":{\"coding\":[{\"system\":"
         "\"http://loinc.org\",\"code\":\"8462-4\"}]},\"valueQuantity\":"
         "{\"value\":60,\"code\":\"mm[Hg]\",\"system\":"
         "\"http://unitsofmeasure.org\"}}]}",
         LIST("component-code-value-quantity=8480-6$107",
              "component-code-value-quantity=http://loinc.org|8480-6$gt100",
              "component-code-value-quantity="
              "8480-6$lt15|http://unitsofmeasure.org|kPa",
              "combo-code-value-quantity=8462-4$60", "combo-code=85354-9",
              "combo-code=http://loinc.org|8480-6", "combo-code:not=1234",
              "combo-code:missing=false", "combo-value-quantity=gt100",
              "combo-value-concept:missing=true"),
         LIST("combo-code=1234", "combo-code:not=85354-9",
              "combo-code:not=8480-6", "combo-value-quantity=gt200",
              "combo-code:missing=true", "combo-value-concept:missing=false",
              "component-code-value-quantity=8480-6$60",
              "component-code-value-quantity=8462-4$107",
              "component-code-value-quantity=http://x|8480-6$107",
              "component-code-value-quantity=|8480-6$107",
              "code-value-quantity=8480-6$107"));
    each("{\"resourceType\":\"Group\",\"characteristic\":[{\"code\":"
         "{\"coding\":[{\"system\":\"s\",\"code\":\"sex\"}]},"
         "\"valueCodeableConcept\":{\"coding\":[{\"code\":\"m\"}]}},"
         "{\"code\":{\"coding\":[{\"code\":\"age\"}]},\"valueCodeableConcept\""
         ":{\"coding\":[{\"code\":\"old\"}]}}]}",
         LIST("characteristic-value=sex$m", "characteristic-value=s|sex$|m",
              "characteristic-value=x$y,age$old"),
         LIST("characteristic-value=sex$old", "characteristic-value=age$m"));
}


/* What the generator of the tables puts right. */
static void
test_corrected(void **state)
{
    each("{\"resourceType\":\"DocumentReference\",\"relatesTo\":[{\"code\":"
         "\"replaces\",\"target\":{\"reference\":\"DocumentReference/1\"}},"
         "{\"code\":\"appends\",\"target\":{\"reference\":"
         "\"DocumentReference/2\"}}]}",
         LIST("relationship=DocumentReference/1$replaces",
              "relationship=1$replaces", "relationship=2$|appends"),
         LIST("relationship=DocumentReference/1$appends",
              "relationship=replaces$1"));
    each("{\"resourceType\":\"Observation\",\"code\":{\"coding\":[{\"code\":"
         "\"c\"}]},\"valueDateTime\":\"2020-01-01\",\"extension\":[{\"url\":"
         "\"http://hl7.org/fhir/StructureDefinition/observation-geneticsGene\","
         "\"valueCodeableConcept\":{\"coding\":[{\"code\":\"g\"}]}}]}",
         LIST("code-value-date=c$2020", "value-date=2020",
              "gene-identifier=g"),
         LIST("code-value-date=c$2021", "gene-identifier=h"));
    each("{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"http://"
         "hl7.org/fhir/StructureDefinition/patient-mothersMaidenName\","
         "\"valueString\":\"Doe\"}]}",
         LIST("mothersMaidenName=doe"), LIST("mothersMaidenName=http"));
}


/* The parts of a composite may ask the resource around them. */
static void
test_windows(void **state)
{
    each("{\"resourceType\":\"MolecularSequence\",\"referenceSeq\":"
         "{\"chromosome\":{\"coding\":[{\"code\":\"1\"}]},"
         "\"windowStart\":10,\"windowEnd\":20},\"variant\":[{\"start\":5,"
         "\"end\":8},{\"start\":30,\"end\":40}]}",
         LIST("chromosome-variant-coordinate=1$gt3$lt10",
              "chromosome-variant-coordinate=1$30$40",
              "chromosome-window-coordinate=1$lt11$gt19"),
         LIST("chromosome-variant-coordinate=2$gt3$lt10",
              "chromosome-variant-coordinate=1$gt10$lt35",
              "chromosome-window-coordinate=1$lt10$gt19"));
}


/* What leads to canonicals: by where(), by paths; and what does not. */
static void
test_by_url(void **state)
{
    static const struct {
        const char  *type, *code;
        bool         by_url;
    } t[] = {
        { "ActivityDefinition", "composed-of", true },
        { "ActivityDefinition", "depends-on", true },
        { "Measure", "derived-from", true },
        { "PlanDefinition", "predecessor", true },
        { "Library", "successor", true },
        { "QuestionnaireResponse", "questionnaire", true },
        { "CarePlan", "instantiates-canonical", true },
        { "ConceptMap", "source", true },
        { "Composition", "related-ref", false },
        { "Observation", "patient", false },
        { "Task", "patient", false }
    };
    const hie_parameter_t    *p;
    size_t                    i;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        p = hie_search_param(search, hie_type_find(hie_str(t[i].type)),
                             hie_str(t[i].code));
        assert_non_null(p);
        if (p->by_url != t[i].by_url) {
            fail_msg("%s %s", t[i].type, t[i].code);
        }
    }
}


static void
test_chains(void **state)
{
    int              i;
    hie_error_t      err;
    hie_criterion_t  c;

    ask_well("Observation", "subject:Patient.name=x", &c);
    assert_int_equal(c.kind, HIE_CRITERION_CHAIN);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Patient);
    assert_int_equal(c.chains[0].param,
                     hie_search_param_key("Observation", "subject"));
    assert_false(c.chains[0].canonical);
    assert_int_equal(c.chains[0].criteria->n, 1);
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_STRINGS);
    assert_true(c.chains[0].criteria->criteria[0].texts[0].of.slot
                == hie_search_param_key("Patient", "name"));

    /* Patient, Group, Device and Location: two of them have a name */
    ask_well("Observation", "subject.name:exact=x", &c);
    assert_true(c.n >= 1 && c.n < 4);
    ask_well("Observation", "subject:Patient.name:missing=true", &c);
    assert_true(c.chains[0].criteria->criteria[0].negate);
    ask_well("Observation", "patient.organization.name=x", &c);
    assert_int_equal(c.n, 1);

    /* what goes by url */
    ask_well("QuestionnaireResponse", "questionnaire.title=x", &c);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Questionnaire);
    assert_true(c.chains[0].canonical);

    /* a way with such a value, and others */
    ask_well("Provenance", "target.date=2000", &c);
    for (i = 0; i < c.n; i++) {
        assert_int_equal(c.chains[i].criteria->criteria[0].kind,
                         HIE_CRITERION_DATES);
    }

    assert_int_equal(ask("Measure", "depends-on.depends-on.depends-on.url=x",
                         &c, &err), HIE_TOO_COSTLY);
    assert_int_equal(ask("Provenance", "target.date=x", &c, &err),
                     HIE_INVALID);
    assert_int_equal(ask("Provenance", "target.nothing=x", &c, &err),
                     HIE_NOT_FOUND);
}


static void
test_referrers(void **state)
{
    hie_criterion_t  c;

    ask_well("Patient", "_has:Observation:patient:_has:Provenance:target:"
             "agent=x", &c);
    assert_int_equal(c.kind, HIE_CRITERION_HAS);
    assert_int_equal(c.chains[0].type, HIE_TYPE_Observation);
    assert_int_equal(c.chains[0].param,
                     hie_search_param_key("Observation", "subject"));
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_HAS);
    ask_well("Observation", "subject:Patient._has:Group:member:_id=1", &c);
    assert_int_equal(c.kind, HIE_CRITERION_CHAIN);
    ask_well("Measure", "_has:MeasureReport:measure:status=complete", &c);
    assert_true(c.chains[0].canonical);

    ask_well("Patient", "_list=7,8", &c);
    assert_int_equal(c.kind, HIE_CRITERION_HAS);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.chains[0].type, HIE_TYPE_List);
    assert_int_equal(c.chains[0].param, hie_search_param_key("List", "item"));
    assert_int_equal(c.chains[0].criteria->criteria[0].kind,
                     HIE_CRITERION_IDS);
    assert_int_equal(c.chains[0].criteria->criteria[0].n, 2);
}


static hie_rc_t
ask_of(const hie_type_t *types, int n, const char *query, hie_criterion_t *c,
       hie_error_t *err)
{
    hie_str_t           name, value;
    hie_search_rules_t  rules = rules_of_search();

    name = hie_str_split(hie_str(query), '=', &value);
    return hie_search_criterion_of(search, types, n, name, value, &rules, pool,
                                   c, err);
}


static void
test_types(void **state)
{
    hie_error_t       err;
    hie_criterion_t   c;
    const hie_str_t   codes[] = { HIE_STR("s|a"), HIE_STR("s|b") };
    const hie_type_t  some[] = { HIE_TYPE_Condition, HIE_TYPE_Observation };
    const hie_type_t  other[] = { HIE_TYPE_Patient, HIE_TYPE_Observation };

    assert_int_equal(ask_of(some, 2, "code=a,b", &c, &err), HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_TOKENS);
    assert_int_equal(c.n, 4);
    assert_true(c.keys[3] == hie_search_key(hie_search_param_key("Observation",
                                                                 "code"),
                                            HIE_STR("b")));
    assert_true(hie_str_eqz(c.source, "code=a,b"));

    assert_int_equal(ask_of(some, 2, "code:missing=true", &c, &err), HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_PRESENT);
    assert_true(c.n_params == 2 && c.negate);
    assert_int_equal(ask_of(some, 2, "_lastUpdated=gt2020", &c, &err), HIE_OK);
    assert_int_equal(c.n, 1);
    assert_int_equal(ask_of(some, 2, "_id=x", &c, &err), HIE_OK);
    assert_int_equal(c.n, 1);
    assert_int_equal(ask_of(some, 2, "_text=x", &c, &err), HIE_OK);
    assert_int_equal(c.n, 1);
    assert_int_equal(ask_of(some, 2, "subject:Patient.name=x", &c, &err),
                     HIE_OK);
    assert_int_equal(c.n, 2);
    assert_int_not_equal(c.chains[0].param, c.chains[1].param);
    assert_int_equal(ask_of(some, 2, "_has:List:item:code=x", &c, &err),
                     HIE_OK);
    assert_int_equal(c.n, 1);

    assert_int_equal(ask_of(some, 2, "code:in=http://v", &c, &err), HIE_OK);
    assert_int_equal(c.kind, HIE_CRITERION_CODES);
    assert_int_equal(c.n, 1);
    hie_search_codes(&c, codes, 2, pool);
    assert_int_equal(c.kind, HIE_CRITERION_TOKENS);
    assert_int_equal(c.n, 4);

    assert_int_equal(ask_of(other, 2, "code=a", &c, &err), HIE_NOT_FOUND);
    assert_non_null(strstr(err.detail, "Patient"));
    assert_int_equal(ask_of(other, 2, "_has:Flag:encounter:code=a", &c, &err),
                     HIE_INVALID);
}


/* The same name is not the same kind everywhere. */
static void
test_kinds(void **state)
{
    hie_error_t       err;
    hie_criterion_t   c;
    const hie_type_t  type[] = { HIE_TYPE_Account,
                                 HIE_TYPE_StructureDefinition };
    const hie_type_t  start[] = { HIE_TYPE_GraphDefinition, HIE_TYPE_Slot };

    assert_int_equal(ask_of(type, 2, "type=x", &c, &err), HIE_INVALID);
    assert_non_null(strstr(err.detail, "StructureDefinition"));
    assert_int_equal(ask_of(start, 2, "start=2020", &c, &err), HIE_INVALID);
    assert_int_equal(ask_of(start + 1, 1, "start=2020", &c, &err), HIE_OK);
}


static void
test_rows(void **state)
{
    hie_error_t      err;
    hie_criterion_t  c;

    ask_well("Patient", "_id:missing=true", &c);
    assert_int_equal(c.kind, HIE_CRITERION_TOKENS);
    assert_true(c.n == 0 && !c.negate);
    ask_well("Patient", "_lastUpdated:missing=false", &c);
    assert_true(c.n == 0 && c.negate);

    ask_well("Patient", "_text=Bone, Heart", &c);
    assert_int_equal(c.kind, HIE_CRITERION_TEXT);
    assert_int_equal(c.texts[1].match, HIE_TEXT_NARRATIVE);
    assert_true(hie_str_eqz(c.texts[1].value, "heart"));
    ask_well("Binary", "_content=x", &c);
    assert_int_equal(c.texts[0].match, HIE_TEXT_CONTENT);
    assert_int_equal(ask("Binary", "_text=x", &c, &err), HIE_NOT_FOUND);
    assert_int_equal(ask("Patient", "_text:missing=true", &c, &err),
                     HIE_INVALID);
    assert_int_equal(ask("Patient", "_query=x", &c, &err), HIE_NOT_FOUND);

    ask_well("Patient", "_profile:below=http://x", &c);
    assert_int_equal(c.kind, HIE_CRITERION_TERMS);
    assert_true(c.texts[0].of.slot
                == hie_search_param_key("Patient", "_profile"));
    ask_well("Observation", "code:text=Heart", &c);
    assert_int_equal(c.kind, HIE_CRITERION_TERMS);
    assert_true(c.texts[0].of.slot
                == hie_search_param_key("Observation", "code:text"));
}


static void
test_errors(void **state)
{
    int              i;
    hie_error_t      err;
    hie_criterion_t  c;
    static const struct {
        const char  *type;
        const char  *query;
        hie_rc_t     rc;
    } cases[] = {
        { "Patient", "nam=x", HIE_NOT_FOUND },
        { "Patient", "code=x", HIE_NOT_FOUND },
        { "Patient", "name:exac=x", HIE_INVALID },
        { "Patient", "birthdate=2000-13", HIE_INVALID },
        { "Patient", "birthdate=2001-02-29", HIE_INVALID },
        { "Patient", "birthdate=xx2001", HIE_INVALID },
        { "Patient", "birthdate=", HIE_INVALID },
        { "Patient", "birthdate=2000,", HIE_INVALID },
        { "Patient", "name:missing=maybe", HIE_INVALID },
        { "Patient", "identifier=|", HIE_INVALID },
        { "Patient", "identifier:of-type=a|b", HIE_INVALID },
        { "Patient", "_id=a b", HIE_INVALID },
        { "Patient", "name.family=x", HIE_INVALID },
        { "Patient", "_has:Observation:code:code=x", HIE_INVALID },
        { "Patient", "_has:Observation:patient=x", HIE_INVALID },
        { "Patient", "_has:Nothing:patient:code=x", HIE_INVALID },
        { "Observation", "value-quantity=abc", HIE_INVALID },
        { "Observation", "value-quantity=1|s", HIE_INVALID },
        { "Observation", "code-value-quantity=8480-6", HIE_INVALID },
        { "Observation", "code-value-quantity=a$1$2", HIE_INVALID },
        { "Observation", "subject:Encounter=1", HIE_INVALID },
        { "Observation", "patient:Patient=Group/1", HIE_INVALID },
        { "Observation", "patient.general-practitioner.organization."
          "partof.partof.name=x", HIE_INVALID },
        { "RiskAssessment", "probability=1|s|c", HIE_INVALID },
    };

    for (i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++) {
        if (ask(cases[i].type, cases[i].query, &c, &err) != cases[i].rc) {
            fail_msg("%s?%s", cases[i].type, cases[i].query);
        }

        assert_true(err.detail[0] != '\0');
    }
}


/* Every key is its own: two parameters of R4 never share one. */
static int
compare_u32(const void *va, const void *vb)
{
    uint32_t  a = *(const uint32_t *) va, b = *(const uint32_t *) vb;

    return (a > b) - (a < b);
}


static void
test_keys(void **state)
{
    size_t                     i, k, n, m;
    uint32_t                  *keys;
    hie_type_t                 t, b;
    const hie_parameter_t     *p;
    const hie_search_param_t  *rows;

    keys = apr_palloc(pool, sizeof(*keys) * 20000);
    for (t = 1, m = 0; t < hie_n_types; t++) {
        if (hie_types[t].kind != HIE_KIND_RESOURCE || hie_types[t].abstract) {
            continue;
        }

        for (b = t; b != HIE_TYPE_NONE; b = hie_types[b].base) {
            rows = hie_search_params_of(b, &n);
            for (k = 0; k < n; k++) {
                p = hie_search_param(search, t, hie_str(rows[k].code));
                if (strcmp(rows[k].code, "_query") == 0) {
                    assert_null(p);
                    continue;
                }

                assert_non_null(p);
                keys[m++] = p->key;
                keys[m++] = p->text_key;
            }
        }
    }

    assert_true(m > 4000);
    qsort(keys, m, sizeof(*keys), compare_u32);
    for (i = 1; i < m; i++) {
        assert_int_not_equal(keys[i - 1], keys[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_implied_systems),
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_composites),
        cmocka_unit_test(test_corrected),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_by_url),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_referrers),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, search_setup, search_teardown);
}
