/*
 * store: what comes with a page. The closure over all documents, computed in
 * memory, is what _include and _revinclude must bring.
 */

#include "docs_tool.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


#define INCLUDES  8

typedef struct {
    hie_include_t    includes[INCLUDES];
    hie_including_t  q;
    hie_found_t      page;
} including_t;


/* "Type?…" and includes, each with '<' for _revinclude and '+' for iterate. */
static including_t *
including(const char *text, const char *includes, const hie_visible_t *v)
{
    including_t          *g = apr_pcalloc(pool, sizeof(*g));
    asked_t              *a = ask(text, 100);
    const hie_include_t  *urls;
    hie_include_t        *i;
    hie_str_t             rest = hie_str(includes), one;
    hie_error_t           err;
    bool                  reverse, iterate;
    int                   n;

    a->q.references = true;
    g->page = find(a, v);
    g->q = (hie_including_t) {
        .rows = g->page.rows, .n = g->page.n, .includes = g->includes,
        .may_all = true, .max_rows = 1000, .max_rounds = 9
    };
    while (rest.len > 0) {
        one = hie_str_split(rest, ' ', &rest);
        reverse = one.ptr[0] == '<';
        iterate = one.ptr[reverse] == '+';
        one.ptr += reverse + iterate;
        one.len -= (size_t) reverse + iterate;
        i = &g->includes[g->q.n_includes++];
        if (hie_search_include(search, a->types, a->q.n_types, reverse,
                               iterate, one, pool, i, &err) != HIE_OK)
        {
            fail_msg("%s %s: %s", text, includes, err.detail);
        }
        n = 0;
        urls = i->all ? hie_search_include_urls(search, a->types,
                                                a->q.n_types, i, pool, &n)
                      : NULL;
        assert_true(g->q.n_includes + n <= INCLUDES);
        while (n-- > 0) {
            g->includes[g->q.n_includes++] = *urls++;
        }
    }
    return g;
}


/*
 * In memory.
 */
static bool
is_type(const doc_t *d, hie_type_t type)
{
    return type == HIE_TYPE_NONE || d->type == type;
}


/* Does the include lead from one document of what is there to another? */
static bool
includes(const hie_include_t *i, const doc_t *from, const doc_t *to)
{
    const doc_t  *source = i->reverse ? to : from;
    const doc_t  *target = i->reverse ? from : to;

    return is_type(source, i->source) && is_type(target, i->target)
           && docs_refers(source, i->param, i->canonical, target);
}


static bool
may_read(const hie_including_t *q, const doc_t *d)
{
    int  i;

    for (i = 0; i < q->n_may; i++) {
        if (hie_str_eqz(q->may[i], hie_types[d->type].name)) {
            return true;
        }
    }
    return q->may_all;
}


/* The round in which each document is reached, 0: never; 1: on the page. */
static void
closure(const including_t *g, const hie_visible_t *v, int *reached)
{
    const hie_include_t  *i;
    int                   round, from, to, k;

    memset(reached, 0, sizeof(*reached) * DOCS_MAX);
    for (k = 0; k < g->q.n; k++) {
        for (to = 0; to < n_docs; to++) {
            reached[to] = reached[to] || docs[to].rid == g->q.rows[k].rid;
        }
    }
    for (round = 1; round <= g->q.max_rounds + 1; round++) {
        for (from = 0; from < n_docs; from++) {
            for (to = 0; reached[from] == round && to < n_docs; to++) {
                for (k = 0; reached[to] == 0 && k < g->q.n_includes; k++) {
                    i = &g->includes[k];
                    if ((round == 1 || i->iterate)
                        && includes(i, &docs[from], &docs[to])
                        && docs_visible(&docs[to], v)
                        && may_read(&g->q, &docs[to]))
                    {
                        reached[to] = round + 1;
                    }
                }
            }
        }
    }
}


static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static const char *
join(char **names, int n)
{
    char  *out = "";
    int    i;

    qsort(names, (size_t) n, sizeof(*names), compare_names);
    for (i = 0; i < n; i++) {
        out = apr_pstrcat(pool, out, " ", names[i], NULL);
    }
    return out;
}


static const char *
expected_names(const including_t *g, const hie_visible_t *v, int *n)
{
    int    reached[DOCS_MAX];
    char  *names[DOCS_MAX];
    int    i;

    closure(g, v, reached);
    for (i = 0, *n = 0; i < n_docs; i++) {
        if (reached[i] > 1) {
            names[(*n)++] = apr_psprintf(pool, "%s/%.*s",
                                         hie_types[docs[i].type].name,
                                         HIE_PRISTR(docs[i].id));
        }
    }
    return join(names, *n);
}


static hie_found_t
include(const including_t *g, const hie_visible_t *v)
{
    hie_found_t  found;

    assert_int_equal(hie_store_include(store, v, &g->q, pool, &found, NULL),
                     HIE_OK);
    return found;
}


static const char *
found_names(const hie_found_t *found)
{
    char  *names[DOCS_MAX];
    int    i;

    for (i = 0; i < found->n; i++) {
        names[i] = apr_psprintf(pool, "%.*s/%.*s",
                                HIE_PRISTR(found->rows[i].type),
                                HIE_PRISTR(found->rows[i].id));
    }
    return join(names, found->n);
}


static int
expect(const including_t *g, const hie_visible_t *v, const char *what)
{
    hie_found_t  found = include(g, v);
    int          n;
    const char  *expected = expected_names(g, v, &n);

    if (strcmp(found_names(&found), expected) != 0 || found.more) {
        fail_msg("%s, seen by %d%s\nfound   :%s\nexpected:%s", what,
                 (int) (v - docs_seers), found.more ? ", and more" : "",
                 found_names(&found), expected);
    }
    return n;
}


static const struct {
    const char  *page;
    const char  *includes;
} cases[] = {
    { "Observation?", "Observation:subject" },
    { "Observation?", "Observation:subject:Patient" },
    { "Observation?", "Observation:subject:Group" },
    { "Observation?", "Observation:patient Observation:encounter" },
    { "Observation?", "Observation:performer:Practitioner" },
    { "Observation,Patient?_id=o0,o3,p3,p6",
      "Observation:subject Patient:organization" },
    { "Observation?code=8480-6",
      "Observation:subject +Patient:organization" },
    { "Observation?code=8480-6",
      "Observation:subject +Patient:organization +Organization:partof" },
    { "Observation?", "Observation:*" },
    { "Observation?", "Observation:*:Organization" },
    { "Observation?_id=o0,o3,o9", "*" },
    { "Observation?_id=o0,o3,o9", "+*" },
    { "Observation?_id=o0,o3", "* Observation:subject:Patient" },
    { "Encounter?_id=e19", "+Encounter:part-of" },
    { "Encounter?_id=e1,e0", "<+Encounter:part-of" },
    { "Patient?", "<Observation:patient" },
    { "Patient?", "<Observation:subject" },
    { "Patient,Group?", "<Observation:subject:Group" },
    { "Patient?_id=p0,p1,p3", "<Observation:* <Encounter:patient" },
    { "Patient?_id=p0,p3", "<*" },
    { "Patient?_id=p0,p3", "<* <Condition:patient" },
    { "Patient?gender=male",
      "<Observation:patient <+Provenance:target +Provenance:agent" },
    { "Patient?_id=p3,p6", "<Provenance:target:Patient" },
    { "Patient?_id=p3,p6", "<Provenance:target:Patient +Provenance:target" },
    { "QuestionnaireResponse?", "QuestionnaireResponse:questionnaire" },
    { "QuestionnaireResponse?",
      "QuestionnaireResponse:questionnaire:Questionnaire" },
    { "QuestionnaireResponse?_id=qr0,qr1", "*" },
    { "QuestionnaireResponse?_id=qr0,qr1", "QuestionnaireResponse:*" },
    { "Questionnaire?", "<QuestionnaireResponse:questionnaire" },
    { "Questionnaire?", "<QuestionnaireResponse:questionnaire"
      " +QuestionnaireResponse:subject" },
    { "List?_id=l1", "List:item +Observation:subject +*" },
    { "Patient?_id=none", "* <*" }
};

#define N_CASES  (sizeof(cases) / sizeof(cases[0]))


static void
check_cases(const hie_visible_t *v)
{
    apr_pool_t   *outer = pool;
    hie_str_t     may[] = { HIE_STR("Patient"), HIE_STR("Provenance"),
                            HIE_STR("Questionnaire") };
    including_t  *g;
    const char   *what;
    size_t        i;
    int           none = 0;

    docs_populate();
    docs_restrict();
    for (i = 0; i < N_CASES; i++) {
        apr_pool_create(&pool, outer);
        what = apr_pstrcat(pool, cases[i].page, ", ", cases[i].includes, NULL);
        g = including(cases[i].page, cases[i].includes, v);
        none += expect(g, v, what) == 0;
        g->q.may_all = false;
        g->q.n_may = 3;
        g->q.may = may;
        (void) expect(g, v, what);
        g->q.n_may = 0;
        assert_int_equal(expect(g, v, what), 0);
        apr_pool_destroy(pool);
        pool = outer;
    }
    assert_in_range(none, 1, 10);
}


static void
test_includes_of_all(void **state)
{
    check_cases(&docs_seers[0]);
}


static void
test_includes_of_actor(void **state)
{
    check_cases(&docs_seers[1]);
}


static void
test_includes_with_permission(void **state)
{
    check_cases(&docs_seers[2]);
}


/* What is withheld since the page was read is not included. The page itself
 * goes out as it was read, and may have what it names and nobody withholds. */
static void
test_withheld_meanwhile(void **state)
{
    including_t  *g, *back;
    hie_found_t   found;

    docs_add("Organization", "o", "\"active\":true");
    docs_add("Patient", "p", "\"managingOrganization\":{\"reference\":"
             "\"Organization/o\"}");
    docs_add("Encounter", "e", "\"status\":\"finished\",\"subject\":"
             "{\"reference\":\"Patient/p\"},\"serviceProvider\":"
             "{\"reference\":\"Organization/o\"}");
    docs_store();
    g = including("Encounter?", "Encounter:subject Encounter:service-provider"
                  " +Patient:organization", &docs_seers[1]);
    back = including("Organization?", "<Encounter:service-provider",
                     &docs_seers[1]);
    found = include(g, &docs_seers[1]);
    assert_string_equal(found_names(&found), " Organization/o Patient/p");
    found = include(back, &docs_seers[1]);
    assert_string_equal(found_names(&found), " Encounter/e");

    docs_consent("p", false, NULL, NULL);
    docs_store();
    found = include(g, &docs_seers[1]);
    assert_string_equal(found_names(&found), " Organization/o");
    found = include(back, &docs_seers[1]);
    assert_int_equal(found.n, 0);
    found = include(g, &docs_seers[0]);
    assert_int_equal(found.n, 2);
}


/* As many as there is room for, and whether there are more. */
static void
check_room(const char *page, const char *list, int room)
{
    including_t  *g = including(page, list, &all);
    hie_found_t   found;
    int           n, i, k;

    (void) expected_names(g, &all, &n);
    g->q.max_rows = room;
    found = include(g, &all);
    if (found.n != (n < room ? n : room) || found.more != (n > room)) {
        fail_msg("%s, %s: %d%s of %d, where there is room for %d", page, list,
                 found.n, found.more ? " and more" : "", n, room);
    }
    for (i = 0; i < found.n; i++) {
        for (k = 0; k < i; k++) {
            assert_true(found.rows[i].rid != found.rows[k].rid);
        }
    }
}


static void
test_room(void **state)
{
    static const struct {
        const char  *page;
        const char  *list;
    } wide[] = {
        { "Observation?", "Observation:subject" },
        { "Observation?", "Observation:subject Observation:subject:Patient"
          " Observation:*:Patient" },
        { "Patient?", "<Observation:patient <Observation:*" },
        { "Questionnaire?", "<QuestionnaireResponse:questionnaire" },
        { "QuestionnaireResponse?", "QuestionnaireResponse:questionnaire" },
        { "PlanDefinition?", "PlanDefinition:definition"
          " PlanDefinition:definition:Questionnaire" },
        { "Questionnaire?", "<PlanDefinition:definition" },
        { "Patient?_id=p3",
          "<Observation:patient <+Provenance:target +Provenance:agent" }
    };
    size_t  i;
    int     n, room;

    docs_populate();
    for (i = 0; i < 4; i++) {
        docs_add("PlanDefinition", apr_psprintf(pool, "plan%d", (int) i),
                 "\"status\":\"active\",\"action\":["
                 "{\"definitionCanonical\":\"http://a.example/q\"},"
                 "{\"definitionCanonical\":\"http://a.example/q|4\"},"
                 "{\"definitionCanonical\":\"http://a.example/q/sub\"},"
                 "{\"definitionUri\":\"http://a.example/quite\"}]");
    }
    docs_store();
    for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        (void) expected_names(including(wide[i].page, wide[i].list, &all),
                              &all, &n);
        assert_in_range(n, 2, 999);
        for (room = 0; room <= n + 1; room += n > 20 && room < n - 3 ? 5 : 1) {
            check_room(wide[i].page, wide[i].list, room);
        }
    }
}


/* Not all of what leads on is followed. */
static void
test_rounds(void **state)
{
    including_t  *g;
    hie_found_t   found;
    int           i;

    for (i = 0; i < 6; i++) {
        docs_add("Organization", apr_psprintf(pool, "o%d", i),
                 "\"partOf\":{\"reference\":\"Organization/o%d\"}",
                 (i + 1) % 6);
    }
    docs_store();
    g = including("Organization?_id=o0", "+Organization:partof", &all);
    for (i = 0; i < 4; i++) {
        g->q.max_rounds = i;
        found = include(g, &all);
        assert_int_equal(found.n, i + 1);
        assert_true(found.more);
    }
    /* a circle ends */
    g->q.max_rounds = 9;
    found = include(g, &all);
    assert_int_equal(found.n, 5);
    assert_false(found.more);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        DOCS_TEST(test_includes_of_all), DOCS_TEST(test_includes_of_actor),
        DOCS_TEST(test_includes_with_permission),
        DOCS_TEST(test_withheld_meanwhile), DOCS_TEST(test_room),
        DOCS_TEST(test_rounds)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
