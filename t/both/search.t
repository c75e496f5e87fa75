#!/usr/bin/python3
"""Search: parameters, pages, and what is refused."""

import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC, found, link, observation, patient    # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def search(s, path, **more):
    r = s.get(path, **more)
    equal(r.status, 200, path)
    return r


@both("Patient by identifier, with and without its system")
def _(s):
    key = s.id("p")
    s.seed(patient(key), patient(s.id("q"), value="other-" + key))
    for value, wanted in ((f"urn:example:mrn|{key}", [key]), (key, [key]),
                          (f"|{key}", []), (f"urn:other|{key}", []),
                          (key.upper() + "X", []), (f"{key},nobody", [key]),
                          (f"other-{key},{key}", [key, s.id("q")])):
        r = search(s, f"/Patient?identifier={quote(value)}")
        equal(found(r), wanted, value)
        equal(r.json()["total"], len(wanted), "total")


@both("Patient by name: case, accents, prefix, exact, contains")
def _(s):
    family = f"Müller{s.key.replace('-', '')}"
    plain = family.lower().replace("ü", "u")
    key = s.id("p")
    s.seed(patient(key, family, ["Zoë", "Änne"]))
    for query, wanted in ((f"family={quote(family)}", 1),
                          (f"family={plain}", 1),
                          (f"family={plain.upper()}", 1),
                          (f"name={plain}", 1),
                          (f"family={plain[:-2]}", 1),
                          (f"family={plain[3:]}", 0),
                          (f"family:contains={plain[3:]}", 1),
                          (f"family:exact={plain[:-2]}", 0),
                          (f"family={plain}&given=zoe", 1),
                          (f"family={plain}&given=anne", 1),
                          (f"family={plain}&given=ANNE,nobody", 1),
                          (f"family={plain}&given=nobody", 0),
                          (f"name={plain}&name=zo", 1)):
        equal(len(found(search(s, f"/Patient?{query}"))), wanted, query)


@both("by _id, one and several")
def _(s):
    a, b = s.id("a"), s.id("b")
    s.seed(patient(a), patient(b))
    equal(found(search(s, f"/Patient?_id={a}")), [a], "one")
    equal(sorted(found(search(s, f"/Patient?_id={a},{b},{s.id('c')}"))),
          [a, b], "two")
    equal(found(search(s, f"/Patient?_id={a}&identifier={b}")), [], "and")
    equal(found(search(s, f"/Observation?_id={a}")), [], "other type")


@both("Observation by patient, subject and code")
def _(s):
    p, q = s.id("p"), s.id("q")
    s.seed(patient(p), patient(q), observation(s.id("1"), p, "8867-4"),
           observation(s.id("2"), p, "8480-6"),
           observation(s.id("3"), q, "8867-4"))
    one, two, three = s.id("1"), s.id("2"), s.id("3")
    base = s.stand.base(s.server)
    for query, wanted in (
            (f"patient={p}", [one, two]),
            (f"patient=Patient/{p}", [one, two]),
            (f"subject=Patient/{p}", [one, two]),
            (f"subject:Patient={p}", [one, two]),
            (f"patient={quote(base)}/Patient/{p}", [one, two]),
            (f"patient={p},{q}", [one, two, three]),
            (f"patient={p}&code=8867-4", [one]),
            (f"patient={p},{q}&code={LOINC}|8867-4", [one, three]),
            (f"patient={p}&code={quote(LOINC + '|8867-4,' + LOINC)}"
             "%7C8480-6", [one, two]),
            (f"patient={p}&code={LOINC}|", [one, two]),
            (f"patient={p}&code=|8867-4", []),
            (f"patient={s.id('nobody')}", [])):
        equal(found(search(s, f"/Observation?{query}")), wanted, query)


@both("an update moves the search values")
def _(s):
    key = s.id("p")
    s.seed(patient(key, value=f"old-{key}"))
    s.seed(patient(key, value=f"new-{key}"))
    equal(found(search(s, f"/Patient?identifier=old-{key}")), [], "old")
    equal(found(search(s, f"/Patient?identifier=new-{key}")), [key], "new")


@both("pages: all are found once, by the next links")
def _(s):
    p = s.id("p")
    keys = [s.id(f"o{i:02}") for i in range(23)]
    s.seed(patient(p), *[observation(k, p) for k in keys])
    got, pages = [], 0
    path = f"/Observation?patient={p}&_count=5"
    while path:
        r = search(s, path)
        got += found(r)
        pages += 1
        check(pages < 10, "pages without end")
        after = link(r, "next")
        if after:
            check(after.startswith(s.stand.base(s.server)), after)
            u = urlsplit(after)
            path = u.path.removeprefix("/fhir") + "?" + u.query
        else:
            path = None
    equal(pages, 5, "pages")
    equal(sorted(got), keys, "ids")


@both("a resource that is added between two pages does not repeat others")
def _(s):
    p = s.id("p")
    s.seed(patient(p), *[observation(s.id(f"a{i}"), p) for i in range(4)])
    r = search(s, f"/Observation?patient={p}&_count=2")
    first = found(r)
    s.seed(observation(s.id("b"), p), observation(s.id("a0"), p, "9-9"))
    u = urlsplit(link(r, "next"))
    rest = found(search(s, u.path.removeprefix("/fhir") + "?" + u.query
                        .replace("_count=2", "_count=2")))
    equal(len(set(first) & set(rest)), 0, "repeated")


@both("a cursor that was made up or belongs elsewhere is refused")
def _(s):
    p = s.id("p")
    s.seed(patient(p), *[observation(s.id(f"o{i}"), p) for i in range(3)])
    path = f"/Observation?patient={p}&_count=1"
    cursor = urlsplit(link(search(s, path), "next")).query.split(
        "_cursor=")[1]
    equal(len(found(search(s, f"{path}&_cursor={cursor}"))), 1, "own")
    other = ("A" if cursor[20] != "A" else "B")
    forged = [cursor[:20] + other + cursor[21:], cursor[:-1], "x", "AAAA" * 12,
              cursor + "A"]
    for one in forged:
        r = s.get(f"{path}&_cursor={one}")
        equal(r.status, 400, one)
        r.issue()
    equal(s.get(f"/Observation?patient={s.id('q')}&_count=1&_cursor={cursor}"
                ).status, 400, "other query")
    equal(s.get(f"{path}&_cursor={cursor}",
                token=s.token(subject=f"other-{s.key}")).status, 400,
          "other requester")
    equal(s.get(f"/Encounter?patient={p}&_count=1&_cursor={cursor}").status,
          400, "other type")


@both("_count, _total and _summary=count")
def _(s):
    p = s.id("p")
    s.seed(patient(p), *[observation(s.id(f"o{i}"), p) for i in range(4)])
    base = f"/Observation?patient={p}"
    for query in ("&_summary=count", "&_count=0"):
        r = search(s, base + query)
        equal((r.json()["total"], found(r)), (4, []), query)
    r = search(s, base + "&_count=2&_total=accurate")
    equal((r.json()["total"], len(found(r))), (4, 2), "_total")
    r = search(s, base + "&_count=2")
    check("total" not in r.json(), "no total unless asked for")
    equal(search(s, base + "&_count=100000").json()["total"], 4, "large")


@both("what is not understood is 400 and not ignored")
def _(s):
    for query in ("nonsense=1", "identifier:nonsense=1", "family:missing=x",
                  "_sort=nonsense", "_include=Patient:nonsense", "_has=x",
                  "_count=x", "_count=-1", "_total=x", "_summary=some",
                  "family=%ff", "family=%zz", "_id=a_b",
                  "organization.nonsense=x", "identifier=|"):
        r = s.get(f"/Patient?{query}")
        equal(r.status, 400, query)
        check(r.issue().get("diagnostics"), "no diagnostics")
    equal(s.get("/Observation?subject=x_y").status, 400, "reference")


@both("an empty parameter says nothing; the self link says what was asked")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    r = search(s, f"/Patient?family=&_id={key}")
    equal(found(r), [key], "found")
    check(f"_id={key}" in link(r, "self"), link(r, "self"))


@both("POST _search: parameters of the body and of the URL")
def _(s):
    key = s.id("p")
    s.seed(patient(key, "Form"))
    r = s.post("/Patient/_search", f"identifier={key}".encode(), headers=FORM)
    equal((r.status, found(r)), (200, [key]), "body")
    r = s.post(f"/Patient/_search?identifier={key}", b"family=form",
               headers=FORM)
    equal(found(r), [key], "both")
    r = s.post(f"/Patient/_search?identifier={key}", b"family=other",
               headers=FORM)
    equal(found(r), [], "both count")
    r = s.post("/Patient/_search", b"family=form+x&given=%C3%A4",
               headers=FORM)
    equal((r.status, found(r)), (200, []), "form encoding")
    equal(s.post("/Patient/_search", b"nonsense=1", headers=FORM).status, 400,
          "unknown")
    equal(s.post("/Patient/_search", {"resourceType": "Patient"}).status, 415,
          "media type")


@both("bundle entries: fullUrl, mode, bytes as they are read")
def _(s):
    key = s.id("o")
    p = s.id("p")
    s.seed(patient(p))
    text = ('{"resourceType":"Observation","id":"%s","status":"final",'
            '"code":{"text":"x"},"subject":{"reference":"Patient/%s"},'
            '"valueQuantity":{"value":1.500}}' % (key, p))
    equal(s.put(f"/Observation/{key}", text).status, 201, "put")
    r = search(s, f"/Observation?patient={p}")
    entry = r.json()["entry"][0]
    equal(entry["fullUrl"], f"{s.stand.base(s.server)}/Observation/{key}",
          "fullUrl")
    equal(entry["search"], {"mode": "match"}, "mode")
    check(s.get(f"/Observation/{key}").body in r.body, "bytes")


main()
