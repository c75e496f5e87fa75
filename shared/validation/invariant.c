/*
 * Invariants (R4 section 5.1.0.14). What belongs to a type is compiled when it
 * is first met. A rule is decided by its guard if possible, else quickly where
 * there is a way for it, else by FHIRPath.
 */

#include <string.h>

#include <apr_strings.h>

#include "fhirpath/fhirpath.h"
#include "validation/guard.h"
#include "validation/validator.h"
#include "xml/xml.h"

/* Steps of an expression; and once one has taken too many, of each other
 * one in the same document. */
#define STEPS        1000000
#define STEPS_AFTER  10000

/* True: the rule holds. False: it is to be evaluated. */
typedef bool quick_fn(check_t *c, hie_node_t n);

typedef struct {
    const char      *key;
    const char      *human;
    bool             warning;
    bool             best_practice;
    bool             profile;
    guard_t          guard;
    quick_fn        *quick;
    hie_fhirpath_t  *program;
} invariant_t;

struct rules_t {
    int           n;
    int           size;
    invariant_t  *items;
};

/* Checked natively, with the structure: each in its own place. */
static const char *const  elsewhere[] = {
    "ele-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2",
    NULL
};


/* Expressions of R4 that do not say what their rule does. */
static const struct {
    const char  *key;
    const char  *expression;
} corrected[] = {
    /* Boolean is a type of System; the element has one of FHIR */
    { "que-7", "operator = 'exists' implies (answer is boolean)" },
    { NULL, NULL }
};


/*
 * Quick ways.
 */

/* per-1: two dates or times of one form, in one zone, compare as text. */
static bool
period_in_order(check_t *c, hie_node_t n)
{
    hie_str_t  start = hie_doc_raw(c->d, hie_doc_member(c->d, n, "start"));
    hie_str_t  end = hie_doc_raw(c->d, hie_doc_member(c->d, n, "end"));
    size_t     len = start.len;

    if (len != end.len) {
        return false;
    }

    /* with quotes: …Z" or …+hh:mm" */
    if (len > 12) {
        if (start.ptr[len - 2] == 'Z') {
            return end.ptr[len - 2] == 'Z'
                   && memcmp(start.ptr, end.ptr, len - 2) <= 0;
        }

        if (memcmp(start.ptr + len - 7, end.ptr + len - 7, 7) != 0) {
            return false;
        }

        len -= 7;
    }

    return memcmp(start.ptr, end.ptr, len) <= 0;
}


static const struct {
    const char  *key;
    quick_fn    *quick;
} quick_ways[] = {
    { "per-1", period_in_order },
    { NULL, NULL }
};


/*
 * Compiling.
 */

hie_rc_t
hie_rules_add(hie_validator_t *v, rules_t **rules, int size, hie_type_t type,
              const rule_source_t *source, hie_error_t *err)
{
    hie_fhirpath_options_t  options = { .context = type };
    rules_t                *r = *rules;
    invariant_t            *item;
    int                     i;

    if (r == NULL) {
        r = *rules = apr_pcalloc(v->pool, sizeof(*r));
        r->items = apr_pcalloc(v->pool, (size_t) size * sizeof(*r->items));
        r->size = size;
    }

    item = &r->items[r->n];
    item->key = source->key;
    item->human = source->human;
    item->warning = source->warning;
    item->best_practice = source->best_practice;
    item->profile = source->profile;

    if (type != HIE_TYPE_NONE) {
        hie_guard_make(type, hie_str_z(v->pool, source->expression),
                       &item->guard);
    }

    for (i = 0; quick_ways[i].key != NULL; i++) {
        if (strcmp(quick_ways[i].key, source->key) == 0) {
            item->quick = quick_ways[i].quick;
        }
    }

    r->n++;

    return hie_fhirpath_compile(v->pool, source->expression, &options,
                                &item->program, err);
}


static bool
is_elsewhere(const char *key)
{
    int  i;

    for (i = 0; elsewhere[i] != NULL; i++) {
        if (strcmp(elsewhere[i], key) == 0) {
            return true;
        }
    }

    return false;
}


static hie_str_t
expression_of(const hie_rule_t *rule)
{
    int  i;

    for (i = 0; corrected[i].key != NULL; i++) {
        if (strcmp(corrected[i].key, rule->key) == 0) {
            return hie_str(corrected[i].expression);
        }
    }

    return hie_str(rule->expression);
}


/* A part of hie_rule_lists. NULL where nothing is left to do. */
static const rules_t *
compile_list(hie_validator_t *v, hie_type_t type, uint16_t first, uint16_t n)
{
    const hie_rule_t  *rule;
    rule_source_t      source = { 0 };
    rules_t           *rules = NULL;
    uint16_t           i;

    for (i = 0; i < n; i++) {
        rule = &hie_rules[hie_rule_lists[first + i]];
        if (is_elsewhere(rule->key)) {
            continue;
        }

        source.key = rule->key;
        source.human = rule->human;
        source.expression = expression_of(rule);
        source.warning = rule->warning;
        source.best_practice = rule->best_practice;

        /* all of R4's compile: a test says so */
        if (hie_rules_add(v, &rules, n, type, &source, NULL) != HIE_OK) {
            rules->n--;
        }
    }

    return rules;
}


static type_rules_t *
compile(hie_validator_t *v, hie_type_t type)
{
    const hie_type_info_t  *t = &hie_types[type];
    const hie_element_t    *e;
    type_rules_t           *tr = apr_pcalloc(v->pool, sizeof(*tr));
    uint16_t                i;

    tr->own = compile_list(v, type, t->first_rule, t->n_rules);
    tr->elements = apr_pcalloc(v->pool, (t->n + 1u) * sizeof(*tr->elements));

    for (i = 0; i < t->n; i++) {
        e = &hie_elements[t->first + i];
        tr->elements[i] = compile_list(v, e->type, e->first_rule, e->n_rules);
        if (e->min > 0) {
            tr->required |= UINT64_C(1) << e->order;
        }
    }

    return tr;
}


const type_rules_t *
hie_validator_rules(hie_validator_t *v, hie_type_t type)
{
    type_rules_t  *tr;

    if (v->options.base != NULL) {
        return hie_validator_rules(v->options.base, type);
    }

    tr = atomic_load_explicit(&v->types[type], memory_order_acquire);
    if (tr != NULL) {
        return tr;
    }

    hie_validator_lock(v, true);

    tr = atomic_load_explicit(&v->types[type], memory_order_relaxed);
    if (tr == NULL) {
        tr = compile(v, type);
        atomic_store_explicit(&v->types[type], tr, memory_order_release);
    }

    hie_validator_lock(v, false);

    return tr;
}


/*
 * Evaluating.
 */

static bool
guard_holds(const guard_t *g, uint64_t seen)
{
    int  i;

    for (i = 0; i < g->n; i++) {
        if ((g->terms[i].there & ~seen) == 0
            && (g->terms[i].absent & seen) == 0)
        {
            return true;
        }
    }

    return false;
}


static hie_rc_t
html_checks(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
            bool *out, hie_error_t *err)
{
    const hie_doc_t  *d = item->doc;

    *out = item->kind == HIE_FHIRPATH_NODE
           && hie_xhtml_check(hie_doc_string(d, item->node, env->pool), NULL)
              == HIE_OK;

    return HIE_OK;
}


static hie_rc_t
member_of(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
          hie_str_t value_set, bool *out, hie_error_t *err)
{
    check_t   *c = env->baton;
    bound_t    bound = { 0 };

    bound.url = hie_str_z(env->pool, value_set);
    bound.set = hie_value_set_find(value_set);
    *out = item->kind == HIE_FHIRPATH_NODE
           && hie_bound_has(c, &bound, item->type, item->node)
              != HIE_CODE_OUT;

    return HIE_OK;
}


static void
fill_env(check_t *c, hie_fhirpath_env_t *env)
{
    resource_t  *r = c->resource;

    env->pool = hie_check_scratch(c);
    env->resource = hie_fhirpath_node(c->d, r->node, HIE_NODE_NONE, r->type);

    while (r->container != NULL) {
        r = r->container;
    }

    env->root = hie_fhirpath_node(c->d, r->node, HIE_NODE_NONE, r->type);
    env->now = c->now;
    env->steps = c->costly ? STEPS_AFTER : STEPS;
    env->baton = c;
    env->html_checks = html_checks;
    env->member_of = member_of;
}


/* What is empty is no violation: values that are not there, and times that
 * cannot be compared, prove nothing. */
static void
evaluate(check_t *c, const invariant_t *item, hie_type_t type, hie_node_t n,
         const place_t *place)
{
    hie_fhirpath_env_t    env = { 0 };
    hie_fhirpath_item_t   focus;
    hie_fhirpath_truth_t  truth = HIE_FHIRPATH_FALSE;
    hie_issue_severity_t  severity;
    hie_error_t           err = { .rc = 0 };

    severity = item->warning ? HIE_ISSUE_WARNING : HIE_ISSUE_ERROR;
    fill_env(c, &env);
    focus = hie_fhirpath_node(c->d, n, HIE_NODE_NONE, type);

    switch (hie_fhirpath_test(item->program, &env, &focus, &truth, &err)) {
    case HIE_OK:
        if (truth == HIE_FHIRPATH_FALSE) {
            hie_issue_add(c, severity, "invariant", place, n, item->key,
                          "%s", item->human);
        }
        break;

    case HIE_TOO_COSTLY:
        c->costly = true;
        hie_issue_add(c, HIE_ISSUE_ERROR, "too-costly", place, n, item->key,
                      "the rule takes too long to evaluate");
        break;

    default:
        /* what is no FHIR has its own issues; a profile's expression may be
         * one that fits its own examples only */
        if (!c->invalid) {
            hie_issue_add(c, item->profile ? HIE_ISSUE_WARNING : severity,
                          "invariant", place, n, item->key,
                          "cannot be evaluated: %s", err.detail);
        }
        break;
    }
}


void
hie_check_narrative(check_t *c, hie_str_t div, hie_node_t n,
                    const place_t *place)
{
    hie_error_t  err = { .rc = 0 };
    const char  *text = err.detail;
    const char  *key = "txt-1";

    if (!(c->flags & HIE_VALIDATE_INVARIANTS)
        || hie_xhtml_check(div, &err) == HIE_OK)
    {
        return;
    }

    if (strncmp(text, "txt-", 4) == 0 && strlen(text) > 7) {
        key = text[4] == '2' ? "txt-2" : "txt-1";
        text += 7;
    }

    hie_issue_add(c, HIE_ISSUE_ERROR, "invariant", place, n, key, "%s", text);
}


void
hie_check_rules(check_t *c, const rules_t *rules, hie_type_t type,
                hie_node_t n, uint64_t seen, const place_t *place)
{
    const invariant_t  *item = rules->items, *end = item + rules->n;

    for ( ; item < end; item++) {
        if (item->best_practice && !(c->flags & HIE_VALIDATE_BEST_PRACTICE)) {
            continue;
        }

        if (!(c->flags & HIE_VALIDATE_ALL_BY_ENGINE)
            && (guard_holds(&item->guard, seen)
                || (item->quick != NULL && item->quick(c, n))))
        {
            continue;
        }

        evaluate(c, item, type, n, place);
    }
}


/* Of a value that is not being walked over. */
static uint64_t
seen_in(check_t *c, hie_type_t type, hie_node_t n)
{
    const hie_element_t  *e;
    hie_node_t            m;
    hie_str_t             name;
    uint64_t              seen = 0;
    size_t                sibling;

    for (m = hie_doc_first(c->d, n); m != HIE_NODE_NONE;
         m = hie_doc_next(c->d, m))
    {
        name = hie_doc_name(c->d, m, c->pool);
        sibling = name.len > 0 && name.ptr[0] == '_';
        e = hie_element_find(type, (hie_str_t) { name.ptr + sibling,
                                                 name.len - sibling });
        if (e != NULL) {
            seen |= UINT64_C(1) << e->order;
        }
    }

    return seen;
}


void
hie_check_profile_rules(check_t *c, const rules_t *rules, hie_type_t type,
                        hie_node_t n, const place_t *place)
{
    hie_check_rules(c, rules, type, n,
                    hie_types[type].kind == HIE_KIND_PRIMITIVE ? 0
                    : seen_in(c, type, n), place);
}
