/*
 * PID[Patient] and NK1[Patient].
 *
 * Not mapped: PID-10 and PID-22 (race, ethnic group: "local implementation"
 * in the guide), PID-18 (an account, used for the visit), PID-20, PID-21,
 * PID-26 to PID-28, PID-31 to PID-39, and of NK1 what a contact cannot hold.
 */

#include <string.h>

#include "hl7v2/tofhir.h"

#define EXT  "http://hl7.org/fhir/StructureDefinition/"


/* The repetition of PID-3 that tells who it is: the first of type MR, else
 * the first with an assigning authority, else the first; -1 without any. */
static int
match_repeat(hie_tofhir_t *t, int pid)
{
    int  n = hie_hl7_repeats(t->m, pid, 3);
    int  first = -1;
    int  assigned = -1;
    int  i;

    for (i = 0; i < n; i++) {
        hie_at_t  at = HIE_AT(pid, 3, i);

        if (hie_tofhir_get(t, at, 1).len == 0) {
            continue;
        }
        if (hie_str_eqz(hie_tofhir_get(t, at, 5), "MR")) {
            return i;
        }
        if (assigned < 0 && (hie_tofhir_get(t, at, 4).len > 0
                             || hie_tofhir_sub(t, at, 4, 2).len > 0))
        {
            assigned = i;
        }
        if (first < 0) {
            first = i;
        }
    }
    return assigned >= 0 ? assigned : first;
}


/* PID-19: the system of the US only where it looks like an SSN of the US. */
static void
add_ssn(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    hie_str_t  ssn = hie_tofhir_get(t, HIE_AT(pid, 19, 0), 1);
    size_t     digits = 0;
    size_t     other = 0;
    size_t     i;

    for (i = 0; i < ssn.len; i++) {
        if (ssn.ptr[i] >= '0' && ssn.ptr[i] <= '9') {
            digits++;
        } else if (ssn.ptr[i] != '-') {
            other++;
        }
    }
    hie_dt_identifier_of(b, NULL, digits == 9 && other == 0
                                  ? HIE_STR("http://hl7.org/fhir/sid/us-ssn")
                                  : HIE_STR_NONE, ssn, "SS");
}


static void
add_identifiers(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    static const int  fields[] = { 3, 2, 4 };
    size_t            mark = hie_jw_open(b, "identifier", '[');
    size_t            f;
    int               n;
    int               i;

    for (f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        n = hie_hl7_repeats(t->m, pid, fields[f]);
        for (i = 0; i < n; i++) {
            hie_dt_identifier(t, b, NULL, HIE_AT(pid, fields[f], i), NULL);
        }
    }
    add_ssn(t, b, pid);
    hie_jw_close(b, mark, ']');
}


static void
add_names(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    static const int  fields[] = { 5, 9 };
    size_t            mark = hie_jw_open(b, "name", '[');
    size_t            f;
    int               n;
    int               i;

    for (f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        n = hie_hl7_repeats(t->m, pid, fields[f]);
        for (i = 0; i < n; i++) {
            hie_dt_name(t, b, NULL, HIE_AT(pid, fields[f], i));
        }
    }
    hie_jw_close(b, mark, ']');
}


static void
add_telecoms(hie_tofhir_t *t, hie_buf_t *b, int segment,
             const int fields[3])
{
    static const char *const  uses[] = { "home", "work", NULL };
    size_t                    mark = hie_jw_open(b, "telecom", '[');
    int                       f;
    int                       n;
    int                       i;

    for (f = 0; f < 3; f++) {
        n = hie_hl7_repeats(t->m, segment, fields[f]);
        for (i = 0; i < n; i++) {
            hie_dt_telecom(t, b, HIE_AT(segment, fields[f], i), uses[f]);
        }
    }
    hie_jw_close(b, mark, ']');
}


/* The binding is required: a code that the map does not have is "unknown",
 * and kept beside. */
static void
add_gender(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at)
{
    hie_str_t            code = hie_tofhir_get(t, at, 1);
    const hie_v2code_t  *map = hie_code_map("0001", code);

    if (map != NULL) {
        hie_jw_z(b, "gender", map->code);
    } else if (code.len > 0) {
        hie_jw_z(b, "gender", "unknown");
        hie_dt_alternate(b, "_gender", "0001", code);
    }
}


/* A time of birth goes to the extension birthTime. */
static void
add_birth(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    hie_str_t  raw = hie_tofhir_get(t, HIE_AT(pid, 7, 0), 1);
    hie_dtm_t  d;
    size_t     element;
    size_t     list;
    size_t     extension;

    hie_dt_date(t, b, "birthDate", raw);
    if (!hie_dtm_parse(raw, &d) || d.n < 5) {
        return;
    }
    element = hie_jw_open(b, "_birthDate", '{');
    list = hie_jw_open(b, "extension", '[');
    extension = hie_jw_open(b, NULL, '{');
    hie_jw_z(b, "url", EXT "patient-birthTime");
    hie_dt_datetime(t, b, "valueDateTime", raw);
    hie_jw_close(b, extension, '}');
    hie_jw_close(b, list, ']');
    hie_jw_close(b, element, '}');
}


static void
add_addresses(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    size_t     mark = hie_jw_open(b, "address", '[');
    int        n = hie_hl7_repeats(t->m, pid, 11);
    int        i;
    hie_str_t  county = hie_tofhir_get(t, HIE_AT(pid, 12, 0), 1);
    size_t     extra;

    for (i = 0; i < n; i++) {
        hie_dt_address(t, b, NULL, HIE_AT(pid, 11, i));
    }
    if (county.len > 0
        && !hie_str_eq(county, hie_tofhir_get(t, HIE_AT(pid, 11, 0), 9)))
    {
        extra = hie_jw_open(b, NULL, '{');
        hie_jw_text(b, "district", county);
        hie_jw_close(b, extra, '}');
    }
    hie_jw_close(b, mark, ']');
}


static void
add_boolean(hie_buf_t *b, const char *name, hie_str_t indicator)
{
    if (hie_str_ieqz(indicator, "Y")) {
        hie_jw_raw(b, name, HIE_STR("true"));
    } else if (hie_str_ieqz(indicator, "N")) {
        hie_jw_raw(b, name, HIE_STR("false"));
    }
}


/* deceased[x] and multipleBirth[x]: the exact form wins. */
static void
add_choices(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    hie_str_t  died = hie_tofhir_get(t, HIE_AT(pid, 29, 0), 1);
    hie_str_t  order = hie_tofhir_get(t, HIE_AT(pid, 25, 0), 1);
    uint64_t   n;

    if (died.len > 0) {
        hie_dt_datetime(t, b, "deceasedDateTime", died);
    } else {
        add_boolean(b, "deceasedBoolean",
                    hie_tofhir_get(t, HIE_AT(pid, 30, 0), 1));
    }
    if (order.len > 0 && order.len < 4 && hie_str_u64(order, &n)) {
        hie_jw_raw(b, "multipleBirthInteger",
                   hie_str(apr_psprintf(t->pool, "%d", (int) n)));
    } else {
        add_boolean(b, "multipleBirthBoolean",
                    hie_tofhir_get(t, HIE_AT(pid, 24, 0), 1));
    }
}


/* Two letters are a language tag; table 0296 itself is of the site. */
static void
add_language(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    hie_at_t   at = HIE_AT(pid, 15, 0);
    hie_str_t  code = hie_tofhir_get(t, at, 1);
    size_t     list = hie_jw_open(b, "communication", '[');
    size_t     item = hie_jw_open(b, NULL, '{');
    size_t     concept;
    size_t     codings;
    char       tag[3];

    if (code.len == 2) {
        tag[0] = (char) (code.ptr[0] | 0x20);
        tag[1] = (char) (code.ptr[1] | 0x20);
        tag[2] = '\0';
        concept = hie_jw_open(b, "language", '{');
        codings = hie_jw_open(b, "coding", '[');
        hie_dt_coding(b, NULL, HIE_STR("urn:ietf:bcp:47"), hie_str(tag),
                      hie_tofhir_get(t, at, 2));
        hie_jw_close(b, codings, ']');
        hie_jw_close(b, concept, '}');
    } else {
        hie_dt_concept(t, b, "language", at, NULL);
    }
    hie_jw_close(b, item, '}');
    hie_jw_close(b, list, ']');
}


static void
add_extensions(hie_tofhir_t *t, hie_buf_t *b, int pid)
{
    size_t     list = hie_jw_open(b, "extension", '[');
    hie_str_t  maiden = hie_tofhir_get(t, HIE_AT(pid, 6, 0), 1);
    hie_str_t  place = hie_tofhir_get(t, HIE_AT(pid, 23, 0), 1);
    size_t     extension;
    size_t     inner;

    if (maiden.len > 0) {
        extension = hie_jw_open(b, NULL, '{');
        hie_jw_z(b, "url", EXT "patient-mothersMaidenName");
        hie_jw_text(b, "valueString", maiden);
        hie_jw_close(b, extension, '}');
    }
    if (hie_tofhir_get(t, HIE_AT(pid, 17, 0), 1).len > 0) {
        extension = hie_jw_open(b, NULL, '{');
        hie_jw_z(b, "url", EXT "patient-religion");
        hie_dt_concept(t, b, "valueCodeableConcept", HIE_AT(pid, 17, 0),
                       "0006");
        hie_jw_close(b, extension, '}');
    }
    if (place.len > 0) {
        extension = hie_jw_open(b, NULL, '{');
        hie_jw_z(b, "url", EXT "patient-birthPlace");
        inner = hie_jw_open(b, "valueAddress", '{');
        hie_jw_text(b, "text", place);
        hie_jw_close(b, inner, '}');
        hie_jw_close(b, extension, '}');
    }
    hie_jw_close(b, list, ']');
}


/* NK1[Patient]: the guide leaves the choice between Patient.contact and
 * RelatedPerson; a contact is part of the snapshot that replaces. */
static void
add_contact(hie_tofhir_t *t, hie_buf_t *b, int nk1)
{
    static const int  phones[3] = { 5, 6, 40 };
    size_t            mark = hie_jw_open(b, NULL, '{');
    size_t            list = hie_jw_open(b, "relationship", '[');

    hie_dt_concept(t, b, NULL, HIE_AT(nk1, 3, 0), "0063");
    hie_dt_concept(t, b, NULL, HIE_AT(nk1, 7, 0), "0131");
    hie_jw_close(b, list, ']');
    hie_dt_name(t, b, "name", HIE_AT(nk1, 2, 0));
    add_telecoms(t, b, nk1, phones);
    hie_dt_address(t, b, "address", HIE_AT(nk1, 4, 0));
    add_gender(t, b, HIE_AT(nk1, 15, 0));
    hie_dt_organization(t, b, "organization", HIE_AT(nk1, 13, 0));
    hie_dt_period(t, b, "period", hie_tofhir_get(t, HIE_AT(nk1, 8, 0), 1),
                  hie_tofhir_get(t, HIE_AT(nk1, 9, 0), 1));
    hie_jw_close(b, mark, '}');
}


/* pat-1: a contact has a name, a telecom, an address or an organization. */
static void
add_contacts(hie_tofhir_t *t, hie_buf_t *b, int pid, int end)
{
    static const int  fields[] = { 2, 4, 5, 6, 13, 40 };
    size_t            list = hie_jw_open(b, "contact", '[');
    size_t            f;
    int               nk1 = hie_tofhir_find(t, "NK1", pid, end);

    while (nk1 >= 0) {
        for (f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
            if (hie_hl7_repeats(t->m, nk1, fields[f]) > 0) {
                add_contact(t, b, nk1);
                break;
            }
        }
        nk1 = hie_tofhir_find(t, "NK1", nk1 + 1, end);
    }
    hie_jw_close(b, list, ']');
}


hie_rc_t
hie_to_patient(hie_tofhir_t *t, int pid, int end, hie_error_t *err)
{
    static const int  phones[3] = { 13, 14, 40 };
    hie_target_t      target = { "Patient", HIE_STR_NONE, HIE_STR_NONE,
                                 t->snapshot };
    hie_buf_t        *b = &t->out;
    hie_buf_t         who;
    int               match = match_repeat(t, pid);

    if (match < 0) {
        return hie_fail(err, HIE_UNPROCESSABLE, "PID^1^3",
                        "PID-3 (patient identifier) is required and has no "
                        "repetition with an id (CX.1)");
    }
    target.value = hie_tofhir_get(t, HIE_AT(pid, 3, match), 1);
    target.system = hie_dt_cx_system(t, HIE_AT(pid, 3, match));
    hie_buf_init(&who, t->pool, 64);
    hie_url_encode(&who, target.system);
    hie_buf_addc(&who, '/');
    hie_url_encode(&who, target.value);
    t->who = hie_buf_str(&who);
    t->patient = hie_tofhir_known(t, &target);
    if (t->patient.len > 0) {
        return HIE_OK;
    }
    t->patient = hie_tofhir_begin(t, "Patient");
    hie_tofhir_remember(t, &target, t->patient);
    add_extensions(t, b, pid);
    add_identifiers(t, b, pid);
    add_names(t, b, pid);
    add_telecoms(t, b, pid, phones);
    add_gender(t, b, HIE_AT(pid, 8, 0));
    add_birth(t, b, pid);
    add_addresses(t, b, pid);
    hie_dt_concept(t, b, "maritalStatus", HIE_AT(pid, 16, 0), "0002");
    add_language(t, b, pid);
    add_choices(t, b, pid);
    add_contacts(t, b, pid, end);
    hie_tofhir_end(t, &target);
    return HIE_OK;
}
