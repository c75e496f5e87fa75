/*
 * OperationOutcome (R4 section 2.30).
 */

#include "fhir/fhir.h"

#include <string.h>

#include <apr_strings.h>


/* issue.expression takes FHIRPath only: it starts with a resource type. */
static bool
is_fhirpath(const char *where)
{
    return hie_fhir_is_type((hie_str_t) { where, strcspn(where, ".[") });
}


hie_str_t
hie_fhir_outcome(apr_pool_t *pool, const hie_error_t *err)
{
    const char  *text = err->detail;
    hie_buf_t    b;
    bool         path = is_fhirpath(err->where);

    if (!path && err->where[0] != '\0') {
        text = apr_pstrcat(pool, err->where, text[0] != '\0' ? ": " : "",
                           text, NULL);
    }

    hie_buf_init(&b, pool, 256);
    hie_buf_addz(&b, "{\"resourceType\":\"OperationOutcome\",\"issue\":["
                 "{\"severity\":\"error\",\"code\":");
    hie_buf_add_json(&b, hie_str(hie_rc_issue(err->rc)));

    /* no FHIR string is empty */
    if (text[0] != '\0') {
        hie_buf_addz(&b, ",\"diagnostics\":");
        hie_buf_add_json(&b, hie_str(text));
    }

    if (path) {
        hie_buf_addz(&b, ",\"expression\":[");
        hie_buf_add_json(&b, hie_str(err->where));
        hie_buf_addc(&b, ']');
    }

    hie_buf_addz(&b, "}]}");

    return hie_buf_str(&b);
}
