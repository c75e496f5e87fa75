#!/usr/bin/python3
"""A request has its time: then it is a 503 that says so, and the database
does not go on with it."""

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import observation, patient                        # noqa: E402
from hie.postgres import Session                                 # noqa: E402
from hie.process import children, wait_until                     # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402

stand = own_stand("timeout", timeout=400, statement_timeout=10000,
                  acquire_timeout=5000)


def late(s, method, path, body=None):
    begun = time.monotonic()
    r = s.request(method, path, body, note=False)
    took = time.monotonic() - begun
    equal(r.status, 503, f"{method} {path}")
    equal(r.issue()["code"], "timeout", "issue type")
    check(r.get("Retry-After"), "Retry-After")
    check(took < 2, f"it took {took:.1f} s")


def nothing_runs():
    rows = stand.postgres.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hie_app' "
        "AND state <> 'idle'", role="postgres")
    return rows[0][0] == "0"


@both("a lock in the database")
def _(s):
    p, o = s.id("p"), s.id("o")
    s.seed(patient(p), observation(o, p))
    with Session(stand.postgres) as blocker:
        blocker.do("BEGIN; LOCK TABLE hie.resource")
        for path in (f"/Patient/{p}", f"/Patient/{p}/_history/1",
                     f"/Patient?_id={p}", f"/Patient/{p}/_history",
                     "/Patient/_history", "/_history",
                     "/_history?_summary=count",
                     f"/Patient/{p}/$everything", "/Patient/$everything",
                     "/$meta", f"/Patient/{p}/$meta"):
            late(s, "GET", path)
        wait_until("end of the statements", nothing_runs, 5)
        blocker.do("ROLLBACK")
    equal(s.get(f"/Patient/{p}").status, 200, "afterwards")
    equal(s.get(f"/Patient/{p}/$everything").status, 200, "afterwards")


@contextmanager
def slow_names(seconds):
    """Looking at names takes so long, once for a statement."""
    stand.postgres.psql(
        "ALTER TABLE hie.resource_string ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY slow ON hie.resource_string"
        f" USING ((SELECT pg_sleep({seconds})) IS NOT NULL)")
    try:
        yield
    finally:
        stand.postgres.psql(
            "DROP POLICY slow ON hie.resource_string;"
            "ALTER TABLE hie.resource_string DISABLE ROW LEVEL SECURITY")


@both("a search that is too slow")
def _(s):
    key = s.id("p")
    s.seed(patient(key, "Slow"))
    path = "/Patient?family=slow"
    equal(s.get(path, note=False).status, 200, "as it is")
    with slow_names(1):
        late(s, "GET", path)
        wait_until("end of the statements", nothing_runs, 5)
    equal(s.get(path, note=False).status, 200, "afterwards")


def batch(*urls):
    return {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": url}} for url in urls]}


@both("each statement has what is left of the request's time")
def _(s):
    p, name = s.id("p"), s.key.replace("-", "")
    s.seed(patient(p, name))
    one = f"Patient?family={name}"
    with slow_names(0.25):
        # warm: the names of the types and functions
        s.post("", batch(one), note=False)
        r = s.post("", batch(one, one, one), note=False)
        said = [e["response"]["status"][:3] for e in r.json()["entry"]]
        equal(said, ["200", "503", "503"], "the second is cut off")
        wait_until("end of the statements", nothing_runs, 5)
        r = s.get("/" + one, note=False)
        equal(r.status, 200, "the next request has its own time")
    equal(s.get(f"/Patient/{p}").status, 200, "afterwards")


@both("statements that share a round trip have it together")
def _(s):
    names = [s.key.replace("-", "") + letter for letter in "abcdefghijkl"]
    s.seed(*[patient(s.id(f"p{name}"), name) for name in names])
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": patient("x", name),
         "request": {"method": "POST", "url": "Patient",
                     "ifNoneExist": f"family={name}"}} for name in names]}
    with slow_names(0.3):
        late(s, "POST", "", bundle)
        wait_until("end of the statements", nothing_runs, 5)
    r = s.post("", bundle, note=False)
    equal([e["response"]["status"] for e in r.json()["entry"]],
          ["200 OK"] * len(names), "afterwards")


@both("a database that is frozen")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    postmaster = stand.ledger.pid("postgres")
    pids = [postmaster, *children(postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        late(s, "GET", f"/Patient/{p}")
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    wait_until("the database again",
               lambda: s.get(f"/Patient/{p}", note=False).status == 200, 10)


main(started(stand))
