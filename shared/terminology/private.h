/*
 * Private to the room: compiled terms, and the state of an operation.
 */

#ifndef HIE_TERMINOLOGY_PRIVATE_H
#define HIE_TERMINOLOGY_PRIVATE_H

#include <apr_tables.h>

#include "terminology/terminology.h"

#define NO_CONCEPT  UINT32_MAX

/* Concepts in one another, and the entries of a stored expansion. */
#define NESTING_MAX  100

typedef struct {
    hie_str_t  language;
    hie_str_t  use;                 /* JSON of a Coding, or empty */
    hie_str_t  value;
} designation_t;

typedef struct {
    uint32_t  first;
    uint32_t  n;
} range_t;


/*
 * Code systems.
 */
typedef enum {
    CONTENT_COMPLETE = 1, CONTENT_FRAGMENT, CONTENT_EXAMPLE,
    CONTENT_NOT_PRESENT, CONTENT_SUPPLEMENT
} content_t;

/* What the code system says of a property, or what its concepts use. */
typedef struct {
    hie_str_t  code;
    hie_str_t  uri;
    hie_str_t  description;
} property_name_t;

typedef struct {
    uint32_t     name;              /* in system_t.names */
    const char  *type;              /* "Code", "Coding", …; NULL: none of
                                       those that a property may have */
    hie_str_t    text;              /* of a Coding its code */
    hie_str_t    json;              /* the value as it stands */
} property_t;

typedef enum {
    CONCEPT_INACTIVE = 1,
    CONCEPT_ABSTRACT = 2
} concept_flag_t;

typedef struct {
    hie_str_t  code;
    hie_str_t  display;
    hie_str_t  definition;
    range_t    properties;
    range_t    designations;
    range_t    parents;             /* in system_t.links */
    range_t    children;
    uint32_t   enter;               /* place in a walk that meets each */
    uint32_t   leave;               /* concept before its children, and the
                                       end of these; only of a forest */
    uint8_t    flags;
} concept_t;

typedef struct {
    content_t         content;
    bool              case_sensitive;
    bool              forest;       /* no second parent and no cycle */
    bool              subsumption;  /* the hierarchy means is-a */
    hie_str_t         name;
    hie_str_t         title;
    hie_str_t         language;
    hie_str_t         value_set;    /* all codes, or empty */
    hie_str_t         supplements;  /* canonical, or empty */
    concept_t        *concepts;     /* in the order of the document */
    uint32_t          n;
    uint32_t         *order;        /* by code */
    uint32_t         *links;        /* of parents and children */
    property_name_t  *names;
    uint32_t          n_names;
    property_t       *properties;
    designation_t    *designations;
} system_t;


/*
 * Value sets.
 */

/* A listed code, or one of a stored expansion. */
typedef struct {
    hie_str_t  system;              /* of an expansion only */
    hie_str_t  version;
    hie_str_t  code;
    hie_str_t  display;
    range_t    designations;
    uint8_t    flags;
} entry_t;

typedef enum {
    OP_EQUAL = 1, OP_IS_A, OP_DESCENDENT_OF, OP_IS_NOT_A, OP_REGEX, OP_IN,
    OP_NOT_IN, OP_GENERALIZES, OP_EXISTS
} filter_op_t;

typedef struct {
    hie_str_t    property;
    filter_op_t  op;
    hie_str_t    value;
} filter_t;

typedef struct {
    hie_str_t   system;             /* ptr NULL: value sets only */
    hie_str_t   version;
    entry_t    *entries;            /* in the order of the document */
    uint32_t    n;
    uint32_t   *order;              /* by code, upper and lower case alike */
    filter_t   *filters;
    uint32_t    n_filters;
    hie_str_t  *value_sets;         /* canonicals */
    uint32_t    n_value_sets;
    bool        listed;             /* entries are what it has */
} include_t;

typedef struct {
    include_t           *includes;  /* those to exclude after the others */
    uint32_t             n_includes;
    uint32_t             n_excludes;
    bool                 composed;
    bool                 active;    /* compose.inactive is false */
    bool                 expanded;  /* `expansion` may serve as content */
    bool                 unclosed;  /* of it: valueset-unclosed */
    include_t            expansion;
    hie_str_t            language;
    designation_t       *designations;
    hie_str_t           *supplements;
    uint32_t             n_supplements;
    hie_str_t            head;      /* members for an answer, as JSON */
    hie_str_t            definition;/* the others */
    const hie_term_t   **contained;
    hie_str_t           *contained_ids;
    uint32_t             n_contained;
} value_set_t;


/*
 * Concept maps.
 */
typedef struct {
    hie_str_t  property;            /* element: a URI */
    hie_str_t  system;
    hie_str_t  value;
    hie_str_t  display;
} depends_t;

typedef struct {
    hie_str_t  code;
    hie_str_t  display;
    hie_str_t  equivalence;
    range_t    depends;             /* in map_t.depends */
    range_t    products;
} target_t;

typedef struct {
    hie_str_t  code;
    hie_str_t  display;
    range_t    targets;
} element_t;

typedef enum {
    UNMAPPED_NONE = 0, UNMAPPED_PROVIDED, UNMAPPED_FIXED, UNMAPPED_OTHER
} unmapped_t;

typedef struct {
    hie_str_t   source;
    hie_str_t   source_version;
    hie_str_t   target;
    hie_str_t   target_version;
    range_t     elements;           /* in map_t.elements, by code */
    unmapped_t  unmapped;
    hie_str_t   code;               /* of unmapped */
    hie_str_t   display;
    hie_str_t   other;
} group_t;

typedef struct {
    hie_str_t   source;             /* value sets */
    hie_str_t   target;
    group_t    *groups;
    uint32_t    n_groups;
    element_t  *elements;
    target_t   *targets;
    depends_t  *depends;
} map_t;

struct hie_term_t {
    hie_term_kind_t  kind;
    hie_str_t        url;
    hie_str_t        version;
    hie_str_t        canonical;     /* url|version, or the url alone */
    size_t           bytes;
    union {
        system_t     system;
        value_set_t  set;
        map_t        map;
    };
};


/*
 * The making of a term.
 */
typedef struct {
    apr_pool_t       *pool;
    apr_pool_t       *scratch;      /* gone with the making */
    const hie_doc_t  *d;
    hie_term_t       *term;
    hie_error_t      *err;
} maker_t;

/* Room in the term's pool, cleared and counted. */
void *
hie_make_room(maker_t *m, size_t n, size_t size);
hie_str_t
hie_make_copy(maker_t *m, hie_str_t s);
hie_str_t
hie_make_text(maker_t *m, hie_node_t object, const char *name);
/* The array of objects, or NONE. HIE_INVALID: there is something else. */
hie_rc_t
hie_make_list(maker_t *m, hie_node_t object, const char *name,
              const char *where, hie_node_t *out);
/* Copies an array of designations to `to` and gives their number. */
uint32_t
hie_make_designations(maker_t *m, hie_node_t list, designation_t *to);
bool
hie_make_true(const hie_doc_t *d, hie_node_t object, const char *name);
/* The member value[x]: which type, and the node. */
hie_node_t
hie_make_value(const hie_doc_t *d, hie_node_t object, apr_pool_t *pool,
               hie_str_t *type);
/* Orders indices of rows that start with a code; ASCII case folded. Of equal
 * ones the first comes first. */
void
hie_make_order(uint32_t *order, uint32_t n, const void *codes, size_t stride);
/* The first place in such an order whose code is not before `code`. */
uint32_t
hie_order_find(const uint32_t *order, uint32_t n, const void *codes,
               size_t stride, hie_str_t code);
/* Less, equal, greater; ASCII case folded. */
int
hie_code_compare(hie_str_t a, hie_str_t b);
bool
hie_code_same(hie_str_t a, hie_str_t b, bool case_sensitive);

hie_rc_t
hie_make_system(maker_t *m, hie_node_t n);
hie_rc_t
hie_make_value_set(maker_t *m, hie_node_t n);
hie_rc_t
hie_make_map(maker_t *m, hie_node_t n);

/* The concept of a code, or NO_CONCEPT. */
uint32_t
hie_system_find(const hie_term_t *t, hie_str_t code);


/*
 * hierarchy.c
 */
void
hie_hierarchy_make(maker_t *m);
/* `a` is `b` or a descendant of it. `seen` is room for a bit of each
 * concept, asked for only where the hierarchy is no forest. */
bool
hie_hierarchy_is(const system_t *s, uint32_t a, uint32_t b,
                 apr_pool_t *pool);
/* A bit for `c` and each that it subsumes (or, up, that subsumes it). */
uint8_t *
hie_hierarchy_reach(const system_t *s, uint32_t c, bool up,
                    apr_pool_t *pool);

#define HIE_BIT(bits, i)  (((bits)[(i) / 8] >> ((i) % 8)) & 1)


/*
 * An operation at work.
 */
typedef struct {
    hie_term_kind_t    kind;
    hie_str_t          url;
    hie_str_t          version;
    hie_rc_t           rc;
    const hie_term_t  *term;
} known_t;

typedef struct tx_t    tx_t;
typedef struct plan_t  plan_t;

struct tx_t {
    apr_pool_t               *pool;
    const hie_term_source_t  *source;
    uint64_t                  steps;        /* that are left */
    hie_error_t              *err;          /* never NULL */
    const char               *issue;        /* its issue type */
    int                       depth;
    apr_array_header_t       *known;        /* known_t */
    apr_array_header_t       *plans;        /* plan_t * */
    apr_array_header_t       *used;         /* hie_term_t *: of an answer */
    apr_array_header_t       *supplements;  /* hie_term_t * */
    apr_array_header_t       *fallback;     /* hie_str_t: system-version */
    apr_array_header_t       *check;        /* check-system-version */
    apr_array_header_t       *force;        /* force-system-version */
    apr_array_header_t       *without;      /* exclude-system */
    hie_str_t                 language;     /* of displays, or empty */
};

void
hie_tx_init(tx_t *tx, apr_pool_t *pool, const hie_term_source_t *source,
            uint64_t steps, hie_error_t *err);
hie_rc_t
hie_tx_fail(tx_t *tx, hie_rc_t rc, const char *issue, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* False, and the error is filled in: there has been too much work. */
bool
hie_tx_spend(tx_t *tx, uint64_t steps);
/* A version at the end of `canonical` counts when `version` is empty.
 * HIE_NOT_FOUND leaves the error to the caller. */
hie_rc_t
hie_tx_find(tx_t *tx, hie_term_kind_t kind, hie_str_t canonical,
            hie_str_t version, const hie_term_t **out);
/* A code system in the version that the request wants; as hie_tx_find. */
hie_rc_t
hie_tx_system(tx_t *tx, hie_str_t url, hie_str_t version,
              const hie_term_t **out);
/* "url|version", without the version when it is empty. */
hie_str_t
hie_tx_canonical(apr_pool_t *pool, hie_str_t url, hie_str_t version);

/*
 * filter.c: a filter of an include, bound to its code system.
 */
typedef struct regex_t  regex_t;

typedef struct {
    const filter_t  *filter;
    const hie_term_t *term;
    const system_t  *system;        /* the same */
    bool             on_code;       /* the property is the code itself */
    bool             on_display;
    bool             on_links;      /* children, or parents */
    bool             up;
    uint8_t          flag;          /* concept_flag_t, or 0 */
    uint32_t         name;          /* of a property, or NO_CONCEPT */
    uint32_t         target;        /* of is-a and its like */
    uint8_t         *reach;         /* by bit, where an interval will not do */
    hie_str_t       *values;        /* of in and not-in */
    uint32_t         n_values;
    regex_t         *regex;
} bound_filter_t;

hie_rc_t
hie_filter_bind(tx_t *tx, const hie_term_t *system, const filter_t *f,
                bound_filter_t *out);
hie_rc_t
hie_filter_test(tx_t *tx, const bound_filter_t *f, uint32_t concept,
                bool *out);

/*
 * regex.c
 */
hie_rc_t
hie_regex_make(tx_t *tx, hie_str_t pattern, regex_t **out);
hie_rc_t
hie_regex_test(tx_t *tx, const regex_t *re, hie_str_t text, bool *out);

/*
 * plan.c: a value set whose references are followed when they are needed.
 */
typedef struct {
    const include_t    *include;
    bool                bound;
    const hie_term_t   *system;     /* NULL: not known, or none named */
    bound_filter_t     *filters;
    plan_t            **sets;
} part_t;

struct plan_t {
    const hie_term_t  *term;
    part_t            *parts;       /* includes, then excludes */
    uint32_t           n_includes;
    uint32_t           n_excludes;
    bool               active;
    bool               stored;      /* its part is the stored expansion */
    bool               busy;        /* being asked: meeting it again is a
                                       cycle */
};

/* A code that is looked for, or was found. */
typedef struct {
    hie_str_t          system;      /* ptr NULL: any */
    hie_str_t          code;
    const hie_term_t  *term;        /* the code system, if known */
    uint32_t           concept;     /* in it, or NO_CONCEPT */
    const entry_t     *entry;       /* of a list; or NULL */
    const hie_term_t  *list;        /* the value set of the entry */
    uint8_t            flags;       /* concept_flag_t */
} member_t;

/* A value set by canonical, implicit ones too. `from`: the value set that
 * names it, whose contained ones "#id" means; or NULL. HIE_NOT_FOUND fills the
 * error in too. */
hie_rc_t
hie_plan_find(tx_t *tx, hie_str_t canonical, hie_str_t version,
              const hie_term_t *from, plan_t **out);
hie_rc_t
hie_plan_of(tx_t *tx, const hie_term_t *term, plan_t **out);
hie_rc_t
hie_part_bind(tx_t *tx, plan_t *p, part_t *part);
/* Is it in? When it is, `m` is completed by what was found. */
hie_rc_t
hie_plan_has(tx_t *tx, plan_t *p, member_t *m, bool *out);
/* Only the part alone, without what the value set excludes. */
hie_rc_t
hie_part_has(tx_t *tx, plan_t *p, part_t *part, member_t *m, bool *out);
/* Does the value set take out what its includes have? */
hie_rc_t
hie_plan_excludes(tx_t *tx, plan_t *p, const member_t *m, bool *out);
/* Around all that may follow the references of a value set. */
hie_rc_t
hie_plan_enter(tx_t *tx, plan_t *p);
void
hie_plan_leave(tx_t *tx, plan_t *p);
/* The error that the system's content is not known. */
hie_rc_t
hie_part_unknown(tx_t *tx, const plan_t *p, const part_t *part);

/*
 * walk.c
 */
typedef hie_rc_t
member_fn(void *baton, const member_t *m);

/* Every code, some maybe twice. Ends with what `fn` says if not HIE_OK. */
hie_rc_t
hie_plan_walk(tx_t *tx, plan_t *p, member_fn *fn, void *baton);

/* Codes, each once, in the order in which they came. */
typedef struct {
    tx_t      *tx;
    member_t  *members;
    size_t     n;
    size_t     size;
    size_t     max;                 /* more is too costly; 0: no limit */
    uint32_t  *slots;
    size_t     n_slots;
} crowd_t;

void
hie_crowd_init(crowd_t *c, tx_t *tx, size_t max);
hie_rc_t
hie_crowd_add(crowd_t *c, const member_t *m);
/* The place of a system and code plus 1; 0: it is not there. */
uint32_t
hie_crowd_find(const crowd_t *c, const member_t *m);

/*
 * display.c
 */
/* What to call it in the language that was asked for. */
hie_str_t
hie_member_display(tx_t *tx, const member_t *m);
/* Calls for every designation, those of supplements too. */
typedef void
designation_fn(void *baton, const designation_t *d);
void
hie_member_designations(tx_t *tx, const member_t *m, designation_fn *fn,
                        void *baton);
/* Is it called so (case and accents aside), in any language? */
bool
hie_member_is_called(tx_t *tx, const member_t *m, hie_str_t display);
/* RFC 4647 section 3.3.1: "de" meets "de-AT". */
bool
hie_language_meets(hie_str_t tag, hie_str_t range);

/*
 * json.c: what operations write. Commas are found by what stands before.
 */
void
hie_out_key(hie_buf_t *b, const char *name);
void
hie_out_text(hie_buf_t *b, const char *name, hie_str_t value);
void
hie_out_raw(hie_buf_t *b, const char *name, hie_str_t json);
void
hie_out_bool(hie_buf_t *b, const char *name, bool value);
/* {"name": …, "value…": …} of a Parameters resource. */
void
hie_out_parameter(hie_buf_t *b, const char *name, const char *type,
                  hie_str_t value);
void
hie_out_coding(hie_buf_t *b, const char *name, hie_str_t system,
               hie_str_t version, hie_str_t code, hie_str_t display);
void
hie_out_designation(hie_buf_t *b, const designation_t *d);

/*
 * parameters.c
 */
typedef struct {
    hie_str_t  system;
    hie_str_t  version;
    hie_str_t  code;
    hie_str_t  display;
} coding_t;

const hie_term_parameter_t *
hie_in_find(const hie_term_request_t *r, const char *name);
hie_str_t
hie_in_text(const hie_term_request_t *r, const char *name);
hie_rc_t
hie_in_bool(tx_t *tx, const hie_term_request_t *r, const char *name,
            bool *out);
/* Not negative; -1 if absent. */
hie_rc_t
hie_in_count(tx_t *tx, const hie_term_request_t *r, const char *name,
             int64_t *out);
/* Values of a parameter that may be repeated. */
apr_array_header_t *
hie_in_texts(const hie_term_request_t *r, const char *name, apr_pool_t *pool);
coding_t
hie_in_coding(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool);
/* Whichever of code (with system, the parameter `version`, display), coding
 * and codeableConcept there is; of this one maybe none. */
hie_rc_t
hie_in_codings(tx_t *tx, const hie_term_request_t *r, const char *version,
               coding_t **out, uint32_t *n);
/* What is asked about: the instance, the resource in the parameter `name`, or
 * none (NULL): a URL is the caller's affair. */
hie_rc_t
hie_in_term(tx_t *tx, const hie_term_request_t *r, hie_term_kind_t kind,
            const char *name, const hie_term_t **out);
hie_rc_t
hie_tx_supplement(tx_t *tx, hie_str_t canonical);
/* Begins an operation: refuses the parameters named in `refused`. */
hie_rc_t
hie_in_begin(tx_t *tx, const hie_term_request_t *r,
             const char *const *refused, hie_error_t *err);
/* Ends it: the result, or an OperationOutcome. */
hie_rc_t
hie_in_end(tx_t *tx, hie_rc_t rc, hie_buf_t *b, hie_str_t *out);

#endif
