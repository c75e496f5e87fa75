"""The fuzzers: built with clang over the pure rooms and what they stand on,
their corpora replayed in every test run, or run for a while."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .process import TOP, Failure, run

OUT = TOP / "build" / "fuzz"
FLAGS = ["-std=gnu11", "-g", "-O1", "-fno-omit-frame-pointer", "-DHIE_DEBUG",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def flags(*what):
    return run("pkg-config", ["pkg-config", *what, "apr-1", "apr-util-1",
                              "libpq", "openssl", "jansson", "hiredis",
                              "yaml-0.1", "libutf8proc", "libpcre2-8",
                              "libxml-2.0", "zlib", "libzstd"]).split()


def sources():
    """Those that the rooms' fragments list, and what is generated."""
    listed = set()
    for fragment in (TOP / "shared").glob("*/Makefile.inc"):
        listed |= set(re.findall(r"\bshared/\w+/\w+\.c\b",
                                 fragment.read_text()))
    found = [TOP / name for name in sorted(listed) if (TOP / name).exists()]
    generated = sorted((TOP / "build" / "shared").glob("*/*.c"))
    return [*found, *generated]


def library():
    """The core as objects with coverage, in one archive."""
    OUT.mkdir(parents=True, exist_ok=True)
    archive = OUT / "libhie-fuzz.a"
    newest = max(p.stat().st_mtime for p in
                 (TOP / "shared").rglob("*.[ch]"))
    if archive.exists() and archive.stat().st_mtime > newest:
        return archive
    makefile = OUT / "Makefile"
    objects = {p: OUT / (f"{p.parent.name}-{p.stem}.o") for p in sources()}
    cflags = " ".join([*FLAGS, "-fsanitize=fuzzer-no-link",
                       f"-I{TOP}/shared", f"-I{TOP}/build/shared",
                       *flags("--cflags")])
    lines = [f"{archive}: {' '.join(map(str, objects.values()))}",
             "\trm -f $@", "\tar rcs $@ $^"]
    for source, target in objects.items():
        lines += [f"{target}: {source}", f"\tclang {cflags} -c -o $@ $<"]
    makefile.write_text("\n".join(lines) + "\n")
    # headers are no prerequisites in there
    for target in objects.values():
        if target.exists() and target.stat().st_mtime < newest:
            target.unlink()
    run("build of the fuzzers' core", ["make", "-j2", "-f", makefile],
        cwd=OUT)
    return archive


def build(name):
    source = TOP / "fuzz" / f"fuzz_{name}.c"
    if not source.exists():
        known = sorted(p.stem[5:] for p in (TOP / "fuzz").glob("fuzz_*.c"))
        raise Failure("fuzz", f"no fuzz/fuzz_{name}.c; there are "
                      + ", ".join(known))
    archive, program = library(), OUT / f"fuzz_{name}"
    if not program.exists() or program.stat().st_mtime < max(
            archive.stat().st_mtime, source.stat().st_mtime):
        run(f"build of fuzz_{name}",
            ["clang", *FLAGS, "-fsanitize=fuzzer", f"-I{TOP}/shared",
             *flags("--cflags"), source, archive, *flags("--libs"),
             "-lpthread", "-lm", "-o", program])
    return program


def environment():
    return os.environ | {"ASAN_OPTIONS": "detect_leaks=0",
                         "HIE_SOURCE": str(TOP)}


def replay():
    """Every corpus once. True if all is well."""
    print("-- corpora of the fuzzers", flush=True)
    if not shutil.which("clang"):
        print("   skipped: no clang")
        return True
    good = True
    for source in sorted((TOP / "fuzz").glob("fuzz_*.c")):
        name = source.stem[5:]
        try:
            program = build(name)
        except Failure as e:
            print(f"   {name}: {e}")
            good = False
            continue
        corpus = TOP / "fuzz" / "corpus" / name
        files = sorted(p for p in corpus.rglob("*") if p.is_file())
        done = subprocess.run([program, "-runs=0", *files], text=True,
                              errors="replace", env=environment(),
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        state = "ok" if done.returncode == 0 else "FAILED"
        print(f"   {name}: {len(files)} files {state}", flush=True)
        if done.returncode:
            print("\n".join("      " + line for line in
                            done.stdout.splitlines()[-25:]))
            good = False
    return good


def main():
    name, seconds = sys.argv[1], sys.argv[2]
    try:
        program = build(name)
    except Failure as e:
        sys.exit(f"dev: {e}")
    found = TOP / "run" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    print(f"-- fuzzing {name} for {seconds} s; new inputs and crashes in "
          f"{found}", flush=True)
    corpus = TOP / "fuzz" / "corpus" / name
    done = subprocess.run([program, f"-max_total_time={seconds}",
                           "-print_final_stats=1", "-timeout=10",
                           "-rss_limit_mb=2048",
                           f"-artifact_prefix={found}/", found, corpus],
                          env=environment())
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
