/*
 * Content-Encoding of request bodies (RFC 9110 section 8.4): gzip (RFC 1952),
 * deflate (RFC 1950) and zstd (RFC 8878).
 *
 * What is decoded is bounded and comes in pieces: a body that grows beyond
 * the limit costs no more than the limit.
 */

#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "exchange/private.h"

#define PIECE  65536

/* RFC 9659: no more than 8 MB of window for zstd over HTTP. */
#define ZSTD_WINDOW_LOG  23

typedef struct {
    const hie_content_t  *in;
    int64_t               at;        /* read so far */
    size_t                max;
    size_t                done;      /* given to cb so far */
    hie_content_cb       *cb;
    void                 *baton;
    hie_error_t          *err;
    bool                  ended;     /* the coding says that it is complete */
    char                  input[PIECE];
    char                  output[PIECE];
} decoder_t;


hie_rc_t
hie_encoding(hie_job_t *job, hie_coding_t *out)
{
    hie_str_t  value;

    *out = HIE_CODING_NONE;
    value = hie_str_trim(hie_request_header(&job->request,
                                            "Content-Encoding"));
    if (value.len == 0 || hie_str_ieqz(value, "identity")) {
        return HIE_OK;
    }

    if (hie_str_ieqz(value, "gzip") || hie_str_ieqz(value, "x-gzip")) {
        *out = HIE_CODING_GZIP;
        return HIE_OK;
    }

    if (hie_str_ieqz(value, "deflate")) {
        *out = HIE_CODING_DEFLATE;
        return HIE_OK;
    }

    if (hie_str_ieqz(value, "zstd")) {
        *out = HIE_CODING_ZSTD;
        return HIE_OK;
    }

    job->coding_refused = true;
    return hie_fail(&job->error, HIE_UNSUPPORTED, "",
                    "the Content-Encoding of the body must be one of "
                    HIE_CODINGS);
}


static hie_rc_t
broken(decoder_t *d)
{
    return hie_fail(d->err, HIE_INVALID, "",
                    "the body is not what its Content-Encoding says");
}


/* 0: the end of the body, -1: it cannot be read. */
static int64_t
next_piece(decoder_t *d)
{
    int64_t  n;

    n = hie_content_read(d->in, d->at, d->input, PIECE);
    if (n > 0) {
        d->at += n;
    }

    return n;
}


static hie_rc_t
give(decoder_t *d, size_t len)
{
    if (len > d->max - d->done) {
        return hie_fail(d->err, HIE_TOO_LARGE, "",
                        "the decoded body has more than %lu bytes",
                        (unsigned long) d->max);
    }

    d->done += len;
    return len > 0 ? d->cb(d->baton, d->output, len, d->err) : HIE_OK;
}


/* A body may be several gzip members, one after the other (RFC 1952 section
 * 2.2). */
static hie_rc_t
inflate_piece(decoder_t *d, z_stream *z)
{
    int       rv;
    hie_rc_t  rc;

    do {
        if (d->ended && z->avail_in > 0) {
            if (inflateReset(z) != Z_OK) {
                return broken(d);
            }

            d->ended = false;
        }

        z->next_out = (Bytef *) d->output;
        z->avail_out = PIECE;
        rv = inflate(z, Z_NO_FLUSH);
        if (rv != Z_OK && rv != Z_STREAM_END && rv != Z_BUF_ERROR) {
            return broken(d);
        }

        d->ended = (rv == Z_STREAM_END);
        rc = give(d, PIECE - z->avail_out);
        if (rc != HIE_OK) {
            return rc;
        }
    } while (z->avail_in > 0 || z->avail_out == 0);

    return HIE_OK;
}


static hie_rc_t
decode_zlib(decoder_t *d, int window_bits)
{
    int64_t   n;
    hie_rc_t  rc;
    z_stream  z;

    memset(&z, 0, sizeof(z));
    if (inflateInit2(&z, window_bits) != Z_OK) {
        return hie_fail(d->err, HIE_BUSY, "", "no memory to decode the body");
    }

    rc = HIE_OK;
    while (rc == HIE_OK && (n = next_piece(d)) != 0) {
        z.next_in = (Bytef *) d->input;
        z.avail_in = n > 0 ? (uInt) n : 0;
        rc = n > 0 ? inflate_piece(d, &z) : broken(d);
    }

    inflateEnd(&z);
    return rc;
}


static hie_rc_t
zstd_piece(decoder_t *d, ZSTD_DStream *z, size_t len)
{
    size_t          rv;
    hie_rc_t        rc;
    ZSTD_inBuffer   in = { d->input, len, 0 };
    ZSTD_outBuffer  out;

    do {
        out = (ZSTD_outBuffer) { d->output, PIECE, 0 };
        rv = ZSTD_decompressStream(z, &out, &in);
        if (ZSTD_isError(rv)) {
            return broken(d);
        }

        d->ended = (rv == 0);
        rc = give(d, out.pos);
        if (rc != HIE_OK) {
            return rc;
        }
    } while (in.pos < in.size || (out.pos == out.size && rv != 0));

    return HIE_OK;
}


static hie_rc_t
decode_zstd(decoder_t *d)
{
    int64_t        n;
    hie_rc_t       rc;
    ZSTD_DStream  *z;

    z = ZSTD_createDStream();
    if (z == NULL) {
        return hie_fail(d->err, HIE_BUSY, "", "no memory to decode the body");
    }

    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    rc = HIE_OK;
    while (rc == HIE_OK && (n = next_piece(d)) != 0) {
        rc = n > 0 ? zstd_piece(d, z, (size_t) n) : broken(d);
    }

    ZSTD_freeDStream(z);
    return rc;
}


hie_rc_t
hie_decode(hie_coding_t coding, const hie_content_t *in, size_t max,
           hie_content_cb *cb, void *baton, apr_pool_t *pool,
           hie_error_t *err)
{
    hie_rc_t    rc;
    decoder_t  *d;

    d = apr_palloc(pool, sizeof(*d));
    d->in = in;
    d->at = 0;
    d->max = max;
    d->done = 0;
    d->cb = cb;
    d->baton = baton;
    d->err = err;
    d->ended = false;

    rc = coding == HIE_CODING_ZSTD ? decode_zstd(d)
         : decode_zlib(d, coding == HIE_CODING_GZIP ? 15 + 16 : 15);
    if (rc == HIE_OK && !d->ended) {
        return broken(d);        /* it breaks off */
    }

    return rc;
}
