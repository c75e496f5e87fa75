#!/usr/bin/python3
"""Where hie.yaml says so: the server alone gives ids, and a reference that
leads nowhere is let pass with a warning."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import observation, patient                        # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402


@both("PUT updates, and does not create")
def _(s):
    key = s.id("p")
    r = s.put(f"/Patient/{key}", patient(key))
    equal(r.status, 405, "status")
    check(r.get("Allow"), "Allow")
    equal(r.issue()["code"], "not-supported", "code")
    made = s.post("/Patient", patient("x")).json()
    equal(s.put(f"/Patient/{made['id']}", made).status, 200, "update")
    s.delete(f"/Patient/{made['id']}")
    equal(s.put(f"/Patient/{made['id']}", made).status, 201, "brought back")


@both("conditional update without a match")
def _(s):
    url = f"/Patient?identifier={s.id('u')}"
    equal(s.put(url, patient(s.id("p"))).status, 405, "with an id")
    p = patient("x", value=s.id("u"))
    del p["id"]
    equal(s.put(url, p).status, 201, "without")


@both("a transaction is no way around it")
def _(s):
    key = s.id("p")
    r = s.post("", {"resourceType": "Bundle", "type": "transaction",
                    "entry": [{"resource": patient(key), "request": {
                        "method": "PUT", "url": f"Patient/{key}"}}]})
    equal(r.status, 405, "status")
    check("Bundle.entry[0]" in str(r.json()), r.json())


@both("a reference that leads nowhere is a warning")
def _(s):
    prefer = [("Prefer", "return=OperationOutcome")]
    r = s.post("/Observation", observation("x", s.id("none")), headers=prefer)
    equal(r.status, 201, "status")
    equal([(i["severity"], i["code"]) for i in r.json()["issue"]],
          [("information", "informational"), ("warning", "not-found")],
          "issues")
    check("Observation.subject.reference" in r.body.decode(), r.body)
    key = s.post("/Patient", patient("x")).json()["id"]
    r = s.post("/Observation", observation("x", key), headers=prefer)
    equal(len(r.json()["issue"]), 1, "one that leads somewhere")
    r = s.delete(f"/Patient/{key}", headers=prefer)
    equal(r.status, 200, "deleted all the same")
    equal(len(r.json()["issue"]), 2, "with a warning")


main(started(own_stand("ids", fhir="""\
  update_create: false
  references: warn
""")))
