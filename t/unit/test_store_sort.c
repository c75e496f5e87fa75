/*
 * store: the order of an answer, and its pages. What is computed in memory
 * from each document is the order that the pages must have, forward and
 * backward, whether all matches are sorted or the rows are walked to.
 */

#include "docs_tool.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/decimal.h"


/*
 * The value of a key, in memory.
 */
typedef struct {
    bool           missing;
    int            infinite;     /* -1, 0, 1 */
    int64_t        number;
    hie_decimal_t  decimal;
    hie_str_t      text;
} value_t;

typedef struct {
    const doc_t  *doc;
    value_t       values[HIE_SORTS_MAX];
} line_t;

static const value_t  none = { .missing = true };


static int
compare_values(const value_t *a, const value_t *b)
{
    int  c;

    if (a->infinite != b->infinite) {
        return a->infinite - b->infinite;
    }
    if (a->text.ptr != NULL) {
        c = memcmp(a->text.ptr, b->text.ptr,
                   a->text.len < b->text.len ? a->text.len : b->text.len);
        return c != 0 ? c : (a->text.len > b->text.len)
                            - (a->text.len < b->text.len);
    }
    if (a->number != b->number) {
        return a->number > b->number ? 1 : -1;
    }
    return a->infinite != 0 ? 0 : hie_decimal_compare(&a->decimal,
                                                      &b->decimal);
}


/* The least of both, or the greatest. */
static void
take(value_t *best, const hie_sort_t *s, value_t v)
{
    int  c;

    c = v.missing || best->missing ? 0 : compare_values(&v, best);
    if (!v.missing
        && (best->missing || (s->descending ? c > 0 : c < 0)))
    {
        *best = v;
    }
}


static bool
is_of(const uint32_t *params, int n, uint64_t slot)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (params[i] == slot) {
            return true;
        }
    }
    return false;
}


static value_t
number_value(const doc_t *d, const hie_sort_t *s)
{
    value_t                     best[2] = { none, none }, v;
    const hie_search_number_t  *n;
    int                         i, k;

    for (i = 0; i < d->values.n_numbers; i++) {
        n = &d->values.numbers[i];
        if (!is_of(s->params, s->n, n->slot)) {
            continue;
        }
        for (k = n->unit != 0 ? 0 : 1; k < 2; k++) {
            v = (value_t) { .decimal = k == 0
                ? s->descending ? n->unit_high : n->unit_low
                : s->descending ? n->high : n->low };
            if (n->open & (s->descending ? HIE_SEARCH_OPEN_HIGH
                                         : HIE_SEARCH_OPEN_LOW))
            {
                v.infinite = s->descending ? 1 : -1;
            }
            take(&best[k], s, v);
        }
    }
    return best[best[0].missing];
}


static value_t
target_value(const doc_t *d, const hie_sort_t *s, const hie_visible_t *v)
{
    const doc_t  *to;
    value_t       best = none;
    int           i;

    for (i = 0; i < d->values.n_references; i++) {
        to = docs_by_key(d->values.references[i].target);
        if (is_of(s->params, s->n, d->values.references[i].param)
            && docs_visible(to, v))
        {
            take(&best, s, (value_t) { .text = hie_str(apr_psprintf(pool,
                     "%s/%.*s", hie_types[to->type].name,
                     HIE_PRISTR(to->id))) });
        }
    }
    return best;
}


static value_t
own_value(const doc_t *d, const hie_sort_t *s, const hie_visible_t *v)
{
    const hie_search_values_t  *x = &d->values;
    value_t                     best = none;
    int                         i;

    switch (s->kind) {
    case HIE_SORT_ID:
        return (value_t) { .text = d->id };
    case HIE_SORT_UPDATED:
        return (value_t) { .number = d->row.updated };
    case HIE_SORT_STRING:
        for (i = 0; i < x->n_strings; i++) {
            if (is_of(s->params, s->n, x->strings[i].slot)) {
                take(&best, s, (value_t) { .text = x->strings[i].value });
            }
        }
        return best;
    case HIE_SORT_DATE:
        for (i = 0; i < x->n_dates; i++) {
            if (is_of(s->params, s->n, x->dates[i].slot)) {
                take(&best, s, (value_t) { .number = s->descending
                         ? x->dates[i].high : x->dates[i].low });
            }
        }
        return best;
    case HIE_SORT_TERM:
        for (i = 0; i < x->n_terms; i++) {
            if (is_of(s->params, s->n, x->terms[i].param)) {
                take(&best, s, (value_t) { .text = x->terms[i].value });
            }
        }
        return best;
    case HIE_SORT_NUMBER:
        return number_value(d, s);
    case HIE_SORT_TARGET:
        return target_value(d, s, v);
    }
    return none;
}


static bool
is_of_type(const hie_sort_t *s, hie_type_t type)
{
    int  i;

    for (i = 0; i < s->n; i++) {
        if (s->of[i] == type) {
            return true;
        }
    }
    return false;
}


static value_t
value_of(const doc_t *d, const hie_sort_t *s, const hie_visible_t *v)
{
    const doc_t  *to;
    value_t       best = none;
    int           i;

    if (s->n_through == 0) {
        return own_value(d, s, v);
    }
    for (i = 0; i < d->values.n_references; i++) {
        to = docs_by_key(d->values.references[i].target);
        if (is_of(s->through, s->n_through, d->values.references[i].param)
            && docs_visible(to, v) && is_of_type(s, to->type))
        {
            take(&best, s, own_value(to, s, v));
        }
    }
    return best;
}


/*
 * The order.
 */
static const asked_t  *sorting;       /* for qsort */

static int
compare_lines(const void *va, const void *vb)
{
    const line_t      *a = va, *b = vb;
    const hie_sort_t  *s = sorting->q.sorts;
    const value_t     *x, *y;
    int                i, c;

    for (i = 0; i < sorting->q.n_sorts; i++) {
        x = &a->values[i];
        y = &b->values[i];
        c = x->missing || y->missing ? 0 : compare_values(x, y);
        if (x->missing != y->missing) {
            return x->missing ? 1 : -1;
        }
        if (c != 0) {
            return s[i].descending ? -c : c;
        }
    }
    c = (a->doc->rid > b->doc->rid) - (a->doc->rid < b->doc->rid);
    return sorting->q.n_sorts > 0 && s[0].descending ? -c : c;
}


static int
lines_of(const asked_t *a, const hie_visible_t *v, line_t *lines)
{
    int  i, k, n = 0;

    for (i = 0; i < n_docs; i++) {
        if (is_asked_for(a, &docs[i], v)) {
            lines[n].doc = &docs[i];
            for (k = 0; k < a->q.n_sorts; k++) {
                lines[n].values[k] = value_of(&docs[i], &a->q.sorts[k], v);
            }
            n++;
        }
    }
    sorting = a;
    qsort(lines, (size_t) n, sizeof(*lines), compare_lines);
    return n;
}


/*
 * Pages.
 */
static void
wrong_page(const asked_t *a, const hie_found_t *found, const line_t *lines,
           int from, int n, const char *way)
{
    hie_row_t  *rows = apr_pcalloc(pool, sizeof(*rows) * (size_t) (n + 1));
    int         i;

    for (i = 0; i < n; i++) {
        rows[i].id = lines[from + i].doc->id;
    }
    fail_msg("%s, %s, from %d\nfound   : %s%s\nexpected: %s", a->text, way,
             from, ids_of_rows(found->rows, found->n),
             found->more ? " …" : "", ids_of_rows(rows, n));
}


static void
check_page(const asked_t *a, const hie_found_t *found, const line_t *lines,
           int from, int n, bool more, const char *way)
{
    int  i;

    if (found->n != n || found->more != more) {
        wrong_page(a, found, lines, from, n, way);
    }
    for (i = 0; i < n; i++) {
        if (found->rows[i].rid != lines[from + i].doc->rid
            || found->places[i].rid != lines[from + i].doc->rid)
        {
            wrong_page(a, found, lines, from, n, way);
        }
        assert_true(hie_str_eq(found->rows[i].body,
                               lines[from + i].doc->body));
    }
}


/* From the first page to the last and back, each row once each way. */
static void
walk_both_ways(asked_t *a, const hie_visible_t *v, const char *way)
{
    line_t       *lines = apr_pcalloc(pool, sizeof(*lines) * DOCS_MAX);
    int           all_of_them = lines_of(a, v, lines);
    int           count = a->q.count;
    int           at, n;
    hie_found_t   found;
    hie_place_t  *first = NULL;

    a->q.after = NULL;
    a->q.backwards = false;
    for (at = 0; at == 0 || at < all_of_them; at += count) {
        n = all_of_them - at < count ? all_of_them - at : count;
        found = find(a, v);
        check_page(a, &found, lines, at, n, at + count < all_of_them, way);
        first = &found.places[0];
        a->q.after = n > 0 ? &found.places[n - 1] : NULL;
    }

    a->q.backwards = true;
    a->q.after = first;
    for (at -= count; at > 0; at -= n) {
        n = at < count ? at : count;
        found = find(a, v);
        check_page(a, &found, lines, at - n, n, at > count, way);
        a->q.after = &found.places[0];
    }

    /* the last page, from the end */
    a->q.after = NULL;
    n = all_of_them < count ? all_of_them : count;
    found = find(a, v);
    check_page(a, &found, lines, all_of_them - n, n, all_of_them > count,
               way);
}


static const char *const  orders[] = {
    /* of the row */
    "Patient?", "Patient,Group,Practitioner?", "Patient?_sort=_id",
    "Patient?_sort=-_id", "Patient?_sort=_lastUpdated",
    "Patient?_sort=-_lastUpdated", "Patient?_sort=-_lastUpdated,_id",
    "Patient,Observation?_sort=-_lastUpdated",
    "Patient?_lastUpdated=ge2000&_sort=_lastUpdated",
    "Patient?_lastUpdated=ge2000&gender=male&_sort=-_lastUpdated",
    "Patient?_lastUpdated=2023-11-15&_sort=_lastUpdated",
    "Patient,Observation?_lastUpdated=ge2000&_sort=_lastUpdated",
    "Patient,Group?_lastUpdated=ge2000&_sort=-_lastUpdated",
    /* strings */
    "Patient?_sort=family", "Patient?_sort=-family", "Patient?_sort=given",
    "Patient?_sort=-name", "Patient,Practitioner?_sort=family",
    "Observation?_sort=value-string", "Observation?_sort=-value-string",
    "Organization?_sort=name", "Patient,Organization?_sort=-name",
    /* dates, some of them missing, equal, open, several */
    "Patient?_sort=birthdate", "Patient?_sort=-birthdate",
    "Observation?_sort=date", "Observation?_sort=-date",
    "Observation,RiskAssessment?_sort=-date", "Encounter?_sort=date",
    "Encounter?_sort=-date", "Observation?_sort=value-date",
    "QuestionnaireResponse?_sort=-authored",
    /* numbers */
    "Observation?_sort=value-quantity", "Observation?_sort=-value-quantity",
    "RiskAssessment?_sort=probability", "RiskAssessment?_sort=-probability",
    "Encounter?_sort=length", "Encounter?_sort=-length",
    /* what tokens say */
    "Observation?_sort=code", "Observation?_sort=-code",
    "Patient?_sort=identifier", "Patient?_sort=-gender,identifier",
    "ValueSet?_sort=-url", "QuestionnaireResponse?_sort=questionnaire",
    /* what is referred to */
    "Observation?_sort=subject", "Observation?_sort=-subject",
    "Observation?_sort=performer", "Observation?_sort=-performer",
    /* behind a reference */
    "Observation?_sort=subject:Patient.name",
    "Observation?_sort=-patient.family", "Observation?_sort=patient.birthdate",
    "Observation?_sort=-patient.birthdate,code",
    "Observation?_sort=patient._lastUpdated",
    "Observation?_sort=-patient.organization",
    "Observation?_sort=subject:Patient._id",
    "Observation?_sort=-subject:Patient._lastUpdated",
    "Patient?_sort=organization.name", "Observation?_sort=encounter.length",
    "Observation?_sort=patient.identifier",
    /* several keys */
    "Observation?_sort=status,-date,value-quantity,subject",
    "Observation?_sort=-status,date,-patient.family,-_id",
    "Patient?_sort=family,given,birthdate,-_lastUpdated",
    "Observation,Condition,Encounter?_sort=-subject,code",
    /* with criteria */
    "Patient?gender=male&_sort=-birthdate",
    "Patient?birthdate=ge1970&_sort=birthdate",
    "Observation?date=ge2020&_sort=-date",
    "Observation?code=8480-6&_sort=-value-quantity,date",
    "Observation?patient.name=an&_sort=date",
    "Patient?birthdate:missing=true&_sort=birthdate",
    "Patient?name=none&_sort=birthdate"
};

#define N_ORDERS  (sizeof(orders) / sizeof(orders[0]))


static void
check_orders(const hie_visible_t *v)
{
    apr_pool_t  *outer = pool;
    asked_t     *a;
    size_t       i;

    docs_populate();
    docs_restrict();
    for (i = 0; i < N_ORDERS; i++) {
        apr_pool_create(&pool, outer);
        a = ask(orders[i], 7);
        a->q.references = i % 2 == 1;
        walk_both_ways(a, v, "as it comes");
        wall(a);
        walk_both_ways(a, v, "walled");
        apr_pool_destroy(pool);
        pool = outer;
    }
}


static void
test_orders_of_all(void **state)
{
    check_orders(&docs_seers[0]);
}


static void
test_orders_of_actor(void **state)
{
    check_orders(&docs_seers[1]);
}


static void
test_orders_with_permission(void **state)
{
    check_orders(&docs_seers[2]);
}


/* Pages of one row, and of all rows exactly. */
static void
test_page_sizes(void **state)
{
    static const char *const  some[] = {
        "Patient?", "Patient?_sort=-birthdate", "Patient?_sort=birthdate,_id",
        "Patient?_sort=family", "Patient,Group?"
    };
    size_t                    i;

    docs_populate();
    for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        walk_both_ways(ask(some[i], 1), &all, "one by one");
        walk_both_ways(ask(some[i], 41), &all, "all but one or all");
        walk_both_ways(ask(some[i], 42), &all, "all");
    }
}


/* By the ends of dates of all lengths, that begin and end amid one another: of
 * times to the second by one index, of all others by another. */
static void
test_ends_of_dates(void **state)
{
    static const char *const  spans[] = {
        "DateTime\":\"2020-06-15T10:00:0%dZ\"",
        "DateTime\":\"2020-06-15T10:00:0%d.000Z\"",
        "DateTime\":\"2020-06-15T10:00:0%d.999Z\"",
        "DateTime\":\"2020-06-1%d\"",
        "Period\":{\"start\":\"2020-06-15T09:59:59Z\","
        "\"end\":\"2020-06-15T10:00:0%dZ\"}",
        "Period\":{\"start\":\"2020-06-1%d\",\"end\":\"2020-06-19\"}",
        "Period\":{\"start\":\"2020-06-15T10:00:0%dZ\"}",
        "Period\":{\"end\":\"2020-06-15T10:00:0%dZ\"}"
    };
    const size_t              n = sizeof(spans) / sizeof(spans[0]);
    asked_t                  *a;
    size_t                    i;
    int                       k;

    for (i = 0; i < 5 * n; i++) {
        docs_add("Observation", apr_psprintf(pool, "o%d", (int) i),
                 apr_pstrcat(pool, "\"status\":\"final\",\"effective",
                             spans[i * 3 % n], NULL), (int) (i * 7 % 5));
        if (i % 10 == 9) {
            docs_add("Observation", apr_psprintf(pool, "none%d", (int) i),
                     "\"status\":\"final\"");
        }
    }
    docs_store();
    for (k = 1; k < 50; k += k < 8 ? 1 : 17) {
        a = ask("Observation?_sort=-date", k);
        walk_both_ways(a, &all, "walked");
        walk_both_ways(ask("Observation?_sort=date", k), &all, "walked");
        a->q.explain = true;
        assert_non_null(strstr(hie_str_z(pool, find(a, &all).plan),
                               "\"resource_date_end\""));
    }
}


/*
 * Both forms: frequencies say that nearly all rows meet it, or nearly none.
 */
static bool
plan_has(asked_t *a, const char *text)
{
    hie_found_t  found;

    a->q.explain = true;
    found = find(a, &all);
    a->q.explain = false;
    assert_true(found.plan.len > 0);
    return strstr(hie_str_z(pool, found.plan), text) != NULL;
}


/* A tag that all patients have and one that few have. */
static void
add_many(void)
{
    int  i;

    for (i = 0; i < 1100; i++) {
        docs_add("Patient", apr_psprintf(pool, "m%d", i), "\"meta\":{\"tag\":"
                 "[{\"code\":\"%s\"}]}%s%s", i % 50 ? "many" : "few",
                 i % 7 == 6 ? "" : apr_psprintf(pool, ",\"birthDate\":"
                     "\"19%02d-0%d\"", i * 7 % 90 + 10, i % 9 + 1),
                 i % 5 == 4 ? "" : apr_psprintf(pool, ",\"name\":"
                     "[{\"family\":\"n%d\",\"given\":[\"b\",\"a%d\"]}]",
                     i * 13 % 400, i));
    }
    docs_store();
    sql("ANALYZE hie.resource");
    /* a store that asks for the statistics anew */
    hie_store_close(store);
    store = open_store(&conf);
}


static void
test_walked_and_sorted(void **state)
{
    static const char *const  sorts[] = {
        "birthdate", "-birthdate", "family", "-given", "_lastUpdated",
        "-_lastUpdated"
    };
    asked_t  *a;
    size_t    i;

    add_many();
    for (i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        a = ask(apr_psprintf(pool, "Patient?_tag=many&_sort=%s", sorts[i]),
                190);
        if (i < 4) {
            assert_false(plan_has(a, "resource_tokens"));
        }
        walk_both_ways(a, &all, "walked");
        a = ask(apr_psprintf(pool, "Patient?_tag=few&_sort=%s", sorts[i]), 5);
        assert_true(plan_has(a, "resource_tokens"));
        walk_both_ways(a, &all, "sorted");
    }
    walk_both_ways(ask("Patient?_tag=many", 190), &all, "walked by rid");
    walk_both_ways(ask("Patient?_tag=few", 5), &all, "few");
}


/* A row that comes in between does not shift the pages behind it, and one
 * that goes leaves the others where they are. */
static void
test_pages_amid_changes(void **state)
{
    asked_t      *a;
    hie_found_t   first, second;

    docs_add("Patient", "b", "\"birthDate\":\"1950\"");
    docs_add("Patient", "c", "\"birthDate\":\"1960\"");
    docs_add("Patient", "d", "\"birthDate\":\"1970\"");
    docs_add("Patient", "e", "\"active\":true");
    docs_store();
    a = ask("Patient?_sort=birthdate", 2);
    first = find(a, &all);
    assert_string_equal(ids_of_rows(first.rows, first.n), "b c");

    docs_add("Patient", "a", "\"birthDate\":\"1940\"");
    docs_delete("Patient", "c");
    docs_store();
    a->q.after = &first.places[1];
    second = find(a, &all);
    assert_string_equal(ids_of_rows(second.rows, second.n), "d e");
    assert_false(second.more);
    a->q.backwards = true;
    a->q.after = &second.places[0];
    second = find(a, &all);
    assert_string_equal(ids_of_rows(second.rows, second.n), "a b");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        DOCS_TEST(test_orders_of_all), DOCS_TEST(test_orders_of_actor),
        DOCS_TEST(test_orders_with_permission), DOCS_TEST(test_page_sizes),
        DOCS_TEST(test_ends_of_dates), DOCS_TEST(test_walked_and_sorted),
        DOCS_TEST(test_pages_amid_changes)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
