#!/usr/bin/python3
"""Criteria that stand for codes which only terminology knows: :in, :not-in,
:above and :below, wherever they stand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import consent                                     # noqa: E402
from hie.search import ask, plant, table                         # noqa: E402
from hie.tap import both, check, equal, main                     # noqa: E402

STATUS = "http://hl7.org/fhir/observation-status"
SYSTEM = "urn:<key>:cs"


def concept(code, *inside):
    return {"code": code, **({"concept": list(inside)} if inside else {})}


def value_set(key, *include):
    url = {} if key == "no-url" else {"url": f"urn:<key>:{key}"}
    return {"resourceType": "ValueSet", "id": key, "status": "active", **url,
            "compose": {"include": list(include)}}


def observation(key, system, code, **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{**({"system": system} if system else {}),
                                 "code": code}]},
            "subject": {"reference": "Patient/<p>"}, **more}


def library(s):
    """heart > (atrium > left, valve), lung; values sets of them."""
    plant(s, {"resourceType": "CodeSystem", "id": "cs", "url": SYSTEM,
              "status": "active", "content": "complete",
              "hierarchyMeaning": "is-a", "concept": [
                  concept("heart", concept("atrium", concept("left")),
                          concept("valve")), concept("lung")]},
          value_set("is-heart", {"system": SYSTEM, "filter": [
              {"property": "concept", "op": "is-a", "value": "heart"}]}),
          value_set("listed", {"system": SYSTEM, "concept": [
              {"code": "lung"}, {"code": "valve"}]},
                    {"system": "urn:other", "concept": [{"code": "x"}]}),
          value_set("nested", {"valueSet": ["urn:<key>:listed"]}),
          value_set("no-url", {"system": SYSTEM, "concept": [
              {"code": "lung"}]}),
          value_set("empty", {"system": SYSTEM, "filter": [
              {"property": "concept", "op": "is-a", "value": "left"}]}),
          value_set("states", {"system": STATUS, "concept": [
              {"code": "amended"}]}, {"system": "urn:other", "concept": [
                  {"code": "final"}]}),
          value_set("unknown", {"system": "urn:<key>:nothing"}),
          value_set("loop", {"valueSet": ["urn:<key>:loop"]}),
          {"resourceType": "Patient", "id": "p", "gender": "female",
           "name": [{"family": "Codes"}]},
          observation("h", SYSTEM, "heart"), observation("a", SYSTEM, "atrium"),
          observation("l", SYSTEM, "left"), observation("v", SYSTEM, "valve"),
          observation("g", SYSTEM, "lung"),
          observation("x", "urn:other", "x"),
          observation("y", "urn:other", "heart"),
          observation("n", None, "lung", status="amended"))


@both(":in and :not-in")
def _(s):
    library(s)
    base = s.stand.base(s.server)
    table(s, "Observation", f"""
        code:in=urn:<key>:is-heart      a h l v
        code:in=urn:<key>:listed        g n v x
        code:in=urn:<key>:nested        g n v x
        code:in=ValueSet/<listed>       g n v x
        code:in={base}/ValueSet/<listed>  g n v x
        code:in=ValueSet/<no-url>       g n
        code:in=urn:<key>:empty         l
        code:in=urn:<key>:empty,urn:<key>:listed  g l n v x
        code:in=urn:<key>:is-heart&code:in=urn:<key>:listed  v
        code:not-in=urn:<key>:is-heart  g n x y
        code:not-in=urn:<key>:listed    a h l y
        code:in=urn:<key>:is-heart&status=final  a h l v
        status:in=http://hl7.org/fhir/ValueSet/observation-status  a g h l n v x y
        status:not-in=http://hl7.org/fhir/ValueSet/observation-status  -
        status:in=urn:<key>:states      n
        status:not-in=urn:<key>:states  a g h l v x y
        code:in=urn:<key>:nobody        !400
        code:in=ValueSet/<nobody>       !400
        code:in=Patient/<p>             !400
        code:in=urn:<key>:unknown       !422
        code:in=urn:<key>:loop          !422
        """)
    r = ask(s, "/Observation", f"code:in=urn:{s.key}:nobody")
    check(f"urn:{s.key}:nobody" in r.issue()["diagnostics"],
          "names what is not known")


@both(":above and :below")
def _(s):
    library(s)
    table(s, "Observation", f"""
        code:below={SYSTEM}|heart       a h l v
        code:below={SYSTEM}|atrium      a l
        code:below={SYSTEM}|left        l
        code:below={SYSTEM}|lung        g n
        code:below={SYSTEM}|nothing     -
        code:below={SYSTEM}|atrium,{SYSTEM}|valve  a l v
        code:above={SYSTEM}|left        a h l
        code:above={SYSTEM}|heart       h
        code:above={SYSTEM}|valve       h v
        code:below=urn:nobody|heart     -
        """)


@both("in chains, in _has, in groups")
def _(s):
    library(s)
    plant(s, {"resourceType": "DiagnosticReport", "id": "r",
              "status": "final", "code": {"text": "x"},
              "result": [{"reference": "Observation/<l>"}]},
          {"resourceType": "DiagnosticReport", "id": "q", "status": "final",
           "code": {"text": "x"},
           "result": [{"reference": "Observation/<g>"}]})
    table(s, "DiagnosticReport", f"""
        result.code:in=urn:<key>:is-heart  r
        result.code:below={SYSTEM}|atrium  r
        result.code:not-in=urn:<key>:is-heart  q
        result.code:in=urn:<key>:nobody  !400
        """)
    table(s, "Patient", f"""
        _has:Observation:patient:code:in=urn:<key>:listed  p
        _has:Observation:patient:code:below={SYSTEM}|nothing  -
        """)


@both("too much of it")
def _(s):
    codes = [{"code": f"c{i}"} for i in range(10001)]
    plant(s, value_set("much", {"system": "urn:much", "concept": codes}),
          value_set("fits", {"system": "urn:much", "concept": codes[:-1]}),
          observation("o", "urn:much", "c9999"),
          observation("q", "urn:much", "c10000"),
          {"resourceType": "Patient", "id": "p"})
    table(s, "Observation", """
        code:in=urn:<key>:much          !422
        code:in=urn:<key>:fits          o
        """)
    r = ask(s, "/Observation", f"code:in=urn:{s.key}:much")
    equal(r.issue()["code"], "too-costly", "issue type")
    r = ask(s, "/Observation", "code:in="
            + ",".join(f"urn:{s.key}:fits{i}" for i in range(101)))
    check(r.status in (400, 422), f"many: {r}")


@both("the requester need not see the value set, but the resources",
      compare=False)
def _(s):
    library(s)
    s.seed(consent(s.id("c"), s.id("p")))
    table(s, "Observation", "code:in=urn:<key>:is-heart  -")
    table(s, "Observation", "code:in=urn:<key>:is-heart  a h l v",
          token=s.admin())
    plant(s, {"resourceType": "Patient", "id": "q"},
          observation("z", SYSTEM, "left") | {
              "subject": {"reference": "Patient/<q>"}})
    table(s, "Observation", "code:in=urn:<key>:is-heart  z",
          token=s.token("system/Observation.s"))


main()
