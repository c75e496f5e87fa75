/*
 * The validator's own state, for the files of this room only.
 */

#ifndef HIE_VALIDATION_VALIDATOR_H
#define HIE_VALIDATION_VALIDATOR_H

#include "validation/private.h"
#include "validation/valuesets_table.h"

/* What a binding of R4 that is enforced asks for. */
typedef struct {
    const char         *url;         /* the value set */
    const value_set_t  *set;         /* generated, or NULL */
    bool                enforced;    /* required, or with a maximum */
} bound_t;

struct hie_validator_t {
    apr_pool_t               *pool;
    hie_validator_options_t   options;
    _Atomic(type_rules_t *)  *types;      /* by hie_type_t; made when needed */
    bound_t                  *bindings;   /* by index of hie_bindings */
};

void
hie_validator_lock(hie_validator_t *v, bool on);

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
void
hie_check_bound(check_t *c, const bound_t *b, hie_type_t type, hie_node_t n,
                hie_issue_severity_t severity, const char *rule,
                const place_t *place);

/*
 * terminology.c
 */

/* Of the value sets that were added. */
hie_code_answer_t
hie_loaded_has(hie_validator_t *v, hie_str_t url, hie_str_t system,
               hie_str_t code);

#endif
