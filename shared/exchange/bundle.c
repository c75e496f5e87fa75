/*
 * transaction (FHIR R4 section 3.1.0.11.2): creates and updates, conditional
 * ones too, all or nothing.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

#define TRIES  4

/* One entry on its way. */
typedef struct {
    const hie_bundle_entry_t  *entry;
    hie_str_t                  condition;   /* ptr NULL: none */
    hie_str_t                  id;
    int64_t                    version;     /* to be written; 0: nothing is */
    int64_t                    found;       /* version that matched */
    apr_time_t                 updated;
    bool                       fresh;       /* no row of it can be there */
} step_t;

typedef struct {
    hie_store_tx_t            *tx;
    const hie_doc_t           *d;
    const hie_bundle_t        *bundle;
    const hie_bundle_rules_t  *rules;
    apr_pool_t                *pool;
    step_t                    *steps;
    apr_time_t                 now;
    hie_error_t               *err;
} apply_t;


static const char *
entry_at(apply_t *a, int i, const char *element)
{
    return apr_psprintf(a->pool, "Bundle.entry[%d]%s", i, element);
}


/* Which interaction an entry is, and whether it is served here. */
static hie_rc_t
plan_step(apply_t *a, int i)
{
    step_t                    *s;
    hie_str_t                  own;
    const hie_bundle_entry_t  *e;

    s = &a->steps[i];
    e = &a->bundle->entries[i];
    s->entry = e;

    if (e->resource == HIE_NODE_NONE) {
        return hie_fail(a->err, HIE_UNPROCESSABLE, entry_at(a, i, ""),
                        "an entry without a resource is not served");
    }

    own = hie_doc_get(a->d, e->resource, "id", a->pool);
    if (hie_str_eqz(e->method, "POST") || e->method.len == 0) {
        s->condition = e->if_none_exist;
        s->fresh = true;
        if (a->rules->keep_ids && own.ptr != NULL) {
            s->id = own;
            s->fresh = false;
        }

        return HIE_OK;
    }

    if (!hie_str_eqz(e->method, "PUT")) {
        return hie_fail(a->err, HIE_UNPROCESSABLE,
                        entry_at(a, i, ".request.method"),
                        "%.*s is not served in a transaction: expected POST "
                        "or PUT", HIE_PRISTR(e->method));
    }

    if (e->query.ptr != NULL) {
        s->condition = e->query;
        s->fresh = true;
        return HIE_OK;
    }

    if (e->id.len == 0 || !hie_str_eq(own, e->id)) {
        return hie_fail(a->err, HIE_INVALID, entry_at(a, i, ".resource.id"),
                        "the resource's id must be that of request.url");
    }

    s->id = e->id;
    return HIE_OK;
}


/*
 * Transactions that search for the same must do it one after the other, or
 * each would find nothing and create.
 */
static hie_rc_t
lock_conditions(apply_t *a)
{
    int         i, n;
    uint64_t   *keys;
    hie_str_t   parts[3];

    keys = apr_palloc(a->pool, sizeof(uint64_t) * (size_t) a->bundle->n);
    for (i = 0, n = 0; i < a->bundle->n; i++) {
        if (a->steps[i].condition.ptr != NULL) {
            parts[0] = HIE_STR("condition");
            parts[1] = a->steps[i].entry->type;
            parts[2] = a->steps[i].condition;
            keys[n++] = hie_hash64_parts(parts, 3);
        }
    }

    return n > 0 ? hie_store_lock(a->tx, keys, n, a->err) : HIE_OK;
}


/* What a conditional entry looks for. */
static hie_rc_t
parse_condition(apply_t *a, int i, hie_query_t *query)
{
    step_t        *s;
    hie_rc_t       rc;
    hie_search_t   search;

    s = &a->steps[i];
    rc = hie_search_parse(a->rules->conf, s->entry->type, s->condition,
                          a->rules->base_url, true, a->pool, &search, a->err);
    if (rc == HIE_OK && search.query.n_ids + search.query.n_tokens
                        + search.query.n_strings == 0)
    {
        rc = hie_fail(a->err, HIE_PRECONDITION, "",
                      "the condition selects nothing in particular");
    }

    if (rc != HIE_OK) {
        return hie_fail(a->err, rc, entry_at(a, i, ".request"), "%s",
                        apr_pstrdup(a->pool, a->err->detail));
    }

    *query = search.query;
    query->count = 2;
    return HIE_OK;
}


/* What the search for it found. */
static hie_rc_t
take_found(apply_t *a, int i, const hie_found_t *found)
{
    step_t  *s;

    s = &a->steps[i];
    if (found->n > 1) {
        return hie_fail(a->err, HIE_PRECONDITION,
                        entry_at(a, i, ".request"),
                        "the condition matches more than one resource");
    }

    if (found->n == 1) {
        s->fresh = false;
        s->id = hie_str_dup(a->pool, found->rows[0].id);
        s->found = found->rows[0].version;
        s->updated = found->rows[0].updated;
    }

    return HIE_OK;
}


static hie_rc_t
resolve_conditions(apply_t *a)
{
    int           i, n;
    int          *steps;
    hie_rc_t      rc;
    hie_found_t  *found;
    hie_query_t  *queries;

    steps = apr_palloc(a->pool, sizeof(int) * (size_t) a->bundle->n);
    queries = apr_palloc(a->pool, sizeof(*queries) * (size_t) a->bundle->n);
    found = apr_palloc(a->pool, sizeof(*found) * (size_t) a->bundle->n);

    for (i = 0, n = 0; i < a->bundle->n; i++) {
        if (a->steps[i].condition.ptr == NULL) {
            continue;
        }

        rc = parse_condition(a, i, &queries[n]);
        if (rc != HIE_OK) {
            return rc;
        }

        steps[n++] = i;
    }

    rc = hie_store_find(a->tx, a->rules->visible, queries, n, found, a->err);
    for (i = 0; rc == HIE_OK && i < n; i++) {
        rc = take_found(a, steps[i], &found[i]);
    }

    return rc;
}


/* The order in which rows are locked, the same in every transaction. */
static int
by_place(const void *x, const void *y)
{
    int            c;
    size_t         n;
    const step_t  *a = *(const step_t *const *) x;
    const step_t  *b = *(const step_t *const *) y;

    if (!hie_str_eq(a->entry->type, b->entry->type)) {
        n = a->entry->type.len < b->entry->type.len ? a->entry->type.len
                                                    : b->entry->type.len;
        c = memcmp(a->entry->type.ptr, b->entry->type.ptr, n);
        return c != 0 ? c : (a->entry->type.len < b->entry->type.len ? -1
                                                                     : 1);
    }

    n = a->id.len < b->id.len ? a->id.len : b->id.len;
    c = memcmp(a->id.ptr, b->id.ptr, n);
    return c != 0 ? c : (a->id.len > b->id.len) - (a->id.len < b->id.len);
}


static hie_rc_t
lock_row(apply_t *a, step_t *s)
{
    int        i;
    bool       visible;
    hie_rc_t   rc;
    uint64_t   seen;
    hie_str_t  match, one;
    hie_row_t  row;

    i = (int) (s - a->steps);
    rc = hie_store_current(a->tx, a->rules->visible, s->entry->type, s->id,
                           &row, &visible, a->err);
    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        return rc;
    }

    if (rc == HIE_OK && !visible) {
        return hie_fail(a->err, HIE_NOT_FOUND, entry_at(a, i, ".request.url"),
                        "%.*s/%.*s is not known",
                        HIE_PRISTR(s->entry->type), HIE_PRISTR(s->id));
    }

    s->version = rc == HIE_OK ? row.version + 1 : 1;

    match = s->entry->if_match;
    if (match.ptr == NULL) {
        return HIE_OK;
    }

    one = hie_str_trim(match);
    if (hie_str_starts(one, "W/\"") && one.len > 4) {
        one = (hie_str_t) { one.ptr + 3, one.len - 4 };
    }

    if (!hie_str_u64(one, &seen) || (int64_t) seen != s->version - 1) {
        return hie_fail(a->err, HIE_PRECONDITION,
                        entry_at(a, i, ".request.ifMatch"),
                        "this is not the current version");
    }

    return HIE_OK;
}


/* Ids and versions: every entry knows its place after this. */
static hie_rc_t
resolve_steps(apply_t *a)
{
    int        i, n;
    char       id[HIE_ULID_LEN + 1];
    step_t    *s, **order;
    hie_rc_t   rc;

    rc = resolve_conditions(a);
    if (rc != HIE_OK) {
        return rc;
    }

    order = apr_palloc(a->pool, sizeof(step_t *) * (size_t) a->bundle->n);
    for (i = 0, n = 0; i < a->bundle->n; i++) {
        s = &a->steps[i];
        if (s->fresh) {
            hie_ulid(id);
            s->id = hie_str_dup(a->pool, hie_str(id));
            s->version = 1;

        } else if (s->found == 0 || hie_str_eqz(s->entry->method, "PUT")) {
            order[n++] = s;
        }
    }

    qsort(order, (size_t) n, sizeof(step_t *), by_place);
    for (i = 0; i < n; i++) {
        if (i > 0 && by_place(&order[i - 1], &order[i]) == 0) {
            return hie_fail(a->err, HIE_INVALID,
                            entry_at(a, (int) (order[i] - a->steps), ""),
                            "the resource is in the Bundle twice");
        }

        rc = lock_row(a, order[i]);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


/* A resource with its references resolved, ready for the store. */
static hie_rc_t
prepare_step(apply_t *a, int i, const hie_fhir_link_t *links, size_t n_links,
             hie_put_t *put)
{
    step_t     *s;
    hie_rc_t    rc;
    hie_str_t   bytes, type;
    hie_doc_t  *d;

    s = &a->steps[i];
    d = hie_doc_sub(a->pool, a->d, s->entry->resource);
    bytes = hie_fhir_relink(d, links, n_links, a->pool);
    if (bytes.ptr != hie_doc_bytes(d).ptr) {
        rc = hie_doc_parse(a->pool, bytes, a->rules->conf->fhir.max_depth,
                           &d, a->err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = hie_fhir_check(d, a->pool, &type, a->err);
    if (rc == HIE_OK && s->entry->type.len > 0
        && !hie_str_eq(type, s->entry->type))
    {
        rc = hie_fail(a->err, HIE_INVALID, "",
                      "the resource is not of the type in request.url");
    }

    if (rc == HIE_OK) {
        rc = hie_write_prepare(d, type, s->id, s->version, a->now,
                               a->rules->base_url, a->pool, put, a->err);
        put->method = hie_str_eqz(s->entry->method, "POST") ? HIE_BY_POST
                                                            : HIE_BY_PUT;
    }

    if (rc != HIE_OK) {
        hie_fail(a->err, rc, entry_at(a, i, ".resource"), "%s",
                 apr_pstrdup(a->pool, a->err->detail));
    }

    return rc;
}


static hie_fhir_link_t *
make_links(apply_t *a, size_t *n)
{
    int               i;
    step_t           *s;
    hie_fhir_link_t  *links;

    links = apr_palloc(a->pool,
                       sizeof(*links) * (size_t) (a->bundle->n + 1));
    for (i = 0, *n = 0; i < a->bundle->n; i++) {
        s = &a->steps[i];
        if (s->entry->full_url.len > 0) {
            links[*n].full_url = s->entry->full_url;
            links[(*n)++].reference =
                hie_str(apr_psprintf(a->pool, "%.*s/%.*s",
                                     HIE_PRISTR(s->entry->type),
                                     HIE_PRISTR(s->id)));
        }
    }

    return links;
}


static void
report(apply_t *a, hie_bundle_result_t *results)
{
    int      i;
    step_t  *s;

    for (i = 0; i < a->bundle->n; i++) {
        s = &a->steps[i];
        results[i].type = s->entry->type;
        results[i].id = s->id;
        results[i].status = s->version == 1 ? 201 : 200;
        results[i].version = s->version != 0 ? s->version : s->found;
        results[i].updated = s->version != 0 ? a->now : s->updated;
    }
}


hie_rc_t
hie_bundle_apply(hie_store_tx_t *tx, const hie_doc_t *d,
                 const hie_bundle_t *bundle, const hie_bundle_rules_t *rules,
                 apr_pool_t *pool, hie_bundle_result_t **results,
                 hie_error_t *err)
{
    int               i, n;
    size_t            n_links;
    apply_t           a;
    hie_rc_t          rc;
    hie_put_t        *puts;
    hie_fhir_link_t  *links;

    a = (apply_t) { tx, d, bundle, rules, pool, NULL, apr_time_now(), err };
    a.steps = apr_pcalloc(pool, sizeof(step_t) * (size_t) (bundle->n + 1));

    for (i = 0; i < bundle->n; i++) {
        rc = plan_step(&a, i);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = lock_conditions(&a);
    if (rc == HIE_OK) {
        rc = resolve_steps(&a);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    links = make_links(&a, &n_links);
    puts = apr_palloc(pool, sizeof(*puts) * (size_t) (bundle->n + 1));
    for (i = 0, n = 0; i < bundle->n; i++) {
        if (a.steps[i].version == 0) {
            continue;            /* a conditional create that found one */
        }

        rc = prepare_step(&a, i, links, n_links, &puts[n++]);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    *results = apr_pcalloc(pool, sizeof(**results) * (size_t) (bundle->n + 1));
    report(&a, *results);
    return n > 0 ? hie_store_put(tx, puts, n, err) : HIE_OK;
}


/*
 * Over HTTP.
 */

/* Every entry is an interaction of its own, and may be one that the
 * requester has no scope for. */
static hie_rc_t
permit_entries(hie_job_t *job, const hie_bundle_t *bundle)
{
    int        i;
    hie_rc_t   rc;
    hie_may_t  may;

    for (i = 0; i < bundle->n; i++) {
        may = hie_str_eqz(bundle->entries[i].method, "POST")
              ? HIE_MAY_CREATE : HIE_MAY_UPDATE;
        rc = hie_request_permit(job, may, bundle->entries[i].type);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


static hie_rc_t
apply_once(hie_job_t *job, const hie_doc_t *d, const hie_bundle_t *bundle,
           hie_bundle_result_t **results)
{
    hie_rc_t            rc;
    hie_store_tx_t     *tx;
    hie_bundle_rules_t  rules;

    rules = (hie_bundle_rules_t) { job->rt->config, &job->decision->visible,
                                   job->base_url, false };

    rc = hie_store_begin(job->rt->store, job->pool, &tx, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_bundle_apply(tx, d, bundle, &rules, job->pool, results,
                          &job->error);
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }

    return hie_store_commit(tx, &job->error);
}


static hie_rc_t
apply(hie_job_t *job, hie_str_t bytes, hie_bundle_t *bundle,
      hie_bundle_result_t **results)
{
    int                  i;
    hie_rc_t             rc;
    hie_doc_t           *d;
    const hie_config_t  *conf;

    conf = job->rt->config;
    rc = hie_doc_parse(job->pool, bytes, conf->fhir.max_depth, &d,
                       &job->error);
    if (rc == HIE_OK) {
        rc = hie_fhir_bundle(d, conf->fhir.max_entries, job->pool, bundle,
                             &job->error);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_str_eqz(bundle->type, "transaction")) {
        return hie_fail(&job->error, HIE_UNPROCESSABLE, "Bundle.type",
                        "expected \"transaction\"");
    }

    rc = permit_entries(job, bundle);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < TRIES; i++) {
        rc = apply_once(job, d, bundle, results);
        if (rc != HIE_CONFLICT) {
            break;
        }
    }

    return rc;
}


static void
add_result(hie_buf_t *b, hie_job_t *job, const hie_bundle_result_t *r)
{
    char  when[HIE_INSTANT_LEN + 1];

    hie_time_instant(when, r->updated);
    hie_buf_addf(b, "{\"response\":{\"status\":\"%s\",\"location\":\""
                 "%.*s/%.*s/_history/%" APR_INT64_T_FMT "\",\"etag\":"
                 "\"W/\\\"%" APR_INT64_T_FMT "\\\"\",\"lastModified\":"
                 "\"%s\"}}",
                 r->status == 201 ? "201 Created" : "200 OK",
                 HIE_PRISTR(r->type), HIE_PRISTR(r->id),
                 (apr_int64_t) r->version, (apr_int64_t) r->version, when);
}


hie_rc_t
hie_do_transaction(hie_job_t *job)
{
    int                   i;
    hie_rc_t              rc;
    hie_buf_t             b;
    hie_str_t             body;
    hie_bundle_t          bundle;
    hie_bundle_result_t  *results;

    rc = hie_request_body(job, &body);
    if (rc == HIE_OK) {
        rc = apply(job, body, &bundle, &results);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, job->pool, 256 + 192 * (size_t) bundle.n);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":"
                 "\"transaction-response\"");
    for (i = 0; i < bundle.n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        add_result(&b, job, &results[i]);
    }

    hie_buf_addz(&b, bundle.n > 0 ? "]}" : "}");
    job->audit.n_resources = bundle.n;
    hie_respond(job, 200, hie_buf_str(&b));
    return HIE_OK;
}


hie_rc_t
hie_do_create_one(hie_job_t *job, hie_str_t bytes)
{
    char                 *location;
    hie_rc_t              rc;
    hie_row_t             row;
    hie_bundle_t          bundle;
    hie_bundle_result_t  *r;

    rc = apply(job, bytes, &bundle, &r);
    if (rc == HIE_OK) {
        rc = hie_store_read(job->rt->store, &job->decision->visible, r->type,
                            r->id, r->version, job->pool, &row, &job->error);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    hie_respond(job, r->status, row.body);
    location = apr_psprintf(job->pool, "%.*s/%.*s/%.*s/_history/%"
                            APR_INT64_T_FMT, HIE_PRISTR(job->base_url),
                            HIE_PRISTR(r->type), HIE_PRISTR(r->id),
                            (apr_int64_t) r->version);
    hie_respond_header(job, "Location", hie_str(location));
    hie_respond_version(job, r->version, row.updated);
    job->audit.resource_id = r->id;
    job->audit.n_patients = row.n_patients;
    job->audit.patients = row.patients;
    job->audit.n_resources = 1;
    return HIE_OK;
}
