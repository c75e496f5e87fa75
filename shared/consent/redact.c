/*
 * The response of a protected server, judged as a whole. It is no more to be
 * trusted than a request is.
 */

#include "consent/private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>


typedef struct {
    const hie_decision_t  *decision;
    apr_pool_t            *pool;
    apr_array_header_t    *patients;     /* uint64_t, of what may leave */
    int                    resources;    /* that may leave */
    int                    withheld;     /* that may not */
} judge_t;


static hie_rc_t
unusable(hie_error_t *err)
{
    return hie_fail(err, HIE_BAD_GATEWAY, "",
                    "the protected server's answer is no FHIR JSON that can "
                    "be judged");
}


static hie_rc_t
absent(hie_error_t *err)
{
    return hie_fail(err, HIE_NOT_FOUND, "", "there is no such resource");
}


/* HIE_OK: it may leave, and its patients are noted. HIE_NOT_FOUND: not, and
 * it is counted. */
static hie_rc_t
judge(judge_t *j, const hie_doc_t *d, hie_str_t *type)
{
    uint64_t  *patients;
    hie_rc_t   rc;
    bool       unknown;
    int        i, n;

    rc = hie_consent_patients(d, j->pool, type, &patients, &n, &unknown);
    if (rc != HIE_OK) {
        return rc;
    }
    if (unknown && !j->decision->visible.all) {
        j->withheld++;
        return HIE_NOT_FOUND;
    }
    for (i = 0; i < n; i++) {
        if (hie_consent_withheld(j->decision, patients[i])) {
            j->withheld++;
            return HIE_NOT_FOUND;
        }
    }
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(j->patients, uint64_t) = patients[i];
    }
    return HIE_OK;
}


/* R4 section 3.1.1.4.5: what is no match and no include is an outcome, which
 * may speak of anything. */
static bool
is_outcome(const judge_t *j, const hie_doc_t *d, hie_node_t entry,
           hie_str_t type)
{
    hie_node_t  search = hie_doc_member(d, entry, "search");
    hie_str_t   mode = hie_doc_get(d, search, "mode", j->pool);

    return hie_str_eqz(type, "OperationOutcome")
           || (mode.ptr != NULL && !hie_str_eqz(mode, "match")
               && !hie_str_eqz(mode, "include"));
}


static void
add_member(hie_buf_t *b, const hie_doc_t *d, hie_node_t entry,
           const char *name)
{
    hie_node_t  n = hie_doc_member(d, entry, name);

    if (n == HIE_NODE_NONE) {
        return;
    }
    hie_buf_addz(b, b->ptr[b->len - 1] == '{' ? "\"" : ",\"");
    hie_buf_addz(b, name);
    hie_buf_addz(b, "\":");
    hie_buf_adds(b, hie_doc_raw(d, n));
}


/* As it stands, unless it has more than belongs to a found resource (links,
 * extensions): then only what belongs to one. */
static void
add_entry(hie_buf_t *b, const hie_doc_t *d, hie_node_t entry)
{
    static const char *const  names[] = { "fullUrl", "resource", "search" };
    uint32_t                  known = 0;
    size_t                    i;

    for (i = 0; i < 3; i++) {
        known += hie_doc_member(d, entry, names[i]) != HIE_NODE_NONE;
    }
    if (known == hie_doc_count(d, entry)) {
        hie_buf_adds(b, hie_doc_raw(d, entry));
        return;
    }

    hie_buf_addc(b, '{');
    for (i = 0; i < 3; i++) {
        add_member(b, d, entry, names[i]);
    }
    hie_buf_addc(b, '}');
}


static hie_rc_t
judge_entry(judge_t *j, const hie_doc_t *d, hie_node_t entry, hie_buf_t *b)
{
    hie_node_t  resource = hie_doc_member(d, entry, "resource");
    int         noted = j->patients->nelts;
    hie_str_t   type;
    hie_rc_t    rc;

    if (hie_doc_kind(d, entry) != HIE_NODE_OBJECT) {
        return HIE_BAD_GATEWAY;
    }
    if (resource == HIE_NODE_NONE) {
        return HIE_OK;
    }
    rc = judge(j, hie_doc_sub(j->pool, d, resource), &type);
    if (rc == HIE_NOT_FOUND) {
        return HIE_OK;
    }
    if (rc != HIE_OK) {
        return rc;
    }
    if (is_outcome(j, d, entry, type)) {
        j->patients->nelts = noted;
        return HIE_OK;
    }

    hie_buf_addz(b, j->resources == 0 ? ",\"entry\":[" : ",");
    add_entry(b, d, entry);
    j->resources++;
    return HIE_OK;
}


static hie_rc_t
judge_search(judge_t *j, const hie_doc_t *d, hie_str_t self, hie_str_t *out)
{
    hie_node_t  list = hie_doc_member(d, 0, "entry"), c;
    hie_buf_t   b;
    hie_rc_t    rc;

    if (!hie_str_eqz(hie_doc_get(d, 0, "resourceType", j->pool), "Bundle")
        || !hie_str_eqz(hie_doc_get(d, 0, "type", j->pool), "searchset")
        || (list != HIE_NODE_NONE
            && hie_doc_kind(d, list) != HIE_NODE_ARRAY))
    {
        return HIE_BAD_GATEWAY;
    }

    hie_buf_init(&b, j->pool, hie_doc_bytes(d).len + self.len + 256);
    hie_buf_addz(&b, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\","
                 "\"link\":[{\"relation\":\"self\",\"url\":");
    hie_buf_add_json(&b, self);
    hie_buf_addz(&b, "}]");

    for (c = hie_doc_first(d, list);
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        rc = judge_entry(j, d, c, &b);
        if (rc != HIE_OK) {
            return rc;
        }
    }
    hie_buf_addz(&b, j->resources > 0 ? "]}" : "}");

    *out = hie_buf_str(&b);
    return HIE_OK;
}


static hie_rc_t
judge_read(judge_t *j, const hie_doc_t *d, hie_str_t type)
{
    hie_str_t  found;
    hie_rc_t   rc = judge(j, d, &found);

    if (rc != HIE_OK) {
        return rc;
    }
    j->resources++;
    return hie_str_eq(found, type) ? HIE_OK : HIE_BAD_GATEWAY;
}


static int
compare_keys(const void *a, const void *b)
{
    uint64_t  x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


/* Ascending, each once. */
static int
settle(uint64_t *keys, int n)
{
    int  i, kept = 0;

    if (n > 1) {
        qsort(keys, (size_t) n, sizeof(*keys), compare_keys);
    }
    for (i = 0; i < n; i++) {
        if (kept == 0 || keys[kept - 1] != keys[i]) {
            keys[kept++] = keys[i];
        }
    }
    return kept;
}


hie_rc_t
hie_consent_redact(const hie_decision_t *decision, hie_gate_t gate,
                   hie_str_t type, hie_str_t body, hie_str_t self,
                   int max_depth, apr_pool_t *pool, hie_redaction_t *out,
                   hie_error_t *err)
{
    judge_t     j = { .decision = decision, .pool = pool };
    hie_doc_t  *d;
    hie_str_t   leaves = body;
    hie_rc_t    rc = HIE_BAD_GATEWAY;

    memset(out, 0, sizeof(*out));
    j.patients = apr_array_make(pool, 16, sizeof(uint64_t));
    if (hie_doc_parse(pool, body, max_depth, &d, NULL) != HIE_OK) {
        return unusable(err);
    }

    switch (gate) {
    case HIE_GATE_READ:
        rc = judge_read(&j, d, type);
        break;
    case HIE_GATE_SEARCH:
        rc = judge_search(&j, d, self, &leaves);
        break;
    case HIE_GATE_METADATA:
        rc = judge_read(&j, d, HIE_STR("CapabilityStatement"));
        break;
    }

    if (rc == HIE_NOT_FOUND) {
        out->n_withheld = j.withheld;
        return absent(err);
    }
    if (rc != HIE_OK) {
        return unusable(err);
    }
    out->body = leaves;
    out->n_resources = j.resources;
    out->n_withheld = j.withheld;
    out->patients = (uint64_t *) j.patients->elts;
    out->n_patients = settle(out->patients, j.patients->nelts);
    return HIE_OK;
}
