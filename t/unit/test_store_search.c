/*
 * store: search by tokens, strings and ids, and what the statements read.
 */

#include "store_tool.h"

#include <unistd.h>

#include <apr_strings.h>


/*
 * Criteria.
 */
static hie_criterion_t
tokens_of(uint64_t *keys, int n)
{
    return (hie_criterion_t) {
        .kind = HIE_CRITERION_TOKENS, .n = n, .keys = keys
    };
}


static hie_criterion_t
ids_of(hie_str_t *ids, int n)
{
    return (hie_criterion_t) {
        .kind = HIE_CRITERION_IDS, .n = n, .ids = ids
    };
}


/* Of Patient's parameter "name", one value or two. */
static hie_criterion_t
strings_of(const char *type, hie_text_match_t match, const char *a,
           const char *b)
{
    hie_text_value_t  *texts = apr_pcalloc(pool, 2 * sizeof(*texts));

    texts[0].match = match;
    texts[0].value = hie_str(a);
    texts[0].of.slot = hie_search_param_key(type, "name");
    texts[1] = texts[0];
    texts[1].value = hie_str(b);
    return (hie_criterion_t) {
        .kind = HIE_CRITERION_STRINGS, .n = b != NULL ? 2 : 1, .texts = texts
    };
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
    uint64_t         k[] = { key("t1"), key("t2"), key("t3") };
    hie_criterion_t  c[2] = { tokens_of(&k[0], 1), tokens_of(&k[1], 1) };
    hie_criteria_t   criteria = { 1, c };
    hie_str_t        type = HIE_STR("Observation");
    hie_query_t      q = { .n_types = 1, .types = &type, .count = 10,
                           .criteria = &criteria,
                           .total = HIE_TOTAL_ACCURATE };
    hie_put_t        put = make_put("Observation", "both", 1, "{}", NULL,
                                    NULL, NULL);

    put_one("Observation", "one", 1, "{}", NULL, "t1", NULL);
    put_one("Observation", "two", 1, "{}", NULL, "t2", NULL);
    put_one("Patient", "other", 1, "{}", NULL, "t1", NULL);
    put_values(&put)->n_tokens = 2;
    put_values(&put)->tokens = k;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);

    assert_int_equal(search_count(&q), 2);
    criteria.n = 2;
    assert_int_equal(search_count(&q), 1);
    criteria.n = 1;
    c[0] = tokens_of(k, 2);
    assert_int_equal(search_count(&q), 3);
    criteria.n = 2;
    c[0] = tokens_of(&k[0], 1);
    c[1] = tokens_of(&k[1], 2);
    assert_int_equal(search_count(&q), 1);

    /* a criterion that nothing can fulfil */
    criteria.n = 1;
    c[0] = tokens_of(k, 0);
    assert_int_equal(search_count(&q), 0);
    c[0].negate = true;
    assert_int_equal(search_count(&q), 3);
}


static int
search_name(hie_text_match_t match, const char *a, const char *b)
{
    hie_criterion_t  c = strings_of("Patient", match, a, b);
    hie_criteria_t   criteria = { 1, &c };
    hie_str_t        type = HIE_STR("Patient");
    hie_query_t      q = { .n_types = 1, .types = &type, .count = 10,
                           .criteria = &criteria,
                           .total = HIE_TOTAL_ACCURATE };

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

    assert_int_equal(search_name(HIE_TEXT_PREFIX, "smi", NULL), 2);
    assert_int_equal(search_name(HIE_TEXT_PREFIX, "smith", NULL), 2);
    assert_int_equal(search_name(HIE_TEXT_PREFIX, "mith", NULL), 0);
    assert_int_equal(search_name(HIE_TEXT_PREFIX, "smithers", "m"), 2);
    assert_int_equal(search_name(HIE_TEXT_PREFIX, "", NULL), 4);
    assert_int_equal(search_name(HIE_TEXT_PREFIX, "%", NULL), 0);
    assert_int_equal(search_name(HIE_TEXT_EXACT, "smith", NULL), 1);
    assert_int_equal(search_name(HIE_TEXT_EXACT, "smi", NULL), 0);
    assert_int_equal(search_name(HIE_TEXT_EXACT, lengthy, NULL), 1);
    assert_int_equal(search_name(HIE_TEXT_CONTAINS, "mith", NULL), 2);
    assert_int_equal(search_name(HIE_TEXT_CONTAINS, "%_", NULL), 1);
    assert_int_equal(search_name(HIE_TEXT_CONTAINS, "__", NULL), 0);
    assert_int_equal(search_name(HIE_TEXT_CONTAINS, "\xc3\xbc", "x"), 1);
    assert_int_equal(search_name(HIE_TEXT_ENDS, "ers", NULL), 1);
    assert_int_equal(search_name(HIE_TEXT_ENDS, "_\\", "smit"), 1);
}


static void
test_search_combined(void **state)
{
    uint64_t         k = key("t");
    hie_str_t        ids[] = { HIE_STR("1"), HIE_STR("3"), HIE_STR("9") };
    hie_criterion_t  token = tokens_of(&k, 1);
    hie_criterion_t  id = ids_of(ids, 3);
    hie_criterion_t  prefix = strings_of("Patient", HIE_TEXT_PREFIX, "a",
                                         NULL);
    hie_criterion_t  contains = strings_of("Patient", HIE_TEXT_CONTAINS,
                                           "lph", NULL);
    hie_criterion_t  c[200];
    hie_criteria_t   criteria = { 1, c };
    hie_str_t        type = HIE_STR("Patient");
    hie_query_t      q = { .n_types = 1, .types = &type, .count = 10,
                           .criteria = &criteria,
                           .total = HIE_TOTAL_ACCURATE };
    int              i;

    put_one("Patient", "1", 1, "{}", NULL, "t", "alpha");
    put_one("Patient", "2", 1, "{}", NULL, "t", "beta");
    put_one("Patient", "3", 1, "{}", NULL, "u", "alpha");
    put_one("Patient", "4", 1, "{}", NULL, "t", "alef");

    c[0] = id;
    assert_int_equal(search_count(&q), 2);
    c[1] = token;
    criteria.n = 2;
    assert_int_equal(search_count(&q), 1);
    c[0] = token;
    criteria.n = 1;
    assert_int_equal(search_count(&q), 3);
    c[1] = prefix;
    criteria.n = 2;
    assert_int_equal(search_count(&q), 2);
    c[2] = contains;
    criteria.n = 3;
    assert_int_equal(search_count(&q), 1);
    c[3] = id;
    criteria.n = 4;
    assert_int_equal(search_count(&q), 1);

    for (i = 0; i < 200; i++) {
        c[i] = prefix;
    }
    criteria.n = 200;
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

    q->after = NULL;
    do {
        assert_int_equal(hie_store_search(store, &all, q, pool, &found, NULL),
                         HIE_OK);
        assert_int_equal(found.total,
                         q->total == HIE_TOTAL_NONE ? -1 : expected);
        for (i = 0; i < found.n; i++) {
            apr_snprintf(id, sizeof(id), "%d", seen++);
            assert_true(hie_str_eqz(found.rows[i].id, id));
            assert_true(body_is(&found.rows[i], "{}"));
            assert_int_equal(found.rows[i].version, 1);
        }
        q->after = found.n > 0 ? &found.places[found.n - 1] : NULL;
    } while (found.more);
    assert_int_equal(seen, expected);
}


static void
test_search_pages(void **state)
{
    uint64_t         k = key("t");
    hie_criterion_t  token = tokens_of(&k, 1);
    hie_criteria_t   criteria = { 0, &token };
    hie_str_t        type = HIE_STR("Patient");
    hie_query_t      q = { .n_types = 1, .types = &type,
                           .criteria = &criteria };
    hie_place_t      end = { .rid = INT64_MAX };
    hie_found_t      found;
    int              i;

    for (i = 0; i < 12; i++) {
        put_one("Patient", apr_psprintf(pool, "%d", i), 1, "{}", NULL, "t",
                NULL);
    }
    for (i = 0; i < 4; i++) {
        criteria.n = i % 2;
        q.total = i / 2 ? HIE_TOTAL_ACCURATE : HIE_TOTAL_NONE;
        q.count = 4;
        walk_pages(&q, 12);
        q.count = 5;
        walk_pages(&q, 12);
    }

    /* beyond the end the total is still there */
    q.after = &end;
    assert_int_equal(hie_store_search(store, &all, &q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.n, 0);
    assert_int_equal(found.total, 12);
}


/* More statements than a connection remembers: the others go unprepared, those
 * that share a round trip too. */
static void
test_many_statements(void **state)
{
    uint32_t          param = 1;
    hie_str_t         type = HIE_STR("Patient");
    hie_criterion_t   c[2][8];
    hie_criteria_t    criteria[2] = { { 8, c[0] }, { 8, c[1] } };
    hie_query_t       q[2];
    hie_found_t       found[2];
    hie_store_tx_t   *tx;
    int               i, k, n;

    for (i = 0; i < 2; i++) {
        q[i] = (hie_query_t) { .n_types = 1, .types = &type, .count = 1,
                               .criteria = &criteria[i] };
    }
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    for (n = 0; n < 256; n++) {
        for (i = 0; i < 16; i++) {
            k = i / 8 == 0 ? n : 255 - n;
            c[i / 8][i % 8] = (hie_criterion_t) {
                .kind = HIE_CRITERION_PRESENT, .n = 1, .n_params = 1,
                .params = &param, .negate = k >> i % 8 & 1
            };
        }
        assert_int_equal(hie_store_find(tx, &all, NULL, 0, q, 2, found, NULL),
                         HIE_OK);
    }
    hie_store_rollback(tx);

    /* the connection starts anew, and knows what it has forgotten */
    for (n = 0; n < 8; n++) {
        assert_int_equal(hie_store_search(store, &all, &q[n % 2], pool, found,
                                          NULL), HIE_OK);
    }
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
    uint64_t         k[] = { 40001, 40003 };
    hie_str_t        any = HIE_STR("x");
    hie_str_t        type = HIE_STR("Observation");
    hie_criterion_t  strings[] = {
        strings_of("Observation", HIE_TEXT_PREFIX, "x", NULL),
        strings_of("Observation", HIE_TEXT_EXACT, "x", NULL),
        strings_of("Observation", HIE_TEXT_CONTAINS, "xxx", NULL)
    };
    hie_criterion_t  c[4];
    hie_criteria_t   criteria = { 0, c };
    hie_query_t      q;
    hie_found_t      found;
    int              i;

    for (i = first; i < end; i++) {
        criteria.n = 0;
        if (i / 4 % 2 > 0) {
            c[criteria.n++] = ids_of(&any, 1);
        }
        if (i / 8 % 3 > 0) {
            c[criteria.n++] = tokens_of(k, 1);
        }
        if (i / 8 % 3 > 1) {
            c[criteria.n++] = tokens_of(k, 2);
        }
        if (i / 24 > 0) {
            c[criteria.n++] = strings[(i / 24 + 2) % 3];
        }
        q = (hie_query_t) {
            .n_types = 1, .types = &type, .criteria = &criteria,
            .count = i / 2 % 2 * 10,
            .total = i % 2 ? HIE_TOTAL_ACCURATE : HIE_TOTAL_NONE
        };
        assert_int_equal(hie_store_search(s, v, &q, pool, &found, NULL),
                         HIE_OK);
    }
}


/* The connections of that name have ended, and told what they read. */
static void
await_end(const char *name)
{
    const char  *text;
    int          i;

    text = apr_psprintf(pool, "SELECT count(*) FROM pg_stat_activity"
                        " WHERE application_name = '%s'"
                        " AND datname = current_database()", name);
    for (i = 0; i < 500 && sql_number(text) > 0; i++) {
        usleep(10000);
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

    await_end("plans");
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

    /* the first page of a type reads a page, the places and then the rows; 0,
     * 1 and 3 count all */
    r = read_by(v, 2, 3);
    assert_int_equal(r.scans, 0);
    assert_in_range(r.fetched, 11, 24);

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

    /* written at once: what is changed later is not all visible */
    sql(apr_psprintf(pool, "INSERT INTO hie.resource (key, version, updated,"
        " type, id, patients, tokens, body) SELECT CASE WHEN i = 7 THEN %"
        APR_INT64_T_FMT " ELSE i END, 1, now(), CASE WHEN i %% 10 = 0"
        " THEN 'Patient' ELSE 'Observation' END, i::text, ARRAY[i %% 1000],"
        " ARRAY[i %% 7, i, i %% 500 + 1000000], '\\x00'"
        " FROM generate_series(1, 50000) i",
        (apr_int64_t) hie_fhir_resource_key(HIE_STR("Observation"),
                                            HIE_STR("7"))));
    sql(apr_psprintf(pool, "INSERT INTO hie.resource_string (rid, slot,"
                     " value) SELECT rid, %u, 'n' || id FROM hie.resource"
                     " WHERE type = 'Observation'",
                     hie_search_param_key("Observation", "name")));
    sql("INSERT INTO hie.consent (patient, base_permit, consent_id, permit,"
        " deny) SELECT i, true, i::text, '{}', '{}'"
        " FROM generate_series(0, 999) i");
    sql("VACUUM ANALYZE hie.resource, hie.resource_string, hie.consent");
    /* what other connections did must not be counted later */
    sql("SELECT pg_stat_force_next_flush()");
    hie_store_close(store);
    store = open_store(&conf);
    await_end("hie");

    check_reading(&all);
    check_reading(&v);
    v.default_permit = false;
    check_reading(&v);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_search_tokens), TEST(test_search_strings),
        TEST(test_search_combined), TEST(test_search_pages),
        TEST(test_many_statements), TEST(test_plans)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
