/*
 * The CapabilityStatement (FHIR R4 section 2.5): what is really on.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/operation.h"
#include "fhir/search_params.h"

/* How long it waits to learn of other search parameters. */
#define LOOK_MS  250

/* The day on which what is said here last changed. */
#define STATEMENT_DATE  "2026-11-21"

/* What is there of a resource type, and of the system, in the order of R4's
 * value sets type- and system-restful-interaction. */
static const hie_do_t of_type[] = {
    HIE_DO_READ, HIE_DO_VREAD, HIE_DO_UPDATE, HIE_DO_PATCH, HIE_DO_DELETE,
    HIE_DO_HISTORY, HIE_DO_HISTORY_TYPE, HIE_DO_CREATE, HIE_DO_SEARCH, 0
};

static const hie_do_t of_system[] = {
    HIE_DO_BUNDLE, HIE_DO_BATCH, HIE_DO_SEARCH_SYSTEM, HIE_DO_HISTORY_SYSTEM, 0
};


static bool
is_served(hie_do_t what)
{
    return hie_interaction(what)->serve != NULL;
}


static const char *
boolean(bool value)
{
    return value ? "true" : "false";
}


static void
add_interactions(hie_buf_t *b, const hie_do_t *what)
{
    bool  any;

    hie_buf_addz(b, "\"interaction\":[");
    for (any = false; *what != 0; what++) {
        if (is_served(*what)) {
            hie_buf_addf(b, "%s{\"code\":\"%s\"}", any ? "," : "",
                         hie_interaction(*what)->code);
            any = true;
        }
    }

    hie_buf_addc(b, ']');
}


/* Those of a type, or with `type` NULL those of the system. */
static void
add_operations(hie_buf_t *b, const char *type)
{
    bool                    any;
    size_t                  i;
    unsigned                levels;
    const hie_operation_t  *o;

    levels = type == NULL ? HIE_AT_SYSTEM : HIE_AT_TYPE | HIE_AT_INSTANCE;
    for (i = 0, any = false; (o = hie_operations(i)) != NULL; i++) {
        if ((o->levels & levels) != 0
            && (o->type == NULL || type == NULL
                || strcmp(o->type, type) == 0))
        {
            hie_buf_addf(b, "%s{\"name\":\"%s\",\"definition\":\"%s\"}",
                         any ? "," : ",\"operation\":[", o->name,
                         o->definition);
            any = true;
        }
    }

    if (any) {
        hie_buf_addc(b, ']');
    }
}


/*
 * Search parameters.
 */

static const char *
param_type(uint8_t kind)
{
    static const char *const  names[] = {
        [HIE_SEARCH_NUMBER] = "number", [HIE_SEARCH_DATE] = "date",
        [HIE_SEARCH_STRING] = "string", [HIE_SEARCH_TOKEN] = "token",
        [HIE_SEARCH_REFERENCE] = "reference",
        [HIE_SEARCH_COMPOSITE] = "composite",
        [HIE_SEARCH_QUANTITY] = "quantity", [HIE_SEARCH_URI] = "uri",
        [HIE_SEARCH_SPECIAL] = "special"
    };

    return names[kind];
}


static void
add_param(hie_buf_t *b, bool first, const char *code, const char *canonical,
          const char *type)
{
    hie_buf_addz(b, first ? "{\"name\":\"" : ",{\"name\":\"");
    hie_buf_addz(b, code);
    if (canonical != NULL) {
        hie_buf_addz(b, "\",\"definition\":\"");
        hie_buf_addz(b, canonical);
    }

    hie_buf_addz(b, "\",\"type\":\"");
    hie_buf_addz(b, type);
    hie_buf_addz(b, "\"}");
}


/* What R4 describes in words only, but for _filter. */
static void
add_common_params(hie_buf_t *b)
{
    add_param(b, false, "_filter",
              "http://hl7.org/fhir/SearchParameter/filter", "special");
    add_param(b, false, "_list", NULL, "special");
}


/* What a search of one type may ask for. */
typedef struct {
    hie_buf_t  params;           /* objects, */
    hie_buf_t  includes;         /* and "Type:code": references from it, */
    hie_buf_t  rev_includes;     /* and to it */
} searches_t;

typedef struct {
    searches_t  *of;             /* by type */
    hie_type_t   type;
} collector_t;


static void
add_reference(hie_buf_t *b, const hie_parameter_t *p)
{
    hie_buf_addz(b, ",\"");
    hie_buf_addz(b, hie_types[p->type].name);
    hie_buf_addc(b, ':');
    hie_buf_addz(b, p->code);
    hie_buf_addc(b, '"');
}


static void
collect(void *baton, const hie_parameter_t *p)
{
    int           i;
    hie_type_t    type;
    collector_t  *c = baton;
    searches_t   *of = &c->of[c->type];

    add_param(&of->params, of->params.len == 0, p->code, p->canonical,
              param_type((uint8_t) p->kind));
    if (p->kind != HIE_SEARCH_REFERENCE) {
        return;
    }

    add_reference(&of->includes, p);
    for (i = 0; i < p->n_targets; i++) {
        add_reference(&c->of[p->targets[i]].rev_includes, p);
    }

    for (type = HIE_TYPE_Account;
         p->n_targets == 0 && type <= HIE_TYPE_VisionPrescription; type++)
    {
        add_reference(&c->of[type].rev_includes, p);
    }
}


static searches_t *
collect_all(hie_job_t *job)
{
    searches_t   *of;
    collector_t   c;

    c.of = apr_pcalloc(job->pool, sizeof(*c.of) * hie_n_types);
    for (c.type = HIE_TYPE_Account; c.type <= HIE_TYPE_VisionPrescription;
         c.type++)
    {
        of = &c.of[c.type];
        hie_buf_init(&of->params, job->pool, 4096);
        hie_buf_init(&of->includes, job->pool, 256);
        hie_buf_init(&of->rev_includes, job->pool, 2048);
    }

    for (c.type = HIE_TYPE_Account; c.type <= HIE_TYPE_VisionPrescription;
         c.type++)
    {
        hie_search_each(job->rt->search, c.type, collect, &c);
    }

    return c.of;
}


static void
add_search(hie_buf_t *b, const searches_t *of)
{
    bool  referred = of->rev_includes.len > 0;

    hie_buf_addz(b, ",\"searchInclude\":[\"*\"");
    hie_buf_adds(b, hie_buf_str(&of->includes));
    if (referred) {
        hie_buf_addz(b, "],\"searchRevInclude\":[\"*\"");
        hie_buf_adds(b, hie_buf_str(&of->rev_includes));
    }

    hie_buf_addz(b, "],\"searchParam\":[");
    hie_buf_adds(b, hie_buf_str(&of->params));
    add_common_params(b);
    if (referred) {
        add_param(b, false, "_has", NULL, "special");
    }

    hie_buf_addc(b, ']');
}


static void
add_resource(hie_buf_t *b, const char *name, const searches_t *searches,
             const hie_config_t *conf)
{
    hie_buf_addf(b, "{\"type\":\"%s\",", name);
    add_interactions(b, of_type);
    hie_buf_addf(b, ",\"versioning\":\"versioned-update\",\"readHistory\":%s,"
                 "\"updateCreate\":%s,\"conditionalCreate\":%s,"
                 "\"conditionalRead\":\"full-support\","
                 "\"conditionalUpdate\":%s,\"conditionalDelete\":\"%s\","
                 "\"referencePolicy\":[\"literal\"%s]",
                 boolean(is_served(HIE_DO_VREAD)),
                 boolean(conf->fhir.update_create),
                 boolean(is_served(HIE_DO_CREATE)),
                 boolean(is_served(HIE_DO_UPDATE_IF)),
                 !is_served(HIE_DO_DELETE_IF) ? "not-supported"
                 : conf->fhir.delete_many ? "multiple" : "single",
                 conf->fhir.references == HIE_REFERENCES_ENFORCE
                 ? ",\"enforced\"" : "");

    add_search(b, &searches[hie_type_find(hie_str(name))]);
    add_operations(b, name);
    hie_buf_addc(b, '}');
}


/* Searches of several types, and in compartments. There are no named
 * queries. */
static void
add_system_search(hie_buf_t *b)
{
    static const char *const  compartments[] = {
        "patient", "encounter", "relatedPerson", "practitioner", "device"
    };

    bool                       any = false;
    size_t                     i, n;
    const hie_search_param_t  *p;

    hie_buf_addz(b, ",\"searchParam\":[");
    p = hie_search_params_of(HIE_TYPE_Resource, &n);
    for (i = 0; i < n; i++) {
        if (strcmp(p[i].code, "_query") != 0) {
            add_param(b, !any, p[i].code, p[i].canonical,
                      param_type(p[i].kind));
            any = true;
        }
    }

    add_common_params(b);
    add_param(b, false, "_type", NULL, "special");
    hie_buf_addz(b, "],\"compartment\":[");
    for (i = 0; i < sizeof(compartments) / sizeof(compartments[0]); i++) {
        hie_buf_addf(b, "%s\"http://hl7.org/fhir/CompartmentDefinition/%s\"",
                     i > 0 ? "," : "", compartments[i]);
    }

    hie_buf_addc(b, ']');
}


static void
add_security(hie_buf_t *b, const hie_config_t *conf)
{
    hie_buf_addf(b, "\"security\":{\"cors\":%s,\"service\":[{\"coding\":"
                 "[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
                 "restful-security-service\",\"code\":\"OAuth\"}],\"text\":"
                 "\"Bearer tokens (RFC 6750): JWTs signed with RS256 or "
                 "ES256\"}],\"description\":\"What a patient's Consent "
                 "withholds from the requester is answered as if it did not "
                 "exist.\"},", boolean(conf->fhir.n_cors_origins > 0));
}


hie_rc_t
hie_do_metadata(hie_job_t *job)
{
    size_t               i;
    hie_buf_t            b;
    const char          *type;
    searches_t          *searches;
    const hie_config_t  *conf = job->rt->config;

    /* It is answered without a database, too. */
    hie_store_deadline(LOOK_MS);
    hie_parameters_notice(job->rt);
    hie_store_deadline(hie_job_time_left(job));
    searches = collect_all(job);
    hie_buf_init(&b, job->pool, 1024 * 1024);
    hie_buf_addz(&b, "{\"resourceType\":\"CapabilityStatement\",\"status\":"
                 "\"active\",\"date\":\"" STATEMENT_DATE "\",\"kind\":"
                 "\"instance\",\"software\":{\"name\":\"HIE modules\","
                 "\"version\":\"0.1.0\"},\"implementation\":{\"description\":"
                 "\"Health information exchange\",\"url\":");
    hie_buf_add_json(&b, job->base_url);
    hie_buf_addz(&b, "},\"fhirVersion\":\"4.0.1\",\"format\":"
                 "[\"application/fhir+json\",\"json\",\"application/fhir+xml\","
                 "\"xml\"],\"rest\":[{\"mode\":\"server\",");
    add_security(&b, conf);
    hie_buf_addz(&b, "\"resource\":[");

    for (i = 0; (type = hie_fhir_type(i)) != NULL; i++) {
        if (i > 0) {
            hie_buf_addc(&b, ',');
        }

        add_resource(&b, type, searches, conf);
    }

    hie_buf_addz(&b, "],");
    add_interactions(&b, of_system);
    add_system_search(&b);
    add_operations(&b, NULL);
    hie_buf_addz(&b, "}]}");
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
