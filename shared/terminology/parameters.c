/*
 * What operations are asked, and how they end.
 */

#include "terminology/private.h"

#include <string.h>

#include <apr_strings.h>


hie_rc_t
hie_term_parameters(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n,
                    const hie_term_parameter_t **out, size_t *count,
                    hie_error_t *err)
{
    hie_node_t             list = hie_doc_member(d, n, "parameter"), c, v;
    hie_term_parameter_t  *p;
    hie_str_t              type;
    uint32_t               size = hie_doc_count(d, list);

    *out = NULL;
    *count = 0;

    if (!hie_str_eqz(hie_doc_get(d, n, "resourceType", pool), "Parameters")
        || (list != HIE_NODE_NONE
            && hie_doc_kind(d, list) != HIE_NODE_ARRAY))
    {
        return hie_fail(err, HIE_INVALID, "", "expected Parameters");
    }

    if (size > HIE_TERM_PARAMETERS_MAX) {
        return hie_fail(err, HIE_INVALID, "Parameters.parameter",
                        "more than %d", HIE_TERM_PARAMETERS_MAX);
    }

    *out = p = apr_pcalloc(pool, (size + 1) * sizeof(*p));

    for (c = hie_doc_first(d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c), p++)
    {
        p->name = hie_doc_get(d, c, "name", pool);

        if (p->name.len == 0) {
            return hie_fail(err, HIE_INVALID, "Parameters.parameter.name",
                            "a parameter without a name");
        }

        v = hie_make_value(d, c, pool, &type);

        if (v == HIE_NODE_NONE) {
            v = hie_doc_member(d, c, "resource");
        }

        if (v == HIE_NODE_NONE || hie_doc_kind(d, v) == HIE_NODE_OBJECT) {
            p->doc = d;
            p->node = v != HIE_NODE_NONE ? v : c;

        } else {
            p->value = hie_doc_kind(d, v) == HIE_NODE_STRING
                       ? hie_doc_string(d, v, pool) : hie_doc_raw(d, v);
        }

        ++*count;
    }

    return HIE_OK;
}


const hie_term_parameter_t *
hie_in_find(const hie_term_request_t *r, const char *name)
{
    size_t  i;

    for (i = 0; i < r->n_parameters; i++) {
        if (hie_str_eqz(r->parameters[i].name, name)) {
            return &r->parameters[i];
        }
    }

    return NULL;
}


hie_str_t
hie_in_text(const hie_term_request_t *r, const char *name)
{
    const hie_term_parameter_t  *p = hie_in_find(r, name);

    return p != NULL ? p->value : HIE_STR_NONE;
}


hie_rc_t
hie_in_bool(tx_t *tx, const hie_term_request_t *r, const char *name,
            bool *out)
{
    hie_str_t  value = hie_in_text(r, name);

    *out = hie_str_eqz(value, "true");

    if (value.len > 0 && !*out && !hie_str_eqz(value, "false")) {
        return hie_tx_fail(tx, HIE_INVALID, "invalid",
                           "the parameter %s is true or false", name);
    }

    return HIE_OK;
}


hie_rc_t
hie_in_count(tx_t *tx, const hie_term_request_t *r, const char *name,
             int64_t *out)
{
    hie_str_t  value = hie_in_text(r, name);
    uint64_t   v;

    *out = -1;

    if (value.len == 0) {
        return HIE_OK;
    }

    if (!hie_str_u64(value, &v) || v > INT32_MAX) {
        return hie_tx_fail(tx, HIE_INVALID, "invalid",
                           "the parameter %s is a number that is not "
                           "negative", name);
    }

    *out = (int64_t) v;

    return HIE_OK;
}


apr_array_header_t *
hie_in_texts(const hie_term_request_t *r, const char *name, apr_pool_t *pool)
{
    apr_array_header_t  *out = apr_array_make(pool, 2, sizeof(hie_str_t));
    size_t               i;

    for (i = 0; i < r->n_parameters; i++) {
        if (hie_str_eqz(r->parameters[i].name, name)
            && r->parameters[i].value.len > 0)
        {
            APR_ARRAY_PUSH(out, hie_str_t) = r->parameters[i].value;
        }
    }

    return out;
}


coding_t
hie_in_coding(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool)
{
    coding_t  c;

    c.system = hie_doc_get(d, n, "system", pool);
    c.version = hie_doc_get(d, n, "version", pool);
    c.code = hie_doc_get(d, n, "code", pool);
    c.display = hie_doc_get(d, n, "display", pool);

    return c;
}


static uint32_t
codings_of(const hie_term_parameter_t *p, apr_pool_t *pool, coding_t **out)
{
    hie_node_t  list = hie_doc_member(p->doc, p->node, "coding"), c;
    uint32_t    n = 0;

    *out = apr_pcalloc(pool, (hie_doc_count(p->doc, list) + 1)
                             * sizeof(**out));

    for (c = hie_doc_first(p->doc, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(p->doc, c))
    {
        (*out)[n] = hie_in_coding(p->doc, c, pool);
        n += (*out)[n].code.len > 0;
    }

    return n;
}


hie_rc_t
hie_in_codings(tx_t *tx, const hie_term_request_t *r, const char *version,
               coding_t **out, uint32_t *n)
{
    const hie_term_parameter_t  *p;
    coding_t                    *c;

    *n = 1;
    p = hie_in_find(r, "codeableConcept");

    if (p != NULL && p->doc != NULL) {
        *n = codings_of(p, tx->pool, out);
        return HIE_OK;
    }

    *out = c = apr_pcalloc(tx->pool, sizeof(*c));
    p = hie_in_find(r, "coding");

    if (p != NULL && p->doc != NULL) {
        *c = hie_in_coding(p->doc, p->node, tx->pool);

    } else {
        c->code = hie_in_text(r, "code");
        c->system = hie_in_text(r, "system");
        c->version = hie_in_text(r, version);
        c->display = hie_in_text(r, "display");
    }

    if (c->code.len == 0) {
        return hie_tx_fail(tx, HIE_INVALID, "required",
                           "expected one of the parameters code, coding and "
                           "codeableConcept, with a code");
    }

    return HIE_OK;
}


hie_rc_t
hie_in_term(tx_t *tx, const hie_term_request_t *r, hie_term_kind_t kind,
            const char *name, const hie_term_t **out)
{
    static const char *const     types[] = {
        [HIE_TERM_CODE_SYSTEM] = "CodeSystem",
        [HIE_TERM_VALUE_SET] = "ValueSet",
        [HIE_TERM_CONCEPT_MAP] = "ConceptMap"
    };
    const hie_term_parameter_t  *p = hie_in_find(r, name);
    hie_rc_t                     rc;

    *out = r->instance;

    if (p == NULL || p->doc == NULL || *out != NULL) {
        return HIE_OK;
    }

    rc = hie_term_compile(tx->pool, p->doc, p->node, out, tx->err);

    if (rc != HIE_OK) {
        tx->issue = hie_rc_issue(rc);
        return rc;
    }

    if ((*out)->kind != kind) {
        return hie_tx_fail(tx, HIE_INVALID, "invalid",
                           "the parameter %s is a %s", name, types[kind]);
    }

    return HIE_OK;
}


/* What a client brings with its request counts before what is stored. */
static hie_rc_t
take_resources(tx_t *tx, const hie_term_request_t *r)
{
    const hie_term_parameter_t  *p;
    const hie_term_t            *t;
    hie_term_set_t              *set = NULL;
    hie_rc_t                     rc;
    size_t                       i;

    for (i = 0; i < r->n_parameters; i++) {
        p = &r->parameters[i];

        if (!hie_str_eqz(p->name, "tx-resource") || p->doc == NULL) {
            continue;
        }

        rc = hie_term_compile(tx->pool, p->doc, p->node, &t, tx->err);

        if (rc != HIE_OK) {
            tx->issue = hie_rc_issue(rc);
            return rc;
        }

        if (set == NULL) {
            set = hie_term_set_create(tx->pool, tx->source);
        }

        hie_term_set_add(set, t);
    }

    if (set != NULL) {
        tx->source = hie_term_set_source(set);
    }

    return HIE_OK;
}


hie_rc_t
hie_tx_supplement(tx_t *tx, hie_str_t canonical)
{
    const hie_term_t  *t;
    hie_rc_t           rc = hie_tx_find(tx, HIE_TERM_CODE_SYSTEM, canonical,
                                        HIE_STR_NONE, &t);

    if (rc == HIE_NOT_FOUND
        || (rc == HIE_OK && t->system.content != CONTENT_SUPPLEMENT))
    {
        return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-found",
                           "the supplement %.*s is not known",
                           HIE_PRISTR(canonical));
    }

    if (rc == HIE_OK) {
        APR_ARRAY_PUSH(tx->supplements, const hie_term_t *) = t;
    }

    return rc;
}


hie_rc_t
hie_in_begin(tx_t *tx, const hie_term_request_t *r,
             const char *const *refused, hie_error_t *err)
{
    apr_array_header_t  *supplements;
    hie_rc_t             rc;
    int                  i;

    hie_tx_init(tx, r->pool, r->source, r->limits.steps, err);

    for (; *refused != NULL; refused++) {
        if (hie_in_find(r, *refused) != NULL) {
            return hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-supported",
                               "the parameter %s is not supported", *refused);
        }
    }

    tx->language = hie_in_text(r, "displayLanguage");
    tx->fallback = hie_in_texts(r, "system-version", r->pool);
    tx->check = hie_in_texts(r, "check-system-version", r->pool);
    tx->force = hie_in_texts(r, "force-system-version", r->pool);
    tx->without = hie_in_texts(r, "exclude-system", r->pool);

    rc = take_resources(tx, r);
    supplements = hie_in_texts(r, "useSupplement", r->pool);

    for (i = 0; rc == HIE_OK && i < supplements->nelts; i++) {
        rc = hie_tx_supplement(tx, APR_ARRAY_IDX(supplements, i, hie_str_t));
    }

    return rc;
}


hie_rc_t
hie_in_end(tx_t *tx, hie_rc_t rc, hie_buf_t *b, hie_str_t *out)
{
    hie_buf_t  o;

    if (rc == HIE_OK) {
        *out = hie_buf_str(b);
        return rc;
    }

    hie_buf_init(&o, tx->pool, 256);
    hie_buf_addz(&o, "{\"resourceType\":\"OperationOutcome\",\"issue\":["
                 "{\"severity\":\"error\"");
    hie_out_text(&o, "code", hie_str(tx->issue != NULL ? tx->issue
                                                       : hie_rc_issue(rc)));
    hie_out_text(&o, "diagnostics", tx->err->where[0] == '\0'
                 ? hie_str(tx->err->detail)
                 : hie_str(apr_psprintf(tx->pool, "%s: %s", tx->err->where,
                                        tx->err->detail)));
    hie_buf_addz(&o, "}]}");
    *out = hie_buf_str(&o);

    return rc;
}
