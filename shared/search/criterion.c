/*
 * A search parameter as a criterion: name, modifier, chain (R4 sections
 * 3.1.1.4.11.1 and 3.1.1.4.14).
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>

static hie_rc_t
parse(const hie_criterion_parse_t *outer, hie_type_t type, hie_str_t name,
      hie_criterion_t *out);


static hie_rc_t
unknown(const hie_criterion_parse_t *p, hie_type_t type, hie_str_t code)
{
    return hie_fail(p->err, HIE_NOT_FOUND, "",
                    "search parameter \"%.*s\": \"%.*s\" is none of %s",
                    HIE_PRISTR(p->whole), HIE_PRISTR(code),
                    hie_types[type].name);
}


static hie_rc_t
too_deep(const hie_criterion_parse_t *p)
{
    return hie_fail(p->err, HIE_INVALID, "",
                    "search parameter \"%.*s\" chains more than %d times",
                    HIE_PRISTR(p->whole), p->rules->max_depth);
}


static hie_criteria_t *
one_criterion(apr_pool_t *pool)
{
    hie_criteria_t  *c;

    c = apr_palloc(pool, sizeof(*c));
    c->n = 1;
    c->criteria = apr_pcalloc(pool, sizeof(*c->criteria));
    return c;
}


/* One way of a chain. HIE_NOT_FOUND: not through this type. */
static hie_rc_t
follow(const hie_criterion_parse_t *p, hie_type_t type, hie_str_t rest,
       apr_array_header_t *chains)
{
    hie_rc_t         rc;
    hie_chain_t     *chain;
    hie_criteria_t  *inner;

    inner = one_criterion(p->pool);
    rc = parse(p, type, rest, inner->criteria);
    if (rc == HIE_OK) {
        chain = apr_array_push(chains);
        chain->param = p->out->def->key;
        chain->type = type;
        chain->criteria = inner;
    }

    return rc;
}


/* Through all types that the reference may lead to: those that do not have
 * the parameter are none of the ways. */
static hie_rc_t
follow_all(const hie_criterion_parse_t *p, hie_str_t rest,
           apr_array_header_t *chains)
{
    hie_rc_t    rc;
    hie_type_t  type;

    for (type = 1; type < hie_n_types; type++) {
        if (hie_types[type].kind != HIE_KIND_RESOURCE
            || hie_types[type].abstract
            || !hie_criterion_target(p->out->def, type))
        {
            continue;
        }

        rc = follow(p, type, rest, chains);
        if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
            return rc;
        }
    }

    if (chains->nelts == 0) {
        return hie_fail(p->err, HIE_NOT_FOUND, "",
                        "search parameter \"%.*s\": no type that it leads to "
                        "has it", HIE_PRISTR(p->whole));
    }

    return HIE_OK;
}


/* reference[:Type].rest */
static hie_rc_t
parse_chain(hie_criterion_parse_t *p, hie_str_t rest)
{
    hie_rc_t             rc;
    hie_type_t           type;
    apr_array_header_t  *chains;

    if (p->out->def->kind != HIE_SEARCH_REFERENCE) {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\": \"%s\" is no reference",
                        HIE_PRISTR(p->whole), p->out->def->code);
    }

    chains = apr_array_make(p->pool, 2, sizeof(hie_chain_t));
    if (p->modifier.ptr == NULL) {
        rc = follow_all(p, rest, chains);

    } else {
        type = hie_criterion_type(p);
        if (type == HIE_TYPE_NONE
            || !hie_criterion_target(p->out->def, type))
        {
            return hie_criterion_modifier(p);
        }

        rc = follow(p, type, rest, chains);
    }

    p->out->kind = HIE_CRITERION_CHAIN;
    p->out->n = chains->nelts;
    p->out->chains = (hie_chain_t *) chains->elts;
    return rc;
}


/* _has:Type:reference:rest */
static hie_rc_t
parse_has(hie_criterion_parse_t *p, hie_str_t rest)
{
    hie_rc_t             rc;
    hie_str_t            name, code;
    hie_type_t           from;
    const hie_parameter_t   *def;
    apr_array_header_t  *chains;

    name = hie_str_split(rest, ':', &rest);
    code = hie_str_split(rest, ':', &rest);
    from = hie_type_find(name);
    if (rest.len == 0 || hie_types[from].kind != HIE_KIND_RESOURCE
        || hie_types[from].abstract)
    {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\": expected "
                        "_has:[type]:[reference]:[parameter]",
                        HIE_PRISTR(p->whole));
    }

    def = hie_search_param(p->s, from, code);
    if (def == NULL) {
        return unknown(p, from, code);
    }

    if (def->kind != HIE_SEARCH_REFERENCE
        || !hie_criterion_target(def, p->type))
    {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\": \"%s\" of %s does not "
                        "refer to %s", HIE_PRISTR(p->whole), def->code,
                        hie_types[from].name, hie_types[p->type].name);
    }

    chains = apr_array_make(p->pool, 1, sizeof(hie_chain_t));
    p->out->def = def;
    rc = follow(p, from, rest, chains);
    p->out->kind = HIE_CRITERION_HAS;
    p->out->n = chains->nelts;
    p->out->chains = (hie_chain_t *) chains->elts;
    return rc;
}


/* The name up to the first dot, with its modifier; what is behind the dot is
 * the rest of a chain. */
static hie_rc_t
parse(const hie_criterion_parse_t *outer, hie_type_t type, hie_str_t name,
      hie_criterion_t *out)
{
    hie_str_t              head, code, rest;
    hie_criterion_parse_t  p = *outer;

    p.type = type;
    p.out = out;
    p.depth++;
    memset(out, 0, sizeof(*out));
    if (p.depth > p.rules->max_depth + 1) {
        return too_deep(&p);
    }

    if (hie_str_starts(name, "_has:")) {
        name.ptr += sizeof("_has:") - 1;
        name.len -= sizeof("_has:") - 1;
        return parse_has(&p, name);
    }

    head = hie_str_split(name, '.', &rest);
    code = hie_str_split(head, ':', &p.modifier);
    out->def = hie_search_param(p.s, type, code);
    if (out->def == NULL) {
        return unknown(&p, type, code);
    }

    return rest.ptr != NULL ? parse_chain(&p, rest) : hie_criterion_value(&p);
}


hie_rc_t
hie_search_criterion(hie_search_t *s, hie_type_t type, hie_str_t name,
                     hie_str_t value, const hie_search_rules_t *rules,
                     apr_pool_t *pool, hie_criterion_t *out,
                     hie_error_t *err)
{
    hie_rc_t               rc;
    hie_criterion_parse_t  p = {
        .s = s, .type = type, .rules = rules, .pool = pool, .whole = name,
        .value = value, .err = err
    };

    rc = parse(&p, type, name, out);
    out->source = hie_str(apr_psprintf(pool, "%.*s=%.*s", HIE_PRISTR(name),
                                       HIE_PRISTR(value)));
    return rc;
}
