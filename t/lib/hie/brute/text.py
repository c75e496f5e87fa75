"""JSON with numbers by their lexemes, and text as searches compare it."""

import json
import unicodedata
from functools import lru_cache


class Number(str):
    """A number as it was written: 1.50 is not 1.5."""


def load(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def dump(value):
    """JSON in which numbers go out as they came in."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{dump(v)}"
                              for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def stripped(text):
    """Compatibility forms taken apart, without marks."""
    return "".join(c for c in unicodedata.normalize("NFKD", text)
                   if not unicodedata.category(c).startswith("M"))


@lru_cache(maxsize=None)
def normal(text):
    """Neither case nor marks, white space as single spaces (R4 section
    3.1.1.4.8)."""
    return " ".join(stripped(stripped(text).casefold()).split())


def split(text, separator):
    """The parts between separators that are not escaped, escapes kept (R4
    section 3.1.1.4.19)."""
    parts, start, i = [], 0, 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == separator:
            parts.append(text[start:i])
            start = i + 1
        i += 1
    return parts + [text[start:]]


def plain(text):
    """Without escapes."""
    out, i = [], 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            i += 1
        out.append(text[i])
        i += 1
    return "".join(out)


def escaped(text):
    for c in "\\,|$":
        text = text.replace(c, "\\" + c)
    return text
