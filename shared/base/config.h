/*
 * config: the one file, hie.yaml, read by both servers and by hiectl.
 *
 * Everything that is not about a location stands there. An unknown key, a
 * wrong type, a value out of range or a file that cannot be read is an error
 * that names file, line and what was expected.
 */

#ifndef HIE_CONFIG_H
#define HIE_CONFIG_H

#include "base/base.h"

typedef struct {
    const char  *issuer;         /* the token's iss, compared exactly */
    const char  *key_file;       /* PEM, a public key (SubjectPublicKeyInfo) */
    const char  *algorithm;      /* RS256 or ES256; no other is accepted */
    bool         administrators; /* may it issue the hie/admin scope? */
} hie_config_issuer_t;

/* What is done about a literal reference that leads nowhere. */
typedef enum {
    HIE_REFERENCES_OFF = 1, HIE_REFERENCES_WARN, HIE_REFERENCES_ENFORCE
} hie_references_t;

/* What is checked of a resource that is written. */
typedef enum {
    HIE_VALIDATION_OFF = 1, HIE_VALIDATION_STRUCTURE, HIE_VALIDATION_FULL
} hie_validation_t;

typedef struct {
    const char  *path;           /* of the file itself, absolute */

    const char  *node;           /* [a-z][a-z0-9_]{0,30}: names the schema */

    struct {
        const char  *conninfo;           /* libpq connection string */
        const char  *admin_conninfo;     /* the owner: hiectl migrate only */
        int          connections;        /* at most, per process */
        int          acquire_timeout;    /* ms to wait for a connection */
        int          statement_timeout;  /* ms */
    } database;

    struct {
        const char  *url;        /* redis://host:port/db or a path; or NULL */
        int          timeout;    /* ms */
    } redis;

    struct {
        int          threads;    /* per process, that work on jobs */
        int          queue;      /* jobs that may wait for one */
    } jobs;

    struct {
        const char  *directory;  /* absolute; shared by the node's processes */
        apr_size_t   segment;    /* bytes; a segment never grows beyond it */
        apr_size_t   buffer;     /* bytes waiting for a sync, per journal */
    } journal;

    struct {
        const char           *audience;   /* NULL: aud is not checked */
        int                   leeway;     /* seconds of clock difference */
        int                   n_issuers;
        hie_config_issuer_t  *issuers;
        /* who a request on a location without authentication is */
        const char           *local_subject;
        int                   n_local_organizations;
        const char          **local_organizations;
        /* signing key of `hiectl token`, NULL where tokens come from outside */
        const char           *sign_key_file;
        const char           *sign_issuer;
    } access;

    struct {
        bool         default_permit;  /* no Consent of the patient: permit? */
    } consent;

    struct {
        apr_size_t   max_body;        /* bytes of a request body */
        apr_size_t   max_binary;      /* and of one that is raw content */
        const char  *temp_directory;  /* of files that pass through */
        int          max_depth;       /* nesting of a JSON document */
        int          max_entries;     /* of a Bundle */
        int          default_count;   /* resources of a search page */
        int          max_count;
        int          everything_max;  /* resources of a page of $everything */
        int          timeout;         /* ms for a request */
        bool         update_create;   /* may PUT create? */
        bool         delete_many;     /* may DELETE Type?query delete more
                                         than one resource? */
        int          delete_limit;    /* and how many */
        int          references;      /* hie_references_t */
        bool         full_text;       /* is found by its words: _text,
                                         _content */
        int          validation;      /* hie_validation_t */
        const char  *definitions;     /* directory of profiles, or NULL */
        const char  *public_url;      /* scheme://host[:port], or NULL: Host */
        const char  *base_path;       /* of the repository */
        const char  *base_url;        /* both, for what comes without a
                                         request; NULL: not known */
        const char  *cache_control;   /* of what is read */
        int          n_cors_origins;  /* 0: cross-origin requests are off */
        const char **cors_origins;    /* scheme://host[:port], or "*" */
        int          cors_max_age;    /* seconds */
        struct {
            int      max_depth;       /* chains in one another */
            int      max_values;      /* alternatives of one criterion */
            int      max_includes;    /* resources beside the matches */
            int      budget;          /* ms; or timeout, if that is less */
        } search;
    } fhir;

    struct {
        apr_size_t   max_body;        /* bytes of a response to be judged */
    } gateway;

    struct {
        apr_size_t   max_message;     /* bytes of one HL7 message */
        const char  *identifier_system; /* prefix of systems made of HD.1 */
        const char  *timezone;        /* +hh:mm of times without a zone */
    } mllp;
} hie_config_t;

/*
 * Reads and checks the file, in `pool`. Blocking only in that it reads local
 * files (this one and the keys that it names): for start-up, not for requests.
 */
hie_rc_t
hie_config_load(const char *path, apr_pool_t *pool, hie_config_t **out,
                hie_error_t *err);

#endif
