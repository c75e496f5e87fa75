/*
 * $everything of a patient, of all patients, and of an encounter (FHIR R4,
 * OperationDefinition Patient-everything and Encounter-everything). The
 * Bundle is put together from the bytes that are stored.
 */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "exchange/operation.h"
#include "fhir/search_params.h"

/* Whose patient, and class and rid in what is about them. */
#define PLACE  24

/* The class behind the last one: a patient of whom all is there. */
#define DONE   3

/* Patients on one page of those of all patients. */
#define PATIENTS_MAX  100

typedef struct {
    hie_job_t           *job;
    hie_everything_t     query;
    hie_types_t          may;
    hie_types_t          support;
    hie_types_t          want;
    hie_str_t            path;
    hie_str_t            used;
    hie_str_t            cursor;
    int                  count;

    apr_pool_t          *pool;       /* of the rows: until they are copied */
    apr_array_header_t  *rows;       /* hie_row_t */
    apr_array_header_t  *classes;    /* int */
    apr_hash_t          *seen;       /* "Type/id", of several patients */
    bool                 self;
    bool                 more;
    int64_t              patient;    /* rid; place of the next page */
    int                  class;
    int64_t              rid;
} everything_t;


static hie_rc_t
set_param(void *baton, hie_str_t name, hie_str_t value)
{
    hie_job_t     *job;
    apr_time_t     unused;
    everything_t  *e = baton;

    job = e->job;
    if (hie_str_eqz(name, "_since")) {
        return hie_query_time(job, name, value, &e->query.since, &unused);
    }

    if (hie_str_eqz(name, "start")
        && hie_str_eqz(job->todo.type, "Patient"))
    {
        return hie_query_time(job, name, value, &e->query.from, &unused);
    }

    if (hie_str_eqz(name, "end") && hie_str_eqz(job->todo.type, "Patient")) {
        return hie_query_time(job, name, value, &unused, &e->query.until);
    }

    if (hie_str_eqz(name, "_type")) {
        return hie_query_types(job, name, value, &e->want);
    }

    if (hie_str_eqz(name, "_count")) {
        return hie_query_count(job, name, value,
                               job->rt->config->fhir.everything_max,
                               &e->count);
    }

    if (hie_str_eqz(name, "_cursor")) {
        e->cursor = value;
        return HIE_OK;
    }

    return HIE_NOT_FOUND;
}


/* What the token covers, what of it is outside of the compartment, and what
 * is asked for. */
static hie_rc_t
set_types(everything_t *e)
{
    int                           i;
    size_t                        k, n;
    hie_type_t                    type;
    const hie_compartment_row_t  *rows;

    hie_types_permitted(e->job, HIE_MAY_READ | HIE_MAY_SEARCH, &e->may);
    if (!hie_types_has(&e->may, e->job->todo.type)) {
        return hie_fail(&e->job->error, HIE_FORBIDDEN, "",
                        "the token's scopes do not include this interaction");
    }

    /* Both are in the order of the names. */
    rows = hie_compartment_of(HIE_TYPE_Patient, HIE_TYPE_NONE, &n);
    for (i = 0, k = 0; i < e->may.n; i++) {
        type = hie_type_find(e->may.names[i]);
        for ( ; k < n && rows[k].type < type; k++) {
            /* void */
        }

        if (type != HIE_TYPE_Patient && (k == n || rows[k].type != type)) {
            e->support.names[e->support.n++] = e->may.names[i];
        }
    }

    e->query.may_all = hie_fhir_type((size_t) e->may.n) == NULL;
    e->query.want_all = e->want.n == 0;
    e->query.n_may = e->may.n;
    e->query.may = e->may.names;
    e->query.n_support = e->support.n;
    e->query.support = e->support.names;
    e->query.n_want = e->want.n;
    e->query.want = e->want.names;
    return HIE_OK;
}


static hie_rc_t
open_cursor(everything_t *e)
{
    hie_rc_t       rc;
    unsigned char  place[PLACE];

    e->rid = -1;
    if (e->cursor.ptr == NULL) {
        return HIE_OK;
    }

    rc = hie_place_open(e->job, e->path, e->used, e->cursor, place, PLACE,
                        &e->job->error);
    if (rc == HIE_OK) {
        e->patient = hie_place_get(place);
        e->class = (int) hie_place_get(place + 8);
        e->rid = hie_place_get(place + 16);
    }

    return rc;
}


static bool
is_new(everything_t *e, const hie_row_t *row)
{
    char  *key;

    if (e->seen == NULL) {
        return true;
    }

    key = apr_psprintf(e->job->pool, "%.*s/%.*s", HIE_PRISTR(row->type),
                       HIE_PRISTR(row->id));
    if (apr_hash_get(e->seen, key, APR_HASH_KEY_STRING) != NULL) {
        return false;
    }

    apr_hash_set(e->seen, key, APR_HASH_KEY_STRING, key);
    return true;
}


/* Of one patient they are taken as they are. */
static void
take_found(everything_t *e, const hie_all_t *found)
{
    int  i;

    if (e->seen == NULL) {
        e->rows->elts = (char *) found->rows;
        e->rows->nelts = e->rows->nalloc = found->n;
        e->classes->elts = (char *) found->classes;
        e->classes->nelts = e->classes->nalloc = found->n;
        return;
    }

    for (i = 0; i < found->n; i++) {
        if (is_new(e, &found->rows[i])) {
            APR_ARRAY_PUSH(e->rows, hie_row_t) = found->rows[i];
            APR_ARRAY_PUSH(e->classes, int) = found->classes[i];
        }
    }
}


/* A part of what is about one patient or encounter, as far as the page has
 * room. */
static hie_rc_t
gather(everything_t *e)
{
    hie_rc_t    rc;
    hie_all_t   found;
    hie_job_t  *job;

    job = e->job;
    e->query.count = e->count - e->rows->nelts;
    e->query.after_class = e->class;
    e->query.after_rid = e->rid;
    rc = hie_store_everything(job->rt->store, &job->decision->visible,
                              &e->query, e->pool, &found, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    take_found(e, &found);
    e->self = found.self;
    e->more = found.more;
    e->class = found.more ? found.next_class : DONE;
    e->rid = found.more ? found.next_rid : 0;
    return HIE_OK;
}


/* The resource itself, as a read would find it. */
static hie_rc_t
read_self(everything_t *e, hie_row_t *row)
{
    hie_rc_t    rc;
    hie_job_t  *job;

    job = e->job;
    rc = hie_store_read(job->rt->store, &job->decision->visible,
                        job->todo.type, job->todo.id, 0, job->pool, row,
                        &job->error);
    return rc == HIE_NOT_FOUND ? hie_do_read_answer(job, rc, row) : rc;
}


/* The key of a patient follows from the id; most often what is gathered tells
 * that there is one. */
static hie_rc_t
gather_patient(everything_t *e)
{
    hie_rc_t   rc;
    uint64_t   patient;
    hie_row_t  row;

    patient = hie_fhir_patient_key(e->job->todo.id);
    e->query.patients = apr_pmemdup(e->job->pool, &patient, sizeof(patient));
    e->query.n_patients = 1;
    rc = gather(e);
    return rc == HIE_OK && !e->self ? read_self(e, &row) : rc;
}


static hie_rc_t
gather_encounter(everything_t *e)
{
    hie_rc_t   rc;
    hie_row_t  row;

    rc = read_self(e, &row);
    e->query.patients = row.patients;
    e->query.n_patients = row.n_patients;
    return rc == HIE_OK ? gather(e) : rc;
}


/* The next visible patients from this place on. */
static hie_rc_t
next_patients(everything_t *e, int64_t after, int n, hie_found_t *found)
{
    hie_str_t    types[1] = { HIE_STR("Patient") };
    hie_place_t  place = { .rid = after };
    hie_query_t  q = { .n_types = 1, .types = types, .count = n,
                       .after = &place };

    return hie_store_search(e->job->rt->store, &e->job->decision->visible,
                            &q, e->job->pool, found, &e->job->error);
}


/* One patient after the other, until the page is full. A patient of whom a
 * part is on the page before is begun where that ended. */
static hie_rc_t
gather_all(everything_t *e)
{
    int           i;
    bool          full;
    hie_rc_t      rc;
    uint64_t      patient;
    hie_found_t   found;

    rc = next_patients(e, e->patient - (e->class < DONE), PATIENTS_MAX,
                       &found);
    full = false;
    for (i = 0; rc == HIE_OK && !full && i < found.n; i++) {
        if (found.rows[i].rid != e->patient) {
            e->patient = found.rows[i].rid;
            e->class = 0;
            e->rid = -1;
        }

        patient = hie_fhir_patient_key(found.rows[i].id);
        e->query.id = found.rows[i].id;
        e->query.patients = apr_pmemdup(e->job->pool, &patient,
                                        sizeof(patient));
        e->query.n_patients = 1;
        rc = gather(e);
        full = e->more || e->rows->nelts >= e->count;
    }

    if (rc == HIE_OK && !e->more) {
        e->more = i < found.n || found.more;
    }

    return rc;
}


/*
 * The Bundle.
 */

/* `base` is how every entry begins; type and id need no escapes. */
static void
add_entry(hie_buf_t *b, hie_str_t base, const hie_row_t *row, int class)
{
    hie_buf_adds(b, base);
    hie_buf_adds(b, row->type);
    hie_buf_addc(b, '/');
    hie_buf_adds(b, row->id);
    hie_buf_adds(b, HIE_STR("\",\"resource\":"));
    hie_buf_adds(b, row->body);
    hie_buf_adds(b, HIE_STR(",\"search\":{\"mode\":\""));
    hie_buf_adds(b, class < 2 ? HIE_STR("match\"}}")
                              : HIE_STR("include\"}}"));
}


static hie_rc_t
add_links(hie_buf_t *b, everything_t *e)
{
    hie_rc_t       rc;
    hie_str_t      cursor;
    unsigned char  place[PLACE];

    hie_buf_addz(b, ",\"link\":[");
    hie_page_link(b, e->job, "self", e->path, e->used, e->cursor);
    if (e->more) {
        hie_place_put(place, e->patient);
        hie_place_put(place + 8, e->class);
        hie_place_put(place + 16, e->rid);
        rc = hie_place_seal(e->job, e->path, e->used, place, PLACE, &cursor,
                            &e->job->error);
        if (rc != HIE_OK) {
            return rc;
        }

        hie_buf_addc(b, ',');
        hie_page_link(b, e->job, "next", e->path, e->used, cursor);
    }

    hie_buf_addc(b, ']');
    return HIE_OK;
}


static hie_rc_t
everything_bundle(everything_t *e, hie_str_t *out)
{
    int               i, n, matches;
    size_t            size;
    hie_rc_t          rc;
    hie_buf_t         b, base;
    const int        *classes;
    const hie_row_t  *rows;

    n = e->rows->nelts;
    rows = (const hie_row_t *) e->rows->elts;
    classes = (const int *) e->classes->elts;
    size = 2048 + e->used.len + (size_t) n * (e->job->base_url.len + 256);
    for (i = 0, matches = 0; i < n; i++) {
        size += rows[i].body.len;
        matches += classes[i] < 2;
    }

    hie_buf_init(&b, e->job->pool, size);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"");
    if (e->cursor.ptr == NULL && !e->more) {
        hie_buf_addf(&b, ",\"total\":%d", matches);
    }

    rc = add_links(&b, e);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&base, e->job->pool, 128);
    hie_buf_addz(&base, "{\"fullUrl\":");
    hie_buf_add_json(&base, e->job->base_url);
    base.ptr[base.len - 1] = '/';        /* for the closing quote */

    for (i = 0; i < n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        add_entry(&b, hie_buf_str(&base), &rows[i], classes[i]);
    }

    hie_buf_addz(&b, n > 0 ? "]}" : "}");
    *out = hie_buf_str(&b);
    return HIE_OK;
}


static hie_rc_t
parse_query(everything_t *e)
{
    hie_rc_t    rc;
    hie_str_t   query;
    hie_job_t  *job;

    job = e->job;
    e->count = job->rt->config->fhir.everything_max;
    e->path = hie_str(apr_pstrcat(job->pool, hie_str_z(job->pool,
                                                       job->todo.type), "/",
                                  hie_str_z(job->pool, job->todo.id),
                                  job->todo.id.len > 0 ? "/" : "",
                                  "$everything", NULL));
    rc = hie_operation_query(job, &query);
    if (rc == HIE_OK) {
        rc = hie_query_walk(job, query, set_param, e, &e->used);
    }

    if (rc == HIE_OK && e->count == 0) {
        rc = hie_query_bad(job, HIE_STR("_count"), "at least 1");
    }

    return rc == HIE_OK ? open_cursor(e) : rc;
}


hie_rc_t
hie_do_everything(hie_job_t *job)
{
    hie_rc_t       rc;
    hie_str_t      body;
    everything_t  *e;

    e = apr_pcalloc(job->pool, sizeof(*e));
    e->job = job;
    e->query.type = job->todo.type;
    e->query.base = job->base_url;
    apr_pool_create(&e->pool, job->pool);
    e->rows = apr_array_make(e->pool, 64, sizeof(hie_row_t));
    e->classes = apr_array_make(e->pool, 64, sizeof(int));
    rc = parse_query(e);
    if (rc == HIE_OK) {
        rc = set_types(e);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    e->query.id = job->todo.id;
    if (hie_str_eqz(job->todo.type, "Encounter")) {
        rc = gather_encounter(e);
    } else if (job->todo.id.len > 0) {
        rc = gather_patient(e);
    } else {
        e->seen = apr_hash_make(job->pool);
        rc = gather_all(e);
    }

    if (rc == HIE_OK) {
        rc = everything_bundle(e, &body);
    }

    if (rc == HIE_OK) {
        hie_audit_rows(job, (const hie_row_t *) e->rows->elts,
                       e->rows->nelts);
        hie_respond(job, 200, body);
    }

    /* By whoever has them in the processor's cache. */
    apr_pool_destroy(e->pool);
    return rc;
}
