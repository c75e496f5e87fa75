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
SUPPRESS = ["preprocessorErrorDirective:/usr/include/*",
            "missingIncludeSystem", "missingInclude", "unmatchedSuppression",
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
            if not path.stem.endswith("_table"):     # written by tools/
                yield path


def lines_of(lines):
    """What is wrong with single lines: (line, what)."""
    for number, line in enumerate(lines, 1):
        if len(line) > 80:
            yield number, "longer than 80 columns"
        if line != line.rstrip():
            yield number, "white space at the end"
        if "\t" in line:
            yield number, "a tab"
        if re.search(r"\b(TODO|FIXME)\b|\* XXX", line):
            yield number, "something is left to do"
        if re.match(r"\s*//", line):
            yield number, "a comment that is not /* */"


def functions(lines):
    """What is wrong with functions: (line, what)."""
    start = None
    for number, line in enumerate(lines, 1):
        after = lines[number:number + 3] + [""] * 3
        if re.match(r"(?!typedef)[a-z].*\)\s*\{$", line):
            yield number, "the brace of a function has a line of its own"
        if re.match(r"static [\w *]+\b\w+\([^;=]*$", line):
            yield number, "the type of a function has a line of its own"
        if re.match(r"\s+(else )?(if|for|while) \(.*[^{;,&|(+?:\\]$", line) \
                and line.count("(") == line.count(")") \
                and after[0].strip() != "{":
            yield number, "a body without braces"
        if re.match(r"\s+else\b", line):
            yield number, "else is behind the brace before it"
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > 121:
                yield number, "a function of more than 120 lines"
            if any(lines[number:]) and not re.match("\n?#|\n\n.",
                                                    "\n".join(after)):
                yield number, "two empty lines follow a function"
            start = None


def layout():
    """True if all is well."""
    found = problems()[0]
    for path in files():
        # generated
        if path.name.endswith("_table.c"):
            continue
        lines = path.read_text().splitlines()
        if len(lines) > 1000:
            found.append((path, len(lines), "more than 1000 lines"))
        checks = [lines_of(lines)]
        if "ngx_hie" not in path.parts:
            checks.append(functions(lines))
        found += [(path, number, what) for check in checks
                  for number, what in check]
    for path, number, what in found:
        print(f"{path.relative_to(TOP)}:{number}: {what}")
    return not found


def main():
    good = layout()
    good = cppcheck() and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
