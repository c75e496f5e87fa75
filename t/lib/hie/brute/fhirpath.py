"""As much of FHIRPath (N1) as the expressions of R4's search parameters use:
paths, indexers, where, exists, ofType, as, is, resolve, extension,
hasExtension, empty, not, first; unions, = and !=, and, or.

An expression becomes a function from a list of items to a list of items."""

import re
from functools import lru_cache

from .text import Number

TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|(\d+(?:\.\d+)?)"
                   r"|(%?[A-Za-z_]\w*)|(!=|[().,\[\]|=]))")

# What a choice of types may be spelled with (R4 section 2.24.0.2), and the
# primitives among them, which are lower case as types.
PRIMITIVES = ("base64Binary", "boolean", "canonical", "code", "date",
              "dateTime", "decimal", "id", "instant", "integer", "markdown",
              "oid", "positiveInt", "string", "time", "unsignedInt", "uri",
              "url", "uuid")
COMPLEX = ("Address", "Age", "Annotation", "Attachment", "CodeableConcept",
           "Coding", "ContactPoint", "Count", "Distance", "Duration",
           "HumanName", "Identifier", "Money", "Period", "Quantity", "Range",
           "Ratio", "Reference", "SampledData", "Signature", "Timing",
           "ContactDetail", "Contributor", "DataRequirement", "Expression",
           "ParameterDefinition", "RelatedArtifact", "TriggerDefinition",
           "UsageContext", "Dosage", "Meta")
CHOICES = ({t[0].upper() + t[1:]: t for t in PRIMITIVES}
           | {t: t for t in COMPLEX})

# What is derived from another type.
DERIVED = {"code": "string", "id": "string", "markdown": "string",
           "positiveInt": "integer", "unsignedInt": "integer",
           "canonical": "uri", "oid": "uri", "url": "uri", "uuid": "uri",
           "Age": "Quantity", "Count": "Quantity", "Distance": "Quantity",
           "Duration": "Quantity"}

# For resolve(): [base/]Type/id[/_history/version]
REFERENCE = re.compile(r"(?:(https?://[^?#]*)/)?([A-Z][A-Za-z]+)/"
                       r"([A-Za-z0-9\-.]{1,64})(?:/_history/"
                       r"([A-Za-z0-9\-.]{1,64}))?$")


class Item:
    """A value with the name of the element that it stands in. `type` is known
    of choices and resources. `value` is None where only extensions are there.
    `root`: the resource that it is a part of."""
    __slots__ = ("value", "name", "type", "root")

    def __init__(self, value, name="", type_=None, root=None):
        self.value, self.name, self.type = value, name, type_
        self.root = value if root is None else root

    def __repr__(self):
        return f"{self.name}:{self.type}:{self.value!r:.80}"


def of_resource(resource):
    return Item(resource, resource["resourceType"], resource["resourceType"])


# Navigation


def members(item, key, type_):
    """The items of one JSON name. With a primitive that has only extensions
    the name is there with an underscore alone."""
    both = (item.value.get(key), item.value.get("_" + key))
    lists = [v if isinstance(v, list) else [v] for v in both]
    length = max(len(v) for v in lists)
    values, others = (v + [None] * (length - len(v)) for v in lists)
    for value, other in zip(values, others):
        if value is None and other is None:
            continue
        t = type_
        if isinstance(value, dict) and "resourceType" in value:
            t = value["resourceType"]
        yield Item(value, key, t, item.root)


def child(item, name):
    if not isinstance(item.value, dict):
        return []
    found = list(members(item, name, None))
    if found:
        return found
    for key in dict.fromkeys(k.lstrip("_") for k in item.value):
        type_ = (CHOICES.get(key[len(name):]) if key.startswith(name)
                 else None)
        if type_:
            found += members(item, key, type_)
    return found


def is_of(item, type_):
    """Whether it is of a type or of one that is derived from it."""
    if isinstance(item.value, bool) and type_ == "boolean":
        return True
    if item.type is None:
        return (type_ == "Reference" and isinstance(item.value, dict)
                and "reference" in item.value)
    return (item.type == type_ or type_ == "Resource" and item.type[0] in
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ" or DERIVED.get(item.type) == type_)


def resolved(item):
    """What a reference leads to: within the resource, or nothing but the type
    that its text has."""
    text = item.value
    if isinstance(text, dict):
        text = text.get("reference")
    if not isinstance(text, str):
        return []
    if text.startswith("#"):
        return [Item(c, "contained", c["resourceType"], item.root)
                for c in item.root.get("contained", [])
                if c.get("id") == text[1:]]
    m = REFERENCE.match(text)
    return [Item({"resourceType": m[2], "id": m[3]}, "", m[2])] if m else []


# Values


def truth(items):
    """As a single Boolean: None where there is none."""
    if not items:
        return None
    if len(items) > 1:
        raise ValueError("several items where one is expected")
    value = items[0].value
    return value if isinstance(value, bool) else True


def boolean(value):
    return [] if value is None else [Item(value, type_="boolean")]


def equal(a, b):
    """True, False or None."""
    if not a or not b:
        return None
    if len(a) != len(b):
        return False
    for x, y in zip(a, b):
        if x.value is None or y.value is None:
            return None
        if type(x.value) is not type(y.value) or x.value != y.value:
            return False
    return True


def both(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a, b):
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


# Functions of the language: each gets the input and the arguments, which are
# expressions


def where(items, arguments):
    return [i for i in items if truth(arguments[0]([i])) is True]


def literal(argument):
    return argument([])[0].value


def extension(items, arguments):
    url = literal(arguments[0])
    return [e for i in items for e in child(i, "extension")
            if e.value.get("url") == url]


def negation(items, _):
    value = truth(items)
    return boolean(None if value is None else not value)


FUNCTIONS = {
    "where": where,
    "exists": lambda items, a: boolean(bool(where(items, a) if a else items)),
    "empty": lambda items, _: boolean(not items),
    "not": negation,
    "first": lambda items, _: items[:1],
    "resolve": lambda items, _: [r for i in items for r in resolved(i)],
    "extension": extension,
    "hasExtension": lambda items, a: boolean(bool(extension(items, a))),
}


# The parser: precedence from low to high: or, and, equality, union, is and
# as, path


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            m = TOKEN.match(text, at)
            if not m:
                raise ValueError(f"FHIRPath: {text[at:]!r}")
            self.tokens.append(m[m.lastindex])
            at = m.end()
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected=None):
        token = self.peek()
        if token is None or expected not in (None, token):
            raise ValueError(f"FHIRPath: {token!r} instead of {expected!r}")
        self.at += 1
        return token

    def binary(self, operators, operand, make):
        left = operand()
        while self.peek() in operators:
            operator = self.take()
            left = make(operator, left, operand())
        return left

    def expression(self):
        return self.binary(("or",), self.conjunction, lambda _, a, b: (
            lambda i: boolean(either(truth(a(i)), truth(b(i))))))

    def conjunction(self):
        return self.binary(("and",), self.equality, lambda _, a, b: (
            lambda i: boolean(both(truth(a(i)), truth(b(i))))))

    def equality(self):
        def make(operator, a, b):
            def run(items):
                value = equal(a(items), b(items))
                return boolean(value if value is None or operator == "="
                               else not value)
            return run
        return self.binary(("=", "!="), self.union, make)

    def union(self):
        return self.binary(("|",), self.typed, lambda _, a, b: (
            lambda i: a(i) + b(i)))

    def typed(self):
        left = self.path()
        while self.peek() in ("is", "as"):
            operator, type_ = self.take(), self.take()
            left = self.of_type(left, type_) if operator == "as" \
                else self.is_type(left, type_)
        return left

    @staticmethod
    def of_type(left, type_):
        return lambda items: [i for i in left(items) if is_of(i, type_)]

    @staticmethod
    def is_type(left, type_):
        def run(items):
            found = left(items)
            return boolean(is_of(found[0], type_) if found else None)
        return run

    def path(self):
        left = self.term()
        while self.peek() in (".", "["):
            if self.take() == "[":
                left = self.indexed(left, int(self.take()))
                self.take("]")
            else:
                left = self.step(left, self.take())
        return left

    @staticmethod
    def indexed(left, n):
        return lambda items: left(items)[n:n + 1]

    def term(self):
        token = self.take()
        if token == "(":
            inner = self.expression()
            self.take(")")
            return inner
        if token[0] == "'":
            text = re.sub(r"\\(.)", r"\1", token[1:-1])
            return lambda items: [Item(text, type_="string")]
        if token[0].isdigit():
            return lambda items: [Item(Number(token), type_="decimal")]
        if token in ("true", "false"):
            return lambda items: boolean(token == "true")
        if token == "%resource":
            return lambda items: [of_resource(i.root) for i in items[:1]]
        if self.peek() == "(" or not token[0].isupper():
            return self.step(lambda items: items, token)
        # the type of the context at the start of a path
        return lambda items: [i for i in items if i.type == token
                              or token in ("Resource", "DomainResource")]

    def step(self, left, name):
        if self.peek() != "(":
            return lambda items: [c for i in left(items)
                                  for c in child(i, name)]
        self.take("(")
        if name in ("ofType", "as", "is"):
            type_ = self.take()
            self.take(")")
            return self.is_type(left, type_) if name == "is" \
                else self.of_type(left, type_)
        arguments = []
        while self.peek() != ")":
            arguments.append(self.expression())
            if self.peek() == ",":
                self.take()
        self.take(")")
        function = FUNCTIONS[name]
        return lambda items: function(left(items), arguments)


@lru_cache(maxsize=None)
def compiled(text):
    parser = Parser(text)
    expression = parser.expression()
    if parser.peek() is not None:
        raise ValueError(f"FHIRPath: {parser.peek()!r} at the end of {text}")
    return expression


def evaluate(text, item):
    return compiled(text)([item])
