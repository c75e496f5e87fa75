/*
 * store: every kind of criterion, by its index, as a condition and negated,
 * finds what is found in memory; for everyone who may see less, too.
 */

#include "docs_tool.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>


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
 * not. For so few what they lead to is looked up. */
static void
expect_of_id(asked_t *a, const hie_visible_t *v)
{
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

    /* what nobody knows to be few, conditions find once */
    expect_all(a, v, "by an index");
    expect_in_transaction(a, v);
    wall(a);
    expect_all(a, v, "as a condition");
    negate(a);
    expect_all(a, v, "negated");
    expect_of_id(a, v);
    expect_of_id(ask(text, 400), v);
}


static void
check_shapes(const hie_visible_t *v)
{
    apr_pool_t  *outer = pool;
    int          i;

    docs_populate();
    docs_restrict();
    for (i = 0; i < docs_n_shapes; i++) {
        apr_pool_create(&pool, outer);
        check_shape(docs_shapes[i], v);
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
    for (i = 0; i < docs_n_shapes; i++) {
        a = ask(docs_shapes[i], 400);
        for (k = 0; k < DOCS_SEERS; k++) {
            names_expected(a, &docs_seers[k], &n[k]);
        }
        none += n[0] == 0;
        same += n[0] == n[1] && n[0] == n[2];
    }
    assert_in_range(none, 0, docs_n_shapes / 10);
    assert_in_range(same, 0, docs_n_shapes / 2);
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
