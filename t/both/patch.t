#!/usr/bin/python3
"""PATCH: by JSON Patch and by FHIRPath Patch, alone, under a condition and in
Bundles."""

import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, patient                            # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

JSON = ("Content-Type", "application/json-patch+json")


def refused(r, status):
    equal(r.status, status, "status")
    return r.issue().get("diagnostics", "")


def rename(family):
    return [{"op": "replace", "path": "/name/0/family", "value": family}]


def fhirpath(path, **value):
    return {"resourceType": "Parameters", "parameter": [{
        "name": "operation", "part": [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": path},
            {"name": "value", **value}]}]}


def family(r):
    return r.json()["name"][0]["family"]


def mrn(value):
    return f"identifier=urn:example:mrn|{value}"


@both("JSON Patch makes the next version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    r = s.patch(f"/Patient/{key}", rename("Two"), headers=[JSON])
    equal((r.status, family(r), r.get("ETag")), (200, "Two", 'W/"2"'),
          "patched")
    check(r.get("Content-Location").endswith("/_history/2"), "place")
    equal(family(s.get(f"/Patient/{key}")), "Two", "now")
    equal(family(s.get(f"/Patient/{key}/_history/1")), "One", "then")
    equal(len(s.get(f"/Patient?family=Two&_id={key}").json()["entry"]), 1,
          "is found anew")


@both("FHIRPath Patch makes the next version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    r = s.patch(f"/Patient/{key}",
                fhirpath("Patient.name[0].family", valueString="Two"))
    equal((r.status, family(r), r.get("ETag")), (200, "Two", 'W/"2"'),
          "patched")


XML = ("Content-Type", "application/xml-patch+xml")


@both("XML Patch makes the next version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    diff = ('<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Patient/'
            'f:name/f:family/@value">%s</replace></diff>')
    r = s.patch(f"/Patient/{key}", diff % "Two", headers=[XML])
    equal((r.status, family(r), r.get("ETag")), (200, "Two", 'W/"2"'),
          "patched")
    r = s.patch(f"/Patient/{key}", diff % "Two", headers=[XML])
    equal((r.status, r.get("ETag")), (200, 'W/"2"'), "nothing to change")
    refused(s.patch(f"/Patient/{key}", "<diff", headers=[XML]), 400)
    refused(s.patch(f"/Patient/{key}", (diff % "x").replace("family", "no"),
                    headers=[XML]), 422)


@both("FHIRPath Patch in XML")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    body = ('<Parameters xmlns="http://hl7.org/fhir"><parameter><name value='
            '"operation"/><part><name value="type"/><valueCode value='
            '"replace"/></part><part><name value="path"/><valueString value='
            '"Patient.name[0].family"/></part><part><name value="value"/>'
            '<valueString value="Two"/></part></parameter></Parameters>')
    r = s.patch(f"/Patient/{key}", body,
                headers=[("Content-Type", "application/fhir+xml")])
    equal((r.status, family(r)), (200, "Two"), "patched")


@both("a patch that changes nothing makes no version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    r = s.patch(f"/Patient/{key}", [{"op": "test", "path": "/name/0/family",
                                     "value": "One"}], headers=[JSON])
    equal((r.status, family(r), r.get("ETag")), (200, "One", 'W/"1"'),
          "as it was")


@both("numbers that are not touched keep their lexemes")
def _(s):
    key = s.id("o")
    s.put(f"/Observation/{key}",
          '{"resourceType":"Observation","id":"%s","status":"final","code":'
          '{"text":"x"},"valueQuantity":{"value":1.500e1}}' % key)
    r = s.patch(f"/Observation/{key}", [{"op": "replace", "path": "/status",
                                         "value": "amended"}], headers=[JSON])
    check(b'"value":1.500e1}' in r.body, r.body)


@both("what cannot be patched: 404, 410, and a withheld one looks the same")
def _(s):
    none, gone, hidden = s.id("n"), s.id("g"), s.id("h")
    s.seed(patient(gone), patient(hidden), consent(s.id("c"), hidden))
    s.delete(f"/Patient/{gone}")
    equal(refused(s.patch(f"/Patient/{none}", rename("x"), headers=[JSON]),
                  404), f"Patient/{none} is not known", "none")
    refused(s.patch(f"/Patient/{gone}", rename("x"), headers=[JSON]), 410)
    equal(refused(s.patch(f"/Patient/{hidden}", rename("x"), headers=[JSON]),
                  404), f"Patient/{hidden} is not known", "withheld")


@both("If-Match guards a patch")
def _(s):
    key = s.id("p")
    refused(s.patch(f"/Patient/{key}", rename("x"),
                    headers=[JSON, ("If-Match", 'W/"1"')]), 412)
    s.put(f"/Patient/{key}", patient(key))
    refused(s.patch(f"/Patient/{key}", rename("x"),
                    headers=[JSON, ("If-Match", 'W/"7"')]), 412)
    equal(s.patch(f"/Patient/{key}", rename("x"),
                  headers=[JSON, ("If-Match", 'W/"1"')]).status, 200, "right")


@both("a patch that is wrong, or cannot be applied")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    url = f"/Patient/{key}"
    for patch, status in (
            ({}, 400), ("[", 400), ([{"op": "x"}], 400),
            ([{"op": "remove", "path": "/none"}], 422),
            ([{"op": "test", "path": "/name/0/family", "value": "?"}], 422),
            ([{"op": "replace", "path": "/id", "value": "other"}], 422),
            ([{"op": "remove", "path": "/id"}], 422),
            ([{"op": "replace", "path": "/resourceType",
               "value": "Observation"}], 400)):
        refused(s.patch(url, patch, headers=[JSON]), status)
    refused(s.patch(url, fhirpath("Patient.nonsense", valueString="x")), 422)
    refused(s.patch(url, {"resourceType": "Patient"}), 400)
    equal(s.get(url).get("ETag"), 'W/"1"', "nothing changed")


@both("another media type is 415 and says which are served")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    for kind in ("text/plain", "application/merge-patch+json"):
        r = s.patch(f"/Patient/{key}", rename("x"),
                    headers=[("Content-Type", kind)])
        refused(r, 415)
        check("application/json-patch+json" in r.get("Accept-Patch"), "types")


@both("conditional patch: none, one, several")
def _(s):
    value = s.id("u")
    url = "/Patient?" + mrn(value)
    refused(s.patch(url, rename("Two"), headers=[JSON]), 404)
    s.post("/Patient", patient("x", value=value))
    r = s.patch(url, rename("Two"), headers=[JSON])
    equal((r.status, family(r)), (200, "Two"), "one")
    s.post("/Patient", patient("x", value=value))
    refused(s.patch(url, rename("Three"), headers=[JSON]), 412)
    refused(s.patch("/Patient", rename("x"), headers=[JSON]), 412)


@both("scopes: a patch is an update")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    refused(s.patch(f"/Patient/{key}", rename("x"), headers=[JSON],
                    token=s.token("system/*.crds")), 403)


@both("patches in a transaction and in a batch")
def _(s):
    a, b = s.id("a"), s.id("b")
    s.seed(patient(a, "One"), patient(b, "One"))
    binary = {"resourceType": "Binary",
              "contentType": "application/json-patch+json",
              "data": base64.b64encode(json.dumps(rename("Two")).encode()
                                       ).decode()}
    for n, kind in enumerate(("transaction", "batch")):
        r = s.post("", {"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": binary,
             "request": {"method": "PATCH", "url": f"Patient/{a}"}},
            {"resource": fhirpath("Patient.name[0].family",
                                  valueString=f"Two{n}"),
             "request": {"method": "PATCH", "url": f"Patient/{b}"}}]})
        equal(r.status, 200, r.body[:300])
        equal([e["response"]["status"] for e in r.json()["entry"]],
              ["200 OK", "200 OK"], kind)
        equal(family(s.get(f"/Patient/{a}")), "Two", "Binary")
        equal(family(s.get(f"/Patient/{b}")), f"Two{n}", "Parameters")
    binary["data"] = "*"
    r = s.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": binary,
         "request": {"method": "PATCH", "url": f"Patient/{a}"}}]})
    equal(r.status, 400, "no base64")
    check("Bundle.entry[0].resource.data" in r.body.decode(), r.body)


main()
