/*
 * JSON Web Tokens (RFC 7519) as access tokens (RFC 9068): taken apart, and
 * their claims understood. Every byte here comes from somebody unknown.
 */

#include "access/private.h"

#include <string.h>
#include <strings.h>


#define JSON_FLAGS  JSON_REJECT_DUPLICATES


static hie_str_t
string_of(const json_t *v)
{
    if (!json_is_string(v)) {
        return HIE_STR_NONE;
    }
    return (hie_str_t) { json_string_value(v), json_string_length(v) };
}


/* One part: base64url of a JSON object, and of nothing else. */
static json_t *
load_object(hie_str_t part, apr_pool_t *pool)
{
    hie_str_t  bytes;
    json_t    *v;

    if (!hie_base64url_decode(pool, part, &bytes)) {
        return NULL;
    }
    v = json_loadb(bytes.ptr, bytes.len, JSON_FLAGS, NULL);
    if (v != NULL && !json_is_object(v)) {
        json_decref(v);
        v = NULL;
    }
    return v;
}


bool
hie_jwt_open(hie_str_t token, apr_pool_t *pool, hie_jwt_t *out,
             const char **why)
{
    hie_str_t  header, claims, signature, rest;

    memset(out, 0, sizeof(*out));
    *why = "it does not have three parts";

    header = hie_str_split(token, '.', &rest);
    claims = hie_str_split(rest, '.', &signature);
    if (header.len == 0 || claims.len == 0 || signature.len == 0
        || memchr(signature.ptr, '.', signature.len) != NULL)
    {
        return false;
    }
    out->input = (hie_str_t) { token.ptr, header.len + 1 + claims.len };

    *why = "a part of it is not base64url of a JSON object";
    if (!hie_base64url_decode(pool, signature, &out->signature)) {
        return false;
    }
    out->header = load_object(header, pool);
    out->claims = out->header != NULL ? load_object(claims, pool) : NULL;

    return out->claims != NULL;
}


void
hie_jwt_close(hie_jwt_t *jwt)
{
    json_decref(jwt->header);
    json_decref(jwt->claims);
    jwt->header = jwt->claims = NULL;
}


/* RFC 7515 section 4.1.9: the prefix "application/" may be left out. */
static bool
type_ok(hie_str_t typ)
{
    return hie_str_ieqz(typ, "at+jwt") || hie_str_ieqz(typ, "JWT")
           || hie_str_ieqz(typ, "application/at+jwt");
}


bool
hie_jwt_header_ok(const hie_jwt_t *jwt, hie_jws_alg_t alg, const char **why)
{
    const json_t  *typ = json_object_get(jwt->header, "typ");

    /* RFC 8725 section 3.1: the algorithm is the verifier's choice. */
    if (!hie_str_eqz(string_of(json_object_get(jwt->header, "alg")),
                     hie_jws_alg_name(alg)))
    {
        *why = "its algorithm is not the one of its issuer";
        return false;
    }
    /* RFC 7515 section 4.1.11: we understand no extension. */
    if (json_object_get(jwt->header, "crit") != NULL) {
        *why = "it has critical extensions";
        return false;
    }
    if (typ != NULL && !type_ok(string_of(typ))) {
        *why = "it is of another type (typ)";
        return false;
    }
    return true;
}


/* RFC 7519 section 2, NumericDate: seconds, possibly with a fraction. */
static bool
numeric_date(const json_t *v, apr_time_t *out)
{
    double  d;

    if (!json_is_number(v)) {
        return false;
    }
    d = json_number_value(v);
    if (!(d >= 0 && d <= (double) HIE_SECONDS_MAX)) {
        return false;
    }
    if (json_is_integer(v)) {
        *out = apr_time_from_sec((apr_time_t) json_integer_value(v));
    } else {
        *out = (apr_time_t) (d * APR_USEC_PER_SEC);
    }
    return true;
}


static bool
read_times(const json_t *claims, hie_principal_t *p, apr_time_t *not_before)
{
    const json_t  *nbf = json_object_get(claims, "nbf");
    const json_t  *iat = json_object_get(claims, "iat");
    apr_time_t     t;

    *not_before = 0;
    if (!numeric_date(json_object_get(claims, "exp"), &p->expires)) {
        return false;
    }
    if (nbf != NULL && !numeric_date(nbf, not_before)) {
        return false;
    }
    if (iat != NULL) {
        if (!numeric_date(iat, &t)) {
            return false;
        }
        if (t > *not_before) {
            *not_before = t;
        }
    }
    return true;
}


/* RFC 7519 section 4.1.3: a string, or an array of them. */
static bool
audience_ok(const json_t *aud, const char *audience)
{
    const json_t  *v;
    size_t         i;

    if (audience == NULL) {
        return true;
    }
    if (json_is_string(aud)) {
        return hie_str_eqz(string_of(aud), audience);
    }
    for (i = 0; i < json_array_size(aud); i++) {
        v = json_array_get(aud, i);
        if (json_is_string(v) && hie_str_eqz(string_of(v), audience)) {
            return true;
        }
    }
    return false;
}


static void
add_scopes(hie_str_t text, bool administrators, hie_principal_t *p,
           apr_pool_t *pool)
{
    hie_str_t  rest = text, one;
    size_t     i, max = 1;

    for (i = 0; i < text.len; i++) {
        max += text.ptr[i] == ' ';
    }
    p->scopes = apr_palloc(pool, max * sizeof(*p->scopes));
    p->n_scopes = 0;

    while (rest.ptr != NULL) {
        one = hie_str_split(rest, ' ', &rest);
        hie_scope_add(one, administrators, p, (int) max);
    }
}


/* "scope" (RFC 8693 section 4.2), or "scp" as several issuers write it. */
static bool
read_scopes(const json_t *claims, bool administrators, hie_principal_t *p,
            apr_pool_t *pool)
{
    const json_t  *scope = json_object_get(claims, "scope");
    const json_t  *scp = json_object_get(claims, "scp"), *v;
    hie_buf_t      text;
    size_t         i;

    if (scope == NULL) {
        scope = json_is_string(scp) ? scp : NULL;
    }
    if (scope != NULL) {
        add_scopes(string_of(scope), administrators, p, pool);
        return json_is_string(scope);
    }
    if (scp == NULL) {
        return true;
    }

    hie_buf_init(&text, pool, 0);
    for (i = 0; i < json_array_size(scp); i++) {
        v = json_array_get(scp, i);
        if (!json_is_string(v)) {
            return false;
        }
        hie_buf_adds(&text, string_of(v));
        hie_buf_addc(&text, ' ');
    }
    add_scopes(hie_buf_str(&text), administrators, p, pool);

    return json_is_array(scp);
}


static void
add_organization(hie_principal_t *p, hie_str_t s)
{
    int  i;

    for (i = 0; i < p->n_organizations; i++) {
        if (hie_str_eq(p->organizations[i], s)) {
            return;
        }
    }
    p->organizations[p->n_organizations++] = s;
}


/* One claim of an extension object: absent, or a string that says something.
 */
static bool
read_extension(const json_t *extensions, const char *object,
               const char *name, hie_principal_t *p)
{
    const json_t  *o = json_object_get(extensions, object), *v;

    if (o == NULL) {
        return true;
    }
    v = json_object_get(o, name);
    if (v == NULL) {
        return json_is_object(o);
    }
    if (!json_is_string(v) || json_string_length(v) == 0) {
        return false;
    }
    add_organization(p, string_of(v));
    return true;
}


/*
 * An organisation that is not understood is no small matter: a Consent may
 * deny that very one. So the token is refused then.
 */
static bool
read_organizations(const json_t *claims, hie_principal_t *p,
                   apr_pool_t *pool)
{
    const json_t  *list = json_object_get(claims, "organizations"), *v;
    const json_t  *extensions = json_object_get(claims, "extensions");
    size_t         i, n = json_array_size(list);

    if ((list != NULL && !json_is_array(list))
        || (extensions != NULL && !json_is_object(extensions)))
    {
        return false;
    }
    p->organizations = apr_palloc(pool, (n + 2) * sizeof(hie_str_t));
    p->n_organizations = 0;

    for (i = 0; i < n; i++) {
        v = json_array_get(list, i);
        if (!json_is_string(v) || json_string_length(v) == 0) {
            return false;
        }
        add_organization(p, string_of(v));
    }

    /* UDAP Security, section 5.2.1, and IHE IUA, section 3.71.4.2.2.1.1. */
    return read_extension(extensions, "hl7-b2b", "organization_id", p)
           && read_extension(extensions, "ihe_iua",
                             "subject_organization_id", p);
}


bool
hie_jwt_principal(const hie_jwt_t *jwt, const char *audience,
                  bool administrators, apr_pool_t *pool,
                  hie_principal_t *out, apr_time_t *not_before,
                  const char **why)
{
    const json_t  *claims = jwt->claims;

    memset(out, 0, sizeof(*out));
    out->issuer = string_of(json_object_get(claims, "iss"));
    out->subject = string_of(json_object_get(claims, "sub"));
    out->client = string_of(json_object_get(claims, "client_id"));
    if (out->client.len == 0) {
        out->client = string_of(json_object_get(claims, "azp"));
    }

    if (out->subject.len == 0) {
        *why = "it names no subject (sub)";
        return false;
    }
    if (!audience_ok(json_object_get(claims, "aud"), audience)) {
        *why = "it is for another audience (aud)";
        return false;
    }
    if (!read_times(claims, out, not_before)) {
        *why = "a time of it is missing or wrong (exp, nbf, iat)";
        return false;
    }
    if (!read_scopes(claims, administrators, out, pool)) {
        *why = "its scopes are not strings";
        return false;
    }
    if (!read_organizations(claims, out, pool)) {
        *why = "its organisations are not strings";
        return false;
    }
    return true;
}
