/*
 * xml: FHIR XML from and to FHIR JSON, by hand-written cases.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "xml_tool.h"

#define DECL   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS     " xmlns=\"http://hl7.org/fhir\""
#define XHTML  " xmlns=\"http://www.w3.org/1999/xhtml\""
/* the same in a JSON string */
#define JHTML  " xmlns=\\\"http://www.w3.org/1999/xhtml\\\""
#define P(z)   "{\"resourceType\":\"Patient\"" z "}"
#define XP(z)  "<Patient" NS ">" z "</Patient>"

typedef struct {
    const char  *xml;
    const char  *json;
} pair_t;

static apr_pool_t  *pool;


static int
set_up(void **state)
{
    pool = hie_pool_create(NULL, "test");
    return 0;
}


static int
tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}


/* Exactly so, both ways. */
static const pair_t  pairs[] = {
    { "<Patient" NS "/>", "{\"resourceType\":\"Patient\"}" },
    { XP("<id value=\"a\"/><active value=\"true\"/>"
         "<gender value=\"male\"/>"),
      P(",\"id\":\"a\",\"active\":true,\"gender\":\"male\"") },

    /* every escape, and what XML and JSON escape differently */
    { XP("<language value=\"&amp;&lt;>&quot;'\\/&#9;&#10;&#13;\x7f\"/>"),
      P(",\"language\":\"&<>\\\"'\\\\/\\t\\n\\r\x7f\"") },
    { XP("<language value=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"
         "\xe2\x80\xa8\xef\xbf\xbd\"/>"),
      P(",\"language\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"
        "\xe2\x80\xa8\xef\xbf\xbd\"") },
    { XP("<language value=\"  two  blanks \"/>"),
      P(",\"language\":\"  two  blanks \"") },
    { XP("<language value=\"\"/>"), P(",\"language\":\"\"") },

    /* numbers by their lexemes */
    { "<Observation" NS "><valueQuantity><value value=\"1.50\"/>"
      "</valueQuantity></Observation>",
      "{\"resourceType\":\"Observation\",\"valueQuantity\":"
      "{\"value\":1.50}}" },
    { "<Observation" NS "><valueQuantity><value value=\"-0.0E-07\"/>"
      "</valueQuantity></Observation>",
      "{\"resourceType\":\"Observation\",\"valueQuantity\":"
      "{\"value\":-0.0E-07}}" },
    { XP("<multipleBirthInteger value=\"2\"/>"),
      P(",\"multipleBirthInteger\":2") },

    /* ids and extensions of primitives */
    { XP("<birthDate value=\"1970-03-30\" id=\"a\"><extension url=\"u\">"
         "<valueDateTime value=\"1970\"/></extension></birthDate>"),
      P(",\"birthDate\":\"1970-03-30\",\"_birthDate\":{\"id\":\"a\","
        "\"extension\":[{\"url\":\"u\",\"valueDateTime\":\"1970\"}]}") },
    { XP("<birthDate><extension url=\"u\"><valueCode value=\"x\"/>"
         "</extension></birthDate>"),
      P(",\"_birthDate\":{\"extension\":[{\"url\":\"u\","
        "\"valueCode\":\"x\"}]}") },
    { XP("<name><given value=\"a\"/><given value=\"b\" id=\"i\"/>"
         "<given value=\"c\"/></name>"),
      P(",\"name\":[{\"given\":[\"a\",\"b\",\"c\"],"
        "\"_given\":[null,{\"id\":\"i\"},null]}]") },
    { XP("<name><given id=\"i\"/><given value=\"b\"/><given id=\"k\"/>"
         "</name>"),
      P(",\"name\":[{\"given\":[null,\"b\",null],"
        "\"_given\":[{\"id\":\"i\"},null,{\"id\":\"k\"}]}]") },
    { XP("<name><given value=\"a\" id=\"i\"/><given id=\"k\"/>"
         "<given id=\"l\"/><given value=\"d\"/></name>"),
      P(",\"name\":[{\"given\":[\"a\",null,null,\"d\"],\"_given\":"
        "[{\"id\":\"i\"},{\"id\":\"k\"},{\"id\":\"l\"},null]}]") },
    { XP("<name><given id=\"i\"/><given id=\"k\"/></name>"),
      P(",\"name\":[{\"_given\":[{\"id\":\"i\"},{\"id\":\"k\"}]}]") },

    /* attributes, extensions in extensions */
    { XP("<extension url=\"u\" id=\"e\"><extension url=\"v\">"
         "<valueBoolean value=\"false\"/></extension></extension>"
         "<name id=\"n\"/>"),
      P(",\"extension\":[{\"url\":\"u\",\"id\":\"e\",\"extension\":"
        "[{\"url\":\"v\",\"valueBoolean\":false}]}],"
        "\"name\":[{\"id\":\"n\"}]") },

    /* any resource */
    { XP("<contained><Organization><id value=\"o\"/></Organization>"
         "</contained><contained><Basic/></contained>"),
      P(",\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\"},"
        "{\"resourceType\":\"Basic\"}]") },
    { "<Bundle" NS "><entry><resource><Bundle><entry><resource><Basic>"
      "<id value=\"b\"/></Basic></resource></entry></Bundle></resource>"
      "</entry></Bundle>",
      "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{"
      "\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{"
      "\"resourceType\":\"Basic\",\"id\":\"b\"}}]}}]}" },
    { "<Parameters" NS "><parameter><name value=\"a\"/><part>"
      "<name value=\"b\"/><resource><Basic/></resource></part></parameter>"
      "</Parameters>",
      "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"a\","
      "\"part\":[{\"name\":\"b\",\"resource\":{\"resourceType\":"
      "\"Basic\"}}]}]}" },

    /* content by reference to another element */
    { "<Questionnaire" NS "><item><linkId value=\"1\"/><item>"
      "<linkId value=\"1.1\"/><item><linkId value=\"1.1.1\"/></item></item>"
      "</item></Questionnaire>",
      "{\"resourceType\":\"Questionnaire\",\"item\":[{\"linkId\":\"1\","
      "\"item\":[{\"linkId\":\"1.1\",\"item\":[{\"linkId\":\"1.1.1\"}]}]}]"
      "}" },

    /* narrative keeps its bytes */
    { XP("<text><status value=\"empty\"/><div" XHTML " id='d' >a &amp; "
         "&#60;<br/><br />\n<p class='x'>\t]]&gt;</p><!-- kept -->"
         "<![CDATA[<x>]]></div></text>"),
      P(",\"text\":{\"status\":\"empty\",\"div\":\"<div" JHTML " id='d' >"
        "a &amp; &#60;<br/><br />\\n<p class='x'>\\t]]&gt;</p>"
        "<!-- kept --><![CDATA[<x>]]></div>\"}") },
    { XP("<text><div" XHTML "/></text>"),
      P(",\"text\":{\"div\":\"<div" JHTML "/>\"}") },
    { XP("<text><h:div xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:p>a</h:p>"
         "</h:div></text>"),
      P(",\"text\":{\"div\":\"<h:div xmlns:h=\\\"http://www.w3.org/1999/"
        "xhtml\\\"><h:p>a</h:p></h:div>\"}") }
};


static void
test_pairs(void **state)
{
    size_t      i;
    hie_doc_t  *d;
    hie_str_t   json, xml;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        json = to_json(pool, hie_str(pairs[i].xml));
        assert_string_equal(hie_str_z(pool, json), pairs[i].json);

        d = parse_json(pool, hie_str(pairs[i].json));
        xml = canonical_xml(pool, to_xml(pool, d, 0));
        assert_string_equal(
            hie_str_z(pool, xml),
            hie_str_z(pool, canonical_xml(pool, hie_str(pairs[i].xml))));
        there_and_back(pool, d);
    }
}


/* Other JSON and other XML that mean the same as what we write. */
static void
test_same(void **state)
{
    static const pair_t  from_xml[] = {
        { "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n<!-- c -->"
          "<?pi x?><f:Patient xmlns:f='http://hl7.org/fhir' "
          "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
          "xsi:schemaLocation='http://hl7.org/fhir x.xsd'>\r\n <!-- c -->"
          "<f:active  value = 'true' ></f:active>\t</f:Patient>\n<!-- e -->",
          P(",\"active\":true") },
        { XP("<language value='&#x41;&#66;&apos;a\nb\tc'/>"),
          P(",\"language\":\"AB'a b c\"") },
        { XP("<multipleBirthInteger value=\"+2\"/>"),
          P(",\"multipleBirthInteger\":2") },
        { XP("<active value='true'/><id value='a'/>"),
          P(",\"active\":true,\"id\":\"a\"") },
        { "<Patient" NS " xmlns:h='http://www.w3.org/1999/xhtml'><text>"
          "<h:div xml:lang='de' title='&lt;&quot;&#10;'>a&amp;<h:br/>&#13;"
          "<![CDATA[<b>]]><!--c--><?p d?></h:div></text></Patient>",
          P(",\"text\":{\"div\":\"<div" JHTML " xml:lang=\\\"de\\\" "
            "title=\\\"&lt;&quot;&#10;\\\">a&amp;<br></br>&#13;&lt;b&gt;"
            "<!--c--><?p d?></div>\"}") }
    };

    static const pair_t  from_json[] = {
        { XP("<language value=\"&lt;&amp;&quot;'/&#9;&#10;&#13;"
             "\xc3\xa4\xf0\x9f\x98\x80>\"/>"),
          P(",\"language\":\"\\u003c\\u0026\\u0022\\u0027\\/\\t\\n\\r"
            "\\u00e4\\uD83D\\ude00\\u003E\"") },
        { XP("<active value=\"true\"/><gender value=\"male\"/>"),
          "{\"gender\":\"male\",\"active\":true,"
          "\"resourceType\":\"Patient\"}" },
        { XP("<gender value=\"male\"/>"),
          P(",\"g\\u0065nder\":\"male\"") },
        { XP("<name><given value=\"a\"/></name>"),
          P(",\"name\":[{},{\"given\":[\"a\",null],\"_given\":[null]},"
            "{\"given\":[null]}],\"meta\":{},\"contact\":[],"
            "\"link\":[{\"other\":{}}],\"active\":null,"
            "\"_birthDate\":{},\"_gender\":null,\"address\":null") },
        { XP("<name><given value=\"a\"/><given value=\"b\" id=\"i\"/></name>"),
          P(",\"name\":[{\"_given\":[null,{\"id\":\"i\"}],"
            "\"given\":[\"a\",\"b\"]}]") },
        { XP("<text><div" XHTML ">a</div></text>"),
          P(",\"text\":{\"div\":\" \\n<div" JHTML ">a</div>\\n\"}") }
    };

    size_t       i;
    hie_str_t    json, xml;

    for (i = 0; i < sizeof(from_xml) / sizeof(from_xml[0]); i++) {
        json = to_json(pool, hie_str(from_xml[i].xml));
        assert_string_equal(hie_str_z(pool, json), from_xml[i].json);
        there_and_back(pool, parse_json(pool, json));
    }

    for (i = 0; i < sizeof(from_json) / sizeof(from_json[0]); i++) {
        xml = to_xml(pool, parse_json(pool, hie_str(from_json[i].json)), 0);
        assert_string_equal(hie_str_z(pool, xml),
                            apr_pstrcat(pool, DECL, from_json[i].xml, NULL));
    }
}


static void
test_pretty(void **state)
{
    static const char  json[] =
        P(",\"contained\":[{\"resourceType\":\"Basic\",\"id\":\"b\"}],"
          "\"text\":{\"div\":\"<div" JHTML "><p>\\n a</p></div>\"},"
          "\"name\":[{\"given\":[\"a\"]}]");

    hie_str_t  xml;

    xml = to_xml(pool, parse_json(pool, hie_str(json)), HIE_XML_PRETTY);
    assert_string_equal(
        hie_str_z(pool, xml),
        DECL
        "<Patient" NS ">\n"
        "  <text>\n"
        "    <div" XHTML "><p>\n a</p></div>\n"
        "  </text>\n"
        "  <contained>\n"
        "    <Basic>\n"
        "      <id value=\"b\"/>\n"
        "    </Basic>\n"
        "  </contained>\n"
        "  <name>\n"
        "    <given value=\"a\"/>\n"
        "  </name>\n"
        "</Patient>\n");
}


typedef struct {
    const char  *text;
    const char  *where;
    const char  *detail;         /* part of it */
} refused_t;


static void
check_refused(const refused_t *r, unsigned flags, hie_rc_t rc)
{
    hie_str_t    json;
    hie_error_t  err = { 0 };

    if (hie_xml_to_json(pool, hie_str(r->text), 8, flags, &json, &err) != rc
        || strcmp(err.where, r->where) != 0
        || strstr(err.detail, r->detail) == NULL || err.rc != rc)
    {
        fail_msg("%s: %d, %s: %s", r->text, err.rc, err.where, err.detail);
    }
}


static const refused_t  wrong_xml[] = {
    { "", "", "empty" },
    { " ", "", "line 1: XML" },
    { "{}", "", "line 1: XML" },
    { "<Patient/>", "", "line 1: an element of another namespace: "
      "Patient" },
    { "<Patient xmlns='http://hl7.org/fhir/'/>", "", "namespace" },
    { "<Nothing" NS "/>", "", "no resource of R4: Nothing" },
    { "<DomainResource" NS "/>", "", "no resource of R4" },
    { "<HumanName" NS "/>", "", "no resource of R4" },
    { XP("<name>"), "", "mismatch" },
    { XP("\n<foo/>"), "Patient", "line 2: R4 does not define the element:"
      " foo" },
    { XP("<name><given value='a'/></name><name>\n<given value='b'/>"
         "<given><extension url='u'><foo/></extension></given></name>"),
      "Patient.name[1].given[1].extension[0]",
      "line 2: R4 does not define the element: foo" },
    { XP("<contained><Basic><x/></Basic></contained>"),
      "Patient.contained[0]", "element: x" },
    { XP("<deceasedBoolean value='maybe'/>"), "Patient.deceased",
      "boolean" },
    { XP("<name xmlns='urn:x'/>"), "Patient", "another namespace: name" },
    { XP("<text><div>a</div></text>"), "Patient.text", "element: div" },
    { XP("<div" XHTML "/>"), "Patient", "another namespace: div" },
    { XP("<name x='1'/>"), "Patient.name[0]",
      "R4 does not define the attribute: x" },
    { XP("<name value='1'/>"), "Patient.name[0]", "attribute: value" },
    { XP("<active url='1'/>"), "Patient.active", "attribute: url" },
    { XP("<extension><url value='x'/></extension>"),
      "Patient.extension[0]", "element: url" },
    { "<Patient" NS " id='1'/>", "Patient", "attribute: id" },
    { "<Patient" NS " xmlns:x='urn:x' x:id='1'/>", "Patient",
      "another namespace: id" },
    { XP("<contained id='1'><Basic/></contained>"),
      "Patient.contained[0]", "attribute: id" },
    { XP("<contained/>"), "Patient.contained[0]", "a resource is "
      "missing" },
    { XP("<contained><Basic/><Basic/></contained>"),
      "Patient.contained[0]", "more than one resource" },
    { XP("<contained><name/></contained>"), "Patient.contained[0]",
      "no resource of R4: name" },
    { XP("text"), "Patient", "text where none is allowed: text" },
    { XP("<active value='true'>x</active>"), "Patient.active", "text" },
    { XP("<![CDATA[x]]>"), "Patient", "text" },
    { XP("&amp;"), "Patient", "text" },
    { XP("<name/>"), "Patient.name[0]", "ele-1" },
    { XP("<active/>"), "Patient.active", "ele-1" },
    { XP("<active value='true'/><active value='true'/>"), "Patient",
      "does not repeat: active" },
    { XP("<name><family value='a'/></name><active value='true'/>"
         "<name><family value='b'/></name>"), "Patient",
      "not beside those of its name: name" },
    { XP("<deceasedBoolean value='true'/>"
         "<deceasedDateTime value='2000'/>"), "Patient",
      "one type of a choice, once: deceasedDateTime" },
    { XP("<active value='1'/>"), "Patient.active", "type: boolean" },
    { XP("<active value=''/>"), "Patient.active", "type: boolean" },
    { XP("<multipleBirthInteger value='01'/>"), "Patient.multipleBirth",
      "type: integer" },
    { XP("<multipleBirthInteger value='+-1'/>"), "Patient.multipleBirth",
      "type: integer" },
    { XP("<multipleBirthInteger value=' 1'/>"), "Patient.multipleBirth",
      "type: integer" },
    { "<Basic" NS "><extension url='u'><valueDecimal value='1.'/>"
      "</extension></Basic>", "Basic.extension[0].value",
      "type: decimal" },
    { "<Basic" NS "><extension url='u'><valueDecimal value='NaN'/>"
      "</extension></Basic>", "Basic.extension[0].value",
      "type: decimal" },

    /* what could reach outside, or cost too much */
    { "<!DOCTYPE Patient [<!ENTITY a 'b'>]>\n" XP(""), "",
      "document type" },
    { "<!DOCTYPE Patient SYSTEM 'file:///etc/passwd'>" XP(""), "",
      "document type" },
    { XP("<language value='&nbsp;'/>"), "", "XML: Entity 'nbsp'" },
    { XP("<text><div" XHTML ">&nbsp;</div></text>"), "",
      "XML: Entity 'nbsp'" },
    { XP("<language value='&#0;'/>"), "", "XML: " },
    { XP("<language value='&#xd800;'/>"), "", "XML: " },
    { XP("<language value='\x01'/>"), "", "XML: " },
    { XP("<language value='\xff'/>"), "", "not UTF-8" },
    { "<?xml version='1.0' encoding='ISO-8859-1'?>" XP(""), "",
      "not UTF-8" },
    { "<?xml version='1.0' encoding='UTF-16'?>" XP(""), "", "UTF-8" },
    { "<?xml version=\"1.0\" encoding = \"utf-7\" ?>" XP(""), "",
      "UTF-8" },
    { "<?xml version='1.0' encoding=", "", "XML: " },
    { "<?xml version='1.0' encoding?>" XP(""), "", "XML: " },
    { XP("<language value='a' value='b'/>"), "", "XML: Attribute" },
    { XP("") XP(""), "", "XML: Extra content" },
    { XP("<x:a/>"), "", "XML: Namespace prefix x" },

    /* narrative that would not stand by itself */
    { XP("<text><div" XHTML "><p xmlns='urn:x'/></div></text>"),
      "Patient.text", "another namespace: p" },
    { XP("<text><div" XHTML " xmlns:x='urn:x'><p x:a='1'/></div></text>"),
      "Patient.text", "another namespace: a" },
    { XP("<text><div" XHTML "/><div" XHTML "/></text>"), "Patient.text",
      "does not repeat: div" }
};


static void
test_refused_xml(void **state)
{
    static const refused_t  deep = {
        "<Questionnaire" NS "><item><item><item><item><item><item><item>"
        "<item>", "Questionnaire.item[0]", "more than 8 levels"
    };

    static const refused_t  namespaces = {
        "<Patient" NS " xmlns:a='a' xmlns:b='a' xmlns:c='a' xmlns:d='a'"
        " xmlns:e='a' xmlns:f='a' xmlns:g='a' xmlns:h='a'/>", "",
        "more than 8 namespaces"
    };

    size_t  i;

    for (i = 0; i < sizeof(wrong_xml) / sizeof(wrong_xml[0]); i++) {
        check_refused(&wrong_xml[i], 0, HIE_INVALID);
    }

    check_refused(&(refused_t) { deep.text, "", deep.detail }, 0,
                  HIE_TOO_LARGE);
    check_refused(&namespaces, 0, HIE_TOO_LARGE);
}


static void
test_lossless(void **state)
{
    static const refused_t  refused[] = {
        { XP("<!-- c -->"), "Patient", "a comment" },
        { "<!-- c -->" XP(""), "", "a comment" },
        { XP("<?p d?>"), "Patient", "processing instruction" },
        { XP("<active value='true'/><id value='a'/>"), "Patient",
          "out of order: id" },
        { "<Patient" NS " xmlns:i='http://www.w3.org/2001/XMLSchema-instance'"
          " i:schemaLocation='a b'/>", "Patient", "schemaLocation" }
    };

    static const char  kept[] =
        XP("<text><div" XHTML "><!-- c --><?p d?></div></text>");

    size_t       i;
    hie_str_t    json;
    hie_error_t  err;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(hie_xml_to_json(pool, hie_str(refused[i].text), 8, 0,
                                         &json, &err), HIE_OK);
        check_refused(&refused[i], HIE_XML_LOSSLESS, HIE_INVALID);
    }

    assert_int_equal(hie_xml_to_json(pool, hie_str(kept), 8, HIE_XML_LOSSLESS,
                                     &json, &err), HIE_OK);
}


/* The parser compares each attribute of a tag with each. */
static void
test_many_attributes(void **state)
{
    static const char *const  hidden[] = {
        "", "<!-- ' -->", "<![CDATA[ <a ' ]]>", "<?p <a \" ?>",
        "<active value='>'/>"
    };

    int          i, n;
    size_t       k;
    hie_buf_t    b;
    hie_str_t    json;
    hie_error_t  err;

    for (k = 0; k < sizeof(hidden) / sizeof(hidden[0]); k++) {
        for (n = 64; n <= 65; n++) {
            hie_buf_init(&b, pool, 0);
            hie_buf_addz(&b, "<Patient" NS ">");
            hie_buf_addz(&b, hidden[k]);
            hie_buf_addz(&b, "<name");
            for (i = 0; i < n; i++) {
                hie_buf_addf(&b, " a%d='='", i);
            }
            hie_buf_addz(&b, "/></Patient>");
            assert_int_equal(hie_xml_to_json(pool, hie_buf_str(&b), 8, 0,
                                             &json, &err),
                             n == 64 ? HIE_INVALID : HIE_TOO_LARGE);
        }
    }

    /* what only looks like them */
    json = to_json(pool, HIE_STR(
        XP("<text><div" XHTML "><!-- <a =================================="
           "==================================== > --><p>=================="
           "=======================================================</p>"
           "</div></text>")));
    assert_true(json.len > 0);
}


static void
test_refused_json(void **state)
{
    static const refused_t  refused[] = {
        { "{}", "", "resourceType" },
        { "[]", "", "resourceType" },
        { "{\"resourceType\":\"Nothing\"}", "", "resourceType is none of R4: "
          "Nothing" },
        { "{\"resourceType\":\"Resource\"}", "", "none of R4" },
        { P(",\"foo\":1"), "Patient", "R4 does not define the member: foo" },
        { P(",\"name\":[{\"given\":[\"a\"]},{\"x\":1}]"), "Patient.name[1]",
          "member: x" },
        { P(",\"fhir_comments\":[\"a\"]"), "Patient",
          "member: fhir_comments" },
        { P(",\"_name\":[{\"id\":\"a\"}]"), "Patient", "member: _name" },
        { P(",\"text\":{\"_div\":{\"id\":\"a\"}}"), "Patient.text",
          "member: _div" },
        { P(",\"name\":[{\"resourceType\":\"HumanName\"}]"),
          "Patient.name[0]", "member: resourceType" },
        { P(",\"name\":{}"), "Patient.name", "an array is needed" },
        { P(",\"name\":[1]"), "Patient.name[0]", "an object is needed" },
        { P(",\"active\":[true]"), "Patient.active", "type: boolean" },
        { P(",\"active\":\"true\""), "Patient.active", "type: boolean" },
        { P(",\"gender\":true"), "Patient.gender", "type: code" },
        { P(",\"multipleBirthInteger\":\"1\""), "Patient.multipleBirth",
          "type: integer" },
        { P(",\"_gender\":\"a\""), "Patient.gender", "no object" },
        { P(",\"name\":[{\"given\":[\"a\"],\"_given\":{}}]"),
          "Patient.name[0].given", "an array is needed" },
        { P(",\"deceasedBoolean\":true,\"deceasedDateTime\":\"2000\""),
          "Patient", "more than one type of a choice" },
        { P(",\"contained\":[{\"resourceType\":\"X\"}]"),
          "Patient.contained[0]", "none of R4: X" },
        { P(",\"language\":\"\\u0001\""), "Patient.language",
          "no such character" },
        { P(",\"language\":\"\\b\""), "Patient.language",
          "no such character" },
        { P(",\"language\":\"\\uffff\""), "Patient.language",
          "no such character" },
        { P(",\"language\":\"\xef\xbf\xbe\""), "Patient.language",
          "no such character" },
        { P(",\"text\":{\"div\":1}"), "Patient.text.div", "type: xhtml" },
        { P(",\"text\":{\"div\":\"\"}"), "Patient.text.div", "empty" },
        { P(",\"text\":{\"div\":\"a\"}"), "Patient.text.div", "XML" },
        { P(",\"text\":{\"div\":\"<div>a</div>\"}"), "Patient.text.div",
          "namespace" },
        { P(",\"text\":{\"div\":\"<p" JHTML "/>\"}"), "Patient.text.div",
          "no div: p" },
        { P(",\"text\":{\"div\":\"<div" JHTML "></div></text><x/>\"}"),
          "Patient.text.div", "XML: Extra content" },
        { P(",\"text\":{\"div\":\"<div" JHTML "/><!-- a -->\"}"),
          "Patient.text.div", "before or behind the div" },
        { P(",\"text\":{\"div\":\"<?xml version='1.0'?><div" JHTML "/>\"}"),
          "Patient.text.div", "before or behind the div" },
        { P(",\"text\":{\"div\":\"<!DOCTYPE div><div" JHTML "/>\"}"),
          "Patient.text.div", "document type" },
        { P(",\"text\":{\"div\":\"<div" JHTML ">&nbsp;</div>\"}"),
          "Patient.text.div", "Entity 'nbsp'" },
        { P(",\"text\":{\"div\":\"<div" JHTML "><x xmlns='urn:x'/></div>\"}"),
          "Patient.text.div", "namespace" },
        { P(",\"text\":{\"div\":\"<div" JHTML "><o:p/></div>\"}"),
          "Patient.text.div", "prefix o" }
    };

    size_t       i;
    hie_buf_t    b;
    hie_error_t  err;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        hie_buf_init(&b, pool, 0);
        hie_buf_addc(&b, '.');

        if (hie_xml_from_json(parse_json(pool, hie_str(refused[i].text)), 0,
                              0, &b, &err) != HIE_UNPROCESSABLE
            || strcmp(err.where, refused[i].where) != 0
            || strstr(err.detail, refused[i].detail) == NULL)
        {
            fail_msg("%s: %s: %s", refused[i].text, err.where, err.detail);
        }

        assert_int_equal(b.len, 1);
    }
}


/* An attachment may be longer than what libxml2 takes by default. */
static void
test_long_value(void **state)
{
    size_t      len = 20 * 1000 * 1000;
    hie_buf_t   b;
    hie_doc_t  *d;

    hie_buf_init(&b, pool, len + 100);
    hie_buf_addz(&b, "{\"resourceType\":\"Binary\",\"data\":\"");
    memset(b.ptr + b.len, 'A', len);
    b.len += len;
    hie_buf_addz(&b, "\"}");

    d = parse_json(pool, hie_buf_str(&b));
    assert_true(hie_str_eq(to_json(pool, to_xml(pool, d, 0)),
                           hie_buf_str(&b)));
}


/* As deep as may be, and deeper. */
static void
test_deep(void **state)
{
    int          i;
    hie_buf_t    b;
    hie_str_t    json;
    hie_error_t  err;

    hie_buf_init(&b, pool, 0);
    hie_buf_addz(&b, "{\"resourceType\":\"Questionnaire\"");
    for (i = 0; i < 390; i++) {
        hie_buf_addz(&b, ",\"item\":[{\"linkId\":\"a\"");
    }
    for (i = 0; i < 390; i++) {
        hie_buf_addz(&b, "}]");
    }
    hie_buf_addz(&b, "}");
    there_and_back(pool, parse_json(pool, hie_buf_str(&b)));

    hie_buf_init(&b, pool, 0);
    hie_buf_addz(&b, "<Questionnaire" NS ">");
    for (i = 0; i < 401; i++) {
        hie_buf_addz(&b, "<item>");
    }
    assert_int_equal(hie_xml_to_json(pool, hie_buf_str(&b), 100000, 0, &json,
                                     &err), HIE_TOO_LARGE);
}


/* What goes with primitives is put aside, at every level of this. */
static void
test_deep_extensions(void **state)
{
    int          i;
    size_t       len = 1000 * 1000;
    hie_buf_t    b;
    hie_str_t    json;

    hie_buf_init(&b, pool, len + 20000);
    hie_buf_addz(&b, "<Basic" NS "><created>");
    for (i = 0; i < 150; i++) {
        hie_buf_addz(&b, "<extension url='u'><valueString>");
    }

    hie_buf_addz(&b, "<extension url='u'><valueString value='");
    memset(b.ptr + b.len, 'A', len);
    b.len += len;
    hie_buf_addz(&b, "'/></extension>");

    for (i = 0; i < 150; i++) {
        hie_buf_addz(&b, "</valueString></extension>");
    }
    hie_buf_addz(&b, "</created></Basic>");

    json = to_json(pool, hie_buf_str(&b));
    assert_true(json.len < len + 20000);
    there_and_back(pool, parse_json(pool, json));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pretty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_xml, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lossless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_attributes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_refused_json, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_long_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep_extensions, set_up,
                                        tear_down)
    };

    int  rc;

    apr_initialize();
    hie_xml_init();
    rc = cmocka_run_group_tests_name("xml", tests, NULL, NULL);
    apr_terminate();

    return rc;
}
