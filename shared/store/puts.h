/*
 * What is written of resources, as arrays with an element per row: for the
 * files of this room only.
 */

#ifndef HIE_STORE_PUTS_H
#define HIE_STORE_PUTS_H

#include "store/private.h"

/* The parameters of hie_store_t.create, update, reindex and contained. */
typedef struct {
    int            n;
    int64_t        generation;               /* the oldest of the rows */
    bool           full_text;
    apr_pool_t    *pool;
    hie_array_t    type, id;
    hie_array_t    p0, p1, t0, t1, r0, r1;   /* the row's parts of */
    hie_array_t    v0, v1;
    hie_array_t    patients;                 /* of contained: their owners */
    hie_array_t    tokens, present, ref_params, ref_keys;
    hie_array_t    care_from, care_until, words;
    hie_array_t    s_ord, s_slot, s_scope, s_value;
    hie_array_t    d_ord, d_slot, d_low, d_high, d_scope;
    hie_array_t    n_ord, n_slot, n_unit, n_system, n_code, n_scope;
    hie_array_t    n_low, n_high, n_unit_low, n_unit_high;
    hie_array_t    n_low_float, n_unit_float, n_part;
    hie_array_t    key;
    hie_array_t    updated, body, method;    /* of create and update */
    hie_array_t    version;                  /* of update and reindex */
    hie_params_t   params;
} hie_rows_t;

typedef enum {
    HIE_ROWS_CREATE = 1, HIE_ROWS_UPDATE, HIE_ROWS_REINDEX, HIE_ROWS_CONTAINED
} hie_rows_kind_t;

void
hie_rows_init(hie_rows_t *w, const hie_store_t *s, apr_pool_t *pool,
              size_t body_size);
void
hie_rows_add(hie_rows_t *w, const hie_put_t *put, hie_rows_kind_t kind);
const hie_params_t *
hie_rows_params(hie_rows_t *w, hie_rows_kind_t kind);

/* One operation for what these contain, behind those that write the rows
 * themselves. False: they contain nothing. */
bool
hie_rows_contained(hie_store_tx_t *tx, const hie_put_t *puts, int n,
                   hie_op_t *op);

const char *
hie_rows_sql(hie_rows_kind_t kind);

#endif
