/*
 * Writing: the one engine for all that changes resources. A list of writes is
 * done in one transaction of the store, all or nothing; a single POST is a
 * list of one, a transaction Bundle is a list, and so is an HL7 message.
 *
 * What is guaranteed when lists meet:
 *
 * - Writers of one resource come one after the other; none is lost, and the
 *   versions of a resource are a line.
 * - Of lists with conditions (If-None-Exist, Type?query) none overlooks what
 *   one that ended before it has written. So there is one resource for a
 *   condition however many ask for it at a time, also when they ask in
 *   different words: see condition.c. What is written without a condition at
 *   the same time is as if it came after.
 * - A conditional reference is resolved to what was there when it was looked
 *   for.
 * - A list that lost against another is done again, a few times and with a
 *   growing pause; after that it is HIE_CONFLICT (409).
 */

#ifndef HIE_EXCHANGE_WRITE_H
#define HIE_EXCHANGE_WRITE_H

#include "exchange/private.h"

typedef enum {
    HIE_WRITE_CREATE = 1, HIE_WRITE_UPDATE, HIE_WRITE_PATCH, HIE_WRITE_DELETE
} hie_write_kind_t;

/* Makes the new bytes of a resource of the present ones. Pure. */
typedef hie_rc_t
hie_write_edit_fn(void *baton, const hie_doc_t *now, apr_pool_t *pool,
                  hie_str_t *bytes, hie_error_t *err);

typedef struct {
    hie_write_kind_t    kind;
    const char         *where;       /* "Bundle.entry[3]", or "" */
    hie_str_t           type;
    hie_str_t           id;          /* empty: is made, or is found by: */
    hie_str_t           condition;   /* a query; ptr NULL: none */
    hie_str_t           if_match;    /* entity tags; ptr NULL: none */
    bool                if_none;     /* If-None-Match: * */
    bool                want_body;   /* of what is there already, too */
    hie_str_t           full_url;    /* or empty */
    const hie_doc_t    *doc;         /* CREATE and UPDATE: the resource */
    const hie_content_t  *content;   /* of a Binary whose data is not in it,
                                        or NULL */
    hie_write_edit_fn  *edit;        /* PATCH */
    void               *baton;

    /* What became of it. */
    int                 status;      /* 200, 201 or 204 */
    hie_str_t           made_id;     /* empty: nothing is there */
    int64_t             version;     /* 0: nothing is there */
    apr_time_t          updated;
    hie_str_t           body;        /* of what was written, or is wanted */
    int                 n_written;   /* resources; by a deletion, several */
    int                 n_patients;  /* whose data it is, also when it */
    uint64_t           *patients;    /* failed because it is withheld */
    bool                withheld;
    const char         *warning;     /* what was let pass; or NULL */
} hie_write_t;

/* Something that belongs into the same transaction. */
typedef hie_rc_t
hie_write_hook_fn(void *baton, hie_store_tx_t *tx, hie_error_t *err);

typedef struct {
    const hie_config_t   *conf;
    hie_store_t          *store;
    hie_search_t         *search;
    const hie_visible_t  *visible;
    const hie_principal_t  *principal; /* who asks by conditions, or NULL */
    hie_str_t             base_url;
    apr_pool_t           *pool;
    bool                  keep_ids;   /* of resources to be created */
    bool                  links;      /* a Bundle: references by fullUrl and
                                         by condition are resolved */
    hie_runtime_t        *runtime;    /* whose validator, stored profiles and
                                         search parameters are used */
    bool                  unchecked;  /* resources are not validated */
    const hie_str_t      *sent;       /* what places in the outcome are of;
                                         NULL: there are none */
    hie_write_hook_fn    *before;     /* the writes; or NULL */
    hie_write_hook_fn    *after;      /* the writes, which it sees; or NULL */
    void                 *baton;
    hie_str_t            *outcome;    /* an OperationOutcome with all that is
                                         wrong with a resource, if there is
                                         more to say than `err`; or NULL */
} hie_write_rules_t;

/* The error names what the write says in `where`. HIE_CONFLICT: lost against
 * others again and again, or the id is taken. */
HIE_BLOCKING hie_rc_t
hie_write_run(hie_store_t *s, const hie_write_rules_t *rules,
              hie_write_t *writes, int n, hie_error_t *err);

/* The writes of a Bundle that has no other entries (no GET or HEAD). */
hie_rc_t
hie_write_bundle(const hie_doc_t *d, const hie_bundle_t *bundle,
                 apr_pool_t *pool, hie_write_t **writes, hie_error_t *err);
/* One entry of it. */
hie_rc_t
hie_write_entry(const hie_doc_t *d, const hie_bundle_t *bundle, int i,
                apr_pool_t *pool, hie_write_t *w, hie_error_t *err);

/*
 * One resource on its way into the store: checked, validated, stamped,
 * indexed. All that is written passes here. `now` and `version` are those to
 * come; errors are below `where` ("Bundle.entry[3]", or "").
 */
hie_rc_t
hie_write_prepare(const hie_write_rules_t *rules, const char *where,
                  const hie_doc_t *d, hie_str_t type, hie_str_t id,
                  int64_t version, apr_time_t now, hie_put_t *put,
                  hie_error_t *err);
/* What it tells of others and what it is found by, into `put`, which knows its
 * type and id. */
hie_rc_t
hie_write_index(const hie_write_rules_t *rules, const hie_doc_t *d,
                hie_put_t *put, hie_error_t *err);
/* What the resource governs, or is governed by: the rows of a Consent, the
 * security context of a Binary. */
hie_rc_t
hie_write_govern(const hie_write_rules_t *rules, const hie_doc_t *d,
                 hie_put_t *put, hie_error_t *err);

/* parameters.c: whether a SearchParameter with this id (empty: a new one) could
 * be served beside those that are, as a write of it would find. Nothing is
 * locked or changed. */
HIE_BLOCKING hie_rc_t
hie_parameter_judge(const hie_write_rules_t *rules, const hie_doc_t *d,
                    hie_str_t id, hie_error_t *err);


/* patching.c: a patch in one of its forms, by its media type. HIE_UNSUPPORTED
 * for one that is not served. `w->edit` and `w->baton` are set. */
hie_rc_t
hie_write_patch(hie_str_t media, hie_str_t patch, const hie_config_t *conf,
              apr_pool_t *pool, hie_write_t *w, hie_error_t *err);
/* Base64 (RFC 4648 section 4), white space between. False: it is none. */
bool
hie_write_base64(hie_str_t base64, apr_pool_t *pool, hie_str_t *out);
/* The media types that are served: Accept-Patch (RFC 5789 section 3.1). */
#define HIE_PATCH_TYPES  "application/json-patch+json, "                      \
                         "application/xml-patch+xml, "                        \
                         "application/fhir+json, application/fhir+xml"

/* write.c: what a requester prefers to get back (R4 section 3.1.0.1.4). */
typedef enum {
    HIE_RETURN_ANY = 1, HIE_RETURN_MINIMAL, HIE_RETURN_REPRESENTATION,
    HIE_RETURN_OUTCOME
} hie_return_t;

hie_return_t
hie_request_return(const hie_job_t *job);
/* An OperationOutcome that says what was done. */
hie_str_t
hie_write_outcome(const hie_write_t *w, apr_pool_t *pool);
hie_write_rules_t
hie_write_rules(hie_job_t *job);
/* Whether the requester may do it, conditions included. */
hie_rc_t
hie_write_permit(hie_job_t *job, const hie_write_t *w);
/* Into the record of the job; also after a failure. */
void
hie_write_audit(hie_job_t *job, const hie_write_t *w);

/* batch.c: an entry of a Bundle as a request of its own, on behalf of the
 * job. It is always answered; its error is set if it failed. `body` is sent
 * with it, as `media` (ptr NULL: FHIR JSON). */
HIE_BLOCKING hie_job_t *
hie_entry_serve(hie_job_t *job, const hie_bundle_entry_t *e, hie_str_t media,
                hie_str_t body);
/* Bundle.entry of the response, of such a request and of a write. */
void
hie_entry_add(hie_buf_t *b, hie_job_t *job, const hie_job_t *entry,
              const char *method);
/* A batch (R4 section 3.1.0.11.1): every entry for itself. */
HIE_BLOCKING hie_rc_t
hie_do_batch(hie_job_t *job, const hie_doc_t *d, const hie_bundle_t *bundle);
/* The order in which entries are done: R4 section 3.1.0.11.2. */
#define HIE_ENTRY_RANKS  4
int
hie_entry_rank(const hie_bundle_entry_t *e);

#endif
