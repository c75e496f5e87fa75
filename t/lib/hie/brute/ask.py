"""Asking a server what a plain search is asked."""

import json
from urllib.parse import quote, urlsplit

from ..web import Connection

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


class Refused(Exception):
    """Another status than 200."""


class Said:
    """`found`: (type, id) in their order; `included`: the same; `total`: the
    last that was told, or None; `cut`: not all included ones came; `pages`:
    of each page what was found; `back`: the same on the way back."""

    def __init__(self):
        self.found, self.included, self.total = [], set(), None
        self.pages, self.cut, self.back = [], False, None

    def take(self, bundle, types):
        page = matches(bundle)
        self.pages.append(page)
        self.total = bundle.get("total", self.total)
        for entry in bundle.get("entry", []):
            resource, mode = entry["resource"], entry["search"]["mode"]
            if mode == "outcome":
                self.cut = True
                continue
            key = (resource["resourceType"], resource["id"])
            if mode == "include":
                self.included.add(key)
            elif key[0] not in types:
                raise Refused(f"{key} among {types}")
        self.found += page


class Asker:
    """A connection to each server that is kept, and used in turn."""

    def __init__(self, stand, token):
        self.stand = stand
        self.headers = [("Authorization", f"Bearer {token}")]
        self.connections = {name: Connection(stand.ports[name], timeout=60)
                            for name in ("nginx", "httpd")}

    def close(self):
        for connection in self.connections.values():
            connection.close()

    def request(self, server, method, path, headers=(), body=None):
        return self.connections[server].request(
            method, "/fhir" + path, [*self.headers, *headers], body)

    def put(self, server, type_, id_, body):
        return self.request(
            server, "PUT", f"/{type_}/{id_}",
            [("Content-Type", "application/fhir+json")], body.encode())

    def delete(self, server, type_, id_):
        return self.request(server, "DELETE", f"/{type_}/{id_}")

    def page(self, server, method, path, headers=(), body=None):
        r = self.request(server, method, path, headers, body)
        if r.status != 200:
            raise Refused(f"{r.status} {issue(r)}")
        return r.json()

    def search(self, server, query, post=False):
        """All pages."""
        pairs = [*query.pairs, ("_count", str(query.page))]
        text = "&".join(f"{quote(n, safe=':')}={quote(v, safe='')}"
                        for n, v in pairs)
        place = "/".join(["", *(query.within or ()), *query.place])
        said = Said()
        if post:
            bundle = self.page(server, "POST", place + "/_search", FORM,
                               text.encode())
        else:
            bundle = self.page(server, "GET", f"{place}?{text}")
        said.take(bundle, query.types)
        while (after := link(bundle, "next")) is not None:
            if len(said.pages) > 10000:
                raise Refused("pages without end")
            bundle = self.page(server, "GET", after)
            said.take(bundle, query.types)
        if 1 < len(said.pages) < 20:
            said.back = [said.pages[-1]]
            while (before := link(bundle, "previous")) is not None:
                bundle = self.page(server, "GET", before)
                said.back.insert(0, matches(bundle))
                if len(said.back) > len(said.pages):
                    break
        return said


def matches(bundle):
    return [(e["resource"]["resourceType"], e["resource"]["id"])
            for e in bundle.get("entry", [])
            if e["search"]["mode"] == "match"]


def link(bundle, relation):
    """The path of a link, below the base."""
    for entry in bundle.get("link", []):
        if entry["relation"] == relation:
            u = urlsplit(entry["url"])
            return u.path.removeprefix("/fhir") + "?" + u.query
    return None


def issue(response):
    try:
        return response.issue().get("diagnostics", "")
    except (ValueError, KeyError, AssertionError, json.JSONDecodeError):
        return repr(response.body[:200])
