/*
 * encode, decode, escape, unescape (FHIRPath 2.1, section 5.6).
 */

#include <stdlib.h>

#include "fhirpath/private.h"
#include "fhirpath/calls.h"

static const struct {
    const char  *plain;
    const char  *html;
} entities[] = {
    { "&", "&amp;" }, { "<", "&lt;" }, { ">", "&gt;" }, { "\"", "&quot;" },
    { "'", "&#39;" }
};

#define N_ENTITIES  (sizeof(entities) / sizeof(entities[0]))


static hie_rc_t
unknown(fp_run_t *run, const fp_node_t *n, const char *known)
{
    return hie_fp_fail(run, n, HIE_INVALID, "%s() knows %s",
                       n->function->name, known);
}


static void
encode_hex(hie_buf_t *b, hie_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        hie_buf_addf(b, "%02x", (unsigned char) s.ptr[i]);
    }
}


/* With padding; `url`: the alphabet of RFC 4648 section 5. */
static void
encode_base64(hie_buf_t *b, hie_str_t s, bool url)
{
    size_t  i;

    hie_base64url_encode(b, s);
    for (i = 0; i < b->len && !url; i++) {
        b->ptr[i] = b->ptr[i] == '-' ? '+' : b->ptr[i] == '_' ? '/'
                    : b->ptr[i];
    }

    while (b->len % 4 != 0) {
        hie_buf_addc(b, '=');
    }
}


hie_rc_t
hie_fp_call_encode(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, how;
    hie_buf_t  b;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &how, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    hie_buf_init(&b, run->pool, s.len * 2 + 4);
    if (hie_str_eqz(how, "hex")) {
        encode_hex(&b, s);
    } else if (hie_str_eqz(how, "base64")) {
        encode_base64(&b, s, false);
    } else if (hie_str_eqz(how, "urlbase64")) {
        encode_base64(&b, s, true);
    } else {
        return unknown(run, n, "hex, base64 and urlbase64");
    }

    hie_fp_set_string(run, base, hie_buf_str(&b));
    return hie_fp_room(run, n, b.len);
}


static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static bool
decode_hex(apr_pool_t *pool, hie_str_t s, hie_str_t *out)
{
    char    *w = apr_palloc(pool, s.len / 2 + 1);
    int      high, low;
    size_t   i;

    out->ptr = w;
    out->len = s.len / 2;
    for (i = 0; i + 1 < s.len; i += 2) {
        high = hex_digit(s.ptr[i]);
        low = hex_digit(s.ptr[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }

        *w++ = (char) (high << 4 | low);
    }

    return s.len % 2 == 0;
}


static bool
decode_base64(apr_pool_t *pool, hie_str_t s, bool url, hie_str_t *out)
{
    char   *copy = apr_pmemdup(pool, s.ptr, s.len + (s.len == 0));
    size_t  i;

    while (s.len > 0 && s.len % 4 == 0 && copy[s.len - 1] == '=') {
        s.len--;
        if (s.len % 4 == 3 && copy[s.len - 1] == '=') {
            s.len--;
        }

        break;
    }

    for (i = 0; i < s.len && !url; i++) {
        if (copy[i] == '-' || copy[i] == '_') {
            return false;
        }

        copy[i] = copy[i] == '+' ? '-' : copy[i] == '/' ? '_' : copy[i];
    }

    return hie_base64url_decode(pool, (hie_str_t) { copy, s.len }, out);
}


/* What does not decode to text is nothing. */
hie_rc_t
hie_fp_call_decode(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool       there, right;
    hie_rc_t   rc;
    hie_str_t  s, how, out;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &how, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (hie_str_eqz(how, "hex")) {
        right = decode_hex(run->pool, s, &out);
    } else if (hie_str_eqz(how, "base64") || hie_str_eqz(how, "urlbase64")) {
        right = decode_base64(run->pool, s, how.ptr[0] == 'u', &out);
    } else {
        return unknown(run, n, "hex, base64 and urlbase64");
    }

    if (right && hie_utf8_valid(out)) {
        hie_fp_set_string(run, base, out);
    }

    return HIE_OK;
}


static void
escape_html(hie_buf_t *b, hie_str_t s)
{
    size_t  i, k;

    for (i = 0; i < s.len; i++) {
        for (k = 0; k < N_ENTITIES && s.ptr[i] != entities[k].plain[0]; k++) {
            continue;
        }

        if (k < N_ENTITIES) {
            hie_buf_addz(b, entities[k].html);
        } else {
            hie_buf_addc(b, s.ptr[i]);
        }
    }
}


static void
unescape_html(hie_buf_t *b, hie_str_t s)
{
    size_t     k;
    hie_str_t  rest;

    for (rest = s; rest.len > 0; ) {
        for (k = 0; k < N_ENTITIES && !hie_str_starts(rest, entities[k].html);
             k++)
        {
            continue;
        }

        if (k < N_ENTITIES) {
            hie_buf_addz(b, entities[k].plain);
            rest.ptr += strlen(entities[k].html);
            rest.len -= strlen(entities[k].html);
        } else {
            hie_buf_addc(b, *rest.ptr++);
            rest.len--;
        }
    }
}


hie_rc_t
hie_fp_call_escape(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, how, out;
    hie_buf_t  b;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &how, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    hie_buf_init(&b, run->pool, s.len + 8);
    if (hie_str_eqz(how, "html")) {
        escape_html(&b, s);
        out = hie_buf_str(&b);

    } else if (hie_str_eqz(how, "json")) {
        hie_buf_add_json(&b, s);
        out = hie_buf_str(&b);
        out.ptr++;
        out.len -= 2;

    } else {
        return unknown(run, n, "html and json");
    }

    hie_fp_set_string(run, base, out);
    return hie_fp_room(run, n, out.len);
}


/* By the parser of documents: it knows what a string of JSON is. */
static bool
unescape_json(apr_pool_t *pool, hie_str_t s, hie_str_t *out)
{
    hie_buf_t   b;
    hie_doc_t  *d;

    hie_buf_init(&b, pool, s.len + 3);
    hie_buf_addc(&b, '"');
    hie_buf_adds(&b, s);
    hie_buf_addc(&b, '"');
    if (hie_doc_parse(pool, hie_buf_str(&b), 1, &d, NULL) != HIE_OK) {
        return false;
    }

    *out = hie_doc_string(d, 0, pool);
    return out->ptr != NULL;
}


hie_rc_t
hie_fp_call_unescape(fp_run_t *run, const fp_node_t *n,
                     const fp_scope_t *scope, uint32_t base)
{
    bool       there;
    hie_rc_t   rc;
    hie_str_t  s, how, out;
    hie_buf_t  b;

    rc = hie_fp_two_strings(run, n, scope, base, &s, &how, &there);
    if (rc != HIE_OK || !there) {
        return rc;
    }

    if (hie_str_eqz(how, "html")) {
        hie_buf_init(&b, run->pool, s.len + 1);
        unescape_html(&b, s);
        hie_fp_set_string(run, base, hie_buf_str(&b));

    } else if (hie_str_eqz(how, "json")) {
        if (unescape_json(run->pool, s, &out)) {
            hie_fp_set_string(run, base, out);
        }

    } else {
        return unknown(run, n, "html and json");
    }

    return HIE_OK;
}
