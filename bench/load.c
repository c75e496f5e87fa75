/*
 * A load generator for HTTP/1.1: one thread, epoll, keep-alive, one request
 * in flight on each connection. It has to cost less than what it measures:
 * requests are rendered once, of a response only the status and the length
 * are read.
 *
 *     load [-c connections] [-d seconds] [-H header]... HOST:PORT FILE
 *
 * FILE has a path on each line, and perhaps a tab and a body, which is posted
 * there as FHIR JSON; lines are taken at random.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>


#define CONNECTIONS_MAX  4096
#define HEADERS_MAX      16
#define BUFFER           65536
#define SAMPLES_MAX      (1u << 24)

typedef struct {
    const char  *ptr;
    size_t       len;
} request_t;

typedef struct {
    int                fd;
    bool               fresh;      /* nothing was received on it yet */
    bool               retried;
    bool               ok;         /* of the response that is coming in */
    size_t             sent;
    size_t             head;       /* bytes of the head in `buf` */
    uint64_t           left;       /* of the body; valid after the head */
    bool               in_body;
    const request_t   *request;
    uint64_t           start;      /* ns */
    char               buf[BUFFER];
} connection_t;

static struct sockaddr_in  address;
static const char         *host;
static const char         *headers[HEADERS_MAX];
static int                 n_headers;
static request_t          *requests;
static size_t              n_requests;
static connection_t       *connections;
static int                 n_connections = 16;
static int                 epoll_fd;
static uint64_t            random_state;

static uint32_t           *samples;            /* us */
static size_t              n_samples;
static uint64_t            n_errors;
static bool                stopping;


static void
die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what,
            errno != 0 ? strerror(errno) : "wrong");
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
render(const char *path, size_t len)
{
    int          i;
    char        *out;
    size_t       size, n, body_len = 0;
    request_t   *r;
    const char  *body;

    body = memchr(path, '\t', len);
    if (body != NULL) {
        body_len = len - (size_t) (body + 1 - path);
        len = (size_t) (body++ - path);
    }

    size = len + body_len + strlen(host) + 160;
    for (i = 0; i < n_headers; i++) {
        size += strlen(headers[i]) + 2;
    }

    out = malloc(size);
    if (out == NULL) {
        die("memory");
    }

    n = (size_t) snprintf(out, size, "%s %.*s HTTP/1.1\r\nHost: %s\r\n",
                          body != NULL ? "POST" : "GET", (int) len, path,
                          host);
    if (body != NULL) {
        n += (size_t) snprintf(out + n, size - n, "Content-Type: "
                               "application/fhir+json\r\n"
                               "Content-Length: %zu\r\n", body_len);
    }
    for (i = 0; i < n_headers; i++) {
        n += (size_t) snprintf(out + n, size - n, "%s\r\n", headers[i]);
    }
    n += (size_t) snprintf(out + n, size - n, "\r\n");
    if (body != NULL) {
        memcpy(out + n, body, body_len);
        n += body_len;
    }

    if ((n_requests & (n_requests - 1)) == 0) {
        requests = realloc(requests, sizeof(*requests)
                           * (n_requests == 0 ? 1 : n_requests * 2));
        if (requests == NULL) {
            die("memory");
        }
    }

    r = &requests[n_requests++];
    r->ptr = out;
    r->len = n;
}


static void
read_paths(const char *name)
{
    FILE     *f;
    char     *line = NULL;
    size_t    size = 0;
    ssize_t   n;

    f = fopen(name, "r");
    if (f == NULL) {
        die(name);
    }

    while ((n = getline(&line, &size, f)) != -1) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
            n--;
        }
        if (n > 0) {
            render(line, (size_t) n);
        }
    }

    free(line);
    fclose(f);
    if (n_requests == 0) {
        errno = 0;
        die("no path in the file");
    }
}


static void
open_connection(connection_t *c)
{
    int                 one = 1;
    struct epoll_event  ev;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd == -1) {
        die("socket");
    }

    /* Loopback: connect does not take long enough to be worth an event. */
    if (connect(c->fd, (struct sockaddr *) &address, sizeof(address)) == -1) {
        die("connect");
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);

    ev.events = EPOLLIN;
    ev.data.ptr = c;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
        die("epoll_ctl");
    }

    c->fresh = true;
}


static void
watch(connection_t *c, uint32_t events)
{
    struct epoll_event  ev;

    ev.events = events;
    ev.data.ptr = c;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}


static void
begin(connection_t *c);


/* The connection is of no more use. One that was closed while it was idle is
 * no error of the server: the request goes out again, once. */
static void
broken(connection_t *c)
{
    bool  idle = c->head == 0 && !c->in_body && !c->fresh;

    close(c->fd);
    c->fd = -1;
    if (stopping) {
        return;
    }

    open_connection(c);
    if (idle && !c->retried) {
        c->retried = true;
        c->sent = 0;
    } else {
        n_errors++;
        c->request = NULL;
    }
    begin(c);
}


static void
send_more(connection_t *c)
{
    bool     waited = c->sent > 0;
    ssize_t  n;

    n = send(c->fd, c->request->ptr + c->sent, c->request->len - c->sent,
             MSG_NOSIGNAL);
    if (n == -1 && errno != EAGAIN) {
        broken(c);
        return;
    }
    if (n > 0) {
        c->sent += (size_t) n;
    }
    if (c->sent < c->request->len) {
        watch(c, EPOLLIN | EPOLLOUT);
    } else if (waited) {
        watch(c, EPOLLIN);
    }
}


static void
begin(connection_t *c)
{
    if (c->request == NULL) {
        c->request = &requests[next_random() % n_requests];
        c->retried = false;
        c->start = now();
    }

    c->sent = 0;
    c->head = 0;
    c->in_body = false;
    send_more(c);
}


static void
finished(connection_t *c)
{
    if (c->ok) {
        if (n_samples < SAMPLES_MAX) {
            samples[n_samples++] = (uint32_t) ((now() - c->start) / 1000);
        }
    } else {
        n_errors++;
    }

    c->request = NULL;
    c->fresh = false;
    if (!stopping) {
        begin(c);
    }
}


/* Status and Content-Length of the head, which is `len` bytes long. */
static bool
read_head(connection_t *c, size_t len)
{
    char  *line, *end;
    bool   found = false;

    c->ok = len > 12 && memcmp(c->buf + 9, "20", 2) == 0;
    c->buf[len - 1] = '\0';
    for (line = c->buf; line != NULL; line = end == NULL ? NULL : end + 1) {
        end = strchr(line, '\n');
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            c->left = strtoull(line + 15, NULL, 10);
            found = true;
        }
    }
    return found;
}


/* False: the connection is broken and has been opened anew, or is done. */
static bool
take(connection_t *c, size_t n)
{
    char    *end;
    size_t   len;

    c->head += n;
    end = memmem(c->buf, c->head, "\r\n\r\n", 4);
    if (end == NULL) {
        if (c->head == BUFFER) {
            broken(c);
            return false;
        }
        return true;
    }

    len = (size_t) (end + 4 - c->buf);
    n = c->head - len;
    if (!read_head(c, len) || n > c->left) {
        c->fresh = true;         /* what cannot be read is an error */
        broken(c);
        return false;
    }

    c->in_body = true;
    c->left -= n;
    return true;
}


static void
receive(connection_t *c)
{
    ssize_t  n;
    size_t   at;

    at = c->in_body ? 0 : c->head;
    n = recv(c->fd, c->buf + at, BUFFER - at, 0);
    if (n == -1 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        broken(c);
        return;
    }

    if (!c->in_body) {
        if (!take(c, (size_t) n)) {
            return;
        }
    } else {
        c->left -= (uint64_t) n < c->left ? (uint64_t) n : c->left;
    }

    if (c->in_body && c->left == 0) {
        finished(c);
    }
}


static double
run(double seconds)
{
    int                  i, n;
    uint64_t             start, end, t;
    connection_t        *c;
    struct epoll_event   events[256];

    start = now();
    end = start + (uint64_t) (seconds * 1e9);
    for (i = 0; i < n_connections; i++) {
        open_connection(&connections[i]);
        begin(&connections[i]);
    }

    while ((t = now()) < end) {
        n = epoll_wait(epoll_fd, events, 256,
                       (int) ((end - t) / 1000000) + 1);
        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                send_more(c);
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                receive(c);
            }
        }
    }

    stopping = true;
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
    printf("{\"requests\":%zu,\"errors\":%" PRIu64 ",\"rps\":%.1f,"
           "\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n",
           n, n_errors, (double) n / seconds,
           n > 0 ? samples[n / 2] : 0, n > 0 ? samples[n * 99 / 100] : 0,
           n > 0 ? samples[n - 1] : 0);
}


static void
parse_address(char *text)
{
    char  *colon;

    host = text;
    colon = strrchr(text, ':');
    errno = 0;
    if (colon == NULL) {
        die("expected HOST:PORT");
    }

    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) atoi(colon + 1));
    *colon = '\0';
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
        die("the host must be an IPv4 address");
    }
    *colon = ':';
}


int
main(int argc, char **argv)
{
    int     opt;
    double  seconds = 10;

    while ((opt = getopt(argc, argv, "c:d:H:")) != -1) {
        if (opt == 'c') {
            n_connections = atoi(optarg);
        } else if (opt == 'd') {
            seconds = atof(optarg);
        } else if (opt == 'H' && n_headers < HEADERS_MAX) {
            headers[n_headers++] = optarg;
        } else {
            return 2;
        }
    }
    if (argc - optind != 2 || seconds <= 0 || n_connections < 1
        || n_connections > CONNECTIONS_MAX)
    {
        fprintf(stderr, "usage: load [-c connections] [-d seconds] "
                "[-H header]... HOST:PORT FILE\n");
        return 2;
    }

    parse_address(argv[optind]);
    read_paths(argv[optind + 1]);
    random_state = now() | 1;
    samples = malloc(sizeof(*samples) * SAMPLES_MAX);
    connections = calloc((size_t) n_connections, sizeof(*connections));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (samples == NULL || connections == NULL || epoll_fd == -1) {
        die("start");
    }

    report(run(seconds));
    return 0;
}
