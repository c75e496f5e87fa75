#!/usr/bin/python3
"""Reload and graceful stop under load lose nothing; neither does the death of
a worker, of what was answered."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.lifecycle import (Load, Messages, kill_under_load,      # noqa: E402
                           reload_under_load, report)
from hie.process import listening, wait_until                    # noqa: E402
from hie.tap import (both, check, equal, main, once, own_stand,  # noqa: E402
                     started)

RELOADS = 200 if os.environ.get("HIE_TEST_FULL") == "1" else 10


def nothing_lost(found, incomplete=False):
    print("# " + ", ".join(f"{k} {v}" for k, v in found.items()
                           if isinstance(v, int)))
    check(found["answered"] > 50, f"hardly any requests: {found}")
    for name in ("n_problems", "not_recorded", "recorded_twice"):
        equal(found[name], 0, f"{name} in {found}")
    if not incomplete:
        equal(found["incomplete"], 0, f"incomplete in {found}")
    equal(found.get("messages_lost", 0), 0, f"messages in {found}")
    equal(found.get("ack_problems", []), [], f"acks in {found}")


@both("reloads under load", compare=False)
def _(s):
    nothing_lost(reload_under_load(s.stand, s.server, RELOADS))


@both("a graceful stop under load", compare=False)
def _(s):
    load = Load(s.stand, s.server, strict=False)
    load.seed()
    messages = Messages(s.stand)
    with load, messages:
        time.sleep(1)
        server = s.stand.server(s.server)
        server.stop(graceful=True)
        time.sleep(0.3)
        server.start()
        time.sleep(0.5)
    nothing_lost(report(load, messages))


@both("a fast stop under load: what was answered is recorded",
      compare=False)
def _(s):
    load = Load(s.stand, s.server, strict=False)
    load.seed()
    with load:
        time.sleep(1)
        server = s.stand.server(s.server)
        server.stop()
        server.start()
        time.sleep(0.5)
    nothing_lost(report(load), incomplete=True)


@both("kill -9 of workers under load: what was answered is recorded",
      compare=False)
def _(s):
    nothing_lost(kill_under_load(s.stand, s.server), incomplete=True)


@both("kill -9 of the whole server under load", compare=False)
def _(s):
    load = Load(s.stand, s.server, strict=False)
    load.seed()
    server = s.stand.server(s.server)
    with load:
        time.sleep(1)
        pids = [server.pid(), *server.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until("the end", lambda: not listening(
            s.stand.ports[s.server]))
        server.start()
        time.sleep(1)
    nothing_lost(report(load), incomplete=True)


@once("kill -9 of workers under load: no acknowledged message is lost")
def _(stand):
    with Messages(stand) as messages:
        for _ in range(3):
            time.sleep(0.7)
            os.kill(stand.nginx.workers()[0], signal.SIGKILL)
        time.sleep(1)
    check(len(messages.acknowledged) > 30, "hardly any message")
    equal(messages.problems, [], "acknowledgements")
    equal(messages.missing(), [], "lost")


stand = own_stand("reload")
# What we kill ourselves may be told.
main(started(stand), allowed=[r"exited on signal 9", r"exit signal Killed"])
