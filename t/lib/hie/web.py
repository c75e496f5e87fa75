"""A small HTTP/1.1 client that shows what is on the wire, and sends what it
is told to, right or wrong."""

import json
import socket
import ssl


class Broken(Exception):
    """The peer closed the connection, or sent no HTTP."""


class Response:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason = status, reason
        self.headers, self.body = headers, body

    def get(self, name):
        """The value of a header, several joined by a comma, or None."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)

    def issue(self):
        """The first issue of an OperationOutcome, which it must be."""
        outcome = self.json()
        if outcome.get("resourceType") != "OperationOutcome":
            raise AssertionError(f"{self.status} with a "
                                 f"{outcome.get('resourceType')}")
        return outcome["issue"][0]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Connection:
    def __init__(self, port, timeout=20, tls=None, host="127.0.0.1"):
        self.port, self.timeout, self.tls, self.host = port, timeout, tls, host
        self.socket = None
        self.rest = b""

    def connect(self):
        s = socket.create_connection((self.host, self.port), self.timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            s = self.tls.wrap_socket(s, server_hostname="localhost")
        self.socket, self.rest = s, b""

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, method, target, headers=(), body=None):
        """`headers`: pairs, sent as they are; Host and Content-Length are
        added where they are not among them."""
        if self.socket is None:
            self.connect()
        names = {n.lower() for n, _ in headers}
        lines = [f"{method} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {self.host}:{self.port}")
        lines += [f"{n}: {v}" for n, v in headers]
        if (body is not None and "content-length" not in names
                and "transfer-encoding" not in names):
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode()
                            + (body or b""))

    def _more(self):
        try:
            data = self.socket.recv(262144)
        except (ConnectionError, ssl.SSLError) as e:
            raise Broken(str(e)) from e
        if not data:
            raise Broken("closed by the server")
        self.rest += data

    def _line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line.decode("latin-1")

    def _take(self, count):
        while len(self.rest) < count:
            self._more()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def receive(self, method="GET"):
        version, _, status = self._line().partition(" ")
        if not version.startswith("HTTP/1."):
            raise Broken(f"no HTTP: {version[:40]!r}")
        code, _, reason = status.partition(" ")
        headers = []
        while True:
            line = self._line()
            if not line:
                break
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        r = Response(int(code), reason, headers, b"")
        if r.status == 100:
            return self.receive(method)
        if method == "HEAD" or r.status in (204, 304):
            pass
        elif "chunked" in (r.get("Transfer-Encoding") or ""):
            while True:
                size = int(self._line().split(";")[0], 16)
                r.body += self._take(size)
                self._line()
                if size == 0:
                    break
        elif r.get("Content-Length") is not None:
            r.body = self._take(int(r.get("Content-Length")))
        else:
            try:
                while True:
                    self._more()
            except Broken:
                r.body, self.rest = self.rest, b""
        if "close" in (r.get("Connection") or "").lower():
            self.close()
        return r

    def request(self, method, target, headers=(), body=None):
        """One exchange. A connection that was closed while it was idle is
        opened again."""
        used = self.socket is not None
        try:
            self.send(method, target, headers, body)
            return self.receive(method)
        except (Broken, BrokenPipeError, ConnectionResetError):
            self.close()
            if not used:
                raise
        self.send(method, target, headers, body)
        return self.receive(method)


def tls_context(ca, cert=None, key=None, alpn=None):
    context = ssl.create_default_context(cafile=str(ca))
    if cert:
        context.load_cert_chain(str(cert), str(key))
    if alpn:
        context.set_alpn_protocols(alpn)
    return context
