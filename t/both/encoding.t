#!/usr/bin/python3
"""Content-Encoding: of what is sent, decoded in the core, and of what is
answered, by the servers' own filters."""

import gzip
import json
import random
import struct
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, patient                              # noqa: E402
from hie.tap import (both, check, equal, main, once, own_stand,  # noqa: E402
                     started)
from hie.web import Connection                                   # noqa: E402

M = 1024 * 1024
# The one server joins the fields of Vary, the other does not: such cases are
# not compared as they stand.
GZIP = ("Accept-Encoding", "gzip")
NGINX = """\
            gzip on;
            gzip_types application/fhir+json application/fhir+xml;
            gzip_min_length 20;
            gzip_vary on;
"""
HTTPD = """\
<Location "/fhir">
    AddOutputFilterByType DEFLATE application/fhir+json application/fhir+xml
</Location>
"""


def zstd(data, repeat=0, window=0x58):
    """RFC 8878 by hand: raw blocks, then blocks of one byte repeated."""
    blocks = [(0, data[i:i + 65536]) for i in range(0, len(data), 65536)]
    blocks += [(1, b" ")] * repeat
    out = struct.pack("<IBB", 0xFD2FB528, 0, window)
    for n, (kind, block) in enumerate(blocks):
        size = 131072 if kind else len(block)
        head = (n == len(blocks) - 1) | kind << 1 | size << 3
        out += struct.pack("<I", head)[:3] + block
    return out


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda data: b"".join(gzip.compress(data[i:i + 20])
                                  for i in range(0, len(data), 20)),
    "deflate": zlib.compress,
    "zstd": zstd,
    "identity": lambda data: data,
}


def send(s, key, coding, data, **more):
    return s.request("PUT", f"/Patient/{key}", data,
                     headers=[("Content-Type", "application/fhir+json"),
                              ("Content-Encoding", coding)], **more)


@both("gzip, deflate and zstd are taken away from what is sent", compare=False)
def _(s):
    for n, (coding, pack) in enumerate(CODINGS.items()):
        key = s.id(f"p{n}")
        text = json.dumps(patient(key, family=f"Coded{n}")).encode()
        equal(send(s, key, coding, pack(text)).status, 201, coding)
        equal(s.get(f"/Patient/{key}").json()["name"][0]["family"],
              f"Coded{n}", coding)


@both("a transaction and a search by POST too", compare=False)
def _(s):
    key = s.id("p")
    text = json.dumps({"resourceType": "Bundle", "type": "transaction",
                       "entry": [{"resource": patient(key),
                                  "request": {"method": "PUT",
                                              "url": f"Patient/{key}"}}]})
    r = s.request("POST", "", gzip.compress(text.encode()),
                  headers=[("Content-Type", "application/fhir+json"),
                           ("Content-Encoding", "gzip")])
    equal(r.status, 200, f"{r}")
    r = s.request("POST", "/Patient/_search",
                  zstd(f"_id={key}".encode()),
                  headers=[("Content-Type",
                            "application/x-www-form-urlencoded"),
                           ("Content-Encoding", "zstd")])
    equal(found(r), [key], "search")


@both("what is no such coding is 400, an unknown one 415")
def _(s):
    key = s.id("p")
    text = json.dumps(patient(key)).encode()
    packed = gzip.compress(text)
    for coding, data in (
            ("gzip", text), ("deflate", text), ("zstd", text),
            ("gzip", b""), ("zstd", b""), ("gzip", packed[:-1]),
            ("gzip", packed[:-5] + b"\0" + packed[-4:]),
            ("gzip", packed + b"x"), ("deflate", packed),
            ("deflate", zlib.compress(text)[:-2]), ("zstd", zstd(text)[:-3]),
            ("zstd", zstd(text, window=0xF8)), ("zstd", zstd(text) + b"x")):
        r = send(s, key, coding, data, note=False)
        equal(r.status, 400, f"{coding} {data[:20]}")
        r.issue()
    for coding in ("br", "compress", "gzip, gzip", "aes128gcm"):
        r = send(s, key, coding, packed)
        equal(r.status, 415, coding)
        equal(r.get("Accept-Encoding"), "gzip, deflate, zstd", coding)
        r.issue()
    equal(s.get(f"/Patient/{key}", note=False).status, 404, "stored")


@both("a bomb is 413", compare=False)
def _(s):
    key = s.id("p")
    bombs = {"gzip": gzip.compress(b" " * 512 * M, 1),
             "deflate": zlib.compress(b" " * 64 * M),
             "zstd": zstd(b"{", repeat=80000)}      # 10 GB
    for coding, data in bombs.items():
        r = send(s, key, coding, data)
        equal(r.status, 413, coding)
        equal(r.issue()["code"], "too-long", coding)
    equal(s.get("/metadata").status, 200, "others are served")


@both("answers in gzip: the same resource under the same weak ETag")
def _(s):
    key = s.id("p")
    s.seed(patient(key, maritalStatus={"text": "x" * 3000}))
    plain = s.get(f"/Patient/{key}", note=False)
    r = s.get(f"/Patient/{key}", headers=[GZIP], note=False)
    equal(r.get("Content-Encoding"), "gzip", "Content-Encoding")
    check("Accept-Encoding" in (r.get("Vary") or ""), "Vary")
    check(len(r.body) < 1000, "size")
    equal(zlib.decompress(r.body, 31), plain.body, "body")
    equal(r.get("ETag"), 'W/"1"', "ETag")
    equal(r.get("Content-Type"), plain.get("Content-Type"), "Content-Type")
    r = s.get(f"/Patient/{key}", headers=[GZIP, ("If-None-Match", 'W/"1"')],
              note=False)
    equal((r.status, r.body, r.get("ETag"), r.get("Content-Encoding")),
          (304, b"", 'W/"1"', None), "304")
    r = s.head(f"/Patient/{key}", headers=[GZIP], note=False)
    equal((r.status, r.get("ETag")), (200, 'W/"1"'), "HEAD")
    r = s.put(f"/Patient/{key}", patient(key, maritalStatus={"text": "y" * 3000}),
              headers=[GZIP, ("If-Match", 'W/"1"')], note=False)
    equal((r.status, r.get("ETag"), r.get("Content-Encoding")),
          (200, 'W/"2"', "gzip"), "update")
    r = s.get(f"/Patient/{s.id('no')}", headers=[GZIP], note=False)
    equal(r.status, 404, "an error")
    if r.get("Content-Encoding"):
        r.body = zlib.decompress(r.body, 31)
    r.issue()
    rows = s.audit(6)
    equal([r["aborted"] for r in rows], ["f"] * 6, "nothing is aborted")


@both("raw content keeps its own form; its document may be compressed")
def _(s):
    key = s.id("b")
    content = b"abc" * 200000
    equal(s.request("PUT", f"/Binary/{key}", content,
                    headers=[("Content-Type", "text/plain")],
                    note=False).status, 201, "PUT")
    r = s.get(f"/Binary/{key}", headers=[GZIP], note=False)
    equal((r.get("Content-Encoding"), r.body == content), (None, True),
          "raw")
    r = s.get(f"/Binary/{key}", headers=[
        GZIP, ("Accept", "application/fhir+json")], note=False)
    equal(r.get("Content-Encoding"), "gzip", "document")
    check(len(zlib.decompress(r.body, 31)) > 800000, "document")


@once("httpd decodes by itself where it is told to: not twice")
def _(stand):
    c = Connection(stand.ports["httpd"])
    key = f"twice-{random.randrange(1 << 40)}"
    token = ("Authorization", f"Bearer {stand.token('twice')}")
    text = json.dumps(patient(key)).encode()
    for data in (gzip.compress(text), text):
        coding = [] if data is text else [("Content-Encoding", "gzip")]
        r = c.request("PUT", f"/decoded/Patient/{key}",
                      [token, ("Content-Type", "application/fhir+json"),
                       *coding], data)
        check(r.status in (200, 201), f"{r}")
    c.close()


DECODED = """\
<Location "/decoded">
    HieFhir On
    SetInputFilter DEFLATE
</Location>
"""

main(started(own_stand(
    "encoding", max_binary="8m", nginx_fhir=NGINX,
    httpd_main="LoadModule filter_module "
               "/usr/lib/apache2/modules/mod_filter.so\n"
               "LoadModule deflate_module "
               "/usr/lib/apache2/modules/mod_deflate.so\n",
    httpd_server=HTTPD + DECODED)))
