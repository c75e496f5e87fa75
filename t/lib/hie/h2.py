"""Just enough HTTP/2 (RFC 9113) for one request at a time: header fields are
sent as literals (RFC 7541 section 6.2.2), of the answer only :status and the
data are looked at."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
STATIC = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def text(value):
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, out = len(data) - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest]) + data


class Connection:
    def __init__(self, sock):
        self.socket = sock
        self.stream = -1
        self.rest = b""
        sock.sendall(PREFACE + self.frame(SETTINGS, 0, 0, b"")
                     + self.frame(WINDOW, 0, 0, struct.pack(">I", 1 << 30)))

    @staticmethod
    def frame(kind, flags, stream, payload):
        return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
                + struct.pack(">I", stream) + payload)

    def send(self, method, path, headers=()):
        self.stream += 2
        fields = [(":method", method), (":scheme", "https"),
                  (":authority", "localhost"), (":path", path), *headers]
        block = b"".join(b"\0" + text(n.lower()) + text(v)
                         for n, v in fields)
        self.socket.sendall(self.frame(HEADERS, 5, self.stream, block))
        return self.stream

    def reset(self, stream):
        self.socket.sendall(self.frame(RST, 0, stream,
                                       struct.pack(">I", 8)))

    def read(self, count):
        while len(self.rest) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.rest += data
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def receive(self, stream):
        """Status (0 if it is no usual one) and body of a stream."""
        status, body = 0, b""
        while True:
            head = self.read(9)
            length = int.from_bytes(head[:3], "big")
            kind, flags = head[3], head[4]
            at = int.from_bytes(head[5:9], "big") & 0x7fffffff
            payload = self.read(length)
            if kind == SETTINGS and not flags & 1:
                self.socket.sendall(self.frame(SETTINGS, 1, 0, b""))
            elif kind == PING and not flags & 1:
                self.socket.sendall(self.frame(PING, 1, 0, payload))
            elif kind == GOAWAY:
                raise EOFError
            elif at == stream and kind == RST:
                return -1, body
            elif at == stream and kind == HEADERS:
                status = self.status(payload)
                if flags & 1:
                    return status, body
            elif at == stream and kind == DATA:
                body += payload
                if length:
                    grant = struct.pack(">I", length)
                    self.socket.sendall(self.frame(WINDOW, 0, stream, grant))
                if flags & 1:
                    return status, body

    @staticmethod
    def status(block):
        # after changes of the table's size
        while block and block[0] & 0xe0 == 0x20:
            block = block[1:]
        if block and block[0] & 0x80:
            return STATIC.get(block[0] & 0x7f, 0)
        return 0
