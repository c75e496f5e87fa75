/*
 * ValueSet/$expand (R4 section 4.9.18.1).
 */

#include "terminology/private.h"

#include <string.h>

#include <apr_strings.h>

/* Levels of a nested answer: two of JSON each. */
#define TREE_MAX  30

typedef struct {
    tx_t                      *tx;
    const hie_term_request_t  *r;
    plan_t                    *plan;
    bool                       active_only;
    bool                       exclude_abstract;
    bool                       designations;
    bool                       definition;
    bool                       nested;
    int64_t                    offset;
    int64_t                    count;       /* -1: all */
    apr_array_header_t        *words;       /* hie_str_t, of the filter */
    apr_array_header_t        *wanted;      /* hie_str_t, of designation */
    crowd_t                    crowd;
    uint32_t                  *first_child; /* of a nested answer: by member, */
    uint32_t                  *next;        /* 0: none, otherwise plus 1 */
} expand_t;

/* Parameters that an answer repeats, and their types there. */
static const struct {
    const char  *name;
    const char  *type;
} echoed[] = {
    { "filter", "String" },
    { "offset", "Integer" },
    { "count", "Integer" },
    { "includeDesignations", "Boolean" },
    { "designation", "String" },
    { "includeDefinition", "Boolean" },
    { "activeOnly", "Boolean" },
    { "excludeNested", "Boolean" },
    { "excludeNotForUI", "Boolean" },
    { "excludePostCoordinated", "Boolean" },
    { "displayLanguage", "Code" },
    { "exclude-system", "Uri" },
    { "system-version", "Uri" },
    { "check-system-version", "Uri" },
    { "force-system-version", "Uri" },
    { "useSupplement", "Uri" }
};


/*
 * Which codes.
 */

/* Every word of the filter begins a word of the text: "acut ast". */
static bool
begins_word(hie_str_t text, hie_str_t word)
{
    size_t         i;
    unsigned char  before;

    for (i = 0; i + word.len <= text.len; i++) {
        before = i > 0 ? (unsigned char) text.ptr[i - 1] : ' ';

        if (before < 0x80 && !(before >= 'a' && before <= 'z')
            && !(before >= '0' && before <= '9')
            && memcmp(text.ptr + i, word.ptr, word.len) == 0)
        {
            return true;
        }
    }

    return false;
}


typedef struct {
    expand_t  *e;
    uint64_t   missing;             /* a bit for each word */
} words_t;


static void
look_for_words(words_t *w, hie_str_t text)
{
    expand_t   *e = w->e;
    int         i;

    if (text.len == 0 || w->missing == 0) {
        return;
    }

    text = hie_fhir_normalize(e->tx->pool, text);

    for (i = 0; i < e->words->nelts; i++) {
        if (begins_word(text, APR_ARRAY_IDX(e->words, i, hie_str_t))) {
            w->missing &= ~((uint64_t) 1 << i);
        }
    }
}


static void
look_in_designation(void *baton, const designation_t *d)
{
    look_for_words(baton, d->value);
}


static bool
has_words(expand_t *e, const member_t *m)
{
    words_t  w = { e, ((uint64_t) 1 << e->words->nelts) - 1 };

    look_for_words(&w, m->code);
    look_for_words(&w, hie_member_display(e->tx, m));

    if (w.missing != 0) {
        hie_member_designations(e->tx, m, look_in_designation, &w);
    }

    return w.missing == 0;
}


static hie_rc_t
take(void *baton, const member_t *m)
{
    expand_t  *e = baton;

    if ((e->active_only && (m->flags & CONCEPT_INACTIVE))
        || (e->exclude_abstract && (m->flags & CONCEPT_ABSTRACT)))
    {
        return HIE_OK;
    }

    if (e->words->nelts > 0) {
        if (!hie_tx_spend(e->tx, 20)) {
            return HIE_TOO_COSTLY;
        }

        if (!has_words(e, m)) {
            return HIE_OK;
        }
    }

    return hie_crowd_add(&e->crowd, m);
}


/*
 * What is asked.
 */

static hie_rc_t
read_words(expand_t *e)
{
    hie_str_t  word, rest = hie_in_text(e->r, "filter");

    e->words = apr_array_make(e->tx->pool, 4, sizeof(hie_str_t));
    rest = hie_fhir_normalize(e->tx->pool, rest);

    while (rest.ptr != NULL) {
        word = hie_str_split(rest, ' ', &rest);

        if (word.len > 0) {
            APR_ARRAY_PUSH(e->words, hie_str_t) = word;
        }
    }

    if (e->words->nelts > 32) {
        return hie_tx_fail(e->tx, HIE_TOO_COSTLY, "too-costly",
                           "a filter of more than 32 words");
    }

    return HIE_OK;
}


static hie_rc_t
read_parameters(expand_t *e)
{
    tx_t                      *tx = e->tx;
    const hie_term_request_t  *r = e->r;
    bool                       flat, ignored;

    if (hie_in_bool(tx, r, "activeOnly", &e->active_only) != HIE_OK
        || hie_in_bool(tx, r, "excludeNotForUI", &e->exclude_abstract)
           != HIE_OK
        || hie_in_bool(tx, r, "includeDesignations", &e->designations)
           != HIE_OK
        || hie_in_bool(tx, r, "includeDefinition", &e->definition) != HIE_OK
        || hie_in_bool(tx, r, "excludeNested", &flat) != HIE_OK
        || hie_in_bool(tx, r, "excludePostCoordinated", &ignored) != HIE_OK
        || hie_in_count(tx, r, "offset", &e->offset) != HIE_OK
        || hie_in_count(tx, r, "count", &e->count) != HIE_OK)
    {
        return HIE_INVALID;
    }

    e->wanted = hie_in_texts(r, "designation", tx->pool);
    e->designations = e->designations || e->wanted->nelts > 0;

    /* only who asks for a tree gets one: lists are what clients read */
    e->nested = hie_in_text(r, "excludeNested").len > 0 && !flat
                && e->offset < 0 && e->count < 0;

    return read_words(e);
}


static hie_rc_t
find_plan(expand_t *e)
{
    const hie_term_t  *term;
    hie_str_t          url = hie_in_text(e->r, "url");
    hie_rc_t           rc;
    uint32_t           i;

    rc = hie_in_term(e->tx, e->r, HIE_TERM_VALUE_SET, "valueSet", &term);

    if (rc == HIE_OK && term != NULL) {
        rc = hie_plan_of(e->tx, term, &e->plan);

    } else if (rc == HIE_OK && url.len == 0) {
        rc = hie_tx_fail(e->tx, HIE_INVALID, "required",
                         "expected one of the parameters url and valueSet");

    } else if (rc == HIE_OK) {
        rc = hie_plan_find(e->tx, url, hie_in_text(e->r, "valueSetVersion"),
                           NULL, &e->plan);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    term = e->plan->term;

    for (i = 0; i < term->set.n_supplements && rc == HIE_OK; i++) {
        rc = hie_tx_supplement(e->tx, term->set.supplements[i]);
    }

    return rc;
}


/*
 * The answer.
 */

typedef struct {
    expand_t   *e;
    hie_buf_t  *b;
} designations_t;


/* Of a token one half is the system of languages, or of uses. */
static bool
is_wanted(const expand_t *e, const designation_t *d)
{
    hie_str_t  token, code;
    int        i;

    for (i = 0; i < e->wanted->nelts; i++) {
        token = APR_ARRAY_IDX(e->wanted, i, hie_str_t);
        hie_str_split(token, '|', &code);
        code = code.ptr != NULL ? code : token;

        if (hie_language_meets(d->language, code)
            || (code.len > 0 && d->use.len > 0
                && memmem(d->use.ptr, d->use.len,
                          apr_psprintf(e->tx->pool, "\"%.*s\"",
                                       HIE_PRISTR(code)),
                          code.len + 2) != NULL))
        {
            return true;
        }
    }

    return e->wanted->nelts == 0;
}


static void
put_designation(void *baton, const designation_t *d)
{
    designations_t  *w = baton;

    if (d->value.len > 0 && is_wanted(w->e, d)) {
        hie_out_designation(w->b, d);
    }
}


static void
put_designations(expand_t *e, hie_buf_t *b, const member_t *m)
{
    designations_t  w = { e, b };
    size_t          before = b->len, empty;

    hie_out_key(b, "designation");
    hie_buf_addc(b, '[');
    empty = b->len;
    hie_member_designations(e->tx, m, put_designation, &w);

    if (b->len == empty) {
        b->len = before;
    } else {
        hie_buf_addc(b, ']');
    }
}


static void
put_member(expand_t *e, hie_buf_t *b, size_t i)
{
    const member_t  *m = &e->crowd.members[i];
    uint32_t         child;

    hie_out_key(b, NULL);
    hie_buf_addc(b, '{');
    hie_out_text(b, "system", m->system);

    if (m->flags & CONCEPT_ABSTRACT) {
        hie_out_bool(b, "abstract", true);
    }

    if (m->flags & CONCEPT_INACTIVE) {
        hie_out_bool(b, "inactive", true);
    }

    if (m->entry != NULL) {
        hie_out_text(b, "version", m->entry->version);
    }

    hie_out_text(b, "code", m->code);
    hie_out_text(b, "display", hie_member_display(e->tx, m));

    if (e->designations) {
        put_designations(e, b, m);
    }

    if (e->nested && e->first_child[i] != 0) {
        hie_out_key(b, "contains");
        hie_buf_addc(b, '[');

        for (child = e->first_child[i]; child != 0; child = e->next[child]) {
            put_member(e, b, child - 1);
        }

        hie_buf_addc(b, ']');
    }

    hie_buf_addc(b, '}');
}


/* The nearest concept above that is in the answer too; 0: none. What is
 * deeper than an answer may be stays flat. */
static uint32_t
parent_of(expand_t *e, const member_t *m)
{
    const system_t  *s;
    const range_t   *up;
    member_t         above;
    uint32_t         concept, found = 0, at;
    int              depth;

    if (m->term == NULL || m->concept == NO_CONCEPT
        || !m->term->system.forest)
    {
        return 0;
    }

    s = &m->term->system;
    concept = m->concept;

    for (depth = 0; depth < TREE_MAX; depth++) {
        up = &s->concepts[concept].parents;

        if (up->n == 0) {
            return found;
        }

        concept = s->links[up->first];

        if (found == 0) {
            above = *m;
            above.code = s->concepts[concept].code;
            at = hie_crowd_find(&e->crowd, &above);
            found = at != 0 && e->crowd.members[at - 1].term == m->term
                    ? at : 0;
        }
    }

    return 0;
}


/* Children in the order of the answer: from the last to the first, each put
 * in front. */
static void
nest(expand_t *e, uint32_t *roots)
{
    size_t    n = e->crowd.n, i;
    uint32_t  parent, *list;

    e->first_child = apr_pcalloc(e->tx->pool, (n + 1) * sizeof(uint32_t));
    e->next = apr_pcalloc(e->tx->pool, (n + 1) * sizeof(uint32_t));
    *roots = 0;

    for (i = n; i > 0; i--) {
        parent = parent_of(e, &e->crowd.members[i - 1]);
        list = parent != 0 ? &e->first_child[parent - 1] : roots;
        e->next[i] = *list;
        *list = (uint32_t) i;
    }
}


static void
put_contains(expand_t *e, hie_buf_t *b)
{
    size_t    i = e->offset > 0 ? (size_t) e->offset : 0, end = e->crowd.n;
    uint32_t  root;

    if (e->count >= 0 && i + (size_t) e->count < end) {
        end = i + (size_t) e->count;
    }

    if (i >= end) {
        return;
    }

    hie_out_key(b, "contains");
    hie_buf_addc(b, '[');

    if (e->nested) {
        for (nest(e, &root); root != 0; root = e->next[root]) {
            put_member(e, b, root - 1);
        }

    } else {
        for (; i < end; i++) {
            put_member(e, b, i);
        }
    }

    hie_buf_addc(b, ']');
}


static void
put_parameters(expand_t *e, hie_buf_t *b)
{
    const hie_term_parameter_t  *p;
    const hie_term_t            *t;
    size_t                       start = b->len, empty, i, k;
    int                          u;

    hie_out_key(b, "parameter");
    hie_buf_addc(b, '[');
    empty = b->len;

    for (i = 0; i < e->r->n_parameters; i++) {
        p = &e->r->parameters[i];

        for (k = 0; k < sizeof(echoed) / sizeof(echoed[0]); k++) {
            if (hie_str_eqz(p->name, echoed[k].name)) {
                hie_out_parameter(b, echoed[k].name, echoed[k].type,
                                  p->value);
            }
        }
    }

    for (u = 0; u < e->tx->used->nelts; u++) {
        t = APR_ARRAY_IDX(e->tx->used, u, const hie_term_t *);

        if (t != e->plan->term) {
            hie_out_parameter(b, t->kind == HIE_TERM_CODE_SYSTEM
                                 ? "used-codesystem" : "used-valueset",
                              "Uri", t->canonical);
        }
    }

    if (b->len == empty) {
        b->len = start;
    } else {
        hie_buf_addc(b, ']');
    }
}


static bool
is_stored(const expand_t *e, const hie_term_t *t)
{
    const plan_t  *p;
    int            i;

    for (i = 0; i < e->tx->plans->nelts; i++) {
        p = APR_ARRAY_IDX(e->tx->plans, i, plan_t *);

        if (p->term == t) {
            return p->stored;
        }
    }

    return false;
}


/* Not all codes are there: a fragment, or an expansion that says so itself. */
static bool
is_unclosed(const expand_t *e)
{
    const hie_term_t  *t;
    int                i;

    for (i = 0; i < e->tx->used->nelts; i++) {
        t = APR_ARRAY_IDX(e->tx->used, i, const hie_term_t *);

        if (t->kind == HIE_TERM_CODE_SYSTEM
            ? t->system.content != CONTENT_COMPLETE
            : t->set.expanded && t->set.unclosed && is_stored(e, t))
        {
            return true;
        }
    }

    return false;
}


/* A UUID of what was asked and what was found: the same expansion has the same
 * one (R4 ValueSet.expansion.identifier; RFC 9562 section 5.8). */
static void
put_identifier(const expand_t *e, hie_buf_t *b, hie_str_t parameters)
{
    hie_str_t   parts[4] = { e->plan->term->canonical, parameters };
    uint64_t    high = hie_hash64_parts(parts, 2), low = high;
    hie_str_t   so_far = { (const char *) &low, sizeof(low) };
    size_t      i;

    for (i = 0; i < e->crowd.n; i++) {
        parts[0] = so_far;
        parts[1] = e->crowd.members[i].system;
        parts[2] = e->crowd.members[i].code;
        parts[3] = hie_member_display(e->tx, &e->crowd.members[i]);
        low = hie_hash64_parts(parts, 4);
    }

    hie_out_key(b, "identifier");
    hie_buf_addf(b, "\"urn:uuid:%08x-%04x-8%03x-%04x-%012llx\"",
                 (unsigned) (high >> 32), (unsigned) (high >> 16 & 0xffff),
                 (unsigned) (high & 0xfff),
                 (unsigned) (0x8000 | (low >> 48 & 0x3fff)),
                 (unsigned long long) (low & 0xffffffffffff));
}


static void
put_expansion(expand_t *e, hie_buf_t *b)
{
    char       instant[HIE_INSTANT_LEN + 1];
    hie_buf_t  parameters;

    hie_time_instant(instant, e->r->now);
    hie_buf_init(&parameters, e->tx->pool, 256);
    put_parameters(e, &parameters);

    hie_buf_addz(b, "{");

    if (is_unclosed(e)) {
        hie_out_raw(b, "extension", HIE_STR(
            "[{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
            "valueset-unclosed\",\"valueBoolean\":true}]"));
    }

    put_identifier(e, b, hie_buf_str(&parameters));
    hie_out_text(b, "timestamp", hie_str(instant));
    hie_buf_addf(b, ",\"total\":%zu", e->crowd.n);

    if (e->offset >= 0 || e->count >= 0) {
        hie_buf_addf(b, ",\"offset\":%d",
                     (int) (e->offset > 0 ? e->offset : 0));
    }

    hie_out_raw(b, NULL, hie_buf_str(&parameters));
    put_contains(e, b);
    hie_buf_addc(b, '}');
}


static hie_rc_t
expand(expand_t *e, hie_buf_t *b)
{
    size_t    max = e->r->limits.codes != 0 ? e->r->limits.codes
                                            : HIE_TERM_CODES;
    hie_rc_t  rc = read_parameters(e);

    if (rc == HIE_OK) {
        rc = find_plan(e);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    /* a page may be of any expansion that can be walked */
    hie_crowd_init(&e->crowd, e->tx, e->count >= 0 ? 0 : max);

    if (e->count > (int64_t) max) {
        e->count = (int64_t) max;
    }

    rc = hie_plan_walk(e->tx, e->plan, take, e);

    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(b, e->tx->pool, 256 + 100 * (e->count >= 0
                                              ? (size_t) e->count
                                              : e->crowd.n));
    hie_buf_addz(b, "{\"resourceType\":\"ValueSet\"");
    hie_out_raw(b, NULL, e->plan->term->set.head);

    if (e->definition) {
        hie_out_raw(b, NULL, e->plan->term->set.definition);
    }

    hie_out_key(b, "expansion");
    put_expansion(e, b);
    hie_buf_addc(b, '}');

    return HIE_OK;
}


hie_rc_t
hie_term_expand(const hie_term_request_t *r, hie_str_t *out,
                hie_error_t *err)
{
    static const char *const  refused[] = { "context", "date", NULL };

    tx_t       tx;
    expand_t   e = { .tx = &tx, .r = r };
    hie_buf_t  b;
    hie_rc_t   rc = hie_in_begin(&tx, r, refused, err);

    if (rc == HIE_OK) {
        rc = expand(&e, &b);
    }

    return hie_in_end(&tx, rc, &b, out);
}
