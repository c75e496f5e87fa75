/*
 * Bindings (R4 section 4.1.5): is a code one of a value set? That of an
 * element's binding is found when the validator is made; a code in it by
 * binary search.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "validation/validator.h"

/* Value sets of as many codes are spelt out in an issue. */
#define LIST_MAX  12


static int
compare_url(const void *key, const void *row)
{
    hie_str_t    url = *(const hie_str_t *) key;
    const char  *there = ((const value_set_t *) row)->url;
    size_t       n = strlen(there);
    int          c = memcmp(url.ptr, there, url.len < n ? url.len : n);

    return c != 0 ? c : (url.len > n) - (url.len < n);
}


const value_set_t *
hie_value_set_find(hie_str_t url)
{
    hie_str_t  rest;

    if (url.ptr == NULL) {
        return NULL;
    }

    url = hie_str_split(url, '|', &rest);

    return bsearch(&url, hie_value_sets, hie_n_value_sets,
                   sizeof(*hie_value_sets), compare_url);
}


bool
hie_validation_codes(hie_str_t value_set, hie_value_set_code_fn *fn,
                     void *baton)
{
    const value_set_t   *set = hie_value_set_find(value_set);
    const code_group_t  *g;
    uint16_t             i, k;

    if (set == NULL || set->syntax != HIE_SYNTAX_NONE) {
        return false;
    }

    for (i = 0; i < set->n; i++) {
        g = &hie_code_groups[set->first + i];
        for (k = 0; k < g->n; k++) {
            fn(baton, hie_str(g->system), hie_str(hie_codes[g->first + k]));
        }
    }

    return true;
}


void
hie_validator_bind(hie_validator_t *v)
{
    size_t                i;
    const hie_binding_t  *b;

    v->bindings = apr_pcalloc(v->pool, hie_n_bindings * sizeof(*v->bindings));

    for (i = 1; i < hie_n_bindings; i++) {
        b = &hie_bindings[i];
        v->bindings[i].url = b->max != NULL ? b->max : b->value_set;
        v->bindings[i].enforced = b->max != NULL || b->strength == 'r';
        v->bindings[i].maximum = b->strength != 'r';
        if (v->bindings[i].enforced) {
            v->bindings[i].set = hie_value_set_find(
                hie_str(v->bindings[i].url));
        }
    }
}


static bool
group_has(const code_group_t *g, hie_str_t code)
{
    size_t       low = g->first, high = low + g->n, mid, n;
    const char  *there;
    int          c;

    while (low < high) {
        mid = low + (high - low) / 2;
        there = hie_codes[mid];
        n = strlen(there);
        c = memcmp(code.ptr, there, code.len < n ? code.len : n);

        if (c == 0 && code.len == n) {
            return true;
        }

        if (c < 0 || (c == 0 && code.len < n)) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }

    return false;
}


static bool
generated_has(const value_set_t *set, hie_str_t system, hie_str_t code)
{
    const code_group_t  *g = &hie_code_groups[set->first];
    uint16_t             i;

    if (set->syntax != HIE_SYNTAX_NONE) {
        return (system.ptr == NULL
                || hie_str_eqz(system, hie_syntax_system(set->syntax)))
               && hie_syntax_has(set->syntax, code);
    }

    for (i = 0; i < set->n; i++, g++) {
        if ((system.ptr == NULL || hie_str_eqz(system, g->system))
            && group_has(g, code))
        {
            return true;
        }
    }

    return false;
}


hie_code_answer_t
hie_value_set_has(hie_validator_t *v, hie_str_t url, const value_set_t *set,
                  hie_str_t system, hie_str_t code)
{
    hie_code_answer_t  answer;

    if (set != NULL) {
        return generated_has(set, system, code) ? HIE_CODE_IN : HIE_CODE_OUT;
    }

    answer = hie_loaded_has(v, url, system, code);
    if (answer == HIE_CODE_UNKNOWN && v->options.value_set != NULL) {
        answer = v->options.value_set(v->options.value_set_baton, url,
                                      system, code);
    }

    return answer;
}


/* A Coding or a Quantity: system and code. */
static hie_code_answer_t
coding_answer(check_t *c, const bound_t *b, hie_node_t n)
{
    hie_str_t  system = hie_doc_get(c->d, n, "system", c->pool);
    hie_str_t  code = hie_doc_get(c->d, n, "code", c->pool);

    if (code.len == 0) {
        return HIE_CODE_OUT;
    }

    if (system.ptr == NULL) {
        system = HIE_STR("");        /* no code system has this name */
    }

    return hie_value_set_has(c->v, hie_str(b->url), b->set, system, code);
}


/* One of the codings is enough (R4 section 4.1.5). */
static hie_code_answer_t
concept_answer(check_t *c, const bound_t *b, hie_node_t n)
{
    hie_code_answer_t  answer = HIE_CODE_OUT, one;
    hie_node_t         m = hie_doc_member(c->d, n, "coding");

    if (hie_doc_kind(c->d, m) != HIE_NODE_ARRAY) {
        return HIE_CODE_OUT;
    }

    for (m = hie_doc_first(c->d, m); m != HIE_NODE_NONE;
         m = hie_doc_next(c->d, m))
    {
        one = coding_answer(c, b, m);
        if (one == HIE_CODE_IN) {
            return one;
        }

        if (one == HIE_CODE_UNKNOWN) {
            answer = one;
        }
    }

    return answer;
}


hie_code_answer_t
hie_bound_has(check_t *c, const bound_t *b, hie_type_t type, hie_node_t n)
{
    if (hie_types[type].kind == HIE_KIND_PRIMITIVE) {
        return hie_value_set_has(c->v, hie_str(b->url), b->set, HIE_STR_NONE,
                                 hie_doc_string(c->d, n, c->pool));
    }

    if (type == HIE_TYPE_CodeableConcept) {
        return concept_answer(c, b, n);
    }

    if (type == HIE_TYPE_Coding || hie_type_is(type, HIE_TYPE_Quantity)) {
        return coding_answer(c, b, n);
    }

    return HIE_CODE_UNKNOWN;
}


/* ": a | b | c" for a short value set. */
static const char *
spelt_out(check_t *c, const value_set_t *set)
{
    hie_buf_t            b;
    const code_group_t  *g;
    uint16_t             i;

    if (set == NULL || set->syntax != HIE_SYNTAX_NONE || set->n != 1) {
        return "";
    }

    g = &hie_code_groups[set->first];
    if (g->n > LIST_MAX) {
        return "";
    }

    hie_buf_init(&b, c->pool, 128);
    hie_buf_addz(&b, " (");
    for (i = 0; i < g->n; i++) {
        hie_buf_addf(&b, "%s%s", i > 0 ? " | " : "", hie_codes[g->first + i]);
    }

    hie_buf_addc(&b, ')');

    return hie_str_z(c->pool, hie_buf_str(&b));
}


/* The code itself; of a concept, the first coding that has one. */
static const char *
found_value(check_t *c, hie_type_t type, hie_node_t n)
{
    hie_node_t  m, code;

    if (hie_types[type].kind == HIE_KIND_PRIMITIVE) {
        return hie_issue_value(c, n);
    }

    if (type == HIE_TYPE_CodeableConcept) {
        m = hie_doc_first(c->d, hie_doc_member(c->d, n, "coding"));
        if (m == HIE_NODE_NONE) {
            return "a text without a coding";
        }

        n = m;
    }

    code = hie_doc_member(c->d, n, "code");
    if (code == HIE_NODE_NONE) {
        return "no code";
    }

    m = hie_doc_member(c->d, n, "system");

    return apr_psprintf(c->pool, "%s of %s", hie_issue_value(c, code),
                        m == HIE_NODE_NONE ? "no system"
                        : hie_issue_value(c, m));
}


void
hie_check_bound(check_t *c, const bound_t *b, hie_type_t type, hie_node_t n,
                hie_issue_severity_t severity, const char *rule,
                const place_t *place)
{
    hie_code_answer_t  answer = hie_bound_has(c, b, type, n);

    if (answer == HIE_CODE_IN) {
        return;
    }

    if (answer == HIE_CODE_OUT) {
        hie_issue_add(c, severity, "code-invalid", place, n, rule,
                      "expected a code of %s%s, found %s", b->url,
                      spelt_out(c, b->set), found_value(c, type, n));

    } else if (c->flags & HIE_VALIDATE_UNKNOWN) {
        hie_issue_add(c, HIE_ISSUE_INFORMATION, "not-supported", place, n,
                      rule, "the value set %s is not known here: the code "
                      "was not judged", b->url);
    }
}


void
hie_check_binding(check_t *c, const hie_element_t *e, hie_node_t n,
                  const place_t *place)
{
    const bound_t         *b = &c->v->bindings[e->binding];
    hie_issue_severity_t   severity = HIE_ISSUE_ERROR;

    /* Of the maxima it is that of languages which meets practice: records
     * state codes of ISO 639 in their own system. They are kept. */
    if (b->maximum && e->type != HIE_TYPE_code) {
        severity = HIE_ISSUE_WARNING;
    }

    if (b->enforced) {
        hie_check_bound(c, b, e->type, n, severity, NULL, place);
    }
}
