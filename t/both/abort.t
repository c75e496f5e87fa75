#!/usr/bin/python3
"""Clients that go away, or never say all they promised."""

import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.postgres import Session, wait_locked                    # noqa: E402
from hie.tap import (both, check, equal, main, own_stand,        # noqa: E402
                     started)

LARGE = 6 * 1024 * 1024


def reset(s):
    """Closes with a reset, as a client that crashed."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()


def send(s, method, path, body=b"", more=b""):
    c = socket.create_connection(("127.0.0.1", s.stand.ports[s.server]), 20)
    c.sendall(f"{method} /fhir{path} HTTP/1.1\r\nHost: x\r\nAuthorization: "
              f"Bearer {s.token()}\r\n".encode() + more + b"\r\n" + body)
    return c


@both("a client that goes away during the query: the record says so")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    with Session(s.stand.postgres) as blocker:
        blocker.do("BEGIN; LOCK TABLE hie.resource")
        c = send(s, "GET", f"/Patient/{key}")
        wait_locked(s.stand.postgres)
        reset(c)
        time.sleep(0.2)
        blocker.do("ROLLBACK")
    rows = s.audit(1)
    equal(len(rows), 1, "records")
    check(rows[0]["completed"], "complete")
    equal(rows[0]["aborted"], "t", "aborted")
    equal(s.get(f"/Patient/{key}").status, 200, "others are served")


@both("a client that goes away during the response: aborted, fewer bytes")
def _(s):
    key = s.id("p")
    s.seed(patient(key, photo=[{
        "contentType": "image/png", "data": "AAAA" * (LARGE // 4)}]))
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.connect(("127.0.0.1", s.stand.ports[s.server]))
    c.sendall(f"GET /fhir/Patient/{key} HTTP/1.1\r\nHost: x\r\nAuthorization:"
              f" Bearer {s.token()}\r\n\r\n".encode())
    check(c.recv(1000).startswith(b"HTTP/1.1 200"), "status line")
    time.sleep(0.2)
    reset(c)
    rows = s.audit(1)
    equal(len(rows), 1, "records")
    equal((rows[0]["status"], rows[0]["aborted"]), ("200", "t"), "record")
    check(int(rows[0]["bytes"]) < LARGE, f"bytes {rows[0]['bytes']}")


@both("a client that goes away in the middle of its body")
def _(s):
    key = s.id("p")
    for _ in range(20):
        c = send(s, "PUT", f"/Patient/{key}", b'{"resourceType":"Pat',
                 b"Content-Type: application/fhir+json\r\n"
                 b"Content-Length: 5000\r\n")
        reset(c)
    time.sleep(0.2)
    equal(s.get(f"/Patient/{key}").status, 404, "nothing is stored")


@both("a hundred clients that go away at once")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    sockets = [send(s, "GET", f"/Patient/{key}") for _ in range(100)]
    for c in sockets:
        reset(c)
    equal(s.get(f"/Patient/{key}").status, 200, "others are served")
    time.sleep(0.5)
    for row in s.stand.audit(s.subject):
        check(row["completed"], f"record {row['id']} is not complete")


@both("a client that goes away while the gateway waits")
def _(s):
    key = s.id("p")
    s.stand.backend.control(mode="normal", add=[patient(key)])
    s.stand.backend.control(mode="slow", seconds=1)
    try:
        c = socket.create_connection(("127.0.0.1", s.stand.ports[s.server]))
        c.sendall(f"GET /gateway/Patient/{key} HTTP/1.1\r\nHost: x\r\n"
                  f"Authorization: Bearer {s.token()}\r\n\r\n".encode())
        time.sleep(0.3)
        reset(c)
    finally:
        s.stand.backend.control(mode="normal")
    rows = s.audit(1)
    equal(len(rows), 1, "records")
    check(rows[0]["completed"], "complete")
    equal(s.get(f"/Patient/{key}", kind="gateway").status, 200, "others")


# of its own: it locks tables
main(started(own_stand("abort")))
