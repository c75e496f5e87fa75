#!/usr/bin/python3
"""The MLLP listener: framing, acknowledgements, and what becomes of it."""

import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.hl7 import adt, oru                                     # noqa: E402
from hie.mllp import END, START, Sender, frame, msa              # noqa: E402
from hie.process import Failure, wait_until                      # noqa: E402
from hie.tap import RUN, check, equal, main, once                # noqa: E402
from hie.web import Connection, tls_context                      # noqa: E402


def sender(stand, **more):
    return Sender(stand.ports["mllp"], **more)


def name(text):
    return f"{text}-{RUN}"


def search(stand, query, server="nginx"):
    """The resources that a custodian finds."""
    with Connection(stand.ports[server]) as c:
        r = c.request("GET", f"/fhir/{query}", [
            ("Authorization", f"Bearer {stand.admin_token()}")])
    equal(r.status, 200, f"{query}: {r}")
    return [e["resource"] for e in r.json().get("entry", [])]


def patients(stand, mrn, server="nginx"):
    return search(stand, f"Patient?identifier={mrn}", server)


def arrived(stand, query, seconds=30):
    """What is found, on both servers, once anything is found on nginx."""
    try:
        wait_until(query, lambda: search(stand, query), seconds, 0.05)
    except Failure as e:
        raise AssertionError(str(e)) from None
    for _ in range(50):      # other messages may still be on their way
        one, two = (search(stand, query, s) for s in ("nginx", "httpd"))
        if one == two:
            break
        time.sleep(0.05)
    equal(one, two, "both servers")
    return one


@once("AA, and the patient and the visit are there on both servers")
def _(stand):
    mrn = name("A")
    with sender(stand) as s:
        ack = s.send(adt("A01", name("c1"), mrn, "Müller", visit=name("v")))
    equal(msa(ack), ("AA", name("c1")), "MSA")
    fields = ack.split(b"\r")[0].split(b"|")
    equal(fields[2:6], [b"HIE", b"EXCHANGE", b"ADT", b"GENERAL"],
          "sender and receiver are swapped")
    check(fields[8].startswith(b"ACK"), f"MSH-9 {fields[8]}")
    p = arrived(stand, f"Patient?identifier={mrn}")
    equal(len(p), 1, "patients")
    equal(p[0]["name"][0]["family"], "Müller", "family")
    equal(p[0]["birthDate"], "1972-03-04", "birth date")
    e = arrived(stand, f"Encounter?patient={p[0]['id']}")
    equal(len(e), 1, "encounters")


@once("it is readable within two seconds")
def _(stand):
    mrn = name("quick")
    with sender(stand) as s:
        equal(msa(s.send(adt("A04", name("q"), mrn)))[0], "AA", "code")
    started = time.monotonic()
    arrived(stand, f"Patient?identifier={mrn}")
    check(time.monotonic() - started < 2, "it took longer than 2 s")


@once("A08 updates the patient that is there, A31 as well")
def _(stand):
    mrn = name("U")
    with sender(stand) as s:
        for event, family in (("A01", "First"), ("A08", "Second"),
                              ("A31", "Third")):
            equal(msa(s.send(adt(event, name(event), mrn, family)))[0], "AA",
                  event)
    wait_until("the update", lambda: any(
        p["name"][0]["family"] == "Third" for p in patients(stand, mrn)), 30)
    p = patients(stand, mrn)
    equal(len(p), 1, "patients")
    equal(p[0]["meta"]["versionId"], "3", "version")


@once("ORU: observations with their digits; a correction replaces")
def _(stand):
    mrn, order = name("L"), name("ord")
    with sender(stand) as s:
        equal(msa(s.send(oru(name("r1"), mrn, order,
                             [("2345-7", "101.50"), ("2160-0", "0.90")])))[0],
              "AA", "result")
    p = arrived(stand, f"Patient?identifier={mrn}")[0]["id"]
    wait_until("observations", lambda: len(
        search(stand, f"Observation?patient={p}")) >= 2, 30)
    with Connection(stand.ports["nginx"]) as c:
        r = c.request("GET", f"/fhir/Observation?patient={p}&code=2345-7", [
            ("Authorization", f"Bearer {stand.admin_token()}")])
    check(b'"value":101.50' in r.body, f"lexeme: {r.body}")
    key = r.json()["entry"][0]["resource"]["id"]
    with sender(stand) as s:
        equal(msa(s.send(oru(name("r2"), mrn, order,
                             [("2345-7", "111.00"), ("2160-0", "0.90")],
                             "C")))[0], "AA", "correction")

    def corrected():
        o = search(stand, f"Observation?patient={p}&code=2345-7")
        return len(o) == 1 and o[0]["valueQuantity"]["value"] == 111.0 and o

    o = wait_until("the correction", corrected, 30)[0]
    equal(o["id"], key, "the same resource")
    equal(o["status"], "corrected", "status")
    equal(len(search(stand, f"DiagnosticReport?patient={p}")), 1, "reports")


@once("AE where the content is wrong, AR where the kind is not served")
def _(stand):
    good = adt("A01", name("x"), name("X"))
    with sender(stand) as s:
        no_patient = b"\r".join(x for x in good.split(b"\r")
                                if not x.startswith(b"PID"))
        ack = s.send(no_patient)
        equal(msa(ack), ("AE", name("x")), "without PID")
        check(b"\rERR|" in ack, "ERR")
        equal(msa(s.send(good.replace(b"ADT^A01", b"ADT^A99")))[0], "AR",
              "event")
        equal(msa(s.send(good.replace(b"ADT^A01", b"ZZZ^Z01")))[0], "AR",
              "type")
        code = msa(s.send(b"this is no HL7"))[0]
        check(code in ("AR", "AE"), f"garbage: {code}")
        odd = good.replace(b"UNICODE UTF-8", b"KLINGON")
        odd = odd.replace(b"Probe", "Pröbe".encode())
        check(msa(s.send(odd))[0] in ("AR", "AE"), "character set")
        check(msa(s.send(good.replace(b"Probe", b"Pr\xff\xfebe")))[0]
              in ("AR", "AE"), "not UTF-8")
        equal(msa(s.send(good))[0], "AA", "and the connection is usable")


@once("other delimiters and line ends")
def _(stand):
    good = adt("A01", name("d"), name("D"))
    other = good.translate(bytes.maketrans(b"|^~&", b"!*%$"))
    with sender(stand) as s:
        ack = s.send(other)
        check(b"MSA!AA!" in ack, f"{ack}")
        equal(msa(s.send(good.replace(b"\r", b"\n")))[0], "AA", "LF")
        equal(msa(s.send(good.replace(b"\r", b"\r\n")))[0], "AA", "CR LF")
    arrived(stand, f"Patient?identifier={name('D')}")


@once("a frame that is split at every byte")
def _(stand):
    data = frame(adt("A01", name("split"), name("S")))
    with sender(stand) as s:
        for i in range(1, len(data), 9):
            s.socket.sendall(data[:i])
            time.sleep(0.001)
            s.socket.sendall(data[i:])
            equal(msa(s.receive())[0], "AA", f"at {i}")
        for byte in data:
            s.socket.sendall(bytes([byte]))
        equal(msa(s.receive())[0], "AA", "byte for byte")


@once("pipelined: two hundred messages at once, acknowledged in order")
def _(stand):
    data = b"".join(frame(adt("A08", f"{name('p')}-{i}", name("P"),
                              f"F{i}")) for i in range(200))
    with sender(stand) as s:
        threading.Thread(target=s.socket.sendall, args=(data,)).start()
        got = [msa(s.receive()) for _ in range(200)]
    equal(got, [("AA", f"{name('p')}-{i}") for i in range(200)], "acks")
    wait_until("the last", lambda: [p["name"][0]["family"] for p in patients(
        stand, name("P"))] == ["F199"], 20, 0.1)


@once("eight connections")
def _(stand):
    problems = []

    def work(n):
        try:
            with sender(stand) as s:
                for i in range(25):
                    ack = s.send(adt("A01", f"{name('e')}-{n}-{i}",
                                     f"{name('E')}-{n}"))
                    equal(msa(ack), ("AA", f"{name('e')}-{n}-{i}"), "ack")
        except Exception as e:
            problems.append(str(e))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    equal(problems, [], "problems")
    for n in range(8):
        equal(len(arrived(stand, f"Patient?identifier={name('E')}-{n}")), 1,
              "patients")


@once("one patient from eight connections is still one patient")
def _(stand):
    mrn = name("same")
    senders = [sender(stand) for _ in range(8)]
    for i, s in enumerate(senders):
        s.socket.sendall(frame(adt("A01", f"{name('o')}-{i}", mrn)))
    for i, s in enumerate(senders):
        equal(msa(s.receive()), ("AA", f"{name('o')}-{i}"), "ack")
        s.close()
    arrived(stand, f"Patient?identifier={mrn}")
    wait_until("all eight", lambda: patients(stand, mrn)[0]["meta"]
               ["versionId"] == "8", 30, 0.1)
    equal(len(patients(stand, mrn)), 1, "patients")


@once("CR and LF between frames are fine, other bytes end the connection")
def _(stand):
    good = adt("A01", name("b"), name("B"))
    with sender(stand) as s:
        s.socket.sendall(b"\r\n" + frame(good) + b"\n\n" + frame(good))
        equal([msa(s.receive())[0] for _ in range(2)], ["AA", "AA"], "acks")
        s.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        equal(s.receive(), None, "closed")


@once("a message over the limit ends the connection, others go on")
def _(stand):
    with sender(stand) as s:
        try:
            s.socket.sendall(START + b"MSH|^~\\&|" + b"x" * (1200 * 1024)
                             + END)
        except (BrokenPipeError, ConnectionResetError):
            pass
        code = msa(s.receive())[0]
        check(code in (None, "AR", "AE"), f"code {code}")
    with sender(stand) as s:
        equal(msa(s.send(adt("A01", name("n"), name("N"))))[0], "AA", "next")


@once("a large message under the limit")
def _(stand):
    text = ["2345-7"]
    message = oru(name("big"), name("BIG"), name("bigorder"),
                  [(text[0], str(i)) for i in range(1000)])
    check(len(message) > 70000, "large")
    with sender(stand) as s:
        equal(msa(s.send(message))[0], "AA", "ack")


@once("half a message and then the end: nothing is stored")
def _(stand):
    data = frame(adt("A01", name("h"), name("H")))
    with sender(stand) as s:
        s.socket.sendall(data[:-2])
    time.sleep(0.5)
    equal(patients(stand, name("H")), [], "patients")


@once("TLS with a client certificate; without one, or by another CA: refused")
def _(stand):
    k = stand.keys
    port = stand.ports["mllp_tls"]
    good = adt("A01", name("tls"), name("T"))
    context = tls_context(k / "ca.crt", k / "client.crt", k / "client.key")
    with Sender(port, tls=context) as s:
        equal(msa(s.send(good))[0], "AA", "with")
        s.socket.sendall(b"".join(frame(good) for _ in range(20)))
        equal([msa(s.receive())[0] for _ in range(20)], ["AA"] * 20, "many")
    for context in (tls_context(k / "ca.crt"),
                    tls_context(k / "ca.crt", k / "other-client.crt",
                                k / "other-client.key")):
        try:
            with Sender(port, tls=context) as s:
                equal(s.send(good), None, "no acknowledgement")
        except OSError:
            pass
    try:
        with Sender(port) as s:
            ack = s.send(good)
    except (OSError, AssertionError):
        ack = None
    equal(ack, None, "plain on the TLS port")

    def subject():
        return stand.sql("SELECT subject, decision, interaction, status FROM "
                         "hie.v_all_audit_logs WHERE resource_id = "
                         f"'{name('tls')}' AND completed IS NOT NULL LIMIT 1")

    # the worker may still be at the large message
    row = wait_until("audit", subject, 30, 0.1)[0]
    check("General Hospital" in row[0], f"subject {row}")
    equal(row[1:3], ["permit", "hl7v2"], "record")


@once("the PROXY protocol names the sender")
def _(stand):
    line = b"PROXY TCP4 192.0.2.77 127.0.0.1 40000 2575\r\n"
    with Sender(stand.ports["mllp_proxy"], proxy=line) as s:
        equal(msa(s.send(adt("A01", name("px"), name("PX"))))[0], "AA",
              "ack")
    row = wait_until("audit", lambda: stand.sql(
        "SELECT peer FROM hie.v_all_audit_logs WHERE resource_id = "
        f"'{name('px')}'"), 30, 0.1)
    equal(row[0][0], "192.0.2.77", "peer")


@once("every message leaves a record, refused ones too")
def _(stand):
    good = adt("A01", name("rec"), name("REC"))
    with sender(stand) as s:
        s.send(good)
        s.send(good.replace(b"ADT^A01", b"ADT^A99"))
    rows = wait_until("audit", lambda: (lambda r: r if len(r) == 2 else None)(
        stand.sql("SELECT decision, status, interaction FROM "
                  "hie.v_all_audit_logs WHERE resource_id = "
                  f"'{name('rec')}' AND completed IS NOT NULL ORDER BY id")),
        30, 0.1)
    equal([r[0] for r in rows], ["permit", "deny"], "decisions")


@once("two hundred connections that say nothing are in nobody's way")
def _(stand):
    idle = [socket.create_connection(("127.0.0.1", stand.ports["mllp"]))
            for _ in range(200)]
    with sender(stand) as s:
        equal(msa(s.send(adt("A01", name("i"), name("I"))))[0], "AA", "ack")
    for s in idle:
        s.close()


main()
