/*
 * Threads, their colour, and pools for one thread.
 */

#include "base/base.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_allocator.h>
#include <apr_strings.h>


/* What a pool keeps for itself when it is cleared; the rest goes back. */
#define POOL_KEEP  (1024 * 1024)

struct hie_thread_t {
    pthread_t   thread;
    char        name[16];
    void      (*fn)(void *);
    void       *baton;
};

static __thread bool  blocking_forbidden;


void
hie_thread_forbid_blocking(bool forbid)
{
    blocking_forbidden = forbid;
}


bool
hie_thread_may_block(void)
{
    return !blocking_forbidden;
}


void
hie_thread_blocked(const char *func)
{
    hie_log(HIE_LOG_ERROR, "HIE1001",
            "%s may block and was called on a thread that must not", func);
    abort();
}


static void *
thread_main(void *arg)
{
    hie_thread_t  *t = arg;
    void          *volatile touched;

    /* The C library makes a thread's heap at its first allocation: now, and
     * not while somebody waits for a first answer. */
    touched = malloc(1);
    free(touched);

    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->baton);

    return NULL;
}


hie_rc_t
hie_thread_start(apr_pool_t *pool, const char *name, void (*fn)(void *),
                 void *baton, hie_thread_t **out, hie_error_t *err)
{
    hie_thread_t  *t = apr_pcalloc(pool, sizeof(*t));
    sigset_t       all, before;
    int            rv;

    apr_cpystrn(t->name, name, sizeof(t->name));
    t->fn = fn;
    t->baton = baton;

    /* The mask is inherited: blocked already at the first instruction. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&t->thread, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (rv != 0) {
        return hie_fail(err, HIE_INTERNAL, name,
                        "a thread could not be started (error %d)", rv);
    }

    *out = t;
    return HIE_OK;
}


void
hie_thread_join(hie_thread_t *t)
{
    HIE_ASSERT_MAY_BLOCK();

    if (pthread_join(t->thread, NULL) != 0) {
        abort();
    }
}


static int
pool_abort(int rv)
{
    hie_log(HIE_LOG_ERROR, "HIE1002", "out of memory");
    abort();
    return rv;
}


apr_pool_t *
hie_pool_create(apr_pool_t *parent, const char *tag)
{
    apr_allocator_t  *allocator;
    apr_pool_t       *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        pool_abort(APR_ENOMEM);
    }
    apr_allocator_max_free_set(allocator, POOL_KEEP);

    if (apr_pool_create_ex(&pool, parent, pool_abort, allocator)
        != APR_SUCCESS)
    {
        pool_abort(APR_ENOMEM);
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, tag);

    return pool;
}
