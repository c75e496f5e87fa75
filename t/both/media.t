#!/usr/bin/python3
"""Media types: JSON and XML in and out, which is chosen, and how much of a
resource is sent."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import link, observation, patient                  # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

JSON = "application/fhir+json; charset=utf-8"
XML = "application/fhir+xml; charset=utf-8"
NS = "{http://hl7.org/fhir}"
XHTML = "http://www.w3.org/1999/xhtml"
DIV = f'<div xmlns="{XHTML}"><p class="a">One &amp; <b>two</b></p></div>'
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/"
                       "v3-ObservationValue", "code": "SUBSETTED"}


def xml(r):
    """The root of an XML answer."""
    equal(r.get("Content-Type"), XML, "media type")
    return ET.fromstring(r.body)


def value(root, path):
    found = root.find("/".join(NS + part for part in path.split("/")))
    return None if found is None else found.get("value")


def refused(r, status, kind=JSON):
    equal(r.status, status, "status")
    equal(r.get("Content-Type"), kind, "media type")
    if kind == XML:
        equal(xml(r).tag, NS + "OperationOutcome", "root")
        return value(xml(r), "issue/diagnostics")
    return r.issue()["diagnostics"]


def person(s, name="p"):
    """One with most of what is hard about the two forms."""
    key = s.id(name)
    body = patient(key, "Fa\"mi<l&y", ("A", "B"), active=True,
                   text={"status": "generated", "div": DIV},
                   birthDate="1970-03-30", multipleBirthInteger=2)
    body["name"][0]["_given"] = [None, {"id": "g2"}]
    body["_birthDate"] = {"extension": [{"url": "urn:example:time",
                                         "valueDecimal": 0}]}
    body["contained"] = [{"resourceType": "Organization", "id": "o",
                          "name": "In\nside"}]
    body["contact"] = [{"organization": {"reference": "#o"}}]
    # a lexeme that no number of Python's keeps
    text = json.dumps(body).replace('"valueDecimal": 0',
                                    '"valueDecimal": 1.50E-2')
    r = s.put(f"/Patient/{key}", text)
    equal(r.status, 201, f"{r}")
    return key, r


@both("what is sent as JSON is read as XML, and comes back as it was")
def _(s):
    key, sent = person(s)
    r = s.get(f"/Patient/{key}", headers=[("Accept", "application/fhir+xml")])
    equal(r.status, 200, "status")
    root = xml(r)
    equal(root.tag, NS + "Patient", "root")
    equal(value(root, "id"), key, "id")
    equal(value(root, "meta/versionId"), "1", "version")
    equal(value(root, "name/family"), "Fa\"mi<l&y", "family")
    equal(value(root, "contained/Organization/name"), "In\nside", "contained")
    equal([c.tag for c in root][:4], [NS + "id", NS + "meta", NS + "text",
                                      NS + "contained"], "order")
    check(b'<valueDecimal value="1.50E-2"/>' in r.body, "the lexeme")
    check(DIV.encode() in r.body, "the div, byte for byte")
    check(b'<given value="B" id="g2"/>' in r.body, "id of a primitive")

    back = s.put(f"/Patient/{key}", r.body,
                 headers=[("Content-Type", "application/fhir+xml")])
    equal(back.status, 200, f"{back}")
    now, then = back.json(), sent.json()
    equal(now["meta"]["versionId"], "2", "version")
    for body in (now, then):
        del body["meta"]
    equal(now, then, "there and back")
    check(b'"valueDecimal":1.50E-2' in back.body.replace(b": ", b":"),
          "the lexeme")


@both("create and update take XML and answer in what is accepted")
def _(s):
    body = (f'<Patient xmlns="http://hl7.org/fhir"><!-- c -->'
            f'<text><status value="generated"/>{DIV}</text>'
            f'<name><family value="Sent as XML"/></name></Patient>').encode()
    kinds = [("Content-Type", "application/fhir+xml; charset=UTF-8")]
    r = s.post("/Patient", body, headers=kinds)
    equal(r.status, 201, f"{r}")
    equal(r.get("Content-Type"), JSON, "media type")
    equal(r.json()["text"]["div"], DIV, "div")
    r = s.post("/Patient", body,
               headers=kinds + [("Accept", "application/fhir+xml")])
    equal(r.status, 201, f"{r}")
    equal(value(xml(r), "name/family"), "Sent as XML", "family")
    equal(value(xml(r), "meta/versionId"), "1", "version")
    for kind in ("application/xml", "text/xml", "application/xml+fhir",
                 "application/fhir+xml; fhirVersion=4.0"):
        equal(s.post("/Patient", body, headers=[("Content-Type", kind)]
                     ).status, 201, kind)
    r = s.post("/Patient", body, headers=kinds + [("Prefer",
                                                   "return=minimal")])
    equal((r.status, r.body), (201, b""), "minimal")


@both("a transaction may be XML, and so may its answer")
def _(s):
    body = (f'<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/>'
            f'<entry><fullUrl value="urn:uuid:0c3151bd-1cbf-4d64-b04d-'
            f'cd9187a4c6e0"/><resource><Patient><name><family value="T"/>'
            f'</name></Patient></resource><request><method value="POST"/>'
            f'<url value="Patient"/></request></entry></Bundle>').encode()
    r = s.post("/", body, headers=[("Content-Type", "application/fhir+xml"),
                                   ("Accept", "application/fhir+xml")])
    equal(r.status, 200, f"{r}")
    equal(xml(r).tag, NS + "Bundle", "root")
    equal(value(xml(r), "type"), "transaction-response", "type")
    check(value(xml(r), "entry/response/status").startswith("201"), "status")


@both("XML that is wrong is refused with its place")
def _(s):
    head = [("Content-Type", "application/fhir+xml")]
    ns = 'xmlns="http://hl7.org/fhir"'
    for body, where in (
            (f"<Patient {ns}><name>", None),
            (f"<Patient {ns}><foo/></Patient>", "Patient"),
            (f"<Patient {ns}><name><given value='a'/><x/></name></Patient>",
             "Patient.name[0]"),
            ("<Patient/>", None),
            (f"<!DOCTYPE Patient [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
             f"<Patient {ns}><id value='&a;'/></Patient>", None),
            (f"<Patient {ns}><language value='&b;'/></Patient>", None)):
        r = s.post("/Patient", body.encode(), headers=head)
        equal(r.status, 400, body)
        issue = r.issue()
        check("line 1" in issue["diagnostics"], f"line: {issue}")
        equal(issue.get("expression"), [where] if where else None, body)
        check(b"root:" not in r.body, "an entity was read")
    deep = f"<Questionnaire {ns}>" + "<item>" * 500
    equal(s.post("/Questionnaire", deep.encode(), headers=head).status, 413,
          "depth")
    many = f"<Patient {ns} " + " ".join(f"a{i}='1'" for i in range(100)) + "/>"
    equal(s.post("/Patient", many.encode(), headers=head).status, 413,
          "attributes")
    said = refused(s.post("/Patient", b"<Patient/>", headers=head + [
        ("Accept", "application/fhir+xml")]), 400, XML)
    check("namespace" in said, said)
    equal(s.post("/Patient", patient("x"), headers=head).status, 400,
          "JSON under the name of XML")


@both("what JSON has no place for is left out, or refused if that is asked for")
def _(s):
    kinds = [("Content-Type", "application/fhir+xml")]
    strict = kinds + [("Prefer", "return=minimal, handling=strict")]
    ns = 'xmlns="http://hl7.org/fhir"'
    kept = (f'<Patient {ns}><text><status value="generated"/><div xmlns='
            f'"{XHTML}"><!-- in it -->x</div></text>'
            '<active value="true"/><gender value="male"/></Patient>')
    r = s.post("/Patient", kept.encode(), headers=kinds)
    check("<!-- in it -->x" in r.json()["text"]["div"],
          "narrative is kept as it is")
    equal(s.post("/Patient", kept.encode(), headers=strict).status, 201,
          "nothing is lost")
    active, gender = '<active value="true"/>', '<gender value="male"/>'
    for lost, where in (
            (kept.replace(active, active + "<!-- lost -->"), "Patient"),
            (kept.replace(active, active + "<?lost?>"), "Patient"),
            (kept.replace(active + gender, gender + active), "Patient"),
            (kept.replace(ns, f'{ns} xmlns:xsi="http://www.w3.org/2001/'
                              'XMLSchema-instance" xsi:schemaLocation="a b"'),
             "Patient")):
        r = s.post("/Patient", lost.encode(), headers=kinds)
        equal(r.status, 201, f"{r}")
        check(b"lost" not in r.body, "a comment came back")
        r = s.post("/Patient", lost.encode(), headers=strict)
        refused(r, 400)
        check(r.issue()["expression"][0].startswith(where), f"{r}")


@both("which of the two is sent, by Accept")
def _(s):
    key, _ = person(s)
    plain_json, plain_xml = ("application/json; charset=utf-8",
                             "application/xml; charset=utf-8")
    version = "application/fhir+xml; fhirVersion=4.0; charset=utf-8"
    for accept, kind in (
            ("*/*", JSON), ("application/*", JSON), ("", JSON),
            ("application/fhir+json", JSON), ("application/fhir+xml", XML),
            ("Application/FHIR+XML", XML),
            ("application/fhir+xml, application/fhir+json", JSON),
            ("application/fhir+xml, */*", XML),
            ("application/fhir+xml;q=0.5, application/fhir+json;q=0.4", XML),
            ("application/fhir+xml;q=0.5, application/fhir+json;q=0.501",
             JSON),
            ("*/*;q=0.1, application/fhir+json;q=0", plain_json),
            ("*/*, application/fhir+json;q=0, application/json;q=0, text/*;"
             "q=0, application/json+fhir;q=0", XML),
            ("text/html, application/xhtml+xml, application/xml;q=0.9, "
             "*/*;q=0.8", plain_xml),
            ("application/json", plain_json), ("application/xml", plain_xml),
            ("text/xml", "text/xml; charset=utf-8"),
            ("text/json", "text/json; charset=utf-8"),
            ("application/xml+fhir", XML), ("application/json+fhir", JSON),
            ("application/xml, application/json;q=0.5", plain_xml),
            ("text/turtle, application/fhir+xml;q=0.1", XML),
            ("application/fhir+xml; charset=utf-8", XML),
            ("application/fhir+xml; fhirVersion=4.0", version),
            ("application/fhir+xml; fhirVersion=3.0, "
             "application/fhir+json;q=0.1", JSON)):
        r = s.get(f"/Patient/{key}", headers=[("Accept", accept)])
        equal((r.status, r.get("Content-Type")), (200, kind), accept)
        equal(r.body[:1], b"<" if "xml" in kind else b"{", accept)
        equal(r.get("Vary"), "Accept", accept)
    r = s.get(f"/Patient/{key}", headers=[("Accept", "text/turtle"), (
        "Accept", "application/fhir+xml")])
    equal(r.get("Content-Type"), XML, "two headers")
    for accept in ("text/turtle", "text/html", "application/fhir+xml;q=0",
                   "application/fhir+json; fhirVersion=3.0",
                   "application/fhir+json; charset=iso-8859-1",
                   "application/fhir+json;q=x", "json"):
        refused(s.get(f"/Patient/{key}", headers=[("Accept", accept)]), 406)


@both("_format has precedence over Accept")
def _(s):
    key, _ = person(s)
    for text, kind in (
            ("xml", XML), ("json", JSON), ("application/fhir%2Bxml", XML),
            ("application/fhir+xml", XML), ("application%2Fxml", XML),
            ("text/xml", XML), ("text/json", JSON),
            ("application/json", JSON), ("application/fhir+json", JSON),
            ("application/fhir+json;fhirVersion=4.0",
             "application/fhir+json; fhirVersion=4.0; charset=utf-8")):
        for accept in ("text/turtle", "application/fhir+json",
                       "application/fhir+xml"):
            r = s.get(f"/Patient/{key}?_format={text}",
                      headers=[("Accept", accept)])
            equal((r.status, r.get("Content-Type")), (200, kind), text)
    for text in ("html", "ttl", "application/fhir+json;fhirVersion=5.0",
                 "application/fhir%20%20xml"):
        refused(s.get(f"/Patient/{key}?_format={text}"), 406)
    r = s.post("/Patient/_search", f"_id={key}&_format=xml".encode(),
               headers=[("Content-Type",
                         "application/x-www-form-urlencoded")])
    equal(value(xml(r), "entry/resource/Patient/id"), key, "of a form")


@both("bodies of other types, character sets and versions are 415")
def _(s):
    for kind in ("text/plain", "application/fhir+turtle", "xml", "json",
                 "application/fhir+xml; charset=iso-8859-1",
                 "application/fhir+json; charset=utf-16",
                 "application/fhir+json; fhirVersion=3.0",
                 "application/fhir+xml; fhirVersion=\"5.0\""):
        refused(s.post("/Patient", patient("x"),
                       headers=[("Content-Type", kind)]), 415)
    for kind in ("application/fhir+json; fhirVersion=4.0",
                 "application/fhir+json; fhirVersion=\"4.0\"; charset=UTF-8",
                 "APPLICATION/JSON;charset=utf8"):
        equal(s.post("/Patient", patient("x"),
                     headers=[("Content-Type", kind)]).status, 201, kind)


@both("every error is in the form that was asked for")
def _(s):
    head = [("Accept", "application/fhir+xml")]
    refused(s.get(f"/Patient/{s.id('no')}", headers=head), 404, XML)
    refused(s.get("/Nothing/1", headers=head), 404, XML)
    refused(s.get("/Nothing/1?_format=xml"), 404, XML)
    refused(s.get("/Patient/1", headers=head, token=False), 401, XML)
    refused(s.get("/Patient/1", headers=head, token="x"), 401, XML)
    refused(s.request("DELETE", "/metadata", headers=head), 405, XML)
    refused(s.get("/Patient?unknown=%3C%26%22x%3E", headers=head), 400, XML)
    refused(s.put(f"/Patient/{s.id('a')}", patient("b"), headers=head), 400,
            XML)
    refused(s.get("/Patient/1", headers=head,
                  token=s.token("system/Observation.rs")), 403, XML)
    r = s.get("/Patient?unknown%01=x", headers=head)
    equal(r.status, 400, "XML has no such character")
    equal(r.get("Content-Type"), JSON, "so it is JSON")


@both("the validators are the same for both forms")
def _(s):
    key, _ = person(s)
    head = [("Accept", "application/fhir+xml")]
    a, b = s.get(f"/Patient/{key}"), s.get(f"/Patient/{key}", headers=head)
    equal(a.get("ETag"), 'W/"1"', "ETag")
    equal(b.get("ETag"), 'W/"1"', "ETag of XML")
    equal(a.get("Last-Modified"), b.get("Last-Modified"), "Last-Modified")
    for more in ([], head):
        r = s.get(f"/Patient/{key}", headers=more + [("If-None-Match",
                                                      'W/"1"')])
        equal((r.status, r.body, r.get("ETag"), r.get("Vary")),
              (304, b"", 'W/"1"', "Accept"), "304")
    head_xml = s.head(f"/Patient/{key}", headers=head)
    equal(head_xml.get("Content-Length"), str(len(b.body)), "HEAD")
    equal(head_xml.get("Content-Type"), XML, "HEAD")


@both("vread and search as XML")
def _(s):
    key, _ = person(s)
    head = [("Accept", "application/fhir+xml")]
    r = s.get(f"/Patient/{key}/_history/1", headers=head)
    equal(value(xml(r), "meta/versionId"), "1", "vread")
    r = s.get(f"/Patient?_id={key}", headers=head)
    equal(r.status, 200, "search")
    equal(value(xml(r), "total"), "1", "total")
    equal(value(xml(r), "entry/resource/Patient/name/family"),
          "Fa\"mi<l&y", "family")
    equal(value(xml(r), "entry/search/mode"), "match", "mode")


@both("what XML cannot hold is refused, not left out")
def _(s):
    key = s.id("odd")
    path = s.stand.dir / "tmp" / f"{key}.ndjson"
    path.write_text(json.dumps({"resourceType": "Basic", "id": key,
                                "odd": "one"}) + "\n")
    path.chmod(0o644)
    s.stand.hiectl("load", "--no-validation", path)
    said = refused(s.get(f"/Basic/{key}?_format=xml"), 406, XML)
    check("odd" in said, said)
    equal(s.get(f"/Basic/{key}").status, 200, "as JSON it is there")


@both("_pretty moves white space only")
def _(s):
    key, _ = person(s)
    plain, pretty = s.get(f"/Patient/{key}"), s.get(f"/Patient/{key}"
                                                    "?_pretty=true")
    equal(pretty.json(), plain.json(), "value")
    check(b'\n  "id": "' in pretty.body, "lines")
    check(b"1.50E-2" in pretty.body, "the lexeme")
    equal(s.get(f"/Patient/{key}?_pretty=false").body, plain.body, "false")
    r = s.get(f"/Patient/{key}?_pretty=true&_format=xml")
    check(b'\n  <id value="' in r.body, "XML")
    check(DIV.encode() in r.body, "the div as it is")
    check(b"\n    " in s.get("/metadata?_pretty=true", token=False).body,
          "metadata")


def tags(resource):
    return resource["meta"].get("tag", [])


@both("_summary of a read")
def _(s):
    key, sent = person(s)
    whole = sent.json()
    r = s.get(f"/Patient/{key}?_summary=true").json()
    equal(sorted(r), ["active", "birthDate", "id", "identifier", "meta",
                      "name", "resourceType"], "true")
    equal(tags(r), [SUBSETTED], "tag")
    r = s.get(f"/Patient/{key}?_summary=text").json()
    equal(sorted(r), ["id", "meta", "resourceType", "text"], "text")
    equal(r["text"]["div"], DIV, "div")
    r = s.get(f"/Patient/{key}?_summary=data").json()
    check("text" not in r and tags(r) == [SUBSETTED], "data")
    equal(len(r), len(whole) - 1, "data has all but text")
    r = s.get(f"/Patient/{key}?_summary=false")
    equal(r.json(), whole, "false")
    for bad in ("count", "yes", "True"):
        refused(s.get(f"/Patient/{key}?_summary={bad}"), 400)
    r = s.get(f"/Patient/{key}?_summary=text&_format=xml")
    equal([c.tag for c in xml(r)], [NS + "id", NS + "meta", NS + "text"],
          "as XML")
    equal(value(xml(r), "meta/tag/code"), "SUBSETTED", "tag")
    equal(r.get("ETag"), 'W/"1"', "ETag")
    equal(s.get(f"/Patient/{key}").json(), whole, "what is stored is whole")


@both("_elements of a read, a create and an update")
def _(s):
    key, _ = person(s)
    r = s.get(f"/Patient/{key}?_elements=name,birthDate").json()
    equal(sorted(r), ["_birthDate", "birthDate", "id", "meta", "name",
                      "resourceType"], "elements")
    equal(tags(r), [SUBSETTED], "tag")
    o = s.id("o")
    r = s.put(f"/Observation/{o}?_elements=value", observation(o, key))
    equal(r.status, 201, "update")
    equal(sorted(r.json()), ["code", "id", "meta", "resourceType", "status",
                             "valueQuantity"], "mandatory ones stay")
    r = s.post("/Patient?_elements=active", patient("x"))
    equal(r.status, 201, "create")
    equal(sorted(r.json()), ["id", "meta", "resourceType"], "create")
    refused(s.get(f"/Patient/{key}?_elements=name&_summary=true"), 400)
    r = s.get(f"/Patient/{key}?_elements=name,birthDate",
              headers=[("If-None-Match", 'W/"1"')])
    equal(r.status, 304, "304")


@both("_summary and _elements of a search")
def _(s):
    key, _ = person(s)
    for query in ("_elements=birthDate", "_summary=text", "_summary=true",
                  "_summary=data"):
        r = s.get(f"/Patient?_id={key}&{query}")
        equal(r.status, 200, f"{r}")
        bundle = r.json()
        check("tag" not in bundle.get("meta", {}), "the Bundle is whole")
        (entry,) = bundle["entry"]
        equal(tags(entry["resource"]), [SUBSETTED], query)
        equal(entry["search"], {"mode": "match"}, query)
        (self,) = [x["url"] for x in bundle["link"]
                   if x["relation"] == "self"]
        check(query in self, self)
    r = s.get(f"/Patient?_id={key}&_elements=birthDate").json()
    equal(sorted(r["entry"][0]["resource"]),
          ["_birthDate", "birthDate", "id", "meta", "resourceType"],
          "elements")
    r = s.get(f"/Patient?_id={key}&_summary=count").json()
    equal((r["total"], "entry" in r), (1, False), "count")
    refused(s.get(f"/Patient?_id={key}&_summary=some"), 400)


def chart(s):
    """A patient with a practitioner, an encounter and an observation."""
    p, e, o, d = (s.id(name) for name in "peod")
    s.seed({"resourceType": "Practitioner", "id": d, "active": True,
            "name": [{"family": "D"}]},
           patient(p, active=True, generalPractitioner=[
               {"reference": f"Practitioner/{d}"}]),
           {"resourceType": "Encounter", "id": e, "status": "finished",
            "class": {"code": "AMB"}, "priority": {"text": "soon"},
            "subject": {"reference": f"Patient/{p}"}},
           observation(o, p, encounter={"reference": f"Encounter/{e}"},
                       note=[{"text": "n"}]))
    return p, e, o, d


def parts(r):
    """The members of every resource of a page, by its type; all of them
    are parts."""
    equal(r.status, 200, f"{r}")
    out = {}
    for entry in r.json()["entry"]:
        resource = entry["resource"]
        whole = {"resourceType", "id", "meta"}
        check(whole <= set(resource), f"{resource}")
        if tags(resource) == [SUBSETTED]:
            out[resource["resourceType"]] = sorted(set(resource) - whole)
        else:
            out[resource["resourceType"]] = "whole"
    return out


@both("_summary and _elements of $everything")
def _(s):
    p, e, o, d = chart(s)
    of_patient, of_encounter = (f"/Patient/{p}/$everything",
                                f"/Encounter/{e}/$everything")
    for names in ("active,Observation.note,nothing", "active,note.text",
                  "Patient.active,,note"):
        equal(parts(s.get(f"{of_patient}?_elements={names}")),
              {"Patient": ["active"], "Practitioner": "whole",
               "Encounter": ["class", "status"],
               "Observation": ["code", "note", "status"]}, names)
    equal(parts(s.get(f"{of_patient}?_elements=active&_elements=note")),
          {"Patient": ["active"], "Practitioner": "whole",
           "Encounter": ["class", "status"],
           "Observation": ["code", "note", "status"]}, "two lists")
    equal(parts(s.get(f"{of_encounter}?_elements=nothing")),
          {"Encounter": ["class", "status"],
           "Observation": ["code", "status"]}, "an unknown name")
    equal(parts(s.get(f"{of_patient}?_summary=text")),
          {"Patient": [], "Practitioner": [], "Encounter": ["class", "status"],
           "Observation": ["code", "status"]}, "text")
    equal(parts(s.get(f"{of_encounter}?_summary=true"))["Encounter"],
          ["class", "status", "subject"], "summary")
    r = s.get(f"{of_patient}?_summary=text&_pretty=true")
    check(b'\n  "type": "searchset"' in r.body, "pretty")
    r = s.get(f"{of_patient}?_summary=text&_format=xml")
    check(value(xml(r), "entry/resource/Patient/id") == p, "XML")
    check(value(xml(r), "entry/resource/Patient/active") is None, "XML")
    refused(s.get(f"{of_patient}?_elements=a&_summary=true"), 400)
    refused(s.get(f"{of_patient}?_summary=count"), 400)


@both("_elements of a POSTed $everything goes on over its pages")
def _(s):
    p, e, o, d = chart(s)
    body = {"resourceType": "Parameters", "parameter": [
        {"name": "_elements", "valueString": "active"},
        {"name": "_count", "valueInteger": 3}]}
    r = s.post(f"/Patient/{p}/$everything", body)
    equal(parts(r), {"Patient": ["active"], "Encounter": ["class", "status"],
                     "Observation": ["code", "status"]}, "first")
    path = link(r, "next").split("/fhir", 1)[1]
    check("_elements=active" in path, path)
    equal(parts(s.get(path)), {"Practitioner": "whole"}, "an included one")
    body["parameter"][0] = {"name": "_summary", "valueCode": "some"}
    refused(s.post(f"/Patient/{p}/$everything", body), 400)


@both("_summary and _elements of histories")
def _(s):
    p, e, o, d = chart(s)
    s.seed(patient(p, active=False))
    s.delete(f"/Observation/{o}")
    since = s.get(f"/Practitioner/{d}", note=False).json()["meta"][
        "lastUpdated"]
    for path in (f"/Patient/{p}/_history?", f"/Patient/_history?_since={since}"
                 "&", f"/_history?_since={since}&"):
        r = s.get(f"{path}_elements=active,nothing", note=False)
        entries = [x for x in r.json()["entry"] if s.key in x["fullUrl"]]
        got = [x["resource"] for x in entries if "resource" in x
               and x["resource"]["resourceType"] == "Patient"]
        equal([(x["meta"]["versionId"], x["active"], sorted(x), tags(x))
               for x in got],
              [(version, version == "1", ["active", "id", "meta",
                                          "resourceType"], [SUBSETTED])
               for version in "21"], path)
    equal(entries[0]["request"]["method"], "DELETE", "a deletion stays")
    check("resource" not in entries[0], "without a resource")
    r = s.get(f"/Patient/{p}/_history?_summary=text&_pretty=true")
    equal(parts(r), {"Patient": []}, "text")
    check(b'\n  "type": "history"' in r.body, "pretty")


@both("_elements of the value set that $expand answers with")
def _(s):
    key = s.id("v")
    s.seed({"resourceType": "ValueSet", "id": key, "status": "active",
            "url": f"urn:example:{key}", "name": "V", "compose": {
                "include": [{"system": "urn:example:s",
                             "concept": [{"code": "a"}]}]}})
    r = s.get(f"/ValueSet/{key}/$expand?_elements=expansion")
    equal(r.status, 200, f"{r}")
    equal(sorted(set(r.json()) - {"id", "meta"}),
          ["expansion", "resourceType", "status"], "members")
    equal(tags(r.json()), [SUBSETTED], "tag")
    r = s.get(f"/ValueSet/{key}/$meta?_elements=expansion")
    check("tag" not in r.json()["parameter"][0]["valueMeta"], "$meta")


@both("each entry of a batch has its own")
def _(s):
    p, e, o, d = chart(s)
    r = s.post("", {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": url}} for url in (
            f"Patient/{p}?_elements=active", f"Patient/{p}",
            f"Patient/{p}/$everything?_summary=text")]})
    equal(r.status, 200, f"{r}")
    part, whole, page = (x["resource"] for x in r.json()["entry"])
    equal((tags(part), "name" in part), ([SUBSETTED], False), "a part")
    equal((tags(whole), "name" in whole), ([], True), "the whole")
    equal([tags(x["resource"]) for x in page["entry"]], [[SUBSETTED]] * 4,
          "a page")


@both("the CapabilityStatement names both and is both")
def _(s):
    r = s.get("/metadata", token=False)
    equal(set(r.json()["format"]), {"application/fhir+json", "json",
                                    "application/fhir+xml", "xml"}, "format")
    r = s.get("/metadata?_format=xml", token=False)
    equal(xml(r).tag, NS + "CapabilityStatement", "root")
    equal(value(xml(r), "fhirVersion"), "4.0.1", "version")


main()
