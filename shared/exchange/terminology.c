/*
 * The operations of a terminology service (FHIR R4 sections 4.8.16, 4.9.18 and
 * 4.10.16): what the terminology room asks for is found in the store, among
 * what the requester sees and may read.
 */

#include <string.h>

#include <apr_tables.h>

#include "exchange/operation.h"
#include "terminology/terminology.h"
#include "ucum/ucum.h"

/* Versions of one canonical URL, and concept maps to try. */
#define VERSIONS_MAX  50
#define MAPS_MAX      100

typedef struct {
    hie_job_t           *job;
    hie_types_t         *types;      /* that may be read */
    hie_term_set_t      *set;
    apr_array_header_t  *rows;       /* hie_row_t: all that were read */
    apr_array_header_t  *parameters; /* hie_term_parameter_t */
    const char *const   *names;      /* of parameters; NULL ends them */
} terms_t;

static const char *const  kinds[] = {
    [HIE_TERM_CODE_SYSTEM] = "CodeSystem",
    [HIE_TERM_VALUE_SET] = "ValueSet",
    [HIE_TERM_CONCEPT_MAP] = "ConceptMap"
};


/*
 * Terms out of the store.
 */

static hie_rc_t
compile(terms_t *t, const hie_row_t *row, const hie_term_t **out,
        hie_error_t *err)
{
    hie_rc_t     rc;
    hie_doc_t   *d;
    hie_error_t  why;

    APR_ARRAY_PUSH(t->rows, hie_row_t) = *row;
    rc = hie_doc_parse(t->job->pool, row->body,
                       t->job->rt->config->fhir.max_depth, &d, &why);
    if (rc == HIE_OK) {
        rc = hie_term_compile(t->job->pool, d, 0, out, &why);
    }

    return rc == HIE_OK ? rc
           : hie_fail(err, HIE_UNPROCESSABLE, "",
                      "%.*s/%.*s cannot be used: %s: %s",
                      HIE_PRISTR(row->type), HIE_PRISTR(row->id), why.where,
                      why.detail);
}


/* Adds those of a type that a query finds to the set. */
static hie_rc_t
load(terms_t *t, const char *type, hie_str_t query, int max,
     const hie_term_t **terms, size_t *n, hie_error_t *err)
{
    int                i;
    hie_rc_t           rc;
    hie_job_t         *job;
    hie_found_t        found;
    hie_search_t       s;
    const hie_term_t  *term;

    job = t->job;
    rc = hie_search_parse(job->rt->config, hie_str(type), query,
                          job->base_url, true, job->pool, &s, err);
    if (rc == HIE_OK) {
        s.query.count = max;
        s.query.total = false;
        rc = hie_store_search(job->rt->store, &job->decision->visible,
                              &s.query, job->pool, &found, err);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (found.next != 0) {
        return hie_fail(err, HIE_TOO_COSTLY, "",
                        "more than %d resources of type %s would have to be "
                        "looked at", max, type);
    }

    for (i = 0; i < found.n; i++) {
        rc = compile(t, &found.rows[i], &term, err);
        if (rc != HIE_OK) {
            return rc;
        }

        if (terms != NULL) {
            terms[(*n)++] = term;
        } else {
            hie_term_set_add(t->set, term);
        }
    }

    return HIE_OK;
}


/* A value of a search parameter as it stands (R4 section 3.1.1.4.0.1). */
static hie_str_t
url_query(hie_str_t url, apr_pool_t *pool)
{
    size_t     i;
    hie_buf_t  plain, query;

    hie_buf_init(&plain, pool, url.len + 8);
    for (i = 0; i < url.len; i++) {
        if (memchr("\\,$|", url.ptr[i], 4) != NULL) {
            hie_buf_addc(&plain, '\\');
        }

        hie_buf_addc(&plain, url.ptr[i]);
    }

    hie_buf_init(&query, pool, url.len + 16);
    hie_buf_addz(&query, "url=");
    hie_url_encode(&query, hie_buf_str(&plain));
    return hie_buf_str(&query);
}


static hie_rc_t
find(void *baton, hie_term_kind_t kind, hie_str_t url, hie_str_t version,
     const hie_term_t **out, hie_error_t *err)
{
    hie_rc_t                  rc;
    terms_t                  *t;
    const hie_term_source_t  *source;

    t = baton;
    *out = NULL;
    source = hie_term_set_source(t->set);
    if (kind != HIE_TERM_SYSTEM_OF) {
        /* what may not be read is not known */
        if (url.len == 0 || !hie_types_has(t->types, hie_str(kinds[kind]))) {
            return HIE_NOT_FOUND;
        }

        rc = load(t, kinds[kind], url_query(url, t->job->pool), VERSIONS_MAX,
                  NULL, NULL, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    return source->find(source->baton, kind, url, version, out, err);
}


static hie_rc_t
maps(void *baton, const hie_term_t *const **out, size_t *n, hie_error_t *err)
{
    terms_t            *t;
    const hie_term_t  **all;

    t = baton;
    all = apr_palloc(t->job->pool, MAPS_MAX * sizeof(*all));
    *out = all;
    *n = 0;
    return load(t, "ConceptMap", HIE_STR(""), MAPS_MAX, all, n, err);
}


static hie_term_answer_t
grammar(void *baton, hie_str_t system, hie_str_t code)
{
    hie_ucum_unit_t  unit;

    if (!hie_str_eqz(system, "http://unitsofmeasure.org")) {
        return HIE_TERM_UNKNOWN;
    }

    return hie_ucum_parse(code, &unit, NULL) == HIE_OK ? HIE_TERM_IN
                                                       : HIE_TERM_OUT;
}


static hie_rc_t
find_instance(terms_t *t, const hie_term_t **out)
{
    hie_rc_t    rc;
    hie_row_t   row;
    hie_job_t  *job;

    job = t->job;
    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, &row,
                        &job->error);
    return rc == HIE_OK ? compile(t, &row, out, &job->error) : rc;
}


/*
 * Parameters.
 */

static bool
is_known(const terms_t *t, hie_str_t name)
{
    const char *const  *known;

    for (known = t->names; *known != NULL; known++) {
        if (hie_str_eqz(name, *known)) {
            return true;
        }
    }

    return false;
}


static hie_rc_t
take_param(void *baton, hie_str_t name, hie_str_t value)
{
    terms_t               *t;
    hie_term_parameter_t  *p;

    t = baton;
    if (!is_known(t, name)) {
        return HIE_NOT_FOUND;
    }

    p = apr_array_push(t->parameters);
    *p = (hie_term_parameter_t) { .name = name, .value = value };
    return HIE_OK;
}


/* A resource alone is the parameter that takes one (R4 section 3.2.0.1). */
static hie_rc_t
take_resource(terms_t *t, const hie_doc_t *d, hie_str_t type)
{
    static const char *const  names[][2] = {
        { "ValueSet", "valueSet" }, { "CodeSystem", "codeSystem" },
        { "ConceptMap", "conceptMap" }
    };

    size_t                 i;
    hie_term_parameter_t  *p;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (hie_str_eqz(type, names[i][0])
            && is_known(t, hie_str(names[i][1])))
        {
            p = apr_array_push(t->parameters);
            *p = (hie_term_parameter_t) { hie_str(names[i][1]),
                                          HIE_STR_NONE, d, 0 };
            return HIE_OK;
        }
    }

    return hie_fail(&t->job->error, HIE_INVALID, "",
                    "the parameters of an operation are sent as a Parameters "
                    "resource");
}


static hie_rc_t
take_body(terms_t *t)
{
    size_t                       i, n;
    hie_rc_t                     rc;
    hie_doc_t                   *d;
    hie_str_t                    type;
    const hie_term_parameter_t  *p;

    rc = hie_operation_body(t->job, &d, &type);
    if (rc != HIE_OK || d == NULL) {
        return rc;
    }

    if (!hie_str_eqz(type, "Parameters")) {
        return take_resource(t, d, type);
    }

    rc = hie_term_parameters(t->job->pool, d, 0, &p, &n, &t->job->error);
    for (i = 0; rc == HIE_OK && i < n; i++) {
        if (is_known(t, p[i].name)) {
            APR_ARRAY_PUSH(t->parameters, hie_term_parameter_t) = p[i];

        } else if (!hie_request_lenient(t->job)) {
            rc = hie_fail(&t->job->error, HIE_INVALID, "",
                          "parameter \"%.*s\" is not served here",
                          HIE_PRISTR(p[i].name));
        }
    }

    return rc;
}


static hie_rc_t
take_parameters(terms_t *t)
{
    hie_rc_t   rc;
    hie_str_t  used;

    rc = hie_query_walk(t->job, t->job->request.query, take_param, t, &used);
    return rc == HIE_OK ? take_body(t) : rc;
}


/*
 * Serving.
 */

static hie_rc_t
prepare(terms_t *t, hie_job_t *job, const char *const *names,
        const hie_term_t **instance)
{
    hie_rc_t  rc;

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc != HIE_OK) {
        return rc;
    }

    t->job = job;
    t->names = names;
    t->set = hie_term_set_create(job->pool, NULL);
    t->rows = apr_array_make(job->pool, 4, sizeof(hie_row_t));
    t->parameters = apr_array_make(job->pool, 8,
                                   sizeof(hie_term_parameter_t));
    t->types = apr_palloc(job->pool, sizeof(*t->types));
    hie_types_permitted(job, HIE_MAY_READ, t->types);
    rc = take_parameters(t);
    *instance = NULL;
    return rc == HIE_OK && job->todo.id.len > 0 ? find_instance(t, instance)
                                                : rc;
}


/* A refusal by the room has the issue type that belongs to it; what failed
 * below it is answered like any other failure. */
static bool
is_refusal(hie_rc_t rc)
{
    return rc == HIE_INVALID || rc == HIE_NOT_FOUND
           || rc == HIE_UNPROCESSABLE || rc == HIE_TOO_COSTLY;
}


static hie_rc_t
serve(hie_job_t *job, hie_term_operation_fn *operation,
      const char *const *names)
{
    terms_t             t;
    hie_rc_t            rc;
    hie_str_t           body;
    hie_term_request_t  r;
    hie_term_source_t   source;

    memset(&r, 0, sizeof(r));
    rc = prepare(&t, job, names, &r.instance);
    if (rc != HIE_OK) {
        return rc;
    }

    source = (hie_term_source_t) { find, maps, grammar, &t };
    if (!hie_types_has(t.types, HIE_STR("ConceptMap"))) {
        source.maps = NULL;
    }

    r.pool = job->pool;
    r.source = &source;
    r.parameters = (const hie_term_parameter_t *) t.parameters->elts;
    r.n_parameters = (size_t) t.parameters->nelts;
    r.now = apr_time_now();
    rc = operation(&r, &body, &job->error);
    if (rc != HIE_OK && !is_refusal(rc)) {
        return rc;
    }

    hie_audit_rows(job, (const hie_row_t *) t.rows->elts, t.rows->nelts);
    hie_respond(job, hie_rc_status(rc), body);
    return HIE_OK;
}


#define COMMON   "displayLanguage", "useSupplement", "tx-resource",          \
                 "system-version", "check-system-version",                   \
                 "force-system-version", "date"
#define ONE_CODE "code", "coding", "codeableConcept", "display"


hie_rc_t
hie_do_expand(hie_job_t *job)
{
    static const char *const  names[] = {
        COMMON, "url", "valueSet", "valueSetVersion", "context",
        "contextDirection", "filter", "offset", "count",
        "includeDesignations", "designation", "includeDefinition",
        "activeOnly", "excludeNested", "excludeNotForUI",
        "excludePostCoordinated", "exclude-system", NULL
    };

    return serve(job, hie_term_expand, names);
}


hie_rc_t
hie_do_validate_code(hie_job_t *job)
{
    static const char *const  in_set[] = {
        COMMON, ONE_CODE, "url", "valueSet", "valueSetVersion", "context",
        "system", "systemVersion", "abstract", NULL
    };
    static const char *const  in_system[] = {
        COMMON, ONE_CODE, "url", "codeSystem", "version", "abstract", NULL
    };

    return hie_str_eqz(job->todo.type, "ValueSet")
           ? serve(job, hie_term_validate_value_set, in_set)
           : serve(job, hie_term_validate_system, in_system);
}


hie_rc_t
hie_do_lookup(hie_job_t *job)
{
    static const char *const  names[] = {
        COMMON, "code", "system", "version", "coding", "property", NULL
    };

    return serve(job, hie_term_lookup, names);
}


hie_rc_t
hie_do_subsumes(hie_job_t *job)
{
    static const char *const  names[] = {
        COMMON, "codeA", "codeB", "system", "version", "codingA", "codingB",
        NULL
    };

    return serve(job, hie_term_subsumes, names);
}


hie_rc_t
hie_do_translate(hie_job_t *job)
{
    static const char *const  names[] = {
        COMMON, "url", "conceptMap", "conceptMapVersion", "code", "system",
        "version", "source", "coding", "codeableConcept", "target",
        "targetsystem", "dependency", "reverse", NULL
    };

    return serve(job, hie_term_translate, names);
}
