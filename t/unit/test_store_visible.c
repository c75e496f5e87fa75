/*
 * store: who sees what, and that what is withheld changes no answer.
 */

#include "docs_tool.h"

#include <string.h>

#include <apr_strings.h>


/*
 * Rows.
 */
static void
put_consent(const char *id, int64_t version, const hie_consent_row_t *rows,
            int n)
{
    hie_put_t  put = make_put("Consent", id, version, "{}", NULL, NULL, NULL);

    put.n_consents = n;
    put.consents = rows;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


typedef struct {
    bool         consent;        /* is there one? */
    bool         base_permit;
    bool         permits_me;
    bool         denies_me;
    int          period;         /* -1 over, 0 in force, 1 not yet */
    bool         default_permit;
    bool         visible;
} truth_t;

static const truth_t  truths[] = {
    /* no consent: the default */
    { false, false, false, false,  0, true,  true },
    { false, false, false, false,  0, false, false },
    /* base permit */
    { true,  true,  false, false,  0, true,  true },
    { true,  true,  false, false,  0, false, true },
    { true,  true,  true,  false,  0, true,  true },
    { true,  true,  true,  false,  0, false, true },
    { true,  true,  false, true,   0, true,  false },
    { true,  true,  false, true,   0, false, false },
    { true,  true,  true,  true,   0, true,  false },
    { true,  true,  true,  true,   0, false, false },
    /* base deny */
    { true,  false, false, false,  0, true,  false },
    { true,  false, false, false,  0, false, false },
    { true,  false, true,  false,  0, true,  true },
    { true,  false, true,  false,  0, false, true },
    { true,  false, false, true,   0, true,  false },
    { true,  false, false, true,   0, false, false },
    { true,  false, true,  true,   0, true,  false },
    { true,  false, true,  true,   0, false, false },
    /* not in force: as if there were none */
    { true,  false, false, true,  -1, true,  true },
    { true,  false, false, true,   1, true,  true },
    { true,  true,  true,  false, -1, false, false },
    { true,  true,  true,  false,  1, false, false }
};


/* All ways to see a row must agree. */
static void
check_visible(const hie_visible_t *v, bool expected, int line)
{
    uint64_t            token = key("t");
    hie_criterion_t     any = { .kind = HIE_CRITERION_TOKENS, .n = 1,
                                .keys = &token };
    hie_criteria_t      criteria = { 0, &any };
    hie_str_t           type = HIE_STR("Observation");
    hie_query_t         q = { .n_types = 1, .types = &type,
                              .criteria = &criteria,
                              .total = HIE_TOTAL_ACCURATE };
    hie_found_t         found;
    hie_store_tx_t     *tx;
    hie_row_t           row;
    hie_store_current_t now;
    hie_rc_t            rc = expected ? HIE_OK : HIE_NOT_FOUND;
    int                 i;

    if (read_one(v, "Observation", "o", 0, &row) != rc
        || read_one(v, "Observation", "o", 1, &row) != rc
        || read_one(v, "Observation", "o", 2, &row) != rc)
    {
        fail_msg("read, truth %d", line);
    }

    for (i = 0; i < 4; i++) {
        criteria.n = i % 2;
        q.count = i / 2 * 5;
        assert_int_equal(hie_store_search(store, v, &q, pool, &found, NULL),
                         HIE_OK);
        if (found.total != expected || found.n != (q.count > 0 && expected)
            || found.more)
        {
            fail_msg("search %d, truth %d", i, line);
        }
    }

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    q.count = 5;
    assert_int_equal(hie_store_find(tx, v, NULL, 0, &q, 1, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.n, expected);
    assert_true(lock_row(tx, v, "Observation", "o", &now));
    assert_int_equal(now.visible, expected);
    hie_store_rollback(tx);
}


static void
test_visibility(void **state)
{
    uint64_t            me = hie_store_actor_key(HIE_STR("Organization/me"));
    uint64_t            actors[] = { key("another"), me };
    hie_consent_row_t   c = { .patient = key("a") };
    hie_visible_t       v = { .n_actors = 2, .actors = actors };
    apr_time_t          day = apr_time_from_sec(86400);
    int64_t             version = 0;
    size_t              i;

    put_one("Observation", "o", 1, "{}", "a", "t", NULL);
    put_one("Observation", "o", 2, "{}", "a", "t", NULL);

    for (i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        const truth_t  *t = &truths[i];

        c.base_permit = t->base_permit;
        c.n_permit = t->permits_me;
        c.permit = &me;
        c.n_deny = t->denies_me;
        c.deny = &me;
        c.from = t->period > 0 ? apr_time_now() + day : 0;
        c.until = t->period < 0 ? apr_time_now() - day : 0;
        put_consent("c", ++version, &c, t->consent);

        v.default_permit = t->default_permit;
        check_visible(&v, t->visible, (int) i);
        check_visible(&all, true, (int) i);
    }
}


/* One denial is enough; every patient needs a permission of its own. */
static void
test_visibility_combined(void **state)
{
    hie_consent_row_t  rows[] = {
        { .patient = key("a"), .base_permit = true },
        { .patient = key("b"), .base_permit = false }
    };
    hie_visible_t      permit = { .default_permit = true };
    hie_visible_t      deny = { .default_permit = false };
    hie_put_t          put = make_put("Encounter", "e", 1, "{}", "a", NULL,
                                      NULL);
    uint64_t           both[] = { key("a"), key("b") };
    hie_row_t          row;

    put.relations->n_patients = 2;
    put.relations->patients = both;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    put_one("Organization", "o", 1, "{}", NULL, NULL, NULL);

    assert_int_equal(read_one(&permit, "Encounter", "e", 0, &row), HIE_OK);
    put_consent("c", 1, rows, 1);
    assert_int_equal(read_one(&permit, "Encounter", "e", 0, &row), HIE_OK);
    assert_int_equal(read_one(&deny, "Encounter", "e", 0, &row),
                     HIE_NOT_FOUND);
    put_consent("c", 2, rows, 2);
    assert_int_equal(read_one(&permit, "Encounter", "e", 0, &row),
                     HIE_NOT_FOUND);
    rows[1].base_permit = true;
    put_consent("c", 3, rows, 2);
    assert_int_equal(read_one(&deny, "Encounter", "e", 0, &row), HIE_OK);

    /* a second Consent of the same patient that denies */
    rows[0].base_permit = false;
    put_consent("d", 1, rows, 1);
    assert_int_equal(read_one(&deny, "Encounter", "e", 0, &row),
                     HIE_NOT_FOUND);
    assert_int_equal(read_one(&permit, "Encounter", "e", 0, &row),
                     HIE_NOT_FOUND);

    /* nobody's data */
    assert_int_equal(read_one(&deny, "Organization", "o", 0, &row), HIE_OK);
    assert_int_equal(read_one(&permit, "Organization", "o", 0, &row), HIE_OK);
}


/* The row's patients of today withhold yesterday's version, and a version's
 * own patients do too. */
static void
test_visibility_of_versions(void **state)
{
    hie_consent_row_t  c = { .patient = key("b"), .base_permit = false };
    hie_visible_t      v = { .default_permit = true };
    hie_row_t          row;

    put_one("Observation", "x", 1, "of a", "a", NULL, NULL);
    put_one("Observation", "x", 2, "of b", "b", NULL, NULL);
    put_one("Observation", "y", 1, "of b", "b", NULL, NULL);
    put_one("Observation", "y", 2, "of a", "a", NULL, NULL);
    put_consent("c", 1, &c, 1);

    assert_int_equal(read_one(&v, "Observation", "x", 1, &row),
                     HIE_NOT_FOUND);
    assert_int_equal(read_one(&v, "Observation", "y", 1, &row),
                     HIE_NOT_FOUND);
    assert_int_equal(read_one(&v, "Observation", "y", 2, &row), HIE_OK);
    assert_int_equal(read_one(&v, "Observation", "y", 0, &row), HIE_OK);
}


static void
test_withheld(void **state)
{
    uint64_t           me = hie_store_actor_key(HIE_STR("Organization/me"));
    hie_consent_row_t  rows[] = {
        { .patient = UINT64_MAX - 1, .base_permit = false },
        { .patient = 3, .base_permit = true },
        { .patient = 9, .base_permit = true, .n_deny = 1, .deny = &me },
        { .patient = 4, .base_permit = false, .n_permit = 1, .permit = &me }
    };
    hie_visible_t      v = { .default_permit = true, .n_actors = 1,
                             .actors = &me };
    uint64_t          *patients;
    int                n;

    assert_int_equal(hie_store_withheld(store, &v, pool, &patients, &n, NULL),
                     HIE_OK);
    assert_int_equal(n, 0);
    put_consent("c", 1, rows, 4);

    assert_int_equal(hie_store_withheld(store, &v, pool, &patients, &n, NULL),
                     HIE_OK);
    assert_int_equal(n, 2);
    assert_true(patients[0] == 9 && patients[1] == UINT64_MAX - 1);

    v.default_permit = false;
    assert_int_equal(hie_store_withheld(store, &v, pool, &patients, &n, NULL),
                     HIE_OK);
    assert_int_equal(n, 2);
    assert_true(patients[0] == 3 && patients[1] == 4);

    assert_int_equal(hie_store_withheld(store, &all, pool, &patients, &n,
                                        NULL), HIE_OK);
    assert_int_equal(n, 0);
}


/*
 * What is withheld changes no answer. Each case is about one patient, "secret":
 * the answer to whoever may see the data, and that to whoever may not, which
 * is the one without it.
 */
typedef struct {
    const char  *query;
    const char  *with;           /* ids */
    const char  *without;
} influence_t;

static const influence_t  influences[] = {
    /* as a match */
    { "Patient?_sort=_id", "open other secret", "open other" },
    { "Patient?gender=male&_sort=_id", "open secret", "open" },
    { "Patient?gender:not=female&_sort=_id", "open secret", "open" },
    { "Patient?birthdate:missing=false&_sort=-birthdate",
      "secret other open", "other open" },
    { "Patient?_text=hidden", "secret", "" },
    { "Patient?_content=secret", "secret", "" },
    { "Patient?_lastUpdated=ge2000&_sort=_id", "open other secret",
      "open other" },
    { "Observation?status=final&_sort=_id", "o-open o-other o-secret",
      "o-open o-other" },
    { "Observation?_id=o-secret", "o-secret", "" },
    { "Observation?patient=secret", "o-secret", "" },
    { "Observation?value-quantity=gt8", "o-secret", "" },
    { "Observation?code:text=rare", "o-secret", "" },
    { "Observation?date=ge2022", "o-secret", "" },
    { "Observation?patient.name=secret", "o-secret", "" },
    { "Observation?_filter=not (patient.name eq \"open\")&_sort=_id",
      "o-other o-secret", "o-other" },
    /* as what a reference leads to */
    { "DiagnosticReport?result.status=final&_sort=_id", "d-open d-secret",
      "d-open" },
    { "DiagnosticReport?result.value-quantity=gt8", "d-secret", "" },
    { "DiagnosticReport?result.date=ge2022", "d-secret", "" },
    { "DiagnosticReport?result.code:text=rare", "d-secret", "" },
    { "DiagnosticReport?result.code:not=x&_sort=_id", "d-open d-secret",
      "d-open" },
    { "DiagnosticReport?result.patient.name=secret", "d-secret", "" },
    { "DiagnosticReport?_filter=not (result.status eq final)", "",
      "d-secret" },
    { "DiagnosticReport?_filter=not (result.date ge 2022)&_sort=_id",
      "d-open", "d-open d-secret" },
    /* as what refers */
    { "Organization?_has:Patient:organization:name=secret", "org-secret",
      "" },
    { "Organization?_has:Patient:organization:gender=male&_sort=_id",
      "org-open org-secret", "org-open" },
    { "Organization?_filter=not (_has:Patient:organization:gender eq male)"
      "&_sort=_id", "org-other", "org-other org-secret" },
    { "Practitioner?_has:Observation:performer:status=final", "doc", "" },
    { "Practitioner?_has:Observation:performer:patient.name=secret", "doc",
      "" },
    { "Practitioner?_has:Observation:performer:"
      "_has:DiagnosticReport:result:_id=d-secret", "doc", "" },
    { "Questionnaire?_has:QuestionnaireResponse:questionnaire:"
      "status=completed", "q", "" },
    { "Questionnaire?_filter=not (_has:QuestionnaireResponse:questionnaire:"
      "status eq completed)", "", "q" },
    { "Organization?_list=l", "org-secret", "" },
    /* as what decides the order */
    { "DiagnosticReport?_sort=-result.date", "d-secret d-open",
      "d-open d-secret" },
    { "DiagnosticReport?_sort=-result.value-quantity", "d-secret d-open",
      "d-open d-secret" },
    { "DiagnosticReport?_sort=-result.code", "d-secret d-open",
      "d-open d-secret" },
    { "DiagnosticReport?_sort=-result._id", "d-secret d-open",
      "d-open d-secret" },
    { "DiagnosticReport?_sort=-result", "d-secret d-open",
      "d-open d-secret" }
};

#define N_INFLUENCES  (sizeof(influences) / sizeof(influences[0]))


static void
put_data_of(const char *name, int i, bool secret)
{
    docs_add("Organization", apr_pstrcat(pool, "org-", name, NULL),
             "\"name\":\"Clinic\"");
    docs_add("Patient", name, "\"name\":[{\"family\":\"%s\"}],\"gender\":"
             "\"%s\",\"birthDate\":\"19%d0\",\"managingOrganization\":"
             "{\"reference\":\"Organization/org-%s\"}%s", name,
             i == 1 ? "female" : "male", i + 5, name,
             secret ? ",\"text\":{\"status\":\"generated\",\"div\":"
                      "\"<div>hidden</div>\"}" : "");
    docs_add("Observation", apr_pstrcat(pool, "o-", name, NULL),
             "\"status\":\"final\",\"code\":{\"coding\":[{\"code\":\"%d\"}],"
             "\"text\":\"%s\"},\"subject\":{\"reference\":\"Patient/%s\"},"
             "\"effectiveDateTime\":\"202%d\",\"valueQuantity\":{\"value\":%d}"
             "%s", i, secret ? "rare" : "common", name, i, i * 5,
             secret ? ",\"performer\":[{\"reference\":\"Practitioner/doc\"}]"
                    : "");
    if (i != 1) {
        docs_add("DiagnosticReport", apr_pstrcat(pool, "d-", name, NULL),
                 "\"status\":\"final\",\"code\":{\"text\":\"x\"},\"result\":"
                 "[{\"reference\":\"Observation/o-%s\"}]", name);
    }
}


static void
put_data(void)
{
    docs_add("Practitioner", "doc", "\"active\":true");
    docs_add("Questionnaire", "q", "\"url\":\"http://q\",\"status\":"
             "\"active\"");
    put_data_of("open", 0, false);
    put_data_of("other", 1, false);
    put_data_of("secret", 2, true);
    docs_add("QuestionnaireResponse", "qr", "\"questionnaire\":\"http://q\","
             "\"status\":\"completed\",\"subject\":{\"reference\":"
             "\"Patient/secret\"}");
    docs_add("List", "l", "\"status\":\"current\",\"mode\":\"working\","
             "\"subject\":{\"reference\":\"Patient/secret\"},\"entry\":["
             "{\"item\":{\"reference\":\"Organization/org-secret\"}}]");
    docs_store();
}


static int
words_in(const char *ids)
{
    int  n = ids[0] != '\0';

    for ( ; *ids != '\0'; ids++) {
        n += *ids == ' ';
    }
    return n;
}


static void
check_answer(const influence_t *c, const char *ids, const hie_visible_t *v)
{
    asked_t      *a = ask(c->query, 10);
    hie_found_t   found;
    int           i;

    for (i = 0; i < 4; i++) {
        a->q.total = i % 2 ? HIE_TOTAL_ACCURATE : HIE_TOTAL_ESTIMATE;
        found = find(a, v);
        if (strcmp(ids_of_rows(found.rows, found.n), ids) != 0
            || found.total != words_in(ids))
        {
            fail_msg("%s: found %s, %d in all; expected %s", c->query,
                     ids_of_rows(found.rows, found.n), (int) found.total,
                     ids);
        }
        if (i == 1) {
            wall(a);
        }
    }
}


static void
test_no_influence(void **state)
{
    size_t  i;

    put_data();
    for (i = 0; i < N_INFLUENCES; i++) {
        check_answer(&influences[i], influences[i].with, &docs_seers[0]);
        check_answer(&influences[i], influences[i].with, &docs_seers[1]);
    }
    docs_consent("secret", false, NULL, NULL);
    docs_store();
    for (i = 0; i < N_INFLUENCES; i++) {
        check_answer(&influences[i], influences[i].with, &docs_seers[0]);
        check_answer(&influences[i], influences[i].without, &docs_seers[1]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_visibility), TEST(test_visibility_combined),
        TEST(test_visibility_of_versions), TEST(test_withheld),
        DOCS_TEST(test_no_influence)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
