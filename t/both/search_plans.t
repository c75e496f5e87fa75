#!/usr/bin/python3
"""Searches in all their shapes among the Synthea patients: they find what
statements find that were written by hand, no table is read as a whole, and
not many rows are looked at."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie import plans                                            # noqa: E402
from hie.population import BUNDLES, ORGANIZATION, Population     # noqa: E402
from hie.shapes import SHAPES, queries                           # noqa: E402
from hie.stand import SERVERS                                    # noqa: E402
from hie.tap import (Skip, both, check, equal, main, once,       # noqa: E402
                     own_stand)

QUERIES = 5                      # of each shape
LARGE = 10000                    # rows of a table
MANY = 2500                      # of 10,000 observations

stand = own_stand("search_plans")
drawn, claims = {}, {}


def prepare():
    stand.prepare()
    plans.prepare(stand)
    population = Population()
    population.load(stand, 1)
    for person in population.people:
        for r in person:
            if r["resourceType"] == "ExplanationOfBenefit":
                claims[Population.id(r["id"], 0)] = r
    for server in SERVERS:
        stand.begin(stand.server(server))
    drawn.update(queries(
        population, lambda text: stand.postgres.psql(text, role="postgres"),
        stand.build, QUERIES))


def get(s, path):
    token = s.token("system/*.rs", [ORGANIZATION])
    r = s.get(path, token=token, note=False)
    equal(r.status, 200, path)
    return r.json()


def by_hand(shape):
    """Of each query what the column `id` says."""
    files = [stand.dir / "tmp" / f"shape.{kind}" for kind in ("sql", "params")]
    files[0].write_text(shape.sql)
    files[1].write_text("\n".join(drawn[shape.name][1]) + "\n")
    done = subprocess.run([stand.build / "bench" / "sql", "-l",
                           stand.postgres.conninfo("hie_app"), *files],
                          text=True, check=True, stdout=subprocess.PIPE)
    return [line.split() for line in done.stdout.split("\n")[:-1]]


def ready():
    if not BUNDLES.is_dir():
        raise Skip(f"no {BUNDLES}")
    if not drawn:
        raise Skip("bench/criteria is not built")


def case(shape):
    @both(f"by hand: {shape.name}", compare=False)
    def _(s):
        ready()
        for path, wanted in zip(drawn[shape.name][0], by_hand(shape)):
            bundle = get(s, path)
            found = [e["resource"]["id"] for e in bundle.get("entry", [])]
            if "_summary=count" in path:
                found = [str(bundle["total"])]
            equal(len(found), len(wanted), path)
            if "include" in path:        # in no order
                found, wanted = sorted(found), sorted(wanted)
            equal(found, wanted, path)


for one in SHAPES:
    case(one)


def into_contained():
    """Chains into what is contained, and what they lead to, by hand."""
    def coverage(r):
        return next(c for c in r["contained"]
                    if c["resourceType"] == "Coverage")

    def ids(test):
        return sorted(i for i, r in claims.items() if test(coverage(r)))

    someone = next(iter(claims.values()))["patient"]["reference"]
    someone = Population.id(someone, 0)
    return {
        "coverage.type:text=dual": ids(
            lambda c: c["type"]["text"].startswith("dual")),
        "coverage.type:text=no_ins&status=active": ids(
            lambda c: c["type"]["text"].startswith("no_ins")),
        f"patient={someone}&coverage.status=active": ids(
            lambda c: Population.id(c["beneficiary"]["reference"], 0)
            == someone),
        f"coverage.beneficiary._id={someone.split('/')[1]}": ids(
            lambda c: Population.id(c["beneficiary"]["reference"], 0)
            == someone)}


@both("chains into what is contained", compare=False)
def _(s):
    ready()
    sizes = plans.sizes(stand)
    with plans.Recorder(stand) as recorder:
        for query, wanted in into_contained().items():
            path = f"/ExplanationOfBenefit?{query}&_count=1000"
            check(wanted and len(wanted) < 200, f"{query}: {len(wanted)}")
            found = []
            made = recorder.of(lambda: found.extend(
                e["resource"]["id"] for e in get(s, path).get("entry", [])))
            equal(sorted(found), wanted, query)
            equal(plans.scanned(made, sizes, LARGE), [], query)
            rows = plans.looked_at(made)
            check(rows <= MANY, f"{query}: {rows} rows looked at")


@both("no table is read as a whole, not many rows are looked at",
      compare=False)
def _(s):
    ready()
    sizes = plans.sizes(stand)
    check(sizes["resource"] >= LARGE, "size of the table")
    with plans.Recorder(stand) as recorder:
        for shape in SHAPES:
            path = drawn[shape.name][0][0]
            found = recorder.of(lambda: get(s, path))
            check(any(node.get("Relation Name") == "resource" for p in found
                      for node in plans.nodes(p["Plan"])),
                  f"{shape.name}: no plan in the log")
            equal(plans.scanned(found, sizes, LARGE), [],
                  f"{shape.name}: tables that are scanned by {path:.200}")
            rows = plans.looked_at(found)
            check(rows <= MANY, f"{shape.name}: {rows} rows looked at by "
                                f"{path:.200}")


@once("a table that is read as a whole is noticed")
def _(_):
    ready()
    with plans.Recorder(stand) as recorder:
        found = recorder.of(lambda: stand.postgres.psql(
            "SET enable_indexscan = off; SET enable_bitmapscan = off;"
            " SELECT count(*) FROM hie.resource WHERE type = 'Patient'",
            role="postgres"))
    equal(plans.scanned(found, plans.sizes(stand), LARGE), ["resource"],
          "tables")
    check(plans.looked_at(found) >= LARGE, "rows looked at")


if BUNDLES.is_dir() and (stand.build / "bench" / "criteria").exists():
    prepare()
else:
    stand.start()
main(stand)
