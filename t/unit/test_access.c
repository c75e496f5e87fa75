/*
 * access: every way in which a token is refused, and the few in which it is
 * not. The keys are made here; the tokens are put together by hand, so that
 * they can be wrong in one place at a time.
 */

#include "access/access.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>


#define NOW       apr_time_from_sec(INT64_C(1750000000))
#define RS_ISS    "https://rs.example.org"
#define ES_ISS    "https://es.example.org"
#define AUDIENCE  "https://hie.example.org/fhir"
#define GOOD                                                                  \
    "\"sub\":\"app\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"           \
    "\"iat\":1750000000,\"scope\":\"system/*.rs\""

static apr_pool_t           *pool;
static char                  dir[] = "/tmp/hie_access_XXXXXX";
static EVP_PKEY             *rsa, *ec, *other_rsa, *other_ec, *small, *p384;
static hie_config_t          conf;
static hie_config_issuer_t   issuers[2];
static hie_access_t         *access_;


/*
 * Keys and tokens.
 */
static char *
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


static hie_str_t
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


static hie_str_t
signing_input(const char *header, const char *claims)
{
    hie_buf_t  b;

    hie_buf_init(&b, pool, 256);
    hie_base64url_encode(&b, hie_str(header));
    hie_buf_addc(&b, '.');
    hie_base64url_encode(&b, hie_str(claims));
    return hie_buf_str(&b);
}


static const char *
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


static const char *
token(EVP_PKEY *key, const char *header, const char *claims)
{
    hie_str_t  in = signing_input(header, claims);

    return with_signature(in, sign_raw(key, in));
}


static const char *
rs(const char *rest)
{
    return token(rsa, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}",
                 apr_pstrcat(pool, "{\"iss\":\"" RS_ISS "\",", rest, "}",
                             NULL));
}


static const char *
es(const char *rest)
{
    return token(ec, "{\"alg\":\"ES256\"}",
                 apr_pstrcat(pool, "{\"iss\":\"" ES_ISS "\",", rest, "}",
                             NULL));
}


static hie_rc_t
try_at(const char *header, apr_time_t now, hie_principal_t **p,
       hie_error_t *err)
{
    memset(err, 0, sizeof(*err));
    return hie_access_authenticate(access_, hie_str(header), now, pool, p,
                                   err);
}


static hie_principal_t *
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


static void
bad(const char *header)
{
    hie_principal_t  *p = (hie_principal_t *) 1;
    hie_error_t       err;

    assert_int_equal(try_at(header, NOW, &p, &err), HIE_UNAUTHENTICATED);
    assert_null(p);
    assert_string_equal(err.detail, "the token is not valid");
}


static void
bad_claims(const char *rest)
{
    bad(rs(rest));
    bad(es(rest));
}


static int
set_up(void **state)
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


static int
tear_down(void **state)
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


/*
 * Tests.
 */
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


static hie_principal_t *
with_scope(const char *scope)
{
    return good(rs(apr_pstrcat(pool, "\"sub\":\"a\",\"aud\":\"" AUDIENCE
                               "\",\"exp\":1750000300,\"scope\":\"", scope,
                               "\"", NULL)));
}


/* What the scope allows for Patient, in the order cruds. */
static void
assert_may(const char *scope, const char *expected)
{
    static const hie_may_t  all[] = {
        HIE_MAY_CREATE, HIE_MAY_READ, HIE_MAY_UPDATE, HIE_MAY_DELETE,
        HIE_MAY_SEARCH
    };
    hie_principal_t  *p = with_scope(scope);
    char              got[6] = "";
    size_t            i, n = 0;

    for (i = 0; i < 5; i++) {
        if (hie_access_permits(p, all[i], HIE_STR("Patient"))) {
            got[n++] = "cruds"[i];
        }
    }
    got[n] = '\0';
    assert_string_equal(got, expected);
}


static void
test_scopes(void **state)
{
    static const char *const  table[][2] = {
        { "", "" }, { "openid fhirUser launch", "" },
        { "system/*.cruds", "cruds" }, { "user/*.cruds", "cruds" },
        { "system/Patient.r", "r" }, { "system/Patient.rs", "rs" },
        { "system/Patient.cud", "cud" }, { "user/Patient.read", "rs" },
        { "user/Patient.write", "cud" }, { "user/Patient.*", "cruds" },
        { "system/*.*", "cruds" }, { "system/Observation.rs", "" },
        { "system/Observation.rs system/Patient.s", "s" },
        { "system/Patient.c  user/Patient.r", "cr" },
        { "system/Patient.dus", "" }, { "system/Patient.sr", "" },
        { "system/Patient.rr", "" }, { "system/Patient.rx", "" },
        { "system/Patient.", "" }, { "system/Patient", "" },
        { "system/.rs", "" }, { "system/patient.rs", "" },
        { "system/Pat*.rs", "" }, { "system/**.rs", "" },
        { "system/Patient.rs?gender=male", "" },
        { "SYSTEM/Patient.rs", "" }, { "system /Patient.rs", "" },
        { "patient/Patient.rs", "" }, { "patient/*.cruds", "" },
        { "system/Patient.READ", "" }, { "system/Patient.rs.", "" },
        { "system//Patient.rs", "" }, { "hie/admin", "" }
    };
    hie_principal_t  *p;
    size_t            i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_may(table[i][0], table[i][1]);
    }

    p = with_scope("system/Patient.rs");
    assert_true(hie_access_permits(p, HIE_MAY_READ | HIE_MAY_SEARCH,
                                   HIE_STR("Patient")));
    assert_false(hie_access_permits(p, HIE_MAY_READ | HIE_MAY_CREATE,
                                    HIE_STR("Patient")));
    assert_false(hie_access_permits(p, HIE_MAY_READ, HIE_STR("Patien")));
    assert_false(hie_access_permits(p, 0, HIE_STR("Patient")));
    assert_false(hie_access_permits(NULL, HIE_MAY_READ, HIE_STR("Patient")));

    p = good(es("\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
                "\"scp\":[\"system/Patient.r\",\"x\"]"));
    assert_true(hie_access_permits(p, HIE_MAY_READ, HIE_STR("Patient")));
    p = good(es("\"sub\":\"a\",\"aud\":\"" AUDIENCE "\",\"exp\":1750000300,"
                "\"scp\":\"system/Patient.r system/Patient.s\""));
    assert_true(hie_access_permits(p, HIE_MAY_SEARCH, HIE_STR("Patient")));
    p = good(es("\"sub\":\"a\",\"aud\":\"" AUDIENCE
                "\",\"exp\":1750000300"));
    assert_int_equal(p->n_scopes, 0);
}


static void
test_administrator(void **state)
{
    const char  *rest = "\"sub\":\"a\",\"aud\":\"" AUDIENCE "\","
                        "\"exp\":1750000300,\"scope\":\"hie/admin\"";

    assert_true(good(rs(rest))->administrator);
    assert_false(good(es(rest))->administrator);
    assert_false(with_scope("hie/administrator")->administrator);
    assert_false(with_scope("xhie/admin")->administrator);
}


static void
test_organizations(void **state)
{
    hie_principal_t  *p;

    p = good(rs(GOOD ",\"organizations\":[\"Organization/a\",\"u|v\","
                "\"Organization/a\"],\"extensions\":{"
                "\"hl7-b2b\":{\"organization_id\":\"https://o.example\"},"
                "\"ihe_iua\":{\"subject_organization_id\":\"urn:oid:1.2\"},"
                "\"other\":7}"));
    assert_int_equal(p->n_organizations, 4);
    assert_true(hie_str_eqz(p->organizations[0], "Organization/a"));
    assert_true(hie_str_eqz(p->organizations[1], "u|v"));
    assert_true(hie_str_eqz(p->organizations[2], "https://o.example"));
    assert_true(hie_str_eqz(p->organizations[3], "urn:oid:1.2"));

    p = good(rs(GOOD ",\"extensions\":{\"hl7-b2b\":{}}"));
    assert_int_equal(p->n_organizations, 0);
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


static void
test_no_audience(void **state)
{
    hie_config_t      c = conf;
    hie_access_t     *a;
    hie_principal_t  *p;

    c.access.audience = NULL;
    assert_int_equal(hie_access_open(pool, &c, &a, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(
                         a, hie_str(rs("\"sub\":\"a\",\"exp\":1750000300")),
                         NOW, pool, &p, NULL), HIE_OK);
}


static void
test_two_keys(void **state)
{
    hie_config_issuer_t   two[2] = { issuers[1], issuers[0] };
    hie_config_t          c = conf;
    hie_principal_t      *p;
    hie_access_t         *a;

    /* an issuer on its way from ES256 to RS256 */
    two[0].issuer = RS_ISS;
    c.access.issuers = two;
    assert_int_equal(hie_access_open(pool, &c, &a, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(a, hie_str(rs(GOOD)), NOW, pool,
                                             &p, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(
                         a, hie_str(token(ec, "{\"alg\":\"ES256\"}",
                                          "{\"iss\":\"" RS_ISS "\"," GOOD
                                          "}")),
                         NOW, pool, &p, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(
                         a, hie_str(token(other_ec, "{\"alg\":\"ES256\"}",
                                          "{\"iss\":\"" RS_ISS "\"," GOOD
                                          "}")),
                         NOW, pool, &p, NULL), HIE_UNAUTHENTICATED);
}


static void
refuse_open(const char *file, const char *algorithm)
{
    hie_config_issuer_t   one = { RS_ISS, path_of(file), algorithm, false };
    hie_config_t          c = conf;
    hie_error_t           err = { 0 };
    hie_access_t         *a = (hie_access_t *) 1;

    c.access.n_issuers = 1;
    c.access.issuers = &one;
    assert_int_equal(hie_access_open(pool, &c, &a, &err), HIE_INVALID);
    assert_null(a);
    assert_true(err.detail[0] != '\0');
}


static void
test_open(void **state)
{
    FILE  *f = fopen(path_of("junk"), "w");

    fputs("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", f);
    fclose(f);

    refuse_open("junk", "RS256");
    refuse_open("absent", "RS256");
    refuse_open("small", "RS256");
    refuse_open("p384", "ES256");
    refuse_open("rsa", "ES256");
    refuse_open("ec", "RS256");
    refuse_open("rsa", "HS256");
    refuse_open("rsa", "none");
    refuse_open("rsa", NULL);
    refuse_open("rsa.key", "RS256");
}


static void
test_local(void **state)
{
    static const char  *organizations[] = { "Organization/own" };
    hie_config_t        c = conf;
    hie_access_t       *a;
    hie_principal_t    *p;

    c.access.local_subject = "desk";
    c.access.n_local_organizations = 1;
    c.access.local_organizations = organizations;
    assert_int_equal(hie_access_open(pool, &c, &a, NULL), HIE_OK);

    p = hie_access_local(a, pool);
    assert_true(hie_str_eqz(p->subject, "desk"));
    assert_true(hie_str_eqz(p->issuer, "local"));
    assert_false(p->administrator);
    assert_int_equal(p->n_organizations, 1);
    assert_true(hie_access_permits(p, HIE_MAY_DELETE, HIE_STR("Patient")));
    assert_true(p->expires > NOW);

    /* without issuers nobody else gets in */
    c.access.n_issuers = 0;
    assert_int_equal(hie_access_open(pool, &c, &a, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(a, hie_str(rs(GOOD)), NOW, pool,
                                             &p, NULL),
                     HIE_UNAUTHENTICATED);
}


static void
test_mint(void **state)
{
    static const char    *organizations[] = { "Organization/a", "u|v" };
    static const char    *keys[][2] = { { "rsa.key", RS_ISS },
                                        { "ec.key", ES_ISS } };
    hie_token_request_t   req = { "clerk", "user/*.rs hie/admin", 2,
                                  organizations, 60 };
    hie_config_t          c = conf;
    hie_principal_t      *p;
    const char           *t, *u;
    int                   i;

    for (i = 0; i < 2; i++) {
        c.access.sign_key_file = path_of(keys[i][0]);
        c.access.sign_issuer = keys[i][1];
        assert_int_equal(hie_access_mint(&c, &req, NOW, pool, &t, NULL),
                         HIE_OK);
        assert_int_equal(hie_access_mint(&c, &req, NOW, pool, &u, NULL),
                         HIE_OK);
        assert_string_not_equal(t, u);

        p = good(apr_pstrcat(pool, "Bearer ", t, NULL));
        assert_true(hie_str_eqz(p->subject, "clerk"));
        assert_true(hie_str_eqz(p->client, "clerk"));
        assert_true(p->expires == NOW + apr_time_from_sec(60));
        assert_int_equal(p->n_organizations, 2);
        assert_true(p->administrator == (i == 0));
        assert_true(hie_access_permits(p, HIE_MAY_SEARCH,
                                       HIE_STR("Observation")));
        expect_at(apr_pstrcat(pool, "Bearer ", t, NULL),
                  NOW + apr_time_from_sec(70), "the token is expired");
    }
}


static void
refuse_mint(hie_config_t *c, hie_token_request_t req)
{
    const char   *t = "x";
    hie_error_t   err = { 0 };

    assert_int_equal(hie_access_mint(c, &req, NOW, pool, &t, &err),
                     HIE_INVALID);
    assert_null(t);
    assert_true(err.detail[0] != '\0');
}


static void
test_mint_refused(void **state)
{
    hie_token_request_t   req = { "s", NULL, 0, NULL, 60 };
    hie_config_t          c = conf;
    const char           *t;
    char                 *big = apr_pcalloc(pool, 8001);

    refuse_mint(&c, req);
    c.access.sign_issuer = RS_ISS;
    c.access.sign_key_file = path_of("absent");
    refuse_mint(&c, req);
    c.access.sign_key_file = path_of("small.key");
    refuse_mint(&c, req);
    c.access.sign_key_file = path_of("p384.key");
    refuse_mint(&c, req);
    c.access.sign_key_file = path_of("rsa");
    refuse_mint(&c, req);

    c.access.sign_key_file = path_of("rsa.key");
    assert_int_equal(hie_access_mint(&c, &req, NOW, pool, &t, NULL), HIE_OK);
    req.seconds = 0;
    refuse_mint(&c, req);
    req.seconds = 400 * 24 * 3600;
    refuse_mint(&c, req);
    req.seconds = 60;
    req.subject = "";
    refuse_mint(&c, req);
    req.subject = "\xff";
    refuse_mint(&c, req);
    memset(big, 'a', 8000);
    req.subject = big;
    refuse_mint(&c, req);
}


static void
test_lifetime(void **state)
{
    const char       *t = rs(GOOD ",\"jti\":\"lifetime\"");
    apr_pool_t       *job = hie_pool_create(NULL, "job");
    apr_pool_t       *own = hie_pool_create(NULL, "own");
    hie_access_t     *a;
    hie_principal_t  *p, *q;

    /* a principal outlives the access that verified it */
    assert_int_equal(hie_access_open(own, &conf, &a, NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(a, hie_str(t), NOW, job, &p,
                                             NULL), HIE_OK);
    assert_int_equal(hie_access_authenticate(a, hie_str(t), NOW, job, &q,
                                             NULL), HIE_OK);
    assert_ptr_equal(p->subject.ptr, q->subject.ptr);
    apr_pool_destroy(own);
    assert_true(hie_str_eqz(p->subject, "app"));
    apr_pool_destroy(job);
}


static void
test_replacement(void **state)
{
    apr_pool_t       *own = hie_pool_create(NULL, "own");
    hie_access_t     *a;
    hie_principal_t  *p;
    int               i, k;

    /* more tokens than there are places; each is itself again afterwards */
    assert_int_equal(hie_access_open(own, &conf, &a, NULL), HIE_OK);
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 6000; i += k == 0 ? 1 : 97) {
            apr_pool_t  *job = hie_pool_create(NULL, "job");
            apr_pool_t  *all = pool;
            char         sub[16];

            pool = job;
            snprintf(sub, sizeof(sub), "s%d", i);
            assert_int_equal(hie_access_authenticate(
                                 a, hie_str(es(apr_psprintf(job,
                                     "\"sub\":\"%s\",\"aud\":\"" AUDIENCE
                                     "\",\"exp\":1750000300", sub))),
                                 NOW, job, &p, NULL), HIE_OK);
            assert_true(hie_str_eqz(p->subject, sub));
            pool = all;
            apr_pool_destroy(job);
        }
    }
    apr_pool_destroy(own);
}


static const char  *shared_tokens[8];

static void *
hammer(void *arg)
{
    apr_pool_t       *job;
    hie_principal_t  *p;
    int               i;

    for (i = 0; i < 2000; i++) {
        job = hie_pool_create(NULL, "job");
        if (hie_access_authenticate(access_, hie_str(shared_tokens[i % 8]),
                                    NOW, job, &p, NULL) != HIE_OK
            || p->subject.ptr[0] != 'a')
        {
            return arg;
        }
        apr_pool_destroy(job);
    }
    return NULL;
}


static void
test_threads(void **state)
{
    pthread_t  threads[4];
    void      *result;
    int        i;

    for (i = 0; i < 8; i++) {
        shared_tokens[i] = rs(apr_psprintf(pool, GOOD ",\"jti\":\"t%d\"",
                                           i));
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &threads),
                         0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
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
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_administrator),
        cmocka_unit_test(test_organizations),
        cmocka_unit_test(test_same_words),
        cmocka_unit_test(test_no_audience),
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_mint),
        cmocka_unit_test(test_mint_refused),
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_threads)
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
