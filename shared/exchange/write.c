/*
 * create, update, patch and delete over HTTP (FHIR R4 sections 3.1.0.4 to
 * 3.1.0.8): each is a list of one write.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"


/*
 * What the answer is.
 */

hie_return_t
hie_request_return(const hie_job_t *job)
{
    int        i;
    hie_str_t  prefer, one;

    for (i = 0; i < job->request.n_headers; i++) {
        if (!hie_str_ieqz(job->request.headers[i].name, "Prefer")) {
            continue;
        }

        prefer = job->request.headers[i].value;
        while (prefer.ptr != NULL) {
            one = hie_str_trim(hie_str_split(prefer, ',', &prefer));
            one = hie_str_trim(hie_str_split(one, ';', &(hie_str_t) { 0 }));
            if (hie_str_eqz(one, "return=minimal")) {
                return HIE_RETURN_MINIMAL;
            }

            if (hie_str_eqz(one, "return=representation")) {
                return HIE_RETURN_REPRESENTATION;
            }

            if (hie_str_eqz(one, "return=OperationOutcome")) {
                return HIE_RETURN_OUTCOME;
            }
        }
    }

    return HIE_RETURN_ANY;
}


hie_str_t
hie_write_outcome(const hie_write_t *w, apr_pool_t *pool)
{
    hie_buf_t    b;
    const char  *what;

    if (w->status == 201) {
        what = "created";
    } else if (w->kind == HIE_WRITE_DELETE) {
        what = w->n_written > 0 ? "deleted" : "there was nothing to delete";
    } else {
        what = w->n_written > 0 ? "updated" : "nothing was changed";
    }

    hie_buf_init(&b, pool, 256);
    hie_buf_addz(&b, "{\"resourceType\":\"OperationOutcome\",\"issue\":["
                 "{\"severity\":\"information\",\"code\":\"informational\","
                 "\"diagnostics\":");
    if (w->n_written > 1) {
        what = apr_psprintf(pool, "%d resources %s", w->n_written, what);
    }

    hie_buf_add_json(&b, hie_str(what));
    hie_buf_addc(&b, '}');
    if (w->warning != NULL) {
        hie_buf_addz(&b, ",{\"severity\":\"warning\",\"code\":\"not-found\","
                     "\"diagnostics\":");
        hie_buf_add_json(&b, hie_str(w->warning));
        hie_buf_addc(&b, '}');
    }

    hie_buf_addz(&b, "]}");
    return hie_buf_str(&b);
}


static void
respond_written(hie_job_t *job, const hie_write_t *w)
{
    char       *location;
    hie_str_t   body = w->body;

    switch (hie_request_return(job)) {
    case HIE_RETURN_MINIMAL:
        body = HIE_STR_NONE;
        break;

    case HIE_RETURN_OUTCOME:
        body = hie_write_outcome(w, job->pool);
        break;

    default:
        break;
    }

    hie_respond(job, w->status, body);
    location = apr_psprintf(job->pool, "%.*s/%.*s/%.*s/_history/%"
                            APR_INT64_T_FMT, HIE_PRISTR(job->base_url),
                            HIE_PRISTR(w->type), HIE_PRISTR(w->made_id),
                            (apr_int64_t) w->version);
    hie_respond_header(job, w->status == 201 || w->kind == HIE_WRITE_CREATE
                            ? "Location" : "Content-Location",
                       hie_str(location));
    hie_respond_version(job, w->version, w->updated);
}


/* R4 section 3.1.0.7: 204 without, 200 with something to say. */
static void
respond_deleted(hie_job_t *job, const hie_write_t *w)
{
    if (hie_request_return(job) == HIE_RETURN_OUTCOME) {
        hie_respond(job, 200, hie_write_outcome(w, job->pool));
    } else {
        hie_respond(job, 204, HIE_STR_NONE);
    }

    if (w->version > 0 && w->n_written < 2) {
        hie_respond_version(job, w->version, w->updated);
    }
}


void
hie_write_audit(hie_job_t *job, const hie_write_t *w)
{
    if (w->withheld) {
        job->audit.decision = HIE_STR("deny");
    }

    if (w->made_id.len > 0) {
        job->audit.resource_id = w->made_id;
    }

    job->audit.n_patients = w->n_patients;
    job->audit.patients = w->patients;
    job->audit.n_resources = w->made_id.len > 0 ? 1 : 0;
    if (w->n_written > 1) {
        job->audit.n_resources = w->n_written;
    }
}


/*
 * What was asked for.
 */

hie_write_rules_t
hie_write_rules(hie_job_t *job)
{
    return (hie_write_rules_t) {
        .conf = job->rt->config, .store = job->rt->store,
        .search = job->rt->search, .visible = &job->decision->visible,
        .principal = job->principal, .base_url = job->base_url,
        .pool = job->pool, .runtime = job->rt,
        .outcome = &job->outcome, .sent = &job->sent
    };
}


/* A condition tells what is there: it takes what a search takes. */
hie_rc_t
hie_write_permit(hie_job_t *job, const hie_write_t *w)
{
    hie_rc_t   rc;
    hie_may_t  may;

    switch (w->kind) {
    case HIE_WRITE_CREATE:
        may = HIE_MAY_CREATE;
        break;

    case HIE_WRITE_DELETE:
        may = HIE_MAY_DELETE;
        break;

    default:
        may = HIE_MAY_UPDATE;
        break;
    }

    rc = hie_request_permit(job, may, w->type);
    if (rc == HIE_OK && w->condition.ptr != NULL) {
        rc = hie_request_permit(job, HIE_MAY_SEARCH, w->type);
    }

    return rc;
}


/* The query of a conditional interaction. */
static hie_rc_t
set_condition(hie_job_t *job, hie_write_t *w)
{
    if (job->todo.query.len == 0) {
        return hie_fail(&job->error, HIE_PRECONDITION, "",
                        "the condition selects nothing in particular");
    }

    w->condition = job->todo.query;
    return HIE_OK;
}


static hie_rc_t
init_write(hie_job_t *job, hie_write_kind_t kind, bool condition,
           hie_write_t *w)
{
    memset(w, 0, sizeof(*w));
    w->kind = kind;
    w->where = "";
    w->type = job->todo.type;
    w->id = job->todo.id;
    w->want_body = hie_request_return(job) != HIE_RETURN_MINIMAL;
    w->if_match = hie_request_header(&job->request, "If-Match");
    w->if_none = hie_str_eqz(hie_str_trim(hie_request_header(&job->request,
                                                             "If-None-Match"
                                                             )), "*");
    return condition ? set_condition(job, w) : HIE_OK;
}


/* The body as a document of the type that the URL names. */
static hie_rc_t
parse_body(hie_job_t *job, hie_write_t *w)
{
    hie_rc_t    rc;
    hie_str_t   body, type;
    hie_doc_t  *d;

    rc = hie_binary_is_raw(job) ? hie_binary_document(job, &body)
                                : hie_request_body(job, &body);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_doc_parse(job->pool, body, job->rt->config->fhir.max_depth, &d,
                       &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    type = hie_doc_get(d, 0, "resourceType", job->pool);
    if (hie_fhir_is_type(type) && !hie_str_eq(type, job->todo.type)) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "the body is a %.*s, the URL says %.*s",
                        HIE_PRISTR(type), HIE_PRISTR(job->todo.type));
    }

    w->doc = d;
    w->content = job->has_content ? &job->content : NULL;
    return HIE_OK;
}


static hie_rc_t
run(hie_job_t *job, hie_write_t *w)
{
    hie_rc_t           rc;
    hie_write_rules_t  rules = hie_write_rules(job);

    rc = hie_write_permit(job, w);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_write_run(job->rt->store, &rules, w, 1, &job->error);
    hie_write_audit(job, w);
    if (rc != HIE_OK) {
        return rc;
    }

    if (w->kind == HIE_WRITE_DELETE) {
        respond_deleted(job, w);
    } else {
        respond_written(job, w);
    }

    return HIE_OK;
}


hie_rc_t
hie_do_create(hie_job_t *job)
{
    hie_rc_t     rc;
    hie_write_t  w;

    rc = init_write(job, HIE_WRITE_CREATE, false, &w);
    if (rc == HIE_OK) {
        rc = parse_body(job, &w);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    w.condition = hie_request_header(&job->request, "If-None-Exist");
    w.if_match = HIE_STR_NONE;
    w.if_none = false;
    return run(job, &w);
}


/*
 * Several creates in one transaction of the store. They have nothing to do
 * with each other: where it fails, each is tried by itself.
 */

typedef struct {
    hie_write_t  w;
    hie_put_t    put;
} create_t;


static hie_rc_t
prepare_create(hie_job_t *job, create_t *c)
{
    char               id[HIE_ULID_LEN + 1];
    hie_rc_t           rc;
    apr_time_t         now = apr_time_now();
    hie_write_rules_t  rules = hie_write_rules(job);

    rc = init_write(job, HIE_WRITE_CREATE, false, &c->w);
    if (rc == HIE_OK) {
        rc = parse_body(job, &c->w);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    hie_ulid(id);
    c->w.made_id = hie_str_dup(job->pool, hie_str(id));
    rc = hie_write_prepare(&rules, "", c->w.doc, c->w.type, c->w.made_id, 1,
                           now, &c->put, &job->error);
    c->put.method = HIE_BY_POST;
    c->w.status = 201;
    c->w.version = 1;
    c->w.updated = now;
    c->w.n_written = 1;
    if (rc == HIE_OK) {
        c->w.body = c->put.body;
        c->w.n_patients = c->put.relations->n_patients;
        c->w.patients = c->put.relations->patients;
    }

    return rc;
}


static hie_rc_t
put_creates(hie_job_t *job, const hie_put_t *puts, int n, hie_error_t *err)
{
    hie_rc_t         rc;
    hie_store_tx_t  *tx;

    rc = hie_store_begin(job->rt->store, job->pool, &tx, err);
    return rc == HIE_OK ? hie_store_put_commit(tx, puts, n, err) : rc;
}


void
hie_do_create_many(hie_job_t **jobs, hie_rc_t *rcs, int n)
{
    int           i, m;
    hie_rc_t      rc = HIE_OK;
    create_t     *all;
    hie_put_t    *puts;
    hie_error_t   err;

    hie_parameters_notice(jobs[0]->rt);
    all = apr_palloc(jobs[0]->pool, sizeof(*all) * (size_t) n);
    puts = apr_palloc(jobs[0]->pool, sizeof(*puts) * (size_t) n);
    for (i = 0, m = 0; i < n; i++) {
        if (rcs[i] == HIE_OK) {
            rcs[i] = prepare_create(jobs[i], &all[i]);
        }

        if (rcs[i] == HIE_OK) {
            puts[m++] = all[i].put;
        }
    }

    if (m > 0) {
        rc = put_creates(jobs[0], puts, m, &err);
    }

    for (i = 0; i < n; i++) {
        if (rcs[i] != HIE_OK) {
            continue;
        }

        if (rc == HIE_OK) {
            hie_write_audit(jobs[i], &all[i].w);
            respond_written(jobs[i], &all[i].w);
        } else if (rc == HIE_BUSY || rc == HIE_TIMEOUT
                   || rc == HIE_UNAVAILABLE || m == 1) {
            jobs[i]->error = err;
            rcs[i] = rc;
        } else {
            rcs[i] = hie_do_create(jobs[i]);
        }
    }
}


/* R4 section 3.1.0.4: the id of the body must be that of the URL. */
static hie_rc_t
check_id(hie_job_t *job, const hie_write_t *w)
{
    hie_str_t  id;

    id = hie_doc_get(w->doc, 0, "id", job->pool);
    if (hie_str_eq(id, job->todo.id)) {
        return HIE_OK;
    }

    return hie_fail(&job->error, HIE_INVALID,
                    apr_psprintf(job->pool, "%.*s.id",
                                 HIE_PRISTR(job->todo.type)),
                    "the resource's id must be that of the URL");
}


hie_rc_t
hie_do_update(hie_job_t *job)
{
    bool         condition = job->todo.what == HIE_DO_UPDATE_IF;
    hie_rc_t     rc;
    hie_write_t  w;

    rc = init_write(job, HIE_WRITE_UPDATE, condition, &w);
    if (rc == HIE_OK) {
        rc = parse_body(job, &w);
    }

    if (rc == HIE_OK && !condition) {
        rc = check_id(job, &w);
    }

    return rc == HIE_OK ? run(job, &w) : rc;
}


hie_rc_t
hie_do_patch(hie_job_t *job)
{
    hie_rc_t     rc;
    hie_str_t    body;
    hie_write_t  w;

    rc = init_write(job, HIE_WRITE_PATCH,
                    job->todo.what == HIE_DO_PATCH_IF, &w);
    if (rc == HIE_OK) {
        rc = hie_request_body(job, &body);
    }

    if (rc == HIE_OK) {
        rc = hie_write_patch(hie_request_header(&job->request, "Content-Type"),
                           body, job->rt->config, job->pool, &w,
                           &job->error);
    }

    if (rc == HIE_UNSUPPORTED) {
        job->accept_patch = true;
    }

    return rc == HIE_OK ? run(job, &w) : rc;
}


hie_rc_t
hie_do_delete(hie_job_t *job)
{
    hie_rc_t     rc;
    hie_write_t  w;

    rc = init_write(job, HIE_WRITE_DELETE,
                    job->todo.what == HIE_DO_DELETE_IF, &w);
    w.if_none = false;
    return rc == HIE_OK ? run(job, &w) : rc;
}
