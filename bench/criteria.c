/*
 * What search parameters mean, for SQL that is written by hand: the keys and
 * bounds that stand in the tables.
 *
 *     criteria < LINES
 *
 * A line of input is a type, a parameter and a value, divided by tabs; one of
 * output is the criterion in JSON. For "slot" it is the key of the parameter
 * that the value names, for "reference" the one under which its references
 * stand, and for "resource" that of the resource with this id.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_time.h>

#include "search/search.h"

static hie_search_t  *search;


static void
die(const char *line, const char *why)
{
    fprintf(stderr, "criteria: %s: %s\n", line, why);
    exit(2);
}


static void
add_i64(hie_buf_t *b, const char *name, uint64_t v)
{
    hie_buf_addf(b, "\"%s\":%" PRId64 ",", name, (int64_t) v);
}


static void
add_text(hie_buf_t *b, const char *name, hie_str_t s)
{
    hie_buf_addf(b, "\"%s\":", name);
    hie_buf_add_json(b, s);
    hie_buf_addc(b, ',');
}


static void
add_slot(hie_buf_t *b, const hie_slot_t *s)
{
    add_i64(b, "slot", s->slot);
    if (s->scoped) {
        add_i64(b, "scope", s->scope);
    }
}


static void
add_number(hie_buf_t *b, const hie_number_value_t *v)
{
    char  a[HIE_DECIMAL_TEXT_MAX], z[HIE_DECIMAL_TEXT_MAX];

    hie_decimal_print(&v->a, a);
    hie_decimal_print(&v->b, z);
    add_slot(b, &v->of);
    add_i64(b, "unit", v->unit);
    add_i64(b, "system", v->system);
    add_i64(b, "code", v->code);
    hie_buf_addf(b, "\"a\":\"%s\",\"b\":\"%s\",\"op\":%d", a, z, v->op);
}


static void
add_criterion(hie_buf_t *b, const hie_criterion_t *c);


static void
add_chain(hie_buf_t *b, const hie_chain_t *chain)
{
    int  i;

    add_i64(b, "mix", hie_search_param_mix(chain->param));
    add_i64(b, "param", chain->param);
    hie_buf_addf(b, "\"type\":\"%s\",\"criteria\":[",
                 hie_types[chain->type].name);
    for (i = 0; i < chain->criteria->n; i++) {
        hie_buf_addz(b, i > 0 ? "," : "");
        add_criterion(b, &chain->criteria->criteria[i]);
    }
    hie_buf_addc(b, ']');
}


static void
add_value(hie_buf_t *b, const hie_criterion_t *c, int i)
{
    switch (c->kind) {
    case HIE_CRITERION_TOKENS:
        hie_buf_addf(b, "%" PRId64, (int64_t) c->keys[i]);
        return;
    case HIE_CRITERION_IDS:
        hie_buf_add_json(b, c->ids[i]);
        return;
    default:
        break;
    }

    hie_buf_addc(b, '{');
    switch (c->kind) {
    case HIE_CRITERION_STRINGS:
    case HIE_CRITERION_TERMS:
    case HIE_CRITERION_TEXT:
        add_slot(b, &c->texts[i].of);
        add_text(b, "value", c->texts[i].value);
        hie_buf_addf(b, "\"match\":%d", c->texts[i].match);
        break;
    case HIE_CRITERION_DATES:
    case HIE_CRITERION_UPDATED:
        add_slot(b, &c->dates[i].of);
        add_i64(b, "a", (uint64_t) c->dates[i].a);
        add_i64(b, "b", (uint64_t) c->dates[i].b);
        hie_buf_addf(b, "\"op\":%d", c->dates[i].op);
        break;
    case HIE_CRITERION_NUMBERS:
        add_number(b, &c->numbers[i]);
        break;
    case HIE_CRITERION_CHAIN:
    case HIE_CRITERION_HAS:
    case HIE_CRITERION_GROUP:
        add_chain(b, &c->chains[i]);
        break;
    default:
        die("criterion", "of an unexpected kind");
    }
    hie_buf_addc(b, '}');
}


static void
add_criterion(hie_buf_t *b, const hie_criterion_t *c)
{
    int  i;

    hie_buf_addf(b, "{\"kind\":%d,\"negate\":%s,\"values\":[", c->kind,
                 c->negate ? "true" : "false");
    for (i = 0; i < c->n; i++) {
        hie_buf_addz(b, i > 0 ? "," : "");
        add_value(b, c, i);
    }
    hie_buf_addz(b, "]}");
}


static void
answer(char *line, apr_pool_t *pool)
{
    hie_rc_t                   rc;
    hie_buf_t                  b;
    hie_str_t                  type, name, value, rest;
    hie_type_t                 t;
    uint32_t                   key;
    hie_error_t                err;
    hie_criterion_t            c;
    const hie_parameter_t     *def;
    const hie_search_rules_t   rules = {
        .base = HIE_STR("http://127.0.0.1/fhir"), .now = apr_time_now(),
        .max_depth = 8, .max_values = 1000
    };

    type = hie_str_split(hie_str(line), '\t', &rest);
    name = hie_str_split(rest, '\t', &value);
    t = hie_type_find(type);
    hie_buf_init(&b, pool, 512);

    if (hie_str_eqz(name, "resource")) {
        hie_buf_addf(&b, "%" PRId64,
                     (int64_t) hie_search_resource_key(type, value));
        rc = HIE_OK;
    } else if (hie_str_eqz(name, "slot")
               || hie_str_eqz(name, "reference"))
    {
        def = hie_search_param(search, t, value);
        key = def == NULL ? 0 : name.ptr[0] == 's' ? def->key : def->ref_key;
        hie_buf_addf(&b, "%" PRIu32, key);
        rc = HIE_OK;
    } else {
        rc = hie_search_criterion(search, t, name, value, &rules, pool, &c,
                                  &err);
        if (rc == HIE_OK) {
            add_criterion(&b, &c);
        }
    }

    if (rc != HIE_OK) {
        die(line, err.detail);
    }
    printf("%.*s\n", HIE_PRISTR(hie_buf_str(&b)));
}


int
main(void)
{
    char        *line = NULL;
    size_t       size = 0;
    ssize_t      n;
    apr_pool_t  *pool, *scratch;

    apr_initialize();
    pool = hie_pool_create(NULL, "criteria");
    scratch = hie_pool_create(pool, "criteria-line");
    search = hie_search_create(pool, NULL);

    while ((n = getline(&line, &size, stdin)) != -1) {
        if (n > 0 && line[n - 1] == '\n') {
            line[n - 1] = '\0';
        }
        apr_pool_clear(scratch);
        answer(line, scratch);
    }

    free(line);
    return 0;
}
