"""An MLLP sender."""

import re
import socket
import ssl

START, END = b"\x0b", b"\x1c\r"


def frame(message):
    return START + message + END


class Sender:
    def __init__(self, port, timeout=20, tls=None, proxy=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy:
            self.socket.sendall(proxy)
        if tls:
            self.socket = tls.wrap_socket(self.socket,
                                          server_hostname="localhost")
        self.rest = b""

    def receive(self):
        """The next frame's content; None when the peer has closed."""
        while END not in self.rest:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not data:
                return None
            self.rest += data
        one, _, self.rest = self.rest.partition(END)
        if not one.startswith(START):
            raise AssertionError(f"no frame: {one[:40]!r}")
        return one[1:]

    def send(self, message):
        """One message; its acknowledgement."""
        self.socket.sendall(frame(message))
        return self.receive()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def msa(ack):
    """MSA-1 and MSA-2 of an acknowledgement."""
    if ack is None:
        return (None, None)
    for segment in ack.split(b"\r"):
        if segment.startswith(b"MSA"):
            fields = segment.split(segment[3:4])
            return (fields[1].decode(), fields[2].decode())
    return (None, None)


def messages(data):
    """The messages of a file: each from its MSH (batch and file headers are
    left out), with CR at the ends of the segments."""
    data = data.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    data = data.replace(START, b"").replace(b"\x1c", b"")
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    found = []
    for part in re.split(rb"(?:^|\r)(?=MSH.)", data):
        if part.startswith(b"MSH"):
            part = re.split(rb"\r(?=(?:BTS|FTS|BHS|FHS).)", part)[0]
            found.append(part.rstrip(b"\r") + b"\r")
    return found
