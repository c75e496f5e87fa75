/*
 * Lists that nobody keeps (R4 section 3.1.1.4.16): "$current-problems" and
 * others are what the resources themselves say of now, and so never behind.
 */

#include "search/criterion.h"

#include <string.h>

#define PARAMS_MAX  3
#define NAMES       "$current-problems, $current-medications, "               \
                    "$current-allergies or $current-drug-allergies"

/* What meets all of these is on the list. */
typedef struct {
    const char  *name;
    hie_type_t   type;
    struct {
        const char  *name;
        const char  *value;
    } params[PARAMS_MAX];
} current_t;

static const current_t  lists[] = {
    { "$current-problems", HIE_TYPE_Condition, {
        { "clinical-status", "active,recurrence,relapse" },
        { "verification-status:not", "refuted,entered-in-error" } } },
    { "$current-medications", HIE_TYPE_MedicationRequest, {
        { "status", "active" } } },
    { "$current-medications", HIE_TYPE_MedicationStatement, {
        { "status", "active" } } },
    { "$current-allergies", HIE_TYPE_AllergyIntolerance, {
        { "clinical-status", "active" },
        { "verification-status:not", "refuted,entered-in-error" } } },
    { "$current-drug-allergies", HIE_TYPE_AllergyIntolerance, {
        { "clinical-status", "active" },
        { "verification-status:not", "refuted,entered-in-error" },
        { "category", "medication" } } }
};


static const current_t *
find(hie_str_t name, hie_type_t type, bool *known)
{
    size_t            i;
    const current_t  *found = NULL;

    for (i = 0, *known = false; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (hie_str_eqz(name, lists[i].name)) {
            *known = true;
            found = lists[i].type == type ? &lists[i] : found;
        }
    }

    return found;
}


/* Other types have nothing on it. */
hie_rc_t
hie_criterion_current(hie_criterion_parse_t *p)
{
    int                     i;
    bool                    known;
    hie_rc_t                rc = HIE_OK;
    hie_chain_t            *way;
    const current_t        *list;
    hie_criterion_parse_t   inner = *p;

    inner.depth--;               /* it is no chain */
    list = find(p->value, p->type, &known);
    if (!known) {
        return hie_criterion_wrong(p, "the id of a List, or alone " NAMES);
    }

    way = apr_pcalloc(p->pool, sizeof(*way));
    way->criteria = apr_palloc(p->pool, sizeof(*way->criteria));
    way->criteria->criteria = apr_pcalloc(p->pool, PARAMS_MAX
                                          * sizeof(hie_criterion_t));
    for (i = 0; rc == HIE_OK && list != NULL && i < PARAMS_MAX
                && list->params[i].name != NULL; i++)
    {
        inner.value = hie_str(list->params[i].value);
        rc = hie_criterion_parse(&inner, p->type,
                                 hie_str(list->params[i].name),
                                 &way->criteria->criteria[i]);
    }

    if (list == NULL) {
        way->criteria->criteria[i++].kind = HIE_CRITERION_TOKENS;
    }

    way->criteria->n = i;
    p->out->kind = HIE_CRITERION_GROUP;
    p->out->n = 1;
    p->out->chains = way;
    return rc;
}
