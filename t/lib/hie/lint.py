"""./dev lint: cppcheck with a set that is worth reading, and what no tool
knows of the house style."""

import re
import subprocess
import sys

from .process import TOP, run
from .walls import problems

ROOMS = ["shared", "mod_hie_common", "mod_hie_fhir", "mod_hie_consent",
         "mod_hie_audit", "ngx_hie", "hiectl", "bench", "fuzz"]

# NULL is a pointer with every libc that we build for, and a waiter that lives
# on the stack of who waits is how the rooms with queues do it.
SUPPRESS = ["missingIncludeSystem", "missingInclude", "unmatchedSuppression",
            "unknownMacro", "internalAstError", "varFuncNullUB",
            "autoVariables"]


def cppcheck():
    includes = run("pkg-config", ["pkg-config", "--cflags-only-I", "apr-1"])
    argv = ["cppcheck", "--quiet", "--std=c11", "--error-exitcode=1",
            "--enable=warning,performance,portability", "--inline-suppr",
            "--inconclusive", f"-I{TOP}/shared", *includes.split(),
            "-DHIE_DEBUG", "-DAPR_OPTIONAL_FN_TYPE(name)=void", "-j2",
            *[f"--suppress={s}" for s in SUPPRESS],
            *[str(TOP / r) for r in ROOMS if (TOP / r).is_dir()]]
    return subprocess.run(argv, cwd=TOP).returncode == 0


def files():
    for room in [*ROOMS, "t/unit"]:
        for path in sorted((TOP / room).rglob("*.[ch]")):
            yield path


def layout():
    good = True

    def complain(path, line, what):
        nonlocal good
        good = False
        print(f"{path.relative_to(TOP)}:{line}: {what}")

    for path in files():
        lines = path.read_text().splitlines()
        generated = path.name == "model.c"
        if len(lines) > 1000 and not generated:
            complain(path, len(lines), "more than 1000 lines")
        for number, line in enumerate(lines, 1):
            if len(line) > 80:
                complain(path, number, "longer than 80 columns")
            if line != line.rstrip():
                complain(path, number, "white space at the end")
            if "\t" in line:
                complain(path, number, "a tab")
            if re.search(r"\b(TODO|FIXME)\b|\* XXX", line):
                complain(path, number, "something is left to do")
            if re.match(r"\s*//", line):
                complain(path, number, "a comment that is not /* */")
    for path, number, what in problems()[0]:
        complain(path, number, what)
    return good


def main():
    good = layout()
    good = cppcheck() and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
