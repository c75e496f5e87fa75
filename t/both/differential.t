#!/usr/bin/python3
"""Searches that are drawn at random, against a plain search of the same
resources (t/lib/hie/brute). HIE_SEED=n draws the same ones again,
HIE_QUERIES=n so many from each set of data."""

import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.brute import made                                       # noqa: E402
from hie.brute.ask import Asker                                  # noqa: E402
from hie.brute.compare import compare                            # noqa: E402
from hie.brute.draw import Drawer                                # noqa: E402
from hie.brute.examples import put_in                            # noqa: E402
from hie.brute.search import Store                               # noqa: E402
from hie.brute.text import dump, load                            # noqa: E402
from hie.fhir import consent                                     # noqa: E402
from hie.process import TOP                                      # noqa: E402
from hie.tap import check, data, main, once, own_stand, started  # noqa: E402

FULL = os.environ.get("HIE_TEST_FULL") == "1"
SEED = int(os.environ.get("HIE_SEED") or (time.time_ns() % 1_000_000 if FULL
                                          else 1))
QUERIES = int(os.environ.get("HIE_QUERIES") or (5000 if FULL else 1000))
ORIGIN = "https://hie.example.org"
BASE = ORIGIN + "/fhir"
CLINIC = "Organization/organization-1"
STORE = Store([BASE], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

print(f"# HIE_SEED={SEED}")


def samples():
    """What sample/ has, but for the Consent, which withholds."""
    for name in ("organizations.json", "patients.json"):
        for entry in load((TOP / "sample" / name).read_text())["entry"]:
            yield entry["resource"]
    with open(TOP / "sample" / "observations.ndjson") as f:
        yield from map(load, f)


def fill(asker, resources):
    """Puts them in, some over what was another one, some beside what is gone
    again; what was put, as it is kept in the store."""
    rng, out, of_type = random.Random(SEED), [], {}
    for resource in resources:
        type_, id_ = resource["resourceType"], resource["id"]
        others = of_type.setdefault(type_, [])
        others.append(resource)
        kind, server = rng.random(), rng.choice(("nginx", "httpd"))
        if kind < 0.2:
            put(asker, server, rng.choice(others) | {"id": id_})
        put(asker, server, resource)
        if kind > 0.95:
            put(asker, server, rng.choice(others) | {"id": id_ + "-gone"})
            r = asker.delete(server, type_, id_ + "-gone")
            check(r.status in (200, 204), f"DELETE: {r}")
        out.append(load(dump(resource)))
        STORE.add(out[-1])
    return out


def put(asker, server, resource):
    type_, id_ = resource["resourceType"], resource["id"]
    r = asker.put(server, type_, id_, dump(resource))
    check(r.status in (200, 201), f"{type_}/{id_}: {r}")


def judge(asker, resources, store=STORE):
    """`store`: what may be found, where that is not all."""
    drawer = Drawer(random.Random(SEED), STORE, resources)
    tally, differing = compare(asker, store, drawer, QUERIES)
    print(f"# {tally}")
    check(not differing, f"HIE_SEED={SEED}\n" + "\n".join(differing))
    check(tally.asked == QUERIES and tally.empty < QUERIES * 0.7
          and tally.open < QUERIES * 0.1, f"a poor choice: {tally}")


@once("searches in made-up and sample resources, by who may see all of them "
      "and by who may not")
def _(stand):
    asker = Asker(stand, stand.admin_token())
    resources = fill(asker, [*samples(), *made.resources(
        random.Random(SEED), BASE)])
    judge(asker, resources)
    asker.close()

    consents(stand, resources)
    asker = Asker(stand, stand.token("somebody", organizations=[CLINIC]))
    seen = visible(asker)
    count = sum(map(len, STORE.types.values()))
    print(f"# {len(seen)} of {count} may be read")
    check(count * 0.3 < len(seen) < count * 0.9, "too few, or too many")
    store = Store(STORE.bases)
    for key in seen:
        store.add(STORE.get(*key))
    judge(asker, resources, store)
    asker.close()


def consents(stand, resources):
    """Of most patients, for and against the one who asks."""
    rng, asker = random.Random(SEED), Asker(stand, stand.admin_token())
    for resource in resources:
        if resource["resourceType"] == "Patient" and rng.random() < 0.9:
            id_ = resource["id"]
            made_ = consent(id_ + "-consent", id_, **rng.choice((
                {"permit": [CLINIC]}, {"base": "permit"},
                {"base": "permit", "deny": [CLINIC]}, {}, {})))
            put(asker, "nginx", made_)
            STORE.add(load(dump(made_)))
    asker.close()


def visible(asker):
    """What can be read, one by one."""
    out = []
    for type_, of_type in STORE.types.items():
        for id_ in of_type:
            r = asker.request("nginx", "GET", f"/{type_}/{id_}")
            check(r.status in (200, 403, 404), r)
            if r.status == 200:
                out.append((type_, id_))
    return out


def relinked(value, links):
    if isinstance(value, dict):
        return {k: relinked(v, links) for k, v in value.items()}
    if isinstance(value, list):
        return [relinked(v, links) for v in value]
    return links.get(value, value) if type(value) is str else value


@once("searches in Synthea's patients")
def _(stand):
    paths = sorted(data("synthea-r4", "bundles").glob("*.json"),
                   key=lambda p: p.stat().st_size)[:None if FULL else 3]
    stand.load(*paths)
    resources = []
    for path in paths:
        entries = load(path.read_text())["entry"]
        links = {e["fullUrl"]: f"{e['resource']['resourceType']}/"
                               f"{e['resource']['id']}" for e in entries}
        for entry in entries:
            resources.append(relinked(entry["resource"], links))
            STORE.add(resources[-1])
    asker = Asker(stand, stand.admin_token())
    judge(asker, resources)
    asker.close()


@once("searches in the official examples")
def _(stand):
    resources = put_in(stand, STORE)
    asker = Asker(stand, stand.admin_token())
    judge(asker, resources)
    asker.close()


main(started(own_stand("differential", fhir=f"""  public_url: {ORIGIN}
  search:
    budget: 25000
    max_includes: 100000""")))
