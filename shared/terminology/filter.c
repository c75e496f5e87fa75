/*
 * Filters of an include (R4 section 4.9.8, filter-operator).
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    uint32_t  at;                   /* the next value to look at */
} place_t;


static bool
is_hierarchical(filter_op_t op)
{
    return op == OP_IS_A || op == OP_DESCENDENT_OF || op == OP_IS_NOT_A
           || op == OP_GENERALIZES;
}


static uint32_t
find_name(const system_t *s, hie_str_t code)
{
    uint32_t  i;

    for (i = 0; i < s->n_names; i++) {
        if (hie_str_eq(s->names[i].code, code)) {
            return i;
        }
    }

    return NO_CONCEPT;
}


static hie_rc_t
bind_property(tx_t *tx, const hie_term_t *t, const filter_t *f,
              bound_filter_t *out)
{
    out->on_code = hie_str_eqz(f->property, "concept")
                   || hie_str_eqz(f->property, "code");
    out->on_display = hie_str_eqz(f->property, "display");
    out->up = hie_str_eqz(f->property, "parent");
    out->on_links = out->up || hie_str_eqz(f->property, "child");
    out->flag = hie_str_eqz(f->property, "inactive") ? CONCEPT_INACTIVE
                : hie_str_eqz(f->property, "notSelectable")
                  ? CONCEPT_ABSTRACT : 0;
    out->name = find_name(&t->system, f->property);

    if (!out->on_code && !out->on_display && !out->on_links && out->flag == 0
        && out->name == NO_CONCEPT)
    {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-supported",
                           "the code system %.*s has no property \"%.*s\" to "
                           "filter by", HIE_PRISTR(t->canonical),
                           HIE_PRISTR(f->property));
    }

    return HIE_OK;
}


static hie_rc_t
bind_target(tx_t *tx, const hie_term_t *t, const filter_t *f,
            bound_filter_t *out)
{
    const system_t  *s = &t->system;
    bool             up = f->op == OP_GENERALIZES;

    out->target = hie_system_find(t, f->value);

    if (out->target == NO_CONCEPT) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "code-invalid",
                           "the code \"%.*s\" of a filter is not in %.*s",
                           HIE_PRISTR(f->value), HIE_PRISTR(t->canonical));
    }

    if (!s->forest) {
        if (!hie_tx_spend(tx, s->n)) {
            return HIE_TOO_COSTLY;
        }

        out->reach = hie_hierarchy_reach(s, out->target, up, tx->pool);
    }

    return HIE_OK;
}


static void
bind_values(tx_t *tx, const filter_t *f, bound_filter_t *out)
{
    hie_str_t  one, rest = f->value;
    uint32_t   n = 1;
    size_t     i;

    for (i = 0; i < f->value.len; i++) {
        n += f->value.ptr[i] == ',';
    }

    out->values = apr_palloc(tx->pool, n * sizeof(*out->values));

    while (rest.ptr != NULL) {
        one = hie_str_trim(hie_str_split(rest, ',', &rest));
        out->values[out->n_values++] = one;
    }
}


hie_rc_t
hie_filter_bind(tx_t *tx, const hie_term_t *t, const filter_t *f,
                bound_filter_t *out)
{
    hie_rc_t  rc;

    memset(out, 0, sizeof(*out));
    out->filter = f;
    out->system = &t->system;
    out->term = t;

    rc = bind_property(tx, t, f, out);

    if (rc != HIE_OK) {
        return rc;
    }

    if (is_hierarchical(f->op)) {
        return bind_target(tx, t, f, out);
    }

    switch (f->op) {

    case OP_REGEX:
        return hie_regex_make(tx, f->value, &out->regex);

    case OP_EXISTS:
        if (!hie_str_eqz(f->value, "true") && !hie_str_eqz(f->value, "false"))
        {
            return hie_tx_fail(tx, HIE_UNPROCESSABLE, "invalid",
                               "a filter \"exists\" takes true or false");
        }

        return HIE_OK;

    default:
        bind_values(tx, f, out);
        return HIE_OK;
    }
}


/* The values of the property, one after the other. */
static bool
next_value(const bound_filter_t *f, uint32_t concept, place_t *place,
           hie_str_t *text)
{
    const system_t    *s = f->system;
    const concept_t   *c = &s->concepts[concept];
    const property_t  *p;
    const range_t     *r;
    uint32_t           at = place->at++;

    if (f->on_code || f->on_display) {
        *text = f->on_code ? c->code : c->display;
        return at == 0 && text->len > 0;
    }

    if (f->flag != 0) {
        *text = c->flags & f->flag ? HIE_STR("true") : HIE_STR("false");
        return at == 0;
    }

    if (f->on_links) {
        r = f->up ? &c->parents : &c->children;

        if (at < r->n) {
            *text = s->concepts[s->links[r->first + at]].code;
        }

        return at < r->n;
    }

    for (; at < c->properties.n; at++) {
        p = &s->properties[c->properties.first + at];

        if (p->name == f->name) {
            place->at = at + 1;
            *text = p->text;
            return true;
        }
    }

    return false;
}


static bool
in_hierarchy(const bound_filter_t *f, uint32_t concept)
{
    const system_t  *s = f->system;

    if (f->reach != NULL) {
        return HIE_BIT(f->reach, concept);
    }

    return f->filter->op == OP_GENERALIZES
           ? hie_hierarchy_is(s, f->target, concept, NULL)
           : hie_hierarchy_is(s, concept, f->target, NULL);
}


static hie_rc_t
meets(tx_t *tx, const bound_filter_t *f, uint32_t concept, hie_str_t text,
      bool *out)
{
    uint32_t  i;

    if (is_hierarchical(f->filter->op)) {
        concept = f->on_code ? concept : hie_system_find(f->term, text);
        *out = concept != NO_CONCEPT && in_hierarchy(f, concept)
               && !(f->filter->op == OP_DESCENDENT_OF
                    && concept == f->target);
        return HIE_OK;
    }

    if (f->filter->op == OP_REGEX) {
        return hie_regex_test(tx, f->regex, text, out);
    }

    *out = false;

    if (f->filter->op == OP_EQUAL) {
        *out = hie_code_same(text, f->filter->value,
                             !f->on_code || f->system->case_sensitive);
        return HIE_OK;
    }

    for (i = 0; i < f->n_values && !*out; i++) {
        *out = hie_code_same(text, f->values[i],
                             !f->on_code || f->system->case_sensitive);
    }

    return HIE_OK;
}


hie_rc_t
hie_filter_test(tx_t *tx, const bound_filter_t *f, uint32_t concept,
                bool *out)
{
    filter_op_t  op = f->filter->op;
    place_t      place = { 0 };
    hie_str_t    text;
    hie_rc_t     rc;
    bool         any = false;

    if (op == OP_EXISTS) {
        *out = next_value(f, concept, &place, &text)
               == hie_str_eqz(f->filter->value, "true");
        return HIE_OK;
    }

    while (!any && next_value(f, concept, &place, &text)) {
        if (!hie_tx_spend(tx, 1 + f->n_values / 16)) {
            return HIE_TOO_COSTLY;
        }

        rc = meets(tx, f, concept, text, &any);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    *out = any != (op == OP_NOT_IN || op == OP_IS_NOT_A);

    return HIE_OK;
}
