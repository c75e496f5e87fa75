/*
 * Parameters that are not R4's: what a SearchParameter resource (R4 section
 * 5.8) says, checked.
 */

#include "search/private.h"

#include <string.h>

#include <apr_strings.h>

typedef struct {
    hie_search_t      *s;
    const hie_doc_t   *d;
    apr_pool_t        *keep;         /* for as long as the registry */
    apr_pool_t        *pool;
    hie_str_t          url;
    hie_parameter_t    param;        /* what is the same in all types */
    hie_custom_t      *out;
    hie_error_t       *err;
} reading_t;


static hie_str_t
get(const reading_t *r, const char *name)
{
    return hie_doc_get(r->d, 0, name, r->pool);
}


static hie_rc_t
wrong(const reading_t *r, const char *element, const char *expected)
{
    return hie_fail(r->err, HIE_INVALID,
                    apr_pstrcat(r->pool, "SearchParameter.", element, NULL),
                    "expected %s", expected);
}


static hie_rc_t
wrong_at(const reading_t *r, const char *list, int i, const char *expected)
{
    return wrong(r, apr_psprintf(r->pool, "%s[%d]", list, i), expected);
}


static hie_type_t
resource_type(hie_str_t name)
{
    hie_type_t  type;

    type = hie_type_find(name);
    return hie_types[type].kind == HIE_KIND_RESOURCE ? type : HIE_TYPE_NONE;
}


/* What a name may be that goes through chains and modifiers. */
static bool
is_code(hie_str_t s)
{
    size_t  i;
    char    c;

    for (i = 0; i < s.len; i++) {
        c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return false;
        }
    }

    return s.len > 0 && s.len <= 64;
}


static hie_rc_t
read_kind(reading_t *r)
{
    size_t     i;
    hie_str_t  type;
    static const struct {
        const char         *name;
        hie_search_kind_t   kind;
    } kinds[] = {
        { "number", HIE_SEARCH_NUMBER }, { "date", HIE_SEARCH_DATE },
        { "string", HIE_SEARCH_STRING }, { "token", HIE_SEARCH_TOKEN },
        { "reference", HIE_SEARCH_REFERENCE },
        { "composite", HIE_SEARCH_COMPOSITE },
        { "quantity", HIE_SEARCH_QUANTITY }, { "uri", HIE_SEARCH_URI }
    };

    type = get(r, "type");
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (hie_str_eqz(type, kinds[i].name)) {
            r->param.kind = kinds[i].kind;
            return HIE_OK;
        }
    }

    return wrong(r, "type", "number, date, string, token, reference, "
                 "composite, quantity or uri");
}


/* R4: what a reference may lead to; not said, or Resource, is anything. */
static hie_rc_t
read_targets(reading_t *r)
{
    int                  i;
    hie_node_t           c;
    hie_type_t           type;
    apr_array_header_t  *list;

    list = apr_array_make(r->keep, 4, sizeof(hie_type_t));
    for (c = hie_doc_first(r->d, hie_doc_member(r->d, 0, "target")), i = 0;
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c), i++)
    {
        type = resource_type(hie_doc_string(r->d, c, r->pool));
        if (type == HIE_TYPE_NONE) {
            return wrong_at(r, "target", i, "a resource type of R4");
        }

        if (hie_types[type].abstract) {
            apr_array_clear(list);
            break;
        }

        APR_ARRAY_PUSH(list, hie_type_t) = type;
    }

    r->param.n_targets = list->nelts;
    r->param.targets = (const hie_type_t *) list->elts;
    return HIE_OK;
}


static hie_rc_t
read_head(reading_t *r)
{
    hie_rc_t   rc;
    hie_str_t  code;

    code = get(r, "code");
    if (!is_code(code)) {
        return wrong(r, "code", "1 to 64 letters, digits, hyphens and "
                     "underscores");
    }

    r->param.code = hie_str_z(r->keep, code);
    r->param.canonical = hie_str_z(r->keep, r->url);
    rc = read_kind(r);
    return rc == HIE_OK && r->param.kind == HIE_SEARCH_REFERENCE
           ? read_targets(r) : rc;
}


/*
 * Expressions: of several types one next to the other, with `|` between.
 */

/* The part up to the next `|` that stands in nothing. */
static hie_str_t
cut_alternative(hie_str_t text, hie_str_t *rest)
{
    int     open;
    char    quote, c;
    size_t  i;

    for (i = 0, open = 0, quote = '\0'; i < text.len; i++) {
        c = text.ptr[i];
        if (quote != '\0') {
            i += c == '\\';
            quote = c == quote ? '\0' : quote;

        } else if (c == '\'' || c == '`') {
            quote = c;

        } else if (c == '|' && open == 0) {
            *rest = (hie_str_t) { text.ptr + i + 1, text.len - i - 1 };
            return (hie_str_t) { text.ptr, i };

        } else {
            open += (c == '(' || c == '[') - (c == ')' || c == ']');
        }
    }

    *rest = HIE_STR_NONE;
    return text;
}


/* Does it begin with the name of a type that is another one? */
static bool
is_of_other(hie_str_t part, hie_type_t type)
{
    size_t      i, start;
    hie_type_t  named;

    for (start = 0; start < part.len && memchr("( \t\r\n", part.ptr[start], 5);
         start++)
    {
        /* void */
    }

    for (i = start; i < part.len && part.ptr[i] >= 'A' && part.ptr[i] <= 'z';
         i++)
    {
        /* void */
    }

    named = resource_type((hie_str_t) { part.ptr + start, i - start });
    return named != HIE_TYPE_NONE && !hie_type_is(type, named)
           && !hie_type_is(named, type);
}


static hie_str_t
expression_of(const reading_t *r, hie_type_t type)
{
    hie_buf_t  out;
    hie_str_t  text, part;

    text = get(r, "expression");
    hie_buf_init(&out, r->pool, text.len + 16);
    while (text.ptr != NULL) {
        part = hie_str_trim(cut_alternative(text, &text));
        if (part.len > 0 && !is_of_other(part, type)) {
            hie_buf_addz(&out, out.len > 0 ? " | " : "");
            hie_buf_adds(&out, part);
        }
    }

    return hie_buf_str(&out);
}


/* Can the kind be made of values of this type? */
static bool
fits(hie_search_kind_t kind, hie_type_t type)
{
    bool  primitive = hie_types[type].kind == HIE_KIND_PRIMITIVE;

    if (type == HIE_TYPE_Extension) {
        return true;             /* what its value is, data tell */
    }

    switch (kind) {
    case HIE_SEARCH_NUMBER:
        return type == HIE_TYPE_decimal || hie_type_is(type, HIE_TYPE_integer)
               || hie_type_is(type, HIE_TYPE_Quantity)
               || type == HIE_TYPE_Range;

    case HIE_SEARCH_QUANTITY:
        return hie_type_is(type, HIE_TYPE_Quantity)
               || type == HIE_TYPE_Money || type == HIE_TYPE_Range;

    case HIE_SEARCH_DATE:
        return type == HIE_TYPE_date || type == HIE_TYPE_dateTime
               || type == HIE_TYPE_instant || type == HIE_TYPE_Period
               || type == HIE_TYPE_Timing;

    case HIE_SEARCH_TOKEN:
        return primitive || type == HIE_TYPE_Coding
               || type == HIE_TYPE_CodeableConcept
               || type == HIE_TYPE_Identifier || type == HIE_TYPE_ContactPoint;

    case HIE_SEARCH_STRING:
        return primitive || type == HIE_TYPE_HumanName
               || type == HIE_TYPE_Address;

    case HIE_SEARCH_REFERENCE:
        return type == HIE_TYPE_Reference || hie_type_is(type, HIE_TYPE_uri)
               || hie_types[type].kind == HIE_KIND_RESOURCE;

    case HIE_SEARCH_URI:
        return primitive;

    default:
        return true;
    }
}


static hie_rc_t
check_paths(const reading_t *r, const hie_search_plan_t *plan)
{
    int  i;

    for (i = 0; i < plan->n_paths; i++) {
        if (fits(plan->param.kind, plan->paths[i].type)) {
            return HIE_OK;
        }
    }

    if (plan->n_paths == 0) {
        return HIE_OK;           /* it is not known where it leads */
    }

    return hie_fail(r->err, HIE_INVALID, "SearchParameter.expression",
                    "it leads to %s, of which its type can make nothing",
                    hie_types[plan->paths[0].type].name);
}


static hie_rc_t
fail_expression(const reading_t *r, const char *element,
                const hie_error_t *inner)
{
    return hie_fail(r->err, HIE_INVALID,
                    apr_pstrcat(r->pool, "SearchParameter.", element, NULL),
                    "%s%s%s", inner->where, inner->where[0] != '\0' ? ": " : "",
                    inner->detail);
}


/*
 * Components of a composite.
 */

/* The kind of the parameter that a component names. */
static hie_search_kind_t
defined_kind(const reading_t *r, hie_type_t type, hie_str_t url)
{
    int                        i, k;
    size_t                     j, n;
    hie_type_t                 t;
    hie_registry_t            *now;
    const hie_custom_t        *c;
    const hie_search_param_t  *rows;

    for (t = type; t != HIE_TYPE_NONE; t = hie_types[t].base) {
        rows = hie_search_params_of(t, &n);
        for (j = 0; j < n; j++) {
            if (hie_str_eqz(url, rows[j].canonical)) {
                return rows[j].kind;
            }
        }
    }

    now = atomic_load_explicit(&r->s->now, memory_order_acquire);
    for (i = 0; i < now->n; i++) {
        c = now->customs[i];
        for (k = 0; k < c->n && hie_str_eqz(url, c->url); k++) {
            if (hie_type_is(type, c->plans[k].param.type)) {
                return c->plans[k].param.kind;
            }
        }
    }

    return 0;
}


/* What the place of a component asks for. The first qualifies the others; of
 * three the last two are the ends of a range. */
static bool
may_stand(hie_search_kind_t kind, int i, int n)
{
    if (i == 0) {
        return kind == HIE_SEARCH_TOKEN || kind == HIE_SEARCH_REFERENCE;
    }

    if (n == 3) {
        return kind == HIE_SEARCH_NUMBER;
    }

    return kind != 0 && kind != HIE_SEARCH_COMPOSITE
           && kind != HIE_SEARCH_SPECIAL && kind != HIE_SEARCH_URI;
}


static hie_rc_t
read_component(const reading_t *r, hie_search_plan_t *plan, hie_node_t c,
               int i)
{
    hie_rc_t           rc;
    hie_str_t          url, version, expression;
    hie_error_t        inner;
    hie_search_kind_t  kind;

    url = hie_doc_get(r->d, c, "definition", r->pool);
    url = hie_str_split(url, '|', &version);
    kind = defined_kind(r, plan->param.type, url);
    if (kind == 0) {
        return wrong_at(r, "component", i, "as definition a parameter of "
                        "the same type that is served");
    }

    if (!may_stand(kind, i, plan->n_parts)) {
        return wrong_at(r, "component", i, i == 0
                        ? "a token or a reference first"
                        : plan->n_parts == 3
                          ? "two numbers behind the first of three"
                          : "a token, reference, string, date, number or "
                            "quantity");
    }

    expression = hie_doc_get(r->d, c, "expression", r->pool);
    if (expression.len == 0) {
        return wrong_at(r, "component", i, "an expression");
    }

    rc = hie_search_plan_part(r->keep, plan, i, kind, expression, &inner);
    return rc == HIE_OK
           ? HIE_OK
           : fail_expression(r, apr_psprintf(r->pool,
                                             "component[%d].expression", i),
                             &inner);
}


static hie_rc_t
read_components(const reading_t *r, hie_search_plan_t *plan)
{
    int         i;
    hie_rc_t    rc;
    hie_node_t  list, c;

    list = hie_doc_member(r->d, 0, "component");
    plan->n_parts = (int) hie_doc_count(r->d, list);
    if (plan->n_parts < 2 || plan->n_parts > HIE_SEARCH_PARTS) {
        return wrong(r, "component", "two or three of a composite");
    }

    plan->parts = apr_pcalloc(r->keep, sizeof(*plan->parts)
                                          * (size_t) plan->n_parts);
    rc = HIE_OK;
    for (c = hie_doc_first(r->d, list), i = 0;
         rc == HIE_OK && c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c), i++)
    {
        rc = read_component(r, plan, c, i);
    }

    return rc;
}


/*
 * Types.
 */

/* Two parameters of one type must be told apart by code and by key. */
static hie_rc_t
check_code(const reading_t *r, hie_type_t type)
{
    int                        i, k;
    hie_registry_t            *now;
    const hie_custom_t        *c;
    const hie_search_param_t  *r4;

    r4 = hie_search_param_find(type, hie_str(r->param.code));
    if (r4 != NULL && r4->kind != r->param.kind) {
        return hie_fail(r->err, HIE_CONFLICT, "SearchParameter.code",
                        "\"%s\" of %s is %s, which is of another type",
                        r->param.code, hie_types[type].name, r4->canonical);
    }

    now = atomic_load_explicit(&r->s->now, memory_order_acquire);
    for (i = 0; i < now->n; i++) {
        c = now->customs[i];
        for (k = 0; k < c->n && !hie_str_eqz(r->url, c->url); k++) {
            if (strcmp(c->plans[k].param.code, r->param.code) == 0
                && (hie_type_is(type, c->plans[k].param.type)
                    || hie_type_is(c->plans[k].param.type, type)))
            {
                return hie_fail(r->err, HIE_CONFLICT, "SearchParameter.code",
                                "\"%s\" of %s is %s", r->param.code,
                                hie_types[type].name, c->url);
            }
        }
    }

    return HIE_OK;
}


/* One type of `base`; none if R4 has the parameter there. */
static hie_rc_t
read_base(reading_t *r, hie_type_t type)
{
    hie_rc_t            rc;
    hie_str_t           expression;
    hie_error_t         inner;
    hie_search_plan_t  *plan;

    rc = check_code(r, type);
    if (rc != HIE_OK
        || hie_search_param_find(type, hie_str(r->param.code)) != NULL)
    {
        return rc;
    }

    if (r->param.code[0] == '_') {
        return wrong(r, "code", "a name that R4 does not keep for itself: "
                     "none with '_' in front");
    }

    plan = &r->out->plans[r->out->n];
    memset(plan, 0, sizeof(*plan));
    plan->param = r->param;
    plan->param.type = type;
    expression = expression_of(r, type);
    if (expression.len == 0) {
        return wrong(r, "expression", "a path for each type of base");
    }

    rc = hie_search_plan_expression(r->keep, plan, expression, true, &inner);
    if (rc != HIE_OK) {
        return fail_expression(r, "expression", &inner);
    }

    rc = check_paths(r, plan);
    if (rc == HIE_OK && plan->param.kind == HIE_SEARCH_COMPOSITE) {
        rc = read_components(r, plan);
    }

    r->out->n++;
    return rc;
}


static hie_rc_t
read_bases(reading_t *r)
{
    int         i;
    hie_rc_t    rc;
    hie_node_t  list, c;
    hie_type_t  type;

    list = hie_doc_member(r->d, 0, "base");
    if (hie_doc_kind(r->d, list) != HIE_NODE_ARRAY
        || hie_doc_count(r->d, list) > hie_n_types)
    {
        return wrong(r, "base", "a list of resource types of R4");
    }

    r->out = apr_palloc(r->keep, sizeof(*r->out));
    r->out->url = r->param.canonical;
    r->out->n = 0;
    r->out->plans = apr_palloc(r->keep, sizeof(*r->out->plans)
                                        * hie_doc_count(r->d, list));
    rc = HIE_OK;
    for (c = hie_doc_first(r->d, list), i = 0;
         rc == HIE_OK && c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c), i++)
    {
        type = resource_type(hie_doc_string(r->d, c, r->pool));
        rc = type != HIE_TYPE_NONE
             ? read_base(r, type)
             : wrong_at(r, "base", i, "a resource type of R4");
    }

    return rc;
}


/*
 * The registry.
 */

static bool
concerns(const hie_custom_t *c, hie_type_t type)
{
    int  i;

    for (i = 0; c != NULL && i < c->n; i++) {
        if (hie_type_is(type, c->plans[i].param.type)) {
            return true;
        }
    }

    return false;
}


static const hie_custom_t *
find(const hie_registry_t *now, hie_str_t url)
{
    int  i;

    for (i = 0; i < now->n; i++) {
        if (hie_str_eqz(url, now->customs[i]->url)) {
            return now->customs[i];
        }
    }

    return NULL;
}


/* `new` (or NULL) in the place of `old` (or NULL). What types they do not
 * concern have stays. */
static void
replace(hie_search_t *s, const hie_custom_t *old, const hie_custom_t *new)
{
    int              i;
    hie_type_t       type;
    hie_registry_t  *now, *next;

    now = atomic_load_explicit(&s->now, memory_order_acquire);
    next = apr_pcalloc(s->pool, sizeof(*next));
    next->customs = apr_palloc(s->pool, sizeof(*next->customs)
                                        * (size_t) (now->n + 1));
    for (i = 0; i < now->n; i++) {
        if (now->customs[i] != old) {
            next->customs[next->n++] = now->customs[i];
        }
    }

    if (new != NULL) {
        next->customs[next->n++] = new;
    }

    next->types = apr_pcalloc(s->pool, sizeof(*next->types) * hie_n_types);
    for (type = 1; type < hie_n_types; type++) {
        if (!concerns(old, type) && !concerns(new, type)) {
            atomic_init(&next->types[type],
                        atomic_load_explicit(&now->types[type],
                                             memory_order_relaxed));
        }
    }

    atomic_store_explicit(&s->now, next, memory_order_release);
}


bool
hie_search_remove(hie_search_t *s, hie_str_t url)
{
    const hie_custom_t  *old;

    hie_search_lock(s, true);
    old = find(atomic_load_explicit(&s->now, memory_order_acquire), url);
    if (old != NULL) {
        replace(s, old, NULL);
    }

    hie_search_lock(s, false);
    return old != NULL;
}


static hie_rc_t
add_locked(reading_t *r)
{
    hie_rc_t             rc;
    hie_registry_t      *now;
    const hie_custom_t  *old;

    rc = read_head(r);
    rc = rc == HIE_OK ? read_bases(r) : rc;
    if (rc != HIE_OK) {
        return rc;
    }

    now = atomic_load_explicit(&r->s->now, memory_order_acquire);
    old = find(now, r->url);
    if (old == NULL && now->n == HIE_SEARCH_CUSTOM_MAX) {
        return hie_fail(r->err, HIE_TOO_LARGE, "SearchParameter",
                        "there are %d already that are not of R4",
                        HIE_SEARCH_CUSTOM_MAX);
    }

    if (old != NULL || r->out->n > 0) {
        replace(r->s, old, r->out->n > 0 ? r->out : NULL);
    }

    return HIE_OK;
}


hie_rc_t
hie_search_add(hie_search_t *s, const hie_doc_t *d, apr_pool_t *pool,
               hie_error_t *err)
{
    hie_rc_t   rc;
    reading_t  r = { .s = s, .d = d, .pool = pool, .err = err };

    if (!hie_str_eqz(get(&r, "resourceType"), "SearchParameter")) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a SearchParameter resource");
    }

    r.url = get(&r, "url");
    if (r.url.len == 0) {
        return wrong(&r, "url", "a canonical URL");
    }

    if (!hie_str_eqz(get(&r, "status"), "active")) {
        (void) hie_search_remove(s, r.url);
        return HIE_OK;
    }

    hie_search_lock(s, true);
    apr_pool_create(&r.keep, s->pool);
    rc = add_locked(&r);
    if (rc != HIE_OK) {
        apr_pool_destroy(r.keep);
    }

    hie_search_lock(s, false);
    return rc;
}
