/*
 * The answer in the form that was asked for: parts of resources, white space,
 * XML. Everything before this speaks JSON.
 */

#include <limits.h>

#include <apr_strings.h>

#include "exchange/operation.h"
#include "xml/xml.h"


/* The header of a body that is FHIR, as hie_respond has made it; NULL: there
 * is none. */
static hie_header_t *
fhir_type(hie_response_t *r)
{
    int  i;

    if (r->body.len == 0 || r->ranges) {
        return NULL;
    }

    for (i = 0; i < r->n_headers; i++) {
        if (hie_str_ieqz(r->headers[i].name, "Content-Type")
            && hie_str_eqz(r->headers[i].value, HIE_FHIR_JSON))
        {
            return &r->headers[i];
        }
    }

    return NULL;
}


static hie_answers_t
operation_answers(const hie_interaction_t *todo)
{
    const hie_operation_t  *o = hie_operation_find(todo);

    return o != NULL ? o->answers : HIE_ANSWERS_OTHER;
}


/* What becomes a part: the resource itself, or those of a Bundle that the
 * server has made. */
static hie_answers_t
answers(const hie_interaction_t *todo)
{
    switch (todo->what) {
    case HIE_DO_METADATA:
    case HIE_DO_READ:
    case HIE_DO_VREAD:
    case HIE_DO_CREATE:
    case HIE_DO_UPDATE:
    case HIE_DO_UPDATE_IF:
    case HIE_DO_PATCH:
    case HIE_DO_PATCH_IF:
        return HIE_ANSWERS_RESOURCE;

    case HIE_DO_HISTORY:
    case HIE_DO_HISTORY_TYPE:
    case HIE_DO_HISTORY_SYSTEM:
    case HIE_DO_SEARCH:
    case HIE_DO_SEARCH_SYSTEM:
    case HIE_DO_SEARCH_COMPARTMENT:
        return HIE_ANSWERS_PAGE;

    case HIE_DO_OPERATION:
        return operation_answers(todo);

    default:
        return HIE_ANSWERS_OTHER;
    }
}


/* R4 section 3.1.1.5.9: the list does not apply to included resources. */
static bool
is_subject(hie_job_t *job, const hie_doc_t *d, hie_node_t entry)
{
    hie_str_t  mode;

    mode = hie_doc_get(d, hie_doc_member(d, entry, "search"), "mode",
                       job->pool);
    if (hie_str_eqz(mode, "outcome")) {
        return false;
    }

    return job->media.subset.elements.ptr == NULL
           || !hie_str_eqz(mode, "include");
}


static void
take_part(hie_job_t *job, const hie_doc_t *d, hie_edit_t *e, hie_node_t n)
{
    if (n != HIE_NODE_NONE
        && !hie_str_eqz(hie_doc_get(d, n, "resourceType", job->pool),
                        "OperationOutcome"))
    {
        hie_fhir_subset(e, d, n, &job->media.subset, job->pool);
    }
}


static void
take_parts(hie_job_t *job, const hie_doc_t *d, hie_edit_t *e)
{
    hie_node_t  c;

    if (answers(&job->todo) == HIE_ANSWERS_RESOURCE) {
        take_part(job, d, e, 0);
        return;
    }

    for (c = hie_doc_first(d, hie_doc_member(d, 0, "entry"));
         c != HIE_NODE_NONE; c = hie_doc_next(d, c))
    {
        if (is_subject(job, d, c)) {
            take_part(job, d, e, hie_doc_member(d, c, "resource"));
        }
    }
}


static hie_rc_t
parse(hie_job_t *job, hie_doc_t **d)
{
    return hie_doc_parse(job->pool, job->response.body, INT_MAX, d,
                         &job->error);
}


hie_rc_t
hie_represent_part(hie_job_t *job)
{
    hie_rc_t              rc;
    hie_doc_t            *d;
    hie_edit_t           *e;
    const hie_subset_t   *s = &job->media.subset;

    if (job->response.status >= 300
        || (s->summary == 0 && s->elements.ptr == NULL)
        || answers(&job->todo) == HIE_ANSWERS_OTHER
        || fhir_type(&job->response) == NULL)
    {
        return HIE_OK;
    }

    rc = parse(job, &d);
    if (rc != HIE_OK) {
        return rc;
    }

    e = hie_edit_create(job->pool, d);
    take_parts(job, d, e);
    job->response.body = hie_edit_apply(e, job->pool);
    return HIE_OK;
}


static hie_rc_t
write_xml(hie_job_t *job)
{
    hie_rc_t      rc;
    hie_buf_t     b;
    hie_doc_t    *d;
    hie_error_t   err;

    rc = parse(job, &d);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, job->pool, hie_doc_bytes(d).len * 5 / 4 + 256);
    rc = hie_xml_from_json(d, 0, job->media.pretty ? HIE_XML_PRETTY : 0, &b,
                           &err);
    if (rc != HIE_OK) {
        return hie_fail(&job->error, HIE_NOT_ACCEPTABLE, err.where,
                        "this cannot be written as XML: %.300s", err.detail);
    }

    job->response.body = hie_buf_str(&b);
    return HIE_OK;
}


static hie_rc_t
represent(hie_job_t *job, const hie_media_t *m)
{
    hie_rc_t         rc;
    hie_header_t    *type;
    hie_response_t  *r = &job->response;

    type = fhir_type(r);
    if (type == NULL) {
        return HIE_OK;
    }

    rc = hie_represent_part(job);
    if (rc == HIE_OK && m->xml) {
        rc = write_xml(job);

    } else if (rc == HIE_OK && m->pretty) {
        r->body = hie_fhir_pretty(job->pool, r->body);
    }

    if (rc == HIE_OK) {
        type->value = hie_str(m->type);
    }

    return rc;
}


void
hie_represent(hie_job_t *job)
{
    const hie_media_t  *m = hie_request_answer(job);

    /* An error that XML does not have the characters for stays JSON. */
    if (represent(job, m) != HIE_OK && job->response.status < 400) {
        hie_respond_error(job, &job->error);
        (void) represent(job, m);
    }

    if (job->response.body.len > 0) {
        job->response.length = (int64_t) job->response.body.len;
    }

    if (job->todo.what != HIE_DO_OPTIONS) {
        hie_respond_header(job, "Vary", HIE_STR("Accept"));
    }
}
