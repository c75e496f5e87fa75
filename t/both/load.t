#!/usr/bin/python3
"""hiectl load beside others who write: what loses against them is loaded by
the same run."""

import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, patient                              # noqa: E402
from hie.postgres import Session, wait_locked                    # noqa: E402
from hie.process import wait_until                               # noqa: E402
from hie.tap import equal, main, once, own_stand, started        # noqa: E402
from hie.web import Connection                                   # noqa: E402

stand = own_stand("load", statement_timeout=400)


def nobody_waits():
    return stand.postgres.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hie_app' "
        "AND wait_event_type = 'Lock'", role="postgres")[0][0] == "0"


def load(*texts, name="load.json"):
    """A load of one file in the background: its result, and its thread."""
    path = stand.dir / "tmp" / name
    path.write_text("\n".join(json.dumps(t) for t in texts) + "\n")
    done = []
    thread = threading.Thread(target=lambda: done.append(
        stand.hiectl("--json", "load", stand.reachable(path), check=False)))
    thread.start()
    return done, thread


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": r, "fullUrl": f"urn:x:{r['id']}", "request": {
            "method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in resources]}


def result(done, thread):
    thread.join(60)
    equal(len(done), 1, "it ends")
    out = done[0].stdout
    return done[0].returncode, json.loads(out[out.rindex("{"):])


def loses(begin):
    """Somebody else keeps the terms for longer than a statement may wait."""
    with Session(stand.postgres) as other:
        other.do("BEGIN; LOCK TABLE hie.term IN SHARE ROW EXCLUSIVE MODE")
        done, thread = begin()
        wait_locked(stand.postgres)
        wait_until("the first one gives up", nobody_waits, 10, 0.02)
        wait_locked(stand.postgres)
        other.do("ROLLBACK")
    return result(done, thread)


@once("a Bundle that the database could not take in time")
def _(stand):
    code, said = loses(lambda: load(bundle(
        patient("load-a", value="load-a"), patient("load-b", value="load-b"))))
    equal((code, said), (0, {"files": 1, "skipped": 0, "failed": 0,
                             "resources": 2}), "loaded")
    equal(stand.sql("SELECT version FROM hie.resource WHERE id LIKE 'load-_'"),
          [["1"], ["1"]], "once")


@once("lines that the database could not take in time")
def _(stand):
    lines = [patient(f"line-{n}", value=f"line-{n}") for n in range(600)]
    code, said = loses(lambda: load(*lines, name="load.ndjson"))
    equal((code, said["resources"], said["failed"]), (0, 600, 0), "loaded")
    equal(stand.sql("SELECT count(*), max(version) FROM hie.resource"
                    " WHERE id LIKE 'line-%'"), [["600", "1"]], "once")


@once("what is contained is found behind its container")
def _(stand):
    requests = [{
        "resourceType": "MedicationRequest", "id": f"holds-{n}",
        "status": "active", "intent": "order", "subject": {"display": "x"},
        "medicationReference": {"reference": "#m"}, "contained": [
            {"resourceType": "Medication", "id": "m",
             "code": {"coding": [{"code": f"held-{n}"}]}}]}
        for n in range(300)]
    code, said = result(*load(*requests, name="holds.ndjson"))
    equal((code, said["resources"], said["failed"]), (0, 300, 0), "loaded")
    with Connection(stand.ports["nginx"]) as c:
        for n in (0, 299):
            r = c.request("GET", "/fhir/MedicationRequest?medication.code="
                          f"held-{n}", [("Authorization", "Bearer "
                                         + stand.token("load"))])
            equal(found(r), [f"holds-{n}"], "found")


@once("what is wrong stays wrong, and what nobody gives free is given up")
def _(stand):
    code, said = result(*load(bundle({"resourceType": "Patient", "id": "w",
                                      "gender": "x"}), name="wrong.json"))
    equal((code, said["failed"]), (1, 1), "wrong")
    with Session(stand.postgres) as other:
        other.do("BEGIN; LOCK TABLE hie.term IN SHARE ROW EXCLUSIVE MODE")
        code, said = result(*load(bundle(patient("kept", value="kept")),
                                  name="kept.json"))
        equal((code, said["failed"]), (1, 1), "kept")
    code, said = result(*load(bundle(patient("kept", value="kept")),
                              name="kept.json"))
    equal((code, said["resources"]), (0, 1), "the next run")


main(started(stand))
