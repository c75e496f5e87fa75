#!/usr/bin/python3
"""What a patient withholds is not there for a search: not as a match, not in
totals, not beside matches, not behind a chain, not by the order of others."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC, consent                              # noqa: E402
from hie.search import (TAG, ask, entries, labels, named,        # noqa: E402
                        plant, table, walk)
from hie.tap import both, check, equal, main                     # noqa: E402

FRIEND = "Organization/friend"


def person(key, family, **more):
    return {"resourceType": "Patient", "id": key, "name": [{"family": family}],
            **more}


def observation(key, patient, code="A", **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": {"reference": f"Patient/<{patient}>"}, **more}


def ward(s):
    """Of p all may see everything; q has said no to all but a friend."""
    plant(s, {"resourceType": "Organization", "id": "org", "name": "Org"},
          person("p", "Open", managingOrganization={
              "reference": "Organization/<org>"}),
          person("q", "Hidden", birthDate="1970-01-01",
                 managingOrganization={"reference": "Organization/<org>"},
                 link=[{"other": {"reference": "Patient/<p>"},
                        "type": "seealso"}]),
          observation("a", "p"), observation("b", "q"),
          observation("c", "p", "C", hasMember=[
              {"reference": "Observation/<b>"}], derivedFrom=[
              {"reference": "Observation/<a>"}]),
          observation("d", "q", "D", hasMember=[
              {"reference": "Observation/<a>"}]),
          {"resourceType": "Encounter", "id": "e", "status": "finished",
           "class": {"code": "AMB"}, "subject": {"reference": "Patient/<q>"}},
          {"resourceType": "Group", "id": "g", "type": "person",
           "actual": True, "member": [
               {"entity": {"reference": "Patient/<q>"}}]})
    s.seed(consent(s.id("no"), s.id("q"), permit=[FRIEND]))


SEARCHES = {
    "Observation": """
        code:missing=false              a c     | a b c d
        code=A                          a       | a b
        code=D                          -       | d
        _id=<b>                         -       | b
        _id=<a>,<b>                     a       | a b
        patient=<q>                     -       | b d
        patient=<p>,<q>                 a c     | a b c d
        patient:missing=false           a c     | a b c d
        code:not=C                      a       | a b d
        subject:Patient.family=hidden   -       | b d
        patient.family=open,hidden      a c     | a b c d
        patient.birthdate=1970          -       | b d
        patient.birthdate:missing=false  -      | b d
        has-member.code=A               -       | c d
        has-member.patient.family=open  -       | d
        has-member.patient.family=hidden  -     | c
        has-member._id=<b>              -       | c
        _has:Observation:has-member:code=D  -   | a
        _has:Observation:has-member:code=C  -   | b
        _has:Observation:derived-from:code=C  a | a
        _has:Observation:derived-from:has-member.code=A  -  | a
        _lastUpdated=gt2000             a c     | a b c d
        _filter=code eq A               a       | a b
        """,
    "Patient": """
        family:missing=false            p       | p q
        family=hidden                   -       | q
        organization.name=org           p       | p q
        organization=<org>              p       | p q
        link=<p>                        -       | q
        _has:Observation:patient:code=A  p      | p q
        _has:Observation:patient:code=D  -      | q
        _has:Patient:link:family=hidden  -      | p
        _has:Group:member:_id=<g>       -       | q
        birthdate=1970                  -       | q
        birthdate:missing=true          p       | p
        """,
    "Organization": """
        _has:Patient:organization:family=open  org     | org
        _has:Patient:organization:family=hidden  -     | org
        _has:Patient:organization:_has:Observation:patient:code=D  -  | org
        """,
    "": """
        _type=Patient,Observation       a c p   | a b c d p q
        _id=<q>,<b>,<e>                 -       | b e q
        """,
    "Patient/<q>/*": """
        _lastUpdated=gt2000             -       | b d e g q
        """,
    "Patient/<q>/Observation": """
        status=final                    -       | b d
        """,
    "Encounter/<e>/Encounter": """
        status=finished                 -       | e
        """,
}


@both("matches, totals, chains, _has, compartments", compare=False)
def _(s):
    ward(s)
    tokens = (s.token(), s.token(organizations=["Organization/other"]),
              s.token(organizations=[FRIEND]), s.admin())
    for path, text in SEARCHES.items():
        lines = [line.rsplit("|", 1) for line in text.strip().splitlines()
                 if "no filter" not in line]
        for token, right in zip(tokens, (False, False, True, True)):
            table(s, named(s, path), "\n".join(
                f"{left}" if not right
                else f"{left.strip().split('  ')[0]}  {more}"
                for left, more in lines), token=token)


@both("what comes beside the matches", compare=False)
def _(s):
    ward(s)
    friend = s.token(organizations=[FRIEND])
    for kind, query, some, everything in (
            ("Observation", "code=C&_include=Observation:has-member", "",
             "b"),
            ("Observation", "code=C&_include=Observation:has-member"
             "&_include:iterate=Observation:patient", "p", "b p q"),
            ("Observation", "code=A&_id=<a>&_revinclude="
             "Observation:has-member", "", "d"),
            ("Observation", "code=A&_id=<a>&_revinclude=*", "c", "c d"),
            ("Organization", "name=org&_revinclude=Patient:organization",
             "p", "p q"),
            ("Organization", "name=org&_revinclude=Patient:organization"
             "&_revinclude:iterate=Observation:patient", "a c p",
             "a b c d p q"),
            ("Patient", "_id=<p>&_revinclude=Patient:link", "", "q"),
            ("Patient", "_id=<p>&_revinclude:iterate=Patient:link"
             "&_revinclude:iterate=Encounter:subject", "", "e q")):
        for token, wanted in ((None, some), (friend, everything),
                              (s.admin(), everything)):
            r = ask(s, f"/{kind}", named(s, query) + f"&_tag={TAG}|{s.key}",
                    token=token)
            equal(sorted(labels(s, entries(r, "include"))), wanted.split(),
                  query)


@both("pages and order", compare=False)
def _(s):
    plant(s, *(person(f"p{i}", f"N{i}") for i in range(8)),
          *(observation(f"o{i}{k}", f"p{i}") for i in range(8)
            for k in "ab"))
    for i in (1, 3, 4, 7):
        s.seed(consent(s.id(f"no{i}"), s.id(f"p{i}")))
    seen = [f"o{i}{k}" for i in (0, 2, 5, 6) for k in "ab"]
    base = f"/Observation?_tag={s.key}&_count=3"
    for order, wanted in (("", seen), ("&_sort=_id", seen),
                          ("&_sort=-_id", seen[::-1]),
                          ("&_sort=patient.family,_id", seen)):
        pages = walk(s, base + order)
        equal([len(p) for p in pages], [3, 3, 2], "pages are full")
        flat = sum(pages, [])
        equal(flat if order else sorted(flat), wanted, order)
    for query in ("_summary=count", "_count=1&_total=accurate",
                  "_count=1&_total=estimate"):
        r = s.get(f"/Observation?_tag={s.key}&{query}")
        equal(r.json()["total"], 8, query)


@both("the order does not tell what is withheld", compare=False)
def _(s):
    """Sorted by the name of a patient who is withheld it stands where one
    without a name would."""
    plant(s, person("p", "Aaa"), person("q", "Mmm"), person("r", "Zzz"),
          *({"resourceType": "Provenance", "id": f"v{k}",
             "target": [{"reference": f"Patient/<{k}>"}],
             "recorded": "2023-01-01T00:00:00Z",
             "agent": [{"who": {"display": "x"}}]} for k in "pqr"),
          {"resourceType": "Basic", "id": "bq", "code": {"text": "x"},
           "author": {"reference": "Patient/<q>"}},
          {"resourceType": "Basic", "id": "br", "code": {"text": "x"},
           "author": {"reference": "Patient/<r>"}})
    s.seed(consent(s.id("no"), s.id("q")))
    table(s, "Basic", "_sort=author:Patient.family,_id  br", ordered=True)
    table(s, "Basic", "_sort=author:Patient.family,_id  bq br", ordered=True,
          token=s.admin())
    table(s, "Provenance", """
        _sort=patient.family,_id        vp vr
        _sort=-patient.family,_id       vr vp
        """, ordered=True)


@both("a Consent ends what a page token promised", compare=False)
def _(s):
    plant(s, person("p", "P"), person("q", "Q"),
          *(observation(f"{k}{i}", k) for i in range(3) for k in "pq"))
    path = f"/Observation?_tag={s.key}&_count=2&_sort=_id"
    r = s.get(path)
    equal(labels(s, entries(r)), ["p0", "p1"], "first page")
    s.seed(consent(s.id("no"), s.id("q")))
    pages = walk(s, path)
    equal(pages, [["p0", "p1"], ["p2"]], "and the rest")


@both("the record names whose data it was: matches and what came with them",
      compare=False)
def _(s):
    ward(s)
    ask(s, "/Observation", f"_tag={s.key}&code=C"
        "&_include=Observation:patient&_include=Observation:derived-from")
    row = s.audit(1)[0]
    equal((row["interaction"], row["type"]), ("search-type", "Observation"),
          "interaction")
    equal(int(row["resources"]), 3, "resources")
    check(row["patients"], "patients")
    s.get(f"/?_type=Patient,Organization&_tag={s.key}")
    s.get(f"/Patient/{s.id('p')}/Observation?_tag={s.key}")
    rows = s.audit(3)
    equal([r["interaction"] for r in rows[1:]],
          ["search-system", "search-compartment"], "interactions")
    equal([int(r["resources"]) for r in rows[1:]], [2, 2], "resources")
    equal(rows[2]["resource_id"], s.id("p"), "whose compartment")


main()
