/*
 * A search, for the files of this room that serve one (FHIR R4 section
 * 3.1.1): search.c asks the store, search_query.c reads the parameters,
 * search_resolve.c finds out what they mean to this requester, and
 * search_bundle.c writes the answer.
 */

#ifndef HIE_EXCHANGE_SEARCHING_H
#define HIE_EXCHANGE_SEARCHING_H

#include <apr_tables.h>

#include "exchange/private.h"

typedef struct {
    hie_job_t           *job;
    hie_asking_t         asking;
    hie_str_t            path;       /* of the links, below the base */
    hie_types_t          types;      /* that are searched */
    hie_type_t           type_of[HIE_TYPES_MAX];

    apr_array_header_t  *criteria;   /* hie_criterion_t */
    apr_array_header_t  *includes;   /* hie_include_t */
    apr_array_header_t  *warnings;   /* const char *: what was left out */
    apr_array_header_t  *gaps;       /* const char *: what may be missing */
    hie_sort_t           sorts[HIE_SORTS_MAX];
    hie_criteria_t       all;
    hie_query_t          query;
    int                  count;      /* of a page */
    bool                 count_only; /* _summary=count */
    bool                 lenient;
    unsigned             seen;       /* parameters that stand once */

    hie_str_t            used;       /* the query string as it was understood,
                                        without _cursor */
    hie_str_t            cursor;     /* of _cursor, ptr NULL if none */
    hie_place_t          place;      /* which it stands for */

    hie_found_t          found;
    hie_found_t          included;
} hie_searching_t;

/* search_query.c: fills in all but the last two. */
HIE_BLOCKING hie_rc_t
hie_search_read(hie_searching_t *s);

/* search_resolve.c */
/* Chains through types that the requester may not search are taken away, or
 * refused when nothing is left; codes that only terminology knows are looked
 * up. `a->principal` NULL: all types are permitted. */
HIE_BLOCKING hie_rc_t
hie_search_resolve(const hie_asking_t *a, hie_criterion_t *criteria, int n,
                   hie_error_t *err);
/* Whether the requester may search the type. */
bool
hie_search_permits(const hie_asking_t *a, hie_type_t type);
/* The same for the keys of _sort that follow a reference. */
hie_rc_t
hie_search_resolve_sort(const hie_asking_t *a, hie_sort_t *sort,
                        hie_error_t *err);

/* search_hierarchy.c: :above and :below of references into TOKENS. */
HIE_BLOCKING hie_rc_t
hie_search_relatives(const hie_asking_t *a, hie_criterion_t *c,
                     hie_error_t *err);

/* search_bundle.c */
hie_rc_t
hie_search_bundle(hie_searching_t *s, hie_str_t *out);
/* The place that a page token stands for, into `s`. */
hie_rc_t
hie_search_open(hie_searching_t *s);

#endif
