#!/usr/bin/python3
"""What the CapabilityStatement says is what is served, and nothing else is."""

import sys
from pathlib import Path
from urllib.parse import quote

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


# What R4 describes in words: a value that has nothing to find.
WORDS = {"_text": "x", "_content": "x", "_list": "nobody", "near": "0|0|1|km",
         "_filter": "_id eq nobody"}


def served(s, kind, name, value):
    r = s.get(f"/{kind}?_id=nobody&{name}={quote(value)}", note=False)
    if r.status != 200:
        return f"{kind}?{name}={value}: {r}"
    equal(r.json()["total"], 0, f"{kind} {name}")
    return None


@both("every search parameter that is listed is served, and no other")
def _(s):
    rest = statement(s)
    problems, n = [], 0
    for resource in rest["resource"]:
        kind = resource["type"]
        names = [p["name"] for p in resource["searchParam"]]
        equal(len(names), len(set(names)), f"{kind}: each once")
        for name in names:
            n += 1
            if name == "_has":
                back = resource["searchRevInclude"][1]
                problems.append(served(s, kind, f"_has:{back}:_id", "nobody"))
            elif name in WORDS:
                problems.append(served(s, kind, name, WORDS[name]))
            else:
                problems.append(served(s, kind, name + ":missing", "false"))
        for param in resource["searchParam"]:
            check(param["type"] in ("number", "date", "string", "token",
                                    "reference", "composite", "quantity",
                                    "uri", "special"), param)
            check(param["name"] in ("_has", "_list")
                  or param["definition"].startswith(
                      "http://hl7.org/fhir/SearchParameter/"), param)
    problems = [p for p in problems if p]
    check(not problems, "\n".join(problems[:20]))
    check(n > 2500, f"{n} parameters")
    for name in ("nonsense", "_query", "Patient", "birthDate", ""):
        equal(s.get(f"/Patient?{name}=x").status, 400, name)


@both("every reference that can be included is listed, and no other")
def _(s):
    rest = statement(s)
    problems = []
    for kind in ("Patient", "Observation", "Provenance", "Organization",
                 "QuestionnaireResponse", "Binary"):
        resource = of(rest, kind)
        for name in ("searchInclude", "searchRevInclude"):
            values = resource.get(name, [])
            equal(len(values), len(set(values)), f"{kind} {name}: each once")
            for value in values:
                r = s.get(f"/{kind}?_id=nobody&_{name[6:].lower()}={value}",
                          note=False)
                if r.status != 200:
                    problems.append(f"{kind} {name} {value}: {r}")
    check(not problems, "\n".join(problems[:20]))
    check("Observation:subject" in of(rest, "Patient")["searchRevInclude"],
          "a reference")
    check("Observation:subject" in of(rest, "Observation")["searchInclude"],
          "the same")


@both("what is served of several types, and in compartments")
def _(s):
    rest = statement(s)
    for param in rest["searchParam"]:
        name = param["name"]
        if name == "_type":
            path = "/?_type=Patient&_id=nobody"
        elif name in WORDS:
            path = f"/?_id=nobody&{name}={quote(WORDS[name])}"
        else:
            path = f"/?_id=nobody&{name}:missing=false"
        r = s.get(path)
        equal(r.status, 200, f"{path}: {r}")
    equal(s.get("/?_id=nobody&name=x").status, 400, "of some types only")
    kinds = [url.rpartition("/")[2] for url in rest["compartment"]]
    for resource in rest["resource"]:
        kind = resource["type"]
        equal(s.get(f"/{kind}/nobody/*").status,
              200 if kind.lower() in [k.lower() for k in kinds] else 404,
              f"/{kind}/nobody/*")


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
