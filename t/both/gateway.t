#!/usr/bin/python3
"""Consent in front of a foreign FHIR server."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, link, observation, patient  # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

A, B = "Organization/clinic-a", "Organization/clinic-b"
QUIET = ("date", "connection", "keep-alive")


def ask(s, method, path, organization=B, scope="system/*.rs", **more):
    return s.request(method, path, token=s.token(scope, [organization]),
                     kind="gateway", **more)


def setup(s, **terms):
    """Two patients with an observation each behind the gateway; the second
    has a Consent, which is in the repository."""
    p, q = s.id("p"), s.id("q")
    s.stand.backend.control(mode="normal", add=[
        patient(p), patient(q), observation(s.id("1"), p),
        observation(s.id("2"), q)])
    s.seed(consent(s.id("c"), q, **(terms or {"permit": [A]})))
    return p, q


@both("a read passes byte for byte, and nothing else of the answer")
def _(s):
    p, q = setup(s)
    r = ask(s, "GET", f"/Patient/{p}")
    equal(r.status, 200, "status")
    equal(r.get("Content-Type"), "application/fhir+json; charset=utf-8",
          "media type")
    equal(r.json(), patient(p), "body")
    for name in ("X-Backend-Secret", "ETag"):
        equal(r.get(name), None, name)
    equal(r.get("Cache-Control"), "no-store", "Cache-Control")
    from hie.web import Connection
    with Connection(s.stand.ports["backend"]) as c:
        equal(c.request("GET", f"/Patient/{p}").body, r.body, "bytes")


@both("a withheld patient is 404, for whom it is permitted 200")
def _(s):
    p, q = setup(s)
    for path in (f"/Patient/{q}", f"/Observation/{s.id('2')}",
                 f"/Patient/{q}/_history/1"):
        equal(ask(s, "GET", path).status, 404, f"B {path}")
        equal(ask(s, "GET", path, A).status, 200, f"A {path}")
    r = s.get(f"/Patient/{q}", token=s.admin(), kind="gateway")
    equal(r.status, 200, "custodian")


@both("withheld and absent are one answer, by GET and by HEAD")
def _(s):
    p, q = setup(s)
    for method in ("GET", "HEAD"):
        one = ask(s, method, f"/Patient/{q}")
        two = ask(s, method, f"/Patient/{s.id('z')}")
        equal(one.status, 404, "status")
        equal(two.status, 404, "status")
        lists = [(sorted((n.lower(), v) for n, v in r.headers
                         if n.lower() not in QUIET), r.body)
                 for r in (one, two)]
        equal(lists[0], lists[1], method)


@both("a condition on the request does not tell withheld from absent")
def _(s):
    p, q = setup(s)
    for header in (("If-None-Match", 'W/"backend"'), ("Range", "bytes=0-3"),
                   ("If-Match", 'W/"x"')):
        one = ask(s, "GET", f"/Patient/{q}", headers=[header])
        two = ask(s, "GET", f"/Patient/{s.id('z')}", headers=[header])
        equal((one.status, one.body), (two.status, two.body), header[0])


@both("HEAD tells the length that GET has")
def _(s):
    p, q = setup(s)
    get, head = ask(s, "GET", f"/Patient/{p}"), ask(s, "HEAD", f"/Patient/{p}")
    equal(head.status, 200, "status")
    equal(head.body, b"", "body")
    if head.get("Content-Length") is not None:
        equal(head.get("Content-Length"), str(len(get.body)), "length")


@both("a search shows what may be seen, without totals and foreign links")
def _(s):
    p, q = setup(s)
    ids = f"_id={p},{q}"
    r = ask(s, "GET", f"/Patient?{ids}")
    equal(r.status, 200, "status")
    equal(found(r), [p], "B")
    check("total" not in r.json(), "a total")
    equal([x["relation"] for x in r.json()["link"]], ["self"], "links")
    check(link(r, "self").startswith(s.stand.base(s.server, "gateway")),
          link(r, "self"))
    equal(found(ask(s, "GET", f"/Patient?{ids}", A)), [p, q], "A")
    equal(found(ask(s, "GET", f"/Observation?patient={p},{q}")), [s.id("1")],
          "Observation")
    equal(found(ask(s, "GET", f"/Observation?patient={q}")), [], "only q")


@both("what cannot be judged is refused, whatever is withheld")
def _(s):
    p, q = setup(s)
    s.stand.backend.control(mode="normal")
    for path in ("/Patient?_include=Observation:patient", "/Patient?_sort=x",
                 "/Patient?_total=accurate", "/Patient?_summary=count",
                 "/Patient?_elements=id", "/Patient?_has:x:y=z",
                 "/Observation?patient.name=x", "/Patient?_revinclude=x",
                 f"/Patient/{p}/$everything", "/Patient/_history", "/",
                 "/Patient?_filter=x", "/Patient?name:text=x",
                 "/Binary/1", "/$export",
                 f"/Patient/{p}?_elements=id", "/Nonsense/1",
                 "/Patient?_format=xml", f"/Patient/{p}/Observation"):
        r = ask(s, "GET", path)
        check(r.status in (400, 403, 404), f"{path}: {r.status}")
        r.issue()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        r = ask(s, method, f"/Patient/{p}", scope="system/*.cruds",
                body=patient(p) if method != "DELETE" else None)
        equal(r.status, 405, method)
        equal(r.get("Allow"), "GET, HEAD", "Allow")
        r.issue()
    equal(s.stand.backend.seen(), [], "requests that came through")


@both("who asks is looked at before the server behind is asked")
def _(s):
    p, q = setup(s)
    s.stand.backend.control(mode="normal")
    equal(s.get(f"/Patient/{p}", token=False, kind="gateway").status, 401,
          "no token")
    equal(ask(s, "GET", f"/Patient/{p}", scope="system/Observation.rs"
              ).status, 403, "scope")
    equal(ask(s, "GET", "/Patient", scope="system/Patient.r").status, 403,
          "search without s")
    equal(s.stand.backend.seen(), [], "requests that came through")


@both("the loopback location of the gateway needs no token")
def _(s):
    p, q = setup(s)
    equal(s.get(f"/Patient/{p}", token=False, kind="local_gateway").status,
          200, "read")
    equal(s.get(f"/Patient/{q}", token=False, kind="local_gateway").status,
          404, "withheld")


@both("conditions, ranges and codings are not passed on")
def _(s):
    p, q = setup(s)
    s.stand.backend.control(mode="normal")
    for header in (("If-None-Match", 'W/"backend"'),
                   ("If-Modified-Since", "Sat, 21 Nov 2099 00:00:00 GMT"),
                   ("Range", "bytes=0-3"), ("Accept-Encoding", "gzip")):
        r = ask(s, "GET", f"/Patient/{p}", headers=[header])
        equal(r.status, 200, header[0])
        equal(r.json()["id"], p, header[0])
    for method, path, headers in s.stand.backend.seen():
        for name in ("if-none-match", "if-modified-since", "range"):
            check(name not in headers, f"{name} came through")
        check("gzip" not in headers.get("accept-encoding", ""),
              "Accept-Encoding came through")


@both("answers that cannot be judged are 502 and tell nothing")
def _(s):
    p, q = setup(s)
    wrong = [{"mode": "html"}, {"mode": "broken"}, {"mode": "gzip"},
             {"mode": "short"}, {"mode": "close"},
             {"mode": "status", "status": 500},
             {"mode": "status", "status": 302},
             {"mode": "raw", "body": "[]"}, {"mode": "raw", "body": ""},
             {"mode": "raw", "body": '{"resourceType":"Observation",'
                                     f'"id":"{p}"}}'},
             {"mode": "raw", "body": '{"resourceType":"Patient","id":"x",'
                                     '"id":"y"}'},
             {"mode": "raw", "body": f'{{"resourceType":"Patient","id":"{p}"'
                                     '}', "type": "text/plain"},
             {"mode": "raw", "body": "x" * (5 * 1024 * 1024)}]
    try:
        for mode in wrong:
            s.stand.backend.control(**mode)
            r = ask(s, "GET", f"/Patient/{p}", note=mode["mode"] != "short")
            equal(r.status, 502, str(mode)[:60])
            r.issue()
            for text in (b"sample-4", b"Withheld", b"html"):
                check(text not in r.body, f"{text} in {r.body}")
            equal(r.get("X-Backend-Secret"), None, "foreign header")
    finally:
        s.stand.backend.control(mode="normal")
    equal(ask(s, "GET", f"/Patient/{p}").status, 200, "afterwards")


@both("errors of the server behind keep their kind, and nothing else")
def _(s):
    p, q = setup(s)
    try:
        for status, wanted in ((404, 404), (410, 404), (400, 400),
                               (422, 400), (429, 503), (503, 503),
                               (401, 502), (403, 502)):
            s.stand.backend.control(mode="status", status=status)
            r = ask(s, "GET", f"/Patient/{p}")
            equal(r.status, wanted, f"for {status}")
            check(b"Withheld" not in r.body and b"sample-4" not in r.body,
                  f"{r.body}")
            r.issue()
    finally:
        s.stand.backend.control(mode="normal")


@both("the server behind is down: 502; when it is back, all is well")
def _(s):
    p, q = setup(s)
    s.stand.backend.stop()
    try:
        r = ask(s, "GET", f"/Patient/{p}")
        equal(r.status, 502, "status")
        r.issue()
    finally:
        s.stand.backend.start()
    s.stand.backend.control(mode="normal", add=[patient(p)])
    for _ in range(100):
        if ask(s, "GET", f"/Patient/{p}", note=False).status == 200:
            break
        time.sleep(0.1)
    equal(ask(s, "GET", f"/Patient/{p}").status, 200, "afterwards")


@both("a change of the Consent takes effect with the next request")
def _(s):
    p, q = setup(s)
    c = s.id("c")
    for terms, wanted in (({"permit": [B]}, 200), ({"permit": [A]}, 404),
                          ({"base": "permit"}, 200),
                          ({"base": "permit", "deny": [B]}, 404),
                          ({"status": "inactive"}, 200)):
        s.seed(consent(c, q, **terms))
        equal(ask(s, "GET", f"/Patient/{q}").status, wanted, str(terms))


@both("the audit tells what left and what did not")
def _(s):
    p, q = setup(s)
    ask(s, "GET", f"/Patient/{p}")
    ask(s, "GET", f"/Patient/{q}")
    ask(s, "GET", f"/Observation?patient={p},{q}")
    ask(s, "GET", "/Patient?_sort=x")
    rows = s.audit(4)
    equal([(r["interaction"], r["type"], r["status"], r["decision"])
           for r in rows[:3:2]],
          [("read", "Patient", "200", "permit"),
           ("search-type", "Observation", "200", "permit")], "permitted")
    equal((rows[1]["resource_id"], rows[1]["status"]), (q, "404"), "withheld")
    equal((rows[3]["decision"], rows[3]["status"]), ("deny", "403"),
          "refused")
    equal(len(rows), 4, "rows")


def judged(row):
    return row["status"], row["withheld"], row["disclosed_resources"]


@both("the audit tells withheld from absent, which the answer does not")
def _(s):
    p, q = setup(s)
    one = ask(s, "GET", f"/Patient/{q}")
    two = ask(s, "GET", f"/Patient/{s.id('z')}")
    ask(s, "HEAD", f"/Observation/{s.id('2')}")
    equal((one.status, one.body), (two.status, two.body), "answers")
    rows = s.audit(3)
    equal([judged(r) for r in rows],
          [("404", "1", "0"), ("404", "0", "0"), ("404", "1", "0")],
          "status, withheld, disclosed")
    equal([r["disclosed_patients"] for r in rows], ["{}"] * 3, "patients")


@both("the audit tells whose data left, how much, and how much did not")
def _(s):
    p, q = setup(s)
    s.stand.backend.control(mode="normal",
                            add=[observation(s.id("3"), q)])
    ask(s, "GET", f"/Patient/{p}")
    ask(s, "GET", f"/Patient/{q}", A)
    ask(s, "GET", f"/Observation?patient={p},{q}")
    ask(s, "GET", f"/Observation?patient={q}")
    ask(s, "GET", f"/Observation?patient={p},{q}", A)
    rows = s.audit(5)
    equal([judged(r) for r in rows],
          [("200", "0", "1"), ("200", "0", "1"), ("200", "2", "1"),
           ("200", "2", "0"), ("200", "0", "3")],
          "status, withheld, disclosed")
    keys = [r["disclosed_patients"].strip("{}").split(",") for r in rows]
    (one,), (two,) = keys[:2]
    check(one and two and one != two, f"patients: {keys}")
    equal(keys[2:4], [[one], [""]], "B")
    equal(sorted(keys[4]), sorted([one, two]), "A")
    equal({(r["patients"], r["resources"]) for r in rows}, {("{}", "0")},
          "known before")


@both("where nothing could be judged the audit says nothing about it")
def _(s):
    p, q = setup(s)
    try:
        for mode in ({"mode": "broken"}, {"mode": "status", "status": 500},
                     {"mode": "close"}):
            s.stand.backend.control(**mode)
            equal(ask(s, "GET", f"/Patient/{p}").status, 502, str(mode))
    finally:
        s.stand.backend.control(mode="normal")
    ask(s, "GET", "/Patient?_sort=x")
    rows = s.audit(4)
    equal([(*judged(r), r["disclosed_patients"]) for r in rows],
          [("502", "", "", "")] * 3 + [("403", "", "", "")],
          "status, withheld, disclosed, patients")


main()
