/*
 * What a code is called.
 */

#include "terminology/private.h"

typedef struct {
    hie_str_t  wanted;
    hie_str_t  found;
} search_t;


bool
hie_language_meets(hie_str_t tag, hie_str_t range)
{
    hie_str_t  head = { tag.ptr, range.len };

    return tag.len >= range.len && range.len > 0
           && hie_code_compare(head, range) == 0
           && (tag.len == range.len || tag.ptr[range.len] == '-');
}


static void
each(const designation_t *list, range_t r, designation_fn *fn, void *baton)
{
    uint32_t  i;

    for (i = 0; i < r.n; i++) {
        fn(baton, &list[r.first + i]);
    }
}


static bool
is_supplement_of(const hie_term_t *supplement, const member_t *m)
{
    hie_str_t  version, url;

    url = hie_str_split(supplement->system.supplements, '|', &version);

    return hie_str_eq(url, m->system)
           && (version.len == 0 || m->term == NULL
               || hie_str_eq(version, m->term->version));
}


/* A display of a supplement is another designation, in its language. */
static void
each_of_supplement(const hie_term_t *t, const member_t *m, designation_fn *fn,
                   void *baton)
{
    const system_t   *s = &t->system;
    uint32_t          c = hie_system_find(t, m->code);
    designation_t     d = { .language = s->language };

    if (c == NO_CONCEPT) {
        return;
    }

    d.value = s->concepts[c].display;

    if (d.value.len > 0) {
        fn(baton, &d);
    }

    each(s->designations, s->concepts[c].designations, fn, baton);
}


void
hie_member_designations(tx_t *tx, const member_t *m, designation_fn *fn,
                        void *baton)
{
    const system_t    *s;
    const hie_term_t  *t;
    int                i;

    if (m->entry != NULL) {
        each(m->list->set.designations, m->entry->designations, fn, baton);
    }

    if (m->term != NULL && m->concept != NO_CONCEPT) {
        s = &m->term->system;
        each(s->designations, s->concepts[m->concept].designations, fn,
             baton);
    }

    for (i = 0; i < tx->supplements->nelts; i++) {
        t = APR_ARRAY_IDX(tx->supplements, i, const hie_term_t *);

        if (is_supplement_of(t, m)) {
            each_of_supplement(t, m, fn, baton);
        }
    }
}


static void
take_language(void *baton, const designation_t *d)
{
    search_t  *s = baton;

    if (s->found.len == 0 && hie_language_meets(d->language, s->wanted)) {
        s->found = d->value;
    }
}


hie_str_t
hie_member_display(tx_t *tx, const member_t *m)
{
    const system_t  *system = NULL;
    hie_str_t        given = HIE_STR_NONE, own = HIE_STR_NONE;
    search_t         s = { tx->language, HIE_STR_NONE };

    if (m->entry != NULL) {
        given = m->entry->display;
    }

    if (m->term != NULL && m->concept != NO_CONCEPT) {
        system = &m->term->system;
        own = system->concepts[m->concept].display;
    }

    if (s.wanted.len > 0) {
        if (given.len > 0
            && hie_language_meets(m->list->set.language, s.wanted))
        {
            return given;
        }

        if (own.len > 0 && hie_language_meets(system->language, s.wanted)) {
            return own;
        }

        hie_member_designations(tx, m, take_language, &s);

        if (s.found.len > 0) {
            return s.found;
        }
    }

    return given.len > 0 ? given : own;
}


typedef struct {
    apr_pool_t  *pool;
    hie_str_t    wanted;
    bool         found;
} compare_t;


static void
compare(void *baton, const designation_t *d)
{
    compare_t  *c = baton;

    c->found = c->found
               || hie_str_eq(hie_fhir_normalize(c->pool, d->value),
                             c->wanted);
}


bool
hie_member_is_called(tx_t *tx, const member_t *m, hie_str_t display)
{
    compare_t      c = { tx->pool, hie_fhir_normalize(tx->pool, display),
                         false };
    designation_t  d = { .value = HIE_STR_NONE };

    if (m->entry != NULL) {
        d.value = m->entry->display;
        compare(&c, &d);
    }

    if (m->term != NULL && m->concept != NO_CONCEPT) {
        d.value = m->term->system.concepts[m->concept].display;
        compare(&c, &d);
    }

    hie_member_designations(tx, m, compare, &c);

    return c.found;
}
