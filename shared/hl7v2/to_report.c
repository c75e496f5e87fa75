/*
 * OBR[DiagnosticReport] and the order of the results in a message.
 *
 * Several OBR of one message may carry one filler order number, and a
 * correction may hold only some of them. So a report is told by patient,
 * authority, order number and OBR-4.1 together, under a system of ours; the
 * order numbers themselves stand beside it as identifiers FILL and PLAC.
 *
 * The patient is one of the parts because order numbers do come again: a
 * result must never replace another patient's.
 */

#include <string.h>

#include "hl7v2/tofhir.h"


/* The ORC of an OBR: the one before it with no other OBR between. */
static int
order_segment(hie_tofhir_t *t, int obr)
{
    int  i;

    for (i = obr - 1; i > 0; i--) {
        if (hie_str_eqz(hie_hl7_segment(t->m, i), "ORC")) {
            return i;
        }
        if (hie_str_eqz(hie_hl7_segment(t->m, i), "OBR")
            || hie_str_eqz(hie_hl7_segment(t->m, i), "PID"))
        {
            break;
        }
    }
    return -1;
}


/* OBR-3 (filler) or OBR-2 (placer), else the same of ORC. */
static hie_at_t
order_number(hie_tofhir_t *t, int obr, int field)
{
    hie_at_t  at = HIE_AT(obr, field, 0);

    if (hie_tofhir_get(t, at, 1).len == 0) {
        at = HIE_AT(order_segment(t, obr), field, 0);
    }
    return at;
}


static void
add_part(hie_buf_t *b, hie_str_t part)
{
    hie_buf_addc(b, '/');
    hie_url_encode(b, part);
}


static hie_str_t
order_key(hie_tofhir_t *t, int obr)
{
    hie_at_t   at = order_number(t, obr, 3);
    hie_str_t  number = hie_tofhir_get(t, at, 1);
    hie_str_t  code = hie_tofhir_get(t, HIE_AT(obr, 4, 0), 1);
    hie_buf_t  b;

    if (number.len == 0) {
        at = order_number(t, obr, 2);
        number = hie_tofhir_get(t, at, 1);
    }
    if (number.len == 0) {
        at = HIE_AT(-1, 0, 0);
        number = hie_hl7_control_id(t->m);
    }
    if (code.len == 0) {
        code = hie_tofhir_get(t, HIE_AT(obr, 1, 0), 1);
    }
    hie_buf_init(&b, t->pool, 128);
    hie_buf_adds(&b, t->who);
    add_part(&b, hie_dt_ei_system(t, at));
    add_part(&b, number);
    add_part(&b, code);
    return hie_buf_str(&b);
}


static void
add_identifiers(hie_tofhir_t *t, hie_buf_t *b, int obr,
                const hie_target_t *target)
{
    size_t    list = hie_jw_open(b, "identifier", '[');
    hie_at_t  filler = order_number(t, obr, 3);
    hie_at_t  placer = order_number(t, obr, 2);

    hie_dt_identifier_of(b, NULL, target->system, target->value, NULL);
    hie_dt_identifier_of(b, NULL, hie_dt_ei_system(t, filler),
                         hie_tofhir_get(t, filler, 1), "FILL");
    hie_dt_identifier_of(b, NULL, hie_dt_ei_system(t, placer),
                         hie_tofhir_get(t, placer, 1), "PLAC");
    hie_jw_close(b, list, ']');
}


/* The guide calls a missing OBR-25 an error of the sender; the results are
 * still results, and the status is then unknown. */
static void
add_status(hie_tofhir_t *t, hie_buf_t *b, int obr)
{
    hie_str_t            code = hie_tofhir_get(t, HIE_AT(obr, 25, 0), 1);
    const hie_v2code_t  *map = hie_code_map("0123", code);

    hie_jw_z(b, "status", map != NULL ? map->code : "unknown");
    if (map == NULL) {
        hie_dt_alternate(b, "_status", "0123", code);
    }
}


/* A concept that is required but not there is said to be unknown. */
static void
add_code(hie_tofhir_t *t, hie_buf_t *b, int obr)
{
    size_t  before = b->len;
    size_t  concept;

    hie_dt_concept(t, b, "code", HIE_AT(obr, 4, 0), NULL);
    if (b->len == before) {
        concept = hie_jw_open(b, "code", '{');
        hie_jw_z(b, "text", "unknown");
        hie_jw_close(b, concept, '}');
    }
}


static void
add_effective(hie_tofhir_t *t, hie_buf_t *b, int obr)
{
    hie_str_t  start = hie_tofhir_get(t, HIE_AT(obr, 7, 0), 1);
    hie_str_t  end = hie_tofhir_get(t, HIE_AT(obr, 8, 0), 1);

    if (end.len > 0) {
        hie_dt_period(t, b, "effectivePeriod", start, end);
    } else {
        hie_dt_datetime(t, b, "effectiveDateTime", start);
    }
}


/* NDL: the name is in the subcomponents of its first component (CNN). */
static void
add_interpreters(hie_tofhir_t *t, hie_buf_t *b, int obr)
{
    size_t     list = hie_jw_open(b, "resultsInterpreter", '[');
    int        n = hie_hl7_repeats(t->m, obr, 32);
    int        i;
    hie_buf_t  text;
    hie_str_t  v;
    size_t     item;
    int        sub;

    for (i = 0; i < n; i++) {
        static const int  order[] = { 6, 3, 4, 2, 5 };

        hie_buf_init(&text, t->pool, 32);
        for (sub = 0; sub < 5; sub++) {
            v = hie_tofhir_sub(t, HIE_AT(obr, 32, i), 1, order[sub]);
            hie_buf_addz(&text, text.len > 0 && v.len > 0 ? " " : "");
            hie_buf_adds(&text, v);
        }
        if (text.len == 0) {
            hie_buf_adds(&text, hie_tofhir_get(t, HIE_AT(obr, 32, i), 1));
        }
        item = hie_jw_open(b, NULL, '{');
        hie_jw_text(b, "display", hie_buf_str(&text));
        hie_jw_close(b, item, '}');
    }
    hie_jw_close(b, list, ']');
}


/* NTE right under the OBR: notes to the report as a whole. */
static void
add_conclusion(hie_tofhir_t *t, hie_buf_t *b, int obr, int end)
{
    hie_buf_t  text;
    int        i;

    hie_buf_init(&text, t->pool, 64);
    for (i = obr + 1; i < end; i++) {
        if (hie_str_eqz(hie_hl7_segment(t->m, i), "OBX")) {
            break;
        }
        if (!hie_str_eqz(hie_hl7_segment(t->m, i), "NTE")) {
            continue;
        }
        hie_buf_addz(&text, text.len > 0 ? "\n" : "");
        hie_dt_lines(t, &text, i, 3);
    }
    hie_jw_text(b, "conclusion", hie_buf_str(&text));
}


static void
add_reference(hie_buf_t *b, const char *name, hie_str_t url)
{
    size_t  mark;

    if (url.len > 0) {
        mark = hie_jw_open(b, name, '{');
        hie_jw_text(b, "reference", url);
        hie_jw_close(b, mark, '}');
    }
}


static void
write_report(hie_tofhir_t *t, int obr, int end, const hie_str_t *results,
             int n)
{
    hie_target_t  target = { "DiagnosticReport", HIE_STR_NONE, HIE_STR_NONE,
                             true };
    hie_buf_t    *b = &t->out;
    size_t        mark;
    int           i;

    target.system = hie_str(apr_pstrcat(t->pool, t->system, "obr", NULL));
    target.value = hie_tofhir_unique(t, target.type, t->order);
    hie_tofhir_begin(t, "DiagnosticReport");
    add_identifiers(t, b, obr, &target);
    add_status(t, b, obr);
    hie_dt_concepts(t, b, "category", obr, 24, "0074");
    add_code(t, b, obr);
    add_reference(b, "subject", t->patient);
    add_reference(b, "encounter", t->encounter);
    add_effective(t, b, obr);
    hie_dt_instant(t, b, "issued",
                   hie_tofhir_get(t, HIE_AT(obr, 22, 0), 1));
    add_interpreters(t, b, obr);
    mark = hie_jw_open(b, "result", '[');
    for (i = 0; i < n; i++) {
        add_reference(b, NULL, results[i]);
    }
    hie_jw_close(b, mark, ']');
    add_conclusion(t, b, obr, end);
    hie_tofhir_end(t, &target);
}


/* OBX before the first OBR (observations of the patient) and after SPM (of
 * the specimen) are Observations without being results of the report, as in
 * the message map ORU_R01. */
void
hie_to_results(hie_tofhir_t *t, int from, int end)
{
    hie_str_t  *results = apr_palloc(t->pool,
                                     sizeof(*results) * (size_t) (end - from));
    hie_str_t   name;
    hie_str_t   url;
    bool        specimen = false;
    int         obr = -1;
    int         n = 0;
    int         i;

    t->order = order_key(t, obr);
    for (i = from; i < end && !hie_tofhir_full(t); i++) {
        name = hie_hl7_segment(t->m, i);
        if (hie_str_eqz(name, "OBR")) {
            if (obr >= 0) {
                write_report(t, obr, i, results, n);
            }
            obr = i;
            n = 0;
            t->order = order_key(t, obr);
            specimen = false;
        } else if (hie_str_eqz(name, "SPM")) {
            specimen = true;
        } else if (hie_str_eqz(name, "OBX")) {
            url = hie_to_observation(t, obr, i, end);
            if (!specimen) {
                results[n++] = url;
            }
        }
    }
    if (obr >= 0 && i == end) {
        write_report(t, obr, end, results, n);
    }
}
