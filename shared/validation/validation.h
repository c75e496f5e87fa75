/*
 * validation: is a resource one of FHIR R4 (4.0.1)? Structure, formats of
 * primitive values, required bindings, invariants (R4 section 2.1.0.6,
 * "Validating Resources"), and profiles that are loaded. Pure: no I/O, no
 * clock, no threads; nothing here blocks, but for the caller's own lock.
 *
 * All that is wrong is reported, not the first only.
 */

#ifndef HIE_VALIDATION_H
#define HIE_VALIDATION_H

#include "base/base.h"
#include "fhir/fhir.h"

/*
 * What was found.
 */
typedef enum {
    HIE_ISSUE_FATAL = 1,        /* no further look was taken at the value */
    HIE_ISSUE_ERROR,            /* the resource is not valid */
    HIE_ISSUE_WARNING,
    HIE_ISSUE_INFORMATION
} hie_issue_severity_t;

typedef struct {
    hie_issue_severity_t  severity;
    const char           *code;        /* of the R4 IssueType value set:
                                          structure, required, value,
                                          invariant, code-invalid, … */
    hie_str_t             expression;  /* FHIRPath of the place with indices:
                                          Patient.name[0].given[1] */
    hie_str_t             rule;        /* "pat-1", or of a profile
                                          "<canonical>#us-core-6"; or empty */
    hie_str_t             text;        /* what was expected; with the value
                                          that was found, cut to 80 bytes */
    hie_node_t            node;        /* of the document; of what is absent,
                                          the object that should have it */
    uint32_t              line;        /* of the node, in the bytes of the */
    uint32_t              column;      /* document; from 1, in characters */
} hie_issue_t;

typedef struct {
    int           n;
    int           n_errors;     /* fatal and error; counts those beyond the */
    int           n_warnings;   /* limit too */
    bool          more;         /* there were more than the limit */
    hie_issue_t  *issues;       /* in the order of the document */
} hie_issues_t;


/*
 * A validator: rules that are compiled, profiles, value sets. It is made once
 * in a process and costs next to nothing to make: what belongs to a type is
 * compiled when the first resource of that type comes. When threads share one,
 * `lock` must be given: it is called around such compilations only. A
 * validator with profiles may be shared once the last one has been added.
 */
typedef struct hie_validator_t  hie_validator_t;

typedef enum {
    HIE_CODE_UNKNOWN = 1,       /* the value set is not known: no judgement */
    HIE_CODE_IN,
    HIE_CODE_OUT
} hie_code_answer_t;

/* A value set that neither R4 nor hie_validator_add brought. `system` has ptr
 * NULL for an element of type code, whose system the value set implies. Must
 * not block for long; may be called by several threads at a time. */
typedef hie_code_answer_t
hie_value_set_fn(void *baton, hie_str_t value_set, hie_str_t system,
                 hie_str_t code);

typedef struct {
    void              (*lock)(void *baton, bool on);    /* or NULL */
    void               *lock_baton;
    hie_value_set_fn   *value_set;                      /* or NULL */
    void               *value_set_baton;
    hie_validator_t    *base;       /* one that is ready and outlives this one,
                                       which knows what that knows and what is
                                       added; or NULL */
} hie_validator_options_t;

/* Lives in `pool`, which nobody else may allocate from while validation goes
 * on in several threads. `options` may be NULL. */
hie_validator_t *
hie_validator_create(apr_pool_t *pool, const hie_validator_options_t *options);

/*
 * Adds a profile (StructureDefinition with a snapshot, or a differential from
 * which one is made when all that were added are compiled; a constraint on a
 * resource or a data type, an Extension's too), a ValueSet (with expansion, or
 * a compose of enumerated codes, whole code systems and other value sets) or a
 * CodeSystem. The document must outlive the validator. HIE_INVALID: it is not
 * usable, and err says why. The same canonical again: the later one holds.
 */
hie_rc_t
hie_validator_add(hie_validator_t *v, const hie_doc_t *d, hie_error_t *err);
/* Compiles the profiles that were added, which may name each other. Called by
 * the first validation otherwise; here errors are seen before it. */
hie_rc_t
hie_validator_ready(hie_validator_t *v, hie_error_t *err);
/* The value sets that required bindings of its profiles (those of its base,
 * too) name, as they stand there, and that neither R4 nor hie_validator_add
 * brought. Of a validator that is ready. `out` is in `pool`; how many. One that
 * is added with a url "canonical|version" is that of such a binding alone. */
int
hie_validator_wants(const hie_validator_t *v, apr_pool_t *pool,
                    hie_str_t **out);
/* Is this canonical (a version after '|' is ignored) one that was added? */
bool
hie_validator_knows(const hie_validator_t *v, hie_str_t profile);


/*
 * Validation.
 */
typedef enum {
    HIE_VALIDATE_BINDINGS = 1,      /* required bindings, maxValueSet */
    HIE_VALIDATE_INVARIANTS = 2,
    HIE_VALIDATE_PROFILES = 4,      /* those of meta.profile that are known */
    HIE_VALIDATE_BEST_PRACTICE = 8, /* warnings for dom-6 and its like */
    HIE_VALIDATE_UNKNOWN = 16,      /* information on meta.profile and
                                       bindings that could not be judged */
    HIE_VALIDATE_ALL = 31,
    /* what a server checks on a write */
    HIE_VALIDATE_WRITE = HIE_VALIDATE_BINDINGS | HIE_VALIDATE_INVARIANTS
                         | HIE_VALIDATE_PROFILES
} hie_validate_flag_t;

#define HIE_ISSUES_MAX  100         /* where a caller states no limit */

typedef struct {
    unsigned           flags;       /* structure is always checked */
    int                max_issues;  /* 0: HIE_ISSUES_MAX */
    const hie_str_t   *profiles;    /* to be met beside meta.profile; each */
    int                n_profiles;  /* must be known */
    apr_time_t         now;         /* for rules of profiles with today() */
    hie_str_t          expression;  /* of the resource; empty: its type. For
                                       an entry alone
                                       "Bundle.entry[3].resource" */
} hie_validate_options_t;

/*
 * Validates the resource at node `n` with all that it contains (contained
 * resources; the resources of a Bundle or of Parameters). `options` NULL:
 * HIE_VALIDATE_WRITE. `out` and what it points to live in `pool`; a resource
 * without issues takes next to nothing from it.
 *
 * HIE_OK: no error, though maybe warnings. HIE_INVALID: it is not FHIR at all
 * (structure, formats; HTTP 400). HIE_UNPROCESSABLE: it is, and breaks rules
 * only (bindings, invariants, profiles; HTTP 422). `err` is filled from the
 * first error.
 */
hie_rc_t
hie_validate(hie_validator_t *v, const hie_doc_t *d, hie_node_t n,
             const hie_validate_options_t *options, apr_pool_t *pool,
             hie_issues_t *out, hie_error_t *err);

/* An OperationOutcome (R4 section 2.30) with these issues; without any, one
 * of severity information that says so. */
hie_str_t
hie_validation_outcome(apr_pool_t *pool, const hie_issues_t *issues);


/* The codes of a value set of R4 that a required binding names, each to `fn`.
 * False: it is none of these, or nobody can list its codes. */
typedef void
hie_value_set_code_fn(void *baton, hie_str_t system, hie_str_t code);

bool
hie_validation_codes(hie_str_t value_set, hie_value_set_code_fn *fn,
                     void *baton);

#endif
