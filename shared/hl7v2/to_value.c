/*
 * OBX-5 by the type in OBX-2: OBX[Observation], and OBX[Observation-Component]
 * where a value that is no text repeats.
 *
 * What has no place in value[x] (NA, ED, RP, addresses …), and what is not of
 * the type that OBX-2 says, becomes a string as it was sent: nothing is lost.
 */

#include <string.h>

#include "hl7v2/tofhir.h"

#define MAX_COMPONENTS  500     /* more repetitions are one string */

typedef struct {
    int        obx;
    int        repeat;
    hie_str_t  type;        /* OBX-2 */
} value_t;


static bool
is_one_of(hie_str_t type, const char *const *list)
{
    while (*list != NULL) {
        if (hie_str_eqz(type, *list)) {
            return true;
        }
        list++;
    }
    return false;
}


static bool
is_text(hie_str_t type)
{
    static const char *const  list[] = { "ST", "TX", "FT", NULL };

    return is_one_of(type, list);
}


/* Types that repeat as components; the others are one string together. */
static bool
is_simple(hie_str_t type)
{
    static const char *const  list[] = {
        "NM", "SN", "CE", "CWE", "CF", "CNE", "IS", "DT", "TM", "TS", "DTM",
        NULL
    };

    return is_one_of(type, list);
}


/* A comparator of R4 (quantity-comparator); "=" is none. */
static bool
comparator(hie_str_t s, const char **out)
{
    static const char *const  known[] = { "<", "<=", ">=", ">", NULL };
    int                       i;

    *out = NULL;
    for (i = 0; known[i] != NULL; i++) {
        if (hie_str_eqz(s, known[i])) {
            *out = known[i];
            return true;
        }
    }
    return s.len == 0 || hie_str_eqz(s, "=");
}


/* CWE[Quantity]: OBX-6. A code needs a system, and only UCUM is said to be
 * UCUM; without a text the code is the unit that is shown. */
static void
add_unit(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    hie_at_t   at = HIE_AT(obx, 6, 0);
    hie_str_t  code = hie_tofhir_get(t, at, 1);
    hie_str_t  text = hie_tofhir_get(t, at, 2);
    hie_str_t  system = hie_code_system(t, hie_tofhir_get(t, at, 3), code);

    hie_jw_text(b, "unit", text.len > 0 ? text : code);
    if (code.len > 0 && system.len > 0) {
        hie_jw_text(b, "system", system);
        hie_jw_code(b, "code", code);
    }
}


static void
add_quantity(hie_tofhir_t *t, hie_buf_t *b, const char *name, int obx,
             const char *compare, hie_str_t number)
{
    size_t  mark = hie_jw_open(b, name, '{');

    hie_jw_raw(b, "value", number);
    hie_jw_z(b, "comparator", compare);
    add_unit(t, b, obx);
    hie_jw_close(b, mark, '}');
}


/* The field or repetition as it stands, with the unit if the type has one. */
static void
add_raw(hie_tofhir_t *t, hie_buf_t *b, const value_t *v)
{
    hie_str_t  raw = hie_tofhir_raw(t, HIE_AT(v->obx, 5, v->repeat));
    hie_str_t  unit = hie_tofhir_get(t, HIE_AT(v->obx, 6, 0), 1);
    hie_buf_t  text;

    if (raw.len == 0 || hie_str_eqz(raw, "\"\"")) {
        return;
    }
    raw = hie_hl7_unescape(t->pool, raw, &t->m->d);
    if (unit.len > 0
        && (hie_str_eqz(v->type, "NM") || hie_str_eqz(v->type, "SN")))
    {
        hie_buf_init(&text, t->pool, raw.len + unit.len + 2);
        hie_buf_adds(&text, raw);
        hie_buf_addc(&text, ' ');
        hie_buf_adds(&text, unit);
        raw = hie_buf_str(&text);
    }
    hie_jw_text(b, "valueString", raw);
}


/* SN[Quantity], SN[Range], SN[Ratio] by the separator, as OBX[Observation]
 * has it; false for the combinations that it makes a string of. */
static bool
add_structured(hie_tofhir_t *t, hie_buf_t *b, const value_t *v)
{
    hie_at_t     at = HIE_AT(v->obx, 5, v->repeat);
    hie_str_t    separator = hie_tofhir_get(t, at, 3);
    hie_str_t    one;
    hie_str_t    two;
    const char  *compare;
    bool         range = hie_str_eqz(separator, "-");
    bool         second;
    size_t       mark;

    second = hie_dt_decimal(t->pool, hie_tofhir_get(t, at, 4), &two);
    if (!comparator(hie_tofhir_get(t, at, 1), &compare)
        || !hie_dt_decimal(t->pool, hie_tofhir_get(t, at, 2), &one))
    {
        return false;
    }
    if (separator.len == 0 && hie_tofhir_get(t, at, 4).len == 0) {
        add_quantity(t, b, "valueQuantity", v->obx, compare, one);
        return true;
    }
    if (!second || (range && compare != NULL)) {
        return false;
    }
    if (range) {
        mark = hie_jw_open(b, "valueRange", '{');
        add_quantity(t, b, "low", v->obx, NULL, one);
        add_quantity(t, b, "high", v->obx, NULL, two);
    } else if (hie_str_eqz(separator, ":") || hie_str_eqz(separator, "/")) {
        mark = hie_jw_open(b, "valueRatio", '{');
        add_quantity(t, b, "numerator", v->obx, compare, one);
        add_quantity(t, b, "denominator", v->obx, NULL, two);
    } else {
        return false;
    }
    hie_jw_close(b, mark, '}');
    return true;
}


static bool
add_moment(hie_tofhir_t *t, hie_buf_t *b, hie_str_t raw)
{
    hie_dtm_t  d;

    if (!hie_dtm_parse(raw, &d)) {
        return false;
    }
    hie_jw_text(b, "valueDateTime", hie_dtm_text(t, &d, false));
    return true;
}


static void
add_one(hie_tofhir_t *t, hie_buf_t *b, const value_t *v)
{
    hie_at_t   at = HIE_AT(v->obx, 5, v->repeat);
    hie_str_t  first = hie_tofhir_get(t, at, 1);
    hie_str_t  number;
    size_t     before = b->len;
    bool       done = false;

    if (v->repeat < 0) {
        done = false;
    } else if (hie_str_eqz(v->type, "NM")) {
        done = hie_dt_decimal(t->pool, first, &number);
        if (done) {
            add_quantity(t, b, "valueQuantity", v->obx, NULL, number);
        }
    } else if (hie_str_eqz(v->type, "SN")) {
        done = add_structured(t, b, v);
    } else if (hie_str_eqz(v->type, "TM")) {
        done = hie_dt_time(b, "valueTime", first);
    } else if (hie_str_eqz(v->type, "DT") || hie_str_eqz(v->type, "TS")
               || hie_str_eqz(v->type, "DTM"))
    {
        done = add_moment(t, b, first);
    } else if (is_simple(v->type)) {
        hie_dt_concept(t, b, "valueCodeableConcept", at, NULL);
        done = b->len > before;
    }
    if (!done) {
        add_raw(t, b, v);
    }
}


static void
add_text(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    hie_buf_t  text;

    hie_buf_init(&text, t->pool, 128);
    hie_dt_lines(t, &text, obx, 5);
    hie_jw_text(b, "valueString", hie_buf_str(&text));
}


static void
add_components(hie_tofhir_t *t, hie_buf_t *b, value_t *v, int n)
{
    size_t  list = hie_jw_open(b, "component", '[');
    size_t  item;
    size_t  empty;
    size_t  code;

    for (v->repeat = 0; v->repeat < n && !hie_tofhir_full(t); v->repeat++) {
        item = hie_jw_open(b, NULL, '{');
        empty = b->len;
        add_one(t, b, v);
        if (b->len > empty) {
            size_t  before = b->len;

            hie_dt_concept(t, b, "code", HIE_AT(v->obx, 3, 0), NULL);
            if (b->len == before) {
                code = hie_jw_open(b, "code", '{');
                hie_jw_z(b, "text", "unknown");
                hie_jw_close(b, code, '}');
            }
        }
        hie_jw_close(b, item, '}');
    }
    hie_jw_close(b, list, ']');
}


/* OBX-11 N says that it was not asked (obs-6: only without a value). */
static void
add_absent(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    size_t  concept;
    size_t  list;

    if (!hie_str_eqz(hie_tofhir_get(t, HIE_AT(obx, 11, 0), 1), "N")) {
        return;
    }
    concept = hie_jw_open(b, "dataAbsentReason", '{');
    list = hie_jw_open(b, "coding", '[');
    hie_dt_coding(b, NULL,
                  HIE_STR("http://terminology.hl7.org/CodeSystem/"
                          "data-absent-reason"),
                  HIE_STR("not-asked"), HIE_STR("Not Asked"));
    hie_jw_close(b, list, ']');
    hie_jw_close(b, concept, '}');
}


void
hie_to_value(hie_tofhir_t *t, hie_buf_t *b, int obx)
{
    size_t   before = b->len;
    int      n = hie_hl7_repeats(t->m, obx, 5);
    value_t  v = { obx, 0, hie_tofhir_get(t, HIE_AT(obx, 2, 0), 1) };

    if (is_text(v.type)) {
        add_text(t, b, obx);
    } else if (is_simple(v.type) && n > 1 && n <= MAX_COMPONENTS) {
        add_components(t, b, &v, n);
    } else if (n > 0) {
        v.repeat = is_simple(v.type) && n == 1 ? 0 : -1;
        add_one(t, b, &v);
    }
    if (b->len == before) {
        add_absent(t, b, obx);
    }
}
