/*
 * Profiles (R4 section 5.1) in the form in which they are checked: the tree of
 * the elements that a snapshot constrains beyond the base definition.
 */

#ifndef HIE_VALIDATION_PROFILE_H
#define HIE_VALIDATION_PROFILE_H

#include "validation/validator.h"

#define NO_LIMIT  UINT32_MAX

/* Of one snapshot; the largest that are published have some 2000. */
#define HIE_PROFILE_ELEMENTS_MAX  10000

typedef struct profile_t  profile_t;

/* One of ElementDefinition.type. */
typedef struct {
    hie_type_t   type;
    int          n_profiles;
    hie_str_t   *profiles;       /* the value meets one of them */
    int          n_targets;      /* none: any */
    hie_type_t  *targets;        /* what a Reference may refer to */
} profile_type_t;

typedef enum {
    DISCRIMINATE_VALUE = 1,      /* pattern is the same (R4 5.1.0.7) */
    DISCRIMINATE_EXISTS,
    DISCRIMINATE_TYPE,
    DISCRIMINATE_PROFILE
} discriminator_kind_t;

typedef struct {
    uint8_t    kind;             /* discriminator_kind_t */
    hie_str_t  path;
} discriminator_t;

typedef struct constraint_t {
    hie_str_t         name;      /* stem of the element, or of the type */
    hie_str_t         slice;     /* its name, or empty */
    bool              choice;
    uint32_t          min;       /* 0 and NO_LIMIT where the base says it */
    uint32_t          max;
    uint32_t          max_length;
    int               n_types;   /* 0: as the base */
    profile_type_t   *types;
    hie_node_t        fixed;     /* of the profile's document, or NONE */
    hie_node_t        pattern;
    hie_node_t        min_value;
    hie_node_t        max_value;
    bound_t          *bound;     /* a required binding, or NULL */
    const rules_t    *rules;

    bool              sliced;
    bool              closed;
    bool              ordered;
    bool              at_end;    /* open, for what comes after the slices */
    int               n_discriminators;
    discriminator_t  *discriminators;
    int               n_slices;

    struct constraint_t  *slices;    /* a list by `next` */
    struct constraint_t  *children;
    struct constraint_t  *next;
} constraint_t;

struct profile_t {
    hie_str_t         url;
    const hie_doc_t  *doc;
    hie_type_t        type;
    bool              modifier;  /* an extension that is one */
    bool              differential;  /* it has no snapshot yet */
    bool              busy;      /* its snapshot is being made */
    constraint_t     *root;      /* NULL: not yet compiled */
};

/* A profile that was added, by canonical; NULL if there is none. */
const profile_t *
hie_profile_find(const hie_validator_t *v, hie_str_t canonical);

/*
 * snapshot.c: `doc` becomes one with a snapshot, if it had only a differential.
 * The error names the element of the differential.
 */
hie_rc_t
hie_profile_snapshot(hie_validator_t *v, profile_t *p, hie_error_t *err);

/* A value for a profile: a node, or of a primitive only its sibling. */
typedef struct {
    hie_node_t            node;      /* or NONE */
    hie_node_t            sibling;   /* the object with extensions, or NONE */
    const hie_element_t  *element;   /* by which it was found; NULL: the
                                        value that was started with */
    hie_type_t            type;
    int32_t               index;     /* in its array, or NO_INDEX */
} profile_value_t;

/* A value that must meet a profile, with issues at `place`. */
void
hie_profile_check(check_t *c, const profile_t *p,
                  const profile_value_t *value, const place_t *place);
void
hie_profile_check_constraint(check_t *c, const profile_t *p,
                             const constraint_t *k,
                             const profile_value_t *value,
                             const place_t *place);
/* The values of an element in an object, in memory of c->pool. */
int
hie_profile_values(check_t *c, hie_type_t type, hie_node_t object,
                   hie_str_t stem, profile_value_t **out);

/*
 * slice.c
 */

/* Sorts the values into slices and checks these. */
void
hie_slice_check(check_t *c, const profile_t *p, const constraint_t *k,
                const profile_value_t *values, int n, hie_node_t object,
                const place_t *up);

/*
 * range.c: is the value certainly less than minValue[x], more than
 * maxValue[x]? Not if there is none (NONE), or one of another kind.
 */
bool
hie_range_below(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                hie_node_t min, apr_pool_t *pool);
bool
hie_range_above(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                hie_node_t max, apr_pool_t *pool);

/*
 * match.c
 */
bool
hie_match_fixed(const hie_doc_t *a, hie_node_t n, const hie_doc_t *b,
                hie_node_t m, apr_pool_t *pool);
/* All that the pattern has is there (R4 ElementDefinition.pattern[x]). */
bool
hie_match_pattern(const hie_doc_t *d, hie_node_t n, const hie_doc_t *pd,
                  hie_node_t pattern, apr_pool_t *pool);

#endif
