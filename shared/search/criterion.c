/*
 * A search parameter as a criterion: name, modifier, chain (R4 sections
 * 3.1.1.4.11.1 and 3.1.1.4.14).
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>

/* Names that are looked up for one criterion. References to anything have 145
 * ways, and so have these again. */
#define WAYS_MAX  4096


hie_rc_t
hie_criterion_unknown(const hie_criterion_parse_t *p, hie_type_t type,
                      hie_str_t code)
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


static hie_rc_t
too_wide(const hie_criterion_parse_t *p)
{
    return hie_fail(p->err, HIE_TOO_COSTLY, "",
                    "search parameter \"%.*s\" leads through too many types: "
                    "name them, as in [reference]:[type].[parameter]",
                    HIE_PRISTR(p->whole));
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


void
hie_criterion_set_chains(hie_criterion_t *c, hie_criterion_kind_t kind,
                         apr_array_header_t *chains)
{
    c->kind = kind;
    c->n = chains->nelts;
    c->chains = (hie_chain_t *) chains->elts;
}


/* One way of a chain: what is there must meet the rest. */
static hie_rc_t
follow(const hie_criterion_parse_t *p, hie_type_t type, hie_str_t rest,
       apr_array_header_t *chains)
{
    hie_rc_t         rc;
    hie_chain_t     *chain;
    hie_criteria_t  *inner;

    inner = one_criterion(p->pool);
    rc = hie_criterion_parse(p, type, rest, inner->criteria);
    if (rc == HIE_OK) {
        chain = apr_array_push(chains);
        chain->param = p->out->def->ref_key;
        chain->type = type;
        chain->canonical = p->out->def->by_url;
        chain->criteria = inner;
    }

    return rc;
}


hie_rc_t
hie_criterion_no_way(const hie_criterion_parse_t *p, hie_rc_t worst,
                     hie_str_t rest)
{
    return hie_fail(p->err, worst, "",
                    "search parameter \"%.*s\": no type that it leads to has "
                    "\"%.*s\"%s", HIE_PRISTR(p->whole), HIE_PRISTR(rest),
                    worst == HIE_INVALID ? " with such a value" : "");
}


/* Through all types that the reference may lead to. One that does not have
 * the parameter, or has one of another kind, is none of the ways. */
static hie_rc_t
follow_all(const hie_criterion_parse_t *p, hie_str_t rest,
           apr_array_header_t *chains)
{
    hie_rc_t    rc, worst;
    hie_type_t  type;

    worst = HIE_NOT_FOUND;
    for (type = 1; type < hie_n_types; type++) {
        if (hie_types[type].kind != HIE_KIND_RESOURCE
            || hie_types[type].abstract
            || !hie_search_leads_to(p->out->def, type))
        {
            continue;
        }

        rc = follow(p, type, rest, chains);
        if (rc != HIE_OK && rc != HIE_NOT_FOUND && rc != HIE_INVALID) {
            return rc;
        }

        worst = rc == HIE_INVALID ? rc : worst;
    }

    return chains->nelts > 0 ? HIE_OK : hie_criterion_no_way(p, worst, rest);
}


/* The type that the reference names, or the only one that it leads to. */
hie_rc_t
hie_criterion_way(hie_criterion_parse_t *p, hie_type_t *out)
{
    if (p->out->def->kind != HIE_SEARCH_REFERENCE) {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\": \"%s\" is no reference",
                        HIE_PRISTR(p->whole), p->out->def->code);
    }

    *out = hie_search_only_target(p->out->def);
    if (p->modifier.ptr == NULL) {
        return HIE_OK;
    }

    *out = hie_criterion_type(p);
    return *out != HIE_TYPE_NONE && hie_search_leads_to(p->out->def, *out)
           ? HIE_OK : hie_criterion_modifier(p);
}


/* reference[:Type].rest */
static hie_rc_t
parse_chain(hie_criterion_parse_t *p, hie_str_t rest)
{
    hie_rc_t             rc;
    hie_type_t           type;
    apr_array_header_t  *chains;

    rc = hie_criterion_way(p, &type);
    if (rc != HIE_OK) {
        return rc;
    }

    if (p->depth > p->rules->max_depth) {
        return too_deep(p);      /* whatever types it leads to */
    }

    chains = apr_array_make(p->pool, 2, sizeof(hie_chain_t));
    rc = type != HIE_TYPE_NONE ? follow(p, type, rest, chains)
                               : follow_all(p, rest, chains);
    hie_criterion_set_chains(p->out, HIE_CRITERION_CHAIN, chains);
    return rc;
}


/* _has:Type:reference:rest */
static hie_rc_t
parse_has(hie_criterion_parse_t *p, hie_str_t rest)
{
    hie_rc_t                rc;
    hie_str_t               name, code;
    hie_type_t              from;
    const hie_parameter_t  *def;
    apr_array_header_t     *chains;

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
        return hie_criterion_unknown(p, from, code);
    }

    if (def->kind != HIE_SEARCH_REFERENCE
        || !hie_search_leads_to(def, p->type))
    {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\": \"%s\" of %s does not "
                        "refer to %s", HIE_PRISTR(p->whole), def->code,
                        hie_types[from].name, hie_types[p->type].name);
    }

    chains = apr_array_make(p->pool, 1, sizeof(hie_chain_t));
    p->out->def = def;
    rc = follow(p, from, rest, chains);
    hie_criterion_set_chains(p->out, HIE_CRITERION_HAS, chains);
    return rc;
}


/* R4 section 3.1.1.4.16: what the List of this id has as an item. */
static hie_rc_t
parse_list(hie_criterion_parse_t *p)
{
    hie_rc_t             rc;
    apr_array_header_t  *chains;

    chains = apr_array_make(p->pool, 1, sizeof(hie_chain_t));
    p->out->def = hie_search_param(p->s, HIE_TYPE_List, HIE_STR("item"));
    if (hie_str_starts(p->value, "$")) {
        return hie_criterion_current(p);
    }

    rc = follow(p, HIE_TYPE_List, HIE_STR("_id"), chains);
    hie_criterion_set_chains(p->out, HIE_CRITERION_HAS, chains);
    return rc;
}


static hie_rc_t
merge(const hie_criterion_parse_t *p, hie_criterion_t *out,
      const hie_criterion_t *more);


/* The alternatives of two parameters. */
static hie_rc_t
parse_either(const hie_criterion_parse_t *p, const hie_search_plan_t *plan)
{
    int                     i;
    hie_rc_t                rc = HIE_OK;
    hie_str_t               name;
    hie_criterion_t         more;
    hie_criterion_parse_t   outer = *p;

    outer.depth--;
    for (i = 0; rc == HIE_OK && i < 2; i++) {
        name = hie_str(plan->either[i]);
        if (p->modifier.ptr != NULL) {
            name = hie_forms_join(p->pool, name, ":", p->modifier);
        }

        rc = hie_criterion_parse(&outer, p->type, name,
                                 i == 0 ? p->out : &more);
    }

    if (rc == HIE_OK) {
        rc = merge(p, p->out, &more);
    }

    p->out->def = &plan->param;
    return rc;
}


/* The name up to the first dot, with its modifier; what is behind the dot is
 * the rest of a chain. */
hie_rc_t
hie_criterion_parse(const hie_criterion_parse_t *outer, hie_type_t type,
                    hie_str_t name, hie_criterion_t *out)
{
    hie_str_t                 head, code, rest;
    const hie_search_plan_t  *plan;
    hie_criterion_parse_t     p = *outer;

    p.type = type;
    p.out = out;
    p.depth++;
    p.modifier = HIE_STR_NONE;
    memset(out, 0, sizeof(*out));
    if (p.depth > p.rules->max_depth + 1) {
        return too_deep(&p);
    }

    if ((*p.ways)++ == WAYS_MAX) {
        return too_wide(&p);
    }

    if (hie_str_starts(name, "_has:")) {
        name.ptr += sizeof("_has:") - 1;
        name.len -= sizeof("_has:") - 1;
        return parse_has(&p, name);
    }

    if (hie_str_eqz(name, "_list")) {
        return parse_list(&p);
    }

    head = hie_str_split(name, '.', &rest);
    code = hie_str_split(head, ':', &p.modifier);
    plan = hie_search_find(p.s, type, code);
    if (plan == NULL) {
        return hie_criterion_unknown(&p, type, code);
    }

    out->def = &plan->param;

    if (rest.ptr != NULL) {
        return parse_chain(&p, rest);
    }

    if (plan->either[0] != NULL) {
        return parse_either(&p, plan);
    }

    return p.compare != HIE_COMPARE_NONE ? hie_criterion_compare(&p)
                                         : hie_criterion_value(&p);
}


/*
 * Several types.
 */

/* What one alternative takes; 0: they do not hang on the type. */
static size_t
size_of(const hie_criterion_t *c)
{
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        return sizeof(*c->keys);

    case HIE_CRITERION_STRINGS:
    case HIE_CRITERION_TERMS:
        return sizeof(*c->texts);

    case HIE_CRITERION_DATES:
        return sizeof(*c->dates);

    case HIE_CRITERION_NUMBERS:
        return sizeof(*c->numbers);

    case HIE_CRITERION_NEAR:
        return sizeof(*c->places);

    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_GROUP:
        return sizeof(*c->chains);

    default:
        return 0;
    }
}


static const void *
joined(apr_pool_t *pool, const void *a, int n_a, const void *b, int n_b,
       size_t size)
{
    char  *both;

    both = apr_palloc(pool, size * (size_t) (n_a + n_b) + 1);
    if (n_a > 0) {
        memcpy(both, a, size * (size_t) n_a);
    }

    if (n_b > 0) {
        memcpy(both + size * (size_t) n_a, b, size * (size_t) n_b);
    }

    return both;
}


static hie_rc_t
merge(const hie_criterion_parse_t *p, hie_criterion_t *out,
      const hie_criterion_t *more)
{
    size_t  size;

    if (out->kind != more->kind || out->def->kind != more->def->kind) {
        return hie_fail(p->err, HIE_INVALID, "",
                        "search parameter \"%.*s\" is another kind of "
                        "parameter in %s than in %s", HIE_PRISTR(p->whole),
                        hie_types[more->def->type].name,
                        hie_types[out->def->type].name);
    }

    size = size_of(out);
    if (size > 0) {
        out->keys = (void *) joined(p->pool, out->keys, out->n, more->keys,
                                    more->n, size);
        out->n += more->n;

    } else if (out->kind == HIE_CRITERION_CODES
               || out->kind == HIE_CRITERION_PRESENT)
    {
        out->params = joined(p->pool, out->params, out->n_params, more->params,
                             more->n_params, sizeof(*out->params));
        out->n_params += more->n_params;
    }

    return HIE_OK;
}


hie_rc_t
hie_criterion_parse_all(const hie_criterion_parse_t *outer,
                        const hie_type_t *types, int n_types, hie_str_t name,
                        hie_criterion_t *out)
{
    int              i;
    hie_rc_t         rc;
    hie_criterion_t  more;

    rc = hie_criterion_parse(outer, types[0], name, out);
    for (i = 1; rc == HIE_OK && i < n_types; i++) {
        rc = hie_criterion_parse(outer, types[i], name, &more);
        if (rc == HIE_OK) {
            rc = merge(outer, out, &more);
        }
    }

    return rc;
}


hie_rc_t
hie_search_criterion_of(hie_search_t *s, const hie_type_t *types, int n_types,
                        hie_str_t name, hie_str_t value,
                        const hie_search_rules_t *rules, apr_pool_t *pool,
                        hie_criterion_t *out, hie_error_t *err)
{
    int                    ways;
    hie_rc_t               rc;
    hie_criterion_parse_t  p = {
        .s = s, .rules = rules, .ways = &ways, .pool = pool, .whole = name,
        .value = value, .err = err
    };

    ways = 0;
    rc = hie_criterion_parse_all(&p, types, n_types, name, out);
    out->source = hie_forms_join(pool, name, "=", value);
    return rc;
}


hie_rc_t
hie_search_criterion(hie_search_t *s, hie_type_t type, hie_str_t name,
                     hie_str_t value, const hie_search_rules_t *rules,
                     apr_pool_t *pool, hie_criterion_t *out,
                     hie_error_t *err)
{
    return hie_search_criterion_of(s, &type, 1, name, value, rules, pool, out,
                                   err);
}


/*
 * From and until.
 */

/* One date that is asked for, of the one that a resource has. */
static bool
is_one_date(const hie_criterion_t *c)
{
    return c->kind == HIE_CRITERION_DATES && c->n == 1 && !c->negate
           && c->def != NULL && c->def->single && !c->dates[0].negate
           && !c->dates[0].of.scoped && c->dates[0].also == NULL;
}


static void
join(hie_criterion_t *c, const hie_criterion_t *with, apr_pool_t *pool)
{
    hie_date_value_t  *v;

    v = apr_pmemdup(pool, c->dates, sizeof(*v));
    v->also = with->dates;
    c->dates = v;
    c->source = hie_forms_join(pool, c->source, "&", with->source);
}


void
hie_search_join(hie_criteria_t *c, apr_pool_t *pool)
{
    int               i, k, n;
    hie_criterion_t  *one, *other;

    for (i = 0, n = 0; i < c->n; i++) {
        one = &c->criteria[i];
        for (k = 0; k < n; k++) {
            other = &c->criteria[k];
            if (is_one_date(one) && is_one_date(other)
                && one->dates[0].of.slot == other->dates[0].of.slot)
            {
                break;
            }
        }

        if (k < n) {
            join(&c->criteria[k], one, pool);
        } else {
            c->criteria[n++] = *one;
        }
    }

    c->n = n;
}
