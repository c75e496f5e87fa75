/*
 * Dates, numbers, quantities and places of a search parameter (R4 sections
 * 3.1.1.4.5 to 3.1.1.4.8, 8.6.4).
 */

#include "search/criterion.h"

#include <math.h>
#include <string.h>

#include "ucum/ucum.h"

static const struct {
    char            name[3];
    hie_range_op_t  op;
    bool            negate;
} prefixes[] = {
    { "eq", HIE_RANGE_EQ, false }, { "ne", HIE_RANGE_EQ, true },
    { "gt", HIE_RANGE_GT, false }, { "lt", HIE_RANGE_LT, false },
    { "ge", HIE_RANGE_GE, false }, { "le", HIE_RANGE_LE, false },
    { "sa", HIE_RANGE_SA, false }, { "eb", HIE_RANGE_EB, false },
    { "ap", HIE_RANGE_AP, false }
};


static void
take_prefix(hie_str_t *value, hie_range_op_t *op, bool *negate)
{
    size_t  i;

    *op = HIE_RANGE_EQ;
    *negate = false;
    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (hie_str_starts(*value, prefixes[i].name)) {
            value->ptr += 2;
            value->len -= 2;
            *op = prefixes[i].op;
            *negate = prefixes[i].negate;
            return;
        }
    }
}


hie_rc_t
hie_criterion_date(hie_criterion_parse_t *p, hie_str_t value,
                   hie_date_value_t *out)
{
    int64_t  by, middle;

    memset(out, 0, sizeof(*out));
    take_prefix(&value, &out->op, &out->negate);
    if (!hie_search_date(hie_search_plain(p->pool, value), &out->a, &out->b)) {
        return hie_criterion_wrong(p, "[prefix]YYYY[-MM[-DD[Thh:mm[:ss[.f]]"
                                   "[Z|(+|-)hh:mm]]]]");
    }

    if (out->op == HIE_RANGE_AP) {
        /* a tenth of the gap to now: R4 section 3.1.1.4.5 */
        middle = out->a + (out->b - out->a) / 2;
        by = (middle > p->rules->now ? middle - p->rules->now
                                     : p->rules->now - middle) / 10;
        out->a -= by;
        out->b += by;
    }

    return HIE_OK;
}


hie_rc_t
hie_criterion_dates(hie_criterion_parse_t *p, hie_criterion_kind_t kind)
{
    int                  i;
    hie_rc_t             rc;
    apr_array_header_t  *list;

    rc = p->modifier.ptr == NULL ? hie_criterion_split(p, &list)
                                 : hie_criterion_modifier(p);
    if (rc != HIE_OK) {
        return rc;
    }

    p->out->kind = kind;
    p->out->n = list->nelts;
    p->out->dates = apr_palloc(p->pool, sizeof(*p->out->dates)
                                        * (size_t) list->nelts);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        rc = hie_criterion_date(p, APR_ARRAY_IDX(list, i, hie_str_t),
                                &p->out->dates[i]);
        p->out->dates[i].of.slot = p->out->def->key;
    }

    return rc;
}


/* R4 section 3.1.1.4.7: with eq and ne the digits say how precise a number
 * is, with the others it is exact. */
static hie_rc_t
number_range(hie_criterion_parse_t *p, hie_str_t value, hie_number_value_t *out)
{
    bool           ok;
    hie_decimal_t  v;

    take_prefix(&value, &out->op, &out->negate);
    ok = hie_decimal_parse(value, &v);
    if (ok && out->op == HIE_RANGE_EQ) {
        ok = hie_search_precision(&v, &out->a, &out->b);
    } else if (ok && out->op == HIE_RANGE_AP) {
        ok = hie_search_about(&v, &out->a, &out->b);
    } else if (ok) {
        out->a = v;
        out->b = v;
    }

    return ok ? HIE_OK : hie_criterion_wrong(p, "[prefix][number]");
}


static hie_rc_t
quantity_unit(hie_criterion_parse_t *p, hie_str_t system, hie_str_t code,
              hie_number_value_t *out)
{
    hie_str_t  canonical;

    if (code.len > 0 && hie_str_eqz(system, HIE_UCUM_SYSTEM)
        && hie_ucum_canonicalize(&out->a, code, p->pool, &out->a, &canonical,
                                 NULL) == HIE_OK
        && hie_ucum_canonicalize(&out->b, code, p->pool, &out->b, &canonical,
                                 NULL) == HIE_OK)
    {
        out->unit = hie_search_text_key(canonical);
        return HIE_OK;
    }

    /* without a code, any of the system, as of tokens */
    out->code = code.len > 0 ? hie_search_text_key(code) : 0;
    out->system = system.len > 0 ? hie_search_text_key(system) : 0;
    return HIE_OK;
}


hie_rc_t
hie_criterion_number(hie_criterion_parse_t *p, hie_search_kind_t kind,
                     hie_str_t value, hie_number_value_t *out)
{
    hie_rc_t   rc;
    hie_str_t  number, system, code;

    memset(out, 0, sizeof(*out));
    number = hie_search_cut(value, '|', &system);
    rc = number_range(p, hie_search_plain(p->pool, number), out);
    if (rc != HIE_OK || system.ptr == NULL) {
        return rc;
    }

    if (kind == HIE_SEARCH_NUMBER) {
        return hie_criterion_wrong(p, "[prefix][number]");
    }

    system = hie_search_cut(system, '|', &code);
    if (code.ptr == NULL) {
        return hie_criterion_wrong(p, "[prefix][number]|[system]|[code]");
    }

    return quantity_unit(p, hie_search_plain(p->pool, system),
                         hie_search_plain(p->pool, code), out);
}


hie_rc_t
hie_criterion_numbers(hie_criterion_parse_t *p)
{
    int                  i;
    hie_rc_t             rc;
    apr_array_header_t  *list;

    rc = p->modifier.ptr == NULL ? hie_criterion_split(p, &list)
                                 : hie_criterion_modifier(p);
    if (rc != HIE_OK) {
        return rc;
    }

    p->out->kind = HIE_CRITERION_NUMBERS;
    p->out->n = list->nelts;
    p->out->numbers = apr_palloc(p->pool, sizeof(*p->out->numbers)
                                          * (size_t) list->nelts);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        rc = hie_criterion_number(p, p->out->def->kind,
                                  APR_ARRAY_IDX(list, i, hie_str_t),
                                  &p->out->numbers[i]);
        p->out->numbers[i].of.slot = p->out->def->key;
    }

    return rc;
}


/* near (R4 section 8.6.4): latitude|longitude|distance|units, in kilometres
 * where no units are given; within 10 of them where no distance is. */
hie_rc_t
hie_criterion_near(hie_criterion_parse_t *p)
{
    hie_str_t             latitude, longitude, distance, unit;
    hie_decimal_t         v[3], metres;
    hie_ucum_unit_t       from, to;

    latitude = hie_search_cut(p->value, '|', &longitude);
    longitude = hie_search_cut(longitude, '|', &distance);
    distance = hie_search_cut(distance, '|', &unit);
    if (distance.len == 0) {
        distance = HIE_STR("10");
    }

    if (unit.len == 0) {
        unit = HIE_STR("km");
    }

    if (p->modifier.ptr != NULL) {
        return hie_criterion_modifier(p);
    }

    if (!hie_decimal_parse(latitude, &v[0])
        || !hie_decimal_parse(longitude, &v[1])
        || !hie_decimal_parse(distance, &v[2])
        || hie_ucum_parse(unit, &from, NULL) != HIE_OK
        || hie_ucum_parse(HIE_STR("m"), &to, NULL) != HIE_OK
        || hie_ucum_convert(&v[2], &from, &to, &metres, NULL) != HIE_OK)
    {
        return hie_criterion_wrong(p, "[latitude]|[longitude]|[distance]|"
                                   "[unit of length]");
    }

    if (fabs(hie_decimal_to_double(&v[0])) > 90
        || fabs(hie_decimal_to_double(&v[1])) > 180
        || hie_decimal_to_double(&metres) < 0)
    {
        return hie_criterion_wrong(p, "a latitude from -90 to 90, a longitude "
                                   "from -180 to 180 and a distance that is "
                                   "not negative");
    }

    p->out->kind = HIE_CRITERION_NEAR;
    p->out->n = 1;
    p->out->places = apr_palloc(p->pool, sizeof(*p->out->places));
    p->out->places->slot = p->out->def->key;
    p->out->places->latitude = hie_decimal_to_double(&v[0]);
    p->out->places->longitude = hie_decimal_to_double(&v[1]);
    p->out->places->metres = hie_decimal_to_double(&metres);
    return HIE_OK;
}
