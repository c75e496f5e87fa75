/*
 * Issues: collecting them, saying where, and the OperationOutcome of them.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "validation/private.h"

#define TEXT_MAX    600
#define PLACE_MAX   1000     /* bytes of an expression */


/* No string of FHIR has control characters (R4 section 2.24.0.1), that of an
 * OperationOutcome neither. */
static void
clean(char *p, size_t n)
{
    for ( ; n > 0; p++, n--) {
        if ((unsigned char) *p < ' ' && *p != '\t' && *p != '\n'
            && *p != '\r')
        {
            *p = '?';
        }
    }
}


hie_str_t
hie_place_render(apr_pool_t *pool, const place_t *place)
{
    const place_t  *chain[2 * HIE_CHECK_DEPTH_MAX + 8];
    hie_buf_t       b;
    int             n;

    for (n = 0; place != NULL && n < (int) (sizeof(chain) / sizeof(*chain));
         place = place->up)
    {
        chain[n++] = place;
    }

    hie_buf_init(&b, pool, 64);

    while (n-- > 0 && b.len < PLACE_MAX) {
        if (chain[n]->name.len > 0) {
            if (b.len > 0) {
                hie_buf_addc(&b, '.');
            }

            hie_buf_adds(&b, chain[n]->name);
        }

        if (chain[n]->index != NO_INDEX) {
            hie_buf_addf(&b, "[%d]", (int) chain[n]->index);
        }
    }

    clean(b.ptr, b.len);

    return hie_buf_str(&b);
}


/* The first `max` bytes at most, without a character cut in two. */
static size_t
cut(hie_str_t s, size_t max)
{
    size_t  n = s.len;

    if (n > max) {
        n = max;
        while (n > 0 && ((unsigned char) s.ptr[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    return n;
}


const char *
hie_issue_value(check_t *c, hie_node_t n)
{
    hie_str_t  raw = hie_doc_raw(c->d, n);
    size_t     len = cut(raw, HIE_ISSUE_VALUE_MAX);

    if (c->out->n >= c->max_issues && c->out->n_errors > 0) {
        return "";               /* nobody will read it */
    }

    return apr_psprintf(c->pool, "%.*s%s", (int) len, raw.ptr,
                        len < raw.len ? "\u2026" : "");
}


/* A place for one more: NULL where there is none. An error drives out a
 * warning, so that what is wrong is never without a reason. */
static hie_issue_t *
room_for(check_t *c, bool error)
{
    hie_issues_t  *out = c->out;
    hie_issue_t   *grown;

    if (out->n == c->max_issues) {
        out->more = true;

        return error && out->n_errors == 1 ? &out->issues[out->n - 1] : NULL;
    }

    if (out->n == c->size) {
        c->size = c->size == 0 ? 8 : c->size * 2;
        grown = apr_palloc(c->pool, (size_t) c->size * sizeof(*grown));
        if (out->n > 0) {
            memcpy(grown, out->issues, (size_t) out->n * sizeof(*grown));
        }

        out->issues = grown;
    }

    return &out->issues[out->n++];
}


/* Bytes that are no UTF-8 cannot be in it: names and values of a document are
 * cut at the borders of characters. */
static hie_str_t
format(apr_pool_t *pool, const char *fmt, va_list args)
{
    char       text[TEXT_MAX + 4];
    hie_str_t  s;
    int        n;

    n = vsnprintf(text, sizeof(text), fmt, args);
    s = (hie_str_t) { text, n < 0 ? 0 : (size_t) n };
    if (s.len >= sizeof(text)) {
        s.len = sizeof(text) - 1;
    }

    s.len = cut(s, TEXT_MAX);
    clean(text, s.len);

    return hie_str_dup(pool, s);
}


void
hie_issue_add(check_t *c, hie_issue_severity_t severity, const char *code,
              const place_t *place, hie_node_t node, const char *rule,
              const char *fmt, ...)
{
    bool          error = severity <= HIE_ISSUE_ERROR;
    va_list       args;
    hie_issue_t  *issue;

    if (c->trial != NULL) {
        c->trial->failed |= error;

        return;
    }

    c->out->n_errors += error;
    c->out->n_warnings += severity == HIE_ISSUE_WARNING;

    /* R4 section 3.1.0.5.1: 400 is for what is no FHIR, 422 for rules */
    if (error && strcmp(code, "invariant") != 0
        && strcmp(code, "code-invalid") != 0
        && strcmp(code, "business-rule") != 0)
    {
        c->invalid |= rule == NULL;
    }

    issue = room_for(c, error);
    if (issue == NULL) {
        return;
    }

    issue->severity = severity;
    issue->code = code;
    issue->expression = hie_place_render(c->pool, place);
    issue->rule = rule != NULL ? hie_str(apr_pstrdup(c->pool, rule))
                  : HIE_STR_NONE;
    issue->node = node;
    issue->line = 0;
    issue->column = 0;

    va_start(args, fmt);
    issue->text = format(c->pool, fmt, args);
    va_end(args);
}


/* By place in the document; of one place, as they were met. */
static int
compare_issues(const void *a, const void *b)
{
    const hie_issue_t  *x = *(const hie_issue_t *const *) a;
    const hie_issue_t  *y = *(const hie_issue_t *const *) b;

    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }

    return x < y ? -1 : x > y;
}


static void
add_line(const hie_doc_t *d, hie_issue_t *issue, const char **at,
         uint32_t *line, uint32_t *column)
{
    const char  *to = hie_doc_raw(d, issue->node).ptr, *p;

    for (p = *at; p < to; p++) {
        if (*p == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char) *p & 0xc0) != 0x80) {
            ++*column;
        }
    }

    *at = p;
    issue->line = *line;
    issue->column = *column;
}


void
hie_issue_finish(check_t *c)
{
    hie_issues_t  *out = c->out;
    hie_issue_t  **order, *sorted;
    const char    *at = hie_doc_bytes(c->d).ptr;
    uint32_t       line = 1, column = 1;
    int            i;

    if (out->n == 0) {
        return;
    }

    order = apr_palloc(c->pool, (size_t) out->n * sizeof(*order));
    sorted = apr_palloc(c->pool, (size_t) out->n * sizeof(*sorted));

    for (i = 0; i < out->n; i++) {
        order[i] = &out->issues[i];
    }

    qsort(order, (size_t) out->n, sizeof(*order), compare_issues);

    for (i = 0; i < out->n; i++) {
        sorted[i] = *order[i];
        add_line(c->d, &sorted[i], &at, &line, &column);
    }

    out->issues = sorted;
}


static const char *
severity_code(hie_issue_severity_t severity)
{
    static const char *const  codes[] = {
        "fatal", "error", "warning", "information"
    };

    return codes[severity - 1];
}


static void
add_issue(hie_buf_t *b, const hie_issue_t *issue, apr_pool_t *pool)
{
    hie_str_t  text = issue->text;

    if (issue->rule.len > 0) {
        text = hie_str(apr_psprintf(pool, "%.*s: %.*s",
                                    HIE_PRISTR(issue->rule),
                                    HIE_PRISTR(text)));
    }

    hie_buf_addf(b, "{\"severity\":\"%s\",\"code\":\"%s\",\"diagnostics\":",
                 severity_code(issue->severity), issue->code);
    hie_buf_add_json(b, text);

    if (issue->line > 0) {
        hie_buf_addf(b, ",\"location\":[\"line %u, column %u\"]",
                     issue->line, issue->column);
    }

    if (issue->expression.len > 0) {
        hie_buf_addz(b, ",\"expression\":[");
        hie_buf_add_json(b, issue->expression);
        hie_buf_addc(b, ']');
    }

    hie_buf_addc(b, '}');
}


hie_str_t
hie_validation_outcome(apr_pool_t *pool, const hie_issues_t *issues)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 256 + (size_t) issues->n * 256);
    hie_buf_addz(&b, "{\"resourceType\":\"OperationOutcome\",\"issue\":[");

    for (i = 0; i < issues->n; i++) {
        if (i > 0) {
            hie_buf_addc(&b, ',');
        }

        add_issue(&b, &issues->issues[i], pool);
    }

    if (issues->n == 0) {
        hie_buf_addz(&b, "{\"severity\":\"information\",\"code\":"
                     "\"informational\",\"diagnostics\":\"no issues\"}");
    } else if (issues->more) {
        hie_buf_addz(&b, ",{\"severity\":\"information\",\"code\":"
                     "\"incomplete\",\"diagnostics\":\"there are more "
                     "issues than are listed\"}");
    }

    hie_buf_addz(&b, "]}");

    return hie_buf_str(&b);
}
