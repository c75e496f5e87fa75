"""A stand: PostgreSQL, Redis, both servers and a foreign FHIR server, all
private, all on loopback, in one directory."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import conf, keys
from .postgres import Postgres
from .process import (Failure, Ledger, ROOT, TOP, WWW, children, free_ports,
                      listening, own, roomy_directory, run, run_as,
                      traversable, wait_until)

PORTS = ("postgres", "redis", "backend", "nginx", "nginx_local", "nginx_tls",
         "httpd", "httpd_local", "httpd_tls", "mllp", "mllp_tls",
         "mllp_proxy")
SERVERS = ("nginx", "httpd")

# What must never stand in a server's log.
TROUBLE = re.compile(
    r"\[(alert|crit|emerg)\]|:(alert|crit|emerg)\]|segfault"
    r"|exited on signal|exit signal|Sanitizer|runtime error:"
    r"|[Aa]ssertion.*fail|double free|corrupted", re.M)

# What nginx says by itself of a client that goes on after a failed handshake.
NOISE = re.compile(r"\[crit\].*SSL_(shutdown|do_handshake|read)\(\) failed")

# The servers are not built with a sanitizer: its library is loaded into them
# before all others. By how a build is told from others: what is loaded, and
# its options.
SANITIZERS = {
    "libasan": (("libasan.so", "libubsan.so"), {
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:"
                        "log_path={d}/san/asan",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:"
                         "log_path={d}/san/ub"}),
    "libtsan": (("libtsan.so",), {
        "TSAN_OPTIONS": "suppressions={supp}:die_after_fork=0:exitcode=0:"
                        "history_size=4:log_path={d}/san/tsan"}),
}


def subprocess_environment(stand):
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin",
           "LANG": "C.UTF-8"}
    if stand.sanitized:
        names, options = SANITIZERS[stand.sanitized]
        libraries = [subprocess.run(["gcc", f"-print-file-name={name}"],
                                    text=True, stdout=subprocess.PIPE
                                    ).stdout.strip()
                     for name in names]
        env["LD_PRELOAD"] = ":".join(libraries)
        supp = stand.reachable(TOP / "t" / "tsan.supp")
        for name, value in options.items():
            env[name] = value.format(d=stand.dir, supp=supp)
    return env


def read_pid(path):
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class Redis:
    def __init__(self, stand):
        self.stand = stand

    def start(self):
        s = self.stand
        if s.ledger.pid("redis"):
            return
        d = s.dir / "redis"
        d.mkdir(exist_ok=True)
        own(d, WWW)
        log = s.dir / "logs" / "redis.log"
        log.touch()
        own(log, WWW)
        run("start of Redis",
            [*run_as(WWW), "redis-server", "--port", s.ports["redis"],
             "--bind", "127.0.0.1", "--daemonize", "yes", "--save", "",
             "--dir", d, "--pidfile", d / "redis.pid", "--logfile", log],
            log, cwd="/")
        wait_until("start of Redis", lambda: listening(s.ports["redis"]),
                   log=log)
        pid = wait_until("pid of Redis", lambda: read_pid(d / "redis.pid"))
        s.ledger.add("redis", pid)

    def stop(self):
        self.stand.ledger.end("redis")


class Backend:
    def __init__(self, stand):
        self.stand = stand

    def start(self):
        s = self.stand
        if s.ledger.pid("backend"):
            return
        log = s.dir / "logs" / "backend.log"
        files = sorted((TOP / "sample").glob("*.json")) + sorted(
            (TOP / "sample").glob("*.ndjson"))
        with open(log, "ab") as out:
            process = subprocess.Popen(
                [sys.executable, TOP / "t/lib/hie/backend.py",
                 str(s.ports["backend"]), *files], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True, cwd="/")
        wait_until("start of the FHIR server behind the gateway",
                   lambda: listening(s.ports["backend"]), log=log)
        s.ledger.add("backend", process.pid)

    def stop(self):
        self.stand.ledger.end("backend")

    def control(self, **what):
        """Tells it how to answer."""
        from .web import Connection
        with Connection(self.stand.ports["backend"]) as c:
            c.request("PUT", "/_control", body=json.dumps(what).encode())

    def seen(self):
        from .web import Connection
        with Connection(self.stand.ports["backend"]) as c:
            return c.request("GET", "/_control").json()


class Nginx:
    name = "nginx"

    def __init__(self, stand):
        self.stand = stand
        self.dir = stand.dir / "nginx"
        self.log = stand.dir / "logs" / "nginx.log"
        self.conf = self.dir / "nginx.conf"

    def command(self, *more):
        return ["/usr/sbin/nginx", "-e", self.log, "-p", self.dir, "-c",
                self.conf, *more]

    def configure(self):
        self.dir.mkdir(exist_ok=True)
        own(self.dir, WWW)
        self.conf.write_text(conf.nginx_conf(self.stand))

    def check(self):
        """nginx -t: the exit code and what it said."""
        done = subprocess.run(self.command("-t"), text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=subprocess_environment(self.stand))
        return done.returncode, done.stdout

    def launch(self):
        """Starts it and does not wait until it listens."""
        run("start of nginx", self.command(), self.log, cwd="/",
            env=subprocess_environment(self.stand))

    def start(self):
        s = self.stand
        if s.ledger.pid("nginx"):
            return
        self.configure()
        (self.dir / "nginx.pid").unlink(missing_ok=True)
        self.launch()
        wait_until("start of nginx", lambda: listening(s.ports["nginx"]),
                   log=self.log)
        self.register()

    def register(self):
        pid = wait_until("pid of nginx",
                         lambda: read_pid(self.dir / "nginx.pid"))
        self.stand.ledger.add("nginx", pid)

    def pid(self):
        return self.stand.ledger.pid("nginx")

    def workers(self):
        return children(self.pid())

    def reload(self):
        os.kill(self.pid(), signal.SIGHUP)

    def stop(self, graceful=False):
        self.stand.ledger.end("nginx", (signal.SIGQUIT if graceful
                                        else signal.SIGTERM,))


class Httpd:
    name = "httpd"

    def __init__(self, stand):
        self.stand = stand
        self.dir = stand.dir / "httpd"
        self.log = stand.dir / "logs" / "httpd.log"
        self.conf = self.dir / "httpd.conf"

    def command(self, *more):
        return ["/usr/sbin/apache2", "-d", self.dir, "-f", self.conf, *more]

    def configure(self):
        self.dir.mkdir(exist_ok=True)
        self.conf.write_text(conf.httpd_conf(self.stand))

    def check(self):
        done = subprocess.run(self.command("-t"), text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=subprocess_environment(self.stand))
        return done.returncode, done.stdout

    def launch(self):
        run("start of httpd", self.command("-k", "start"), self.log, cwd="/",
            env=subprocess_environment(self.stand))

    def start(self):
        s = self.stand
        if s.ledger.pid("httpd"):
            return
        self.configure()
        (self.dir / "httpd.pid").unlink(missing_ok=True)
        self.launch()
        wait_until("start of httpd", lambda: listening(s.ports["httpd"]),
                   log=self.log)
        self.register()

    def register(self):
        pid = wait_until("pid of httpd",
                         lambda: read_pid(self.dir / "httpd.pid"))
        self.stand.ledger.add("httpd", pid)

    def pid(self):
        return self.stand.ledger.pid("httpd")

    def workers(self):
        return children(self.pid())

    def reload(self):
        os.kill(self.pid(), signal.SIGUSR1)

    def stop(self, graceful=False):
        number = signal.SIGWINCH if graceful else signal.SIGTERM
        self.stand.ledger.end("httpd", (number,), 30)


class Stand:
    """`options` change what conf.py writes; they are kept with the stand."""

    def __init__(self, directory, build=None, node="dev", **options):
        self.dir = roomy_directory(directory)
        if ROOT:
            self.dir.chmod(0o755)
        saved = self._load()
        self.build = Path(build or saved.get("build")
                          or os.environ.get("HIE_BUILD", TOP / "build"))
        self.node = saved.get("node", node)
        self.options = saved.get("options", {}) | options
        self.ports = saved.get("ports") or dict(
            zip(PORTS, free_ports(len(PORTS))))
        self.modules = self.build / ".libs"
        self.sanitized = self._sanitized()
        self.keys = self.dir / "keys"
        self.journal = self.dir / "journal"
        self.config = self.dir / "hie.yaml"
        (self.dir / "logs").mkdir(exist_ok=True)
        for name in ("journal", "san", "tmp"):
            (self.dir / name).mkdir(exist_ok=True)
            own(self.dir / name, WWW)
        self.ledger = Ledger(self.dir / "processes.json")
        self.postgres = Postgres(self)
        self.redis = Redis(self)
        self.backend = Backend(self)
        self.nginx = Nginx(self)
        self.httpd = Httpd(self)
        self._save()

    def _load(self):
        try:
            return json.loads((self.dir / "stand.json").read_text())
        except (OSError, ValueError):
            return {}

    def _save(self):
        (self.dir / "stand.json").write_text(json.dumps(
            {"ports": self.ports, "build": str(self.build), "node": self.node,
             "options": self.options}, indent=1) + "\n")

    def _sanitized(self):
        """The key of SANITIZERS that it was built for, or None."""
        try:
            library = (self.modules / "libhie.so.0").read_bytes()
        except OSError:
            return None
        return next((n for n in SANITIZERS if n.encode() in library), None)

    # Life

    def outdated(self):
        """Whether a server runs modules that have been built anew since."""
        built = max(p.stat().st_mtime for p in self.modules.glob("*.so*"))
        return any(p.exists() and p.stat().st_mtime < built for p in
                   (self.nginx.dir / "nginx.pid",
                    self.httpd.dir / "httpd.pid"))

    def find_ports(self):
        """Somebody else may have taken a port while we were down. Whether
        any had to be changed."""
        changed = False
        for name, port in self.ports.items():
            owner = "nginx" if "mllp" in name else name.split("_")[0]
            if not self.ledger.pid(owner) and listening(port):
                self.ports[name] = free_ports(1)[0]
                changed = True
        self._save()
        return changed

    def begin(self, part):
        """Starts a part; with other ports, if somebody was faster."""
        for _ in range(4):
            try:
                return part.start()
            except Failure:
                if not self.find_ports():
                    raise
        return part.start()

    def start(self, progress=lambda text: None, servers=SERVERS):
        self.prepare(progress)
        progress("nginx and httpd")
        for name in servers:
            self.begin(self.server(name))

    def prepare(self, progress=lambda text: None):
        """Everything but the two servers."""
        self.find_ports()
        keys.create_keys(self.keys)
        progress("PostgreSQL and Redis")
        fresh = not (self.dir / "database-passwords").exists()
        for part in (self.postgres, self.redis, self.backend):
            self.begin(part)
        self.write_config()
        if fresh or not (self.dir / "migrated").exists():
            progress("schema")
        self.migrate()

    def write_config(self, **options):
        self.options |= options
        self._save()
        self.config.write_text(conf.hie_yaml(self))

    def migrate(self):
        # by whoever started this: only that user may be the schema's owner
        self.hiectl("migrate", user=None)
        (self.dir / "migrated").touch()

    def stop(self):
        """Ends the processes that it started, those that are still there."""
        for name in ("nginx", "httpd", "backend", "redis"):
            getattr(self, name).stop()
        self.postgres.stop()
        for name in self.ledger.names():
            self.ledger.end(name)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def server(self, name):
        return getattr(self, name)

    def running(self):
        return all(self.ledger.pid(n) for n in
                   ("postgres", "redis", "backend", *SERVERS))

    # Use

    def base(self, server, kind="fhir"):
        """URL of a location: kind is fhir, gateway, local or
        local_gateway."""
        port = self.ports[server + ("_local" if "local" in kind else "")]
        place = "gateway" if "gateway" in kind else "fhir"
        return f"http://127.0.0.1:{port}/{place}"

    def program(self, name):
        """Path of a program of the build that every user can execute."""
        built = self.build / name.split("/")[0] / ".libs" / name.split("/")[1]
        if not built.exists():
            return self.build / name, {}
        if not ROOT or traversable(built.parent):
            return built, {"LD_LIBRARY_PATH": str(self.modules)}
        copies = self.dir / "bin"
        copies.mkdir(exist_ok=True)
        for path in (built, *self.modules.glob("libhie.so*")):
            there = copies / path.name
            if not there.exists() or (there.stat().st_mtime
                                      < path.stat().st_mtime):
                shutil.copy2(path, there)
        return copies / built.name, {"LD_LIBRARY_PATH": str(copies)}

    def reachable(self, path):
        """The file itself, or a copy where the servers' user cannot get."""
        path = Path(path).resolve()
        if not ROOT or (traversable(path.parent)
                        and path.stat().st_mode & 0o004):
            return path
        copy = self.dir / "tmp" / path.name
        shutil.copyfile(path, copy)
        own(copy, WWW)
        return copy

    def hiectl(self, *arguments, user=WWW, check=True):
        program, env = self.program("hiectl/hiectl")
        prefix = run_as(user) if user else []
        env = subprocess_environment(self) | env
        env.pop("LD_PRELOAD", None)
        argv = [*prefix, program, "-c", self.config, *arguments]
        if check:
            return run(f"hiectl {arguments[0]}", argv, env=env, cwd="/")
        return subprocess.run([str(a) for a in argv], env=env, text=True,
                              cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    def load(self, *paths, validate=True):
        options = () if validate else ("--no-validation",)
        return self.hiectl("load", *options,
                           *[self.reachable(p) for p in paths])

    def sign(self, key, header, claims):
        return keys.sign(self.keys, key, header, claims)

    def token(self, subject, scope="system/*.cruds", organizations=(),
              seconds=3600, **more):
        return self.sign("es256", {"alg": "ES256", "typ": "at+jwt"},
                         keys.claims(subject, scope, organizations, seconds,
                                     **more))

    def admin_token(self, subject="administrator"):
        return self.token(subject, "hie/admin system/*.cruds")

    def sql(self, text):
        return self.postgres.psql(text)

    def audit(self, subject, count=None, complete=True, seconds=10):
        """The audit records of a subject, oldest first. With `count`: waits
        until so many are there and, unless told otherwise, complete."""
        columns = ("id", "subject", "issuer", "organization", "peer",
                   "interaction", "type", "resource_id", "query", "decision",
                   "patients", "resources", "completed", "status", "bytes",
                   "aborted", "withheld", "disclosed_resources",
                   "disclosed_patients")
        quoted = subject.replace("'", "''")
        sql = (f"SELECT {', '.join(columns)} FROM hie.v_all_audit_logs "
               f"WHERE subject = '{quoted}' ORDER BY id")

        def fetch():
            rows = [dict(zip(columns, row)) for row in self.sql(sql)]
            if count is None:
                return rows
            if len(rows) < count or (complete and any(
                    not r["completed"] for r in rows)):
                return None
            return rows

        if count is None:
            return fetch()
        try:
            return wait_until("audit", fetch, seconds, 0.1)
        except Failure:
            return [dict(zip(columns, row)) for row in self.sql(sql)]

    # Logs

    def log_sizes(self):
        return {p: p.stat().st_size for p in (self.nginx.log, self.httpd.log)
                if p.exists()}

    def trouble(self, since=None, allowed=()):
        """Lines of the servers' logs that must not be there."""
        since = since or {}
        found = []
        for path in (self.nginx.log, self.httpd.log):
            if not path.exists():
                continue
            with open(path, errors="replace") as f:
                f.seek(since.get(path, 0))
                for line in f:
                    if (TROUBLE.search(line) and not NOISE.search(line)
                            and not any(re.search(a, line)
                                        for a in allowed)):
                        found.append(f"{path.name}: {line.strip()[:400]}")
        for path in (self.dir / "san").iterdir():
            if path.stat().st_mtime >= since.get("time", 0):
                found.append(f"{path.name}: " + " / ".join(
                    path.read_text(errors="replace").splitlines()[:12]))
        return found

    def mark(self):
        """To be given to trouble()."""
        return self.log_sizes() | {"time": time.time()}


def shared():
    """The stand of this run of the tests, or None."""
    directory = os.environ.get("HIE_STAND")
    return Stand(directory) if directory else None
