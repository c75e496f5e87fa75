/*
 * From writes to steps: which resource each is about, what is there now, and
 * whether it may be done (R4 sections 3.1.0.4 to 3.1.0.8).
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/plan.h"


const char *
hie_plan_where(const hie_plan_t *p, const hie_write_t *w, const char *below)
{
    return w->where[0] != '\0' ? apr_pstrcat(p->pool, w->where, below, NULL)
                               : "";
}


static void
make_step(hie_plan_t *p, hie_write_t *w)
{
    char         id[HIE_ULID_LEN + 1];
    hie_str_t    own;
    hie_step_t  *s;

    s = apr_pcalloc(p->pool, sizeof(*s));
    s->w = w;
    s->number = p->steps->nelts;
    s->id = w->id;
    if (w->kind == HIE_WRITE_CREATE && p->rules->keep_ids) {
        own = hie_doc_get(w->doc, 0, "id", p->pool);
        s->id = own.len > 0 ? own : w->id;
    }

    if (s->id.len == 0) {
        hie_ulid(id);
        s->id = hie_str_dup(p->pool, hie_str(id));
        s->fresh = true;
    }

    APR_ARRAY_PUSH(p->steps, hie_step_t *) = s;
}


/*
 * Rows.
 */

static int
compare_str(hie_str_t a, hie_str_t b)
{
    int     c;
    size_t  n = a.len < b.len ? a.len : b.len;

    c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


/* The order in which rows are locked, the same in every list. */
static int
by_place(const void *x, const void *y)
{
    int                c;
    const hie_step_t  *a = *(const hie_step_t *const *) x;
    const hie_step_t  *b = *(const hie_step_t *const *) y;

    c = compare_str(a->w->type, b->w->type);
    if (c == 0) {
        c = compare_str(a->id, b->id);
    }

    if (c == 0) {
        c = a->keep - b->keep;
    }

    return c != 0 ? c : a->number - b->number;
}


static bool
same_place(const hie_step_t *a, const hie_step_t *b)
{
    return hie_str_eq(a->w->type, b->w->type) && hie_str_eq(a->id, b->id);
}


/* R4 section 3.1.0.11.2: no resource twice. What a conditional create found
 * may be changed by another entry, but not be taken away. */
static hie_rc_t
check_twice(hie_plan_t *p, hie_step_t *const *order, int n)
{
    int                i;
    const hie_step_t  *a, *b;

    for (i = 1; i < n; i++) {
        a = order[i - 1];
        b = order[i];
        if (!same_place(a, b)
            || (b->keep && (a->keep || a->w->kind != HIE_WRITE_DELETE)))
        {
            continue;
        }

        if (a->number > b->number) {
            a = order[i];
            b = order[i - 1];
        }

        return hie_fail(p->err, HIE_INVALID, b->w->where,
                        "%s and %s are about the same resource", a->w->where,
                        b->w->where);
    }

    return HIE_OK;
}


/* The steps about what could be there, in their order. */
static int
order_steps(hie_plan_t *p, hie_step_t **order)
{
    int          i, n;
    hie_step_t  *s;

    for (i = 0, n = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->fresh || s->same != NULL
            || (s->w->kind == HIE_WRITE_DELETE && s->w->condition.ptr != NULL
                && s->seen == 0))
        {
            continue;
        }

        order[n++] = s;
    }

    qsort(order, (size_t) n, sizeof(*order), by_place);
    return n;
}


static hie_rc_t
lock_rows(hie_plan_t *p)
{
    int                   i, n, m;
    bool                  deletes;
    hie_rc_t              rc;
    hie_step_t          **order;
    hie_store_current_t  *rows;

    order = apr_palloc(p->pool, sizeof(*order) * (size_t) p->steps->nelts);
    n = order_steps(p, order);
    rc = check_twice(p, order, n);
    if (rc != HIE_OK || n == 0) {
        return rc;
    }

    rows = apr_pcalloc(p->pool, sizeof(*rows) * (size_t) n);
    for (i = 0, m = 0, deletes = false; i < n; i++) {
        m += i == 0 || !same_place(order[i - 1], order[i]);
        order[i]->now = &rows[m - 1];
        rows[m - 1].type = order[i]->w->type;
        rows[m - 1].id = order[i]->id;
        rows[m - 1].want_body |= order[i]->w->kind == HIE_WRITE_PATCH
                                 || (order[i]->keep
                                     && order[i]->w->want_body);
        deletes |= order[i]->w->kind == HIE_WRITE_DELETE;
    }

    return hie_store_current(p->tx, p->rules->visible,
                             deletes ? HIE_ROW_DELETE : HIE_ROW_CHANGE, rows,
                             m, p->err);
}


/*
 * Preconditions.
 */

static hie_rc_t
not_known(hie_plan_t *p, hie_step_t *s)
{
    return hie_fail(p->err, HIE_NOT_FOUND,
                    hie_plan_where(p, s->w, ".request.url"),
                    "%.*s/%.*s is not known", HIE_PRISTR(s->w->type),
                    HIE_PRISTR(s->id));
}


static bool
tag_is(hie_str_t tags, int64_t version)
{
    char       etag[32];
    hie_str_t  one;

    apr_snprintf(etag, sizeof(etag), "\"%" APR_INT64_T_FMT "\"",
                 (apr_int64_t) version);
    while (tags.ptr != NULL) {
        one = hie_str_trim(hie_str_split(tags, ',', &tags));
        if (hie_str_starts(one, "W/")) {
            one.ptr += 2;
            one.len -= 2;
        }

        if (hie_str_eqz(one, etag) || hie_str_eqz(one, "*")) {
            return true;
        }
    }

    return false;
}


/* RFC 9110 sections 13.1.1 and 13.1.2; what is not there matches nothing. */
static hie_rc_t
check_tags(hie_plan_t *p, const hie_step_t *s, bool live)
{
    if (s->w->if_match.ptr != NULL
        && !(live && tag_is(s->w->if_match, s->now->row.version)))
    {
        return hie_fail(p->err, HIE_PRECONDITION,
                        hie_plan_where(p, s->w, ".request.ifMatch"),
                        "the version that If-Match names is not the current "
                        "one");
    }

    if (s->w->if_none && live) {
        return hie_fail(p->err, HIE_PRECONDITION,
                        hie_plan_where(p, s->w, ".request.ifNoneMatch"),
                        "there is such a resource already");
    }

    return HIE_OK;
}


/* R4 section 3.1.0.4.1. */
static hie_rc_t
check_update(hie_plan_t *p, hie_step_t *s, bool there, bool live)
{
    if (!there && !s->fresh && !p->rules->keep_ids
        && !p->rules->conf->fhir.update_create)
    {
        return hie_fail(p->err, HIE_METHOD,
                        hie_plan_where(p, s->w, ".request"),
                        "%.*s/%.*s is not known, and this server gives the "
                        "ids of new resources itself",
                        HIE_PRISTR(s->w->type), HIE_PRISTR(s->id));
    }

    /* It can neither be replaced nor made: what is withheld stays. */
    if (s->w->withheld) {
        return not_known(p, s);
    }

    if (s->taken && live) {
        p->final = true;
        return hie_fail(p->err, HIE_CONFLICT,
                        hie_plan_where(p, s->w, ".resource.id"),
                        "%.*s/%.*s exists and does not match the condition",
                        HIE_PRISTR(s->w->type), HIE_PRISTR(s->id));
    }

    s->w->status = live ? 200 : 201;
    return check_tags(p, s, live);
}


static hie_rc_t
check_patch(hie_plan_t *p, hie_step_t *s, bool there, bool live)
{
    if (!there && s->w->if_match.ptr == NULL) {
        return not_known(p, s);
    }

    if (!live && s->w->if_match.ptr == NULL) {
        return hie_fail(p->err, HIE_GONE,
                        hie_plan_where(p, s->w, ".request.url"),
                        "%.*s/%.*s was deleted", HIE_PRISTR(s->w->type),
                        HIE_PRISTR(s->id));
    }

    s->w->status = 200;
    return check_tags(p, s, live);
}


/* The record says that somebody tried; the answer is that of one that is not
 * there. */
static void
note_withheld(hie_step_t *s)
{
    s->w->withheld = true;
    s->w->n_patients = s->now->row.n_patients;
    s->w->patients = s->now->row.patients;
}


static hie_rc_t
check_step(hie_plan_t *p, hie_step_t *s)
{
    bool                  there, live;
    hie_store_current_t  *now = s->now;

    if (now != NULL && now->exists && !now->visible) {
        note_withheld(s);
    }

    there = now != NULL && now->exists && now->visible;
    live = there && !now->row.deleted;

    if (s->seen != 0 && !(live && now->row.version == s->seen)) {
        return hie_fail(p->err, HIE_CONFLICT, s->w->where,
                        "what matched the condition was changed meanwhile");
    }

    switch (s->w->kind) {
    case HIE_WRITE_CREATE:
        s->w->status = s->keep || (p->rules->keep_ids && live) ? 200 : 201;
        return HIE_OK;

    case HIE_WRITE_UPDATE:
        return check_update(p, s, there, live);

    case HIE_WRITE_PATCH:
        return check_patch(p, s, there, live);

    default:
        s->w->status = 204;
        return check_tags(p, s, live);
    }
}


/* The resources of the list by their fullUrl. A URL that ends in Type/id, of
 * an entry that gets another id, is meant by the relative reference too. */
static void
add_links(hie_plan_t *p, const hie_step_t *s)
{
    hie_str_t         full = s->w->full_url, reference;
    hie_reference_t   ref;
    hie_fhir_link_t  *link;

    if (full.len == 0 || s->w->kind == HIE_WRITE_DELETE) {
        return;
    }

    reference = hie_str(apr_psprintf(p->pool, "%.*s/%.*s",
                                     HIE_PRISTR(s->w->type),
                                     HIE_PRISTR(s->id)));
    link = apr_array_push(p->links);
    link->full_url = full;
    link->reference = reference;

    if (s->w->kind == HIE_WRITE_CREATE
        && hie_fhir_reference(full, HIE_STR_NONE, &ref) && !ref.local
        && ref.type.len > 0 && ref.version.len == 0
        && hie_str_eq(ref.type, s->w->type))
    {
        link = apr_array_push(p->links);
        link->full_url.ptr = ref.id.ptr - ref.type.len - 1;
        link->full_url.len = ref.type.len + 1 + ref.id.len;
        link->reference = reference;
    }
}


hie_rc_t
hie_plan_make(hie_plan_t *p)
{
    int          i;
    hie_rc_t     rc;
    hie_step_t  *s;

    for (i = 0; i < p->n; i++) {
        make_step(p, &p->writes[i]);
    }

    rc = hie_plan_conditions(p);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->same != NULL) {
            s->id = s->same->id;
        }
    }

    rc = lock_rows(p);
    for (i = 0; rc == HIE_OK && i < p->steps->nelts; i++) {
        rc = check_step(p, HIE_STEP(p, i));
    }

    for (i = 0; p->rules->links && i < p->steps->nelts; i++) {
        add_links(p, HIE_STEP(p, i));
    }

    return rc;
}
