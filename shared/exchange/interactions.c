/*
 * The interactions: what each is called, what a requester must be allowed to
 * do for it, and who serves it.
 */

#include <stddef.h>

#include "exchange/private.h"

static const hie_interaction_def_t  interactions[] = {
    /* what, code (R4 restful-interaction and the names of operations),
     * needed of a scope (0: decided by the interaction), has a FHIR body */
    [HIE_DO_METADATA] = { "capabilities", 0, false, hie_do_metadata },
    [HIE_DO_OPTIONS] = { "options", 0, false, hie_do_options },
    [HIE_DO_READ] = { "read", HIE_MAY_READ, false, hie_do_read },
    [HIE_DO_VREAD] = { "vread", HIE_MAY_READ, false, hie_do_read },
    [HIE_DO_HISTORY] = { "history-instance", HIE_MAY_READ, false,
                         hie_do_history },
    [HIE_DO_HISTORY_TYPE] = { "history-type", HIE_MAY_SEARCH, false,
                              hie_do_history_type },
    [HIE_DO_HISTORY_SYSTEM] = { "history-system", 0, false,
                                hie_do_history_system },
    [HIE_DO_SEARCH] = { "search-type", HIE_MAY_SEARCH, false, hie_do_search },
    [HIE_DO_SEARCH_SYSTEM] = { "search-system", 0, false, hie_do_search },
    [HIE_DO_SEARCH_COMPARTMENT] = { "search-compartment", 0, false,
                                    hie_do_search },
    [HIE_DO_CREATE] = { "create", HIE_MAY_CREATE, true, hie_do_create },
    [HIE_DO_UPDATE] = { "update", HIE_MAY_UPDATE, true, hie_do_update },
    [HIE_DO_UPDATE_IF] = { "update", HIE_MAY_UPDATE, true, hie_do_update },
    [HIE_DO_PATCH] = { "patch", HIE_MAY_UPDATE, false, hie_do_patch },
    [HIE_DO_PATCH_IF] = { "patch", HIE_MAY_UPDATE, false, hie_do_patch },
    [HIE_DO_DELETE] = { "delete", HIE_MAY_DELETE, false, hie_do_delete },
    [HIE_DO_DELETE_IF] = { "delete", HIE_MAY_DELETE, false, hie_do_delete },
    [HIE_DO_BUNDLE] = { "transaction", 0, true, hie_do_bundle },
    [HIE_DO_BATCH] = { "batch", 0, true, hie_do_bundle },
    [HIE_DO_OPERATION] = { "operation", 0, false, hie_do_operation },
};


const hie_interaction_def_t *
hie_interaction(hie_do_t what)
{
    static const hie_interaction_def_t  unknown = { "unknown", 0, false,
                                                    NULL };

    if (what <= 0
        || (size_t) what >= sizeof(interactions) / sizeof(interactions[0]))
    {
        return &unknown;
    }

    return &interactions[what];
}
