/*
 * Consents, requests to the gateway and answers of a protected server. The
 * first byte says which. What may leave must be judged the same way again.
 */

#include "consent/consent.h"

#include <stdlib.h>


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
rows(hie_str_t in, apr_pool_t *pool)
{
    hie_consent_row_t  *r;
    hie_error_t         err;
    hie_doc_t          *d;
    hie_rc_t            rc;
    int                 n;

    if (hie_doc_parse(pool, in, 32, &d, NULL) != HIE_OK) {
        return;
    }
    rc = hie_consent_rows(d, HIE_STR("http://h/fhir"), pool, &r, &n, &err);
    if (rc != HIE_OK) {
        if (n != 0 || r != NULL || err.rc != rc) {
            abort();
        }
        return;
    }
    if (n > 1 || (n == 1 && (r->from < 0 || r->until < 0))) {
        abort();
    }
}


static void
gate(hie_str_t in, apr_pool_t *pool)
{
    hie_str_t    query, path = hie_str_split(in, '?', &query), type;
    hie_error_t  err;
    hie_gate_t   g;
    hie_rc_t     rc;

    rc = hie_consent_gate(HIE_STR("GET"), path, query, pool, &g, &type,
                          &err);
    if ((rc == HIE_OK) != (g != 0) || (rc != HIE_OK && err.rc != rc)
        || (rc == HIE_OK && g != HIE_GATE_METADATA
            && !hie_fhir_is_type(type)))
    {
        abort();
    }
}


static void
redact(hie_str_t in, hie_gate_t g, apr_pool_t *pool)
{
    hie_decision_t   decision = { .loaded = true };
    uint64_t         withheld = hie_fhir_patient_key(HIE_STR("no"));
    hie_redaction_t  out, again;
    hie_rc_t         rc;
    int              i;

    decision.visible.default_permit = true;
    decision.n_withheld = 1;
    decision.withheld = &withheld;

    rc = hie_consent_redact(&decision, g, HIE_STR("Patient"), in,
                            HIE_STR("http://h/fhir/Patient"), 32, pool, &out,
                            NULL);
    if (rc != HIE_OK) {
        if (out.body.ptr != NULL || out.n_patients != 0
            || out.n_resources != 0
            || out.n_withheld != (rc == HIE_NOT_FOUND))
        {
            abort();
        }
        return;
    }
    for (i = 0; i < out.n_patients; i++) {
        if (out.patients[i] == withheld
            || (i > 0 && out.patients[i - 1] >= out.patients[i]))
        {
            abort();
        }
    }

    rc = hie_consent_redact(&decision, g, HIE_STR("Patient"), out.body,
                            HIE_STR("http://h/fhir/Patient"), 32, pool,
                            &again, NULL);
    if (rc != HIE_OK || !hie_str_eq(out.body, again.body)
        || again.n_patients != out.n_patients
        || again.n_resources != out.n_resources || again.n_withheld != 0)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t  *pool;
    hie_str_t    in;

    if (size == 0) {
        return 0;
    }
    apr_initialize();
    pool = hie_pool_create(NULL, "one");
    in = (hie_str_t) { (const char *) data + 1, size - 1 };

    switch (data[0]) {
    case 'c':
        rows(in, pool);
        break;
    case 'g':
        gate(in, pool);
        break;
    case 'r':
        redact(in, HIE_GATE_READ, pool);
        break;
    default:
        redact(in, HIE_GATE_SEARCH, pool);
        break;
    }

    apr_pool_destroy(pool);
    return 0;
}
