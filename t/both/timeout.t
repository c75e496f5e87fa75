#!/usr/bin/python3
"""A request has its time: then it is a 503 that says so, and the database
does not go on with it."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import observation, patient                        # noqa: E402
from hie.postgres import Session                                 # noqa: E402
from hie.process import wait_until                               # noqa: E402
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
                     f"/Patient/{p}/$everything", "/Patient/$everything",
                     "/$meta", f"/Patient/{p}/$meta"):
            late(s, "GET", path)
        wait_until("end of the statements", nothing_runs, 5)
        blocker.do("ROLLBACK")
    equal(s.get(f"/Patient/{p}").status, 200, "afterwards")
    equal(s.get(f"/Patient/{p}/$everything").status, 200, "afterwards")


@both("a search that is too slow")
def _(s):
    key = s.id("p")
    s.seed(patient(key, "Slow"))
    path = "/Patient?family=slow"
    equal(s.get(path, note=False).status, 200, "as it is")
    # looking at a name takes a second
    stand.postgres.psql(
        "ALTER TABLE hie.resource_string ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY slow ON hie.resource_string"
        " USING (pg_sleep(1) IS NOT NULL)")
    try:
        late(s, "GET", path)
        wait_until("end of the statements", nothing_runs, 5)
    finally:
        stand.postgres.psql(
            "DROP POLICY slow ON hie.resource_string;"
            "ALTER TABLE hie.resource_string DISABLE ROW LEVEL SECURITY")
    equal(s.get(path, note=False).status, 200, "afterwards")


main(started(stand))
