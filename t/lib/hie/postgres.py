"""A private PostgreSQL."""

import os
import secrets
import signal
import subprocess
import time
from pathlib import Path

from .process import (Failure, PGUSER, ROOT, WWW, own, run, run_as,
                      wait_until)

BIN = Path("/usr/lib/postgresql/15/bin")

# Connections over the Unix socket are identified by the kernel (peer), which
# costs nothing at connect time and lets each system user be exactly the roles
# that are mapped below; the directory of the socket is closed to others.
# Other programs come over TCP, with a password.
HBA = """\
local all all peer map=stand
host  all all 127.0.0.1/32 scram-sha-256
"""

CONF = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket}'
shared_buffers = {buffers}
max_connections = 300
wal_compression = lz4
max_wal_size = {wal}
checkpoint_timeout = 15min
random_page_cost = 1.1
effective_cache_size = 1GB
log_line_prefix = '%m [%p] %u '
logging_collector = off
"""


class Postgres:
    def __init__(self, stand):
        self.stand = stand
        self.data = stand.dir / "postgres"
        self.socket = stand.dir / "socket"
        self.log = stand.dir / "logs" / "postgres.log"

    @property
    def port(self):
        return self.stand.ports["postgres"]

    def create(self):
        """initdb, roles, database."""
        self.socket.mkdir(exist_ok=True)
        own(self.socket, PGUSER)
        if ROOT:
            import grp
            os.chown(self.socket, -1, grp.getgrnam(WWW).gr_gid)
        self.socket.chmod(0o750)

        self.log.touch()
        own(self.log, PGUSER)
        self.data.mkdir(mode=0o700)
        own(self.data, PGUSER)
        run("initdb", [*run_as(PGUSER), BIN / "initdb", "-D", self.data,
                       "-U", "postgres", "--auth-local=peer",
                       "--auth-host=scram-sha-256", "--encoding=UTF8",
                       "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            cwd="/")

        with open(self.data / "postgresql.conf", "a") as f:
            f.write(CONF.format(
                socket=self.socket,
                buffers=self.stand.options.get("shared_buffers", "256MB"),
                wal=self.stand.options.get("max_wal_size", "2GB")))
        (self.data / "pg_hba.conf").write_text(HBA)
        me = "root" if ROOT else WWW
        lines = [f"stand {me} {role}"
                 for role in ("postgres", "hie_owner", "hie_app")]
        if ROOT:
            lines += ["stand postgres postgres", f"stand {WWW} hie_app"]
        (self.data / "pg_ident.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        if self.stand.ledger.pid("postgres"):
            return
        if not (self.data / "PG_VERSION").exists():
            self.create()
        try:
            run("start of PostgreSQL",
                [*run_as(PGUSER), BIN / "pg_ctl", "-D", self.data, "-l",
                 self.log, "-o", f"-p {self.port}", "-w", "-t", "60", "-s",
                 "start"], self.log,
                cwd="/")
        except Failure:
            pid = self.read_pid()
            if pid is None:
                raise
        self.stand.ledger.add("postgres", self.read_pid())
        if not (self.stand.dir / "database-passwords").exists():
            self.roles()

    def roles(self):
        passwords = {}
        for role in ("hie_owner", "hie_app"):
            passwords[role] = secrets.token_urlsafe(18)
            self.psql(f"CREATE ROLE {role} LOGIN PASSWORD "
                      f"'{passwords[role]}'", role="postgres", db="postgres")
        self.psql("CREATE DATABASE hie OWNER hie_owner", role="postgres",
                  db="postgres")
        path = self.stand.dir / "database-passwords"
        path.touch(mode=0o600)
        path.write_text("".join(f"{r}:{p}\n" for r, p in passwords.items()))

    def read_pid(self):
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def stop(self, mode="fast"):
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT,
                  "immediate": signal.SIGQUIT}[mode]
        self.stand.ledger.end("postgres", (number,), 60)

    def conninfo(self, role="hie_app", db="hie"):
        return (f"host={self.socket} port={self.port} dbname={db} "
                f"user={role}")

    def tcp_conninfo(self, role="hie_owner"):
        lines = (self.stand.dir / "database-passwords").read_text()
        passwords = dict(line.split(":", 1) for line in lines.splitlines())
        return (f"host=127.0.0.1 port={self.port} dbname=hie user={role} "
                f"password={passwords[role]}")

    def psql(self, sql, role="hie_owner", db="hie"):
        """Runs SQL; rows as lists of strings."""
        done = subprocess.run(
            [BIN / "psql", "-XAtq", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
             "-d", self.conninfo(role, db), "-f", "-"], input=sql, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Failure("psql", done.stderr.strip(), self.log)
        return [line.split("\x1f") for line in done.stdout.splitlines()]


class Session:
    """A psql that stays: for holding locks while something else happens."""

    def __init__(self, postgres, role="hie_owner"):
        self.process = subprocess.Popen(
            [BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d",
             postgres.conninfo(role)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def do(self, sql):
        """Sends SQL and waits until it is done."""
        self.process.stdin.write(f"{sql};\n\\echo done\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Failure("psql session", " ".join(lines))
            if line == "done\n":
                return lines
            lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def wait_locked(postgres, count=1, seconds=10):
    """Waits until so many backends of the server's role wait for a lock."""
    def blocked():
        rows = postgres.psql("SELECT count(*) FROM pg_stat_activity WHERE "
                             "usename = 'hie_app' AND wait_event_type = "
                             "'Lock'", role="postgres")
        return int(rows[0][0]) >= count

    wait_until("wait for a lock", blocked, seconds)
    time.sleep(0.02)
