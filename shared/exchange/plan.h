/*
 * The engine of write.h from the inside: a list of writes becomes a list of
 * steps, each about one resource.
 */

#ifndef HIE_EXCHANGE_PLAN_H
#define HIE_EXCHANGE_PLAN_H

#include <apr_tables.h>

#include "exchange/write.h"

typedef struct hie_step_t  hie_step_t;

struct hie_step_t {
    hie_write_t          *w;
    int                   number;
    hie_str_t             id;
    bool                  fresh;     /* nobody else can know the id */
    bool                  keep;      /* what a conditional create found stays */
    bool                  taken;     /* if it exists: under no condition */
    int64_t               seen;      /* the version that a search found */
    const hie_step_t     *same;      /* keep: what this list creates */
    hie_store_current_t  *now;       /* locked; NULL: fresh, or same */
    const hie_search_values_t  *values;  /* of its document as it came */
    hie_put_t            *put;       /* NULL: nothing is written */
    const hie_doc_t      *doc;       /* of what is written */
};

typedef struct {
    hie_store_tx_t           *tx;
    const hie_write_rules_t  *rules;
    apr_pool_t               *pool;
    hie_error_t              *err;
    apr_time_t                now;
    hie_write_t              *writes;
    int                       n;
    apr_array_header_t       *steps;     /* hie_step_t * */
    apr_array_header_t       *links;     /* hie_fhir_link_t */
    hie_put_t                *puts;
    int                       n_puts;
    bool                      final;     /* a conflict that will stay */
    bool                      registry;  /* other search parameters are served
                                            when it has ended */
} hie_plan_t;

#define HIE_STEP(p, i)  APR_ARRAY_IDX((p)->steps, i, hie_step_t *)

/* A place below that of the write, or "". */
const char *
hie_plan_where(const hie_plan_t *p, const hie_write_t *w, const char *below);

/* condition.c: conditions are locked and looked for; every step that has one
 * knows its resource after it, and conditional references are in the links. */
HIE_BLOCKING hie_rc_t
hie_plan_conditions(hie_plan_t *p);

/* plan.c: every step knows its id, what is there now (locked), and that the
 * write may be done. */
HIE_BLOCKING hie_rc_t
hie_plan_make(hie_plan_t *p);

/* parameters.c: where SearchParameters are written, whether they can be served:
 * HIE_UNPROCESSABLE, and the `bad` one (or NULL) to which the error belongs. */
HIE_BLOCKING hie_rc_t
hie_plan_parameters(hie_plan_t *p, const hie_step_t **bad);

/* referential.c: what the policy says of the references of what is written,
 * and of those to what is deleted. After the writes. */
bool
hie_plan_refers(const hie_plan_t *p);
HIE_BLOCKING hie_rc_t
hie_plan_check_references(hie_plan_t *p);

#endif
