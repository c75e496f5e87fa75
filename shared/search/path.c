/*
 * Expressions that are nothing but paths, which most are: the elements that
 * they lead to are known before there is a resource.
 */

#include "search/private.h"

#include <string.h>

#include <apr_strings.h>

/* An expression, read from the left. */
typedef struct {
    const char          *p;
    const char          *end;
    apr_pool_t          *keep;
    apr_pool_t          *scratch;
    apr_array_header_t  *ways;     /* hie_search_path_t: of the alternative
                                      that is being read */
} reader_t;


static void
space(reader_t *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n'
                             || *r->p == '\r'))
    {
        r->p++;
    }
}


static bool
sign(reader_t *r, const char *text)
{
    size_t  n = strlen(text);

    space(r);
    if ((size_t) (r->end - r->p) < n || memcmp(r->p, text, n) != 0) {
        return false;
    }

    r->p += n;
    return true;
}


static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}


static bool
word(reader_t *r, hie_str_t *out)
{
    space(r);
    out->ptr = r->p;
    while (r->p < r->end
           && (is_letter(*r->p)
               || (r->p > out->ptr && *r->p >= '0' && *r->p <= '9')))
    {
        r->p++;
    }

    out->len = (size_t) (r->p - out->ptr);
    return out->len > 0;
}


static bool
literal(reader_t *r, hie_str_t *out)
{
    if (!sign(r, "'")) {
        return false;
    }

    out->ptr = r->p;
    while (r->p < r->end && *r->p != '\'') {
        if (*r->p++ == '\\') {
            return false;
        }
    }

    *out = hie_str_dup(r->keep, (hie_str_t) { out->ptr, (size_t) (r->p
                                                          - out->ptr) });
    return sign(r, "'");
}


/*
 * Steps. False: the engine is needed.
 */

static bool
is_open(hie_type_t type)
{
    return hie_types[type].kind == HIE_KIND_PRIMITIVE
           || hie_types[type].kind == HIE_KIND_RESOURCE;
}


/* One way goes on by each row of a choice. */
static bool
go_on(reader_t *r, const hie_search_path_t *from, hie_str_t name,
      apr_array_header_t *out)
{
    hie_search_path_t      *to;
    const hie_element_t    *e, *first, *end;
    const hie_type_info_t  *t = &hie_types[from->type];

    if (from->n > 0 && is_open(from->type)) {
        return false;
    }

    first = hie_element_stem(from->type, name);
    end = &hie_elements[t->first + t->n];
    for (e = first; e != NULL && e < end && e->order == first->order; e++) {
        if (from->n == HIE_SEARCH_STEPS || out->nelts == HIE_SEARCH_PATHS) {
            return false;
        }

        to = apr_array_push(out);
        *to = *from;
        to->type = e->type;
        to->steps[to->n++] = (hie_search_step_t) { e, NULL };
    }

    return first != NULL;
}


static bool
member(reader_t *r, hie_str_t name)
{
    int                  i;
    apr_array_header_t  *out;

    out = apr_array_make(r->scratch, 4, sizeof(hie_search_path_t));
    for (i = 0; i < r->ways->nelts; i++) {
        if (!go_on(r, &APR_ARRAY_IDX(r->ways, i, hie_search_path_t), name,
                   out))
        {
            return false;
        }
    }

    r->ways = out;
    return true;
}


static bool
of_type(reader_t *r)
{
    int                 i, kept;
    hie_str_t           name;
    hie_type_t          type;
    hie_search_path_t  *ways;

    if (!word(r, &name) || !sign(r, ")")) {
        return false;
    }

    type = hie_type_find(name);
    ways = (hie_search_path_t *) r->ways->elts;
    for (i = 0, kept = 0; i < r->ways->nelts; i++) {
        if (hie_types[ways[i].type].kind == HIE_KIND_RESOURCE) {
            return false;
        }

        if (hie_type_is(ways[i].type, type)) {
            ways[kept++] = ways[i];
        }
    }

    r->ways->nelts = kept;
    return type != HIE_TYPE_NONE && kept > 0;
}


/* Can the member be compared with a text? */
static bool
is_text(hie_type_t of, hie_str_t name)
{
    const hie_element_t  *e;

    e = is_open(of) ? NULL : hie_element_find(of, name);
    return e != NULL && e->max == 1
           && (hie_type_is(e->type, HIE_TYPE_string)
               || hie_type_is(e->type, HIE_TYPE_uri));
}


/* What the values of the last step must be. */
static bool
filter(reader_t *r, const hie_search_filter_t *by)
{
    int                         i;
    hie_search_path_t          *way;
    const hie_search_filter_t  *f;

    f = apr_pmemdup(r->keep, by, sizeof(*by));
    for (i = 0; i < r->ways->nelts; i++) {
        way = &APR_ARRAY_IDX(r->ways, i, hie_search_path_t);
        if (way->n == 0 || way->steps[way->n - 1].filter != NULL
            || (by->refers_to != HIE_TYPE_NONE
                ? way->type != HIE_TYPE_Reference
                : !is_text(way->type, by->member)))
        {
            return false;
        }

        way->steps[way->n - 1].filter = f;
    }

    return true;
}


/* where(resolve() is Type), where(member = 'text') */
static bool
where(reader_t *r)
{
    hie_str_t            name;
    hie_search_filter_t  by;

    memset(&by, 0, sizeof(by));
    if (!word(r, &name)) {
        return false;
    }

    if (!hie_str_eqz(name, "resolve")) {
        by.member = hie_str_dup(r->keep, name);
        return sign(r, "=") && literal(r, &by.value) && sign(r, ")")
               && filter(r, &by);
    }

    if (!sign(r, "(") || !sign(r, ")") || !sign(r, "is ")
        || !word(r, &name) || !sign(r, ")"))
    {
        return false;
    }

    by.refers_to = hie_type_find(name);
    return hie_types[by.refers_to].kind == HIE_KIND_RESOURCE
           && !hie_types[by.refers_to].abstract && filter(r, &by);
}


static bool
extension(reader_t *r)
{
    hie_search_filter_t  by;

    memset(&by, 0, sizeof(by));
    by.member = HIE_STR("url");
    return literal(r, &by.value) && sign(r, ")")
           && member(r, HIE_STR("extension")) && filter(r, &by);
}


static bool
step(reader_t *r)
{
    hie_str_t  name;

    if (!word(r, &name)) {
        return false;
    }

    if (!sign(r, "(")) {
        return member(r, name);
    }

    if (hie_str_eqz(name, "ofType")) {
        return of_type(r);
    }

    if (hie_str_eqz(name, "where")) {
        return where(r);
    }

    return hie_str_eqz(name, "extension") && extension(r);
}


/* A path begins with the name of the type, or with an element of it. */
static bool
alternative(reader_t *r, hie_type_t type)
{
    hie_str_t           name;
    const char         *start;
    hie_search_path_t  *way;

    r->ways = apr_array_make(r->scratch, 4, sizeof(hie_search_path_t));
    way = apr_array_push(r->ways);
    memset(way, 0, sizeof(*way));
    way->type = type;

    space(r);
    start = r->p;
    if (!word(r, &name)) {
        return false;
    }

    if (!hie_type_is(type, hie_type_find(name))) {
        r->p = start;
        if (!step(r)) {
            return false;
        }
    }

    while (sign(r, ".")) {
        if (!step(r)) {
            return false;
        }
    }

    return true;
}


bool
hie_search_paths(apr_pool_t *pool, apr_pool_t *scratch, hie_type_t type,
                 hie_str_t expression, const hie_search_path_t **out, int *n)
{
    apr_array_header_t  *all;
    reader_t             r = { expression.ptr, expression.ptr + expression.len,
                               pool, scratch, NULL };

    *n = 0;
    all = apr_array_make(scratch, 4, sizeof(hie_search_path_t));
    do {
        if (type == HIE_TYPE_NONE || !alternative(&r, type)) {
            return false;
        }

        apr_array_cat(all, r.ways);
    } while (sign(&r, "|"));

    space(&r);
    if (r.p != r.end) {
        return false;
    }

    *n = all->nelts;
    *out = apr_pmemdup(pool, all->elts, sizeof(hie_search_path_t)
                                        * (size_t) *n);
    return true;
}
