"""Paths, users, ports, and processes that are ended by who started them."""

import json
import os
import pwd
import random
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("HIE_SHARED", TOP.parent / "shared"))
ROOT = os.geteuid() == 0

# Servers that are started by root drop to these, as they do in production.
WWW = "www-data" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
PGUSER = "postgres" if ROOT else WWW


class Failure(Exception):
    """A step failed; `log` is where to read more."""

    def __init__(self, step, why, log=None):
        super().__init__(f"{step}: {why}" + (f" (see {log})" if log else ""))
        self.step, self.why, self.log = step, why, log


def run_as(user):
    """The words before a command that make it run as `user`."""
    if not ROOT or user == "root":
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
            "--"]


def own(path, user, mode=None):
    if ROOT:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    if mode is not None:
        os.chmod(path, mode)


def run(step, argv, log=None, **kwargs):
    """Runs a command that must succeed; its output is returned."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kwargs)
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["no output"]
        raise Failure(step, f"exit {done.returncode}: "
                      + " / ".join(lines[-4:]), log)
    return done.stdout


def traversable(path):
    """Whether every user can reach what is in this directory."""
    path = Path(path).resolve()
    for directory in [path, *path.parents]:
        if not directory.stat().st_mode & stat.S_IXOTH:
            return False
    return True


def roomy_directory(wanted):
    """`wanted`, or, where other users could not reach it or the path of a
    Unix socket in it would be too long, a link of that name to a directory
    that is better."""
    wanted = Path(wanted)
    if wanted.is_symlink():
        if wanted.is_dir():
            return wanted.resolve()
        wanted.unlink()
    if wanted.is_dir():
        return wanted.resolve()

    wanted.parent.mkdir(parents=True, exist_ok=True)
    # 107 bytes of sun_path, less "/socket/.s.PGSQL.65535.lock"
    if len(str(wanted.resolve())) <= 75 and (not ROOT or
                                             traversable(wanted.parent)):
        wanted.mkdir(mode=0o755)
        return wanted.resolve()

    import tempfile
    better = Path(tempfile.mkdtemp(prefix="hie-", dir="/var/tmp"))
    better.chmod(0o755)
    wanted.symlink_to(better)
    return better


def free_ports(count):
    """Ports that nobody listens on now. From below the range out of which the
    kernel takes those of outgoing connections, so that they stay free."""
    held, ports = [], []
    while len(ports) < count:
        port = random.randrange(17000, 32000)
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        held.append(s)
        ports.append(port)
    for s in held:
        s.close()
    return ports


def start_time(pid):
    """When a process was started, in ticks since boot; None if it is gone.
    Together with the pid it names a process for ever."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def children(pid):
    """Direct children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return sorted(found)


def cpu_seconds(*roots):
    """Processor time of processes, of the children that they have waited for,
    and of those that live."""
    ticks, below = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            pid = int(entry.name)
            ticks[pid] = sum(int(f) for f in fields[11:15])
            below.setdefault(int(fields[1]), []).append(pid)

    def tree(pid):
        return ticks.get(pid, 0) + sum(tree(p) for p in below.get(pid, ()))

    return sum(map(tree, roots)) / os.sysconf("SC_CLK_TCK")


def wait_until(what, condition, seconds=15, pause=0.02, log=None):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(what, f"not within {seconds} s", log)
        time.sleep(pause)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


class Ledger:
    """The processes of a stand: name, pid and start time, in a file. Only
    what stands there, and is still the same process, is ever ended."""

    def __init__(self, path):
        self.path = Path(path)

    def _read(self):
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}

    def _write(self, entries):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(entries, indent=1) + "\n")
        new.rename(self.path)

    def add(self, name, pid):
        started = start_time(pid)
        if started is None:
            raise Failure(name, f"process {pid} is gone")
        entries = self._read()
        entries[name] = {"pid": pid, "started": started}
        self._write(entries)

    def names(self):
        return list(self._read())

    def pid(self, name):
        """The pid if the process still runs, else None."""
        entry = self._read().get(name)
        if entry and start_time(entry["pid"]) == entry["started"]:
            return entry["pid"]
        return None

    def drop(self, name):
        entries = self._read()
        if entries.pop(name, None) is not None:
            self._write(entries)

    def end(self, name, signals=(signal.SIGTERM,), seconds=20):
        """Sends each signal in turn until the process is gone."""
        for number in (*signals, signal.SIGKILL):
            pid = self.pid(name)
            if pid is None:
                break
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            try:
                wait_until(f"end of {name}", lambda: self._reap(name), seconds)
            except Failure:
                continue
        self.drop(name)

    def _reap(self, name):
        entry = self._read().get(name)
        if entry:
            try:
                os.waitpid(entry["pid"], os.WNOHANG)
            except ChildProcessError:
                pass
        return self.pid(name) is None
