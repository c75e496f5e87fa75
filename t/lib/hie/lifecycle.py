"""Servers that are reloaded, stopped or killed while clients use them: what
was answered must be recorded, and nothing may be lost."""

import os
import random
import signal
import threading
import time

from . import hl7
from .fhir import patient
from .mllp import Sender, msa
from .process import Failure, wait_until
from .web import Broken, Connection

TRANSIENT = (Broken, ConnectionError, BrokenPipeError, EOFError, TimeoutError)


class Load:
    """Clients that read without pause. Each request carries a number, so that
    its record can be told from all others."""

    def __init__(self, stand, server, clients=4, reconnect=20, strict=True):
        self.stand, self.server = stand, server
        self.subject = f"load-{server}-{os.getpid()}-{time.monotonic_ns()}"
        self.token = stand.token(self.subject, "system/*.rs", seconds=7200)
        self.key = f"lifecycle-{server}"
        self.clients, self.reconnect = clients, reconnect
        self.strict = strict       # a broken exchange is a problem
        self.answered, self.problems = [], []
        self.retried = 0
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.next = 0

    def seed(self):
        """Puts the resource that is read."""
        with Connection(self.stand.ports[self.server]) as c:
            r = c.request("PUT", f"/fhir/Patient/{self.key}", [
                ("Authorization", f"Bearer {self.stand.admin_token()}"),
                ("Content-Type", "application/fhir+json")],
                __import__("json").dumps(patient(self.key)).encode())
        if r.status not in (200, 201):
            raise Failure("seed", str(r))

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def client(self):
        connection = Connection(self.stand.ports[self.server])
        headers = [("Authorization", f"Bearer {self.token}")]
        count = 0
        while not self.stop.is_set():
            number = self.number()
            path = f"/fhir/Patient?_id={self.key}&_count={number}"
            fresh = connection.socket is None
            started = False
            try:
                connection.send("GET", path, headers)
                started = True
                r = connection.receive()
            except TRANSIENT as e:
                partial = bool(connection.rest)
                connection.close()
                # A connection that is closed while it is idle is what
                # keep-alive means; a new one that breaks is a loss.
                if self.strict and (fresh or partial):
                    self.problems.append(f"request {number}: {e!r}"
                                         f" (sent: {started})")
                self.retried += 1
                if not self.strict:
                    time.sleep(0.01)
                continue
            if r.status == 200 and self.key.encode() in r.body:
                self.answered.append(number)
            else:
                self.problems.append(f"request {number}: {r}")
            count += 1
            if count % self.reconnect == 0:
                connection.close()
        connection.close()

    def __enter__(self):
        self.threads = [threading.Thread(target=self.client)
                        for _ in range(self.clients)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for t in self.threads:
            t.join(30)

    def records(self, seconds=20):
        """Numbers of requests in the audit log: all of those answered must
        be there. Waits for them. Numbers, and how many are incomplete."""
        sql = ("SELECT substring(query from '_count=(\\d+)')::int, "
               "completed IS NULL FROM hie.v_all_audit_logs "
               f"WHERE subject = '{self.subject}'")

        def fetch():
            rows = self.stand.sql(sql)
            numbers = [int(r[0]) for r in rows]
            if set(self.answered) <= set(numbers):
                return rows
            return None

        try:
            rows = wait_until("audit", fetch, seconds, 0.2)
        except Failure:
            rows = self.stand.sql(sql)
        return ([int(r[0]) for r in rows],
                sum(r[1] == "t" for r in rows))


class Messages:
    """One MLLP sender that sends without pause."""

    def __init__(self, stand):
        self.stand = stand
        self.mrn = f"LIFE-{os.getpid()}-{time.monotonic_ns()}"
        self.acknowledged, self.problems = [], []
        self.stop = threading.Event()

    def work(self):
        sender, number = None, 0
        while not self.stop.is_set():
            number += 1
            try:
                if sender is None:
                    sender = Sender(self.stand.ports["mllp"])
                ack = sender.send(hl7.adt("A08", f"{self.mrn}-{number}",
                                          f"{self.mrn}-{number % 50}",
                                          f"F{number}"))
            except OSError:
                ack = None
            if ack is None:
                # closed between two messages: the sender sends it again
                if sender:
                    sender.close()
                sender, number = None, number - 1
                time.sleep(0.01)
                continue
            if msa(ack) != ("AA", f"{self.mrn}-{number}"):
                self.problems.append(str(msa(ack)))
            self.acknowledged.append(number)
            time.sleep(0.002)
        if sender:
            sender.close()

    def __enter__(self):
        self.thread = threading.Thread(target=self.work)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        self.thread.join(30)

    def missing(self, seconds=30):
        """Patients whose last acknowledged message is not in the database."""
        last = {}
        for number in self.acknowledged:
            last[f"{self.mrn}-{number % 50}"] = f"F{number}"
        wanted = set(last.values())

        def absent():
            rows = self.stand.sql(
                "SELECT convert_from(body, 'UTF8')::json->'name'->0->>"
                "'family' FROM hie.resource WHERE type = 'Patient' AND "
                f"convert_from(body, 'UTF8') LIKE '%{self.mrn}-%'")
            return wanted - {r[0] for r in rows}

        try:
            wait_until("messages", lambda: not absent(), seconds, 0.3)
        except Failure:
            pass
        return sorted(absent())


def reload_under_load(stand, server, reloads, pause=0.3):
    """Reloads a server again and again while it is used. A report."""
    load = Load(stand, server)
    load.seed()
    messages = Messages(stand) if server == "nginx" else None
    with load:
        if messages:
            messages.__enter__()
        for _ in range(reloads):
            stand.server(server).reload()
            time.sleep(pause)
        time.sleep(0.5)
        if messages:
            messages.__exit__()
    return report(load, messages)


def report(load, messages=None):
    numbers, incomplete = load.records()
    out = {"server": load.server, "answered": len(load.answered),
           "retried": load.retried, "problems": load.problems[:10],
           "n_problems": len(load.problems),
           "not_recorded": len(set(load.answered) - set(numbers)),
           "recorded_twice": len(numbers) - len(set(numbers)),
           "incomplete": incomplete}
    if messages:
        out["acknowledged"] = len(messages.acknowledged)
        out["ack_problems"] = messages.problems[:10]
        out["messages_lost"] = len(messages.missing())
    return out


def kill_under_load(stand, server, kills=3, pause=0.7):
    """kill -9 of a worker, again and again, while it is used."""
    load = Load(stand, server, strict=False)
    load.seed()
    with load:
        for _ in range(kills):
            time.sleep(pause)
            victims = stand.server(server).workers()
            os.kill(random.choice(victims), signal.SIGKILL)
        time.sleep(pause)
    return report(load)
