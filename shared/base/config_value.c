/*
 * The values of hie.yaml: from text to member.
 */

#include "base/config_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <apr_file_info.h>


#define NODE_MAX  31


/* A number with one of the units of its type. */
static config_verdict_t
parse_number(const config_key_t *key, hie_str_t text, int64_t *out)
{
    static const struct {
        config_type_t  type;
        const char    *suffix;
        uint64_t       factor;
    } units[] = {
        { CONFIG_DURATION, "ms", 1 },
        { CONFIG_DURATION, "s", 1000 },
        { CONFIG_SIZE, "k", 1024 },
        { CONFIG_SIZE, "m", 1024 * 1024 }
    };
    uint64_t   value, factor = 1;
    hie_str_t  digits = text, unit;
    size_t     i;

    digits.len = 0;
    while (digits.len < text.len && text.ptr[digits.len] >= '0'
           && text.ptr[digits.len] <= '9')
    {
        digits.len++;
    }
    unit = (hie_str_t) { text.ptr + digits.len, text.len - digits.len };

    if (unit.len > 0) {
        factor = 0;
    }
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].type == key->type
            && hie_str_ieqz(unit, units[i].suffix))
        {
            factor = units[i].factor;
        }
    }
    if (digits.len == 0 || factor == 0) {
        return CONFIG_MALFORMED;
    }

    if (!hie_str_u64(digits, &value)
        || __builtin_mul_overflow(value, factor, &value)
        || value > (uint64_t) key->max || value < (uint64_t) key->min)
    {
        return CONFIG_OUT_OF_RANGE;
    }
    *out = (int64_t) value;
    return CONFIG_GOOD;
}


static config_verdict_t
set_number(const config_key_t *key, hie_str_t text, char *member)
{
    int64_t           value;
    config_verdict_t  verdict = parse_number(key, text, &value);

    if (verdict != CONFIG_GOOD) {
        return verdict;
    }
    if (key->type == CONFIG_SIZE) {
        *(apr_size_t *) member = (apr_size_t) value;
    } else {
        *(int *) member = (int) value;
    }
    return CONFIG_GOOD;
}


static config_verdict_t
set_bool(hie_str_t text, const char *yes, const char *no, char *member)
{
    bool  value = hie_str_eqz(text, yes);

    if (!value && !hie_str_eqz(text, no)) {
        return CONFIG_MALFORMED;
    }
    *(bool *) member = value;
    return CONFIG_GOOD;
}


/* Becomes part of a name of a PostgreSQL schema. */
static bool
is_node(hie_str_t text)
{
    size_t  i;
    char    c;

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z')
            && (i == 0 || !((c >= '0' && c <= '9') || c == '_')))
        {
            return false;
        }
    }
    return text.len <= NODE_MAX;
}


static bool
is_redis(hie_str_t text)
{
    return text.ptr[0] == '/'
           || (hie_str_starts(text, "redis://")
               && text.len > strlen("redis://"));
}


/* RFC 6454 section 6.2: scheme and host, without a path. */
static bool
is_origin(hie_str_t text)
{
    size_t  i;

    if (hie_str_starts(text, "https://")) {
        i = strlen("https://");
    } else if (hie_str_starts(text, "http://")) {
        i = strlen("http://");
    } else {
        return false;
    }
    if (i == text.len) {
        return false;
    }
    for (; i < text.len; i++) {
        if (strchr("/?#@\\\"<> ", text.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}


/* The path of a URL, without a slash at its end but for the root. */
static bool
is_base(hie_str_t text)
{
    size_t  i;

    if (text.ptr[0] != '/'
        || (text.len > 1 && text.ptr[text.len - 1] == '/'))
    {
        return false;
    }
    for (i = 0; i < text.len; i++) {
        if (strchr("?#\\\"<> ", text.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}


/* +hh:mm, at most 14 hours as in the zones of FHIR. */
static bool
is_zone(hie_str_t text)
{
    hie_str_t  hours, minutes;
    uint64_t   h, m;

    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-')
        || text.ptr[3] != ':')
    {
        return false;
    }
    hours = (hie_str_t) { text.ptr + 1, 2 };
    minutes = (hie_str_t) { text.ptr + 4, 2 };

    return hie_str_u64(hours, &h) && hie_str_u64(minutes, &m)
           && m < 60 && h * 60 + m <= 14 * 60;
}


/* Nobody looks at what is in it here; only that this can be done. */
static config_verdict_t
check_file(const char *path)
{
    struct stat  st;
    int          fd, error = 0;

    /* Not to wait for the other end of a pipe. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return CONFIG_UNREADABLE;
    }

    if (fstat(fd, &st) != 0) {
        error = errno;
    } else if (!S_ISREG(st.st_mode)) {
        error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    }
    close(fd);

    errno = error;
    return error == 0 ? CONFIG_GOOD : CONFIG_UNREADABLE;
}


static config_verdict_t
set_path(const config_key_t *key, const char *text, const char *dir,
         char *member, apr_pool_t *pool)
{
    char  *path;

    if (apr_filepath_merge(&path, dir, text, 0, pool) != APR_SUCCESS) {
        return CONFIG_MALFORMED;
    }
    *(const char **) member = path;

    return key->type == CONFIG_FILE ? check_file(path) : CONFIG_GOOD;
}


static bool
is_text(config_type_t type, hie_str_t text)
{
    size_t  i;

    if (text.len == 0 || !hie_utf8_valid(text)) {
        return false;
    }
    for (i = 0; i < text.len; i++) {
        if ((unsigned char) text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return false;
        }
    }

    switch (type) {

    case CONFIG_NODE:
        return is_node(text);

    case CONFIG_ALGORITHM:
        return hie_str_eqz(text, "RS256") || hie_str_eqz(text, "ES256");

    case CONFIG_REDIS:
        return is_redis(text);

    case CONFIG_ORIGIN:
        return is_origin(text);

    case CONFIG_ANY_ORIGIN:
        return hie_str_eqz(text, "*") || is_origin(text);

    case CONFIG_BASE:
        return is_base(text);

    case CONFIG_ZONE:
        return is_zone(text);

    default:
        return true;
    }
}


/* As hie_references_t counts them. */
static const char *const  reference_words[] = {
    "off", "warn", "enforce", NULL
};


/* As hie_validation_t counts them. */
static const char *const  validation_words[] = {
    "off", "structure", "full", NULL
};


/* The number of the word, from 1. */
static config_verdict_t
set_word(hie_str_t text, const char *const *words, char *member)
{
    int  i;

    for (i = 0; words[i] != NULL; i++) {
        if (hie_str_eqz(text, words[i])) {
            *(int *) (void *) member = i + 1;
            return CONFIG_GOOD;
        }
    }

    return CONFIG_MALFORMED;
}


config_verdict_t
hie_config_set(const config_key_t *key, hie_str_t text, const char *dir,
               void *base, apr_pool_t *pool)
{
    char        *member = (char *) base + key->offset;
    const char  *z;

    switch (key->type) {

    case CONFIG_INTEGER:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return set_number(key, text, member);

    case CONFIG_BOOL:
        return set_bool(text, "true", "false", member);

    case CONFIG_DECISION:
        return set_bool(text, "permit", "deny", member);

    case CONFIG_MATCHES:
        return set_bool(text, "multiple", "single", member);

    case CONFIG_REFERENCES:
        return set_word(text, reference_words, member);

    case CONFIG_VALIDATION:
        return set_word(text, validation_words, member);

    default:
        break;
    }

    if (!is_text(key->type, text)) {
        return CONFIG_MALFORMED;
    }
    z = hie_str_z(pool, text);
    if (key->type == CONFIG_PATH || key->type == CONFIG_FILE) {
        return set_path(key, z, dir, member, pool);
    }
    *(const char **) member = z;

    return CONFIG_GOOD;
}


static void
print_size(char *buf, size_t size, int64_t bytes)
{
    if (bytes % (1024 * 1024) == 0) {
        snprintf(buf, size, "%dm", (int) (bytes / (1024 * 1024)));
    } else {
        snprintf(buf, size, "%dk", (int) (bytes / 1024));
    }
}


void
hie_config_expected(const config_key_t *key, char *buf, size_t size)
{
    static const char *const  texts[] = {
        [CONFIG_BOOL] = "true or false",
        [CONFIG_DECISION] = "permit or deny",
        [CONFIG_MATCHES] = "single or multiple",
        [CONFIG_REFERENCES] = "off, warn or enforce",
        [CONFIG_VALIDATION] = "off, structure or full",
        [CONFIG_TEXT] = "a text that is not empty",
        [CONFIG_NODE] = "a name of at most 31 characters that begins with a "
                        "letter: lower case letters, digits and _",
        [CONFIG_ALGORITHM] = "RS256 or ES256",
        [CONFIG_REDIS] = "redis://host:port/db or the absolute path of a "
                         "socket",
        [CONFIG_ORIGIN] = "http:// or https:// with a host and perhaps a "
                          "port, and nothing behind",
        [CONFIG_ANY_ORIGIN] = "\"*\", or http:// or https:// with a host and "
                              "perhaps a port, and nothing behind",
        [CONFIG_BASE] = "the path of a URL: /, or /name without a slash at "
                        "its end",
        [CONFIG_ZONE] = "an offset from UTC such as +01:00 or -05:30",
        [CONFIG_PATH] = "a path",
        [CONFIG_FILE] = "the path of a file",
        [CONFIG_TEXTS] = "a list of texts that are not empty",
        [CONFIG_ORIGINS] = "a list of origins",
        [CONFIG_SECTION] = "a mapping with keys of its own",
        [CONFIG_SECTIONS] = "a list of mappings"
    };
    char  min[24], max[24];

    switch (key->type) {

    case CONFIG_INTEGER:
        snprintf(buf, size, "an integer from %d to %d", (int) key->min,
                 (int) key->max);
        break;

    case CONFIG_DURATION:
        snprintf(buf, size, "a duration from %d to %d ms, written like 500, "
                 "500ms or 2s", (int) key->min, (int) key->max);
        break;

    case CONFIG_SIZE:
        print_size(min, sizeof(min), key->min);
        print_size(max, sizeof(max), key->max);
        snprintf(buf, size, "a number of bytes from %s to %s, written like "
                 "65536, 64k or 16m", min, max);
        break;

    default:
        snprintf(buf, size, "%s", texts[key->type]);
        break;
    }
}
