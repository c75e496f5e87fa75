"""The official examples of R4, those that a server can keep."""

import re

from ..tap import data
from .text import dump, load

# Some of them have longer ones.
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def examples():
    for path in sorted(data("fhir-r4-examples").rglob("*.json")):
        try:
            resource = load(path.read_text())
        except ValueError:
            continue
        if isinstance(resource, dict) and ID.fullmatch(
                resource.get("id", "")):
            yield resource


def put_in(stand, store):
    """Into the stand, and into a store of our own; as a list."""
    found = list(examples())
    file = stand.dir / "tmp" / "examples.ndjson"
    file.write_text("\n".join(map(dump, found)) + "\n")
    # some break rules of their own release
    stand.load(file, validate=False)
    for resource in found:
        store.add(resource)
    return found
