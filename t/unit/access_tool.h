/*
 * What the test programs of access share. The keys are made here; the tokens
 * are put together by hand, so that they can be wrong in one place at a time.
 */

#ifndef ACCESS_TOOL_H
#define ACCESS_TOOL_H

#include "access/access.h"

#include <setjmp.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define NOW       apr_time_from_sec(INT64_C(1750000000))
#define RS_ISS    "https://rs.example.org"
#define ES_ISS    "https://es.example.org"
#define AUDIENCE  "https://hie.example.org/fhir"
#define GOOD                                                                  \
    "\"sub\":\"app\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"           \
    "\"iat\":1750000000,\"scope\":\"system/*.rs\""

extern apr_pool_t           *pool;
extern EVP_PKEY             *rsa, *ec, *other_rsa, *other_ec, *p384;
extern hie_config_t          conf;
extern hie_config_issuer_t   issuers[2];    /* RS_ISS, ES_ISS */
extern hie_access_t         *access_;

/* The public keys are in files rsa, ec, small (RSA of 1024 bits) and p384,
 * the private ones in those with ".key" behind. */
char *
path_of(const char *name);

/* Parts of a token; ES256 signatures are R and S. */
hie_str_t
sign_raw(EVP_PKEY *key, hie_str_t in);
hie_str_t
signing_input(const char *header, const char *claims);

/* Values of the header Authorization. */
const char *
with_signature(hie_str_t in, hie_str_t sig);
const char *
token(EVP_PKEY *key, const char *header, const char *claims);
/* Of the one and the other issuer, with these members beside iss. */
const char *
rs(const char *rest);
const char *
es(const char *rest);

hie_rc_t
try_at(const char *header, apr_time_t now, hie_principal_t **p,
       hie_error_t *err);
/* Is valid now. */
hie_principal_t *
good(const char *header);
/* Is refused now, and in the same words as any other. */
void
bad(const char *header);
/* Detail NULL: is valid then. */
void
expect_at(const char *header, apr_time_t now, const char *detail);

int
tool_set_up(void **state);
int
tool_tear_down(void **state);

#endif
