/*
 * audit: a record that is durable before data leaves, its completion, and the
 * way of both into the node's schema (hie_node_<name>.audit_log).
 */

#ifndef HIE_AUDIT_H
#define HIE_AUDIT_H

#include "base/base.h"
#include "journal/journal.h"
#include "store/store.h"

#define HIE_AUDIT_JOURNAL  "audit"

/* Appends the PENDING record; it is durable when the journal says so for
 * `seq`. row->id and row->recorded are set here if they are empty. Does not
 * block. */
hie_rc_t
hie_audit_pending(hie_journal_t *j, hie_audit_row_t *row, apr_pool_t *pool,
                  uint64_t *seq, hie_error_t *err);

/* Appends the COMPLETE record of the row; nobody waits for it. */
hie_rc_t
hie_audit_complete(hie_journal_t *j, const hie_audit_row_t *row,
                   apr_pool_t *pool, hie_error_t *err);

/* The bytes of one record: of the completion if `complete`, else of the
 * PENDING part. Text that is not UTF-8 is kept with its bytes escaped (%XX),
 * so that whatever a requester sent can be stored. */
hie_str_t
hie_audit_encode(const hie_audit_row_t *row, bool complete,
                 apr_pool_t *pool);

/* Takes a record apart again. `row` points into `record` and `pool`. Of a
 * COMPLETE record only id, recorded and the completion are known; decision is
 * empty. HIE_INVALID if it is no record of this version. */
hie_rc_t
hie_audit_decode(hie_str_t record, apr_pool_t *pool, hie_audit_row_t *row,
                 hie_error_t *err);

/*
 * The shipper: moves what the journal holds into the database, with its place
 * in the same transaction, so that each record arrives exactly once. A PENDING
 * whose COMPLETE is in reach goes as one row; one without is held back for two
 * seconds, with all that was read after it.
 */
typedef struct hie_audit_shipper_t  hie_audit_shipper_t;

/* Needs no database yet: what was read before is asked for by the first
 * batch. */
HIE_BLOCKING hie_rc_t
hie_audit_shipper_open(apr_pool_t *pool, hie_store_t *store,
                       const char *directory, const char *node,
                       hie_audit_shipper_t **out, hie_error_t *err);

/* One batch. `moved` is the number of records; 0 when there is nothing now.
 * After an error the batch is kept and the next call tries it again. */
HIE_BLOCKING hie_rc_t
hie_audit_ship(hie_audit_shipper_t *s, int *moved, hie_error_t *err);

HIE_BLOCKING void
hie_audit_shipper_close(hie_audit_shipper_t *s);

#endif
