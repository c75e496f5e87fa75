/*
 * The parameters of a search: criteria, and those that say how to search and
 * what to answer (FHIR R4 section 3.1.1.1).
 */

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/searching.h"

/* Of one search; a parameter may have many values. */
#define PARAMETERS_MAX  250

/* The reader of one query string. */
typedef struct {
    const hie_asking_t  *a;
    const hie_type_t    *types;
    int                  n_types;
    hie_search_rules_t   rules;
    apr_array_header_t  *criteria;
    hie_error_t         *err;
} reader_t;

/* A parameter that says how. */
typedef struct {
    const char  *name;
    bool         once;
    hie_rc_t   (*take)(hie_searching_t *s, hie_str_t name, hie_str_t value);
} control_t;


/*
 * Criteria.
 */

static hie_search_rules_t
rules_of(const hie_asking_t *a)
{
    return (hie_search_rules_t) {
        .base = a->base_url, .now = apr_time_now(),
        .max_depth = a->conf->fhir.search.max_depth,
        .max_values = a->conf->fhir.search.max_values
    };
}


static hie_rc_t
parse_criterion(reader_t *r, hie_str_t name, hie_str_t value,
                hie_criterion_t *out)
{
    if (hie_str_eqz(name, "_filter")) {
        return hie_search_filter(r->a->search, r->types, r->n_types, value,
                                 &r->rules, r->a->pool, out, r->err);
    }

    if (hie_str_eqz(name, "_query")) {
        return hie_fail(r->err, HIE_INVALID, "",
                        "there is no named query \"%.*s\"",
                        HIE_PRISTR(value));
    }

    return hie_search_criterion_of(r->a->search, r->types, r->n_types, name,
                                   value, &r->rules, r->a->pool, out, r->err);
}


static hie_rc_t
take_criterion(reader_t *r, hie_str_t name, hie_str_t value)
{
    hie_rc_t         rc;
    hie_criterion_t  c;

    rc = parse_criterion(r, name, value, &c);
    if (rc == HIE_OK) {
        APR_ARRAY_PUSH(r->criteria, hie_criterion_t) = c;
    }

    return rc;
}


/* An unknown parameter is an error of the request, not of its path. */
static hie_rc_t
refuse(hie_rc_t rc, hie_error_t *err)
{
    if (rc == HIE_NOT_FOUND) {
        rc = HIE_INVALID;
        if (err != NULL) {
            err->rc = rc;
        }
    }

    return rc;
}


static hie_rc_t
too_many(hie_error_t *err)
{
    return hie_fail(err, HIE_INVALID, "",
                    "a search has at most %d parameters", PARAMETERS_MAX);
}


hie_rc_t
hie_search_criteria(const hie_asking_t *a, hie_type_t type, hie_str_t query,
                    hie_criteria_t *out, hie_error_t *err)
{
    int        n = 0;
    hie_rc_t   rc = HIE_OK;
    hie_str_t  name, value;
    reader_t   r = { a, &type, 1, rules_of(a),
                     apr_array_make(a->pool, 4, sizeof(hie_criterion_t)),
                     err };

    while (rc == HIE_OK && query.ptr != NULL) {
        rc = hie_query_pair(hie_str_split(query, '&', &query), a->pool,
                            &name, &value, err);
        if (rc != HIE_OK || value.len == 0 || hie_str_eqz(name, "_format")
            || hie_str_eqz(name, "_pretty"))
        {
            continue;
        }

        rc = n++ < PARAMETERS_MAX ? take_criterion(&r, name, value)
                                  : too_many(err);
    }

    out->n = r.criteria->nelts;
    out->criteria = (hie_criterion_t *) r.criteria->elts;
    return rc == HIE_OK ? hie_search_resolve(a, out->criteria, out->n, err)
                        : refuse(rc, err);
}


/*
 * Parameters that say how. Each fills the job's error.
 */

static hie_rc_t
take_count(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    return hie_query_count(s->job, name, value,
                           s->job->rt->config->fhir.max_count, &s->count);
}


static hie_rc_t
take_total(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    if (hie_str_eqz(value, "accurate")) {
        s->query.total = HIE_TOTAL_ACCURATE;

    } else if (hie_str_eqz(value, "estimate")) {
        s->query.total = HIE_TOTAL_ESTIMATE;

    } else if (!hie_str_eqz(value, "none")) {
        return hie_query_bad(s->job, name, "none, estimate or accurate");
    }

    return HIE_OK;
}


/* The other values are for who writes the answer: represent.c */
static hie_rc_t
take_summary(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    s->count_only = hie_str_eqz(value, "count");
    return HIE_OK;
}


static hie_rc_t
take_nothing(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    return HIE_OK;
}


static hie_rc_t
take_cursor(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    s->cursor = value;
    return HIE_OK;
}


static hie_rc_t
take_sort(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    int       i;
    hie_rc_t  rc;

    rc = hie_search_sort(s->asking.search, s->type_of, s->types.n, value,
                         s->job->pool, s->sorts, &s->query.n_sorts,
                         &s->job->error);
    for (i = 0; rc == HIE_OK && i < s->query.n_sorts; i++) {
        rc = hie_search_resolve_sort(&s->asking, &s->sorts[i],
                                     &s->job->error);
    }

    if (rc != HIE_OK) {
        s->query.n_sorts = 0;
    }

    return rc;
}


static hie_rc_t
take_include(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    int                   i, n = 0;
    hie_rc_t              rc;
    hie_str_t             modifier, base;
    hie_include_t         include;
    const hie_include_t  *urls = NULL;

    base = hie_str_split(name, ':', &modifier);
    rc = hie_search_include(s->asking.search, s->type_of, s->types.n,
                            hie_str_eqz(base, "_revinclude"),
                            modifier.ptr != NULL, value, s->job->pool,
                            &include, &s->job->error);
    if (rc == HIE_OK) {
        APR_ARRAY_PUSH(s->includes, hie_include_t) = include;
        if (include.all) {
            urls = hie_search_include_urls(s->asking.search, s->type_of,
                                           s->types.n, &include, s->job->pool,
                                           &n);
        }
    }

    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(s->includes, hie_include_t) = urls[i];
    }

    return rc;
}


/* R4 section 3.1.1.5.5. What is contained is not searched. */
static hie_rc_t
take_contained(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    return hie_str_eqz(value, "false") || hie_str_eqz(value, "container")
           ? HIE_OK
           : hie_query_bad(s->job, name, hie_str_eqz(name, "_contained")
                                         ? "false: contained resources are "
                                           "not searched"
                                         : "container");
}


static hie_rc_t
take_explain(hie_searching_t *s, hie_str_t name, hie_str_t value)
{
    if (hie_str_eqz(value, "false")) {
        return HIE_OK;
    }

    if (!hie_str_eqz(value, "true")) {
        return hie_query_bad(s->job, name, "true or false");
    }

    if (!s->job->decision->custodian) {
        return hie_fail(&s->job->error, HIE_FORBIDDEN, "",
                        "only an administrator may have a search explained");
    }

    s->query.explain = true;
    return HIE_OK;
}


static const control_t  controls[] = {
    { "_count", true, take_count },
    { "_total", true, take_total },
    { "_summary", true, take_summary },
    { "_elements", true, take_nothing },
    { "_sort", true, take_sort },
    { "_include", false, take_include },
    { "_include:iterate", false, take_include },
    { "_include:recurse", false, take_include },
    { "_revinclude", false, take_include },
    { "_revinclude:iterate", false, take_include },
    { "_revinclude:recurse", false, take_include },
    { "_contained", true, take_contained },
    { "_containedType", true, take_contained },
    { "_explain", true, take_explain },
    { "_cursor", true, take_cursor },
    { "_format", false, take_nothing },
    { "_pretty", false, take_nothing }
};

#define N_CONTROLS  (sizeof(controls) / sizeof(controls[0]))


static hie_rc_t
twice(hie_job_t *job, hie_str_t name)
{
    return hie_fail(&job->error, HIE_INVALID, "",
                    "parameter \"%.*s\" is there twice", HIE_PRISTR(name));
}


static const control_t *
find_control(hie_str_t name)
{
    size_t  i;

    for (i = 0; i < N_CONTROLS; i++) {
        if (hie_str_eqz(name, controls[i].name)) {
            return &controls[i];
        }
    }

    return NULL;
}


/*
 * Which types: of the path, of _type, or all that are permitted.
 */

static bool
many_types(const hie_interaction_t *todo)
{
    return todo->what == HIE_DO_SEARCH_SYSTEM
           || hie_str_eqz(todo->compartment_type, "*");
}


static hie_rc_t
find_types(hie_searching_t *s, hie_types_t *asked)
{
    hie_rc_t    rc;
    hie_job_t  *job = s->job;
    hie_str_t   rest, name, value;

    asked->n = 0;
    for (rest = job->todo.query; rest.ptr != NULL; /* void */) {
        rc = hie_query_pair(hie_str_split(rest, '&', &rest), job->pool,
                            &name, &value, &job->error);
        if (rc == HIE_OK && hie_str_eqz(name, "_type") && value.len > 0) {
            rc = asked->n > 0 ? twice(job, name)
                              : hie_query_types(job, name, value, asked);
        }

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


/* Those of the compartment's definition, and the type of the compartment. */
static void
keep_members(hie_types_t *types, hie_str_t compartment)
{
    int         i, n;
    size_t      rows;
    hie_type_t  of = hie_type_find(compartment);

    for (i = 0, n = 0; i < types->n; i++) {
        hie_compartment_of(of, hie_type_find(types->names[i]), &rows);
        if (rows > 0 || hie_str_eq(types->names[i], compartment)) {
            types->names[n++] = types->names[i];
        }
    }

    types->n = n;
}


static hie_rc_t
choose_types(hie_searching_t *s)
{
    int                 i;
    hie_rc_t            rc = HIE_OK;
    hie_job_t          *job = s->job;
    hie_interaction_t  *todo = &job->todo;

    if (many_types(todo)) {
        rc = find_types(s, &s->types);
    } else {
        s->types.names[s->types.n++] = todo->compartment_type.len > 0
                                       ? todo->compartment_type : todo->type;
    }

    for (i = 0; rc == HIE_OK && i < s->types.n; i++) {
        rc = hie_request_permit(job, HIE_MAY_SEARCH, s->types.names[i]);
    }

    if (rc == HIE_OK && s->types.n == 0) {
        hie_types_permitted(job, HIE_MAY_SEARCH, &s->types);
        if (s->types.n == 0) {
            rc = hie_request_permit(job, HIE_MAY_SEARCH, HIE_STR("*"));
        } else if (todo->what == HIE_DO_SEARCH_COMPARTMENT) {
            keep_members(&s->types, todo->type);
        }
    }

    for (i = 0; i < s->types.n; i++) {
        s->type_of[i] = hie_type_find(s->types.names[i]);
    }

    return rc;
}


/* R4 section 3.1.1.2. */
static hie_rc_t
enter_compartment(hie_searching_t *s)
{
    hie_criterion_t           c;
    const hie_interaction_t  *todo = &s->job->todo;

    if (todo->what != HIE_DO_SEARCH_COMPARTMENT) {
        return HIE_OK;
    }

    if (s->types.n == 0
        || !hie_search_compartment(s->asking.search,
                                   hie_type_find(todo->type), todo->id,
                                   s->type_of, s->types.n, s->job->pool, &c))
    {
        return hie_fail(&s->job->error, HIE_NOT_FOUND, "",
                        "no such resource is ever in the compartment of a "
                        "resource of type %.*s", HIE_PRISTR(todo->type));
    }

    APR_ARRAY_PUSH(s->criteria, hie_criterion_t) = c;
    return HIE_OK;
}


/*
 * The whole query.
 */

/* What was left out because the requester prefers that. */
static void
leave_out(hie_searching_t *s)
{
    APR_ARRAY_PUSH(s->warnings, const char *) =
        apr_pstrdup(s->job->pool, s->job->error.detail);
    memset(&s->job->error, 0, sizeof(s->job->error));
}


/* Is it the modifier that is wrong, and not the value? Then it means something
 * without it. All parameters have :missing. */
static bool
wrong_modifier(reader_t *r, hie_str_t name, hie_str_t value)
{
    hie_str_t        bare, modifier;
    hie_error_t      err;
    hie_criterion_t  c;
    reader_t         without = *r;

    bare = hie_str_split(name, ':', &modifier);
    without.err = &err;
    return modifier.ptr != NULL && !hie_str_eqz(modifier, "missing")
           && memchr(name.ptr, '.', name.len) == NULL
           && parse_criterion(&without, bare, value, &c) == HIE_OK;
}


/* R4 section 3.1.1.1: an unknown parameter is an error, or left out if the
 * requester prefers that; a wrong value is always one. */
static hie_rc_t
take_pair(hie_searching_t *s, reader_t *r, hie_str_t name, hie_str_t value,
          bool *taken)
{
    hie_rc_t          rc;
    const control_t  *control;

    *taken = true;
    if (hie_str_eqz(name, "_type") && many_types(&s->job->todo)) {
        return HIE_OK;
    }

    control = find_control(name);
    if (control != NULL) {
        if (control->once && (s->seen & 1u << (control - controls)) != 0) {
            return twice(s->job, name);
        }

        s->seen |= 1u << (control - controls);
        rc = control->take(s, name, value);
    } else {
        rc = take_criterion(r, name, value);
    }

    if (rc == HIE_OK || !s->lenient) {
        return refuse(rc, &s->job->error);
    }

    if (rc == HIE_NOT_FOUND
        || (rc == HIE_INVALID && control == NULL
            && wrong_modifier(r, name, value)))
    {
        *taken = false;
        leave_out(s);
        return HIE_OK;
    }

    return rc;
}


/* As it came, but for bytes that a URL cannot have and a body can. */
static void
add_pair(hie_buf_t *b, hie_str_t pair)
{
    size_t         i;
    unsigned char  c;

    if (b->len > 0) {
        hie_buf_addc(b, '&');
    }

    for (i = 0; i < pair.len; i++) {
        c = (unsigned char) pair.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>#\\^`{}", c) != NULL) {
            hie_buf_addf(b, "%%%02X", c);
        } else {
            hie_buf_addc(b, (char) c);
        }
    }
}


static hie_rc_t
read_all(hie_searching_t *s, reader_t *r)
{
    int         n = 0;
    bool        taken = false;
    hie_rc_t    rc;
    hie_buf_t   used;
    hie_job_t  *job = s->job;
    hie_str_t   rest, pair, name, value;

    hie_buf_init(&used, job->pool, job->todo.query.len + 32);
    for (rest = job->todo.query; rest.ptr != NULL; /* void */) {
        pair = hie_str_split(rest, '&', &rest);
        rc = hie_query_pair(pair, job->pool, &name, &value, &job->error);
        if (rc == HIE_OK && value.len == 0) {
            continue;            /* R4 section 3.1.1.3: empty says nothing */
        }

        if (rc == HIE_OK) {
            rc = n++ < PARAMETERS_MAX ? take_pair(s, r, name, value, &taken)
                                      : too_many(&job->error);
        }

        if (rc != HIE_OK) {
            return rc;
        }

        if (taken && !hie_str_eqz(name, "_cursor")
            && !hie_str_eqz(name, "_count"))
        {
            add_pair(&used, pair);
        }
    }

    if (!s->count_only) {
        hie_buf_addf(&used, "%s_count=%d", used.len > 0 ? "&" : "",
                     s->count);
    }

    s->used = hie_buf_str(&used);
    return HIE_OK;
}


/* What is searched by the time of the last change comes in its order, unless
 * another one is asked for: one index leads to it, as far as the page goes. */
static void
set_order(hie_searching_t *s)
{
    int  i;

    for (i = 0; i < s->all.n && s->query.n_sorts == 0; i++) {
        if (s->all.criteria[i].kind == HIE_CRITERION_UPDATED) {
            s->sorts[0] = (hie_sort_t) { .kind = HIE_SORT_UPDATED };
            s->query.n_sorts = 1;
        }
    }
}


/* Is what the rows of the page refer to asked for? */
static bool
refers(const hie_searching_t *s)
{
    int  i;

    for (i = 0; i < s->includes->nelts; i++) {
        if (!APR_ARRAY_IDX(s->includes, i, hie_include_t).reverse) {
            return true;
        }
    }

    return false;
}


static void
set_query(hie_searching_t *s)
{
    int           left = hie_job_time_left(s->job);
    hie_query_t  *q = &s->query;

    s->all.n = s->criteria->nelts;
    s->all.criteria = (hie_criterion_t *) s->criteria->elts;
    hie_search_join(&s->all, s->job->pool);
    q->n_types = s->types.n;
    q->types = s->types.names;
    q->criteria = &s->all;
    q->sorts = s->sorts;
    q->references = refers(s);
    set_order(s);

    /* R4 section 3.1.1.5.2: without resources it is the number that is asked
     * for. */
    q->count = s->count_only ? 0 : s->count;
    if (q->count == 0) {
        q->total = HIE_TOTAL_ACCURATE;
    }

    /* Where a request has less time than a search, it is the request that
     * takes too long. */
    q->budget = s->job->rt->config->fhir.search.budget;
    if (q->budget >= left) {
        q->budget = 0;
    }
}


hie_asking_t
hie_asking(const hie_job_t *job)
{
    return (hie_asking_t) {
        .store = job->rt->store, .search = job->rt->search,
        .conf = job->rt->config, .base_url = job->base_url,
        .principal = job->principal,
        .visible = job->decision != NULL ? &job->decision->visible : NULL,
        .pool = job->pool
    };
}


static hie_str_t
path_of(hie_job_t *job)
{
    hie_interaction_t  *todo = &job->todo;

    if (todo->what != HIE_DO_SEARCH_COMPARTMENT) {
        return todo->type;
    }

    return hie_str(apr_psprintf(job->pool, "%.*s/%.*s/%.*s",
                                HIE_PRISTR(todo->type), HIE_PRISTR(todo->id),
                                HIE_PRISTR(todo->compartment_type)));
}


hie_rc_t
hie_search_read(hie_searching_t *s)
{
    hie_rc_t    rc;
    reader_t    r;
    hie_job_t  *job = s->job;

    s->asking = hie_asking(job);
    s->path = path_of(job);
    s->lenient = hie_request_lenient(job);
    s->count = job->rt->config->fhir.default_count;
    s->criteria = apr_array_make(job->pool, 4, sizeof(hie_criterion_t));
    s->includes = apr_array_make(job->pool, 4, sizeof(hie_include_t));
    s->warnings = apr_array_make(job->pool, 1, sizeof(const char *));
    s->gaps = apr_array_make(job->pool, 1, sizeof(const char *));

    rc = choose_types(s);
    if (rc == HIE_OK) {
        rc = enter_compartment(s);
    }

    r = (reader_t) { &s->asking, s->type_of, s->types.n, rules_of(&s->asking),
                     s->criteria, &job->error };
    if (rc == HIE_OK) {
        rc = read_all(s, &r);
    }

    if (rc == HIE_OK) {
        rc = hie_search_resolve(&s->asking,
                                (hie_criterion_t *) s->criteria->elts,
                                s->criteria->nelts, &job->error);
    }

    if (rc == HIE_OK) {
        set_query(s);
        rc = hie_search_open(s);
    }

    return rc;
}
