/*
 * Page tokens. What stands in one is a place in the order of the rows, which
 * would tell how much there is in all: it is sealed. It is bound to type,
 * query and requester; a token that was made up, altered, or carried over to
 * another query or another requester is refused. Consent is evaluated anew
 * on every page, whatever the token says.
 */

#include <string.h>

#include <openssl/evp.h>

#include <apr_strings.h>

#include "exchange/private.h"

#define NONCE  12
#define TAG    16
#define PLACE  8
#define SEALED (NONCE + PLACE + TAG)


static hie_str_t
bound_to(hie_job_t *job, hie_str_t type, hie_str_t query)
{
    return hie_str(apr_psprintf(job->pool, "page\n%.*s\n%.*s\n%.*s\n%.*s",
                                HIE_PRISTR(job->principal->issuer),
                                HIE_PRISTR(job->principal->subject),
                                HIE_PRISTR(type), HIE_PRISTR(query)));
}


/* AES-256-GCM; `text` is PLACE bytes long on both sides. */
static bool
crypt_place(bool seal, const unsigned char *key, const unsigned char *nonce,
            hie_str_t aad, const unsigned char *in, unsigned char *out,
            unsigned char *tag)
{
    int              n;
    bool             ok;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    ok = ctx != NULL
         && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce,
                              seal) == 1
         && EVP_CipherUpdate(ctx, NULL, &n,
                             (const unsigned char *) aad.ptr,
                             (int) aad.len) == 1
         && EVP_CipherUpdate(ctx, out, &n, in, PLACE) == 1
         && (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG,
                                         tag) == 1)
         && EVP_CipherFinal_ex(ctx, out + PLACE, &n) == 1
         && (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG,
                                          tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}


hie_rc_t
hie_page_seal(hie_job_t *job, hie_str_t type, hie_str_t query, int64_t after,
              hie_str_t *out, hie_error_t *err)
{
    int            i;
    hie_rc_t       rc;
    hie_buf_t      b;
    unsigned char  key[32], place[PLACE], sealed[SEALED + 16];

    rc = hie_runtime_secret(job->rt, key, err);
    if (rc != HIE_OK) {
        return rc;
    }

    for (i = 0; i < PLACE; i++) {
        place[i] = (unsigned char) ((uint64_t) after >> (8 * i));
    }

    hie_random(sealed, NONCE);
    if (!crypt_place(true, key, sealed, bound_to(job, type, query), place,
                     sealed + NONCE, sealed + NONCE + PLACE))
    {
        return hie_fail(err, HIE_INTERNAL, "", "cannot seal a page token");
    }

    hie_buf_init(&b, job->pool, 64);
    hie_base64url_encode(&b, (hie_str_t) { (char *) sealed, SEALED });
    *out = hie_buf_str(&b);
    return HIE_OK;
}


hie_rc_t
hie_page_open(hie_job_t *job, hie_str_t type, hie_str_t query,
              hie_str_t token, int64_t *after, hie_error_t *err)
{
    int            i;
    hie_rc_t       rc;
    hie_str_t      raw;
    uint64_t       value;
    unsigned char  key[32], place[PLACE + 16], tag[TAG];
    const unsigned char *p;

    rc = hie_runtime_secret(job->rt, key, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_base64url_decode(job->pool, token, &raw) || raw.len != SEALED) {
        return hie_fail(err, HIE_INVALID, "",
                        "\"_cursor\" is not a page of this search");
    }

    p = (const unsigned char *) raw.ptr;
    memcpy(tag, p + NONCE + PLACE, TAG);
    if (!crypt_place(false, key, p, bound_to(job, type, query), p + NONCE,
                     place, tag))
    {
        return hie_fail(err, HIE_INVALID, "",
                        "\"_cursor\" is not a page of this search");
    }

    for (i = 0, value = 0; i < PLACE; i++) {
        value |= (uint64_t) place[i] << (8 * i);
    }

    *after = (int64_t) value;
    return HIE_OK;
}
