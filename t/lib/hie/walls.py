"""Who may include what: docs/architecture.md as a check."""

import re

from .process import TOP

# An include between rooms points to a lower layer.
LAYERS = {"base": 0, "fhir": 1, "hl7v2": 1, "ucum": 2, "fhirpath": 3,
          "xml": 3, "validation": 4, "patch": 4, "terminology": 4,
          "search": 4,
          "store": 5, "cache": 5, "journal": 5, "access": 6, "consent": 6,
          "audit": 6, "exchange": 7}

# Bytes in, bytes out: no I/O, no clock, no threads.
PURE = ("fhir", "hl7v2", "ucum", "fhirpath", "xml", "validation", "patch",
        "terminology", "search")

# What may be seen of a room from outside, where it is not ROOM.h alone.
PUBLIC = {"base": ("base", "config", "decimal"),
          "fhir": ("fhir", "definitions", "search_params")}

# The rooms that an adapter knows.
ADAPTERS = {"mod_hie_common": ("base", "exchange"),
            "mod_hie_fhir": ("base", "exchange"),
            "mod_hie_consent": ("base", "exchange"),
            "mod_hie_audit": ("base", "exchange"),
            "ngx_hie": ("base", "exchange", "hl7v2"),
            "hiectl": tuple(LAYERS)}

# Directories whose headers others may include, and which others.
COMMON = {"mod_hie_common": ("mod_hie_fhir", "mod_hie_consent",
                             "mod_hie_audit")}

# Libraries that one room keeps from all others.
KEPT = {"libpq-fe.h": ("store", "hiectl"), "hiredis/hiredis.h": ("cache",),
        "yaml.h": ("base",), "libxml/parser.h": ("xml", "patch"),
        "libxml/parserInternals.h": ("xml",), "libxml/tree.h": ("patch",),
        "libxml/xpath.h": ("patch",), "libxml/xpathInternals.h": ("patch",)}

SERVER = re.compile(r"(httpd|scoreboard|(ap|http|mod|mpm|util)_\w+"
                    r"|nginx|ngx_\w+)\.h$")
IMPURE = re.compile(r"((sys|netinet|arpa|linux)/\w+|fcntl|unistd|time|pthread"
                    r"|dirent|poll|signal|apr_(file|network|thread|poll)\w*"
                    r"|apr_time)\.h$")
INCLUDE = re.compile(r'\s*#\s*include\s+(["<])([^">]+)[">]')


def problem(place, quote, header):
    """What is wrong with an include in the directory `place`: a text, or
    None."""
    shared = place in LAYERS
    if quote == "<":
        if SERVER.match(header) and (shared or place == "hiectl"):
            return "a server's header in the core"
        if place in PURE and IMPURE.match(header):
            return f"{place} is pure: no I/O, no clock, no threads"
        if place not in KEPT.get(header, (place,)):
            return f"{header} is for {' and '.join(KEPT[header])}"
        return None

    room, slash, name = header.rpartition("/")
    if room == place or (not slash and not shared):
        return None
    if room in COMMON and place in COMMON[room]:
        return None
    if room not in LAYERS:
        return f"{header} is in no room that {place} may know"
    if name.removesuffix(".h") not in PUBLIC.get(room, (room,)):
        return f"{header} is private"
    if shared and LAYERS[room] >= LAYERS[place]:
        return f"{place} must not know {room}"
    if not shared and room not in ADAPTERS[place]:
        return f"{place} must not know {room}"
    return None


def directories():
    for room in LAYERS:
        yield room, TOP / "shared" / room
    for adapter in ADAPTERS:
        yield adapter, TOP / adapter


def problems():
    """All that is wrong, as (path, line, what); and how many includes were
    looked at."""
    found, count = [], 0
    for place, directory in directories():
        for path in sorted(directory.rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                m = INCLUDE.match(line)
                if m:
                    count += 1
                    what = problem(place, m[1], m[2])
                    if what:
                        found.append((path, number, what))
    return found, count
