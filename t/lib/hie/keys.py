"""Keys, certificates and tokens, made with the openssl program."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path

from .process import WWW, own, run

AUDIENCE = "https://hie.example.org/fhir"
ISSUER = "https://login.example.org"           # ES256, may administer
RSA_ISSUER = "https://partner.example.org"     # RS256, may not


def create_keys(directory):
    """Signing keys with their public halves, a CA, a server and two client
    certificates, of which the second is by another CA."""
    d = Path(directory)
    if (d / "done").exists():
        return
    d.mkdir(exist_ok=True)

    for name in ("es256", "stranger"):
        run("key", ["openssl", "ecparam", "-name", "prime256v1", "-genkey",
                    "-noout", "-out", d / f"{name}.pem"])
    run("key", ["openssl", "genrsa", "-out", d / "rs256.pem", "2048"])
    for name in ("es256", "rs256"):
        run("key", ["openssl", "pkey", "-in", d / f"{name}.pem", "-pubout",
                    "-out", d / f"{name}.pub.pem"])

    for ca in ("ca", "other-ca"):
        run("certificate",
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", f"/O=Example Exchange/CN={ca}", "-keyout",
             d / f"{ca}.key", "-out", d / f"{ca}.crt"])
    issue(d, "ca", "server", "/CN=localhost")
    issue(d, "ca", "client", "/O=General Hospital/CN=adt.example.org")
    issue(d, "other-ca", "other-client", "/O=Nobody/CN=nobody.example.org")

    # hiectl runs as the servers' user, and signs.
    for path in d.iterdir():
        own(path, WWW, 0o600 if path.suffix in (".key", ".pem")
            and not path.name.endswith(".pub.pem") else 0o644)
    (d / "done").touch()


def issue(d, ca, name, subject):
    run("certificate",
        ["openssl", "req", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
         "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr"])
    extensions = d / f"{name}.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("certificate",
        ["openssl", "x509", "-req", "-in", d / f"{name}.csr", "-CA",
         d / f"{ca}.crt", "-CAkey", d / f"{ca}.key", "-CAcreateserial",
         "-days", "30", "-extfile", extensions, "-out", d / f"{name}.crt"])


def b64(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_ecdsa(der):
    """The two integers of a DER signature as RFC 7518 section 3.4 wants
    them: 32 bytes each."""
    at, numbers = 2 + (der[1] & 0x80 and der[1] & 0x7f), b""
    for _ in range(2):
        length = der[at + 1]
        number = der[at + 2:at + 2 + length].lstrip(b"\0")
        numbers += number.rjust(32, b"\0")
        at += 2 + length
    return numbers


def sign(directory, key, header, claims):
    """A JWS in compact form; `header["alg"]` says how it is made."""
    text = f"{b64(header)}.{b64(claims)}".encode()
    alg = header.get("alg")
    if alg == "none":
        return text.decode() + "."
    if alg == "HS256":
        # with the bytes of the public key file as the secret: the classic
        secret = (Path(directory) / f"{key}.pub.pem").read_bytes()
        return text.decode() + "." + b64(hmac.new(secret, text,
                                                  hashlib.sha256).digest())
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign",
                          Path(directory) / f"{key}.pem"], input=text,
                         stdout=subprocess.PIPE, check=True).stdout
    return text.decode() + "." + b64(raw_ecdsa(der) if alg == "ES256" else der)


def claims(subject, scope, organizations=(), seconds=3600, issuer=ISSUER,
           **more):
    now = int(time.time())
    c = {"iss": issuer, "sub": subject, "aud": AUDIENCE, "iat": now,
         "exp": now + seconds, "scope": scope}
    if organizations:
        c["organizations"] = list(organizations)
    c.update(more)
    return {k: v for k, v in c.items() if v is not None}
