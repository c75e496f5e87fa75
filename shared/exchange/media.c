/*
 * In which form: media types of the body and of the answer (FHIR R4 section
 * 3.1.0.1.11, RFC 9110 section 12), and the parameters that say how much of a
 * resource is wanted (3.1.1.5.8, 3.1.1.5.9).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"
#include "xml/xml.h"

#define UTF8  "; charset=utf-8"
#define R4    "; fhirVersion=4.0"

/* Weight in thousandths (RFC 9110 section 12.4.2). */
#define Q_MAX  1000

/* A media type, or in Accept a range of them. */
typedef struct {
    hie_str_t  type;             /* "application/fhir+json", "text/", "" */
    bool       version;          /* it names fhirVersion */
    bool       served;           /* its parameters are ours */
    int        q;
} range_t;

/* What is served, the preferred first. A general type is answered as such,
 * an old name of FHIR's own as the present one. */
static const struct {
    const char  *type;
    const char  *answer;
    const char  *answer_version;
    bool         xml;
} served[] = {
    { "application/fhir+json", HIE_FHIR_JSON,
      "application/fhir+json" R4 UTF8, false },
    { "application/json", "application/json" UTF8,
      "application/json" R4 UTF8, false },
    { "text/json", "text/json" UTF8, "text/json" R4 UTF8, false },
    { "application/json+fhir", HIE_FHIR_JSON,
      "application/fhir+json" R4 UTF8, false },
    { "application/fhir+xml", "application/fhir+xml" UTF8,
      "application/fhir+xml" R4 UTF8, true },
    { "application/xml", "application/xml" UTF8, "application/xml" R4 UTF8,
      true },
    { "text/xml", "text/xml" UTF8, "text/xml" R4 UTF8, true },
    { "application/xml+fhir", "application/fhir+xml" UTF8,
      "application/fhir+xml" R4 UTF8, true }
};

#define N_SERVED  ((int) (sizeof(served) / sizeof(served[0])))


/*
 * Media types.
 */

static int
find_served(hie_str_t type)
{
    int  i;

    for (i = 0; i < N_SERVED; i++) {
        if (hie_str_ieqz(type, served[i].type)) {
            return i;
        }
    }

    return -1;
}


/* A weight, -1 if it is none. */
static int
parse_q(hie_str_t s)
{
    int     q, unit;
    size_t  i;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1')
        || (s.len > 1 && s.ptr[1] != '.'))
    {
        return -1;
    }

    q = (s.ptr[0] - '0') * Q_MAX;
    for (i = 2, unit = Q_MAX / 10; i < s.len; i++, unit /= 10) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return -1;
        }
        q += (s.ptr[i] - '0') * unit;
    }

    return q <= Q_MAX ? q : -1;
}


static hie_str_t
unquote(hie_str_t s)
{
    s = hie_str_trim(s);
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"') {
        s.ptr++;
        s.len -= 2;
    }

    return s;
}


/* type/subtype;name=value;… What comes after a weight is none of ours. */
static range_t
parse_range(hie_str_t s)
{
    range_t    r = { .served = true, .q = Q_MAX };
    hie_str_t  one, name, value;

    r.type = hie_str_trim(hie_str_split(s, ';', &s));

    while (s.ptr != NULL) {
        one = hie_str_split(s, ';', &s);
        name = hie_str_trim(hie_str_split(one, '=', &value));
        value = unquote(value);

        if (hie_str_ieqz(name, "q")) {
            r.q = parse_q(value);
            break;
        }

        if (hie_str_ieqz(name, "charset")) {
            r.served &= hie_str_ieqz(value, "utf-8")
                        || hie_str_ieqz(value, "utf8");

        } else if (hie_str_ieqz(name, "fhirVersion")) {
            r.version = true;
            r.served &= hie_str_eqz(value, "4.0")
                        || hie_str_eqz(value, "4.0.1");
        }
    }

    return r;
}


/* How exactly a range means a type: 0 if not at all. */
static int
specificity(const range_t *r, const char *type)
{
    if (hie_str_eqz(r->type, "*/*")) {
        return 1;
    }

    if (r->type.len > 2 && r->type.ptr[r->type.len - 1] == '*'
        && r->type.ptr[r->type.len - 2] == '/')
    {
        return strncmp(type, r->type.ptr, r->type.len - 1) == 0 ? 2 : 0;
    }

    return hie_str_ieqz(r->type, type) ? 3 + r->version : 0;
}


/*
 * The answer's type. Of what is served the one with the highest weight; of
 * equals the one that was named more exactly, then the one preferred here.
 * Each has the weight of the range that means it most exactly (RFC 9110
 * section 12.5.1).
 */
typedef struct {
    int   exact;
    int   q;
    bool  version;
} weight_t;


static void
weigh(weight_t *weights, hie_str_t accept)
{
    int        i, exact;
    range_t    r;
    hie_str_t  one;

    while (accept.ptr != NULL) {
        one = hie_str_trim(hie_str_split(accept, ',', &accept));
        r = parse_range(one);
        if (one.len == 0 || !r.served || r.q < 0) {
            continue;
        }

        for (i = 0; i < N_SERVED; i++) {
            exact = specificity(&r, served[i].type);
            if (exact > weights[i].exact
                || (exact > 0 && exact == weights[i].exact
                    && r.q > weights[i].q))
            {
                weights[i] = (weight_t) { exact, r.q, r.version };
            }
        }
    }
}


static void
choose(hie_media_t *m, int i, bool version)
{
    m->xml = served[i].xml;
    m->type = version ? served[i].answer_version : served[i].answer;
}


/* By all Accept headers together. False: nothing that is served. */
static bool
by_accept(const hie_request_t *r, hie_media_t *m)
{
    int       i, best;
    bool      any;
    weight_t  weights[N_SERVED];

    memset(weights, 0, sizeof(weights));
    for (i = 0, any = false; i < r->n_headers; i++) {
        if (hie_str_ieqz(r->headers[i].name, "Accept")
            && r->headers[i].value.len > 0)
        {
            any = true;
            weigh(weights, r->headers[i].value);
        }
    }

    if (!any) {
        return true;
    }

    for (i = 1, best = 0; i < N_SERVED; i++) {
        if (weights[i].q > weights[best].q
            || (weights[i].q == weights[best].q
                && weights[i].exact > weights[best].exact))
        {
            best = i;
        }
    }

    if (weights[best].q == 0) {
        return false;
    }

    choose(m, best, weights[best].version);
    return true;
}


/* By _format, which has precedence: a short name or a media type. The plus
 * sign is often sent as it is, which in a query means a blank. */
static bool
by_format(apr_pool_t *pool, hie_str_t format, hie_media_t *m)
{
    int       i;
    char     *type, *p;
    range_t   r;

    r = parse_range(format);
    if (hie_str_ieqz(r.type, "json") || hie_str_ieqz(r.type, "xml")) {
        i = find_served(hie_str_ieqz(r.type, "xml")
                        ? HIE_STR("application/fhir+xml")
                        : HIE_STR("application/fhir+json"));

    } else {
        type = hie_str_z(pool, r.type);
        for (p = type; (p = strchr(p, ' ')) != NULL; /* void */) {
            *p = '+';
        }

        i = find_served(hie_str(type));
    }

    if (i < 0 || !r.served) {
        return false;
    }

    choose(m, find_served(served[i].xml ? HIE_STR("application/fhir+xml")
                                        : HIE_STR("application/fhir+json")),
           r.version);
    return true;
}


bool
hie_request_is_fhir(hie_str_t media)
{
    range_t  r = parse_range(media);

    return find_served(r.type) >= 0 || hie_str_ieqz(r.type, "json")
           || hie_str_ieqz(r.type, "xml");
}


/*
 * Parameters.
 */

/* The next value of a parameter in what is left of a query, ptr NULL if there
 * is none. */
static hie_str_t
next_value(apr_pool_t *pool, const char *wanted, hie_str_t *rest)
{
    hie_str_t  pair, name, value;

    while (rest->ptr != NULL) {
        pair = hie_str_split(*rest, '&', rest);
        name = hie_str_split(pair, '=', &value);
        if (hie_str_eqz(name, wanted) && value.len > 0
            && hie_url_decode(pool, value, true, &value))
        {
            return value;
        }
    }

    return HIE_STR_NONE;
}


/* The first one. */
static hie_str_t
parameter(apr_pool_t *pool, hie_str_t query, const char *wanted)
{
    return next_value(pool, wanted, &query);
}


static hie_str_t
query_of(const hie_job_t *job)
{
    return job->todo.query.ptr != NULL ? job->todo.query
                                       : job->request.query;
}


hie_str_t
hie_request_format(hie_job_t *job)
{
    /* Within an answer there is no other form than its own. */
    return job->entry ? HIE_STR_NONE
                      : parameter(job->pool, query_of(job), "_format");
}


/* All lists of _elements as one, ptr NULL if there is none. */
static hie_str_t
elements(apr_pool_t *pool, hie_str_t query)
{
    hie_buf_t  b;
    hie_str_t  first, more;

    first = next_value(pool, "_elements", &query);
    more = next_value(pool, "_elements", &query);
    if (more.ptr == NULL) {
        return first;
    }

    hie_buf_init(&b, pool, first.len + more.len + 2);
    hie_buf_adds(&b, first);
    for ( ; more.ptr != NULL; more = next_value(pool, "_elements", &query)) {
        hie_buf_addc(&b, ',');
        hie_buf_adds(&b, more);
    }

    return hie_buf_str(&b);
}


/* Where _summary=count has a meaning. */
static bool
counts(hie_do_t what)
{
    switch (what) {
    case HIE_DO_SEARCH:
    case HIE_DO_SEARCH_SYSTEM:
    case HIE_DO_SEARCH_COMPARTMENT:
    case HIE_DO_HISTORY:
    case HIE_DO_HISTORY_TYPE:
    case HIE_DO_HISTORY_SYSTEM:
        return true;

    default:
        return false;
    }
}


hie_rc_t
hie_request_part(hie_job_t *job, hie_str_t query)
{
    hie_str_t     summary;
    hie_media_t  *m = &job->media;

    m->pretty = hie_str_eqz(parameter(job->pool, query, "_pretty"), "true");
    m->subset.elements = elements(job->pool, query);

    summary = parameter(job->pool, query, "_summary");
    if (hie_str_eqz(summary, "true")) {
        m->subset.summary = HIE_SUMMARY_TRUE;
    } else if (hie_str_eqz(summary, "text")) {
        m->subset.summary = HIE_SUMMARY_TEXT;
    } else if (hie_str_eqz(summary, "data")) {
        m->subset.summary = HIE_SUMMARY_DATA;
    } else if (summary.ptr != NULL && !hie_str_eqz(summary, "false")
               && !(hie_str_eqz(summary, "count") && counts(job->todo.what)))
    {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "\"%.*s\" is no value of _summary here",
                        HIE_PRISTR(summary));
    }

    if (m->subset.summary != 0 && m->subset.elements.ptr != NULL) {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "expected one of _summary and _elements, not both");
    }

    return HIE_OK;
}


static hie_rc_t
check_body(hie_job_t *job)
{
    range_t  r;

    r = parse_range(hie_request_header(&job->request, "Content-Type"));
    if (find_served(r.type) < 0 || !r.served) {
        return hie_fail(&job->error, HIE_UNSUPPORTED, "",
                        "the body must be sent as application/fhir+json or "
                        "application/fhir+xml, in UTF-8, of FHIR version "
                        "4.0");
    }

    return HIE_OK;
}


static hie_rc_t
negotiate(hie_job_t *job)
{
    bool          good;
    hie_str_t     format;
    hie_media_t  *m = &job->media;

    memset(m, 0, sizeof(*m));
    m->known = true;
    m->type = HIE_FHIR_JSON;

    format = hie_request_format(job);
    good = format.ptr != NULL ? by_format(job->pool, format, m)
                              : by_accept(&job->request, m);
    if (!good) {
        return hie_fail(&job->error, HIE_NOT_ACCEPTABLE, "",
                        "this server answers in application/fhir+json and "
                        "application/fhir+xml, of FHIR version 4.0");
    }

    return HIE_OK;
}


/* An operation may do without one. */
static bool
has_fhir_body(const hie_job_t *job)
{
    const hie_request_t  *r = &job->request;

    if (job->todo.what == HIE_DO_OPERATION) {
        return hie_str_eqz(r->method, "POST")
               && (r->body.len > 0 || r->body_file != -1);
    }

    return hie_interaction(job->todo.what)->body;
}


hie_rc_t
hie_request_media(hie_job_t *job)
{
    hie_rc_t  rc;

    rc = negotiate(job);
    if (hie_binary_is_read(job) && !hie_binary_wants_document(job)) {
        rc = HIE_OK;             /* it is answered as what it is */
    }

    if (rc == HIE_OK) {
        rc = hie_request_part(job, query_of(job));
    }

    if (rc == HIE_OK && has_fhir_body(job) && !hie_binary_is_raw(job)) {
        rc = check_body(job);
    }

    return rc;
}


const hie_media_t *
hie_request_answer(hie_job_t *job)
{
    hie_error_t  err;

    if (!job->media.known) {
        err = job->error;
        negotiate(job);
        job->error = err;
    }

    return &job->media;
}


/* XML becomes JSON here, and nobody further on knows of it. */
hie_rc_t
hie_media_body(hie_job_t *job, hie_str_t *body)
{
    int      i;
    range_t  r;

    r = parse_range(hie_request_header(&job->request, "Content-Type"));
    i = find_served(r.type);
    if (i < 0 || !served[i].xml) {
        if (!job->entry) {
            job->sent = *body;
        }

        return HIE_OK;
    }

    return hie_xml_to_json(job->pool, *body, job->rt->config->fhir.max_depth,
                           hie_request_strict(job) ? HIE_XML_LOSSLESS : 0,
                           body, &job->error);
}
