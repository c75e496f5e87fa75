#!/usr/bin/python3
"""SearchParameters that are stored: served by all processes, and what was
written before is indexed in the background."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.process import wait_until                               # noqa: E402
from hie.rowkey import row_key                                   # noqa: E402
from hie.search import entries, outcomes                         # noqa: E402
from hie.stand import SERVERS                                    # noqa: E402
from hie.tap import (both, check, equal, main, once, own_stand,  # noqa: E402
                     started)
from hie.web import Connection                                   # noqa: E402

EXT = "http://example.org/ext/"
stand = own_stand("search-parameter")


def parameter(key, code, kind="token", base=("Basic",), **more):
    """What finds Basic by the extension of the code."""
    return {"resourceType": "SearchParameter", "id": key,
            "url": f"http://example.org/SearchParameter/{key}", "name": "X",
            "status": "active", "description": "x", "code": code,
            "base": list(base), "type": kind, "expression": " | ".join(
                f"{b}.extension.where(url='{EXT}{code}').value"
                for b in base)} | more


def basic(key, **values):
    """`code__Type` of an extension's code and the type of its value."""
    return {"resourceType": "Basic", "id": key, "code": {"text": "x"},
            "extension": [{"url": EXT + name.split("__")[0].replace("_", "-"),
                           f"value{name.split('__')[1]}": value}
                          for name, value in values.items()]}


def ids(s, query, path="/Basic"):
    r = s.get(f"{path}?{query}", note=False)
    equal(r.status, 200, f"{query}: {r} {r.body}")
    return [i.removeprefix(s.key + "-") for i in entries(r)]


def gaps(s, query):
    r = s.get(f"/Basic?{query}", note=False)
    return [i["diagnostics"] for i in outcomes(r)
            if i["code"] == "incomplete"]


def settled(s, query, path="/Basic"):
    """The ids, once all is indexed."""
    wait_until("the index", lambda: not gaps(s, query), 30)
    return ids(s, query, path)


def everywhere(s, path):
    """(status, number of matches) by several processes of both servers."""
    said = set()
    for server in SERVERS:
        for _ in range(6):
            with Connection(s.stand.ports[server]) as c:
                r = c.request("GET", f"/fhir{path}", [
                    ("Authorization", f"Bearer {s.token()}")])
                said.add((r.status, len(entries(r)) if r.status == 200
                          else 0))
    return said


def status():
    return json.loads(stand.hiectl("--json", "reindex", "--status"))


def done():
    """When nothing is left to be indexed."""
    wait_until("the index", lambda: all(t["complete"]
                                        for t in status()["types"]), 60)


@both("what was there is found after a while, what comes at once")
def _(s):
    code = "a" + s.key[-12:].replace("-", "")
    old, new = s.id("old"), s.id("new")
    s.seed({"resourceType": "Patient", "id": old, "extension": [
        {"url": EXT + code, "valueCode": "red"}]})
    equal(s.get(f"/Patient?{code}=red", note=False).status, 400, "unknown")
    p = parameter(s.id("sp"), code, base=["Patient"])
    equal(s.put(f"/SearchParameter/{p['id']}", p, note=False).status, 201,
          "taken")
    s.seed({"resourceType": "Patient", "id": new, "extension": [
        {"url": EXT + code, "valueCode": "red"}]})
    check("new" in ids(s, f"{code}=red", "/Patient"), "new at once")
    wait_until("the index", lambda: sorted(
        ids(s, f"{code}=red", "/Patient")) == ["new", "old"], 30)
    equal(ids(s, f"{code}=blue", "/Patient"), [], "another value")
    equal(sorted(ids(s, f"{code}:missing=false", "/Patient")),
          ["new", "old"], ":missing")
    r = s.get("/metadata", note=False).json()
    patient = next(x for x in r["rest"][0]["resource"]
                   if x["type"] == "Patient")
    equal([x for x in patient["searchParam"] if x["name"] == code],
          [{"name": code, "definition": p["url"], "type": "token"}],
          "the statement")
    equal(everywhere(s, f"/Patient?{code}=red"), {(200, 2)}, "all processes")


@both("what is contained is indexed with its container, too")
def _(s):
    def order(key, value):
        return {"resourceType": "MedicationRequest", "id": s.id(key),
                "status": "active", "intent": "order",
                "subject": {"display": "x"},
                "medicationReference": {"reference": "#m"}, "contained": [
                    {"resourceType": "Medication", "id": "m",
                     "code": {"text": "x"}, "extension": [
                         {"url": EXT + code, "valueCode": value},
                         {"url": EXT + code + "-by", "valueReference": {
                             "reference": "#o"}}]},
                    {"resourceType": "Organization", "id": "o",
                     "name": value}]}

    def both(query):
        wait_until("the index", lambda: sorted(
            ids(s, query, "/MedicationRequest")) == ["new", "old"], 30)

    code = "m" + s.key[-12:].replace("-", "")
    s.seed(order("old", "red"))
    equal(ids(s, "medication.manufacturer.name=red", "/MedicationRequest"),
          [], "nothing leads there")
    for kind, name in (("token", code), ("reference", code + "-by")):
        p = parameter(s.id("sp" + name), name, kind, base=["Medication"],
                      **({"target": ["Organization"]}
                         if kind == "reference" else {}))
        equal(s.put(f"/SearchParameter/{p['id']}", p, note=False).status, 201,
              "taken")
    s.seed(order("new", "red"))
    both(f"medication.{code}=red")
    both(f"medication.{code}-by.name=red")
    equal(ids(s, f"medication.{code}=blue", "/MedicationRequest"), [],
          "another value")
    equal(ids(s, f"{code}=red", "/Medication"), [], "not by itself")


VALUES = {
    "k-string": ("string", "String", "Lorem", ["k-string=lor"], "xyz"),
    "k-token": ("token", "Coding", {"system": "urn:s", "code": "c"},
                ["k-token=c", "k-token=urn:s|c", "k-token:not=d"], "x"),
    "k-date": ("date", "Date", "2020-05-06",
               ["k-date=2020", "k-date=gt2020-04", "k-date=2020-05-06"],
               "2021"),
    "k-number": ("number", "Integer", 42,
                 ["k-number=42", "k-number=lt43"], "43"),
    "k-quantity": ("quantity", "Quantity", {
        "value": 5, "system": "http://unitsofmeasure.org", "code": "g"},
        ["k-quantity=5||g",
         "k-quantity=5000|http://unitsofmeasure.org|mg"], "6"),
    "k-uri": ("uri", "Uri", "http://example.org/a/b",
              ["k-uri=http://example.org/a/b",
               "k-uri:below=http://example.org/a"], "http://example.org/c"),
}


@both("every kind of parameter", compare=False)
def _(s):
    one = s.server[0]
    sub = {c: c.replace("k-", f"k{one}-") for c in VALUES}
    s.seed(basic(s.id("it"), **{
        f"{sub[c].replace('-', '_')}__{v[1]}": v[2]
        for c, v in VALUES.items()}, **{
            f"k{one}_ref__Reference": {"reference": f"Patient/{s.id('p')}"}}),
           basic(s.id("none"), nothing__Code="x"),
           {"resourceType": "Patient", "id": s.id("p"), "gender": "other"})
    for code, (kind, *_) in VALUES.items():
        s.seed(parameter(s.id(sub[code]), sub[code], kind))
    s.seed(parameter(s.id("ref"), f"k{one}-ref", "reference",
                     target=["Patient"]))
    s.seed(parameter(
        s.id("pair"), f"k{one}-pair", "composite", component=[
            {"definition": f"http://example.org/SearchParameter/"
             f"{s.id(sub['k-token'])}", "expression":
             f"extension.where(url='{EXT}{sub['k-token']}').value"},
            {"definition": f"http://example.org/SearchParameter/"
             f"{s.id(sub['k-number'])}", "expression":
             f"extension.where(url='{EXT}{sub['k-number']}').value"}],
        expression="Basic"))
    done()
    wait_until("the index", lambda: not gaps(s, f"{sub['k-token']}=c"), 10)
    for code, (_, _, _, queries, wrong) in VALUES.items():
        for q in queries:
            q = q.replace(code, sub[code], 1)
            check("it" in ids(s, q), q)
        check("it" not in ids(s, f"{sub[code]}={wrong}"), f"{code} {wrong}")
    equal(ids(s, f"k{one}-ref=Patient/{s.id('p')}"), ["it"], "a reference")
    equal(ids(s, f"k{one}-ref.gender=other"), ["it"], "a chain")
    equal(ids(s, f"_has:Basic:k{one}-ref:_id={s.id('it')}", "/Patient"),
          ["p"], "_has")
    r = s.get(f"/Basic?_id={s.id('it')}&_include=Basic:k{one}-ref",
              note=False)
    equal(entries(r, "include"), [s.id("p")], "_include")
    equal(ids(s, f"k{one}-pair=c$42"), ["it"], "a composite")
    equal(ids(s, f"k{one}-pair=c$43"), [], "another one")
    equal(ids(s, f"{sub['k-number']}=gt0&_sort=-{sub['k-number']}"), ["it"],
          "sorted")


@both("changed, retired, deleted", compare=False)
def _(s):
    code, key = f"c{s.server[0]}", s.id("sp")
    s.seed(basic(s.id("b"), **{f"{code}__Code": "v", f"{code}w__Code": "w"}))
    s.seed(parameter(key, code))
    equal(settled(s, f"{code}=v"), ["b"], "found")
    s.seed(parameter(key, code, description="other words"))
    equal(gaps(s, f"{code}=v"), [], "it says the same")
    s.seed(parameter(key, code, expression="Basic.extension.where("
                     f"url='{EXT}{code}w').value"))
    equal(settled(s, f"{code}=w"), ["b"], "by another expression")
    equal(ids(s, f"{code}=v"), [], "and no more by the one before")
    s.seed(parameter(key, code, status="retired"))
    r = s.get(f"/Basic?{code}=w", note=False)
    equal(r.status, 400, "retired")
    time.sleep(1.2)
    equal(everywhere(s, f"/Basic?{code}=w"), {(400, 0)}, "for all")
    s.seed(parameter(key, code))
    equal(settled(s, f"{code}=v"), ["b"], "active again")
    equal(s.delete(f"/SearchParameter/{key}", note=False).status, 204, "gone")
    equal(s.get(f"/Basic?{code}=v", note=False).status, 400, "deleted")
    s.seed(parameter(key, code, status="draft"))
    equal(s.get(f"/Basic?{code}=v", note=False).status, 400, "a draft")


def problems(r):
    """Of an OperationOutcome: what the errors say, and of what place."""
    return [(i["code"], *i.get("expression", ()), i["diagnostics"])
            for i in r.json()["issue"] if i["severity"] in ("error", "fatal")]


@both("what cannot be served is refused, with the place")
def _(s):
    good = parameter(s.id("good"), "good" + s.server[0])
    s.seed(good)
    for name, wanted, change in (
            ("not FHIRPath", "expression", {"expression": "Basic.where("}),
            ("no type of R4's", "base", {"base": ["Thing"]}),
            ("another kind than R4's", "code",
             {"code": "author", "type": "date"}),
            ("the code of another one", "code", {"code": good["code"]}),
            ("the url of another one", "url", {"url": good["url"]}),
            ("a type that is not served", "type", {"type": "special"}),
            ("a composite of nothing", "component", {"type": "composite"})):
        p = parameter(s.id("bad"), "bad" + s.server[0]) | change
        for where, r in (
                ("", s.put(f"/SearchParameter/{p['id']}", p, note=False)),
                ("", s.post("/SearchParameter", p, note=False)),
                ("Bundle.entry[0]", s.post("", {
                    "resourceType": "Bundle", "type": "transaction", "entry": [
                        {"resource": p, "request": {
                            "method": "PUT",
                            "url": f"SearchParameter/{p['id']}"}}]},
                    note=False))):
            equal(r.status, 422, f"{name} {where} {r.body}")
            said = json.dumps(r.json())
            check(wanted in said and where in said, f"{name}: {said}")
        told = [problems(r) for r in (
            s.post("/SearchParameter", p, note=False),
            s.post("/SearchParameter/$validate", p, note=False),
            s.post(f"/SearchParameter/{p['id']}/$validate?mode=update", p,
                   note=False),
            s.post("/SearchParameter/$validate", {
                "resourceType": "Parameters", "parameter": [
                    {"name": "resource", "resource": p}]}, note=False))]
        for one in told[1:]:
            check(told[0] and told[0][0] in one,
                  f"$validate: {name}: {told[0]} {one}")
        if wanted not in ("type", "base"):
            equal(problems(s.post("/SearchParameter/$validate",
                                  p | {"status": "draft"}, note=False)),
                  [], f"$validate of a draft: {name}")
        r = s.put(f"/SearchParameter/{p['id']}", p | {"status": "draft"},
                  note=False)
        check(r.status != 422 or "base" in wanted or "type" in wanted
              or "expression" in wanted, f"{name} as a draft: {r.body}")
        s.delete(f"/SearchParameter/{p['id']}", note=False)
    for path in (f"/{good['id']}/$validate", "/$validate",
                 "/$validate?mode=update"):
        equal(problems(s.post(f"/SearchParameter{path}", good, note=False)),
              [], f"$validate of what is served {path}")
    equal(problems(s.get(f"/SearchParameter/{good['id']}/$validate",
                         note=False)), [], "$validate of the stored one")
    check(any("SearchParameter.url" in x for x in problems(
        s.post("/SearchParameter/$validate?mode=create", good, note=False))),
        "another one with its url")
    same = parameter(s.id("same"), "author", "reference",
                     expression="Basic.author")
    equal(s.put(f"/SearchParameter/{same['id']}", same, note=False).status,
          201, "what R4 has already")


@both("two that clash, at the same time: one of them", compare=False)
def _(s):
    said = []

    def create(n):
        p = parameter(s.id(f"sp{n}"), f"clash{s.server[0]}")
        with Connection(s.stand.ports[SERVERS[n % 2]], timeout=30) as c:
            said.append(c.request(
                "PUT", f"/fhir/SearchParameter/{p['id']}", [
                    ("Authorization", f"Bearer {s.token()}"),
                    ("Content-Type", "application/fhir+json")],
                json.dumps(p).encode()).status)

    s.token()
    threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(sorted(said), [201] + [422] * 5, "statuses")


@both("in a transaction with what it finds", compare=False)
def _(s):
    p = parameter(s.id("sp"), f"tx{s.server[0]}")
    b = basic(s.id("b"), **{f"tx{s.server[0]}__Code": "v"})
    r = s.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": x, "request": {
            "method": "PUT", "url": f"{x['resourceType']}/{x['id']}"}}
        for x in (b, p)]}, note=False)
    equal(r.status, 200, f"{r.body}")
    equal(settled(s, f"tx{s.server[0]}=v"), ["b"], "found")


@once("nobody who writes meanwhile is missed")
def _(stand):
    token = stand.token("writer")
    stop, problems, written = threading.Event(), [], []

    def request(c, method, path, body=None):
        return c.request(method, "/fhir" + path, [
            ("Authorization", f"Bearer {token}"),
            ("Content-Type", "application/fhir+json")],
            body and json.dumps(body).encode())

    def write(n):
        i = 0
        with Connection(stand.ports[SERVERS[n % 2]], timeout=30) as c:
            while not stop.is_set():
                i += 1
                key = f"w{n}-{i}"
                r = request(c, "PUT", f"/Basic/{key}",
                            basic(key, race__Code="v"))
                if r.status == 201:
                    written.append(key)
                else:
                    problems.append(r)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    with Connection(stand.ports["nginx"], timeout=30) as c:
        time.sleep(1)
        equal(request(c, "PUT", "/SearchParameter/race",
                      parameter("race", "race")).status, 201, "taken")
        time.sleep(1.5)
        stop.set()
        for t in threads:
            t.join()
        done()
        equal(problems[:2], [], "problems")
        r = request(c, "GET", "/Basic?race=v&_summary=count")
        equal(r.json()["total"], len(written), "all of them")


@once("a writer that began before is waited for")
def _(stand):
    token = stand.token("late")

    def late():
        stand.sql(
            "DO $$ BEGIN INSERT INTO hie.resource (key, version, updated,"
            " type, id, patients, tokens, body) VALUES"
            f" ({row_key('Basic', 'late')}, 1, now(), 'Basic',"
            " 'late', '{}', '{}', convert_to('"
            + json.dumps(basic("late", late__Code="v")) + "', 'UTF8'));"
            " PERFORM pg_sleep(4); END $$")

    t = threading.Thread(target=late)
    t.start()
    time.sleep(0.7)
    with Connection(stand.ports["httpd"], timeout=30) as c:
        headers = [("Authorization", f"Bearer {token}"),
                   ("Content-Type", "application/fhir+json")]
        r = c.request("PUT", "/fhir/SearchParameter/late", headers,
                      json.dumps(parameter("late", "late")).encode())
        equal(r.status, 201, f"{r.body}")
        time.sleep(1.5)
        check(any(x["type"] == "Basic" and not x["complete"]
                  for x in status()["types"]), "it waits")
        r = c.request("GET", "/fhir/Basic?late=v", headers)
        check("is being indexed" in json.dumps(r.json()), "and says so")
        t.join()
        done()
        r = c.request("GET", "/fhir/Basic?late=v", headers)
        equal(entries(r), ["late"], "it is found")


@once("a pass goes on after a restart, and says how far it is")
def _(stand):
    total = 3000
    keys = ",".join(str(row_key("Flag", f"f{n}"))
                    for n in range(1, total + 1))
    stand.sql(
        "INSERT INTO hie.resource (key, version, updated, type, id, patients,"
        " tokens, body) SELECT k, 1, now(), 'Flag', 'f' || n, '{}', '{}',"
        " convert_to('{\"resourceType\":\"Flag\",\"id\":\"f' || n || '\","
        "\"status\":\"active\",\"code\":{\"text\":\"x\"},\"extension\":"
        f"[{{\"url\":\"{EXT}again\",\"valueInteger\":' || n || '}}]}}',"
        f" 'UTF8') FROM unnest('{{{keys}}}'::bigint[])"
        " WITH ORDINALITY u (k, n)")

    def place():
        return next((x for x in status()["types"] if x["type"] == "Flag"),
                    None)

    def ask(path, method="GET", body=None):
        with Connection(stand.ports["nginx"], timeout=30) as c:
            return c.request(method, "/fhir" + path, [
                ("Authorization", f"Bearer {stand.token('again')}"),
                ("Content-Type", "application/fhir+json")],
                body and json.dumps(body).encode())

    equal(ask("/SearchParameter/again", "PUT", parameter(
        "again", "again", "number", base=["Flag"])).status, 201, "taken")
    wait_until("the first lots", lambda: place() and 0 < place()["resources"],
               20, 0.05)
    r = ask("/Flag?again=gt0&_summary=count")
    said = json.dumps(r.json())
    check(r.status == 200 and "%" in said and "again" in said, said)
    check("Flag" in stand.hiectl("status"), "hiectl status")
    for name in SERVERS:
        server = stand.server(name)
        for pid in (server.pid(), *server.workers()):
            os.kill(pid, signal.SIGKILL)
    before = place()
    check(not before["complete"], f"too fast: {before}")
    for name in SERVERS:
        stand.begin(stand.server(name))
    r = ask("/Flag?again=gt0&_summary=count")
    check(r.status == 200 and r.json()["total"] >= before["resources"],
          f"served after the restart {r.body}")
    done()
    equal((place()["percent"], place()["resources"]), (100, total),
          "each of them once")
    equal(ask("/Flag?again=gt0&_summary=count").json()["total"], total,
          "all are found")


@once("hiectl does it in the foreground, too")
def _(stand):
    for name in SERVERS:
        stand.server(name).stop()
    bundle = Path(stand.dir) / "tmp" / "p.json"
    bundle.write_text(json.dumps({
        "resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": x, "request": {
                "method": "PUT", "url": f"{x['resourceType']}/{x['id']}"}}
            for x in (parameter("front", "front"),
                      basic("front", front__Code="v"))]}))
    stand.load(bundle)
    check(any(not x["complete"] for x in status()["types"]), "to be done")
    equal(stand.hiectl("reindex", "--pending", "--type", "Basic",
                       check=False).returncode, 2, "the call is wrong")
    stand.hiectl("reindex", "--pending", "--progress")
    check(all(x["complete"] for x in status()["types"]), "done")
    for name in SERVERS:
        stand.begin(stand.server(name))
    with Connection(stand.ports["httpd"], timeout=30) as c:
        r = c.request("GET", "/fhir/Basic?front=v", [
            ("Authorization", f"Bearer {stand.token('front')}")])
        equal(entries(r), ["front"], "found")


main(started(stand))
