"""Takes in what nodes gave: results of agents that measure, lists of findings, items of repeated nodes, and nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import RANK, Finding, unavailable, worst
from pipe_agents.merging.texts import as_json, bounded

MOST: Final = 1000
"""Findings that are kept; the worst."""
_LOOKED_AT: Final = 20_000
_KEYS: Final = 60
_LONG: Final = 2000
"""Characters of one value of evidence."""
_STATUSES: Final = ("measured", "estimated", "unavailable")
_ITEM: Final = frozenset({"output", "error"})


class Given(NamedTuple):
    """One result, in our words."""

    name: str
    agent: str
    findings: list[Finding]
    measurements: Mapping[str, Any]
    severity: str
    summary: str
    measured_at: str | None = None
    duration_s: float | None = None
    unreadable: int = 0
    """How many of its findings are none."""


class Missing(NamedTuple):
    """A result that isn't there."""

    name: str
    why: str


def entries(results: Any) -> Iterator[tuple[str, Any]]:
    """Each with a name: that of the map, else the agent's own, else its place."""
    if isinstance(results, Mapping):
        yield from ((bounded(str(name), 100), value) for name, value in results.items())
        return
    for place, value in enumerate(results):
        agent = value.get("agent") if isinstance(value, Mapping) else None
        yield bounded(agent, 100) if isinstance(agent, str) and agent else f"results[{place}]", value


def taken_in(results: Any) -> Iterator[Given | Missing]:
    """What each of the results is; names are made unique."""
    seen: dict[str, int] = {}
    for name, value in entries(results):
        for one in _of(name, value, 0):
            times = seen[one.name] = seen.get(one.name, 0) + 1
            named = one if times == 1 else one._replace(name=f"{one.name} ({times})")
            yield _with_unreadable(named) if isinstance(named, Given) and named.unreadable else named


def _of(name: str, value: Any, depth: int) -> Iterator[Given | Missing]:
    if value is None or value == "":
        yield Missing(name, "its node gave nothing: it failed, was skipped or was blocked")
    elif isinstance(value, Mapping) and value.keys() >= _ITEM and depth < 4:
        named = f"{name}[{bounded(str(value['key']), 100)}]" if "key" in value else name
        if value["output"] is None or value["output"] == "":
            error = value["error"]
            said = error.get("message") if isinstance(error, Mapping) else None
            yield Missing(named, bounded(said or f"it gave nothing{_status(value)}"))
        else:
            yield from _of(named, value["output"], depth + 1)
    elif isinstance(value, Mapping) and isinstance(value.get("findings"), list):
        yield _result(name, value)
    elif _is_finding(value):
        yield _result(name, {"findings": [value]})
    elif isinstance(value, list) and (not value or _holds_findings(value)):
        yield _result(name, {"findings": value})
    elif isinstance(value, list) and depth < 4 and all(isinstance(one, Mapping) for one in value):
        for place, one in enumerate(value):
            yield from _of(name if one.keys() >= _ITEM else f"{name}[{place}]", one, depth + 1)
    else:
        yield Missing(name, f"what its node gave are no findings: {bounded(value, 80)}")


def _status(value: Mapping[str, Any]) -> str:
    return f": it is {value['status']}" if isinstance(value.get("status"), str) else ", and was skipped or blocked"


def _is_finding(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("check"), str) and "severity" in value


def _holds_findings(value: list[Any]) -> bool:
    """Whether it is a list of findings, also one in which some can't be read, and not one of results."""
    results = (one for one in value if isinstance(one, Mapping) and ("findings" in one or one.keys() >= _ITEM))
    return any(_is_finding(one) for one in value) and next(results, None) is None


def _with_unreadable(one: Given) -> Given:
    """Findings that are none are told as what could not be measured."""
    why = f"{one.unreadable} of its {one.unreadable + len(one.findings)} findings can't be read"
    needs = f"findings with `check` and `severity`, at most {_LOOKED_AT}"
    return one._replace(findings=[*one.findings, unavailable("findings.unreadable", one.name, why, needs)])


def _result(name: str, value: Mapping[str, Any]) -> Given:
    found = [_finding(one) for one in value["findings"][:_LOOKED_AT] if _is_finding(one)]
    agent, measurements = value.get("agent"), value.get("measurements")
    summary, at, seconds = value.get("summary"), value.get("measured_at"), value.get("duration_s")
    return Given(
        name,
        bounded(agent, 100) if isinstance(agent, str) else name,
        found,
        measurements if isinstance(measurements, Mapping) else {},
        worst(found),
        bounded(summary) if isinstance(summary, str) else f"{len(found)} findings",
        bounded(at, 40) if isinstance(at, str) else None,
        float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None,
        len(value["findings"]) - len(found),
    )


def _finding(value: Mapping[str, Any]) -> Finding:
    """In our shape, whatever else it holds; texts are bounded."""
    check, subject = bounded(value["check"], 100), bounded(value.get("subject") or "", 300)
    severity, status, evidence = (
        _word(value["severity"]),
        _word("measured" if value.get("status") is None else value["status"]),
        value.get("evidence"),
    )
    odd = "severity" if severity not in RANK else "status" if status not in _STATUSES else None
    made = {
        "id": bounded(value.get("id") or f"{check}:{subject}", 420),
        "check": check,
        "subject": subject,
        "severity": severity if severity in RANK else "info",
        "status": "unavailable" if odd else status,
        "summary": bounded(value.get("summary") or check),
        "evidence": _evidence(evidence) if isinstance(evidence, Mapping) else {},
        **{name: _text(value.get(name)) for name in ("suggestion", "why", "needs")},
    }
    if odd:
        one_of = ", ".join(RANK if odd == "severity" else _STATUSES)
        made["why"] = f"its {odd} is {bounded(value.get(odd), 40)}, which is none: {made['summary']}"
        made["needs"] = f"a {odd} that is one of {one_of}"
    return made


def _word(value: Any) -> str:
    """In small letters; empty where it is no text."""
    return value.strip().lower() if isinstance(value, str) else ""


def _text(value: Any) -> str | None:
    return bounded(value) if isinstance(value, str) and value else None


def _evidence(value: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, item in list(value.items())[:_KEYS]:
        plain = item is None or isinstance(item, bool | int | float)
        small = plain or (not isinstance(item, str) and len(as_json(item)) <= _LONG)
        kept[bounded(str(name), 100)] = item if small else bounded(item)
    return kept


class Pool(NamedTuple):
    """All findings, each once, the worst first."""

    findings: list[Finding]
    doubles: int
    left_out: int


def merged(given: list[Given]) -> Pool:
    """Findings of the same id are one: its severity is the worst, what was measured beats what was not, and `agents`
    names all that have it."""
    by_id: dict[str, Finding] = {}
    doubles = 0
    for one in given:
        for finding in one.findings:
            known = by_id.get(finding["id"])
            if known is None:
                by_id[finding["id"]] = {**finding, "agents": [one.name]}
                continue
            doubles += 1
            better, other = sorted((known, finding), key=_goodness)
            evidence = {**other["evidence"], **better["evidence"]}
            agents = known["agents"] if one.name in known["agents"] else [*known["agents"], one.name]
            by_id[finding["id"]] = {**better, "evidence": evidence, "agents": agents}
    found = sorted(by_id.values(), key=lambda one: (*_goodness(one), one["check"], one["subject"]))
    return Pool(found[:MOST], doubles, max(0, len(found) - MOST))


def _goodness(one: Finding) -> tuple[bool, int]:
    return one["status"] == "unavailable", RANK[one["severity"]]
