/*
 * Code tables: from the concept maps of the HL7 v2-to-FHIR guide 1.0.0. The
 * name of the map is in the comment before each table. A code that a map
 * leaves open is not in the table here.
 */

#include <string.h>

#include "hl7v2/tofhir.h"

#define V3  "http://terminology.hl7.org/CodeSystem/v3-"
#define V2  "http://terminology.hl7.org/CodeSystem/v2-"

/* AdministrativeSex */
static const hie_v2code_t gender[] = {
    { "F", "female", NULL, NULL },
    { "M", "male", NULL, NULL },
    { "O", "other", NULL, NULL },
    { "U", "unknown", NULL, NULL },
    { "A", "other", NULL, NULL },
    { "N", "other", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* MaritalStatus */
static const hie_v2code_t marital[] = {
    { "A", "L", "Legally Separated", V3 "MaritalStatus" },
    { "D", "D", "Divorced", V3 "MaritalStatus" },
    { "M", "M", "Married", V3 "MaritalStatus" },
    { "S", "S", "Never Married", V3 "MaritalStatus" },
    { "W", "W", "Widowed", V3 "MaritalStatus" },
    { "C", "C", "Common Law", V3 "MaritalStatus" },
    { "G", "T", "Domestic partner", V3 "MaritalStatus" },
    { "P", "T", "Domestic partner", V3 "MaritalStatus" },
    { "R", "T", "Domestic partner", V3 "MaritalStatus" },
    { "E", "L", "Legally Separated", V3 "MaritalStatus" },
    { "N", "A", "Annulled", V3 "MaritalStatus" },
    { "I", "I", "Interlocutory", V3 "MaritalStatus" },
    { "B", "U", "unmarried", V3 "MaritalStatus" },
    { "U", "UNK", "unknown", V3 "NullFlavor" },
    { "O", "OTH", "other", V3 "NullFlavor" },
    { "T", "NAVU", "Not available", V3 "NullFlavor" },
    { NULL, NULL, NULL, NULL }
};

/* PatientClass[EncounterClass] */
static const hie_v2code_t class[] = {
    { "E", "EMER", "emergency", V3 "ActCode" },
    { "I", "IMP", "inpatient encounter", V3 "ActCode" },
    { "O", "AMB", "ambulatory", V3 "ActCode" },
    { "P", "PRENC", "pre-admission", V3 "ActCode" },
    { "R", "R", "Recurring patient", V2 "0004" },
    { "B", "B", "Obstetrics", V2 "0004" },
    { "C", "C", "Commercial Account", V2 "0004" },
    { "N", "N", "Not Applicable", V2 "0004" },
    { "U", "U", "Unknown", V2 "0004" },
    { NULL, NULL, NULL, NULL }
};

/* PatientClass[EncounterStatus] */
static const hie_v2code_t visit_status[] = {
    { "E", "in-progress", NULL, NULL },
    { "I", "in-progress", NULL, NULL },
    { "O", "in-progress", NULL, NULL },
    { "P", "planned", NULL, NULL },
    { "R", "in-progress", NULL, NULL },
    { "B", "in-progress", NULL, NULL },
    { "C", "in-progress", NULL, NULL },
    { "N", "in-progress", NULL, NULL },
    { "U", "unknown", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* Relationship */
static const hie_v2code_t relationship[] = {
    { "SEL", "ONESELF", "self", V3 "RoleCode" },
    { "SPO", "SPS", "spouse", V3 "RoleCode" },
    { "DOM", "SIGOTHR", "significant other", V3 "RoleCode" },
    { "CHD", "CHILD", "child", V3 "RoleCode" },
    { "GCH", "GRNDCHILD", "grandchild", V3 "RoleCode" },
    { "NCH", "NCHILD", "natural child", V3 "RoleCode" },
    { "SCH", "STPCHLD", "step child", V3 "RoleCode" },
    { "FCH", "CHLDFOST", "foster child", V3 "RoleCode" },
    { "PAR", "PRN", "parent", V3 "RoleCode" },
    { "MTH", "MTH", "mother", V3 "RoleCode" },
    { "FTH", "FTH", "father", V3 "RoleCode" },
    { "GRP", "GRPRN", "grandparent", V3 "RoleCode" },
    { "EXF", "EXT", "extended family member", V3 "RoleCode" },
    { "SIB", "SIB", "sibling", V3 "RoleCode" },
    { "BRO", "BRO", "brother", V3 "RoleCode" },
    { "SIS", "SIS", "sister", V3 "RoleCode" },
    { "FND", "FRND", "unrelated friend", V3 "RoleCode" },
    { "EMR", "E", "Employer", V2 "0131" },
    { "EMC", "C", "Emergency Contact", V2 "0131" },
    { "UNK", "U", "Unknown", V2 "0131" },
    { "OTH", "O", "Other", V2 "0131" },
    { NULL, NULL, NULL, NULL }
};

/* InterpretationCodes; where the map gives no code, table 0078 itself is a
 * code system. */
#define OI  V3 "ObservationInterpretation"
static const hie_v2code_t interpretation[] = {
    { "<", "<", "Off scale low", OI },
    { ">", ">", "Off scale high", OI },
    { "A", "A", "Abnormal", OI },
    { "AA", "AA", "Critical abnormal", OI },
    { "AC", "AC", "Anti-complementary substances present", V2 "0078" },
    { "B", "B", "Better", OI },
    { "CAR", "CAR", "Carrier", OI },
    { "D", "D", "Significant change down", OI },
    { "DET", "DET", "Detected", OI },
    { "E", "E", "Equivocal", OI },
    { "EX", "EX", "outside threshold", OI },
    { "EXP", "EXP", "Expected", OI },
    { "H", "H", "High", OI },
    { "HH", "HH", "Critical high", OI },
    { "HM", "HM", "Hold for Medical Review", V2 "0078" },
    { "HU", "HU", "Significantly high", OI },
    { "I", "I", "Intermediate", OI },
    { "IE", "IE", "Insufficient evidence", OI },
    { "IND", "IND", "Indeterminate", OI },
    { "L", "L", "Low", OI },
    { "LL", "LL", "Critical low", OI },
    { "LU", "LU", "Significantly low", OI },
    { "MS", "MS", "moderately susceptible", OI },
    { "N", "N", "Normal", OI },
    { "NCL", "NCL", "No CLSI defined breakpoint", OI },
    { "ND", "ND", "Not detected", OI },
    { "NEG", "NEG", "Negative", OI },
    { "NR", "NR", "Non-reactive", OI },
    { "NS", "NS", "Non-susceptible", OI },
    { "OBX", "OBX", "Interpretation qualifiers in separate OBX segments",
      V2 "0078" },
    { "POS", "POS", "Positive", OI },
    { "QCF", "QCF", "Quality Control Failure", V2 "0078" },
    { "R", "R", "Resistant", OI },
    { "RR", "RR", "Reactive", OI },
    { "S", "S", "Susceptible", OI },
    { "SDD", "SDD", "Susceptible-dose dependent", OI },
    { "SYN-R", "SYN-R", "Synergy - resistant", OI },
    { "SYN-S", "SYN-S", "Synergy - susceptible", OI },
    { "TOX", "TOX", "Cytotoxic substance present", V2 "0078" },
    { "U", "U", "Significant change up", OI },
    { "UNE", "UNE", "Unexpected", OI },
    { "VS", "VS", "very susceptible", OI },
    { "W", "W", "Worse", OI },
    { "WR", "WR", "Weakly reactive", OI },
    { NULL, NULL, NULL, NULL }
};

/* ObservationResultStatusCodesInterpretation */
static const hie_v2code_t result_status[] = {
    { "A", "amended", NULL, NULL },
    { "C", "corrected", NULL, NULL },
    { "D", "entered-in-error", NULL, NULL },
    { "F", "final", NULL, NULL },
    { "P", "preliminary", NULL, NULL },
    { "W", "entered-in-error", NULL, NULL },
    { "X", "cancelled", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* ResultStatus[Non-Queries] */
static const hie_v2code_t report_status[] = {
    { "O", "registered", NULL, NULL },
    { "I", "registered", NULL, NULL },
    { "S", "registered", NULL, NULL },
    { "P", "preliminary", NULL, NULL },
    { "C", "corrected", NULL, NULL },
    { "R", "partial", NULL, NULL },
    { "F", "final", NULL, NULL },
    { "X", "cancelled", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* AddressType[Type], AddressType[Use] */
static const hie_v2code_t address_type[] = {
    { "M", "postal", NULL, NULL },
    { "SH", "postal", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};
static const hie_v2code_t address_use[] = {
    { "BA", "old", NULL, NULL },
    { "BI", "billing", NULL, NULL },
    { "C", "temp", NULL, NULL },
    { "B", "work", NULL, NULL },
    { "H", "home", NULL, NULL },
    { "O", "work", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* NameType */
static const hie_v2code_t name_use[] = {
    { "BAD", "old", NULL, NULL },
    { "D", "usual", NULL, NULL },
    { "L", "official", NULL, NULL },
    { "M", "maiden", NULL, NULL },
    { "MSK", "anonymous", NULL, NULL },
    { "N", "nickname", NULL, NULL },
    { "NAV", "temp", NULL, NULL },
    { "R", "official", NULL, NULL },
    { "TEMP", "temp", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

/* TelecommunicationUseCode, TelecommunicationEquipmentType (CP is a use) */
static const hie_v2code_t telecom_use[] = {
    { "PRN", "home", NULL, NULL },
    { "WPN", "work", NULL, NULL },
    { "PRS", "mobile", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};
static const hie_v2code_t telecom_system[] = {
    { "PH", "phone", NULL, NULL },
    { "CP", "phone", NULL, NULL },
    { "FX", "fax", NULL, NULL },
    { "MD", "other", NULL, NULL },
    { "SAT", "other", NULL, NULL },
    { "BP", "pager", NULL, NULL },
    { "Internet", "email", NULL, NULL },
    { "X.400", "email", NULL, NULL },
    { "TDD", "other", NULL, NULL },
    { "TTY", "other", NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

static const struct {
    const char          *table;
    const hie_v2code_t  *rows;
} tables[] = {
    { "0001", gender },
    { "0002", marital },
    { "0004", class },
    { "0004/status", visit_status },
    { "0063", relationship },
    { "0078", interpretation },
    { "0085", result_status },
    { "0123", report_status },
    { "0190/type", address_type },
    { "0190/use", address_use },
    { "0200", name_use },
    { "0201", telecom_use },
    { "0202", telecom_system },
};

/* IdentifierType: every code is mapped to itself. NNxxx stands for NN and a
 * country, see below. */
static const char  identifier_types[] =
    " ACSN AM AMA AN ANC AND ANON ANT APRN ASID BA BC BCT BR BRN BSNR CC CONM"
    " CY CZ DDS DEA DFN DI DL DN DO DP DPM DR DS EI EN ESN FI GI GL GN HC IND"
    " JHN LACSN LANR LI LN LR MA MB MC MCD MCN MCR MCT MD MI MR MRT MS NBSNR"
    " NCT NE NH NI NII NIIP NP NPI OD PA PC PCN PE PEN PI PN PNT PPIN PPN PRC"
    " PRN PT QA RI RN RPH RR RRI RRP SID SL SN SP SR SS TAX TN TPR U UPIN USID"
    " VN VP VS WC WCN WP XX ";

/* Names of table 0396, and OIDs of systems that have a URL in R4 (section
 * 4.3.0.3). */
static const struct {
    const char  *name;
    const char  *uri;
} systems[] = {
    { "LN", "http://loinc.org" },
    { "LOINC", "http://loinc.org" },
    { "2.16.840.1.113883.6.1", "http://loinc.org" },
    { "SCT", "http://snomed.info/sct" },
    { "2.16.840.1.113883.6.96", "http://snomed.info/sct" },
    { "UCUM", "http://unitsofmeasure.org" },
    { "2.16.840.1.113883.6.8", "http://unitsofmeasure.org" },
    { "I9C", "http://hl7.org/fhir/sid/icd-9-cm" },
    { "I10", "http://hl7.org/fhir/sid/icd-10" },
    { "I10C", "http://hl7.org/fhir/sid/icd-10-cm" },
    { "2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm" },
    { "RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm" },
    { "NDC", "http://hl7.org/fhir/sid/ndc" },
    { "CVX", "http://hl7.org/fhir/sid/cvx" },
    { "C4", "http://www.ama-assn.org/go/cpt" },
    { "MDC", "urn:iso:std:iso:11073:10101" },
    { "DCM", "http://dicom.nema.org/resources/ontology/DCM" },
};


const hie_v2code_t *
hie_code_map(const char *table, hie_str_t code)
{
    const hie_v2code_t  *r;
    size_t               i;

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].table, table) != 0) {
            continue;
        }
        for (r = tables[i].rows; r->v2 != NULL; r++) {
            if (hie_str_ieqz(code, r->v2)) {
                return r;
            }
        }
    }
    return NULL;
}


bool
hie_code_is_identifier_type(hie_str_t code)
{
    const char  *p = identifier_types;

    if (code.len == 5 && hie_str_starts(code, "NN")) {
        return true;
    }
    if (code.len == 0) {
        return false;
    }
    while ((p = strchr(p, ' ')) != NULL && p[1] != '\0') {
        p++;
        if (strncmp(p, code.ptr, code.len) == 0 && p[code.len] == ' ') {
            return true;
        }
    }
    return false;
}


static bool
all_digits(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return s.len > 0;
}


/* "HL70001" and "HL7nnnn" of four digits. */
static bool
is_hl7_table(hie_str_t name)
{
    return name.len == 7 && hie_str_starts(name, "HL7")
           && all_digits((hie_str_t) { name.ptr + 3, 4 });
}


/* SNM is the older SNOMED International, but is written for SNOMED CT as
 * well; the two tell themselves apart, only the latter has pure numbers. A
 * name that is not known, "L" and "99zzz" among them, is local. */
hie_str_t
hie_code_system(hie_tofhir_t *t, hie_str_t name, hie_str_t code)
{
    hie_buf_t  b;
    size_t     i;

    name = hie_str_trim(name);
    if (name.len == 0) {
        return HIE_STR_NONE;
    }
    for (i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (hie_str_ieqz(name, systems[i].name)) {
            return hie_str(systems[i].uri);
        }
    }
    if (hie_str_eqz(name, "SNM") && all_digits(code)) {
        return HIE_STR("http://snomed.info/sct");
    }
    hie_buf_init(&b, t->pool, 64);
    if (is_hl7_table(name)) {
        hie_buf_addf(&b, V2 "%.4s", name.ptr + 3);
    } else if (hie_str_eqz(name, "L")) {
        hie_buf_addf(&b, "%slocal", t->system);
    } else {
        return hie_dt_system(t, name, name, HIE_STR("ISO"));
    }
    return hie_buf_str(&b);
}
