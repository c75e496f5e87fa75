/*
 * Loading of files. A file is known by the digest of its content; how far it
 * has come is written in the transaction that brings it there, so that a load
 * that was interrupted goes on where it stopped, and one that is repeated
 * does nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <apr_strings.h>

#include "exchange/write.h"

#define LINES  250               /* of NDJSON in one transaction */

/* Several loads wait for each other's new terms and labels; then the database
 * gives one up. The pause grows from this. */
#define TRIES  6
#define PAUSE  apr_time_from_msec(250)

typedef struct {
    hie_runtime_t         *rt;
    const char            *path;
    apr_pool_t            *pool;
    hie_str_t              bytes;
    char                   digest[65];
    bool                   unchecked;
    hie_load_progress_cb  *progress;
    void                  *baton;
    hie_load_result_t     *out;
    hie_error_t           *err;
} load_t;


static hie_rc_t
map_file(load_t *l)
{
    int          fd;
    void        *p;
    struct stat  st;

    fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || fstat(fd, &st) == -1) {
        hie_fail(l->err, HIE_INVALID, l->path, "cannot be read: %s",
                 strerror(errno));
        if (fd != -1) {
            close(fd);
        }

        return HIE_INVALID;
    }

    l->bytes = HIE_STR("");
    if (st.st_size > 0) {
        p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            close(fd);
            return hie_fail(l->err, HIE_INVALID, l->path,
                            "cannot be mapped: %s", strerror(errno));
        }

        l->bytes = (hie_str_t) { p, (size_t) st.st_size };
    }

    close(fd);
    return HIE_OK;
}


static void
digest_file(load_t *l)
{
    unsigned       i, n;
    unsigned char  md[EVP_MAX_MD_SIZE];

    n = 0;
    EVP_Digest(l->bytes.ptr, l->bytes.len, md, &n, EVP_sha256(), NULL);
    for (i = 0; i < n && i < 32; i++) {
        apr_snprintf(l->digest + 2 * i, 3, "%02x", md[i]);
    }
}


static void
show(load_t *l, int64_t done, int64_t total)
{
    if (l->progress != NULL) {
        l->progress(l->baton, done, total);
    }
}


typedef struct {
    load_t   *load;
    int64_t   done;
} state_t;


static hie_rc_t
set_state(void *baton, hie_store_tx_t *tx, hie_error_t *err)
{
    state_t  *s = baton;

    return hie_store_set_load_state(tx, s->load->digest, s->done, err);
}


static hie_rc_t
try_bundle(load_t *l, const hie_doc_t *d, const hie_bundle_t *bundle,
           int64_t done, apr_pool_t *pool)
{
    state_t             state = { l, done };
    hie_rc_t            rc;
    hie_write_t        *writes;
    hie_visible_t       all = { .all = true };
    hie_write_rules_t   rules = {
        .conf = l->rt->config, .store = l->rt->store,
        .search = l->rt->search, .visible = &all, .pool = pool,
        .base_url = hie_str(l->rt->config->fhir.base_url),
        .keep_ids = true, .links = true,
        .runtime = l->rt, .unchecked = l->unchecked,
        .before = set_state, .baton = &state
    };

    rc = hie_write_bundle(d, bundle, pool, &writes, l->err);
    if (rc == HIE_OK) {
        rc = hie_write_run(l->rt->store, &rules, writes, bundle->n, l->err);
    }

    return rc;
}


/* The transaction has ended without a trace, and nothing was wrong with it. */
static bool
may_pass(hie_rc_t rc)
{
    return rc == HIE_TIMEOUT || rc == HIE_BUSY || rc == HIE_CONFLICT;
}


static void
pause_before(int try)
{
    uint32_t             random;
    apr_interval_time_t  most = PAUSE << try;

    hie_random(&random, sizeof(random));
    apr_sleep(most / 2 + (apr_interval_time_t) random % (most / 2));
}


/* One Bundle in one transaction, together with the state `done`. */
static hie_rc_t
apply_bundle(load_t *l, const hie_doc_t *d, const hie_bundle_t *bundle,
             int64_t done, apr_pool_t *parent)
{
    int          try;
    hie_rc_t     rc = HIE_BUSY;
    apr_pool_t  *pool = hie_pool_create(parent, "hie-load");

    for (try = 0; may_pass(rc) && try < TRIES; try++) {
        if (try > 0) {
            hie_log(HIE_LOG_INFO, "HIE5017", "%s is tried again: %s", l->path,
                    hie_rc_issue(rc));
            pause_before(try);
            apr_pool_clear(pool);
        }

        rc = try_bundle(l, d, bundle, done, pool);
    }

    apr_pool_destroy(pool);
    if (rc == HIE_OK) {
        l->out->resources += bundle->n;
    }

    return rc;
}


static hie_rc_t
load_bundle(load_t *l, const hie_doc_t *d)
{
    hie_rc_t      rc;
    hie_bundle_t  bundle;

    rc = hie_fhir_bundle(d, INT_MAX, l->pool, &bundle, l->err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_str_eqz(bundle.type, "transaction")
        && !hie_str_eqz(bundle.type, "collection"))
    {
        return hie_fail(l->err, HIE_UNPROCESSABLE, "Bundle.type",
                        "expected \"transaction\" or \"collection\"");
    }

    show(l, 0, bundle.n);
    rc = apply_bundle(l, d, &bundle, 1, l->pool);
    if (rc == HIE_OK) {
        show(l, bundle.n, bundle.n);
    }

    return rc;
}


/* Lines from `*rest` as one collection Bundle. */
static int
gather(hie_str_t *rest, hie_buf_t *b)
{
    int        n;
    hie_str_t  line;

    hie_buf_addz(b, "{\"resourceType\":\"Bundle\",\"type\":\"collection\","
                 "\"entry\":[");
    for (n = 0; n < LINES && rest->ptr != NULL; /* void */) {
        line = hie_str_trim(hie_str_split(*rest, '\n', rest));
        if (line.len == 0) {
            continue;
        }

        hie_buf_addz(b, n++ == 0 ? "{\"resource\":" : ",{\"resource\":");
        hie_buf_adds(b, line);
        hie_buf_addc(b, '}');
    }

    hie_buf_addz(b, "]}");
    return n;
}


/* Names the line that is wrong, where a whole batch was refused. */
static hie_rc_t
check_lines(load_t *l, hie_str_t rest, int64_t line)
{
    hie_rc_t    rc;
    hie_str_t   one, type;
    hie_doc_t  *d;

    while (rest.ptr != NULL) {
        one = hie_str_trim(hie_str_split(rest, '\n', &rest));
        line++;
        if (one.len == 0) {
            continue;
        }

        rc = hie_doc_parse(l->pool, one, l->rt->config->fhir.max_depth, &d,
                           l->err);
        if (rc == HIE_OK) {
            rc = hie_fhir_check(d, l->pool, &type, l->err);
        }

        if (rc != HIE_OK) {
            return hie_fail(l->err, rc,
                            apr_psprintf(l->pool, "line %" APR_INT64_T_FMT,
                                         (apr_int64_t) line),
                            "%s", apr_pstrdup(l->pool, l->err->detail));
        }
    }

    return HIE_OK;
}


static hie_rc_t
load_batch(load_t *l, hie_str_t bytes, int64_t done, apr_pool_t *pool)
{
    hie_rc_t      rc;
    hie_doc_t    *d;
    hie_bundle_t  bundle;

    rc = hie_doc_parse(pool, bytes, l->rt->config->fhir.max_depth + 4, &d,
                       l->err);
    if (rc == HIE_OK) {
        rc = hie_fhir_bundle(d, INT_MAX, pool, &bundle, l->err);
    }

    return rc == HIE_OK ? apply_bundle(l, d, &bundle, done, pool) : rc;
}


/* `done` is a number of bytes for NDJSON. */
static hie_rc_t
load_lines(load_t *l, int64_t done)
{
    int          n;
    size_t       at;
    hie_rc_t     rc;
    hie_buf_t    b;
    hie_str_t    rest, start;
    apr_pool_t  *pool;

    rc = check_lines(l, l->bytes, 0);
    if (rc != HIE_OK) {
        return rc;
    }

    pool = hie_pool_create(l->pool, "hie-load");
    rest = l->bytes;
    rest.ptr += done;
    rest.len -= (size_t) done;

    while (rc == HIE_OK && rest.ptr != NULL && rest.len > 0) {
        apr_pool_clear(pool);
        start = rest;
        hie_buf_init(&b, pool, 1024 * 1024);
        n = gather(&rest, &b);
        at = l->bytes.len - (rest.ptr == NULL ? 0 : rest.len);
        if (n > 0) {
            rc = load_batch(l, hie_buf_str(&b), (int64_t) at, pool);
        }

        show(l, rc == HIE_OK ? (int64_t) at
                             : (int64_t) (l->bytes.len - start.len),
             (int64_t) l->bytes.len);
    }

    apr_pool_destroy(pool);
    return rc;
}


static bool
is_ndjson(const char *path)
{
    size_t  n;

    n = strlen(path);
    return (n > 7 && strcmp(path + n - 7, ".ndjson") == 0)
           || (n > 6 && strcmp(path + n - 6, ".jsonl") == 0);
}


static hie_rc_t
load(load_t *l, bool again)
{
    int64_t     done;
    hie_rc_t    rc;
    hie_str_t   type;
    hie_doc_t  *d;

    rc = hie_store_load_state(l->rt->store, l->digest, &done, l->err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (again) {
        done = 0;
    }

    if (is_ndjson(l->path)) {
        if (done >= (int64_t) l->bytes.len) {
            l->out->skipped = true;
            return HIE_OK;
        }

        return load_lines(l, done);
    }

    if (done > 0) {
        l->out->skipped = true;
        return HIE_OK;
    }

    rc = hie_doc_parse(l->pool, l->bytes, l->rt->config->fhir.max_depth, &d,
                       l->err);
    if (rc == HIE_OK) {
        rc = hie_fhir_check(d, l->pool, &type, l->err);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_str_eqz(type, "Bundle")) {
        return hie_fail(l->err, HIE_UNPROCESSABLE, "",
                        "expected a Bundle, found a %.*s (one resource per "
                        "line is loaded from a file named *.ndjson)",
                        HIE_PRISTR(type));
    }

    return load_bundle(l, d);
}


hie_rc_t
hie_load_file(hie_runtime_t *rt, const char *path, bool again,
              bool unchecked, hie_load_progress_cb *progress, void *baton,
              hie_load_result_t *out, hie_error_t *err)
{
    load_t    l;
    hie_rc_t  rc;

    memset(out, 0, sizeof(*out));
    memset(&l, 0, sizeof(l));
    l.rt = rt;
    l.path = path;
    l.unchecked = unchecked;
    l.progress = progress;
    l.baton = baton;
    l.out = out;
    l.err = err;

    rc = map_file(&l);
    if (rc != HIE_OK) {
        return rc;
    }

    l.pool = hie_pool_create(NULL, "hie-load");
    digest_file(&l);
    rc = load(&l, again);

    apr_pool_destroy(l.pool);
    if (l.bytes.len > 0) {
        munmap((void *) (uintptr_t) l.bytes.ptr, l.bytes.len);
    }

    return rc;
}
