/*
 * What the files of this room share.
 */

#ifndef HIE_SEARCH_PRIVATE_H
#define HIE_SEARCH_PRIVATE_H

#include <stdatomic.h>

#include <apr_tables.h>

#include "fhirpath/fhirpath.h"
#include "search/search.h"

#define HIE_UCUM_SYSTEM  "http://unitsofmeasure.org"

/* Components of a composite. */
#define HIE_SEARCH_PARTS  3

/* path.c: a path by elements. */
#define HIE_SEARCH_STEPS  6
#define HIE_SEARCH_PATHS  64      /* the ways of one alternative */

typedef struct {
    hie_type_t  refers_to;       /* where(resolve() is …); or */
    hie_str_t   member;          /* where(member = value) */
    hie_str_t   value;
} hie_search_filter_t;

typedef struct {
    const hie_element_t        *element;
    const hie_search_filter_t  *filter;   /* or NULL */
} hie_search_step_t;

typedef struct {
    int                n;
    hie_type_t         type;     /* of the values */
    hie_search_step_t  steps[HIE_SEARCH_STEPS];
} hie_search_path_t;

/* All ways of an expression from a value of the type. False: it is more than
 * paths. */
bool
hie_search_paths(apr_pool_t *pool, apr_pool_t *scratch, hie_type_t type,
                 hie_str_t expression, const hie_search_path_t **out, int *n);


/* How the values of a parameter are got out of a resource: by paths, or where
 * it is more than that, by an expression. */
typedef struct {
    int                       n;
    hie_type_t                of;        /* from a value of this type */
    const hie_search_path_t  *paths;
} hie_search_ways_t;

typedef struct {
    hie_fhirpath_t      *program;    /* from a value of the composite */
    hie_search_kind_t    kind;
    int                  n;
    hie_search_ways_t   *ways;       /* the same, by the value's type */
} hie_search_part_t;

typedef struct {
    hie_parameter_t           param;
    const char               *either[2]; /* finds what these two find, and has
                                            no values of its own; or NULL */
    int                       n_paths;
    const hie_search_path_t  *paths;
    hie_fhirpath_t           *program;   /* NULL: by paths, or not of an
                                            element */
    int                       n_parts;   /* of a composite */
    hie_search_part_t        *parts;
} hie_search_plan_t;

typedef struct hie_search_tree_t  hie_search_tree_t;

/* All that a resource type is found by, sorted by code. */
typedef struct {
    int                 n;
    hie_search_plan_t  *plans;
    hie_search_tree_t  *tree;        /* of their paths */
} hie_search_type_t;

/* A parameter that R4 does not have, as of each of its types, which may be
 * Resource or DomainResource. */
typedef struct {
    const char         *url;
    int                 n;
    hie_search_plan_t  *plans;       /* as of `param.type` */
} hie_custom_t;

/* What there is at a time. A change makes another one; who reads keeps to the
 * one that he has, and all are kept. */
typedef struct {
    int                          n;
    const hie_custom_t         **customs;
    hie_search_type_t  *_Atomic *types;      /* hie_n_types; NULL: not yet */
} hie_registry_t;

struct hie_search_t {
    apr_pool_t                  *pool;       /* under the lock */
    hie_search_options_t         options;
    hie_search_type_t          **r4;         /* the same, without customs */
    hie_registry_t     *_Atomic  now;
};

/* NULL: it is no type of a resource. Compiles at the first call. */
const hie_search_type_t *
hie_search_type(hie_search_t *s, hie_type_t type);
void
hie_search_lock(hie_search_t *s, bool on);
/* By the expression of the parameter, whose type and kind are set; by that of
 * a component. */
hie_rc_t
hie_search_plan_expression(apr_pool_t *pool, hie_search_plan_t *plan,
                           hie_str_t expression, bool strict,
                           hie_error_t *err);
hie_rc_t
hie_search_plan_part(apr_pool_t *pool, hie_search_plan_t *plan, int i,
                     hie_search_kind_t kind, hie_str_t expression,
                     hie_error_t *err);
/* NULL: none of this code. */
const hie_search_plan_t *
hie_search_plan(const hie_search_type_t *t, hie_str_t code);
const hie_search_plan_t *
hie_search_find(hie_search_t *s, hie_type_t type, hie_str_t code);
/* The type that a reference parameter leads to, if it is one only. */
hie_type_t
hie_search_only_target(const hie_parameter_t *param);
/* Does a reference parameter lead to this type? */
bool
hie_search_leads_to(const hie_parameter_t *param, hie_type_t type);
/* _id and _lastUpdated: they stand in the row and have no values. */
bool
hie_search_in_row(const hie_parameter_t *param);


/* The first component of a composite, in one of its forms. */
typedef struct {
    uint64_t  slot;
    uint64_t  scope;
    uint64_t  form;
    bool      rows;              /* rows are made for one form only */
} hie_first_t;

typedef struct {
    hie_str_t  system;
    hie_str_t  code;
} hie_code_t;

/* What an element says as a token; several parameters ask the same ones. */
typedef struct {
    const hie_doc_t  *d;         /* NULL: nothing is here */
    hie_node_t        node;
    int               n_codes;
    hie_code_t       *codes;
    int               n_words;   /* -1: not looked at */
    hie_str_t        *words;
} hie_said_t;

#define HIE_SEARCH_SAID  8

typedef struct hie_inside_t  hie_inside_t;

/* The values of one resource, being collected. */
typedef struct {
    apr_pool_t               *pool;
    hie_str_t                 base;
    const hie_doc_t          *d;
    hie_inside_t             *inside;      /* the container's, also of what is
                                              contained */
    const hie_search_type_t  *type;
    bool                     *seen;        /* of each plan */
    hie_fhirpath_env_t        env;
    const hie_parameter_t    *param;       /* whose values are being taken */
    uint64_t                  slot;        /* as in the rows; of a composite */
    uint64_t                  scope;       /* the key of the first part's */
    uint64_t                  form;        /* form, else 0 */
    hie_said_t                said[HIE_SEARCH_SAID];   /* by node */
    apr_array_header_t       *parts[HIE_SEARCH_PARTS]; /* of a composite:
                                              hie_fhirpath_item_t */
    apr_array_header_t       *firsts;      /* hie_first_t */
    apr_array_header_t       *tokens;      /* uint64_t */
    apr_array_header_t       *strings;     /* hie_search_string_t */
    apr_array_header_t       *dates;       /* hie_search_date_t */
    apr_array_header_t       *numbers;     /* hie_search_number_t */
    apr_array_header_t       *references;  /* hie_search_reference_t */
    apr_array_header_t       *present;     /* uint32_t */
    apr_array_header_t       *terms;       /* hie_search_term_t */
    hie_rc_t                  rc;          /* HIE_OK, or why it ended */
    hie_error_t              *err;
} hie_indexer_t;


/* tree.c */
hie_search_tree_t *
hie_search_tree_make(apr_pool_t *pool, const hie_search_type_t *type);
/* All values, each given to hie_search_take_value. */
void
hie_search_tree_walk(hie_indexer_t *ix, const hie_search_tree_t *t,
                     hie_type_t type);
/* The values that one path leads to from an object (hie_fhirpath_item_t). */
void
hie_search_follow(hie_indexer_t *ix, const hie_search_path_t *path,
                  hie_node_t n, apr_array_header_t *out);
/* Neither null nor of a shape that the type has not. */
bool
hie_search_has_value(const hie_doc_t *d, hie_node_t n, hie_type_t type);


/* index.c: a value of a plan. */
void
hie_search_take_value(hie_indexer_t *ix, int plan, hie_node_t n,
                      hie_type_t type);


/* contained.c: what a resource contains, and what of it references have led to
 * up to now. `id` as of hie_search_index. */
hie_inside_t *
hie_inside_make(const hie_doc_t *d, hie_type_t type, hie_str_t id,
                apr_pool_t *pool);
/* The type that "#id" or "#", the container, is of; HIE_TYPE_NONE: nothing has
 * the id. */
hie_type_t
hie_inside_type(hie_inside_t *in, hie_str_t reference);
/* The key of what it leads to, which is indexed, too. False: to nothing. */
bool
hie_inside_lead(hie_inside_t *in, hie_str_t reference, uint64_t *key);
/* The next one that has been led to and is to be indexed; NULL: none. */
hie_search_contained_t *
hie_inside_next(hie_inside_t *in, const hie_doc_t **d, hie_type_t *type);
/* The document that contains, for what is evaluated in another one. */
const hie_doc_t *
hie_inside_root(const hie_inside_t *in);
void
hie_inside_end(const hie_inside_t *in, hie_search_values_t *out);


/* take.c: a value of the current parameter, as its kind reads it. */
void
hie_search_take(hie_indexer_t *ix, hie_search_kind_t kind,
                const hie_fhirpath_item_t *item);
/* Of a composite of three: the second and third are a range. */
void
hie_search_window(hie_indexer_t *ix, const hie_fhirpath_item_t *low,
                  const hie_fhirpath_item_t *high);
/* The parameter has a value: for :missing. */
void
hie_search_present(hie_indexer_t *ix);


/* forms.c: the texts under which a token or a reference is known; each is
 * given to `fn`, for as long as the call. */
typedef void hie_form_fn(hie_indexer_t *ix, hie_str_t form);
typedef void hie_target_fn(hie_indexer_t *ix, hie_str_t type, hie_str_t id);

/* The codes of a token, with the words that go with it, normalised (R4 section
 * 3.1.1.4.4, :text). */
const hie_said_t *
hie_forms_codes(hie_indexer_t *ix, const hie_fhirpath_item_t *item);
const hie_said_t *
hie_forms_words(hie_indexer_t *ix, const hie_fhirpath_item_t *item);
/* The forms of one code. */
void
hie_forms_code(hie_indexer_t *ix, const hie_code_t *c, hie_form_fn *fn);
/* The value of an identifier with each type that it has (:of-type). */
void
hie_forms_typed(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                hie_form_fn *fn);
/* What is ours goes to `target`; NULL: it has the form "Type/id". */
void
hie_forms_reference(hie_indexer_t *ix, const hie_fhirpath_item_t *item,
                    hie_form_fn *fn, hie_target_fn *target);
/* A canonical in the place of a reference. */
bool
hie_forms_canonical(const hie_fhirpath_item_t *item);

hie_str_t
hie_forms_join(apr_pool_t *pool, hie_str_t a, const char *between,
               hie_str_t b);
/* The key of a form that is joined so, below that of the first component's (0:
 * of none). */
uint64_t
hie_forms_key(apr_pool_t *pool, uint32_t param, uint64_t first, hie_str_t a,
              const char *between, hie_str_t b);
uint64_t
hie_search_form_key(uint32_t param, uint64_t first, hie_str_t form);


/* text.c: at most HIE_SEARCH_TEXT_MAX bytes of a text, whole characters. */
hie_str_t
hie_search_limit(hie_str_t text);
/* All the words of narrative and of the whole resource. */
void
hie_search_text(hie_indexer_t *ix, const hie_doc_t *d,
                hie_search_values_t *out);


/* range.c */
/* A date, dateTime or instant as the microseconds since 1970 that it covers;
 * without a zone it is UTC. False: it is none. */
bool
hie_search_date(hie_str_t text, int64_t *low, int64_t *high);
/* What a number covers by the digits that were written. False: out of
 * range. */
bool
hie_search_precision(const hie_decimal_t *value, hie_decimal_t *low,
                     hie_decimal_t *high);
/* What is about as much. */
bool
hie_search_about(const hie_decimal_t *value, hie_decimal_t *low,
                 hie_decimal_t *high);

#endif
