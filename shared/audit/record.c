/*
 * Audit records as bytes, and their way into the journal.
 *
 *   version (1), kind (1), id (26), recorded (8)
 *   PENDING:  subject, issuer, organization, peer, interaction, type,
 *             resource_id, query, decision (each: length, bytes),
 *             resources (4), number of patients, patients (8 each)
 *   COMPLETE: completed (8), status (4), bytes (8), aborted (1)
 *   JUDGED:   what COMPLETE has, resources withheld (4) and disclosed (4),
 *             number of patients disclosed, patients (8 each)
 *
 * A JUDGED record is the completion of an answer that was judged, for which
 * the PENDING part came too early to say what would be in it.
 *
 * Numbers of a fixed size are little endian; lengths and counts are in base
 * 128, lowest group first, in as few bytes as they need. The journal guards
 * against damage; this guards against everything else.
 */

#include "audit/audit.h"

#include <limits.h>
#include <string.h>


#define VERSION   1
#define PENDING   1
#define COMPLETE  2
#define JUDGED    3

/* The end of the year 9999, beyond which the database has no timestamp that
 * anybody meant. */
#define TIME_MAX  (INT64_C(253402300799) * APR_USEC_PER_SEC)


/*
 * Writing.
 */
static void
put_number(hie_buf_t *b, uint64_t v, int bytes)
{
    while (bytes-- > 0) {
        hie_buf_addc(b, (char) (v & 0xff));
        v >>= 8;
    }
}


static void
put_length(hie_buf_t *b, size_t n)
{
    while (n >= 0x80) {
        hie_buf_addc(b, (char) ((n & 0x7f) | 0x80));
        n >>= 7;
    }
    hie_buf_addc(b, (char) n);
}


static bool
is_text(hie_str_t s)
{
    return s.len == 0
           || (memchr(s.ptr, '\0', s.len) == NULL && hie_utf8_valid(s));
}


static void
put_text(hie_buf_t *b, hie_str_t s)
{
    hie_buf_t      escaped;
    unsigned char  c;
    size_t         i;

    if (!is_text(s)) {
        hie_buf_init(&escaped, b->pool, s.len * 3);
        for (i = 0; i < s.len; i++) {
            c = (unsigned char) s.ptr[i];
            if (c == '\0' || c >= 0x80) {
                hie_buf_addf(&escaped, "%%%02X", c);
            } else {
                hie_buf_addc(&escaped, (char) c);
            }
        }
        s = hie_buf_str(&escaped);
    }
    put_length(b, s.len);
    hie_buf_adds(b, s);
}


static void
put_count(hie_buf_t *b, int n)
{
    put_number(b, (uint32_t) (n > 0 ? n : 0), 4);
}


static void
put_patients(hie_buf_t *b, const uint64_t *patients, int n)
{
    int  i;

    put_length(b, (size_t) n);
    for (i = 0; i < n; i++) {
        put_number(b, patients[i], 8);
    }
}


static void
put_pending(hie_buf_t *b, const hie_audit_row_t *row)
{
    put_text(b, row->subject);
    put_text(b, row->issuer);
    put_text(b, row->organization);
    put_text(b, row->peer);
    put_text(b, row->interaction);
    put_text(b, row->type);
    put_text(b, row->resource_id);
    put_text(b, row->query);
    /* An empty decision is the mark of a completion. */
    put_text(b, row->decision.len > 0 ? row->decision : HIE_STR("none"));

    put_count(b, row->n_resources);
    put_patients(b, row->patients, row->n_patients);
}


static void
put_complete(hie_buf_t *b, const hie_audit_row_t *row)
{
    put_number(b, (uint64_t) row->completed, 8);
    put_number(b, (uint32_t) row->status, 4);
    put_number(b, (uint64_t) row->bytes, 8);
    hie_buf_addc(b, row->aborted ? 1 : 0);

    if (row->judged) {
        put_count(b, row->n_withheld);
        put_count(b, row->n_disclosed);
        put_patients(b, row->disclosed_patients, row->n_disclosed_patients);
    }
}


hie_str_t
hie_audit_encode(const hie_audit_row_t *row, bool complete, apr_pool_t *pool)
{
    hie_buf_t  b;
    int        n = complete ? row->n_disclosed_patients : row->n_patients;

    hie_buf_init(&b, pool, (complete ? 64 : 256) + (size_t) n * 8);
    hie_buf_addc(&b, VERSION);
    hie_buf_addc(&b, !complete ? PENDING : row->judged ? JUDGED : COMPLETE);
    hie_buf_add(&b, row->id, HIE_ULID_LEN);
    put_number(&b, (uint64_t) row->recorded, 8);

    if (complete) {
        put_complete(&b, row);
    } else {
        put_pending(&b, row);
    }
    return hie_buf_str(&b);
}


hie_rc_t
hie_audit_pending(hie_journal_t *j, hie_audit_row_t *row, apr_pool_t *pool,
                  uint64_t *seq, hie_error_t *err)
{
    hie_str_t  record;

    *seq = 0;
    if (row->id[0] == '\0') {
        hie_ulid(row->id);
    }
    if (row->recorded == 0) {
        row->recorded = apr_time_now();
    }

    record = hie_audit_encode(row, false, pool);
    return hie_journal_append(j, record.ptr, record.len, seq, err);
}


hie_rc_t
hie_audit_complete(hie_journal_t *j, const hie_audit_row_t *row,
                   apr_pool_t *pool, hie_error_t *err)
{
    hie_audit_row_t  known = *row;
    hie_str_t        record;
    uint64_t         seq;

    if (known.completed == 0) {
        known.completed = apr_time_now();
    }
    record = hie_audit_encode(&known, true, pool);
    return hie_journal_append(j, record.ptr, record.len, &seq, err);
}


/*
 * Reading. After the first thing that is wrong everything is.
 */
typedef struct {
    const unsigned char  *ptr;
    size_t                len;
    bool                  bad;
} input_t;


static const unsigned char *
take(input_t *in, size_t n)
{
    const unsigned char  *p = in->ptr;

    if (in->bad || in->len < n) {
        in->bad = true;
        return NULL;
    }
    in->ptr += n;
    in->len -= n;
    return p;
}


static uint64_t
take_number(input_t *in, int bytes)
{
    const unsigned char  *p = take(in, (size_t) bytes);
    uint64_t              v = 0;

    if (p == NULL) {
        return 0;
    }
    while (bytes-- > 0) {
        v = v << 8 | p[bytes];
    }
    return v;
}


static size_t
take_length(input_t *in)
{
    const unsigned char  *p;
    size_t                n = 0;
    unsigned              shift;

    for (shift = 0; shift < 32; shift += 7) {
        p = take(in, 1);
        if (p == NULL) {
            return 0;
        }
        n |= (size_t) (*p & 0x7f) << shift;
        if ((*p & 0x80) == 0) {
            /* one way only to write a number */
            in->bad = in->bad || (*p == 0 && shift > 0);
            return n;
        }
    }
    in->bad = true;
    return 0;
}


static hie_str_t
take_text(input_t *in)
{
    size_t                n = take_length(in);
    const unsigned char  *p = take(in, n);
    hie_str_t             s = { (const char *) p, n };

    if (p == NULL || !is_text(s)) {
        in->bad = true;
        return HIE_STR_NONE;
    }
    return s;
}


static apr_time_t
take_time(input_t *in)
{
    uint64_t  v = take_number(in, 8);

    if (v > TIME_MAX) {
        in->bad = true;
        return 0;
    }
    return (apr_time_t) v;
}


/* A ULID in Crockford's base 32: digits and capitals but I, L, O and U. */
static void
take_id(input_t *in, char id[HIE_ULID_LEN + 1])
{
    static const char     alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const unsigned char  *p = take(in, HIE_ULID_LEN);
    int                   i;

    id[0] = '\0';
    if (p == NULL) {
        return;
    }
    for (i = 0; i < HIE_ULID_LEN; i++) {
        if (p[i] == '\0' || strchr(alphabet, p[i]) == NULL) {
            in->bad = true;
            return;
        }
    }
    memcpy(id, p, HIE_ULID_LEN);
    id[HIE_ULID_LEN] = '\0';
}


static int
take_count(input_t *in)
{
    uint64_t  n = take_number(in, 4);

    in->bad = in->bad || n > INT_MAX;
    return (int) n;
}


static uint64_t *
take_patients(input_t *in, apr_pool_t *pool, int *n_patients)
{
    uint64_t  *patients;
    size_t     i, n = take_length(in);

    if (in->bad || n > in->len / 8) {
        in->bad = true;
        return NULL;
    }
    if (n == 0) {
        return NULL;
    }
    patients = apr_palloc(pool, n * sizeof(uint64_t));
    *n_patients = (int) n;
    for (i = 0; i < n; i++) {
        patients[i] = take_number(in, 8);
    }
    return patients;
}


static void
take_pending(input_t *in, apr_pool_t *pool, hie_audit_row_t *row)
{
    row->subject = take_text(in);
    row->issuer = take_text(in);
    row->organization = take_text(in);
    row->peer = take_text(in);
    row->interaction = take_text(in);
    row->type = take_text(in);
    row->resource_id = take_text(in);
    row->query = take_text(in);
    row->decision = take_text(in);

    in->bad = in->bad || row->decision.len == 0;
    row->n_resources = take_count(in);
    row->patients = take_patients(in, pool, &row->n_patients);
    row->bytes = -1;
}


static void
take_complete(input_t *in, hie_audit_row_t *row)
{
    uint64_t  aborted;

    row->complete = true;
    row->completed = take_time(in);
    row->status = (int) (int32_t) take_number(in, 4);
    row->bytes = (int64_t) take_number(in, 8);
    aborted = take_number(in, 1);
    row->aborted = aborted == 1;
    in->bad = in->bad || aborted > 1 || row->bytes < -1;
}


static void
take_judged(input_t *in, apr_pool_t *pool, hie_audit_row_t *row)
{
    row->judged = true;
    row->n_withheld = take_count(in);
    row->n_disclosed = take_count(in);
    row->disclosed_patients = take_patients(in, pool,
                                            &row->n_disclosed_patients);
}


hie_rc_t
hie_audit_decode(hie_str_t record, apr_pool_t *pool, hie_audit_row_t *row,
                 hie_error_t *err)
{
    input_t   in = { (const unsigned char *) record.ptr, record.len, false };
    uint64_t  version, kind;

    memset(row, 0, sizeof(*row));
    version = take_number(&in, 1);
    kind = take_number(&in, 1);
    take_id(&in, row->id);
    row->recorded = take_time(&in);

    if (version != VERSION) {
        in.bad = true;
    } else if (kind == PENDING) {
        take_pending(&in, pool, row);
    } else if (kind == COMPLETE) {
        take_complete(&in, row);
    } else if (kind == JUDGED) {
        take_complete(&in, row);
        take_judged(&in, pool, row);
    } else {
        in.bad = true;
    }

    if (in.bad || in.len > 0) {
        memset(row, 0, sizeof(*row));
        return hie_fail(err, HIE_INVALID, "",
                        "this is no audit record of version %d", VERSION);
    }
    return HIE_OK;
}
