/*
 * What durability costs: threads append records of one size and wait for
 * each; against the bare rate of fdatasync on the same file system.
 *
 *     journal DIRECTORY [THREADS [SECONDS [BYTES]]]
 */

#include "journal/journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>


#define THREADS_MAX  1024
#define BYTES_MAX    (1024 * 1024)
#define SAMPLES_MAX  (1u << 22)
#define BARE_SIZE    (4 * 1024 * 1024)

static hie_journal_t   *journal;
static size_t           bytes = 256;
static int64_t          until;
static uint32_t        *samples;         /* ns */
static _Atomic size_t   n_samples;
static _Atomic int64_t  append_ns;
static char             payload[BYTES_MAX];
static char             zeros[BARE_SIZE];


static int64_t
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}


static void
die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}


static void *
work(void *arg)
{
    hie_error_t  err;
    uint64_t     seq;
    int64_t      start, appended, sum = 0;
    size_t       at;

    do {
        start = now();
        if (hie_journal_append(journal, payload, bytes, &seq, &err)
            != HIE_OK)
        {
            die("append", err.detail);
        }
        appended = now();
        if (hie_journal_wait(journal, seq, &err) != HIE_OK) {
            die("wait", err.detail);
        }
        sum += appended - start;
        at = atomic_fetch_add(&n_samples, 1);
        if (at < SAMPLES_MAX) {
            samples[at] = (uint32_t) (now() - start);
        }
    } while (now() < until);

    atomic_fetch_add(&append_ns, sum);
    return NULL;
}


static int
compare(const void *a, const void *b)
{
    uint32_t  x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}


static void
bare(const char *dir, int seconds)
{
    char     path[4096];
    int64_t  start, end;
    off_t    at = 0;
    long     n = 0;
    int      fd;

    snprintf(path, sizeof(path), "%s/bench.bare", dir);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || pwrite(fd, zeros, BARE_SIZE, 0) != BARE_SIZE
        || fdatasync(fd) != 0)
    {
        die(path, "cannot be written");
    }

    start = now();
    end = start + seconds * 1000000000LL;
    do {
        if (pwrite(fd, payload, bytes, at) < 0 || fdatasync(fd) != 0) {
            die(path, "cannot be synced");
        }
        at = (at + (off_t) bytes) % (off_t) (BARE_SIZE - bytes);
        n++;
    } while (now() < end);

    printf("bare fdatasync: %.0f/s, mean %.0f us\n",
           (double) n * 1e9 / (double) (now() - start),
           (double) (now() - start) / 1e3 / (double) n);
    close(fd);
    unlink(path);
}


static void
report(int threads, double seconds)
{
    hie_journal_stats_t  stats;
    size_t               n = n_samples;

    hie_journal_stats(journal, &stats);
    if (n > SAMPLES_MAX) {
        n = SAMPLES_MAX;
    }
    qsort(samples, n, sizeof(*samples), compare);

    printf("%d threads: %.0f records/s, p50 %.0f us, p99 %.0f us, "
           "p99.9 %.0f us, %.1f records/sync, append %.0f ns\n",
           threads, (double) stats.records / seconds,
           samples[n / 2] / 1e3, samples[n * 99 / 100] / 1e3,
           samples[n * 999 / 1000] / 1e3,
           (double) stats.records / (double) stats.syncs,
           (double) append_ns / (double) stats.records);
}


/* Reads back and removes what was written. */
static void
drain(apr_pool_t *pool, const char *dir)
{
    hie_journal_reader_t    *r;
    hie_journal_position_t   next;
    hie_error_t              err;
    hie_str_t                record;
    int64_t                  start = now();
    long                     n = 0;

    if (hie_journal_reader_open(pool, dir, "bench", &r, &err) != HIE_OK) {
        die("reader", err.detail);
    }
    while (hie_journal_reader_next(r, &record, &next, &err) == HIE_OK) {
        n++;
    }
    hie_journal_reader_release(r, NULL, NULL);
    hie_journal_reader_close(r);
    printf("read: %ld records, %.0f/s\n", n,
           (double) n * 1e9 / (double) (now() - start));
}


int
main(int argc, char **argv)
{
    apr_pool_t   *pool;
    hie_error_t   err;
    pthread_t     ids[THREADS_MAX];
    int64_t       start;
    int           threads = argc > 2 ? atoi(argv[2]) : 64;
    int           seconds = argc > 3 ? atoi(argv[3]) : 5;
    int           i;

    bytes = argc > 4 ? (size_t) atol(argv[4]) : bytes;
    if (argc < 2 || threads < 1 || threads > THREADS_MAX || seconds < 1
        || bytes < 1 || bytes > BYTES_MAX)
    {
        die(argv[0], "DIRECTORY [THREADS [SECONDS [BYTES]]]");
    }

    apr_initialize();
    pool = hie_pool_create(NULL, "bench");
    memset(payload, 'x', sizeof(payload));
    samples = calloc(SAMPLES_MAX, sizeof(*samples));
    bare(argv[1], 1);

    start = now();
    if (hie_journal_open(pool, argv[1], "bench", NULL, &journal, &err)
        != HIE_OK)
    {
        die("open", err.detail);
    }
    printf("open: %.2f ms\n", (double) (now() - start) / 1e6);

    start = now();
    until = start + seconds * 1000000000LL;
    for (i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, work, NULL) != 0) {
            die("thread", "cannot be started");
        }
    }
    for (i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    report(threads, (double) (now() - start) / 1e9);
    hie_journal_close(journal);

    drain(pool, argv[1]);
    free(samples);
    return 0;
}
