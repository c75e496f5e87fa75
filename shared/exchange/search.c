/*
 * search (FHIR R4 section 3.1.1): parsing of the parameters, and the page.
 */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "exchange/private.h"


/* One parameter of the query string, decoded. */
typedef struct {
    hie_str_t  name;
    hie_str_t  modifier;         /* ptr NULL: none */
    hie_str_t  value;            /* not yet split at commas */
} search_param_t;

typedef struct {
    const hie_config_t  *conf;
    hie_str_t            type;
    hie_str_t            base_url;
    apr_pool_t          *pool;
    bool                 criteria_only;
    bool                 lenient;        /* what is not known is left out */
    bool                 ignored;        /* the last parameter was */
    hie_search_t        *out;
    apr_array_header_t  *tokens;         /* hie_query_token_t */
    apr_array_header_t  *strings;        /* hie_query_string_t */
    apr_array_header_t  *ids;            /* hie_str_t */
    hie_error_t         *err;
} search_t;


/* Splits at commas that are not escaped, and takes the escapes away
 * (R4 section 3.1.1.4.0.1): \, \| \$ and \\. Where the part is split again, at
 * '|', the caller does that first by `bar`. */
static apr_array_header_t *
split_values(apr_pool_t *pool, hie_str_t value)
{
    size_t               i, start;
    hie_str_t           *s;
    apr_array_header_t  *list;

    list = apr_array_make(pool, 4, sizeof(hie_str_t));
    for (i = 0, start = 0; i <= value.len; i++) {
        if (i < value.len && value.ptr[i] == '\\') {
            i++;
            continue;
        }

        if (i >= value.len || value.ptr[i] == ',') {
            s = apr_array_push(list);
            s->ptr = value.ptr + start;
            s->len = (i < value.len ? i : value.len) - start;
            start = i + 1;
        }
    }

    return list;
}


static hie_str_t
unescape(apr_pool_t *pool, hie_str_t s)
{
    char    *p;
    size_t   i, n;

    if (memchr(s.ptr, '\\', s.len) == NULL) {
        return s;
    }

    p = apr_palloc(pool, s.len + 1);
    for (i = 0, n = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len) {
            i++;
        }

        p[n++] = s.ptr[i];
    }

    return (hie_str_t) { p, n };
}


/* The place of the first '|' that is not escaped, or -1. */
static ssize_t
find_bar(hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            i++;
            continue;
        }

        if (s.ptr[i] == '|') {
            return (ssize_t) i;
        }
    }

    return -1;
}


static hie_rc_t
bad_value(search_t *s, const search_param_t *p, const char *expected)
{
    return hie_fail(s->err, HIE_INVALID, "",
                    "the value of search parameter \"%.*s\" is wrong: "
                    "expected %s", HIE_PRISTR(p->name), expected);
}


/* The form under which a token was hashed: see hie_index_t. */
static hie_rc_t
token_form(search_t *s, const search_param_t *p, hie_str_t value,
           hie_str_t *form)
{
    ssize_t    bar;
    hie_str_t  system, code;

    bar = find_bar(value);
    if (bar == -1) {
        *form = unescape(s->pool, value);
        return form->len > 0 ? HIE_OK
                             : bad_value(s, p, "[system]|[code] or [code]");
    }

    system = unescape(s->pool, (hie_str_t) { value.ptr, (size_t) bar });
    code = unescape(s->pool, (hie_str_t) { value.ptr + bar + 1,
                                           value.len - (size_t) bar - 1 });
    if (system.len == 0 && code.len == 0) {
        return bad_value(s, p, "[system]|[code], |[code] or [system]|");
    }

    *form = hie_str(apr_psprintf(s->pool, "%.*s|%.*s", HIE_PRISTR(system),
                                 HIE_PRISTR(code)));
    return HIE_OK;
}


/* A reference as it was hashed: "Type/id", or an absolute URL elsewhere. */
static hie_rc_t
reference_form(search_t *s, const search_param_t *p,
               const hie_param_t *param, hie_str_t value, hie_str_t *form)
{
    hie_str_t        target;
    hie_reference_t  ref;

    value = unescape(s->pool, value);

    target = hie_str(param->target);
    if (p->modifier.ptr != NULL) {
        target = p->modifier;
    }

    if (hie_fhir_is_id(value)) {
        if (target.len == 0) {
            return bad_value(s, p, "[type]/[id], since the parameter may "
                                   "refer to several types");
        }

        *form = hie_str(apr_psprintf(s->pool, "%.*s/%.*s",
                                     HIE_PRISTR(target), HIE_PRISTR(value)));
        return HIE_OK;
    }

    if (!hie_fhir_reference(value, s->base_url, &ref)) {
        return bad_value(s, p, "[id], [type]/[id] or a URL");
    }

    if (!ref.local) {
        *form = value;
        return HIE_OK;
    }

    if (target.len > 0 && !hie_str_eq(ref.type, target)) {
        return bad_value(s, p, "a reference to the type of the parameter");
    }

    *form = hie_str(apr_psprintf(s->pool, "%.*s/%.*s", HIE_PRISTR(ref.type),
                                 HIE_PRISTR(ref.id)));
    return HIE_OK;
}


static hie_rc_t
add_token(search_t *s, const search_param_t *p, const hie_param_t *param)
{
    int                  i;
    hie_rc_t             rc;
    hie_str_t            form;
    hie_query_token_t   *t;
    apr_array_header_t  *values;

    values = split_values(s->pool, p->value);
    t = apr_array_push(s->tokens);
    t->n = values->nelts;
    t->any = apr_palloc(s->pool, sizeof(uint64_t) * (size_t) t->n);

    for (i = 0; i < t->n; i++) {
        if (param->kind == HIE_PARAM_REFERENCE) {
            rc = reference_form(s, p, param,
                                APR_ARRAY_IDX(values, i, hie_str_t), &form);
        } else {
            rc = token_form(s, p, APR_ARRAY_IDX(values, i, hie_str_t),
                            &form);
        }

        if (rc != HIE_OK) {
            return rc;
        }

        t->any[i] = hie_fhir_token_key(s->type, param->code, form);
    }

    return HIE_OK;
}


static hie_rc_t
add_string(search_t *s, const search_param_t *p, const hie_param_t *param)
{
    int                  i;
    hie_query_string_t  *q;
    apr_array_header_t  *values;

    values = split_values(s->pool, p->value);
    q = apr_array_push(s->strings);
    q->param = param->code;
    q->n = values->nelts;
    q->any = apr_palloc(s->pool, sizeof(hie_str_t) * (size_t) q->n);
    q->match = HIE_MATCH_PREFIX;
    if (hie_str_eqz(p->modifier, "exact")) {
        q->match = HIE_MATCH_EXACT;
    } else if (hie_str_eqz(p->modifier, "contains")) {
        q->match = HIE_MATCH_CONTAINS;
    }

    for (i = 0; i < q->n; i++) {
        q->any[i] = hie_fhir_normalize(s->pool,
            unescape(s->pool, APR_ARRAY_IDX(values, i, hie_str_t)));
        if (q->any[i].len == 0) {
            return bad_value(s, p, "a text that is not empty");
        }
    }

    return HIE_OK;
}


static hie_rc_t
add_ids(search_t *s, const search_param_t *p)
{
    int                  i;
    hie_str_t            id;
    apr_array_header_t  *values;

    if (s->ids->nelts > 0) {
        return hie_fail(s->err, HIE_INVALID, "",
                        "search parameter \"_id\" is there twice");
    }

    values = split_values(s->pool, p->value);
    for (i = 0; i < values->nelts; i++) {
        id = APR_ARRAY_IDX(values, i, hie_str_t);
        if (!hie_fhir_is_id(id)) {
            return bad_value(s, p, "the id of a resource");
        }

        APR_ARRAY_PUSH(s->ids, hie_str_t) = id;
    }

    return HIE_OK;
}


static hie_rc_t
add_count(search_t *s, const search_param_t *p)
{
    uint64_t  n;

    if (!hie_str_u64(p->value, &n)) {
        return bad_value(s, p, "a number of resources");
    }

    if (n > (uint64_t) s->conf->fhir.max_count) {
        n = (uint64_t) s->conf->fhir.max_count;
    }

    s->out->query.count = (int) n;
    if (n == 0) {
        s->out->count_only = true;       /* R4 section 3.1.1.5.2 */
    }

    return HIE_OK;
}


static hie_rc_t
add_total(search_t *s, const search_param_t *p)
{
    if (hie_str_eqz(p->value, "accurate")
        || hie_str_eqz(p->value, "estimate"))
    {
        s->out->query.total = true;
        return HIE_OK;
    }

    return hie_str_eqz(p->value, "none")
           ? HIE_OK : bad_value(s, p, "none, estimate or accurate");
}


static hie_rc_t
add_summary(search_t *s, const search_param_t *p)
{
    if (hie_str_eqz(p->value, "count")) {
        s->out->count_only = true;
        return HIE_OK;
    }

    /* true, text and data are for who writes the answer: represent.c */
    return HIE_OK;
}


/* Parameters that say how, not what. HIE_NOT_FOUND: it is none. */
static hie_rc_t
add_control(search_t *s, const search_param_t *p)
{
    if (hie_str_eqz(p->name, "_format") || hie_str_eqz(p->name, "_pretty")) {
        return HIE_OK;
    }

    if (s->criteria_only) {
        return HIE_NOT_FOUND;
    }

    if (hie_str_eqz(p->name, "_count")) {
        return add_count(s, p);
    }

    if (hie_str_eqz(p->name, "_total")) {
        return add_total(s, p);
    }

    if (hie_str_eqz(p->name, "_summary")) {
        return add_summary(s, p);
    }

    if (hie_str_eqz(p->name, "_elements")) {
        return HIE_OK;
    }

    if (hie_str_eqz(p->name, "_cursor")) {
        s->out->cursor = p->value;
        return HIE_OK;
    }

    return HIE_NOT_FOUND;
}


static bool
modifier_fits(const hie_param_t *param, hie_str_t modifier)
{
    if (modifier.ptr == NULL) {
        return true;
    }

    switch (param->kind) {
    case HIE_PARAM_STRING:
        return hie_str_eqz(modifier, "exact")
               || hie_str_eqz(modifier, "contains");

    case HIE_PARAM_REFERENCE:
        return hie_fhir_is_type(modifier);

    default:
        return false;
    }
}


static hie_rc_t
add_param(search_t *s, const search_param_t *p)
{
    hie_rc_t            rc;
    const hie_param_t  *param;

    rc = add_control(s, p);
    if (rc != HIE_NOT_FOUND) {
        return rc;
    }

    if (hie_str_eqz(p->name, "_id") && p->modifier.ptr == NULL) {
        return add_ids(s, p);
    }

    param = hie_fhir_param(s->type, p->name);
    s->ignored = param == NULL && s->lenient;
    if (s->ignored) {
        return HIE_OK;
    }

    if (param == NULL) {
        return hie_fail(s->err, HIE_INVALID, "",
                        "search parameter \"%.*s\" of %.*s is not served",
                        HIE_PRISTR(p->name), HIE_PRISTR(s->type));
    }

    if (!modifier_fits(param, p->modifier)) {
        return hie_fail(s->err, HIE_INVALID, "",
                        "modifier \":%.*s\" of search parameter \"%.*s\" is "
                        "not served", HIE_PRISTR(p->modifier),
                        HIE_PRISTR(p->name));
    }

    return param->kind == HIE_PARAM_STRING ? add_string(s, p, param)
                                           : add_token(s, p, param);
}


/* One name=value of the query string. */
static hie_rc_t
parse_pair(search_t *s, hie_str_t pair)
{
    hie_str_t       name, value;
    search_param_t  p;

    name = hie_str_split(pair, '=', &value);
    if (!hie_url_decode(s->pool, name, true, &name)
        || !hie_url_decode(s->pool, value, true, &p.value))
    {
        return hie_fail(s->err, HIE_INVALID, "",
                        "the query string is not well formed: a %%-escape is "
                        "broken or is not UTF-8");
    }

    if (p.value.len == 0) {
        return HIE_OK;           /* R4 section 3.1.1.3: empty says nothing */
    }

    p.name = hie_str_split(name, ':', &p.modifier);
    return add_param(s, &p);
}


static hie_rc_t
parse_query(const hie_config_t *conf, hie_str_t type, hie_str_t query,
            hie_str_t base_url, bool criteria_only, bool lenient,
            apr_pool_t *pool, hie_search_t *out, hie_error_t *err)
{
    hie_rc_t   rc;
    search_t   s;
    hie_buf_t  rest;
    hie_str_t  pair;

    memset(out, 0, sizeof(*out));
    out->query.type = type;
    out->query.count = conf->fhir.default_count;

    s = (search_t) { conf, type, base_url, pool, criteria_only, lenient,
                     false, out,
                     apr_array_make(pool, 4, sizeof(hie_query_token_t)),
                     apr_array_make(pool, 2, sizeof(hie_query_string_t)),
                     apr_array_make(pool, 2, sizeof(hie_str_t)), err };
    hie_buf_init(&rest, pool, query.len + 1);

    while (query.ptr != NULL && query.len > 0) {
        pair = hie_str_split(query, '&', &query);
        if (pair.len == 0) {
            continue;
        }

        s.ignored = false;
        rc = parse_pair(&s, pair);
        if (rc != HIE_OK) {
            return rc;
        }

        if (!s.ignored && !hie_str_starts(pair, "_cursor=")) {
            if (rest.len > 0) {
                hie_buf_addc(&rest, '&');
            }

            hie_buf_adds(&rest, pair);
        }
    }

    out->rest = hie_buf_str(&rest);
    out->query.n_ids = s.ids->nelts;
    out->query.ids = (hie_str_t *) s.ids->elts;
    out->query.n_tokens = s.tokens->nelts;
    out->query.tokens = (hie_query_token_t *) s.tokens->elts;
    out->query.n_strings = s.strings->nelts;
    out->query.strings = (hie_query_string_t *) s.strings->elts;

    if (out->count_only) {
        out->query.count = 0;
        out->query.total = true;
    }

    return HIE_OK;
}


hie_rc_t
hie_search_parse(const hie_config_t *conf, hie_str_t type, hie_str_t query,
                 hie_str_t base_url, bool criteria_only, apr_pool_t *pool,
                 hie_search_t *out, hie_error_t *err)
{
    return parse_query(conf, type, query, base_url, criteria_only, false,
                       pool, out, err);
}


/*
 * The page.
 */

static void
add_entry(hie_buf_t *b, hie_job_t *job, const hie_row_t *row)
{
    hie_buf_addz(b, "{\"fullUrl\":");
    hie_page_full_url(b, job, row);
    hie_buf_addz(b, ",\"resource\":");
    hie_buf_adds(b, row->body);
    hie_buf_addz(b, ",\"search\":{\"mode\":\"match\"}}");
}


static hie_rc_t
searchset(hie_job_t *job, const hie_search_t *s, const hie_found_t *found,
          hie_str_t *out, hie_error_t *err)
{
    int        i;
    size_t     size;
    hie_rc_t   rc;
    hie_buf_t  b;
    hie_str_t  cursor;

    for (i = 0, size = 1024; i < found->n; i++) {
        size += found->rows[i].body.len + 256;
    }

    hie_buf_init(&b, job->pool, size);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"");
    if (found->total >= 0) {
        hie_buf_addf(&b, ",\"total\":%" APR_INT64_T_FMT,
                     (apr_int64_t) found->total);
    }

    hie_buf_addz(&b, ",\"link\":[");
    hie_page_link(&b, job, "self", job->todo.type, s->rest, s->cursor);
    if (found->next != 0) {
        rc = hie_page_seal(job, job->todo.type, s->rest, found->next,
                           &cursor, err);
        if (rc != HIE_OK) {
            return rc;
        }

        hie_buf_addc(&b, ',');
        hie_page_link(&b, job, "next", job->todo.type, s->rest, cursor);
    }

    hie_buf_addc(&b, ']');

    for (i = 0; i < found->n; i++) {
        hie_buf_addz(&b, i == 0 ? ",\"entry\":[" : ",");
        add_entry(&b, job, &found->rows[i]);
    }

    hie_buf_addz(&b, found->n > 0 ? "]}" : "}");
    *out = hie_buf_str(&b);
    return HIE_OK;
}


hie_rc_t
hie_do_search(hie_job_t *job)
{
    hie_rc_t      rc;
    hie_str_t     body;
    hie_found_t   found;
    hie_search_t  s;

    rc = parse_query(job->rt->config, job->todo.type, job->todo.query,
                     job->base_url, false, hie_request_lenient(job),
                     job->pool, &s, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (s.cursor.ptr != NULL) {
        rc = hie_page_open(job, job->todo.type, s.rest, s.cursor,
                           &s.query.after, &job->error);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = hie_store_search(job->rt->store, &job->decision->visible, &s.query,
                          job->pool, &found, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (s.query.after == 0 && found.next == 0 && !s.count_only) {
        found.total = found.n;   /* all of it is here: known for nothing */
    }

    rc = searchset(job, &s, &found, &body, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_audit_rows(job, found.rows, found.n);
    hie_respond(job, 200, body);
    return HIE_OK;
}
