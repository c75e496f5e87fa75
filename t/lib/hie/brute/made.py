"""Resources that are made up from a seed: of many types, with values of all
kinds that meet often and at their boundaries. Nobody in them exists."""

from .text import Number

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
TERMS = "http://terminology.hl7.org/CodeSystem/"
LOCAL = "urn:example:codes"
EXTENSION = "http://hl7.org/fhir/StructureDefinition/"

FAMILIES = ("Müller", "Muller", "MÜLLER", "Møller", "O'Brien", "O’Brien",
            "de la  Cruz", "Ångström", "Straße", "Strasse", "Žižek", "Nguyễn",
            "Carreño Quiñones", "Smith-Jones", "smith", "Ελύτης", "Иванов",
            "山田", "Test, Comma", "Pipe|Dollar$", "Back\\slash", "İnönü")
GIVEN = ("Zoë", "Zoe", "ZOE ANN", "Änne", "Anne", "anne-marie", "Jean  Luc",
         "Éva", "Eva", "Σίσυφος", "Ádám", "A.", "Test")
WORDS = ("Heart rate", "heart  failure", "Hérz", "Blood pressure", "BLOOD",
         "Naïve text", "A, B | C", "straße 5", "Größe", "50% off", "ﬁne")
CITIES = ("Åmål", "Amal", "Zürich", "ZURICH", "São Paulo", "Łódź", "Oslo")
NUMBERS = ("5", "5.0", "5.00", "5.4", "5.40", "5.44", "5.45", "5.35", "0",
           "0.0", "-3", "-3.5", "99.5", "99.49", "100", "100.0", "100.5",
           "100.49", "1e2", "1.0e2", "0.0054", "5.4e-3", "120", "37.0",
           "1000", "999999.999", "12345678901234567890.5", "3.33")
UNITS = ("mg", "g", "kg", "mL", "L", "mmol/L", "mol/L", "mg/dL", "g/dL",
         "mm[Hg]", "kPa", "%", "/min", "cm", "m", "10*3/uL", "U/L",
         "{score}", "Cel", "kg/m2", "mL/min/{1.73_m2}", "fL", "(score)")
DATES = ("2019", "2020", "2021", "2019-12", "2020-01", "2020-02", "2020-12",
         "2019-12-31", "2020-01-01", "2020-02-29", "2020-03-01",
         "2020-12-31", "2021-01-01", "1899-12-31", "0001-01-01", "9999-12-31")
TIMES = ("T00:00:00", "T23:59:59", "T10:00:00", "T10:00:00.250", "T09:59:59.9",
         "T10:30:00.123456", "T12:00:00")
ZONES = ("Z", "+00:00", "+01:00", "-05:00", "+05:30", "+14:00", "-11:30")


class Maker:
    def __init__(self, rng, base):
        self.rng, self.base = rng, base
        self.ids = {}
        self.made = []

    # Chance

    def one(self, *values):
        return self.rng.choice(values)

    def often(self, chance=0.5):
        return self.rng.random() < chance

    def some(self, make, most=3):
        return [make() for _ in range(self.rng.randint(1, most))]

    # Data types

    def coding(self, code, system=LOCAL, display=None):
        out = {"system": system, "code": code, "display": display}
        if self.often(0.15):
            del out["system"]
        return {k: v for k, v in out.items() if v}

    def concept(self, codes, system=LOCAL):
        out = {"coding": [self.coding(self.one(*codes), system,
                                      self.often(0.4) and self.one(*WORDS))
                          for _ in range(self.one(1, 1, 1, 2))]}
        if self.often(0.4):
            out["text"] = self.one(*WORDS)
        if self.often(0.06):
            out = {"text": self.one(*WORDS)}
        return out

    def fixed(self, code, system):
        return {"coding": [{"system": TERMS + system, "code": code}]}

    def identifier(self):
        out = {"system": self.one("urn:example:mrn", "urn:example:visit"),
               "value": str(self.rng.randint(1, 40))}
        if self.often(0.3):
            out["type"] = {"coding": [{"system": TERMS + "v2-0203",
                                       "code": self.one("MR", "PI", "VN")}]}
            if self.often():
                out["type"]["text"] = self.one("Record number", "Visité")
        if self.often(0.1):
            del out["system"]
        if self.often(0.1):
            out["value"] = self.one("A|b,c$", "B,c$", "C\\,") + out["value"]
        return out

    def date(self):
        return self.one(*DATES)

    def day(self):
        return self.one(*[d for d in DATES if len(d) == 10])

    def instant(self):
        day = self.one("2019-12-31", "2020-01-01", "2020-02-29", "2020-03-01")
        return day + self.one(*TIMES) + self.one(*ZONES)

    def date_time(self):
        return self.one(self.date, self.instant)()

    def period(self):
        a, b = sorted((self.one("2019-12-31", "2020-01-01", "2020-01-15",
                                "2020-02-29", "2020-12-31")
                       for _ in range(2)))
        out = {"start": a, "end": b}
        if self.often(0.3):
            del out[self.one("start", "end")]
        elif a < b and self.often():
            out["end"] += "T12:00:00Z"
            out["start"] += "T08:00:00+02:00"
        return out

    def number(self):
        return Number(self.one(*NUMBERS))

    def quantity(self, comparator=True, units=UNITS):
        out = {"value": self.number()}
        if comparator and self.often(0.15):
            out["comparator"] = self.one("<", "<=", ">", ">=")
        unit = self.one(*units)
        kind = self.rng.random()
        if kind < 0.8:
            out |= {"system": UCUM, "code": unit}
            if self.often(0.7):
                out["unit"] = self.one(unit, "units", unit.upper())
        elif kind < 0.9:
            out["unit"] = self.one(unit, "tablets")
        else:
            out |= {"system": "urn:example:units", "code": unit}
        return out

    def range(self):
        low, high = sorted((self.rng.randint(0, 12) for _ in range(2)))
        unit = self.one("mg", "g", "a", "kg")
        out = {k: {"value": v, "system": UCUM, "code": unit, "unit": unit}
               for k, v in (("low", low), ("high", high))}
        if self.often(0.2):
            del out[self.one("low", "high")]
        return out

    def money(self):
        return {"value": self.number(), "currency": self.one("EUR", "USD")}

    def timing(self):
        out = {}
        if self.often(0.6):
            out["event"] = self.some(self.date_time, 3)
        if self.often(0.6) or not out:
            out["repeat"] = {"boundsPeriod": self.period(), "frequency": 1,
                             "period": 1, "periodUnit": "d"}
        return out

    def name(self):
        out = {"use": self.one("official", "usual", "maiden"),
               "family": self.one(*FAMILIES),
               "given": [self.one(*GIVEN) for _ in range(self.one(1, 2))]}
        if self.often(0.2):
            out["text"] = f"{out['given'][0]} {out['family']}"
        if self.often(0.1):
            out["prefix"] = [self.one("Dr.", "Prof. h. c.")]
        if self.often(0.1):
            del out["family"]
        return out

    def address(self, use=("home", "work")):
        return {"use": self.one(*use),
                "line": [f"{self.rng.randint(1, 9)} {self.one(*WORDS)}"],
                "city": self.one(*CITIES), "country": self.one("SE", "CH"),
                "postalCode": f"0{self.rng.randint(10, 30)}"}

    def telecom(self):
        return self.one(
            {"system": "phone", "value": self.one("555-1", "+46 8 55"),
             "use": "home"},
            {"system": "email", "value": self.one("a@example.org",
                                                  "B@example.org")},
            {"system": "url", "value": "http://example.org/x"})

    def link(self, *types, share=1.0):
        """A Reference to something that is there, or none."""
        types = [t for t in types if t in self.ids]
        if not types or not self.often(share):
            return None
        type_ = self.one(*types)
        key = f"{type_}/{self.one(*self.ids[type_])}"
        kind = self.rng.random()
        if kind < 0.06:
            key = f"{self.base}/{key}"
        elif kind < 0.09:
            key = f"https://other.example.org/fhir/{key}"
        elif kind < 0.12:
            key += "/_history/1"
        out = {"reference": key}
        if kind > 0.96:
            out = {"identifier": self.identifier()}
        if self.often(0.15):
            out["display"] = self.one(*WORDS)
        return out

    def usage(self):
        kind = self.one("valueQuantity", "valueRange", "valueCodeableConcept")
        value = {"valueQuantity": lambda: self.quantity(False),
                 "valueRange": self.range, "valueCodeableConcept":
                 lambda: self.concept(("adult", "child"))}[kind]()
        return {"code": {"system": TERMS + "usage-context-type",
                         "code": self.one("age", "focus", "workflow")},
                kind: value}

    # Resources

    def add(self, type_, content):
        number = len(self.ids.setdefault(type_, [])) + 1
        resource = {"resourceType": type_, "id": f"{type_.lower()}-{number}"}
        meta = {}
        if self.often(0.3):
            meta["tag"] = [self.coding(self.one("red", "green", "blue"))]
        if self.often(0.15):
            meta["profile"] = [self.one("http://example.org/fhir/p/one",
                                        "http://example.org/fhir/p/two|1.0")]
        if self.often(0.15):
            meta["source"] = self.one("urn:example:a", "http://example.org/s")
        if meta:
            resource["meta"] = meta
        resource |= {k: v for k, v in content.items()
                     if v not in (None, [], {})}
        self.ids[type_].append(resource["id"])
        self.made.append(resource)
        return resource

    def organization(self):
        self.add("Organization", {
            "identifier": self.some(self.identifier, 2),
            "active": self.one(True, False, None),
            "name": self.one(*FAMILIES, *WORDS),
            "alias": self.often() and self.some(lambda: self.one(*WORDS), 2)
            or None,
            "address": [self.address(["work"])],
            "partOf": self.link("Organization", share=0.6)})

    def practitioner(self):
        self.add("Practitioner", {
            "identifier": self.some(self.identifier, 2),
            "name": self.some(self.name, 2), "telecom": [self.telecom()],
            "gender": self.one("male", "female", None),
            "birthDate": self.day()})

    def location(self):
        self.add("Location", {
            "status": self.one("active", "suspended", None),
            "name": self.one(*WORDS), "address": self.address(),
            "type": [self.concept(("ward", "bed"))],
            "managingOrganization": self.link("Organization", share=0.6),
            "partOf": self.link("Location", share=0.5)})

    def patient(self):
        content = {
            "identifier": self.some(self.identifier),
            "active": self.one(True, False, None),
            "name": self.some(self.name, 2),
            "telecom": self.some(self.telecom, 2),
            "gender": self.one("male", "female", "other", None),
            "address": self.often(0.6) and [self.address()] or None,
            "managingOrganization": self.link("Organization", share=0.6),
            "generalPractitioner": [x for x in [self.link(
                "Practitioner", "Organization", share=0.7)] if x],
            "communication": self.often(0.4) and [
                {"language": self.concept(("de", "sv", "en"),
                                          "urn:ietf:bcp:47")}] or None}
        kind = self.rng.random()
        if kind < 0.8:
            content["birthDate"] = self.date()
        elif kind < 0.9:
            content["_birthDate"] = {"extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/"
                        "data-absent-reason", "valueCode": "unknown"}]}
        if self.often(0.2):
            content["deceasedBoolean"] = self.often()
        elif self.often(0.2):
            content["deceasedDateTime"] = self.date_time()
        if self.often(0.3):
            content["extension"] = [
                {"url": EXTENSION + "patient-mothersMaidenName",
                 "valueString": self.one(*FAMILIES)}]
        other = self.link("Patient", share=0.2)
        if other:
            content["link"] = [{"other": other, "type": "seealso"}]
        self.add("Patient", content)

    def subject(self):
        return self.link("Patient") or {"display": "nobody"}

    def encounter(self):
        place = self.link("Location", share=0.5)
        who = self.link("Practitioner", share=0.6)
        self.add("Encounter", {
            "identifier": [self.identifier()],
            "status": self.one("finished", "in-progress", "planned"),
            "class": self.coding(self.one("AMB", "IMP"),
                                 TERMS + "v3-ActCode"),
            "type": [self.concept(("checkup", "urgent"))],
            "subject": self.subject(), "period": self.period(),
            "length": self.often() and {
                "value": self.number(), "system": UCUM,
                "code": self.one("min", "h", "d")} or None,
            "participant": who and [{"individual": who}],
            "location": place and [{"location": place,
                                    "period": self.period()}],
            "serviceProvider": self.link("Organization", share=0.6),
            "partOf": self.link("Encounter", share=0.2)})

    def condition(self):
        content = {
            "clinicalStatus": self.fixed(self.one(
                "active", "resolved"), "condition-clinical"),
            "code": self.concept(("flu", "gout", "burn")),
            "subject": self.subject(),
            "encounter": self.link("Encounter", share=0.4),
            "recordedDate": self.often() and self.date_time() or None,
            "asserter": self.link("Practitioner", share=0.3)}
        years = {"value": self.rng.randint(1, 9), "system": UCUM,
                 "code": self.one("a", "mo", "wk"), "unit": "time"}
        content |= self.one(
            {"onsetDateTime": self.date_time()}, {"onsetAge": years},
            {"onsetPeriod": self.period()}, {"onsetString": "long ago"},
            {"onsetRange": self.range()}, {})
        if content["clinicalStatus"]["coding"][0]["code"] == "resolved":
            content |= self.one({"abatementDateTime": self.date_time()},
                                {"abatementAge": years}, {})
        self.add("Condition", content)

    def value(self):
        return self.one(
            {"valueQuantity": self.quantity()},
            {"valueQuantity": self.quantity()},
            {"valueQuantity": self.quantity()},
            {"valueCodeableConcept": self.concept(("pos", "neg", "high"))},
            {"valueString": self.one(*WORDS)},
            {"valueDateTime": self.date_time()},
            {"valuePeriod": self.period()}, {"valueBoolean": self.often()},
            {"valueRange": self.range()},
            {"dataAbsentReason": self.fixed("unknown",
                                            "data-absent-reason")})

    def effective(self):
        return self.one(
            {"effectiveDateTime": self.date_time()},
            {"effectiveDateTime": self.instant()},
            {"effectivePeriod": self.period()},
            {"effectiveInstant": self.instant()},
            {"effectiveTiming": self.timing()}, {})

    def observation(self):
        code = ("8867-4", "8480-6", "8462-4", "29463-7")
        content = {
            "identifier": self.often(0.3) and [self.identifier()] or None,
            "status": self.one("final", "amended", "preliminary"),
            "category": [self.concept(("vital-signs", "laboratory"),
                                      TERMS + "observation-category")],
            "code": self.concept(code, LOINC),
            "subject": self.link("Patient", "Patient", "Location", "Group",
                                 share=0.9),
            "encounter": self.link("Encounter", share=0.4),
            "performer": [x for x in [self.link(
                "Practitioner", "Organization", share=0.6)] if x],
            "method": self.often(0.2) and self.concept(("a", "b")) or None,
            "hasMember": [x for x in [self.link("Observation",
                                                share=0.15)] if x]}
        if self.often(0.1):
            content["subject"] = {"reference": "#p"}
            content["contained"] = [
                {"resourceType": "Patient", "id": "p", "name": [self.name()],
                 "gender": self.one("male", "female"),
                 "birthDate": self.date(), "managingOrganization": self.one(
                     self.link("Organization"), {"reference": "#o"})},
                {"resourceType": "Organization", "id": "o",
                 "name": self.one(*WORDS)}]
            if content["contained"][0]["managingOrganization"] != {
                    "reference": "#o"}:
                content["contained"].pop()
        elif self.often(0.15):
            content["hasMember"] = [{"reference": "#m"}]
            content["contained"] = [
                {"resourceType": "Observation", "id": "m", "status": "final",
                 "code": self.concept(code, LOINC), "derivedFrom": [
                     {"reference": "#"}]} | self.effective() | self.value()]
            subject = self.link("Patient")
            if subject:
                content["contained"][0]["subject"] = subject
        content |= self.effective() | self.value()
        if self.often(0.1):
            content["extension"] = [
                {"url": EXTENSION + "observation-geneticsGene",
                 "valueCodeableConcept": self.concept(("BRCA1", "TP53"))},
                {"url": EXTENSION + "observation-geneticsDnaVariant",
                 "valueCodeableConcept": self.concept(("v1", "v2"))}]
        if self.often(0.25):
            content["component"] = self.some(lambda: {
                "code": self.concept(("10-1", "20-2", "30-3"), LOINC)}
                | self.value(), 2)
        self.add("Observation", content)

    def procedure(self):
        self.add("Procedure", {
            "status": self.one("completed", "in-progress"),
            "code": self.concept(("cut", "sew")), "subject": self.subject(),
            "encounter": self.link("Encounter", share=0.4),
            "location": self.link("Location", share=0.4),
            "reasonReference": [x for x in [self.link(
                "Condition", share=0.4)] if x]} | self.one(
            {"performedDateTime": self.date_time()},
            {"performedPeriod": self.period()},
            {"performedString": "then"}, {}))

    def medication(self):
        self.add("Medication", {
            "code": self.concept(("aspirin", "insulin")),
            "status": self.one("active", "inactive", None),
            "form": self.concept(("tablet", "syrup")),
            "batch": {"lotNumber": self.one("Ab1", "aB1", "XYZ", "É9"),
                      "expirationDate": self.date()},
            "manufacturer": self.link("Organization", share=0.6)})

    def medication_request(self):
        content = {
            "identifier": [self.identifier()],
            "status": self.one("active", "stopped"), "intent": "order",
            "subject": self.subject(), "authoredOn": self.date_time(),
            "requester": self.link("Practitioner", share=0.6)}
        kind = self.rng.random()
        if kind < 0.4:
            content["medicationReference"] = self.link("Medication")
        elif kind < 0.6:
            content["medicationReference"] = {"reference": "#m"}
            maker = self.one(None, {"reference": "#o"},
                             self.link("Organization"))
            content["contained"] = [
                {"resourceType": "Medication", "id": "m",
                 "code": self.concept(("aspirin", "insulin")),
                 "batch": {"lotNumber": self.one("Ab1", "aB1", "XYZ"),
                           "expirationDate": self.date()},
                 **({"manufacturer": maker} if maker else {})}]
            if maker == {"reference": "#o"}:
                content["contained"].append(
                    {"resourceType": "Organization", "id": "o",
                     "name": self.one(*FAMILIES, *WORDS),
                     "partOf": {"reference": "Organization/organization-1"}})
        else:
            content["medicationCodeableConcept"] = self.concept(
                ("aspirin", "insulin"))
        self.add("MedicationRequest", content)

    def service_request(self):
        self.add("ServiceRequest", {
            "status": self.one("active", "completed"), "intent": "order",
            "code": self.concept(("x-ray", "blood")),
            "subject": self.subject(), "authoredOn": self.date_time(),
            "instantiatesCanonical": self.often(0.4) and [self.one(
                "http://example.org/fhir/plan", "http://example.org/plan|2",
                "http://example.org/plan|2.1")] or None,
            "instantiatesUri": self.often(0.4) and [self.one(
                "http://example.org/a/b", "http://example.org/a",
                "urn:oid:1.2.3")] or None} | self.one(
            {"occurrenceTiming": self.timing()},
            {"occurrencePeriod": self.period()},
            {"occurrenceDateTime": self.date_time()}, {}))

    def charge_item(self):
        self.add("ChargeItem", {
            "status": "billable", "code": self.concept(("bed", "meal")),
            "subject": self.subject(), "quantity": self.quantity(False),
            "factorOverride": self.number(), "priceOverride": self.money(),
            "context": self.link("Encounter", share=0.5)} | self.one(
            {"occurrenceDateTime": self.date_time()},
            {"occurrencePeriod": self.period()},
            {"occurrenceTiming": self.timing()}, {}))

    def invoice(self):
        self.add("Invoice", {
            "status": self.one("issued", "balanced"),
            "subject": self.subject(), "date": self.date_time(),
            "issuer": self.link("Organization", share=0.6),
            "totalNet": self.money(), "totalGross": self.money()})

    def risk_assessment(self):
        def prediction():
            return self.one(
                {"probabilityDecimal": Number(self.one(
                    *[n for n in NUMBERS if float(n) <= 100]))},
                {"probabilityRange": {
                    k: {"value": v, "system": UCUM, "code": "%"} for k, v in
                    zip(("low", "high"), sorted(
                        (self.rng.randint(0, 9), self.rng.randint(0, 9))))}},
                {"qualitativeRisk": self.concept(("low", "high"))})
        self.add("RiskAssessment", {
            "status": "final", "subject": self.subject(),
            "condition": self.link("Condition", share=0.5),
            "prediction": self.some(prediction, 2)} | self.one(
            {"occurrenceDateTime": self.date_time()},
            {"occurrencePeriod": self.period()}, {}))

    def document(self):
        self.add("DocumentReference", {
            "status": "current", "type": self.concept(("letter", "scan")),
            "subject": self.subject(), "date": self.instant(),
            "description": self.one(*WORDS),
            "content": [{"attachment": {
                "contentType": self.one("text/plain", "application/pdf"),
                "url": self.one("http://example.org/d/1", "urn:oid:1.2.3"),
                "language": "sv"}}],
            "context": {"period": self.period()},
            "relatesTo": [{"code": self.one("replaces", "appends"),
                           "target": x} for x in [self.link(
                               "DocumentReference", share=0.6)] if x]})

    def value_set(self):
        n = len(self.ids.get("ValueSet", [])) + 1
        self.add("ValueSet", {
            "url": self.one("http://example.org/fhir/ValueSet/", "http://"
                            "Example.org/vs/", "urn:example:vs:") + str(n),
            "identifier": [self.identifier()],
            "version": self.one("1.0", "1.0a", "2.0A", None),
            "name": f"Set{n}", "title": self.one(*WORDS),
            "status": self.one("draft", "active"), "date": self.date_time(),
            "publisher": self.one(*FAMILIES),
            "description": self.one(*WORDS),
            "useContext": self.some(self.usage, 2),
            "jurisdiction": [self.concept(("SE", "CH"))],
            "compose": {"include": [{"system": LOCAL, "concept": [
                {"code": self.one("flu", "gout")}]}]}})

    def sequence(self):
        start = self.rng.randint(1, 20)
        self.add("MolecularSequence", {
            "type": "dna", "coordinateSystem": 0,
            "patient": self.link("Patient", share=0.6),
            "referenceSeq": self.one(
                {"chromosome": self.concept(("1", "2", "X")),
                 "genomeBuild": "GRCh 37"},
                {"referenceSeqId": self.concept(("NC_1", "NC_2"))}) | {
                "strand": "watson", "windowStart": start,
                "windowEnd": start + self.rng.randint(1, 9)},
            "variant": self.some(lambda: {
                "start": self.rng.randint(1, 9),
                "end": self.rng.randint(10, 19)}, 2)})

    def group(self):
        def characteristic():
            return {"code": self.concept(("age", "sex")), "exclude":
                    self.often()} | self.one(
                {"valueCodeableConcept": self.concept(("old", "young"))},
                {"valueBoolean": self.often()},
                {"valueQuantity": self.quantity(False)},
                {"valueRange": self.range()})
        member = self.link("Patient", "Practitioner", share=0.8)
        self.add("Group", {
            "identifier": [self.identifier()], "type": "person",
            "actual": True, "code": self.concept(("study", "ward")),
            "characteristic": self.some(characteristic, 2),
            "member": member and [{"entity": member}]})

    def appointment(self):
        start, end = (f"2020-01-01T{h:02}:00:00{f}Z" for h, f in zip(
            sorted(self.rng.sample(range(24), 2)),
            (self.one("", ".5", ".123"), "")))
        self.add("Appointment", {
            "identifier": [self.identifier()],
            "status": self.one("booked", "arrived"),
            "start": start, "end": end,
            "participant": [{"status": "accepted", "actor": self.link(
                "Patient", "Practitioner", "Location") or
                {"display": "nobody"}} for _ in range(self.one(1, 2))]})

    def provenance(self):
        self.add("Provenance", {
            "target": [self.link("Observation", "Patient", "Condition",
                                 "MedicationRequest")],
            "recorded": self.instant(), "occurredPeriod": self.period(),
            "agent": [{"who": self.link("Practitioner", "Organization") or
                       {"display": "nobody"}}]})

    def substance(self):
        self.add("Substance", {
            "identifier": [self.identifier()],
            "code": self.concept(("salt", "sugar")),
            "instance": [{"identifier": self.identifier(),
                          "expiry": self.date_time(),
                          "quantity": self.quantity(False)}],
            "ingredient": [self.one(
                {"substanceCodeableConcept": self.concept(("salt", "oil"))},
                {"substanceReference": self.link("Substance") or
                 {"display": "something"}})]})

    def list_(self):
        links = [self.link("Patient", "Observation", "Condition", "Medication",
                           "Organization") for _ in range(self.one(1, 3, 6))]
        self.add("List", {
            "identifier": [self.identifier()], "status": "current",
            "mode": "working", "title": self.one(*WORDS),
            "code": self.concept(("problems", "team")),
            "subject": self.link("Patient", share=0.5),
            "date": self.date_time(), "entry": [{"item": x} for x in links]})

    def questionnaire(self):
        n = len(self.ids.get("Questionnaire", []))
        self.add("Questionnaire", {
            "url": "http://example.org/" + ("q", "q", "r", "s")[n % 4],
            "version": ("1", "2", None, "1")[n % 4], "name": f"Form{n}",
            "title": self.one(*WORDS), "status": "active",
            "date": self.date_time(), "subjectType": ["Patient"],
            "derivedFrom": n > 1 and ["http://example.org/q|1"] or None})

    def answers(self):
        own = self.often(0.3)
        self.add("QuestionnaireResponse", {
            "identifier": self.identifier(), "status": "completed",
            "questionnaire": "#q" if own else self.one(
                "http://example.org/q|1", "http://example.org/q|2",
                "http://example.org/r"),
            "contained": own and [
                {"resourceType": "Questionnaire", "id": "q",
                 "status": self.one("draft", "active"),
                 "title": self.one(*WORDS), "url": "http://example.org/q",
                 "date": self.date()}] or None,
            "subject": self.subject(), "authored": self.date_time(),
            "author": self.link("Practitioner", share=0.5)})


KINDS = (("organization", 8), ("practitioner", 10), ("location", 6),
         ("patient", 45), ("encounter", 25), ("condition", 30), ("group", 8),
         ("observation", 90), ("procedure", 15), ("medication", 6),
         ("medication_request", 15), ("service_request", 15),
         ("charge_item", 10), ("invoice", 8), ("risk_assessment", 12),
         ("document", 12), ("value_set", 12), ("sequence", 8),
         ("appointment", 10), ("provenance", 10), ("substance", 6),
         ("list_", 8), ("questionnaire", 4), ("answers", 8))


def resources(rng, base):
    """About 370 of them, so that what one refers to comes before it."""
    maker = Maker(rng, base)
    for kind, count in KINDS:
        for _ in range(count):
            getattr(maker, kind)()
    return maker.made
