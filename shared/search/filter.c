/*
 * _filter (R4 section 3.1.3): the expression, read by descent.
 */

#include "search/criterion.h"

#include <string.h>

/* Parentheses and brackets in one another. */
#define DEPTH_MAX  32

typedef struct {
    const hie_criterion_parse_t  *all;     /* what is common */
    const char                   *start;   /* of the whole, for errors */
    int                          *left;    /* comparisons that may come */
    const hie_type_t             *types;
    int                           n_types;
    int                           depth;
} scope_t;

typedef struct {
    const char  *p;
    const char  *end;
} reader_t;

static hie_rc_t
expression(const scope_t *s, reader_t *r, hie_criterion_t *out);
static void
unwrap(hie_criterion_t *c);
static hie_rc_t
path(const scope_t *s, hie_str_t name, hie_criterion_t *out);


static hie_rc_t
expected(const scope_t *s, const char *at, const char *what)
{
    return hie_fail(s->all->err, HIE_INVALID, "",
                    "_filter, character %d: expected %s",
                    (int) (at - s->start) + 1, what);
}


static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


static void
space(reader_t *r)
{
    while (r->p < r->end && is_space(*r->p)) {
        r->p++;
    }
}


/* A word that ends where a name cannot go on. */
static bool
word(reader_t *r, const char *text)
{
    size_t  n = strlen(text);

    space(r);
    if ((size_t) (r->end - r->p) < n || memcmp(r->p, text, n) != 0
        || (r->p + n < r->end && !is_space(r->p[n]) && r->p[n] != '('))
    {
        return false;
    }

    r->p += n;
    return true;
}


static bool
sign(reader_t *r, char c)
{
    space(r);
    if (r->p == r->end || *r->p != c) {
        return false;
    }

    r->p++;
    return true;
}


/* To the end of a string that begins here. */
static const char *
string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }

    return p < end ? p + 1 : NULL;
}


/*
 * What is said so far: one of several conjunctions.
 */

typedef struct {
    apr_pool_t          *pool;
    apr_array_header_t  *ways;       /* apr_array_header_t *: of criteria */
} logic_t;


static void
add_way(logic_t *l, const hie_criterion_t *c)
{
    apr_array_header_t  *way;

    way = apr_array_make(l->pool, 2, sizeof(hie_criterion_t));
    APR_ARRAY_PUSH(way, hie_criterion_t) = *c;
    APR_ARRAY_PUSH(l->ways, apr_array_header_t *) = way;
}


/* As one criterion. */
static void
close_logic(const logic_t *l, hie_criterion_t *out)
{
    int                  i;
    apr_array_header_t  *way;

    memset(out, 0, sizeof(*out));
    out->kind = HIE_CRITERION_GROUP;
    out->n = l->ways->nelts;
    out->chains = apr_pcalloc(l->pool, sizeof(*out->chains)
                                       * (size_t) out->n);
    for (i = 0; i < out->n; i++) {
        way = APR_ARRAY_IDX(l->ways, i, apr_array_header_t *);
        out->chains[i].criteria = apr_palloc(l->pool,
                                             sizeof(hie_criteria_t));
        out->chains[i].criteria->n = way->nelts;
        out->chains[i].criteria->criteria = (hie_criterion_t *) way->elts;
    }
}


/* From left to right (R4 section 3.1.3.1): what stands before an `and` is one
 * operand. */
static void
add_and(logic_t *l, const hie_criterion_t *c)
{
    hie_criterion_t      before;
    apr_array_header_t  *way;

    if (l->ways->nelts > 1) {
        close_logic(l, &before);
        apr_array_clear(l->ways);
        add_way(l, &before);
    }

    way = APR_ARRAY_IDX(l->ways, 0, apr_array_header_t *);
    APR_ARRAY_PUSH(way, hie_criterion_t) = *c;
}


/*
 * Comparisons.
 */

static hie_rc_t
read_value(const scope_t *s, reader_t *r, hie_str_t *out)
{
    hie_doc_t   *d;
    const char  *start = r->p, *end;

    if (r->p < r->end && *r->p == '"') {
        end = string_end(r->p, r->end);
        *out = (hie_str_t) { start, end != NULL ? (size_t) (end - start) : 0 };
        if (end == NULL
            || hie_doc_parse(s->all->pool, *out, 1, &d, NULL) != HIE_OK)
        {
            return expected(s, start, "a string of JSON, in quotes");
        }

        *out = hie_doc_string(d, 0, s->all->pool);
        r->p = end;
        return HIE_OK;
    }

    while (r->p < r->end && !is_space(*r->p) && *r->p != ')' && *r->p != ']') {
        r->p++;
    }

    *out = (hie_str_t) { start, (size_t) (r->p - start) };
    return out->len > 0 ? HIE_OK : expected(s, start, "a value");
}


/* The name goes to the first space that is not in brackets. */
static hie_rc_t
read_path(const scope_t *s, reader_t *r, hie_str_t *out)
{
    int          open;
    const char  *start;

    space(r);
    start = r->p;
    for (open = 0; r->p < r->end && (open > 0 || !is_space(*r->p)); r->p++) {
        if (open > 0 && *r->p == '"') {
            r->p = string_end(r->p, r->end);
            if (r->p == NULL) {
                return expected(s, start, "quotes that end");
            }

            r->p--;
        }

        open += (*r->p == '[') - (*r->p == ']');
        if (open < 0 || (open == 0 && (*r->p == '(' || *r->p == ')'))) {
            break;
        }
    }

    *out = (hie_str_t) { start, (size_t) (r->p - start) };
    if (open > 0) {
        return expected(s, start, "']' for each '['");
    }

    return out->len > 0 ? HIE_OK
                        : expected(s, start, "the name of a parameter");
}


static hie_rc_t
read_operator(const scope_t *s, reader_t *r, hie_compare_t *out)
{
    const char  *start;

    space(r);
    start = r->p;
    while (r->p < r->end && *r->p >= 'a' && *r->p <= 'z') {
        r->p++;
    }

    *out = hie_compare_find((hie_str_t) { start, (size_t) (r->p - start) });
    if (*out == HIE_COMPARE_NONE || r->p == r->end || !is_space(*r->p)) {
        return expected(s, start, "one of eq, ne, co, sw, ew, gt, lt, ge, le, "
                        "ap, sa, eb, pr, po, ss, sb, in, ni, re, and a space");
    }

    space(r);
    return HIE_OK;
}


static hie_rc_t
comparison(const scope_t *s, reader_t *r, hie_criterion_t *out)
{
    hie_rc_t               rc;
    hie_str_t              name, value;
    scope_t                inner = *s;
    hie_criterion_parse_t  p = *s->all;

    if ((*s->left)-- == 0) {
        return hie_fail(s->all->err, HIE_TOO_COSTLY, "",
                        "_filter: expected at most %d comparisons",
                        s->all->rules->max_values);
    }

    rc = read_path(s, r, &name);
    rc = rc == HIE_OK ? read_operator(s, r, &p.compare) : rc;
    rc = rc == HIE_OK ? read_value(s, r, &value) : rc;
    if (rc != HIE_OK) {
        return rc;
    }

    p.whole = name;
    p.value = value;
    inner.all = &p;
    return path(&inner, name, out);
}


/*
 * Names with filters in them.
 */

typedef struct {
    hie_str_t  name;             /* of the reference, with a type or without */
    hie_str_t  filter;           /* ptr NULL: none */
    hie_str_t  rest;             /* behind the dot */
} step_t;


/* The first step of a name that has brackets somewhere. */
static hie_rc_t
read_step(const scope_t *s, hie_str_t name, step_t *out)
{
    int          open;
    const char  *p, *end;

    end = name.ptr + name.len;
    for (p = name.ptr; p < end && *p != '.' && *p != '['; p++) {
        /* void */
    }

    memset(out, 0, sizeof(*out));
    out->name = (hie_str_t) { name.ptr, (size_t) (p - name.ptr) };
    if (p < end && *p == '[') {
        out->filter.ptr = p + 1;
        for (open = 1, p++; p < end; p++) {
            if (*p == '"') {
                p = string_end(p, end) - 1;
            }

            open += (*p == '[') - (*p == ']');
            if (open == 0) {
                break;
            }
        }

        out->filter.len = (size_t) (p - out->filter.ptr);
        p++;
    }

    if (out->name.len == 0 || end - p < 2 || *p != '.') {
        return expected(s, p, "'.' and a name behind a filter in brackets");
    }

    out->rest = (hie_str_t) { p + 1, (size_t) (end - p) - 1 };
    return HIE_OK;
}


/* What a resource of one type must meet that the step leads to. */
static hie_rc_t
behind(const scope_t *s, const step_t *step, hie_type_t type,
       hie_criteria_t **out)
{
    hie_rc_t               rc;
    reader_t               r;
    scope_t                inner = *s;
    hie_criteria_t        *c;
    hie_criterion_parse_t  p = *s->all;

    c = apr_palloc(p.pool, sizeof(*c));
    c->n = 1 + (step->filter.ptr != NULL);
    c->criteria = apr_pcalloc(p.pool, sizeof(*c->criteria) * 2);
    *out = c;

    inner.types = &type;
    inner.n_types = 1;
    inner.depth++;
    p.depth++;
    inner.all = &p;
    rc = path(&inner, step->rest, &c->criteria[0]);
    if (rc != HIE_OK || step->filter.ptr == NULL) {
        return rc;
    }

    r.p = step->filter.ptr;
    r.end = r.p + step->filter.len;
    rc = expression(&inner, &r, &c->criteria[1]);
    if (rc == HIE_OK && r.p < r.end) {
        return expected(s, r.p, "the end of the filter in brackets");
    }

    if (rc == HIE_OK) {
        unwrap(&c->criteria[1]);
    }

    return rc;
}


/* By the reference of one type that is searched to all that it leads to. */
static hie_rc_t
lead(const scope_t *s, const step_t *step, hie_type_t from,
     apr_array_header_t *chains, const hie_parameter_t **def)
{
    int                    n;
    hie_rc_t               rc, worst;
    hie_str_t              code;
    hie_type_t             type, only;
    hie_chain_t           *chain;
    hie_criteria_t        *c;
    hie_criterion_t        out;
    hie_criterion_parse_t  p = *s->all;

    p.type = from;
    p.out = &out;
    code = hie_str_split(step->name, ':', &p.modifier);
    out.def = *def = hie_search_param(p.s, from, code);
    if (out.def == NULL) {
        return hie_criterion_unknown(&p, from, code);
    }

    rc = hie_criterion_way(&p, &only);
    n = chains->nelts;
    for (type = 1, worst = HIE_NOT_FOUND; rc == HIE_OK && type < hie_n_types;
         type++)
    {
        if (hie_types[type].kind != HIE_KIND_RESOURCE
            || hie_types[type].abstract
            || (only != HIE_TYPE_NONE && only != type)
            || !hie_search_leads_to(out.def, type))
        {
            continue;
        }

        rc = behind(s, step, type, &c);
        if (rc == HIE_OK) {
            chain = apr_array_push(chains);
            *chain = (hie_chain_t) {
                out.def->ref_key, type, out.def->by_url, c
            };

        } else if (only == HIE_TYPE_NONE
                   && (rc == HIE_NOT_FOUND || rc == HIE_INVALID))
        {
            worst = rc == HIE_INVALID ? rc : worst;
            rc = HIE_OK;
        }
    }

    return rc == HIE_OK && chains->nelts == n
           ? hie_criterion_no_way(&p, worst, step->rest) : rc;
}


static hie_rc_t
path(const scope_t *s, hie_str_t name, hie_criterion_t *out)
{
    int                     i;
    step_t                  step;
    hie_rc_t                rc;
    apr_array_header_t     *chains;
    const hie_parameter_t  *def = NULL;

    if (s->depth > DEPTH_MAX || s->all->depth > s->all->rules->max_depth) {
        return expected(s, name.ptr, "names that chain less often");
    }

    if (memchr(name.ptr, '[', name.len) == NULL) {
        return hie_criterion_parse_all(s->all, s->types, s->n_types, name,
                                       out);
    }

    def = NULL;
    rc = read_step(s, name, &step);
    chains = apr_array_make(s->all->pool, 2, sizeof(hie_chain_t));
    for (i = 0; rc == HIE_OK && i < s->n_types; i++) {
        rc = lead(s, &step, s->types[i], chains, &def);
    }

    if (rc == HIE_OK) {
        memset(out, 0, sizeof(*out));
        out->def = def;
        hie_criterion_set_chains(out, HIE_CRITERION_CHAIN, chains);
    }

    return rc;
}


/*
 * Logic.
 */

/* Parentheses around one thing are that thing. */
static void
unwrap(hie_criterion_t *c)
{
    hie_criterion_t  inner;

    if (c->kind == HIE_CRITERION_GROUP && c->n == 1
        && c->chains[0].criteria->n == 1)
    {
        inner = c->chains[0].criteria->criteria[0];
        inner.negate = inner.negate != c->negate;
        *c = inner;
    }
}


static hie_rc_t
operand(const scope_t *s, reader_t *r, hie_criterion_t *out)
{
    bool      negate;
    hie_rc_t  rc;
    scope_t   inner = *s;

    negate = word(r, "not");
    if (!sign(r, '(')) {
        return negate ? expected(s, r->p, "'(' behind not")
                      : comparison(s, r, out);
    }

    if (++inner.depth > DEPTH_MAX) {
        return expected(s, r->p, "parentheses that are not so deep");
    }

    rc = expression(&inner, r, out);
    if (rc == HIE_OK && !sign(r, ')')) {
        return expected(s, r->p, "and, or, ')'");
    }

    if (rc == HIE_OK) {
        unwrap(out);
        out->negate = out->negate != negate;
    }

    return rc;
}


static hie_rc_t
expression(const scope_t *s, reader_t *r, hie_criterion_t *out)
{
    hie_rc_t         rc;
    logic_t          l;
    hie_criterion_t  c;

    l.pool = s->all->pool;
    l.ways = apr_array_make(l.pool, 2, sizeof(apr_array_header_t *));
    rc = operand(s, r, &c);
    if (rc != HIE_OK) {
        return rc;
    }

    add_way(&l, &c);
    for ( ;; ) {
        if (word(r, "and")) {
            rc = operand(s, r, &c);
            if (rc == HIE_OK) {
                add_and(&l, &c);
            }

        } else if (word(r, "or")) {
            rc = operand(s, r, &c);
            if (rc == HIE_OK) {
                add_way(&l, &c);
            }

        } else {
            break;
        }

        if (rc != HIE_OK) {
            return rc;
        }
    }

    close_logic(&l, out);
    return HIE_OK;
}


hie_rc_t
hie_search_filter(hie_search_t *s, const hie_type_t *types, int n_types,
                  hie_str_t text, const hie_search_rules_t *rules,
                  apr_pool_t *pool, hie_criterion_t *out, hie_error_t *err)
{
    int                    ways, left;
    hie_rc_t               rc;
    reader_t               r;
    hie_criterion_parse_t  p = {
        .s = s, .rules = rules, .ways = &ways, .pool = pool, .whole = text,
        .err = err
    };
    scope_t                all = { &p, NULL, &left, types, n_types, 0 };

    ways = 0;
    left = rules->max_values;
    r.p = all.start = text.len > 0 ? text.ptr : "";
    r.end = r.p + text.len;
    rc = expression(&all, &r, out);
    if (rc == HIE_OK && r.p < r.end) {
        rc = expected(&all, r.p, "and, or, or the end");
    }

    out->source = hie_forms_join(pool, HIE_STR("_filter="), "", text);
    return rc;
}
