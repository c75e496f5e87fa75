#!/usr/bin/python3
"""Every search parameter of R4: what an official example has for it finds the
example."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.brute import definitions                                # noqa: E402
from hie.brute.ask import Asker, Refused                         # noqa: E402
from hie.brute.draw import Query                                 # noqa: E402
from hie.brute.examples import put_in                            # noqa: E402
from hie.brute.match import Reading                              # noqa: E402
from hie.brute.phrase import criteria                            # noqa: E402
from hie.brute.search import Store                               # noqa: E402
from hie.brute.text import dump                                  # noqa: E402
from hie.process import TOP                                      # noqa: E402
from hie.tap import (both, check, data, equal, main, once,       # noqa: E402
                     own_stand, started)

ORIGIN = "https://hie.example.org"
STORE = Store([ORIGIN + "/fhir"])
LIST = TOP / "t" / "data" / "search_params" / "without_example.txt"

# What has rules of its own is below.
OWN_RULES = ("_id", "_lastUpdated", "near")


def owner(type_, code):
    """Where a parameter is defined: at its type, or for all of them."""
    own = definitions.tables().own
    return next(t for t in (type_, "DomainResource", "Resource")
                if code in own.get(t, ()))


def asked(resources):
    """{(type of the definition, code): [(resource, criterion)]}: what is to
    be searched for, of the first resource that has a value which can be."""
    out = {}
    for resource in resources:
        type_ = resource["resourceType"]
        for code, parameter in definitions.parameters(type_).items():
            key = (owner(type_, code), code)
            if key in out or parameter.kind == "special" or code in OWN_RULES:
                continue
            for value in STORE.values(resource, parameter).values:
                found = criteria(parameter, value)
                if found:
                    out[key] = [(resource, c) for c in found]
                    break
    return out


def listed():
    """Those for which no example has a value, as the file has them: a type,
    and behind it codes."""
    return {(line.split()[0], code) for line in
            LIST.read_text().splitlines() if line
            and not line.startswith("#") for code in line.split()[1:]}


@once("the official examples go in")
def _(stand):
    check(len(put_in(stand, STORE)) > 300, "there are few examples")


def examples():
    data("fhir-r4-examples")
    return [r for of_type in STORE.types.values() for r in of_type.values()]


@once("the parameters without an example are those that are known")
def _(stand):
    there = asked(examples())
    missing = {(type_, code) for type_, own in
               definitions.tables().own.items() for code, p in own.items()
               if p.expression and code not in OWN_RULES} - set(there)
    print(f"# {len(there)} parameters with an example, {len(missing)} "
          "without")
    equal(sorted(missing - listed()), [], "they have lost their example")
    equal(sorted(listed() - missing), [], "they have an example now")


@both("a value finds its resource", compare=False)
def _(s):
    wrong, count = [], 0
    asker = Asker(s.stand, s.admin())
    for (type_, code), searches in sorted(asked(examples()).items()):
        for resource, pair in searches:
            type_, id_ = resource["resourceType"], resource["id"]
            query = Query(type_, [pair, ("_elements", "id")])
            count += 1
            plain = STORE.search(type_, [pair], Reading(
                0, STORE.bases)).found
            check((type_, id_) in plain, f"the plain search: {query}")
            try:
                said = asker.search(s.server, query, count % 2)
            except Refused as e:
                wrong.append(f"{query}: {e}")
                continue
            if (type_, id_) not in said.found:
                wrong.append(f"{query}: not {id_}")
    asker.close()
    print(f"# {count} searches")
    check(not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:40]))


def found(s, type_, *pairs):
    asker = Asker(s.stand, s.admin())
    try:
        return {id_ for _, id_ in asker.search(
            s.server, Query(type_, pairs)).found}
    finally:
        asker.close()


@once("what is loaded refers to us by our own URL, as what is sent does")
def _(stand):
    file = stand.dir / "tmp" / "own.ndjson"
    file.write_text("\n".join(map(dump, (
        {"resourceType": "Basic", "id": f"own-{n}", "code": {"text": "x"},
         "subject": {"reference": url + "/Patient/own"}}
        for n, url in enumerate((ORIGIN + "/fhir", ORIGIN,
                                 "https://other.example.org/fhir"))))) + "\n")
    stand.load(file)
    asker = Asker(stand, stand.admin_token())
    for server in ("nginx", "httpd"):
        said = asker.search(server, Query("Basic", [
            ("subject", "Patient/own")]))
        equal(said.found, [("Basic", "own-0")], server)
    asker.close()


@both("_id, _lastUpdated", compare=False)
def _(s):
    examples()
    equal(found(s, "Patient", ("_id", "example")), {"example"}, "_id")
    every = set(STORE.types["Patient"])
    for value, wanted in (("gt2020", every), ("lt2020", set()),
                          ("ne2020", every), ("eb2020-01-01", set())):
        equal(found(s, "Patient", ("_lastUpdated", value)), wanted, value)


@both("_text and _content: words of the narrative, and of all of it",
      compare=False)
def _(s):
    s.seed({"resourceType": "Basic", "id": s.id("w"), "code": {
                "text": "Quetzalcoatlus"}, "text": {
                    "status": "additional", "div":
                    '<div xmlns="http://www.w3.org/1999/xhtml"><p>Feathered '
                    '<b>Archaeopteryx</b> and Ménière</p></div>'}})
    for name, value, wanted in (
            ("_text", "archaeopteryx", True), ("_text", "ARCHAEOPTERYX", True),
            ("_text", "meniere", True), ("_text", "quetzalcoatlus", False),
            ("_text", "xmlns", False), ("_content", "quetzalcoatlus", True),
            ("_content", "archaeopteryx", True), ("_content", "nobody", False),
            ("_text", "feathered archaeopteryx", True)):
        equal(s.id("w") in found(s, "Basic", (name, value)), wanted,
              f"{name}={value}")


@both("near: by distance", compare=False)
def _(s):
    for name, latitude, longitude in (("here", 60.0, 18.0),
                                      ("there", 60.09, 18.0),
                                      ("east", -10.0, 179.99)):
        s.seed({"resourceType": "Location", "id": s.id(name), "position": {
            "latitude": latitude, "longitude": longitude}})
    # a degree of latitude is 111.2 km on a sphere, 111.4 here on Earth
    for value, wanted in (
            ("60.0|18.0|1|km", {"here"}), ("60.0|18.0|9|km", {"here"}),
            ("60.0|18.0|11|km", {"here", "there"}),
            ("60.0|18.0|11000|m", {"here", "there"}),
            ("60.0|18.0|7|[mi_i]", {"here", "there"}),
            ("60.0|18.0|11", {"here", "there"}), ("0.0|0.0|11|km", set()),
            ("-10.0|-179.99|10|km", {"east"})):
        ids = {s.id(n) for n in ("here", "there", "east")}
        equal(found(s, "Location", ("near", value)) & ids,
              {s.id(n) for n in wanted}, value)


main(started(own_stand("search-params", fhir=f"  public_url: {ORIGIN}")))
