/*
 * access: who is asking, and may they. Bearer tokens (RFC 6750) that are JWTs
 * (RFC 7519, RFC 9068, RFC 8725) signed with RS256 or ES256 by an issuer that
 * hie.yaml names. Nothing is open by default.
 *
 * No I/O after hie_access_open; a verification costs CPU only, and is
 * remembered until the token expires. Thread-safe.
 */

#ifndef HIE_ACCESS_H
#define HIE_ACCESS_H

#include "base/base.h"
#include "base/config.h"

typedef struct hie_access_t  hie_access_t;

/* Interactions as SMART v2 scopes name them. */
typedef enum {
    HIE_MAY_CREATE = 1, HIE_MAY_READ = 2, HIE_MAY_UPDATE = 4,
    HIE_MAY_DELETE = 8, HIE_MAY_SEARCH = 16
} hie_may_t;

typedef struct {
    hie_str_t   type;             /* "*" or a resource type */
    unsigned    may;              /* of hie_may_t */
} hie_scope_t;

typedef struct {
    hie_str_t     subject;        /* sub */
    hie_str_t     issuer;         /* iss, or "local" */
    hie_str_t     client;         /* client_id or azp, may be empty */
    bool          administrator;  /* scope hie/admin of a trusted issuer */
    int           n_scopes;       /* user/ and system/ scopes */
    hie_scope_t  *scopes;
    int           n_organizations;
    hie_str_t    *organizations;  /* "Organization/x", an identifier's value,
                                     or "system|value" */
    apr_time_t    expires;
} hie_principal_t;

/* Reads the issuers' keys. `conf` must outlive it. */
hie_rc_t
hie_access_open(apr_pool_t *pool, const hie_config_t *conf,
                hie_access_t **out, hie_error_t *err);

/*
 * `authorization`: the value of the header, ptr NULL if there was none. What
 * the principal points to is shared with other requests and lives as long as
 * `pool`: nobody changes it. HIE_UNAUTHENTICATED with the reason (RFC 6750
 * section 3.1) in err->detail; it never repeats the token. Organisations come
 * from extensions.hl7-b2b.organization_id (UDAP Security), from
 * extensions.ihe_iua.subject_organization_id (IHE IUA) and from the claim
 * "organizations" (an array of strings); a token in which one of these is of
 * another kind is refused. scope, or scp, gives the scopes; patient/ scopes
 * and scopes narrowed by a query grant nothing.
 */
hie_rc_t
hie_access_authenticate(hie_access_t *a, hie_str_t authorization,
                        apr_time_t now, apr_pool_t *pool,
                        hie_principal_t **out, hie_error_t *err);

/* Who a request is on a location without authentication: the configured
 * local subject, with every system scope. The caller has made sure that both
 * ends of the connection are loopback addresses. */
hie_principal_t *
hie_access_local(hie_access_t *a, apr_pool_t *pool);

/* By the scopes alone: an administrator without a scope for it may not. */
bool
hie_access_permits(const hie_principal_t *p, hie_may_t may, hie_str_t type);

/* Signs a token with access.sign.key_file (which is read here: blocking). */
typedef struct {
    const char   *subject;
    const char   *scope;
    int           n_organizations;
    const char  **organizations;
    int           seconds;          /* to live */
} hie_token_request_t;

HIE_BLOCKING hie_rc_t
hie_access_mint(const hie_config_t *conf, const hie_token_request_t *req,
                apr_time_t now, apr_pool_t *pool, const char **token,
                hie_error_t *err);

#endif
