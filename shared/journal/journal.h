/*
 * journal: a durable local log.
 *
 * A journal is a directory of segment files. Every process that writes has a
 * segment of its own (ULID name, held by flock), so writers share nothing but
 * the directory; within a process any number of threads append to one handle
 * and one flusher thread writes and syncs for all of them (group commit).
 *
 * A record is durable when `hie_journal_wait` returns HIE_OK or its callback
 * said so: then it survives kill -9 and, as far as the device honours
 * fdatasync, loss of power. A sync that failed is never tried again on the
 * same file: the journal moves to a new segment, writes the unacknowledged
 * records there, and fails its waiters if that does not succeed either.
 *
 * A segment that ends in the middle of a record (crash) is recovered to its
 * last whole record; what follows was never acknowledged.
 *
 * A record may turn up twice, or though its waiter was told HIE_UNAVAILABLE:
 * the segment that was abandoned is cut after its last acknowledged record,
 * but a disk that fails may refuse that as well. HIE_OK is a promise,
 * HIE_UNAVAILABLE is none.
 *
 * A handle belongs to the process that opened it. In a child of fork every
 * function refuses (HIE_UNAVAILABLE); closing there only closes files.
 */

#ifndef HIE_JOURNAL_H
#define HIE_JOURNAL_H

#include "base/base.h"

typedef struct hie_journal_t  hie_journal_t;

/* 0: 64 MiB, 8 MiB. Each is brought into 4 KiB to 1 GiB. The first segments
 * of a writer are smaller, so that opening is quick. */
typedef struct {
    size_t  segment;      /* bytes of a segment file before the next begins */
    size_t  buffer;       /* bytes that may wait for a sync */
} hie_journal_options_t;

/* Makes the directory `dir`/`name` (0700) if it is not there; `dir` must be,
 * and `name` is of letters, digits, '_' and '-'. Blocking. The handle lives
 * in `pool`; its threads run until hie_journal_close, which must come before
 * the pool ends. HIE_UNAVAILABLE when files cannot be made. */
HIE_BLOCKING hie_rc_t
hie_journal_open(apr_pool_t *pool, const char *dir, const char *name,
                 const hie_journal_options_t *options, hie_journal_t **out,
                 hie_error_t *err);

/* Copies the record into the buffer; never waits for the disk, any thread.
 * `seq` is the place in this handle's order, from 1. HIE_BUSY when the buffer
 * is full, HIE_TOO_LARGE when it can never fit a segment and the buffer,
 * HIE_UNAVAILABLE after a failure of the disk that lasts: what waits then is
 * lost, and records are taken again when the disk is back. */
hie_rc_t
hie_journal_append(hie_journal_t *j, const void *record, size_t len,
                   uint64_t *seq, hie_error_t *err);

/* Waits until the record `seq` and all before it that were not lost are
 * durable; HIE_UNAVAILABLE when it was lost itself, HIE_INVALID when there is
 * no such record. */
HIE_BLOCKING hie_rc_t
hie_journal_wait(hie_journal_t *j, uint64_t seq, hie_error_t *err);

/* The same without waiting: `cb` is called once, on the flusher thread (or at
 * once, if that is known already), with HIE_OK or HIE_UNAVAILABLE. It must not
 * block. A result other than HIE_OK: it will not be called. */
typedef void hie_journal_cb(void *baton, hie_rc_t rc);
hie_rc_t
hie_journal_notify(hie_journal_t *j, uint64_t seq, hie_journal_cb *cb,
                   void *baton, hie_error_t *err);

typedef struct {
    uint64_t  records;       /* appended */
    uint64_t  syncs;         /* fdatasync calls */
    uint64_t  failures;      /* of write or sync */
    size_t    pending;       /* bytes waiting now */
} hie_journal_stats_t;

void
hie_journal_stats(hie_journal_t *j, hie_journal_stats_t *out);

/* Syncs what is left, joins the threads, gives up the segment. No other thread
 * may use the handle from here on; callbacks are still called. */
HIE_BLOCKING void
hie_journal_close(hie_journal_t *j);


/*
 * Reading: for the one process that works a journal off. Records come in the
 * order of each segment, and in the order of each handle over all its
 * segments; otherwise segments take turns in the order of their names, those
 * of living writers too. The reader sees records that are written but not
 * synced yet; whoever acts on one must be able to do so twice or not mind.
 */
typedef struct hie_journal_reader_t  hie_journal_reader_t;

#define HIE_JOURNAL_SEGMENT_LEN  HIE_ULID_LEN
typedef struct {
    char      segment[HIE_JOURNAL_SEGMENT_LEN + 1];
    uint64_t  offset;        /* bytes: where the next record begins */
} hie_journal_position_t;

HIE_BLOCKING hie_rc_t
hie_journal_reader_open(apr_pool_t *pool, const char *dir, const char *name,
                        hie_journal_reader_t **out, hie_error_t *err);

/* Where to go on in a segment, as stored by the caller; segments that are not
 * told about, or with an offset that cannot be one, begin at their first
 * record. Call before the first read. */
void
hie_journal_reader_seek(hie_journal_reader_t *r,
                        const hie_journal_position_t *position);

/* The next record, or HIE_NOT_FOUND when there is none now: the caller waits
 * and calls again, and new segments are seen then. `record` is valid until
 * the next call; `next` is the position after it, to be stored together with
 * the record's effect. Between records of one segment others of other
 * segments may come. HIE_INVALID: a damaged record in a segment, reported
 * once; the segment is set aside (renamed to *.damaged), reading goes on. In
 * the segment of a living writer damage is only told when it leaves it.
 * HIE_UNAVAILABLE: a file cannot be read now; others are with later calls. */
HIE_BLOCKING hie_rc_t
hie_journal_reader_next(hie_journal_reader_t *r, hie_str_t *record,
                        hie_journal_position_t *next, hie_error_t *err);

/* Removes every segment whose writer is gone and whose records have all been
 * read, and tells its name so that the caller can forget its position; also
 * the names of segments set aside, and of those in a position that was sought
 * and that do not exist. Call only when the effects of all records read so
 * far are committed. `cb` may be NULL. */
typedef void hie_journal_removed_cb(void *baton, const char *segment);
HIE_BLOCKING void
hie_journal_reader_release(hie_journal_reader_t *r,
                           hie_journal_removed_cb *cb, void *baton);

HIE_BLOCKING void
hie_journal_reader_close(hie_journal_reader_t *r);

#endif
