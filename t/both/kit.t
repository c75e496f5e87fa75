#!/usr/bin/python3
"""Client libraries that others wrote, from npm: fhir-kit-client, and
fhirclient of SMART. They are kept in a directory of the user's, and what cannot
be had is skipped."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.process import TOP                                      # noqa: E402
from hie.tap import Skip, both, check, equal, main               # noqa: E402

CACHE = Path(os.environ.get("HIE_NODE_CACHE")
             or Path(os.environ.get("XDG_CACHE_HOME")
                     or Path.home() / ".cache") / "hie-node")


def library(name, version):
    """The directory in which node finds the library."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Skip("no node and npm")
    if not (CACHE / "node_modules" / name).exists():
        try:
            CACHE.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--silent",
                 "--ignore-scripts", "--omit=optional", "--prefix",
                 str(CACHE), f"{name}@{version}"],
                cwd=CACHE, timeout=240, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Skip(f"npm: {type(e).__name__}") from None
        if done.returncode:
            raise Skip(f"npm cannot get {name}")
    return CACHE


def steps(s, directory, name):
    """What is seen of each step of a script."""
    script = directory / f"{name}-{os.getpid()}-{s.server}.mjs"
    shutil.copyfile(TOP / "t" / "lib" / "kit" / f"{name}.mjs", script)
    try:
        done = subprocess.run(
            ["node", script, s.stand.base(s.server), s.token(), s.key],
            cwd=directory, timeout=60, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        script.unlink()
    equal(done.returncode, 0, done.stdout)
    return {m[1]: json.loads(m[2]) for m in
            (re.fullmatch(r"ok ([a-z ]+): (.*)", line)
             for line in done.stdout.splitlines()) if m}


# What is seen of each step, by a server that serves it.
WANTED = {
    "statement": "4.0.1", "create": 201, "read": 404,
    "update": [201, "2", 412], "vread": "One", "patch": ["Three", "3"],
    "transaction": ["201"] * 5, "search": 1, "pages of a search": [3, 5],
    "pages back and forth": [2, 2, 1], "search of several types": [1, 5],
    "everything": [6, 1], "delete": [410, ["DELETE", "POST"]],
}


@both("every step of an app", compare=False)
def _(s):
    seen = steps(s, library("fhir-kit-client", 2), "steps")
    history = seen.pop("history")
    equal(history, (["Three"] if "patch" in seen else []) + ["Two", "One"],
          "history")
    check(set(WANTED) - set(seen) <= {"patch", "delete"}, f"steps {seen}")
    equal(seen, {name: WANTED[name] for name in seen}, "what was seen")


@both("pages of searches by SMART's client", compare=False)
def _(s):
    equal(steps(s, library("fhirclient", 2), "smart"), {
        "what is written": 8, "one page": ["searchset", 3],
        "all pages": [[0, 1, 2], [3, 4, 5], [6]],
        "all pages as one list": [6, 5, 4, 3, 2, 1, 0],
        "page by page": [3, 3], "references": ["Smart"] * 7,
        "matches and what comes with them": "OOOOPOOOP"}, "what was seen")


main()
