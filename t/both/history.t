#!/usr/bin/python3
"""History of an instance, of a type and of the system."""

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, link, observation, patient         # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def history(s, path, **more):
    r = s.get(path, **more)
    equal(r.status, 200, path)
    bundle = r.json()
    equal((bundle["resourceType"], bundle["type"]), ("Bundle", "history"),
          path)
    return r


def versions(r):
    """(Type/id, version) in the order of the Bundle."""
    out = []
    for e in r.json().get("entry", []):
        place = "/".join(e["fullUrl"].split("/")[-2:])
        out.append((place, int(e["response"]["etag"].split('"')[1])))
    return out


def pages(s, path, **more):
    """All versions of all pages."""
    out, count = [], 0
    while path:
        r = history(s, path, **more)
        out += versions(r)
        url = link(r, "next")
        path = None
        if url:
            parts = urlsplit(url)
            path = parts.path.removeprefix("/fhir") + "?" + parts.query
        count += 1
        check(count < 2000, "the pages do not end")
    return out


def stamp(s, path):
    return s.get(path, note=False).json()["meta"]["lastUpdated"]


@both("an instance: all versions, newest first, with request and response")
def _(s):
    key = s.id("p")
    for family in ("One", "Two", "Three"):
        s.put(f"/Patient/{key}", patient(key, family))
    r = history(s, f"/Patient/{key}/_history")
    bundle = r.json()
    equal(bundle["total"], 3, "total")
    equal([e["resource"]["name"][0]["family"] for e in bundle["entry"]],
          ["Three", "Two", "One"], "order")
    base = s.stand.base(s.server)
    for i, e in enumerate(bundle["entry"]):
        equal(e["fullUrl"], f"{base}/Patient/{key}", "fullUrl")
        equal(e["request"], {"method": "PUT", "url": f"Patient/{key}"},
              "request")
        equal(e["response"]["status"],
              "201 Created" if i == 2 else "200 OK", "status")
        equal(e["response"]["etag"], f'W/"{3 - i}"', "etag")
        equal(e["response"]["lastModified"],
              e["resource"]["meta"]["lastUpdated"], "lastModified")
        one = s.get(f"/Patient/{key}/_history/{3 - i}")
        equal(one.json(), e["resource"], "the version as by vread")
        check(one.body in r.body, "the bytes as by vread")
    equal(link(r, "self"), f"{base}/Patient/{key}/_history", "self")


@both("a create is a POST to the type")
def _(s):
    key = s.post("/Patient", patient("x")).json()["id"]
    e = history(s, f"/Patient/{key}/_history").json()["entry"][0]
    equal(e["request"], {"method": "POST", "url": "Patient"}, "request")
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": patient("x"), "request": {"method": "POST",
                                               "url": "Patient"}}]}
    place = s.post("", bundle).json()["entry"][0]["response"]["location"]
    key = place.split("/_history")[0].split("/")[-1]
    e = history(s, f"/Patient/{key}/_history").json()["entry"][0]
    equal(e["request"], {"method": "POST", "url": "Patient"}, "in a Bundle")


@both("_sort=_lastUpdated is the other way round")
def _(s):
    key = s.id("p")
    for family in ("One", "Two", "Three"):
        s.put(f"/Patient/{key}", patient(key, family))
    for sort, wanted in (("_lastUpdated", [1, 2, 3]),
                         ("-_lastUpdated", [3, 2, 1]), ("none", [3, 2, 1])):
        r = history(s, f"/Patient/{key}/_history?_sort={sort}")
        equal([v for _, v in versions(r)], wanted, sort)
        r = pages(s, f"/Patient/{key}/_history?_sort={sort}&_count=2")
        equal([v for _, v in r], wanted, f"{sort} in pages")


@both("pages: the next link until there is none, stable under writes")
def _(s):
    key = s.id("p")
    for i in range(7):
        s.put(f"/Patient/{key}", patient(key, f"F{i}"))
    r = history(s, f"/Patient/{key}/_history?_count=3")
    equal([v for _, v in versions(r)], [7, 6, 5], "first page")
    equal(r.json()["total"], 7, "total is of all")
    for i in range(3):
        s.put(f"/Patient/{key}", patient(key, f"G{i}"))
    url = urlsplit(link(r, "next"))
    rest = pages(s, url.path.removeprefix("/fhir") + "?" + url.query)
    equal([v for _, v in rest], [4, 3, 2, 1], "what follows")
    r = history(s, f"/Patient/{key}/_history?_count=0")
    check("entry" not in r.json(), "_count=0 has no entries")
    equal(r.json()["total"], 10, "_count=0 has the total")


@both("a page is refused when it is altered or another's")
def _(s):
    key, other = s.id("p"), s.id("q")
    for i in range(3):
        s.put(f"/Patient/{key}", patient(key, f"F{i}"))
        s.put(f"/Patient/{other}", patient(other, f"F{i}"))
    url = urlsplit(link(history(s, f"/Patient/{key}/_history?_count=1"),
                        "next"))
    path = url.path.removeprefix("/fhir") + "?" + url.query
    equal(s.get(path).status, 200, "as it was given")
    for wrong in (path.replace(key, other), path[:-3] + "AAA",
                  path.replace("_count=1", "_count=2"),
                  path.replace(f"/{key}", "")):
        equal(s.get(wrong, note=False).status, 400, wrong)
    equal(s.get(path, token=s.token(subject="somebody-" + s.key),
                note=False).status, 400, "another requester")


@both("_since and _at")
def _(s):
    key = s.id("p")
    times = []
    for i in range(3):
        s.put(f"/Patient/{key}", patient(key, f"F{i}"))
        times.append(stamp(s, f"/Patient/{key}"))
        time.sleep(0.02)
    place = f"/Patient/{key}/_history"

    def got(query):
        return [v for _, v in versions(history(s, f"{place}?{query}",
                                               note=False))]

    for i in range(3):
        equal(got(f"_since={times[i]}"), [3, 2, 1][:3 - i], f"_since {i}")
        equal(got(f"_at={times[i]}"), [i + 1], f"_at {i}")
    when = datetime.fromisoformat(times[0].replace("Z", "+00:00"))
    before = (when - timedelta(seconds=1)).isoformat()
    equal(got(f"_at={quote(before)}"), [], "before there was any")
    equal(got(f"_at={quote((when + timedelta(hours=1)).isoformat())}"), [3],
          "what is current then")
    equal(got(f"_since={quote(before)}"), [3, 2, 1], "all")
    equal(got(f"_at={when.year}"), [3, 2, 1], "within the year")
    equal(got(f"_since={when.year + 1}"), [], "the year after")
    equal(history(s, f"{place}?_since={when.year + 1}").json()["total"], 0,
          "total")


@both("values and parameters that are wrong are 400")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    for place in (f"/Patient/{key}/_history", "/Patient/_history",
                  "/_history"):
        for query in ("_since=yesterday", "_at=2020-13-01", "_count=x",
                      "_count=-1", "_sort=name", "_cursor=AAAA", "name=x",
                      "_since=%zz"):
            r = s.get(f"{place}?{query}")
            equal(r.status, 400, f"{place}?{query}")
            r.issue()
    r = history(s, f"/Patient/{key}/_history?name=x",
                headers=[("Prefer", "handling=lenient")])
    check("name=x" not in link(r, "self"), "self says what was understood")


@both("an unknown instance is 404, an unknown type too")
def _(s):
    equal(s.get(f"/Patient/{s.id('none')}/_history").status, 404, "instance")
    equal(s.get("/Nonsense/_history").status, 404, "type")


@both("a type: its versions and no others, in order and in pages")
def _(s):
    # a type that hardly anybody else writes
    a, b = s.id("a"), s.id("b")
    start = time.time()
    for i in range(2):
        for key in (a, b):
            s.put(f"/Slot/{key}", slot(key, i))
    s.put(f"/Schedule/{a}", schedule(a))
    since = datetime.utcfromtimestamp(start - 1).isoformat() + "Z"
    mine = [v for v in pages(s, f"/Slot/_history?_since={since}&_count=3",
                             note=False) if s.key in v[0]]
    equal(mine, [(f"Slot/{b}", 2), (f"Slot/{a}", 2), (f"Slot/{b}", 1),
                 (f"Slot/{a}", 1)], "newest first")
    mine = [v for v in pages(s, f"/Slot/_history?_since={since}&_count=3"
                                "&_sort=_lastUpdated", note=False)
            if s.key in v[0]]
    equal(mine, [(f"Slot/{a}", 1), (f"Slot/{b}", 1), (f"Slot/{a}", 2),
                 (f"Slot/{b}", 2)], "oldest first")
    mine = [v for v in pages(s, f"/_history?_since={since}&_count=200",
                             note=False) if s.key in v[0]]
    equal(mine, [(f"Schedule/{a}", 1), (f"Slot/{b}", 2), (f"Slot/{a}", 2),
                 (f"Slot/{b}", 1), (f"Slot/{a}", 1)], "of the system")


@both("the versions of a type, or of the system, are counted when asked for")
def _(s):
    p, q, keys = s.id("p"), s.id("q"), [s.id(n) for n in "abc"]
    s.seed(patient(p), patient(q), consent(s.id("k"), q))
    for i in range(2):
        for key, who in zip(keys, (p, p, q)):
            s.seed(order(key, who, i))
    since = s.get(f"/NutritionOrder/{keys[0]}/_history/1", note=False).json()[
        "meta"]["lastUpdated"]
    s.delete(f"/NutritionOrder/{keys[1]}")
    some = s.token("hie/admin system/NutritionOrder.rs system/Slot.rs")
    b = s.token("system/NutritionOrder.rs", ["Organization/b"])
    for place in ("/NutritionOrder/_history", "/_history"):
        for query in ("_summary=count", "_count=0"):
            r = history(s, f"{place}?_since={since}&{query}", token=some,
                        note=False)
            # others may write Slots meanwhile
            n = r.json()["total"]
            check(n == 7 or place == "/_history" and n > 7, f"{place}: {n}")
            check("entry" not in r.json(), "no entries")
            equal(link(r, "next"), None, "no page")
            equal(history(s, f"{place}?_since={since}&{query}", token=b,
                          note=False).json()["total"], 5, "B")
    r = history(s, f"/NutritionOrder/_history?_since={since}", token=b,
                note=False)
    equal((r.json()["total"], len(versions(r))), (5, 5), "all on a page")
    r = history(s, f"/NutritionOrder/_history?_since={since}&_count=2",
                note=False)
    check("total" not in r.json(), "a page of several")
    r = history(s, f"/NutritionOrder/_history?_at={since}&_summary=count",
                note=False)
    check(1 <= r.json()["total"] < 4, "current at that instant")
    equal(history(s, "/NutritionOrder/_history?_since=2190&_count=0",
                  note=False).json()["total"], 0, "none")


def order(key, subject, i):
    return {"resourceType": "NutritionOrder", "id": key, "status": "active",
            "intent": "order", "dateTime": f"2026-01-0{i + 1}",
            "patient": {"reference": f"Patient/{subject}"}}


def slot(key, i):
    return {"resourceType": "Slot", "id": key, "status": "free",
            "comment": f"x{i}", "schedule": {"reference": f"Schedule/{key}"},
            "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}


def schedule(key):
    return {"resourceType": "Schedule", "id": key,
            "actor": [{"display": "x"}]}


@both("the scopes say which types there are")
def _(s):
    key = s.id("p")
    s.seed(patient(key), observation(s.id("o"), key))
    read, search = s.token("system/Patient.r"), s.token("system/Patient.s")
    equal(s.get(f"/Patient/{key}/_history", token=read).status, 200,
          "instance: read")
    equal(s.get(f"/Patient/{key}/_history", token=search).status, 403,
          "instance: search")
    equal(s.get("/Patient/_history?_count=1", token=read, note=False).status,
          403, "type: read")
    equal(s.get("/Patient/_history?_count=1", token=search, note=False
                ).status, 403, "type: search")
    equal(s.get("/_history?_count=1", token=read, note=False).status, 403,
          "system: read")
    one = s.token("system/Patient.rs")
    equal(s.get("/Patient/_history?_count=1", token=one, note=False).status,
          200, "type: both")
    r = history(s, "/_history?_count=200", token=one, note=False)
    equal({v[0].split("/")[0] for v in versions(r)}, {"Patient"},
          "the types of the system")


@both("a withheld patient has no history")
def _(s):
    p, o = s.id("p"), s.id("o")
    a, b = (s.token("system/*.rs", [f"Organization/{n}"]) for n in "ab")
    s.seed(patient(p), patient(p, "Two"), observation(o, p))
    start = stamp(s, f"/Patient/{p}")
    s.seed(consent(s.id("c"), p, permit=["Organization/a"]),
           observation(o, p, value=71))
    for kind, key in (("Patient", p), ("Observation", o)):
        none = s.get(f"/{kind}/{s.id('none')}/_history", token=b)
        hidden = s.get(f"/{kind}/{key}/_history", token=b)
        equal(hidden.status, 404, f"{kind}: status")
        equal(hidden.body.replace(key.encode(), b"X"),
              none.body.replace(s.id("none").encode(), b"X"), "text")
        for query in ("_count=0", "_since=2020", "_at=2020", "_count=1"):
            equal(s.get(f"/{kind}/{key}/_history?{query}", token=b).status,
                  404, query)
        equal(len(versions(history(s, f"/{kind}/{key}/_history", token=a))),
              2, "A")
        for place in (f"/{kind}/_history", "/_history"):
            for token, count in ((a, 1), (b, 0)):
                r = pages(s, f"{place}?_since={start}&_count=50",
                          token=token, note=False)
                found = [v for v in r if key in v[0]]
                check(bool(found) == bool(count), f"{place}: {found}")


@both("a version of another, withheld, patient is left out and not counted")
def _(s):
    p, q, o = s.id("p"), s.id("q"), s.id("o")
    s.seed(patient(p), patient(q), consent(s.id("c"), q),
           observation(o, q), observation(o, p), observation(o, p, value=1))
    b = s.token("system/*.rs", ["Organization/b"])
    r = history(s, f"/Observation/{o}/_history", token=b)
    equal([v for _, v in versions(r)], [3, 2], "versions")
    equal(r.json()["total"], 2, "total")
    s.seed(observation(o, q, value=2))
    equal(s.get(f"/Observation/{o}/_history", token=b).status, 404,
          "the current row governs")


@both("a deletion is an entry without a resource, and its version is 410")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key, "One"))
    s.request("DELETE", f"/Patient/{key}")
    equal(s.get(f"/Patient/{key}").status, 410, "read")
    equal(s.get(f"/Patient/{key}/_history/2").status, 410, "vread of it")
    equal(s.get(f"/Patient/{key}/_history/1").status, 200, "vread before it")
    bundle = history(s, f"/Patient/{key}/_history").json()
    equal(bundle["total"], 2, "total")
    gone, first = bundle["entry"]
    check("resource" not in gone, "no resource")
    equal(gone["request"], {"method": "DELETE", "url": f"Patient/{key}"},
          "request")
    equal(gone["response"]["status"], "204 No Content", "status")
    equal(gone["fullUrl"], f"{s.stand.base(s.server)}/Patient/{key}",
          "fullUrl")
    equal(first["resource"]["name"][0]["family"], "One", "before")
    s.put(f"/Patient/{key}", patient(key, "Again"))
    r = history(s, f"/Patient/{key}/_history")
    equal([e["request"]["method"] for e in r.json()["entry"]],
          ["PUT", "DELETE", "PUT"], "brought back")
    equal(s.get(f"/Patient/{key}/$everything").json()["total"], 1, "record")
    s.request("DELETE", f"/Patient/{key}")
    equal(s.get(f"/Patient/{key}/$everything").status, 410, "no record")


@both("HEAD is GET without the body")
def _(s):
    key = s.id("p")
    s.put(f"/Patient/{key}", patient(key))
    path = f"/Patient/{key}/_history"
    get, head = s.get(path), s.head(path)
    equal((head.status, head.body), (get.status, b""), "answer")
    equal(head.get("Content-Length"), get.get("Content-Length"), "length")


@both("the record names interaction and patients")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    s.get(f"/Patient/{key}/_history")
    s.get("/Patient/_history?_count=1", note=False)
    s.get("/_history?_count=1", note=False)
    rows = s.audit(3)
    equal([r["interaction"] for r in rows],
          ["history-instance", "history-type", "history-system"], "codes")
    equal(rows[0]["resources"], "1", "resources")
    check(rows[0]["patients"] not in ("", "{}"), "patients")


main()
