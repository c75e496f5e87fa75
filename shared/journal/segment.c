/*
 * Making and giving up segment files.
 */

#include "journal/segment.h"

#include "journal/format.h"
#include "journal/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>


#define ULID_ALPHABET  "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/* Zeros are synced in pieces, so that filling a large segment does not pile
 * up in front of the small syncs that somebody waits for. */
#define FILL_WRITE     (256 * 1024)
#define FILL_SYNC      (1024 * 1024)


void
hie_journal_file(char out[HIE_JOURNAL_FILE_MAX], const char *name,
                 const char *suffix)
{
    snprintf(out, HIE_JOURNAL_FILE_MAX, "%.*s%s", HIE_ULID_LEN, name, suffix);
}


bool
hie_journal_file_is(const char *file, const char *suffix)
{
    return strspn(file, ULID_ALPHABET) == HIE_ULID_LEN
           && strcmp(file + HIE_ULID_LEN, suffix) == 0;
}


/* A name of a directory in `dir`, and nothing else. */
static bool
name_valid(const char *name)
{
    size_t  n;

    n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789_-");
    return n > 0 && n <= 64 && name[n] == '\0';
}


bool
hie_journal_directory(const char *dir, const char *name, bool make, int *fd)
{
    int  parent, error;

    *fd = -1;

    if (!name_valid(name)) {
        errno = EINVAL;
        return false;
    }

    parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) {
        return false;
    }

    if (!make
        || (mkdirat(parent, name, 0700) == 0
            ? hie_journal_io.fsync(parent) == 0 : errno == EEXIST))
    {
        *fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }

    error = errno;
    close(parent);
    errno = error;
    return *fd >= 0;
}


/* The header and zeros behind it: a sync of a record then changes neither
 * the size nor the extents of the file, and needs no metadata commit. */
static bool
fill(hie_journal_segment_t *s, const char *writer)
{
    static const char  zeros[FILL_WRITE];
    char               header[HIE_JOURNAL_HEADER];
    size_t             at, n;

    s->check = hie_journal_header_make(header, s->name, writer);
    if (!hie_journal_write(s->fd, header, sizeof(header), 0)) {
        return false;
    }

    for (at = sizeof(header); at < s->size; at += n) {
        n = FILL_WRITE - at % FILL_WRITE;
        if (n > s->size - at) {
            n = s->size - at;
        }
        if (!hie_journal_write(s->fd, zeros, n, (off_t) at)) {
            return false;
        }
        if (((at + n) % FILL_SYNC == 0 || at + n == s->size)
            && hie_journal_io.fdatasync(s->fd) != 0)
        {
            return false;
        }
    }

    return true;
}


bool
hie_journal_segment_create(int dirfd, const char *writer, size_t size,
                           hie_journal_segment_t *out)
{
    char  young[HIE_JOURNAL_FILE_MAX], file[HIE_JOURNAL_FILE_MAX];
    int   error;

    memset(out, 0, sizeof(*out));
    hie_ulid(out->name);
    out->size = size;
    out->end = HIE_JOURNAL_HEADER;
    hie_journal_file(young, out->name, HIE_JOURNAL_NEW);
    hie_journal_file(file, out->name, HIE_JOURNAL_SUFFIX);

    out->fd = openat(dirfd, young,
                     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out->fd < 0) {
        return false;
    }

    if (flock(out->fd, LOCK_EX | LOCK_NB) == 0
        && fill(out, writer != NULL ? writer : out->name)
        && renameat(dirfd, young, dirfd, file) == 0)
    {
        if (hie_journal_io.fsync(dirfd) == 0) {
            return true;
        }
        error = errno;
        unlinkat(dirfd, file, 0);

    } else {
        error = errno;
        unlinkat(dirfd, young, 0);
    }

    close(out->fd);
    out->fd = -1;
    errno = error;
    return false;
}


void
hie_journal_segment_finish(int dirfd, hie_journal_segment_t *s)
{
    char  file[HIE_JOURNAL_FILE_MAX];

    if (s->fd < 0) {
        return;
    }

    if (ftruncate(s->fd, (off_t) s->end) != 0) {
        hie_log(HIE_LOG_WARN, "HIE2001", "journal segment %s cannot be cut at "
                "%zu: %s", s->name, s->end, strerror(errno));
    }
    if (s->end == HIE_JOURNAL_HEADER) {
        hie_journal_file(file, s->name, HIE_JOURNAL_SUFFIX);
        if (unlinkat(dirfd, file, 0) == 0) {
            hie_journal_io.fsync(dirfd);
        }
    }

    /* Not close alone: a child of this process may share the lock. */
    flock(s->fd, LOCK_UN);
    close(s->fd);
    s->fd = -1;
}
