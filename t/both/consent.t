#!/usr/bin/python3
"""Consent in the repository: to whom a patient's data is withheld, it does
not exist. Whatever a requester can observe is compared with that of ids that
never existed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, found, observation, patient        # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

A, B = "Organization/clinic-a", "Organization/clinic-b"
QUIET = ("date", "connection", "keep-alive", "last-modified")


def setup(s, **terms):
    """A patient with an observation; with terms: and a Consent."""
    p, o = s.id("p"), s.id("o")
    s.seed(patient(p), observation(o, p))
    if terms:
        s.seed(consent(s.id("c"), p, **terms))
    return p, o


def same(s, method, withheld, absent, token, *ids, **more):
    """Two requests, of which the second is about ids that never existed,
    must be answered alike, the ids themselves apart."""
    one = s.request(method, withheld, token=token, **more)
    two = s.request(method, absent, token=token, **more)
    equal(one.status, two.status, f"status of {method} {withheld}")
    lists = []
    for r in (one, two):
        headers = sorted((n.lower(), v) for n, v in r.headers
                         if n.lower() not in QUIET)
        body = r.body.decode()
        for i, key in enumerate(ids):
            body = body.replace(key, f"ID{i // 2}")
        lists.append((headers, body))
    equal(lists[0], lists[1], f"{method} {withheld}")
    return one


@both("a root that denies withholds all; a nested permit opens for one")
def _(s):
    p, o = setup(s, permit=[A])
    a, b, none = (s.token("system/*.rs", [A]), s.token("system/*.rs", [B]),
                  s.token("system/*.rs"))
    for path in (f"/Patient/{p}", f"/Observation/{o}",
                 f"/Patient/{p}/_history/1", f"/Consent/{s.id('c')}"):
        equal(s.get(path, token=a).status, 200, f"A {path}")
        equal(s.get(path, token=b).status, 404, f"B {path}")
        equal(s.get(path, token=none).status, 404, f"nobody {path}")
        equal(s.get(path, token=s.admin()).status, 200, f"custodian {path}")


@both("withheld and never existed look the same: read, vread, HEAD")
def _(s):
    p, o = setup(s, permit=[A])
    q, r = s.id("q"), s.id("r")
    b = s.token("system/*.cruds", [B])
    for method in ("GET", "HEAD"):
        for one, two in ((f"/Patient/{p}", f"/Patient/{q}"),
                         (f"/Observation/{o}", f"/Observation/{r}"),
                         (f"/Patient/{p}/_history/1",
                          f"/Patient/{q}/_history/1"),
                         (f"/Patient/{p}/_history/9",
                          f"/Patient/{q}/_history/9")):
            got = same(s, method, one, two, b, p, q, o, r)
            equal(got.status, 404, "status")
    same(s, "GET", f"/Patient/{p}", f"/Patient/{q}", b, p, q,
         headers=[("If-None-Match", 'W/"1"')])
    same(s, "GET", f"/Patient/{p}", f"/Patient/{q}", b, p, q,
         headers=[("If-None-Match", "*")])


@both("withheld and never existed look the same: search and counts")
def _(s):
    p, o = setup(s, permit=[A])
    q, r = s.id("q"), s.id("r")
    b = s.token("system/*.rs", [B])
    for query in ("Patient?_id={p}", "Patient?identifier={p}",
                  "Patient?_id={p}&_summary=count",
                  "Patient?identifier={p}&_total=accurate",
                  "Patient?_id={p}&_count=0", "Observation?_id={o}",
                  "Observation?patient={p}", "Observation?subject=Patient/{p}",
                  "Observation?patient={p}&_summary=count",
                  "Observation?patient={p}&code=8867-4",
                  "Consent?patient={p}"):
        got = same(s, "GET", "/" + query.format(p=p, o=o),
                   "/" + query.format(p=q, o=r), b, p, q, o, r)
        equal((got.status, found(got)), (200, []), query)
    for query, wanted in ((f"/Patient?_id={p}", [p]),
                          (f"/Observation?patient={p}", [o])):
        equal(found(s.get(query, token=s.token("system/*.rs", [A]))), wanted,
              query)


@both("the names in a search do not tell of who is withheld")
def _(s):
    p = s.id("p")
    family = "Hidden" + s.key.replace("-", "")
    s.seed(patient(p, family), consent(s.id("c"), p))
    b = s.token("system/*.rs", [B])
    for value in (family, family[:-3]):
        equal(found(s.get(f"/Patient?family={value}", token=b)), [], value)
        equal(s.get(f"/Patient?family={value}&_summary=count", token=b
                    ).json()["total"], 0, "count")


@both("pages and counts are of what is visible")
def _(s):
    p, q = s.id("p"), s.id("q")
    code = s.key
    s.seed(patient(p), patient(q), consent(s.id("c"), q, permit=[A]))
    for i in range(6):
        s.seed(observation(s.id(f"o{i}"), p if i % 2 else q, code))
    b = s.token("system/*.rs", [B])
    r = s.get(f"/Observation?code={code}&_count=3", token=b)
    equal(found(r), [s.id("o1"), s.id("o3"), s.id("o5")], "a full page")
    check("next" not in [link["relation"] for link in r.json()["link"]],
          "no next page")
    equal(s.get(f"/Observation?code={code}&_total=accurate&_count=1",
                token=b).json()["total"], 3, "total")
    equal(s.get(f"/Observation?code={code}&_summary=count",
                token=s.token("system/*.rs", [A])).json()["total"], 6, "A")


@both("what is withheld can be neither changed nor made anew")
def _(s):
    p, o = setup(s, permit=[A])
    b = s.token("system/*.cruds", [B])
    r = s.put(f"/Patient/{p}", patient(p, "Changed"), token=b)
    check(r.status in (403, 404, 409), f"status {r.status}")
    r.issue()
    equal(s.get(f"/Patient/{p}", token=s.admin()).json()["name"][0]["family"],
          "Probe", "kept")
    for match in ('W/"1"', "*", 'W/"7"'):
        # as if there were nothing that could match
        for key in (p, s.id("nothing")):
            again = s.put(f"/Patient/{key}", patient(key, "Changed"), token=b,
                          headers=[("If-Match", match)])
            equal(again.status, 412, f"If-Match {match} of {key}")
    c = s.id("c")
    r = s.put(f"/Consent/{c}", consent(c, p, base="permit"), token=b)
    check(r.status in (403, 404, 409), f"Consent: status {r.status}")
    equal(s.get(f"/Patient/{p}", token=b).status, 404, "still withheld")


@both("a change of the Consent takes effect with the next request")
def _(s):
    p, o = setup(s)
    c = s.id("c")
    b = s.token("system/*.rs", [B])
    for terms, wanted in (({}, 404), ({"permit": [B]}, 200),
                          ({"permit": [A]}, 404),
                          ({"base": "permit"}, 200),
                          ({"base": "permit", "deny": [B]}, 404),
                          ({"base": "permit", "deny": [A]}, 200),
                          ({"status": "inactive"}, 200),
                          ({"status": "entered-in-error"}, 200),
                          ({"status": "active"}, 404)):
        s.seed(consent(c, p, **terms))
        for server in ("nginx", "httpd"):
            # whichever server it was changed through
            port = s.stand.ports[server]
            from hie.web import Connection
            with Connection(port) as connection:
                for path in (f"/Patient/{p}", f"/Observation/{o}"):
                    r = connection.request(
                        "GET", "/fhir" + path,
                        [("Authorization", f"Bearer {b}")])
                    equal(r.status, wanted, f"{server} {path} {terms}")


@both("a Consent holds within its period only")
def _(s):
    p, o = setup(s)
    c = s.id("c")
    b = s.token("system/*.rs", [B])
    for period, wanted in (({"start": "2020-01-01", "end": "2021-01-01"},
                            200),
                           ({"start": "2020-01-01"}, 404),
                           ({"start": "2190-01-01"}, 200),
                           ({"end": "2190"}, 404),
                           ({"start": "2020", "end": "2190-12"}, 404)):
        s.seed(consent(c, p, period=period))
        equal(s.get(f"/Patient/{p}", token=b).status, wanted, str(period))


@both("two Consents: one that denies is enough")
def _(s):
    p, o = setup(s, base="permit")
    b = s.token("system/*.rs", [B])
    equal(s.get(f"/Patient/{p}", token=b).status, 200, "one")
    s.seed(consent(s.id("c2"), p, permit=[A]))
    equal(s.get(f"/Patient/{p}", token=b).status, 404, "two")
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [A])).status,
          200, "permitted by both")


@both("policyRule OPTOUT without a root type denies as well")
def _(s):
    p, o = setup(s)
    terms = consent(s.id("c"), p, permit=[A])
    del terms["provision"]["type"]
    s.seed(terms)
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [B])).status,
          404, "B")
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [A])).status,
          200, "A")
    terms["policyRule"]["coding"][0]["code"] = "OPTIN"
    terms["provision"] = {}
    del terms["provision"]
    s.seed(terms)
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [B])).status,
          200, "OPTIN")


@both("what is not understood in a Consent denies")
def _(s):
    p, o = setup(s)
    terms = consent(s.id("c"), p, permit=[A])
    terms["provision"]["provision"][0]["purpose"] = [{"code": "TREAT"}]
    s.seed(terms)
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [A])).status,
          404, "a permit with a purpose")
    terms = consent(s.id("c"), p, base="permit", deny=[A])
    terms["provision"]["provision"][0]["securityLabel"] = [{"code": "R"}]
    s.seed(terms)
    equal(s.get(f"/Patient/{p}", token=s.token("system/*.rs", [B])).status,
          404, "a denial with a label holds for everybody")


@both("an organisation is also known by its identifier")
def _(s):
    p, o = setup(s)
    terms = consent(s.id("c"), p)
    terms["provision"]["provision"] = [{"type": "permit", "actor": [{
        "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem"
                             "/v3-ParticipationType", "code": "IRCP"}]},
        "reference": {"identifier": {"system": "urn:o", "value": "77"}}}]}]
    s.seed(terms)
    for organization, wanted in (("urn:o|77", 200), ("urn:x|77", 404)):
        equal(s.get(f"/Patient/{p}", token=s.token(
            "system/*.rs", [organization])).status, wanted, organization)


@both("an observation of two patients is withheld for one of them")
def _(s):
    p, q = s.id("p"), s.id("q")
    s.seed(patient(p), patient(q), consent(s.id("c"), q))
    o = observation(s.id("o"), p)
    o["performer"] = [{"reference": f"Patient/{q}"}]
    s.seed(o)
    b = s.token("system/*.rs", [B])
    equal(s.get(f"/Patient/{p}", token=b).status, 200, "the one")
    equal(s.get(f"/Observation/{s.id('o')}", token=b).status, 404, "both")


@both("an old version of another patient's is withheld with that patient")
def _(s):
    p, q, o = s.id("p"), s.id("q"), s.id("o")
    s.seed(patient(p), patient(q), consent(s.id("c"), q), observation(o, q),
           observation(o, p))
    b = s.token("system/*.rs", [B])
    equal(s.get(f"/Observation/{o}", token=b).status, 200, "now")
    equal(s.get(f"/Observation/{o}/_history/2", token=b).status, 200, "2")
    equal(s.get(f"/Observation/{o}/_history/1", token=b).status, 404, "1")


@both("what belongs to no patient is visible to all")
def _(s):
    key = s.id("org")
    s.seed({"resourceType": "Organization", "id": key, "name": "x"})
    equal(s.get(f"/Organization/{key}", token=s.token("system/*.rs")).status,
          200, "read")


main()
