/*
 * What a resource is found by: tokens and what they say, references, labels,
 * and all that of what it contains.
 */

#include <apr_strings.h>

#include "search_tool.h"


/* The only term of a parameter that says this; its token is there. */
static void
says(const hie_search_values_t *x, uint32_t param, const char *value,
     uint64_t key)
{
    int  i, n;

    for (i = 0, n = 0; i < x->n_terms; i++) {
        assert_true(i == 0 || x->terms[i - 1].key < x->terms[i].key);
        assert_true(has_token(x, x->terms[i].key));
        if (x->terms[i].param == param
            && hie_str_eqz(x->terms[i].value, value))
        {
            assert_true(x->terms[i].key == key);
            n++;
        }
    }

    if (n != 1) {
        fail_msg("%d terms say %s", n, value);
    }
}


static int
terms_of(const hie_search_values_t *x, uint32_t param)
{
    int  i, n;

    for (i = 0, n = 0; i < x->n_terms; i++) {
        n += x->terms[i].param == param;
    }

    return n;
}


static void
test_terms(void **state)
{
    uint32_t                key;
    hie_search_values_t     x;
    const hie_parameter_t  *p;

    values_of("{\"resourceType\":\"Observation\",\"code\":{\"coding\":["
              "{\"system\":\"urn:s\",\"code\":\"C\",\"display\":\"Heart "
              " R\xc3\xa4te\"},{\"system\":\"urn:t\",\"code\":\"C\"},"
              "{\"system\":\"urn:u\"}],\"text\":\"Pulse\"},\"valueString\":"
              "\"x\",\"valueCodeableConcept\":{\"coding\":[{\"code\":\"n\"}]},"
              "\"identifier\":[{\"value\":\"7\"}],\"subject\":{\"reference\":"
              "\"Patient/1\",\"display\":\"Ann\"}}", &x);
    key = hie_search_param_key("Observation", "code");
    p = hie_search_param(search, HIE_TYPE_Observation, HIE_STR("code"));
    assert_int_equal(p->key, key);
    assert_int_equal(terms_of(&x, p->key), 2);
    assert_int_equal(terms_of(&x, p->text_key), 2);
    assert_true(has_token(&x, hie_search_key(key, HIE_STR("urn:u|"))));
    says(&x, p->text_key, "pulse",
         hie_search_key(p->text_key, HIE_STR("pulse")));
    says(&x, p->text_key, "heart rate",
         hie_search_key(p->text_key, HIE_STR("heart rate")));

    key = hie_search_param_key("Observation", "identifier");
    says(&x, key, "7", hie_search_key(key, HIE_STR("|7")));
    key = hie_search_param_key("Observation", "subject:text");
    says(&x, key, "ann", hie_search_key(key, HIE_STR("ann")));
    key = hie_search_param_key("Observation", "subject");
    assert_int_equal(terms_of(&x, key), 0);
    key = hie_search_param_key("Observation", "code-value-string");
    assert_int_equal(terms_of(&x, key), 0);
    key = hie_search_param_key("Observation", "code-value-concept");
    assert_int_equal(terms_of(&x, key), 0);

    /* the value, and below the code of each system */
    assert_int_equal(x.n_strings, 3);
}


static void
test_urls(void **state)
{
    int                  i;
    uint32_t             key;
    hie_buf_t            json;
    hie_search_values_t  x;

    hie_buf_init(&json, pool, 2000);
    hie_buf_addz(&json, "{\"resourceType\":\"Measure\",\"url\":\"http://");
    while (json.len < 1500) {
        hie_buf_addz(&json, "\xc3\xa4/");
    }

    hie_buf_addz(&json, "\",\"meta\":{\"profile\":[\"http://p|1.0\"],"
                 "\"source\":\"urn:S\"},\"library\":[\"http://l|2\"]}");
    hie_buf_addc(&json, '\0');
    values_of(json.ptr, &x);
    assert_int_equal(x.n_strings, 0);

    key = hie_search_param_key("Measure", "_profile");
    says(&x, key, "http://p", hie_search_key(key, HIE_STR("http://p")));
    assert_true(has_token(&x, hie_search_key(key, HIE_STR("http://p|1.0"))));
    key = hie_search_param_key("Measure", "_source");
    says(&x, key, "urn:S", hie_search_key(key, HIE_STR("urn:S")));
    key = hie_search_param_key("Measure", "depends-on");
    says(&x, key, "http://l", hie_search_key(key, HIE_STR("http://l")));

    each("{\"resourceType\":\"Measure\",\"url\":\"http://m\",\"version\":"
         "\"2.0\"}",
         LIST("url=http://m", "url=http://m|2.0", "url=http://m\\|2.0",
              "url:not=http://m|2"),
         LIST("url=http://m|2", "url=http://m|", "url=2.0"));

    /* R4's examples have some like this */
    each("{\"resourceType\":\"QuestionnaireResponse\",\"questionnaire\":"
         "\"Questionnaire/gcs\"}",
         LIST("questionnaire=Questionnaire/gcs",
              "questionnaire:Questionnaire=Questionnaire/gcs"),
         LIST("questionnaire=Questionnaire/gc", "questionnaire=gcs",
              "questionnaire=http://x/Questionnaire/gcs"));
    each("{\"resourceType\":\"QuestionnaireResponse\",\"questionnaire\":"
         "\"gcs|1\"}", LIST("questionnaire=gcs"),
         LIST("questionnaire=Questionnaire/gcs"));

    /* as long as it may be, and whole characters */
    key = hie_search_param_key("Measure", "url");
    assert_int_equal(terms_of(&x, key), 1);
    for (i = 0; i < x.n_terms; i++) {
        if (x.terms[i].param == key) {
            assert_in_range(x.terms[i].value.len, HIE_SEARCH_TEXT_MAX - 1,
                            HIE_SEARCH_TEXT_MAX);
            assert_true(hie_utf8_valid(x.terms[i].value));
        }
    }
}


/* What resources refer to: SQL finds the token by the target's key. */
static void
test_targets(void **state)
{
    int                  i, n;
    uint32_t             key;
    uint64_t             target;
    hie_search_values_t  x;

    assert_true(hie_search_resource_key(HIE_STR("Patient"), HIE_STR("p.1"))
                == hie_fhir_patient_key(HIE_STR("p.1")));
    assert_true(hie_search_reference_key(0, 5) != 5);

    /* the database has them: they stay */
    assert_int_equal(hie_search_param_key("Patient", "name"), 0x4241b5b8u);
    assert_true(hie_search_param_mix(1) == UINT64_C(0x910a2dec89025cc1));
    assert_true(hie_search_key(1, HIE_STR("a|b"))
                == UINT64_C(0x288e06b438e38ea6));
    assert_true(hie_search_reference_key(1, UINT64_C(0x133e54b096e08822))
                == UINT64_C(0x8234795c1fe2d4e3));

    values_of("{\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
              "\"Patient/1/_history/3\"},\"encounter\":{\"reference\":"
              "\"http://else.example/Encounter/7\"}}", &x);
    target = hie_search_resource_key(HIE_STR("Patient"), HIE_STR("1"));
    key = hie_search_param_key("Observation", "subject");
    assert_true(has_token(&x, hie_search_reference_key(key, target)));
    assert_false(has_token(&x, hie_search_key(key, HIE_STR("/1"))));
    for (i = 0, n = 0; i < x.n_references; i++) {
        assert_true(x.references[i].target == target);
        n += x.references[i].param == key;
    }

    assert_int_equal(n, 1);
    assert_int_equal(x.n_references, 1);

    /* a resource inside is found, and is not ours */
    values_of("{\"resourceType\":\"Bundle\",\"type\":\"document\",\"entry\":"
              "[{\"resource\":{\"resourceType\":\"Composition\",\"id\":\"c\"}"
              "}]}", &x);
    key = hie_search_param_key("Bundle", "composition");
    target = hie_search_resource_key(HIE_STR("Composition"), HIE_STR("c"));
    assert_true(has_token(&x, hie_search_reference_key(key, target)));
    assert_int_equal(x.n_references, 0);
}


/* Tokens that would say twice the same are there once. */
static void
test_shared_tokens(void **state)
{
    uint32_t             key = hie_search_param_key("Observation", "patient");
    uint64_t             target;
    hie_criterion_t      c;
    hie_search_values_t  x;

    values_of("{\"resourceType\":\"Observation\",\"status\":\"final\","
              "\"subject\":{\"reference\":\"Patient/1\"}}", &x);

    /* patient finds nothing that subject does not */
    target = hie_search_resource_key(HIE_STR("Patient"), HIE_STR("1"));
    assert_false(has_token(&x, hie_search_reference_key(key, target)));
    ask_well("Observation", "patient=Patient/1", &c);
    assert_true(has_token(&x, c.keys[0]));
    ask_well("Observation", "patient=1", &c);
    assert_int_equal(c.n, 1);
    assert_true(has_token(&x, c.keys[0]));
    ask_well("Observation", "patient=Group/1", &c);
    target = hie_search_resource_key(HIE_STR("Group"), HIE_STR("1"));
    assert_true(c.keys[0] == hie_search_reference_key(key, target));
    ask_well("Observation", "patient.name=x", &c);
    assert_int_equal(c.chains[0].param,
                     hie_search_param_key("Observation", "subject"));

    /* a code that never has a system has one form */
    key = hie_search_param_key("Observation", "status");
    assert_false(has_token(&x, hie_search_key(key, HIE_STR("final"))));
    ask_well("Observation", "status=final", &c);
    assert_true(has_token(&x, c.keys[0]));
    ask_well("Observation", "status=|final", &c);
    assert_true(has_token(&x, c.keys[0]));
}


/* By their forms the labels in use are looked up. */
static void
test_labels(void **state)
{
    int                  i;
    hie_doc_t           *d;
    hie_error_t          err;
    uint32_t             keys[4];
    hie_relations_t      r;
    hie_search_values_t  x;
    const char          *text =
        "{\"resourceType\":\"Bundle\",\"meta\":{\"profile\":"
        "[\"http://x/p|1.0\",\"http://x/q\"],\"security\":"
        "[{\"system\":\"s\",\"code\":\"R\"}],\"tag\":[{\"code\":\"a\"},"
        "{\"system\":\"t\"},{\"system\":\"u|v\",\"code\":\"b\"}]},"
        "\"type\":\"collection\"}";

    keys[HIE_LABEL_PROFILE] = hie_search_param_key("Bundle", "_profile");
    keys[HIE_LABEL_SECURITY] = hie_search_param_key("Bundle", "_security");
    keys[HIE_LABEL_TAG] = hie_search_param_key("Bundle", "_tag");
    values_of(text, &x);
    assert_int_equal(hie_doc_parse(pool, hie_str(text), 100, &d, &err),
                     HIE_OK);
    assert_int_equal(hie_fhir_relations(d, HIE_STR("Bundle"), HIE_STR("b"),
                                        HIE_STR(""), pool, &r, &err), HIE_OK);
    assert_int_equal(r.n_labels, 6);
    for (i = 0; i < r.n_labels; i++) {
        assert_true(has_token(&x, hie_search_key(keys[r.labels[i].kind],
                                                 r.labels[i].form)));
    }
}


/*
 * What is contained.
 */

/* By this parameter, or the one that has its references; with a token. */
static bool
refers(const hie_search_values_t *x, const char *type, const char *code,
       uint64_t target)
{
    int       i;
    uint32_t  param = hie_search_param(search, hie_type_find(hie_str(type)),
                                       hie_str(code))->ref_key;

    for (i = 0; i < x->n_references; i++) {
        if (x->references[i].param == param
            && x->references[i].target == target)
        {
            return has_token(x, hie_search_reference_key(param, target));
        }
    }
    return false;
}


static const hie_search_contained_t *
contained(const hie_search_values_t *x, const char *type, const char *id)
{
    int  i;

    for (i = 0; i < x->n_contained; i++) {
        if (hie_str_eqz(x->contained[i].id, id)) {
            assert_true(hie_str_eqz(x->contained[i].type_name, type));
            assert_true(x->contained[i].key == hie_search_resource_key(
                            hie_str(type), hie_str(id)));
            return &x->contained[i];
        }
    }
    fail_msg("%s is not led to", id);
    return NULL;
}


#define MEDICATION                                                            \
    "\"resourceType\":\"Medication\",\"code\":{\"coding\":[{\"system\":"       \
    "\"urn:c\",\"code\":\"A\"}]},\"batch\":{\"lotNumber\":\"L1\"}"

static void
test_contained(void **state)
{
    hie_search_values_t            x, alone;
    const hie_search_contained_t  *m, *o, *p;
    int                            i;

    values_of("{" MEDICATION "}", &alone);
    values_of("{\"resourceType\":\"MedicationRequest\",\"contained\":["
              "{\"id\":\"o\",\"resourceType\":\"Organization\",\"name\":\"In\","
              "\"partOf\":{\"reference\":\"#p\"}},"
              "{\"id\":\"m\"," MEDICATION ",\"manufacturer\":"
              "{\"reference\":\"#o\"}},"
              "{\"id\":\"p\",\"resourceType\":\"Organization\","
              "\"partOf\":{\"reference\":\"#o\"}},"
              "{\"id\":\"m\",\"resourceType\":\"Medication\"},"
              "{\"id\":\"idle\",\"resourceType\":\"Medication\"}],"
              "\"medicationReference\":{\"reference\":\"#m\"},"
              "\"reasonReference\":[{\"reference\":\"#idle\"}],"
              "\"subject\":{\"reference\":\"#none\"}}", &x);
    assert_int_equal(x.n_contained, 3);
    assert_false(x.too_many);
    m = contained(&x, "#Medication", "MedicationRequest/1#m");
    o = contained(&x, "#Organization", "MedicationRequest/1#o");
    p = contained(&x, "#Organization", "MedicationRequest/1#p");
    assert_true(refers(&x, "MedicationRequest", "medication", m->key));
    assert_true(refers(&m->values, "Medication", "manufacturer", o->key));
    assert_true(refers(&o->values, "Organization", "partof", p->key));
    assert_true(refers(&p->values, "Organization", "partof", o->key));
    assert_int_equal(x.n_references, 1);
    assert_int_equal(m->values.n_contained, 0);

    /* the same as one that stands alone has, and the reference */
    assert_int_equal(m->values.n_tokens, alone.n_tokens + 1);
    for (i = 0; i < alone.n_tokens; i++) {
        assert_true(has_token(&m->values, alone.tokens[i]));
    }
    assert_int_equal(m->values.n_present, alone.n_present + 1);
    assert_int_equal(m->values.n_terms, alone.n_terms);
    assert_true(m->values.content.ptr != NULL);
}


static void
test_contained_ways(void **state)
{
    hie_search_values_t            x;
    const hie_search_contained_t  *c;

    /* a canonical; back to the container; types that the text does not name */
    values_of("{\"resourceType\":\"QuestionnaireResponse\","
              "\"questionnaire\":\"#q\",\"contained\":[{\"id\":\"q\","
              "\"resourceType\":\"Questionnaire\"}]}", &x);
    c = contained(&x, "#Questionnaire", "QuestionnaireResponse/1#q");
    assert_true(refers(&x, "QuestionnaireResponse", "questionnaire", c->key));

    values_of("{\"resourceType\":\"Encounter\",\"partOf\":{\"reference\":"
              "\"#e\"},\"contained\":[{\"id\":\"e\",\"resourceType\":"
              "\"Encounter\",\"partOf\":{\"reference\":\"#\"}}]}", &x);
    c = contained(&x, "#Encounter", "Encounter/1#e");
    assert_true(refers(&c->values, "Encounter", "part-of",
                       hie_search_resource_key(HIE_STR("Encounter"),
                                               HIE_STR("1"))));

    values_of("{\"resourceType\":\"Observation\",\"subject\":{\"reference\":"
              "\"#p\"},\"contained\":[{\"id\":\"p\",\"resourceType\":"
              "\"Patient\",\"link\":[{\"other\":{\"reference\":\"#p\"}}]}]}",
              &x);
    c = contained(&x, "#Patient", "Observation/1#p");
    assert_true(refers(&x, "Observation", "patient", c->key));
    assert_true(refers(&x, "Observation", "subject", c->key));
    assert_true(refers(&c->values, "Patient", "link", c->key));
    assert_int_equal(x.n_contained, 1);
}


/* What is no id, no resource of R4, or not known yet, is led to by nothing. */
static void
test_contained_not(void **state)
{
    static const char *const  texts[] = {
        "\"contained\":[{\"id\":\"m\",\"resourceType\":\"DomainResource\"}]",
        "\"contained\":[{\"id\":\"m\",\"resourceType\":\"Nonsense\"}]",
        "\"contained\":[{\"id\":\"m\"}]", "\"contained\":[\"m\",7,null]",
        "\"contained\":{\"id\":\"m\",\"resourceType\":\"Medication\"}",
        "\"contained\":[{\"id\":[\"m\"],\"resourceType\":\"Medication\"}]",
        "\"x\":[]"
    };
    static const char         good[] =
        "{\"resourceType\":\"MedicationRequest\",\"medicationReference\":"
        "{\"reference\":\"#m\"},\"contained\":[{\"id\":\"m\","
        "\"resourceType\":\"Medication\"}]}";
    hie_doc_t                *d;
    hie_search_values_t       x;
    size_t                    i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        values_of(apr_pstrcat(pool, "{\"resourceType\":\"MedicationRequest\","
                              "\"medicationReference\":{\"reference\":"
                              "\"#m\"},", texts[i], "}", NULL), &x);
        assert_int_equal(x.n_contained, 0);
        assert_int_equal(x.n_references, 0);
    }

    assert_int_equal(hie_doc_parse(pool, hie_str(good), 100, &d, NULL),
                     HIE_OK);
    assert_int_equal(hie_search_index(search, d, HIE_TYPE_MedicationRequest,
                                      HIE_STR_NONE, HIE_STR(""), pool, &x,
                                      NULL), HIE_OK);
    assert_int_equal(x.n_contained, 0);
    assert_int_equal(x.n_references, 0);
    values_of(good, &x);
    assert_int_equal(x.n_contained, 1);
}


static void
test_contained_most(void **state)
{
    enum { N = HIE_SEARCH_CONTAINED_MAX + 2 };

    int                  i;
    hie_buf_t            b;
    hie_search_values_t  x;

    hie_buf_init(&b, pool, 1024);
    hie_buf_addz(&b, "{\"resourceType\":\"List\",\"contained\":[");
    for (i = 0; i < N; i++) {
        hie_buf_addf(&b, "%s{\"resourceType\":\"Basic\",\"id\":\"b%d\"}",
                     i > 0 ? "," : "", i);
    }
    hie_buf_addz(&b, "],\"entry\":[");
    for (i = 0; i < N; i++) {
        hie_buf_addf(&b, "%s{\"item\":{\"reference\":\"#b%d\"}}",
                     i > 0 ? "," : "", N - 1 - i);
    }
    hie_buf_addz(&b, "]}");
    hie_buf_addc(&b, '\0');
    values_of(b.ptr, &x);
    assert_true(x.too_many);
    assert_int_equal(x.n_contained, HIE_SEARCH_CONTAINED_MAX);
    assert_int_equal(x.n_references, HIE_SEARCH_CONTAINED_MAX);
    (void) contained(&x, "#Basic", "List/1#b2");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_shared_tokens),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_contained),
        cmocka_unit_test(test_contained_ways),
        cmocka_unit_test(test_contained_not),
        cmocka_unit_test(test_contained_most),
    };

    return cmocka_run_group_tests(tests, search_setup, search_teardown);
}
