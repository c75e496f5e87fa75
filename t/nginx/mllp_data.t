#!/usr/bin/python3
"""Every message of the collected files gets exactly one acknowledgement, on
one connection and on eight."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.mllp import Sender, frame, messages, msa                # noqa: E402
from hie.tap import check, data, equal, main, once               # noqa: E402


def collected():
    found = []
    for path in sorted(data("hl7v2").rglob("*")):
        if path.suffix.lower() in (".hl7", ".txt") and path.is_file():
            found += [(path.name, m) for m in messages(path.read_bytes())]
    return found


def control_id(message):
    line = message.split(b"\r")[0]
    fields = line.split(line[3:4])
    return fields[9].strip() if len(fields) > 9 else b""


def plain(message):
    """Whether the header comes back as it is: without control characters,
    and ASCII."""
    return all(32 <= b < 127 for b in message.split(b"\r")[0])


def send_all(stand, what, pipeline):
    codes = {}
    with Sender(stand.ports["mllp"]) as s:
        for i in range(0, len(what), pipeline):
            part = what[i:i + pipeline]
            s.socket.sendall(b"".join(frame(m) for _, m in part))
            for name, message in part:
                ack = s.receive()
                check(ack is not None, f"{name}: no acknowledgement")
                code, control = msa(ack)
                check(code in ("AA", "AE", "AR"), f"{name}: {code}")
                if plain(message):
                    equal(control.encode().strip(), control_id(message),
                          f"{name}: MSA-2")
                codes[code] = codes.get(code, 0) + 1
        s.socket.settimeout(0.3)
        try:
            extra = s.receive()
        except TimeoutError:
            extra = None
        equal(extra, None, "one too many")
    return codes


@once("one connection, one by one")
def _(stand):
    what = collected()
    check(len(what) > 300, f"{len(what)} messages")
    codes = send_all(stand, what, 1)
    equal(sum(codes.values()), len(what), "acknowledgements")
    check(codes.get("AA", 0) > 100, f"accepted: {codes}")
    print(f"# {len(what)} messages: {codes}")


@once("one connection, pipelined")
def _(stand):
    what = collected()
    codes = send_all(stand, what, 20)
    equal(sum(codes.values()), len(what), "acknowledgements")


@once("eight connections")
def _(stand):
    what = collected()
    results, problems = [], []

    def work(n):
        try:
            results.append(send_all(stand, what[n::8], 1))
        except Exception as e:
            problems.append(str(e))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    equal(problems, [], "problems")
    equal(sum(sum(r.values()) for r in results), len(what),
          "acknowledgements")


main()
