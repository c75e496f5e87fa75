/*
 * Migrations: bring the schema to the version of this library, as its owner.
 */

#include "store/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


/* Serialises migrations; the value is arbitrary and stays. */
#define LOCK_KEY  "4857021359175502457"


hie_rc_t
hie_schema_check(int version, hie_error_t *err)
{
    if (version == hie_store_n_steps) {
        return HIE_OK;
    }
    if (version < hie_store_n_steps) {
        return hie_fail(err, HIE_UNAVAILABLE, "",
                        "the database schema has version %d and this "
                        "software needs %d: run hiectl migrate",
                        version, hie_store_n_steps);
    }
    return hie_fail(err, HIE_UNAVAILABLE, "",
                    "the database schema has version %d, which is newer than "
                    "%d of this software: update the software",
                    version, hie_store_n_steps);
}


hie_rc_t
hie_node_schema(const char *node, apr_pool_t *pool, const char **schema,
                hie_error_t *err)
{
    static const char  allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t             len = node != NULL ? strlen(node) : 0;

    if (len < 1 || len > 31 || node[0] < 'a' || node[0] > 'z'
        || strspn(node, allowed) != len)
    {
        return hie_fail(err, HIE_INVALID, "node",
                        "a node is named [a-z][a-z0-9_]{0,30}");
    }
    *schema = apr_pstrcat(pool, "hie_node_", node, NULL);
    return HIE_OK;
}


/* The owner's messages are for the operator: they say what PostgreSQL said.
 * There is no patient data in a migration. */
static hie_rc_t
sql_failed(PGconn *pg, const char *step, hie_error_t *err)
{
    return hie_fail(err, HIE_INTERNAL, step, "%s", PQerrorMessage(pg));
}


static hie_rc_t
run_sql(PGconn *pg, const char *step, const char *sql, int n,
        const char *const *values, hie_error_t *err)
{
    PGresult        *res;
    ExecStatusType   status;

    res = n == 0 ? PQexec(pg, sql)
                 : PQexecParams(pg, sql, n, NULL, values, NULL, NULL, 0);
    status = PQresultStatus(res);
    PQclear(res);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        return sql_failed(pg, step, err);
    }
    return HIE_OK;
}


/* One value as text; `out` is empty for NULL. */
static hie_rc_t
ask(PGconn *pg, const char *sql, int n, const char *const *values, char *out,
    size_t size, hie_error_t *err)
{
    PGresult  *res = PQexecParams(pg, sql, n, NULL, values, NULL, NULL, 0);
    hie_rc_t   rc = HIE_OK;

    out[0] = '\0';
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1) {
        rc = sql_failed(pg, "", err);
    } else {
        apr_cpystrn(out, PQgetvalue(res, 0, 0), size);
    }
    PQclear(res);
    return rc;
}


static hie_rc_t
schema_version(PGconn *pg, int *version, hie_error_t *err)
{
    char      value[32];
    hie_rc_t  rc;

    *version = 0;
    rc = ask(pg, "SELECT to_regclass('hie.schema_version')", 0, NULL, value,
             sizeof(value), err);
    if (rc != HIE_OK || value[0] == '\0') {
        return rc;
    }
    rc = ask(pg, "SELECT max(version) FROM hie.schema_version", 0, NULL, value,
             sizeof(value), err);
    if (rc == HIE_OK) {
        *version = atoi(value);
    }
    return rc;
}


static hie_rc_t
check_server(PGconn *pg, const char *role, hie_error_t *err)
{
    const char  *values[] = { role };
    char         value[64];
    hie_rc_t     rc;

    if (PQserverVersion(pg) < 140000) {
        return hie_fail(err, HIE_UNPROCESSABLE, "",
                        "PostgreSQL 14 or later is needed");
    }

    rc = ask(pg, "SHOW server_encoding", 0, NULL, value, sizeof(value), err);
    if (rc == HIE_OK && strcmp(value, "UTF8") != 0) {
        rc = hie_fail(err, HIE_UNPROCESSABLE, "",
                      "the database has the encoding %s, UTF8 is needed",
                      value);
    }
    if (rc != HIE_OK) {
        return rc;
    }

    rc = ask(pg, "SELECT count(*) FROM pg_roles WHERE rolname = $1", 1, values,
             value, sizeof(value), err);
    if (rc == HIE_OK && strcmp(value, "0") == 0) {
        rc = hie_fail(err, HIE_UNPROCESSABLE, "",
                      "there is no role \"%s\": create it first", role);
    }
    return rc;
}


static hie_rc_t
apply_step(PGconn *pg, int i, hie_error_t *err)
{
    const hie_store_step_t  *step = &hie_store_steps[i];
    char                     number[16];
    const char              *values[] = { number, step->name };
    hie_rc_t                 rc;

    apr_snprintf(number, sizeof(number), "%d", i + 1);

    rc = run_sql(pg, step->name, "BEGIN", 0, NULL, err);
    if (rc == HIE_OK) {
        rc = run_sql(pg, step->name, step->sql, 0, NULL, err);
    }
    if (rc == HIE_OK) {
        rc = run_sql(pg, step->name,
                     "INSERT INTO hie.schema_version (version, name)"
                     " VALUES ($1::int, $2)", 2, values, err);
    }
    if (rc != HIE_OK) {
        PQclear(PQexec(pg, "ROLLBACK"));
        return rc;
    }
    return run_sql(pg, step->name, "COMMIT", 0, NULL, err);
}


/* The node's schema and the rights of the role, in one transaction. */
static hie_rc_t
make_node(PGconn *pg, const char *role, const char *node, hie_error_t *err)
{
    const char  *values[] = { role, node };
    char         owner[64];
    hie_rc_t     rc;

    rc = ask(pg, "SELECT current_user", 0, NULL, owner, sizeof(owner), err);
    if (rc == HIE_OK) {
        rc = run_sql(pg, node, "BEGIN", 0, NULL, err);
    }
    if (rc == HIE_OK) {
        rc = run_sql(pg, node, "SELECT hie.make_node($1)", 1, &values[1], err);
    }
    if (rc == HIE_OK && strcmp(owner, role) == 0) {
        hie_log(HIE_LOG_WARN, "HIE3004", "the server's role \"%s\" is the "
                "owner of the schema: it can change audit logs", role);
    } else if (rc == HIE_OK) {
        rc = run_sql(pg, node, "SELECT hie.grant_server($1, $2)", 2, values,
                     err);
        if (rc == HIE_OK) {
            rc = run_sql(pg, node, "SELECT hie.grant_binary($1)", 1, values,
                         err);
        }
    }
    if (rc != HIE_OK) {
        PQclear(PQexec(pg, "ROLLBACK"));
        return rc;
    }
    return run_sql(pg, node, "COMMIT", 0, NULL, err);
}


static hie_rc_t
migrate(PGconn *pg, const char *role, const char *node, hie_migration_t *out,
        hie_error_t *err)
{
    hie_rc_t  rc;
    int       i;

    rc = run_sql(pg, "", "SET client_min_messages = warning;"
                 "SET lock_timeout = '60s';"
                 "SET search_path = pg_catalog, pg_temp;"
                 "SELECT pg_advisory_lock(" LOCK_KEY ")", 0, NULL, err);
    if (rc == HIE_OK) {
        rc = check_server(pg, role, err);
    }
    if (rc == HIE_OK) {
        rc = schema_version(pg, &out->from, err);
    }
    if (rc != HIE_OK) {
        return rc;
    }

    out->to = out->from;
    if (out->from > hie_store_n_steps) {
        return hie_schema_check(out->from, err);
    }
    for (i = out->from; i < hie_store_n_steps; i++) {
        rc = apply_step(pg, i, err);
        if (rc != HIE_OK) {
            return rc;
        }
        out->to = i + 1;
    }

    return make_node(pg, role, node, err);
}


static void
ignore_notice(void *arg, const PGresult *res)
{
}


hie_rc_t
hie_store_migrate(const char *admin_conninfo, const char *role,
                  const char *node, apr_pool_t *pool, hie_migration_t *out,
                  hie_error_t *err)
{
    const char *const   keys[] = {
        "application_name", "gssencmode", "connect_timeout", "dbname",
        "client_encoding", NULL
    };
    const char *const   values[] = {
        "hiectl migrate", "disable", "10", admin_conninfo, "UTF8", NULL
    };
    const char         *schema;
    PGconn             *pg;
    hie_rc_t            rc;

    HIE_ASSERT_MAY_BLOCK();

    *out = (hie_migration_t) { 0, 0 };
    rc = hie_node_schema(node, pool, &schema, err);
    if (rc != HIE_OK) {
        return rc;
    }

    pg = PQconnectdbParams(keys, values, 1);
    if (PQstatus(pg) != CONNECTION_OK) {
        rc = hie_fail(err, HIE_UNAVAILABLE, "", "%s", PQerrorMessage(pg));
    } else {
        PQsetNoticeReceiver(pg, ignore_notice, NULL);
        rc = migrate(pg, role, node, out, err);
    }
    PQfinish(pg);

    return rc;
}
