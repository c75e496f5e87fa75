#!/usr/bin/python3
"""Searches that follow references: chains, _has, lists, inclusion,
compartments, several types at once."""

import sys
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hie.fhir import LOINC                                       # noqa: E402
from hie.search import (TAG, URL, ask, entries, labels, named,   # noqa: E402
                        outcomes, plant, table)
from hie.tap import both, check, equal, main                     # noqa: E402


def ref(kind, key):
    return {"reference": f"{kind}/<{key}>"}


def organization(key, name, parent=None):
    return {"resourceType": "Organization", "id": key, "name": name,
            **({"partOf": ref("Organization", parent)} if parent else {})}


def person(key, family, **more):
    return {"resourceType": "Patient", "id": key, "name": [{"family": family}],
            **more}


def observation(key, patient, code="A", **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            **({"subject": ref("Patient", patient)} if patient else {}),
            **more}


def encounter(key, patient, **more):
    return {"resourceType": "Encounter", "id": key, "status": "finished",
            "class": {"code": "AMB"}, "subject": ref("Patient", patient),
            **more}


def ward(s):
    """Two patients of two organizations, one part of the other, and what is
    about them."""
    plant(s, organization("alpha", "Alpha"),
          organization("beta", "Beta", "alpha"),
          organization("gamma", "Gamma", "beta"),
          {"resourceType": "Practitioner", "id": "dr",
           "name": [{"family": "Curie"}]},
          {"resourceType": "Device", "id": "dev",
           "deviceName": [{"name": "Pump", "type": "user-friendly-name"}]},
          person("p", "Chain", managingOrganization=ref("Organization",
                                                        "alpha"),
                 generalPractitioner=[ref("Practitioner", "dr")],
                 identifier=[{"system": "urn:mrn", "value": "p-1"}]),
          person("q", "Other", managingOrganization=ref("Organization",
                                                        "gamma"),
                 link=[{"other": ref("Patient", "p"), "type": "seealso"}]),
          encounter("e", "p", serviceProvider=ref("Organization", "alpha"),
                    participant=[{"individual": ref("Practitioner", "dr")}]),
          encounter("f", "q", partOf=ref("Encounter", "e")),
          observation("a", "p", encounter=ref("Encounter", "e"),
                      performer=[ref("Practitioner", "dr")],
                      effectiveDateTime="2023-01-01"),
          observation("b", "q", "B", encounter=ref("Encounter", "f"),
                      device=ref("Device", "dev")),
          observation("c", "p", "C", hasMember=[ref("Observation", "a")],
                      performer=[ref("Organization", "alpha")]),
          observation("d", None, "D"),
          {"resourceType": "DiagnosticReport", "id": "r", "status": "final",
           "code": {"text": "report"}, "subject": ref("Patient", "p"),
           "result": [ref("Observation", "a")]},
          {"resourceType": "List", "id": "l", "status": "current",
           "mode": "working", "title": "Mine",
           "entry": [{"item": ref("Observation", "a")},
                     {"item": ref("Observation", "b")}]},
          {"resourceType": "Provenance", "id": "v",
           "target": [ref("Observation", "a"), ref("Patient", "p")],
           "recorded": "2023-01-02T00:00:00Z",
           "agent": [{"who": ref("Practitioner", "dr")}]})


@both("chains")
def _(s):
    ward(s)
    table(s, "Observation", """
        subject:Patient.family=chain    a c
        subject.family=chain            a c
        patient.family=chain            a c
        patient.family:exact=chain      -
        patient.family:exact=Chain      a c
        patient.family=chain,other      a b c
        patient.family=nobody           -
        subject:Group.code=x            -
        subject:Patient._id=<p>         a c
        patient._id=<q>                 b
        patient.identifier=urn:mrn|p-1  a c
        patient:Patient.identifier=p-1  a c
        patient.family=chain&code=C     c
        patient.family=chain&patient.identifier=p-1  a c
        patient.family=chain&patient.family=other  -
        patient.organization.name=alpha  a c
        patient.organization.name=gamma  b
        patient.organization.partof.name=beta  b
        patient.organization.partof.name=alpha  -
        encounter.service-provider.name=alpha  a
        encounter.subject:Patient.family=other  b
        performer:Practitioner.family=curie  a
        performer:Organization.name=alpha  c
        performer.name=curie            a
        has-member.code=A               c
        has-member.patient.family=chain  c
        has-member.has-member.code=A    -
        device.device-name=pump         b
        patient.birthdate:missing=true  a b c
        patient.family:contains=hai     a c
        patient.general-practitioner.family=curie  a c
        patient.link.family=chain       b
        patient.organization.partof.partof.name=alpha  !400
        patient.nonsense=x              !400
        code.family=x                   !400
        subject:Nonsense.family=x       !400
        patient.=x                      !400
        patient:Group.code=x            !400
        patient.family                  a b c d
        """)


@both("_has: what is referred to")
def _(s):
    ward(s)
    table(s, "Patient", """
        _has:Observation:patient:code=A  p
        _has:Observation:patient:code=A,B  p q
        _has:Observation:subject:code=B  q
        _has:Observation:patient:code=D  -
        _has:Observation:patient:code=A&_has:Observation:patient:code=C  p
        _has:Observation:patient:code=A&_has:Observation:patient:code=B  -
        _has:Observation:patient:_has:DiagnosticReport:result:status=final  p
        _has:Observation:patient:_has:Observation:has-member:code=C  p
        _has:Observation:patient:_has:List:item:title=mine  p q
        _has:Observation:patient:_id=<b>  q
        _has:Observation:patient:performer:Practitioner.family=curie  p
        _has:Observation:patient:date=ge2023  p
        _has:Encounter:subject:service-provider.name=alpha  p
        _has:Patient:link:family=other  p
        _has:Observation:patient:code:not=A  p q
        family=chain&_has:Observation:patient:code=A  p
        family=other&_has:Observation:patient:code=A  -
        _has:Observation:nonsense:code=A  !400
        _has:Observation:patient:nonsense=A  !400
        _has:Observation:code:status=final  !400
        _has:Nonsense:patient:code=A    !400
        _has:Observation:patient=A      !400
        _has:Medication:ingredient:code=x  !400
        _has=x                          !400
        """)
    table(s, "Organization", """
        _has:Patient:organization:family=chain  alpha
        _has:Patient:organization:_has:Observation:patient:code=A  alpha
        _has:Patient:organization:_has:Observation:patient:code=B  gamma
        _has:Organization:partof:name=gamma  beta
        _has:Organization:partof:_has:Organization:partof:name=gamma  alpha
        """)
    table(s, "Observation", """
        patient._has:Encounter:subject:status=finished  a b c
        patient._has:Encounter:subject:service-provider.name=alpha  a c
        _has:DiagnosticReport:result:status=final  a
        _has:Provenance:target:agent=Practitioner/<dr>  a
        """)


@both("above and below: what is part of what")
def _(s):
    ward(s)
    plant(s, organization("x", "X", "y"), organization("y", "Y", "x"),
          person("r", "Round", managingOrganization=ref("Organization", "y")))
    table(s, "Patient", """
        organization:below=<alpha>      p q
        organization:below=Organization/<alpha>  p q
        organization:below=<beta>       q
        organization:below=<gamma>      q
        organization:below=<beta>,<y>   q r
        organization:below=<x>          r
        organization:above=<gamma>      p q
        organization:above=<beta>       p
        organization:above=<alpha>      p
        organization:above=<y>          r
        organization:below=<none>       -
        organization:below=<alpha>&family=chain  p
        organization:below=Patient/<p>  !400
        organization:below=https://other.example/fhir/Organization/<alpha>  !400
        link:below=<p>                  !400
        """)
    table(s, "Observation", """
        patient.organization:below=<beta>  b
        patient.organization:above=<beta>  a c
        performer:below=Organization/<alpha>  c
        performer:below=<alpha>         !400
        subject:below=Patient/<p>       !400
        """)
    table(s, "Organization", """
        partof:below=<alpha>            beta gamma
        partof:below=<gamma>            -
        partof:above=<gamma>            beta gamma
        _has:Patient:organization:_id=<q>&partof:below=<alpha>  gamma
        """)
    table(s, "Encounter", """
        part-of:below=<e>               f
        """)


@both("below what has more parts than a search may name")
def _(s):
    entry = [{"resource": {"resourceType": "Organization", "id": s.id(f"w{i}"),
                           "name": f"Ward {i}", "partOf": {
                               "reference": f"Organization/{s.id('root')}"}}}
             for i in range(1001)]
    entry.append({"resource": {"resourceType": "Organization",
                               "id": s.id("root"), "name": "House"}})
    for e in entry:
        e["request"] = {"method": "PUT",
                        "url": f"Organization/{e['resource']['id']}"}
    equal(s.post("", {"resourceType": "Bundle", "type": "transaction",
                      "entry": entry}).status, 200, "transaction")
    r = s.get(f"/Patient?organization:below={s.id('root')}")
    equal(r.status, 422, "status")
    equal(r.issue()["code"], "too-costly", "code")
    check("1000" in r.issue()["diagnostics"], r.json())
    many = ",".join(s.id(f"w{i}") for i in range(1001))
    r = s.post("/Patient/_search", f"organization:below={many}".encode(),
               headers=[("Content-Type",
                         "application/x-www-form-urlencoded")])
    equal(r.status, 400, "more values than one criterion may have")
    r = s.get(f"/Organization?partof:above={s.id('w7')}&_summary=count")
    equal(r.json()["total"], 1001, "above one of them")


def state(kind, code):
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/"
                        + kind, "code": code}]}


def condition(key, clinical, verified="confirmed", **more):
    return {"resourceType": "Condition", "id": key,
            "clinicalStatus": state("condition-clinical", clinical),
            "verificationStatus": state("condition-ver-status", verified),
            "subject": {"reference": "Patient/<p>"}, **more}


def allergy(key, clinical, verified="confirmed", **more):
    return {"resourceType": "AllergyIntolerance", "id": key,
            "clinicalStatus": state("allergyintolerance-clinical", clinical),
            "verificationStatus": state("allergyintolerance-verification",
                                        verified),
            "patient": {"reference": "Patient/<p>"}, **more}


def medication(kind, key, status):
    return {"resourceType": kind, "id": key, "status": status,
            **({"intent": "order"} if kind == "MedicationRequest" else {}),
            "medicationCodeableConcept": {"text": "x"},
            "subject": {"reference": "Patient/<p>"}}


@both("_list of what is current")
def _(s):
    plant(s, {"resourceType": "Patient", "id": "p"},
          condition("c1", "active"), condition("c2", "recurrence"),
          condition("c3", "relapse", "provisional"),
          condition("c4", "resolved"), condition("c5", "active", "refuted"),
          allergy("a1", "active"),
          allergy("a2", "active", category=["food", "medication"]),
          allergy("a3", "inactive", category=["medication"]),
          allergy("a4", "active", "refuted", category=["medication"]),
          medication("MedicationRequest", "m1", "active"),
          medication("MedicationRequest", "m2", "stopped"),
          medication("MedicationStatement", "t1", "active"),
          medication("MedicationStatement", "t2", "completed"))
    for kind, text in (
            ("Condition", "$current-problems  c1 c2 c3"),
            ("Condition", "$current-problems&clinical-status=relapse  c3"),
            ("Condition", "$current-allergies  -"),
            ("AllergyIntolerance", "$current-allergies  a1 a2"),
            ("AllergyIntolerance", "$current-drug-allergies  a2"),
            ("MedicationRequest", "$current-medications  m1"),
            ("MedicationStatement", "$current-medications  t1"),
            ("Patient", "$current-problems  -"),
            ("Condition", "$current-worries  !400"),
            ("Condition", "$current-problems,<p>  !400"),
            ("", "$current-medications&_type=MedicationRequest,"
                 "MedicationStatement,Condition  m1 t1")):
        table(s, kind, f"_list={text}")
    table(s, "Patient", "_has:Condition:patient:_list=$current-problems  p")


@both("_list and _filter")
def _(s):
    ward(s)
    table(s, "Observation", """
        _list=<l>                       a b
        _list=<l>&code=A                a
        _list=nobody                    -
        _list=<l>,nobody                a b
        _filter=code eq A               a
        _filter=code eq A or code eq B  a b
        _filter=(code eq A or code eq C) and patient.family eq "Chain"  a c
        _filter=not (code eq A)         b c d
        _filter=code eq A&code=B        -
        _filter=date ge 2023-01-01      a
        _filter=patient re Patient/<p>  a c
        _filter=code pr true            a b c d
        _filter=patient pr false        d
        _filter=code                    !400
        _filter=code xx A               !400
        _filter=(code eq A              !400
        _filter=nonsense eq A           !400
        """)
    table(s, "Patient", """
        _filter=family sw "cha"         p
        _filter=family co "the"         q
        _filter=family eq "chain"       p
        _filter=family ne "chain"       q
        """)


def included(s, kind, query, matches, includes, **more):
    query = named(s, query) + f"&_tag={TAG}|{s.key}"
    for post in (False, True):
        r = ask(s, f"/{kind}", query, post=post, **more)
        equal(r.status, 200, f"{query}: {r}")
        equal((sorted(labels(s, entries(r))),
               sorted(labels(s, entries(r, "include")))),
              (matches.split(), includes.split()), query)
        if "total" in r.json():
            equal(r.json()["total"], len(matches.split()), f"{query}: total")
    return r


@both("_include and _revinclude")
def _(s):
    ward(s)
    for query, matches, more in (
            ("code=A&_include=Observation:patient", "a", "p"),
            ("code=A&_include=Observation:subject", "a", "p"),
            ("code=A&_include=Observation:subject:Patient", "a", "p"),
            ("code=A&_include=Observation:subject:Group", "a", ""),
            ("code=A&_include=Observation:performer", "a", "dr"),
            ("code=C&_include=Observation:performer", "c", "alpha"),
            ("code=A&_include=Observation:patient"
             "&_include=Observation:encounter", "a", "e p"),
            ("code=A,C&_include=Observation:patient", "a c", "p"),
            ("code=A,C&_include=Observation:has-member", "a c", ""),
            ("code=C&_include=Observation:has-member", "c", "a"),
            ("code=A&_include=Observation:*", "a", "dr e p"),
            ("code=A&_include=*", "a", "dr e p"),
            ("code=A&_include=Observation:patient"
             "&_include:iterate=Patient:organization", "a", "alpha p"),
            ("code=A&_include=Observation:patient"
             "&_include:recurse=Patient:organization", "a", "alpha p"),
            ("code=B&_include=Observation:patient"
             "&_include:iterate=Patient:organization"
             "&_include:iterate=Organization:partof", "b",
             "alpha beta gamma q"),
            ("code=A&_revinclude=DiagnosticReport:result", "a", "r"),
            ("code=A&_revinclude=Observation:has-member", "a", "c"),
            ("code=A&_revinclude=Provenance:target", "a", "v"),
            ("code=A&_revinclude=DiagnosticReport:result"
             "&_include=Observation:patient", "a", "p r"),
            ("code=A&_revinclude=DiagnosticReport:result"
             "&_include:iterate=DiagnosticReport:subject", "a", "p r"),
            ("code=A&_revinclude=DiagnosticReport:*", "a", "r"),
            ("code=A&_revinclude=*", "a", "c l r v"),
            ("code=D&_include=Observation:patient", "d", ""),
            ("code=Z&_include=Observation:patient", "", "")):
        included(s, "Observation", query, matches, more)
    included(s, "Patient", "family=chain&_revinclude=Observation:patient"
             "&_revinclude:iterate=DiagnosticReport:result", "p", "a c r")
    included(s, "Patient", "family=chain&_revinclude=Encounter:subject"
             "&_revinclude:iterate=Encounter:part-of", "p", "e f")
    included(s, "Organization", "name=alpha"
             "&_revinclude:iterate=Organization:partof", "alpha",
             "beta gamma")
    for query in ("_include=Observation", "_include=Observation:code",
                  "_include=Observation:nonsense", "_include=Nonsense:x",
                  "_include=Patient:organization",
                  "_include=Observation:patient:Group",
                  "_include:nonsense=Observation:patient",
                  "_revinclude=Patient:organization",
                  "_revinclude=Observation:code"):
        r = ask(s, "/Observation", query)
        equal(r.status, 400, query)
        check(r.issue()["diagnostics"], query)


@both("* is every parameter, and nothing else")
def _(s):
    plant(s, {"resourceType": "Encounter", "id": "e", "status": "finished",
              "class": {"code": "AMB"}},
          {"resourceType": "Patient", "id": "p"},
          # Immunization.encounter has no parameter
          {"resourceType": "Immunization", "id": "i", "status": "completed",
           "vaccineCode": {"text": "x"}, "occurrenceString": "then",
           "patient": {"reference": "Patient/<p>"},
           "encounter": {"reference": "Encounter/<e>"}},
          {"resourceType": "Flag", "id": "f", "status": "active",
           "code": {"text": "x"}, "subject": {"reference": "Patient/<p>"},
           "encounter": {"reference": "Encounter/<e>"}})
    included(s, "Immunization", "_include=*", "i", "p")
    included(s, "Immunization", "_include=Immunization:*", "i", "p")
    included(s, "Encounter", "_revinclude=*", "e", "f")
    included(s, "Encounter", "_revinclude=Immunization:*", "e", "")
    included(s, "Patient", "_revinclude=Immunization:*"
             "&_revinclude=Flag:author", "p", "i")


@both("how far :iterate goes")
def _(s):
    plant(s, *(organization(f"o{i:02}", f"N{i}", f"o{i - 1:02}" if i else None)
               for i in range(24)))
    r = included(s, "Organization", "_id=<o20>"
                 "&_include:iterate=Organization:partof", "o20",
                 " ".join(f"o{i:02}" for i in range(20)))
    equal(outcomes(r), [], "all of them")
    r = ask(s, "/Organization", f"_id={s.id('o23')}"
            "&_include:iterate=Organization:partof")
    equal(len(entries(r, "include")), 21, "as far as it goes")
    equal([i["code"] for i in outcomes(r)], ["incomplete"], "and it says so")


@both("a canonical leads to a resource, too")
def _(s):
    plant(s, {"resourceType": "Questionnaire", "id": "q", "status": "active",
              "url": "http://example.org/<key>/q"},
          {"resourceType": "QuestionnaireResponse", "id": "r",
           "status": "completed",
           "questionnaire": "http://example.org/<key>/q"})
    included(s, "QuestionnaireResponse",
             "_include=QuestionnaireResponse:questionnaire", "r", "q")
    included(s, "QuestionnaireResponse", "_include=*", "r", "q")
    included(s, "Questionnaire", "_revinclude=QuestionnaireResponse:*", "q",
             "r")
    included(s, "Questionnaire",
             "_revinclude=QuestionnaireResponse:questionnaire", "q", "r")
    table(s, "QuestionnaireResponse", """
        questionnaire=http://example.org/<key>/q  r
        questionnaire.status=active     r
        questionnaire.status=draft      -
        """)


@both("what is included is not on every page; a part of it")
def _(s):
    ward(s)
    r = included(s, "Observation", "code=A&_include=Observation:patient"
                 "&_elements=code", "a", "p")
    by = {e["search"]["mode"]: e["resource"] for e in r.json()["entry"]}
    check("subject" not in by["match"] and "code" in by["match"], "match")
    check("name" in by["include"], "_elements is about matches only")
    r = included(s, "Observation", "code=A&_include=Observation:patient"
                 "&_summary=true", "a", "p")
    for e in r.json()["entry"]:
        check({"code": "SUBSETTED"}.items() <= e["resource"]["meta"]["tag"]
              [-1].items(), "subsetted")
    equal(outcomes(r), [], "nothing to say")


@both("compartments")
def _(s):
    ward(s)
    table(s, "Patient/" + s.id("p") + "/Observation", """
        code:missing=false              a c
        code=A                          a
        code=B                          -
        patient.family=chain            a c
        status=final                    a c
        nonsense=x                      !400
        """)
    for path, wanted in (
            ("Patient/<p>/Observation", "a c"),
            ("Patient/<p>/Encounter", "e"),
            ("Patient/<p>/*", "a c e p q r v"),
            ("Patient/<q>/*", "b f q"),
            ("Patient/<p>/Patient", "p q"),
            ("Encounter/<e>/Observation", "a"),
            ("Encounter/<e>/Encounter", "e"),
            ("Encounter/<f>/*", "b f"),
            ("Practitioner/<dr>/Observation", "a"),
            ("Practitioner/<dr>/*", "a dr e p v"),
            ("Device/<dev>/Observation", "b"),
            ("RelatedPerson/nobody/Observation", ""),
            ("Patient/nobody/Observation", "")):
        table(s, named(s, path), f"_lastUpdated=gt2000  {wanted or '-'}")
    table(s, named(s, "Patient/<p>/*"), """
        _type=Observation               a c
        _type=Observation,Encounter     a c e
        _type=Organization              !404
        code=A                          !400
        """)
    for path, status in (("/Patient/x/Organization", 404),
                         ("/Organization/x/Patient", 404),
                         ("/Patient/x/Nonsense", 404),
                         ("/Patient/x/Observation/y", 404),
                         ("/Observation/x/*", 404)):
        equal(s.get(path).status, status, path)
    equal(s.put("/Patient/x/Observation", {}).status, 405, "PUT")
    r = s.request("OPTIONS", "/Patient/x/Observation")
    check("GET" in r.get("Allow"), "OPTIONS")


@both("a compartment: of its own type one id, of others none")
def _(s):
    ward(s)
    same = s.id("p")
    r = s.put("/Basic/" + same, {"resourceType": "Basic", "id": same,
                                 "code": {"text": "no patient's"}})
    check(r.status in (200, 201), "another resource of the same id")
    found = [(e["resource"]["resourceType"], e["resource"]["id"])
             for e in s.get(f"/Patient/{same}/*?_count=100").json()["entry"]]
    check(("Patient", same) in found, "the patient")
    check(("Basic", same) not in found, "what has her id by chance")


@both("several types")
def _(s):
    ward(s)
    for query, wanted in (
            ("_type=Patient", "p q"),
            ("_type=Patient,Encounter", "e f p q"),
            ("_type=Encounter,Observation&status=finished", "e f"),
            ("_type=Encounter,Observation"
             "&status=http://hl7.org/fhir/encounter-status|", "e f"),
            ("_type=Encounter,Observation&patient=<p>", "a c e"),
            ("_type=Encounter,Observation&patient.family=chain", "a c e"),
            ("_type=Encounter,Observation&subject=Patient/<q>", "b f"),
            ("_type=Patient,Observation&_id=<p>,<a>,<e>", "a p"),
            ("_type=Patient,Practitioner&family=c", "dr p"),
            ("_type=Patient&_has:Observation:patient:code=A", "p"),
            ("_id=<p>,<a>", "a p"),
            ("_lastUpdated=gt2000",
             "a alpha b beta c d dev dr e f gamma l p q r v"),
            ("_type=Patient,Encounter&_list=<l>", ""),
            ("_list=<l>", "a b")):
        table(s, "", f"{query}  {wanted or '-'}")
    table(s, "", """
        _type=Nonsense                  !400
        _type=Patient&_type=Encounter   !400
        _type=Patient,Encounter&family=x  !400
        family=x                        !400
        status=final                    !400
        """)
    r = included(s, "", "_type=Observation,DiagnosticReport&status=final"
                 "&_include=DiagnosticReport:result"
                 "&_include=Observation:encounter", "a b c d r", "e f")
    check(r.json()["link"][0]["url"].startswith(
        s.stand.base(s.server) + "/?"), r.json()["link"][0]["url"])


@both("types that the token may not search are not there")
def _(s):
    ward(s)
    few = s.token("system/Observation.rs system/Encounter.s")
    table(s, "Observation", """
        patient=<p>                     a c
        patient.family=chain            !403
        patient.organization:below=<alpha>  !403
        performer:below=Organization/<alpha>  !403
        subject.family=chain            !403
        subject:Patient.family=chain    !403
        encounter.status=finished       a b
        has-member.code=A               c
        _has:DiagnosticReport:result:status=final  !403
        _has:Observation:has-member:code=C  a
        _list=<l>                       !403
        _sort=patient.family            !403
        _filter=patient.family eq "Chain"  !403
        """, token=few)
    table(s, "", """
        _type=Observation               a b c d
        _type=Observation,Patient       !403
        _lastUpdated=gt2000             a b c d e f
        """, token=few)
    table(s, named(s, "Patient/<p>/*"), "_lastUpdated=gt2000  a c e",
          token=few)
    table(s, named(s, "Patient/<p>/Encounter"), "status=finished  e",
          token=few)
    table(s, named(s, "Patient/<p>/DiagnosticReport"), "status=final  !403",
          token=few)
    r = ask(s, "/Observation", f"code=A&_tag={s.key}&_include=*"
            "&_revinclude=*", token=few)
    equal(labels(s, entries(r, "include")), ["c"], "included")
    equal(s.get("/?_id=x", token=s.token("system/Patient.r")).status, 403,
          "nothing to search")
    r = s.get("/Observation?performer.name=" + quote("curie", safe=URL)
              + f"&_tag={s.key}",
              token=s.token("system/Observation.s system/Practitioner.s"))
    equal(labels(s, entries(r)), ["a"], "one of the types is enough")


main()
