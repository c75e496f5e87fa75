#!/usr/bin/python3
"""Where hie.yaml says so: references must lead somewhere, what is referred to
stays, and one condition may delete several."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, observation, patient        # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402


def refused(r, status, code=None):
    equal(r.status, status, "status")
    said = r.issue()
    if code:
        equal(said["code"], code, "code")
    return said


def transaction(*entries):
    return {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": m, "url": u}} | ({"resource": r} if r else {})
        for m, u, r in entries]}


@both("a reference to what is not there: 422, naming the place")
def _(s):
    o, key = s.id("o"), s.id("none")
    said = refused(s.put(f"/Observation/{o}", observation(o, key)), 422)
    equal(said["expression"], ["Observation.subject.reference"], "place")
    equal(s.get(f"/Observation/{o}").status, 404, "not written")
    other = observation(o, key)
    other["subject"] = {"display": "x"}
    other["performer"] = [{"display": "y"},
                          {"reference": f"Organization/{key}"}]
    said = refused(s.post("/Observation", other), 422)
    equal(said["expression"], ["Observation.performer[1].reference"], "place")
    said = refused(s.post("", transaction(
        ("POST", "Patient", patient("x")), ("POST", "Observation", other))),
        422)
    equal(said["expression"],
          ["Bundle.entry[1].resource.performer[1].reference"], "entry")


@both("references elsewhere, contained, logical: not our business")
def _(s):
    o = observation("x", "x")
    o["subject"] = {"reference": "http://elsewhere.example/fhir/Patient/1"}
    o["performer"] = [{"reference": "urn:uuid:"
                       "11111111-1111-4111-8111-111111111111"},
                      {"reference": "#p"}, {"display": "z"}]
    o["contained"] = [{"resourceType": "Practitioner", "id": "p"}]
    equal(s.post("/Observation", o).status, 201, "status")


@both("both ends in one transaction, in any order")
def _(s):
    p, o = s.id("p"), s.id("o")
    r = s.post("", transaction(
        ("PUT", f"Observation/{o}", observation(o, p)),
        ("PUT", f"Patient/{p}", patient(p))))
    equal(r.status, 200, r.body[:300])
    r = s.post("", transaction(("DELETE", f"Observation/{o}", None),
                               ("DELETE", f"Patient/{p}", None)))
    equal(r.status, 200, r.body[:300])


@both("a deleted or a withheld target looks like one that never was")
def _(s):
    gone, hidden, none = s.id("g"), s.id("h"), s.id("n")
    s.seed(patient(gone), patient(hidden), consent(s.id("c"), hidden))
    s.delete(f"/Patient/{gone}")
    said = [refused(s.post("/Observation", observation("x", key)), 422)
            for key in (gone, hidden, none)]
    check(said[0] == said[1] == said[2], said)


@both("what is referred to is not deleted, until it is no more")
def _(s):
    p, o = s.id("p"), s.id("o")
    s.seed(patient(p), observation(o, p))
    said = refused(s.delete(f"/Patient/{p}"), 409, "conflict")
    check(f"Patient/{p}" in said["diagnostics"], said)
    equal(s.get(f"/Patient/{p}").status, 200, "kept")
    changed = observation(o, p)
    del changed["subject"]
    s.put(f"/Observation/{o}", changed)
    equal(s.delete(f"/Patient/{p}").status, 204, "delete")


@both("any element that refers counts")
def _(s):
    org, p = s.id("org"), s.id("p")
    s.seed({"resourceType": "Organization", "id": org, "name": "x"},
           patient(p, contact=[{"name": {"text": "y"}, "extension": [
               {"url": "urn:x", "valueReference":
                {"reference": f"Organization/{org}"}}]}]))
    refused(s.delete(f"/Organization/{org}"), 409)
    s.delete(f"/Patient/{p}")
    equal(s.delete(f"/Organization/{org}").status, 204, "delete")


@both("what is contained refers as its container does")
def _(s):
    def request(org):
        return {"resourceType": "MedicationRequest", "id": s.id("r"),
                "status": "active", "intent": "order",
                "subject": {"display": "x"},
                "medicationReference": {"reference": "#m"}, "contained": [
                    {"resourceType": "Medication", "id": "m",
                     "code": {"text": "x"}, "manufacturer": {
                         "reference": f"Organization/{org}"}}]}

    org, place = s.id("org"), f"/MedicationRequest/{s.id('r')}"
    said = refused(s.put(place, request(org)), 422)
    equal(said["expression"], ["MedicationRequest.contained[0].manufacturer"
                               ".reference"], "place")
    s.seed({"resourceType": "Organization", "id": org, "name": "x"})
    equal(s.put(place, request(org)).status, 201, "written")
    equal(found(s.get("/MedicationRequest?medication.manufacturer._id="
                      + org)), [s.id("r")], "found")
    refused(s.delete(f"/Organization/{org}"), 409, "conflict")
    # who refers to what is contained stands in the same resource
    other = {"resourceType": "Encounter", "id": s.id("e"),
             "status": "finished", "class": {"code": "AMB"},
             "partOf": {"reference": "#in"}, "contained": [
                 {"resourceType": "Encounter", "id": "in",
                  "status": "planned", "class": {"code": "IMP"},
                  "partOf": {"reference": "#"}}]}
    equal(s.put(f"/Encounter/{s.id('e')}", other).status, 201, "written")
    equal(s.delete(f"/Encounter/{s.id('e')}").status, 204, "deleted")
    equal(s.delete(place).status, 204, "deleted")
    equal(s.delete(f"/Organization/{org}").status, 204, "nobody refers")


@both("a condition deletes several, up to the limit")
def _(s):
    def make(n, value):
        return [s.post("/Patient", patient("x", value=value)).json()["id"]
                for _ in range(n)]

    few, many = s.id("few"), s.id("many")
    keys = make(3, few)
    r = s.delete(f"/Patient?identifier={few}",
                 headers=[("Prefer", "return=OperationOutcome")])
    equal(r.status, 200, "status")
    check("3 resources" in r.issue()["diagnostics"], r.issue())
    for key in keys:
        equal(s.get(f"/Patient/{key}").status, 410, "deleted")
    make(6, many)
    said = refused(s.delete(f"/Patient?identifier={many}"), 412)
    check("5" in said["diagnostics"], said)
    equal(len(found(s.get(f"/Patient?identifier={many}"))), 6, "all there")
    rows = s.audit(12)
    equal([r["resources"] for r in rows if r["interaction"] == "delete"],
          ["3", "0"], "records")


main(started(own_stand("policy", fhir="""\
  references: enforce
  conditional_delete: multiple
  delete_limit: 5
""")))
