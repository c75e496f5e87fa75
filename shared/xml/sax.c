/*
 * libxml2 with what hostile input could do kept away from it: no document
 * type and so no entities, no network, no more depth, attributes and
 * namespaces than are of use.
 *
 * Its own limits on lengths are lifted (XML_PARSE_HUGE): an attachment is one
 * attribute and may have as many bytes as the caller lets a body have.
 */

#include "xml/private.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libxml/parserInternals.h>


void
hie_xml_init(void)
{
    xmlInitParser();
}


hie_str_t
hie_xml_str(const xmlChar *z)
{
    return hie_str((const char *) z);
}


void
hie_xml_refuse(hie_xml_sax_t *x, hie_rc_t rc, const char *rule,
               const char *where, const char *fmt, ...)
{
    va_list  ap;
    char     text[300];

    if (x->err.rc != 0) {
        return;
    }

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    hie_fail(&x->err, rc, where, "%s%sline %d: %s",
             rule != NULL ? rule : "", rule != NULL ? ": " : "",
             x->ctxt->input != NULL ? x->ctxt->input->line : 1, text);
    xmlStopParser(x->ctxt);
}


static void
on_error(void *baton, xmlErrorPtr e)
{
    hie_xml_sax_t  *x = baton;
    size_t          len;

    if (x->err.rc != 0 || e->level < XML_ERR_ERROR) {
        return;
    }

    len = e->message != NULL ? strcspn(e->message, "\n") : 0;
    hie_fail(&x->err, HIE_INVALID, "", "line %d: XML: %.*s", e->line,
             len < 200 ? (int) len : 200, len > 0 ? e->message : "");
    xmlStopParser(x->ctxt);
}


static void
on_doctype(void *baton, const xmlChar *name, const xmlChar *external,
           const xmlChar *system)
{
    hie_xml_refuse(baton, HIE_INVALID, NULL, "",
                   "a document type declaration is not accepted");
}


/* R4 section 2.6.1: UTF-8, whatever XML permits besides. The parser must not
 * follow a declaration: what it cannot convert it writes to standard error. */
static bool
declares_utf8(hie_str_t s)
{
    char         quote;
    const char  *p, *end;

    if (hie_str_starts(s, "\xef\xbb\xbf")) {
        s.ptr += 3;
        s.len -= 3;
    }

    end = hie_str_starts(s, "<?xml") ? memmem(s.ptr, s.len, "?>", 2) : NULL;
    if (end == NULL) {
        return true;
    }

    p = memmem(s.ptr, (size_t) (end - s.ptr), "encoding", 8);
    p = p != NULL ? memchr(p, '=', (size_t) (end - p)) : NULL;
    if (p == NULL) {
        return true;
    }

    s = hie_str_trim((hie_str_t) { p + 1, (size_t) (end - p - 1) });
    quote = s.len > 0 ? s.ptr[0] : '\0';
    s = s.len > 0 ? (hie_str_t) { s.ptr + 1, s.len - 1 } : s;

    return hie_str_ieqz(hie_str_split(s, quote, NULL), "UTF-8");
}


/* Behind a comment, CDATA section or processing instruction, whose text is
 * not to be taken for tags; `p` is behind its '<'. NULL: it does not end. */
static const char *
skip_markup(const char *p, const char *end)
{
    size_t       left = (size_t) (end - p);
    const char  *close;

    if (left >= 3 && memcmp(p, "!--", 3) == 0) {
        close = "-->";
        p += 3;

    } else if (left >= 8 && memcmp(p, "![CDATA[", 8) == 0) {
        close = "]]>";
        p += 8;

    } else if (left >= 1 && *p == '?') {
        close = "?>";

    } else {
        return p;
    }

    return memmem(p, (size_t) (end - p), close, strlen(close));
}


/* The '=' outside of quotes, up to the end of a tag. */
static const char *
count_attributes(const char *p, const char *end, int *n)
{
    for (*n = 0; p != NULL && p < end && *p != '>' && *p != '<'; p++) {
        if (*p == '"' || *p == '\'') {
            p = memchr(p + 1, *p, (size_t) (end - p - 1));
            if (p == NULL) {
                break;
            }

        } else if (*p == '=') {
            (*n)++;
        }
    }

    return p;
}


/* Attributes are counted before the parser sees them: it compares each with
 * each. What is not well-formed may be miscounted; it stops there. */
static bool
check_tags(hie_xml_sax_t *x)
{
    const char  *p = x->bytes.ptr, *end = p + x->bytes.len;
    int          n;

    while (p != NULL
           && (p = memchr(p, '<', (size_t) (end - p))) != NULL)
    {
        p = skip_markup(p + 1, end);
        p = count_attributes(p, end, &n);

        if (n > HIE_XML_ATTRIBUTES_MAX) {
            return false;
        }
    }

    return true;
}


static hie_rc_t
check_bytes(hie_xml_sax_t *x)
{
    const hie_str_t  *s = &x->bytes;

    if (s->len == 0) {
        return hie_fail(&x->err, HIE_INVALID, "", "XML: the document is "
                        "empty");
    }

    if (s->len > INT_MAX - 1) {
        return hie_fail(&x->err, HIE_TOO_LARGE, "", "XML: the document is "
                        "longer than 2 GB");
    }

    if (memchr(s->ptr, 0, s->len) != NULL || !hie_utf8_valid(*s)
        || !declares_utf8(*s))
    {
        return hie_fail(&x->err, HIE_INVALID, "", "XML: the document is not "
                        "UTF-8, or says that it is something else");
    }

    if (!check_tags(x)) {
        return hie_fail(&x->err, HIE_TOO_LARGE, "", "XML: a tag has more than "
                        "%d attributes", HIE_XML_ATTRIBUTES_MAX);
    }

    return HIE_OK;
}


hie_rc_t
hie_xml_parse(hie_xml_sax_t *x, const xmlSAXHandler *handler)
{
    int               malformed;
    hie_rc_t          rc;
    xmlParserCtxtPtr  ctxt;

    rc = check_bytes(x);
    if (rc != HIE_OK) {
        return rc;
    }

    if (x->max_depth > HIE_XML_DEPTH_MAX) {
        x->max_depth = HIE_XML_DEPTH_MAX;
    }

    ctxt = xmlCreateMemoryParserCtxt(x->bytes.ptr, (int) x->bytes.len);
    if (ctxt == NULL) {
        return hie_fail(&x->err, HIE_INTERNAL, "", "XML: out of memory");
    }

    x->ctxt = ctxt;
    /* NOENT makes &amp; in an attribute a character, like the other four;
     * there are no further entities without a document type */
    xmlCtxtUseOptions(ctxt, XML_PARSE_NONET | XML_PARSE_HUGE
                            | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);

    *ctxt->sax = *handler;
    ctxt->sax->initialized = XML_SAX2_MAGIC;
    ctxt->sax->serror = on_error;
    ctxt->sax->internalSubset = on_doctype;
    ctxt->userData = x;

    xmlParseDocument(ctxt);
    malformed = !ctxt->wellFormed || !ctxt->nsWellFormed;

    if (malformed && x->err.rc == 0) {
        hie_fail(&x->err, HIE_INVALID, "", "XML: not well-formed");
    }

    x->ctxt = NULL;
    xmlFreeParserCtxt(ctxt);
    xmlResetLastError();

    return x->err.rc != 0 ? x->err.rc : HIE_OK;
}


bool
hie_xml_enter(hie_xml_sax_t *x, int namespaces)
{
    if (x->err.rc != 0) {
        return false;
    }

    if (namespaces > HIE_XML_NAMESPACES_MAX) {
        hie_xml_refuse(x, HIE_TOO_LARGE, NULL, "", "more than %d namespaces "
                       "are declared", HIE_XML_NAMESPACES_MAX);
        return false;
    }

    if (x->depth >= x->max_depth) {
        hie_xml_refuse(x, HIE_TOO_LARGE, NULL, "", "more than %d levels",
                       x->max_depth);
        return false;
    }

    x->depth++;

    return true;
}


bool
hie_xml_leave(hie_xml_sax_t *x)
{
    if (x->err.rc != 0) {
        return false;
    }

    x->depth--;

    return true;
}


size_t
hie_xml_tag_end(const hie_xml_sax_t *x)
{
    long  at = xmlByteConsumed(x->ctxt);

    return at > 0 && (size_t) at <= x->bytes.len ? (size_t) at : 0;
}


/* The parser stands before the '>' of the tag, or at the end of the bytes. */
size_t
hie_xml_tag_start(const hie_xml_sax_t *x)
{
    size_t  at = hie_xml_tag_end(x);

    while (at > 0 && (at == x->bytes.len || x->bytes.ptr[at] != '<')) {
        at--;
    }

    return at;
}


void
hie_xml_put_text(hie_buf_t *b, hie_str_t s, bool quoted)
{
    const char  *p, *from, *end, *with;

    for (p = from = s.ptr, end = p + s.len; p < end; p++) {
        switch (*p) {
        case '&':
            with = "&amp;";
            break;
        case '<':
            with = "&lt;";
            break;
        case '>':
            with = "&gt;";
            break;
        case '\r':
            with = "&#13;";
            break;
        case '"':
            with = quoted ? "&quot;" : NULL;
            break;
        case '\n':
            with = quoted ? "&#10;" : NULL;
            break;
        case '\t':
            with = quoted ? "&#9;" : NULL;
            break;
        default:
            with = NULL;
        }

        if (with != NULL) {
            hie_buf_add(b, from, (size_t) (p - from));
            hie_buf_addz(b, with);
            from = p + 1;
        }
    }

    hie_buf_add(b, from, (size_t) (end - from));
}
