/* hl7v2: from messages to FHIR. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "fhir/fhir.h"
#include "hl7v2/hl7v2.h"

#define ADT(event, version)                                                   \
    "MSH|^~\\&|APP|FAC^1.2.3^ISO|||20240102||ADT^" event "|M1|P|" version "\r"
#define ORU  "MSH|^~\\&|LAB|North Lab|||20240102||ORU^R01|M1|P|2.5\r"
#define PID  "PID|1||7^^^H^MR||Test^Ann\r"

static const hie_hl7_options_t   options = { "urn:id:", "+01:00" };
static apr_pool_t               *pool;


static int
setup(void **state)
{
    pool = hie_pool_create(NULL, "test");
    return 0;
}


static int
teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


static hie_str_t
bundle_of(hie_str_t message)
{
    hie_hl7_t    *m;
    hie_error_t   err;
    hie_str_t     bundle = HIE_STR_NONE;

    if (hie_hl7_parse(pool, message, &m, &err) != HIE_OK
        || hie_hl7_to_fhir(m, &options, pool, &bundle, &err) != HIE_OK)
    {
        fail_msg("%s: %s", err.where, err.detail);
    }
    return bundle;
}


static hie_doc_t *
transform(hie_str_t message)
{
    hie_doc_t    *d;
    hie_error_t   err;

    if (hie_doc_parse(pool, bundle_of(message), 64, &d, &err) != HIE_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }
    return d;
}


static void
refused(hie_str_t message, hie_rc_t rc, const char *where)
{
    hie_hl7_t    *m;
    hie_error_t   err = { .rc = 0 };
    hie_str_t     bundle;

    assert_int_equal(hie_hl7_parse(pool, message, &m, NULL), HIE_OK);
    assert_int_equal(hie_hl7_to_fhir(m, &options, pool, &bundle, &err), rc);
    assert_null(bundle.ptr);
    assert_string_equal(err.where, where);
    assert_true(err.detail[0] != '\0');
    assert_int_equal(hie_hl7_to_fhir(m, &options, pool, &bundle, NULL), rc);
}


/* A node by a path such as "0.resource.name.0.family" below Bundle.entry. */
static hie_node_t
at(const hie_doc_t *d, const char *path)
{
    hie_node_t  n = hie_doc_member(d, 0, "entry");
    hie_str_t   rest = hie_str(path);
    hie_str_t   step;
    uint64_t    i;

    while (rest.ptr != NULL && n != HIE_NODE_NONE) {
        step = hie_str_split(rest, '.', &rest);
        if (!hie_str_u64(step, &i)) {
            n = hie_doc_member(d, n, hie_str_z(pool, step));
            continue;
        }
        for (n = hie_doc_first(d, n); i > 0 && n != HIE_NODE_NONE; i--) {
            n = hie_doc_next(d, n);
        }
    }
    return n;
}


/* `want` as the JSON text; NULL: it must not be there. */
static void
is(const hie_doc_t *d, const char *path, const char *want)
{
    hie_node_t  n = at(d, path);

    if (n == HIE_NODE_NONE) {
        if (want != NULL) {
            fail_msg("%s is not there in %.*s", path,
                     HIE_PRISTR(hie_doc_bytes(d)));
        }
    } else if (want == NULL || !hie_str_eqz(hie_doc_raw(d, n), want)) {
        fail_msg("%s is %.*s, not %s", path, HIE_PRISTR(hie_doc_raw(d, n)),
                 want != NULL ? want : "absent");
    }
}


#define R  "0.resource."


static void
test_types(void **state)
{
    static const char *const  good[] = { "ADT^A01", "ADT^A04", "ADT^A08",
                                         "ADT^A31^ADT_A05", "ORU^R01",
                                         "ORU^R01^XXX", "ORU" };
    static const char *const  bad[] = { "ADT^A02", "ADT^A40", "ADT",
                                        "ORU^R30" };
    static const char *const  worse[] = { "ACK^A01", "ACK", "RSP^K22",
                                          "ORM^O01", "", "adt^A01" };
    const char               *form = "MSH|^~\\&|||||||%s|M1|P|2.5\r" PID;
    size_t                    i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is(transform(hie_str(apr_psprintf(pool, form, good[i]))),
           "0.resource.resourceType", "\"Patient\"");
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(hie_str(apr_psprintf(pool, form, bad[i])), HIE_UNSUPPORTED,
                "MSH^1^9^1^2");
    }
    for (i = 0; i < sizeof(worse) / sizeof(worse[0]); i++) {
        refused(hie_str(apr_psprintf(pool, form, worse[i])), HIE_UNSUPPORTED,
                "MSH^1^9^1^1");
    }
    is(transform(HIE_STR("MSH|^~\\&|||||||ADT|M1|P|2.1\rEVN|A04\r" PID)),
       "0.request.method", "\"PUT\"");
}


static void
test_unprocessable(void **state)
{
    refused(HIE_STR(ADT("A01", "2.5")), HIE_UNPROCESSABLE, "PID^1^3");
    refused(HIE_STR(ORU), HIE_UNPROCESSABLE, "PID^1^3");
    refused(HIE_STR(ADT("A01", "2.5") "PID|1\r"), HIE_UNPROCESSABLE,
            "PID^1^3");
    refused(HIE_STR(ADT("A01", "2.5") "PID|1||^^^H^MR~\"\"||X\r"),
            HIE_UNPROCESSABLE, "PID^1^3");
    refused(HIE_STR(ADT("A01", "2.5") PID PID), HIE_UNPROCESSABLE, "PID^2");
    refused(HIE_STR(ORU "OBR|1\rOBX|1\r" PID), HIE_UNPROCESSABLE, "PID^1^3");
    refused(HIE_STR("MSH|^~\\&|||||||ADT^A01||P|2.5\r" PID),
            HIE_UNPROCESSABLE, "MSH^1^10");
}


static void
match(const char *pid3, const char *query)
{
    hie_doc_t  *d;

    d = transform(hie_str(apr_psprintf(pool, ADT("A08", "2.5")
                                       "PID|1||%s||Test\r", pid3)));
    is(d, "0.request.method", "\"PUT\"");
    is(d, "0.request.ifNoneExist", NULL);
    is(d, "0.request.url", apr_pstrcat(pool, "\"Patient?identifier=", query,
                                       "\"", NULL));
}


static void
test_match(void **state)
{
    match("1^^^A^PI~2^^^B^MR", "urn%3Aid%3AB|2");
    match("1~2^^^B^PI~3^^^C^PI", "urn%3Aid%3AB|2");
    match("1~2", "urn%3Aid%3AFAC|1");
    match("^^^A^MR~2^^^&1.2.840&ISO", "urn%3Aoid%3A1.2.840|2");
    match("1^^^N&1.2.840&ISO^MR", "urn%3Aoid%3A1.2.840|1");
    match("1^^^N&1.02&ISO^MR", "urn%3Aid%3AN|1");
    match("1^^^N&05D2222542&CLIA^MR", "urn%3Aid%3AN|1");
    match("1^^^&05D2222542&CLIA^MR", "urn%3Aid%3A05D2222542|1");
    match("1^^^N&0F8FAD5B-D9CB-469F-A165-70867728950E&UUID^MR",
          "urn%3Auuid%3A0f8fad5b-d9cb-469f-a165-70867728950e|1");
    match("1^^^N&http://x.example/a b&URI^MR",
          "http%3A%2F%2Fx.example%2Fa%2520b|1");
    match("1^^^North Hospital^MR", "urn%3Aid%3ANorth%2520Hospital|1");
    match("a\\F\\b,c$\\E\\^^^H^MR", "urn%3Aid%3AH|a%5C%7Cb%5C%2Cc%5C%24%5C%5C");
    is(transform(HIE_STR("MSH|^~\\&|||||||ADT^A01|1|P|2.5\rPID|1||9\r")),
       "0.request.url", "\"Patient?identifier=urn%3Aid%3Aunknown|9\"");
}


static void
test_patient(void **state)
{
    hie_doc_t  *d;

    d = transform(HIE_STR(ADT("A01", "2.5")
        "PID|1|X1|7^^^H^MR~123-45-6789^^^^SS~5^^^^ODD||Doe^Jane^Q^Jr^Dr^^L~^^^"
        "^^^N|Roe|198002291530|F|Alias^A||1 Main St&Main&1^Apt 2^Town^ST^12345"
        "^US^H~^^^^^^M|CTY|555-1212^PRN^PH~^NET^Internet^a@b.example|^WPN^CP^"
        "^1^212^5551234^9|en|M|||123-45-6789||||Town|Y|2||||20240101\r"));
    is(d, R "identifier.0.system", "\"urn:id:H\"");
    is(d, R "identifier.0.type.coding.0.code", "\"MR\"");
    is(d, R "identifier.2.type.text", "\"ODD\"");
    is(d, R "identifier.3.value", "\"X1\"");
    is(d, R "identifier.4.system", "\"http://hl7.org/fhir/sid/us-ssn\"");
    is(d, R "name.0", "{\"family\":\"Doe\",\"given\":[\"Jane\",\"Q\"],"
       "\"prefix\":[\"Dr\"],\"suffix\":[\"Jr\"],\"use\":\"official\"}");
    is(d, R "name.1.family", "\"Alias\"");
    is(d, R "name.2", NULL);
    is(d, R "extension.0.valueString", "\"Roe\"");
    is(d, R "birthDate", "\"1980-02-29\"");
    is(d, R "_birthDate.extension.0.valueDateTime",
       "\"1980-02-29T15:30:00+01:00\"");
    is(d, R "gender", "\"female\"");
    is(d, R "address.0", "{\"line\":[\"1 Main St\",\"Main\",\"1\",\"Apt 2\"],"
       "\"city\":\"Town\",\"state\":\"ST\",\"postalCode\":\"12345\","
       "\"country\":\"US\",\"use\":\"home\"}");
    is(d, R "address.1", "{\"district\":\"CTY\"}");
    is(d, R "telecom.0", "{\"system\":\"phone\",\"value\":\"555-1212\","
       "\"use\":\"home\"}");
    is(d, R "telecom.1", "{\"system\":\"email\",\"value\":\"a@b.example\"}");
    is(d, R "telecom.2", "{\"system\":\"phone\","
       "\"value\":\"+1 212 5551234 X9\",\"use\":\"mobile\"}");
    is(d, R "communication.0.language.coding.0.code", "\"en\"");
    is(d, R "maritalStatus.coding.0", "{\"system\":\"http://terminology.hl7."
       "org/CodeSystem/v3-MaritalStatus\",\"code\":\"M\",\"display\":"
       "\"Married\"}");
    is(d, R "maritalStatus.coding.1", NULL);
    is(d, R "multipleBirthInteger", "2");
    is(d, R "deceasedDateTime", "\"2024-01-01\"");
    is(d, "1", NULL);
}


static void
test_patient_odd(void **state)
{
    hie_doc_t  *d;

    d = transform(HIE_STR(ADT("A31", "2.5")
        "PID|1||7||\"\"||19801301|q||||||||P||||||||N|||||\"\"|Y\r"
        "NK1|1|Roe^Al|MTH|||||20200101\rNK1|2||FTH\r"));
    is(d, R "birthDate", NULL);
    is(d, R "_birthDate.extension.0.valueCode", "\"error\"");
    is(d, R "_birthDate.extension.1.valueString", "\"19801301\"");
    is(d, R "gender", "\"unknown\"");
    is(d, R "_gender.extension.0.valueCodeableConcept.coding.0.code", "\"q\"");
    is(d, R "maritalStatus.coding.0.code", "\"T\"");
    is(d, R "maritalStatus.coding.1.code", "\"P\"");
    is(d, R "multipleBirthBoolean", "false");
    is(d, R "deceasedDateTime", NULL);
    is(d, R "deceasedBoolean", "true");
    is(d, R "contact.0.name.family", "\"Roe\"");
    is(d, R "contact.0.relationship.0.coding.0.code", "\"MTH\"");
    is(d, R "contact.0.period.start", "\"2020-01-01\"");
    is(d, R "contact.1", NULL);
    is(d, R "name", NULL);
    is(d, R "extension", NULL);
}


static void
test_text_is_kept(void **state)
{
    hie_doc_t  *d;

    d = transform(HIE_STR(ADT("A01", "2.5") "PID|1||7||\"Q\"\\E\\\\T\\"
                          "\xc3\xa4^\\X01\\x\r"));
    is(d, R "name.0.family", "\"\\\"Q\\\"\\\\&\xc3\xa4\"");
    is(d, R "name.0.given.0", "\" x\"");
}


static void
visit(const char *event, const char *pid18, const char *pv1, const char *path,
      const char *want)
{
    is(transform(hie_str(apr_psprintf(pool, "MSH|^~\\&||F|||||%s|M1|P|2.5\r"
                                      "PID|1||7|||||||||||||||%s\rPV1|1|%s\r",
                                      event, pid18, pv1))), path, want);
}


#define E  "1.resource."
#define VISIT  "|||||||||||||||||V9^^^H"


static void
test_encounter_identity(void **state)
{
    visit("ADT^A08", "", "I" VISIT, "1.request.url",
          "\"Encounter?identifier=urn%3Aid%3AH|V9\"");
    visit("ADT^A08", "", "I" VISIT, "1.request.method", "\"PUT\"");
    visit("ADT^A08", "AC^^^B", "I", "1.request.url",
          "\"Encounter?identifier=urn%3Aid%3AB|AC\"");
    visit("ADT^A01", "", "I", "1.request.url", "\"Encounter\"");
    visit("ADT^A01", "", "I", "1.request.method", "\"POST\"");
    visit("ADT^A01", "", "I", "1.request.ifNoneExist", NULL);
    visit("ADT^A04", "", "O", "1.request.method", "\"POST\"");
    visit("ADT^A08", "", "I", "1", NULL);
    visit("ADT^A31", "", "N", "1", NULL);
    visit("ORU^R01", "", "I", "1", NULL);
    /* results do not overwrite a visit */
    visit("ORU^R01", "", "I" VISIT, "1.request.method", "\"POST\"");
    visit("ORU^R01", "", "I" VISIT, "1.request.ifNoneExist",
          "\"identifier=urn%3Aid%3AH|V9\"");
}


static void
test_encounter_status(void **state)
{
    visit("ADT^A01", "", "I" VISIT, E "status", "\"in-progress\"");
    visit("ADT^A04", "", "O" VISIT, E "status", "\"in-progress\"");
    visit("ADT^A01", "", "P" VISIT, E "status", "\"planned\"");
    visit("ADT^A08", "", "U" VISIT, E "status", "\"unknown\"");
    visit("ADT^A08", "", "X" VISIT, E "status", "\"unknown\"");
    visit("ADT^A01", "", VISIT, E "status", "\"in-progress\"");
    visit("ADT^A08", "", "I" VISIT "|||||||||||||||||||||||||20240101|"
          "20240102", E "status", "\"finished\"");
    visit("ADT^A01", "", "I" VISIT, E "class.code", "\"IMP\"");
    visit("ADT^A01", "", "O" VISIT, E "class.code", "\"AMB\"");
    visit("ADT^A01", "", "E" VISIT, E "class.code", "\"EMER\"");
    visit("ADT^A01", "", "B" VISIT, E "class.system",
          "\"http://terminology.hl7.org/CodeSystem/v2-0004\"");
    visit("ADT^A01", "", "Q" VISIT, E "class.system", "\"urn:id:local\"");
    visit("ADT^A01", "", VISIT, E "class.code", "\"UNK\"");
}


static void
test_encounter(void **state)
{
    hie_doc_t  *d;

    d = transform(HIE_STR(ADT("A01", "2.5") PID
        "PV1|1|I|W1^101^A^Main|E|||12^House^Greg^^^Dr^^^NPI&1.2&ISO~^Solo|||"
        "||||7|||||V9|||||||||||||||||01||||||||202401010830-0500|"
        "2024010210\r"));
    is(d, E "subject.reference",
       apr_psprintf(pool, "%.*s",
                    HIE_PRISTR(hie_doc_raw(d, at(d, "0.fullUrl")))));
    is(d, E "identifier.0.value", "\"V9\"");
    is(d, E "participant.0.individual.display", "\"Dr Greg House\"");
    is(d, E "participant.0.individual.identifier.system", "\"urn:oid:1.2\"");
    is(d, E "participant.0.type.0.coding.0.code", "\"ATND\"");
    is(d, E "participant.1.individual", "{\"display\":\"Solo\"}");
    is(d, E "location.0", "{\"location\":{\"display\":\"Main, W1, 101, A\"},"
       "\"status\":\"active\"}");
    is(d, E "period", "{\"start\":\"2024-01-01T08:30:00-05:00\","
       "\"end\":\"2024-01-02\"}");
    is(d, E "hospitalization.admitSource.coding.0.code", "\"7\"");
    is(d, E "hospitalization.dischargeDisposition.coding.0.code", "\"01\"");
    is(d, "2", NULL);
}


/* An OBX as the first Observation of a message. */
static hie_doc_t *
result(const char *obx)
{
    return transform(hie_str(apr_psprintf(pool, ORU PID
        "OBR|1|P1|F1|24323-8^Panel^LN|||20240101\rOBX|1|%s\r", obx)));
}


#define O  "1.resource."


static void
test_values(void **state)
{
    static const struct {
        const char  *obx;
        const char  *path;
        const char  *want;
    } rows[] = {
        { "NM|x||1.50|mg/dL^^UCUM", "valueQuantity", "{\"value\":1.50,"
          "\"unit\":\"mg/dL\",\"system\":\"http://unitsofmeasure.org\","
          "\"code\":\"mg/dL\"}" },
        { "NM|x||1.50|mg/dL", "valueQuantity",
          "{\"value\":1.50,\"unit\":\"mg/dL\"}" },
        { "NM|x|| +05.10 ", "valueQuantity.value", "5.10" },
        { "NM|x||-.5", "valueQuantity.value", "-0.5" },
        { "NM|x||5.", "valueQuantity.value", "5" },
        { "NM|x||000", "valueQuantity.value", "0" },
        { "NM|x||>100|mg", "valueString", "\">100 mg\"" },
        { "NM|x||1.2.3", "valueString", "\"1.2.3\"" },
        { "NM|x||.", "valueString", "\".\"" },
        { "NM|x||1e5", "valueString", "\"1e5\"" },
        { "NM|x||\"\"", "valueQuantity", NULL },
        { "NM|x||1~2", "component.1.valueQuantity.value", "2" },
        { "NM|x||1~2", "component.1.code.coding.0.code", "\"x\"" },
        { "SN|x||>^100|g", "valueQuantity", "{\"value\":100,"
          "\"comparator\":\">\",\"unit\":\"g\"}" },
        { "SN|x||^1^-^2", "valueRange.high.value", "2" },
        { "SN|x||^1^:^128", "valueRatio.denominator.value", "128" },
        { "SN|x||<>^1", "valueString", "\"<>^1\"" },
        { "SN|x||^2^+", "valueString", "\"^2^+\"" },
        { "ST|x||a\\T\\b", "valueString", "\"a&b\"" },
        { "TX|x||l1~~l3", "valueString", "\"l1\\n\\nl3\"" },
        { "FT|x||a^b\\.br\\c", "valueString", "\"a^b\\nc\"" },
        { "CWE|x||260385009^Negative^SCT^NEG^neg^L",
          "valueCodeableConcept.coding.0", "{\"system\":\"http://snomed.info/"
          "sct\",\"code\":\"260385009\",\"display\":\"Negative\"}" },
        { "CWE|x||260385009^Negative^SCT^NEG^neg^L",
          "valueCodeableConcept.coding.1.system", "\"urn:id:local\"" },
        { "CE|x||^only text", "valueCodeableConcept",
          "{\"text\":\"only text\"}" },
        { "CWE|x||A^a^SNM", "valueCodeableConcept.coding.0.system",
          "\"urn:id:SNM\"" },
        { "CWE|x||7^a^SNM", "valueCodeableConcept.coding.0.system",
          "\"http://snomed.info/sct\"" },
        { "CWE|x||7^a^2.16.840.1.113883.6.1",
          "valueCodeableConcept.coding.0.system", "\"http://loinc.org\"" },
        { "CWE|x||7^a^1.2.3", "valueCodeableConcept.coding.0.system",
          "\"urn:oid:1.2.3\"" },
        { "CWE|x||7^a^HL70136", "valueCodeableConcept.coding.0.system",
          "\"http://terminology.hl7.org/CodeSystem/v2-0136\"" },
        { "CWE|x||a~b", "component.1.valueCodeableConcept.coding.0.code",
          "\"b\"" },
        { "DT|x||202402", "valueDateTime", "\"2024-02\"" },
        { "TS|x||20240229101112.5+0000", "valueDateTime",
          "\"2024-02-29T10:11:12.5+00:00\"" },
        { "DTM|x||20230229", "valueString", "\"20230229\"" },
        { "DTM|x||2024022910", "valueDateTime", "\"2024-02-29\"" },
        { "TM|x||1011", "valueTime", "\"10:11:00\"" },
        { "TM|x||10", "valueString", "\"10\"" },
        { "TM|x||1011+0100", "valueString", "\"1011+0100\"" },
        { "NA|x||1^2~3^4", "valueString", "\"1^2~3^4\"" },
        { "ED|x||^text^plain^Base64^QQ==", "valueString",
          "\"^text^plain^Base64^QQ==\"" },
        { "|x||raw", "valueString", "\"raw\"" },
        { "NM|x||", "valueQuantity", NULL },
        { "NM|x||||||||N", "dataAbsentReason.coding.0.code",
          "\"not-asked\"" },
        { "NM|x||1||||||N", "dataAbsentReason", NULL },
    };
    size_t  i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is(result(rows[i].obx), apr_pstrcat(pool, O, rows[i].path, NULL),
           rows[i].want);
    }
}


static void
test_observation(void **state)
{
    hie_doc_t  *d;

    d = result("NM|2345-7^Glucose^LN|1|95|mg/dL|3.9-5.5|H~^text|||C|||"
               "20240103||12^Doe^Jo|||||||North^^^^^^^^^77\r"
               "NTE|1||first~second\rNTE|2||third");
    is(d, O "status", "\"corrected\"");
    is(d, O "code.coding.0.system", "\"http://loinc.org\"");
    is(d, O "effectiveDateTime", "\"2024-01-03\"");
    is(d, O "referenceRange.0", "{\"low\":{\"value\":3.9},\"high\":{\"value\":"
       "5.5},\"text\":\"3.9-5.5\"}");
    is(d, O "interpretation.0.coding.0", "{\"system\":\"http://terminology."
       "hl7.org/CodeSystem/v3-ObservationInterpretation\",\"code\":\"H\","
       "\"display\":\"High\"}");
    is(d, O "interpretation.1.text", "\"text\"");
    is(d, O "performer.0.display", "\"Jo Doe\"");
    is(d, O "performer.1.identifier.value", "\"77\"");
    is(d, O "note.0.text", "\"first\\nsecond\\nthird\"");
    is(d, O "identifier.0.system", "\"urn:id:obx\"");
    is(d, O "identifier.0.value", "\"urn%3Aid%3AH/7/urn%3Aid%3ANorth%2520Lab/"
       "F1/24323-8/2345-7/1\"");
    is(d, "1.request.method", "\"PUT\"");
    d = result("ST|||x||>5|ZZ|||S");
    is(d, O "status", "\"unknown\"");
    is(d, O "_status.extension.0.valueCodeableConcept.coding.0.code",
       "\"S\"");
    is(d, O "code", "{\"text\":\"unknown\"}");
    is(d, O "effectiveDateTime", "\"2024-01-01\"");
    is(d, O "referenceRange.0", "{\"text\":\">5\"}");
    is(d, O "interpretation.0.coding.0.code", "\"ZZ\"");
}


static void
test_report(void **state)
{
    hie_doc_t  *d;

    d = transform(HIE_STR(ORU PID
        "ORC|RE|PL9\rOBR|1||F1^NS|24323-8^Panel^LN|||20240101|20240102||||||"
        "||||||||202401021314|||F|||||||7&Doe&Jo\rNTE|1||good\rOBX|1|ST|a|1|x"
        "\rOBX|2|ST|a|1|y\rSPM|1\rOBX|1|ST|s||z\r"
        "OBR|2||F1^NS|24323-8^Panel^LN||||||||||||||||||||\r"));
    is(d, "0.request.method", "\"POST\"");
    is(d, "0.request.url", "\"Patient\"");
    is(d, "0.request.ifNoneExist", "\"identifier=urn%3Aid%3AH|7\"");
    is(d, "1.resource.identifier.0.value",
       "\"urn%3Aid%3AH/7/urn%3Aid%3ANS/F1/24323-8/a/1\"");
    is(d, "2.resource.identifier.0.value",
       "\"urn%3Aid%3AH/7/urn%3Aid%3ANS/F1/24323-8/a/1/2\"");
    is(d, "4.resource.resourceType", "\"DiagnosticReport\"");
    is(d, "4.resource.identifier.0.value",
       "\"urn%3Aid%3AH/7/urn%3Aid%3ANS/F1/24323-8\"");
    is(d, "4.resource.identifier.1.system", "\"urn:id:NS\"");
    is(d, "4.resource.identifier.2.value", "\"PL9\"");
    is(d, "4.resource.status", "\"final\"");
    is(d, "4.resource.effectivePeriod.end", "\"2024-01-02\"");
    is(d, "4.resource.issued", "\"2024-01-02T13:14:00+01:00\"");
    is(d, "4.resource.conclusion", "\"good\"");
    is(d, "4.resource.resultsInterpreter.0.display", "\"Jo Doe\"");
    is(d, "4.resource.result.0.reference",
       hie_str_z(pool, hie_doc_raw(d, at(d, "1.fullUrl"))));
    is(d, "4.resource.result.2", NULL);
    is(d, "5.resource.status", "\"unknown\"");
    is(d, "5.resource.identifier.0.value",
       "\"urn%3Aid%3AH/7/urn%3Aid%3ANS/F1/24323-8/2\"");
    is(d, "6", NULL);
}


static void
test_groups(void **state)
{
    hie_doc_t  *d;
    hie_str_t   again;

    d = transform(HIE_STR(ORU PID "OBX|1|ST|a||x\r" PID
                          "OBR|1\rOBX|1|ST|b||y\rPID|2||8^^^H\rPV1|1|I" VISIT
                          "\rOBR|1\rOBX|1|ST|b||z\r"));
    is(d, "1.resource.valueString", "\"x\"");
    is(d, "1.resource.identifier.0.value",
       "\"urn%3Aid%3AH/7/urn%3Aid%3ANorth%2520Lab/M1//a/\"");
    is(d, "2.resource.valueString", "\"y\"");
    is(d, "2.resource.subject.reference",
       hie_str_z(pool, hie_doc_raw(d, at(d, "0.fullUrl"))));
    is(d, "3.resource.resourceType", "\"DiagnosticReport\"");
    is(d, "3.resource.code.text", "\"unknown\"");
    is(d, "4.resource.resourceType", "\"Patient\"");
    is(d, "5.resource.resourceType", "\"Encounter\"");
    is(d, "6.resource.valueString", "\"z\"");
    is(d, "6.resource.encounter.reference",
       hie_str_z(pool, hie_doc_raw(d, at(d, "5.fullUrl"))));
    is(d, "2.resource.encounter", NULL);
    /* pure: the same bytes again */
    again = bundle_of(HIE_STR(ORU PID));
    assert_true(hie_str_eq(again, bundle_of(HIE_STR(ORU PID))));
}


static void
test_zones(void **state)
{
    is(transform(HIE_STR("MSH|^~\\&|||||20240101120000-0330||ADT^A01|1|P|2.5"
                         "\rPID|1||7||||198001010203\r")),
       R "_birthDate.extension.0.valueDateTime",
       "\"1980-01-01T02:03:00-03:30\"");
    is(transform(HIE_STR(ADT("A01", "2.5")
                         "PID|1||7||||198001010203+0945\r")),
       R "_birthDate.extension.0.valueDateTime",
       "\"1980-01-01T02:03:00+09:45\"");
    is(transform(HIE_STR(ADT("A01", "2.5")
                         "PID|1||7||||198001010203+1500\r")),
       R "_birthDate.extension.0.valueCode", "\"error\"");
    is(transform(HIE_STR(ADT("A01", "2.5") "PID|1||7||||1980\r")),
       R "birthDate", "\"1980\"");
    is(transform(HIE_STR(ADT("A01", "2.5") "PID|1||7||||0000\r")),
       R "birthDate", NULL);
    is(transform(HIE_STR(ADT("A01", "2.5") "PID|1||7||||19800230\r")),
       R "birthDate", NULL);
    is(transform(HIE_STR(ADT("A01", "2.5") "PID|1||7||||1980010125\r")),
       R "birthDate", NULL);
}


/* Repetitions are found from the one before, in whatever order they are asked
 * for: PID-5 and PID-3 take turns, and the last is the end. */
static void
test_repetitions(void **state)
{
    hie_doc_t  *d = transform(HIE_STR(
        ADT("A01", "2.5")
        "PID|1|8~9|7^^^H^PI~^^^H~6^^^H^MR~||A^B~~C^D~\"\"~E^F|||||||||\r"
        "PV1|1|I||||||1^X~2^Y~3^Z|4^W\r"));

    is(d, R "identifier.0.value", "\"7\"");
    is(d, R "identifier.1.value", "\"6\"");
    is(d, R "identifier.2.value", "\"8\"");
    is(d, R "identifier.3.value", "\"9\"");
    is(d, R "identifier.4", NULL);
    is(d, R "name.0.family", "\"A\"");
    is(d, R "name.1.family", "\"C\"");
    is(d, R "name.2.family", "\"E\"");
    is(d, R "name.2.given.0", "\"F\"");
    is(d, R "name.3", NULL);

    /* a value that is a string as a whole, and its single repetitions */
    d = transform(HIE_STR(ORU PID "OBX|1|ED|a||1~2\rOBX|2|NM|b||1~x~3\r"
                          "OBX|3|NM|c||x\r"));
    is(d, "1.resource.valueString", "\"1~2\"");
    is(d, "2.resource.component.0.valueQuantity.value", "1");
    is(d, "2.resource.component.1.valueString", "\"x\"");
    is(d, "2.resource.component.2.valueQuantity.value", "3");
    is(d, "2.resource.component.3", NULL);
    is(d, "3.resource.valueString", "\"x\"");
}


static void
test_limit(void **state)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 4096);
    hie_buf_addz(&b, ORU PID);
    for (i = 0; i < 10000; i++) {
        hie_buf_addz(&b, "OBX|\r");
    }
    refused(hie_buf_str(&b), HIE_TOO_LARGE, "");
}


/* `n` bytes between two texts, and a third `times`. */
static hie_str_t
inflated(const char *before, size_t n, const char *after, const char *line,
         int times)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, n + 65536);
    hie_buf_addz(&b, before);
    while (n-- > 0) {
        hie_buf_addc(&b, '1');
    }
    hie_buf_addz(&b, after);
    while (times-- > 0) {
        hie_buf_addz(&b, line);
    }
    return hie_buf_str(&b);
}


/* What is in every result may not make gigabytes of a small message. */
static void
test_inflation(void **state)
{
    static const char  obx[] = "OBX|1|NM|a||1\r";

    refused(inflated("MSH|^~\\&|A|", 4096, "|||||ORU^R01|M1|P|2.5\r" PID, "",
                     0), HIE_TOO_LARGE, "MSH^1");
    refused(inflated(ORU "PID|1||", 100000, "\rOBR|1||F|C\r", obx, 900),
            HIE_TOO_LARGE, "");
    refused(inflated(ORU PID "OBR|1||", 100000, "|C\r", obx, 900),
            HIE_TOO_LARGE, "");
    refused(inflated(ORU PID "OBR|1||F|C|||", 100000, "\r", obx, 900),
            HIE_TOO_LARGE, "");
    refused(inflated(ORU PID "OBR|1||F|C\rOBX|1|CE|", 100000, "||1", "~1",
                     400), HIE_TOO_LARGE, "");
    bundle_of(inflated(ORU PID "OBR|1||", 1000, "|C\r", obx, 900));
    bundle_of(inflated(ORU PID "OBR|1||F|C\rOBX|1|TX|a||", 4000000, "\r", "",
                       0));
}


#define TEST(t)  cmocka_unit_test_setup_teardown(t, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_types), TEST(test_unprocessable), TEST(test_match),
        TEST(test_patient), TEST(test_patient_odd), TEST(test_text_is_kept),
        TEST(test_encounter_identity), TEST(test_encounter_status),
        TEST(test_encounter), TEST(test_values), TEST(test_observation),
        TEST(test_report), TEST(test_groups), TEST(test_zones),
        TEST(test_limit), TEST(test_inflation), TEST(test_repetitions),
    };
    int                      rc;

    apr_initialize();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rc;
}
