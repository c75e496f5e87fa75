/*
 * Reading all segments of a journal, in turns.
 */

#include "journal/reader.h"

#include "journal/io.h"
#include "journal/segment.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>


/* Records of one segment before the next has its turn: a writer that is never
 * silent must not hide the others. */
#define TURN  512


hie_rc_t
hie_journal_reader_open(apr_pool_t *pool, const char *dir, const char *name,
                        hie_journal_reader_t **out, hie_error_t *err)
{
    hie_journal_reader_t  *r;
    int                    fd;

    HIE_ASSERT_MAY_BLOCK();
    *out = NULL;

    if (!hie_journal_directory(dir, name, true, &fd)) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "journal directory %s/%s: "
                        "%s", dir, name, strerror(errno));
    }

    r = apr_pcalloc(pool, sizeof(*r));
    r->pool = pool;
    r->dirfd = fd;
    r->name = apr_pstrdup(pool, name);
    r->sought = apr_hash_make(pool);
    r->window_pool = hie_pool_create(pool, "journal window");
    hie_journal_reader_tidy(r);

    *out = r;
    return HIE_OK;
}


void
hie_journal_reader_seek(hie_journal_reader_t *r,
                        const hie_journal_position_t *position)
{
    if (strlen(position->segment) != HIE_JOURNAL_SEGMENT_LEN) {
        return;
    }
    apr_hash_set(r->sought,
                 apr_pstrmemdup(r->pool, position->segment,
                                HIE_JOURNAL_SEGMENT_LEN),
                 HIE_JOURNAL_SEGMENT_LEN,
                 apr_pmemdup(r->pool, &position->offset,
                             sizeof(position->offset)));
}


/* Segments of one writer are read one after the other. */
static bool
is_its_turn(const hie_journal_reader_t *r, const hie_journal_source_t *s)
{
    const hie_journal_source_t  *before;

    for (before = r->first; before != s; before = before->next) {
        if (before->state == HIE_JOURNAL_READING
            && memcmp(before->writer, s->writer, HIE_ULID_LEN) == 0)
        {
            return false;
        }
    }
    return true;
}


/* The next record of the current source, if it may give one. */
static hie_rc_t
next_of_current(hie_journal_reader_t *r, hie_journal_record_t *record)
{
    hie_journal_source_t  *s = r->current;
    hie_rc_t               rc;

    if (r->turn == TURN || s->state == HIE_JOURNAL_READ
        || s->state == HIE_JOURNAL_GONE)
    {
        return HIE_NOT_FOUND;
    }

    rc = hie_journal_source_open(r, s);
    if (rc != HIE_OK) {
        return rc;
    }
    if (r->turn == 0 && !is_its_turn(r, s)) {
        hie_journal_source_close(r, s);
        return HIE_NOT_FOUND;
    }

    r->turn++;
    return hie_journal_source_next(r, s, record);
}


/* Where the process lacks something the round begins anew, so that nothing
 * overtakes the segment that could not be opened. */
static void
advance(hie_journal_reader_t *r, hie_rc_t rc)
{
    if (rc == HIE_UNAVAILABLE
        && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    {
        r->current = NULL;
    } else {
        r->current = r->current->next;
    }
    r->turn = 0;
}


static hie_rc_t
fail_source(const hie_journal_reader_t *r, const hie_journal_source_t *s,
            hie_rc_t rc, hie_error_t *err)
{
    if (rc == HIE_UNAVAILABLE) {
        return hie_fail(err, rc, "", "journal %s, segment %s: %s", r->name,
                        s->name, strerror(errno));
    }
    return hie_fail(err, rc, "", "journal %s, segment %s: damaged at offset "
                    "%llu and set aside", r->name, s->name,
                    (unsigned long long) s->offset);
}


hie_rc_t
hie_journal_reader_next(hie_journal_reader_t *r, hie_str_t *record,
                        hie_journal_position_t *next, hie_error_t *err)
{
    hie_journal_record_t   found;
    hie_journal_source_t  *s;
    hie_rc_t               rc;
    bool                   scanned = false;

    HIE_ASSERT_MAY_BLOCK();
    *record = HIE_STR_NONE;
    memset(next, 0, sizeof(*next));

    for ( ;; ) {
        s = r->current;
        if (s == NULL) {
            if (scanned) {
                return HIE_NOT_FOUND;
            }
            if (!hie_journal_reader_scan(r)) {
                return hie_fail(err, HIE_UNAVAILABLE, "", "journal %s: %s",
                                r->name, strerror(errno));
            }
            scanned = true;
            r->current = r->first;
            r->turn = 0;
            continue;
        }

        rc = next_of_current(r, &found);
        if (rc == HIE_OK) {
            *record = found.payload;
            memcpy(next->segment, s->name, sizeof(next->segment));
            next->offset = s->offset;
            return HIE_OK;
        }
        if (rc != HIE_NOT_FOUND) {
            advance(r, rc);
            return fail_source(r, s, rc, err);
        }
        advance(r, rc);
    }
}


/* Removes the files that have been read; whether the directory knows. */
static bool
remove_read(hie_journal_reader_t *r)
{
    hie_journal_source_t  *s;
    char                   file[HIE_JOURNAL_FILE_MAX];
    bool                   any = false;

    for (s = r->first; s != NULL; s = s->next) {
        if (s->state == HIE_JOURNAL_READ) {
            hie_journal_file(file, s->name, HIE_JOURNAL_SUFFIX);
            if (unlinkat(r->dirfd, file, 0) != 0 && errno != ENOENT) {
                hie_log(HIE_LOG_WARN, "HIE2008", "journal %s: segment %s "
                        "cannot be removed: %s", r->name, s->name,
                        strerror(errno));
                continue;
            }
            s->state = HIE_JOURNAL_GONE;
        }
        any = any || s->state == HIE_JOURNAL_GONE;
    }

    return !any || hie_journal_io.fsync(r->dirfd) == 0;
}


/* Positions of segments that are not there any more: a crash came between
 * the removal and the forgetting. */
static void
forget_sought(hie_journal_reader_t *r, hie_journal_removed_cb *cb,
              void *baton)
{
    apr_hash_index_t  *i;
    const void        *key;
    char               name[HIE_ULID_LEN + 1];

    for (i = apr_hash_first(NULL, r->sought); i != NULL; i = apr_hash_next(i))
    {
        apr_hash_this(i, &key, NULL, NULL);
        memcpy(name, key, HIE_ULID_LEN);
        name[HIE_ULID_LEN] = '\0';
        cb(baton, name);
    }
    apr_hash_clear(r->sought);
}


void
hie_journal_reader_release(hie_journal_reader_t *r,
                           hie_journal_removed_cb *cb, void *baton)
{
    hie_journal_source_t  **at = &r->first, *s;

    HIE_ASSERT_MAY_BLOCK();

    /* The caller forgets positions; so the removal must be durable before,
     * or a segment that came back would be read again from its start. */
    if (!hie_journal_reader_scan(r) || !remove_read(r)) {
        return;
    }

    while ((s = *at) != NULL) {
        if (s->state != HIE_JOURNAL_GONE) {
            at = &s->next;
            continue;
        }
        if (r->current == s) {
            r->current = s->next;
            r->turn = 0;
        }
        *at = s->next;
        if (cb != NULL) {
            cb(baton, s->name);
        }
        s->next = r->spare;
        r->spare = s;
    }

    if (cb != NULL) {
        forget_sought(r, cb, baton);
    }
}


void
hie_journal_reader_close(hie_journal_reader_t *r)
{
    hie_journal_source_t  *s;

    HIE_ASSERT_MAY_BLOCK();

    for (s = r->first; s != NULL; s = s->next) {
        hie_journal_source_close(r, s);
    }
    close(r->dirfd);
    apr_pool_destroy(r->window_pool);
}
