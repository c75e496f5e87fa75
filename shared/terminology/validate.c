/*
 * $validate-code of ValueSet and CodeSystem (R4 section 4.9.18.2, 4.8.16.2).
 */

#include "terminology/private.h"

#include <string.h>

#include <apr_strings.h>

typedef struct {
    tx_t              *tx;
    plan_t            *plan;        /* of a value set, or NULL */
    const hie_term_t  *system;      /* of a code system, or NULL */
    bool               abstract;    /* abstract codes are valid too */
    bool               result;
    hie_str_t          display;
    hie_buf_t          message;
} validate_t;


static void
say(validate_t *v, const char *text)
{
    if (v->message.len > 0) {
        hie_buf_addz(&v->message, "; ");
    }

    hie_buf_addz(&v->message, text);
}


#define SAY(v, ...)  say(v, apr_psprintf((v)->tx->pool, __VA_ARGS__))


/* An error that says that something is not known makes the code not valid;
 * every other one ends the operation. */
static hie_rc_t
pardon(validate_t *v, hie_rc_t rc)
{
    if (rc == HIE_UNPROCESSABLE && v->tx->issue != NULL
        && strcmp(v->tx->issue, "not-found") == 0)
    {
        SAY(v, "the code cannot be judged: %s", v->tx->err->detail);
        return HIE_OK;
    }

    return rc;
}


/* What is wrong with a code that is not in the value set. */
static hie_rc_t
explain(validate_t *v, const coding_t *c)
{
    const hie_term_t  *t = NULL;
    hie_rc_t           rc;
    bool               known = true;

    if (v->plan != NULL && c->system.len > 0) {
        rc = hie_tx_system(v->tx, c->system, c->version, &t);

        if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
            return rc;
        }

        known = t == NULL || t->system.content != CONTENT_COMPLETE
                || hie_system_find(t, c->code) != NO_CONCEPT;
    }

    if (v->plan == NULL || !known) {
        SAY(v, "the code \"%.*s\" is not known in the code system %.*s",
            HIE_PRISTR(c->code),
            HIE_PRISTR(t != NULL ? t->canonical : c->system));
    }

    if (v->plan != NULL) {
        SAY(v, "the code \"%.*s\"%s%.*s is not in the value set %.*s",
            HIE_PRISTR(c->code), c->system.len > 0 ? " of " : "",
            HIE_PRISTR(c->system), HIE_PRISTR(v->plan->term->canonical));
    }

    return HIE_OK;
}


/* The code is there; is it as it should be? */
static void
judge(validate_t *v, const coding_t *c, const member_t *m)
{
    v->display = hie_member_display(v->tx, m);
    v->result = true;

    if ((m->flags & CONCEPT_ABSTRACT) && !v->abstract) {
        v->result = false;
        SAY(v, "the code \"%.*s\" is abstract and cannot be chosen",
            HIE_PRISTR(c->code));
    }

    if (m->flags & CONCEPT_INACTIVE) {
        SAY(v, "the code \"%.*s\" is inactive", HIE_PRISTR(c->code));
    }

    if (c->display.len == 0) {
        return;
    }

    if (v->display.len == 0) {
        SAY(v, "no display of the code \"%.*s\" is known, so that the one "
            "given was not checked", HIE_PRISTR(c->code));

    } else if (!hie_member_is_called(v->tx, m, c->display)) {
        v->result = false;
        SAY(v, "\"%.*s\" is no display of the code \"%.*s\", which is called "
            "\"%.*s\"", HIE_PRISTR(c->display), HIE_PRISTR(c->code),
            HIE_PRISTR(v->display));
    }
}


static hie_rc_t
in_system(validate_t *v, const coding_t *c, member_t *m, bool *is)
{
    tx_t              *tx = v->tx;
    hie_term_answer_t  answer = HIE_TERM_UNKNOWN;

    *is = false;

    if (v->system != NULL) {
        m->concept = hie_system_find(v->system, c->code);
        m->term = v->system;
        m->system = v->system->url;
        *is = m->concept != NO_CONCEPT;

        if (*is) {
            m->code = v->system->system.concepts[m->concept].code;
            m->flags = v->system->system.concepts[m->concept].flags;
        }
    }

    if (*is || (v->system != NULL
                && v->system->system.content == CONTENT_COMPLETE))
    {
        return HIE_OK;
    }

    if (tx->source->grammar != NULL) {
        answer = tx->source->grammar(tx->source->baton, c->system, c->code);
    }

    *is = answer == HIE_TERM_IN;

    return answer != HIE_TERM_UNKNOWN ? HIE_OK
           : hie_tx_fail(tx, HIE_UNPROCESSABLE, "not-found",
                         "the code system %.*s is not known, or not "
                         "completely", HIE_PRISTR(c->system));
}


static hie_rc_t
check(validate_t *v, coding_t *c)
{
    member_t  m;
    hie_rc_t  rc;
    bool      is;

    memset(&m, 0, sizeof(m));
    m.system = c->system.len > 0 ? c->system : HIE_STR_NONE;
    m.code = c->code;
    m.concept = NO_CONCEPT;

    rc = v->plan != NULL ? hie_plan_has(v->tx, v->plan, &m, &is)
                         : in_system(v, c, &m, &is);

    if (rc != HIE_OK) {
        return pardon(v, rc);
    }

    if (!is) {
        return explain(v, c);
    }

    judge(v, c, &m);

    return HIE_OK;
}


/* One coding that is valid is enough (R4: codeableConcept). What was said of
 * the others is kept for the message only if there is none. */
static hie_rc_t
check_all(validate_t *v, coding_t *codings, uint32_t n)
{
    hie_rc_t  rc;
    uint32_t  i;
    size_t    before;

    for (i = 0; i < n; i++) {
        before = v->message.len;
        rc = check(v, &codings[i]);

        if (rc != HIE_OK) {
            return rc;
        }

        if (v->result) {
            memmove(v->message.ptr, v->message.ptr + before,
                    v->message.len - before);
            v->message.len -= before;

            if (before > 0 && hie_str_starts(hie_buf_str(&v->message), "; ")) {
                memmove(v->message.ptr, v->message.ptr + 2,
                        v->message.len - 2);
                v->message.len -= 2;
            }

            return HIE_OK;
        }
    }

    if (n == 0) {
        SAY(v, "there is no coding with a code");
    }

    return HIE_OK;
}


static void
put_result(validate_t *v, hie_buf_t *b)
{
    hie_buf_init(b, v->tx->pool, 256);
    hie_buf_addz(b, "{\"resourceType\":\"Parameters\",\"parameter\":[");
    hie_out_parameter(b, "result", "Boolean",
                      v->result ? HIE_STR("true") : HIE_STR("false"));
    hie_out_parameter(b, "message", "String", hie_buf_str(&v->message));
    hie_out_parameter(b, "display", "String", v->display);
    hie_buf_addz(b, "]}");
}


/* Abstract codes are valid unless the client says otherwise. */
static hie_rc_t
begin(validate_t *v, tx_t *tx, const hie_term_request_t *r, hie_error_t *err)
{
    static const char *const  refused[] = { "context", "date", NULL };
    hie_rc_t                  rc = hie_in_begin(tx, r, refused, err);

    memset(v, 0, sizeof(*v));
    v->tx = tx;
    hie_buf_init(&v->message, r->pool, 256);

    if (rc == HIE_OK) {
        rc = hie_in_bool(tx, r, "abstract", &v->abstract);
        v->abstract = v->abstract || hie_in_text(r, "abstract").len == 0;
    }

    return rc;
}


/* A version of the source data holds where the value set states none. */
static void
take_versions(tx_t *tx, const coding_t *codings, uint32_t n)
{
    uint32_t  i;

    tx->fallback = apr_array_copy(tx->pool, tx->fallback);

    for (i = 0; i < n; i++) {
        if (codings[i].system.len > 0 && codings[i].version.len > 0) {
            APR_ARRAY_PUSH(tx->fallback, hie_str_t) =
                hie_tx_canonical(tx->pool, codings[i].system,
                                 codings[i].version);
        }
    }
}


static hie_rc_t
validate_in_set(validate_t *v, const hie_term_request_t *r)
{
    tx_t              *tx = v->tx;
    const hie_term_t  *term;
    coding_t          *codings;
    hie_str_t          url = hie_in_text(r, "url");
    hie_rc_t           rc;
    uint32_t           n, i;

    rc = hie_in_codings(tx, r, "systemVersion", &codings, &n);

    if (rc == HIE_OK) {
        rc = hie_in_term(tx, r, HIE_TERM_VALUE_SET, "valueSet", &term);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    if (term == NULL && url.len == 0) {
        return hie_tx_fail(tx, HIE_INVALID, "required",
                           "expected one of the parameters url and valueSet");
    }

    take_versions(tx, codings, n);

    rc = term != NULL ? hie_plan_of(tx, term, &v->plan)
         : hie_plan_find(tx, url, hie_in_text(r, "valueSetVersion"), NULL,
                         &v->plan);

    if (rc != HIE_OK) {
        return rc;
    }

    term = v->plan->term;

    for (i = 0; i < term->set.n_supplements && rc == HIE_OK; i++) {
        rc = hie_tx_supplement(tx, term->set.supplements[i]);
    }

    return rc == HIE_OK ? check_all(v, codings, n) : rc;
}


hie_rc_t
hie_term_validate_value_set(const hie_term_request_t *r, hie_str_t *out,
                            hie_error_t *err)
{
    tx_t        tx;
    validate_t  v;
    hie_buf_t   b;
    hie_rc_t    rc = begin(&v, &tx, r, err);

    if (rc == HIE_OK) {
        rc = validate_in_set(&v, r);
    }

    if (rc == HIE_OK) {
        put_result(&v, &b);
    }

    return hie_in_end(&tx, rc, &b, out);
}


/* Is each coding of the system that was asked for? Others are left out. */
static hie_rc_t
keep_system(tx_t *tx, hie_str_t url, coding_t *codings, uint32_t *n)
{
    uint32_t  i, kept = 0;

    for (i = 0; i < *n; i++) {
        if (codings[i].system.len == 0) {
            codings[i].system = url;
        }

        if (url.len == 0 || hie_str_eq(codings[i].system, url)) {
            codings[kept++] = codings[i];
        }
    }

    if (kept == 0 && *n > 0) {
        return hie_tx_fail(tx, HIE_INVALID, "invalid",
                           "the system of the coding is not the code system "
                           "%.*s", HIE_PRISTR(url));
    }

    *n = kept;

    return HIE_OK;
}


static hie_rc_t
check_in_systems(validate_t *v, const hie_term_request_t *r, hie_str_t url,
                 const hie_term_t *term, coding_t *codings, uint32_t n)
{
    tx_t      *tx = v->tx;
    hie_str_t  version = hie_in_text(r, "version");
    hie_rc_t   rc = HIE_OK;
    uint32_t   i;

    for (i = 0; i < n && rc == HIE_OK && !v->result; i++) {
        v->system = term;

        if (term == NULL) {
            rc = hie_tx_system(tx, codings[i].system,
                               codings[i].version.len > 0
                               ? codings[i].version : version, &v->system);
        }

        /* R4: the server must know the system that the request names */
        if (rc == HIE_NOT_FOUND && url.len > 0
            && (tx->source->grammar == NULL
                || tx->source->grammar(tx->source->baton, url,
                                       codings[i].code) == HIE_TERM_UNKNOWN))
        {
            return hie_tx_fail(tx, HIE_NOT_FOUND, "not-found",
                               "the code system %.*s is not known",
                               HIE_PRISTR(hie_tx_canonical(tx->pool, url,
                                                           version)));
        }

        rc = rc == HIE_OK || rc == HIE_NOT_FOUND
             ? check_all(v, &codings[i], 1) : rc;
    }

    return n == 0 ? check_all(v, codings, 0) : rc;
}


static hie_rc_t
validate_in_system(validate_t *v, const hie_term_request_t *r)
{
    tx_t              *tx = v->tx;
    const hie_term_t  *term;
    coding_t          *codings;
    hie_str_t          url = hie_in_text(r, "url");
    hie_rc_t           rc;
    uint32_t           n;

    rc = hie_in_codings(tx, r, "version", &codings, &n);

    if (rc == HIE_OK) {
        rc = hie_in_term(tx, r, HIE_TERM_CODE_SYSTEM, "codeSystem", &term);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    url = term != NULL ? term->url : url;

    if (term == NULL && url.len == 0 && (n == 0 || codings[0].system.len == 0))
    {
        return hie_tx_fail(tx, HIE_INVALID, "required",
                           "expected one of the parameters url and "
                           "codeSystem, or a coding with a system");
    }

    rc = keep_system(tx, url, codings, &n);

    return rc == HIE_OK ? check_in_systems(v, r, url, term, codings, n) : rc;
}


hie_rc_t
hie_term_validate_system(const hie_term_request_t *r, hie_str_t *out,
                         hie_error_t *err)
{
    tx_t        tx;
    validate_t  v;
    hie_buf_t   b;
    hie_rc_t    rc = begin(&v, &tx, r, err);

    if (rc == HIE_OK) {
        rc = validate_in_system(&v, r);
    }

    if (rc == HIE_OK) {
        put_result(&v, &b);
    }

    return hie_in_end(&tx, rc, &b, out);
}
