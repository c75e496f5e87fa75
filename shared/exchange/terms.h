/*
 * Code systems, value sets and concept maps out of the store, for the files of
 * this room that need terminology.
 */

#ifndef HIE_EXCHANGE_TERMS_H
#define HIE_EXCHANGE_TERMS_H

#include <apr_hash.h>
#include <apr_tables.h>

#include "exchange/private.h"
#include "terminology/terminology.h"

typedef struct {
    hie_asking_t           ask;
    const hie_visible_t   *visible;    /* to whom */
    const hie_types_t     *types;      /* that may be read; NULL: all */
    hie_term_set_t        *set;        /* what was found */
    apr_hash_t            *looked;     /* what was looked for */
    apr_array_header_t    *rows;       /* hie_row_t: all that were read */
    hie_term_source_t      source;     /* what the terminology room asks */
} hie_terms_t;

void
hie_terms_init(hie_terms_t *t, const hie_asking_t *ask,
               const hie_visible_t *visible, const hie_types_t *types);
/* HIE_UNPROCESSABLE: it cannot be used. */
hie_rc_t
hie_terms_compile(hie_terms_t *t, const hie_row_t *row,
                  const hie_term_t **out, hie_error_t *err);
/* A value set by its id, and the canonical by which the source knows it. */
HIE_BLOCKING hie_rc_t
hie_terms_value_set(hie_terms_t *t, hie_str_t id, hie_str_t *canonical,
                    hie_error_t *err);

#endif
