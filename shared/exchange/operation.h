/*
 * Operations, for the files of this room that serve them.
 */

#ifndef HIE_EXCHANGE_OPERATION_H
#define HIE_EXCHANGE_OPERATION_H

#include "exchange/private.h"

enum { HIE_AT_SYSTEM = 1, HIE_AT_TYPE = 2, HIE_AT_INSTANCE = 4 };

/* What it answers with: what is asked for in parts (_summary, _elements). */
typedef enum {
    HIE_ANSWERS_OTHER = 1,       /* Parameters, an outcome, what is no part */
    HIE_ANSWERS_RESOURCE,
    HIE_ANSWERS_PAGE             /* a Bundle of resources */
} hie_answers_t;

typedef struct hie_operation_t {
    const char     *name;        /* without the dollar */
    unsigned        levels;
    const char     *type;        /* of which type it is; NULL: any */
    bool            affects;     /* changes something: POST only */
    hie_answers_t   answers;
    const char     *definition;  /* canonical */
    hie_rc_t      (*serve)(hie_job_t *job);
} hie_operation_t;

/* The i-th, or NULL at the end. */
const hie_operation_t *
hie_operations(size_t i);
/* The one that the place names, or NULL. */
const hie_operation_t *
hie_operation_find(const hie_interaction_t *todo);

/* The resource in the body of a POST, or NULL without one. */
hie_rc_t
hie_operation_body(hie_job_t *job, hie_doc_t **out, hie_str_t *type);
/* URL and body together, as a query string; with what of it says how much
 * of a resource is wanted, as job->media. */
hie_rc_t
hie_operation_query(hie_job_t *job, hie_str_t *query);

/* The value[x] of a parameter as text; ptr NULL if it has none that is
 * primitive. */
hie_str_t
hie_operation_value(const hie_doc_t *d, hie_node_t parameter,
                    apr_pool_t *pool);

/* everything.c, meta.c, validate.c */
hie_rc_t
hie_do_everything(hie_job_t *job);
hie_rc_t
hie_do_meta(hie_job_t *job);
hie_rc_t
hie_do_validate(hie_job_t *job);

/* terminology.c */
hie_rc_t
hie_do_expand(hie_job_t *job);
hie_rc_t
hie_do_validate_code(hie_job_t *job);
hie_rc_t
hie_do_lookup(hie_job_t *job);
hie_rc_t
hie_do_subsumes(hie_job_t *job);
hie_rc_t
hie_do_translate(hie_job_t *job);

#endif
