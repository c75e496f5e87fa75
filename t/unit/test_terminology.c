/*
 * Terms, $validate-code, $lookup, $subsumes, and what search asks.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "terminology_tool.h"

#define SYSTEM                                                               \
    "{'resourceType':'CodeSystem','url':'urn:s','version':'1.0',"            \
    "'name':'Sys','title':'The system','content':'complete',"                \
    "'hierarchyMeaning':'is-a','language':'en','valueSet':'urn:s:all',"      \
    "'property':[{'code':'kind','uri':'urn:kind','type':'Coding'}],"         \
    "'concept':[{'code':'top','display':'Top','definition':'The root',"      \
    "'property':[{'code':'notSelectable','valueBoolean':true}],"             \
    "'concept':[{'code':'l','display':'Left','concept':["                    \
    "{'code':'ll','display':'Left of left','designation':["                  \
    "{'language':'fr','use':{'code':'s'},'value':'\\u00c0 gauche'}],"        \
    "'property':[{'code':'kind','valueCoding':{'system':'urn:k',"            \
    "'code':'k1'}},{'code':'see','valueCode':'r'},"                          \
    "{'code':'weight','valueDecimal':1.50}]}]},"                             \
    "{'code':'r','display':'Right','property':["                             \
    "{'code':'status','valueCode':'retired'}]}]}]}"

/* two ways up */
#define DAG                                                                  \
    "{'resourceType':'CodeSystem','url':'urn:d','content':'complete',"       \
    "'concept':[{'code':'a'},{'code':'b','property':["                       \
    "{'code':'parent','valueCode':'a'}]},{'code':'c','property':["           \
    "{'code':'parent','valueCode':'a'},"                                     \
    "{'code':'child','valueCode':'d'}]},{'code':'d','property':["            \
    "{'code':'parent','valueCode':'b'},"                                     \
    "{'code':'parent','valueCode':'nowhere'}]},{'code':'e'}]}"


static void
test_compile(void **state)
{
    const hie_term_t  *t = add(SYSTEM);

    assert_int_equal(hie_term_kind(t), HIE_TERM_CODE_SYSTEM);
    assert_true(hie_str_eqz(hie_term_url(t), "urn:s"));
    assert_true(hie_str_eqz(hie_term_version(t), "1.0"));
    assert_true(hie_term_bytes(t) > 500);

    t = add("{'resourceType':'ConceptMap'}");
    assert_int_equal(hie_term_kind(t), HIE_TERM_CONCEPT_MAP);
    assert_int_equal(hie_term_url(t).len, 0);
}


static void
test_wrong(void **state)
{
    static const struct {
        const char  *text;
        const char  *where;
    } cases[] = {
        { "{'resourceType':'Patient'}", "" },
        { "[]", "" },
        { "{'resourceType':'CodeSystem'}", "CodeSystem.content" },
        { "{'resourceType':'CodeSystem','content':'all'}",
          "CodeSystem.content" },
        { "{'resourceType':'CodeSystem','content':'complete','concept':{}}",
          "CodeSystem.concept" },
        { "{'resourceType':'CodeSystem','content':'complete',"
          "'concept':[{'display':'x'}]}", "CodeSystem.concept.code" },
        { "{'resourceType':'CodeSystem','content':'complete',"
          "'concept':[{'code':'x','concept':['y']}]}",
          "CodeSystem.concept.concept" },
        { "{'resourceType':'CodeSystem','content':'complete',"
          "'concept':[{'code':'x','property':7}]}",
          "CodeSystem.concept.property" },
        { "{'resourceType':'CodeSystem','content':'complete',"
          "'concept':[{'code':'x','designation':{}}]}",
          "CodeSystem.concept.designation" },
        { "{'resourceType':'CodeSystem','content':'complete',"
          "'property':[{}]}", "CodeSystem.property.code" },
        { "{'resourceType':'ValueSet','compose':{'include':[{}]}}",
          "ValueSet.compose.include" },
        { "{'resourceType':'ValueSet','compose':{'include':[{"
          "'system':'s','concept':[{'code':'a'}],'filter':[{"
          "'property':'p','op':'=','value':'v'}]}]}}",
          "ValueSet.compose.include" },
        { "{'resourceType':'ValueSet','compose':{'include':[{"
          "'valueSet':['v'],'concept':[{'code':'a'}]}]}}",
          "ValueSet.compose.include" },
        { "{'resourceType':'ValueSet','compose':{'include':[{"
          "'system':'s','concept':[{}]}]}}",
          "ValueSet.compose.include.concept.code" },
        { "{'resourceType':'ValueSet','compose':{'include':[{"
          "'valueSet':[{}]}]}}", "ValueSet.compose.include.valueSet" },
        { "{'resourceType':'ValueSet','compose':{'include':'x'}}",
          "ValueSet.compose.include" },
        { "{'resourceType':'ValueSet','expansion':{'contains':[1]}}",
          "ValueSet.expansion.contains" },
        { "{'resourceType':'ConceptMap','group':[{'element':[{"
          "'target':[{'equivalence':'same'}]}]}]}",
          "ConceptMap.group.element.target.equivalence" },
        { "{'resourceType':'ConceptMap','group':[{'unmapped':{"
          "'mode':'fixed'}}]}", "ConceptMap.group.unmapped" },
        { "{'resourceType':'ConceptMap','group':[{'element':{}}]}",
          "ConceptMap.group.element" }
    };
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (compile(cases[i].text) != HIE_INVALID) {
            fail_msg("taken: %s", cases[i].text);
        }

        assert_string_equal(err.where, cases[i].where);
        assert_true(err.detail[0] != '\0');
    }
}


static void
test_too_deep(void **state)
{
    hie_buf_t          b;
    hie_doc_t         *d;
    const hie_term_t  *t;
    int                depth, i;

    for (depth = 99; depth <= 101; depth++) {
        hie_buf_init(&b, pool, 8192);
        hie_buf_addz(&b, "{\"resourceType\":\"CodeSystem\","
                     "\"content\":\"complete\"");

        for (i = 0; i < depth; i++) {
            hie_buf_addz(&b, ",\"concept\":[{\"code\":\"a\"");
        }

        for (i = 0; i < depth; i++) {
            hie_buf_addz(&b, "}]");
        }

        hie_buf_addc(&b, '}');
        assert_int_equal(hie_doc_parse(pool, hie_buf_str(&b), 400, &d, &err),
                         HIE_OK);
        assert_int_equal(hie_term_compile(pool, d, 0, &t, &err),
                         depth <= 100 ? HIE_OK : HIE_INVALID);
    }

    /* designations are counted as deep as entries may stand */
    hie_buf_init(&b, pool, 8192);
    hie_buf_addz(&b, "{\"resourceType\":\"ValueSet\",\"expansion\":{\"x\":0");

    for (i = 0; i < 100; i++) {
        hie_buf_addz(&b, ",\"contains\":[{\"code\":\"a\",\"designation\":["
                     "{\"value\":\"v\"},{\"value\":\"w\"}]");
    }

    for (i = 0; i < 100; i++) {
        hie_buf_addz(&b, "}]");
    }

    hie_buf_addz(&b, "}}");
    assert_int_equal(hie_doc_parse(pool, hie_buf_str(&b), 400, &d, &err),
                     HIE_OK);
    assert_int_equal(hie_term_compile(pool, d, 0, &t, &err), HIE_OK);
}


static void
test_validate_in_value_set(void **state)
{
    add(SYSTEM);
    add("{'resourceType':'ValueSet','url':'urn:v','compose':{'include':["
        "{'system':'urn:s','concept':[{'code':'l'},{'code':'r'},"
        "{'code':'top'}]},{'system':'urn:other','filter':[{"
        "'property':'p','op':'=','value':'v'}]}]}}");

#define VALIDATE(...)                                                        \
    call(hie_term_validate_value_set, "url=urn:v", __VA_ARGS__, NULL)

    VALIDATE("code=l", "system=urn:s");
    assert_string_equal(call(hie_term_validate_value_set, "url=urn:v",
                             "code=l", "system=urn:s", NULL),
        json("{'resourceType':'Parameters','parameter':[{'name':'result',"
             "'valueBoolean':true},{'name':'display','valueString':'Left'}]}")
        .ptr);

    /* of an element of type code the system is not known */
    VALIDATE("code=l");
    assert_true(says("'valueBoolean':true"));

    VALIDATE("code=ll", "system=urn:s");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("is not in the value set urn:v"));
    assert_false(says("is not known in the code system"));

    VALIDATE("code=lll", "system=urn:s");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("is not known in the code system urn:s|1.0"));

    VALIDATE("code=x", "system=urn:third");
    assert_true(says("'valueBoolean':false"));

    /* what the value set has of a system that is not here */
    VALIDATE("code=x", "system=urn:other");
    assert_int_equal(called, HIE_OK);
    assert_true(says("'valueBoolean':false"));
    assert_true(says("cannot be judged"));

    VALIDATE("coding:={'system':'urn:s','code':'l','display':'LEFT'}");
    assert_true(says("'valueBoolean':true"));
    VALIDATE("coding:={'system':'urn:s','code':'l','display':'Right'}");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("which is called \\'Left\\'"));

    VALIDATE("code=r", "system=urn:s");
    assert_true(says("'valueBoolean':true"));
    assert_true(says("is inactive"));

    VALIDATE("code=top", "system=urn:s");
    assert_true(says("'valueBoolean':true"));
    VALIDATE("code=top", "system=urn:s", "abstract=false");
    assert_true(says("'valueBoolean':false"));
    VALIDATE("code=top", "system=urn:s", "abstract=maybe");
    assert_int_equal(called, HIE_INVALID);

    VALIDATE("code=l", "system=urn:s", "systemVersion=2.0");
    assert_true(says("'valueBoolean':true"));

    VALIDATE("codeableConcept:={'coding':[{'system':'urn:x','code':'l'},"
             "{'system':'urn:s','code':'r'}]}");
    assert_true(says("'valueBoolean':true"));
    assert_true(says("'message','valueString':'the code \\'r\\' is inactive'"));
    VALIDATE("codeableConcept:={'coding':[{'system':'urn:x','code':'l'},"
             "{'system':'urn:s','code':'ll'}]}");
    assert_true(says("'valueBoolean':false"));
    VALIDATE("codeableConcept:={'text':'left'}");
    assert_true(says("'valueBoolean':false"));

    VALIDATE("system=urn:s");
    assert_int_equal(called, HIE_INVALID);
    assert_true(says("'code':'required'"));
    call(hie_term_validate_value_set, "url=urn:w", "code=l", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    call(hie_term_validate_value_set, "code=l", NULL);
    assert_int_equal(called, HIE_INVALID);
}


static void
test_validate_in_system(void **state)
{
    add(SYSTEM);
    add("{'resourceType':'CodeSystem','url':'urn:i','caseSensitive':false,"
        "'content':'fragment','concept':[{'code':'Abc','display':'One'},"
        "{'code':'abd'}]}");

#define VALIDATE_S(...)                                                      \
    call(hie_term_validate_system, __VA_ARGS__, NULL)

    VALIDATE_S("url=urn:s", "code=ll");
    assert_true(says("'valueBoolean':true"));
    VALIDATE_S("url=urn:s", "code=LL");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("is not known in the code system"));
    VALIDATE_S("url=urn:i", "code=aBC");
    assert_true(says("'valueBoolean':true"));
    assert_true(says("'One'"));
    VALIDATE_S("url=urn:i", "code=zzz");
    assert_true(says("'valueBoolean':false"));
    assert_true(says("cannot be judged"));
    VALIDATE_S("url=urn:s", "code=ll", "display=\xc3\xa0 GAUCHE");
    assert_true(says("'valueBoolean':true"));
    VALIDATE_S("url=urn:s", "code=ll", "displayLanguage=fr");
    assert_true(says("gauche"));

    VALIDATE_S("coding:={'system':'urn:s','code':'l'}");
    assert_true(says("'valueBoolean':true"));
    VALIDATE_S("coding:={'system':'urn:q','code':'l'}");
    assert_int_equal(called, HIE_OK);
    assert_true(says("'valueBoolean':false"));
    VALIDATE_S("url=urn:s", "coding:={'system':'urn:q','code':'l'}");
    assert_int_equal(called, HIE_INVALID);
    VALIDATE_S("url=urn:s", "codeableConcept:={'coding':[{"
               "'system':'urn:q','code':'l'},{'system':'urn:s',"
               "'code':'l'}]}");
    assert_true(says("'valueBoolean':true"));

    VALIDATE_S("url=urn:q", "code=l");
    assert_int_equal(called, HIE_NOT_FOUND);
    VALIDATE_S("url=urn:s", "code=l", "version=9");
    assert_int_equal(called, HIE_NOT_FOUND);
    VALIDATE_S("code=l");
    assert_int_equal(called, HIE_INVALID);

    VALIDATE_S("codeSystem:={'resourceType':'CodeSystem','url':'urn:n',"
               "'content':'complete','concept':[{'code':'n'}]}", "code=n");
    assert_true(says("'valueBoolean':true"));
}


static void
test_lookup(void **state)
{
    add(SYSTEM);

    call(hie_term_lookup, "system=urn:s", "code=ll", NULL);
    assert_int_equal(called, HIE_OK);
    assert_true(says("{'name':'name','valueString':'The system'},"
                     "{'name':'version','valueString':'1.0'},"
                     "{'name':'display','valueString':'Left of left'}"));
    assert_true(says("{'name':'designation','part':[{'name':'language',"
                     "'valueCode':'fr'},{'name':'use','valueCoding':"
                     "{'code':'s'}},{'name':'value'"));
    assert_true(says("{'name':'property','part':[{'name':'code',"
                     "'valueCode':'kind'},{'name':'value','valueCoding':"
                     "{'system':'urn:k','code':'k1'}}]}"));
    assert_true(says("'valueCode':'see'},{'name':'value','valueCode':'r'},"
                     "{'name':'description','valueString':'Right'}"));
    /* a decimal keeps its digits */
    assert_true(says("'valueDecimal':1.50"));
    assert_true(says("'valueCode':'parent'},{'name':'value',"
                     "'valueCode':'l'},{'name':'description',"
                     "'valueString':'Left'}"));

    call(hie_term_lookup, "coding:={'system':'urn:s','code':'top'}", NULL);
    assert_true(says("'valueCode':'child'},{'name':'value',"
                     "'valueCode':'l'}"));
    assert_true(says("'valueCode':'child'},{'name':'value',"
                     "'valueCode':'r'}"));
    assert_true(says("'valueCode':'definition'},{'name':'value',"
                     "'valueString':'The root'}"));
    assert_true(says("'valueCode':'notSelectable'},{'name':'value',"
                     "'valueBoolean':true}"));

    call(hie_term_lookup, "system=urn:s", "code=r", "property=inactive",
         NULL);
    assert_true(says("'valueCode':'inactive'},{'name':'value',"
                     "'valueBoolean':true}"));
    assert_false(says("retired"));
    assert_false(says("parent"));

    call(hie_term_lookup, "system=urn:s", "code=ll", "property=lang.fr",
         "displayLanguage=fr", NULL);
    assert_true(says("'name':'designation'"));
    assert_false(says("'name':'property'"));
    assert_false(says("Left of left"));
    call(hie_term_lookup, "system=urn:s", "code=ll", "property=lang.de",
         NULL);
    assert_false(says("'name':'designation'"));

    /* a value of no type that a property may have is not given on */
    add("{'resourceType':'CodeSystem','url':'urn:odd','content':'complete',"
        "'concept':[{'code':'a','property':[{'code':'p',"
        "'valueX\\':1':2}]}]}");
    call(hie_term_lookup, "system=urn:odd", "code=a", NULL);
    assert_int_equal(called, HIE_OK);
    assert_false(says("'property'"));

    call(hie_term_lookup, "system=urn:s", "code=no", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    call(hie_term_lookup, "system=urn:t", "code=no", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    call(hie_term_lookup, "system=urn:s", "version=2", "code=l", NULL);
    assert_int_equal(called, HIE_NOT_FOUND);
    call(hie_term_lookup, "code=no", NULL);
    assert_int_equal(called, HIE_INVALID);
    call(hie_term_lookup, "system=urn:s", "code=l", "date=2020", NULL);
    assert_true(says("'code':'not-supported'"));
}


static const char *
subsumes(const char *system, const char *a, const char *b)
{
    static const char *const  outcomes[] = {
        "equivalent", "subsumes", "subsumed-by", "not-subsumed"
    };
    size_t                    i;

    call(hie_term_subsumes, apr_pstrcat(pool, "system=", system, NULL),
         apr_pstrcat(pool, "codeA=", a, NULL),
         apr_pstrcat(pool, "codeB=", b, NULL), NULL);

    for (i = 0; i < 4; i++) {
        if (says(apr_psprintf(pool, "'valueCode':'%s'", outcomes[i]))) {
            return outcomes[i];
        }
    }

    return err.detail;
}


static void
test_subsumes(void **state)
{
    add(SYSTEM);
    add(DAG);
    add("{'resourceType':'CodeSystem','url':'urn:ring','content':'complete',"
        "'concept':[{'code':'a','property':[{'code':'parent',"
        "'valueCode':'b'}]},{'code':'b','property':[{'code':'parent',"
        "'valueCode':'c'}]},{'code':'c','property':[{'code':'parent',"
        "'valueCode':'a'}]},{'code':'x','property':[{'code':'parent',"
        "'valueCode':'x'}]}]}");
    add("{'resourceType':'CodeSystem','url':'urn:part','content':'complete',"
        "'hierarchyMeaning':'part-of','concept':[{'code':'a'},"
        "{'code':'b'}]}");

    assert_string_equal(subsumes("urn:s", "l", "l"), "equivalent");
    assert_string_equal(subsumes("urn:s", "top", "ll"), "subsumes");
    assert_string_equal(subsumes("urn:s", "ll", "top"), "subsumed-by");
    assert_string_equal(subsumes("urn:s", "r", "ll"), "not-subsumed");
    assert_string_equal(subsumes("urn:s", "l", "r"), "not-subsumed");

    assert_string_equal(subsumes("urn:d", "a", "d"), "subsumes");
    assert_string_equal(subsumes("urn:d", "c", "d"), "subsumes");
    assert_string_equal(subsumes("urn:d", "d", "b"), "subsumed-by");
    assert_string_equal(subsumes("urn:d", "b", "c"), "not-subsumed");
    assert_string_equal(subsumes("urn:d", "a", "e"), "not-subsumed");

    assert_string_equal(subsumes("urn:ring", "a", "c"), "equivalent");
    assert_string_equal(subsumes("urn:ring", "a", "x"), "not-subsumed");

    subsumes("urn:part", "a", "b");
    assert_int_equal(called, HIE_UNPROCESSABLE);
    assert_true(says("'code':'not-supported'"));
    subsumes("urn:s", "l", "nope");
    assert_int_equal(called, HIE_NOT_FOUND);
    subsumes("urn:none", "l", "l");
    assert_int_equal(called, HIE_NOT_FOUND);

    call(hie_term_subsumes, "codingA:={'system':'urn:s','code':'top'}",
         "codingB:={'system':'urn:s','code':'r'}", NULL);
    assert_true(says("'subsumes'"));
    call(hie_term_subsumes, "codingA:={'system':'urn:s','code':'top'}",
         "codingB:={'system':'urn:d','code':'a'}", NULL);
    assert_int_equal(called, HIE_UNPROCESSABLE);
    call(hie_term_subsumes, "codeA=l", "system=urn:s", NULL);
    assert_int_equal(called, HIE_INVALID);

    request.instance = add(DAG);
    call(hie_term_subsumes, "codeA=a", "codeB=d", NULL);
    assert_true(says("'subsumes'"));
}


static const char *
reach(hie_rc_t (*fn)(const hie_term_source_t *, apr_pool_t *, hie_str_t,
                     hie_str_t, size_t, const hie_term_code_t **, size_t *,
                     hie_error_t *),
      const char *system, const char *code, size_t max)
{
    const hie_term_code_t  *list;
    size_t                  n;
    hie_rc_t                rc;

    rc = fn(hie_term_set_source(terms), pool, S(system), S(code), max, &list,
            &n, &err);

    return rc == HIE_OK ? listed(list, n) : hie_rc_issue(rc);
}


static void
test_below_and_above(void **state)
{
    add(SYSTEM);
    add(DAG);

    assert_string_equal(reach(hie_term_below, "urn:s", "l", 9), "l ll");
    assert_string_equal(reach(hie_term_above, "urn:s", "ll", 9), "l ll top");
    assert_string_equal(reach(hie_term_below, "urn:d", "a", 4), "a b c d");
    assert_string_equal(reach(hie_term_below, "urn:d", "a", 3),
                        "too-costly");
    assert_string_equal(reach(hie_term_above, "urn:d", "d", 9), "a b c d");
    assert_string_equal(reach(hie_term_below, "urn:d", "zz", 9), "zz");
    assert_string_equal(reach(hie_term_above, "urn:zz", "q", 9), "q");
}


static void
test_codes_of_a_value_set(void **state)
{
    const hie_term_code_t    *list;
    const hie_term_source_t  *source = hie_term_set_source(terms);
    size_t                    n;

    add(SYSTEM);

    assert_int_equal(hie_term_codes(source, pool, S("urn:s:all"), 4, &list,
                                    &n, &err), HIE_OK);
    assert_string_equal(listed(list, n), "l ll r top");
    assert_true(hie_str_eqz(list[0].system, "urn:s"));

    assert_int_equal(hie_term_codes(source, pool, S("urn:s:all"), 3, &list,
                                    &n, &err), HIE_TOO_COSTLY);
    assert_null(list);
    assert_int_equal(n, 0);
    assert_int_equal(hie_term_codes(source, pool, S("urn:none"), 3, &list,
                                    &n, &err), HIE_NOT_FOUND);
}


static hie_term_answer_t
grammar(void *baton, hie_str_t system, hie_str_t code)
{
    return !hie_str_eqz(system, "urn:g") ? HIE_TERM_UNKNOWN
           : hie_str_starts(code, "g") ? HIE_TERM_IN : HIE_TERM_OUT;
}


static hie_rc_t
find_nothing(void *baton, hie_term_kind_t kind, hie_str_t url,
             hie_str_t version, const hie_term_t **out, hie_error_t *e)
{
    *out = NULL;

    return hie_str_eqz(url, "urn:down")
           ? hie_fail(e, HIE_UNAVAILABLE, "", "the database does not answer")
           : HIE_NOT_FOUND;
}


static hie_term_answer_t
member(const char *set, const char *system, const char *code)
{
    return hie_term_member(hie_term_set_source(terms), pool, S(set),
                           system != NULL ? S(system) : HIE_STR_NONE,
                           S(code), &err);
}


static void
test_member(void **state)
{
    static const hie_term_source_t  beneath = { find_nothing, NULL, grammar,
                                                NULL };

    terms = hie_term_set_create(pool, &beneath);
    add(SYSTEM);
    add("{'resourceType':'ValueSet','url':'urn:v','version':'1',"
        "'compose':{'include':[{'system':'urn:s','filter':[{"
        "'property':'concept','op':'is-a','value':'l'}]},"
        "{'system':'urn:g'}]}}");

    assert_int_equal(member("urn:v", "urn:s", "ll"), HIE_TERM_IN);
    assert_int_equal(member("urn:v|1", NULL, "ll"), HIE_TERM_IN);
    assert_int_equal(member("urn:v", "urn:s", "r"), HIE_TERM_OUT);
    assert_int_equal(member("urn:v", "urn:g", "good"), HIE_TERM_IN);
    assert_int_equal(member("urn:v", "urn:g", "bad"), HIE_TERM_OUT);
    assert_int_equal(member("urn:v", NULL, "good"), HIE_TERM_IN);
    assert_int_equal(member("urn:v|2", "urn:s", "ll"), HIE_TERM_UNKNOWN);
    assert_int_equal(member("urn:w", "urn:s", "ll"), HIE_TERM_UNKNOWN);
    assert_true(strstr(err.detail, "urn:w") != NULL);
    assert_int_equal(member("urn:down", "urn:s", "ll"), HIE_TERM_UNKNOWN);
    assert_int_equal(err.rc, HIE_UNAVAILABLE);

    call(hie_term_expand, "url=urn:down", NULL);
    assert_int_equal(called, HIE_UNAVAILABLE);
    assert_true(says("'code':'transient'"));
    call(hie_term_validate_system, "url=urn:g", "code=gold", NULL);
    assert_true(says("'valueBoolean':true"));
    call(hie_term_validate_system, "url=urn:g", "code=iron", NULL);
    assert_true(says("'valueBoolean':false"));
}


static void
test_parameters(void **state)
{
    const hie_term_parameter_t  *p;
    const hie_doc_t             *d;
    size_t                       n;

    d = document("{'resourceType':'Parameters','parameter':["
                 "{'name':'url','valueUri':'urn:a\\u0062'},"
                 "{'name':'count','valueInteger':5},"
                 "{'name':'activeOnly','valueBoolean':true},"
                 "{'name':'coding','valueCoding':{'code':'c'}},"
                 "{'name':'valueSet','resource':{'resourceType':'ValueSet'}},"
                 "{'name':'dependency','part':[]}]}");
    assert_int_equal(hie_term_parameters(pool, d, 0, &p, &n, &err), HIE_OK);
    assert_int_equal(n, 6);
    assert_true(hie_str_eqz(p[0].value, "urn:ab"));
    assert_null(p[0].doc);
    assert_true(hie_str_eqz(p[1].value, "5"));
    assert_true(hie_str_eqz(p[2].value, "true"));
    assert_true(hie_str_eqz(hie_doc_get(p[3].doc, p[3].node, "code", pool),
                            "c"));
    assert_true(hie_str_eqz(hie_doc_get(p[4].doc, p[4].node, "resourceType",
                                        pool), "ValueSet"));
    assert_true(hie_str_eqz(hie_doc_get(p[5].doc, p[5].node, "name", pool),
                            "dependency"));

    assert_int_equal(hie_term_parameters(pool, document("{}"), 0, &p, &n,
                                         &err), HIE_INVALID);
    d = document("{'resourceType':'Parameters','parameter':[{}]}");
    assert_int_equal(hie_term_parameters(pool, d, 0, &p, &n, &err),
                     HIE_INVALID);
    d = document("{'resourceType':'Parameters','parameter':{'a':1}}");
    assert_int_equal(hie_term_parameters(pool, d, 0, &p, &n, &err),
                     HIE_INVALID);
    d = document("{'resourceType':'Parameters'}");
    assert_int_equal(hie_term_parameters(pool, d, 0, &p, &n, &err), HIE_OK);
    assert_int_equal(n, 0);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, tool_set_up, tool_tear_down)
    const struct CMUnitTest  tests[] = {
        TEST(test_compile),
        TEST(test_wrong),
        TEST(test_too_deep),
        TEST(test_validate_in_value_set),
        TEST(test_validate_in_system),
        TEST(test_lookup),
        TEST(test_subsumes),
        TEST(test_below_and_above),
        TEST(test_codes_of_a_value_set),
        TEST(test_member),
        TEST(test_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
