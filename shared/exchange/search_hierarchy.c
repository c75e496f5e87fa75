/*
 * :above and :below of a reference (FHIR R4 section 3.1.1.4.12): what it may
 * lead to beside the resource that is named. Level by level what a resource is
 * part of, or what is part of it, is searched for as the requester may see it.
 */

#include <apr_strings.h>

#include "exchange/searching.h"

/* Resources that one criterion may stand for, and those that one look-up
 * names. */
#define RELATIVES_MAX  1000
#define LEVEL_MAX      50

typedef struct {
    const hie_asking_t  *a;
    hie_type_t           type;
    const char          *part_of;  /* the parameter */
    bool                 above;
    int                  max;      /* of ids */
    apr_array_header_t  *ids;      /* hie_str_t: all, those of a level behind
                                      those of the level before */
} walk_t;


static bool
is_known(const walk_t *w, hie_str_t id)
{
    int  i;

    for (i = 0; i < w->ids->nelts; i++) {
        if (hie_str_eq(APR_ARRAY_IDX(w->ids, i, hie_str_t), id)) {
            return true;
        }
    }

    return false;
}


/* Of those from `from` to `to`: what refers to them, or what they refer to. */
static hie_str_t
query_of(const walk_t *w, int from, int to)
{
    int          i;
    hie_buf_t    b;
    const char  *name = hie_types[w->type].name;

    hie_buf_init(&b, w->a->pool, 1024);
    if (w->above) {
        hie_buf_addf(&b, "_has:%s:%s:_id=", name, w->part_of);
    } else {
        hie_buf_addf(&b, "%s=", w->part_of);
    }

    for (i = from; i < to; i++) {
        hie_buf_addf(&b, "%s%s%s%.*s", i > from ? "," : "",
                     w->above ? "" : name, w->above ? "" : "/",
                     HIE_PRISTR(APR_ARRAY_IDX(w->ids, i, hie_str_t)));
    }

    return hie_buf_str(&b);
}


static hie_rc_t
look(walk_t *w, int from, int to, hie_error_t *err)
{
    int             i;
    hie_rc_t        rc;
    hie_str_t       types[1] = { hie_str(hie_types[w->type].name) };
    hie_found_t     found;
    hie_query_t     q;
    hie_criteria_t  criteria;

    rc = hie_search_criteria(w->a, w->type, query_of(w, from, to), &criteria,
                             err);
    if (rc != HIE_OK) {
        return rc;
    }

    q = (hie_query_t) { .n_types = 1, .types = types, .criteria = &criteria,
                        .count = RELATIVES_MAX };
    rc = hie_store_search(w->a->store, w->a->visible, &q, w->a->pool, &found,
                          err);
    for (i = 0; rc == HIE_OK && i < found.n; i++) {
        if (!is_known(w, found.rows[i].id)) {
            APR_ARRAY_PUSH(w->ids, hie_str_t) = found.rows[i].id;
        }
    }

    if (rc == HIE_OK && (found.more || w->ids->nelts > w->max)) {
        rc = hie_fail(err, HIE_TOO_COSTLY, "", "it stands for more than %d "
                      "resources", RELATIVES_MAX);
    }

    return rc;
}


/* All that one "[type]/[id]" stands for. */
static hie_rc_t
walk(const hie_asking_t *a, hie_str_t name, bool above,
     apr_array_header_t *names, hie_error_t *err)
{
    int        i, to, most = a->conf->fhir.search.max_values;
    walk_t     w = { .a = a, .above = above };
    hie_rc_t   rc = HIE_OK;
    hie_str_t  id, type = hie_str_split(name, '/', &id);

    if (a->visible == NULL) {
        return hie_fail(err, HIE_INVALID, "", "there is no requester to whom "
                        "the hierarchy is shown");
    }

    w.type = hie_type_find_resource(type);
    w.part_of = hie_search_part_of(w.type);
    if (!hie_search_permits(a, w.type)) {
        return hie_fail(err, HIE_FORBIDDEN, "", "the token's scopes do not "
                        "include a search of that type");
    }

    most = most < LEVEL_MAX ? most : LEVEL_MAX;
    w.max = RELATIVES_MAX - names->nelts;
    w.ids = apr_array_make(a->pool, 16, sizeof(hie_str_t));
    APR_ARRAY_PUSH(w.ids, hie_str_t) = id;
    for (i = 0; rc == HIE_OK && i < w.ids->nelts; i = to) {
        to = w.ids->nelts - i > most ? i + most : w.ids->nelts;
        rc = look(&w, i, to, err);
    }

    for (i = 0; i < w.ids->nelts; i++) {
        id = APR_ARRAY_IDX(w.ids, i, hie_str_t);
        APR_ARRAY_PUSH(names, hie_str_t) = hie_str(apr_psprintf(
            a->pool, "%s/%.*s", hie_types[w.type].name, HIE_PRISTR(id)));
    }

    return rc;
}


hie_rc_t
hie_search_relatives(const hie_asking_t *a, hie_criterion_t *c,
                     hie_error_t *err)
{
    int                  i;
    hie_rc_t             rc = HIE_OK;
    apr_array_header_t  *names;

    names = apr_array_make(a->pool, 16, sizeof(hie_str_t));
    for (i = 0; rc == HIE_OK && i < c->n; i++) {
        rc = walk(a, c->codes[i], c->codes_of == HIE_CODES_ABOVE, names, err);
    }

    if (rc == HIE_OK) {
        hie_search_references(c, (const hie_str_t *) names->elts,
                              names->nelts, a->pool);
    }

    return rc;
}
