/*
 * read and vread (FHIR R4 sections 3.1.0.2 and 3.1.0.3).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"


static void
audit_row(hie_job_t *job, const hie_row_t *row)
{
    job->audit.n_patients = row->n_patients;
    job->audit.patients = row->patients;
    job->audit.n_resources = 1;
}


/*
 * The requester learns the same whether there is nothing or it is withheld;
 * the record of what was asked tells them apart. It is looked up on every
 * failure, so that the time tells nothing either.
 */
static hie_rc_t
audit_withheld(hie_job_t *job, hie_error_t *err)
{
    hie_rc_t       rc;
    hie_row_t      row;
    hie_visible_t  all;

    if (job->decision->custodian) {
        return HIE_OK;
    }

    memset(&all, 0, sizeof(all));
    all.all = true;
    rc = hie_store_read(job->rt->store, &all, job->todo.type, job->todo.id,
                        job->todo.version, job->pool, &row, err);
    if (rc == HIE_OK || rc == HIE_GONE) {
        job->audit.decision = HIE_STR("deny");
        audit_row(job, &row);
        return HIE_OK;
    }

    return rc == HIE_NOT_FOUND ? HIE_OK : rc;
}


/* RFC 9110 section 13.1.2; the comparison is weak. */
static bool
is_among(hie_str_t etags, int64_t version)
{
    char       etag[32];
    hie_str_t  one;

    apr_snprintf(etag, sizeof(etag), "\"%" APR_INT64_T_FMT "\"",
                 (apr_int64_t) version);

    while (etags.ptr != NULL) {
        one = hie_str_trim(hie_str_split(etags, ',', &etags));
        if (hie_str_starts(one, "W/")) {
            one.ptr += 2;
            one.len -= 2;
        }

        if (hie_str_eqz(one, etag) || hie_str_eqz(one, "*")) {
            return true;
        }
    }

    return false;
}


/* RFC 9110 section 13.2.2: a date counts only without an entity tag, and it
 * has no more than seconds. */
static bool
not_modified(hie_job_t *job, const hie_row_t *row)
{
    hie_str_t   header;
    apr_time_t  since;

    header = hie_request_header(&job->request, "If-None-Match");
    if (header.ptr != NULL) {
        return is_among(header, row->version);
    }

    header = hie_request_header(&job->request, "If-Modified-Since");
    return header.ptr != NULL && hie_time_http_parse(header, &since)
           && row->updated < since + APR_USEC_PER_SEC;
}


hie_rc_t
hie_do_read_answer(hie_job_t *job, hie_rc_t rc, const hie_row_t *row)
{
    if (rc == HIE_NOT_FOUND) {
        rc = audit_withheld(job, &job->error);
        if (rc != HIE_OK) {
            return rc;
        }

        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "%.*s/%.*s is not known", HIE_PRISTR(job->todo.type),
                        HIE_PRISTR(job->todo.id));
    }

    if (rc != HIE_OK) {
        return rc;
    }

    audit_row(job, row);
    if (not_modified(job, row)) {
        hie_respond(job, 304, HIE_STR_NONE);
    } else if (hie_binary_is_read(job)) {
        rc = hie_binary_answer(job, row);
        if (rc != HIE_OK) {
            return rc;
        }
    } else {
        hie_respond(job, 200, row->body);
    }

    hie_respond_version(job, row->version, row->updated);
    return HIE_OK;
}


hie_rc_t
hie_do_read(hie_job_t *job)
{
    hie_rc_t   rc;
    hie_row_t  row;

    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, job->todo.version,
                        job->pool, &row, &job->error);
    return hie_do_read_answer(job, rc, &row);
}


hie_rc_t
hie_read_exists(hie_job_t *job)
{
    hie_rc_t   rc;
    hie_row_t  row;

    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, &row,
                        &job->error);
    if (rc == HIE_GONE) {
        return HIE_OK;
    }

    return rc == HIE_NOT_FOUND ? hie_do_read_answer(job, rc, &row) : rc;
}


void
hie_do_read_many(hie_job_t **jobs, hie_rc_t *rcs, int n)
{
    int                i, m;
    hie_store_read_t  *reads;

    reads = apr_palloc(jobs[0]->pool, sizeof(*reads) * (size_t) n);
    for (i = 0, m = 0; i < n; i++) {
        if (rcs[i] == HIE_OK) {
            reads[m++] = (hie_store_read_t) {
                .visible = &jobs[i]->decision->visible,
                .type = jobs[i]->todo.type, .id = jobs[i]->todo.id,
                .pool = jobs[i]->pool, .err = &jobs[i]->error
            };
        }
    }

    hie_store_read_many(jobs[0]->rt->store, reads, m);

    for (i = 0, m = 0; i < n; i++) {
        if (rcs[i] == HIE_OK) {
            rcs[i] = hie_do_read_answer(jobs[i], reads[m].rc, &reads[m].row);
            m++;
        }
    }
}
