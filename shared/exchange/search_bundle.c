/*
 * The answer to a search: a Bundle with what was found, what comes with it,
 * what there is to say about it, and the links to further pages (FHIR R4
 * sections 3.1.1.1.4 and 3.1.0.12).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/searching.h"

/* Whether a page begins behind its place, or ends before it. */
#define FORWARDS   0
#define BACKWARDS  1

/* Of a place: direction, number of values, rid. */
#define PLACE_HEAD  10

/* Of a value in it: is it there, number, length of the text. */
#define VALUE_HEAD  11


/*
 * Places.
 */

static void
put_place(hie_buf_t *b, const hie_place_t *place, int direction)
{
    int                       i;
    unsigned char             head[VALUE_HEAD];
    const hie_place_value_t  *v;

    head[0] = (unsigned char) direction;
    head[1] = (unsigned char) place->n;
    hie_place_put(head + 2, place->rid);
    hie_buf_add(b, head, PLACE_HEAD);

    for (i = 0; i < place->n; i++) {
        v = &place->values[i];
        head[0] = v->missing;
        hie_place_put(head + 1, v->number);
        head[9] = (unsigned char) (v->text.len >> 8);
        head[10] = (unsigned char) v->text.len;
        hie_buf_add(b, head, VALUE_HEAD);
        hie_buf_adds(b, v->text);
    }
}


static bool
get_value(hie_str_t *in, hie_place_value_t *v)
{
    const unsigned char  *p = (const unsigned char *) in->ptr;

    if (in->len < VALUE_HEAD) {
        return false;
    }

    v->missing = p[0] != 0;
    v->number = hie_place_get(p + 1);
    v->text.len = (size_t) p[9] << 8 | p[10];
    v->text.ptr = in->ptr + VALUE_HEAD;
    if (in->len - VALUE_HEAD < v->text.len) {
        return false;
    }

    in->ptr += VALUE_HEAD + v->text.len;
    in->len -= VALUE_HEAD + v->text.len;
    return true;
}


/* It was sealed by us; but the release that did it may have been another. */
static bool
get_place(hie_str_t in, hie_place_t *place, bool *backwards)
{
    int                   i;
    const unsigned char  *p = (const unsigned char *) in.ptr;

    memset(place, 0, sizeof(*place));
    if (in.len < PLACE_HEAD || p[1] > HIE_SORTS_MAX) {
        return false;
    }

    *backwards = p[0] == BACKWARDS;
    place->n = p[1];
    place->rid = hie_place_get(p + 2);
    in.ptr += PLACE_HEAD;
    in.len -= PLACE_HEAD;
    for (i = 0; i < place->n; i++) {
        if (!get_value(&in, &place->values[i])) {
            return false;
        }
    }

    return in.len == 0;
}


hie_rc_t
hie_search_open(hie_searching_t *s)
{
    hie_rc_t    rc;
    hie_job_t  *job = s->job;
    hie_str_t   place;

    if (s->cursor.ptr == NULL) {
        return HIE_OK;
    }

    rc = hie_place_open_any(job, s->path, s->used, s->cursor, &place,
                            &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (!get_place(place, &s->place, &s->query.backwards)
        || s->place.n != s->query.n_sorts)
    {
        return hie_fail(&job->error, HIE_INVALID, "",
                        "\"_cursor\" is not a page of this search");
    }

    s->query.after = &s->place;
    return HIE_OK;
}


/*
 * Links.
 */

static hie_rc_t
add_page(hie_buf_t *b, hie_searching_t *s, const char *relation,
         const hie_place_t *place, int direction)
{
    hie_rc_t   rc;
    hie_buf_t  text;
    hie_str_t  cursor;

    hie_buf_init(&text, s->job->pool, 64);
    put_place(&text, place, direction);
    rc = hie_place_seal(s->job, s->path, s->used,
                        (const unsigned char *) text.ptr, text.len, &cursor,
                        &s->job->error);
    if (rc == HIE_OK) {
        hie_buf_addc(b, ',');
        hie_page_link(b, s->job, relation, s->path, s->used, cursor);
    }

    return rc;
}


/* There is a page on the side that this one was come from. */
static hie_rc_t
add_links(hie_buf_t *b, hie_searching_t *s)
{
    hie_rc_t            rc = HIE_OK;
    const hie_query_t  *q = &s->query;
    const hie_found_t  *f = &s->found;

    hie_buf_addz(b, ",\"link\":[");
    hie_page_link(b, s->job, "self", s->path, s->used, s->cursor);
    if (q->count > 0) {
        hie_buf_addc(b, ',');
        hie_page_link(b, s->job, "first", s->path, s->used, HIE_STR_NONE);
    }

    if (f->n > 0 && q->after != NULL && (!q->backwards || f->more)) {
        rc = add_page(b, s, "previous", &f->places[0], BACKWARDS);
    }

    if (rc == HIE_OK && f->n > 0 && (q->backwards || f->more)) {
        rc = add_page(b, s, "next", &f->places[f->n - 1], FORWARDS);
    }

    hie_buf_addc(b, ']');
    return rc;
}


/*
 * Entries.
 */

typedef struct {
    hie_buf_t         b;
    hie_searching_t  *s;
    int               n;         /* entries so far */
} bundle_t;


static void
begin_entry(bundle_t *w)
{
    hie_buf_addz(&w->b, w->n++ == 0 ? ",\"entry\":[" : ",");
}


static void
add_rows(bundle_t *w, const hie_found_t *found, const char *mode)
{
    int               i;
    const hie_row_t  *row;

    for (i = 0; i < found->n; i++) {
        row = &found->rows[i];
        begin_entry(w);
        hie_buf_addz(&w->b, "{\"fullUrl\":");
        hie_page_full_url(&w->b, w->s->job, row);
        hie_buf_addz(&w->b, ",\"resource\":");
        hie_buf_adds(&w->b, row->body);
        hie_buf_addf(&w->b, ",\"search\":{\"mode\":\"%s\"}}", mode);
    }
}


static void
begin_outcome(bundle_t *w)
{
    begin_entry(w);
    hie_buf_addz(&w->b, "{\"resource\":{\"resourceType\":"
                 "\"OperationOutcome\",\"issue\":[");
}


static void
end_outcome(bundle_t *w)
{
    hie_buf_addz(&w->b, "]},\"search\":{\"mode\":\"outcome\"}}");
}


static void
add_issue(bundle_t *w, bool first, const char *severity, const char *code,
          hie_str_t text)
{
    hie_buf_addf(&w->b, "%s{\"severity\":\"%s\",\"code\":\"%s\","
                 "\"diagnostics\":", first ? "" : ",", severity, code);
    hie_buf_add_json(&w->b, text);
    hie_buf_addc(&w->b, '}');
}


static void
add_warnings(bundle_t *w)
{
    int               i, k;
    hie_searching_t  *s = w->s;

    if (s->warnings->nelts + s->gaps->nelts == 0 && !s->included.more) {
        return;
    }

    begin_outcome(w);
    for (i = 0; i < s->warnings->nelts; i++) {
        add_issue(w, i == 0, "warning", "not-supported",
                  hie_str(apr_psprintf(s->job->pool, "left out: %s",
                      APR_ARRAY_IDX(s->warnings, i, const char *))));
    }

    for (k = 0; k < s->gaps->nelts; k++, i++) {
        add_issue(w, i == 0, "warning", "incomplete",
                  hie_str(APR_ARRAY_IDX(s->gaps, k, const char *)));
    }

    if (s->included.more) {
        add_issue(w, i == 0, "warning", "incomplete",
                  hie_str(apr_psprintf(s->job->pool, "not all that _include "
                      "and _revinclude ask for is here: a page has at most "
                      "%d such resources",
                      s->job->rt->config->fhir.search.max_includes)));
    }

    end_outcome(w);
}


/* How the search was done, and what the database says about it. */
static void
add_explanation(bundle_t *w)
{
    int                     i;
    hie_str_t               text;
    const hie_found_t      *f = &w->s->found;
    const hie_explained_t  *e;

    if (!w->s->query.explain) {
        return;
    }

    begin_outcome(w);
    for (i = 0; i < f->n_explained; i++) {
        e = &f->explained[i];
        text = hie_str(apr_psprintf(w->s->job->pool, "%.*s: %.*s",
                                    HIE_PRISTR(e->source),
                                    HIE_PRISTR(e->how)));
        add_issue(w, i == 0, "information", "informational", text);
    }

    if (i == 0) {
        add_issue(w, true, "information", "informational",
                  HIE_STR("there are no criteria"));
    }

    end_outcome(w);
    begin_outcome(w);
    add_issue(w, true, "information", "informational", f->plan);
    end_outcome(w);
}


static size_t
size_of(const hie_searching_t *s)
{
    int     i;
    size_t  size = 4096 + 4 * s->used.len + s->found.plan.len * 2;

    for (i = 0; i < s->found.n; i++) {
        size += s->found.rows[i].body.len + 256;
    }

    for (i = 0; i < s->included.n; i++) {
        size += s->included.rows[i].body.len + 256;
    }

    return size;
}


hie_rc_t
hie_search_bundle(hie_searching_t *s, hie_str_t *out)
{
    hie_rc_t  rc;
    bundle_t  w = { .s = s };

    hie_buf_init(&w.b, s->job->pool, size_of(s));
    hie_buf_addz(&w.b, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"");
    if (s->found.total >= 0) {
        hie_buf_addf(&w.b, ",\"total\":%" APR_INT64_T_FMT,
                     (apr_int64_t) s->found.total);
    }

    rc = add_links(&w.b, s);
    if (rc != HIE_OK) {
        return rc;
    }

    add_rows(&w, &s->found, "match");
    add_rows(&w, &s->included, "include");
    add_warnings(&w);
    add_explanation(&w);
    hie_buf_addz(&w.b, w.n > 0 ? "]}" : "}");
    *out = hie_buf_str(&w.b);
    return HIE_OK;
}
