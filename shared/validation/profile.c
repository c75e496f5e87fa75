/*
 * Compiling profiles: a StructureDefinition with a snapshot into a tree of
 * what it says beyond the base definition.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "validation/profile.h"

#define BASE  "http://hl7.org/fhir/StructureDefinition/"

typedef struct {
    hie_validator_t  *v;
    profile_t        *p;
    const hie_doc_t  *d;
    hie_node_t        element;   /* of snapshot.element */
    int               index;
    hie_error_t      *err;
} compiler_t;


static hie_str_t
get(compiler_t *x, hie_node_t n, const char *name)
{
    return hie_doc_get(x->d, n, name, x->v->pool);
}


static hie_rc_t
refuse(compiler_t *x, const char *member, const char *what)
{
    char       where[120];
    hie_str_t  id = get(x, x->element, "id");

    apr_snprintf(where, sizeof(where),
                 "StructureDefinition.snapshot.element[%d].%s", x->index,
                 member);

    return hie_fail(x->err, HIE_INVALID, where, "%.*s: %.*s: %s",
                    (int) (x->p->url.len < 160 ? x->p->url.len : 160),
                    x->p->url.ptr, (int) (id.len < 100 ? id.len : 100),
                    id.ptr, what);
}


static uint32_t
number(hie_str_t s, uint32_t otherwise)
{
    uint64_t  value;

    return hie_str_u64(s, &value) && value < NO_LIMIT ? (uint32_t) value
           : otherwise;
}


/* The member whose name starts with `stem`: fixedCode, patternCoding. */
static hie_node_t
stem_member(compiler_t *x, const char *stem)
{
    hie_node_t  n;
    size_t      len = strlen(stem);
    hie_str_t   name;

    for (n = hie_doc_first(x->d, x->element); n != HIE_NODE_NONE;
         n = hie_doc_next(x->d, n))
    {
        name = hie_doc_name(x->d, n, x->v->pool);
        if (name.len > len && memcmp(name.ptr, stem, len) == 0
            && name.ptr[len] >= 'A' && name.ptr[len] <= 'Z')
        {
            return n;
        }
    }

    return HIE_NODE_NONE;
}


/*
 * Types.
 */

/* The type that a definition constrains: of R4 by its URL, of a profile that
 * was added by what that says. */
static hie_type_t
target_type(const hie_validator_t *v, hie_str_t canonical)
{
    const profile_t  *p = hie_profile_find(v, canonical);
    hie_str_t         rest;

    if (p != NULL) {
        return p->type;
    }

    canonical = hie_str_split(canonical, '|', &rest);
    if (!hie_str_starts(canonical, BASE)) {
        return HIE_TYPE_NONE;
    }

    canonical.ptr += sizeof(BASE) - 1;
    canonical.len -= sizeof(BASE) - 1;

    return hie_type_find(canonical);
}


static hie_str_t *
string_list(compiler_t *x, hie_node_t list, int *n)
{
    hie_str_t   *out;
    hie_node_t   m;

    *n = 0;
    out = apr_palloc(x->v->pool, (hie_doc_count(x->d, list) + 1)
                                 * sizeof(*out));
    for (m = hie_doc_first(x->d, list); m != HIE_NODE_NONE;
         m = hie_doc_next(x->d, m))
    {
        out[(*n)++] = hie_doc_string(x->d, m, x->v->pool);
    }

    return out;
}


/* One target that is not known, or any resource: no judgement. */
static void
compile_targets(compiler_t *x, hie_node_t list, profile_type_t *t)
{
    hie_str_t  *urls;
    int         i, n;

    urls = string_list(x, list, &n);
    t->targets = apr_palloc(x->v->pool, ((size_t) n + 1)
                                        * sizeof(*t->targets));

    for (i = 0; i < n; i++) {
        t->targets[i] = target_type(x->v, urls[i]);
        if (t->targets[i] == HIE_TYPE_NONE
            || t->targets[i] == HIE_TYPE_Resource)
        {
            return;
        }
    }

    t->n_targets = n;
}


static void
compile_types(compiler_t *x, constraint_t *k)
{
    hie_node_t       list = hie_doc_member(x->d, x->element, "type"), n;
    hie_str_t        code;
    profile_type_t  *t;

    k->types = apr_pcalloc(x->v->pool, (hie_doc_count(x->d, list) + 1)
                                       * sizeof(*k->types));

    for (n = hie_doc_first(x->d, list); n != HIE_NODE_NONE;
         n = hie_doc_next(x->d, n))
    {
        code = get(x, n, "code");
        t = &k->types[k->n_types];
        t->type = hie_type_find(code);

        if (t->type == HIE_TYPE_NONE) {
            k->n_types = 0;      /* System.String and its like */
            return;
        }

        t->profiles = string_list(x, hie_doc_member(x->d, n, "profile"),
                                  &t->n_profiles);
        compile_targets(x, hie_doc_member(x->d, n, "targetProfile"), t);
        k->n_types++;
    }
}


/*
 * Slicing.
 */

static hie_rc_t
compile_discriminator(compiler_t *x, hie_node_t n, discriminator_t *out)
{
    hie_str_t  type = get(x, n, "type");

    out->path = get(x, n, "path");

    if (hie_str_eqz(type, "value") || hie_str_eqz(type, "pattern")) {
        out->kind = DISCRIMINATE_VALUE;
    } else if (hie_str_eqz(type, "exists")) {
        out->kind = DISCRIMINATE_EXISTS;
    } else if (hie_str_eqz(type, "type")) {
        out->kind = DISCRIMINATE_TYPE;
    } else if (hie_str_eqz(type, "profile")) {
        out->kind = DISCRIMINATE_PROFILE;
    } else {
        return refuse(x, "slicing", "the discriminator has no known type");
    }

    return out->path.len > 0 ? HIE_OK
           : refuse(x, "slicing", "a discriminator has no path");
}


static hie_rc_t
compile_slicing(compiler_t *x, constraint_t *k)
{
    hie_node_t  slicing = hie_doc_member(x->d, x->element, "slicing"), n;
    hie_node_t  list = hie_doc_member(x->d, slicing, "discriminator");
    hie_str_t   rules = get(x, slicing, "rules");

    if (slicing == HIE_NODE_NONE) {
        return HIE_OK;
    }

    k->sliced = true;
    k->closed = hie_str_eqz(rules, "closed");
    k->at_end = hie_str_eqz(rules, "openAtEnd");
    k->ordered = hie_doc_kind(x->d, hie_doc_member(x->d, slicing, "ordered"))
                 == HIE_NODE_TRUE;
    k->discriminators = apr_pcalloc(x->v->pool,
                                    (hie_doc_count(x->d, list) + 1)
                                    * sizeof(*k->discriminators));

    for (n = hie_doc_first(x->d, list); n != HIE_NODE_NONE;
         n = hie_doc_next(x->d, n))
    {
        if (compile_discriminator(x, n,
                                  &k->discriminators[k->n_discriminators++])
            != HIE_OK)
        {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


/*
 * Bindings and invariants.
 */

static void
compile_binding(compiler_t *x, constraint_t *k)
{
    hie_node_t  n = hie_doc_member(x->d, x->element, "binding");
    hie_str_t   url = get(x, n, "valueSet");

    if (url.len == 0 || !hie_str_eqz(get(x, n, "strength"), "required")) {
        return;
    }

    k->bound = apr_pcalloc(x->v->pool, sizeof(*k->bound));
    k->bound->url = hie_str_z(x->v->pool, url);
    k->bound->set = hie_value_set_find(url);
    k->bound->enforced = true;
    if (k->bound->set == NULL) {
        apr_hash_set(x->v->bound, k->bound->url, (apr_ssize_t) url.len,
                     k->bound->url);
    }
}


/* A snapshot repeats the invariants of the base definition. */
static bool
is_base_rule(hie_str_t key, hie_str_t source, hie_str_t expression)
{
    size_t  i;

    if (source.ptr != NULL && hie_str_starts(source, BASE)) {
        source.ptr += sizeof(BASE) - 1;
        source.len -= sizeof(BASE) - 1;

        return hie_type_find(source) != HIE_TYPE_NONE;
    }

    for (i = 0; i < hie_n_rules; i++) {
        if (hie_str_eqz(key, hie_rules[i].key)
            && hie_str_eqz(expression, hie_rules[i].expression))
        {
            return true;
        }
    }

    return false;
}


static hie_type_t
element_type(compiler_t *x, const constraint_t *k)
{
    hie_str_t   path = get(x, hie_doc_member(x->d, x->element, "base"),
                           "path");
    hie_type_t  type = hie_type_find(path);

    if (type == HIE_TYPE_NONE && k->n_types == 1) {
        type = k->types[0].type;
    }

    return type;
}


/* elementdefinition-bestpractice */
static bool
is_best_practice(compiler_t *x, hie_node_t constraint)
{
    hie_node_t  n = hie_doc_member(x->d, constraint, "extension");

    for (n = hie_doc_first(x->d, n); n != HIE_NODE_NONE;
         n = hie_doc_next(x->d, n))
    {
        if (hie_str_eqz(get(x, n, "url"),
                        BASE "elementdefinition-bestpractice")
            && hie_doc_kind(x->d, hie_doc_member(x->d, n, "valueBoolean"))
               == HIE_NODE_TRUE)
        {
            return true;
        }
    }

    return false;
}


static hie_rc_t
compile_rules(compiler_t *x, constraint_t *k)
{
    hie_node_t       list = hie_doc_member(x->d, x->element, "constraint");
    hie_node_t       n;
    hie_type_t       type = element_type(x, k);
    rule_source_t    rule = { .profile = true };
    hie_str_t        human;
    rules_t         *rules = NULL;

    for (n = hie_doc_first(x->d, list); n != HIE_NODE_NONE;
         n = hie_doc_next(x->d, n))
    {
        rule.expression = get(x, n, "expression");
        if (rule.expression.len == 0
            || is_base_rule(get(x, n, "key"), get(x, n, "source"),
                            rule.expression))
        {
            continue;
        }

        rule.key = apr_psprintf(x->v->pool, "%.*s#%.*s",
                                HIE_PRISTR(x->p->url),
                                HIE_PRISTR(get(x, n, "key")));
        human = get(x, n, "human");
        rule.human = hie_str_z(x->v->pool, human.len > 0 ? human
                                           : rule.expression);
        rule.warning = hie_str_eqz(get(x, n, "severity"), "warning");
        rule.best_practice = is_best_practice(x, n);

        if (hie_rules_add(x->v, &rules, (int) hie_doc_count(x->d, list), type,
                          &rule, x->err) != HIE_OK)
        {
            return refuse(x, "constraint", x->err != NULL ? x->err->detail
                          : "an expression is wrong");
        }
    }

    k->rules = rules;

    return HIE_OK;
}


/*
 * The tree.
 */

static constraint_t *
find_in(constraint_t *list, hie_str_t name, bool slice)
{
    for ( ; list != NULL; list = list->next) {
        if (hie_str_eq(slice ? list->slice : list->name, name)) {
            return list;
        }
    }

    return NULL;
}


/* A slice by its name; "a/b" is one of the slice "a" (R4 ElementDefinition
 * sliceName). */
static constraint_t *
find_slice(constraint_t *k, hie_str_t name)
{
    size_t     i;
    hie_str_t  upper;

    for (i = 0; k != NULL && i < name.len; i++) {
        if (name.ptr[i] == '/') {
            upper = (hie_str_t) { name.ptr, i };
            k = find_in(k->slices, upper, true);
        }
    }

    return k != NULL ? find_in(k->slices, name, true) : NULL;
}


/* What the slice is one of: the element, or a slice of it; or NULL. */
static constraint_t *
sliced_by(constraint_t *k, hie_str_t name)
{
    size_t  len = name.len;

    while (len > 0 && name.ptr[len - 1] != '/') {
        len--;
    }

    return len == 0 ? k : find_slice(k, (hie_str_t) { name.ptr, len - 1 });
}


static void
append(constraint_t **list, constraint_t *k)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }

    *list = k;
}


/* "value[x]:valueQuantity" into its parts. */
static hie_str_t
split_segment(hie_str_t segment, hie_str_t *slice, bool *choice)
{
    hie_str_t  name = hie_str_split(segment, ':', slice);

    *choice = name.len > 3 && memcmp(name.ptr + name.len - 3, "[x]", 3) == 0;
    if (*choice) {
        name.len -= 3;
    }

    return name;
}


/* Where an id leads to: what it is a child or a slice of. */
static constraint_t *
walk(constraint_t *k, hie_str_t rest, hie_str_t *last)
{
    hie_str_t  segment, name, slice;
    bool       choice;

    for (;;) {
        segment = hie_str_split(rest, '.', &rest);
        *last = segment;
        if (rest.ptr == NULL) {
            return k;
        }

        name = split_segment(segment, &slice, &choice);
        k = find_in(k->children, name, false);
        if (k != NULL && slice.ptr != NULL && k->slices != NULL) {
            k = find_slice(k, slice);
        }

        if (k == NULL) {
            return NULL;
        }
    }
}


static hie_rc_t
compile_content(compiler_t *x, constraint_t *k)
{
    hie_node_t  base = hie_doc_member(x->d, x->element, "base");
    hie_str_t   raw;
    uint32_t    least, most;

    raw = hie_doc_raw(x->d, hie_doc_member(x->d, x->element, "min"));
    k->min = number(raw, 0);
    k->max = number(get(x, x->element, "max"), NO_LIMIT);

    /* what the base says is checked there; but not for a slice */
    raw = hie_doc_raw(x->d, hie_doc_member(x->d, base, "min"));
    least = number(raw, 0);
    most = number(get(x, base, "max"), NO_LIMIT);

    if (k->slice.len == 0 && base != HIE_NODE_NONE) {
        k->min = k->min <= least ? 0 : k->min;
        k->max = k->max >= most ? NO_LIMIT : k->max;
    }

    raw = hie_doc_raw(x->d, hie_doc_member(x->d, x->element, "maxLength"));
    k->max_length = number(raw, NO_LIMIT);
    k->fixed = stem_member(x, "fixed");
    k->pattern = stem_member(x, "pattern");
    k->min_value = stem_member(x, "minValue");
    k->max_value = stem_member(x, "maxValue");

    compile_types(x, k);
    compile_binding(x, k);

    if (compile_slicing(x, k) != HIE_OK) {
        return HIE_INVALID;
    }

    return compile_rules(x, k);
}


static hie_rc_t
compile_element(compiler_t *x)
{
    constraint_t  *k = apr_pcalloc(x->v->pool, sizeof(*k)), *up, *sliced;
    hie_str_t      rest, last;

    hie_str_split(get(x, x->element, "id"), '.', &rest);

    if (x->index == 0) {
        x->p->root = k;
        k->name = hie_str(hie_types[x->p->type].name);
        x->p->modifier = hie_doc_kind(x->d, hie_doc_member(
            x->d, x->element, "isModifier")) == HIE_NODE_TRUE;

        return compile_content(x, k);
    }

    up = rest.ptr != NULL ? walk(x->p->root, rest, &last) : NULL;
    if (up == NULL) {
        return refuse(x, "id", "the id leads to no element above");
    }

    k->name = split_segment(last, &k->slice, &k->choice);
    sliced = find_in(up->children, k->name, false);

    /* some have a name for what is not sliced */
    if (k->slice.ptr == NULL || sliced == NULL) {
        k->slice = HIE_STR_NONE;
        append(&up->children, k);
        return compile_content(x, k);
    }

    sliced = sliced_by(sliced, k->slice);
    if (sliced == NULL) {
        return refuse(x, "id", "the id leads to no slice above");
    }

    append(&sliced->slices, k);
    sliced->n_slices++;

    return compile_content(x, k);
}


/* A type list says something where there is a choice, or a profile. */
static bool
constrains(const constraint_t *k)
{
    int  i;

    for (i = 0; i < k->n_types; i++) {
        if (k->types[i].n_profiles > 0 || k->types[i].n_targets > 0) {
            return true;
        }
    }

    return k->choice || k->min > 0 || k->max != NO_LIMIT
           || k->max_length != NO_LIMIT || k->fixed != HIE_NODE_NONE
           || k->pattern != HIE_NODE_NONE || k->min_value != HIE_NODE_NONE
           || k->max_value != HIE_NODE_NONE || k->bound != NULL
           || k->rules != NULL || k->closed || k->slices != NULL;
}


/* Most of a snapshot is a copy of the base definition. */
static void
prune(constraint_t **list)
{
    while (*list != NULL) {
        prune(&(*list)->children);
        prune(&(*list)->slices);

        if ((*list)->slice.len == 0 && (*list)->children == NULL
            && !constrains(*list))
        {
            *list = (*list)->next;
        } else {
            list = &(*list)->next;
        }
    }
}


static hie_rc_t
compile(hie_validator_t *v, profile_t *p, hie_error_t *err)
{
    compiler_t  x = { v, p, NULL, 0, 0, err };
    hie_node_t  snapshot;

    if (hie_profile_snapshot(v, p, err) != HIE_OK) {
        return HIE_INVALID;
    }

    x.d = p->doc;
    snapshot = hie_doc_member(p->doc, 0, "snapshot");
    for (x.element = hie_doc_first(p->doc, hie_doc_member(p->doc, snapshot,
                                                          "element"));
         x.element != HIE_NODE_NONE;
         x.element = hie_doc_next(p->doc, x.element), x.index++)
    {
        if (x.index == HIE_PROFILE_ELEMENTS_MAX
            ? refuse(&x, "id", "there are too many elements") != HIE_OK
            : compile_element(&x) != HIE_OK)
        {
            p->root = NULL;
            return HIE_INVALID;
        }
    }

    prune(&p->root->children);

    return HIE_OK;
}


/*
 * The profiles of a validator.
 */

const profile_t *
hie_profile_find(const hie_validator_t *v, hie_str_t canonical)
{
    hie_str_t         rest;
    const profile_t  *p;

    if (canonical.ptr == NULL) {
        return NULL;
    }

    canonical = hie_str_split(canonical, '|', &rest);
    p = apr_hash_get(v->profiles, canonical.ptr, (apr_ssize_t) canonical.len);

    return p == NULL && v->options.base != NULL
           ? hie_profile_find(v->options.base, canonical) : p;
}


bool
hie_validator_knows(const hie_validator_t *v, hie_str_t profile)
{
    return hie_profile_find(v, profile) != NULL;
}


static void
add_wants(const hie_validator_t *v, const hie_validator_t *of,
          apr_array_header_t *wants)
{
    hie_str_t          url;
    const void        *key;
    apr_ssize_t        len;
    apr_hash_index_t  *hi;

    for (hi = apr_hash_first(wants->pool, of->bound); hi != NULL;
         hi = apr_hash_next(hi))
    {
        apr_hash_this(hi, &key, &len, NULL);
        url = (hie_str_t) { key, (size_t) len };
        if (!hie_loaded_knows(v, url)
            && (of == v || apr_hash_get(v->bound, key, len) == NULL))
        {
            APR_ARRAY_PUSH(wants, hie_str_t) = url;
        }
    }
}


int
hie_validator_wants(const hie_validator_t *v, apr_pool_t *pool,
                    hie_str_t **out)
{
    apr_array_header_t  *wants = apr_array_make(pool, 8, sizeof(hie_str_t));

    add_wants(v, v, wants);
    if (v->options.base != NULL) {
        add_wants(v, v->options.base, wants);
    }

    *out = (hie_str_t *) wants->elts;
    return wants->nelts;
}


static hie_rc_t
add_profile(hie_validator_t *v, const hie_doc_t *d, hie_error_t *err)
{
    static const char  where[] = "StructureDefinition";
    profile_t         *p = apr_pcalloc(v->pool, sizeof(*p));
    hie_node_t         snapshot = hie_doc_member(d, 0, "snapshot");

    p->doc = d;
    p->url = hie_doc_get(d, 0, "url", v->pool);
    p->type = hie_type_find(hie_doc_get(d, 0, "type", v->pool));

    if (p->url.len == 0 || memchr(p->url.ptr, '|', p->url.len) != NULL) {
        return hie_fail(err, HIE_INVALID, "StructureDefinition.url",
                        "expected a canonical URL without a version");
    }

    if (p->type == HIE_TYPE_NONE) {
        return hie_fail(err, HIE_INVALID, "StructureDefinition.type",
                        "expected a type of R4");
    }

    if (!hie_str_eqz(hie_doc_get(d, 0, "derivation", v->pool), "constraint"))
    {
        return hie_fail(err, HIE_INVALID, where,
                        "expected a profile: derivation is constraint");
    }

    p->differential = hie_doc_first(d, hie_doc_member(d, snapshot, "element"))
                      == HIE_NODE_NONE;
    if (p->differential
        && hie_doc_first(d, hie_doc_member(d, hie_doc_member(
                                d, 0, "differential"), "element"))
           == HIE_NODE_NONE)
    {
        return hie_fail(err, HIE_INVALID, where,
                        "expected a snapshot or a differential");
    }

    apr_hash_set(v->profiles, p->url.ptr, (apr_ssize_t) p->url.len, p);

    return HIE_OK;
}


hie_rc_t
hie_validator_add(hie_validator_t *v, const hie_doc_t *d, hie_error_t *err)
{
    hie_str_t  type = hie_doc_get(d, 0, "resourceType", v->pool);

    v->ready = false;

    if (hie_str_eqz(type, "StructureDefinition")) {
        return add_profile(v, d, err);
    }

    if (hie_str_eqz(type, "ValueSet")) {
        return hie_terminology_add(v, d, false, err);
    }

    if (hie_str_eqz(type, "CodeSystem")) {
        return hie_terminology_add(v, d, true, err);
    }

    return hie_fail(err, HIE_INVALID, "", "expected a StructureDefinition, "
                    "a ValueSet or a CodeSystem");
}


/* One that does not compile is taken out, and the rest stays usable. */
static hie_rc_t
compile_all(hie_validator_t *v, hie_error_t *err)
{
    apr_hash_index_t  *hi;
    void              *value;
    profile_t         *p;
    hie_rc_t           rc = HIE_OK;
    hie_error_t        first, ignored;

    hie_terminology_ready(v);

    for (hi = apr_hash_first(v->pool, v->profiles); hi != NULL;
         hi = apr_hash_next(hi))
    {
        apr_hash_this(hi, NULL, NULL, &value);
        p = value;
        if (p->root == NULL
            && compile(v, p, rc == HIE_OK ? &first : &ignored) != HIE_OK)
        {
            apr_hash_set(v->profiles, p->url.ptr, (apr_ssize_t) p->url.len,
                         NULL);
            rc = HIE_INVALID;
        }
    }

    if (rc != HIE_OK && err != NULL) {
        *err = first;
    }

    return rc;
}


hie_rc_t
hie_validator_ready(hie_validator_t *v, hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;

    if (!atomic_load_explicit(&v->ready, memory_order_acquire)) {
        hie_validator_lock(v, true);

        if (!atomic_load_explicit(&v->ready, memory_order_relaxed)) {
            rc = compile_all(v, err);
            atomic_store_explicit(&v->ready, true, memory_order_release);
        }

        hie_validator_lock(v, false);
    }

    return rc;
}
