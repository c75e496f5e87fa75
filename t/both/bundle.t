#!/usr/bin/python3
"""Transactions: all or nothing, references within, conditions."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, observation, patient        # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def entry(method, url, resource=None, full_url=None, **request):
    e = {"request": {"method": method, "url": url, **request}}
    if resource:
        e["resource"] = resource
    if full_url:
        e["fullUrl"] = full_url
    return e


def transaction(*entries):
    return {"resourceType": "Bundle", "type": "transaction",
            "entry": list(entries)}


P, O = ("urn:uuid:11111111-1111-4111-8111-111111111111",
        "urn:uuid:22222222-2222-4222-8222-222222222222")


@both("urn:uuid references become those of the new resources")
def _(s):
    o = observation("x", "x")
    o["subject"] = {"reference": P}
    r = s.post("", transaction(entry("POST", "Observation", o, O),
                               entry("POST", "Patient", patient("x"), P)))
    equal(r.status, 200, "status")
    bundle = r.json()
    equal(bundle["type"], "transaction-response", "type")
    responses = [e["response"] for e in bundle["entry"]]
    equal([x["status"][:3] for x in responses], ["201", "201"], "statuses")
    places = [x["location"].split("/_history/")[0] for x in responses]
    keys = [p.rpartition("/")[2] for p in places]
    read = s.get(f"/Observation/{keys[0]}")
    equal(read.json()["subject"]["reference"], f"Patient/{keys[1]}",
          "reference")
    equal(found(s.get(f"/Observation?patient={keys[1]}")), [keys[0]],
          "search")


@both("one wrong entry and nothing is done")
def _(s):
    key = s.id("p")
    for wrong in (entry("PUT", f"Patient/{s.id('q')}", patient("other")),
                  entry("POST", "Observation", patient("x")),
                  entry("PUT", f"Patient/{s.id('q')}", patient(s.id("q")),
                        ifMatch='W/"5"'),
                  entry("POST", "Nonsense", {"resourceType": "Nonsense"}),
                  entry("PUT", f"Patient/{key}", patient(key))):
        r = s.post("", transaction(entry("PUT", f"Patient/{key}",
                                         patient(key)), wrong))
        check(400 <= r.status < 500, f"{wrong}: {r.status}")
        check("entry" in str(r.json()), f"which entry: {r.json()}")
        equal(s.get(f"/Patient/{key}").status, 404, "nothing is done")


@both("conditional create and update in a transaction")
def _(s):
    value = s.id("v")
    query = f"identifier=urn:example:mrn|{value}"
    made = s.post("", transaction(entry(
        "POST", "Patient", patient("x", "One", value=value),
        ifNoneExist=query)))
    equal(made.json()["entry"][0]["response"]["status"][:3], "201", "made")
    again = s.post("", transaction(entry(
        "POST", "Patient", patient("x", "Two", value=value),
        ifNoneExist=query)))
    equal(again.json()["entry"][0]["response"]["status"][:3], "200", "exists")
    p = patient("x", "Three", value=value)
    del p["id"]
    put = s.post("", transaction(entry("PUT", f"Patient?{query}", p)))
    equal(put.json()["entry"][0]["response"]["status"][:3], "200", "updated")
    r = s.get(f"/Patient?{query}")
    equal([e["resource"]["name"][0]["family"] for e in r.json()["entry"]],
          ["Three"], "one, the last")


@both("scopes and consent hold for every entry")
def _(s):
    key = s.id("p")
    s.seed(patient(key), consent(s.id("c"), key))
    t = transaction(entry("PUT", f"Patient/{key}", patient(key, "Changed")))
    r = s.post("", t)
    check(r.status in (403, 404, 409), f"withheld: {r.status}")
    r = s.post("", transaction(entry("POST", "Patient", patient("x"))),
               token=s.token("system/Observation.cruds"))
    equal(r.status, 403, "scope")
    equal(s.get(f"/Patient/{key}", token=s.admin()
                ).json()["meta"]["versionId"], "1", "kept")


@both("what is no transaction is refused")
def _(s):
    for body in (patient("x"), {"resourceType": "Bundle", "type": "document"},
                 {"resourceType": "Bundle"}):
        r = s.post("", body)
        check(r.status in (400, 422), f"{body}: {r.status}")
        r.issue()


@both("one record in the audit log")
def _(s):
    s.post("", transaction(entry("POST", "Patient", patient("x")),
                           entry("POST", "Patient", patient("x"))))
    rows = s.audit(1)
    equal([(r["interaction"], r["status"]) for r in rows],
          [("transaction", "200")], "records")


@both("a transaction of two thousand entries")
def _(s):
    p = s.id("p")
    entries = [entry("PUT", f"Patient/{p}", patient(p))]
    entries += [entry("POST", "Observation", observation("x", p, value=i))
                for i in range(1999)]
    r = s.post("", transaction(*entries), note=False)
    equal(r.status, 200, "status")
    equal(s.get(f"/Observation?patient={p}&_summary=count").json()["total"],
          1999, "total")


main()
