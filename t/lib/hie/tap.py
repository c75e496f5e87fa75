"""Tests in TAP. Two kinds of test: once for the whole stand, and once per
server with the same code, whose exchanges are then compared."""

import atexit
import json
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

from .web import Connection
from .process import Failure, TOP
from .stand import SERVERS, Stand, shared

CASES = []

# What may differ between two servers that do the same.
VOLATILE = (
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "URL"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "ULID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "INSTANT"),
    (re.compile(r"_cursor=[^\"&]+"), "_cursor=CURSOR"),
    (re.compile(r'"expansion":\{"identifier":"urn:uuid:[0-9a-f-]{36}'),
     '"expansion":{"identifier":"UUID'),
    (re.compile(r"127\.0\.0\.1(:|%3A)\d+"), "HOST"),
)
HEADERS = ("content-type", "content-length", "etag", "location",
           "content-location", "www-authenticate", "allow", "retry-after",
           "cache-control", "last-modified", "vary", "accept-ranges",
           "content-encoding")


def both(name, compare=True):
    """A case for both servers: a function of a Session."""
    def add(function):
        CASES.append((name, function, "both", compare))
        return function
    return add


def once(name):
    """A case for the stand: a function of the Stand."""
    def add(function):
        CASES.append((name, function, "once", False))
        return function
    return add


def equal(got, wanted, what="value"):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.600}, wanted "
                             f"{wanted!r:.600}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Skip(Exception):
    """Raised by a case that cannot run here."""


def joined(r, name):
    """A header's value; a list has the same form whether it was sent in one
    line or in several."""
    value = r.get(name)
    return (", ".join(sorted(v.strip() for v in value.split(",")))
            if name == "vary" else value)


class Session:
    """One case on one server: a connection, an identity of its own, ids of
    its own, and the record of all that was said."""

    def __init__(self, stand, server, number):
        self.stand, self.server = stand, server
        self.prefix = Path(sys.argv[0]).stem.replace("_", "-") + f"-{number}"
        self.key = f"{self.prefix}-{server}-{RUN}"
        self.subject = f"user-{self.key}"
        self.exchanges = []
        self.connections = {}
        self._tokens = {}

    def id(self, name):
        """A logical id that no other case and no other server has."""
        return f"{self.key}-{name}"[-64:]

    def token(self, scope="system/*.cruds", organizations=(), subject=None,
              **more):
        subject = subject or self.subject
        key = repr((scope, organizations, subject, more))
        if key not in self._tokens:
            self._tokens[key] = self.stand.token(subject, scope,
                                                 organizations, **more)
        return self._tokens[key]

    def admin(self):
        return self.token("hie/admin system/*.cruds",
                          subject=f"admin-{self.key}")

    def connection(self, kind="fhir"):
        port = self.stand.ports[self.server + ("_local" if "local" in kind
                                               else "")]
        if port not in self.connections:
            self.connections[port] = Connection(port)
        return self.connections[port]

    def request(self, method, path, body=None, headers=(), token=None,
                kind="fhir", note=True):
        """`token`: None for the case's own, False for none. A body that is
        no bytes is sent as FHIR JSON."""
        place = "/gateway" if "gateway" in kind else "/fhir"
        headers = list(headers)
        names = {n.lower() for n, _ in headers}
        if token is None and "local" not in kind:
            token = self.token()
        if token and "authorization" not in names:
            headers.append(("Authorization", f"Bearer {token}"))
        if body is not None and not isinstance(body, bytes):
            if not isinstance(body, str):
                body = json.dumps(body, ensure_ascii=False)
            body = body.encode()
        if body is not None and "content-type" not in names:
            headers.append(("Content-Type", "application/fhir+json"))
        r = self.connection(kind).request(method, place + path, headers, body)
        if note:
            self.note(method, path, r)
        return r

    def note(self, method, path, r):
        names = {n.lower() for n, _ in r.headers} & set(HEADERS)
        headers = sorted((n, "DATE" if n == "last-modified"
                          else self.normal(joined(r, n))) for n in names)
        self.exchanges.append((method, self.normal(path), r.status, headers,
                               self.normal(r.body.decode(errors="replace"))))

    def normal(self, text):
        text = text.replace(self.key, "KEY")
        text = re.sub(self.server, "SERVER", text, flags=re.I)
        for pattern, name in VOLATILE:
            text = pattern.sub(name, text)
        return text

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def head(self, path, **more):
        return self.request("HEAD", path, **more)

    def put(self, path, body, **more):
        return self.request("PUT", path, body, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def patch(self, path, body, **more):
        return self.request("PATCH", path, body, **more)

    def seed(self, *resources):
        """Puts resources that must go in."""
        for resource in resources:
            r = self.put(f"/{resource['resourceType']}/{resource['id']}",
                         resource, token=self.admin(), note=False)
            check(r.status in (200, 201), f"seed: {r}")

    def audit(self, count, subject=None, **more):
        return self.stand.audit(subject or self.subject, count, **more)

    def close(self):
        for connection in self.connections.values():
            connection.close()


RUN = format(int(time.time() * 1000) % 0x1000000, "06x")


class Runner:
    def __init__(self):
        self.number = self.failed = 0

    def line(self, good, name, problem=None, skip=None):
        self.number += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.number} - {name}"
              + (f" # SKIP {skip}" if skip else ""), flush=True)
        if problem:
            # not on stdout, of which prove shows nothing
            print(f"#   {name}", file=sys.stderr)
            for text in str(problem).strip().splitlines():
                print(f"#     {text}", file=sys.stderr, flush=True)

    def run(self, name, function):
        """True unless the case failed."""
        try:
            function()
        except Skip as e:
            self.line(True, name, skip=str(e))
            return None
        except AssertionError as e:
            where = traceback.extract_tb(e.__traceback__)
            lines = [f"{Path(f.filename).name}:{f.lineno} {f.line}"
                     for f in where if f.filename == sys.argv[0]]
            self.line(False, name, f"{e}\n" + "\n".join(lines))
            return False
        except Exception:
            self.line(False, name, traceback.format_exc())
            return False
        self.line(True, name)
        return True


def differences(a, b):
    """The first exchange in which two servers differ."""
    for one, other in zip(a, b):
        if one != other:
            parts = ("method", "path", "status", "headers", "body")
            return "\n".join(
                [f"{one[0]} {one[1]}"]
                + [f"{part}: {x!r:.700}\n{' ' * len(part)}  {y!r:.700}"
                   for part, x, y in zip(parts, one, other) if x != y])
    if len(a) != len(b):
        return f"{len(a)} exchanges against {len(b)}"
    return None


def run_both(runner, stand, number, name, function, compare, servers):
    records = []
    for server in servers:
        session = Session(stand, server, number)
        good = runner.run(f"{server}: {name}", lambda: function(session))
        session.close()
        if good:
            records.append(session.exchanges)
    if compare and len(records) == 2 and records[0]:
        problem = differences(*records)
        runner.line(problem is None, f"the same on both: {name}", problem)


def own_stand(name, **options):
    """A stand for one test program, removed at its end."""
    base = Path(os.environ.get("HIE_TEST_DIR", TOP / "run" / "test"))
    base.mkdir(parents=True, exist_ok=True)
    if not os.access(base, os.W_OK):
        base = Path(tempfile.mkdtemp(prefix="hie-", dir="/var/tmp"))
    stand = Stand(base / f"{name}-{os.getpid()}", **options)
    atexit.register(stand.stop if os.environ.get("HIE_TEST_KEEP")
                    else stand.remove)
    return stand


def started(stand):
    try:
        stand.start()
    except Failure as e:
        print(f"Bail out! {e}", flush=True)
        sys.exit(1)
    return stand


def main(stand=None, servers=SERVERS, allowed=()):
    """Runs the cases of the program, all or those whose names contain the
    argument, and ends it."""
    stand = stand or shared()
    if stand is None:
        stand = started(own_stand(Path(sys.argv[0]).stem))
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    mark = stand.mark()
    runner = Runner()
    for number, (name, function, kind, compare) in enumerate(CASES):
        if wanted not in name:
            continue
        if kind == "both":
            run_both(runner, stand, number, name, function, compare, servers)
        else:
            runner.run(name, lambda: function(stand))
    found = stand.trouble(mark, allowed)
    runner.line(not found, "the servers' logs are clean",
                "\n".join(found[:20]))
    print(f"1..{runner.number}", flush=True)
    sys.exit(1 if runner.failed else 0)


def data(*parts):
    """A path of the shared data; skips the case where there is none."""
    from .process import SHARED
    path = SHARED.joinpath("data", *parts)
    if not path.exists():
        raise Skip(f"no {path}")
    return path
