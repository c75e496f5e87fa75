/*
 * Slicing (R4 section 5.1.0.7): which slice a value belongs to, by the
 * discriminators; and what each slice says.
 */

#include <string.h>

#include <apr_strings.h>

#include "validation/profile.h"

typedef struct {
    check_t              *c;
    const profile_t      *p;
    const constraint_t   *k;         /* that is sliced */
    bool                  unsure;    /* a value set is not known: a value may
                                        be in a slice that it was not put in */
} slicer_t;


/* The next step of a path; extension('url') is one. */
static hie_str_t
next_step(hie_str_t path, hie_str_t *rest)
{
    size_t  i;
    int     level = 0;

    for (i = 0; i < path.len; i++) {
        level += path.ptr[i] == '(';
        level -= path.ptr[i] == ')';
        if (path.ptr[i] == '.' && level == 0) {
            *rest = (hie_str_t) { path.ptr + i + 1, path.len - i - 1 };
            return (hie_str_t) { path.ptr, i };
        }
    }

    *rest = HIE_STR_NONE;

    return path;
}


static const constraint_t *
child_of(const constraint_t *k, hie_str_t name)
{
    const constraint_t  *child = k != NULL ? k->children : NULL;

    while (child != NULL && !hie_str_eq(child->name, name)) {
        child = child->next;
    }

    return child;
}


/* "extension('http://…')": what is between the quotes. */
static hie_str_t
extension_url(hie_str_t step)
{
    const char  *open, *close;

    if (!hie_str_starts(step, "extension(") || step.len < 14) {
        return HIE_STR_NONE;
    }

    open = step.ptr + 11;
    close = memchr(open, '\'', step.len - 11);

    return close == NULL ? HIE_STR_NONE
           : (hie_str_t) { open, (size_t) (close - open) };
}


/*
 * Discriminators by value: what the slice says of what the path leads to.
 */

static bool
value_matches(slicer_t *s, const constraint_t *k,
              const profile_value_t *value)
{
    const constraint_t  *child;
    profile_value_t     *values;
    hie_code_answer_t    answer;
    check_t             *c = s->c;
    int                  i, n;

    if (k->fixed != HIE_NODE_NONE) {
        return value->node != HIE_NODE_NONE
               && hie_match_fixed(c->d, value->node, s->p->doc, k->fixed,
                                  c->pool);
    }

    if (k->pattern != HIE_NODE_NONE) {
        return value->node != HIE_NODE_NONE
               && hie_match_pattern(c->d, value->node, s->p->doc, k->pattern,
                                    c->pool);
    }

    if (k->bound != NULL) {
        answer = hie_bound_has(c, k->bound, value->type, value->node);
        s->unsure |= answer == HIE_CODE_UNKNOWN;

        return answer == HIE_CODE_IN;
    }

    /* values that are fixed further down */
    if (k->children == NULL) {
        return false;
    }

    for (child = k->children; child != NULL; child = child->next) {
        n = hie_profile_values(c, value->type, value->node, child->name,
                               &values);
        for (i = 0; i < n && !value_matches(s, child, &values[i]); i++) {
            /* void */
        }

        if (i == n) {
            return false;
        }
    }

    return true;
}


static bool
path_matches(slicer_t *s, const constraint_t *k, const profile_value_t *value,
             hie_str_t path)
{
    profile_value_t  *values;
    hie_str_t         rest, step = next_step(path, &rest);
    int               i, n;

    if (k == NULL) {
        return false;
    }

    /* what is said above says it of what is below */
    if (path.ptr == NULL || hie_str_eqz(step, "$this")
        || k->fixed != HIE_NODE_NONE || k->pattern != HIE_NODE_NONE)
    {
        return value_matches(s, k, value);
    }

    n = hie_profile_values(s->c, value->type, value->node, step, &values);
    k = child_of(k, step);

    for (i = 0; i < n; i++) {
        if (path_matches(s, k, &values[i], rest)) {
            return true;
        }
    }

    return false;
}


/* A slice of extensions has its url in the profile of its type. */
static bool
extension_matches(slicer_t *s, const constraint_t *slice,
                  const profile_value_t *value)
{
    hie_str_t  url = hie_doc_get(s->c->d, value->node, "url", s->c->pool);
    hie_str_t  rest;
    int        i;

    for (i = 0; i < slice->types[0].n_profiles; i++) {
        if (hie_str_eq(hie_str_split(slice->types[0].profiles[i], '|', &rest),
                       url))
        {
            return true;
        }
    }

    return false;
}


/*
 * The other discriminators.
 */

/* The first value that a path leads to; false if there is none. */
static bool
value_at(slicer_t *s, profile_value_t *value, const constraint_t **k,
         hie_str_t path)
{
    profile_value_t  *values;
    hie_str_t         rest = path, step;

    while (rest.ptr != NULL) {
        step = next_step(rest, &rest);
        if (hie_str_eqz(step, "$this")) {
            continue;
        }

        if (hie_str_eqz(step, "resolve()")) {
            value->type = hie_reference_type(s->c, value->node);
            value->node = HIE_NODE_NONE;
            return value->type != HIE_TYPE_NONE;
        }

        *k = child_of(*k, step);
        if (hie_profile_values(s->c, value->type, value->node, step,
                               &values) == 0)
        {
            return false;
        }

        *value = values[0];
    }

    return true;
}


static bool
exists_at(slicer_t *s, const profile_value_t *value, hie_str_t path)
{
    profile_value_t   at = *value, *values;
    hie_str_t         url = extension_url(path);
    const constraint_t  *k = NULL;
    int               i, n;

    if (url.ptr == NULL) {
        return value_at(s, &at, &k, path);
    }

    n = hie_profile_values(s->c, value->type, value->node,
                           HIE_STR("extension"), &values);
    for (i = 0; i < n; i++) {
        if (hie_str_eq(hie_doc_get(s->c->d, values[i].node, "url",
                                   s->c->pool), url))
        {
            return true;
        }
    }

    return false;
}


/* Is it said to be there, or said not to be? */
static bool
exists_matches(slicer_t *s, const constraint_t *slice,
               const profile_value_t *value, hie_str_t path)
{
    const constraint_t  *k = slice;
    hie_str_t            rest = path, step;

    while (rest.ptr != NULL && k != NULL) {
        step = next_step(rest, &rest);
        if (!hie_str_eqz(step, "$this")) {
            k = child_of(k, step);
        }
    }

    if (k == NULL) {
        return true;
    }

    return exists_at(s, value, path) ? k->max > 0 : k->min == 0;
}


static bool
type_matches(slicer_t *s, const constraint_t *slice,
             const profile_value_t *value, hie_str_t path)
{
    const constraint_t  *k = slice;
    profile_value_t      at = *value;
    const profile_type_t *t;
    int                  i, m;

    if (!value_at(s, &at, &k, path) || k == NULL) {
        return false;
    }

    for (i = 0; i < k->n_types; i++) {
        t = &k->types[i];
        if (hie_type_is(at.type, t->type)) {
            return true;
        }

        for (m = 0; m < t->n_targets; m++) {
            if (at.node == HIE_NODE_NONE && hie_type_is(at.type,
                                                        t->targets[m]))
            {
                return true;
            }
        }
    }

    return false;
}


/* The slice's own type profiles, on trial. What a reference leads to is not
 * here: its type decides. */
static bool
profile_matches(slicer_t *s, const constraint_t *slice,
                const profile_value_t *value, hie_str_t path)
{
    const constraint_t  *k = slice;
    const profile_t     *p;
    profile_value_t      at = *value;
    trial_t             *before = s->c->trial, trial;
    place_t              nowhere = { NULL, { NULL, 0 }, NO_INDEX };
    int                  i, m;

    if (!value_at(s, &at, &k, path) || k == NULL) {
        return false;
    }

    if (at.node == HIE_NODE_NONE) {
        return type_matches(s, slice, value, path);
    }

    for (i = 0; i < k->n_types; i++) {
        for (m = 0; m < k->types[i].n_profiles; m++) {
            p = hie_profile_find(s->c->v, k->types[i].profiles[m]);
            trial.failed = p == NULL;
            s->c->trial = &trial;
            if (p != NULL) {
                hie_profile_check(s->c, p, &at, &nowhere);
            }

            s->c->trial = before;
            if (!trial.failed) {
                return true;
            }
        }
    }

    return false;
}


static bool
discriminator_matches(slicer_t *s, const discriminator_t *d,
                      const constraint_t *slice, const profile_value_t *value)
{
    switch (d->kind) {
    case DISCRIMINATE_EXISTS:
        return exists_matches(s, slice, value, d->path);

    case DISCRIMINATE_TYPE:
        return type_matches(s, slice, value, d->path);

    case DISCRIMINATE_PROFILE:
        return profile_matches(s, slice, value, d->path);

    default:
        if (value->type == HIE_TYPE_Extension && slice->n_types == 1
            && slice->types[0].n_profiles > 0
            && hie_str_eqz(d->path, "url"))
        {
            return extension_matches(s, slice, value);
        }

        return path_matches(s, slice, value, d->path);
    }
}


/* The first slice that fits, from 0; -1: none. */
static int
find_slice(slicer_t *s, const profile_value_t *value,
           const constraint_t **found)
{
    const discriminator_t  *d = s->k->discriminators;
    const constraint_t     *slice;
    int                     i, at = 0;

    for (slice = s->k->slices; slice != NULL; slice = slice->next, at++) {
        if (s->k->n_discriminators == 0) {
            /* types of a choice need no more than their names */
            discriminator_t  type = { DISCRIMINATE_TYPE, HIE_STR("$this") };

            if (s->k->choice
                && discriminator_matches(s, &type, slice, value))
            {
                *found = slice;
                return at;
            }

            continue;
        }

        for (i = 0; i < s->k->n_discriminators; i++) {
            if (!discriminator_matches(s, &d[i], slice, value)) {
                break;
            }
        }

        if (i == s->k->n_discriminators) {
            *found = slice;
            return at;
        }
    }

    return -1;
}


/*
 * All values.
 */

static const char *
slice_rule(slicer_t *s, hie_str_t slice)
{
    if (s->c->trial != NULL) {
        return "";
    }

    if (slice.len == 0 && s->k->slice.len > 0) {
        slice = s->k->slice;     /* of one that is sliced itself */
    }

    return apr_psprintf(s->c->pool, "%.*s#%.*s%s%.*s",
                        HIE_PRISTR(s->p->url), HIE_PRISTR(s->k->name),
                        slice.len > 0 ? ":" : "", HIE_PRISTR(slice));
}


static void
check_counts(slicer_t *s, const uint32_t *counts, hie_node_t object,
             const place_t *up)
{
    place_t              place = { up, s->k->name, NO_INDEX };
    const constraint_t  *slice;

    for (slice = s->k->slices; slice != NULL; slice = slice->next, counts++) {
        if (*counts < slice->min && !s->unsure) {
            hie_issue_add(s->c, HIE_ISSUE_ERROR, "required", &place, object,
                          slice_rule(s, slice->slice),
                          "the slice %.*s needs %u, found %u",
                          HIE_PRISTR(slice->slice), slice->min, *counts);
        }

        if (*counts > slice->max) {
            hie_issue_add(s->c, HIE_ISSUE_ERROR, "structure", &place, object,
                          slice_rule(s, slice->slice),
                          "the slice %.*s allows %u, found %u",
                          HIE_PRISTR(slice->slice), slice->max, *counts);
        }
    }
}


/* `last`: the highest slice so far; `open`: a value without one came. */
static void
check_order(slicer_t *s, int at, int last, bool open, hie_node_t n,
            const place_t *place)
{
    if (at < 0) {
        if (s->k->closed && !s->unsure) {
            hie_issue_add(s->c, HIE_ISSUE_ERROR, "structure", place, n,
                          slice_rule(s, HIE_STR("")),
                          "the slicing is closed, and no slice fits");
        }

    } else if ((s->k->ordered && at < last) || (s->k->at_end && open)) {
        hie_issue_add(s->c, HIE_ISSUE_ERROR, "structure", place, n,
                      slice_rule(s, HIE_STR("")), "out of order");
    }
}


/* Those of a slice that is sliced itself. */
static void
check_inner(check_t *c, const profile_t *p, const constraint_t *slice,
            int at, const profile_value_t *values, const int *slices, int n,
            hie_node_t object, const place_t *up)
{
    profile_value_t  *own;
    int               i, m;

    if (!slice->sliced && slice->slices == NULL) {
        return;
    }

    own = apr_palloc(c->pool, ((size_t) n + 1) * sizeof(*own));
    for (i = 0, m = 0; i < n; i++) {
        if (slices[i] == at) {
            own[m++] = values[i];
        }
    }

    hie_slice_check(c, p, slice, own, m, object, up);
}


void
hie_slice_check(check_t *c, const profile_t *p, const constraint_t *k,
                const profile_value_t *values, int n, hie_node_t object,
                const place_t *up)
{
    slicer_t             s = { c, p, k, false };
    const constraint_t  *slice = NULL;
    place_t              place = { up, k->name, NO_INDEX };
    uint32_t            *counts;
    int                  i, at, *slices, last = -1;
    bool                 open = false;

    counts = apr_pcalloc(c->pool, ((size_t) k->n_slices + 1)
                                  * sizeof(*counts));
    slices = apr_palloc(c->pool, ((size_t) n + 1) * sizeof(*slices));

    for (i = 0; i < n; i++) {
        place.index = values[i].index;
        at = find_slice(&s, &values[i], &slice);
        slices[i] = at;
        check_order(&s, at, last, open, values[i].node, &place);

        if (at < 0) {
            open = true;
            continue;
        }

        counts[at]++;
        last = at > last ? at : last;
        hie_profile_check_constraint(c, p, slice, &values[i], &place);
    }

    check_counts(&s, counts, object, up);

    for (slice = k->slices, at = 0; slice != NULL; slice = slice->next) {
        check_inner(c, p, slice, at++, values, slices, n, object, up);
    }
}
