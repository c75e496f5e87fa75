/*
 * store, against a real PostgreSQL: HIE_TEST_DATABASE is a conninfo of the
 * owner of a database whose name contains "test" (what is in it is dropped);
 * the role hie_app exists. Skipped without it.
 */

#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <cmocka.h>
#include <libpq-fe.h>


#define ROLE  "hie_app"
#define NODE  "n1"

static const char     *admin_conninfo;
static apr_pool_t     *root;
static apr_pool_t     *pool;          /* of one test */
static PGconn         *admin;
static hie_config_t    conf;
static hie_store_t    *store;

static const hie_visible_t  all = { .all = true };


/*
 * Helpers.
 */
static void
sql(const char *text)
{
    PGresult  *res = PQexec(admin, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK
        && PQresultStatus(res) != PGRES_TUPLES_OK)
    {
        fail_msg("%s: %s", text, PQerrorMessage(admin));
    }
    PQclear(res);
}


static long
sql_number(const char *text)
{
    PGresult  *res = PQexec(admin, text);
    long       n;

    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1) {
        fail_msg("%s: %s", text, PQerrorMessage(admin));
    }
    n = atol(PQgetvalue(res, 0, 0));
    PQclear(res);
    return n;
}


static void
configure(hie_config_t *c, const char *conninfo, int connections)
{
    memset(c, 0, sizeof(*c));
    c->node = NODE;
    c->database.conninfo = conninfo;
    c->database.admin_conninfo = admin_conninfo;
    c->database.connections = connections;
    c->database.acquire_timeout = 300;
    c->database.statement_timeout = 3000;
    c->consent.default_permit = true;
}


static hie_store_t *
open_store(hie_config_t *c)
{
    hie_store_t  *s;

    assert_int_equal(hie_store_open(root, c, &s, NULL), HIE_OK);
    return s;
}


static void
drop_everything(void)
{
    if (sql_number("SELECT strpos(current_database(), 'test')") == 0) {
        fail_msg("the database of HIE_TEST_DATABASE is not named for tests");
    }
    sql("SET client_min_messages = error; DROP SCHEMA IF EXISTS hie CASCADE;"
        "DROP SCHEMA IF EXISTS hie_node_n1 CASCADE;"
        "DROP SCHEMA IF EXISTS hie_node_n2 CASCADE");
}


static int
set_up_group(void **state)
{
    hie_migration_t  m;
    hie_error_t      err;

    admin = PQconnectdb(admin_conninfo);
    if (PQstatus(admin) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(admin));
        return -1;
    }
    drop_everything();
    if (hie_store_migrate(admin_conninfo, ROLE, NODE, root, &m, &err)
        != HIE_OK)
    {
        fprintf(stderr, "%s: %s\n", err.where, err.detail);
        return -1;
    }
    configure(&conf, apr_pstrcat(root, admin_conninfo, " user=" ROLE, NULL),
              4);
    store = open_store(&conf);
    return 0;
}


static int
tear_down_group(void **state)
{
    hie_store_close(store);
    PQfinish(admin);
    return 0;
}


static int
set_up(void **state)
{
    apr_pool_create(&pool, root);
    sql("TRUNCATE hie.resource, hie.resource_history, hie.resource_string,"
        " hie.consent, hie.load_state, hie_node_n1.audit_log,"
        " hie_node_n1.journal_place, hie_node_n1.dead_letter");
    return 0;
}


static int
tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


static uint64_t
key(const char *z)
{
    return hie_hash64(z, strlen(z));
}


/* A row to write with up to one patient, token and string; NULL: none. */
static hie_put_t
make_put(const char *type, const char *id, int64_t version, const char *body,
         const char *patient, const char *token, const char *string)
{
    hie_index_t  *x = apr_pcalloc(pool, sizeof(*x));
    hie_put_t     put = {
        .type = hie_str(type), .id = hie_str(id), .version = version,
        .updated = 1700000000123456, .body = hie_str(body), .index = x
    };

    if (patient != NULL) {
        x->n_patients = 1;
        x->patients = apr_palloc(pool, sizeof(uint64_t));
        x->patients[0] = key(patient);
    }
    if (token != NULL) {
        x->n_tokens = 1;
        x->tokens = apr_palloc(pool, sizeof(uint64_t));
        x->tokens[0] = key(token);
    }
    if (string != NULL) {
        x->n_strings = 1;
        x->strings = apr_palloc(pool, sizeof(*x->strings));
        x->strings[0].param = "name";
        x->strings[0].value = hie_str(string);
    }
    return put;
}


static hie_rc_t
put_rows(hie_store_t *s, const hie_put_t *puts, int n)
{
    hie_store_tx_t  *tx;
    hie_rc_t         rc;

    rc = hie_store_begin(s, pool, &tx, NULL);
    if (rc != HIE_OK) {
        return rc;
    }
    rc = hie_store_put(tx, puts, n, NULL);
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }
    return hie_store_commit(tx, NULL);
}


static void
put_one(const char *type, const char *id, int64_t version, const char *body,
        const char *patient, const char *token, const char *string)
{
    hie_put_t  put = make_put(type, id, version, body, patient, token,
                              string);

    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


static hie_rc_t
read_one(const hie_visible_t *v, const char *type, const char *id,
         int64_t version, hie_row_t *row)
{
    return hie_store_read(store, v, hie_str(type), hie_str(id), version, pool,
                          row, NULL);
}


static bool
body_is(const hie_row_t *row, const char *z)
{
    return hie_str_eqz(row->body, z);
}


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
        "DELETE FROM hie_node_n1.audit_log",
        "TRUNCATE hie_node_n1.audit_log",
        "SELECT subject FROM hie_node_n1.audit_log",
        "SELECT * FROM hie.v_all_audit_logs",
        "DELETE FROM hie_node_n1.dead_letter",
        "SELECT message FROM hie_node_n1.dead_letter",
        "DELETE FROM hie.resource",
        "UPDATE hie.resource SET rid = 1",
        "UPDATE hie.resource SET id = 'x'",
        "TRUNCATE hie.resource",
        "UPDATE hie.resource_history SET version = 9",
        "DELETE FROM hie.resource_history",
        "UPDATE hie.consent SET base_permit = true",
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
    hie_put_t    *puts = apr_palloc(pool, 500 * sizeof(*puts));
    hie_index_t  *x;
    hie_row_t     row;
    int           i, j;

    /* rows with 0 to 3 patients and tokens: each must get its own */
    for (i = 0; i < 500; i++) {
        puts[i] = make_put("Observation", apr_psprintf(pool, "o%d", i), 1,
                           apr_psprintf(pool, "{\"n\":%d}", i), NULL, NULL,
                           i % 2 == 0 ? apr_psprintf(pool, "s%d", i) : NULL);
        x = (hie_index_t *) puts[i].index;
        x->n_patients = i % 4;
        x->patients = apr_palloc(pool, 4 * sizeof(uint64_t));
        x->n_tokens = i % 4;
        x->tokens = apr_palloc(pool, 4 * sizeof(uint64_t));
        for (j = 0; j < i % 4; j++) {
            x->patients[j] = (uint64_t) (i * 10 + j);
            x->tokens[j] = UINT64_MAX - (uint64_t) (i * 10 + j);
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
    bool             visible;
    hie_put_t        put;

    put_one("Patient", "p", 1, "one", "a", "t1", "alpha");
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_current(tx, &all, HIE_STR("Patient"),
                                       HIE_STR("p"), &row, &visible, NULL),
                     HIE_OK);
    assert_true(visible);
    assert_int_equal(row.version, 1);
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
    hie_query_t    q = { .type = HIE_STR("Patient"), .total = true,
                         .count = 10 };
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
    hie_rc_t     *rc = arg;
    apr_pool_t   *scratch = hie_pool_create(NULL, "test");
    hie_index_t   x = { 0 };
    hie_put_t     put = {
        .type = HIE_STR("Patient"), .id = HIE_STR("same"), .version = 1,
        .updated = 1, .body = HIE_STR("{}"), .index = &x
    };
    hie_store_tx_t  *tx;

    *rc = hie_store_begin(store, scratch, &tx, NULL);
    if (*rc == HIE_OK) {
        *rc = hie_store_put(tx, &put, 1, NULL);
        usleep(20000);
        if (*rc == HIE_OK) {
            *rc = hie_store_commit(tx, NULL);
        }
        else {
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
    uint64_t         keys[] = { UINT64_MAX, 5, 7 };
    hie_put_t        put = make_put("Patient", "p", 1, "one", NULL, NULL,
                                    NULL);
    hie_row_t        row;
    bool             visible;

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_lock(tx, keys, 3, NULL), HIE_OK);
    assert_int_equal(hie_store_current(tx, &all, HIE_STR("Patient"),
                                       HIE_STR("p"), &row, &visible, NULL),
                     HIE_NOT_FOUND);
    assert_int_equal(hie_store_put(tx, &put, 1, NULL), HIE_OK);

    /* lock_timeout is half of statement_timeout */
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_lock(other, keys + 1, 1, NULL), HIE_BUSY);
    hie_store_rollback(other);

    hie_store_rollback(tx);
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_NOT_FOUND);

    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_lock(other, keys, 3, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(other, NULL), HIE_OK);

    /* nothing done at all */
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(other, NULL), HIE_OK);
    assert_int_equal(hie_store_begin(store, pool, &other, NULL), HIE_OK);
    hie_store_rollback(other);
}


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
    bool                visible;
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
    assert_int_equal(hie_store_find(tx, v, &q, &found, NULL), HIE_OK);
    assert_int_equal(found.n, expected);
    assert_int_equal(hie_store_current(tx, v, HIE_STR("Observation"),
                                       HIE_STR("o"), &row, &visible, NULL),
                     HIE_OK);
    assert_int_equal(visible, expected);
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
 * Plans: no shape of a query may read a whole table.
 */
static bool
plan_scans(PGconn *pg, const char *name, const char *execute)
{
    PGresult  *res = PQexec(pg, execute);
    bool       scans = false;
    int        i;

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", name, PQerrorMessage(pg));
    }
    for (i = 0; i < PQntuples(res); i++) {
        scans |= strstr(PQgetvalue(res, i, 0), "Seq Scan") != NULL;
    }
    for (i = 0; (scans || getenv("HIE_TEST_PLANS")) && i < PQntuples(res);
         i++)
    {
        fprintf(stderr, "# %s\n", PQgetvalue(res, i, 0));
    }
    PQclear(res);
    return scans;
}


static void
run_all_shapes(hie_store_t *s, const hie_visible_t *v)
{
    uint64_t            k[] = { 1, 2 };
    hie_query_token_t   tokens[] = { { 1, k }, { 2, k } };
    hie_str_t           any[] = { HIE_STR("x") };
    hie_query_string_t  strings[] = {
        { "name", HIE_MATCH_PREFIX, 1, any },
        { "name", HIE_MATCH_EXACT, 1, any },
        { "name", HIE_MATCH_CONTAINS, 1, any }
    };
    hie_query_t         q;
    hie_found_t         found;
    hie_row_t           row;
    int                 i;

    for (i = 0; i < 2 * 2 * 3 * 4; i++) {
        q = (hie_query_t) {
            .type = HIE_STR("Patient"), .count = 10, .total = i % 2,
            .n_ids = i / 2 % 2, .ids = any, .n_tokens = i / 4 % 3,
            .tokens = tokens, .n_strings = i / 12 > 0 ? 1 : 0,
            .strings = &strings[i / 12 > 0 ? i / 12 - 1 : 0]
        };
        assert_int_equal(hie_store_search(s, v, &q, pool, &found, NULL),
                         HIE_OK);
    }
    hie_store_read(s, v, HIE_STR("Patient"), HIE_STR("x"), 0, pool, &row,
                   NULL);
    hie_store_read(s, v, HIE_STR("Patient"), HIE_STR("x"), 1, pool, &row,
                   NULL);
}


/* auto_explain is not everywhere: the plans are asked for on a connection
 * that sees the same statements, by their text. */
static void
test_plans(void **state)
{
    hie_visible_t  v = { .default_permit = true };
    PGconn        *pg;
    PGresult      *res;
    int            i, n;

    sql("INSERT INTO hie.resource (version, updated, type, id, patients,"
        " tokens, body) SELECT 1, now(), CASE WHEN i % 10 = 0 THEN 'Patient'"
        " ELSE 'Observation' END, i::text, ARRAY[i % 1000],"
        " ARRAY[i % 7, i, i % 500 + 1000000], '\\x00'"
        " FROM generate_series(1, 50000) i");
    sql("INSERT INTO hie.resource_string (rid, type, param, value)"
        " SELECT rid, type, 'name', 'n' || id FROM hie.resource"
        " WHERE type = 'Patient'");
    sql("INSERT INTO hie.consent (patient, base_permit, consent_id, permit,"
        " deny) SELECT i, true, i::text, '{}', '{}'"
        " FROM generate_series(1, 500) i");
    sql("ANALYZE");

    sql("SELECT pg_stat_reset()");
    run_all_shapes(store, &v);
    v.default_permit = false;
    run_all_shapes(store, &v);
    run_all_shapes(store, &all);
    usleep(1200000);

    /* the session settings leave a sequential scan only where nothing else
     * can be done: the statistics of the tables tell */
    pg = PQconnectdb(admin_conninfo);
    res = PQexec(pg, "SELECT relname, seq_scan FROM pg_stat_user_tables"
                 " WHERE schemaname = 'hie' AND relname IN ('resource',"
                 " 'resource_string', 'resource_history', 'consent')"
                 " AND seq_scan > 0");
    n = PQntuples(res);
    for (i = 0; i < n; i++) {
        fprintf(stderr, "# sequential scans of %s: %s\n",
                PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
    }
    PQclear(res);
    assert_int_equal(n, 0);

    assert_false(plan_scans(pg, "read", "EXPLAIN SELECT body FROM hie.resource"
                            " WHERE type = 'Patient' AND id = '1'"));
    PQfinish(pg);
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
    rc = hie_store_audit(tx, NODE, rows, n, NULL);
    if (rc != HIE_OK) {
        hie_store_rollback(tx);
        return rc;
    }
    return hie_store_commit(tx, NULL);
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
    assert_int_equal(hie_store_audit(tx, "no such", rows, 1, NULL),
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
        " WHERE usename = '" ROLE "'");
}


static void
test_backend_killed(void **state)
{
    hie_row_t        row;
    hie_store_tx_t  *tx;
    bool             visible;
    hie_put_t        put = make_put("Patient", "q", 1, "{}", NULL, NULL,
                                    NULL);

    put_one("Patient", "p", 1, "{}", NULL, NULL, NULL);
    hie_store_warm(store, 4, 2000);

    kill_backends();
    assert_int_equal(read_one(&all, "Patient", "p", 0, &row), HIE_OK);

    /* before the first statement nothing is lost */
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    kill_backends();
    assert_int_equal(hie_store_current(tx, &all, HIE_STR("Patient"),
                                       HIE_STR("p"), &row, &visible, NULL),
                     HIE_OK);
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
                                    0, pool, &row, NULL), HIE_BUSY);
    sql("ROLLBACK");
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

    configure(&c, apr_psprintf(pool, "host=%s port=5432 dbname=x user=x", dir), 2);
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


#define T(f)  cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        T(test_migrate_again), T(test_migrate_second_node),
        T(test_migrate_refuses), T(test_migrate_concurrently),
        T(test_schema_check), T(test_privileges), T(test_create_and_read),
        T(test_many_rows), T(test_history), T(test_delete),
        T(test_conflicts), T(test_concurrent_creates),
        T(test_rollback_and_locks), T(test_visibility),
        T(test_visibility_combined), T(test_visibility_of_versions),
        T(test_withheld), T(test_search_tokens), T(test_search_strings),
        T(test_search_combined), T(test_search_pages), T(test_plans),
        T(test_audit), T(test_places), T(test_small_tables),
        T(test_pool_exhausted), T(test_backend_killed),
        T(test_statement_timeout), T(test_dead_server), T(test_open_refuses)
    };
    int  rc;

    admin_conninfo = getenv("HIE_TEST_DATABASE");
    if (admin_conninfo == NULL) {
        fprintf(stderr, "# HIE_TEST_DATABASE is not set\n");
        return 77;
    }

    apr_initialize();
    apr_pool_create(&root, NULL);
    rc = cmocka_run_group_tests(tests, set_up_group, tear_down_group);
    apr_pool_destroy(root);
    apr_terminate();
    return rc;
}
