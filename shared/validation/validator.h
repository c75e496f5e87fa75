/*
 * The validator's own state, for the files of this room only.
 */

#ifndef HIE_VALIDATION_VALIDATOR_H
#define HIE_VALIDATION_VALIDATOR_H

#include <apr_hash.h>

#include "validation/private.h"
#include "validation/valuesets_table.h"

/* What a binding of R4 that is enforced asks for. */
typedef struct {
    const char         *url;         /* the value set */
    const value_set_t  *set;         /* generated, or NULL */
    bool                enforced;    /* required, or with a maximum */
    bool                maximum;     /* only the latter */
} bound_t;

struct hie_validator_t {
    apr_pool_t               *pool;
    hie_validator_options_t   options;
    _Atomic(type_rules_t *)  *types;      /* by hie_type_t; made when needed */
    bound_t                  *bindings;   /* by index of hie_bindings */
    atomic_bool               ready;      /* what was added is compiled */
    apr_hash_t               *profiles;   /* canonical: profile_t */
    apr_hash_t               *sets;       /* canonical: loaded_set_t */
    apr_hash_t               *systems;    /* canonical: hie_doc_t */
    apr_hash_t               *bound;      /* value sets of bindings that are
                                             not R4's, as they stand there */
    size_t                    made;       /* bytes of snapshots */
};

void
hie_validator_lock(hie_validator_t *v, bool on);

/*
 * invariant.c
 */
typedef struct {
    const char  *key;
    const char  *human;
    hie_str_t    expression;
    bool         warning;
    bool         best_practice;
    bool         profile;        /* of one, not of R4 */
} rule_source_t;

/* Adds a rule to a list, which is made for `size` of them when it is NULL.
 * `type`: of the values that it is about, or HIE_TYPE_NONE. */
hie_rc_t
hie_rules_add(hie_validator_t *v, rules_t **rules, int size, hie_type_t type,
              const rule_source_t *source, hie_error_t *err);

/*
 * syntax.c
 */
const char *
hie_syntax_system(uint8_t syntax);
bool
hie_syntax_has(uint8_t syntax, hie_str_t code);

/*
 * binding.c
 */

/* Looks for the value sets of the bindings of R4. */
void
hie_validator_bind(hie_validator_t *v);
/* A generated one; a version after '|' is ignored. NULL: there is none. */
const value_set_t *
hie_value_set_find(hie_str_t url);
/* Asks `set`, or without one the value sets that were added, or the caller.
 * `system` has ptr NULL for a code without one. */
hie_code_answer_t
hie_value_set_has(hie_validator_t *v, hie_str_t url, const value_set_t *set,
                  hie_str_t system, hie_str_t code);
hie_code_answer_t
hie_bound_has(check_t *c, const bound_t *b, hie_type_t type, hie_node_t n);
void
hie_check_bound(check_t *c, const bound_t *b, hie_type_t type, hie_node_t n,
                hie_issue_severity_t severity, const char *rule,
                const place_t *place);

/*
 * terminology.c
 */

typedef struct loaded_set_t  loaded_set_t;

/* A CodeSystem, or a ValueSet. */
hie_rc_t
hie_terminology_add(hie_validator_t *v, const hie_doc_t *d, bool system,
                    hie_error_t *err);
/* Expands the value sets that were added. */
void
hie_terminology_ready(hie_validator_t *v);
/* Of the value sets that were added. */
bool
hie_loaded_knows(const hie_validator_t *v, hie_str_t url);
hie_code_answer_t
hie_loaded_has(hie_validator_t *v, hie_str_t url, hie_str_t system,
               hie_str_t code);

#endif
