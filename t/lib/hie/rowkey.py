"""The key of a row: SipHash-2-4 of type and id (hie_fhir_resource_key), for
rows that are looked up, or made, by SQL."""

MASK = (1 << 64) - 1
KEY = (0x6569682d68617368, 0x76312d6b65792d31)


def rounds(v, n):
    a, b, c, d = v
    for _ in range(n):
        a = (a + b) & MASK
        c = (c + d) & MASK
        b = ((b << 13 | b >> 51) & MASK) ^ a
        d = ((d << 16 | d >> 48) & MASK) ^ c
        a = (a << 32 | a >> 32) & MASK
        c = (c + b) & MASK
        a = (a + d) & MASK
        b = ((b << 17 | b >> 47) & MASK) ^ c
        d = ((d << 21 | d >> 43) & MASK) ^ a
        c = (c << 32 | c >> 32) & MASK
    return a, b, c, d


def siphash(data):
    v = (KEY[0] ^ 0x736f6d6570736575, KEY[1] ^ 0x646f72616e646f6d,
         KEY[0] ^ 0x6c7967656e657261, KEY[1] ^ 0x7465646279746573)
    padded = data + b"\0" * (7 - len(data) % 8) + bytes((len(data) & 255,))
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i:i + 8], "little")
        a, b, c, d = rounds((*v[:3], v[3] ^ word), 2)
        v = a ^ word, b, c, d
    a, b, c, d = rounds((*v[:2], v[2] ^ 255, v[3]), 4)
    return a ^ b ^ c ^ d


def row_key(kind, key):
    """As bigint has it."""
    value = siphash(kind.encode() + b"\xff" + key.encode() + b"\xff")
    return value - (1 << 64) if value >> 63 else value
