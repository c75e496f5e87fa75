/*
 * MLLP release 1 framing: <SB> message <EB><CR>, with SB 0x0B and EB 0x1C
 * (HL7 v2 transport specification, "Minimal Lower Layer Protocol").
 *
 * The specification keeps the two bytes out of the message; a frame that has
 * one of them elsewhere has lost its end or its start. Guessing where the
 * next message begins could join two patients, so that is an error.
 */

#include <string.h>

#include "hl7v2/hl7v2.h"

#define SB  0x0b
#define EB  0x1c
#define CR  0x0d
#define LF  0x0a

#define FIRST_SIZE  4096        /* most messages fit (ADT, small ORU) */
#define LARGE_SIZE  65536       /* not kept between frames */

enum { OUTSIDE = 1, INSIDE, ENDING, BROKEN };


void
hie_mllp_init(hie_mllp_t *m, apr_pool_t *pool, size_t max_message)
{
    memset(m, 0, sizeof(*m));
    m->pool = pool;
    m->max = max_message;
    m->state = OUTSIDE;
}


/* Room for `more` bytes. The buffer has a pool of its own, so that the old
 * one is given back when it is outgrown. */
static void
reserve(hie_mllp_t *m, size_t more)
{
    apr_pool_t *fresh;
    char       *buf;
    size_t      size = m->size > 0 ? m->size : FIRST_SIZE;

    if (m->buf != NULL && m->size - m->len >= more) {
        return;
    }
    while (size - m->len < more) {
        size *= 2;
    }
    fresh = hie_pool_create(m->pool, "mllp");
    buf = apr_palloc(fresh, size);
    if (m->own != NULL) {
        memcpy(buf, m->buf, m->len);
        apr_pool_destroy(m->own);
    }
    m->own = fresh;
    m->buf = buf;
    m->size = size;
}


static hie_rc_t
broken(hie_mllp_t *m, hie_error_t *err, hie_rc_t rc, const char *why)
{
    m->state = BROKEN;
    m->len = 0;
    return hie_fail(err, rc, "", "%s", why);
}


/* Between frames: skips CR and LF, takes the start byte. */
static hie_rc_t
take_start(hie_mllp_t *m, hie_str_t *in, hie_error_t *err)
{
    unsigned char  c;

    while (in->len > 0) {
        c = (unsigned char) *in->ptr;
        in->ptr++;
        in->len--;
        if (c == SB) {
            m->state = INSIDE;
            m->len = 0;
            return HIE_OK;
        }
        if (c != CR && c != LF) {
            return broken(m, err, HIE_INVALID,
                          "bytes outside of an MLLP frame: 0x0B was expected");
        }
    }
    return HIE_NOT_FOUND;
}


/* Inside a frame: takes the bytes up to the end byte. */
static hie_rc_t
take_body(hie_mllp_t *m, hie_str_t *in, hie_error_t *err)
{
    size_t  n = 0;

    while (n < in->len && in->ptr[n] != EB && in->ptr[n] != SB) {
        n++;
    }
    if (n > m->max - m->len) {
        m->state = BROKEN;
        return hie_fail(err, HIE_TOO_LARGE, "",
                        "the message is larger than %lu bytes",
                        (unsigned long) m->max);
    }
    reserve(m, n);
    memcpy(m->buf + m->len, in->ptr, n);
    m->len += n;
    in->ptr += n;
    in->len -= n;
    if (in->len == 0) {
        return HIE_NOT_FOUND;
    }
    if (*in->ptr == SB) {
        return broken(m, err, HIE_INVALID,
                      "0x0B inside an MLLP frame: the end of the frame before "
                      "it (0x1C 0x0D) is missing");
    }
    in->ptr++;
    in->len--;
    m->state = ENDING;
    return HIE_OK;
}


static hie_rc_t
take_end(hie_mllp_t *m, hie_str_t *in, hie_str_t *frame, hie_error_t *err)
{
    if (in->len == 0) {
        return HIE_NOT_FOUND;
    }
    if (*in->ptr != CR) {
        return broken(m, err, HIE_INVALID,
                      "0x1C in an MLLP frame without 0x0D after it");
    }
    in->ptr++;
    in->len--;
    m->state = OUTSIDE;
    frame->ptr = m->buf;
    frame->len = m->len;
    return HIE_OK;
}


hie_rc_t
hie_mllp_feed(hie_mllp_t *m, hie_str_t *in, hie_str_t *frame,
              hie_error_t *err)
{
    hie_rc_t  rc = HIE_OK;

    *frame = HIE_STR_NONE;
    if (m->state == BROKEN) {
        return hie_fail(err, HIE_INVALID, "",
                        "the MLLP connection has failed before");
    }
    if (m->state == OUTSIDE) {
        rc = take_start(m, in, err);
    }
    if (rc == HIE_OK && m->state == INSIDE) {
        rc = take_body(m, in, err);
    }
    if (rc == HIE_OK && m->state == ENDING) {
        rc = take_end(m, in, frame, err);
    }
    return rc;
}


bool
hie_mllp_partial(const hie_mllp_t *m)
{
    return m->state == INSIDE || m->state == ENDING;
}


void
hie_mllp_rest(hie_mllp_t *m)
{
    if (m->own == NULL || m->size < LARGE_SIZE || hie_mllp_partial(m)) {
        return;
    }
    apr_pool_destroy(m->own);
    m->own = NULL;
    m->buf = NULL;
    m->len = 0;
    m->size = 0;
}


hie_str_t
hie_mllp_frame(apr_pool_t *pool, hie_str_t message)
{
    char  *out = apr_palloc(pool, message.len + 3);

    out[0] = SB;
    if (message.len > 0) {
        memcpy(out + 1, message.ptr, message.len);
    }
    out[message.len + 1] = EB;
    out[message.len + 2] = CR;
    return (hie_str_t) { out, message.len + 3 };
}
