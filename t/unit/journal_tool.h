/*
 * What the test programs of the journal share: a directory of its own for
 * every test, faults in the system calls, and short forms of the common steps.
 */

#ifndef JOURNAL_TOOL_H
#define JOURNAL_TOOL_H

#include "journal/journal.h"

#include <stdatomic.h>
#include <sys/types.h>

/* Set up by tool_setup for every test. */
extern apr_pool_t  *pool;
extern char         dir[];

int
tool_group_setup(void **state);
int
tool_setup(void **state);
int
tool_teardown(void **state);

/* Faults; all off at the start of a test. */
extern _Atomic int   fail_write;      /* so many writes to segments fail */
extern _Atomic int   fail_sync;       /* so many syncs of records fail */
extern _Atomic int   fail_error;      /* with this errno */
extern _Atomic int   short_write;     /* bytes per write, 0: all */
extern _Atomic bool  gate_shut;       /* syncs wait */
extern _Atomic bool  gate_reached;    /* one has begun to */
extern _Atomic int   kill_at;         /* SIGKILL in the n-th call, 0: never */
extern _Atomic int   synced_twice;    /* syncs of a file after one failed */

hie_journal_t *
writer_open(size_t segment, size_t buffer);
void
writer_close(hie_journal_t *j);
uint64_t
append(hie_journal_t *j, const char *record);
/* Appends and waits. */
void
store(hie_journal_t *j, const char *record);
/* Waits until `pending` bytes wait for the disk. */
void
wait_pending(hie_journal_t *j, size_t pending);

hie_journal_reader_t *
reader_open(void);
/* The next record must be `record`, or none with NULL. */
void
expect(hie_journal_reader_t *r, const char *record);
hie_rc_t
next_number(hie_journal_reader_t *r, uint64_t *number,
            hie_journal_position_t *position);

/* How many names in the journal's directory end so, and the last of them in
 * the order of names. */
int
count_files(const char *suffix, char *path, size_t size);
char *
slurp(const char *path, size_t *len);
void
spit(const char *path, const void *ptr, size_t len);
void
remove_files(void);

#endif
