"""The plans of what the servers ask PostgreSQL, as it writes them to its log
(auto_explain)."""

import json
import re

PLAN = re.compile(r" plan:\n((?:\t.*\n)+)")


def prepare(stand):
    """Before the servers start: the module is loaded when a connection is
    made. It is silent until `record`."""
    stand.postgres.psql("LOAD 'auto_explain'", role="postgres")
    setting(stand, session_preload_libraries="auto_explain")


def setting(stand, **settings):
    for name, value in settings.items():
        stand.postgres.psql(
            "LOAD 'auto_explain';\nALTER SYSTEM SET "
            f"{name.replace('__', '.')} = '{value}'", role="postgres")
    stand.postgres.psql("SELECT pg_reload_conf()", role="postgres")


def switch(stand, on):
    setting(stand, auto_explain__log_analyze="on" if on else "off",
            auto_explain__log_buffers="on" if on else "off",
            auto_explain__log_format="json",
            auto_explain__log_min_duration="0" if on else "-1")


class Recorder:
    """Between `with` and its end everything is logged."""

    def __init__(self, stand):
        self.stand = stand

    def __enter__(self):
        switch(self.stand, True)
        return self

    def __exit__(self, *unused):
        switch(self.stand, False)

    def of(self, function):
        """The plans of what this function made the servers ask."""
        start = self.stand.postgres.log.stat().st_size
        function()
        with open(self.stand.postgres.log, errors="replace") as log:
            log.seek(start)
            text = log.read()
        return [json.loads(m[1]) for m in PLAN.finditer(text)]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scanned(found, sizes, rows):
    """Tables of at least so many rows that a plan reads from one end to the
    other."""
    return sorted({node["Relation Name"] for p in found
                   for node in nodes(p["Plan"])
                   if node["Node Type"] == "Seq Scan"
                   and sizes.get(node["Relation Name"], 0) >= rows})


def sizes(stand):
    return {name: int(n) for name, n in stand.postgres.psql(
        "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'hie'::regnamespace", role="postgres")}


def looked_at(found):
    """Rows of a table, or entries of an index, that the busiest node of all
    plans goes through."""
    return max((node["Actual Loops"] * (node["Actual Rows"] + node.get(
        "Rows Removed by Filter", 0) + node.get(
        "Rows Removed by Index Recheck", 0))
        for p in found for node in nodes(p["Plan"])
        if node["Node Type"].endswith("Scan")), default=0)
