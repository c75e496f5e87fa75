"""Searches that are drawn from the data: values that are there, values next to
these, and what connects resources."""

import datetime
import json
import re
import unicodedata
from fractions import Fraction

from . import definitions, ranges, units
from .match import PREFIXES, UCUM, Reading, Wrong
from .search import key_of
from .text import escaped, normal, plain, stripped

# Not of an element, or of a kind of their own; phonetic is as a server likes.
SPECIAL = ("_id", "_lastUpdated", "_content", "_text", "_query", "near",
           "phonetic")
SORTED = ("date", "string", "number", "quantity", "uri", "token", "reference")
UNITS = ("mg", "g", "kg", "ug", "mL", "L", "dL", "fL", "mmol/L", "mol/L",
         "umol/L", "mg/dL", "g/dL", "g/L", "mm[Hg]", "kPa", "%", "1",
         "{score}", "/min", "/h", "cm", "m", "mm", "[in_i]", "10*3/uL",
         "10*9/L", "U/L", "kU/L", "K", "Cel", "[degF]", "kg/m2", "g/cm2",
         "mL/min", "min", "h", "d", "wk", "a", "mo")
ACCENTS = {"a": "ä", "e": "é", "o": "ø", "u": "ū", "n": "ñ", "s": "š"}


class Query:
    """`types`: one, which is in the path, or several. `pairs`: names and
    values without URL encoding. `within`: the (type, id) of a compartment.
    `page`: resources of a page."""

    def __init__(self, types, pairs, within=None, page=1000):
        if isinstance(types, str):
            self.types, self.place = [types], [types]
        else:
            self.types, self.place = types, ["*"] if within else []
        self.pairs, self.within, self.page = pairs, within, page

    def __str__(self):
        place = "/".join(["", *(self.within or ()), *self.place])
        return place + "?" + "&".join(f"{n}={v}" for n, v in self.pairs)


def is_simple(parameter):
    return (parameter.expression is not None and parameter.kind != "special"
            and parameter.code not in SPECIAL)


class Drawer:
    """`resources`: what is drawn from, all of it in the store."""

    def __init__(self, rng, store, resources):
        self.rng, self.store = rng, store
        self.lists = {}
        for r in resources:
            self.lists.setdefault(r["resourceType"], []).append(r)
        self.types = sorted(self.lists)
        self.weights = [len(self.lists[t]) ** 0.5 for t in self.types]
        self.used = {t: self.parameters_in_use(t) for t in self.types}
        self.referred = self.referring()

    # What is there

    def parameters_in_use(self, type_):
        return [p for _, p in sorted(definitions.parameters(type_).items())
                if is_simple(p) and any(self.store.values(r, p).values
                                        for r in self.lists[type_])]

    def referring(self):
        """{key_of: [(parameter, the resource that refers to it)]}"""
        out = {}
        for type_ in self.types:
            for p in self.used[type_]:
                if p.kind != "reference":
                    continue
                for r in self.lists[type_]:
                    for ref in self.store.values(r, p).values:
                        for key in self.there(r, p, ref):
                            out.setdefault(key, []).append((p, r))
        return out

    def there(self, resource, parameter, ref):
        if ref.canonical or ref.inside:
            return [key_of(r) for r in self.store.led_to(
                resource, parameter, ref, Reading())]
        return [ref.local] if ref.local and not ref.carried \
            and parameter.leads_to(ref.local[0]) else []

    # Chance

    def one(self, *values):
        return self.rng.choice(values)

    def often(self, chance=0.5):
        return self.rng.random() < chance

    # Values by kind: texts with escapes, and a modifier

    def token(self, t, parameter):
        modifiers = ["not"] * 2 + [None] * 8
        if t.texts:
            modifiers += ["text"] * (3 if t.code else 99)
        if t.kinds and t.code:
            modifiers += ["of-type"] * 4
        modifier = self.one(*modifiers)
        if modifier == "text":
            text = self.varied(self.one(*t.texts))
            return modifier, escaped(text[:self.rng.randint(1, 12)].strip()
                                     or text)
        if modifier == "of-type":
            system, code = self.one(*t.kinds)
            if system and code:
                return modifier, "|".join(map(escaped,
                                              (system, code, t.code)))
            modifier = None
        return modifier, self.code(t)

    def code(self, t):
        """One of the forms of a token."""
        code = t.code or "x"
        if self.often(0.06):
            code += "x"
        if t.folded and self.often():
            code = self.one(code.upper(), code.lower())
        code = escaped(code)
        if t.plain:
            return code
        form = self.rng.random()
        if form < 0.4 and t.code:
            return code
        if form < 0.5 and t.code:
            return "|" + code
        if t.system and form < 0.6:
            return escaped(t.system) + "|"
        if t.system and form < 0.95:
            return f"{escaped(t.system)}|{code}"
        return (code if t.code else escaped(t.system or "urn:x") + "|")

    def varied(self, text):
        """Another text that is the same to a search."""
        way = self.rng.random()
        if way < 0.2:
            return text.upper()
        if way < 0.35:
            return stripped(text)
        if way < 0.5:
            return "".join(unicodedata.normalize("NFC", ACCENTS[c])
                           if c in ACCENTS and c != "o" and self.often(0.3)
                           else c for c in text)
        if way < 0.6:
            return text.replace(" ", "  ")
        if way < 0.7:
            return unicodedata.normalize("NFD", text)
        return text

    def string(self, text, _):
        modifier = self.one(None, None, None, "exact", "contains")
        if modifier == "exact":
            if self.often(0.3):
                text = self.one(text.upper(), text[:-1], text + "x") or text
            return modifier, escaped(text)
        if modifier == "contains":
            start = self.rng.randrange(len(text))
            text = text[start:start + self.rng.randint(1, 8)]
        elif self.often(0.7):
            text = text[:self.rng.randint(1, len(text))]
        text = self.varied(text)
        return modifier, escaped(text) if normal(text) else "x"

    def uri(self, text, _):
        if ":" not in text or text.startswith("urn:") or "|" in text \
                or self.often():
            text = escaped(text if self.often(0.9) else text + "x")
            return None, text if self.often() else text.replace("\\|", "|")
        if self.often():
            cut = self.one(text.rfind("/") + 1, self.rng.randint(
                10, len(text)), len(text))
            return "below", escaped(text[:cut] or text)
        return "above", escaped(text + self.one("", "/x", "/x/y", "x"))

    def reference(self, ref, parameter):
        if ref.identifier and (self.often() or not ref.url):
            return "identifier", self.code(ref.identifier)
        if ref.local:
            type_, id_ = ref.local
            forms = [(None, id_), (None, f"{type_}/{id_}"),
                     (None, f"{self.store.bases[0]}/{type_}/{id_}")]
            if parameter.leads_to(type_):
                forms.append((type_, id_))
            return self.one(*forms)
        if ref.inside:
            return None, escaped(ref.url or "#" + ref.contained)
        if ref.canonical:
            return None, escaped(self.one(ref.url, ref.url,
                                          ref.url.split("|")[0]))
        return (None, escaped(ref.url)) if ref.url else (None, "nobody")

    # Dates

    def date_text(self, at):
        """A moment in microseconds, cut off somewhere."""
        seconds, micro = divmod(at, ranges.SECOND)
        try:
            t = datetime.datetime(1970, 1, 1) + datetime.timedelta(
                seconds=seconds)
            minutes = self.one(0, 0, 60, -300, 330)
            there = t + datetime.timedelta(minutes=minutes)
        except OverflowError:
            return "2020"
        digits = self.one(4, 7, 10, 10, 16, 19, 23, 26)
        if digits <= 10:
            return t.strftime("%Y").zfill(4) + t.strftime("-%m-%d")[
                :digits - 4]
        zone = "Z" if self.often(0.8) else ""
        if minutes and zone:
            t = there
            zone = (f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:"
                    f"{abs(minutes) % 60:02}")
        text = (t.strftime("%Y").zfill(4) + t.strftime("-%m-%dT%H:%M:%S")
                + f".{micro:06}")
        return text[:digits] + zone

    def date(self, value, _):
        ends = [e for e in value if abs(e) != ranges.INFINITY]
        at = self.one(*ends) + self.one(
            0, 0, 0, -1, 1, ranges.SECOND, -ranges.MINUTE, ranges.DAY)
        return None, self.prefix() + self.date_text(at)

    def prefix(self):
        return self.one("", "", "", *PREFIXES)

    # Numbers

    def lexeme(self, value):
        """A number near a value, of some precision; never with an exponent
        and one digit, which R4 contradicts itself about."""
        scale = 0
        while scale < 12 and (value * 10 ** scale).denominator != 1:
            scale += 1
        way = self.rng.random()
        if way < 0.15:
            scale += self.rng.randint(1, 2)
        elif way < 0.3 and scale:
            scale -= 1
        digits = round(value * 10 ** scale)
        if 0.3 <= way < 0.4:
            digits += self.one(-1, 1)
        elif 0.4 <= way < 0.55:
            digits, scale = digits * 10 + self.one(5, -5), scale + 1
        elif 0.55 <= way < 0.6 and abs(digits) >= 10:
            return f"{digits}e{-scale}"
        sign, text = "-" if digits < 0 else "", str(abs(digits))
        if not scale:
            return sign + text
        text = text.rjust(scale + 1, "0")
        return f"{sign}{text[:-scale]}.{text[-scale:]}"

    def some_end(self, interval):
        return self.one(*[e for e in (interval.low, interval.high)
                          if e is not None] or [Fraction(1)])

    def number(self, q, _):
        return None, self.prefix() + self.lexeme(self.some_end(q.interval))

    def quantity(self, q, _):
        value, form = self.some_end(q.interval), self.rng.random()
        of = units.unit(q.code) if q.system == UCUM else None
        if form < 0.2:
            return None, self.prefix() + self.lexeme(value)
        if form < 0.25 and q.system:
            return None, (f"{self.prefix()}{self.lexeme(value)}|"
                          f"{escaped(q.system)}|")
        if form < 0.4 or not q.system:
            word = self.one(*[w for w in (q.code, q.unit, "mg") if w])
            return None, (f"{self.prefix()}{self.lexeme(value)}||"
                          + escaped(word))
        code = q.code or ""
        others = [u for u in UNITS if of and units.unit(u)[2] == of[2]]
        if others and form > 0.65:
            code = self.one(*others)
            to = units.unit(code)
            value = (value * of[0] + of[1] - to[1]) / to[0]
        return None, (f"{self.prefix()}{self.lexeme(value)}|"
                      f"{escaped(q.system)}|{escaped(code)}")

    def composite(self, element, parameter):
        parts = []
        for values, (kind, _) in zip(element, parameter.components):
            value = self.one(*values)
            if kind == "token":
                while value.code is None and len(values) > 1:
                    value = self.one(*values)
                parts.append(escaped(value.code or "x") if self.often()
                             or value.plain or value.system is None else
                             f"{escaped(value.system)}|"
                             f"{escaped(value.code or 'x')}")
            elif kind == "string":
                parts.append(escaped(normal(value)[:6]))
            else:
                modifier, text = getattr(self, kind)(value, parameter)
                parts.append("nobody" if modifier else text)
        return None, "$".join(parts)

    # Criteria: (name, value)

    def plain(self, type_, resource=None):
        """By one of the values that the type's resources, or this one,
        have."""
        known = self.used[type_]
        if resource is None:
            resource = self.one(*self.lists[type_])
        known = [p for p in known if self.store.values(resource, p).values]
        if not known or self.often(0.05):
            return self.missing(type_)
        kinds = sorted({p.kind for p in known})
        kind = self.one(*kinds)
        parameter = self.one(*[p for p in known if p.kind == kind])
        modifier, text = self.value(parameter, resource)
        if self.often(0.25):
            for _ in range(self.one(1, 1, 2)):
                other, more = self.value(parameter,
                                         self.one(*self.lists[type_]))
                if more is not None and other == modifier:
                    text += "," + more
        return parameter.code + (f":{modifier}" if modifier else ""), text

    def value(self, parameter, resource):
        values = self.store.values(resource, parameter).values
        if not values:
            return None, None
        return getattr(self, parameter.kind)(self.one(*values), parameter)

    def missing(self, type_):
        known = [p for _, p in sorted(definitions.parameters(type_).items())
                 if is_simple(p) and p.kind != "composite"]
        if self.often(0.7) and self.used[type_]:
            known = [p for p in self.used[type_] if p in known] or known
        return self.one(*known).code + ":missing", self.one("true", "false")

    def way(self, type_, resource):
        """A reference parameter, and what it leads to from a resource."""
        ways = [(p, t) for p in self.used[type_] if p.kind == "reference"
                for ref in self.store.values(resource, p).values
                for t in self.store.led_to(resource, p, ref, Reading())
                if t["resourceType"] in self.types
                and p.leads_to(t["resourceType"])]
        return self.one(*ways) if ways else None

    def chain(self, type_, depth, resource=None):
        resource = resource or self.one(*self.lists[type_])
        way = self.way(type_, resource)
        if not way:
            return self.plain(type_, resource)
        parameter, target = way
        there = target["resourceType"]
        inner, value = self.criterion(there, depth + 1, target)
        if inner.startswith("_lastUpdated"):
            inner, value = self.plain(there)
        typed = f":{there}" if len(parameter.targets) != 1 or self.often(
            0.3) else ""
        return f"{parameter.code}{typed}.{inner}", value

    def has(self, type_, depth, resource=None):
        resource = resource or self.one(*self.lists[type_])
        ways = self.referred.get(key_of(resource))
        if not ways:
            return self.plain(type_, resource)
        parameter, source = self.one(*ways)
        inner, value = self.criterion(parameter.type, depth + 1, source)
        return f"_has:{parameter.type}:{parameter.code}:{inner}", value

    def common(self, type_, resource=None):
        """What every type has."""
        resource = resource or self.one(*self.lists[type_])
        kind = self.rng.random()
        if kind < 0.5:
            ids = [resource["id"]] + [self.one(*self.lists[type_])["id"]
                                      for _ in range(self.one(0, 3, 10))]
            return "_id", ",".join(ids)
        if kind < 0.7:
            return "_lastUpdated", self.one(
                "gt2000", "lt2000", "ge2020-01-01", "le2100-01-01",
                "sa2001-05-05T10:00:00Z", "eb2090", "ne2005")
        return self.plain(type_, resource)

    def criterion(self, type_, depth=0, resource=None):
        kind = self.rng.random()
        if kind < 0.14 and depth < 2:
            return self.chain(type_, depth, resource)
        if kind < 0.24 and depth < 2:
            return self.has(type_, depth, resource)
        if kind < 0.30:
            return self.common(type_, resource)
        if kind < 0.34 and not depth:
            return "_filter", self.filter(type_, resource)
        if kind < 0.36 and "List" in self.types:
            return "_list", self.one(*self.lists["List"])["id"]
        return self.plain(type_, resource)

    # Filters

    def compared(self, parameter, resource):
        """(operator, value), or None."""
        values = self.store.values(resource, parameter).values
        if not values or parameter.kind == "composite":
            return None
        if self.often(0.1):
            return "pr", self.one("true", "false")
        value = self.one(*values)
        if parameter.kind == "string":
            operator = self.one("eq", "ne", "co", "sw", "ew")
            cut = self.rng.randint(1, len(value))
            text = {"sw": value[:cut], "ew": value[-cut:],
                    "co": value[cut // 2:cut]}.get(operator, value)
            return (operator, self.varied(text)) if normal(text) else None
        modifier, text = getattr(self, parameter.kind)(value, parameter)
        if modifier or "\\|" in text:
            return None
        text = plain(text)
        if parameter.kind in ("date", "number", "quantity"):
            return ((text[:2], text[2:]) if text[:2] in PREFIXES
                    else ("eq", text))
        return self.one("eq", "eq", "ne"), text

    def comparison(self, type_, resource, depth=0):
        known = [p for p in self.used[type_]
                 if self.store.values(resource, p).values]
        if not known:
            return "_id eq " + resource["id"]
        parameter = self.one(*known)
        if parameter.kind == "reference" and depth < 2 and self.often():
            way = self.way(type_, resource)
            if way:
                parameter, target = way
                there = target["resourceType"]
                inner = self.comparison(there, target, depth + 1)
                return inner and f"{parameter.code}:{there}.{inner}"
        found = self.compared(parameter, resource)
        if not found:
            return None
        operator, value = found
        if self.often(0.3) or not re.fullmatch(r'[^\s()\[\]"]+', value):
            value = json.dumps(value, ensure_ascii=False)
        return f"{parameter.code} {operator} {value}"

    def filter(self, type_, resource=None):
        out = ""
        for n in range(self.one(1, 1, 2, 3)):
            part = None
            while not part:
                part = self.comparison(type_, resource or self.one(
                    *self.lists[type_]))
            if self.often(0.2):
                part = f"not ({part})"
            out = f"{out} {self.one('and', 'or')} {part}" if out else part
            if n and self.often(0.3):
                out = f"({out})"
        return out

    # Searches

    def includes(self, type_):
        ways = []
        for p in self.used[type_]:
            if p.kind == "reference":
                ways.append(("_include", f"{type_}:{p.code}"))
                ways += [("_include", f"{type_}:{p.code}:{t}")
                         for t in p.targets[:3]]
        back = sorted({(p.type, p.code) for (t, *_), found in
                       self.referred.items() if t == type_
                       for p, _ in found})
        ways += [("_revinclude", f"{t}:{c}") for t, c in back]
        if ways and self.often(0.15):
            ways = [("_include", "*"), ("_include", f"{type_}:*")]
            if back:
                ways += [("_revinclude", "*"),
                         ("_revinclude", f"{back[0][0]}:*")]
        out = self.rng.sample(ways, min(len(ways), self.one(1, 1, 2)))
        if out and self.often(0.35):
            there = self.one(*self.types)
            more = [f"{there}:{p.code}" for p in self.used[there]
                    if p.kind == "reference"]
            if more:
                out.append((self.one("_include:iterate",
                                     "_revinclude:iterate"),
                            self.one(*more)))
        return out

    def by_url(self, parameter):
        """Which of both a reference parameter has: what is referred to by
        canonical URL, by name."""
        return {ref.canonical for r in self.lists.get(parameter.type, ())
                for ref in self.store.values(r, parameter).values}

    def has_order(self, code, types):
        """What has one order, in all of the types that have it."""
        known = [p for p in (definitions.parameter(t, code) for t in types)
                 if p]
        if len({p.kind for p in known}) > 1 or known[0].kind not in SORTED:
            return False
        return known[0].kind != "reference" or len(
            set().union(*map(self.by_url, known))) == 1

    def sort_behind(self, type_):
        """By something of what a reference leads to."""
        ways = [(p, t) for p in self.used[type_] if p.kind == "reference"
                and self.by_url(p) == {False} for t in self.types
                if p.leads_to(t)]
        if not ways:
            return []
        parameter, there = self.one(*ways)
        codes = [p.code for p in self.used[there] if p.kind != "quantity"
                 and self.has_order(p.code, [there])]
        return [f"{parameter.code}:{there}.{self.one(*codes)}"] if codes \
            else []

    def sort(self, types):
        known = sorted({p.code for t in types for p in self.used[t]
                        if self.has_order(p.code, types)})
        keys = self.rng.sample(known, min(len(known), self.one(1, 1, 2)))
        if len(types) == 1 and self.often(0.3):
            keys += self.sort_behind(*types)
        if not keys or self.often(0.05):
            keys.append("_id")
        return [("_sort", ",".join(self.one("", "-") + k for k in keys))]

    def compartment(self, type_):
        compartments = [t for t in ("Patient", "Practitioner", "Encounter",
                                    "Device", "RelatedPerson")
                        if t in self.types and
                        definitions.compartment(t, type_)]
        if not compartments:
            return None
        there = self.one(*compartments)
        return there, self.one(*self.lists[there])["id"]

    def query(self):
        if self.often(0.06):
            query = self.of_several()
            if query:
                return query
        type_ = self.rng.choices(self.types, self.weights)[0]
        same = self.one(*self.lists[type_]) if self.often(0.7) else None
        pairs = [self.criterion(type_, 0, same)
                 for _ in range(self.one(1, 1, 1, 2, 2, 3))]
        within, page, extra = None, 1000, self.rng.random()
        if extra < 0.12:
            pairs += self.sort([type_])
        elif extra < 0.24:
            pairs += self.includes(type_)
        elif extra < 0.30:
            pairs.append(("_summary", "count"))
        elif extra < 0.36:
            within = self.compartment(type_)
            if within:
                pairs = pairs[:self.one(0, 1)]
        if self.often(0.15):
            pairs.append(("_total", self.one("accurate", "accurate",
                                             "estimate")))
        if self.often(0.2):
            page = self.one(1, 2, 3, 7)
        return Query(type_, pairs, within, page)

    def valid(self, types, pairs):
        """Whether all of the types know these criteria."""
        try:
            for t in types:
                for name, value in pairs:
                    self.store.criterion(t, name, value, Reading(0))
        except Wrong:
            return False
        return True

    def of_several(self):
        """A search of several types: of the system, or in a compartment. What
        all of them have by the same name must be of one kind there."""
        types = self.rng.sample(self.types, min(len(self.types),
                                                self.one(2, 2, 3)))
        within = self.compartment(types[0]) if self.often(0.25) else None
        if within:
            types = [t for t in types if t == within[0] or
                     definitions.compartment(within[0], t)]
        pairs = []
        for _ in range(20):
            name, value = self.criterion(self.one(*types))
            code = name.split(":")[0].split(".")[0]
            kinds = {p and p.kind for p in
                     (definitions.parameter(t, code) for t in types)}
            if len(kinds) == 1 and self.valid(types, [(name, value)]):
                pairs.append((name, value))
                if self.often(0.8):
                    break
        if not pairs and not within:
            return None
        pairs.insert(0, ("_type", ",".join(types)))
        if self.often(0.3):
            pairs += self.sort(types)
        return Query(types, pairs, within, self.one(2, 1000, 1000))
