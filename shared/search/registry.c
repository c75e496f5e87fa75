/*
 * Which parameters there are, and how their values are got.
 */

#include "search/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


void
hie_search_lock(hie_search_t *s, bool on)
{
    if (s->options.lock != NULL) {
        s->options.lock(s->options.lock_baton, on);
    }
}


hie_search_t *
hie_search_create(apr_pool_t *pool, const hie_search_options_t *options)
{
    hie_search_t    *s;
    hie_registry_t  *now;

    /* an allocator of its own: the lock guards no other */
    pool = hie_pool_create(pool, "search");
    s = apr_pcalloc(pool, sizeof(*s));
    s->pool = pool;
    if (options != NULL) {
        s->options = *options;
    }

    s->r4 = apr_pcalloc(pool, sizeof(*s->r4) * hie_n_types);
    now = apr_pcalloc(pool, sizeof(*now));
    now->types = apr_pcalloc(pool, sizeof(*now->types) * hie_n_types);
    atomic_init(&s->now, now);
    return s;
}


uint32_t
hie_search_param_key(const char *type, const char *code)
{
    uint64_t   h;
    hie_str_t  parts[2] = { hie_str(type), hie_str(code) };

    h = hie_hash64_parts(parts, 2);
    return (uint32_t) (h >> 32);
}


uint64_t
hie_search_key(uint32_t param, hie_str_t form)
{
    hie_str_t  parts[2] = { { (const char *) &param, sizeof(param) }, form };

    return hie_hash64_parts(parts, 2);
}


/* The finishing steps of splitmix64 (Steele, Lea, Flood 2014): each of the 64
 * bits depends on all of the key. */
uint64_t
hie_search_param_mix(uint32_t param)
{
    uint64_t  x;

    x = param + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}


uint64_t
hie_search_reference_key(uint32_t param, uint64_t target)
{
    return target ^ hie_search_param_mix(param);
}


static bool
is_target(hie_type_t type, const hie_type_t *targets, int n)
{
    int  i = 0;

    while (i < n && targets[i] != type) {
        i++;
    }

    return n == 0 || i < n;
}


bool
hie_search_leads_to(const hie_parameter_t *param, hie_type_t type)
{
    return is_target(type, param->targets, param->n_targets);
}


/* Those of the parameters of one type. */
static void
add_referring(hie_type_t from, hie_type_t type, uint64_t target,
              apr_array_header_t *out)
{
    size_t                     i, n;
    uint32_t                   key;
    hie_type_t                 t;
    const hie_search_param_t  *p;

    for (t = from; t != HIE_TYPE_NONE; t = hie_types[t].base) {
        p = hie_search_params_of(t, &n);
        for (i = 0; i < n; i++) {
            if (p[i].kind == HIE_SEARCH_REFERENCE
                && is_target(type, &hie_search_targets[p[i].first_target],
                             p[i].n_targets))
            {
                key = hie_search_param_key(hie_types[from].name, p[i].code);
                APR_ARRAY_PUSH(out, uint64_t) = hie_search_reference_key(key,
                                                                     target);
            }
        }
    }
}


void
hie_search_referring(hie_type_t from, hie_type_t type, hie_str_t id,
                     apr_array_header_t *out)
{
    uint64_t    target;
    hie_type_t  t;

    target = hie_search_resource_key(hie_str(hie_types[type].name), id);
    APR_ARRAY_PUSH(out, uint64_t) = hie_search_reference_key(0, target);
    for (t = 1; t < hie_n_types; t++) {
        if (hie_types[t].kind == HIE_KIND_RESOURCE && !hie_types[t].abstract
            && (from == HIE_TYPE_NONE || from == t))
        {
            add_referring(t, type, target, out);
        }
    }
}


uint64_t
hie_search_text_key(hie_str_t text)
{
    return hie_hash64(text.ptr, text.len);
}


uint64_t
hie_search_resource_key(hie_str_t type, hie_str_t id)
{
    hie_str_t  parts[2] = { type, id };

    return hie_hash64_parts(parts, 2);
}


/* R4 section 2.1.1.3: what a canonical leads to is found by its url. Where a
 * value may be a Reference too, as that of any extension, it is one. */
static bool
refers_by_url(const hie_search_plan_t *plan)
{
    int   i;
    bool  by_url = false;

    if (plan->param.kind != HIE_SEARCH_REFERENCE) {
        return false;
    }

    if (plan->program != NULL) {
        return hie_types[hie_fhirpath_type(plan->program)].kind
               == HIE_KIND_PRIMITIVE;
    }

    for (i = 0; i < plan->n_paths; i++) {
        if (plan->paths[i].type == HIE_TYPE_Reference) {
            return false;
        }

        by_url = by_url || hie_types[plan->paths[i].type].kind
                           == HIE_KIND_PRIMITIVE;
    }

    return by_url;
}


/* R4 section 3.1.1.4.10: the case of codes counts, unless what they mean says
 * that it does not. Strings have no such meaning. */
static bool
is_folded(const hie_search_plan_t *plan)
{
    int  i;

    if (plan->param.kind != HIE_SEARCH_TOKEN) {
        return false;
    }

    for (i = 0; i < plan->n_paths; i++) {
        if (plan->paths[i].type != HIE_TYPE_string) {
            return false;
        }
    }

    return plan->n_paths > 0;
}


/* A primitive value is a code and nothing more. */
static bool
is_bare(const hie_search_plan_t *plan)
{
    int  i = 0;

    while (i < plan->n_paths
           && hie_types[plan->paths[i].type].kind == HIE_KIND_PRIMITIVE)
    {
        i++;
    }

    return plan->param.kind == HIE_SEARCH_TOKEN && plan->n_paths > 0
           && i == plan->n_paths;
}


/* The system of a code is implied by what it is an element of (R4 section
 * 3.1.1.4.10), where that has to be of one value set. */
static const char *
implied_system(const hie_search_plan_t *plan)
{
    int                       i;
    const char               *system = NULL;
    const hie_binding_t      *b;
    const hie_search_path_t  *path;

    if (plan->param.kind != HIE_SEARCH_TOKEN) {
        return NULL;
    }

    for (i = 0; i < plan->n_paths; i++) {
        path = &plan->paths[i];
        if (path->n == 0 || path->type != HIE_TYPE_code) {
            return NULL;
        }

        b = &hie_bindings[path->steps[path->n - 1].element->binding];
        if (b->strength != 'r' || b->system == NULL
            || (system != NULL && strcmp(b->system, system) != 0))
        {
            return NULL;
        }

        system = b->system;
    }

    return system;
}


/* The values of one element, whichever type it has, of which there is one. */
static bool
is_single(const hie_search_plan_t *plan)
{
    int                       i, k;
    const hie_search_step_t  *a, *b;

    for (i = 0; i < plan->n_paths; i++) {
        if (plan->paths[i].n != plan->paths[0].n) {
            return false;
        }

        for (k = 0; k < plan->paths[i].n; k++) {
            a = &plan->paths[0].steps[k];
            b = &plan->paths[i].steps[k];
            if (b->element->max != 1 || (k < plan->paths[i].n - 1
                ? a->element != b->element
                : a->element->order != b->element->order))
            {
                return false;
            }
        }
    }

    return plan->n_paths > 0 && plan->param.kind == HIE_SEARCH_DATE;
}


hie_rc_t
hie_search_plan_expression(apr_pool_t *pool, hie_search_plan_t *plan,
                           hie_str_t expression, bool strict,
                           hie_error_t *err)
{
    bool                     paths;
    hie_rc_t                 rc;
    apr_pool_t              *scratch;
    hie_fhirpath_options_t   options = { plan->param.type, strict };

    apr_pool_create(&scratch, pool);
    paths = hie_search_paths(pool, scratch, plan->param.type, expression,
                             &plan->paths, &plan->n_paths);
    rc = HIE_OK;
    if (!paths) {
        plan->n_paths = 0;
        rc = hie_fhirpath_compile(pool, expression, &options, &plan->program,
                                  err);
    }

    apr_pool_destroy(scratch);
    plan->param.by_url = refers_by_url(plan);
    plan->param.folded = is_folded(plan);
    plan->param.bare = is_bare(plan);
    plan->param.system = implied_system(plan);
    plan->param.single = is_single(plan);
    return rc;
}


hie_rc_t
hie_search_plan_part(apr_pool_t *pool, hie_search_plan_t *plan, int i,
                     hie_search_kind_t kind, hie_str_t expression,
                     hie_error_t *err)
{
    int                 k;
    apr_pool_t         *scratch;
    hie_search_part_t  *part = &plan->parts[i];
    hie_search_ways_t  *w;

    part->kind = kind;
    part->ways = apr_palloc(pool, sizeof(*part->ways)
                                  * (size_t) (plan->n_paths + 1));
    apr_pool_create(&scratch, pool);
    for (k = 0, part->n = 0; k < plan->n_paths; k++) {
        w = &part->ways[part->n];
        w->of = plan->paths[k].type;
        if (hie_search_paths(pool, scratch, w->of, expression, &w->paths,
                             &w->n))
        {
            part->n++;
        }
    }

    apr_pool_destroy(scratch);
    return hie_fhirpath_compile(pool, expression, NULL, &part->program, err);
}


static uint32_t
text_key(hie_search_t *s, hie_type_t type, const char *code)
{
    return hie_search_param_key(hie_types[type].name,
                                apr_pstrcat(s->pool, code, ":text", NULL));
}


bool
hie_search_in_row(const hie_parameter_t *param)
{
    return strcmp(param->code, "_id") == 0
           || strcmp(param->code, "_lastUpdated") == 0;
}


hie_type_t
hie_search_only_target(const hie_parameter_t *param)
{
    return param->n_targets == 1 ? param->targets[0] : HIE_TYPE_NONE;
}


/* _query names a search of the server's own: there is none. */
static bool
is_served(const hie_search_param_t *p)
{
    return p->expression != NULL || strcmp(p->code, "_text") == 0
           || strcmp(p->code, "_content") == 0;
}


static void
set_keys(hie_search_t *s, hie_search_plan_t *plan, hie_type_t type)
{
    plan->param.type = type;
    plan->param.key = hie_search_param_key(hie_types[type].name,
                                           plan->param.code);
    plan->param.ref_key = plan->param.key;
    plan->param.text_key = text_key(s, type, plan->param.code);
}


/* What combo-x of an Observation finds is what x and component-x find. Their
 * values are not written once more: there are more Observations than anything
 * else. */
static void
set_either(hie_search_t *s, hie_search_plan_t *plan)
{
    static const char  combo[] = "combo-";
    const char        *rest = plan->param.code + sizeof(combo) - 1;

    if (strncmp(plan->param.code, combo, sizeof(combo) - 1) == 0) {
        plan->either[0] = rest;
        plan->either[1] = apr_pstrcat(s->pool, "component-", rest, NULL);
        plan->program = NULL;
        plan->n_paths = 0;
    }
}


/* The tables are tested: their expressions compile. */
static void
plan_r4(hie_search_t *s, hie_search_plan_t *plan, hie_type_t type,
        const hie_search_param_t *p)
{
    int                            i;
    const hie_search_component_t  *c;

    plan->param = (hie_parameter_t) {
        .type = type, .code = p->code, .kind = p->kind,
        .canonical = p->canonical, .r4 = true, .n_targets = p->n_targets,
        .targets = &hie_search_targets[p->first_target]
    };
    set_keys(s, plan, type);
    if (p->expression != NULL && !hie_search_in_row(&plan->param)) {
        (void) hie_search_plan_expression(s->pool, plan,
                                          hie_str(p->expression), false,
                                          NULL);
    }

    set_either(s, plan);
    plan->n_parts = p->n_components;
    plan->parts = apr_pcalloc(s->pool, sizeof(*plan->parts)
                                       * (size_t) p->n_components);
    for (i = 0; i < p->n_components; i++) {
        c = &hie_search_components[p->first_component + i];
        (void) hie_search_plan_part(s->pool, plan, i,
                                    hie_search_params[c->param].kind,
                                    hie_str(c->expression), NULL);
    }
}


static int
compare_plans(const void *va, const void *vb)
{
    const hie_search_plan_t  *a = va, *b = vb;

    return strcmp(a->param.code, b->param.code);
}


static hie_search_type_t *
sorted(apr_pool_t *pool, apr_array_header_t *plans)
{
    hie_search_type_t  *out;

    out = apr_palloc(pool, sizeof(*out));
    out->n = plans->nelts;
    out->plans = (hie_search_plan_t *) plans->elts;
    qsort(out->plans, (size_t) out->n, sizeof(*out->plans), compare_plans);
    out->tree = hie_search_tree_make(pool, out);
    return out;
}


/* The type that the references of a path are narrowed to, in its last step
 * alone; HIE_TYPE_NONE: to none. */
static hie_type_t
narrowed_to(const hie_search_path_t *path)
{
    const hie_search_filter_t  *f = path->steps[path->n - 1].filter;

    return f != NULL ? f->refers_to : HIE_TYPE_NONE;
}


/* Do two paths lead to the same elements, but for what `narrow` leaves out by
 * its last step? */
static bool
is_narrower(const hie_search_path_t *narrow, const hie_search_path_t *wide)
{
    int                       i;
    const hie_search_step_t  *a, *b;

    for (i = 0; i < narrow->n && narrow->n == wide->n; i++) {
        a = &narrow->steps[i];
        b = &wide->steps[i];
        if (a->element != b->element || b->filter != NULL
            || (i < narrow->n - 1 && a->filter != NULL))
        {
            return false;
        }
    }

    return narrow->n == wide->n;
}


/* Observation.subject.where(resolve() is Patient) and Observation.subject: a
 * reference to a Patient that one finds the other finds too. */
static bool
is_part_of(const hie_search_plan_t *narrow, const hie_search_plan_t *wide)
{
    const hie_parameter_t  *n = &narrow->param, *w = &wide->param;

    return n->kind == HIE_SEARCH_REFERENCE && w->kind == HIE_SEARCH_REFERENCE
           && narrow->n_paths == 1 && wide->n_paths == 1
           && narrow->paths[0].type == HIE_TYPE_Reference
           && wide->paths[0].type == HIE_TYPE_Reference
           && n->n_targets == 1 && hie_search_leads_to(w, n->targets[0])
           && narrowed_to(&narrow->paths[0]) == n->targets[0]
           && is_narrower(&narrow->paths[0], &wide->paths[0]);
}


static void
set_ref_keys(apr_array_header_t *plans)
{
    int                 i, k;
    hie_search_plan_t  *all = (hie_search_plan_t *) plans->elts;

    for (i = 0; i < plans->nelts; i++) {
        for (k = 0; k < plans->nelts; k++) {
            if (is_part_of(&all[i], &all[k])) {
                all[i].param.ref_key = all[k].param.key;
            }
        }
    }
}


static hie_search_type_t *
make_r4(hie_search_t *s, hie_type_t type)
{
    size_t                     i, n;
    hie_type_t                 t;
    hie_search_plan_t         *plan;
    apr_array_header_t        *plans;
    const hie_search_param_t  *rows;

    plans = apr_array_make(s->pool, 32, sizeof(hie_search_plan_t));
    for (t = type; t != HIE_TYPE_NONE; t = hie_types[t].base) {
        rows = hie_search_params_of(t, &n);
        for (i = 0; i < n; i++) {
            if (is_served(&rows[i])) {
                plan = apr_array_push(plans);
                memset(plan, 0, sizeof(*plan));
                plan_r4(s, plan, type, &rows[i]);
            }
        }
    }

    set_ref_keys(plans);
    return sorted(s->pool, plans);
}


static bool
has_code(const apr_array_header_t *plans, const char *code)
{
    int  i;

    for (i = 0; i < plans->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(plans, i, hie_search_plan_t).param.code, code)
            == 0)
        {
            return true;
        }
    }

    return false;
}


/* A parameter of R4 has precedence over another one of its name. */
static hie_search_type_t *
make_type(hie_search_t *s, const hie_registry_t *now, hie_type_t type)
{
    int                  i, k;
    hie_search_type_t   *r4;
    hie_search_plan_t   *plan;
    apr_array_header_t  *plans;

    r4 = s->r4[type];
    if (r4 == NULL) {
        r4 = s->r4[type] = make_r4(s, type);
    }

    plans = apr_array_make(s->pool, r4->n, sizeof(hie_search_plan_t));
    for (i = 0; i < now->n; i++) {
        for (k = 0; k < now->customs[i]->n; k++) {
            plan = &now->customs[i]->plans[k];
            if (hie_type_is(type, plan->param.type)
                && hie_search_plan(r4, hie_str(plan->param.code)) == NULL
                && !has_code(plans, plan->param.code))
            {
                APR_ARRAY_PUSH(plans, hie_search_plan_t) = *plan;
                set_keys(s, &APR_ARRAY_IDX(plans, plans->nelts - 1,
                                           hie_search_plan_t), type);
            }
        }
    }

    if (plans->nelts == 0) {
        return r4;
    }

    for (i = 0; i < r4->n; i++) {
        APR_ARRAY_PUSH(plans, hie_search_plan_t) = r4->plans[i];
    }

    return sorted(s->pool, plans);
}


const hie_search_type_t *
hie_search_type(hie_search_t *s, hie_type_t type)
{
    hie_search_type_t  *t;
    hie_registry_t     *now;

    if (hie_types[type].kind != HIE_KIND_RESOURCE || hie_types[type].abstract) {
        return NULL;
    }

    now = atomic_load_explicit(&s->now, memory_order_acquire);
    t = atomic_load_explicit(&now->types[type], memory_order_acquire);
    if (t != NULL) {
        return t;
    }

    hie_search_lock(s, true);
    t = atomic_load_explicit(&now->types[type], memory_order_relaxed);
    if (t == NULL) {
        t = make_type(s, now, type);
        atomic_store_explicit(&now->types[type], t, memory_order_release);
    }

    hie_search_lock(s, false);
    return t;
}


static int
compare_code(hie_str_t code, const char *there)
{
    int     c;
    size_t  n;

    if (code.len == 0) {
        return -1;               /* ptr may be NULL */
    }

    n = strlen(there);
    c = memcmp(code.ptr, there, code.len < n ? code.len : n);
    return c != 0 ? c : (code.len > n) - (code.len < n);
}


const hie_search_plan_t *
hie_search_plan(const hie_search_type_t *t, hie_str_t code)
{
    int  i, c, low, high;

    for (low = 0, high = t->n; low < high; ) {
        i = low + (high - low) / 2;
        c = compare_code(code, t->plans[i].param.code);
        if (c == 0) {
            return &t->plans[i];
        }

        if (c < 0) {
            high = i;
        } else {
            low = i + 1;
        }
    }

    return NULL;
}


const hie_search_plan_t *
hie_search_find(hie_search_t *s, hie_type_t type, hie_str_t code)
{
    const hie_search_type_t  *t;

    t = hie_search_type(s, type);
    return t != NULL ? hie_search_plan(t, code) : NULL;
}


const hie_parameter_t *
hie_search_param(hie_search_t *s, hie_type_t type, hie_str_t code)
{
    const hie_search_plan_t  *plan;

    plan = hie_search_find(s, type, code);
    return plan != NULL ? &plan->param : NULL;
}


void
hie_search_each(hie_search_t *s, hie_type_t type, hie_parameter_fn *fn,
                void *baton)
{
    int                       i;
    const hie_search_type_t  *t;

    t = hie_search_type(s, type);
    for (i = 0; t != NULL && i < t->n; i++) {
        fn(baton, &t->plans[i].param);
    }
}
