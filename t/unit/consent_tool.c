/*
 * What the test programs of consent share.
 */

#include "consent_tool.h"

#include <apr_general.h>


apr_pool_t  *pool;


uint64_t
actor(const char *z)
{
    return hie_store_actor_key(hie_str(z));
}


uint64_t
patient(const char *id)
{
    return hie_fhir_patient_key(hie_str(id));
}


int
tool_set_up(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    return 0;
}


int
tool_tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}
