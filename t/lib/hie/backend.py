#!/usr/bin/python3
"""A foreign FHIR server, as simple as it can be, for what stands behind the
gateway: resources out of files, from memory; it can be told to misbehave.

    backend.py PORT FILE...

PUT /_control with a JSON object changes how it answers:
  {"mode": "normal"}      as a FHIR server should
  {"mode": "status", "status": 500}
  {"mode": "html" | "broken" | "gzip" | "close" | "short" | "wrong"}
  {"mode": "slow", "seconds": 3}
  {"mode": "raw", "body": "...", "type": "application/fhir+json"}
  {"add": [resource, ...]} puts resources into memory
GET /_control tells what it was asked since the last change."""

import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

FHIR_JSON = "application/fhir+json"
ETAG = 'W/"backend"'


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.resources = {}
        self.control = {"mode": "normal"}
        self.seen = []

    def load(self, path):
        if path.endswith(".ndjson"):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    self.add(line.strip())
            return
        with open(path, encoding="utf-8") as f:
            for entry in json.load(f)["entry"]:
                self.add(json.dumps(entry["resource"], ensure_ascii=False))

    def add(self, text):
        resource = json.loads(text)
        self.resources[resource["resourceType"], resource["id"]] = (
            resource, text)


STATE = State()


def subject_of(resource):
    for name in ("subject", "patient"):
        if name in resource:
            return resource[name].get("reference", "")
    return ""


def matches(resource, query):
    for name, values in query.items():
        wanted = values[0].split(",")
        if name in ("patient", "subject"):
            got = subject_of(resource)
            if got not in wanted and got.rpartition("/")[2] not in wanted:
                return False
        elif name == "_id" and resource["id"] not in wanted:
            return False
    return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *unused):
        pass

    def answer(self, status, body, kind=FHIR_JSON, **headers):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Backend-Secret", "never passed on")
        self.send_header("ETag", ETAG)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def outcome(self, status, text):
        self.answer(status, json.dumps({
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": "processing",
                       "diagnostics": text}]}))

    def do_PUT(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.path != "/_control":
            return self.outcome(405, "read-only")
        control = json.loads(body)
        with STATE.lock:
            for resource in control.pop("add", []):
                STATE.add(json.dumps(resource, ensure_ascii=False))
            if control:
                STATE.control = control
            STATE.seen = []
        return self.answer(200, "{}")

    do_POST = do_PUT

    def do_GET(self):
        if self.path == "/_control":
            return self.answer(200, json.dumps(STATE.seen))
        with STATE.lock:
            STATE.seen.append(
                [self.command, self.path,
                 {k.lower(): v for k, v in self.headers.items()}])
            control = STATE.control
        return self.misbehave(control) or self.serve()

    do_HEAD = do_GET

    def misbehave(self, control):
        mode = control["mode"]
        if mode == "normal":
            return False
        if mode == "slow":
            time.sleep(control["seconds"])
            return False
        if mode == "status":
            self.outcome(control["status"],
                         "Patient/sample-4 Withheld, Dana: internal")
        elif mode == "html":
            self.answer(200, "<html>Patient sample-4</html>", "text/html")
        elif mode == "broken":
            self.answer(200, '{"resourceType": "Patient", "id": "sample-4"')
        elif mode == "gzip":
            self.answer(200, gzip.compress(self.find(
                *self.path.strip("/").split("/")[:2]).encode()),
                Content_Encoding="gzip")
        elif mode == "raw":
            self.answer(200, control["body"], control.get("type", FHIR_JSON))
        elif mode == "short":
            self.send_response(200)
            self.send_header("Content-Type", FHIR_JSON)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"resourceType":"Patient"')
            self.close_connection = True
        elif mode == "close":
            self.close_connection = True
        return True

    def find(self, kind, key):
        with STATE.lock:
            found = STATE.resources.get((kind, key))
        return found[1] if found else None

    def serve(self):
        url = urlsplit(self.path)
        parts = [p for p in url.path.split("/") if p]
        if parts == ["metadata"]:
            return self.answer(200, json.dumps({
                "resourceType": "CapabilityStatement", "status": "active",
                "kind": "instance", "fhirVersion": "4.0.1"}))
        if len(parts) == 1:
            return self.search(parts[0], parse_qs(url.query))
        if len(parts) in (2, 4):
            text = self.find(parts[0], parts[1])
            if text and self.headers.get("If-None-Match") == ETAG:
                return self.answer(304, b"")
            if text:
                return self.answer(200, text)
        return self.outcome(404, f"{self.path} is not here")

    def search(self, kind, query):
        with STATE.lock:
            texts = [text for (t, _), (r, text)
                     in sorted(STATE.resources.items(), key=lambda e: e[0])
                     if t == kind and matches(r, query)]
        base = f"http://{self.headers.get('Host')}"
        entries = ",".join('{"fullUrl":"%s/%s/%s","resource":%s,"search":'
                           '{"mode":"match"}}'
                           % (base, kind, json.loads(t)["id"], t)
                           for t in texts)
        return self.answer(200, '{"resourceType":"Bundle","type":"searchset",'
                           '"total":%d,"link":[{"relation":"self","url":'
                           '"%s%s"}],"entry":[%s]}'
                           % (len(texts), base, self.path, entries))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """Clients that went away are none of our business."""


def main():
    for path in sys.argv[2:]:
        STATE.load(path)
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
