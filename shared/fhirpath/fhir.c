/*
 * What FHIR adds (R4 section 2.9.4), the tree, the time, types.
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

#define DEFINITIONS  "http://hl7.org/fhir/StructureDefinition/"


hie_rc_t
hie_fp_call_children(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    uint32_t   i, end = run->top;
    hie_rc_t   rc = HIE_OK;
    fp_item_t  item;

    for (i = base; i < end && rc == HIE_OK; i++) {
        item = run->items[i];
        rc = hie_fp_children(run, &item);
    }

    fp_drop(run, base, end);
    return rc;
}


/* The children of what has been found, until there are none. */
hie_rc_t
hie_fp_call_descendants(fp_run_t *run, const fp_node_t *n,
                        const fp_scope_t *scope, uint32_t base)
{
    uint32_t   i, end = run->top;
    hie_rc_t   rc = HIE_OK;
    fp_item_t  item;

    for (i = base; i < run->top && rc == HIE_OK; i++) {
        item = run->items[i];
        rc = hie_fp_children(run, &item);
    }

    fp_drop(run, base, end);
    return rc;
}


hie_rc_t
hie_fp_call_extension(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    uint32_t   i, end = run->top;
    hie_rc_t   rc;
    fp_item_t  url, item;

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &url,
                         &there);
    for (i = base; i < end && rc == HIE_OK && there; i++) {
        item = run->items[i];
        rc = hie_fp_extensions(run, &item, url.string);
    }

    fp_drop(run, base, end);
    return rc;
}


hie_rc_t
hie_fp_call_hasExtension(fp_run_t *run, const fp_node_t *n,
                         const fp_scope_t *scope, uint32_t base)
{
    hie_rc_t  rc;

    rc = hie_fp_call_extension(run, n, scope, base);
    hie_fp_set_boolean(run, base, run->top > base);
    return rc;
}


hie_rc_t
hie_fp_call_hasValue(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    hie_fp_set_boolean(run, base, run->top - base == 1
                       && hie_fp_has_value(&run->items[base]));
    return HIE_OK;
}


hie_rc_t
hie_fp_call_getValue(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    fp_item_t  v;

    if (run->top - base == 1 && hie_fp_has_value(&run->items[base])
        && hie_fp_value(run, &run->items[base], &v))
    {
        run->items[base] = v;
    } else {
        run->top = base;
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_resolve(fp_run_t *run, const fp_node_t *n,
                    const fp_scope_t *scope, uint32_t base)
{
    uint32_t   i, kept, end = run->top;
    hie_rc_t   rc = HIE_OK;
    fp_item_t  item, found;

    for (i = base, kept = base; i < end && rc == HIE_OK; i++) {
        item = run->items[i];
        found.kind = 0;
        rc = hie_fp_resolve(run, n, &item, &found);
        if (found.kind != 0) {
            run->items[kept++] = found;
        }
    }

    run->top = kept;
    return rc;
}


/* The item of a call that is a question about one, and its argument. */
static hie_rc_t
question(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
         uint32_t base, fp_item_t *item, hie_str_t *arg, bool *there)
{
    hie_rc_t   rc;
    fp_item_t  v;

    *there = run->top > base;
    if (!*there) {
        return HIE_OK;
    }

    if (run->top - base > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item before "
                           "%s(), found %u", n->function->name,
                           run->top - base);
    }

    *item = run->items[base];
    run->top = base;
    if (arg == NULL) {
        return HIE_OK;
    }

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &v, there);
    if (rc == HIE_OK && *there) {
        *arg = v.string;
    }

    return rc;
}


static hie_rc_t
nobody_to_ask(fp_run_t *run, const fp_node_t *n)
{
    return hie_fp_fail(run, n, HIE_INVALID, "%s(): there is no terminology "
                       "or definition to answer this", n->function->name);
}


hie_rc_t
hie_fp_call_memberOf(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    bool       there, v;
    hie_rc_t   rc;
    hie_str_t  url;
    fp_item_t  item;

    rc = question(run, n, scope, base, &item, &url, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (run->env->member_of == NULL) {
        return nobody_to_ask(run, n);
    }

    rc = run->env->member_of(run->env, &item, url, &v, run->err);
    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, v);
    }

    return rc;
}


static hie_rc_t
subsumption(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
            uint32_t base, bool inverse)
{
    bool       there, v;
    hie_rc_t   rc;
    fp_item_t  a, b;

    rc = question(run, n, scope, base, &a, NULL, &there);
    if (rc == HIE_OK && there) {
        rc = hie_fp_eval(run, n->args, scope);
    }

    if (rc == HIE_OK && there) {
        rc = question(run, n, scope, base, &b, NULL, &there);
    }

    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (run->env->subsumes == NULL) {
        return nobody_to_ask(run, n);
    }

    rc = run->env->subsumes(run->env, inverse ? &b : &a, inverse ? &a : &b,
                            &v, run->err);
    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, v);
    }

    return rc;
}


hie_rc_t
hie_fp_call_subsumes(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    return subsumption(run, n, scope, base, false);
}


hie_rc_t
hie_fp_call_subsumedBy(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    return subsumption(run, n, scope, base, true);
}


hie_rc_t
hie_fp_call_conformsTo(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    bool        there, v;
    hie_rc_t    rc;
    hie_str_t   url;
    fp_item_t   item;
    hie_type_t  type;

    rc = question(run, n, scope, base, &item, &url, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    type = HIE_TYPE_NONE;
    if (hie_str_starts(url, DEFINITIONS)) {
        type = hie_type_find((hie_str_t) {
            url.ptr + sizeof(DEFINITIONS) - 1,
            url.len - (sizeof(DEFINITIONS) - 1) });
    }

    if (type != HIE_TYPE_NONE
        && hie_types[type].kind != HIE_KIND_BACKBONE)
    {
        hie_fp_set_boolean(run, base, item.kind == HIE_FHIRPATH_NODE
                                      && hie_type_is(item.type, type));
        return HIE_OK;
    }

    if (run->env->conforms_to == NULL) {
        return nobody_to_ask(run, n);
    }

    rc = run->env->conforms_to(run->env, &item, url, &v, run->err);
    if (rc == HIE_OK) {
        hie_fp_set_boolean(run, base, v);
    }

    return rc;
}


hie_rc_t
hie_fp_call_htmlChecks(fp_run_t *run, const fp_node_t *n,
                       const fp_scope_t *scope, uint32_t base)
{
    bool       there, v = true;
    hie_rc_t   rc;
    fp_item_t  item;

    rc = question(run, n, scope, base, &item, NULL, &there);
    if (rc == HIE_OK && there && run->env->html_checks != NULL) {
        rc = run->env->html_checks(run->env, &item, &v, run->err);
    }

    if (rc == HIE_OK && there) {
        hie_fp_set_boolean(run, base, v);
    }

    return rc;
}


hie_rc_t
hie_fp_call_type(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                 uint32_t base)
{
    uint32_t    i;
    fp_item_t  *item;
    uint8_t     kind;
    hie_type_t  type;

    for (i = base; i < run->top; i++) {
        item = &run->items[i];
        kind = item->kind;
        type = kind == HIE_FHIRPATH_NODE ? item->type : 0;
        memset(item, 0, sizeof(*item));
        item->kind = HIE_FHIRPATH_TYPE;
        item->type = type;
        item->kind_of = kind;
    }

    return HIE_OK;
}


hie_rc_t
hie_fp_call_now(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                uint32_t base)
{
    fp_time_t  t = hie_fp_time_now(run->env);

    hie_fp_set_time(run, base, HIE_FHIRPATH_DATETIME, &t);
    return HIE_OK;
}


hie_rc_t
hie_fp_call_today(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                  uint32_t base)
{
    fp_time_t  t = hie_fp_time_now(run->env), day;

    memset(&day, 0, sizeof(day));
    day.year = t.year;
    day.month = t.month;
    day.day = t.day;
    day.precision = HIE_PRECISION_DAY;
    day.zone = HIE_FHIRPATH_NO_ZONE;
    hie_fp_set_time(run, base, HIE_FHIRPATH_DATE, &day);
    return HIE_OK;
}


hie_rc_t
hie_fp_call_timeOfDay(fp_run_t *run, const fp_node_t *n,
                      const fp_scope_t *scope, uint32_t base)
{
    fp_time_t  t = hie_fp_time_now(run->env);

    t.year = 1;
    t.month = 1;
    t.day = 1;
    t.zone = HIE_FHIRPATH_NO_ZONE;
    hie_fp_set_time(run, base, HIE_FHIRPATH_TIME, &t);
    return HIE_OK;
}
