"""Finds findings that belong together, by the table of rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, product
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pipe_agents.findings import RANK, Finding
from pipe_agents.merging.facts import host_of
from pipe_agents.merging.rules import RULES, Rule, Sign
from pipe_agents.merging.texts import bounded

MOST: Final = 50
_TOLD: Final = 4
"""Findings of one sign that a correlation names."""
_TRIED: Final = 2000
_TIME: Final = re.compile(r"(^|_)(at|time|seen|since|first|last|until|from|to|ts|start|end|newest|oldest)($|_)")
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
Span: TypeAlias = tuple[float, float]
"""Seconds: from, until."""
_NAMES: Final = re.compile(r"[a-z][a-z0-9_-]{2,}")


def correlations(
    findings: Sequence[Finding], window_minutes: float, measured: Mapping[str, str] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """Each rule that applies, once for what its findings share; the worst first. `measured` says by id when a finding
    was measured that is about that moment."""
    now = {id: (at, at) for id, text in measured.items() if (at := _seconds(text)) is not None}
    wrong = [one for one in findings if one["status"] != "unavailable" and one["severity"] != "info"]
    found = [one for rule in RULES for one in _of(rule, wrong, window_minutes, now)]
    return sorted(found, key=lambda one: RANK[one["severity"]])[:MOST]


def _of(rule: Rule, findings: Sequence[Finding], window: float, now: Mapping[str, Span]) -> Iterable[dict[str, Any]]:
    groups: dict[str, tuple[list[Finding], list[float]]] = {}
    for them in _candidates(rule, findings):
        if len({one["id"] for one in them}) < len(them):
            continue
        shared = _shared(rule, them)
        apart = _apart([times_of(one) or now.get(one["id"]) for one in them])
        if shared is None or (apart is not None and apart > window):
            continue
        known, gaps = groups.setdefault(shared, ([], []))
        known += [one for one in them if one not in known]
        gaps += [apart] if apart is not None else []
    for shared, (members, gaps) in groups.items():
        named = sorted(members, key=lambda one: RANK[one["severity"]])[: _TOLD * len(rule.signs)]
        of = f"; all of them name {bounded(shared, 100)}" if shared else ""
        yield {
            "rule": rule.name,
            "severity": min((one["severity"] for one in named), key=RANK.__getitem__),
            "text": f"Together these suggest {rule.suggests}{of}.",
            "suggestion": rule.do,
            "findings": [one["id"] for one in named],
            "minutes_apart": round(max(gaps), 1) if gaps else None,
        }


def _candidates(rule: Rule, findings: Sequence[Finding]) -> Iterator[tuple[Finding, ...]]:
    """One finding for each sign, all of the same host where the rule asks for that; up to a bound."""
    places: dict[str, list[Finding]] = {}
    for one in findings:
        places.setdefault(host_of(one["subject"]) if rule.same == "host" else "", []).append(one)
    for them in places.values():
        by_sign = [[one for one in them if _has(sign, one)] for sign in rule.signs]
        yield from islice(product(*by_sign), _TRIED)


def _has(sign: Sign, one: Finding) -> bool:
    if not re.search(sign.check, one["check"]):
        return False
    return not sign.text or bool(re.search(sign.text, f"{one['subject']} {one['check']} {one['summary']}"))


def _shared(rule: Rule, them: Sequence[Finding]) -> str | None:
    """What they share; empty where nothing is asked for, None where they don't share it."""
    if rule.same == "machine":
        return ""
    if rule.same == "host":
        hosts = {host_of(one["subject"]) for one in them}
        return hosts.pop() if len(hosts) == 1 else None
    names = [set(_NAMES.findall(re.sub(r"\.service\b", "", one["subject"].lower()))) for one in them]
    said = [f"{one['subject']} {one['summary']}".lower() for one in them]
    common = sorted(name for mine in names for name in mine if all(name in text for text in said))
    return max(common, key=len) if common else None


def _apart(spans: Sequence[Span | None]) -> float | None:
    """Minutes between times, 0 where they overlap; None where fewer than two are known."""
    known = [span for span in spans if span is not None]
    if len(known) < 2:
        return None
    latest_start, earliest_end = max(first for first, _ in known), min(last for _, last in known)
    return max(0.0, (latest_start - earliest_end) / 60)


def times_of(one: Finding) -> Span | None:
    """From when to when a finding's evidence is, in seconds."""
    found = [
        seconds
        for name, value in one["evidence"].items()
        if _TIME.search(name) and isinstance(value, str) and _STAMP.match(value)
        if (seconds := _seconds(value)) is not None
    ]
    return (min(found), max(found)) if found else None


def _seconds(text: str) -> float | None:
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
