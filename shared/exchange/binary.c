/*
 * Binary (FHIR R4 section 2.44 and "Binary" of the RESTful API): raw content,
 * in and out as it is, or as base64 in a document.
 *
 * A content passes through a file without a name and is never in memory as a
 * whole; see docs/decisions.
 */

#include <string.h>
#include <unistd.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "exchange/private.h"
#include "xml/xml.h"

/* What fits is sent from memory. */
#define IN_MEMORY  ((int64_t) HIE_CHUNK)

#define OCTETS  "application/octet-stream"


static bool
is_binary(const hie_job_t *job)
{
    return hie_str_eqz(job->todo.type, "Binary");
}


bool
hie_binary_is_read(const hie_job_t *job)
{
    return is_binary(job) && (job->todo.what == HIE_DO_READ
                              || job->todo.what == HIE_DO_VREAD);
}


/* Only FHIR's own media types mean a resource here: a content may well be of
 * application/json or text/xml. */
static bool
is_resource_type(hie_str_t media)
{
    hie_str_t  params;

    media = hie_str_trim(hie_str_split(media, ';', &params));
    return hie_str_ieqz(media, "application/fhir+json")
           || hie_str_ieqz(media, "application/json+fhir")
           || hie_str_ieqz(media, "application/fhir+xml")
           || hie_str_ieqz(media, "application/xml+fhir");
}


bool
hie_binary_is_raw(const hie_job_t *job)
{
    hie_str_t  type;

    if (!is_binary(job) || (job->todo.what != HIE_DO_CREATE
                            && job->todo.what != HIE_DO_UPDATE))
    {
        return false;
    }

    type = hie_request_header(&job->request, "Content-Type");
    return type.len > 0 && !is_resource_type(type);
}


void
hie_job_body(hie_job_t *job, apr_size_t *max, bool *file)
{
    hie_error_t        err;
    hie_interaction_t  todo;

    err = job->error;
    todo = job->todo;
    *file = hie_request_route(job) == HIE_OK && hie_binary_is_raw(job);
    *max = *file ? job->rt->config->fhir.max_binary
                 : job->rt->config->fhir.max_body;
    job->error = err;
    job->todo = todo;
}


/* type/subtype and whatever parameters, printable: it becomes a header. */
static bool
is_media_type(hie_str_t s)
{
    size_t      i;
    hie_str_t   type, subtype, params;
    const char  separators[] = " \t()<>@,;:\\\"/[]?={}";

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e) {
            return false;
        }
    }

    type = hie_str_split(hie_str_trim(hie_str_split(s, ';', &params)), '/',
                         &subtype);
    if (s.len > 255 || type.len == 0 || subtype.len == 0) {
        return false;
    }

    for (i = 0; i < type.len; i++) {
        if (strchr(separators, type.ptr[i]) != NULL) {
            return false;
        }
    }

    for (i = 0; i < subtype.len; i++) {
        if (strchr(separators, subtype.ptr[i]) != NULL) {
            return false;
        }
    }

    return true;
}


/*
 * Writing: the request is turned into a document, which goes the way of all
 * documents, and a content beside it.
 */

static hie_rc_t
spool_write(void *baton, const char *ptr, size_t len, hie_error_t *err)
{
    return hie_temp_write(baton, ptr, len, err);
}


static hie_rc_t
spool(hie_job_t *job, apr_file_t **file)
{
    return hie_temp_file(job->pool, job->rt->config->fhir.temp_directory,
                         file, &job->error);
}


static hie_rc_t
file_content(hie_job_t *job, int fd, hie_content_t *c)
{
    off_t  size;

    size = lseek(fd, 0, SEEK_END);
    if (size < 0) {
        return hie_fail(&job->error, HIE_INTERNAL, "",
                        "the request body cannot be read");
    }

    *c = (hie_content_t) { NULL, fd, size };
    return HIE_OK;
}


/* The body as it was sent, a Content-Encoding taken away. */
static hie_rc_t
take_content(hie_job_t *job, hie_content_t *c)
{
    int            fd;
    size_t         max;
    hie_rc_t       rc;
    apr_file_t    *file;
    hie_coding_t   coding;

    max = job->rt->config->fhir.max_binary;
    *c = (hie_content_t) {
        job->request.body.ptr, -1, (int64_t) job->request.body.len
    };

    if (job->request.body_file != -1) {
        rc = file_content(job, job->request.body_file, c);
        if (rc != HIE_OK) {
            return rc;
        }
    }

    if ((uint64_t) c->size > max) {
        return hie_fail(&job->error, HIE_TOO_LARGE, "",
                        "the content has more than %lu bytes",
                        (unsigned long) max);
    }

    rc = hie_encoding(job, &coding);
    if (rc != HIE_OK || coding == HIE_CODING_NONE) {
        return rc;
    }

    rc = spool(job, &file);
    if (rc == HIE_OK) {
        rc = hie_decode(coding, c, max, spool_write, file, job->pool,
                        &job->error);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    apr_os_file_get(&fd, file);
    return file_content(job, fd, c);
}


hie_rc_t
hie_binary_document(hie_job_t *job, hie_str_t *out)
{
    hie_rc_t   rc;
    hie_buf_t  b;
    hie_str_t  type, context;

    type = hie_str_trim(hie_request_header(&job->request, "Content-Type"));
    if (!is_media_type(type)) {
        return hie_fail(&job->error, HIE_UNSUPPORTED, "",
                        "the Content-Type is no media type");
    }

    if (job->todo.what == HIE_DO_CREATE
        && hie_request_header(&job->request, "If-None-Exist").ptr != NULL)
    {
        return hie_fail(&job->error, HIE_UNPROCESSABLE, "",
                        "a conditional create of a Binary is sent as a "
                        "resource");
    }

    rc = take_content(job, &job->content);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, job->pool, 512);
    hie_buf_addz(&b, "{\"resourceType\":\"Binary\"");
    if (job->todo.id.len > 0) {
        hie_buf_addz(&b, ",\"id\":");
        hie_buf_add_json(&b, job->todo.id);
    }

    hie_buf_addz(&b, ",\"contentType\":");
    hie_buf_add_json(&b, type);
    context = hie_str_trim(hie_request_header(&job->request,
                                              "X-Security-Context"));
    if (context.len > 0) {
        hie_buf_addz(&b, ",\"securityContext\":{\"reference\":");
        hie_buf_add_json(&b, context);
        hie_buf_addz(&b, "}");
    }

    hie_buf_addz(&b, "}");
    *out = hie_buf_str(&b);
    job->has_content = true;
    return HIE_OK;
}


/* Patients in the document itself are in the index already. What cannot be
 * asked who may see it must not govern anything. */
hie_rc_t
hie_binary_context(const hie_doc_t *d, hie_str_t base_url, apr_pool_t *pool,
                   hie_put_t *put, hie_error_t *err)
{
    hie_node_t       n;
    hie_str_t        text;
    hie_reference_t  ref;

    n = hie_doc_member(d, 0, "securityContext");
    if (n == HIE_NODE_NONE) {
        return HIE_OK;
    }

    text = hie_doc_get(d, n, "reference", pool);
    if (!hie_fhir_reference(text, base_url, &ref) || !ref.local
        || ref.type.len == 0)
    {
        return hie_fail(err, HIE_UNPROCESSABLE, "Binary.securityContext",
                        "it must be a reference to a resource of this "
                        "server");
    }

    if (!hie_str_eqz(ref.type, "Patient")) {
        put->context_type = ref.type;
        put->context_id = ref.id;
    }

    return HIE_OK;
}


/*
 * Reading.
 */

bool
hie_binary_wants_document(hie_job_t *job)
{
    hie_str_t  accept, format;

    format = hie_request_format(job);
    if (format.ptr != NULL) {
        return hie_request_is_fhir(format);
    }

    accept = hie_request_header(&job->request, "Accept");
    while (accept.ptr != NULL) {
        if (is_resource_type(hie_str_split(accept, ',', &accept))) {
            return true;
        }
    }

    return false;
}


/*
 * What somebody has uploaded is not to be run by a browser as if this server
 * had said it.
 */
static void
respond_raw(hie_job_t *job, hie_str_t type, hie_str_t body)
{
    hie_response_t  *r;

    r = &job->response;
    hie_respond(job, 200, HIE_STR_NONE);
    r->body = body;
    r->length = (int64_t) body.len;
    r->ranges = true;
    hie_respond_header(job, "Content-Type",
                       is_media_type(type) ? type : HIE_STR(OCTETS));
    hie_respond_header(job, "X-Content-Type-Options", HIE_STR("nosniff"));
    hie_respond_header(job, "Content-Security-Policy",
                       HIE_STR("default-src 'none'; sandbox"));
    hie_respond_header(job, "Content-Disposition", HIE_STR("attachment"));
}


/* Base64 with padding (RFC 4648 section 4); white space is tolerated, R4
 * section 2.24.0.1. */
static bool
decode_base64(apr_pool_t *pool, hie_str_t in, hie_str_t *out)
{
    int     n;
    char   *clean, *bytes;
    size_t  i, len;

    clean = apr_palloc(pool, in.len + 1);
    for (i = 0, len = 0; i < in.len; i++) {
        if (memchr(" \t\r\n", in.ptr[i], 4) == NULL) {
            clean[len++] = in.ptr[i];
        }
    }

    bytes = apr_palloc(pool, len / 4 * 3 + 1);
    n = len % 4 != 0 || len > INT32_MAX ? -1
        : EVP_DecodeBlock((unsigned char *) bytes, (unsigned char *) clean,
                          (int) len);
    if (n < 0) {
        return false;
    }

    for (i = 0; i < 2 && len > i && clean[len - 1 - i] == '='; i++) {
        n--;
    }

    *out = (hie_str_t) { bytes, (size_t) n };
    return true;
}


/* The data of a document, as what it is. */
static hie_rc_t
answer_inline(hie_job_t *job, const hie_doc_t *d, hie_str_t type)
{
    hie_str_t  data, body;

    data = hie_doc_get(d, 0, "data", job->pool);
    if (!decode_base64(job->pool, data, &body)) {
        return hie_fail(&job->error, HIE_UNPROCESSABLE, "Binary.data",
                        "it is no base64: read the resource as "
                        "application/fhir+json");
    }

    respond_raw(job, type, body);
    return HIE_OK;
}


/* Where a content goes: into memory or into a file. */
typedef struct {
    hie_buf_t     memory;
    apr_file_t   *file;          /* or NULL */
    bool          base64;
    char         *encoded;
    int64_t       len;
} sink_t;


static hie_rc_t
sink_add(sink_t *s, const char *ptr, size_t len, hie_error_t *err)
{
    s->len += (int64_t) len;
    if (s->file != NULL) {
        return hie_temp_write(s->file, ptr, len, err);
    }

    hie_buf_add(&s->memory, ptr, len);
    return HIE_OK;
}


static hie_rc_t
sink_chunk(void *baton, const char *ptr, size_t len, hie_error_t *err)
{
    int      n;
    sink_t  *s = baton;

    if (!s->base64) {
        return sink_add(s, ptr, len, err);
    }

    if (len > HIE_CHUNK) {
        return hie_fail(err, HIE_INTERNAL, "", "a chunk is too large");
    }

    n = EVP_EncodeBlock((unsigned char *) s->encoded,
                        (const unsigned char *) ptr, (int) len);
    return sink_add(s, s->encoded, (size_t) n, err);
}


/* What stands before and behind the data in a document. */
typedef struct {
    hie_str_t  head;
    hie_str_t  tail;
} frame_t;


/* The document around an element that is put in as the last one, before
 * `end`; `open` and `close` are what stands around its value. */
static void
cut(hie_job_t *job, hie_str_t text, const char *end, const char *open,
    const char *close, frame_t *f)
{
    size_t       len;
    hie_buf_t    b;
    hie_str_t    head;
    const char  *line = job->media.pretty ? "\n" : "";

    len = strlen(end);
    head = text;
    while (head.len > 0
           && (text.len - head.len < len
               || memcmp(head.ptr + head.len, end, len) != 0))
    {
        head.len--;
    }

    f->tail = (hie_str_t) { head.ptr + head.len, text.len - head.len };
    head = hie_str_trim(head);

    hie_buf_init(&b, job->pool, head.len + 64);
    hie_buf_adds(&b, head);
    hie_buf_addz(&b, job->media.xml ? "" : ",");
    hie_buf_addf(&b, "%s%s%s", line, job->media.pretty ? "  " : "", open);
    f->head = hie_buf_str(&b);

    hie_buf_init(&b, job->pool, f->tail.len + 16);
    hie_buf_addf(&b, "%s%s%.*s", close, line, HIE_PRISTR(f->tail));
    f->tail = hie_buf_str(&b);
}


/* Data is the last element in JSON and in XML (R4 section 2.44). */
static hie_rc_t
make_frame(hie_job_t *job, const hie_doc_t *d, frame_t *f)
{
    bool       pretty = job->media.pretty;
    hie_rc_t   rc;
    hie_buf_t  b;
    hie_str_t  json;

    if (!job->media.xml) {
        json = hie_doc_bytes(d);
        cut(job, pretty ? hie_fhir_pretty(job->pool, json) : json, "}",
            pretty ? "\"data\": \"" : "\"data\":\"", "\"", f);
        return HIE_OK;
    }

    hie_buf_init(&b, job->pool, 1024);
    rc = hie_xml_from_json(d, 0, pretty ? HIE_XML_PRETTY : 0, &b,
                           &job->error);
    if (rc != HIE_OK) {
        return hie_fail(&job->error, HIE_NOT_ACCEPTABLE, "Binary",
                        "this cannot be written as XML");
    }

    cut(job, hie_buf_str(&b), "</Binary>", "<data value=\"", "\"/>", f);
    return HIE_OK;
}


static hie_rc_t
fill_sink(hie_job_t *job, sink_t *s, const frame_t *f, int64_t content,
          int64_t size)
{
    hie_rc_t  rc;

    rc = sink_add(s, f->head.ptr, f->head.len, &job->error);
    if (rc == HIE_OK) {
        rc = hie_store_content_read(job->rt->store, content, size, sink_chunk,
                                    s, &job->error);
    }

    if (rc == HIE_OK) {
        rc = sink_add(s, f->tail.ptr, f->tail.len, &job->error);
    }

    return rc;
}


/* `f` NULL: the content as it is. */
static hie_rc_t
send_content(hie_job_t *job, const frame_t *f, int64_t content, int64_t size,
             int64_t length)
{
    sink_t                s;
    hie_rc_t              rc;
    hie_response_t       *r;
    static const frame_t  none = { { "", 0 }, { "", 0 } };

    memset(&s, 0, sizeof(s));
    s.base64 = (f != NULL);
    if (s.base64) {
        s.encoded = apr_palloc(job->pool, HIE_CHUNK / 3 * 4 + 1);
    }

    if (length > IN_MEMORY && job->entry) {
        return hie_fail(&job->error, HIE_TOO_COSTLY, "",
                        "the content is too large for an entry of a Bundle: "
                        "read it by itself");
    }

    if (length > IN_MEMORY) {
        rc = spool(job, &s.file);
        if (rc != HIE_OK) {
            return rc;
        }
    } else {
        hie_buf_init(&s.memory, job->pool, (size_t) length + 1);
    }

    rc = fill_sink(job, &s, f != NULL ? f : &none, content, size);
    if (rc == HIE_OK && s.len != length) {
        rc = hie_fail(&job->error, HIE_INTERNAL, "",
                      "a content is not what was written");
    }

    if (rc != HIE_OK) {
        return rc;
    }

    r = &job->response;
    r->body = s.file != NULL ? HIE_STR_NONE : hie_buf_str(&s.memory);
    r->body_file = s.file;
    return HIE_OK;
}


static hie_rc_t
answer_raw(hie_job_t *job, hie_str_t type, int64_t content, int64_t size)
{
    respond_raw(job, type, HIE_STR_NONE);
    job->response.length = size;
    return hie_str_eqz(job->request.method, "HEAD")
           ? HIE_OK : send_content(job, NULL, content, size, size);
}


/* The form is final here: what comes behind looks at bodies in memory only. */
static hie_rc_t
answer_document(hie_job_t *job, const hie_doc_t *d, int64_t content,
                int64_t size)
{
    int64_t   length;
    hie_rc_t  rc;
    frame_t   f;

    /* A part of the resource has no data, or says that it is a part. */
    if (job->media.subset.summary != 0
        || job->media.subset.elements.ptr != NULL)
    {
        hie_respond(job, 200, hie_doc_bytes(d));
        return HIE_OK;
    }

    memset(&f, 0, sizeof(f));
    rc = make_frame(job, d, &f);
    if (rc != HIE_OK) {
        return rc;
    }

    length = (int64_t) (f.head.len + f.tail.len) + (size + 2) / 3 * 4;
    hie_respond(job, 200, HIE_STR_NONE);
    hie_respond_header(job, "Content-Type", hie_str(job->media.type));
    job->response.length = length;
    return hie_str_eqz(job->request.method, "HEAD")
           ? HIE_OK : send_content(job, &f, content, size, length);
}


hie_rc_t
hie_binary_answer(hie_job_t *job, const hie_row_t *row)
{
    int64_t      content, size;
    hie_rc_t     rc;
    hie_str_t    type;
    hie_doc_t   *d;
    hie_error_t  err;

    content = size = 0;
    rc = hie_store_content(job->rt->store, row->id, row->version, job->pool,
                           &content, &size, &err);
    if (rc == HIE_NOT_FOUND && hie_binary_wants_document(job)) {
        hie_respond(job, 200, row->body);
        return HIE_OK;
    }

    if (rc != HIE_OK && rc != HIE_NOT_FOUND) {
        job->error = err;
        return rc;
    }

    if (hie_doc_parse(job->pool, row->body, job->rt->config->fhir.max_depth,
                      &d, &err) != HIE_OK)
    {
        return hie_fail(&job->error, HIE_INTERNAL, "",
                        "what is stored is no document");
    }

    if (rc == HIE_OK && hie_binary_wants_document(job)) {
        return answer_document(job, d, content, size);
    }

    type = hie_doc_get(d, 0, "contentType", job->pool);
    return rc == HIE_OK ? answer_raw(job, type, content, size)
                        : answer_inline(job, d, type);
}
