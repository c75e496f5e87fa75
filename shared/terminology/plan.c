/*
 * Value sets with their references: found when needed, and asked for a code.
 */

#include "terminology/private.h"

#include <string.h>

#define FHIR_VS  "?fhir_vs"


/*
 * Finding.
 */

static bool
same_system(hie_str_t canonical, hie_str_t url, hie_str_t *version)
{
    return hie_str_eq(hie_str_split(canonical, '|', version), url);
}


static bool
listed(const apr_array_header_t *canonicals, hie_str_t url,
       hie_str_t *version)
{
    int  i;

    for (i = 0; i < canonicals->nelts; i++) {
        if (same_system(APR_ARRAY_IDX(canonicals, i, hie_str_t), url, version))
        {
            return true;
        }
    }

    return false;
}


/* The code system of an include, in the version that the request wants (R4
 * ValueSet-expand: system-version, check-, force-). HIE_NOT_FOUND leaves the
 * error to the caller. */
hie_rc_t
hie_tx_system(tx_t *tx, hie_str_t url, hie_str_t version,
              const hie_term_t **out)
{
    hie_str_t  v;
    hie_rc_t   rc;

    if (hie_str_eqz(version, "*")) {
        version = HIE_STR_NONE;
    }

    if (listed(tx->force, url, &v)) {
        version = v;

    } else if (version.len == 0 && listed(tx->fallback, url, &v)) {
        version = v;
    }

    rc = hie_tx_find(tx, HIE_TERM_CODE_SYSTEM, url, version, out);

    if (listed(tx->check, url, &v)
        && !hie_str_eq(v, rc == HIE_OK ? (*out)->version : version))
    {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "exception",
                           "the version of %.*s is not %.*s", HIE_PRISTR(url),
                           HIE_PRISTR(v));
    }

    return rc;
}


/* A value set that brings its expansion is used by it where a code system
 * that the definition needs is not here. */
static hie_rc_t
needs_expansion(tx_t *tx, const value_set_t *s, bool *out)
{
    const include_t   *inc;
    const hie_term_t  *t;
    hie_rc_t           rc;
    uint32_t           i;

    *out = !s->composed;

    for (i = 0; s->expanded && !*out && i < s->n_includes + s->n_excludes;
         i++)
    {
        inc = &s->includes[i];

        if (inc->system.len == 0 || inc->listed) {
            continue;
        }

        rc = hie_tx_system(tx, inc->system, inc->version, &t);

        if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
            return rc;
        }

        *out = rc == HIE_NOT_FOUND
               || t->system.content == CONTENT_NOT_PRESENT;
    }

    return HIE_OK;
}


hie_rc_t
hie_plan_of(tx_t *tx, const hie_term_t *term, plan_t **out)
{
    const value_set_t  *s = &term->set;
    const include_t    *inc = s->includes;
    plan_t             *p;
    hie_rc_t            rc;
    uint32_t            i;
    bool                stored;

    for (i = 0; i < (uint32_t) tx->plans->nelts; i++) {
        *out = APR_ARRAY_IDX(tx->plans, i, plan_t *);

        if ((*out)->term == term) {
            return HIE_OK;
        }
    }

    p = apr_pcalloc(tx->pool, sizeof(*p));
    p->term = term;
    p->active = s->active;
    p->n_includes = s->n_includes;
    p->n_excludes = s->n_excludes;
    rc = needs_expansion(tx, s, &stored);

    if (rc != HIE_OK) {
        return rc;
    }

    if (stored) {
        if (!s->expanded) {
            return hie_tx_fail(tx, HIE_UNPROCESSABLE, "processing",
                               "the value set %.*s states no content",
                               HIE_PRISTR(term->canonical));
        }

        p->n_includes = 1;
        p->n_excludes = 0;
        p->stored = true;
        inc = &s->expansion;
    }

    p->parts = apr_pcalloc(tx->pool, sizeof(*p->parts)
                                     * (p->n_includes + p->n_excludes + 1));

    for (i = 0; i < p->n_includes + p->n_excludes; i++) {
        p->parts[i].include = inc + i;
    }

    APR_ARRAY_PUSH(tx->plans, plan_t *) = p;
    *out = p;

    return HIE_OK;
}


/* A value set that no resource states: all codes of a system, or those below
 * one of them. */
static const hie_term_t *
implicit(tx_t *tx, hie_str_t url, hie_str_t version, hie_str_t system,
         hie_str_t below)
{
    hie_term_t   *t = apr_pcalloc(tx->pool, sizeof(*t));
    include_t    *inc = apr_pcalloc(tx->pool, sizeof(*inc));
    filter_t     *f;
    hie_buf_t     b;

    inc->system = system;
    inc->version = version;

    if (below.ptr != NULL) {
        f = apr_pcalloc(tx->pool, sizeof(*f));
        *f = (filter_t) { HIE_STR("concept"), OP_IS_A, below };
        inc->filters = f;
        inc->n_filters = 1;
    }

    hie_buf_init(&b, tx->pool, 128);
    hie_buf_addz(&b, "\"url\":");
    hie_buf_add_json(&b, url);
    hie_buf_addz(&b, ",\"status\":\"active\"");

    t->kind = HIE_TERM_VALUE_SET;
    t->url = url;
    t->canonical = url;
    t->set.composed = true;
    t->set.includes = inc;
    t->set.n_includes = 1;
    t->set.head = hie_buf_str(&b);

    APR_ARRAY_PUSH(tx->known, known_t) =
        (known_t) { HIE_TERM_VALUE_SET, url, version, HIE_OK, t };

    return t;
}


/* Of the forms of R4 section 4.3.7 those that a loaded system can answer. */
static hie_rc_t
find_implicit(tx_t *tx, hie_str_t canonical, hie_str_t version,
              const hie_term_t **out)
{
    const hie_term_t  *system;
    hie_str_t          own, url = hie_str_split(canonical, '|', &own), form;
    const char        *at;
    hie_rc_t           rc;

    version = version.len > 0 ? version : own;
    at = url.len == 0 ? NULL
         : memmem(url.ptr, url.len, FHIR_VS, sizeof(FHIR_VS) - 1);

    if (at == NULL) {
        rc = hie_tx_find(tx, HIE_TERM_SYSTEM_OF, url, version, &system);

        if (rc == HIE_OK) {
            *out = implicit(tx, url, version, system->url, HIE_STR_NONE);
        }

        return rc;
    }

    form.ptr = at + sizeof(FHIR_VS) - 1;
    form.len = url.len - (size_t) (form.ptr - url.ptr);

    if (form.len > 0 && !hie_str_starts(form, "=isa/")) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-supported",
                           "of implicit value sets ?fhir_vs and "
                           "?fhir_vs=isa/[code] are supported");
    }

    if (form.len > 0) {
        form.ptr += sizeof("=isa/") - 1;
        form.len -= sizeof("=isa/") - 1;
    } else {
        form = HIE_STR_NONE;
    }

    *out = implicit(tx, url, version,
                    (hie_str_t) { url.ptr, (size_t) (at - url.ptr) }, form);

    return HIE_OK;
}


static const hie_term_t *
find_contained(const hie_term_t *from, hie_term_kind_t kind, hie_str_t url)
{
    const value_set_t  *s;
    uint32_t            i;
    bool                by_id = hie_str_starts(url, "#");

    if (from == NULL || from->kind != HIE_TERM_VALUE_SET) {
        return NULL;
    }

    s = &from->set;

    if (by_id) {
        url.ptr++;
        url.len--;
    }

    for (i = 0; i < s->n_contained; i++) {
        if (s->contained[i]->kind == kind && url.len > 0
            && hie_str_eq(by_id ? s->contained_ids[i] : s->contained[i]->url,
                          url))
        {
            return s->contained[i];
        }
    }

    return NULL;
}


hie_rc_t
hie_plan_find(tx_t *tx, hie_str_t canonical, hie_str_t version,
              const hie_term_t *from, plan_t **out)
{
    const hie_term_t  *t = find_contained(from, HIE_TERM_VALUE_SET,
                                          canonical);
    hie_rc_t           rc = HIE_OK;

    if (t == NULL) {
        rc = hie_tx_find(tx, HIE_TERM_VALUE_SET, canonical, version, &t);
    }

    if (rc == HIE_NOT_FOUND) {
        rc = find_implicit(tx, canonical, version, &t);
    }

    if (rc == HIE_OK) {
        return hie_plan_of(tx, t, out);
    }

    if (rc == HIE_NOT_FOUND) {
        return hie_tx_fail(tx, from != NULL ? HIE_UNPROCESSABLE : rc,
                           "not-found", "the value set %.*s is not known",
                           HIE_PRISTR(hie_tx_canonical(tx->pool, canonical,
                                                       version)));
    }

    return rc;
}


/*
 * Binding.
 */

static hie_rc_t
bind_system(tx_t *tx, plan_t *p, part_t *part)
{
    const include_t  *inc = part->include;
    hie_rc_t          rc = HIE_OK;
    uint32_t          i;

    part->system = find_contained(p->term, HIE_TERM_CODE_SYSTEM, inc->system);

    if (part->system == NULL) {
        rc = hie_tx_system(tx, inc->system, inc->version, &part->system);
    }

    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        return rc;
    }

    if (part->system != NULL
        && part->system->system.content == CONTENT_SUPPLEMENT)
    {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "invalid",
                           "%.*s is a supplement, of which no value set can "
                           "be made", HIE_PRISTR(inc->system));
    }

    if (inc->n_filters > 0
        && (part->system == NULL
            || part->system->system.content == CONTENT_NOT_PRESENT))
    {
        return hie_part_unknown(tx, p, part);
    }

    part->filters = apr_pcalloc(tx->pool, sizeof(*part->filters)
                                          * (inc->n_filters + 1));

    for (i = 0; i < inc->n_filters; i++) {
        rc = hie_filter_bind(tx, part->system, &inc->filters[i],
                             &part->filters[i]);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_part_unknown(tx_t *tx, const plan_t *p, const part_t *part)
{
    hie_str_t  system = hie_tx_canonical(tx->pool, part->include->system,
                                         part->include->version);

    return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-found",
                       "the content of the code system %.*s, of which the "
                       "value set %.*s is made, is not known",
                       HIE_PRISTR(system), HIE_PRISTR(p->term->canonical));
}


hie_rc_t
hie_part_bind(tx_t *tx, plan_t *p, part_t *part)
{
    const include_t  *inc = part->include;
    hie_rc_t          rc;
    uint32_t          i;

    if (part->bound) {
        return HIE_OK;
    }

    if (inc->system.len > 0) {
        rc = bind_system(tx, p, part);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    part->sets = apr_pcalloc(tx->pool, sizeof(*part->sets)
                                       * (inc->n_value_sets + 1));

    for (i = 0; i < inc->n_value_sets; i++) {
        rc = hie_plan_find(tx, inc->value_sets[i], HIE_STR_NONE, p->term,
                           &part->sets[i]);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    part->bound = true;

    return HIE_OK;
}


/*
 * Asking.
 */

hie_rc_t
hie_plan_enter(tx_t *tx, plan_t *p)
{
    if (p->busy) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "processing",
                           "the value set %.*s refers to itself",
                           HIE_PRISTR(p->term->canonical));
    }

    if (tx->depth >= HIE_TERM_DEPTH) {
        return hie_tx_fail(tx, HIE_TOO_COSTLY, "too-costly",
                           "more than %d value sets in one another",
                           HIE_TERM_DEPTH);
    }

    p->busy = true;
    tx->depth++;

    return HIE_OK;
}


void
hie_plan_leave(tx_t *tx, plan_t *p)
{
    p->busy = false;
    tx->depth--;
}


static const entry_t *
find_entry(const part_t *part, const member_t *m)
{
    const include_t  *inc = part->include;
    const entry_t    *e;
    uint32_t          i;
    bool              sensitive = part->system == NULL
                                  || part->system->system.case_sensitive;

    i = hie_order_find(inc->order, inc->n, &inc->entries->code,
                       sizeof(*inc->entries), m->code);

    for (; i < inc->n; i++) {
        e = &inc->entries[inc->order[i]];

        if (hie_code_compare(e->code, m->code) != 0) {
            break;
        }

        if (hie_code_same(e->code, m->code, sensitive)
            && (inc->system.len > 0 || m->system.ptr == NULL
                || hie_str_eq(e->system, m->system)))
        {
            return e;
        }
    }

    return NULL;
}


static void
complete(member_t *m, const part_t *part, uint32_t concept, const entry_t *e,
         const plan_t *p)
{
    const concept_t  *c;

    m->system = part->include->system;
    m->term = part->system;
    m->concept = concept;
    m->flags = 0;

    if (e != NULL) {
        m->entry = e;
        m->list = p->term;
        m->code = e->code;
    }

    if (concept != NO_CONCEPT) {
        c = &part->system->system.concepts[concept];
        m->code = c->code;
        m->flags = c->flags;
    }
}


/* A code of a system that is not known: by its grammar, or not at all. */
static hie_rc_t
ask_grammar(tx_t *tx, const plan_t *p, const part_t *part, member_t *m,
            bool *out)
{
    hie_term_answer_t  answer = HIE_TERM_UNKNOWN;

    if (tx->source->grammar != NULL) {
        answer = tx->source->grammar(tx->source->baton, part->include->system,
                                     m->code);
    }

    if (answer == HIE_TERM_UNKNOWN) {
        return hie_part_unknown(tx, p, part);
    }

    *out = answer == HIE_TERM_IN;

    if (*out) {
        complete(m, part, NO_CONCEPT, NULL, p);
    }

    return HIE_OK;
}


/* Of a part with a system, its value sets left aside. */
static hie_rc_t
system_has(tx_t *tx, const plan_t *p, const part_t *part, member_t *m,
           bool *out)
{
    const include_t  *inc = part->include;
    const entry_t    *e = NULL;
    content_t         content = 0;
    hie_rc_t          rc;
    uint32_t          concept = NO_CONCEPT, i;

    if (part->system != NULL) {
        content = part->system->system.content;
        concept = m->term == part->system && m->concept != NO_CONCEPT
                  ? m->concept : hie_system_find(part->system, m->code);
    }

    if (inc->listed) {
        e = find_entry(part, m);

        if (e == NULL || (content == CONTENT_COMPLETE
                          && concept == NO_CONCEPT))
        {
            return HIE_OK;
        }

    } else if (concept == NO_CONCEPT) {
        return content == CONTENT_COMPLETE ? HIE_OK
               : ask_grammar(tx, p, part, m, out);
    }

    for (i = 0; i < inc->n_filters; i++) {
        rc = hie_filter_test(tx, &part->filters[i], concept, out);

        if (rc != HIE_OK || !*out) {
            return rc;
        }
    }

    complete(m, part, concept, e, p);
    *out = true;

    return HIE_OK;
}


static void
entry_member(const plan_t *p, const entry_t *e, member_t *m)
{
    m->system = e->system;
    m->code = e->code;
    m->term = NULL;
    m->concept = NO_CONCEPT;
    m->entry = e;
    m->list = p->term;
    m->flags = e->flags;
}


hie_rc_t
hie_part_has(tx_t *tx, plan_t *p, part_t *part, member_t *m, bool *out)
{
    const include_t  *inc = part->include;
    const entry_t    *e;
    member_t          found = *m, other;
    hie_rc_t          rc;
    uint32_t          i = 0;

    *out = false;

    if (!hie_tx_spend(tx, 1)) {
        return HIE_TOO_COSTLY;
    }

    if (inc->system.len > 0 && m->system.ptr != NULL
        && !hie_str_eq(m->system, inc->system))
    {
        return HIE_OK;
    }

    rc = hie_part_bind(tx, p, part);

    if (rc != HIE_OK) {
        return rc;
    }

    if (inc->system.len > 0) {
        rc = system_has(tx, p, part, &found, out);

    } else if (inc->listed) {
        e = find_entry(part, m);
        *out = e != NULL;

        if (e != NULL) {
            entry_member(p, e, &found);
        }

    } else {
        rc = hie_plan_has(tx, part->sets[i++], &found, out);
    }

    for (; rc == HIE_OK && *out && i < inc->n_value_sets; i++) {
        other = found;
        rc = hie_plan_has(tx, part->sets[i], &other, out);
    }

    if (rc == HIE_OK && *out) {
        *m = found;
    }

    return rc;
}


/* One part that cannot be judged does not matter when another one has the
 * code. */
static hie_rc_t
includes_have(tx_t *tx, plan_t *p, member_t *m, bool *out)
{
    hie_error_t  first_error;
    const char  *first_issue = NULL;
    hie_rc_t     rc, first = HIE_OK;
    uint32_t     i;

    for (i = 0; i < p->n_includes; i++) {
        rc = hie_part_has(tx, p, &p->parts[i], m, out);

        if (rc == HIE_OK && *out) {
            return HIE_OK;
        }

        if (rc != HIE_OK && first == HIE_OK) {
            first = rc;
            first_error = *tx->err;
            first_issue = tx->issue;
        }

        if (rc != HIE_OK && rc != HIE_UNPROCESSABLE) {
            return rc;
        }
    }

    *out = false;

    if (first != HIE_OK) {
        *tx->err = first_error;
        tx->issue = first_issue;
    }

    return first;
}


hie_rc_t
hie_plan_excludes(tx_t *tx, plan_t *p, const member_t *m, bool *out)
{
    member_t  other;
    hie_rc_t  rc;
    uint32_t  i;

    *out = p->active && (m->flags & CONCEPT_INACTIVE);

    for (i = 0; i < p->n_excludes && !*out; i++) {
        other = *m;
        rc = hie_part_has(tx, p, &p->parts[p->n_includes + i], &other, out);

        if (rc != HIE_OK) {
            return rc;
        }
    }

    return HIE_OK;
}


hie_rc_t
hie_plan_has(tx_t *tx, plan_t *p, member_t *m, bool *out)
{
    hie_rc_t  rc = hie_plan_enter(tx, p);
    bool      excluded = false;

    *out = false;

    if (rc != HIE_OK) {
        return rc;
    }

    rc = includes_have(tx, p, m, out);

    if (rc == HIE_OK && *out) {
        rc = hie_plan_excludes(tx, p, m, &excluded);
        *out = !excluded;
    }

    hie_plan_leave(tx, p);

    return rc;
}
