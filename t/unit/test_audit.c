/*
 * audit: records as bytes, through a journal, and into a database. The last
 * needs HIE_TEST_DATABASE: a conninfo of the owner of a database in which the
 * role hie_app exists. Without it those tests only say so.
 */

#include "audit/audit.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <cmocka.h>
#include <libpq-fe.h>


#define NODE    "audit_test"
#define SCHEMA  "hie_node_audit_test"

static apr_pool_t  *pool;
static char         dir[64];

static const uint64_t  keys[] = { 1, UINT64_MAX, 0x0123456789abcdefU };


static hie_audit_row_t
full_row(void)
{
    hie_audit_row_t  row = { .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV" };

    row.recorded = apr_time_from_sec(INT64_C(1750000000)) + 123456;
    row.subject = HIE_STR("someone");
    row.issuer = HIE_STR("https://issuer.example.org");
    row.organization = HIE_STR("Organization/a");
    row.peer = HIE_STR("192.0.2.1");
    row.interaction = HIE_STR("search-type");
    row.type = HIE_STR("Observation");
    row.resource_id = HIE_STR("");
    row.query = HIE_STR("code=\xc3\xa9");
    row.decision = HIE_STR("permit");
    row.n_patients = 3;
    row.patients = (uint64_t *) keys;
    row.n_resources = 42;
    row.complete = true;
    row.completed = row.recorded + 5000;
    row.status = 200;
    row.bytes = INT64_C(5000000000);
    row.aborted = true;
    return row;
}


/* One whose answer was judged after it was promised. */
static hie_audit_row_t
judged_row(void)
{
    hie_audit_row_t  row = full_row();

    row.n_patients = 0;
    row.n_resources = 0;
    row.judged = true;
    row.n_withheld = 7;
    row.n_disclosed = 5;
    row.n_disclosed_patients = 3;
    row.disclosed_patients = (uint64_t *) keys;
    return row;
}


static void
assert_text(hie_str_t a, hie_str_t b)
{
    assert_true(hie_str_eq(a, b));
}


/*
 * Records.
 */
static void
test_pending(void **state)
{
    hie_audit_row_t  row = full_row(), got;
    hie_str_t        bytes = hie_audit_encode(&row, false, pool);

    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_string_equal(got.id, row.id);
    assert_true(got.recorded == row.recorded);
    assert_text(got.subject, row.subject);
    assert_text(got.issuer, row.issuer);
    assert_text(got.organization, row.organization);
    assert_text(got.peer, row.peer);
    assert_text(got.interaction, row.interaction);
    assert_text(got.type, row.type);
    assert_text(got.resource_id, row.resource_id);
    assert_text(got.query, row.query);
    assert_text(got.decision, row.decision);
    assert_int_equal(got.n_resources, 42);
    assert_int_equal(got.n_patients, 3);
    assert_memory_equal(got.patients, keys, sizeof(keys));
    assert_false(got.complete);
    assert_int_equal(got.status, 0);
    assert_true(got.bytes == -1);
    assert_false(got.aborted);
    assert_true(bytes.len < 256);
}


static void
test_complete(void **state)
{
    hie_audit_row_t  row = full_row(), got;
    hie_str_t        bytes = hie_audit_encode(&row, true, pool);

    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_string_equal(got.id, row.id);
    assert_true(got.recorded == row.recorded);
    assert_true(got.complete);
    assert_true(got.completed == row.completed);
    assert_int_equal(got.status, 200);
    assert_true(got.bytes == row.bytes);
    assert_true(got.aborted);
    assert_int_equal(got.decision.len, 0);
    assert_int_equal(got.n_patients, 0);

    row.bytes = -1;
    row.aborted = false;
    row.status = 0;
    bytes = hie_audit_encode(&row, true, pool);
    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_true(got.bytes == -1);
    assert_false(got.aborted);
    assert_int_equal(got.status, 0);
}


static void
test_judged(void **state)
{
    hie_audit_row_t  row = judged_row(), got;
    hie_str_t        bytes = hie_audit_encode(&row, true, pool);

    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_string_equal(got.id, row.id);
    assert_true(got.complete);
    assert_int_equal(got.status, 200);
    assert_true(got.bytes == row.bytes);
    assert_true(got.aborted);
    assert_int_equal(got.decision.len, 0);
    assert_int_equal(got.n_patients, 0);
    assert_true(got.judged);
    assert_int_equal(got.n_withheld, 7);
    assert_int_equal(got.n_disclosed, 5);
    assert_int_equal(got.n_disclosed_patients, 3);
    assert_memory_equal(got.disclosed_patients, keys, sizeof(keys));

    /* nothing was withheld and nothing left: that is known too */
    row.n_withheld = row.n_disclosed = row.n_disclosed_patients = 0;
    bytes = hie_audit_encode(&row, true, pool);
    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_true(got.judged);
    assert_int_equal(got.n_withheld, 0);
    assert_null(got.disclosed_patients);

    /* a PENDING record has none of it, nor has any other completion */
    row = judged_row();
    bytes = hie_audit_encode(&row, false, pool);
    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_false(got.judged);
    row.judged = false;
    bytes = hie_audit_encode(&row, true, pool);
    assert_int_equal(hie_audit_decode(bytes, pool, &got, NULL), HIE_OK);
    assert_true(got.complete);
    assert_false(got.judged);
    assert_int_equal(got.n_withheld, 0);
    assert_int_equal(got.n_disclosed_patients, 0);
}


static void
test_empty(void **state)
{
    hie_audit_row_t  row = { .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV" }, got;

    assert_int_equal(hie_audit_decode(hie_audit_encode(&row, false, pool),
                                      pool, &got, NULL), HIE_OK);
    assert_true(hie_str_eqz(got.decision, "none"));
    assert_int_equal(got.n_patients, 0);
    assert_null(got.patients);
    assert_int_equal(got.query.len, 0);
}


static void
test_long(void **state)
{
    static const size_t  lengths[] = { 127, 128, 129, 16383, 16384, 70000 };
    hie_audit_row_t      row = full_row(), got;
    char                *text = apr_palloc(pool, 70000);
    size_t               i;

    memset(text, 'q', 70000);
    row.n_patients = 1000;
    row.patients = apr_pcalloc(pool, 1000 * sizeof(uint64_t));
    row.patients[999] = 7;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        row.query = (hie_str_t) { text, lengths[i] };
        assert_int_equal(hie_audit_decode(hie_audit_encode(&row, false,
                                                           pool),
                                          pool, &got, NULL), HIE_OK);
        assert_text(got.query, row.query);
        assert_int_equal(got.n_patients, 1000);
        assert_true(got.patients[999] == 7);
    }
}


static void
test_not_utf8(void **state)
{
    hie_audit_row_t  row = full_row(), got;

    row.query = (hie_str_t) { "a=\xff&b=\0c\xc3\xa9", 10 };
    assert_int_equal(hie_audit_decode(hie_audit_encode(&row, false, pool),
                                      pool, &got, NULL), HIE_OK);
    assert_true(hie_str_eqz(got.query, "a=%FF&b=%00c%C3%A9"));
}


/* Every prefix, every extension: refused, and nothing of it is left. */
static void
test_truncated(void **state)
{
    hie_audit_row_t  row = judged_row(), got, zero;
    hie_error_t      err;
    hie_str_t        bytes, part;
    char            *copy;
    int              k;

    memset(&zero, 0, sizeof(zero));
    for (k = 0; k < 3; k++) {
        row.judged = k == 2;
        bytes = hie_audit_encode(&row, k > 0, pool);
        for (part.len = 0; part.len < bytes.len; part.len++) {
            /* a block of its own, so that reading on is noticed */
            copy = malloc(part.len > 0 ? part.len : 1);
            memcpy(copy, bytes.ptr, part.len);
            part.ptr = copy;
            assert_int_equal(hie_audit_decode(part, pool, &got, &err),
                             HIE_INVALID);
            assert_memory_equal(&got, &zero, sizeof(got));
            free(copy);
        }
        copy = apr_pcalloc(pool, bytes.len + 1);
        memcpy(copy, bytes.ptr, bytes.len);
        assert_int_equal(hie_audit_decode((hie_str_t) { copy,
                                                        bytes.len + 1 },
                                          pool, &got, &err), HIE_INVALID);
    }
    assert_int_equal(hie_audit_decode(HIE_STR_NONE, pool, &got, NULL),
                     HIE_INVALID);
}


static void
refuse_changed(hie_str_t bytes, size_t at, char c)
{
    char             *copy = apr_pmemdup(pool, bytes.ptr, bytes.len);
    hie_audit_row_t   got;

    assert_true(copy[at] != c);
    copy[at] = c;
    assert_int_equal(hie_audit_decode((hie_str_t) { copy, bytes.len }, pool,
                                      &got, NULL), HIE_INVALID);
}


static void
test_changed(void **state)
{
    hie_audit_row_t  row = full_row(), answer = judged_row(), got;
    hie_str_t        pending = hie_audit_encode(&row, false, pool);
    hie_str_t        complete = hie_audit_encode(&row, true, pool);
    hie_str_t        judged = hie_audit_encode(&answer, true, pool);
    char            *copy;
    size_t           i;
    int              c;

    refuse_changed(pending, 0, 0);
    refuse_changed(pending, 0, 2);
    refuse_changed(pending, 1, 0);
    refuse_changed(pending, 1, 2);
    refuse_changed(pending, 1, 3);
    refuse_changed(pending, 1, 4);
    refuse_changed(pending, 2, 'l');
    refuse_changed(pending, 5, 'U');
    refuse_changed(pending, 27, '\0');
    refuse_changed(pending, 35, '\x7f');           /* a time far away */
    refuse_changed(pending, 36, '\x7f');           /* a length too long */
    refuse_changed(pending, 38, '\xff');           /* no UTF-8 */
    refuse_changed(pending, 38, '\0');
    refuse_changed(complete, complete.len - 1, 2);
    refuse_changed(complete, complete.len - 2, '\x80');   /* bytes < -1 */
    refuse_changed(complete, 1, 3);
    refuse_changed(judged, 1, 2);
    refuse_changed(judged, 60, '\x80');            /* withheld < 0 */
    refuse_changed(judged, 64, '\x80');            /* disclosed < 0 */
    refuse_changed(judged, 65, 4);                 /* patients not there */
    refuse_changed(judged, 65, 2);

    /* any byte to any value: an answer, whichever */
    for (i = 0; i < pending.len; i++) {
        for (c = 0; c < 256; c += 5) {
            copy = apr_pmemdup(pool, pending.ptr, pending.len);
            copy[i] = (char) c;
            hie_audit_decode((hie_str_t) { copy, pending.len }, pool, &got,
                             NULL);
        }
    }
}


static void
test_lengths(void **state)
{
    hie_audit_row_t  row = { .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV" }, got;
    hie_str_t        bytes = hie_audit_encode(&row, false, pool);
    hie_buf_t        b;

    /* the first length, written in more bytes than it needs */
    hie_buf_init(&b, pool, 0);
    hie_buf_add(&b, bytes.ptr, 36);
    hie_buf_add(&b, "\x80\0", 2);
    hie_buf_add(&b, bytes.ptr + 37, bytes.len - 37);
    assert_int_equal(hie_audit_decode(hie_buf_str(&b), pool, &got, NULL),
                     HIE_INVALID);

    hie_buf_init(&b, pool, 0);
    hie_buf_add(&b, bytes.ptr, 36);
    hie_buf_add(&b, "\xff\xff\xff\xff\x7f", 5);
    hie_buf_add(&b, bytes.ptr + 37, bytes.len - 37);
    assert_int_equal(hie_audit_decode(hie_buf_str(&b), pool, &got, NULL),
                     HIE_INVALID);

    /* more patients than there can be: the count is the last byte */
    hie_buf_init(&b, pool, 0);
    hie_buf_add(&b, bytes.ptr, bytes.len - 1);
    hie_buf_add(&b, "\xff\xff\xff\xff\x0f", 5);
    assert_int_equal(hie_audit_decode(hie_buf_str(&b), pool, &got, NULL),
                     HIE_INVALID);
}


/*
 * Journal.
 */
static hie_journal_t *
open_journal(void)
{
    hie_journal_options_t  options = { 1 << 20, 1 << 20 };
    hie_journal_t         *j;

    assert_int_equal(hie_journal_open(pool, dir, HIE_AUDIT_JOURNAL, &options,
                                      &j, NULL), HIE_OK);
    return j;
}


static void
test_journal(void **state)
{
    hie_audit_row_t          row = full_row(), got;
    hie_journal_t           *j = open_journal();
    hie_journal_reader_t    *r;
    hie_journal_position_t   position;
    hie_str_t                record;
    uint64_t                 seq;

    row.id[0] = '\0';
    row.recorded = 0;
    assert_int_equal(hie_audit_pending(j, &row, pool, &seq, NULL), HIE_OK);
    assert_int_equal(strlen(row.id), HIE_ULID_LEN);
    assert_true(row.recorded > 0);
    assert_true(seq > 0);
    assert_int_equal(hie_journal_wait(j, seq, NULL), HIE_OK);

    row.completed = 0;
    assert_int_equal(hie_audit_complete(j, &row, pool, NULL), HIE_OK);
    assert_true(row.completed == 0);
    hie_journal_close(j);

    assert_int_equal(hie_journal_reader_open(pool, dir, HIE_AUDIT_JOURNAL,
                                             &r, NULL), HIE_OK);
    assert_int_equal(hie_journal_reader_next(r, &record, &position, NULL),
                     HIE_OK);
    assert_int_equal(hie_audit_decode(record, pool, &got, NULL), HIE_OK);
    assert_string_equal(got.id, row.id);
    assert_false(got.complete);
    assert_int_equal(hie_journal_reader_next(r, &record, &position, NULL),
                     HIE_OK);
    assert_int_equal(hie_audit_decode(record, pool, &got, NULL), HIE_OK);
    assert_string_equal(got.id, row.id);
    assert_true(got.complete);
    assert_true(got.completed >= row.recorded);
    assert_int_equal(hie_journal_reader_next(r, &record, &position, NULL),
                     HIE_NOT_FOUND);
    hie_journal_reader_close(r);
}


/*
 * Shipper. A database that does not answer needs none.
 */
static hie_store_t *
open_store(hie_config_t *conf, const char *conninfo)
{
    hie_store_t  *s;

    memset(conf, 0, sizeof(*conf));
    conf->node = NODE;
    conf->database.conninfo = conninfo;
    conf->database.connections = 2;
    conf->database.acquire_timeout = 500;
    conf->database.statement_timeout = 5000;
    assert_int_equal(hie_store_open(pool, conf, &s, NULL), HIE_OK);
    return s;
}


static void
test_database_away(void **state)
{
    hie_audit_row_t       row = full_row();
    hie_journal_t        *j = open_journal();
    hie_config_t          conf;
    hie_store_t          *store = open_store(&conf, "host=/nonexistent");
    hie_audit_shipper_t  *s;
    hie_error_t           err;
    uint64_t              seq;
    int                   moved = 7, i;

    assert_int_equal(hie_audit_pending(j, &row, pool, &seq, NULL), HIE_OK);
    assert_int_equal(hie_journal_wait(j, seq, NULL), HIE_OK);

    assert_int_equal(hie_audit_shipper_open(pool, store, dir, NODE, &s,
                                            NULL), HIE_OK);
    for (i = 0; i < 3; i++) {
        assert_int_equal(hie_audit_ship(s, &moved, &err), HIE_UNAVAILABLE);
        assert_int_equal(moved, 0);
    }
    hie_audit_shipper_close(s);
    hie_store_close(store);
    hie_journal_close(j);
}


static PGconn  *admin;

static void
sql(const char *text)
{
    PGresult  *res = PQexec(admin, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", text, PQerrorMessage(admin));
    }
    PQclear(res);
}


static long
number(const char *text)
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


#define ROWS    number("SELECT count(*) FROM " SCHEMA ".audit_log")
#define OPEN                                                                  \
    number("SELECT count(*) FROM " SCHEMA ".audit_log"                        \
           " WHERE completed IS NULL")
#define JUDGED                                                                \
    number("SELECT count(*) FROM " SCHEMA ".audit_log WHERE withheld = 7"     \
           " AND disclosed_resources = 5 AND patients = '{}'"                 \
           " AND disclosed_patients = '{1,-1,81985529216486895}'")
#define PLACES  number("SELECT count(*) FROM " SCHEMA ".journal_place")


static void
write_rows(hie_journal_t *j, int n, bool complete)
{
    hie_audit_row_t  row;
    uint64_t         seq = 0;
    int              i;

    for (i = 0; i < n; i++) {
        row = full_row();
        row.id[0] = '\0';
        assert_int_equal(hie_audit_pending(j, &row, pool, &seq, NULL),
                         HIE_OK);
        if (complete) {
            assert_int_equal(hie_audit_complete(j, &row, pool, NULL),
                             HIE_OK);
        }
    }
    assert_int_equal(hie_journal_wait(j, seq, NULL), HIE_OK);
}


/* Ships until `expected` records were moved or it fails. A completion, which
 * nobody waits for, needs a moment to be in the journal, and a batch that is
 * not full gathers for a while. */
static hie_rc_t
ship_until(hie_audit_shipper_t *s, int expected, hie_error_t *err)
{
    apr_time_t  deadline = apr_time_now() + apr_time_from_sec(30);
    hie_rc_t    rc;
    int         moved;

    while (expected > 0 && apr_time_now() < deadline) {
        rc = hie_audit_ship(s, &moved, err);
        if (rc != HIE_OK) {
            assert_int_equal(moved, 0);
            return rc;
        }
        expected -= moved;
        if (moved == 0) {
            usleep(10000);
        }
    }
    assert_int_equal(expected, 0);
    return HIE_OK;
}


static void
ship(hie_audit_shipper_t *s, int expected)
{
    hie_error_t  err;
    int          moved;

    if (ship_until(s, expected, &err) != HIE_OK) {
        fail_msg("%s", err.detail);
    }
    assert_int_equal(hie_audit_ship(s, &moved, NULL), HIE_OK);
    assert_int_equal(moved, 0);
}


static void
ship_all(hie_store_t *store, const char *conninfo)
{
    hie_journal_t        *j = open_journal();
    hie_audit_shipper_t  *s;
    hie_audit_row_t       late = judged_row();
    hie_error_t           err;
    uint64_t              seq;
    int                   moved;

    assert_int_equal(hie_audit_shipper_open(pool, store, dir, NODE, &s,
                                            NULL), HIE_OK);
    ship(s, 0);

    /* both halves of each as one row; more than one batch */
    write_rows(j, 1500, true);
    ship(s, 3000);
    assert_int_equal(ROWS, 1500);
    assert_int_equal(OPEN, 0);
    assert_int_equal(PLACES, 1);

    /* one that stays open is held back, then goes, and is completed later */
    late.id[0] = '\0';
    assert_int_equal(hie_audit_pending(j, &late, pool, &seq, NULL), HIE_OK);
    assert_int_equal(hie_journal_wait(j, seq, NULL), HIE_OK);
    assert_int_equal(hie_audit_ship(s, &moved, NULL), HIE_OK);
    assert_int_equal(moved, 0);
    ship(s, 1);
    assert_int_equal(ROWS, 1501);
    assert_int_equal(OPEN, 1);
    assert_int_equal(JUDGED, 0);
    assert_int_equal(hie_audit_complete(j, &late, pool, NULL), HIE_OK);
    ship(s, 1);
    assert_int_equal(ROWS, 1501);
    assert_int_equal(OPEN, 0);
    assert_int_equal(JUDGED, 1);

    /* the judgement of one whose halves go together */
    late.id[0] = '\0';
    assert_int_equal(hie_audit_pending(j, &late, pool, &seq, NULL), HIE_OK);
    assert_int_equal(hie_audit_complete(j, &late, pool, NULL), HIE_OK);
    ship(s, 2);
    assert_int_equal(ROWS, 1502);
    assert_int_equal(JUDGED, 2);

    /* a shipper that dies with a batch in its hands loses and doubles
     * nothing */
    write_rows(j, 5, false);
    assert_int_equal(hie_audit_ship(s, &moved, NULL), HIE_OK);
    assert_int_equal(moved, 0);
    hie_audit_shipper_close(s);
    assert_int_equal(hie_audit_shipper_open(pool, store, dir, NODE, &s,
                                            NULL), HIE_OK);
    ship(s, 5);
    assert_int_equal(ROWS, 1507);
    assert_int_equal(OPEN, 5);

    /* a transaction that fails is tried again as a whole */
    sql("ALTER TABLE " SCHEMA ".journal_place RENAME TO away");
    write_rows(j, 3, true);
    assert_int_not_equal(ship_until(s, 6, &err), HIE_OK);
    assert_int_equal(ROWS, 1507);
    sql("ALTER TABLE " SCHEMA ".away RENAME TO journal_place");
    ship(s, 6);
    assert_int_equal(ROWS, 1510);

    /* what is no record is skipped; when the writer is gone, so are its file
     * and its place */
    assert_int_equal(hie_journal_append(j, "nonsense", 8, &seq, NULL),
                     HIE_OK);
    assert_int_equal(hie_journal_wait(j, seq, NULL), HIE_OK);
    ship(s, 1);
    hie_journal_close(j);
    ship(s, 0);
    ship(s, 0);
    assert_int_equal(ROWS, 1510);
    assert_int_equal(PLACES, 0);

    hie_audit_shipper_close(s);
}


static void
test_ship(void **state)
{
    const char       *conninfo = getenv("HIE_TEST_DATABASE");
    hie_migration_t   m;
    hie_config_t      conf;
    hie_store_t      *store;
    hie_error_t       err;

    if (conninfo == NULL) {
        print_message("# HIE_TEST_DATABASE is not set: nothing is shipped\n");
        return;
    }
    admin = PQconnectdb(conninfo);
    if (PQstatus(admin) != CONNECTION_OK) {
        fail_msg("%s", PQerrorMessage(admin));
    }
    /* the programs that use the database follow each other */
    number("SELECT count(pg_advisory_lock(-20))");
    sql("SET client_min_messages = error");
    sql("DROP SCHEMA IF EXISTS " SCHEMA " CASCADE");
    if (hie_store_migrate(conninfo, "hie_app", NODE, pool, &m, &err)
        != HIE_OK)
    {
        fail_msg("%s: %s", err.where, err.detail);
    }

    store = open_store(&conf, apr_pstrcat(pool, conninfo, " user=hie_app",
                                          NULL));
    ship_all(store, conninfo);
    hie_store_close(store);
    PQfinish(admin);
}


static int
set_up(void **state)
{
    pool = hie_pool_create(NULL, "test");
    strcpy(dir, "/tmp/hie_audit_XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}


static int
tear_down(void **state)
{
    char           *path = apr_pstrcat(pool, dir, "/", HIE_AUDIT_JOURNAL,
                                       NULL);
    DIR            *d = opendir(path);
    struct dirent  *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        unlink(apr_pstrcat(pool, path, "/", e->d_name, NULL));
    }
    if (d != NULL) {
        closedir(d);
    }
    rmdir(path);
    rmdir(dir);
    apr_pool_destroy(pool);
    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_pending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_judged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_database_away, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_ship, set_up, tear_down)
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
