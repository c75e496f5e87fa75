/*
 * Authentication of a request by its bearer token.
 */

#include "access/private.h"

#include <string.h>

#include <apr_strings.h>


typedef struct {
    const hie_config_issuer_t  *conf;
    hie_jws_alg_t               alg;
    EVP_PKEY                   *key;
} issuer_t;

struct hie_access_t {
    const hie_config_t  *conf;
    int                  n_issuers;
    issuer_t            *issuers;
    hie_grants_t        *grants;
    EVP_MD              *sha256;     /* fetched once: fetching is slow */
    hie_principal_t      local;
};


static apr_status_t
access_cleanup(void *data)
{
    hie_access_t  *a = data;
    int            i;

    for (i = 0; i < a->n_issuers; i++) {
        EVP_PKEY_free(a->issuers[i].key);
    }
    EVP_MD_free(a->sha256);

    return APR_SUCCESS;
}


/* The first signature of a process costs ten times what a later one does:
 * the library looks for its algorithms and makes tables. Better now than when
 * somebody waits. */
static void
warm_up(const issuer_t *issuer)
{
    static const char  wrong[1024] = { 1, 1 };
    size_t             len = issuer->alg == HIE_JWS_ES256
                             ? 64 : (size_t) EVP_PKEY_get_size(issuer->key);

    if (len <= sizeof(wrong)) {
        hie_jws_verify(issuer->key, issuer->alg, HIE_STR("warm"),
                       (hie_str_t) { wrong, len });
    }
}


static hie_rc_t
open_issuer(const hie_config_issuer_t *conf, issuer_t *out, hie_error_t *err)
{
    hie_rc_t  rc;

    out->conf = conf;
    if (!hie_jws_alg(conf->algorithm, &out->alg)) {
        return hie_fail(err, HIE_INVALID, conf->issuer,
                        "expected the algorithm RS256 or ES256");
    }
    rc = hie_jws_read_public(conf->key_file, out->alg, &out->key, err);
    if (rc == HIE_OK) {
        warm_up(out);
    }
    return rc;
}


static void
make_local(hie_access_t *a, apr_pool_t *pool)
{
    static hie_scope_t   all = {
        { "*", 1 }, HIE_MAY_CREATE | HIE_MAY_READ | HIE_MAY_UPDATE
                    | HIE_MAY_DELETE | HIE_MAY_SEARCH
    };
    const hie_config_t  *conf = a->conf;
    hie_principal_t     *p = &a->local;
    int                  i, n = conf->access.n_local_organizations;

    p->subject = hie_str(conf->access.local_subject);
    if (p->subject.len == 0) {
        p->subject = HIE_STR("local");
    }
    p->issuer = HIE_STR("local");
    p->client = HIE_STR("");
    p->n_scopes = 1;
    p->scopes = &all;
    p->n_organizations = n;
    p->organizations = apr_palloc(pool, ((size_t) n + 1)
                                        * sizeof(hie_str_t));
    for (i = 0; i < n; i++) {
        p->organizations[i] = hie_str(conf->access.local_organizations[i]);
    }
    p->expires = apr_time_from_sec(HIE_SECONDS_MAX);
}


hie_rc_t
hie_access_open(apr_pool_t *pool, const hie_config_t *conf,
                hie_access_t **out, hie_error_t *err)
{
    hie_access_t  *a;
    hie_rc_t       rc;
    int            i, n = conf->access.n_issuers;

    *out = NULL;

    /* Once, before there are threads and before a server forks: otherwise
     * the first tables of two threads would race for it. */
    json_object_seed(0);

    a = apr_pcalloc(pool, sizeof(*a));
    a->conf = conf;
    a->issuers = apr_pcalloc(pool, ((size_t) n + 1) * sizeof(issuer_t));
    apr_pool_cleanup_register(pool, a, access_cleanup,
                              apr_pool_cleanup_null);

    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (a->sha256 == NULL) {
        return hie_fail(err, HIE_INTERNAL, "", "SHA-256 is not available");
    }
    for (i = 0; i < n; i++) {
        rc = open_issuer(&conf->access.issuers[i], &a->issuers[i], err);
        if (rc != HIE_OK) {
            return rc;
        }
        a->n_issuers++;
    }
    a->grants = hie_grants_create(pool);
    make_local(a, pool);

    *out = a;
    return HIE_OK;
}


/* The requester learns that the token is not valid and no more, so that it
 * cannot probe for issuers, keys or audiences; the log says why. */
static hie_rc_t
refuse(hie_error_t *err, const char *why)
{
    hie_log(HIE_LOG_INFO, "HIE4101", "a token was refused: %s", why);

    return hie_fail(err, HIE_UNAUTHENTICATED, "", "the token is not valid");
}


/* RFC 6750 section 2.1: "Bearer" 1*SP b64token, and nothing around it. */
static hie_rc_t
bearer(hie_str_t header, hie_str_t *token, hie_error_t *err)
{
    hie_str_t  scheme, rest;

    if (header.ptr == NULL) {
        return hie_fail(err, HIE_UNAUTHENTICATED, "",
                        "a bearer token is required");
    }
    scheme = hie_str_split(header, ' ', &rest);
    if (!hie_str_ieqz(scheme, "Bearer")) {
        return hie_fail(err, HIE_UNAUTHENTICATED, "",
                        "a bearer token is required");
    }
    while (rest.len > 0 && rest.ptr[0] == ' ') {
        rest.ptr++;
        rest.len--;
    }
    if (rest.len == 0) {
        return refuse(err, "it is empty");
    }
    if (rest.len > HIE_TOKEN_MAX) {
        return hie_fail(err, HIE_UNAUTHENTICATED, "",
                        "the token is longer than %d bytes", HIE_TOKEN_MAX);
    }

    *token = rest;
    return HIE_OK;
}


/* One issuer may stand in the configuration several times, with the keys
 * between which it is changing. */
static const issuer_t *
find_signer(const hie_access_t *a, const hie_jwt_t *jwt, const char **why)
{
    const char  *iss;
    int          i;

    *why = "its issuer is not known";
    iss = json_string_value(json_object_get(jwt->claims, "iss"));
    if (iss == NULL) {
        return NULL;
    }

    for (i = 0; i < a->n_issuers; i++) {
        if (strcmp(a->issuers[i].conf->issuer, iss) != 0
            || !hie_jwt_header_ok(jwt, a->issuers[i].alg, why))
        {
            continue;
        }
        if (hie_jws_verify(a->issuers[i].key, a->issuers[i].alg, jwt->input,
                           jwt->signature))
        {
            return &a->issuers[i];
        }
        *why = "its signature is wrong";
    }
    return NULL;
}


/* The whole way: parts, issuer, signature, claims. Not the times, which
 * change while the token is remembered. */
static hie_rc_t
verify(const hie_access_t *a, hie_str_t token, apr_pool_t *pool,
       hie_grant_t **out, hie_error_t *err)
{
    const issuer_t   *issuer;
    const char       *why = "";
    hie_principal_t   p;
    apr_time_t        not_before;
    hie_jwt_t         jwt;
    bool              ok;

    *out = NULL;
    ok = hie_jwt_open(token, pool, &jwt, &why);
    if (ok) {
        issuer = find_signer(a, &jwt, &why);
        ok = issuer != NULL
             && hie_jwt_principal(&jwt, a->conf->access.audience,
                                  issuer->conf->administrators, pool, &p,
                                  &not_before, &why);
    }
    if (ok) {
        *out = hie_grant_create(&p, not_before);
    }
    hie_jwt_close(&jwt);

    return ok ? HIE_OK : refuse(err, why);
}


/* RFC 7519 sections 4.1.4 and 4.1.5, with the difference of clocks allowed
 * for. */
static hie_rc_t
check_times(const hie_access_t *a, const hie_grant_t *g, apr_time_t now,
            hie_error_t *err)
{
    apr_time_t  leeway = apr_time_from_sec(a->conf->access.leeway);

    if (now >= hie_grant_principal(g)->expires + leeway) {
        return hie_fail(err, HIE_UNAUTHENTICATED, "",
                        "the token is expired");
    }
    if (hie_grant_not_before(g) > now + leeway) {
        return hie_fail(err, HIE_UNAUTHENTICATED, "",
                        "the token is not valid yet");
    }
    return HIE_OK;
}


static apr_status_t
release_grant(void *data)
{
    hie_grant_release(data);
    return APR_SUCCESS;
}


/* The strings stay where they are; the pool keeps them alive. */
static hie_principal_t *
lend(hie_grant_t *g, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, g, release_grant, apr_pool_cleanup_null);

    return apr_pmemdup(pool, hie_grant_principal(g),
                       sizeof(hie_principal_t));
}


hie_rc_t
hie_access_authenticate(hie_access_t *a, hie_str_t authorization,
                        apr_time_t now, apr_pool_t *pool,
                        hie_principal_t **out, hie_error_t *err)
{
    unsigned char  digest[HIE_DIGEST_LEN];
    hie_grant_t   *g;
    hie_str_t      token;
    bool           known;
    hie_rc_t       rc;

    *out = NULL;
    rc = bearer(authorization, &token, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (EVP_Digest(token.ptr, token.len, digest, NULL, a->sha256, NULL)
        != 1)
    {
        return hie_fail(err, HIE_INTERNAL, "", "SHA-256 failed");
    }

    g = hie_grants_get(a->grants, digest);
    known = g != NULL;
    if (!known) {
        rc = verify(a, token, pool, &g, err);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    rc = check_times(a, g, now, err);
    if (rc != HIE_OK) {
        hie_grant_release(g);
        return rc;
    }
    if (!known) {
        hie_grants_put(a->grants, digest, g, now);
    }

    *out = lend(g, pool);
    return HIE_OK;
}


hie_principal_t *
hie_access_local(hie_access_t *a, apr_pool_t *pool)
{
    return apr_pmemdup(pool, &a->local, sizeof(a->local));
}
