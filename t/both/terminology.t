#!/usr/bin/python3
"""The operations of a terminology service, over what is stored."""

import sys
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, patient                     # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def concept(code, *inside, **more):
    return {"code": code, "display": code.capitalize(), **more,
            **({"concept": list(inside)} if inside else {})}


def system(s, version="1", *more):
    return {"resourceType": "CodeSystem", "id": s.id("cs" + version),
            "url": f"urn:{s.key}:cs", "version": version, "status": "active",
            "content": "complete", "concept": [
                concept("a", concept("b", concept("c", designation=[
                    {"language": "de", "value": "Ce"}])), concept("d")),
                *more]}


def value_set(s, name="vs", *include, **more):
    return {"resourceType": "ValueSet", "id": s.id(name),
            "url": f"urn:{s.key}:{name}", "status": "active",
            "compose": {"include": list(include) or [{
                "system": f"urn:{s.key}:cs",
                "filter": [{"property": "concept", "op": "is-a",
                            "value": "b"}]}]}, **more}


def concept_map(s, name="cm"):
    return {"resourceType": "ConceptMap", "id": s.id(name),
            "url": f"urn:{s.key}:{name}", "status": "active", "group": [{
                "source": f"urn:{s.key}:cs", "target": "urn:t", "element": [{
                    "code": "b", "target": [{
                        "code": "B", "equivalence": "wider"}]}]}]}


def call(s, path, status=200, **more):
    query = more.pop("query", None)
    r = s.get(path + ("?" + urlencode(query) if query else ""), **more)
    equal(r.status, status, path)
    return r.json() if status == 200 else r.issue()


def parameters(s, path, *parts, status=200, **more):
    r = s.post(path, {"resourceType": "Parameters", "parameter": list(parts)},
               **more)
    equal(r.status, status, path)
    return r.json() if status == 200 else r.issue()


def codes(value_set):
    equal(value_set["resourceType"], "ValueSet", "type")
    return [c["code"] for c in value_set["expansion"].get("contains", [])]


def values(answer, name):
    equal(answer["resourceType"], "Parameters", "type")
    return [next(v for k, v in p.items() if k.startswith("value"))
            for p in answer["parameter"] if p["name"] == name]


@both("$expand: by URL, of an instance, with what is sent")
def _(s):
    s.seed(system(s), value_set(s))
    url = f"urn:{s.key}:vs"
    r = call(s, "/ValueSet/$expand", query={"url": url})
    equal(codes(r), ["b", "c"], "by URL")
    equal((r["url"], r["expansion"]["total"]), (url, 2), "head")
    equal(codes(call(s, f"/ValueSet/{s.id('vs')}/$expand")), ["b", "c"],
          "instance")
    equal(codes(parameters(s, "/ValueSet/$expand",
                           {"name": "url", "valueUri": url},
                           {"name": "filter", "valueString": "ce"})),
          ["c"], "body")
    equal(codes(parameters(s, "/ValueSet/$expand", {
        "name": "valueSet", "resource": value_set(s, "sent", {
            "valueSet": [url]})})), ["b", "c"], "sent along")
    r = s.post("/ValueSet/$expand", value_set(s, "alone", {
        "system": f"urn:{s.key}:cs"}))
    equal(codes(r.json()), ["a", "b", "c", "d"], "a resource alone")
    r = call(s, "/ValueSet/$expand", query={"url": url, "count": 1,
                                            "offset": 1})
    equal((codes(r), r["expansion"]["total"]), (["c"], 2), "page")
    equal(codes(call(s, "/ValueSet/$expand", query={
        "url": f"urn:{s.key}:cs?fhir_vs"})), ["a", "b", "c", "d"],
        "implicit")


@both("a canonical URL is taken as it stands")
def _(s):
    for name in ("a,b", "a\\b", "a$b&c=d", "ä+b"):
        url = f"urn:{s.key}:{name}"
        v = value_set(s, "v", {"system": "urn:s", "concept": [
            {"code": "x"}]})
        v["url"] = url
        s.seed(v)
        equal(codes(call(s, "/ValueSet/$expand", query={"url": url})), ["x"],
              name)
    call(s, "/ValueSet/$expand", 404, query={"url": f"urn:{s.key}:a"})


@both("$expand: what is refused, and why")
def _(s):
    s.seed(system(s), value_set(s), value_set(s, "far", {
        "system": f"urn:{s.key}:far"}),
        value_set(s, "ring", {"valueSet": [f"urn:{s.key}:ring"]}))
    path = "/ValueSet/$expand"
    url = f"urn:{s.key}:"
    equal(call(s, path, 404, query={"url": url + "no"})["code"], "not-found",
          "value set")
    i = call(s, path, 422, query={"url": url + "far"})
    equal(i["code"], "not-found", "code system")
    check(url + "far" in i["diagnostics"], i["diagnostics"])
    equal(call(s, path, 422, query={"url": url + "ring"})["code"],
          "processing", "cycle")
    equal(call(s, path, 400)["code"], "required", "no parameter")
    equal(call(s, path, 400, query={"url": url + "vs", "x": "1"})["code"],
          "invalid", "parameter")
    call(s, path, query={"url": url + "vs", "x": "1"},
         headers=[("Prefer", "handling=lenient")])
    equal(call(s, path, 422, query={"url": url + "vs", "date": "2020"}
               )["code"], "not-supported", "date")
    call(s, f"/ValueSet/{s.id('none')}/$expand", 404)
    call(s, "/CodeSystem/$expand", 404)
    equal(s.request("DELETE", path).status, 405, "method")
    equal(s.post(path, {"resourceType": "Patient"}).status, 400, "body")
    parameters(s, path, {"name": "y", "valueString": "1"}, status=400)


@both("$validate-code of value sets and code systems")
def _(s):
    s.seed(system(s), value_set(s))
    cs, vs = f"urn:{s.key}:cs", f"urn:{s.key}:vs"
    for path, query, wanted in (
            ("/ValueSet/$validate-code", {"url": vs, "code": "c",
                                          "system": cs}, True),
            ("/ValueSet/$validate-code", {"url": vs, "code": "d",
                                          "system": cs}, False),
            (f"/ValueSet/{s.id('vs')}/$validate-code", {"code": "c"}, True),
            ("/CodeSystem/$validate-code", {"url": cs, "code": "d"}, True),
            ("/CodeSystem/$validate-code", {"url": cs, "code": "d",
                                            "display": "Dee"}, False),
            (f"/CodeSystem/{s.id('cs1')}/$validate-code", {"code": "z"},
             False),
            ("/CodeSystem/$validate-code", {
                "url": "http://unitsofmeasure.org", "code": "mm[Hg]"}, True),
            ("/CodeSystem/$validate-code", {
                "url": "http://unitsofmeasure.org", "code": "mmHg"}, False)):
        r = call(s, path, query=query)
        equal(values(r, "result"), [wanted], str(query))
        equal(len(values(r, "message")), 0 if wanted else 1, "message")
    r = parameters(s, "/ValueSet/$validate-code",
                   {"name": "url", "valueUri": vs},
                   {"name": "codeableConcept", "valueCodeableConcept": {
                       "coding": [{"system": "urn:x", "code": "c"},
                                  {"system": cs, "code": "c"}]}})
    equal((values(r, "result"), values(r, "display")), ([True], ["C"]),
          "codeableConcept")
    equal(call(s, "/CodeSystem/$validate-code", 404, query={
        "url": "urn:unknown", "code": "c"})["code"], "not-found", "unknown")


@both("$lookup and $subsumes, and versions")
def _(s):
    cs = f"urn:{s.key}:cs"
    s.seed(system(s), system(s, "10", concept("new")), system(s, "9"))
    r = call(s, "/CodeSystem/$lookup", query={
        "system": cs, "code": "c", "displayLanguage": "de"})
    equal((values(r, "display"), values(r, "version")), (["Ce"], ["10"]),
          "lookup")
    call(s, "/CodeSystem/$lookup", query={"system": cs, "code": "new"})
    equal(call(s, "/CodeSystem/$lookup", 404, query={
        "system": cs, "code": "new", "version": "9"})["code"], "not-found",
        "not in that version")
    call(s, f"/CodeSystem/{s.id('cs1')}/$lookup", 404)
    for a, b, wanted in (("a", "c", "subsumes"), ("c", "a", "subsumed-by"),
                         ("b", "b", "equivalent"), ("b", "d", "not-subsumed")):
        for path, query in (("/CodeSystem/$subsumes", {"system": cs}),
                            (f"/CodeSystem/{s.id('cs1')}/$subsumes", {})):
            r = call(s, path, query={"codeA": a, "codeB": b, **query})
            equal(values(r, "outcome"), [wanted], f"{a} {b}")


@both("$translate")
def _(s):
    cs = f"urn:{s.key}:cs"
    s.seed(concept_map(s))
    for path, query in (("/ConceptMap/$translate", {
            "url": f"urn:{s.key}:cm"}),
            (f"/ConceptMap/{s.id('cm')}/$translate", {}),
            ("/ConceptMap/$translate", {})):
        r = call(s, path, query={"code": "b", "system": cs, **query})
        equal(values(r, "result"), [True], path)
        match = next(p for p in r["parameter"] if p["name"] == "match")
        equal([p.get("valueCoding") for p in match["part"]
               if p["name"] == "concept"],
              [{"system": "urn:t", "code": "B"}], "match")
    r = call(s, "/ConceptMap/$translate", query={
        "url": f"urn:{s.key}:cm", "code": "B", "system": "urn:t",
        "reverse": "true"})
    equal(values(r, "result"), [True], "reverse")
    equal(call(s, "/ConceptMap/$translate", 404, query={
        "url": f"urn:{s.key}:none", "code": "b"})["code"], "not-found", "map")


@both("scopes: what may not be read is not known")
def _(s):
    s.seed(system(s), value_set(s))
    query = {"url": f"urn:{s.key}:vs"}
    for scope, status in (("system/*.r", 200),
                          ("system/ValueSet.r system/CodeSystem.r", 200),
                          ("system/ValueSet.r", 422),
                          ("system/CodeSystem.r", 403),
                          ("system/ValueSet.s", 403)):
        call(s, "/ValueSet/$expand", status, query=query,
             token=s.token(scope))
    equal(s.get("/ValueSet/$expand", token=False).status, 401, "no token")


@both("consent: a value set that is of a patient is withheld with them")
def _(s):
    p = s.id("p")
    s.seed(patient(p), system(s), value_set(
        s, contact=[{"extension": [{
            "url": "urn:about",
            "valueReference": {"reference": f"Patient/{p}"}}]}]),
        consent(s.id("c"), p, permit=["Organization/a"]))
    for name, status in (("a", 200), ("b", 404)):
        token = s.token("system/*.rs", [f"Organization/{name}"])
        for path in (f"/ValueSet/$expand?url=urn:{s.key}:vs",
                     f"/ValueSet/{s.id('vs')}/$expand"):
            call(s, path, status, token=token)


@both("CodeSystem, ValueSet and ConceptMap by url")
def _(s):
    s.seed(system(s), value_set(s), concept_map(s))
    for path, wanted in ((f"/CodeSystem?url=urn:{s.key}:cs", "cs1"),
                         (f"/ValueSet?url=urn:{s.key}:vs", "vs"),
                         (f"/ConceptMap?url=urn:{s.key}:cm", "cm")):
        equal(found(s.get(path)), [s.id(wanted)], path)
    equal(found(s.get(f"/ValueSet?url=urn:{s.key}:cs")), [], "other type")


main()
