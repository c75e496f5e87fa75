#!/usr/bin/python3
"""MLLP while something is broken: an acknowledgement means that the message
is safe."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.hl7 import adt                                          # noqa: E402
from hie.mllp import Sender, msa                                 # noqa: E402
from hie.process import ROOT, WWW, own, wait_until               # noqa: E402
from hie.tap import (Skip, check, equal, main, once,             # noqa: E402
                     own_stand, started)
from hie.web import Connection                                   # noqa: E402


def fhir(stand, method, path, body=None, server="nginx"):
    import json
    with Connection(stand.ports[server]) as c:
        return c.request(method, "/fhir" + path, [
            ("Authorization", f"Bearer {stand.admin_token()}"),
            ("Content-Type", "application/fhir+json")],
            json.dumps(body).encode() if body else None)


def patients(stand, mrn):
    r = fhir(stand, "GET", f"/Patient?identifier={mrn}")
    return [e["resource"] for e in r.json().get("entry", [])]


@once("the database is down: still AA, transformed when it is back")
def _(stand):
    stand.postgres.stop()
    try:
        with Sender(stand.ports["mllp"]) as s:
            started = time.monotonic()
            for i in range(20):
                equal(msa(s.send(adt("A08", f"down-{i}", "DOWN", f"F{i}"))),
                      ("AA", f"down-{i}"), "ack")
            check(time.monotonic() - started < 5, "slow")
    finally:
        stand.postgres.start()
    wait_until("transformation", lambda: [
        p["name"][0]["family"] for p in patients(stand, "DOWN")] == ["F19"],
        20, 0.2)
    equal(patients(stand, "DOWN")[0]["meta"]["versionId"], "20", "each once")


@once("nginx is restarted while the database is down: nothing is lost")
def _(stand):
    stand.postgres.stop()
    try:
        with Sender(stand.ports["mllp"]) as s:
            equal(msa(s.send(adt("A01", "re-1", "RESTART", "One")))[0], "AA",
                  "before")
        stand.nginx.stop()
        stand.nginx.start()
        with Sender(stand.ports["mllp"]) as s:
            equal(msa(s.send(adt("A04", "re-2", "RESTART2", "Two")))[0],
                  "AA", "after")
    finally:
        stand.postgres.start()
    for mrn in ("RESTART", "RESTART2"):
        wait_until(mrn, lambda: len(patients(stand, mrn)) == 1, 20, 0.2)


@once("what the database does not take goes to the dead letters, with why")
def _(stand):
    with Sender(stand.ports["mllp"]) as s:
        equal(msa(s.send(adt("A01", "dead-0", "TWIN")))[0], "AA", "first")
    p = wait_until("the first", lambda: patients(stand, "TWIN"), 10, 0.1)[0]
    twin = patient("twin-of", "Twin")
    twin["identifier"] = p["identifier"]
    equal(fhir(stand, "PUT", "/Patient/twin-of", twin).status, 201, "twin")
    message = adt("A08", "dead-1", "TWIN", "Second")
    with Sender(stand.ports["mllp"]) as s:
        equal(msa(s.send(message))[0], "AA", "safe on disk")
        equal(msa(s.send(adt("A08", "dead-2", "AFTER", "Third")))[0], "AA",
              "the next")
    wait_until("the next", lambda: patients(stand, "AFTER"), 10, 0.1)
    rows = stand.sql("SELECT reason, source, convert_from(message, 'UTF8') "
                     f"FROM hie_node_{stand.node}.dead_letter")
    check(len(rows) >= 1, "no dead letter")
    check(rows[0][0], "no reason")
    check("127.0.0.1" in rows[0][1], f"source {rows[0][1]}")
    count = stand.sql("SELECT count(*) FROM "
                      f"hie_node_{stand.node}.dead_letter")[0][0]
    equal(count, "1", "dead letters")
    stand.nginx.reload()
    time.sleep(1)
    equal(stand.sql("SELECT count(*) FROM "
                    f"hie_node_{stand.node}.dead_letter")[0][0], "1",
          "not again")


@once("a full disk: no acknowledgement and no data, until there is room")
def _(stand):
    if not ROOT:
        raise Skip("only root can mount a small file system")
    small = own_stand("full", segment="64k")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0755",
                           "hie-test", str(small.journal)],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Skip(f"mount: {done.stderr.strip()}")
    try:
        own(small.journal, WWW)
        small.start()
        full_disk(small)
        problems = small.trouble()
        equal(problems, [], "log")
    finally:
        small.stop()
        subprocess.run(["umount", "-l", str(small.journal)])


def full_disk(stand):
    good = adt("A01", "full", "FULL")
    with Sender(stand.ports["mllp"]) as s:
        equal(msa(s.send(good))[0], "AA", "before")
    wait_until("before", lambda: patients(stand, "FULL"), 10, 0.1)
    key = patients(stand, "FULL")[0]["id"]

    filler = stand.journal / "filler"

    def fill():
        """Again and again: what has been worked off makes room."""
        with open(filler, "ab", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    fill()
    # what was set aside before may still take some
    for number in range(3000):
        fill()
        with Sender(stand.ports["mllp"]) as s:
            ack = s.send(adt("A08", f"full-{number}", "FULL", "x" * 2000))
        if ack is None:
            break
    equal(ack, None, "an acknowledgement without a disk")
    for server in ("nginx", "httpd"):
        statuses = set()
        for _ in range(2000):
            fill()
            r = fhir(stand, "GET", f"/Patient/{key}", server=server)
            statuses.add(r.status)
            if r.status == 503:
                break
        equal(r.status, 503, f"{server}: {statuses}")
        r.issue()
        check(key.encode() not in r.body, "data without a record")

    filler.unlink()
    wait_until("acknowledgement when there is room", lambda: again(stand),
               20, 0.2)
    for server in ("nginx", "httpd"):
        wait_until(f"{server} when there is room", lambda: fhir(
            stand, "GET", f"/Patient/{key}", server=server).status == 200,
            20, 0.2)


def again(stand):
    with Sender(stand.ports["mllp"]) as s:
        return msa(s.send(adt("A08", "room", "FULL")))[0] == "AA"


stand = own_stand("mllp-faults")
main(started(stand))
