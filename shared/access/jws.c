/*
 * Keys and signatures.
 *
 * The key and its algorithm come from hie.yaml alone. Whatever a token says
 * about keys (kid, jku, jwk, x5u, x5c) is not looked at.
 */

#include "access/private.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>


#define RSA_BITS_MIN  2048      /* RFC 7518 section 3.3 */
#define P256_BYTES    32

/* An ECDSA signature with P-256 as DER: at most 2 * (2 + 33) and 2. */
#define P256_DER_MAX  72


bool
hie_jws_alg(const char *name, hie_jws_alg_t *out)
{
    if (name != NULL && strcmp(name, "RS256") == 0) {
        *out = HIE_JWS_RS256;
        return true;
    }
    if (name != NULL && strcmp(name, "ES256") == 0) {
        *out = HIE_JWS_ES256;
        return true;
    }
    return false;
}


const char *
hie_jws_alg_name(hie_jws_alg_t alg)
{
    return alg == HIE_JWS_RS256 ? "RS256" : "ES256";
}


/* Never asks on a terminal: a server has none. */
static int
no_passphrase(char *buf, int size, int rwflag, void *baton)
{
    return -1;
}


/* Which algorithm a key is for; false if for none that is accepted. */
static bool
key_alg(EVP_PKEY *key, hie_jws_alg_t *alg)
{
    char    group[64];
    size_t  len;

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        *alg = HIE_JWS_RS256;
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    case EVP_PKEY_EC:
        *alg = HIE_JWS_ES256;
        return EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1
               && strcmp(group, "prime256v1") == 0;
    default:
        return false;
    }
}


hie_rc_t
hie_jws_read_public(const char *path, hie_jws_alg_t alg, EVP_PKEY **out,
                    hie_error_t *err)
{
    hie_jws_alg_t  found;
    EVP_PKEY      *key;
    BIO           *bio;

    *out = NULL;
    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        return hie_fail(err, HIE_INVALID, path,
                        "the issuer's key file cannot be read");
    }
    key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();

    if (key == NULL) {
        return hie_fail(err, HIE_INVALID, path,
                        "expected a public key in PEM form (BEGIN PUBLIC "
                        "KEY)");
    }
    if (!key_alg(key, &found) || found != alg) {
        EVP_PKEY_free(key);
        return hie_fail(err, HIE_INVALID, path,
                        "the key is not one for %s: expected %s",
                        hie_jws_alg_name(alg), alg == HIE_JWS_RS256
                        ? "RSA of at least 2048 bits" : "EC on P-256");
    }

    *out = key;
    return HIE_OK;
}


hie_rc_t
hie_jws_read_private(const char *path, EVP_PKEY **out, hie_jws_alg_t *alg,
                     hie_error_t *err)
{
    EVP_PKEY  *key;
    BIO       *bio;

    HIE_ASSERT_MAY_BLOCK();

    *out = NULL;
    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        return hie_fail(err, HIE_INVALID, path,
                        "the signing key file cannot be read");
    }
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();

    if (key == NULL) {
        return hie_fail(err, HIE_INVALID, path,
                        "expected a private key in PEM form without a "
                        "passphrase");
    }
    if (!key_alg(key, alg)) {
        EVP_PKEY_free(key);
        return hie_fail(err, HIE_INVALID, path,
                        "expected RSA of at least 2048 bits or EC on P-256");
    }

    *out = key;
    return HIE_OK;
}


/* RFC 7518 section 3.4: R and S, 32 bytes each, to the DER that OpenSSL
 * takes. 0 if they cannot be a signature. */
static size_t
ecdsa_to_der(hie_str_t raw, unsigned char der[P256_DER_MAX])
{
    const unsigned char  *p = (const unsigned char *) raw.ptr;
    ECDSA_SIG            *sig;
    BIGNUM               *r, *s;
    int                   len = 0;

    if (raw.len != 2 * P256_BYTES) {
        return 0;
    }
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(p, P256_BYTES, NULL);
    s = BN_bin2bn(p + P256_BYTES, P256_BYTES, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(sig, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }

    len = i2d_ECDSA_SIG(sig, NULL);
    if (len > 0 && len <= P256_DER_MAX) {
        len = i2d_ECDSA_SIG(sig, &der);
    } else {
        len = 0;
    }
    ECDSA_SIG_free(sig);

    return len > 0 ? (size_t) len : 0;
}


bool
hie_jws_verify(EVP_PKEY *key, hie_jws_alg_t alg, hie_str_t input,
               hie_str_t signature)
{
    const unsigned char  *sig = (const unsigned char *) signature.ptr;
    unsigned char         der[P256_DER_MAX];
    size_t                len = signature.len;
    EVP_MD_CTX           *ctx;
    bool                  ok;

    if (alg == HIE_JWS_ES256) {
        len = ecdsa_to_der(signature, der);
        sig = der;
    }
    if (len == 0) {
        return false;
    }

    /* The padding of an RSA key is PKCS #1 version 1.5 by default. */
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL
         && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
         && EVP_DigestVerify(ctx, sig, len,
                             (const unsigned char *) input.ptr, input.len)
            == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return ok;
}


/* The way back: DER to R and S. */
static bool
ecdsa_from_der(const unsigned char *der, size_t len,
               unsigned char raw[2 * P256_BYTES])
{
    const BIGNUM  *r, *s;
    ECDSA_SIG     *sig = d2i_ECDSA_SIG(NULL, &der, (long) len);
    bool           ok;

    if (sig == NULL) {
        return false;
    }
    ECDSA_SIG_get0(sig, &r, &s);
    ok = BN_bn2binpad(r, raw, P256_BYTES) == P256_BYTES
         && BN_bn2binpad(s, raw + P256_BYTES, P256_BYTES) == P256_BYTES;
    ECDSA_SIG_free(sig);

    return ok;
}


bool
hie_jws_sign(EVP_PKEY *key, hie_jws_alg_t alg, hie_str_t input,
             apr_pool_t *pool, hie_str_t *signature)
{
    size_t          len = (size_t) EVP_PKEY_get_size(key);
    unsigned char  *sig = apr_palloc(pool, len), *raw;
    EVP_MD_CTX     *ctx = EVP_MD_CTX_new();
    bool            ok;

    ok = ctx != NULL
         && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
         && EVP_DigestSign(ctx, sig, &len,
                           (const unsigned char *) input.ptr, input.len)
            == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    if (ok && alg == HIE_JWS_ES256) {
        raw = apr_palloc(pool, 2 * P256_BYTES);
        ok = ecdsa_from_der(sig, len, raw);
        sig = raw;
        len = 2 * P256_BYTES;
    }

    *signature = (hie_str_t) { (const char *) sig, len };
    return ok;
}
