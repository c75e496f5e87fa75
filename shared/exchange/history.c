/*
 * history of an instance, a type and the system (FHIR R4 section 3.1.0.14).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"

typedef struct {
    hie_job_t      *job;
    hie_history_t   query;
    hie_types_t     types;
    hie_str_t       path;        /* of the links, below the base */
    hie_str_t       used;        /* the query string without the cursor */
    hie_str_t       cursor;
} history_t;

/* Time, rid and version of a row. */
#define PLACE  24


/* R4: the versions that were current at some time within the value. What is
 * written with a fraction of a second is one instant, with the precision
 * that lastUpdated has. */
static hie_rc_t
set_at(history_t *h, hie_str_t name, hie_str_t value)
{
    hie_rc_t    rc;
    apr_time_t  first, after;

    rc = hie_query_time(h->job, name, value, &first, &after);
    if (rc != HIE_OK) {
        return rc;
    }

    if (after - first < APR_USEC_PER_SEC) {
        after = first - first % 1000 + 1000;
        first = after - 1;
    }

    h->query.until = after;
    h->query.current = first;
    return HIE_OK;
}


static hie_rc_t
set_sort(history_t *h, hie_str_t name, hie_str_t value)
{
    if (hie_str_eqz(value, "-_lastUpdated") || hie_str_eqz(value, "none")) {
        return HIE_OK;
    }

    if (hie_str_eqz(value, "_lastUpdated")) {
        h->query.ascending = true;
        return HIE_OK;
    }

    return hie_query_bad(h->job, name, "_lastUpdated or -_lastUpdated");
}


static hie_rc_t
set_param(void *baton, hie_str_t name, hie_str_t value)
{
    history_t   *h = baton;
    apr_time_t   unused;

    if (hie_str_eqz(name, "_since")) {
        return hie_query_time(h->job, name, value, &h->query.since, &unused);
    }

    if (hie_str_eqz(name, "_at")) {
        return set_at(h, name, value);
    }

    if (hie_str_eqz(name, "_count")) {
        return hie_query_count(h->job, name, value,
                               h->job->rt->config->fhir.max_count,
                               &h->query.count);
    }

    if (hie_str_eqz(name, "_summary") && hie_str_eqz(value, "count")) {
        h->query.count = 0;
        return HIE_OK;
    }

    if (hie_str_eqz(name, "_sort")) {
        return set_sort(h, name, value);
    }

    if (hie_str_eqz(name, "_cursor")) {
        h->cursor = value;
        return HIE_OK;
    }

    return HIE_NOT_FOUND;
}


static void
put_place(unsigned char out[PLACE], const hie_history_place_t *place)
{
    hie_place_put(out, place->updated);
    hie_place_put(out + 8, place->rid);
    hie_place_put(out + 16, place->version);
}


static hie_rc_t
open_cursor(history_t *h)
{
    hie_rc_t       rc;
    unsigned char  place[PLACE];

    if (h->cursor.ptr == NULL) {
        return HIE_OK;
    }

    rc = hie_place_open(h->job, h->path, h->used, h->cursor, place, PLACE,
                        &h->job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    h->query.has_after = true;
    h->query.after.updated = hie_place_get(place);
    h->query.after.rid = hie_place_get(place + 8);
    h->query.after.version = hie_place_get(place + 16);
    return HIE_OK;
}


/*
 * The Bundle.
 */

static const char *
method_name(const hie_row_t *row)
{
    switch (row->method) {
    case HIE_BY_POST:
        return "POST";

    case HIE_BY_DELETE:
        return "DELETE";

    case HIE_BY_PATCH:
        return "PATCH";

    case HIE_BY_PUT:
        break;
    }

    return "PUT";
}


/* What was answered then, as far as it can be told from the version. */
static const char *
status_text(const hie_row_t *row)
{
    if (row->deleted) {
        return "204 No Content";
    }

    return row->version == 1 ? "201 Created" : "200 OK";
}


static void
add_version(hie_buf_t *b, hie_job_t *job, const hie_row_t *row)
{
    char  instant[HIE_INSTANT_LEN + 1];

    hie_time_instant(instant, row->updated);

    hie_buf_addz(b, "{\"fullUrl\":");
    hie_page_full_url(b, job, row);
    if (!row->deleted) {
        hie_buf_addz(b, ",\"resource\":");
        hie_buf_adds(b, row->body);
    }

    hie_buf_addf(b, ",\"request\":{\"method\":\"%s\",\"url\":\"%.*s",
                 method_name(row), HIE_PRISTR(row->type));
    if (row->method != HIE_BY_POST) {
        hie_buf_addf(b, "/%.*s", HIE_PRISTR(row->id));
    }

    hie_buf_addf(b, "\"},\"response\":{\"status\":\"%s\",\"etag\":"
                 "\"W/\\\"%" APR_INT64_T_FMT "\\\"\",\"lastModified\":"
                 "\"%s\"}}", status_text(row), (apr_int64_t) row->version,
                 instant);
}


static hie_rc_t
history_bundle(history_t *h, const hie_versions_t *found, hie_str_t *out)
{
    int             i;
    size_t          size;
    hie_rc_t        rc;
    hie_buf_t       b;
    hie_str_t       cursor;
    hie_job_t      *job;
    unsigned char   place[PLACE];

    job = h->job;
    for (i = 0, size = 1024; i < found->n; i++) {
        size += found->rows[i].body.len + 512;
    }

    hie_buf_init(&b, job->pool, size);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":\"history\"");
    if (found->total >= 0) {
        hie_buf_addf(&b, ",\"total\":%" APR_INT64_T_FMT,
                     (apr_int64_t) found->total);
    }

    hie_buf_addz(&b, ",\"link\":[");
    hie_page_link(&b, job, "self", h->path, h->used, h->cursor);
    if (found->more) {
        put_place(place, &found->next);
        rc = hie_place_seal(job, h->path, h->used, place, PLACE, &cursor,
                            &job->error);
        if (rc != HIE_OK) {
            return rc;
        }

        hie_buf_addc(&b, ',');
        hie_page_link(&b, job, "next", h->path, h->used, cursor);
    }

    hie_buf_addc(&b, ']');
    for (i = 0; i < found->n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        add_version(&b, job, &found->rows[i]);
    }

    hie_buf_addz(&b, found->n > 0 ? "]}" : "}");
    *out = hie_buf_str(&b);
    return HIE_OK;
}


static hie_rc_t
parse_query(history_t *h)
{
    hie_rc_t  rc;

    h->query.count = h->job->rt->config->fhir.default_count;
    rc = hie_query_walk(h->job, h->job->todo.query, set_param, h, &h->used);
    return rc == HIE_OK ? open_cursor(h) : rc;
}


static hie_rc_t
serve_history(history_t *h)
{
    hie_rc_t         rc;
    hie_str_t        body;
    hie_job_t       *job;
    hie_versions_t   found;

    job = h->job;
    h->query.n_types = h->types.n;
    h->query.types = h->types.names;

    rc = hie_store_history(job->rt->store, &job->decision->visible, &h->query,
                           job->pool, &found, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (h->cursor.ptr == NULL && !found.more && h->query.count > 0) {
        found.total = found.n;   /* all of it is here: known for nothing */
    }

    if (h->query.id.len > 0 && found.total == 0) {
        rc = hie_read_exists(job);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = history_bundle(h, &found, &body);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_audit_rows(job, found.rows, found.n);
    hie_respond(job, 200, body);
    return HIE_OK;
}


hie_rc_t
hie_do_history(hie_job_t *job)
{
    hie_rc_t    rc;
    history_t   h;

    memset(&h, 0, sizeof(h));
    h.job = job;
    h.query.id = job->todo.id;
    h.types.names[h.types.n++] = job->todo.type;
    h.path = hie_str(apr_psprintf(job->pool, "%.*s/%.*s/_history",
                                  HIE_PRISTR(job->todo.type),
                                  HIE_PRISTR(job->todo.id)));
    rc = parse_query(&h);
    return rc == HIE_OK ? serve_history(&h) : rc;
}


/* To see what was written one must be allowed to look for it and to read
 * it. */
hie_rc_t
hie_do_history_type(hie_job_t *job)
{
    hie_rc_t    rc;
    history_t   h;

    rc = hie_request_permit(job, HIE_MAY_READ, job->todo.type);
    if (rc != HIE_OK) {
        return rc;
    }

    memset(&h, 0, sizeof(h));
    h.job = job;
    h.types.names[h.types.n++] = job->todo.type;
    h.path = hie_str(apr_psprintf(job->pool, "%.*s/_history",
                                  HIE_PRISTR(job->todo.type)));
    rc = parse_query(&h);
    return rc == HIE_OK ? serve_history(&h) : rc;
}


/* What the token does not cover is as if it did not exist. */
hie_rc_t
hie_do_history_system(hie_job_t *job)
{
    hie_rc_t    rc;
    history_t   h;

    memset(&h, 0, sizeof(h));
    h.job = job;
    h.path = HIE_STR("_history");
    hie_types_permitted(job, HIE_MAY_READ | HIE_MAY_SEARCH, &h.types);
    if (h.types.n == 0) {
        return hie_fail(&job->error, HIE_FORBIDDEN, "",
                        "the token's scopes do not include this interaction");
    }

    rc = parse_query(&h);
    return rc == HIE_OK ? serve_history(&h) : rc;
}
