/*
 * Tools of the journal's test programs.
 */

#include "journal_tool.h"

#include "journal/format.h"
#include "journal/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>


#define FAILED_MAX  64

apr_pool_t   *pool;
char          dir[256];
_Atomic int   fail_write, fail_sync, fail_error, short_write;
_Atomic bool  gate_shut, gate_reached;
_Atomic int   kill_at, synced_twice;

/* A test that fails leaves its threads behind, and the pool to them. */
static int            n_writers;

static uint64_t       failed[FAILED_MAX];
static _Atomic int    n_failed;


/* Ends the process when the count of calls reaches `kill_at`. */
static bool
is_last_call(void)
{
    return kill_at > 0 && atomic_fetch_sub(&kill_at, 1) == 1;
}


static bool
take(_Atomic int *count)
{
    if (*count <= 0) {
        return false;
    }
    (*count)--;
    errno = fail_error;
    return true;
}


static ssize_t
fault_pwrite(int fd, const void *ptr, size_t len, off_t offset)
{
    if (is_last_call()) {
        len = pwrite(fd, ptr, len / 2, offset) > 0;
        raise(SIGKILL);
    }
    if (take(&fail_write)) {
        return -1;
    }
    if (short_write > 0 && len > (size_t) short_write) {
        len = (size_t) short_write;
    }
    return pwrite(fd, ptr, len, offset);
}


static int
fault_fdatasync(int fd)
{
    uint64_t  id = 0, record = 0;
    int       i;

    if (is_last_call()) {
        raise(SIGKILL);
    }
    while (gate_shut) {
        gate_reached = true;
        usleep(500);
    }

    /* The salt of the header; numbers of files are used again. */
    if (pread(fd, &id, sizeof(id), 16) != sizeof(id)) {
        abort();
    }
    for (i = 0; i < n_failed; i++) {
        synced_twice += failed[i] == id;
    }
    if (pread(fd, &record, sizeof(record), HIE_JOURNAL_HEADER) > 0
        && record != 0 && take(&fail_sync))
    {
        if (n_failed < FAILED_MAX) {
            failed[n_failed++] = id;
        }
        errno = fail_error;
        return -1;
    }
    return fdatasync(fd);
}


static int
fault_fsync(int fd)
{
    if (is_last_call()) {
        raise(SIGKILL);
    }
    return fsync(fd);
}


static void
log_nothing(void *baton, hie_log_level_t level, const char *line)
{
}


int
tool_group_setup(void **state)
{
    apr_initialize();
    hie_log_set(log_nothing, NULL, HIE_LOG_DEBUG);
    hie_journal_io.pwrite = fault_pwrite;
    hie_journal_io.fdatasync = fault_fdatasync;
    hie_journal_io.fsync = fault_fsync;
    return 0;
}


int
tool_setup(void **state)
{
    const char  *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/hie-journal-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    pool = hie_pool_create(NULL, "test");
    fail_write = fail_sync = short_write = kill_at = 0;
    synced_twice = n_failed = 0;
    fail_error = EIO;
    gate_shut = gate_reached = false;
    return mkdtemp(dir) == NULL;
}


/* Calls for every file; an order by name where `last` is wanted. */
static int
each_file(const char *suffix, bool unlink_it, char *last, size_t size)
{
    char            path[512], best[256] = "";
    struct dirent  *e;
    size_t          len, end = strlen(suffix);
    int             n = 0;
    DIR            *d;

    snprintf(path, sizeof(path), "%s/test", dir);
    d = opendir(path);
    if (d == NULL) {
        return 0;
    }

    while ((e = readdir(d)) != NULL) {
        len = strlen(e->d_name);
        if (e->d_name[0] == '.' || len < end
            || strcmp(e->d_name + len - end, suffix) != 0)
        {
            continue;
        }
        n++;
        if (strcmp(e->d_name, best) > 0) {
            snprintf(best, sizeof(best), "%s", e->d_name);
        }
        if (unlink_it) {
            unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    closedir(d);

    if (last != NULL) {
        snprintf(last, size, "%s/test/%s", dir, best);
    }
    return n;
}


int
count_files(const char *suffix, char *path, size_t size)
{
    return each_file(suffix, false, path, size);
}


void
remove_files(void)
{
    each_file("", true, NULL, 0);
}


int
tool_teardown(void **state)
{
    char  path[512];

    remove_files();
    snprintf(path, sizeof(path), "%s/test", dir);
    rmdir(path);
    if (n_writers == 0) {
        apr_pool_destroy(pool);
    }
    n_writers = 0;
    return rmdir(dir);
}


hie_journal_t *
writer_open(size_t segment, size_t buffer)
{
    hie_journal_options_t   options = { segment, buffer };
    hie_journal_t          *j;
    hie_error_t             err;

    if (hie_journal_open(pool, dir, "test", &options, &j, &err) != HIE_OK) {
        fail_msg("open: %s", err.detail);
    }
    n_writers++;
    return j;
}


void
writer_close(hie_journal_t *j)
{
    n_writers--;
    hie_journal_close(j);
}


uint64_t
append(hie_journal_t *j, const char *record)
{
    hie_error_t  err;
    uint64_t     seq;

    if (hie_journal_append(j, record, strlen(record), &seq, &err) != HIE_OK) {
        fail_msg("append: %s", err.detail);
    }
    return seq;
}


void
store(hie_journal_t *j, const char *record)
{
    hie_error_t  err;

    if (hie_journal_wait(j, append(j, record), &err) != HIE_OK) {
        fail_msg("wait: %s", err.detail);
    }
}


void
wait_pending(hie_journal_t *j, size_t pending)
{
    hie_journal_stats_t  stats;
    int                  i;

    for (i = 0; i < 5000; i++) {
        hie_journal_stats(j, &stats);
        if (stats.pending == pending) {
            return;
        }
        usleep(1000);
    }
    fail_msg("%zu bytes pending, expected %zu", stats.pending, pending);
}


hie_journal_reader_t *
reader_open(void)
{
    hie_journal_reader_t  *r;
    hie_error_t            err;

    if (hie_journal_reader_open(pool, dir, "test", &r, &err) != HIE_OK) {
        fail_msg("reader: %s", err.detail);
    }
    return r;
}


void
expect(hie_journal_reader_t *r, const char *record)
{
    hie_journal_position_t  position;
    hie_error_t             err;
    hie_str_t               found;
    hie_rc_t                rc;

    rc = hie_journal_reader_next(r, &found, &position, &err);
    if (record == NULL) {
        assert_int_equal(rc, HIE_NOT_FOUND);
        return;
    }
    assert_int_equal(rc, HIE_OK);
    if (!hie_str_eqz(found, record)) {
        fail_msg("record '%.*s', expected '%s'", HIE_PRISTR(found), record);
    }
}


hie_rc_t
next_number(hie_journal_reader_t *r, uint64_t *number,
            hie_journal_position_t *position)
{
    hie_journal_position_t  unused;
    hie_error_t             err;
    hie_str_t               found, rest;
    hie_rc_t                rc;

    rc = hie_journal_reader_next(r, &found,
                                 position != NULL ? position : &unused, &err);
    if (rc == HIE_OK
        && !hie_str_u64(hie_str_split(found, ' ', &rest), number))
    {
        fail_msg("not a number: '%.*s'", HIE_PRISTR(found));
    }
    return rc;
}


char *
slurp(const char *path, size_t *len)
{
    struct stat  st;
    char        *ptr;
    int          fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *len = (size_t) st.st_size;
    ptr = apr_palloc(pool, *len + 1);
    assert_int_equal(read(fd, ptr, *len), *len);
    close(fd);
    return ptr;
}


void
spit(const char *path, const void *ptr, size_t len)
{
    int  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, ptr, len), len);
    close(fd);
}
