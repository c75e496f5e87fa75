/*
 * ConceptMap/$translate (R4 section 4.10.16.1).
 */

#include "terminology/private.h"

#include <string.h>

#include <apr_strings.h>

typedef struct {
    hie_str_t  element;
    hie_str_t  system;              /* of one coding of the concept */
    hie_str_t  code;
} dependency_t;

typedef struct {
    tx_t                      *tx;
    const hie_term_request_t  *r;
    bool                       reverse;
    hie_str_t                  target_system;
    hie_str_t                  target;      /* value sets, or empty */
    hie_str_t                  source;
    apr_array_header_t        *dependencies;/* dependency_t */
    hie_buf_t                 *b;
    bool                       result;
    bool                       held_back;   /* matches for want of a
                                               dependency */
    size_t                     n;
} translate_t;

typedef struct {
    hie_str_t  system;
    hie_str_t  version;
    hie_str_t  code;
    hie_str_t  display;
    hie_str_t  equivalence;
    range_t    products;
} match_t;


/* Read from the other side (R4 concept-map-equivalence). */
static hie_str_t
invert(hie_str_t equivalence)
{
    static const char *const  pairs[][2] = {
        { "wider", "narrower" }, { "subsumes", "specializes" }
    };
    size_t                    i, k;

    for (i = 0; i < 2; i++) {
        for (k = 0; k < 2; k++) {
            if (hie_str_eqz(equivalence, pairs[i][k])) {
                return hie_str(pairs[i][1 - k]);
            }
        }
    }

    return equivalence;
}


/*
 * Dependencies.
 */

static void
read_dependency(translate_t *t, const hie_term_parameter_t *p)
{
    const hie_doc_t  *d = p->doc;
    hie_node_t        part, concept, c;
    hie_str_t         element = HIE_STR_NONE, name;
    dependency_t     *dep;

    part = hie_doc_first(d, hie_doc_member(d, p->node, "part"));
    concept = HIE_NODE_NONE;

    for (; part != HIE_NODE_NONE; part = hie_doc_next(d, part)) {
        name = hie_doc_get(d, part, "name", t->tx->pool);

        if (hie_str_eqz(name, "element")) {
            element = hie_doc_get(d, part, "valueUri", t->tx->pool);

        } else if (hie_str_eqz(name, "concept")) {
            concept = hie_doc_member(d, part, "valueCodeableConcept");
        }
    }

    c = hie_doc_first(d, hie_doc_member(d, concept, "coding"));

    for (; c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        dep = apr_array_push(t->dependencies);
        dep->element = element;
        dep->system = hie_doc_get(d, c, "system", t->tx->pool);
        dep->code = hie_doc_get(d, c, "code", t->tx->pool);
    }
}


static bool
is_given(const translate_t *t, const depends_t *want)
{
    const dependency_t  *have;
    int                  i;

    for (i = 0; i < t->dependencies->nelts; i++) {
        have = &APR_ARRAY_IDX(t->dependencies, i, dependency_t);

        if (hie_str_eq(have->element, want->property)
            && hie_str_eq(have->code, want->value)
            && (want->system.len == 0 || have->system.len == 0
                || hie_str_eq(have->system, want->system)))
        {
            return true;
        }
    }

    return false;
}


/* R4 ConceptMap.group.element.target.dependsOn: a mapping that is only
 * applicable if the element has this value. */
static bool
applies(translate_t *t, const map_t *map, const target_t *target)
{
    uint32_t  i;

    for (i = 0; i < target->depends.n; i++) {
        if (!is_given(t, &map->depends[target->depends.first + i])) {
            t->held_back = true;
            return false;
        }
    }

    return true;
}


/*
 * Matches.
 */

static void
put_products(translate_t *t, const map_t *map, range_t r)
{
    const depends_t  *d;
    hie_buf_t        *b = t->b;
    uint32_t          i;

    for (i = 0; i < r.n; i++) {
        d = &map->depends[r.first + i];
        hie_out_key(b, NULL);
        hie_buf_addz(b, "{\"name\":\"product\",\"part\":[");
        hie_out_parameter(b, "element", "Uri", d->property);
        hie_out_key(b, NULL);
        hie_buf_addz(b, "{\"name\":\"concept\"");
        hie_out_coding(b, "valueCoding", d->system, HIE_STR_NONE, d->value,
                       d->display);
        hie_buf_addz(b, "}]}");
    }
}


static hie_rc_t
put_match(translate_t *t, const hie_term_t *term, const match_t *m)
{
    hie_buf_t  *b = t->b;

    if (!hie_tx_spend(t->tx, 1)) {
        return HIE_TOO_COSTLY;
    }

    if (t->target_system.len > 0 && !hie_str_eq(m->system, t->target_system)) {
        return HIE_OK;
    }

    if (++t->n > HIE_TERM_CODES) {
        return hie_tx_fail(t->tx, HIE_TOO_COSTLY, "too-costly",
                           "more than %d matches", HIE_TERM_CODES);
    }

    t->result = t->result || !(hie_str_eqz(m->equivalence, "unmatched")
                               || hie_str_eqz(m->equivalence, "disjoint"));

    hie_out_key(b, NULL);
    hie_buf_addz(b, "{\"name\":\"match\",\"part\":[");
    hie_out_parameter(b, "equivalence", "Code", m->equivalence);

    if (m->code.len > 0) {
        hie_out_key(b, NULL);
        hie_buf_addz(b, "{\"name\":\"concept\"");
        hie_out_coding(b, "valueCoding", m->system, m->version, m->code,
                       m->display);
        hie_buf_addc(b, '}');
    }

    put_products(t, &term->map, m->products);
    hie_out_parameter(b, "source", "Uri", term->canonical);
    hie_buf_addz(b, "]}");

    return HIE_OK;
}


static bool
is_system(hie_str_t system, hie_str_t version, const coding_t *c)
{
    return (system.len == 0 || c->system.len == 0
            || hie_str_eq(system, c->system))
           && (version.len == 0 || c->version.len == 0
               || hie_str_eq(version, c->version));
}


/* Elements of the code; there may be several. `any` is set by the first. */
static hie_rc_t
match_elements(translate_t *t, const hie_term_t *term, const group_t *g,
               const coding_t *c, bool *any)
{
    const map_t      *map = &term->map;
    const element_t  *e = map->elements + g->elements.first;
    const target_t   *target;
    match_t           m;
    hie_rc_t          rc = HIE_OK;
    uint32_t          low = 0, high = g->elements.n, i, k;

    while (low < high) {
        i = low + (high - low) / 2;
        if (hie_code_compare(e[i].code, c->code) < 0) {
            low = i + 1;
        } else {
            high = i;
        }
    }

    for (i = low; i < g->elements.n; i++) {
        if (hie_code_compare(e[i].code, c->code) != 0) {
            break;
        }

        if (!hie_str_eq(e[i].code, c->code)) {
            continue;
        }

        *any = true;

        for (k = 0; k < e[i].targets.n && rc == HIE_OK; k++) {
            target = &map->targets[e[i].targets.first + k];

            if (applies(t, map, target)) {
                m = (match_t) { g->target, g->target_version, target->code,
                                target->display, target->equivalence,
                                target->products };
                rc = put_match(t, term, &m);
            }
        }
    }

    return rc;
}


static hie_rc_t
translate_by(translate_t *t, const hie_term_t *term, const coding_t *c,
             int depth);


/* R4 ConceptMap.group.unmapped. */
static hie_rc_t
match_unmapped(translate_t *t, const hie_term_t *term, const group_t *g,
               const coding_t *c, int depth)
{
    const hie_term_t  *other;
    match_t            m = { .system = g->target };
    hie_rc_t           rc;

    switch (g->unmapped) {

    case UNMAPPED_PROVIDED:
        m.code = c->code;
        m.display = c->display;
        m.equivalence = HIE_STR("equal");
        return put_match(t, term, &m);

    case UNMAPPED_FIXED:
        m.code = g->code;
        m.display = g->display;
        m.equivalence = HIE_STR("inexact");
        return put_match(t, term, &m);

    case UNMAPPED_OTHER:
        rc = hie_tx_find(t->tx, HIE_TERM_CONCEPT_MAP, g->other, HIE_STR_NONE,
                         &other);

        if (rc == HIE_NOT_FOUND) {
            return hie_tx_fail(t->tx, HIE_UNPROCESSABLE, "not-found",
                               "the concept map %.*s, which %.*s passes "
                               "unmapped codes to, is not known",
                               HIE_PRISTR(g->other),
                               HIE_PRISTR(term->canonical));
        }

        return rc == HIE_OK ? translate_by(t, other, c, depth + 1) : rc;

    default:
        return HIE_OK;
    }
}


static hie_rc_t
match_reverse(translate_t *t, const hie_term_t *term, const group_t *g,
              const coding_t *c)
{
    const map_t      *map = &term->map;
    const element_t  *e = map->elements + g->elements.first;
    const target_t   *target;
    match_t           m;
    hie_rc_t          rc = HIE_OK;
    uint32_t          i, k;

    for (i = 0; i < g->elements.n; i++) {
        if (!hie_tx_spend(t->tx, 1 + e[i].targets.n)) {
            return HIE_TOO_COSTLY;
        }

        for (k = 0; k < e[i].targets.n && rc == HIE_OK; k++) {
            target = &map->targets[e[i].targets.first + k];

            if (hie_str_eq(target->code, c->code) && applies(t, map, target)) {
                m = (match_t) { g->source, g->source_version, e[i].code,
                                e[i].display, invert(target->equivalence),
                                { 0, 0 } };
                rc = put_match(t, term, &m);
            }
        }
    }

    return rc;
}


static hie_rc_t
translate_by(translate_t *t, const hie_term_t *term, const coding_t *c,
             int depth)
{
    const group_t  *g;
    hie_rc_t        rc = HIE_OK;
    uint32_t        i;
    bool            any;

    if (depth > HIE_TERM_DEPTH) {
        return hie_tx_fail(t->tx, HIE_UNPROCESSABLE, "processing",
                           "more than %d concept maps pass a code on, or they "
                           "do so in a circle", HIE_TERM_DEPTH);
    }

    for (i = 0; i < term->map.n_groups && rc == HIE_OK; i++) {
        g = &term->map.groups[i];

        if (!hie_tx_spend(t->tx, 1)) {
            return HIE_TOO_COSTLY;
        }

        if (t->reverse) {
            if (is_system(g->target, g->target_version, c)) {
                rc = match_reverse(t, term, g, c);
            }

        } else if (is_system(g->source, g->source_version, c)) {
            any = false;
            rc = match_elements(t, term, g, c, &any);

            if (rc == HIE_OK && !any) {
                rc = match_unmapped(t, term, g, c, depth);
            }
        }
    }

    return rc;
}


/* Without a map named, those between the value sets that are named. */
static bool
is_between(const translate_t *t, const map_t *map)
{
    hie_str_t  from = t->reverse ? map->target : map->source;
    hie_str_t  to = t->reverse ? map->source : map->target;

    return (t->source.len == 0 || hie_str_eq(from, t->source))
           && (t->target.len == 0 || hie_str_eq(to, t->target));
}


static hie_rc_t
find_maps(translate_t *t, const hie_term_t *const **out, size_t *n)
{
    tx_t               *tx = t->tx;
    const hie_term_t  **one = apr_pcalloc(tx->pool, sizeof(*one));
    hie_str_t           url = hie_in_text(t->r, "url");
    hie_str_t           version = hie_in_text(t->r, "conceptMapVersion");
    hie_rc_t            rc;

    rc = hie_in_term(tx, t->r, HIE_TERM_CONCEPT_MAP, "conceptMap", one);
    *out = one;
    *n = 1;

    if (rc != HIE_OK || *one != NULL) {
        return rc;
    }

    if (url.len > 0) {
        rc = hie_tx_find(tx, HIE_TERM_CONCEPT_MAP, url, version, one);

        return rc != HIE_NOT_FOUND ? rc
               : hie_tx_fail(tx, rc, "not-found",
                             "the concept map %.*s is not known",
                             HIE_PRISTR(hie_tx_canonical(tx->pool, url,
                                                         version)));
    }

    *n = 0;

    if (tx->source->maps == NULL) {
        return HIE_OK;
    }

    rc = tx->source->maps(tx->source->baton, out, n, tx->err);

    if (rc != HIE_OK) {
        tx->issue = hie_rc_issue(rc);
    }

    return rc;
}


static hie_rc_t
run(translate_t *t, const hie_term_t *const *maps, size_t n_maps,
    const coding_t *codings, uint32_t n)
{
    hie_rc_t  rc = HIE_OK;
    bool      chosen = n_maps == 1;
    uint32_t  k;
    size_t    i;

    for (i = 0; i < n_maps; i++) {
        if (!chosen && !is_between(t, &maps[i]->map)) {
            continue;
        }

        for (k = 0; k < n && rc == HIE_OK; k++) {
            rc = translate_by(t, maps[i], &codings[k], 0);
        }
    }

    return rc;
}


static void
put_result(translate_t *t, hie_buf_t *out)
{
    const char  *message = NULL;

    if (t->held_back) {
        message = "mappings that depend on other elements were left out; "
                  "give them as the parameter dependency";

    } else if (t->n == 0) {
        message = "there is no mapping of the code";

    } else if (!t->result) {
        message = "the code is known to have no match";
    }

    hie_buf_init(out, t->tx->pool, t->b->len + 256);
    hie_buf_addz(out, "{\"resourceType\":\"Parameters\",\"parameter\":[");
    hie_out_parameter(out, "result", "Boolean",
                      t->result ? HIE_STR("true") : HIE_STR("false"));

    if (message != NULL) {
        hie_out_parameter(out, "message", "String", hie_str(message));
    }

    hie_out_raw(out, NULL, hie_buf_str(t->b));
    hie_buf_addz(out, "]}");
}


static hie_rc_t
translate(translate_t *t, hie_buf_t *out)
{
    const hie_term_request_t      *r = t->r;
    const hie_term_t *const       *maps;
    coding_t                      *codings;
    hie_rc_t                       rc;
    size_t                         i, n_maps;
    uint32_t                       n;

    if ((rc = hie_in_bool(t->tx, r, "reverse", &t->reverse)) != HIE_OK
        || (rc = hie_in_codings(t->tx, r, "version", &codings, &n)) != HIE_OK
        || (rc = find_maps(t, &maps, &n_maps)) != HIE_OK)
    {
        return rc;
    }

    t->target_system = hie_in_text(r, "targetsystem");
    t->target = hie_in_text(r, "target");
    t->source = hie_in_text(r, "source");

    for (i = 0; i < r->n_parameters; i++) {
        if (hie_str_eqz(r->parameters[i].name, "dependency")
            && r->parameters[i].doc != NULL)
        {
            read_dependency(t, &r->parameters[i]);
        }
    }

    rc = run(t, maps, n_maps, codings, n);

    if (rc == HIE_OK) {
        put_result(t, out);
    }

    return rc;
}


hie_rc_t
hie_term_translate(const hie_term_request_t *r, hie_str_t *out,
                   hie_error_t *err)
{
    static const char *const  refused[] = { NULL };

    tx_t         tx;
    hie_buf_t    b, matches;
    translate_t  t = { .tx = &tx, .r = r, .b = &matches };
    hie_rc_t     rc = hie_in_begin(&tx, r, refused, err);

    hie_buf_init(&matches, r->pool, 256);
    t.dependencies = apr_array_make(r->pool, 2, sizeof(dependency_t));

    if (rc == HIE_OK) {
        rc = translate(&t, &b);
    }

    return hie_in_end(&tx, rc, &b, out);
}
