/*
 * store: how a search is done. Plans and explanations, totals, and the time
 * that it is given.
 */

#include "docs_tool.h"

#include <string.h>

#include <apr_strings.h>


/*
 * Plans: each table is reached by an index, with a condition on it, and every
 * alias of the resource table carries the predicate of who may see a row: its
 * patients are compared with those of Consents.
 */
typedef struct {
    const asked_t        *a;
    const hie_visible_t  *v;
    const char           *plan;
} looked_t;


static bool
is_scan(hie_str_t type)
{
    return hie_str_eqz(type, "Index Scan")
           || hie_str_eqz(type, "Index Only Scan")
           || hie_str_eqz(type, "Bitmap Index Scan");
}


static void
check_predicate(hie_str_t alias, const looked_t *l)
{
    const char  *said;

    said = apr_psprintf(pool, "= ANY (%.*s.patients)", HIE_PRISTR(alias));
    if (!l->v->all && strstr(l->plan, said) == NULL) {
        fail_msg("%s: nobody asks who may see %.*s\n%s", l->a->text,
                 HIE_PRISTR(alias), l->plan);
    }
}


/* What is found once must be in a hash table: PostgreSQL would evaluate it for
 * each row otherwise. */
static void
check_once(hie_str_t subplan, const looked_t *l)
{
    const char  *said = apr_psprintf(pool, "hashed %.*s)",
                                     HIE_PRISTR(subplan));

    if (strstr(l->plan, said) == NULL) {
        fail_msg("%s: %.*s is not found once\n%s", l->a->text,
                 HIE_PRISTR(subplan), l->plan);
    }
}


static void
check_node(const hie_doc_t *d, hie_node_t n, const looked_t *l)
{
    hie_str_t  type = hie_doc_get(d, n, "Node Type", pool);

    if (hie_str_eqz(type, "ProjectSet")) {
        check_once(hie_doc_get(d, n, "Subplan Name", pool), l);
    }

    if (hie_str_eqz(type, "Seq Scan")
        || (is_scan(type) && hie_doc_member(d, n, "Index Cond")
                             == HIE_NODE_NONE))
    {
        fail_msg("%s: reads the whole of a table\n%.*s", l->a->text,
                 HIE_PRISTR(hie_doc_raw(d, n)));
    }
    if (hie_str_eqz(hie_doc_get(d, n, "Relation Name", pool), "resource")) {
        check_predicate(hie_doc_get(d, n, "Alias", pool), l);
    }
}


static int
check_plan(const hie_doc_t *d, hie_node_t n, const looked_t *l)
{
    hie_node_t  c;
    int         nodes = 0;

    if (hie_doc_kind(d, n) == HIE_NODE_OBJECT
        && hie_doc_member(d, n, "Node Type") != HIE_NODE_NONE)
    {
        check_node(d, n, l);
        nodes++;
    }
    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        nodes += check_plan(d, c, l);
    }
    return nodes;
}


static void
check_explained(asked_t *a, const hie_visible_t *v)
{
    hie_found_t   found;
    hie_doc_t    *d;
    hie_error_t   err;
    looked_t      l = { a, v, NULL };

    a->q.explain = true;
    found = find(a, v);
    a->q.explain = false;
    if (hie_doc_parse(pool, found.plan, 200, &d, &err) != HIE_OK) {
        fail_msg("%s: the plan is no JSON: %s", a->text, err.detail);
    }
    l.plan = hie_str_z(pool, found.plan);
    assert_int_equal(hie_doc_kind(d, 0), HIE_NODE_ARRAY);
    assert_in_range(check_plan(d, 0, &l), 2, 1000);
}


/* The first page, the next, the one before; the total alone. */
static void
check_places(asked_t *a, const hie_visible_t *v)
{
    hie_place_t  place = { .rid = 5 };
    int          i;

    check_explained(a, v);
    place.n = a->q.n_sorts;
    for (i = 0; i < place.n; i++) {
        place.values[i].missing = i % 2 == 1;
        place.values[i].number = 5;
        place.values[i].text = HIE_STR("1");
    }
    a->q.after = &place;
    check_explained(a, v);
    a->q.backwards = true;
    check_explained(a, v);
    a->q.after = NULL;
    (void) find(a, v);
    a->q.backwards = false;
    a->q.count = 0;
    check_explained(a, v);
    a->q.count = 10;
}


static asked_t *
ask_sorted(const char *text, int i)
{
    static const char *const  sorts[] = {
        "", "-_lastUpdated", "_id,-_lastUpdated"
    };
    const char               *sort = sorts[i % 3];

    return ask(sort[0] == '\0' ? text
               : apr_pstrcat(pool, text, text[strlen(text) - 1] == '?' ? ""
                             : "&", "_sort=", sort, NULL), 10);
}


/* Plans of tables that are next to empty are no plans: once it knows that they
 * are, PostgreSQL reads them from one end to the other. */
static void
keep_unknown(void)
{
    sql("DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables"
        " WHERE schemaname = 'hie' LOOP EXECUTE format('ALTER TABLE hie.%I"
        " SET (autovacuum_enabled = off)', t); END LOOP; END $$");
}


/* Statistics, and a store that asks for them anew. */
static void
learn(void)
{
    sql("ANALYZE hie.resource");
    hie_store_close(store);
    store = open_store(&conf);
}


static void
check_plans(const hie_visible_t *v)
{
    apr_pool_t  *outer = pool;
    asked_t     *a;
    int          i;

    keep_unknown();
    docs_populate();
    docs_restrict();
    learn();
    for (i = 0; i < docs_n_shapes; i++) {
        apr_pool_create(&pool, outer);
        a = ask_sorted(docs_shapes[i], i);
        check_places(a, v);
        wall(a);
        check_places(a, v);
        apr_pool_destroy(pool);
        pool = outer;
    }
}


static void
test_plans_of_all(void **state)
{
    check_plans(&docs_seers[0]);
}


static void
test_plans_of_actor(void **state)
{
    check_plans(&docs_seers[1]);
}


static void
test_plans_with_permission(void **state)
{
    check_plans(&docs_seers[2]);
}


static void
test_plans_of_orders(void **state)
{
    static const char *const  orders[] = {
        "Patient?_sort=birthdate", "Patient?_sort=-family",
        "Observation?_sort=-value-quantity,code", "Observation?_sort=subject",
        "Observation?_sort=patient.birthdate,-patient.name",
        "Observation,Condition?_sort=-code", "Patient?_lastUpdated=ge2000",
        "Patient?_lastUpdated=ge2000&gender=male&_sort=-_lastUpdated"
    };
    size_t                    i;
    int                       k;

    keep_unknown();
    docs_populate();
    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        for (k = 0; k < DOCS_SEERS; k++) {
            check_places(ask(orders[i], 10), &docs_seers[k]);
        }
    }
}


/* What a row is sorted by is looked up, and not joined: a table would be read
 * from one end to the other for each row. */
static void
test_order_looked_up(void **state)
{
    static const char *const  orders[] = {
        "Observation?_sort=code", "Patient?_sort=-identifier",
        "Observation?_sort=patient.birthdate", "Observation?_sort=subject"
    };
    size_t                    i;
    asked_t                  *a;
    hie_str_t                 plan;

    keep_unknown();
    docs_populate();
    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        a = ask(orders[i], 10);
        a->q.explain = true;
        plan = find(a, &docs_seers[0]).plan;
        if (strstr(hie_str_z(pool, plan), "Hash Join") != NULL
            || strstr(hie_str_z(pool, plan), "Merge Join") != NULL)
        {
            fail_msg("%s: %.*s", orders[i], HIE_PRISTR(plan));
        }
    }
}


/* What a condition or an order asks of another table, it asks about one row:
 * without statistics, too, by the index of rid, and not by one of values, of
 * which all would be read for each row. */
static void
test_values_by_rid(void **state)
{
    static const char *const  texts[] = {
        "Observation?status=final&date=ge2000&_sort=-date,_id",
        "Observation?status=final&date=ge2000,ap2019&_sort=date,_id",
        "Observation?status=final&value-quantity=gt1&_sort=value-quantity",
        "Patient?gender=male&name:contains=a&_sort=family,-name"
    };
    static const char *const  others[] = {
        "resource_date_low", "resource_date_end", "resource_date_long",
        "resource_number_low", "resource_number_high", "resource_string_value"
    };
    size_t                    i, k;
    asked_t                  *a;
    const char               *plan;

    keep_unknown();
    docs_populate();
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        a = ask(texts[i], 10);
        a->q.explain = true;
        plan = hie_str_z(pool, find(a, &docs_seers[0]).plan);
        assert_non_null(strstr(plan, "_rid\""));
        for (k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
            if (strstr(plan, others[k]) != NULL) {
                fail_msg("%s: %s\n%s", texts[i], others[k], plan);
            }
        }
    }
}


/*
 * Explanations.
 */
static void
explains(const hie_found_t *found, const char *source, const char *how)
{
    int  i;

    for (i = 0; i < found->n_explained; i++) {
        if (hie_str_eqz(found->explained[i].source, source)) {
            if (!hie_str_starts(found->explained[i].how, how)) {
                fail_msg("\"%s\" %.*s", source,
                         HIE_PRISTR(found->explained[i].how));
            }
            return;
        }
    }
    fail_msg("\"%s\" is not explained", source);
}


static void
test_explanations(void **state)
{
    asked_t      *a;
    hie_found_t   found;

    docs_populate();
    learn();
    a = ask("Patient?name=smith&gender=male&birthdate=ge1900", 10);
    found = find(a, &all);
    assert_int_equal(found.n_explained, 0);
    assert_int_equal(found.plan.len, 0);

    a->q.explain = true;
    found = find(a, &all);
    assert_int_equal(found.n_explained, 3);
    explains(&found, "name=smith", "leads by index resource_string_value");
    explains(&found, "gender=male", "is checked on each row");
    explains(&found, "birthdate=ge1900", "is checked on each row");
    assert_true(strstr(hie_str_z(pool, found.plan), "resource_string_value")
                != NULL);

    /* what most of the type have is not looked for in the index */
    a = ask("Observation?code=8480-6&subject=Patient/p1&status=final", 10);
    a->q.explain = true;
    found = find(a, &all);
    assert_int_equal(found.n_explained, 3);
    explains(&found, "code=8480-6", "is checked on each row");
    explains(&found, "subject=Patient/p1", "leads by index resource_tokens");
    explains(&found, "status=final", "is checked on each row");

    a->q.count = 0;
    found = find(a, &all);
    assert_int_equal(found.n_explained, 3);
    assert_true(found.plan.len > 0);

    /* a few alternatives go into the index too, many do not */
    a = ask("Observation?code=8480-6&status=final,amended", 10);
    a->q.explain = true;
    found = find(a, &all);
    explains(&found, "code=8480-6", "leads by index resource_tokens");
    explains(&found, "status=final,amended", "leads by index resource_token");
    a = ask("Observation?code=8480-6&status=final,a,b,c,d,e,f,g,h,i,j", 10);
    a->q.explain = true;
    found = find(a, &all);
    explains(&found, "status=final,a,b,c,d,e,f,g,h,i,j", "is checked");
}


/* The sets that a plan finds once. */
static int
sets_of(const char *plan)
{
    int  n;

    for (n = 0; (plan = strstr(plan, "\"ProjectSet\"")) != NULL; n++) {
        plan++;
    }
    return n;
}


static void
expect_once(const char *text, const char *source, int sets)
{
    asked_t      *a = ask(text, 10);
    hie_found_t   found;
    int           i;

    for (i = 0; i < 2; i++) {
        check_explained(a, &docs_seers[i]);
        a->q.explain = true;
        found = find(a, &docs_seers[i]);
        a->q.explain = false;
        if (source != NULL) {
            explains(&found, source, sets > 0 ? "is found once"
                                              : "is checked on each row");
        }
        if (sets_of(hie_str_z(pool, found.plan)) != sets) {
            fail_msg("%s: %d sets\n%.*s", text,
                     sets_of(hie_str_z(pool, found.plan)),
                     HIE_PRISTR(found.plan));
        }
    }
}


#define PEERS  "subject:Patient._has:Observation:subject:"

static const struct {
    const char  *text;
    const char  *source;         /* or NULL: it is one of several */
    int          sets;
} ways[] = {
    /* many that lead to a few, again and again */
    { "Observation?status=final&" PEERS "date=ge1972",
      PEERS "date=ge1972", 1 },
    { "Observation?status=final&" PEERS "date=ge1972&_sort=code",
      PEERS "date=ge1972", 1 },
    { "Observation?status=final&" PEERS "encounter.date=ge1972",
      PEERS "encounter.date=ge1972", 1 },
    { "Patient?gender=male&_has:Observation:subject:date=ge1972",
      "_has:Observation:subject:date=ge1972", 1 },
    { "Observation?_filter=not (subject:Patient.birthdate lt 1950)", NULL, 1 },
    { "QuestionnaireResponse?status=completed&questionnaire.status:not=x",
      "questionnaire.status:not=x", 1 },
    /* few */
    { "Observation?_id=o1&" PEERS "date=1972", PEERS "date=1972", 0 },
    { "Patient?_id=p1&_has:Observation:subject:date=ge1972",
      "_has:Observation:subject:date=ge1972", 0 }
};


static void
test_found_once(void **state)
{
    size_t  i;
    int     k;

    keep_unknown();
    docs_populate();
    docs_restrict();
    for (k = 0; k < 2; k++) {
        for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            expect_once(ways[i].text, ways[i].source, ways[i].sets);
        }
        learn();
    }
}


/*
 * Totals.
 */
static int64_t
total_of(const char *text, hie_total_t kind, const hie_visible_t *v)
{
    asked_t  *a = ask(text, 3);

    a->q.total = kind;
    return find(a, v).total;
}


static void
test_totals(void **state)
{
    docs_populate();
    docs_restrict();
    assert_int_equal(total_of("Patient?", HIE_TOTAL_NONE, &all), -1);
    assert_int_equal(total_of("Patient?", HIE_TOTAL_ESTIMATE, &all), 41);
    assert_int_equal(total_of("Patient?", HIE_TOTAL_ACCURATE, &all), 41);
    assert_int_equal(total_of("Patient?_id=none", HIE_TOTAL_ACCURATE, &all),
                     0);
    /* six of them are withheld */
    assert_int_equal(total_of("Patient?", HIE_TOTAL_ACCURATE,
                              &docs_seers[1]), 35);
    assert_int_equal(total_of("Patient?", HIE_TOTAL_ESTIMATE,
                              &docs_seers[1]), 35);
}


/* Beyond so many rows an estimate is what the statistics say. These count what
 * is withheld too: who may not see all is told only that there are more. */
static void
test_estimates(void **state)
{
    sql("INSERT INTO hie.resource (key, version, updated, type, id, patients,"
        " tokens, body) SELECT i, 1, now(), 'Patient', i::text, ARRAY[i],"
        " '{}', '\\x00' FROM generate_series(1, 12000) i");
    set_key("Patient", "1");
    set_key("Patient", "2");
    learn();
    assert_int_equal(total_of("Patient?", HIE_TOTAL_ACCURATE, &all), 12000);
    assert_in_range(total_of("Patient?", HIE_TOTAL_ESTIMATE, &all), 10001,
                    15000);
    assert_int_equal(total_of("Patient?_id=1,2", HIE_TOTAL_ESTIMATE, &all),
                     2);

    assert_int_equal(total_of("Patient?", HIE_TOTAL_ESTIMATE, &docs_seers[1]),
                     10001);
}


/*
 * Time. A lock on a table is what takes long here.
 */
static int
elapsed(apr_time_t since)
{
    return (int) ((apr_time_now() - since) / 1000);
}


static void
expect_timeout(const asked_t *a, int from, int to)
{
    hie_found_t  found;
    apr_time_t   begun = apr_time_now();

    assert_int_equal(hie_store_search(store, &all, &a->q, pool, &found, NULL),
                     HIE_TIMEOUT);
    assert_in_range(elapsed(begun), from, to);
}


static void
test_budget(void **state)
{
    asked_t          *a;
    hie_config_t      c = conf;
    hie_including_t   q = { .may_all = true, .max_rows = 9, .max_rounds = 1,
                            .budget = 200 };
    hie_include_t     i = { .all = true };
    hie_found_t       found;
    apr_time_t        begun;
    long              backend;

    docs_populate();
    hie_store_close(store);
    c.database.connections = 1;
    store = open_store(&c);
    a = ask("Patient?gender=male", 5);
    a->q.total = HIE_TOTAL_ACCURATE;
    a->q.budget = 200;
    a->q.references = true;
    q.rows = find(a, &all).rows;
    q.n = 5;
    q.includes = &i;
    q.n_includes = 1;
    backend = sql_number("SELECT pid FROM pg_stat_activity WHERE"
                         " application_name = 'hie' AND state = 'idle'");

    sql("BEGIN; LOCK TABLE hie.resource IN ACCESS EXCLUSIVE MODE");
    expect_timeout(a, 190, 1200);
    begun = apr_time_now();
    assert_int_equal(hie_store_include(store, &all, &q, pool, &found, NULL),
                     HIE_TIMEOUT);
    assert_in_range(elapsed(begun), 190, 1200);
    /* the budget of one search is not that of the next */
    a->q.budget = 0;
    expect_timeout(a, 1400, 4500);
    sql("ROLLBACK");

    assert_int_equal(find(a, &all).n, 5);
    assert_int_equal(hie_store_include(store, &all, &q, pool, &found, NULL),
                     HIE_OK);
    assert_true(found.n > 0);
    assert_int_equal(sql_number("SELECT pid FROM pg_stat_activity WHERE"
                                " application_name = 'hie'"
                                " AND state = 'idle'"), backend);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        DOCS_TEST(test_plans_of_all), DOCS_TEST(test_plans_of_actor),
        DOCS_TEST(test_plans_with_permission), DOCS_TEST(test_plans_of_orders),
        DOCS_TEST(test_order_looked_up), DOCS_TEST(test_values_by_rid),
        DOCS_TEST(test_explanations), DOCS_TEST(test_found_once),
        DOCS_TEST(test_totals), DOCS_TEST(test_estimates),
        DOCS_TEST(test_budget)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
