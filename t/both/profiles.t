#!/usr/bin/python3
"""Profiles of the directory and profiles that are stored: what names them must
meet them."""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import patient                                     # noqa: E402
from hie.process import SHARED                                   # noqa: E402
from hie.stand import SERVERS                                    # noqa: E402
from hie.tap import both, check, equal, main, own_stand, started  # noqa: E402
from hie.web import Connection                                   # noqa: E402

PROFILE = "http://example.org/StructureDefinition/born"
US_CORE = SHARED / "data" / "us-core" / "6.1.0"


def element(path, low, high="*", **more):
    return {"id": path, "path": path, "definition": "x", "min": low,
            "max": high, "base": {"path": path, "min": 0, "max": "*"}, **more}


def born():
    """A Patient whose date of birth is known, and who has one name."""
    return {"resourceType": "StructureDefinition", "url": PROFILE,
            "name": "Born", "status": "active", "kind": "resource",
            "abstract": False, "type": "Patient", "derivation": "constraint",
            "fhirVersion": "4.0.1", "baseDefinition":
            "http://hl7.org/fhir/StructureDefinition/Patient",
            "snapshot": {"element": [
                element("Patient", 0, constraint=[{
                    "key": "born-1", "severity": "error",
                    "human": "A day of birth, not a year",
                    "expression": "birthDate.toString().length() = 10"}]),
                element("Patient.birthDate", 1, "1",
                        type=[{"code": "date"}]),
                element("Patient.name", 0, "1",
                        type=[{"code": "HumanName"}])]}}


def claims(key, **more):
    return patient(key, meta={"profile": [PROFILE]}, **more)


@both("a profile that meta names is enforced, all of it is told")
def _(s):
    key = s.id("p")
    equal(s.put(f"/Patient/{key}", claims(key, birthDate="2000-01-02")).status,
          201, "good")
    r = s.put(f"/Patient/{key}", claims(key, birthDate="2000"))
    equal(r.status, 422, "a year")
    check("born-1" in r.body.decode(), r.body.decode())
    wrong = claims(key)
    wrong["name"] *= 2
    r = s.put(f"/Patient/{key}", wrong)
    equal(r.status, 422, "two names and no birthDate")
    places = [e for i in r.json()["issue"] for e in i.get("expression", ())]
    check("Patient.name" in " ".join(places), places)
    check(any("birthDate" in json.dumps(i) for i in r.json()["issue"]),
          r.body.decode())
    equal(s.put(f"/Patient/{key}", patient(key)).status, 200, "no claim")


@both("$validate against a profile")
def _(s):
    key = s.id("p")
    good = s.post(f"/Patient/$validate?profile={PROFILE}",
                  patient(key, birthDate="2000-01-02"))
    equal((good.status, [i["severity"] for i in good.json()["issue"]
                         if i["severity"] in ("error", "fatal")]),
          (200, []), "good")
    bad = s.post(f"/Patient/$validate?profile={PROFILE}", patient(key))
    check(any(i["severity"] == "error" for i in bad.json()["issue"]),
          bad.body.decode())


def definition(key, *elements, url=None, **more):
    """A profile of Patient to be stored."""
    return {"resourceType": "StructureDefinition", "id": key,
            "url": url or f"http://example.org/stored/{key}",
            "name": "Stored", "status": "active", "kind": "resource",
            "abstract": False, "type": "Patient", "derivation": "constraint",
            "fhirVersion": "4.0.1", "baseDefinition":
            "http://hl7.org/fhir/StructureDefinition/Patient",
            "snapshot": {"element": [element("Patient", 0), *elements]},
            **more}


BORN = element("Patient.birthDate", 1, "1", type=[{"code": "date"}])
MALE = element("Patient.gender", 1, "1", type=[{"code": "code"}],
               fixedCode="male")


def everywhere(s, body):
    """What both servers, and several processes of each, say of it."""
    said = set()
    for server in SERVERS:
        for _ in range(6):
            with Connection(s.stand.ports[server]) as c:
                r = c.request("PUT", f"/fhir/Patient/{body['id']}", [
                    ("Authorization", f"Bearer {s.token()}"),
                    ("Content-Type", "application/fhir+json")],
                    json.dumps(body).encode())
                said.add(422 if r.status == 422 else r.status // 100)
    return said


@both("a profile that is stored holds at once, in all processes")
def _(s):
    key, p = s.id("sd"), s.id("p")
    url = f"http://example.org/stored/{key}"
    claim = patient(p, meta={"profile": [url]})
    equal(everywhere(s, claim), {2}, "not known yet")
    equal(s.put(f"/StructureDefinition/{key}", definition(key, BORN)).status,
          201, "stored")
    equal(everywhere(s, claim), {422}, "it needs a birthDate")
    r = s.put(f"/Patient/{p}", claim)
    check(any("birthDate" in json.dumps(i) for i in r.json()["issue"]),
          r.body.decode())
    claim["birthDate"] = "2000"
    equal(everywhere(s, claim), {2}, "it has one")
    equal(s.put(f"/StructureDefinition/{key}", definition(key, BORN, MALE)
                ).status, 200, "changed")
    equal(everywhere(s, claim), {422}, "it needs a gender, too")
    claim["gender"] = "male"
    equal(everywhere(s, claim), {2}, "it has it")
    del claim["birthDate"]
    equal(s.delete(f"/StructureDefinition/{key}").status, 204, "deleted")
    equal(everywhere(s, claim), {2}, "nobody knows it any more")


@both("wherever a stored profile is named")
def _(s):
    key, p = s.id("sd"), s.id("p")
    url = f"http://example.org/stored/{key}"
    s.put(f"/StructureDefinition/{key}", definition(key, BORN))
    claim = patient(p, meta={"profile": [url + "|1.0"]})
    equal(s.post("/Patient", claim).status, 422, "create, with a version")
    for kind, wanted in (("transaction", 422), ("batch", 200)):
        r = s.post("", {"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": claim, "request": {"method": "PUT",
                                            "url": f"Patient/{p}"}}]})
        equal(r.status, wanted, kind)
        check(b"birthDate" in r.body, f"{kind}: {r.body}")
    equal(s.get(f"/Patient/{p}").status, 404, "nothing was written")
    s.put(f"/Patient/{p}", patient(p))
    r = s.patch(f"/Patient/{p}", json.dumps([
        {"op": "add", "path": "/meta/profile", "value": [url]}]), headers=[
            ("Content-Type", "application/json-patch+json")])
    equal(r.status, 422, f"patch {r}")
    holder = {"resourceType": "Bundle", "type": "collection",
              "entry": [{"fullUrl": f"http://example.org/Patient/{p}",
                         "resource": claim}]}
    equal(s.post("/Bundle", holder).status, 422, "in a Bundle")
    r = s.post("/Basic", {"resourceType": "Basic", "code": {"text": "x"},
                          "subject": {"reference": "#p"}, "contained": [
                              claim | {"id": "p"}]})
    equal(r.status, 422, f"contained {r}")
    for path, body in (
            (f"?profile={url}", patient(p)), ("", claim),
            ("", {"resourceType": "Parameters", "parameter": [
                {"name": "resource", "resource": patient(p)},
                {"name": "profile", "valueUri": url}]})):
        r = s.post(f"/Patient/$validate{path}", body)
        equal([i["severity"] for i in r.json()["issue"]
               if "birthDate" in json.dumps(i)], ["error"], f"{r.body}")


@both("profiles that are stored know each other, and those of the directory")
def _(s):
    a, b, p = s.id("a"), s.id("b"), s.id("p")
    s.seed(definition(b, MALE), definition(
        a, type="Extension", kind="complex-type", baseDefinition=
        "http://hl7.org/fhir/StructureDefinition/Extension",
        context=[{"type": "element", "expression": "Patient"}], snapshot={
            "element": [element("Extension", 0), element(
                "Extension.value[x]", 1, "1", type=[{"code": "integer"}])]}))
    claim = patient(p, gender="male", meta={"profile": [
        f"http://example.org/stored/{b}", PROFILE]}, extension=[{
            "url": f"http://example.org/stored/{a}", "valueString": "x"}])
    said = json.dumps(s.put(f"/Patient/{p}", claim).json())
    check("birthDate" in said and "extension[0]" in said
          and "gender" not in said, said)
    claim["birthDate"] = "2000-01-01"
    claim["extension"][0] = {"url": f"http://example.org/stored/{a}",
                             "valueInteger": 1}
    equal(s.put(f"/Patient/{p}", claim).status, 201, "all is met")


@both("a profile without a snapshot, derived from one of the same kind")
def _(s):
    a, b, p = s.id("a"), s.id("b"), s.id("p")
    base = definition(a, differential={"element": [
        {"id": "Patient.identifier", "path": "Patient.identifier",
         "slicing": {"discriminator": [{"type": "value", "path": "system"}],
                     "rules": "open"}},
        {"id": "Patient.identifier:mrn", "path": "Patient.identifier",
         "sliceName": "mrn", "max": "1"},
        {"id": "Patient.identifier:mrn.system",
         "path": "Patient.identifier.system", "fixedUri": "urn:example:mrn"}]})
    del base["snapshot"]
    more = definition(b, baseDefinition=base["url"], differential={
        "element": [{"id": "Patient.identifier:mrn", "min": 1,
                     "path": "Patient.identifier", "sliceName": "mrn"}]})
    del more["snapshot"]
    s.seed(more, base)
    mrn = patient(p)["identifier"]
    for key, identifiers, wanted in (
            (a, [], 201), (a, mrn, 200), (a, mrn * 2, 422), (b, mrn, 200),
            (b, mrn * 2, 422), (b, [], 422)):
        claim = patient(p, meta={"profile": [
            f"http://example.org/stored/{key}"]})
        claim["identifier"] = identifiers
        if not identifiers:
            del claim["identifier"]
        r = s.put(f"/Patient/{p}", claim)
        equal(r.status, wanted, f"{key} {len(identifiers)} {r}")


def value_set(key, *codes, **more):
    return {"resourceType": "ValueSet", "id": key, "status": "active",
            "url": f"http://example.org/vs/{key}", "compose": {"include": [
                {"system": "http://example.org/cs", "concept": [
                    {"code": c} for c in codes]}]}} | more


def bound(key, url, path="Patient.maritalStatus", kind="CodeableConcept"):
    """A profile that binds an element to a value set."""
    return definition(key, element(
        path, 0, "1", type=[{"code": kind}],
        binding={"strength": "required", "valueSet": url}))


def married(key, code, *profiles):
    claim = {"meta": {"profile": list(profiles)}} if profiles else {}
    return patient(key, **claim, maritalStatus={"coding": [
        {"system": "http://example.org/cs", "code": code}]})


@both("a binding of a stored profile to a stored value set")
def _(s):
    key, p = s.id("vs"), s.id("p")
    url = f"http://example.org/vs/{key}"
    profile = bound(s.id("sd"), url)
    s.seed(profile)
    good, bad = (married(p, c, profile["url"]) for c in ("in", "out"))
    equal(everywhere(s, bad), {2}, "the value set is not known yet")
    s.seed(value_set(key, "in", "as-well"))
    equal(everywhere(s, bad), {422}, "outside")
    equal(everywhere(s, good), {2}, "inside")
    r = s.put(f"/Patient/{p}", bad)
    issue = r.json()["issue"][0]
    equal((issue["code"], issue["expression"]),
          ("code-invalid", ["Patient.maritalStatus"]), "the place")
    check(url in issue["diagnostics"] and '"out"' in issue["diagnostics"],
          issue)
    r = s.post("/Patient/$validate", bad)
    equal([i["expression"] for i in r.json()["issue"]
           if i["severity"] == "error"], [["Patient.maritalStatus"]],
          "$validate")
    s.seed(value_set(key, "out"))
    equal(everywhere(s, bad), {2}, "another one is inside")
    equal(everywhere(s, good), {422}, "and the first one is not")
    equal(s.delete(f"/ValueSet/{key}").status, 204, "deleted")
    equal(everywhere(s, good), {2}, "nobody knows it any more")


@both("value sets of code systems, of value sets, of versions, of a code")
def _(s):
    cs, p = s.id("cs"), s.id("p")
    system = f"http://example.org/cs/{cs}"
    codes = {"resourceType": "CodeSystem", "id": cs, "url": system,
             "status": "active", "content": "complete",
             "hierarchyMeaning": "is-a", "concept": [
                 {"code": "male", "concept": [{"code": "female"}]},
                 {"code": "other"}]}

    def sets(name, include, **more):
        return value_set(s.id(name), **more) | {
            "compose": {"include": [include]}}

    below = sets("below", {"system": system, "filter": [
        {"property": "concept", "op": "is-a", "value": "male"}]})
    around = sets("around", {"valueSet": [below["url"]]})
    old = sets("old", {"system": system, "concept": [{"code": "other"}]},
               version="1", url=f"http://example.org/vs/{s.id('v')}")
    new = sets("new", {"system": system, "concept": [{"code": "male"}]},
               version="2", url=old["url"])
    s.seed(codes, below, around, old, new)
    for name, url, inside, outside in (
            ("a", below["url"], "female", "other"),
            ("b", around["url"], "male", "other"),
            ("c", old["url"] + "|1", "other", "male"),
            ("d", old["url"] + "|2", "male", "other"),
            ("e", old["url"], "male", "other")):
        profile = bound(s.id(name), url, "Patient.gender", "code")
        s.seed(profile)
        for code, wanted in ((inside, {2}), (outside, {422})):
            equal(everywhere(s, patient(p, gender=code, meta={
                "profile": [profile["url"]]})), wanted, f"{name} {code}")
    codes["concept"][1]["code"] = "unknown"
    codes["concept"][0]["concept"][0]["code"] = "other"
    s.seed(codes)
    equal(everywhere(s, patient(p, gender="other", meta={
        "profile": [f"http://example.org/stored/{s.id('a')}"]})), {2},
        "the code system has changed")


@both("a binding of a profile of the directory to a stored value set")
def _(s):
    p = s.id("p")
    url = f"{PROFILE}-{s.server}"
    key = f"bound-{s.server}"
    bad, good = (married(p, c, url) for c in ("out", "in"))
    equal(everywhere(s, bad), {2}, "not known yet")
    s.seed(value_set(key, "in"))
    equal(everywhere(s, bad), {422}, "outside")
    equal(everywhere(s, good), {2}, "inside")
    equal(everywhere(s, married(p, "out")), {2}, "who does not claim it")
    r = s.post(f"/Patient/$validate?profile={url}", married(p, "out"))
    check(any(i.get("expression") == ["Patient.maritalStatus"]
              for i in r.json()["issue"]), f"$validate {r.body}")
    s.seed(value_set(key, "in", "out"))
    equal(everywhere(s, bad), {2}, "it has grown")


@both("a value set that cannot be expanded judges nothing, and spoils nothing")
def _(s):
    p, wide, good = s.id("p"), s.id("wide"), s.id("good")
    url = f"http://example.org/vs/{wide}"
    whole = value_set(wide) | {"compose": {"include": [
        {"system": f"http://example.org/nobody/{wide}"}]}}
    s.seed(whole, value_set(good, "in"), bound(s.id("a"), url),
           bound(s.id("b"), f"http://example.org/vs/{good}"))
    claims = [f"http://example.org/stored/{s.id(n)}" for n in "ab"]
    equal(everywhere(s, married(p, "out", claims[0])), {2}, "not judged")
    equal(everywhere(s, married(p, "out", claims[1])), {422}, "judged")
    s.seed(whole | {"compose": {"include": [
        {"system": "http://example.org/cs", "concept": [
            {"code": f"c{n}"} for n in range(10001)]}]}})
    equal(everywhere(s, married(p, "out", claims[0])), {2}, "too many")
    equal(everywhere(s, married(p, "out", claims[1])), {422}, "still judged")


@both("one that is of no use does not spoil the others")
def _(s):
    good, bad, p = s.id("good"), s.id("bad"), s.id("p")
    s.put(f"/StructureDefinition/{good}", definition(good, BORN))
    s.put(f"/StructureDefinition/{bad}", definition(bad, element(
        "Patient.name.given.nothing.at.all", 1)))
    logical = definition(s.id("l"), derivation="specialization",
                         type="http://example.org/Thing", kind="logical")
    equal(s.put(f"/StructureDefinition/{logical['id']}", logical).status,
          201, "a logical model")
    for key, wanted in ((good, 422), (bad, 201)):
        claim = patient(p, meta={"profile": [
            f"http://example.org/stored/{key}"]})
        equal(s.put(f"/Patient/{p}", claim).status, wanted, key)


@both("a profile is changed while resources that name it are written",
      compare=False)
def _(s):
    key, url = s.id("sd"), f"http://example.org/stored/{s.id('sd')}"
    s.put(f"/StructureDefinition/{key}", definition(key, BORN), note=False)
    until, problems = time.monotonic() + 1.5, []

    def write(number):
        body = patient(f"{key}-{number}", meta={"profile": [url]})
        try:
            with Connection(s.stand.ports[SERVERS[number % 2]]) as c:
                while time.monotonic() < until:
                    r = c.request("PUT", f"/fhir/Patient/{body['id']}", [
                        ("Authorization", f"Bearer {s.token()}"),
                        ("Content-Type", "application/fhir+json")],
                        json.dumps(body).encode())
                    if r.status != 422:
                        problems.append(r)
        except Exception as e:                   # shown below
            problems.append(e)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    n = 0
    while time.monotonic() < until:
        n += 1
        s.put(f"/StructureDefinition/{key}", definition(
            key, *[BORN, MALE][:1 + n % 2]), note=False)
        time.sleep(0.02)
    for t in threads:
        t.join()
    equal(problems[:3], [], "problems")


if US_CORE.is_dir():
    @both("US Core: a patient without a gender is none")
    def _(s):
        key = s.id("u")
        p = patient(key, meta={"profile": [
            "http://hl7.org/fhir/us/core/StructureDefinition/"
            "us-core-patient"]}, gender="female")
        equal(s.put(f"/Patient/{key}", p).status, 201, "good")
        del p["gender"]
        equal(s.put(f"/Patient/{key}", p).status, 422, "without")


with tempfile.TemporaryDirectory(prefix="hie-profiles-") as directory:
    if US_CORE.is_dir():
        for path in (US_CORE / "StructureDefinition").glob("*.json"):
            (Path(directory) / path.name).write_bytes(path.read_bytes())
    (Path(directory) / "born.json").write_text(json.dumps(born()))
    for server in SERVERS:
        (Path(directory) / f"bound-{server}.json").write_text(json.dumps(
            bound("x", f"http://example.org/vs/bound-{server}")
            | {"url": f"{PROFILE}-{server}"}))
    Path(directory).chmod(0o755)
    stand = own_stand("profiles")
    stand.options["fhir"] = f'  definitions: "{directory}"'
    main(started(stand))
