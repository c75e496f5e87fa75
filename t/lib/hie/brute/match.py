"""Whether the values of a parameter in a resource meet what a search asks for
(R4 sections 3.1.1.4.4 to 3.1.1.4.17)."""

from . import ranges, units
from .text import normal, plain, split
from .values import split_reference

UCUM = "http://unitsofmeasure.org"
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


class Wrong(ValueError):
    """The search is none that R4 knows."""


class Reading:
    """Where R4 leaves something to the server, the readings that are
    possible: `chosen` names the one to take (0 unless told), `asked` gets how
    many there were."""

    def __init__(self, now=0, bases=(), chosen=()):
        self.now, self.bases = now, tuple(bases)
        self.chosen, self.asked = dict(chosen), {}

    def of(self, name, readings):
        self.asked[name] = len(readings)
        return readings[self.chosen.get(name, 0)]

    def others(self):
        """All readings that differ from this in one thing that mattered."""
        return [Reading(self.now, self.bases, {name: n})
                for name, count in self.asked.items()
                for n in range(1, count)]


# Each of these makes of one alternative of a search value a function of one
# value of a resource.


def token(raw, _):
    parts = [plain(p) for p in split(raw, "|")]
    if len(parts) > 2 or not any(parts):
        raise Wrong(raw)
    code = parts[-1]

    def same(t):
        if t.code is None:
            return False
        return (t.code.casefold() == code.casefold() if t.folded
                else t.code == code)

    if len(parts) == 1:
        return same
    system = parts[0]
    if not system:
        return lambda t: t.system is None and same(t)
    if not code:
        return lambda t: t.system == system
    return lambda t: t.system == system and same(t)


def token_text(raw, _):
    start = normal(plain(raw))
    return lambda t: any(normal(s).startswith(start) for s in t.texts)


def token_of_type(raw, _):
    parts = [plain(p) for p in split(raw, "|")]
    if len(parts) != 3 or not all(parts):
        raise Wrong(raw)
    return lambda t: t.code == parts[2] and tuple(parts[:2]) in t.kinds


def string(raw, _):
    start = normal(plain(raw))
    return lambda s: normal(s).startswith(start)


def string_exact(raw, _):
    text = plain(raw)
    return lambda s: s == text


def string_contains(raw, _):
    text = normal(plain(raw))
    return lambda s: text in normal(s)


def uri(raw, _):
    text = plain(raw)
    return lambda u: u == text


def is_below(url, base, reading):
    """Does it begin with the other, and must that end where a segment does?
    A slash at the end may be there or not."""
    if url == base:
        return True
    segments = reading.of("what is below a uri", ("plain", "all", "closed"))
    if segments == "plain":
        return url.startswith(base)
    return (url + "/" * (segments == "all")).startswith(
        base.rstrip("/") + "/")


def of_canonical(uri, reading):
    """Whether its version belongs to what is compared with :above, :below."""
    if "|" in uri and reading.of("version of a canonical", (0, 1)):
        return uri.split("|")[0]
    return uri


def uri_below(raw, reading):
    text = plain(raw)
    return lambda u: is_below(of_canonical(u, reading), text, reading)


def uri_above(raw, reading):
    text = plain(raw)
    return lambda u: is_below(text, of_canonical(u, reading), reading)


# References


def is_local(r, id_, type_, parameter, reading):
    """By an id: of a type, or of any. Data may refer to a type that the
    parameter does not lead to."""
    return (r.local is not None and r.local[1] == id_
            and type_ in (None, r.local[0])
            and (not parameter or parameter.leads_to(r.local[0])
                 or reading.of("type of an id", (True, False))))


def reference(raw, reading, type_=None, parameter=None):
    text = plain(raw)
    if "/" not in text and ":" not in text:
        return lambda r: (is_local(r, text, type_, parameter, reading)
                          or r.canonical and r.url.split("|")[0] == text)
    if "|" not in text:
        wanted = split_reference(text, reading.bases)
        if wanted.local:
            return lambda r: (r.local == wanted.local
                              and wanted.version in (None, r.version)
                              or r.canonical and r.url == text)
    # a canonical without a version is that of every version
    return lambda r: (not r.local and r.url is not None and
                      (r.url == text or r.canonical
                       and r.url.split("|")[0] == text))


def reference_identifier(raw, reading):
    inner = token(raw, reading)
    return lambda r: r.identifier is not None and inner(r.identifier)


# Dates, numbers, quantities


def prefixed(raw):
    return (raw[:2], raw[2:]) if raw[:2] in PREFIXES else ("eq", raw)


def date(raw, reading):
    prefix, text = prefixed(plain(raw))
    search = ranges.of_date(text)
    if not search:
        raise Wrong(raw)
    if prefix == "ap":
        search = ranges.about_date(
            search, reading.now + reading.of("clock", (0, 120)) *
            ranges.SECOND, reading.of("about a date", (0, 1, 2)))

    def test(d):
        if isinstance(d, ranges.Instant) and reading.of("an instant", (0, 1)):
            d = (d[0], d[0] + 1)
        return ranges.date_matches(prefix, search, d)
    return test


def number_test(prefix, lexeme, reading, factor=1, zero=0):
    """A function of an interval, in units of which one is `factor` of those
    of the search value."""
    search = ranges.of_number(lexeme)
    if not search:
        raise Wrong(lexeme)
    value, half = search[0] * factor + zero, search[1] * factor
    about = None
    if prefix == "ap":
        index = reading.of("about a number",
                           tuple(range(len(ranges.ABOUTS))))
        low, high, closed = ranges.ABOUTS[index](*search)
        ends = (low * factor + zero, high * factor + zero, closed)

        def about(*_):
            return ends

    def test(interval):
        if interval.is_open() and reading.of("an open end", (0, 1)):
            interval = ranges.Interval(interval.low, interval.high)
        return ranges.number_matches(prefix, (value, half), interval, about)
    return test


def number(raw, reading):
    prefix, text = prefixed(plain(raw))
    test = number_test(prefix, text, reading)
    return lambda q: test(q.interval)


def quantity(raw, reading):
    parts = [plain(p) for p in split(raw, "|")]
    prefix, text = prefixed(parts[0])
    as_is = number_test(prefix, text, reading)
    if len(parts) == 1:
        return lambda q: as_is(q.interval)
    if len(parts) != 3:
        raise Wrong(raw)
    system, code = parts[1:]
    if not system:
        return lambda q: (not code or code in (q.code, q.unit)) \
            and as_is(q.interval)
    if not code:
        return lambda q: q.system == system and as_is(q.interval)

    def simple(q):
        return (q.system == system and code == q.code
                and as_is(q.interval))

    unit = units.unit(code) if system == UCUM else None
    if not unit:
        return simple
    canonical = number_test(prefix, text, reading, *unit[:2])

    def compared(q):
        of = units.unit(q.code) if q.system == UCUM else None
        if not of:
            return simple(q)
        return of[2] == unit[2] and canonical(q.interval.scaled(*of[:2]))
    return compared


SIMPLE = {"token": token, "string": string, "uri": uri, "date": date,
          "number": number, "quantity": quantity, "reference": reference}
MODIFIED = {("token", "text"): token_text,
            ("token", "of-type"): token_of_type,
            ("string", "exact"): string_exact,
            ("string", "contains"): string_contains,
            ("uri", "below"): uri_below, ("uri", "above"): uri_above,
            ("reference", "identifier"): reference_identifier}


def composite(raw, reading, parameter):
    parts = split(raw, "$")
    if len(parts) != len(parameter.components):
        raise Wrong(raw)
    tests = [SIMPLE[kind](part, reading) for part, (kind, _)
             in zip(parts, parameter.components)]
    return lambda element: all(any(map(test, values))
                               for test, values in zip(tests, element))


def one(parameter, modifier, raw, reading):
    kind = parameter.kind
    if kind == "composite" and not modifier:
        return composite(raw, reading, parameter)
    if (kind, modifier) in MODIFIED:
        return MODIFIED[kind, modifier](raw, reading)
    if kind == "reference" and (not modifier or modifier[0].isupper()
                                and parameter.leads_to(modifier)):
        return reference(raw, reading, modifier, parameter)
    if modifier or kind not in SIMPLE:
        raise Wrong(f"{parameter}:{modifier}")
    return SIMPLE[kind](raw, reading)


def missing(raw, reading):
    if raw not in ("true", "false"):
        raise Wrong(raw)

    def test(found):
        present = found.present
        if present is None:
            present = reading.of("presence", (False, True))
        return present == (raw == "false")
    return test


def criterion(parameter, modifier, value, reading):
    """A function of what values.values() found in a resource. Alternatives
    are separated by commas; :not is about all of them together (R4 section
    3.1.1.4.10)."""
    if modifier == "missing":
        return missing(value, reading)
    negated = modifier == "not" and parameter.kind == "token"
    tests = [one(parameter, None if negated else modifier, raw, reading)
             for raw in split(value, ",")]

    def test(found):
        return negated != any(t(v) for v in found.values for t in tests)
    return test
