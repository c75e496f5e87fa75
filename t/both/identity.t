#!/usr/bin/python3
"""Who is asking: tokens, scopes, and the loopback location without."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.keys import ISSUER, RSA_ISSUER, claims                  # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

READ = "system/*.rs"


def unauthenticated(r, sent=True):
    equal(r.status, 401, "status")
    equal(r.issue()["severity"], "error", "severity")
    wanted = 'Bearer realm="hie"' + (', error="invalid_token"' if sent
                                     else "")
    equal(r.get("WWW-Authenticate"), wanted, "challenge")


def bearer(s, token, path="/Patient/x"):
    return s.get(path, headers=[("Authorization", f"Bearer {token}")])


@both("no token is 401, whatever is asked")
def _(s):
    for method, path in (("GET", "/Patient/x"), ("GET", "/Patient"),
                         ("GET", "/Nonsense"), ("DELETE", "/Patient/x"),
                         ("POST", "/Patient"), ("POST", ""),
                         ("PUT", "/Patient/x"), ("HEAD", "/Patient/x")):
        r = s.request(method, path, token=False,
                      body={"resourceType": "Patient", "id": "x"}
                      if method in ("POST", "PUT") else None)
        equal(r.status, 401, f"{method} {path}")
        equal(r.get("WWW-Authenticate"), 'Bearer realm="hie"', "challenge")
        if method != "HEAD":
            r.issue()


@both("an ES256 and an RS256 token of trusted issuers pass")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    equal(bearer(s, s.token(READ), f"/Patient/{key}").status, 200, "ES256")
    rsa = s.stand.sign("rs256", {"alg": "RS256"},
                       claims(s.subject, READ, issuer=RSA_ISSUER))
    equal(bearer(s, rsa, f"/Patient/{key}").status, 200, "RS256")


@both("hiectl signs tokens that pass")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    token = s.stand.hiectl("token", "--subject", s.subject, "--scope", READ,
                           "--organization", "Organization/clinic-a",
                           "--expires", "60").strip()
    equal(bearer(s, token, f"/Patient/{key}").status, 200, "read")
    check("." in token and " " not in token, "one line")


@both("tokens that are wrong are 401 and never echoed")
def _(s):
    good = claims(s.subject, READ)
    es = {"alg": "ES256", "typ": "at+jwt"}
    sign = s.stand.sign
    now = int(time.time())
    valid = sign("es256", es, good)
    head, body, signature = valid.split(".")
    tokens = {
        "garbage": "garbage",
        "empty parts": "..",
        "expired": sign("es256", es, good | {"exp": now - 60}),
        "not yet": sign("es256", es, good | {"nbf": now + 600}),
        "no exp": sign("es256", es, {k: v for k, v in good.items()
                                     if k != "exp"}),
        "other audience": sign("es256", es, good | {"aud": "https://x"}),
        "no audience": sign("es256", es, {k: v for k, v in good.items()
                                          if k != "aud"}),
        "other issuer": sign("es256", es, good | {"iss": "https://x"}),
        "no issuer": sign("es256", es, {k: v for k, v in good.items()
                                        if k != "iss"}),
        "alg none": sign("es256", {"alg": "none"}, good),
        "alg none, signed": sign("es256", {"alg": "none"}, good) + signature,
        "HS256 with the public key": sign("es256", {"alg": "HS256"}, good),
        "algorithm of the other issuer": sign("rs256", {"alg": "RS256"},
                                              good),
        "another key": sign("stranger", es, good),
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "cut": valid[:-4],
        "crit": sign("es256", es | {"crit": ["x"], "x": 1}, good),
        "lower case name": sign("es256", {"alg": "es256"}, good),
    }
    for name, token in tokens.items():
        r = bearer(s, token)
        equal(r.status, 401, name)
        unauthenticated(r)
        check(token.encode() not in r.body, f"{name}: the token is echoed")
    for value in ("Basic dTpw", "Bearer", "Bearer ", f"bearer: {valid}",
                  f"Bearer {valid} x", valid):
        r = s.get("/Patient/x", headers=[("Authorization", value)])
        equal(r.status, 401, value[:10])


@both("a list of audiences, and a scheme in any case, are fine")
def _(s):
    token = s.token(READ, aud=["https://x", claims("x", "x")["aud"]])
    equal(bearer(s, token, "/Patient?_id=none").status, 200, "list")
    equal(s.get("/Patient?_id=none", headers=[
        ("Authorization", f"bEARER {token}")]).status, 200, "case")


@both("two Authorization headers are refused")
def _(s):
    token = s.token(READ)
    r = s.get("/Patient?_id=x", headers=[("Authorization", f"Bearer {token}"),
                                         ("Authorization", "Bearer x")],
              note=False)
    check(r.status in (400, 401), f"status {r.status}")


@both("a token in the query or in the body is no token")
def _(s):
    equal(s.get(f"/Patient?access_token={s.token(READ)}", token=False,
                note=False).status, 401, "query")


@both("scopes decide what may be done")
def _(s):
    key = s.id("p")
    s.seed(patient(key))
    body = patient(key)
    tries = {"read": ("GET", f"/Patient/{key}", None),
             "search": ("GET", f"/Patient?_id={key}", None),
             "create": ("POST", "/Patient", body),
             "update": ("PUT", f"/Patient/{key}", body)}
    for scope, allowed in (("system/*.cruds", set(tries)),
                           ("system/Patient.r", {"read"}),
                           ("system/Patient.s", {"search"}),
                           ("user/Patient.rs", {"read", "search"}),
                           ("system/Patient.cu", {"create", "update"}),
                           ("system/Patient.read", {"read", "search"}),
                           ("system/Observation.cruds", set()),
                           ("patient/Patient.rs", set()),
                           ("openid fhirUser", set()), ("", set()),
                           ("hie/admin", set()),
                           ("system/patient.rs", set()),
                           ("system/*.rs system/Patient.c",
                            {"read", "search", "create"})):
        token = s.token(scope)
        for name, (method, path, content) in tries.items():
            r = s.request(method, path, content, token=token)
            if name in allowed:
                check(r.status in (200, 201), f"{scope!r} {name}: {r}")
            else:
                equal(r.status, 403, f"{scope!r} {name}")
                equal(r.issue()["code"], "forbidden", "issue type")
                equal(r.get("WWW-Authenticate"), 'Bearer realm="hie", '
                      'error="insufficient_scope"', "challenge")


@both("only an issuer that may administer makes administrators")
def _(s):
    from hie.fhir import consent
    key = s.id("p")
    s.seed(patient(key), consent(s.id("c"), key))
    admin = "hie/admin system/*.rs"
    equal(bearer(s, s.token(admin), f"/Patient/{key}").status, 200, "trusted")
    rsa = s.stand.sign("rs256", {"alg": "RS256"},
                       claims(s.subject, admin, issuer=RSA_ISSUER))
    equal(bearer(s, rsa, f"/Patient/{key}").status, 404, "not trusted")
    equal(s.stand.audit(s.subject, 2)[-1]["issuer"], RSA_ISSUER, "issuer")
    check(ISSUER != RSA_ISSUER, "issuers")


@both("the loopback location needs no token and is the local subject")
def _(s):
    key = s.id("p")
    r = s.put(f"/Patient/{key}", patient(key), kind="local", token=False)
    equal(r.status, 201, "put")
    equal(s.get(f"/Patient/{key}", kind="local", token=False).status, 200,
          "read")
    rows = [row for row in s.stand.audit("local")
            if row["resource_id"] == key]
    for _ in range(50):
        if len(rows) == 2:
            break
        time.sleep(0.1)
        rows = [row for row in s.stand.audit("local")
                if row["resource_id"] == key]
    equal([row["interaction"] for row in rows], ["update", "read"], "audit")
    equal(rows[0]["issuer"], "local", "issuer")


@both("the loopback location is no administrator: consent holds")
def _(s):
    from hie.fhir import consent
    key = s.id("p")
    s.seed(patient(key), consent(s.id("c"), key))
    equal(s.get(f"/Patient/{key}", kind="local", token=False).status, 404,
          "withheld")


main()
