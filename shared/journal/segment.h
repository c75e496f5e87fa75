/*
 * The segment files of one directory, as their writer sees them.
 *
 * A segment is made as <ULID>.new and gets its name <ULID>.jnl when it is
 * locked, has its header, is filled with zeros and synced. So whoever finds a
 * .jnl file that can be locked knows that its writer is gone.
 */

#ifndef HIE_JOURNAL_SEGMENT_H
#define HIE_JOURNAL_SEGMENT_H

#include "base/base.h"

#define HIE_JOURNAL_SUFFIX      ".jnl"
#define HIE_JOURNAL_NEW         ".new"
#define HIE_JOURNAL_DAMAGED     ".damaged"
#define HIE_JOURNAL_SUFFIX_MAX  8
#define HIE_JOURNAL_FILE_MAX    (HIE_ULID_LEN + HIE_JOURNAL_SUFFIX_MAX + 1)

typedef struct {
    int       fd;            /* -1: none */
    char      name[HIE_ULID_LEN + 1];
    uint32_t  check;         /* of the header; seals the records */
    size_t    size;          /* written ahead */
    size_t    end;           /* after the last durable record */
} hie_journal_segment_t;

/* `name` and `suffix` as a file name. */
void
hie_journal_file(char out[HIE_JOURNAL_FILE_MAX], const char *name,
                 const char *suffix);
/* Whether the file name is a segment's with this suffix. */
bool
hie_journal_file_is(const char *file, const char *suffix);

/* Opens the directory `dir`/`name`; made if `make`. False with errno. */
HIE_BLOCKING bool
hie_journal_directory(const char *dir, const char *name, bool make, int *fd);

/* A new segment, locked, durable, empty. `writer` NULL: the first one of its
 * writer. False with errno; nothing is left behind then. */
HIE_BLOCKING bool
hie_journal_segment_create(int dirfd, const char *writer, size_t size,
                           hie_journal_segment_t *out);

/* Cuts the file after its last durable record, gives up the lock and closes;
 * removes a segment without records. What fails here only leaves bytes that
 * nobody was promised. */
HIE_BLOCKING void
hie_journal_segment_finish(int dirfd, hie_journal_segment_t *s);

#endif
