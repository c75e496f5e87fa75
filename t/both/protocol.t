#!/usr/bin/python3
"""HTTP as clients speak it, and as they should not: chunked bodies, Expect,
pipelines, uploads that stop; and the servers' own errors, which are
OperationOutcomes in a location of ours."""

import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, patient                              # noqa: E402
from hie.process import wait_until                     # noqa: E402
from hie.tap import (both, check, equal, main, own_stand,        # noqa: E402
                     started)
from hie.web import Broken, Connection                           # noqa: E402

JSON = ("Content-Type", "application/fhir+json")
CHUNKED = ("Transfer-Encoding", "chunked")


def token(s):
    return ("Authorization", f"Bearer {s.token()}")


def chunks(data, size):
    out = b""
    for i in range(0, len(data), size):
        part = data[i:i + size]
        out += b"%x;ext=1\r\n%s\r\n" % (len(part), part)
    return out + b"0\r\nTrailer: x\r\n\r\n"


def connect(s, timeout=20):
    return Connection(s.stand.ports[s.server], timeout)


def raw(s, data, timeout=20):
    """Whatever bytes; the one answer to them."""
    with connect(s, timeout) as c:
        c.connect()
        c.socket.sendall(data)
        return c.receive()


def outcome(r, status, what=""):
    equal(r.status, status, what or "status")
    equal(r.get("Content-Type"), "application/fhir+json; charset=utf-8",
          f"Content-Type of {r.status}")
    return r.issue()


def descriptors(s):
    server = s.stand.nginx if s.server == "nginx" else s.stand.httpd
    return sum(len(os.listdir(f"/proc/{pid}/fd"))
               for pid in server.workers())


@both("a chunked body, small and large, as a resource and as raw content")
def _(s):
    key = s.id("p")
    text = json.dumps(patient(key, maritalStatus={"text": "l" * 100000})).encode()
    with connect(s) as c:
        for size in (7, 4000, 200000):
            c.send("PUT", f"/fhir/Patient/{key}", [token(s), JSON, CHUNKED])
            c.socket.sendall(chunks(text, size))
            check(c.receive().status in (200, 201), f"in chunks of {size}")
        content = bytes(range(256)) * 1200
        c.send("PUT", f"/fhir/Binary/{key}",
               [token(s), ("Content-Type", "image/png"), CHUNKED])
        c.socket.sendall(chunks(content, 5000))
        equal(c.receive().status, 201, "raw")
    check(s.get(f"/Binary/{key}", note=False).body == content, "content")
    equal(len(s.get(f"/Patient/{key}").json()["maritalStatus"]["text"]), 100000, "text")


@both("chunks that are none")
def _(s):
    key = s.id("p")
    for bad in (b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n",
                b"fffffffffffffffff\r\nx"):
        with connect(s) as c:
            c.send("PUT", f"/fhir/Patient/{key}", [token(s), JSON, CHUNKED])
            c.socket.sendall(bad)
            r = c.receive()
            check(r.status in (400, 413), f"{bad!r}: {r.status}")
            outcome(r, r.status, repr(bad))


@both("too large without a length: 413, and the connection ends")
def _(s):
    key = s.id("b")
    for path, kind in (("Patient", "application/fhir+json"),
                       ("Binary", "image/png")):
        with connect(s) as c:
            c.send("PUT", f"/fhir/{path}/{key}",
                   [token(s), ("Content-Type", kind), CHUNKED])
            try:
                for _ in range(60):
                    c.socket.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                c.socket.sendall(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                outcome(c.receive(), 413, path)
            except Broken:
                pass             # reset before the answer was read
        equal(s.get(f"/{path}/{key}", note=False).status, 404, "stored")


@both("Expect: 100-continue")
def _(s):
    key = s.id("p")
    text = json.dumps(patient(key)).encode()
    with connect(s) as c:
        c.send("PUT", f"/fhir/Patient/{key}",
               [token(s), JSON, ("Content-Length", str(len(text))),
                ("Expect", "100-continue")])
        line = c._line()
        check(line.startswith("HTTP/1.1 100"), line)
        c._line()
        c.socket.sendall(text)
        equal(c.receive().status, 201, "then the body")


@both("no body where one belongs")
def _(s):
    for headers in ([JSON], [JSON, ("Content-Length", "0")]):
        r = s.request("POST", "/Patient", headers=headers)
        outcome(r, 400)
    r = s.request("PUT", f"/Patient/{s.id('x')}", headers=[JSON])
    outcome(r, 400)


@both("a pipeline: answers in order, one after the other")
def _(s):
    key = s.id("p")
    text = json.dumps(patient(key)).encode()
    head = f"Host: x\r\nAuthorization: Bearer {s.token()}\r\n"
    requests = (f"PUT /fhir/Patient/{key} HTTP/1.1\r\n{head}Content-Type: "
                f"application/fhir+json\r\nContent-Length: {len(text)}\r\n\r\n"
                ).encode() + text
    requests += (f"GET /fhir/Patient/{key} HTTP/1.1\r\n{head}\r\n"
                 f"HEAD /fhir/Patient/{key} HTTP/1.1\r\n{head}\r\n"
                 f"GET /fhir/Patient/{key}-not HTTP/1.1\r\n{head}\r\n"
                 f"GET /fhir/Patient?_id={key} HTTP/1.1\r\n{head}\r\n"
                 ).encode()
    with connect(s) as c:
        c.connect()
        c.socket.sendall(requests)
        equal(c.receive().status, 201, "PUT")
        equal(c.receive().json()["id"], key, "GET")
        equal(c.receive("HEAD").status, 200, "HEAD")
        equal(c.receive().status, 404, "GET of another")
        equal(found(c.receive()), [key], "search")


@both("uploads that stop in the middle: nothing stays", compare=False)
def _(s):
    equal(s.get("/metadata", note=False).status, 200, "warm")
    s.get(f"/Patient/{s.id('no')}", note=False)
    time.sleep(0.2)
    before = descriptors(s)
    for kind, size in (("image/png", 3000000),
                       ("application/fhir+json", 900000)):
        for _ in range(10):
            c = connect(s)
            c.send("PUT", f"/fhir/Binary/{s.id('x')}",
                   [token(s), ("Content-Type", kind),
                    ("Content-Length", str(size))])
            c.socket.sendall(b"x" * (size // 2))
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            c.close()
    wait_until("descriptors", lambda: descriptors(s) <= before + 2)
    equal(s.get(f"/Binary/{s.id('x')}", note=False).status, 404, "stored")


@both("a body that stops coming")
def _(s):
    with connect(s) as c:
        c.send("PUT", f"/fhir/Patient/{s.id('p')}",
               [token(s), JSON, ("Content-Length", "1000")])
        c.socket.sendall(b"{")
        try:
            r = c.receive()
        except Broken:
            # nginx closes without a word where a client is silent
            equal(s.server, "nginx", "closed by")
            return
        outcome(r, 408)


@both("the servers' own limits: OperationOutcomes", compare=False)
def _(s):
    r = s.request("PUT", f"/Patient/{s.id('p')}", b"x" * 2500000)
    outcome(r, 413, "over what the server takes")


@both("the server's own refusals")
def _(s):
    for method, path, status in (("GET", "/closed/Patient/1", 403),
                                 ("PUT", "/closed/Patient/1", 403)):
        with connect(s) as c:
            r = c.request(method, path, [token(s)])
            equal(outcome(r, status)["code"], "forbidden", path)
    with connect(s) as c:
        r = c.request("HEAD", "/closed/Patient/1", [token(s)])
        equal((r.status, r.get("Content-Type")),
              (403, "application/fhir+json; charset=utf-8"), "HEAD")
    with connect(s) as c:
        r = c.request("GET", "/nothing/here")
        equal(r.status, 404, "outside")
        check("html" in r.get("Content-Type"), "other places are as before")


@both("requests that are not understood, with hie_errors")
def _(s):
    long = b"x" * 20000
    for data, statuses in (
            (b"GET /fhir/%s HTTP/1.1\r\nHost: x\r\n\r\n" % long, (414,)),
            (b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % long,
             (400, 431)),
            (b"GET /fhir/metadata HTTP/1.1\r\n\r\n", (400,)),
            (b"PUT /fhir/Patient/1 HTTP/1.1\r\nHost: x\r\n"
             b"Content-Length: x\r\n\r\n", (400,)),
            (b"GET /fhir/%zz HTTP/1.1\r\nHost: x\r\n\r\n", (400,))):
        r = raw(s, data)
        check(r.status in statuses, f"{data[:30]}: {r.status}")
        check((r.get("Content-Type") or "").startswith(
            "application/fhir+json"), f"{data[:30]}: {r.headers}")
        r.issue()


stand = own_stand("protocol")
stand.options.update(
    max_binary="1m", max_body="1m", client_max_body="2m", httpd_children=1,
    httpd_limit=1, nginx_workers=1,
    nginx_http="client_body_timeout 2s; large_client_header_buffers 4 8k;",
    nginx_server="location /closed { hie_fhir on; deny all; }\n"
                 "location /nothing { hie_errors off; }\n"
                 "hie_errors on;\n",
    httpd_main="RequestReadTimeout header=20 body=2\n"
               "LimitRequestBody 2097152\n",
    httpd_server='<Location "/closed">\nHieFhir On\nRequire all denied\n'
                 '</Location>\n<Location "/nothing">\nHieErrors Off\n'
                 "</Location>\nHieErrors On\n")
main(started(stand))
