/*
 * What a Consent means, as the rows by which the database enforces it.
 *
 * R4 and IHE PCF differ: R4 forbids a type in the root provision and takes
 * the base from policyRule, PCF requires the type. Both are read:
 *
 *   root type     root constraints    base     permitted
 *   permit        none                permit
 *   permit        actors only         deny     those actors
 *   permit        others              deny     nobody
 *   deny          any                 deny     by nested rules, if none here
 *   absent        none                policyRule: OPTIN permits, OPTOUT or
 *                                     anything else denies
 *   absent        any                 deny     nobody (R4's own examples mean
 *                                     an exception by it, PCF a restriction)
 *
 * A nested provision counts if it has a type and actors, and nothing else
 * that constrains it. One that cannot be resolved denies to everybody or
 * permits to nobody; a permit that is dropped takes what is nested in it
 * along only if there is no deny in there.
 */

#include "consent/private.h"

#include <apr_tables.h>


#define SYSTEM  "http://terminology.hl7.org/CodeSystem/"

typedef struct {
    const hie_doc_t     *d;
    hie_str_t            base;      /* of our own URLs */
    apr_pool_t          *pool;
    apr_array_header_t  *permit;    /* uint64_t, keys of actors */
    apr_array_header_t  *deny;
    bool                 base_permit;
    bool                 sealed;    /* denied to everybody, permits or not */
    apr_time_t           from;
    apr_time_t           until;
} reader_t;


static bool
has(const reader_t *r, hie_node_t object, const char *name)
{
    return hie_doc_member(r->d, object, name) != HIE_NODE_NONE;
}


static hie_str_t
get(const reader_t *r, hie_node_t object, const char *name)
{
    return hie_doc_get(r->d, object, name, r->pool);
}


/* Every code of a CodeableConcept in the order of the document: true to go
 * on. */
typedef bool coding_fn(void *baton, hie_str_t system, hie_str_t code);

static void
each_coding(const reader_t *r, hie_node_t concept, coding_fn *fn,
            void *baton)
{
    hie_node_t  list = hie_doc_member(r->d, concept, "coding"), c;

    if (hie_doc_kind(r->d, list) != HIE_NODE_ARRAY) {
        return;
    }
    for (c = hie_doc_first(r->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c))
    {
        if (!fn(baton, get(r, c, "system"), get(r, c, "code"))) {
            return;
        }
    }
}


/*
 * Scope.
 */
typedef struct {
    bool  privacy;      /* patient-privacy is among the codes */
    bool  other;        /* one of the other codes of R4 is */
    bool  unknown;      /* one is that is neither */
} scope_t;

static bool
scope_coding(void *baton, hie_str_t system, hie_str_t code)
{
    scope_t  *s = baton;

    if (system.len > 0 && !hie_str_eqz(system, SYSTEM "consentscope")) {
        s->unknown = true;
    } else if (hie_str_eqz(code, "patient-privacy")) {
        s->privacy = true;
    } else if (hie_str_eqz(code, "research") || hie_str_eqz(code, "treatment")
               || hie_str_eqz(code, "adr"))
    {
        s->other = true;
    } else {
        s->unknown = true;
    }
    return true;
}


/* Whether the Consent is about privacy at all. One whose scope is not
 * understood may be, and is then enforced as denying. */
static bool
in_scope(reader_t *r)
{
    hie_node_t  scope = hie_doc_member(r->d, 0, "scope");
    scope_t     s = { false, false, false };

    if (scope == HIE_NODE_NONE) {
        return true;
    }
    each_coding(r, scope, scope_coding, &s);
    if (s.privacy) {
        return true;
    }
    if (s.other && !s.unknown) {
        return false;
    }
    r->sealed = true;
    return true;
}


/*
 * Actors.
 */
static bool
role_coding(void *baton, hie_str_t system, hie_str_t code)
{
    bool  *recipient = baton;

    if (hie_str_eqz(system, SYSTEM "v3-ParticipationType")
        && (hie_str_eqz(code, "IRCP") || hie_str_eqz(code, "PRCP")))
    {
        *recipient = true;
    }
    return !*recipient;
}


/* Who asks is a recipient of information. Any other role (author, custodian,
 * delegate) is a condition that a token does not answer. */
static bool
role_ok(const reader_t *r, hie_node_t actor)
{
    hie_node_t  role = hie_doc_member(r->d, actor, "role");
    bool        recipient = false;

    if (role == HIE_NODE_NONE) {
        return true;
    }
    each_coding(r, role, role_coding, &recipient);
    return recipient;
}


static void
add_key(apr_array_header_t *keys, hie_str_t actor)
{
    APR_ARRAY_PUSH(keys, uint64_t) = hie_store_actor_key(actor);
}


/* "Organization/x" of this exchange, in whatever way it is written. */
static bool
add_reference(const reader_t *r, const hie_reference_t *ref,
              apr_array_header_t *keys)
{
    hie_buf_t  b;

    if (!ref->local || !hie_str_eqz(ref->type, "Organization")) {
        return false;
    }
    hie_buf_init(&b, r->pool, 96);
    hie_buf_addz(&b, "Organization/");
    hie_buf_adds(&b, ref->id);
    add_key(keys, hie_buf_str(&b));
    return true;
}


static bool
add_identifier(const reader_t *r, hie_node_t identifier,
               apr_array_header_t *keys)
{
    hie_str_t  system = get(r, identifier, "system");
    hie_str_t  value = get(r, identifier, "value");
    hie_buf_t  b;

    if (value.len == 0) {
        return false;
    }
    if (system.len > 0) {
        hie_buf_init(&b, r->pool, system.len + value.len + 1);
        hie_buf_adds(&b, system);
        hie_buf_addc(&b, '|');
        hie_buf_adds(&b, value);
        add_key(keys, hie_buf_str(&b));
    }
    add_key(keys, value);
    return true;
}


/* One actor: an organisation by reference or identifier. Practitioners,
 * groups and others are not what tokens name: unresolved. */
static bool
read_actor(const reader_t *r, hie_node_t actor, apr_array_header_t *keys)
{
    hie_node_t       n = hie_doc_member(r->d, actor, "reference");
    hie_str_t        text = get(r, n, "reference"), type;
    hie_reference_t  ref;
    bool             known, found = false;

    if (!role_ok(r, actor) || has(r, actor, "modifierExtension")) {
        return false;
    }

    known = text.ptr != NULL && hie_fhir_reference(text, r->base, &ref);
    type = known && ref.type.len > 0 ? ref.type : get(r, n, "type");
    if (type.len > 0 && !hie_str_eqz(type, "Organization")) {
        return false;
    }

    if (known) {
        found = add_reference(r, &ref, keys);
    }
    if (add_identifier(r, hie_doc_member(r->d, n, "identifier"), keys)) {
        found = true;
    }
    return found;
}


/* The actors of a provision; false if there are none or one is unresolved.
 * The keys of the others are added nevertheless: repetitions are OR. */
static bool
read_actors(const reader_t *r, hie_node_t provision,
            apr_array_header_t *keys)
{
    hie_node_t  list = hie_doc_member(r->d, provision, "actor"), c;
    bool        all = hie_doc_count(r->d, list) > 0;

    if (hie_doc_kind(r->d, list) != HIE_NODE_ARRAY) {
        return false;
    }
    for (c = hie_doc_first(r->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c))
    {
        if (!read_actor(r, c, keys)) {
            all = false;
        }
    }
    return all;
}


/*
 * Provisions.
 */

/* Whether a provision has a member besides those named (and besides what
 * never constrains: id, extensions, and extensions of primitives). */
static bool
has_others(const reader_t *r, hie_node_t provision,
           const char *const *names)
{
    const char *const  *p;
    hie_node_t          c;
    hie_str_t           name;

    for (c = hie_doc_first(r->d, provision);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c))
    {
        name = hie_doc_name(r->d, c, r->pool);
        if (hie_str_starts(name, "_") || hie_str_eqz(name, "id")
            || hie_str_eqz(name, "extension"))
        {
            continue;
        }
        for (p = names; *p != NULL && !hie_str_eqz(name, *p); p++) {
            /* nothing */
        }
        if (*p == NULL) {
            return true;
        }
    }
    return false;
}


/* Whether there is anything in a provision that is no plain permit. */
static bool
may_deny(const reader_t *r, hie_node_t provision)
{
    hie_node_t  list, c;

    if (!hie_str_eqz(get(r, provision, "type"), "permit")) {
        return true;
    }
    list = hie_doc_member(r->d, provision, "provision");
    if (list != HIE_NODE_NONE
        && hie_doc_kind(r->d, list) != HIE_NODE_ARRAY)
    {
        return true;
    }
    for (c = hie_doc_first(r->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c))
    {
        if (may_deny(r, c)) {
            return true;
        }
    }
    return false;
}


static void
read_permit(reader_t *r, hie_node_t provision, bool simple)
{
    /* Dropped as a whole if it is conditional; what it excludes again is
     * then excluded from everybody. */
    if (simple) {
        read_actors(r, provision, r->permit);
    } else if (may_deny(r, provision)) {
        r->sealed = true;
    }
}


static void
read_nested(reader_t *r, hie_node_t provision)
{
    static const char *const  plain[] = { "type", "actor", NULL };
    hie_str_t                 type = get(r, provision, "type");
    bool                      simple = !has_others(r, provision, plain);

    if (hie_str_eqz(type, "permit")) {
        read_permit(r, provision, simple);

    } else if (!hie_str_eqz(type, "deny") || !simple
               || !read_actors(r, provision, r->deny))
    {
        r->sealed = true;
    }
}


static bool
policy_coding(void *baton, hie_str_t system, hie_str_t code)
{
    int  *rule = baton;

    if (hie_str_eqz(system, SYSTEM "v3-ActCode")) {
        if (hie_str_eqz(code, "OPTIN") && *rule == 0) {
            *rule = 1;
        } else if (hie_str_eqz(code, "OPTOUT")) {
            *rule = -1;
        }
    }
    return true;
}


/* The root provision: base and actors, by the table above. False when what
 * is nested in it can permit nothing. */
static bool
read_root(reader_t *r, hie_node_t root)
{
    static const char *const  free[] = { "type", "period", "provision",
                                         NULL };
    static const char *const  actors[] = { "type", "period", "provision",
                                           "actor", NULL };
    hie_node_t                type = hie_doc_member(r->d, root, "type");
    bool                      bound = has_others(r, root, free);
    int                       rule = 0;

    each_coding(r, hie_doc_member(r->d, 0, "policyRule"), policy_coding,
                &rule);

    if (type == HIE_NODE_NONE) {
        r->base_permit = rule == 1 && !bound;

    } else if (hie_str_eqz(get(r, root, "type"), "permit")) {
        /* A policyRule that says the opposite is not overruled. */
        r->base_permit = !bound && rule != -1;
        if (bound && !has_others(r, root, actors)) {
            read_actors(r, root, r->permit);
        }

    } else if (!hie_str_eqz(get(r, root, "type"), "deny")) {
        r->sealed = true;
    }
    return !bound;
}


static void
read_provisions(reader_t *r)
{
    hie_node_t           root = hie_doc_member(r->d, 0, "provision");
    hie_node_t           list, period, c;
    apr_array_header_t  *permit;
    bool                 open;

    if (root != HIE_NODE_NONE
        && hie_doc_kind(r->d, root) != HIE_NODE_OBJECT)
    {
        r->sealed = true;
        return;
    }
    open = read_root(r, root);

    period = hie_doc_member(r->d, root, "period");
    if (period != HIE_NODE_NONE
        && !hie_consent_period(r->d, period, r->pool, &r->from, &r->until))
    {
        r->from = r->until = 0;
        r->sealed = true;
    }

    list = hie_doc_member(r->d, root, "provision");
    if (list != HIE_NODE_NONE && hie_doc_kind(r->d, list) != HIE_NODE_ARRAY)
    {
        r->sealed = true;
        return;
    }

    /* Under a root with conditions a nested permit is conditional too. */
    permit = r->permit;
    if (!open) {
        r->permit = apr_array_make(r->pool, 4, sizeof(uint64_t));
    }
    for (c = hie_doc_first(r->d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(r->d, c))
    {
        read_nested(r, c);
    }
    r->permit = permit;
}


static hie_consent_row_t *
make_row(const reader_t *r, hie_str_t patient)
{
    hie_consent_row_t  *row = apr_pcalloc(r->pool, sizeof(*row));

    row->patient = hie_fhir_patient_key(patient);
    row->from = r->from;
    row->until = r->until;
    row->n_deny = r->deny->nelts;
    row->deny = (const uint64_t *) r->deny->elts;
    if (!r->sealed) {
        row->base_permit = r->base_permit;
        row->n_permit = r->permit->nelts;
        row->permit = (const uint64_t *) r->permit->elts;
    }
    return row;
}


/* Consent.status (R4 section 6.2.2, consent-state-codes). */
static hie_rc_t
read_status(const reader_t *r, bool *active, hie_error_t *err)
{
    static const char *const  others[] = {
        "draft", "proposed", "rejected", "inactive", "entered-in-error"
    };
    hie_str_t                 status = get(r, 0, "status");
    size_t                    i;

    *active = hie_str_eqz(status, "active");
    if (*active) {
        return HIE_OK;
    }
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (hie_str_eqz(status, others[i])) {
            return HIE_OK;
        }
    }
    return hie_fail(err, HIE_UNPROCESSABLE, "Consent.status",
                    "expected draft, proposed, active, rejected, inactive or "
                    "entered-in-error");
}


hie_rc_t
hie_consent_rows(const hie_doc_t *d, hie_str_t base, apr_pool_t *pool,
                 hie_consent_row_t **rows, int *n, hie_error_t *err)
{
    reader_t         r = { .d = d, .base = base, .pool = pool };
    hie_node_t       patient = hie_doc_member(d, 0, "patient");
    hie_reference_t  ref;
    hie_rc_t         rc;
    bool             active;

    *rows = NULL;
    *n = 0;

    if (!hie_str_eqz(get(&r, 0, "resourceType"), "Consent")) {
        return hie_fail(err, HIE_INVALID, "resourceType",
                        "expected a Consent");
    }
    rc = read_status(&r, &active, err);
    if (rc != HIE_OK || !active || !in_scope(&r)
        || patient == HIE_NODE_NONE)
    {
        return rc;
    }

    /* A wish that could not be enforced is refused rather than kept. */
    if (!hie_fhir_reference(get(&r, patient, "reference"), base, &ref)
        || !ref.local || !hie_str_eqz(ref.type, "Patient"))
    {
        return hie_fail(err, HIE_UNPROCESSABLE, "Consent.patient",
                        "expected a reference to a Patient of this server: "
                        "another one could not be enforced");
    }

    r.permit = apr_array_make(pool, 4, sizeof(uint64_t));
    r.deny = apr_array_make(pool, 4, sizeof(uint64_t));

    /* R4 section 2.24.0.3 and 2.26.3.4: these may change any meaning. */
    if (has(&r, 0, "modifierExtension") || has(&r, 0, "implicitRules")) {
        r.sealed = true;
    }
    read_provisions(&r);

    *rows = make_row(&r, ref.id);
    *n = 1;
    return HIE_OK;
}
