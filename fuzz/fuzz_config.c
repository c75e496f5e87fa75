/*
 * hie.yaml from bytes: refused with a place and a sentence, or complete.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "base/config_private.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool    started;
    hie_config_t  *c = NULL;
    hie_error_t    err = { .rc = 0 };
    apr_pool_t    *pool;
    hie_str_t      bytes = { (const char *) data, size };
    hie_rc_t       rc;

    if (!started) {
        apr_initialize();
        started = true;
    }
    pool = hie_pool_create(NULL, "fuzz");

    rc = hie_config_parse(bytes, "/nowhere/hie.yaml", pool, &c, &err);
    if (rc == HIE_OK) {
        if (c->node == NULL || c->database.conninfo == NULL
            || c->journal.directory == NULL
            || c->fhir.default_count > c->fhir.max_count)
        {
            abort();
        }
    } else if (rc != HIE_INVALID || err.rc != rc || err.detail[0] == '\0'
               || strchr(err.where, ':') == NULL)
    {
        abort();
    }

    apr_pool_destroy(pool);
    return 0;
}
