/*
 * Units as text (UCUM sections 2 to 12): a term is evaluated from the left,
 * '/' and '.' bind alike.
 */

#include "ucum/private.h"

#include <string.h>

typedef struct {
    const char   *text;
    const char   *p;
    const char   *end;
    int           depth;
    hie_error_t  *err;
} parser_t;


static hie_rc_t
parse_term(parser_t *ps, hie_ucum_unit_t *out);


static hie_rc_t
refuse(const parser_t *ps, const char *at, const char *why)
{
    return hie_fail(ps->err, HIE_INVALID, "",
                    "The unit is not valid UCUM at character %d: %s.",
                    (int) (at - ps->text) + 1, why);
}


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


/* ASCII 33 to 126: what may stand in a symbol or an annotation at all. */
static bool
is_visible(char c)
{
    return c > 32 && c < 127;
}


static bool
ends_symbol(char c)
{
    return !is_visible(c) || strchr("+-./()={}]\"", c) != NULL;
}


/* What stands in braces means nothing, and is checked for its characters. */
static hie_rc_t
skip_annotation(parser_t *ps)
{
    const char  *start = ps->p++;

    while (ps->p < ps->end && *ps->p != '}') {
        if (!is_visible(*ps->p) || *ps->p == '{') {
            return refuse(ps, ps->p, "an annotation is written in visible "
                          "ASCII characters without braces");
        }

        ps->p++;
    }

    if (ps->p == ps->end) {
        return refuse(ps, start, "the annotation is not closed");
    }

    ps->p++;

    return HIE_OK;
}


static hie_rc_t
parse_factor(parser_t *ps, hie_str_t digits, hie_ucum_unit_t *out)
{
    hie_ucum_one(out);

    while (digits.len > 1 && *digits.ptr == '0') {
        digits.ptr++;
        digits.len--;
    }

    if (digits.len > HIE_DECIMAL_DIGITS
        || !hie_decimal_parse(digits, &out->numerator))
    {
        return refuse(ps, digits.ptr, "the number is too large");
    }

    if (hie_decimal_is_zero(&out->numerator)) {
        return refuse(ps, digits.ptr, "a unit is not a multiple of 0");
    }

    out->numerator = hie_decimal_normalize(&out->numerator);

    return HIE_OK;
}


/* As it stands it is a unit, or else a prefix with a metric one; no text is
 * both (the generated tables have no such pair). */
static hie_rc_t
find_symbol(parser_t *ps, hie_str_t symbol, hie_ucum_unit_t *out)
{
    const hie_ucum_atom_t  *atom = hie_ucum_atom(symbol);
    bool                    not_metric = false;
    hie_str_t               rest;
    size_t                  i;

    if (atom != NULL) {
        hie_ucum_of_atom(atom, NULL, out);
        return HIE_OK;
    }

    for (i = 0; i < hie_ucum_n_prefixes; i++) {
        const hie_ucum_prefix_t  *prefix = &hie_ucum_prefixes[i];

        if (!hie_str_starts(symbol, prefix->code)) {
            continue;
        }

        rest.ptr = symbol.ptr + prefix->len;
        rest.len = symbol.len - prefix->len;
        atom = hie_ucum_atom(rest);

        if (atom != NULL && atom->metric) {
            hie_ucum_of_atom(atom, &prefix->factor, out);
            return HIE_OK;
        }

        not_metric = not_metric || atom != NULL;
    }

    if (not_metric) {
        return refuse(ps, symbol.ptr, "this unit takes no prefix");
    }

    return refuse(ps, symbol.ptr, "there is no such unit");
}


static hie_rc_t
parse_exponent(parser_t *ps, const char *at, hie_ucum_unit_t *unit)
{
    const char  *why;
    bool         negative = false;
    int          n = 0;

    ps->p = at;

    if (at < ps->end && (*at == '+' || *at == '-')) {
        negative = *at == '-';
        ps->p++;

        if (ps->p == ps->end || !is_digit(*ps->p)) {
            return refuse(ps, ps->p, "a sign is followed by an exponent");
        }
    }

    if (ps->p == ps->end || !is_digit(*ps->p)) {
        return HIE_OK;
    }

    while (ps->p < ps->end && is_digit(*ps->p)) {
        n = n > HIE_UCUM_EXPONENT_MAX ? n : n * 10 + (*ps->p - '0');
        ps->p++;
    }

    why = hie_ucum_power(unit, negative ? -n : n);

    return why == NULL ? HIE_OK : refuse(ps, at, why);
}


/* The characters of a symbol and of the digits behind it. In brackets
 * anything may stand, as in [m/s2/Hz^(1/2)]. */
static hie_rc_t
scan_symbol(parser_t *ps, const char **end)
{
    const char  *p = ps->p, *open;

    while (p < ps->end && !ends_symbol(*p)) {
        if (*p++ != '[') {
            continue;
        }

        for (open = p - 1; p < ps->end && *p != ']'; p++) {
            if (!is_visible(*p) || *p == '[') {
                return refuse(ps, p, "this character cannot stand in "
                              "brackets");
            }
        }

        if (p++ == ps->end) {
            return refuse(ps, open, "the bracket is not closed");
        }
    }

    *end = p;

    return HIE_OK;
}


static hie_rc_t
parse_symbol(parser_t *ps, hie_ucum_unit_t *out)
{
    const char  *start = ps->p, *end = start, *tail;
    hie_rc_t     rc = scan_symbol(ps, &end);

    if (rc != HIE_OK) {
        return rc;
    }

    if (start == end) {
        return refuse(ps, start, start == ps->end
                      ? "a unit is expected after this"
                      : "a unit is expected instead of this");
    }

    tail = end;

    while (tail > start && is_digit(tail[-1])) {
        tail--;
    }

    /* the powers of ten are the only symbols that start with a digit */
    if (tail == start) {
        ps->p = end;
        return parse_factor(ps, (hie_str_t) { start, (size_t) (end - start) },
                            out);
    }

    if (is_digit(*start) && (tail - start != 3 || memcmp(start, "10", 2) != 0))
    {
        return refuse(ps, start, "a number and a unit are separated by a "
                      "period");
    }

    rc = find_symbol(ps, (hie_str_t) { start, (size_t) (tail - start) }, out);

    return rc == HIE_OK ? parse_exponent(ps, tail, out) : rc;
}


static hie_rc_t
parse_parentheses(parser_t *ps, hie_ucum_unit_t *out)
{
    const char  *open = ps->p++;
    hie_rc_t     rc;

    if (++ps->depth > HIE_UCUM_DEPTH_MAX) {
        return refuse(ps, open, "there are too many parentheses in "
                      "parentheses");
    }

    rc = parse_term(ps, out);
    ps->depth--;

    if (rc != HIE_OK) {
        return rc;
    }

    if (ps->p == ps->end || *ps->p != ')') {
        return refuse(ps, open, "the parenthesis is not closed");
    }

    ps->p++;

    return HIE_OK;
}


/* The grammar has annotations behind units only, and the examples published
 * with it also behind numbers: /100{WBCs}. Parentheses are treated alike. */
static hie_rc_t
parse_component(parser_t *ps, hie_ucum_unit_t *out)
{
    hie_rc_t  rc;

    if (ps->p < ps->end && *ps->p == '{') {
        hie_ucum_one(out);
        return skip_annotation(ps);
    }

    if (ps->p < ps->end && *ps->p == '(') {
        rc = parse_parentheses(ps, out);

    } else {
        rc = parse_symbol(ps, out);
    }

    if (rc == HIE_OK && ps->p < ps->end && *ps->p == '{') {
        rc = skip_annotation(ps);
    }

    return rc;
}


/* Everything up to the end or a closing parenthesis. */
static hie_rc_t
parse_term(parser_t *ps, hie_ucum_unit_t *out)
{
    hie_ucum_unit_t   next;
    const char       *at, *why;
    hie_rc_t          rc = parse_component(ps, out);

    while (rc == HIE_OK && ps->p < ps->end && *ps->p != ')') {
        at = ps->p;

        if (*at != '.' && *at != '/') {
            return refuse(ps, at, "'.' or '/' is expected instead of this");
        }

        ps->p++;
        rc = parse_component(ps, &next);

        if (rc == HIE_OK) {
            why = hie_ucum_multiply(out, &next, *at == '/');
            rc = why == NULL ? HIE_OK : refuse(ps, at, why);
        }
    }

    return rc;
}


hie_rc_t
hie_ucum_parse(hie_str_t text, hie_ucum_unit_t *out, hie_error_t *err)
{
    parser_t          ps = { text.ptr, text.ptr, NULL, 0, err };
    hie_ucum_unit_t   term;
    const char       *why;
    hie_rc_t          rc;

    hie_ucum_one(out);

    if (text.len == 0 || text.len > HIE_UCUM_TEXT_MAX) {
        return hie_fail(err, HIE_INVALID, "", "A unit has 1 to %d characters.",
                        HIE_UCUM_TEXT_MAX);
    }

    ps.end = text.ptr + text.len;
    ps.p += *text.ptr == '/';
    rc = parse_term(&ps, &term);

    if (rc != HIE_OK) {
        return rc;
    }

    if (ps.p < ps.end) {
        return refuse(&ps, ps.p, "there is no parenthesis to close");
    }

    why = hie_ucum_multiply(out, &term, *text.ptr == '/');

    return why == NULL ? HIE_OK : refuse(&ps, text.ptr, why);
}
