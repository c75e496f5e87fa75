#!/usr/bin/python3
"""The RESTful API: CapabilityStatement, create, read, vread, update."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

FHIR_JSON = "application/fhir+json; charset=utf-8"


def refused(r, status, code=None):
    equal(r.status, status, "status")
    equal(r.get("Content-Type"), FHIR_JSON, "media type")
    issue = r.issue()
    equal(issue["severity"], "error", "severity")
    check(issue.get("diagnostics"), "no diagnostics")
    if code:
        equal(issue["code"], code, "issue type")
    return issue["diagnostics"]


@both("the CapabilityStatement needs no token and names this server")
def _(s):
    r = s.get("/metadata", token=False)
    equal(r.status, 200, "status")
    equal(r.get("Content-Type"), FHIR_JSON, "media type")
    statement = r.json()
    equal(statement["resourceType"], "CapabilityStatement", "type")
    equal(statement["fhirVersion"], "4.0.1", "version")
    equal(statement["kind"], "instance", "kind")
    equal(statement["implementation"]["url"], s.stand.base(s.server), "url")
    rest = statement["rest"][0]
    types = {r["type"]: r for r in rest["resource"]}
    check("Patient" in types and "Observation" in types, "resource types")
    codes = {i["code"] for i in types["Patient"]["interaction"]}
    check({"read", "vread", "create", "update", "search-type"} <= codes,
          "interactions")
    params = {p["name"] for p in types["Patient"]["searchParam"]}
    check({"identifier", "family", "given", "name", "_id"} <= params,
          f"search parameters {params}")
    check({"code": "transaction"} in rest["interaction"], "transaction")


@both("HEAD of the CapabilityStatement is GET without the body")
def _(s):
    get, head = s.get("/metadata", token=False), s.head("/metadata",
                                                        token=False)
    equal(head.status, get.status, "status")
    equal(head.get("Content-Length"), str(len(get.body)), "length")


@both("create gives an id, version 1, Location and the resource")
def _(s):
    sent = patient("ignored", "Create")
    r = s.post("/Patient", sent)
    equal(r.status, 201, "status")
    body = r.json()
    check(body["id"] != "ignored", "the client does not choose the id")
    equal(body["meta"]["versionId"], "1", "versionId")
    check(body["meta"]["lastUpdated"].endswith("Z"), "lastUpdated")
    equal(body["name"], sent["name"], "name")
    equal(r.get("ETag"), 'W/"1"', "ETag")
    equal(r.get("Location"), f"{s.stand.base(s.server)}/Patient/{body['id']}"
          "/_history/1", "Location")
    check(r.get("Last-Modified"), "Last-Modified")
    equal(r.get("Cache-Control"), "no-store", "Cache-Control")
    back = s.get(f"/Patient/{body['id']}")
    equal(back.status, 200, "read")
    equal(back.body, r.body, "the same bytes")


@both("Prefer: return=minimal leaves the body out")
def _(s):
    r = s.post("/Patient", patient("x"), headers=[("Prefer",
                                                   "return=minimal")])
    equal((r.status, r.body), (201, b""), "answer")
    check(r.get("Location"), "Location")


@both("update-as-create, update, versions")
def _(s):
    key = s.id("p")
    r = s.put(f"/Patient/{key}", patient(key, "One"))
    equal(r.status, 201, "first")
    equal(r.get("ETag"), 'W/"1"', "ETag")
    r = s.put(f"/Patient/{key}", patient(key, "Two"))
    equal(r.status, 200, "second")
    equal(r.get("ETag"), 'W/"2"', "ETag")
    equal(r.json()["meta"]["versionId"], "2", "versionId")
    for version, family in ((1, "One"), (2, "Two")):
        r = s.get(f"/Patient/{key}/_history/{version}")
        equal(r.status, 200, f"version {version}")
        equal(r.json()["name"][0]["family"], family, "family")
        equal(r.get("ETag"), f'W/"{version}"', "ETag")
    equal(s.get(f"/Patient/{key}").json()["name"][0]["family"], "Two",
          "current")
    for version in ("3", "0", "-1", "x", "99999999999999999999"):
        refused(s.get(f"/Patient/{key}/_history/{version}"), 404)


@both("If-Match: the current version passes, others are 412")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    ok = s.put(f"/Patient/{key}", patient(key, "Two"),
               headers=[("If-Match", 'W/"1"')])
    equal(ok.status, 200, "current")
    for wrong in ('W/"1"', 'W/"3"', '"x"', 'W/"22"'):
        refused(s.put(f"/Patient/{key}", patient(key, "No"),
                      headers=[("If-Match", wrong)]), 412)
    refused(s.put(f"/Patient/{s.id('none')}", patient(s.id("none")),
                  headers=[("If-Match", 'W/"1"')]), 412)
    equal(s.get(f"/Patient/{key}").json()["name"][0]["family"], "Two", "kept")


@both("If-None-Match: 304 without a body for the current version")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    r = s.get(f"/Patient/{key}", headers=[("If-None-Match", 'W/"1"')])
    equal((r.status, r.body), (304, b""), "answer")
    equal(r.get("ETag"), 'W/"1"', "ETag")
    equal(s.get(f"/Patient/{key}",
                headers=[("If-None-Match", 'W/"2"')]).status, 200, "other")


@both("conditional create: If-None-Exist")
def _(s):
    value = s.id("unique")
    condition = [("If-None-Exist",
                  f"identifier=urn:example:mrn|{value}")]
    one = s.post("/Patient", patient("x", value=value), headers=condition)
    equal(one.status, 201, "first")
    two = s.post("/Patient", patient("x", value=value), headers=condition)
    equal(two.status, 200, "second")
    equal(two.json()["id"], one.json()["id"], "the same resource")
    other = s.post("/Patient", patient("x", value=value))
    equal(other.status, 201, "without the condition")
    refused(s.post("/Patient", patient("x", value=value), headers=condition),
            412)


@both("numbers keep their lexemes, text its characters")
def _(s):
    key = s.id("o")
    number = ["1.50", "1e3", "-0.0", "1E-2", "100000000000000000001",
              "0.1000000000000000055511151231257827"]
    parts = ",".join(f'{{"code":{{"text":"c"}},"valueQuantity":'
                     f'{{"value":{n}}}}}' for n in number)
    text = ('{ "resourceType" : "Observation",\n "id":"%s","status":"final",'
            '"code":{"text":"Zoë \\u00e9 \U0001f9ea \\"q\\" \\/ \\ud83e'
            '\\uddea"}, "component":[%s] }' % (key, parts))
    equal(s.put(f"/Observation/{key}", text).status, 201, "put")
    r = s.get(f"/Observation/{key}")
    for n in number:
        check(f'"value":{n}}}'.encode() in r.body, f"{n} is not there")
    check("Zoë \\u00e9 \U0001f9ea \\\"q\\\" \\/ \\ud83e\\uddea".encode()
          in r.body, "the text has changed")
    equal(r.json()["code"]["text"], "Zoë é \U0001f9ea \"q\" / \U0001f9ea",
          "its meaning")


@both("meta of the client is kept, apart from version and time")
def _(s):
    key = s.id("p")
    p = patient(key)
    p["meta"] = {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z",
                 "profile": ["http://example.org/p"],
                 "tag": [{"system": "urn:t", "code": "a"}]}
    meta = s.put(f"/Patient/{key}", p).json()["meta"]
    equal(meta["versionId"], "1", "versionId")
    check(not meta["lastUpdated"].startswith("1999"), "lastUpdated")
    equal(meta["profile"], ["http://example.org/p"], "profile")
    equal(meta["tag"], [{"system": "urn:t", "code": "a"}], "tag")


@both("a body of another id, another type, or without one is 400")
def _(s):
    key = s.id("p")
    refused(s.put(f"/Patient/{key}", patient("other")), 400)
    p = patient(key)
    del p["id"]
    refused(s.put(f"/Patient/{key}", p), 400)
    refused(s.put(f"/Observation/{key}", patient(key)), 400)
    refused(s.post("/Observation", patient(key)), 400)
    refused(s.post("/Patient", {"resourceType": "Nonsense"}), 400)
    refused(s.post("/Patient", {"name": []}), 400)
    refused(s.post("/Patient", "[]"), 400)
    refused(s.get(f"/Patient/{key}"), 404, "not-found")


@both("broken JSON is 400 and says where")
def _(s):
    for text, line in (('{"resourceType":"Patient",\n "id": }', "line 2"),
                       ('{"resourceType":"Patient"', "line 1"),
                       ('{"resourceType":"Patient","active":tru}', "line 1"),
                       ('{"resourceType":"Patient","a":01}', "line 1"),
                       ('{"resourceType":"Patient","a":1,"a":2}', "line 1"),
                       ('{"resourceType":"Patient"} x', "line 1"),
                       ("", "line 1"), ("null", None),
                       ("[" * 5000, "line 1")):
        said = refused(s.post("/Patient", text), 400)
        if line:
            check(line in said and "column" in said, f"{text[:40]!r}: {said}")
    refused(s.post("/Patient", b'{"resourceType":"Patient","x":"\xff\xfe"}'),
            400)


@both("a resource that is not valid: the place is one of what was sent")
def _(s):
    def places(r):
        return [i.get("location") for i in r.json()["issue"]
                if "gender" in i["expression"][0]]

    bad = ('{"resourceType":"Patient",\n "name":[{"family":"\u00e4"}],'
           '"gender":"x"}')
    at = ["line 2, column 35"]
    equal(places(s.post("/Patient", bad)), [at], "a body")
    equal(places(s.post("/Patient", "\n \n " + bad)),
          [["line 4, column 35"]], "white space before it")
    equal(places(s.post("/Patient", " " + bad.replace("\n", ""))),
          [["line 1, column 62"]], "in the first line")
    equal(places(s.post("/Patient/$validate", bad)), [at], "$validate")
    for kind, status in (("transaction", 422), ("batch", 200)):
        r = s.post("", '{"resourceType":"Bundle","type":"%s","entry":[\n'
                   '{"fullUrl":"urn:uuid:7a1c2a0e-7d7b-4c3d-9d0a-0123456789ab'
                   '","resource":%s,\n"request":{"method":"POST",'
                   '"url":"Patient"}}]}' % (kind, bad))
        equal(r.status, status, f"{r}")
        check(b"line 3, column 35" in r.body, f"{kind}: {r.body}")
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    r = s.patch(f"/Patient/{key}", '[{"op":"add","path":"/gender",'
                '"value":"x"}]', headers=[("Content-Type",
                                           "application/json-patch+json")])
    equal(places(r), [None], "a document that was made of a patch")


@both("an unknown type or path is 404")
def _(s):
    for path in ("/Nonsense/1", "/patient/1", "/Patient/1/2", "/Patient/a_b",
                 "/Patient/" + "x" * 65, "/Patient/1/_history/1/2",
                 "/Patient/1/$nonsense", "/Foo"):
        refused(s.get(path), 404)


@both("an unknown id is 404 and its text names only what was asked")
def _(s):
    key = s.id("none")
    said = refused(s.get(f"/Patient/{key}"), 404, "not-found")
    equal(said, f"Patient/{key} is not known", "text")


@both("a body that is no FHIR is 415, an answer that is none 406")
def _(s):
    body = patient("x")
    for kind in ("text/plain", "application/fhir+json; charset=iso-8859-1"):
        refused(s.post("/Patient", body, headers=[("Content-Type", kind)]),
                415)
    for kind in ("application/json", "application/fhir+json; charset=UTF-8"):
        equal(s.post("/Patient", body, headers=[("Content-Type", kind)]
                     ).status, 201, kind)
    refused(s.get("/Patient/x", headers=[("Accept", "text/turtle")]), 406)
    refused(s.get("/metadata", headers=[("Accept", "text/html")]), 406)
    equal(s.get("/metadata?_format=json",
                headers=[("Accept", "text/html")]).status, 200, "_format")


@both("methods that are no interaction are 405 with Allow")
def _(s):
    for method, path, one in (("POST", "/Patient/x", "PUT"),
                              ("PUT", "", "POST"),
                              ("DELETE", "/metadata", "GET"),
                              ("PUT", "/Patient/x/_history/1", "GET"),
                              ("GET", "/Patient/_search", "POST")):
        r = s.request(method, path)
        refused(r, 405, "not-supported")
        check(one in r.get("Allow").split(", "), f"Allow of {path}")
        r = s.request("OPTIONS", path, token=None)
        equal(r.status, 204, f"OPTIONS of {path}")
        check(one in r.get("Allow").split(", "), f"Allow of {path}")


@both("a body over the limit is 413, one at it is judged")
def _(s):
    limit = 8 * 1024 * 1024
    filler = '{"resourceType":"Patient"%s}'
    room = limit - len(filler) + 2
    r = s.post("/Patient", filler % (" " * room), note=False)
    equal(r.status, 201, "at the limit")
    refused(s.post("/Patient", filler % (" " * (room + 1)), note=False), 413)
    refused(s.post("/Patient", filler % (" " * (2 * limit)), note=False), 413)


@both("a chunked body is taken, and refused over the limit")
def _(s):
    def chunked(data, size):
        parts = [data[i:i + size] for i in range(0, len(data), size)]
        return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) \
            + b"0\r\n\r\n"

    headers = [("Transfer-Encoding", "chunked"),
               ("Content-Type", "application/fhir+json")]
    key = s.id("p")
    small = json.dumps(patient(key)).encode()
    equal(s.put(f"/Patient/{key}", chunked(small, 7), headers=headers).status,
          201, "small")
    large = (b'{"resourceType":"Patient","language":"%s"}'
             % (b"x" * (9 * 1024 * 1024)))
    refused(s.request("POST", "/Patient", chunked(large, 65536),
                      headers=headers, note=False), 413)


@both("HEAD is GET without the body, also where it fails")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    for path in (f"/Patient/{key}", f"/Patient/{key}/_history/1",
                 f"/Patient/{s.id('none')}", "/Nonsense/1",
                 f"/Patient?_id={key}", "/Patient?nonsense=1"):
        get, head = s.get(path), s.head(path)
        equal(head.status, get.status, path)
        equal(head.body, b"", "body")
        wanted = [(n.lower(), v) for n, v in get.headers
                  if n.lower() not in ("date", "connection", "keep-alive")]
        got = [(n.lower(), v) for n, v in head.headers
               if n.lower() not in ("date", "connection", "keep-alive")]
        equal(sorted(got), sorted(wanted), f"headers of {path}")


@both("a large resource comes back as it went")
def _(s):
    key = s.id("b")
    extension = [{"url": f"http://example.org/{i}", "valueString": "ä" * 100}
                 for i in range(4000)]
    p = patient(key, extension=extension)
    equal(s.put(f"/Patient/{key}", p, note=False).status, 201, "put")
    r = s.get(f"/Patient/{key}", note=False)
    equal(r.json()["extension"], extension, "extension")


@both("If-Modified-Since, Range and odd headers change nothing")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    plain = s.get(f"/Patient/{key}")
    for headers in ([("Range", "bytes=0-9")],
                    [("Accept-Encoding", "gzip")],
                    [("X-Forwarded-For", "10.0.0.1")],
                    [("Expect", "100-continue")]):
        r = s.get(f"/Patient/{key}", headers=headers)
        equal((r.status, r.body), (200, plain.body), str(headers))


@both("many requests on one connection, pipelined ones in order")
def _(s):
    keys = [s.id(f"p{i}") for i in range(10)]
    s.seed(*[patient(k) for k in keys])
    c = s.connection()
    token = s.token()
    for key in keys:
        c.send("GET", f"/fhir/Patient/{key}",
               [("Authorization", f"Bearer {token}")])
    for key in keys:
        equal(c.receive().json()["id"], key, "order")


main()
