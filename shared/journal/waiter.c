/*
 * Telling those who wait what became of their record.
 */

#include "journal/writer.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>


/* With the mutex. When failures outnumber the places, the two oldest become
 * one range: a wait that comes so late for a record between them hears that
 * it is not known to be durable, which is the safe mistake. */
static void
lost_add(hie_journal_t *j, uint64_t first, uint64_t last)
{
    int  i;

    if (j->n_lost > 0 && j->lost[j->n_lost - 1].last + 1 == first) {
        j->lost[j->n_lost - 1].last = last;
        return;
    }

    if (j->n_lost == HIE_JOURNAL_LOST) {
        j->lost[0].last = j->lost[1].last;
        for (i = 1; i < HIE_JOURNAL_LOST - 1; i++) {
            j->lost[i] = j->lost[i + 1];
        }
        j->n_lost--;
    }

    j->lost[j->n_lost].first = first;
    j->lost[j->n_lost].last = last;
    j->n_lost++;
}


/* With the mutex: the outcome of a settled record. */
static hie_rc_t
outcome(const hie_journal_t *j, uint64_t seq)
{
    int  i;

    for (i = 0; i < j->n_lost; i++) {
        if (seq >= j->lost[i].first && seq <= j->lost[i].last) {
            return HIE_UNAVAILABLE;
        }
    }

    return HIE_OK;
}


static hie_rc_t
fail_lost(hie_error_t *err)
{
    return hie_fail(err, HIE_UNAVAILABLE, "",
                    "the journal could not store the record");
}


/* Whether a question about `seq` makes sense. With the mutex. */
static bool
was_appended(const hie_journal_t *j, uint64_t seq)
{
    return seq > 0 && seq <= j->seq;
}


static hie_rc_t
fail_unknown(hie_error_t *err)
{
    return hie_fail(err, HIE_INVALID, "",
                    "no record of this number was appended");
}


static hie_rc_t
fail_process(hie_error_t *err)
{
    return hie_fail(err, HIE_UNAVAILABLE, "",
                    "the journal belongs to another process");
}


static void
waiter_sleep(hie_journal_waiter_t *w)
{
    while (atomic_load_explicit(&w->done, memory_order_acquire) == 0) {
        syscall(SYS_futex, &w->done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
}


/* The waiter may return, and its stack be used again, as soon as `done` is
 * set; a wake-up of whoever sleeps there then is one without a reason, which
 * every sleeper on such a word allows for. */
static void
waiter_wake(hie_journal_waiter_t *w)
{
    atomic_store_explicit(&w->done, 1, memory_order_release);
    syscall(SYS_futex, &w->done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}


bool
hie_journal_want(hie_journal_t *j, uint64_t seq)
{
    bool  wake = j->sleep != HIE_JOURNAL_AWAKE;

    if (seq > j->wanted) {
        j->wanted = seq;
    }
    j->asking++;
    j->sleep = HIE_JOURNAL_AWAKE;

    return wake;
}


hie_rc_t
hie_journal_wait(hie_journal_t *j, uint64_t seq, hie_error_t *err)
{
    hie_journal_waiter_t  w = { .seq = seq };
    bool                  wake;

    HIE_ASSERT_MAY_BLOCK();

    if (getpid() != j->pid) {
        return fail_process(err);
    }

    pthread_mutex_lock(&j->mutex);
    if (!was_appended(j, seq)) {
        pthread_mutex_unlock(&j->mutex);
        return fail_unknown(err);
    }
    if (seq <= j->settled) {
        w.rc = outcome(j, seq);
        pthread_mutex_unlock(&j->mutex);

    } else {
        w.next = j->waiters;
        j->waiters = &w;
        wake = hie_journal_want(j, seq);
        pthread_mutex_unlock(&j->mutex);
        if (wake) {
            pthread_cond_signal(&j->flush);
        }
        waiter_sleep(&w);
    }

    return w.rc == HIE_OK ? HIE_OK : fail_lost(err);
}


/* With the mutex. */
static void
notice_add(hie_journal_t *j, uint64_t seq, hie_journal_cb *cb, void *baton)
{
    hie_journal_notice_t  *n = j->spare;

    if (n != NULL) {
        j->spare = n->next;
    } else {
        n = apr_palloc(j->notice_pool, sizeof(*n));
    }

    n->next = NULL;
    n->seq = seq;
    n->cb = cb;
    n->baton = baton;
    *j->notices_end = n;
    j->notices_end = &n->next;
}


hie_rc_t
hie_journal_notify(hie_journal_t *j, uint64_t seq, hie_journal_cb *cb,
                   void *baton, hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;
    bool      now = false, wake = false;

    if (getpid() != j->pid) {
        return fail_process(err);
    }

    pthread_mutex_lock(&j->mutex);
    if (!was_appended(j, seq)) {
        pthread_mutex_unlock(&j->mutex);
        return fail_unknown(err);
    }
    if (seq <= j->settled) {
        rc = outcome(j, seq);
        now = true;
    } else {
        notice_add(j, seq, cb, baton);
        wake = hie_journal_want(j, seq);
    }
    pthread_mutex_unlock(&j->mutex);

    if (wake) {
        pthread_cond_signal(&j->flush);
    }
    if (now) {
        cb(baton, rc);
    }
    return HIE_OK;
}


/* With the mutex: takes out the waiters that have their outcome. */
static hie_journal_waiter_t *
waiters_due(hie_journal_t *j, uint64_t seq, hie_rc_t rc)
{
    hie_journal_waiter_t  **at = &j->waiters, *due = NULL, *w;

    while ((w = *at) != NULL) {
        if (w->seq > seq) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->rc = rc;
        w->next = due;
        due = w;
    }

    return due;
}


/* The same with callbacks, in the order in which they were asked for. */
static hie_journal_notice_t *
notices_due(hie_journal_t *j, uint64_t seq, hie_rc_t rc)
{
    hie_journal_notice_t  **at = &j->notices, *due = NULL, **end = &due, *n;

    while ((n = *at) != NULL) {
        if (n->seq > seq) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        n->rc = rc;
        *end = n;
        end = &n->next;
    }
    *end = NULL;
    j->notices_end = at;

    return due;
}


static void
notices_run(hie_journal_t *j, hie_journal_notice_t *due)
{
    hie_journal_notice_t  *n, *last = NULL;

    if (due == NULL) {
        return;
    }

    hie_thread_forbid_blocking(true);
    for (n = due; n != NULL; n = n->next) {
        n->cb(n->baton, n->rc);
        last = n;
    }
    hie_thread_forbid_blocking(false);

    pthread_mutex_lock(&j->mutex);
    last->next = j->spare;
    j->spare = due;
    pthread_mutex_unlock(&j->mutex);
}


void
hie_journal_settle(hie_journal_t *j, uint64_t seq, hie_rc_t rc)
{
    hie_journal_waiter_t  *waiters, *next;
    hie_journal_notice_t  *notices;

    pthread_mutex_lock(&j->mutex);
    if (rc != HIE_OK && seq > j->settled) {
        lost_add(j, j->settled + 1, seq);
    }
    j->settled = seq;
    waiters = waiters_due(j, seq, rc);
    notices = notices_due(j, seq, rc);
    pthread_mutex_unlock(&j->mutex);

    notices_run(j, notices);

    for (; waiters != NULL; waiters = next) {
        next = waiters->next;
        waiter_wake(waiters);
    }
}
