/*
 * Gateway: the same decision in front of a foreign FHIR server.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"


/* What the query policy found, in the terms of the record. */
static void
describe(hie_job_t *job)
{
    hie_str_t  rest;

    job->todo.type = job->gate_type;
    job->todo.query = job->request.query;
    switch (job->gate) {
    case HIE_GATE_METADATA:
        job->todo.what = HIE_DO_METADATA;
        break;

    case HIE_GATE_READ:
        job->todo.what = HIE_DO_READ;
        rest = job->request.path;
        hie_str_split((hie_str_t) { rest.ptr + 1, rest.len - 1 }, '/', &rest);
        job->todo.id = hie_str_split(rest, '/', &rest);
        break;

    case HIE_GATE_SEARCH:
        job->todo.what = HIE_DO_SEARCH;
        break;
    }
}


static hie_rc_t
authorize(hie_job_t *job)
{
    hie_rc_t             rc;
    hie_principal_t     *p;
    const hie_config_t  *conf;

    conf = job->rt->config;
    job->todo.allow = HIE_STR("GET, HEAD");
    rc = hie_request_authenticate(job);
    if (rc != HIE_OK) {
        return rc;
    }

    job->todo.allow = HIE_STR("GET, HEAD");
    rc = hie_consent_gate(job->request.method, job->request.path,
                          job->request.query, job->pool, &job->gate,
                          &job->gate_type, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    describe(job);
    p = job->principal;
    job->decision = hie_consent_decide(conf, p->administrator,
                                       p->organizations, p->n_organizations,
                                       job->pool);
    if (job->gate == HIE_GATE_METADATA) {
        return HIE_OK;
    }

    rc = hie_request_permit(job, job->gate == HIE_GATE_SEARCH
                                 ? HIE_MAY_SEARCH : HIE_MAY_READ,
                            job->gate_type);
    if (rc != HIE_OK) {
        return rc;
    }

    return hie_consent_load(job->rt->store, job->decision, job->pool,
                            &job->error);
}


hie_rc_t
hie_job_authorize(hie_job_t *job)
{
    hie_rc_t     rc, audited;
    hie_error_t  err;

    hie_request_base_url(job);
    if (hie_cors_preflight(job)) {
        return HIE_METHOD;       /* not for the protected server */
    }

    hie_store_deadline(job->rt->config->fhir.timeout);
    rc = authorize(job);
    hie_store_deadline(0);
    if (rc != HIE_OK) {
        job->audit.decision = rc == HIE_UNAUTHENTICATED ? HIE_STR("none")
                                                        : HIE_STR("deny");
        hie_respond_error(job, &job->error);
    }

    audited = hie_job_audit(job, &err);
    if (audited == HIE_OK) {
        audited = hie_journal_wait(job->rt->audit, job->seq, &err);
    }

    if (audited != HIE_OK) {
        job->error = err;
        hie_respond_error(job, &err);
        return audited;
    }

    return rc;
}


/* The protected server's own errors may quote what it holds: only their kind
 * is passed on. */
static hie_rc_t
kind_of(hie_job_t *job, int status)
{
    switch (status) {
    case 404:
    case 410:
        return hie_fail(&job->error, HIE_NOT_FOUND, "",
                        "there is no such resource");

    case 400:
    case 422:
        return hie_fail(&job->error, HIE_INVALID, "",
                        "the server behind this gateway does not take the "
                        "request");

    case 429:
    case 503:
        return hie_fail(&job->error, HIE_BUSY, "",
                        "the server behind this gateway has no capacity now");

    default:
        return hie_fail(&job->error, HIE_BAD_GATEWAY, "",
                        "the server behind this gateway gave no usable "
                        "answer");
    }
}


/* What the PENDING record could not know: it is on disk before the request is
 * passed on. */
static void
audit_judgement(hie_job_t *job, const hie_redaction_t *r)
{
    job->audit.judged = true;
    job->audit.n_withheld = r->n_withheld;
    job->audit.n_disclosed = r->n_resources;
    job->audit.disclosed_patients = r->patients;
    job->audit.n_disclosed_patients = r->n_patients;
}


static hie_rc_t
judge(hie_job_t *job, int status, hie_str_t content_type, bool encoded,
      hie_str_t body, hie_str_t *out)
{
    hie_rc_t         rc;
    hie_str_t        media, params, self;
    hie_redaction_t  r;

    if (status != 200) {
        rc = kind_of(job, status);
        if (rc == HIE_NOT_FOUND) {
            /* The record tells what is absent from what is withheld. */
            memset(&r, 0, sizeof(r));
            audit_judgement(job, &r);
        }

        return rc;
    }

    media = hie_str_trim(hie_str_split(content_type, ';', &params));
    if (encoded || (!hie_str_ieqz(media, "application/fhir+json")
                    && !hie_str_ieqz(media, "application/json")))
    {
        return kind_of(job, 502);
    }

    if (job->gate == HIE_GATE_METADATA) {
        *out = body;
        return HIE_OK;
    }

    self = hie_str(apr_psprintf(job->pool, "%.*s%.*s%s%.*s",
                                HIE_PRISTR(job->base_url),
                                HIE_PRISTR(job->request.path),
                                job->request.query.len > 0 ? "?" : "",
                                HIE_PRISTR(job->request.query)));

    rc = hie_consent_redact(job->decision, job->gate, job->gate_type, body,
                            self, job->rt->config->fhir.max_depth, job->pool,
                            &r, &job->error);
    if (rc == HIE_OK || rc == HIE_NOT_FOUND) {
        audit_judgement(job, &r);
    }

    *out = r.body;
    return rc;
}


void
hie_job_redact(hie_job_t *job, int status, hie_str_t content_type,
               bool encoded, hie_str_t body)
{
    hie_rc_t   rc;
    hie_str_t  out;

    out = HIE_STR_NONE;
    rc = judge(job, status, content_type, encoded, body, &out);
    if (rc == HIE_OK) {
        hie_respond(job, 200, out);
        return;
    }

    if (rc == HIE_NOT_FOUND) {
        /* Withheld and absent are one answer. */
        kind_of(job, 404);
    }

    hie_respond_error(job, &job->error);
}


void
hie_job_refuse(hie_job_t *job, const char *detail)
{
    hie_log(HIE_LOG_WARN, "HIE5003", "a response of the protected server "
            "is not passed on: %s", detail);
    kind_of(job, 502);
    hie_respond_error(job, &job->error);
}
