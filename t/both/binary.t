#!/usr/bin/python3
"""Binary: raw content in and out, as it is and as base64; who may see it; how
much memory a large one takes (HIE_TEST_FULL=1: 200 MB)."""

import base64
import gzip
import hashlib
import os
import random
import re
import socket
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, observation, patient               # noqa: E402
from hie.process import wait_until                               # noqa: E402
from hie.tap import (both, check, equal, main, own_stand,        # noqa: E402
                     started)

M = 1024 * 1024
LARGE = (200 if os.environ.get("HIE_TEST_FULL") == "1" else 20) * M
LIMIT = 260 * M
FHIR = ("Accept", "application/fhir+json")
PDF = ("Content-Type", "application/pdf")
A, B = "Organization/clinic-a", "Organization/clinic-b"

CONTENT = b"%PDF-1.4\n" + random.Random(1).randbytes(1000)
MIDDLE = random.Random(2).randbytes(700001)      # three chunks, not by three


def put(s, key, content, *headers, **more):
    return s.request("PUT", f"/Binary/{key}", content,
                     headers=[PDF, *headers], **more)


def document(r):
    equal(r.status, 200, "status")
    equal(r.get("Content-Type"), "application/fhir+json; charset=utf-8",
          "Content-Type")
    return r.json()


# Large ones: in pieces here too.

def piece(n):
    return hashlib.sha256(b"%d" % n).digest() * 2048             # 64 kB


def upload(s, method, path, size, *headers, hasher=None, stop=None):
    """Sends `size` bytes; the status, or None after `stop` of them."""
    c = socket.create_connection(("127.0.0.1", s.stand.ports[s.server]), 120)
    lines = [f"{method} /fhir{path} HTTP/1.1", "Host: x",
             f"Authorization: Bearer {s.token()}", f"Content-Length: {size}",
             "Content-Type: application/octet-stream", "Connection: close",
             *headers, "", ""]
    c.sendall("\r\n".join(lines).encode())
    sent = n = 0
    while sent < (size if stop is None else stop):
        data = piece(n)[:size - sent]
        if hasher:
            hasher.update(data)
        c.sendall(data)
        sent += len(data)
        n += 1
    if stop is not None:
        reset(c)
        return None
    head = b""
    while b"\r\n\r\n" not in head:
        data = c.recv(65536)
        check(data, f"closed after {head!r}")
        head += data
    c.close()
    return int(head.split()[1])


def download(s, path, *headers, stop=None):
    """Status, and digest and length of the body."""
    c = socket.create_connection(("127.0.0.1", s.stand.ports[s.server]), 120)
    lines = [f"GET /fhir{path} HTTP/1.1", "Host: x", "Connection: close",
             f"Authorization: Bearer {s.token()}", *headers, "", ""]
    c.sendall("\r\n".join(lines).encode())
    head, count, digest = b"", 0, hashlib.sha256()
    while b"\r\n\r\n" not in head:
        data = c.recv(65536)
        check(data, f"closed after {head!r}")
        head += data
    head, _, rest = head.partition(b"\r\n\r\n")
    while rest:
        digest.update(rest)
        count += len(rest)
        if stop is not None and count > stop:
            reset(c)
            return None
        rest = c.recv(262144)
    c.close()
    return int(head.split()[1]), digest.hexdigest(), count


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()


def workers(s):
    return (s.stand.nginx if s.server == "nginx" else s.stand.httpd).workers()


def peak(s):
    """The most that the server's processes have had in memory, in bytes."""
    total = 0
    for pid in workers(s):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                total += int(line.split()[1]) * 1024
    return total


def reset_peak(s):
    for pid in workers(s):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def spools(s):
    """Descriptors of temporary files in all processes of the server."""
    count = 0
    for pid in workers(s):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                name = os.readlink(fd)
            except OSError:
                continue
            count += "(deleted)" in name and ("/hie-0" in name
                                              or "client_body" in name)
    return count


@both("raw content comes back as it went in")
def _(s):
    key = s.id("b")
    for content in (CONTENT, b"", MIDDLE, b"x"):
        r = put(s, key, content, note=False)
        check(r.status in (200, 201), f"PUT: {r}")
        equal(r.json().get("contentType"), "application/pdf", "contentType")
        check("data" not in r.json(), "the answer repeats the content")
        for accept in ([], [("Accept", "*/*")], [("Accept", "image/png")]):
            r = s.get(f"/Binary/{key}", headers=accept, note=False)
            equal(r.status, 200, "status")
            check(r.body == content, "another content")
            equal(r.get("Content-Type"), "application/pdf", "Content-Type")
            equal(r.get("Content-Length"), str(len(content)), "length")
        r = s.get(f"/Binary/{key}", headers=[FHIR], note=False)
        d = document(r)
        equal((d["resourceType"], d["id"]), ("Binary", key), "resource")
        check(base64.b64decode(d["data"], validate=True) == content, "data")
        r = s.head(f"/Binary/{key}", headers=[FHIR], note=False)
        equal(r.get("Content-Length"),
              str(len(s.get(f"/Binary/{key}", headers=[FHIR],
                            note=False).body)), "length by HEAD")


@both("a browser does not run it")
def _(s):
    key = s.id("b")
    s.request("PUT", f"/Binary/{key}", b"<script>alert(1)</script>",
              headers=[("Content-Type", "text/html")])
    r = s.get(f"/Binary/{key}")
    equal(r.get("Content-Type"), "text/html", "Content-Type")
    equal(r.get("X-Content-Type-Options"), "nosniff", "nosniff")
    equal(r.get("Content-Disposition"), "attachment", "disposition")
    check("sandbox" in r.get("Content-Security-Policy"), "CSP")
    equal(r.get("Cache-Control"), "no-store", "Cache-Control")


@both("POST: id, Location, versions, HEAD, 304, _format")
def _(s):
    r = s.post("/Binary", CONTENT, headers=[PDF], note=False)
    equal(r.status, 201, "status")
    key = r.json()["id"]
    check(r.get("Location").endswith(f"/Binary/{key}/_history/1"), "Location")
    equal(put(s, key, b"second", note=False).status, 200, "update")
    for path, content in ((f"/Binary/{key}", b"second"),
                          (f"/Binary/{key}/_history/1", CONTENT),
                          (f"/Binary/{key}/_history/2", b"second")):
        r = s.get(path, note=False)
        check(r.body == content, path)
        r = s.get(path + "?_format=json", note=False)
        check(base64.b64decode(document(r)["data"]) == content, path)
        r = s.head(path, note=False)
        equal((r.status, r.get("Content-Length"), r.get("Content-Type")),
              (200, str(len(content)), "application/pdf"), f"HEAD {path}")
    r = s.get(f"/Binary/{key}", headers=[("If-None-Match", 'W/"2"')])
    equal((r.status, r.body, r.get("ETag")), (304, b"", 'W/"2"'), "304")
    r = put(s, key, b"third", ("If-Match", 'W/"1"'), note=False)
    equal(r.status, 412, "If-Match")


@both("ranges of raw content, none of documents")
def _(s):
    key = s.id("b")
    put(s, key, MIDDLE, note=False)
    for content, ranges, wanted in (
            (MIDDLE, "bytes=0-9", MIDDLE[:10]),
            (MIDDLE, "bytes=245755-245765", MIDDLE[245755:245766]),
            (MIDDLE, "bytes=-5", MIDDLE[-5:])):
        r = s.get(f"/Binary/{key}", headers=[("Range", ranges)], note=False)
        equal((r.status, r.body), (206, wanted), ranges)
        check(r.get("Content-Range").endswith(f"/{len(content)}"), "size")
    r = s.get(f"/Binary/{key}", headers=[("Range", "bytes=700001-")],
              note=False)
    equal(r.status, 416, "behind the end")
    r = s.get(f"/Binary/{key}", headers=[("Range", "bytes=0-9"), FHIR],
              note=False)
    equal(r.status, 200, "of a document")
    for value in ('W/"1"', '"1"', "Mon, 01 Jan 2001 00:00:00 GMT"):
        r = s.get(f"/Binary/{key}", headers=[("Range", "bytes=0-9"),
                                             ("If-Range", value)], note=False)
        equal(r.status, 200, f"If-Range: {value}")
    rows = s.audit(9)
    equal([(row["status"], row["bytes"]) for row in rows[1:4]],
          [("206", "10"), ("206", "11"), ("206", "5")], "records")


@both("as XML; parts of it")
def _(s):
    key = s.id("b")
    for content in (CONTENT, MIDDLE):
        put(s, key, content, note=False)
        for how in ({"headers": [("Accept", "application/fhir+xml")]},
                    {"query": "?_format=xml"}):
            path = f"/Binary/{key}" + how.pop("query", "")
            r = s.get(path, note=False, **how)
            equal((r.status, r.get("Content-Type")),
                  (200, "application/fhir+xml; charset=utf-8"), path)
            root = ElementTree.fromstring(r.body)
            equal(root[-1].tag, "{http://hl7.org/fhir}data", "last element")
            check(base64.b64decode(root[-1].get("value")) == content, "data")
            h = s.head(path, note=False, **how)
            equal(h.get("Content-Length"), str(len(r.body)), "HEAD")
        d = document(s.get(f"/Binary/{key}?_format=json&_summary=true",
                           note=False))
        check(d["id"] == key, "summary")
        r = s.get(f"/Binary/{key}?_pretty=true", note=False)
        check(r.body == content, "raw content is not made pretty")


@both("_pretty of a document, however large, and however it was sent")
def _(s):
    a, b = s.id("a"), s.id("b")
    for content in (b"x", CONTENT, MIDDLE[:240 * 1024], MIDDLE):
        s.put(f"/Binary/{a}", inline(a, content) | {
            "contentType": "application/pdf"}, note=False)
        put(s, b, content, note=False)
        for kind in ("json", "xml"):
            one, two, plain = (s.get(f"/Binary/{path}_format={kind}",
                                     note=False) for path in (
                f"{a}?_pretty=true&", f"{b}?_pretty=true&", f"{b}?"))
            check(b"\n  " in two.body, "lines")
            check(pretty_part(one.body, a) == pretty_part(two.body, b),
                  f"{kind}: {two.body[:300]} and {one.body[:300]}")
            head = s.head(f"/Binary/{b}?_pretty=true&_format={kind}",
                          note=False)
            equal(head.get("Content-Length"), str(len(two.body)), "HEAD")
            if kind == "json":
                equal(two.json(), plain.json(), "value")
            else:
                check(ElementTree.fromstring(two.body)[-1].get("value")
                      == ElementTree.fromstring(plain.body)[-1].get("value"),
                      "value")


def pretty_part(body, key):
    """Without what differs between two resources of the same content."""
    return re.sub(rb'"?lastUpdated"?[ =:].*', b"", body.replace(
        key.encode(), b"KEY"))


@both("a Binary that was sent as a resource")
def _(s):
    key = s.id("b")
    r = s.put(f"/Binary/{key}", {
        "resourceType": "Binary", "id": key, "contentType": "text/plain",
        "data": base64.b64encode(b"hello world!!").decode()})
    equal(r.status, 201, "status")
    r = s.get(f"/Binary/{key}")
    equal((r.status, r.body, r.get("Content-Type")),
          (200, b"hello world!!", "text/plain"), "raw")
    r = s.get(f"/Binary/{key}", headers=[("Range", "bytes=6-10")],
              note=False)
    equal((r.status, r.body), (206, b"world"), "range")
    d = document(s.get(f"/Binary/{key}", headers=[FHIR]))
    equal(base64.b64decode(d["data"]), b"hello world!!", "data")
    for data, kind in ((None, "text/plain"), ("!!", "text/plain"),
                       ("aGk=", "text/plain\r\nX-Evil: 1"), ("aGk=", "pdf")):
        resource = {"resourceType": "Binary", "id": key, "contentType": kind}
        if data:
            resource["data"] = data
        r = s.put(f"/Binary/{key}", resource)
        if r.status == 422 and data == "!!":
            continue                 # where values are looked at
        if r.status in (400, 422):
            continue
        r = s.get(f"/Binary/{key}")
        check(r.get("X-Evil") is None, "a header was made of it")
        if data is None:
            equal((r.status, r.body), (200, b""), "no data")
        elif data == "!!":
            equal(r.status, 422, "no base64")
        else:
            equal((r.status, r.body, r.get("Content-Type")),
                  (200, b"hi", "application/octet-stream"), kind)


@both("in a Bundle")
def _(s):
    key = s.id("b")
    r = s.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": {"resourceType": "Binary", "id": key,
                      "contentType": "text/plain", "data": "aGk="},
         "request": {"method": "PUT", "url": f"Binary/{key}"}}]})
    equal(r.status, 200, "status")
    equal(s.get(f"/Binary/{key}").body, b"hi", "content")
    r = s.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": f"Binary/{key}"}}]})
    equal(r.json()["entry"][0]["response"]["status"], "204 No Content",
          "deleted")
    equal(s.get(f"/Binary/{key}").status, 410, "gone")


def inline(key, content):
    return {"resourceType": "Binary", "id": key, "contentType": "text/plain",
            "data": base64.b64encode(content).decode()}


def gone(s, path, **more):
    """In whatever form: 410 and an outcome, nothing of the content."""
    for headers in ([], [FHIR], [("Accept", "application/pdf")],
                    [("Range", "bytes=0-3")],
                    [("Accept", "application/fhir+xml")]):
        r = s.get(path, headers=headers, **more)
        equal((r.status, r.get("Content-Range")), (410, None), f"{headers}")
        check(b"deleted" in r.body and b"OperationOutcome" in r.body,
              f"{r.body}")
        check(s.head(path, headers=headers, **more).status == 410, "HEAD")


@both("deleted: 410, and what was before stays to be read")
def _(s):
    for name, write, content in (
            ("raw", lambda k: put(s, k, CONTENT, note=False), CONTENT),
            ("large", lambda k: put(s, k, MIDDLE, note=False), MIDDLE),
            ("doc", lambda k: s.put(f"/Binary/{k}", inline(k, b"hello")),
             b"hello")):
        key = s.id(name)
        equal(write(key).status, 201, "made")
        r = s.delete(f"/Binary/{key}")
        equal((r.status, r.body, r.get("ETag")), (204, b"", 'W/"2"'),
              "deleted")
        gone(s, f"/Binary/{key}")
        gone(s, f"/Binary/{key}/_history/2")
        equal(s.delete(f"/Binary/{key}").status, 204, "again")
        r = s.get(f"/Binary/{key}/_history/1", note=False)
        check((r.status, r.body) == (200, content), "the version before")
        d = document(s.get(f"/Binary/{key}/_history/1", headers=[FHIR],
                           note=False))
        check(base64.b64decode(d["data"]) == content, "as a document")
        bundle = s.get(f"/Binary/{key}/_history", note=False).json()
        last, first = bundle["entry"]
        equal((bundle["total"], last["request"]["method"], "resource" in last,
               first["resource"]["meta"]["versionId"],
               "data" in first["resource"]),
              (2, "DELETE", False, "1", name == "doc"), "history")
        r = put(s, key, b"back", note=False)
        equal((r.status, r.get("ETag")), (201, 'W/"3"'), "brought back")
        equal(s.get(f"/Binary/{key}", note=False).body, b"back", "content")
        gone(s, f"/Binary/{key}/_history/2")


@both("a deleted one is withheld as it was before")
def _(s):
    p, key = s.id("p"), s.id("b")
    s.seed(patient(p), consent(s.id("k"), p, permit=[A]))
    put(s, key, CONTENT, ("X-Security-Context", f"Patient/{p}"),
        token=s.admin(), note=False)
    a, b = (s.token("system/*.cruds", [o]) for o in (A, B))
    equal(s.delete(f"/Binary/{key}", token=b).status, 204,
          "B is told what is told of one that never was")
    equal(s.get(f"/Binary/{key}", token=a).status, 200, "it is still there")
    equal(s.delete(f"/Binary/{key}", token=a).status, 204, "A deletes")
    for path in (f"/Binary/{key}", f"/Binary/{key}/_history/1",
                 f"/Binary/{key}/_history/2", f"/Binary/{key}/_history"):
        equal(s.get(path, token=b).status, 404, f"B {path}")
    gone(s, f"/Binary/{key}", token=a)
    r = s.get(f"/Binary/{key}/_history/1", token=a, note=False)
    check(r.body == CONTENT, "A reads what was")


@both("read by an entry of a Bundle: always a resource in JSON")
def _(s):
    key, large = s.id("b"), s.id("large")
    # were it put into the answer as it is, it would be a part of it
    evil = b'null},{"resource":{"resourceType":"Basic"}'
    put(s, key, evil, note=False)
    put(s, large, MIDDLE, note=False)
    urls = [f"Binary/{key}", f"Binary/{key}?_format=application/pdf",
            f"Binary/{key}?_format=xml", f"Binary/{large}",
            f"Binary/{large}?_summary=true"]
    for kind in ("batch", "transaction"):
        r = s.post("", {"resourceType": "Bundle", "type": kind, "entry": [
            {"request": {"method": "GET", "url": url}} for url in urls
            if kind == "batch" or "large" not in url]}, note=False)
        equal(r.status, 200, f"{r}")
        entries = r.json()["entry"]
        for e in entries[:3]:
            equal(base64.b64decode(e["resource"]["data"]), evil, "data")
    r = s.post("", {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": url}} for url in urls[3:]]})
    whole, part = r.json()["entry"]
    equal((whole["response"]["status"][:3], "resource" in whole),
          ("422", False), "what is too large for an answer in memory")
    equal(whole["response"]["outcome"]["issue"][0]["code"], "too-costly",
          "issue")
    check("data" not in part["resource"], "a part has no data")


@both("what is refused")
def _(s):
    key = s.id("b")
    r = s.request("PUT", f"/Binary/{key}", b"x",
                  headers=[("Content-Type", "no type")])
    equal(r.status, 415, "Content-Type")
    r = put(s, key, b"x", ("If-None-Exist", "_id=1"))
    equal(r.status, 201, "a header that means nothing in an update")
    r = s.post("/Binary", b"x", headers=[PDF, ("If-None-Exist", "_id=1")])
    equal(r.status, 422, "If-None-Exist")
    for context in ("Patient/none/of/these", "Observation/not-there-" + key,
                    "http://elsewhere.example/Patient/1", "#x",
                    "urn:uuid:c0a80101-0000-4000-8000-000000000000"):
        r = put(s, key, b"x", ("X-Security-Context", context))
        check(r.status in (400, 422), f"{context}: {r}")
        r.issue()
    equal(s.request("PUT", f"/Patient/{key}", b"x", headers=[PDF]).status,
          415, "other types")
    r = s.request("PATCH", f"/Binary/{key}", b"[]",
                  headers=[("Content-Type", "application/json-patch+json")])
    check(r.status in (405, 422), f"PATCH {r}")
    r = put(s, key, b"x", token=s.token("system/*.rs"))
    equal(r.status, 403, "scope")
    r = put(s, key, b"x", token=False)
    equal(r.status, 401, "no token")


@both("over fhir.max_binary: 413, whether announced or not")
def _(s):
    key = s.id("b")
    c = s.connection()
    c.send("PUT", f"/fhir/Binary/{key}",
           [("Authorization", f"Bearer {s.token()}"), PDF,
            ("Content-Length", str(LIMIT + 1)), ("Expect", "100-continue")])
    if s.server == "httpd":
        r = c.receive("PUT")
        equal(r.status, 413, "announced")
        r.issue()
    c.close()
    equal(s.get(f"/Binary/{key}").status, 404, "nothing is stored")


@both("securityContext: who may not see that may not see the Binary")
def _(s):
    p, o, b, c = (s.id(k) for k in "pobc")
    s.seed(patient(p), observation(o, p),
           consent(s.id("k"), p, permit=[A]))
    put(s, b, CONTENT, ("X-Security-Context", f"Patient/{p}"),
        token=s.admin(), note=False)
    put(s, c, MIDDLE, ("X-Security-Context", f"Observation/{o}"),
        token=s.admin(), note=False)
    d = document(s.get(f"/Binary/{c}", headers=[FHIR], token=s.admin(),
                       note=False))
    equal(d["securityContext"]["reference"], f"Observation/{o}", "context")
    for key in (b, c):
        for accept in ([], [FHIR]):
            for path in (f"/Binary/{key}", f"/Binary/{key}/_history/1"):
                r = s.get(path, headers=accept, token=s.token("system/*.rs",
                                                              [A]),
                          note=False)
                equal(r.status, 200, f"A {path}")
                r = s.get(path, headers=accept, token=s.token("system/*.rs",
                                                              [B]))
                equal(r.status, 404, f"B {path}")
                r.issue()
        r = put(s, key, b"taken over", token=s.token("system/*.cruds", [B]))
        equal(r.status, 404, "replaced by B")
    rows = [row for row in s.audit(18) if row["interaction"] == "read"]
    key = rows[0]["patients"]
    check(len(key) > 2, "no patient in the record")
    equal({row["patients"] for row in rows}, {key}, "patients")
    equal({(row["decision"], row["status"]) for row in rows},
          {("permit", "200"), ("deny", "404")}, "decisions")


@both("securityContext of a resource, also one of the same Bundle")
def _(s):
    p, o, b = (s.id(k) for k in "pob")
    s.seed(patient(p), consent(s.id("k"), p, permit=[A]))
    r = s.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:7a1c2a0e-7d7b-4c3d-9d0a-0123456789ab",
         "resource": observation(o, p),
         "request": {"method": "PUT", "url": f"Observation/{o}"}},
        {"resource": {"resourceType": "Binary", "id": b,
                      "contentType": "text/plain", "data": "aGk=",
                      "securityContext": {"reference":
                          "urn:uuid:7a1c2a0e-7d7b-4c3d-9d0a-0123456789ab"}},
         "request": {"method": "PUT", "url": f"Binary/{b}"}}]},
        token=s.admin(), note=False)
    equal(r.status, 200, f"Bundle {r}")
    equal(s.get(f"/Binary/{b}", token=s.token("system/*.rs", [A])).status,
          200, "A")
    equal(s.get(f"/Binary/{b}", token=s.token("system/*.rs", [B])).status,
          404, "B")
    resource = {"resourceType": "Binary", "id": s.id("d"),
                "contentType": "text/plain", "data": "aGk=",
                "securityContext": {"reference": "Observation/" + s.id("no")}}
    r = s.put(f"/Binary/{s.id('d')}", resource)
    equal(r.status, 422, "a context that is not there")


def tries(s, context, token):
    """All ways to write a Binary with that context; what is said, without
    the ids."""
    key = s.id("t")
    resource = inline(key, b"hi") | {"securityContext":
                                     {"reference": context}}
    said = [put(s, key, b"hi", ("X-Security-Context", context), token=token),
            s.request("POST", "/Binary", b"hi", token=token,
                      headers=[PDF, ("X-Security-Context", context)]),
            s.put(f"/Binary/{key}", resource, token=token)]
    for kind in ("batch", "transaction"):
        said.append(s.post("", {"resourceType": "Bundle", "type": kind,
                                "entry": [{"resource": resource, "request": {
                                    "method": "PUT",
                                    "url": f"Binary/{key}"}}]}, token=token))
    return [(r.status, re.sub(rb"[A-Z]\w+/[\w.-]*|[0-9A-Z]{26}|\d{4}-.*?Z",
                              b"X", r.body)) for r in said]


@both("a context that is withheld is refused as one that is not there")
def _(s):
    p, o, gone_one = s.id("p"), s.id("o"), s.id("gone")
    s.seed(patient(p), observation(o, p), observation(gone_one, p),
           consent(s.id("k"), p, permit=[A]))
    s.delete(f"/Observation/{gone_one}", token=s.admin())
    a, b = (s.token("system/*.cruds", [who]) for who in (A, B))
    none = tries(s, f"Observation/{s.id('none')}", b)
    equal([status for status, _ in none], [422, 422, 422, 200, 422],
          "not there")
    check(b"securityContext" in none[3][1] and b"422" in none[3][1],
          f"{none[3]}")
    equal(tries(s, f"Observation/{o}", b), none, "withheld")
    equal(tries(s, f"Observation/{gone_one}", b), none, "deleted")
    equal(s.get(f"/Binary/{s.id('t')}").status, 404, "nothing was written")
    equal(tries(s, f"Observation/{gone_one}", a), none, "deleted, for A")
    equal([status for status, _ in tries(s, f"Observation/{o}", a)],
          [201, 201, 200, 200, 200], "A sees it")
    # a patient is not looked for: to name one tells nothing
    key = s.id("other")
    for name in (p, s.id("nobody")):
        r = put(s, key, b"x", ("X-Security-Context", f"Patient/{name}"),
                token=b)
        equal(r.status, 201, f"{r}")
        key += "2"


@both("Content-Encoding of raw content")
def _(s):
    key = s.id("b")
    packed = gzip.compress(MIDDLE)
    r = put(s, key, packed, ("Content-Encoding", "gzip"), note=False)
    equal(r.status, 201, f"status {r}")
    check(s.get(f"/Binary/{key}", note=False).body == MIDDLE, "content")
    r = put(s, key, packed, note=False)
    equal(r.status, 200, "without")
    check(s.get(f"/Binary/{key}", note=False).body == packed, "as it is")
    r = put(s, key, packed[:-9], ("Content-Encoding", "gzip"), note=False)
    equal(r.status, 400, "broken off")
    r = put(s, key, b"x", ("Content-Encoding", "compress"))
    equal((r.status, r.get("Accept-Encoding")),
          (415, "gzip, deflate, zstd"), "unknown")


@both("a large one: memory stays flat", compare=False)
def _(s):
    key, digest = s.id("large"), hashlib.sha256()
    put(s, s.id("warm"), MIDDLE, note=False)
    s.get(f"/Binary/{s.id('warm')}", note=False)
    for pid in workers(s):
        for _ in range(2):
            s.get(f"/Binary/{s.id('warm')}", note=False)
    reset_peak(s)
    before = peak(s)
    equal(upload(s, "PUT", f"/Binary/{key}", LARGE, hasher=digest), 201,
          "upload")
    uploaded = peak(s)
    status, got, count = download(s, f"/Binary/{key}")
    equal((status, count), (200, LARGE), "download")
    equal(got, digest.hexdigest(), "content")
    down = peak(s)
    status, _, count = download(s, f"/Binary/{key}",
                                "Accept: application/fhir+json")
    equal(status, 200, "as a resource")
    check(count > LARGE * 4 // 3, "length")
    encoded = peak(s)
    print(f"# {s.server}: {LARGE // M} MB; resident {before // 1024} kB, "
          f"peak +{(uploaded - before) // 1024} kB up, "
          f"+{(down - before) // 1024} kB down, "
          f"+{(encoded - before) // 1024} kB as base64", flush=True)
    # whatever the size; a sanitizer keeps what was freed
    room = 16 * M if not s.stand.sanitized else 120 * M
    check(encoded - before < room, f"{(encoded - before) // M} MB more")
    wait_until("descriptors", lambda: spools(s) == 0)
    rows = s.audit(7)
    equal([(r["status"], r["aborted"]) for r in rows[-3:]],
          [("201", "f"), ("200", "f"), ("200", "f")], "records")
    equal(rows[-2]["bytes"], str(LARGE), "bytes")


@both("clients that go away: nothing stays behind", compare=False)
def _(s):
    key = s.id("b")
    equal(upload(s, "PUT", f"/Binary/{key}", 8 * M), 201, "upload")
    for _ in range(8):
        upload(s, "PUT", f"/Binary/{s.id('half')}", 8 * M, stop=2 * M)
        download(s, f"/Binary/{key}", stop=100000)
    wait_until("descriptors", lambda: spools(s) == 0)
    equal(s.get(f"/Binary/{s.id('half')}", note=False).status, 404, "half")
    rows = [r for r in s.audit(10) if r["resource_id"] == key
            and r["interaction"] == "read"]
    equal(len(rows), 8, "reads")
    for row in rows:
        equal((row["status"], row["aborted"]), ("200", "t"), "record")
        check(row["bytes"] in ("", None) or int(row["bytes"]) < 8 * M,
              f"bytes {row['bytes']}")


@both("a client that is slow does not hold a connection of the database",
      compare=False)
def _(s):
    key = s.id("b")
    equal(upload(s, "PUT", f"/Binary/{key}", 8 * M), 201, "upload")
    slow = []
    for _ in range(20):                    # more than connections
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.stand.ports[s.server]))
        c.sendall(f"GET /fhir/Binary/{key} HTTP/1.1\r\nHost: x\r\n"
                  f"Authorization: Bearer {s.token()}\r\n\r\n".encode())
        check(c.recv(1000).startswith(b"HTTP/1.1 200"), "status line")
        slow.append(c)
    equal(s.get(f"/Binary/{key}", headers=[("Range", "bytes=0-0")],
                note=False).status, 206, "others are served")
    for c in slow:
        reset(c)
    wait_until("descriptors", lambda: spools(s) == 0)


# of its own: it looks into the processes
main(started(own_stand("binary", max_binary="260m", client_max_body="300m",
                       connections=6, httpd_children=1,
                       httpd_limit=1, nginx_workers=1, httpd_threads=40,
                       statement_timeout=5000)))
