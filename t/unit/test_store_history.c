/*
 * store: history and everything, and how they are read.
 */

#include "store_tool.h"

#include <unistd.h>

#include <apr_strings.h>

#define START  INT64_C(1700000000000000)


static void
put_at(const char *type, const char *id, int64_t version, int second,
       const char *body, const char *patient)
{
    hie_put_t  put = make_put(type, id, version, body, patient, NULL, NULL);

    put.updated = START + second * APR_USEC_PER_SEC;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


/* "id/version id/version …" */
static const char *
walk(const hie_visible_t *v, hie_history_t *q)
{
    hie_versions_t  found;
    const char     *out = "";
    int             i;

    q->has_after = false;
    do {
        assert_int_equal(hie_store_history(store, v, q, pool, &found, NULL),
                         HIE_OK);
        assert_in_range(found.n, 0, q->count);
        for (i = 0; i < found.n; i++) {
            out = apr_psprintf(pool, "%s%s%.*s/%d", out,
                               out[0] != '\0' ? " " : "",
                               HIE_PRISTR(found.rows[i].id),
                               (int) found.rows[i].version);
        }
        q->has_after = found.more;
        q->after = found.next;
    } while (found.more);
    return out;
}


static const hie_str_t  both_types[] = {
    { "Observation", 11 }, { "Patient", 7 }
};


static void
test_order(void **state)
{
    hie_history_t  q = { .types = (hie_str_t *) both_types, .n_types = 2 };

    put_at("Patient", "p", 1, 0, "1", "p");
    put_at("Observation", "o", 1, 1, "1", "p");
    put_at("Patient", "p", 2, 2, "2", "p");
    put_at("Observation", "o", 2, 3, "", "p");
    put_at("Observation", "n", 1, 3, "1", "p");
    put_at("Observation", "o", 3, 4, "3", "p");

    for (q.count = 1; q.count < 8; q.count++) {
        q.ascending = false;
        q.n_types = 2;
        assert_string_equal(walk(&all, &q), "o/3 n/1 o/2 p/2 o/1 p/1");
        q.ascending = true;
        assert_string_equal(walk(&all, &q), "p/1 o/1 p/2 o/2 n/1 o/3");
        q.n_types = 1;
        assert_string_equal(walk(&all, &q), "o/1 o/2 n/1 o/3");
        q.id = HIE_STR("o");
        assert_string_equal(walk(&all, &q), "o/1 o/2 o/3");
        q.ascending = false;
        assert_string_equal(walk(&all, &q), "o/3 o/2 o/1");
        q.id = HIE_STR_NONE;
    }
}


static void
test_rows(void **state)
{
    hie_history_t   q = { .types = (hie_str_t *) both_types, .n_types = 1,
                          .id = HIE_STR("o"), .count = 9 };
    hie_put_t       put = make_put("Observation", "o", 1, "one", "p", NULL,
                                   NULL);
    hie_versions_t  found, total;

    put.method = HIE_BY_POST;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    put_at("Observation", "o", 2, 1, "two", "p");
    put_at("Observation", "o", 3, 2, "", "p");
    put = make_put("Observation", "o", 4, "four", "p", NULL, NULL);
    put.method = HIE_BY_PATCH;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);

    q.ascending = true;
    assert_int_equal(hie_store_history(store, &all, &q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.n, 4);
    assert_int_equal(found.total, 4);
    q.id = HIE_STR_NONE;
    assert_int_equal(hie_store_history(store, &all, &q, pool, &total, NULL),
                     HIE_OK);
    assert_int_equal(total.n, 4);
    assert_int_equal(total.total, -1);
    q.count = 0;
    assert_int_equal(hie_store_history(store, &all, &q, pool, &total, NULL),
                     HIE_OK);
    assert_int_equal(total.n, 0);
    assert_int_equal(total.total, 4);
    q.n_types = 0;
    assert_int_equal(hie_store_history(store, &all, &q, pool, &total, NULL),
                     HIE_OK);
    assert_int_equal(total.total, 0);
    /* the times of this test are not in the order of the versions */
    assert_int_equal(found.rows[0].version, 1);
    assert_int_equal(found.rows[0].method, HIE_BY_POST);
    assert_true(body_is(&found.rows[0], "one"));
    assert_int_equal(found.rows[1].method, HIE_BY_PATCH);
    assert_true(body_is(&found.rows[1], "four"));
    assert_int_equal(found.rows[2].method, HIE_BY_PUT);
    assert_int_equal(found.rows[3].method, HIE_BY_DELETE);
    assert_true(found.rows[3].deleted);
    assert_int_equal(found.rows[3].body.len, 0);
    assert_int_equal(found.rows[3].n_patients, 1);
    assert_true(hie_str_eqz(found.rows[3].type, "Observation"));
}


static void
test_times(void **state)
{
    hie_history_t  q = { .types = (hie_str_t *) both_types, .n_types = 1,
                         .count = 2 };
    int            i;

    put_at("Observation", "o", 1, 10, "1", "p");
    put_at("Observation", "o", 2, 20, "2", "p");
    put_at("Observation", "o", 3, 30, "", "p");
    put_at("Observation", "o", 4, 40, "4", "p");

    for (i = 0; i < 2; i++) {
        q.id = i == 0 ? HIE_STR("o") : HIE_STR_NONE;
        q.since = START + 20 * APR_USEC_PER_SEC;
        assert_string_equal(walk(&all, &q), "o/4 o/3 o/2");
        q.until = START + 40 * APR_USEC_PER_SEC;
        assert_string_equal(walk(&all, &q), "o/3 o/2");
        q.since = 0;

        /* current at 25 s; between 35 and 38 it is deleted */
        q.current = START + 25 * APR_USEC_PER_SEC;
        q.until = q.current + 1;
        assert_string_equal(walk(&all, &q), "o/2");
        q.until = START + 35 * APR_USEC_PER_SEC;
        assert_string_equal(walk(&all, &q), "o/3 o/2");
        q.current = q.until;
        q.until += 3 * APR_USEC_PER_SEC;
        assert_string_equal(walk(&all, &q), "");
        q.current = q.until = 0;
    }
}


/*
 * Everything.
 */

static const hie_str_t  types[] = {
    { "Condition", 9 }, { "Encounter", 9 }, { "Observation", 11 },
    { "Organization", 12 }, { "Patient", 7 }, { "Practitioner", 12 }
};

static uint64_t
ref_key(const char *text)
{
    hie_str_t  type, id;

    type = hie_str_split(hie_str(text), '/', &id);
    return hie_fhir_resource_key(type, id);
}


static void
put_refs(const char *type, const char *id, const char *patient, int n,
         const char *const *refs)
{
    hie_put_t         put = make_put(type, id, 1, id, patient, NULL, NULL);
    hie_relations_t  *x = put.relations;
    int               i;

    x->n_refs = x->n_followed = n;
    x->refs = apr_palloc(pool, sizeof(*x->refs) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        x->refs[i] = ref_key(refs[i]);
    }
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


static const char *
gather(const hie_visible_t *v, hie_everything_t *q)
{
    hie_all_t    found;
    const char  *out = "";
    int          i;

    q->after_class = 0;
    q->after_rid = -1;
    do {
        assert_int_equal(hie_store_everything(store, v, q, pool, &found,
                                              NULL), HIE_OK);
        for (i = 0; i < found.n; i++) {
            assert_true(hie_str_eq(found.rows[i].body, found.rows[i].id));
            out = apr_psprintf(pool, "%s%s%d%.*s", out,
                               out[0] != '\0' ? " " : "", found.classes[i],
                               HIE_PRISTR(found.rows[i].id));
        }
        q->after_class = found.next_class;
        q->after_rid = found.next_rid;
    } while (found.more);
    return out;
}


static hie_everything_t
everything_of(const char *type, const char *id, uint64_t *patient)
{
    return (hie_everything_t) {
        .type = hie_str(type), .id = hie_str(id), .patients = patient,
        .n_patients = 1, .n_may = 6, .may = types, .n_want = 6,
        .want = types, .n_support = 3, .support = types + 3, .count = 100
    };
}


static void
put_chart(void)
{
    const char  *of_e[] = { "Condition/c", "Organization/org" };
    const char  *of_o[] = { "Encounter/e", "Practitioner/doc",
                            "Practitioner/none" };

    put_refs("Practitioner", "doc", NULL, 0, NULL);
    put_refs("Organization", "org", NULL, 0, NULL);
    put_refs("Organization", "else", NULL, 0, NULL);
    put_refs("Condition", "c", "p", 0, NULL);
    put_refs("Encounter", "e", "p", 2, of_e);
    put_refs("Observation", "o", "p", 3, of_o);
    put_refs("Patient", "p", "p", 0, NULL);
    put_refs("Patient", "q", "q", 0, NULL);
    put_refs("Observation", "other", "q", 1, of_e + 1);
}


static void
test_everything(void **state)
{
    uint64_t          p = key("p");
    hie_everything_t  q = everything_of("Patient", "p", &p);
    int               count;

    put_chart();
    for (count = 1; count < 8; count++) {
        /* the last one is read as a whole */
        q.count = count < 7 ? count : 1000;
        assert_string_equal(gather(&all, &q), "0p 1c 1e 1o 2doc 2org");
    }

    /* what may not be read leads nowhere, what is not wanted does */
    q.n_may = 2;
    assert_string_equal(gather(&all, &q), "1c 1e 2org");
    q.n_may = 6;
    q.want = types + 3;
    q.n_want = 1;
    assert_string_equal(gather(&all, &q), "2org");
    q.n_want = 0;
    assert_string_equal(gather(&all, &q), "");
}


static void
test_everything_of_encounter(void **state)
{
    uint64_t          p = key("p");
    hie_everything_t  q = everything_of("Encounter", "e", &p);
    int               i;

    put_chart();
    for (i = 1; i < 8; i++) {
        q.count = i < 7 ? i : 1000;
        assert_string_equal(gather(&all, &q), "0e 1o 2doc 2org 2c");
    }
}


/* So many rows that what they refer to is not looked for among them. */
static void
test_everything_of_many(void **state)
{
    const char        *refs[] = { "Encounter/e", "Practitioner/doc" };
    uint64_t           p = key("p");
    hie_everything_t   q = everything_of("Patient", "p", &p);
    const char        *whole;
    int                i;

    put_chart();
    for (i = 0; i < 100; i++) {
        put_refs("Observation", apr_psprintf(pool, "m%d", i), "p", 2, refs);
    }

    q.count = 1000;
    whole = gather(&all, &q);
    assert_non_null(strstr(whole, "1m98 1m99 2doc"));
    assert_null(strstr(whole, "2e"));
    q.count = 30;
    assert_string_equal(gather(&all, &q), whole);
}


static void
test_everything_times(void **state)
{
    uint64_t          p = key("p");
    hie_everything_t  q = everything_of("Patient", "p", &p);
    hie_put_t         put = make_put("Observation", "dated", 1, "dated", "p",
                                     NULL, NULL);
    hie_relations_t  *x = put.relations;

    x->care_from = START;
    x->care_until = START + 10;
    put_refs("Patient", "p", "p", 0, NULL);
    put.updated = START + 5;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);

    assert_string_equal(gather(&all, &q), "0p 1dated");
    q.from = START + 9;
    assert_string_equal(gather(&all, &q), "0p 1dated");
    q.from = START + 10;
    assert_string_equal(gather(&all, &q), "0p");
    q.from = 0;
    q.until = START;
    assert_string_equal(gather(&all, &q), "0p");
    q.until = START + 1;
    assert_string_equal(gather(&all, &q), "0p 1dated");
    q.until = 0;
    q.since = START + 5;
    assert_string_equal(gather(&all, &q), "0p 1dated");
    q.since = START + 6;
    assert_string_equal(gather(&all, &q), "0p");
}


static void
test_everything_withheld(void **state)
{
    uint64_t           p = key("p");
    uint64_t           pq[] = { key("p"), key("q") };
    hie_everything_t   q = everything_of("Patient", "p", &p);
    hie_consent_row_t  c = { .patient = key("q") };
    hie_put_t          put = make_put("Consent", "c", 1, "{}", NULL, NULL,
                                      NULL);
    hie_put_t          of_both = make_put("Observation", "b", 1, "b", "p",
                                          NULL, NULL);
    uint64_t           ref = ref_key("Practitioner/doc");
    hie_relations_t   *x = of_both.relations;
    hie_visible_t      v = { .default_permit = true };

    put_refs("Patient", "p", "p", 0, NULL);
    put_refs("Practitioner", "doc", NULL, 0, NULL);
    x->n_patients = 2;
    x->patients = pq;
    x->n_refs = x->n_followed = 1;
    x->refs = &ref;
    assert_int_equal(put_rows(store, &of_both, 1), HIE_OK);
    assert_string_equal(gather(&v, &q), "0p 1b 2doc");

    put.n_consents = 1;
    put.consents = &c;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_string_equal(gather(&v, &q), "0p");
    assert_string_equal(gather(&all, &q), "0p 1b 2doc");
    v.default_permit = false;
    assert_string_equal(gather(&v, &q), "");
}


/*
 * How it is read: by a connection of its own, whose figures are those of the
 * tables when it is closed.
 */
typedef struct {
    long  scans;
    long  fetched;
} reading_t;

typedef void work_fn(hie_store_t *s, const hie_visible_t *v);

static reading_t
read_by(const hie_visible_t *v, work_fn *work)
{
    hie_config_t  c;
    hie_store_t  *s;
    reading_t     r;
    int           i;

    configure(&c, apr_pstrcat(pool, admin_conninfo, " user=" ROLE
                              " application_name=plans", NULL), 1);
    s = open_store(&c);
    assert_int_equal(hie_store_ping(s, NULL), HIE_OK);
    sql("SELECT pg_stat_reset()");
    work(s, v);
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
                         " ('resource', 'resource_history', 'consent')");
    r.fetched = sql_number("SELECT sum(idx_tup_fetch)"
                           " FROM pg_stat_user_tables"
                           " WHERE schemaname = 'hie' AND relname IN"
                           " ('resource', 'resource_history')");
    return r;
}


static void
work_instance(hie_store_t *s, const hie_visible_t *v)
{
    hie_history_t   q = { .types = (hie_str_t *) both_types, .n_types = 1,
                          .id = HIE_STR("7"), .count = 10 };
    hie_versions_t  found;

    assert_int_equal(hie_store_history(s, v, &q, pool, &found, NULL), HIE_OK);
    assert_int_equal(found.n, 2);
}


static void
work_type(hie_store_t *s, const hie_visible_t *v)
{
    hie_history_t   q = { .types = (hie_str_t *) both_types, .n_types = 1,
                          .count = 10 };
    hie_versions_t  found;
    int             i;

    for (i = 0; i < 2; i++) {
        q.ascending = i;
        assert_int_equal(hie_store_history(s, v, &q, pool, &found, NULL),
                         HIE_OK);
        assert_int_equal(found.n, 10);
        q.has_after = true;
        q.after = found.next;
        assert_int_equal(hie_store_history(s, v, &q, pool, &found, NULL),
                         HIE_OK);
        assert_int_equal(found.n, 10);
        q.has_after = false;
    }
}


static void
work_system(hie_store_t *s, const hie_visible_t *v)
{
    hie_history_t   q = { .types = (hie_str_t *) both_types, .n_types = 2,
                          .count = 10 };
    hie_versions_t  found;

    assert_int_equal(hie_store_history(s, v, &q, pool, &found, NULL), HIE_OK);
    assert_int_equal(found.n, 10);
}


static void
work_everything(hie_store_t *s, const hie_visible_t *v)
{
    uint64_t          patient = 7;
    hie_everything_t  q = everything_of("Patient", "7", &patient);
    hie_all_t         found;

    assert_int_equal(hie_store_everything(s, v, &q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.n, 51);
}


static void
check_reading(const hie_visible_t *v, work_fn *work, long most,
              const char *what)
{
    reading_t  r = read_by(v, work);

    if (r.scans != 0 || r.fetched > most) {
        fail_msg("%s: %ld scans, %ld rows", what, r.scans, r.fetched);
    }
}


static void
test_plans(void **state)
{
    hie_visible_t         v = { .default_permit = true };
    hie_visible_t         w = { .default_permit = false };
    const hie_visible_t  *seen[] = { &all, &v, &w };
    int                   i;

    sql("INSERT INTO hie.resource (key, version, updated, type, id, patients,"
        " tokens, ref_params, ref_keys, body) SELECT i, 1 + i % 2,"
        " timestamptz '2026-01-01' + i * interval '1 s',"
        " CASE WHEN i % 10 = 0 THEN 'Patient'"
        " ELSE 'Observation' END, i::text, ARRAY[i % 1000], '{}',"
        " CASE WHEN i % 10 = 0 THEN '{}' ELSE ARRAY[0] END,"
        " CASE WHEN i % 10 = 0 THEN '{}' ELSE ARRAY[-7] END,"
        " '\\x00' FROM generate_series(1, 50000) i");
    sql("INSERT INTO hie.resource (key, version, updated, type, id, patients,"
        " tokens, body) VALUES (-7, 1, now(), 'Practitioner', '7', '{}', '{}',"
        " '\\x00')");
    set_key("Observation", "7");
    sql("INSERT INTO hie.resource_history (rid, version, updated, superseded,"
        " method, deleted, type, id, patients, body) SELECT rid, 1,"
        " updated - interval '1 h', updated, 1, false, type, id, patients,"
        " body FROM hie.resource WHERE version = 2");
    sql("INSERT INTO hie.consent (patient, base_permit, consent_id, permit,"
        " deny) SELECT i, true, i::text, '{}', '{}'"
        " FROM generate_series(0, 999) i");
    sql("VACUUM ANALYZE hie.resource, hie.resource_history, hie.consent");
    sql("SELECT pg_stat_force_next_flush()");

    for (i = 0; i < 3; i++) {
        /* a page of ten: eleven places of each table and type, the current
         * rows of the superseded ones, the rows themselves */
        check_reading(seen[i], work_instance, 12, "instance");
        check_reading(seen[i], work_type, 4 * 50, "type");
        check_reading(seen[i], work_system, 100, "system");
        check_reading(seen[i], work_everything, 51 * 2 + 10, "everything");
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_order), TEST(test_rows), TEST(test_times),
        TEST(test_everything), TEST(test_everything_of_encounter),
        TEST(test_everything_of_many), TEST(test_everything_times),
        TEST(test_everything_withheld),
        TEST(test_plans)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
