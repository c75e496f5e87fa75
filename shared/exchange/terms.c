/*
 * Terms out of the store: what the terminology room asks for by canonical URL.
 */

#include "exchange/terms.h"

#include <string.h>

#include <apr_strings.h>

#include "ucum/ucum.h"

/* Versions of one canonical URL, concept maps to try, and URLs that one
 * request may have looked for. */
#define VERSIONS_MAX  50
#define MAPS_MAX      100
#define LOOKS_MAX     200

static const char *const  kinds[] = {
    [HIE_TERM_CODE_SYSTEM] = "CodeSystem",
    [HIE_TERM_VALUE_SET] = "ValueSet",
    [HIE_TERM_CONCEPT_MAP] = "ConceptMap"
};


static hie_rc_t
add_row(hie_terms_t *t, const hie_row_t *row, hie_str_t body,
        const hie_term_t **out, hie_error_t *err)
{
    hie_rc_t     rc;
    hie_doc_t   *d;
    hie_error_t  why;

    APR_ARRAY_PUSH(t->rows, hie_row_t) = *row;
    rc = hie_doc_parse(t->ask.pool, body, t->ask.conf->fhir.max_depth, &d,
                       &why);
    if (rc == HIE_OK) {
        rc = hie_term_compile(t->ask.pool, d, 0, out, &why);
    }

    return rc == HIE_OK ? rc
           : hie_fail(err, HIE_UNPROCESSABLE, "",
                      "%.*s/%.*s cannot be used: %s: %s",
                      HIE_PRISTR(row->type), HIE_PRISTR(row->id), why.where,
                      why.detail);
}


hie_rc_t
hie_terms_compile(hie_terms_t *t, const hie_row_t *row,
                  const hie_term_t **out, hie_error_t *err)
{
    return add_row(t, row, row->body, out, err);
}


static hie_rc_t
search(hie_terms_t *t, const char *type, hie_str_t query, int max,
       hie_found_t *found, hie_error_t *err)
{
    hie_rc_t        rc;
    hie_str_t       types[1] = { hie_str(type) };
    hie_query_t     q;
    hie_criteria_t  criteria;

    rc = hie_search_criteria(&t->ask, hie_type_find(types[0]), query,
                             &criteria, err);
    if (rc != HIE_OK) {
        return rc;
    }

    q = (hie_query_t) { .n_types = 1, .types = types, .criteria = &criteria,
                        .count = max };
    rc = hie_store_search(t->ask.store, t->visible, &q, t->ask.pool, found,
                          err);
    if (rc == HIE_OK && found->more) {
        rc = hie_fail(err, HIE_TOO_COSTLY, "",
                      "more than %d resources of type %s would have to be "
                      "looked at", max, type);
    }

    return rc;
}


/* A value of a search parameter as it stands (R4 section 3.1.1.4.0.1). */
static hie_str_t
url_query(hie_str_t url, apr_pool_t *pool)
{
    size_t     i;
    hie_buf_t  plain, query;

    hie_buf_init(&plain, pool, url.len + 8);
    for (i = 0; i < url.len; i++) {
        if (memchr("\\,$|", url.ptr[i], 4) != NULL) {
            hie_buf_addc(&plain, '\\');
        }

        hie_buf_addc(&plain, url.ptr[i]);
    }

    hie_buf_init(&query, pool, url.len + 16);
    hie_buf_addz(&query, "url=");
    hie_url_encode(&query, hie_buf_str(&plain));
    return hie_buf_str(&query);
}


/* All versions of it, into the set, once. */
static hie_rc_t
load(hie_terms_t *t, const char *type, hie_str_t url, hie_error_t *err)
{
    int                i;
    char              *key;
    hie_rc_t           rc;
    hie_found_t        found;
    const hie_term_t  *term;

    key = apr_psprintf(t->ask.pool, "%s %.*s", type, HIE_PRISTR(url));
    if (apr_hash_get(t->looked, key, APR_HASH_KEY_STRING) != NULL) {
        return HIE_OK;
    }

    if (apr_hash_count(t->looked) >= LOOKS_MAX) {
        return hie_fail(err, HIE_TOO_COSTLY, "",
                        "more than %d code systems and value sets would have "
                        "to be looked for", LOOKS_MAX);
    }

    apr_hash_set(t->looked, key, APR_HASH_KEY_STRING, t);
    rc = search(t, type, url_query(url, t->ask.pool), VERSIONS_MAX, &found,
                err);
    for (i = 0; rc == HIE_OK && i < found.n; i++) {
        rc = hie_terms_compile(t, &found.rows[i], &term, err);
        if (rc == HIE_OK) {
            hie_term_set_add(t->set, term);
        }
    }

    return rc;
}


static bool
may_read(const hie_terms_t *t, const char *type)
{
    return t->types == NULL || hie_types_has(t->types, hie_str(type));
}


static hie_rc_t
find(void *baton, hie_term_kind_t kind, hie_str_t url, hie_str_t version,
     const hie_term_t **out, hie_error_t *err)
{
    hie_rc_t                  rc;
    hie_terms_t              *t = baton;
    const hie_term_source_t  *source;

    *out = NULL;
    source = hie_term_set_source(t->set);
    if (kind != HIE_TERM_SYSTEM_OF) {
        /* what may not be read is not known */
        if (url.len == 0 || !may_read(t, kinds[kind])) {
            return HIE_NOT_FOUND;
        }

        rc = load(t, kinds[kind], url, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    return source->find(source->baton, kind, url, version, out, err);
}


static hie_rc_t
maps(void *baton, const hie_term_t *const **out, size_t *n, hie_error_t *err)
{
    int                 i;
    hie_rc_t            rc;
    hie_found_t         found;
    hie_terms_t        *t = baton;
    const hie_term_t  **all;

    all = apr_palloc(t->ask.pool, MAPS_MAX * sizeof(*all));
    *out = all;
    *n = 0;
    rc = search(t, "ConceptMap", HIE_STR(""), MAPS_MAX, &found, err);
    for (i = 0; rc == HIE_OK && i < found.n; i++) {
        rc = hie_terms_compile(t, &found.rows[i], &all[i], err);
        *n += rc == HIE_OK;
    }

    return rc;
}


static hie_term_answer_t
grammar(void *baton, hie_str_t system, hie_str_t code)
{
    hie_ucum_unit_t  unit;

    if (!hie_str_eqz(system, "http://unitsofmeasure.org")) {
        return HIE_TERM_UNKNOWN;
    }

    return hie_ucum_parse(code, &unit, NULL) == HIE_OK ? HIE_TERM_IN
                                                       : HIE_TERM_OUT;
}


void
hie_terms_init(hie_terms_t *t, const hie_asking_t *ask,
               const hie_visible_t *visible, const hie_types_t *types)
{
    *t = (hie_terms_t) {
        .ask = *ask, .visible = visible, .types = types,
        .set = hie_term_set_create(ask->pool, NULL),
        .looked = apr_hash_make(ask->pool),
        .rows = apr_array_make(ask->pool, 4, sizeof(hie_row_t))
    };
    t->source = (hie_term_source_t) { find, maps, grammar, t };
    if (!may_read(t, "ConceptMap")) {
        t->source.maps = NULL;
    }
}


/* One without a url gets that of the resource. */
static hie_rc_t
give_url(hie_terms_t *t, const hie_row_t *row, hie_str_t *body,
         hie_str_t *url, hie_error_t *err)
{
    hie_rc_t     rc;
    hie_buf_t    b;
    hie_doc_t   *d;
    hie_edit_t  *e;

    rc = hie_doc_parse(t->ask.pool, row->body, t->ask.conf->fhir.max_depth,
                       &d, err);
    if (rc != HIE_OK) {
        return rc;
    }

    *body = row->body;
    *url = hie_doc_get(d, 0, "url", t->ask.pool);
    if (url->len > 0) {
        return HIE_OK;
    }

    *url = hie_str(apr_psprintf(t->ask.pool, "%.*s/ValueSet/%.*s",
                                HIE_PRISTR(t->ask.base_url),
                                HIE_PRISTR(row->id)));
    hie_buf_init(&b, t->ask.pool, url->len + 8);
    hie_buf_add_json(&b, *url);
    e = hie_edit_create(t->ask.pool, d);
    hie_edit_set(e, 0, "url", hie_buf_str(&b), "resourceType");
    *body = hie_edit_apply(e, t->ask.pool);
    return HIE_OK;
}


hie_rc_t
hie_terms_value_set(hie_terms_t *t, hie_str_t id, hie_str_t *canonical,
                    hie_error_t *err)
{
    hie_rc_t           rc;
    hie_row_t          row;
    hie_str_t          body, version;
    const hie_term_t  *term;

    rc = hie_store_read(t->ask.store, t->visible, HIE_STR("ValueSet"), id, 0,
                        t->ask.pool, &row, err);
    if (rc == HIE_OK) {
        rc = give_url(t, &row, &body, canonical, err);
    }

    if (rc == HIE_OK) {
        rc = add_row(t, &row, body, &term, err);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    hie_term_set_add(t->set, term);
    version = hie_term_version(term);
    if (version.len > 0) {
        *canonical = hie_str(apr_psprintf(t->ask.pool, "%.*s|%.*s",
                                          HIE_PRISTR(*canonical),
                                          HIE_PRISTR(version)));
    }

    return HIE_OK;
}
