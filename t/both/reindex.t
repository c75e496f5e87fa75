#!/usr/bin/python3
"""hiectl reindex: what resources are found by is made again, beside writers,
and goes on where it was stopped."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import found, observation, patient                 # noqa: E402
from hie.process import run_as                                   # noqa: E402
from hie.rowkey import row_key                                   # noqa: E402
from hie.stand import subprocess_environment                     # noqa: E402
from hie.tap import check, equal, main, once, own_stand, started  # noqa: E402
from hie.web import Connection                                   # noqa: E402

TABLES = ("resource_string", "resource_date", "resource_number",
          "resource_text")
stand = own_stand("reindex")


def request(method, path, body=None, server="nginx"):
    with Connection(stand.ports[server], timeout=30) as c:
        headers = [("Authorization", f"Bearer {stand.token('reindex')}"),
                   ("Content-Type", "application/fhir+json")]
        return c.request(method, "/fhir" + path, headers,
                         body and json.dumps(body).encode())


def rows():
    """All that is in the index, by the resources that it is about."""
    psql = stand.postgres.psql
    out = psql("SELECT type, id, version, care_from, care_until,"
               " (SELECT array_agg(t ORDER BY t) FROM unnest(tokens) t),"
               " patients, present, ref_params, ref_keys FROM hie.resource"
               " ORDER BY 1, 2")
    for table in TABLES:
        columns = {"resource_text": "x.words"}.get(table, "x.slot, x.scope")
        if table == "resource_date":
            columns += ", x.low, x.high"
        if table == "resource_number":
            columns += ", x.part, x.unit, x.system, x.code, x.low, x.high, x.unit_low"
        if table == "resource_string":
            columns += ", x.value"
        out += psql(f"SELECT '{table}', r.type, r.id, {columns} FROM"
                    f" hie.{table} x JOIN hie.resource r USING (rid)"
                    f" ORDER BY r.type, r.id, x::text")
    return out


def forget(where="true"):
    psql = stand.postgres.psql
    for table in TABLES:
        psql(f"DELETE FROM hie.{table} WHERE rid IN (SELECT rid FROM"
             f" hie.resource WHERE {where})")
    psql("UPDATE hie.resource SET tokens = '{}', present = '{}',"
         " ref_params = '{}', ref_keys = '{}', care_from = '-infinity',"
         f" care_until = 'infinity' WHERE {where}")
    psql("TRUNCATE hie.term, hie.label")


def reindex(*options):
    return json.loads(stand.hiectl("--json", "reindex", *options))


@once("everything is as it was written")
def _(stand):
    for i in range(150):
        equal(request("PUT", f"/Patient/p{i}", patient(
            f"p{i}", f"Family{i}", birthDate=f"19{i % 90 + 10}-01-02",
            meta={"tag": [{"system": "urn:t", "code": str(i)}]})).status,
            201, "created")
    for i in range(20):
        request("PUT", f"/Observation/o{i}",
                observation(f"o{i}", f"p{i}", value=i,
                            effectiveDateTime="2024-05-06",
                            note=[{"text": f"remarkable{i}"}]))
    request("PUT", "/Patient/p0", patient("p0", "Renamed"))
    request("DELETE", "/Observation/o19")
    before = rows()
    # of versions that were current there are some that nobody has any more
    needed = ("SELECT * FROM hie.term t WHERE EXISTS (SELECT FROM"
              " hie.resource r WHERE r.tokens @> ARRAY[t.key]) ORDER BY 1")
    terms = stand.postgres.psql(needed)
    check(len(before) > 600 and terms, "there is an index")
    versions = stand.postgres.psql("SELECT count(*) FROM"
                                   " hie.resource_history")

    forget()
    equal(found(request("GET", "/Patient?family:exact=Family7")), [], "forgotten")
    equal(reindex(), {"resources": 169, "failed": 0, "complete": True},
          "reindex")
    equal(rows(), before, "rows")
    equal(stand.postgres.psql(needed), terms, "terms")
    equal(stand.postgres.psql("SELECT count(*) FROM hie.resource_history"),
          versions, "versions")
    equal(found(request("GET", "/Patient?family:exact=Family7")),
          ["p7"], "found")
    equal(found(request("GET", "/Observation?_content=remarkable3")), ["o3"],
          "by its words")

    # done twice it is the same, and every row is there once
    equal(reindex("--again")["resources"], 169, "again")
    equal(rows(), before, "rows")


def container(key, code):
    return {"resourceType": "MedicationRequest", "id": key,
            "status": "active", "intent": "order",
            "subject": {"reference": "Patient/p1"},
            "medicationReference": {"reference": "#m"}, "contained": [
                {"resourceType": "Medication", "id": "m",
                 "code": {"coding": [{"code": code, "display": "said"}]},
                 "manufacturer": {"reference": "#o"},
                 "batch": {"expirationDate": "2024-05-06"}},
                {"resourceType": "Organization", "id": "o", "name": "Inner"}]}


@once("what is contained, with its container")
def _(stand):
    def ids(query):
        return found(request("GET", "/MedicationRequest?" + query))

    for i in range(70):
        equal(request("PUT", f"/MedicationRequest/m{i}",
                      container(f"m{i}", f"c{i}")).status, 201, "created")
    request("DELETE", "/MedicationRequest/m69")
    before = rows()
    for options in ((), ("--type", "MedicationRequest"),
                    ("--type", "Medication"), ("--type", "Organization"),
                    ("--param", "expiration-date")):
        forget("type LIKE '#%' OR type = 'MedicationRequest'")
        equal(ids("medication.code=c7"), [], "forgotten")
        done = reindex(*options)
        equal((done["resources"], done["failed"], done["complete"]),
              (238 if not options else 69, 0, True), options)
        equal(rows(), before, options)
    equal(ids("medication.code=c7"), ["m7"], "found")
    equal(ids("medication.code=c69"), [], "deleted")
    # of versions that are not there any more nothing is left
    stand.postgres.psql("UPDATE hie.resource SET body = convert_to(replace("
                        "convert_from(body, 'UTF8'), '#m', '#o'), 'UTF8')"
                        " WHERE type = 'MedicationRequest' AND id = 'm7'")
    equal(reindex("--type", "Medication")["resources"], 69, "again")
    equal(ids("medication.code=c7"), [], "no more referred to")
    for i in range(70):
        request("DELETE", f"/MedicationRequest/m{i}")
    equal(stand.postgres.psql("SELECT count(*) FROM hie.resource_string s"
                              " JOIN hie.resource r USING (rid)"
                              " WHERE r.type = '#Organization'"), [["0"]],
          "deleted")
    stand.postgres.psql("DELETE FROM hie.resource WHERE type LIKE '#%'"
                        " OR type = 'MedicationRequest'")


@once("one type, or those that have a parameter")
def _(stand):
    before = rows()
    forget("type = 'Observation'")
    equal(reindex("--type", "Patient")["resources"], 150, "other type")
    check(rows() != before, "another type does not help")
    equal(reindex("--type", "Observation")["resources"], 19, "type")
    equal(rows(), before, "rows")
    forget("type = 'Observation'")
    equal(reindex("--param", "combo-code")["resources"], 19, "parameter")
    equal(rows(), before, "rows")
    for wrong in (("--type", "Nonsense"), ("--param", "nonsense"),
                  ("--type", "Patient", "--param", "combo-code")):
        done = stand.hiectl("reindex", *wrong, check=False)
        equal(done.returncode, 1, wrong)
        check("Nonsense" in done.stdout or wrong[-1] in done.stdout,
              done.stdout)
    equal(stand.hiectl("reindex", "--nonsense", check=False).returncode, 2,
          "an option that is none")


@once("it tells how far it is")
def _(stand):
    said = stand.hiectl("reindex", "--progress", check=False).stdout
    check("169 of 169 (100%)" in said and "/s" in said and "left" in said,
          said)


@once("what cannot be indexed is told, and the others are")
def _(stand):
    psql = stand.postgres.psql
    body = psql("SELECT body FROM hie.resource WHERE type = 'Patient' AND"
                " id = 'p9'")[0][0]
    psql("UPDATE hie.resource SET body = '{' WHERE type = 'Patient' AND"
         " id = 'p9'")
    done = stand.hiectl("reindex", "--type", "Patient", check=False)
    psql(f"UPDATE hie.resource SET body = '{body}' WHERE type = 'Patient'"
         " AND id = 'p9'")
    equal(done.returncode, 1, "exit code")
    check("150 resources, 1 of them" in done.stdout
          and "Patient/p9" in done.stdout, done.stdout)
    equal(reindex("--type", "Patient")["failed"], 0, "repaired")


@once("writers go on meanwhile, and nothing of theirs is lost")
def _(stand):
    until = time.monotonic() + 4
    wrong = []

    def write(n):
        with Connection(stand.ports["nginx" if n % 2 else "httpd"],
                        timeout=30) as c:
            headers = [("Authorization", f"Bearer {stand.token('reindex')}"),
                       ("Content-Type", "application/fhir+json")]
            i = 0
            while time.monotonic() < until:
                i += 1
                key = f"p{n * 37 + i % 37}"
                r = c.request("PUT", f"/fhir/Patient/{key}", headers, json.dumps(
                    patient(key, f"Busy{n}x{i}")).encode())
                if r.status not in (200, 201):
                    wrong.append((r.status, r.body[:200]))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    lots = 0
    while time.monotonic() < until:
        lots += reindex("--again", "--type", "Patient")["complete"]
    for t in threads:
        t.join()
    equal(wrong[:3], [], "answers")
    check(lots > 0, "it ran")

    # the index says of every resource what its last version says
    before = rows()
    reindex()
    equal(rows(), before, "rows")


@once("what was stopped goes on from there")
def _(stand):
    psql = stand.postgres.psql
    keys = ",".join(str(row_key("Basic", f"b{i}")) for i in range(1, 20001))
    psql("INSERT INTO hie.resource (key, version, updated, type, id,"
         " patients, tokens, body) SELECT k, 1, now(), 'Basic', 'b' || i,"
         " '{}', '{}', convert_to('{\"resourceType\":\"Basic\",\"id\":\"b'"
         " || i || '\",\"code\":{\"text\":\"x\"}}', 'UTF8')"
         f" FROM unnest('{{{keys}}}'::bigint[]) WITH ORDINALITY u (k, i)")
    program, env = stand.program("hiectl/hiectl")
    argv = [*run_as("www-data"), program, "-c", stand.config, "--json",
            "reindex", "--type", "Basic"]
    with subprocess.Popen([str(a) for a in argv], cwd="/", text=True,
                          env=subprocess_environment(stand) | env,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        while p.poll() is None and int(psql(
                "SELECT count(*) FROM hie.resource_text x"
                " JOIN hie.resource r USING (rid)"
                " WHERE r.type = 'Basic'")[0][0]) < 100:
            time.sleep(0.02)
        p.send_signal(signal.SIGTERM)
        said, complaint = p.communicate(timeout=60)
    equal(p.returncode, 1, complaint)
    check("stopped" in complaint, complaint)
    first = json.loads(said)
    check(not first["complete"] and 0 < first["resources"] < 20000, said)
    second = reindex("--type", "Basic")
    equal(first["resources"] + second["resources"], 20000, "both together")
    check(second["complete"], second)
    equal(psql("SELECT count(*), count(DISTINCT rid) FROM"
               " hie.resource_text x JOIN hie.resource r USING (rid)"
               " WHERE r.type = 'Basic'"), [["20000", "20000"]], "rows")
    psql("DELETE FROM hie.resource WHERE type = 'Basic'")


main(started(stand))
