/*
 * The two threads of a writer.
 */

#include "journal/writer.h"

#include "journal/format.h"
#include "journal/io.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>


#define FIRST_SEGMENT  (1024 * 1024)
#define GROWTH         4
#define RETRY_MS       200
#define LAZY_MS        20
#define GATHER_US      100


/* The first segment of a writer is small, so that opening takes no time and a
 * quiet process no space; each next one is larger, up to the configured size,
 * and is made in the background. */
size_t
hie_journal_first_size(const hie_journal_t *j)
{
    return j->segment_size < FIRST_SEGMENT ? j->segment_size : FIRST_SEGMENT;
}


static size_t
next_size(const hie_journal_t *j)
{
    return j->current.size < j->segment_size / GROWTH
           ? j->current.size * GROWTH : j->segment_size;
}


void
hie_journal_preparer(void *baton)
{
    hie_journal_t          *j = baton;
    hie_journal_segment_t   s;
    size_t                  size;

    pthread_mutex_lock(&j->mutex);
    for ( ;; ) {
        while (j->prepare_size == 0 && !j->closing) {
            pthread_cond_wait(&j->prepare, &j->mutex);
        }
        if (j->closing) {
            break;
        }

        size = j->prepare_size;
        j->prepare_size = 0;
        j->preparing = true;
        pthread_mutex_unlock(&j->mutex);

        if (!hie_journal_segment_create(j->dirfd, j->writer, size, &s)) {
            hie_log(HIE_LOG_WARN, "HIE2002", "journal %s: the next segment "
                    "cannot be prepared: %s", j->name, strerror(errno));
        }

        pthread_mutex_lock(&j->mutex);
        j->next = s;
        j->preparing = false;
        pthread_cond_broadcast(&j->prepare);
    }
    pthread_mutex_unlock(&j->mutex);
}


/* Once a segment, when it is half full. */
static void
ask_for_next(hie_journal_t *j)
{
    if (j->asked || j->current.end < j->current.size / 2) {
        return;
    }

    pthread_mutex_lock(&j->mutex);
    j->asked = true;
    j->prepare_size = next_size(j);
    pthread_cond_broadcast(&j->prepare);
    pthread_mutex_unlock(&j->mutex);
}


/* The segment that was prepared; its fd is -1 if there is none. One that is
 * being made is waited for: segments are used in the order of their names. */
static hie_journal_segment_t
take_prepared(hie_journal_t *j)
{
    hie_journal_segment_t  s;

    pthread_mutex_lock(&j->mutex);
    j->prepare_size = 0;
    while (j->preparing) {
        pthread_cond_wait(&j->prepare, &j->mutex);
    }
    s = j->next;
    j->next.fd = -1;
    pthread_mutex_unlock(&j->mutex);

    return s;
}


/* Leaves the current segment for a new one with room for `need` bytes. */
static bool
segment_change(hie_journal_t *j, size_t need)
{
    hie_journal_segment_t  s;
    size_t                 size;

    hie_journal_segment_finish(j->dirfd, &j->current);

    s = take_prepared(j);
    if (s.fd >= 0 && s.size - s.end < need) {
        hie_journal_segment_finish(j->dirfd, &s);
    }
    if (s.fd < 0) {
        size = hie_journal_first_size(j);
        if (size < need + HIE_JOURNAL_HEADER) {
            size = j->segment_size;
        }
        if (!hie_journal_segment_create(j->dirfd, j->writer, size, &s)) {
            return false;
        }
    }

    j->current = s;
    j->asked = false;
    return true;
}


/* Seals the records from `at` on, as many as the current segment has room
 * for. Gives their size, and the number of the last of them. */
static size_t
seal(const hie_journal_t *j, hie_journal_buffer_t *b, size_t at, uint64_t *seq)
{
    size_t    room = j->current.size - j->current.end, n = 0, size;
    uint64_t  this_seq;

    while (at + n < b->len) {
        hie_journal_record_peek(b->ptr + at + n, &size, &this_seq);
        if (size > room - n) {
            break;
        }
        hie_journal_record_seal(b->ptr + at + n, j->current.check, n);
        *seq = this_seq;
        n += size;
    }

    return n;
}


static bool
write_sync(hie_journal_t *j, const char *ptr, size_t len)
{
    bool  ok;

    ok = hie_journal_write(j->current.fd, ptr, len, (off_t) j->current.end)
         && hie_journal_io.fdatasync(j->current.fd) == 0;

    pthread_mutex_lock(&j->mutex);
    j->syncs++;
    j->failures += !ok;
    pthread_mutex_unlock(&j->mutex);

    return ok;
}


/* Makes the records of the buffer durable, telling so after every sync. After
 * a failure nobody knows what the file holds, and another sync of it may
 * succeed without having written anything: the records that were not
 * acknowledged go to a new segment, once. */
static bool
flush_buffer(hie_journal_t *j, hie_journal_buffer_t *b)
{
    size_t    at = 0, n, size;
    uint64_t  seq = 0;
    bool      again = false;
    int       error;

    while (at < b->len) {
        n = seal(j, b, at, &seq);

        if (n == 0) {
            hie_journal_record_peek(b->ptr + at, &size, &seq);
            if (!segment_change(j, size)) {
                return false;
            }
            continue;
        }

        if (write_sync(j, b->ptr + at, n)) {
            j->current.end += n;
            at += n;
            again = false;
            hie_journal_settle(j, seq, HIE_OK);
            continue;
        }

        error = errno;
        hie_log(HIE_LOG_ERROR, "HIE2003", "journal %s: segment %s is "
                "abandoned: %s", j->name, j->current.name, strerror(error));
        errno = error;
        hie_journal_record_peek(b->ptr + at, &size, &seq);
        if (again || !segment_change(j, size)) {
            return false;
        }
        again = true;
    }

    return true;
}


/* Gives up what is not durable and stops taking records. */
static void
go_down(hie_journal_t *j)
{
    uint64_t  seq;

    hie_log(HIE_LOG_ERROR, "HIE2004", "journal %s cannot be written: %s",
            j->name, strerror(errno));
    hie_journal_segment_finish(j->dirfd, &j->current);

    pthread_mutex_lock(&j->mutex);
    j->down = true;
    j->active->len = 0;
    j->flying = 0;
    seq = j->seq;
    pthread_mutex_unlock(&j->mutex);

    hie_journal_settle(j, seq, HIE_UNAVAILABLE);
}


/* With the mutex: waits for a signal, at most so long. False: none came. */
static bool
doze(hie_journal_t *j, int ms)
{
    struct timespec  until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }

    return pthread_cond_timedwait(&j->flush, &j->mutex, &until) == 0;
}


/* Called with the mutex; waits a while and tries to go on. */
static void
come_back(hie_journal_t *j)
{
    doze(j, RETRY_MS);
    if (j->closing) {
        return;
    }

    pthread_mutex_unlock(&j->mutex);
    if (segment_change(j, 0)) {
        hie_log(HIE_LOG_NOTICE, "HIE2005", "journal %s is written again",
                j->name);
    }
    pthread_mutex_lock(&j->mutex);

    j->down = j->current.fd < 0;
}


/*
 * With the mutex: sleeps until somebody waits for a record, or until records
 * that nobody waits for have lain for a while: those ride on the sync of
 * others, where there are others.
 */
static void
sleep_idle(hie_journal_t *j)
{
    bool  lain = false;

    while (!j->closing && j->wanted <= j->settled) {
        if (j->active->len > 0 && lain) {
            break;
        }

        if (j->active->len == 0 && lain) {
            j->sleep = HIE_JOURNAL_SLEEPS;
            pthread_cond_wait(&j->flush, &j->mutex);
            lain = false;

        } else {
            j->sleep = HIE_JOURNAL_DOZES;
            lain = !doze(j, LAZY_MS);
        }
    }
    j->sleep = HIE_JOURNAL_AWAKE;
}


/*
 * With the mutex: when the last sync had several waiters there are more on
 * their way, and a sync for all of them costs what one for the first does
 * (PostgreSQL's commit_delay and commit_siblings are the same idea). A single
 * waiter never waits for others.
 */
static void
gather(hie_journal_t *j)
{
    const struct timespec  moment = { 0, GATHER_US * 1000L };
    bool                   company = j->company;

    j->company = j->asking > 1;
    if (company && !j->closing && j->wanted > j->settled) {
        pthread_mutex_unlock(&j->mutex);
        nanosleep(&moment, NULL);
        pthread_mutex_lock(&j->mutex);
        j->company = j->asking > 1;
    }
    j->asking = 0;
}


void
hie_journal_flusher(void *baton)
{
    hie_journal_t         *j = baton;
    hie_journal_buffer_t  *b;

    /* Without it a sleep of microseconds takes 50 more. */
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);

    pthread_mutex_lock(&j->mutex);
    for ( ;; ) {
        if (j->down) {
            if (j->closing) {
                break;
            }
            come_back(j);
            continue;
        }

        sleep_idle(j);
        gather(j);
        b = j->active;
        if (b->len == 0) {
            break;
        }

        j->active = b == &j->buffers[0] ? &j->buffers[1] : &j->buffers[0];
        j->flying = b->len;
        pthread_mutex_unlock(&j->mutex);

        if (flush_buffer(j, b)) {
            ask_for_next(j);
        } else {
            go_down(j);
        }

        pthread_mutex_lock(&j->mutex);
        b->len = 0;
        j->flying = 0;
    }
    pthread_mutex_unlock(&j->mutex);
}
