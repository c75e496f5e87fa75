#!/usr/bin/python3
"""What each type of search parameter finds: prefixes, modifiers, precision,
folding, escapes. Every query by GET and by POST."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC                                       # noqa: E402
from hie.search import ask, entries, labels, plant, table        # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

UCUM = "http://unitsofmeasure.org"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def person(key, **more):
    return {"resourceType": "Patient", "id": key, **more}


def observation(key, **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "8867-4"}]}, **more}


def named(key, family, *given, **more):
    return person(key, name=[{"family": family, "given": list(given), **more}
                             if given else {"family": family, **more}])


@both("strings: prefix, exact, contains; case and accents; escapes")
def _(s):
    plant(s, named("a", "Müller", "Zoë", "Anna Maria"),
          named("b", "MULLER", "Max"), named("c", "Mullery"),
          named("d", "van der Berg", "Åsa"), named("e", "O'Neil, Jr"),
          person("f", address=[{"line": ["Währinger Straße 1"],
                                "city": "Wien", "postalCode": "1010",
                                "country": "AT", "use": "home"}]),
          person("g", name=[{"text": "Frau Öztürk", "prefix": ["Frau"],
                             "suffix": ["MSc"]}]),
          named("h", "李", "小龙"), named("i", "50% \\ $1|x"))
    table(s, "Patient", """
        family=müller                   a b c
        family=muller                   a b c
        family=MÜLLER                   a b c
        family=mullery                  c
        family=ullery                   -
        family=mueller                  -
        family:exact=Müller             a
        family:exact=müller             -
        family:exact=Muller             -
        family:exact=MULLER             b
        family:exact=Müll               -
        family:contains=ller            a b c
        family:contains=LLERY           c
        family:contains=üll             a b c
        family:contains=mullerys        -
        family=van                      d
        family=van der                  d
        family=VAN DER BERG             d
        family=van+der                  d
        family=berg                     -
        family:contains=berg            d
        given=asa                       d
        given=zoe                       a
        given=anna                      a
        given=maria                     -
        given:contains=maria            a
        given=anna m                    a
        given=zoe&given=anna            a
        given=zoe&given=max             -
        given=zoe,max                   a b
        given=,max                      !400
        given=zoe,                      !400
        family=muller&given=max         b
        family=muller&family=mullery    c
        family=muller,van&given=asa     d
        family=o'neil                   e
        family=o'neil\\, jr             e
        family:exact=O'Neil\\, Jr       e
        family=o'neil,jr                e
        family=jr                       -
        family=50%25                    i
        family=50%25 \\\\ \\$1\\|x      i
        family:exact=50%25 \\\\ \\$1\\|x  i
        family=李                       h
        given=小                        h
        given:contains=龙               h
        name=muller                     a b c
        name=zoe                        a
        name=frau                       g
        name=ozturk                     -
        name:contains=ozturk            g
        name=msc                        g
        name:exact=MSc                  g
        name=muller&name=max            b
        address=wien                    f
        address=wahringer               f
        address=währinger strasse       f
        address:contains=STRASSE        f
        address:contains=straße 1       f
        address-city=WI                 f
        address-city:exact=Wien         f
        address-city:exact=wien         -
        address-postalcode=10           f
        address-postalcode=1011         -
        address-country=at              f
        address-use=home                f
        family:missing=true             f g
        family:missing=false            a b c d e h i
        given:missing=true&name:missing=false  c e g i
        family:missing=maybe            !400
        family:nonsense=x               !400
        family:Patient=x                !400
        nonsense=x                      !400
        nonsense:exact=x                !400
        family=                         a b c d e f g h i
        family=&given=                  a b c d e f g h i
        family:exact=&given=max         b
        """)


@both("a criterion with two hundred values; and with too many")
def _(s):
    plant(s, named("a", "Zwanzig"), named("b", "Dreißig"))
    others = ",".join(f"nobody{i}" for i in range(198))
    for query in (f"family={others},zwanzig", f"family={others},dreissig",
                  f"family={others},zwanzig,dreissig"):
        for post in (False, True):
            r = ask(s, "/Patient", query + f"&_tag={s.key}", post=post)
            equal(labels(s, entries(r)),
                  [n for n, word in (("a", "zwanzig"), ("b", "dreissig"))
                   if query.count(word)], query[-30:])
    ids = ",".join(s.id(f"x{i}") for i in range(199))
    r = ask(s, "/Patient", f"_id={ids},{s.id('a')}", post=True)
    equal(labels(s, entries(r)), ["a"], "ids")
    r = ask(s, "/Patient", "family=" + ",".join(["x"] * 1001), post=True)
    equal(r.status, 400, "1001 values")
    check("1000" in r.issue()["diagnostics"], "says how many")
    r = ask(s, "/Patient", "&".join(["family=x"] * 251), post=True)
    equal(r.status, 400, "251 parameters")


@both("tokens: systems, codes, negation, types of identifiers, text")
def _(s):
    plant(s,
          person("a", gender="male", active=True, identifier=[{
              "system": "urn:mrn", "value": "12345", "type": {"coding": [
                  {"system": V2, "code": "MR"}], "text": "Krankenakte"}}],
                 deceasedBoolean=False, telecom=[
                     {"system": "phone", "value": "+43 1 5550100"},
                     {"system": "email", "value": "a@example.org"}],
                 communication=[{"language": {"coding": [
                     {"system": "urn:ietf:bcp:47", "code": "de"}],
                     "text": "Deutsch"}}]),
          person("b", gender="female", active=False,
                 identifier=[{"value": "12345"}], deceasedDateTime="2020",
                 telecom=[{"system": "email", "value": "B@example.org"}]),
          person("c", gender="other", identifier=[
              {"system": "urn:mrn", "value": "12|3,4$5\\6"}]),
          person("d", identifier=[{"system": "urn:mrn"}]),
          person("e", meta={"profile": ["http://example.org/p|1"],
                            "source": "http://example.org/source",
                            "security": [{"system": "urn:sec", "code": "R"}],
                            "tag": [{"code": "bare"}]}))
    table(s, "Patient", f"""
        identifier=12345                a b
        identifier=urn:mrn|12345        a
        identifier=|12345               b
        identifier=urn:mrn|             a c d
        identifier=urn:other|           -
        identifier=urn:other|12345      -
        identifier=1234                 -
        identifier=|                    !400
        identifier=urn:mrn|12345,|12345  a b
        identifier=urn:mrn|12\\|3\\,4\\$5\\\\6  c
        identifier=12\\|3\\,4\\$5\\\\6  c
        identifier=12|3                 -
        identifier:not=12345            c d e
        identifier:not=urn:mrn|12345    b c d e
        identifier:not=urn:mrn|         b e
        identifier:not=12345,urn:mrn|   e
        identifier:missing=true         e
        identifier:missing=false        a b c d
        identifier:of-type={V2}|MR|12345  a
        identifier:of-type={V2}|MR|1234  -
        identifier:of-type={V2}|SS|12345  -
        identifier:of-type={V2}|MR      !400
        identifier:of-type=MR|12345     !400
        identifier:exact=12345          !400
        gender=male                     a
        gender=MALE                     -
        gender=http://hl7.org/fhir/administrative-gender|male  a
        gender=http://hl7.org/fhir/administrative-gender|MALE  -
        gender=http://hl7.org/fhir/observation-status|male  -
        gender:not=http://hl7.org/fhir/administrative-gender|male  b c d e
        gender=http://hl7.org/fhir/administrative-gender|  a b c
        gender:not=http://hl7.org/fhir/administrative-gender|  d e
        gender=male,http://hl7.org/fhir/administrative-gender|  a b c
        gender=http://hl7.org/fhir/observation-status|  -
        gender=male,http://hl7.org/fhir/observation-status|  a
        gender:not=http://hl7.org/fhir/observation-status|  a b c d e
        gender=male,female              a b
        gender=male&gender=female       -
        gender=|male                    a
        gender:not=male                 b c d e
        gender:not=male,female          c d e
        gender:missing=true             d e
        gender=nonsense                 -
        active=true                     a
        active=false                    b
        active:missing=true             c d e
        deceased=true                   b
        deceased=false                  a c d e
        phone=+43 1 5550100             -
        phone=%2B43 1 5550100           a
        email=a@example.org             a
        telecom=a@example.org           a
        telecom:not=a@example.org       b c d e
        language=de                     a
        language=urn:ietf:bcp:47|de     a
        language:text=deu               a
        _tag=bare&_id=<e>               e
        _tag=|bare&_id=<e>              e
        _tag:not=|bare&_id=<e>          -
        _security=urn:sec|R             e
        _security=R                     e
        _security:not=R                 a b c d
        _profile=http://example.org/p|1  e
        _profile=http://example.org/p   e
        _profile:below=http://example.org  e
        _profile=http://example.org     -
        _source=http://example.org/source  e
        _source=http://example.org      -
        _id=<a>                         a
        _id=<a>,<b>                     a b
        _id=<a>&_id=<a>                 a
        _id=<a>&_id=<b>                 -
        _id=nobody                      -
        _id=a_b                         !400
        """)


@both("dates: precision, prefixes, leap days, time zones, periods")
def _(s):
    def born(key, date):
        return person(key, birthDate=date) if date else person(key)

    plant(s, *(born(k, d) for k, d in (
        ("a", "1980"), ("b", "1980-02"), ("c", "1980-02-29"),
        ("d", "1980-03-01"), ("e", "1979-12-31"), ("f", None))))
    table(s, "Patient", """
        birthdate=1980                  a b c d
        birthdate=1980-02               b c
        birthdate=1980-02-29            c
        birthdate=1980-02-28            -
        birthdate=eq1980-02-29          c
        birthdate=ne1980                e
        birthdate=ne1980-02             a d e
        birthdate=gt1980-02-29          a d
        birthdate=lt1980-02-29          a b e
        birthdate=ge1980-02-29          a c d
        birthdate=le1980-02-29          a b c e
        birthdate=sa1980-02             d
        birthdate=eb1980-02             e
        birthdate=eb1980                e
        birthdate=sa1979                a b c d
        birthdate=ap1980-02-29          a b c d e
        birthdate=ap1900-01-01          -
        birthdate=ge1980&birthdate=lt1981  a b c d
        birthdate=1979,1980-03          d e
        birthdate=ge1980-03,eb1980      a d e
        birthdate=1980-03-01T00:00Z     -
        birthdate=lt1980-03-01T00:00:00Z  a b c e
        birthdate:missing=true          f
        birthdate:missing=false         a b c d e
        birthdate=1980-02-30            !400
        birthdate=1981-02-29            !400
        birthdate=1980-13               !400
        birthdate=80                    !400
        birthdate=xx1980                !400
        birthdate=1980-2                !400
        birthdate=1980-02-29T25:00Z     !400
        birthdate:exact=1980            !400
        """)


@both("dates: times, zones and periods")
def _(s):
    plant(s, *(observation(key, **{f"effective{kind}": value})
               for key, kind, value in (
        ("a", "DateTime", "2023-03-10T12:00:00Z"),
        ("b", "DateTime", "2023-03-10T12:00:00+02:00"),
        ("c", "DateTime", "2023-03-10"),
        ("d", "Period", {"start": "2023-03-09T22:00:00Z",
                         "end": "2023-03-10T02:00:00Z"}),
        ("e", "Period", {"start": "2023-03-10T05:00:00Z"}),
        ("f", "Instant", "2023-03-10T12:00:00.500Z"),
        ("g", "DateTime", "2024-02-29T23:30:00-05:00"))),
          observation("h"))
    table(s, "Observation", """
        date=2023-03-10                 a b c f
        date=2023-03                    a b c d f
        date=2023-03-10T12:00:00Z       a f
        date=2023-03-10T12:00Z          a f
        date=2023-03-10T12:00           a f
        date=2023-03-10T12:00:00.500Z   f
        date=2023-03-10T12:00:00.000Z   -
        date=2023-03-10T14:00:00%2B02:00  a f
        date=2023-03-10T14:00:00+02:00  !400
        date=2023-03-10T10:00Z          b
        date=2023-03-10T07:00-05:00     a f
        date=ge2023-03-10T11:00Z        a c e f g
        date=lt2023-03-10               d
        date=gt2023-03-10               e g
        date=sa2023-03-10T04:00Z        a b e f g
        date=eb2023-03-10T03:00Z        d
        date=ne2023-03-10               d e g
        date=le2023-03-09               -
        date=le2023-03-10T02:00:00Z     c d
        date=2024-03-01                 g
        date=2024-02-29                 -
        date=2024-02-29T23:30:00-05:00  g
        date=2024-02-29T23:30-05:00     g
        date=2024-03-01T04:30Z          g
        date=2024                       g
        date:missing=true               h
        date=ge2023-03-10T00:00Z&date=lt2023-03-11  a b c d e f
        """)


@both("dates: from and until")
def _(s):
    plant(s, *(observation(key, **{f"effective{kind}": value})
               for key, kind, value in (
        ("a", "DateTime", "2023-03-10T12:00:00Z"),
        ("b", "DateTime", "2023-03-10"),
        ("c", "DateTime", "2023-03"),
        ("d", "Period", {"start": "2020", "end": "2024"}),
        ("e", "Period", {"start": "2023-03-09"}),
        ("f", "Period", {"end": "2023-03-10"}),
        ("g", "DateTime", "2023-03-11"),
        ("h", "Period", {"start": "2023-03-09T13:00:00Z",
                         "end": "2023-03-10T12:59:59Z"}))),
          observation("i"))
    table(s, "Observation", """
        date=ge2023-03-10&date=lt2023-03-11  a b c d e
        date=lt2023-03-11&date=ge2023-03-10  a b c d e
        date=gt2023-03-09&date=lt2023-03-10  c d e f h
        date=sa2023-03-09&date=eb2023-03-11  a b
        date=2023-03&date=gt2023-03-10       c g
        date=lt2023-03-10&date=ge2023-03-09T12:00Z  c d e f h
        date=le2023-03-10&date=ge2023-03-10  a b c d e
        date=ap2023-03-10&date=eb2023-03-12  a b f g h
        date=ge2023-03-10&date=ge2023-03-11  c d e g
        date=ge2023-03-11&date=lt2023-03-10  c d e
        date=ge2023-03-10&date=lt2023-03-11&date=sa2023-03-09  a b
        date=ge2023-03-10&date=lt2023-03-11&code=8867-4  a b c d e
        date=ge2023-03-10&date=lt2023-03-11&code=1  -
        date=ge2023-03-10,2023-03-09&date=lt2023-03-11  a b c d e
        date=ge2023-03-10&date=ne2023-03-10  c d e g
        """)


@both("dates: of a day, of a second more, without an end")
def _(s):
    plant(s, *(observation(key, effectivePeriod=dict(zip(
        ("start", "end"), period)))
               for key, *period in (
        ("day", "2023-03-10T00:00:00Z", "2023-03-10T23:59:59Z"),
        ("more", "2023-03-10T00:00:00Z", "2023-03-11T00:00:00Z"),
        ("long", "2023-03-09T23:59:59Z", "2023-03-10T23:59:59Z"),
        ("before", "2023-03-09T00:00:00Z", "2023-03-09T23:59:59Z"),
        ("after", "2023-03-11T00:00:00Z", "2023-03-11T23:59:59Z"),
        ("open", "2023-03-10T00:00:00Z"))),
          observation("until", effectivePeriod={
              "end": "2023-03-10T23:59:59Z"}))
    table(s, "Observation", """
        date=2023-03-10                 day
        date=ne2023-03-10               more long before after open until
        date=gt2023-03-10               more after open
        date=gt2023-03-09               day more long after open until
        date=gt2023-03-11               open
        date=lt2023-03-10               long before until
        date=lt2023-03-09               until
        date=ge2023-03-10               day more after open
        date=ge2023-03-11               after open
        date=le2023-03-10               day long before until
        date=le2023-03-09               before until
        date=sa2023-03-09               day more after open
        date=sa2023-03-10               after
        date=eb2023-03-10               before
        date=eb2023-03-11               day long before until
        date=gt2023-03-10T23:59:58Z     day more long after open until
        date=gt2023-03-10T23:59:59Z     more after open
        date=gt2023-03-11T00:00:00Z     after open
        date=eb2023-03-11T00:00:00Z     day long before until
        date=eb2023-03-11T00:00:01Z     day more long before until
        date=gt2023-03-10,gt2023-03-11  more after open
        date=gt2023-03-10,eb2023-03-10  more before after open
        date=ne2023-03-10,ne2023-03-11  day more long before after open until
        date=ge2023-03-10&date=lt2023-03-11  day more open
        date=gt2023-03-09&date=eb2023-03-11  day long until
        date=gt2023-03-10&date=sa2023-03-10  after
        """)


@both("_lastUpdated", compare=False)
def _(s):
    plant(s, person("a"))
    plant(s, person("b"))
    stamps = [s.get(f"/Patient/{s.id(k)}", note=False).json()["meta"]
              ["lastUpdated"] for k in ("a", "b")]
    first, second = (stamp.replace("+", "%2B") for stamp in stamps)
    table(s, "Patient", f"""
        _lastUpdated={first}            a
        _lastUpdated={second}           b
        _lastUpdated=gt{first}          b
        _lastUpdated=ge{first}          a b
        _lastUpdated=lt{second}         a
        _lastUpdated=le{second}         a b
        _lastUpdated=sa{first}          b
        _lastUpdated=eb{second}         a
        _lastUpdated=ne{first}          b
        _lastUpdated=gt2000             a b
        _lastUpdated=lt2000             -
        _lastUpdated=gt2999             -
        _lastUpdated={first},{second}   a b
        _lastUpdated=yesterday          !400
        """)


@both("numbers: precision, prefixes, exponents")
def _(s):
    def risk(key, value):
        return ('{"resourceType":"RiskAssessment","id":"%s","status":"final",'
                '"meta":{"tag":[{"system":"urn:example:case","code":"%s"}]},'
                '"subject":{"reference":"Patient/%s"}%s}'
                % (s.id(key), s.key, s.id("p"),
                   ',"prediction":[{"probabilityDecimal":%s}]' % value
                   if value else ""))

    for key, value in (("a", "0.80"), ("b", "0.8"), ("c", "0.85"),
                       ("d", "0.75"), ("e", "0.849"), ("f", "1"), ("g", "")):
        # as text: what was written is not what Python would write
        equal(s.put(f"/RiskAssessment/{s.id(key)}", risk(key, value),
                    note=False).status, 201, key)
    table(s, "RiskAssessment", """
        probability=0.8                 a b d e
        probability=0.80                a b
        probability=0.850               c
        probability=.8                  !400
        probability=gt0.8               c e f
        probability=ge0.8               a b c e f
        probability=lt0.8               d
        probability=le0.8               a b d
        probability=ne0.8               c f
        probability=8e-1                a b d e
        probability=80e-2               a b
        probability=ap0.8               a b c d e
        probability=1                   a b c d e f
        probability=1.0                 f
        probability=100e-2              f
        probability=-1                  -
        probability=gt-1                a b c d e f
        probability=0.75,1.0            d f
        probability=ge0.8&probability=lt0.85  a b e
        probability:missing=true        g
        probability:missing=false       a b c d e f
        probability=abc                 !400
        probability=1..2                !400
        probability=1e999999            !400
        probability=                    a b c d e f g
        probability:exact=1             !400
        """)


@both("quantities: units that can be compared, units as written")
def _(s):
    def amount(value, code=None, unit=None, **more):
        return {"valueQuantity": {
            "value": value, **({"system": UCUM, "code": code} if code else {}),
            **({"unit": unit} if unit else {}), **more}}

    plant(s, observation("a", **amount(5.4, "mg")),
          observation("b", **amount(0.0054, "g")),
          observation("c", **amount(5.5, "mg")),
          observation("d", **amount(5400, "ug")),
          observation("e", **amount(5.4, unit="mg")),
          observation("f", **amount(5.4, "kPa")),
          observation("g", **amount(5, "mg", comparator="<")),
          observation("h"))
    table(s, "Observation", f"""
        value-quantity=5.4|{UCUM}|mg    a b d
        value-quantity=5.40|{UCUM}|mg   a b d
        value-quantity=5|{UCUM}|mg      a b d
        value-quantity=5400|{UCUM}|ug   a b d
        value-quantity=0.0054|{UCUM}|g  a b d
        value-quantity=5.4              a e f
        value-quantity=5.4||mg          a e
        value-quantity=gt5.4|{UCUM}|mg  c
        value-quantity=ge5.4|{UCUM}|mg  a b c d
        value-quantity=lt5.4|{UCUM}|mg  g
        value-quantity=le5.4|{UCUM}|mg  a b d g
        value-quantity=le0.0054|{UCUM}|g  a b d g
        value-quantity=4.9|{UCUM}|mg    -
        value-quantity=lt5|{UCUM}|mg    g
        value-quantity=ap5.3|{UCUM}|mg  a b c d g
        value-quantity=40.5|{UCUM}|mm[Hg]  f
        value-quantity=5.4|{UCUM}|kPa   f
        value-quantity=5.4|{UCUM}|nonsense  -
        value-quantity=5.4|urn:other|mg  -
        value-quantity=5.4|{UCUM}|mg,5.4|{UCUM}|kPa  a b d f
        value-quantity:missing=true     h
        value-quantity=x|{UCUM}|mg      !400
        value-quantity=5.4|mg           !400
        """)


@both("uris: exact, above, below")
def _(s):
    def value_set(key, url):
        return {"resourceType": "ValueSet", "id": key, "status": "active",
                "url": url}

    base = "http://example.org/<key>/fhir"
    plant(s, value_set("a", base + "/ValueSet/a"),
          value_set("b", base + "/ValueSet/a/b"),
          value_set("c", "urn:oid:1.2.3"),
          {"resourceType": "ValueSet", "id": "d", "status": "draft"})
    table(s, "ValueSet", f"""
        url={base}/ValueSet/a           a
        url={base}/ValueSet/A           -
        url={base}/ValueSet             -
        url={base}/ValueSet/a,urn:oid:1.2.3  a c
        url:below={base}                a b
        url:below={base}/ValueSet/a     a b
        url:below={base}/ValueSet/a/b   b
        url:below={base}/Value          -
        url:above={base}/ValueSet/a/b   a b
        url:above={base}/ValueSet/a/b/c  a b
        url:above={base}/ValueSet/a     a
        url:missing=true                d
        url=urn:oid:1.2.3               c
        url:exact=urn:oid:1.2.3         !400
        """)


@both("references: forms, types, identifiers, what is not ours")
def _(s):
    def about(key, **subject):
        return observation(key, subject=subject)

    plant(s, person("p"), person("q"),
          {"resourceType": "Group", "id": "p", "type": "person",
           "actual": True},
          about("a", reference="Patient/<p>"),
          about("b", reference="Group/<p>"),
          about("c", reference="Patient/<q>/_history/1"),
          about("d", reference="https://other.example/fhir/Patient/<p>"),
          about("e", identifier={"system": "urn:mrn", "value": "77"},
                display="Frau Müller"),
          observation("f"))
    base = s.stand.base(s.server)
    table(s, "Observation", f"""
        subject=Patient/<p>             a
        subject=Group/<p>               b
        subject=<p>                     a b
        subject:Patient=<p>             a
        subject:Group=<p>               b
        subject:Device=<p>              -
        subject=Patient/<q>             c
        subject={base}/Patient/<p>      a
        subject=https://other.example/fhir/Patient/<p>  d
        subject:identifier=urn:mrn|77   e
        subject:identifier=77           e
        subject:identifier=urn:mrn|     e
        subject:identifier=urn:mrn|78   -
        subject:text=frau               e
        subject=Patient/<p>,Group/<p>   a b
        subject:missing=true            f
        subject:missing=false           a b c d e
        patient=<p>                     a
        patient=Patient/<p>             a
        patient=Patient/<p>,<q>         a c
        subject=Patient/nobody          -
        subject=x_y                     !400
        subject:Nonsense=<p>            !400
        patient:Group=<p>               !400
        """)


def coded(code, **more):
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, **more}


def kilo(value, code="mm[Hg]"):
    return {"valueQuantity": {"value": value, "system": UCUM, "code": code}}


@both("composites")
def _(s):
    def one(key, code, **more):
        return {"resourceType": "Observation", "id": key, "status": "final",
                **coded(code), **more}

    plant(s, one("a", "8480-6", **kilo(140)), one("b", "8480-6", **kilo(110)),
          one("c", "8462-4", **kilo(140)),
          one("d", "85354-9", component=[coded("8480-6", **kilo(150)),
                                         coded("8462-4", **kilo(95))]),
          one("e", "85354-9", component=[coded("8480-6", **kilo(95)),
                                         coded("8462-4", **kilo(150))]),
          one("f", "80288-4", valueCodeableConcept={"coding": [
              {"system": "urn:v", "code": "yes"}]}),
          one("g", "80288-4", valueString="Ja, natürlich"),
          one("h", "8480-6", valueDateTime="2023-05-06"))
    table(s, "Observation", f"""
        code-value-quantity={LOINC}|8480-6$gt120  a
        code-value-quantity=8480-6$gt120          a
        code-value-quantity=8480-6$110            b
        code-value-quantity=8480-6$gt120|{UCUM}|mm[Hg]  a
        code-value-quantity=8480-6$gt16|{UCUM}|kPa  a
        code-value-quantity=8480-6$gt120,8462-4$gt120  a c
        code-value-quantity=urn:other|8480-6$gt120  -
        component-code-value-quantity=8480-6$gt120  d
        component-code-value-quantity=8462-4$gt120  e
        component-code-value-quantity=8480-6$150&component-code-value-quantity=8462-4$95  d
        combo-code-value-quantity=8480-6$gt120    a d
        combo-code-value-quantity=8480-6$lt100    e
        code-value-concept=80288-4$urn:v|yes      f
        code-value-concept=80288-4$yes            f
        code-value-concept=80288-4$no             -
        code-value-string=80288-4$ja\\, nat       g
        code-value-string=80288-4$nat             -
        code-value-date=8480-6$2023               h
        code-value-date=8480-6$gt2023-05-06       -
        code-value-quantity=8480-6                !400
        code-value-quantity=8480-6$               !400
        code-value-quantity=8480-6$x              !400
        """)


@both("places: how near they are")
def _(s):
    def place(key, *position):
        return {"resourceType": "Location", "id": key,
                **({"position": dict(zip(("latitude", "longitude"),
                                         position))} if position else {})}

    plant(s, place("a", 48.2082, 16.3738), place("b", 48.1486, 17.1077),
          place("c", -33.8688, 151.2093), place("d"),
          place("e", 0.0, 179.99), place("f", 0.0, -179.99))
    table(s, "Location", """
        near=48.2082|16.3738|1|km       a
        near=48.2082|16.3738|100|km     a b
        near=48.2082|16.3738|60000|m    a b
        near=48.2082|16.3738|30|[mi_us]  a
        near=0|180|5|km                 e f
        near=0|-180|5|km                e f
        near=-33.8688|151.2093|1|km     c
        near=48.2082|16.3738|1|km,-33.8688|151.2093|1|km  !400
        near=90|0|1|km                  -
        near=-90|180|1|km               -
        near=x|0|1|km                   !400
        near=90.1|0|1|km                !400
        near=-91|0                      !400
        near=0|180.001|1|km             !400
        near=0|-200|1|km                !400
        near=0|0|-1|km                  !400
        near=0|0|1|kg                   !400
        """)


@both("words of the narrative and of the whole")
def _(s):
    def told(key, text, family):
        return person(key, name=[{"family": family}], text={
            "status": "generated", "div":
            f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'})

    plant(s, told("a", "<p>Chronic <b>cough</b> since May</p>", "Abel"),
          told("b", "No cough", "Chronic"), person("c"))
    table(s, "Patient", """
        _text=cough                     a b
        _text=chronic cough             a
        _text=cough chronic             a
        _text=COUGH                     a b
        _text=cough,may                 a b
        _text=abel                      -
        _text=nothing                   -
        _content=chronic                a b
        _content=abel                   a
        _content=abel cough             a
        """)


@both("what is contained is not searched by itself")
def _(s):
    plant(s, person("a", contained=[{"resourceType": "Organization",
                                     "id": "o", "name": "Inside"}],
                    managingOrganization={"reference": "#o"}))
    table(s, "Patient", """
        _id=<a>&_contained=false        a
        _id=<a>&_containedType=container  a
        _contained=true                 !400
        _contained=both                 !400
        _containedType=contained        !400
        organization.name=inside        a
        """)


main()
