"""What benchmarks share: the settings of the database, resources to write, and
the bare table that writing is measured against."""

import json
import os
import re
import subprocess

from .fhir import observation, patient
from .postgres import BIN
from .process import SHARED

BUNDLES = SHARED / "data/synthea-r4/bundles"


def database():
    """As docs/operations.md has it; more than 2 GB no benchmark here needs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"shared_buffers": f"{min(memory // 4, 2 << 30) >> 20}MB",
            "max_wal_size": "8GB"}


def bundles():
    """Transaction Bundles, each with its number of entries."""
    found = []
    for path in sorted(BUNDLES.glob("*.json")):
        bundle = json.loads(path.read_text())
        text = json.dumps(bundle, ensure_ascii=False, separators=(",", ":"))
        # languages of another system than the maximum value set of R4 has
        text = text.replace("http://id.loc.gov/vocabulary/iso639-1",
                            "urn:ietf:bcp:47")
        found.append((text.encode(), len(bundle["entry"])))
    if found:
        return found
    for i in range(40):
        entries = [{"resource": patient(f"bench-{i}"), "request":
                    {"method": "PUT", "url": f"Patient/bench-{i}"}}]
        entries += [{"resource": observation(
            "x", f"bench-{i}", value=n, note=[{"text": "x" * 600}]),
            "request": {"method": "POST", "url": "Observation"}}
            for n in range(300)]
        found.append((json.dumps({
            "resourceType": "Bundle", "type": "transaction",
            "entry": entries}).encode(), 301))
    return found


def observations(count):
    """Observations by themselves, as one line of JSON each."""
    lines = []
    for text, _ in bundles():
        entries = json.loads(text)["entry"]
        types = {e.get("fullUrl", ""): e["resource"]["resourceType"]
                 for e in entries}

        def place(m):
            return f'"{types[m[1]]}/{m[1].rpartition(":")[2]}"'

        for entry in entries:
            resource = entry["resource"]
            if resource["resourceType"] == "Observation":
                del resource["id"]
                line = json.dumps(resource, ensure_ascii=False,
                                  separators=(",", ":"))
                lines.append(re.sub(r'"(urn:uuid:[0-9a-f-]+)"', place, line))
    step = max(len(lines) // count, 1)
    return lines[::step][:count]


class Bare:
    """One table without an index, and rows of this text by pgbench: prepared,
    each committed as a resource is."""

    def __init__(self, stand, row):
        self.stand = stand
        self.script = stand.dir / "bare.sql"
        stand.postgres.psql("DROP TABLE IF EXISTS hie.bench_bare; CREATE "
                            "TABLE hie.bench_bare (body bytea); GRANT INSERT "
                            "ON hie.bench_bare TO hie_app")
        quoted = row.encode().hex()
        self.script.write_text("INSERT INTO hie.bench_bare VALUES "
                               f"('\\x{quoted}');\n")

    def rate(self, connections, seconds):
        done = subprocess.run(
            [BIN / "pgbench", "-M", "prepared", "-n", "-c", str(connections),
             "-j", "2", "-T", str(seconds), "-f", self.script,
             self.stand.postgres.conninfo("hie_app")], text=True, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
        return float(re.search(r"tps = ([\d.]+)", done)[1])

    def clear(self):
        self.stand.postgres.psql("TRUNCATE hie.bench_bare")

    def drop(self):
        self.stand.postgres.psql("DROP TABLE IF EXISTS hie.bench_bare")


def median_row(lines):
    """One of the usual size."""
    return sorted(lines, key=len)[len(lines) // 2]
