/*
 * What the test programs of the store share. They need a real PostgreSQL:
 * HIE_TEST_DATABASE is a conninfo of the owner of a database whose name
 * contains "test" (what is in it is dropped); the role hie_app exists, and can
 * log in with the same conninfo. Skipped without it.
 */

#ifndef STORE_TOOL_H
#define STORE_TOOL_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <libpq-fe.h>

#define ROLE  "hie_app"
#define NODE  "n1"

extern const char           *admin_conninfo;
extern apr_pool_t           *root;
extern apr_pool_t           *pool;      /* of one test */
extern PGconn               *admin;
extern hie_config_t          conf;      /* of the store, default permit */
extern hie_store_t          *store;     /* four connections */
extern const hie_visible_t   all;

/* Without a database says so, as TAP. */
bool
tool_available(void);

void
sql(const char *text);
long
sql_number(const char *text);
void
configure(hie_config_t *c, const char *conninfo, int connections);
hie_store_t *
open_store(hie_config_t *c);
void
drop_everything(void);
int
tool_group_setup(void **state);
int
tool_group_teardown(void **state);
int
tool_setup(void **state);
int
tool_teardown(void **state);
uint64_t
key(const char *z);
/* A row to write with up to one patient, token and string (of the parameter
 * "name"); NULL: none. */
hie_put_t
make_put(const char *type, const char *id, int64_t version, const char *body,
         const char *patient, const char *token, const char *string);
/* Its values, to add to. */
hie_search_values_t *
put_values(hie_put_t *put);
hie_rc_t
put_rows(hie_store_t *s, const hie_put_t *puts, int n);
void
put_one(const char *type, const char *id, int64_t version, const char *body,
        const char *patient, const char *token, const char *string);
hie_rc_t
read_one(const hie_visible_t *v, const char *type, const char *id,
         int64_t version, hie_row_t *row);
/* hie_store_current of one resource; whether it is there. */
bool
lock_row(hie_store_tx_t *tx, const hie_visible_t *v, const char *type,
         const char *id, hie_store_current_t *row);
/* Of a row that SQL has made. */
void
set_key(const char *type, const char *id);
bool
body_is(const hie_row_t *row, const char *z);

#define TEST(f)  cmocka_unit_test_setup_teardown(f, tool_setup, tool_teardown)

#endif
