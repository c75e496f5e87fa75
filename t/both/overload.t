#!/usr/bin/python3
"""More requests than there is room for: those over it get a 503 at once, the
others their answer."""

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.postgres import Session, wait_locked                    # noqa: E402
from hie.tap import (both, check, equal, main, own_stand,        # noqa: E402
                     started)
from hie.web import Connection                                   # noqa: E402


def ask(s, path, out):
    """One request on a connection of its own."""
    started = time.monotonic()
    with Connection(s.stand.ports[s.server]) as c:
        r = c.request("GET", "/fhir" + path,
                      [("Authorization", f"Bearer {s.token()}")])
    out.append((r, time.monotonic() - started))


def start(s, path, count):
    out = []
    threads = [threading.Thread(target=ask, args=(s, path, out))
               for _ in range(count)]
    for t in threads:
        t.start()
    return out, threads


def busy(r):
    equal(r.status, 503, "status")
    check(r.get("Retry-After"), "Retry-After")
    equal(r.get("Content-Type"), "application/fhir+json; charset=utf-8",
          "media type")
    equal(r.issue()["severity"], "error", "outcome")


@both("all connections are taken: 503 within the time-out, then all is well")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    s.token()
    with Session(s.stand.postgres) as blocker:
        blocker.do("BEGIN; LOCK TABLE hie.resource")
        out, threads = start(s, f"/Patient/{key}", 2)
        wait_locked(s.stand.postgres)
        time.sleep(0.2)
        late, more = start(s, f"/Patient/{key}", 20)
        for t in more:
            t.join(20)
        equal(len(late), 20, "answers")
        for r, seconds in late:
            busy(r)
            # turns in the queue, and at the database
            check(seconds < 8, f"it took {seconds:.1f} s")
        blocker.do("ROLLBACK")
    for t in threads:
        t.join(10)
    equal(len(out), 2, "answers to those that waited")
    equal(s.get(f"/Patient/{key}").status, 200, "afterwards")


@both("a query that takes too long is cancelled: 503")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    with Session(s.stand.postgres) as blocker:
        blocker.do("BEGIN; LOCK TABLE hie.resource")
        out, threads = start(s, f"/Patient/{key}", 1)
        for t in threads:
            t.join(20)
        check(out, "no answer")
        busy(out[0][0])
        check(out[0][1] < 6, f"it took {out[0][1]:.1f} s")
        blocker.do("ROLLBACK")
    equal(s.get(f"/Patient/{key}").status, 200, "afterwards")


@both("who is refused needs no database, so is refused at once")
def _(s):
    with Session(s.stand.postgres) as blocker:
        blocker.do("BEGIN; LOCK TABLE hie.resource")
        started = time.monotonic()
        equal(s.get("/Patient/x", token=False).status, 401, "no token")
        equal(s.get("/metadata", token=False).status, 200, "metadata")
        check(time.monotonic() - started < 1, "it took longer than 1 s")
        blocker.do("ROLLBACK")


stand = own_stand("overload", nginx_threads=6, nginx_queue=4,
                  nginx_workers=1, httpd_children=1, httpd_limit=1,
                  connections=2, acquire_timeout=400, statement_timeout=2000)
main(started(stand))
