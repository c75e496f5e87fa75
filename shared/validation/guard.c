/*
 * The guard of an expression, by evaluating it over what is not known: for
 * each part of it the conditions under which it is surely true, surely false,
 * surely empty (FHIRPath sections 4.5, 5.1 and 6.5).
 */

#include <string.h>

#include "validation/guard.h"

#define DEPTH_MAX  30

typedef struct {
    guard_t  yes;
    guard_t  no;
    guard_t  empty;
    int      order;          /* of the element, when it is one step: or -1 */
    bool     context;        /* it is the context itself */
} value_t;

typedef struct {
    hie_type_t   type;
    const char  *p;
    int          depth;
    bool         failed;
} parser_t;

/* In the order of strength, weakest first. */
enum {
    OP_NONE = 0, OP_IMPLIES, OP_OR, OP_XOR, OP_AND, OP_IN, OP_CONTAINS, OP_EQ,
    OP_NE, OP_OTHER_EQ, OP_COMPARE, OP_UNION, OP_IS, OP_AS, OP_AMP, OP_PLUS,
    OP_TIMES
};

typedef struct {
    const char  *text;
    int          op;
    int          strength;
} operator_t;

/* Longer ones before those that they start with. */
static const operator_t  operators[] = {
    { "implies", OP_IMPLIES, 1 }, { "or", OP_OR, 2 }, { "xor", OP_XOR, 2 },
    { "and", OP_AND, 3 }, { "in", OP_IN, 4 }, { "contains", OP_CONTAINS, 4 },
    { "!=", OP_NE, 5 }, { "!~", OP_OTHER_EQ, 5 }, { "=", OP_EQ, 5 },
    { "~", OP_OTHER_EQ, 5 }, { "<=", OP_COMPARE, 6 }, { ">=", OP_COMPARE, 6 },
    { "<", OP_COMPARE, 6 }, { ">", OP_COMPARE, 6 }, { "|", OP_UNION, 7 },
    { "is", OP_IS, 8 }, { "as", OP_AS, 8 }, { "&", OP_AMP, 9 },
    { "+", OP_PLUS, 9 }, { "-", OP_PLUS, 9 }, { "*", OP_TIMES, 10 },
    { "/", OP_TIMES, 10 }, { "div", OP_TIMES, 10 }, { "mod", OP_TIMES, 10 },
    { NULL, OP_NONE, 0 }
};

/* Functions that make nothing of nothing. */
static const char *const  keep_empty[] = {
    "where", "select", "as", "ofType", "first", "last", "tail", "skip",
    "take", "single", "trace", "distinct", "children", "descendants",
    "resolve", "toInteger", "toString", "contains", "startsWith", "endsWith",
    "matches", "substring", "replaceMatches", "replace", "length", "lower",
    "upper", "extension", "repeat", NULL
};


static void
parse_expression(parser_t *ps, int strength, value_t *out);


/*
 * Sets of terms.
 */

static void
add_term(guard_t *g, guard_term_t t)
{
    int  i;

    if (t.there & t.absent) {
        return;
    }

    for (i = 0; i < g->n; i++) {
        if ((g->terms[i].there & ~t.there) == 0
            && (g->terms[i].absent & ~t.absent) == 0)
        {
            return;              /* the one that is there says more */
        }
    }

    /* a guard with fewer terms is right too */
    if (g->n < HIE_GUARD_TERMS) {
        g->terms[g->n++] = t;
    }
}


static void
either(guard_t *out, const guard_t *a, const guard_t *b)
{
    guard_t  g = { 0 };
    int      i;

    for (i = 0; i < a->n; i++) {
        add_term(&g, a->terms[i]);
    }

    for (i = 0; i < b->n; i++) {
        add_term(&g, b->terms[i]);
    }

    *out = g;
}


static void
both(guard_t *out, const guard_t *a, const guard_t *b)
{
    guard_t       g = { 0 };
    guard_term_t  t;
    int           i, k;

    for (i = 0; i < a->n; i++) {
        for (k = 0; k < b->n; k++) {
            t.there = a->terms[i].there | b->terms[k].there;
            t.absent = a->terms[i].absent | b->terms[k].absent;
            add_term(&g, t);
        }
    }

    *out = g;
}


static void
unknown(value_t *v)
{
    memset(v, 0, sizeof(*v));
    v->order = -1;
}


/* Of the element alone: all that is known is whether it is there. */
static void
element_value(value_t *v, int order)
{
    unknown(v);
    v->order = order;
    v->empty.n = 1;
    v->empty.terms[0].absent = UINT64_C(1) << order;
}


/*
 * Lexical parts.
 */

static bool
is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_';
}


static void
space(parser_t *ps)
{
    while (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\n'
           || *ps->p == '\r')
    {
        ps->p++;
    }
}


static void
skip_quoted(parser_t *ps)
{
    char  quote = *ps->p++;

    while (*ps->p != quote) {
        if (*ps->p == '\\' && ps->p[1] != '\0') {
            ps->p++;
        }

        if (*ps->p == '\0') {
            ps->failed = true;
            return;
        }

        ps->p++;
    }

    ps->p++;
}


/* From the opening to after the closing one. */
static void
skip_brackets(parser_t *ps)
{
    int  level = 0;

    do {
        switch (*ps->p) {
        case '\0':
            ps->failed = true;
            return;
        case '\'':
        case '"':
        case '`':
            skip_quoted(ps);
            continue;
        case '(':
        case '[':
        case '{':
            level++;
            break;
        case ')':
        case ']':
        case '}':
            level--;
            break;
        default:
            break;
        }

        ps->p++;
    } while (level > 0);
}


static hie_str_t
read_name(parser_t *ps)
{
    hie_str_t  s;

    if (*ps->p == '`') {
        s.ptr = ps->p + 1;
        skip_quoted(ps);
        s.len = (size_t) (ps->p - s.ptr) - !ps->failed;

        return s;
    }

    s.ptr = ps->p;
    while (is_name(*ps->p)) {
        ps->p++;
    }

    s.len = (size_t) (ps->p - s.ptr);

    return s;
}


static const operator_t *
peek_operator(parser_t *ps)
{
    const operator_t  *o;
    size_t             n;

    space(ps);

    for (o = operators; o->text != NULL; o++) {
        n = strlen(o->text);
        if (strncmp(ps->p, o->text, n) == 0
            && !(is_name(o->text[0]) && is_name(ps->p[n])))
        {
            return o;
        }
    }

    return NULL;
}


/*
 * Paths and functions.
 */

static void
call_exists(value_t *v, bool with_argument, bool negated)
{
    value_t  r, there;

    unknown(&there);
    there.no = v->empty;

    if (v->order >= 0 && !with_argument) {
        there.yes.n = 1;
        there.yes.terms[0].there = UINT64_C(1) << v->order;
    }

    r = there;
    if (negated) {
        r.yes = there.no;
        r.no = there.yes;
    }

    *v = r;
}


static bool
is_one_of(hie_str_t name, const char *const *list)
{
    for ( ; *list != NULL; list++) {
        if (hie_str_eqz(name, *list)) {
            return true;
        }
    }

    return false;
}


/* A function of the input `v`, at its opening bracket. */
static void
call(parser_t *ps, hie_str_t name, value_t *v)
{
    value_t      r;
    const char  *arguments = ps->p + 1;
    bool         some;

    skip_brackets(ps);
    some = ps->p - arguments > 1;
    unknown(&r);

    if (hie_str_eqz(name, "exists")) {
        call_exists(v, some, false);
        return;
    }

    if (hie_str_eqz(name, "empty")) {
        call_exists(v, some, true);
        return;
    }

    if (hie_str_eqz(name, "not")) {
        r.yes = v->no;
        r.no = v->yes;
        r.empty = v->empty;

    } else if (hie_str_eqz(name, "hasValue")) {
        r.no = v->empty;

    } else if (hie_str_eqz(name, "all") || hie_str_eqz(name, "isDistinct")) {
        r.yes = v->empty;

    } else if (is_one_of(name, keep_empty)) {
        r.empty = v->empty;
        r.order = hie_str_eqz(name, "trace") ? v->order : -1;
    }

    *v = r;
}


static void
first_step(parser_t *ps, hie_str_t name, value_t *v)
{
    const hie_element_t  *e;

    e = hie_element_stem(ps->type, name);

    if (e != NULL && hie_types[ps->type].kind != HIE_KIND_PRIMITIVE) {
        element_value(v, e->order);

    } else {
        unknown(v);
        v->context = hie_str_eqz(name, hie_types[ps->type].name);
    }
}


static void
postfix(parser_t *ps, value_t *v)
{
    hie_str_t  name;

    for (space(ps); (*ps->p == '.' || *ps->p == '[') && !ps->failed;
         space(ps))
    {
        if (*ps->p == '[') {
            skip_brackets(ps);
            v->order = -1;
            continue;
        }

        ps->p++;
        space(ps);
        name = read_name(ps);

        if (name.len == 0) {
            ps->failed = true;

        } else if (*ps->p == '(') {
            call(ps, name, v);

        } else if (v->context) {
            first_step(ps, name, v);

        } else {
            guard_t  empty = v->empty;

            unknown(v);
            v->empty = empty;
        }
    }
}


static void
parse_term(parser_t *ps, value_t *v)
{
    hie_str_t  name;

    unknown(v);
    space(ps);

    if (*ps->p == '(') {
        ps->p++;
        parse_expression(ps, 0, v);
        space(ps);
        if (*ps->p++ != ')') {
            ps->failed = true;
            ps->p--;
        }

    } else if (*ps->p == '\'') {
        skip_quoted(ps);

    } else if (*ps->p == '{') {
        skip_brackets(ps);

    } else {
        if (*ps->p == '%' || *ps->p == '$' || *ps->p == '-') {
            ps->p++;
            read_name(ps);

        } else {
            name = read_name(ps);
            if (name.len == 0) {
                ps->failed = true;
            } else if (*ps->p == '(') {
                call(ps, name, v);
            } else if (name.ptr[0] < '0' || name.ptr[0] > '9') {
                first_step(ps, name, v);
            }
        }
    }

    if (!ps->failed) {
        postfix(ps, v);
    }
}


/*
 * Operators.
 */

static void
same(value_t *r, const value_t *a, const value_t *b, bool negated)
{
    guard_t  *yes = negated ? &r->no : &r->yes;
    guard_t  *no = negated ? &r->yes : &r->no;
    guard_t   x, y;

    both(&x, &a->yes, &b->yes);
    both(&y, &a->no, &b->no);
    either(yes, &x, &y);
    both(&x, &a->yes, &b->no);
    both(&y, &a->no, &b->yes);
    either(no, &x, &y);
}


static void
combine(int op, const value_t *a, const value_t *b, value_t *r)
{
    unknown(r);

    switch (op) {
    case OP_AND:
        both(&r->yes, &a->yes, &b->yes);
        either(&r->no, &a->no, &b->no);
        both(&r->empty, &a->empty, &b->empty);
        break;

    case OP_OR:
        either(&r->yes, &a->yes, &b->yes);
        both(&r->no, &a->no, &b->no);
        both(&r->empty, &a->empty, &b->empty);
        break;

    case OP_IMPLIES:
        either(&r->yes, &a->no, &b->yes);
        both(&r->no, &a->yes, &b->no);
        break;

    case OP_XOR:
    case OP_NE:
        same(r, a, b, true);
        either(&r->empty, &a->empty, &b->empty);
        break;

    case OP_EQ:
        same(r, a, b, false);
        either(&r->empty, &a->empty, &b->empty);
        break;

    case OP_COMPARE:
    case OP_PLUS:
    case OP_TIMES:
        either(&r->empty, &a->empty, &b->empty);
        break;

    case OP_UNION:
        both(&r->empty, &a->empty, &b->empty);
        break;

    case OP_IN:
    case OP_IS:
    case OP_AS:
        r->empty = a->empty;
        break;

    case OP_CONTAINS:
        r->empty = b->empty;
        break;

    default:
        break;
    }
}


static void
parse_expression(parser_t *ps, int strength, value_t *out)
{
    const operator_t  *o;
    value_t            right, left;

    unknown(out);

    if (++ps->depth > DEPTH_MAX) {
        ps->failed = true;
        return;
    }

    parse_term(ps, out);

    while (!ps->failed && (o = peek_operator(ps)) != NULL
           && o->strength > strength)
    {
        ps->p += strlen(o->text);
        parse_expression(ps, o->strength, &right);
        left = *out;
        combine(o->op, &left, &right, out);
    }

    ps->depth--;
}


/* What is empty is no violation: see hie_check_rules. */
void
hie_guard_make(hie_type_t type, const char *expression, guard_t *out)
{
    parser_t  ps = { type, expression, 0, false };
    value_t   v;

    memset(out, 0, sizeof(*out));
    parse_expression(&ps, 0, &v);
    space(&ps);

    if (!ps.failed && *ps.p == '\0') {
        either(out, &v.yes, &v.empty);
    }
}
