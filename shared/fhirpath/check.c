/*
 * What can be said of an expression before there is data: the element that a
 * name means in a known type, and in strict mode what cannot be right.
 */

#include "fhirpath/private.h"

/* What is known of the result of a part. */
typedef struct {
    hie_type_t  fhir;          /* or 0 */
    uint8_t     system;        /* hie_fhirpath_kind_t, or 0 */
    bool        unordered;
} known_t;

typedef struct {
    const hie_fhirpath_t  *fp;
    bool                   strict;
    hie_error_t           *err;
} checker_t;

static hie_rc_t
check(const checker_t *c, fp_node_t *n, known_t this, known_t *out);


static known_t
system_of(hie_fhirpath_kind_t kind)
{
    return (known_t) { .system = (uint8_t) kind };
}


static hie_rc_t
wrong(const checker_t *c, const fp_node_t *n, const char *what,
      const char *type)
{
    return hie_fp_fail_at(c->err, HIE_INVALID, c->fp->text, n->pos,
                          "%s has no element '%.*s'%s", type,
                          (int) (n->name.len < 80 ? n->name.len : 80),
                          n->name.ptr, what);
}


static bool
is_choice_row(hie_type_t type, hie_str_t name)
{
    const hie_element_t  *e;

    e = hie_element_find(type, name);
    return e != NULL && (e->flags & HIE_ELEMENT_CHOICE);
}


static hie_rc_t
check_member(const checker_t *c, fp_node_t *n, known_t in, known_t *out)
{
    const hie_element_t    *e;
    const hie_type_info_t  *t;

    if (n->left == NULL && n->root != 0
        && (in.fhir == 0 || hie_type_is(in.fhir, n->root)))
    {
        out->fhir = in.fhir != 0 ? in.fhir : n->root;
        return HIE_OK;
    }

    if (in.fhir == 0) {
        return HIE_OK;
    }

    t = &hie_types[in.fhir];
    e = hie_element_stem(in.fhir, n->name);
    if (e != NULL) {
        n->of = in.fhir;
        n->element = e;
        if (!(e->flags & HIE_ELEMENT_CHOICE) && e->type != HIE_TYPE_Resource) {
            out->fhir = e->type;
        }

        return HIE_OK;
    }

    if (!c->strict || t->abstract || (n->root != 0 && n->left == NULL
        && hie_type_is(n->root, in.fhir)))
    {
        return HIE_OK;
    }

    return wrong(c, n, is_choice_row(in.fhir, n->name)
                       ? " (the types of a choice are no part of its name)"
                       : "", t->name);
}


static bool
is_text(known_t in)
{
    if (in.system != 0) {
        return in.system == HIE_FHIRPATH_STRING;
    }

    if (in.fhir == 0 || hie_types[in.fhir].abstract) {
        return true;
    }

    return hie_type_is(in.fhir, HIE_TYPE_string)
           || hie_type_is(in.fhir, HIE_TYPE_uri)
           || in.fhir == HIE_TYPE_base64Binary || in.fhir == HIE_TYPE_xhtml;
}


static hie_rc_t
check_input(const checker_t *c, const fp_node_t *n, known_t in)
{
    const fp_function_t  *f = n->function;

    if (!c->strict) {
        return HIE_OK;
    }

    if (f->input == FP_STR && !is_text(in)) {
        return hie_fp_fail_at(c->err, HIE_INVALID, c->fp->text, n->pos,
                              "%s() expects a String, this is a %s", f->name,
                              in.fhir != 0 ? hie_types[in.fhir].name
                              : hie_fp_kind_names[in.system]);
    }

    if (f->ordered && in.unordered) {
        return hie_fp_fail_at(c->err, HIE_INVALID, c->fp->text, n->pos,
                              "%s() on items that have no order", f->name);
    }

    return HIE_OK;
}


static known_t
output_of(const fp_node_t *n, known_t in, known_t arg)
{
    known_t  out = { 0 };

    switch (n->function->output) {
    case FP_BOOL:
        return system_of(HIE_FHIRPATH_BOOLEAN);
    case FP_STR:
        return system_of(HIE_FHIRPATH_STRING);
    case FP_INT:
        return system_of(HIE_FHIRPATH_INTEGER);
    case FP_SAME:
        return in;
    case FP_TYPED:
        out.fhir = n->type.system == 0 ? n->type.fhir : 0;
        out.system = n->type.fhir == 0 ? n->type.system : 0;
        return out;
    default:
        break;
    }

    if (hie_str_eqz(n->name, "select")) {
        return arg;
    }

    if (hie_str_eqz(n->name, "extension")) {
        out.fhir = HIE_TYPE_Extension;
    }

    out.unordered = hie_str_eqz(n->name, "children")
                    || hie_str_eqz(n->name, "descendants");
    return out;
}


static hie_rc_t
check_call(const checker_t *c, fp_node_t *n, known_t in, known_t this,
           known_t *out)
{
    known_t     arg = { 0 }, inner;
    hie_rc_t    rc;
    fp_node_t  *a;

    rc = check_input(c, n, in);

    /* what repeat finds is searched again, and may be of another type */
    inner = n->function->lambda ? in : this;
    if (hie_str_eqz(n->name, "repeat")) {
        inner = (known_t) { 0 };
    }

    inner.unordered = false;
    for (a = n->args; a != NULL && rc == HIE_OK; a = a->next) {
        rc = check(c, a, inner, &arg);
    }

    *out = output_of(n, in, arg);
    return rc;
}


static hie_rc_t
check_at(const checker_t *c, fp_node_t *n, known_t in, known_t this,
         known_t *out)
{
    known_t  index;

    if (c->strict && in.unordered) {
        return hie_fp_fail_at(c->err, HIE_INVALID, c->fp->text, n->pos,
                              "[ ] on items that have no order");
    }

    *out = in;
    return check(c, n->args, this, &index);
}


static hie_rc_t
check_operator(const checker_t *c, fp_node_t *n, known_t left, known_t this,
               known_t *out)
{
    known_t   right = { 0 };
    hie_rc_t  rc = HIE_OK;

    if (n->args != NULL) {
        rc = check(c, n->args, this, &right);
    }

    switch (n->op) {
    case OP_AS:
        out->fhir = n->type.system == 0 ? n->type.fhir : 0;
        break;

    case OP_UNION:
        if (left.fhir == right.fhir && left.system == right.system) {
            *out = left;
        }

        break;

    case OP_CONCAT:
        *out = system_of(HIE_FHIRPATH_STRING);
        break;

    case OP_IS: case OP_LESS: case OP_LESS_EQUAL: case OP_GREATER:
    case OP_GREATER_EQUAL: case OP_EQUAL: case OP_EQUIVALENT:
    case OP_NOT_EQUAL: case OP_NOT_EQUIVALENT: case OP_IN: case OP_CONTAINS:
    case OP_AND: case OP_OR: case OP_XOR: case OP_IMPLIES:
        *out = system_of(HIE_FHIRPATH_BOOLEAN);
        break;

    default:
        break;
    }

    return rc;
}


static hie_rc_t
check(const checker_t *c, fp_node_t *n, known_t this, known_t *out)
{
    known_t   left = this;
    hie_rc_t  rc;

    memset(out, 0, sizeof(*out));
    if (n->left != NULL) {
        rc = check(c, n->left, this, &left);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    switch (n->op) {
    case OP_EMPTY: case OP_INDEX: case OP_TOTAL: case OP_VARIABLE:
        return HIE_OK;

    case OP_THIS:
        *out = this;
        return HIE_OK;

    case OP_LITERAL:
        *out = system_of(n->literal.kind);
        return HIE_OK;

    case OP_MEMBER:
        return check_member(c, n, left, out);

    case OP_AT:
        return check_at(c, n, left, this, out);

    case OP_CALL:
        return check_call(c, n, left, this, out);

    default:
        return check_operator(c, n, left, this, out);
    }
}


hie_rc_t
hie_fp_check(hie_fhirpath_t *fp, const hie_fhirpath_options_t *options,
             hie_error_t *err)
{
    known_t    this = { 0 }, out;
    checker_t  c = { fp, options != NULL && options->strict, err };
    hie_rc_t   rc;

    if (options != NULL) {
        this.fhir = options->context;
    }

    rc = check(&c, fp->tree, this, &out);
    fp->type = rc == HIE_OK && out.system == 0 ? out.fhir : HIE_TYPE_NONE;
    return rc;
}


hie_rc_t
hie_fhirpath_compile(apr_pool_t *pool, hie_str_t text,
                     const hie_fhirpath_options_t *options,
                     hie_fhirpath_t **out, hie_error_t *err)
{
    hie_rc_t         rc;
    fp_parser_t      ps;
    hie_fhirpath_t  *fp;

    *out = NULL;
    if (text.len > HIE_FHIRPATH_TEXT_MAX) {
        return hie_fail(err, HIE_INVALID, "", "an expression has at most %d "
                        "bytes", HIE_FHIRPATH_TEXT_MAX);
    }

    if (!hie_utf8_valid(text)) {
        return hie_fail(err, HIE_INVALID, "", "an expression is UTF-8");
    }

    fp = apr_pcalloc(pool, sizeof(*fp));
    fp->text = hie_str_dup(pool, text);

    memset(&ps, 0, sizeof(ps));
    ps.pool = pool;
    ps.source = fp->text;
    ps.err = err;

    rc = hie_fp_parse(&ps, &fp->tree);
    if (rc == HIE_OK) {
        rc = hie_fp_check(fp, options, err);
    }

    if (rc == HIE_OK) {
        *out = fp;
    }

    return rc;
}


hie_type_t
hie_fhirpath_type(const hie_fhirpath_t *fp)
{
    return fp->type;
}


hie_str_t
hie_fhirpath_source(const hie_fhirpath_t *fp)
{
    return fp->text;
}
