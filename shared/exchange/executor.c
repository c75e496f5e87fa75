/*
 * Threads of the runtime. Jobs are posted to them and report back by a
 * callback: all jobs of a host whose own threads may not block (an event
 * loop), and the reads of one whose threads may.
 *
 * Reads of single resources are taken several at a time, and go to the
 * database in one round trip: what a read costs is mostly the waking of
 * threads and processes. They have a queue of their own, so that none of them
 * waits behind something long.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

#define LANES  2                 /* threads that work on one kind at a time */
#define BATCH  32                /* jobs in one round trip, at most */
#define SMALL  65536             /* bytes of a resource among others */

/* What a statement costs by itself is shared by more creates than reads. */
static const int  batch_of[HIE_TOGETHER_KINDS] = {
    [HIE_ALONE] = 1, [HIE_READS] = 16, [HIE_CREATES] = BATCH
};

typedef struct {
    hie_job_t   *first;
    hie_job_t  **end;
    int          n;
} queue_t;

typedef struct worker_t  worker_t;

struct worker_t {
    hie_executor_t  *executor;
    hie_thread_t    *thread;
    pthread_cond_t   wake;
    bool             asleep;
    worker_t        *next;       /* the one that fell asleep before it */
};

struct hie_executor_t {
    pthread_mutex_t   lock;
    queue_t           queues[HIE_TOGETHER_KINDS];
    int               max;       /* jobs in all queues */
    int               n_jobs;
    int               lanes[HIE_TOGETHER_KINDS];     /* threads in them now */
    worker_t         *asleep;    /* the last one is woken first: what it */
    bool              stop;      /* uses is still in the processor's cache */
    int               n;
    worker_t         *workers;
};


static void
queue_init(queue_t *q)
{
    q->first = NULL;
    q->end = &q->first;
    q->n = 0;
}


static void
queue_add(queue_t *q, hie_job_t *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
    q->n++;
}


static hie_job_t *
queue_take(queue_t *q)
{
    hie_job_t  *job;

    job = q->first;
    q->first = job->next;
    if (q->first == NULL) {
        q->end = &q->first;
    }

    q->n--;
    return job;
}


static void
work(hie_job_t *job)
{
    switch (job->work) {
    case HIE_WORK_SERVE:
        if (hie_job_serve_async(job, job->cb, job->baton)) {
            return;              /* the journal calls back */
        }

        break;

    case HIE_WORK_AUTHORIZE:
        job->verdict = hie_job_authorize(job);
        break;

    case HIE_WORK_MESSAGE:
        hie_job_message(job, job->connection, job->message);
        break;
    }

    job->cb(job->baton);
}


/* With the lock. Whether one more thread has something to do for a kind. A few
 * creates rather wait for the commit that is under way, and have the next one
 * together. */
static bool
has_work(const hie_executor_t *e, int kind)
{
    int  n = e->queues[kind].n;

    if (kind == HIE_ALONE || n == 0) {
        return n > 0;
    }

    return e->lanes[kind] == 0
           || (e->lanes[kind] < LANES
               && (kind != HIE_CREATES || n >= batch_of[kind] / 2));
}


/* With the lock. Takes what a thread does next; 0: there is nothing. */
static int
take(hie_executor_t *e, hie_job_t *jobs[BATCH])
{
    int       n, kind;
    queue_t  *q;

    for (kind = HIE_READS; kind < HIE_TOGETHER_KINDS; kind++) {
        q = &e->queues[kind];
        if (!has_work(e, kind)) {
            continue;
        }

        for (n = 0; n < batch_of[kind] && q->n > 0; n++) {
            jobs[n] = queue_take(q);
        }

        e->lanes[kind]++;
        e->n_jobs -= n;
        return n;
    }

    if (e->queues[HIE_ALONE].n > 0) {
        jobs[0] = queue_take(&e->queues[HIE_ALONE]);
        e->n_jobs--;
        return 1;
    }

    return 0;
}


/* With the lock. */
static void
fall_asleep(hie_executor_t *e, worker_t *w)
{
    w->asleep = true;
    w->next = e->asleep;
    e->asleep = w;
    while (w->asleep) {
        pthread_cond_wait(&w->wake, &e->lock);
    }
}


/* With the lock: takes the one to be woken out of the stack, or NULL. */
static worker_t *
rouse(hie_executor_t *e)
{
    worker_t  *w;

    w = e->asleep;
    if (w != NULL) {
        e->asleep = w->next;
        w->asleep = false;
    }

    return w;
}


static void
executor_main(void *baton)
{
    int              n;
    hie_together_t   kind;
    worker_t        *w = baton;
    hie_job_t       *jobs[BATCH];
    hie_executor_t  *e = w->executor;

    pthread_mutex_lock(&e->lock);
    for ( ;; ) {
        n = take(e, jobs);
        if (n == 0) {
            if (e->stop) {
                break;
            }

            fall_asleep(e, w);
            continue;
        }

        kind = jobs[0]->together;
        pthread_mutex_unlock(&e->lock);

        /* A job is the poster's again from its callback on. */
        if (kind != HIE_ALONE) {
            hie_jobs_serve(jobs, n);
        } else {
            work(jobs[0]);
        }

        pthread_mutex_lock(&e->lock);
        e->lanes[kind] -= kind != HIE_ALONE;
    }

    pthread_mutex_unlock(&e->lock);
}


hie_rc_t
hie_executor_start(hie_runtime_t *rt, hie_executor_t **out, hie_error_t *err)
{
    int              i;
    hie_rc_t         rc;
    hie_executor_t  *e;

    e = apr_pcalloc(rt->pool, sizeof(*e));
    e->max = rt->config->jobs.queue;
    e->workers = apr_pcalloc(rt->pool, sizeof(*e->workers)
                                       * (size_t) rt->config->jobs.threads);
    pthread_mutex_init(&e->lock, NULL);
    for (i = 0; i < HIE_TOGETHER_KINDS; i++) {
        queue_init(&e->queues[i]);
    }

    for (i = 0; i < rt->config->jobs.threads; i++) {
        e->workers[i].executor = e;
        pthread_cond_init(&e->workers[i].wake, NULL);
        rc = hie_thread_start(rt->pool, "hie-job", executor_main,
                              &e->workers[i], &e->workers[i].thread, err);
        if (rc != HIE_OK) {
            hie_executor_stop(e);
            return rc;
        }

        e->n++;
    }

    *out = e;
    return HIE_OK;
}


void
hie_executor_stop(hie_executor_t *e)
{
    int        i;
    worker_t  *w;

    pthread_mutex_lock(&e->lock);
    e->stop = true;
    while ((w = rouse(e)) != NULL) {
        pthread_cond_signal(&w->wake);
    }

    pthread_mutex_unlock(&e->lock);

    for (i = 0; i < e->n; i++) {
        hie_thread_join(e->workers[i].thread);
        pthread_cond_destroy(&e->workers[i].wake);
    }

    pthread_mutex_destroy(&e->lock);
}


static bool
is_small_create(hie_job_t *job)
{
    const hie_request_t  *r = &job->request;

    return hie_str_eqz(r->method, "POST") && r->body_file == -1
           && r->body.len <= SMALL
           && job->rt->config->fhir.references == HIE_REFERENCES_OFF
           && hie_request_header(r, "If-None-Exist").ptr == NULL
           && hie_request_route(job) == HIE_OK
           && job->todo.what == HIE_DO_CREATE
           && !hie_str_eqz(job->todo.type, "Binary")
           && !hie_str_eqz(job->todo.type, "SearchParameter");
}


hie_together_t
hie_job_together(hie_job_t *job)
{
    if (is_small_create(job)) {
        return HIE_CREATES;
    }

    return (hie_str_eqz(job->request.method, "GET")
            || hie_str_eqz(job->request.method, "HEAD"))
           && hie_request_route(job) == HIE_OK
           && job->todo.what == HIE_DO_READ
           && !hie_binary_is_read(job)
           ? HIE_READS : HIE_ALONE;
}


hie_rc_t
hie_job_post(hie_job_t *job, hie_work_t what, hie_job_cb *cb, void *baton)
{
    worker_t        *w;
    hie_executor_t  *e;

    e = job->rt->executor;
    job->work = what;
    job->cb = cb;
    job->baton = baton;
    job->together = what == HIE_WORK_SERVE ? hie_job_together(job)
                                           : HIE_ALONE;
    job->posted = apr_time_now();

    pthread_mutex_lock(&e->lock);
    if (e->n_jobs >= e->max) {
        pthread_mutex_unlock(&e->lock);
        return HIE_BUSY;
    }

    queue_add(&e->queues[job->together], job);
    e->n_jobs++;

    /* While all lanes are taken a job is found by the next that ends. */
    w = has_work(e, job->together) ? rouse(e) : NULL;
    pthread_mutex_unlock(&e->lock);

    if (w != NULL) {
        pthread_cond_signal(&w->wake);
    }

    return HIE_OK;
}


hie_rc_t
hie_job_post_message(hie_job_t *job, const char *connection,
                     hie_str_t message, hie_job_cb *cb, void *baton)
{
    job->connection = connection;
    job->message = message;
    return hie_job_post(job, HIE_WORK_MESSAGE, cb, baton);
}


hie_rc_t
hie_job_verdict(const hie_job_t *job)
{
    return job->verdict;
}
