#!/usr/bin/python3
"""Profiles that are loaded: what names them must meet them."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.process import SHARED                                   # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402

PROFILE = "http://example.org/StructureDefinition/born"
US_CORE = SHARED / "data" / "us-core" / "6.1.0"


def element(path, low, high="*", **more):
    return {"id": path, "path": path, "min": low, "max": high,
            "base": {"path": path, "min": 0, "max": "*"}, **more}


def born():
    """A Patient whose date of birth is known, and who has one name."""
    return {"resourceType": "StructureDefinition", "url": PROFILE,
            "name": "Born", "status": "active", "kind": "resource",
            "abstract": False, "type": "Patient", "derivation": "constraint",
            "fhirVersion": "4.0.1", "baseDefinition":
            "http://hl7.org/fhir/StructureDefinition/Patient",
            "snapshot": {"element": [
                element("Patient", 0, constraint=[{
                    "key": "born-1", "severity": "error",
                    "human": "A day of birth, not a year",
                    "expression": "birthDate.toString().length() = 10"}]),
                element("Patient.birthDate", 1, "1",
                        type=[{"code": "date"}]),
                element("Patient.name", 0, "1",
                        type=[{"code": "HumanName"}])]}}


def claims(key, **more):
    return patient(key, meta={"profile": [PROFILE]}, **more)


@both("a profile that meta names is enforced, all of it is told")
def _(s):
    key = s.id("p")
    equal(s.put(f"/Patient/{key}", claims(key, birthDate="2000-01-02")).status,
          201, "good")
    r = s.put(f"/Patient/{key}", claims(key, birthDate="2000"))
    equal(r.status, 422, "a year")
    check("born-1" in r.body.decode(), r.body.decode())
    wrong = claims(key)
    wrong["name"] *= 2
    r = s.put(f"/Patient/{key}", wrong)
    equal(r.status, 422, "two names and no birthDate")
    places = [e for i in r.json()["issue"] for e in i.get("expression", ())]
    check("Patient.name" in " ".join(places), places)
    check(any("birthDate" in json.dumps(i) for i in r.json()["issue"]),
          r.body.decode())
    equal(s.put(f"/Patient/{key}", patient(key)).status, 200, "no claim")


@both("$validate against a profile")
def _(s):
    key = s.id("p")
    good = s.post(f"/Patient/$validate?profile={PROFILE}",
                  patient(key, birthDate="2000-01-02"))
    equal((good.status, [i["severity"] for i in good.json()["issue"]
                         if i["severity"] in ("error", "fatal")]),
          (200, []), "good")
    bad = s.post(f"/Patient/$validate?profile={PROFILE}", patient(key))
    check(any(i["severity"] == "error" for i in bad.json()["issue"]),
          bad.body.decode())


if US_CORE.is_dir():
    @both("US Core: a patient without a gender is none")
    def _(s):
        key = s.id("u")
        p = patient(key, meta={"profile": [
            "http://hl7.org/fhir/us/core/StructureDefinition/"
            "us-core-patient"]}, gender="female")
        equal(s.put(f"/Patient/{key}", p).status, 201, "good")
        del p["gender"]
        equal(s.put(f"/Patient/{key}", p).status, 422, "without")


with tempfile.TemporaryDirectory(prefix="hie-profiles-") as directory:
    if US_CORE.is_dir():
        for path in (US_CORE / "StructureDefinition").glob("*.json"):
            (Path(directory) / path.name).write_bytes(path.read_bytes())
    (Path(directory) / "born.json").write_text(json.dumps(born()))
    Path(directory).chmod(0o755)
    stand = own_stand("profiles")
    stand.options["fhir"] = f'  definitions: "{directory}"'
    main(started(stand))
