/*
 * store: migrations, rights, resources, the tables of the workers, faults.
 */

#include "store_tool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_strings.h>


/*
 * Migrations.
 */
static void
test_migrate_again(void **state)
{
    hie_migration_t  m;

    assert_int_equal(hie_store_migrate(admin_conninfo, ROLE, NODE, pool, &m,
                                       NULL), HIE_OK);
    assert_int_equal(m.from, m.to);
    assert_true(m.to > 0);
    assert_int_equal(sql_number("SELECT max(version) FROM hie.schema_version"),
                     m.to);
    assert_int_equal(sql_number("SELECT length(value) FROM hie.secret"), 32);
}


static void
test_migrate_second_node(void **state)
{
    hie_migration_t  m;

    assert_int_equal(hie_store_migrate(admin_conninfo, ROLE, "n2", pool, &m,
                                       NULL), HIE_OK);
    sql("INSERT INTO hie_node_n2.audit_log (recorded, resources, id, subject,"
        " issuer, organization, peer, interaction, type, resource_id, query,"
        " decision, patients) VALUES (now(), 0, 'x', '', '', '', '', '', '',"
        " '', '', '', '{}')");
    assert_int_equal(sql_number("SELECT count(*) FROM hie.v_all_audit_logs"
                                " WHERE node = 'n2'"), 1);
}


static void
test_migrate_refuses(void **state)
{
    hie_migration_t  m;
    hie_error_t      err;

    assert_int_equal(hie_store_migrate(admin_conninfo, ROLE, "N; DROP", pool,
                                       &m, &err), HIE_INVALID);
    assert_int_equal(hie_store_migrate(admin_conninfo, "no_such_role", NODE,
                                       pool, &m, &err), HIE_UNPROCESSABLE);
    assert_non_null(strstr(err.detail, "no_such_role"));
    assert_int_equal(hie_store_migrate("host=/nonexistent", ROLE, NODE, pool,
                                       &m, &err), HIE_UNAVAILABLE);

    sql("INSERT INTO hie.schema_version (version, name) VALUES (999, 'x')");
    assert_int_equal(hie_store_migrate(admin_conninfo, ROLE, NODE, pool, &m,
                                       &err), HIE_UNAVAILABLE);
    assert_non_null(strstr(err.detail, "newer"));
    sql("DELETE FROM hie.schema_version WHERE version = 999");
}


static void *
migrate_thread(void *arg)
{
    hie_rc_t         *rc = arg;
    apr_pool_t       *scratch = hie_pool_create(NULL, "test");
    hie_migration_t   m;

    *rc = hie_store_migrate(admin_conninfo, ROLE, NODE, scratch, &m, NULL);
    apr_pool_destroy(scratch);
    return NULL;
}


static void
test_migrate_concurrently(void **state)
{
    pthread_t  t[3];
    hie_rc_t   rc[3];
    int        i;

    drop_everything();
    for (i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, migrate_thread, &rc[i]);
    }
    for (i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(rc[i], HIE_OK);
    }
    assert_int_equal(sql_number("SELECT count(*) FROM hie.node"), 1);
}


static void
test_schema_check(void **state)
{
    hie_config_t   c = conf;
    hie_store_t   *s = open_store(&c);
    hie_error_t    err;

    sql("INSERT INTO hie.schema_version (version, name) VALUES (999, 'x')");
    assert_int_equal(hie_store_ping(s, &err), HIE_UNAVAILABLE);
    sql("DELETE FROM hie.schema_version WHERE version = 999");
    usleep(250000);
    assert_int_equal(hie_store_ping(s, &err), HIE_OK);
    hie_store_close(s);

    /* a database that nobody has migrated */
    sql("ALTER SCHEMA hie RENAME TO hie_away");
    s = open_store(&c);
    assert_int_equal(hie_store_ping(s, &err), HIE_UNAVAILABLE);
    assert_non_null(strstr(err.detail, "hiectl migrate"));
    hie_store_close(s);
    sql("ALTER SCHEMA hie_away RENAME TO hie");
}


/*
 * Privileges.
 */
static void
assert_refused(PGconn *pg, const char *text)
{
    PGresult    *res = PQexec(pg, text);
    const char  *code = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (code == NULL || strcmp(code, "42501") != 0) {
        fail_msg("not refused: %s (%s)", text, code != NULL ? code : "ok");
    }
    PQclear(res);
}


static void
test_privileges(void **state)
{
    static const char *const  refused[] = {
        "UPDATE hie_node_n1.audit_log SET subject = 'x'",
        "UPDATE hie_node_n1.audit_log SET recorded = now()",
        "UPDATE hie_node_n1.audit_log SET id = 'x'",
        "UPDATE hie_node_n1.audit_log SET patients = '{}'",
        "UPDATE hie_node_n1.audit_log SET resources = 0",
        "UPDATE hie_node_n1.audit_log SET decision = 'permit'",
        "DELETE FROM hie_node_n1.audit_log",
        "TRUNCATE hie_node_n1.audit_log",
        "SELECT subject FROM hie_node_n1.audit_log",
        "SELECT * FROM hie.v_all_audit_logs",
        "DELETE FROM hie_node_n1.dead_letter",
        "SELECT message FROM hie_node_n1.dead_letter",
        "DELETE FROM hie.resource",
        "UPDATE hie.resource SET rid = 1",
        "UPDATE hie.resource SET id = 'x'",
        "UPDATE hie.resource SET owner = NULL",
        "TRUNCATE hie.resource",
        "UPDATE hie.resource_history SET version = 9",
        "DELETE FROM hie.resource_history",
        "UPDATE hie.consent SET base_permit = true",
        "UPDATE hie.binary SET content = 1",
        "DELETE FROM hie.binary",
        "UPDATE hie.binary_chunk SET data = ''",
        "DELETE FROM hie.binary_chunk",
        "SELECT hie.grant_binary('hie_app')",
        "UPDATE hie.secret SET value = value",
        "UPDATE hie.schema_version SET version = 5",
        "CREATE TABLE hie.t (a int)",
        "CREATE TABLE hie_node_n1.t (a int)",
        "CREATE SCHEMA s",
        "SELECT hie.make_node('n3')",
        "SELECT hie.grant_server('hie_app', 'n1')",
        "SELECT hie.unite_audit_logs()",
        "SELECT setval('hie.resource_rid', 1)"
    };
    PGconn  *app = PQconnectdb(conf.database.conninfo);
    size_t   i;

    assert_int_equal(PQstatus(app), CONNECTION_OK);
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_refused(app, refused[i]);
    }
    PQfinish(app);
}


/*
 * Resources.
 */
static void
test_create_and_read(void **state)
{
    hie_row_t  row;
    char      *big = apr_palloc(pool, 300001);
    size_t     i;

    put_one("Patient", "p1", 1, "{\"a\":1.50}", "p1", "t", "smith");
    assert_int_equal(read_one(&all, "Patient", "p1", 0, &row), HIE_OK);
    assert_true(body_is(&row, "{\"a\":1.50}"));
    assert_true(hie_str_eqz(row.id, "p1"));
    assert_true(hie_str_eqz(row.type, "Patient"));
    assert_int_equal(row.version, 1);
    assert_true(row.updated == 1700000000123456);
    assert_false(row.deleted);
    assert_int_equal(row.n_patients, 1);
    assert_true(row.patients[0] == key("p1"));

    for (i = 0; i < 300000; i++) {
        big[i] = (char) ('a' + i * i % 23);
    }
    big[300000] = '\0';
    put_one("Binary", "b", 1, big, NULL, NULL, NULL);
    assert_int_equal(read_one(&all, "Binary", "b", 0, &row), HIE_OK);
    assert_true(body_is(&row, big));
    assert_int_equal(row.n_patients, 0);

    assert_int_equal(read_one(&all, "Patient", "p2", 0, &row), HIE_NOT_FOUND);
    assert_int_equal(read_one(&all, "Group", "p1", 0, &row), HIE_NOT_FOUND);
    assert_int_equal(read_one(&all, "Patient", "' OR 1=1 --", 0, &row),
                     HIE_NOT_FOUND);
}


static void
test_many_rows(void **state)
{
    hie_put_t            *puts = apr_palloc(pool, 500 * sizeof(*puts));
    hie_relations_t      *x;
    hie_search_values_t  *v;
    hie_row_t             row;
    int                   i, j;

    /* rows with 0 to 3 patients and tokens: each must get its own */
    for (i = 0; i < 500; i++) {
        puts[i] = make_put("Observation", apr_psprintf(pool, "o%d", i), 1,
                           apr_psprintf(pool, "{\"n\":%d}", i), NULL, NULL,
                           i % 2 == 0 ? apr_psprintf(pool, "s%d", i) : NULL);
        x = puts[i].relations;
        v = put_values(&puts[i]);
        x->n_patients = i % 4;
        x->patients = apr_palloc(pool, 4 * sizeof(uint64_t));
        v->n_tokens = i % 4;
        v->tokens = apr_palloc(pool, 4 * sizeof(uint64_t));
        for (j = 0; j < i % 4; j++) {
            x->patients[j] = (uint64_t) (i * 10 + j);
            v->tokens[j] = UINT64_MAX - (uint64_t) (i * 10 + j);
        }
    }
    assert_int_equal(put_rows(store, puts, 500), HIE_OK);

    for (i = 0; i < 500; i += 37) {
        assert_int_equal(read_one(&all, "Observation",
                                  apr_psprintf(pool, "o%d", i), 0, &row),
                         HIE_OK);
        assert_true(hie_str_eq(row.body, puts[i].body));
        assert_int_equal(row.n_patients, i % 4);
        for (j = 0; j < i % 4; j++) {
            assert_true(row.patients[j] == (uint64_t) (i * 10 + j));
        }
    }
    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource WHERE"
                                " cardinality(tokens) = substr(id, 2)::int % 4"
                                " AND (tokens = '{}' OR -tokens[1] - 1"
                                " = substr(id, 2)::int * 10)"), 500);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource r JOIN"
                                " hie.resource_string s USING (rid) WHERE"
                                " 's' || substr(r.id, 2) = s.value"), 250);
}


static void
test_history(void **state)
{
    hie_row_t        row;
    hie_store_tx_t  *tx;
    hie_put_t        put;
    hie_store_current_t  now;

    put_one("Patient", "p", 1, "one", "a", "t1", "alpha");
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_true(lock_row(tx, &all, "Patient", "p", &now));
    assert_true(now.visible);
    assert_int_equal(now.row.version, 1);
    assert_true(body_is(&now.row, "one"));
    put = make_put("Patient", "p", 2, "two", "a", "t2", "beta");
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(tx, NULL), HIE_OK);

    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_OK);
    assert_true(body_is(&row, "two"));
    assert_int_equal(row.version, 2);
    assert_int_equal(read_one(&all, "Patient", "p", 1, &row), HIE_OK);
    assert_true(body_is(&row, "one"));
    assert_int_equal(row.version, 1);
    assert_int_equal(read_one(&all, "Patient", "p", 2, &row), HIE_OK);
    assert_true(body_is(&row, "two"));
    assert_int_equal(read_one(&all, "Patient", "p", 3, &row), HIE_NOT_FOUND);

    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource_history"),
                     1);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource_string"
                                " WHERE value = 'beta'"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource_string"),
                     1);
}


static void
test_delete(void **state)
{
    hie_row_t      row;
    hie_str_t      type = HIE_STR("Patient");
    hie_query_t    q = { .n_types = 1, .types = &type, .count = 10,
                         .total = HIE_TOTAL_ACCURATE };
    hie_found_t    found;

    put_one("Patient", "p", 1, "one", "a", "t1", "alpha");
    put_one("Patient", "p", 2, "", NULL, NULL, NULL);
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_GONE);
    assert_int_equal(row.version, 2);
    assert_int_equal(row.n_patients, 1);
    assert_int_equal(read_one(&all, "Patient", "p", 1, &row), HIE_OK);
    assert_int_equal(hie_store_search(store, &all, &q, pool, &found, NULL),
                     HIE_OK);
    assert_int_equal(found.total, 0);
    put_one("Patient", "p", 3, "three", "a", "t1", "alpha");
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_OK);
    assert_int_equal(read_one(&all, "Patient", "p", 2, &row), HIE_GONE);
}


static void
test_conflicts(void **state)
{
    hie_put_t        put = make_put("Patient", "p", 1, "one", NULL, NULL,
                                    NULL);
    hie_put_t        late = make_put("Patient", "p", 3, "x", NULL, NULL,
                                     NULL);
    hie_store_tx_t  *tx;
    hie_row_t        row;

    put_one("Patient", "p", 1, "one", NULL, NULL, NULL);
    assert_int_equal(put_rows(store, &put, 1), HIE_CONFLICT);
    assert_int_equal(put_rows(store, &late, 1), HIE_CONFLICT);

    /* after a failure a commit must not pretend */
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    late.version = 2;
    assert_int_equal(hie_store_put(tx, &late, 1, NULL), HIE_OK);
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_CONFLICT);
    assert_int_equal(hie_store_commit(tx, NULL), HIE_CONFLICT);
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_OK);
    assert_true(body_is(&row, "one"));
}


static void *
create_thread(void *arg)
{
    hie_rc_t             *rc = arg;
    apr_pool_t           *scratch = hie_pool_create(NULL, "test");
    hie_relations_t       x = { 0 };
    hie_search_values_t   v = { 0 };
    hie_store_tx_t       *tx;
    hie_put_t             put = {
        .type = HIE_STR("Patient"), .id = HIE_STR("same"), .version = 1,
        .updated = 1, .body = HIE_STR("{}"), .relations = &x, .values = &v
    };

    *rc = hie_store_begin(store, scratch, &tx, NULL);
    if (*rc == HIE_OK) {
        *rc = hie_store_put(tx, &put, 1, NULL);
        usleep(20000);
        if (*rc == HIE_OK) {
            *rc = hie_store_commit(tx, NULL);
        } else {
            hie_store_rollback(tx);
        }
    }
    apr_pool_destroy(scratch);
    return NULL;
}


static void
test_concurrent_creates(void **state)
{
    pthread_t  t[4];
    hie_rc_t   rc[4];
    int        won = 0;
    int        i;

    for (i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, create_thread, &rc[i]);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        won += rc[i] == HIE_OK;
        assert_true(rc[i] == HIE_OK || rc[i] == HIE_CONFLICT);
    }
    assert_int_equal(won, 1);
}


static void
test_rollback_and_locks(void **state)
{
    hie_store_tx_t  *tx, *other;
    hie_put_t        put = make_put("Patient", "p", 1, "one", NULL, NULL,
                                    NULL);
    hie_row_t        row;
    hie_store_current_t  now;
    hie_store_lock_t     locks[] = {
        { UINT64_MAX, false }, { 5, false }, { 7, true }, { 5, true }
    };

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_find(tx, &all, locks, 4, NULL, 0, NULL, NULL),
                     HIE_OK);
    assert_false(lock_row(tx, &all, "Patient", "p", &now));
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_OK);

    /* lock_timeout is half of statement_timeout */
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_find(other, &all, locks + 2, 1, NULL, 0, NULL,
                                    NULL), HIE_OK);
    assert_int_equal(hie_store_find(other, &all, locks + 3, 1, NULL, 0, NULL,
                                    NULL), HIE_CONFLICT);
    hie_store_rollback(other);

    hie_store_rollback(tx);
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_NOT_FOUND);

    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_find(other, &all, locks, 3, NULL, 0, NULL,
                                    NULL), HIE_OK);
    assert_int_equal(hie_store_commit(other, NULL), HIE_OK);

    /* nothing done at all */
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(other, NULL), HIE_OK);
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    hie_store_rollback(other);
}


/*
 * Worker tables.
 */
static hie_audit_row_t
make_audit(const char *id, const char *decision)
{
    hie_audit_row_t  row = {
        .recorded = 1700000000000000, .subject = HIE_STR("doctor"),
        .decision = hie_str(decision), .bytes = -1
    };

    apr_cpystrn(row.id, id, sizeof(row.id));
    return row;
}


static hie_rc_t
write_audit(const hie_audit_row_t *rows, int n)
{
    hie_store_tx_t  *tx;
    hie_rc_t         rc;

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    rc = hie_store_audit(tx, NODE, false, rows, n, NULL);
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }
    return hie_store_commit(tx, NULL);
}


static long
audited(const char *where)
{
    return sql_number(apr_pstrcat(pool, "SELECT count(*) FROM"
                                  " hie.v_all_audit_logs WHERE node = 'n1'"
                                  " AND ", where, NULL));
}


static hie_audit_row_t
make_judged(const char *id, const char *decision, uint64_t *patients, int n)
{
    hie_audit_row_t  row = make_audit(id, decision);

    row.complete = true;
    row.completed = 1700000001000000;
    row.judged = true;
    row.n_withheld = 3;
    row.n_disclosed = n;
    row.n_disclosed_patients = n;
    row.disclosed_patients = patients;
    return row;
}


/* What comes with the completion, in each of the ways there are: a row that is
 * not there, one that may be, one that is. */
static void
test_audit_judged(void **state)
{
    hie_audit_row_t   rows[4];
    uint64_t          patients[] = { 1, UINT64_MAX, 5 };
    hie_store_tx_t   *tx;

    rows[0] = make_judged("JA", "permit", patients, 2);
    rows[1] = make_judged("JB", "permit", NULL, 0);
    rows[1].n_withheld = 1;
    rows[2] = make_audit("JC", "permit");
    rows[3] = make_audit("JD", "permit");
    rows[3].complete = true;

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_audit(tx, NODE, true, rows, 4, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(tx, NULL), HIE_OK);
    assert_int_equal(audited("id = 'JA' AND withheld = 3 AND"
                             " disclosed_resources = 2 AND"
                             " disclosed_patients = '{1,-1}'"), 1);
    assert_int_equal(audited("id = 'JB' AND withheld = 1 AND"
                             " disclosed_resources = 0 AND"
                             " disclosed_patients = '{}'"), 1);
    assert_int_equal(audited("id IN ('JC', 'JD') AND withheld IS NULL AND"
                             " disclosed_resources IS NULL AND"
                             " disclosed_patients IS NULL"), 2);

    /* of two rows that wait, one is completed by a row, one by itself */
    rows[0] = make_audit("JE", "permit");
    rows[1] = make_judged("JF", "permit", patients, 1);
    rows[2] = make_judged("JC", "permit", patients + 1, 2);
    assert_int_equal(write_audit(rows, 3), HIE_OK);
    assert_int_equal(audited("id = 'JC' AND withheld = 3 AND"
                             " disclosed_patients = '{-1,5}'"), 1);
    assert_int_equal(audited("id = 'JF' AND disclosed_resources = 1 AND"
                             " disclosed_patients = '{1}'"), 1);
    assert_int_equal(audited("id = 'JE' AND disclosed_patients IS NULL"), 1);

    rows[0] = make_judged("JE", "", patients, 3);
    rows[1] = make_audit("JD", "");
    rows[1].complete = true;
    rows[2] = make_judged("JC", "", NULL, 0);      /* complete already */
    assert_int_equal(write_audit(rows, 3), HIE_OK);
    assert_int_equal(audited("id = 'JE' AND withheld = 3 AND"
                             " disclosed_resources = 3 AND"
                             " disclosed_patients = '{1,-1,5}'"), 1);
    assert_int_equal(audited("id = 'JC' AND disclosed_patients = '{-1,5}'"),
                     1);
    assert_int_equal(audited("id = 'JD' AND withheld IS NULL"), 1);
}


static void
test_outcome_is_final(void **state)
{
    hie_audit_row_t   row = make_judged("JZ", "permit", NULL, 0);
    PGconn           *app = PQconnectdb(conf.database.conninfo);

    assert_int_equal(write_audit(&row, 1), HIE_OK);
    assert_int_equal(PQstatus(app), CONNECTION_OK);
    assert_refused(app, "UPDATE hie_node_n1.audit_log SET status = 999"
                        " WHERE id = 'JZ'");
    assert_refused(app, "UPDATE hie_node_n1.audit_log SET completed = NULL"
                        " WHERE id = 'JZ'");
    PQfinish(app);
}


static void
test_audit(void **state)
{
    hie_audit_row_t      rows[6];
    uint64_t             patients[] = { 1, UINT64_MAX };
    hie_store_status_t   status;
    hie_store_tx_t      *tx;

    /* a pending one, one complete at once, and their repetition */
    rows[0] = make_audit("B", "permit");
    rows[1] = make_audit("A", "permit");
    rows[1].complete = true;
    rows[1].completed = 1700000001000000;
    rows[1].status = 200;
    rows[1].bytes = 12;
    rows[1].n_patients = 2;
    rows[1].patients = patients;
    assert_int_equal(write_audit(rows, 2), HIE_OK);
    assert_int_equal(write_audit(rows, 2), HIE_OK);
    assert_int_equal(sql_number("SELECT count(*) FROM hie_node_n1.audit_log"),
                     2);
    assert_int_equal(sql_number("SELECT bytes FROM hie_node_n1.audit_log"
                                " WHERE id = 'A' AND patients = '{1,-1}'"
                                " AND subject = 'doctor' AND NOT aborted"),
                     12);
    assert_int_equal(hie_store_status(store, NODE, &status, NULL), HIE_OK);
    assert_int_equal(status.audit, 2);
    assert_int_equal(status.audit_open, 1);

    /* completions: of a row, of none, twice; and one in the same batch */
    rows[0] = make_audit("B", "");
    rows[0].complete = true;
    rows[0].completed = 1700000002000000;
    rows[0].status = 404;
    rows[1] = make_audit("X", "");
    rows[1].complete = true;
    rows[2] = make_audit("C", "");
    rows[2].complete = true;
    rows[2].status = 500;
    rows[3] = make_audit("C", "deny");
    rows[4] = make_audit("D", "deny");
    rows[5] = make_audit("D", "deny");
    assert_int_equal(write_audit(rows, 6), HIE_OK);
    rows[0].status = 999;
    assert_int_equal(write_audit(rows, 1), HIE_OK);
    assert_int_equal(sql_number("SELECT status FROM hie_node_n1.audit_log"
                                " WHERE id = 'B' AND bytes IS NULL"), 404);
    assert_int_equal(sql_number("SELECT status FROM hie_node_n1.audit_log"
                                " WHERE id = 'C' AND decision = 'deny'"), 500);
    assert_int_equal(sql_number("SELECT count(*) FROM hie_node_n1.audit_log"),
                     4);

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_audit(tx, "no such", false, rows, 1, NULL),
                     HIE_INVALID);
    hie_store_rollback(tx);
}


static void
test_places(void **state)
{
    hie_store_place_t   places[2] = { { "S1", 10 }, { "S2", UINT32_MAX } };
    hie_store_place_t  *out;
    hie_store_tx_t     *tx;
    int                 i, n;

    for (i = 0; i < 2; i++) {
        places[0].offset += 5;
        assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
        assert_int_equal(hie_store_set_places(tx, NODE, "audit", places, 2,
                                              NULL), HIE_OK);
        assert_int_equal(hie_store_commit(tx, NULL), HIE_OK);
    }
    assert_int_equal(hie_store_places(store, NODE, "audit", pool, &out, &n,
                                      NULL), HIE_OK);
    assert_int_equal(n, 2);
    assert_string_equal(out[0].segment, "S1");
    assert_true(out[0].offset == 20);
    assert_true(out[1].offset == UINT32_MAX);

    assert_int_equal(hie_store_forget_place(store, NODE, "audit", "S1", NULL),
                     HIE_OK);
    assert_int_equal(hie_store_places(store, NODE, "audit", pool, &out, &n,
                                      NULL), HIE_OK);
    assert_int_equal(n, 1);
    assert_int_equal(hie_store_places(store, NODE, "hl7", pool, &out, &n,
                                      NULL), HIE_OK);
    assert_int_equal(n, 0);
}


static void
test_small_tables(void **state)
{
    hie_error_t      why = { HIE_UNPROCESSABLE, "PID-3", "no identifier" };
    unsigned char    secret[2][32];
    hie_store_tx_t  *tx;
    int64_t          done;
    int              i;

    assert_int_equal(hie_store_secret(store, secret[0], NULL), HIE_OK);
    assert_int_equal(hie_store_secret(store, secret[1], NULL), HIE_OK);
    assert_memory_equal(secret[0], secret[1], 32);

    for (i = 0; i < 2; i++) {
        assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
        assert_int_equal(hie_store_dead_letter(tx, NODE, "L1",
                                               HIE_STR("MSH|\r\0x"),
                                               HIE_STR("10.0.0.1"), &why,
                                               NULL), HIE_OK);
        assert_int_equal(hie_store_set_load_state(tx, "d", 40 + i, NULL),
                         HIE_OK);
        assert_int_equal(hie_store_commit(tx, NULL), HIE_OK);
    }
    assert_int_equal(sql_number("SELECT length(message)"
                                " FROM hie_node_n1.dead_letter"
                                " WHERE reason = 'no identifier'"), 7);
    assert_int_equal(hie_store_load_state(store, "d", &done, NULL), HIE_OK);
    assert_int_equal(done, 41);
    assert_int_equal(hie_store_load_state(store, "e", &done, NULL), HIE_OK);
    assert_int_equal(done, 0);
}


/*
 * Faults.
 */
static void
test_pool_exhausted(void **state)
{
    hie_config_t     c = conf;
    hie_store_t     *s;
    hie_store_tx_t  *a, *b, *none;
    hie_row_t        row;
    apr_time_t       start;

    c.database.connections = 2;
    s = open_store(&c);
    hie_store_warm(s, 9, 2000);
    assert_int_equal(hie_store_begin(s, pool, &a, NULL), HIE_OK);
    assert_int_equal(hie_store_begin(s, pool, &b, NULL), HIE_OK);

    start = apr_time_now();
    assert_int_equal(hie_store_begin(s, pool, &none, NULL), HIE_BUSY);
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_BUSY);
    assert_in_range(apr_time_now() - start, 550000, 1500000);

    hie_store_rollback(a);
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_NOT_FOUND);
    hie_store_rollback(b);
    hie_store_close(s);
}


static void
kill_backends(void)
{
    sql("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        " WHERE usename = '" ROLE "'"
        " AND datname = current_database()");
}


static void
test_backend_killed(void **state)
{
    hie_row_t        row;
    hie_store_tx_t  *tx;
    hie_store_current_t  now;
    hie_put_t        put = make_put("Patient", "q", 1, "{}", NULL, NULL,
                                    NULL);

    put_one("Patient", "p", 1, "{}", NULL, NULL, NULL);
    hie_store_warm(store, 4, 2000);

    kill_backends();
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_OK);

    /* before the first statement nothing is lost */
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    kill_backends();
    assert_true(lock_row(tx, &all, "Patient", "p", &now));
    /* in the midst of it everything is */
    kill_backends();
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_UNAVAILABLE);
    assert_int_equal(hie_store_commit(tx, NULL), HIE_UNAVAILABLE);

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_OK);
    kill_backends();
    assert_int_equal(hie_store_commit(tx, NULL), HIE_UNAVAILABLE);
    assert_int_equal(read_one(&all, "Patient", "q", 0, &row), HIE_NOT_FOUND);

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_OK);
    kill_backends();
    hie_store_rollback(tx);
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


static void
test_statement_timeout(void **state)
{
    hie_config_t   c = conf;
    hie_store_t   *s;
    hie_row_t      row;

    c.database.statement_timeout = 200;
    s = open_store(&c);
    hie_store_warm(s, 1, 1000);
    sql("BEGIN; LOCK TABLE hie.resource IN ACCESS EXCLUSIVE MODE");
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_TIMEOUT);
    sql("ROLLBACK");
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_NOT_FOUND);

    /* a deadline that has passed, and none */
    hie_store_deadline(1);
    usleep(2000);
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_TIMEOUT);
    hie_store_deadline(0);
    assert_int_equal(hie_store_read(s, &all, HIE_STR("Patient"), HIE_STR("x"),
                                    0, pool, &row, NULL), HIE_NOT_FOUND);
    hie_store_close(s);
}


/* A server that takes connections and says nothing; then one that is not
 * there; both must cost little. */
static void
test_dead_server(void **state)
{
    char                 dir[] = "/tmp/hie_test_XXXXXX";
    struct sockaddr_un   addr = { .sun_family = AF_UNIX };
    hie_config_t         c;
    hie_store_t         *s;
    apr_time_t           start;
    int                  fd;

    assert_non_null(mkdtemp(dir));
    apr_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.5432",
                 dir);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 5), 0);

    configure(&c, apr_psprintf(pool, "host=%s port=5432 dbname=x user=x",
                               dir), 2);
    s = open_store(&c);
    start = apr_time_now();
    assert_int_equal(hie_store_ping(s, NULL), HIE_UNAVAILABLE);
    assert_in_range(apr_time_now() - start, 500000, 4000000);
    start = apr_time_now();
    assert_int_equal(hie_store_ping(s, NULL), HIE_UNAVAILABLE);
    assert_in_range(apr_time_now() - start, 0, 50000);

    close(fd);
    unlink(addr.sun_path);
    rmdir(dir);
    usleep(250000);
    start = apr_time_now();
    hie_store_warm(s, 2, 1000);
    assert_int_equal(hie_store_ping(s, NULL), HIE_UNAVAILABLE);
    assert_in_range(apr_time_now() - start, 0, 500000);
    hie_store_close(s);
}


static void
test_open_refuses(void **state)
{
    hie_config_t   c = conf;
    hie_store_t   *s;

    c.database.connections = 0;
    assert_int_equal(hie_store_open(pool, &c, &s, NULL), HIE_INVALID);
    c = conf;
    c.database.conninfo = NULL;
    assert_int_equal(hie_store_open(pool, &c, &s, NULL), HIE_INVALID);
    assert_null(s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_migrate_again), TEST(test_migrate_second_node),
        TEST(test_migrate_refuses), TEST(test_migrate_concurrently),
        TEST(test_schema_check), TEST(test_privileges),
        TEST(test_create_and_read), TEST(test_many_rows), TEST(test_history),
        TEST(test_delete), TEST(test_conflicts), TEST(test_concurrent_creates),
        TEST(test_rollback_and_locks), TEST(test_audit),
        TEST(test_audit_judged), TEST(test_outcome_is_final),
        TEST(test_places),
        TEST(test_small_tables), TEST(test_pool_exhausted),
        TEST(test_backend_killed), TEST(test_statement_timeout),
        TEST(test_dead_server), TEST(test_open_refuses)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
