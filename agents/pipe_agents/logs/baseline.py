"""This result against an earlier one of the same node: templates that are new, and rates that have changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_agents.logs.mining import WILD

SIGNIFICANT: Final = 5.0
"""Standard deviations, of a Poisson count, that a rate must have changed by."""
LEAST: Final = 20
"""Lines that there must be, now or then."""
MOST: Final = 50


class Change(NamedTuple):
    template: str
    id: str
    level: str
    entries: int
    earlier_entries: int
    factor: float | None
    """How many times the earlier rate; None where there was none."""
    deviations: float


class Compared(NamedTuple):
    run: str | None
    at: str | None
    new: list[dict[str, Any]]
    """Templates of now that the earlier result doesn't have, as they stand in `measurements.templates`."""
    changed: list[Change]
    new_total: int
    changed_total: int
    complete: bool
    """Whether the earlier result had all of its templates; else only frequent ones are called new."""
    span_s: float
    earlier_span_s: float


def earlier_of(given: Any) -> Mapping[str, Any] | None:
    """The measurements of an output of this agent, or of its `measurements` alone; None for anything else."""
    if not isinstance(given, Mapping):
        return None
    found = given.get("measurements", given)
    if not isinstance(found, Mapping) or not isinstance(found.get("templates"), list):
        return None
    return found


def compare(
    now: Sequence[dict[str, Any]],
    span: float,
    earlier: Mapping[str, Any],
    factor: float,
    run: str | None = None,
    at: str | None = None,
) -> Compared | None:
    """None where one of the two has no times, so that there are no rates."""
    span_before = earlier.get("span_s")
    if not isinstance(span_before, int | float) or isinstance(span_before, bool) or span_before <= 0 or span <= 0:
        return None
    before: dict[str, int] = {}
    levels: dict[str, str] = {}
    for one in earlier["templates"][:2000]:
        if isinstance(one, Mapping) and isinstance(one.get("template"), str) and isinstance(one.get("count"), int):
            before[one["template"]] = before.get(one["template"], 0) + max(one["count"], 0)
            levels[one["template"]] = str(one.get("level"))[:10]
    complete = earlier.get("templates_total") == len(before) and not earlier.get("other_lines")
    index = _Index(before)
    matched: dict[str, list[dict[str, Any]]] = {}
    new: list[dict[str, Any]] = []
    changed: list[Change] = []
    ratio = span / span_before
    for one in now:
        known = index.like(one["template"])
        if known is None:
            new.append(one)
        elif complete or known == one["template"]:  # else its own may be among those that were left out
            matched.setdefault(known, []).append(one)
    for text, count in before.items():
        change = _change(text, matched.get(text, []), levels.get(text, "none"), count, ratio, factor)
        if change is not None:
            changed.append(change)
    if not complete:  # the rest may be there in what was left out, which came less often
        least = 3 * max(min(before.values(), default=0) * ratio, float(LEAST))
        new = [one for one in new if one["count"] >= least]
    changed = sorted(changed, key=lambda change: (-change.deviations, change.template))
    return Compared(run, at, new[:MOST], changed[:MOST], len(new), len(changed), complete, span, float(span_before))


def _change(
    text: str, now: list[dict[str, Any]], level: str, before: int, ratio: float, factor: float
) -> Change | None:
    """A rate that differs by the factor, and by more than chance: 2 × |√now − √(earlier × ratio)| ÷ √(1 + ratio)."""
    count = sum(one["count"] for one in now)
    expected = before * ratio
    if max(count, expected) < LEAST or max(count, before) < LEAST:
        return None
    deviations = 2 * abs(math.sqrt(count) - math.sqrt(expected)) / math.sqrt(1 + ratio)
    if deviations < SIGNIFICANT or (expected / factor < count < expected * factor):
        return None
    times = round(count / expected, 3) if expected else None
    worst = max(now, key=lambda one: one["count"], default={"id": "", "level": level})
    return Change(text, worst["id"], worst["level"], count, before, times, round(deviations, 1))


class _Index:
    """Finds the template that could be the same: equal words, or a wildcard in one of the two."""

    def __init__(self, texts: Mapping[str, int]) -> None:
        self._texts = texts
        self._by_length: dict[int, list[tuple[list[str], str]]] = {}
        for text in texts:
            words = text.split()
            self._by_length.setdefault(len(words), []).append((words, text))

    def like(self, text: str) -> str | None:
        """The same text; else that with most equal words."""
        if text in self._texts:
            return text
        words = text.split()
        best, most = None, 0
        for there, other in self._by_length.get(len(words), ()):
            equal = 0
            for one, two in zip(words, there, strict=True):
                if one == two:
                    equal += WILD not in one
                elif WILD not in one and WILD not in two:
                    break
            else:
                if equal > most:
                    best, most = other, equal
        return best
