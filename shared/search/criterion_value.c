/*
 * The values of a search parameter, by its kind (R4 section 3.1.1.4):
 * modifiers, alternatives, prefixes.
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>

#include "ucum/ucum.h"

hie_rc_t
hie_criterion_wrong(hie_criterion_parse_t *p, const char *expected)
{
    return hie_fail(p->err, HIE_INVALID, "",
                    "the value of search parameter \"%.*s\" is wrong: "
                    "expected %s", HIE_PRISTR(p->whole), expected);
}


hie_rc_t
hie_criterion_modifier(hie_criterion_parse_t *p)
{
    return hie_fail(p->err, HIE_INVALID, "",
                    "search parameter \"%.*s\": the modifier \":%.*s\" is not "
                    "one of its kind", HIE_PRISTR(p->whole),
                    HIE_PRISTR(p->modifier));
}


/*
 * Values: alternatives are separated by commas; \\, \\, \\| and \\$ stand for
 * the characters themselves (R4 section 3.1.1.4.0.1).
 */

/* The first part up to a separator that is not escaped; `rest` has ptr NULL
 * after the last. Escapes stay. */
hie_str_t
hie_search_cut(hie_str_t text, char separator, hie_str_t *rest)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\') {
            i++;

        } else if (text.ptr[i] == separator) {
            *rest = (hie_str_t) { text.ptr + i + 1, text.len - i - 1 };
            return (hie_str_t) { text.ptr, i };
        }
    }

    *rest = HIE_STR_NONE;
    return text;
}


hie_str_t
hie_search_plain(apr_pool_t *pool, hie_str_t s)
{
    char    *p;
    size_t   i, n;

    if (s.len == 0 || memchr(s.ptr, '\\', s.len) == NULL) {
        return s;
    }

    p = apr_palloc(pool, s.len);
    for (i = 0, n = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len) {
            i++;
        }

        p[n++] = s.ptr[i];
    }

    return (hie_str_t) { p, n };
}


hie_rc_t
hie_criterion_split(hie_criterion_parse_t *p, apr_array_header_t **out)
{
    hie_str_t  one, rest;

    *out = apr_array_make(p->pool, 4, sizeof(hie_str_t));
    for (rest = p->value; rest.ptr != NULL; /* void */) {
        one = hie_search_cut(rest, ',', &rest);
        if (one.len == 0) {
            return hie_criterion_wrong(p, "a value, and none that is empty "
                                       "between commas");
        }

        if ((*out)->nelts == p->rules->max_values) {
            return hie_criterion_wrong(p, apr_psprintf(p->pool,
                                       "at most %d values",
                                       p->rules->max_values));
        }

        APR_ARRAY_PUSH(*out, hie_str_t) = one;
    }

    if ((*out)->nelts == 0) {
        return hie_criterion_wrong(p, "a value");
    }

    return HIE_OK;
}


static void
set_keys(hie_criterion_t *c, apr_array_header_t *keys)
{
    c->kind = HIE_CRITERION_TOKENS;
    c->n = keys->nelts;
    c->keys = (uint64_t *) keys->elts;
}


static hie_rc_t
parse_missing(hie_criterion_parse_t *p)
{
    bool                 yes;
    apr_array_header_t  *keys;

    yes = hie_str_eqz(p->value, "true");
    if (!yes && !hie_str_eqz(p->value, "false")) {
        return hie_criterion_wrong(p, "true or false");
    }

    keys = apr_array_make(p->pool, 1, sizeof(uint64_t));
    APR_ARRAY_PUSH(keys, uint64_t) =
        hie_search_key(p->out->def->key, HIE_STR("present"));
    set_keys(p->out, keys);
    p->out->negate = yes;
    return HIE_OK;
}


/*
 * Tokens (R4 section 3.1.1.4.10) and composites of them.
 */

/* "system|code", "|code", "system|" or "code", without escapes. */
hie_rc_t
hie_criterion_token(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    hie_str_t  system, code;

    system = hie_search_cut(value, '|', &code);
    if (code.ptr == NULL) {
        *form = hie_search_plain(p->pool, value);
        return HIE_OK;
    }

    if (system.len == 0 && code.len == 0) {
        return hie_criterion_wrong(p, "[system]|[code], |[code], [system]| or "
                                   "[code]");
    }

    *form = hie_str(apr_psprintf(p->pool, "%.*s|%.*s",
                                 HIE_PRISTR(hie_search_plain(p->pool, system)),
                                 HIE_PRISTR(hie_search_plain(p->pool, code))));
    return HIE_OK;
}


/* system|code|value of an Identifier. */
static hie_rc_t
typed_form(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    hie_str_t  system, code, rest;

    system = hie_search_cut(value, '|', &rest);
    code = hie_search_cut(rest, '|', &rest);
    if (system.len == 0 || code.len == 0 || rest.len == 0) {
        return hie_criterion_wrong(p, "[system]|[code]|[value], all three");
    }

    *form = hie_str(apr_psprintf(p->pool, "of-type:%.*s|%.*s|%.*s",
                                 HIE_PRISTR(hie_search_plain(p->pool, system)),
                                 HIE_PRISTR(hie_search_plain(p->pool, code)),
                                 HIE_PRISTR(hie_search_plain(p->pool, rest))));
    return HIE_OK;
}


typedef hie_rc_t
form_fn(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form);

static hie_rc_t
parse_keys(hie_criterion_parse_t *p, form_fn *fn)
{
    int                  i;
    hie_rc_t             rc;
    hie_str_t            form;
    apr_array_header_t  *list, *keys;

    rc = hie_criterion_split(p, &list);
    if (rc != HIE_OK) {
        return rc;
    }

    keys = apr_array_make(p->pool, list->nelts, sizeof(uint64_t));
    for (i = 0; i < list->nelts; i++) {
        rc = fn(p, APR_ARRAY_IDX(list, i, hie_str_t), &form);
        if (rc != HIE_OK) {
            return rc;
        }

        APR_ARRAY_PUSH(keys, uint64_t) = hie_search_key(p->out->def->key,
                                                        form);
    }

    set_keys(p->out, keys);
    return HIE_OK;
}


/* What only terminology can tell. */
static hie_rc_t
parse_codes(hie_criterion_parse_t *p, hie_codes_of_t of)
{
    int                  i;
    hie_rc_t             rc;
    hie_str_t            form;
    apr_array_header_t  *list;

    rc = hie_criterion_split(p, &list);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        form = APR_ARRAY_IDX(list, i, hie_str_t);
        if (of == HIE_CODES_IN) {
            form = hie_search_plain(p->pool, form);
        } else {
            rc = hie_criterion_token(p, form, &form);
        }

        APR_ARRAY_IDX(list, i, hie_str_t) = form;
    }

    if (rc == HIE_OK) {
        p->out->kind = HIE_CRITERION_CODES;
        p->out->codes_of = of;
        p->out->n = list->nelts;
        p->out->codes = (hie_str_t *) list->elts;
    }

    return rc;
}


static hie_rc_t
parse_texts(hie_criterion_parse_t *p, uint32_t param, hie_text_match_t match)
{
    int                  i;
    hie_rc_t             rc;
    hie_str_t            value;
    hie_text_value_t    *t;
    apr_array_header_t  *list;

    rc = hie_criterion_split(p, &list);
    if (rc != HIE_OK) {
        return rc;
    }

    p->out->kind = HIE_CRITERION_STRINGS;
    p->out->param = param;
    p->out->n = list->nelts;
    t = apr_pcalloc(p->pool, sizeof(*t) * (size_t) list->nelts);
    p->out->texts = t;
    for (i = 0; i < list->nelts; i++) {
        value = hie_search_plain(p->pool, APR_ARRAY_IDX(list, i, hie_str_t));
        t[i].match = match;
        t[i].value = match == HIE_TEXT_BELOW || match == HIE_TEXT_ABOVE
                     ? value : hie_fhir_normalize(p->pool, value);
        if (t[i].value.len == 0) {
            return hie_criterion_wrong(p, "a text that is not empty");
        }
    }

    return HIE_OK;
}


static hie_rc_t
parse_token(hie_criterion_parse_t *p)
{
    hie_str_t  m = p->modifier;

    if (m.ptr == NULL) {
        return parse_keys(p, hie_criterion_token);
    }

    if (hie_str_eqz(m, "not")) {
        p->out->negate = true;
        return parse_keys(p, hie_criterion_token);
    }

    if (hie_str_eqz(m, "text")) {
        return parse_texts(p, p->out->def->text_key, HIE_TEXT_PREFIX);
    }

    if (hie_str_eqz(m, "of-type")) {
        return parse_keys(p, typed_form);
    }

    if (hie_str_eqz(m, "in") || hie_str_eqz(m, "not-in")) {
        p->out->negate = m.len > 2;
        return parse_codes(p, HIE_CODES_IN);
    }

    if (hie_str_eqz(m, "above")) {
        return parse_codes(p, HIE_CODES_ABOVE);
    }

    if (hie_str_eqz(m, "below")) {
        return parse_codes(p, HIE_CODES_BELOW);
    }

    return hie_criterion_modifier(p);
}


void
hie_search_codes(hie_criterion_t *c, const hie_str_t *codes, int n,
                 apr_pool_t *pool)
{
    int        i;
    uint64_t  *keys;

    keys = apr_palloc(pool, sizeof(*keys) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        keys[i] = hie_search_key(c->def->key, codes[i]);
    }

    c->kind = HIE_CRITERION_TOKENS;
    c->n = n;
    c->keys = keys;
}


/*
 * Strings and URIs (R4 sections 3.1.1.4.9 and 3.1.1.4.13).
 */

static hie_rc_t
exact_form(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    *form = hie_str(apr_psprintf(p->pool, "exact:%.*s",
                                 HIE_PRISTR(hie_search_plain(p->pool, value))));
    return HIE_OK;
}


static hie_rc_t
plain_form(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    *form = hie_search_plain(p->pool, value);
    return HIE_OK;
}


static hie_rc_t
parse_string(hie_criterion_parse_t *p)
{
    if (p->modifier.ptr == NULL) {
        return parse_texts(p, p->out->def->key, HIE_TEXT_PREFIX);
    }

    if (hie_str_eqz(p->modifier, "exact")) {
        return parse_keys(p, exact_form);
    }

    if (hie_str_eqz(p->modifier, "contains")) {
        return parse_texts(p, p->out->def->key, HIE_TEXT_CONTAINS);
    }

    return hie_criterion_modifier(p);
}


static hie_rc_t
parse_uri(hie_criterion_parse_t *p)
{
    if (p->modifier.ptr == NULL) {
        return parse_keys(p, plain_form);
    }

    if (hie_str_eqz(p->modifier, "below")) {
        return parse_texts(p, p->out->def->key, HIE_TEXT_BELOW);
    }

    if (hie_str_eqz(p->modifier, "above")) {
        return parse_texts(p, p->out->def->key, HIE_TEXT_ABOVE);
    }

    return hie_criterion_modifier(p);
}


/*
 * References (R4 section 3.1.1.4.11).
 */

/* Does the parameter lead to this type? */
bool
hie_criterion_target(const hie_parameter_t *def, hie_type_t type)
{
    uint16_t  i;

    if (def->r4->n_targets == 0) {
        return true;
    }

    for (i = 0; i < def->r4->n_targets; i++) {
        if (hie_search_targets[def->r4->first_target + i] == type) {
            return true;
        }
    }

    return false;
}


/* The resource type that a modifier names; HIE_TYPE_NONE: it is none. */
hie_type_t
hie_criterion_type(const hie_criterion_parse_t *p)
{
    hie_type_t  type;

    type = hie_type_find(p->modifier);
    return hie_types[type].kind == HIE_KIND_RESOURCE
           && !hie_types[type].abstract ? type : HIE_TYPE_NONE;
}


hie_rc_t
hie_criterion_reference(hie_criterion_parse_t *p, hie_str_t value,
                        hie_str_t *form)
{
    hie_type_t       type;
    hie_str_t        text;
    hie_reference_t  ref;

    text = hie_search_plain(p->pool, value);
    type = p->modifier.ptr != NULL ? hie_criterion_type(p) : HIE_TYPE_NONE;

    if (hie_fhir_is_id(text)) {
        *form = hie_str(apr_psprintf(p->pool, "%s/%.*s",
                                     type != HIE_TYPE_NONE
                                     ? hie_types[type].name : "",
                                     HIE_PRISTR(text)));
        return HIE_OK;
    }

    *form = text;
    if (!hie_fhir_reference(text, p->rules->base, &ref)) {
        return text.len > 0 && memchr(text.ptr, ':', text.len) != NULL
               ? HIE_OK          /* a canonical */
               : hie_criterion_wrong(p, "[id], [type]/[id] or a URL");
    }

    if (ref.type.len == 0) {
        return HIE_OK;
    }

    if (type != HIE_TYPE_NONE
        && !hie_str_eqz(ref.type, hie_types[type].name))
    {
        return hie_criterion_wrong(p, "a reference to the type of the "
                                   "modifier");
    }

    if (ref.local) {
        *form = hie_str(apr_psprintf(p->pool, "%.*s/%.*s",
                                     HIE_PRISTR(ref.type),
                                     HIE_PRISTR(ref.id)));
    } else {
        form->len = (size_t) (ref.id.ptr + ref.id.len - text.ptr);
    }

    return HIE_OK;
}


static hie_rc_t
identifier_form(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    hie_rc_t  rc;

    rc = hie_criterion_token(p, value, form);
    if (rc == HIE_OK) {
        *form = hie_str(apr_psprintf(p->pool, "identifier:%.*s",
                                     HIE_PRISTR(*form)));
    }

    return rc;
}


static hie_rc_t
parse_reference(hie_criterion_parse_t *p)
{
    hie_type_t  type;

    if (p->modifier.ptr == NULL) {
        return parse_keys(p, hie_criterion_reference);
    }

    if (hie_str_eqz(p->modifier, "identifier")) {
        return parse_keys(p, identifier_form);
    }

    if (hie_str_eqz(p->modifier, "text")) {
        return parse_texts(p, p->out->def->text_key, HIE_TEXT_PREFIX);
    }

    if (hie_str_eqz(p->modifier, "not")) {
        p->out->negate = true;
        p->modifier = HIE_STR_NONE;
        return parse_keys(p, hie_criterion_reference);
    }

    type = hie_criterion_type(p);
    return type != HIE_TYPE_NONE && hie_criterion_target(p->out->def, type)
           ? parse_keys(p, hie_criterion_reference) : hie_criterion_modifier(p);
}


/*
 * Ranges.
 */

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


static hie_rc_t
parse_date(hie_criterion_parse_t *p, hie_criterion_kind_t kind)
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

    if (code.len == 0) {
        return system.len == 0
               ? HIE_OK
               : hie_criterion_wrong(p, "[number]|[system]|[code]");
    }

    if (hie_str_eqz(system, HIE_UCUM_SYSTEM)
        && hie_ucum_canonicalize(&out->a, code, p->pool, &out->a, &canonical,
                                 NULL) == HIE_OK
        && hie_ucum_canonicalize(&out->b, code, p->pool, &out->b, &canonical,
                                 NULL) == HIE_OK)
    {
        out->unit = hie_search_text_key(canonical);
        return HIE_OK;
    }

    out->code = hie_search_text_key(code);
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
    return quantity_unit(p, hie_search_plain(p->pool, system),
                         hie_search_plain(p->pool, code), out);
}


static hie_rc_t
parse_number(hie_criterion_parse_t *p)
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
    }

    return rc;
}


/* near (R4 section 8.6.4): latitude|longitude|distance|units, in kilometres
 * where no units are given; within 10 of them where no distance is. */
static hie_rc_t
parse_near(hie_criterion_parse_t *p)
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

    p->out->kind = HIE_CRITERION_NEAR;
    p->out->n = 1;
    p->out->places = apr_palloc(p->pool, sizeof(*p->out->places));
    p->out->places->latitude = hie_decimal_to_double(&v[0]);
    p->out->places->longitude = hie_decimal_to_double(&v[1]);
    p->out->places->metres = hie_decimal_to_double(&metres);
    return HIE_OK;
}


static hie_rc_t
parse_updated(hie_criterion_parse_t *p)
{
    return parse_date(p, HIE_CRITERION_UPDATED);
}


static hie_rc_t
parse_ids(hie_criterion_parse_t *p)
{
    int                  i;
    hie_rc_t             rc;
    apr_array_header_t  *list;

    rc = p->modifier.ptr == NULL ? hie_criterion_split(p, &list)
                                 : hie_criterion_modifier(p);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        if (!hie_fhir_is_id(APR_ARRAY_IDX(list, i, hie_str_t))) {
            rc = hie_criterion_wrong(p, "the id of a resource");
        }
    }

    if (rc == HIE_OK) {
        p->out->kind = HIE_CRITERION_IDS;
        p->out->n = list->nelts;
        p->out->ids = (hie_str_t *) list->elts;
    }

    return rc;
}


/* Words of PostgreSQL's text search; which of the two is told by `param`. */
static hie_rc_t
parse_words(hie_criterion_parse_t *p)
{
    hie_rc_t  rc;

    if (p->modifier.ptr != NULL) {
        return hie_criterion_modifier(p);
    }

    rc = parse_texts(p, p->out->def->key, HIE_TEXT_CONTAINS);
    p->out->kind = HIE_CRITERION_TEXT;
    return rc;
}


static hie_rc_t
parse_special(hie_criterion_parse_t *p)
{
    const char  *code = p->out->def->code;

    if (strcmp(code, "near") == 0) {
        return parse_near(p);
    }

    return hie_fail(p->err, HIE_NOT_FOUND, "",
                    "search parameter \"%s\" is not served", code);
}


hie_rc_t
hie_criterion_value(hie_criterion_parse_t *p)
{
    const hie_parameter_t  *def = p->out->def;

    if (hie_str_eqz(p->modifier, "missing")) {
        return parse_missing(p);
    }

    if (strcmp(def->code, "_id") == 0) {
        return parse_ids(p);
    }

    if (strcmp(def->code, "_lastUpdated") == 0) {
        return parse_updated(p);
    }

    if (strcmp(def->code, "_text") == 0 || strcmp(def->code, "_content") == 0)
    {
        return parse_words(p);
    }

    switch (def->kind) {
    case HIE_SEARCH_TOKEN:
        return parse_token(p);

    case HIE_SEARCH_STRING:
        return parse_string(p);

    case HIE_SEARCH_URI:
        return parse_uri(p);

    case HIE_SEARCH_REFERENCE:
        return parse_reference(p);

    case HIE_SEARCH_DATE:
        return parse_date(p, HIE_CRITERION_DATES);

    case HIE_SEARCH_NUMBER:
    case HIE_SEARCH_QUANTITY:
        return parse_number(p);

    case HIE_SEARCH_COMPOSITE:
        return hie_criterion_composite(p);

    case HIE_SEARCH_SPECIAL:
        break;
    }

    return parse_special(p);
}
