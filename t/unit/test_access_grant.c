/*
 * access: what a valid token allows, and for whom.
 */

#include "access_tool.h"

#include <string.h>

#include <apr_strings.h>


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_administrator),
        cmocka_unit_test(test_organizations)
    };

    return cmocka_run_group_tests(tests, tool_set_up, tool_tear_down);
}
