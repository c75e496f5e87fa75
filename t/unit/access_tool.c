/*
 * What the test programs of access share.
 */

#include "access_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>


apr_pool_t           *pool;
EVP_PKEY             *rsa, *ec, *other_rsa, *other_ec, *p384;
hie_config_t          conf;
hie_config_issuer_t   issuers[2];
hie_access_t         *access_;

static EVP_PKEY      *small;
static char           dir[] = "/tmp/hie_access_XXXXXX";


char *
path_of(const char *name)
{
    return apr_psprintf(pool, "%s/%s", dir, name);
}


static void
write_key(EVP_PKEY *key, const char *name)
{
    FILE  *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_PUBKEY(f, key), 1);
    fclose(f);

    f = fopen(apr_pstrcat(pool, path_of(name), ".key", NULL), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL),
                     1);
    fclose(f);
}


hie_str_t
sign_raw(EVP_PKEY *key, hie_str_t in)
{
    unsigned char  *sig = apr_pcalloc(pool, 1024), *raw;
    size_t          len = 1024;
    EVP_MD_CTX     *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len,
                                    (const unsigned char *) in.ptr, in.len),
                     1);
    EVP_MD_CTX_free(ctx);

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
        && EVP_PKEY_get_bits(key) == 256)
    {
        const unsigned char  *p = sig;
        ECDSA_SIG            *s = d2i_ECDSA_SIG(NULL, &p, (long) len);

        raw = apr_pcalloc(pool, 64);
        BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + 32, 32);
        ECDSA_SIG_free(s);
        sig = raw;
        len = 64;
    }
    return (hie_str_t) { (char *) sig, len };
}


hie_str_t
signing_input(const char *header, const char *claims)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, 256);
    hie_base64url_encode(&b, hie_str(header));
    hie_buf_addc(&b, '.');
    hie_base64url_encode(&b, hie_str(claims));
    return hie_buf_str(&b);
}


const char *
with_signature(hie_str_t in, hie_str_t sig)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, 256);
    hie_buf_addz(&b, "Bearer ");
    hie_buf_adds(&b, in);
    hie_buf_addc(&b, '.');
    hie_base64url_encode(&b, sig);
    return hie_str_z(pool, hie_buf_str(&b));
}


const char *
token(EVP_PKEY *key, const char *header, const char *claims)
{
    hie_str_t  in = signing_input(header, claims);

    return with_signature(in, sign_raw(key, in));
}


const char *
rs(const char *rest)
{
    return token(rsa, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}",
                 apr_pstrcat(pool, "{\"iss\":\"" RS_ISS "\",", rest, "}",
                             NULL));
}


const char *
es(const char *rest)
{
    return token(ec, "{\"alg\":\"ES256\"}",
                 apr_pstrcat(pool, "{\"iss\":\"" ES_ISS "\",", rest, "}",
                             NULL));
}


hie_rc_t
try_at(const char *header, apr_time_t now, hie_principal_t **p,
       hie_error_t *err)
{
    memset(err, 0, sizeof(*err));
    return hie_access_authenticate(access_, hie_str(header), now, pool, p,
                                   err);
}


hie_principal_t *
good(const char *header)
{
    hie_principal_t  *p;
    hie_error_t       err;
    hie_rc_t          rc = try_at(header, NOW, &p, &err);

    if (rc != HIE_OK) {
        print_error("%s\n", err.detail);
    }
    assert_int_equal(rc, HIE_OK);
    assert_non_null(p);
    return p;
}


void
bad(const char *header)
{
    hie_principal_t  *p = (hie_principal_t *) 1;
    hie_error_t       err;

    assert_int_equal(try_at(header, NOW, &p, &err), HIE_UNAUTHENTICATED);
    assert_null(p);
    assert_string_equal(err.detail, "the token is not valid");
}


void
expect_at(const char *header, apr_time_t now, const char *detail)
{
    hie_principal_t  *p;
    hie_error_t       err;
    hie_rc_t          rc = try_at(header, now, &p, &err);

    assert_int_equal(rc, detail == NULL ? HIE_OK : HIE_UNAUTHENTICATED);
    if (detail != NULL) {
        assert_null(p);
        assert_string_equal(err.detail, detail);
    }
}


int
tool_set_up(void **state)
{
    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    hie_log_set(NULL, NULL, HIE_LOG_ERROR);
    assert_non_null(mkdtemp(dir));

    rsa = EVP_RSA_gen(2048);
    other_rsa = EVP_RSA_gen(2048);
    small = EVP_RSA_gen(1024);
    ec = EVP_EC_gen("P-256");
    other_ec = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    write_key(rsa, "rsa");
    write_key(ec, "ec");
    write_key(small, "small");
    write_key(p384, "p384");

    issuers[0] = (hie_config_issuer_t) { RS_ISS, path_of("rsa"), "RS256",
                                         true };
    issuers[1] = (hie_config_issuer_t) { ES_ISS, path_of("ec"), "ES256",
                                         false };
    conf.path = "hie.yaml";
    conf.access.audience = AUDIENCE;
    conf.access.leeway = 10;
    conf.access.n_issuers = 2;
    conf.access.issuers = issuers;

    assert_int_equal(hie_access_open(pool, &conf, &access_, NULL), HIE_OK);
    return 0;
}


int
tool_tear_down(void **state)
{
    static const char *const  names[] = { "rsa", "ec", "small", "p384",
                                          "junk" };
    size_t                    i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(path_of(names[i]));
        unlink(apr_pstrcat(pool, path_of(names[i]), ".key", NULL));
    }
    rmdir(dir);

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other_rsa);
    EVP_PKEY_free(small);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(other_ec);
    EVP_PKEY_free(p384);
    apr_pool_destroy(pool);
    return 0;
}
