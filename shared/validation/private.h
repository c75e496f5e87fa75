/*
 * What the files of this room share.
 */

#ifndef HIE_VALIDATION_PRIVATE_H
#define HIE_VALIDATION_PRIVATE_H

#include <stdatomic.h>

#include "fhir/definitions.h"
#include "validation/validation.h"

/* Objects in objects: beyond this no look is taken. R4 needs about 20. */
#define HIE_CHECK_DEPTH_MAX  150

/* Bytes of a value that an issue repeats. */
#define HIE_ISSUE_VALUE_MAX  80

#define NO_INDEX  (-1)

/* Where something is: a chain on the C stack, rendered only for an issue. */
typedef struct place_t {
    const struct place_t  *up;
    hie_str_t              name;    /* the stem: "value", not valueQuantity */
    int32_t                index;   /* or NO_INDEX */
} place_t;

typedef struct {
    hie_str_t   id;
    hie_node_t  node;
} contained_t;

/* Beside the public flags, for tests: no guard and no quick way. */
#define HIE_VALIDATE_ALL_BY_ENGINE  0x10000

/* A resource that is being looked at. What is contained has no resources of
 * its own: references to "#id" are resolved in the outermost `container`. */
typedef struct resource_t {
    struct resource_t  *container;  /* what contains it, or NULL */
    hie_node_t          node;
    hie_type_t          type;
    hie_node_t          list;       /* "contained", or NONE */
    contained_t        *contained;  /* sorted by id; NULL: not yet made */
    int                 n_contained;
    hie_str_t          *links;      /* ids of "#id" that were met in it */
    int                 n_links;
    int                 size;       /* of links */
    bool                up;         /* "#" was met: refers to its container */
} resource_t;

typedef struct {
    bool  failed;
} trial_t;

typedef struct check_t {
    hie_validator_t  *v;
    const hie_doc_t  *d;
    apr_pool_t       *pool;         /* of the result */
    apr_pool_t       *scratch;      /* made when first needed */
    unsigned          flags;
    int               max_issues;
    int               size;         /* of out->issues */
    int               depth;
    apr_time_t        now;
    const hie_str_t  *asked;        /* profiles that the resource must meet */
    int               n_asked;
    hie_issues_t     *out;
    bool              invalid;      /* an error of structure or of a format */
    bool              costly;       /* an invariant took too many steps */
    trial_t          *trial;        /* not NULL: nothing is reported */
    resource_t       *resource;
} check_t;

apr_pool_t *
hie_check_scratch(check_t *c);


/*
 * issue.c
 */

/* An issue at `place`. `rule` is NULL for structure and formats; it is copied.
 * The text may not hold more of the document than hie_issue_value gives. */
void
hie_issue_add(check_t *c, hie_issue_severity_t severity, const char *code,
              const place_t *place, hie_node_t node, const char *rule,
              const char *fmt, ...) __attribute__((format(printf, 7, 8)));
/* A value for a text, cut to HIE_ISSUE_VALUE_MAX. */
const char *
hie_issue_value(check_t *c, hie_node_t n);
hie_str_t
hie_place_render(apr_pool_t *pool, const place_t *place);
/* Sorts them and gives them their lines. */
void
hie_issue_finish(check_t *c);

#define STRUCTURE(c, place, n, ...) \
    hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place, n, NULL, __VA_ARGS__)


/*
 * primitive.c
 */

/* What is wrong with a value of a primitive type (R4 section 2.24.0.1), as
 * what was expected; NULL if nothing is. For a boolean or a number `s` is the
 * lexeme, else the string's value. */
const char *
hie_primitive_problem(hie_type_t type, hie_str_t s);
/* The kind of its values in JSON; HIE_NODE_TRUE for a boolean. */
hie_node_kind_t
hie_primitive_kind(hie_type_t type);


/*
 * element.c: structure.
 */

/* A resource at `n`; `contained`: it is in the one that c->resource is. */
void
hie_check_resource(check_t *c, hie_node_t n, bool contained,
                   const place_t *place);


/*
 * reference.c
 */

/* The Reference at `n`, an element `e`. */
void
hie_check_reference(check_t *c, const hie_element_t *e, hie_node_t n,
                    const place_t *place);
/* The type that a Reference says it refers to, or HIE_TYPE_NONE. */
hie_type_t
hie_reference_type(check_t *c, hie_node_t n);
/* May the element refer to the type, by the base definition? */
bool
hie_reference_allows(const hie_element_t *e, hie_type_t type);
/* A canonical, uri or url that starts with '#'. */
void
hie_check_fragment(check_t *c, hie_str_t text);
/* A contained resource that refers to its container: dom-3 holds for it. */
void
hie_check_linked(check_t *c, const resource_t *r);
/* dom-3: what is contained is referred to. */
void
hie_check_contained(check_t *c, const place_t *place);


/*
 * binding.c
 */

/* A code, or a Coding, CodeableConcept or Quantity, that is bound by `e`. */
void
hie_check_binding(check_t *c, const hie_element_t *e, hie_node_t n,
                  const place_t *place);


/*
 * profile_check.c
 */

/* Those that meta.profile names, as far as they were added. */
void
hie_check_profiles(check_t *c, const resource_t *r, const place_t *place);
/* Those that the caller asks for. */
void
hie_check_asked(check_t *c, const resource_t *r, const hie_str_t *profiles,
                int n, const place_t *place);
/* An Extension whose definition was added. */
void
hie_check_known_extension(check_t *c, hie_node_t n, bool modifier,
                          const place_t *place);


/*
 * invariant.c
 */

/* What is computed of a type once, when it is first met. */
typedef struct rules_t  rules_t;

typedef struct {
    uint64_t         required;      /* orders of elements with a minimum */
    const rules_t   *own;           /* of every value of the type, or NULL */
    const rules_t  **elements;      /* by row: of the values there, or NULL */
} type_rules_t;

/* txt-1 and txt-2: the div of a narrative. */
void
hie_check_narrative(check_t *c, hie_str_t div, hie_node_t n,
                    const place_t *place);
const type_rules_t *
hie_validator_rules(hie_validator_t *v, hie_type_t type);
/* The same for rules of profiles: what is seen is looked for. */
void
hie_check_profile_rules(check_t *c, const rules_t *rules, hie_type_t type,
                        hie_node_t n, const place_t *place);
/* `seen`: orders of the elements that the value has. */
void
hie_check_rules(check_t *c, const rules_t *rules, hie_type_t type,
                hie_node_t n, uint64_t seen, const place_t *place);

#endif
