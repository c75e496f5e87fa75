/*
 * The runtime of a process: made by the first user, ended by the last.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "exchange/private.h"
#include "xml/xml.h"

static pthread_mutex_t  runtimes_lock = PTHREAD_MUTEX_INITIALIZER;
static hie_runtime_t   *runtimes;


hie_rc_t
hie_runtime_check(const char *config_path, apr_pool_t *pool,
                  hie_error_t *err)
{
    hie_rc_t       rc;
    hie_config_t  *config;
    hie_access_t  *access;

    rc = hie_config_load(config_path, pool, &config, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_access_open(pool, config, &access, err);
    if (rc != HIE_OK) {
        return rc;
    }

    return hie_definitions_load(config, hie_validator_create(pool, NULL), pool,
                                err);
}


static void
runtime_stop(hie_runtime_t *rt)
{
    if (rt->executor != NULL) {
        hie_executor_stop(rt->executor);
    }

    pthread_mutex_lock(&rt->lock);
    rt->stop = true;
    pthread_cond_broadcast(&rt->stopped);
    pthread_mutex_unlock(&rt->lock);
    if (rt->worker != NULL) {
        hie_thread_join(rt->worker);
    }

    if (rt->messages != NULL) {
        hie_journal_close(rt->messages);
    }

    hie_journal_close(rt->audit);
    hie_store_close(rt->store);
}


static void
compile_lock(void *baton, bool on)
{
    hie_runtime_t  *rt = baton;

    if (on) {
        pthread_mutex_lock(&rt->compile_lock);
    } else {
        pthread_mutex_unlock(&rt->compile_lock);
    }
}


/* What knows the definitions; in a pool of its own, from which it allocates
 * whenever a type comes first. */
static hie_rc_t
make_definitions(hie_runtime_t *rt, hie_error_t *err)
{
    apr_pool_t               *pool;
    hie_search_options_t      search = { compile_lock, rt };
    hie_validator_options_t   options = { .lock = compile_lock,
                                          .lock_baton = rt };

    pool = hie_pool_create(rt->pool, "hie-definitions");
    rt->search = hie_search_create(pool, &search);
    rt->validator = hie_validator_create(pool, &options);
    return hie_definitions_load(rt->config, rt->validator, pool, err);
}


/* The C library gives what is free at the end of its memory back to the
 * system, to ask for it again with the next large result, a page at a time. It
 * learns from a block of this size to keep twice as much, unless who runs the
 * server has said otherwise (mallopt(3), M_MMAP_THRESHOLD). */
#define LARGE  (2 * 1024 * 1024)

static void
keep_memory(void)
{
    void *volatile  block = malloc(LARGE);

    free(block);
}


static hie_rc_t
runtime_start(hie_runtime_t *rt, const char *path, int warm_ms,
              hie_error_t *err)
{
    hie_rc_t               rc;
    hie_journal_options_t  options;

    rc = hie_config_load(path, rt->pool, &rt->config, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_access_open(rt->pool, rt->config, &rt->access, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_open(rt->pool, rt->config, &rt->store, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = make_definitions(rt, err);
    if (rc != HIE_OK) {
        hie_store_close(rt->store);
        return rc;
    }

    options.segment = rt->config->journal.segment;
    options.buffer = rt->config->journal.buffer;
    rc = hie_journal_open(rt->pool, rt->config->journal.directory,
                          HIE_AUDIT_JOURNAL, &options, &rt->audit, err);
    if (rc != HIE_OK) {
        hie_store_close(rt->store);
        return rc;
    }

    if (warm_ms > 0) {
        hie_store_warm(rt->store, 2, warm_ms);
        hie_job_warm(rt);
    }

    if (rt->kind == HIE_RUNTIME_SERVER) {
        keep_memory();
        rc = hie_executor_start(rt, &rt->executor, err);
    }

    if (rc == HIE_OK && rt->kind != HIE_RUNTIME_TOOL) {
        rc = hie_thread_start(rt->pool, "hie-worker", hie_worker_main, rt,
                              &rt->worker, err);
    }

    if (rc != HIE_OK) {
        runtime_stop(rt);
    }

    return rc;
}


static void
runtime_free(hie_runtime_t *rt)
{
    hie_profiles_release(rt, rt->profiles);
    hie_bindings_free(rt);
    hie_parameters_free(rt);
    while (rt->n_spare > 0) {
        apr_pool_destroy(rt->spare[--rt->n_spare]);
    }

    pthread_mutex_destroy(&rt->lock);
    pthread_mutex_destroy(&rt->compile_lock);
    pthread_mutex_destroy(&rt->load_lock);
    pthread_mutex_destroy(&rt->parameters_lock);
    pthread_mutex_destroy(&rt->spare_lock);
    pthread_cond_destroy(&rt->stopped);
    apr_pool_destroy(rt->pool);
}


static void
init_sync(hie_runtime_t *rt)
{
    pthread_condattr_t  attr;

    pthread_mutex_init(&rt->lock, NULL);
    pthread_mutex_init(&rt->compile_lock, NULL);
    pthread_mutex_init(&rt->load_lock, NULL);
    pthread_mutex_init(&rt->parameters_lock, NULL);
    pthread_mutex_init(&rt->spare_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&rt->stopped, &attr);
    pthread_condattr_destroy(&attr);
}


static hie_rc_t
runtime_create(const char *path, hie_runtime_kind_t kind, int warm_ms,
               hie_runtime_t **out, hie_error_t *err)
{
    hie_rc_t        rc;
    apr_pool_t     *pool;
    hie_runtime_t  *rt;

    pool = hie_pool_create(NULL, "hie-runtime");
    rt = apr_pcalloc(pool, sizeof(*rt));
    rt->pool = pool;
    rt->pid = getpid();
    rt->kind = kind;
    rt->users = 1;
    init_sync(rt);

    rc = runtime_start(rt, path, warm_ms, err);
    if (rc != HIE_OK) {
        runtime_free(rt);
        return rc;
    }

    *out = rt;
    return HIE_OK;
}


hie_rc_t
hie_runtime_acquire(const char *config_path, hie_runtime_kind_t kind,
                    int warm_ms, hie_runtime_t **out, hie_error_t *err)
{
    hie_rc_t         rc;
    hie_runtime_t   *rt, **link;

    *out = NULL;
    apr_initialize();
    hie_xml_init();
    pthread_mutex_lock(&runtimes_lock);

    for (link = &runtimes; (rt = *link) != NULL; /* void */) {
        if (rt->pid != getpid()) {
            /* Came over a fork: its threads and connections are the
             * parent's. Forgotten, not ended. */
            *link = rt->next;
            continue;
        }

        if (strcmp(rt->config->path, config_path) == 0) {
            rt->users++;
            *out = rt;
            pthread_mutex_unlock(&runtimes_lock);
            return HIE_OK;
        }

        link = &rt->next;
    }

    rc = runtime_create(config_path, kind, warm_ms, out, err);
    if (rc == HIE_OK) {
        (*out)->next = runtimes;
        runtimes = *out;
    } else {
        apr_terminate();
    }

    pthread_mutex_unlock(&runtimes_lock);
    return rc;
}


void
hie_runtime_release(hie_runtime_t *rt)
{
    hie_runtime_t  **link;

    if (rt == NULL || rt->pid != getpid()) {
        return;
    }

    pthread_mutex_lock(&runtimes_lock);
    if (--rt->users > 0) {
        pthread_mutex_unlock(&runtimes_lock);
        apr_terminate();
        return;
    }

    for (link = &runtimes; *link != NULL; link = &(*link)->next) {
        if (*link == rt) {
            *link = rt->next;
            break;
        }
    }

    pthread_mutex_unlock(&runtimes_lock);

    runtime_stop(rt);
    runtime_free(rt);
    apr_terminate();
}


const hie_config_t *
hie_runtime_config(const hie_runtime_t *rt)
{
    return rt->config;
}


hie_rc_t
hie_runtime_messages(hie_runtime_t *rt, hie_journal_t **out,
                     hie_error_t *err)
{
    hie_rc_t               rc;
    hie_journal_options_t  options;

    rc = HIE_OK;
    pthread_mutex_lock(&rt->lock);
    if (rt->messages == NULL) {
        options.segment = rt->config->journal.segment;
        options.buffer = rt->config->journal.buffer;
        rc = hie_journal_open(rt->pool, rt->config->journal.directory,
                              HIE_MESSAGE_JOURNAL, &options, &rt->messages,
                              err);
    }

    *out = rt->messages;
    pthread_mutex_unlock(&rt->lock);
    return rc;
}


hie_rc_t
hie_runtime_secret(hie_runtime_t *rt, unsigned char out[32],
                   hie_error_t *err)
{
    hie_rc_t       rc;
    unsigned char  secret[32];

    pthread_mutex_lock(&rt->lock);
    if (rt->secret_known) {
        memcpy(out, rt->secret, sizeof(rt->secret));
        pthread_mutex_unlock(&rt->lock);
        return HIE_OK;
    }

    pthread_mutex_unlock(&rt->lock);

    rc = hie_store_secret(rt->store, secret, err);
    if (rc != HIE_OK) {
        return rc;
    }

    pthread_mutex_lock(&rt->lock);
    memcpy(rt->secret, secret, sizeof(secret));
    rt->secret_known = true;
    pthread_mutex_unlock(&rt->lock);

    memcpy(out, secret, sizeof(secret));
    return HIE_OK;
}
