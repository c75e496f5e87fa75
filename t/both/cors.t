#!/usr/bin/python3
"""Requests of web pages from other origins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402

APP = "https://app.example.org"
OTHER = "https://app.example.org:8443"
PREFLIGHT = [("Access-Control-Request-Method", "PUT"),
             ("Access-Control-Request-Headers", "authorization,content-type")]

stand = own_stand("cors", fhir=f"""\
  cors:
    origins: ["{APP}", "http://localhost:3000"]
    max_age: 77
  cache_control: "private, no-cache"
""")


def allowed(r, origin, what):
    equal(r.get("Access-Control-Allow-Origin"), origin, what)
    check("Origin" in [v.strip() for v in (r.get("Vary") or "").split(",")],
          f"{what}: Vary")
    exposed = r.get("Access-Control-Expose-Headers")
    equal(exposed, "ETag, Location, Content-Location, Last-Modified"
          if origin else None, f"{what}: exposed")
    equal(r.get("Access-Control-Allow-Credentials"), None,
          f"{what}: credentials")


def places(s):
    key = s.id("p")
    s.seed(patient(key))
    return (("GET", f"/Patient/{key}", 200), ("GET", "/metadata", 200),
            ("GET", f"/Patient/{key}/_history", 200),
            ("GET", f"/Patient/{key}/$everything", 200),
            ("GET", f"/Patient/{s.id('none')}", 404),
            ("GET", "/Foo", 404), ("PUT", "/metadata", 405),
            ("GET", "/Patient?x=1", 400), ("POST", "/Patient", 415))


@both("listed origins are named, exactly, on answers and on errors")
def _(s):
    for method, path, status in places(s):
        for origin in (APP, "http://localhost:3000"):
            body = b"x" if method in ("PUT", "POST") else None
            r = s.request(method, path, body,
                          headers=[("Origin", origin),
                                   ("Content-Type", "text/plain")])
            equal(r.status, status, path)
            allowed(r, origin, path)
    r = s.get("/Patient/x", token=False, headers=[("Origin", APP)])
    equal(r.status, 401, "no token")
    allowed(r, APP, "401")
    r = s.put(f"/Patient/{s.id('n')}", patient(s.id("n")),
              headers=[("Origin", APP)])
    equal(r.status, 201, "create")
    allowed(r, APP, "201")


@both("others are not")
def _(s):
    for method, path, status in places(s)[:5]:
        for origin in (OTHER, "https://evil.example", "null", "*",
                       APP.upper(), APP + "/", APP + ", " + APP,
                       "https://app.example.org.evil.example"):
            r = s.request(method, path, headers=[("Origin", origin)])
            equal(r.status, status, path)
            allowed(r, None, f"{path} {origin}")
        allowed(s.request(method, path), None, f"{path} without Origin")


@both("a preflight is answered without a token, wherever it is sent")
def _(s):
    for path in ("/Patient/x", "/Patient", "", "/metadata", "/Foo/bar/baz",
                 "/Patient/x/$everything", "/Patient/x/_history/1"):
        r = s.request("OPTIONS", path, token=False,
                      headers=[("Origin", APP), *PREFLIGHT])
        equal((r.status, r.body), (204, b""), path)
        allowed(r, APP, path)
        equal(r.get("Access-Control-Allow-Methods"),
              "GET, HEAD, POST, PUT, PATCH, DELETE", "methods")
        equal(r.get("Access-Control-Max-Age"), "77", "max age")
        names = r.get("Access-Control-Allow-Headers").lower().split(", ")
        for name in ("authorization", "content-type", "if-match",
                     "if-none-exist", "prefer"):
            check(name in names, name)
    r = s.request("OPTIONS", "/Patient/x", token=False,
                  headers=[("Origin", OTHER), *PREFLIGHT])
    equal(r.status, 204, "another origin")
    for name in ("Origin", "Methods", "Headers", "Max-Age"):
        check(r.get(f"Access-Control-{name}") is None
              and r.get(f"Access-Control-Allow-{name}") is None, name)


@both("OPTIONS that is no preflight is OPTIONS")
def _(s):
    r = s.request("OPTIONS", "/Patient/x", token=False,
                  headers=[("Origin", APP)])
    equal(r.status, 204, "status")
    check("GET" in r.get("Allow"), "Allow")
    allowed(r, APP, "origin")
    equal(s.request("OPTIONS", "/Foo", token=False).status, 401,
          "of nothing, by nobody")
    equal(s.request("OPTIONS", "/Foo").status, 404, "of nothing")


@both("through the gateway as well, and nothing of the server behind it")
def _(s):
    r = s.request("OPTIONS", "/Patient/sample-1", token=False, kind="gateway",
                  headers=[("Origin", APP), *PREFLIGHT])
    equal(r.status, 204, "preflight")
    allowed(r, APP, "preflight")
    r = s.get("/Patient/sample-1", kind="gateway",
              headers=[("Origin", APP)])
    equal(r.status, 200, "read")
    allowed(r, APP, "read")
    for headers, token, status in ((("Origin", APP), False, 401),
                                   (("Origin", APP), None, 404)):
        r = s.get("/Patient/none", kind="gateway", headers=[headers],
                  token=token)
        equal(r.status, status, "error")
        allowed(r, APP, f"{status}")
    allowed(s.get("/Patient/sample-1", kind="gateway",
                  headers=[("Origin", OTHER)]), None, "another origin")


@both("Cache-Control as configured, but not of errors")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    equal(s.get(f"/Patient/{key}").get("Cache-Control"), "private, no-cache",
          "read")
    equal(s.get(f"/Patient/{key}", headers=[("If-None-Match", "*")]
                ).get("Cache-Control"), "private, no-cache", "304")
    equal(s.get(f"/Patient/{s.id('none')}").get("Cache-Control"), "no-store",
          "404")


@both("the statement says so")
def _(s):
    equal(s.get("/metadata", token=False).json()["rest"][0]["security"]
          ["cors"], True, "cors")


main(started(stand))
