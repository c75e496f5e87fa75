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
from hie.process import TOP                                      # noqa: E402
from hie.tap import check, data, main, once, own_stand, started  # noqa: E402

FULL = os.environ.get("HIE_TEST_FULL") == "1"
SEED = int(os.environ.get("HIE_SEED") or (time.time_ns() % 1_000_000 if FULL
                                          else 1))
QUERIES = int(os.environ.get("HIE_QUERIES") or (5000 if FULL else 1000))
ORIGIN = "https://hie.example.org"
BASE = ORIGIN + "/fhir"
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
    """Puts them in; what was put, as it is kept in the store."""
    out, servers = [], ("nginx", "httpd")
    for number, resource in enumerate(resources):
        text = dump(resource)
        r = asker.put(servers[number % 2], resource["resourceType"],
                      resource["id"], text)
        check(r.status in (200, 201), f"{resource['resourceType']}/"
              f"{resource['id']}: {r}")
        out.append(load(text))
        STORE.add(out[-1])
    return out


def judge(asker, resources):
    drawer = Drawer(random.Random(SEED), STORE, resources)
    tally, differing = compare(asker, STORE, drawer, QUERIES)
    print(f"# {tally}")
    check(not differing, f"HIE_SEED={SEED}\n" + "\n".join(differing))
    check(tally.asked == QUERIES and tally.empty < QUERIES * 0.7
          and tally.open < QUERIES * 0.1, f"a poor choice: {tally}")


@once("searches in made-up and sample resources")
def _(stand):
    asker = Asker(stand, stand.admin_token())
    resources = fill(asker, [*samples(), *made.resources(
        random.Random(SEED), BASE)])
    judge(asker, resources)
    asker.close()


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
