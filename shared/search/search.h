/*
 * search: what a FHIR R4 resource is found by, and what a search asks for
 * (R4 section 3.1.1). Pure: resource in, index values out; query string in,
 * criteria out. How they meet in SQL is the store's business.
 */

#ifndef HIE_SEARCH_H
#define HIE_SEARCH_H

#include "base/base.h"
#include "base/decimal.h"
#include "fhir/fhir.h"
#include "fhir/search_params.h"

/*
 * The parameters of R4, and others that were added. Expressions are compiled
 * when the first resource of a type comes; `lock` is called around that, and
 * around what adds and removes, where threads share one.
 */
typedef struct hie_search_t  hie_search_t;

typedef struct {
    void  (*lock)(void *baton, bool on);       /* or NULL */
    void   *lock_baton;
} hie_search_options_t;

hie_search_t *
hie_search_create(apr_pool_t *pool, const hie_search_options_t *options);

/* One parameter of one concrete resource type. `key` is a 32-bit hash of
 * "Type.code": the same in every release, and what the database has. */
typedef struct {
    uint32_t                   key;
    uint32_t                   text_key;       /* of "Type.code:text" */
    uint32_t                   ref_key;        /* under which its references
                                                  stand: where it has those of
                                                  another parameter to its one
                                                  type, that one's */
    hie_type_t                 type;
    const char                *code;
    hie_search_kind_t          kind;
    const char                *canonical;
    int                        n_targets;      /* of a reference: the types */
    const hie_type_t          *targets;        /* that it may lead to; 0: all */
    bool                       by_url;         /* by canonical URL */
    bool                       folded;         /* a token whose values are of
                                                  type string: their case does
                                                  not count */
    bool                       bare;           /* a token whose values have no
                                                  system of their own: "|code"
                                                  is their only form */
    const char                *system;         /* of a token whose values are
                                                  codes of this one system; or
                                                  NULL */
    bool                       r4;             /* not of a stored resource */
    bool                       single;         /* a date of which no resource
                                                  has two */
} hie_parameter_t;

/* NULL: not served. It stays where it is, for as long as `s` does. */
const hie_parameter_t *
hie_search_param(hie_search_t *s, hie_type_t type, hie_str_t code);
/* All of a type, sorted by code. */
typedef void hie_parameter_fn(void *baton, const hie_parameter_t *param);

void
hie_search_each(hie_search_t *s, hie_type_t type, hie_parameter_fn *fn,
                void *baton);

/*
 * Adds what a SearchParameter resource (R4 section 5.8) defines, or puts it in
 * the place of the one with its url; one whose status is not active is taken
 * away instead. Where R4 has a parameter of its code, of the same kind, that
 * one is served and this one is not. HIE_INVALID, with the element and what
 * FHIRPath says: it cannot be served; HIE_CONFLICT: its code stands for another
 * one. Then nothing changes. What is in the database is not indexed anew.
 *
 * Other threads may read meanwhile. What they have stays valid, for as long as
 * `s` does: each change takes some memory for good.
 */
#define HIE_SEARCH_CUSTOM_MAX  1000

hie_rc_t
hie_search_add(hie_search_t *s, const hie_doc_t *d, apr_pool_t *pool,
               hie_error_t *err);
/* False: there is none of this url. */
bool
hie_search_remove(hie_search_t *s, hie_str_t url);


/*
 * Index values. A token, a reference, a uri, an exact string and the words that
 * go with a token are keys (hie_search_key); what has order stands in rows.
 *
 * Texts in rows and terms are at most HIE_SEARCH_TEXT_MAX bytes, as are those
 * that a search compares with them: what is longer is cut at a character. Keys
 * are made of the whole, but those of words.
 *
 * _id and _lastUpdated have no values: they stand in the row itself.
 *
 * A row belongs to a slot: the key of its parameter, or, of a composite, that
 * of the code which its first component has (hie_search_key of both). `scope`
 * is then the key of the code's system; else, and without a system, 0.
 */
#define HIE_SEARCH_TEXT_MAX  1000

/* Is a slot that of a composite? Those of parameters have 32 bits. */
static inline bool
hie_slot_is_part(uint64_t slot)
{
    return slot > UINT32_MAX;
}


typedef struct {
    uint64_t   slot;
    uint64_t   scope;
    hie_str_t  value;          /* normalised */
} hie_search_string_t;

typedef struct {
    uint64_t   slot;
    uint64_t   scope;
    int64_t    low;            /* microseconds since 1970: the value covers */
    int64_t    high;           /* [low, high); open ends INT64_MIN, _MAX */
} hie_search_date_t;

#define HIE_SEARCH_OPEN_LOW   1
#define HIE_SEARCH_OPEN_HIGH  2

/* Numbers and quantities: as they were written, and in the canonical unit of
 * UCUM where there is one. */
typedef struct {
    uint64_t       slot;
    uint64_t       scope;
    uint64_t       system;     /* hie_search_text_key of the unit's system, */
    uint64_t       code;       /* and of its code or word; 0: none */
    uint64_t       unit;       /* of the canonical unit; 0: there is none */
    hie_decimal_t  low;        /* both included; equal for a single value */
    hie_decimal_t  high;
    hie_decimal_t  unit_low;   /* the same in the canonical unit */
    hie_decimal_t  unit_high;
    uint8_t        open;       /* HIE_SEARCH_OPEN_…: an end is not there */
} hie_search_number_t;

/* The code of a number that is a latitude or a longitude (near). */
#define HIE_SEARCH_LATITUDE   1
#define HIE_SEARCH_LONGITUDE  2

/* Its token is hie_search_reference_key of both. */
typedef struct {
    uint32_t   param;
    bool       referring;      /* its token is one of hie_search_referring */
    uint64_t   target;         /* hie_search_resource_key */
} hie_search_reference_t;

/* What a token says: of a code the code (its token is that of "system|code"),
 * of a uri and of a reference by canonical the url without version, and the
 * words that go with codes and references. Many resources share one. The key
 * is among their tokens. */
typedef struct {
    uint64_t   key;
    uint32_t   param;          /* key; of words the text_key */
    hie_str_t  value;          /* words are normalised */
} hie_search_term_t;

typedef struct hie_search_contained_t  hie_search_contained_t;

typedef struct {
    int                     n_tokens;
    uint64_t               *tokens;          /* sorted, no repetition */
    int                     n_strings;
    hie_search_string_t     *strings;
    int                     n_dates;
    hie_search_date_t       *dates;
    int                     n_numbers;
    hie_search_number_t     *numbers;
    int                     n_references;
    hie_search_reference_t  *references;
    int                     n_present;       /* parameters that have a value, */
    uint32_t               *present;         /* their keys, sorted */
    int                     n_terms;
    hie_search_term_t       *terms;          /* sorted by key */
    hie_str_t               narrative;       /* for _text and _content, and */
    hie_str_t               content;         /* for this alone: texts and codes
                                                of all elements; both
                                                normalised, or ptr NULL */
    int                     n_contained;     /* what chains lead into */
    hie_search_contained_t *contained;
    bool                    too_many;        /* there is more of that */
} hie_search_values_t;

/*
 * A contained resource (R4 section 2.3.0.4) that a reference leads to, of its
 * container or of another contained one, by a parameter. It is found by the
 * same values as any of its type. Its own type and id are not those of a
 * resource: it gets the name "#Type", and "Type/id#id" after its container.
 */
#define HIE_SEARCH_CONTAINED_MAX  1000       /* of one container */

struct hie_search_contained_t {
    hie_str_t            type_name;
    hie_str_t            id;
    uint64_t             key;                /* hie_search_resource_key */
    hie_search_values_t  values;             /* contained: none */
};

/* `id`: under which it is or will be stored; empty: that is not known, and
 * nothing leads into what it contains. `base` is our own: an absolute
 * reference below it counts as relative. */
hie_rc_t
hie_search_index(hie_search_t *s, const hie_doc_t *d, hie_type_t type,
                 hie_str_t id, hie_str_t base, apr_pool_t *pool,
                 hie_search_values_t *out, hie_error_t *err);

/*
 * Keys stand in the database: they never change. That of a Patient is also
 * hie_fhir_patient_key of its id.
 */
uint64_t
hie_search_resource_key(hie_str_t type, hie_str_t id);
uint32_t
hie_search_param_key(const char *type, const char *code);
uint64_t
hie_search_key(uint32_t param, hie_str_t form);
/* The token of a reference to a resource of ours. `param` is a ref_key. The two
 * are joined so that SQL can do it: target # hie_search_param_mix(param). */
uint64_t
hie_search_reference_key(uint32_t param, uint64_t target);
uint64_t
hie_search_param_mix(uint32_t param);
/* Adds (uint64_t) the tokens of which one is with whatever resource of the type
 * `from` (HIE_TYPE_NONE: of any) refers to a resource of ours: those of the
 * parameters of R4 that lead to its type, and that of the parameter 0, for
 * references that none of these finds. */
void
hie_search_referring(hie_type_t from, hie_type_t type, hie_str_t id,
                     apr_array_header_t *out);
/* Of a system, a code, a unit. */
uint64_t
hie_search_text_key(hie_str_t text);


/*
 * Criteria. A query is the conjunction of its criteria; a criterion is the
 * disjunction of its alternatives, or its negation.
 */
typedef struct hie_criteria_t  hie_criteria_t;

typedef enum {
    HIE_CRITERION_TOKENS = 1,  /* one of the keys is among the row's tokens */
    HIE_CRITERION_STRINGS,
    HIE_CRITERION_DATES,
    HIE_CRITERION_NUMBERS,
    HIE_CRITERION_IDS,         /* _id */
    HIE_CRITERION_UPDATED,     /* _lastUpdated, a date on the row's column */
    HIE_CRITERION_TEXT,        /* _text, _content */
    HIE_CRITERION_CHAIN,       /* refers to a resource that meets criteria */
    HIE_CRITERION_HAS,         /* is referred to by one that does */
    HIE_CRITERION_NEAR,        /* is at most so far from a place */
    HIE_CRITERION_TERMS,       /* one of its tokens says this */
    HIE_CRITERION_PRESENT,     /* a parameter has a value: :missing */
    HIE_CRITERION_GROUP,       /* meets one of several conjunctions */
    HIE_CRITERION_CODES        /* :in, :above, :below: which codes these are
                                  only terminology knows, and of references
                                  other resources; with them the caller makes
                                  TOKENS of it (hie_search_codes,
                                  hie_search_references) */
} hie_criterion_kind_t;

typedef enum {
    HIE_TEXT_PREFIX = 1, HIE_TEXT_EXACT, HIE_TEXT_CONTAINS, HIE_TEXT_ENDS,
    HIE_TEXT_BELOW, HIE_TEXT_ABOVE,            /* of a uri */
    HIE_TEXT_NARRATIVE, HIE_TEXT_CONTENT       /* TEXT: words in any order */
} hie_text_match_t;

/* Prefixes of R4 section 3.1.1.4.5, with what they compare: the range of the
 * search value [a, b) with that of the target. That of a number includes both
 * its ends and its comparisons are in brackets; but for EQ and AP, a is b
 * there. An end that is open is beyond everything. */
typedef enum {
    HIE_RANGE_EQ = 1,          /* a <= low  and  high <= b [high < b] */
    HIE_RANGE_GT,              /* high > b */
    HIE_RANGE_LT,              /* low < a */
    HIE_RANGE_GE,              /* high > b  or EQ [high >= b] */
    HIE_RANGE_LE,              /* low < a  or EQ [low <= a] */
    HIE_RANGE_SA,              /* low >= b [low > b] */
    HIE_RANGE_EB,              /* high <= a [high < a] */
    HIE_RANGE_AP               /* low < b  and  high > a [low <= b,
                                  high >= a] */
} hie_range_op_t;              /* ne is EQ, negated for the one value */

/* Where the rows stand. */
typedef struct {
    uint64_t  slot;
    bool      scoped;            /* `scope` is asked for too */
    uint64_t  scope;
} hie_slot_t;

typedef struct {
    hie_text_match_t  match;
    hie_str_t         value;
    hie_slot_t        of;
} hie_text_value_t;

typedef struct hie_date_value_t  hie_date_value_t;

struct hie_date_value_t {
    hie_range_op_t           op;
    bool                     negate;
    hie_slot_t               of;
    int64_t                  a;
    int64_t                  b;
    const hie_date_value_t  *also;   /* of the same value this holds too */
};

typedef struct hie_number_value_t  hie_number_value_t;

struct hie_number_value_t {
    hie_range_op_t             op;
    bool                       negate;
    hie_slot_t                 of;
    uint64_t                   unit;    /* a and b are in this canonical unit;
                                           0: as written, and then */
    uint64_t                   system;  /* 0: of any */
    uint64_t                   code;    /* 0: any */
    hie_decimal_t              a;
    hie_decimal_t              b;
    const hie_number_value_t  *end;   /* of a window: this one is about `low`
                                         alone, that one about `high` */
};

/* One way of a chain: by this reference to or from a resource of the type
 * that meets the criteria. Of a group the resource itself. */
typedef struct {
    uint32_t         param;      /* its ref_key; 0 in a group */
    hie_type_t       type;       /* HIE_TYPE_NONE in a group: of any */
    bool             canonical;  /* it refers by canonical URL: that term of
                                    the parameter is the term "url" there */
    hie_criteria_t  *criteria;
} hie_chain_t;

typedef struct {
    uint64_t  slot;
    double    latitude;          /* degrees, WGS84 */
    double    longitude;
    double    metres;
} hie_near_t;

typedef enum {
    HIE_CODES_IN = 1, HIE_CODES_ABOVE, HIE_CODES_BELOW
} hie_codes_of_t;

typedef struct {
    hie_criterion_kind_t   kind;
    bool                   negate;   /* :not, :not-in, :missing=true */
    const hie_parameter_t  *def;     /* NULL: none (_id, _has, …) */
    hie_codes_of_t         codes_of; /* CODES */
    int                    n_params; /* CODES, PRESENT: of these parameters */
    const uint32_t        *params;
    int                    n;        /* of TOKENS also 0: nothing meets it */
    union {
        uint64_t            *keys;     /* TOKENS */
        hie_text_value_t    *texts;    /* STRINGS, TERMS, TEXT */
        hie_date_value_t    *dates;    /* DATES, UPDATED */
        hie_number_value_t  *numbers;  /* NUMBERS */
        hie_str_t           *ids;      /* IDS */
        hie_near_t          *places;   /* NEAR */
        hie_chain_t         *chains;   /* CHAIN, HAS, GROUP */
        hie_str_t           *codes;    /* CODES: a canonical, or system|code;
                                          of a reference [type]/[id] */
    };
    hie_str_t              source;   /* "code:in=http://…", decoded */
} hie_criterion_t;

struct hie_criteria_t {
    int               n;
    hie_criterion_t  *criteria;
};

typedef struct {
    hie_str_t   base;            /* our own URL */
    apr_time_t  now;             /* what "about" a date is about */
    int         max_depth;       /* chains in one another */
    int         max_values;      /* of one criterion, or comparisons of one
                                    _filter */
} hie_search_rules_t;

/*
 * One parameter of a search among resources of a type: name (with modifier
 * and chain) and value, both without URL encoding; _has and _list too. What it
 * points to is in `pool`, or of the texts that were given. HIE_NOT_FOUND: there
 * is no such parameter; HIE_INVALID: its modifier or value is wrong;
 * HIE_TOO_COSTLY: a chain leads through too many types. The errors name the
 * parameter and what was expected.
 */
hie_rc_t
hie_search_criterion(hie_search_t *s, hie_type_t type, hie_str_t name,
                     hie_str_t value, const hie_search_rules_t *rules,
                     apr_pool_t *pool, hie_criterion_t *out,
                     hie_error_t *err);

/*
 * One parameter of a search among resources of several types that all have it
 * (R4 section 3.1.1.4.3): the alternatives of all. HIE_NOT_FOUND: one does not
 * have it; HIE_INVALID: it is another kind of parameter there.
 */
hie_rc_t
hie_search_criterion_of(hie_search_t *s, const hie_type_t *types, int n_types,
                        hie_str_t name, hie_str_t value,
                        const hie_search_rules_t *rules, apr_pool_t *pool,
                        hie_criterion_t *out, hie_error_t *err);

/*
 * Makes one of two criteria on the one date that a resource has: from, until.
 */
void
hie_search_join(hie_criteria_t *c, apr_pool_t *pool);

/*
 * The compartment of one resource (R4 section 3.1.1.2): what is in it by one of
 * these types, itself included; TOKENS, or, with its own type among them, a
 * GROUP. False: none of them is ever in such a compartment.
 */
bool
hie_search_compartment(hie_search_t *s, hie_type_t compartment, hie_str_t id,
                       const hie_type_t *types, int n_types, apr_pool_t *pool,
                       hie_criterion_t *out);

/*
 * _filter (R4 section 3.1.3) as one criterion, a GROUP. `and` and `or` are
 * taken from left to right, as R4 has it: neither binds tighter. A name may be
 * a chain with the type of a reference and with filters of what it leads to
 * (subject:Patient[active eq true].name), or _has. `ne` of a text, code or
 * reference is: there is a value, and none is equal. Not served: the order of
 * strings, `co` of dates and numbers, the additional names of R4 section
 * 3.1.3.3. Errors as above; of the syntax HIE_INVALID with the character where
 * it went wrong.
 */
hie_rc_t
hie_search_filter(hie_search_t *s, const hie_type_t *types, int n_types,
                  hie_str_t expression, const hie_search_rules_t *rules,
                  apr_pool_t *pool, hie_criterion_t *out, hie_error_t *err);

/*
 * _sort (R4 section 3.1.1.5.1): keys in the order of weight. `out` has room for
 * HIE_SORTS_MAX. A key has a slot of each type that has the parameter; not all
 * need to. By a reference that is followed (one only), it is that of what is
 * found there. HIE_NOT_FOUND: no type has it; HIE_INVALID: what has no order,
 * what differs in kind between types, one key twice, too many.
 */
#define HIE_SORTS_MAX  4

typedef enum {
    HIE_SORT_ID = 1,           /* of the resource */
    HIE_SORT_UPDATED,
    HIE_SORT_STRING,           /* rows of strings, */
    HIE_SORT_DATE,             /* dates, */
    HIE_SORT_NUMBER,           /* numbers; in the canonical unit, if any */
    HIE_SORT_TERM,             /* what the tokens of the parameter say */
    HIE_SORT_TARGET            /* type and id of what is referred to */
} hie_sort_kind_t;

typedef struct {
    hie_sort_kind_t   kind;
    bool              descending;
    int               n;
    const uint32_t   *params;  /* keys (of TARGET ref_keys), of each type that
                                  has it, */
    const hie_type_t *of;      /* which is this, */
    const hie_type_t *to;      /* and, of TARGET, the only type that it leads
                                  to, or HIE_TYPE_NONE */
    int               n_through;       /* chained: */
    const uint32_t   *through;         /* the ref_keys that lead there */
    hie_str_t         source;          /* "-date" */
} hie_sort_t;

hie_rc_t
hie_search_sort(hie_search_t *s, const hie_type_t *types, int n_types,
                hie_str_t value, apr_pool_t *pool, hie_sort_t *out, int *n,
                hie_error_t *err);

/*
 * One value of _include or _revinclude (R4 section 3.1.1.5.3) of a search among
 * these types: [type]:[parameter], [type]:[parameter]:[type], [type]:* or *.
 * Without `iterate` the source (reverse: the target) must be among them.
 */
typedef struct {
    bool         reverse;
    bool         iterate;
    bool         all;          /* '*': all references of the type */
    hie_type_t   source;       /* whose reference it is; HIE_TYPE_NONE: of any,
                                  with `all` only */
    uint32_t     param;        /* its ref_key; 0: all */
    hie_type_t   target;       /* HIE_TYPE_NONE: any */
    bool         canonical;    /* it refers by canonical URL */
    hie_str_t    text;         /* "Observation:subject" */
} hie_include_t;

hie_rc_t
hie_search_include(hie_search_t *s, const hie_type_t *types, int n_types,
                   bool reverse, bool iterate, hie_str_t value,
                   apr_pool_t *pool, hie_include_t *out, hie_error_t *err);

/*
 * What `all` of them leaves: a reference by canonical URL is followed by its
 * name only. Those of the source, or of the types that are searched; of '*'
 * with _revinclude, or with iterate, none: they are too many.
 */
const hie_include_t *
hie_search_include_urls(hie_search_t *s, const hie_type_t *types, int n_types,
                        const hie_include_t *all, apr_pool_t *pool, int *n);

typedef struct {
    hie_str_t   id;            /* or empty */
    apr_time_t  updated;
} hie_row_facts_t;

/*
 * Does a resource with these values meet all criteria? For what is not in the
 * database yet. CHAIN, HAS, TEXT and CODES are not known here: where the answer
 * hangs on them, `*known` is false and so is the answer. That the type is one
 * of those asked for is taken for granted.
 */
bool
hie_search_meets(const hie_search_values_t *values, const hie_row_facts_t *row,
                 const hie_criteria_t *criteria, bool *known);

/* The parameter of a type that says what a resource is part of, if that is one
 * of the same type (Location.partOf); or NULL. */
const char *
hie_search_part_of(hie_type_t type);

/* CODES of a reference into TOKENS: what it stands for, "[type]/[id]" each. */
void
hie_search_references(hie_criterion_t *c, const hie_str_t *names, int n,
                      apr_pool_t *pool);

/* CODES into TOKENS: the codes that were found, "system|code" each. */
void
hie_search_codes(hie_criterion_t *c, const hie_str_t *codes, int n,
                 apr_pool_t *pool);

#endif
