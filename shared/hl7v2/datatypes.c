/*
 * Data types of v2 to data types of FHIR: identifiers and codes. What a
 * table of the guide leaves to the site is decided here, with the reason.
 */

#include <string.h>

#include "hl7v2/tofhir.h"

#define V2  "http://terminology.hl7.org/CodeSystem/v2-"


/* [0-2](\.(0|[1-9][0-9]*))+, as FHIR wants it. */
static bool
is_oid(hie_str_t s)
{
    size_t  i;

    if (s.len < 3 || s.ptr[0] < '0' || s.ptr[0] > '2' || s.ptr[1] != '.') {
        return false;
    }
    for (i = 1; i < s.len; i++) {
        char  c = s.ptr[i];
        char  next = i + 1 < s.len ? s.ptr[i + 1] : '.';

        if (c == '.' && next == '.') {
            return false;
        }
        if (c != '.' && (c < '0' || c > '9')) {
            return false;
        }
        if (c == '0' && s.ptr[i - 1] == '.' && next != '.') {
            return false;
        }
    }
    return true;
}


static bool
is_uuid(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        char  c = s.ptr[i];
        bool  dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? c != '-'
                 : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
                     || (c >= 'A' && c <= 'F')))
        {
            return false;
        }
    }
    return s.len == 36;
}


/* A URI stays as it is but for what a URI cannot hold. */
static void
add_uri(hie_buf_t *b, hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.ptr[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL) {
            hie_buf_addf(b, "%%%02X", c);
        } else {
            hie_buf_addc(b, (char) c);
        }
    }
}


static void
add_uuid(hie_buf_t *b, hie_str_t s)
{
    size_t  i;

    hie_buf_addz(b, "urn:uuid:");
    for (i = 0; i < s.len; i++) {
        hie_buf_addc(b, s.ptr[i] >= 'A' && s.ptr[i] <= 'F'
                        ? (char) (s.ptr[i] + 32) : s.ptr[i]);
    }
}


hie_str_t
hie_dt_system(hie_tofhir_t *t, hie_str_t ns, hie_str_t id, hie_str_t type)
{
    hie_buf_t  b;

    hie_buf_init(&b, t->pool, 64);
    if (hie_str_starts(id, "http://") || hie_str_starts(id, "https://")
        || hie_str_starts(id, "urn:"))
    {
        add_uri(&b, id);
    } else if (hie_str_ieqz(type, "ISO") && is_oid(id)) {
        hie_buf_addz(&b, "urn:oid:");
        hie_buf_adds(&b, id);
    } else if ((hie_str_ieqz(type, "UUID") || hie_str_ieqz(type, "GUID"))
               && is_uuid(id))
    {
        add_uuid(&b, id);
    } else {
        hie_buf_addz(&b, t->system);
        hie_url_encode(&b, ns.len > 0 ? ns : id.len > 0 ? id : t->facility);
    }
    return hie_buf_str(&b);
}


hie_str_t
hie_dt_cx_system(hie_tofhir_t *t, hie_at_t at)
{
    return hie_dt_system(t, hie_tofhir_get(t, at, 4),
                         hie_tofhir_sub(t, at, 4, 2),
                         hie_tofhir_sub(t, at, 4, 3));
}


hie_str_t
hie_dt_ei_system(hie_tofhir_t *t, hie_at_t at)
{
    return hie_dt_system(t, hie_tofhir_get(t, at, 2),
                         hie_tofhir_get(t, at, 3),
                         hie_tofhir_get(t, at, 4));
}


void
hie_dt_coding(hie_buf_t *b, const char *name, hie_str_t system,
              hie_str_t code, hie_str_t display)
{
    size_t  mark = hie_jw_open(b, name, '{');

    hie_jw_text(b, "system", system);
    hie_jw_code(b, "code", code);
    hie_jw_text(b, "display", display);
    hie_jw_close(b, mark, '}');
}


/* Identifier.type by table 0203; a code that is not of it is text. */
static void
identifier_type(hie_buf_t *b, hie_str_t code)
{
    size_t  type = hie_jw_open(b, "type", '{');
    size_t  list;

    if (hie_code_is_identifier_type(code)) {
        list = hie_jw_open(b, "coding", '[');
        hie_dt_coding(b, NULL, HIE_STR(V2 "0203"), code, HIE_STR_NONE);
        hie_jw_close(b, list, ']');
    } else {
        hie_jw_text(b, "text", code);
    }
    hie_jw_close(b, type, '}');
}


void
hie_dt_identifier_of(hie_buf_t *b, const char *name, hie_str_t system,
                     hie_str_t value, const char *type)
{
    size_t  mark;

    if (value.len == 0) {
        return;
    }
    mark = hie_jw_open(b, name, '{');
    identifier_type(b, hie_str(type));
    hie_jw_text(b, "system", system);
    hie_jw_text(b, "value", value);
    hie_jw_close(b, mark, '}');
}


/* CX[Identifier]. The guide takes the assigning authority as the system only
 * if it is registered, else as an organization; conditional requests need a
 * system, so it always is one here. */
void
hie_dt_identifier(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                  hie_at_t at, const char *type)
{
    hie_str_t  value = hie_tofhir_get(t, at, 1);
    hie_str_t  code = hie_tofhir_get(t, at, 5);
    size_t     mark;

    if (value.len == 0) {
        return;
    }
    mark = hie_jw_open(b, name, '{');
    identifier_type(b, code.len > 0 ? code : hie_str(type));
    hie_jw_text(b, "system", hie_dt_cx_system(t, at));
    hie_jw_text(b, "value", value);
    hie_dt_period(t, b, "period", hie_tofhir_get(t, at, 7),
                  hie_tofhir_get(t, at, 8));
    hie_jw_close(b, mark, '}');
}


/* The v2 table as a code system. */
static hie_str_t
table_system(hie_tofhir_t *t, const char *table)
{
    return hie_str(apr_psprintf(t->pool, V2 "%.4s", table));
}


/* One triplet of a CWE: code, display, system at `first`, the version at
 * `version`. With a table of the field: what the concept map says comes
 * first, then the code as it was sent if the two differ. */
static void
triplet(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at, int first, int version,
        const char *table)
{
    hie_str_t            code = hie_tofhir_get(t, at, first);
    hie_str_t            display = hie_tofhir_get(t, at, first + 1);
    hie_str_t            name = hie_tofhir_get(t, at, first + 2);
    hie_str_t            system;
    const hie_v2code_t  *map = NULL;
    size_t               mark;

    if (code.len == 0) {
        return;
    }
    system = hie_code_system(t, name, code);
    if (table != NULL && system.len == 0) {
        system = table_system(t, table);
    }
    if (table != NULL && hie_str_eq(system, table_system(t, table))) {
        map = hie_code_map(table, code);
    }
    if (map != NULL && map->system != NULL) {
        hie_dt_coding(b, NULL, hie_str(map->system), hie_str(map->code),
                      hie_str(map->display));
        if (hie_str_eqz(code, map->code)) {
            return;
        }
    }
    mark = hie_jw_open(b, NULL, '{');
    hie_jw_text(b, "system", system);
    hie_jw_text(b, "version", hie_tofhir_get(t, at, version));
    hie_jw_code(b, "code", code);
    hie_jw_text(b, "display", display);
    hie_jw_close(b, mark, '}');
}


/* CWE[CodeableConcept]; a CE has two triplets and no original text, an IS or
 * ID only a code. Text is CWE.9, else what a triplet without a code says. */
void
hie_dt_concept(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at,
               const char *table)
{
    size_t     mark = hie_jw_open(b, name, '{');
    size_t     list = hie_jw_open(b, "coding", '[');
    hie_str_t  text = hie_tofhir_get(t, at, 9);

    triplet(t, b, at, 1, 7, table);
    triplet(t, b, at, 4, 8, NULL);
    triplet(t, b, at, 10, 13, NULL);
    hie_jw_close(b, list, ']');
    if (text.len == 0 && hie_tofhir_get(t, at, 1).len == 0) {
        text = hie_tofhir_get(t, at, 2);
    }
    if (text.len == 0 && hie_tofhir_get(t, at, 4).len == 0) {
        text = hie_tofhir_get(t, at, 5);
    }
    hie_jw_text(b, "text", text);
    hie_jw_close(b, mark, '}');
}


void
hie_dt_concepts(hie_tofhir_t *t, hie_buf_t *b, const char *name, int segment,
                int field, const char *table)
{
    size_t  mark = hie_jw_open(b, name, '[');
    int     n = hie_hl7_repeats(t->m, segment, field);
    int     i;

    for (i = 0; i < n; i++) {
        hie_dt_concept(t, b, NULL, HIE_AT(segment, field, i), table);
    }
    hie_jw_close(b, mark, ']');
}


void
hie_dt_alternate(hie_buf_t *b, const char *name, const char *table,
                 hie_str_t code)
{
    size_t  element;
    size_t  list;
    size_t  extension;
    size_t  concept;
    size_t  codings;

    if (code.len == 0) {
        return;
    }
    element = hie_jw_open(b, name, '{');
    list = hie_jw_open(b, "extension", '[');
    extension = hie_jw_open(b, NULL, '{');
    hie_jw_z(b, "url",
             "http://hl7.org/fhir/StructureDefinition/alternate-codes");
    concept = hie_jw_open(b, "valueCodeableConcept", '{');
    codings = hie_jw_open(b, "coding", '[');
    hie_dt_coding(b, NULL, hie_str(apr_pstrcat(b->pool, V2, table, NULL)),
                  code, HIE_STR_NONE);
    hie_jw_close(b, codings, ']');
    hie_jw_close(b, concept, '}');
    hie_jw_close(b, extension, '}');
    hie_jw_close(b, list, ']');
    hie_jw_close(b, element, '}');
}


/* The repetitions are walked, not looked up: a report may have thousands. */
void
hie_dt_lines(hie_tofhir_t *t, hie_buf_t *text, int segment, int field)
{
    hie_str_t  rest = hie_hl7_raw(t->m, segment, field, -1);
    hie_str_t  line;
    bool       first = true;

    while (rest.ptr != NULL) {
        line = rest;
        rest = HIE_STR_NONE;
        if (t->m->d.repeat != 0) {
            line = hie_str_split(line, t->m->d.repeat, &rest);
        }
        if (!first) {
            hie_buf_addc(text, '\n');
        }
        first = false;
        if (!hie_str_eqz(line, "\"\"")) {
            hie_buf_adds(text, hie_hl7_unescape(t->pool, line, &t->m->d));
        }
    }
}


/* NM (HL7 v2.5 section 2.A.46): a sign, digits, a point. FHIR has no plus
 * sign, no leading zeros, and digits on both sides of the point; those are
 * brought into form, all other digits stay as they were sent. */
bool
hie_dt_decimal(apr_pool_t *pool, hie_str_t raw, hie_str_t *out)
{
    hie_str_t  s = hie_str_trim(raw);
    hie_str_t  fraction;
    hie_str_t  whole;
    hie_buf_t  b;
    size_t     i;
    bool       minus = hie_str_starts(s, "-");

    if (minus || hie_str_starts(s, "+")) {
        s.ptr++;
        s.len--;
    }
    if (s.len == 0 || s.len > 64) {
        return false;
    }
    whole = hie_str_split(s, '.', &fraction);
    if (whole.len + fraction.len == 0) {
        return false;
    }
    for (i = 0; i < s.len; i++) {
        if (i != whole.len && (s.ptr[i] < '0' || s.ptr[i] > '9')) {
            return false;
        }
    }
    while (whole.len > 1 && whole.ptr[0] == '0') {
        whole.ptr++;
        whole.len--;
    }
    hie_buf_init(&b, pool, s.len + 4);
    hie_buf_addz(&b, minus ? "-" : "");
    hie_buf_adds(&b, whole.len > 0 ? whole : HIE_STR("0"));
    if (fraction.len > 0) {
        hie_buf_addc(&b, '.');
        hie_buf_adds(&b, fraction);
    }
    *out = hie_buf_str(&b);
    return true;
}
