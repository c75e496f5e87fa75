/*
 * The CapabilityStatement (FHIR R4 section 2.5): what is really on.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

/* The day on which what is said here last changed. */
#define STATEMENT_DATE  "2026-11-21"

static const char rest_open[] =
    "\"rest\":[{\"mode\":\"server\",\"security\":{\"cors\":false,\"service\":"
    "[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
    "restful-security-service\",\"code\":\"OAuth\"}],\"text\":\"Bearer "
    "tokens (RFC 6750): JWTs signed with RS256 or ES256\"}],\"description\":"
    "\"What a patient's Consent withholds from the requester is answered as "
    "if it did not exist.\"},\"resource\":[";

static const char interactions[] =
    "\"interaction\":[{\"code\":\"read\"},{\"code\":\"vread\"},{\"code\":"
    "\"create\"},{\"code\":\"update\"},{\"code\":\"search-type\"}],"
    "\"versioning\":\"versioned-update\",\"readHistory\":true,"
    "\"conditionalCreate\":true,\"conditionalRead\":\"not-match\","
    "\"conditionalUpdate\":false,\"conditionalDelete\":\"not-supported\"";


static const char *
param_type(hie_param_kind_t kind)
{
    switch (kind) {
    case HIE_PARAM_TOKEN:
        return "token";

    case HIE_PARAM_REFERENCE:
        return "reference";

    case HIE_PARAM_STRING:
        return "string";
    }

    return "special";
}


static void
add_param(hie_buf_t *b, const hie_param_t *p)
{
    hie_buf_addf(b, ",{\"name\":\"%s\",\"definition\":\"%s\",\"type\":\"%s\"}",
                 p->code, p->canonical, param_type(p->kind));
}


static void
add_resource(hie_buf_t *b, const char *type, bool update_create)
{
    size_t              i;
    const hie_param_t  *p;

    hie_buf_addf(b, "{\"type\":\"%s\",%s,\"updateCreate\":%s,"
                 "\"searchParam\":[{\"name\":\"_id\",\"definition\":"
                 "\"http://hl7.org/fhir/SearchParameter/Resource-id\","
                 "\"type\":\"token\"}",
                 type, interactions, update_create ? "true" : "false");

    for (i = 0; (p = hie_fhir_params(i)) != NULL; i++) {
        if (strcmp(p->type, type) == 0) {
            add_param(b, p);
        }
    }

    hie_buf_addz(b, "]}");
}


hie_rc_t
hie_do_metadata(hie_job_t *job)
{
    size_t       i;
    hie_buf_t    b;
    const char  *type;

    hie_buf_init(&b, job->pool, 128 * 1024);
    hie_buf_addz(&b, "{\"resourceType\":\"CapabilityStatement\",\"status\":"
                 "\"active\",\"date\":\"" STATEMENT_DATE "\",\"kind\":"
                 "\"instance\",\"software\":{\"name\":\"HIE modules\","
                 "\"version\":\"0.1.0\"},\"implementation\":{\"description\":"
                 "\"Health information exchange\",\"url\":");
    hie_buf_add_json(&b, job->base_url);
    hie_buf_addz(&b, "},\"fhirVersion\":\"4.0.1\",\"format\":"
                 "[\"application/fhir+json\",\"json\",\"application/fhir+xml\","
                 "\"xml\"],");
    hie_buf_addz(&b, rest_open);

    for (i = 0; (type = hie_fhir_type(i)) != NULL; i++) {
        if (i > 0) {
            hie_buf_addc(&b, ',');
        }

        add_resource(&b, type, job->rt->config->fhir.update_create);
    }

    hie_buf_addz(&b, "],\"interaction\":[{\"code\":\"transaction\"}]}]}");
    hie_respond(job, 200, hie_buf_str(&b));
    return HIE_OK;
}


/* RFC 9110 section 9.3.7. */
hie_rc_t
hie_do_options(hie_job_t *job)
{
    hie_respond(job, 204, HIE_STR_NONE);
    hie_respond_header(job, "Allow", job->todo.allow);
    return HIE_OK;
}
