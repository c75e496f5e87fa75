/*
 * store: who sees what, search, and how it is done.
 */

#include "store_tool.h"

#include <unistd.h>

#include <apr_strings.h>


/*
 * Visibility.
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
    hie_query_token_t   any = { 1, &token };
    hie_query_t         q = { .type = HIE_STR("Observation"), .count = 5,
                              .total = true };
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
        q.n_tokens = i % 2;
        q.tokens = &any;
        q.count = i / 2 * 5;
        assert_int_equal(hie_store_search(store, v, &q, pool, &found, NULL),
                         HIE_OK);
        if (found.total != expected || found.n != (q.count > 0 && expected)
            || found.next != 0)
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
    hie_index_t       *x = (hie_index_t *) put.index;
    hie_row_t          row;

    x->n_patients = 2;
    x->patients = both;
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
 * Search.
 */
static int
search_count(const hie_query_t *q)
{
    hie_found_t  found;

    assert_int_equal(hie_store_search(store, &all, q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.total, found.n);
    return found.n;
}


static void
test_search_tokens(void **state)
{
    uint64_t            k[] = { key("t1"), key("t2"), key("t3") };
    hie_query_token_t   tokens[] = { { 1, &k[0] }, { 1, &k[1] } };
    hie_query_token_t   either = { 2, k };
    hie_query_token_t   mixed[] = { { 1, &k[0] }, { 2, &k[1] } };
    hie_query_t         q = { .type = HIE_STR("Observation"), .count = 10,
                              .total = true, .n_tokens = 1,
                              .tokens = tokens };
    hie_put_t           put = make_put("Observation", "both", 1, "{}", NULL,
                                       NULL, NULL);
    hie_index_t        *x = (hie_index_t *) put.index;

    put_one("Observation", "one", 1, "{}", NULL, "t1", NULL);
    put_one("Observation", "two", 1, "{}", NULL, "t2", NULL);
    put_one("Patient", "other", 1, "{}", NULL, "t1", NULL);
    x->n_tokens = 2;
    x->tokens = k;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);

    assert_int_equal(search_count(&q), 2);
    q.n_tokens = 2;
    assert_int_equal(search_count(&q), 1);
    q.n_tokens = 1;
    q.tokens = &either;
    assert_int_equal(search_count(&q), 3);
    q.n_tokens = 2;
    q.tokens = mixed;
    assert_int_equal(search_count(&q), 1);

    /* a criterion that nothing can fulfil */
    either.n = 0;
    q.n_tokens = 1;
    q.tokens = &either;
    assert_int_equal(search_count(&q), 0);
}


static int
search_name(hie_query_match_t match, const char *a, const char *b)
{
    hie_str_t           any[] = { hie_str(a), hie_str(b) };
    hie_query_string_t  s = { "name", match, b != NULL ? 2 : 1, any };
    hie_query_t         q = { .type = HIE_STR("Patient"), .count = 10,
                              .total = true, .n_strings = 1, .strings = &s };

    return search_count(&q);
}


static void
test_search_strings(void **state)
{
    char  *lengthy = apr_palloc(pool, 5001);

    memset(lengthy, 'z', 5000);
    lengthy[5000] = '\0';
    put_one("Patient", "1", 1, "{}", NULL, NULL, "smith");
    put_one("Patient", "2", 1, "{}", NULL, NULL, "smithers");
    put_one("Patient", "3", 1, "{}", NULL, NULL, "m\xc3\xbcller 100%_\\");
    put_one("Patient", "4", 1, "{}", NULL, NULL, lengthy);
    put_one("Practitioner", "5", 1, "{}", NULL, NULL, "smith");

    assert_int_equal(search_name(HIE_MATCH_PREFIX, "smi", NULL), 2);
    assert_int_equal(search_name(HIE_MATCH_PREFIX, "smith", NULL), 2);
    assert_int_equal(search_name(HIE_MATCH_PREFIX, "mith", NULL), 0);
    assert_int_equal(search_name(HIE_MATCH_PREFIX, "smithers", "m"), 2);
    assert_int_equal(search_name(HIE_MATCH_PREFIX, "", NULL), 4);
    assert_int_equal(search_name(HIE_MATCH_PREFIX, "%", NULL), 0);
    assert_int_equal(search_name(HIE_MATCH_EXACT, "smith", NULL), 1);
    assert_int_equal(search_name(HIE_MATCH_EXACT, "smi", NULL), 0);
    assert_int_equal(search_name(HIE_MATCH_EXACT, lengthy, NULL), 1);
    assert_int_equal(search_name(HIE_MATCH_CONTAINS, "mith", NULL), 2);
    assert_int_equal(search_name(HIE_MATCH_CONTAINS, "%_", NULL), 1);
    assert_int_equal(search_name(HIE_MATCH_CONTAINS, "__", NULL), 0);
    assert_int_equal(search_name(HIE_MATCH_CONTAINS, "\xc3\xbc", "x"), 1);
}


static void
test_search_combined(void **state)
{
    uint64_t            k = key("t");
    hie_query_token_t   token = { 1, &k };
    hie_str_t           names[] = { HIE_STR("a") };
    hie_str_t           others[] = { HIE_STR("lph") };
    hie_query_string_t  strings[] = {
        { "name", HIE_MATCH_PREFIX, 1, names },
        { "name", HIE_MATCH_CONTAINS, 1, others }
    };
    hie_str_t           ids[] = { HIE_STR("1"), HIE_STR("3"), HIE_STR("9") };
    hie_query_t         q = { .type = HIE_STR("Patient"), .count = 10,
                              .total = true };

    put_one("Patient", "1", 1, "{}", NULL, "t", "alpha");
    put_one("Patient", "2", 1, "{}", NULL, "t", "beta");
    put_one("Patient", "3", 1, "{}", NULL, "u", "alpha");
    put_one("Patient", "4", 1, "{}", NULL, "t", "alef");

    q.n_ids = 3;
    q.ids = ids;
    assert_int_equal(search_count(&q), 2);
    q.n_tokens = 1;
    q.tokens = &token;
    assert_int_equal(search_count(&q), 1);
    q.n_ids = 0;
    assert_int_equal(search_count(&q), 3);
    q.n_strings = 1;
    q.strings = strings;
    assert_int_equal(search_count(&q), 2);
    q.n_strings = 2;
    assert_int_equal(search_count(&q), 1);
    q.n_ids = 3;
    assert_int_equal(search_count(&q), 1);
    q.n_strings = 60;
    assert_int_equal(hie_store_search(store, &all, &q, pool,
                                      &(hie_found_t) { 0 }, NULL),
                     HIE_INVALID);
}


static void
walk_pages(hie_query_t *q, int expected)
{
    hie_found_t  found;
    char         id[8];
    int          seen = 0;
    int          i;

    q->after = 0;
    do {
        assert_int_equal(hie_store_search(store, &all, q, pool, &found, NULL),
                         HIE_OK);
        assert_int_equal(found.total, q->total ? expected : -1);
        for (i = 0; i < found.n; i++) {
            apr_snprintf(id, sizeof(id), "%d", seen++);
            assert_true(hie_str_eqz(found.rows[i].id, id));
            assert_true(body_is(&found.rows[i], "{}"));
            assert_int_equal(found.rows[i].version, 1);
        }
        q->after = found.next;
    } while (found.next != 0);
    assert_int_equal(seen, expected);
}


static void
test_search_pages(void **state)
{
    uint64_t            k = key("t");
    hie_query_token_t   token = { 1, &k };
    hie_query_t         q = { .type = HIE_STR("Patient"), .count = 4,
                              .tokens = &token };
    hie_found_t         found;
    int                 i;

    for (i = 0; i < 12; i++) {
        put_one("Patient", apr_psprintf(pool, "%d", i), 1, "{}", NULL, "t",
                NULL);
    }
    for (i = 0; i < 4; i++) {
        q.n_tokens = i % 2;
        q.total = i / 2;
        q.count = 4;
        walk_pages(&q, 12);
        q.count = 5;
        walk_pages(&q, 12);
    }

    /* beyond the end the total is still there */
    q.after = INT64_MAX;
    assert_int_equal(hie_store_search(store, &all, &q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.n, 0);
    assert_int_equal(found.total, 12);
}


/*
 * Plans: no shape of a query may read a whole table. What the statements read
 * is in the statistics; the values here match nothing or little.
 */
typedef struct {
    long  scans;         /* sequential, of any table */
    long  fetched;       /* rows of hie.resource, by whatever index */
} reading_t;


static void
search_shapes(hie_store_t *s, const hie_visible_t *v, int first, int end)
{
    uint64_t            k[] = { 40001, 40003 };
    hie_query_token_t   tokens[] = { { 1, k }, { 2, k } };
    hie_str_t           any[] = { HIE_STR("x") };
    hie_query_string_t  strings[] = {
        { "name", HIE_MATCH_PREFIX, 1, any },
        { "name", HIE_MATCH_EXACT, 1, any },
        { "name", HIE_MATCH_CONTAINS, 1, any }
    };
    hie_query_t         q;
    hie_found_t         found;
    int                 i;

    for (i = first; i < end; i++) {
        q = (hie_query_t) {
            .type = HIE_STR("Observation"), .count = i / 2 % 2 * 10,
            .total = i % 2, .n_ids = i / 4 % 2, .ids = any,
            .n_tokens = i / 8 % 3, .tokens = tokens,
            .n_strings = i / 24 > 0, .strings = &strings[(i / 24 + 2) % 3]
        };
        assert_int_equal(hie_store_search(s, v, &q, pool, &found, NULL),
                         HIE_OK);
    }
}


/* A store of its own: its connections have told what they read when they are
 * closed. */
static reading_t
read_by(const hie_visible_t *v, int first, int end)
{
    hie_config_t   c = conf;
    hie_store_t   *s;
    hie_row_t      row;
    reading_t      r;
    int            i;

    c.database.conninfo = apr_pstrcat(pool, conf.database.conninfo,
                                      " application_name=plans", NULL);
    s = open_store(&c);
    assert_int_equal(hie_store_ping(s, NULL), HIE_OK);
    sql("SELECT pg_stat_reset()");
    if (end == 0) {
        for (i = 0; i < 2; i++) {
            assert_int_equal(hie_store_read(s, v, HIE_STR("Observation"),
                                            HIE_STR("7"), i, pool, &row,
                                            NULL), HIE_OK);
        }
    }
    search_shapes(s, v, first, end);
    hie_store_close(s);

    for (i = 0; i < 500 && sql_number("SELECT count(*) FROM pg_stat_activity"
                                      " WHERE application_name = 'plans'"
                                      " AND datname = current_database()") > 0;
         i++)
    {
        usleep(10000);
    }
    r.scans = sql_number("SELECT sum(seq_scan) FROM pg_stat_user_tables"
                         " WHERE schemaname = 'hie' AND relname IN"
                         " ('resource', 'resource_history', 'consent',"
                         " 'resource_string')");
    r.fetched = sql_number("SELECT idx_tup_fetch FROM pg_stat_user_tables"
                           " WHERE schemaname = 'hie'"
                           " AND relname = 'resource'");
    return r;
}


static void
check_reading(const hie_visible_t *v)
{
    reading_t  r;
    int        i;

    r = read_by(v, 0, 0);
    assert_int_equal(r.scans, 0);
    assert_in_range(r.fetched, 1, 4);

    /* the first page of a type reads a page; 0, 1 and 3 count all */
    r = read_by(v, 2, 3);
    assert_int_equal(r.scans, 0);
    assert_in_range(r.fetched, 11, 20);

    for (i = 4; i < 96; i += 4) {
        r = read_by(v, i, i + 4);
        if (r.scans != 0 || r.fetched > 30) {
            fail_msg("shapes from %d: %ld scans, %ld rows", i, r.scans,
                     r.fetched);
        }
    }
}


static void
test_plans(void **state)
{
    hie_visible_t  v = { .default_permit = true };

    sql("INSERT INTO hie.resource (version, updated, type, id, patients,"
        " tokens, body) SELECT 1, now(), CASE WHEN i % 10 = 0 THEN 'Patient'"
        " ELSE 'Observation' END, i::text, ARRAY[i % 1000],"
        " ARRAY[i % 7, i, i % 500 + 1000000], '\\x00'"
        " FROM generate_series(1, 50000) i");
    sql("INSERT INTO hie.resource_string (rid, type, param, value)"
        " SELECT rid, type, 'name', 'n' || id FROM hie.resource");
    sql("INSERT INTO hie.consent (patient, base_permit, consent_id, permit,"
        " deny) SELECT i, true, i::text, '{}', '{}'"
        " FROM generate_series(0, 999) i");
    sql("VACUUM ANALYZE hie.resource, hie.resource_string, hie.consent");
    /* what this connection did must not be counted later */
    sql("SELECT pg_stat_force_next_flush()");

    check_reading(&all);
    check_reading(&v);
    v.default_permit = false;
    check_reading(&v);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_visibility), TEST(test_visibility_combined),
        TEST(test_visibility_of_versions), TEST(test_withheld),
        TEST(test_search_tokens), TEST(test_search_strings),
        TEST(test_search_combined), TEST(test_search_pages), TEST(test_plans)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
