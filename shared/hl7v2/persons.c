/*
 * Data types of v2 to data types of FHIR: names, addresses, numbers to call,
 * references to people and organizations.
 */

#include <string.h>

#include "hl7v2/tofhir.h"


static void
strings(hie_buf_t *b, const char *name, const hie_str_t *v, size_t n)
{
    size_t  mark = hie_jw_open(b, name, '[');
    size_t  i;

    for (i = 0; i < n; i++) {
        hie_jw_text(b, NULL, v[i]);
    }
    hie_jw_close(b, mark, ']');
}


/* XPN[HumanName]. A name of only a use is none. */
void
hie_dt_name(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at)
{
    size_t               mark = hie_jw_open(b, name, '{');
    size_t               empty = b->len;
    const hie_v2code_t  *use;
    hie_str_t            given[2] = { hie_tofhir_get(t, at, 2),
                                      hie_tofhir_get(t, at, 3) };
    hie_str_t            prefix[1] = { hie_tofhir_get(t, at, 5) };
    hie_str_t            suffix[3] = { hie_tofhir_get(t, at, 4),
                                       hie_tofhir_get(t, at, 6),
                                       hie_tofhir_get(t, at, 14) };

    hie_jw_text(b, "family", hie_tofhir_get(t, at, 1));
    strings(b, "given", given, 2);
    strings(b, "prefix", prefix, 1);
    strings(b, "suffix", suffix, 3);
    if (b->len > empty) {
        use = hie_code_map("0200", hie_tofhir_get(t, at, 7));
        if (use != NULL) {
            hie_jw_z(b, "use", use->code);
        }
        hie_dt_period(t, b, "period", hie_tofhir_get(t, at, 12),
                      hie_tofhir_get(t, at, 13));
    }
    hie_jw_close(b, mark, '}');
}


/* XAD[Address]; XAD.1 is a SAD from 2.5 on, before only its first part. */
void
hie_dt_address(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at)
{
    size_t               mark = hie_jw_open(b, name, '{');
    size_t               empty = b->len;
    hie_str_t            kind = hie_tofhir_get(t, at, 7);
    const hie_v2code_t  *use = hie_code_map("0190/use", kind);
    const hie_v2code_t  *type = hie_code_map("0190/type", kind);
    hie_str_t            line[5] = { hie_tofhir_sub(t, at, 1, 1),
                                     hie_tofhir_sub(t, at, 1, 2),
                                     hie_tofhir_sub(t, at, 1, 3),
                                     hie_tofhir_get(t, at, 2),
                                     hie_tofhir_get(t, at, 19) };

    strings(b, "line", line, 5);
    hie_jw_text(b, "city", hie_tofhir_get(t, at, 3));
    hie_jw_text(b, "district", hie_tofhir_get(t, at, 9));
    hie_jw_text(b, "state", hie_tofhir_get(t, at, 4));
    hie_jw_text(b, "postalCode", hie_tofhir_get(t, at, 5));
    hie_jw_text(b, "country", hie_tofhir_get(t, at, 6));
    if (b->len > empty) {
        if (use != NULL) {
            hie_jw_z(b, "use", use->code);
        }
        if (type != NULL) {
            hie_jw_z(b, "type", type->code);
        }
        hie_dt_period(t, b, "period", hie_tofhir_get(t, at, 13),
                      hie_tofhir_get(t, at, 14));
    }
    hie_jw_close(b, mark, '}');
}


/* XTN.5 to XTN.8 as one number, after the rows of XTN[ContactPoint]. */
static hie_str_t
composed_number(hie_tofhir_t *t, hie_at_t at)
{
    hie_str_t  country = hie_tofhir_get(t, at, 5);
    hie_str_t  area = hie_tofhir_get(t, at, 6);
    hie_str_t  local = hie_tofhir_get(t, at, 7);
    hie_str_t  extension = hie_tofhir_get(t, at, 8);
    hie_buf_t  b;

    if (local.len == 0) {
        return HIE_STR_NONE;
    }
    hie_buf_init(&b, t->pool, 32);
    if (country.len > 0) {
        hie_buf_addf(&b, "%s%.*s ", country.ptr[0] == '+' ? "" : "+",
                     HIE_PRISTR(country));
    }
    if (area.len > 0) {
        hie_buf_addf(&b, "%.*s ", HIE_PRISTR(area));
    }
    hie_buf_adds(&b, local);
    if (extension.len > 0) {
        hie_buf_addf(&b, " X%.*s", HIE_PRISTR(extension));
    }
    return hie_buf_str(&b);
}


static hie_str_t
first_of(hie_str_t a, hie_str_t b)
{
    return a.len > 0 ? a : b;
}


/* XTN[ContactPoint]. The guide marks a missing XTN.3 as unknown; the fields
 * that are mapped are named phone numbers and were nothing else before 2.3,
 * so it is a phone here, and an e-mail where only XTN.4 is valued. */
void
hie_dt_telecom(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at, const char *use)
{
    hie_str_t            kind = hie_tofhir_get(t, at, 3);
    hie_str_t            code = hie_tofhir_get(t, at, 2);
    hie_str_t            mail = hie_tofhir_get(t, at, 4);
    const hie_v2code_t  *map = hie_code_map("0202", kind);
    const char          *system = map != NULL ? map->code : "phone";
    hie_str_t            value;
    size_t               mark;

    value = first_of(hie_tofhir_get(t, at, 12), composed_number(t, at));
    value = first_of(value, hie_tofhir_get(t, at, 1));
    if (mail.len > 0 && (strcmp(system, "email") == 0 || value.len == 0)) {
        system = "email";
        value = mail;
    }
    if (value.len == 0) {
        return;
    }
    map = hie_code_map("0201", code);
    if (hie_str_ieqz(kind, "CP")) {
        use = "mobile";
    } else if (map != NULL) {
        use = map->code;
    } else if (code.len > 0) {
        use = NULL;
    }
    mark = hie_jw_open(b, NULL, '{');
    hie_jw_z(b, "system", system);
    hie_jw_text(b, "value", value);
    hie_jw_z(b, "use", use);
    hie_dt_period(t, b, "period", hie_tofhir_get(t, at, 13),
                  hie_tofhir_get(t, at, 14));
    hie_jw_close(b, mark, '}');
}


/* XCN: prefix, given names, family, suffix, as one text. */
static hie_str_t
person_text(hie_tofhir_t *t, hie_at_t at)
{
    static const int  order[] = { 6, 3, 4, 2, 5 };
    hie_buf_t         b;
    hie_str_t         v;
    size_t            i;

    hie_buf_init(&b, t->pool, 32);
    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        v = hie_tofhir_get(t, at, order[i]);
        if (v.len > 0) {
            if (b.len > 0) {
                hie_buf_addc(&b, ' ');
            }
            hie_buf_adds(&b, v);
        }
    }
    return hie_buf_str(&b);
}


/* People of a message are named by identifier and display: a Practitioner
 * made of an XCN could not be told from others of the same name. */
void
hie_dt_person(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at)
{
    size_t     mark = hie_jw_open(b, name, '{');
    hie_str_t  id = hie_tofhir_get(t, at, 1);
    hie_str_t  type = hie_tofhir_get(t, at, 13);
    hie_str_t  system = hie_dt_system(t, hie_tofhir_get(t, at, 9),
                                      hie_tofhir_sub(t, at, 9, 2),
                                      hie_tofhir_sub(t, at, 9, 3));

    if (id.len > 0) {
        hie_jw_z(b, "type", "Practitioner");
        hie_dt_identifier_of(b, "identifier", system, id,
                             hie_str_z(t->pool, type));
    }
    hie_jw_text(b, "display", person_text(t, at));
    hie_jw_close(b, mark, '}');
}


/* XON: name, identifier (XON.10, XON.3 before 2.5) and its authority. */
void
hie_dt_organization(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                    hie_at_t at)
{
    size_t     mark = hie_jw_open(b, name, '{');
    hie_str_t  id = first_of(hie_tofhir_get(t, at, 10),
                             hie_tofhir_get(t, at, 3));
    hie_str_t  type = hie_tofhir_get(t, at, 7);
    hie_str_t  system = hie_dt_system(t, hie_tofhir_get(t, at, 6),
                                      hie_tofhir_sub(t, at, 6, 2),
                                      hie_tofhir_sub(t, at, 6, 3));

    if (id.len > 0) {
        hie_jw_z(b, "type", "Organization");
        hie_dt_identifier_of(b, "identifier", system, id,
                             hie_str_z(t->pool, type));
    }
    hie_jw_text(b, "display", hie_tofhir_get(t, at, 1));
    hie_jw_close(b, mark, '}');
}
