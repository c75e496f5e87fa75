/*
 * terminology: CodeSystem, ValueSet and ConceptMap of FHIR R4 (4.0.1) at work
 * (R4 section 4.8 and 4.9: what codes mean, which codes a value set has, and
 * the operations of a terminology service). Pure: no I/O, no clock, no
 * threads. What is not in the hand is asked of the caller, by canonical URL.
 *
 * Only what was loaded is known: no code system is built in. Resources are
 * hostile input like any other: cycles, depth and work are bounded.
 *
 * Where R4 leaves it open:
 *   - several value sets of one include: a code is in all of them;
 *   - a listed code that its complete code system does not have is not in;
 *   - compose.inactive absent: inactive codes are in. A concept is inactive by
 *     its property inactive, or by status retired, inactive, entered-in-error;
 *   - a hierarchy without hierarchyMeaning means is-a. Filters follow any
 *     hierarchy, $subsumes only one that means subsumption;
 *   - a regular expression meets the whole value;
 *   - a stored expansion counts where there is no compose, or where a code
 *     system that compose needs is not known; a page of one never;
 *   - of a fragment what is there is expanded, and the expansion marked with
 *     valueset-unclosed.
 */

#ifndef HIE_TERMINOLOGY_H
#define HIE_TERMINOLOGY_H

#include "base/base.h"
#include "fhir/fhir.h"

/*
 * Terms: a compiled CodeSystem, ValueSet or ConceptMap. Immutable; any number
 * of threads may read one. It lives in the pool that it was compiled into and
 * keeps nothing of the document, so that a caller may cache it.
 */
typedef enum {
    HIE_TERM_CODE_SYSTEM = 1,
    HIE_TERM_VALUE_SET,
    HIE_TERM_CONCEPT_MAP,
    HIE_TERM_SYSTEM_OF          /* asked for only: the CodeSystem whose
                                   valueSet (all of its codes) is this URL */
} hie_term_kind_t;

typedef struct hie_term_t  hie_term_t;

/* `n`: the resource in the document. HIE_INVALID: it is none of the three, or
 * not usable; the error names the place. */
hie_rc_t
hie_term_compile(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n,
                 const hie_term_t **out, hie_error_t *err);

hie_term_kind_t
hie_term_kind(const hie_term_t *t);
hie_str_t
hie_term_url(const hie_term_t *t);          /* empty if it has none */
hie_str_t
hie_term_version(const hie_term_t *t);
/* About what it takes in memory, for a cache that counts. */
size_t
hie_term_bytes(const hie_term_t *t);


/*
 * Where terms come from. `find` gives the one with this canonical URL; with
 * `version` empty the one that the caller takes for current, otherwise that
 * version or none. HIE_NOT_FOUND: not known (`out` NULL); any other error ends
 * the operation. What it gives must stay as long as the operation runs.
 *
 * `maps` gives the concept maps to try when a translation names none; NULL:
 * there are none. `grammar` tells codes of systems that nobody can list (UCUM,
 * MIME types); UNKNOWN: not one of these. NULL: there are no such systems.
 */
typedef enum {
    HIE_TERM_UNKNOWN = 1,       /* no judgement: something is not known */
    HIE_TERM_IN,
    HIE_TERM_OUT
} hie_term_answer_t;

typedef struct {
    hie_rc_t          (*find)(void *baton, hie_term_kind_t kind,
                              hie_str_t url, hie_str_t version,
                              const hie_term_t **out, hie_error_t *err);
    hie_rc_t          (*maps)(void *baton, const hie_term_t *const **out,
                              size_t *n, hie_error_t *err);
    hie_term_answer_t (*grammar)(void *baton, hie_str_t system,
                                 hie_str_t code);
    void               *baton;
} hie_term_source_t;

/* A set of terms in memory as such a source: for tests, and for resources
 * that come with a request. Of several versions the greatest is current (by
 * its numbers, "10.1" after "9"). It may be layered over another source. */
typedef struct hie_term_set_t  hie_term_set_t;

hie_term_set_t *
hie_term_set_create(apr_pool_t *pool, const hie_term_source_t *beneath);
void
hie_term_set_add(hie_term_set_t *set, const hie_term_t *t);
const hie_term_source_t *
hie_term_set_source(const hie_term_set_t *set);


/*
 * Limits of one call. 0 takes the value that stands here.
 */
#define HIE_TERM_CODES   10000      /* of an expansion without paging, and in
                                       one page */
#define HIE_TERM_STEPS   5000000    /* codes looked at: about a second */
#define HIE_TERM_DEPTH   40         /* value sets (maps) in one another */

typedef struct {
    size_t    codes;
    uint64_t  steps;
} hie_term_limits_t;


/*
 * Operations (R4 section 4.8.16, 4.9.18, 4.10.16). One signature for all.
 *
 * Parameters come parsed, from a query or from a Parameters resource. Of a
 * complex value or a resource, `doc` and `node` say where it is; of a
 * primitive `value` is its text. Of a parameter with parts `node` is the
 * parameter itself.
 */
typedef struct {
    hie_str_t         name;
    hie_str_t         value;
    const hie_doc_t  *doc;          /* or NULL */
    hie_node_t        node;
} hie_term_parameter_t;

/* From a Parameters resource at `n`; `out` is in `pool`. HIE_INVALID: it is
 * not one, or has too many. */
#define HIE_TERM_PARAMETERS_MAX  1000

hie_rc_t
hie_term_parameters(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n,
                    const hie_term_parameter_t **out, size_t *count,
                    hie_error_t *err);

typedef struct {
    apr_pool_t                  *pool;       /* scratch; results live there */
    const hie_term_source_t     *source;
    const hie_term_t            *instance;   /* at [type]/[id]/$…; or NULL */
    const hie_term_parameter_t  *parameters;
    size_t                       n_parameters;
    apr_time_t                   now;
    hie_term_limits_t            limits;
} hie_term_request_t;

/* HIE_OK: `out` is the ValueSet or Parameters that the operation returns.
 * Otherwise it is an OperationOutcome with the issue type that a terminology
 * service gives (not-found, not-supported, too-costly, required, invalid,
 * code-invalid, processing), and the result says the status of HTTP:
 * HIE_NOT_FOUND when what was asked for is not known, HIE_UNPROCESSABLE when
 * something that it depends on is not, HIE_TOO_COSTLY beyond a limit,
 * HIE_INVALID for parameters that are wrong. `out` is in the request's pool.
 *
 * Beside those of R4 the parameters useSupplement and tx-resource are known;
 * context and date are refused. An expansion is a list; with
 * excludeNested=false and without paging a tree. */
typedef hie_rc_t
hie_term_operation_fn(const hie_term_request_t *r, hie_str_t *out,
                      hie_error_t *err);

hie_term_operation_fn  hie_term_expand;            /* ValueSet/$expand */
hie_term_operation_fn  hie_term_validate_value_set;/* ValueSet/$validate-code */
hie_term_operation_fn  hie_term_validate_system;   /* CodeSystem/$validate-… */
hie_term_operation_fn  hie_term_lookup;            /* CodeSystem/$lookup */
hie_term_operation_fn  hie_term_subsumes;          /* CodeSystem/$subsumes */
hie_term_operation_fn  hie_term_translate;         /* ConceptMap/$translate */


/*
 * For search and for bindings.
 */
typedef struct {
    hie_str_t  system;          /* ptr NULL: none */
    hie_str_t  code;
} hie_term_code_t;

/* Is the code in the value set (a canonical, maybe with |version)? `system`
 * with ptr NULL: in any system, as for an element of type code. UNKNOWN: the
 * value set is not known, or something that it needs; `err` says what. */
hie_term_answer_t
hie_term_member(const hie_term_source_t *source, apr_pool_t *pool,
                hie_str_t value_set, hie_str_t system, hie_str_t code,
                hie_error_t *err);

/* All codes of a value set (:in, :not-in). HIE_NOT_FOUND: it is not known.
 * HIE_UNPROCESSABLE: it cannot be expanded. HIE_TOO_COSTLY: it has more than
 * `max`. No part of an answer is given then. In no particular order, none
 * twice. */
hie_rc_t
hie_term_codes(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t value_set, size_t max, const hie_term_code_t **out,
               size_t *n, hie_error_t *err);

/* The code and all that it subsumes (:below), or that subsume it (:above). An
 * unknown system or code, or one without hierarchy, gives the code alone.
 * HIE_TOO_COSTLY: more than `max`. */
hie_rc_t
hie_term_below(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t system, hie_str_t code, size_t max,
               const hie_term_code_t **out, size_t *n, hie_error_t *err);
hie_rc_t
hie_term_above(const hie_term_source_t *source, apr_pool_t *pool,
               hie_str_t system, hie_str_t code, size_t max,
               const hie_term_code_t **out, size_t *n, hie_error_t *err);

#endif
