/*
 * How the keys of hie.yaml are described.
 */

#ifndef HIE_BASE_CONFIG_PRIVATE_H
#define HIE_BASE_CONFIG_PRIVATE_H

#include "base/config.h"

typedef enum {
    /* one value */
    CONFIG_INTEGER,         /* int */
    CONFIG_DURATION,        /* int, milliseconds */
    CONFIG_SIZE,            /* apr_size_t, bytes */
    CONFIG_BOOL,            /* bool */
    CONFIG_DECISION,        /* bool: permit or deny */
    CONFIG_MATCHES,         /* bool: multiple or single */
    CONFIG_REFERENCES,      /* int: hie_references_t */
    CONFIG_VALIDATION,      /* int: hie_validation_t */
    CONFIG_TEXT,            /* const char *, as are all that follow */
    CONFIG_NODE,
    CONFIG_ALGORITHM,
    CONFIG_REDIS,
    CONFIG_ORIGIN,
    CONFIG_ANY_ORIGIN,      /* or "*" */
    CONFIG_BASE,            /* path of a URL */
    CONFIG_ZONE,
    CONFIG_PATH,            /* made absolute */
    CONFIG_FILE,            /* a path that must be readable now */
    /* several values */
    CONFIG_TEXTS,           /* list of texts: const char ** */
    CONFIG_ORIGINS,         /* the same of CONFIG_ANY_ORIGIN */
    CONFIG_SECTION,         /* mapping of further keys, in the same struct */
    CONFIG_SECTIONS         /* list of mappings: an array of structs */
} config_type_t;

typedef struct config_key_t config_key_t;

struct config_key_t {
    const char          *name;
    config_type_t        type;
    bool                 required;  /* wherever its mapping is present */
    size_t               offset;
    int64_t              min;
    int64_t              max;
    const char          *value;     /* the default, as one would write it */
    const config_key_t  *keys;      /* of a section; ended by a NULL name */
    size_t               count;     /* of a list: offset of its length, int */
    size_t               size;      /* of a list of mappings: of the struct */
};

typedef enum {
    CONFIG_GOOD = 1,
    CONFIG_MALFORMED,
    CONFIG_OUT_OF_RANGE,
    CONFIG_UNREADABLE               /* errno says why */
} config_verdict_t;

/* Sets the member that `key` describes in the struct at `base`. Relative
 * paths are taken from `dir`. For types of one value only. */
config_verdict_t
hie_config_set(const config_key_t *key, hie_str_t text, const char *dir,
               void *base, apr_pool_t *pool);

/* What is expected of the value: the object of a sentence. */
void
hie_config_expected(const config_key_t *key, char *buf, size_t size);

/* hie_config_load without the file system, but for the key files: `path` is
 * the absolute name that the bytes go by. */
hie_rc_t
hie_config_parse(hie_str_t bytes, const char *path, apr_pool_t *pool,
                 hie_config_t **out, hie_error_t *err);

#endif
