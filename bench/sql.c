/*
 * One prepared statement by libpq, as bench/load.c does it with HTTP: one
 * thread, epoll, one execution in flight on each connection. Rows come in
 * PostgreSQL's binary format, so that no bytea becomes hexadecimal text, and
 * are thrown away.
 *
 *     sql [-c connections] [-d seconds] CONNINFO STATEMENT PARAMETERS
 *     sql -l CONNINFO STATEMENT PARAMETERS
 *
 * STATEMENT is a file with the text; PARAMETERS one with an execution on each
 * line, its parameters divided by tabs; lines are taken at random. -l executes
 * each once and prints for it a line with the column `id` of its rows, or,
 * where there is none, with their first column.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define CONNECTIONS_MAX  256
#define PARAMS_MAX       64
#define SAMPLES_MAX      (1u << 24)
#define NAME             "q"

typedef struct {
    char  *values[PARAMS_MAX];
} line_t;

typedef struct {
    PGconn    *pg;
    uint64_t   start;            /* ns */
} connection_t;

static char          *statement;
static line_t        *lines;
static size_t         n_lines;
static int            n_params = -1;
static connection_t   connections[CONNECTIONS_MAX];
static int            n_connections = 4;
static int            epoll_fd;
static uint64_t       random_state;

static uint32_t      *samples;                 /* us */
static size_t         n_samples;
static uint64_t       n_rows;


static void
die(const char *what, const char *why)
{
    fprintf(stderr, "sql: %s: %s\n", what, why);
    exit(2);
}


static uint64_t
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}


/* xorshift64* (Vigna 2016) */
static uint64_t
next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}


static void
read_statement(const char *name)
{
    FILE    *f = fopen(name, "r");
    size_t   size = 0;

    if (f == NULL || getdelim(&statement, &size, '\0', f) == -1) {
        die(name, "cannot be read");
    }

    fclose(f);
}


/* A line without anything is an execution without parameters. */
static void
add_line(char *text)
{
    int  n = 0;

    if ((n_lines & (n_lines - 1)) == 0) {
        lines = realloc(lines, sizeof(*lines)
                        * (n_lines == 0 ? 1 : n_lines * 2));
        if (lines == NULL) {
            die("parameters", "no memory");
        }
    }

    while (text != NULL && text[0] != '\0' && n < PARAMS_MAX) {
        lines[n_lines].values[n++] = strdup(strsep(&text, "\t"));
    }

    if (n_params != -1 && n != n_params) {
        die("parameters", "not as many on each line");
    }

    n_params = n;
    n_lines++;
}


static void
read_lines(const char *name)
{
    FILE     *f = fopen(name, "r");
    char     *line = NULL;
    size_t    size = 0;
    ssize_t   n;

    if (f == NULL) {
        die(name, strerror(errno));
    }

    while ((n = getline(&line, &size, f)) != -1) {
        if (n > 0 && line[n - 1] == '\n') {
            line[n - 1] = '\0';
        }
        add_line(line);
    }

    free(line);
    fclose(f);
    if (n_lines == 0) {
        die(name, "no line in the file");
    }
}


static PGconn *
open_connection(const char *conninfo)
{
    PGconn    *pg = PQconnectdb(conninfo);
    PGresult  *r;

    if (PQstatus(pg) != CONNECTION_OK) {
        die("connection", PQerrorMessage(pg));
    }

    r = PQprepare(pg, NAME, statement, 0, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        die("statement", PQresultErrorMessage(r));
    }

    PQclear(r);
    return pg;
}


static void
check_rows(const PGresult *r)
{
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        die("execution", PQresultErrorMessage(r));
    }
}


static void
list(const char *conninfo)
{
    int        row, col;
    size_t     i;
    PGconn    *pg = open_connection(conninfo);
    PGresult  *r;

    for (i = 0; i < n_lines; i++) {
        r = PQexecPrepared(pg, NAME, n_params,
                           (const char *const *) lines[i].values, NULL, NULL,
                           0);
        check_rows(r);
        col = PQfnumber(r, "id");
        for (row = 0; row < PQntuples(r); row++) {
            printf("%s%s", row > 0 ? " " : "",
                   PQgetvalue(r, row, col == -1 ? 0 : col));
        }
        printf("\n");
        PQclear(r);
    }

    PQfinish(pg);
}


static void
begin(connection_t *c)
{
    const line_t  *line = &lines[next_random() % n_lines];

    c->start = now();
    if (!PQsendQueryPrepared(c->pg, NAME, n_params,
                             (const char *const *) line->values, NULL, NULL,
                             1))
    {
        die("execution", PQerrorMessage(c->pg));
    }
}


static void
receive(connection_t *c)
{
    PGresult  *r;

    if (!PQconsumeInput(c->pg)) {
        die("receiving", PQerrorMessage(c->pg));
    }

    while (!PQisBusy(c->pg)) {
        r = PQgetResult(c->pg);
        if (r == NULL) {
            if (n_samples < SAMPLES_MAX) {
                samples[n_samples++] = (uint32_t) ((now() - c->start) / 1000);
            }
            begin(c);
            continue;
        }

        check_rows(r);
        n_rows += (uint64_t) PQntuples(r);
        PQclear(r);
    }
}


static double
run(const char *conninfo, double seconds)
{
    int                 i, n;
    uint64_t            start, end, t;
    struct epoll_event  ev, events[CONNECTIONS_MAX];

    for (i = 0; i < n_connections; i++) {
        connections[i].pg = open_connection(conninfo);
        ev.events = EPOLLIN;
        ev.data.ptr = &connections[i];
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, PQsocket(connections[i].pg), &ev);
    }

    start = now();
    end = start + (uint64_t) (seconds * 1e9);
    for (i = 0; i < n_connections; i++) {
        begin(&connections[i]);
    }

    while ((t = now()) < end) {
        n = epoll_wait(epoll_fd, events, CONNECTIONS_MAX,
                       (int) ((end - t) / 1000000) + 1);
        for (i = 0; i < n; i++) {
            receive(events[i].data.ptr);
        }
    }

    return (double) (t - start) / 1e9;
}


static int
compare(const void *a, const void *b)
{
    uint32_t  x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}


static void
report(double seconds)
{
    size_t  n = n_samples;

    qsort(samples, n, sizeof(*samples), compare);
    printf("{\"requests\":%zu,\"rows\":%" PRIu64 ",\"rps\":%.1f,"
           "\"p50_us\":%u,\"p99_us\":%u}\n",
           n, n_rows, (double) n / seconds, n > 0 ? samples[n / 2] : 0,
           n > 0 ? samples[n * 99 / 100] : 0);
}


int
main(int argc, char **argv)
{
    int     opt;
    bool    listing = false;
    double  seconds = 10;

    while ((opt = getopt(argc, argv, "c:d:l")) != -1) {
        if (opt == 'c') {
            n_connections = atoi(optarg);
        } else if (opt == 'd') {
            seconds = atof(optarg);
        } else if (opt == 'l') {
            listing = true;
        } else {
            return 2;
        }
    }
    if (argc - optind != 3 || seconds <= 0 || n_connections < 1
        || n_connections > CONNECTIONS_MAX)
    {
        fprintf(stderr, "usage: sql [-l] [-c connections] [-d seconds] "
                "CONNINFO STATEMENT PARAMETERS\n");
        return 2;
    }

    read_statement(argv[optind + 1]);
    read_lines(argv[optind + 2]);
    if (listing) {
        list(argv[optind]);
        return 0;
    }

    random_state = now() | 1;
    samples = malloc(sizeof(*samples) * SAMPLES_MAX);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (samples == NULL || epoll_fd == -1) {
        die("start", "no memory");
    }

    report(run(argv[optind], seconds));
    return 0;
}
