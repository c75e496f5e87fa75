"""The stand of ./dev: up, stop, status, demo."""

import json
import sys
import time

from . import mllp
from .process import TOP, Failure, wait_until
from .stand import SERVERS, Stand
from .web import Connection

STATE = TOP / "run" / "state"
HL7 = ("adt-a01", "adt-a04", "adt-a08", "adt-a31", "oru-r01",
       "oru-r01-corrected")


def say(text):
    print(f"-- {text}", flush=True)


def exists():
    return (STATE / "stand.json").exists()


def up():
    stand = Stand(STATE)
    if stand.running() and not stand.outdated():
        say("everything runs already")
        return stand
    if stand.running():
        say("the modules were built anew: stopping the servers")
        for name in SERVERS:
            stand.server(name).stop()
    stand.start(lambda text: say(f"starting: {text}"))
    return stand


def where(stand):
    p = stand.ports
    at = "127.0.0.1:{}".format
    return {
        "running": stand.running(),
        "fhir": {s: stand.base(s) for s in SERVERS},
        "gateway": {s: stand.base(s, "gateway") for s in SERVERS},
        "local": {s: stand.base(s, "local") for s in SERVERS},
        "tls": {s: f"https://127.0.0.1:{p[s + '_tls']}/fhir"
                for s in SERVERS},
        "mllp": {"plain": at(p["mllp"]), "tls": at(p["mllp_tls"]),
                 "proxy": at(p["mllp_proxy"])},
        "database": {"conninfo": stand.postgres.tcp_conninfo(),
                     "socket": stand.postgres.conninfo("hie_owner")},
        "redis": f"redis://{at(p['redis'])}/0",
        "config": str(stand.config),
        "hiectl": str(stand.build / "hiectl" / "hiectl"),
        "logs": str(stand.dir / "logs"),
        "token": stand.admin_token(),
    }


def status(as_json):
    if not exists():
        found = {"running": False}
    else:
        found = where(Stand(STATE))
    if as_json:
        print(json.dumps(found, indent=1))
        return
    if not exists():
        print("nothing runs; ./dev demo or ./dev up")
        return
    stand = Stand(STATE)
    pids = {name: stand.ledger.pid(name)
            for name in ("postgres", "redis", "backend", *SERVERS)}
    for name, pid in pids.items():
        print(f"{name:10} {f'pid {pid}' if pid else 'is down'}")
    if not any(pids.values()):
        return
    for key, value in found.items():
        if isinstance(value, dict):
            for name, text in value.items():
                print(f"{key + ' ' + name:18} {text}")
        elif key != "running":
            print(f"{key:18} {value}")


def stop():
    if not exists():
        say("nothing runs")
        return
    stand = Stand(STATE)
    say("stopping nginx, httpd, PostgreSQL, Redis")
    stand.stop()


# The demonstration


def get(stand, server, path, token, place="/fhir"):
    port = stand.ports[server]
    with Connection(port) as c:
        return c.request("GET", place + path,
                         [("Authorization", f"Bearer {token}")])


def show(stand, server, who, path, token, place="/fhir"):
    r = get(stand, server, path, token, place)
    body = r.json()
    if body["resourceType"] == "OperationOutcome":
        text = body["issue"][0].get("diagnostics", "")
    elif body["resourceType"] == "Bundle":
        text = ", ".join(f"{e['resource']['resourceType']}/"
                         f"{e['resource']['id']}"
                         for e in body.get("entry", [])) or "nothing"
    else:
        name = body.get("name", [{}])[0]
        text = f"{body['resourceType']}/{body['id']}"
        if "family" in name:
            text += f" ({name['family']}, {' '.join(name['given'])})"
    print(f"   {server:5} {who:9} GET {place}{path}")
    print(f"         {r.status} {text}")
    return r


def load_samples(stand):
    sample = TOP / "sample"
    say("loading sample/")
    stand.load(*[sample / name for name in
                 ("organizations.json", "patients.json", "observations.ndjson",
                  "consent.json")])


def send_samples(stand):
    say(f"sending sample/hl7v2/ over MLLP to 127.0.0.1:{stand.ports['mllp']}")
    with mllp.Sender(stand.ports["mllp"]) as sender:
        for name in HL7:
            text = (TOP / "sample" / "hl7v2" / f"{name}.hl7").read_bytes()
            ack = sender.send(text.replace(b"\n", b"\r"))
            code, control = mllp.msa(ack)
            print(f"   {name:18} {code} {control}")


def demo():
    stand = up()
    load_samples(stand)
    send_samples(stand)

    a = stand.token("dr-a", "user/*.rs", ["Organization/clinic-a"])
    b = stand.token("dr-b", "user/*.rs", ["Organization/clinic-b"])
    say("a read, a search, and what a Consent does: Patient/sample-4 lets "
        "only clinic A see her data")
    for server in SERVERS:
        show(stand, server, "clinic-a", "/Patient/sample-1", a)
        show(stand, server, "clinic-a",
             "/Observation?patient=Patient/sample-2", a)
        show(stand, server, "clinic-a", "/Patient/sample-4", a)
        show(stand, server, "clinic-b", "/Patient/sample-4", b)
        show(stand, server, "clinic-b",
             "/Observation?code=http://loinc.org|29463-7", b)
    say("the same in front of another FHIR server")
    for server in SERVERS:
        for path in ("/Patient/sample-1", "/Patient/sample-4"):
            show(stand, server, "clinic-b", path, b, "/gateway")

    say("a patient that came as HL7 v2, on both servers")
    query = "/Patient?identifier=SAMPLE-5001"

    def arrived():
        entries = get(stand, "nginx", query, a).json().get("entry", [])
        return entries and "Probe-Muster" in json.dumps(entries)

    wait_until("the transformation of the messages", arrived, 15, 0.1)
    for server in SERVERS:
        show(stand, server, "clinic-a", query, a)

    say("the audit log (hie.v_all_audit_logs), newest last")
    time.sleep(0.5)
    for row in stand.sql(
            "SELECT * FROM (SELECT id, to_char(recorded, 'HH24:MI:SS'), "
            "subject, interaction, type, resource_id, decision, status, "
            "bytes FROM hie.v_all_audit_logs ORDER BY id DESC LIMIT 12) t "
            "ORDER BY id"):
        print("   " + "  ".join(row[1:]))

    found = where(stand)
    say("it stays up; ./dev stop ends it, ./dev status tells where all is")
    for server in SERVERS:
        print(f"   FHIR by {server}: {found['fhir'][server]}")
        print(f"   gateway by {server}: {found['gateway'][server]}")
    print(f"   try: curl {found['local']['nginx']}/Patient/sample-1")


def main():
    command, rest = sys.argv[1], sys.argv[2:]
    try:
        if command == "up":
            up()
            status(False)
        elif command == "demo":
            demo()
        elif command == "stop":
            stop()
        elif command == "status":
            status("--json" in rest)
        else:
            sys.exit(f"no such command: {command}")
    except Failure as e:
        sys.exit(f"dev: {e}")
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
