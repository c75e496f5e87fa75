/*
 * Bearer tokens: the value of the header as it stands, and, so that the code
 * behind the signature is reached, a header and claims (separated by NUL)
 * that are signed here. What is accepted must be whole.
 */

#include "access/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>


#define NOW  apr_time_from_sec(INT64_C(1750000000))

static char                  path[] = "/tmp/fuzz_jwt_XXXXXX";
static hie_config_issuer_t   issuer = { "i", path, "ES256", true };
static hie_config_t          conf;
static EVP_PKEY             *key;
static hie_access_t         *access_;

int
LLVMFuzzerInitialize(int *argc, char ***argv);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
remove_key(void)
{
    unlink(path);
    EVP_PKEY_free(key);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    FILE  *f;

    apr_initialize();
    hie_log_set(NULL, NULL, HIE_LOG_ERROR);

    key = EVP_EC_gen("P-256");
    f = fdopen(mkstemp(path), "w");
    if (key == NULL || f == NULL || PEM_write_PUBKEY(f, key) != 1) {
        abort();
    }
    fclose(f);
    atexit(remove_key);

    conf.access.leeway = 10;
    conf.access.n_issuers = 1;
    conf.access.issuers = &issuer;
    return 0;
}


static void
add_signature(hie_buf_t *b, size_t from)
{
    unsigned char         der[128], raw[64];
    const unsigned char  *p = der;
    size_t                len = sizeof(der);
    EVP_MD_CTX           *ctx = EVP_MD_CTX_new();
    ECDSA_SIG            *sig;

    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1
        || EVP_DigestSign(ctx, der, &len, (unsigned char *) b->ptr + from,
                          b->len - from) != 1)
    {
        abort();
    }
    EVP_MD_CTX_free(ctx);

    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);

    hie_buf_addc(b, '.');
    hie_base64url_encode(b, (hie_str_t) { (char *) raw, 64 });
}


static void
try(hie_str_t header, apr_pool_t *pool)
{
    hie_principal_t  *p, *q;
    hie_error_t       err;
    hie_rc_t          rc;
    int               i;

    rc = hie_access_authenticate(access_, header, NOW, pool, &p, &err);
    if (rc != HIE_OK) {
        if (rc != HIE_UNAUTHENTICATED || p != NULL || err.rc != rc) {
            abort();
        }
        return;
    }

    if (p->subject.len == 0 || !hie_str_eqz(p->issuer, "i")
        || p->expires + apr_time_from_sec(10) <= NOW)
    {
        abort();
    }
    for (i = 0; i < p->n_scopes; i++) {
        if (p->scopes[i].may == 0 || p->scopes[i].type.len == 0) {
            abort();
        }
    }
    if (hie_access_authenticate(access_, header, NOW, pool, &q, NULL)
        != HIE_OK || q->subject.ptr != p->subject.ptr)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t  *pool = hie_pool_create(NULL, "one");
    hie_str_t    in = { (const char *) data, size }, claims;
    hie_buf_t    b;

    /* Anew each time, so that no token that it remembers looks like a leak
     * to the tools (they do not see into the memory of a pool). */
    if (hie_access_open(pool, &conf, &access_, NULL) != HIE_OK) {
        abort();
    }
    try(in, pool);

    in = hie_str_split(in, '\0', &claims);
    if (claims.ptr != NULL) {
        hie_buf_init(&b, pool, 512);
        hie_buf_addz(&b, "Bearer ");
        hie_base64url_encode(&b, in);
        hie_buf_addc(&b, '.');
        hie_base64url_encode(&b, claims);
        add_signature(&b, 7);
        try(hie_buf_str(&b), pool);
    }

    apr_pool_destroy(pool);
    return 0;
}
