/*
 * patch: XML Patch and its selectors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "patch/selector.h"
#include "xml/xml.h"

#define HEAD  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static apr_pool_t  *pool;


/* A patch has the FHIR namespace by default and a prefix p. */
static hie_str_t
diff(const char *operations)
{
    return hie_str(apr_psprintf(pool, "<diff xmlns=\"http://hl7.org/fhir\" "
                                "xmlns:p=\"urn:p\">%s</diff>", operations));
}


static hie_str_t
patient(const char *content)
{
    return hie_str(apr_psprintf(pool, "<Patient xmlns="
                                "\"http://hl7.org/fhir\">%s</Patient>",
                                content));
}


static void
gives(const char *content, const char *operations, const char *expected)
{
    hie_error_t  err;
    hie_str_t    out;

    if (hie_patch_xml(patient(content), diff(operations), NULL, pool, &out,
                      &err) != HIE_OK)
    {
        fail_msg("%s: %s: %s", operations, err.where, err.detail);
    }

    assert_string_equal(hie_str_z(pool, out),
                        apr_psprintf(pool, HEAD "%s\n",
                                     patient(expected).ptr));
}


static void
refuses(const char *content, const char *operations, hie_rc_t rc,
        const char *detail)
{
    hie_error_t  err;
    hie_str_t    out = HIE_STR("x");
    hie_rc_t     got;

    memset(&err, 0, sizeof(err));
    got = hie_patch_xml(patient(content), diff(operations), NULL, pool, &out,
                        &err);

    if (got != rc) {
        fail_msg("%s: %d: %s: %s", operations, got, err.where, err.detail);
    }

    assert_null(out.ptr);
    assert_string_equal(err.where, "operation[0]");

    if (strstr(err.detail, detail) == NULL) {
        fail_msg("%s: expected \"%s\" in \"%s\"", operations, detail,
                 err.detail);
    }
}

#define TWO  "<name><family value=\"A\"/></name><name/>"


static void
test_selectors(void **state)
{
    static const struct {
        const char  *text, *xpath;
    } good[] = {
        { "Patient/name", "D:Patient/D:name" },
        { "/f:Patient/f:name[1]", "/f:Patient/f:name[1]" },
        { "Patient/name[use/@value='official']/family/@value",
          "D:Patient/D:name[D:use/@value='official']/D:family/@value" },
        { " Patient / name [ 2 ] [ . = \"x]'\" ] ",
          "D:Patient/D:name[2][.=\"x]'\"]" },
        { "*/h:div/text()[1]", "*/h:div/text()[1]" },
        { "Patient/comment()", "D:Patient/comment()" },
        { "Patient/processing-instruction('a b')[2]",
          "D:Patient/processing-instruction('a b')[2]" },
        { "Patient/@id", "D:Patient/@id" },
        { "Patient/@p:*", "D:Patient/@p:*" },
        { "p:*/text[@a][text='']", "p:*/D:text[@a][D:text='']" },
        { "and/or/div", "D:and/D:or/D:div" }
    };
    static const char *const  bad[] = {
        "", " ", "/", "//name", "Patient//name", "Patient/", "name[", "name[]",
        "name[1", "name[1 or 2]", "name[last()]", "name[position()=1]",
        "name[a='x]", "name[a=b]", "name[a=1]", "name['x']", "id('x')",
        "child::name", "ancestor::*", "name/..", ".", "name | name",
        "name[a and b]", "name[a[1]]", "string(//*)", "$x", "1", "'x'",
        "Patient/@id/name", "Patient/text()/name", "namespace::p", "p:",
        ":p", "a b", "name[@]", "name[a/]", "name[/a]", "text(", "text(1)",
        "document('file:///etc/passwd')", "@"
    };
    hie_buf_t    b;
    hie_error_t  err;
    size_t       i, costs;
    char        *z, *p;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        hie_buf_init(&b, pool, 64);

        if (hie_patch_selector(hie_str(good[i].text), true, "w", &b, &costs,
                               &err) != HIE_OK)
        {
            fail_msg("%s: %s", good[i].text, err.detail);
        }

        z = hie_str_z(pool, hie_buf_str(&b));

        while ((p = strstr(z, HIE_PATCH_DEFAULT_PREFIX)) != NULL) {
            *p = 'D';
            memmove(p + 1, p + strlen(HIE_PATCH_DEFAULT_PREFIX),
                    strlen(p) - strlen(HIE_PATCH_DEFAULT_PREFIX) + 1);
        }

        assert_string_equal(z, good[i].xpath);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hie_buf_init(&b, pool, 64);

        if (hie_patch_selector(hie_str(bad[i]), true, "w", &b, &costs, &err)
            != HIE_INVALID)
        {
            fail_msg("accepted: %s", bad[i]);
        }

        assert_string_equal(err.where, "w");
    }

    hie_buf_init(&b, pool, 64);
    assert_int_equal(hie_patch_selector(HIE_STR("a/b[1][c]"), false, "w", &b,
                                        &costs, &err), HIE_OK);
    assert_true(hie_str_eqz(hie_buf_str(&b), "a/b[1][c]"));
    assert_int_equal(costs, 4);
    z = apr_palloc(pool, HIE_PATCH_SELECTOR_MAX + 1);
    memset(z, 'a', HIE_PATCH_SELECTOR_MAX + 1);
    assert_int_equal(hie_patch_selector((hie_str_t) {
                         z, HIE_PATCH_SELECTOR_MAX }, false, "w", &b, &costs,
                                        &err), HIE_OK);
    assert_int_equal(hie_patch_selector((hie_str_t) {
                         z, HIE_PATCH_SELECTOR_MAX + 1 }, false, "w", &b,
                                        &costs, &err), HIE_INVALID);
}


static void
test_select(void **state)
{
    gives(TWO, "<remove sel=\"Patient/name[2]\"/>",
          "<name><family value=\"A\"/></name>");
    gives(TWO, "<remove sel=\"f:Patient/f:name[f:family/@value='A']\"/>",
          "<name/>");
    gives(TWO, "<remove sel=\"*/name[family]\"/>", "<name/>");

    refuses(TWO, "<remove sel=\"Patient/name\"/>", HIE_UNPROCESSABLE,
            "more than one");
    refuses(TWO, "<remove sel=\"Patient/gender\"/>", HIE_UNPROCESSABLE,
            "nothing");
    refuses(TWO, "<remove sel=\"Patient/h:name[1]\"/>", HIE_UNPROCESSABLE,
            "nothing");
    refuses(TWO, "<remove sel=\"Patient/q:name[1]\"/>", HIE_INVALID,
            "prefixes");
    refuses(TWO, "<remove/>", HIE_INVALID, "sel");
    refuses(TWO, "<remove sel=\"count(//*)\"/>", HIE_INVALID, "RFC 5261");
    refuses(TWO, "<remove xmlns=\"\" sel=\"Patient/name[1]\"/>",
            HIE_UNPROCESSABLE, "nothing");
}


static void
test_add(void **state)
{
    gives("<name/>", "<add sel=\"Patient\"><gender value=\"male\"/></add>",
          "<name/><gender value=\"male\"/>");
    gives("<name/>", "<add sel=\"Patient\" pos=\"prepend\"><!--c--><id/>"
          "</add>", "<!--c--><id/><name/>");
    gives("<name/>", "<add sel=\"Patient/name\" pos=\"before\"><id/></add>",
          "<id/><name/>");
    gives("<name/>", "<add sel=\"Patient/name\" pos=\"after\"><id/></add>",
          "<name/><id/>");
    gives("a<b/>c", "<add sel=\"Patient/b\" pos=\"after\">x<d/>y</add>",
          "a<b/>x<d/>yc");
    gives("a<b/>c", "<add sel=\"Patient/b\" pos=\"before\">x<d/>y</add>",
          "ax<d/>y<b/>c");
    gives("a<b/>c", "<add sel=\"Patient/text()[2]\" pos=\"before\">x</add>"
          "<replace sel=\"Patient/text()[2]\">z</replace>", "a<b/>z");
    gives("<name/>", "<add sel=\"Patient/name\" type=\"@id\">a&lt;&amp;\"b"
          "</add>", "<name id=\"a&lt;&amp;&quot;b\"/>");
    gives("<name/>", "<add sel=\"Patient/name\" type=\"@p:x\">1</add>",
          "<name xmlns:p=\"urn:p\" p:x=\"1\"/>");
    gives("<name/>", "<add sel=\"Patient/name\" type=\"@xml:lang\">de</add>",
          "<name xml:lang=\"de\"/>");
    gives("<name/>", "<add sel=\"Patient/name\" type=\"namespace::q\">urn:q"
          "</add>", "<name xmlns:q=\"urn:q\"/>");
    gives("<name/>", "<add sel=\"Patient\"><x xmlns=\"\"><y/></x></add>",
          "<name/><x xmlns=\"\"><y/></x>");
    gives("<name/>", "<add sel=\"Patient\"/>", "<name/>");

    refuses("<name/>", "<add sel=\"Patient\" pos=\"before\"><x/></add>",
            HIE_UNPROCESSABLE, "Beside the resource");
    refuses("<name/>", "<add sel=\"Patient\" pos=\"behind\"><x/></add>",
            HIE_INVALID, "pos");
    refuses("<name/>", "<add sel=\"Patient\" type=\"id\">x</add>",
            HIE_INVALID, "type");
    refuses("<name/>", "<add sel=\"Patient\" type=\"@id\" pos=\"before\">x"
            "</add>", HIE_INVALID, "either");
    refuses("<name id=\"1\"/>", "<add sel=\"Patient/name\" type=\"@id\">2"
            "</add>", HIE_UNPROCESSABLE, "already");
    refuses("<name/>", "<add sel=\"Patient/name\" type=\"@id\"><x/></add>",
            HIE_INVALID, "a text");
    refuses("<name/>", "<add sel=\"Patient/name\" type=\"@a b\">x</add>",
            HIE_INVALID, "name");
    refuses("<name/>", "<add sel=\"Patient/name\" type=\"@xmlns\">urn:x</add>",
            HIE_INVALID, "name");
    refuses("<name/>", "<add sel=\"Patient/name\" type=\"@q:x\">x</add>",
            HIE_INVALID, "prefix");
    refuses("<name/>", "<add sel=\"Patient/name\" type=\"namespace::xmlns\">x"
            "</add>", HIE_INVALID, "namespace");
    refuses("<name xmlns:q=\"urn:q\"/>", "<add sel=\"Patient/name\" "
            "type=\"namespace::q\">urn:r</add>", HIE_UNPROCESSABLE, "already");
    refuses("<name id=\"1\"/>", "<add sel=\"Patient/name/@id\">2</add>",
            HIE_UNPROCESSABLE, "elements only");
    refuses("<name id=\"1\"/>", "<add sel=\"Patient/name/@id\" pos=\"after\">"
            "2</add>", HIE_UNPROCESSABLE, "beside an attribute");
}


static void
test_replace_remove(void **state)
{
    gives("<gender value=\"male\"/>", "<replace sel=\"Patient/gender/@value\">"
          "fe&lt;male</replace>", "<gender value=\"fe&lt;male\"/>");
    gives("<name/>", "<replace sel=\"Patient/name\">\n <id/>\n</replace>",
          "<id/>");
    gives("a<b/>", "<replace sel=\"Patient/text()\">&amp;lt;</replace>",
          "&amp;lt;<b/>");
    gives("a<b/>", "<replace sel=\"Patient/text()\"/>", "<b/>");
    gives("<!--a-->", "<replace sel=\"Patient/comment()\"><!--b--></replace>",
          "<!--b-->");
    gives("<?a b?>", "<replace sel=\"Patient/processing-instruction('a')\">"
          "<?c d?></replace>", "<?c d?>");
    gives("<?a b?><c/>", "<remove sel=\"Patient/processing-instruction()\"/>",
          "<c/>");
    gives(" <a/> <b/> ", "<remove sel=\"Patient/a\"/>", "  <b/> ");
    gives(" <a/> <b/> ", "<remove sel=\"Patient/a\" ws=\"after\"/>",
          " <b/> ");
    gives(" <a/> <b/> ", "<remove sel=\"Patient/b\" ws=\"both\"/>", " <a/>");
    gives("<a x=\"1\" y=\"2\"/>", "<remove sel=\"Patient/a/@x\"/>",
          "<a y=\"2\"/>");

    refuses("<name/>", "<replace sel=\"Patient/name\"/>", HIE_INVALID,
            "same kind");
    refuses("<name/>", "<replace sel=\"Patient/name\"><a/><b/></replace>",
            HIE_INVALID, "same kind");
    refuses("<name/>", "<replace sel=\"Patient/name\">text</replace>",
            HIE_INVALID, "same kind");
    refuses("a", "<replace sel=\"Patient/text()\"><a/></replace>",
            HIE_INVALID, "by a text");
    refuses("<a/>", "<remove sel=\"Patient\"/>", HIE_UNPROCESSABLE, "whole");
    refuses("<a/>", "<remove sel=\"Patient/a\" ws=\"before\"/>",
            HIE_UNPROCESSABLE, "white space");
    refuses("<a/>", "<remove sel=\"Patient/a\" ws=\"all\"/>", HIE_INVALID,
            "ws");
    refuses("<a x=\"1\"/>", "<remove sel=\"Patient/a/@x\" ws=\"both\"/>",
            HIE_INVALID, "attribute");
}


static hie_rc_t
apply(hie_str_t xml, hie_str_t patch, const hie_patch_limits_t *limits,
      hie_error_t *err)
{
    hie_str_t  out;
    hie_rc_t   rc = hie_patch_xml(xml, patch, limits, pool, &out, err);

    assert_true((rc == HIE_OK) == (out.ptr != NULL));

    return rc;
}


static void
test_shape(void **state)
{
    hie_str_t    p = patient("<name/>");
    hie_error_t  err;

    refuses("<a/>", "<move sel=\"Patient/a\"/>", HIE_INVALID, "add, replace");
    refuses("<a/>", "text", HIE_INVALID, "add, replace");
    assert_int_equal(apply(p, diff(""), NULL, &err), HIE_INVALID);
    assert_int_equal(apply(p, diff("<!--c-->"), NULL, &err), HIE_INVALID);
    assert_int_equal(apply(p, HIE_STR(""), NULL, &err), HIE_INVALID);
    assert_int_equal(apply(p, HIE_STR("<diff>"), NULL, &err), HIE_INVALID);
    assert_int_equal(apply(HIE_STR("x"), diff("<add sel=\"Patient\"/>"), NULL,
                           &err), HIE_INVALID);
    assert_int_equal(apply(p, diff("<!--c--><add sel=\"Patient\"/>"), NULL,
                           NULL), HIE_OK);

    /* nothing that would be read from elsewhere, or grow */
    assert_int_equal(apply(p, HIE_STR("<!DOCTYPE d [<!ENTITY a \"b\">]>"
                                      "<diff><add sel=\"*\">&a;</add></diff>"),
                           NULL, &err), HIE_INVALID);
    assert_int_equal(apply(HIE_STR("<!DOCTYPE d SYSTEM \"file:///x\"><d/>"),
                           diff("<add sel=\"*\"/>"), NULL, &err), HIE_INVALID);
}


static void
test_limits(void **state)
{
    hie_patch_limits_t  limits = hie_patch_limits;
    hie_str_t           p = patient("<name/>"), add;
    hie_buf_t           b;
    hie_error_t         err;
    int                 i;

    add = diff("<add sel=\"Patient/name\"><a><b/></a></add>");
    limits.max_operations = 0;
    assert_int_equal(apply(p, add, &limits, &err), HIE_TOO_LARGE);
    limits.max_operations = 1;
    limits.max_bytes = 100;
    assert_int_equal(apply(p, add, &limits, &err), HIE_TOO_LARGE);
    limits.max_bytes = 1000;
    assert_int_equal(apply(p, add, &limits, &err), HIE_OK);

    /* the patch itself has 4 levels, the result too; then it has 5 */
    limits.max_depth = 4;
    assert_int_equal(apply(p, add, &limits, &err), HIE_OK);
    assert_int_equal(apply(patient("<c><name/></c>"),
                           diff("<add sel=\"Patient/c/name\"><a><b/></a>"
                                "</add>"), &limits, &err), HIE_TOO_LARGE);

    hie_buf_init(&b, pool, 1 << 20);

    for (i = 0; i < 200; i++) {
        hie_buf_addz(&b, "<add sel=\"Patient[a][a][a][a][a][a][a][a][a][a][a]"
                     "[a][a][a][a][a][a][a][a][a][a][a][a][a][a][a][a]\"/>");
    }

    add = diff(hie_str_z(pool, hie_buf_str(&b)));
    hie_buf_init(&b, pool, 1 << 20);
    hie_buf_addz(&b, "<a>");

    for (i = 0; i < 100000; i++) {
        hie_buf_addc(&b, 'x');
    }

    hie_buf_addz(&b, "</a>");
    assert_int_equal(apply(patient(hie_str_z(pool, hie_buf_str(&b))), add,
                           NULL, &err), HIE_TOO_COSTLY);
}


/* Equal but for white space between elements and how namespaces are
 * declared. */
static bool
same(xmlNodePtr a, xmlNodePtr b)
{
    xmlAttrPtr  attr;
    xmlChar    *x, *y;
    int         n = 0;

    if (a->type != b->type || !xmlStrEqual(a->name, b->name)) {
        return false;
    }

    if (a->type != XML_ELEMENT_NODE) {
        x = xmlNodeGetContent(a);
        y = xmlNodeGetContent(b);
        n = xmlStrEqual(x, y);
        xmlFree(x);
        xmlFree(y);
        return n;
    }

    if ((a->ns == NULL) != (b->ns == NULL)
        || (a->ns != NULL && !xmlStrEqual(a->ns->href, b->ns->href)))
    {
        return false;
    }

    for (attr = a->properties; attr != NULL; attr = attr->next, n++) {
        x = xmlGetProp(a, attr->name);
        y = xmlGetProp(b, attr->name);

        if (y == NULL || !xmlStrEqual(x, y)) {
            return false;
        }

        xmlFree(x);
        xmlFree(y);
    }

    for (attr = b->properties; attr != NULL; attr = attr->next, n--) {
    }

    a = a->children;
    b = b->children;

    for ( ;; ) {
        while (a != NULL && xmlIsBlankNode(a)) {
            a = a->next;
        }

        while (b != NULL && xmlIsBlankNode(b)) {
            b = b->next;
        }

        if (a == NULL || b == NULL) {
            return n == 0 && a == b;
        }

        if (!same(a, b)) {
            return false;
        }

        a = a->next;
        b = b->next;
    }
}


static char *
between(char *text, const char *open, const char *close)
{
    char  *from = strstr(text, open), *to;

    if (from == NULL) {
        return NULL;
    }

    from += strlen(open);
    to = strstr(from, close);
    assert_non_null(to);

    return apr_pstrmemdup(pool, from, (apr_size_t) (to - from));
}


static void
published(char *text)
{
    hie_str_t    target, expected, out;
    xmlDocPtr    a, b;
    hie_error_t  err;
    hie_rc_t     rc;
    char        *patch;

    target = hie_str_trim(hie_str(between(text, "<target>", "</target>")));
    patch = apr_psprintf(pool, "<patch%s</patch>",
                         between(text, "<patch", "</patch>"));
    rc = hie_patch_xml(target, hie_str(patch), NULL, pool, &out, &err);

    if (strstr(text, "<error") != NULL) {
        assert_int_not_equal(rc, HIE_OK);
        return;
    }

    if (rc != HIE_OK) {
        fail_msg("%.70s: %s: %s", text, err.where, err.detail);
    }

    expected = hie_str_trim(hie_str(between(text, "<patched>",
                                            "</patched>")));
    a = xmlReadMemory(out.ptr, (int) out.len, NULL, NULL, 0);
    b = xmlReadMemory(expected.ptr, (int) expected.len, NULL, NULL, 0);

    if (!same(xmlDocGetRootElement(a), xmlDocGetRootElement(b))) {
        fail_msg("%.70s: %s", text, hie_str_z(pool, out));
    }

    xmlFreeDoc(a);
    xmlFreeDoc(b);
}


/* Those in comments are no cases: RFC 5261 has them, FHIR needs them not. */
static void
test_published(void **state)
{
    const char  *shared = getenv("HIE_SHARED");
    char        *path, *text, *p, *end, *comment;
    FILE        *f;
    size_t       len;
    int          count = 0;

    path = apr_psprintf(pool, "%s/data/fhirpath/patch/xml-patch-tests.xml",
                        shared != NULL ? shared : "../shared");
    f = fopen(path, "r");

    if (f == NULL) {
        print_message("# skipped: no %s\n", path);
        return;
    }

    text = apr_palloc(pool, 1 << 20);
    len = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    text[len] = '\0';

    for (p = text; (p = strstr(p, "<case ")) != NULL; p = end) {
        end = strstr(p, "</case>");
        assert_non_null(end);

        /* a comment that is open here, around the case */
        for (comment = p; comment > text && strncmp(comment, "<!--", 4) != 0
                          && strncmp(comment, "-->", 3) != 0; comment--) {
        }

        if (strncmp(comment, "<!--", 4) != 0) {
            published(apr_pstrmemdup(pool, p, (apr_size_t) (end - p)));
            count++;
        }
    }

    assert_true(count >= 25);
}


static int
start(void **state)
{
    apr_initialize();
    hie_xml_init();
    pool = hie_pool_create(NULL, "test");

    return 0;
}


static int
stop(void **state)
{
    apr_pool_destroy(pool);
    apr_terminate();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_selectors), cmocka_unit_test(test_select),
        cmocka_unit_test(test_add), cmocka_unit_test(test_replace_remove),
        cmocka_unit_test(test_shape), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_published)
    };

    return cmocka_run_group_tests_name("patch_xml", tests, start, stop);
}
