/*
 * What the test programs of the store share.
 */

#include "store_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>


const char     *admin_conninfo;
apr_pool_t     *root;
apr_pool_t     *pool;
PGconn         *admin;
hie_config_t    conf;
hie_store_t    *store;

const hie_visible_t  all = { .all = true };


void
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


long
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


void
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
    c->fhir.full_text = true;
}


hie_store_t *
open_store(hie_config_t *c)
{
    hie_store_t  *s;

    assert_int_equal(hie_store_open(root, c, &s, NULL), HIE_OK);
    return s;
}


void
drop_everything(void)
{
    if (sql_number("SELECT strpos(current_database(), 'test')") == 0) {
        fail_msg("the database of HIE_TEST_DATABASE is not named for tests");
    }
    sql("SET client_min_messages = error; DROP SCHEMA IF EXISTS hie CASCADE;"
        "DROP SCHEMA IF EXISTS hie_node_n1 CASCADE;"
        "DROP SCHEMA IF EXISTS hie_node_n2 CASCADE");
}


int
tool_group_setup(void **state)
{
    hie_migration_t  m;
    hie_error_t      err;

    apr_initialize();
    apr_pool_create(&root, NULL);
    admin = PQconnectdb(admin_conninfo);
    if (PQstatus(admin) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(admin));
        return -1;
    }
    /* the programs that use the database follow each other */
    sql("SELECT pg_advisory_lock(-20)");
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


int
tool_group_teardown(void **state)
{
    hie_store_close(store);
    PQfinish(admin);
    apr_pool_destroy(root);
    apr_terminate();
    return 0;
}


int
tool_setup(void **state)
{
    apr_pool_create(&pool, root);
    sql("TRUNCATE hie.resource, hie.resource_history, hie.resource_string,"
        " hie.resource_date, hie.resource_number, hie.resource_text,"
        " hie.term, hie.label, hie.consent, hie.load_state,"
        " hie.binary, hie.binary_chunk, hie_node_n1.audit_log,"
        " hie_node_n1.journal_place, hie_node_n1.dead_letter");
    return 0;
}


int
tool_teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


uint64_t
key(const char *z)
{
    return hie_hash64(z, strlen(z));
}


hie_put_t
make_put(const char *type, const char *id, int64_t version, const char *body,
         const char *patient, const char *token, const char *string)
{
    hie_relations_t      *x = apr_pcalloc(pool, sizeof(*x));
    hie_search_values_t  *v = apr_pcalloc(pool, sizeof(*v));
    hie_put_t             put = {
        .type = hie_str(type), .id = hie_str(id), .version = version,
        .updated = 1700000000123456, .body = hie_str(body), .relations = x,
        .values = v
    };

    if (patient != NULL) {
        x->n_patients = 1;
        x->patients = apr_palloc(pool, sizeof(uint64_t));
        x->patients[0] = key(patient);
    }
    if (token != NULL) {
        v->n_tokens = 1;
        v->tokens = apr_palloc(pool, sizeof(uint64_t));
        v->tokens[0] = key(token);
    }
    if (string != NULL) {
        v->n_strings = 1;
        v->strings = apr_pcalloc(pool, sizeof(*v->strings));
        v->strings[0].slot = hie_search_param_key(type, "name");
        v->strings[0].value = hie_str(string);
    }
    return put;
}


hie_search_values_t *
put_values(hie_put_t *put)
{
    return (hie_search_values_t *) put->values;
}


hie_rc_t
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


void
put_one(const char *type, const char *id, int64_t version, const char *body,
        const char *patient, const char *token, const char *string)
{
    hie_put_t  put = make_put(type, id, version, body, patient, token,
                              string);

    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


hie_rc_t
read_one(const hie_visible_t *v, const char *type, const char *id,
         int64_t version, hie_row_t *row)
{
    return hie_store_read(store, v, hie_str(type), hie_str(id), version, pool,
                          row, NULL);
}


bool
body_is(const hie_row_t *row, const char *z)
{
    return hie_str_eqz(row->body, z);
}


void
set_key(const char *type, const char *id)
{
    sql(apr_psprintf(pool, "UPDATE hie.resource SET key = %" APR_INT64_T_FMT
                     " WHERE type = '%s' AND id = '%s'",
                     (apr_int64_t) hie_fhir_resource_key(hie_str(type),
                                                         hie_str(id)),
                     type, id));
}


bool
tool_available(void)
{
    admin_conninfo = getenv("HIE_TEST_DATABASE");
    if (admin_conninfo == NULL) {
        printf("1..0 # SKIP HIE_TEST_DATABASE is not set\n");
    }
    return admin_conninfo != NULL;
}


bool
lock_row(hie_store_tx_t *tx, const hie_visible_t *v, const char *type,
         const char *id, hie_store_current_t *row)
{
    *row = (hie_store_current_t) {
        .type = hie_str(type), .id = hie_str(id), .want_body = true
    };
    assert_int_equal(hie_store_current(tx, v, HIE_ROW_CHANGE, row, 1, NULL),
                     HIE_OK);
    return row->exists;
}
