/*
 * The parser: JSON text (RFC 8259) to tape.
 *
 * Stricter than the RFC where it leaves a choice: duplicate names and lone
 * surrogates are refused, because two readers of the same bytes could
 * disagree about them; so is U+0000, which no FHIR string may hold (R4
 * section 2.24.0.1) and no database text can.
 */

#include "fhir/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Objects with more members have their names checked by sorting. */
#define SMALL_OBJECT  32

#define ONES   UINT64_C(0x0101010101010101)
#define HIGHS  UINT64_C(0x8080808080808080)

typedef struct {
    uint32_t  node;
    uint32_t  last;       /* node of the last child, 0 without any */
    uint32_t  count;
    bool      object;
    bool      sort;       /* names are to be compared when it closes */
    uint64_t  seen;       /* one bit for a hash of each name so far */
} frame_t;

typedef struct {
    apr_pool_t   *pool;
    apr_pool_t   *scratch;       /* made when first needed */
    const char   *text;
    const char   *end;
    const char   *p;
    hie_tape_t   *nodes;
    uint32_t      n;
    uint32_t      size;
    frame_t      *stack;
    int           depth;
    int           max_depth;
    const char   *name;          /* of the member whose value comes next */
    bool          name_escaped;
    hie_error_t  *err;
} parser_t;


/* Line and column count from 1; the column counts characters, not bytes. */
static hie_rc_t
fail_at(parser_t *ps, const char *at, const char *what)
{
    char         where[64];
    unsigned     line = 1, column = 1;
    const char  *p;

    for (p = ps->text; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char) *p & 0xc0) != 0x80) {
            column++;
        }
    }

    snprintf(where, sizeof(where), "line %u, column %u", line, column);

    return hie_fail(ps->err, HIE_INVALID, where, "%s%s", what,
                    at >= ps->end ? ", found the end" : "");
}


static void
skip_space(parser_t *ps)
{
    const char  *p = ps->p;
    uint64_t     w;

    while (p < ps->end && (unsigned char) *p <= ' ') {
        if (*p == ' ') {
            /* indentation comes in long runs */
            while (ps->end - p >= 8) {
                memcpy(&w, p, 8);

                if (w != ONES * ' ') {
                    break;
                }

                p += 8;
            }

            while (p < ps->end && *p == ' ') {
                p++;
            }

        } else if (*p == '\n' || *p == '\r' || *p == '\t') {
            p++;

        } else {
            break;
        }
    }

    ps->p = p;
}


static hie_tape_t *
add_node(parser_t *ps, hie_node_kind_t kind)
{
    hie_tape_t  *t;

    if (ps->n == ps->size) {
        t = apr_palloc(ps->pool, (size_t) ps->size * 2 * sizeof(*t));
        memcpy(t, ps->nodes, (size_t) ps->size * sizeof(*t));
        ps->nodes = t;
        ps->size *= 2;
    }

    t = &ps->nodes[ps->n];
    t->start = (uint32_t) (ps->p - ps->text);
    t->kind = kind;
    t->len = 0;
    t->flags = 0;
    t->name = 0;
    t->size = 1;

    if (ps->depth > 0) {
        frame_t  *f = &ps->stack[ps->depth - 1];

        f->last = ps->n;
        f->count++;

        if (f->object) {
            t->name = (uint32_t) (ps->name - ps->text);
            t->flags = HIE_TAPE_MEMBER
                       | (ps->name_escaped ? HIE_TAPE_NAME_ESCAPED : 0);
        }
    }

    ps->n++;

    return t;
}


/* The length of the well-formed UTF-8 sequence at `s` (RFC 3629), or 0. */
static unsigned
utf8_sequence(const unsigned char *s, size_t len)
{
    unsigned       i, n;
    unsigned char  low = 0x80, high = 0xbf;

    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        low = s[0] == 0xe0 ? 0xa0 : 0x80;
        high = s[0] == 0xed ? 0x9f : 0xbf;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        low = s[0] == 0xf0 ? 0x90 : 0x80;
        high = s[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }

    if (len < n || s[1] < low || s[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


/* The four digits of \uXXXX, or -1. */
static int
hex4(const char *p, const char *end)
{
    int  i, v = 0;

    if (end - p < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        char  c = p[i];

        v <<= 4;

        if (c >= '0' && c <= '9') {
            v |= c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            v |= (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
    }

    return v;
}


/* `p` is after the backslash. The byte after the escape, or NULL. */
static const char *
skip_escape(parser_t *ps, const char *p)
{
    int  high, low;

    if (p == ps->end) {
        fail_at(ps, p, "expected an escape");
        return NULL;
    }

    if (*p != 'u') {
        if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) {
            fail_at(ps, p, "expected one of \" \\ / b f n r t u "
                    "after a backslash");
            return NULL;
        }

        return p + 1;
    }

    high = hex4(p + 1, ps->end);

    if (high <= 0) {
        fail_at(ps, p, high < 0 ? "expected four hexadecimal digits after \\u"
                : "expected a character, found U+0000");
        return NULL;
    }

    if (high < 0xd800 || high > 0xdfff) {
        return p + 5;
    }

    low = high < 0xdc00 && ps->end - p >= 7 && p[5] == '\\' && p[6] == 'u'
          ? hex4(p + 7, ps->end) : -1;

    if (low < 0xdc00 || low > 0xdfff) {
        fail_at(ps, p, "expected a pair of surrogates, found half of one");
        return NULL;
    }

    return p + 11;
}


/* Steps over the plain ASCII bytes of a string, eight at a time. */
static const char *
skip_plain(const char *p, const char *end)
{
    uint64_t  w, quote, slash, special;

    while (end - p >= 8) {
        memcpy(&w, p, 8);

        /* A zero byte borrows: the lowest bit set is right, and all that is
         * asked here is whether there is one. */
        quote = w ^ ONES * '"';
        slash = w ^ ONES * '\\';
        special = w | (w - ONES * 0x20) | (quote - ONES) | (slash - ONES);

        if (special & HIGHS) {
            break;
        }

        p += 8;
    }

    while (p < end && (unsigned char) *p >= 0x20 && (unsigned char) *p < 0x80
           && *p != '"' && *p != '\\')
    {
        p++;
    }

    return p;
}


/* `p` is after the opening quote. The closing quote, or NULL. */
static const char *
scan_string(parser_t *ps, const char *p, bool *escaped)
{
    unsigned  n;

    *escaped = false;

    for (;;) {
        p = skip_plain(p, ps->end);

        if (p == ps->end) {
            fail_at(ps, p, "expected a closing quote");
            return NULL;
        }

        if (*p == '"') {
            return p;
        }

        if (*p == '\\') {
            *escaped = true;
            p = skip_escape(ps, p + 1);

            if (p == NULL) {
                return NULL;
            }

        } else if ((unsigned char) *p < 0x20) {
            fail_at(ps, p, "expected an escape for a control character");
            return NULL;

        } else {
            n = utf8_sequence((const unsigned char *) p,
                              (size_t) (ps->end - p));

            if (n == 0) {
                fail_at(ps, p, "expected UTF-8");
                return NULL;
            }

            p += n;
        }
    }
}


static const char *
skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* RFC 8259 section 6. The byte after the number, or NULL. */
static const char *
scan_number(parser_t *ps, const char *p)
{
    const char  *end = ps->end, *digits;

    if (p < end && *p == '-') {
        p++;
    }

    digits = p;
    p = skip_digits(p, end);

    if (p == digits) {
        fail_at(ps, p, "expected a digit");
        return NULL;
    }

    if (*digits == '0' && p - digits > 1) {
        fail_at(ps, digits, "expected no leading zero in a number");
        return NULL;
    }

    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);

        if (p == digits) {
            fail_at(ps, p, "expected a digit after the decimal point");
            return NULL;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        digits = p;
        p = skip_digits(p, end);

        if (p == digits) {
            fail_at(ps, p, "expected a digit in the exponent");
            return NULL;
        }
    }

    return p;
}


static hie_rc_t
add_word(parser_t *ps, const char *word, hie_node_kind_t kind)
{
    size_t       len = strlen(word);
    hie_tape_t  *t;

    if ((size_t) (ps->end - ps->p) < len || memcmp(ps->p, word, len) != 0) {
        return fail_at(ps, ps->p, "expected a value");
    }

    t = add_node(ps, kind);
    t->len = (uint32_t) len;
    ps->p += len;

    return HIE_OK;
}


/* A value that is no container, at ps->p. */
static hie_rc_t
add_scalar(parser_t *ps)
{
    hie_tape_t  *t;
    const char  *p;
    bool         escaped;

    if (ps->p < ps->end && *ps->p == '"') {
        p = scan_string(ps, ps->p + 1, &escaped);

        if (p == NULL) {
            return HIE_INVALID;
        }

        t = add_node(ps, HIE_NODE_STRING);
        t->flags |= escaped ? HIE_TAPE_ESCAPED : 0;
        p++;

    } else if (ps->p < ps->end
               && ((*ps->p >= '0' && *ps->p <= '9') || *ps->p == '-'))
    {
        p = scan_number(ps, ps->p);

        if (p == NULL) {
            return HIE_INVALID;
        }

        t = add_node(ps, HIE_NODE_NUMBER);

    } else if (ps->p < ps->end && *ps->p == 't') {
        return add_word(ps, "true", HIE_NODE_TRUE);

    } else if (ps->p < ps->end && *ps->p == 'f') {
        return add_word(ps, "false", HIE_NODE_FALSE);

    } else if (ps->p < ps->end && *ps->p == 'n') {
        return add_word(ps, "null", HIE_NODE_NULL);

    } else {
        return fail_at(ps, ps->p, "expected a value");
    }

    t->len = (uint32_t) (p - ps->p);
    ps->p = p;

    return HIE_OK;
}


static hie_rc_t
fail_duplicate(parser_t *ps, const char *at)
{
    return fail_at(ps, at, "expected every name once in an object, found one "
                   "twice");
}


/* Looks at the names so far only if the new one could be among them. */
static hie_rc_t
check_name(parser_t *ps, frame_t *f, const char *name, size_t len)
{
    const hie_tape_t  *t;
    uint64_t           bit;
    uint32_t           i;

    if (f->sort) {
        return HIE_OK;
    }

    if (ps->name_escaped || f->count >= SMALL_OBJECT) {
        f->sort = true;
        return HIE_OK;
    }

    bit = len + (unsigned char) name[0] * 7u;
    bit += len > 0 ? (unsigned char) name[len - 1] * 31u : 0;
    bit = UINT64_C(1) << (bit & 63);

    if (f->seen & bit) {
        for (i = f->node + 1; i < ps->n; i += t->size) {
            t = &ps->nodes[i];

            if (memcmp(ps->text + t->name, name, len) == 0
                && ps->text[t->name + len] == '"')
            {
                return fail_duplicate(ps, name);
            }
        }
    }

    f->seen |= bit;

    return HIE_OK;
}


/* The name of a member and its colon. */
static hie_rc_t
take_name(parser_t *ps)
{
    const char  *name, *p;

    skip_space(ps);

    if (ps->p == ps->end || *ps->p != '"') {
        return fail_at(ps, ps->p, "expected a name in quotes");
    }

    name = ps->p + 1;
    p = scan_string(ps, name, &ps->name_escaped);

    if (p == NULL) {
        return HIE_INVALID;
    }

    ps->name = name;

    if (check_name(ps, &ps->stack[ps->depth - 1], name, (size_t) (p - name))
        != HIE_OK)
    {
        return HIE_INVALID;
    }

    ps->p = p + 1;
    skip_space(ps);

    if (ps->p == ps->end || *ps->p != ':') {
        return fail_at(ps, ps->p, "expected a colon");
    }

    ps->p++;

    return HIE_OK;
}


static hie_rc_t
open_container(parser_t *ps, bool object)
{
    frame_t  *f;

    if (ps->depth == ps->max_depth) {
        return fail_at(ps, ps->p, "expected fewer levels of nesting");
    }

    add_node(ps, object ? HIE_NODE_OBJECT : HIE_NODE_ARRAY);

    f = &ps->stack[ps->depth++];
    memset(f, 0, sizeof(*f));
    f->node = ps->n - 1;
    f->object = object;

    ps->p++;

    return HIE_OK;
}


typedef struct {
    hie_str_t    name;
    const char  *at;
} named_t;


static int
compare_named(const void *va, const void *vb)
{
    const named_t  *a = va, *b = vb;
    size_t          len = a->name.len < b->name.len ? a->name.len
                                                    : b->name.len;
    int             rc = memcmp(a->name.ptr, b->name.ptr, len);

    if (rc == 0) {
        rc = (a->name.len > b->name.len) - (a->name.len < b->name.len);
    }

    return rc != 0 ? rc : (a->at > b->at) - (a->at < b->at);
}


/* Duplicate names of a large object, or of one with escapes in names. */
static hie_rc_t
check_names(parser_t *ps, const frame_t *f)
{
    hie_doc_t    d = { ps->text, ps->nodes };
    named_t     *names;
    const char  *twice = NULL;
    uint32_t     i, k;

    if (f->count < 2) {
        return HIE_OK;
    }

    if (ps->scratch == NULL) {
        ps->scratch = hie_pool_create(ps->pool, "json names");
    }

    names = apr_palloc(ps->scratch, f->count * sizeof(*names));

    for (i = f->node + 1, k = 0; i < ps->n; i += ps->nodes[i].size, k++) {
        names[k].at = ps->text + ps->nodes[i].name;
        names[k].name = hie_doc_name(&d, i, ps->scratch);
    }

    qsort(names, k, sizeof(*names), compare_named);

    for (i = 1; i < k; i++) {
        if (hie_str_eq(names[i - 1].name, names[i].name)
            && (twice == NULL || names[i].at < twice))
        {
            twice = names[i].at;
        }
    }

    apr_pool_clear(ps->scratch);

    return twice == NULL ? HIE_OK : fail_duplicate(ps, twice);
}


static hie_rc_t
close_container(parser_t *ps)
{
    frame_t     *f = &ps->stack[ps->depth - 1];
    hie_tape_t  *t = &ps->nodes[f->node];

    if (f->sort && check_names(ps, f) != HIE_OK) {
        return HIE_INVALID;
    }

    ps->p++;
    ps->depth--;
    t->len = (uint32_t) (ps->p - ps->text) - t->start;
    t->size = ps->n - f->node;

    if (f->last != 0) {
        ps->nodes[f->last].flags |= HIE_TAPE_LAST;
    }

    return HIE_OK;
}


/* What may follow a value: closes containers until a comma asks for more. */
static hie_rc_t
after_value(parser_t *ps)
{
    frame_t  *f;

    while (ps->depth > 0) {
        f = &ps->stack[ps->depth - 1];
        skip_space(ps);

        if (ps->p < ps->end && *ps->p == ',') {
            ps->p++;
            return f->object ? take_name(ps) : HIE_OK;
        }

        if (ps->p == ps->end || *ps->p != (f->object ? '}' : ']')) {
            return fail_at(ps, ps->p, f->object ? "expected a comma or }"
                                                : "expected a comma or ]");
        }

        if (close_container(ps) != HIE_OK) {
            return HIE_INVALID;
        }
    }

    return HIE_OK;
}


static hie_rc_t
parse(parser_t *ps)
{
    hie_rc_t  rc;
    bool      object;

    do {
        skip_space(ps);

        if (ps->p < ps->end && (*ps->p == '{' || *ps->p == '[')) {
            object = *ps->p == '{';
            rc = open_container(ps, object);

            if (rc != HIE_OK) {
                return rc;
            }

            skip_space(ps);

            if (ps->p == ps->end || *ps->p != (object ? '}' : ']')) {
                rc = object ? take_name(ps) : HIE_OK;

                if (rc != HIE_OK) {
                    return rc;
                }

                continue;
            }

            rc = close_container(ps);

        } else {
            rc = add_scalar(ps);
        }

        if (rc == HIE_OK) {
            rc = after_value(ps);
        }

        if (rc != HIE_OK) {
            return rc;
        }

    } while (ps->depth > 0);

    skip_space(ps);

    if (ps->p != ps->end) {
        return fail_at(ps, ps->p, "expected nothing after the value");
    }

    return HIE_OK;
}


hie_rc_t
hie_doc_parse(apr_pool_t *pool, hie_str_t bytes, int max_depth,
              hie_doc_t **out, hie_error_t *err)
{
    parser_t    ps;
    hie_doc_t  *d;
    hie_rc_t    rc;

    *out = NULL;

    if (bytes.len > HIE_DOC_BYTES_MAX) {
        return hie_fail(err, HIE_TOO_LARGE, "",
                        "expected at most %zu bytes of JSON, found %zu",
                        HIE_DOC_BYTES_MAX, bytes.len);
    }

    memset(&ps, 0, sizeof(ps));
    ps.pool = pool;
    ps.text = bytes.ptr != NULL ? bytes.ptr : "";
    ps.p = ps.text;
    ps.end = ps.text + bytes.len;
    ps.err = err;
    ps.max_depth = max_depth < 1 ? 1 : max_depth;

    if (ps.max_depth > HIE_DOC_DEPTH_MAX) {
        ps.max_depth = HIE_DOC_DEPTH_MAX;
    }

    /* Compact FHIR has a value in every 25 bytes or so. */
    ps.size = (uint32_t) (bytes.len / 24 + 16);
    ps.nodes = apr_palloc(pool, ps.size * sizeof(*ps.nodes));
    ps.stack = apr_palloc(pool, (size_t) ps.max_depth * sizeof(*ps.stack));

    rc = parse(&ps);

    if (ps.scratch != NULL) {
        apr_pool_destroy(ps.scratch);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    d = apr_palloc(pool, sizeof(*d));
    d->text = ps.text;
    d->nodes = ps.nodes;
    *out = d;

    return HIE_OK;
}
