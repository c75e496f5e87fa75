#!/usr/bin/python3
"""HTTP/2 (RFC 9113) with curl: reading and writing, small and large."""

import gzip
import json
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie import h2                                               # noqa: E402
from hie.fhir import patient                                     # noqa: E402
from hie.tap import Skip, both, check, equal, main               # noqa: E402
from hie.web import tls_context                                  # noqa: E402

JSON = ("-H", "Content-Type: application/fhir+json")
LARGE = random.Random(3).randbytes(3000001)


def curl(s, path, *options, data=None, stdin=b""):
    """Status, version of HTTP, headers, body."""
    program = shutil.which("curl")
    if not program or "HTTP2" not in subprocess.run(
            [program, "--version"], text=True, stdout=subprocess.PIPE).stdout:
        raise Skip("no curl with HTTP/2")
    scratch = s.stand.dir / "tmp"
    files = {n: scratch / f"{s.key}.{n}" for n in ("head", "body", "data")}
    for f in files.values():
        f.write_bytes(data or b"")
    extra = ["--data-binary", f"@{files['data']}"] if data is not None else []
    port = s.stand.ports[f"{s.server}_tls"]
    done = subprocess.run(
        [program, "-s", "--http2", "--cacert", s.stand.keys / "ca.crt",
         "--max-time", "60", "-D", files["head"], "-o", files["body"],
         "-w", "%{http_code} %{http_version}", "-H",
         f"Authorization: Bearer {s.token()}", *extra, *options,
         f"https://localhost:{port}/fhir{path}"], input=stdin,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.returncode == 0, f"curl: {done.returncode} {done.stderr}")
    status, version = done.stdout.decode().split()
    equal(version, "2", "version")
    headers = dict(line.split(": ", 1) for line in
                   files["head"].read_text().lower().splitlines()
                   if ": " in line)
    body = files["body"].read_bytes()
    for f in files.values():
        f.unlink()
    return int(status), headers, body


def connect(s):
    context = tls_context(s.stand.keys / "ca.crt", alpn=["h2"])
    c = socket.create_connection(("127.0.0.1",
                                  s.stand.ports[f"{s.server}_tls"]), 20)
    return context.wrap_socket(c, server_hostname="localhost")


@both("create, read, update, search, 304, 404, HEAD")
def _(s):
    key = s.id("p")
    text = json.dumps(patient(key)).encode()
    equal(curl(s, f"/Patient/{key}", "-X", "PUT", *JSON, data=text)[0], 201,
          "PUT")
    status, headers, body = curl(s, f"/Patient/{key}")
    equal((status, headers["etag"], json.loads(body)["id"]),
          (200, 'w/"1"', key), "GET")
    equal(curl(s, f"/Patient/{key}", "-H", 'If-None-Match: W/"1"')[::2],
          (304, b""), "304")
    equal(curl(s, f"/Patient/{key}", "-I")[0], 200, "HEAD")
    equal(curl(s, f"/Patient/{key}-no")[0], 404, "404")
    status, _, body = curl(s, f"/Patient?_id={key}")
    equal((status, len(json.loads(body)["entry"])), (200, 1), "search")
    status, _, body = curl(s, "/Patient", *JSON, data=b"{")
    equal((status, json.loads(body)["resourceType"]),
          (400, "OperationOutcome"), "an error")
    rows = s.audit(8)
    equal([(r["status"], r["aborted"]) for r in rows],
          [(n, "f") for n in ("201", "200", "304", "200", "404", "200",
                              "400")], "records")


@both("raw content, both ways, in ranges and as a resource")
def _(s):
    key = s.id("b")
    equal(curl(s, f"/Binary/{key}", "-X", "PUT", "-H",
               "Content-Type: image/png", data=LARGE)[0], 201, "PUT")
    status, headers, body = curl(s, f"/Binary/{key}")
    equal((status, headers["content-type"], headers["content-length"]),
          (200, "image/png", str(len(LARGE))), "GET")
    check(body == LARGE, "content")
    rows = s.audit(2)
    equal((rows[1]["bytes"], rows[1]["aborted"]), (str(len(LARGE)), "f"),
          "record")
    status, headers, body = curl(s, f"/Binary/{key}", "-r", "1000-299999")
    check((status, body) == (206, LARGE[1000:300000]), f"range {status}")
    status, _, body = curl(s, f"/Binary/{key}", "-H",
                           "Accept: application/fhir+json")
    equal(json.loads(body)["contentType"], "image/png", "as a resource")
    status, headers, body = curl(s, f"/Binary/{key}", "-I")
    equal((status, headers["content-length"]), (200, str(len(LARGE))), "HEAD")


@both("a body of no announced length, and one that is compressed")
def _(s):
    key = s.id("b")
    equal(curl(s, f"/Binary/{key}", "-T", "-", "-H",
               "Content-Type: image/png", stdin=LARGE)[0], 201, "PUT")
    check(curl(s, f"/Binary/{key}")[2] == LARGE, "content")
    text = json.dumps(patient(key)).encode()
    equal(curl(s, f"/Patient/{key}", "-X", "PUT", *JSON, "-H",
               "Content-Encoding: gzip", data=gzip.compress(text))[0], 201,
          "gzip")


@both("a stream that is reset: aborted", compare=False)
def _(s):
    key = s.id("b")
    content = LARGE * 8
    equal(curl(s, f"/Binary/{key}", "-T", "-", "-H",
               "Content-Type: image/png", stdin=content)[0], 201, "PUT")
    c = h2.Connection(connect(s))
    stream = c.send("GET", f"/fhir/Binary/{key}",
                    [("authorization", f"Bearer {s.token()}")])
    c.read(50000)               # of a window of 64 kB
    c.reset(stream)
    rows = s.audit(2)
    equal((rows[1]["status"], rows[1]["aborted"]), ("200", "t"), "record")
    equal(curl(s, f"/Binary/{key}", "-r", "0-9")[2], content[:10], "others")


main()
