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

/* What no place comes near to. */
#define PLACE_MAX  65536


static hie_str_t
bound_to(hie_job_t *job, hie_str_t path, hie_str_t query)
{
    return hie_str(apr_psprintf(job->pool, "page\n%.*s\n%.*s\n%.*s\n%.*s",
                                HIE_PRISTR(job->principal->issuer),
                                HIE_PRISTR(job->principal->subject),
                                HIE_PRISTR(path), HIE_PRISTR(query)));
}


static hie_rc_t
not_ours(hie_error_t *err)
{
    return hie_fail(err, HIE_INVALID, "",
                    "\"_cursor\" is not a page of this search");
}


/* AES-256-GCM; `text` is `len` bytes long on both sides. */
static bool
crypt_place(bool seal, const unsigned char *key, const unsigned char *nonce,
            hie_str_t aad, const unsigned char *in, size_t len,
            unsigned char *out, unsigned char *tag)
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
         && EVP_CipherUpdate(ctx, out, &n, in, (int) len) == 1
         && (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG,
                                         tag) == 1)
         && EVP_CipherFinal_ex(ctx, out + len, &n) == 1
         && (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG,
                                          tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}


hie_rc_t
hie_place_seal(hie_job_t *job, hie_str_t path, hie_str_t query,
               const unsigned char *place, size_t len, hie_str_t *out,
               hie_error_t *err)
{
    hie_rc_t        rc;
    hie_buf_t       b;
    unsigned char   key[32], *sealed;

    rc = hie_runtime_secret(job->rt, key, err);
    if (rc != HIE_OK) {
        return rc;
    }

    sealed = apr_palloc(job->pool, NONCE + len + TAG);
    hie_random(sealed, NONCE);
    if (!crypt_place(true, key, sealed, bound_to(job, path, query), place,
                     len, sealed + NONCE, sealed + NONCE + len))
    {
        return hie_fail(err, HIE_INTERNAL, "", "cannot seal a page token");
    }

    hie_buf_init(&b, job->pool, 2 * len + 64);
    hie_base64url_encode(&b, (hie_str_t) { (char *) sealed,
                                           NONCE + len + TAG });
    *out = hie_buf_str(&b);
    return HIE_OK;
}


hie_rc_t
hie_place_open_any(hie_job_t *job, hie_str_t path, hie_str_t query,
                   hie_str_t token, hie_str_t *place, hie_error_t *err)
{
    size_t                len;
    hie_rc_t              rc;
    hie_str_t             raw;
    unsigned char         key[32], tag[TAG], *text;
    const unsigned char  *p;

    rc = hie_runtime_secret(job->rt, key, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!hie_base64url_decode(job->pool, token, &raw)
        || raw.len < NONCE + TAG || raw.len > PLACE_MAX)
    {
        return not_ours(err);
    }

    p = (const unsigned char *) raw.ptr;
    len = raw.len - NONCE - TAG;
    text = apr_palloc(job->pool, len + 1);
    memcpy(tag, p + NONCE + len, TAG);
    if (!crypt_place(false, key, p, bound_to(job, path, query), p + NONCE,
                     len, text, tag))
    {
        return not_ours(err);
    }

    *place = (hie_str_t) { (char *) text, len };
    return HIE_OK;
}


hie_rc_t
hie_place_open(hie_job_t *job, hie_str_t path, hie_str_t query,
               hie_str_t token, unsigned char *place, size_t len,
               hie_error_t *err)
{
    hie_rc_t   rc;
    hie_str_t  text;

    rc = hie_place_open_any(job, path, query, token, &text, err);
    if (rc != HIE_OK) {
        return rc;
    }

    if (text.len != len) {
        return not_ours(err);
    }

    memcpy(place, text.ptr, len);
    return HIE_OK;
}


void
hie_place_put(unsigned char *out, int64_t value)
{
    int  i;

    for (i = 0; i < 8; i++) {
        out[i] = (unsigned char) ((uint64_t) value >> (8 * i));
    }
}


int64_t
hie_place_get(const unsigned char *in)
{
    int       i;
    uint64_t  value;

    for (i = 0, value = 0; i < 8; i++) {
        value |= (uint64_t) in[i] << (8 * i);
    }

    return (int64_t) value;
}


void
hie_page_link(hie_buf_t *b, hie_job_t *job, const char *relation,
              hie_str_t path, hie_str_t query, hie_str_t cursor)
{
    hie_buf_t  url;

    hie_buf_init(&url, job->pool, 256);
    hie_buf_adds(&url, job->base_url);
    hie_buf_addc(&url, '/');
    hie_buf_adds(&url, path);
    if (query.len > 0 || cursor.len > 0) {
        hie_buf_addc(&url, '?');
    }

    hie_buf_adds(&url, query);
    if (cursor.len > 0) {
        hie_buf_addz(&url, query.len > 0 ? "&_cursor=" : "_cursor=");
        hie_buf_adds(&url, cursor);
    }

    hie_buf_addf(b, "{\"relation\":\"%s\",\"url\":", relation);
    hie_buf_add_json(b, hie_buf_str(&url));
    hie_buf_addc(b, '}');
}


/* Type and id need no escapes; the base is escaped once for all. */
void
hie_page_full_url(hie_buf_t *b, hie_job_t *job, const hie_row_t *row)
{
    hie_buf_add_json(b, job->base_url);
    b->len--;                    /* its closing quote */
    hie_buf_addc(b, '/');
    hie_buf_adds(b, row->type);
    hie_buf_addc(b, '/');
    hie_buf_adds(b, row->id);
    hie_buf_addc(b, '"');
}


void
hie_audit_rows(hie_job_t *job, const hie_row_t *rows, int n)
{
    int        i, j, k;
    uint64_t  *all;

    for (i = 0, k = 0; i < n; i++) {
        k += rows[i].n_patients;
    }

    all = apr_palloc(job->pool, sizeof(uint64_t) * (size_t) (k + 1));
    for (i = 0, k = 0; i < n; i++) {
        for (j = 0; j < rows[i].n_patients; j++) {
            /* Pages are mostly about one patient. */
            if (k == 0 || all[k - 1] != rows[i].patients[j]) {
                all[k++] = rows[i].patients[j];
            }
        }
    }

    job->audit.patients = all;
    job->audit.n_patients = k;
    job->audit.n_resources = n;
}
