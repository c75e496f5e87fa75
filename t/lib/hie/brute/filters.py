"""_filter (R4 section 3.1.3): comparisons with and, or, not; a name may lead
through references, [type] and [filter] with them left out."""

import json
import re

from . import match
from .match import Wrong
from .text import normal

TOKEN = re.compile(r'\s*([()]|"(?:[^"\\]|\\.)*"|[^\s()"]+)')
PREFIXED = ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb")


def tokens(text):
    out, at, text = [], 0, text.rstrip()
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Wrong(text)
        out.append(m[1])
        at = m.end()
    return out


def escaped(text, these):
    return "".join("\\" + c if c in these else c for c in text)


def unequal(parameter, value, reading):
    """R4: "an item in the set has an unequal value": one of several, or all
    of them?"""
    equal = comparison(parameter, "eq", value, reading)

    def test(found):
        if not found.values:
            # something that has no text, say
            return found.present and reading.of("unequal of nothing",
                                                (True, False))
        if reading.of("unequal", ("none", "one")) == "none":
            return not equal(found)
        return any(not equal(Single(v)) for v in found.values)
    return test


class Single:
    """One of the values that were found."""

    def __init__(self, value):
        self.values = [value]


def text_test(operator, value):
    wanted = normal(value)
    return {"eq": lambda s: normal(s) == wanted,
            "co": lambda s: wanted in normal(s),
            "sw": lambda s: normal(s).startswith(wanted),
            "ew": lambda s: normal(s).endswith(wanted)}.get(operator)


def value_test(parameter, operator, value, reading):
    """Of one value."""
    kind = parameter.kind
    if kind == "string":
        return text_test(operator, value)
    if kind in ("token", "uri", "reference"):
        if operator != "eq" and (operator, kind) != ("re", "reference"):
            return None
        return match.one(parameter, None, escaped(
            value, "\\,$" if kind == "token" else "\\,$|"), reading)
    if kind in ("date", "number", "quantity") and operator in PREFIXED:
        return match.one(parameter, None, operator + escaped(
            value, "\\,$" if kind == "quantity" else "\\,$|"), reading)
    return None


def comparison(parameter, operator, value, reading):
    """A function of what values.values() found."""
    if operator == "pr":
        return match.missing("false" if value == "true" else "true", reading)
    if operator == "ne" and parameter.kind in ("token", "uri", "reference",
                                               "string"):
        return unequal(parameter, value, reading)
    test = value_test(parameter, operator, value, reading)
    if not test:
        raise Wrong(f"{parameter} {operator}")
    return lambda found: any(test(v) for v in found.values)


class Parser:
    """Makes functions of a resource."""

    def __init__(self, store, type_, text, reading):
        self.store, self.type, self.reading = store, type_, reading
        self.tokens = tokens(text)

    def peek(self):
        return self.tokens[0] if self.tokens else None

    def take(self):
        if not self.tokens:
            raise Wrong("a filter that ends too soon")
        return self.tokens.pop(0)

    def expression(self):
        """`and` and `or` from left to right."""
        left = self.operand()
        while self.peek() in ("and", "or"):
            left = self.joined(self.take(), left, self.operand())
        return left

    @staticmethod
    def joined(word, a, b):
        if word == "and":
            return lambda r: a(r) and b(r)
        return lambda r: a(r) or b(r)

    def operand(self):
        if self.peek() == "not":
            self.take()
            if self.peek() != "(":
                raise Wrong("not without parentheses")
            inner = self.operand()
            return lambda r: not inner(r)
        if self.peek() == "(":
            self.take()
            inner = self.expression()
            if self.take() != ")":
                raise Wrong("parentheses that do not end")
            return inner
        path, operator, value = self.take(), self.take(), self.take()
        if value[0] == '"':
            value = json.loads(value)
        return self.compare(self.type, path, operator, value)

    def compare(self, type_, path, operator, value):
        head, dot, rest = path.partition(".")
        code, _, there = head.partition(":")
        parameter = self.store.parameter(type_, code)
        if dot:
            return self.store.chain(
                parameter, there, self.reading,
                lambda t: self.compare(t, rest, operator, value))
        if there:
            raise Wrong(path)
        if code == "_id":
            return self.store.criterion(type_, "_id", value, self.reading)
        test = comparison(parameter, operator, value, self.reading)
        return lambda r: test(self.store.values(r, parameter))


def criterion(store, type_, text, reading):
    parser = Parser(store, type_, text, reading)
    test = parser.expression()
    if parser.tokens:
        raise Wrong(text)
    return test
