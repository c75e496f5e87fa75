/*
 * Tokens, references, uris and strings of a search parameter (R4 sections
 * 3.1.1.4.9 to 3.1.1.4.13).
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>


/*
 * Tokens (R4 section 3.1.1.4.10) and composites of them.
 */

/* "system|code", "|code", "system|" or "code", without escapes. */
hie_rc_t
hie_criterion_token(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    hie_str_t  system, code;

    if (p->out->def->folded) {
        value = hie_fhir_fold(p->pool, value);
    }

    system = hie_search_cut(value, '|', &code);
    if (code.ptr == NULL) {
        *form = hie_search_plain(p->pool, value);
        if (p->out->def->bare) {
            *form = hie_forms_join(p->pool, HIE_STR(""), "|", *form);
        }

        return HIE_OK;
    }

    if (system.len == 0 && code.len == 0) {
        return hie_criterion_wrong(p, "[system]|[code], |[code], [system]| or "
                                   "[code]");
    }

    *form = hie_forms_join(p->pool, hie_search_plain(p->pool, system), "|",
                           hie_search_plain(p->pool, code));
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

    *form = hie_forms_join(p->pool, HIE_STR("of-type:"), "",
                           hie_search_plain(p->pool, system));
    *form = hie_forms_join(p->pool, *form, "|",
                           hie_search_plain(p->pool, code));
    *form = hie_forms_join(p->pool, *form, "|",
                           hie_search_plain(p->pool, rest));
    return HIE_OK;
}


/* Each alternative as a key. */
typedef hie_rc_t
key_fn(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key);

static hie_rc_t
parse_keys(hie_criterion_parse_t *p, key_fn *fn)
{
    int                  i;
    hie_rc_t             rc;
    apr_array_header_t  *list;
    hie_criterion_t     *c = p->out;

    rc = hie_criterion_split(p, &list);
    if (rc != HIE_OK) {
        return rc;
    }

    c->kind = HIE_CRITERION_TOKENS;
    c->n = list->nelts;
    c->keys = apr_palloc(p->pool, sizeof(*c->keys) * (size_t) c->n);
    for (i = 0; rc == HIE_OK && i < c->n; i++) {
        rc = fn(p, APR_ARRAY_IDX(list, i, hie_str_t), &c->keys[i]);
    }

    return rc;
}


/* Or as a form, of which the key is made. */
typedef hie_rc_t
form_fn(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form);

static hie_rc_t
form_key(hie_criterion_parse_t *p, form_fn *fn, hie_str_t value, uint64_t *key)
{
    hie_rc_t   rc;
    hie_str_t  form;

    rc = fn(p, value, &form);
    if (rc == HIE_OK) {
        *key = hie_search_key(p->out->def->key, form);
    }

    return rc;
}


/* A code that is of the system which its element implies has none of its
 * own. */
static hie_rc_t
token_form(hie_criterion_parse_t *p, hie_str_t value, hie_str_t *form)
{
    hie_str_t    system, code;
    const char  *implied = p->out->def->system;

    system = hie_search_cut(value, '|', &code);
    if (implied != NULL && code.len > 0
        && hie_str_eqz(hie_search_plain(p->pool, system), implied))
    {
        *form = hie_forms_join(p->pool, HIE_STR(""), "|",
                               hie_search_plain(p->pool, code));
        return HIE_OK;
    }

    return hie_criterion_token(p, value, form);
}


static hie_rc_t
token_key(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key)
{
    return form_key(p, token_form, value, key);
}


static hie_rc_t
typed_key(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key)
{
    return form_key(p, typed_form, value, key);
}


static void
set_codes(hie_criterion_parse_t *p, hie_codes_of_t of,
          const apr_array_header_t *list)
{
    p->out->kind = HIE_CRITERION_CODES;
    p->out->codes_of = of;
    p->out->n = list->nelts;
    p->out->codes = (hie_str_t *) list->elts;
    p->out->n_params = 1;
    p->out->params = &p->out->def->key;
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
        set_codes(p, of, list);
    }

    return rc;
}


/* R4 section 3.1.1.4.13: what is below ends before a slash. */
static hie_str_t
text_of(hie_criterion_parse_t *p, hie_criterion_kind_t kind, uint32_t param,
        hie_text_match_t match, hie_str_t value)
{
    value = hie_search_plain(p->pool, value);
    if (kind != HIE_CRITERION_TERMS || param != p->out->def->key) {
        value = hie_fhir_normalize(p->pool, value);
    }

    if (match == HIE_TEXT_BELOW && value.len > 1
        && value.ptr[value.len - 1] == '/')
    {
        value.len--;
    }

    return hie_search_limit(value);
}


/* The terms of a parameter itself are as they were written; all other texts
 * are normalised. */
hie_rc_t
hie_criterion_texts(hie_criterion_parse_t *p, hie_criterion_kind_t kind,
                    uint32_t param, hie_text_match_t match)
{
    int                  i;
    hie_rc_t             rc;
    hie_text_value_t    *t;
    apr_array_header_t  *list;

    rc = hie_criterion_split(p, &list);
    if (rc != HIE_OK) {
        return rc;
    }

    p->out->kind = kind;
    p->out->n = list->nelts;
    t = apr_pcalloc(p->pool, sizeof(*t) * (size_t) list->nelts);
    p->out->texts = t;
    for (i = 0; i < list->nelts; i++) {
        t[i].of.slot = param;
        t[i].match = match;
        t[i].value = text_of(p, kind, param, match,
                             APR_ARRAY_IDX(list, i, hie_str_t));
        if (t[i].value.len == 0) {
            return hie_criterion_wrong(p, "a text that is not empty");
        }
    }

    return HIE_OK;
}


static hie_rc_t
parse_said(hie_criterion_parse_t *p)
{
    return hie_criterion_texts(p, HIE_CRITERION_TERMS, p->out->def->text_key,
                               HIE_TEXT_PREFIX);
}


hie_rc_t
hie_criterion_words(hie_criterion_parse_t *p, hie_text_match_t match)
{
    return p->modifier.ptr == NULL
           ? hie_criterion_texts(p, HIE_CRITERION_TEXT, 0, match)
           : hie_criterion_modifier(p);
}


/* "system|" where all codes are of one system (R4 section 3.1.1.4.10): of that
 * one whatever has a value, of another one nothing. */
static bool
is_of_system(hie_criterion_parse_t *p, const apr_array_header_t *list)
{
    int          i, whole, same;
    hie_str_t    system, code;
    const char  *implied = p->out->def->system;

    for (i = 0, whole = 0, same = 0; implied != NULL && i < list->nelts; i++) {
        system = hie_search_cut(APR_ARRAY_IDX(list, i, hie_str_t), '|', &code);
        if (code.ptr != NULL && code.len == 0 && system.len > 0) {
            whole++;
            same += hie_str_eqz(hie_search_plain(p->pool, system), implied);
        }
    }

    if (same == 0 && (whole == 0 || whole < list->nelts)) {
        return false;
    }

    p->out->kind = HIE_CRITERION_PRESENT;
    p->out->n = 1;
    p->out->n_params = same > 0;
    p->out->params = &p->out->def->key;
    return true;
}


static hie_rc_t
parse_tokens(hie_criterion_parse_t *p)
{
    hie_rc_t             rc;
    apr_array_header_t  *list;

    rc = hie_criterion_split(p, &list);
    return rc != HIE_OK || is_of_system(p, list) ? rc
                                                 : parse_keys(p, token_key);
}


hie_rc_t
hie_criterion_tokens(hie_criterion_parse_t *p)
{
    hie_str_t  m = p->modifier;

    if (m.ptr == NULL) {
        return parse_tokens(p);
    }

    if (hie_str_eqz(m, "not")) {
        p->out->negate = true;
        return parse_tokens(p);
    }

    if (hie_str_eqz(m, "text")) {
        return parse_said(p);
    }

    if (hie_str_eqz(m, "of-type")) {
        return parse_keys(p, typed_key);
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
    int        i, k, m;
    uint64_t  *keys;

    m = n * c->n_params;
    keys = apr_palloc(pool, sizeof(*keys) * (size_t) (m + 1));
    for (i = 0, m = 0; i < n; i++) {
        for (k = 0; k < c->n_params; k++) {
            keys[m++] = hie_search_key(c->params[k], codes[i]);
        }
    }

    c->kind = HIE_CRITERION_TOKENS;
    c->n = m;
    c->keys = keys;
}


/*
 * Strings and URIs (R4 sections 3.1.1.4.9 and 3.1.1.4.13).
 */

static hie_rc_t
exact_key(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key)
{
    value = hie_search_plain(p->pool, value);
    value = hie_forms_join(p->pool, HIE_STR("exact:"), "", value);
    *key = hie_search_key(p->out->def->key, value);
    return HIE_OK;
}


static hie_rc_t
plain_key(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key)
{
    *key = hie_search_key(p->out->def->key, hie_search_plain(p->pool, value));
    return HIE_OK;
}


hie_rc_t
hie_criterion_strings(hie_criterion_parse_t *p)
{
    uint32_t  key = p->out->def->key;

    if (p->modifier.ptr == NULL) {
        return hie_criterion_texts(p, HIE_CRITERION_STRINGS, key,
                                   HIE_TEXT_PREFIX);
    }

    if (hie_str_eqz(p->modifier, "exact")) {
        return parse_keys(p, exact_key);
    }

    if (hie_str_eqz(p->modifier, "contains")) {
        return hie_criterion_texts(p, HIE_CRITERION_STRINGS, key,
                                   HIE_TEXT_CONTAINS);
    }

    return hie_criterion_modifier(p);
}


hie_rc_t
hie_criterion_uris(hie_criterion_parse_t *p)
{
    uint32_t  key = p->out->def->key;

    if (p->modifier.ptr == NULL) {
        return parse_keys(p, plain_key);
    }

    if (hie_str_eqz(p->modifier, "not")) {
        p->out->negate = true;
        return parse_keys(p, plain_key);
    }

    if (hie_str_eqz(p->modifier, "below")) {
        return hie_criterion_texts(p, HIE_CRITERION_TERMS, key,
                                   HIE_TEXT_BELOW);
    }

    if (hie_str_eqz(p->modifier, "above")) {
        return hie_criterion_texts(p, HIE_CRITERION_TERMS, key,
                                   HIE_TEXT_ABOVE);
    }

    return hie_criterion_modifier(p);
}


/*
 * References (R4 section 3.1.1.4.11).
 */

/* The resource type that a modifier names; HIE_TYPE_NONE: it is none. */
hie_type_t
hie_criterion_type(const hie_criterion_parse_t *p)
{
    hie_type_t  type;

    type = hie_type_find(p->modifier);
    return hie_types[type].kind == HIE_KIND_RESOURCE
           && !hie_types[type].abstract ? type : HIE_TYPE_NONE;
}


/* What a value refers to. */
typedef struct {
    hie_str_t  type;             /* of ours: both; */
    hie_str_t  id;               /* without type: id */
    hie_str_t  text;             /* as it was written; of others without the
                                    version */
} referred_t;


static hie_rc_t
read_literal(hie_criterion_parse_t *p, hie_str_t text, hie_str_t type,
             referred_t *out)
{
    hie_reference_t  ref;

    out->text = text;
    if (!hie_fhir_reference(text, p->rules->base, &ref)) {
        return text.len > 0 && memchr(text.ptr, ':', text.len) != NULL
               ? HIE_OK          /* a canonical */
               : hie_criterion_wrong(p, "[id], [type]/[id] or a URL");
    }

    if (ref.type.len == 0) {
        return HIE_OK;
    }

    if (type.len > 0 && !hie_str_eq(ref.type, type)) {
        return hie_criterion_wrong(p, "a reference to the type of the "
                                   "modifier");
    }

    if (ref.local) {
        out->type = ref.type;
        out->id = ref.id;
    } else {
        out->text.len = (size_t) (ref.id.ptr + ref.id.len - text.ptr);
    }

    return HIE_OK;
}


static hie_rc_t
read_reference(hie_criterion_parse_t *p, hie_str_t value, referred_t *out)
{
    hie_str_t   text;
    hie_type_t  type;

    memset(out, 0, sizeof(*out));
    text = hie_search_plain(p->pool, value);
    type = p->modifier.ptr != NULL ? hie_criterion_type(p) : HIE_TYPE_NONE;
    if (!hie_fhir_is_id(text)) {
        return read_literal(p, text, hie_str(hie_types[type].name), out);
    }

    if (type == HIE_TYPE_NONE) {
        type = hie_search_only_target(p->out->def);
    }

    out->type = hie_str(hie_types[type].name);
    out->id = out->text = text;
    return HIE_OK;
}


/* As a text: a component of a composite. */
hie_rc_t
hie_criterion_reference(hie_criterion_parse_t *p, hie_str_t value,
                        hie_str_t *form)
{
    hie_rc_t    rc;
    referred_t  r;

    rc = read_reference(p, value, &r);
    *form = r.id.len > 0 ? hie_forms_join(p->pool, r.type, "/", r.id) : r.text;
    return rc;
}


/* An id without a type is that of any type which the parameter leads to. */
static void
any_target_keys(hie_criterion_parse_t *p, hie_str_t id,
                apr_array_header_t *keys)
{
    hie_type_t  type;

    for (type = 1; type < hie_n_types; type++) {
        if (hie_types[type].kind == HIE_KIND_RESOURCE
            && !hie_types[type].abstract
            && hie_search_leads_to(p->out->def, type))
        {
            APR_ARRAY_PUSH(keys, uint64_t) = hie_search_reference_key(
                p->out->def->ref_key,
                hie_search_resource_key(hie_str(hie_types[type].name), id));
        }
    }
}


static hie_rc_t
reference_keys(hie_criterion_parse_t *p, hie_str_t value,
               apr_array_header_t *keys)
{
    hie_rc_t    rc;
    referred_t  r;
    uint32_t    param = p->out->def->key, token = param;

    rc = read_reference(p, value, &r);
    if (hie_search_leads_to(p->out->def, hie_type_find_resource(r.type))) {
        token = p->out->def->ref_key;
    }

    if (r.id.len > 0 && r.type.len == 0) {
        any_target_keys(p, r.id, keys);

    } else {
        APR_ARRAY_PUSH(keys, uint64_t) = r.type.len > 0
            ? hie_search_reference_key(token,
                                       hie_search_resource_key(r.type, r.id))
            : hie_search_key(param, r.text);
    }

    if (r.id.len > 0 && p->out->def->by_url) {
        /* a canonical may be written like a reference */
        APR_ARRAY_PUSH(keys, uint64_t) = hie_search_key(param, r.text);
    }

    return rc;
}


static hie_rc_t
parse_references(hie_criterion_parse_t *p)
{
    int                  i;
    hie_rc_t             rc;
    apr_array_header_t  *list, *keys;

    rc = hie_criterion_split(p, &list);
    keys = apr_array_make(p->pool, 4, sizeof(uint64_t));
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        rc = reference_keys(p, APR_ARRAY_IDX(list, i, hie_str_t), keys);
    }

    p->out->kind = HIE_CRITERION_TOKENS;
    p->out->n = keys->nelts;
    p->out->keys = (uint64_t *) keys->elts;
    return rc;
}


static hie_rc_t
identifier_key(hie_criterion_parse_t *p, hie_str_t value, uint64_t *key)
{
    hie_rc_t   rc;
    hie_str_t  form;

    rc = hie_criterion_token(p, value, &form);
    if (rc == HIE_OK) {
        form = hie_forms_join(p->pool, HIE_STR("identifier:"), "", form);
        *key = hie_search_key(p->out->def->key, form);
    }

    return rc;
}


const char *
hie_search_part_of(hie_type_t type)
{
    static const char *const  codes[] = { "partof", "part-of" };

    size_t                    i;
    int                       k;
    const hie_search_param_t  *param;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        param = hie_search_param_find(type, hie_str(codes[i]));
        for (k = 0; param != NULL && k < param->n_targets; k++) {
            if (hie_search_targets[param->first_target + k] == type) {
                return codes[i];
            }
        }
    }

    return NULL;
}


void
hie_search_references(hie_criterion_t *c, const hie_str_t *names, int n,
                      apr_pool_t *pool)
{
    int        i, k, m;
    uint64_t  *keys;
    hie_str_t  type, id;

    keys = apr_palloc(pool, sizeof(*keys) * (size_t) (n * c->n_params + 1));
    for (i = 0, m = 0; i < n; i++) {
        type = hie_str_split(names[i], '/', &id);
        for (k = 0; k < c->n_params; k++) {
            keys[m++] = hie_search_reference_key(
                c->params[k], hie_search_resource_key(type, id));
        }
    }

    c->kind = HIE_CRITERION_TOKENS;
    c->n = m;
    c->keys = keys;
}


/* A resource and what it is part of, or what is part of it (R4 section
 * 3.1.1.4.12): other resources tell. */
static hie_rc_t
parse_relatives(hie_criterion_parse_t *p, hie_codes_of_t of)
{
    int                  i;
    hie_rc_t             rc;
    hie_type_t           type;
    referred_t           r;
    apr_array_header_t  *list;

    p->modifier = HIE_STR_NONE;
    rc = hie_criterion_split(p, &list);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        rc = read_reference(p, APR_ARRAY_IDX(list, i, hie_str_t), &r);
        type = hie_type_find_resource(r.type);
        if (rc == HIE_OK && (r.id.len == 0 || type == HIE_TYPE_NONE
                             || hie_search_part_of(type) == NULL))
        {
            rc = hie_criterion_wrong(p, "[type]/[id] of a type that can be "
                                     "part of its like");
        }

        APR_ARRAY_IDX(list, i, hie_str_t) = hie_forms_join(p->pool, r.type,
                                                           "/", r.id);
    }

    if (rc == HIE_OK) {
        set_codes(p, of, list);
    }

    return rc;
}


hie_rc_t
hie_criterion_references(hie_criterion_parse_t *p)
{
    hie_type_t  type;

    if (p->modifier.ptr == NULL) {
        return parse_references(p);
    }

    if (hie_str_eqz(p->modifier, "identifier")) {
        return parse_keys(p, identifier_key);
    }

    if (hie_str_eqz(p->modifier, "text")) {
        return parse_said(p);
    }

    if (hie_str_eqz(p->modifier, "not")) {
        p->out->negate = true;
        p->modifier = HIE_STR_NONE;
        return parse_references(p);
    }

    if (hie_str_eqz(p->modifier, "above")) {
        return parse_relatives(p, HIE_CODES_ABOVE);
    }

    if (hie_str_eqz(p->modifier, "below")) {
        return parse_relatives(p, HIE_CODES_BELOW);
    }

    type = hie_criterion_type(p);
    return type != HIE_TYPE_NONE && hie_search_leads_to(p->out->def, type)
           ? parse_references(p) : hie_criterion_modifier(p);
}
