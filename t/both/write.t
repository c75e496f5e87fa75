#!/usr/bin/python3
"""Writes of single resources: delete, and what is done under a condition."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, observation, patient        # noqa: E402
from hie.rowkey import row_key                                   # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def refused(r, status, code=None):
    equal(r.status, status, "status")
    said = r.issue()
    if code:
        equal(said["code"], code, "code")
    return said.get("diagnostics", "")


def family(r):
    return r.json()["name"][0]["family"]


def mrn(value):
    return f"identifier=urn:example:mrn|{value}"


@both("delete: 204, then 410; twice is the same")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    r = s.delete(f"/Patient/{key}")
    equal((r.status, r.body, r.get("ETag")), (204, b"", 'W/"2"'), "delete")
    refused(s.get(f"/Patient/{key}"), 410, "deleted")
    equal(s.get(f"/Patient/{key}/_history/1").status, 200, "version 1")
    refused(s.get(f"/Patient/{key}/_history/2"), 410, "deleted")
    equal(found(s.get(f"/Patient?_id={key}")), [], "search")
    again = s.delete(f"/Patient/{key}")
    equal((again.status, again.get("ETag")), (204, 'W/"2"'), "again")


@both("delete of what never was is 204 too")
def _(s):
    key = s.id("none")
    r = s.delete(f"/Patient/{key}")
    equal((r.status, r.body, r.get("ETag")), (204, b"", None), "delete")
    refused(s.get(f"/Patient/{key}"), 404)


@both("what was deleted is brought back as the next version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    s.delete(f"/Patient/{key}")
    r = s.put(f"/Patient/{key}", patient(key, "Three"))
    equal((r.status, r.get("ETag")), (201, 'W/"3"'), "again")
    equal(family(s.get(f"/Patient/{key}")), "Three", "now")
    equal(family(s.get(f"/Patient/{key}/_history/1")), "One", "then")
    equal(found(s.get(f"/Patient?_id={key}")), [key], "search")


@both("delete with Prefer: return=OperationOutcome is 200")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    prefer = [("Prefer", "return=OperationOutcome")]
    for text in ("deleted", "nothing to delete"):
        r = s.delete(f"/Patient/{key}", headers=prefer)
        equal(r.status, 200, "status")
        equal(r.issue()["severity"], "information", "severity")
        check(text in r.issue()["diagnostics"], r.issue())


@both("If-Match guards update and delete, also of what is not there")
def _(s):
    key = s.id("p")
    stale, right = [("If-Match", 'W/"1"')], [("If-Match", 'W/"2"')]
    refused(s.put(f"/Patient/{key}", patient(key), headers=stale), 412,
            "conflict")
    refused(s.delete(f"/Patient/{key}", headers=stale), 412)
    s.put(f"/Patient/{key}", patient(key, "One"))
    s.put(f"/Patient/{key}", patient(key, "Two"))
    refused(s.delete(f"/Patient/{key}", headers=stale), 412)
    refused(s.put(f"/Patient/{key}", patient(key), headers=stale), 412)
    equal(family(s.get(f"/Patient/{key}")), "Two", "kept")
    equal(s.delete(f"/Patient/{key}", headers=right).status, 204, "right")
    refused(s.delete(f"/Patient/{key}", headers=right), 412)
    refused(s.put(f"/Patient/{key}", patient(key), headers=right), 412)


@both("If-None-Match: * on PUT creates only")
def _(s):
    key = s.id("p")
    none = [("If-None-Match", "*")]
    equal(s.put(f"/Patient/{key}", patient(key, "One"), headers=none).status,
          201, "new")
    refused(s.put(f"/Patient/{key}", patient(key, "Two"), headers=none), 412)
    equal(family(s.get(f"/Patient/{key}")), "One", "kept")
    s.delete(f"/Patient/{key}")
    equal(s.put(f"/Patient/{key}", patient(key), headers=none).status, 201,
          "deleted")


@both("Prefer: return of update and create")
def _(s):
    key = s.id("p")
    for prefer, wanted in (("return=minimal", None),
                           ("return=representation", "Patient"),
                           ("respond-async, return=OperationOutcome",
                            "OperationOutcome")):
        for r in (s.put(f"/Patient/{key}", patient(key),
                        headers=[("Prefer", prefer)]),
                  s.post("/Patient", patient("x"),
                         headers=[("Prefer", prefer)])):
            check(r.status in (200, 201), r)
            check(r.get("ETag"), "ETag")
            equal(r.json()["resourceType"] if r.body else None, wanted,
                  prefer)


@both("conditional create: however the condition is written")
def _(s):
    value = s.id("u")
    first = s.post("/Patient", patient("x", value=value),
                   headers=[("If-None-Exist", mrn(value))])
    equal(first.status, 201, "first")
    for condition in (mrn(value), "?" + mrn(value), "Patient?" + mrn(value),
                      mrn(value).replace("|", "%7C").replace(":", "%3a"),
                      mrn(value) + "&family=nobody", f"identifier={value}",
                      "family=probe&" + mrn(value), "_id=" +
                      first.json()["id"]):
        p = patient("x", "Other", value=value)
        r = s.post("/Patient", p, headers=[("If-None-Exist", condition)])
        if "nobody" in condition:
            equal(r.status, 201, "one of another name is another one")
            s.delete(f"/Patient/{r.json()['id']}")
            continue
        equal((r.status, r.json()["id"]), (200, first.json()["id"]),
              condition)
        equal(family(r), "Probe", "as it is")
        equal(r.get("ETag"), 'W/"1"', "ETag")


@both("conditional create: a condition that is none")
def _(s):
    for condition, status in (("", 412), ("_format=json", 412),
                              ("nonsense=1", 400), ("identifier=%zz", 400),
                              ("_count=1", 400)):
        r = s.post("/Patient", patient("x"),
                   headers=[("If-None-Exist", condition)])
        equal(r.status, status, repr(condition))


@both("a condition takes the scope of a search")
def _(s):
    value = s.id("u")
    may_not = s.token("system/Patient.cud")
    refused(s.post("/Patient", patient("x"), token=may_not,
                   headers=[("If-None-Exist", mrn(value))]), 403)
    refused(s.put("/Patient?" + mrn(value), patient("x"), token=may_not), 403)
    refused(s.delete("/Patient?" + mrn(value), token=may_not), 403)
    equal(s.post("/Patient", patient("x"), token=may_not).status, 201,
          "without")


@both("conditional update: none, one, several")
def _(s):
    value = s.id("u")
    p = patient("x", "One", value=value)
    del p["id"]
    one = s.put("/Patient?" + mrn(value), p)
    equal(one.status, 201, "none, no id: create")
    key = one.json()["id"]
    p["name"][0]["family"] = "Two"
    two = s.put("/Patient?" + mrn(value), p)
    equal((two.status, two.json()["id"], two.get("ETag")),
          (200, key, 'W/"2"'), "one, no id: update")
    p["id"] = key
    equal(s.put("/Patient?" + mrn(value), p).get("ETag"), 'W/"3"',
          "one, its id")
    p["id"] = s.id("other")
    refused(s.put("/Patient?" + mrn(value), p), 400)
    s.post("/Patient", patient("x", value=value))
    refused(s.put("/Patient?" + mrn(value), p), 412)


@both("conditional update: none, with an id")
def _(s):
    value, key = s.id("u"), s.id("p")
    r = s.put("/Patient?" + mrn(value), patient(key, "One", value=value))
    equal((r.status, r.json()["id"]), (201, key), "update as create")
    taken = s.id("taken")
    s.put(f"/Patient/{taken}", patient(taken))
    refused(s.put("/Patient?" + mrn(value + "-2"),
                  patient(taken, "Two", value=value + "-2")), 409)
    equal(family(s.get(f"/Patient/{taken}")), "Probe", "kept")


@both("conditional update: If-Match and If-None-Match")
def _(s):
    value = s.id("u")
    p = patient("x", value=value)
    del p["id"]
    url = "/Patient?" + mrn(value)
    refused(s.put(url, p, headers=[("If-Match", 'W/"1"')]), 412)
    equal(s.put(url, p, headers=[("If-None-Match", "*")]).status, 201, "new")
    refused(s.put(url, p, headers=[("If-None-Match", "*")]), 412)
    equal(s.put(url, p, headers=[("If-Match", 'W/"1"')]).status, 200, "right")
    refused(s.put(url, p, headers=[("If-Match", 'W/"1"')]), 412)


@both("conditional delete: one, none, several")
def _(s):
    value = s.id("u")
    equal(s.delete("/Patient?" + mrn(value)).status, 204, "none")
    key = s.post("/Patient", patient("x", value=value)).json()["id"]
    r = s.delete("/Patient?" + mrn(value))
    equal((r.status, r.get("ETag")), (204, 'W/"2"'), "one")
    refused(s.get(f"/Patient/{key}"), 410)
    for _ in range(2):
        s.post("/Patient", patient("x", value=value))
    refused(s.delete("/Patient?" + mrn(value)), 412)
    equal(len(found(s.get("/Patient?" + mrn(value)))), 2, "both are there")
    refused(s.delete("/Patient"), 412)
    refused(s.delete("/Patient?nonsense=1"), 400)


@both("a write of what is withheld changes nothing and tells nothing")
def _(s):
    key, value = s.id("p"), s.id("u")
    s.seed(patient(key, value=value), consent(s.id("c"), key))
    mine = s.id("none")
    hidden, absent = (s.delete(f"/Patient/{k}") for k in (key, mine))
    equal((hidden.status, hidden.body), (204, b""), "delete")
    equal([(n, v) for n, v in hidden.headers if n.lower() != "date"],
          [(n, v) for n, v in absent.headers if n.lower() != "date"],
          "headers")
    equal(s.delete("/Patient?" + mrn(value)).status, 204, "by condition")
    refused(s.put(f"/Patient/{key}", patient(key, "Changed")), 404)
    for k in (key, mine):
        refused(s.put(f"/Patient/{k}", patient(k),
                      headers=[("If-Match", 'W/"1"')]), 412)
    r = s.get(f"/Patient/{key}", token=s.admin())
    equal((r.status, r.get("ETag")), (200, 'W/"1"'), "kept")
    rows = s.audit(6)
    equal([r["decision"] for r in rows],
          ["deny", "permit", "permit", "deny", "deny", "permit"],
          "the record knows")


@both("the record names what was written and whose it is")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    s.delete(f"/Patient/{key}")
    rows = s.audit(2)
    equal([(r["interaction"], r["resource_id"], r["status"], r["resources"])
           for r in rows],
          [("update", key, "201", "1"), ("delete", key, "204", "1")],
          "records")
    check(rows[0]["patients"] == rows[1]["patients"] != "{}", "patients")


@both("a Consent that is deleted withholds no more")
def _(s):
    key, c = s.id("p"), s.id("c")
    s.seed(patient(key), consent(c, key))
    refused(s.get(f"/Patient/{key}"), 404)
    equal(s.delete(f"/Consent/{c}", token=s.admin()).status, 204, "delete")
    equal(s.get(f"/Patient/{key}").status, 200, "read")


@both("scopes of delete and update")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    refused(s.delete(f"/Patient/{key}", token=s.token("system/*.crus")), 403)
    refused(s.put(f"/Patient/{key}", patient(key),
                  token=s.token("system/*.crds")), 403)
    refused(s.delete(f"/Patient/{key}", token=False), 401)


@both("a resource of another shape is not written")
def _(s):
    for body in ({"resourceType": "Patient", "id": "a b"},
                 {"resourceType": "Patient", "meta": []},
                 {"resourceType": "Nonsense"}, [], {}):
        refused(s.post("/Patient", body), 400)
        refused(s.put("/Patient?" + mrn(s.id("n")), body), 400)


WRONG = {"resourceType": "Patient", "birthDate": "1970-13-01",
         "gender": "robot", "nonsense": 1, "contact": [{}]}


@both("what is not valid is not written, and all of it is said")
def _(s):
    key = s.id("p")
    for r in (s.post("/Patient", WRONG),
              s.put(f"/Patient/{key}", WRONG | {"id": key}),
              s.put("/Patient?" + mrn(key), WRONG)):
        check(r.status in (400, 422), r)
        issues = r.json()["issue"]
        said = " ".join(str(i.get("expression")) for i in issues)
        for place in ("birthDate", "gender"):
            check(f"Patient.{place}" in said, f"{place}: {issues}")
        check("nonsense" in str(issues), issues)
    refused(s.get(f"/Patient/{key}"), 404)
    o = observation("x", key)
    o["referenceRange"] = [{}]
    equal(s.post("/Observation", o).status, 400, "an empty object")
    del o["referenceRange"]
    o["component"] = [{"code": {"text": "x"}, "valueQuantity": {"value": 1}}]
    o["component"][0]["code"] = o["code"]
    equal(refused(s.post("/Observation", o), 422)[:5], "obs-7", "a rule")


@both("in a Bundle the entry is named")
def _(s):
    entry = {"resource": WRONG, "request": {"method": "POST",
                                            "url": "Patient"}}
    r = s.post("", {"resourceType": "Bundle", "type": "transaction",
                    "entry": [{"resource": patient("x"),
                               "request": entry["request"]}, entry]})
    check(r.status in (400, 422), r)
    check("Bundle.entry[1].resource.birthDate" in
          str([i.get("expression") for i in r.json()["issue"]]), r.json())
    r = s.post("", {"resourceType": "Bundle", "type": "batch",
                    "entry": [entry]})
    outcome = r.json()["entry"][0]["response"]["outcome"]
    check(len(outcome["issue"]) > 2, outcome)


@both("two ids with the same hash: the second is refused, and not mistaken")
def _(s):
    first, second = s.id("p1"), s.id("p2")
    s.seed(patient(first))
    psql = s.stand.postgres.psql
    psql(f"UPDATE hie.resource SET key = {row_key('Patient', second)}"
         f" WHERE type = 'Patient' AND id = '{first}'")
    try:
        refused(s.get(f"/Patient/{second}"), 404)
        refused(s.put(f"/Patient/{second}", patient(second)), 409)
        entry = {"resource": patient(second), "request": {
            "method": "PUT", "url": f"Patient/{second}"}}
        refused(s.post("", {"resourceType": "Bundle", "type": "transaction",
                            "entry": [entry]}), 409)
        equal(s.get(f"/Patient?_id={second}").json().get("entry", []), [],
              "by its id")
    finally:
        psql(f"DELETE FROM hie.resource WHERE type = 'Patient'"
             f" AND id = '{first}'")


@both("an observation keeps its reference to what was deleted")
def _(s):
    p, o = s.id("p"), s.id("o")
    s.seed(patient(p), observation(o, p))
    equal(s.delete(f"/Patient/{p}").status, 204, "delete")
    equal(s.get(f"/Observation/{o}").json()["subject"]["reference"],
          f"Patient/{p}", "reference")


main()
