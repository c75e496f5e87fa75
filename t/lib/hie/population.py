"""A population: the Synthea patients, and as many copies of them as wanted.

All ids are UUIDs. Their last three digits are the number of the copy, in ids,
references and identifiers alike; nothing else differs between copies."""

import json
import random
import re
import uuid

from .fhir import consent
from .process import SHARED

BUNDLES = SHARED / "data/synthea-r4/bundles"
MRN = "https://github.com/synthetichealth/synthea"
VALUE_SETS = 25
VITAL_SIGNS = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
ORGANIZATION = "Organization/clinic-a"

NUMBER = re.compile(rb"(?<=[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-"
                    rb"[0-9a-f]{9})[0-9a-f]{3}")


class Population:
    def __init__(self):
        """`people`: what the Bundles say, a list of resources each."""
        self.people = []
        self.loaded = 0          # copies
        lines, seen = [], set()
        for path in sorted(BUNDLES.glob("*.json")):
            resources = self._resources(json.loads(path.read_text()))
            self.people.append(resources)
            for r in resources:
                if (r["resourceType"], r["id"]) not in seen:
                    seen.add((r["resourceType"], r["id"]))
                    lines.append(r)
        lines += self._consents() + self._value_sets()
        self.resources = len(lines)
        text = "".join(json.dumps(r, ensure_ascii=False,
                                  separators=(",", ":")) + "\n"
                       for r in lines)
        self._parts = NUMBER.split(text.encode())

    @staticmethod
    def _resources(bundle):
        """With references by type and id."""
        kinds = {e["fullUrl"]: e["resource"]["resourceType"]
                 for e in bundle["entry"]}
        text = json.dumps([e["resource"] for e in bundle["entry"]])
        text = re.sub(r'"(urn:uuid:[0-9a-f-]{36})"', lambda m: m[0]
                      if m[1] not in kinds
                      else f'"{kinds[m[1]]}/{m[1][9:]}"', text)
        resources = json.loads(text)
        for r in resources:
            if "vital-signs" in str(r.get("category")):
                r["meta"]["profile"] = [VITAL_SIGNS]
        return resources

    def _consents(self):
        """A tenth of the patients, who permit."""
        return [consent(self.made("consent", i), person[0]["id"],
                        permit=[ORGANIZATION])
                for i, person in enumerate(self.people) if i % 10 == 0]

    def _value_sets(self):
        return [{"resourceType": "ValueSet", "id": key, "status": "draft",
                 "url": self.url(key)}
                for key in (self.made("ValueSet", i)
                            for i in range(VALUE_SETS))]

    @staticmethod
    def made(kind, i):
        """An id that does not come from the Bundles."""
        return str(uuid.UUID(int=random.Random(f"{kind} {i}").getrandbits(128),
                             version=4))

    @staticmethod
    def url(key):
        return f"http://example.org/sets/{key[:2]}/{key}"

    @staticmethod
    def id(key, copy):
        return key[:-3] + format(copy, "03x")

    def load(self, stand, copies):
        """Up to so many copies."""
        path = stand.dir / "tmp" / "population.ndjson"
        for copy in range(self.loaded, copies):
            path.write_bytes((b"%03x" % copy).join(self._parts))
            path.chmod(0o644)
            stand.load(path, validate=False)
        path.unlink(missing_ok=True)
        self.loaded = copies
        stand.postgres.psql("VACUUM ANALYZE", role="postgres")
