"""The search parameters and compartments of R4, read from the table that
tools/gen-search-params wrote out of the published definitions."""

import re
from functools import lru_cache

from ..process import TOP

FHIR = TOP / "shared" / "fhir"
COMMON = ("Resource", "DomainResource")

# These are no DomainResources.
PLAIN = ("Binary", "Bundle", "Parameters")

STRING = r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(
    r'\{ "([^"]+)", HIE_TYPE_(\w+),\s*HIE_SEARCH_(\w+), (\d+), (\d+), (\d+), '
    rf'(\d+),\s*(NULL|(?:{STRING}\s*)+),\s*P\("([^"]+)"\) \}}')


class Parameter:
    """One parameter of one concrete type. `components`: (kind, expression)
    of each."""

    def __init__(self, type_, code, kind, expression, targets, components):
        self.type, self.code, self.kind = type_, code, kind
        self.expression, self.targets = expression, targets
        self.components = components

    def __repr__(self):
        return f"{self.type}.{self.code}"

    def leads_to(self, type_):
        return not self.targets or type_ in self.targets


def text_of(literals):
    if literals == "NULL":
        return None
    return "".join(s[1:-1].replace('\\"', '"').replace("\\\\", "\\")
                   for s in re.findall(STRING, literals))


def part(text, name):
    """What stands between the braces of an array."""
    start = text.index(f"{name}[] = {{")
    return text[start:text.index("\n};", start)]


class Tables:
    def __init__(self):
        text = (FHIR / "search_params_table.c").read_text()
        numbers = {int(n): name for name, n in re.findall(
            r"HIE_TYPE_(\w+) = (\d+)", (FHIR / "typeid.h").read_text())}
        rows = ROW.findall(text)
        if len(rows) != text.count('P("'):
            raise ValueError("the table of search parameters has another "
                             "form than expected")
        components = [(int(i), text_of(e)) for i, e in re.findall(
            rf'\{{ (\d+), ({STRING}) \}}',
            part(text, "hie_search_components"))]
        targets = [numbers[int(n)] for n in re.findall(
            r"\d+", part(text, "hie_search_targets").split("{")[1])]

        self.own = {}            # type: {code: Parameter}
        for code, type_, kind, n, first, target, n_target, e, _ in rows:
            parts = [(rows[i][2].lower(), expression) for i, expression in
                     components[int(first):int(first) + int(n)]]
            self.own.setdefault(type_, {})[code] = Parameter(
                type_, code, kind.lower(), text_of(e),
                targets[int(target):int(target) + int(n_target)], parts)

        self.compartments = {}   # (compartment, type): [code]
        for compartment, type_, i in re.findall(
                r"\{ HIE_TYPE_(\w+),\s*HIE_TYPE_(\w+), (\d+),",
                part(text, "hie_compartment_rows")):
            self.compartments.setdefault((compartment, type_), []).append(
                rows[int(i)][0])
        self.types = set(numbers.values())

    def of(self, type_):
        """{code: Parameter} of a concrete type, the common ones included."""
        found = dict(self.own["Resource"])
        if type_ not in PLAIN:
            found |= self.own["DomainResource"]
        found = {code: Parameter(type_, code, p.kind, p.expression, p.targets,
                                 p.components) for code, p in found.items()}
        return found | self.own.get(type_, {})


@lru_cache
def tables():
    return Tables()


@lru_cache(maxsize=None)
def parameters(type_):
    return tables().of(type_)


def parameter(type_, code):
    """None if the type has no such parameter."""
    return parameters(type_).get(code)


def compartment(name, type_):
    """The parameters by which a type is in a compartment."""
    return tables().compartments.get((name, type_), [])
