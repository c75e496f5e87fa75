"""./dev format: clang-format over the lines that differ from a commit.
Columns that were made by hand stay: it knows no gap of two spaces."""

import difflib
import re
import subprocess
import sys

from .process import TOP, run

OTHER_STYLE = ("ngx_hie/",)


def git(*arguments):
    return run("git", ["git", *arguments], cwd=TOP)


def changed(commit):
    """Lines that differ from the commit as ranges, by file; an empty list for
    a new file, of which all is meant."""
    found = {name: [] for name in
             git("ls-files", "--others", "--exclude-standard").split()}
    for name in git("diff", "--name-only", "--diff-filter=d",
                    commit).split():
        spans = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@",
                           git("diff", "-U0", commit, "--", name), re.M)
        ranges = [(int(a), int(a) + int(n or 1) - 1) for a, n in spans
                  if n != "0"]
        if ranges:
            found[name] = ranges
    return {name: ranges for name, ranges in sorted(found.items())
            if name.endswith((".c", ".h"))
            and not name.startswith(OTHER_STYLE)}


def columns_kept(before, after):
    """`after`, with the lines of `before` that have only wider gaps."""
    def narrow(line):
        indent = line[:len(line) - len(line.lstrip())]
        return indent + re.sub(r" {2,}", " ", line.strip())

    a, b = before.split("\n"), after.split("\n")
    match = difflib.SequenceMatcher(None, list(map(narrow, a)),
                                    list(map(narrow, b)), autojunk=False)
    out = []
    for what, i1, i2, j1, j2 in match.get_opcodes():
        out += a[i1:i2] if what == "equal" else b[j1:j2]
    return "\n".join(out)


def main():
    for name, ranges in changed(sys.argv[1] if len(sys.argv) > 1
                                else "HEAD").items():
        path = TOP / name
        before = path.read_text()
        after = subprocess.run(
            ["clang-format", *[f"--lines={a}:{b}" for a, b in ranges],
             f"--assume-filename={path}"], input=before, text=True,
            check=True, stdout=subprocess.PIPE).stdout
        after = columns_kept(before, after)
        if after != before:
            path.write_text(after)
            print(f"   {name}")


if __name__ == "__main__":
    main()
