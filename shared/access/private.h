/*
 * What the files of access share among themselves.
 */

#ifndef HIE_ACCESS_PRIVATE_H
#define HIE_ACCESS_PRIVATE_H

#include "access/access.h"

#include <jansson.h>
#include <openssl/evp.h>

#define HIE_TOKEN_MAX    8192      /* bytes of a token */
#define HIE_DIGEST_LEN   32        /* SHA-256 */

/* The times that a token may name: until the end of the year 9999. */
#define HIE_SECONDS_MAX  INT64_C(253402300799)


/*
 * Keys and signatures (RFC 7515, RFC 7518 sections 3.3 and 3.4).
 */
typedef enum {
    HIE_JWS_RS256 = 1, HIE_JWS_ES256
} hie_jws_alg_t;

bool
hie_jws_alg(const char *name, hie_jws_alg_t *out);
const char *
hie_jws_alg_name(hie_jws_alg_t alg);

/* A key whose kind and size suit the algorithm; of a private one the
 * algorithm follows. To be freed with EVP_PKEY_free. */
hie_rc_t
hie_jws_read_public(const char *path, hie_jws_alg_t alg, EVP_PKEY **out,
                    hie_error_t *err);
HIE_BLOCKING hie_rc_t
hie_jws_read_private(const char *path, EVP_PKEY **out, hie_jws_alg_t *alg,
                     hie_error_t *err);

bool
hie_jws_verify(EVP_PKEY *key, hie_jws_alg_t alg, hie_str_t input,
               hie_str_t signature);
bool
hie_jws_sign(EVP_PKEY *key, hie_jws_alg_t alg, hie_str_t input,
             apr_pool_t *pool, hie_str_t *signature);


/*
 * A token in its parts. Nothing in it is true before its signature is.
 */
typedef struct {
    hie_str_t   input;        /* what is signed: the first two parts */
    hie_str_t   signature;    /* decoded */
    json_t     *header;
    json_t     *claims;
} hie_jwt_t;

/* False on whatever is no JWS in compact form with JSON objects in it; *why
 * is then a constant for the log. Always to be closed. */
bool
hie_jwt_open(hie_str_t token, apr_pool_t *pool, hie_jwt_t *out,
             const char **why);
void
hie_jwt_close(hie_jwt_t *jwt);

/* The header is one of an access token under this algorithm. */
bool
hie_jwt_header_ok(const hie_jwt_t *jwt, hie_jws_alg_t alg, const char **why);

/* Who the claims speak of; spans of the claims. `not_before` is the later one
 * of nbf and iat, 0 if there is none. */
bool
hie_jwt_principal(const hie_jwt_t *jwt, const char *audience,
                  bool administrators, apr_pool_t *pool,
                  hie_principal_t *out, apr_time_t *not_before,
                  const char **why);

/* Adds what a scope grants, nothing if it is not ours. */
void
hie_scope_add(hie_str_t scope, bool administrators, hie_principal_t *out,
              int max);


/*
 * Verified tokens: one block of memory each, never changed, counted.
 */
typedef struct hie_grant_t  hie_grant_t;

/* A deep copy; the caller has its first reference. */
hie_grant_t *
hie_grant_create(const hie_principal_t *p, apr_time_t not_before);
const hie_principal_t *
hie_grant_principal(const hie_grant_t *g);
apr_time_t
hie_grant_not_before(const hie_grant_t *g);
void
hie_grant_release(hie_grant_t *g);

typedef struct hie_grants_t  hie_grants_t;

hie_grants_t *
hie_grants_create(apr_pool_t *pool);
/* With a reference for the caller, or NULL. */
hie_grant_t *
hie_grants_get(hie_grants_t *c, const unsigned char digest[HIE_DIGEST_LEN]);
/* Takes a reference of its own. Drops what expired before `now` first. */
void
hie_grants_put(hie_grants_t *c, const unsigned char digest[HIE_DIGEST_LEN],
               hie_grant_t *g, apr_time_t now);

#endif
