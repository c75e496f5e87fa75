#!/usr/bin/python3
"""Mistakes in the configuration are found by nginx -t and httpd -t, with file
and line."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie import keys                                             # noqa: E402
from hie.tap import both, check, equal, main, own_stand          # noqa: E402


def line_of(text, part):
    return text[:text.index(part)].count("\n") + 1


def verdict(s, change=None, servers=None, **options):
    """What -t says after a change of hie.yaml or of the server's file."""
    stand = s.stand
    kept = dict(stand.options)
    try:
        stand.write_config(**options)
        text = stand.config.read_text()
        if change:
            check(change[0] in text, f"nothing to change: {change[0]}")
            text = text.replace(*change, 1)
            stand.config.write_text(text)
        server = stand.server(s.server)
        server.configure()
        if servers:
            old = server.conf.read_text()
            for one, other in servers[s.server]:
                check(one in old, f"nothing to change: {one}")
                old = old.replace(one, other, 1)
            server.conf.write_text(old)
        return (*server.check(), text)
    finally:
        stand.options = kept
        stand.write_config()


@both("what is right passes")
def _(s):
    code, said, _ = verdict(s)
    equal((code, "HIE" in said), (0, False), said)


MISTAKES = (
    ("an unknown key", ("  leeway: 5", "  leway: 5"), "leway: 5",
     ["unknown key", "leeway"]),
    ("a wrong type", ("  connections: 16", "  connections: many"),
     "connections: many", ["connections", "integer"]),
    ("a value out of range", ("  connections: 16", "  connections: 0"),
     "connections: 0", ["connections"]),
    ("a key that is missing", ("node: unit", "# no node"), None, ["node"]),
    ("a key file that is missing", ("es256.pub.pem", "missing.pem"),
     "missing.pem", ["key_file", "No such file"]),
    ("another algorithm", ("algorithm: ES256", "algorithm: HS256"),
     "algorithm: HS256", ["algorithm"]),
    ("broken YAML", ("database:", "database: ["), None, []),
)


@both("mistakes in hie.yaml are named with file and line")
def _(s):
    for what, change, place, words in MISTAKES:
        code, said, text = verdict(s, change)
        check(code != 0, f"{what}: it passes")
        where = f"{s.stand.config}:"
        if place:
            where += str(line_of(text, place))
        check(where in said, f"{what}: {where} is not in {said}")
        for word in words:
            check(word in said, f"{what}: {word} is not in {said}")


@both("a key that is no key")
def _(s):
    path = s.stand.keys / "es256.pub.pem"
    good = path.read_bytes()
    try:
        path.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n"
                        "-----END PUBLIC KEY-----\n")
        code, said, _ = verdict(s)
        check(code != 0, "garbage passes")
        path.write_bytes((s.stand.keys / "rs256.pub.pem").read_bytes())
        code, said, _ = verdict(s)
        check(code != 0, "an RSA key passes for ES256")
        check("es256.pub.pem" in said, said)
    finally:
        path.write_bytes(good)


@both("hie.yaml is missing")
def _(s):
    code, said, _ = verdict(s, servers={
        "nginx": [(f"hie_config {s.stand.config}", "hie_config /none/x")],
        "httpd": [(f"HieConfig {s.stand.config}", "HieConfig /none/x")]})
    check(code != 0 and "/none/x" in said, said)


@both("a location without a configuration file")
def _(s):
    code, said, _ = verdict(s, servers={
        "nginx": [(f"    hie_config {s.stand.config};\n\n    upstream",
                   "    upstream")],
        "httpd": [(f"HieConfig {s.stand.config}", "")]})
    check(code != 0, "it passes")


@both("no authentication, but not on loopback only: refused")
def _(s):
    port = s.stand.ports[f"{s.server}_local"]
    code, said, _ = verdict(s, servers={
        "nginx": [(f"listen 127.0.0.1:{port}", f"listen 0.0.0.0:{port}")],
        "httpd": [(f"Listen 127.0.0.1:{port}", f"Listen 0.0.0.0:{port}"),
                  (f"<VirtualHost 127.0.0.1:{port}", f"<VirtualHost *:{port}")]
        })
    check(code != 0, f"it passes: {said}")
    check(str(s.stand.server(s.server).conf) in said, said)


@both("values that a directive does not know")
def _(s):
    for nginx, httpd in ((("hie_auth none", "hie_auth some"),
                          ("HieAuth none", "HieAuth some")),
                         (("hie_fhir on", "hie_fhir perhaps"),
                          ("HieFhir On", "HieFhir perhaps"))):
        code, said, _ = verdict(s, servers={"nginx": [nginx],
                                            "httpd": [httpd]})
        check(code != 0, f"{nginx} passes")
        name = "nginx.conf:" if s.server == "nginx" else "httpd.conf"
        check(name in said, said)


@both("hiectl config check says the same")
def _(s):
    stand = s.stand
    equal(stand.hiectl("config", "check", check=False).returncode, 0, "good")
    text = stand.config.read_text()
    try:
        stand.config.write_text(text.replace("leeway: 5", "leway: 5"))
        done = stand.hiectl("config", "check", check=False)
        check(done.returncode != 0, "it passes")
        line = line_of(stand.config.read_text(), "leway: 5")
        check(f"{stand.config}:{line}" in done.stdout, done.stdout)
    finally:
        stand.config.write_text(text)


stand = own_stand("config", node="unit")
keys.create_keys(stand.keys)
stand.write_config()
main(stand, allowed=[r"\[emerg\]", r":emerg\]"])
