/*
 * xml: what narrative may hold (R4 section 2.4.0, rules txt-1 and txt-2).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "xml/xml.h"

#define DIV(z)  "<div xmlns=\"http://www.w3.org/1999/xhtml\">" z "</div>"


static void
test_permitted(void **state)
{
    static const char *const  permitted[] = {
        DIV("a"),
        "  " DIV("a") "\n",
        "<h:div xmlns:h='http://www.w3.org/1999/xhtml'><h:p>a</h:p></h:div>",
        DIV("<h1>a</h1><h6 title='x' class='y' id='z' lang='en' dir='ltr'/>"
            "<address/><hr/><br/><pre xml:space='preserve'>a</pre>"),
        DIV("<em/><strong/><dfn/><code/><samp/><kbd/><var/><cite/><abbr/>"
            "<acronym/><q cite='http://a.example/'/><sub/><sup/><tt/><i/><b/>"
            "<big/><small/><bdo dir='rtl'/><span xml:lang='de'/>a"),
        DIV("<ul><li>a</li></ul><ol type='1'><li/></ol>"
            "<dl><dt/><dd/></dl><blockquote cite='#a'>a</blockquote>"),
        DIV("<table border='1' summary='s'><caption/><colgroup><col span='2'"
            "/></colgroup><thead><tr><th scope='col'/></tr></thead><tfoot/>"
            "<tbody><tr valign='top'><td colspan='2' rowspan='1' align='left'"
            " bgcolor='#fff'>a</td></tr></tbody></table>"),
        DIV("<a href='http://a.example/?q=1'/><a name='x'/><a href='#x'/>"
            "<a href='Patient/1'/><a href='mailto:a@a.example'/>"
            "<a href='a/b:c'/><a href='urn:oid:1.2'/>a"),
        DIV("<img src='#pic' alt='a'/>"),
        DIV("<img src='data:image/png;base64,AAAA'/>"),
        DIV("<img src='https://a.example/a.png' usemap='#m'/><map name='m'>"
            "<area shape='rect' coords='0,0,1,1' href='#a' alt=''/></map>"),
        DIV("<p style='color: red; background: url(#a)'>a</p>"),
        DIV("<p style=\"background: url( 'data:image/png;base64,AA' )\">a"
            "</p>"),
        DIV("<!-- c --><p>&#160;&lt;</p>"),
        DIV("<![CDATA[a]]>")
    };

    size_t       i;
    hie_error_t  err;

    for (i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        if (hie_xhtml_check(hie_str(permitted[i]), &err) != HIE_OK) {
            fail_msg("%s: %s", permitted[i], err.detail);
        }
    }
}


static const struct {
    const char  *div;
    const char  *detail;         /* starts with the first word, has the rest */
    const char  *part;
} refused[] = {
    /* no div */
    { "", "txt-1: ", "empty" },
    { "a", "txt-1: ", "XML" },
    { "<div>a</div>", "txt-1: ", "namespace" },
    { "<p xmlns=\"http://www.w3.org/1999/xhtml\">a</p>", "txt-1: ",
      "no div: p" },
    { DIV("a") DIV("a"), "txt-1: ", "XML" },
    { DIV("a") "<!-- a -->", "txt-1: ", "behind" },
    { DIV("<p>a"), "txt-1: ", "line 1: XML" },
    { "<div", "txt-1: ", "line 1: " },
    { DIV("a\n<p>&nbsp;</p>"), "txt-1: ", "line 2: XML: Entity 'nbsp'" },
    { "<!DOCTYPE div>" DIV("a"), "txt-1: ", "document type" },

    /* elements */
    { DIV("a\n<script>a</script>"), "txt-1: line 2: ", ": script" },
    { DIV("a<iframe src='#'/>"), "txt-1: ", ": iframe" },
    { DIV("a<object/>"), "txt-1: ", ": object" },
    { DIV("a<embed/>"), "txt-1: ", ": embed" },
    { DIV("a<form/>"), "txt-1: ", ": form" },
    { DIV("a<input/>"), "txt-1: ", ": input" },
    { DIV("a<head/>"), "txt-1: ", ": head" },
    { DIV("a<body/>"), "txt-1: ", ": body" },
    { DIV("a<base/>"), "txt-1: ", ": base" },
    { DIV("a<link/>"), "txt-1: ", ": link" },
    { DIV("a<meta/>"), "txt-1: ", ": meta" },
    { DIV("a<style>p {}</style>"), "txt-1: ", ": style" },
    { DIV("a<ins>a</ins>"), "txt-1: ", ": ins" },
    { DIV("a<del>a</del>"), "txt-1: ", ": del" },
    { DIV("a<font>a</font>"), "txt-1: ", ": font" },
    { DIV("a<center>a</center>"), "txt-1: ", ": center" },
    { DIV("a<P>a</P>"), "txt-1: ", ": P" },
    { DIV("a<svg xmlns='http://www.w3.org/2000/svg'/>"), "txt-1: ",
      "namespace" },
    { DIV("a<?php x ?>"), "txt-1: ", "processing instruction: php" },

    /* attributes */
    { DIV("<p onclick='a()'>a</p>"), "txt-1: ", "onclick of p" },
    { DIV("<p a='a' style='b'>a</p>"), "txt-1: ", "a of p" },
    { DIV("<p ONCLICK='a()'>a</p>"), "txt-1: ", "ONCLICK of p" },
    { DIV("<img src='#a' onerror='a()'/>"), "txt-1: ", "onerror of img" },
    { DIV("<p href='#a'>a</p>"), "txt-1: ", "href of p" },
    { DIV("<a target='x'>a</a>"), "txt-1: ", "target of a" },
    { DIV("<p xml:base='http://a.example/'>a</p>"), "txt-1: ", "base of p" },
    { DIV("<p xmlns:x='urn:x' x:y='1'>a</p>"), "txt-1: ", "namespace: y" },
    { DIV("<a href='javascript:a()'>a</a>"), "txt-1: ", "href of a" },
    { DIV("<a href=' JAVA&#10;script&#9;:a()'>a</a>"), "txt-1: ",
      "href of a" },
    { DIV("<a href='&#1;'>a</a>"), "txt-1: ", "XML" },
    { DIV("<a href='vbscript:a'>a</a>"), "txt-1: ", "href of a" },
    { DIV("<a href='data:text/html,a'>a</a>"), "txt-1: ", "href of a" },
    { DIV("<a href='data:image/png,a'>a</a>"), "txt-1: ", "href of a" },
    { DIV("<img src='data:text/html,a'/>"), "txt-1: ", "src of img" },
    { DIV("<img src='javascript:a()'/>"), "txt-1: ", "src of img" },
    { DIV("<a href='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaa:b'>a</a>"), "txt-1: ", "href of a" },
    { DIV("<q cite='javascript:a()'>a</q>"), "txt-1: ", "cite of q" },
    { DIV("<p style='background: url(http://a.example/)'>a</p>"), "txt-1: ",
      "style of p" },
    { DIV("<p style='background: URL (//a.example/)'>a</p>"), "txt-1: ",
      "style of p" },
    { DIV("<p style='width: expression(a())'>a</p>"), "txt-1: ",
      "style of p" },
    { DIV("<p style='@import \"a.css\"'>a</p>"), "txt-1: ", "style of p" },
    { DIV("<p style='u\\72l(a)'>a</p>"), "txt-1: ", "style of p" },
    { DIV("<p style='u/**/rl(a)'>a</p>"), "txt-1: ", "style of p" },

    /* nothing to see */
    { "<div xmlns=\"http://www.w3.org/1999/xhtml\"/>", "txt-2: ", "neither" },
    { DIV(" \n\t"), "txt-2: ", "neither" },
    { DIV("<p>&#160; <br/></p><!-- a -->"), "txt-2: ", "neither" }
};


static void
test_refused(void **state)
{
    size_t       i;
    hie_error_t  err;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (hie_xhtml_check(hie_str(refused[i].div), &err)
                != HIE_UNPROCESSABLE
            || strncmp(err.detail, refused[i].detail,
                       strlen(refused[i].detail)) != 0
            || strstr(err.detail, refused[i].part) == NULL
            || err.where[0] != '\0')
        {
            fail_msg("%s: %s", refused[i].div, err.detail);
        }
    }

    assert_int_equal(hie_xhtml_check(HIE_STR("a"), NULL), HIE_UNPROCESSABLE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_permitted),
        cmocka_unit_test(test_refused)
    };

    int  rc;

    apr_initialize();
    hie_xml_init();
    rc = cmocka_run_group_tests_name("xhtml", tests, NULL, NULL);
    apr_terminate();

    return rc;
}
