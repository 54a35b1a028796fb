"""This result against an earlier one of the same node: templates that are new, and rates that have changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
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
    expected: float
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
    earlier_span_s: float
    logs: int
    """How many logs both have read."""
    logs_only_now: int
    logs_only_earlier: int


def earlier_of(given: Any) -> Mapping[str, Any] | None:
    """The measurements of an output of this agent, or of its `measurements` alone; None for anything else."""
    if not isinstance(given, Mapping):
        return None
    found = given.get("measurements", given)
    if not isinstance(found, Mapping) or not isinstance(found.get("templates"), list):
        return None
    if not isinstance(found.get("logs"), list):
        return None
    return found


def compare(
    now: Mapping[str, Any], earlier: Mapping[str, Any], factor: float, run: str | None = None, at: str | None = None
) -> Compared | None:
    """Of the logs that both have read; None where there is none, or one of the two has no times in them."""
    there, before_there = _logs(now), _logs(earlier)
    ratios, spans = _ratios(there, before_there)
    if not ratios:
        return None
    before: dict[str, int] = {}
    expected: dict[str, float] = {}
    levels: dict[str, str] = {}
    for one in earlier["templates"][:2000]:
        if isinstance(one, Mapping) and isinstance(one.get("template"), str) and isinstance(one.get("count"), int):
            counts = _counts(one, ratios)
            text = one["template"]
            before[text] = before.get(text, 0) + sum(counts.values())
            expected[text] = expected.get(text, 0.0) + sum(count * ratios[log] for log, count in counts.items())
            levels[text] = str(one.get("level"))[:10]
    complete = earlier.get("templates_total") == len(before) and not earlier.get("other_lines")
    index = _Index(before)
    matched: dict[str, list[tuple[dict[str, Any], int]]] = {}
    new: list[dict[str, Any]] = []
    changed: list[Change] = []
    for one in now["templates"]:
        here = sum(_counts(one, ratios).values())
        if not here:
            continue
        known = index.like(one["template"])
        if known is None:
            new.append(one)
        elif complete or known == one["template"]:  # else its own may be among those that were left out
            matched.setdefault(known, []).append((one, here))
    for text, count in before.items():
        change = _change(text, matched.get(text, []), levels.get(text, "none"), count, expected[text], factor)
        if change is not None:
            changed.append(change)
    if not complete:  # the rest may be there in what was left out, which came less often
        rarest = min((count for count in before.values() if count), default=0)
        least = 3 * max(rarest * spans[0] / spans[1], float(LEAST))
        new = [one for one in new if one["count"] >= least]
    changed = sorted(changed, key=lambda change: (-change.deviations, change.template))
    return Compared(
        run,
        at,
        new[:MOST],
        changed[:MOST],
        len(new),
        len(changed),
        complete,
        spans[1],
        len(ratios),
        len(there.keys() - ratios.keys()),
        len(before_there.keys() - ratios.keys()),
    )


def _logs(measurements: Mapping[str, Any]) -> dict[str, tuple[float, float, bool] | None]:
    """Each log with the time that it covers, and whether it was read in part; None where it has no entries."""
    found: dict[str, tuple[float, float, bool] | None] = {}
    for one in measurements["logs"][:2000]:
        if not isinstance(one, Mapping) or not isinstance(one.get("log"), str):
            continue
        try:
            begin, end = (datetime.fromisoformat(one[key]).timestamp() for key in ("begin", "end"))
        except (KeyError, TypeError, ValueError):
            if not one.get("partly_read"):
                found[one["log"]] = None
            continue
        found[one["log"]] = (begin, end, bool(one.get("partly_read")))
    return found


def _ratios(
    now: Mapping[str, tuple[float, float, bool] | None], earlier: Mapping[str, tuple[float, float, bool] | None]
) -> tuple[dict[str, float], tuple[float, float]]:
    """For each log of both, how many times the earlier time it covers, and what all of them cover, now and earlier.

    A log that was read whole covers what all of them do: it was silent in the rest. One that was read in part does not.
    """
    both = [log for log in now if log in earlier]
    spans: list[float] = []
    for side in (now, earlier):
        known = [span for log in both if (span := side[log]) is not None]
        if not known:
            return {}, (0.0, 0.0)
        spans.append(max(span[1] for span in known) - min(span[0] for span in known))
    made = {}
    for log in both:
        one, other = (
            (span[1] - span[0] if span is not None and span[2] else whole)
            for span, whole in ((now[log], spans[0]), (earlier[log], spans[1]))
        )
        if one > 0 and other > 0:
            made[log] = one / other
    return made, (spans[0], spans[1])


def _counts(template: Mapping[str, Any], logs: Mapping[str, float]) -> dict[str, int]:
    """Its entries in each of these logs."""
    listed = template.get("logs")
    return {
        one["log"]: max(one["count"], 0)
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping) and one.get("log") in logs and isinstance(one.get("count"), int)
    }


def _change(
    text: str, now: list[tuple[dict[str, Any], int]], level: str, before: int, expected: float, factor: float
) -> Change | None:
    """A rate that differs by the factor, and by more than chance.

    That is 2 × |√now − √expected| ÷ √(1 + expected ÷ earlier) standard deviations.
    """
    count = sum(here for _, here in now)
    if not before or max(count, expected) < LEAST or max(count, before) < LEAST:
        return None
    deviations = 2 * abs(math.sqrt(count) - math.sqrt(expected)) / math.sqrt(1 + expected / before)
    if deviations < SIGNIFICANT or (expected / factor < count < expected * factor):
        return None
    worst = max(now, key=lambda one: one[1], default=({"id": "", "level": level}, 0))[0]
    times = round(count / expected, 3)
    return Change(text, worst["id"], worst["level"], count, before, round(expected, 1), times, round(deviations, 1))


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
