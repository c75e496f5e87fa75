#!/usr/bin/python3
"""HTTP around the resources: validators, conditions, caching, Prefer, HEAD."""

import sys
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, link, observation, patient           # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def other_day(r, seconds):
    when = parsedate_to_datetime(r.get("Last-Modified")).timestamp()
    return formatdate(when + seconds, usegmt=True)


@both("a read names version, time and place of what it returns")
def _(s):
    key = s.id("p")
    s.seed(patient(key), patient(key, "Two"))
    base = s.stand.base(s.server)
    for path, version in ((f"/Patient/{key}", 2),
                          (f"/Patient/{key}/_history/2", 2),
                          (f"/Patient/{key}/_history/1", 1)):
        r = s.get(path)
        equal(r.status, 200, path)
        equal(r.get("ETag"), f'W/"{version}"', "ETag")
        equal(r.get("Content-Location"),
              f"{base}/Patient/{key}/_history/{version}", "Content-Location")
        when = parsedate_to_datetime(r.get("Last-Modified"))
        stamp = r.json()["meta"]["lastUpdated"]
        equal(when.strftime("%Y-%m-%dT%H:%M:%S"), stamp[:19], "the same time")
        equal(r.get("Cache-Control"), "no-store", "Cache-Control")


@both("If-None-Match: lists, strong and weak, any")
def _(s):
    key = s.id("p")
    s.seed(patient(key), patient(key, "Two"))
    for path, version in ((f"/Patient/{key}", 2),
                          (f"/Patient/{key}/_history/1", 1)):
        for value, status in ((f'W/"{version}"', 304), (f'"{version}"', 304),
                              (f'"9", W/"{version}"', 304), ("*", 304),
                              (f'W/"{3 - version}"', 200), ('"x"', 200)):
            for method in ("GET", "HEAD"):
                r = s.request(method, path,
                              headers=[("If-None-Match", value)])
                equal(r.status, status, f"{method} {path} {value}")
                if status == 304:
                    equal(r.body, b"", "body")
                    equal(r.get("ETag"), f'W/"{version}"', "ETag")
                    check(r.get("Last-Modified"), "Last-Modified")
                    check(r.get("Content-Location"), "Content-Location")
    equal(s.get(f"/Patient/{s.id('none')}",
                headers=[("If-None-Match", "*")]).status, 404, "of nothing")


@both("If-Modified-Since: seconds, and only without If-None-Match")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    for path in (f"/Patient/{key}", f"/Patient/{key}/_history/1"):
        r = s.get(path)
        for seconds, status in ((0, 304), (1, 304), (86400, 304), (-1, 200),
                                (-86400, 200)):
            got = s.get(path, headers=[("If-Modified-Since",
                                        other_day(r, seconds))], note=False)
            equal(got.status, status, f"{path} {seconds}")
            equal(got.body, b"" if status == 304 else r.body, "body")
        now = ("If-Modified-Since", other_day(r, 0))
        equal(s.get(path, headers=[now, ("If-None-Match", 'W/"7"')],
                    note=False).status, 200, "another version")
        old = ("If-Modified-Since", other_day(r, -9))
        equal(s.get(path, headers=[old, ("If-None-Match", 'W/"1"')],
                    note=False).status, 304, "the same version")
    for wrong in ("yesterday", "Sat, 31 Feb 2026 00:00:00 GMT",
                  "2026-01-01T00:00:00Z", "Saturday, 01-Jan-26 00:00:00 GMT",
                  "Sat, 01 Jan 2090 00:00:00 +0100", ""):
        equal(s.get(f"/Patient/{key}", headers=[("If-Modified-Since", wrong)]
                    ).status, 200, wrong)


@both("HEAD is GET without the body, everywhere")
def _(s):
    key = s.id("p")
    s.seed(patient(key), observation(s.id("o"), key))
    ignored = ("date", "connection", "keep-alive", "last-modified")
    for path in ("/metadata", f"/Patient/{key}", f"/Patient/{key}/_history/1",
                 f"/Patient/{key}/_history", f"/Patient?_id={key}",
                 f"/Patient/{key}/$everything", f"/Patient/{key}/$meta",
                 f"/Patient/{s.id('none')}", f"/Patient/{key}/$nonsense",
                 f"/Patient/{key}/_history?_count=x", "/Foo"):
        get, head = s.get(path), s.head(path)
        equal((head.status, head.body), (get.status, b""), path)
        wanted, got = (sorted((n.lower(), v) for n, v in r.headers
                              if n.lower() not in ignored)
                       for r in (get, head))
        equal(got, wanted, f"headers of {path}")


@both("Prefer: handling says what becomes of unknown parameters")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    path = f"/Patient?_id={key}&nonsense=1"
    equal(s.get(path).status, 400, "without")
    equal(s.get(path, headers=[("Prefer", "handling=strict")]).status, 400,
          "strict")
    for prefer in ("handling=lenient", "return=minimal, handling=lenient",
                   "respond-async,handling=lenient"):
        r = s.get(path, headers=[("Prefer", prefer)])
        equal((r.status, found(r)), (200, [key]), prefer)
        check("nonsense" not in link(r, "self"), "self")
    equal(s.get(f"/Patient?_id={key}&_count=x",
                headers=[("Prefer", "handling=lenient")]).status, 400,
          "a wrong value stays wrong")
    value = s.id("unique")
    equal(s.post("/Patient", patient("x", value=value), headers=[
        ("If-None-Exist", "nonsense=1"), ("Prefer", "handling=lenient")]
        ).status, 400, "a condition is not made wider")


@both("a time zone's plus that was not escaped is understood")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00",
                          time.gmtime(time.time() - 60))
    equal(s.get(f"/Patient/{key}/_history?_since={stamp}", note=False
                ).json()["total"], 1, "since")


main()
