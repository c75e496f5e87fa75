/*
 * The steps of a plan, done: new bytes, rows, one transaction.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/plan.h"

/* Lost against others so often: then the client hears of it. */
#define TRIES     12

/* The pause after a lost try grows from this, in microseconds. */
#define PAUSE     2000
#define PAUSE_MAX 200000


/* An error inside a resource of a list is one of the list: the type at the
 * head of its place gives way to the entry. */
static hie_rc_t
place_error(const char *where, apr_pool_t *pool, hie_rc_t rc,
            hie_error_t *err)
{
    const char  *below;

    if (rc == HIE_OK || where[0] == '\0'
        || strncmp(err->where, where, strlen(where)) == 0)
    {
        return rc;
    }

    below = err->where + strcspn(err->where, ".[");
    return hie_fail(err, rc, apr_pstrcat(pool, where, ".resource", below,
                                         NULL),
                    "%s", apr_pstrdup(pool, err->detail));
}


/* With all that is wrong in the outcome. */
static hie_rc_t
validate(const hie_write_rules_t *rules, const char *where,
         const hie_doc_t *d, hie_error_t *err)
{
    hie_rc_t                rc;
    hie_held_t             *held;
    hie_issues_t            issues;
    hie_validator_t        *validator;
    hie_validate_options_t  options = {
        .flags = rules->conf->fhir.validation == HIE_VALIDATION_FULL
                 ? HIE_VALIDATE_WRITE : 0
    };

    if (rules->unchecked
        || rules->conf->fhir.validation == HIE_VALIDATION_OFF)
    {
        return HIE_OK;
    }

    if (where[0] != '\0') {
        options.expression = hie_str(apr_pstrcat(rules->pool, where,
                                                 ".resource", NULL));
    }

    held = NULL;
    validator = rules->runtime->validator;
    if (rules->conf->fhir.validation == HIE_VALIDATION_FULL) {
        rc = hie_profiles_hold(rules->runtime, d, 0, HIE_STR_NONE,
                               rules->pool, &validator, &held, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = hie_validate(validator, d, 0, &options, rules->pool, &issues, err);
    hie_profiles_release(rules->runtime, held);
    if (rc != HIE_OK && rules->outcome != NULL) {
        hie_issues_place(&issues, d, rules->sent != NULL ? *rules->sent
                                                         : HIE_STR_NONE);
        *rules->outcome = hie_validation_outcome(rules->pool, &issues);
    }

    return rc;
}


hie_rc_t
hie_write_index(const hie_write_rules_t *rules, const hie_doc_t *d,
                hie_put_t *put, hie_error_t *err)
{
    hie_rc_t              rc;
    apr_pool_t           *pool = rules->pool;
    hie_search_values_t  *values;

    put->relations = apr_palloc(pool, sizeof(*put->relations));
    rc = hie_fhir_relations(d, put->type, put->id, rules->base_url, pool,
                            put->relations, err);
    if (rc != HIE_OK) {
        return rc;
    }

    values = apr_palloc(pool, sizeof(*values));
    put->values = values;
    put->generation = rules->runtime->generation;    /* at least */
    rc = hie_search_index(rules->search, d, hie_type_find_resource(put->type),
                          put->id, rules->base_url, pool, values, err);
    if (rc == HIE_OK && values->too_many) {
        hie_log(HIE_LOG_WARN, "HIE5019", "a resource of type %.*s refers to "
                "more than %d that it contains: chains do not lead to the "
                "others", HIE_PRISTR(put->type), HIE_SEARCH_CONTAINED_MAX);
    }

    return rc;
}


hie_rc_t
hie_write_govern(const hie_write_rules_t *rules, const hie_doc_t *d,
                 hie_put_t *put, hie_error_t *err)
{
    hie_rc_t            rc = HIE_OK;
    hie_consent_row_t  *consents;

    if (hie_str_eqz(put->type, "Binary")) {
        rc = hie_binary_context(d, rules->base_url, rules->pool, put, err);
        put->context_visible = rules->visible;

    } else if (hie_str_eqz(put->type, "Consent")) {
        rc = hie_consent_rows(d, rules->base_url, rules->pool, &consents,
                              &put->n_consents, err);
        put->consents = consents;
    }

    return rc;
}


hie_rc_t
hie_write_prepare(const hie_write_rules_t *rules, const char *where,
                  const hie_doc_t *d, hie_str_t type, hie_str_t id,
                  int64_t version, apr_time_t now, hie_put_t *put,
                  hie_error_t *err)
{
    hie_rc_t     rc;
    hie_str_t    own;
    apr_pool_t  *pool = rules->pool;

    memset(put, 0, sizeof(*put));
    put->type = type;
    put->id = id;
    put->version = version;
    put->updated = now;

    rc = hie_fhir_check(d, pool, &own, err);
    if (rc == HIE_OK && !hie_str_eq(own, type)) {
        rc = hie_fail(err, HIE_INVALID, "",
                      "the resource is a %.*s where a %.*s is expected",
                      HIE_PRISTR(own), HIE_PRISTR(type));
    }

    if (rc == HIE_OK) {
        rc = validate(rules, where, d, err);
    }

    if (rc == HIE_OK) {
        rc = hie_fhir_stamp(d, hie_str_z(pool, id), version, now, pool,
                            &put->body, err);
    }

    if (rc == HIE_OK) {
        rc = hie_write_index(rules, d, put, err);
    }

    if (rc == HIE_OK) {
        rc = hie_write_govern(rules, d, put, err);
    }

    return place_error(where, pool, rc, err);
}


/* The document that is to be written: references within the list resolved. */
static hie_rc_t
relink(hie_plan_t *p, const hie_doc_t *d, const hie_doc_t **out)
{
    hie_str_t   bytes;
    hie_doc_t  *made;
    hie_rc_t    rc;

    *out = d;
    bytes = hie_fhir_relink(d, (hie_fhir_link_t *) p->links->elts,
                            (size_t) p->links->nelts, p->pool);
    if (bytes.ptr == hie_doc_bytes(d).ptr) {
        return HIE_OK;
    }

    rc = hie_doc_parse(p->pool, bytes, p->rules->conf->fhir.max_depth, &made,
                       p->err);
    *out = made;
    return rc;
}


/* A patch leaves the resource the same one. */
static hie_rc_t
check_same(hie_plan_t *p, const hie_step_t *s, const hie_doc_t *d)
{
    hie_str_t  id;

    id = hie_doc_get(d, 0, "id", p->pool);
    if (hie_str_eq(id, s->id)) {
        return HIE_OK;
    }

    return hie_fail(p->err, HIE_UNPROCESSABLE,
                    apr_psprintf(p->pool, "%.*s.id", HIE_PRISTR(s->w->type)),
                    "a patch must not change the id of the resource");
}


/* The present bytes, patched. `*d` NULL: nothing changed. */
static hie_rc_t
edit(hie_plan_t *p, const hie_step_t *s, const hie_doc_t **d)
{
    int          depth = p->rules->conf->fhir.max_depth;
    hie_rc_t     rc;
    hie_str_t    bytes = HIE_STR_NONE;
    hie_doc_t   *now, *made;

    *d = NULL;
    if (hie_str_eqz(s->w->type, "Binary")) {
        /* its content may not be in the document, and would be left behind */
        return hie_fail(p->err, HIE_UNPROCESSABLE, "Binary",
                        "a Binary can only be replaced as a whole");
    }

    rc = hie_doc_parse(p->pool, s->now->row.body, depth, &now, p->err);
    if (rc == HIE_OK) {
        rc = s->w->edit(s->w->baton, now, p->pool, &bytes, p->err);
    }

    if (rc != HIE_OK || hie_str_eq(bytes, s->now->row.body)) {
        return rc;
    }

    rc = hie_doc_parse(p->pool, bytes, depth, &made, p->err);
    if (rc == HIE_OK) {
        rc = check_same(p, s, made);
    }

    *d = made;
    return rc;
}


static void
delete_step(hie_plan_t *p, hie_step_t *s)
{
    hie_put_t  *put = &p->puts[p->n_puts];

    if (s->now == NULL || !s->now->exists || !s->now->visible) {
        return;
    }

    s->w->version = s->now->row.version;
    s->w->updated = s->now->row.updated;
    s->w->n_patients = s->now->row.n_patients;
    s->w->patients = s->now->row.patients;
    s->w->made_id = s->id;
    if (s->now->row.deleted) {
        return;
    }

    memset(put, 0, sizeof(*put));
    put->type = s->w->type;
    put->id = s->id;
    put->version = s->now->row.version + 1;
    put->updated = p->now;
    put->body = HIE_STR("");
    s->put = put;
    p->n_puts++;
    s->w->version = put->version;
    s->w->updated = p->now;
    s->w->n_written++;
}


/* What is there already is the outcome. */
static void
keep_step(hie_step_t *s)
{
    const hie_row_t  *row = &s->now->row;

    s->w->made_id = s->id;
    s->w->version = row->version;
    s->w->updated = row->updated;
    s->w->body = row->body;
    s->w->n_patients = row->n_patients;
    s->w->patients = row->patients;
}


static hie_rc_t
write_step(hie_plan_t *p, hie_step_t *s)
{
    int64_t       version;
    hie_rc_t      rc;
    hie_put_t    *put = &p->puts[p->n_puts];

    rc = HIE_OK;
    s->doc = s->w->doc;
    if (s->w->kind == HIE_WRITE_PATCH) {
        rc = edit(p, s, &s->doc);
        if (rc == HIE_OK && s->doc == NULL) {
            keep_step(s);
            return HIE_OK;
        }
    }

    if (rc == HIE_OK && p->links->nelts > 0) {
        rc = relink(p, s->doc, &s->doc);
    }

    version = s->now != NULL && s->now->exists ? s->now->row.version + 1 : 1;
    if (rc == HIE_OK) {
        hie_store_read_in(p->tx);
        rc = hie_write_prepare(p->rules, s->w->where, s->doc, s->w->type,
                               s->id, version, p->now, put, p->err);
        hie_store_read_in(NULL);
    }

    if (rc != HIE_OK) {
        return place_error(s->w->where, p->pool, rc, p->err);
    }

    put->content = s->w->content;
    put->method = s->w->kind == HIE_WRITE_CREATE ? HIE_BY_POST
                  : s->w->kind == HIE_WRITE_PATCH ? HIE_BY_PATCH : HIE_BY_PUT;
    s->put = put;
    p->n_puts++;
    s->w->made_id = s->id;
    s->w->version = version;
    s->w->updated = p->now;
    s->w->body = put->body;
    s->w->n_written = 1;
    s->w->n_patients = put->relations->n_patients;
    s->w->patients = put->relations->patients;
    return HIE_OK;
}


static hie_rc_t
make_puts(hie_plan_t *p)
{
    int          i;
    hie_rc_t     rc = HIE_OK;
    hie_step_t  *s;

    hie_fhir_links_sort((hie_fhir_link_t *) p->links->elts,
                        (size_t) p->links->nelts);
    p->puts = apr_palloc(p->pool, sizeof(*p->puts)
                                  * (size_t) (p->steps->nelts + 1));

    for (i = 0; rc == HIE_OK && i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->w->kind == HIE_WRITE_DELETE) {
            delete_step(p, s);
        } else if (!s->keep) {
            rc = write_step(p, s);
        } else if (s->same == NULL) {
            keep_step(s);
        }
    }

    for (i = 0; rc == HIE_OK && i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->same != NULL) {
            s->w->made_id = s->id;
            s->w->version = s->same->w->version;
            s->w->updated = s->same->w->updated;
            s->w->body = s->same->w->body;
        }
    }

    return rc;
}


static hie_rc_t
take_parameters(hie_plan_t *p)
{
    hie_rc_t           rc;
    const hie_step_t  *bad;

    rc = hie_plan_parameters(p, &bad);
    return rc == HIE_OK || bad == NULL
           ? rc : place_error(bad->w->where, p->pool, rc, p->err);
}


static hie_rc_t
apply(hie_plan_t *p)
{
    hie_rc_t                  rc;
    const hie_write_rules_t  *r = p->rules;

    rc = hie_plan_make(p);
    if (rc == HIE_OK) {
        rc = make_puts(p);
    }

    if (rc == HIE_OK && r->before != NULL) {
        rc = r->before(r->baton, p->tx, p->err);
    }

    if (rc == HIE_OK) {
        rc = take_parameters(p);
    }

    if (rc == HIE_OK && (r->after != NULL || hie_plan_refers(p))) {
        rc = hie_store_put(p->tx, p->puts, p->n_puts, p->err);
        p->n_puts = 0;
        if (rc == HIE_OK && hie_plan_refers(p)) {
            rc = hie_plan_check_references(p);
        }

        if (rc == HIE_OK && r->after != NULL) {
            hie_store_read_in(p->tx);
            rc = r->after(r->baton, p->tx, p->err);
            hie_store_read_in(NULL);
        }
    }

    if (rc != HIE_OK) {
        hie_store_rollback(p->tx);
        return rc;
    }

    return hie_store_put_commit(p->tx, p->puts, p->n_puts, p->err);
}


/* From one try to the next nothing is kept but the writes themselves. */
static void
forget(hie_write_t *w)
{
    w->status = 0;
    w->made_id = HIE_STR_NONE;
    w->version = 0;
    w->body = HIE_STR_NONE;
    w->n_written = 0;
    w->n_patients = 0;
    w->withheld = false;
    w->warning = NULL;
}


/* What it has changed it knows at once. If not, then as others do. */
static void
learn(hie_runtime_t *rt)
{
    hie_error_t  err;

    if (hie_parameters_refresh(rt, &err) != HIE_OK) {
        hie_log(HIE_LOG_INFO, "HIE5016", "whether there are other search "
                "parameters is not known: %s", err.detail);
    }
}


static hie_rc_t
attempt(hie_store_t *s, const hie_write_rules_t *rules, hie_write_t *writes,
        int n, bool *final, hie_error_t *err)
{
    int          i;
    hie_rc_t     rc;
    hie_plan_t   p;

    memset(&p, 0, sizeof(p));
    p.rules = rules;
    p.pool = rules->pool;
    p.err = err;
    p.now = apr_time_now();
    p.writes = writes;
    p.n = n;
    p.steps = apr_array_make(p.pool, n, sizeof(hie_step_t *));
    p.links = apr_array_make(p.pool, n, sizeof(hie_fhir_link_t));
    for (i = 0; i < n; i++) {
        forget(&writes[i]);
    }

    rc = hie_store_begin(s, p.pool, &p.tx, err);
    if (rc == HIE_OK) {
        rc = apply(&p);
    }

    if (rc == HIE_OK && p.registry) {
        learn(rules->runtime);
    }

    *final = p.final;
    return rc;
}


/* Those that met do not meet again at once. */
static void
pause_before(int try)
{
    uint32_t  random;
    int64_t   most = (int64_t) PAUSE << try;

    hie_random(&random, sizeof(random));
    apr_sleep(PAUSE / 2
              + (apr_interval_time_t) (random % (most < PAUSE_MAX
                                                 ? (uint32_t) most
                                                 : PAUSE_MAX)));
}


hie_rc_t
hie_write_run(hie_store_t *s, const hie_write_rules_t *rules,
              hie_write_t *writes, int n, hie_error_t *err)
{
    int                try;
    bool               final;
    hie_rc_t           rc;
    apr_time_t         until;
    hie_write_rules_t  again = *rules;

    hie_parameters_notice(rules->runtime);
    until = apr_time_now()
            + apr_time_from_msec(rules->conf->database.statement_timeout);
    rc = attempt(s, rules, writes, n, &final, err);
    for (try = 1;
         rc == HIE_CONFLICT && !final && try < TRIES
         && apr_time_now() < until;
         try++)
    {
        pause_before(try);
        learn(rules->runtime);   /* it may have lost against a parameter */
        if (again.pool != rules->pool) {
            apr_pool_destroy(again.pool);
        }

        again.pool = hie_pool_create(rules->pool, "hie-write");
        rc = attempt(s, &again, writes, n, &final, err);
    }

    return rc;
}
