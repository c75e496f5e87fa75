/*
 * The language: an expression and the text of its result. What the published
 * tests have is not repeated here.
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

/* 2023-11-14T22:13:20.123Z */
#define NOW  INT64_C(1700000000123000)

/* Results are joined by ';'. "!" is an error of evaluation, "?" of
 * compiling. */
typedef struct {
    const char  *expression;
    const char  *result;
} row_t;

static apr_pool_t  *pool;

static const char  patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"active\":true,"
    "\"name\":[{\"family\":\"M\\u00fcller\",\"given\":[\"Ada\",\"Bo\"]},"
    "{\"use\":\"old\",\"family\":\"Test\",\"given\":[\"Ada\"]}],"
    "\"birthDate\":\"1970-05\",\"deceasedDateTime\":\"2020-01-01T10:00:00Z\","
    "\"multipleBirthInteger\":2,"
    "\"extension\":[{\"url\":\"http://x/q\",\"valueQuantity\":{\"value\":1.50,"
    "\"system\":\"http://unitsofmeasure.org\",\"code\":\"kg\"}},"
    "{\"url\":\"http://x/d\",\"valueDecimal\":2.50}]}";


static const char *
evaluate(const char *text, apr_pool_t *p)
{
    size_t                  i;
    hie_buf_t               b;
    hie_doc_t              *d;
    hie_error_t             err = { .rc = 0 };
    hie_fhirpath_t         *fp;
    hie_fhirpath_env_t      env = { .pool = p, .now = NOW, .zone = 60 };
    hie_fhirpath_item_t     focus;
    hie_fhirpath_list_t     list;
    hie_fhirpath_options_t  options = { HIE_TYPE_Patient, false };

    if (hie_fhirpath_compile(p, S(text), &options, &fp, &err) != HIE_OK) {
        assert_int_equal(err.rc, HIE_INVALID);
        assert_true(err.where[0] != '\0' && err.detail[0] != '\0');
        return "?";
    }

    assert_int_equal(hie_doc_parse(p, S(patient), 20, &d, NULL), HIE_OK);
    focus = hie_fhirpath_resource(d, 0);
    if (hie_fhirpath_eval(fp, &env, &focus, &list, &err) != HIE_OK) {
        assert_int_equal(err.rc, HIE_INVALID);
        assert_true(err.where[0] != '\0' && err.detail[0] != '\0');
        return "!";
    }

    hie_buf_init(&b, p, 64);
    for (i = 0; i < list.n; i++) {
        hie_buf_addz(&b, i > 0 ? ";" : "");
        hie_buf_adds(&b, hie_fhirpath_text(&list.items[i], p));
    }

    return hie_str_z(p, hie_buf_str(&b));
}


static void
check(const row_t *rows, size_t n)
{
    size_t       i, failed = 0;
    apr_pool_t  *p;
    const char  *found;

    for (i = 0; i < n; i++) {
        p = hie_pool_create(pool, "row");
        found = evaluate(rows[i].expression, p);
        if (strcmp(found, rows[i].result) != 0) {
            print_error("%s: expected '%s', found '%s'\n", rows[i].expression,
                        rows[i].result, found);
            failed++;
        }

        apr_pool_destroy(p);
    }

    assert_int_equal(failed, 0);
}


#define CHECK(rows)  check(rows, sizeof(rows) / sizeof(rows[0]))


static void
test_syntax(void **state)
{
    static const row_t  rows[] = {
        { "", "?" }, { "1 +", "?" }, { "(1", "?" }, { "name.", "?" },
        { "name[0", "?" }, { "'a", "?" }, { "`a", "?" }, { "{1}", "?" },
        { "name..given", "?" }, { "1 1", "?" }, { "nothing()", "?" },
        { "first(1)", "?" }, { "name.where()", "?" }, { "$that", "?" },
        { "a.$this", "?" }, { "%", "?" }, { "@2020-13", "?" },
        { "@2020-02-30", "?" }, { "@T25", "?" }, { "'\\q'", "?" },
        { "'\\u12'", "?" }, { "'\\ud800'", "?" }, { "1 is Nothing", "?" },
        { "1 is System.Patient", "?" }, { "#", "?" }, { "\"", "?" },
        { "2147483649", "?" }, { "'a'.matches('(')", "?" },
        { "-2147483648", "-2147483648" },
        { "'\\u00e9\\ud83d\\ude00\\'\\n'.length()", "4" },
        { "1 + 2 * 3 - 4 div 2", "5" }, { "-2 * -3", "6" },
        { "(1 | 2) | 3 = 1", "false" },
        { "1 + 1 = 2 and 2 > 1 or false", "true" },
        { "true or false implies false", "false" },
        { "false xor true and false", "false" },
        { "FHIR.Patient.id", "p1" }, { "Resource.id", "p1" },
        { "Observation.id", "" }, { "`name`.`family`.last()", "Test" },
        { "name.is(HumanName)", "!" }, { "%nothing", "!" },
        { "%ucum", "http://unitsofmeasure.org" },
        { "%`vs-names`", "http://hl7.org/fhir/ValueSet/names" },
        { "%'ext-x'", "http://hl7.org/fhir/StructureDefinition/x" },
        { "name[1].given", "Ada" }, { "name[7]", "" }, { "name[-1]", "" },
        { "name['a']", "!" }, { "name[{}]", "" }
    };

    CHECK(rows);
}


static void
test_collections(void **state)
{
    static const row_t  rows[] = {
        { "name.given.distinct()", "Ada;Bo" },
        { "name.given.isDistinct()", "false" },
        { "name.given | name.given", "Ada;Bo" },
        { "name.given.combine('x').count()", "4" },
        { "name.given.where($index = 1)", "Bo" },
        { "name.select(given[0] & '-' & family)", "Ada-M\xc3\xbcller;Ada-Test"
        },
        { "name.given.intersect('Ada' | 'x')", "Ada" },
        { "name.given.exclude('Ada')", "Bo" },
        { "('a' | 'b').subsetOf('b' | 'c' | 'a')", "true" },
        { "('a' | 'd').subsetOf('b' | 'c' | 'a')", "false" },
        { "{}.subsetOf('a')", "true" }, { "'a'.supersetOf({})", "true" },
        { "{}.all(false)", "true" }, { "{}.exists()", "false" },
        { "{}.allTrue()", "true" }, { "{}.anyTrue()", "false" },
        { "(true | false).anyTrue()", "true" },
        { "(true | false).allTrue()", "false" },
        { "(true | false).anyFalse()", "true" },
        { "(true | false).allFalse()", "false" },
        { "(1 | 2).allTrue()", "!" },
        { "(1 | 2).single()", "!" }, { "{}.single()", "" },
        { "(1 | 2 | 3).skip(1)", "2;3" }, { "(1 | 2 | 3).skip(9)", "" },
        { "(1 | 2 | 3).take(-1)", "" }, { "(1 | 2 | 3).tail()", "2;3" },
        { "{}.tail()", "" }, { "{}.first()", "" }, { "(1 | 2).last()", "2" },
        { "1.repeat(iif($this < 5, $this + 1, {}))", "2;3;4;5" },
        { "name.repeat(given)", "Ada;Bo" },
        { "(1 | 2 | 3).aggregate($total + $this, 10)", "16" },
        { "{}.aggregate($this, 1)", "1" },
        { "(1 | 2 | 3).select($this * $this)", "1;4;9" },
        { "iif(false, 1)", "" }, { "iif({}, 1, 2)", "2" },
        { "name.iif(count() = 2, 'two', 'other')", "two" },
        { "(3 | 1 | 2).sort()", "1;2;3" },
        { "name.sort(-family).family", "Test;M\xc3\xbcller" },
        { "name.sort(use, family).family", "M\xc3\xbcller;Test" },
        { "(1 | 'a').sort()", "!" }, { "name.sort()", "!" },
        { "1 in (1 | 2)", "true" }, { "3 in (1 | 2)", "false" },
        { "{} in (1 | 2)", "" }, { "1 in {}", "false" },
        { "(1 | 2) in (1 | 2)", "!" }, { "{} contains 1", "false" },
        { "name.where(family).count()", "2" },
        { "name.exists(use = 'old')", "true" },
        { "(1 | 1.0 | 1 '1')", "1" }, { "name.where(given and true).count()",
          "!" },
        { "name.where(use and true).family", "Test" }
    };

    CHECK(rows);
}


static void
test_equality(void **state)
{
    static const row_t  rows[] = {
        { "1 = 1.0", "true" }, { "1 = '1'", "false" }, { "{} = {}", "" },
        { "{} ~ {}", "true" }, { "1 ~ {}", "false" },
        { "(1 | 2) = (2 | 1)", "false" }, { "(1 | 2) ~ (2 | 1)", "true" },
        { "1.50 = extension[0].value.value", "true" },
        { "'A  b' ~ 'a  B'", "true" }, { "'A' = 'a'", "false" },
        { "1.15 ~ 1.1", "false" }, { "1.14 ~ 1.1", "true" },
        { "name[0] = name[0]", "true" }, { "name[0] = name[1]", "false" },
        { "name[0] ~ name[1]", "false" }, { "name[0] = 'x'", "false" },
        { "active = true", "true" }, { "1 'kg' = 1000 'g'", "true" },
        { "1 'kg' = 1000 'm'", "" }, { "1 'kg' ~ 1000 'm'", "false" },
        { "1 'kg' > 999 'g'", "true" }, { "1 'nonsense' = 1 'g'", "" },
        { "extension[0].value = 1500 'g'", "true" },
        { "1 year = 12 months", "true" }, { "1 year = 365 days", "" },
        { "1 year = 1 'a'", "" }, { "1 year ~ 1 'a'", "true" },
        { "1 month ~ 1 'mo'", "true" }, { "2 weeks = 14 days", "true" },
        { "1 second = 1 's'", "true" }, { "60 minutes = 1 'h'", "true" },
        { "@2020 = @2020-01", "" }, { "@2020 != @2021-01", "true" },
        { "@2020 ~ @2020-01", "false" }, { "@2020-01-01 < @2020-01", "" },
        { "@2020-01 < @2020-02-01", "true" },
        { "@2020-01-01T10:00Z = @2020-01-01T11:00+01:00", "true" },
        { "@2020-01-01T10:00Z < @2020-01-01T10:30", "" },
        { "@2020-01-01T10:00Z < @2020-01-03T10:30", "true" },
        { "@2020-12-31T23:30-01:00 = @2021-01-01T00:30Z", "true" },
        { "@T10:00 < @T10:30", "true" }, { "@T10:00:00.5 = @T10:00:00.50",
          "true" },
        { "birthDate < @1970-06-01", "true" }, { "birthDate < @1970-05-02",
          "" },
        { "1 < 'a'", "!" }, { "true < false", "!" }, { "name < 1", "!" },
        { "(1 | 2) < 3", "!" }, { "{} < 3", "" }, { "'a' < 'b'", "true" },
        { "'a' < 'ab'", "true" }, { "@2020 < @T10", "!" }
    };

    CHECK(rows);
}


static void
test_logic(void **state)
{
    static const row_t  rows[] = {
        { "{} and false", "false" }, { "{} and true", "" },
        { "{} or true", "true" }, { "{} or false", "" }, { "{} xor true", "" },
        { "true xor true", "false" }, { "{} implies {}", "" },
        { "{}.not()", "" }, { "true.not()", "false" }, { "1.not()", "false" },
        { "false and (1 | 2).single().exists()", "false" },
        { "true or (1 | 2).single().exists()", "true" },
        { "false implies (1 | 2).single().exists()", "true" },
        { "(true | false) and true", "!" }, { "name.exists().not()", "false" },
        { "name.suffix.empty()", "true" }, { "'a' and true", "true" }
    };

    CHECK(rows);
}


static void
test_arithmetic(void **state)
{
    static const row_t  rows[] = {
        { "7 div 2", "3" }, { "-7 div 2", "-3" }, { "-7 mod 2", "-1" },
        { "7 / 2", "3.5" }, { "7 mod 0", "" }, { "7 / 0", "" },
        { "5.5 mod 2", "1.5" }, { "0.1 + 0.2", "0.3" }, { "1.50 * 1", "1.50" },
        { "2147483647 + 1", "" }, { "65536 * 65536", "" },
        { "-(-2147483648)", "" }, { "1 + {}", "" }, { "{} - 1", "" },
        { "1 + 'a'", "!" }, { "'a' - 'b'", "!" }, { "'a' + 'b'", "ab" },
        { "'a' + {}", "" }, { "'a' & {}", "a" }, { "{} & {}", "" },
        { "1 & 'a'", "!" }, { "name + 1", "!" }, { "-'a'", "!" },
        { "-1.5 'mg'", "-1.5 'mg'" }, { "+1", "1" },
        { "1 'kg' + 500 'g'", "1.500 'kg'" }, { "1 'kg' + 1 'm'", "" },
        { "1 'kg' * 2", "2 'kg'" }, { "2 * 1 'kg'", "2 'kg'" },
        { "4 'g' / 2 'g'", "2 '1'" }, { "3 days * 2", "6 days" },
        { "2.0 'cm' * 2.0 'm' = 0.040 'm2'", "true" },
        { "multipleBirth + 1", "3" }, { "multipleBirth / 4", "0.5" },
        { "(1 | 2) + 1", "!" }, { "1 'kg' div 2 'kg'", "!" }
    };

    CHECK(rows);
}


static void
test_dates(void **state)
{
    static const row_t  rows[] = {
        { "@2020-02-29 + 1 year", "2021-02-28" },
        { "@2020-01-31 + 1 month", "2020-02-29" },
        { "@2020-03-31 - 1 month", "2020-02-29" },
        { "@2020-02-28 + 2 days", "2020-03-01" },
        { "@2019-12-31 + 1 week", "2020-01-07" },
        { "@2020-01-01 - 1 day", "2019-12-31" },
        { "@2020-01-01 + 36 hours", "2020-01-02" },
        { "@2020 + 18 months", "2021" }, { "@2020-01 + 31 days", "2020-02" },
        { "@2020 + 1.9 years", "2021" },
        { "@2020-12-31T23:59:59Z + 1 second", "2021-01-01T00:00:00Z" },
        { "@2020-01-01T10:00:00.000Z + 1500 'ms'",
          "2020-01-01T10:00:01.500Z" },
        { "@2020-01-01T10:00:00Z - 0.5 's'", "2020-01-01T09:59:59.500Z" },
        { "@2020-01-01T10:00+02:00 + 90 minutes",
          "2020-01-01T11:30+02:00" },
        { "@2020-01-01T10 + 90 minutes", "2020-01-01T11" },
        { "@T23:30 + 1 hour", "00:30" }, { "@T00:30 - 1 hour", "23:30" },
        { "@T10:00 + 1 day", "!" }, { "@2020-01-01 + 1 'a'", "!" },
        { "@2020-01-01 + 1 'mo'", "!" }, { "@2020-01-01 + 1 'kg'", "!" },
        { "@2020-01-01 + 1 'd'", "2020-01-02" },
        { "@2020-01-01 + 1", "!" }, { "@2020-01-01 - @2019-01-01", "!" },
        { "@9999-12-31 + 1 day", "" }, { "@0001-01-01 - 1 day", "" },
        { "@2000-03-01 - 1 day", "2000-02-29" },
        { "@1900-03-01 - 1 day", "1900-02-28" },
        { "now()", "2023-11-14T23:13:20.123+01:00" },
        { "today()", "2023-11-14" }, { "timeOfDay()", "23:13:20.123" },
        { "now() > @2023-11-14T22:13:20Z", "true" },
        { "birthDate + 1 year", "1971-05" },
        { "deceased.toDate() - 50 years", "1970-01-01" },
        { "birthDate.lowBoundary()", "1970-05-01" },
        { "birthDate.highBoundary()", "1970-05-31" },
        { "@2020-02.highBoundary()", "2020-02-29" },
        { "@2020T.lowBoundary()", "2020-01-01T00:00:00.000+14:00" },
        { "@2020-01-01T10:00Z.highBoundary()",
          "2020-01-01T10:00:59.999Z" },
        { "@T10:30.lowBoundary()", "10:30:00.000" },
        { "1.5.lowBoundary()", "1.45000000" },
        { "(-1.5).lowBoundary(1)", "-1.6" }, { "0.highBoundary(1)", "0.5" },
        { "'a'.lowBoundary()", "!" }, { "@2020-01-05.precision()", "8" },
        { "5.precision()", "0" }, { "@T10:30:05.precision()", "6" }
    };

    CHECK(rows);
}


static void
test_strings(void **state)
{
    static const row_t  rows[] = {
        { "name[0].family.length()", "6" }, { "name[0].family.upper()",
          "M\xc3\x9cLLER" },
        { "name[0].family.substring(1, 2)", "\xc3\xbcl" },
        { "'abcabc'.indexOf('c')", "2" }, { "'abc'.indexOf('')", "0" },
        { "'abc'.indexOf('x')", "-1" }, { "'\xc3\xbc" "b'.indexOf('b')", "1" },
        { "'abcabc'.lastIndexOf('bc')", "4" }, { "'a'.lastIndexOf('ab')",
          "-1" },
        { "'abc'.substring(3)", "" }, { "'abc'.substring(1, 0)", "" },
        { "'abc'.substring({})", "" }, { "1.length()", "!" },
        { "('a' | 'b').upper()", "!" }, { "name.upper()", "!" },
        { "'a,b,,c'.split(',')", "a;b;;c" }, { "'ab'.split('')", "ab" },
        { "('a' | 'b').join('-')", "a-b" }, { "('a' | 'b').join()", "ab" },
        { "{}.join(',')", "" }, { "(1 | 2).join(',')", "!" },
        { "'aXbX'.replace('X', '--')", "a--b--" }, { "'abc'.toChars()",
          "a;b;c" },
        { "'ab12'.matches('^[a-z]+\\\\d+$')", "true" },
        { "'x'.matches('')", "true" }, { "'x'.matches(1)", "!" },
        { "'x'.matches('a' & '(')", "!" },
        { "'2020-01-02'.replaceMatches('(\\\\d+)-(\\\\d+)-(\\\\d+)', "
          "'$3.$2.$1')", "02.01.2020" },
        { "'2020-01'.replaceMatches('(?<y>\\\\d+)-(?<m>\\\\d+)', "
          "'${m}/${y}')", "01/2020" },
        { "'abc'.replaceMatches('', '-')", "-a-b-c-" },
        { "'a\xc3\xbc'.replaceMatches('x*', '.')", ".a.\xc3\xbc." },
        { "'aaa'.replaceMatches('a', '')", "" },
        { "'aaa'.replaceMatches('a', '${')", "!" },
        { "'<a href=\"x\">&'.escape('html')",
          "&lt;a href=&quot;x&quot;&gt;&amp;" },
        { "'&lt;&amp;lt;'.unescape('html')", "<&lt;" },
        { "'a\"\\n'.escape('json')", "a\\\"\\n" },
        { "'a\\\\n'.unescape('json').length()", "2" },
        { "'\"'.unescape('json')", "" }, { "'a'.escape('x')", "!" },
        { "'zz'.decode('hex')", "" }, { "'ff'.decode('hex')", "" },
        { "'a'.encode('base64')", "YQ==" }, { "'YQ=='.decode('base64')", "a" },
        { "'YQ'.decode('base64')", "a" }, { "'a'.encode('rot13')", "!" },
        { "'  a b '.trim()", "a b" }, { "''.length()", "0" }
    };

    CHECK(rows);
}


static void
test_conversions(void **state)
{
    static const row_t  rows[] = {
        { "'yes'.toBoolean()", "true" }, { "'N'.toBoolean()", "false" },
        { "'maybe'.toBoolean()", "" }, { "2.toBoolean()", "" },
        { "0.0.toBoolean()", "false" }, { "@2020.toBoolean()", "" },
        { "'+5'.toInteger()", "5" }, { "' 5'.toInteger()", "" },
        { "'2147483648'.toInteger()", "" }, { "1.0.toInteger()", "" },
        { "'1.'.toDecimal()", "" }, { "'.5'.toDecimal()", "" },
        { "'-1.50'.toDecimal()", "-1.50" }, { "true.toDecimal()", "1.0" },
        { "'1e5'.toDecimal()", "" }, { "'5 \\'mg\\''.toQuantity()",
          "5 'mg'" },
        { "'5 days'.toQuantity()", "5 days" }, { "'5 mg'.toQuantity()", "" },
        { "'x'.toQuantity()", "" }, { "1 'kg'.toQuantity('g')", "1000 'g'" },
        { "1 'kg'.toQuantity('m')", "" }, { "2 weeks.toQuantity('day')",
          "14 days" },
        { "'2020-01-01T10:00'.toDateTime()", "2020-01-01T10:00" },
        { "'2020-01-01T10:00'.toDate()", "" },
        { "@2020-01-01T10:00.toDate()", "2020-01-01" },
        { "@2020-01.toDateTime()", "2020-01" }, { "'25:00'.toTime()", "" },
        { "'10:30'.toTime()", "10:30" }, { "1.convertsToTime()", "false" },
        { "{}.convertsToInteger()", "" }, { "{}.toString()", "" },
        { "(1 | 2).toString()", "!" }, { "name.convertsToString()", "!" },
        { "name[0].convertsToString()", "false" },
        { "name[0].toString()", "" },
        { "extension[1].value.toString()", "2.50" },
        { "extension[0].value.toString()", "1.50 'kg'" },
        { "1 day.toString()", "1 day" }, { "1.50.toString()", "1.50" },
        { "@2020-01-01T10:00:00.10Z.toString()",
          "2020-01-01T10:00:00.10Z" }
    };

    CHECK(rows);
}


static void
test_math(void **state)
{
    static const row_t  rows[] = {
        { "(-1.5).ceiling()", "-1" }, { "1.1.ceiling()", "2" },
        { "(-1.5).floor()", "-2" }, { "(-1.9).truncate()", "-1" },
        { "2.5.round()", "3" }, { "1.005.round(2)", "1.01" },
        { "1.round(-1)", "!" }, { "81.sqrt()", "9" }, { "(-1).sqrt()", "" },
        { "16.log(2)", "4" }, { "0.ln()", "" }, { "2.power(-1)", "0.5" },
        { "2.power(31)", "" }, { "2.power(0.5) > 1.41", "true" },
        { "10.power(6145)", "" }, { "0.power(-1)", "" }, { "'a'.abs()", "!" },
        { "{}.abs()", "" }, { "(-3 days).abs()", "3 days" },
        { "1000.exp()", "" }, { "3000000000.5.floor()", "" }
    };

    CHECK(rows);
}


static void
test_types(void **state)
{
    static const row_t  rows[] = {
        { "active is boolean", "true" }, { "active is Boolean", "false" },
        { "active is System.Boolean", "false" }, { "true is Boolean", "true" },
        { "true is FHIR.boolean", "false" }, { "id is string", "true" },
        { "Patient is DomainResource", "true" },
        { "deceased is dateTime", "true" }, { "deceased is boolean", "false" },
        { "deceased as boolean", "" }, { "(deceased as dateTime).exists()",
          "true" },
        { "extension.value.ofType(Quantity).code", "kg" },
        { "1 'kg' is Quantity", "true" }, { "1 'kg' is System.Quantity",
          "true" },
        { "1 'kg' is FHIR.Quantity", "false" }, { "1.is(System.Any)", "true" },
        { "extension.value.as(decimal)", "2.50" },
        { "name[0].type().name", "HumanName" },
        { "name[0].type().namespace", "FHIR" }, { "1.type().name", "Integer" },
        { "1.type().namespace", "System" }, { "type().name", "Patient" },
        { "{} is Integer", "" }, { "1 'mg'.unit", "mg" },
        { "valueQuantity", "" }, { "extension.valueQuantity", "" }
    };

    CHECK(rows);
}


int
main(void)
{
    int                      failed;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_collections),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_logic),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_math),
        cmocka_unit_test(test_types)
    };

    apr_initialize();
    pool = hie_pool_create(NULL, "test");

    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();

    return failed;
}
