/*
 * A search parameter on its way to a criterion.
 */

#ifndef HIE_SEARCH_CRITERION_H
#define HIE_SEARCH_CRITERION_H

#include "search/private.h"

/* R4 section 3.1.3.2: what _filter compares by. */
typedef enum {
    HIE_COMPARE_NONE = 0,        /* a parameter of its own, with a modifier */
    HIE_COMPARE_EQ, HIE_COMPARE_NE, HIE_COMPARE_CO, HIE_COMPARE_SW,
    HIE_COMPARE_EW, HIE_COMPARE_GT, HIE_COMPARE_LT, HIE_COMPARE_GE,
    HIE_COMPARE_LE, HIE_COMPARE_AP, HIE_COMPARE_SA, HIE_COMPARE_EB,
    HIE_COMPARE_PR, HIE_COMPARE_PO, HIE_COMPARE_SS, HIE_COMPARE_SB,
    HIE_COMPARE_IN, HIE_COMPARE_NI, HIE_COMPARE_RE
} hie_compare_t;

typedef struct {
    hie_search_t              *s;
    hie_type_t                 type;       /* among whose resources */
    const hie_search_rules_t  *rules;
    int                        depth;
    int                       *ways;       /* of the whole that may be tried */
    apr_pool_t                *pool;
    hie_str_t                  whole;      /* the name as sent, for errors */
    hie_str_t                  modifier;   /* ptr NULL: none */
    hie_str_t                  value;
    hie_compare_t              compare;
    hie_criterion_t           *out;        /* `def` is set */
    hie_error_t               *err;
} hie_criterion_parse_t;


/* criterion_value.c: by parameter, kind and modifier. */
hie_rc_t
hie_criterion_value(hie_criterion_parse_t *p);

/* current.c: _list=$current-… */
hie_rc_t
hie_criterion_current(hie_criterion_parse_t *p);

/* criterion_token.c, criterion_range.c: those of a kind. */
hie_rc_t
hie_criterion_tokens(hie_criterion_parse_t *p);
hie_rc_t
hie_criterion_strings(hie_criterion_parse_t *p);
hie_rc_t
hie_criterion_uris(hie_criterion_parse_t *p);
hie_rc_t
hie_criterion_references(hie_criterion_parse_t *p);
hie_rc_t
hie_criterion_words(hie_criterion_parse_t *p, hie_text_match_t match);
hie_rc_t
hie_criterion_texts(hie_criterion_parse_t *p, hie_criterion_kind_t kind,
                    uint32_t param, hie_text_match_t match);
hie_rc_t
hie_criterion_dates(hie_criterion_parse_t *p, hie_criterion_kind_t kind);
hie_rc_t
hie_criterion_numbers(hie_criterion_parse_t *p);
hie_rc_t
hie_criterion_near(hie_criterion_parse_t *p);

/* One value without escapes, as it was indexed. */
hie_rc_t
hie_criterion_token(hie_criterion_parse_t *p, hie_str_t value,
                    hie_str_t *form);
hie_rc_t
hie_criterion_reference(hie_criterion_parse_t *p, hie_str_t value,
                        hie_str_t *form);
hie_rc_t
hie_criterion_date(hie_criterion_parse_t *p, hie_str_t value,
                   hie_date_value_t *out);
hie_rc_t
hie_criterion_number(hie_criterion_parse_t *p, hie_search_kind_t kind,
                     hie_str_t value, hie_number_value_t *out);

/* Errors: about the value, about the modifier. */
hie_rc_t
hie_criterion_wrong(hie_criterion_parse_t *p, const char *expected);
hie_rc_t
hie_criterion_modifier(hie_criterion_parse_t *p);

/* The alternatives of the value, escapes still in them (hie_str_t). */
hie_rc_t
hie_criterion_split(hie_criterion_parse_t *p, apr_array_header_t **out);
/* The first part up to a separator that is not escaped; `rest` has ptr NULL
 * after the last. */
hie_str_t
hie_search_cut(hie_str_t text, char separator, hie_str_t *rest);
hie_str_t
hie_search_plain(apr_pool_t *pool, hie_str_t s);

/* The resource type that the modifier names; HIE_TYPE_NONE: it is none. */
hie_type_t
hie_criterion_type(const hie_criterion_parse_t *p);


/* compare.c: as _filter compares. HIE_COMPARE_NONE: no such name. */
hie_compare_t
hie_compare_find(hie_str_t name);
hie_rc_t
hie_criterion_compare(hie_criterion_parse_t *p);


/* composite.c */
hie_rc_t
hie_criterion_composite(hie_criterion_parse_t *p);


/* criterion.c: `out` of one parameter, of resources of a type. `outer` is the
 * criterion around it, or has what is common to all. */
hie_rc_t
hie_criterion_parse(const hie_criterion_parse_t *outer, hie_type_t type,
                    hie_str_t name, hie_criterion_t *out);
/* The same, of each of these types. */
hie_rc_t
hie_criterion_parse_all(const hie_criterion_parse_t *outer,
                        const hie_type_t *types, int n_types, hie_str_t name,
                        hie_criterion_t *out);
/* The type that a chain names, or HIE_TYPE_NONE: it leads through all. */
hie_rc_t
hie_criterion_way(hie_criterion_parse_t *p, hie_type_t *out);
hie_rc_t
hie_criterion_unknown(const hie_criterion_parse_t *p, hie_type_t type,
                      hie_str_t code);
hie_rc_t
hie_criterion_no_way(const hie_criterion_parse_t *p, hie_rc_t worst,
                     hie_str_t rest);
void
hie_criterion_set_chains(hie_criterion_t *c, hie_criterion_kind_t kind,
                         apr_array_header_t *chains);

#endif
