/*
 * What is written beside a resource: the rows that it is found by, labels and
 * terms. Needs PostgreSQL, see store_tool.h.
 */

#include "store_tool.h"

#include <string.h>
#include <unistd.h>

#include <apr_strings.h>


/* How many rows a condition is true of. */
static long
count(const char *table, const char *condition)
{
    return sql_number(apr_psprintf(pool, "SELECT count(*) FROM hie.%s WHERE "
                                   "%s", table, condition));
}


static hie_decimal_t
decimal(const char *text)
{
    hie_decimal_t  d;

    assert_true(hie_decimal_parse(hie_str(text), &d));
    return d;
}


/* The slot of a composite has more than 32 bits. */
#define COMPOSITE  (UINT64_C(1) << 32)

static hie_search_number_t
number(uint64_t slot, const char *low, const char *high)
{
    return (hie_search_number_t) {
        .slot = slot, .low = decimal(low), .high = decimal(high)
    };
}


/* One with something in every table. */
static hie_put_t
full_put(const char *id, int64_t version)
{
    static hie_search_string_t     strings[2];
    static hie_search_date_t       dates[2];
    static hie_search_number_t     numbers[5];
    static hie_search_reference_t  references[2];
    static hie_search_term_t       terms[2];
    static hie_label_t             labels[2];
    static uint64_t                tokens[3], refs[3];

    hie_put_t             put = make_put("Observation", id, version, "{}", "p",
                                         NULL, NULL);
    hie_search_values_t  *v = put_values(&put);
    hie_relations_t      *x = put.relations;

    strings[0] = (hie_search_string_t) { 11, 0, HIE_STR("alpha") };
    strings[1] = (hie_search_string_t) { 12, 99, HIE_STR("beta 50%") };
    dates[0] = (hie_search_date_t) { 21, 0, 1000, 2000 };
    dates[1] = (hie_search_date_t) { 22, 98, INT64_MIN, INT64_MAX };
    numbers[0] = number(31, "1.50", "1.5");
    numbers[0].system = 5;
    numbers[0].code = 6;
    numbers[0].unit = 7;
    numbers[0].unit_low = numbers[0].unit_high = decimal("0.0015");
    numbers[1] = number(COMPOSITE | 32, "-3", "4e2");
    numbers[1].scope = 97;
    numbers[2] = number(33, "0", "12");
    numbers[2].unit = 8;
    numbers[2].unit_low = decimal("0");
    numbers[2].unit_high = decimal("12000");
    numbers[2].open = HIE_SEARCH_OPEN_LOW;
    numbers[3] = numbers[0];
    numbers[3].slot = COMPOSITE | 34;
    numbers[3].scope = 96;
    numbers[4] = numbers[0];
    numbers[4].slot = COMPOSITE | 35;
    references[0] = (hie_search_reference_t) { 41, true, 1001 };
    references[1] = (hie_search_reference_t) { UINT32_MAX, false,
                                                UINT64_MAX };
    terms[0] = (hie_search_term_t) { 501, 51, HIE_STR("8480-6") };
    terms[1] = (hie_search_term_t) { 502, 52, HIE_STR("systolic") };
    labels[0] = (hie_label_t) { HIE_LABEL_TAG, 601, HIE_STR("s|c"),
                                HIE_STR("{}") };
    labels[1] = (hie_label_t) { HIE_LABEL_PROFILE, 602, HIE_STR("u"),
                                HIE_STR("\"u\"") };
    memcpy(tokens, (uint64_t[]) { 501, 502, UINT64_MAX }, sizeof(tokens));
    memcpy(refs, (uint64_t[]) { 1001, 1002, 1003 }, sizeof(refs));

    *v = (hie_search_values_t) {
        .n_tokens = 3, .tokens = tokens, .n_strings = 2, .strings = strings,
        .n_dates = 2, .dates = dates, .n_numbers = 5, .numbers = numbers,
        .n_references = 2, .references = references, .n_terms = 2,
        .terms = terms, .narrative = HIE_STR("high pressure"),
        .content = HIE_STR("blood pressure")
    };
    x->n_refs = 3;
    x->n_followed = 2;
    x->refs = refs;
    x->n_labels = 2;
    x->labels = labels;
    return put;
}


/* Whether the rows of full_put are there for all resources, and no others. */
static void
assert_full(long n)
{
    assert_int_equal(count("resource_string", "true"), 2 * n);
    assert_int_equal(count("resource_string", "slot = 11 AND scope IS NULL"
                           " AND value = 'alpha'"), n);
    assert_int_equal(count("resource_string", "slot = 12 AND scope = 99"
                           " AND value = 'beta 50%'"), n);

    assert_int_equal(count("resource_date", "true"), 2 * n);
    assert_int_equal(count("resource_date", "slot = 21 AND scope IS NULL"
                           " AND low = 1000 AND high = 2000"), n);
    assert_int_equal(count("resource_date", "slot = 22 AND scope = 98"
                           " AND low = -9223372036854775808"
                           " AND high = 9223372036854775807"), n);

    assert_int_equal(count("resource_number", "true"), 4 * n);
    assert_int_equal(count("resource_number", "slot = 31 AND system = 5"
                           " AND part = 4294967296 + 34 AND scope = 96"
                           " AND code = 6 AND unit = 7"
                           " AND low = 1.5 AND high = 1.5"
                           " AND unit_low = 0.0015 AND unit_high = 0.0015"),
                     n);
    assert_int_equal(count("resource_number", "slot IS NULL"
                           " AND part = 4294967296 + 35 AND scope IS NULL"
                           " AND unit = 7 AND low = 1.5"), n);
    assert_int_equal(count("resource_number", "slot IS NULL"
                           " AND part = 4294967296 + 32 AND system IS NULL"
                           " AND code IS NULL AND unit IS NULL AND scope = 97"
                           " AND low = -3 AND high = 400"
                           " AND unit_low IS NULL AND unit_high IS NULL"), n);
    assert_int_equal(count("resource_number", "slot = 33 AND part IS NULL"
                           " AND unit = 8"
                           " AND low = '-infinity' AND high = 12"
                           " AND unit_low = '-infinity'"
                           " AND unit_high = 12000"), n);

    assert_int_equal(count("resource_text", "true"), n);
    assert_int_equal(count("resource_text", "words ="
                           " 'high:1A pressure:2A,4 blood:3'::tsvector"), n);
}


static void
test_create(void **state)
{
    hie_put_t    put = full_put("o", 1);
    const char  *mix = apr_psprintf(pool, "%" APR_INT64_T_FMT,
                                    (apr_int64_t) hie_search_param_mix(0));

    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_full(1);
    assert_int_equal(count("resource", apr_psprintf(pool,
        "type = 'Observation' AND id = 'o' AND key = %" APR_INT64_T_FMT
        " AND ref_params = '{41,-1,0}' AND ref_keys = '{1001,-1,1002}'"
        " AND tokens = ARRAY[501, 502, -1, 1002 # (%s),"
        " 1003 # (%s)]::bigint[] AND method = 1 AND NOT deleted",
        (apr_int64_t) hie_search_resource_key(put.type, put.id), mix, mix)),
        1);
    assert_int_equal(count("term", "key = 501 AND slot = 51"
                           " AND value = '8480-6' OR key = 502 AND slot = 52"
                           " AND value = 'systolic'"), 2);
    assert_int_equal(count("label", "type = 'Observation' AND (key = 601"
                           " AND kind = 3 AND value = '{}' OR key = 602"
                           " AND kind = 1 AND value = '\"u\"')"), 2);
}


static void
test_update_and_delete(void **state)
{
    hie_put_t  puts[2] = { full_put("a", 1), full_put("b", 1) };
    hie_put_t  put;

    assert_int_equal(put_rows(store, puts, 2), HIE_OK);
    assert_full(2);

    puts[0].version = puts[1].version = 2;
    assert_int_equal(put_rows(store, puts, 2), HIE_OK);
    assert_full(2);

    /* less than there was */
    put = make_put("Observation", "a", 3, "{}", "p", "t", "gamma");
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_int_equal(count("resource_string s JOIN hie.resource r"
                           " USING (rid)", "r.id = 'a' AND value = 'gamma'"),
                     1);
    assert_int_equal(count("resource", "id = 'a' AND ref_keys = '{}'"
                           " AND ref_params = '{}'"
                           " AND cardinality(tokens) = 1"), 1);
    sql("DELETE FROM hie.resource_string WHERE value = 'gamma'");
    assert_full(1);

    /* a new one, a deletion and an update in one call */
    puts[0] = make_put("Observation", "b", 3, "", NULL, NULL, NULL);
    puts[1] = full_put("c", 1);
    assert_int_equal(put_rows(store, puts, 2), HIE_OK);
    assert_full(1);
    assert_int_equal(count("resource", "id = 'b' AND deleted AND tokens = '{}'"
                           " AND ref_keys = '{}' AND ref_params = '{}'"
                           " AND cardinality(patients) = 1"), 1);
    assert_int_equal(count("resource_text t JOIN hie.resource r USING (rid)",
                           "r.id = 'c'"), 1);

    puts[1] = full_put("b", 4);
    assert_int_equal(put_rows(store, puts + 1, 1), HIE_OK);
    assert_full(2);
}


/* Of many, each has its own. */
static void
test_many(void **state)
{
    enum { N = 60 };

    hie_put_t             puts[N];
    hie_search_values_t  *v;
    int                   i, k;

    for (i = 0; i < N; i++) {
        puts[i] = make_put("Observation", apr_itoa(pool, i), 1 + i % 2, "{}",
                           NULL, NULL, NULL);
        v = put_values(&puts[i]);
        v->n_dates = v->n_numbers = v->n_strings = v->n_references = i % 3;
        v->dates = apr_pcalloc(pool, 3 * sizeof(*v->dates));
        v->numbers = apr_pcalloc(pool, 3 * sizeof(*v->numbers));
        v->strings = apr_pcalloc(pool, 3 * sizeof(*v->strings));
        v->references = apr_pcalloc(pool, 3 * sizeof(*v->references));
        for (k = 0; k < i % 3; k++) {
            v->dates[k].low = i;
            v->numbers[k] = number(1, apr_itoa(pool, i), "1e9");
            v->strings[k].value = hie_str(apr_itoa(pool, i));
            v->references[k].target = (uint64_t) i;
        }
        if (i % 4 == 0) {
            v->content = hie_str(apr_psprintf(pool, "w%d", i));
        }
    }
    for (i = 1; i < N; i += 2) {
        put_one("Observation", apr_itoa(pool, i), 1, "old", NULL, NULL,
                "old");
    }
    assert_int_equal(put_rows(store, puts, N), HIE_OK);

    assert_int_equal(count("resource_string s JOIN hie.resource r"
                           " USING (rid)", "s.value = r.id"), N);
    assert_int_equal(count("resource_string", "true"), N);
    assert_int_equal(count("resource_date s JOIN hie.resource r USING (rid)",
                           "s.low = r.id::int"), N);
    assert_int_equal(count("resource_number s JOIN hie.resource r USING (rid)",
                           "s.low = r.id::int AND s.high = 1e9"), N);
    assert_int_equal(count("resource", "cardinality(ref_keys) = id::int % 3"
                           " AND id::bigint = ALL (ref_keys)"), N);
    assert_int_equal(count("resource_text s JOIN hie.resource r USING (rid)",
                           "s.words @@ ('w' || r.id)::tsquery"), N / 4);
    assert_int_equal(count("resource_text", "true"), N / 4);
}


/*
 * What is contained.
 */

/* A row that contains `n` others, "a", "b", …, each with a token and a string.
 * Ids of tests differ: the store remembers which terms are there. */
static hie_put_t
container(const char *id, int64_t version, const char *patient, int n)
{
    hie_put_t                put = make_put("List", id, version, "{}", patient,
                                            "of-list", "outer");
    hie_search_values_t     *v = put_values(&put);
    hie_search_contained_t  *c;
    int                      i;

    put.relations->care_from = INT64_C(1600000000000000);
    put.relations->care_until = INT64_C(1700000000000000);
    v->n_contained = n;
    v->contained = apr_pcalloc(pool, sizeof(*c) * (size_t) (n + 1));
    for (i = 0; i < n; i++) {
        c = &v->contained[i];
        c->type_name = HIE_STR("#Basic");
        c->id = hie_str(apr_psprintf(pool, "List/%s#%c", id, 'a' + i));
        c->key = hie_search_resource_key(c->type_name, c->id);
        c->values = *make_put("Basic", "x", 1, "{}", NULL,
                              apr_psprintf(pool, "%s#%c%d", id, 'a' + i,
                                           (int) version),
                              apr_psprintf(pool, "%c%d", 'a' + i,
                                           (int) version)).values;
        c->values.n_terms = 1;
        c->values.terms = apr_palloc(pool, sizeof(*c->values.terms));
        c->values.terms[0] = (hie_search_term_t) {
            c->values.tokens[0], 77, HIE_STR("said")
        };
    }
    return put;
}


/* Rows that are contained, and have the token and the string of the version. */
static long
contained_of(const char *id, int64_t version)
{
    return count("resource r JOIN hie.resource_string s USING (rid)",
                 apr_psprintf(pool, "r.type = '#Basic' AND NOT r.deleted"
                     " AND r.body = '' AND r.owner = %" APR_INT64_T_FMT
                     " AND s.value = right(r.id, 1) || '%d'"
                     " AND cardinality(r.tokens) = 1 AND EXISTS (SELECT"
                     " FROM hie.term t WHERE t.key = r.tokens[1]"
                     " AND t.value = 'said') AND EXISTS (SELECT"
                     " FROM hie.resource o WHERE o.key = r.owner"
                     " AND o.id = '%s' AND o.patients = r.patients"
                     " AND o.care_from = r.care_from"
                     " AND o.care_until = r.care_until"
                     " AND o.version = r.version)",
                     (apr_int64_t) hie_search_resource_key(
                         HIE_STR("List"), hie_str(id)), (int) version, id));
}


static void
put_container(const char *id, int64_t version, const char *patient, int n)
{
    hie_put_t  put = container(id, version, patient, n);

    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


static void
test_contained(void **state)
{
    hie_put_t           puts[3];
    hie_store_status_t  status;

    puts[0] = container("l", 1, "p", 2);
    puts[1] = make_put("Basic", "b", 1, "{}", NULL, NULL, NULL);
    puts[2] = container("k", 1, NULL, 1);
    assert_int_equal(put_rows(store, puts, 3), HIE_OK);
    assert_int_equal(contained_of("l", 1), 2);
    assert_int_equal(contained_of("k", 1), 1);
    assert_int_equal(count("resource", "owner IS NULL"), 3);
    assert_int_equal(hie_store_status(store, NODE, &status, NULL), HIE_OK);
    assert_int_equal(status.resources, 3);

    /* more, fewer, of another patient, none */
    put_container("l", 2, "p", 3);
    assert_int_equal(contained_of("l", 2), 3);
    assert_int_equal(contained_of("k", 1), 1);
    put_container("l", 3, "q", 1);
    assert_int_equal(contained_of("l", 3), 1);
    assert_int_equal(count("resource_string", "true"), 4);
    assert_int_equal(count("resource", "type = '#Basic' AND deleted"
                           " AND tokens = '{}'"), 2);
    put_one("List", "l", 4, "{}", NULL, NULL, NULL);
    assert_int_equal(count("resource", "type = '#Basic' AND NOT deleted"), 1);

    /* deleted, and once more */
    put_container("l", 5, "p", 3);
    assert_int_equal(contained_of("l", 5), 3);
    put_one("List", "l", 6, "", NULL, NULL, NULL);
    assert_int_equal(count("resource", "type = '#Basic' AND NOT deleted"), 1);
    assert_int_equal(count("resource_string", "true"), 2);
    put_container("l", 7, "q", 2);
    assert_int_equal(contained_of("l", 7), 2);
    assert_int_equal(count("resource", "type = '#Basic'"), 4);
    assert_int_equal(count("resource_history", "type LIKE '#%'"), 0);
}


/* Together with all else that a list may have. */
static void
test_contained_in_lists(void **state)
{
    hie_put_t  puts[3] = {
        container("new", 1, "p", 3), container("old", 2, "q", 2),
        container("gone", 2, "p", 0)
    };

    put_container("old", 1, "p", 3);
    put_container("gone", 1, "p", 3);
    puts[2].body = HIE_STR("");
    assert_int_equal(put_rows(store, puts, 3), HIE_OK);
    assert_int_equal(contained_of("new", 1), 3);
    assert_int_equal(contained_of("old", 2), 2);
    assert_int_equal(count("resource", "owner IS NOT NULL AND NOT deleted"),
                     5);

    /* one of them fails, and all with it */
    puts[0] = container("new", 2, "p", 1);
    puts[1] = container("old", 2, "p", 1);
    assert_int_equal(put_rows(store, puts, 2), HIE_CONFLICT);
    assert_int_equal(contained_of("new", 1), 3);
    assert_int_equal(contained_of("old", 2), 2);

    /* a row that is no container's under the key */
    sql(apr_psprintf(pool, "UPDATE hie.resource SET owner = 7 WHERE key = %"
                     APR_INT64_T_FMT, (apr_int64_t) hie_search_resource_key(
                         HIE_STR("#Basic"), HIE_STR("List/new#a"))));
    puts[0] = container("new", 2, "p", 1);
    assert_int_equal(put_rows(store, puts, 1), HIE_CONFLICT);
}


static hie_walked_t
walk(hie_store_tx_t *tx, const char *type, bool contained, int64_t after,
     int max)
{
    hie_walked_t  out;
    hie_walk_t    w = {
        .type = hie_str(type), .contained = contained, .after = after,
        .last = INT64_MAX, .max = max
    };

    assert_int_equal(hie_store_walk(tx, &w, &out, NULL), HIE_OK);
    return out;
}


/* Of contained ones the containers are walked to, each once for a lot. */
static void
test_contained_indexed_again(void **state)
{
    hie_put_t        puts[2];
    hie_walk_t       all_of = { .type = HIE_STR("Basic"), .contained = true };
    hie_walked_t     w;
    hie_store_tx_t  *tx;
    int64_t          left;

    put_container("m", 1, "p", 2);
    put_one("Basic", "b", 1, "{}", NULL, NULL, NULL);
    put_container("n", 1, NULL, 3);
    assert_int_equal(hie_store_left(store, &all_of, &left, NULL), HIE_OK);
    assert_int_equal(left, 3);

    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    w = walk(tx, "Basic", false, 0, 9);
    assert_int_equal(w.places, 1);
    assert_int_equal(w.n, 1);
    assert_true(hie_str_eqz(w.rows[0].id, "b"));
    w = walk(tx, "Basic", true, 0, 9);
    assert_int_equal(w.places, 6);
    assert_int_equal(w.n, 3);
    w = walk(tx, "Basic", true, 0, 2);
    assert_int_equal(w.places, 2);
    assert_int_equal(w.n, 1);
    assert_true(hie_str_eqz(w.rows[0].type, "List"));
    assert_true(hie_str_eqz(w.rows[0].id, "m"));
    w = walk(tx, "Basic", true, w.place, 2);
    assert_int_equal(w.places, 2);
    assert_int_equal(w.n, 2);
    w = walk(tx, "Basic", true, w.place, 9);
    assert_int_equal(w.places, 2);
    assert_int_equal(walk(tx, "Basic", true, w.place, 9).places, 0);

    puts[0] = container("m", 1, "p", 1);
    puts[1] = container("n", 1, NULL, 4);
    assert_int_equal(hie_store_reindex(tx, puts, 2, NULL), HIE_OK);
    assert_int_equal(hie_store_commit(tx, NULL), HIE_OK);
    assert_int_equal(contained_of("m", 1), 1);
    assert_int_equal(contained_of("n", 1), 4);
    assert_int_equal(count("resource_string", "true"), 7);
}


/* As PostgreSQL reads the text. */
static void
test_numeric(void **state)
{
    static const char *const  texts[] = {
        "0", "0.00", "-0", "1", "-1", "10", "9999", "10000", "10001",
        "99999999", "100000000", "0.1", "-0.0001", "0.00001", "1.50",
        "12345.6789", "120.000", "1234567890123456789012345678901234",
        "-9999999999999999999999999999999999",
        "0.1234567890123456789012345678901234",
        "123456789012345678901234567890123.4",
        "1e6144", "-1e6100", "1e-6143", "9.999999999999999999999999999999999e9",
        "1.234e-40", "7e3", "7e4", "7e5", "7e6", "1e-4", "1e-5", "1e-6",
        "1e-7", "1000000", "123456e-3"
    };

    enum { N = sizeof(texts) / sizeof(texts[0]) };

    hie_put_t             put = make_put("Observation", "n", 1, "{}", NULL,
                                         NULL, NULL);
    hie_search_values_t  *v = put_values(&put);
    hie_decimal_t         d;
    int                   i;

    v->n_numbers = N;
    v->numbers = apr_pcalloc(pool, N * sizeof(*v->numbers));
    for (i = 0; i < N; i++) {
        v->numbers[i] = number((uint64_t) i + 1, texts[i], "1e6144");
    }
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);

    for (i = 0; i < N; i++) {
        d = decimal(texts[i]);
        assert_int_equal(count("resource_number", apr_psprintf(pool,
            "slot = %d AND low = '%s' AND scale(low) = %d", i + 1, texts[i],
            hie_decimal_scale(&d))), 1);
    }
    assert_int_equal(count("resource_number", "high = '1e6144'"), N);

    /* both ends open */
    put.version = 2;
    v->n_numbers = 1;
    v->numbers[0].open = HIE_SEARCH_OPEN_LOW | HIE_SEARCH_OPEN_HIGH;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_int_equal(count("resource_number", "low = '-infinity'"
                           " AND high = 'infinity'"), 1);
}


static void
put_text(int64_t version, const char *narrative, const char *content)
{
    hie_put_t  put = make_put("Observation", "t", version, "{}", NULL, NULL,
                              NULL);

    put_values(&put)->narrative = hie_str(narrative);
    put_values(&put)->content = hie_str(content);
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
}


/* Plain words are what to_tsvector makes of them. */
static void
test_words(void **state)
{
    static const char  *texts[][2] = {
        { "", "one" },
        { "one two three two", "" },
        { "blood pressure", "blood pressure of an arm and the blood" },
        { "a b c d e f g h i j k l m n o p q r s t u v w x y z",
          "z y x w v u t s r q p o n m l k j i h g f e d c b a" }
    };
    int64_t  i;

    for (i = 0; i < 4; i++) {
        put_text(i + 1, texts[i][0], texts[i][1]);
        assert_int_equal(count("resource_text", apr_psprintf(pool,
            "words = setweight(to_tsvector('pg_catalog.simple', '%s'), 'A')"
            " || to_tsvector('pg_catalog.simple', '%s')", texts[i][0],
            texts[i][1])), 1);
    }
}


static void
test_word_signs(void **state)
{
    put_text(1, "", "  50%, (na\xc3\xafve) \xe8\xa1\x80\xe5\x9c\xa7;a-b "
             "\xff z\xcc\x88 \xd9\xa3\xe2\x80\x94x ... ");
    assert_int_equal(count("resource_text", "words = '50:1 na\xc3\xafve:2"
                           " \xe8\xa1\x80\xe5\x9c\xa7:3 a:4 b:5 z:6 \xd9\xa3:7"
                           " x:8'::tsvector"), 1);
    put_text(2, "...", "-, /");
    assert_int_equal(count("resource_text", "true"), 0);
}


/* What a tsvector cannot hold is left out, and nothing fails. */
static void
test_word_limits(void **state)
{
    hie_buf_t  b;
    int        i;

    hie_buf_init(&b, pool, 1 << 16);
    for (i = 0; i < 300; i++) {
        hie_buf_addz(&b, "again ");
    }
    for (i = 0; i < 3000; i++) {
        hie_buf_addc(&b, 'x');
    }
    hie_buf_addc(&b, '\0');
    put_text(1, "", b.ptr);
    assert_int_equal(count("resource_text", "array_length(tsvector_to_array("
                           "words), 1) = 3 AND words @@ 'again'::tsquery AND"
                           " words @@ repeat('x', 2046)::tsquery AND"
                           " words @@ repeat('x', 954)::tsquery"), 1);
    assert_int_equal(sql_number("SELECT cardinality(u.positions)"
                                " FROM hie.resource_text t,"
                                " unnest(t.words) u"
                                " WHERE u.lexeme = 'again'"), 255);

    b.len = 0;
    for (i = 0; i < 20000; i++) {
        hie_buf_addf(&b, "w%d w%d ", i, i % 100 == 0 ? 0 : i);
    }
    hie_buf_addc(&b, '\0');
    put_text(2, "", b.ptr);
    assert_int_equal(count("resource_text", "array_length(tsvector_to_array("
                           "words), 1) = 20000"
                           " AND words @@ 'w19999'::tsquery"), 1);
    assert_int_equal(sql_number("SELECT max(p) FROM hie.resource_text t,"
                                " unnest(t.words) u, unnest(u.positions) p"),
                     16383);

    b.len = 0;
    for (i = 0; i < 300000; i++) {
        hie_buf_addf(&b, "word%d ", i);
    }
    hie_buf_addc(&b, '\0');
    put_text(3, b.ptr, "");
    assert_int_equal(count("resource_text", "words @@ 'word0:A'::tsquery"
                           " AND NOT words @@ 'word299999'::tsquery"), 1);
}


static void
test_no_full_text(void **state)
{
    hie_put_t  put = full_put("o", 1);

    conf.fhir.full_text = false;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    conf.fhir.full_text = true;
    assert_int_equal(count("resource_text", "true"), 0);
    assert_int_equal(count("resource_string", "true"), 2);
}


/* Terms that no other test has. */
static hie_put_t
term_put(const char *id, uint64_t base)
{
    hie_put_t             put = make_put("Observation", id, 1, "{}", NULL,
                                         NULL, NULL);
    hie_search_values_t  *v = put_values(&put);
    hie_relations_t      *x = put.relations;

    v->n_terms = 2;
    v->terms = apr_pcalloc(pool, 2 * sizeof(*v->terms));
    v->terms[0].key = base;
    v->terms[1].key = base + 1;
    v->terms[0].value = v->terms[1].value = HIE_STR("x");
    x->n_labels = 1;
    x->labels = apr_pcalloc(pool, sizeof(*x->labels));
    x->labels[0] = (hie_label_t) {
        HIE_LABEL_TAG, base + 2, HIE_STR("s|"), HIE_STR("{}")
    };
    return put;
}


#define assert_terms(terms, labels)                                           \
    do {                                                                      \
        assert_int_equal(count("term", "true"), terms);                       \
        assert_int_equal(count("label", "true"), labels);                     \
    } while (0)

static void
test_terms(void **state)
{
    hie_put_t        puts[3] = { term_put("a", 7001), term_put("b", 7002),
                                 term_put("c", 7001) };
    hie_put_t        again = term_put("d", 7001);
    hie_store_tx_t  *tx;

    /* the same from several, and overlapping */
    assert_int_equal(put_rows(store, puts, 3), HIE_OK);
    assert_terms(3, 2);

    /* what is known is not sent again */
    sql("TRUNCATE hie.term, hie.label");
    assert_int_equal(put_rows(store, &again, 1), HIE_OK);
    assert_terms(0, 0);

    /* what was rolled back is not known */
    puts[0] = term_put("e", 7101);
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_put(tx, puts, 1, NULL), HIE_OK);
    hie_store_rollback(tx);
    assert_terms(0, 0);
    assert_int_equal(put_rows(store, puts, 1), HIE_OK);
    assert_terms(2, 1);

    /* nor is what a failed transaction wrote */
    puts[0] = term_put("e", 7201);
    assert_int_equal(put_rows(store, puts, 1), HIE_CONFLICT);
    puts[0].id = HIE_STR("f");
    assert_int_equal(put_rows(store, puts, 1), HIE_OK);
    assert_terms(4, 2);

    /* a commit in the same round trip */
    puts[0] = term_put("g", 7301);
    assert_int_equal(hie_store_begin(store, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_put_commit(tx, puts, 1, NULL), HIE_OK);
    assert_terms(6, 3);
}


/* What another connection had said is not believed after it was lost. */
static void
test_terms_after_loss(void **state)
{
    hie_put_t    put = term_put("a", 7501);
    hie_row_t    row;

    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_terms(2, 1);
    sql("TRUNCATE hie.term, hie.label");
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = '" ROLE "' AND datname = current_database()");
    assert_int_equal(read_one(&all, "Observation", "a", 0, &row), HIE_OK);
    put.version = 2;
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_terms(2, 1);
}


static void
test_incomplete(void **state)
{
    hie_put_t  put = make_put("Patient", "p", 1, "{}", NULL, NULL, NULL);

    put.values = NULL;
    assert_int_equal(put_rows(store, &put, 1), HIE_INTERNAL);
    put = make_put("Patient", "p", 1, "{}", NULL, NULL, NULL);
    put.relations = NULL;
    assert_int_equal(put_rows(store, &put, 1), HIE_INTERNAL);
    put = make_put("Patient", "p", 1, "", NULL, NULL, NULL);
    assert_int_equal(put_rows(store, &put, 1), HIE_INTERNAL);
}


/* Plans are made when the tables are empty, and kept. */
static void
test_fresh(void **state)
{
    enum { N = 2000, LOT = 200 };

    hie_config_t          c = conf;
    hie_store_t          *s;
    hie_store_tx_t       *tx;
    hie_store_current_t   rows[LOT] = { 0 };
    hie_put_t             puts[LOT];
    hie_row_t             row;
    int                   i, k, version;

    c.database.conninfo = apr_pstrcat(pool, conf.database.conninfo,
                                      " application_name=fresh", NULL);
    s = open_store(&c);
    for (version = 1; version <= 2; version++) {
        for (i = 0; i < N; i += LOT) {
            for (k = 0; k < LOT; k++) {
                puts[k] = make_put("Observation",
                                   apr_psprintf(pool, "f%05d", i + k),
                                   version, "{}", "p", "t", "s");
            }
            assert_int_equal(put_rows(s, puts, LOT), HIE_OK);
        }
    }
    for (k = 0; k < LOT; k++) {
        rows[k].type = puts[k].type;
        rows[k].id = puts[k].id;
        assert_int_equal(hie_store_read(s, &all, puts[k].type, puts[k].id,
                                        k % 3, pool, &row, NULL), HIE_OK);
    }
    assert_int_equal(hie_store_begin(s, pool, &tx, NULL), HIE_OK);
    assert_int_equal(hie_store_current(tx, &all, HIE_ROW_CHANGE, rows, LOT,
                                       NULL), HIE_OK);
    assert_true(rows[LOT - 1].exists);
    hie_store_rollback(tx);
    hie_store_close(s);

    for (i = 0; i < 500 && sql_number(
             "SELECT count(*) FROM pg_stat_activity WHERE application_name"
             " = 'fresh' AND datname = current_database()") > 0; i++)
    {
        usleep(10000);
    }
    /* of an update the row is looked for twice */
    assert_in_range(sql_number("SELECT sum(idx_tup_fetch) FROM"
                               " pg_stat_user_tables WHERE schemaname = 'hie'"
                               " AND relname LIKE 'resource%'"), N, 12 * N);
    assert_in_range(sql_number("SELECT sum(seq_tup_read) FROM"
                               " pg_stat_user_tables WHERE schemaname = 'hie'"
                               " AND relname LIKE 'resource%'"), 0, 12 * N);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_fresh), TEST(test_create), TEST(test_update_and_delete),
        TEST(test_many), TEST(test_contained), TEST(test_contained_in_lists),
        TEST(test_contained_indexed_again),
        TEST(test_numeric), TEST(test_words),
        TEST(test_word_signs), TEST(test_word_limits), TEST(test_no_full_text),
        TEST(test_terms), TEST(test_terms_after_loss), TEST(test_incomplete)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
