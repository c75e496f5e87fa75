/*
 * The validator, and one run of it.
 */

#include <string.h>

#include "validation/private.h"
#include "validation/validator.h"
#include "xml/xml.h"


hie_validator_t *
hie_validator_create(apr_pool_t *pool, const hie_validator_options_t *options)
{
    hie_validator_t  *v = apr_pcalloc(pool, sizeof(*v));

    hie_xml_init();
    v->pool = pool;
    if (options != NULL) {
        v->options = *options;
    }

    v->types = apr_pcalloc(pool, hie_n_types * sizeof(*v->types));
    v->profiles = apr_hash_make(pool);
    v->sets = apr_hash_make(pool);
    v->systems = apr_hash_make(pool);
    v->bound = apr_hash_make(pool);
    v->ready = true;
    hie_validator_bind(v);

    return v;
}


void
hie_validator_lock(hie_validator_t *v, bool on)
{
    if (v->options.lock != NULL) {
        v->options.lock(v->options.lock_baton, on);
    }
}


/* For one value at a time: what was in it before is gone. */
apr_pool_t *
hie_check_scratch(check_t *c)
{
    if (c->scratch == NULL) {
        apr_pool_create(&c->scratch, c->pool);
    } else {
        apr_pool_clear(c->scratch);
    }

    return c->scratch;
}


static const hie_issue_t *
first_error(const hie_issues_t *issues)
{
    int  i;

    for (i = 0; i < issues->n; i++) {
        if (issues->issues[i].severity <= HIE_ISSUE_ERROR) {
            return &issues->issues[i];
        }
    }

    return NULL;
}


static hie_rc_t
result(check_t *c, hie_error_t *err)
{
    char                where[160];
    const hie_issue_t  *first = first_error(c->out);
    size_t              n;

    if (first == NULL) {
        return HIE_OK;
    }

    n = first->expression.len < sizeof(where) ? first->expression.len
        : sizeof(where) - 1;
    memcpy(where, first->expression.ptr, n);
    where[n] = '\0';

    return hie_fail(err, c->invalid ? HIE_INVALID : HIE_UNPROCESSABLE, where,
                    "%.*s%s%.*s%s", HIE_PRISTR(first->rule),
                    first->rule.len > 0 ? ": " : "", HIE_PRISTR(first->text),
                    c->out->n_errors > 1 ? " (and more)" : "");
}


hie_rc_t
hie_validate(hie_validator_t *v, const hie_doc_t *d, hie_node_t n,
             const hie_validate_options_t *options, apr_pool_t *pool,
             hie_issues_t *out, hie_error_t *err)
{
    check_t  c = { 0 };
    place_t  place = { NULL, { NULL, 0 }, NO_INDEX };

    memset(out, 0, sizeof(*out));

    c.v = v;
    c.d = d;
    c.pool = pool;
    c.out = out;
    c.flags = HIE_VALIDATE_WRITE;
    c.max_issues = HIE_ISSUES_MAX;

    if (options != NULL) {
        c.flags = options->flags;
        place.name = options->expression;
        c.now = options->now;
        c.asked = options->profiles;
        c.n_asked = options->n_profiles;
        if (options->max_issues > 0) {
            c.max_issues = options->max_issues;
        }
    }

    hie_validator_ready(v, NULL);

    if (hie_doc_kind(d, n) != HIE_NODE_OBJECT) {
        hie_issue_add(&c, HIE_ISSUE_FATAL, "structure", &place, n, NULL,
                      "expected an object");
    } else {
        hie_check_resource(&c, n, false, &place);
    }

    hie_issue_finish(&c);

    if (c.scratch != NULL) {
        apr_pool_destroy(c.scratch);
    }

    return result(&c, err);
}
