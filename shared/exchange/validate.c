/*
 * $validate (FHIR R4, OperationDefinition Resource-validate): would it be
 * taken? The answer is always an OperationOutcome with all that was found.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/operation.h"
#include "exchange/write.h"
#include "validation/validation.h"

typedef struct {
    hie_job_t        *job;
    const hie_doc_t  *doc;       /* what is validated */
    hie_str_t         mode;      /* create, update, delete, or empty */
    hie_str_t         profile;   /* to be met, or empty */
    hie_issues_t      issues;
} validate_t;


/* One error more; the place may be empty. */
static void
add_issue(validate_t *v, const char *code, const char *where,
          const char *text)
{
    hie_issue_t  *all;

    all = apr_pcalloc(v->job->pool,
                      sizeof(*all) * (size_t) (v->issues.n + 1));
    if (v->issues.n > 0) {
        memcpy(all, v->issues.issues, sizeof(*all) * (size_t) v->issues.n);
    }

    all[v->issues.n].severity = HIE_ISSUE_ERROR;
    all[v->issues.n].code = code;
    all[v->issues.n].expression = hie_str(where);
    all[v->issues.n].text = hie_str(text);
    all[v->issues.n].node = HIE_NODE_NONE;
    v->issues.issues = all;
    v->issues.n++;
    v->issues.n_errors++;
}


static hie_rc_t
set_param(void *baton, hie_str_t name, hie_str_t value)
{
    validate_t  *v = baton;

    if (hie_str_eqz(name, "mode")) {
        if (!hie_str_eqz(value, "create") && !hie_str_eqz(value, "update")
            && !hie_str_eqz(value, "delete")
            && !hie_str_eqz(value, "profile"))
        {
            return hie_query_bad(v->job, name,
                                 "create, update, delete or profile");
        }

        v->mode = value;
        return HIE_OK;
    }

    if (hie_str_eqz(name, "profile")) {
        v->profile = value;
        return HIE_OK;
    }

    return HIE_NOT_FOUND;
}


/* A part of what was sent: a document of its own in the same bytes, as a write
 * of it has it. */
static hie_rc_t
take_resource(validate_t *v, hie_str_t bytes)
{
    hie_rc_t    rc;
    hie_doc_t  *d;

    rc = hie_doc_parse(v->job->pool, bytes,
                       v->job->rt->config->fhir.max_depth, &d,
                       &v->job->error);
    v->doc = d;
    return rc;
}


/* Parameters by POST: mode and profile, and the resource. */
static hie_rc_t
take_parameters(validate_t *v, const hie_doc_t *d)
{
    hie_rc_t    rc;
    hie_str_t   name, value;
    hie_node_t  n, resource;

    for (n = hie_doc_first(d, hie_doc_member(d, 0, "parameter"));
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        name = hie_doc_get(d, n, "name", v->job->pool);
        resource = hie_doc_member(d, n, "resource");
        if (hie_str_eqz(name, "resource") && resource != HIE_NODE_NONE) {
            rc = take_resource(v, hie_doc_raw(d, resource));
        } else {
            value = hie_operation_value(d, n, v->job->pool);
            rc = value.ptr != NULL ? set_param(v, name, value)
                                   : HIE_NOT_FOUND;
        }

        if (rc == HIE_NOT_FOUND) {
            rc = hie_fail(&v->job->error, HIE_INVALID,
                          "Parameters.parameter", "expected resource, mode "
                          "and profile only");
        }

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


/* A resource may be sent as it is, or in Parameters. */
static hie_rc_t
take_body(validate_t *v)
{
    hie_rc_t    rc;
    hie_str_t   body;
    hie_doc_t  *d;
    hie_job_t  *job;

    job = v->job;
    if (!hie_str_eqz(job->request.method, "POST")) {
        return HIE_OK;
    }

    rc = hie_request_body(job, &body);
    if (rc != HIE_OK || body.len == 0) {
        return rc;
    }

    rc = hie_doc_parse(job->pool, body, job->rt->config->fhir.max_depth, &d,
                       &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (hie_str_eqz(hie_doc_get(d, 0, "resourceType", job->pool),
                    "Parameters")
        && !hie_str_eqz(job->todo.type, "Parameters"))
    {
        return take_parameters(v, d);
    }

    v->doc = d;
    return HIE_OK;
}


/* Without a resource of the requester's, that which is stored. */
static hie_rc_t
take_stored(validate_t *v)
{
    hie_rc_t    rc;
    hie_row_t   row;
    hie_job_t  *job;
    hie_doc_t  *d;

    job = v->job;
    if (job->todo.id.len == 0) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "expected a resource to validate");
    }

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, &row,
                        &job->error);
    if (rc != HIE_OK) {
        return rc == HIE_NOT_FOUND ? hie_do_read_answer(job, rc, &row) : rc;
    }

    hie_audit_rows(job, &row, 1);
    rc = hie_doc_parse(job->pool, row.body, job->rt->config->fhir.max_depth,
                       &d, &job->error);
    v->doc = d;
    return rc;
}


void
hie_issues_place(hie_issues_t *issues, const hie_doc_t *d, hie_str_t sent)
{
    int            i;
    bool           inside;
    uint32_t       lines, columns;
    hie_str_t      bytes = hie_doc_bytes(d);
    const char    *p;
    hie_issue_t   *issue;

    inside = sent.len > 0 && bytes.ptr >= sent.ptr
             && bytes.ptr < sent.ptr + sent.len;
    for (p = sent.ptr, lines = 0, columns = 0; inside && p < bytes.ptr; p++) {
        if (*p == '\n') {
            lines++;
            columns = 0;
        } else {
            columns += ((unsigned char) *p & 0xc0) != 0x80;
        }
    }

    for (i = 0; i < issues->n; i++) {
        issue = &issues->issues[i];
        if (!inside) {
            issue->line = 0;
        } else if (issue->line > 0) {
            issue->column += issue->line == 1 ? columns : 0;
            issue->line += lines;
        }
    }
}


static bool
may_any(hie_job_t *job)
{
    return hie_access_permits(job->principal, HIE_MAY_READ, job->todo.type)
           || hie_access_permits(job->principal, HIE_MAY_CREATE,
                                 job->todo.type)
           || hie_access_permits(job->principal, HIE_MAY_UPDATE,
                                 job->todo.type);
}


static hie_rc_t
validate(validate_t *v)
{
    hie_rc_t                 rc;
    hie_held_t              *held;
    hie_validator_t         *validator;
    hie_validate_options_t   options;

    rc = hie_profiles_hold(v->job->rt, v->doc, 0, v->profile, v->job->pool,
                           &validator, &held, &v->job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    memset(&options, 0, sizeof(options));
    options.flags = HIE_VALIDATE_ALL;
    options.now = apr_time_now();
    if (v->profile.len > 0 && hie_validator_knows(validator, v->profile)) {
        options.profiles = &v->profile;
        options.n_profiles = 1;
    }

    /* What it returns is in the issues too. */
    hie_validate(validator, v->doc, 0, &options, v->job->pool, &v->issues,
                 NULL);
    hie_profiles_release(v->job->rt, held);
    hie_issues_place(&v->issues, v->doc, v->job->sent);

    if (v->profile.len > 0 && options.n_profiles == 0) {
        add_issue(v, "not-found", "", "the profile is not known here");
    }

    return HIE_OK;
}


/* What is asked of the resource by the place where it is sent. */
static void
check_place(validate_t *v)
{
    hie_str_t   type, id;
    hie_job_t  *job;

    job = v->job;
    type = hie_doc_get(v->doc, 0, "resourceType", job->pool);
    if (!hie_str_eq(type, job->todo.type)) {
        add_issue(v, "invalid", "",
                  "the resource is not of the type that the URL names");
    }

    id = hie_doc_get(v->doc, 0, "id", job->pool);
    if (hie_str_eqz(v->mode, "update") && job->todo.id.len > 0
        && !hie_str_eq(id, job->todo.id))
    {
        add_issue(v, "invalid", "",
                  "the resource's id must be that of the URL");
    }
}


/*
 * What else a write of it would be refused for.
 */

/* A refusal becomes an issue, unless validation has found an error at the same
 * place; what failed otherwise is a failure of the operation. */
static hie_rc_t
note(validate_t *v, hie_rc_t rc, const hie_error_t *err)
{
    int           i;
    hie_issue_t  *issue;

    if (rc == HIE_OK) {
        return HIE_OK;
    }

    if (rc >= HIE_INTERNAL) {
        v->job->error = *err;
        return rc;
    }

    for (i = 0; i < v->issues.n; i++) {
        issue = &v->issues.issues[i];
        if (issue->severity <= HIE_ISSUE_ERROR
            && strchr(err->where, '.') != NULL
            && hie_str_eqz(issue->expression, err->where))
        {
            return HIE_OK;
        }
    }

    add_issue(v, hie_rc_issue(rc), apr_pstrdup(v->job->pool, err->where),
              apr_pstrdup(v->job->pool, err->detail));
    return HIE_OK;
}


/* The id that it would have; empty: a new one. */
static hie_str_t
own_id(const validate_t *v)
{
    return v->job->todo.id.len > 0 ? v->job->todo.id
           : hie_str_eqz(v->mode, "create") ? HIE_STR("")
           : hie_doc_get(v->doc, 0, "id", v->job->pool);
}


static hie_rc_t
check_write(validate_t *v)
{
    char               made[HIE_ULID_LEN + 1];
    hie_rc_t           rc;
    hie_job_t         *job = v->job;
    hie_put_t          put = { .id = own_id(v) };
    hie_error_t        err;
    hie_write_rules_t  rules = hie_write_rules(job);

    rc = hie_fhir_check(v->doc, job->pool, &put.type, &err);
    if (rc != HIE_OK) {
        return v->issues.n_errors > 0 ? HIE_OK : note(v, rc, &err);
    }

    if (hie_str_eqz(put.type, "SearchParameter")) {
        rc = hie_parameter_judge(&rules, v->doc, put.id, &err);
        rc = note(v, rc, &err);
    }

    if (put.id.len == 0) {
        hie_ulid(made);
        put.id = hie_str(made);
    }

    if (rc == HIE_OK) {
        rc = note(v, hie_write_index(&rules, v->doc, &put, &err), &err);
    }

    return rc == HIE_OK
           ? note(v, hie_write_govern(&rules, v->doc, &put, &err), &err) : rc;
}


/* Whether it may be deleted: it is there, and the token allows it. */
static hie_rc_t
judge_delete(validate_t *v)
{
    hie_rc_t    rc;
    hie_job_t  *job;

    job = v->job;
    if (job->todo.id.len == 0) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "expected the id of a resource in the URL");
    }

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc == HIE_OK) {
        rc = hie_read_exists(job);
    }

    if (rc == HIE_OK && !hie_access_permits(job->principal, HIE_MAY_DELETE,
                                            job->todo.type))
    {
        add_issue(v, "forbidden", "",
                  "the token's scopes do not include the deletion");
    }

    return rc;
}


static hie_rc_t
judge(validate_t *v)
{
    hie_rc_t  rc;

    if (hie_str_eqz(v->mode, "delete")) {
        return judge_delete(v);
    }

    if (v->doc == NULL) {
        rc = take_stored(v);
    } else {
        rc = may_any(v->job) ? HIE_OK
             : hie_request_permit(v->job, HIE_MAY_READ, v->job->todo.type);
    }

    if (rc == HIE_OK) {
        rc = validate(v);
    }

    if (rc == HIE_OK) {
        check_place(v);
    }

    return rc == HIE_OK && !hie_str_eqz(v->mode, "profile") ? check_write(v)
                                                            : rc;
}


hie_rc_t
hie_do_validate(hie_job_t *job)
{
    hie_rc_t     rc;
    hie_str_t    used;
    validate_t   v;

    memset(&v, 0, sizeof(v));
    v.job = job;
    rc = hie_query_walk(job, job->request.query, set_param, &v, &used);
    if (rc == HIE_OK) {
        rc = take_body(&v);
    }

    if (rc == HIE_OK) {
        rc = judge(&v);
    }

    if (rc == HIE_OK) {
        hie_respond(job, 200, hie_validation_outcome(job->pool, &v.issues));
    }

    return rc;
}
