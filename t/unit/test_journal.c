/*
 * The journal's writer: order, group commit, waiting, failures of the disk.
 */

#include "journal_tool.h"

#include "journal/format.h"
#include "journal/writer.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_strings.h>


/* The numbers from `first` to `last` in this order and nothing else. */
static void
expect_numbers(hie_journal_reader_t *r, uint64_t first, uint64_t last)
{
    uint64_t  n, number = 0;

    for (n = first; n <= last; n++) {
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        assert_int_equal(number, n);
    }
    expect(r, NULL);
}


/* The same of a journal that is read from its start. */
static void
expect_stored(uint64_t first, uint64_t last)
{
    hie_journal_reader_t  *r = reader_open();

    expect_numbers(r, first, last);
    hie_journal_reader_close(r);
}


static char *
numbered(uint64_t n, size_t len)
{
    char  *record = apr_palloc(pool, len + 1);

    memset(record, '.', len);
    record[snprintf(record, len, "%llu", (unsigned long long) n)] = ' ';
    record[len] = '\0';
    return record;
}


static void
test_roundtrip(void **state)
{
    static const size_t     sizes[] = { 0, 1, 7, 8, 9, 255, 4096, 300000 };
    hie_journal_t          *j = writer_open(0, 0);
    hie_journal_reader_t   *r;
    hie_journal_position_t  at;
    hie_error_t             err;
    hie_str_t               record;
    uint64_t                seq, before = 0;
    char                   *data = apr_palloc(pool, 300000), path[512];
    struct stat             st;
    size_t                  i;

    for (i = 0; i < 300000; i++) {
        data[i] = (char) (i * 7 + i / 251);
    }
    for (i = 0; i < 8; i++) {
        assert_int_equal(hie_journal_append(j, data + i, sizes[i] - (i == 7
                         ? 8 : 0), &seq, &err), HIE_OK);
        assert_int_equal(seq, i + 1);
    }
    assert_int_equal(hie_journal_wait(j, seq, &err), HIE_OK);
    assert_int_equal(hie_journal_wait(j, 1, &err), HIE_OK);
    writer_close(j);

    r = reader_open();
    for (i = 0; i < 8; i++) {
        assert_int_equal(hie_journal_reader_next(r, &record, &at, &err),
                         HIE_OK);
        assert_int_equal(record.len, sizes[i] - (i == 7 ? 8 : 0));
        assert_memory_equal(record.ptr, data + i, record.len);
        assert_true(at.offset > before);
        before = at.offset;
    }
    expect(r, NULL);

    /* Nothing written ahead is left after the last record. */
    assert_int_equal(count_files(".jnl", path, sizeof(path)), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, before);
    assert_int_equal(st.st_mode & 0777, 0600);

    hie_journal_reader_release(r, NULL, NULL);
    assert_int_equal(count_files("", NULL, 0), 0);
    hie_journal_reader_close(r);
}


static void
test_refused(void **state)
{
    static const char *const  names[] = { "", ".", "..", "a/b", "a b" };
    hie_journal_t            *j;
    hie_journal_reader_t     *r;
    hie_error_t               err;
    uint64_t                  seq = 77;
    size_t                    i;

    for (i = 0; i < 5; i++) {
        assert_int_equal(hie_journal_open(pool, dir, names[i], NULL, &j,
                                          &err), HIE_UNAVAILABLE);
        assert_null(j);
    }
    assert_int_equal(hie_journal_open(pool, "/nonexistent", "test", NULL, &j,
                                      &err), HIE_UNAVAILABLE);
    assert_non_null(strstr(err.detail, "/nonexistent"));
    assert_int_equal(hie_journal_reader_open(pool, "/nonexistent", "test", &r,
                                             NULL), HIE_UNAVAILABLE);

    fail_error = ENOSPC;
    fail_write = 1;
    assert_int_equal(hie_journal_open(pool, dir, "test", NULL, &j, &err),
                     HIE_UNAVAILABLE);
    assert_int_equal(count_files("", NULL, 0), 0);

    j = writer_open(8192, 8192);
    assert_int_equal(hie_journal_append(j, dir, 8192, &seq, &err),
                     HIE_TOO_LARGE);
    assert_int_equal(seq, 0);
    assert_int_equal(hie_journal_wait(j, 1, &err), HIE_INVALID);
    assert_int_equal(hie_journal_wait(j, 0, &err), HIE_INVALID);
    assert_int_equal(hie_journal_notify(j, 1, NULL, NULL, &err), HIE_INVALID);
    writer_close(j);

    /* A segment without records is not left behind. */
    assert_int_equal(count_files("", NULL, 0), 0);
}


static void
test_largest(void **state)
{
    size_t          most = 4096 - HIE_JOURNAL_HEADER - HIE_JOURNAL_RECORD;
    hie_journal_t  *j = writer_open(4096, 0);
    char           *record = apr_pcalloc(pool, 4096);
    uint64_t        seq, i;

    for (i = 0; i < 3; i++) {
        assert_int_equal(hie_journal_append(j, record, most + 1, &seq, NULL),
                         HIE_TOO_LARGE);
        store(j, numbered(i, most));
    }
    writer_close(j);
    expect_stored(0, 2);
}


/* Records that came during a sync go in one batch; when as many wait as the
 * buffer holds the next is refused, and accepted again later. */
static void
test_full_buffer(void **state)
{
    hie_journal_t        *j = writer_open(0, 4096);
    hie_journal_stats_t   stats;
    hie_error_t           err;
    uint64_t              seq, last = 0, n = 0;
    hie_rc_t              rc;

    gate_shut = true;
    do {
        rc = hie_journal_append(j, numbered(n, 100), 100, &seq, &err);
        if (rc == HIE_OK) {
            last = seq;
            n++;
        }
    } while (rc == HIE_OK);

    assert_int_equal(rc, HIE_BUSY);
    assert_int_equal(n, 4096 / 128);
    hie_journal_stats(j, &stats);
    assert_int_equal(stats.pending, n * 128);
    gate_shut = false;

    assert_int_equal(hie_journal_wait(j, last, &err), HIE_OK);
    wait_pending(j, 0);
    store(j, numbered(n, 100));
    hie_journal_stats(j, &stats);
    assert_int_equal(stats.records, n + 1);
    assert_in_range(stats.syncs, 2, 3);
    assert_int_equal(stats.failures, 0);
    writer_close(j);
    expect_stored(0, n);
}


#define THREADS  16
#define EACH     150

static void *
thread_main(void *arg)
{
    hie_journal_t  *j = arg;
    static _Atomic int  next_thread;
    char            record[64];
    hie_error_t     err;
    uint64_t        seq;
    int             i, me = next_thread++ % THREADS;

    for (i = 0; i < EACH; i++) {
        snprintf(record, sizeof(record), "%d ", me * EACH + i);
        if (hie_journal_append(j, record, strlen(record), &seq, &err)
            != HIE_OK || hie_journal_wait(j, seq, &err) != HIE_OK)
        {
            return "failed";
        }
    }
    return NULL;
}


static void
run_threads(hie_journal_t *j)
{
    pthread_t  ids[THREADS];
    void      *result;
    int        i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, thread_main, j), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(ids[i], &result);
        assert_null(result);
    }
}


static void
expect_threads(int rounds)
{
    hie_journal_reader_t  *r = reader_open();
    uint64_t               number, next[THREADS] = { 0 };
    int                    i;

    for (i = 0; i < rounds * THREADS * EACH; i++) {
        assert_int_equal(next_number(r, &number, NULL), HIE_OK);
        assert_int_equal(number % EACH, next[number / EACH]++ % EACH);
    }
    expect(r, NULL);
    hie_journal_reader_close(r);
}


static void
test_threads(void **state)
{
    hie_journal_t        *j = writer_open(0, 0);
    hie_journal_stats_t   stats;

    run_threads(j);
    hie_journal_stats(j, &stats);
    assert_int_equal(stats.records, THREADS * EACH);
    assert_true(stats.syncs < stats.records);
    writer_close(j);
    expect_threads(1);
}


/* The same over many small segments and with syncs that fail in between. */
static void
test_threads_failures(void **state)
{
    hie_journal_t        *j = writer_open(8192, 0);
    hie_journal_stats_t   stats;
    int                   i;

    for (i = 0; i < 5; i++) {
        fail_sync = 1;
        run_threads(j);
        assert_int_equal(fail_sync, 0);
    }
    hie_journal_stats(j, &stats);
    assert_int_equal(stats.failures, 5);
    assert_int_equal(synced_twice, 0);
    writer_close(j);
    expect_threads(5);
}


typedef struct {
    hie_journal_t  *j;
    _Atomic int     calls;
    _Atomic int     rc;
    _Atomic int     order;
    _Atomic int     may_block;
} noted_t;

static _Atomic int  note_order;


static void
note(void *baton, hie_rc_t rc)
{
    noted_t  *n = baton;

    n->rc = (int) rc;
    n->order = ++note_order;
    n->may_block = hie_thread_may_block();
    n->calls++;
}


static void
wait_calls(noted_t *n)
{
    int  i;

    for (i = 0; i < 5000 && n->calls == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(n->calls, 1);
}


static void
test_notify(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    noted_t         n[20] = { 0 };
    hie_error_t     err;
    int             round, i, first;

    for (round = 0; round < 2; round++) {
        memset(n, 0, sizeof(n));
        gate_shut = true;
        first = note_order;
        for (i = 0; i < 20; i++) {
            assert_int_equal(hie_journal_notify(j, append(j, "x"), note,
                                                &n[i], &err), HIE_OK);
        }
        usleep(2000);
        assert_int_equal(note_order, first);
        gate_shut = false;
        for (i = 0; i < 20; i++) {
            wait_calls(&n[i]);
            assert_int_equal(n[i].rc, HIE_OK);
            assert_int_equal(n[i].order, first + i + 1);
            assert_false(n[i].may_block);
        }
    }

    /* What is durable already is told at once, on this thread. */
    n[0].calls = 0;
    assert_int_equal(hie_journal_notify(j, 1, note, &n[0], &err), HIE_OK);
    assert_int_equal(n[0].calls, 1);
    assert_true(n[0].may_block);
    writer_close(j);
}


static void
test_close_syncs(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    noted_t         n = { 0 };
    uint64_t        i;

    for (i = 0; i < 100; i++) {
        append(j, numbered(i, 50));
    }
    hie_journal_notify(j, 100, note, &n, NULL);
    writer_close(j);
    assert_int_equal(n.calls, 1);
    assert_int_equal(n.rc, HIE_OK);
    expect_stored(0, 99);
}


static void
test_rotation(void **state)
{
    hie_journal_t         *j = writer_open(4096, 0);
    hie_journal_reader_t  *r = reader_open();
    uint64_t               i;

    for (i = 0; i < 200; i++) {
        append(j, numbered(i, 200 + i % 50));
    }
    store(j, numbered(i, 200));
    assert_in_range(count_files(".jnl", NULL, 0), 11, 16);
    expect_numbers(r, 0, 200);

    /* Only what the writer has left goes: its current segment stays, and one
     * that is ready for it may. */
    hie_journal_reader_release(r, NULL, NULL);
    assert_in_range(count_files(".jnl", NULL, 0), 1, 2);
    store(j, numbered(201, 10));
    expect_numbers(r, 201, 201);
    writer_close(j);
    expect(r, NULL);
    hie_journal_reader_release(r, NULL, NULL);
    assert_int_equal(count_files("", NULL, 0), 0);
    hie_journal_reader_close(r);
}


/* The second segment is larger, and made before it is needed. */
static void
test_growth(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    char            path[512];
    struct stat     st;
    int             i;

    for (i = 0; i < 60; i++) {
        store(j, numbered((uint64_t) i, 10000));
    }
    for (i = 0; i < 2000 && count_files(".jnl", path, sizeof(path)) < 2; i++) {
        usleep(1000);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4 * 1024 * 1024);
    for (i = 60; i < 150; i++) {
        store(j, numbered((uint64_t) i, 10000));
    }
    assert_int_equal(count_files(".jnl", NULL, 0), 2);
    writer_close(j);
    expect_stored(0, 149);
}


static void
test_short_writes(void **state)
{
    hie_journal_t  *j = writer_open(4096, 0);
    uint64_t        i;

    short_write = 13;
    for (i = 0; i < 30; i++) {
        store(j, numbered(i, 333));
    }
    writer_close(j);
    expect_stored(0, 29);
}


/* After a sync that failed the record goes to another file; nobody notices,
 * and it is not there twice. */
static void
test_sync_fails_once(void **state)
{
    hie_journal_t        *j = writer_open(0, 0);
    hie_journal_stats_t   stats;

    store(j, numbered(0, 100));
    fail_sync = 1;
    store(j, numbered(1, 100));
    store(j, numbered(2, 100));
    fail_write = 1;
    store(j, numbered(3, 100));

    hie_journal_stats(j, &stats);
    assert_int_equal(stats.failures, 2);
    assert_int_equal(synced_twice, 0);
    assert_int_equal(count_files(".jnl", NULL, 0), 3);
    writer_close(j);
    expect_stored(0, 3);
}


/* Appends until the journal takes a record again. */
static void
store_again(hie_journal_t *j, const char *record)
{
    hie_error_t  err;
    uint64_t     seq;
    int          i;

    for (i = 0; i < 5000; i++) {
        if (hie_journal_append(j, record, strlen(record), &seq, &err)
            == HIE_OK)
        {
            assert_int_equal(hie_journal_wait(j, seq, &err), HIE_OK);
            return;
        }
        usleep(1000);
    }
    fail_msg("the journal did not come back");
}


static void
test_disk_full(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    noted_t         n = { 0 };
    hie_error_t     err;
    uint64_t        seq, lost;

    store(j, numbered(0, 100));
    gate_shut = true;
    append(j, numbered(98, 100));
    lost = append(j, numbered(99, 100));
    assert_int_equal(hie_journal_notify(j, lost, note, &n, &err), HIE_OK);

    fail_error = ENOSPC;
    fail_sync = fail_write = 1000000;
    gate_shut = false;
    assert_int_equal(hie_journal_wait(j, lost, &err), HIE_UNAVAILABLE);
    wait_calls(&n);
    assert_int_equal(n.rc, HIE_UNAVAILABLE);
    assert_int_equal(hie_journal_append(j, "x", 1, &seq, &err),
                     HIE_UNAVAILABLE);
    usleep(300000);
    assert_int_equal(hie_journal_append(j, "x", 1, &seq, &err),
                     HIE_UNAVAILABLE);
    assert_int_equal(synced_twice, 0);

    fail_sync = fail_write = 0;
    store_again(j, numbered(1, 100));

    /* What was lost stays lost, and what was durable durable. */
    assert_int_equal(hie_journal_wait(j, lost, &err), HIE_UNAVAILABLE);
    assert_int_equal(hie_journal_wait(j, lost - 1, &err), HIE_UNAVAILABLE);
    assert_int_equal(hie_journal_wait(j, 1, &err), HIE_OK);
    n.calls = 0;
    assert_int_equal(hie_journal_notify(j, lost, note, &n, &err), HIE_OK);
    assert_int_equal(n.calls, 1);
    assert_int_equal(n.rc, HIE_UNAVAILABLE);

    writer_close(j);
    expect_stored(0, 1);
}


static void
test_close_while_down(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    hie_error_t     err;

    store(j, numbered(0, 100));
    fail_write = 1000000;
    assert_int_equal(hie_journal_wait(j, append(j, "x"), &err),
                     HIE_UNAVAILABLE);
    writer_close(j);
    fail_write = 0;
    expect_stored(0, 0);
}


/* Failures beyond what is remembered apart never turn lost into durable. */
static void
test_many_failures(void **state)
{
    hie_journal_t  *j = writer_open(0, 0);
    hie_error_t     err;
    uint64_t        i, n = 3 * HIE_JOURNAL_LOST;

    pthread_mutex_lock(&j->mutex);
    j->seq = n;
    pthread_mutex_unlock(&j->mutex);
    for (i = 1; i <= n; i++) {
        hie_journal_settle(j, i, i % 2 ? HIE_UNAVAILABLE : HIE_OK);
    }
    for (i = 1; i <= n; i += 2) {
        assert_int_equal(hie_journal_wait(j, i, &err), HIE_UNAVAILABLE);
    }
    assert_int_equal(hie_journal_wait(j, n, &err), HIE_OK);
    assert_int_equal(hie_journal_wait(j, n - 2, &err), HIE_OK);
    writer_close(j);
}


static void
test_fast(void **state)
{
    hie_journal_t    *j;
    struct timespec   a, b;
    int64_t           best = INT64_MAX, ns;
    int               i;

    /* The best of some: the machine has other work, too. */
    for (i = 0; i < 10; i++) {
        clock_gettime(CLOCK_MONOTONIC, &a);
        j = writer_open(0, 0);
        clock_gettime(CLOCK_MONOTONIC, &b);
        writer_close(j);
        ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
        best = ns < best ? ns : best;
    }
    print_message("# open: %.2f ms at best\n", (double) best / 1e6);
    assert_true(best < 100000000);
}


#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, tool_setup, tool_teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_roundtrip),
        TEST(test_refused),
        TEST(test_largest),
        TEST(test_full_buffer),
        TEST(test_threads),
        TEST(test_threads_failures),
        TEST(test_notify),
        TEST(test_close_syncs),
        TEST(test_rotation),
        TEST(test_growth),
        TEST(test_short_writes),
        TEST(test_sync_fails_once),
        TEST(test_disk_full),
        TEST(test_close_while_down),
        TEST(test_many_failures),
        TEST(test_fast),
    };

    return cmocka_run_group_tests_name("journal", tests, tool_group_setup,
                                       NULL);
}
