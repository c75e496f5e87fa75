/*
 * Bundles to do: transaction (FHIR R4 section 3.1.0.11.2), all or nothing, and
 * the way to batch.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"

typedef struct {
    hie_job_t           *job;
    const hie_doc_t     *d;
    const hie_bundle_t  *bundle;
    hie_write_t         *writes;     /* in the order in which they are done */
    hie_write_t        **of;         /* by entry; NULL: a read */
    hie_job_t          **reads;      /* by entry */
    int                  n;
} transaction_t;


/*
 * Entries as writes.
 */

static bool
is_read(const hie_bundle_entry_t *e)
{
    return hie_str_eqz(e->method, "GET") || hie_str_eqz(e->method, "HEAD");
}


int
hie_entry_rank(const hie_bundle_entry_t *e)
{
    if (hie_str_eqz(e->method, "DELETE")) {
        return 0;
    }

    if (hie_str_eqz(e->method, "POST") || e->method.len == 0) {
        return 1;
    }

    return is_read(e) ? 3 : 2;
}


/* A patch is in a Binary, in base64, or is a Parameters (R4 section
 * 3.1.0.6). */
static hie_rc_t
set_patch(const hie_doc_t *d, const hie_bundle_entry_t *e, apr_pool_t *pool,
          hie_write_t *w, hie_error_t *err)
{
    hie_rc_t   rc;
    hie_str_t  type, media, data;

    type = hie_doc_get(d, e->resource, "resourceType", pool);
    media = HIE_STR("application/fhir+json");
    data = hie_doc_raw(d, e->resource);
    if (hie_str_eqz(type, "Binary")) {
        media = hie_doc_get(d, e->resource, "contentType", pool);
        if (!hie_write_base64(hie_doc_get(d, e->resource, "data", pool), pool,
                            &data))
        {
            return hie_fail(err, HIE_INVALID,
                            apr_pstrcat(pool, w->where, ".resource.data",
                                        NULL), "expected base64");
        }
    }

    rc = hie_write_patch(media, data, NULL, pool, w, err);
    if (rc != HIE_OK) {
        hie_fail(err, rc, apr_pstrcat(pool, w->where, ".resource", NULL),
                 "%s", apr_pstrdup(pool, err->detail));
    }

    return rc;
}


hie_rc_t
hie_write_entry(const hie_doc_t *d, const hie_bundle_t *bundle, int i,
                apr_pool_t *pool, hie_write_t *w, hie_error_t *err)
{
    const hie_bundle_entry_t  *e = &bundle->entries[i];

    memset(w, 0, sizeof(*w));
    w->where = apr_psprintf(pool, "Bundle.entry[%d]", i);
    w->type = e->type;
    w->id = e->id;
    w->full_url = e->full_url;

    switch (hie_entry_rank(e)) {
    case 0:
        w->kind = HIE_WRITE_DELETE;
        break;

    case 1:
        w->kind = HIE_WRITE_CREATE;
        w->condition = e->if_none_exist;
        break;

    default:
        w->kind = hie_str_eqz(e->method, "PATCH") ? HIE_WRITE_PATCH
                                                  : HIE_WRITE_UPDATE;
        w->if_none = hie_str_eqz(hie_str_trim(e->if_none_match), "*");
        break;
    }

    if (w->kind != HIE_WRITE_CREATE) {
        w->condition = e->query;
        w->if_match = e->if_match;
    }

    if (w->kind == HIE_WRITE_DELETE) {
        return HIE_OK;
    }

    if (e->resource == HIE_NODE_NONE) {
        return hie_fail(err, HIE_INVALID, w->where,
                        "expected a resource in this entry");
    }

    if (w->kind == HIE_WRITE_PATCH) {
        return set_patch(d, e, pool, w, err);
    }

    w->doc = hie_doc_sub(pool, d, e->resource);
    if (w->type.len == 0) {
        w->type = hie_doc_get(d, e->resource, "resourceType", pool);
    }

    return HIE_OK;
}


hie_rc_t
hie_write_bundle(const hie_doc_t *d, const hie_bundle_t *bundle,
                 apr_pool_t *pool, hie_write_t **writes, hie_error_t *err)
{
    int       i;
    hie_rc_t  rc = HIE_OK;

    *writes = apr_palloc(pool, sizeof(**writes) * (size_t) (bundle->n + 1));
    for (i = 0; rc == HIE_OK && i < bundle->n; i++) {
        if (is_read(&bundle->entries[i])) {
            return hie_fail(err, HIE_UNPROCESSABLE,
                            apr_psprintf(pool, "Bundle.entry[%d]"
                                         ".request.method", i),
                            "a read is not served here");
        }

        rc = hie_write_entry(d, bundle, i, pool, &(*writes)[i], err);
    }

    return rc;
}


/*
 * A transaction over HTTP.
 */

/* Every entry is an interaction of its own, and may be one that the
 * requester has no scope for. */
static hie_rc_t
permit(transaction_t *t, hie_write_t *w)
{
    hie_rc_t    rc;
    hie_job_t  *job = t->job;

    rc = hie_write_permit(job, w);
    if (rc != HIE_OK) {
        hie_fail(&job->error, rc, w->where, "%s",
                 apr_pstrdup(job->pool, job->error.detail));
    }

    return rc;
}


static hie_rc_t
plan(transaction_t *t)
{
    int           i, rank;
    bool          bodies;
    hie_rc_t      rc;
    hie_job_t    *job = t->job;
    hie_write_t  *w;

    bodies = hie_request_return(job) == HIE_RETURN_REPRESENTATION;
    for (rank = 0; rank < HIE_ENTRY_RANKS - 1; rank++) {
        for (i = 0; i < t->bundle->n; i++) {
            if (hie_entry_rank(&t->bundle->entries[i]) != rank) {
                continue;
            }

            w = &t->writes[t->n++];
            t->of[i] = w;
            rc = hie_write_entry(t->d, t->bundle, i, job->pool, w,
                                 &job->error);
            if (rc == HIE_OK) {
                w->want_body = bodies;
                rc = permit(t, w);
            }

            if (rc != HIE_OK) {
                return rc;
            }
        }
    }

    return HIE_OK;
}


/* The GET and HEAD entries, after the writes and in their transaction. One
 * that fails fails all. */
static hie_rc_t
read_entries(void *baton, hie_store_tx_t *tx, hie_error_t *err)
{
    int             i;
    hie_job_t      *r;
    transaction_t  *t = baton;

    for (i = 0; i < t->bundle->n; i++) {
        if (t->of[i] != NULL) {
            continue;
        }

        r = hie_entry_serve(t->job, &t->bundle->entries[i], HIE_STR_NONE,
                            HIE_STR_NONE);
        t->reads[i] = r;
        if (r->response.status >= 400) {
            return hie_fail(err, r->error.rc,
                            apr_psprintf(t->job->pool, "Bundle.entry[%d]", i),
                            "%s", r->error.detail);
        }
    }

    return HIE_OK;
}


static const char *
status_text(int status)
{
    return status == 201 ? "201 Created" : status == 204 ? "204 No Content"
                                                         : "200 OK";
}


static void
add_write(hie_buf_t *b, hie_job_t *job, const hie_write_t *w)
{
    char          when[HIE_INSTANT_LEN + 1];
    hie_return_t  prefer = hie_request_return(job);

    hie_buf_addc(b, '{');
    if (prefer == HIE_RETURN_REPRESENTATION && w->body.len > 0) {
        hie_buf_addf(b, "\"fullUrl\":\"%.*s/%.*s/%.*s\",\"resource\":",
                     HIE_PRISTR(job->base_url), HIE_PRISTR(w->type),
                     HIE_PRISTR(w->made_id));
        hie_buf_adds(b, w->body);
        hie_buf_addc(b, ',');
    }

    hie_buf_addf(b, "\"response\":{\"status\":\"%s\"",
                 status_text(w->status));
    if (w->version > 0 && w->kind != HIE_WRITE_DELETE) {
        hie_buf_addf(b, ",\"location\":\"%.*s/%.*s/_history/%"
                     APR_INT64_T_FMT "\"", HIE_PRISTR(w->type),
                     HIE_PRISTR(w->made_id), (apr_int64_t) w->version);
    }

    if (w->version > 0 && w->n_written < 2) {
        hie_time_instant(when, w->updated);
        hie_buf_addf(b, ",\"etag\":\"W/\\\"%" APR_INT64_T_FMT "\\\"\","
                     "\"lastModified\":\"%s\"", (apr_int64_t) w->version,
                     when);
    }

    if (prefer == HIE_RETURN_OUTCOME) {
        hie_buf_addz(b, ",\"outcome\":");
        hie_buf_adds(b, hie_write_outcome(w, job->pool));
    }

    hie_buf_addz(b, "}}");
}


/* Whose data it was about. */
static void
audit_writes(transaction_t *t)
{
    int               i, j, n;
    uint64_t         *all;
    hie_audit_row_t  *row = &t->job->audit;

    for (i = 0, n = row->n_patients; i < t->n; i++) {
        n += t->writes[i].n_patients;
        row->n_resources += t->writes[i].made_id.len > 0;
        if (t->writes[i].withheld) {
            row->decision = HIE_STR("deny");
        }
    }

    all = apr_palloc(t->job->pool, sizeof(*all) * (size_t) (n + 1));
    if (row->n_patients > 0) {
        memcpy(all, row->patients, sizeof(*all) * (size_t) row->n_patients);
    }

    for (i = 0, n = row->n_patients; i < t->n; i++) {
        for (j = 0; j < t->writes[i].n_patients; j++) {
            if (n == 0 || all[n - 1] != t->writes[i].patients[j]) {
                all[n++] = t->writes[i].patients[j];
            }
        }
    }

    row->patients = all;
    row->n_patients = n;
}


static void
respond(transaction_t *t)
{
    int         i;
    size_t      size;
    char       *method;
    hie_buf_t   b;
    hie_job_t  *job = t->job;

    for (i = 0, size = 256; i < t->n; i++) {
        size += 256 + (hie_request_return(job) == HIE_RETURN_REPRESENTATION
                       ? t->writes[i].body.len : 0);
    }

    hie_buf_init(&b, job->pool, size);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":"
                 "\"transaction-response\"");
    for (i = 0; i < t->bundle->n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        if (t->of[i] != NULL) {
            add_write(&b, job, t->of[i]);
        } else {
            method = hie_str_z(job->pool, t->bundle->entries[i].method);
            hie_entry_add(&b, job, t->reads[i], method);
        }
    }

    hie_buf_addz(&b, t->bundle->n > 0 ? "]}" : "}");
    hie_respond(job, 200, hie_buf_str(&b));
}


static hie_rc_t
do_transaction(hie_job_t *job, const hie_doc_t *d, const hie_bundle_t *bundle)
{
    size_t             n = (size_t) bundle->n + 1;
    hie_rc_t           rc;
    transaction_t      t = { job, d, bundle, NULL, NULL, NULL, 0 };
    hie_write_rules_t  rules = hie_write_rules(job);

    t.writes = apr_palloc(job->pool, sizeof(*t.writes) * n);
    t.of = apr_pcalloc(job->pool, sizeof(*t.of) * n);
    t.reads = apr_pcalloc(job->pool, sizeof(*t.reads) * n);
    rc = plan(&t);
    if (rc != HIE_OK) {
        return rc;
    }

    rules.links = true;
    rules.baton = &t;
    rules.after = t.n < bundle->n ? read_entries : NULL;
    rc = hie_write_run(job->rt->store, &rules, t.writes, t.n, &job->error);
    audit_writes(&t);
    if (rc == HIE_OK) {
        respond(&t);
    }

    return rc;
}


hie_rc_t
hie_do_bundle(hie_job_t *job)
{
    hie_rc_t             rc;
    hie_str_t            body;
    hie_doc_t           *d;
    hie_bundle_t         bundle;
    const hie_config_t  *conf = job->rt->config;

    rc = hie_request_body(job, &body);
    if (rc == HIE_OK) {
        rc = hie_doc_parse(job->pool, body, conf->fhir.max_depth, &d,
                           &job->error);
    }

    if (rc == HIE_OK) {
        rc = hie_fhir_bundle(d, conf->fhir.max_entries, job->pool, &bundle,
                             &job->error);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (hie_str_eqz(bundle.type, "batch")) {
        return hie_do_batch(job, d, &bundle);
    }

    if (!hie_str_eqz(bundle.type, "transaction")) {
        return hie_fail(&job->error, HIE_UNPROCESSABLE, "Bundle.type",
                        "expected \"batch\" or \"transaction\"");
    }

    return do_transaction(job, d, &bundle);
}
