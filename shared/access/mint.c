/*
 * Tokens of our own, for `hiectl token`.
 */

#include "access/private.h"

#include <stdlib.h>


#define SECONDS_MAX  (366 * 24 * 3600)


static hie_rc_t
check_request(const hie_config_t *conf, const hie_token_request_t *req,
              hie_error_t *err)
{
    if (conf->access.sign_key_file == NULL
        || conf->access.sign_issuer == NULL)
    {
        return hie_fail(err, HIE_INVALID, conf->path,
                        "access.sign is not configured: tokens come from "
                        "outside");
    }
    if (req->subject == NULL || req->subject[0] == '\0') {
        return hie_fail(err, HIE_INVALID, "", "a subject is required");
    }
    if (req->seconds < 1 || req->seconds > SECONDS_MAX) {
        return hie_fail(err, HIE_INVALID, "",
                        "a token lives for 1 to %d seconds", SECONDS_MAX);
    }
    return HIE_OK;
}


static json_t *
organizations_of(const hie_token_request_t *req)
{
    json_t  *list = json_array();
    int      i;

    for (i = 0; i < req->n_organizations; i++) {
        json_array_append_new(list, json_string(req->organizations[i]));
    }
    return list;
}


/* RFC 9068 section 2.2. No user stands behind such a token, so the client is
 * the subject. */
static json_t *
make_claims(const hie_config_t *conf, const hie_token_request_t *req,
            apr_time_t now)
{
    json_int_t  sec = (json_int_t) apr_time_sec(now);
    char        jti[HIE_ULID_LEN + 1];
    json_t     *claims;

    hie_ulid(jti);
    claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}",
                       "iss", conf->access.sign_issuer,
                       "sub", req->subject, "client_id", req->subject,
                       "iat", sec, "exp", sec + req->seconds, "jti", jti);
    if (claims == NULL) {
        return NULL;
    }
    if (conf->access.audience != NULL) {
        json_object_set_new(claims, "aud",
                            json_string(conf->access.audience));
    }
    if (req->scope != NULL) {
        json_object_set_new(claims, "scope", json_string(req->scope));
    }
    if (req->n_organizations > 0) {
        json_object_set_new(claims, "organizations", organizations_of(req));
    }
    return claims;
}


static bool
add_part(hie_buf_t *b, json_t *v)
{
    char  *text = json_dumps(v, JSON_COMPACT);

    if (text == NULL) {
        return false;
    }
    hie_base64url_encode(b, hie_str(text));
    free(text);
    return true;
}


hie_rc_t
hie_access_mint(const hie_config_t *conf, const hie_token_request_t *req,
                apr_time_t now, apr_pool_t *pool, const char **token,
                hie_error_t *err)
{
    json_t         *header = NULL, *claims = NULL;
    hie_str_t       signature;
    hie_jws_alg_t   alg;
    EVP_PKEY       *key;
    hie_buf_t       b;
    bool            ok;
    hie_rc_t        rc;

    HIE_ASSERT_MAY_BLOCK();

    *token = NULL;
    rc = check_request(conf, req, err);
    if (rc != HIE_OK) {
        return rc;
    }
    rc = hie_jws_read_private(conf->access.sign_key_file, &key, &alg, err);
    if (rc != HIE_OK) {
        return rc;
    }

    header = json_pack("{s:s, s:s}", "alg", hie_jws_alg_name(alg),
                       "typ", "at+jwt");
    claims = make_claims(conf, req, now);

    hie_buf_init(&b, pool, 1024);
    ok = header != NULL && claims != NULL && add_part(&b, header);
    if (ok) {
        hie_buf_addc(&b, '.');
        ok = add_part(&b, claims)
             && hie_jws_sign(key, alg, hie_buf_str(&b), pool, &signature);
    }
    json_decref(header);
    json_decref(claims);
    EVP_PKEY_free(key);

    if (!ok) {
        return hie_fail(err, HIE_INVALID, "",
                        "the token could not be made: its parts must be "
                        "UTF-8");
    }
    hie_buf_addc(&b, '.');
    hie_base64url_encode(&b, signature);
    if (b.len > HIE_TOKEN_MAX) {
        return hie_fail(err, HIE_INVALID, "",
                        "the token would be longer than %d bytes",
                        HIE_TOKEN_MAX);
    }

    *token = hie_str_z(pool, hie_buf_str(&b));
    return HIE_OK;
}
