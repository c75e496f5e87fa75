"""Dates and numbers as what they cover, and the prefixes that compare these
(R4 sections 3.1.1.4.5 to 3.1.1.4.7)."""

import re
from datetime import date
from fractions import Fraction

# Dates: [low, high) in microseconds since 1970, UTC where no zone is given;
# an end that is not there is infinite.

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
EPOCH = date(1970, 1, 1).toordinal()
INFINITY = float("inf")

DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)"
                  r"(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$")


def midnight(year, month, day):
    """Of a day of the calendar, or of the first of the year 10000."""
    if year == 10000:
        return (date(9999, 12, 31).toordinal() + 1 - EPOCH) * DAY
    return (date(year, month, day).toordinal() - EPOCH) * DAY


def offset(zone):
    if zone in (None, "Z"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * MINUTE


def of_date(text):
    """(low, high), or None if it is no date."""
    m = DATE.match(text)
    try:
        if not m:
            return None
        year, month, day, hour, minute, second = (
            int(g) if g else None for g in m.groups()[:6])
        if month is None:
            return midnight(year, 1, 1), midnight(year + 1, 1, 1)
        if day is None:
            return (midnight(year, month, 1),
                    midnight(year + month // 12, month % 12 + 1, 1))
        low = midnight(year, month, day)
    except ValueError:
        return None
    if hour is None:
        return low, low + DAY
    low += (hour * 60 + minute) * MINUTE - offset(m[8])
    if second is None:
        return low, low + MINUTE
    low += second * SECOND
    if m[7] is None:
        return low, low + SECOND
    digits = m[7][:6]
    width = 10 ** (6 - len(digits))
    low += int(digits) * width
    return low, low + width


class Instant(tuple):
    """What an instant covers by its digits; R4 leaves open whether that or the
    moment alone counts."""


def date_matches(prefix, search, target):
    """Whether the range of a target meets a prefix with that of the search
    value."""
    (a, b), (low, high) = search, target
    equal = a <= low and high <= b
    return {"eq": equal, "ne": not equal,
            "gt": high > b, "lt": low < a,
            "ge": high > b or equal, "le": low < a or equal,
            "sa": low >= b, "eb": high <= a,
            "ap": low < b and high > a}[prefix]


def about_date(search, now, gap_from):
    """Wider by the recommended tenth of the gap between now and the date, of
    which the start, the middle or the end counts (`gap_from`: 0, 1, 2)."""
    a, b = search
    by = abs(a + (b - a) * gap_from // 2 - now) // 10
    return a - by, b + by


# Numbers

NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$")


def of_number(lexeme):
    """(value, half of a unit of its last digit), or None if it is none."""
    m = NUMBER.match(lexeme)
    if not m:
        return None
    fraction = m[3] or ""
    unit = Fraction(10) ** (int(m[4] or 0) - len(fraction))
    value = int(m[2] + fraction) * unit
    return (-value if m[1] == "-" else value), unit / 2


class Interval:
    """From low to high; None where it has no end. An end belongs to it unless
    it is open."""

    def __init__(self, low, high, low_open=False, high_open=False):
        self.low, self.high = low, high
        self.low_open, self.high_open = low_open, high_open

    def is_open(self):
        return self.low_open or self.high_open

    def scaled(self, factor, add=0):
        ends = [None if x is None else x * factor + add
                for x in (self.low, self.high)]
        return Interval(*ends, self.low_open, self.high_open)

    def reaches_above(self, v):
        """Has something that is greater than v."""
        return self.high is None or self.high > v

    def reaches_below(self, v):
        return self.low is None or self.low < v

    def reaches_up_to(self, v):
        """Has v, or something that is greater."""
        return self.reaches_above(v) or self.high == v and not self.high_open

    def reaches_down_to(self, v):
        return self.reaches_below(v) or self.low == v and not self.low_open

    def within(self, a, b):
        """Is in [a, b)."""
        return (self.low is not None and self.low >= a
                and self.high is not None
                and (self.high < b or self.high == b and self.high_open))

    def overlaps(self, a, b, closed):
        """With the range from a to b, of which the ends belong to it or do
        not."""
        if closed:
            return self.reaches_up_to(a) and self.reaches_down_to(b)
        return self.reaches_above(a) and self.reaches_below(b)


def number_matches(prefix, search, target, about):
    """`search`: (value, half of a unit). With eq and ne it covers from half a
    unit below to right below half a unit above; with the others it is as
    precise as can be (R4 section 3.1.1.4.6). `about`: a function that says
    what ap covers, and whether with the ends."""
    v, half = search
    if prefix in ("eq", "ne"):
        return target.within(v - half, v + half) == (prefix == "eq")
    if prefix == "ap":
        return target.overlaps(*about(v, half))
    return {"gt": target.reaches_above(v), "lt": target.reaches_below(v),
            "ge": target.reaches_up_to(v), "le": target.reaches_down_to(v),
            "sa": not target.reaches_down_to(v),
            "eb": not target.reaches_up_to(v)}[prefix]


# What "about" a number may be: the recommended tenth, and never narrower than
# the precision; the ends with it or not.
ABOUTS = tuple(
    (lambda v, half, wide=wide, closed=closed:
     (v - wide(v, half), v + wide(v, half), closed))
    for wide in (lambda v, half: max(abs(v) / 10, half),
                 lambda v, half: abs(v) / 10,
                 lambda v, half: abs(v) / 10 + half)
    for closed in (True, False))
