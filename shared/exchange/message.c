/*
 * One HL7 v2 message: read, checked, made durable, acknowledged. It is
 * transformed before it is accepted, so that a sender hears at once what is
 * wrong with it, and once more by the worker, from the journal, into the
 * database.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/private.h"
#include "hl7v2/hl7v2.h"

/*
 * The record: version, id, time of arrival, length of the source, source,
 * message. Integers are little-endian.
 */
#define RECORD_VERSION  1
#define RECORD_HEAD     (1 + HIE_ULID_LEN + 8 + 2)


static hie_str_t
encode(hie_job_t *job, const char *id, hie_str_t source, hie_str_t message)
{
    int         i;
    char        head[RECORD_HEAD], *p;
    uint64_t    now;
    hie_buf_t   b;

    if (source.len > 0xffff) {
        source.len = 0xffff;
    }

    now = (uint64_t) apr_time_now();
    p = head;
    *p++ = RECORD_VERSION;
    memcpy(p, id, HIE_ULID_LEN);
    p += HIE_ULID_LEN;
    for (i = 0; i < 8; i++) {
        *p++ = (char) (now >> (8 * i));
    }

    *p++ = (char) (source.len & 0xff);
    *p = (char) (source.len >> 8);

    hie_buf_init(&b, job->pool, RECORD_HEAD + source.len + message.len);
    hie_buf_add(&b, head, RECORD_HEAD);
    hie_buf_adds(&b, source);
    hie_buf_adds(&b, message);
    return hie_buf_str(&b);
}


hie_rc_t
hie_message_decode(hie_str_t record, hie_message_record_t *out,
                   hie_error_t *err)
{
    int                   i;
    size_t                n;
    uint64_t              t;
    const unsigned char  *p;

    if (record.len < RECORD_HEAD || record.ptr[0] != RECORD_VERSION) {
        return hie_fail(err, HIE_INVALID, "",
                        "a record of the message journal is of no known "
                        "form");
    }

    p = (const unsigned char *) record.ptr + 1;
    memcpy(out->id, p, HIE_ULID_LEN);
    out->id[HIE_ULID_LEN] = '\0';
    p += HIE_ULID_LEN;

    for (i = 0, t = 0; i < 8; i++) {
        t |= (uint64_t) *p++ << (8 * i);
    }

    out->received = (apr_time_t) t;
    n = (size_t) p[0] | (size_t) p[1] << 8;
    if (record.len - RECORD_HEAD < n) {
        return hie_fail(err, HIE_INVALID, "",
                        "a record of the message journal is cut short");
    }

    out->source = (hie_str_t) { record.ptr + RECORD_HEAD, n };
    out->message = (hie_str_t) { record.ptr + RECORD_HEAD + n,
                                 record.len - RECORD_HEAD - n };
    return HIE_OK;
}


/* Whether the worker will be able to make FHIR of it. */
static hie_rc_t
check_message(hie_job_t *job, hie_str_t message, hie_error_t *err)
{
    hie_rc_t             rc;
    hie_str_t            bundle;
    hie_hl7_t           *m;
    hie_hl7_options_t    options;
    const hie_config_t  *conf;

    conf = job->rt->config;
    rc = hie_hl7_parse(job->pool, message, &m, err);
    if (rc != HIE_OK) {
        return rc;
    }

    job->audit.type = hie_hl7_type(m);
    job->audit.resource_id = hie_hl7_control_id(m);

    options.identifier_system = conf->mllp.identifier_system;
    options.timezone = conf->mllp.timezone;
    return hie_hl7_to_fhir(m, &options, job->pool, &bundle, err);
}


/* The record that somebody sent us data. Nothing leaves with the answer, so
 * it needs no wait of its own. */
static void
audit_message(hie_job_t *job, hie_rc_t rc)
{
    hie_error_t       err;
    hie_audit_row_t  *row;

    row = &job->audit;
    row->peer = job->request.peer;
    row->subject = job->request.tls_subject;
    row->interaction = HIE_STR("hl7v2");
    row->decision = rc == HIE_OK ? HIE_STR("permit") : HIE_STR("deny");
    job->audited = hie_audit_pending(job->rt->audit, row, job->pool,
                                     &job->seq, &err) == HIE_OK;
}


static hie_rc_t
store_message(hie_job_t *job, const char *connection, hie_str_t message,
              hie_error_t *err)
{
    char            id[HIE_ULID_LEN + 1];
    hie_rc_t        rc;
    uint64_t        seq;
    hie_str_t       source, record;
    hie_journal_t  *journal;

    rc = hie_runtime_messages(job->rt, &journal, err);
    if (rc != HIE_OK) {
        return rc;
    }

    source = hie_str(apr_psprintf(job->pool, "%.*s %.*s %s",
                                  HIE_PRISTR(job->request.peer),
                                  HIE_PRISTR(job->request.tls_subject),
                                  connection));
    hie_ulid(id);
    record = encode(job, id, source, message);

    rc = hie_journal_append(journal, record.ptr, record.len, &seq, err);
    if (rc != HIE_OK) {
        return rc;
    }

    return hie_journal_wait(journal, seq, err);
}


void
hie_job_message(hie_job_t *job, const char *connection, hie_str_t message)
{
    char         id[HIE_ULID_LEN + 1];
    hie_rc_t     rc;
    hie_ack_t    code;
    hie_str_t    ack;
    hie_error_t  err, why;

    rc = check_message(job, message, &why);
    audit_message(job, rc);

    if (rc == HIE_OK) {
        if (store_message(job, connection, message, &err) != HIE_OK) {
            /* Not on disk: no answer, and the sender sends it again. */
            hie_log(HIE_LOG_ERROR, "HIE5004",
                    "a message could not be stored: %s", err.detail);
            job->response.status = 503;
            job->response.body = HIE_STR_NONE;
            return;
        }

        code = HIE_ACK_AA;

    } else {
        code = rc == HIE_UNPROCESSABLE ? HIE_ACK_AE : HIE_ACK_AR;
    }

    hie_ulid(id);
    ack = hie_hl7_ack(job->pool, message, code,
                      code == HIE_ACK_AA ? NULL : &why, apr_time_now(), id);
    job->response.status = code == HIE_ACK_AA ? 200 : 400;
    job->response.body = hie_mllp_frame(job->pool, ack);
}
