/*
 * Referential integrity, where fhir.references asks for it: a literal
 * reference to a resource of this server leads to one, and what is referred to
 * is not deleted (R4 section 3.1.0.4.2 leaves it to the server).
 *
 * It is looked at after the writes, so that a list may hold both ends. What is
 * referred to is locked against deletion until the end. What is withheld from
 * the requester is as if it were not there, on both ends.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/plan.h"

typedef struct {
    hie_str_t           type;
    hie_str_t           id;
    const hie_step_t   *step;
    hie_node_t          node;
} target_t;

typedef struct {
    hie_plan_t          *plan;
    const hie_step_t    *step;
    apr_array_header_t  *list;      /* target_t */
} targets_t;


bool
hie_plan_refers(const hie_plan_t *p)
{
    return p->rules->conf->fhir.references != HIE_REFERENCES_OFF
           && !p->rules->keep_ids && p->steps->nelts > 0;
}


static void
take_reference(void *baton, hie_node_t n, hie_str_t text)
{
    targets_t        *t = baton;
    target_t         *target;
    hie_reference_t   ref;

    if (!hie_fhir_reference(text, t->plan->rules->base_url, &ref)
        || !ref.local || ref.type.len == 0)
    {
        return;
    }

    target = apr_array_push(t->list);
    target->type = ref.type;
    target->id = ref.id;
    target->step = t->step;
    target->node = n;
}


static int
compare_str(hie_str_t a, hie_str_t b)
{
    int     c;
    size_t  n = a.len < b.len ? a.len : b.len;

    c = memcmp(a.ptr, b.ptr, n);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


static int
compare_targets(const void *x, const void *y)
{
    int              c;
    const target_t  *a = x, *b = y;

    c = compare_str(a->type, b->type);
    if (c == 0) {
        c = compare_str(a->id, b->id);
    }

    if (c == 0) {
        c = a->step->number - b->step->number;
    }

    return c != 0 ? c : (a->node > b->node) - (a->node < b->node);
}


/* By the policy: an error, or a word in the log and in the outcome. */
static hie_rc_t
judge(hie_plan_t *p, const hie_step_t *s, hie_rc_t rc, const char *where,
      const char *what)
{
    if (p->rules->conf->fhir.references == HIE_REFERENCES_ENFORCE) {
        return hie_fail(p->err, rc, where, "%s", what);
    }

    hie_log(HIE_LOG_WARN, "HIE5011", "%s: %s", where, what);
    if (s->w->warning == NULL) {
        s->w->warning = apr_psprintf(p->pool, "%s: %s", where, what);
    }

    return HIE_OK;
}


static hie_rc_t
lost_reference(hie_plan_t *p, const target_t *t)
{
    const char  *place;

    place = hie_fhir_place(t->step->doc, t->node, p->pool);
    if (t->step->w->where[0] != '\0') {
        place = hie_plan_where(p, t->step->w,
                               apr_pstrcat(p->pool, ".resource",
                                           strchr(place, '.'), NULL));
    }

    return judge(p, t->step, HIE_UNPROCESSABLE, place,
                 "the resource that is referred to is not known");
}


static hie_rc_t
check_targets(hie_plan_t *p)
{
    int                   i, n;
    hie_rc_t              rc;
    target_t             *t;
    targets_t             all;
    hie_step_t           *s;
    hie_store_current_t  *rows;

    all.plan = p;
    all.list = apr_array_make(p->pool, 16, sizeof(target_t));
    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        all.step = s;
        if (s->put != NULL && s->doc != NULL) {
            hie_fhir_references(s->doc, p->pool, take_reference, &all);
        }
    }

    t = (target_t *) all.list->elts;
    qsort(t, (size_t) all.list->nelts, sizeof(*t), compare_targets);
    rows = apr_pcalloc(p->pool, sizeof(*rows)
                                * (size_t) (all.list->nelts + 1));
    for (i = 0, n = 0; i < all.list->nelts; i++) {
        if (n == 0 || !hie_str_eq(rows[n - 1].id, t[i].id)
            || !hie_str_eq(rows[n - 1].type, t[i].type))
        {
            rows[n].type = t[i].type;
            rows[n++].id = t[i].id;
        }
    }

    rc = hie_store_current(p->tx, p->rules->visible, HIE_ROW_REFER, rows, n,
                           p->err);
    for (i = 0, n = 0; rc == HIE_OK && i < all.list->nelts; i++) {
        n += !hie_str_eq(rows[n].id, t[i].id)
             || !hie_str_eq(rows[n].type, t[i].type);
        if (!rows[n].exists || !rows[n].visible || rows[n].row.deleted) {
            rc = lost_reference(p, &t[i]);
        }
    }

    return rc;
}


static hie_rc_t
check_deleted(hie_plan_t *p)
{
    int                  i, first;
    hie_rc_t             rc;
    hie_step_t          *s;
    apr_array_header_t  *tokens, *steps;     /* uint64_t, hie_step_t * */

    tokens = apr_array_make(p->pool, 1024, sizeof(uint64_t));
    steps = apr_array_make(p->pool, 1024, sizeof(s));
    for (i = 0; i < p->steps->nelts; i++) {
        s = HIE_STEP(p, i);
        if (s->put != NULL && s->w->kind == HIE_WRITE_DELETE) {
            hie_search_referring(HIE_TYPE_NONE,
                                 hie_type_find_resource(s->w->type), s->id,
                                 tokens);
            while (steps->nelts < tokens->nelts) {
                APR_ARRAY_PUSH(steps, hie_step_t *) = s;
            }
        }
    }

    if (tokens->nelts == 0) {
        return HIE_OK;
    }

    rc = hie_store_any_token(p->tx, p->rules->visible,
                             (const uint64_t *) tokens->elts, tokens->nelts,
                             &first, p->err);
    if (rc != HIE_OK || first < 0) {
        return rc;
    }

    s = APR_ARRAY_IDX(steps, first, hie_step_t *);
    rc = judge(p, s, HIE_CONFLICT, hie_plan_where(p, s->w, ""),
               apr_psprintf(p->pool, "%.*s/%.*s is referred to by another "
                            "resource", HIE_PRISTR(s->w->type),
                            HIE_PRISTR(s->id)));
    p->final = rc == HIE_CONFLICT;
    return rc;
}


hie_rc_t
hie_plan_check_references(hie_plan_t *p)
{
    hie_rc_t  rc;

    rc = check_targets(p);
    return rc == HIE_OK ? check_deleted(p) : rc;
}
