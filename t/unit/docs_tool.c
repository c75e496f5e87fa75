/*
 * Documents in the store, and the same in memory.
 */

#include "docs_tool.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* 2023-11-14T22:13:20Z */
#define EPOCH  INT64_C(1700000000000000)

static const uint64_t  nobody[] = { 1 };
static uint64_t        actors[2];

const hie_visible_t  docs_seers[DOCS_SEERS] = {
    { .all = true },
    { .default_permit = true, .n_actors = 2, .actors = actors },
    { .default_permit = false, .n_actors = 2, .actors = actors }
};

hie_search_t  *search;
doc_t          docs[DOCS_MAX];
int            n_docs;


int
docs_setup(void **state)
{
    if (search == NULL) {
        search = hie_search_create(root, NULL);
        actors[0] = hie_store_actor_key(HIE_STR("Organization/me"));
        actors[1] = nobody[0];
    }
    n_docs = 0;
    /* one that knows of no term in the database */
    hie_store_close(store);
    store = open_store(&conf);
    return tool_setup(state);
}


doc_t *
docs_by_key(uint64_t key)
{
    int  i;

    for (i = 0; i < n_docs; i++) {
        if (docs[i].key == key) {
            return &docs[i];
        }
    }
    return NULL;
}


doc_t *
docs_find(const char *type, const char *id)
{
    return docs_by_key(hie_search_resource_key(hie_str(type), hie_str(id)));
}


/* A new one, or the one that there is. */
static doc_t *
place_of(const char *type, const char *id)
{
    doc_t  *d = docs_find(type, id);

    if (d == NULL) {
        assert_true(n_docs < DOCS_MAX);
        d = &docs[n_docs++];
        memset(d, 0, sizeof(*d));
        d->type = hie_type_find(hie_str(type));
        d->id = hie_str(apr_pstrdup(pool, id));
        d->key = hie_search_resource_key(hie_str(type), d->id);
        d->row.id = d->id;
        d->row.updated = EPOCH + (int64_t) (n_docs % 97) * 3600000000
                         + (int64_t) (n_docs % 7);
    }
    assert_true(d->stored || d->version == 0);
    d->version++;
    d->stored = false;
    return d;
}


doc_t *
docs_add(const char *type, const char *id, const char *format, ...)
{
    doc_t        *d = place_of(type, id);
    hie_doc_t    *parsed;
    hie_error_t   err;
    va_list       ap;
    char         *rest;

    va_start(ap, format);
    rest = apr_pvsprintf(pool, format, ap);
    va_end(ap);
    d->body = hie_str(apr_pstrcat(pool, "{\"resourceType\":\"", type,
                                  "\",\"id\":\"", id, "\"",
                                  rest[0] != '\0' ? "," : "", rest, "}",
                                  NULL));
    d->deleted = false;
    if (hie_doc_parse(pool, d->body, 100, &parsed, &err) != HIE_OK
        || hie_fhir_relations(parsed, hie_str(type), d->id,
                              HIE_STR(DOCS_BASE), pool, &d->relations, &err)
           != HIE_OK
        || hie_search_index(search, parsed, d->type, d->id,
                            HIE_STR(DOCS_BASE), pool, &d->values, &err)
           != HIE_OK)
    {
        fail_msg("%.*s: %s", HIE_PRISTR(d->body), err.detail);
    }
    return d;
}


void
docs_delete(const char *type, const char *id)
{
    doc_t  *d = place_of(type, id);

    d->deleted = true;
    d->body = HIE_STR("");
    memset(&d->values, 0, sizeof(d->values));
}


static uint64_t *
actor_keys(const char *actor, int *n)
{
    uint64_t  *keys = apr_palloc(pool, sizeof(*keys));

    *n = actor != NULL;
    keys[0] = hie_store_actor_key(hie_str(actor));
    return keys;
}


void
docs_consent(const char *patient, bool base_permit, const char *permit,
             const char *deny)
{
    hie_consent_row_t  *c = apr_pcalloc(pool, sizeof(*c));
    doc_t              *d;

    c->patient = hie_fhir_patient_key(hie_str(patient));
    c->base_permit = base_permit;
    c->permit = actor_keys(permit, &c->n_permit);
    c->deny = actor_keys(deny, &c->n_deny);
    d = docs_add("Consent", apr_psprintf(pool, "consent-%s", patient),
                 "\"status\":\"active\"");
    d->n_consents = 1;
    d->consents = c;
}


static void
learn_rids(void)
{
    PGresult  *res;
    doc_t     *d;
    int        i;

    res = PQexec(admin, "SELECT type, id, rid FROM hie.resource"
                 " WHERE owner IS NULL");
    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    for (i = 0; i < PQntuples(res); i++) {
        d = docs_find(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
        assert_non_null(d);
        d->rid = strtoll(PQgetvalue(res, i, 2), NULL, 10);
    }
    PQclear(res);
}


void
docs_store(void)
{
    hie_put_t  puts[50];
    int        i, n = 0;

    for (i = 0; i < n_docs; i++) {
        if (!docs[i].stored) {
            puts[n++] = (hie_put_t) {
                .type = hie_str(hie_types[docs[i].type].name),
                .id = docs[i].id, .version = docs[i].version,
                .updated = docs[i].row.updated, .body = docs[i].body,
                .relations = &docs[i].relations, .values = &docs[i].values,
                .n_consents = docs[i].n_consents,
                .consents = docs[i].consents
            };
            docs[i].stored = true;
        }
        if (n == 50 || (n > 0 && i == n_docs - 1)) {
            assert_int_equal(put_rows(store, puts, n), HIE_OK);
            n = 0;
        }
    }
    learn_rids();
}


/*
 * Who sees what.
 */
static bool
is_among(const uint64_t *keys, int n, const hie_visible_t *v)
{
    int  i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < v->n_actors; k++) {
            if (keys[i] == v->actors[k]) {
                return true;
            }
        }
    }
    return false;
}


static bool
patient_visible(uint64_t patient, const hie_visible_t *v)
{
    const hie_consent_row_t  *c;
    bool                      permitted = v->default_permit;
    int                       i;

    for (i = 0; i < n_docs; i++) {
        c = docs[i].consents;
        if (docs[i].n_consents == 0 || c->patient != patient) {
            continue;
        }
        if (is_among(c->deny, c->n_deny, v)
            || !(c->base_permit || is_among(c->permit, c->n_permit, v)))
        {
            return false;
        }
        permitted = true;
    }
    return permitted;
}


bool
docs_visible(const doc_t *d, const hie_visible_t *v)
{
    int  i;

    if (d == NULL || d->deleted) {
        return false;
    }
    for (i = 0; !v->all && i < d->relations.n_patients; i++) {
        if (!patient_visible(d->relations.patients[i], v)) {
            return false;
        }
    }
    return true;
}


/*
 * Criteria: those that hang on other documents here, the others as the search
 * room has it.
 */
static bool
has_word(hie_str_t text, hie_str_t word)
{
    hie_str_t  rest = text, one;

    while (rest.ptr != NULL) {
        one = hie_str_split(rest, ' ', &rest);
        while (one.len > 0 && strchr(".,()", one.ptr[one.len - 1]) != NULL) {
            one.len--;
        }
        if (hie_str_eq(one, word)) {
            return true;
        }
    }
    return false;
}


static bool
has_words(const doc_t *d, const hie_text_value_t *v)
{
    hie_str_t  rest = v->value, one;

    while (rest.ptr != NULL) {
        one = hie_str_split(rest, ' ', &rest);
        if (!has_word(d->values.narrative, one)
            && !(v->match == HIE_TEXT_CONTENT
                 && has_word(d->values.content, one)))
        {
            return false;
        }
    }
    return true;
}


static bool
refers(const doc_t *from, uint32_t param, const doc_t *to)
{
    int  i;

    for (i = 0; i < from->values.n_references; i++) {
        if ((param == 0 || from->values.references[i].param == param)
            && from->values.references[i].target == to->key)
        {
            return true;
        }
    }
    return false;
}


/* By canonical URL, whatever the version. */
static bool
refers_by_url(const doc_t *from, uint32_t param, const doc_t *to)
{
    uint32_t  url = hie_search_param_key(hie_types[to->type].name, "url");
    int       i, k;

    for (i = 0; i < from->values.n_terms; i++) {
        for (k = 0; k < to->values.n_terms; k++) {
            if (from->values.terms[i].param == param
                && to->values.terms[k].param == url
                && hie_str_eq(from->values.terms[i].value,
                              to->values.terms[k].value))
            {
                return true;
            }
        }
    }
    return false;
}


bool
docs_refers(const doc_t *from, uint32_t param, bool canonical, const doc_t *to)
{
    return canonical ? refers_by_url(from, param, to)
                     : refers(from, param, to);
}


static bool
leads(const hie_chain_t *c, const doc_t *from, const doc_t *to)
{
    return docs_refers(from, c->param, c->canonical, to);
}


/* What a document contains, as one that is as visible. */
static doc_t
contained(const doc_t *d, int i)
{
    const hie_search_contained_t  *c = &d->values.contained[i];
    hie_str_t                      name = { c->type_name.ptr + 1,
                                            c->type_name.len - 1 };

    assert_int_equal(c->type_name.ptr[0], '#');
    assert_int_equal(c->key, hie_search_resource_key(c->type_name, c->id));
    return (doc_t) {
        .type = hie_type_find(name), .key = c->key, .deleted = d->deleted,
        .relations = d->relations, .values = c->values, .contained = true
    };
}


static bool
leads_into(const doc_t *from, const hie_chain_t *chain, const doc_t *d,
           const hie_visible_t *v)
{
    doc_t  there;
    int    i;

    for (i = 0; i < d->values.n_contained; i++) {
        there = contained(d, i);
        if (there.type == chain->type && refers(from, chain->param, &there)
            && docs_meet(&there, chain->criteria, v))
        {
            return true;
        }
    }
    return false;
}


static bool
meets_chain(const doc_t *d, const hie_criterion_t *c, const hie_chain_t *chain,
            const hie_visible_t *v)
{
    int  i;

    if (c->kind == HIE_CRITERION_GROUP) {
        return (chain->type == HIE_TYPE_NONE || chain->type == d->type)
               && docs_meet(d, chain->criteria, v);
    }
    for (i = 0; i < n_docs; i++) {
        if (c->kind == HIE_CRITERION_CHAIN && docs_visible(&docs[i], v)
            && leads_into(d, chain, &docs[i], v))
        {
            return true;
        }
        if (docs[i].type == chain->type && docs_visible(&docs[i], v)
            && (c->kind == HIE_CRITERION_CHAIN ? leads(chain, d, &docs[i])
                : docs_refers(&docs[i], chain->param,
                              chain->canonical && !d->contained, d))
            && docs_meet(&docs[i], chain->criteria, v))
        {
            return true;
        }
    }
    return false;
}


static bool
meets_one(const doc_t *d, const hie_criterion_t *c, const hie_visible_t *v)
{
    hie_criterion_t  one = *c;
    hie_criteria_t   alone = { 1, &one };
    bool             meets = false, known;
    int              i;

    switch (c->kind) {
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
    case HIE_CRITERION_GROUP:
        for (i = 0; i < c->n && !meets; i++) {
            meets = meets_chain(d, c, &c->chains[i], v);
        }
        return meets != c->negate;
    case HIE_CRITERION_TEXT:
        for (i = 0; i < c->n && !meets; i++) {
            meets = has_words(d, &c->texts[i]);
        }
        return meets != c->negate;
    case HIE_CRITERION_UPDATED:
        if (d->contained) {
            return c->negate;
        }
        /* fall through */
    default:
        meets = hie_search_meets(&d->values, &d->row, &alone, &known);
        assert_true(known);
        return meets;
    }
}


bool
docs_meet(const doc_t *d, const hie_criteria_t *c, const hie_visible_t *v)
{
    int  i;

    for (i = 0; i < c->n; i++) {
        if (!meets_one(d, &c->criteria[i], v)) {
            return false;
        }
    }
    return true;
}


/*
 * Queries.
 */
static void
ask_types(asked_t *a, hie_str_t names)
{
    hie_query_t  *q = &a->q;

    while (names.ptr != NULL) {
        assert_true(q->n_types < 4);
        a->names[q->n_types] = hie_str_split(names, ',', &names);
        a->types[q->n_types] = hie_type_find(a->names[q->n_types]);
        q->n_types++;
    }
    q->types = a->names;
}


static hie_rc_t
ask_one(asked_t *a, hie_str_t name, hie_str_t value, hie_error_t *err)
{
    hie_search_rules_t  rules = { HIE_STR(DOCS_BASE), EPOCH, 5, 1000 };
    hie_criterion_t    *c = &a->criterion[a->criteria.n];

    if (hie_str_eqz(name, "_sort")) {
        a->q.sorts = a->sorts;
        return hie_search_sort(search, a->types, a->q.n_types, value, pool,
                               a->sorts, &a->q.n_sorts, err);
    }
    assert_true(a->criteria.n < 16);
    a->criteria.n++;
    if (hie_str_eqz(name, "_filter")) {
        return hie_search_filter(search, a->types, a->q.n_types, value,
                                 &rules, pool, c, err);
    }
    return a->q.n_types == 1
           ? hie_search_criterion(search, a->types[0], name, value, &rules,
                                  pool, c, err)
           : hie_search_criterion_of(search, a->types, a->q.n_types, name,
                                     value, &rules, pool, c, err);
}


asked_t *
ask(const char *text, int count)
{
    asked_t      *a = apr_pcalloc(pool, sizeof(*a));
    hie_str_t     rest, one, name, value;
    hie_error_t   err;

    a->text = text;
    a->criteria.criteria = a->criterion;
    a->q.criteria = &a->criteria;
    a->q.count = count;
    ask_types(a, hie_str_split(hie_str(text), '?', &rest));
    while (rest.len > 0) {
        one = hie_str_split(rest, '&', &rest);
        name = hie_str_split(one, '=', &value);
        if (ask_one(a, name, value, &err) != HIE_OK) {
            fail_msg("%s: %s", text, err.detail);
        }
    }
    return a;
}


void
wall(asked_t *a)
{
    hie_criteria_t  *inner = apr_pmemdup(pool, &a->criteria, sizeof(*inner));
    hie_criteria_t  *never = apr_pcalloc(pool, sizeof(*never));
    hie_chain_t     *ways = apr_pcalloc(pool, 2 * sizeof(*ways));

    never->n = 1;
    never->criteria = apr_pcalloc(pool, sizeof(*never->criteria));
    never->criteria->kind = HIE_CRITERION_TOKENS;
    inner->criteria = apr_pmemdup(pool, a->criterion, sizeof(a->criterion));
    ways[0].criteria = inner;
    ways[1].criteria = never;
    memset(a->criterion, 0, sizeof(a->criterion));
    a->criterion[0].kind = HIE_CRITERION_GROUP;
    a->criterion[0].n = 2;
    a->criterion[0].chains = ways;
    a->criteria.n = 1;
}


bool
is_asked_for(const asked_t *a, const doc_t *d, const hie_visible_t *v)
{
    int  i;

    for (i = 0; i < a->q.n_types; i++) {
        if (d->type == a->types[i]) {
            return docs_visible(d, v) && docs_meet(d, &a->criteria, v);
        }
    }
    return false;
}


hie_found_t
find(const asked_t *a, const hie_visible_t *v)
{
    hie_found_t  found;
    hie_error_t  err = { 0 };

    if (hie_store_search(store, v, &a->q, pool, &found, &err) != HIE_OK) {
        fail_msg("%s: %s %s", a->text, err.detail,
                 "(the server's log says more)");
    }
    return found;
}


const char *
ids_of_rows(const hie_row_t *rows, int n)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 64);
    for (i = 0; i < n; i++) {
        hie_buf_addf(&b, "%s%.*s", i > 0 ? " " : "", HIE_PRISTR(rows[i].id));
    }
    hie_buf_addc(&b, '\0');
    return b.ptr;
}
