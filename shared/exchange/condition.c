/*
 * Conditions: the queries of If-None-Exist, of Type?query and of conditional
 * references (R4 sections 3.1.0.8.1, 3.1.0.4.3, 3.1.0.11.2).
 *
 * Two lists must not look for the same at a time and both find nothing. A
 * search in PostgreSQL locks nothing that is not there, so locks stand for
 * what could be there:
 *
 * - A condition on an identifier locks each value of it that would match
 *   (whatever the system), any other condition locks the type.
 * - A list with a condition, before it looks, takes a share of the lock of
 *   each type, and of each identifier value, that it is going to write.
 *
 * What matches a condition carries one of its identifiers, or is of its type;
 * so whoever writes it, under whatever condition of his own, meets the lock,
 * and the one who comes second looks when the first has ended. How a condition
 * is written does not matter. Lists without conditions take no part: nothing
 * they do depends on what others find, so they can be taken to come later.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/plan.h"

/* More locks than this are replaced by one that all share. */
#define LOCKS_MAX  64


typedef struct {
    hie_step_t      *step;       /* NULL: of a reference */
    hie_str_t        text;       /* of a reference, as it stands */
    hie_str_t        type;
    hie_str_t        query;
    const char      *where;
    hie_criteria_t   criteria;
    int              count;      /* of matches that make a difference */
    hie_found_t      found;
} condition_t;

typedef struct {
    hie_plan_t          *plan;
    apr_array_header_t  *list;   /* condition_t */
    apr_array_header_t  *locks;  /* hie_store_lock_t */
    hie_write_t         *at;     /* whose references are being read */
    hie_rc_t             rc;
} conditions_t;


/*
 * Locks.
 */

static void
add_lock(conditions_t *c, hie_str_t type, hie_str_t value, bool shared)
{
    hie_str_t          parts[3] = { HIE_STR("condition"), type, value };
    hie_store_lock_t  *lock;

    lock = apr_array_push(c->locks);
    lock->key = hie_hash64_parts(parts, 3);
    lock->shared = shared;
}


/* The code of one value of a token parameter: what follows the first bar.
 * False: it is there with an escape or without a code. */
static bool
identifier_code(hie_str_t value, hie_str_t *code)
{
    hie_str_t  rest;

    if (memchr(value.ptr, '\\', value.len) != NULL) {
        return false;
    }

    *code = hie_str_split(value, '|', &rest);
    if (rest.ptr != NULL) {
        *code = rest;
    }

    return code->len > 0;
}


/* Locks the values of one parameter. False: it is not an identifier's. */
static bool
lock_values(conditions_t *c, const condition_t *k, hie_str_t pair)
{
    int        n;
    hie_str_t  name, values, code;

    name = hie_str_split(pair, '=', &values);
    if (!hie_url_decode(c->plan->pool, name, true, &name)
        || !hie_str_eqz(name, "identifier")
        || !hie_url_decode(c->plan->pool, values, true, &values)
        || values.len == 0)
    {
        return false;
    }

    for (n = c->locks->nelts; values.ptr != NULL; /* void */) {
        if (!identifier_code(hie_str_split(values, ',', &values), &code)) {
            c->locks->nelts = n;
            return false;
        }

        add_lock(c, k->type, code, false);
    }

    return true;
}


static void
lock_condition(conditions_t *c, const condition_t *k)
{
    hie_str_t  rest;

    for (rest = k->query; rest.ptr != NULL; /* void */) {
        if (lock_values(c, k, hie_str_split(rest, '&', &rest))) {
            return;
        }
    }

    add_lock(c, k->type, HIE_STR_NONE, false);
}


/* The identifiers by which a resource can be found: one or several. */
static void
lock_identifiers(conditions_t *c, const hie_write_t *w, const char *name)
{
    hie_str_t   value;
    hie_node_t  n, i;

    n = hie_doc_member(w->doc, 0, name);
    if (hie_doc_kind(w->doc, n) == HIE_NODE_OBJECT) {
        value = hie_doc_get(w->doc, n, "value", c->plan->pool);
        if (value.len > 0) {
            add_lock(c, w->type, value, true);
        }
    }

    if (hie_doc_kind(w->doc, n) != HIE_NODE_ARRAY) {
        return;
    }

    for (i = hie_doc_first(w->doc, n);
         i != HIE_NODE_NONE;
         i = hie_doc_next(w->doc, i))
    {
        value = hie_doc_get(w->doc, i, "value", c->plan->pool);
        if (value.len > 0) {
            add_lock(c, w->type, value, true);
        }
    }
}


/* A patch can make anything of a resource: its type is locked for good. */
static void
lock_written(conditions_t *c, const hie_write_t *w)
{
    add_lock(c, w->type, HIE_STR_NONE, w->kind != HIE_WRITE_PATCH);
    if (w->doc != NULL) {
        lock_identifiers(c, w, "identifier");
        lock_identifiers(c, w, "masterIdentifier");
    }
}


static void
make_locks(conditions_t *c)
{
    int           i, own;
    condition_t  *k;

    for (i = 0, own = 0; i < c->list->nelts; i++) {
        k = &APR_ARRAY_IDX(c->list, i, condition_t);
        if (k->step != NULL) {
            lock_condition(c, k);
            own++;
        }
    }

    for (i = 0; own > 0 && i < c->plan->n; i++) {
        lock_written(c, &c->plan->writes[i]);
    }

    if (own > 0) {
        i = c->locks->nelts;
        c->locks->nelts = i > LOCKS_MAX ? 0 : i;
        add_lock(c, HIE_STR_NONE, HIE_STR_NONE, i <= LOCKS_MAX);
    }
}


/*
 * What is asked for.
 */

/* As it stands in the wild: "?a=b" and "Type?a=b" mean "a=b". */
static hie_str_t
bare_query(hie_str_t query)
{
    hie_str_t  rest, type;

    type = hie_str_split(query, '?', &rest);
    return rest.ptr != NULL && (type.len == 0 || hie_fhir_is_type(type))
           ? rest : query;
}


static hie_rc_t
parse_condition(conditions_t *c, condition_t *k)
{
    hie_rc_t       rc;
    hie_plan_t    *p = c->plan;
    hie_asking_t   asking = {
        .store = p->rules->store, .search = p->rules->search,
        .conf = p->rules->conf, .base_url = p->rules->base_url,
        .principal = p->rules->principal,
        .visible = p->rules->visible, .pool = p->pool
    };

    rc = hie_search_criteria(&asking, hie_type_find_resource(k->type),
                             k->query, &k->criteria, p->err);
    if (rc == HIE_OK && k->criteria.n == 0) {
        rc = hie_fail(p->err, HIE_PRECONDITION, "",
                      "the condition selects nothing in particular");
    }

    if (rc != HIE_OK) {
        return hie_fail(p->err, rc, k->where, "%s",
                        apr_pstrdup(p->pool, p->err->detail));
    }

    return HIE_OK;
}


static hie_rc_t
add_condition(conditions_t *c, hie_step_t *step, hie_str_t type,
              hie_str_t query, const char *where)
{
    condition_t  *k;

    k = apr_array_push(c->list);
    memset(k, 0, sizeof(*k));
    k->step = step;
    k->type = type;
    k->query = bare_query(query);
    k->where = where;
    return parse_condition(c, k);
}


/* A reference of the form Type?query, once. */
static void
take_reference(void *baton, hie_node_t n, hie_str_t text)
{
    int            i;
    hie_str_t      type, query;
    conditions_t  *c = baton;

    type = hie_str_split(text, '?', &query);
    if (c->rc != HIE_OK || query.ptr == NULL || !hie_fhir_is_type(type)) {
        return;
    }

    for (i = 0; i < c->list->nelts; i++) {
        if (hie_str_eq(APR_ARRAY_IDX(c->list, i, condition_t).text, text)) {
            return;
        }
    }

    c->rc = add_condition(c, NULL, type, query,
        hie_plan_where(c->plan, c->at, apr_pstrcat(c->plan->pool,
            ".resource",
            strchr(hie_fhir_place(c->at->doc, n, c->plan->pool), '.'),
            NULL)));
    if (c->rc == HIE_OK) {
        APR_ARRAY_IDX(c->list, c->list->nelts - 1, condition_t).text = text;
    }
}


static hie_rc_t
collect(conditions_t *c)
{
    int          i;
    hie_rc_t     rc;
    hie_step_t  *s;
    hie_plan_t  *p = c->plan;

    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->w->condition.ptr == NULL) {
            continue;
        }

        rc = add_condition(c, s, s->w->type, s->w->condition,
                           hie_plan_where(p, s->w, ".request"));
        if (rc != HIE_OK) {
            return rc;
        }
    }

    for (i = 0; p->rules->links && i < p->n; i++) {
        c->at = &p->writes[i];
        if (c->at->doc != NULL
            && memchr(hie_doc_bytes(c->at->doc).ptr, '?',
                      hie_doc_bytes(c->at->doc).len) != NULL)
        {
            hie_fhir_references(c->at->doc, p->pool, take_reference, c);
        }
    }

    return c->rc;
}


/* So many matches as can make a difference: those that this list deletes do
 * not count. */
static void
set_counts(conditions_t *c)
{
    int           i, deletes;
    hie_plan_t   *p = c->plan;
    condition_t  *k;

    for (i = 0, deletes = 0; i < p->n; i++) {
        deletes += p->writes[i].kind == HIE_WRITE_DELETE;
    }

    for (i = 0; i < c->list->nelts; i++) {
        k = &APR_ARRAY_IDX(c->list, i, condition_t);
        k->count = 2 + deletes;
        if (k->step != NULL && k->step->w->kind == HIE_WRITE_DELETE) {
            k->count = p->rules->conf->fhir.delete_limit + 1;
        }
    }
}


static hie_rc_t
find(conditions_t *c)
{
    int           i, n = c->list->nelts;
    hie_rc_t      rc;
    hie_plan_t   *p = c->plan;
    hie_found_t  *found;
    hie_query_t  *queries;
    condition_t  *k;

    queries = apr_pcalloc(p->pool, sizeof(*queries) * (size_t) n);
    found = apr_palloc(p->pool, sizeof(*found) * (size_t) n);
    for (i = 0; i < n; i++) {
        k = &APR_ARRAY_IDX(c->list, i, condition_t);
        queries[i].n_types = 1;
        queries[i].types = &k->type;
        queries[i].criteria = &k->criteria;
        queries[i].count = k->count;
    }

    rc = hie_store_find(p->tx, p->rules->visible,
                        (hie_store_lock_t *) c->locks->elts, c->locks->nelts,
                        queries, n, found, p->err);
    for (i = 0; rc == HIE_OK && i < n; i++) {
        APR_ARRAY_IDX(c->list, i, condition_t).found = found[i];
    }

    return rc;
}


/*
 * What was found.
 */

/* Of what a step writes, as it came; NULL: it cannot be indexed. */
static const hie_search_values_t *
values_of(const hie_plan_t *p, hie_step_t *s)
{
    hie_search_values_t  *values;

    if (s->values == NULL) {
        values = apr_palloc(p->pool, sizeof(*values));
        if (hie_search_index(p->rules->search, s->w->doc,
                             hie_type_find_resource(s->w->type),
                             HIE_STR_NONE, p->rules->base_url, p->pool, values,
                             NULL) == HIE_OK)
        {
            s->values = values;
        }
    }

    return s->values;
}


/* Whether what a step writes will meet a condition. Where only the database
 * can tell, only what is in the database counts. */
static bool
matches(const hie_plan_t *p, hie_step_t *s, const condition_t *k)
{
    bool                        known;
    const hie_search_values_t  *values;
    hie_row_facts_t             row = { .id = s->id, .updated = p->now };

    if (s->w->doc == NULL || s->keep || !hie_str_eq(s->w->type, k->type)) {
        return false;
    }

    values = values_of(p, s);
    return values != NULL
           && hie_search_meets(values, &row, &k->criteria, &known);
}


/* The step that deletes, or writes, this resource; or NULL. */
static hie_step_t *
step_of(const hie_plan_t *p, hie_str_t type, hie_str_t id)
{
    int          i;
    hie_step_t  *s;

    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (!s->keep && hie_str_eq(s->id, id)
            && hie_str_eq(s->w->type, type))
        {
            return s;
        }
    }

    return NULL;
}


/* The matches in the database that this list does not delete: how many, and
 * the first. Deletions come first (R4 section 3.1.0.11.2). */
static int
remaining(const hie_plan_t *p, const condition_t *k, const hie_row_t **first)
{
    int          i, n;
    hie_step_t  *s;

    for (i = 0, n = 0; i < k->found.n; i++) {
        s = step_of(p, k->type, k->found.rows[i].id);
        if (s == NULL || s->w->kind != HIE_WRITE_DELETE) {
            if (n++ == 0) {
                *first = &k->found.rows[i];
            }
        }
    }

    return n;
}


static hie_rc_t
too_many(const hie_plan_t *p, const condition_t *k)
{
    return hie_fail(p->err, HIE_PRECONDITION, k->where,
                    "the condition matches more than one resource");
}


static void
take_row(const hie_plan_t *p, hie_step_t *s, const hie_row_t *row)
{
    s->fresh = false;
    s->id = hie_str_dup(p->pool, row->id);
    s->seen = row->version;
}


static hie_rc_t
settle_delete(hie_plan_t *p, const condition_t *k)
{
    int          i, n = k->found.n, max = 1;
    hie_step_t  *s = k->step;

    if (p->rules->conf->fhir.delete_many) {
        max = p->rules->conf->fhir.delete_limit;
    }

    if (n > max) {
        return max == 1 ? too_many(p, k)
                        : hie_fail(p->err, HIE_PRECONDITION, k->where,
                                   "the condition matches more than %d "
                                   "resources", max);
    }

    for (i = 0; i < n; i++) {
        if (i > 0) {
            s = apr_pmemdup(p->pool, s, sizeof(*s));
            s->number = p->steps->nelts;
            APR_ARRAY_PUSH(p->steps, hie_step_t *) = s;
        }

        take_row(p, s, &k->found.rows[i]);
    }

    return HIE_OK;
}


/* POSTs are done in the order of the list: the second of two with the same
 * condition finds what the first has made. */
static hie_rc_t
settle_create(hie_plan_t *p, const condition_t *k)
{
    int               i, n;
    hie_step_t       *s = k->step, *other;
    const hie_row_t  *row = NULL;

    n = remaining(p, k, &row);
    for (i = 0; i < s->number; i++) {
        other = HIE_STEP(p, i);
        if (other->w->kind == HIE_WRITE_CREATE
            && matches(p, other, k))
        {
            s->same = other;
            n++;
        }
    }

    if (n > 1) {
        return too_many(p, k);
    }

    s->keep = n == 1;
    if (row != NULL) {
        take_row(p, s, row);
    }

    return HIE_OK;
}


/* R4 section 3.1.0.4.3. */
static hie_rc_t
settle_change(hie_plan_t *p, const condition_t *k)
{
    int               n;
    hie_str_t         own;
    hie_step_t       *s = k->step;
    const hie_row_t  *row = NULL;

    n = remaining(p, k, &row);
    if (n > 1) {
        return too_many(p, k);
    }

    own = s->w->doc != NULL ? hie_doc_get(s->w->doc, 0, "id", p->pool)
                            : HIE_STR_NONE;
    if (n == 1) {
        take_row(p, s, row);
        if (own.len > 0 && !hie_str_eq(own, s->id)) {
            return hie_fail(p->err, HIE_INVALID,
                            hie_plan_where(p, s->w, ".resource.id"),
                            "the resource's id is not that of the one that "
                            "matches the condition");
        }

        return HIE_OK;
    }

    if (s->w->kind == HIE_WRITE_PATCH) {
        return hie_fail(p->err, HIE_NOT_FOUND, k->where,
                        "nothing matches the condition");
    }

    if (own.len > 0) {
        s->fresh = false;
        s->taken = true;
        s->id = own;
    }

    return HIE_OK;
}


/* A reference: what is there and what this list writes. */
static hie_rc_t
settle_reference(hie_plan_t *p, const condition_t *k)
{
    int               i, n;
    hie_str_t         id;
    hie_step_t       *s;
    const hie_row_t  *row = NULL;
    hie_fhir_link_t  *link;

    n = remaining(p, k, &row);
    id = row != NULL ? row->id : HIE_STR_NONE;
    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->w->kind != HIE_WRITE_DELETE && matches(p, s, k)
            && !hie_str_eq(s->id, id))
        {
            id = s->id;
            n++;
        }
    }

    if (n != 1) {
        return hie_fail(p->err, HIE_PRECONDITION, k->where,
                        "the conditional reference matches %s",
                        n == 0 ? "no resource" : "more than one resource");
    }

    link = apr_array_push(p->links);
    link->full_url = k->text;
    link->reference = hie_str(apr_psprintf(p->pool, "%.*s/%.*s",
                                           HIE_PRISTR(k->type),
                                           HIE_PRISTR(id)));
    return HIE_OK;
}


typedef hie_rc_t
settle_fn(hie_plan_t *p, const condition_t *k);


static settle_fn *
settler(const condition_t *k)
{
    if (k->step == NULL) {
        return settle_reference;
    }

    switch (k->step->w->kind) {
    case HIE_WRITE_DELETE:
        return settle_delete;

    case HIE_WRITE_CREATE:
        return settle_create;

    default:
        return settle_change;
    }
}


hie_rc_t
hie_plan_conditions(hie_plan_t *p)
{
    static settle_fn *const  order[] = { settle_delete, settle_create,
                                         settle_change, settle_reference };

    int            i;
    size_t         j;
    hie_rc_t       rc;
    condition_t   *k;
    conditions_t   c;

    memset(&c, 0, sizeof(c));
    c.plan = p;
    c.list = apr_array_make(p->pool, 4, sizeof(condition_t));
    c.locks = apr_array_make(p->pool, 16, sizeof(hie_store_lock_t));
    c.rc = HIE_OK;

    rc = collect(&c);
    if (rc != HIE_OK || c.list->nelts == 0) {
        return rc;
    }

    make_locks(&c);
    set_counts(&c);
    rc = find(&c);

    for (j = 0; j < sizeof(order) / sizeof(order[0]); j++) {
        for (i = 0; rc == HIE_OK && i < c.list->nelts; i++) {
            k = &APR_ARRAY_IDX(c.list, i, condition_t);
            if (settler(k) == order[j]) {
                rc = order[j](p, k);
            }
        }
    }

    return rc;
}
