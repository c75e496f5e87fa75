/*
 * Which parameters there are, and how their values are got.
 */

#include "search/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

struct hie_search_t {
    apr_pool_t            *pool;
    hie_search_options_t   options;
    hie_search_type_t     *_Atomic *types;    /* hie_n_types of them */
};


static void
guard(hie_search_t *s, bool on)
{
    if (s->options.lock != NULL) {
        s->options.lock(s->options.lock_baton, on);
    }
}


hie_search_t *
hie_search_create(apr_pool_t *pool, const hie_search_options_t *options)
{
    hie_search_t  *s;

    s = apr_pcalloc(pool, sizeof(*s));
    s->pool = pool;
    if (options != NULL) {
        s->options = *options;
    }

    s->types = apr_pcalloc(pool, sizeof(*s->types) * hie_n_types);
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


static hie_fhirpath_t *
compile(hie_search_t *s, hie_type_t type, const char *expression)
{
    hie_fhirpath_t          *program;
    hie_fhirpath_options_t   options = { .context = type };

    if (expression == NULL
        || hie_fhirpath_compile(s->pool, hie_str(expression), &options,
                                &program, NULL) != HIE_OK)
    {
        return NULL;             /* the tables are tested */
    }

    return program;
}


/* R4 section 2.1.1.3: what a canonical leads to is found by its url. */
static bool
refers_by_url(const hie_search_plan_t *plan)
{
    int  i;

    if (plan->param.kind != HIE_SEARCH_REFERENCE) {
        return false;
    }

    for (i = 0; i < plan->n_paths; i++) {
        if (hie_types[plan->paths[i].type].kind == HIE_KIND_PRIMITIVE) {
            return true;
        }
    }

    return false;
}


static void
set_paths(hie_search_t *s, hie_search_plan_t *plan, const char *expression)
{
    apr_pool_t  *scratch;

    apr_pool_create(&scratch, s->pool);
    if (!hie_search_paths(s->pool, scratch, plan->param.type,
                          hie_str(expression), &plan->paths, &plan->n_paths))
    {
        plan->n_paths = 0;
    }

    apr_pool_destroy(scratch);
    plan->param.by_url = refers_by_url(plan);
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
plan_r4(hie_search_t *s, hie_search_plan_t *plan, hie_type_t type,
        const hie_search_param_t *p)
{
    int                            i;
    hie_search_part_t             *part;
    const hie_search_component_t  *c;

    plan->param = (hie_parameter_t) {
        .key = hie_search_param_key(hie_types[type].name, p->code),
        .text_key = text_key(s, type, p->code),
        .type = type, .code = p->code, .kind = p->kind,
        .canonical = p->canonical, .n_targets = p->n_targets,
        .targets = &hie_search_targets[p->first_target]
    };
    plan->program = hie_search_in_row(&plan->param)
                    ? NULL : compile(s, type, p->expression);
    if (plan->program != NULL) {
        set_paths(s, plan, p->expression);
    }

    plan->n_parts = p->n_components;
    plan->parts = apr_pcalloc(s->pool, sizeof(*plan->parts)
                                       * (size_t) p->n_components);

    for (i = 0; i < p->n_components; i++) {
        c = &hie_search_components[p->first_component + i];
        part = &plan->parts[i];
        part->program = compile(s, HIE_TYPE_NONE, c->expression);
        part->kind = hie_search_params[c->param].kind;
    }
}


static int
compare_plans(const void *va, const void *vb)
{
    const hie_search_plan_t  *a = va, *b = vb;

    return strcmp(a->param.code, b->param.code);
}


static hie_search_type_t *
make_type(hie_search_t *s, hie_type_t type)
{
    size_t                     i, n;
    hie_type_t                 t;
    hie_search_type_t         *out;
    apr_array_header_t        *plans;
    const hie_search_param_t  *rows;

    plans = apr_array_make(s->pool, 32, sizeof(hie_search_plan_t));
    for (t = type; t != HIE_TYPE_NONE; t = hie_types[t].base) {
        rows = hie_search_params_of(t, &n);
        for (i = 0; i < n; i++) {
            if (is_served(&rows[i])) {
                plan_r4(s, apr_array_push(plans), type, &rows[i]);
            }
        }
    }

    out = apr_palloc(s->pool, sizeof(*out));
    out->n = plans->nelts;
    out->plans = (hie_search_plan_t *) plans->elts;
    qsort(out->plans, (size_t) out->n, sizeof(*out->plans), compare_plans);
    return out;
}


const hie_search_type_t *
hie_search_type(hie_search_t *s, hie_type_t type)
{
    hie_search_type_t  *t;

    if (hie_types[type].kind != HIE_KIND_RESOURCE || hie_types[type].abstract) {
        return NULL;
    }

    t = atomic_load_explicit(&s->types[type], memory_order_acquire);
    if (t != NULL) {
        return t;
    }

    guard(s, true);
    t = s->types[type];
    if (t == NULL) {
        t = make_type(s, type);
        atomic_store_explicit(&s->types[type], t, memory_order_release);
    }

    guard(s, false);
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


const hie_parameter_t *
hie_search_param(hie_search_t *s, hie_type_t type, hie_str_t code)
{
    const hie_search_plan_t  *plan;
    const hie_search_type_t  *t;

    t = hie_search_type(s, type);
    plan = t != NULL ? hie_search_plan(t, code) : NULL;
    return plan != NULL ? &plan->param : NULL;
}
