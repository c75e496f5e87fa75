/*
 * Checking a value against a profile. Structure has been checked before, by
 * the base definition; what was wrong there is not repeated here.
 */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "validation/profile.h"


/* The rule of an issue: the profile, and what in it. */
static const char *
rule_name(check_t *c, const profile_t *p, const char *what)
{
    if (c->trial != NULL) {
        return "";
    }

    return apr_psprintf(c->pool, "%.*s#%s", HIE_PRISTR(p->url), what);
}


static hie_node_t
issue_node(const profile_value_t *value)
{
    return value->node != HIE_NODE_NONE ? value->node : value->sibling;
}


/*
 * Finding values.
 */

/* The value at `i` of those that start at `start`, made if need be. */
static void
take(apr_array_header_t *values, int start, int i, int32_t index,
     const hie_element_t *e, hie_node_t n, bool sibling)
{
    profile_value_t  *v;

    if (start + i == values->nelts) {
        v = apr_array_push(values);
        v->node = HIE_NODE_NONE;
        v->sibling = HIE_NODE_NONE;
        v->element = e;
        v->type = e->type;
        v->index = index;
    }

    v = &((profile_value_t *) values->elts)[start + i];
    if (sibling) {
        v->sibling = n;
    } else {
        v->node = n;
    }
}


/* A member that is `name` or `_name`; the two of one element come together. */
static void
take_member(const hie_doc_t *d, const hie_element_t *e, hie_node_t m,
            bool sibling, apr_array_header_t *values)
{
    const profile_value_t  *v = (const profile_value_t *) values->elts;
    hie_node_t              item;
    int                     i = 0, start = 0;

    while (start < values->nelts && v[start].element != e) {
        start++;
    }

    if (hie_doc_kind(d, m) != HIE_NODE_ARRAY) {
        take(values, start, 0, NO_INDEX, e, m, sibling);
        return;
    }

    for (item = hie_doc_first(d, m); item != HIE_NODE_NONE;
         item = hie_doc_next(d, item))
    {
        take(values, start, i, i, e, hie_doc_kind(d, item) == HIE_NODE_NULL
                                     ? HIE_NODE_NONE : item, sibling);
        i++;
    }
}


int
hie_profile_values(check_t *c, hie_type_t type, hie_node_t object,
                   hie_str_t stem, profile_value_t **out)
{
    const hie_element_t  *first = hie_element_stem(type, stem), *e;
    apr_array_header_t   *values = NULL;
    hie_node_t            m;
    hie_str_t             name;
    bool                  sibling;

    *out = NULL;
    if (first == NULL || hie_doc_kind(c->d, object) != HIE_NODE_OBJECT) {
        return 0;
    }

    for (m = hie_doc_first(c->d, object); m != HIE_NODE_NONE;
         m = hie_doc_next(c->d, m))
    {
        name = hie_doc_name(c->d, m, c->pool);
        sibling = name.len > 0 && name.ptr[0] == '_';
        name.ptr += sibling;
        name.len -= sibling;

        e = name.len >= stem.len
            && memcmp(name.ptr, stem.ptr, stem.len) == 0
            ? hie_element_find(type, name) : NULL;
        if (e == NULL || e->order != first->order) {
            continue;
        }

        if (values == NULL) {
            values = apr_array_make(c->pool, 4, sizeof(profile_value_t));
        }

        take_member(c->d, e, m, sibling, values);
    }

    if (values == NULL) {
        return 0;
    }

    *out = (profile_value_t *) values->elts;

    return values->nelts;
}


/*
 * One value against what is said of its element.
 */

/* Does it meet one of several profiles? Those that are not known say no
 * more. */
static bool
meets_one(check_t *c, const profile_type_t *t, const profile_value_t *value,
          const place_t *place)
{
    const profile_t  *p;
    trial_t          *before = c->trial, trial;
    int               i;

    for (i = 0; i < t->n_profiles; i++) {
        p = hie_profile_find(c->v, t->profiles[i]);
        if (p == NULL) {
            return true;
        }

        trial.failed = false;
        c->trial = &trial;
        hie_profile_check(c, p, value, place);
        c->trial = before;

        if (!trial.failed) {
            return true;
        }
    }

    return false;
}


static void
check_type_profiles(check_t *c, const profile_t *p, const profile_type_t *t,
                    const profile_value_t *value, const place_t *place)
{
    const profile_t  *other;

    /* an extension is checked by its url, wherever it stands */
    if (t->n_profiles == 0 || t->type == HIE_TYPE_Extension) {
        return;
    }

    if (t->n_profiles == 1) {
        other = hie_profile_find(c->v, t->profiles[0]);
        if (other != NULL) {
            hie_profile_check(c, other, value, place);
        }

    } else if (!meets_one(c, t, value, place)) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place,
                      issue_node(value), rule_name(c, p, "type"),
                      "the value meets none of %d profiles", t->n_profiles);
    }
}


static void
check_targets(check_t *c, const profile_t *p, const profile_type_t *t,
              const profile_value_t *value, const place_t *place)
{
    hie_type_t  said;
    int         i;

    if (t->n_targets == 0 || t->type != HIE_TYPE_Reference) {
        return;
    }

    said = hie_reference_type(c, value->node);
    if (said == HIE_TYPE_NONE
        || !hie_reference_allows(value->element, said))
    {
        return;
    }

    for (i = 0; i < t->n_targets; i++) {
        if (hie_type_is(said, t->targets[i])) {
            return;
        }
    }

    hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place, value->node,
                  rule_name(c, p, "targetProfile"),
                  "the profile does not allow a reference to %s",
                  hie_types[said].name);
}


static void
check_types(check_t *c, const profile_t *p, const constraint_t *k,
            const profile_value_t *value, const place_t *place)
{
    int  i;

    if (k->n_types == 0 || value->element == NULL) {
        return;
    }

    for (i = 0; i < k->n_types; i++) {
        if (hie_type_is(value->type, k->types[i].type)) {
            check_type_profiles(c, p, &k->types[i], value, place);
            check_targets(c, p, &k->types[i], value, place);

            return;
        }
    }

    /* a type that is defined in place has no name of its own there */
    if (hie_types[value->type].kind != HIE_KIND_BACKBONE) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place,
                      issue_node(value), rule_name(c, p, "type"),
                      "the profile does not allow the type %s",
                      hie_types[value->type].name);
    }
}


static void
check_range(check_t *c, const profile_t *p, const constraint_t *k,
            const profile_value_t *value, const place_t *place)
{
    hie_str_t  s;

    if (hie_range_below(c->d, value->node, p->doc, k->min_value, c->pool)) {
        s = hie_doc_raw(p->doc, k->min_value);
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, value->node,
                      rule_name(c, p, "minValue"), "expected at least %.*s, "
                      "found %s", (int) (s.len < 200 ? s.len : 200), s.ptr,
                      hie_issue_value(c, value->node));
    }

    if (hie_range_above(c->d, value->node, p->doc, k->max_value, c->pool)) {
        s = hie_doc_raw(p->doc, k->max_value);
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, value->node,
                      rule_name(c, p, "maxValue"), "expected at most %.*s, "
                      "found %s", (int) (s.len < 200 ? s.len : 200), s.ptr,
                      hie_issue_value(c, value->node));
    }
}


static void
check_contents(check_t *c, const profile_t *p, const constraint_t *k,
               const profile_value_t *value, const place_t *place)
{
    hie_str_t  s;

    if (k->fixed != HIE_NODE_NONE
        && !hie_match_fixed(c->d, value->node, p->doc, k->fixed, c->pool))
    {
        s = hie_doc_raw(p->doc, k->fixed);
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, value->node,
                      rule_name(c, p, "fixed"), "expected exactly %.*s, "
                      "found %s", (int) (s.len < 200 ? s.len : 200), s.ptr,
                      hie_issue_value(c, value->node));
    }

    if (k->pattern != HIE_NODE_NONE
        && !hie_match_pattern(c->d, value->node, p->doc, k->pattern, c->pool))
    {
        s = hie_doc_raw(p->doc, k->pattern);
        hie_issue_add(c, HIE_ISSUE_ERROR, "value", place, value->node,
                      rule_name(c, p, "pattern"), "expected what matches "
                      "%.*s, found %s", (int) (s.len < 200 ? s.len : 200),
                      s.ptr, hie_issue_value(c, value->node));
    }

    s = hie_doc_string(c->d, value->node, c->pool);
    if (s.ptr != NULL && s.len > k->max_length) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "too-long", place, value->node,
                      rule_name(c, p, "maxLength"),
                      "longer than %u characters", k->max_length);
    }
}


/* A binding that the base definition has enforced is not judged again. */
static void
check_bound(check_t *c, const profile_t *p, const constraint_t *k,
            const profile_value_t *value, const place_t *place)
{
    const bound_t  *base;

    if (k->bound == NULL || !(c->flags & HIE_VALIDATE_BINDINGS)) {
        return;
    }

    base = value->element == NULL ? NULL
           : &c->v->bindings[value->element->binding];
    if (base != NULL && base->enforced && k->bound->set != NULL
        && base->set == k->bound->set)
    {
        return;
    }

    hie_check_bound(c, k->bound, value->type, value->node, HIE_ISSUE_ERROR,
                    rule_name(c, p, "binding"), place);
}


/*
 * The elements in it.
 */

static void
check_count(check_t *c, const profile_t *p, const constraint_t *k, int n,
            const profile_value_t *values, hie_node_t object,
            const place_t *up)
{
    place_t  place = { up, k->name, NO_INDEX };

    if ((uint32_t) n < k->min) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "required", &place, object,
                      rule_name(c, p, "min"), "the profile needs %u of "
                      "%.*s, found %d", k->min, HIE_PRISTR(k->name), n);
    }

    if ((uint32_t) n > k->max) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "structure", &place,
                      issue_node(&values[k->max]), rule_name(c, p, "max"),
                      "the profile allows %u of %.*s, found %d", k->max,
                      HIE_PRISTR(k->name), n);
    }
}


static void
check_children(check_t *c, const profile_t *p, const constraint_t *k,
               hie_type_t type, hie_node_t object, const place_t *up)
{
    const constraint_t  *child;
    profile_value_t     *values;
    place_t              place = { up, { NULL, 0 }, NO_INDEX };
    int                  i, n;

    for (child = k->children; child != NULL; child = child->next) {
        n = hie_profile_values(c, type, object, child->name, &values);
        check_count(c, p, child, n, values, object, up);
        place.name = child->name;

        for (i = 0; i < n; i++) {
            place.index = values[i].index;
            hie_profile_check_constraint(c, p, child, &values[i], &place);
        }

        if (child->sliced || child->slices != NULL) {
            hie_slice_check(c, p, child, values, n, object, up);
        }

        if (c->trial != NULL && c->trial->failed) {
            return;
        }
    }
}


void
hie_profile_check_constraint(check_t *c, const profile_t *p,
                             const constraint_t *k,
                             const profile_value_t *value,
                             const place_t *place)
{
    if (c->depth >= HIE_CHECK_DEPTH_MAX) {
        return;                  /* said by the walk over the structure */
    }

    c->depth++;
    check_types(c, p, k, value, place);

    if (value->node != HIE_NODE_NONE) {
        check_contents(c, p, k, value, place);
        check_range(c, p, k, value, place);
        check_bound(c, p, k, value, place);

        if (k->rules != NULL && c->flags & HIE_VALIDATE_INVARIANTS) {
            hie_check_profile_rules(c, k->rules, value->type, value->node,
                                    place);
        }
    }

    if (k->children != NULL) {
        check_children(c, p, k, value->type,
                       hie_types[value->type].kind == HIE_KIND_PRIMITIVE
                       ? value->sibling : value->node, place);
    }

    c->depth--;
}


void
hie_profile_check(check_t *c, const profile_t *p,
                  const profile_value_t *value, const place_t *place)
{
    if (p->root == NULL) {
        return;
    }

    if (!hie_type_is(value->type, p->type)) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place, value->node,
                      rule_name(c, p, "type"), "the profile is one of %s, "
                      "found %s", hie_types[p->type].name,
                      hie_types[value->type].name);
        return;
    }

    hie_profile_check_constraint(c, p, p->root, value, place);
}


/*
 * Where profiles are named.
 */

static void
unknown_profile(check_t *c, hie_str_t url, hie_node_t n, const place_t *place,
                bool asked)
{
    int  len = (int) (url.len < 200 ? url.len : 200);

    if (asked) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "not-found", place, n, "profile",
                      "the profile %.*s is not known here", len, url.ptr);

    } else if (c->flags & HIE_VALIDATE_UNKNOWN) {
        hie_issue_add(c, HIE_ISSUE_INFORMATION, "not-found", place, n, NULL,
                      "the profile %.*s is not known here: it was not "
                      "checked", len, url.ptr);
    }
}


/* The definition of a resource type itself is met by what is valid. */
static bool
is_base_definition(hie_str_t url, hie_type_t type)
{
    static const char  base[] = "http://hl7.org/fhir/StructureDefinition/";
    hie_str_t          rest;

    url = hie_str_split(url, '|', &rest);
    if (!hie_str_starts(url, base)) {
        return false;
    }

    url.ptr += sizeof(base) - 1;
    url.len -= sizeof(base) - 1;

    return hie_type_is(type, hie_type_find(url));
}


static void
check_named(check_t *c, hie_str_t url, const resource_t *r, hie_node_t at,
            const place_t *place, const place_t *named, bool asked)
{
    profile_value_t   value = { r->node, HIE_NODE_NONE, NULL, r->type,
                                NO_INDEX };
    const profile_t  *p = hie_profile_find(c->v, url);

    if (p != NULL) {
        hie_profile_check(c, p, &value, place);
    } else if (url.len > 0 && !is_base_definition(url, r->type)) {
        unknown_profile(c, url, at, named, asked);
    }
}


void
hie_check_profiles(check_t *c, const resource_t *r, const place_t *place)
{
    place_t     meta = { place, HIE_STR("meta"), NO_INDEX };
    place_t     named = { &meta, HIE_STR("profile"), 0 };
    hie_node_t  list, n;
    hie_str_t   url;

    list = hie_doc_member(c->d, hie_doc_member(c->d, r->node, "meta"),
                          "profile");
    if (hie_doc_kind(c->d, list) != HIE_NODE_ARRAY) {
        return;
    }

    for (n = hie_doc_first(c->d, list); n != HIE_NODE_NONE;
         n = hie_doc_next(c->d, n), named.index++)
    {
        url = hie_doc_string(c->d, n, c->pool);
        if (url.ptr != NULL) {
            check_named(c, url, r, n, place, &named, false);
        }
    }
}


void
hie_check_asked(check_t *c, const resource_t *r, const hie_str_t *profiles,
                int n, const place_t *place)
{
    int  i;

    for (i = 0; i < n; i++) {
        check_named(c, profiles[i], r, r->node, place, place, true);
    }
}


void
hie_check_known_extension(check_t *c, hie_node_t n, bool modifier,
                          const place_t *place)
{
    profile_value_t   value = { n, HIE_NODE_NONE, NULL, HIE_TYPE_Extension,
                                NO_INDEX };
    const profile_t  *p;

    p = hie_profile_find(c->v, hie_doc_get(c->d, n, "url", c->pool));
    if (p == NULL || p->type != HIE_TYPE_Extension) {
        return;
    }

    if (p->modifier != modifier) {
        hie_issue_add(c, HIE_ISSUE_ERROR, "structure", place, n,
                      rule_name(c, p, "isModifier"),
                      "the extension belongs in %s", p->modifier
                      ? "modifierExtension" : "extension");
    }

    hie_profile_check(c, p, &value, place);
}
