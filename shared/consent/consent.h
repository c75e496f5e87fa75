/*
 * consent: what a patient's Consent (FHIR R4) means, the decision for a
 * requester, and its application to a response of a protected server.
 * Whatever cannot be understood denies.
 *
 * Enforced now: Consents that are active, of scope patient-privacy (or none
 * said), within provision.period; the root's type (or policyRule OPTIN /
 * OPTOUT where R4 forbids the root type), and nested provisions that name
 * actors only. A nested provision with any other constraint is unresolved: as
 * a deny it holds for everybody, as a permit for nobody. A root that permits
 * to actors permits to them only; a root with any other constraint permits to
 * nobody. An actor is an organisation in the role of a recipient (role absent,
 * IRCP or PRCP); others are unresolved. Dates without a zone are in UTC.
 */

#ifndef HIE_CONSENT_H
#define HIE_CONSENT_H

#include "base/base.h"
#include "base/config.h"
#include "fhir/fhir.h"
#include "store/store.h"

/* The rows by which the database enforces a Consent resource; none when it is
 * not in force. Pure. An actor is keyed by its reference "Organization/x" and
 * by its identifier, as "system|value" and as "value". HIE_UNPROCESSABLE for
 * one that would be in force but names its patient by anything but a literal
 * reference to a Patient of this server: it could not be enforced. */
hie_rc_t
hie_consent_rows(const hie_doc_t *d, hie_str_t base, apr_pool_t *pool,
                 hie_consent_row_t **rows, int *n, hie_error_t *err);

/* The decision for one requester. `visible` is what the store applies. */
typedef struct {
    bool            custodian;     /* an administrator: nothing is withheld */
    hie_visible_t   visible;
    bool            loaded;        /* the following is known */
    int             n_withheld;
    uint64_t       *withheld;      /* keys of patients, ascending */
} hie_decision_t;

hie_decision_t *
hie_consent_decide(const hie_config_t *conf, bool custodian,
                   const hie_str_t *organizations, int n, apr_pool_t *pool);

/* Loads the patients that are withheld, for judging a response outside the
 * database. Without consent.default permit nobody can be judged that way by a
 * list of denials: the list is then of the permitted ones (`visible` says). */
HIE_BLOCKING hie_rc_t
hie_consent_load(hie_store_t *s, hie_decision_t *decision, apr_pool_t *pool,
                 hie_error_t *err);


/*
 * Gateway: a foreign FHIR server behind the web server's own proxy.
 */
typedef enum {
    HIE_GATE_READ = 1,      /* one resource: [type]/[id], vread */
    HIE_GATE_SEARCH,        /* a searchset */
    HIE_GATE_METADATA
} hie_gate_t;

/* Judges a request before it is sent on. Only what can be judged completely
 * in the response passes: read, vread, search by parameters that select on
 * the resource itself. HIE_FORBIDDEN, HIE_METHOD or HIE_INVALID otherwise,
 * the same whatever is withheld. `path` is below the base, `query` without
 * '?'. Pure. */
hie_rc_t
hie_consent_gate(hie_str_t method, hie_str_t path, hie_str_t query,
                 apr_pool_t *pool, hie_gate_t *gate, hie_str_t *type,
                 hie_error_t *err);

/* What became of a response. All but `body` is for the audit record only. */
typedef struct {
    hie_str_t   body;            /* what may leave */
    int         n_resources;     /* in it */
    int         n_withheld;      /* resources that are not */
    int         n_patients;
    uint64_t   *patients;        /* in it, ascending */
} hie_redaction_t;

/*
 * Judges a whole response of status 200. Pure. What may leave is for a read
 * the bytes unchanged; for a search a new searchset with the entries that may
 * be seen, byte for byte, with no total, and without links to pages of the
 * protected server. Every patient that a resource mentions counts, under
 * whatever base, and one whose subject is not named by a literal reference is
 * withheld. HIE_NOT_FOUND: the resource is withheld (as if it were not there);
 * of `out` only n_withheld is set. HIE_BAD_GATEWAY: not a FHIR JSON document
 * that can be judged; nothing is set. `self` is the search's own URL.
 */
hie_rc_t
hie_consent_redact(const hie_decision_t *decision, hie_gate_t gate,
                   hie_str_t type, hie_str_t body, hie_str_t self,
                   int max_depth, apr_pool_t *pool, hie_redaction_t *out,
                   hie_error_t *err);

#endif
