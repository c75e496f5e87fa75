/*
 * access: keys and issuers, local users, tokens that are made here, and the
 * tokens that are remembered.
 */

#include "access_tool.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>


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

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
