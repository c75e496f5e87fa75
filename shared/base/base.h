/*
 * base: what every room stands on. Spans, buffers, errors, ids, time, hashes,
 * the log callback, the colour of the thread.
 *
 * Knows no server, no database and no standard of health care.
 * Unless said otherwise a function is pure: it does not block, and whatever
 * it returns lives in the pool that it was given.
 */

#ifndef HIE_BASE_H
#define HIE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_time.h>

#define HIE_ABI_VERSION  1

/* The version of the library that is loaded; adapters compare it with
 * HIE_ABI_VERSION and refuse to start on a difference. */
int
hie_abi_version(void);


/* Colour of a function. A blocking one may wait for a disk, a database, a
 * peer or a lock; a function without this mark never waits. */
#define HIE_BLOCKING


/*
 * Results. 0 is no result at all: it is never "ok" and never "allowed".
 */
typedef enum {
    HIE_OK = 1,
    HIE_INVALID,            /* 400: the request or the document is wrong */
    HIE_UNAUTHENTICATED,    /* 401: who is asking is not known */
    HIE_FORBIDDEN,          /* 403: known, and may not */
    HIE_NOT_FOUND,          /* 404: is not there, or not for this requester */
    HIE_METHOD,             /* 405: not an interaction of this place */
    HIE_NOT_ACCEPTABLE,     /* 406 */
    HIE_CONFLICT,           /* 409: lost against another writer */
    HIE_GONE,               /* 410 */
    HIE_PRECONDITION,       /* 412: If-Match, or several matches */
    HIE_TOO_LARGE,          /* 413: over a configured limit */
    HIE_UNSUPPORTED,        /* 415: media type or character set */
    HIE_UNPROCESSABLE,      /* 422: understood, and against a rule */
    HIE_TOO_COSTLY,         /* 422: would take more work than is allowed */
    HIE_INTERNAL,           /* 500: our fault */
    HIE_BAD_GATEWAY,        /* 502: the protected server's answer is unusable */
    HIE_BUSY,               /* 503: no capacity now, try again */
    HIE_UNAVAILABLE,        /* 503: a dependency does not answer */
    HIE_TIMEOUT             /* 503: it took longer than it may */
} hie_rc_t;

/* An error on the caller's stack; nothing to free. Functions that take one
 * accept NULL. What it says may be shown to the requester: never put data in
 * it that the requester did not send. */
typedef struct {
    hie_rc_t  rc;
    char      where[160];   /* FHIRPath, ERL location, file:line; or "" */
    char      detail[400];  /* a sentence: what was expected, what was found */
} hie_error_t;

/* Fills `err` and returns `rc`, so that `return hie_fail(...)` reads well. */
hie_rc_t
hie_fail(hie_error_t *err, hie_rc_t rc, const char *where,
         const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* HTTP status (RFC 9110) and FHIR issue type (R4 IssueType value set) that
 * belong to a result. */
int
hie_rc_status(hie_rc_t rc);
const char *
hie_rc_issue(hie_rc_t rc);


/*
 * Spans: bytes that belong to somebody else, not terminated.
 */
typedef struct {
    const char *ptr;
    size_t      len;
} hie_str_t;

#define HIE_STR(lit)  ((hie_str_t) { (lit), sizeof(lit) - 1 })
#define HIE_STR_NONE  ((hie_str_t) { NULL, 0 })
#define HIE_PRISTR(s) (int) (s).len, (s).ptr      /* for "%.*s" */

hie_str_t
hie_str(const char *z);                           /* NULL gives an empty one */
bool
hie_str_eq(hie_str_t a, hie_str_t b);
bool
hie_str_eqz(hie_str_t a, const char *z);
bool
hie_str_ieqz(hie_str_t a, const char *z);         /* ASCII case folded */
bool
hie_str_starts(hie_str_t a, const char *prefix);
hie_str_t
hie_str_trim(hie_str_t a);                        /* space, tab, CR, LF */
char *
hie_str_z(apr_pool_t *pool, hie_str_t a);         /* terminated copy */
hie_str_t
hie_str_dup(apr_pool_t *pool, hie_str_t a);
/* The part before `sep`; `rest` is what follows it (ptr NULL without sep). */
hie_str_t
hie_str_split(hie_str_t a, char sep, hie_str_t *rest);
/* Decimal digits only; false on anything else or on overflow. */
bool
hie_str_u64(hie_str_t a, uint64_t *out);

/* A growing byte string in a pool. */
typedef struct {
    apr_pool_t *pool;
    char       *ptr;
    size_t      len;
    size_t      size;
} hie_buf_t;

void
hie_buf_init(hie_buf_t *b, apr_pool_t *pool, size_t size);
void
hie_buf_add(hie_buf_t *b, const void *ptr, size_t len);
void
hie_buf_addc(hie_buf_t *b, char c);
void
hie_buf_addz(hie_buf_t *b, const char *z);
void
hie_buf_adds(hie_buf_t *b, hie_str_t s);
void
hie_buf_addf(hie_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The bytes as a JSON string (RFC 8259 section 7), with the quotes. Input
 * that is not UTF-8 is written with U+FFFD in place of the broken bytes. */
void
hie_buf_add_json(hie_buf_t *b, hie_str_t s);
hie_str_t
hie_buf_str(const hie_buf_t *b);

/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool
hie_utf8_valid(hie_str_t s);

/* %XX decoding (RFC 3986 section 2.1), '+' as space when `form`. False on a
 * broken escape, on %00 and on bytes that are not UTF-8 after decoding. */
bool
hie_url_decode(apr_pool_t *pool, hie_str_t in, bool form, hie_str_t *out);
/* Everything but the unreserved set is escaped. */
void
hie_url_encode(hie_buf_t *b, hie_str_t in);

/* Base64url without padding (RFC 4648 section 5). */
bool
hie_base64url_decode(apr_pool_t *pool, hie_str_t in, hie_str_t *out);
void
hie_base64url_encode(hie_buf_t *b, hie_str_t in);


/*
 * Ids, hashes, time.
 */

/* ULID: 48 bits of milliseconds and 80 of randomness, Crockford base 32,
 * 26 characters and a NUL. Ascending within one process. Thread-safe. */
#define HIE_ULID_LEN  26
void
hie_ulid(char out[HIE_ULID_LEN + 1]);

/* SipHash-2-4 (Aumasson, Bernstein 2012) under a fixed key. The value is
 * stored in the database: it must never change. */
uint64_t
hie_hash64(const void *ptr, size_t len);
/* The same over several spans with a separator that cannot occur in them. */
uint64_t
hie_hash64_parts(const hie_str_t *parts, size_t n);

/* CRC-32C (RFC 3720 appendix B.4). Start with 0. */
uint32_t
hie_crc32c(uint32_t crc, const void *ptr, size_t len);

/* FHIR instant in UTC with milliseconds, 24 characters. */
#define HIE_INSTANT_LEN  24
void
hie_time_instant(char out[HIE_INSTANT_LEN + 1], apr_time_t t);
/* IMF-fixdate (RFC 9110 section 5.6.7), 29 characters. */
#define HIE_HTTP_DATE_LEN  29
void
hie_time_http(char out[HIE_HTTP_DATE_LEN + 1], apr_time_t t);
/* A FHIR date, dateTime or instant: the first moment that it means, and the
 * first one after it. In a query (R4 section 3.1.1.4.7) seconds and the zone,
 * then UTC, may be left out. */
bool
hie_time_parse(hie_str_t s, bool query, apr_time_t *first, apr_time_t *after);
/* IMF-fixdate only; what is in an obsolete form counts as not there. */
bool
hie_time_http_parse(hie_str_t s, apr_time_t *out);

/* Cryptographic random bytes. Aborts where the system has none. */
void
hie_random(void *ptr, size_t len);
/* Comparison whose time depends on the lengths only. */
bool
hie_equal_const_time(hie_str_t a, hie_str_t b);


/*
 * Log. The host sets one callback; it may be called from any thread. Every
 * line has a stable id (HIE followed by four digits: 1xxx base, 2xxx journal,
 * 3xxx store and cache, 4xxx access, consent, audit, 5xxx exchange, 6xxx
 * adapters). No patient data and no token in a line, at any level.
 */
typedef enum {
    HIE_LOG_ERROR = 1, HIE_LOG_WARN, HIE_LOG_NOTICE, HIE_LOG_INFO,
    HIE_LOG_DEBUG
} hie_log_level_t;

typedef void hie_log_cb(void *baton, hie_log_level_t level, const char *line);

/* NULL sets the default: one line on standard error. */
void
hie_log_set(hie_log_cb *cb, void *baton, hie_log_level_t max);
void
hie_log(hie_log_level_t level, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));


/*
 * Colour of the thread. An event loop forbids blocking on its own thread;
 * every blocking function of journal, store and cache asserts the mark in a
 * debug build (configure --enable-debug; the default of a checkout).
 */
void
hie_thread_forbid_blocking(bool forbid);
bool
hie_thread_may_block(void);
/* Aborts with the name of the function. */
void
hie_thread_blocked(const char *func) __attribute__((noreturn));

#ifdef HIE_DEBUG
#define HIE_ASSERT_MAY_BLOCK()                                                \
    do {                                                                      \
        if (!hie_thread_may_block()) {                                        \
            hie_thread_blocked(__func__);                                     \
        }                                                                     \
    } while (0)
#else
#define HIE_ASSERT_MAY_BLOCK()  ((void) 0)
#endif

/* Starts a thread with every signal blocked (they belong to the host) and a
 * name of at most 15 characters. Joinable by hie_thread_join. */
typedef struct hie_thread_t hie_thread_t;
hie_rc_t
hie_thread_start(apr_pool_t *pool, const char *name, void (*fn)(void *),
                 void *baton, hie_thread_t **out, hie_error_t *err);
HIE_BLOCKING void
hie_thread_join(hie_thread_t *t);

/*
 * A file without a name in `directory`, readable by this process only; it is
 * gone when `pool` or its last descriptor is. HIE_UNAVAILABLE when there is no
 * room, with the reason in the log.
 */
HIE_BLOCKING hie_rc_t
hie_temp_file(apr_pool_t *pool, const char *directory, apr_file_t **out,
              hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_temp_write(apr_file_t *file, const void *ptr, size_t len,
               hie_error_t *err);

/* A pool with an allocator of its own, for one job on one thread at a time.
 * `parent` NULL: a root. Aborts on out of memory. */
apr_pool_t *
hie_pool_create(apr_pool_t *parent, const char *tag);

#endif
