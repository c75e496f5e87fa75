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


@both("deletions come first, reads last, answers in the order of entries")
def _(s):
    key, value = s.id("p"), s.id("v")
    s.seed(patient(key, value=value))
    query = f"identifier=urn:example:mrn|{value}"
    r = s.post("", transaction(
        entry("GET", f"Patient?{query}"),
        entry("POST", "Patient", patient("x", "New", value=value),
              ifNoneExist=query),
        entry("GET", f"Patient/{key}/_history/1"),
        entry("HEAD", f"Patient?{query}"),
        entry("DELETE", f"Patient/{key}")))
    equal(r.status, 200, r.body[:300])
    entries = r.json()["entry"]
    equal([e["response"]["status"] for e in entries],
          ["200 OK", "201 Created", "200 OK", "200 OK", "204 No Content"],
          "statuses")
    equal([e["resource"]["name"][0]["family"]
           for e in entries[0]["resource"]["entry"]], ["New"], "search")
    equal(entries[2]["resource"]["id"], key, "vread")
    check("resource" not in entries[3], "HEAD has no body")
    equal(s.get(f"/Patient/{key}").status, 410, "deleted")


@both("a read that fails fails the transaction")
def _(s):
    key = s.id("p")
    for url, status in ((f"Patient/{s.id('none')}", 404),
                        ("Patient?nonsense=1", 400), ("Foo", 404)):
        r = s.post("", transaction(entry("PUT", f"Patient/{key}",
                                         patient(key)), entry("GET", url)))
        equal(r.status, status, url)
        check("Bundle.entry[1]" in str(r.json()), r.json())
        equal(s.get(f"/Patient/{key}").status, 404, "nothing is done")


@both("one resource twice: 400, naming both entries")
def _(s):
    key, value = s.id("p"), s.id("v")
    query = f"Patient?identifier=urn:example:mrn|{value}"
    s.seed(patient(key, value=value))
    for one in (entry("DELETE", f"Patient/{key}"),
                entry("PUT", f"Patient/{key}", patient(key)),
                entry("DELETE", query)):
        r = s.post("", transaction(entry("POST", "Patient", patient("x")),
                                   entry("PUT", f"Patient/{key}",
                                         patient(key)), one))
        equal(r.status, 400, one)
        said = r.issue()["diagnostics"]
        check("entry[1]" in said and "entry[2]" in said, said)
    equal(s.get(f"/Patient/{key}").get("ETag"), 'W/"1"', "kept")


@both("two creates with one condition make one resource")
def _(s):
    value = s.id("v")
    query = f"identifier=urn:example:mrn|{value}"
    o = observation("x", "x")
    o["subject"] = {"reference": O}
    r = s.post("", transaction(
        entry("POST", "Patient", patient("x", value=value), P,
              ifNoneExist=query),
        entry("POST", "Patient", patient("x", value=value), O,
              ifNoneExist=query),
        entry("POST", "Observation", o)))
    equal(r.status, 200, r.body[:300])
    places = [e["response"]["location"].split("/")[1]
              for e in r.json()["entry"]]
    equal([e["response"]["status"][:3] for e in r.json()["entry"]],
          ["201", "200", "201"], "statuses")
    equal(places[0], places[1], "one")
    equal(found(s.get(f"/Patient?{query}")), [places[0]], "one is there")
    equal(s.get(f"/Observation/{places[2]}").json()["subject"]["reference"],
          f"Patient/{places[0]}", "reference")


@both("a reference by fullUrl to what a condition found")
def _(s):
    key, value = s.id("p"), s.id("v")
    s.seed(patient(key, value=value))
    o = observation("x", "x")
    o["subject"] = {"reference": P}
    r = s.post("", transaction(
        entry("POST", "Observation", o),
        entry("POST", "Patient", patient("x", value=value), P,
              ifNoneExist=f"identifier={value}")))
    equal(r.status, 200, r.body[:300])
    equal(found(s.get(f"/Observation?subject=Patient/{key}")),
          [r.json()["entry"][0]["response"]["location"].split("/")[1]],
          "refers to it")


@both("conditional references: one match, none, several")
def _(s):
    key, value, new = s.id("p"), s.id("v"), s.id("n")
    s.seed(patient(key, value=value))
    o = observation("x", "x")

    def refer(query, *more):
        o["subject"] = {"reference": f"Patient?identifier={query}"}
        return s.post("", transaction(entry("POST", "Observation", o), *more))

    r = refer(value)
    equal(r.status, 200, r.body[:300])
    at = r.json()["entry"][0]["response"]["location"].split("/")[1]
    equal(s.get(f"/Observation/{at}").json()["subject"]["reference"],
          f"Patient/{key}", "resolved")
    r = refer(s.id("none"))
    equal(r.status, 412, "none")
    check("Bundle.entry[0].resource.subject.reference" in str(r.json()),
          r.json())
    r = refer(f"urn:example:mrn|{new}",
              entry("POST", "Patient", patient("x", value=new)))
    equal(r.status, 200, "of the same transaction")
    places = [e["response"]["location"].split("/")[1]
              for e in r.json()["entry"]]
    equal(s.get(f"/Observation/{places[0]}").json()["subject"]["reference"],
          f"Patient/{places[1]}", "resolved")
    equal(refer(new, entry("DELETE", f"Patient/{places[1]}")).status, 412,
          "deleted by the same")
    s.post("/Patient", patient("x", value=value))
    equal(refer(value).status, 412, "several")


@both("ifMatch and ifNoneMatch of entries")
def _(s):
    key = s.id("p")
    s.seed(patient(key, "One"))
    put = ("PUT", f"Patient/{key}", patient(key, "Two"))
    equal(s.post("", transaction(entry(*put, ifMatch='W/"7"'))).status, 412,
          "stale")
    equal(s.post("", transaction(entry(*put, ifNoneMatch="*"))).status, 412,
          "exists")
    equal(s.post("", transaction(entry(*put, ifMatch='W/"1"'))).status, 200,
          "right")
    equal(s.post("", transaction(entry("DELETE", f"Patient/{key}",
                                       ifMatch='W/"1"'))).status, 412,
          "delete")
    r = s.post("", transaction(entry("GET", f"Patient/{key}",
                                     ifNoneMatch='W/"2"')))
    equal(r.json()["entry"][0]["response"]["status"], "304 Not Modified",
          "read")


@both("Prefer says what an entry's answer has")
def _(s):
    key = s.id("p")
    for prefer in ("return=minimal", "return=representation",
                   "return=OperationOutcome"):
        for kind in ("transaction", "batch"):
            b = transaction(entry("PUT", f"Patient/{key}", patient(key)))
            b["type"] = kind
            e = s.post("", b, headers=[("Prefer", prefer)]
                       ).json()["entry"][0]
            equal("resource" in e, "representation" in prefer, prefer)
            equal("outcome" in e["response"], "Outcome" in prefer, prefer)
            if "resource" in e:
                equal(e["resource"]["id"], key, "resource")
                check(e["fullUrl"].endswith(f"/fhir/Patient/{key}"), e)


def batch(*entries):
    return {"resourceType": "Bundle", "type": "batch",
            "entry": list(entries)}


def statuses(r):
    equal(r.status, 200, r.body[:300])
    equal(r.json()["type"], "batch-response", "type")
    return [e["response"]["status"][:3] for e in r.json()["entry"]]


@both("batch: every entry for itself")
def _(s):
    a, b, value = s.id("a"), s.id("b"), s.id("v")
    s.seed(patient(a, value=value))
    r = s.post("", batch(
        entry("GET", f"Patient/{a}"),
        entry("PUT", f"Patient/{b}", patient("other")),
        entry("PUT", f"Patient/{b}", patient(b)),
        entry("POST", "Nonsense", {"resourceType": "Nonsense"}),
        entry("POST", "Patient", patient("x", value=value),
              ifNoneExist=f"identifier={value}"),
        entry("DELETE", f"Patient/{s.id('none')}"),
        entry("GET", f"Patient/{b}"),
        entry("GET", f"Patient?identifier={value}"),
        entry("PUT", f"Patient/{a}", patient(a), ifMatch='W/"9"'),
        entry("GET", "metadata"), entry("BREW", "Patient"),
        entry("GET", "Foo?x=1")))
    equal(statuses(r), ["200", "400", "201", "404", "200", "204", "200",
                        "200", "412", "200", "405", "404"], "statuses")
    entries = r.json()["entry"]
    equal(entries[0]["resource"]["id"], a, "read")
    equal(entries[1]["response"]["outcome"]["resourceType"],
          "OperationOutcome", "why")
    equal(entries[2]["response"]["location"], f"Patient/{b}/_history/1",
          "location")
    equal(entries[2]["response"]["etag"], 'W/"1"', "etag")
    check(entries[2]["response"]["lastModified"].endswith("Z"), "time")
    equal(entries[6]["resource"]["id"], b, "reads come after the writes")
    equal(entries[7]["resource"]["type"], "searchset", "search")


@both("batch: scopes and consent of every entry, one record")
def _(s):
    a, b = s.id("a"), s.id("b")
    s.seed(patient(a), consent(s.id("c"), a), observation(b, a))
    only = s.token("system/Observation.cruds")
    r = s.post("", batch(entry("GET", f"Patient/{a}"),
                         entry("GET", f"Observation/{b}"),
                         entry("GET", f"Observation?_id={b}"),
                         entry("DELETE", f"Patient/{a}")), token=only)
    equal(statuses(r), ["403", "404", "200", "403"], "statuses")
    check("entry" not in r.json()["entry"][2]["resource"], "withheld")
    rows = s.audit(1)
    equal([(r["interaction"], r["status"], r["decision"]) for r in rows],
          [("batch", "200", "deny")], "records")


@both("batch: an entry must not refer to another")
def _(s):
    o = observation("x", "x")
    o["subject"] = {"reference": P}
    r = s.post("", batch(entry("POST", "Patient", patient("x"), P),
                         entry("POST", "Observation", o)))
    equal(statuses(r), ["201", "400"], "statuses")


@both("batch: ifModifiedSince of an entry")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    r = s.post("", batch(entry("GET", f"Patient/{key}",
                               ifModifiedSince="2020-01-01T00:00:00+02:00")))
    equal(statuses(r), ["200"], "modified since")


@both("an empty transaction and an empty batch")
def _(s):
    for kind in ("transaction", "batch"):
        r = s.post("", {"resourceType": "Bundle", "type": kind})
        equal((r.status, r.json()["type"]), (200, kind + "-response"), kind)


@both("a Bundle of another type, or out of shape, is refused")
def _(s):
    for kind in ("document", "message", "collection", "searchset", "history",
                 "transaction-response", "batch-response"):
        r = s.post("", {"resourceType": "Bundle", "type": kind})
        equal(r.status, 422, kind)
        check("batch" in r.issue()["diagnostics"], r.issue())
    for kind in ("batch", "transaction"):
        for wrong in ({}, {"request": {}}, {"request": {"method": "GET"}},
                      {"request": {"method": "GET", "url": 1}}, 7):
            r = s.post("", {"resourceType": "Bundle", "type": kind,
                            "entry": [wrong]})
            equal(r.status, 400, wrong)
            check("Bundle.entry[0]" in str(r.json()), r.json())


@both("too many entries: 413")
def _(s):
    r = s.post("", transaction(*[entry("DELETE", f"Patient/{i}")
                                 for i in range(5001)]), note=False)
    equal(r.status, 413, "status")


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
