#!/usr/bin/python3
"""TLS and HTTP/2: the same answers, the certificate's subject in reach."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie import h2                                               # noqa: E402
from hie.fhir import consent, observation, patient               # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402
from hie.web import Connection, tls_context                      # noqa: E402


def connect(s, alpn):
    raw = socket.create_connection(
        ("127.0.0.1", s.stand.ports[s.server + "_tls"]), 20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = tls_context(s.stand.keys / "ca.crt", alpn=alpn)
    wrapped = tls.wrap_socket(raw, server_hostname="localhost")
    equal(wrapped.selected_alpn_protocol(), alpn[0], "protocol")
    return wrapped


@both("HTTP/1.1 over TLS: links are https")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    tls = tls_context(s.stand.keys / "ca.crt")
    with Connection(s.stand.ports[s.server + "_tls"], tls=tls) as c:
        r = c.request("GET", f"/fhir/Patient?_id={key}",
                      [("Authorization", f"Bearer {s.token()}")])
    equal(r.status, 200, "status")
    check(r.json()["link"][0]["url"].startswith("https://"), "link")


@both("HTTP/2: reads, refusals, a large body, in the repository")
def _(s):
    key, large = s.id("p"), s.id("l")
    s.seed(patient(key), patient(large, extension=[
        {"url": "http://example.org/x", "valueString": "y" * 200}] * 2000))
    c = h2.Connection(connect(s, ["h2"]))
    auth = [("authorization", f"Bearer {s.token()}")]
    for _ in range(3):
        status, body = c.receive(c.send("GET", f"/fhir/Patient/{key}", auth))
        equal(status, 200, "read")
        equal(body, s.get(f"/Patient/{key}", note=False).body, "body")
    status, body = c.receive(c.send("GET", f"/fhir/Patient/{large}", auth))
    equal((status, body), (200, s.get(f"/Patient/{large}", note=False).body),
          "large")
    equal(c.receive(c.send("GET", "/fhir/Patient/none-x", auth))[0], 404,
          "absent")
    status, body = c.receive(c.send("GET", "/fhir/Patient/x"))
    check(b"OperationOutcome" in body, "no token")
    equal(c.receive(c.send("HEAD", f"/fhir/Patient/{key}", auth)), (200, b""),
          "HEAD")


@both("HTTP/2 through the gateway")
def _(s):
    p, q = s.id("p"), s.id("q")
    s.stand.backend.control(mode="normal", add=[
        patient(p), patient(q), observation(s.id("o"), q)])
    s.seed(consent(s.id("c"), q))
    c = h2.Connection(connect(s, ["h2"]))
    auth = [("authorization", f"Bearer {s.token()}")]
    status, body = c.receive(c.send("GET", f"/gateway/Patient/{p}", auth))
    equal(status, 200, "read")
    check(p.encode() in body, "body")
    equal(c.receive(c.send("GET", f"/gateway/Patient/{q}", auth))[0], 404,
          "withheld")
    status, body = c.receive(c.send(
        "GET", f"/gateway/Observation?patient={q}", auth))
    equal(status, 200, "search")
    check(b"entry" not in body, "nothing found")


@both("HTTP/2: many streams at once, and one that is reset")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    wanted = s.get(f"/Patient/{key}", note=False).body
    c = h2.Connection(connect(s, ["h2"]))
    auth = [("authorization", f"Bearer {s.token()}")]
    c.reset(c.send("GET", f"/fhir/Patient/{key}", auth))
    c.reset(c.send("GET", f"/gateway/Patient/{key}", auth))
    for _ in range(10):
        equal(c.receive(c.send("GET", f"/fhir/Patient/{key}", auth))[1],
              wanted, "body")


main()
