/*
 * CodeSystem/$lookup and CodeSystem/$subsumes (R4 section 4.8.16.1, .3).
 */

#include "terminology/private.h"

#include <string.h>

typedef struct {
    tx_t                *tx;
    hie_buf_t           *b;
    const hie_term_t    *term;
    uint32_t             concept;
    apr_array_header_t  *wanted;    /* properties; none: what there is */
} lookup_t;


/* The code system of an operation: the instance, the resource that came with
 * the request, or by URL. */
static hie_rc_t
find_system(tx_t *tx, const hie_term_request_t *r, hie_str_t url,
            hie_str_t version, const hie_term_t **out)
{
    hie_rc_t  rc = hie_in_term(tx, r, HIE_TERM_CODE_SYSTEM, "codeSystem",
                               out);

    if (rc != HIE_OK) {
        return rc;
    }

    if (*out != NULL) {
        return url.len == 0 || hie_str_eq(url, (*out)->url) ? HIE_OK
               : hie_tx_fail(tx, HIE_INVALID, "invalid",
                             "the system is not that of the code system "
                             "%.*s", HIE_PRISTR((*out)->canonical));
    }

    if (url.len == 0) {
        return hie_tx_fail(tx, HIE_INVALID, "required",
                           "expected the parameter system");
    }

    rc = hie_tx_system(tx, url, version, out);

    return rc != HIE_NOT_FOUND ? rc
           : hie_tx_fail(tx, rc, "not-found",
                         "the code system %.*s is not known",
                         HIE_PRISTR(hie_tx_canonical(tx->pool, url,
                                                     version)));
}


static hie_rc_t
find_concept(tx_t *tx, const hie_term_t *t, hie_str_t code, uint32_t *out)
{
    *out = hie_system_find(t, code);

    if (*out != NO_CONCEPT) {
        return HIE_OK;
    }

    return hie_tx_fail(tx, HIE_NOT_FOUND, "not-found",
                       "the code \"%.*s\" is not known in the code system "
                       "%.*s%s", HIE_PRISTR(code), HIE_PRISTR(t->canonical),
                       t->system.content == CONTENT_COMPLETE ? ""
                       : ", which is not completely known");
}


/*
 * $lookup.
 */

static bool
wants(const lookup_t *l, hie_str_t name)
{
    int  i;

    for (i = 0; i < l->wanted->nelts; i++) {
        if (hie_str_eq(APR_ARRAY_IDX(l->wanted, i, hie_str_t), name)) {
            return true;
        }
    }

    return l->wanted->nelts == 0;
}


/* "lang.de" asks for the designations in a language. */
static bool
wants_language(const lookup_t *l, hie_str_t language)
{
    hie_str_t  name;
    int        i;

    for (i = 0; i < l->wanted->nelts; i++) {
        name = APR_ARRAY_IDX(l->wanted, i, hie_str_t);

        if (hie_str_starts(name, "lang.")
            && hie_language_meets(language, (hie_str_t) { name.ptr + 5,
                                                          name.len - 5 }))
        {
            return true;
        }
    }

    return wants(l, HIE_STR("designation"));
}


static void
put_designation(void *baton, const designation_t *d)
{
    lookup_t   *l = baton;
    hie_buf_t  *b = l->b;

    if (d->value.len == 0 || !wants_language(l, d->language)) {
        return;
    }

    hie_out_key(b, NULL);
    hie_buf_addz(b, "{\"name\":\"designation\",\"part\":[");
    hie_out_parameter(b, "language", "Code", d->language);

    if (d->use.len > 0) {
        hie_out_key(b, NULL);
        hie_buf_addz(b, "{\"name\":\"use\",\"valueCoding\":");
        hie_buf_adds(b, d->use);
        hie_buf_addc(b, '}');
    }

    hie_out_parameter(b, "value", "String", d->value);
    hie_buf_addz(b, "]}");
}


/* `json` is the value as it stands. */
static void
put_property(lookup_t *l, hie_str_t code, const char *type, hie_str_t json,
             hie_str_t description)
{
    hie_buf_t  *b = l->b;

    if (!wants(l, code) || type == NULL || json.len == 0) {
        return;
    }

    hie_out_key(b, NULL);
    hie_buf_addz(b, "{\"name\":\"property\",\"part\":[");
    hie_out_parameter(b, "code", "Code", code);
    hie_out_key(b, NULL);
    hie_buf_addf(b, "{\"name\":\"value\",\"value%s\":", type);
    hie_buf_adds(b, json);
    hie_buf_addc(b, '}');
    hie_out_parameter(b, "description", "String", description);
    hie_buf_addz(b, "]}");
}


static hie_str_t
quoted(apr_pool_t *pool, hie_str_t text)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, text.len + 3);
    hie_buf_add_json(&b, text);

    return hie_buf_str(&b);
}


static void
put_links(lookup_t *l, const char *name, range_t r)
{
    const system_t   *s = &l->term->system;
    const concept_t  *c;
    uint32_t          i;

    for (i = 0; i < r.n; i++) {
        c = &s->concepts[s->links[r.first + i]];
        put_property(l, hie_str(name), "Code", quoted(l->tx->pool, c->code),
                     c->display);
    }
}


/* What a value that is a code of the same system is called. */
static hie_str_t
describe(const lookup_t *l, const property_t *p)
{
    uint32_t  c;

    if (!hie_str_eqz(hie_str(p->type), "Code")) {
        return HIE_STR_NONE;
    }

    c = hie_system_find(l->term, p->text);

    return c == NO_CONCEPT ? HIE_STR_NONE
           : l->term->system.concepts[c].display;
}


static void
put_properties(lookup_t *l, const hie_term_t *term, uint32_t concept)
{
    const system_t    *s = &term->system;
    const concept_t   *c = &s->concepts[concept];
    const property_t  *p;
    hie_str_t          name;
    uint32_t           i;

    for (i = 0; i < c->properties.n; i++) {
        p = &s->properties[c->properties.first + i];
        name = s->names[p->name].code;

        /* these are given by what the hierarchy says */
        if (!hie_str_eqz(name, "parent") && !hie_str_eqz(name, "child")) {
            put_property(l, name, p->type, p->json, describe(l, p));
        }
    }
}


static bool
has_property(const lookup_t *l, const char *name)
{
    const system_t   *s = &l->term->system;
    const concept_t  *c = &s->concepts[l->concept];
    uint32_t          i;

    for (i = 0; i < c->properties.n; i++) {
        if (hie_str_eqz(s->names[s->properties[c->properties.first + i].name]
                        .code, name))
        {
            return true;
        }
    }

    return false;
}


static void
put_concept(lookup_t *l)
{
    tx_t              *tx = l->tx;
    const system_t    *s = &l->term->system;
    const concept_t   *c = &s->concepts[l->concept];
    const hie_term_t  *t;
    uint32_t           other;
    int                i;

    put_property(l, HIE_STR("definition"), "String",
                 c->definition.len > 0 ? quoted(tx->pool, c->definition)
                                       : HIE_STR_NONE, HIE_STR_NONE);

    if ((c->flags & CONCEPT_INACTIVE) && !has_property(l, "inactive")) {
        put_property(l, HIE_STR("inactive"), "Boolean", HIE_STR("true"),
                     HIE_STR_NONE);
    }

    put_properties(l, l->term, l->concept);

    for (i = 0; i < tx->supplements->nelts; i++) {
        t = APR_ARRAY_IDX(tx->supplements, i, const hie_term_t *);
        other = hie_system_find(t, c->code);

        if (other != NO_CONCEPT
            && hie_str_starts(t->system.supplements,
                              hie_str_z(tx->pool, l->term->url)))
        {
            put_properties(l, t, other);
        }
    }

    put_links(l, "parent", c->parents);
    put_links(l, "child", c->children);
}


static hie_rc_t
lookup(lookup_t *l, const hie_term_request_t *r)
{
    const system_t  *s;
    member_t         m;
    coding_t        *c;
    hie_str_t        display;
    hie_rc_t         rc;
    uint32_t         n;

    rc = hie_in_codings(l->tx, r, "version", &c, &n);

    if (rc == HIE_OK) {
        rc = find_system(l->tx, r, c->system, c->version, &l->term);
    }

    if (rc == HIE_OK) {
        rc = find_concept(l->tx, l->term, c->code, &l->concept);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    s = &l->term->system;
    memset(&m, 0, sizeof(m));
    m.system = l->term->url;
    m.code = s->concepts[l->concept].code;
    m.term = l->term;
    m.concept = l->concept;
    display = hie_member_display(l->tx, &m);

    hie_buf_init(l->b, l->tx->pool, 512);
    hie_buf_addz(l->b, "{\"resourceType\":\"Parameters\",\"parameter\":[");
    hie_out_parameter(l->b, "name", "String", s->title.len > 0 ? s->title
                      : s->name.len > 0 ? s->name : l->term->url);
    hie_out_parameter(l->b, "version", "String", l->term->version);
    hie_out_parameter(l->b, "display", "String",
                      display.len > 0 ? display : m.code);
    hie_member_designations(l->tx, &m, put_designation, l);
    put_concept(l);
    hie_buf_addz(l->b, "]}");

    return HIE_OK;
}


hie_rc_t
hie_term_lookup(const hie_term_request_t *r, hie_str_t *out,
                hie_error_t *err)
{
    static const char *const  refused[] = { "date", "codeableConcept", NULL };

    tx_t       tx;
    hie_buf_t  b;
    lookup_t   l = { .tx = &tx, .b = &b };
    hie_rc_t   rc = hie_in_begin(&tx, r, refused, err);

    if (rc == HIE_OK) {
        l.wanted = hie_in_texts(r, "property", r->pool);
        rc = lookup(&l, r);
    }

    return hie_in_end(&tx, rc, &b, out);
}


/*
 * $subsumes.
 */

static hie_rc_t
read_side(tx_t *tx, const hie_term_request_t *r, const char *code,
          const char *coding, coding_t *out)
{
    const hie_term_parameter_t  *p = hie_in_find(r, coding);

    memset(out, 0, sizeof(*out));

    if (p != NULL && p->doc != NULL) {
        *out = hie_in_coding(p->doc, p->node, tx->pool);

    } else {
        out->code = hie_in_text(r, code);
    }

    if (out->system.len == 0) {
        out->system = hie_in_text(r, "system");
    }

    if (out->version.len == 0) {
        out->version = hie_in_text(r, "version");
    }

    if (out->code.len == 0) {
        return hie_tx_fail(tx, HIE_INVALID, "required",
                           "expected the parameter %s or %s", code, coding);
    }

    return HIE_OK;
}


static const char *
compare(tx_t *tx, const system_t *s, uint32_t a, uint32_t b)
{
    bool  above = hie_hierarchy_is(s, b, a, tx->pool);
    bool  below = hie_hierarchy_is(s, a, b, tx->pool);

    return above ? (below ? "equivalent" : "subsumes")
           : below ? "subsumed-by" : "not-subsumed";
}


static hie_rc_t
subsumes(tx_t *tx, const hie_term_request_t *r, hie_buf_t *b)
{
    const hie_term_t  *t;
    coding_t           left, right;
    uint32_t           a, c;
    hie_rc_t           rc;

    if ((rc = read_side(tx, r, "codeA", "codingA", &left)) != HIE_OK
        || (rc = read_side(tx, r, "codeB", "codingB", &right)) != HIE_OK)
    {
        return rc;
    }

    if (!hie_str_eq(left.system, right.system)) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-supported",
                           "codes of two code systems cannot be compared");
    }

    if ((rc = find_system(tx, r, left.system, left.version, &t)) != HIE_OK
        || (rc = find_concept(tx, t, left.code, &a)) != HIE_OK
        || (rc = find_concept(tx, t, right.code, &c)) != HIE_OK)
    {
        return rc;
    }

    if (!t->system.subsumption) {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-supported",
                           "the hierarchy of the code system %.*s does not "
                           "mean subsumption", HIE_PRISTR(t->canonical));
    }

    hie_buf_init(b, tx->pool, 128);
    hie_buf_addz(b, "{\"resourceType\":\"Parameters\",\"parameter\":[");
    hie_out_parameter(b, "outcome", "Code",
                      hie_str(compare(tx, &t->system, a, c)));
    hie_buf_addz(b, "]}");

    return HIE_OK;
}


hie_rc_t
hie_term_subsumes(const hie_term_request_t *r, hie_str_t *out,
                  hie_error_t *err)
{
    static const char *const  refused[] = { NULL };

    tx_t       tx;
    hie_buf_t  b;
    hie_rc_t   rc = hie_in_begin(&tx, r, refused, err);

    if (rc == HIE_OK) {
        rc = subsumes(&tx, r, &b);
    }

    return hie_in_end(&tx, rc, &b, out);
}
