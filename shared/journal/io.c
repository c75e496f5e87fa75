/*
 * Whole reads and writes over the table of system calls.
 */

#include "journal/io.h"

#include <errno.h>
#include <unistd.h>


hie_journal_io_t  hie_journal_io = { pwrite, fdatasync, fsync };


bool
hie_journal_write(int fd, const void *ptr, size_t len, off_t offset)
{
    const char  *p = ptr;
    ssize_t      n;

    while (len > 0) {
        n = hie_journal_io.pwrite(fd, p, len, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            if (n == 0) {
                errno = EIO;
            }
            return false;
        }
        p += n;
        len -= (size_t) n;
        offset += n;
    }

    return true;
}


ssize_t
hie_journal_read(int fd, void *ptr, size_t len, off_t offset)
{
    char     *p = ptr;
    size_t    have = 0;
    ssize_t   n;

    while (have < len) {
        n = pread(fd, p + have, len - have, offset + (off_t) have);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        if (n == 0) {
            break;
        }
        have += (size_t) n;
    }

    return (ssize_t) have;
}
