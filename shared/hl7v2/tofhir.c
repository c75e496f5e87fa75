/*
 * From a message to a Bundle of type transaction: which messages, in which
 * order, and the entries' requests.
 *
 * ADT is a snapshot: Patient and Encounter are conditional updates. ORU names
 * a patient and a visit to say whose the results are: both are conditional
 * creates, so that a thin PID or PV1 does not overwrite what is known.
 * Results are conditional updates: a correction replaces.
 *
 * The transformation is pure: the same message gives the same bytes.
 */

#include <stdio.h>
#include <string.h>

#include "hl7v2/tofhir.h"

/* A segment of five bytes makes a thousand bytes of JSON. */
#define MAX_SEGMENTS  10000
#define MAX_HEADER    4096

/* What a message of n bytes may become. Each of its segments makes an entry
 * of some 600 bytes, and its text is written once, or twice with escapes; but
 * the patient and the order are in every result, and were they of megabytes,
 * a message could become more than fits into memory. */
#define BUNDLE_BASE    (16 * 1024 * 1024)
#define BUNDLE_FACTOR  8


hie_str_t
hie_tofhir_raw(hie_tofhir_t *t, hie_at_t at)
{
    bool       same = at.segment == t->last.segment
                      && at.field == t->last.field && t->last_raw.ptr != NULL;
    hie_str_t  rest;
    size_t     used;

    if (same && at.repeat == t->last.repeat) {
        return t->last_raw;
    }
    if (same && at.repeat > 0 && at.repeat == t->last.repeat + 1) {
        rest = hie_hl7_raw(t->m, at.segment, at.field, -1);
        used = (size_t) (t->last_raw.ptr - rest.ptr) + t->last_raw.len;
        t->last_raw = HIE_STR_NONE;
        if (used < rest.len) {
            rest.ptr += used + 1;
            rest.len -= used + 1;
            t->last_raw = hie_hl7_part(rest, t->m->d.repeat, 1);
        }
    } else {
        t->last_raw = hie_hl7_raw(t->m, at.segment, at.field, at.repeat);
    }
    t->last = at;
    return t->last_raw;
}


hie_str_t
hie_tofhir_sub(hie_tofhir_t *t, hie_at_t at, int component, int sub)
{
    if (at.repeat < 0) {
        return HIE_STR_NONE;
    }
    return hie_str_trim(hie_hl7_value_of(t->m, hie_tofhir_raw(t, at),
                                         component, sub, t->pool));
}


hie_str_t
hie_tofhir_get(hie_tofhir_t *t, hie_at_t at, int component)
{
    return hie_tofhir_sub(t, at, component, 1);
}


bool
hie_tofhir_full(const hie_tofhir_t *t)
{
    return t->out.len > BUNDLE_BASE + BUNDLE_FACTOR * t->m->text.len;
}


int
hie_tofhir_find(hie_tofhir_t *t, const char *name, int from, int end)
{
    int  i;

    for (i = from; i < end; i++) {
        if (hie_str_eqz(hie_hl7_segment(t->m, i), name)) {
            return i;
        }
    }
    return -1;
}


/* A UUID (RFC 9562 version 8) of the message's header and a running number:
 * it only has to be unique within the Bundle. */
static hie_str_t
next_uuid(hie_tofhir_t *t)
{
    char       run[16];
    hie_str_t  parts[5];
    uint64_t   high;
    uint64_t   low;

    snprintf(run, sizeof(run), "%u", t->run++);
    parts[0] = hie_hl7_raw(t->m, 0, 4, -1);
    parts[1] = hie_hl7_raw(t->m, 0, 7, -1);
    parts[2] = hie_hl7_control_id(t->m);
    parts[3] = hie_str(run);
    parts[4] = HIE_STR("high");
    high = hie_hash64_parts(parts, 5);
    parts[4] = HIE_STR("low");
    low = hie_hash64_parts(parts, 5);
    return hie_str(apr_psprintf(t->pool, "urn:uuid:%08x-%04x-8%03x-%04x-%012"
                                APR_UINT64_T_HEX_FMT,
                                (unsigned) (high >> 32),
                                (unsigned) (high >> 16) & 0xffff,
                                (unsigned) high & 0xfff,
                                ((unsigned) (low >> 48) & 0x3fff) | 0x8000,
                                low & UINT64_C(0xffffffffffff)));
}


hie_str_t
hie_tofhir_begin(hie_tofhir_t *t, const char *type)
{
    hie_str_t  url = next_uuid(t);

    hie_jw_open(&t->out, NULL, '{');
    hie_jw_text(&t->out, "fullUrl", url);
    hie_jw_open(&t->out, "resource", '{');
    hie_jw_z(&t->out, "resourceType", type);
    return url;
}


/* In a search value '\', ',', '|' and '$' are escaped (R4 section 3.1.1.3),
 * and then all that is not unreserved (RFC 3986 section 2.1). */
static void
add_search_value(hie_buf_t *b, hie_str_t v)
{
    hie_buf_t  plain;
    size_t     i;

    hie_buf_init(&plain, b->pool, v.len + 8);
    for (i = 0; i < v.len; i++) {
        if (strchr("\\,|$", v.ptr[i]) != NULL) {
            hie_buf_addc(&plain, '\\');
        }
        hie_buf_addc(&plain, v.ptr[i]);
    }
    hie_url_encode(b, hie_buf_str(&plain));
}


static hie_str_t
query(hie_tofhir_t *t, const hie_target_t *target)
{
    hie_buf_t  b;

    hie_buf_init(&b, t->pool, 128);
    hie_buf_addz(&b, "identifier=");
    add_search_value(&b, target->system);
    hie_buf_addc(&b, '|');
    add_search_value(&b, target->value);
    return hie_buf_str(&b);
}


void
hie_tofhir_end(hie_tofhir_t *t, const hie_target_t *target)
{
    size_t     request;
    hie_str_t  url = hie_str(target->type);
    hie_str_t  q = HIE_STR_NONE;

    if (target->value.len > 0) {
        q = query(t, target);
        if (target->update) {
            url = hie_str(apr_psprintf(t->pool, "%s?%.*s", target->type,
                                       HIE_PRISTR(q)));
        }
    }
    hie_buf_addc(&t->out, '}');
    request = hie_jw_open(&t->out, "request", '{');
    hie_jw_z(&t->out, "method", q.len > 0 && target->update ? "PUT" : "POST");
    hie_jw_text(&t->out, "url", url);
    if (!target->update) {
        hie_jw_text(&t->out, "ifNoneExist", q);
    }
    hie_jw_close(&t->out, request, '}');
    hie_buf_addc(&t->out, '}');
}


static hie_str_t
target_key(hie_tofhir_t *t, const hie_target_t *target)
{
    hie_str_t  q = query(t, target);

    return hie_str(apr_psprintf(t->pool, "%s?%.*s", target->type,
                                HIE_PRISTR(q)));
}


hie_str_t
hie_tofhir_known(hie_tofhir_t *t, const hie_target_t *target)
{
    hie_str_t   key;
    hie_str_t  *url;

    if (target->value.len == 0) {
        return HIE_STR_NONE;
    }
    key = target_key(t, target);
    url = apr_hash_get(t->seen, key.ptr, (apr_ssize_t) key.len);
    return url != NULL ? *url : HIE_STR_NONE;
}


void
hie_tofhir_remember(hie_tofhir_t *t, const hie_target_t *target,
                    hie_str_t url)
{
    hie_str_t  key;

    if (target->value.len > 0) {
        key = target_key(t, target);
        apr_hash_set(t->seen, key.ptr, (apr_ssize_t) key.len,
                     apr_pmemdup(t->pool, &url, sizeof(url)));
    }
}


/* Two entries of a transaction must not have the same target (R4 section
 * 3.1.0.11.2). The n-th of the same value gets "/n"; values are made of parts
 * of fixed number between slashes, so this is no other's value. */
hie_str_t
hie_tofhir_unique(hie_tofhir_t *t, const char *type, hie_str_t value)
{
    const char  *key = apr_psprintf(t->pool, "%s %.*s", type,
                                    HIE_PRISTR(value));
    int         *count = apr_hash_get(t->seen, key, APR_HASH_KEY_STRING);

    if (count == NULL) {
        count = apr_pcalloc(t->pool, sizeof(*count));
        apr_hash_set(t->seen, key, APR_HASH_KEY_STRING, count);
    }
    if (++*count == 1) {
        return value;
    }
    return hie_str(apr_psprintf(t->pool, "%.*s/%d", HIE_PRISTR(value),
                                *count));
}


/* The zone of MSH-7 is that of all times of the message that have none. */
static void
set_zone(hie_tofhir_t *t, const char *configured)
{
    hie_dtm_t  d;

    if (hie_dtm_parse(hie_tofhir_get(t, HIE_AT(0, 7, 0), 1), &d) && d.zoned) {
        configured = d.zone;
    } else if (configured == NULL) {
        configured = "+00:00";
    }
    apr_cpystrn(t->zone, configured, sizeof(t->zone));
}


static void
init(hie_tofhir_t *t, const hie_hl7_t *m, const hie_hl7_options_t *options,
     apr_pool_t *pool)
{
    memset(t, 0, sizeof(*t));
    t->m = m;
    t->pool = pool;
    t->system = options->identifier_system != NULL
                ? options->identifier_system : "urn:id:";
    t->seen = apr_hash_make(pool);
    set_zone(t, options->timezone);
    t->facility = hie_tofhir_get(t, HIE_AT(0, 4, 0), 1);
    if (t->facility.len == 0) {
        t->facility = HIE_STR("unknown");
    }
    hie_buf_init(&t->out, pool, 4096);
}


/* MSH-9.1 and 9.2; MSH-9.3 (structure) does not matter. Before 2.3 the event
 * could be left out: it is then EVN-1, and of ORU there was only one. */
static hie_rc_t
check_type(hie_tofhir_t *t, hie_error_t *err)
{
    static const char *const  events[] = { "A01", "A04", "A08", "A31" };
    hie_str_t                 type = hie_tofhir_get(t, HIE_AT(0, 9, 0), 1);
    size_t                    i;

    t->event = hie_tofhir_get(t, HIE_AT(0, 9, 0), 2);
    if (hie_str_eqz(type, "ORU")) {
        if (t->event.len == 0 || hie_str_eqz(t->event, "R01")) {
            return HIE_OK;
        }
    } else if (hie_str_eqz(type, "ADT")) {
        t->snapshot = true;
        if (t->event.len == 0) {
            t->event = hie_tofhir_get(t, HIE_AT(hie_hl7_find(t->m, "EVN", 0),
                                                1, 0), 1);
        }
        for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
            if (hie_str_eqz(t->event, events[i])) {
                return HIE_OK;
            }
        }
    } else {
        return hie_fail(err, HIE_UNSUPPORTED, "MSH^1^9^1^1",
                        "message type %.*s is not transformed; ADT and ORU "
                        "are", (int) (type.len > 20 ? 20 : type.len),
                        type.len > 0 ? type.ptr : "");
    }
    return hie_fail(err, HIE_UNSUPPORTED, "MSH^1^9^1^2",
                    "event %.*s of %.*s is not transformed; ADT A01, A04, "
                    "A08, A31 and ORU R01 are",
                    (int) (t->event.len > 20 ? 20 : t->event.len),
                    t->event.len > 0 ? t->event.ptr : "", HIE_PRISTR(type));
}


/* One PID and what follows it, up to the next PID. ORU^R01 may hold several
 * patients (PATIENT_RESULT repeats). */
static hie_rc_t
patient_group(hie_tofhir_t *t, int pid, int end, hie_error_t *err)
{
    int       pv1 = hie_tofhir_find(t, "PV1", pid, end);
    hie_rc_t  rc;

    rc = hie_to_patient(t, pid, end, err);
    if (rc != HIE_OK) {
        return rc;
    }
    t->encounter = HIE_STR_NONE;
    if (pv1 >= 0) {
        hie_to_encounter(t, pid, pv1);
    }
    if (!t->snapshot) {
        hie_to_results(t, pid, end);
    }
    return HIE_OK;
}


static hie_rc_t
groups(hie_tofhir_t *t, hie_error_t *err)
{
    int       pid = hie_hl7_find(t->m, "PID", 0);
    int       obr = hie_hl7_find(t->m, "OBR", 0);
    int       obx = hie_hl7_find(t->m, "OBX", 0);
    int       next;
    hie_rc_t  rc;

    if (pid < 0
        || (!t->snapshot && ((obr >= 0 && obr < pid)
                             || (obx >= 0 && obx < pid))))
    {
        return hie_fail(err, HIE_UNPROCESSABLE, "PID^1^3",
                        "PID-3 (patient identifier) is required before any "
                        "result, and there is no PID segment");
    }
    while (pid >= 0) {
        next = hie_hl7_find(t->m, "PID", pid + 1);
        if (t->snapshot && next >= 0) {
            return hie_fail(err, HIE_UNPROCESSABLE, "PID^2",
                            "an ADT message has one PID segment, found is a "
                            "second one");
        }
        rc = patient_group(t, pid, next < 0 ? hie_hl7_segments(t->m) : next,
                           err);
        if (rc != HIE_OK) {
            return rc;
        }
        if (hie_tofhir_full(t)) {
            return hie_fail(err, HIE_TOO_LARGE, "",
                            "long values of the message belong to so many "
                            "results that its Bundle would be too large");
        }
        pid = next;
    }
    return HIE_OK;
}


hie_rc_t
hie_hl7_to_fhir(const hie_hl7_t *m, const hie_hl7_options_t *options,
                apr_pool_t *pool, hie_str_t *bundle, hie_error_t *err)
{
    hie_tofhir_t  t;
    hie_rc_t      rc;

    *bundle = HIE_STR_NONE;
    if (hie_hl7_segments(m) > MAX_SEGMENTS) {
        return hie_fail(err, HIE_TOO_LARGE, "",
                        "the message has more than %d segments",
                        MAX_SEGMENTS);
    }
    if (hie_hl7_first_line(m->text).len > MAX_HEADER) {
        return hie_fail(err, HIE_TOO_LARGE, "MSH^1",
                        "the MSH segment is longer than %d bytes",
                        MAX_HEADER);
    }
    init(&t, m, options, pool);
    rc = check_type(&t, err);
    if (rc != HIE_OK) {
        return rc;
    }
    if (hie_str_trim(m->control_id).len == 0) {
        return hie_fail(err, HIE_UNPROCESSABLE, "MSH^1^10",
                        "MSH-10 (message control id) is required");
    }
    hie_buf_addz(&t.out, "{\"resourceType\":\"Bundle\","
                 "\"type\":\"transaction\",\"entry\":[");
    rc = groups(&t, err);
    if (rc != HIE_OK) {
        return rc;
    }
    hie_buf_addz(&t.out, "]}");
    *bundle = hie_buf_str(&t.out);
    return HIE_OK;
}
