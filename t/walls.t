#!/usr/bin/python3
"""The walls between the rooms, by what the sources include."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from hie.process import TOP                                      # noqa: E402
from hie.tap import Runner, check, equal                         # noqa: E402
from hie.walls import LAYERS, directories, problem, problems     # noqa: E402

GOOD = (
    ("store", '"', "base/config.h"), ("store", '"', "store/private.h"),
    ("consent", '"', "store/store.h"), ("audit", '"', "journal/journal.h"),
    ("store", "<", "libpq-fe.h"), ("base", "<", "time.h"),
    ("mod_hie_fhir", '"', "mod_hie_common/hie_httpd.h"),
    ("mod_hie_fhir", "<", "httpd.h"), ("ngx_hie", '"', "ngx_hie_task.h"),
    ("ngx_hie", '"', "hl7v2/hl7v2.h"), ("hiectl", '"', "access/access.h"),
)
BAD = (
    ("store", '"', "journal/journal.h"), ("store", '"', "audit/audit.h"),
    ("fhir", '"', "hl7v2/hl7v2.h"), ("base", '"', "fhir/fhir.h"),
    ("exchange", '"', "store/private.h"), ("consent", '"', "fhir/doc.h"),
    ("store", '"', "private.h"), ("exchange", "<", "httpd.h"),
    ("base", "<", "http_log.h"), ("store", "<", "ngx_core.h"),
    ("hiectl", "<", "httpd.h"), ("exchange", "<", "libpq-fe.h"),
    ("fhir", "<", "unistd.h"), ("hl7v2", "<", "sys/time.h"),
    ("exchange", "<", "libxml/parser.h"), ("xml", "<", "pthread.h"),
    ("mod_hie_fhir", '"', "store/store.h"),
    ("mod_hie_audit", '"', "hl7v2/hl7v2.h"),
    ("ngx_hie", '"', "mod_hie_common/hie_httpd.h"),
    ("mod_hie_fhir", '"', "exchange/private.h"),
)


def rules():
    for case in GOOD:
        equal(problem(*case), None, " ".join(case))
    for case in BAD:
        check(problem(*case), f"{' '.join(case)}: nothing is wrong with it")


def rooms():
    """Every directory of the core is a room of the picture."""
    there = {p.name for p in (TOP / "shared").iterdir() if p.is_dir()
             and any(p.glob("*.c"))}
    equal(there, set(LAYERS), "rooms")
    for name, directory in directories():
        check(any(directory.glob("*.c")), f"{name} is empty")


def includes():
    found, count = problems()
    check(count > 100, f"only {count} includes were seen")
    check(not found, "\n".join(f"{path.relative_to(TOP)}:{number}: {what}"
                               for path, number, what in found))


runner = Runner()
runner.run("the rules tell good from bad", rules)
runner.run("the rooms are those of the picture", rooms)
runner.run("every include respects the walls", includes)
print(f"1..{runner.number}")
sys.exit(1 if runner.failed else 0)
