/*
 * A few hundred documents, always the same ones: with values that are missing,
 * several, open, in other units, in other scripts; with references to each
 * other, to what is not there and to what was deleted.
 */

#include "docs_tool.h"

#include <apr_strings.h>

#define PATIENTS      40
#define OBSERVATIONS  150

#define PICK(list, i)  (list)[(i) % (int) (sizeof(list) / sizeof((list)[0]))]
#define SOMETIMES(i, n, text)  ((i) % (n) == 0 ? (text) : "")

static const char *const  families[] = {
    "Anders", "andersson", "\xc3\x85ngstr\xc3\xb6m", "O'Neill", "M\xc3\xbcller",
    "100%_\\\\x", "van der Berg", "Zhu", "\xe5\xbc\xa0", "A",
    "Smith", "smithers"
};
static const char *const  given[] = { "Ann", "Bob", "Zo\xc3\xab", "Ann" };
static const char *const  births[] = {
    "1970", "1970-05", "1970-05-12", "2000-02-29", "1999-12-31", "2000-01-01",
    "1934-07"
};
static const char *const  times[] = {
    "\"effectiveDateTime\":\"2020\"", "\"effectiveDateTime\":\"2020-06\"",
    "\"effectiveDateTime\":\"2020-06-15T12:00:00+02:00\"",
    "\"effectivePeriod\":{\"start\":\"2020-01-10\",\"end\":\"2020-01-20\"}",
    "\"effectivePeriod\":{\"start\":\"2020-06-01\"}",
    "\"effectivePeriod\":{\"end\":\"2019-12-31\"}",
    "\"effectiveInstant\":\"2020-06-15T10:00:00.123Z\"",
    ("\"effectiveTiming\":{\"event\":[\"2019-05-05\",\"2020-06-15\","
     "\"2021-01-01\"]}"),
    "\"issued\":\"2020-01-01T00:00:00Z\""
};

#define UCUM  "\"system\":\"http://unitsofmeasure.org\",\"code\":"

static const char *const  values[] = {
    "\"valueQuantity\":{\"value\":5.4," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":5.40," UCUM "\"mg\",\"unit\":\"milligram\"}",
    "\"valueQuantity\":{\"value\":0.0054," UCUM "\"g\"}",
    "\"valueQuantity\":{\"value\":6," UCUM "\"mg\"}",
    /* the same numbers when they are rounded to doubles */
    "\"valueQuantity\":{\"value\":0.1000000000000000000001," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":0.1000000000000000000002," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":0.1000000000000000000003," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":5.4,\"unit\":\"mg\"}",
    /* all digits that a double has */
    "\"valueQuantity\":{\"value\":40.453114921178994," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":-3.25," UCUM "\"Cel\"}",
    "\"valueQuantity\":{\"value\":7,\"comparator\":\"<\"," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":2,\"comparator\":\">=\"," UCUM "\"mg\"}",
    "\"valueQuantity\":{\"value\":120," UCUM "\"mm[Hg]\"}",
    "\"valueString\":\"Heart \xc3\xa9lan\"",
    ("\"valueCodeableConcept\":{\"coding\":[{\"system\":\"http://v\","
     "\"code\":\"pos\"}],\"text\":\"Positive result\"}"),
    "\"valueDateTime\":\"2020-03\"",
    "\"valuePeriod\":{\"start\":\"2020-01-01\",\"end\":\"2020-02-01\"}",
    "\"dataAbsentReason\":{\"text\":\"unknown\"}"
};
static const char *const  codes[] = {
    "{\"coding\":[{\"system\":\"http://loinc.example\",\"code\":\"8480-6\","
    "\"display\":\"Systolic pressure\"}]}",
    "{\"coding\":[{\"system\":\"http://loinc.example\",\"code\":\"8462-4\"},"
    "{\"system\":\"http://other.example\",\"code\":\"dia\"}],"
    "\"text\":\"Diastolic blood pressure\"}",
    "{\"coding\":[{\"code\":\"8480-6\"}],\"text\":\"Heart failure\"}",
    "{\"text\":\"Heart rate\"}",
    "{\"coding\":[{\"system\":\"http://loinc.example\",\"code\":\"29463-7\"}]}"
};
static const char *const  statuses[] = {
    "final", "amended", "preliminary", "final"
};


static void
add_organizations(void)
{
    int  i;

    for (i = 0; i < 6; i++) {
        docs_add("Organization", apr_psprintf(pool, "org%d", i),
                 "\"name\":\"%s clinic\"%s%s", PICK(families, i * 5),
                 i > 0 ? apr_psprintf(pool, ",\"partOf\":{\"reference\":"
                                      "\"Organization/org%d\"}", i / 2) : "",
                 SOMETIMES(i, 2, ",\"alias\":[\"Zeta\",\"alpha\"]"));
    }
    for (i = 0; i < 5; i++) {
        docs_add("Practitioner", apr_psprintf(pool, "doc%d", i),
                 "\"name\":[{\"family\":\"%s\"}],\"identifier\":[{\"system\":"
                 "\"urn:d\",\"value\":\"%d\"}]", PICK(families, i), i);
    }
}


static void
add_patients(void)
{
    const char  *managing;
    int          i;

    for (i = 0; i < PATIENTS; i++) {
        managing = i % 5 == 4 ? "" : apr_psprintf(pool,
                    ",\"managingOrganization\":{\"reference\":"
                    "\"%sOrganization/org%d\"}",
                    i % 3 ? "" : DOCS_BASE "/", i % 8);
        docs_add("Patient", apr_psprintf(pool, "p%d", i),
                 "\"name\":[{\"family\":\"%s\",\"given\":[\"%s\",\"%s\"]}%s]"
                 "%s%s%s,\"gender\":\"%s\",\"identifier\":[{\"system\":"
                 "\"urn:mrn\",\"value\":\"%d\"}%s]%s",
                 PICK(families, i * 7), PICK(given, i), PICK(given, i / 2),
                 SOMETIMES(i, 4, ",{\"family\":\"Former\",\"use\":\"old\"}"),
                 i % 6 == 5 ? "" : apr_psprintf(pool,
                     ",\"birthDate\":\"%s\"", PICK(births, i)),
                 managing, SOMETIMES(i, 3, ",\"active\":true"),
                 i % 2 ? "male" : "female", i,
                 SOMETIMES(i, 5, ",{\"value\":\"loose,a|b\"}"),
                 SOMETIMES(i, 4, ",\"text\":{\"status\":\"generated\","
                           "\"div\":\"<div xmlns='http://www.w3.org/1999/"
                           "xhtml'>Prone to <b>falls</b>, deaf</div>\"}"));
    }
    docs_add("Group", "g0", "\"type\":\"person\",\"actual\":true,\"member\":["
             "{\"entity\":{\"reference\":\"Patient/p1\"}},{\"entity\":"
             "{\"reference\":\"Patient/p2\"}}],\"name\":\"Anders group\"");
}


static const char *
subject(int i)
{
    switch (i % 12) {
    case 7:
        return "";
    case 8:
        return ",\"subject\":{\"reference\":\"Group/g0\"}";
    case 9:
        return ",\"subject\":{\"reference\":\"Patient/none\"}";
    case 10:
        return apr_psprintf(pool, ",\"subject\":{\"reference\":\"Patient/p%d"
                            "/_history/1\"}", i % PATIENTS);
    case 11:
        return apr_psprintf(pool, ",\"subject\":{\"identifier\":{\"system\":"
                            "\"urn:mrn\",\"value\":\"%d\"},\"display\":"
                            "\"Somebody\"}", i % PATIENTS);
    default:
        return apr_psprintf(pool, ",\"subject\":{\"reference\":\"Patient/p%d"
                            "\"}", i * 3 % PATIENTS);
    }
}


static void
add_observations(void)
{
    int  i;

    for (i = 0; i < OBSERVATIONS; i++) {
        docs_add("Observation", apr_psprintf(pool, "o%d", i),
                 "\"status\":\"%s\",\"code\":%s%s%s%s%s%s%s%s",
                 PICK(statuses, i), PICK(codes, i / 2), subject(i),
                 i % 10 == 9 ? "" : ",",
                 i % 10 == 9 ? "" : PICK(times, i * 5),
                 i % 8 == 6 ? "" : ",",
                 i % 8 == 6 ? "" : PICK(values, i * 3),
                 i % 4 ? "" : apr_psprintf(pool, ",\"component\":[{\"code\":%s,"
                     "%s},{\"code\":%s,%s}]", PICK(codes, i / 3),
                     PICK(values, i / 4), PICK(codes, i / 5),
                     PICK(values, i / 7)),
                 i % 3 ? "" : apr_psprintf(pool, ",\"encounter\":{\"reference\""
                     ":\"Encounter/e%d\"},\"performer\":[{\"reference\":"
                     "\"Practitioner/doc%d\"},{\"reference\":"
                     "\"Organization/org%d\"}]", i % 20, i % 7, i % 3));
    }
}


static void
add_care(void)
{
    int  i;

    for (i = 0; i < 20; i++) {
        docs_add("Encounter", apr_psprintf(pool, "e%d", i),
                 "\"status\":\"finished\",\"class\":{\"code\":\"AMB\"}%s%s%s",
                 subject(i), i % 3 == 2 ? "" : apr_psprintf(pool,
                     ",\"length\":{\"value\":%d,\"system\":"
                     "\"http://unitsofmeasure.org\",\"code\":\"%s\"}",
                     i, i % 2 ? "min" : "h"),
                 i % 5 ? apr_psprintf(pool, ",\"period\":{\"start\":"
                     "\"20%02d-01-01\"},\"partOf\":{\"reference\":"
                     "\"Encounter/e%d\"}", 10 + i, i / 2) : "");
        docs_add("Condition", apr_psprintf(pool, "c%d", i), "\"code\":%s,"
                 "\"subject\":{\"reference\":\"Patient/p%d\"}%s",
                 PICK(codes, i), i, i % 2 ? ",\"onsetDateTime\":\"2019\""
                 : ",\"onsetAge\":{\"value\":30,\"system\":"
                   "\"http://unitsofmeasure.org\",\"code\":\"a\"}");
        docs_add("RiskAssessment", apr_psprintf(pool, "r%d", i),
                 "\"status\":\"final\"%s,\"prediction\":[%s{\"probability"
                 "Decimal\":0.%d}]", subject(i),
                 SOMETIMES(i, 4, "{\"probabilityRange\":{\"low\":{\"value\":"
                           "0.1},\"high\":{\"value\":0.3}}},"), i);
        docs_add("Provenance", apr_psprintf(pool, "v%d", i),
                 "\"target\":[{\"reference\":\"Observation/o%d\"},"
                 "{\"reference\":\"Patient/p%d\"}],\"recorded\":"
                 "\"2020-01-01T00:00:00Z\",\"agent\":[{\"who\":{\"reference\":"
                 "\"Practitioner/doc%d\"}}]", i * 6, i, i % 5);
        docs_add("List", apr_psprintf(pool, "l%d", i), "\"status\":\"current\""
                 ",\"mode\":\"working\"%s,\"entry\":[{\"item\":{\"reference\":"
                 "\"Observation/o%d\"}},{\"item\":{\"reference\":"
                 "\"Patient/p%d\"}}]", subject(i), i, i + 1);
    }
}


static void
add_knowledge(void)
{
    static const char *const  urls[] = {
        "http://a.example/q", "http://a.example/q/sub",
        "http://a.example/q/sub/deep", "http://a.example/quite",
        "urn:oid:1.2.3"
    };
    int  i;

    for (i = 0; i < 5; i++) {
        docs_add("ValueSet", apr_psprintf(pool, "vs%d", i), "\"url\":\"%s\","
                 "\"status\":\"active\",\"title\":\"Set %d\"", urls[i], i);
        docs_add("Questionnaire", apr_psprintf(pool, "q%d", i),
                 "\"url\":\"%s\",\"version\":\"%d\",\"status\":\"%s\","
                 "\"title\":\"%s form\"", urls[i % 4], i,
                 i % 2 ? "draft" : "active", PICK(families, i));
        docs_add("Location", apr_psprintf(pool, "loc%d", i), "\"name\":"
                 "\"Place %d\",\"position\":{\"latitude\":%d.25,"
                 "\"longitude\":%s}", i, 42 + i / 3,
                 i == 4 ? "179.99" : i % 2 ? "-83.05" : "-83.50");
        docs_add("MolecularSequence", apr_psprintf(pool, "ms%d", i),
                 "\"coordinateSystem\":0,\"referenceSeq\":{\"chromosome\":"
                 "{\"coding\":[{\"system\":\"http://c\",\"code\":\"1\"}]},"
                 "\"windowStart\":%d,\"windowEnd\":%d},\"patient\":"
                 "{\"reference\":\"Patient/p%d\"}", i * 100, i * 150 + 50, i);
    }
    for (i = 0; i < 20; i++) {
        docs_add("QuestionnaireResponse", apr_psprintf(pool, "qr%d", i),
                 "\"status\":\"%s\",\"questionnaire\":\"%s%s\"%s%s",
                 i % 3 ? "completed" : "amended", PICK(urls, i),
                 SOMETIMES(i, 2, "|1"), subject(i),
                 SOMETIMES(i, 4, ",\"authored\":\"2021-04-04\""));
    }
    docs_add("Location", "southpole", "\"position\":{\"latitude\":-89.999,"
             "\"longitude\":12}");
    docs_add("Location", "date-line", "\"position\":{\"latitude\":46.25,"
             "\"longitude\":-179.99}");
}


/* Documents that contain others, which refer to each other, to documents, and
 * to what contains them. */
static void
add_containers(void)
{
    int  i;

    for (i = 0; i < 12; i++) {
        docs_add("Medication", apr_psprintf(pool, "med%d", i), "\"code\":%s,"
                 "\"manufacturer\":{\"reference\":\"Organization/org%d\"}",
                 PICK(codes, i), i % 7);
        docs_add("MedicationRequest", apr_psprintf(pool, "mr%d", i),
                 "\"status\":\"active\",\"intent\":\"order\"%s,"
                 "\"medicationReference\":{\"reference\":\"%s\"},"
                 "\"contained\":[{\"resourceType\":\"Medication\","
                 "\"id\":\"m\",\"code\":%s,\"manufacturer\":"
                 "{\"reference\":\"%s\"}%s},{\"resourceType\":"
                 "\"Organization\",\"id\":\"o\",\"name\":\"%s\","
                 "\"partOf\":{\"reference\":\"Organization/org%d\"}},"
                 "{\"resourceType\":\"Medication\",\"id\":\"idle\","
                 "\"code\":%s}]", subject(i * 5),
                 i % 4 == 3 ? apr_psprintf(pool, "Medication/med%d", i) : "#m",
                 PICK(codes, i),
                 i % 3 ? "#o" : apr_psprintf(pool, "Organization/org%d", i % 7),
                 SOMETIMES(i, 2, ",\"batch\":{\"lotNumber\":\"L1\","
                           "\"expirationDate\":\"2020-06-15\"}"),
                 PICK(families, i), i % 6, PICK(codes, i + 1));
        docs_add("DiagnosticReport", apr_psprintf(pool, "dr%d", i),
                 "\"status\":\"final\",\"code\":{\"text\":\"report\"}%s,"
                 "\"contained\":[{\"resourceType\":\"Observation\","
                 "\"id\":\"a\",\"status\":\"final\",\"code\":%s,%s,%s,"
                 "\"hasMember\":[{\"reference\":\"#b\"}]},"
                 "{\"resourceType\":\"Observation\",\"id\":\"b\","
                 "\"status\":\"amended\",\"code\":%s,%s,"
                 "\"subject\":{\"reference\":\"#p\"},"
                 "\"hasMember\":[{\"reference\":\"Observation/o%d\"}]},"
                 "{\"resourceType\":\"Patient\",\"id\":\"p\","
                 "\"name\":[{\"family\":\"%s\"}],\"birthDate\":\"%s\"}],"
                 "\"result\":[{\"reference\":\"#a\"},"
                 "{\"reference\":\"#none\"}]", subject(i),
                 PICK(codes, i), PICK(times, i), PICK(values, i * 3),
                 PICK(codes, i / 2), PICK(values, i), i * 3,
                 PICK(families, i), PICK(births, i));
        docs_add("QuestionnaireResponse", apr_psprintf(pool, "own%d", i),
                 "\"status\":\"completed\",\"questionnaire\":\"#q\"%s,"
                 "\"contained\":[{\"resourceType\":\"Questionnaire\","
                 "\"id\":\"q\",\"url\":\"http://a.example/q\","
                 "\"status\":\"%s\",\"title\":\"%s\"}]", subject(i),
                 i % 2 ? "draft" : "active", PICK(families, i));
        docs_add("Encounter", apr_psprintf(pool, "outer%d", i),
                 "\"status\":\"finished\",\"class\":{\"code\":\"AMB\"},"
                 "\"length\":{\"value\":%d,\"system\":"
                 "\"http://unitsofmeasure.org\",\"code\":\"min\"}%s,"
                 "\"partOf\":{\"reference\":\"#in\"},\"contained\":["
                 "{\"resourceType\":\"Encounter\",\"id\":\"in\","
                 "\"status\":\"planned\",\"class\":{\"code\":\"IMP\"},"
                 "\"partOf\":{\"reference\":\"#\"}}]", i * 20,
                 subject(i * 3));
    }
}


/* With labels, and what was something else before or is no more. */
static void
add_changed(void)
{
    docs_add("Observation", "o150", "\"meta\":{\"tag\":[{\"system\":\"urn:t\","
             "\"code\":\"new\"}],\"profile\":[\"http://a.example/q/sub\"]},"
             "\"status\":\"final\",\"code\":%s,\"valueString\":\"Heart\"",
             codes[0]);
    docs_add("Patient", "changed", "\"name\":[{\"family\":\"Anders\"}],"
             "\"birthDate\":\"1970\",\"gender\":\"male\"");
    docs_add("Patient", "gone", "\"name\":[{\"family\":\"Anders\"}],"
             "\"managingOrganization\":{\"reference\":"
             "\"Organization/org1\"}");
    docs_add("Observation", "of-gone", "\"status\":\"final\",\"code\":%s,"
             "\"subject\":{\"reference\":\"Patient/gone\"}", codes[0]);
    docs_store();
    docs_add("Patient", "changed", "\"name\":[{\"family\":\"Zhu\"}]");
    docs_delete("Patient", "gone");
    docs_delete("DiagnosticReport", "dr2");
    docs_add("MedicationRequest", "mr0", "\"status\":\"active\","
             "\"intent\":\"order\",\"medicationReference\":{\"reference\":"
             "\"Medication/med0\"}");
    docs_add("MedicationRequest", "mr4", "\"status\":\"active\","
             "\"intent\":\"order\",\"medicationReference\":{\"reference\":"
             "\"#m\"},\"contained\":[{\"resourceType\":\"Medication\","
             "\"id\":\"m\",\"code\":%s,\"status\":\"inactive\"}]",
             codes[3]);
    docs_store();
}


void
docs_populate(void)
{
    add_organizations();
    add_patients();
    add_observations();
    add_care();
    add_knowledge();
    add_containers();
    add_changed();
}


void
docs_restrict(void)
{
    static const struct {
        const char  *patient;
        bool         base_permit;
        const char  *permit;
        const char  *deny;
    } consents[] = {
        { "p0", false, NULL, NULL },
        { "p1", false, "Organization/me", NULL },
        { "p2", true, NULL, "Organization/me" },
        { "p3", true, NULL, NULL },
        { "p6", true, NULL, "Organization/other" },
        { "p9", false, NULL, "Organization/me" },
        { "p12", true, NULL, NULL },
        { "p15", false, "Organization/me", NULL },
        { "p18", false, NULL, NULL },
        { "p21", true, NULL, NULL },
        { "p24", false, "Organization/other", NULL },
        { "p30", true, NULL, NULL },
        { "p33", true, NULL, "Organization/me" }
    };
    size_t  i;

    for (i = 0; i < sizeof(consents) / sizeof(consents[0]); i++) {
        docs_consent(consents[i].patient, consents[i].base_permit,
                     consents[i].permit, consents[i].deny);
    }
    docs_store();
}
