/*
 * store: dates, of which only the beginnings are indexed, and the ends of those
 * that last longer than a day. Values at the boundaries of all prefixes, and
 * how much is read.
 */

#include "docs_tool.h"

#include <string.h>
#include <unistd.h>

#include <apr_strings.h>


static const char *const  prefixes[] = {
    "", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"
};

#define N_PREFIXES  (sizeof(prefixes) / sizeof(prefixes[0]))

/* Around the 15th of June: of exactly a day, of a second more or less, of
 * exactly two; without an end. */
static const char *const  periods[] = {
    "\"start\":\"2020-06-15T00:00:00Z\",\"end\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-15T00:00:00Z\",\"end\":\"2020-06-16T00:00:00Z\"",
    "\"start\":\"2020-06-14T23:59:59Z\",\"end\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-15T00:00:01Z\",\"end\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-15T00:00:00Z\",\"end\":\"2020-06-15T23:59:58Z\"",
    "\"start\":\"2020-06-14T00:00:00Z\",\"end\":\"2020-06-14T23:59:59Z\"",
    "\"start\":\"2020-06-14T00:00:01Z\",\"end\":\"2020-06-15T00:00:00Z\"",
    "\"start\":\"2020-06-14T00:00:00Z\",\"end\":\"2020-06-15T00:00:00Z\"",
    "\"start\":\"2020-06-16T00:00:00Z\",\"end\":\"2020-06-16T23:59:59Z\"",
    "\"start\":\"2020-06-14T00:00:00Z\",\"end\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-15T00:00:00Z\",\"end\":\"2020-06-15T00:00:00.000Z\"",
    "\"start\":\"2020-06-15T23:59:59Z\",\"end\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-16T00:00:00Z\"", "\"start\":\"2020-06-15T23:59:59Z\"",
    "\"start\":\"2020-06-14T00:00:00Z\"", "\"end\":\"2020-06-14T23:59:59Z\"",
    "\"end\":\"2020-06-15T00:00:00Z\"", "\"end\":\"2020-06-16\"",
    "\"start\":\"2019\",\"end\":\"2021\""
};

static const char *const  times[] = {
    "2020-06-15T00:00:00Z", "2020-06-15T23:59:59Z", "2020-06-16T00:00:00Z",
    "2020-06-14T00:00:00Z", "2020-06"
};

#define N_TIMES  (sizeof(times) / sizeof(times[0]))


static void
add_periods(void)
{
    size_t  i;

    for (i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        docs_add("Encounter", apr_psprintf(pool, "e%d", (int) i),
                 "\"status\":\"finished\",\"class\":{\"code\":\"AMB\"},"
                 "\"period\":{%s}", periods[i]);
    }
    docs_store();
}


static void
expect(asked_t *a, const char *way)
{
    hie_found_t  found = find(a, &all);
    bool         is[DOCS_MAX] = { false };
    int          i, k;

    for (i = 0; i < found.n; i++) {
        for (k = 0; k < n_docs && docs[k].rid != found.rows[i].rid; k++) {
            /* void */
        }
        assert_in_range(k, 0, n_docs - 1);
        is[k] = true;
    }
    for (i = 0; i < n_docs; i++) {
        if (is[i] != is_asked_for(a, &docs[i], &all)) {
            fail_msg("%s, %s: %sfinds %.*s", a->text, way,
                     is[i] ? "" : "does not ", HIE_PRISTR(docs[i].id));
        }
    }
}


/* From and until are one criterion. */
static asked_t *
ask_joined(const char *text, int count)
{
    asked_t  *a = ask(text, count);

    hie_search_join(&a->criteria, pool);
    return a;
}


/* What leads by indexes, and what is only checked, find the same. Returns how
 * many. */
static int
check(const char *text)
{
    asked_t  *a = ask_joined(text, 100);
    int       n = find(a, &all).n;

    expect(a, "by an index");
    wall(a);
    expect(a, "as a condition");
    return n;
}


/* Each prefix finds some and not all, or the cases say nothing: but for the
 * last, which finds what is some years away. */
static void
test_prefixes(void **state)
{
    size_t  i, k;
    int     n, some;

    add_periods();
    for (i = 0; i < N_PREFIXES; i++) {
        some = 0;
        for (k = 0; k < N_TIMES; k++) {
            n = check(apr_psprintf(pool, "Encounter?date=%s%s", prefixes[i],
                                   times[k]));
            some += n > 0 && n < n_docs;
        }
        assert_in_range(some, i < N_PREFIXES - 1 ? 2 : 0, N_TIMES);
    }
}


/* One form of several values, and several forms. */
static void
test_alternatives(void **state)
{
    size_t  i, k;

    add_periods();
    for (i = 0; i < N_PREFIXES; i++) {
        (void) check(apr_psprintf(pool, "Encounter?date=%s2020-06-14,%s2020-06"
                                  "-15T00:00:00Z", prefixes[i], prefixes[i]));
        for (k = 0; k < N_PREFIXES; k++) {
            (void) check(apr_psprintf(pool, "Encounter?date=%s2020-06-16,"
                                      "%s2020-06-14,%s2020-06-13T23:59:59Z",
                                      prefixes[i], prefixes[k], prefixes[i]));
        }
    }
}


static void
test_joined(void **state)
{
    size_t  i, k;

    add_periods();
    for (i = 0; i < N_PREFIXES; i++) {
        for (k = 0; k < N_PREFIXES; k++) {
            (void) check(apr_psprintf(pool, "Encounter?date=%s2020-06-15&date="
                                      "%s2020-06-16", prefixes[i],
                                      prefixes[k]));
            (void) check(apr_psprintf(pool, "Encounter?date=%s2020-06-15T00:00"
                                      ":00Z&date=%s2020-06-14", prefixes[i],
                                      prefixes[k]));
        }
    }
}


/* Before and after all times that there are. */
static void
test_far_ends(void **state)
{
    size_t  i;

    add_periods();
    for (i = 0; i < N_PREFIXES; i++) {
        (void) check(apr_psprintf(pool, "Encounter?date=%s0001", prefixes[i]));
        (void) check(apr_psprintf(pool, "Encounter?date=%s9999-12-31",
                                  prefixes[i]));
    }
}


/*
 * How much is read: one date each of the first 8,000 hours of 2020, a second
 * long or half an hour, one in 40 three days. In the other slot one in 40 has
 * no beginning, another no end, 200 each.
 */

static void
add_hours(void)
{
    static const char  low[] = "1577836800000000 + i * 3600000000";

    sql("INSERT INTO hie.resource (key, version, updated, type, id, patients,"
        " tokens, body) SELECT i, 1, now(), 'Observation', i::text, '{}',"
        " '{}', '\\x00' FROM generate_series(0, 7999) i");
    sql(apr_psprintf(pool, "INSERT INTO hie.resource_date (rid, slot, low,"
        " high) SELECT r.rid, %u, %s, %s + CASE WHEN i %% 40 = 0"
        " THEN 259200000000 WHEN i %% 3 = 0 THEN 1800000000 ELSE 1000000 END"
        " FROM hie.resource r CROSS JOIN LATERAL (SELECT r.id::bigint AS i"
        " OFFSET 0) i", hie_search_param_key("Observation", "date"), low,
        low));
    sql(apr_psprintf(pool, "INSERT INTO hie.resource_date (rid, slot, low,"
        " high) SELECT r.rid, %u, CASE WHEN i %% 40 = 0"
        " THEN -9223372036854775808 ELSE %s END, CASE WHEN i %% 40 = 1"
        " THEN 9223372036854775807 ELSE %s + 1000000 END"
        " FROM hie.resource r CROSS JOIN LATERAL (SELECT r.id::bigint AS i"
        " OFFSET 0) i", hie_search_param_key("Observation", "value-date"), low,
        low));
    /* all visible to all: what an index has is not looked for in the table */
    sql("VACUUM ANALYZE hie.resource");
}


/* Entries of the indexes of dates and rows of their table that a search reads,
 * by a store of its own: connections tell it when they are closed. */
static long
read_by(const char *text)
{
    static const char  open[] = "SELECT count(*) FROM pg_stat_activity WHERE"
                                " application_name = 'dates'";
    hie_config_t       c = conf;
    hie_store_t       *outer = store;
    int                i;

    sql("SELECT pg_stat_force_next_flush()");
    sql("SELECT pg_stat_reset()");
    c.database.conninfo = apr_pstrcat(pool, conf.database.conninfo,
                                      " application_name=dates", NULL);
    store = open_store(&c);
    (void) find(ask_joined(text, 10), &all);
    hie_store_close(store);
    store = outer;
    for (i = 0; i < 500 && sql_number(open) > 0; i++) {
        usleep(10000);
    }

    return sql_number("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
                      " WHERE relname = 'resource_date'")
           + sql_number("SELECT sum(seq_tup_read) FROM pg_stat_user_tables"
                        " WHERE relname = 'resource_date'");
}


/* What few meet, near the end and the beginning of what there is; `%s` is the
 * parameter. */
static void
check_reading(const char *when)
{
    static const struct {
        const char  *ask;
        long         most[2];
    }  cases[] = {
        { "%s=gt2020-11-26", { 100, 300 } },
        { "%s=ge2020-11-26", { 120, 320 } },
        { "%s=sa2020-11-26", { 70, 70 } },
        { "%s=eb2020-01-02", { 30, 30 } },
        { "%s=lt2020-01-02", { 30, 230 } },
        { "%s=le2020-01-01", { 30, 230 } },
        { "%s=ne2020", { 10, 450 } },
        { "%s=2020-11-26", { 30, 30 } },
        { "%s=ge2020-11-26&%s=lt2020-11-27", { 100, 300 } },
        { "%s=lt2020-11-27&%s=ge2020-11-26", { 100, 300 } },
        { "%s=ge2020-01-02&%s=eb2020-01-03", { 100, 300 } },
        { "%s=gt2020-11-26,gt2020-11-27", { 200, 600 } },
        { "%s=ge2020-11-28,eb2020-01-02,lt2020-01-03", { 200, 600 } },
        { "%s=eb2020-01-02,eb2020-01-03", { 80, 80 } },
        { "%s=ne2020,ne2020", { 20, 900 } }
    };
    static const char *const  names[] = { "date", "value-date" };
    char                     *text;
    size_t                    i, k;
    long                      n;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (k = 0; k < 2; k++) {
            text = apr_psprintf(pool, cases[i].ask, names[k], names[k]);
            n = read_by(apr_pstrcat(pool, "Observation?", text, NULL));
            if (n > cases[i].most[k]) {
                fail_msg("%s reads %ld, %s", text, n, when);
            }
        }
    }
}


static void
test_reading(void **state)
{
    sql("ALTER TABLE hie.resource_date SET (autovacuum_enabled = off)");
    add_hours();
    check_reading("without statistics");
    sql("VACUUM ANALYZE hie.resource_date");
    check_reading("with statistics");
}


/* The latest come first, whatever they are, and little is read for a page. */
static void
test_latest(void **state)
{
    add_hours();
    sql("VACUUM ANALYZE hie.resource_date");
    assert_in_range(read_by("Observation?_sort=-date"), 10, 100);
    assert_in_range(read_by("Observation?_sort=date"), 10, 100);
    assert_in_range(read_by("Observation?_sort=-value-date"), 10, 100);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        DOCS_TEST(test_prefixes), DOCS_TEST(test_alternatives),
        DOCS_TEST(test_joined), DOCS_TEST(test_far_ends),
        DOCS_TEST(test_reading), DOCS_TEST(test_latest)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
