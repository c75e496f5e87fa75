/*
 * store: every kind of criterion, by its index, as a condition and negated,
 * finds what is found in memory; for everyone who may see less, too.
 */

#include "docs_tool.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


static const char *const  shapes[] = {
    /* tokens */
    "Observation?code=8480-6",
    "Observation?code=http://loinc.example|8480-6",
    "Observation?code=|8480-6",
    "Observation?code=http://loinc.example|",
    "Observation?code=8462-4,29463-7,none",
    "Observation?code:not=8480-6",
    "Observation?code:not=8480-6,8462-4",
    "Observation?code=8480-6&status=final",
    "Observation?status=final,amended&code:not=8480-6",
    "Patient?identifier=urn:mrn|3",
    "Patient?identifier=urn:mrn|3,7",
    "Patient?identifier:not=urn:mrn|3",
    "Patient?active=true",
    "Patient?gender=male&active=true",
    "Observation?_tag=urn:t|new",
    "Observation?_tag=urn:t|new&_profile=http://a.example/q/sub",
    "Observation?subject=Patient/p3",
    "Observation?subject=" DOCS_BASE "/Patient/p3",
    "Observation?patient=p3,p6",
    "Observation?subject:Patient=p3",
    "Observation?subject:identifier=urn:mrn|11",
    "Observation?subject=Patient/p10/_history/1",
    "Observation?performer=Organization/org0&status=final",
    "ValueSet?url=http://a.example/q",
    "QuestionnaireResponse?questionnaire=http://a.example/q",
    "QuestionnaireResponse?questionnaire=http://a.example/q|1",
    /* presence */
    "Patient?birthdate:missing=true",
    "Patient?birthdate:missing=false",
    "Observation?subject:missing=true&status=final",
    "Observation?value-quantity:missing=false&code:missing=false",
    "Encounter?length:missing=true",
    /* ids and times of writing */
    "Patient?_id=p1",
    "Patient?_id=p1,p2,none",
    "Patient?_id=p1,p2,p3&gender=male",
    "Patient?_lastUpdated=gt2023-11-15",
    "Patient?_lastUpdated=ge2023-11-15&_lastUpdated=lt2023-11-16",
    "Patient?_lastUpdated=2023-11-15",
    "Patient?_lastUpdated=ne2023-11-15",
    "Patient?_lastUpdated=le2023-11-16T10:13:20.000Z",
    "Patient?_lastUpdated=eb2023-11-15,sa2023-11-16",
    "Patient?_lastUpdated=2023-11-15,ne2023-11-16",
    "Patient?_lastUpdated=ap2023-11-15",
    /* strings */
    "Patient?name=ann",
    "Patient?name=Ander",
    "Patient?name=angstrom",
    "Patient?name=o'n",
    "Patient?name=100",
    "Patient?name=100%",
    "Patient?name=\xe5\xbc\xa0",
    "Patient?name:contains=mith",
    "Patient?name:contains=%_",
    "Patient?name:exact=Zhu",
    "Patient?name:exact=Ann,zhu",
    "Patient?name=ann,bob,zhu",
    "Patient?name:contains=er,mith",
    "Patient?name=a&family=s&gender=male",
    "Patient?family=form&given=a",
    "Patient?family=none",
    "Organization?name=1,s,m&partof=org0",
    "Observation?value-string=heart",
    /* dates */
    "Patient?birthdate=1970",
    "Patient?birthdate=1970-05",
    "Patient?birthdate=ne1970",
    "Patient?birthdate=gt1970-05&birthdate=lt2000",
    "Patient?birthdate=ge1999-12-31",
    "Patient?birthdate=le1970-05-12,sa2000-01,eb1935",
    "Patient?birthdate=ap1970,2000-02-29,1934",
    "Observation?date=2020",
    "Observation?date=ne2020",
    "Observation?date=2020-06-15",
    "Observation?date=2020-06",
    "Observation?date=gt2020-06",
    "Observation?date=lt2020-01-10",
    "Observation?date=ge2020-06-15T10:00:00Z",
    "Observation?date=le2020-01-15",
    "Observation?date=sa2020-01-31",
    "Observation?date=eb2020-01-31",
    "Observation?date=ap2020-06-15",
    "Observation?date=ge2020-06&date=lt2020-07&status=final",
    "Observation?date=ne2020,2021",
    "Observation?value-date=2020-03,ge2020-02",
    "Encounter?date=sa2014-06",
    "Encounter?date=lt2015,gt2025",
    /* numbers and quantities */
    "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=5.4",
    "Observation?value-quantity=5.40||mg",
    "Observation?value-quantity=0.0054|http://unitsofmeasure.org|g",
    "Observation?value-quantity=ne5.4|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=ge5.4",
    "Observation?value-quantity=lt5.4",
    "Observation?value-quantity=le5.4||mg",
    "Observation?value-quantity=sa5.4|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=sa1",
    "Observation?value-quantity=eb7|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=eb7",
    "Observation?value-quantity=ap6",
    "Observation?value-quantity=ap6|http://unitsofmeasure.org|mg",
    "Observation?value-quantity=le5.4||mg,ge100,lt-1|http://"
    "unitsofmeasure.org|Cel,sa1000,eb-9,ap4,ne4",
    "Observation?value-quantity=gt0.001|http://unitsofmeasure.org|g,"
    "lt100|http://unitsofmeasure.org|mm[Hg]",
    "Observation?value-quantity=-3.25",
    "RiskAssessment?probability=gt0.2",
    "RiskAssessment?probability=0.1",
    "RiskAssessment?probability=0.3,lt0.15",
    "RiskAssessment?probability=ne0.1",
    "RiskAssessment?probability=sa0.1",
    "Encounter?length=gt120|http://unitsofmeasure.org|min",
    "Encounter?length=3",
    /* composites */
    "Observation?code-value-quantity=8480-6$gt5|http://unitsofmeasure.org|mg",
    "Observation?code-value-quantity=http://loinc.example|8480-6$5.4",
    "Observation?code-value-quantity=|8480-6$lt6",
    "Observation?code-value-quantity=8462-4$gt5,8480-6$lt6",
    "Observation?component-code-value-quantity=8480-6$lt6",
    "Observation?combo-code-value-quantity=http://loinc.example|29463-7"
    "$ge5.4||mg",
    "Observation?code-value-date=8480-6$ge2020-01",
    "Observation?code-value-string=8480-6$heart",
    "Observation?code-value-concept=8480-6$pos",
    "Observation?code-value-concept=8462-4$http://v|pos&status=final",
    "MolecularSequence?chromosome-window-coordinate=1$gt100$lt600",
    "MolecularSequence?chromosome-window-coordinate=1$lt345$gt123",
    "MolecularSequence?chromosome-window-coordinate=http://c|1$ge0$le800",
    "MolecularSequence?chromosome-window-coordinate=1$100$ne200,1$ne1$650",
    /* what tokens say */
    "Observation?code:text=heart",
    "Observation?code:text=systolic,diastolic",
    "Observation?code:text=heart&status=final",
    "Observation?code:text=diastolic blood",
    "Observation?subject:text=some",
    "Observation?_profile:below=http://a.example/q",
    "ValueSet?url:below=http://a.example/q",
    "ValueSet?url:below=http://a.example/q/sub,urn:oid:1.2.3",
    "ValueSet?url:above=http://a.example/q/sub/deep",
    "ValueSet?url:above=http://a.example/q/sub/deep/er/x,http://d.example",
    /* full text */
    "Patient?_text=falls",
    "Patient?_text=prone deaf",
    "Patient?_text=falls,nothing",
    "Patient?_text=zhu",
    "Patient?_content=zhu",
    "Patient?_content=zhu falls,bob",
    /* places */
    "Location?near=42.2|-83.1|11|km",
    "Location?near=42.2|-83.1|60|km",
    "Location?near=43.25|179.9|400|km",
    "Location?near=46.25|180|3|km",
    "Location?near=-89.9|-100|50|km",
    "Location?near=42.2|-83.1|60|km&name=place",
    /* chains */
    "Observation?patient.name=ann",
    "Observation?subject:Patient.name=ann&code=8480-6,8462-4",
    "Observation?subject.name=anders",
    "Observation?patient.organization.name=a",
    "Observation?patient.organization.partof.name=a",
    "Observation?subject:Patient.birthdate=lt1980",
    "Observation?subject:Patient.gender:not=male",
    "Observation?subject:Patient.birthdate:missing=true",
    "Observation?patient.identifier=urn:mrn|3,urn:mrn|6",
    "Observation?encounter.date=ge2015&patient.gender=male",
    "Observation?performer.name=a",
    "Observation?subject:Patient._id=p3,gone",
    "Observation?subject:Patient.name=Anders",
    "Encounter?part-of.part-of.length=gt1",
    "QuestionnaireResponse?questionnaire.title=an",
    "QuestionnaireResponse?questionnaire.title=a,m&status=completed,amended",
    "QuestionnaireResponse?questionnaire.status=draft&subject:missing=false",
    /* the other way */
    "Patient?_has:Observation:patient:code=8480-6",
    "Patient?_has:Observation:patient:code=8480-6,8462-4&gender=male",
    "Patient?_has:Observation:subject:date=ge2020-06",
    "Patient?_has:Observation:patient:status=final&"
    "_has:Condition:patient:code=8480-6",
    "Patient?_has:Observation:patient:_has:Provenance:target:agent="
    "Practitioner/doc0",
    "Patient?_has:Observation:patient:code:not=8480-6",
    "Patient?organization._has:Patient:organization:gender=male",
    "Organization?_has:Patient:organization:name=ann",
    "Organization?_has:Patient:organization:name=former",
    "Practitioner?_has:Observation:performer:patient.gender=male",
    "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed",
    "Questionnaire?_has:QuestionnaireResponse:questionnaire:authored=2021&"
    "status=active",
    "Questionnaire?_has:QuestionnaireResponse:questionnaire:subject=p3",
    "Patient?_list=l3",
    "Observation?_list=l3,l4",
    /* filters */
    "Patient?_filter=gender eq male and birthdate lt 1990",
    "Patient?_filter=not (gender eq male)",
    "Patient?_filter=name sw \"an\" or birthdate pr false",
    "Patient?_filter=name co \"mit\" or name ew \"son\"",
    "Patient?_filter=not (name sw \"a\" or name sw \"former\")",
    "Observation?_filter=not (patient.name sw \"an\")",
    "Observation?_filter=subject:Patient[gender eq male].name sw \"z\"",
    "Observation?_filter=value-quantity gt 5 or code eq 8480-6",
    "Patient?_filter=not (_has:Observation:patient:code eq 8480-6)",
    "Patient?_filter=name ne \"zhu\" and birthdate ne 1970",
    /* several types */
    "Patient,Practitioner?name=a",
    "Patient,Practitioner,Organization?name=anders,zhu",
    "Observation,Condition?code=8480-6",
    "Observation,Condition,Encounter?subject=Patient/p3",
    "Observation,Condition?patient.name=ann",
    "Observation,Condition?code:text=heart",
    "Observation,RiskAssessment?date=ge2020-06",
    "Patient,Observation?_id=p1,o1",
    "Patient,Observation?_lastUpdated=gt2023-11-16",
    "Patient,Observation?_has:Provenance:target:agent=Practitioner/doc1",
    "Patient,Group?",
    "Observation?"
};

#define N_SHAPES  ((int) (sizeof(shapes) / sizeof(shapes[0])))


static int
compare_rids(const void *a, const void *b)
{
    const hie_row_t  *x = *(const hie_row_t *const *) a;
    const hie_row_t  *y = *(const hie_row_t *const *) b;

    return (x->rid > y->rid) - (x->rid < y->rid);
}


/* "Type/id …" in the order of rid. */
static const char *
names_of(const hie_row_t *rows, int n)
{
    const hie_row_t  **sorted = apr_palloc(pool, sizeof(*sorted)
                                                 * (size_t) (n + 1));
    hie_buf_t          b;
    int                i;

    for (i = 0; i < n; i++) {
        sorted[i] = &rows[i];
    }
    qsort(sorted, (size_t) n, sizeof(*sorted), compare_rids);
    hie_buf_init(&b, pool, 1024);
    for (i = 0; i < n; i++) {
        hie_buf_addf(&b, " %.*s/%.*s", HIE_PRISTR(sorted[i]->type),
                     HIE_PRISTR(sorted[i]->id));
    }
    hie_buf_addc(&b, '\0');
    return b.ptr;
}


static const char *
names_expected(const asked_t *a, const hie_visible_t *v, int *n)
{
    hie_row_t  *rows = apr_pcalloc(pool, sizeof(*rows) * DOCS_MAX);
    int         i;

    for (i = 0, *n = 0; i < n_docs; i++) {
        if (is_asked_for(a, &docs[i], v)) {
            rows[*n].type = hie_str(hie_types[docs[i].type].name);
            rows[*n].id = docs[i].id;
            rows[(*n)++].rid = docs[i].rid;
        }
    }
    return names_of(rows, *n);
}


static void
expect(asked_t *a, const hie_visible_t *v, const char *names, int n,
       const char *way)
{
    hie_found_t  found = find(a, v);

    if (strcmp(names_of(found.rows, found.n), names) != 0 || found.more
        || (a->q.total != HIE_TOTAL_NONE && found.total != n))
    {
        fail_msg("%s, %s, seen by %d\nfound   :%s\nexpected:%s", a->text, way,
                 (int) (v - docs_seers), names_of(found.rows, found.n), names);
    }
}


/* The rows found and sorted, or walked to; with a total. */
static void
expect_all(asked_t *a, const hie_visible_t *v, const char *way)
{
    int          n;
    const char  *names = names_expected(a, v, &n);

    a->q.total = HIE_TOTAL_ACCURATE;
    expect(a, v, names, n, way);
    a->q.total = HIE_TOTAL_NONE;
    a->q.n_sorts = 2;
    a->q.sorts = a->sorts;
    a->sorts[0].kind = HIE_SORT_UPDATED;
    a->sorts[1].kind = HIE_SORT_ID;
    expect(a, v, names, n, apr_pstrcat(pool, way, ", sorted", NULL));
    a->q.n_sorts = 0;
}


static void
expect_in_transaction(asked_t *a, const hie_visible_t *v)
{
    hie_store_tx_t  *tx;
    hie_found_t      found;
    const char      *names;
    int              n;

    names = names_expected(a, v, &n);
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_find(tx, v, NULL, 0, &a->q, 1, &found, NULL),
                     HIE_OK);
    hie_store_rollback(tx);
    assert_string_equal(names_of(found.rows, found.n), names);
}


/* Together with an id, which leads; with one that meets it and one that does
 * not. */
static void
expect_of_id(const char *text, const hie_visible_t *v)
{
    asked_t     *a = ask(text, 400);
    hie_str_t    ids[3] = { HIE_STR("none"), HIE_STR("none"), HIE_STR("o3") };
    const char  *names;
    int          i, n;

    for (i = 0; i < n_docs; i++) {
        if (docs[i].type == a->types[0]) {
            ids[is_asked_for(a, &docs[i], v)] = docs[i].id;
        }
    }
    a->criterion[a->criteria.n++] = (hie_criterion_t) {
        .kind = HIE_CRITERION_IDS, .n = 3, .ids = ids
    };
    names = names_expected(a, v, &n);
    expect(a, v, names, n, "beside ids");
}


static void
negate(asked_t *a)
{
    a->criterion[0].negate = true;
}


static void
check_shape(const char *text, const hie_visible_t *v)
{
    asked_t  *a = ask(text, 400);

    expect_all(a, v, "by an index");
    expect_in_transaction(a, v);
    wall(a);
    expect_all(a, v, "as a condition");
    negate(a);
    expect_all(a, v, "negated");
    expect_of_id(text, v);
}


static void
check_shapes(const hie_visible_t *v)
{
    apr_pool_t  *outer = pool;
    int          i;

    docs_populate();
    docs_restrict();
    for (i = 0; i < N_SHAPES; i++) {
        apr_pool_create(&pool, outer);
        check_shape(shapes[i], v);
        apr_pool_destroy(pool);
        pool = outer;
    }
}


static void
test_seen_by_all(void **state)
{
    check_shapes(&docs_seers[0]);
}


static void
test_seen_by_actor(void **state)
{
    check_shapes(&docs_seers[1]);
}


static void
test_seen_with_permission(void **state)
{
    check_shapes(&docs_seers[2]);
}


/* Most shapes find something and not everything, so that the comparison says
 * something; and most are found differently by who may see less. */
static void
test_shapes_tell(void **state)
{
    asked_t  *a;
    int       i, n[DOCS_SEERS], k, none = 0, same = 0;

    docs_populate();
    docs_restrict();
    for (i = 0; i < N_SHAPES; i++) {
        a = ask(shapes[i], 400);
        for (k = 0; k < DOCS_SEERS; k++) {
            names_expected(a, &docs_seers[k], &n[k]);
        }
        if (n[0] == 0) {
            print_message("nothing: %s\n", shapes[i]);
        }
        none += n[0] == 0;
        same += n[0] == n[1] && n[0] == n[2];
    }
    assert_in_range(none, 0, N_SHAPES / 10);
    assert_in_range(same, 0, N_SHAPES / 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        DOCS_TEST(test_shapes_tell),
        DOCS_TEST(test_seen_by_all), DOCS_TEST(test_seen_by_actor),
        DOCS_TEST(test_seen_with_permission)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
