#!/usr/bin/python3
"""consent.default: deny. Without a Consent that permits, a patient's data is
withheld; what belongs to no patient is not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, observation, patient        # noqa: E402
from hie.tap import (both, equal, main, own_stand,               # noqa: E402
                     started)

A, B = "Organization/clinic-a", "Organization/clinic-b"


@both("no Consent: withheld from all but the custodian")
def _(s):
    p, o = s.id("p"), s.id("o")
    s.seed(patient(p), observation(o, p))
    b = s.token("system/*.rs", [B])
    for path in (f"/Patient/{p}", f"/Observation/{o}"):
        equal(s.get(path, token=b).status, 404, path)
        equal(s.get(path, token=s.admin()).status, 200, f"custodian {path}")
    equal(found(s.get(f"/Observation?patient={p}", token=b)), [], "search")
    equal(s.get(f"/Observation?patient={p}&_summary=count", token=b
                ).json()["total"], 0, "count")


@both("a Consent permits, all or one")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    for terms, a, b in (({"permit": [A]}, 200, 404),
                        ({"base": "permit"}, 200, 200),
                        ({"base": "permit", "deny": [A]}, 404, 200),
                        ({"status": "inactive"}, 404, 404)):
        s.seed(consent(s.id("c"), p, **terms))
        for organization, wanted in ((A, a), (B, b)):
            equal(s.get(f"/Patient/{p}", token=s.token(
                "system/*.rs", [organization])).status, wanted,
                f"{organization} {terms}")


@both("what belongs to no patient is visible")
def _(s):
    key = s.id("org")
    s.seed({"resourceType": "Organization", "id": key, "name": "x"})
    equal(s.get(f"/Organization/{key}", token=s.token("system/*.rs")).status,
          200, "read")


@both("the gateway passes only those who permit")
def _(s):
    p, q = s.id("p"), s.id("q")
    s.stand.backend.control(mode="normal", add=[
        patient(p), patient(q), observation(s.id("1"), p)])
    s.seed(consent(s.id("c"), p, permit=[A]))
    a, b = (s.token("system/*.rs", [o]) for o in (A, B))
    for path in (f"/Patient/{p}", f"/Observation/{s.id('1')}"):
        equal(s.get(path, token=a, kind="gateway").status, 200, f"A {path}")
        equal(s.get(path, token=b, kind="gateway").status, 404, f"B {path}")
    equal(s.get(f"/Patient/{q}", token=a, kind="gateway").status, 404,
          "no Consent")
    equal(found(s.get(f"/Patient?_id={p},{q}", token=a, kind="gateway")), [p],
          "search")


main(started(own_stand("default-deny", consent="deny")))
