/*
 * The writing side, inside.
 *
 * Appenders copy records into the active of two buffers. The flusher swaps
 * the buffers, writes and syncs the other one, and settles its records: tells
 * those who wait that they are durable, or lost. A second thread makes the
 * next segment while the current one fills.
 */

#ifndef HIE_JOURNAL_WRITER_H
#define HIE_JOURNAL_WRITER_H

#include "journal/journal.h"
#include "journal/segment.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* How many separate failures are told apart; the oldest merge. */
#define HIE_JOURNAL_LOST  16

typedef struct {
    uint64_t  first;
    uint64_t  last;
} hie_journal_range_t;

typedef struct {
    char      *ptr;
    size_t     len;
} hie_journal_buffer_t;

/* A thread in hie_journal_wait; on its stack. */
typedef struct hie_journal_waiter_t  hie_journal_waiter_t;
struct hie_journal_waiter_t {
    hie_journal_waiter_t  *next;
    uint64_t               seq;
    hie_rc_t               rc;
    _Atomic uint32_t       done;     /* the word it sleeps on */
};

/* A callback of hie_journal_notify. */
typedef struct hie_journal_notice_t  hie_journal_notice_t;
struct hie_journal_notice_t {
    hie_journal_notice_t  *next;
    uint64_t               seq;
    hie_journal_cb        *cb;
    void                  *baton;
    hie_rc_t               rc;
};

/* How the flusher sleeps, and so who wakes it. */
typedef enum {
    HIE_JOURNAL_AWAKE = 0,
    HIE_JOURNAL_DOZES,       /* for a moment: who waits for a record does */
    HIE_JOURNAL_SLEEPS       /* until further notice: who appends one, too */
} hie_journal_sleep_t;

struct hie_journal_t {
    pid_t                  pid;          /* the only one that may write */
    int                    dirfd;
    const char            *name;
    char                   writer[HIE_ULID_LEN + 1];
    size_t                 segment_size;
    size_t                 buffer_size;
    size_t                 max_record;   /* payload */
    hie_thread_t          *flusher;
    hie_thread_t          *preparer;

    /* Guards what follows. Never held over a system call that waits. */
    pthread_mutex_t        mutex;
    pthread_cond_t         flush;        /* to the flusher */
    pthread_cond_t         prepare;      /* between flusher and preparer */

    hie_journal_buffer_t   buffers[2];
    hie_journal_buffer_t  *active;
    size_t                 flying;       /* bytes in the other buffer */
    uint64_t               seq;          /* of the last record appended */
    uint64_t               settled;      /* all up to it: durable or lost */
    hie_journal_range_t    lost[HIE_JOURNAL_LOST];
    int                    n_lost;
    hie_journal_waiter_t  *waiters;
    hie_journal_notice_t  *notices;
    hie_journal_notice_t **notices_end;
    hie_journal_notice_t  *spare;        /* notices to use again */
    apr_pool_t            *notice_pool;
    uint64_t               syncs;
    uint64_t               failures;
    uint64_t               wanted;       /* somebody waits for all up to it */
    int                    asking;       /* waits since the last swap */
    hie_journal_sleep_t    sleep;        /* of the flusher */
    bool                   down;         /* nothing can be written now */
    bool                   closing;

    bool                   preparing;
    size_t                 prepare_size; /* wanted; 0: nothing is */
    hie_journal_segment_t  next;         /* fd -1: not there */

    /* The flusher's alone. */
    hie_journal_segment_t  current;      /* fd -1 while down */
    bool                   asked;        /* for the segment after it */
    bool                   company;      /* the last sync had several waiters */
};

/* Thread functions, baton the handle. */
void
hie_journal_flusher(void *baton);
void
hie_journal_preparer(void *baton);

/* With the mutex: somebody waits for `seq`. True: the caller has to signal
 * `flush` when it has released the mutex. */
bool
hie_journal_want(hie_journal_t *j, uint64_t seq);

/* Everything up to `seq` has its outcome `rc` (HIE_OK, or HIE_UNAVAILABLE);
 * tells those who asked. On the flusher, without the mutex. */
void
hie_journal_settle(hie_journal_t *j, uint64_t seq, hie_rc_t rc);

/* Bytes of the first segment of a writer. */
size_t
hie_journal_first_size(const hie_journal_t *j);

#endif
