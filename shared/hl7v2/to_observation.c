/*
 * OBX[Observation] and NTE[Observation].
 *
 * Not mapped: OBX-9, OBX-10, OBX-12, OBX-13, OBX-18, OBX-19 and
 * OBX-24 on.
 */

#include <string.h>

#include "hl7v2/tofhir.h"


/* Told by patient, authority, order, OBR-4.1, OBX-3.1 and OBX-4, so that a
 * correction replaces; the n-th OBX with the same parts gets a number. */
static hie_target_t
target_of(hie_tofhir_t *t, int obx)
{
    hie_target_t  target = { "Observation", HIE_STR_NONE, HIE_STR_NONE,
                             true };
    hie_str_t     code = hie_tofhir_get(t, HIE_AT(obx, 3, 0), 1);
    hie_buf_t     b;

    if (code.len == 0) {
        code = hie_tofhir_get(t, HIE_AT(obx, 3, 0), 4);
    }
    if (code.len == 0) {
        code = hie_tofhir_get(t, HIE_AT(obx, 3, 0), 2);
    }
    hie_buf_init(&b, t->pool, 96);
    hie_buf_adds(&b, t->order);
    hie_buf_addc(&b, '/');
    hie_url_encode(&b, code);
    hie_buf_addc(&b, '/');
    hie_url_encode(&b, hie_hl7_raw(t->m, obx, 4, -1));
    target.system = hie_str(apr_pstrcat(t->pool, t->system, "obx", NULL));
    target.value = hie_tofhir_unique(t, target.type, hie_buf_str(&b));
    return target;
}


static void
add_status(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    hie_str_t            code = hie_tofhir_get(t, HIE_AT(obx, 11, 0), 1);
    const hie_v2code_t  *map = hie_code_map("0085", code);

    hie_jw_z(b, "status", map != NULL ? map->code : "unknown");
    if (map == NULL || hie_str_eqz(code, "X")) {
        hie_dt_alternate(b, "_status", "0085", code);
    }
}


static void
add_code(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    size_t  before = b->len;
    size_t  concept;

    hie_dt_concept(t, b, "code", HIE_AT(obx, 3, 0), NULL);
    if (b->len == before) {
        concept = hie_jw_open(b, "code", '{');
        hie_jw_z(b, "text", "unknown");
        hie_jw_close(b, concept, '}');
    }
}


static void
add_effective(hie_tofhir_t *t, hie_buf_t *b, int obr, int obx)
{
    hie_str_t  when = hie_tofhir_get(t, HIE_AT(obx, 14, 0), 1);

    if (when.len == 0) {
        when = hie_tofhir_get(t, HIE_AT(obr, 7, 0), 1);
    }
    hie_dt_datetime(t, b, "effectiveDateTime", when);
}


/* OBX-16 (responsible observer) and OBX-23 (performing organization). */
static void
add_performers(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    size_t  list = hie_jw_open(b, "performer", '[');
    int     n = hie_hl7_repeats(t->m, obx, 16);
    int     i;

    for (i = 0; i < n; i++) {
        hie_dt_person(t, b, NULL, HIE_AT(obx, 16, i));
    }
    hie_dt_organization(t, b, NULL, HIE_AT(obx, 23, 0));
    hie_jw_close(b, list, ']');
}


/* A note for every run of NTE after the OBX: the lines of one comment are
 * often sent as many segments. */
static void
add_note(hie_tofhir_t *t, hie_buf_t *b, int obx, int end)
{
    hie_buf_t  text;
    size_t     list;
    size_t     item;
    int        i;

    hie_buf_init(&text, t->pool, 64);
    for (i = obx + 1; i < end; i++) {
        if (!hie_str_eqz(hie_hl7_segment(t->m, i), "NTE")) {
            break;
        }
        hie_buf_addz(&text, text.len > 0 ? "\n" : "");
        hie_dt_lines(t, &text, i, 3);
    }
    list = hie_jw_open(b, "note", '[');
    item = hie_jw_open(b, NULL, '{');
    hie_jw_text(b, "text", hie_buf_str(&text));
    hie_jw_close(b, item, '}');
    hie_jw_close(b, list, ']');
}


static void
add_bound(hie_buf_t *b, const char *name, hie_str_t number)
{
    size_t  mark = hie_jw_open(b, name, '{');

    hie_jw_raw(b, "value", number);
    hie_jw_close(b, mark, '}');
}


/* OBX-7: always the text; low and high where it is "number-number". */
static void
add_range(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    hie_str_t  text = hie_str_trim(hie_hl7_unescape(
                          t->pool, hie_hl7_raw(t->m, obx, 7, -1), &t->m->d));
    hie_str_t  low;
    hie_str_t  high;
    hie_str_t  left;
    hie_str_t  right;
    size_t     list;
    size_t     item;

    if (text.len == 0 || hie_str_eqz(text, "\"\"")) {
        return;
    }
    list = hie_jw_open(b, "referenceRange", '[');
    item = hie_jw_open(b, NULL, '{');
    left = hie_str_split(text, '-', &right);
    if (hie_dt_decimal(t->pool, left, &low)
        && hie_dt_decimal(t->pool, right, &high))
    {
        add_bound(b, "low", low);
        add_bound(b, "high", high);
    }
    hie_jw_text(b, "text", text);
    hie_jw_close(b, item, '}');
    hie_jw_close(b, list, ']');
}


hie_str_t
hie_to_observation(hie_tofhir_t *t, int obr, int obx, int end)
{
    hie_target_t  target = target_of(t, obx);
    hie_buf_t    *b = &t->out;
    hie_str_t     url = hie_tofhir_begin(t, "Observation");
    size_t        mark;

    mark = hie_jw_open(b, "identifier", '[');
    hie_dt_identifier_of(b, NULL, target.system, target.value, NULL);
    hie_dt_identifier_of(b, NULL,
                         hie_dt_ei_system(t, HIE_AT(obx, 21, 0)),
                         hie_tofhir_get(t, HIE_AT(obx, 21, 0), 1), "FILL");
    hie_jw_close(b, mark, ']');
    add_status(t, b, obx);
    add_code(t, b, obx);
    mark = hie_jw_open(b, "subject", '{');
    hie_jw_text(b, "reference", t->patient);
    hie_jw_close(b, mark, '}');
    mark = hie_jw_open(b, "encounter", '{');
    hie_jw_text(b, "reference", t->encounter);
    hie_jw_close(b, mark, '}');
    add_effective(t, b, obr, obx);
    add_performers(t, b, obx);
    hie_to_value(t, b, obx);
    hie_dt_concepts(t, b, "interpretation", obx, 8, "0078");
    add_note(t, b, obx, end);
    hie_dt_concept(t, b, "bodySite", HIE_AT(obx, 20, 0), NULL);
    hie_dt_concept(t, b, "method", HIE_AT(obx, 17, 0), NULL);
    add_range(t, b, obx);
    hie_tofhir_end(t, &target);
    return url;
}
