#!/usr/bin/python3
"""The plain search that the servers are compared with, against cases that
were worked out by hand from R4 section 3.1.1."""

import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from hie.brute import definitions, fhirpath, ranges, units       # noqa: E402
from hie.brute.match import Reading, Wrong                       # noqa: E402
from hie.brute.search import Store, ordered                      # noqa: E402
from hie.brute.text import Number, dump, load, normal            # noqa: E402
from hie.tap import Runner, check, equal                         # noqa: E402

BASE = "http://127.0.0.1/fhir"
DAY = 86400
UCUM = "http://unitsofmeasure.org"


def found(resources, query, type_=None, now=0):
    """Ids that a query finds: "name=value&name=value"."""
    store = Store([BASE])
    resources = [load(dump(r)) for r in resources]
    for number, resource in enumerate(resources):
        resource.setdefault("id", str(number))
        store.add(resource)
    pairs = [p.split("=", 1) for p in query.split("&")]
    answer = store.search(type_ or resources[0]["resourceType"], pairs,
                          Reading(now * ranges.SECOND, [BASE]))
    return {id_ for _, id_ in answer.found}


def left_open(resource, query):
    """Whether the answer is another one in a reading of R4."""
    store, reading = Store([BASE]), Reading(0, [BASE])
    resource = load(dump({"id": "1", **resource}))
    store.add(resource)
    pairs = [p.split("=", 1) for p in query.split("&")]
    type_ = resource["resourceType"]
    answer = store.search(type_, pairs, reading).found
    return any(store.search(type_, pairs, r).found != answer
               for r in reading.others())


def cases(resource, table):
    """(query, whether the resource is found)"""
    for query, wanted in table:
        equal(bool(found([resource], query)), wanted, query)


def observation(**more):
    return {"resourceType": "Observation", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org",
                                 "code": "8867-4"}]}, **more}


def quantity(value, comparator=None, code="mg", unit="mg", system=UCUM):
    q = {"value": Number(value), "comparator": comparator, "system": system,
         "code": code, "unit": unit}
    return observation(valueQuantity={k: v for k, v in q.items() if v})


def probability(value):
    return {"resourceType": "RiskAssessment", "status": "final",
            "subject": {"reference": "Patient/1"},
            "prediction": [{"probabilityDecimal": Number(value)}]}


def start(value):
    return {"resourceType": "MolecularSequence", "coordinateSystem": 0,
            "variant": [{"start": value}]}


def numbers():
    """R4's own examples first: 100 is [99.5, 100.5), 100.00 is [99.995,
    100.005)."""
    for value, table in {
            "100": ("100", "100.00", "1.00e2", "0100", "ge100", "le100",
                    "1.0e2", "!99", "!101", "!gt100", "!lt100", "!sa100",
                    "!eb100", "!ne100", "ne99", "ap100", "sa99.99",
                    "eb100.01"),
            "99.5": ("100", "!100.0", "!ne100", "lt100", "99.5"),
            "99.4999": ("!100", "ne100"),
            "100.4999": ("100", "gt100", "!101"),
            "100.5": ("!100", "ne100", "101", "100.5"),
            "99.995": ("100.00",), "100.005": ("!100.00", "100.01"),
            "95": ("1.0e2",), "94.999": ("!1.0e2",), "105": ("!1.0e2",),
            "0.8": ("!gt0.8", "!gt8e-1", "ge8.0e-1", "ap0.8", "ap0.85",
                    "!ap0.6"),
            "0.80000001": ("gt0.8",),
            "-5": ("-5", "-5.0", "lt-4", "gt-6", "!-4"),
            "0": ("0", "0.0", "!1", "lt0.1", "gt-0.1")}.items():
        cases(probability(value), [("probability=" + q.lstrip("!"),
                                    not q.startswith("!")) for q in table])


def integers():
    """With digits after the point that are not zero nothing can match."""
    cases(start(2), [
        ("variant-start=2", True), ("variant-start=2.0", True),
        ("variant-start=2.4", False), ("variant-start=3", False),
        ("variant-start=gt1", True), ("variant-start=gt2", False),
        ("variant-start=1,2", True), ("variant-start=ne2", False)])


def several_values():
    """ne is about one value: another one may well be equal."""
    r = start(1)
    r["variant"].append({"start": 5})
    cases(r, [("variant-start=ne1", True), ("variant-start=ne1.0", True),
              ("variant-start=gt4&variant-start=lt2", True),
              ("variant-start=gt2&variant-start=lt4", True),
              ("variant-start=3", False)])


def ranges_as_targets():
    r = {"resourceType": "RiskAssessment", "status": "final",
         "prediction": [{"probabilityRange": {
             "low": {"value": 20}, "high": {"value": 30}}}]}
    cases(r, [("probability=" + q, w) for q, w in (
        ("25", False), ("2.5e1", False), ("3e1", False), ("gt29", True),
        ("gt30", False), ("ge30", True), ("lt21", True), ("lt20", False),
        ("le20", True), ("sa19", True), ("sa20", False), ("eb31", True),
        ("eb30", False), ("ne25", True), ("ap25", True))])
    r["prediction"][0]["probabilityRange"] = {
        "low": {"value": Number("99.5")}, "high": {"value": Number("100.4")}}
    cases(r, [("probability=100", True), ("probability=100.0", False)])
    r["prediction"][0]["probabilityRange"] = {"low": {"value": 20}}
    cases(r, [("probability=gt1000", True), ("probability=lt20", False),
              ("probability=sa19", True), ("probability=eb1e9", False),
              ("probability=3.0e9", False)])


def comparators():
    cases(quantity("5", "<"), [("value-quantity=" + q, w) for q, w in (
        ("lt5", True), ("lt1", True), ("gt4", True), ("ge5", False),
        ("gt5", False), ("5", False), ("eb5", True), ("sa4", False),
        ("ne5", True))])
    cases(quantity("5", "<="), [("value-quantity=ge5", True),
                                ("value-quantity=gt5", False),
                                ("value-quantity=eb5", False)])
    cases(quantity("5", ">"), [("value-quantity=gt1000", True),
                               ("value-quantity=sa5", True),
                               ("value-quantity=le5", False),
                               ("value-quantity=lt5", False)])
    cases(quantity("5", ">="), [("value-quantity=le5", True),
                                ("value-quantity=sa5", False)])
    for query, wanted in (("eb5", True), ("ge5", True), ("lt5", False),
                          ("eb5.1", False), ("5", False)):
        equal(left_open(quantity("5", "<"), "value-quantity=" + query),
              wanted, query)


def quantities():
    mg = f"|{UCUM}|mg"
    cases(quantity("5.4"), [("value-quantity=" + q, w) for q, w in (
        ("5.4", True), ("5.4" + mg, True), ("5.40e-3|" + UCUM + "|g", True),
        ("5.4||mg", True), ("5.4||g", False), ("le5.4" + mg, True),
        ("lt5.4" + mg, False), ("ap5" + mg, True), ("5.4|urn:x|mg", False),
        ("5.4|" + UCUM + "|", True), ("5.4|" + UCUM + "|mL", False),
        ("gt5|" + UCUM + "|ug", True), ("gt5401|" + UCUM + "|ug", False),
        ("gt5399|" + UCUM + "|ug", True), ("5", True), ("6", False))])
    cases(quantity("5.44"), [("value-quantity=5.4" + mg, True),
                             ("value-quantity=5.4e3|" + UCUM + "|ug", True),
                             ("value-quantity=5400|" + UCUM + "|ug", False)])
    cases(quantity("5.45"), [("value-quantity=5.4" + mg, False)])
    cases(quantity("2", code=None, system=None, unit="tablets"), [
        ("value-quantity=2||tablets", True), ("value-quantity=2" + mg, False),
        ("value-quantity=2", True), ("value-quantity=2||tablet", False)])
    cases(quantity("2", code="TAB", system="urn:forms", unit="tablets"), [
        ("value-quantity=2||tablets", True), ("value-quantity=2||TAB", True),
        ("value-quantity=2|urn:forms|TAB", True),
        ("value-quantity=2|urn:forms|tablets", False)])


def money():
    r = {"resourceType": "Invoice", "status": "issued",
         "totalNet": {"value": Number("9.90"), "currency": "EUR"}}
    cases(r, [("totalnet=9.9", True), ("totalnet=9.90||EUR", True),
              ("totalnet=9.9|urn:iso:std:iso:4217|EUR", True),
              ("totalnet=9.9||USD", False), ("totalnet=gt9.9", False)])


def temperature():
    cases(quantity("37.0", code="Cel", unit="C"), [
        ("value-quantity=310.15|" + UCUM + "|K", True),
        ("value-quantity=gt98|" + UCUM + "|[degF]", True),
        ("value-quantity=98.6|" + UCUM + "|[degF]", True),
        ("value-quantity=gt99|" + UCUM + "|[degF]", False)])


def unit_values():
    for code, of, factor in (
            ("mg/dL", "g/L", Fraction(1, 100)), ("/min", "Hz", Fraction(
                1, 60)), ("mm[Hg]", "kPa", Fraction(133322, 10 ** 6)),
            ("%", "{score}", Fraction(1, 100)), ("mL/min/{1.73_m2}", "L/h",
                                                 Fraction(6, 100)),
            ("10*3/uL", "10*9/L", 1), ("kg/m2", "g/cm2", Fraction(1, 10)),
            ("a", "d", Fraction("365.25")), ("mmol/L", "mol/m3", 1),
            ("U/L", "umol/min/L", 1), ("[lb_av]", "kg",
                                       Fraction("0.45359237")),
            ("fL", "um3", 1), ("wk", "h", 168), ("m2.kg", "dm2.g",
                                                 100000),
            # a picohenry, which Synthea takes for the unit of acidity
            ("pH", "V.s/A", Fraction(1, 10 ** 12)), ("mSv", "uJ/g", 1),
            ("Ohm", "V/A", 1), ("S.Ohm", "1", 1)):
        a, b = units.unit(code), units.unit(of)
        check(a[2] == b[2], f"{code} and {of}: {a[2]} {b[2]}")
        equal(a[0] / b[0], factor, f"{code} in {of}")
    for code in ("(score)", "mg/", "IU/L", "", "mg//L", "10**3"):
        equal(units.unit(code), None, code)
    check(units.unit("mg")[2] != units.unit("mL")[2], "mg and mL")


def birth(text):
    return {"resourceType": "Patient", "birthDate": text}


def effective(**more):
    return observation(**more)


def date_examples():
    """Those of R4 section 3.1.1.4.7."""
    for text, q, wanted in (
            ("2013-01-14T00:00:00Z", "eq2013-01-14", True),
            ("2013-01-14T10:00:00Z", "eq2013-01-14", True),
            ("2013-01-15T00:00:00Z", "eq2013-01-14", False),
            ("2013-01-15T00:00:00Z", "ne2013-01-14", True),
            ("2013-01-14T00:00:00Z", "ne2013-01-14", False),
            ("2013-01-14T10:00:00Z", "ne2013-01-14", False),
            ("2013-01-14", "lt2013-01-14T10:00", True),
            ("2013-01-14", "gt2013-01-14T10:00", True)):
        cases(effective(effectiveDateTime=text), [("date=" + q, wanted)])
    after, later, before = ({"start": "2013-01-21"}, {"start": "2013-03-15"},
                            {"end": "2013-01-21"})
    for period, q, wanted in (
            (after, "ge2013-03-14", True), (after, "le2013-03-14", True),
            (later, "sa2013-03-14", True), (after, "sa2013-03-14", False),
            (before, "sa2013-03-14", False), (later, "eb2013-03-14", False),
            (after, "eb2013-03-14", False), (before, "eb2013-03-14", True)):
        cases(effective(effectivePeriod=period), [("date=" + q, wanted)])


def partial_dates():
    cases(birth("2000-02"), [("birthdate=" + q, w) for q, w in (
        ("2000", True), ("2000-02", True), ("2000-02-29", False),
        ("ne2000-02-29", True), ("ge2000-02-29", False),
        ("gt2000-02-28", True), ("gt2000-02-29", False),
        ("lt2000-02-02", True), ("lt2000-02-01", False), ("le2000-02", True),
        ("sa2000-01-31", True), ("sa2000-02-01", False),
        ("eb2000-03-01", True), ("eb2000-02-29", False), ("1999", False))])
    cases(birth("1900"), [("birthdate=1900", True),
                          ("birthdate=1900-01", False),
                          ("birthdate=lt1900-12-31", True),
                          ("birthdate=gt1900-01-01", True),
                          ("birthdate=eb1901", True)])
    equal(ranges.of_date("2100-02-29"), None, "no leap year")
    equal(ranges.of_date("9999")[1] - ranges.of_date("9999-12-31")[1], 0,
          "the last year")


def zones():
    cases(effective(effectiveDateTime="2020-01-01T00:30:00+01:00"), [
        ("date=2019-12-31", True), ("date=2020-01-01", False),
        ("date=2019-12-31T23:30:00Z", True),
        ("date=2019-12-31T23:30", True), ("date=2019-12-31T23:30:00", True),
        ("date=2019-12-31T17:30:00-06:00", True),
        ("date=2020-01-01T00:30:00Z", False), ("date=lt2020", True)])


def fractions():
    cases(effective(effectiveDateTime="2020-01-01T10:00:00.250Z"), [
        ("date=2020-01-01T10:00:00Z", True),
        ("date=2020-01-01T10:00:00.25Z", True),
        ("date=2020-01-01T10:00:00.250Z", True),
        ("date=2020-01-01T10:00:00.2500Z", False),
        ("date=gt2020-01-01T10:00:00.249Z", True),
        ("date=gt2020-01-01T10:00:00.250Z", False),
        ("date=eb2020-01-01T10:00:00.251Z", True)])
    r = effective(effectiveInstant="2020-01-01T10:00:00Z")
    cases(r, [("date=2020-01-01T10:00:00Z", True),
              ("date=gt2020-01-01T10:00:00Z", False)])
    # has an instant a width?
    for query, wanted in (("date=2020-01-01T10:00:00Z", False),
                          ("date=2020-01-01T10:00:00.000Z", True),
                          ("date=eb2020-01-01T10:00:00.500Z", True)):
        equal(left_open(r, query), wanted, query)


def periods():
    r = effective(effectivePeriod={"start": "2020-01-10T12:00:00Z",
                                   "end": "2020-01-12"})
    cases(r, [("date=" + q, w) for q, w in (
        ("2020-01", True), ("2020-01-11", False), ("ge2020-01-12", False),
        ("gt2020-01-11", True), ("gt2020-01-12", False),
        ("lt2020-01-11", True), ("lt2020-01-10T12:00:00Z", False),
        ("sa2020-01-09", True), ("eb2020-01-13", True),
        ("eb2020-01-12", False), ("ap2020-01-11", True))])
    cases(effective(effectivePeriod={"start": "2020"}), [
        ("date=2020", False), ("date=gt9000", True), ("date=ne2020", True)])


def timings():
    r = {"resourceType": "ServiceRequest", "occurrenceTiming": {
        "event": ["2020-03-05", "2020-01-02T10:00:00Z"],
        "repeat": {"boundsPeriod": {"start": "2020-02-01",
                                    "end": "2020-02-03"}}}}
    cases(r, [("occurrence=2020", True), ("occurrence=gt2020-03-04", True),
              ("occurrence=gt2020-03-05", False),
              ("occurrence=2020-02", False), ("occurrence=sa2020-01-01", True),
              ("occurrence=lt2020-01-02T10:00:01Z", True)])


def about_dates():
    """Ten days wide on a day that is a hundred days ago."""
    r = birth("1970-01-10")
    for day, wanted in (("1970-01-02", True), ("1970-01-19", True),
                        ("1970-01-28", False)):
        equal(bool(found([r], "birthdate=ap" + day, now=110 * DAY)), wanted,
              day)


def person(**more):
    return {"resourceType": "Patient", "name": [
        {"use": "official", "family": "Müller-Straße",
         "given": ["Zoë  Änne", "Ēva"], "text": "Zoë Müller"}], **more}


def texts():
    cases(person(), [(q, w) for q, w in (
        ("family=müller", True), ("family=MULLER-STRASSE", True),
        ("family=straße", False), ("family:contains=strasse", True),
        ("family:exact=Müller-Straße", True), ("family:exact=Müller", False),
        ("family:exact=müller-straße", False), ("given=eva", True),
        ("given=zoe anne", True), ("given=anne", False),
        ("given:contains=ZOË Ä", True), ("name=zoe m", True),
        ("name=official", False), ("name=ev,nobody", True),
        ("given=zoe&given=eva", True), ("given=nobody", False),
        ("family:exact=nobody,Müller-Straße", True))])
    for one, other in (("ﬁ", "FI"), ("Å", "a"), ("ǅ", "dz"), ("ŁÓDŹ", "łodz"),
                       (" a\t\n b ", "A B"), ("ΑΣ", "ας")):
        equal(normal(one), normal(other), f"{one} and {other}")


def addresses():
    r = person(address=[{"use": "home", "type": "both",
                         "line": ["3 High St", "Flat 2"], "city": "Oslo",
                         "postalCode": "0150", "country": "NO",
                         "period": {"start": "1974"}}])
    cases(r, [("address=flat", True), ("address=home", False),
              ("address=1974", False), ("address=015", True),
              ("address-city=osl", True), ("address-use=home", True),
              ("address-use=ho", False)])


def escapes():
    r = {"resourceType": "Organization", "name": "a,b|c$d\\e"}
    cases(r, [(r"name=a\,b", True), ("name=x,a", True), ("name=a,b", True),
              (r"name:exact=a\,b\|c\$d\\e", True),
              (r"name:exact=a,b|c$d\\e", False)])


def tokens():
    r = observation(category=[{"coding": [
        {"system": "urn:a", "code": "x", "display": "Éclair"},
        {"code": "y"}, {"system": "urn:b"}], "text": "vital signs"}])
    cases(r, [("category=" + q, w) for q, w in (
        ("x", True), ("urn:a|x", True), ("|x", False), ("urn:a|", True),
        ("y", True), ("|y", True), ("urn:a|y", False), ("urn:b|", True),
        ("urn:b|x", False), ("X", False), ("z,x", True), ("z", False))])
    cases(r, [("category:not=x", False), ("category:not=z", True),
              ("category:not=z,x", False), ("category:text=eclair", True),
              ("category:text=VITAL", True), ("category:text=signs", False),
              ("status:not=amended", True), ("method:not=x", True),
              ("category:missing=false", True), ("method:missing=true", True),
              ("method:missing=false", False), ("status=final", True)])


def identifiers():
    r = person(identifier=[{"system": "urn:mrn", "value": "12-3", "type": {
        "coding": [{"system": "urn:t", "code": "MR"}], "text": "Record"}}],
        telecom=[{"system": "phone", "value": "555"},
                 {"system": "email", "value": "a@example.org"}],
        active=False)
    cases(r, [("identifier=12-3", True), ("identifier=urn:mrn|12-3", True),
              ("identifier=|12-3", False), ("identifier=12", False),
              ("identifier:of-type=urn:t|MR|12-3", True),
              ("identifier:of-type=urn:t|MR|12", False),
              ("identifier:of-type=urn:t|XX|12-3", False),
              ("identifier:text=rec", True), ("phone=555", True),
              ("email=555", False), ("telecom=a@example.org", True),
              ("active=false", True), ("active=true", False)])
    try:
        found([r], "identifier:of-type=MR|12-3")
        check(False, "two parts were taken")
    except Wrong:
        pass


def string_tokens():
    """Of type string: case does not count (R4 section 3.1.1.4.10)."""
    cases({"resourceType": "Medication", "batch": {"lotNumber": "Ab1"}},
          [("lot-number=Ab1", True), ("lot-number=AB1", True),
           ("lot-number=ab", False)])


def presence():
    cases({"resourceType": "Patient", "_birthDate": {"extension": [
        {"url": "urn:x", "valueCode": "unknown"}]}}, [
        ("birthdate:missing=true", True), ("birthdate:missing=false", False),
        ("deceased:missing=false", True), ("deceased=false", True)])
    cases(birth("1980"), [("birthdate:missing=false", True),
                          ("name:missing=true", True)])
    cases(person(deceasedDateTime="2001"), [("deceased=true", True),
                                            ("death-date=2001", True)])
    cases(person(deceasedBoolean=False), [("deceased=true", False),
                                          ("deceased=false", True)])


def references():
    for text, table in {
            "Patient/7": ("7", "Patient/7", BASE + "/Patient/7", "!Group/7",
                          "!8", "!http://other.org/fhir/Patient/7"),
            BASE + "/Patient/7": ("7", "Patient/7", BASE + "/Patient/7"),
            "Patient/7/_history/2": ("7", "Patient/7"),
            "http://other.org/fhir/Patient/7": (
                "!7", "!Patient/7", "http://other.org/fhir/Patient/7"),
            "Group/7": ("7", "Group/7", "!Patient/7"),
            "urn:uuid:0c3f": ("urn:uuid:0c3f", "!0c3f"),
            "#7": ("!7",)}.items():
        r = observation(subject={"reference": text})
        cases(r, [("subject=" + q.lstrip("!"), not q.startswith("!"))
                  for q in table])
    r = observation(subject={"reference": "Patient/7"})
    cases(r, [("patient=7", True), ("subject:Patient=7", True),
              ("subject:Group=7", False), ("subject:missing=false", True)])
    cases(observation(subject={"reference": "Group/7"}),
          [("patient=7", False), ("subject:Patient=7", False),
           ("patient:missing=true", True)])
    logical = observation(subject={"identifier": {"system": "urn:m",
                                                  "value": "9"}})
    cases(logical, [("subject:identifier=urn:m|9", True),
                    ("subject:identifier=9", True),
                    ("subject:identifier=8", False), ("subject=9", False),
                    ("subject:missing=false", True)])


def canonicals():
    r = {"resourceType": "QuestionnaireResponse",
         "questionnaire": "http://example.org/q|2"}
    cases(r, [("questionnaire=http://example.org/q\\|2", True),
              ("questionnaire=http://example.org/q", True),
              ("questionnaire=http://example.org/q\\|1", False),
              ("questionnaire=http://example.org/", False)])


def uris():
    r = {"resourceType": "ValueSet", "url": "http://acme.org/fhir/vs/123"}
    cases(r, [("url=http://acme.org/fhir/vs/123", True),
              ("url=http://acme.org/fhir/vs/12", False),
              ("url=http://ACME.org/fhir/vs/123", False),
              ("url:below=http://acme.org/fhir/", True),
              ("url:below=http://acme.org/fhir/vs/123", True),
              ("url:below=http://acme.org/x", False),
              ("url:above=http://acme.org/fhir/vs/123/_history/5", True),
              ("url:above=http://acme.org/fhir/vs", False)])
    cases({**r, "version": "1.0"},
          [("url=http://acme.org/fhir/vs/123", True),
           ("url=http://acme.org/fhir/vs/123|1.0", True),
           ("url=http://acme.org/fhir/vs/123\\|1.0", True),
           ("url=http://acme.org/fhir/vs/123|1", False)])
    for query, wanted in (("below=http://acme.org/fhir/", False),
                          ("below=http://acme.org/fhir", False),
                          ("below=http://acme.org/fh", True),
                          ("below=http://acme.org/fhir/vs/123/", True),
                          ("above=http://acme.org/fhir/vs/123/x", False),
                          ("above=http://acme.org/fhir/vs/1234", True)):
        equal(left_open(r, "url:" + query), wanted, query)


def composites():
    def part(code, value):
        return {"code": {"coding": [{"system": "urn:c", "code": code}]},
                "valueQuantity": {"value": value, "system": UCUM,
                                  "code": "mm[Hg]"}}
    r = observation(component=[part("sys", 120), part("dia", 80)],
                    valueQuantity={"value": 1})
    name = "component-code-value-quantity="
    cases(r, [(name + q, w) for q, w in (
        ("sys$120", True), ("sys$80", False), ("dia$lt100", True),
        ("urn:c|sys$gt100||mm[Hg]", True), ("urn:d|sys$120", False),
        ("sys$80,dia$80", True), ("|sys$120", False))])
    cases(r, [("combo-code-value-quantity=8867-4$1", True),
              ("combo-code-value-quantity=8867-4$120", False),
              ("code-value-quantity=http://loinc.org|8867-4$1", True),
              ("code-value-quantity=sys$120", False)])
    s = {"resourceType": "MolecularSequence", "coordinateSystem": 0,
         "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]},
                          "windowStart": 10, "windowEnd": 20}}
    cases(s, [("chromosome-window-coordinate=1$ge10$le20", True),
              ("chromosome-window-coordinate=1$gt10$le20", False),
              ("chromosome-window-coordinate=2$ge10$le20", False)])


def group():
    """People, what they have, and who looks after them."""
    return [
        {"resourceType": "Patient", "id": "a", "gender": "male",
         "name": [{"family": "Ash"}], "birthDate": "1950",
         "managingOrganization": {"reference": "Organization/o"},
         "generalPractitioner": [{"reference": "Practitioner/p"}]},
        {"resourceType": "Patient", "id": "b",
         "name": [{"family": "Birch"}], "birthDate": "1960-05",
         "link": [{"other": {"reference": "Patient/a"}, "type": "seealso"}]},
        {"resourceType": "Patient", "id": "c"},
        {"resourceType": "Organization", "id": "o", "name": "North",
         "partOf": {"reference": "Organization/o2"}},
        {"resourceType": "Organization", "id": "o2", "name": "Head"},
        {"resourceType": "Practitioner", "id": "p",
         "name": [{"family": "Pine"}]},
        {**observation(), "id": "1", "subject": {"reference": "Patient/a"},
         "performer": [{"reference": "Practitioner/p"}]},
        {**observation(), "id": "2", "status": "amended",
         "subject": {"reference": BASE + "/Patient/b"},
         "hasMember": [{"reference": "Observation/1"}]},
        {**observation(), "id": "3", "subject": {"reference": "#s"},
         "contained": [
             {"resourceType": "Patient", "id": "s",
              "name": [{"family": "Sloe"}], "managingOrganization": {
                  "reference": "#o"}, "link": [
                  {"other": {"reference": "Patient/a"}, "type": "seealso"}]},
             {"resourceType": "Organization", "id": "o", "name": "Inner",
              "partOf": {"reference": "Organization/o2"}}]},
        {**observation(), "id": "4", "derivedFrom": [{"reference": "#d"}],
         "contained": [{"resourceType": "Observation", "id": "d",
                        "hasMember": [{"reference": "#"}]}]},
        {"resourceType": "Questionnaire", "id": "q", "title": "Stored",
         "url": "http://example.org/q"},
        *({"resourceType": "QuestionnaireResponse", "id": id_,
           "questionnaire": url, "contained": [
               {"resourceType": "Questionnaire", "id": "x", "title": "Own",
                "url": "http://example.org/q"}]}
          for id_, url in (("1", "#x"), ("2", "http://example.org/q"))),
        {"resourceType": "Encounter", "id": "e", "status": "finished",
         "class": {"code": "AMB"}, "subject": {"reference": "Patient/a"}},
        {"resourceType": "Provenance", "id": "v",
         "target": [{"reference": "Observation/1"}]}]


def chains():
    for type_, query, wanted in (
            ("Observation", "subject:Patient.family=ash", "1"),
            ("Observation", "patient.family=ash,birch", "12"),
            ("Observation", "patient.birthdate=lt1955", "1"),
            ("Observation", "patient.gender:not=male", "23"),
            ("Observation", "patient.family=sloe", "3"),
            ("Observation", "patient._id=s,a", "1"),
            ("Observation", "patient.organization.name=inner", "3"),
            ("Observation", "patient.organization._id=o", "1"),
            ("Observation", "patient.organization.partof._id=o2", "13"),
            ("Observation", "patient.link.family=ash", "23"),
            ("Observation", "patient._lastUpdated=gt1900", ""),
            ("Observation", "patient._has:Observation:patient:status=final",
             "13"),
            ("Observation", "_filter=patient.organization.name eq inner",
             "3"),
            ("Observation", "_filter=patient._id eq s", ""),
            ("Observation", "derived-from.has-member._id=4", "4"),
            ("Patient", "family=sloe", ""),
            ("Patient", "_has:Patient:link:family=sloe", ""),
            ("Organization", "_has:Organization:partof:name=inner", ""),
            ("QuestionnaireResponse", "questionnaire.title=own", "1"),
            ("QuestionnaireResponse", "questionnaire.title=stored", "2"),
            ("QuestionnaireResponse", "questionnaire.url=http://example.org/q",
             "12"),
            ("Observation", "patient.organization.name=north", "1"),
            ("Observation", "patient.organization.partof.name=head", "13"),
            ("Observation", "performer:Practitioner.family=pine", "1"),
            ("Observation", "subject:Group.identifier=x", ""),
            ("Observation", "has-member.patient.family=ash", "2"),
            ("Observation", "patient._id=b", "2"),
            ("Observation", "subject:Patient.family:missing=true", ""),
            ("Patient", "_has:Observation:patient:status=final", "a"),
            ("Patient", "_has:Observation:patient:status=final,amended",
             "ab"),
            ("Patient", "_has:Observation:patient:status:not=final", "b"),
            ("Patient", "_has:Observation:patient:_has:Provenance:target:"
             "_id=v", "a"),
            ("Patient", "_has:Observation:subject:performer.family=pine",
             "a"),
            ("Patient", "_has:Encounter:patient:class=AMB&"
             "_has:Observation:patient:status=amended", ""),
            ("Practitioner", "_has:Patient:general-practitioner:family=ash",
             "p"),
            ("Organization", "_has:Organization:partof:name=north", "o2"),
            ("Organization", "_id=o,o2&name=head", "o2")):
        equal(found(group(), query, type_),
              {"o2"} if wanted == "o2" else set(wanted), query)
    r = next(r for r in group() if "contained" in r)
    equal(left_open(r, "patient.family=sloe"), False, "what is contained")


def store():
    s = Store([BASE])
    for resource in group():
        s.add(load(dump(resource)))
    return s


def search(type_, query, within=None):
    pairs = [p.split("=", 1) for p in query.split("&") if p]
    return store().search(type_, pairs, Reading(0, [BASE]), within)


def compartments():
    for type_, id_, wanted in (("Observation", "a", "1"),
                               ("Observation", "c", ""),
                               ("Encounter", "a", "e"),
                               ("Patient", "a", "ab"),
                               ("Organization", "a", "")):
        equal(search(type_, "", ("Patient", id_)).found,
              {(type_, w) for w in wanted}, f"Patient/{id_}/{type_}")
    equal(search(["Observation", "Encounter"], "", ("Patient", "a")).found,
          {("Observation", "1"), ("Encounter", "e")}, "Patient/a/*")


def several_types():
    for types, query, wanted in (
            ("Observation Encounter", "patient=a", "Observation/1 "
             "Encounter/e"),
            ("Observation Encounter", "status=amended", "Observation/2"),
            ("Patient Practitioner", "family=pine,birch", "Patient/b "
             "Practitioner/p"),
            ("Patient Encounter", "_id=a,e", "Patient/a Encounter/e")):
        equal(search(types.split(), query).found,
              {tuple(w.split("/")) for w in wanted.split()}, query)


def filters():
    for type_, expression, wanted in (
            ("Patient", "gender eq male", "a"),
            ("Patient", "gender eq male or birthdate gt 1955", "ab"),
            ("Patient", "not (gender eq male)", "bc"),
            ("Patient", "gender ne female", "a"),
            ("Patient", "gender pr false and birthdate pr true", "b"),
            ("Patient", 'family sw "as"', "a"),
            ("Patient", "family ew h", "ab"), ("Patient", "family co sh", "a"),
            ("Patient", "family eq bir", ""), ("Patient", "family ne ash",
                                               "b"),
            # from left to right
            ("Patient", "family eq ash or family eq birch and gender eq male",
             "a"),
            ("Patient", "family eq ash or (family eq birch and gender eq "
             "male)", "a"),
            ("Patient", "family eq birch and gender eq male or family eq "
             "birch", "b"),
            ("Patient", "birthdate eq 1960 and birthdate ge 1960-05", "b"),
            ("Patient", "organization.name eq north", "a"),
            ("Patient", "organization re Organization/o", "a"),
            ("Observation", "subject:Patient.gender eq male", "1"),
            ("Patient", "_id eq c", "c")):
        equal(found(group(), "_filter=" + expression, type_), set(wanted),
              expression)
    r = {"resourceType": "Patient", "name": [{"family": "A"}, {"family":
                                                               "B"}]}
    equal(left_open(r, "_filter=family ne a"), True, "one is unequal")
    for text in ("family", "family eq", "(family eq a", "family eq a)",
                 "family xx a", "not family eq a", "color eq red"):
        try:
            found(group(), "_filter=" + text, "Patient")
        except Wrong:
            continue
        check(False, f"{text!r} is accepted")


def lists():
    r = {"resourceType": "List", "id": "l", "status": "current",
         "mode": "working", "entry": [
             {"item": {"reference": "Patient/b"}},
             {"item": {"reference": "Observation/1"}}]}
    for type_, query, wanted in (("Patient", "_list=l", "b"),
                                 ("Patient", "_list=l&gender=male", ""),
                                 ("Observation", "_list=l", "1"),
                                 ("Patient", "_list=m", "")):
        equal(found([*group(), r], query, type_), set(wanted), query)


def canonical_chains():
    r = [{"resourceType": "Questionnaire", "id": "1", "url": "http://q",
          "version": "1", "title": "One"},
         {"resourceType": "Questionnaire", "id": "2", "url": "http://q",
          "version": "2", "title": "Two"},
         {"resourceType": "QuestionnaireResponse", "id": "a",
          "questionnaire": "http://q|1"},
         {"resourceType": "QuestionnaireResponse", "id": "b",
          "questionnaire": "http://q"}]
    for type_, query, wanted in (
            ("QuestionnaireResponse", "questionnaire.title=one", "ab"),
            ("QuestionnaireResponse", "questionnaire.title=two", "ab"),
            ("QuestionnaireResponse", "questionnaire.title=three", ""),
            ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:"
             "_id=a", "12")):
        equal(found(r, query, type_), set(wanted), query)


def includes():
    for type_, query, wanted in (
            ("Observation", "_include=Observation:subject",
             "Patient/a Patient/b"),
            ("Observation", "_id=1&_include=Observation:performer:"
             "Practitioner", "Practitioner/p"),
            ("Observation", "_id=1&_include=Observation:performer:Patient",
             ""),
            ("Observation", "_id=2&_include=Observation:has-member",
             "Observation/1"),
            ("Observation", "_id=1&_include=Patient:organization", ""),
            ("Observation", "_id=1&_include=Observation:patient&"
             "_include=Patient:organization", "Patient/a"),
            ("Observation", "_id=1&_include=Observation:patient&"
             "_include:iterate=Patient:organization",
             "Patient/a Organization/o"),
            ("Observation", "_id=1&_include=Observation:patient&"
             "_include:iterate=Patient:organization&"
             "_include:iterate=Organization:partof",
             "Patient/a Organization/o Organization/o2"),
            ("Patient", "_id=a&_revinclude=Observation:patient",
             "Observation/1"),
            ("Patient", "_id=a&_revinclude=Observation:patient&"
             "_revinclude:iterate=Provenance:target",
             "Observation/1 Provenance/v"),
            ("Patient", "_revinclude=Patient:link", ""),
            ("Patient", "_id=a&_include=Patient:*",
             "Organization/o Practitioner/p"),
            ("Patient", "_id=a&_include=*", "Organization/o Practitioner/p"),
            ("Patient", "_id=a&_revinclude=Observation:*", "Observation/1"),
            ("Patient", "_id=a&_revinclude=*", "Observation/1 Encounter/e "
             "Patient/b")):
        equal(search(type_, query).included,
              {tuple(w.split("/")) for w in wanted.split()}, query)


def date(text):
    return ranges.of_date(text)[0]


def order():
    def keys_of(type_, query):
        return {id_: k for (_, id_), k in search(type_, query).keys.items()}

    keys = keys_of("Patient", "_sort=-birthdate")
    check(ordered([keys[k] for k in "bac"], ["-birthdate"]), "descending")
    check(not ordered([keys[k] for k in "abc"], ["-birthdate"]), "ascending")
    check(not ordered([keys[k] for k in "cba"], ["-birthdate"]), "none first")
    keys = keys_of("Patient", "_sort=birthdate")
    check(ordered([keys[k] for k in "abc"], ["birthdate"]), "ascending")
    check(not ordered([keys[k] for k in "bac"], ["birthdate"]), "descending")
    rules = ["gender", "family"]
    keys = {k: [[], [n]] for k, n in zip("xyz", ("a", "b", "b"))}
    check(ordered([keys[k] for k in "xzy"], rules), "equal ones")
    check(not ordered([keys[k] for k in "yxz"], rules), "second key")
    # as the servers order tokens and references
    equal(keys_of("Patient", "_sort=gender"),
          {"a": [["male"]], "b": [[]], "c": [[]]}, "gender")
    equal(keys_of("Observation", "_sort=subject"),
          {"1": [["Patient/a"]], "2": [["Patient/b"]], "3": [[]], "4": [[]]},
          "subject")
    equal(keys_of("Observation", "_sort=patient:Patient.birthdate,"
                  "-subject.family"),
          {"1": [[date("1950"), date("1951")], ["ash"]],
           "2": [[date("1960-05"), date("1960-06")], ["birch"]],
           "3": [[], ["sloe"]], "4": [[], []]}, "behind a reference")
    q = quantity("5", code="kg", unit="kilos")
    s = Store()
    s.add(load(dump({**q, "id": "q"})))
    equal(s.search("Observation", [("_sort", "value-quantity")],
                   Reading()).keys,
          {("Observation", "q"): [[5000, 5000]]}, "in grams")


def paths():
    """Every expression of the table is understood."""
    count = 0
    for own in definitions.tables().own.values():
        for p in own.values():
            for text in [p.expression, *[e for _, e in p.components]]:
                if text:
                    fhirpath.compiled(text)
                    count += 1
    check(count > 1700, f"only {count} expressions")
    r = load('{"resourceType": "Patient", "contact": [{"name": {}}, {}],'
             ' "multipleBirthInteger": 2, "_given": [null, {"id": "x"}],'
             ' "deceasedBoolean": true, "managingOrganization":'
             ' {"reference": "Organization/1"}}')
    item = fhirpath.of_resource(r)
    for text, wanted in (
            ("Patient.contact", 2), ("Patient.contact[1].name", 0),
            ("Patient.multipleBirth", 1), ("Observation.contact", 0),
            ("Patient.multipleBirth.ofType(integer)", 1),
            ("Patient.multipleBirth.ofType(boolean)", 0),
            ("Patient.given", 1), ("Patient.contact | Patient.deceased", 3),
            ("Patient.managingOrganization.where(resolve() is Patient)", 0),
            ("Patient.managingOrganization.where(resolve() is Organization)",
             1), ("Patient.where(deceased = true)", 1),
            ("Patient.contact.where(name.exists())", 1)):
        equal(len(fhirpath.evaluate(text, item)), wanted, text)
    r = load('{"resourceType": "ConceptMap", "sourceCanonical": "urn:x"}')
    for text, wanted in (("ConceptMap.source as canonical", 1),
                         ("ConceptMap.source as uri", 1),
                         ("ConceptMap.source as url", 0)):
        equal(len(fhirpath.evaluate(text, fhirpath.of_resource(r))), wanted,
              text)


runner = Runner()
for name, function in (
        ("numbers by their precision, and exactly", numbers),
        ("integers", integers), ("several values", several_values),
        ("Ranges", ranges_as_targets), ("comparators", comparators),
        ("quantities and their units", quantities), ("Money", money),
        ("temperatures", temperature), ("units", unit_values),
        ("dates: the examples of R4", date_examples),
        ("partial dates", partial_dates), ("time zones", zones),
        ("fractions of seconds, instants", fractions), ("Periods", periods),
        ("Timings", timings), ("about a date", about_dates),
        ("strings", texts), ("addresses", addresses), ("escapes", escapes),
        ("codes", tokens), ("identifiers, contacts, booleans", identifiers),
        ("strings among tokens", string_tokens), (":missing", presence),
        ("references", references), ("canonicals", canonicals),
        ("URIs", uris), ("composites", composites), ("chains", chains),
        ("chains by canonical", canonical_chains),
        ("compartments", compartments), ("several types", several_types),
        ("_filter", filters), ("_list", lists), ("includes", includes),
        ("order", order), ("FHIRPath", paths)):
    runner.run(name, function)
print(f"1..{runner.number}")
sys.exit(1 if runner.failed else 0)
