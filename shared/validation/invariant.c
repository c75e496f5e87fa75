/*
 * What is computed of a type once: its required elements.
 */

#include "validation/validator.h"


static type_rules_t *
compile(hie_validator_t *v, hie_type_t type)
{
    const hie_type_info_t  *t = &hie_types[type];
    const hie_element_t    *e;
    type_rules_t           *tr = apr_pcalloc(v->pool, sizeof(*tr));
    uint16_t                i;

    tr->elements = apr_pcalloc(v->pool, (t->n + 1u) * sizeof(*tr->elements));

    for (i = 0; i < t->n; i++) {
        e = &hie_elements[t->first + i];
        if (e->min > 0) {
            tr->required |= UINT64_C(1) << e->order;
        }
    }

    return tr;
}


const type_rules_t *
hie_validator_rules(hie_validator_t *v, hie_type_t type)
{
    type_rules_t  *tr;

    tr = atomic_load_explicit(&v->types[type], memory_order_acquire);
    if (tr != NULL) {
        return tr;
    }

    hie_validator_lock(v, true);

    tr = atomic_load_explicit(&v->types[type], memory_order_relaxed);
    if (tr == NULL) {
        tr = compile(v, type);
        atomic_store_explicit(&v->types[type], tr, memory_order_release);
    }

    hie_validator_lock(v, false);

    return tr;
}


void
hie_check_rules(check_t *c, const rules_t *rules, hie_type_t type,
                hie_node_t n, uint64_t seen, const place_t *place)
{
}
