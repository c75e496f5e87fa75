/*
 * hl7v2: published messages. None may crash; every acknowledgement is well
 * formed and names the message; nearly all ADT and ORU become FHIR that
 * agrees with what other converters made of them. Needs the data beside the
 * repository (or in $HIE_SHARED); without it there is nothing to test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "fhir/fhir.h"
#include "hl7v2/hl7v2.h"

static const char               *data;
static const hie_hl7_options_t   options = { "urn:id:", "+00:00" };

/* What came of the messages. */
static struct {
    int  messages;
    int  supported;
    int  transformed;
    int  parse_errors;
    int  unsupported;
    int  repaired;
    int  unprocessable;
    int  pairs;
    int  compared;
    int  different;
} sum;


static hie_str_t
read_file(apr_pool_t *pool, const char *path)
{
    apr_file_t   *file;
    apr_finfo_t   info;
    apr_size_t    len;
    char         *bytes;

    assert_int_equal(apr_file_open(&file, path, APR_READ, 0, pool),
                     APR_SUCCESS);
    assert_int_equal(apr_file_info_get(&info, APR_FINFO_SIZE, file),
                     APR_SUCCESS);
    len = (apr_size_t) info.size;
    bytes = apr_palloc(pool, len + 1);
    assert_int_equal(apr_file_read_full(file, bytes, len, NULL), APR_SUCCESS);
    apr_file_close(file);
    return (hie_str_t) { bytes, len };
}


/* The next message of a file that may hold several, or text before. */
static bool
next_message(hie_str_t bytes, size_t *pos, hie_str_t *message)
{
    size_t  start = bytes.len;
    size_t  i;

    for (i = *pos; i + 4 < bytes.len; i++) {
        if (memcmp(bytes.ptr + i, "MSH", 3) == 0
            && (i == 0 || bytes.ptr[i - 1] == '\r' || bytes.ptr[i - 1] == '\n'
                || bytes.ptr[i - 1] == '\xbf'))
        {
            if (start < bytes.len) {
                break;
            }
            start = i;
        }
    }
    if (i + 4 >= bytes.len) {
        i = bytes.len;
    }
    *pos = i;
    *message = (hie_str_t) { bytes.ptr + start, i - start };
    return start < bytes.len;
}


static void
check_ack(apr_pool_t *pool, hie_str_t message, hie_rc_t rc,
          const hie_error_t *err, const char *path)
{
    hie_ack_t     code = rc == HIE_OK ? HIE_ACK_AA
                         : rc == HIE_UNSUPPORTED ? HIE_ACK_AR : HIE_ACK_AE;
    hie_str_t     ack;
    hie_hl7_t    *m;
    hie_hl7_t    *sent;
    hie_error_t   e;
    int           msa;

    ack = hie_hl7_ack(pool, message, code, rc == HIE_OK ? NULL : err,
                      apr_time_from_sec(1700000000), "ACK1");
    if (hie_hl7_parse(pool, ack, &m, &e) != HIE_OK) {
        fail_msg("%s: ack: %s %s\n%.*s", path, e.where, e.detail,
                 HIE_PRISTR(ack));
    }
    msa = hie_hl7_find(m, "MSA", 0);
    assert_int_equal(msa, 1);
    assert_true(hie_hl7_segments(m) <= 3);
    assert_true(hie_str_starts(hie_hl7_type(m), "ACK"));
    assert_true(hie_str_eqz(hie_hl7_value(m, msa, 1, 0, 1, 1, pool),
                            rc == HIE_OK ? "AA"
                            : rc == HIE_UNSUPPORTED ? "AR" : "AE"));
    if (hie_hl7_parse(pool, message, &sent, NULL) == HIE_OK) {
        assert_true(hie_str_eq(hie_hl7_value(m, msa, 2, 0, 1, 1, pool),
                               hie_hl7_control_id(sent)));
    }
}


/* The bundle's own rules: JSON, transaction, no target twice, every
 * reference to an entry. */
static hie_doc_t *
check_bundle(apr_pool_t *pool, hie_str_t bundle, const char *path)
{
    hie_doc_t     *d;
    hie_error_t    err = { .rc = 0 };
    hie_bundle_t   b;
    int            i;
    int            k;

    if (hie_doc_parse(pool, bundle, 64, &d, &err) != HIE_OK
        || hie_fhir_bundle(d, 100000, pool, &b, &err) != HIE_OK)
    {
        fail_msg("%s: %s %s", path, err.where, err.detail);
    }
    for (i = 0; i < b.n; i++) {
        hie_doc_t  *r = hie_doc_sub(pool, d, b.entries[i].resource);
        hie_str_t   type;

        if (hie_fhir_check(r, pool, &type, &err) != HIE_OK) {
            fail_msg("%s: %s %s", path, err.where, err.detail);
        }
        for (k = 0; k < i; k++) {
            assert_false(hie_str_eq(b.entries[i].full_url,
                                    b.entries[k].full_url));
            if (b.entries[i].query.len > 0
                && hie_str_eq(b.entries[i].type, b.entries[k].type)
                && hie_str_eq(b.entries[i].query, b.entries[k].query))
            {
                fail_msg("%s: %.*s twice", path,
                         HIE_PRISTR(b.entries[i].query));
            }
        }
    }
    return d;
}


/* The first resource of a type in a Bundle, and how many there are. */
static hie_node_t
resource(const hie_doc_t *d, const char *type, int *count, apr_pool_t *pool)
{
    hie_node_t  list = hie_doc_member(d, 0, "entry");
    hie_node_t  first = HIE_NODE_NONE;
    hie_node_t  e;
    hie_node_t  r;

    *count = 0;
    for (e = hie_doc_first(d, list); e != HIE_NODE_NONE;
         e = hie_doc_next(d, e))
    {
        r = hie_doc_member(d, e, "resource");
        if (hie_str_eqz(hie_doc_get(d, r, "resourceType", pool), type)) {
            if (*count == 0) {
                first = r;
            }
            (*count)++;
        }
    }
    return first;
}


/* Whether some element of an array of objects has the value. */
static bool
among(const hie_doc_t *d, hie_node_t object, const char *array,
      const char *member, hie_str_t value, apr_pool_t *pool)
{
    hie_node_t  e = hie_doc_first(d, hie_doc_member(d, object, array));

    while (e != HIE_NODE_NONE) {
        if (hie_str_eq(hie_doc_get(d, e, member, pool), value)) {
            return true;
        }
        e = hie_doc_next(d, e);
    }
    return false;
}


static void
same(bool ok, const char *what, const char *path)
{
    sum.compared++;
    if (!ok) {
        sum.different++;
        print_message("# %s: another %s\n", path, what);
    }
}


/* Chosen elements of the two Patients. */
static void
compare_patient(const hie_doc_t *ours, const hie_doc_t *theirs,
                apr_pool_t *pool, const char *path)
{
    int         n;
    hie_node_t  a = resource(ours, "Patient", &n, pool);
    hie_node_t  b = resource(theirs, "Patient", &n, pool);
    hie_node_t  name;
    hie_node_t  id;
    hie_str_t   v;

    if (b == HIE_NODE_NONE) {
        return;
    }
    name = hie_doc_first(theirs, hie_doc_member(theirs, b, "name"));
    v = hie_doc_get(theirs, name, "family", pool);
    if (name != HIE_NODE_NONE && v.len > 0) {
        same(among(ours, a, "name", "family", v, pool), "family", path);
    }
    id = hie_doc_first(theirs, hie_doc_member(theirs, b, "identifier"));
    v = id == HIE_NODE_NONE ? HIE_STR_NONE
        : hie_doc_get(theirs, id, "value", pool);
    if (v.len > 0) {
        same(among(ours, a, "identifier", "value", v, pool), "identifier",
             path);
    }
    v = hie_doc_get(theirs, b, "birthDate", pool);
    if (v.len > 0) {
        same(hie_str_eq(hie_doc_get(ours, a, "birthDate", pool), v),
             "birthDate", path);
    }
    v = hie_doc_get(theirs, b, "gender", pool);
    if (v.len > 0) {
        same(hie_str_eq(hie_doc_get(ours, a, "gender", pool), v), "gender",
             path);
    }
}


static void
compare(apr_pool_t *pool, const char *path, const hie_doc_t *ours,
        int segments)
{
    static const char *const  others[] = { ".expected.json", ".fhir" };
    size_t                    i;
    int                       n;
    int                       k;

    resource(ours, "Observation", &n, pool);
    assert_int_equal(n, segments);
    for (i = 0; i < 2; i++) {
        size_t       stem = strlen(path) - 4;
        char        *other = apr_psprintf(pool, "%.*s%s", (int) stem, path,
                                          others[i]);
        apr_finfo_t  info;
        hie_doc_t   *d;

        if (apr_stat(&info, other, APR_FINFO_TYPE, pool) != APR_SUCCESS
            || hie_doc_parse(pool, read_file(pool, other), 100, &d, NULL)
               != HIE_OK)
        {
            continue;
        }
        sum.pairs++;
        compare_patient(ours, d, pool, path);
        resource(d, "Observation", &k, pool);
        if (k > 0 && n > 0) {
            same(k >= n, "number of Observations", path);
        }
    }
}


static bool
is_supported(hie_str_t type)
{
    return hie_str_eqz(type, "ADT^A01") || hie_str_eqz(type, "ADT^A04")
           || hie_str_eqz(type, "ADT^A08") || hie_str_eqz(type, "ADT^A31")
           || hie_str_eqz(type, "ORU^R01");
}


/* Many messages show one data type and leave PID-3 out, for which they are
 * rightly refused; with an identifier put in they show their data type. */
static hie_str_t
with_identifier(apr_pool_t *pool, hie_str_t message)
{
    const char  *z = hie_str_z(pool, message);
    const char  *pid = strstr(z, "\rPID|");
    hie_buf_t    b;
    int          fields = 0;

    if (pid == NULL) {
        pid = strstr(z, "\nPID|");
    }
    if (pid == NULL) {
        return HIE_STR_NONE;
    }
    pid++;
    hie_buf_init(&b, pool, message.len + 32);
    hie_buf_add(&b, z, (size_t) (pid - z));
    while (*pid != '\0' && *pid != '\r' && *pid != '\n' && fields < 3) {
        fields += *pid == '|';
        hie_buf_addc(&b, *pid++);
    }
    while (fields++ < 3) {
        hie_buf_addc(&b, '|');
    }
    hie_buf_addz(&b, "TEST1^^^X^MR");
    if (*pid != '|' && *pid != '\r' && *pid != '\n') {
        hie_buf_addc(&b, '~');
    }
    hie_buf_addz(&b, pid);
    return hie_buf_str(&b);
}


static void
one_message(apr_pool_t *pool, hie_str_t message, const char *path,
            bool alone)
{
    hie_error_t   err = { .rc = 0 };
    hie_hl7_t    *m;
    hie_str_t     bundle = HIE_STR_NONE;
    hie_doc_t    *d;
    hie_rc_t      rc;
    int           obx = 0;
    int           i;

    sum.messages++;
    rc = hie_hl7_parse(pool, message, &m, &err);
    if (rc != HIE_OK) {
        sum.parse_errors++;
        print_message("# %s: %s: %s\n", path, err.where, err.detail);
        check_ack(pool, message, rc, &err, path);
        return;
    }
    rc = hie_hl7_to_fhir(m, &options, pool, &bundle, &err);
    check_ack(pool, message, rc, &err, path);
    sum.supported += is_supported(hie_hl7_type(m));
    if (rc == HIE_UNSUPPORTED) {
        assert_false(is_supported(hie_hl7_type(m)));
        sum.unsupported++;
        return;
    }
    if (rc != HIE_OK) {
        hie_str_t  repaired = with_identifier(pool, message);

        assert_int_equal(rc, HIE_UNPROCESSABLE);
        assert_string_equal(err.where, "PID^1^3");
        if (repaired.len > 0) {
            sum.messages--;
            sum.supported--;
            sum.repaired++;
            one_message(pool, repaired, path, alone);
            return;
        }
        assert_int_equal(hie_hl7_find(m, "PID", 0), -1);
        sum.unprocessable++;
        return;
    }
    sum.transformed++;
    d = check_bundle(pool, bundle, path);
    if (alone) {
        for (i = hie_hl7_find(m, "OBX", 0);
             i >= 0 && hie_str_starts(hie_hl7_type(m), "ORU");
             i = hie_hl7_find(m, "OBX", i + 1))
        {
            obx++;
        }
        compare(pool, path, d, obx);
    }
}


static void
one_file(apr_pool_t *parent, const char *path)
{
    apr_pool_t  *pool = hie_pool_create(parent, "file");
    hie_str_t    bytes = read_file(pool, path);
    hie_str_t    message;
    size_t       pos = 0;
    int          n = 0;

    while (next_message(bytes, &pos, &message)) {
        n++;
        one_message(pool, message, path, n == 1 && pos == bytes.len);
    }
    /* the whole file as it is, batch headers, marks and all */
    if (bytes.len > 0) {
        hie_error_t   err = { .rc = 0 };
        hie_hl7_t    *m;
        hie_rc_t      rc = hie_hl7_parse(pool, bytes, &m, &err);

        check_ack(pool, bytes, rc, &err, path);
    }
    apr_pool_destroy(pool);
}


static bool
is_message_file(const char *name)
{
    const char  *dot = strrchr(name, '.');

    return dot != NULL && (strcasecmp(dot, ".hl7") == 0
                           || strcasecmp(dot, ".txt") == 0);
}


static void
walk(apr_pool_t *parent, const char *path)
{
    apr_pool_t   *pool = hie_pool_create(parent, "dir");
    apr_dir_t    *dir;
    apr_finfo_t   info;
    apr_status_t  st;

    assert_int_equal(apr_dir_open(&dir, path, pool), APR_SUCCESS);
    for (;;) {
        st = apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, dir);
        if (st != APR_SUCCESS && st != APR_INCOMPLETE) {
            break;
        }
        if (info.name[0] == '.') {
            continue;
        }
        if (info.filetype == APR_DIR) {
            walk(pool, apr_pstrcat(pool, path, "/", info.name, NULL));
        } else if (is_message_file(info.name)) {
            one_file(pool, apr_pstrcat(pool, path, "/", info.name, NULL));
        }
    }
    apr_dir_close(dir);
    apr_pool_destroy(pool);
}


static void
test_corpus(void **state)
{
    apr_pool_t  *pool = hie_pool_create(NULL, "corpus");

    walk(pool, apr_pstrcat(pool, data, "/data/hl7v2", NULL));
    print_message("# %d messages: %d transformed (of %d supported), %d "
                  "after PID-3 was put in; %d of other types, %d "
                  "refused without PID, %d not parsed\n",
                  sum.messages, sum.transformed, sum.supported, sum.repaired,
                  sum.unsupported, sum.unprocessable, sum.parse_errors);
    print_message("# %d FHIR counterparts, %d elements compared, %d "
                  "different\n", sum.pairs, sum.compared, sum.different);
    assert_true(sum.messages > 400);
    assert_int_equal(sum.transformed + sum.unprocessable, sum.supported);
    assert_true(sum.transformed > 270);
    assert_true(sum.parse_errors < 20);
    assert_true(sum.compared > 150);
    assert_true(sum.pairs > 100);
    assert_true(sum.different * 20 <= sum.compared);
    apr_pool_destroy(pool);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_corpus),
    };
    apr_finfo_t              info;
    apr_pool_t              *pool;
    int                      rc;

    apr_initialize();
    pool = hie_pool_create(NULL, "main");
    data = getenv("HIE_SHARED");
    if (data == NULL) {
        data = "../shared";
    }
    if (apr_stat(&info, apr_pstrcat(pool, data, "/data/hl7v2", NULL),
                 APR_FINFO_TYPE, pool) != APR_SUCCESS)
    {
        printf("1..0 # SKIP no test data in %s/data/hl7v2\n", data);
        apr_pool_destroy(pool);
        apr_terminate();
        return 0;
    }
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return rc;
}
