/*
 * $meta (FHIR R4, OperationDefinition Resource-meta): of a resource its meta,
 * of a type and of the system the labels that are in use, among what the
 * requester sees.
 */

#include <string.h>

#include "exchange/operation.h"


static hie_rc_t
no_param(void *baton, hie_str_t name, hie_str_t value)
{
    return HIE_NOT_FOUND;
}


static void
respond_meta(hie_job_t *job, hie_str_t meta)
{
    hie_buf_t  b;

    hie_buf_init(&b, job->pool, meta.len + 128);
    hie_buf_addz(&b, "{\"resourceType\":\"Parameters\",\"parameter\":"
                 "[{\"name\":\"return\",\"valueMeta\":");
    hie_buf_adds(&b, meta);
    hie_buf_addz(&b, "}]}");
    hie_respond(job, 200, hie_buf_str(&b));
}


static hie_rc_t
meta_of_instance(hie_job_t *job)
{
    hie_rc_t    rc;
    hie_row_t   row;
    hie_doc_t  *d;

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, &row,
                        &job->error);
    if (rc == HIE_NOT_FOUND) {
        return hie_do_read_answer(job, rc, &row);
    }

    if (rc == HIE_OK) {
        rc = hie_doc_parse(job->pool, row.body,
                           job->rt->config->fhir.max_depth, &d, &job->error);
    }

    if (rc == HIE_OK) {
        hie_audit_rows(job, &row, 1);
        respond_meta(job, hie_doc_raw(d, hie_doc_member(d, 0, "meta")));
    }

    return rc;
}


static void
add_labels(hie_buf_t *b, const hie_used_label_t *labels, int n,
           hie_label_kind_t kind, const char *name)
{
    int   i;
    bool  any;

    for (i = 0, any = false; i < n; i++) {
        if (labels[i].kind != kind) {
            continue;
        }

        if (any) {
            hie_buf_addc(b, ',');
        } else {
            hie_buf_addf(b, "%s\"%s\":[", b->len > 1 ? "," : "", name);
        }

        hie_buf_adds(b, labels[i].json);
        any = true;
    }

    if (any) {
        hie_buf_addc(b, ']');
    }
}


static hie_rc_t
meta_of_types(hie_job_t *job, const hie_types_t *types)
{
    int                n;
    hie_rc_t           rc;
    hie_buf_t          b;
    hie_used_label_t  *labels;

    rc = hie_store_labels(job->rt->store, &job->decision->visible,
                          types->names, types->n, job->pool, &labels, &n,
                          &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, job->pool, 1024);
    hie_buf_addc(&b, '{');
    add_labels(&b, labels, n, HIE_LABEL_PROFILE, "profile");
    add_labels(&b, labels, n, HIE_LABEL_SECURITY, "security");
    add_labels(&b, labels, n, HIE_LABEL_TAG, "tag");
    hie_buf_addc(&b, '}');
    respond_meta(job, hie_buf_str(&b));
    return HIE_OK;
}


hie_rc_t
hie_do_meta(hie_job_t *job)
{
    hie_rc_t      rc;
    hie_str_t     query, used;
    hie_types_t  *types;

    rc = hie_operation_query(job, &query);
    if (rc == HIE_OK) {
        rc = hie_query_walk(job, query, no_param, NULL, &used);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (job->todo.id.len > 0) {
        return meta_of_instance(job);
    }

    types = apr_palloc(job->pool, sizeof(*types));
    hie_types_permitted(job, HIE_MAY_READ | HIE_MAY_SEARCH, types);
    if (job->todo.type.len > 0) {
        if (!hie_types_has(types, job->todo.type)) {
            types->n = 0;
        } else {
            types->n = 1;
            types->names[0] = job->todo.type;
        }
    }

    if (types->n == 0) {
        return hie_fail(&job->error, HIE_FORBIDDEN, "",
                        "the token's scopes do not include this interaction");
    }

    return meta_of_types(job, types);
}
