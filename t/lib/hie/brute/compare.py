"""What a server finds against what a plain search finds."""

import time

from .ask import Refused
from .match import Reading
from .search import ordered

SHOWN = 8


class Tally:
    def __init__(self):
        self.asked = self.open = self.found = self.empty = 0

    def __str__(self):
        return (f"{self.asked} searches, {self.found} resources found, "
                f"{self.empty} times none; {self.open} were left out, of "
                "which R4 says too little")


def some(keys):
    ids = sorted("/".join(k) for k in keys)
    return " ".join(ids[:SHOWN]) + (" …" if len(ids) > SHOWN else "")


def sets(what, theirs, ours):
    if theirs == ours:
        return []
    return [f"{what} by the server alone: {some(theirs - ours)}",
            f"{what} by the plain search alone: {some(ours - theirs)}"]


def differences(query, said, answer):
    """Lines about what is not the same."""
    pairs = dict(query.pairs)
    if pairs.get("_summary") == "count":
        out = [] if not said.found else ["entries with _summary=count"]
    else:
        out = sets("found", set(said.found), answer.found)
        if len(said.found) != len(set(said.found)):
            out.append("the same resource more than once")
        if said.back not in (None, said.pages):
            out.append(f"other pages on the way back: {said.back} and not "
                       f"{said.pages}")
        # a match of another page may be included on this one
        included = said.included - (answer.found if len(said.pages) > 1
                                    else set())
        if not said.cut:
            out += sets("included", included, answer.included)
        elif not included <= answer.included:
            out.append("included what is not referred to")
    told = pairs.get("_summary") == "count" or pairs.get(
        "_total") == "accurate" or said.total is not None
    if told and pairs.get("_total") != "estimate" \
            and said.total != len(answer.found):
        out.append(f"total {said.total} instead of {len(answer.found)}")
    if "_sort" in pairs and not out and not ordered(
            [answer.keys[i] for i in said.found], pairs["_sort"].split(",")):
        out.append("not in the order asked for: " + " ".join(
            "/".join(k) for k in said.found[:SHOWN * 3]))
    return out


def expected(store, query):
    """An answer; None where the readings that R4 leaves open differ."""
    reading = Reading(int(time.time() * 1_000_000), store.bases)
    answer = store.search(query.types, query.pairs, reading, query.within)
    for other in reading.others():
        a = store.search(query.types, query.pairs, other, query.within)
        if (a.found, a.included) != (answer.found, answer.included):
            return None
    return answer


def compare(asker, store, drawer, count, most=10):
    """Asks the servers in turn, by GET and by POST in turn; ends at `most`
    searches that differ. The tally, and texts of what differs."""
    tally, out = Tally(), []
    number = 0
    while number < count and len(out) < most:
        query = drawer.query()
        answer = expected(store, query)
        if answer is None:
            tally.open += 1
            continue
        # some pages, and not hundreds
        query.page = max(query.page, len(answer.found) // 15)
        server = ("nginx", "httpd")[number % 2]
        post = number % 4 > 1
        number += 1
        try:
            lines = differences(query, asker.search(server, query, post),
                                answer)
        except Refused as e:
            lines = [str(e)]
        tally.asked += 1
        tally.found += len(answer.found)
        tally.empty += not answer.found
        if lines:
            out.append("\n  ".join(
                [f"{server} {'POST' if post else 'GET'} {query} (pages of "
                 f"{query.page})", *lines]))
    return tally, out
