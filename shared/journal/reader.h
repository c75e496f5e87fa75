/*
 * The reading side, inside.
 */

#ifndef HIE_JOURNAL_READER_H
#define HIE_JOURNAL_READER_H

#include "journal/format.h"
#include "journal/journal.h"

#include <apr_hash.h>

typedef enum {
    HIE_JOURNAL_FOUND = 1,   /* in the directory; not opened yet */
    HIE_JOURNAL_READING,
    HIE_JOURNAL_READ,        /* to its end, and its writer is gone */
    HIE_JOURNAL_GONE         /* removed, or set aside */
} hie_journal_state_t;

/* A segment that is or was in the directory. */
typedef struct hie_journal_source_t  hie_journal_source_t;
struct hie_journal_source_t {
    hie_journal_source_t  *next;         /* by name */
    hie_journal_state_t    state;
    char                   name[HIE_ULID_LEN + 1];
    char                   writer[HIE_ULID_LEN + 1];
    uint32_t               check;        /* of the header */
    int                    fd;           /* -1: not open */
    bool                   sealed;       /* its writer is gone; we lock it */
    uint64_t               offset;
};

struct hie_journal_reader_t {
    apr_pool_t            *pool;
    int                    dirfd;
    const char            *name;
    apr_hash_t            *sought;       /* name: uint64_t *; not met yet */

    hie_journal_source_t  *first;
    hie_journal_source_t  *current;      /* NULL: between two rounds */
    int                    turn;         /* records of the current one */
    hie_journal_source_t  *spare;

    /* A piece of a file. */
    apr_pool_t            *window_pool;
    char                  *window;
    size_t                 window_size;
    hie_journal_source_t  *window_of;    /* NULL: nothing in it */
    uint64_t               window_at;
    size_t                 window_len;
};

/*
 * The directory.
 */

/* Brings the list of sources up to date. False with errno. */
HIE_BLOCKING bool
hie_journal_reader_scan(hie_journal_reader_t *r);
/* Removes files whose making was interrupted long ago. */
HIE_BLOCKING void
hie_journal_reader_tidy(hie_journal_reader_t *r);

/*
 * One source.
 */

/* HIE_OK when there is something to read from, HIE_NOT_FOUND when there is
 * not (now, or ever: see its state), HIE_UNAVAILABLE with errno, HIE_INVALID
 * when its header is damaged. */
HIE_BLOCKING hie_rc_t
hie_journal_source_open(hie_journal_reader_t *r, hie_journal_source_t *s);
/* The record at the offset, with the same results. */
HIE_BLOCKING hie_rc_t
hie_journal_source_next(hie_journal_reader_t *r, hie_journal_source_t *s,
                        hie_journal_record_t *record);
void
hie_journal_source_close(hie_journal_reader_t *r, hie_journal_source_t *s);

#endif
