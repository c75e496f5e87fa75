#!/usr/bin/python3
"""Collected data: what is loaded or put comes back as it was, digit by
digit."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.tap import both, check, data, equal, main, once         # noqa: E402

FULL = os.environ.get("HIE_TEST_FULL") == "1"


class Number(str):
    """A number by its lexeme."""


def parse(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def without_stamp(resource):
    """The resource without what the server sets in meta."""
    meta = {k: v for k, v in resource.get("meta", {}).items()
            if k not in ("versionId", "lastUpdated")}
    out = {k: v for k, v in resource.items() if k != "meta"}
    if meta:
        out["meta"] = meta
    return out


def relinked(value, links):
    """With the fullUrls of the Bundle replaced by Type/id."""
    if isinstance(value, dict):
        return {k: relinked(v, links) for k, v in value.items()}
    if isinstance(value, list):
        return [relinked(v, links) for v in value]
    if isinstance(value, Number):
        return value
    return links.get(value, value) if isinstance(value, str) else value


def bundles():
    found = sorted(data("synthea-r4", "bundles").glob("*.json"),
                   key=lambda p: p.stat().st_size)
    return found if FULL else found[:40:7]


@once("bundles load with hiectl, once")
def _(stand):
    stand.load(*bundles())
    again = stand.hiectl("load", *map(stand.reachable, bundles()))
    check("skip" in again.lower() or "before" in again.lower()
          or "already" in again.lower(), again)


@both("every resource of the bundles reads back equal", compare=False)
def _(s):
    token = s.admin()
    count = 0
    for path in bundles():
        entries = parse(path.read_text())["entry"]
        links = {e["fullUrl"]: f"{e['resource']['resourceType']}/"
                               f"{e['resource']['id']}" for e in entries}
        for entry in entries:
            resource = entry["resource"]
            place = f"/{resource['resourceType']}/{resource['id']}"
            r = s.get(place, token=token, note=False)
            equal(r.status, 200, f"{path.name} {place}")
            equal(without_stamp(parse(r.body)),
                  without_stamp(relinked(resource, links)),
                  f"{path.name} {place}")
            count += 1
    check(count > 100, f"{count} resources")
    print(f"# {count} resources of {len(bundles())} bundles")


@both("their patients are found by name and by identifier", compare=False)
def _(s):
    for path in bundles()[:3]:
        p = next(e["resource"] for e in json.loads(path.read_text())["entry"]
                 if e["resource"]["resourceType"] == "Patient")
        for query in (f"family={p['name'][0]['family']}",
                      f"identifier={p['identifier'][0]['value']}"):
            r = s.get(f"/Patient?{query}", token=s.admin(), note=False)
            check(p["id"] in [e["resource"]["id"]
                              for e in r.json().get("entry", [])], query)


# Those that break rules of their own release: references to types that the
# element does not have as a target, and items without the linkId that they
# must have.
NOT_VALID = {"DeviceUseStatement-example.json": 400,
             "EventDefinition-example.json": 422,
             "MedicationRequest-medrx0301.json": 400,
             "Observation-clinical-gender.json": 400,
             "Questionnaire-qs1.json": 400}


@both("the official examples go in and come back", compare=False)
def _(s):
    count = 0
    for path in sorted(data("fhir-r4-examples").rglob("*.json")):
        text = path.read_text()
        try:
            resource = parse(text)
        except ValueError:
            continue
        if not isinstance(resource, dict) or "id" not in resource:
            continue
        place = f"/{resource['resourceType']}/{resource['id']}"
        r = s.put(place, text, token=s.admin(), note=False)
        if path.name in NOT_VALID:
            equal(r.status, NOT_VALID[path.name], path.name)
            continue
        check(r.status in (200, 201), f"{path.name}: {r}")
        # of a Binary the content comes unless FHIR is asked for
        r = s.get(place, token=s.admin(), note=False,
                  headers=[("Accept", "application/fhir+json")])
        equal(r.status, 200, path.name)
        equal(without_stamp(parse(r.body)), without_stamp(resource),
              path.name)
        count += 1
    check(count > 300, f"{count} examples")
    print(f"# {count} examples")


main()
