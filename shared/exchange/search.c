/*
 * search of a type, of the system and in a compartment (FHIR R4 section
 * 3.1.1): what is asked of the store, and the record.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/searching.h"

/* How often _include:iterate follows what it has found. */
#define ROUNDS_MAX  20


/* What makes this search dear, as far as the query tells. */
static const char *
costly_part(const hie_searching_t *s)
{
    int                     i;
    const hie_criterion_t  *c;

    for (i = 0; i < s->all.n; i++) {
        c = &s->all.criteria[i];
        if (c->kind == HIE_CRITERION_CHAIN || c->kind == HIE_CRITERION_HAS
            || c->kind == HIE_CRITERION_GROUP
            || c->kind == HIE_CRITERION_TEXT || c->negate)
        {
            return apr_psprintf(s->job->pool, "narrow \"%.*s\", or ",
                                (int) (c->source.len < 100 ? c->source.len
                                                           : 100),
                                c->source.ptr);
        }
    }

    return "";
}


/* R4's value set of issue types: the work that it takes is what is wrong. */
static hie_rc_t
too_costly(hie_searching_t *s)
{
    const hie_query_t  *q = &s->query;

    return hie_fail(&s->job->error, HIE_TOO_COSTLY, "",
                    "the search takes more than %d ms: %sadd a criterion%s%s%s",
                    s->job->rt->config->fhir.search.budget, costly_part(s),
                    q->n_sorts > 0 && s->sorts[0].source.len > 0
                    ? ", or leave out _sort" : "",
                    q->total != HIE_TOTAL_NONE && q->count > 0
                    ? ", or leave out _total" : "",
                    s->includes->nelts > 0 ? ", or leave out _include" : "");
}


static hie_rc_t
judge(hie_searching_t *s, hie_rc_t rc)
{
    return rc == HIE_TIMEOUT && s->query.budget > 0 ? too_costly(s) : rc;
}


/* What is left of the budget, in ms. */
static int
budget_left(const hie_searching_t *s, apr_time_t begun)
{
    int  taken = (int) ((apr_time_now() - begun) / 1000);

    if (s->query.budget == 0) {
        return 0;
    }

    return taken < s->query.budget ? s->query.budget - taken : 1;
}


static int
by_rid(const void *a, const void *b)
{
    const hie_row_t  *x = a, *y = b;

    return (x->rid > y->rid) - (x->rid < y->rid);
}


/* Of types that the token may read and search, as $everything has it. */
static hie_rc_t
include(hie_searching_t *s, apr_time_t begun)
{
    hie_rc_t          rc;
    hie_job_t        *job = s->job;
    hie_types_t       may;
    hie_including_t   q;

    hie_types_permitted(job, HIE_MAY_READ | HIE_MAY_SEARCH, &may);
    q = (hie_including_t) {
        .rows = s->found.rows, .n = s->found.n,
        .includes = (const hie_include_t *) s->includes->elts,
        .n_includes = s->includes->nelts,
        .may_all = hie_fhir_type((size_t) may.n) == NULL,
        .n_may = may.n, .may = may.names,
        .max_rows = job->rt->config->fhir.search.max_includes,
        .max_rounds = ROUNDS_MAX, .budget = budget_left(s, begun)
    };

    rc = judge(s, hie_store_include(job->rt->store, &job->decision->visible,
                                    &q, job->pool, &s->included,
                                    &job->error));
    if (rc == HIE_OK && s->included.n > 1) {
        qsort(s->included.rows, (size_t) s->included.n,
              sizeof(*s->included.rows), by_rid);
    }

    return rc;
}


static hie_rc_t
find(hie_searching_t *s)
{
    hie_rc_t      rc;
    hie_job_t    *job = s->job;
    apr_time_t    begun = apr_time_now();
    hie_found_t  *found = &s->found;

    rc = judge(s, hie_store_search(job->rt->store, &job->decision->visible,
                                   &s->query, job->pool, found,
                                   &job->error));
    if (rc == HIE_OK && found->n > 0 && s->includes->nelts > 0) {
        rc = include(s, begun);
    }

    if (rc == HIE_OK && s->query.count > 0 && s->cursor.ptr == NULL
        && !found->more)
    {
        found->total = found->n;     /* all of it is here */
    }

    return rc;
}


/* Whose data it is: matches and what comes with them. */
static void
record(hie_searching_t *s)
{
    int         n = s->found.n;
    hie_row_t  *all;

    all = apr_palloc(s->job->pool,
                     sizeof(*all) * (size_t) (n + s->included.n + 1));
    if (n > 0) {
        memcpy(all, s->found.rows, sizeof(*all) * (size_t) n);
    }

    if (s->included.n > 0) {
        memcpy(all + n, s->included.rows,
               sizeof(*all) * (size_t) s->included.n);
    }

    hie_audit_rows(s->job, all, n + s->included.n);
}


/*
 * Parameters for which not all has been indexed.
 */

static void
note_gap(hie_searching_t *s, uint32_t key)
{
    int          i;
    const char  *said;

    said = hie_parameters_incomplete(s->job->rt, key, s->job->pool);
    for (i = 0; said != NULL && i < s->gaps->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(s->gaps, i, const char *), said) == 0) {
            said = NULL;
        }
    }

    if (said != NULL) {
        APR_ARRAY_PUSH(s->gaps, const char *) = said;
    }
}


/* A criterion of several types has the parameter of one of them. */
static void
note_param(hie_searching_t *s, const hie_parameter_t *param, bool top)
{
    int  i;

    note_gap(s, param->key);
    for (i = 0; top && s->types.n > 1 && i < s->types.n; i++) {
        note_gap(s, hie_search_param_key(hie_types[s->type_of[i]].name,
                                         param->code));
    }
}


static void
note_criteria(hie_searching_t *s, const hie_criteria_t *all, bool top)
{
    int                     i, k;
    const hie_criterion_t  *c;

    for (i = 0; i < all->n; i++) {
        c = &all->criteria[i];
        if (c->def != NULL) {
            note_param(s, c->def, top);
        }

        if (c->kind != HIE_CRITERION_CHAIN && c->kind != HIE_CRITERION_HAS
            && c->kind != HIE_CRITERION_GROUP)
        {
            continue;
        }

        for (k = 0; k < c->n; k++) {
            note_gap(s, c->chains[k].param);
            note_criteria(s, c->chains[k].criteria, false);
        }
    }
}


static void
note_gaps(hie_searching_t *s)
{
    int  i, k;

    if (s->job->rt->pending == 0) {
        return;
    }

    note_criteria(s, &s->all, true);
    for (i = 0; i < s->query.n_sorts; i++) {
        for (k = 0; k < s->sorts[i].n; k++) {
            note_gap(s, s->sorts[i].params[k]);
        }
    }
}


/* What is not understood may be a parameter that this process has not noticed
 * yet. */
static hie_rc_t
read_query(hie_job_t *job, hie_searching_t **out)
{
    int64_t           generation = job->rt->generation;
    hie_rc_t          rc;
    hie_error_t       err;
    hie_searching_t  *s;

    s = *out = apr_pcalloc(job->pool, sizeof(*s));
    s->job = job;
    rc = hie_search_read(s);
    if (rc != HIE_INVALID && (rc != HIE_OK || s->warnings->nelts == 0)) {
        return rc;
    }

    if (hie_parameters_refresh(job->rt, &err) != HIE_OK
        || job->rt->generation == generation)
    {
        return rc;
    }

    s = *out = apr_pcalloc(job->pool, sizeof(*s));
    s->job = job;
    return hie_search_read(s);
}


hie_rc_t
hie_do_search(hie_job_t *job)
{
    hie_rc_t          rc;
    hie_str_t         body;
    hie_searching_t  *s;

    hie_parameters_notice(job->rt);
    rc = read_query(job, &s);
    if (rc == HIE_OK) {
        note_gaps(s);
        rc = find(s);
    }

    if (rc == HIE_OK) {
        rc = hie_search_bundle(s, &body);
    }

    if (rc == HIE_OK) {
        record(s);
        hie_respond(job, 200, body);
    }

    return rc;
}
