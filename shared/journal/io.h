/*
 * The system calls on whose failure durability depends, in a table, so that a
 * test can make any of them fail, or end the process in the middle of one.
 */

#ifndef HIE_JOURNAL_IO_H
#define HIE_JOURNAL_IO_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    ssize_t  (*pwrite)(int fd, const void *ptr, size_t len, off_t offset);
    int      (*fdatasync)(int fd);
    int      (*fsync)(int fd);           /* directories */
} hie_journal_io_t;

/* A test replaces entries while no journal is open. */
extern hie_journal_io_t  hie_journal_io;

/* All of it or false with errno. */
bool
hie_journal_write(int fd, const void *ptr, size_t len, off_t offset);
/* As much as there is up to `len`, or -1 with errno. */
ssize_t
hie_journal_read(int fd, void *ptr, size_t len, off_t offset);

#endif
