#!/usr/bin/python3
"""Chains lead into contained resources (R4 section 3.1.1.5.5), and nothing
else finds these."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC, consent                              # noqa: E402
from hie.search import (TAG, ask, entries, labels, named,        # noqa: E402
                        plant, table, tagged, walk)
from hie.tap import both, check, equal, main                     # noqa: E402

UCUM = "http://unitsofmeasure.org"
JSON_PATCH = ("Content-Type", "application/json-patch+json")
FRIEND = "Organization/friend"


def ref(kind, key):
    return {"reference": f"{kind}/<{key}>"}


def concept(code, text=None):
    return {"coding": [{"system": "urn:codes", "code": code}],
            **({"text": text} if text else {})}


def inside(kind, key, **more):
    return {"resourceType": kind, "id": key, **more}


def patient(key, family):
    return {"resourceType": "Patient", "id": key,
            "name": [{"family": family}]}


def request(key, medication=None, contained=(), subject="p", **more):
    """A MedicationRequest, of a medication that stands somewhere."""
    return {"resourceType": "MedicationRequest", "id": key,
            "status": "active", "intent": "order",
            "subject": ref("Patient", subject),
            **({"contained": list(contained)} if contained else {}),
            **({"medicationReference": medication} if medication else
               {"medicationCodeableConcept": concept("A")}), **more}


def medication(code, key="m", text=None, **more):
    """Contained; with the tag of the case, by which it would be found."""
    return inside("Medication", key, code=concept(code, text), meta={"tag": [
        {"system": TAG, "code": "<key>"},
        {"system": "urn:inner", "code": "red-<key>"}]}, **more)


HERE = {"reference": "#m"}


def dispense(key, prescription, **more):
    return {"resourceType": "MedicationDispense", "id": key,
            "status": "completed", "medicationCodeableConcept": concept("X"),
            "authorizingPrescription": [ref("MedicationRequest",
                                            prescription)], **more}


def pharmacy(s):
    """Medications as resources of their own, contained, contained and made by
    somebody who is contained as well, and one that nothing searches for."""
    plant(s, {"resourceType": "Organization", "id": "acme", "name": "Acme"},
          {"resourceType": "Organization", "id": "beta", "name": "Beta",
           "partOf": ref("Organization", "acme")},
          patient("p", "Open"), patient("q", "Hidden"),
          inside("Medication", "med", code=concept("A", "Aspirin tablets"),
                 manufacturer=ref("Organization", "beta"),
                 batch={"lotNumber": "L2", "expirationDate": "2022-02-02"}),
          request("a", HERE, [medication(
              "A", text="Aspirin syrup", manufacturer=ref("Organization",
                                                          "acme"),
              identifier=[{"system": "urn:i", "value": "1"}],
              batch={"lotNumber": "L1", "expirationDate": "2021-01-01"})]),
          request("b", HERE, [
              medication("B", manufacturer={"reference": "#o"}),
              inside("Organization", "o", name="Inner",
                     partOf=ref("Organization", "acme"))]),
          request("c", ref("Medication", "med")),
          request("d"),
          request("e", HERE, [medication("E"), medication("F", "other")],
                  supportingInformation=[{"reference": "#other"}]),
          dispense("x", "a"), dispense("y", "b"), dispense("z", "c"))


@both("from containers, to what else is contained, and on to resources")
def _(s):
    pharmacy(s)
    table(s, "MedicationRequest", """
        medication.code=A               a c
        medication.code=urn:codes|A     a c
        medication:Medication.code=A    a c
        medication.code=B               b
        medication.code=E               e
        medication.code=F               -
        medication.code=urn:other|A     -
        medication.code=A,B             a b c
        medication.code=A&medication.code=B  -
        medication.code:not=A           b e
        medication.code:text=aspirin    a c
        medication.code:text=aspirin s  a
        medication.identifier=urn:i|1   a
        medication.identifier:missing=true  b c e
        medication.identifier:missing=false  a
        medication.lot-number=l1        a
        medication.lot-number=L2        c
        medication.expiration-date=2021  a
        medication.expiration-date=ge2021  a c
        medication.expiration-date:missing=true  b e
        medication._tag=urn:inner|red-<key>  a b e
        medication.manufacturer=Organization/<acme>  a
        medication.manufacturer=<beta>  c
        medication.manufacturer:missing=true  e
        medication.manufacturer.name=acme  a
        medication.manufacturer.name=inner  b
        medication.manufacturer.name:contains=nne  b
        medication.manufacturer.name:exact=Inner  b
        medication.manufacturer.partof=<acme>  b c
        medication.manufacturer.partof.name=acme  b c
        medication.manufacturer._id=<acme>  a
        medication.manufacturer:below=<acme>  a c
        medication._id=m                -
        medication._id=<med>            c
        medication._id=<a>              -
        medication._id=MedicationRequest/<a>#m  !400
        medication._lastUpdated=gt2000  c
        medication._content=syrup       a
        medication._content=inner       -
        medication._has:MedicationRequest:medication:status=active  a b c e
        medication._has:MedicationRequest:medication:_id=<a>  a
        medication:missing=true         d
        medication=#m                   -
        """)
    table(s, "MedicationDispense", """
        prescription.medication.code=A  x z
        prescription.medication.code=B  y
        prescription.medication.code:not=A  y
        prescription.medication.manufacturer.name=inner  y
        prescription.medication.manufacturer.name=acme,beta  x z
        prescription.medication.lot-number=l1&status=completed  x
        prescription.medication.code=A&prescription.patient.family=open  x z
        """)


@both("_filter, codes of a value set")
def _(s):
    pharmacy(s)
    plant(s, {"resourceType": "ValueSet", "id": "vs", "status": "active",
              "url": "http://example.org/vs/<key>", "compose": {"include": [
                  {"system": "urn:codes", "concept": [{"code": "A"},
                                                      {"code": "E"}]}]}})
    table(s, "MedicationRequest", """
        medication.code:in=http://example.org/vs/<key>  a c e
        medication.code:in=ValueSet/<vs>  a c e
        medication.code:not-in=http://example.org/vs/<key>  b
        _filter=medication.code eq A    a c
        _filter=medication.code ne A    b e
        _filter=not (medication.code eq A)  b d e
        _filter=medication.code eq A and medication.lot-number eq L1  a
        _filter=medication.code eq B or medication.lot-number eq L2  b c
        _filter=medication[code eq A].lot-number eq L1  a
        _filter=medication[code eq B].manufacturer.name sw "inn"  b
        _filter=medication[_lastUpdated gt 2000 or code eq B].code pr true  b c
        _filter=medication.identifier pr false  b c e
        """)


@both("_sort by what is contained", compare=False)
def _(s):
    pharmacy(s)
    table(s, "MedicationRequest", """
        medication.lot-number:missing=false&_sort=medication.lot-number  a c
        medication.lot-number:missing=false&_sort=-medication.lot-number  c a
        medication:missing=false&_sort=medication.code  a c b e
        medication:missing=false&_sort=-medication.code  e b c a
        medication:missing=false&_sort=medication:Medication.code  a c b e
        medication:missing=false&_sort=medication.lot-number  a c b e
        medication:missing=false&_sort=medication  c a b e
        medication:missing=false&_sort=medication._id  c a b e
        medication:missing=false&_sort=medication._lastUpdated  c a b e
        medication.manufacturer:missing=false&_sort=medication.manufacturer  \
a c b
        """, ordered=True)
    path = (f"/MedicationRequest?_tag={TAG}|{s.key}&_sort=-medication.code"
            "&medication:missing=false&_count=1")
    equal(walk(s, path, note=False), [["e"], ["b"], ["c"], ["a"]], "pages")


def report(key):
    return {
        "resourceType": "DiagnosticReport", "id": key, "status": "final",
        "code": {"text": "report"}, "result": [{"reference": "#o"}],
        "contained": [
            {"resourceType": "Observation", "id": "o", "status": "final",
             "code": {"coding": [{"system": LOINC, "code": "A"}]},
             "effectiveDateTime": "2023-01-01",
             "valueQuantity": {"value": 5.4, "system": UCUM, "code": "mg"},
             "hasMember": [{"reference": "#n"}]},
            {"resourceType": "Observation", "id": "n", "status": "amended",
             "code": {"coding": [{"system": LOINC, "code": "B"}]},
             "subject": ref("Patient", "p"), "valueString": "Lorem ipsum",
             "derivedFrom": [{"reference": "#s"}]},
            {"resourceType": "MolecularSequence", "id": "s",
             "coordinateSystem": 0, "variant": [{"start": 5}]}]}


@both("values of all kinds")
def _(s):
    plant(s, patient("p", "Open"), report("r"), {
        "resourceType": "DiagnosticReport", "id": "other", "status": "final",
        "code": {"text": "report"}})
    table(s, "DiagnosticReport", f"""
        result.code={LOINC}|A           r
        result.code=B                   -
        result.status=final             r
        result.status:not=final         -
        result.date=2023                r
        result.date=gt2023-01-01        -
        result.value-quantity=5.4       r
        result.value-quantity=gt5000|{UCUM}|ug  r
        result.value-quantity=lt5||mg   -
        result.code-value-quantity=A$gt5|{UCUM}|mg  r
        result.code-value-quantity={LOINC}|A$5.4  r
        result.code-value-quantity=B$gt5  -
        result.combo-code=A             r
        result.has-member.status=amended  r
        result.has-member.value-string=lorem  r
        result.has-member.patient.family=open  r
        result.has-member.derived-from:MolecularSequence.variant-start=5  r
        result.has-member.derived-from:MolecularSequence.variant-start=gt5  -
        result:Observation.has-member:missing=false  r
        result:missing=true             other
        """)


@both("by canonical, and back to the container")
def _(s):
    plant(s, patient("p", "Open"), inside(
              "Questionnaire", "stored", status="active", title="Stored",
              url="http://example.org/q/<key>"),
          *({"resourceType": "QuestionnaireResponse", "id": key,
             "status": "completed", "questionnaire": url, **more}
            for key, url, more in (
                ("own", "#q", {"contained": [inside(
                    "Questionnaire", "q", status="draft", title="Own",
                    url="http://example.org/q/<key>")]}),
                ("by-url", "http://example.org/q/<key>", {}),
                ("nowhere", "#q", {}))),
          {"resourceType": "Encounter", "id": "e", "status": "finished",
           "class": {"code": "AMB"}, "subject": ref("Patient", "p"),
           "partOf": {"reference": "#in"}, "contained": [
               {"resourceType": "Encounter", "id": "in", "status": "planned",
                "class": {"code": "IMP"}, "partOf": {"reference": "#"}}]},
          {"resourceType": "Encounter", "id": "f", "status": "finished",
           "class": {"code": "AMB"}, "partOf": ref("Encounter", "e")})
    table(s, "QuestionnaireResponse", """
        questionnaire.title=own         own
        questionnaire.title=stored      by-url
        questionnaire.status=draft,active  by-url own
        questionnaire.url=http://example.org/q/<key>  by-url own
        questionnaire.title:missing=false  by-url own
        questionnaire._id=q             -
        questionnaire._has:QuestionnaireResponse:questionnaire:_id=<own>  own
        questionnaire._has:QuestionnaireResponse:questionnaire:_id=<by-url>  \
by-url
        _filter=questionnaire.title eq "Own"  own
        """)
    table(s, "Questionnaire", """
        url=http://example.org/q/<key>  stored
        _has:QuestionnaireResponse:questionnaire:status=completed  stored
        """)
    table(s, "Encounter", """
        part-of.status=planned          e
        part-of.part-of._id=<e>         e
        part-of.part-of.patient.family=open  e
        part-of.part-of.status=planned  f
        part-of.part-of.part-of.status=finished  f
        _has:Encounter:part-of:status=planned  -
        _has:Encounter:part-of:status=finished  e
        _has:Encounter:part-of:_id=<f>  e
        """)


def everything(s, path):
    """Ids, of all pages."""
    out = []
    while path:
        r = s.get(path, note=False)
        equal(r.status, 200, f"{path}: {r}")
        out += [e["resource"]["id"] for e in r.json().get("entry", [])]
        more = [x["url"] for x in r.json()["link"] if x["relation"] == "next"]
        path = more[0].split("/fhir", 1)[1] if more else None
    return sorted(labels(s, out))


@both("what is contained is found by nothing else", compare=False)
def _(s):
    pharmacy(s)
    table(s, "Medication", """
        code=A                          med
        code=B                          -
        code:missing=false              med
        _lastUpdated=gt2000             med
        lot-number=l1                   -
        manufacturer.name=acme,inner    -
        manufacturer:missing=false      med
        _has:MedicationRequest:medication:status=active  med
        _id=m,o,<a>,<med>               med
        _content=aspirin                med
        _tag=urn:inner|red-<key>        -
        """)
    table(s, "Organization", """
        name=inner                      -
        partof=<acme>                   beta
        name:missing=false              acme beta
        _has:Medication:manufacturer:code=A  beta
        _has:Medication:manufacturer:code=B  -
        _has:Medication:manufacturer:_id=<med>  beta
        _has:Organization:partof:name=inner  -
        _has:Medication:manufacturer:_has:MedicationRequest:medication:\
status=active  beta
        """)
    table(s, "", """
        _lastUpdated=gt2000             a acme b beta c d e med p q x y z
        _type=Medication,Organization&_lastUpdated=gt2000  acme beta med
        _type=Medication,MedicationRequest&_id=m,<med>  med
        """)
    table(s, named(s, "Patient/<p>/*"), """
        _lastUpdated=gt2000             a b c d e p
        """)
    equal(everything(s, f"/Patient/{s.id('p')}/$everything"),
          ["a", "acme", "b", "c", "d", "e", "med", "p"], "everything")
    equal(everything(s, f"/Patient/{s.id('p')}/$everything?_count=3"),
          ["a", "acme", "b", "c", "d", "e", "med", "p"], "page by page")


@both("nor in totals, nor beside matches, nor by its place", compare=False)
def _(s):
    pharmacy(s)
    tag = f"_tag={TAG}|{s.key}"
    for more in ("_summary=count", "_total=accurate", "_total=estimate",
                 "_count=0"):
        for kind, total in (("Medication", 1), ("Organization", 2),
                            ("MedicationRequest", 5)):
            r = ask(s, f"/{kind}", f"{tag}&{more}")
            equal((r.status, r.json()["total"]), (200, total), more)
    r = ask(s, "/Medication", f"{tag}&_total=none")
    equal(r.json().get("total", 1), 1, "_total=none")

    for kind, query, wanted in (
            ("MedicationRequest", "_include=MedicationRequest:medication",
             ["med"]),
            ("MedicationRequest", "_include=MedicationRequest:medication:"
             "Medication&_include:iterate=Medication:manufacturer",
             ["beta", "med"]),
            ("MedicationRequest", "_include=MedicationRequest:*",
             ["med", "p"]),
            ("MedicationRequest", "_include=*", ["med", "p"]),
            ("MedicationRequest", "_include:iterate=*",
             ["acme", "beta", "med", "p"]),
            ("MedicationRequest", "_revinclude=*", ["x", "y", "z"]),
            ("Organization", "_revinclude=Medication:manufacturer", ["med"]),
            ("Organization", "_revinclude=*", ["med"]),
            ("Organization", "_revinclude:iterate=*",
             ["c", "med", "z"]),
            ("Patient", "_revinclude=*", ["a", "b", "c", "d", "e"]),
            ("Patient", "_revinclude=MedicationRequest:patient&"
             "_include:iterate=MedicationRequest:medication",
             ["a", "b", "c", "d", "e", "med"])):
        for post in (False, True):
            r = ask(s, f"/{kind}", f"{tag}&{query}", post=post)
            equal(r.status, 200, query)
            equal(sorted(labels(s, entries(r, "include"))), wanted, query)

    for path in ("/%23Medication", "/%23Medication/m",
                 f"/%23Medication/MedicationRequest%2F{s.id('a')}%23m",
                 f"/Medication/MedicationRequest%2F{s.id('a')}%23m",
                 f"/MedicationRequest/{s.id('a')}%23m",
                 "/%23Medication/_history"):
        check(s.get(path, note=False).status in (400, 404), path)
    r = s.get("/_history?_count=1000", note=False, token=s.admin())
    check(not [e["fullUrl"] for e in r.json()["entry"]
               if "#" in e["fullUrl"]], "history of the system")
    r = s.get("/Medication/_history?_count=1000", note=False,
              token=s.admin())
    equal([e["resource"]["id"] for e in r.json()["entry"]
           if s.key in e["fullUrl"]], [s.id("med")], "history of a type")
    # a label that a resource of the type had before
    inner = [{"system": "urn:inner", "code": f"red-{s.key}"}]
    for more in ({"meta": {"tag": inner}}, {}):
        s.seed({"resourceType": "Medication", "id": s.id("labelled"), **more})
    for place in ("", "/Medication"):
        r = s.get(f"{place}/$meta", note=False)
        check(r.status == 200 and f"red-{s.key}" not in r.body.decode(),
              "$meta")


def found(s, query, token=None, kind="MedicationRequest"):
    r = ask(s, f"/{kind}", named(s, f"{query}&_tag={TAG}|{s.key}"),
            token=token, note=False)
    equal(r.status, 200, f"{query}: {r}")
    return sorted(labels(s, entries(r)))


@both("from the write on: update, patch, delete, transaction, conditions",
      compare=False)
def _(s):
    place = f"/MedicationRequest/{s.id('a')}"
    plant(s, patient("p", "Open"),
          {"resourceType": "Organization", "id": "acme", "name": "Acme"})

    def put(code, status, **more):
        r = s.put(place, tagged(s, request("a", HERE, [medication(
            code, **more)])), note=False)
        equal(r.status, status, r)

    def codes():
        return [c for c in ("N1", "N2", "N3", "N4")
                if found(s, f"medication.code={c}")]

    def patch(*steps):
        r = s.patch(place, list(steps), headers=[JSON_PATCH], note=False)
        equal(r.status, 200, r)

    put("N1", 201)
    equal(codes(), ["N1"], "create")
    put("N2", 200, batch={"lotNumber": "L9"})
    equal(codes(), ["N2"], "update")
    equal(found(s, "medication.lot-number=L9"), ["a"], "more than before")
    patch({"op": "replace", "path": "/contained/0/code/coding/0/code",
           "value": "N3"}, {"op": "remove", "path": "/contained/0/batch"})
    equal(codes(), ["N3"], "patch")
    equal(found(s, "medication.lot-number=L9"), [], "less than before")
    equal(found(s, "medication.lot-number:missing=true"), ["a"], ":missing")
    r = s.put(place, tagged(s, request("a")), note=False)
    equal((r.status, codes()), (200, []), "no more contained")
    put("N1", 200, manufacturer=ref("Organization", "acme"))
    equal(codes(), ["N1"], "again")
    equal(s.delete(place, note=False).status, 204, "delete")
    equal((codes(), found(s, "medication.manufacturer.name=acme")), ([], []),
          "deleted")
    put("N4", 201)
    equal(codes(), ["N4"], "after the deletion")
    equal(found(s, "medication.manufacturer:missing=true"), ["a"],
          "what was there before the deletion")

    urn = "urn:uuid:7b0e1a5e-2f0c-4f0f-9f58-0d0f6a3c0a01"
    for kind in ("transaction", "batch"):
        made = tagged(s, request(kind, HERE, [medication(
            "T-" + kind, manufacturer={"reference": urn})]))
        if kind == "batch":
            made["contained"][0]["manufacturer"] = {
                "reference": f"Organization/{s.id('acme')}"}
        r = s.post("", {"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": made, "request": {
                "method": "PUT",
                "url": f"MedicationRequest/{made['id']}"}},
            {"fullUrl": urn, "resource": tagged(s, {
                "resourceType": "Organization", "id": "new", "name": "New"}),
             "request": {"method": "POST", "url": "Organization"}}]},
            token=s.admin(), note=False)
        equal(r.status, 200, r)
        equal(found(s, f"medication.code=T-{kind}"), [kind], kind)
    equal(found(s, "medication.manufacturer.name=new"), ["transaction"],
          "a resource of the same list")
    equal(found(s, "medication.manufacturer.name=acme"), ["batch"], "batch")

    query = f"medication.code=N4&_tag={TAG}|{s.key}"
    r = s.post("/MedicationRequest", tagged(s, request("b")),
               headers=[("If-None-Exist", query)], note=False)
    equal(r.status, 200, "it exists")
    r = s.delete(f"/MedicationRequest?{query}", note=False)
    equal((r.status, codes()), (204, []), "conditional delete")


@both("who may not see the container sees nothing of it", compare=False)
def _(s):
    plant(s, patient("p", "Open"), patient("q", "Hidden"),
          {"resourceType": "Organization", "id": "acme", "name": "Acme"},
          request("a", HERE, [medication("S", batch={"lotNumber": "L1"})]),
          request("f", HERE, [medication(
              "S", manufacturer={"reference": "#o"}, batch={
                  "lotNumber": "L0"}), inside("Organization", "o",
                                              name="Inner")],
                  subject="q"),
          dispense("x", "a"), dispense("y", "f"))
    s.seed(consent(s.id("no"), s.id("q"), permit=[FRIEND]))
    others = (s.token(), s.token(organizations=["Organization/other"]))
    friends = (s.token(organizations=[FRIEND]), s.admin())
    cases = [("MedicationRequest", q, a, b) for q, a, b in (
        ("medication.code=S", ["a"], ["a", "f"]),
        ("medication.code:not=X", ["a"], ["a", "f"]),
        ("medication.lot-number=L0", [], ["f"]),
        ("medication.manufacturer.name=inner", [], ["f"]),
        ("medication.manufacturer:missing=false", [], ["f"]),
        ("_filter=medication.lot-number eq L0", [], ["f"]),
        ("_sort=medication.lot-number", ["a"], ["a", "f"]))]
    cases += [("MedicationDispense", q, a, b) for q, a, b in (
        ("prescription.medication.code=S", ["x"], ["x", "y"]),
        ("prescription.medication.code:not=X", ["x"], ["x", "y"]),
        ("prescription.medication.lot-number=L0", [], ["y"]),
        ("prescription.medication.manufacturer.name=inner", [], ["y"]),
        ("prescription.medication.manufacturer:missing=false", [], ["y"]),
        ("_filter=prescription.medication.lot-number eq L0", [], ["y"]),
        ("_filter=not (prescription.medication.lot-number eq L0)",
         ["x", "y"], ["x"]))]

    def all_of(tokens):
        return [[(kind, query, found(s, query, token, kind))
                 for kind, query, _, _ in cases] for token in tokens]

    for hidden in (True, False):
        wanted = [(k, q, a if hidden else b) for k, q, a, b in cases]
        for said in all_of(others if hidden else friends):
            equal(said, wanted, "hidden" if hidden else "seen")
    # the same as if it were not there
    before = all_of(others)
    equal(s.delete(f"/MedicationRequest/{s.id('f')}", token=s.admin(),
                   note=False).status, 204, "delete")
    equal(all_of(others), before, "without it")
    s.seed(tagged(s, request("f", HERE, [medication("S")], subject="p")))
    equal(found(s, "medication.code=S", others[0]), ["a", "f"],
          "of another patient")


@both("more than has a place", compare=False)
def _(s):
    contained = [{"resourceType": "Observation", "id": f"o{i}",
                  "status": "final", "code": {"coding": [
                      {"system": LOINC, "code": f"C{i}"}]}}
                 for i in range(1003)]
    plant(s, {"resourceType": "List", "id": "l", "status": "current",
              "mode": "working", "contained": contained, "entry": [
                  {"item": {"reference": f"#o{i}"}} for i in range(1003)]})
    table(s, "List", """
        item:Observation.code=C0        l
        item:Observation.code=C999      l
        item:Observation.code=C1000     -
        item:Observation.code=C1002     -
        """)


main()
