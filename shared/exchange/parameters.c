/*
 * Search parameters that are stored (SearchParameter, R4 section 5.8), beside
 * those of R4.
 *
 * The database counts generations: each change of what is served makes a new
 * one, in the transaction that writes the resource. A process looks at most
 * once a second, by whichever request comes first, whether its own is still the
 * present one, and loads what has changed. Who writes by an older one is
 * refused by the statement (hie_store_put), loads, and tries again; so what is
 * written after a change always carries the new values, whatever a process has
 * noticed. What was written before is indexed by the worker: indexing.c.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/plan.h"

#define DEPTH  200
#define TYPES  (HIE_TYPE_VisionPrescription + 1)

/* Between looks at the generation. */
#define LOOK  apr_time_from_sec(1)

typedef struct {
    hie_str_t            id;
    hie_str_t            url;
    hie_str_t            code;
    int64_t              mark;
    int64_t              generation;
} custom_t;

typedef struct {
    hie_type_t           type;
    hie_store_pass_t     pass;
} pending_t;

/* What a process knows of one look; replaced as a whole. */
struct hie_parameters_t {
    apr_pool_t          *pool;
    int64_t              generation;
    hie_str_t            base;
    int                  n;
    custom_t            *customs;
    int                  n_pending;
    pending_t           *pending;
};


/*
 * Adding to a registry.
 */

typedef struct {
    hie_search_t        *search;
    apr_pool_t          *pool;
    int                  n;
    const hie_doc_t    **docs;       /* NULL: it is there */
    hie_rc_t            *rcs;
    hie_error_t         *errors;
} adding_t;


static void
init_adding(adding_t *a, hie_search_t *search, int max, apr_pool_t *pool)
{
    a->search = search;
    a->pool = pool;
    a->n = 0;
    a->docs = apr_pcalloc(pool, sizeof(*a->docs) * (size_t) (max + 1));
    a->rcs = apr_pcalloc(pool, sizeof(*a->rcs) * (size_t) (max + 1));
    a->errors = apr_pcalloc(pool, sizeof(*a->errors) * (size_t) (max + 1));
}


/* A composite comes after its components, and a code after who had it before:
 * as long as one more can be added, the others are tried again. */
static void
add_all(adding_t *a)
{
    int   i;
    bool  more;

    do {
        for (i = 0, more = false; i < a->n; i++) {
            if (a->docs[i] == NULL || a->rcs[i] == HIE_OK) {
                continue;
            }

            a->rcs[i] = hie_search_add(a->search, a->docs[i], a->pool,
                                       &a->errors[i]);
            more = more || a->rcs[i] == HIE_OK;
        }
    } while (more);
}


static const hie_doc_t *
parse(hie_str_t body, apr_pool_t *pool)
{
    hie_doc_t  *d;

    return hie_doc_parse(pool, body, DEPTH, &d, NULL) == HIE_OK ? d : NULL;
}


/*
 * Loading.
 */

static const custom_t *
find(const hie_parameters_t *p, hie_str_t id)
{
    int  i;

    for (i = 0; p != NULL && i < p->n; i++) {
        if (hie_str_eq(p->customs[i].id, id)) {
            return &p->customs[i];
        }
    }

    return NULL;
}


static bool
has_url(const hie_store_parameter_t *all, int n, hie_str_t url)
{
    int  i;

    for (i = 0; i < n && !hie_str_eq(all[i].url, url); i++) {
        /* void */
    }

    return i < n;
}


/* What is gone, and what is new or another one. */
static void
apply_changes(hie_runtime_t *rt, const hie_parameters_t *old,
              hie_parameters_t *new, const hie_store_parameter_t *all, int n,
              apr_pool_t *pool)
{
    int              i;
    adding_t         a;
    const custom_t  *was;
    const hie_doc_t *d;

    for (i = 0; old != NULL && i < old->n; i++) {
        if (!has_url(all, n, old->customs[i].url)) {
            (void) hie_search_remove(rt->search, old->customs[i].url);
        }
    }

    init_adding(&a, rt->search, n, pool);
    for (i = 0; i < n; i++) {
        d = parse(all[i].body, pool);
        was = find(old, all[i].id);
        new->customs[new->n++] = (custom_t) {
            .id = hie_str_dup(new->pool, all[i].id),
            .url = hie_str_dup(new->pool, all[i].url),
            .code = hie_str_dup(new->pool,
                                d != NULL ? hie_doc_get(d, 0, "code", pool)
                                          : HIE_STR_NONE),
            .mark = all[i].mark, .generation = all[i].generation
        };
        a.docs[a.n++] = was != NULL && was->mark == all[i].mark
                        && was->generation == all[i].generation ? NULL : d;
    }

    add_all(&a);
    for (i = 0; i < n; i++) {
        if (a.docs[i] != NULL && a.rcs[i] != HIE_OK) {
            hie_log(HIE_LOG_WARN, "HIE5015", "SearchParameter/%.*s is not "
                    "served: %s: %s", HIE_PRISTR(all[i].id),
                    a.errors[i].where, a.errors[i].detail);
        }
    }
}


static hie_rc_t
load(hie_runtime_t *rt, const hie_parameters_t *old, hie_parameters_t *new,
     apr_pool_t *pool, hie_error_t *err)
{
    int                     n;
    hie_rc_t                rc;
    hie_str_t               base;
    hie_store_parameter_t  *all;

    rc = hie_store_parameters(rt->store, pool, &new->generation, &base, &all,
                              &n, err);
    if (rc != HIE_OK) {
        return rc;
    }

    new->base = hie_str_dup(new->pool, base);
    new->customs = apr_palloc(new->pool,
                              sizeof(*new->customs) * (size_t) (n + 1));
    apply_changes(rt, old, new, all, n, pool);
    return HIE_OK;
}


/* The same parameters as before. */
static void
keep(const hie_parameters_t *old, hie_parameters_t *new)
{
    int  i;

    new->generation = old->generation;
    new->base = hie_str_dup(new->pool, old->base);
    new->n = old->n;
    new->customs = apr_palloc(new->pool, sizeof(*new->customs)
                                         * (size_t) (old->n + 1));
    for (i = 0; i < old->n; i++) {
        new->customs[i] = old->customs[i];
        new->customs[i].id = hie_str_dup(new->pool, old->customs[i].id);
        new->customs[i].url = hie_str_dup(new->pool, old->customs[i].url);
        new->customs[i].code = hie_str_dup(new->pool, old->customs[i].code);
    }
}


static void
set_pending(hie_parameters_t *new, const hie_store_pass_t *passes, int n)
{
    int         i;
    hie_type_t  type;

    new->pending = apr_palloc(new->pool,
                              sizeof(*new->pending) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        type = hie_type_find_resource(passes[i].type);
        if (type != HIE_TYPE_NONE) {
            new->pending[new->n_pending] = (pending_t) { type, passes[i] };
            new->pending[new->n_pending++].pass.type
                = hie_str(hie_types[type].name);
        }
    }
}


/* Nobody else changes rt->parameters meanwhile. */
static void
install(hie_runtime_t *rt, hie_parameters_t *new)
{
    hie_parameters_t  *old;

    pthread_mutex_lock(&rt->lock);
    old = rt->parameters;
    rt->parameters = new;
    pthread_mutex_unlock(&rt->lock);
    atomic_store(&rt->pending, new->n_pending);
    atomic_store(&rt->generation, new->generation);
    if (old != NULL) {
        apr_pool_destroy(old->pool);
    }
}


static hie_rc_t
look(hie_runtime_t *rt, apr_pool_t *scratch, hie_error_t *err)
{
    int                n;
    int64_t            generation;
    hie_rc_t           rc;
    apr_pool_t        *pool;
    hie_parameters_t  *old = rt->parameters, *new;
    hie_store_pass_t  *passes;

    rc = hie_store_registry(rt->store, false, scratch, &generation, &passes,
                            &n, err);
    if (rc != HIE_OK
        || (old != NULL && old->generation == generation && n == 0
            && old->n_pending == 0))
    {
        return rc;
    }

    pool = hie_pool_create(NULL, "hie-parameters");
    new = apr_pcalloc(pool, sizeof(*new));
    new->pool = pool;
    set_pending(new, passes, n);
    if (old != NULL && old->generation == generation) {
        keep(old, new);
    } else {
        rc = load(rt, old, new, scratch, err);
    }

    if (rc == HIE_OK) {
        install(rt, new);
    } else {
        apr_pool_destroy(pool);
    }

    return rc;
}


hie_rc_t
hie_parameters_refresh(hie_runtime_t *rt, hie_error_t *err)
{
    hie_rc_t     rc;
    apr_pool_t  *scratch;

    /* what a transaction has not committed is nobody's business yet */
    if (hie_store_is_read_in(rt->store)) {
        return HIE_OK;
    }

    scratch = hie_pool_create(NULL, "hie-parameters");
    pthread_mutex_lock(&rt->parameters_lock);
    rc = look(rt, scratch, err);
    pthread_mutex_unlock(&rt->parameters_lock);
    apr_pool_destroy(scratch);
    return rc;
}


void
hie_parameters_notice(hie_runtime_t *rt)
{
    apr_time_t   now = apr_time_now();
    apr_time_t   due = atomic_load(&rt->look_due);
    hie_error_t  err;

    if (now < due
        || !atomic_compare_exchange_strong(&rt->look_due, &due, now + LOOK))
    {
        return;
    }

    if (hie_parameters_refresh(rt, &err) != HIE_OK) {
        hie_log(HIE_LOG_INFO, "HIE5016", "whether there are other search "
                "parameters is not known: %s", err.detail);
    }
}


void
hie_parameters_free(hie_runtime_t *rt)
{
    if (rt->parameters != NULL) {
        apr_pool_destroy(rt->parameters->pool);
    }
}


hie_str_t
hie_parameters_base(hie_runtime_t *rt, apr_pool_t *pool)
{
    hie_str_t  base;

    if (rt->config->fhir.base_url != NULL) {
        return hie_str(rt->config->fhir.base_url);
    }

    pthread_mutex_lock(&rt->lock);
    base = rt->parameters != NULL ? hie_str_dup(pool, rt->parameters->base)
                                  : HIE_STR("");
    pthread_mutex_unlock(&rt->lock);
    return base;
}


/*
 * What is not indexed yet.
 */

static bool
is_of(hie_runtime_t *rt, const custom_t *c, hie_type_t type, uint32_t key)
{
    const hie_parameter_t  *param;

    param = hie_search_param(rt->search, type, c->code);
    return param != NULL && param->key == key
           && hie_str_eqz(c->url, param->canonical);
}


const char *
hie_parameters_incomplete(hie_runtime_t *rt, uint32_t key, apr_pool_t *pool)
{
    int               i, k, percent;
    const char       *said = NULL;
    const custom_t   *c;
    const pending_t  *p;

    if (atomic_load(&rt->pending) == 0) {
        return NULL;
    }

    pthread_mutex_lock(&rt->lock);
    for (i = 0; said == NULL && i < rt->parameters->n_pending; i++) {
        p = &rt->parameters->pending[i];
        for (k = 0; said == NULL && k < rt->parameters->n; k++) {
            c = &rt->parameters->customs[k];
            if (p->pass.done < c->generation && is_of(rt, c, p->type, key)) {
                percent = hie_store_pass_percent(&p->pass, c->generation);
                said = apr_psprintf(pool, "\"%.*s\" of %s is being indexed: "
                                    "%d %%; what was written before the "
                                    "parameter was may be missing",
                                    HIE_PRISTR(c->code),
                                    hie_types[p->type].name, percent);
            }
        }
    }

    pthread_mutex_unlock(&rt->lock);
    return said;
}


/*
 * A list of writes in which there are SearchParameters: whether they can be
 * served, beside all others, and what is served afterwards.
 */

typedef struct {
    hie_plan_t              *p;
    apr_pool_t              *pool;
    hie_error_t             *err;
    hie_search_t            *search;     /* what will be served */
    int64_t                  generation;
    int                      n;          /* served now */
    hie_store_parameter_t   *all;
    apr_array_header_t      *served;     /* hie_store_parameter_t: changes */
    apr_array_header_t      *gone;       /* hie_str_t */
    apr_array_header_t      *types;      /* hie_str_t */
    bool                     wanted[TYPES];
} taking_t;


static bool
is_parameter(const hie_step_t *s)
{
    return s->put != NULL && hie_str_eqz(s->put->type, "SearchParameter");
}


static bool
concerns(const hie_plan_t *p)
{
    int  i;

    for (i = 0; i < p->steps->nelts; i++) {
        if (is_parameter(HIE_STEP(p, i))) {
            return true;
        }
    }

    return false;
}


static bool
is_written(const hie_plan_t *p, hie_str_t id)
{
    int  i;

    for (i = 0; i < p->steps->nelts; i++) {
        if (is_parameter(HIE_STEP(p, i))
            && hie_str_eq(HIE_STEP(p, i)->put->id, id))
        {
            return true;
        }
    }

    return false;
}


/* R4 has it there, or in a base of the type. */
static bool
is_r4(hie_type_t type, hie_str_t code)
{
    for (; type != HIE_TYPE_NONE; type = hie_types[type].base) {
        if (hie_search_param_find(type, code) != NULL) {
            return true;
        }
    }

    return false;
}


/* The types that a definition serves; how many. */
static int
mark_types(const hie_doc_t *d, apr_pool_t *pool, bool *types)
{
    int         n = 0;
    hie_str_t   code = hie_doc_get(d, 0, "code", pool);
    hie_node_t  c;
    hie_type_t  base, type;

    for (c = hie_doc_first(d, hie_doc_member(d, 0, "base"));
         c != HIE_NODE_NONE; c = hie_doc_next(d, c))
    {
        base = hie_type_find(hie_doc_string(d, c, pool));
        for (type = HIE_TYPE_Account;
             base != HIE_TYPE_NONE && type <= HIE_TYPE_VisionPrescription;
             type++)
        {
            if (hie_type_is(type, base) && !is_r4(type, code)) {
                types[type] = true;
                n++;
            }
        }
    }

    return n;
}


static int64_t
mark_of(const hie_doc_t *d)
{
    static const char *const  members[] = {
        "url", "code", "base", "type", "expression", "target", "component"
    };

    size_t     i;
    hie_str_t  parts[sizeof(members) / sizeof(members[0])];

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        parts[i] = hie_doc_raw(d, hie_doc_member(d, 0, members[i]));
    }

    return (int64_t) hie_hash64_parts(parts, i);
}


static const hie_store_parameter_t *
served_now(const taking_t *t, hie_str_t id)
{
    int  i;

    for (i = 0; i < t->n; i++) {
        if (hie_str_eq(t->all[i].id, id)) {
            return &t->all[i];
        }
    }

    return NULL;
}


/* What stays as it is. */
static void
add_others(taking_t *t)
{
    int       i;
    adding_t  a;

    init_adding(&a, t->search, t->n, t->pool);
    for (i = 0; i < t->n; i++) {
        if (!is_written(t->p, t->all[i].id)) {
            a.docs[a.n++] = parse(t->all[i].body, t->pool);
        }
    }

    add_all(&a);
}


static hie_rc_t
check_url(const taking_t *t, const hie_step_t *s)
{
    int         i;
    hie_str_t   url = hie_doc_get(s->doc, 0, "url", t->pool);

    for (i = 0; i < t->n; i++) {
        if (hie_str_eq(t->all[i].url, url)
            && !is_written(t->p, t->all[i].id))
        {
            return hie_fail(t->err, HIE_UNPROCESSABLE, "SearchParameter.url",
                            "is that of SearchParameter/%.*s, which is active",
                            HIE_PRISTR(t->all[i].id));
        }
    }

    return HIE_OK;
}


static bool
is_active(const hie_step_t *s, apr_pool_t *pool)
{
    return is_parameter(s) && s->put->body.len > 0
           && hie_str_eqz(hie_doc_get(s->doc, 0, "status", pool), "active");
}


/* Those of the list, beside the others. `bad`: the one that cannot be
 * served. */
static hie_rc_t
add_written(taking_t *t, const hie_step_t **bad)
{
    int                i, steps = t->p->steps->nelts;
    hie_rc_t           rc = HIE_OK;
    adding_t           a;
    const hie_step_t  *s;

    init_adding(&a, t->search, steps, t->pool);
    for (a.n = 0; rc == HIE_OK && a.n < steps; a.n++) {
        s = HIE_STEP(t->p, a.n);
        if (is_active(s, t->pool)) {
            *bad = s;
            a.docs[a.n] = s->doc;
            rc = check_url(t, s);
        }
    }

    if (rc == HIE_OK) {
        add_all(&a);
    }

    for (i = 0; rc == HIE_OK && i < steps; i++) {
        if (a.docs[i] != NULL && a.rcs[i] != HIE_OK) {
            *bad = HIE_STEP(t->p, i);
            rc = hie_fail(t->err, HIE_UNPROCESSABLE, a.errors[i].where, "%s",
                          a.errors[i].detail);
        }
    }

    return rc;
}


/* What is another one than before. */
static void
note_change(taking_t *t, const hie_step_t *s)
{
    bool                          types[TYPES] = { false };
    size_t                        i;
    hie_store_parameter_t        *new;
    const hie_store_parameter_t  *now = served_now(t, s->put->id);

    if (!is_active(s, t->pool) || mark_types(s->doc, t->pool, types) == 0) {
        if (now != NULL) {
            APR_ARRAY_PUSH(t->gone, hie_str_t) = s->put->id;
        }

        return;
    }

    if (now != NULL && now->mark == mark_of(s->doc)) {
        return;
    }

    new = apr_array_push(t->served);
    memset(new, 0, sizeof(*new));
    new->id = s->put->id;
    new->url = hie_doc_get(s->doc, 0, "url", t->pool);
    new->mark = mark_of(s->doc);
    for (i = 0; i < TYPES; i++) {
        if (types[i] && !t->wanted[i]) {
            t->wanted[i] = true;
            APR_ARRAY_PUSH(t->types, hie_str_t) = hie_str(hie_types[i].name);
        }
    }
}


/* All of the list were indexed by the parameters that are there now, or none
 * will be written: what this list does not know of itself the pass will find,
 * since it is committed with the change. */
static hie_rc_t
change(taking_t *t)
{
    int                 i;
    hie_rc_t            rc;
    hie_plan_t         *p = t->p;
    hie_store_change_t  c = {
        .served = (const hie_store_parameter_t *) t->served->elts,
        .n_served = t->served->nelts,
        .gone = (const hie_str_t *) t->gone->elts, .n_gone = t->gone->nelts,
        .types = (const hie_str_t *) t->types->elts,
        .n_types = t->types->nelts,
        .base = p->rules->principal != NULL ? p->rules->base_url
                                            : HIE_STR("")
    };

    if (c.n_served + c.n_gone == 0) {
        return HIE_OK;
    }

    for (i = 0; i < p->n_puts; i++) {
        if (p->puts[i].body.len > 0 && p->puts[i].generation < t->generation) {
            return hie_fail(t->err, HIE_CONFLICT, "",
                            "the search parameters have changed");
        }
    }

    rc = hie_store_registry_change(p->tx, &c, t->err);
    for (i = 0; rc == HIE_OK && i < p->n_puts; i++) {
        p->puts[i].generation = t->generation + 1;
    }

    p->registry = rc == HIE_OK;
    return rc;
}


static hie_rc_t
look_served(taking_t *t)
{
    hie_str_t  base;

    t->pool = hie_pool_create(t->p->pool, "hie-parameters");
    return hie_store_parameters(t->p->rules->store, t->pool, &t->generation,
                                &base, &t->all, &t->n, t->err);
}


/* The registry as it would be. */
static hie_rc_t
judge(taking_t *t, const hie_step_t **bad)
{
    t->search = hie_search_create(t->pool, NULL);
    add_others(t);
    return add_written(t, bad);
}


hie_rc_t
hie_parameter_judge(const hie_write_rules_t *rules, const hie_doc_t *d,
                    hie_str_t id, hie_error_t *err)
{
    hie_rc_t           rc;
    hie_put_t          put = {
        .type = HIE_STR("SearchParameter"), .id = id,
        .body = hie_doc_bytes(d)
    };
    hie_step_t         step = { .put = &put, .doc = d };
    hie_plan_t         p = {
        .rules = rules, .pool = rules->pool, .err = err,
        .steps = apr_array_make(rules->pool, 1, sizeof(hie_step_t *))
    };
    taking_t           t = { .p = &p, .err = err };
    const hie_step_t  *bad;

    APR_ARRAY_PUSH(p.steps, hie_step_t *) = &step;
    rc = look_served(&t);
    return rc == HIE_OK ? judge(&t, &bad) : rc;
}


hie_rc_t
hie_plan_parameters(hie_plan_t *p, const hie_step_t **bad)
{
    int       i;
    hie_rc_t  rc;
    taking_t  t = { .p = p, .err = p->err };

    *bad = NULL;
    if (!concerns(p)) {
        return HIE_OK;
    }

    /* The last lock of a list: nobody who has it waits for another row. */
    rc = hie_store_registry_lock(p->tx, &t.generation, p->err);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_store_read_in(p->tx);
    rc = look_served(&t);
    hie_store_read_in(NULL);
    if (rc != HIE_OK) {
        return rc;
    }

    t.served = apr_array_make(t.pool, 4, sizeof(hie_store_parameter_t));
    t.gone = apr_array_make(t.pool, 4, sizeof(hie_str_t));
    t.types = apr_array_make(t.pool, 4, sizeof(hie_str_t));
    rc = judge(&t, bad);
    if (rc != HIE_OK) {
        return rc;
    }

    *bad = NULL;
    for (i = 0; i < p->steps->nelts; i++) {
        if (is_parameter(HIE_STEP(p, i))) {
            note_change(&t, HIE_STEP(p, i));
        }
    }

    return change(&t);
}
