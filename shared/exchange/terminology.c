/*
 * The operations of a terminology service (FHIR R4 sections 4.8.16, 4.9.18 and
 * 4.10.16): what the terminology room asks for is found in the store, among
 * what the requester sees and may read.
 */

#include <string.h>

#include <apr_tables.h>

#include "exchange/operation.h"
#include "exchange/terms.h"

typedef struct {
    hie_job_t           *job;
    hie_terms_t          terms;
    hie_types_t          types;      /* that may be read */
    apr_array_header_t  *parameters; /* hie_term_parameter_t */
    const char *const   *names;      /* of parameters; NULL ends them */
} operation_t;


static hie_rc_t
find_instance(operation_t *t, const hie_term_t **out)
{
    hie_rc_t    rc;
    hie_row_t   row;
    hie_job_t  *job;

    job = t->job;
    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, &row,
                        &job->error);
    return rc == HIE_OK ? hie_terms_compile(&t->terms, &row, out, &job->error)
                        : rc;
}


/*
 * Parameters.
 */

static bool
is_known(const operation_t *t, hie_str_t name)
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
    operation_t           *t;
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
take_resource(operation_t *t, const hie_doc_t *d, hie_str_t type)
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
take_body(operation_t *t)
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
take_parameters(operation_t *t)
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
prepare(operation_t *t, hie_job_t *job, const char *const *names,
        const hie_term_t **instance)
{
    hie_rc_t      rc;
    hie_asking_t  ask;

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc != HIE_OK) {
        return rc;
    }

    t->job = job;
    t->names = names;
    t->parameters = apr_array_make(job->pool, 8,
                                   sizeof(hie_term_parameter_t));
    ask = hie_asking(job);
    hie_types_permitted(job, HIE_MAY_READ, &t->types);
    hie_terms_init(&t->terms, &ask, &job->decision->visible, &t->types);
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
    operation_t         t;
    hie_rc_t            rc;
    hie_str_t           body;
    hie_term_request_t  r;

    memset(&r, 0, sizeof(r));
    rc = prepare(&t, job, names, &r.instance);
    if (rc != HIE_OK) {
        return rc;
    }

    r.pool = job->pool;
    r.source = &t.terms.source;
    r.parameters = (const hie_term_parameter_t *) t.parameters->elts;
    r.n_parameters = (size_t) t.parameters->nelts;
    r.now = apr_time_now();
    rc = operation(&r, &body, &job->error);
    if (rc != HIE_OK && !is_refusal(rc)) {
        return rc;
    }

    hie_audit_rows(job, (const hie_row_t *) t.terms.rows->elts,
                   t.terms.rows->nelts);
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
