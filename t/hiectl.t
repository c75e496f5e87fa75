#!/usr/bin/python3
"""What hiectl does without a server, a database or a configuration."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from hie.process import TOP                                      # noqa: E402
from hie.tap import Runner, check, equal                         # noqa: E402

HIECTL = Path(os.environ.get("HIE_BUILD", TOP / "build")) / "hiectl/hiectl"
PATIENT = TOP / "t/data/fhirpath/patient-example.json"


def hiectl(*arguments):
    return subprocess.run([HIECTL, *map(str, arguments)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)


def items(expression, path=PATIENT):
    done = hiectl("fhirpath", expression, path)
    equal((done.returncode, done.stderr), (0, ""), expression)
    return [json.loads(line) for line in done.stdout.splitlines()]


def fhirpath_items():
    equal(items("name[0].given"),
          [{"type": "string", "value": "Peter"},
           {"type": "string", "value": "James"}], "strings")
    equal(items("name.first().period | name[2].period"),
          [{"type": "Period", "value": {"end": "2002"}}], "an object")
    equal(items("1.50 | 'a\"' | @2020-01 | 1 'mg' | (2 > 1)"),
          [{"type": "System.Decimal", "value": 1.5},
           {"type": "System.String", "value": 'a"'},
           {"type": "System.Date", "value": "2020-01"},
           {"type": "System.Quantity", "value": {"value": 1, "unit": "mg"}},
           {"type": "System.Boolean", "value": True}], "values")
    check("1.50" in hiectl("fhirpath", "1.50", PATIENT).stdout, "lexeme")
    equal(items("name.suffix"), [], "nothing")
    equal(items("text.`div`.htmlChecks()"),
          [{"type": "System.Boolean", "value": True}], "narrative")
    equal(items("text.status.htmlChecks()"),
          [{"type": "System.Boolean", "value": False}], "no narrative")
    extended = items("birthDate")
    equal(extended[0]["type"], "date", "type of birthDate")
    equal(extended[0]["element"]["extension"][0]["valueDateTime"],
          "1974-12-25T14:35:45-05:00", "its extension")


def fhirpath_trace():
    done = hiectl("fhirpath", "name.family.trace('f').count()", PATIENT)
    equal(done.returncode, 0, done.stderr)
    equal(json.loads(done.stdout)["value"], 2, "count")
    check(done.stderr.startswith('f: {"type":"string"'), done.stderr)


def fhirpath_errors():
    for arguments, code, said in (
            (("1 +", PATIENT), 2, "expression:1:4: expected an expression"),
            (("name.nothing", PATIENT), 2, "has no element 'nothing'"),
            (("Patient",), 2, "expects an expression and a file"),
            (("name + 1", PATIENT), 1, "expression:1:6: expected one item"),
            (("1.repeat($this + 1)", PATIENT), 1, "more steps"),
            (("1", "/nothing/there"), 1, "/nothing/there: "),
            (("1", TOP / "README.md"), 1, "line 1")):
        done = hiectl("fhirpath", *arguments)
        equal((done.returncode, done.stdout), (code, ""), arguments)
        check(said in done.stderr, f"{arguments}: {done.stderr}")


def fhirpath_xml():
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.xml"
        path.write_text('<?xml version="1.0"?>\n<Observation '
                        'xmlns="http://hl7.org/fhir"><id value="o"/>'
                        '<valueInteger value="x"/></Observation>')
        done = hiectl("fhirpath", "id", path)
        equal(done.returncode, 1, done.stderr)
        check("Observation.value: line 2" in done.stderr, done.stderr)
        path.write_text('<Observation xmlns="http://hl7.org/fhir">'
                        '<id value="o"/><valueQuantity><value value="1.50"/>'
                        '</valueQuantity></Observation>')
        equal(items("id", path), [{"type": "id", "value": "o"}], "XML")
        check('"value":1.50}' in hiectl("fhirpath", "value.value",
                                        path).stdout, "its lexeme")


def fhirpath_other_types():
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.json"
        path.write_text('{"resourceType":"Other","id":"1"}')
        done = hiectl("fhirpath", "id", path)
        equal(done.returncode, 1, done.stderr)
        check("no resource of FHIR R4" in done.stderr, done.stderr)


runner = Runner()
runner.run("fhirpath: items are lines of JSON", fhirpath_items)
runner.run("fhirpath: trace() goes to standard error", fhirpath_trace)
runner.run("fhirpath: errors name their place", fhirpath_errors)
runner.run("fhirpath: XML is read too", fhirpath_xml)
runner.run("fhirpath: only resources of R4", fhirpath_other_types)
print(f"1..{runner.number}")
sys.exit(1 if runner.failed else 0)
