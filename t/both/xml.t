#!/usr/bin/python3
"""The same conversation in JSON and in XML: every interaction is had in both,
with the requests and what came back translated here, by nothing but the rules
of R4 section 2.6.3 about the two forms, and must say the same."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import observation, patient                        # noqa: E402
from hie.tap import VOLATILE, both, check, equal, main           # noqa: E402

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
DIV = f'<div xmlns="{XHTML}"><p title="&lt;&amp;">One <b>two</b>\n</p></div>'
FORMS = {"json": "application/fhir+json", "xml": "application/fhir+xml"}
HEADERS = ("ETag", "Location", "Content-Location", "Last-Modified", "Vary",
           "Allow", "WWW-Authenticate", "Cache-Control")


# From JSON to XML: only the order of elements would need the definitions, and
# the server does not ask for it.

def pairs(value, beside):
    """The values of a member and what goes with each."""
    if not isinstance(value, list) and not isinstance(beside, list):
        return [(value, beside)]
    value, beside = value or [], beside or []
    n = max(len(value), len(beside))
    return list(zip(value + [None] * (n - len(value)),
                    beside + [None] * (n - len(beside))))


def members(thing):
    """Name and pairs of each member, primitives with their extensions."""
    for name in dict.fromkeys(k.lstrip("_") for k in thing):
        if name != "resourceType":
            yield name, pairs(thing.get(name), thing.get("_" + name))


def lexeme(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def xml_element(name, value, beside, out):
    if name == "div":
        out.append(value)
        return
    inside = value if isinstance(value, dict) else beside or {}
    attributes = ""
    if not isinstance(value, (dict, type(None))):
        attributes = " value=" + quoteattr(
            lexeme(value), {"\n": "&#10;", "\t": "&#9;"})
    if "resourceType" in inside:
        out.append(f"<{name}>")
        xml_resource(inside, out)
        out.append(f"</{name}>")
        return
    for key in ("id", "url"):
        if key in inside and (key == "id" or "xtension" in name):
            attributes += f" {key}=" + quoteattr(inside[key])
            inside = {k: v for k, v in inside.items() if k != key}
    out.append(f"<{name}{attributes}>")
    for child, values in members(inside):
        for v, b in values:
            xml_element(child, v, b, out)
    out.append(f"</{name}>")


def xml_resource(resource, out):
    kind = resource["resourceType"]
    out.append(f'<{kind} xmlns="{FHIR}">')
    for name, values in members(resource):
        for v, b in values:
            xml_element(name, v, b, out)
    out.append(f"</{kind}>")


def to_xml(resource):
    out = ["<?xml version='1.0' encoding='UTF-8'?>"]
    xml_resource(resource, out)
    return "".join(out)


# Both as one kind of tree: a value, and children by name.

def tree(value=None, children=None):
    return {"value": value, "children": children or {}}


def json_tree(value, beside=None):
    inside = value if isinstance(value, dict) else beside or {}
    children = {name: [html(v) if name == "div" else json_tree(v, b)
                       for v, b in values] for name, values
                in members(inside)}
    if "resourceType" in inside:
        return tree(None, {inside["resourceType"]: [tree(None, children)]})
    return tree(None if isinstance(value, (dict, type(None)))
                else lexeme(value), children)


def html(text):
    return tree(ET.canonicalize(text, rewrite_prefixes=True))


def xml_tree(element):
    children = {key: [tree(element.get(key))] for key in ("id", "url")
                if element.get(key) is not None}
    for child in element:
        space, name = child.tag[1:].split("}")
        check(space in (FHIR, XHTML), f"namespace {space}")
        if space == XHTML:
            child.tail = None
            made = html(ET.tostring(child, encoding="unicode"))
        else:
            made = xml_tree(child)
        children.setdefault(name, []).append(made)
    return tree(element.get("value"), children)


def answer_tree(form, r):
    """What a body says, or None."""
    if not r.body:
        return None
    check(r.get("Content-Type").startswith(FORMS[form]),
          f"{form}: {r.get('Content-Type')}")
    if form == "json":
        body = re.sub(rb',"location":\["line 1, column \d+"\]', b"", r.body)
        return json_tree(json.loads(body, parse_float=str, parse_int=str))
    root = ET.fromstring(r.body)
    check(b"<location" not in r.body or b"line 1, column" not in r.body,
          "a place in JSON for somebody who has sent XML")
    check(root.tag.startswith("{%s}" % FHIR), root.tag)
    return tree(None, {root.tag.split("}")[1]: [xml_tree(root)]})


class Talk:
    """A conversation in one of the forms; all that was said, without what
    differs between two that say the same."""

    def __init__(self, s, form):
        self.s, self.form = s, form
        self.told = []

    def id(self, name):
        return self.s.id(f"{self.form}-{name}")

    def body(self, body):
        if not isinstance(body, dict):
            return body
        return (to_xml if self.form == "xml" else json.dumps)(body).encode()

    def request(self, method, path, body=None, headers=(), **more):
        head = [("Accept", FORMS[self.form]), *headers]
        if isinstance(body, dict):
            head.append(("Content-Type", FORMS[self.form]))
        r = self.s.request(method, path, self.body(body), headers=head,
                           **more)
        said = json.dumps({
            "status": r.status, "body": answer_tree(self.form, r),
            "headers": {name: r.get(name) for name in HEADERS}})
        said = said.replace(self.s.key + "-" + self.form, "KEY")
        for pattern, name in VOLATILE + (
                (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
                 "DATE"), (re.compile(r"urn:uuid:[0-9a-f-]{36}"), "UUID")):
            said = pattern.sub(name, said)
        self.told.append((f"{method} {path}".replace(
            self.s.key + "-" + self.form, "KEY"), json.loads(said)))
        return r

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def put(self, resource, path=None, **more):
        path = path or f"/{resource['resourceType']}/{resource['id']}"
        return self.request("PUT", path, resource, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)


def first_difference(a, b, place=""):
    if type(a) is not type(b):
        return f"{place}: {a!r:.200} and {b!r:.200}"
    if isinstance(a, dict):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key),
                                        f"{place}.{key}")
    if isinstance(a, list):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{place}[{i}]")
        return f"{place}: {len(a)} and {len(b)}"
    return f"{place}: {a!r:.200} and {b!r:.200}"


def alike(name):
    """A case: the same conversation in both forms. It returns the statuses
    that it wants, in order."""
    def add(function):
        @both(name, compare=False)
        def _(s):
            talks = {}
            for form in FORMS:
                talks[form] = Talk(s, form)
                wanted = function(talks[form])
                equal([said["status"] for _, said in talks[form].told],
                      wanted, f"{form}: statuses")
            for one, other in zip(talks["json"].told, talks["xml"].told):
                equal(one[0], other[0], "requests")
                if one != other:
                    raise AssertionError(
                        f"{one[0]}: {first_difference(one[1], other[1])}")
        return function
    return add


def person(key, **more):
    """With most of what is hard about the two forms."""
    p = patient(key, "Fa\"mi<l&y", ("A", "B\u00e4"), active=True,
                text={"status": "generated", "div": DIV},
                birthDate="1970-03-30", multipleBirthInteger=2, **more)
    p["name"][0]["_given"] = [None, {"id": "g2"}]
    p["name"][0]["id"] = "n1"
    p["_birthDate"] = {"extension": [
        {"url": "urn:example:a", "valueDecimal": 1.5},
        {"url": "urn:example:b", "extension": [
            {"url": "in", "valueString": "two\nlines\tand a tab"}]}]}
    p["_gender"] = {"extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
        "valueCode": "unknown"}]}
    p["contained"] = [{"resourceType": "Organization", "id": "o",
                       "name": "In side"}]
    p["contact"] = [{"organization": {"reference": "#o"}}]
    return p


def nameless(resource):
    return {k: v for k, v in resource.items() if k != "id"}


@alike("create")
def _(t):
    p = nameless(person("x"))
    r = t.post("/Patient", p)
    check(b"two\\nlines" in r.body or b"two&#" in r.body, r.body)
    for prefer in ("minimal", "representation", "OperationOutcome"):
        t.post("/Patient", p, headers=[("Prefer", f"return={prefer}")])
    t.post("/Patient", patient("x", value=t.id("v")))
    when = [("If-None-Exist", f"identifier={t.id('v')}")]
    t.post("/Patient", p, headers=when)
    t.post("/Patient", patient("x", value=t.id("v")))
    t.post("/Patient", p, headers=when)
    t.post("/Patient", observation("x", "y"))
    t.post("/Patient", p | {"gender": "x"})
    return [201, 201, 201, 201, 201, 200, 201, 412, 400, 422]


@alike("read, vread, what is not there")
def _(t):
    key = t.id("p")
    t.put(person(key))
    t.put(person(key, gender="male"))
    for path in (f"/Patient/{key}", f"/Patient/{key}/_history/1",
                 f"/Patient/{key}/_history/2", f"/Patient/{key}/_history/3",
                 f"/Patient/{key}?_summary=true", f"/Patient/{t.id('none')}",
                 f"/Patient/{key}?_elements=name"):
        t.get(path)
    t.get(f"/Patient/{key}", headers=[("If-None-Match", 'W/"2"')])
    t.delete(f"/Patient/{key}")
    t.get(f"/Patient/{key}")
    return [201, 200, 200, 200, 200, 404, 200, 404, 200, 304, 204, 410]


@alike("update")
def _(t):
    key = t.id("p")
    p = person(key)
    for headers in ([], [("If-Match", 'W/"1"')], [("If-Match", 'W/"1"')],
                    [("Prefer", "return=OperationOutcome")],
                    [("Prefer", "return=minimal")]):
        t.put(p, headers=headers)
    t.put(p, "/Patient/other")
    where = f"/Patient?identifier={t.id('v')}"
    t.put(patient(key, value=t.id("v")), where)
    for active in (True, False):
        t.put(patient(t.id("q"), value=t.id("v"), active=active), where)
    return [201, 200, 412, 200, 200, 400, 409, 201, 200]


@alike("patch")
def _(t):
    key = t.id("p")
    t.put(person(key))
    patches = [{"resourceType": "Parameters", "parameter": [{
        "name": "operation", "part": [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": path},
            {"name": "value", "valueString": "Changed"}]}]}
        for path in ("Patient.name.family", "Patient.nothing.at.all")]
    for patch in patches:
        t.request("PATCH", f"/Patient/{key}", patch)
    t.request("PATCH", f"/Patient?identifier={key}", patches[0])
    t.request("PATCH", f"/Patient/{key}",
              b'[{"op":"remove","path":"/active"}]',
              headers=[("Content-Type", "application/json-patch+json")])
    t.request("PATCH", f"/Patient/{key}", b"[]",
              headers=[("Content-Type", "text/plain")])
    return [201, 200, 422, 200, 200, 415]


@alike("delete")
def _(t):
    key = t.id("p")
    t.put(patient(key))
    for headers in ([("Prefer", "return=OperationOutcome")], []):
        t.delete(f"/Patient/{key}", headers=headers)
    t.put(patient(key))
    t.delete(f"/Patient?identifier={key}")
    t.delete("/Patient?nothing=x")
    return [201, 200, 204, 201, 204, 400]


def entry(method, url, resource=None, **more):
    out = {"request": {"method": method, "url": url, **more}}
    if resource:
        out["resource"] = resource
    return out


@alike("transaction")
def _(t):
    a, b, old = t.id("a"), t.id("b"), t.id("old")
    t.put(patient(old))
    uuid = "urn:uuid:7a1c2a0e-7d7b-4c3d-9d0a-0123456789ab"
    made = entry("POST", "Patient", nameless(person("x")))
    made["fullUrl"] = uuid
    seen = observation("x", "y")
    seen["subject"] = {"reference": uuid}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [
        made, entry("POST", "Observation", nameless(seen)),
        entry("PUT", f"Patient/{a}", person(a)),
        entry("PUT", f"Patient?identifier={b}", patient(b)),
        entry("POST", "Patient", patient(b),
              ifNoneExist=f"identifier={old}"),
        entry("DELETE", f"Patient/{t.id('none')}"),
        entry("GET", f"Patient?_id={a}"), entry("GET", f"Patient/{a}")]}
    for prefer in ("minimal", "representation", "OperationOutcome"):
        t.post("", bundle, headers=[("Prefer", f"return={prefer}")])
    bundle["entry"].append(entry("PUT", f"Patient/{b}", patient(a)))
    t.post("", bundle)
    t.post("", {"resourceType": "Bundle", "type": "document"})
    return [201, 200, 200, 200, 400, 422]


@alike("batch")
def _(t):
    a = t.id("a")
    patch = {"resourceType": "Parameters", "parameter": [{
        "name": "operation", "part": [
            {"name": "type", "valueCode": "delete"},
            {"name": "path", "valueString": "Patient.active"}]}]}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [
        entry("PUT", f"Patient/{a}", person(a)),
        entry("GET", f"Patient/{a}"), entry("GET", f"Patient/{a}/_history"),
        entry("GET", f"Patient/{t.id('none')}"), entry("GET", "Nothing/1"),
        entry("PUT", "Patient/x", patient("y")),
        entry("PATCH", f"Patient/{a}", patch),
        entry("GET", f"Patient/{a}?_summary=true", ifNoneMatch='W/"7"'),
        entry("DELETE", "Patient?nothing=x")]}
    for prefer in ("minimal", "representation", "OperationOutcome"):
        t.post("", bundle, headers=[("Prefer", f"return={prefer}")])
    return [200, 200, 200]


@alike("histories")
def _(t):
    key = t.id("p")
    r = t.put(person(key))
    t.put(patient(key))
    t.delete(f"/Patient/{key}")
    t.put(person(key))
    t.get(f"/Patient/{key}/_history")
    t.get(f"/Patient/{key}/_history?_count=1&_pretty=true")
    t.get(f"/Patient/{t.id('none')}/_history")
    t.get("/Patient/_history?_since=2190")
    t.get("/_history?_since=2190&_summary=text")
    t.get("/_history?_since=x")
    return [201, 200, 204, 201, 200, 200, 404, 200, 200, 400]


@alike("searches")
def _(t):
    a, o = t.id("a"), t.id("o")
    t.put(person(a))
    t.put(observation(o, a))
    for path in (f"/Patient?_id={a}", f"/Patient?_id={a}&_summary=text",
                 f"/Patient?_id={a}&_summary=count",
                 f"/Observation?_id={o}&_elements=value",
                 f"/Patient?_id={t.id('none')}",
                 "/Patient?_id=&nothing=x",
                 f"/Patient?nothing=x&_id={a}"):
        t.get(path)
    t.request("POST", "/Patient/_search", f"_id={a}&_pretty=true".encode(),
              headers=[("Content-Type",
                        "application/x-www-form-urlencoded")])
    t.get(f"/Patient?nothing=x&_id={a}", headers=[
        ("Prefer", "handling=lenient")])
    return [201, 201, 200, 200, 200, 200, 200, 400, 400, 200, 200]


@alike("$everything")
def _(t):
    a, o, e = t.id("a"), t.id("o"), t.id("e")
    t.put(person(a))
    t.put({"resourceType": "Encounter", "id": e, "status": "finished",
           "class": {"code": "AMB"},
           "subject": {"reference": f"Patient/{a}"}})
    t.put(observation(o, a, encounter={"reference": f"Encounter/{e}"}))
    for path in (f"/Patient/{a}", f"/Encounter/{e}",
                 f"/Patient/{t.id('none')}"):
        t.get(f"{path}/$everything")
    t.get(f"/Patient/{a}/$everything?_summary=true&_count=2")
    t.post(f"/Patient/{a}/$everything", {
        "resourceType": "Parameters", "parameter": [
            {"name": "_type", "valueCode": "Observation"},
            {"name": "_since", "valueInstant": "2001-01-01T00:00:00Z"}]})
    return [201, 201, 201, 200, 200, 404, 200, 200]


@alike("$meta, $validate")
def _(t):
    a = t.id("a")
    meta = {"resourceType": "Parameters", "parameter": [{
        "name": "meta", "valueMeta": {
            "tag": [{"system": "urn:example:t", "code": "one"}]}}]}
    t.put(person(a))
    t.post(f"/Patient/{a}/$meta-add", meta)
    t.get(f"/Patient/{a}/$meta")
    t.post(f"/Patient/{a}/$meta-delete", meta)
    t.get(f"/Patient/{a}/$validate")
    t.post("/Patient/$validate", person(a))
    t.post("/Patient/$validate", {"resourceType": "Parameters", "parameter": [
        {"name": "resource", "resource": person(a)}]})
    t.get(f"/Patient/{a}/$nothing")
    return [201, 200, 200, 200, 200, 200, 200, 404]


def terms(t):
    system, other = f"urn:example:{t.id('s')}", "urn:example:other"
    t.put({"resourceType": "CodeSystem", "id": t.id("cs"), "url": system,
           "status": "active", "content": "complete", "concept": [
               {"code": "a", "display": "A", "concept": [
                   {"code": "b", "display": "B"}]}]})
    t.put({"resourceType": "ValueSet", "id": t.id("vs"), "url": system + "vs",
           "status": "active", "compose": {"include": [
               {"system": system}]}})
    t.put({"resourceType": "ConceptMap", "id": t.id("cm"),
           "url": system + "cm", "status": "active",
           "sourceUri": system + "vs", "group": [
               {"source": system, "target": other, "element": [
                   {"code": "a", "target": [
                       {"code": "x", "equivalence": "wider"}]}]}]})
    return system


@alike("the operations of a terminology service")
def _(t):
    system = terms(t)
    coding = {"system": system, "code": "a"}

    def call(path, **values):
        t.post(path, {"resourceType": "Parameters", "parameter": [
            {"name": name, "value" + {"coding": "Coding", "system": "Uri",
                                      "url": "Uri"}.get(name, "Code"): value}
            for name, value in values.items()]})

    t.get(f"/ValueSet/{t.id('vs')}/$expand")
    call("/CodeSystem/$lookup", coding=coding)
    call("/CodeSystem/$subsumes", system=system, codeA="a", codeB="b")
    call("/ValueSet/$validate-code", url=system + "vs", coding=coding)
    call("/CodeSystem/$validate-code", url=system, code="nothing")
    call(f"/ConceptMap/{t.id('cm')}/$translate", coding=coding)
    call("/CodeSystem/$lookup", coding={"system": system, "code": "no"})
    return [201, 201, 201, 200, 200, 200, 200, 200, 200, 404]


@alike("a Binary as a resource")
def _(t):
    key = t.id("b")
    t.put({"resourceType": "Binary", "id": key, "contentType": "text/plain",
           "data": "aGVsbG8="})
    t.get(f"/Binary/{key}")
    t.request("PUT", f"/Binary/{key}", b"raw",
              headers=[("Content-Type", "text/plain")])
    t.get(f"/Binary/{key}")
    t.get(f"/Binary/{key}?_pretty=true")
    t.get(f"/Binary/{key}/_history")
    return [201, 200, 200, 200, 200, 200]


@alike("what a server says of itself, and errors on the way to it")
def _(t):
    p = patient(t.id("p"))
    t.get("/metadata", token=False)
    t.get(f"/Patient/{t.id('p')}", token=False)
    t.put(p, token=t.s.token("system/*.rs"))
    t.get("/Nothing/x")
    t.request("DELETE", "/metadata")
    t.get("/Patient?_count=x")
    t.request("POST", "/Patient", b"{", headers=[
        ("Content-Type", "text/plain")])
    t.post("/Patient", patient("x", note="x" * (9 << 20)))
    return [200, 401, 403, 404, 405, 400, 415, 413]


main()
