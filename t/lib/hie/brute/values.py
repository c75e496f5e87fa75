"""What a resource is found by: the values that a parameter's expression leads
to, by the kind of the parameter (R4 sections 3.1.1.4.6 to 3.1.1.4.12)."""

from . import fhirpath, ranges
from .ranges import INFINITY, Interval
from .text import Number

# Elements of a type that JSON does not show: those of instants, of strings
# among tokens, and of ContactPoints of another name than telecom.
INSTANTS = {("Appointment", "date"), ("AuditEvent", "date"),
            ("Bundle", "timestamp"), ("DiagnosticReport", "issued"),
            ("DocumentReference", "date"), ("Provenance", "recorded"),
            ("Slot", "start")}
STRING_TOKENS = {("AuditEvent", "altid"), ("AuditEvent", "site"),
                 ("CapabilityStatement", "fhirversion"),
                 ("Medication", "lot-number"),
                 ("MedicationKnowledge", "monitoring-program-name"),
                 ("MedicationKnowledge", "source-cost"),
                 ("StructureDefinition", "path"),
                 ("StructureDefinition", "base-path")}
CONTACTS = ("telecom", "contact")

# Of a HumanName and an Address, what is of type string.
PARTS = ("text", "family", "given", "prefix", "suffix", "line", "city",
         "district", "state", "postalCode", "country")


class Found:
    """The values of a parameter in one resource. `present`: whether it has
    one at all, for :missing; None where R4 leaves that open: what is there
    is of a type that the kind of parameter cannot use, or has nothing but
    extensions."""

    def __init__(self):
        self.values, self.present = [], False

    def add(self, item, values):
        if values is None or (isinstance(item.value, dict) and not
                              set(item.value) - {"id", "extension"}):
            self.present = self.present or None
        else:
            self.present = True
            self.values += values


class Token:
    """`plain`: of a primitive or a ContactPoint, which have no system.
    `folded`: its case does not count. `kinds`: the type's codings of an
    Identifier."""

    def __init__(self, code, system=None, texts=(), kinds=(), plain=False,
                 folded=False):
        self.code, self.system, self.texts = code, system, texts
        self.kinds, self.plain, self.folded = kinds, plain, folded


class Reference:
    """`local`: (type, id) of our own. `url`: as it is written, without the
    version. `contained`: the id within the resource, empty of itself.
    `carried`: it is no reference but the resource itself."""

    def __init__(self, url=None, local=None, version=None, identifier=None,
                 contained=None, display=None, canonical=False,
                 carried=False):
        self.url, self.local, self.version = url, local, version
        self.identifier, self.contained = identifier, contained
        self.display, self.canonical = display, canonical
        self.carried = carried

    @property
    def inside(self):
        """Whether it stays within the resource."""
        return self.contained is not None


class Quantity:
    def __init__(self, interval, system=None, code=None, unit=None):
        self.interval, self.system = interval, system
        self.code, self.unit = code, unit


def opened(items):
    """An extension stands for its value."""
    for item in items:
        if isinstance(item.value, dict) and "url" in item.value \
                and item.name == "extension":
            yield from fhirpath.child(item, "value")
        else:
            yield item


def listed(value):
    return value if isinstance(value, list) else [value]


# Tokens


def coding(value, texts=()):
    texts = tuple(t for t in (*texts, value.get("display")) if t)
    return Token(value.get("code"), value.get("system"), texts)


def identifier(value):
    kind = value.get("type", {})
    return Token(value.get("value"), value.get("system"),
                 tuple(t for t in [kind.get("text")] if t),
                 tuple((c.get("system"), c.get("code"))
                       for c in kind.get("coding", [])))


def tokens(item, parameter):
    v = item.value
    if isinstance(v, bool):
        return [Token("true" if v else "false", plain=True)]
    if isinstance(v, str):
        return [Token(str(v), plain=True, folded=parameter.code == "version"
                      or (parameter.type, parameter.code) in STRING_TOKENS)]
    if item.name in CONTACTS:
        return [Token(v.get("value"), plain=True)]
    if "coding" in v or set(v) <= {"text", "id", "extension"}:
        texts = [v["text"]] if v.get("text") else []
        return ([coding(c) for c in v.get("coding", [])]
                + [Token(None, texts=texts)])
    if isinstance(v.get("value"), Number) or "reference" in v:
        return None
    if "value" in v or "assigner" in v or "type" in v \
            or "dentifier" in item.name:
        return [identifier(v)]
    return [coding(v)]


# References


def split_reference(text, bases):
    """Reference without what else the element has."""
    if text.startswith("#"):
        return Reference(contained=text[1:])
    m = fhirpath.REFERENCE.match(text)
    if not m:
        return Reference(url=text)
    local = (m[2], m[3]) if m[1] is None or m[1] in bases else None
    return Reference(text.split("/_history/")[0], local, m[4])


def references(item, bases):
    v = item.value
    if isinstance(v, str):
        return [Reference(url=v, canonical=True, contained=v[1:] if
                          v.startswith("#") else None)]
    if "resourceType" in v:
        local = (v["resourceType"], v["id"]) if "id" in v else None
        return [Reference(local and "/".join(local), local, carried=True)]
    if not set(v) <= {"reference", "identifier", "display", "type", "id",
                      "extension"}:
        return None
    out = split_reference(v["reference"], bases) if "reference" in v \
        else Reference()
    out.display = v.get("display")
    if "identifier" in v:
        out.identifier = identifier(v["identifier"])
    return [out]


# Strings and URIs


def strings(item):
    v = item.value
    if isinstance(v, str):
        return [v]
    if not isinstance(v, dict):
        return None
    return [s for p in PARTS for s in listed(v.get(p, [])) if s]


def uris(item, parameter):
    """The url of a resource also with its version behind it (R4 section
    3.1.1.4.13)."""
    if not isinstance(item.value, str):
        return None
    if parameter.code == "url" and item.root.get("version"):
        return [item.value, f"{item.value}|{item.root['version']}"]
    return [item.value]


# Dates


def outer(pairs):
    """From the earliest to the latest of ranges."""
    pairs = [p for p in pairs if p]
    return [(min(p[0] for p in pairs), max(p[1] for p in pairs))] \
        if pairs else []


def period(v):
    if not isinstance(v, dict):
        return None
    start, end = (ranges.of_date(v.get(k) or "") for k in ("start", "end"))
    if not start and not end:
        return None
    return (start[0] if start else -INFINITY, end[1] if end else INFINITY)


def dates(item, parameter):
    v = item.value
    if isinstance(v, str):
        found = ranges.of_date(v)
        if found and (item.type == "instant"
                      or (parameter.type, parameter.code) in INSTANTS
                      or parameter.code == "_lastUpdated"):
            found = ranges.Instant(found)
        return [found] if found else None
    if not isinstance(v, dict):
        return None
    if "start" in v or "end" in v:
        return outer([period(v)])
    if "event" in v or "repeat" in v or "code" in v:
        events = [ranges.of_date(e) for e in v.get("event", []) if e]
        return outer(events + [period(v.get("repeat", {}).get(
            "boundsPeriod"))])
    return None


# Numbers and quantities


def number(lexeme):
    return ranges.of_number(lexeme)[0]


def simple_quantity(v):
    """None if it has no value."""
    if not isinstance(v, dict) or not isinstance(v.get("value"), Number):
        return None
    value, comparator = number(v["value"]), v.get("comparator", "")
    low = None if comparator.startswith("<") else value
    high = None if comparator.startswith(">") else value
    interval = Interval(low, high, comparator == ">", comparator == "<")
    if "currency" in v:
        return Quantity(interval, "urn:iso:std:iso:4217", v["currency"])
    return Quantity(interval, v.get("system"), v.get("code"), v.get("unit"))


def between(v):
    """A Range: both ends are in the same unit."""
    low, high = (simple_quantity(v.get(k)) for k in ("low", "high"))
    if not low and not high:
        return []
    of = low or high
    return [Quantity(Interval(low and low.interval.low,
                              high and high.interval.high),
                     of.system, of.code, of.unit)]


def quantities(item):
    v = item.value
    if isinstance(v, Number):
        return [Quantity(Interval(number(v), number(v)))]
    if not isinstance(v, dict):
        return None
    if "low" in v or "high" in v:
        return between(v)
    if "origin" in v:
        return None
    found = simple_quantity(v)
    return [found] if found else []


# All of them


def of_item(item, kind, parameter, bases):
    if kind == "token":
        return tokens(item, parameter)
    if kind == "reference":
        return references(item, bases)
    return {"string": strings, "uri": lambda i: uris(i, parameter),
            "number": quantities, "quantity": quantities,
            "date": lambda i: dates(i, parameter)}[kind](item)


def composed(item, parameter, bases):
    """The values of the components in one element; None if one of them has
    none."""
    out = []
    for kind, expression in parameter.components:
        found = Found()
        for i in opened(fhirpath.evaluate(expression, item)):
            if i.value is not None:
                found.add(i, of_item(i, kind, parameter, bases))
        out.append(found.values)
    return [out] if all(out) else None


def values(resource, parameter, bases=()):
    """`bases`: what we are known by; an absolute reference below one of them
    is our own."""
    found = Found()
    if parameter.expression is None:
        return found
    root = fhirpath.of_resource(resource)
    for item in opened(fhirpath.evaluate(parameter.expression, root)):
        if item.value is None:
            continue
        if parameter.kind == "composite":
            found.add(item, composed(item, parameter, bases))
        elif parameter.kind != "special":
            found.add(item, of_item(item, parameter.kind, parameter, bases))
    return found


class Contained(dict):
    """A contained resource as one that can be evaluated: what it refers to
    by # stands in its container."""

    def __init__(self, resource, container):
        super().__init__(resource | {"contained": container["contained"]})
        self.container = container


def contained(resource, id_):
    """What "#id" means in a resource, contained or not."""
    container = getattr(resource, "container", resource)
    if not id_:
        return container
    for c in container.get("contained", []):
        if c.get("id") == id_:
            return Contained(c, container)
    return None
