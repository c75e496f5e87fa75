/*
 * Value sets and code systems that were added (R4 section 4.9.8): what a
 * ValueSet lists, or takes whole from a code system or another value set that
 * is known. What cannot be listed makes a set a partial one: a code that is
 * not found in it is not judged.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

#include "validation/validator.h"

/* Value sets in value sets, concepts in concepts. */
#define DEPTH_MAX  20

typedef struct {
    hie_str_t  system;
    hie_str_t  code;
} loaded_code_t;

struct loaded_set_t {
    const hie_doc_t      *doc;
    bool                  expanded;
    bool                  open;      /* is being expanded */
    bool                  partial;   /* has more than is known here */
    bool                  unsure;    /* lacks what is not known here */
    int                   n;
    const loaded_code_t  *codes;     /* sorted by code, then system */
};

typedef struct {
    hie_validator_t     *v;
    loaded_set_t        *set;
    apr_array_header_t  *codes;      /* loaded_code_t */
    int                  depth;
} expansion_t;

static void
expand(hie_validator_t *v, loaded_set_t *set, int depth);


static int
compare_str(hie_str_t a, hie_str_t b)
{
    size_t  n = a.len < b.len ? a.len : b.len;
    int     c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


static int
compare_codes(const void *a, const void *b)
{
    const loaded_code_t  *x = a, *y = b;
    int                   c = compare_str(x->code, y->code);

    return c != 0 ? c : compare_str(x->system, y->system);
}


static void
add_code(expansion_t *x, hie_str_t system, hie_str_t code)
{
    loaded_code_t  *added;

    if (code.len > 0) {
        added = apr_array_push(x->codes);
        added->system = system;
        added->code = code;
    }
}


static hie_str_t
versionless(hie_str_t canonical)
{
    hie_str_t  rest;

    return hie_str_split(canonical, '|', &rest);
}


/* The concepts of a code system or of an expansion, one in the other. */
static void
add_concepts(expansion_t *x, const hie_doc_t *d, hie_node_t list,
             const char *nested, hie_str_t system)
{
    apr_pool_t  *pool = x->v->pool;
    hie_node_t   n;
    hie_str_t    own;

    if (++x->depth > DEPTH_MAX) {
        x->set->partial = true;
        x->depth--;
        return;
    }

    for (n = hie_doc_first(d, list); n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        own = system.ptr != NULL ? system
              : hie_doc_get(d, n, "system", pool);
        if (hie_doc_kind(d, hie_doc_member(d, n, "abstract"))
            != HIE_NODE_TRUE)
        {
            add_code(x, own, hie_doc_get(d, n, "code", pool));
        }

        add_concepts(x, d, hie_doc_member(d, n, nested), nested, system);
    }

    x->depth--;
}


static void
add_system(expansion_t *x, hie_str_t system)
{
    const hie_doc_t  *d;

    d = apr_hash_get(x->v->systems, system.ptr, (apr_ssize_t) system.len);
    if (d == NULL || !hie_str_eqz(hie_doc_get(d, 0, "content", x->v->pool),
                                  "complete"))
    {
        x->set->partial = true;
    }

    if (d != NULL) {
        add_concepts(x, d, hie_doc_member(d, 0, "concept"), "concept",
                     system);
    }
}


static void
add_generated(expansion_t *x, const value_set_t *set)
{
    const code_group_t  *g = &hie_code_groups[set->first];
    uint16_t             i, k;

    if (set->syntax != HIE_SYNTAX_NONE) {
        x->set->partial = true;
        return;
    }

    for (i = 0; i < set->n; i++, g++) {
        for (k = 0; k < g->n; k++) {
            add_code(x, hie_str(g->system), hie_str(hie_codes[g->first + k]));
        }
    }
}


static void
add_value_set(expansion_t *x, hie_str_t url)
{
    const value_set_t  *generated = hie_value_set_find(url);
    loaded_set_t       *set;
    int                 i;

    if (generated != NULL) {
        add_generated(x, generated);
        return;
    }

    url = versionless(url);
    set = apr_hash_get(x->v->sets, url.ptr, (apr_ssize_t) url.len);
    if (set == NULL || set->open || x->depth >= DEPTH_MAX) {
        x->set->partial = true;
        return;
    }

    expand(x->v, set, x->depth + 1);
    x->set->partial |= set->partial || set->unsure;

    for (i = 0; i < set->n && !set->unsure; i++) {
        add_code(x, set->codes[i].system, set->codes[i].code);
    }
}


/* One of compose.include. Value sets beside a system, or several of them,
 * mean what is in all: that is not worked out. */
static void
add_include(expansion_t *x, const hie_doc_t *d, hie_node_t n)
{
    apr_pool_t  *pool = x->v->pool;
    hie_node_t   sets = hie_doc_member(d, n, "valueSet");
    hie_str_t    system = hie_doc_get(d, n, "system", pool);
    hie_node_t   list = hie_doc_member(d, n, "concept");

    if (sets != HIE_NODE_NONE) {
        if (system.ptr == NULL && hie_doc_count(d, sets) == 1) {
            add_value_set(x, hie_doc_string(d, hie_doc_first(d, sets), pool));
        } else {
            x->set->partial = true;
        }

    } else if (system.ptr == NULL
               || hie_doc_member(d, n, "filter") != HIE_NODE_NONE)
    {
        x->set->partial = true;

    } else if (list != HIE_NODE_NONE) {
        add_concepts(x, d, list, "", system);

    } else {
        add_system(x, system);
    }
}


/* compose.exclude: single codes only. */
static void
remove_excluded(expansion_t *x, const hie_doc_t *d, hie_node_t n)
{
    loaded_code_t  *code = (loaded_code_t *) x->codes->elts, key;
    hie_node_t      list = hie_doc_member(d, n, "concept"), m;
    int             i;

    if (list == HIE_NODE_NONE
        || hie_doc_member(d, n, "valueSet") != HIE_NODE_NONE)
    {
        x->set->unsure = true;
        return;
    }

    key.system = hie_doc_get(d, n, "system", x->v->pool);
    for (m = hie_doc_first(d, list); m != HIE_NODE_NONE;
         m = hie_doc_next(d, m))
    {
        key.code = hie_doc_get(d, m, "code", x->v->pool);
        for (i = 0; i < x->codes->nelts; i++) {
            if (compare_codes(&code[i], &key) == 0) {
                code[i] = code[--x->codes->nelts];
                i--;
            }
        }
    }
}


static void
expand_compose(expansion_t *x, const hie_doc_t *d)
{
    hie_node_t  compose = hie_doc_member(d, 0, "compose"), n;

    for (n = hie_doc_first(d, hie_doc_member(d, compose, "include"));
         n != HIE_NODE_NONE; n = hie_doc_next(d, n))
    {
        add_include(x, d, n);
    }

    for (n = hie_doc_first(d, hie_doc_member(d, compose, "exclude"));
         n != HIE_NODE_NONE; n = hie_doc_next(d, n))
    {
        remove_excluded(x, d, n);
    }
}


/* An expansion may be one page of many (R4 section 4.9.9). */
static void
expand_expansion(expansion_t *x, const hie_doc_t *d, hie_node_t n)
{
    uint64_t  total;

    add_concepts(x, d, hie_doc_member(d, n, "contains"), "contains",
                 HIE_STR_NONE);

    if (hie_str_u64(hie_doc_raw(d, hie_doc_member(d, n, "total")), &total)
        && total > (uint64_t) x->codes->nelts)
    {
        x->set->partial = true;
    }
}


static void
expand(hie_validator_t *v, loaded_set_t *set, int depth)
{
    expansion_t  x = { .v = v, .set = set, .depth = depth };
    hie_node_t   n;

    if (set->expanded) {
        return;
    }

    x.codes = apr_array_make(v->pool, 16, sizeof(loaded_code_t));
    set->open = true;

    n = hie_doc_member(set->doc, 0, "expansion");
    if (n != HIE_NODE_NONE) {
        expand_expansion(&x, set->doc, n);
    } else {
        expand_compose(&x, set->doc);
    }

    qsort(x.codes->elts, (size_t) x.codes->nelts, sizeof(loaded_code_t),
          compare_codes);
    set->codes = (const loaded_code_t *) x.codes->elts;
    set->n = x.codes->nelts;
    set->expanded = true;
    set->open = false;
}


hie_rc_t
hie_terminology_add(hie_validator_t *v, const hie_doc_t *d, bool system,
                    hie_error_t *err)
{
    hie_str_t      url = hie_doc_get(d, 0, "url", v->pool);
    loaded_set_t  *set;

    if (url.len == 0) {
        return hie_fail(err, HIE_INVALID, system ? "CodeSystem.url"
                        : "ValueSet.url", "expected a canonical URL");
    }

    if (system) {
        apr_hash_set(v->systems, url.ptr, (apr_ssize_t) url.len, d);
        return HIE_OK;
    }

    if (hie_doc_member(d, 0, "expansion") == HIE_NODE_NONE
        && hie_doc_member(d, 0, "compose") == HIE_NODE_NONE)
    {
        return hie_fail(err, HIE_INVALID, "ValueSet",
                        "expected compose or expansion");
    }

    set = apr_pcalloc(v->pool, sizeof(*set));
    set->doc = d;
    apr_hash_set(v->sets, url.ptr, (apr_ssize_t) url.len, set);

    return HIE_OK;
}


void
hie_terminology_ready(hie_validator_t *v)
{
    apr_hash_index_t  *hi;
    void              *set;

    for (hi = apr_hash_first(v->pool, v->sets); hi != NULL;
         hi = apr_hash_next(hi))
    {
        apr_hash_this(hi, NULL, NULL, &set);
        expand(v, set, 0);
    }
}


static bool
set_has(const loaded_set_t *set, hie_str_t system, hie_str_t code)
{
    loaded_code_t  key = { system, code };
    int            low = 0, high = set->n, mid;

    if (system.ptr != NULL) {
        return set->n > 0
               && bsearch(&key, set->codes, (size_t) set->n, sizeof(key),
                          compare_codes) != NULL;
    }

    while (low < high) {
        mid = low + (high - low) / 2;
        if (compare_str(set->codes[mid].code, code) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low < set->n && hie_str_eq(set->codes[low].code, code);
}


/* That of the version, else the one that is there. */
static const loaded_set_t *
find_set(const hie_validator_t *v, hie_str_t url)
{
    hie_str_t            plain = versionless(url);
    const loaded_set_t  *set = NULL;

    for ( ; v != NULL && set == NULL; v = v->options.base) {
        set = apr_hash_get(v->sets, url.ptr, (apr_ssize_t) url.len);
        if (set == NULL) {
            set = apr_hash_get(v->sets, plain.ptr, (apr_ssize_t) plain.len);
        }
    }

    return set;
}


bool
hie_loaded_knows(const hie_validator_t *v, hie_str_t url)
{
    return find_set(v, url) != NULL;
}


hie_code_answer_t
hie_loaded_has(hie_validator_t *v, hie_str_t url, hie_str_t system,
               hie_str_t code)
{
    const loaded_set_t  *set = find_set(v, url);

    if (set == NULL || set->unsure) {
        return HIE_CODE_UNKNOWN;
    }

    if (set_has(set, system, code)) {
        return HIE_CODE_IN;
    }

    return set->partial ? HIE_CODE_UNKNOWN : HIE_CODE_OUT;
}
