/*
 * Composite parameters (R4 section 3.1.1.4.12): values joined by '$'. The
 * first is a token or a reference and qualifies the others.
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>


/* The parts of one value. */
static hie_rc_t
cut_parts(hie_criterion_parse_t *p, hie_str_t value, int n, hie_str_t *part)
{
    int  i;

    for (i = 0; i < n && value.ptr != NULL; i++) {
        part[i] = hie_search_cut(value, '$', &value);
        if (part[i].len == 0) {
            break;
        }
    }

    if (i == n && value.ptr == NULL) {
        return HIE_OK;
    }

    return hie_criterion_wrong(p, apr_psprintf(p->pool, "%d parts with '$' "
                                               "between them", n));
}


static hie_rc_t
any_form(hie_criterion_parse_t *p, hie_search_kind_t kind, hie_str_t part,
         hie_str_t *form)
{
    return kind == HIE_SEARCH_REFERENCE
           ? hie_criterion_reference(p, part, form)
           : hie_criterion_token(p, part, form);
}


/* The key of the first component's form, by which tokens are found; rows of a
 * reference too. */
static hie_rc_t
first_key(hie_criterion_parse_t *p, hie_search_kind_t kind, hie_str_t part,
          uint64_t *out)
{
    hie_rc_t   rc;
    hie_str_t  form;

    rc = any_form(p, kind, part, &form);
    if (rc == HIE_OK) {
        *out = hie_search_key(p->out->def->key, form);
    }

    return rc;
}


/* Where the rows stand: by the code, and its system if that is asked for. */
static hie_rc_t
slot_of(hie_criterion_parse_t *p, hie_search_kind_t kind, hie_str_t part,
        hie_slot_t *out)
{
    hie_str_t  system, code;

    memset(out, 0, sizeof(*out));
    if (kind == HIE_SEARCH_REFERENCE) {
        return first_key(p, kind, part, &out->slot);
    }

    system = hie_search_cut(part, '|', &code);
    if (code.ptr == NULL) {
        code = system;
    } else {
        system = hie_search_plain(p->pool, system);
        out->scoped = true;
        out->scope = system.len > 0 ? hie_search_text_key(system) : 0;
    }

    code = hie_search_plain(p->pool, code);
    if (code.len == 0) {
        return hie_criterion_wrong(p, "a code before '$'");
    }

    out->slot = hie_search_key(p->out->def->key, code);
    return HIE_OK;
}


static hie_rc_t
add_key(hie_criterion_parse_t *p, const hie_search_plan_t *plan,
        const hie_str_t *part, uint64_t *key)
{
    hie_rc_t   rc;
    uint64_t   first;
    hie_str_t  form;

    rc = first_key(p, plan->parts[0].kind, part[0], &first);
    if (rc == HIE_OK) {
        rc = any_form(p, plan->parts[1].kind, part[1], &form);
    }

    if (rc == HIE_OK) {
        *key = hie_search_form_key(p->out->def->key, first, form);
    }

    return rc;
}


static hie_rc_t
add_text(hie_criterion_parse_t *p, hie_str_t part, hie_text_value_t *out)
{
    out->match = HIE_TEXT_PREFIX;
    out->value = hie_fhir_normalize(p->pool, hie_search_plain(p->pool, part));
    out->value = hie_search_limit(out->value);
    return out->value.len > 0
           ? HIE_OK : hie_criterion_wrong(p, "a text that is not empty");
}


/* Both ends of a window: each has its own comparison. */
static hie_rc_t
add_window(hie_criterion_parse_t *p, const hie_str_t *part,
           hie_number_value_t *out)
{
    hie_rc_t            rc;
    hie_number_value_t  end;

    rc = hie_criterion_number(p, HIE_SEARCH_NUMBER, part[1], out);
    if (rc == HIE_OK) {
        rc = hie_criterion_number(p, HIE_SEARCH_NUMBER, part[2], &end);
        out->end = apr_pmemdup(p->pool, &end, sizeof(end));
    }

    return rc;
}


static hie_rc_t
add_value(hie_criterion_parse_t *p, const hie_search_plan_t *plan,
          const hie_str_t *part, int i)
{
    hie_rc_t          rc;
    hie_slot_t        of;
    hie_criterion_t  *c = p->out;

    if (c->kind == HIE_CRITERION_TOKENS) {
        return add_key(p, plan, part, &c->keys[i]);
    }

    rc = slot_of(p, plan->parts[0].kind, part[0], &of);
    if (rc != HIE_OK) {
        return rc;
    }

    switch (c->kind) {
    case HIE_CRITERION_STRINGS:
        rc = add_text(p, part[1], &c->texts[i]);
        c->texts[i].of = of;
        return rc;

    case HIE_CRITERION_DATES:
        rc = hie_criterion_date(p, part[1], &c->dates[i]);
        c->dates[i].of = of;
        return rc;

    default:
        rc = plan->n_parts == 3
             ? add_window(p, part, &c->numbers[i])
             : hie_criterion_number(p, plan->parts[1].kind, part[1],
                                    &c->numbers[i]);
        c->numbers[i].of = of;
        return rc;
    }
}


/* What the last component makes of the criterion. */
static void
shape(hie_criterion_parse_t *p, hie_search_kind_t kind, int n)
{
    size_t            each;
    hie_criterion_t  *c = p->out;

    switch (kind) {
    case HIE_SEARCH_STRING:
        c->kind = HIE_CRITERION_STRINGS;
        each = sizeof(*c->texts);
        break;

    case HIE_SEARCH_DATE:
        c->kind = HIE_CRITERION_DATES;
        each = sizeof(*c->dates);
        break;

    case HIE_SEARCH_NUMBER:
    case HIE_SEARCH_QUANTITY:
        c->kind = HIE_CRITERION_NUMBERS;
        each = sizeof(*c->numbers);
        break;

    default:
        c->kind = HIE_CRITERION_TOKENS;
        each = sizeof(*c->keys);
        break;
    }

    c->n = n;
    c->keys = apr_pcalloc(p->pool, each * (size_t) n);
}


hie_rc_t
hie_criterion_composite(hie_criterion_parse_t *p)
{
    int                        i;
    hie_rc_t                   rc;
    hie_str_t                  part[HIE_SEARCH_PARTS];
    apr_array_header_t        *list;
    const hie_search_plan_t   *plan;

    plan = hie_search_plan(hie_search_type(p->s, p->out->def->type),
                           hie_str(p->out->def->code));
    rc = p->modifier.ptr == NULL ? hie_criterion_split(p, &list)
                                 : hie_criterion_modifier(p);
    if (rc != HIE_OK) {
        return rc;
    }

    shape(p, plan->parts[1].kind, list->nelts);
    for (i = 0; rc == HIE_OK && i < list->nelts; i++) {
        rc = cut_parts(p, APR_ARRAY_IDX(list, i, hie_str_t), plan->n_parts,
                       part);
        if (rc == HIE_OK) {
            rc = add_value(p, plan, part, i);
        }
    }

    return rc;
}
