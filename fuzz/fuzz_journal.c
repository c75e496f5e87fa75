/*
 * Reading a segment file whose bytes were changed.
 *
 * The first byte of the input chooses: 0, the rest is the file as it is; else
 * that many records are written as a writer would, and the rest are triples
 * (offset low, offset high, difference) by which bytes of them are changed.
 * Whatever was changed, the records that are read must be the first of those
 * that were written, up to at least the one before the first change.
 */

#include "journal/format.h"
#include "journal/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>


#define NAME      "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define FILE_MAX  (256 * 1024)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char  dir[256], path[512], aside[512];
static char  file[FILE_MAX];


static void
log_nothing(void *baton, hie_log_level_t level, const char *line)
{
}


static void
clean(void)
{
    char  sub[512];

    unlink(path);
    unlink(aside);
    snprintf(sub, sizeof(sub), "%s/fuzz", dir);
    rmdir(sub);
    rmdir(dir);
}


static void
prepare(void)
{
    hie_journal_reader_t  *r;
    apr_pool_t            *pool;
    const char            *tmp = getenv("TMPDIR");

    apr_initialize();
    hie_log_set(log_nothing, NULL, HIE_LOG_ERROR);
    snprintf(dir, sizeof(dir), "%s/hie-fuzz-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/fuzz/%s.jnl", dir, NAME);
    snprintf(aside, sizeof(aside), "%s/fuzz/%s.damaged", dir, NAME);
    atexit(clean);

    pool = hie_pool_create(NULL, "fuzz");
    if (hie_journal_reader_open(pool, dir, "fuzz", &r, NULL) != HIE_OK) {
        abort();
    }
    hie_journal_reader_close(r);
    apr_pool_destroy(pool);
}


/* Record i has i * 5 bytes of the value i; three make a batch. */
static size_t
length_of(int i)
{
    return (size_t) i * 5;
}


static size_t
write_records(int n)
{
    char      payload[256 * 5];
    size_t    at = HIE_JOURNAL_HEADER, batch = at, len;
    uint32_t  check;
    int       i;

    check = hie_journal_header_make(file, NAME, NAME);
    for (i = 0; i < n; i++) {
        len = length_of(i);
        memset(payload, i, len);
        hie_journal_record_put(file + at, payload, len, (uint64_t) i + 1,
                               hie_crc32c(0, payload, len));
        batch = i % 3 == 0 ? at : batch;
        hie_journal_record_seal(file + at, check, at - batch);
        at += hie_journal_record_size(len);
    }
    return at;
}


/* Changes bytes; the first offset that differs. */
static size_t
change(size_t len, const uint8_t *data, size_t size)
{
    static char  before[FILE_MAX];
    size_t       at;

    memcpy(before, file, len);
    for (; size >= 3; data += 3, size -= 3) {
        at = (size_t) data[0] | (size_t) data[1] << 8;
        if (at < len) {
            file[at] ^= (char) data[2];
        }
    }
    for (at = 0; at < len && file[at] == before[at]; at++) {
        /* nothing */
    }
    return at;
}


static void
check_record(hie_str_t record, int i, int n)
{
    size_t  k;

    if (i >= n || record.len != length_of(i)) {
        abort();
    }
    for (k = 0; k < record.len; k++) {
        if ((unsigned char) record.ptr[k] != i) {
            abort();
        }
    }
}


/* Reads the file to its end; how many records it gave. `n` negative: any. */
static int
read_file(size_t len, int n)
{
    hie_journal_reader_t    *r;
    hie_journal_position_t   at;
    apr_pool_t              *pool = hie_pool_create(NULL, "fuzz");
    hie_str_t                record;
    hie_rc_t                 rc;
    int                      fd, i = 0, damaged = 0;

    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, file, len) != (ssize_t) len) {
        abort();
    }
    close(fd);

    if (hie_journal_reader_open(pool, dir, "fuzz", &r, NULL) != HIE_OK) {
        abort();
    }
    while ((rc = hie_journal_reader_next(r, &record, &at, NULL))
           != HIE_NOT_FOUND)
    {
        if (rc == HIE_OK) {
            if (n >= 0) {
                check_record(record, i, n);
            }
            i++;
        } else if (rc != HIE_INVALID || damaged++ > 0) {
            abort();
        }
    }

    hie_journal_reader_release(r, NULL, NULL);
    if (access(path, F_OK) == 0 || (access(aside, F_OK) == 0) != damaged) {
        abort();
    }
    unlink(aside);
    hie_journal_reader_close(r);
    apr_pool_destroy(pool);
    return i;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t  len, first, at = HIE_JOURNAL_HEADER;
    int     n, i, found;

    if (dir[0] == '\0') {
        prepare();
    }
    if (size < 1 || size > FILE_MAX) {
        return 0;
    }

    n = data[0];
    if (n == 0) {
        memcpy(file, data + 1, size - 1);
        read_file(size - 1, -1);
        return 0;
    }

    len = write_records(n);
    first = change(len, data + 1, size - 1);
    found = read_file(len, n);
    for (i = 0; i < found && i < n; i++) {
        at += hie_journal_record_size(length_of(i));
    }
    if (found < n && at + hie_journal_record_size(length_of(found)) <= first) {
        abort();
    }
    return 0;
}
