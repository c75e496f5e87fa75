"""Tables of searches: what is planted, and what each query finds."""

import re
from urllib.parse import quote, urlsplit

from .tap import check, equal

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
TAG = "urn:example:case"

# Characters that stay as they are: in a URL, and in a body, where others do.
URL = "=&:,/$%*().~+"
BODY = "=&%+"


def tagged(s, resource):
    """The resource as one of this case: its own id, and the case's tag.
    "<name>" in a text stands for the id of that name."""
    def ids(value):
        if isinstance(value, str):
            return named(s, value)
        if isinstance(value, list):
            return [ids(v) for v in value]
        if isinstance(value, dict):
            return {k: v if k == "div" else ids(v)
                    for k, v in value.items()}
        return value

    resource = ids(resource)
    resource["id"] = s.id(resource["id"])
    meta = resource.setdefault("meta", {})
    meta.setdefault("tag", []).append({"system": TAG, "code": s.key})
    return resource


def plant(s, *resources, token=None):
    """One transaction: what comes first refers to what comes later as well."""
    entries = [{"resource": r, "request": {
        "method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in (tagged(s, r) for r in resources)]
    r = s.post("", {"resourceType": "Bundle", "type": "transaction",
                    "entry": entries}, token=token or s.admin(), note=False)
    equal(r.status, 200, f"transaction: {r}")


def named(s, text):
    text = text.replace("<key>", s.key)
    return re.sub(r"<([a-z][a-z0-9-]*)>", lambda m: s.id(m[1]), text)


def entries(response, mode="match"):
    """Ids in the order of the Bundle."""
    return [e["resource"].get("id") for e in response.json().get("entry", [])
            if e["search"]["mode"] == mode]


def labels(s, ids):
    """Ids as the case calls them."""
    return [i.removeprefix(s.key + "-") for i in ids]


def outcomes(response):
    return [issue for e in response.json().get("entry", [])
            if e["search"]["mode"] == "outcome"
            for issue in e["resource"]["issue"]]


def ask(s, path, query, token=None, headers=(), post=False, note=True):
    if post:
        return s.post(path.rstrip("/") + "/_search", quote(query, safe=BODY).encode(),
                      headers=FORM + list(headers), token=token, note=note)
    return s.get(path + "?" + quote(query, safe=URL), token=token,
                 headers=headers, note=note)


def one(s, kind, query, wanted, token, ordered):
    """What is wrong with the answers to one query, or None."""
    query = named(s, query)
    if "_tag=" not in query:
        query += f"{'&' if query else ''}_tag={TAG}|{s.key}"
    answers = [ask(s, f"/{kind}", query, token, post=post)
               for post in (False, True)]
    for r in answers:
        if wanted.startswith("!"):
            if r.status != int(wanted[1:4]):
                return f"{r.status} instead of {wanted[1:]}: {r}"
            if not r.issue().get("diagnostics"):
                return "no diagnostics"
            continue
        if r.status != 200:
            return f"{r}"
        found = labels(s, entries(r))
        names = wanted.split()
        if not ordered:
            found, names = sorted(found), sorted(names)
        if found != names:
            return f"found {' '.join(found) or '-'}"
        if r.json()["total"] != len(names):
            return f"total {r.json()['total']}"
    return None


def table(s, kind, text, token=None, ordered=False):
    """A query and what it finds in each line; '-' for nothing, '!400' for a
    refusal. All lines are tried."""
    problems = []
    for line in text.strip().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        query, wanted = line.split("  ", 1)
        wanted = wanted.strip()
        problem = one(s, kind, query, "" if wanted == "-" else wanted, token,
                      ordered)
        if problem:
            problems.append(f"{kind}?{query}: {problem}; wanted {wanted}")
    check(not problems, "\n".join(problems))


def follow(s, response, relation):
    """The page that a link leads to, or None."""
    for entry in response.json()["link"]:
        if entry["relation"] == relation:
            u = urlsplit(entry["url"])
            base = urlsplit(s.stand.base(s.server))
            equal(u[:2], base[:2], "the server of the link")
            return u.path.removeprefix("/fhir") + "?" + u.query
    return None


def walk(s, path, relation="next", token=None, note=True, between=None):
    """All pages by their links: a list of lists of names."""
    pages = []
    while path:
        r = s.get(path, token=token, note=note)
        equal(r.status, 200, f"{path}: {r}")
        pages.append(labels(s, entries(r)))
        check(len(pages) < 100, "pages without end")
        path = follow(s, r, relation)
        if path and between:
            between(len(pages))
    return pages
