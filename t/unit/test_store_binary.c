/*
 * Raw content beside its version, and the context that governs it.
 */

#include "store_tool.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>


static char  *large;
static size_t  large_size;


static void
make_large(size_t size)
{
    size_t    i;
    uint32_t  x = 1;

    large = apr_palloc(pool, size + 1);
    large_size = size;
    for (i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        large[i] = (char) (x >> 24);
    }
}


static hie_put_t
binary_put(const char *id, int64_t version, hie_content_t *c)
{
    hie_put_t  put = make_put("Binary", id, version, "{\"x\":1}", "p", NULL,
                              NULL);

    *c = (hie_content_t) { large, -1, (int64_t) large_size };
    put.content = c;
    return put;
}


typedef struct {
    size_t  at;
    int     chunks;
    int     fail_at;
} reader_t;


static hie_rc_t
compare(void *baton, const char *ptr, size_t len, hie_error_t *err)
{
    reader_t  *r = baton;

    if (r->fail_at != 0 && r->chunks == r->fail_at) {
        return hie_fail(err, HIE_UNAVAILABLE, "", "no room");
    }
    assert_true(r->at + len <= large_size);
    assert_memory_equal(ptr, large + r->at, len);
    /* base64 of the whole is that of the pieces */
    assert_true(len % 3 == 0 || r->at + len == large_size);
    r->at += len;
    r->chunks++;
    return HIE_OK;
}


static void
assert_content(const char *id, int64_t version, int chunks)
{
    reader_t  r = { 0, 0, 0 };
    int64_t   content, size;

    assert_int_equal(hie_store_content(store, hie_str(id), version, pool,
                                       &content, &size, NULL), HIE_OK);
    assert_int_equal(size, (int64_t) large_size);
    assert_int_equal(hie_store_content_read(store, content, size, compare, &r,
                                            NULL), HIE_OK);
    assert_int_equal(r.at, large_size);
    assert_int_equal(r.chunks, chunks);
}


static void
test_sizes(void **state)
{
    static const struct {
        size_t  size;
        int     chunks;
    } cases[] = {
        { 0, 0 }, { 1, 1 }, { HIE_CHUNK - 1, 1 }, { HIE_CHUNK, 1 },
        { HIE_CHUNK + 1, 2 }, { 4 * HIE_CHUNK, 4 }, { 4 * HIE_CHUNK + 2, 5 },
        { 9 * HIE_CHUNK, 9 }
    };
    hie_content_t  c;
    hie_put_t      put;
    size_t         i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_large(cases[i].size);
        put = binary_put(apr_psprintf(pool, "b%d", (int) i), 1, &c);
        assert_int_equal(put_rows(store, &put, 1), HIE_OK);
        assert_content(apr_psprintf(pool, "b%d", (int) i), 1,
                       cases[i].chunks);
    }
}


static void
test_file(void **state)
{
    FILE           *f = tmpfile();
    hie_content_t   c;
    hie_put_t       put;
    char            three[4] = "";

    make_large(HIE_CHUNK * 2 + 5);
    assert_int_equal(fwrite(large, 1, large_size, f), large_size);
    assert_int_equal(fflush(f), 0);
    put = binary_put("f", 1, &c);
    c.bytes = NULL;
    c.file = fileno(f);
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_content("f", 1, 3);

    assert_int_equal(hie_content_read(&c, 1, three, 3), 3);
    assert_memory_equal(three, large + 1, 3);
    assert_int_equal(hie_content_read(&c, c.size - 1, three, 3), 1);
    assert_int_equal(hie_content_read(&c, c.size, three, 3), 0);

    /* shorter than it was said to be: nothing of it stays */
    c.size += 1;
    put.id = hie_str("short");
    assert_int_equal(put_rows(store, &put, 1), HIE_INTERNAL);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.resource"
                                " WHERE id = 'short'"), 0);
    assert_int_equal(sql_number("SELECT count(DISTINCT content)"
                                " FROM hie.binary_chunk"), 1);
    fclose(f);
}


static void
test_versions(void **state)
{
    int64_t        content, size;
    hie_content_t  c;
    hie_put_t      put;
    hie_row_t      row;

    make_large(5);
    put = binary_put("v", 1, &c);
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    put_one("Binary", "v", 2, "{\"data\":\"aGk=\"}", "p", NULL, NULL);
    assert_int_equal(hie_store_content(store, HIE_STR("v"), 2, pool, &content,
                                       &size, NULL), HIE_NOT_FOUND);
    put_one("Binary", "v", 3, "", "p", NULL, NULL);
    assert_int_equal(read_one(&all, "Binary", "v", 0, &row), HIE_GONE);
    assert_content("v", 1, 1);

    /* lost against another writer: neither a row nor chunks */
    put.version = 2;
    assert_int_equal(put_rows(store, &put, 1), HIE_CONFLICT);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.binary"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM hie.binary_chunk"), 1);
}


static void
test_broken_reader(void **state)
{
    reader_t       r = { 0, 0, 5 };
    int64_t        content, size;
    hie_content_t  c;
    hie_error_t    err;
    hie_put_t      put;

    make_large(HIE_CHUNK * 6);
    put = binary_put("r", 1, &c);
    assert_int_equal(put_rows(store, &put, 1), HIE_OK);
    assert_int_equal(hie_store_content(store, HIE_STR("r"), 1, pool, &content,
                                       &size, NULL), HIE_OK);
    assert_int_equal(hie_store_content_read(store, content, size, compare, &r,
                                            &err), HIE_UNAVAILABLE);
    assert_int_equal(r.chunks, 5);

    /* less or more than was written is found out */
    r = (reader_t) { 0, 0, 0 };
    assert_int_equal(hie_store_content_read(store, content, size + 1, compare,
                                            &r, &err), HIE_INTERNAL);
    r = (reader_t) { 0, 0, 0 };
    assert_int_equal(hie_store_content_read(store, content, size - 1, compare,
                                            &r, &err), HIE_INTERNAL);
}


static hie_rc_t
put_context(const char *id, const char *type, const char *context)
{
    hie_put_t  put = make_put("Binary", id, 1, "{}", NULL, NULL, NULL);

    put.context_type = hie_str(type);
    put.context_id = hie_str(context);
    return put_rows(store, &put, 1);
}


static void
test_context(void **state)
{
    hie_put_t  puts[2];
    hie_row_t  row;

    put_one("Observation", "o", 1, "{}", "p", NULL, NULL);
    put_one("Observation", "gone", 1, "{}", "p", NULL, NULL);
    put_one("Observation", "gone", 2, "", "p", NULL, NULL);

    assert_int_equal(put_context("a", "Observation", "o"), HIE_OK);
    assert_int_equal(read_one(&all, "Binary", "a", 0, &row), HIE_OK);
    assert_int_equal(row.n_patients, 1);
    assert_true(row.patients[0] == key("p"));

    assert_int_equal(put_context("b", "Observation", "no"),
                     HIE_UNPROCESSABLE);
    assert_int_equal(put_context("b", "Encounter", "o"), HIE_UNPROCESSABLE);
    assert_int_equal(put_context("b", "Observation", "gone"),
                     HIE_UNPROCESSABLE);
    assert_int_equal(read_one(&all, "Binary", "b", 0, &row), HIE_NOT_FOUND);

    /* of the same call, whatever the order; its own patients stay */
    puts[0] = make_put("Binary", "c", 1, "{}", "q", NULL, NULL);
    puts[0].context_type = HIE_STR("Observation");
    puts[0].context_id = HIE_STR("new");
    puts[1] = make_put("Observation", "new", 1, "{}", "p2", NULL, NULL);
    assert_int_equal(put_rows(store, puts, 2), HIE_OK);
    assert_int_equal(read_one(&all, "Binary", "c", 0, &row), HIE_OK);
    assert_int_equal(row.n_patients, 2);
    assert_true(row.patients[0] == key("q"));
    assert_true(row.patients[1] == key("p2"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_sizes), TEST(test_file), TEST(test_versions),
        TEST(test_broken_reader), TEST(test_context)
    };

    if (!tool_available()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, tool_group_setup,
                                  tool_group_teardown);
}
