/*
 * All codes of a value set, and codes each once.
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    tx_t       *tx;
    plan_t     *plan;
    part_t     *part;
    uint32_t    first_set;          /* value sets that are still to ask */
    member_fn  *fn;
    void       *baton;
} walker_t;


/* What else the part and the value set ask for; then it is given on. */
static hie_rc_t
pass_on(void *baton, const member_t *m)
{
    walker_t         *w = baton;
    const include_t  *inc = w->part->include;
    member_t          other;
    hie_rc_t          rc;
    uint32_t          i;
    bool              is;

    if (!hie_tx_spend(w->tx, 1)) {
        return HIE_TOO_COSTLY;
    }

    for (i = w->first_set; i < inc->n_value_sets; i++) {
        other = *m;
        rc = hie_plan_has(w->tx, w->part->sets[i], &other, &is);

        if (rc != HIE_OK || !is) {
            return rc;
        }
    }

    rc = hie_plan_excludes(w->tx, w->plan, m, &is);

    if (rc != HIE_OK || is) {
        return rc;
    }

    /* who takes the code may well ask this value set on its own account */
    hie_plan_leave(w->tx, w->plan);
    rc = w->fn(w->baton, m);

    return rc == HIE_OK ? hie_plan_enter(w->tx, w->plan) : rc;
}


static hie_rc_t
walk_entries(walker_t *w)
{
    const include_t  *inc = w->part->include;
    const entry_t    *e;
    const hie_term_t *system = w->part->system;
    member_t          m;
    hie_rc_t          rc = HIE_OK;
    uint32_t          i;

    for (i = 0; i < inc->n && rc == HIE_OK; i++) {
        e = &inc->entries[i];
        memset(&m, 0, sizeof(m));
        m.system = inc->system.len > 0 ? inc->system : e->system;
        m.code = e->code;
        m.entry = e;
        m.list = w->plan->term;
        m.flags = e->flags;
        m.term = system;
        m.concept = system != NULL ? hie_system_find(system, e->code)
                                   : NO_CONCEPT;

        if (m.concept != NO_CONCEPT) {
            m.code = system->system.concepts[m.concept].code;
            m.flags = system->system.concepts[m.concept].flags;

        } else if (system != NULL
                   && system->system.content == CONTENT_COMPLETE)
        {
            continue;
        }

        rc = pass_on(w, &m);
    }

    return rc;
}


static hie_rc_t
walk_system(walker_t *w)
{
    const include_t  *inc = w->part->include;
    const hie_term_t *t = w->part->system;
    member_t          m;
    hie_rc_t          rc = HIE_OK;
    uint32_t          i, k;
    bool              is;

    if (t == NULL || t->system.content == CONTENT_NOT_PRESENT) {
        return hie_part_unknown(w->tx, w->plan, w->part);
    }

    for (i = 0; i < t->system.n && rc == HIE_OK; i++) {
        if (!hie_tx_spend(w->tx, 1)) {
            return HIE_TOO_COSTLY;
        }

        is = true;

        for (k = 0; k < inc->n_filters && is; k++) {
            rc = hie_filter_test(w->tx, &w->part->filters[k], i, &is);

            if (rc != HIE_OK) {
                return rc;
            }
        }

        if (is) {
            memset(&m, 0, sizeof(m));
            m.system = inc->system;
            m.term = t;
            m.concept = i;
            m.code = t->system.concepts[i].code;
            m.flags = t->system.concepts[i].flags;
            rc = pass_on(w, &m);
        }
    }

    return rc;
}


static bool
is_without(const tx_t *tx, const include_t *inc, const hie_term_t *system)
{
    hie_str_t  canonical, url, version;
    int        i;

    for (i = 0; i < tx->without->nelts; i++) {
        canonical = APR_ARRAY_IDX(tx->without, i, hie_str_t);
        url = hie_str_split(canonical, '|', &version);

        if (hie_str_eq(url, inc->system)
            && (version.len == 0
                || hie_str_eq(version, system != NULL ? system->version
                                                      : inc->version)))
        {
            return true;
        }
    }

    return false;
}


static void
use(tx_t *tx, const hie_term_t *t)
{
    int  i;

    for (i = 0; i < tx->used->nelts; i++) {
        if (APR_ARRAY_IDX(tx->used, i, const hie_term_t *) == t) {
            return;
        }
    }

    APR_ARRAY_PUSH(tx->used, const hie_term_t *) = t;
}


static hie_rc_t
walk_part(walker_t *w)
{
    const include_t  *inc = w->part->include;
    hie_rc_t          rc;

    rc = hie_part_bind(w->tx, w->plan, w->part);

    if (rc != HIE_OK) {
        return rc;
    }

    if (inc->system.len > 0 && is_without(w->tx, inc, w->part->system)) {
        return HIE_OK;
    }

    if (w->part->system != NULL) {
        use(w->tx, w->part->system);
    }

    if (inc->listed) {
        return walk_entries(w);
    }

    if (inc->system.len > 0) {
        return walk_system(w);
    }

    w->first_set = 1;

    return hie_plan_walk(w->tx, w->part->sets[0], pass_on, w);
}


hie_rc_t
hie_plan_walk(tx_t *tx, plan_t *p, member_fn *fn, void *baton)
{
    walker_t  w;
    hie_rc_t  rc = hie_plan_enter(tx, p);
    uint32_t  i;

    if (rc != HIE_OK) {
        return rc;
    }

    use(tx, p->term);

    for (i = 0; i < p->n_includes; i++) {
        w = (walker_t) { tx, p, &p->parts[i], 0, fn, baton };
        rc = walk_part(&w);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    hie_plan_leave(tx, p);

    return HIE_OK;
}


/*
 * Codes, each once.
 */

void
hie_crowd_init(crowd_t *c, tx_t *tx, size_t max)
{
    memset(c, 0, sizeof(*c));
    c->tx = tx;
    c->max = max;
}


static uint32_t *
slot(const crowd_t *c, const member_t *m)
{
    hie_str_t        parts[2] = { m->system, m->code };
    size_t           i = hie_hash64_parts(parts, 2) & (c->n_slots - 1);
    const member_t  *other;

    for (; c->slots[i] != 0; i = (i + 1) & (c->n_slots - 1)) {
        other = &c->members[c->slots[i] - 1];

        if (hie_str_eq(other->code, m->code)
            && hie_str_eq(other->system, m->system))
        {
            break;
        }
    }

    return &c->slots[i];
}


static void
grow(crowd_t *c)
{
    size_t     i;
    member_t  *members;

    c->size = c->size == 0 ? 64 : 2 * c->size;
    members = apr_palloc(c->tx->pool, c->size * sizeof(*members));

    if (c->n > 0) {
        memcpy(members, c->members, c->n * sizeof(*members));
    }

    c->members = members;
    c->n_slots = 2 * c->size;
    c->slots = apr_pcalloc(c->tx->pool, c->n_slots * sizeof(*c->slots));

    for (i = 0; i < c->n; i++) {
        *slot(c, &members[i]) = (uint32_t) i + 1;
    }
}


hie_rc_t
hie_crowd_add(crowd_t *c, const member_t *m)
{
    uint32_t  *at;

    if (c->n == c->size) {
        grow(c);
    }

    at = slot(c, m);

    if (*at != 0) {
        return HIE_OK;
    }

    if (c->max != 0 && c->n == c->max) {
        return hie_tx_fail(c->tx, HIE_TOO_COSTLY, "too-costly",
                           "more than %zu codes", c->max);
    }

    c->members[c->n++] = *m;
    *at = (uint32_t) c->n;

    return HIE_OK;
}


uint32_t
hie_crowd_find(const crowd_t *c, const member_t *m)
{
    return c->n == 0 ? 0 : *slot(c, m);
}
