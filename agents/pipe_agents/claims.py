"""Holds a claim against the findings that it names: do they exist, have they its numbers, are they about its things."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_agents.claims_unknown import unsaid
from pipe_agents.findings import Finding

_LONG: Final = 1000
_SI: Final = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_BINARY: Final = {"k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "t": 2.0**40}
_TIMES: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0,
    "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0, "week": 604800.0,
}  # fmt: skip
_DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?|\b\d\d:\d\d(?::\d\d)?\b")
_ADDRESS: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.]*\d)|\[[0-9a-fA-F:]+\](?::\d+)?")
_NUMBER: Final = re.compile(
    r"(?<![\w.,/:-])-?(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s?(?P<u>%|percent\b|"
    r"[kmgt]i?b(?:/s)?\b|bytes?\b|b\b|(?:ns|us|µs|ms|s|secs?|seconds?|min|mins|minutes?|h|hours?|d|days?|weeks?)\b))?"
    r"(?![\w]|\.\d)",
    re.IGNORECASE,
)
_SUBJECT: Final = re.compile(
    r"https?://[^\s,;)\"'`]+"
    r"|(?<![\w/.])/[A-Za-z][\w.-]*(?:/[\w.-]+)*"
    r"|\b[a-zA-Z_][\w@-]*\.(?:service|socket|timer|mount)\b"
    r"|\b(?:[a-zA-Z0-9](?:[\w-]*[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}\b(?::\d+)?"
)
_SMALL: Final = 4
"""Characters of a subject that is looked for in texts as a word, at least."""


class Amount(NamedTuple):
    """A number as a text gives it: `value` in the unit's base, or as it stands where it has none."""

    value: float
    kind: str
    """`%`, `B`, `s`, or nothing."""
    slack: float
    """How far off a number may be that is rounded to this one."""
    text: str
    plain: float
    """As it is written."""


def held(claim: Mapping[str, Any], findings: Mapping[str, Finding], *, of_all: bool = False) -> dict[str, Any]:
    """The claim, with whether the findings that it names support it; else `doubt` says why not. `of_all`: it is about
    all that there are, and need not say of each whether it was measured."""
    text = str(claim["text"])[:_LONG]
    named = list(dict.fromkeys(str(id) for id in claim["findings"]))[:100]
    doubt = _doubt(text, named, findings, of_all)
    return {"text": text, "findings": named, "supported": doubt is None, "doubt": doubt}


def _doubt(text: str, named: Sequence[str], findings: Mapping[str, Finding], of_all: bool) -> str | None:
    if not named:
        return "it names no finding"
    unknown = [id for id in named if id not in findings]
    if unknown:
        return f"there is no finding {', '.join(unknown)}"[:500]
    cited = [findings[id] for id in named]
    untold = unsaid(text, cited, of_all=of_all)
    if untold is not None:
        return untold
    said = " ".join(_said(one) for one in cited)
    strange = next((one for one in _subjects(text) if not _names(one, said)), None)
    if strange is None:
        strange = next((one for one in _others(cited, findings) if _names(one, text) and not _names(one, said)), None)
    if strange is not None:
        return f"no finding that it names is about {strange}"[:500]
    dates, plain = _dates(text)
    missing = next((one for one in dates if one not in said), None)
    if missing is None:
        known = [amount for one in cited for amount in _amounts_of(one)]
        counts = {float(len(cited)), *map(float, Counter(_kind(one) for one in cited).values())}
        missing = next(
            (one.text for one in amounts(plain) if one.plain not in counts and not _is_known(one, known)), None
        )
    return f"no finding that it names has the number {missing.strip()}" if missing is not None else None


def _kind(one: Finding) -> str:
    return "unavailable" if one["status"] == "unavailable" else str(one["severity"])


# ---------------------------------------------------------------- things


def _said(one: Finding) -> str:
    return json.dumps([one[key] for key in ("id", "subject", "summary", "evidence", "suggestion", "why", "needs")],
                      ensure_ascii=False)  # fmt: skip


def _subjects(text: str) -> Iterator[str]:
    """What looks like an address, a host, a path or a service."""
    yield from (match.group().rstrip(".:") for match in _ADDRESS.finditer(text))
    for match in _SUBJECT.finditer(text):
        yield match.group().rstrip(".,:;")


def _others(cited: Sequence[Finding], findings: Mapping[str, Finding]) -> Iterator[str]:
    """Subjects of findings that the claim doesn't name."""
    mine = {one["subject"] for one in cited}
    others = {one["subject"] for one in findings.values()} - mine
    yield from sorted(one for one in others if len(one) >= _SMALL)


def _names(subject: str, text: str) -> bool:
    """Whether a text has the subject, as a word of its own."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(subject)}(?![\w-]|\.\w)", text, re.IGNORECASE))


# ---------------------------------------------------------------- numbers


def _dates(text: str) -> tuple[list[str], str]:
    """Dates and times of a text, and the text without them, and without what names a thing."""
    dates = [match.group() for match in _DATE.finditer(text)]
    plain = _SUBJECT.sub(" ", _ADDRESS.sub(" ", text))
    return dates, _DATE.sub(" ", plain)


def amounts(text: str) -> Iterator[Amount]:
    for match in _NUMBER.finditer(text):
        digits, unit = match["n"].replace(",", ""), (match["u"] or "").lower()
        value = float(digits)
        decimals = len(digits.partition(".")[2])
        zeros = 0 if decimals else len(digits) - len(digits.rstrip("0")) if value else 0
        slack = 0.5 * 10.0**-decimals if not zeros else min(0.5 * 10.0**zeros, max(0.5, 0.02 * value))
        factor, kind = _unit(unit)
        yield Amount(value * factor, kind, slack * factor, match.group(), value)


def _unit(unit: str) -> tuple[float, str]:
    if not unit:
        return 1.0, ""
    if unit in ("%", "percent"):
        return 1.0, "%"
    seconds = _TIMES.get(unit) or _TIMES.get(unit.rstrip("s"))
    if seconds is not None:
        return seconds, "s"
    size = unit.removesuffix("/s")
    return (_BINARY if "i" in size else _SI).get(size[0], 1.0), "B"


def _amounts_of(one: Finding) -> Iterator[Amount]:
    for key in ("subject", "summary", "suggestion", "why", "needs"):
        yield from amounts(re.sub(r"[:/\[\]()]", " ", str(one[key] or "")))
    yield from _of_value("", one["evidence"])


def _of_value(name: str, value: Any) -> Iterator[Amount]:
    """Numbers of evidence, by the unit that their name ends in."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield Amount(value * _factor(name)[0], _factor(name)[1], 0.0, "", float(value))
    elif isinstance(value, str):
        yield from amounts(re.sub(r"[:/\[\]()]", " ", value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from amounts(re.sub(r"[:/._-]", " ", str(key)))
            yield from _of_value(str(key) if not str(key).isdigit() else name, item)
    elif isinstance(value, list):
        yield Amount(float(len(value)), "", 0.0, "", float(len(value)))
        for item in value:
            yield from _of_value(name, item)


def _factor(name: str) -> tuple[float, str]:
    plain = name.removesuffix("_per_s")
    for end, factor, kind in (
        ("percent", 1.0, "%"), ("bytes", 1.0, "B"), ("_ms", 1e-3, "s"), ("_us", 1e-6, "s"), ("_s", 1.0, "s"),
        ("seconds", 1.0, "s"), ("minutes", 60.0, "s"), ("hours", 3600.0, "s"), ("days", 86400.0, "s"),
    ):  # fmt: skip
        if plain.endswith(end):
            return factor, kind
    return 1.0, ""


def _is_known(claimed: Amount, known: Sequence[Amount]) -> bool:
    return any(_same(claimed, one) for one in known)


def _same(claimed: Amount, one: Amount) -> bool:
    """Whether the claimed number is the known one, rounded; a share is a percentage, and a kB may be a KiB."""
    near = [(claimed.value, claimed.slack)]
    if claimed.kind == "B" and claimed.value > claimed.plain > 0:
        scale = claimed.value / claimed.plain
        binary = next((_BINARY[key] for key, factor in _SI.items() if factor == scale), scale)
        near.append((claimed.plain * binary, claimed.slack / scale * binary))
    if claimed.kind and one.kind and claimed.kind == one.kind:
        return any(_near(one.value, value, slack) for value, slack in near)
    if claimed.kind and one.kind:
        return False
    slack = claimed.slack * (claimed.plain / claimed.value if claimed.value else 1.0)
    if _near(one.plain, claimed.plain, slack):
        return True
    if not claimed.kind:
        return False
    if claimed.kind == "%" and _near(one.plain * 100, claimed.plain, slack):
        return True
    return any(_near(one.value, value, room) for value, room in near)


def _near(known: float, claimed: float, slack: float) -> bool:
    return abs(known - claimed) <= slack * (1 + 1e-9) + 1e-12
