"""A search that asks for one value as exactly as it can be asked for."""

from . import ranges
from .text import escaped

DAY, MINUTE, SECOND = ranges.DAY, ranges.MINUTE, ranges.SECOND


def moment(at):
    """(date, time to the microsecond) of microseconds since 1970."""
    day = ranges.date.fromordinal(at // DAY + ranges.EPOCH)
    seconds, micro = divmod(at % DAY, SECOND)
    return (day.isoformat(), f"{seconds // 3600:02}:{seconds // 60 % 60:02}:"
            f"{seconds % 60:02}.{micro:06}")


def date_text(low, width):
    """What starts at `low` and covers `width`."""
    day, time = moment(low)
    if width > 300 * DAY:
        return day[:4]
    if width > 20 * DAY:
        return day[:7]
    if width >= DAY:
        return day
    for unit, digits in ((MINUTE, 5), (SECOND, 8)):
        if width >= unit:
            return f"{day}T{time[:digits]}Z"
    return f"{day}T{time[:8 + len(str(SECOND // width))]}Z"


def infinite(at):
    return abs(at) == ranges.INFINITY


def date(value):
    low, high = value
    text = None if infinite(low) or infinite(high) else date_text(
        low, high - low)
    if text and ranges.of_date(text) == value:
        return [text]
    if text and high - low == 1:
        return [date_text(low, 1)]
    # a Period: not before its start, not after its end
    out = []
    if not infinite(low):
        out += ["ge" + date_text(low, 1), "sa" + date_text(low - 1, 1)]
    if not infinite(high):
        out += ["le" + date_text(high - 1, 1), "eb" + date_text(high, 1)]
    return out


def decimal(value):
    scale = 0
    while (value * 10 ** scale).denominator != 1:
        scale += 1
    digits = str(abs(int(value * 10 ** scale))).rjust(scale + 1, "0")
    return (("-" if value < 0 else "") + digits[:len(digits) - scale]
            + ("." + digits[-scale:] if scale else ""))


def number(interval):
    if interval.low == interval.high:
        return [decimal(interval.low)]
    out = []
    if interval.low is not None:
        out.append(("gt" if interval.low_open else "ge")
                   + decimal(interval.low))
    if interval.high is not None:
        out.append(("lt" if interval.high_open else "le")
                   + decimal(interval.high))
    return out


def quantity(q):
    unit = ""
    if q.code or q.unit:
        system = escaped(q.system) if q.system and q.code else ""
        unit = f"|{system}|{escaped(q.code or q.unit)}"
    return [n + unit for n in number(q.interval)]


def token(t):
    if t.code is None:
        return [escaped(t.system) + "|"] if t.system else []
    out = [escaped(t.code)]
    if not t.plain:
        out.append(f"{escaped(t.system or '')}|{out[0]}")
    return out


def reference(r):
    if r.local:
        return ["/".join(r.local)]
    return [escaped(r.url)] if r.url and r.url[0] != "#" else []


def criteria(parameter, value):
    """Several (name, value), each of which finds what has the value. At least
    that there is one can be asked for, but of composites."""
    found = exact(parameter, value)
    if not found and parameter.kind != "composite":
        return [(parameter.code + ":missing", "false")]
    return found


def exact(parameter, value):
    code, kind = parameter.code, parameter.kind
    if kind == "token":
        out = [(code, text) for text in token(value)]
        out += [(code + ":text", escaped(t)) for t in value.texts[:1]]
        return out
    if kind == "reference":
        out = [(code, text) for text in reference(value)]
        if value.identifier:
            out += [(code + ":identifier", text)
                    for text in token(value.identifier)]
        return out
    if kind == "string":
        return [(code, escaped(value[:20].rstrip())),
                (code + ":exact", escaped(value))]
    if kind == "composite":
        parts = [simple(k, one[0]) for one, (k, _) in zip(
            value, parameter.components)]
        return [(code, "$".join(parts))] if all(parts) else []
    return [(code, text) for text in
            {"uri": lambda u: [escaped(u)], "date": date, "quantity": quantity,
             "number": lambda q: number(q.interval)}[kind](value)]


def simple(kind, value):
    """Of a component: the last and most exact way to ask for it, or None."""
    if kind == "string":
        return escaped(value[:20].rstrip())
    if kind == "number":
        return number(value.interval)[-1]
    found = {"token": token, "reference": reference, "date": date,
             "quantity": quantity}[kind](value)
    return found[-1] if found else None
