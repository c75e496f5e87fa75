/*
 * Reading one segment file: what is whole, and what its end means.
 */

#include "journal/reader.h"

#include "journal/io.h"
#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>


#define WINDOW  (256 * 1024)


void
hie_journal_source_close(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
    if (r->window_of == s) {
        r->window_of = NULL;
    }
}


/* What of the file the window holds from `at` on. */
static size_t
window_have(const hie_journal_reader_t *r, const hie_journal_source_t *s,
            uint64_t at)
{
    if (r->window_of != s || at < r->window_at
        || at - r->window_at > r->window_len)
    {
        return 0;
    }
    return r->window_len - (size_t) (at - r->window_at);
}


static const char *
window_ptr(const hie_journal_reader_t *r, uint64_t at)
{
    return r->window + (at - r->window_at);
}


/* Reads `len` bytes from `at` on, fewer where the file ends. */
static bool
window_fill(hie_journal_reader_t *r, hie_journal_source_t *s, uint64_t at,
            size_t len)
{
    ssize_t  n;

    r->window_of = NULL;

    if (len > r->window_size) {
        apr_pool_clear(r->window_pool);
        r->window = apr_palloc(r->window_pool, len);
        r->window_size = len;
    }

    n = hie_journal_read(s->fd, r->window, len, (off_t) at);
    if (n < 0) {
        return false;
    }

    r->window_of = s;
    r->window_at = at;
    r->window_len = (size_t) n;
    return true;
}


static bool
file_size(const hie_journal_source_t *s, uint64_t *size)
{
    struct stat  st;

    if (fstat(s->fd, &st) != 0) {
        return false;
    }
    *size = (uint64_t) st.st_size;
    return true;
}


/* Looks for a record at `at`. What the window says is only good for a record
 * that is whole: the file may have grown since. */
static bool
load(hie_journal_reader_t *r, hie_journal_source_t *s, uint64_t at,
     hie_journal_found_t *found, hie_journal_record_t *record)
{
    uint64_t  size;
    size_t    have = window_have(r, s, at);

    if (have > 0) {
        *found = hie_journal_record_read(window_ptr(r, at), have, s->check,
                                         record);
        if (*found == HIE_JOURNAL_WHOLE) {
            return true;
        }
    }

    if (!window_fill(r, s, at, WINDOW)) {
        return false;
    }
    *found = hie_journal_record_read(window_ptr(r, at), window_have(r, s, at),
                                     s->check, record);
    if (*found != HIE_JOURNAL_PART) {
        return true;
    }

    if (!file_size(s, &size)) {
        return false;
    }
    if (size < at || size - at < record->size) {
        return true;
    }
    if (!window_fill(r, s, at, record->size)) {
        return false;
    }
    *found = hie_journal_record_read(window_ptr(r, at), window_have(r, s, at),
                                     s->check, record);
    return true;
}


/* Whether a whole record of a later batch follows the offset, where no whole
 * one is. Then the one at the offset had been durable. */
static bool
find_later(hie_journal_reader_t *r, hie_journal_source_t *s, bool *later)
{
    hie_journal_record_t  record;
    hie_journal_found_t   found;
    uint64_t              at;

    *later = false;

    for (at = s->offset + 8; ; at += 8) {
        if (window_have(r, s, at) < HIE_JOURNAL_RECORD) {
            if (!window_fill(r, s, at, WINDOW)) {
                return false;
            }
            if (r->window_len < HIE_JOURNAL_RECORD) {
                return true;
            }
        }

        found = hie_journal_record_read(window_ptr(r, at),
                                        window_have(r, s, at), s->check,
                                        &record);
        if (found == HIE_JOURNAL_NONE) {
            continue;
        }
        if (!load(r, s, at, &found, &record)) {
            return false;
        }
        if (found == HIE_JOURNAL_WHOLE && record.back <= at
            && at - record.back > s->offset)
        {
            *later = true;
            return true;
        }
    }
}


/* Whether the file has nothing but zeros. */
static bool
find_blank(hie_journal_reader_t *r, hie_journal_source_t *s, bool *blank)
{
    uint64_t  at = 0;
    size_t    i;

    *blank = false;

    do {
        if (!window_fill(r, s, at, WINDOW)) {
            return false;
        }
        for (i = 0; i < r->window_len; i++) {
            if (r->window[i] != 0) {
                return true;
            }
        }
        at += r->window_len;
    } while (r->window_len > 0);

    *blank = true;
    return true;
}


/* The lock is held by whoever writes the file, so having it means that what
 * is there now is all there will be. */
static bool
is_sealed(hie_journal_source_t *s)
{
    if (!s->sealed) {
        s->sealed = flock(s->fd, LOCK_EX | LOCK_NB) == 0;
    }
    return s->sealed;
}


static hie_rc_t
set_aside(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    char  file[HIE_JOURNAL_FILE_MAX], aside[HIE_JOURNAL_FILE_MAX];

    hie_journal_file(file, s->name, HIE_JOURNAL_SUFFIX);
    hie_journal_file(aside, s->name, HIE_JOURNAL_DAMAGED);

    if (renameat(r->dirfd, file, r->dirfd, aside) != 0
        || hie_journal_io.fsync(r->dirfd) != 0)
    {
        hie_log(HIE_LOG_ERROR, "HIE2006", "journal %s: damaged segment %s "
                "cannot be set aside: %s", r->name, s->name, strerror(errno));
    }
    hie_log(HIE_LOG_ERROR, "HIE2007", "journal %s: segment %s is damaged at "
            "offset %llu", r->name, s->name, (unsigned long long) s->offset);

    s->state = HIE_JOURNAL_GONE;
    hie_journal_source_close(r, s);
    return HIE_INVALID;
}


static hie_rc_t
set_read(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    s->state = HIE_JOURNAL_READ;
    hie_journal_source_close(r, s);
    return HIE_NOT_FOUND;
}


/* A file gets its name after its header was synced: one without a header is
 * damaged, or a file system gave back an empty one after a crash. */
static hie_rc_t
open_headless(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    bool  blank;

    if (!is_sealed(s)) {
        hie_journal_source_close(r, s);
        return HIE_NOT_FOUND;
    }
    if (!find_blank(r, s, &blank)) {
        return HIE_UNAVAILABLE;
    }

    s->offset = 0;
    return blank ? set_read(r, s) : set_aside(r, s);
}


hie_rc_t
hie_journal_source_open(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    char                  file[HIE_JOURNAL_FILE_MAX];
    hie_journal_header_t  header;

    if (s->fd < 0) {
        hie_journal_file(file, s->name, HIE_JOURNAL_SUFFIX);
        s->fd = openat(r->dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (s->fd < 0) {
            if (errno == ENOENT) {
                s->state = HIE_JOURNAL_GONE;
                return HIE_NOT_FOUND;
            }
            return HIE_UNAVAILABLE;
        }
    }

    if (s->state == HIE_JOURNAL_READING) {
        return HIE_OK;
    }

    if (!window_fill(r, s, 0, WINDOW)) {
        return HIE_UNAVAILABLE;
    }
    if (!hie_journal_header_read(r->window, r->window_len, &header)
        || strcmp(header.name, s->name) != 0)
    {
        return open_headless(r, s);
    }

    memcpy(s->writer, header.writer, sizeof(s->writer));
    s->check = header.check;
    s->state = HIE_JOURNAL_READING;
    if (s->offset < HIE_JOURNAL_HEADER || s->offset % 8 != 0) {
        s->offset = HIE_JOURNAL_HEADER;
    }
    return HIE_OK;
}


hie_rc_t
hie_journal_source_next(hie_journal_reader_t *r, hie_journal_source_t *s,
                        hie_journal_record_t *record)
{
    hie_journal_found_t  found;
    bool                 sealed, later;

    /* A second time after the lock was had: its writer may have written
     * between our reading and its going. */
    do {
        sealed = s->sealed;
        if (!load(r, s, s->offset, &found, record)) {
            return HIE_UNAVAILABLE;
        }
        if (found == HIE_JOURNAL_WHOLE) {
            s->offset += record->size;
            return HIE_OK;
        }
        if (!is_sealed(s)) {
            return HIE_NOT_FOUND;
        }
    } while (!sealed);

    if (!find_later(r, s, &later)) {
        return HIE_UNAVAILABLE;
    }
    return later ? set_aside(r, s) : set_read(r, s);
}
