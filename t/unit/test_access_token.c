/*
 * access: every way in which a token is refused, and the few in which it is
 * not.
 */

#include "access_tool.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/hmac.h>


static void
bad_claims(const char *rest)
{
    bad(rs(rest));
    bad(es(rest));
}


static void
test_good(void **state)
{
    hie_principal_t  *p = good(rs(GOOD ",\"client_id\":\"c1\""));

    assert_true(hie_str_eqz(p->subject, "app"));
    assert_true(hie_str_eqz(p->issuer, RS_ISS));
    assert_true(hie_str_eqz(p->client, "c1"));
    assert_false(p->administrator);
    assert_int_equal(p->n_organizations, 0);
    assert_true(p->expires == apr_time_from_sec(INT64_C(1750000300)));

    p = good(es(GOOD ",\"azp\":\"c2\""));
    assert_true(hie_str_eqz(p->issuer, ES_ISS));
    assert_true(hie_str_eqz(p->client, "c2"));

    /* aud as an array; fractions of a second; no typ, any case of it */
    good(rs("\"sub\":\"a\",\"aud\":[\"x\",\"" AUDIENCE "\"],"
            "\"exp\":1750000300.5"));
    good(token(rsa, "{\"alg\":\"RS256\",\"typ\":\"jwt\"}",
               "{\"iss\":\"" RS_ISS "\"," GOOD "}"));
    good(token(rsa, "{\"alg\":\"RS256\",\"typ\":\"application/AT+JWT\"}",
               "{\"iss\":\"" RS_ISS "\"," GOOD "}"));
    /* what a header says of keys is not looked at */
    good(token(rsa, "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\","
                    "\"jku\":\"http://127.0.0.1/\"}",
               "{\"iss\":\"" RS_ISS "\"," GOOD "}"));
}


static void
test_header_value(void **state)
{
    static const char *const  none[] = {
        NULL, "", "Bearer", "bearer", "Basic dXNlcjpwYXNz", "Bearertoken",
        "Bearer\tx.y.z", " Bearer x.y.z", "DPoP x.y.z"
    };
    const char       *t = rs(GOOD);
    hie_principal_t  *p;
    hie_error_t       err;
    size_t            i;

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(try_at(none[i], NOW, &p, &err),
                         HIE_UNAUTHENTICATED);
        assert_null(p);
    }

    good(apr_pstrcat(pool, "bEARER   ", t + 7, NULL));
    bad(apr_pstrcat(pool, t, " ", NULL));
    bad(apr_pstrcat(pool, t, "\n", NULL));
    bad(apr_pstrcat(pool, t, ",", t, NULL));
    bad(apr_pstrcat(pool, t, "=", NULL));
    bad("Bearer ");
    bad("Bearer \t");
}


static void
test_garbage(void **state)
{
    static const char *const  junk[] = {
        "x", ".", "..", "...", "a.b", "a.b.c", "e30.e30.", "e30..e30",
        ".e30.e30", "e30.e30.e30", "W10.W10.W10", "e30.e30.e30.e30",
        "\xff.\xff.\xff", "bnVsbA.bnVsbA.AA", "%00.e30.AA"
    };
    const char  *t = rs(GOOD);
    size_t       i, len = strlen(t);

    for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        bad(apr_pstrcat(pool, "Bearer ", junk[i], NULL));
    }
    /* five parts: an encrypted token */
    bad(apr_pstrcat(pool, t, ".AA.AA", NULL));
    /* cut anywhere */
    for (i = 8; i < len; i++) {
        bad(apr_pstrndup(pool, t, i));
    }
    /* NUL inside */
    assert_int_equal(hie_access_authenticate(
                         access_, (hie_str_t) { "Bearer a\0b.c.d", 14 }, NOW,
                         pool, &(hie_principal_t *) { NULL }, NULL),
                     HIE_UNAUTHENTICATED);
}


static void
test_algorithms(void **state)
{
    const char     *claims = "{\"iss\":\"" RS_ISS "\"," GOOD "}";
    const char     *names[] = { "none", "None", "", "HS256", "HS512",
                                "RS384", "RS512", "PS256", "ES256", "rs256" };
    unsigned char   mac[64];
    unsigned        mac_len;
    hie_str_t       in;
    FILE           *f;
    char            pem[2048];
    size_t          i, len;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bad(token(rsa, apr_psprintf(pool, "{\"alg\":\"%s\"}", names[i]),
                  claims));
    }
    bad(token(rsa, "{}", claims));
    bad(token(rsa, "{\"alg\":null}", claims));
    bad(token(rsa, "{\"alg\":[\"RS256\"]}", claims));
    bad(token(rsa, "{\"alg\":\"none\",\"alg\":\"RS256\"}", claims));

    /* alg none without a signature */
    in = signing_input("{\"alg\":\"none\"}", claims);
    bad(apr_psprintf(pool, "Bearer %.*s.", HIE_PRISTR(in)));
    in = signing_input("{\"alg\":\"RS256\"}", claims);
    bad(apr_psprintf(pool, "Bearer %.*s.", HIE_PRISTR(in)));

    /* HS256 with the bytes of the public key as the secret */
    f = fopen(path_of("rsa"), "r");
    len = fread(pem, 1, sizeof(pem), f);
    fclose(f);
    for (i = 0; i < 2; i++) {
        in = signing_input(i == 0 ? "{\"alg\":\"HS256\"}"
                           : "{\"alg\":\"RS256\"}", claims);
        HMAC(EVP_sha256(), pem, (int) len, (const unsigned char *) in.ptr,
             in.len, mac, &mac_len);
        bad(with_signature(in, (hie_str_t) { (char *) mac, mac_len }));
    }
}


static void
test_wrong_keys(void **state)
{
    const char  *rs_claims = "{\"iss\":\"" RS_ISS "\"," GOOD "}";
    const char  *es_claims = "{\"iss\":\"" ES_ISS "\"," GOOD "}";

    bad(token(other_rsa, "{\"alg\":\"RS256\"}", rs_claims));
    bad(token(other_ec, "{\"alg\":\"ES256\"}", es_claims));

    /* the key and algorithm of one issuer under the name of the other */
    bad(token(rsa, "{\"alg\":\"RS256\"}", es_claims));
    bad(token(ec, "{\"alg\":\"ES256\"}", rs_claims));
    bad(token(rsa, "{\"alg\":\"ES256\"}", rs_claims));
    bad(token(ec, "{\"alg\":\"RS256\"}", es_claims));
    bad(token(rsa, "{\"alg\":\"ES256\"}", es_claims));
    bad(token(p384, "{\"alg\":\"ES256\"}", es_claims));
}


static void
test_signatures(void **state)
{
    const char     *claims = "{\"iss\":\"" ES_ISS "\"," GOOD "}";
    hie_str_t       in = signing_input("{\"alg\":\"ES256\"}", claims), sig;
    unsigned char   raw[65] = { 0 };
    char           *t;
    size_t          i;

    /* R and S of zero: a forgery that some verifiers took */
    bad(with_signature(in, (hie_str_t) { (char *) raw, 64 }));
    memset(raw, 0xff, sizeof(raw));
    bad(with_signature(in, (hie_str_t) { (char *) raw, 64 }));

    sig = sign_raw(ec, in);
    good(with_signature(in, sig));
    memcpy(raw, sig.ptr, 64);
    raw[64] = 0;
    bad(with_signature(in, (hie_str_t) { (char *) raw, 65 }));
    bad(with_signature(in, (hie_str_t) { (char *) raw, 63 }));
    raw[0] ^= 1;
    bad(with_signature(in, (hie_str_t) { (char *) raw, 64 }));

    /* DER instead of R and S */
    {
        unsigned char  der[128];
        size_t         len = sizeof(der);
        EVP_MD_CTX    *ctx = EVP_MD_CTX_new();

        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec);
        EVP_DigestSign(ctx, der, &len, (const unsigned char *) in.ptr,
                       in.len);
        EVP_MD_CTX_free(ctx);
        bad(with_signature(in, (hie_str_t) { (char *) der, len }));
    }

    /* every byte of header and claims is signed */
    t = apr_pstrdup(pool, rs(GOOD));
    for (i = 7; t[i] != '\0'; i += 7) {
        t[i] ^= 1;
        bad(t);
        t[i] ^= 1;
    }
    good(t);
}


static void
test_header(void **state)
{
    const char  *claims = "{\"iss\":\"" RS_ISS "\"," GOOD "}";

    bad(token(rsa, "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}",
              claims));
    bad(token(rsa, "{\"alg\":\"RS256\",\"crit\":[]}", claims));
    bad(token(rsa, "{\"alg\":\"RS256\",\"crit\":null}", claims));
    bad(token(rsa, "{\"alg\":\"RS256\",\"typ\":\"id+jwt\"}", claims));
    bad(token(rsa, "{\"alg\":\"RS256\",\"typ\":\"\"}", claims));
    bad(token(rsa, "{\"alg\":\"RS256\",\"typ\":1}", claims));
    bad(token(rsa, "[\"RS256\"]", claims));
    bad(token(rsa, "{\"alg\":\"RS256\"} x", claims));
    bad(token(rsa, "", claims));
}


static void
test_claims(void **state)
{
    static const char *const  wrong[] = {
        /* sub, exp, aud missing or of another kind */
        "\"aud\":\"" AUDIENCE "\",\"exp\":1750000300",
        "\"sub\":\"\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300",
        "\"sub\":1,\"aud\":\"" AUDIENCE "\",\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\"",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":\"1750000300\"",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":null",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":true",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":-1",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1e300",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":9223372036854775807",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE
            "\",\"exp\":99999999999999999999999",
        "\"sub\":\"a\",\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":\"\",\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":[],\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":[[\"" AUDIENCE "\"]],\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "/\",\"exp\":1750000300",
        "\"sub\":\"a\",\"aud\":{\"a\":\"" AUDIENCE "\"},\"exp\":1750000300",
        /* twice, of which the second could be the harmless one */
        GOOD ",\"sub\":\"root\"",
        GOOD ",\"exp\":1760000000",
        GOOD ",\"\\u0073ub\":\"root\"",
        /* others that are there and of another kind */
        GOOD ",\"nbf\":\"now\"",
        GOOD ",\"organizations\":\"Organization/x\"",
        GOOD ",\"organizations\":[1]",
        GOOD ",\"organizations\":[\"\"]",
        GOOD ",\"extensions\":[]",
        GOOD ",\"extensions\":{\"hl7-b2b\":\"x\"}",
        GOOD ",\"extensions\":{\"hl7-b2b\":{\"organization_id\":7}}",
        GOOD ",\"extensions\":{\"ihe_iua\":"
            "{\"subject_organization_id\":\"\"}}",
        GOOD ",\"x\":\"\\u0000\"",
        GOOD ",\"x\":\"\xff\"",
        GOOD "},{",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
            "\"scope\":[\"system/*.rs\"]",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
            "\"scp\":[7]",
        "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
            "\"scp\":{}"
    };
    size_t  i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bad_claims(wrong[i]);
    }

    /* iss: unknown, almost known, missing, twice, of another kind */
    bad(token(rsa, "{\"alg\":\"RS256\"}",
              "{\"iss\":\"https://x.example.org\"," GOOD "}"));
    bad(token(rsa, "{\"alg\":\"RS256\"}",
              "{\"iss\":\"" RS_ISS "/\"," GOOD "}"));
    bad(token(rsa, "{\"alg\":\"RS256\"}", "{" GOOD "}"));
    bad(token(rsa, "{\"alg\":\"RS256\"}",
              "{\"iss\":[\"" RS_ISS "\"]," GOOD "}"));
    bad(rs(GOOD ",\"iss\":\"" RS_ISS "\""));
}


static void
test_times(void **state)
{
    const char  *expired = "the token is expired";
    const char  *early = "the token is not valid yet";
    apr_time_t   end = apr_time_from_sec(INT64_C(1750000310));
    const char  *t = rs(GOOD ",\"jti\":\"times\"");
    const char  *u = rs(GOOD ",\"jti\":\"fresh\"");

    /* the leeway is of 10 seconds; the same on a hit as on a miss */
    expect_at(u, end, expired);
    expect_at(t, end - 1, NULL);
    expect_at(t, end, expired);
    expect_at(t, end + apr_time_from_sec(1), expired);
    expect_at(t, end - 1, NULL);
    expect_at(u, end, expired);

    t = es("\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
           "\"nbf\":1750000020");
    expect_at(t, NOW, early);
    expect_at(t, NOW + apr_time_from_sec(10), NULL);
    expect_at(t, NOW + apr_time_from_sec(10) - 1, early);

    t = es("\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
           "\"nbf\":0,\"iat\":1750000011");
    expect_at(t, NOW, early);
    expect_at(t, NOW + apr_time_from_sec(1), NULL);

    /* nobody learns from a forged token that it would be expired */
    bad(token(other_rsa, "{\"alg\":\"RS256\"}",
              "{\"iss\":\"" RS_ISS "\",\"sub\":\"a\",\"aud\":\"" AUDIENCE
              "\",\"exp\":1}"));
}


static void
test_size(void **state)
{
    hie_principal_t  *p;
    hie_error_t       err;
    char             *pad = apr_pcalloc(pool, 8001);
    const char       *t;

    memset(pad, 'a', 5500);
    t = rs(apr_pstrcat(pool, GOOD ",\"x\":\"", pad, "\"", NULL));
    assert_true(strlen(t) - 7 <= 8192);
    good(t);

    memset(pad, 'a', 6200);
    t = rs(apr_pstrcat(pool, GOOD ",\"x\":\"", pad, "\"", NULL));
    assert_true(strlen(t) - 7 > 8192);
    assert_int_equal(try_at(t, NOW, &p, &err), HIE_UNAUTHENTICATED);
    assert_string_equal(err.detail, "the token is longer than 8192 bytes");
}


static void
test_same_words(void **state)
{
    /* An unknown issuer, a wrong signature and a wrong audience sound alike
     * (bad() compares), and a detail never repeats what was sent. */
    hie_principal_t  *p;
    hie_error_t       err;

    assert_int_equal(try_at("Bearer secret-token", NOW, &p, &err),
                     HIE_UNAUTHENTICATED);
    assert_null(strstr(err.detail, "secret"));
    assert_string_equal(err.where, "");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_header_value),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_same_words)
    };

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
