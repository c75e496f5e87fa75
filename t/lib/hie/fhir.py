"""Resources for tests, and looking into what comes back."""

LOINC = "http://loinc.org"
RECIPIENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/"
                                   "v3-ParticipationType", "code": "PRCP"}]}


def patient(key, family="Probe", given=("Test",), value=None, **more):
    return {"resourceType": "Patient", "id": key,
            "identifier": [{"system": "urn:example:mrn",
                            "value": value or key}],
            "name": [{"family": family, "given": list(given)}], **more}


def observation(key, subject, code="8867-4", value=70, **more):
    return {"resourceType": "Observation", "id": key, "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": {"reference": f"Patient/{subject}"},
            "valueQuantity": {"value": value, "unit": "/min"}, **more}


def consent(key, subject, permit=(), deny=(), base="deny", status="active",
            period=None):
    """Root `base`, and nested provisions for organisations."""
    nested = [{"type": kind, "actor": [{"role": RECIPIENT,
                                        "reference": {"reference": o}}]}
              for kind, names in (("permit", permit), ("deny", deny))
              for o in names]
    provision = {"type": base}
    if nested:
        provision["provision"] = nested
    if period:
        provision["period"] = period
    out = {"resourceType": "Consent", "id": key, "status": status,
           "scope": {"coding": [{"system": "http://terminology.hl7.org/"
                                           "CodeSystem/consentscope",
                                 "code": "patient-privacy"}]},
           "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
           "patient": {"reference": f"Patient/{subject}"},
           "provision": provision}
    out["policyRule"] = {"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "OPTOUT" if base == "deny" else "OPTIN"}]}
    return out


def found(response):
    """Ids in a searchset, in its order."""
    bundle = response.json()
    assert bundle["resourceType"] == "Bundle", bundle
    assert bundle["type"] == "searchset", bundle
    return [e["resource"]["id"] for e in bundle.get("entry", [])
            if e.get("search", {}).get("mode") != "outcome"]


def link(response, relation):
    for entry in response.json().get("link", []):
        if entry["relation"] == relation:
            return entry["url"]
    return None
