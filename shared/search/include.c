/*
 * _include and _revinclude (R4 section 3.1.1.5.3), and compartments (R4
 * section 3.1.1.2).
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_tables.h>

typedef struct {
    hie_search_t      *s;
    const hie_type_t  *types;
    int                n_types;
    hie_include_t     *out;
    hie_error_t       *err;
} including_t;


static const char *
name_of(const hie_include_t *i)
{
    return i->reverse ? "_revinclude" : "_include";
}


static hie_rc_t
malformed(including_t *g)
{
    return hie_fail(g->err, HIE_INVALID, "",
                    "%s=%.*s: expected [type]:[parameter], "
                    "[type]:[parameter]:[type], [type]:* or *",
                    name_of(g->out), HIE_PRISTR(g->out->text));
}


static hie_rc_t
no_type(including_t *g, hie_str_t name)
{
    return hie_fail(g->err, HIE_INVALID, "",
                    "%s=%.*s: \"%.*s\" is no resource type of R4",
                    name_of(g->out), HIE_PRISTR(g->out->text),
                    HIE_PRISTR(name));
}


static hie_type_t
resource_type(hie_str_t name)
{
    hie_type_t  type;

    type = hie_type_find(name);
    return hie_types[type].kind == HIE_KIND_RESOURCE
           && !hie_types[type].abstract ? type : HIE_TYPE_NONE;
}


static bool
is_searched(const including_t *g, hie_type_t type)
{
    int  i;

    for (i = 0; i < g->n_types; i++) {
        if (g->types[i] == type) {
            return true;
        }
    }

    return false;
}


/* Does the parameter lead to one of the searched types? */
static bool
leads_back(const including_t *g, const hie_parameter_t *def)
{
    int  i;

    for (i = 0; i < g->n_types; i++) {
        if (hie_search_leads_to(def, g->types[i])) {
            return true;
        }
    }

    return false;
}


/* What is included anew may be of any type: with iterate it is not known. */
static hie_rc_t
check_source(including_t *g)
{
    if (!g->out->reverse && !g->out->iterate
        && !is_searched(g, g->out->source))
    {
        return hie_fail(g->err, HIE_INVALID, "",
                        "_include=%.*s: %s is none of the types that are "
                        "searched, and _include:iterate was not asked for",
                        HIE_PRISTR(g->out->text),
                        hie_types[g->out->source].name);
    }

    return HIE_OK;
}


static hie_rc_t
take_param(including_t *g, hie_str_t code)
{
    const hie_parameter_t  *def;

    def = hie_search_param(g->s, g->out->source, code);
    if (def == NULL) {
        return hie_fail(g->err, HIE_NOT_FOUND, "",
                        "%s=%.*s: \"%.*s\" is no search parameter of %s",
                        name_of(g->out), HIE_PRISTR(g->out->text),
                        HIE_PRISTR(code), hie_types[g->out->source].name);
    }

    if (def->kind != HIE_SEARCH_REFERENCE) {
        return hie_fail(g->err, HIE_INVALID, "",
                        "%s=%.*s: \"%s\" of %s is no reference",
                        name_of(g->out), HIE_PRISTR(g->out->text), def->code,
                        hie_types[g->out->source].name);
    }

    if (g->out->target != HIE_TYPE_NONE
        && !hie_search_leads_to(def, g->out->target))
    {
        return hie_fail(g->err, HIE_INVALID, "",
                        "%s=%.*s: \"%s\" of %s does not refer to %s",
                        name_of(g->out), HIE_PRISTR(g->out->text), def->code,
                        hie_types[g->out->source].name,
                        hie_types[g->out->target].name);
    }

    if (g->out->reverse && !g->out->iterate && !leads_back(g, def)) {
        return hie_fail(g->err, HIE_INVALID, "",
                        "_revinclude=%.*s: \"%s\" of %s refers to none of the "
                        "types that are searched", HIE_PRISTR(g->out->text),
                        def->code, hie_types[g->out->source].name);
    }

    g->out->param = def->ref_key;
    if (def->ref_key != def->key) {
        g->out->target = hie_search_only_target(def);
    }

    g->out->canonical = def->by_url;
    return HIE_OK;
}


static hie_rc_t
take_target(including_t *g, hie_str_t name)
{
    if (name.ptr == NULL) {
        return HIE_OK;
    }

    g->out->target = resource_type(name);
    if (g->out->target == HIE_TYPE_NONE) {
        return no_type(g, name);
    }

    if (g->out->reverse && !g->out->iterate
        && !is_searched(g, g->out->target))
    {
        return hie_fail(g->err, HIE_INVALID, "",
                        "_revinclude=%.*s: %s is none of the types that are "
                        "searched", HIE_PRISTR(g->out->text),
                        hie_types[g->out->target].name);
    }

    return HIE_OK;
}


hie_rc_t
hie_search_include(hie_search_t *s, const hie_type_t *types, int n_types,
                   bool reverse, bool iterate, hie_str_t value,
                   apr_pool_t *pool, hie_include_t *out, hie_error_t *err)
{
    hie_rc_t     rc;
    hie_str_t    source, code, target;
    including_t  g = { s, types, n_types, out, err };

    memset(out, 0, sizeof(*out));
    out->reverse = reverse;
    out->iterate = iterate;
    out->text = value;
    if (hie_str_eqz(value, "*")) {
        out->all = true;
        return HIE_OK;
    }

    source = hie_str_split(value, ':', &code);
    code = hie_str_split(code, ':', &target);
    if (source.len == 0 || code.len == 0
        || (target.ptr != NULL && target.len == 0))
    {
        return malformed(&g);
    }

    out->source = resource_type(source);
    if (out->source == HIE_TYPE_NONE) {
        return no_type(&g, source);
    }

    rc = check_source(&g);
    rc = rc == HIE_OK ? take_target(&g, target) : rc;
    if (rc == HIE_OK && hie_str_eqz(code, "*")) {
        out->all = true;
        return HIE_OK;
    }

    return rc == HIE_OK ? take_param(&g, code) : rc;
}


static void
add_urls(hie_search_t *s, hie_type_t type, const hie_include_t *all,
         apr_array_header_t *out)
{
    int                       i;
    hie_include_t            *one;
    const hie_search_type_t  *t;

    t = hie_search_type(s, type);
    for (i = 0; i < t->n; i++) {
        if (t->plans[i].param.by_url
            && (all->target == HIE_TYPE_NONE
                || hie_search_leads_to(&t->plans[i].param, all->target)))
        {
            one = apr_array_push(out);
            *one = *all;
            one->all = false;
            one->canonical = true;
            one->source = type;
            one->param = t->plans[i].param.ref_key;
        }
    }
}


const hie_include_t *
hie_search_include_urls(hie_search_t *s, const hie_type_t *types, int n_types,
                        const hie_include_t *all, apr_pool_t *pool, int *n)
{
    int                  i;
    apr_array_header_t  *out;

    out = apr_array_make(pool, 4, sizeof(*all));
    if (all->source != HIE_TYPE_NONE) {
        add_urls(s, all->source, all, out);
    } else if (!all->reverse && !all->iterate) {
        for (i = 0; i < n_types; i++) {
            add_urls(s, types[i], all, out);
        }
    }

    *n = out->nelts;
    return (const hie_include_t *) out->elts;
}


/*
 * Compartments.
 */

static hie_criteria_t *
one(apr_pool_t *pool, hie_criterion_kind_t kind, void *values, int n)
{
    hie_criteria_t  *c;

    c = apr_palloc(pool, sizeof(*c));
    c->n = 1;
    c->criteria = apr_pcalloc(pool, sizeof(*c->criteria));
    c->criteria->kind = kind;
    c->criteria->n = n;
    c->criteria->keys = values;
    return c;
}


/* R4 section 2.6.3: what the instance is about is in its compartment, and so
 * is itself. */
static void
add_itself(hie_criterion_t *c, hie_type_t type, hie_str_t id, apr_pool_t *pool)
{
    int           n;
    hie_str_t    *ids;
    hie_chain_t  *chains;

    n = c->n > 0 ? 2 : 1;
    chains = apr_pcalloc(pool, sizeof(*chains) * (size_t) n);
    ids = apr_palloc(pool, sizeof(*ids));
    *ids = id;
    chains[0].type = type;
    chains[0].criteria = one(pool, HIE_CRITERION_IDS, ids, 1);
    if (n == 2) {
        chains[1].criteria = one(pool, HIE_CRITERION_TOKENS, c->keys, c->n);
    }

    c->kind = HIE_CRITERION_GROUP;
    c->n = n;
    c->chains = chains;
}


bool
hie_search_compartment(hie_search_t *s, hie_type_t compartment, hie_str_t id,
                       const hie_type_t *types, int n_types, apr_pool_t *pool,
                       hie_criterion_t *out)
{
    int                           i;
    bool                          itself;
    size_t                        k, n;
    uint64_t                      target;
    hie_str_t                     name;
    apr_array_header_t           *keys;
    const hie_search_plan_t      *plan;
    const hie_compartment_row_t  *rows;

    memset(out, 0, sizeof(*out));
    name = hie_str(hie_types[compartment].name);
    target = hie_search_resource_key(name, id);
    keys = apr_array_make(pool, 8, sizeof(uint64_t));
    for (i = 0, itself = false; i < n_types; i++) {
        itself = itself || types[i] == compartment;
        rows = hie_compartment_of(compartment, types[i], &n);
        for (k = 0; types[i] != HIE_TYPE_NONE && k < n; k++) {
            plan = hie_search_find(s, types[i],
                             hie_str(hie_search_params[rows[k].param].code));
            APR_ARRAY_PUSH(keys, uint64_t) = hie_search_reference_key(
                                             plan->param.ref_key, target);
        }
    }

    (void) hie_compartment_of(compartment, HIE_TYPE_NONE, &n);
    out->kind = HIE_CRITERION_TOKENS;
    out->n = keys->nelts;
    out->keys = (uint64_t *) keys->elts;
    out->source = hie_forms_join(pool, name, "/", id);
    if (itself && n > 0) {
        add_itself(out, compartment, id, pool);
    }

    return out->n > 0;
}
