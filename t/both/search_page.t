#!/usr/bin/python3
"""The answer to a search: order, pages in both directions while others write,
totals, links, parts of resources, what was left out, how it was done."""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC, link                                 # noqa: E402
from hie.search import (TAG, ask, entries, follow, labels,       # noqa: E402
                        outcomes, plant, table, walk)
from hie.tap import both, check, equal, main                     # noqa: E402

LENIENT = [("Prefer", "handling=lenient")]


def person(key, family=None, **more):
    return {"resourceType": "Patient", "id": key,
            **({"name": [{"family": family}]} if family else {}), **more}


def observation(key, patient="p", **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
            "subject": {"reference": f"Patient/<{patient}>"}, **more}


def mine(s, kind, query=""):
    return f"/{kind}?_tag={TAG}%7C{s.key}" + (f"&{query}" if query else "")


@both("_sort: by each kind of parameter, up and down, what has no value last")
def _(s):
    def one(key, family, birth, gender, number):
        return person(key, family, **({"birthDate": birth} if birth else {}),
                      **({"gender": gender} if gender else {}),
                      identifier=[{"system": "urn:n", "value": number}])

    # written one by one: without another order they come as they came
    for p in (one("d", "Čapek", "1950-05", "male", "4"),
              one("a", "Zola", "1950", "female", "10"),
              one("c", "Äsop", None, "female", "3"),
              one("b", None, "1949-12-31", None, "2")):
        plant(s, p)
    table(s, "Patient", """
        _id=<a>,<b>,<c>,<d>             d a c b
        _sort=_id                       a b c d
        _sort=-_id                      d c b a
        _sort=_lastUpdated              d a c b
        _sort=-_lastUpdated             b c a d
        _lastUpdated=gt2000             d a c b
        _lastUpdated=gt2000&_sort=family  c d a b
        _sort=family                    c d a b
        _sort=-family                   a d c b
        _sort=birthdate                 b a d c
        _sort=-birthdate                a d b c
        _sort=gender,-birthdate         a c d b
        _sort=-gender,family            d c a b
        _sort=gender,_id                a c d b
        _sort=identifier                a b c d
        _sort=family&gender=female      c a
        _sort=-_lastUpdated&_id=<a>,<c>  c a
        _sort=nonsense                  !400
        _sort=family,                   !400
        _sort=,family                   !400
        _sort=--family                  !400
        _sort=family,family             !400
        _sort=family:exact              !400
        _sort=_id,family,birthdate,gender,active  !400
        _sort=_text                     !400
        _sort=family&_sort=birthdate    !400
        _sort=                          d a c b
        """, ordered=True)


@both("_sort: numbers and quantities by value, references, chains")
def _(s):
    def amount(value, code, **more):
        return {"valueQuantity": {
            "value": value, "system": "http://unitsofmeasure.org",
            "code": code, "unit": "of " + code}, **more}

    plant(s, person("p", "Berta"), person("q", "Anton"))
    for o in (observation("a", "p", **amount(9, "mg")),
              observation("b", "q", **amount(0.01, "g")),
              observation("c", "p", **amount(100, "ug")),
              observation("d", "q"),
              observation("e", "p", effectivePeriod={
                  "start": "2023-01-01", "end": "2023-12-31"}),
              observation("f", "q", effectiveDateTime="2023-06-01")):
        plant(s, o)
    table(s, "Observation", """
        _sort=value-quantity            c a b d e f
        _sort=-value-quantity           b a c f e d
        _sort=date                      e f a b c d
        _sort=-date                     e f d c b a
        _sort=patient.family,_id        b d f a c e
        _sort=-patient.family,_id       a c e b d f
        _sort=patient:Patient.family,-_id  f d b e c a
        _sort=patient,_id               a c e b d f
        _sort=-patient,_id              b d f a c e
        _sort=has-member:Observation.combo-code,_id  a b c d e f
        _sort=code.family               !400
        _sort=patient.nonsense          !400
        _sort=patient.organization.name  !400
        """, ordered=True)


@both("a parameter that finds some of the references of another one")
def _(s):
    plant(s, person("z", "Zorn"), {
        "resourceType": "Group", "id": "g", "type": "person",
        "actual": True})
    plant(s, observation("a", "z"),
          observation("b", subject={"reference": "Group/<g>"}),
          observation("c", "z"))
    table(s, "Observation", """
        _sort=subject,_id               b a c
        _sort=-subject,_id              a c b
        _sort=patient,_id               a c b
        _sort=-patient,_id              a c b
        _sort=patient.family,_id        a c b
        patient:missing=false&_sort=_id  a c
        patient.family=Zorn&_sort=_id   a c
        patient._id=<g>                 -
        subject._id=<g>                 b
        """, ordered=True)
    table(s, "Patient", """
        _has:Observation:patient:status=final   z
        _has:Observation:subject:status=final   z
        """)
    for name, wanted in (("patient", ["z"]), ("subject", ["g", "z"])):
        r = ask(s, "/Observation", f"_tag={TAG}|{s.key}"
                f"&_include=Observation:{name}")
        equal(sorted(labels(s, entries(r, "include"))), wanted, name)
        for kind, key in ("Patient", "z"), ("Group", "g"):
            r = ask(s, f"/{kind}", f"_id={s.id(key)}"
                    f"&_revinclude=Observation:{name}")
            if (kind, name) == ("Group", "patient"):
                equal(r.status, 400, "it does not lead there")
            else:
                equal(sorted(labels(s, entries(r, "include"))),
                      ["a", "c"] if key == "z" else ["b"], f"back {name}")


def crowd(s, n):
    plant(s, person("p", "Crowd"), *(observation(
        f"o{i:02}", effectiveDateTime=f"2023-01-{1 + i // 3:02}")
        for i in range(n)))
    return [f"o{i:02}" for i in range(n)]


@both("pages: there and back again, in every order")
def _(s):
    names = crowd(s, 17)
    orders = {"": names, "_sort=_id": names, "_sort=-_id": names[::-1],
              "_sort=date,_id": names, "_sort=-date,_id": sorted(
                  names, key=lambda n: (-(int(n[1:]) // 3), n)),
              "_sort=patient.family,-_id": names[::-1],
              "_sort=value-quantity,_id": names,
              "_sort=date": names, "_sort=-_lastUpdated,_id": names,
              "_sort=code,patient,date,_id": names}
    for order, wanted in orders.items():
        for count in (1, 4, 5, 17, 18):
            path = mine(s, "Observation", f"_count={count}&{order}")
            pages = walk(s, path)
            equal([len(p) for p in pages],
                  [count] * (17 // count) + [17 % count] * (17 % count > 0),
                  f"{order} {count}: sizes")
            flat = sum(pages, [])
            if order in ("", "_sort=date"):
                equal(sorted(flat), wanted, f"{order}: all, once")
            else:
                equal(flat, wanted, f"{order} {count}")
            last = path
            while True:
                r = s.get(last, note=False)
                after = follow(s, r, "next")
                if not after:
                    break
                last = after
            equal(walk(s, last, "previous", note=False)[::-1], pages,
                  f"{order} {count}: back")


@both("what is searched by _lastUpdated comes in its order")
def _(s):
    for name in "abcd":
        plant(s, person(name))
        plant(s, observation("o" + name, name))
    plant(s, person("b", "Changed"))
    plant(s, observation("oa", "a", status="amended"))
    for kind, query, wanted in (
            ("Patient", "_lastUpdated=gt2000", "a c d b"),
            ("Patient", "_lastUpdated=gt2000&_lastUpdated=lt2999", "a c d b"),
            ("Patient", "_lastUpdated=gt2000&_sort=-_lastUpdated", "b d c a"),
            ("Patient", "_lastUpdated=gt2000&_sort=_id", "a b c d"),
            ("Patient", "_lastUpdated=gt2000&name:missing=true", "a c d"),
            ("Patient", "name:missing=true", "a c d"),
            ("", "_type=Patient,Observation&_lastUpdated=gt2000",
             "a ob c oc d od b oa"),
            ("", "_type=Patient,Observation&_lastUpdated=gt2000"
             "&_sort=-_lastUpdated", "oa b od d oc c ob a")):
        for count in (1, 3, 10):
            path = mine(s, kind, f"_count={count}&{query}")
            pages = walk(s, path)
            equal(sum(pages, []), wanted.split(), f"{query} {count}")
            last = path
            while (after := follow(s, s.get(last, note=False), "next")):
                last = after
            equal(walk(s, last, "previous", note=False)[::-1], pages,
                  f"{query} {count}: back")


@both("pages while others write: what was there is seen once")
def _(s):
    names = crowd(s, 12)

    def disturb(page):
        # behind the place, before it, and where it is
        plant(s, observation(f"new{page}", effectiveDateTime="2023-01-02"))
        s.delete(f"/Observation/{s.id(names[(3 * page - 1) % 12])}",
                 token=s.admin(), note=False)

    for order in ("", "&_sort=_id", "&_sort=-_id", "&_sort=date,_id",
                  "&_sort=-date,_id"):
        pages = walk(s, mine(s, "Observation", f"_count=3{order}"),
                     note=False, between=disturb)
        flat = sum(pages, [])
        equal(len(flat), len(set(flat)), f"{order}: twice")
        there = {n for n in names if s.get(f"/Observation/{s.id(n)}",
                                           note=False).status == 200}
        check(there <= set(flat), f"{order}: {there - set(flat)} not seen")
        for n in names:
            plant(s, observation(
                n, effectiveDateTime=f"2023-01-{1 + int(n[1:]) // 3:02}"))


@both("pages: links, and what they say")
def _(s):
    crowd(s, 5)
    base = s.stand.base(s.server)
    r = s.get(mine(s, "Observation", "_count=2&_sort=_id"))
    path = f"{base}/Observation?_tag={TAG}%7C{s.key}&_sort=_id&_count=2"
    equal(link(r, "self"), path, "self")
    equal(link(r, "first"), path, "first")
    equal(link(r, "previous"), None, "no page before the first")
    check("total" not in r.json(), "a total that nobody asked for")
    second = follow(s, r, "next")
    r = s.get(second)
    equal(link(r, "self"), base + second, "self of a page")
    equal(link(r, "first"), path, "first of a page")
    equal(labels(s, entries(s.get(follow(s, r, "previous")))),
          ["o00", "o01"], "previous")
    r = s.get(follow(s, r, "next"))
    equal(labels(s, entries(r)), ["o04"], "last page")
    equal(link(r, "next"), None, "no page behind the last")
    r = s.get(mine(s, "Observation"))
    check(link(r, "self").endswith("&_count=20"), "the size that was taken")
    r = s.get(mine(s, "Observation", "_count=100000"))
    check(link(r, "self").endswith("&_count=1000"), "the size is limited")
    r = s.post("/Observation/_search", f'_tag={s.key}&code:text="a b"&_id='
               .encode(), headers=[("Content-Type",
                                    "application/x-www-form-urlencoded")])
    equal(link(r, "self"), f"{base}/Observation?_tag={s.key}"
          "&code:text=%22a%20b%22&_count=20", "what a URL cannot have")
    equal(entries(r), [], "nothing")


@both("page tokens are good for one search and one requester")
def _(s):
    crowd(s, 6)
    path = mine(s, "Observation", "_count=2&_sort=date")
    r = s.get(path)
    cursor = urlsplit(link(r, "next")).query.split("_cursor=")[1]
    equal(s.get(f"{path}&_cursor={cursor}").status, 200, "own")
    other = "A" if cursor[20] != "A" else "B"
    for one in (cursor[:20] + other + cursor[21:], cursor[:-1], cursor + "A",
                "x", "AAAA" * 12, "A" * 4000):
        equal(s.get(f"{path}&_cursor={one}").status, 400, one[:60])
    for what, changed in (
            ("count", path.replace("_count=2", "_count=3")),
            ("order", path.replace("_sort=date", "_sort=-date")),
            ("one more", path + "&status=final"),
            ("other type", path.replace("Observation", "Encounter")),
            ("compartment", path.replace("Observation", "Patient/"
                                         f"{s.id('p')}/Observation"))):
        equal(s.get(f"{changed}&_cursor={cursor}").status, 400, what)
    equal(s.get(f"{path}&_cursor={cursor}",
                token=s.token(subject=f"other-{s.key}")).status, 400,
          "other requester")
    equal(s.get(f"{path}&_cursor={cursor}&_cursor={cursor}").status, 400,
          "twice")
    r = s.post("/Observation/_search",
               (urlsplit(path).query + f"&_cursor={cursor}").encode(),
               headers=[("Content-Type",
                         "application/x-www-form-urlencoded")])
    equal((r.status, len(entries(r))), (200, 2), "by POST")


@both("_total, _summary=count, _count=0")
def _(s):
    crowd(s, 7)
    for query, total, n in (
            ("_count=3", None, 3), ("_count=7", 7, 7), ("", 7, 7),
            ("_count=3&_total=accurate", 7, 3),
            ("_count=3&_total=estimate", 7, 3),
            ("_count=3&_total=none", None, 3),
            ("_summary=count", 7, 0), ("_count=0", 7, 0),
            ("_summary=count&_count=3", 7, 0),
            ("_summary=count&_include=Observation:patient", 7, 0),
            ("_count=0&_sort=-date", 7, 0),
            ("_summary=count&date=2023-01-01", 3, 0),
            ("_count=3&_total=accurate&date=2023-01-01", 3, 3)):
        r = s.get(mine(s, "Observation", query))
        equal(r.status, 200, query)
        equal((r.json().get("total"), len(entries(r))), (total, n), query)
        if n == 0:
            check("entry" not in r.json(), "no empty list")
    r = s.get(mine(s, "Observation", "_count=3&_total=accurate"))
    r = s.get(follow(s, r, "next"))
    equal(r.json()["total"], 7, "on every page")
    for query in ("_total=x", "_count=x", "_count=-1", "_summary=x",
                  "_count=1.5", "_count=1&_count=2", "_total=none&_total=none",
                  "_summary=true&_elements=id"):
        equal(s.get(mine(s, "Observation", query)).status, 400, query)


@both("_summary and _elements")
def _(s):
    crowd(s, 1)
    for query, has, lacks in (
            ("_summary=true", ("status", "code", "subject"), ("text",)),
            ("_summary=text", ("status", "code"), ("subject",)),
            ("_summary=data", ("status", "code", "subject"), ("text",)),
            ("_summary=false", ("status", "code", "subject",
                                "effectiveDateTime"), ()),
            ("_elements=subject", ("subject", "status", "code"),
             ("effectiveDateTime",)),
            ("_elements=effective", ("status", "code"), ("subject",))):
        r = s.get(mine(s, "Observation", query))
        resource = r.json()["entry"][0]["resource"]
        check(set(has) <= set(resource), f"{query}: {sorted(resource)}")
        check(not set(lacks) & set(resource), f"{query}: {sorted(resource)}")
        check(query in link(r, "self"), "self")
    r = s.get(mine(s, "Observation", "_format=xml"))
    check(b"<mode value=\"match\"/>" in r.body, "XML")


@both("strict by default; lenient leaves out and says so")
def _(s):
    crowd(s, 2)
    for query, rest in (("nonsense=1", ""), ("code:nonsense=8867-4", ""),
                        ("_sort=nonsense", ""), ("date:missing2=x", None),
                        ("status=final&nonsense=1", "status=final"),
                        ("_include=Observation:nonsense", ""),
                        ("subject.nonsense=x", ""),
                        ("_nonsense=x", "")):
        r = s.get(mine(s, "Observation", query))
        equal(r.status, 400, f"strict: {query}")
        name = query.split("&")[-1].split("=")[0]
        check(name.split(":")[0].split(".")[0]
              in r.issue()["diagnostics"], f"named: {r}")
        r = s.get(mine(s, "Observation", query),
                  headers=[("Prefer", "handling=strict")])
        equal(r.status, 400, f"strict, said: {query}")
        r = s.get(mine(s, "Observation", query), headers=LENIENT)
        if rest is None:
            equal(r.status, 400, f"lenient, with a wrong value: {query}")
            continue
        equal((r.status, len(entries(r))), (200, 2), f"lenient: {query}")
        equal(link(r, "self"), s.stand.base(s.server)
              + mine(s, "Observation", f"{rest}{'&' * bool(rest)}_count=20"),
              "self")
        issues = outcomes(r)
        equal([(i["severity"], i["code"]) for i in issues],
              [("warning", "not-supported")], query)
        check(name.split(":")[0].split(".")[0]
              in issues[0]["diagnostics"], issues)
        equal(r.json()["total"], 2, "a warning is no match")
    for query in ("status:missing=x", "date=x", "_count=x", "_total=x",
                  "_contained=true", "_type=Patient,x", "_query=x",
                  "_sort=code:exact"):
        r = s.get(mine(s, "Observation", query), headers=LENIENT)
        if not query.startswith("_type"):
            equal(r.status, 400, f"lenient: {query}")
    r = s.get(mine(s, "Observation", "a=1&b=2&_count=1"), headers=LENIENT)
    equal(len(outcomes(r)), 2, "each of them")
    r = s.get(follow(s, r, "next"))
    equal((len(entries(r)), outcomes(r)), (1, []), "links are clean")


@both("entries of batches and transactions")
def _(s):
    crowd(s, 3)
    paths = [mine(s, "Observation", q)[1:] for q in (
        "_count=2&_sort=-_id", "_summary=count", "nonsense=1",
        "_elements=code", "_include=Observation:patient")]
    paths.append(f"Patient/{s.id('p')}/Observation")
    paths.append(f"?_type=Patient&_id={s.id('p')}")
    for kind in ("batch", "transaction"):
        r = s.post("", {"resourceType": "Bundle", "type": kind, "entry": [
            {"request": {"method": "GET", "url": path}} for path in paths
            if kind == "batch" or "nonsense" not in path]})
        equal(r.status, 200, f"{kind}: {r}")
        got = r.json()["entry"]
        if kind == "batch":
            equal(got.pop(2)["response"]["status"][:3], "400", "refused")
        found = [[e["resource"]["id"].removeprefix(s.key + "-")
                  for e in g["resource"].get("entry", [])] for g in got]
        equal(found[:2] + found[3:], [
            ["o02", "o01"], [], ["o00", "o01", "o02", "p"],
            ["o00", "o01", "o02"], ["p"]], kind)
        equal(got[1]["resource"]["total"], 3, "count")
        check("subject" not in got[2]["resource"]["entry"][0]["resource"],
              "_elements")
        check("fullUrl" not in got[4], "a Bundle is not the patient")
    r = s.post("", {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": paths[2]}}]}, headers=LENIENT)
    equal(r.json()["entry"][0]["response"]["status"][:3], "200", "lenient")


@both("_explain: for administrators", compare=False)
def _(s):
    crowd(s, 3)
    path = mine(s, "Observation", "patient.family=crowd&date=ge2023&_sort=-date"
                "&_explain=true")
    r = s.get(path)
    equal((r.status, r.issue()["code"]), (403, "forbidden"), "others")
    equal(s.get(mine(s, "Observation", "_explain=x")).status, 400, "value")
    equal(s.get(mine(s, "Observation", "_explain=false")).status, 200, "off")
    r = s.get(path, token=s.admin())
    equal(len(entries(r)), 3, "as always")
    *criteria, plan = outcomes(r)
    check(len(criteria) >= 2, criteria)
    for issue in criteria + [plan]:
        equal((issue["severity"], issue["code"]),
              ("information", "informational"), "issue")
    told = " ".join(i["diagnostics"] for i in criteria)
    check("patient.family" in told and "date" in told, told)
    check("Plan" in json.loads(plan["diagnostics"])[0], "a plan")
    r = s.get("/Observation?_count=0&_explain=true&_tag=x", token=s.admin())
    check(outcomes(r), "of a count")


@both("other things that are not served say so")
def _(s):
    for path in ("/Patient?_query=current-high-risk", "/?_query=x",
                 "/Patient?_type=Patient", "/Patient?%ff=1", "/Patient?a=%zz",
                 "/Patient?=x", "/Patient?_has:=x"):
        r = s.get(path)
        equal(r.status, 400, path)
        check(r.issue()["diagnostics"], path)
    equal(s.get("/Patient?&&&_id=nobody&&").status, 200, "empty pairs")
    equal(s.post("/Patient/_search?_id=nobody", None).status, 200,
          "POST without a body")
    equal(s.post("/Patient/_search", b"{}").status, 415, "POST of JSON")


main()
