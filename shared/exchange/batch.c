/*
 * Entries of a Bundle that are requests of their own: all of a batch (FHIR R4
 * section 3.1.0.11.1), and the reads of a transaction. Each goes the way of a
 * request over HTTP, from its path to its answer, with the identity and the
 * decision of the one that brought it.
 */

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"

#define HEADERS_MAX  8

typedef struct {
    hie_job_t     *job;
    hie_header_t   headers[HEADERS_MAX];
} entry_t;


static void
add_header(entry_t *e, const char *name, hie_str_t value)
{
    hie_request_t  *r = &e->job->request;

    if (value.ptr != NULL) {
        e->headers[r->n_headers].name = hie_str(name);
        e->headers[r->n_headers++].value = value;
    }
}


static bool
parse_instant(hie_str_t text, apr_pool_t *pool, apr_time_t *out)
{
    char            sign = 'Z';
    int             hours = 0, minutes = 0, n = 0;
    const char     *z = hie_str_z(pool, text);
    apr_time_exp_t  t;

    memset(&t, 0, sizeof(t));
    if (sscanf(z, "%4d-%2d-%2dT%2d:%2d:%2d%n", &t.tm_year, &t.tm_mon,
               &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec, &n) != 6)
    {
        return false;
    }

    z += n + (z[n] == '.' ? 1 + strspn(z + n + 1, "0123456789") : 0);
    if (sscanf(z, "%c%2d:%2d", &sign, &hours, &minutes) < 1) {
        return false;
    }

    t.tm_year -= 1900;
    t.tm_mon--;
    t.tm_gmtoff = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return apr_time_exp_gmt_get(out, &t) == APR_SUCCESS;
}


/* The instant of an entry as the date of a header, which has seconds only. A
 * value that is none is passed on: it is ignored there, as RFC 9110 section
 * 13.1.3 wants. */
static hie_str_t
http_date(apr_pool_t *pool, hie_str_t instant)
{
    char        *out;
    apr_time_t   t;

    if (instant.ptr == NULL || !parse_instant(instant, pool, &t)) {
        return instant;
    }

    out = apr_palloc(pool, HIE_HTTP_DATE_LEN + 1);
    hie_time_http(out, t);
    return hie_str(out);
}


/* Nothing of a resource is sent back that was not asked for. */
static hie_str_t
prefer_of(const hie_job_t *job)
{
    if (hie_request_return(job) != HIE_RETURN_ANY) {
        return hie_request_header(&job->request, "Prefer");
    }

    return hie_request_lenient(job)
           ? HIE_STR("return=minimal, handling=lenient")
           : HIE_STR("return=minimal");
}


static void
make_request(hie_job_t *job, const hie_bundle_entry_t *e, hie_str_t media,
             hie_str_t body, entry_t *out)
{
    hie_str_t       url = e->url;
    hie_request_t  *r = &out->job->request;

    *r = job->request;
    r->method = e->method;
    r->path = hie_str_split(url, '?', &r->query);
    if (r->path.len == 0 || r->path.ptr[0] != '/') {
        r->path = hie_str(apr_psprintf(job->pool, "/%.*s",
                                       HIE_PRISTR(r->path)));
    }

    r->body = body;
    r->body_file = -1;
    r->headers = out->headers;
    r->n_headers = 0;
    add_header(out, "Accept", HIE_STR("application/fhir+json"));
    add_header(out, "Prefer", prefer_of(job));
    add_header(out, "If-Match", e->if_match);
    add_header(out, "If-None-Match", e->if_none_match);
    add_header(out, "If-None-Exist", e->if_none_exist);
    add_header(out, "If-Modified-Since",
               http_date(job->pool, e->if_modified_since));
    if (body.ptr != NULL) {
        add_header(out, "Content-Type",
                   media.ptr != NULL ? media
                                     : HIE_STR("application/fhir+json"));
    }
}


static hie_rc_t
serve(hie_job_t *job)
{
    hie_rc_t                      rc;
    const hie_interaction_def_t  *def;

    rc = hie_request_route(job);
    if (rc != HIE_OK) {
        return rc;
    }

    if (job->todo.what == HIE_DO_BUNDLE || job->todo.what == HIE_DO_OPTIONS) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "this is no interaction of an entry");
    }

    def = hie_interaction(job->todo.what);
    rc = hie_request_media(job);
    if (rc == HIE_OK && def->may != 0) {
        rc = hie_request_permit(job, def->may, job->todo.type);
    }

    if (rc == HIE_OK) {
        rc = def->serve(job);
    }

    return rc == HIE_OK ? hie_represent_part(job) : rc;
}


/* A list of so many has room for this many. */
static size_t
room_for(int n)
{
    size_t  room;

    if (n == 0) {
        return 0;
    }

    for (room = 16; room < (size_t) n; room *= 2) {
        /* void */
    }

    return room;
}


/* One record stands for all entries: whose data any of them was about. */
static void
merge_audit(hie_audit_row_t *all, const hie_audit_row_t *one,
            apr_pool_t *pool)
{
    int        n;
    uint64_t  *patients;

    all->n_resources += one->n_resources;
    if (hie_str_eqz(one->decision, "deny")) {
        all->decision = one->decision;
    }

    if (one->n_patients == 0
        || (one->n_patients == 1 && all->n_patients > 0
            && all->patients[all->n_patients - 1] == one->patients[0]))
    {
        return;
    }

    n = all->n_patients + one->n_patients;
    if (room_for(n) > room_for(all->n_patients)) {
        patients = apr_palloc(pool, sizeof(*patients) * room_for(n));
        if (all->n_patients > 0) {
            memcpy(patients, all->patients,
                   sizeof(*patients) * (size_t) all->n_patients);
        }

        all->patients = patients;
    }

    memcpy(all->patients + all->n_patients, one->patients,
           sizeof(*patients) * (size_t) one->n_patients);
    all->n_patients = n;
}


hie_job_t *
hie_entry_serve(hie_job_t *job, const hie_bundle_entry_t *e, hie_str_t media,
                hie_str_t body)
{
    hie_rc_t    rc;
    entry_t    *entry;
    hie_job_t  *sub;

    entry = apr_pcalloc(job->pool, sizeof(*entry));
    sub = apr_pcalloc(job->pool, sizeof(*sub));
    entry->job = sub;
    sub->pool = job->pool;
    sub->rt = job->rt;
    sub->principal = job->principal;
    sub->decision = job->decision;
    sub->base_url = job->base_url;
    sub->entry = true;
    sub->sent = job->sent;
    make_request(job, e, media, body, entry);

    rc = serve(sub);
    if (rc != HIE_OK) {
        if (rc == HIE_FORBIDDEN) {
            sub->audit.decision = HIE_STR("deny");
        }

        hie_respond_error(sub, &sub->error);
    }

    merge_audit(&job->audit, &sub->audit, job->pool);
    return sub;
}


/*
 * The answer.
 */

static hie_str_t
header_of(const hie_job_t *job, const char *name)
{
    int  i;

    for (i = 0; i < job->response.n_headers; i++) {
        if (hie_str_ieqz(job->response.headers[i].name, name)) {
            return job->response.headers[i].value;
        }
    }

    return HIE_STR_NONE;
}


/* The reason phrases of RFC 9110 section 15 that are used. */
static const char *
reason(int status)
{
    static const struct {
        int          status;
        const char  *text;
    } reasons[] = {
        { 200, "OK" }, { 201, "Created" }, { 204, "No Content" },
        { 304, "Not Modified" }, { 400, "Bad Request" },
        { 403, "Forbidden" }, { 404, "Not Found" },
        { 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
        { 409, "Conflict" }, { 410, "Gone" },
        { 412, "Precondition Failed" }, { 413, "Content Too Large" },
        { 415, "Unsupported Media Type" }, { 422, "Unprocessable Content" },
        { 500, "Internal Server Error" }, { 503, "Service Unavailable" }
    };

    size_t  i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }

    return "";
}


/* Is it the resource of its path, and not a Bundle about it? */
static bool
is_instance(const hie_interaction_t *todo)
{
    return todo->id.len > 0 && todo->what != HIE_DO_HISTORY
           && todo->what != HIE_DO_SEARCH_COMPARTMENT
           && todo->what != HIE_DO_OPERATION;
}


static void
add_resource(hie_buf_t *b, const hie_job_t *entry)
{
    hie_str_t  type, base = entry->base_url;

    if (is_instance(&entry->todo)) {
        type = entry->todo.type;
        hie_buf_addf(b, "\"fullUrl\":\"%.*s/%.*s/%.*s\",", HIE_PRISTR(base),
                     HIE_PRISTR(type), HIE_PRISTR(entry->todo.id));
    }

    hie_buf_addz(b, "\"resource\":");
    hie_buf_adds(b, entry->response.body);
    hie_buf_addc(b, ',');
}


static void
add_text(hie_buf_t *b, const char *name, hie_str_t value)
{
    if (value.len > 0) {
        hie_buf_addf(b, ",\"%s\":", name);
        hie_buf_add_json(b, value);
    }
}


/* Relative to the base, as in the answer to a transaction. */
static hie_str_t
location_of(const hie_job_t *entry)
{
    size_t     base = entry->base_url.len + 1;
    hie_str_t  location;

    location = header_of(entry, "Location");
    if (location.ptr == NULL) {
        location = header_of(entry, "Content-Location");
    }

    if (location.len > base) {
        location.ptr += base;
        location.len -= base;
    }

    return location;
}


void
hie_entry_add(hie_buf_t *b, hie_job_t *job, const hie_job_t *entry,
              const char *method)
{
    bool                   outcome;
    char                   when[HIE_INSTANT_LEN + 1];
    const hie_response_t  *r = &entry->response;

    outcome = r->status >= 400
              || (hie_request_return(job) == HIE_RETURN_OUTCOME
                  && strcmp(method, "GET") != 0);

    hie_buf_addc(b, '{');
    if (!outcome && r->body.len > 0 && strcmp(method, "HEAD") != 0) {
        add_resource(b, entry);
    }

    hie_buf_addf(b, "\"response\":{\"status\":\"%d %s\"", r->status,
                 reason(r->status));
    add_text(b, "location", location_of(entry));
    add_text(b, "etag", header_of(entry, "ETag"));
    if (entry->updated != 0) {
        hie_time_instant(when, entry->updated);
        add_text(b, "lastModified", hie_str(when));
    }

    if (outcome && r->body.len > 0) {
        hie_buf_addz(b, ",\"outcome\":");
        hie_buf_adds(b, r->body);
    }

    hie_buf_addz(b, "}}");
}


/*
 * A batch.
 */

/* What the batch creates, by fullUrl. */
static hie_fhir_link_t *
make_links(const hie_bundle_t *bundle, apr_pool_t *pool, size_t *n)
{
    int                        i;
    hie_fhir_link_t           *links;
    const hie_bundle_entry_t  *e;

    links = apr_palloc(pool, sizeof(*links) * (size_t) (bundle->n + 1));
    for (i = 0, *n = 0; i < bundle->n; i++) {
        e = &bundle->entries[i];
        if (hie_entry_rank(e) == 1 && e->full_url.len > 0) {
            links[*n].full_url = e->full_url;
            links[(*n)++].reference = HIE_STR("-");
        }
    }

    hie_fhir_links_sort(links, *n);
    return links;
}


/* R4 section 3.1.0.11.1: an entry that refers to another of the batch cannot
 * know where it will be. */
static bool
refers(const hie_doc_t *d, hie_node_t resource, const hie_fhir_link_t *links,
       size_t n, apr_pool_t *pool)
{
    hie_doc_t  *one = hie_doc_sub(pool, d, resource);

    return hie_fhir_relink(one, links, n, pool).ptr != hie_doc_bytes(one).ptr;
}


static hie_job_t *
refuse(hie_job_t *job, int i)
{
    hie_job_t  *sub;

    sub = apr_pcalloc(job->pool, sizeof(*sub));
    sub->pool = job->pool;
    sub->rt = job->rt;
    sub->base_url = job->base_url;
    hie_fail(&sub->error, HIE_INVALID,
             apr_psprintf(job->pool, "Bundle.entry[%d].resource", i),
             "it refers to another entry; in a batch every entry stands for "
             "itself");
    hie_respond_error(sub, &sub->error);
    return sub;
}


static hie_job_t *
serve_entry(hie_job_t *job, const hie_doc_t *d, const hie_bundle_t *bundle,
            int i, const hie_fhir_link_t *links, size_t n)
{
    hie_str_t                  media, body, type;
    const hie_bundle_entry_t  *e = &bundle->entries[i];

    media = HIE_STR_NONE;
    body = HIE_STR_NONE;
    if (e->resource != HIE_NODE_NONE) {
        body = hie_doc_raw(d, e->resource);
        if (refers(d, e->resource, links, n, job->pool)) {
            return refuse(job, i);
        }
    }

    type = hie_doc_get(d, e->resource, "resourceType", job->pool);
    if (hie_str_eqz(e->method, "PATCH") && hie_str_eqz(type, "Binary")) {
        media = hie_doc_get(d, e->resource, "contentType", job->pool);
        if (!hie_write_base64(hie_doc_get(d, e->resource, "data", job->pool),
                            job->pool, &body))
        {
            body = HIE_STR("");
        }
    }

    return hie_entry_serve(job, e, media, body);
}


hie_rc_t
hie_do_batch(hie_job_t *job, const hie_doc_t *d, const hie_bundle_t *bundle)
{
    int               i, rank;
    char             *method;
    size_t            n;
    hie_buf_t         b;
    hie_job_t       **done;
    hie_fhir_link_t  *links;

    job->todo.what = HIE_DO_BATCH;
    links = make_links(bundle, job->pool, &n);
    done = apr_pcalloc(job->pool, sizeof(*done) * (size_t) (bundle->n + 1));
    for (rank = 0; rank < HIE_ENTRY_RANKS; rank++) {
        for (i = 0; i < bundle->n; i++) {
            if (hie_entry_rank(&bundle->entries[i]) == rank) {
                done[i] = serve_entry(job, d, bundle, i, links, n);
            }
        }
    }

    hie_buf_init(&b, job->pool, 4096);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":"
                 "\"batch-response\"");
    for (i = 0; i < bundle->n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        method = hie_str_z(job->pool, bundle->entries[i].method);
        hie_entry_add(&b, job, done[i], method);
    }

    hie_buf_addz(&b, bundle->n > 0 ? "]}" : "}");
    hie_respond(job, 200, hie_buf_str(&b));
    return HIE_OK;
}
