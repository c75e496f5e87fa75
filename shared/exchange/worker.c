/*
 * Background work of a node: audit records and HL7 messages go from the
 * journals into the database, with their place in the same transaction. One
 * process of the node does it, the one that holds the lock file; when it
 * ends, another gets the lock.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "exchange/write.h"
#include "hl7v2/hl7v2.h"

#define ELECTION_MS  250         /* between tries to become the worker */
#define IDLE_MS      40          /* between looks at an idle journal */
#define DOWN_MS      500         /* while the database does not answer */
#define TURN_MS      200         /* of messages, before audit has its turn */

typedef struct {
    hie_runtime_t         *rt;
    apr_pool_t            *pool;         /* of this term of office */
    apr_pool_t            *scratch;      /* of one message */
    hie_audit_shipper_t   *shipper;
    hie_journal_reader_t  *reader;
    hie_indexing_t        *indexing;
    bool                   held;         /* a message waits to be repeated */
    bool                   unreleased;
    hie_str_t              record;
    hie_journal_position_t place;
} worker_t;


/* Sleeps, unless it is time to stop: the end of the runtime wakes it. */
static void
nap(hie_runtime_t *rt, _Atomic bool *stop, int ms)
{
    struct timespec  until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }

    pthread_mutex_lock(&rt->lock);
    if (!*stop) {
        pthread_cond_timedwait(&rt->stopped, &rt->lock, &until);
    }

    pthread_mutex_unlock(&rt->lock);
}


static hie_rc_t
open_messages(worker_t *w, hie_error_t *err)
{
    int                  i, n;
    hie_rc_t             rc;
    const hie_config_t  *conf;
    hie_store_place_t   *places;

    conf = w->rt->config;
    rc = hie_store_places(w->rt->store, conf->node, HIE_MESSAGE_JOURNAL,
                          w->pool, &places, &n, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_journal_reader_open(w->pool, conf->journal.directory,
                                 HIE_MESSAGE_JOURNAL, &w->reader, err);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        hie_journal_position_t  p;

        memcpy(p.segment, places[i].segment, sizeof(p.segment));
        p.offset = places[i].offset;
        hie_journal_reader_seek(w->reader, &p);
    }

    return HIE_OK;
}


static hie_rc_t
set_place(void *baton, hie_store_tx_t *tx, hie_error_t *err)
{
    worker_t           *w = baton;
    hie_store_place_t   place;

    memcpy(place.segment, w->place.segment, sizeof(place.segment));
    place.offset = w->place.offset;
    return hie_store_set_places(tx, w->rt->config->node, HIE_MESSAGE_JOURNAL,
                                &place, 1, err);
}


/* What fails because of the message itself, and would fail again. */
static bool
is_content(hie_rc_t rc)
{
    return rc != HIE_OK && rc != HIE_UNAVAILABLE && rc != HIE_BUSY
           && rc != HIE_TIMEOUT
           && rc != HIE_CONFLICT;
}


/* The message as FHIR, in one transaction with its place. */
static hie_rc_t
transform(worker_t *w, const hie_message_record_t *r, hie_error_t *err)
{
    hie_rc_t             rc;
    hie_str_t            bytes;
    hie_hl7_t           *m;
    hie_doc_t           *d;
    hie_write_t         *writes;
    hie_bundle_t         bundle;
    const hie_config_t  *conf = w->rt->config;
    hie_visible_t        all = { .all = true };
    hie_hl7_options_t    options = { conf->mllp.identifier_system,
                                     conf->mllp.timezone };
    hie_write_rules_t    rules = {
        .conf = conf, .store = w->rt->store, .search = w->rt->search,
        .visible = &all, .pool = w->scratch,
        .base_url = hie_str(conf->fhir.base_url), .links = true,
        .runtime = w->rt, .before = set_place, .baton = w
    };

    rc = hie_hl7_parse(w->scratch, r->message, &m, err);
    if (rc == HIE_OK) {
        rc = hie_hl7_to_fhir(m, &options, w->scratch, &bytes, err);
    }

    if (rc == HIE_OK) {
        rc = hie_doc_parse(w->scratch, bytes, conf->fhir.max_depth, &d, err);
    }

    if (rc == HIE_OK) {
        rc = hie_fhir_bundle(d, conf->fhir.max_entries, w->scratch, &bundle,
                             err);
    }

    if (rc == HIE_OK) {
        rc = hie_write_bundle(d, &bundle, w->scratch, &writes, err);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    return hie_write_run(w->rt->store, &rules, writes, bundle.n, err);
}


static hie_rc_t
bury(worker_t *w, const hie_message_record_t *r, const hie_error_t *why,
     hie_error_t *err)
{
    hie_rc_t         rc;
    hie_store_tx_t  *tx;

    hie_log(HIE_LOG_WARN, "HIE5005", "message %s goes to the dead letters: "
            "%s %s", r->id, why->where, hie_rc_issue(why->rc));

    rc = hie_store_begin(w->rt->store, w->scratch, &tx, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_dead_letter(tx, w->rt->config->node, r->id, r->message,
                               r->source, why, err);
    if (rc == HIE_OK) {
        rc = set_place(w, tx, err);
    }

    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }

    return hie_store_commit(tx, err);
}


static hie_rc_t
work_message(worker_t *w, hie_error_t *err)
{
    hie_rc_t              rc;
    hie_error_t           why;
    hie_message_record_t  r;

    rc = hie_message_decode(w->record, &r, err);
    if (rc != HIE_OK) {
        hie_log(HIE_LOG_ERROR, "HIE5006", "%s: segment %s before byte %lu",
                err->detail, w->place.segment,
                (unsigned long) w->place.offset);
        return HIE_OK;
    }

    rc = transform(w, &r, &why);
    if (rc == HIE_OK) {
        return HIE_OK;
    }

    if (is_content(rc)) {
        return bury(w, &r, &why, err);
    }

    *err = why;
    return rc;
}


static void
forget_place(void *baton, const char *segment)
{
    worker_t     *w = baton;
    hie_error_t   err;

    if (hie_store_forget_place(w->rt->store, w->rt->config->node,
                               HIE_MESSAGE_JOURNAL, segment, &err)
        != HIE_OK)
    {
        hie_log(HIE_LOG_INFO, "HIE5007", "the place in segment %s is kept: "
                "%s", segment, err.detail);
    }
}


/* Works off some messages. HIE_NOT_FOUND: there are none now. */
static hie_rc_t
work_messages(worker_t *w, hie_error_t *err)
{
    hie_rc_t    rc;
    apr_time_t  begun;

    begun = apr_time_now();
    while (!w->rt->stop
           && apr_time_now() - begun < apr_time_from_msec(TURN_MS))
    {
        if (!w->held) {
            rc = hie_journal_reader_next(w->reader, &w->record, &w->place,
                                         err);
            if (rc == HIE_INVALID) {
                hie_log(HIE_LOG_ERROR, "HIE5008", "message journal: %s",
                        err->detail);
                continue;
            }

            if (rc == HIE_NOT_FOUND && w->unreleased) {
                hie_journal_reader_release(w->reader, forget_place, w);
                w->unreleased = false;
            }

            if (rc != HIE_OK) {
                return rc;
            }
        }

        w->held = true;
        w->unreleased = true;
        apr_pool_clear(w->scratch);
        rc = work_message(w, err);
        if (rc != HIE_OK) {
            return rc;           /* the same one again, next time */
        }

        w->held = false;
    }

    return HIE_OK;
}


/* In office: until the end, or until the database is lost. */
static void
serve_term(worker_t *w, _Atomic bool *stop)
{
    int          moved;
    bool         indexed;
    hie_rc_t     audit, messages, indexing;
    hie_error_t  err;

    while (!*stop) {
        moved = 0;
        audit = hie_audit_ship(w->shipper, &moved, &err);
        messages = work_messages(w, &err);
        indexing = hie_indexing_turn(w->indexing, &indexed, &err);

        if (audit != HIE_OK || indexing != HIE_OK
            || (messages != HIE_OK && messages != HIE_NOT_FOUND))
        {
            hie_log(HIE_LOG_INFO, "HIE5009", "background work waits: %s",
                    err.detail);
            nap(w->rt, stop, DOWN_MS);

        } else if (indexed || (moved == 0 && messages == HIE_NOT_FOUND)) {
            nap(w->rt, stop, IDLE_MS);
        }
    }
}


static void
take_office(hie_runtime_t *rt, _Atomic bool *stop)
{
    hie_rc_t             rc;
    worker_t             w;
    hie_error_t          err;
    const hie_config_t  *conf;

    conf = rt->config;
    memset(&w, 0, sizeof(w));
    w.rt = rt;

    while (!*stop) {
        w.pool = hie_pool_create(NULL, "hie-worker");
        w.scratch = hie_pool_create(w.pool, "hie-message");
        w.reader = NULL;
        w.shipper = NULL;
        w.indexing = hie_indexing_create(rt, w.pool);

        rc = hie_audit_shipper_open(w.pool, rt->store,
                                    conf->journal.directory, conf->node,
                                    &w.shipper, &err);
        if (rc == HIE_OK) {
            rc = open_messages(&w, &err);
        }

        if (rc == HIE_OK) {
            serve_term(&w, stop);
        } else {
            hie_log(HIE_LOG_INFO, "HIE5009", "background work waits: %s",
                    err.detail);
            nap(rt, stop, DOWN_MS);
        }

        if (w.shipper != NULL) {
            hie_audit_shipper_close(w.shipper);
        }

        if (w.reader != NULL) {
            hie_journal_reader_close(w.reader);
        }

        apr_pool_destroy(w.pool);
    }
}


hie_rc_t
hie_worker_run(hie_runtime_t *rt, _Atomic bool *stop, hie_error_t *err)
{
    int    fd;
    char  *path;

    path = apr_pstrcat(rt->pool, rt->config->journal.directory,
                       "/worker.lock", NULL);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) {
        return hie_fail(err, HIE_UNAVAILABLE, path, "cannot be opened: %s",
                        strerror(errno));
    }

    while (!*stop) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            take_office(rt, stop);
            break;
        }

        nap(rt, stop, ELECTION_MS);
    }

    close(fd);
    return HIE_OK;
}


void
hie_worker_main(void *runtime)
{
    hie_error_t     err;
    hie_runtime_t  *rt = runtime;

    if (hie_worker_run(rt, &rt->stop, &err) != HIE_OK) {
        hie_log(HIE_LOG_ERROR, "HIE5010", "no background work: %s %s",
                err.where, err.detail);
    }
}
