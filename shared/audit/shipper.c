/*
 * The way from the journal into the database.
 *
 * A batch is what was read since the last commit. It is written as a whole,
 * with the places after it in the same transaction; until then it stays, so
 * neither a database that is away nor a crash loses or doubles anything.
 */

#include "audit/audit.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>


#define BATCH_MAX  4000                      /* records */

/* How long a batch that is not full gathers. */
#define FILL_MAX   apr_time_from_msec(200)

/* How long a PENDING waits for its COMPLETE. Longer than most responses take;
 * the row of a slower one is completed afterwards. */
#define HOLD_MAX   apr_time_from_sec(2)

struct hie_audit_shipper_t {
    apr_pool_t            *pool;
    hie_store_t           *store;
    const char            *node;
    hie_journal_reader_t  *reader;
    bool                   resumed;    /* the reader knows where to begin */
    bool                   forgetful;  /* the database did not forget */
    bool                   careful;    /* rows of the batch may be there */

    apr_pool_t            *batch;      /* everything below */
    apr_array_header_t    *rows;       /* hie_audit_row_t */
    apr_hash_t            *by_id;      /* id: place in rows, from 1 */
    apr_array_header_t    *places;     /* hie_store_place_t */
    int                    records;
    int                    open;       /* rows without their completion */
    apr_time_t             since;      /* when its first record was read */
};


static void
new_batch(hie_audit_shipper_t *s)
{
    apr_pool_clear(s->batch);
    s->rows = apr_array_make(s->batch, 16, sizeof(hie_audit_row_t));
    s->by_id = apr_hash_make(s->batch);
    s->places = apr_array_make(s->batch, 4, sizeof(hie_store_place_t));
    s->records = 0;
    s->open = 0;
    s->since = 0;
}


hie_rc_t
hie_audit_shipper_open(apr_pool_t *pool, hie_store_t *store,
                       const char *directory, const char *node,
                       hie_audit_shipper_t **out, hie_error_t *err)
{
    hie_audit_shipper_t  *s = apr_pcalloc(pool, sizeof(*s));
    hie_rc_t              rc;

    HIE_ASSERT_MAY_BLOCK();

    *out = NULL;
    rc = hie_journal_reader_open(pool, directory, HIE_AUDIT_JOURNAL,
                                 &s->reader, err);
    if (rc != HIE_OK) {
        return rc;
    }

    s->pool = pool;
    s->store = store;
    s->node = apr_pstrdup(pool, node);
    s->batch = hie_pool_create(pool, "audit batch");
    new_batch(s);

    *out = s;
    return HIE_OK;
}


void
hie_audit_shipper_close(hie_audit_shipper_t *s)
{
    HIE_ASSERT_MAY_BLOCK();

    hie_journal_reader_close(s->reader);
    apr_pool_destroy(s->batch);
}


/* What the database has already is not read again. */
static hie_rc_t
resume(hie_audit_shipper_t *s, hie_error_t *err)
{
    hie_journal_position_t   position;
    hie_store_place_t       *places;
    apr_pool_t              *scratch;
    hie_rc_t                 rc;
    int                      i, n;

    if (s->resumed) {
        return HIE_OK;
    }
    scratch = hie_pool_create(s->pool, "audit places");
    rc = hie_store_places(s->store, s->node, HIE_AUDIT_JOURNAL, scratch,
                          &places, &n, err);
    for (i = 0; rc == HIE_OK && i < n; i++) {
        memset(&position, 0, sizeof(position));
        apr_cpystrn(position.segment, places[i].segment,
                    sizeof(position.segment));
        position.offset = places[i].offset;
        hie_journal_reader_seek(s->reader, &position);
    }
    apr_pool_destroy(scratch);
    s->resumed = rc == HIE_OK;

    return rc;
}


/*
 * Filling a batch.
 */
static void
copy_completion(hie_audit_row_t *to, const hie_audit_row_t *from)
{
    to->complete = true;
    to->completed = from->completed;
    to->status = from->status;
    to->bytes = from->bytes;
    to->aborted = from->aborted;
    to->judged = from->judged;
    to->n_withheld = from->n_withheld;
    to->n_disclosed = from->n_disclosed;
    to->n_disclosed_patients = from->n_disclosed_patients;
    to->disclosed_patients = from->disclosed_patients;
}


/* Both halves of a record make one row. The same half twice is one: the
 * journal may hold a record twice after a failure of the disk. */
static void
add_row(hie_audit_shipper_t *s, hie_audit_row_t *row)
{
    uintptr_t         at = (uintptr_t) apr_hash_get(s->by_id, row->id,
                                                    HIE_ULID_LEN);
    hie_audit_row_t  *known;

    if (at == 0) {
        APR_ARRAY_PUSH(s->rows, hie_audit_row_t) = *row;
        apr_hash_set(s->by_id, apr_pstrmemdup(s->batch, row->id,
                                              HIE_ULID_LEN),
                     HIE_ULID_LEN, (void *) (uintptr_t) s->rows->nelts);
        s->open += !row->complete;
        return;
    }

    known = &APR_ARRAY_IDX(s->rows, at - 1, hie_audit_row_t);
    if (row->complete && !known->complete) {
        copy_completion(known, row);
        s->open--;

    } else if (!row->complete && known->decision.len == 0) {
        copy_completion(row, known);
        *known = *row;
    }
}


static void
note_place(hie_audit_shipper_t *s, const hie_journal_position_t *position)
{
    hie_store_place_t  *p;
    int                 i;

    for (i = 0; i < s->places->nelts; i++) {
        p = &APR_ARRAY_IDX(s->places, i, hie_store_place_t);
        if (strcmp(p->segment, position->segment) == 0) {
            p->offset = position->offset;
            return;
        }
    }
    p = apr_array_push(s->places);
    apr_cpystrn(p->segment, position->segment, sizeof(p->segment));
    p->offset = position->offset;
}


static void
add_record(hie_audit_shipper_t *s, hie_str_t record,
           const hie_journal_position_t *next)
{
    hie_audit_row_t  row;
    hie_error_t      err;

    if (s->records++ == 0) {
        s->since = apr_time_now();
    }
    note_place(s, next);

    /* The reader's bytes are gone with its next record. */
    record = hie_str_dup(s->batch, record);
    if (hie_audit_decode(record, s->batch, &row, &err) == HIE_OK) {
        add_row(s, &row);
    } else {
        hie_log(HIE_LOG_ERROR, "HIE4301", "an audit record before offset "
                "%llu of segment %s was skipped: %s",
                (unsigned long long) next->offset, next->segment,
                err.detail);
    }
}


/* Reads until there is nothing more or the batch is full. */
static hie_rc_t
fill(hie_audit_shipper_t *s, hie_error_t *err)
{
    hie_journal_position_t  next;
    hie_error_t             why;
    hie_str_t               record;
    hie_rc_t                rc;

    while (s->records < BATCH_MAX) {
        rc = hie_journal_reader_next(s->reader, &record, &next, &why);
        if (rc == HIE_OK) {
            add_record(s, record, &next);

        } else if (rc == HIE_INVALID) {
            hie_log(HIE_LOG_ERROR, "HIE4302", "audit: %s", why.detail);

        } else if (rc == HIE_NOT_FOUND) {
            return HIE_OK;

        } else {
            return hie_fail(err, rc, why.where, "%s", why.detail);
        }
    }
    return HIE_OK;
}


static bool
is_due(const hie_audit_shipper_t *s)
{
    apr_time_t  now = apr_time_now();

    /* A clock that was set back must not make it wait for long. */
    return s->records >= BATCH_MAX || now < s->since
           || now >= s->since + (s->open == 0 ? FILL_MAX : HOLD_MAX);
}


/*
 * Writing it.
 */
static hie_rc_t
write_batch(hie_audit_shipper_t *s, apr_pool_t *scratch, hie_error_t *err)
{
    hie_store_tx_t  *tx;
    hie_rc_t         rc;

    rc = hie_store_begin(s->store, scratch, &tx, err);
    if (rc != HIE_OK) {
        return rc;
    }
    rc = hie_store_audit(tx, s->node, !s->careful,
                         (hie_audit_row_t *) s->rows->elts, s->rows->nelts,
                         err);
    if (rc == HIE_OK) {
        rc = hie_store_set_places(tx, s->node, HIE_AUDIT_JOURNAL,
                                  (hie_store_place_t *) s->places->elts,
                                  s->places->nelts, err);
    }
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }
    return hie_store_commit(tx, err);
}


/* The file is gone; its place is of no use any more. One that stays is
 * noticed by the next start and comes here again. */
static void
forget(void *baton, const char *segment)
{
    hie_audit_shipper_t  *s = baton;

    if (!s->forgetful
        && hie_store_forget_place(s->store, s->node, HIE_AUDIT_JOURNAL,
                                  segment, NULL) != HIE_OK)
    {
        s->forgetful = true;
    }
}


static void
release(hie_audit_shipper_t *s)
{
    s->forgetful = false;
    hie_journal_reader_release(s->reader, forget, s);
}


hie_rc_t
hie_audit_ship(hie_audit_shipper_t *s, int *moved, hie_error_t *err)
{
    apr_pool_t  *scratch;
    hie_rc_t     rc;

    HIE_ASSERT_MAY_BLOCK();

    *moved = 0;
    rc = resume(s, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = fill(s, err);
    if (s->records == 0) {
        if (rc == HIE_OK) {
            release(s);
        }
        return rc;
    }
    if (!is_due(s)) {
        return rc;
    }

    scratch = hie_pool_create(s->pool, "audit write");
    rc = write_batch(s, scratch, err);
    if (rc == HIE_CONFLICT && !s->careful) {
        /* After a failure of the disk a record can be in two segments. */
        s->careful = true;
        rc = write_batch(s, scratch, err);
    }
    apr_pool_destroy(scratch);
    if (rc != HIE_OK) {
        return rc;
    }
    s->careful = false;

    *moved = s->records;
    new_batch(s);
    release(s);
    return HIE_OK;
}
