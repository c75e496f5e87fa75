/*
 * create and update (FHIR R4 sections 3.1.0.8 and 3.1.0.4).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

/* Lost against another writer this often: then the client hears of it. */
#define TRIES  4


hie_rc_t
hie_write_prepare(const hie_doc_t *d, hie_str_t type, hie_str_t id,
                  int64_t version, apr_time_t now, hie_str_t base_url,
                  apr_pool_t *pool, hie_put_t *put, hie_error_t *err)
{
    hie_rc_t            rc;
    hie_index_t        *index;
    hie_consent_row_t  *consents;

    memset(put, 0, sizeof(*put));
    put->type = type;
    put->id = id;
    put->version = version;
    put->updated = now;

    rc = hie_fhir_stamp(d, hie_str_z(pool, id), version, now, pool,
                        &put->body, err);
    if (rc != HIE_OK) {
        return rc;
    }

    index = apr_palloc(pool, sizeof(*index));
    rc = hie_fhir_index(d, type, id, base_url, pool, index, err);
    if (rc != HIE_OK) {
        return rc;
    }

    put->index = index;
    if (hie_str_eqz(type, "Binary")) {
        return hie_binary_context(d, base_url, pool, put, err);
    }

    if (!hie_str_eqz(type, "Consent")) {
        return HIE_OK;
    }

    rc = hie_consent_rows(d, base_url, pool, &consents, &put->n_consents,
                          err);
    put->consents = consents;
    return rc;
}


/* The body as a document of the type that the URL names. */
static hie_rc_t
parse_body(hie_job_t *job, hie_doc_t **d)
{
    hie_rc_t   rc;
    hie_str_t  body, type;

    rc = hie_binary_is_raw(job) ? hie_binary_document(job, &body)
                                : hie_request_body(job, &body);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_doc_parse(job->pool, body, job->rt->config->fhir.max_depth, d,
                       &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_fhir_check(*d, job->pool, &type, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_str_eq(type, job->todo.type)) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "the body is a %.*s, the URL says %.*s",
                        HIE_PRISTR(type), HIE_PRISTR(job->todo.type));
    }

    return HIE_OK;
}


/* What is sent back, by Prefer (R4 section 3.1.0.1.4). */
static void
respond_written(hie_job_t *job, int status, const hie_put_t *put)
{
    char       *location;
    hie_str_t   prefer, one, body;

    body = put->body;
    prefer = hie_request_header(&job->request, "Prefer");
    while (prefer.ptr != NULL) {
        one = hie_str_trim(hie_str_split(prefer, ',', &prefer));
        if (hie_str_eqz(one, "return=minimal")) {
            body = HIE_STR_NONE;
        }
    }

    hie_respond(job, status, body);
    location = apr_psprintf(job->pool, "%.*s/%.*s/%.*s/_history/%"
                            APR_INT64_T_FMT, HIE_PRISTR(job->base_url),
                            HIE_PRISTR(put->type), HIE_PRISTR(put->id),
                            (apr_int64_t) put->version);
    hie_respond_header(job, status == 201 ? "Location" : "Content-Location",
                       hie_str(location));
    hie_respond_version(job, put->version, put->updated);

    job->audit.resource_id = put->id;
    job->audit.n_patients = put->index->n_patients;
    job->audit.patients = put->index->patients;
    job->audit.n_resources = 1;
}


static hie_rc_t
create_once(hie_job_t *job, const hie_put_t *put)
{
    hie_rc_t         rc;
    hie_store_tx_t  *tx;

    rc = hie_store_begin(job->rt->store, job->pool, &tx, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_put(tx, put, 1, &job->error);
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }

    return hie_store_commit(tx, &job->error);
}


/*
 * A conditional create is a transaction Bundle of one entry: the search and
 * the write stand under one lock there.
 */
static hie_rc_t
create_conditional(hie_job_t *job, const hie_doc_t *d, hie_str_t condition)
{
    hie_buf_t  b;

    hie_buf_init(&b, job->pool, hie_doc_bytes(d).len + 512);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
                 "\"entry\":[{\"resource\":");
    hie_buf_adds(&b, hie_doc_bytes(d));
    hie_buf_addz(&b, ",\"request\":{\"method\":\"POST\",\"url\":");
    hie_buf_add_json(&b, job->todo.type);
    hie_buf_addz(&b, ",\"ifNoneExist\":");
    hie_buf_add_json(&b, condition);
    hie_buf_addz(&b, "}}]}");

    return hie_do_create_one(job, hie_buf_str(&b));
}


hie_rc_t
hie_do_create(hie_job_t *job)
{
    char        id[HIE_ULID_LEN + 1];
    hie_rc_t    rc;
    hie_str_t   condition;
    hie_put_t   put;
    hie_doc_t  *d;

    rc = parse_body(job, &d);
    if (rc != HIE_OK) {
        return rc;
    }

    condition = hie_request_header(&job->request, "If-None-Exist");
    if (condition.ptr != NULL) {
        return create_conditional(job, d, condition);
    }

    hie_ulid(id);
    rc = hie_write_prepare(d, job->todo.type,
                           hie_str_dup(job->pool, hie_str(id)), 1,
                           apr_time_now(), job->base_url, job->pool, &put,
                           &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    put.content = job->has_content ? &job->content : NULL;
    rc = create_once(job, &put);
    if (rc == HIE_OK) {
        respond_written(job, 201, &put);
    }

    return rc;
}


/* R4 section 3.1.0.4: the id of the body must be that of the URL. */
static hie_rc_t
check_id(hie_job_t *job, const hie_doc_t *d)
{
    hie_str_t  id;

    id = hie_doc_get(d, 0, "id", job->pool);
    if (hie_str_eq(id, job->todo.id)) {
        return HIE_OK;
    }

    return hie_fail(&job->error, HIE_INVALID,
                    apr_psprintf(job->pool, "%.*s.id",
                                 HIE_PRISTR(job->todo.type)),
                    "the resource's id must be that of the URL");
}


/* If-Match: a weak ETag of the version that the client has seen. */
static hie_rc_t
check_match(hie_job_t *job, bool exists, const hie_row_t *row)
{
    char       etag[32];
    hie_str_t  match, one;

    match = hie_request_header(&job->request, "If-Match");
    if (match.ptr == NULL) {
        return HIE_OK;
    }

    apr_snprintf(etag, sizeof(etag), "\"%" APR_INT64_T_FMT "\"",
                 exists ? (apr_int64_t) row->version : 0);

    while (exists && match.ptr != NULL) {
        one = hie_str_trim(hie_str_split(match, ',', &match));
        if (hie_str_starts(one, "W/")) {
            one.ptr += 2;
            one.len -= 2;
        }

        if (hie_str_eqz(one, etag) || hie_str_eqz(one, "*")) {
            return HIE_OK;
        }
    }

    return hie_fail(&job->error, HIE_PRECONDITION, "",
                    "the version that If-Match names is not the current one");
}


static hie_rc_t
update_in(hie_job_t *job, hie_store_tx_t *tx, const hie_doc_t *d,
          hie_put_t *put)
{
    bool       visible, exists;
    hie_rc_t   rc;
    hie_row_t  row;

    rc = hie_store_current(tx, &job->decision->visible, job->todo.type,
                           job->todo.id, &row, &visible, &job->error);
    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        return rc;
    }

    exists = (rc == HIE_OK);
    if (exists && !visible) {
        /* It can neither be replaced nor made: what is withheld stays as it
         * is, and the record says that somebody tried. */
        job->audit.decision = HIE_STR("deny");
        job->audit.n_patients = row.n_patients;
        job->audit.patients = row.patients;
    }

    if ((exists && !visible)
        || (!exists && !job->rt->config->fhir.update_create))
    {
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "%.*s/%.*s is not known", HIE_PRISTR(job->todo.type),
                        HIE_PRISTR(job->todo.id));
    }

    rc = check_match(job, exists, &row);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_write_prepare(d, job->todo.type, job->todo.id,
                           exists ? row.version + 1 : 1, apr_time_now(),
                           job->base_url, job->pool, put, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    put->content = job->has_content ? &job->content : NULL;
    return hie_store_put(tx, put, 1, &job->error);
}


hie_rc_t
hie_do_update(hie_job_t *job)
{
    int              i;
    hie_rc_t         rc;
    hie_put_t        put;
    hie_doc_t       *d;
    hie_store_tx_t  *tx;

    rc = parse_body(job, &d);
    if (rc == HIE_OK) {
        rc = check_id(job, d);
    }

    for (i = 0; rc == HIE_OK; i++) {
        rc = hie_store_begin(job->rt->store, job->pool, &tx, &job->error);
        if (rc != HIE_OK) {
            return rc;
        }

        rc = update_in(job, tx, d, &put);
        if (rc == HIE_OK) {
            rc = hie_store_commit(tx, &job->error);
        } else {
            hie_store_rollback(tx);
        }

        if (rc == HIE_OK) {
            respond_written(job, put.version == 1 ? 201 : 200, &put);
            return HIE_OK;
        }

        if (rc == HIE_CONFLICT && i + 1 < TRIES) {
            rc = HIE_OK;         /* somebody was faster: see what is there */
        }
    }

    return rc;
}
