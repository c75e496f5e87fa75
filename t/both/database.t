#!/usr/bin/python3
"""A database that is down when the server starts, goes away, hangs."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.process import Failure, children, wait_until            # noqa: E402
from hie.tap import (both, check, equal, main, own_stand,        # noqa: E402
                     started)


def unavailable(r):
    equal(r.status, 503, "status")
    check(r.get("Retry-After"), "Retry-After")
    equal(r.issue()["severity"], "error", "outcome")


def recovers(s, path, seconds=15):
    """Waits for a 200 and then wants nothing else."""
    try:
        wait_until("recovery", lambda: s.get(path, note=False).status == 200,
                   seconds, 0.1)
    except Failure as e:
        raise AssertionError(str(e)) from None
    for _ in range(30):
        equal(s.get(path, note=False).status, 200, "after the recovery")


@both("down at the start: 503, and what needs no database works")
def _(s):
    stand = s.stand
    key = s.id("p")
    s.seed(patient(key))
    stand.server(s.server).stop()
    s.close()
    s.connections.clear()
    stand.postgres.stop()
    try:
        stand.server(s.server).start()
        unavailable(s.get(f"/Patient/{key}"))
        unavailable(s.get(f"/Patient?_id={key}"))
        unavailable(s.put(f"/Patient/{key}", patient(key)))
        unavailable(s.get(f"/Patient/{key}", kind="gateway"))
        equal(s.get("/metadata", token=False).status, 200, "metadata")
        equal(s.get(f"/Patient/{key}", token=False).status, 401, "no token")
    finally:
        stand.postgres.start()
    refused = s.subject
    s.subject += "-later"
    recovers(s, f"/Patient/{key}")
    rows = [r for r in s.audit(4, refused, seconds=15)
            if r["status"] == "503"]
    equal(len(rows), 4, "the refused ones are recorded")


@both("restarted while the server runs: it recovers by itself")
def _(s):
    stand = s.stand
    key = s.id("p")
    s.seed(patient(key))
    for _ in range(20):
        equal(s.get(f"/Patient/{key}", note=False).status, 200, "before")
    for mode in ("fast", "immediate"):
        stand.postgres.stop(mode)
        try:
            for _ in range(5):
                unavailable(s.get(f"/Patient/{key}", note=False))
        finally:
            stand.postgres.start()
        recovers(s, f"/Patient/{key}")


@both("all its connections are cut: the next requests do not fail")
def _(s):
    key = s.id("p")
    # every process may still hold back after the case before
    time.sleep(1)
    s.seed(patient(key))
    recovers(s, f"/Patient/{key}")
    s.stand.postgres.psql("SELECT pg_terminate_backend(pid) FROM "
                          "pg_stat_activity WHERE usename = 'hie_app'",
                          role="postgres")
    statuses = [s.get(f"/Patient/{key}", note=False).status
                for _ in range(50)]
    check(statuses.count(200) >= 45, f"statuses {statuses}")
    equal(statuses[-1], 200, "the last")


@both("it hangs: requests end in time with a 503, and work again")
def _(s):
    stand = s.stand
    key = s.id("p")
    time.sleep(1)
    s.seed(patient(key))
    postmaster = stand.ledger.pid("postgres")
    pids = [postmaster, *children(postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        unavailable(s.get(f"/Patient/{key}", note=False))
        took = time.monotonic() - started
        check(took < 8, f"it took {took:.1f} s")
        equal(s.get("/metadata", token=False, note=False).status, 200,
              "metadata")
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    recovers(s, f"/Patient/{key}", 20)


stand = own_stand("database", acquire_timeout=500, statement_timeout=1000)
main(started(stand))
