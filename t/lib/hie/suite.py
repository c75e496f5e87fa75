"""./dev test: unit tests, wire tests, corpora of the fuzzers, sanitizers."""

import os
import shutil
import subprocess
import sys
import time

from .process import TOP, Failure, run
from .stand import Stand

TESTS = TOP / "run" / "test"
PARTS = (".", "both", "nginx", "httpd")

# The first tell the one server behind the gateway how to answer; the others
# wait for what the one worker makes of their messages.
RULES = ["--rules=seq=t/both/{gateway,tls}.t",
         "--rules=seq=t/nginx/{mllp,mllp_data}.t", "--rules=par=**"]

# Of t/both those that say something about memory; the faults that are slow to
# bring about are left out.
SANITIZED = ("rest", "media", "search", "search_values", "search_chain",
             "search_codes", "search_page", "search_consent", "search_write",
             "history", "everything", "http", "operations",
             "identity", "consent", "gateway", "write", "patch",
             "audit", "bundle", "abort", "tls", "binary", "encoding",
             "protocol", "http2", "mllp", "mllp_data")

# Those that let threads meet. Not mpm.t: ThreadSanitizer keeps signals back
# from a child of prefork that waits for its turn, and it cannot be ended.
THREADED = (*SANITIZED, "overload", "reload", "database",
            "mllp_faults")


def say(text):
    print(f"-- {text}", flush=True)


def units():
    """make check, with a database whose owner may also end the connections
    of others and look at plans."""
    say("unit tests")
    stand = Stand(TESTS / "unit", node="unit")
    try:
        stand.postgres.start()
        stand.postgres.psql("CREATE DATABASE hie_test", role="postgres",
                            db="postgres")
        env = os.environ | {
            "HIE_TEST_DATABASE": stand.postgres.conninfo("postgres",
                                                         "hie_test"),
            "HIE_SOURCE": str(TOP)}
        started = time.monotonic()
        make = ["make", "-C", "build", "check", "--no-print-directory"]
        run("build of the unit tests", [*make, "-j2", "TESTS="], cwd=TOP)
        # for t/both/search_plans.t
        run("build of bench/criteria", ["make", "-C", "build", "bench/sql",
                                        "bench/criteria"], cwd=TOP)
        # one after the other: some of them share the database
        done = subprocess.run([*make, "-j1"], cwd=TOP, env=env, text=True,
                              errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        (TOP / "run" / "check.log").write_text(done.stdout)
        for line in done.stdout.splitlines():
            if line.startswith(("# TOTAL", "# PASS", "# SKIP", "# FAIL",
                                "# ERROR", "FAIL:", "ERROR:")):
                print(f"   {line}")
        if "# TOTAL" not in done.stdout and done.returncode:
            print("   " + "\n   ".join(done.stdout.splitlines()[-12:]))
        print(f"   {time.monotonic() - started:.0f} s; "
              f"run/check.log, build/test-suite.log")
        return done.returncode == 0
    finally:
        stand.remove()


def programs(pattern, parts=PARTS, only=None):
    found = [p for part in parts for p in sorted((TOP / "t" / part)
                                                 .glob("*.t"))
             if pattern in f"{part}/{p.name}" and (not only or p.stem in only)]
    return [str(p.relative_to(TOP)) for p in found]


def wire(name, files, build=None, jobs=2):
    """prove, on one stand for all that can share it."""
    if not files:
        return True
    directory = TESTS / name
    if directory.exists() or directory.is_symlink():
        Stand(directory).remove()
        if directory.is_symlink():
            directory.unlink()
    stand = Stand(directory, build=build)
    started = time.monotonic()
    good = False
    try:
        stand.start()
        env = os.environ | {"HIE_STAND": str(directory),
                            "HIE_TEST_DIR": str(TESTS),
                            "HIE_BUILD": str(stand.build)}
        done = subprocess.run(["prove", f"-j{jobs}", "--timer", *RULES,
                               *files], cwd=TOP, env=env)
        good = done.returncode == 0
        problems = stand.trouble()
        for line in problems[:20]:
            print(f"   log: {line}")
        good = good and not problems
        print(f"   {time.monotonic() - started:.0f} s"
              + ("" if good else f"; logs in {stand.dir}/logs"))
    finally:
        stand.stop()
        if good:
            shutil.rmtree(stand.dir, ignore_errors=True)
    return good


def sanitized(name, option, files, jobs):
    """Builds in build-NAME and tests what it built."""
    build = TOP / f"build-{name}"
    if not (build / "config.status").exists():
        build.mkdir(exist_ok=True)
        run("configure", ["../configure", "--quiet", "--enable-debug",
                          option], cwd=build)
    log = TOP / "run" / f"{name}.log"
    with open(log, "w") as out:
        made = subprocess.run(["make", "-C", build, "-j2",
                               "--no-print-directory"], cwd=TOP, stdout=out,
                              stderr=subprocess.STDOUT)
    if made.returncode:
        lines = [line for line in log.read_text().splitlines()
                 if "error" in line]
        print("\n".join(f"   {line}" for line in lines[:5]))
        print(f"   make failed; see {log}")
        return False
    return wire(name, files, build, jobs)


def address_sanitizer(jobs):
    say("with AddressSanitizer and UndefinedBehaviorSanitizer (build-san/)")
    return sanitized("san", "--enable-sanitizers",
                     programs("", ("both", "nginx"), SANITIZED), jobs)


def thread_sanitizer(jobs):
    say("with ThreadSanitizer (build-tsan/)")
    return sanitized("tsan", "--enable-tsan",
                     programs("", ("both", "nginx"), THREADED), jobs)


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    jobs = int(os.environ.get("HIE_TEST_JOBS", "2"))
    TESTS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    results = {}
    if not pattern:
        results["unit"] = units()
    say("wire tests")
    results["wire"] = wire("shared", programs(pattern), jobs=jobs)
    if not pattern:
        from . import fuzz
        results["fuzz"] = fuzz.replay()
        if os.environ.get("HIE_TEST_SANITIZE", "1") != "0":
            results["sanitizers"] = address_sanitizer(jobs)
        if os.environ.get("HIE_TEST_TSAN", "0") != "0":
            results["threads"] = thread_sanitizer(jobs)
    for name, good in results.items():
        say(f"{name}: {'ok' if good else 'FAILED'}")
    say(f"{time.monotonic() - started:.0f} s")
    sys.exit(0 if all(results.values()) else 1)


if __name__ == "__main__":
    main()
