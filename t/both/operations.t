#!/usr/bin/python3
"""Operations: where they are, how they are called, $meta."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent, observation, patient               # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402


def meta(s, path, **more):
    r = s.get(path, **more)
    equal(r.status, 200, path)
    body = r.json()
    equal(body["resourceType"], "Parameters", "type")
    equal([p["name"] for p in body["parameter"]], ["return"], "name")
    return body["parameter"][0]["valueMeta"]


@both("an operation that there is not, or not there, is 404")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    for path in ("/$nonsense", "/Patient/$nonsense", f"/Patient/{p}/$x",
                 "/$everything", "/Observation/$everything", "/$",
                 f"/Observation/{p}/$everything", "/Encounter/$everything",
                 f"/Patient/{p}/$", f"/Patient/{p}/$meta/x",
                 f"/Patient/{p}/_history/1/$everything"):
        for method in ("GET", "POST", "HEAD"):
            r = s.request(method, path)
            equal(r.status, 404, f"{method} {path}")
            if method != "HEAD":
                equal(r.issue()["code"], "not-found", path)


@both("methods of an operation that changes nothing")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    for method in ("PUT", "DELETE", "PATCH"):
        r = s.request(method, f"/Patient/{p}/$meta")
        equal(r.status, 405, method)
        equal(r.get("Allow"), "GET, HEAD, POST, OPTIONS", "Allow")
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 200)):
        equal(s.request(method, f"/Patient/{p}/$meta").status, status, method)
    r = s.request("OPTIONS", f"/Patient/{p}/$meta", token=False)
    equal((r.status, r.get("Allow")), (204, "GET, HEAD, POST, OPTIONS"),
          "OPTIONS")
    equal(s.get(f"/Patient/{p}/$meta", token=False).status, 401, "no token")


@both("$meta of a resource is its meta")
def _(s):
    p = s.id("p")
    sent = patient(p)
    sent["meta"] = {"profile": ["http://example.org/p"],
                    "tag": [{"system": "urn:t", "code": "a",
                             "display": "A"}]}
    s.seed(sent)
    got = meta(s, f"/Patient/{p}/$meta")
    equal(got, s.get(f"/Patient/{p}", note=False).json()["meta"], "meta")
    equal(got["tag"][0]["display"], "A", "all of it")
    equal(s.get(f"/Patient/{s.id('none')}/$meta").status, 404, "unknown")
    equal(s.get(f"/Patient/{p}/$meta?x=1").status, 400, "parameter")
    equal(s.get(f"/Patient/{p}/$meta", token=s.token("system/Patient.s")
                ).status, 403, "scope")


def tagged(resource, code, profile=None):
    labels = [{"system": "urn:tag", "code": code, "display": "not shown"}]
    resource["meta"] = {"tag": labels, "security": [
        {"system": "urn:sec", "code": code}]}
    if profile:
        resource["meta"]["profile"] = [profile]
    return resource


@both("$meta of a type and of the system: the labels in use, each once")
def _(s):
    p, o = s.id("p"), s.id("o")
    url = f"http://example.org/{s.key}"
    s.seed(tagged(patient(p), s.key, url), tagged(patient(s.id("q")), s.key),
           tagged(observation(o, p), "obs-" + s.key))

    def mine(path, **more):
        got = meta(s, path, note=False, **more)
        return {kind: [v for v in got.get(kind, []) if s.key in str(v)]
                for kind in ("profile", "security", "tag")}

    tag = {"system": "urn:tag", "code": s.key}
    security = {"system": "urn:sec", "code": s.key}
    equal(mine("/Patient/$meta"), {"profile": [url], "security": [security],
                                   "tag": [tag]}, "Patient")
    other = {"system": "urn:tag", "code": "obs-" + s.key}
    equal(mine("/Observation/$meta")["tag"], [other], "Observation")
    equal(mine("/$meta")["tag"], [other, tag], "system, sorted")
    equal(mine("/$meta", token=s.token("system/Observation.rs"))["tag"],
          [other], "of the types that may be read")
    equal(s.get("/Patient/$meta", token=s.token("system/Observation.rs")
                ).status, 403, "scope")
    s.seed(patient(p), patient(s.id("q")))
    equal(mine("/Patient/$meta"), {"profile": [], "security": [], "tag": []},
          "not in use any more")


@both("labels of withheld patients do not show")
def _(s):
    p, o = s.id("p"), s.id("o")
    s.seed(tagged(patient(p), s.key), tagged(observation(o, p), s.key),
           consent(s.id("c"), p, permit=["Organization/a"]))
    for name, count in (("a", 1), ("b", 0)):
        token = s.token("system/*.rs", [f"Organization/{name}"])
        for path in ("/Patient/$meta", "/Observation/$meta", "/$meta"):
            text = str(meta(s, path, token=token, note=False))
            equal(s.key in text, bool(count), f"{name}: {path}")
        equal(s.get(f"/Patient/{p}/$meta", token=token).status,
              200 if count else 404, f"{name}: instance")
    q = s.id("q")
    s.seed(tagged(patient(q), s.key))
    check(s.key in str(meta(s, "/Patient/$meta", note=False,
                            token=s.token("system/*.rs",
                                          ["Organization/b"]))),
          "one that is visible is enough")


def labels(**lists):
    return {"resourceType": "Parameters",
            "parameter": [{"name": "meta", "valueMeta": lists}]}


@both("$meta-add and $meta-delete make versions, by POST only")
def _(s):
    p = s.id("p")
    s.seed(patient(p))
    a, b = ({"system": "urn:tag", "code": f"{c}-{s.key}"} for c in "ab")
    for name in ("meta-add", "meta-delete"):
        for method in ("GET", "PUT"):
            r = s.request(method, f"/Patient/{p}/${name}")
            equal(r.status, 405, method)
            equal(r.get("Allow"), "POST, OPTIONS", "Allow")
    r = s.post(f"/Patient/{p}/$meta-add", labels(tag=[a, b]))
    equal((r.status, r.get("ETag")), (200, 'W/"2"'), "add")
    equal(r.json()["parameter"][0]["valueMeta"]["tag"], [a, b], "tags")
    equal(meta(s, f"/Patient/{p}/$meta")["tag"], [a, b], "$meta")
    check(a in meta(s, "/Patient/$meta", note=False)["tag"], "of the type")
    r = s.post(f"/Patient/{p}/$meta-delete", labels(tag=[a]))
    equal(r.json()["parameter"][0]["valueMeta"]["tag"], [b], "delete")
    check(a not in meta(s, "/Patient/$meta", note=False)["tag"], "gone")
    h = s.get(f"/Patient/{p}/_history").json()["entry"]
    equal([e["response"]["etag"] for e in h],
          ['W/"3"', 'W/"2"', 'W/"1"'], "versions")
    equal(s.post(f"/Patient/{p}/$meta-add", labels(tag=[a]),
                 token=s.token("system/*.rs")).status, 403, "scope")
    equal(s.post(f"/Patient/{s.id('none')}/$meta-add", labels(tag=[a])
                 ).status, 404, "unknown")
    equal(s.post("/Patient/$meta-add", labels(tag=[a])).status, 404, "type")


def outcome(r):
    equal(r.status, 200, "status")
    body = r.json()
    equal(body["resourceType"], "OperationOutcome", "type")
    return [(i["severity"], i["code"]) for i in body["issue"]]


def errors(r):
    return [i for i in outcome(r) if i[0] in ("error", "fatal")]


@both("$validate: all that is wrong, or that nothing is")
def _(s):
    good = patient("x", value=s.id("v"))
    wrong = {"resourceType": "Patient", "gender": "other-than",
             "birthDate": "2020-13-45", "nonsense": 1}
    equal(errors(s.post("/Patient/$validate", good)), [], "good")
    check(len(errors(s.post("/Patient/$validate", wrong))) >= 3, "all issues")
    equal(s.get(f"/Patient?identifier={s.id('v')}").json()["total"], 0,
          "nothing is stored")
    for resource, count in ((good, 0), (wrong, 3)):
        body = {"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": resource},
            {"name": "mode", "valueCode": "create"}]}
        found = len(errors(s.post("/Patient/$validate", body)))
        check(found == 0 if count == 0 else found >= count, f"{found}")
    check(errors(s.post("/Observation/$validate", good)), "another type")
    check(errors(s.post("/Patient/$validate?profile=http://example.org/none",
                        good)), "an unknown profile")
    for method, path, body in (
            ("POST", "/Patient/$validate", "{"),
            ("POST", "/Patient/$validate?mode=x", good),
            ("POST", "/Patient/$validate?x=1", good),
            ("GET", "/Patient/$validate", None),
            ("POST", "/Patient/$validate",
             {"resourceType": "Parameters", "parameter": [{"name": "x"}]})):
        equal(s.request(method, path, body).status, 400, f"{path} {body}")
    equal(s.post("/Patient/$validate", good,
                 token=s.token("system/Observation.cruds")).status, 403,
          "scope")


@both("$validate: what a write would be refused for beyond validation")
def _(s):
    refused = (
        {"resourceType": "Binary", "contentType": "text/plain",
         "securityContext": {"reference": "http://example.org/x/Patient/1"}},
        {"resourceType": "Binary", "contentType": "text/plain",
         "securityContext": {"identifier": {"value": "x"}}},
        {k: v for k, v in consent("x", "p").items() if k != "id"}
        | {"patient": {"reference": "http://example.org/x/Patient/1"}})
    for resource in refused:
        kind = resource["resourceType"]
        write = s.post(f"/{kind}", resource, note=False)
        equal(write.status, 422, f"{write.body}")
        issue = write.json()["issue"][0]
        for body in (resource, {"resourceType": "Parameters", "parameter": [
                {"name": "resource", "resource": resource}]}):
            r = s.post(f"/{kind}/$validate", body)
            equal([i for i in r.json()["issue"]
                   if i["severity"] == "error"], [issue], "the same issue")
    both = refused[2] | {"language": 1}
    found = [i.get("expression") for i in
             s.post("/Consent/$validate", both).json()["issue"]
             if i["severity"] in ("error", "fatal")]
    check(["Consent.language"] in found and ["Consent.patient"] in found,
          f"beside the others: {found}")
    equal([i for i in outcome(s.post("/Binary/$validate?mode=profile",
                                     refused[0])) if i[0] == "error"], [],
          "by profiles only")


@both("$validate of what is stored, and for update and delete")
def _(s):
    p = s.id("p")
    s.seed(patient(p), consent(s.id("c"), p, permit=["Organization/a"]))
    a, b = (s.token("system/*.cruds", [f"Organization/{n}"]) for n in "ab")
    path = f"/Patient/{p}/$validate"
    equal(errors(s.get(path, token=a)), [], "stored")
    equal(errors(s.get(path + "?mode=delete", token=a)), [], "delete")
    check(errors(s.get(path + "?mode=delete",
                       token=s.token("system/*.rs", ["Organization/a"]))),
          "may not delete")
    equal(errors(s.post(path + "?mode=update", patient(p), token=a)), [],
          "update")
    check(errors(s.post(path + "?mode=update", patient("other"), token=a)),
          "another id")
    for query in ("", "?mode=delete"):
        equal(s.get(path + query, token=b).status, 404, f"withheld {query}")
        equal(s.get(f"/Patient/{s.id('none')}/$validate{query}").status, 404,
              "unknown")


main()
