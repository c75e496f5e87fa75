/*
 * Reading hie.yaml: the keys that there are, and the walk over the document.
 */

#include "base/config_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <yaml.h>


#define FILE_MAX  (1024 * 1024)

#define K  (INT64_C(1024))
#define M  (1024 * K)
#define G  (1024 * M)

#define AT(member)      offsetof(hie_config_t, member)
#define ISSUER(member)  offsetof(hie_config_issuer_t, member)

/* A key with a default (or NULL), one that must be there, a mapping, a list
 * and the end of a table. */
#define KEY(name, type, offset, min, max, value)                              \
    { name, type, false, offset, min, max, value, NULL, 0, 0 }
#define MUST(name, type, offset)                                              \
    { name, type, true, offset, 0, 0, NULL, NULL, 0, 0 }
#define SECTION(name, required, keys)                                         \
    { name, CONFIG_SECTION, required, 0, 0, 0, NULL, keys, 0, 0 }
#define LIST(name, type, offset, count, keys, size)                           \
    { name, type, false, offset, 0, 0, NULL, keys, count, size }
#define END                                                                   \
    { NULL, CONFIG_TEXT, false, 0, 0, 0, NULL, NULL, 0, 0 }


static const config_key_t  database_keys[] = {
    MUST("conninfo", CONFIG_TEXT, AT(database.conninfo)),
    KEY("admin_conninfo", CONFIG_TEXT, AT(database.admin_conninfo),
        0, 0, NULL),
    KEY("connections", CONFIG_INTEGER, AT(database.connections),
        1, 1000, "16"),
    KEY("acquire_timeout", CONFIG_DURATION, AT(database.acquire_timeout),
        1, 60000, "2000"),
    KEY("statement_timeout", CONFIG_DURATION, AT(database.statement_timeout),
        1, 600000, "2500"),
    END
};

static const config_key_t  redis_keys[] = {
    KEY("url", CONFIG_REDIS, AT(redis.url), 0, 0, NULL),
    KEY("timeout", CONFIG_DURATION, AT(redis.timeout), 1, 60000, "500"),
    END
};

static const config_key_t  jobs_keys[] = {
    KEY("threads", CONFIG_INTEGER, AT(jobs.threads), 1, 256, "8"),
    KEY("queue", CONFIG_INTEGER, AT(jobs.queue), 1, 100000, "1024"),
    END
};

static const config_key_t  journal_keys[] = {
    MUST("directory", CONFIG_PATH, AT(journal.directory)),
    KEY("segment", CONFIG_SIZE, AT(journal.segment), 64 * K, G, "64m"),
    KEY("buffer", CONFIG_SIZE, AT(journal.buffer), 64 * K, G, "16m"),
    END
};

static const config_key_t  issuer_keys[] = {
    MUST("issuer", CONFIG_TEXT, ISSUER(issuer)),
    MUST("key_file", CONFIG_FILE, ISSUER(key_file)),
    MUST("algorithm", CONFIG_ALGORITHM, ISSUER(algorithm)),
    KEY("administrators", CONFIG_BOOL, ISSUER(administrators),
        0, 0, "false"),
    END
};

static const config_key_t  local_keys[] = {
    MUST("subject", CONFIG_TEXT, AT(access.local_subject)),
    LIST("organizations", CONFIG_TEXTS, AT(access.local_organizations),
         AT(access.n_local_organizations), NULL, 0),
    END
};

/* The key to sign with belongs to whoever runs hiectl: a path, not a file,
 * since the servers need not be able to read it. */
static const config_key_t  sign_keys[] = {
    MUST("key_file", CONFIG_PATH, AT(access.sign_key_file)),
    MUST("issuer", CONFIG_TEXT, AT(access.sign_issuer)),
    END
};

static const config_key_t  access_keys[] = {
    KEY("audience", CONFIG_TEXT, AT(access.audience), 0, 0, NULL),
    KEY("leeway", CONFIG_INTEGER, AT(access.leeway), 0, 600, "30"),
    LIST("issuers", CONFIG_SECTIONS, AT(access.issuers),
         AT(access.n_issuers), issuer_keys, sizeof(hie_config_issuer_t)),
    SECTION("local", false, local_keys),
    SECTION("sign", false, sign_keys),
    END
};

static const config_key_t  consent_keys[] = {
    KEY("default", CONFIG_DECISION, AT(consent.default_permit),
        0, 0, "deny"),
    END
};

static const config_key_t  cors_keys[] = {
    LIST("origins", CONFIG_ORIGINS, AT(fhir.cors_origins),
         AT(fhir.n_cors_origins), NULL, 0),
    KEY("max_age", CONFIG_INTEGER, AT(fhir.cors_max_age), 0, 86400, "600"),
    END
};

static const config_key_t  search_keys[] = {
    KEY("max_depth", CONFIG_INTEGER, AT(fhir.search.max_depth), 0, 10, "3"),
    KEY("max_values", CONFIG_INTEGER, AT(fhir.search.max_values),
        1, 100000, "1000"),
    KEY("max_includes", CONFIG_INTEGER, AT(fhir.search.max_includes),
        1, 100000, "1000"),
    KEY("budget", CONFIG_DURATION, AT(fhir.search.budget), 10, 3600000,
        "5000"),
    END
};

static const config_key_t  fhir_keys[] = {
    KEY("max_body", CONFIG_SIZE, AT(fhir.max_body), K, G, "16m"),
    KEY("max_binary", CONFIG_SIZE, AT(fhir.max_binary), K, 64 * G, "256m"),
    KEY("temp_directory", CONFIG_PATH, AT(fhir.temp_directory), 0, 0,
        "/var/tmp"),
    KEY("max_depth", CONFIG_INTEGER, AT(fhir.max_depth), 8, 1000, "64"),
    KEY("max_entries", CONFIG_INTEGER, AT(fhir.max_entries),
        1, 1000000, "5000"),
    KEY("default_count", CONFIG_INTEGER, AT(fhir.default_count),
        1, 10000, "20"),
    KEY("max_count", CONFIG_INTEGER, AT(fhir.max_count), 1, 10000, "1000"),
    KEY("everything_max", CONFIG_INTEGER, AT(fhir.everything_max),
        1, 100000, "5000"),
    KEY("timeout", CONFIG_DURATION, AT(fhir.timeout), 10, 3600000, "30000"),
    KEY("update_create", CONFIG_BOOL, AT(fhir.update_create), 0, 0, "true"),
    KEY("conditional_delete", CONFIG_MATCHES, AT(fhir.delete_many), 0, 0,
        "single"),
    KEY("delete_limit", CONFIG_INTEGER, AT(fhir.delete_limit), 1, 10000,
        "100"),
    KEY("full_text", CONFIG_BOOL, AT(fhir.full_text), 0, 0, "true"),
    KEY("references", CONFIG_REFERENCES, AT(fhir.references), 0, 0, "off"),
    KEY("validation", CONFIG_VALIDATION, AT(fhir.validation), 0, 0, "full"),
    KEY("definitions", CONFIG_PATH, AT(fhir.definitions), 0, 0, NULL),
    KEY("public_url", CONFIG_ORIGIN, AT(fhir.public_url), 0, 0, NULL),
    KEY("base_path", CONFIG_BASE, AT(fhir.base_path), 0, 0, "/fhir"),
    KEY("cache_control", CONFIG_TEXT, AT(fhir.cache_control),
        0, 0, "no-store"),
    SECTION("cors", false, cors_keys),
    SECTION("search", false, search_keys),
    END
};

static const config_key_t  gateway_keys[] = {
    KEY("max_body", CONFIG_SIZE, AT(gateway.max_body), K, G, "16m"),
    END
};

static const config_key_t  mllp_keys[] = {
    KEY("max_message", CONFIG_SIZE, AT(mllp.max_message), K, G, "4m"),
    KEY("identifier_system", CONFIG_TEXT, AT(mllp.identifier_system),
        0, 0, "urn:id:"),
    KEY("timezone", CONFIG_ZONE, AT(mllp.timezone), 0, 0, "+00:00"),
    END
};

static const config_key_t  root_keys[] = {
    MUST("node", CONFIG_NODE, AT(node)),
    SECTION("database", true, database_keys),
    SECTION("redis", false, redis_keys),
    SECTION("jobs", false, jobs_keys),
    SECTION("journal", true, journal_keys),
    SECTION("access", false, access_keys),
    SECTION("consent", false, consent_keys),
    SECTION("fhir", false, fhir_keys),
    SECTION("gateway", false, gateway_keys),
    SECTION("mllp", false, mllp_keys),
    END
};

/* The file as a whole, for the error about a root that is no mapping. */
static const config_key_t  file_key = SECTION("the file", true, root_keys);


typedef struct {
    apr_pool_t       *pool;
    yaml_document_t  *doc;
    const char       *path;
    const char       *dir;
    hie_error_t      *err;
} reader_t;


static hie_rc_t
read_map(reader_t *r, const config_key_t *keys, yaml_node_t *map,
         void *base);


/* "file:line". Of a path that is too long the end is what matters. */
static void
print_where(const reader_t *r, size_t line, char *buf, size_t size)
{
    const char  *path = r->path;
    size_t       len = strlen(path), room = size - 24;

    if (len > room) {
        path += len - room;
    }
    snprintf(buf, size, "%s:%zu", path, line + 1);
}


static hie_rc_t
fail_at(reader_t *r, size_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static hie_rc_t
fail_at(reader_t *r, size_t line, const char *fmt, ...)
{
    hie_error_t  e;
    va_list      ap;

    print_where(r, line, e.where, sizeof(e.where));

    va_start(ap, fmt);
    vsnprintf(e.detail, sizeof(e.detail), fmt, ap);
    va_end(ap);

    return hie_fail(r->err, HIE_INVALID, e.where, "%s", e.detail);
}


static const char *
node_kind(const yaml_node_t *node)
{
    switch (node->type) {

    case YAML_MAPPING_NODE:
        return "a mapping";

    case YAML_SEQUENCE_NODE:
        return "a list";

    case YAML_SCALAR_NODE:
        if (node->data.scalar.length == 0) {
            return "nothing";
        }
        return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
               ? "another value" : "a text in quotes";

    default:
        return "nothing";
    }
}


static hie_rc_t
fail_value(reader_t *r, const config_key_t *key, const yaml_node_t *node,
           const char *found)
{
    char  expected[160];

    hie_config_expected(key, expected, sizeof(expected));

    return fail_at(r, node->start_mark.line, "%s must be %s; found %s",
                   key->name, expected, found);
}


/* The words of YAML for nothing (core schema, 10.3.2) are not texts. */
static bool
is_null(const yaml_node_t *node, hie_str_t text)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
           && (text.len == 0 || hie_str_eqz(text, "~")
               || hie_str_ieqz(text, "null"));
}


/* Quotes make a text: "16" is no integer and "true" no bool. */
static bool
needs_plain(config_type_t type)
{
    return type == CONFIG_INTEGER || type == CONFIG_DURATION
           || type == CONFIG_SIZE || type == CONFIG_BOOL;
}


static hie_rc_t
read_scalar(reader_t *r, const config_key_t *key, yaml_node_t *node,
            void *base)
{
    hie_str_t  text;

    if (node->type != YAML_SCALAR_NODE) {
        return fail_value(r, key, node, node_kind(node));
    }
    if (strcmp((const char *) node->tag, YAML_STR_TAG) != 0) {
        return fail_value(r, key, node, "a value with a tag");
    }

    text.ptr = (const char *) node->data.scalar.value;
    text.len = node->data.scalar.length;
    if (is_null(node, text)) {
        return fail_value(r, key, node, "nothing");
    }
    if (needs_plain(key->type)
        && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
    {
        return fail_value(r, key, node, node_kind(node));
    }

    switch (hie_config_set(key, text, r->dir, base, r->pool)) {

    case CONFIG_GOOD:
        return HIE_OK;

    case CONFIG_OUT_OF_RANGE:
        return fail_value(r, key, node, "a value out of this range");

    case CONFIG_UNREADABLE:
        return fail_at(r, node->start_mark.line, "%s must name a file that "
                       "can be read: %s", key->name, strerror(errno));

    default:
        return fail_value(r, key, node, "another value");
    }
}


/* A list of texts, or of mappings: every item by `item`, side by side. */
static hie_rc_t
read_list(reader_t *r, const config_key_t *key, yaml_node_t *node,
          void *base)
{
    bool           maps = key->type == CONFIG_SECTIONS;
    size_t         size = maps ? key->size : sizeof(const char *);
    config_key_t   item = { .name = key->name,
                            .type = key->type == CONFIG_ORIGINS
                                    ? CONFIG_ANY_ORIGIN : CONFIG_TEXT };
    yaml_node_t   *child;
    hie_rc_t       rc;
    char          *array;
    int            i, n;

    if (node->type != YAML_SEQUENCE_NODE) {
        return fail_value(r, key, node, node_kind(node));
    }

    n = (int) (node->data.sequence.items.top
               - node->data.sequence.items.start);
    array = apr_pcalloc(r->pool, size * (size_t) (n + 1));

    for (i = 0; i < n; i++) {
        child = yaml_document_get_node(r->doc,
                                       node->data.sequence.items.start[i]);
        if (!maps) {
            rc = read_scalar(r, &item, child, array + size * (size_t) i);
        } else if (child->type != YAML_MAPPING_NODE) {
            rc = fail_value(r, key, child, node_kind(child));
        } else {
            rc = read_map(r, key->keys, child, array + size * (size_t) i);
        }
        if (rc != HIE_OK) {
            return rc;
        }
    }

    *(void **) ((char *) base + key->offset) = array;
    *(int *) ((char *) base + key->count) = n;

    return HIE_OK;
}


static hie_rc_t
read_value(reader_t *r, const config_key_t *key, yaml_node_t *node,
           void *base)
{
    switch (key->type) {

    case CONFIG_SECTION:
        if (node->type != YAML_MAPPING_NODE) {
            return fail_value(r, key, node, node_kind(node));
        }
        return read_map(r, key->keys, node, base);

    case CONFIG_SECTIONS:
    case CONFIG_TEXTS:
    case CONFIG_ORIGINS:
        return read_list(r, key, node, base);

    default:
        return read_scalar(r, key, node, base);
    }
}


static hie_str_t
key_text(reader_t *r, const yaml_node_pair_t *pair)
{
    yaml_node_t  *node = yaml_document_get_node(r->doc, pair->key);

    if (node->type != YAML_SCALAR_NODE) {
        return HIE_STR_NONE;
    }
    return (hie_str_t) { (const char *) node->data.scalar.value,
                         node->data.scalar.length };
}


/* The value of a key; NULL where the mapping does not have it. */
static yaml_node_t *
find_value(reader_t *r, yaml_node_t *map, const char *name)
{
    yaml_node_pair_t  *pair;

    if (map == NULL || map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++)
    {
        if (hie_str_eqz(key_text(r, pair), name)) {
            return yaml_document_get_node(r->doc, pair->value);
        }
    }
    return NULL;
}


/* What stands where a key belongs may be a value that lost its own: it is
 * not repeated, the keys that there are help as well. */
static hie_rc_t
fail_unknown(reader_t *r, const config_key_t *keys, size_t line)
{
    char    list[240];
    size_t  len = 0;

    for (; keys->name != NULL && len < sizeof(list); keys++) {
        len += (size_t) snprintf(list + len, sizeof(list) - len, "%s%s",
                                 len > 0 ? ", " : "", keys->name);
    }
    return fail_at(r, line, "unknown key; expected one of: %s", list);
}


/* Every key of the mapping is known, and there once. */
static hie_rc_t
check_keys(reader_t *r, const config_key_t *keys, yaml_node_t *map)
{
    yaml_node_pair_t    *pair, *other;
    const config_key_t  *key;
    hie_str_t            name;
    size_t               line;

    for (pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++)
    {
        name = key_text(r, pair);
        line = yaml_document_get_node(r->doc, pair->key)->start_mark.line;

        for (key = keys; key->name != NULL; key++) {
            if (hie_str_eqz(name, key->name)) {
                break;
            }
        }
        if (key->name == NULL) {
            return fail_unknown(r, keys, line);
        }

        for (other = map->data.mapping.pairs.start; other < pair; other++) {
            if (hie_str_eq(name, key_text(r, other))) {
                return fail_at(r, line, "the key %s stands here for the "
                               "second time; expected at most once",
                               key->name);
            }
        }
    }
    return HIE_OK;
}


/* `map` NULL: the mapping is not there, its defaults are. */
static hie_rc_t
read_map(reader_t *r, const config_key_t *keys, yaml_node_t *map,
         void *base)
{
    const config_key_t  *key;
    yaml_node_t         *node;
    hie_rc_t             rc = HIE_OK;

    if (map != NULL) {
        rc = check_keys(r, keys, map);
    }

    for (key = keys; rc == HIE_OK && key->name != NULL; key++) {
        node = find_value(r, map, key->name);
        if (node != NULL) {
            rc = read_value(r, key, node, base);

        } else if (key->required && map != NULL) {
            rc = fail_at(r, map->start_mark.line, "expected the key %s, "
                         "which is required here", key->name);

        } else if (key->type == CONFIG_SECTION) {
            rc = read_map(r, key->keys, NULL, base);

        } else if (key->value != NULL
                   && hie_config_set(key, hie_str(key->value), r->dir, base,
                                     r->pool) != CONFIG_GOOD)
        {
            rc = fail_at(r, 0, "the default of %s is unusable", key->name);
        }
    }
    return rc;
}


/* An issuer has one key: of a second one nobody would notice that it is not
 * used, or that it is the one that may administer. */
static hie_rc_t
check_issuers(reader_t *r, yaml_node_t *root, const hie_config_t *c)
{
    yaml_node_t  *list, *item;
    int           i, k;

    for (i = 1; i < c->access.n_issuers; i++) {
        for (k = 0; k < i; k++) {
            if (strcmp(c->access.issuers[i].issuer,
                       c->access.issuers[k].issuer) == 0)
            {
                list = find_value(r, find_value(r, root, "access"),
                                  "issuers");
                item = yaml_document_get_node(r->doc,
                           list->data.sequence.items.start[i]);
                return fail_at(r, item->start_mark.line, "expected every "
                               "issuer once; found one for the second "
                               "time");
            }
        }
    }
    return HIE_OK;
}


/* What takes two keys to judge. */
static hie_rc_t
check_whole(reader_t *r, yaml_node_t *root, const hie_config_t *c)
{
    yaml_node_t  *map, *node;

    map = find_value(r, find_value(r, root, "fhir"), "search");
    node = find_value(r, map, "budget");
    if (node != NULL && c->fhir.search.budget >= c->fhir.timeout) {
        return fail_at(r, node->start_mark.line, "budget must be less than "
                       "the timeout of fhir; found %d and %d",
                       c->fhir.search.budget, c->fhir.timeout);
    }

    if (c->fhir.default_count > c->fhir.max_count) {
        /* The defaults agree, so that one of them is in the file. */
        map = find_value(r, root, "fhir");
        node = find_value(r, map, "default_count");
        if (node == NULL) {
            node = find_value(r, map, "max_count");
        }
        return fail_at(r, node->start_mark.line, "default_count must not "
                       "be greater than max_count; found %d and %d",
                       c->fhir.default_count, c->fhir.max_count);
    }
    return check_issuers(r, root, c);
}


static hie_rc_t
read_document(reader_t *r, hie_config_t *c)
{
    yaml_node_t  *root = yaml_document_get_root_node(r->doc);
    hie_rc_t      rc;

    if (root == NULL) {
        return fail_at(r, 0, "expected the key node and others; found an "
                       "empty file");
    }

    rc = read_value(r, &file_key, root, c);
    if (rc == HIE_OK) {
        rc = check_whole(r, root, c);
    }
    if (rc == HIE_OK && c->fhir.public_url != NULL) {
        c->fhir.base_url = apr_pstrcat(r->pool, c->fhir.public_url,
                                       c->fhir.base_path[1] != '\0'
                                       ? c->fhir.base_path : "", NULL);
    }
    return rc;
}


/* libyaml's problems are constant sentences; nothing of the file is in
 * them. */
static hie_rc_t
fail_yaml(reader_t *r, const yaml_parser_t *parser)
{
    size_t  line = parser->problem_mark.line;

    if (parser->error == YAML_READER_ERROR) {
        line = parser->mark.line;
    }
    return fail_at(r, line, "expected YAML: %s", parser->problem != NULL
                   ? parser->problem : "out of memory");
}


static hie_rc_t
read_end(reader_t *r, yaml_parser_t *parser)
{
    yaml_document_t  more;
    yaml_node_t     *root;
    size_t           line = 0;

    if (!yaml_parser_load(parser, &more)) {
        return fail_yaml(r, parser);
    }
    root = yaml_document_get_root_node(&more);
    if (root != NULL) {
        line = root->start_mark.line;
    }
    yaml_document_delete(&more);

    return root == NULL ? HIE_OK
           : fail_at(r, line, "expected one YAML document; found another");
}


hie_rc_t
hie_config_parse(hie_str_t bytes, const char *path, apr_pool_t *pool,
                 hie_config_t **out, hie_error_t *err)
{
    hie_config_t     *c = apr_pcalloc(pool, sizeof(*c));
    yaml_parser_t     parser;
    yaml_document_t   doc;
    reader_t          r = { pool, &doc, path, NULL, err };
    hie_rc_t          rc;

    c->path = apr_pstrdup(pool, path);
    r.dir = apr_pstrndup(pool, path, (apr_size_t) (strrchr(path, '/') - path));
    if (r.dir[0] == '\0') {
        r.dir = "/";
    }

    if (!yaml_parser_initialize(&parser)) {
        return fail_at(&r, 0, "out of memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *) bytes.ptr,
                                 bytes.len);

    if (yaml_parser_load(&parser, &doc)) {
        rc = read_document(&r, c);
        if (rc == HIE_OK) {
            rc = read_end(&r, &parser);
        }
        yaml_document_delete(&doc);
    } else {
        rc = fail_yaml(&r, &parser);
    }
    yaml_parser_delete(&parser);

    if (rc == HIE_OK) {
        *out = c;
    }
    return rc;
}


static apr_status_t
read_file(const char *path, apr_pool_t *pool, hie_str_t *out)
{
    apr_file_t    *file;
    apr_status_t   rv;
    apr_size_t     len;
    char          *ptr = apr_palloc(pool, FILE_MAX + 1);

    rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                       pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    rv = apr_file_read_full(file, ptr, FILE_MAX + 1, &len);
    apr_file_close(file);
    if (rv == APR_SUCCESS) {
        return APR_FROM_OS_ERROR(EFBIG);
    }
    if (rv != APR_EOF) {
        return rv;
    }

    *out = (hie_str_t) { ptr, len };
    return APR_SUCCESS;
}


hie_rc_t
hie_config_load(const char *path, apr_pool_t *pool, hie_config_t **out,
                hie_error_t *err)
{
    apr_pool_t    *scratch;
    apr_status_t   rv;
    hie_str_t      bytes;
    hie_rc_t       rc;
    char          *full, why[120];

    rv = apr_filepath_merge(&full, NULL, path, 0, pool);
    if (rv != APR_SUCCESS) {
        return hie_fail(err, HIE_INVALID, path, "expected the path of a "
                        "configuration file");
    }

    scratch = hie_pool_create(pool, "config");
    rv = read_file(full, scratch, &bytes);
    if (rv == APR_SUCCESS) {
        rc = hie_config_parse(bytes, full, pool, out, err);
    } else {
        apr_strerror(rv, why, sizeof(why));
        rc = hie_fail(err, HIE_INVALID, full, "expected a configuration "
                      "file of at most 1m that can be read: %s", why);
    }
    apr_pool_destroy(scratch);

    return rc;
}
