/*
 * The journal's reader, and what it finds after a crash: torn ends, damage,
 * writers that were killed in the middle of anything.
 */

#include "journal_tool.h"

#include "journal/format.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include <cmocka.h>

#include <apr_strings.h>


static char  path[512];      /* of a segment */


/* Counts what release removes and keeps the last name. */
typedef struct {
    int   n;
    char  last[64];
} removed_t;

static void
removed(void *baton, const char *segment)
{
    removed_t  *r = baton;

    r->n++;
    apr_cpystrn(r->last, segment, sizeof(r->last));
}


/* Reads numbers until there are none; they must be 0, 1, ... Gives how many,
 * and in `damaged` how often damage was told. */
static int
read_all(int *damaged)
{
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number;
    hie_rc_t               rc;
    int                    n = 0;

    *damaged = 0;
    while ((rc = next_number(r, &number, NULL)) != HIE_NOT_FOUND) {
        if (rc == HIE_INVALID) {
            ++*damaged;
            continue;
        }
        assert_int_equal(rc, HIE_OK);
        assert_int_equal(number, n);
        n++;
    }
    hie_journal_reader_close(r);
    return n;
}


/* A closed segment with records "0", "1", ... in a batch each; its bytes. */
static char *
segment_of(int records, size_t *len)
{
    hie_journal_t  *j = writer_open(0, 0);
    int             i;

    for (i = 0; i < records; i++) {
        store(j, apr_psprintf(pool, "%d and what else is in it", i));
    }
    writer_close(j);
    assert_int_equal(count_files(".jnl", path, sizeof(path)), 1);
    return slurp(path, len);
}


static size_t
record_size(void)
{
    return hie_journal_record_size(strlen("0 and what else is in it"));
}


static void
test_positions(void **state)
{
    hie_journal_reader_t    *r;
    hie_journal_position_t   at[10], junk;
    uint64_t                 n, number;
    size_t                   len;
    removed_t                gone = { 0 };

    segment_of(10, &len);
    r = reader_open();
    for (n = 0; n < 10; n++) {
        assert_int_equal(next_number(r, &number, &at[n]), HIE_OK);
    }
    hie_journal_reader_close(r);

    for (n = 0; n < 9; n++) {
        r = reader_open();
        hie_journal_reader_seek(r, &at[n]);
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        assert_int_equal(number, n + 1);
        hie_journal_reader_close(r);
    }

    /* At the end, and beyond it. */
    for (n = 0; n < 2; n++) {
        at[9].offset += n * 8000;
        r = reader_open();
        hie_journal_reader_seek(r, &at[9]);
        expect(r, NULL);
        hie_journal_reader_close(r);
    }

    /* What cannot be a position begins anew. */
    for (n = 0; n < 3; n++) {
        junk = at[3];
        junk.offset = n == 0 ? 0 : n == 1 ? 64 : junk.offset + 3;
        r = reader_open();
        hie_journal_reader_seek(r, &junk);
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        assert_int_equal(number, 0);
        hie_journal_reader_close(r);
    }

    /* A position whose segment is not there is told as removed. */
    r = reader_open();
    memset(junk.segment, 'Z', HIE_ULID_LEN);
    hie_journal_reader_seek(r, &junk);
    hie_journal_reader_seek(r, &at[0]);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    assert_string_equal(gone.last, junk.segment);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    hie_journal_reader_close(r);
}


static void
test_release(void **state)
{
    hie_journal_reader_t    *r = reader_open();
    hie_journal_position_t   at;
    hie_journal_t           *a = writer_open(0, 0), *b = writer_open(0, 0);
    uint64_t                 number;
    removed_t                gone = { 0 };

    expect(r, NULL);
    store(a, "1");
    expect(r, "1");
    expect(r, NULL);
    store(b, "2");
    store(a, "3");

    /* Living writers keep their segments, read or not. */
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 0);
    writer_close(a);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 0);

    assert_int_equal(next_number(r, &number, &at), HIE_OK);
    assert_int_equal(number, 3);
    assert_int_equal(next_number(r, &number, NULL), HIE_OK);
    assert_int_equal(number, 2);
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    assert_string_equal(gone.last, at.segment);

    store(b, "4");
    expect(r, "4");
    writer_close(b);
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 2);
    assert_int_equal(count_files("", NULL, 0), 0);
    hie_journal_reader_close(r);
}


/* A file that goes away in between is not missed. */
static void
test_vanished(void **state)
{
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number;
    removed_t              gone = { 0 };
    size_t                 len;

    segment_of(3, &len);
    assert_int_equal(next_number(r, &number, NULL), HIE_OK);
    remove_files();
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    expect(r, NULL);
    hie_journal_reader_close(r);
}


/* A long segment does not hide the next one. */
static void
test_turns(void **state)
{
    hie_journal_t         *a = writer_open(0, 0), *b;
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number = 0, next = 0;
    int                    i;

    for (i = 0; i < 3000; i++) {
        append(a, apr_psprintf(pool, "%d", i));
    }
    writer_close(a);
    b = writer_open(0, 0);
    store(b, "7777");

    for (i = 0; number != 7777; i++) {
        assert_true(i < 1000);
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        if (number != 7777) {
            assert_int_equal(number, next++);
        }
    }
    for (; i < 3001; i++) {
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        assert_int_equal(number, next++);
    }
    expect(r, NULL);
    writer_close(b);
    hie_journal_reader_close(r);
}


/* A crash may leave any prefix of the last record, followed by nothing or by
 * the zeros that were written ahead, or any mixture of old and new sectors. */
static void
test_torn(void **state)
{
    size_t   len, at, start;
    char    *data = segment_of(3, &len), *torn;
    int      damaged;

    start = len - record_size();
    torn = apr_pcalloc(pool, len + 8192);
    for (at = start; at < len; at++) {
        spit(path, data, at);
        assert_int_equal(read_all(&damaged), 2);
        assert_int_equal(damaged, 0);

        memcpy(torn, data, at);
        memset(torn + at, 0, len - at);
        spit(path, torn, len + 8192);
        assert_int_equal(read_all(&damaged), 2);
        assert_int_equal(damaged, 0);

        memcpy(torn, data, start);
        memset(torn + start, 0, at + 1 - start);
        memcpy(torn + at + 1, data + at + 1, len - at - 1);
        spit(path, torn, len);
        assert_int_equal(read_all(&damaged), 2);
        assert_int_equal(damaged, 0);
    }
}


/* Damage to what was durable is told once, whatever bit it is. */
static void
test_flipped(void **state)
{
    size_t   len, at, size = record_size();
    char    *data = segment_of(3, &len);
    int      damaged, n, records;

    for (at = 0; at < len; at++) {
        data[at] ^= (char) (1 << at % 8);
        spit(path, data, len);
        data[at] ^= (char) (1 << at % 8);
        n = read_all(&damaged);

        records = at < HIE_JOURNAL_HEADER ? 0
                  : (int) ((at - HIE_JOURNAL_HEADER) / size);
        assert_int_equal(n, records);
        assert_int_equal(damaged, records < 2);
        assert_int_equal(count_files(".damaged", NULL, 0), damaged);
        assert_int_equal(count_files(".jnl", NULL, 0), !damaged);
        remove_files();
    }
}


/* Reading goes on behind a segment that was set aside. */
static void
test_set_aside(void **state)
{
    hie_journal_reader_t    *r;
    hie_journal_position_t   at;
    hie_journal_t           *j;
    hie_error_t              err;
    hie_str_t                record;
    size_t                   len;
    char                    *data = segment_of(3, &len);
    removed_t                gone = { 0 };

    data[HIE_JOURNAL_HEADER + record_size() + 30] ^= 1;
    spit(path, data, len);
    j = writer_open(0, 0);
    store(j, "after");

    r = reader_open();
    expect(r, "0 and what else is in it");
    assert_int_equal(hie_journal_reader_next(r, &record, &at, &err),
                     HIE_INVALID);
    assert_non_null(strstr(err.detail, "offset"));
    assert_null(strstr(err.detail, "what else"));
    expect(r, "after");
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    expect(r, NULL);
    assert_int_equal(count_files(".damaged", NULL, 0), 1);
    writer_close(j);
    hie_journal_reader_close(r);
}


/* Power failed while a batch was written: its sectors come in any order, and
 * none of its records was acknowledged. That is no damage. */
static void
test_torn_batch(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    size_t          len, at, size;
    char           *data;
    int             i, damaged;

    store(j, "0");
    gate_shut = true;
    append(j, "1");
    while (!gate_reached) {
        usleep(1000);
    }
    for (i = 2; i < 6; i++) {
        append(j, apr_psprintf(pool, "%d", i));
    }
    gate_shut = false;
    writer_close(j);
    count_files(".jnl", path, sizeof(path));
    data = slurp(path, &len);
    size = hie_journal_record_size(1);
    assert_int_equal(len, HIE_JOURNAL_HEADER + 6 * size);

    /* Record 3 is in the batch of 2 to 5, record 1 in one before it. */
    at = HIE_JOURNAL_HEADER + 3 * size;
    memset(data + at, 0, size);
    spit(path, data, len);
    assert_int_equal(read_all(&damaged), 3);
    assert_int_equal(damaged, 0);

    memset(data + HIE_JOURNAL_HEADER + size, 0, size);
    spit(path, data, len);
    assert_int_equal(read_all(&damaged), 1);
    assert_int_equal(damaged, 1);
}


/* Bytes of one segment inside a record of another never pass for a record,
 * even when a torn record leaves them in the open. */
static void
test_forged(void **state)
{
    hie_journal_t  *j;
    hie_error_t     err;
    uint64_t        seq;
    size_t          len, size;
    char           *data = segment_of(3, &len);
    int             damaged;

    remove_files();
    j = writer_open(0, 0);
    store(j, "0");
    assert_int_equal(hie_journal_append(j, data + HIE_JOURNAL_HEADER,
                                        len - HIE_JOURNAL_HEADER, &seq, &err),
                     HIE_OK);
    writer_close(j);

    count_files(".jnl", path, sizeof(path));
    data = slurp(path, &size);
    memset(data + HIE_JOURNAL_HEADER + hie_journal_record_size(1), 0,
           HIE_JOURNAL_RECORD);
    spit(path, data, size);
    assert_int_equal(read_all(&damaged), 1);
    assert_int_equal(damaged, 0);
}


static void
test_odd_files(void **state)
{
    static const char      zeros[4096];
    hie_journal_reader_t  *r;
    removed_t              gone = { 0 };
    size_t                 len;
    int                    damaged;

    /* Not a segment's name: left alone. */
    segment_of(1, &len);
    spit(apr_psprintf(pool, "%s/test/notes.jnl", dir), "hello", 5);
    spit(apr_psprintf(pool, "%s/test/01ARZ3NDEKTSV4RRFFQ69G5FAV.new", dir),
         "", 0);
    assert_int_equal(read_all(&damaged), 1);
    assert_int_equal(count_files("", NULL, 0), 3);
    remove_files();

    /* Empty or blank: nothing was ever in it. Anything else is damage. */
    spit(path, "", 0);
    spit(apr_psprintf(pool, "%s/test/01ARZ3NDEKTSV4RRFFQ69G5FAV.jnl", dir),
         zeros, sizeof(zeros));
    assert_int_equal(read_all(&damaged), 0);
    assert_int_equal(damaged, 0);
    r = reader_open();
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    hie_journal_reader_close(r);
    assert_int_equal(gone.n, 2);
    assert_int_equal(count_files("", NULL, 0), 0);

    spit(path, "hello", 5);
    assert_int_equal(read_all(&damaged), 0);
    assert_int_equal(damaged, 1);
    assert_int_equal(count_files(".damaged", NULL, 0), 1);
}


/* What a writer left while it made a segment goes when it is old. */
static void
test_stale(void **state)
{
    char                    *young, *old;
    struct timespec          times[2] = { { 1000, 0 }, { 1000, 0 } };

    hie_journal_reader_close(reader_open());
    young = apr_psprintf(pool, "%s/test/01ARZ3NDEKTSV4RRFFQ69G5FAV.new", dir);
    old = apr_psprintf(pool, "%s/test/01ARZ3NDEKTSV4RRFFQ69G5FAW.new", dir);
    spit(young, "", 0);
    spit(old, "", 0);
    assert_int_equal(utimensat(-1, old, times, 0), 0);
    hie_journal_reader_close(reader_open());
    assert_int_equal(access(young, F_OK), 0);
    assert_int_equal(access(old, F_OK), -1);
}


/* The end of a child: 0, or the negative number of its signal. */
static int
reap(pid_t pid)
{
    int  status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}


/* A child of fork may not write, and its close takes nothing away. */
static void
test_fork(void **state)
{
    hie_journal_t        *j = writer_open(0, 0);
    hie_journal_stats_t   stats;
    hie_journal_reader_t *r;
    hie_error_t           err;
    uint64_t              seq;
    pid_t                 pid;
    removed_t             gone = { 0 };

    store(j, "0");
    pid = fork();
    if (pid == 0) {
        hie_journal_stats(j, &stats);
        seq = stats.records;
        if (hie_journal_wait(j, 1, &err) != HIE_UNAVAILABLE
            || hie_journal_notify(j, 1, NULL, NULL, &err) != HIE_UNAVAILABLE
            || seq != 0
            || hie_journal_append(j, "x", 1, &seq, &err) != HIE_UNAVAILABLE)
        {
            _exit(1);
        }
        hie_journal_close(j);
        _exit(0);
    }
    assert_int_equal(reap(pid), 0);

    r = reader_open();
    expect(r, "0");
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 0);
    store(j, "1");
    expect(r, "1");

    /* And a child that lives on does not keep the segment alive. */
    pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    writer_close(j);
    expect(r, NULL);
    hie_journal_reader_release(r, removed, &gone);
    assert_int_equal(gone.n, 1);
    kill(pid, SIGKILL);
    assert_int_equal(reap(pid), -SIGKILL);
    hie_journal_reader_close(r);
}


#define WRITERS      4
#define PER_WRITER   300

/* The n-th number of a writer is writer * PER_WRITER + n. */
static void
write_numbers(int writer)
{
    hie_journal_t  *j = writer_open(16384, 0);
    int             i;

    for (i = 0; i < PER_WRITER; i++) {
        store(j, apr_psprintf(pool, "%d %0200d", writer * PER_WRITER + i, 0));
    }
    writer_close(j);
    _exit(0);
}


/* Several processes write while one reads and cleans up behind them. */
static void
test_processes(void **state)
{
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number, next[WRITERS] = { 0 };
    pid_t                  pids[WRITERS];
    hie_rc_t               rc;
    int                    i, n = 0, idle = 0;

    for (i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            write_numbers(i);
        }
    }

    while (n < WRITERS * PER_WRITER && idle < 20000) {
        rc = next_number(r, &number, NULL);
        if (rc == HIE_NOT_FOUND) {
            hie_journal_reader_release(r, NULL, NULL);
            usleep(500);
            idle++;
            continue;
        }
        assert_int_equal(rc, HIE_OK);
        assert_int_equal(number % PER_WRITER, next[number / PER_WRITER]++);
        n++;
    }
    assert_int_equal(n, WRITERS * PER_WRITER);

    for (i = 0; i < WRITERS; i++) {
        assert_int_equal(reap(pids[i]), 0);
    }
    expect(r, NULL);
    hie_journal_reader_release(r, NULL, NULL);
    assert_int_equal(count_files("", NULL, 0), 0);
    hie_journal_reader_close(r);
}


#define KILL_THREADS  4
#define KILL_MOST     1000000

typedef struct {
    hie_journal_t  *j;
    int             fd;
    int             me;
} acker_t;

/* Tells the parent every number that it was promised to be durable. */
static void *
ack_main(void *arg)
{
    acker_t      *a = arg;
    char          record[300];
    hie_error_t   err;
    uint64_t      seq;
    int           i, number;

    for (i = 0; i < KILL_MOST; i++) {
        number = a->me * KILL_MOST + i;
        memset(record, '.', sizeof(record));
        record[snprintf(record, sizeof(record), "%d", number)] = ' ';
        if (hie_journal_append(a->j, record, 20 + (size_t) (i * 37 % 280),
                               &seq, &err) != HIE_OK
            || hie_journal_wait(a->j, seq, &err) != HIE_OK
            || write(a->fd, &number, sizeof(number)) != sizeof(number))
        {
            _exit(1);
        }
    }
    return NULL;
}


static void
ack_child(int fd)
{
    acker_t    a[KILL_THREADS];
    pthread_t  id;
    int        i;

    for (i = 0; i < KILL_THREADS; i++) {
        a[i].j = i == 0 ? writer_open(32768, 0) : a[0].j;
        a[i].fd = fd;
        a[i].me = i;
        if (pthread_create(&id, NULL, ack_main, &a[i]) != 0) {
            _exit(1);
        }
    }
    for ( ;; ) {
        pause();
    }
}


/* Reads what the child was promised, then what the journal holds: for every
 * thread at least as much, in order, without a gap. */
static void
check_acked(int fd, int *n_acked)
{
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number;
    int                    acked[KILL_THREADS], have[KILL_THREADS], i, a;
    hie_rc_t               rc;

    *n_acked = 0;
    for (i = 0; i < KILL_THREADS; i++) {
        acked[i] = have[i] = 0;
    }
    while (read(fd, &a, sizeof(a)) == sizeof(a)) {
        acked[a / KILL_MOST] = a % KILL_MOST + 1;
        ++*n_acked;
    }
    while ((rc = next_number(r, &number, NULL)) == HIE_OK) {
        assert_int_equal(number % KILL_MOST, have[number / KILL_MOST]++);
    }
    assert_int_equal(rc, HIE_NOT_FOUND);
    for (i = 0; i < KILL_THREADS; i++) {
        assert_true(have[i] >= acked[i]);
    }

    hie_journal_reader_release(r, NULL, NULL);
    assert_int_equal(count_files(".jnl", NULL, 0), 0);
    assert_int_equal(count_files(".damaged", NULL, 0), 0);
    hie_journal_reader_close(r);
}


static void
test_kill(void **state)
{
    int    ends[2], round, n, total = 0;
    pid_t  pid;

    for (round = 0; round < 25; round++) {
        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
            close(ends[0]);
            ack_child(ends[1]);
        }
        close(ends[1]);

        /* Not before the first promise, then at some time. */
        assert_int_equal(read(ends[0], &n, sizeof(n)), sizeof(n));
        usleep((useconds_t) (round * 997));
        kill(pid, SIGKILL);
        assert_int_equal(reap(pid), -SIGKILL);
        check_acked(ends[0], &n);
        close(ends[0]);
        total += n;
    }
    assert_true(total > 100);
}


/* Ends a writer in each of its first writes and syncs, half way through the
 * writes: those of opening, of records, of a rotation. */
static void
test_kill_everywhere(void **state)
{
    int             ends[2], at, acked, i, damaged, n;
    hie_journal_t  *j;
    pid_t           pid;

    for (at = 1; at <= 60; at++) {
        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
            close(ends[0]);
            kill_at = at;
            j = writer_open(4096, 0);
            for (i = 0; i < 100; i++) {
                store(j, apr_psprintf(pool, "%d %0300d", i, 0));
                if (write(ends[1], &i, sizeof(i)) != sizeof(i)) {
                    _exit(1);
                }
            }
            _exit(0);
        }
        close(ends[1]);
        assert_int_equal(reap(pid), -SIGKILL);

        acked = 0;
        while (read(ends[0], &i, sizeof(i)) == sizeof(i)) {
            acked = i + 1;
        }
        close(ends[0]);
        n = read_all(&damaged);
        assert_int_equal(damaged, 0);
        assert_in_range(n, acked, acked + 1);
        remove_files();
    }
}


#ifdef HIE_DEBUG
/* Every blocking function refuses a thread that must not block. */
static void
test_colour(void **state)
{
    hie_journal_reader_t  *r = reader_open();
    hie_journal_t         *j = writer_open(0, 0);
    hie_str_t              record;
    hie_journal_position_t at;
    pid_t                  pid;
    int                    i;

    store(j, "x");
    for (i = 0; i < 7; i++) {
        pid = fork();
        if (pid == 0) {
            signal(SIGABRT, SIG_DFL);
            hie_thread_forbid_blocking(true);
            switch (i) {
            case 0: hie_journal_open(pool, dir, "test", NULL, &j, NULL); break;
            case 1: hie_journal_wait(j, 1, NULL); break;
            case 2: hie_journal_close(j); break;
            case 3: hie_journal_reader_open(pool, dir, "test", &r, NULL);
                    break;
            case 4: hie_journal_reader_next(r, &record, &at, NULL); break;
            case 5: hie_journal_reader_release(r, NULL, NULL); break;
            default: hie_journal_reader_close(r); break;
            }
            _exit(0);
        }
        assert_int_equal(reap(pid), -SIGABRT);
    }
    writer_close(j);
    hie_journal_reader_close(r);
}
#endif


#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, tool_setup, tool_teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_positions),
        TEST(test_release),
        TEST(test_vanished),
        TEST(test_turns),
        TEST(test_torn),
        TEST(test_flipped),
        TEST(test_set_aside),
        TEST(test_torn_batch),
        TEST(test_forged),
        TEST(test_odd_files),
        TEST(test_stale),
        TEST(test_fork),
        TEST(test_processes),
        TEST(test_kill),
        TEST(test_kill_everywhere),
#ifdef HIE_DEBUG
        TEST(test_colour),
#endif
    };

    return cmocka_run_group_tests_name("journal reader", tests,
                                       tool_group_setup, NULL);
}
