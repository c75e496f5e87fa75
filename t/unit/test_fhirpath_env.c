/*
 * Where an expression meets what is around it: documents, references,
 * callbacks, conditions, limits, and strict compiling.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>

#include "fhirpath/fhirpath.h"

#define S(z)  hie_str(z)

static apr_pool_t  *pool;

static const char  patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p\",\"unknown\":1,"
    "\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\"},"
    "{\"resourceType\":\"Practitioner\",\"id\":\"d\"}],"
    "\"name\":[{\"given\":[null,\"B\",\"C\"],\"_given\":[{\"id\":\"g\","
    "\"extension\":[{\"url\":\"http://x\",\"valueString\":\"v\"}]}]}],"
    "\"_gender\":{\"extension\":[{\"url\":\"http://y\","
    "\"valueBoolean\":false}]},"
    "\"birth\\u0044ate\":\"1970-\\u0030\\u0031-02\","
    "\"generalPractitioner\":[{\"reference\":\"#d\"},"
    "{\"reference\":\"Practitioner/7\"},"
    "{\"reference\":\"http://h/fhir/Organization/8/_history/1\"},"
    "{\"reference\":\"urn:uuid:1\",\"type\":\"Practitioner\"},"
    "{\"display\":\"nobody\"}],"
    "\"managingOrganization\":{\"reference\":\"#o\"}}";

static const char  bundle[] =
    "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
    "{\"fullUrl\":\"urn:uuid:1\",\"resource\":{\"resourceType\":"
    "\"Observation\",\"id\":\"1\",\"contained\":[{\"resourceType\":"
    "\"Device\",\"id\":\"x\"}],\"device\":{\"reference\":\"#x\"},"
    "\"subject\":{\"reference\":\"urn:uuid:2\"},"
    "\"performer\":[{\"reference\":\"Practitioner/9\"}]}},"
    "{\"fullUrl\":\"urn:uuid:2\",\"resource\":{\"resourceType\":\"Patient\","
    "\"id\":\"2\",\"contained\":[{\"resourceType\":\"Organization\","
    "\"id\":\"x\"}],\"managingOrganization\":{\"reference\":\"#x\"}}},"
    "{\"fullUrl\":\"http://h/fhir/Practitioner/9\",\"resource\":{"
    "\"resourceType\":\"Practitioner\",\"id\":\"9\"}}]}";


static hie_fhirpath_t *
compile(const char *text)
{
    hie_error_t      err = { .rc = 0 };
    hie_fhirpath_t  *fp;

    if (hie_fhirpath_compile(pool, S(text), NULL, &fp, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return fp;
}


static hie_fhirpath_item_t
resource(const char *json)
{
    hie_doc_t  *d;

    assert_int_equal(hie_doc_parse(pool, S(json), 30, &d, NULL), HIE_OK);
    return hie_fhirpath_resource(d, 0);
}


static hie_fhirpath_list_t
eval(const char *text, const char *json, hie_fhirpath_env_t *env)
{
    hie_error_t          err = { .rc = 0 };
    hie_fhirpath_env_t   plain = { .pool = pool };
    hie_fhirpath_item_t  focus = resource(json);
    hie_fhirpath_list_t  list;

    if (hie_fhirpath_eval(compile(text), env != NULL ? env : &plain, &focus,
                          &list, &err) != HIE_OK)
    {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return list;
}


/* The texts of the result, with ';' between. */
static void
gives(const char *text, const char *json, hie_fhirpath_env_t *env,
      const char *wanted)
{
    size_t               i;
    hie_buf_t            b;
    hie_fhirpath_list_t  list = eval(text, json, env);

    hie_buf_init(&b, pool, 64);
    for (i = 0; i < list.n; i++) {
        hie_buf_addz(&b, i > 0 ? ";" : "");
        hie_buf_adds(&b, hie_fhirpath_text(&list.items[i], pool));
    }

    assert_string_equal(hie_str_z(pool, hie_buf_str(&b)), wanted);
}


static void
test_items(void **state)
{
    hie_fhirpath_list_t  list;
    hie_fhirpath_item_t  v;

    list = eval("name.given", patient, NULL);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.items[0].kind, HIE_FHIRPATH_NODE);
    assert_int_equal(list.items[0].type, HIE_TYPE_string);
    assert_int_equal(hie_doc_kind(list.items[0].doc, list.items[0].node),
                     HIE_NODE_NULL);
    assert_int_equal(hie_doc_kind(list.items[0].doc, list.items[0].sibling),
                     HIE_NODE_OBJECT);
    assert_false(hie_fhirpath_value(&list.items[0], pool, &v));
    assert_int_equal(list.items[1].sibling, HIE_NODE_NONE);
    assert_string_equal(list.items[1].element->name, "given");
    assert_true(hie_fhirpath_value(&list.items[1], pool, &v));
    assert_int_equal(v.kind, HIE_FHIRPATH_STRING);

    list = eval("gender", patient, NULL);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.items[0].node, HIE_NODE_NONE);
    assert_int_equal(list.items[0].parent, 0);

    gives("name.given.hasValue()", patient, NULL, "false");
    gives("name.given[1].hasValue()", patient, NULL, "true");
    gives("name.given.where(hasValue())", patient, NULL, "B;C");
    gives("name.given[1].getValue().type().namespace", patient, NULL,
          "System");
    gives("name.given[0].getValue()", patient, NULL, "");
    gives("name.given.id", patient, NULL, "g");
    gives("name.given.extension('http://x').value", patient, NULL, "v");
    gives("gender.extension.value", patient, NULL, "false");
    gives("gender.hasExtension('http://y')", patient, NULL, "true");
    gives("gender.hasExtension('http://z')", patient, NULL, "false");
    gives("gender = 'male'", patient, NULL, "false");
    gives("birthDate", patient, NULL, "1970-01-02");
    gives("birthDate = @1970-01-02", patient, NULL, "true");
    gives("unknown", patient, NULL, "");
    gives("contained.id", patient, NULL, "o;d");
    gives("contained.type().name", patient, NULL,
          "Organization;Practitioner");
    gives("children().count()", patient, NULL, "12");
    gives("descendants().where($this is HumanName).count()", patient, NULL,
          "1");
    gives("descendants().ofType(id)", patient, NULL, "p;o;d");
    gives("entry.resource.ofType(Patient).id", bundle, NULL, "2");
}


static void
test_misshapen(void **state)
{
    static const char  json[] =
        "{\"resourceType\":\"Patient\",\"name\":\"x\",\"active\":\"yes\","
        "\"birthDate\":{\"a\":1},\"contact\":[[{\"gender\":\"male\"}],"
        "null,3],\"photo\":[{\"size\":99999999999999999999}],"
        "\"telecom\":{\"rank\":1e400},\"_name\":[{\"id\":\"n\"}],"
        "\"contained\":[{\"resourceType\":7},{\"resourceType\":\"code\"},"
        "{}]}";

    gives("name.family", json, NULL, "");
    gives("active", json, NULL, "yes");
    gives("active.not()", json, NULL, "");
    gives("birthDate < today()", json, NULL, "");
    gives("contact.gender", json, NULL, "");
    gives("photo.size > 1", json, NULL, "");
    gives("telecom.rank > 1", json, NULL, "");
    gives("contained.id", json, NULL, "");
    gives("contained.type().name", json, NULL,
          "FHIR;FHIR;FHIR");
    gives("descendants().count() > 3", json, NULL, "true");
    gives("id", "{\"resourceType\":\"Nothing\",\"id\":\"1\"}", NULL, "");
    gives("id", "[1]", NULL, "");
}


static void
test_resolve(void **state)
{
    gives("managingOrganization.resolve().id", patient, NULL, "o");
    gives("generalPractitioner[0].resolve().type().name", patient, NULL,
          "Practitioner");
    gives("generalPractitioner.where(resolve() is Practitioner).count()",
          patient, NULL, "3");
    gives("generalPractitioner.where(resolve() is Organization).reference",
          patient, NULL, "http://h/fhir/Organization/8/_history/1");
    gives("generalPractitioner[1].resolve().id", patient, NULL, "");
    gives("generalPractitioner[4].resolve()", patient, NULL, "");
    gives("'#'.resolve().id", patient, NULL, "p");
    gives("'#nobody'.resolve()", patient, NULL, "");
    gives("1.resolve()", patient, NULL, "");

    gives("entry.resource.subject.resolve().id", bundle, NULL, "2");
    gives("entry.resource.performer.resolve().id", bundle, NULL, "9");
    gives("entry[0].resource.device.resolve().type().name", bundle, NULL,
          "Device");
    gives("entry[1].resource.managingOrganization.resolve().type().name",
          bundle, NULL, "Organization");
    gives("'http://h/fhir/Practitioner/9'.resolve().id", bundle, NULL, "9");
}


/*
 * Callbacks.
 */
static hie_rc_t
on_resolve(const hie_fhirpath_env_t *env, hie_str_t reference,
           hie_fhirpath_item_t *out, hie_error_t *err)
{
    if (hie_str_eqz(reference, "Practitioner/7")) {
        *out = resource("{\"resourceType\":\"Practitioner\",\"id\":\"7\"}");
    }

    return hie_str_eqz(reference, "urn:uuid:1")
           ? hie_fail(err, HIE_UNAVAILABLE, "there", "not now") : HIE_OK;
}


static hie_rc_t
on_member_of(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
             hie_str_t value_set, bool *out, hie_error_t *err)
{
    *out = hie_str_eqz(value_set, "http://vs")
           && hie_str_eqz(hie_fhirpath_text(item, env->pool), "p");
    return HIE_OK;
}


static hie_rc_t
on_subsumes(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
            const hie_fhirpath_item_t *by, bool *out, hie_error_t *err)
{
    *out = hie_fhirpath_text(item, env->pool).len
           < hie_fhirpath_text(by, env->pool).len;
    return HIE_OK;
}


static hie_rc_t
on_conforms_to(const hie_fhirpath_env_t *env,
               const hie_fhirpath_item_t *item, hie_str_t structure,
               bool *out, hie_error_t *err)
{
    *out = hie_str_eqz(structure, "http://profile");
    return HIE_OK;
}


static hie_rc_t
on_html(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
        bool *out, hie_error_t *err)
{
    *out = false;
    return HIE_OK;
}


static hie_rc_t
on_variable(const hie_fhirpath_env_t *env, hie_str_t name,
            hie_fhirpath_list_t *out, hie_error_t *err)
{
    static hie_fhirpath_item_t  items[2];

    if (!hie_str_eqz(name, "two")) {
        return hie_fail(err, HIE_INVALID, "", "no such variable");
    }

    items[0].kind = HIE_FHIRPATH_INTEGER;
    items[0].integer = 1;
    items[1].kind = HIE_FHIRPATH_INTEGER;
    items[1].integer = 2;
    out->items = items;
    out->n = 2;
    return HIE_OK;
}


static void
on_trace(const hie_fhirpath_env_t *env, hie_str_t name,
         const hie_fhirpath_list_t *list)
{
    hie_buf_t  *b = env->baton;

    hie_buf_addf(b, "%.*s:%d ", HIE_PRISTR(name), (int) list->n);
}


static void
test_callbacks(void **state)
{
    hie_buf_t            traced;
    hie_error_t          err = { .rc = 0 };
    hie_fhirpath_env_t   env = { .pool = pool };
    hie_fhirpath_item_t  focus = resource(patient);
    hie_fhirpath_list_t  list;

    assert_int_equal(hie_fhirpath_eval(compile("id.memberOf('http://vs')"),
                                       &env, &focus, &list, &err),
                     HIE_INVALID);
    assert_int_equal(hie_fhirpath_eval(compile("conformsTo('http://p')"),
                                       &env, &focus, &list, &err),
                     HIE_INVALID);
    assert_int_equal(hie_fhirpath_eval(compile("id.subsumes('a')"), &env,
                                       &focus, &list, &err), HIE_INVALID);
    gives("name[0].htmlChecks()", patient, &env, "true");

    hie_buf_init(&traced, pool, 64);
    env.resolve = on_resolve;
    env.member_of = on_member_of;
    env.subsumes = on_subsumes;
    env.conforms_to = on_conforms_to;
    env.html_checks = on_html;
    env.variable = on_variable;
    env.trace = on_trace;
    env.baton = &traced;

    gives("generalPractitioner[1].resolve().id", patient, &env, "7");
    gives("generalPractitioner[2].resolve()", patient, &env, "");
    gives("id.memberOf('http://vs')", patient, &env, "true");
    gives("id.memberOf('http://other')", patient, &env, "false");
    gives("{}.memberOf('http://vs')", patient, &env, "");
    gives("id.subsumes('ab')", patient, &env, "true");
    gives("id.subsumedBy('ab')", patient, &env, "false");
    gives("conformsTo('http://profile')", patient, &env, "true");
    gives("name[0].htmlChecks()", patient, &env, "false");
    gives("%two", patient, &env, "1;2");
    gives("name.given.trace('g', $this.length()).trace('h').count()",
          patient, &env, "3");
    assert_string_equal(hie_str_z(pool, hie_buf_str(&traced)), "g:2 h:3 ");

    assert_int_equal(hie_fhirpath_eval(
                         compile("generalPractitioner.resolve()"), &env,
                         &focus, &list, &err), HIE_UNAVAILABLE);
    assert_string_equal(err.detail, "not now");
    assert_int_equal(hie_fhirpath_eval(compile("%three"), &env, &focus,
                                       &list, &err), HIE_INVALID);
}


static void
test_environment(void **state)
{
    hie_fhirpath_env_t   env = { .pool = pool };
    hie_fhirpath_item_t  whole = resource(patient), part;
    hie_error_t          err;
    hie_fhirpath_list_t  list;

    part = hie_fhirpath_resource(whole.doc, hie_doc_first(whole.doc,
                                 hie_doc_member(whole.doc, 0, "contained")));
    env.resource = part;
    env.root = whole;

    assert_int_equal(hie_fhirpath_eval(
                         compile("id & %context.id & %resource.id"
                                 " & %rootResource.id & '#d'.resolve().id"),
                         &env, &part, &list, &err), HIE_OK);
    assert_int_equal(list.n, 1);
    assert_string_equal(hie_str_z(pool, list.items[0].string), "ooopd");

    /* without a resource of its own, the focus is it */
    env.resource.kind = 0;
    env.root.kind = 0;
    assert_int_equal(hie_fhirpath_eval(compile("%rootResource.id"), &env,
                                       &part, &list, &err), HIE_OK);
    assert_int_equal(list.n, 1);
    assert_true(hie_str_eqz(hie_fhirpath_text(&list.items[0], pool), "o"));

    /* nothing in focus */
    memset(&part, 0, sizeof(part));
    assert_int_equal(hie_fhirpath_eval(compile("id | $this | (1 + 1)"), &env,
                                       &part, &list, &err), HIE_OK);
    assert_int_equal(list.n, 1);
}


static hie_fhirpath_truth_t
truth(const char *text)
{
    hie_error_t           err = { .rc = 0 };
    hie_fhirpath_env_t    env = { .pool = pool };
    hie_fhirpath_item_t   focus = resource(patient);
    hie_fhirpath_truth_t  out;

    if (hie_fhirpath_test(compile(text), &env, &focus, &out, &err) != HIE_OK) {
        fail_msg("%s: %s: %s", text, err.where, err.detail);
    }

    return out;
}


static void
test_truth(void **state)
{
    assert_int_equal(truth("true"), HIE_FHIRPATH_TRUE);
    assert_int_equal(truth("false"), HIE_FHIRPATH_FALSE);
    assert_int_equal(truth("{}"), HIE_FHIRPATH_EMPTY);
    assert_int_equal(truth("1"), HIE_FHIRPATH_TRUE);
    assert_int_equal(truth("id"), HIE_FHIRPATH_TRUE);
    assert_int_equal(truth("name.given"), HIE_FHIRPATH_TRUE);
    assert_int_equal(truth("name.suffix"), HIE_FHIRPATH_EMPTY);
    assert_int_equal(truth("gender.extension.value"), HIE_FHIRPATH_FALSE);
    assert_int_equal(truth("name.exists() and id = 'q'"), HIE_FHIRPATH_FALSE);
    assert_int_equal(truth("name.all(given.count() = 3)"), HIE_FHIRPATH_TRUE);
    assert_int_equal(truth("active"), HIE_FHIRPATH_EMPTY);
}


static hie_rc_t
costs(const char *text, uint64_t steps)
{
    hie_rc_t             rc;
    apr_pool_t          *p = hie_pool_create(pool, "cost");
    hie_error_t          err = { .rc = 0 };
    hie_fhirpath_env_t   env = { .pool = p, .steps = steps };
    hie_fhirpath_item_t  focus = resource(patient);
    hie_fhirpath_list_t  list;

    rc = hie_fhirpath_eval(compile(text), &env, &focus, &list, &err);
    assert_true(rc == HIE_OK || (err.rc == rc && err.where[0] != '\0'));
    apr_pool_destroy(p);
    return rc;
}


static void
test_limits(void **state)
{
    /* more and more, faster and faster */
    assert_int_equal(costs("1.repeat($this + 1)", 0), HIE_TOO_COSTLY);
    assert_int_equal(costs("(1|2|3|4|5|6|7|8|9).select(%resource.descendants()"
                           ".select(%resource.descendants().select("
                           "%resource.descendants().select("
                           "%resource.descendants()))))", 0), HIE_TOO_COSTLY);
    assert_int_equal(costs("%resource.descendants().aggregate("
                           "iif($total.empty(), 'ab', $total & $total))", 0),
                     HIE_TOO_COSTLY);
    assert_int_equal(costs("descendants().aggregate(iif($total.empty(), 'ab',"
                           " $total.replace('', $total)), 'abcdefgh')", 0),
                     HIE_TOO_COSTLY);
    assert_int_equal(costs("descendants().aggregate($total | $this | $total"
                           ".select($this.toString() & 'x'), 'a')", 20000),
                     HIE_TOO_COSTLY);
    assert_int_equal(costs("name.given.count()", 5), HIE_TOO_COSTLY);
    assert_int_equal(costs("name.given.count()", 100), HIE_OK);

    /* patterns that would take for ever */
    assert_int_equal(costs("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
                           ".matches('^(a+)+$|^(a|aa)+b$')", 0), HIE_OK);
    assert_int_equal(costs("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'"
                           ".matches('^(a+)+$')", 0), HIE_TOO_COSTLY);
    assert_int_equal(costs("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'"
                           ".replaceMatches('(a|aa)+$', 'x')", 0),
                     HIE_TOO_COSTLY);
}


/* Few operators, much to read. */
static void
test_reading_costs(void **state)
{
    int                       i;
    hie_buf_t                 b;
    hie_error_t               err;
    hie_fhirpath_env_t        env = { .pool = pool, .steps = 2000 };
    hie_fhirpath_item_t       focus;
    hie_fhirpath_list_t       list;
    static const char *const  dear[] = {
        "language.count() = 0", "extension('http://x').count()",
        "children().count()", "id.length()", "id = id", "id ~ id",
        "id.matches('^[a-z]*$')", "id.matches('[^y]*y')", "id.upper()",
        "(id | id).count()", "id.lastIndexOf('b')", "id.replace('a', 'b')",
        "contained.isDistinct()", "'#y'.resolve()"
    };
    size_t                    k;

    hie_buf_init(&b, pool, 1024 * 1024);
    hie_buf_addz(&b, "{\"resourceType\":\"Patient\"");
    for (i = 0; i < 40000; i++) {
        hie_buf_addf(&b, ",\"u%d\":0", i);
    }

    hie_buf_addz(&b, ",\"id\":\"");
    for (i = 0; i < 300000; i++) {
        hie_buf_addc(&b, 'a');
    }

    hie_buf_addz(&b, "\",\"contained\":[{\"a\":1},{\"a\":1}]}");
    hie_buf_addc(&b, '\0');
    focus = resource(b.ptr);

    for (k = 0; k < sizeof(dear) / sizeof(dear[0]); k++) {
        if (hie_fhirpath_eval(compile(dear[k]), &env, &focus, &list, &err)
            != HIE_TOO_COSTLY)
        {
            fail_msg("%s costs too little", dear[k]);
        }
    }

    env.steps = 0;
    assert_int_equal(hie_fhirpath_eval(compile("id.length()"), &env, &focus,
                                       &list, &err), HIE_OK);
    assert_int_equal(list.items[0].integer, 300000);
}


static hie_rc_t
compiles(const char *text, size_t len)
{
    hie_rc_t         rc;
    hie_error_t      err = { .rc = 0 };
    hie_fhirpath_t  *fp;

    rc = hie_fhirpath_compile(pool, (hie_str_t) { text, len }, NULL, &fp,
                              &err);
    assert_true(rc == HIE_OK ? fp != NULL
                : fp == NULL && err.detail[0] != '\0');
    return rc;
}


static void
test_depth(void **state)
{
    static const char *const  parts[] = { "(", "-", ".a", "a(", "[", "{",
                                          " and a", "iif(a,", "not().", "|" };
    size_t                    i, k;
    hie_buf_t                 b;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hie_buf_init(&b, pool, 65536);
        hie_buf_addz(&b, "a");
        for (k = 0; k < 20000 / strlen(parts[i]); k++) {
            hie_buf_addz(&b, parts[i]);
        }

        assert_int_equal(compiles(b.ptr, b.len), HIE_INVALID);
    }

    /* wide is not deep */
    hie_buf_init(&b, pool, 65536);
    hie_buf_addz(&b, "a");
    for (k = 0; k < 200; k++) {
        hie_buf_addz(&b, " | a.b");
    }

    assert_int_equal(compiles(b.ptr, b.len), HIE_OK);
    assert_int_equal(compiles("a\0b", 3), HIE_INVALID);
    assert_int_equal(compiles("'\xff'", 3), HIE_INVALID);
    hie_buf_init(&b, pool, 70000);
    for (k = 0; k < 70000; k++) {
        hie_buf_addc(&b, ' ');
    }

    assert_int_equal(compiles(b.ptr, b.len), HIE_INVALID);
}


/* More items than the stack has at first, at every place where one may be
 * held over a change of it. */
static void
test_many_items(void **state)
{
    int        i;
    hie_buf_t  b;

    hie_buf_init(&b, pool, 65536);
    hie_buf_addz(&b, "{\"resourceType\":\"Patient\",\"id\":\"p\",\"name\":[");
    for (i = 0; i < 300; i++) {
        hie_buf_addf(&b, "%s{\"family\":\"f%d\",\"given\":[\"a\",\"b%d\"]}",
                     i > 0 ? "," : "", i, i);
    }

    hie_buf_addz(&b, "]}");
    hie_buf_addc(&b, '\0');

    gives("name.given.count()", b.ptr, NULL, "600");
    gives("name.given.distinct().count()", b.ptr, NULL, "301");
    gives("name.distinct().count()", b.ptr, NULL, "300");
    gives("(name.given | name.family).count()", b.ptr, NULL, "601");
    gives("name.family.isDistinct()", b.ptr, NULL, "true");
    gives("name.where(given = ('a' | 'b7')).family", b.ptr, NULL, "f7");
    gives("name.family.subsetOf(%resource.name.family)", b.ptr, NULL, "true");
    gives("name.given.exclude(%resource.name.skip(1).given)", b.ptr, NULL,
          "b0");
    gives("name.all(given.count() = 2)", b.ptr, NULL, "true");
    gives("name.select(family & given.last()).last()", b.ptr, NULL,
          "f299b299");
    gives("descendants().count()", b.ptr, NULL, "1201");
    gives("name.sort(-family).first().family", b.ptr, NULL, "f99");
    gives("name.family.aggregate($total & $this.substring(0, 1), '').length()",
          b.ptr, NULL, "300");
}


static hie_rc_t
strict(const char *text, hie_type_t context, bool is_strict)
{
    hie_error_t             err = { .rc = 0 };
    hie_fhirpath_t         *fp;
    hie_fhirpath_options_t  options = { context, is_strict };

    return hie_fhirpath_compile(pool, S(text), &options, &fp, &err);
}


static void
test_strict(void **state)
{
    static const char *const  wrong[] = {
        "nothing", "name.nothing", "name.where(nothing = 1)", "Encounter.id",
        "deceasedBoolean", "name.upper()", "1.upper()", "name.first().given1",
        "children()[0]", "descendants().first()", "contact.name.family.x",
        "(name | contact.name).nothing", "name.select(period).end1",
        "extension('http://x').nothing", "name.given.matches(nothing)"
    };
    static const char *const  right[] = {
        "name.given", "Patient.name", "Resource.id", "DomainResource.text",
        "deceased", "contained.name", "deceased.ofType(boolean)",
        "name.given.upper()", "name.repeat(anything)", "link.other.resolve().x",
        "children().where(x = 1)", "extension('http://x').value.unit",
        "(name | contact.name).family", "%resource.anything",
        "contact.name.first().family", "id.length().toString().upper()"
    };
    size_t                    i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (strict(wrong[i], HIE_TYPE_Patient, true) != HIE_INVALID
            || strict(wrong[i], HIE_TYPE_Patient, false) != HIE_OK)
        {
            fail_msg("%s", wrong[i]);
        }
    }

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        if (strict(right[i], HIE_TYPE_Patient, true) != HIE_OK) {
            fail_msg("%s", right[i]);
        }
    }

    assert_int_equal(strict("anything", HIE_TYPE_NONE, true), HIE_OK);
    assert_int_equal(strict("anything", HIE_TYPE_Resource, true), HIE_OK);
}


static void
test_messages(void **state)
{
    hie_error_t      err;
    hie_fhirpath_t  *fp;

    assert_int_equal(hie_fhirpath_compile(pool, S("name.\n  where(family = "),
                                          NULL, &fp, &err), HIE_INVALID);
    assert_string_equal(err.where, "2:18");
    assert_non_null(strstr(err.detail, "expected an expression"));

    assert_int_equal(hie_fhirpath_compile(pool, S("'\xc3\xbc' ; 1"), NULL,
                                          &fp, &err), HIE_INVALID);
    assert_string_equal(err.where, "1:5");

    assert_int_equal(hie_fhirpath_compile(pool, S("name.frist()"), NULL, &fp,
                                          &err), HIE_INVALID);
    assert_non_null(strstr(err.detail, "frist"));
    assert_int_equal(hie_fhirpath_compile(pool, S("name.take()"), NULL, &fp,
                                          NULL), HIE_INVALID);
}


int
main(void)
{
    int                      failed;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_misshapen),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reading_costs),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_items),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_messages)
    };

    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
