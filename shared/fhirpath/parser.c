/*
 * From text to tree (FHIRPath N1, grammar and section 6.8 on precedence).
 */

#include "fhirpath/private.h"

/* The loosest binds 1. */
static const struct {
    const char  *sign;
    uint8_t      level;
    uint8_t      op;
} operators[] = {
    { "implies", 1, OP_IMPLIES },
    { "or", 2, OP_OR }, { "xor", 2, OP_XOR },
    { "and", 3, OP_AND },
    { "in", 4, OP_IN }, { "contains", 4, OP_CONTAINS },
    { "=", 5, OP_EQUAL }, { "~", 5, OP_EQUIVALENT },
    { "!=", 5, OP_NOT_EQUAL }, { "!~", 5, OP_NOT_EQUIVALENT },
    { "<=", 6, OP_LESS_EQUAL }, { "<", 6, OP_LESS },
    { ">", 6, OP_GREATER }, { ">=", 6, OP_GREATER_EQUAL },
    { "|", 7, OP_UNION },
    { "is", 8, OP_IS }, { "as", 8, OP_AS },
    { "+", 9, OP_ADD }, { "-", 9, OP_SUBTRACT }, { "&", 9, OP_CONCAT },
    { "*", 10, OP_MULTIPLY }, { "/", 10, OP_DIVIDE },
    { "div", 10, OP_DIV }, { "mod", 10, OP_MOD }
};

static hie_rc_t
expression(fp_parser_t *ps, int level, fp_node_t **out);


static hie_rc_t
wrong(fp_parser_t *ps, const char *what)
{
    if (ps->token.kind == TOKEN_END) {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, ps->token.pos,
                              "expected %s, found the end", what);
    }

    return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, ps->token.pos,
                          "expected %s, found '%.*s'", what,
                          (int) (ps->token.text.len < 40
                                 ? ps->token.text.len : 40),
                          ps->token.text.ptr);
}


static bool
is_sign(const fp_parser_t *ps, const char *sign)
{
    return ps->token.kind == TOKEN_SIGN && hie_str_eqz(ps->token.text, sign);
}


static hie_rc_t
expect(fp_parser_t *ps, const char *sign, const char *what)
{
    return is_sign(ps, sign) ? hie_fp_next(ps) : wrong(ps, what);
}


static fp_node_t *
make(fp_parser_t *ps, fp_op_t op, uint32_t pos)
{
    fp_node_t  *n = apr_pcalloc(ps->pool, sizeof(*n));

    n->op = op;
    n->pos = pos;
    n->depth = 1;
    return n;
}


/* Puts `part` under `n`. The depth of the tree is that of the recursion when
 * it is evaluated. */
static hie_rc_t
put_under(fp_parser_t *ps, fp_node_t *n, const fp_node_t *part)
{
    if (part != NULL && part->depth >= n->depth) {
        n->depth = part->depth + 1;
    }

    if (n->depth > HIE_FHIRPATH_DEPTH_MAX) {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, n->pos,
                              "more than %d operators in one another",
                              HIE_FHIRPATH_DEPTH_MAX);
    }

    return HIE_OK;
}


static bool
is_name(const fp_parser_t *ps)
{
    return ps->token.kind == TOKEN_NAME
           || ps->token.kind == TOKEN_QUOTED_NAME;
}


static uint8_t
system_type(hie_str_t name)
{
    uint8_t  kind;

    for (kind = HIE_FHIRPATH_BOOLEAN; kind <= HIE_FHIRPATH_QUANTITY; kind++) {
        if (hie_str_eqz(name, hie_fp_kind_names[kind] + sizeof("System"))) {
            return kind;
        }
    }

    return 0;
}


/* Without namespace, a type of FHIR goes before one of System (R4 section
 * 2.9.3.3); Quantity is either. */
static hie_rc_t
type_name(fp_parser_t *ps, fp_type_t *out)
{
    uint32_t   pos = ps->token.pos;
    hie_rc_t   rc;
    hie_str_t  name, space = HIE_STR("");
    hie_buf_t  b;

    hie_buf_init(&b, ps->pool, 32);
    for ( ;; ) {
        if (!is_name(ps)) {
            return wrong(ps, "the name of a type");
        }

        if (b.len == 0 && space.len == 0
            && (hie_str_eqz(ps->token.text, "FHIR")
                || hie_str_eqz(ps->token.text, "System")))
        {
            space = ps->token.text;
        } else {
            hie_buf_adds(&b, ps->token.text);
        }

        rc = hie_fp_next(ps);
        if (rc != HIE_OK || !is_sign(ps, ".")) {
            break;
        }

        if (b.len > 0) {
            hie_buf_addc(&b, '.');
        }

        rc = hie_fp_next(ps);
        if (rc != HIE_OK) {
            break;
        }
    }

    if (rc != HIE_OK) {
        return rc;
    }

    name = hie_buf_str(&b);
    memset(out, 0, sizeof(*out));
    if (!hie_str_eqz(space, "System")) {
        out->fhir = hie_type_find(name);
    }

    if (!hie_str_eqz(space, "FHIR")
        && (out->fhir == 0 || out->fhir == HIE_TYPE_Quantity))
    {
        out->system = system_type(name);
        out->any = hie_str_eqz(name, "Any");
    }

    if (out->fhir == 0 && out->system == 0 && !out->any) {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, pos,
                              "'%.*s' is no type of FHIR R4 or of System",
                              (int) (name.len < 80 ? name.len : 80), name.ptr);
    }

    return HIE_OK;
}


/* A constant pattern is compiled once. */
static hie_rc_t
compile_pattern(fp_parser_t *ps, fp_node_t *n)
{
    fp_node_t    *arg = n->args;
    hie_error_t   err;

    if (arg == NULL || arg->op != OP_LITERAL
        || arg->literal.kind != HIE_FHIRPATH_STRING
        || (!hie_str_eqz(n->name, "matches")
            && !hie_str_eqz(n->name, "matchesFull")
            && !hie_str_eqz(n->name, "replaceMatches")))
    {
        return HIE_OK;
    }

    if (hie_fp_regex_compile(ps->pool, arg->literal.string, &n->regex, &err)
        != HIE_OK)
    {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, arg->pos,
                              "%s", err.detail);
    }

    return HIE_OK;
}


static hie_rc_t
arguments(fp_parser_t *ps, fp_node_t *n)
{
    hie_rc_t     rc;
    fp_node_t  **last = &n->args, *arg;

    for ( ;; ) {
        rc = expression(ps, 1, &arg);
        if (rc != HIE_OK) {
            return rc;
        }

        if (n->n_args == UINT8_MAX) {
            return wrong(ps, "fewer arguments");
        }

        *last = arg;
        last = &arg->next;
        n->n_args++;
        rc = put_under(ps, n, arg);
        if (rc != HIE_OK || !is_sign(ps, ",")) {
            return rc;
        }

        rc = hie_fp_next(ps);
        if (rc != HIE_OK) {
            return rc;
        }
    }
}


/* sort(-a, b): the sign says the direction, also of what has no negative. */
static void
sort_directions(fp_parser_t *ps, fp_node_t *n)
{
    fp_node_t  **link, *arg, *inner;

    for (link = &n->args; *link != NULL; link = &(*link)->next) {
        arg = *link;
        if (arg->op == OP_MINUS) {
            inner = apr_pmemdup(ps->pool, arg->left, sizeof(*inner));
            inner->next = arg->next;
            inner->descending = true;
            *link = inner;
        }
    }
}


static hie_rc_t
call(fp_parser_t *ps, fp_node_t *n)
{
    hie_rc_t              rc;
    const fp_function_t  *f;

    f = hie_fp_function(n->name);
    if (f == NULL) {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, n->pos,
                              "there is no function '%.*s'",
                              (int) (n->name.len < 80 ? n->name.len : 80),
                              n->name.ptr);
    }

    n->op = OP_CALL;
    n->function = f;
    rc = hie_fp_next(ps);
    if (rc == HIE_OK && f->type) {
        rc = type_name(ps, &n->type);
        n->n_args = 1;

    } else if (rc == HIE_OK && !is_sign(ps, ")")) {
        rc = arguments(ps, n);
    }

    if (rc == HIE_OK) {
        rc = expect(ps, ")", "',' or ')'");
    }

    if (rc == HIE_OK && (n->n_args < f->min || n->n_args > f->max)) {
        return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, n->pos,
                              "%s() takes %d to %d arguments, found %d",
                              f->name, f->min, f->max, n->n_args);
    }

    if (rc == HIE_OK) {
        rc = compile_pattern(ps, n);
    }

    if (hie_str_eqz(n->name, "sort")) {
        sort_directions(ps, n);
    }

    return rc;
}


/* name, or name(arguments); `left` NULL at the start of a path. */
static hie_rc_t
invocation(fp_parser_t *ps, fp_node_t *left, fp_node_t **out)
{
    bool        quoted = ps->token.kind == TOKEN_QUOTED_NAME;
    hie_rc_t    rc;
    fp_node_t  *n;

    n = make(ps, OP_MEMBER, ps->token.pos);
    n->name = hie_str_dup(ps->pool, ps->token.text);
    n->left = left;
    *out = n;

    rc = put_under(ps, n, left);
    if (rc == HIE_OK) {
        rc = hie_fp_next(ps);
    }

    if (rc == HIE_OK && !quoted && is_sign(ps, "(")) {
        return call(ps, n);
    }

    if (rc == HIE_OK && left == NULL) {
        n->root = hie_type_find(n->name);
    }

    return rc;
}


/* FHIR.Patient at the start of a path. */
static hie_rc_t
first_invocation(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t    rc;
    fp_node_t  *n;

    rc = invocation(ps, NULL, out);
    n = *out;
    if (rc != HIE_OK || n->op != OP_MEMBER || !hie_str_eqz(n->name, "FHIR")
        || !is_sign(ps, "."))
    {
        return rc;
    }

    rc = hie_fp_next(ps);
    if (rc == HIE_OK && !is_name(ps)) {
        rc = wrong(ps, "the name of a type");
    }

    return rc == HIE_OK ? invocation(ps, NULL, out) : rc;
}


static hie_rc_t
dollar(fp_parser_t *ps, fp_node_t **out)
{
    fp_op_t   op;
    uint32_t  pos = ps->token.pos;
    hie_rc_t  rc;

    rc = hie_fp_next(ps);
    if (rc != HIE_OK) {
        return rc;
    }

    if (hie_str_eqz(ps->token.text, "this")) {
        op = OP_THIS;
    } else if (hie_str_eqz(ps->token.text, "index")) {
        op = OP_INDEX;
    } else if (hie_str_eqz(ps->token.text, "total")) {
        op = OP_TOTAL;
    } else {
        return wrong(ps, "$this, $index or $total");
    }

    *out = make(ps, op, pos);
    return hie_fp_next(ps);
}


static hie_rc_t
percent(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t    rc;
    fp_node_t  *n;

    n = make(ps, OP_VARIABLE, ps->token.pos);
    *out = n;
    rc = hie_fp_next(ps);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!is_name(ps) && ps->token.kind != TOKEN_STRING) {
        return wrong(ps, "the name of a variable");
    }

    n->name = hie_str_dup(ps->pool, ps->token.text);
    return hie_fp_next(ps);
}


static hie_rc_t
time_literal(fp_parser_t *ps, fp_node_t *n)
{
    hie_str_t  text = ps->token.text;

    if (text.len > 0 && text.ptr[0] == 'T') {
        n->literal.kind = HIE_FHIRPATH_TIME;
        text.ptr++;
        text.len--;

    } else {
        n->literal.kind = memchr(text.ptr, 'T', text.len) != NULL
                          ? HIE_FHIRPATH_DATETIME : HIE_FHIRPATH_DATE;
    }

    if (!hie_fp_time_parse(text, n->literal.kind, &n->literal.time)) {
        return wrong(ps, "a date or time that exists after '@'");
    }

    return hie_fp_next(ps);
}


/* A number, or with a unit a quantity. */
static hie_rc_t
number(fp_parser_t *ps, fp_node_t *n)
{
    bool                      calendar = false;
    hie_rc_t                  rc;
    hie_str_t                 text = ps->token.text, unit = HIE_STR("");
    hie_decimal_t             value;
    hie_fhirpath_quantity_t  *q;

    if (!hie_decimal_parse(text, &value)) {
        return wrong(ps, "a number of at most 34 digits");
    }

    n->literal.kind = HIE_FHIRPATH_DECIMAL;
    n->literal.decimal = value;
    rc = hie_fp_next(ps);
    if (rc != HIE_OK) {
        return rc;
    }

    if (ps->token.kind == TOKEN_NAME) {
        calendar = hie_fp_calendar_unit(ps->token.text, &unit);
    }

    if (calendar || ps->token.kind == TOKEN_STRING) {
        q = apr_pcalloc(ps->pool, sizeof(*q));
        q->value = value;
        q->unit = calendar ? unit : hie_str_dup(ps->pool, ps->token.text);
        q->calendar = calendar;
        n->literal.kind = HIE_FHIRPATH_QUANTITY;
        n->literal.quantity = q;
        return hie_fp_next(ps);
    }

    if (memchr(text.ptr, '.', text.len) == NULL) {
        n->literal.kind = HIE_FHIRPATH_INTEGER;
        if (!hie_decimal_to_int(&value, &n->literal.integer)
            || n->literal.integer > FP_INTEGER_MAX + 1)
        {
            return hie_fp_fail_at(ps->err, HIE_INVALID, ps->source, n->pos,
                                  "an Integer has 32 bits");
        }
    }

    return HIE_OK;
}


static hie_rc_t
literal(fp_parser_t *ps, fp_node_t **out)
{
    fp_node_t  *n;

    n = make(ps, OP_LITERAL, ps->token.pos);
    *out = n;

    switch (ps->token.kind) {
    case TOKEN_NUMBER:
        return number(ps, n);

    case TOKEN_TIME:
        return time_literal(ps, n);

    case TOKEN_STRING:
        n->literal.kind = HIE_FHIRPATH_STRING;
        n->literal.string = hie_str_dup(ps->pool, ps->token.text);
        return hie_fp_next(ps);

    default:
        n->literal.kind = HIE_FHIRPATH_BOOLEAN;
        n->literal.boolean = hie_str_eqz(ps->token.text, "true");
        return hie_fp_next(ps);
    }
}


static hie_rc_t
term(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t  rc;

    if (ps->token.kind == TOKEN_NAME
        && !hie_str_eqz(ps->token.text, "true")
        && !hie_str_eqz(ps->token.text, "false"))
    {
        return first_invocation(ps, out);
    }

    if (ps->token.kind == TOKEN_QUOTED_NAME) {
        return first_invocation(ps, out);
    }

    if (ps->token.kind == TOKEN_END) {
        return wrong(ps, "an expression");
    }

    if (ps->token.kind != TOKEN_SIGN) {
        return literal(ps, out);
    }

    if (is_sign(ps, "$")) {
        return dollar(ps, out);
    }

    if (is_sign(ps, "%")) {
        return percent(ps, out);
    }

    if (is_sign(ps, "{")) {
        *out = make(ps, OP_EMPTY, ps->token.pos);
        rc = hie_fp_next(ps);
        return rc == HIE_OK ? expect(ps, "}", "'}'") : rc;
    }

    if (is_sign(ps, "(")) {
        rc = hie_fp_next(ps);
        if (rc == HIE_OK) {
            rc = expression(ps, 1, out);
        }

        return rc == HIE_OK ? expect(ps, ")", "an operator or ')'") : rc;
    }

    return wrong(ps, "an expression");
}


static hie_rc_t
index_of(fp_parser_t *ps, fp_node_t **left)
{
    hie_rc_t    rc;
    fp_node_t  *n;

    n = make(ps, OP_AT, ps->token.pos);
    n->left = *left;
    *left = n;

    rc = hie_fp_next(ps);
    if (rc == HIE_OK) {
        rc = expression(ps, 1, &n->args);
    }

    if (rc == HIE_OK) {
        rc = put_under(ps, n, n->args);
    }

    if (rc == HIE_OK) {
        rc = put_under(ps, n, n->left);
    }

    return rc == HIE_OK ? expect(ps, "]", "an operator or ']'") : rc;
}


/* A term and what is hung on it with '.' and '[ ]'. */
static hie_rc_t
path(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t  rc;

    rc = term(ps, out);
    while (rc == HIE_OK) {
        if (is_sign(ps, "[")) {
            rc = index_of(ps, out);

        } else if (is_sign(ps, ".")) {
            rc = hie_fp_next(ps);
            if (rc == HIE_OK && is_sign(ps, "$")) {
                return wrong(ps, "a name");
            }

            if (rc == HIE_OK && !is_name(ps)) {
                return wrong(ps, "a name");
            }

            if (rc == HIE_OK) {
                rc = invocation(ps, *out, out);
            }

        } else {
            return HIE_OK;
        }
    }

    return rc;
}


static hie_rc_t
polarity(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t    rc;
    fp_node_t  *n;

    if (!is_sign(ps, "-") && !is_sign(ps, "+")) {
        return path(ps, out);
    }

    if (++ps->depth > HIE_FHIRPATH_DEPTH_MAX) {
        return wrong(ps, "fewer signs");
    }

    n = make(ps, is_sign(ps, "-") ? OP_MINUS : OP_PLUS, ps->token.pos);
    *out = n;
    rc = hie_fp_next(ps);
    if (rc == HIE_OK) {
        rc = polarity(ps, &n->left);
    }

    ps->depth--;
    return rc == HIE_OK ? put_under(ps, n, n->left) : rc;
}


/* Of the operator that comes next, if it binds at least as `level`. */
static int
operator_at(const fp_parser_t *ps, int level, fp_op_t *op)
{
    size_t  i;

    if (ps->token.kind != TOKEN_SIGN && ps->token.kind != TOKEN_NAME) {
        return 0;
    }

    for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (hie_str_eqz(ps->token.text, operators[i].sign)) {
            *op = operators[i].op;
            return operators[i].level >= level ? operators[i].level : 0;
        }
    }

    return 0;
}


static hie_rc_t
right_side(fp_parser_t *ps, fp_node_t *n, int level)
{
    hie_rc_t  rc;

    rc = hie_fp_next(ps);
    if (rc != HIE_OK) {
        return rc;
    }

    if (n->op == OP_IS || n->op == OP_AS) {
        rc = type_name(ps, &n->type);

    } else {
        rc = expression(ps, level + 1, &n->args);
    }

    if (rc == HIE_OK) {
        rc = put_under(ps, n, n->left);
    }

    return rc == HIE_OK ? put_under(ps, n, n->args) : rc;
}


static hie_rc_t
expression(fp_parser_t *ps, int level, fp_node_t **out)
{
    int         found;
    fp_op_t     op;
    hie_rc_t    rc;
    fp_node_t  *n;

    *out = NULL;
    if (++ps->depth > HIE_FHIRPATH_DEPTH_MAX) {
        return wrong(ps, "fewer parentheses");
    }

    rc = polarity(ps, out);
    while (rc == HIE_OK && (found = operator_at(ps, level, &op)) != 0) {
        n = make(ps, op, ps->token.pos);
        n->left = *out;
        *out = n;
        rc = right_side(ps, n, found);
    }

    ps->depth--;
    return rc;
}


hie_rc_t
hie_fp_parse(fp_parser_t *ps, fp_node_t **out)
{
    hie_rc_t  rc;

    rc = hie_fp_next(ps);
    if (rc == HIE_OK) {
        rc = expression(ps, 1, out);
    }

    if (rc == HIE_OK && ps->token.kind != TOKEN_END) {
        rc = wrong(ps, "an operator or the end");
    }

    return rc;
}
