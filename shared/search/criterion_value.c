/*
 * The value of a search parameter (R4 section 3.1.1.4): alternatives, escapes,
 * and what belongs to no kind.
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>


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


/* No resource is without id and lastUpdated: none of no keys is there. */
static hie_rc_t
parse_missing(hie_criterion_parse_t *p)
{
    bool              yes;
    hie_criterion_t  *c = p->out;

    yes = hie_str_eqz(p->value, "true");
    if (!yes && !hie_str_eqz(p->value, "false")) {
        return hie_criterion_wrong(p, "true or false");
    }

    if (hie_search_in_row(c->def)) {
        c->kind = HIE_CRITERION_TOKENS;
        c->n = 0;
        c->negate = !yes;
    } else {
        c->kind = HIE_CRITERION_PRESENT;
        c->n = 1;
        c->n_params = 1;
        c->params = &c->def->key;
        c->negate = yes;
    }

    return HIE_OK;
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


static hie_rc_t
by_kind(hie_criterion_parse_t *p)
{
    switch (p->out->def->kind) {
    case HIE_SEARCH_TOKEN:
        return hie_criterion_tokens(p);

    case HIE_SEARCH_STRING:
        return hie_criterion_strings(p);

    case HIE_SEARCH_URI:
        return hie_criterion_uris(p);

    case HIE_SEARCH_REFERENCE:
        return hie_criterion_references(p);

    case HIE_SEARCH_DATE:
        return hie_criterion_dates(p, HIE_CRITERION_DATES);

    case HIE_SEARCH_NUMBER:
    case HIE_SEARCH_QUANTITY:
        return hie_criterion_numbers(p);

    case HIE_SEARCH_COMPOSITE:
        return hie_criterion_composite(p);

    case HIE_SEARCH_SPECIAL:
        break;
    }

    return hie_criterion_near(p);
}


hie_rc_t
hie_criterion_value(hie_criterion_parse_t *p)
{
    const char  *code = p->out->def->code;

    if (strcmp(code, "_text") == 0) {
        return hie_criterion_words(p, HIE_TEXT_NARRATIVE);
    }

    if (strcmp(code, "_content") == 0) {
        return hie_criterion_words(p, HIE_TEXT_CONTENT);
    }

    if (hie_str_eqz(p->modifier, "missing")) {
        return parse_missing(p);
    }

    if (strcmp(code, "_id") == 0) {
        return parse_ids(p);
    }

    if (strcmp(code, "_lastUpdated") == 0) {
        return hie_criterion_dates(p, HIE_CRITERION_UPDATED);
    }

    return by_kind(p);
}
