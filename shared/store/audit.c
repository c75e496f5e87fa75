/*
 * Audit rows of a node: many per statement, and the same one any number of
 * times.
 */

#include "store/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


typedef struct {
    hie_array_t    id, recorded, subject, issuer, organization, peer;
    hie_array_t    interaction, type, resource_id, query, decision;
    hie_array_t    p0, p1, resources, completed, status, bytes, aborted;
    hie_array_t    withheld, disclosed, d0, d1;
    hie_array_t    patients, disclosed_patients;
    hie_params_t   params;
    hie_copy_t     copy;
    bool           fresh;        /* rows go into `copy`, not into the arrays */
    int            n;
} audit_rows_t;

/* How a row is written that is not there. */
#define COPY_SQL                                                              \
    "COPY %s.audit_log (id, recorded, subject, issuer, organization, peer,"   \
    " interaction, type, resource_id, query, decision, patients, resources,"  \
    " completed, status, bytes, aborted, withheld, disclosed_resources,"      \
    " disclosed_patients) FROM STDIN (FORMAT binary)"
#define COPY_COLUMNS  20

/* A slice between bounds that are null is null. */
#define MERGE_SQL                                                             \
    "INSERT INTO %s.audit_log AS l (id, recorded, subject, issuer,"           \
    " organization, peer, interaction, type, resource_id, query, decision,"   \
    " patients, resources, completed, status, bytes, aborted, withheld,"      \
    " disclosed_resources, disclosed_patients)"                               \
    " SELECT u.id, u.recorded, u.subject, u.issuer, u.organization, u.peer,"  \
    " u.interaction, u.type, u.resource_id, u.query, u.decision,"             \
    " ($23::bigint[])[u.p0 + 1 : u.p1], u.resources, u.completed, u.status,"  \
    " u.bytes, u.aborted, u.withheld, u.disclosed,"                           \
    " ($24::bigint[])[u.d0 + 1 : u.d1]"                                       \
    " FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[],"     \
    " $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],"            \
    " $10::text[], $11::text[], $12::int[], $13::int[], $14::int[],"          \
    " $15::timestamptz[], $16::int[], $17::bigint[], $18::bool[],"            \
    " $19::int[], $20::int[], $21::int[], $22::int[])"                        \
    " AS u(id, recorded, subject, issuer, organization, peer, interaction,"   \
    " type, resource_id, query, decision, p0, p1, resources, completed,"      \
    " status, bytes, aborted, withheld, disclosed, d0, d1)"                   \
    " ON CONFLICT (id) DO UPDATE SET completed = excluded.completed,"         \
    " status = excluded.status, bytes = excluded.bytes,"                      \
    " aborted = excluded.aborted, withheld = excluded.withheld,"              \
    " disclosed_resources = excluded.disclosed_resources,"                    \
    " disclosed_patients = excluded.disclosed_patients"                       \
    " WHERE l.completed IS NULL AND excluded.completed IS NOT NULL"

#define COMPLETE_SQL                                                          \
    "UPDATE %s.audit_log l SET completed = u.completed, status = u.status,"   \
    " bytes = u.bytes, aborted = u.aborted, withheld = u.withheld,"           \
    " disclosed_resources = u.disclosed,"                                     \
    " disclosed_patients = ($10::bigint[])[u.d0 + 1 : u.d1]"                  \
    " FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::bigint[],"    \
    " $5::bool[], $6::int[], $7::int[], $8::int[], $9::int[])"                \
    " AS u(id, completed, status, bytes, aborted, withheld, disclosed,"       \
    " d0, d1)"                                                                \
    " WHERE l.id = u.id AND l.completed IS NULL"


static void
init_rows(audit_rows_t *w, apr_pool_t *pool, int n)
{
    size_t  size = (size_t) n;

    w->n = 0;
    hie_array_init(&w->id, pool, HIE_PG_TEXT, size * 30);
    hie_array_init(&w->recorded, pool, HIE_PG_TIMESTAMPTZ, size * 12);
    hie_array_init(&w->subject, pool, HIE_PG_TEXT, size * 24);
    hie_array_init(&w->issuer, pool, HIE_PG_TEXT, size * 32);
    hie_array_init(&w->organization, pool, HIE_PG_TEXT, size * 32);
    hie_array_init(&w->peer, pool, HIE_PG_TEXT, size * 20);
    hie_array_init(&w->interaction, pool, HIE_PG_TEXT, size * 16);
    hie_array_init(&w->type, pool, HIE_PG_TEXT, size * 16);
    hie_array_init(&w->resource_id, pool, HIE_PG_TEXT, size * 40);
    hie_array_init(&w->query, pool, HIE_PG_TEXT, size * 16);
    hie_array_init(&w->decision, pool, HIE_PG_TEXT, size * 12);
    hie_array_init(&w->p0, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->p1, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->resources, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->completed, pool, HIE_PG_TIMESTAMPTZ, size * 12);
    hie_array_init(&w->status, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->bytes, pool, HIE_PG_INT8, size * 12);
    hie_array_init(&w->aborted, pool, HIE_PG_BOOL, size * 5);
    hie_array_init(&w->withheld, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->disclosed, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->d0, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->d1, pool, HIE_PG_INT4, size * 8);
    hie_array_init(&w->patients, pool, HIE_PG_INT8, size * 12);
    hie_array_init(&w->disclosed_patients, pool, HIE_PG_INT8, 0);
}


/* The keys go into one array for all rows; a row has the place where its own
 * begin and the place where they end. */
static void
add_patients(hie_array_t *all, hie_array_t *from, hie_array_t *to,
             const uint64_t *patients, int n)
{
    int  i;

    hie_array_i32(from, (int32_t) all->n);
    for (i = 0; i < n; i++) {
        hie_array_i64(all, (int64_t) patients[i]);
    }
    hie_array_i32(to, (int32_t) all->n);
}


static void
add_judgement(audit_rows_t *w, const hie_audit_row_t *row)
{
    if (!row->complete || !row->judged) {
        hie_array_null(&w->withheld);
        hie_array_null(&w->disclosed);
        hie_array_null(&w->d0);
        hie_array_null(&w->d1);
        return;
    }

    hie_array_i32(&w->withheld, row->n_withheld);
    hie_array_i32(&w->disclosed, row->n_disclosed);
    add_patients(&w->disclosed_patients, &w->d0, &w->d1,
                 row->disclosed_patients, row->n_disclosed_patients);
}


/* What is not known yet is null. */
static void
add_completion(audit_rows_t *w, const hie_audit_row_t *row)
{
    add_judgement(w, row);
    if (!row->complete) {
        hie_array_null(&w->completed);
        hie_array_null(&w->status);
        hie_array_null(&w->bytes);
        hie_array_null(&w->aborted);
        return;
    }

    hie_array_time(&w->completed, row->completed);
    hie_array_i32(&w->status, row->status);
    if (row->bytes < 0) {
        hie_array_null(&w->bytes);
    } else {
        hie_array_i64(&w->bytes, row->bytes);
    }
    hie_array_bool(&w->aborted, row->aborted);
}


static void
copy_nulls(hie_copy_t *c, int n)
{
    while (n-- > 0) {
        hie_copy_null(c);
    }
}


static void
copy_completion(hie_copy_t *c, const hie_audit_row_t *row)
{
    if (!row->complete) {
        copy_nulls(c, 7);
        return;
    }

    hie_copy_time(c, row->completed);
    hie_copy_i32(c, row->status);
    if (row->bytes < 0) {
        hie_copy_null(c);
    } else {
        hie_copy_i64(c, row->bytes);
    }
    hie_copy_bool(c, row->aborted);

    if (!row->judged) {
        copy_nulls(c, 3);
        return;
    }

    hie_copy_i32(c, row->n_withheld);
    hie_copy_i32(c, row->n_disclosed);
    hie_copy_keys(c, row->disclosed_patients, row->n_disclosed_patients);
}


static void
copy_row(hie_copy_t *c, const hie_audit_row_t *row,
         const hie_audit_row_t *completion)
{
    hie_copy_row(c);
    hie_copy_str(c, hie_str(row->id));
    hie_copy_time(c, row->recorded);
    hie_copy_str(c, row->subject);
    hie_copy_str(c, row->issuer);
    hie_copy_str(c, row->organization);
    hie_copy_str(c, row->peer);
    hie_copy_str(c, row->interaction);
    hie_copy_str(c, row->type);
    hie_copy_str(c, row->resource_id);
    hie_copy_str(c, row->query);
    hie_copy_str(c, row->decision);
    hie_copy_keys(c, row->patients, row->n_patients);
    hie_copy_i32(c, row->n_resources);
    copy_completion(c, completion);
}


static void
add_row(audit_rows_t *w, const hie_audit_row_t *row,
        const hie_audit_row_t *completion)
{
    w->n++;
    if (w->fresh) {
        copy_row(&w->copy, row, completion);
        return;
    }
    hie_array_str(&w->id, hie_str(row->id));
    hie_array_time(&w->recorded, row->recorded);
    hie_array_str(&w->subject, row->subject);
    hie_array_str(&w->issuer, row->issuer);
    hie_array_str(&w->organization, row->organization);
    hie_array_str(&w->peer, row->peer);
    hie_array_str(&w->interaction, row->interaction);
    hie_array_str(&w->type, row->type);
    hie_array_str(&w->resource_id, row->resource_id);
    hie_array_str(&w->query, row->query);
    hie_array_str(&w->decision, row->decision);
    hie_array_i32(&w->resources, row->n_resources);
    add_patients(&w->patients, &w->p0, &w->p1, row->patients,
                 row->n_patients);
    add_completion(w, completion);
}


static const hie_params_t *
insert_params(audit_rows_t *w, apr_pool_t *pool)
{
    hie_array_t  *arrays[] = {
        &w->id, &w->recorded, &w->subject, &w->issuer, &w->organization,
        &w->peer, &w->interaction, &w->type, &w->resource_id, &w->query,
        &w->decision, &w->p0, &w->p1, &w->resources, &w->completed,
        &w->status, &w->bytes, &w->aborted, &w->withheld, &w->disclosed,
        &w->d0, &w->d1, &w->patients, &w->disclosed_patients
    };
    size_t        i;

    hie_params_init(&w->params, pool);
    for (i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        hie_params_array(&w->params, arrays[i]);
    }
    return &w->params;
}


static const hie_params_t *
complete_params(audit_rows_t *w, apr_pool_t *pool)
{
    hie_params_init(&w->params, pool);
    hie_params_array(&w->params, &w->id);
    hie_params_array(&w->params, &w->completed);
    hie_params_array(&w->params, &w->status);
    hie_params_array(&w->params, &w->bytes);
    hie_params_array(&w->params, &w->aborted);
    hie_params_array(&w->params, &w->withheld);
    hie_params_array(&w->params, &w->disclosed);
    hie_params_array(&w->params, &w->d0);
    hie_params_array(&w->params, &w->d1);
    hie_params_array(&w->params, &w->disclosed_patients);
    return &w->params;
}


static int
compare_rows(const void *a, const void *b)
{
    const hie_audit_row_t  *x = *(const hie_audit_row_t *const *) a;
    const hie_audit_row_t  *y = *(const hie_audit_row_t *const *) b;

    return strcmp(x->id, y->id);
}


/* In the order of ids, which is the order of the index and in which two
 * writers cannot lock each other out; an id occurs once in a statement. */
static void
sort_out(const hie_audit_row_t *rows, int n, apr_pool_t *pool,
         audit_rows_t *inserts, audit_rows_t *completions)
{
    const hie_audit_row_t  **sorted;
    const hie_audit_row_t   *row, *completion;
    int                      i, j;

    sorted = apr_palloc(pool, (size_t) n * sizeof(*sorted));
    for (i = 0; i < n; i++) {
        sorted[i] = &rows[i];
    }
    qsort(sorted, (size_t) n, sizeof(*sorted), compare_rows);

    for (i = 0; i < n; i = j) {
        row = NULL;
        completion = NULL;
        for (j = i; j < n && strcmp(sorted[j]->id, sorted[i]->id) == 0; j++) {
            if (row == NULL && sorted[j]->decision.len > 0) {
                row = sorted[j];
            }
            if (completion == NULL && sorted[j]->complete) {
                completion = sorted[j];
            }
        }

        if (row != NULL) {
            add_row(inserts, row, completion != NULL ? completion : row);
        } else if (completion != NULL) {
            completions->n++;
            hie_array_str(&completions->id, hie_str(completion->id));
            add_completion(completions, completion);
        }
    }
}


hie_rc_t
hie_store_audit(hie_store_tx_t *tx, const char *node, bool fresh,
                const hie_audit_row_t *rows, int n, hie_error_t *err)
{
    audit_rows_t   *inserts, *completions;
    const char     *schema;
    hie_stmt_t      insert, complete;
    hie_op_t        ops[2];
    int             n_ops = 0;
    hie_rc_t        rc;

    HIE_ASSERT_MAY_BLOCK();

    rc = hie_node_schema(node, tx->pool, &schema, err);
    if (rc != HIE_OK || n == 0) {
        return rc;
    }

    inserts = apr_palloc(tx->pool, sizeof(*inserts));
    completions = apr_palloc(tx->pool, sizeof(*completions));
    init_rows(inserts, tx->pool, fresh ? 1 : n);
    init_rows(completions, tx->pool, 8);
    inserts->fresh = fresh;
    completions->fresh = false;
    if (fresh) {
        hie_copy_init(&inserts->copy, tx->pool, COPY_COLUMNS,
                      (size_t) n * 400);
    }
    sort_out(rows, n, tx->pool, inserts, completions);

    if (inserts->n > 0 && fresh) {
        rc = hie_store_tx_copy(tx, apr_psprintf(tx->pool, COPY_SQL, schema),
                               hie_copy_end(&inserts->copy), err);
        if (rc != HIE_OK) {
            return rc;
        }
    } else if (inserts->n > 0) {
        hie_store_stmt(&insert, apr_psprintf(tx->pool, MERGE_SQL, schema));
        ops[n_ops++] = (hie_op_t) {
            &insert, insert_params(inserts, tx->pool), NULL
        };
    }
    if (completions->n > 0) {
        hie_store_stmt(&complete,
                       apr_psprintf(tx->pool, COMPLETE_SQL, schema));
        ops[n_ops++] = (hie_op_t) {
            &complete, complete_params(completions, tx->pool), NULL
        };
    }
    if (n_ops == 0) {
        return HIE_OK;
    }

    rc = hie_store_tx_run(tx, ops, n_ops, err);
    while (rc == HIE_OK && n_ops-- > 0) {
        PQclear(ops[n_ops].res);
    }
    return rc;
}
