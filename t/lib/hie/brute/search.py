"""A store of resources in memory, and searches in it (R4 section 3.1.1)."""

from . import definitions, filters, match, ranges, units
from .match import UCUM, Wrong
from .text import normal
from .values import Contained, contained, values

# Parameters that say what comes back, not what is found.
RESULT = ("_sort", "_count", "_include", "_include:iterate", "_revinclude",
          "_revinclude:iterate", "_total", "_summary", "_elements", "_format",
          "_type")
REFERRED = 12                    # how often :iterate is repeated at most


class Answer:
    """`found`: (type, id) of the matches, in no order; `included`: of what
    else comes; `keys`: of each found, its place in the order asked for, and
    whether descending, one for each of _sort."""

    def __init__(self, found, included, keys):
        self.found, self.included, self.keys = found, included, keys


def key_of(resource):
    """(type, id); of what is contained, that of its container too."""
    key = resource["resourceType"], resource["id"]
    return key if not isinstance(resource, Contained) \
        else key + key_of(resource.container)


def without_version(canonical):
    return canonical.split("|")[0]


class Store:
    """`updated`: what a store writes into the resources that it gets."""

    def __init__(self, bases=(), updated=None):
        self.bases, self.types = tuple(bases), {}
        self.updated, self.known = updated, {}
        self.by_url, self.inside = {}, {}

    def add(self, resource):
        if self.updated:
            resource.setdefault("meta", {})["lastUpdated"] = self.updated
        self.types.setdefault(resource["resourceType"], {})[
            resource["id"]] = resource
        if isinstance(resource.get("url"), str):
            self.by_url.setdefault(resource["url"], []).append(resource)

    def get(self, type_, id_):
        return self.types.get(type_, {}).get(id_)

    def values(self, resource, parameter):
        key = (id(resource), parameter.code)
        if key not in self.known:
            # the resource is kept, that its identity is not given away
            self.known[key] = (values(resource, parameter, self.bases),
                               resource)
        return self.known[key][0]

    def parameter(self, type_, code):
        found = definitions.parameter(type_, code)
        if found is None:
            raise Wrong(f"{type_} has no parameter {code}")
        return found

    # Criteria: functions of a resource

    def criterion(self, type_, name, value, reading):
        if name == "_filter":
            return filters.criterion(self, type_, value, reading)
        if name == "_list":
            return self.reverse(type_, "_has:List:item:_id", value, reading)
        if name.startswith("_has:"):
            return self.reverse(type_, name, value, reading)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        parameter = self.parameter(type_, code)
        if dot:
            return self.chain(parameter, modifier, reading, lambda t:
                              self.criterion(t, rest, value, reading))
        if code == "_id":
            # the id of what is contained is not that of a resource
            return lambda r: (not isinstance(r, Contained)
                              and r["id"] in value.split(","))
        test = match.criterion(parameter, modifier or None, value, reading)
        return lambda r: test(self.values(r, parameter))

    def chain(self, parameter, type_, reading, rest):
        """`rest`: a criterion of what is there, by its type."""
        if parameter.kind != "reference":
            raise Wrong(f"{parameter} is no reference")
        if type_ and not parameter.leads_to(type_):
            raise Wrong(f"{parameter} does not lead to {type_}")
        tests = {}
        for t in [type_] if type_ else self.targets(parameter):
            try:
                tests[t] = rest(t)
            except Wrong:
                if type_:
                    raise
        if not tests:
            raise Wrong(f"{parameter} leads to nothing that has that")

        def meets(resource):
            for ref in self.values(resource, parameter).values:
                for target in self.led_to(resource, parameter, ref, reading):
                    test = tests.get(target["resourceType"])
                    if test and test(target):
                        return True
            return False
        return meets

    def targets(self, parameter):
        return parameter.targets or sorted(definitions.tables().types)

    def led_to(self, resource, parameter, ref, reading):
        """What a reference leads to: contained, by its name, or by its
        canonical URL."""
        if ref.canonical and not ref.inside:
            return [r for r in self.by_url.get(without_version(ref.url), ())
                    if parameter.leads_to(r["resourceType"])
                    and self.is_version(r, ref, reading)]
        # the one of the same name in the store is another copy
        target = None if ref.carried else self.target(resource, ref)
        return [target] if target else []

    @staticmethod
    def is_version(resource, ref, reading):
        """R4 says that a canonical may name a version, and not whether a
        chain or an include ends where the store has another one."""
        return (not reading.of("version led to", (False, True))
                or "|" not in ref.url
                or ref.url.split("|")[1] == resource.get("version"))

    def target(self, resource, ref):
        """What a reference that is no canonical leads to."""
        if ref.inside:
            # one and the same each time, for what is known of it
            container = getattr(resource, "container", resource)
            key = id(container), ref.contained
            if key not in self.inside:
                self.inside[key] = contained(container, ref.contained)
            return self.inside[key]
        return self.get(*ref.local) if ref.local else None

    def reverse(self, type_, name, value, reading):
        """_has:Type:reference:rest"""
        parts = name.split(":", 3)
        if len(parts) != 4:
            raise Wrong(name)
        _, source, code, rest = parts
        parameter = self.parameter(source, code)
        if parameter.kind != "reference" or not parameter.leads_to(type_):
            raise Wrong(name)
        test = self.criterion(source, rest, value, reading)
        referred = {key_of(target)
                    for r in self.types.get(source, {}).values() if test(r)
                    for ref in self.values(r, parameter).values
                    for target in self.led_to(r, parameter, ref, reading)}
        return lambda r: key_of(r) in referred

    # A search

    def search(self, types, pairs, reading, within=None):
        """`types`: one, or several. `pairs`: names and values, without URL
        encoding. `within`: the compartment's (type, id)."""
        found = []
        for type_ in [types] if isinstance(types, str) else types:
            tests = [self.criterion(type_, name, value, reading)
                     for name, value in pairs if name not in RESULT]
            if within:
                tests.append(self.in_compartment(type_, *within))
            found += [r for r in self.types.get(type_, {}).values()
                      if all(test(r) for test in tests)]
        return Answer({key_of(r) for r in found},
                      self.included(found, pairs, reading),
                      {key_of(r): self.keys(r, pairs) for r in found})

    def in_compartment(self, type_, compartment, id_):
        codes = definitions.compartment(compartment, type_)

        def test(r):
            return (type_ == compartment and r["id"] == id_) or any(
                ref.local == (compartment, id_) for code in codes
                for ref in self.values(r, self.parameter(type_, code)).values)
        return test

    # Includes

    def joined(self, resource, code, type_, reading, urls=True):
        """The resources that one refers to by a parameter (or by any: *), by
        canonical URL too or not."""
        known = definitions.parameters(resource["resourceType"])
        codes = [code] if code != "*" else [
            c for c, p in known.items() if p.kind == "reference"]
        for c in codes:
            for ref in self.values(resource, known[c]).values:
                if not ref.inside and (urls or not ref.canonical):
                    for r in self.led_to(resource, known[c], ref, reading):
                        if type_ in ("", r["resourceType"]):
                            yield key_of(r)

    def step(self, pairs, here, reading):
        """What the includes `pairs` add to the resources `here`."""
        added = set()
        for name, value in pairs:
            source, _, rest = value.partition(":")
            code, _, type_ = rest.partition(":")
            if name.startswith("_include"):
                for key in here:
                    if source in ("*", key[0]):
                        added |= set(self.joined(self.get(*key), code or "*",
                                                 type_, reading))
                continue
            for there in self.types if source == "*" else [source]:
                for r in self.types.get(there, {}).values():
                    # of * the servers leave out what nobody could expect
                    if here & set(self.joined(r, code or "*", type_, reading,
                                              source != "*")):
                        added.add(key_of(r))
        return added

    def included(self, found, pairs, reading):
        matches = {key_of(r) for r in found}
        pairs = [p for p in pairs if "include" in p[0]]
        again = [p for p in pairs if p[0].endswith(":iterate")]
        every, last = set(matches), matches
        for n in range(REFERRED):
            last = self.step(again if n else pairs, last, reading) - every
            if not last:
                break
            every |= last
        return every - matches

    # Order

    def keys(self, resource, pairs):
        out = []
        for rule in ",".join(v for n, v in pairs if n == "_sort").split(","):
            if not rule:
                continue
            code, down = rule.lstrip("-"), rule.startswith("-")
            if "." in code:
                out.append(self.place_behind(resource, code, down))
            elif code == "_id":
                out.append([resource["id"]])
            else:
                out.append(self.place_by(resource, code, down))
        return out

    def place_by(self, resource, code, down):
        parameter = definitions.parameter(resource["resourceType"], code)
        if not parameter:
            return []
        return self.place(resource, parameter, self.values(
            resource, parameter).values, down)

    def place_behind(self, resource, rule, down):
        """By what one reference leads to: the lowest of them, or the
        highest."""
        head, _, code = rule.partition(".")
        head, _, type_ = head.partition(":")
        parameter = self.parameter(resource["resourceType"], head)
        there = [self.target(resource, ref) for ref in
                 self.values(resource, parameter).values
                 if not ref.carried]
        places = [self.place_by(t, code, down) for t in there
                  if t and type_ in ("", t["resourceType"])]
        return [max(e) if down else min(e) for e in zip(*filter(None, places))]

    def place(self, resource, parameter, found, down):
        """All places that a resource may have in the order by a parameter,
        best first: the lowest of its values, or the highest where the order
        is descending (R4 section 3.1.1.5.1). Of a range either end may count.
        Empty where it has no value.

        R4 has no order for tokens and references. The servers take the text
        of the code, the URL, and Type/id of what is there."""
        kind = parameter.kind
        if not found:
            return []
        if kind == "date":
            ends = [list(e) for e in zip(*found)]
        elif kind in ("number", "quantity"):
            ends = list(zip(*(ends_of(q) for q in of_unit(found))))
        elif kind == "string":
            ends = [[normal(s) for s in found]]
        elif kind == "uri":
            ends = [[without_version(u) for u in found]]
        elif kind == "token":
            ends = [[t.code.casefold() if t.folded else t.code
                     for t in found if t.code]]
        elif kind == "reference":
            ends = [[without_version(r.url) for r in found if r.canonical]
                    or ["/".join(r.local) for r in found
                        if not r.inside and not r.carried
                        and self.target(resource, r)]]
        else:
            raise Wrong(f"no order by {parameter}")
        if down:
            ends.reverse()
        return [max(e) if down else min(e) for e in ends if e]


def of_unit(found):
    """Those of which the unit is known, in its base units; if there are none,
    all."""
    out = []
    for q in found:
        of = units.unit(q.code) if q.system == UCUM else None
        if of:
            out.append(q.interval.scaled(*of[:2]))
    return out or [q.interval for q in found]


def ends_of(interval):
    return (-ranges.INFINITY if interval.low is None else interval.low,
            ranges.INFINITY if interval.high is None else interval.high)


def ordered(keys, rules):
    """Whether resources with these keys, as they came, are in the order that
    the rules of _sort ask for, in one and the same way to see ranges."""
    down = [r.startswith("-") for r in rules]

    def before(a, b, end):
        for x, y, d in zip(a, b, down):
            if not x or not y:
                if bool(x) != bool(y):
                    return bool(x)           # none comes last
                continue
            x, y = x[min(end, len(x) - 1)], y[min(end, len(y) - 1)]
            if x != y:
                return (x > y) == d
        return True

    return any(all(before(a, b, end) for a, b in zip(keys, keys[1:]))
               for end in (0, 1))
