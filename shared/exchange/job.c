/*
 * The job: from arrival to outcome.
 */

#include <semaphore.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"


/*
 * A pool that is used again has its memory already. Where a sanitizer watches,
 * every job has a new one, so that what is used after its end is seen.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARE_POOLS  0
#else
#define SPARE_POOLS  HIE_SPARE_POOLS
#endif


static apr_pool_t *
take_pool(hie_runtime_t *rt)
{
    apr_pool_t  *pool;

    pool = NULL;
    pthread_mutex_lock(&rt->spare_lock);
    if (rt->n_spare > 0) {
        pool = rt->spare[--rt->n_spare];
    }

    pthread_mutex_unlock(&rt->spare_lock);
    return pool != NULL ? pool : hie_pool_create(NULL, "hie-job");
}


/* The pools that are used most, which are the first ones of the stack, keep
 * the memory of a large answer; the others of an ordinary one. */
#define LARGE_POOLS  8
#define KEEP_LARGE   (4 * 1024 * 1024)
#define KEEP         (512 * 1024)


static void
give_pool(hie_runtime_t *rt, apr_pool_t *pool)
{
    int  n;

    pthread_mutex_lock(&rt->spare_lock);
    n = rt->n_spare;
    pthread_mutex_unlock(&rt->spare_lock);

    apr_allocator_max_free_set(apr_pool_allocator_get(pool),
                               n < LARGE_POOLS ? KEEP_LARGE : KEEP);
    apr_pool_clear(pool);
    pthread_mutex_lock(&rt->spare_lock);
    if (SPARE_POOLS > 0 && rt->n_spare < SPARE_POOLS) {
        rt->spare[rt->n_spare++] = pool;
        pool = NULL;
    }

    pthread_mutex_unlock(&rt->spare_lock);
    if (pool != NULL) {
        apr_pool_destroy(pool);
    }
}


hie_job_t *
hie_job_create(hie_runtime_t *rt)
{
    hie_job_t   *job;
    apr_pool_t  *pool;

    pool = take_pool(rt);
    job = apr_pcalloc(pool, sizeof(*job));
    job->pool = pool;
    job->rt = rt;
    job->request.body_file = -1;
    return job;
}


void
hie_job_destroy(hie_job_t *job)
{
    give_pool(job->rt, job->pool);
}


hie_request_t *
hie_job_request(hie_job_t *job)
{
    return &job->request;
}


hie_response_t *
hie_job_response(hie_job_t *job)
{
    return &job->response;
}


apr_pool_t *
hie_job_pool(hie_job_t *job)
{
    return job->pool;
}


static void
audit_describe(hie_job_t *job)
{
    hie_audit_row_t        *row;
    const hie_principal_t  *p;

    row = &job->audit;
    p = job->principal;

    row->peer = job->request.peer;
    row->interaction = hie_str(hie_interaction(job->todo.what)->code);
    row->type = job->todo.type;
    row->query = job->todo.query;
    if (row->resource_id.ptr == NULL) {
        row->resource_id = job->todo.id;
    }

    if (p == NULL) {
        row->decision = HIE_STR("none");
        return;
    }

    row->subject = p->subject;
    row->issuer = p->issuer;
    if (p->n_organizations > 0) {
        row->organization = p->organizations[0];
    }

    if (row->decision.ptr == NULL) {
        row->decision = p->administrator ? HIE_STR("custodian")
                                         : HIE_STR("permit");
    }
}


hie_rc_t
hie_job_audit(hie_job_t *job, hie_error_t *err)
{
    hie_rc_t  rc;

    audit_describe(job);
    rc = hie_audit_pending(job->rt->audit, &job->audit, job->pool, &job->seq,
                           err);
    job->audited = (rc == HIE_OK);
    return rc;
}


/* The statement of what the server can do names no patient and is what a
 * client reads to learn how to authenticate; a browser asks for OPTIONS
 * without credentials. */
static bool
is_open(hie_do_t what)
{
    return what == HIE_DO_METADATA || what == HIE_DO_OPTIONS;
}


static hie_rc_t
admit(hie_job_t *job)
{
    hie_rc_t          rc;
    hie_may_t         may;
    hie_principal_t  *p;

    rc = hie_request_route(job);
    if (rc == HIE_OK && is_open(job->todo.what)) {
        return hie_request_media(job);
    }

    /* A wrong path is told only to those who may ask at all. */
    if (hie_request_authenticate(job) != HIE_OK) {
        return job->error.rc;
    }

    if (rc != HIE_OK) {
        return hie_request_route(job);
    }

    p = job->principal;
    job->decision = hie_consent_decide(job->rt->config, p->administrator,
                                       p->organizations, p->n_organizations,
                                       job->pool);

    rc = hie_request_media(job);
    may = hie_interaction(job->todo.what)->may;
    if (rc != HIE_OK || may == 0) {
        return rc;
    }

    return hie_request_permit(job, may, job->todo.type);
}


/* Another response than the one that was ready. */
static void
fail(hie_job_t *job, const hie_error_t *err)
{
    hie_respond_error(job, err);
    hie_represent(job);
}


/* With the interaction done, or not: the response and its record. False:
 * there is no record to wait for. */
static bool
conclude(hie_job_t *job, hie_rc_t rc)
{
    hie_error_t  err;

    if (rc != HIE_OK) {
        if (rc == HIE_FORBIDDEN) {
            job->audit.decision = HIE_STR("deny");
        }

        hie_respond_error(job, &job->error);
    }

    hie_represent(job);
    if (rc == HIE_OK && is_open(job->todo.what)) {
        return false;
    }

    if (hie_job_audit(job, &err) != HIE_OK) {
        fail(job, &err);
        return false;
    }

    return true;
}


int
hie_job_time_left(const hie_job_t *job)
{
    int         timeout;
    apr_time_t  waited;

    timeout = job->rt->config->fhir.timeout;
    waited = job->posted != 0 ? (apr_time_now() - job->posted) / 1000 : 0;
    return waited < timeout ? timeout - (int) waited : 1;
}


/* Everything but the wait for the disk. False: nothing to wait for. */
static bool
serve(hie_job_t *job)
{
    hie_rc_t  rc;

    hie_request_base_url(job);
    if (hie_cors_preflight(job)) {
        return false;
    }

    hie_store_deadline(hie_job_time_left(job));
    rc = admit(job);
    if (rc == HIE_OK) {
        rc = hie_interaction(job->todo.what)->serve(job);
    }

    hie_store_deadline(0);
    return conclude(job, rc);
}


static void
wake(void *baton)
{
    sem_post(baton);
}


/* Some jobs go together with those of other threads. False: not this one. */
static bool
serve_together(hie_job_t *job)
{
    bool   posted;
    sem_t  done;

    if (job->rt->executor == NULL || hie_job_together(job) == HIE_ALONE) {
        return false;
    }

    sem_init(&done, 0, 0);
    posted = hie_job_post(job, HIE_WORK_SERVE, wake, &done) == HIE_OK;
    while (posted && sem_wait(&done) == -1) {
        /* void: a signal */
    }

    sem_destroy(&done);
    return posted;
}


void
hie_job_serve(hie_job_t *job)
{
    hie_error_t  err;

    if (serve_together(job)) {
        return;
    }

    if (serve(job)
        && hie_journal_wait(job->rt->audit, job->seq, &err) != HIE_OK)
    {
        fail(job, &err);
    }
}


static void
durable(void *baton, hie_rc_t rc)
{
    hie_job_t  *job = baton;

    if (rc != HIE_OK) {
        hie_job_busy(job);
    }

    job->cb(job->baton);
}


static bool
await(hie_job_t *job)
{
    hie_error_t  err;

    if (hie_journal_notify(job->rt->audit, job->seq, durable, job, &err)
        != HIE_OK)
    {
        fail(job, &err);
        return false;
    }

    return true;
}


bool
hie_job_serve_async(hie_job_t *job, hie_job_cb *cb, void *baton)
{
    job->cb = cb;
    job->baton = baton;
    return serve(job) && await(job);
}


/* A job that has waited in the queue as long as it would have waited for a
 * connection is not begun any more: the database has stopped. */
static hie_rc_t
admit_in_time(hie_job_t *job)
{
    hie_rc_t    rc;
    apr_time_t  waited;

    rc = admit(job);
    waited = apr_time_now() - job->posted;
    if (rc == HIE_OK && waited / 1000 > job->rt->config->fhir.timeout) {
        return hie_fail(&job->error, HIE_TIMEOUT, "",
                        "the request took longer than it may");
    }

    if (rc == HIE_OK && waited / 1000
                        > job->rt->config->database.acquire_timeout)
    {
        return hie_fail(&job->error, HIE_BUSY, "",
                        "no database connection became free in time");
    }

    return rc;
}


void
hie_jobs_serve(hie_job_t **jobs, int n)
{
    int        i;
    hie_rc_t  *rcs;

    /* They came within a moment, the first one first. */
    hie_store_deadline(hie_job_time_left(jobs[0]));
    rcs = apr_palloc(jobs[0]->pool, sizeof(*rcs) * (size_t) n);
    for (i = 0; i < n; i++) {
        hie_request_base_url(jobs[i]);
        rcs[i] = admit_in_time(jobs[i]);
    }

    if (jobs[0]->together == HIE_READS) {
        hie_do_read_many(jobs, rcs, n);
    } else {
        hie_do_create_many(jobs, rcs, n);
    }

    hie_store_deadline(0);

    /* All records are there before the first is asked for: one sync is for
     * all of them. */
    for (i = 0; i < n; i++) {
        rcs[i] = conclude(jobs[i], rcs[i]) ? HIE_OK : HIE_UNAVAILABLE;
    }

    /* From here on a job may be gone, and what is in the first one's pool
     * with it: that one is the last. */
    for (i = n - 1; i >= 0; i--) {
        if (!(rcs[i] == HIE_OK && await(jobs[i]))) {
            jobs[i]->cb(jobs[i]->baton);
        }
    }
}


/* A read that nobody asked for: of nothing, by nobody, and without a record,
 * since nothing leaves. What it touches is in memory afterwards. */
static void
rehearse(hie_job_t *job)
{
    hie_store_read_t  reads[2];
    int               i;

    job->request.method = HIE_STR("GET");
    job->request.scheme = HIE_STR("http");
    job->request.host = HIE_STR("localhost");
    job->request.path = HIE_STR("/Patient/-");
    job->request.local = true;
    hie_request_base_url(job);
    if (admit(job) != HIE_OK) {
        return;
    }

    for (i = 0; i < 2; i++) {
        reads[i] = (hie_store_read_t) {
            .visible = &job->decision->visible, .type = job->todo.type,
            .id = job->todo.id, .pool = job->pool, .err = &job->error
        };
    }

    hie_store_read_many(job->rt->store, reads, 2);
    hie_do_read_answer(job, HIE_NOT_FOUND, &reads[0].row);
    hie_respond_error(job, &job->error);
}


void
hie_job_warm(hie_runtime_t *rt)
{
    int         i;
    hie_job_t  *jobs[4];

    for (i = 0; i < 4; i++) {
        jobs[i] = hie_job_create(rt);
        apr_pcalloc(jobs[i]->pool, 32 * 1024);
    }

    rehearse(jobs[0]);
    while (i-- > 0) {
        hie_job_destroy(jobs[i]);
    }
}


void
hie_job_complete(hie_job_t *job, int status, int64_t bytes, bool aborted)
{
    hie_error_t  err;

    if (!job->audited || job->completed) {
        return;
    }

    job->completed = true;
    job->audit.complete = true;
    job->audit.completed = apr_time_now();
    job->audit.status = status;
    job->audit.bytes = bytes;
    job->audit.aborted = aborted;

    if (hie_audit_complete(job->rt->audit, &job->audit, job->pool, &err)
        != HIE_OK)
    {
        hie_log(HIE_LOG_ERROR, "HIE5001",
                "audit record %s is left without its outcome: %s",
                job->audit.id, err.detail);
    }
}
