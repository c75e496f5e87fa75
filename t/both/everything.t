#!/usr/bin/python3
"""$everything of a patient, of all patients, of an encounter."""

import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, link, observation, patient  # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def encounter(key, subject, **more):
    return {"resourceType": "Encounter", "id": key, "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{subject}"}, **more}


def plain(kind, key, **more):
    return {"resourceType": kind, "id": key, **more}


def chart(s):
    """A patient, what is about her, and what that refers to."""
    p, doc, org = s.id("p"), s.id("doc"), s.id("org")
    ward, e, o, c = s.id("ward"), s.id("e"), s.id("o"), s.id("c")
    s.seed(plain("Organization", org, name="x"),
           plain("Practitioner", doc), plain("Location", ward, name="w"),
           plain("Practitioner", s.id("stranger")),
           patient(p, managingOrganization={"reference":
                                            f"Organization/{org}"}),
           {"resourceType": "Condition", "id": c,
            "subject": {"reference": f"Patient/{p}"},
            "recordedDate": "2024-03-05"},
           encounter(e, p, period={"start": "2024-03-01T08:00:00Z",
                                   "end": "2024-03-04T08:00:00Z"},
                     location=[{"location": {"reference":
                                             f"Location/{ward}"}}],
                     diagnosis=[{"condition": {"reference":
                                               f"Condition/{c}"}}]),
           observation(o, p, effectiveDateTime="2024-03-02",
                       encounter={"reference": f"Encounter/{e}"},
                       performer=[{"reference": f"Practitioner/{doc}"}]),
           observation(s.id("late"), p, effectiveDateTime="2025-01-01"))
    return p, e


def names(r):
    """The part of each id that a case gave it, in order."""
    return [key.rsplit("-", 1)[1] for key in found(r)]


def modes(r):
    return {e["resource"]["id"].rsplit("-", 1)[1]: e["search"]["mode"]
            for e in r.json()["entry"]}


def get(s, path, **more):
    r = s.get(path, **more)
    equal(r.status, 200, path)
    return r


def follow(s, path, **more):
    out = []
    while path:
        r = get(s, path, **more)
        out.append(r)
        url = link(r, "next")
        path = None
        if url:
            parts = urlsplit(url)
            path = parts.path.removeprefix("/fhir") + "?" + parts.query
        check(len(out) < 2000, "the pages do not end")
    return out


@both("a patient: herself first, her compartment, what that refers to")
def _(s):
    p, e = chart(s)
    r = get(s, f"/Patient/{p}/$everything")
    equal(names(r), ["p", "c", "e", "o", "late", "org", "doc", "ward"],
          "resources")
    equal(modes(r), {"p": "match", "c": "match", "e": "match", "o": "match",
                     "late": "match", "org": "include", "doc": "include",
                     "ward": "include"}, "modes")
    bundle = r.json()
    equal(bundle["total"], 5, "total")
    base = s.stand.base(s.server)
    equal(link(r, "self"), f"{base}/Patient/{p}/$everything", "self")
    equal(link(r, "next"), None, "next")
    for entry in bundle["entry"]:
        kind, key = (entry["resource"]["resourceType"],
                     entry["resource"]["id"])
        equal(entry["fullUrl"], f"{base}/{kind}/{key}", "fullUrl")
        check(s.get(f"/{kind}/{key}", note=False).body in r.body,
              "the bytes that are stored")


@both("what is referred to, however it is written")
def _(s):
    p, base = s.id("p"), s.stand.base(s.server)
    makers = [s.id(n) for n in ("plain", "escaped", "absolute", "foreign",
                                "told", "spaced")]
    s.seed(patient(p), *(plain("Practitioner", m) for m in makers))
    ref = {m.rsplit("-", 1)[1]: f"Practitioner/{m}" for m in makers}
    written = [
        json.dumps({"reference": ref["plain"]}),
        json.dumps({"reference": "#c"}),
        json.dumps({"reference": ref["escaped"]}).replace("/", "\\/"),
        json.dumps({"reference": f"{base}/{ref['absolute']}"}),
        json.dumps({"reference": f"http://x.example/{ref['foreign']}"}),
        json.dumps({"display": f'"reference":"{ref["told"]}"'}),
        '{"reference"\n:\t"%s"}' % ref["spaced"]]
    contained = {"resourceType": "Practitioner", "id": "c", "qualification": [
        {"code": {"text": "x"},
         "issuer": {"reference": f"Organization/{s.id('org')}"}}]}
    s.seed(plain("Organization", s.id("org"), name="x"))
    # type and id do not come first
    body = ('{"status":"final","code":{"text":"x"},"subject":{"reference":'
            f'"Patient/{p}"}},"performer":[{",".join(written)}],"contained":'
            f'[{json.dumps(contained)}],"id":"{s.id("o")}",'
            '"resourceType":"Observation"}')
    equal(s.put(f"/Observation/{s.id('o')}", body, token=s.admin()).status,
          201, "create")
    wanted = ["absolute", "escaped", "o", "org", "p", "plain", "spaced"]
    # by whichever name we are called when it is read
    for headers in (), [("Host", "elsewhere.example")]:
        for query in "", "?_since=2000-01-01", "?_count=3":
            path, got = f"/Patient/{p}/$everything{query}", []
            while path:
                r = get(s, path, headers=headers, note=False)
                got += names(r)
                path = link(r, "next")
                path = path and path[path.index("/Patient"):]
            equal(sorted(got), wanted, f"{query} {headers}")


@both("pages: every resource once, in the same order")
def _(s):
    p, e = chart(s)
    all_of = names(get(s, f"/Patient/{p}/$everything"))
    for count in (1, 2, 3, 5, 7, 8, 100):
        rs = follow(s, f"/Patient/{p}/$everything?_count={count}")
        equal([n for r in rs for n in names(r)], all_of, f"_count={count}")
        equal(len(rs), -(-len(all_of) // count), "pages")
    rs = follow(s, f"/Patient/{p}/$everything?_count=3")
    check("total" not in rs[0].json() and "total" not in rs[2].json(),
          "no total on a page")


@both("pages are stable while others write")
def _(s):
    p, e = chart(s)
    r = get(s, f"/Patient/{p}/$everything?_count=3")
    s.seed(observation(s.id("o"), p, value=1), observation(s.id("new"), p))
    url = urlsplit(link(r, "next"))
    rest = follow(s, url.path.removeprefix("/fhir") + "?" + url.query)
    seen = names(r) + [n for page in rest for n in names(page)]
    check(set(seen) >= {"p", "c", "e", "late", "org", "doc", "ward", "o"}
          or "doc" not in seen, f"{seen}")
    equal(len(seen), len(set(seen)), "each once")
    for wrong in (url.query + "x", url.query.replace("_count=3", "_count=4")):
        equal(s.get(f"/Patient/{p}/$everything?{wrong}", note=False).status,
              400, "an altered page")
    equal(s.get(f"/Patient/{p}/$everything?{url.query}", note=False,
                token=s.token(subject="somebody-" + s.key)).status, 400,
          "another requester")


@both("_type, _since, start and end")
def _(s):
    p, e = chart(s)

    def got(query, **more):
        return names(get(s, f"/Patient/{p}/$everything?{query}", **more))

    equal(got("_type=Observation"), ["o", "late"], "one type")
    equal(got("_type=Observation,Practitioner"), ["o", "late", "doc"],
          "two, one of them referred to")
    equal(got("_type=Organization"), ["org"], "referred to only")
    equal(got("end=2024-12-31"), ["p", "c", "e", "o", "org", "doc", "ward"],
          "end")
    equal(got("start=2024-03-05"), ["p", "c", "late", "org"], "start")
    equal(got("start=2024-03-02&end=2024-03-02"),
          ["p", "e", "o", "org", "doc", "ward"], "a day")
    equal(got("start=2024-03-04T08:00:01Z&end=2024-03"), ["p", "c", "org"],
          "a time")
    equal(got("_since=2190"), [], "nothing new")
    time.sleep(0.01)
    s.seed(observation(s.id("new"), p))
    when = s.get(f"/Observation/{s.id('new')}", note=False).json()
    equal(got(f"_since={when['meta']['lastUpdated']}", note=False), ["new"],
          "new")
    equal(got("_since=2020&_count=100&_type=Patient"), ["p"], "all at once")


@both("wrong parameters are 400")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    for query in ("_since=x", "start=2024-13", "end=x", "_type=Nonsense",
                  "_count=0", "_count=x", "_cursor=x", "name=x"):
        r = s.get(f"/Patient/{p}/$everything?{query}")
        equal(r.status, 400, query)
        r.issue()
    r = get(s, f"/Patient/{p}/$everything?name=x",
            headers=[("Prefer", "handling=lenient")])
    check("name" not in link(r, "self"), "self")


@both("POST with Parameters is the same, and its next page is a GET")
def _(s):
    p, e = chart(s)
    body = {"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueCode": "Observation"},
        {"name": "_count", "valueInteger": 1}]}
    r = s.post(f"/Patient/{p}/$everything", body)
    equal(r.status, 200, "status")
    equal(names(r), ["o"], "first")
    url = urlsplit(link(r, "next"))
    r = get(s, url.path.removeprefix("/fhir") + "?" + url.query)
    equal(names(r), ["late"], "second")
    for wrong, status in (({"resourceType": "Patient"}, 400), ("{", 400),
                          ({"resourceType": "Parameters", "parameter": [
                              {"name": "_type", "valuePeriod": {}}]}, 400)):
        equal(s.post(f"/Patient/{p}/$everything", wrong).status, status,
              str(wrong))
    equal(s.post(f"/Patient/{p}/$everything", "x", headers=[
        ("Content-Type", "text/plain")]).status, 415, "media type")
    equal(s.request("POST", f"/Patient/{p}/$everything").status, 200,
          "without a body")


@both("an encounter: itself, what is about it, what these refer to")
def _(s):
    p, e = chart(s)
    r = get(s, f"/Encounter/{e}/$everything")
    equal(modes(r), {"e": "match", "o": "match", "doc": "include",
                     "ward": "include", "c": "include"}, "modes")
    equal(names(r)[0], "e", "first")
    rs = follow(s, f"/Encounter/{e}/$everything?_count=2")
    equal([n for page in rs for n in names(page)], names(r), "pages")
    equal(s.get(f"/Encounter/{e}/$everything?start=2024").status, 400,
          "start is of a patient only")


@both("all patients")
def _(s):
    key = s.id("x")
    a, b = s.id("a"), s.id("b")
    org = s.id("org")
    since = time.time() - 1
    s.seed(plain("Organization", org, name="x"))
    for p in (a, b):
        s.seed(patient(p, managingOrganization={
            "reference": f"Organization/{org}"}), observation(p + "o", p))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
    for count in ("", "&_count=3", "&_count=2"):
        mine, places = [], []
        rs = follow(s, f"/Patient/$everything?_since={stamp}{count}",
                    note=False)
        for r in rs:
            page = [e["fullUrl"] for e in r.json().get("entry", [])]
            equal(len(page), len(set(page)), "each once on a page")
            mine += [k for k in found(r) if s.key in k]
        wanted = [a, a + "o", org, b, b + "o"]
        if count:
            # what several refer to may be on several pages
            equal(sorted(set(mine)), sorted(wanted), f"resources {count}")
        else:
            equal(mine, wanted, "resources")
    equal(s.get(f"/Patient/{key}/$everything").status, 404, "unknown")


@both("the scopes say which types there are")
def _(s):
    p, e = chart(s)
    path = f"/Patient/{p}/$everything"
    for scope in ("system/Patient.r", "system/Observation.rs"):
        equal(s.get(path, token=s.token(scope)).status, 403, scope)
    r = get(s, path, token=s.token("system/Patient.rs"))
    equal(names(r), ["p"], "the patient only")
    r = get(s, path, token=s.token("system/Patient.rs system/Observation.rs"
                                   " system/Practitioner.rs"
                                   " system/Location.rs"))
    equal(names(r), ["p", "o", "late", "doc"],
          "what is not seen refers to nothing")


@both("a withheld patient has no record, also not in parts")
def _(s):
    p, e = chart(s)
    q = s.id("q")
    s.seed(patient(q), consent(s.id("k"), q, permit=["Organization/a"]),
           observation(s.id("both"), p,
                       performer=[{"reference": f"Patient/{q}"},
                                  {"reference":
                                   f"Practitioner/{s.id('stranger')}"}]),
           observation(s.id("ofq"), q))
    a, b = (s.token("system/*.rs", [f"Organization/{n}"]) for n in "ab")
    equal(s.get(f"/Patient/{q}/$everything", token=b).status, 404, "q")
    none = s.get(f"/Patient/{s.id('none')}/$everything", token=b)
    hidden = s.get(f"/Patient/{q}/$everything", token=b)
    equal(hidden.body.replace(q.encode(), b"X"),
          none.body.replace(s.id("none").encode(), b"X"), "text")
    r = get(s, f"/Patient/{p}/$everything", token=b)
    check("both" not in names(r) and "stranger" not in names(r),
          "what is of both is withheld, and leads nowhere")
    equal(r.json()["total"], 5, "total")
    r = get(s, f"/Patient/{p}/$everything", token=a)
    check("both" in names(r) and "stranger" in names(r), "A sees it")
    equal(r.json()["total"], 6, "total")
    for token, wanted in ((a, True), (b, False)):
        keys = [k for page in follow(s, "/Patient/$everything?_count=1000"
                                        "&_since=2020", token=token,
                                     note=False) for k in found(page)]
        for name in ("q", "ofq", "both"):
            equal(s.id(name) in keys, wanted, name)
    s.seed(consent(s.id("k2"), p, permit=["Organization/a"]))
    for path in (f"/Patient/{p}/$everything", f"/Encounter/{e}/$everything"):
        equal(s.get(path, token=b).status, 404, path)
        equal(s.get(path, token=a).status, 200, path)


@both("the record names the operation and the patient")
def _(s):
    p, e = chart(s)
    s.get(f"/Patient/{p}/$everything")
    row = s.audit(1)[0]
    equal((row["interaction"], row["type"], row["resource_id"]),
          ("operation", "Patient", p), "what")
    equal(row["resources"], "8", "resources")
    check(row["patients"] not in ("", "{}"), "patients")


@both("a large record comes whole")
def _(s):
    p = s.id("p")
    entry = [{"resource": observation("x", p, note=[{"text": "x" * 1000}]),
              "request": {"method": "POST", "url": "Observation"}}
             for _ in range(1500)]
    s.seed(patient(p))
    equal(s.post("", {"resourceType": "Bundle", "type": "transaction",
                      "entry": entry}, note=False).status, 200, "seed")
    r = s.get(f"/Patient/{p}/$everything", note=False)
    equal(len(found(r)), 1501, "resources")
    equal(r.json()["total"], 1501, "total")
    head = s.head(f"/Patient/{p}/$everything", note=False)
    equal((head.body, head.get("Content-Length")), (b"", str(len(r.body))),
          "HEAD")


main()
