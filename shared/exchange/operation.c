/*
 * Operations (FHIR R4 section 3.2.0): which there are and where, and their
 * parameters.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/operation.h"

static const hie_operation_t  operations[] = {
    { "everything", HIE_AT_TYPE | HIE_AT_INSTANCE, "Patient", false,
      HIE_ANSWERS_PAGE,
      "http://hl7.org/fhir/OperationDefinition/Patient-everything",
      hie_do_everything },
    { "everything", HIE_AT_INSTANCE, "Encounter", false,
      HIE_ANSWERS_PAGE,
      "http://hl7.org/fhir/OperationDefinition/Encounter-everything",
      hie_do_everything },
    { "meta", HIE_AT_SYSTEM | HIE_AT_TYPE | HIE_AT_INSTANCE, NULL, false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/Resource-meta", hie_do_meta },
    { "meta-add", HIE_AT_INSTANCE, NULL, true,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
      hie_do_meta_add },
    { "meta-delete", HIE_AT_INSTANCE, NULL, true,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
      hie_do_meta_delete },
    { "validate", HIE_AT_TYPE | HIE_AT_INSTANCE, NULL, false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/Resource-validate",
      hie_do_validate },
    { "expand", HIE_AT_TYPE | HIE_AT_INSTANCE, "ValueSet", false,
      HIE_ANSWERS_RESOURCE,
      "http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
      hie_do_expand },
    { "lookup", HIE_AT_TYPE, "CodeSystem", false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
      hie_do_lookup },
    { "subsumes", HIE_AT_TYPE | HIE_AT_INSTANCE, "CodeSystem", false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
      hie_do_subsumes },
    { "translate", HIE_AT_TYPE | HIE_AT_INSTANCE, "ConceptMap", false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
      hie_do_translate },
    { "validate-code", HIE_AT_TYPE | HIE_AT_INSTANCE, "CodeSystem", false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
      hie_do_validate_code },
    { "validate-code", HIE_AT_TYPE | HIE_AT_INSTANCE, "ValueSet", false,
      HIE_ANSWERS_OTHER,
      "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
      hie_do_validate_code },
};

#define N_OPERATIONS  (sizeof(operations) / sizeof(operations[0]))


const hie_operation_t *
hie_operations(size_t i)
{
    return i < N_OPERATIONS ? &operations[i] : NULL;
}


static unsigned
level_of(const hie_interaction_t *todo)
{
    if (todo->type.len == 0) {
        return HIE_AT_SYSTEM;
    }

    return todo->id.len == 0 ? HIE_AT_TYPE : HIE_AT_INSTANCE;
}


const hie_operation_t *
hie_operation_find(const hie_interaction_t *todo)
{
    size_t                  i;
    hie_str_t               name;
    const hie_operation_t  *o;

    name = todo->operation;
    if (name.len < 2 || name.ptr[0] != '$') {
        return NULL;
    }

    name.ptr++;
    name.len--;
    for (i = 0; i < N_OPERATIONS; i++) {
        o = &operations[i];
        if (hie_str_eqz(name, o->name)
            && (o->levels & level_of(todo)) != 0
            && (o->type == NULL || level_of(todo) == HIE_AT_SYSTEM
                || hie_str_eqz(todo->type, o->type)))
        {
            return o;
        }
    }

    return NULL;
}


hie_rc_t
hie_do_operation(hie_job_t *job)
{
    const hie_operation_t  *o;

    o = hie_operation_find(&job->todo);
    if (o == NULL) {
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "there is no such operation here");
    }

    return o->serve(job);
}


/*
 * Parameters.
 */

hie_rc_t
hie_operation_body(hie_job_t *job, hie_doc_t **out, hie_str_t *type)
{
    hie_rc_t   rc;
    hie_str_t  body;

    *out = NULL;
    *type = HIE_STR_NONE;
    if (!hie_str_eqz(job->request.method, "POST")) {
        return HIE_OK;
    }

    rc = hie_request_body(job, &body);
    if (rc != HIE_OK || body.len == 0) {
        return rc;
    }

    rc = hie_doc_parse(job->pool, body, job->rt->config->fhir.max_depth, out,
                       &job->error);
    return rc == HIE_OK ? hie_fhir_check(*out, job->pool, type, &job->error)
                        : rc;
}


hie_str_t
hie_operation_value(const hie_doc_t *d, hie_node_t parameter,
                    apr_pool_t *pool)
{
    hie_node_t  n;

    for (n = hie_doc_first(d, parameter);
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        if (!hie_str_starts(hie_doc_name(d, n, pool), "value")) {
            continue;
        }

        switch (hie_doc_kind(d, n)) {
        case HIE_NODE_STRING:
            return hie_doc_string(d, n, pool);

        case HIE_NODE_NUMBER:
        case HIE_NODE_TRUE:
        case HIE_NODE_FALSE:
            return hie_doc_raw(d, n);

        default:
            return HIE_STR_NONE;
        }
    }

    return HIE_STR_NONE;
}


/* The parameters of the body as those of a URL would be, since the links to
 * further pages are URLs. */
hie_rc_t
hie_operation_query(hie_job_t *job, hie_str_t *query)
{
    hie_rc_t     rc;
    hie_buf_t    b;
    hie_doc_t   *d;
    hie_str_t    type, value;
    hie_node_t   n;

    *query = job->request.query;
    rc = hie_operation_body(job, &d, &type);
    if (rc != HIE_OK || d == NULL) {
        return rc;
    }

    if (!hie_str_eqz(type, "Parameters")) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "the parameters of an operation are sent as a "
                        "Parameters resource");
    }

    hie_buf_init(&b, job->pool, 256);
    hie_buf_adds(&b, *query);
    for (n = hie_doc_first(d, hie_doc_member(d, 0, "parameter"));
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        value = hie_operation_value(d, n, job->pool);
        if (value.ptr == NULL) {
            return hie_fail(&job->error, HIE_INVALID, "Parameters.parameter",
                            "expected a value of a primitive type");
        }

        if (b.len > 0) {
            hie_buf_addc(&b, '&');
        }

        hie_url_encode(&b, hie_doc_get(d, n, "name", job->pool));
        hie_buf_addc(&b, '=');
        hie_url_encode(&b, value);
    }

    *query = hie_buf_str(&b);
    return hie_request_part(job, *query);
}
