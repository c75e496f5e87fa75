#!/usr/bin/python3
"""What the CapabilityStatement says is what is served, and nothing else is."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

PATCH = [("Content-Type", "application/json-patch+json")]

# What becomes of an interaction that there is when it is asked for something
# that is well formed: any status but those that say that there is none.
NONE = (404, 405)


def statement(s):
    r = s.get("/metadata", token=False)
    equal(r.status, 200, "metadata")
    return r.json()["rest"][0]


def of(rest, kind):
    return next(r for r in rest["resource"] if r["type"] == kind)


def seeded(s):
    key = s.id("p")
    s.seed(patient(key))
    return key


def ask(s, code, kind, key):
    """One request of each interaction, against what exists."""
    place = f"/{kind}/{key}"
    return {
        "read": lambda: s.get(place),
        "vread": lambda: s.get(f"{place}/_history/1"),
        "update": lambda: s.put(place, patient(key)),
        "patch": lambda: s.request(
            "PATCH", place, '[{"op":"test","path":"/id","value":"%s"}]' % key,
            headers=PATCH),
        "delete": lambda: s.request("DELETE", place),
        "history-instance": lambda: s.get(f"{place}/_history"),
        "history-type": lambda: s.get(f"/{kind}/_history?_count=1",
                                      note=False),
        "create": lambda: s.post(f"/{kind}", patient("x")),
        "search-type": lambda: s.get(f"/{kind}?_id={key}"),
        "transaction": lambda: s.post("", {"resourceType": "Bundle",
                                           "type": "transaction"}),
        "batch": lambda: s.post("", {"resourceType": "Bundle",
                                     "type": "batch"}),
        "search-system": lambda: s.get(f"/?_type={kind}&_id={key}"),
        "history-system": lambda: s.get("/_history?_count=1", note=False),
    }[code]()


TYPE = ("read", "vread", "update", "patch", "history-instance",
        "history-type", "create", "search-type", "delete")
SYSTEM = ("transaction", "batch", "search-system", "history-system")


@both("every interaction that is listed is served, and no other")
def _(s):
    rest = statement(s)
    listed = {i["code"] for i in of(rest, "Patient")["interaction"]}
    listed |= {i["code"] for i in rest["interaction"]}
    check(listed <= set(TYPE + SYSTEM), f"codes {listed}")
    for code in TYPE + SYSTEM:
        key = seeded(s)
        r = ask(s, code, "Patient", key)
        if code in listed:
            check(r.status < 400, f"{code}: {r}")
        else:
            check(400 <= r.status < 500, f"{code} is not listed: {r}")


@both("all types have the same interactions")
def _(s):
    rest = statement(s)
    first = of(rest, "Patient")
    for resource in rest["resource"]:
        for name in ("interaction", "updateCreate", "conditionalCreate",
                     "conditionalUpdate", "conditionalDelete",
                     "conditionalRead", "versioning", "readHistory"):
            equal(resource[name], first[name], f"{resource['type']}: {name}")


@both("every operation that is listed is served, and no other")
def _(s):
    rest = statement(s)
    key = seeded(s)
    s.seed({"resourceType": "Encounter", "id": key, "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{key}"}})
    system = {o["name"] for o in rest.get("operation", [])}
    everywhere = {o["name"] for r in rest["resource"]
                  for o in r.get("operation", [])} | system
    check({"meta", "everything"} <= everywhere, f"{everywhere}")
    for name in everywhere:
        served = s.request("OPTIONS", f"/${name}").status == 204
        equal(served, name in system, f"/${name}")
        for kind in ("Patient", "Encounter", "Observation"):
            listed = name in {o["name"] for o in
                              of(rest, kind).get("operation", [])}
            there = [s.request("OPTIONS", path).status == 204 for path in
                     (f"/{kind}/${name}", f"/{kind}/{key}/${name}")]
            equal(any(there), listed, f"{kind} ${name}")
    for o in rest["operation"] + of(rest, "Patient")["operation"]:
        check(o["definition"].startswith(
            "http://hl7.org/fhir/OperationDefinition/"), o["name"])


@both("every search parameter that is listed is served, and no other")
def _(s):
    rest = statement(s)
    for kind in ("Patient", "Observation", "Encounter", "Organization"):
        for param in of(rest, kind)["searchParam"]:
            value = {"token": "x", "string": "x", "reference": "Patient/x",
                     "date": "2020", "number": "1", "quantity": "1",
                     "uri": "urn:x"}.get(param["type"])
            if value is None:
                continue
            r = s.get(f"/{kind}?{param['name']}={value}")
            check(r.status == 200 or "expected" in r.issue()["diagnostics"],
                  f"{kind} {param['name']}: {r}")
    equal(s.get("/Patient?nonsense=x").status, 400, "one that there is not")


@both("conditions: those that are stated")
def _(s):
    r = of(statement(s), "Patient")
    key = seeded(s)
    equal(r["conditionalRead"], "full-support", "conditionalRead")
    equal(s.get(f"/Patient/{key}", headers=[("If-None-Match", 'W/"1"')]
                ).status, 304, "not-match")
    later = [("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")]
    equal(s.get(f"/Patient/{key}", headers=later).status, 304,
          "modified-since")
    query = f"/Patient?identifier=urn:example:mrn|{key}"
    check((s.put(query, patient(key)).status not in NONE)
          == r["conditionalUpdate"], "conditionalUpdate")
    status = s.request("DELETE", query).status
    equal(status not in NONE, r["conditionalDelete"] != "not-supported",
          "conditionalDelete")
    new = s.id("new")
    status = s.put(f"/Patient/{new}", patient(new)).status
    equal(status == 201, r["updateCreate"], "updateCreate")
    again = s.post("/Patient", patient("x", value=new),
                   headers=[("If-None-Exist", f"identifier={new}")])
    equal(again.status == 200, r["conditionalCreate"], "conditionalCreate")


@both("formats: those that are stated")
def _(s):
    r = s.get("/metadata", token=False)
    formats = r.json()["format"]
    for name in ("application/fhir+json", "application/fhir+xml",
                 "application/json", "json", "xml", "ttl", "text/turtle"):
        status = s.get("/metadata?_format=" + name.replace("+", "%2B"),
                       token=False).status
        if name in formats:
            equal(status, 200, name)
        elif name in ("ttl", "text/turtle"):
            equal(status, 406, name)
    equal(s.get("/metadata", token=False).json()["rest"][0]["security"]
          ["cors"], False, "cors is off")
    r = s.request("OPTIONS", "/Patient/x", token=False, headers=[
        ("Origin", "https://app.example.org"),
        ("Access-Control-Request-Method", "GET")])
    check(r.get("Access-Control-Allow-Origin") is None, "and says nothing")


main()
