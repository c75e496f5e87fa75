#!/usr/bin/python3
"""httpd with the other process models: served, restarted, stopped."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.lifecycle import Load, report                           # noqa: E402
from hie.tap import check, equal, main, once, own_stand          # noqa: E402


def served(mpm, threads, children):
    """Under load, through a restart and a stop."""
    stand.httpd.stop()
    stand.options |= {"httpd_mpm": mpm, "httpd_threads": threads,
                      "httpd_children": children, "httpd_limit": children}
    stand.httpd.start()
    load = Load(stand, "httpd", strict=False)
    load.seed()
    with load:
        time.sleep(1)
        for _ in range(3):
            stand.httpd.reload()
            time.sleep(0.7)
        check(stand.httpd.pid(), "the parent is gone")
    stand.httpd.stop()
    stand.httpd.start()
    found = report(load)
    check(found["answered"] > 50, f"hardly any requests: {found}")
    for name in ("n_problems", "not_recorded", "recorded_twice"):
        equal(found[name], 0, f"{name} in {found}")


@once("worker")
def _(stand):
    served("worker", 10, 2)


@once("prefork")
def _(stand):
    served("prefork", 1, 6)


@once("event again")
def _(stand):
    served("event", 25, 2)


stand = own_stand("mpm")
stand.prepare()
stand.nginx.start()
main(stand)
