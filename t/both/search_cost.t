#!/usr/bin/python3
"""The limits of a search: work, depth, values, what comes with the matches."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import link                                        # noqa: E402
from hie.process import wait_until                               # noqa: E402
from hie.search import entries, follow, labels, outcomes, plant  # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402

stand = own_stand("cost", statement_timeout=10000, fhir="""\
  max_count: 50
  search:
    max_depth: 2
    max_values: 3
    max_includes: 4
    budget: 400
""")


def nothing_runs():
    rows = stand.postgres.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hie_app' "
        "AND state <> 'idle'", role="postgres")
    return rows[0][0] == "0"


def person(key, family):
    return {"resourceType": "Patient", "id": key, "name": [{"family": family}]}


def observation(key, patient):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/<{patient}>"}}


@both("a search that takes more than it may")
def _(s):
    plant(s, person("p", "Slow"), observation("o", "p"))
    searches = (
        ("/Patient?family=slow", ("add a criterion",)),
        ("/Patient?family:not=slow", None),
        ("/Observation?patient.family=slow", ("patient.family=slow",)),
        ("/Patient?family=slow&_sort=birthdate&_count=1&_total=accurate",
         ("_sort", "_total")),
        ("/Patient?family=slow&_summary=count", ()))
    for path, _more in searches:
        equal(s.get(path, note=False).status, 400 if _more is None else 200,
              path)
    # looking at a name takes a second
    stand.postgres.psql(
        "ALTER TABLE hie.resource_string ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY slow ON hie.resource_string"
        " USING (pg_sleep(1) IS NOT NULL)")
    try:
        for path, parts in searches:
            if parts is None:
                continue
            begun = time.monotonic()
            r = s.get(path)
            took = time.monotonic() - begun
            equal((r.status, r.issue()["code"]), (422, "too-costly"), path)
            check(took < 1.5, f"{path} took {took:.1f} s")
            for part in ("400 ms",) + parts:
                check(part in r.issue()["diagnostics"], f"{path}: {r}")
            check(r.get("Retry-After") is None, "again is as costly")
        r = s.post("", {"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": path[1:]}}
            for path in ("/Patient?family=slow", f"/Patient/{s.id('p')}")]})
        equal([e["response"]["status"][:3] for e in r.json()["entry"]],
              ["422", "200"], "entries of a batch")
        wait_until("end of the statements", nothing_runs, 5)
    finally:
        stand.postgres.psql(
            "DROP POLICY slow ON hie.resource_string;"
            "ALTER TABLE hie.resource_string DISABLE ROW LEVEL SECURITY")
    equal(s.get("/Patient?family=slow", note=False).status, 200, "afterwards")


PEERS = "subject:Patient._has:Observation:subject:date"


@both("what many lead to is found once", compare=False)
def _(s):
    plant(s, *(person(f"p{i}", "Peer") for i in range(4)),
          *(observation(f"o{i}", f"p{i % 4}") | {
              "effectiveDateTime": f"2020-01-{i // 10 + 1:02}",
              "valueQuantity": {"value": i, "code": "mg",
                                "system": "http://unitsofmeasure.org"}}
            for i in range(300)))
    mine = f"_tag={s.key}&_count=50"
    for path, found, once in (
            (f"combo-value-quantity=gt-1&{PEERS}=ge2020-01-30", 300, True),
            (f"combo-value-quantity=gt-1&{PEERS}=gt2090,lt1950", 0, True),
            (f"status=final&{PEERS}=ge2020-01-30&_sort=-date", 300, True),
            (f"_id={s.id('o7')}&{PEERS}=ge2020-01-30", 1, False)):
        path = f"/Observation?{path}&{mine}"
        r = s.get(path + "&_total=accurate")
        equal((r.status, r.json().get("total")), (200, found), path)
        equal(len(entries(r)), min(found, 50), path)
        ids = entries(r)
        while (after := follow(s, r, "next")) is not None:
            r = s.get(after)
            ids += entries(r)
        equal(len(set(ids)), found, f"all pages of {path}")
        r = s.get(path + "&_explain=true", token=s.admin())
        *criteria, plan = (i["diagnostics"] for i in outcomes(r))
        way = next(c for c in criteria if c.startswith(PEERS))
        check(way.endswith("is found once" if once
                           else "is checked on each row"), way)
        equal("hashed SubPlan" in plan, once, f"the plan of {path}")


@both("depth and values")
def _(s):
    for path, status in (
            ("/Observation?patient.family=x", 200),
            ("/Observation?patient.organization.name=x", 200),
            ("/Observation?patient.organization.partof.name=x", 400),
            ("/Patient?_has:Observation:patient:code=x", 200),
            ("/Patient?_has:Observation:patient:encounter.status=x", 200),
            ("/Patient?_has:Observation:patient:_has:Observation:has-member:"
             "code=x", 200),
            ("/Patient?_has:Observation:patient:_has:Observation:has-member:"
             "_has:Observation:has-member:code=x", 400),
            ("/Patient?family=a,b,c", 200), ("/Patient?family=a,b,c,d", 400),
            ("/Patient?identifier=a,b,c,d", 400), ("/Patient?_id=a,b,c", 200)):
        r = s.get(path)
        equal(r.status, status, path)
        if status == 400:
            check("2" in r.issue()["diagnostics"]
                  or "3" in r.issue()["diagnostics"], f"says how many: {r}")
    r = s.get("/Patient?_count=1000&family=x")
    check(link(r, "self").endswith("_count=50"), "pages")


# Which of them come, where not all may, is left to the database.
@both("what comes with the matches", compare=False)
def _(s):
    plant(s, person("p", "Many"), person("q", "Few"),
          *(observation(f"o{i}", "p") for i in range(6)),
          *(observation(f"q{i}", "q") for i in range(4)))
    r = s.get(f"/Patient?_id={s.id('p')}&_revinclude=Observation:patient")
    equal(labels(s, entries(r)), ["p"], "match")
    equal(len(entries(r, "include")), 4, "as many as may be")
    issues = outcomes(r)
    equal([(i["severity"], i["code"]) for i in issues],
          [("warning", "incomplete")], "and it says so")
    check("4" in issues[0]["diagnostics"], issues)
    r = s.get(f"/Patient?_id={s.id('q')}&_revinclude=Observation:patient")
    equal((len(entries(r, "include")), outcomes(r)), (4, []), "just enough")
    r = s.get(f"/Patient?_tag={s.key}&_revinclude=Observation:patient"
              "&_count=1&_sort=family")
    equal((labels(s, entries(r)), len(outcomes(r))), (["q"], 0), "page 1")
    r = s.get(follow(s, r, "next"))
    equal((labels(s, entries(r)), len(outcomes(r))), (["p"], 1), "page 2")


main(started(stand))
