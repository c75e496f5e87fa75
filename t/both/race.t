#!/usr/bin/python3
"""Writers that meet, through both servers at a time: one resource for a
condition, no update lost, all or nothing, and never a 5xx."""

import itertools
import json
import os
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, observation, patient                 # noqa: E402
from hie.stand import SERVERS                                    # noqa: E402
from hie.tap import (RUN, check, equal, main, once,              # noqa: E402
                     own_stand, started)
from hie.web import Connection                                   # noqa: E402

FULL = os.environ.get("HIE_TEST_FULL") == "1"
CLIENTS = 64 if FULL else 8
SECONDS = 60 if FULL else 1.2
ROUNDS = 40 if FULL else 6


class Client:
    """One connection to one of the servers, and all that it was told."""

    def __init__(self, stand, number):
        self.server = SERVERS[number % len(SERVERS)]
        self.connection = Connection(stand.ports[self.server], timeout=60)
        self.number = number
        self.token = stand.token(f"race-{RUN}")
        self.random = random.Random(number)
        self.told = []

    def request(self, method, path, body=None, headers=()):
        headers = [("Authorization", f"Bearer {self.token}"), *headers]
        if body is not None:
            headers.append(("Content-Type", "application/fhir+json"))
            body = json.dumps(body).encode()
        r = self.connection.request(method, "/fhir" + path, headers, body)
        self.told.append((r.status, r.body[:200]))
        return r


def crowd(stand, work, clients=CLIENTS):
    """`work` of a client, in so many threads, begun together."""
    gate = threading.Barrier(clients)
    everybody = [Client(stand, i) for i in range(clients)]
    problems = []

    def run(client):
        try:
            client.connection.connect()
            gate.wait(30)
            work(client)
        except Exception as e:                   # shown below
            problems.append(f"{client.server}: {e!r}")
        finally:
            client.connection.close()

    threads = [threading.Thread(target=run, args=(c,)) for c in everybody]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(problems, [], "problems")
    told = [x for c in everybody for x in c.told]
    bad = [x for x in told if x[0] >= 500]
    equal(bad[:3], [], f"5xx among {len(told)} answers")
    return everybody, told


def one(stand):
    return Client(stand, 0)


def person(*values, **more):
    p = patient("x", **more)
    del p["id"]
    p["identifier"] = [{"system": "urn:example:mrn", "value": v}
                       for v in values]
    return p


@once("one condition, written in several ways, makes one resource")
def _(stand):
    ways = ("identifier=urn:example:mrn|{v}", "identifier={v}",
            "identifier=urn%3Aexample%3Amrn%7C{v}",
            "family=probe&identifier={v}", "identifier={v}&family=Probe")
    for n in range(ROUNDS):
        value = f"race-{RUN}-{n}"

        def create(c):
            way = ways[c.number % len(ways)].format(v=value)
            c.request("POST", "/Patient", person(value),
                      [("If-None-Exist", way)])

        _, told = crowd(stand, create)
        equal(sorted(s for s, _ in told), [200] * (CLIENTS - 1) + [201],
              "statuses")
        equal(len(found(one(stand).request(
            "GET", f"/Patient?identifier={value}"))), 1, "resources")


@once("different conditions that one resource meets make one resource")
def _(stand):
    for n in range(ROUNDS):
        a, b = f"race-a-{RUN}-{n}", f"race-b-{RUN}-{n}"
        name = f"Race{RUN}{n}"
        ways = (f"identifier={a}", f"identifier=urn:example:mrn|{b}",
                f"family:exact={name}", f"identifier={b}&family={name}")

        def put(c):
            if c.number % 3 == 0:
                c.request("PUT", "/Patient?" + ways[c.number % 4],
                          person(a, b, family=name))
            elif c.number % 3 == 1:
                c.request("POST", "/Patient", person(a, b, family=name),
                          [("If-None-Exist", ways[c.number % 4])])
            else:
                c.request("POST", "", {
                    "resourceType": "Bundle", "type": "transaction",
                    "entry": [{"resource": person(a, b, family=name),
                               "request": {"method": "POST", "url": "Patient",
                                           "ifNoneExist":
                                           ways[c.number % 4]}}]})

        crowd(stand, put)
        equal(len(found(one(stand).request(
            "GET", f"/Patient?identifier={a}"))), 1, "resources")


@once("conditions of every kind make one resource")
def _(stand):
    there = one(stand)
    place = f"race-place-{RUN}"
    there.request("PUT", f"/Organization/{place}", {
        "resourceType": "Organization", "id": place, "name": place})
    for n in range(max(ROUNDS // 3, 2)):
        name = f"Kind{RUN}{n}"
        born = f"19{10 + n}-02-03"
        more = {"birthDate": born, "gender": "other",
                "managingOrganization": {
                    "reference": f"Organization/{place}"}}
        ways = (f"family={name}&birthdate={born}",
                f"family:exact={name}&gender=other",
                f"name:contains={name[1:]}&birthdate=gt19{9 + n:02}",
                f"organization.name={place}&family={name}",
                f"organization:Organization.name={place}&name={name}"
                "&gender:not=male",
                f"identifier:missing=true&family={name}",
                f"family={name}&_lastUpdated=gt2020")

        def create(c):
            p = person(family=name, **more)
            del p["identifier"]
            c.request("POST", "/Patient", p,
                      [("If-None-Exist", ways[c.number % len(ways)])])

        _, told = crowd(stand, create)
        equal(sorted(s for s, _ in told), [200] * (CLIENTS - 1) + [201],
              "statuses")
        equal(len(found(one(stand).request(
            "GET", f"/Patient?family={name}"))), 1, "resources")


@once("quantities, dates and codes are conditions, too")
def _(stand):
    for n in range(max(ROUNDS // 3, 2)):
        about = f"race-obs-{RUN}-{n}"
        one(stand).request("PUT", f"/Patient/{about}", patient(about))
        ways = (f"subject=Patient/{about}&value-quantity=gt71",
                f"patient={about}&code=8867-4",
                f"subject.identifier={about}&date=2024-05",
                f"code-value-quantity=8867-4$72&patient={about}",
                f"combo-code=8867-4&subject:Patient={about}")

        def create(c):
            o = observation("x", about, value=72,
                            effectiveDateTime="2024-05-06")
            del o["id"]
            c.request("POST", "/Observation", o,
                      [("If-None-Exist", ways[c.number % len(ways)])])

        _, told = crowd(stand, create)
        equal(sorted(s for s, _ in told), [200] * (CLIENTS - 1) + [201],
              "statuses")


def history(stand, key, last):
    """What each version says, from the first to the last."""
    c = one(stand)
    said = []
    for v in range(1, last + 1):
        r = c.request("GET", f"/Patient/{key}/_history/{v}")
        equal((r.status, r.json()["meta"]["versionId"]), (200, str(v)),
              "version")
        said.append(r.json()["name"][0]["family"])
    equal(c.request("GET", f"/Patient/{key}/_history/{last + 1}").status, 404,
          "one more")
    return said


@once("updates with If-Match count up, none is lost")
def _(stand):
    key = f"race-count-{RUN}"
    one(stand).request("PUT", f"/Patient/{key}", patient(key, "0"))
    until = time.monotonic() + SECONDS
    done = []

    def count(c):
        while time.monotonic() < until:
            r = c.request("GET", f"/Patient/{key}")
            n = int(r.json()["name"][0]["family"])
            r = c.request("PUT", f"/Patient/{key}",
                          patient(key, str(n + 1)),
                          [("If-Match", r.get("ETag"))])
            check(r.status in (200, 412, 409), r)
            if r.status == 200:
                done.append(n + 1)

    crowd(stand, count)
    check(len(done) > 1, "some were done")
    equal(sorted(done), list(range(1, len(done) + 1)), "each number once")
    equal(history(stand, key, len(done) + 1),
          [str(n) for n in range(len(done) + 1)], "history")


@once("updates without If-Match are all there, one after the other")
def _(stand):
    key = f"race-all-{RUN}"
    until = time.monotonic() + SECONDS / 2

    def put(c):
        n = 0
        while n == 0 or time.monotonic() < until:
            n += 1
            c.request("PUT", f"/Patient/{key}",
                      patient(key, f"{c.number}-{n}"))

    _, told = crowd(stand, put)
    good = [s for s, _ in told if s in (200, 201)]
    check(len(good) >= CLIENTS, "most were done")
    equal(good.count(201), 1, "created once")
    said = history(stand, key, len(good))
    equal(len(set(said)), len(good), "each version another one")


@once("transactions over the same resources are all or nothing")
def _(stand):
    keys = [f"race-t{i}-{RUN}" for i in range(6)]
    until = time.monotonic() + SECONDS

    def transact(c):
        n = 0
        while time.monotonic() < until:
            n += 1
            mark = f"{c.number}-{n}"
            order = c.random.sample(keys, len(keys))
            entries = [{"resource": patient(k, mark),
                        "request": {"method": "PUT", "url": f"Patient/{k}"}}
                       for k in order]
            entries.append({
                "resource": person(f"race-t-{RUN}-{n % 5}"),
                "request": {"method": "POST", "url": "Patient",
                            "ifNoneExist":
                            f"identifier=race-t-{RUN}-{n % 5}"}})
            r = c.request("POST", "", {"resourceType": "Bundle",
                                       "type": "transaction",
                                       "entry": entries})
            check(r.status in (200, 409, 412), r)

    _, told = crowd(stand, transact)
    done = sum(s == 200 for s, _ in told)
    check(done >= CLIENTS, f"{done} of {len(told)} were done")
    c = one(stand)
    last = [c.request("GET", f"/Patient/{k}") for k in keys]
    equal(len({r.json()["name"][0]["family"] for r in last}), 1,
          "the last one's mark is on all")
    equal({r.get("ETag") for r in last}, {f'W/"{done}"'}, "versions")
    for n in range(5):
        check(len(found(c.request(
            "GET", f"/Patient?identifier=race-t-{RUN}-{n}"))) <= 1, "one")


@once("updates and deletions of one resource: versions are a line")
def _(stand):
    key = f"race-delete-{RUN}"
    until = time.monotonic() + SECONDS / 2

    def change(c):
        while time.monotonic() < until:
            if c.random.random() < 0.5:
                r = c.request("PUT", f"/Patient/{key}", patient(key))
            else:
                r = c.request("DELETE", f"/Patient/{key}")
            check(r.status in (200, 201, 204, 409), r)

    crowd(stand, change)
    rows = stand.sql("SELECT version, deleted FROM hie.resource_history "
                     f"WHERE id = '{key}' UNION ALL SELECT version, deleted "
                     f"FROM hie.resource WHERE id = '{key}' ORDER BY 1")
    equal([int(v) for v, _ in rows], list(range(1, len(rows) + 1)),
          "versions")
    check(not any(a == b == "t" for (_, a), (_, b) in zip(rows, rows[1:])),
          "nothing is deleted twice")


# Live resources that refer to a patient who is not there.
DANGLING = """
    SELECT o.type, o.id FROM hie.resource o
    WHERE o.type = 'Observation' AND NOT o.deleted AND NOT EXISTS (
        SELECT FROM hie.resource p
        WHERE p.type = 'Patient' AND NOT p.deleted AND 'Patient/' || p.id
            = convert_from(o.body, 'UTF8')::json -> 'subject' ->> 'reference')
"""


GROUP = 4            # requests for one patient
CHUNK = 100          # patients that are made at a time


def made(n):
    return [f"ref-p{i}-{RUN}" for i in range(n * CHUNK, (n + 1) * CHUNK)]


def transact(c, *entries):
    return c.request("POST", "", {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [{"request": {"method": method, "url": url}}
                  | ({"resource": resource} if resource else {})
                  for method, url, resource in entries]}).status


def make_patients(c, n):
    equal(transact(c, *[("PUT", f"Patient/{k}", patient(k))
                        for k in made(n)]), 200, "patients")


def meet(c, p, n):
    """One of the ways to refer to a patient, or to end what does, or the
    patient; which, and the status. Nobody comes back, so that what once led
    nowhere does to the end."""
    kind = c.random.choice(("put", "post", "change", "bundle", "delete",
                            "delete", "both", "free"))
    new, old = f"ref-n{n}-{RUN}", f"ref-o{c.random.randrange(8)}-{RUN}"
    if kind == "put":
        return kind, c.request("PUT", f"/Observation/{new}",
                               observation(new, p)).status
    if kind == "post":
        return kind, c.request("POST", "/Observation",
                               observation("x", p)).status
    if kind == "change":
        return kind, c.request("PUT", f"/Observation/{old}",
                               observation(old, p)).status
    if kind == "bundle":
        return kind, transact(
            c, ("PUT", f"Observation/{new}", observation(new, p)),
            ("PUT", f"Observation/{old}", observation(old, p)))
    if kind == "delete":
        return kind, c.request("DELETE", f"/Patient/{p}").status
    if kind == "both":
        # what is deleted beside it does not keep it
        return kind, transact(
            c, ("DELETE", f"Patient/{p}", None),
            ("DELETE", f"Observation?subject=Patient/{p}", None))
    return kind, c.request("DELETE", f"/Observation/{old}").status


@once("with fhir.references: enforce no reference ever leads nowhere")
def _(stand):
    own = started(own_stand("race-references", fhir="  references: enforce"))
    mark = own.mark()
    numbers, seen = itertools.count(1), set()
    for n in range(2):
        make_patients(one(own), n)
    until = time.monotonic() + SECONDS * 2

    def work(c):
        while time.monotonic() < until:
            n = next(numbers)
            if n % (GROUP * CHUNK) == 0:
                make_patients(c, n // (GROUP * CHUNK) + 1)
            kind, status = meet(c, f"ref-p{n // GROUP}-{RUN}", n)
            check(status in (200, 201, 204, 409, 412, 422), c.told[-1])
            seen.add((kind, status))

    crowd(own, work, 16)
    equal(own.sql(DANGLING)[:3], [], "references that lead nowhere")
    # it was a race: each has won and lost
    for kind, won, lost in (("put", 201, 422), ("post", 201, 422),
                            ("bundle", 200, 422), ("delete", 204, 409)):
        check({(kind, won), (kind, lost)} <= seen, f"{sorted(seen)}")
    equal(own.trouble(mark), [], "the servers' logs")
    own.remove()


main()
