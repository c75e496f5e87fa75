"""As much of UCUM as is needed to compare quantities: a unit as a number of
base units."""

import re
from fractions import Fraction
from functools import lru_cache

PREFIXES = {"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6,
            "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3, "u": -6,
            "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24}

# Atoms by other atoms. A metric one takes prefixes.
METRIC = {
    "m": (1, {"m": 1}), "g": (1, {"g": 1}), "s": (1, {"s": 1}),
    "K": (1, {"K": 1}), "C": (1, {"C": 1}), "cd": (1, {"cd": 1}),
    "mol": ("6.02214076e23", {}), "eq": (1, "mol"), "osm": (1, "mol"),
    "kat": (1, "mol/s"), "U": (1, "umol/min"), "l": (1, "dm3"),
    "L": (1, "l"), "Hz": (1, "/s"), "N": (1, "kg.m/s2"), "Pa": (1, "N/m2"),
    "J": (1, "N.m"), "W": (1, "J/s"), "A": (1, "C/s"), "V": (1, "J/C"),
    "F": (1, "C/V"), "Ohm": (1, "V/A"), "S": (1, "A/V"), "Wb": (1, "V.s"),
    "T": (1, "Wb/m2"), "H": (1, "Wb/A"), "Bq": (1, "/s"), "Gy": (1, "J/kg"),
    "Sv": (1, "J/kg"),
    "bar": ("1e5", "Pa"), "m[Hg]": ("133.3220", "kPa"),
    "m[H2O]": ("9.80665", "kPa"), "cal": ("4.184", "J"), "t": (1000, "kg"),
    "[iU]": (1, {"[iU]": 1}), "[IU]": (1, "[iU]"),
}
OTHER = {
    "min": (60, "s"), "h": (60, "min"), "d": (24, "h"), "wk": (7, "d"),
    "mo": ("30.4375", "d"), "a": ("365.25", "d"), "%": ("0.01", {}),
    "10*": (10, {}), "10^": (10, {}), "[ppm]": ("1e-6", {}),
    "[in_i]": ("2.54", "cm"), "[ft_i]": (12, "[in_i]"),
    "[gr]": ("64.79891", "mg"), "[lb_av]": (7000, "[gr]"),
    "[oz_av]": (Fraction(1, 16), "[lb_av]"), "[diop]": (1, "/m"),
}

# Degrees: of one (factor, what is 0 of it in K).
DEGREES = {"Cel": (1, Fraction("273.15")),
           "[degF]": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9))}

COMPONENT = re.compile(
    r"(10[*^]|\d+|[A-Za-z%']+\[[^\]]*\]|[A-Za-z%']+|\[[^\]]*\])"
    r"([+-]?\d+)?(?:\{[^{}]*\})?|\{[^{}]*\}")


def multiplied(a, b, power):
    dims = dict(a[1])
    for name, n in b[1].items():
        dims[name] = dims.get(name, 0) + n * power
    return a[0] * b[0] ** power, {k: n for k, n in dims.items() if n}


def atom(name):
    """(factor, {base unit: power}), or None."""
    for table, text, power in [(METRIC, name, 0), (OTHER, name, 0)] + [
            (METRIC, name[len(p):], n) for p, n in PREFIXES.items()
            if name.startswith(p)]:
        if text in table:
            factor, of = table[text]
            of = (Fraction(1), of) if isinstance(of, dict) else product(of)
            return (Fraction(factor) * Fraction(10) ** power * of[0], of[1])
    return None


def product(text):
    """The same of a term without parentheses."""
    out, power, at = (Fraction(1), {}), 1, 0
    if text.startswith("/"):
        power, at = -1, 1
    while True:
        m = COMPONENT.match(text, at)
        if not m:
            return None
        if m[1]:
            one = ((Fraction(m[1]), {}) if m[1].isdigit()
                   else atom(m[1]))
            if one is None:
                return None
            out = multiplied(out, one, power * int(m[2] or 1))
        at = m.end()
        if at == len(text):
            return out
        if text[at] not in "./":
            return None
        power, at = (-1 if text[at] == "/" else 1), at + 1


@lru_cache(maxsize=None)
def unit(code):
    """(factor, what its zero is, base units), by which v of it are v * factor
    + zero; None if it is not known."""
    if code in DEGREES:
        return (*DEGREES[code], (("K", 1),))
    found = product(code) if code else None
    if found is None:
        return None
    return found[0], Fraction(0), tuple(sorted(found[1].items()))
