#!/usr/bin/python3
"""The audit log: every request leaves one record, the refused ones too."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, observation, patient               # noqa: E402
from hie.keys import ISSUER                                      # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def one(s, **wanted):
    """The only record of this case, with what it must say."""
    rows = s.audit(1)
    equal(len(rows), 1, "records")
    for name, value in wanted.items():
        equal(rows[0][name], str(value), name)
    check(rows[0]["completed"], "complete")
    equal(rows[0]["aborted"], "f", "aborted")
    return rows[0]


@both("read: who, what, decision, outcome")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    r = s.get(f"/Patient/{key}", token=s.token(
        "system/*.rs", ["Organization/clinic-a"]))
    row = one(s, interaction="read", type="Patient", resource_id=key,
              decision="permit", status=200, bytes=len(r.body), resources=1,
              issuer=ISSUER, organization="Organization/clinic-a",
              peer="127.0.0.1", query="")
    check(row["patients"] not in ("{}", ""), "patients")
    equal((row["withheld"], row["disclosed_resources"],
           row["disclosed_patients"]), ("", "", ""), "judged afterwards")


@both("vread, HEAD, 304")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    s.get(f"/Patient/{key}/_history/1")
    s.head(f"/Patient/{key}")
    s.get(f"/Patient/{key}", headers=[("If-None-Match", 'W/"1"')])
    rows = s.audit(3)
    equal([(r["interaction"], r["status"], r["decision"]) for r in rows],
          [("vread", "200", "permit"), ("read", "200", "permit"),
           ("read", "304", "permit")], "records")
    equal([r["bytes"] for r in rows[1:]], ["0", "0"], "bytes")


@both("search: the query, how many, whose")
def _(s):
    p = s.id("p")
    s.seed(patient(p), observation(s.id("1"), p), observation(s.id("2"), p))
    r = s.get(f"/Observation?patient={p}&_count=10")
    one(s, interaction="search-type", type="Observation", resource_id="",
        query=f"patient={p}&_count=10", resources=2, status=200,
        bytes=len(r.body), decision="permit")


@both("POST _search: the query of the body")
def _(s):
    s.post("/Patient/_search", b"family=x", headers=[
        ("Content-Type", "application/x-www-form-urlencoded")])
    one(s, interaction="search-type", query="family=x", status=200)


@both("create and update")
def _(s):
    key = s.id("p")
    r = s.post("/Patient", patient("x"))
    s.put(f"/Patient/{key}", patient(key))
    rows = s.audit(2)
    equal([(x["interaction"], x["resource_id"], x["status"]) for x in rows],
          [("create", r.json()["id"], "201"), ("update", key, "201")],
          "records")


@both("what is withheld: the requester learns nothing, the record all")
def _(s):
    key = s.id("p")
    s.seed(patient(key), consent(s.id("c"), key))
    r = s.get(f"/Patient/{key}")
    equal(r.status, 404, "status")
    row = one(s, interaction="read", resource_id=key, decision="deny",
              status=404, bytes=len(r.body))
    check(row["patients"] not in ("{}", ""), "patients")


@both("what never existed is no denial")
def _(s):
    s.get(f"/Patient/{s.id('z')}")
    one(s, decision="permit", status=404)


@both("a custodian is recorded as one")
def _(s):
    key = s.id("p")
    s.seed(patient(key), consent(s.id("c"), key))
    s.get(f"/Patient/{key}", token=s.token("hie/admin system/*.rs"))
    one(s, decision="custodian", status=200)


@both("refused by scope")
def _(s):
    s.get("/Patient/x", token=s.token("system/Observation.rs"))
    one(s, decision="deny", status=403, interaction="read", type="Patient",
        resource_id="x")


@both("refused requests: unknown path, method, broken body, precondition")
def _(s):
    key = s.id("p")
    s.get("/Nonsense/1")
    s.post("/Patient/x", patient(key))
    s.post("/Patient", "{")
    s.put(f"/Patient/{key}", patient(key), headers=[("If-Match", 'W/"3"')])
    s.get("/Patient?nonsense=1")
    rows = s.audit(5)
    # ids of one millisecond are in no order among processes
    equal(sorted(r["status"] for r in rows),
          ["400", "400", "404", "405", "412"], "records")


@both("requests without a valid token are recorded without a subject")
def _(s):
    before = int(s.stand.sql("SELECT count(*) FROM hie.v_all_audit_logs "
                             f"WHERE resource_id = '{s.id('t')}'")[0][0])
    s.get(f"/Patient/{s.id('t')}", token=False)
    s.get(f"/Patient/{s.id('t')}", headers=[("Authorization", "Bearer x")])
    for _ in range(100):
        rows = s.stand.sql("SELECT subject, decision, status FROM "
                           "hie.v_all_audit_logs WHERE resource_id = "
                           f"'{s.id('t')}' AND completed IS NOT NULL")
        if len(rows) == before + 2:
            break
        time.sleep(0.1)
    equal(rows, [["", "none", "401"]] * 2, "records")


@both("exactly one record each, of three hundred requests")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    for i in range(300):
        s.get(f"/Patient/{key}" if i % 3 else f"/Patient/{s.id('z')}",
              note=False)
    started = time.monotonic()
    rows = s.audit(300)
    check(time.monotonic() - started < 5, "they took longer than 5 s")
    time.sleep(0.3)
    rows = s.audit(300)
    equal(len(rows), 300, "records")
    equal(len({r["id"] for r in rows}), 300, "different ids")
    equal(sum(r["status"] == "404" for r in rows), 100, "404")
    check(all(r["completed"] for r in rows), "all complete")


@both("the CapabilityStatement leaves no record")
def _(s):
    s.get("/metadata")
    time.sleep(0.5)
    equal(s.stand.audit(s.subject), [], "records")


@both("the server's role can neither change nor remove records")
def _(s):
    from hie.process import Failure
    s.get(f"/Patient/{s.id('x')}")
    row = one(s)
    for sql in (f"DELETE FROM hie_node_{s.stand.node}.audit_log",
                f"UPDATE hie_node_{s.stand.node}.audit_log SET subject = ''",
                f"TRUNCATE hie_node_{s.stand.node}.audit_log",
                "DROP SCHEMA hie CASCADE"):
        try:
            s.stand.postgres.psql(sql, role="hie_app")
        except Failure as e:
            check("permission denied" in str(e) or "must be owner" in str(e),
                  str(e))
        else:
            raise AssertionError(f"{sql}: was possible")
    equal(one(s)["id"], row["id"], "record")


main()
