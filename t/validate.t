#!/usr/bin/python3
"""hiectl validate, which needs no server and no configuration."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from hie.process import TOP                                      # noqa: E402
from hie.tap import Runner, check, equal                         # noqa: E402

HIECTL = TOP / "build" / "hiectl" / "hiectl"

GOOD = {"resourceType": "Patient", "id": "1", "gender": "female",
        "birthDate": "1970-01-01"}
BAD = {"resourceType": "Patient", "id": "2", "gender": "f",
       "birthDate": "1970-02-30", "nam": []}
PROFILE = {
    "resourceType": "StructureDefinition", "url": "http://example.org/named",
    "type": "Patient", "derivation": "constraint",
    "snapshot": {"element": [
        {"id": "Patient", "path": "Patient"},
        {"id": "Patient.name", "path": "Patient.name", "min": 1}]}}


def put(name, *resources):
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r)
                              for r in resources) + "\n")
    return path


def validate(*arguments):
    done = subprocess.run([HIECTL, "validate", *arguments], text=True,
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout.splitlines(), done.stderr


def valid():
    code, said, _ = validate(put("good.json", GOOD))
    equal(code, 0, "exit code")
    equal(said, ["1 resources, 0 not valid, 0 warnings"], "output")


def not_valid():
    path = put("bad.json", json.dumps(BAD, indent=1))
    code, said, _ = validate(path)
    equal(code, 1, "exit code")
    equal(len(said), 4, "lines")
    check(said[0].startswith(f"{path}:4:12: error: Patient.gender: "), said)
    check(said[0].endswith("(code-invalid)"), said)
    check(said[1].startswith(f"{path}:5:15: error: Patient.birthDate: "),
          said)
    check("Patient.nam: " in said[2], said)


def lines():
    path = put("all.ndjson", GOOD, "", BAD, "{")
    code, said, _ = validate(path)
    equal(code, 1, "exit code")
    check(said[0].startswith(f"{path}:3:"), said)
    check(said[3].startswith(f"{path}:4: error: "), said)
    equal(said[-1], "3 resources, 2 not valid, 0 warnings", "summary")


def xml():
    text = ('<Patient xmlns="http://hl7.org/fhir"><id value="1"/>'
            '<gender value="%s"/></Patient>')
    equal(validate(put("good.xml", text % "male"))[0], 0, "good")
    path = put("bad.xml", text % "m")
    code, said, _ = validate(path)
    equal(code, 1, "bad")
    check(said[0].startswith(f"{path}: error: Patient.gender: "), said)
    code, said, _ = validate(put("worse.xml", "<Patient>"))
    equal(code, 1, "no XML")
    check(": error: " in said[0], said)


def outcomes():
    code, said, _ = validate("--json", put("all.ndjson", GOOD, BAD, "{"))
    equal(code, 1, "exit code")
    found = [json.loads(line) for line in said]
    equal([o["resourceType"] for o in found], ["OperationOutcome"] * 3,
          "lines")
    equal([o["issue"][0]["severity"] for o in found],
          ["information", "error", "error"], "severities")
    equal(found[1]["issue"][0]["expression"], ["Patient.gender"],
          "expression")
    code, said, _ = validate(put("outcomes.ndjson", *said))
    equal(code, 0, "outcomes are valid")


def profiles():
    path = put("profiles/named.json", PROFILE)
    good = put("good.json", GOOD)
    claims = put("claims.json", GOOD | {"meta": {"profile":
                                                 [PROFILE["url"]]}})
    equal(validate("--profile", path, good)[0], 0, "without a claim")
    code, said, _ = validate("--profile", path, claims)
    equal(code, 1, "with a claim")
    check("Patient.name: " in said[0] and "(required, "
          "http://example.org/named#min)" in said[0], said)
    equal(validate("--profile", path.parent, "--as", PROFILE["url"],
                   good)[0], 1, "asked for")
    code, said, _ = validate(claims)
    equal(code, 0, "not known")
    check("information" in said[0], said)
    equal(validate("--as", PROFILE["url"], good)[0], 1, "asked, not known")


def refused():
    good = put("good.json", GOOD)
    bad = put("profile.json", PROFILE | {"snapshot": {}, "differential": {}})
    for arguments, expected, text in (
            ((), 2, "at least one file"),
            (("--nothing", good), 2, "--nothing"),
            (("--profile",), 2, "--profile"),
            (("--profile", bad, good), 1, "snapshot"),
            (("--profile", directory / "none", good), 1, "none"),
            ((directory / "none",), 1, "none")):
        code, _, said = validate(*arguments)
        equal(code, expected, f"exit code of {arguments}")
        check(text in said, said)


def best_practice():
    code, said, _ = validate("--best-practice", put("good.json", GOOD))
    equal(code, 0, "exit code")
    check("warning" in said[0] and "dom-6" in said[0], said)


with tempfile.TemporaryDirectory() as temporary:
    directory = Path(temporary)
    runner = Runner()
    runner.run("what is valid", valid)
    runner.run("every issue has its place", not_valid)
    runner.run("NDJSON is counted by lines", lines)
    runner.run("XML", xml)
    runner.run("OperationOutcomes", outcomes)
    runner.run("profiles", profiles)
    runner.run("good practice", best_practice)
    runner.run("wrong calls and files", refused)
print(f"1..{runner.number}")
sys.exit(1 if runner.failed else 0)
