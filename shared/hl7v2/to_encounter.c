/*
 * PV1[Encounter].
 *
 * Identity: PV1-19 (visit number), else PID-18 (account number, which many
 * senders use for the visit). Without either, A01 and A04 begin a visit and
 * make a new Encounter; any other event could only make a second one of a
 * visit that is known already, and makes none.
 */

#include <string.h>

#include "hl7v2/tofhir.h"

#define V3  "http://terminology.hl7.org/CodeSystem/v3-"


/* PatientClass[EncounterStatus] if PV1-45 (discharge) is not valued, else
 * finished. Where PV1-2 has no row the event decides; the guide's map of
 * events has "planned" for A04, but a registered patient is there, and PV1-2
 * P tells those who are not. */
static const char *
status(hie_tofhir_t *t, int pv1)
{
    const hie_v2code_t  *map;

    if (hie_tofhir_get(t, HIE_AT(pv1, 45, 0), 1).len > 0) {
        return "finished";
    }
    map = hie_code_map("0004/status",
                       hie_tofhir_get(t, HIE_AT(pv1, 2, 0), 1));
    if (map != NULL) {
        return map->code;
    }
    if (hie_str_eqz(t->event, "A01") || hie_str_eqz(t->event, "A04")) {
        return "in-progress";
    }
    return "unknown";
}


/* Encounter.class is required; what the map has not is a local code. */
static void
add_class(hie_tofhir_t *t, hie_buf_t *b, int pv1)
{
    hie_at_t             at = HIE_AT(pv1, 2, 0);
    hie_str_t            code = hie_tofhir_get(t, at, 1);
    const hie_v2code_t  *map = hie_code_map("0004", code);
    hie_str_t            system;

    if (map != NULL) {
        hie_dt_coding(b, "class", hie_str(map->system), hie_str(map->code),
                      hie_str(map->display));
    } else if (code.len > 0) {
        system = hie_code_system(t, hie_tofhir_get(t, at, 3), code);
        if (system.len == 0) {
            system = hie_code_system(t, HIE_STR("L"), code);
        }
        hie_dt_coding(b, "class", system, code, hie_tofhir_get(t, at, 2));
    } else {
        hie_dt_coding(b, "class", HIE_STR(V3 "NullFlavor"), HIE_STR("UNK"),
                      HIE_STR("unknown"));
    }
}


/* PL as text, from the facility to the bed. */
static hie_str_t
location_text(hie_tofhir_t *t, hie_at_t at)
{
    static const int  order[] = { 4, 7, 8, 1, 2, 3 };
    hie_buf_t         b;
    hie_str_t         v;
    size_t            i;

    hie_buf_init(&b, t->pool, 32);
    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        v = hie_tofhir_get(t, at, order[i]);
        if (v.len > 0) {
            if (b.len > 0) {
                hie_buf_addz(&b, ", ");
            }
            hie_buf_adds(&b, v);
        }
    }
    return b.len > 0 ? hie_buf_str(&b) : hie_tofhir_get(t, at, 9);
}


static void
add_location(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at, const char *state)
{
    hie_str_t  text = location_text(t, at);
    size_t     item;
    size_t     reference;

    if (text.len == 0) {
        return;
    }
    item = hie_jw_open(b, NULL, '{');
    reference = hie_jw_open(b, "location", '{');
    hie_jw_text(b, "display", text);
    hie_jw_close(b, reference, '}');
    hie_jw_z(b, "status", state);
    hie_jw_close(b, item, '}');
}


static void
add_locations(hie_tofhir_t *t, hie_buf_t *b, int pv1)
{
    hie_str_t  class = hie_tofhir_get(t, HIE_AT(pv1, 2, 0), 1);
    size_t     list = hie_jw_open(b, "location", '[');

    add_location(t, b, HIE_AT(pv1, 3, 0),
                 hie_str_eqz(class, "P") ? "planned" : "active");
    add_location(t, b, HIE_AT(pv1, 6, 0), "completed");
    add_location(t, b, HIE_AT(pv1, 11, 0), "active");
    add_location(t, b, HIE_AT(pv1, 42, 0), "reserved");
    hie_jw_close(b, list, ']');
}


static void
add_participant(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at,
                const char *code, const char *display)
{
    size_t  item;
    size_t  types;
    size_t  type;
    size_t  codings;

    if (hie_tofhir_get(t, at, 1).len + hie_tofhir_get(t, at, 2).len == 0) {
        return;
    }
    item = hie_jw_open(b, NULL, '{');
    types = hie_jw_open(b, "type", '[');
    type = hie_jw_open(b, NULL, '{');
    codings = hie_jw_open(b, "coding", '[');
    hie_dt_coding(b, NULL, HIE_STR(V3 "ParticipationType"), hie_str(code),
                  hie_str(display));
    hie_jw_close(b, codings, ']');
    hie_jw_close(b, type, '}');
    hie_jw_close(b, types, ']');
    hie_dt_person(t, b, "individual", at);
    hie_jw_close(b, item, '}');
}


static void
add_participants(hie_tofhir_t *t, hie_buf_t *b, int pv1)
{
    static const struct {
        int          field;
        const char  *code;
        const char  *display;
    } roles[] = {
        { 7, "ATND", "attender" },
        { 8, "REF", "referrer" },
        { 9, "CON", "consultant" },
        { 17, "ADM", "admitter" },
        { 52, "PART", "Participation" },
    };
    size_t  list = hie_jw_open(b, "participant", '[');
    size_t  r;
    int     n;
    int     i;

    for (r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
        n = hie_hl7_repeats(t->m, pv1, roles[r].field);
        for (i = 0; i < n; i++) {
            add_participant(t, b, HIE_AT(pv1, roles[r].field, i),
                            roles[r].code, roles[r].display);
        }
    }
    hie_jw_close(b, list, ']');
}


static void
add_hospitalization(hie_tofhir_t *t, hie_buf_t *b, int pv1)
{
    size_t  mark = hie_jw_open(b, "hospitalization", '{');

    hie_dt_identifier(t, b, "preAdmissionIdentifier", HIE_AT(pv1, 5, 0),
                      NULL);
    hie_dt_concept(t, b, "admitSource", HIE_AT(pv1, 14, 0), "0023");
    hie_dt_concept(t, b, "reAdmission", HIE_AT(pv1, 13, 0), "0092");
    hie_dt_concepts(t, b, "dietPreference", pv1, 38, "0114");
    hie_dt_concepts(t, b, "specialCourtesy", pv1, 16, "0099");
    hie_dt_concepts(t, b, "specialArrangement", pv1, 15, "0009");
    hie_dt_concept(t, b, "dischargeDisposition", HIE_AT(pv1, 36, 0), "0112");
    hie_jw_close(b, mark, '}');
}


static void
write_encounter(hie_tofhir_t *t, int pv1, const hie_target_t *target)
{
    hie_buf_t  *b = &t->out;
    size_t      mark;

    mark = hie_jw_open(b, "identifier", '[');
    hie_dt_identifier_of(b, NULL, target->system, target->value, "VN");
    hie_dt_identifier(t, b, NULL, HIE_AT(pv1, 50, 0), NULL);
    hie_jw_close(b, mark, ']');
    hie_jw_z(b, "status", status(t, pv1));
    add_class(t, b, pv1);
    mark = hie_jw_open(b, "type", '[');
    hie_dt_concept(t, b, NULL, HIE_AT(pv1, 4, 0), "0007");
    hie_jw_close(b, mark, ']');
    hie_dt_concept(t, b, "serviceType", HIE_AT(pv1, 10, 0), "0069");
    mark = hie_jw_open(b, "subject", '{');
    hie_jw_text(b, "reference", t->patient);
    hie_jw_close(b, mark, '}');
    add_participants(t, b, pv1);
    hie_dt_period(t, b, "period", hie_tofhir_get(t, HIE_AT(pv1, 44, 0), 1),
                  hie_tofhir_get(t, HIE_AT(pv1, 45, 0), 1));
    add_hospitalization(t, b, pv1);
    add_locations(t, b, pv1);
}


void
hie_to_encounter(hie_tofhir_t *t, int pid, int pv1)
{
    hie_at_t      visit = HIE_AT(pv1, 19, 0);
    hie_target_t  target = { "Encounter", HIE_STR_NONE, HIE_STR_NONE,
                             t->snapshot };

    if (hie_tofhir_get(t, visit, 1).len == 0) {
        visit = HIE_AT(pid, 18, 0);
    }
    target.value = hie_tofhir_get(t, visit, 1);
    target.system = hie_dt_cx_system(t, visit);
    if (target.value.len == 0
        && !hie_str_eqz(t->event, "A01") && !hie_str_eqz(t->event, "A04"))
    {
        return;
    }
    t->encounter = hie_tofhir_known(t, &target);
    if (t->encounter.len > 0) {
        return;
    }
    t->encounter = hie_tofhir_begin(t, "Encounter");
    hie_tofhir_remember(t, &target, t->encounter);
    write_encounter(t, pv1, &target);
    hie_tofhir_end(t, &target);
}
