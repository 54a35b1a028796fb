"""Finds what says opposite things of the same: by a table of states, and by values of evidence that can't both be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding
from pipe_agents.merging.facts import Fact
from pipe_agents.merging.gather import Given
from pipe_agents.merging.texts import bounded, quantity, words

MOST: Final = 50


class Opposed(NamedTuple):
    """Two states that one thing can't be in at the same time."""

    one: tuple[str, tuple[str, ...]]
    """Aspect, and values."""
    other: tuple[str, tuple[str, ...]]
    check: str
    """How to find out which is right."""


_AGAIN: Final = (
    "Measure both again at the same moment; it may have changed in between, or depend on where one asks from."
)
OPPOSED: Final = (
    Opposed(("port", ("open",)), ("port", ("refused", "silent")), _AGAIN),
    Opposed(
        ("http", ("answers",)),
        ("port", ("refused", "silent")),
        "Ask again: what answered may be another address of the same name, a proxy, or a service that just restarted.",
    ),
    Opposed(("http", ("answers",)), ("http", ("silent",)), _AGAIN),
    Opposed(("service", ("up",)), ("service", ("down",)), "`systemctl status` says which holds now."),
    Opposed(
        ("service", ("up",)),
        ("process", ("absent",)),
        "`systemctl status` names the service's processes: the program may have another name, or has just ended.",
    ),
    Opposed(
        ("service", ("down",)),
        ("process", ("running",)),
        "The process may be one that the service manager doesn't know: started by hand, or left by an earlier start.",
    ),
    Opposed(("process", ("running",)), ("process", ("absent",)), _AGAIN),
    Opposed(("container", ("up",)), ("container", ("down",)), "`docker ps -a` says which holds now."),
)
_FIXED: Final = (
    "total_bytes",
    "limit_bytes",
    "size_bytes",
    "cores",
    "inodes_total",
    "expires_at",
    "not_after",
    "issuer",
)
"""Evidence that doesn't change from one look to the next; also what is true or false, and states."""
_STATES: Final = ("state", "status", "health", "active", "reachable", "result")


def contradictions(facts: Iterable[Fact], given: Iterable[Given]) -> tuple[list[dict[str, Any]], int]:
    """Those that are kept, and how many there are."""
    found = [*_of_states(list(facts)), *_of_values(given)]
    once = {(one["subject"], *one["says"]): one for one in found}
    return list(once.values())[:MOST], len(once)


def _of_states(facts: list[Fact]) -> Iterator[dict[str, Any]]:
    places: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        places.setdefault((fact.aspect, fact.subject), []).append(fact)
    for rule in OPPOSED:
        (aspect, values), (other, others) = rule.one, rule.other
        for (kind, subject), them in places.items():
            if kind != aspect:
                continue
            left = next((fact for fact in them if fact.value in values), None)
            right = next((fact for fact in places.get((other, subject), ()) if fact.value in others), None)
            if left is not None and right is not None:
                yield _told(subject, [left, right], rule.check)


def _told(subject: str, facts: list[Fact], check: str) -> dict[str, Any]:
    return {
        "subject": subject,
        "says": [f"{fact.source}: {fact.says}" for fact in facts],
        "findings": list(dict.fromkeys(fact.finding for fact in facts if fact.finding is not None)),
        "check": check,
    }


def _of_values(given: Iterable[Given]) -> Iterator[dict[str, Any]]:
    """What two results say of the same subject by the same name, with another value. States, and what is true or false,
    are compared within one check: another may mean another thing by the word."""
    seen: dict[tuple[str, str, str], tuple[Any, str, Finding]] = {}
    for name, one in ((each.name, finding) for each in given for finding in each.findings):
        if one["status"] != "measured":
            continue
        for key, value in one["evidence"].items():
            if not _lasts(key, value):
                continue
            check = "" if key.endswith(_FIXED) else one["check"]
            earlier, who, finding = seen.setdefault((one["subject"], check, key), (value, name, one))
            if who != name and type(earlier) is type(value) and earlier != value:
                yield {
                    "subject": one["subject"],
                    "says": [_value(who, finding, key, earlier), _value(name, one, key, value)],
                    "findings": list(dict.fromkeys([finding["id"], one["id"]])),
                    "check": _AGAIN,
                }


def _lasts(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, str):
        return name in _STATES or name in _FIXED
    return isinstance(value, int) and name.endswith(_FIXED)


def _value(who: str, finding: Finding, name: str, value: Any) -> str:
    return f"{who}: {finding['check']} says {words(name)} is {bounded(quantity(name, value), 200)}"
