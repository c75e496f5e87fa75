/*
 * Opening, appending, closing.
 */

#include "journal/writer.h"

#include "journal/format.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>


#define DEFAULT_SEGMENT  (64 * 1024 * 1024)
#define DEFAULT_BUFFER   (8 * 1024 * 1024)
#define MIN_SIZE         4096
#define MAX_SIZE         (1024 * 1024 * 1024)


/* Sizes out of range are brought into it: a page at least, and lengths within
 * a segment fit the format's 32 bits. */
static size_t
size_of(size_t given, size_t fallback)
{
    if (given == 0) {
        return fallback;
    }
    if (given < MIN_SIZE) {
        return MIN_SIZE;
    }
    if (given > MAX_SIZE) {
        return MAX_SIZE;
    }
    return given & ~(size_t) 7;
}


static void
set_sizes(hie_journal_t *j, const hie_journal_options_t *options)
{
    static const hie_journal_options_t  none;
    size_t                              room;

    if (options == NULL) {
        options = &none;
    }

    j->segment_size = size_of(options->segment, DEFAULT_SEGMENT);
    j->buffer_size = size_of(options->buffer, DEFAULT_BUFFER);

    room = j->segment_size - HIE_JOURNAL_HEADER;
    if (room > j->buffer_size) {
        room = j->buffer_size;
    }
    j->max_record = room - HIE_JOURNAL_RECORD;
}


static void
init_sync(hie_journal_t *j)
{
    pthread_condattr_t  attr;

    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->prepare, NULL);

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->flush, &attr);
    pthread_condattr_destroy(&attr);
}


static void
destroy_sync(hie_journal_t *j)
{
    pthread_mutex_destroy(&j->mutex);
    pthread_cond_destroy(&j->prepare);
    pthread_cond_destroy(&j->flush);
}


/* Ends the threads that run, and what they worked on. */
static void
shut(hie_journal_t *j)
{
    pthread_mutex_lock(&j->mutex);
    j->closing = true;
    pthread_cond_broadcast(&j->flush);
    pthread_cond_broadcast(&j->prepare);
    pthread_mutex_unlock(&j->mutex);

    if (j->flusher != NULL) {
        hie_thread_join(j->flusher);
    }
    if (j->preparer != NULL) {
        hie_thread_join(j->preparer);
    }

    hie_journal_segment_finish(j->dirfd, &j->next);
    hie_journal_segment_finish(j->dirfd, &j->current);
    close(j->dirfd);
    destroy_sync(j);
    apr_pool_destroy(j->notice_pool);
}


hie_rc_t
hie_journal_open(apr_pool_t *pool, const char *dir, const char *name,
                 const hie_journal_options_t *options, hie_journal_t **out,
                 hie_error_t *err)
{
    hie_journal_t  *j;
    hie_rc_t        rc;

    HIE_ASSERT_MAY_BLOCK();
    *out = NULL;

    j = apr_pcalloc(pool, sizeof(*j));
    j->pid = getpid();
    j->name = apr_pstrdup(pool, name);
    j->next.fd = -1;
    set_sizes(j, options);

    if (!hie_journal_directory(dir, name, true, &j->dirfd)) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "journal directory %s/%s: "
                        "%s", dir, name, strerror(errno));
    }
    if (!hie_journal_segment_create(j->dirfd, NULL, hie_journal_first_size(j),
                                    &j->current))
    {
        rc = hie_fail(err, HIE_UNAVAILABLE, "", "journal segment in %s/%s: %s",
                      dir, name, strerror(errno));
        close(j->dirfd);
        return rc;
    }

    memcpy(j->writer, j->current.name, sizeof(j->writer));
    j->buffers[0].ptr = apr_palloc(pool, j->buffer_size);
    j->buffers[1].ptr = apr_palloc(pool, j->buffer_size);
    j->active = &j->buffers[0];
    j->notices_end = &j->notices;
    j->notice_pool = hie_pool_create(pool, "journal notices");
    init_sync(j);

    rc = hie_thread_start(pool, "hie-jnl-flush", hie_journal_flusher, j,
                          &j->flusher, err);
    if (rc == HIE_OK) {
        rc = hie_thread_start(pool, "hie-jnl-prepare", hie_journal_preparer,
                              j, &j->preparer, err);
    }
    if (rc != HIE_OK) {
        shut(j);
        return rc;
    }

    *out = j;
    return HIE_OK;
}


hie_rc_t
hie_journal_append(hie_journal_t *j, const void *record, size_t len,
                   uint64_t *seq, hie_error_t *err)
{
    size_t    size;
    uint32_t  crc;
    bool      wake = false, down, full;

    *seq = 0;

    if (getpid() != j->pid) {
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the journal belongs to another process");
    }
    if (len > j->max_record) {
        return hie_fail(err, HIE_TOO_LARGE, "", "a record of %zu bytes; the "
                        "journal takes at most %zu", len, j->max_record);
    }

    size = hie_journal_record_size(len);
    crc = hie_crc32c(0, record, len);

    pthread_mutex_lock(&j->mutex);
    down = j->down || j->closing;
    full = size > j->buffer_size - j->active->len - j->flying;
    if (!down && !full) {
        *seq = ++j->seq;
        hie_journal_record_put(j->active->ptr + j->active->len, record, len,
                               *seq, crc);
        j->active->len += size;
        wake = j->sleep == HIE_JOURNAL_SLEEPS;
        if (wake) {
            j->sleep = HIE_JOURNAL_AWAKE;
        }
    }
    pthread_mutex_unlock(&j->mutex);

    if (wake) {
        pthread_cond_signal(&j->flush);
    }
    if (down) {
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the journal cannot be written now");
    }
    if (full) {
        return hie_fail(err, HIE_BUSY, "", "the journal's buffer is full");
    }
    return HIE_OK;
}


void
hie_journal_stats(hie_journal_t *j, hie_journal_stats_t *out)
{
    memset(out, 0, sizeof(*out));

    if (getpid() != j->pid) {
        return;
    }

    pthread_mutex_lock(&j->mutex);
    out->records = j->seq;
    out->syncs = j->syncs;
    out->failures = j->failures;
    out->pending = j->active->len + j->flying;
    pthread_mutex_unlock(&j->mutex);
}


void
hie_journal_close(hie_journal_t *j)
{
    HIE_ASSERT_MAY_BLOCK();

    /* A child of fork has the descriptors but neither the threads nor a
     * right to the file; the mutex is in no state that it could rely on. */
    if (getpid() != j->pid) {
        if (j->current.fd >= 0) {
            close(j->current.fd);
        }
        close(j->dirfd);
        return;
    }

    shut(j);
}
