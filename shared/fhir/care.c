/*
 * When the care was given that a resource is about: for the parameters start
 * and end of $everything. The elements are those of the search parameter
 * clinical-date (R4 section 3.1.1.4) and, for types that it does not cover,
 * those that say the same; the first that is there counts.
 */

#include "fhir/care.h"

#include <stdlib.h>
#include <string.h>

#include "fhir/doc.h"

typedef struct {
    const char  *type;
    const char  *paths;
} care_path_t;

/* Sorted by type. */
static const care_path_t  care_paths[] = {
    { "Account", "servicePeriod" },
    { "AdverseEvent", "date|detected|recordedDate" },
    { "AllergyIntolerance", "onsetDateTime|onsetPeriod|recordedDate" },
    { "Appointment", "start" },
    { "AuditEvent", "period|recorded" },
    { "CarePlan", "period|created" },
    { "CareTeam", "period" },
    { "ChargeItem", "occurrenceDateTime|occurrencePeriod|enteredDate" },
    { "Claim", "billablePeriod|created" },
    { "ClaimResponse", "created" },
    { "ClinicalImpression", "effectiveDateTime|effectivePeriod|date" },
    { "Communication", "sent|received" },
    { "CommunicationRequest",
      "occurrenceDateTime|occurrencePeriod|authoredOn" },
    { "Composition", "date" },
    { "Condition", "onsetDateTime|onsetPeriod|recordedDate" },
    { "Consent", "dateTime" },
    { "Coverage", "period" },
    { "DetectedIssue", "identifiedDateTime|identifiedPeriod" },
    { "DeviceRequest", "occurrenceDateTime|occurrencePeriod|authoredOn" },
    { "DeviceUseStatement", "timingDateTime|timingPeriod|recordedOn" },
    { "DiagnosticReport", "effectiveDateTime|effectivePeriod|issued" },
    { "DocumentManifest", "created" },
    { "DocumentReference", "context.period|date" },
    { "Encounter", "period" },
    { "EpisodeOfCare", "period" },
    { "ExplanationOfBenefit", "billablePeriod|created" },
    { "FamilyMemberHistory", "date" },
    { "Flag", "period" },
    { "Goal", "startDate|statusDate" },
    { "ImagingStudy", "started" },
    { "Immunization", "occurrenceDateTime|recorded" },
    { "ImmunizationEvaluation", "date" },
    { "ImmunizationRecommendation", "date" },
    { "Invoice", "date" },
    { "List", "date" },
    { "MeasureReport", "period|date" },
    { "Media", "createdDateTime|createdPeriod|issued" },
    { "MedicationAdministration", "effectiveDateTime|effectivePeriod" },
    { "MedicationDispense", "whenHandedOver|whenPrepared" },
    { "MedicationRequest", "authoredOn" },
    { "MedicationStatement", "effectiveDateTime|effectivePeriod|dateAsserted" },
    { "NutritionOrder", "dateTime" },
    { "Observation",
      "effectiveDateTime|effectivePeriod|effectiveInstant|issued" },
    { "Procedure", "performedDateTime|performedPeriod" },
    { "Provenance", "occurredDateTime|occurredPeriod|recorded" },
    { "QuestionnaireResponse", "authored" },
    { "RequestGroup", "authoredOn" },
    { "RiskAssessment", "occurrenceDateTime|occurrencePeriod" },
    { "ServiceRequest", "occurrenceDateTime|occurrencePeriod|authoredOn" },
    { "Specimen",
      "collection.collectedDateTime|collection.collectedPeriod|receivedTime" },
    { "SupplyDelivery", "occurrenceDateTime|occurrencePeriod" },
    { "SupplyRequest", "occurrenceDateTime|occurrencePeriod|authoredOn" },
    { "Task", "executionPeriod|authoredOn" },
    { "VisionPrescription", "dateWritten|created" }
};

typedef struct {
    apr_pool_t  *pool;
    apr_time_t   from;
    apr_time_t   until;
    bool         found;
} care_t;


static void
widen(care_t *c, apr_time_t from, apr_time_t until)
{
    if (from >= until) {
        return;                  /* it ends before it begins */
    }

    if (!c->found || from < c->from) {
        c->from = from;
    }

    if (!c->found || until > c->until) {
        c->until = until;
    }

    c->found = true;
}


/* A dateTime, an instant, or a Period. */
static void
take_time(void *baton, const hie_doc_t *d, hie_node_t n)
{
    care_t      *c = baton;
    apr_time_t   from, until, unused;
    bool         starts, ends;

    if (hie_doc_kind(d, n) == HIE_NODE_STRING) {
        if (hie_time_parse(hie_doc_string(d, n, c->pool), false, &from,
                           &until))
        {
            widen(c, from, until);
        }

        return;
    }

    starts = hie_time_parse(hie_doc_get(d, n, "start", c->pool), false, &from,
                            &unused);
    ends = hie_time_parse(hie_doc_get(d, n, "end", c->pool), false, &unused,
                          &until);

    if (starts || ends) {
        widen(c, starts ? from : INT64_MIN, ends ? until : INT64_MAX);
    }
}


static int
compare_type(const void *key, const void *row)
{
    const hie_str_t    *type = key;
    const care_path_t  *p = row;
    size_t              len = strlen(p->type);
    int                 rc;

    rc = memcmp(type->ptr, p->type, type->len < len ? type->len : len);

    return rc != 0 ? rc : (type->len > len) - (type->len < len);
}


void
hie_fhir_care(const hie_doc_t *d, hie_str_t type, apr_pool_t *pool,
              apr_time_t *from, apr_time_t *until)
{
    const care_path_t  *p;
    hie_str_t           one, rest;
    care_t              c = { pool, 0, 0, false };

    p = bsearch(&type, care_paths, sizeof(care_paths) / sizeof(care_paths[0]),
                sizeof(care_paths[0]), compare_type);
    rest = p != NULL ? hie_str(p->paths) : HIE_STR_NONE;

    while (!c.found && rest.ptr != NULL) {
        one = hie_str_split(rest, '|', &rest);
        hie_doc_path(d, 0, one, take_time, &c);
    }

    *from = c.from;
    *until = c.until;
}
