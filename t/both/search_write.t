#!/usr/bin/python3
"""Searches while many write: what was answered as written is found by the next
search, and a walk over pages meets everything that was there, once."""

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC, link                                 # noqa: E402
from hie.search import entries, plant, walk                      # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402
from hie.web import Connection                                   # noqa: E402

WRITERS = 32
ROUNDS = 12 if os.environ.get("HIE_TEST_FULL") else 4
TAG = "urn:example:case"


def observation(s, key, number, **more):
    return {"resourceType": "Observation", "id": s.id(key), "status": "final",
            "meta": {"tag": [{"system": TAG, "code": s.key}]},
            "code": {"coding": [{"system": LOINC, "code": f"c{number}"}]},
            "subject": {"reference": f"Patient/{s.id('p')}"},
            "effectiveDateTime": f"20{number % 100:02}-01-01",
            "valueQuantity": {"value": number, "code": "mg",
                              "system": "http://unitsofmeasure.org"},
            "note": [{"text": f"word{number}"}], **more}


class Writer(threading.Thread):
    """A client of its own, with a connection of its own."""

    def __init__(self, s, number, work):
        super().__init__(daemon=True)
        self.s, self.number, self.work = s, number, work
        self.connection = Connection(s.stand.ports[s.server])
        self.headers = [("Authorization", f"Bearer {s.admin()}"),
                        ("Content-Type", "application/fhir+json")]
        self.problem = None

    def send(self, method, path, body=None):
        return self.connection.request(
            method, "/fhir" + path, self.headers,
            json.dumps(body).encode() if body else None)

    def ids(self, path):
        r = self.send("GET", path)
        check(r.status == 200, f"{path}: {r}")
        return [e["resource"]["id"] for e in r.json().get("entry", [])]

    def run(self):
        try:
            self.work(self)
        except Exception as e:
            self.problem = f"writer {self.number}: {type(e).__name__}: {e}"
        finally:
            self.connection.close()


def together(s, work, n=WRITERS):
    writers = [Writer(s, i, work) for i in range(n)]
    for w in writers:
        w.start()
    for w in writers:
        w.join(120)
    problems = [w.problem or "still at it" for w in writers
                if w.problem or w.is_alive()]
    check(not problems, "\n".join(problems[:5]))


@both("every write is seen by the writer's next search", compare=False)
def _(s):
    plant(s, {"resourceType": "Patient", "id": "p", "name": [
        {"family": "Busy"}]})
    p = s.id("p")

    def work(w):
        key = f"w{w.number}"
        for i in range(ROUNDS):
            number = 100 * w.number + i
            other = number + 10000
            wanted = [s.id(key)]
            r = w.send("PUT", f"/Observation/{s.id(key)}",
                       observation(s, key, number))
            check(r.status in (200, 201), f"{r}")
            for query in (f"code=c{number}", f"code=c{number}&patient={p}",
                          f"value-quantity={number}",
                          f"_content=word{number}",
                          f"patient.family=busy&code=c{number}",
                          f"_id={s.id(key)}",
                          f"date=20{number % 100:02}&code=c{number}"):
                equal(w.ids(f"/Observation?_tag={s.key}&{query}"), wanted,
                      query)
            equal(w.ids(f"/Patient?_has:Observation:patient:code=c{number}"
                        f"&_tag={s.key}"), [p], "_has")
            w.send("PUT", f"/Observation/{s.id(key)}",
                   observation(s, key, other))
            for query, there in ((f"code=c{number}", []),
                                 (f"code=c{other}", wanted),
                                 (f"value-quantity={number}", []),
                                 (f"_content=word{number}", []),
                                 (f"_content=word{other}", wanted)):
                equal(w.ids(f"/Observation?_tag={s.key}&{query}"), there,
                      f"after an update: {query}")
            r = w.send("DELETE", f"/Observation/{s.id(key)}")
            check(r.status in (200, 204), f"{r}")
            for query in (f"code=c{other}", f"_id={s.id(key)}",
                          f"patient={p}&code=c{other}",
                          f"patient.family=busy&code=c{other}"):
                equal(w.ids(f"/Observation?_tag={s.key}&{query}"), [],
                      f"after a deletion: {query}")

    together(s, work)
    r = s.get(f"/Observation?_tag={s.key}&_summary=count", note=False)
    equal(r.json()["total"], 0, "nothing is left")


@both("a walk over pages while others write", compare=False)
def _(s):
    """What stays is seen once in any order that writes do not change; what
    comes and goes is seen once at most."""
    stay = [f"s{i:02}" for i in range(60)]
    plant(s, {"resourceType": "Patient", "id": "p"},
          *(observation(s, k, i) | {"id": k, "meta": {}}
            for i, k in enumerate(stay)))
    stop = threading.Event()
    written = []

    def disturb(w):
        i = 0
        while not stop.is_set():
            key = f"x{w.number}-{i % 3}"
            number = (7 * i + w.number) % 60
            w.send("PUT", f"/Observation/{s.id(key)}",
                   observation(s, key, number))
            if i % 3 == 2:
                w.send("DELETE", f"/Observation/{s.id(key)}")
            # an update that does not change what is sorted by
            k = w.number % len(stay)
            w.send("PUT", f"/Observation/{s.id(stay[k])}",
                   observation(s, stay[k], k, issued="2023-01-01T00:00:00Z"))
            written.append(1)
            i += 1

    writers = [Writer(s, i, disturb) for i in range(WRITERS)]
    for w in writers:
        w.start()
    try:
        for _ in range(ROUNDS // 2):
            for order in ("", "_sort=_id", "_sort=-_id", "_sort=date",
                          "_sort=-date,_id", "_sort=value-quantity",
                          "_sort=code"):
                path = f"/Observation?_tag={s.key}&_count=7&{order}"
                flat = sum(walk(s, path, note=False), [])
                once = [k for k in flat if k in stay]
                equal(len(once), len(set(once)), f"{order}: twice")
                equal(sorted(once), stay, f"{order}: all that stays")
                if order:
                    continue
                equal(len(flat), len(set(flat)), "others twice")
    finally:
        stop.set()
        for w in writers:
            w.join(60)
    problems = [w.problem for w in writers if w.problem]
    check(not problems, "\n".join(problems[:5]))
    check(len(written) > WRITERS, "there were writes")


@both("a page that is come back to", compare=False)
def _(s):
    plant(s, {"resourceType": "Patient", "id": "p"},
          *(observation(s, f"k{i}", i) | {"id": f"k{i}", "meta": {}}
            for i in range(9)))
    path = f"/Observation?_tag={s.key}&_count=3&_sort=_id"
    first = s.get(path, note=False)
    r = s.get(link(first, "next").partition("/fhir")[2], note=False)
    for key in ("k0a", "k1a", "k2a", "k3"):
        if key == "k3":
            s.delete(f"/Observation/{s.id(key)}", token=s.admin())
        else:
            s.put(f"/Observation/{s.id(key)}", observation(s, key, 1),
                  token=s.admin())
    back = s.get(link(r, "previous").partition("/fhir")[2], note=False)
    # of what lies before k3 now, the last three
    equal([i.rpartition("-")[2] for i in entries(back)],
          ["k1a", "k2", "k2a"], "previous")
    again = s.get(link(back, "next").partition("/fhir")[2], note=False)
    equal([i.rpartition("-")[2] for i in entries(again)],
          ["k4", "k5", "k6"], "next")


main()
