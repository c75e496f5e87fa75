/*
 * config: what hie.yaml may say, and where an error is found.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/config.h"

/* The smallest file that is complete; three keys, five lines. */
#define LEAST                                                                 \
    "node: alpha\n"                                                           \
    "database:\n"                                                             \
    "  conninfo: dbname=hie\n"                                                \
    "journal:\n"                                                              \
    "  directory: /var/lib/hie\n"

#define ISSUER  "  - { issuer: 'https://a.example', key_file: keys/a.pem, "

static apr_pool_t   *pool;
static char          dir[] = "/tmp/hie-config-XXXXXX";
static const char   *file;
static hie_error_t   err;


static void
put_file(const char *path, const char *text, size_t len)
{
    FILE  *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}


/* NULL where the text is refused. */
static hie_config_t *
load(const char *text)
{
    hie_config_t  *c = NULL;
    hie_rc_t       rc;

    put_file(file, text, strlen(text));
    memset(&err, 0, sizeof(err));
    rc = hie_config_load(file, pool, &c, &err);
    if (rc != HIE_OK) {
        assert_int_equal(rc, HIE_INVALID);
        assert_int_equal(err.rc, HIE_INVALID);
        assert_null(c);
    }
    return c;
}


/* Refused, at this line, with a sentence that has this in it. */
static void
assert_refused(const char *text, int line, const char *part)
{
    if (load(text) != NULL) {
        fail_msg("taken: %s", text);
    }
    assert_string_equal(err.where, apr_psprintf(pool, "%s:%d", file, line));
    if (strstr(err.detail, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, err.detail);
    }
}


/* The same for lines behind the smallest file. */
static void
assert_refused_more(const char *more, int line, const char *part)
{
    assert_refused(apr_pstrcat(pool, LEAST, more, NULL), 5 + line, part);
}


static hie_config_t *
load_more(const char *more)
{
    hie_config_t  *c = load(apr_pstrcat(pool, LEAST, more, NULL));

    if (c == NULL) {
        fail_msg("%s: %s", err.where, err.detail);
    }
    return c;
}


static void
test_defaults(void **state)
{
    hie_config_t  *c = load_more("");

    assert_string_equal(c->path, file);
    assert_string_equal(c->node, "alpha");
    assert_string_equal(c->database.conninfo, "dbname=hie");
    assert_null(c->database.admin_conninfo);
    assert_int_equal(c->database.connections, 16);
    assert_int_equal(c->database.acquire_timeout, 2000);
    assert_int_equal(c->database.statement_timeout, 2500);
    assert_null(c->redis.url);
    assert_int_equal(c->redis.timeout, 500);
    assert_string_equal(c->journal.directory, "/var/lib/hie");
    assert_int_equal(c->journal.segment, 64 * 1024 * 1024);
    assert_int_equal(c->journal.buffer, 16 * 1024 * 1024);
    assert_null(c->access.audience);
    assert_int_equal(c->access.leeway, 30);
    assert_int_equal(c->access.n_issuers, 0);
    assert_null(c->access.local_subject);
    assert_int_equal(c->access.n_local_organizations, 0);
    assert_null(c->access.sign_key_file);
    assert_null(c->access.sign_issuer);
    assert_false(c->consent.default_permit);
    assert_int_equal(c->fhir.max_body, 16 * 1024 * 1024);
    assert_int_equal(c->fhir.max_binary, 256 * 1024 * 1024);
    assert_string_equal(c->fhir.temp_directory, "/var/tmp");
    assert_int_equal(c->fhir.max_depth, 64);
    assert_int_equal(c->fhir.max_entries, 5000);
    assert_int_equal(c->fhir.default_count, 20);
    assert_int_equal(c->fhir.max_count, 1000);
    assert_true(c->fhir.update_create);
    assert_null(c->fhir.public_url);
    assert_string_equal(c->fhir.base_path, "/fhir");
    assert_null(c->fhir.base_url);
    assert_int_equal(c->fhir.everything_max, 5000);
    assert_int_equal(c->fhir.timeout, 30000);
    assert_string_equal(c->fhir.cache_control, "no-store");
    assert_int_equal(c->fhir.n_cors_origins, 0);
    assert_int_equal(c->fhir.cors_max_age, 600);
    assert_int_equal(c->fhir.search.max_depth, 3);
    assert_int_equal(c->fhir.search.max_values, 1000);
    assert_int_equal(c->fhir.search.max_includes, 1000);
    assert_int_equal(c->fhir.search.budget, 5000);
    assert_int_equal(c->gateway.max_body, 16 * 1024 * 1024);
    assert_int_equal(c->mllp.max_message, 4 * 1024 * 1024);
    assert_string_equal(c->mllp.identifier_system, "urn:id:");
    assert_string_equal(c->mllp.timezone, "+00:00");
}


static void
test_everything(void **state)
{
    hie_config_t  *c = load(
        "# comment\n"
        "node: n_2\n"
        "database: { conninfo: 'host=/run dbname=a', admin_conninfo: b,\n"
        "  connections: 4, acquire_timeout: 1500ms,\n"
        "  statement_timeout: 2s }\n"
        "redis:\n  url: redis://localhost:6379/0\n  timeout: 250\n"
        "journal:\n  directory: j/../journal\n  segment: 128k\n"
        "  buffer: 65536\n"
        "access:\n  audience: https://hie.example/fhir\n  leeway: 0\n"
        "  issuers:\n"
        "  - issuer: https://a.example\n    key_file: keys/a.pem\n"
        "    algorithm: RS256\n    administrators: true\n"
        "  - { issuer: b, key_file: ./keys/../keys/a.pem,\n"
        "      algorithm: ES256 }\n"
        "  local: { subject: service, organizations: [Organization/1, x] }\n"
        "  sign: { key_file: not/there.pem, issuer: https://a.example }\n"
        "consent: { default: permit }\n"
        "fhir: { max_body: 1M, max_depth: 10, max_entries: 7,\n"
        "  default_count: 5, max_count: 5, update_create: false,\n"
        "  public_url: 'https://hie.example:8443', everything_max: 9,\n"
        "  timeout: 2s, cache_control: private,\n"
        "  cors: { origins: ['https://a.example:8', '*'], max_age: 0 },\n"
        "  search: { max_depth: 0, max_values: 2, max_includes: 4,\n"
        "    budget: 1s } }\n"
        "gateway: { max_body: 2m }\n"
        "mllp: { max_message: 512K, identifier_system: 'urn:oid:',\n"
        "  timezone: -05:30 }\n");

    if (c == NULL) {
        fail_msg("%s: %s", err.where, err.detail);
    }
    assert_string_equal(c->node, "n_2");
    assert_string_equal(c->database.conninfo, "host=/run dbname=a");
    assert_string_equal(c->database.admin_conninfo, "b");
    assert_int_equal(c->database.connections, 4);
    assert_int_equal(c->database.acquire_timeout, 1500);
    assert_int_equal(c->database.statement_timeout, 2000);
    assert_string_equal(c->redis.url, "redis://localhost:6379/0");
    assert_int_equal(c->redis.timeout, 250);
    assert_string_equal(c->journal.directory,
                        apr_pstrcat(pool, dir, "/journal", NULL));
    assert_int_equal(c->journal.segment, 128 * 1024);
    assert_int_equal(c->journal.buffer, 65536);
    assert_string_equal(c->access.audience, "https://hie.example/fhir");
    assert_int_equal(c->access.leeway, 0);
    assert_int_equal(c->access.n_issuers, 2);
    assert_string_equal(c->access.issuers[0].issuer, "https://a.example");
    assert_string_equal(c->access.issuers[0].key_file,
                        apr_pstrcat(pool, dir, "/keys/a.pem", NULL));
    assert_string_equal(c->access.issuers[0].algorithm, "RS256");
    assert_true(c->access.issuers[0].administrators);
    assert_string_equal(c->access.issuers[1].key_file,
                        c->access.issuers[0].key_file);
    assert_string_equal(c->access.issuers[1].algorithm, "ES256");
    assert_false(c->access.issuers[1].administrators);
    assert_string_equal(c->access.local_subject, "service");
    assert_int_equal(c->access.n_local_organizations, 2);
    assert_string_equal(c->access.local_organizations[0], "Organization/1");
    assert_string_equal(c->access.local_organizations[1], "x");
    assert_string_equal(c->access.sign_key_file,
                        apr_pstrcat(pool, dir, "/not/there.pem", NULL));
    assert_string_equal(c->access.sign_issuer, "https://a.example");
    assert_true(c->consent.default_permit);
    assert_int_equal(c->fhir.max_body, 1024 * 1024);
    assert_int_equal(c->fhir.max_depth, 10);
    assert_int_equal(c->fhir.max_entries, 7);
    assert_int_equal(c->fhir.default_count, 5);
    assert_int_equal(c->fhir.max_count, 5);
    assert_false(c->fhir.update_create);
    assert_string_equal(c->fhir.public_url, "https://hie.example:8443");
    assert_string_equal(c->fhir.base_url, "https://hie.example:8443/fhir");
    assert_int_equal(c->fhir.everything_max, 9);
    assert_int_equal(c->fhir.timeout, 2000);
    assert_string_equal(c->fhir.cache_control, "private");
    assert_int_equal(c->fhir.n_cors_origins, 2);
    assert_string_equal(c->fhir.cors_origins[0], "https://a.example:8");
    assert_string_equal(c->fhir.cors_origins[1], "*");
    assert_int_equal(c->fhir.cors_max_age, 0);
    assert_int_equal(c->fhir.search.max_depth, 0);
    assert_int_equal(c->fhir.search.max_values, 2);
    assert_int_equal(c->fhir.search.max_includes, 4);
    assert_int_equal(c->fhir.search.budget, 1000);
    assert_int_equal(c->gateway.max_body, 2 * 1024 * 1024);
    assert_int_equal(c->mllp.max_message, 512 * 1024);
    assert_string_equal(c->mllp.identifier_system, "urn:oid:");
    assert_string_equal(c->mllp.timezone, "-05:30");
}


static void
test_base(void **state)
{
    hie_config_t  *c;

    c = load_more("fhir: { public_url: 'https://a', base_path: /x/y }\n");
    assert_string_equal(c->fhir.base_url, "https://a/x/y");
    c = load_more("fhir: { public_url: 'https://a', base_path: / }\n");
    assert_string_equal(c->fhir.base_url, "https://a");
    c = load_more("fhir: { base_path: /x }\n");
    assert_null(c->fhir.base_url);
}


static void
test_required(void **state)
{
    assert_refused("", 1, "empty");
    assert_refused("# nothing\n", 1, "empty");
    assert_refused("[a]", 1, "mapping");
    assert_refused("text", 1, "mapping");
    assert_refused("database: { conninfo: a }\njournal: { directory: b }",
                   1, "key node");
    assert_refused("node: a\njournal: { directory: b }", 1, "key database");
    assert_refused("node: a\ndatabase: { conninfo: b }", 1, "key journal");
    assert_refused("node: a\ndatabase:\n  connections: 4\n"
                   "journal: { directory: b }", 3, "key conninfo");
    assert_refused("node: a\ndatabase: { conninfo: b }\njournal: {}", 3,
                   "key directory");
    assert_refused_more("access:\n  issuers:\n"
                        "  - issuer: a\n    algorithm: RS256\n", 3,
                        "key key_file");
    assert_refused_more("access:\n  sign:\n    key_file: a\n", 3,
                        "key issuer");
    assert_refused_more("access:\n  local:\n    organizations: [a]\n", 3,
                        "key subject");
}


static void
test_keys(void **state)
{
    assert_refused_more("nodes: b\n", 1, "one of: node, database");
    assert_refused_more("fhir:\n  max_body: 1m\n  maxdepth: 4\n", 3,
                        "max_depth");
    assert_refused_more("? [a]\n: b\n", 1, "unknown key");
    assert_refused_more("<<: { node: b }\n", 1, "unknown key");
    assert_refused_more("node: b\n", 1, "key node");
    assert_refused_more("fhir:\n  max_depth: 9\n\n  max_depth: 9\n", 4,
                        "key max_depth");
    assert_refused_more("access:\n  issuers:\n"
                        ISSUER "algorithm: RS256,\n      alg: RS256 }\n", 4,
                        "unknown key");
}


/* What is not understood may be a password. */
static void
test_no_data(void **state)
{
    assert_refused_more("password=hunter2: x\n", 1, "unknown key");
    assert_null(strstr(err.detail, "hunter2"));
    assert_refused_more("redis: { url: 'hunter2' }\n", 1, "redis://");
    assert_null(strstr(err.detail, "hunter2"));
    assert_refused("node: hunter2!\n" "database: { conninfo: a }\n"
                   "journal: { directory: b }\n", 1, "node must be");
    assert_null(strstr(err.detail, "hunter2"));
    assert_refused_more("redis: { url: @hunter2\n", 1, "expected YAML");
    assert_null(strstr(err.detail, "hunter2"));
}


static void
test_types(void **state)
{
    static const char *const  wrong[] = {
        "redis:\n", "redis: ~\n", "redis: []\n", "redis: 4\n",
        "redis: { timeout: \"500\" }\n", "redis: { timeout: 1.5 }\n",
        "redis: { timeout: 0x10 }\n", "redis: { timeout: -1 }\n",
        "redis: { timeout: 1m }\n", "redis: { timeout: ms }\n",
        "redis: { timeout: 1 s }\n", "redis: { timeout: !!int 5 }\n",
        "redis: { timeout: [500] }\n", "redis: { timeout: }\n",
        "redis: { url: null }\n", "redis: { url: '' }\n",
        "redis: { url: [a] }\n", "redis: { url: relative.sock }\n",
        "redis: { url: 'redis://' }\n", "redis: { url: \"/a\\nb\" }\n",
        "fhir: { max_body: 1g }\n", "fhir: { max_body: 1ms }\n",
        "fhir: { max_body: k }\n", "fhir: { max_depth: 10k }\n",
        "fhir: { update_create: yes }\n", "fhir: { update_create: 1 }\n",
        "fhir: { update_create: 'true' }\n",
        "fhir: { public_url: hie.example }\n",
        "fhir: { public_url: 'https://' }\n",
        "fhir: { public_url: 'https://hie.example/' }\n",
        "fhir: { public_url: 'https://a@hie.example' }\n",
        "fhir: { public_url: 'ftp://hie.example' }\n",
        "fhir: { base_path: fhir }\n", "fhir: { base_path: /fhir/ }\n",
        "fhir: { base_path: '/fhir?x' }\n",
        "fhir: { cors: { origins: ['https://a.example/'] } }\n",
        "fhir: { cors: { origins: [a.example] } }\n",
        "fhir: { cors: { origins: 'https://a.example' } }\n",
        "fhir: { cors: { max_age: 90000 } }\n",
        "fhir: { cors: true }\n",
        "fhir: { search: 5 }\n",
        "fhir: { search: { max_depth: 11 } }\n",
        "fhir: { search: { max_values: 0 } }\n",
        "fhir: { search: { budget: 1 } }\n",
        "fhir: { timeout: 0 }\n",
        "fhir: { cache_control: '' }\n",
        "consent: { default: allow }\n", "consent: { default: true }\n",
        "mllp: { timezone: UTC }\n", "mllp: { timezone: '01:00' }\n",
        "mllp: { timezone: +1:00 }\n", "mllp: { timezone: +01:60 }\n",
        "mllp: { timezone: +14:01 }\n", "mllp: { timezone: +0x:00 }\n",
        "mllp: { identifier_system: \"a\\0b\" }\n",
        "access: { issuers: { a: b } }\n", "access: { issuers: [a] }\n",
        "access: { issuers: [[a]] }\n", "access: { issuers: a }\n",
        "access: { local: { subject: a, organizations: b } }\n",
        "access: { local: { subject: a, organizations: [[b]] } }\n",
        "access: { local: { subject: a, organizations: [''] } }\n"
    };
    size_t  i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_refused_more(wrong[i], 1, " must be ");
    }
}


static void
test_ranges(void **state)
{
    assert_int_equal(load_more("redis: { timeout: 1 }\n")->redis.timeout, 1);
    assert_int_equal(load_more("redis: { timeout: 60s }\n")->redis.timeout,
                     60000);
    assert_refused_more("redis: { timeout: 0 }\n", 1, "from 1 to 60000");
    assert_refused_more("redis: { timeout: 60001 }\n", 1, "out of this");
    assert_refused_more("redis: { timeout: 61s }\n", 1, "out of this");
    assert_refused_more("fhir: { max_body: 1025m }\n", 1, "1k to 1024m");
    assert_refused_more("fhir: { max_body: 0 }\n", 1, "out of this");
    /* Not wrapped around. */
    assert_refused_more("fhir: { max_body: 18014398509481985k }\n", 1,
                        "out of this");
    assert_refused_more("fhir: { max_depth: 99999999999999999999 }\n", 1,
                        "out of this");
    assert_refused_more("fhir:\n  max_count: 10\n", 2, "max_count");
    assert_refused_more("fhir:\n  max_count: 10\n  default_count: 11\n", 3,
                        "11 and 10");
    assert_refused_more("fhir:\n  timeout: 1s\n  search:\n    budget: 1s\n",
                        4, "1000 and 1000");
    /* Where only the time-out is said it holds for searches too. */
    assert_int_equal(load_more("fhir: { timeout: 1s }\n")->fhir.timeout,
                     1000);
}


static void
assert_node(const char *name, bool good)
{
    const char  *text = apr_pstrcat(pool, "node: ", name, "\n",
                                    "database: { conninfo: a }\n"
                                    "journal: { directory: b }\n", NULL);

    if (good) {
        assert_non_null(load(text));
    } else {
        assert_refused(text, 1, "node must be");
    }
}


static void
test_node(void **state)
{
    assert_node("a", true);
    assert_node("a23456789_123456789_12345678901", true);
    assert_node("a23456789_123456789_123456789012", false);
    assert_node("A", false);
    assert_node("1a", false);
    assert_node("_a", false);
    assert_node("a-b", false);
    assert_node("a\xc3\xa4", false);
    assert_node("a;b", false);
}


static void
test_issuers(void **state)
{
    assert_refused_more("access:\n  issuers:\n"
                        ISSUER "algorithm: RS256 }\n"
                        ISSUER "algorithm: ES256 }\n", 4, "every issuer");
    assert_refused_more("access:\n  issuers:\n"
                        ISSUER "algorithm: HS256 }\n", 3, "RS256 or ES256");
    assert_refused_more("access:\n  issuers:\n"
                        ISSUER "algorithm: none }\n", 3, "RS256 or ES256");
    assert_refused_more("access:\n  issuers:\n  - issuer: a\n"
                        "    key_file: keys/b.pem\n    algorithm: RS256\n",
                        4, "can be read");
    assert_refused_more("access:\n  issuers:\n  - issuer: a\n"
                        "    key_file: keys\n    algorithm: RS256\n",
                        4, "can be read");
    assert_refused_more("access:\n  issuers:\n  - issuer: a\n"
                        "    key_file: fifo\n    algorithm: RS256\n",
                        4, "can be read");
    assert_int_equal(load_more("access: { issuers: [] }\n")
                     ->access.n_issuers, 0);
}


static void
test_yaml(void **state)
{
    hie_config_t  *c;
    char          *deep = apr_palloc(pool, 20001);

    assert_refused("node: a\n\tdatabase: b\n", 2, "expected YAML");
    assert_refused("node: 'a\n", 2, "expected YAML");
    assert_refused("node: *a\n", 1, "expected YAML");
    assert_refused_more("---\nnode: b\n", 2, "another");
    assert_refused_more("...\n}\n", 2, "expected YAML");
    assert_null(load("node: \xff\n"));
    assert_null(load(LEAST "mllp: { identifier_system: \x01 }\n"));

    /* A value that contains itself, and one that is deep. */
    assert_refused("&a\nnode: *a\ndatabase: *a\njournal: *a\n", 1,
                   "node must be");
    memset(deep, '[', 20000);
    deep[20000] = '\0';
    assert_null(load(deep));

    c = load_more("fhir: { max_body: &size 1m }\n"
                  "gateway: { max_body: *size }\n...\n");
    assert_int_equal(c->gateway.max_body, 1024 * 1024);
}


static void
test_file(void **state)
{
    hie_config_t  *c = NULL;
    const char    *deep = dir;
    char          *text = apr_palloc(pool, 1024 * 1024 + 2);
    size_t         len;
    int            i;

    assert_int_equal(hie_config_load(apr_pstrcat(pool, dir, "/none", NULL),
                                     pool, &c, &err), HIE_INVALID);
    assert_non_null(strstr(err.where, "/none"));
    assert_int_equal(hie_config_load(dir, pool, &c, &err), HIE_INVALID);
    assert_int_equal(hie_config_load(dir, pool, &c, NULL), HIE_INVALID);

    /* One megabyte and no more. */
    memset(text, '#', 1024 * 1024 + 1);
    memcpy(text, LEAST, strlen(LEAST));
    put_file(file, text, 1024 * 1024);
    assert_int_equal(hie_config_load(file, pool, &c, &err), HIE_OK);
    put_file(file, text, 1024 * 1024 + 1);
    assert_int_equal(hie_config_load(file, pool, &c, &err), HIE_INVALID);

    /* A relative name becomes absolute. */
    assert_non_null(load(LEAST));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(hie_config_load("hie.yaml", pool, &c, &err), HIE_OK);
    assert_int_equal(chdir("/"), 0);
    assert_string_equal(c->path, file);

    /* The line is named also where the path is too long for it. */
    for (i = 0; i < 8; i++) {
        deep = apr_pstrcat(pool, deep, "/abcdefghijklmnopqrstuvwxyz", NULL);
        assert_int_equal(mkdir(deep, 0700), 0);
    }
    deep = apr_pstrcat(pool, deep, "/hie.yaml", NULL);
    put_file(deep, "\n\n[]", 4);
    assert_int_equal(hie_config_load(deep, pool, &c, &err), HIE_INVALID);
    len = strlen(err.where);
    assert_true(len > 11);
    assert_string_equal(err.where + len - 11, "/hie.yaml:3");
}


static int
set_up(void **state)
{
    const char  *keys;

    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    file = apr_pstrcat(pool, dir, "/hie.yaml", NULL);
    keys = apr_pstrcat(pool, dir, "/keys", NULL);
    if (mkdir(keys, 0700) != 0
        || mkfifo(apr_pstrcat(pool, dir, "/fifo", NULL), 0600) != 0)
    {
        return -1;
    }
    put_file(apr_pstrcat(pool, keys, "/a.pem", NULL), "key", 3);

    return 0;
}


static int
tear_down(void **state)
{
    return system(apr_pstrcat(pool, "rm -r ", dir, NULL));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_data),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_file)
    };
    int  failed;

    apr_initialize();
    pool = hie_pool_create(NULL, "test");
    failed = cmocka_run_group_tests_name("config", tests, set_up, tear_down);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
